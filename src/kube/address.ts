// IP addresses as text: parsing to octets, the one spelling of RFC 5952, and the names of the reverse tree.
// Not here: which address belongs to which name (schema.ts).

import type { Labels } from './records.ts'

const DOT = 0x2e
const COLON = 0x3a
const ZERO = 0x30
const GROUPS = 8

/** Scratch of the parsers below: no caller sees it across a call. */
const groups = new Uint16Array(GROUPS)

/**
 * The family of an address, told by its text alone; it says nothing about validity.
 *
 * @returns 6 if `text` holds a colon, else 4
 */
export function addressFamily(text: string): 4 | 6 {
  return text.includes(':') ? 6 : 4
}

/**
 * Parses an address into network order.
 *
 * IPv4 takes exactly four decimal numbers without leading zeros; IPv6 every form of RFC 4291 §2.2, dotted tail
 * included. A zone (`%eth0`), a prefix length or a blank makes the text no address.
 *
 * @param octets receives 4 or 16 octets from index 0; contents undefined on failure
 * @returns octets written: 4, 16, or 0 if `text` is no address
 */
export function parseAddress(text: string, octets: Uint8Array): 0 | 4 | 16 {
  if (!text.includes(':')) {
    const value = parseIPv4(text, 0)
    if (value < 0) return 0
    octets[0] = value >>> 24
    octets[1] = value >>> 16
    octets[2] = value >>> 8
    octets[3] = value
    return 4
  }
  if (!parseIPv6(text)) return 0
  for (let i = 0; i < GROUPS; i++) {
    octets[2 * i] = groups[i] >>> 8
    octets[2 * i + 1] = groups[i] & 255
  }
  return 16
}

/**
 * The one spelling of an address: IPv4 as it is, IPv6 as RFC 5952 §4 has it.
 *
 * @returns `text` itself where it is so spelled already; '' if it is no address
 */
export function canonicalAddress(text: string): string {
  if (!text.includes(':')) return parseIPv4(text, 0) < 0 ? '' : text
  if (!parseIPv6(text)) return ''
  const canonical = compressedText()
  return canonical === text ? text : canonical
}

/**
 * The text of 4 or 16 octets in network order; IPv6 as RFC 5952 §4 has it.
 *
 * @param length 4 or 16
 */
export function formatAddress(octets: Uint8Array, length: number): string {
  if (length === 4) return `${octets[0]}.${octets[1]}.${octets[2]}.${octets[3]}`
  for (let i = 0; i < GROUPS; i++) groups[i] = (octets[2 * i] << 8) | octets[2 * i + 1]
  return compressedText()
}

/**
 * All eight groups of an IPv6 address.
 *
 * @param padded four digits a group, else no leading zeros
 * @returns '' if `text` is no IPv6 address
 */
export function expandedAddress(text: string, padded: boolean): string {
  if (!text.includes(':') || !parseIPv6(text)) return ''
  return Array.from(groups, (group) => group.toString(16).padStart(padded ? 4 : 1, '0')).join(':')
}

/**
 * The owner name whose PTR records tell the names of an address.
 *
 * @returns all labels, `in-addr`, `arpa` or `ip6`, `arpa` at the end; empty if `text` is no address
 * @see RFC 1035 §3.5 for IPv4, RFC 3596 §2.5 for IPv6
 */
export function reverseName(text: string): Labels {
  if (!text.includes(':')) {
    // Out of the value, not by String.split: V8 keeps what it splits in its table of strings, 80 octets for each address.
    const value = parseIPv4(text, 0)
    if (value < 0) return []
    const octet = (shift: number) => String((value >>> shift) & 255)
    return [octet(0), octet(8), octet(16), octet(24), 'in-addr', 'arpa']
  }
  const digits = expandedAddress(text, true)
  if (digits === '') return []
  return [...digits.replaceAll(':', '').split('').reverse(), 'ip6', 'arpa']
}

