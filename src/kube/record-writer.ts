// Owner records into the index: names resolved below their zone, addresses into octets, claims on reverse names united.
// Not here: which records there are (schema.ts) and which changed (cluster-index.ts).

import { labelsOfText } from '../dns/name.ts'
import { BlockBuilder, type Claim, claimsOf } from '../index/block.ts'
import {
  ADDRESS_BELOW,
  blockReference,
  CANONICAL_BELOW,
  firstLabel,
  nameLength,
  nameOctets,
  nameZone,
  type Region,
  WILDCARD_ANY,
  WILDCARD_SERVICE,
} from '../index/layout.ts'
import { nameKey } from '../index/name-key.ts'
import type { IndexWriter } from '../index/writer.ts'
import { parseAddress, reverseName } from './address.ts'
import type { Labels, OwnerRecords, ReverseClaim } from './records.ts'

const TYPE_A = 1
const TYPE_NS = 2
const TYPE_CNAME = 5
const TYPE_TXT = 16
const TYPE_AAAA = 28
const TYPE_SRV = 33
const VERSION_TTL = 28800 // of dns-version, whatever the zone's is
const CLUSTER_IP_RANK = 3

/** A zone whose apex is in the index. */
export interface WritableZone {
  readonly labels: readonly string[]
  /** Ref of the apex. */
  readonly apex: number
  readonly ttl: number
}

/** The name server of the zones: names below the primary zone, with their addresses. */
export interface NameServer {
  readonly target: Labels
  readonly addresses: readonly string[]
}

export interface RecordWriterOptions {
  /** OKD: the oldest claim on an address alone is answered, unless one has a higher rank. */
  readonly singlePointer: boolean
  /** pods verified: names below NS.pod are found in any spelling of their address. */
  readonly canonicalPods: boolean
}

/** What a transaction knows of the names of one zone. */
interface KnownNames {
  /** Labels from the zone downwards, of the name used last: most names of a change share all but their first label. */
  readonly path: string[]
  /** The name that each of them leads to. */
  readonly names: number[]
  /** By the very list of labels: a name is the target of several records, and an owner. */
  readonly byLabels: Map<Labels, number>
}

export class RecordWriter {
  readonly #writer: IndexWriter
  readonly #options: RecordWriterOptions
  readonly #builder = new BlockBuilder()
  readonly #octets = new Uint8Array(16)
  /** By apex. */
  #known = new Map<number, KnownNames>()

  constructor(writer: IndexWriter, options: RecordWriterOptions) {
    this.#writer = writer
    this.#options = options
  }

  /** To be called when a transaction ends: names may be gone. */
  forgetNames(): void {
    // A new one: what an old Map once held, and has been cleared of, keeps young garbage alive.
    this.#known = new Map()
  }

