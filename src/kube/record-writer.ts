// Owner records into the index: names resolved below their zone, addresses into octets, claims on reverse names united.
// Not here: which records there are (schema.ts) and which changed (cluster-index.ts).

import { labelsOfText } from '../dns/name.ts'
import { BlockBuilder, type Claim, claimsOf } from '../index/block.ts'
import { ADDRESS_BELOW, CANONICAL_BELOW, WILDCARD_ANY, WILDCARD_SERVICE } from '../index/layout.ts'
import { nameKey } from '../index/text.ts'
import type { IndexWriter } from '../index/writer.ts'
import { parseAddress, reverseName } from './address.ts'
import type { Labels, OwnerRecords, ReverseClaim, SrvRecord } from './records.ts'

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

export class RecordWriter {
  readonly #writer: IndexWriter
  readonly #options: RecordWriterOptions
  readonly #builder = new BlockBuilder()
  readonly #octets = new Uint8Array(16)
  // The way to the owner written last: most owners of a change share all but their first label.
  #pathZone = 0
  readonly #pathLabels: string[] = []
  readonly #pathNames: number[] = []

  constructor(writer: IndexWriter, options: RecordWriterOptions) {
    this.#writer = writer
    this.#options = options
  }

  /** To be called when a transaction ends: names may be gone. */
  forgetNames(): void {
    this.#pathZone = 0
    this.#pathLabels.length = 0
    this.#pathNames.length = 0
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
    if (records.srv.length > 0) this.#addSrv(zone, records.srv, records.srvWeight)
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
    const name = this.#resolve(zone, labels.slice(0, labels.length - zone.labels.length))
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
    const target = this.#existing(primary, claim.target)
    if (name === 0) return
    const claims = claimsOf(this.#writer.region.words, this.#writer.blockOf(name))
    const left = claims.filter((other) => other.target !== target || other.rank !== claim.rank)
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

  #addAddresses(type: number, length: number, addresses: readonly string[], ttl: number): void {
    const builder = this.#builder
    builder.beginAddresses(type)
    for (const address of addresses) {
      if (parseAddress(address, this.#octets) === length) builder.pushAddress(type, ttl, this.#octets, 0, length)
    }
    builder.end()
  }

  #addSrv(zone: WritableZone, srv: readonly SrvRecord[], weight: number): void {
    const builder = this.#builder
    builder.beginSrv(TYPE_SRV)
    for (const { port, target } of srv) {
      const name =
        typeof target === 'string' ? this.#writer.foreignName(labelsOfText(target)) : this.#resolve(zone, target)
      builder.pushSrv(name, port, weight)
    }
    builder.beginAdditional()
    if (srv.length === 1) {
      for (const address of srv[0].addresses) this.#pushAdditional(0, address)
      builder.end()
      return
    }
    // One for each distinct (target, address): records of one target and several ports share theirs.
    const seen = new Map<string, Set<string>>()
    srv.forEach(({ target, addresses }, index) => {
      const key = typeof target === 'string' ? target : target.join('.')
      let known = seen.get(key)
      if (known === undefined) {
        known = new Set()
        seen.set(key, known)
      }
      for (const address of addresses) {
        if (known.has(address)) continue
        known.add(address)
        this.#pushAdditional(index, address)
      }
    })
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

  #resolve(zone: WritableZone, labels: Labels): number {
    const depth = labels.length
    const shared = this.#sharedDepth(zone, labels)
    let name = shared === 0 ? zone.apex : this.#pathNames[shared - 1]
    this.#pathLabels.length = shared
    this.#pathNames.length = shared
    for (let i = shared; i < depth; i++) {
      const label = labels[depth - 1 - i]
      name = this.#writer.child(name, label)
      this.#pathLabels.push(label)
      this.#pathNames.push(name)
    }
    return name
  }

  #existing(zone: WritableZone, labels: Labels): number {
    const depth = labels.length
    const shared = this.#sharedDepth(zone, labels)
    let name = shared === 0 ? zone.apex : this.#pathNames[shared - 1]
    this.#pathLabels.length = shared
    this.#pathNames.length = shared
    for (let i = shared; i < depth && name !== 0; i++) {
      const label = labels[depth - 1 - i]
      name = this.#writer.existingChild(name, label)
      if (name === 0) break
      this.#pathLabels.push(label)
      this.#pathNames.push(name)
    }
    return name
  }

  /** How many labels, from the right, the path written last has in common with `labels`. */
  #sharedDepth(zone: WritableZone, labels: Labels): number {
    if (this.#pathZone !== zone.apex) {
      this.#pathZone = zone.apex
      return 0
    }
    const depth = labels.length
    const known = this.#pathLabels
    let shared = 0
    while (shared < depth && shared < known.length && known[shared] === labels[depth - 1 - shared]) shared++
    return shared
  }
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