/**
 * The address a full reverse name stands for: the way back of `reverseName`, in either case of letters.
 *
 * @param labels leftmost first, `arpa` last
 * @returns '' if the name is not that of one whole address
 */
export function addressOfReverseName(labels: Labels): string {
  const tree = labels.slice(-2).join('.').toLowerCase()
  const digits = labels.slice(0, -2).reverse()
  if (tree === 'in-addr.arpa' && digits.length === 4) return canonicalAddress(digits.join('.'))
  if (tree !== 'ip6.arpa' || digits.length !== 32 || digits.some((digit) => digit.length !== 1)) return ''
  return canonicalAddress(digits.join('').replace(/.{4}(?=.)/g, '$&:'))
}

/** The value of a dotted quad that fills `text` from `start` on, 0..2^32-1; -1 if it is none. */
function parseIPv4(text: string, start: number): number {
  let value = 0
  let part = -1
  let partCount = 0
  for (let i = start; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code === DOT) {
      if (part < 0) return -1
      value = value * 256 + part
      part = -1
      partCount++
      continue
    }
    const digit = code - ZERO
    // A leading zero meant octal to some parsers and decimal to others: refused.
    if (digit < 0 || digit > 9 || part === 0) return -1
    part = part < 0 ? digit : part * 10 + digit
    if (part > 255) return -1
  }
  return partCount === 3 && part >= 0 ? value * 256 + part : -1
}

/** Fills `groups`; false if `text` is no IPv6 address, `groups` then being rubbish. */
function parseIPv6(text: string): boolean {
  let count = 0
  let gap = -1
  let at = 0
  if (text.startsWith('::')) {
    gap = 0
    at = 2
  }
  while (at < text.length) {
    if (count === GROUPS) return false
    let end = at
    let value = 0
    for (; end < text.length && text.charCodeAt(end) !== COLON; end++) {
      const digit = hexDigit(text.charCodeAt(end))
      if (digit < 0 || end - at === 4) return endsInIPv4(text, at, count, gap)
      value = value * 16 + digit
    }
    if (end === at) return false
    groups[count++] = value
    if (end === text.length) break
    at = end + 1
    if (at === text.length) return false
    if (text.charCodeAt(at) === COLON) {
      if (gap >= 0) return false
      gap = count
      at++
    }
  }
  return spreadGap(count, gap)
}

/** The dotted tail of an IPv6 address, RFC 4291 §2.2 form 3. */
function endsInIPv4(text: string, at: number, count: number, gap: number): boolean {
  const value = count > GROUPS - 2 ? -1 : parseIPv4(text, at)
  if (value < 0) return false
  groups[count] = value / 65536
  groups[count + 1] = value & 65535
  return spreadGap(count + 2, gap)
}

/** Moves the groups right of `::` to the end. A `::` stands for at least one group of zeros. */
function spreadGap(count: number, gap: number): boolean {
  if (gap < 0) return count === GROUPS
  if (count === GROUPS) return false
  groups.copyWithin(GROUPS - (count - gap), gap, count)
  groups.fill(0, gap, GROUPS - (count - gap))
  return true
}

function hexDigit(code: number): number {
  if (code >= ZERO && code <= ZERO + 9) return code - ZERO
  const letter = code | 0x20
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x61 + 10 : -1
}

/** `groups` as text: the first longest run of two or more zero groups becomes `::` (RFC 5952 §4.2). */
function compressedText(): string {
  let runStart = -1
  let runLength = 1
  for (let i = 0; i < GROUPS; i++) {
    let end = i
    while (end < GROUPS && groups[end] === 0) end++
    if (end - i > runLength) {
      runStart = i
      runLength = end - i
    }
    if (end > i) i = end - 1
  }
  let text = ''
  for (let i = 0; i < GROUPS; i++) {
    if (i === runStart) {
      text += '::'
      i += runLength - 1
    } else {
      if (text !== '' && !text.endsWith(':')) text += ':'
      text += groups[i].toString(16)
    }
  }
  return text
}
