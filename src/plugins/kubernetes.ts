// Plugin kubernetes: the cluster's names, out of its index, in place. Hot: nothing is allocated, no strings.
// Behavior: Kubernetes DNS specification 1.1.0 as CoreDNS serves it, and the OKD 3.11 names where a zone has them.

import { canonicalKey, readAddressLabel } from '../dns/address-label.ts'
import { KEY_WORDS } from '../dns/key.ts'
import { labelsOfText, textOfWire, wireOfLabels } from '../dns/name.ts'
import { HEADER_LENGTH, Query, readKey, readName, sealKey } from '../dns/question.ts'
import { appendNamedSoa, appendSoa, NOERROR, NXDOMAIN, type Response, SERVFAIL } from '../dns/response.ts'
import { type ZoneConfig, ZoneTable } from '../dns/zone-table.ts'
import { appendAddress, appendRrset, firstTargetOffset, ROTATION_BITS } from '../index/append.ts'
import { clientLabel } from '../index/client-name.ts'
import {
  ADDRESS_BELOW,
  blockFlags,
  blockReference,
  CANONICAL_BELOW,
  entryBlock,
  findRrset,
  firstLabel,
  nameKeyWord,
  nameLength,
  nameMeta,
  nameOctets,
  nameWords,
  type Region,
  rootIsComplete,
  rootSerial,
  rootTrie,
  rootVersion,
  rrsetData,
  WILDCARD_SERVICE,
} from '../index/layout.ts'
import { find, findAll } from '../index/lookup.ts'
import type { HeldRegion } from '../index/reader.ts'
import { kubernetesMetadata, type MetadataZone } from './kubernetes-metadata.ts'
import type { Request } from './plugin.ts'
import { AUTHORITATIVE, CHASE, PASS, type Stage, TARGET_RCODE } from './stage.ts'

/** What the stage is made from; plain data, so that it can be handed to a worker. */
export interface ClusterSource {
  readonly region: SharedArrayBuffer
  /** In the order of the index. */
  readonly zones: readonly ZoneConfig[]
}

const TYPE_A = 1
const TYPE_CNAME = 5
const TYPE_SOA = 6
const TYPE_AAAA = 28
const QNAME = HEADER_LENGTH // its offset in every message
const CNAME_LINKS_MAX = 11
const UNDERSCORE = 0x5f
const STAR = 0x2a
const ENDPOINTS_LABEL = wireOfLabels(['_endpoints']).subarray(0, -1)

// What #locate() found.
const MISSING = 0
const EXISTS = 1 // with the block in #block, 0 for an empty non-terminal
const ADDRESS = 2 // with the address in #address

/** Answers for one cluster. */
export class KubernetesStage implements Stage {
  readonly plugin: 'kubernetes' | 'k8s_external'
  /** Marks the queries whose zone and key are for this stage. */
  private readonly number: number
  private readonly held: HeldRegion
  private readonly region: Region
  private readonly words: Int32Array
  private readonly octets: Uint8Array
  private readonly zones: ZoneTable
  private query = new Query()
  private response!: Response
  private readonly target = new Query()
  private readonly links = new Int32Array(CNAME_LINKS_MAX)
  private readonly address = new Uint8Array(16)
  private readonly ancestor = new Query()
  private readonly scratchWords = new Int32Array(KEY_WORDS)
  private readonly scratch = new Uint8Array(this.scratchWords.buffer)
  /** The memory that messages usually come in, and the same as words. */
  private home: Uint8Array
  private homeWords: Int32Array
  /** Never read: keeps reading ahead from being optimized away. */
  touched = 0
  /** Of k8s_external: labels of the name server and the mailbox, left of the zone; null for the cluster's own zones. */
  private readonly primary: Uint8Array | null = null
  private readonly mailbox: Uint8Array | null = null
  private readonly metadataZones: readonly (MetadataZone & { readonly labels: readonly string[] })[]
  /** Number of what the index keeps of clients: behind all zones. */
  private readonly clients: number
  private addressLength = 0
  private block = 0
  private trie = 0
  private serial = 0
  /** RCODE of a name that is missing. */
  private missing = NXDOMAIN
  private rotation = 0

