// IP addresses as people write them → octets for a socket address.

import { isIPv4, isIPv6 } from 'node:net'
import { networkInterfaces } from 'node:os'

/** An address to bind to. */
export interface IpAddress {
  /** As written. */
  readonly text: string
  readonly family: 4 | 6
  /** 4 or 16 octets, in network order. */
  readonly octets: Uint8Array
  /** Interface index of `fe80::1%eth0`; 0 for every address without a zone. */
  readonly scope: number
  /** Whether this is 0.0.0.0 or ::, every address of the machine. */
  readonly wildcard: boolean
}

/**
 * Parses an IPv4 or IPv6 address, the latter with a zone (RFC 4007 §11) if it is link-local.
 *
 * @returns undefined when `text` is not an address, or its zone names no interface of this machine
 */
export function parseAddress(text: string): IpAddress | undefined {
  if (isIPv4(text)) {
    return address(text, 4, Uint8Array.from(text.split('.'), Number), 0)
  }
  if (!isIPv6(text)) return undefined
  const [plain, zone] = text.split('%', 2)
  const scope = zone === undefined ? 0 : scopeOf(zone)
  return scope === undefined ? undefined : address(text, 6, octetsOfIpv6(plain), scope)
}

function address(text: string, family: 4 | 6, octets: Uint8Array, scope: number): IpAddress {
  return { text, family, octets, scope, wildcard: octets.every((octet) => octet === 0) }
}

/** Address and port in one string, the address in brackets if it has colons (RFC 5952 §6). */
export function addressAndPort(text: string, port: number): string {
  return text.includes(':') ? `[${text}]:${port}` : `${text}:${port}`
}

function scopeOf(zone: string): number | undefined {
  if (/^\d{1,9}$/.test(zone)) return Number(zone)
  for (const entry of networkInterfaces()[zone] ?? []) {
    if (entry.family === 'IPv6' && entry.scopeid) return entry.scopeid
  }
  return undefined
}

// The URL parser knows every spelling (RFC 4291 §2.2, an IPv4 tail included) and returns one: groups and at most one `::`.
function octetsOfIpv6(text: string): Uint8Array {
  const canonical = new URL(`http://[${text}]`).hostname.slice(1, -1)
  const [head, tail] = canonical.split('::', 2)
  const front = groups(head)
  const back = groups(tail ?? '')
  const octets = new Uint8Array(16)
  const view = new DataView(octets.buffer)
  front.forEach((group, index) => {
    view.setUint16(index * 2, group)
  })
  back.forEach((group, index) => {
    view.setUint16((8 - back.length + index) * 2, group)
  })
  return octets
}

function groups(text: string): number[] {
  return text === '' ? [] : text.split(':').map((group) => Number.parseInt(group, 16))
}
