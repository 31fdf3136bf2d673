// What a hosts file and the entries of a Corefile say: addresses of names, names of addresses.
// Not here: when a file is read again (watched-file.ts). Behavior: Corefile reference 5.12; format: hosts(5).

import { labelsOfText, NameError } from '../dns/name.ts'
import { ipv4Value, ipv6Octets } from '../dns/record-text-address.ts'
import type { BlockBuilder } from '../index/block.ts'
import { isWithin, lowerCase } from './labels.ts'
import { keyOfLabels, wireOfKey, type ZoneNode } from './zone-writer.ts'

/** An address and its names, as written. */
export interface HostsEntry {
  readonly address: string
  readonly names: readonly string[]
}

export interface HostsOptions {
  /** Labels of the zones whose names count. */
  readonly zones: readonly (readonly string[])[]
  /** Seconds. */
  readonly ttl: number
  /** Whether addresses lead to their names. */
  readonly reverse: boolean
}

const TYPE_A = 1
const TYPE_PTR = 12
const TYPE_AAAA = 28
/** Of one type at one name: more than a message can hold. Block lists have 100,000 names of 0.0.0.0. */
const RECORDS_MAX = 6000
const MAPPED_LENGTH = 12 // of ::ffff:0:0/96, what stands in front of an IPv4 address (RFC 4291 §2.5.5.2)

/** The lines of a hosts file that have an address and a name. */
export function* parseHosts(text: string): Generator<HostsEntry, void, void> {
  for (let start = 0; start < text.length; ) {
    const newline = text.indexOf('\n', start)
    const end = newline < 0 ? text.length : newline
    const comment = text.slice(start, end).indexOf('#')
    const words = text.slice(start, comment < 0 ? end : start + comment).split(/\s+/)
    start = end + 1
    const [address, ...names] = words.filter((word) => word !== '')
    if (names.length > 0) yield { address, names }
  }
}

/** Everything about one name. There may be very many: what is in it is small. */
class HostName implements ZoneNode {
  readonly key: string
  /** 4 or 16 characters each, for an octet each. */
  addresses: string[] = NONE
  /** Keys of names. */
  pointers: string[] = NONE
  readonly #ttl: number

  constructor(key: string, ttl: number) {
    this.key = key
    this.#ttl = ttl
  }

  build(builder: BlockBuilder): void {
    builder.begin(0)
    this.#buildAddresses(builder, TYPE_A, 4)
    this.#buildAddresses(builder, TYPE_AAAA, 16)
    if (this.pointers.length > 0) builder.addRaw(TYPE_PTR, this.#ttl, this.pointers.map(wireOfKey))
  }

  #buildAddresses(builder: BlockBuilder, type: number, length: number): void {
    builder.beginAddresses(type)
    for (const address of this.addresses) {
      if (address.length !== length) continue
      builder.pushAddress(type, this.#ttl, Buffer.from(address, 'latin1'), 0, length)
    }
    builder.end()
  }
}

/** Never written to: most names lack one of the two lists. */
const NONE: string[] = []

/** Names and addresses out of entries, united: each once, in the order in which they came first. */
export class HostsNames {
  /** Pairs of a name and an address. */
  pairCount = 0
  readonly #options: HostsOptions
  readonly #names = new Map<string, HostName>()

  constructor(options: HostsOptions) {
    this.#options = options
  }

  nodes(): Iterable<ZoneNode> {
    return this.#names.values()
  }

  /** Adds what an entry says; an address or name that is none, or lies in no zone, is passed over. */
  add({ address, names }: HostsEntry): void {
    const octets = hostAddress(address)
    if (octets === null) return
    const packed = Buffer.from(octets).toString('latin1')
    const reverse = this.#options.reverse ? keyOfLabels(reverseLabels(octets)) : null
    for (const name of names) {
      const labels = hostLabels(name)
      if (labels === null || !this.#options.zones.some((zone) => isWithin(labels, zone))) continue
      const host = this.#name(keyOfLabels(labels))
      if (host.addresses.length === RECORDS_MAX || host.addresses.includes(packed)) continue
      this.pairCount++
      if (host.addresses === NONE) host.addresses = [packed]
      else host.addresses.push(packed)
      if (reverse === null) continue
      const pointer = this.#name(reverse)
      if (pointer.pointers === NONE) pointer.pointers = [host.key]
      else if (pointer.pointers.length < RECORDS_MAX) pointer.pointers.push(host.key)
    }
  }

  #name(key: string): HostName {
    let name = this.#names.get(key)
    if (name === undefined) {
      name = new HostName(key, this.#options.ttl)
      this.#names.set(key, name)
    }
    return name
  }
}

/** 4 or 16 octets of an address without its zone (`%eth0`), null for no address; one mapped to IPv6 is the IPv4 address that it is. */
function hostAddress(text: string): Uint8Array | null {
  const zone = text.indexOf('%')
  const address = zone < 0 ? text : text.slice(0, zone)
  if (!address.includes(':')) {
    const value = ipv4Value(address)
    return value < 0 ? null : Uint8Array.of(value >>> 24, value >>> 16, value >>> 8, value)
  }
  const octets = ipv6Octets(address)
  const isMapped = octets?.every((octet, i) => (i < 10 ? octet === 0 : i >= MAPPED_LENGTH || octet === 0xff))
  return octets !== null && isMapped ? octets.slice(MAPPED_LENGTH) : octets
}

/** Of the name that an address leads to names by (RFC 1035 §3.5, RFC 3596 §2.5). */
function reverseLabels(octets: Uint8Array): string[] {
  if (octets.length === 4) return [...Array.from(octets, String).reverse(), 'in-addr', 'arpa']
  const digits = Array.from(octets, (octet) => [(octet >> 4).toString(16), (octet & 15).toString(16)]).flat()
  return [...digits.reverse(), 'ip6', 'arpa']
}

/** Labels in lower case; null if the text is no name, or the root. */
function hostLabels(text: string): string[] | null {
  try {
    const labels = labelsOfText(lowerCase(Buffer.from(text).toString('latin1')))
    return labels.length === 0 ? null : labels
  } catch (error) {
    if (error instanceof NameError) return null
    throw error
  }
}