  /**
   * @param isExternal  for the zones of k8s_external, which lie in the same index
   * @param held  the source's region   @param number  different for each stage of an answerer, 0 or more
   */
  constructor(source: ClusterSource, held: HeldRegion, number: number, isExternal = false) {
    this.plugin = isExternal ? 'k8s_external' : 'kubernetes'
    this.held = held
    this.region = held.region
    this.words = this.region.words
    this.octets = this.region.octets
    this.number = number
    this.clients = source.zones.length
    this.zones = new ZoneTable(source.zones, ({ external }) => (external !== undefined) === isExternal)
    this.metadataZones = source.zones.flatMap(({ labels, external, metadata }) =>
      external !== undefined || metadata === undefined ? [] : [{ labels, ...metadata }],
    )
    const apex = source.zones.find(({ external }) => external !== undefined)?.external
    if (isExternal && apex !== undefined) {
      this.primary = wireOfLabels(['ns1', ...apex.split('.')]).subarray(0, -1)
      this.mailbox = wireOfLabels(['hostmaster', ...apex.split('.')]).subarray(0, -1)
    }
    this.home = this.scratch
    this.homeWords = this.scratchWords
  }

  setHome(packet: Uint8Array): void {
    this.zones.setHome(packet)
    if (packet.byteOffset % 4 !== 0) return
    this.home = packet
    this.homeWords = new Int32Array(packet.buffer, packet.byteOffset, packet.byteLength >> 2)
  }

  beginBatch(): number {
    const { root } = this.held
    this.trie = root === 0 ? 0 : rootTrie(this.words, root)
    // As int32: a number above 2^31 - 1 would be allocated.
    this.serial = root === 0 ? 0 : rootSerial(this.words, root) | 0
    this.missing = root !== 0 && rootIsComplete(this.words, root) ? NXDOMAIN : SERVFAIL
    return root === 0 ? 0 : rootVersion(this.words, root)
  }

  /** Zone and key of a query at packet[start..]: findAll() and answer() go by them. @returns whether it lies in a zone */
  prepare(query: Query, packet: Uint8Array, start: number): boolean {
    query.stage = this.number
    this.readKeyAt(query, packet, start + QNAME)
    return query.zone >= 0
  }

  /** Looks up those of queries[0, count) that were prepared for this stage, side by side. */
  findAll(queries: readonly Query[], count: number): void {
    if (this.trie !== 0) this.touched = findAll(this.words, this.trie, queries, count, this.number)
  }

  /** Looks up one prepared query. */
  findOne(query: Query): void {
    query.entry = query.zone < 0 || this.trie === 0 ? 0 : this.find(query)
  }

  answer(query: Query, packet: Uint8Array, start: number, response: Response): number {
    if (query.stage !== this.number) {
      this.prepare(query, packet, start)
      this.findOne(query)
    }
    const { zone, type } = query
    if (zone < 0) return PASS
    this.query = query
    this.response = response
    const located = this.trie === 0 ? MISSING : this.locate(query, zone)
    if (located === MISSING) {
      return this.zones.fallsThrough(zone, query, packet, start + QNAME)
        ? PASS
        : this.negative(packet, zone, this.missing)
    }
    if (located === ADDRESS) return this.answerAddress(packet, zone)
    if (type === TYPE_SOA && query.labelCount === this.zones.labelCount(zone)) {
      if (this.appendSoa(packet, zone)) response.answerCount = 1
      return NOERROR | AUTHORITATIVE
    }
    const { block } = this
    // Outside of the cluster, a CNAME is for addresses only: SRV records stand beside it.
    if (block === 0 || (type === TYPE_CNAME && this.primary !== null)) return this.negative(packet, zone, NOERROR)
    const rrset = findRrset(this.words, block, type)
    if (rrset !== 0) {
      this.append(packet, rrset, QNAME)
      return NOERROR | AUTHORITATIVE
    }
    if (type === TYPE_A || type === TYPE_AAAA) {
      const cname = findRrset(this.words, block, TYPE_CNAME)
      if (cname !== 0) return this.chase(packet, zone, cname)
    }
    return this.negative(packet, zone, NOERROR)
  }

