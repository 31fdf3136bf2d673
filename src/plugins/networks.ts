// Sets of networks (RFC 4632, RFC 4291 §2.3), compiled for one question: is this address in one of them, and in the which-th?
// IPv4 addresses mapped into IPv6 (::ffff:a.b.c.d) are the IPv4 addresses they stand for, in networks as in addresses.

import { isIPv4, isIPv6 } from 'node:net'

const MAPPED_PREFIX_LENGTH = 96
const MAPPED_PREFIX = '\0\0\0\0\0\0\0\0\0\0\xff\xff'

/** A text that is no address and no network. */
export class NetworkError extends Error {
  override readonly name = 'NetworkError'
  readonly code = 'BAD_NETWORK'
}

/** A network: `octets` (4 or 16, network order) with all bits behind the first `length` cleared. */
export interface Network {
  readonly octets: Uint8Array
  readonly length: number
}

/** A compiled set. */
export interface Networks {
  /** Whether the address, 4 or 16 octets, is in one of the networks. */
  has(octets: Uint8Array): boolean
  /** Index of the first network in the order given that holds the address; -1: none does. */
  indexOf(octets: Uint8Array): number
}

/** A stretch of addresses without a gap that the same network decides. */
interface Stretch {
  /** Octets as a string of code units 0..255: such strings compare as the addresses do. */
  readonly first: string
  readonly last: string
  /** Of the network, in the order given. */
  readonly index: number
}

/** The octets of an address in text, 4 or 16; null if it is none. Brackets around it and a zone behind it are left out. */
export function addressOctets(text: string): Uint8Array | null {
  const bare = text.startsWith('[') && text.endsWith(']') ? text.slice(1, -1) : text
  if (isIPv4(bare)) return Uint8Array.from(bare.split('.'), Number)
  if (!isIPv6(bare)) return null
  const address = bare.split('%', 1)[0]
  // The last 32 bits may be written as an IPv4 address (RFC 4291 §2.2).
  const dotted = address.includes('.') ? address.slice(address.lastIndexOf(':') + 1) : ''
  const groupCount = dotted === '' ? 8 : 6
  const [left, right] = address.slice(0, address.length - dotted.length).split('::')
  const leading = left.split(':').filter((group) => group !== '')
  const trailing = (right ?? '').split(':').filter((group) => group !== '')
  const gap = new Array<string>(groupCount - leading.length - trailing.length).fill('0')
  const octets: number[] = []
  for (const group of [...leading, ...gap, ...trailing]) {
    const value = Number.parseInt(group, 16)
    octets.push(value >> 8, value & 0xff)
  }
  if (dotted !== '') octets.push(...dotted.split('.').map(Number))
  return Uint8Array.from(octets)
}

/** Reads `ADDRESS/LENGTH`, or an address alone as a network of its own. Bits behind the prefix are cleared. @throws NetworkError */
export function parseNetwork(text: string): Network {
  const slash = text.lastIndexOf('/')
  const octets = addressOctets(slash < 0 ? text : text.slice(0, slash))
  if (octets === null || text.startsWith('[')) throw new NetworkError(`invalid network '${text}'`)
  const bits = octets.length * 8
  const length = slash < 0 ? String(bits) : text.slice(slash + 1)
  if (!/^(?:0|[1-9]\d{0,2})$/.test(length) || Number(length) > bits) {
    throw new NetworkError(`invalid network '${text}': the prefix is 0 to ${bits} bits long`)
  }
  return unmapped(masked(octets, Number(length), 0), Number(length))
}

/** Compiles networks and addresses as parseNetwork() takes them. @throws NetworkError */
export function compileNetworks(cidrs: readonly string[]): Networks {
  const networks = cidrs.map(parseNetwork)
  const [ipv4, ipv6] = [4, 16].map((size) => stretchesOf(networks, size))
  const indexOf = (octets: Uint8Array): number => {
    let key = keyOf(octets)
    if (key.startsWith(MAPPED_PREFIX)) key = key.slice(MAPPED_PREFIX.length)
    return find(key.length === 4 ? ipv4 : ipv6, key)
  }
  return { indexOf, has: (octets) => indexOf(octets) >= 0 }
}

/**
 * The address space of one family, cut into stretches with one answer each, in order of addresses.
 * Networks are inside of one another or apart, so the bounds of all of them are all the places where an answer may change.
 */
function stretchesOf(networks: readonly Network[], size: number): Stretch[] {
  const bounds = networks
    .map(({ octets, length }, index) => ({
      first: keyOf(octets),
      last: keyOf(masked(octets, length, 0xff)),
      index,
      length,
      size: octets.length,
    }))
    .filter((network) => network.size === size)
    // Outer networks before those inside of them.
    .sort((a, b) => (a.first < b.first ? -1 : a.first > b.first ? 1 : a.length - b.length))
  const stretches: Stretch[] = []
  // The networks that the place reached lies in, innermost last; each with the least index of it and those around it.
  const open: { last: string; index: number }[] = []
  let at: string | null = keyOf(new Uint8Array(size))
  const cut = (last: string | null): void => {
    const index = open.at(-1)?.index
    if (at !== null && last !== null && at <= last && index !== undefined) stretches.push({ first: at, last, index })
  }
  const close = (until: string | null): void => {
    while (open.length > 0 && (until === null || open.at(-1)!.last < until)) {
      const { last } = open.at(-1)!
      cut(last)
      open.pop()
      if (at !== null && at <= last) at = successor(last)
    }
  }
  for (const { first, last, index } of bounds) {
    close(first)
    cut(predecessor(first))
    at = first
    open.push({ last, index: Math.min(index, open.at(-1)?.index ?? index) })
  }
  close(null)
  return stretches
}

function find(stretches: readonly Stretch[], key: string): number {
  let low = 0
  let high = stretches.length - 1
  while (low <= high) {
    const middle = (low + high) >> 1
    const { first, last, index } = stretches[middle]
    if (key < first) high = middle - 1
    else if (key > last) low = middle + 1
    else return index
  }
  return -1
}

/** A copy whose bits behind the first `length` are those of `fill`, 0 or 255. */
function masked(octets: Uint8Array, length: number, fill: number): Uint8Array {
  return octets.map((octet, i) => {
    const kept = Math.max(0, Math.min(8, length - 8 * i))
    const mask = (0xff00 >> kept) & 0xff
    return (octet & mask) | (fill & ~mask & 0xff)
  })
}

function unmapped(octets: Uint8Array, length: number): Network {
  if (octets.length === 16 && length >= MAPPED_PREFIX_LENGTH && keyOf(octets).startsWith(MAPPED_PREFIX)) {
    return { octets: octets.slice(12), length: length - MAPPED_PREFIX_LENGTH }
  }
  return { octets, length }
}

function keyOf(octets: Uint8Array): string {
  return String.fromCharCode(...octets)
}

/** The next address; null behind the last. */
function successor(key: string): string | null {
  return stepped(key, 0xff, 0, 1)
}

/** The address before; null before the first. */
function predecessor(key: string): string | null {
  return stepped(key, 0, 0xff, -1)
}

function stepped(key: string, limit: number, wrapped: number, step: number): string | null {
  const octets = Uint8Array.from(key, (unit) => unit.charCodeAt(0))
  let i = octets.length - 1
  while (i >= 0 && octets[i] === limit) octets[i--] = wrapped
  if (i < 0) return null
  octets[i] += step
  return keyOf(octets)
}
