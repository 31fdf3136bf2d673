// Why an address cannot be listened on, in one line a person can act on.

import { addressAndPort } from './addresses.ts'

const REASONS: Readonly<Record<string, string>> = {
  EADDRINUSE: 'the address is in use by another program',
  EACCES: 'no permission (ports below 1024 need root or CAP_NET_BIND_SERVICE)',
  EPERM: 'no permission (ports below 1024 need root or CAP_NET_BIND_SERVICE)',
  EADDRNOTAVAIL: 'this machine has no such address',
  EAFNOSUPPORT: 'this machine has no IPv6',
  EINVAL: 'not an IP address of this machine that can be listened on',
  EMFILE: 'too many open files (raise the limit: ulimit -n)',
}

/** An address that cannot be listened on; `code` is the errno by name, EINVAL for what is no address at all. */
export class ListenError extends Error {
  override readonly name = 'ListenError'
  readonly code: string
  readonly address: string

  constructor(address: string, port: number, code: string) {
    super(`cannot listen on ${addressAndPort(address, port)}: ${REASONS[code] ?? 'the system refused'} (${code})`)
    this.code = code
    this.address = address
  }
}

/** Whether serving may go on without `address`: IPv6's loopback, on a machine without IPv6, when there is another. */
export function isDispensable(address: string, code: string, addresses: readonly string[]): boolean {
  return address === '::1' && addresses.length > 1 && (code === 'EAFNOSUPPORT' || code === 'EADDRNOTAVAIL')
}