  describe({ question }: Request, metadata: Map<string, () => string>): void {
    if (this.primary !== null) return
    const labels = labelsOfText(question.name)
    const zone = longestOf(this.metadataZones, labels)
    if (zone === undefined) return
    const left = labels.slice(0, labels.length - zone.labels.length)
    for (const [label, value] of Object.entries(kubernetesMetadata(left, zone))) metadata.set(label, () => value)
  }

  /** Namespace of the Pods that have an address, 4 or 16 octets; '' if there are none, or of several, or the index does not keep it. Cold. */
  namespaceOf(address: Uint8Array): string {
    const { words, ancestor } = this
    if (this.trie === 0) return ''
    const label = clientLabel(address, address.length)
    ancestor.key[0] = label.length
    for (let i = 0; i < label.length; i++) ancestor.key[i + 1] = label.charCodeAt(i)
    sealKey(ancestor, this.clients, label.length + 1)
    const entry = this.find(ancestor)
    const block = entry === 0 ? 0 : entryBlock(words, entry)
    return block === 0 ? '' : firstLabel(this.region, blockReference(words, block))
  }

  /** Of the cluster's forward zones, the longest that a name lies in; null: none. All absolute, lower case, with a final dot. Cold. */
  forwardZoneOf(name: string): string | null {
    const zone = longestOf(this.metadataZones, labelsOfText(name))
    return zone === undefined || zone.reverse ? null : textOfWire(wireOfLabels(zone.labels))
  }

  /** NXDOMAIN, NODATA (NOERROR) and SERVFAIL of a zone: its SOA in authority. */
  private negative(packet: Uint8Array, zone: number, rcode: number): number {
    if (this.appendSoa(packet, zone)) this.response.authorityCount = 1
    return rcode | AUTHORITATIVE
  }

  private appendSoa(packet: Uint8Array, zone: number): boolean {
    const { response, serial, primary, mailbox } = this
    const ttl = this.zones.ttl(zone)
    const offset = this.zoneOffset(zone)
    if (primary === null) return appendSoa(response, packet, offset, ttl, serial)
    return appendNamedSoa(response, packet, offset, ttl, serial, primary, mailbox!)
  }

  /** Where the zone's name begins in the message, inside QNAME. */
  private zoneOffset(zone: number): number {
    return QNAME + this.query.nameLength - this.zones.nameLength(zone)
  }

  /** Steps of the golden ratio, not of 1: clients that ask for A and AAAA in turn would see every second rotation only. */
  private nextRotation(): number {
    this.rotation = (this.rotation + 1) | 0
    return Math.imul(this.rotation, 0x9e3779b1) >>> (32 - ROTATION_BITS)
  }

  /** Zone and key of the name that has been read at packet[start..]. */
  private readKeyAt(query: Query, packet: Uint8Array, start: number): void {
    const zone = this.zones.find(query, packet, start)
    query.zone = zone
    if (zone < 0) return
    const length = query.nameLength - this.zones.nameLength(zone)
    if (packet === this.home && (start & 3) === 0) readKey(query, this.homeWords, start >> 2, zone, length)
    else if (packet === this.octets) readKey(query, this.words, start >> 2, zone, length)
    else {
      const { scratch } = this
      for (let i = 0; i < length; i++) scratch[i] = packet[start + i]
      readKey(query, this.scratchWords, 0, zone, length)
    }
  }

  private find(name: Query): number {
    return find(this.words, this.trie, name.hash, name.meta, name.keyWords)
  }

  private append(packet: Uint8Array, rrset: number, owner: number): void {
    const { zones, query } = this
    appendRrset(this.response, packet, this.region, zones, rrset, this.nextRotation(), owner, zones.ttl(query.zone))
  }

  /** What there is at a name whose entry has been looked up. */
  private locate(name: Query, zone: number): number {
    if (name.entry !== 0) {
      this.block = entryBlock(this.words, name.entry)
      return EXISTS
    }
    return this.zones.synthesizes(zone) ? this.synthesize(name, zone) : MISSING
  }