  /** Writes what `records.owner` holds in `zone`. @throws RegionFullError */
  set(zone: WritableZone, records: OwnerRecords): void {
    const builder = this.#builder
    const name = this.#resolve(zone, records.owner)
    let flags = records.addressBelow ? ADDRESS_BELOW : 0
    if (records.wildcard !== '') flags |= records.wildcard === 'any' ? WILDCARD_ANY : WILDCARD_SERVICE
    const { owner } = records
    if (this.#options.canonicalPods && owner.length === 2 && owner[1] === 'pod') flags |= CANONICAL_BELOW
    builder.begin(flags)
    this.#addAddresses(TYPE_A, 4, records.addresses, zone.ttl)
    this.#addAddresses(TYPE_AAAA, 16, records.addresses, zone.ttl)
    if (records.srv.length > 0) this.#addSrv(zone, records)
    if (records.cname !== '') {
      builder.beginNames(TYPE_CNAME)
      builder.pushName(this.#writer.foreignName(labelsOfText(records.cname)))
      builder.end()
    }
    if (records.txt.length > 0) builder.addRaw(TYPE_TXT, VERSION_TTL, [characterStrings(records.txt)])
    this.#writer.setBlock(name, builder)
  }

  /** Takes everything from `owner` in `zone`. */
  clear(zone: WritableZone, owner: Labels): void {
    const name = this.#existing(zone, owner)
    if (name !== 0) this.#writer.clearBlock(name)
  }

  /**
   * Makes `claim` on its reverse name. Nothing happens if no zone of `reverseZones` holds the address.
   * @param primary  zone that the claim's target is in
   */
  addClaim(reverseZones: readonly WritableZone[], primary: WritableZone, claim: ReverseClaim): void {
    const labels = reverseName(claim.address)
    const zone = longestZone(reverseZones, labels)
    if (zone === undefined) return
    const name = this.#make(this.#knownNames(zone), zone, labels.slice(0, labels.length - zone.labels.length))
    const target = this.#resolve(primary, claim.target)
    const claims = claimsOf(this.#writer.region.words, this.#writer.blockOf(name))
    if (claims.some((other) => other.target === target && other.rank === claim.rank)) return
    claims.push({ target, rank: claim.rank, createdAt: claim.createdAt })
    this.#setClaims(name, claims)
  }

  /** Takes `claim` back. */
  removeClaim(reverseZones: readonly WritableZone[], primary: WritableZone, claim: ReverseClaim): void {
    const labels = reverseName(claim.address)
    const zone = longestZone(reverseZones, labels)
    if (zone === undefined) return
    const name = this.#existing(zone, labels.slice(0, labels.length - zone.labels.length))
    if (name === 0) return
    const { region } = this.#writer
    const claims = claimsOf(region.words, this.#writer.blockOf(name))
    // By key: a target without records of its own is not in the index, and may have been made more than once.
    const zoneNumber = nameZone(region.words, primary.apex)
    const left = claims.filter(
      (other) => other.rank !== claim.rank || !isName(region, other.target, zoneNumber, claim.target),
    )
    if (left.length === 0) this.#writer.clearBlock(name)
    else if (left.length < claims.length) this.#setClaims(name, left)
  }

  /** NS at the apex of `zone`, with the addresses of its targets in the primary zone; none: takes the NS away. */
  setNameServers(zone: WritableZone, primary: WritableZone, servers: readonly NameServer[]): void {
    const builder = this.#builder.begin(0)
    builder.beginNames(TYPE_NS)
    for (const server of servers) builder.pushName(this.#resolve(primary, server.target))
    builder.beginAdditional()
    servers.forEach((server, index) => {
      for (const address of server.addresses) this.#pushAdditional(index, address)
    })
    builder.end()
    if (builder.isEmpty) this.#writer.clearBlock(zone.apex)
    else this.#writer.setBlock(zone.apex, builder)
  }

  /** Makes the name `label` right below `apex` refer to `target` in `zone`. @throws RegionFullError */
  setReference(apex: number, label: string, zone: WritableZone, target: Labels): void {
    const name = this.#resolve(zone, target)
    this.#writer.setBlock(this.#writer.child(apex, label), this.#builder.refer(name))
  }

  clearReference(apex: number, label: string): void {
    const name = this.#writer.existingChild(apex, label)
    if (name !== 0) this.#writer.clearBlock(name)
  }

  /** First label of what the name `label` right below `apex` refers to; '' if there is no such name. */
  reference(apex: number, label: string): string {
    const name = this.#writer.existingChild(apex, label)
    const block = name === 0 ? 0 : this.#writer.blockOf(name)
    return block === 0 ? '' : firstLabel(this.#writer.region, blockReference(this.#writer.region.words, block))
  }

  #addAddresses(type: number, length: number, addresses: readonly string[], ttl: number): void {
    const builder = this.#builder
    builder.beginAddresses(type)
    for (const address of addresses) {
      if (parseAddress(address, this.#octets) === length) builder.pushAddress(type, ttl, this.#octets, 0, length)
    }
    builder.end()
  }

  #addSrv(zone: WritableZone, { srv, srvWeight, addresses: own }: OwnerRecords): void {
    const builder = this.#builder
    builder.beginSrv(TYPE_SRV)
    // Addresses of each target: records of one target and several ports share theirs.
    const shared = new Map<number | string, readonly string[]>()
    const additional: { readonly index: number; readonly addresses: readonly string[] }[] = []
    for (const [index, { port, target, addresses }] of srv.entries()) {
      const foreign = typeof target === 'string'
      const name = foreign ? this.#writer.foreignName(labelsOfText(target)) : this.#resolve(zone, target)
      builder.pushSrv(name, port, srvWeight)
      const key = foreign ? target : name
      const known = shared.get(key)
      if (known === addresses) continue
      const fresh = known === undefined ? addresses : addresses.filter((address) => !known.includes(address))
      shared.set(key, known === undefined ? addresses : [...known, ...fresh])
      if (fresh.length > 0) additional.push({ index, addresses: fresh })
    }
    // Mostly one target with the very addresses that the name has itself.
    const [first] = additional
    if (additional.length === 1 && first.index === 0 && sameInOrder(first.addresses, own)) builder.ownAdditional()
    else {
      builder.beginAdditional()
      for (const { index, addresses } of additional) {
        for (const address of addresses) this.#pushAdditional(index, address)
      }
    }
    builder.end()
  }

  #pushAdditional(index: number, address: string): void {
    const length = parseAddress(address, this.#octets)
    if (length !== 0) this.#builder.pushAdditional(index, this.#octets, 0, length)
  }

  #setClaims(name: number, claims: Claim[]): void {
    const { region } = this.#writer
    claims.sort(
      (a, b) =>
        b.rank - a.rank ||
        a.createdAt - b.createdAt ||
        Buffer.compare(nameKey(region, a.target), nameKey(region, b.target)),
    )
    const one = claims[0].rank === CLUSTER_IP_RANK || this.#options.singlePointer
    this.#builder.begin(0).addClaims(claims, one ? 1 : claims.length)
    this.#writer.setBlock(name, this.#builder)
  }

  /** The name `labels` in `zone`, made if it does not exist. */
  #resolve(zone: WritableZone, labels: Labels): number {
    const known = this.#knownNames(zone)
    const before = known.byLabels.get(labels)
    if (before !== undefined) return before
    const name = this.#make(known, zone, labels)
    known.byLabels.set(labels, name)
    return name
  }

  #make(known: KnownNames, zone: WritableZone, labels: Labels): number {
    const depth = cutToShared(known, labels)
    let name = depth === 0 ? zone.apex : known.names[depth - 1]
    for (let i = depth; i < labels.length; i++) {
      const label = labels[labels.length - 1 - i]
      name = this.#writer.child(name, label)
      known.path.push(label)
      known.names.push(name)
    }
    return name
  }

  /** The same without making any; 0 if it does not exist. */
  #existing(zone: WritableZone, labels: Labels): number {
    const known = this.#knownNames(zone)
    const depth = cutToShared(known, labels)
    let name = depth === 0 ? zone.apex : known.names[depth - 1]
    for (let i = depth; i < labels.length; i++) {
      const label = labels[labels.length - 1 - i]
      name = this.#writer.existingChild(name, label)
      if (name === 0) return 0
      known.path.push(label)
      known.names.push(name)
    }
    return name
  }

  #knownNames({ apex }: WritableZone): KnownNames {
    let known = this.#known.get(apex)
    if (known === undefined) {
      known = { path: [], names: [], byLabels: new Map() }
      this.#known.set(apex, known)
    }
    return known
  }
}

/** Cuts the path to the labels, from the right, that it has in common with `labels`. @returns how many */
function cutToShared({ path, names }: KnownNames, labels: Labels): number {
  const last = labels.length - 1
  let depth = 0
  while (depth < path.length && depth <= last && path[depth] === labels[last - depth]) depth++
  path.length = depth
  names.length = depth
  return depth
}

/** Is `name` the one with these labels, in lower case, left of that zone? */
function isName({ words, octets }: Region, name: number, zone: number, labels: Labels): boolean {
  if (nameZone(words, name) !== zone) return false
  let at = nameOctets(name)
  const end = at + nameLength(words, name)
  for (const label of labels) {
    if (at + label.length >= end || octets[at++] !== label.length) return false
    for (let i = 0; i < label.length; i++) if (octets[at++] !== label.charCodeAt(i)) return false
  }
  return at === end
}

function sameInOrder(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((text, i) => text === b[i])
}

function longestZone(zones: readonly WritableZone[], labels: Labels): WritableZone | undefined {
  let longest: WritableZone | undefined
  for (const zone of zones) {
    const from = labels.length - zone.labels.length
    if (from < 0 || (longest !== undefined && longest.labels.length >= zone.labels.length)) continue
    if (zone.labels.every((label, i) => label === labels[from + i])) longest = zone
  }
  return longest
}

/** RDATA of a TXT record (RFC 1035 §3.3.14). */
function characterStrings(strings: readonly string[]): Uint8Array {
  return Buffer.concat(strings.flatMap((text) => [Buffer.of(Buffer.byteLength(text)), Buffer.from(text)]))
}
