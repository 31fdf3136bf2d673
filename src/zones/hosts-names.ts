// What a hosts file and the entries of a Corefile say: addresses of names, names of addresses.
// Not here: when a file is read again (watched-file.ts). Behavior: Corefile reference 5.12; format: hosts(5).

import { labelsOfText, NameError, textOfWire, wireOfLabels } from '../dns/name.ts'
import type { BlockBuilder } from '../index/block.ts'
import { formatAddress, parseAddress, reverseName } from '../kube/address.ts'
import { isWithin, lowerCase } from './labels.ts'
import type { ZoneNode } from './zone-writer.ts'

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
const POINTERS_MAX = 6000 // of one address: more than a message can hold (block lists have 100,000 names of 0.0.0.0)
const MAPPED_LENGTH = 12 // of ::ffff:0:0/96, what stands in front of an IPv4 address (RFC 4291 §2.5.5.2)

/** The lines of a hosts file that have an address and a name. */
export function parseHosts(text: string): HostsEntry[] {
  const entries: HostsEntry[] = []
  for (const line of text.split('\n')) {
    const comment = line.indexOf('#')
    const [address, ...names] = (comment < 0 ? line : line.slice(0, comment)).split(/\s+/).filter((word) => word !== '')
    if (names.length > 0) entries.push({ address, names })
  }
  return entries
}

/** Everything about one name. */
class HostName implements ZoneNode {
  readonly key: string
  readonly labels: readonly string[]
  readonly addresses: { readonly 4: Uint8Array[]; readonly 16: Uint8Array[] } = { 4: [], 16: [] }
  readonly pointers: Uint8Array[] = []
  readonly #ttl: number

  constructor(key: string, labels: readonly string[], ttl: number) {
    this.key = key
    this.labels = labels
    this.#ttl = ttl
  }

  build(builder: BlockBuilder): void {
    builder.begin(0)
    for (const [type, length] of [[TYPE_A, 4] as const, [TYPE_AAAA, 16] as const]) {
      builder.beginAddresses(type)
      for (const octets of this.addresses[length]) builder.pushAddress(type, this.#ttl, octets, 0, length)
      builder.end()
    }
    if (this.pointers.length > 0) builder.addRaw(TYPE_PTR, this.#ttl, this.pointers)
  }
}

/** Names and addresses out of entries, united: each once, in the order in which they came first. */
export class HostsNames {
  readonly #options: HostsOptions
  readonly #names = new Map<string, HostName>()
  readonly #pairs = new Set<string>()
  readonly #octets = new Uint8Array(16)

  constructor(options: HostsOptions) {
    this.#options = options
  }

  /** Pairs of a name and an address. */
  get pairCount(): number {
    return this.#pairs.size
  }

  nodes(): Iterable<ZoneNode> {
    return this.#names.values()
  }

  /** Adds what an entry says; an address or name that is none, or lies in no zone, is passed over. */
  add({ address, names }: HostsEntry): void {
    const octets = this.#parse(address)
    if (octets === null) return
    const length = octets.length === 4 ? 4 : 16
    const text = formatAddress(octets, length)
    for (const name of names) {
      const labels = hostLabels(name)
      if (labels === null || !this.#options.zones.some((zone) => isWithin(labels, zone))) continue
      const host = this.#name(labels)
      const pair = `${text} ${host.key}`
      if (this.#pairs.has(pair)) continue
      this.#pairs.add(pair)
      host.addresses[length].push(octets)
      if (!this.#options.reverse) continue
      const { pointers } = this.#name(reverseName(text))
      if (pointers.length < POINTERS_MAX) pointers.push(wireOfLabels(labels))
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

  #name(labels: readonly string[]): HostName {
    const key = textOfWire(wireOfLabels(labels))
    let name = this.#names.get(key)
    if (name === undefined) {
      name = new HostName(key, labels, this.#options.ttl)
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
