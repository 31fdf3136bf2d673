// A range of addresses (RFC 4632, RFC 4291 §2.3) that stable addresses are picked from: by the hash of a name, so that
// the same name has the same address in every run, whatever else there is, short of a collision.

import { isIPv4, isIPv6, SocketAddress } from 'node:net'
import { fnv1a } from './fnv.ts'

/** Offsets at the start of a range that are never given out: network, router and what people give out by hand. */
const RESERVED = 256
const SIZE_MAX = 2 ** 31

/** Every address of the range has been given out. */
export class RangeFullError extends Error {
  readonly code = 'RANGE_FULL'

  constructor(range: AddressRange) {
    super(`the range ${range.cidr} is full: ${range.size - RESERVED - 1} addresses; choose a wider one`)
    this.name = 'RangeFullError'
  }
}

/** The addresses of one CIDR, and which of them are taken. */
export class AddressRange {
  readonly cidr: string
  /** Addresses in it, 512 to 2^31; more are not used. */
  readonly size: number
  readonly #family: 'ipv4' | 'ipv6'
  readonly #base: bigint
  readonly #taken = new Set<number>()

  /** @throws RangeError if `cidr` is none, or has fewer than 512 addresses */
  constructor(cidr: string) {
    const [address = '', length = '', ...more] = cidr.split('/')
    const bits = isIPv4(address) ? 32 : isIPv6(address) ? 128 : 0
    const hostBits = bits - Number(length)
    if (bits === 0 || !/^\d{1,3}$/.test(length) || hostBits < 0 || more.length > 0) {
      throw new RangeError(`not an address range: ${cidr}`)
    }
    if (hostBits < 9) throw new RangeError(`the range ${cidr} has fewer than 512 addresses`)
    this.cidr = cidr
    this.#family = bits === 32 ? 'ipv4' : 'ipv6'
    this.size = Math.min(2 ** hostBits, SIZE_MAX)
    this.#base = (addressValue(address) >> BigInt(hostBits)) << BigInt(hostBits)
  }

  /** Never to be given out. Addresses outside the range are nobody's business here. */
  take(address: string): void {
    if (address.includes(':') !== (this.#family === 'ipv6')) return
    const offset = addressValue(address) - this.#base
    if (offset >= 0n && offset < BigInt(this.size)) this.#taken.add(Number(offset))
  }

  /**
   * The address for `name`, taken from now on. Ask in sorted order of names, or collisions depend on the order.
   *
   * @throws RangeFullError
   */
  give(name: string): string {
    const usable = this.size - RESERVED - 1
    let offset = RESERVED + (fnv1a(name) % usable)
    for (let tries = 0; this.#taken.has(offset); tries++) {
      if (tries === usable) throw new RangeFullError(this)
      offset = offset + 1 === this.size - 1 ? RESERVED : offset + 1
    }
    this.#taken.add(offset)
    return addressText(this.#base + BigInt(offset), this.#family)
  }
}

/** The number that a textual address of either family stands for, in any spelling. */
function addressValue(address: string): bigint {
  if (isIPv4(address)) return address.split('.').reduce((value, part) => (value << 8n) | BigInt(part), 0n)
  const dotted = /^(.*:)(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(address)
  if (dotted !== null) {
    const [a, b, c, d] = dotted.slice(2).map(Number)
    const tail = `${((a! << 8) | b!).toString(16)}:${((c! << 8) | d!).toString(16)}`
    return addressValue(`${dotted[1]}${tail}`)
  }
  const [left = '', right] = address.split('::')
  const leading = left === '' ? [] : left.split(':')
  const trailing = right === undefined || right === '' ? [] : right.split(':')
  const zeros = new Array<string>(8 - leading.length - trailing.length).fill('0')
  return [...leading, ...zeros, ...trailing].reduce((value, group) => (value << 16n) | BigInt(`0x${group}`), 0n)
}

/** In the spelling of RFC 5952. */
function addressText(value: bigint, family: 'ipv4' | 'ipv6'): string {
  if (family === 'ipv4') return [24n, 16n, 8n, 0n].map((shift) => (value >> shift) & 255n).join('.')
  const digits = value.toString(16).padStart(32, '0')
  const address = digits.match(/.{4}/g)!.join(':')
  return new SocketAddress({ address, family: 'ipv6' }).address
}
