// The way over TLS: RFC 7858; and what HTTPS needs of it. Certificates are checked against the authorities of the system
// (SSL_CERT_FILE names others), unless the target says that they are not.

import { isIP } from 'node:net'
import {
  checkServerIdentity,
  connect,
  createSecureContext,
  getCACertificates,
  type PeerCertificate,
  type SecureContext,
  type TLSSocket,
} from 'node:tls'
import type { Target } from '../run.ts'
import { ConnectionError, type Opener } from './connection.ts'
import { FramedConnection } from './framed-connection.ts'
import type { QueryOctets } from './query-octets.ts'

/** Its name in the handshake (ALPN). */
export const DNS_OVER_TLS = 'dot'

export function tlsOpener(target: Target, octets: QueryOctets): Opener {
  const client = new TlsClient(target, DNS_OVER_TLS)
  return (owner) => {
    const socket = client.connect()
    return new FramedConnection(socket, 'secureConnect', octets, owner, (error) => tlsError(error, socket))
  }
}

/** Opens TLS connections to one server. What all of them need is read once. */
export class TlsClient {
  readonly #target: Target
  readonly #protocol: string
  readonly #context: SecureContext

  /** @param protocol  offered in the handshake (ALPN) */
  constructor(target: Target, protocol: string) {
    this.#target = target
    this.#protocol = protocol
    const authorities = target.verifiesCertificate ? { ca: trustedAuthorities() } : {}
    this.#context = createSecureContext({ minVersion: 'TLSv1.2', ...authorities })
  }

  /** A socket that emits `secureConnect` when the server has proved who it is, else `error`: see tlsError. */
  connect(): TLSSocket {
    const { address, port, serverName, verifiesCertificate } = this.#target
    const name = serverName || address
    const socket = connect({
      host: address,
      port,
      secureContext: this.#context,
      // A name goes into the handshake, an address may not (RFC 6066 §3).
      servername: isIP(name) === 0 ? name : '',
      rejectUnauthorized: verifiesCertificate,
      checkServerIdentity: (_host: string, certificate: PeerCertificate) => checkServerIdentity(name, certificate),
      ALPNProtocols: [this.#protocol],
    })
    socket.setNoDelay(true)
    return socket
  }
}

/** What went wrong with such a socket, the certificate named as the reason where it is. */
export function tlsError(error: Error, socket: TLSSocket): ConnectionError {
  const known = ConnectionError.from(error)
  // Node's types do not say that there may be none.
  const refusal: unknown = socket.authorizationError
  if (refusal === null || refusal === undefined) return known
  return new ConnectionError(known.code, `its certificate is not accepted: ${known.message}`)
}

/** Those of the system as other programs use them; Node's own where there are none. */
function trustedAuthorities(): string[] {
  // The same ones stand in several files of the system.
  const authorities = new Set(getCACertificates('system'))
  return [...(authorities.size > 0 ? authorities : getCACertificates('bundled')), ...getCACertificates('extra')]
}