  /** A name that is not in the index but follows from one that is: Pods by address, sources of synthesis. */
  private synthesize(name: Query, zone: number): number {
    const labelsLeft = name.labelCount - this.zones.labelCount(zone)
    if (labelsLeft === 3 && this.zones.hasPods(zone) && isPodLabel(name, labelsLeft - 1)) return this.locatePod(name)
    return this.zones.hasWildcards(zone) ? this.locateWildcard(name, labelsLeft) : MISSING
  }

  /** The source of synthesis of the closest ancestor that has one. */
  private locateWildcard(name: Query, labelsLeft: number): number {
    const { words, ancestor } = this
    const { key, labelStart } = name
    let underscored = 0
    while (underscored < labelsLeft && key[labelStart[underscored] + 1] === UNDERSCORE) underscored++
    for (let label = 1; label <= labelsLeft; label++) {
      ancestor.key[0] = 1
      ancestor.key[1] = STAR
      this.readAncestor(name, label, 2)
      const entry = this.find(ancestor)
      if (entry === 0) continue
      this.block = entryBlock(words, entry)
      const isOfService = (blockFlags(words, this.block) & WILDCARD_SERVICE) !== 0
      if (isOfService && (underscored >= label || isEndpointsLabel(name, label - 1))) continue
      return EXISTS
    }
    return MISSING
  }

  /** Makes in `ancestor` the key of what is in its first `to` octets, and of `name` from `label` on. */
  private readAncestor(name: Query, label: number, to: number): void {
    const { ancestor } = this
    const length = name.meta & 0xffff
    for (let from = name.labelStart[label]; from < length; from++) ancestor.key[to++] = name.key[from]
    sealKey(ancestor, name.meta >>> 16, to)
  }

  private locatePod(name: Query): number {
    const { words, address, ancestor } = this
    this.readAncestor(name, 1, 0)
    const entry = this.find(ancestor)
    const block = entry === 0 ? 0 : entryBlock(words, entry)
    if (block === 0) return MISSING
    const flags = blockFlags(words, block)
    if ((flags & (ADDRESS_BELOW | CANONICAL_BELOW)) === 0) return MISSING
    this.addressLength = readAddressLabel(name.key, 1, name.labelStart[1], address)
    if (this.addressLength === 0) return MISSING
    if ((flags & ADDRESS_BELOW) !== 0) return ADDRESS
    canonicalKey(address, this.addressLength, name, ancestor)
    const known = this.find(ancestor)
    if (known === 0) return MISSING
    this.block = entryBlock(words, known)
    return EXISTS
  }

  private answerAddress(packet: Uint8Array, zone: number): number {
    const { query, response } = this
    if (query.type !== (this.addressLength === 4 ? TYPE_A : TYPE_AAAA)) return this.negative(packet, zone, NOERROR)
    appendAddress(response, packet, this.address, this.addressLength, QNAME, this.zones.ttl(zone))
    return NOERROR | AUTHORITATIVE
  }

