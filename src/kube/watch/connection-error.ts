// No connection, or one that ended before its answer did: in words that say why.

import type { Access } from './connection.ts'

const UNKNOWN_AUTHORITY = 'is signed by an authority that is unknown'
const CERTIFICATE: Readonly<Record<string, string>> = {
  CERT_HAS_EXPIRED: 'has expired',
  CERT_NOT_YET_VALID: 'is not valid yet (is the clock right?)',
  CERT_REVOKED: 'is revoked',
  CERT_SIGNATURE_FAILURE: UNKNOWN_AUTHORITY,
  CERT_UNTRUSTED: UNKNOWN_AUTHORITY,
  DEPTH_ZERO_SELF_SIGNED_CERT: UNKNOWN_AUTHORITY,
  SELF_SIGNED_CERT_IN_CHAIN: UNKNOWN_AUTHORITY,
  UNABLE_TO_GET_ISSUER_CERT: UNKNOWN_AUTHORITY,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: UNKNOWN_AUTHORITY,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: UNKNOWN_AUTHORITY,
  ERR_TLS_CERT_ALTNAME_INVALID: 'is for other names',
}

interface ConnectionErrorOptions {
  readonly cause?: unknown
  readonly unseen?: boolean
}

/** No connection, one that was cut, or one that is silent: worth another try at once. */
export class ConnectionError extends Error {
  readonly code = 'API_UNREACHABLE'
  /** The server has not looked at the request: the client may send it again by itself. */
  readonly unseen: boolean

  constructor(message: string, options: ConnectionErrorOptions = {}) {
    super(message, { cause: options.cause })
    this.unseen = options.unseen ?? false
  }
}

/** What went wrong between us and the server, as a ConnectionError that names it; one that is such is returned as it is. */
export function connectionError(access: Access, cause: unknown): ConnectionError {
  if (cause instanceof ConnectionError) return cause
  return new ConnectionError(`${access.server.origin}: ${reasonOf(access, cause)}`, { cause })
}

function reasonOf(access: Access, cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause)
  const code = 'code' in cause ? String(cause.code) : ''
  const fault = CERTIFICATE[code]
  if (fault !== undefined) return `the server's certificate ${fault}: ${cause.message} (CA: ${access.caSource})`
  if (code === 'ERR_SSL_WRONG_VERSION_NUMBER' || code === 'ERR_SSL_PACKET_LENGTH_TOO_LONG')
    return 'the server does not speak TLS'
  if (/^ERR_SSL_.*ALERT/.test(code)) return `the server does not accept our TLS: ${cause.message}`
  // Of several addresses all failed, each in its own way.
  if (cause instanceof AggregateError) return cause.errors.map((error) => reasonOf(access, error)).join(', ')
  return cause.message === '' ? code : cause.message
}
