// From a query to its answer, in place: the one function that every transport calls. Hot: nothing is allocated, no strings.
// Behaviour: Kubernetes DNS specification 1.1.0 as CoreDNS serves it, and the OKD 3.11 names where a zone has them.

import { canonicalKey, readAddressLabel } from '../dns/address-label.ts'
import { KEY_WORDS } from '../dns/key.ts'
import { wireOfLabels } from '../dns/name.ts'
import {
  DROP,
  HEADER_LENGTH,
  MALFORMED,
  OTHER_CLASS,
  OTHER_EDNS,
  OTHER_OPCODE,
  QUERY,
  Query,
  readKey,
  readName,
  readQuery,
  sealKey,
} from '../dns/question.ts'
import {
  appendSoa,
  BADVERS,
  bareHeader,
  beginResponse,
  endResponse,
  FORMERR,
  NOERROR,
  NOTIMP,
  NXDOMAIN,
  REFUSED,
  Response,
  SERVFAIL,
} from '../dns/response.ts'
import { NO_ROW, ResponseCache } from '../dns/response-cache.ts'
import { ZoneTable } from '../dns/zone-table.ts'
import { appendAddress, appendRrset, firstTargetOffset, ROTATION_BITS } from '../index/append.ts'
import {
  ADDRESS_BELOW,
  attachRegion,
  blockFlags,
  CANONICAL_BELOW,
  entryBlock,
  findRrset,
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
import { FIND_ALL_MAX, find, findAll } from '../index/lookup.ts'
import { holdNewest, holdNothing } from '../index/reader.ts'
import type { Answerer, AnswerSource } from './answerer.ts'

export type { Answerer, AnswerSource } from './answerer.ts'

/** @throws LayoutError if the source's region is not an index */
export function createAnswerer(source: AnswerSource, reader: number): Answerer {
  return new IndexAnswerer(source, reader)
}

const TYPE_A = 1
const TYPE_CNAME = 5
const TYPE_SOA = 6
const TYPE_AAAA = 28
const TYPE_IXFR = 251
const TYPE_AXFR = 252
const QNAME = HEADER_LENGTH // its offset in every message
const UDP_LENGTH_MIN = 512
const CNAME_LINKS_MAX = 11
const UNDERSCORE = 0x5f
const STAR = 0x2a
const ENDPOINTS_LABEL = wireOfLabels(['_endpoints']).subarray(0, -1)

// What #locate() found.
const MISSING = 0
const EXISTS = 1 // with the block in #block, 0 for an empty non-terminal
const ADDRESS = 2 // with the address in #address

class IndexAnswerer implements Answerer {
  private readonly region: Region
  private readonly words: Int32Array
  private readonly octets: Uint8Array
  private readonly reader: number
  private readonly zones: ZoneTable
  private readonly bufsize: number
  /** The query being answered: one of `prepared`, or `unprepared`. */
  private query = new Query()
  private readonly unprepared = this.query
  private readonly prepared = Array.from({ length: FIND_ALL_MAX }, () => new Query())
  /** Where in its packet each of `prepared` begins. */
  private readonly preparedStart = new Int32Array(FIND_ALL_MAX)
  /** The memory that all of `prepared` are in. */
  private preparedPacket: Uint8Array
  private preparedCount = 0
  private preparedNext = 0
  private readonly target = new Query()
  private readonly response = new Response()
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
  private cache: ResponseCache | undefined
  private addressLength = 0
  private block = 0
  private trie = 0
  private version = 0
  private serial = 0
  /** RCODE of a name that is missing. */
  private missing = NXDOMAIN
  private rotation = 0

  constructor(source: AnswerSource, reader: number) {
    this.region = attachRegion(source.region)
    this.words = this.region.words
    this.octets = this.region.octets
    this.reader = reader
    this.zones = new ZoneTable(source.zones)
    this.bufsize = source.bufsize
    this.home = this.scratch
    this.preparedPacket = this.scratch
    this.homeWords = this.scratchWords
  }

  setHome(packet: Uint8Array): void {
    this.zones.setHome(packet)
    if (packet.byteOffset % 4 !== 0) return
    this.home = packet
    this.homeWords = new Int32Array(packet.buffer, packet.byteOffset, packet.byteLength >> 2)
    this.cache = new ResponseCache(packet, this.homeWords)
  }

  beginBatch(): void {
    this.preparedCount = 0
    this.preparedNext = 0
    const root = holdNewest(this.region, this.reader)
    this.trie = root === 0 ? 0 : rootTrie(this.words, root)
    this.version = root === 0 ? 0 : rootVersion(this.words, root)
    // As int32: a number above 2^31 - 1 would be allocated.
    this.serial = root === 0 ? 0 : rootSerial(this.words, root) | 0
    this.missing = root !== 0 && rootIsComplete(this.words, root) ? NXDOMAIN : SERVFAIL
  }

  endBatch(): void {
    holdNothing(this.region, this.reader)
  }

  prepare(packet: Uint8Array, start: number, length: number): void {
    if (this.preparedCount === 0) this.preparedPacket = packet
    else if (this.preparedCount === FIND_ALL_MAX || packet !== this.preparedPacket) return
    const query = this.prepared[this.preparedCount]
    if (!this.isKept(query, packet, start, length)) this.read(query, packet, start, length)
    this.preparedStart[this.preparedCount++] = start
  }

  findPrepared(): void {
    this.touched = this.trie === 0 ? 0 : findAll(this.words, this.trie, this.prepared, this.preparedCount)
  }

  answer(packet: Uint8Array, start: number, length: number, capacity: number, stream: boolean): number {
    let query = this.unprepared
    const isPrepared = this.isNextPrepared(packet, start)
    if (isPrepared) query = this.prepared[this.preparedNext++]
    this.query = query
    // Kept responses are those of datagrams, and of any size that a datagram allows.
    const mayKeep = !stream && capacity >= UDP_LENGTH_MIN
    if (mayKeep && (isPrepared ? query.isKept : this.isKept(query, packet, start, length))) {
      const kept = this.cache!.take(query.cacheRow, query.cacheTicket, start)
      if (kept !== 0) return kept
      query.cacheRow = NO_ROW
    }
    if (!isPrepared || query.isKept) this.readAndFind(query, packet, start, length)
    const responseLength = this.answerRead(packet, start, capacity, stream)
    // One record: several addresses begin with another one each time.
    if (mayKeep && query.cacheRow !== NO_ROW && query.verdict === QUERY && this.response.answerCount <= 1) {
      this.cache!.keep(query.cacheRow, query.cacheTicket, start, responseLength)
    }
    return responseLength
  }

  /** Answers `query`, which has been read and looked up. */
  private answerRead(packet: Uint8Array, start: number, capacity: number, stream: boolean): number {
    const { response, query } = this
    if (query.verdict !== QUERY) return this.reject(query.verdict, packet, start, capacity)
    beginResponse(response, query, start, this.sizeLimit(capacity, stream))

    const { type, zone } = query
    if (type === TYPE_AXFR || type === TYPE_IXFR || zone < 0) return this.end(packet, REFUSED, false)
    if (this.trie === 0) return this.negative(packet, zone, SERVFAIL)

    const located = this.locate(query, zone)
    if (located === MISSING) return this.negative(packet, zone, this.missing)
    if (located === ADDRESS) return this.answerAddress(packet, zone)
    if (type === TYPE_SOA && query.labelCount === this.zones.labelCount(zone)) {
      if (appendSoa(response, packet, this.zoneOffset(zone), this.zones.ttl(zone), this.serial))
        response.answerCount = 1
      return this.end(packet, NOERROR, true)
    }
    const { block } = this
    if (block === 0) return this.negative(packet, zone, NOERROR)
    const rrset = findRrset(this.words, block, type)
    if (rrset !== 0) {
      this.append(packet, rrset, QNAME)
      return this.end(packet, NOERROR, true)
    }
    if (type === TYPE_A || type === TYPE_AAAA) {
      const cname = findRrset(this.words, block, TYPE_CNAME)
      if (cname !== 0) return this.chase(packet, zone, cname)
    }
    return this.negative(packet, zone, NOERROR)
  }

  malformed(packet: Uint8Array, start: number, length: number): number {
    return length < HEADER_LENGTH || (packet[start + 2] & 0x80) !== 0 ? 0 : bareHeader(packet, start, FORMERR)
  }

  servfail(packet: Uint8Array, start: number, length: number): number {
    // The dead worker may have begun to write the header; the question is never written to.
    packet[start + 2] &= 0x01
    packet[start + 4] = 0
    packet[start + 5] = 1
    for (let i = 6; i < HEADER_LENGTH; i++) packet[start + i] = 0
    this.query = this.unprepared
    const verdict = readQuery(this.query, packet, start, length)
    if (this.query.questionEnd === 0) return verdict === DROP ? 0 : bareHeader(packet, start, SERVFAIL)
    beginResponse(this.response, this.query, start, length)
    return this.end(packet, SERVFAIL, false)
  }

  private isNextPrepared(packet: Uint8Array, start: number): boolean {
    const { preparedNext } = this
    if (preparedNext === this.preparedCount || packet !== this.preparedPacket) return false
    return this.preparedStart[preparedNext] === start
  }

  private reject(verdict: number, packet: Uint8Array, start: number, capacity: number): number {
    if (verdict === DROP) return 0
    if (verdict === OTHER_OPCODE) return bareHeader(packet, start, NOTIMP)
    if (verdict === MALFORMED) return bareHeader(packet, start, FORMERR)
    beginResponse(this.response, this.query, start, capacity)
    return this.end(packet, verdict === OTHER_EDNS ? BADVERS : verdict === OTHER_CLASS ? REFUSED : SERVFAIL, false)
  }

  private sizeLimit(capacity: number, stream: boolean): number {
    if (stream) return capacity
    const { query } = this
    const asked = query.hasOpt ? query.udpSize : UDP_LENGTH_MIN
    const allowed = Math.min(asked, this.bufsize)
    return Math.min(allowed, capacity)
  }

  private end(packet: Uint8Array, rcode: number, authoritative: boolean): number {
    return endResponse(this.response, this.query, packet, rcode, authoritative, this.bufsize)
  }

  /** NXDOMAIN, NODATA (NOERROR) and SERVFAIL of a zone: its SOA in authority. */
  private negative(packet: Uint8Array, zone: number, rcode: number): number {
    const { response, zones } = this
    if (appendSoa(response, packet, this.zoneOffset(zone), zones.ttl(zone), this.serial)) response.authorityCount = 1
    return this.end(packet, rcode, true)
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

  /** Is the response to this very message kept? */
  private isKept(query: Query, packet: Uint8Array, start: number, length: number): boolean {
    query.isKept = false
    query.cacheRow = NO_ROW
    const { cache } = this
    if (cache === undefined || packet !== this.home || (start & 3) !== 0 || this.version === 0) return false
    query.isKept = cache.look(start, length, this.version)
    query.cacheRow = cache.row
    query.cacheTicket = cache.ticket
    if (query.isKept) query.zone = -1 // nothing to find
    return query.isKept
  }

  private readAndFind(query: Query, packet: Uint8Array, start: number, length: number): void {
    this.read(query, packet, start, length)
    query.entry = query.zone < 0 || this.trie === 0 ? 0 : this.find(query)
  }

  /** Reads the message: verdict, question, zone, key. */
  private read(query: Query, packet: Uint8Array, start: number, length: number): void {
    query.zone = -1
    query.verdict = readQuery(query, packet, start, length)
    if (query.verdict === QUERY) this.readKeyAt(query, packet, start + QNAME)
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
    return this.end(packet, NOERROR, true)
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
      if (response.truncated) return this.end(packet, NOERROR, true)
      owner = firstTargetOffset()
      const from = nameOctets(name)
      readName(target, octets, from, from + nameLength(words, name))
      this.readKeyAt(target, octets, from)
      if (target.zone < 0) return this.end(packet, NOERROR, true)
      if (target.zone === zone && isBelow(target, query)) return this.brokenChain(packet, zone, begin, NOERROR)
      target.entry = this.find(target)
      const located = this.locate(target, target.zone)
      if (located === ADDRESS && (query.type === TYPE_A ? 4 : 16) === this.addressLength) {
        appendAddress(response, packet, this.address, this.addressLength, owner, ttl)
        return this.end(packet, NOERROR, true)
      }
      const block = located === EXISTS ? this.block : 0
      const rrset = block === 0 ? 0 : findRrset(words, block, query.type)
      if (rrset !== 0) {
        this.append(packet, rrset, owner)
        return this.end(packet, NOERROR, true)
      }
      cname = block === 0 ? 0 : findRrset(words, block, TYPE_CNAME)
      if (cname !== 0) continue
      const isUnknown = located === MISSING && this.missing === SERVFAIL
      if (target.zone !== zone && !isUnknown) return this.end(packet, NOERROR, true)
      return this.brokenChain(packet, zone, begin, located === MISSING ? this.missing : NOERROR)
    }
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