  /**
   * A or AAAA at a CNAME: the chain, as far as this server knows it, and the records at its end. A chain that ends inside the
   * zone without such a record is NODATA without a CNAME; in a zone with OKD names the CNAMEs stay, with the RCODE of the end.
   */
  private chase(packet: Uint8Array, zone: number, cname: number): number {
    const { response, query, target, words, octets, links, zones } = this
    const begin = response.at
    const ttl = zones.ttl(zone)
    let owner = QNAME
    for (let link = 0; ; link++) {
      const name = words[rrsetData(cname)]
      if (link === CNAME_LINKS_MAX || this.closesLoop(name, link)) return this.brokenChain(packet, zone, begin, NOERROR)
      links[link] = name
      appendRrset(response, packet, this.region, zones, cname, 0, owner, ttl)
      if (response.truncated) return NOERROR | AUTHORITATIVE
      owner = firstTargetOffset()
      const from = nameOctets(name)
      readName(target, octets, from, from + nameLength(words, name))
      this.readKeyAt(target, octets, from)
      if (target.zone < 0) return this.unfinishedChain(zone)
      if (target.zone === zone && isBelow(target, query)) return this.brokenChain(packet, zone, begin, NOERROR)
      target.entry = this.find(target)
      const located = this.locate(target, target.zone)
      if (located === ADDRESS && (query.type === TYPE_A ? 4 : 16) === this.addressLength) {
        appendAddress(response, packet, this.address, this.addressLength, owner, ttl)
        return NOERROR | AUTHORITATIVE
      }
      const block = located === EXISTS ? this.block : 0
      const rrset = block === 0 ? 0 : findRrset(words, block, query.type)
      if (rrset !== 0) {
        this.append(packet, rrset, owner)
        return NOERROR | AUTHORITATIVE
      }
      cname = block === 0 ? 0 : findRrset(words, block, TYPE_CNAME)
      if (cname !== 0) continue
      const isUnknown = located === MISSING && this.missing === SERVFAIL
      if (target.zone !== zone && !isUnknown) {
        const isElsewhere = located === MISSING && zones.fallsThrough(target.zone, target, octets, from)
        return isElsewhere ? this.unfinishedChain(zone) : NOERROR | AUTHORITATIVE
      }
      return this.brokenChain(packet, zone, begin, located === MISSING ? this.missing : NOERROR)
    }
  }

  /** The CNAMEs are written; others know what they lead to. */
  private unfinishedChain(zone: number): number {
    return NOERROR | AUTHORITATIVE | CHASE | (this.zones.keepsBrokenChains(zone) ? TARGET_RCODE : 0)
  }

  private brokenChain(packet: Uint8Array, zone: number, begin: number, rcode: number): number {
    const { response } = this
    if (this.zones.keepsBrokenChains(zone)) return this.negative(packet, zone, rcode)
    response.at = begin
    response.answerCount = 0
    return this.negative(packet, zone, rcode === SERVFAIL ? SERVFAIL : NOERROR)
  }

  /** Is `name`, target of link `link`, the target of an earlier link? */
  private closesLoop(name: number, link: number): boolean {
    const { links, words } = this
    const last = nameWords(nameLength(words, name))
    for (let i = 0; i < link; i++) {
      if (nameMeta(words, name) !== nameMeta(words, links[i])) continue
      let word = nameKeyWord(0)
      while (word < last && words[name + word] === words[links[i] + word]) word++
      if (word === last) return true
    }
    return false
  }
}

/** Is `name` equal to `other`, or below it? Both lie in one zone. */
function isBelow(name: Query, other: Query): boolean {
  const label = name.labelCount - other.labelCount
  if (label < 0) return false
  const length = other.meta & 0xffff
  const from = name.labelStart[label]
  if ((name.meta & 0xffff) - from !== length) return false
  for (let i = 0; i < length; i++) if (name.key[from + i] !== other.key[i]) return false
  return true
}

function isPodLabel(name: Query, label: number): boolean {
  const { key } = name
  const at = name.labelStart[label]
  return key[at] === 3 && key[at + 1] === 0x70 && key[at + 2] === 0x6f && key[at + 3] === 0x64
}

/** OKD: what stands left of `_endpoints` is about endpoints, never the Service itself. */
function isEndpointsLabel(name: Query, label: number): boolean {
  const { key } = name
  const at = name.labelStart[label]
  for (let i = 0; i < ENDPOINTS_LABEL.length; i++) if (key[at + i] !== ENDPOINTS_LABEL[i]) return false
  return true
}

/** The zone that a name lies in, of several the longest. */
function longestOf<Zone extends { readonly labels: readonly string[] }>(
  zones: readonly Zone[],
  labels: readonly string[],
): Zone | undefined {
  const holds = (zone: Zone): boolean => {
    const from = labels.length - zone.labels.length
    return from >= 0 && zone.labels.every((label, i) => label === labels[from + i])
  }
  return zones.filter(holds).sort((a, b) => b.labels.length - a.labels.length)[0]
}
