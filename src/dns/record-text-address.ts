// Addresses in RDATA as text. RFC 4291 §2.2, RFC 5952 §4.
// Not here: address labels of the cluster's names (address-label.ts).

import { isIPv6 } from 'node:net'

const DOT = 0x2e
const ZERO = 0x30

/** Value of four decimal numbers without leading zeros; -1 if `text` is no IPv4 address. */
export function ipv4Value(text: string): number {
  let value = 0
  let part = -1
  let parts = 0
  for (let i = 0; i <= text.length; i++) {
    const octet = i === text.length ? DOT : text.charCodeAt(i)
    if (octet === DOT) {
      if (part < 0) return -1
      value = value * 256 + part
      part = -1
      parts++
      continue
    }
    const digit = octet - ZERO
    if (digit < 0 || digit > 9 || part === 0) return -1
    part = part < 0 ? digit : part * 10 + digit
    if (part > 255) return -1
  }
  return parts === 4 ? value : -1
}

/** 16 octets of an IPv6 address without zone; null if `text` is none. */
export function ipv6Octets(text: string): Uint8Array | null {
  if (!isIPv6(text) || text.includes('%')) return null
  const tail = text.lastIndexOf(':') + 1
  const dotted = text.includes('.') ? ipv4Value(text.slice(tail)) : -1
  const plain =
    dotted < 0 ? text : `${text.slice(0, tail)}${(dotted >>> 16).toString(16)}:${(dotted & 0xffff).toString(16)}`
  const [head, behind] = plain.split('::').map((part) => (part === '' ? [] : part.split(':')))
  const groups = behind === undefined ? head : [...head, ...Array(8 - head.length - behind.length).fill('0'), ...behind]
  return Uint8Array.from(groups.flatMap((group: string) => [parseInt(group, 16) >> 8, parseInt(group, 16) & 255]))
}

/** The one spelling of 4 or 16 octets; IPv6 as RFC 5952 §4 has it, never with dots. */
export function addressText(octets: Uint8Array): string {
  if (octets.length === 4) return octets.join('.')
  const groups = Array.from({ length: 8 }, (_, i) => octets[2 * i] * 256 + octets[2 * i + 1])
  let best = 0
  let bestLength = 1
  for (let i = 0; i < 8; i++) {
    let length = 0
    while (i + length < 8 && groups[i + length] === 0) length++
    if (length > bestLength) {
      best = i
      bestLength = length
    }
  }
  const hex = groups.map((group) => group.toString(16))
  if (bestLength < 2) return hex.join(':')
  return `${hex.slice(0, best).join(':')}::${hex.slice(best + bestLength).join(':')}`
}
