// How upstreams are spoken to over TLS: whom to trust, and who we are. Corefile reference 5.6, `tls` and `tls_servername`.

import { readFileSync } from 'node:fs'
import type { SecureContext } from 'node:tls'
import type { ForwardConfig } from '../config/configuration.ts'
import type { TlsParameters } from './stream-connection.ts'
import { tlsModule } from './tls-module.ts'

/**
 * For each upstream in its order; null for those without TLS. Sessions are kept for each.
 * @throws Error that names the file, if one cannot be read or is no certificate or key
 */
export function tlsParameters({ upstreams, tls, tlsServername }: ForwardConfig): (TlsParameters | null)[] {
  let context: SecureContext | undefined
  return upstreams.map(({ transport, host, serverName }) => {
    if (transport === 'dns') return null
    context ??= secureContext(tls)
    // Without a name the address is what the certificate must be for.
    return { context, serverName: tlsServername || serverName || host, session: undefined }
  })
}

function secureContext(tls: ForwardConfig['tls']): SecureContext {
  const { cert, key, ca } = tls ?? { cert: '', key: '', ca: '' }
  try {
    return tlsModule().createSecureContext({
      minVersion: 'TLSv1.2',
      ca: ca === '' ? systemAuthorities() : readFileSync(ca),
      ...(cert === '' ? {} : { cert: readFileSync(cert), key: readFileSync(key) }),
    })
  } catch (error) {
    const files = [cert, key, ca].filter((path) => path !== '').join(', ')
    throw new Error(`plugin/forward: TLS with ${files || 'the system'}: ${(error as Error).message}`)
  }
}

/** Those of the system as other programs use them; Node's own where there are none. */
function systemAuthorities(): string[] {
  // The same ones stand in several files of the system.
  const authorities = new Set(tlsModule().getCACertificates('system'))
  return authorities.size > 0 ? [...authorities] : tlsModule().getCACertificates('bundled')
}
