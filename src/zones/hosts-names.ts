// What a hosts file and the entries of a Corefile say: addresses of names, names of addresses.
// Not here: when a file is read again (watched-file.ts). Behavior: Corefile reference 5.12; format: hosts(5).

import { labelsOfText, NameError } from '../dns/name.ts'
import type { BlockBuilder } from '../index/block.ts'
import { formatAddress, parseAddress, reverseName } from '../kube/address.ts'
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
  readonly #octets = new Uint8Array(16)

  constructor(options: HostsOptions) {
    this.#options = options
  }

  nodes(): Iterable<ZoneNode> {
    return this.#names.values()
  }

  /** Adds what an entry says; an address or name that is none, or lies in no zone, is passed over. */
  add({ address, names }: HostsEntry): void {
    const octets = this.#parse(address)
    if (octets === null) return
    const packed = Buffer.from(octets).toString('latin1')
    const reverse = this.#options.reverse ? reverseName(formatAddress(octets, octets.length)) : null
    for (const name of names) {
      const labels = hostLabels(name)
      if (labels === null || !this.#options.zones.some((zone) => isWithin(labels, zone))) continue
      const host = this.#name(keyOfLabels(labels))
      if (host.addresses.length === RECORDS_MAX || host.addresses.includes(packed)) continue
      this.pairCount++
      if (host.addresses === NONE) host.addresses = [packed]
      else host.addresses.push(packed)
      if (reverse === null) continue
      const pointer = this.#name(keyOfLabels(reverse))
      if (pointer.pointers === NONE) pointer.pointers = [host.key]
      else if (pointer.pointers.length < RECORDS_MAX) pointer.pointers.push(host.key)
    }
  }

  /** An address without its zone (`%eth0`); one mapped to IPv6 is the IPv4 address that it is. */
  #parse(address: string): Uint8Array | null {
    const octets = this.#octets
    const length = parseAddress(address.split('%', 1)[0], octets)
    if (length === 0) return null
    const isMapped =
      length === 16 &&
      octets[10] === 0xff &&
      octets[11] === 0xff &&
      octets.subarray(0, 10).every((octet) => octet === 0)
    return octets.slice(isMapped ? MAPPED_LENGTH : 0, length)
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
