// Labels that spell an IP address with dashes: 10-131-0-8, fd00-10-131--8 (Kubernetes DNS specification 1.1.0, Pod records).
// Hot: works on octets, allocates nothing.

import { type Query, sealKey } from './question.ts'

const DASH = 0x2d
const ZERO = 0x30
const GROUPS = 8

/**
 * Reads the label octets[start, end) as an address: IPv4 if it has exactly three dashes and no two together, else IPv6.
 * @param address  16 octets, receives the address in network order
 * @returns 4, 16, or 0 if it is none
 */
export function readAddressLabel(octets: Uint8Array, start: number, end: number, address: Uint8Array): number {
  let dashes = 0
  let doubled = false
  for (let i = start; i < end; i++) {
    if (octets[i] !== DASH) continue
    dashes++
    if (i + 1 < end && octets[i + 1] === DASH) doubled = true
  }
  if (dashes === 3 && !doubled) return readIPv4(octets, start, end, address) ? 4 : 0
  return readIPv6(octets, start, end, address) ? 16 : 0
}

function readIPv4(octets: Uint8Array, start: number, end: number, address: Uint8Array): boolean {
  let at = start
  for (let part = 0; part < 4; part++) {
    let value = 0
    const first = at
    for (; at < end && octets[at] !== DASH; at++) {
      const digit = octets[at] - ZERO
      if (digit < 0 || digit > 9 || at - first === 3) return false
      value = value * 10 + digit
    }
    if (at === first || value > 255 || (octets[first] === ZERO && at - first > 1)) return false
    address[part] = value
    at++
  }
  return true
}

function readIPv6(octets: Uint8Array, start: number, end: number, address: Uint8Array): boolean {
  let at = start
  let group = 0
  let gap = -1 // groups before the two dashes
  if (octets[at] === DASH) {
    if (at + 1 >= end || octets[at + 1] !== DASH) return false
    gap = 0
    at += 2
  }
  while (at < end) {
    if (group === GROUPS) return false
    let value = 0
    const first = at
    for (; at < end && octets[at] !== DASH; at++) {
      const digit = hexDigit(octets[at])
      if (digit < 0 || at - first === 4) return false
      value = (value << 4) | digit
    }
    if (at === first) return false
    address[2 * group] = value >> 8
    address[2 * group + 1] = value
    group++
    if (at === end) break
    at++ // the dash
    if (at === end) return false
    if (octets[at] === DASH) {
      if (gap >= 0) return false
      gap = group
      at++
    }
  }
  if (gap < 0) return group === GROUPS
  if (group === GROUPS) return false
  const moved = 2 * (group - gap)
  for (let i = 1; i <= moved; i++) address[16 - i] = address[2 * group - i]
  address.fill(0, 2 * gap, 16 - moved)
  return true
}

function hexDigit(octet: number): number {
  if (octet >= ZERO && octet <= 0x39) return octet - ZERO
  return octet >= 0x61 && octet <= 0x66 ? octet - 0x57 : -1
}

/**
 * Makes in `canonical` the key that has the canonical spelling of an address (RFC 5952 §4, dashes for separators) in place
 * of label 0 of `name`, whose key has been read.
 * @param length  4 or 16 octets of `address`
 */
export function canonicalKey(address: Uint8Array, length: number, name: Query, canonical: Query): void {
  const { key } = canonical
  let at = length === 4 ? writeIPv4(address, key, 1) : writeIPv6(address, key, 1)
  key[0] = at - 1
  const nameLength = name.meta & 0xffff
  for (let from = name.labelStart[1]; from < nameLength; from++) key[at++] = name.key[from]
  sealKey(canonical, name.meta >>> 16, at)
}

function writeIPv4(address: Uint8Array, key: Uint8Array, at: number): number {
  for (let i = 0; i < 4; i++) {
    if (i > 0) key[at++] = DASH
    const value = address[i]
    if (value >= 100) key[at++] = ZERO + ((value / 100) | 0)
    if (value >= 10) key[at++] = ZERO + (((value / 10) | 0) % 10)
    key[at++] = ZERO + (value % 10)
  }
  return at
}

function writeIPv6(address: Uint8Array, key: Uint8Array, at: number): number {
  let gapStart = -1
  let gapLength = 1 // one group of zeros is written out
  for (let i = 0; i < GROUPS; i++) {
    let zeros = 0
    while (i + zeros < GROUPS && group(address, i + zeros) === 0) zeros++
    if (zeros > gapLength) {
      gapStart = i
      gapLength = zeros
    }
    i += zeros
  }
  for (let i = 0; i < GROUPS; i++) {
    if (i === gapStart) {
      key[at++] = DASH
      key[at++] = DASH
      i += gapLength - 1
      continue
    }
    if (i > 0 && i !== gapStart + gapLength) key[at++] = DASH
    const value = group(address, i)
    for (let shift = 12; shift >= 0; shift -= 4) {
      const digit = (value >> shift) & 15
      if (value >> (shift + 4) === 0 && digit === 0 && shift > 0) continue
      key[at++] = digit < 10 ? ZERO + digit : 0x57 + digit
    }
  }
  return at
}

function group(address: Uint8Array, i: number): number {
  return (address[2 * i] << 8) | address[2 * i + 1]
}
