// From a query to its answer, in place: the one function that every transport calls. Hot: nothing is allocated, no strings.
// Behaviour: Kubernetes DNS specification 1.1.0 as CoreDNS serves it, and the OKD 3.11 names where a zone has them.

import { canonicalName, readAddressLabel } from '../dns/address-label.ts'
import { childHash, labelTextHash } from '../dns/name.ts'
import {
  DROP,
  HEADER_LENGTH,
  MALFORMED,
  OTHER_CLASS,
  OTHER_EDNS,
  OTHER_OPCODE,
  QUERY,
  Query,
  readName,
  readQuery,
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
import { type ZoneConfig, ZoneTable } from '../dns/zone-table.ts'
import { appendAddress, appendRrset, firstTargetOffset } from '../index/append.ts'
import {
  ADDRESS_BELOW,
  attachRegion,
  blockFlags,
  CANONICAL_BELOW,
  entryBlock,
  findRrset,
  nameOctets,
  type Region,
  rootSerial,
  rootTrie,
  rrsetData,
  WILDCARD_SERVICE,
} from '../index/layout.ts'
import { find } from '../index/lookup.ts'
import { holdNewest, holdNothing } from '../index/reader.ts'

/** What an answerer is made from; plain data, so that it can be handed to a worker. */
export interface AnswerSource {
  readonly region: SharedArrayBuffer
  readonly zones: readonly ZoneConfig[]
  /** Largest UDP response, 512..4096. */
  readonly bufsize: number
}

/** Answers messages from one version of the index at a time. */
export interface Answerer {
  /** Holds the newest published version for the batch that follows. */
  beginBatch(): void
  /** Holds nothing any more: before blocking. */
  endBatch(): void
  /**
   * Answers in place: the message at packet[start, start + length) becomes the response at packet[start, start + result).
   * @param capacity  octets from `start` that may be written
   * @param stream    TCP: no limit but `capacity`
   * @returns length of the response; 0 = send nothing
   */
  answer(packet: Uint8Array, start: number, length: number, capacity: number, stream: boolean): number
  /** Reaction to a datagram that did not fit its slot, of which the first octets are there: FORMERR, or 0. */
  malformed(packet: Uint8Array, start: number, length: number): number
  /** SERVFAIL: for the query that a worker was answering when it died. */
  servfail(packet: Uint8Array, start: number, length: number): number
}

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
const STAR_HASH = labelTextHash('*')

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
  private readonly query = new Query()
  private readonly target = new Query()
  private readonly response = new Response()
  private readonly links = new Int32Array(CNAME_LINKS_MAX)
  private readonly address = new Uint8Array(16)
  private readonly canonical = new Query()
  private addressLength = 0
  private block = 0
  private trie = 0
  private serial = 0
  private rotation = 0

  constructor(source: AnswerSource, reader: number) {
    this.region = attachRegion(source.region)
    this.words = this.region.words
    this.octets = this.region.octets
    this.reader = reader
    this.zones = new ZoneTable(source.zones)
    this.bufsize = source.bufsize
  }

  beginBatch(): void {
    const root = holdNewest(this.region, this.reader)
    this.trie = root === 0 ? 0 : rootTrie(this.words, root)
    this.serial = root === 0 ? 0 : rootSerial(this.words, root)
  }

  endBatch(): void {
    holdNothing(this.region, this.reader)
  }

  answer(packet: Uint8Array, start: number, length: number, capacity: number, stream: boolean): number {
    const { query, response } = this
    const verdict = readQuery(query, packet, start, length)
    if (verdict !== QUERY) return this.reject(verdict, packet, start, capacity)
    beginResponse(response, query, start, this.sizeLimit(capacity, stream))

    const { type } = query
    if (type === TYPE_AXFR || type === TYPE_IXFR) return this.end(packet, REFUSED, false)
    const zone = this.zones.find(query)
    if (zone < 0) return this.end(packet, REFUSED, false)
    if (this.trie === 0) return this.negative(packet, zone, SERVFAIL)

    const located = this.locate(query, zone)
    if (located === MISSING) return this.negative(packet, zone, NXDOMAIN)
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
      appendRrset(response, packet, this.region, rrset, this.nextRotation(), QNAME, this.zones.ttl(zone))
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
    const verdict = readQuery(this.query, packet, start, length)
    if (this.query.questionEnd === 0) return verdict === DROP ? 0 : bareHeader(packet, start, SERVFAIL)
    beginResponse(this.response, this.query, start, length)
    return this.end(packet, SERVFAIL, false)
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
    const allowed = asked < this.bufsize ? asked : this.bufsize
    return allowed < capacity ? allowed : capacity
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

  private nextRotation(): number {
    this.rotation = (this.rotation + 1) & 0x3fffffff
    return this.rotation
  }

  private locate(name: Query, zone: number): number {
    const { words, octets } = this
    const entry = find(words, octets, this.trie, name.suffixHash[0], name.key, 0, name.nameLength)
    if (entry !== 0) {
      this.block = entryBlock(words, entry)
      return EXISTS
    }
    if (!this.zones.synthesizes(zone)) return MISSING
    return this.synthesize(name, zone)
  }

  /** A name that is not in the index but follows from one that is: Pods by address, sources of synthesis. */
  private synthesize(name: Query, zone: number): number {
    const labelsLeft = name.labelCount - this.zones.labelCount(zone)
    if (labelsLeft === 3 && this.zones.hasPods(zone) && isPodLabel(name, labelsLeft - 1)) return this.locatePod(name)
    if (!this.zones.hasWildcards(zone)) return MISSING
    const { words, octets } = this
    const { key, labelStart, suffixHash, nameLength } = name
    let underscored = 0
    while (underscored < labelsLeft && key[labelStart[underscored] + 1] === UNDERSCORE) underscored++
    // The star takes the place of the last two octets of the label before: those are no longer needed.
    for (let i = 1; i <= labelsLeft; i++) {
      const start = labelStart[i] - 2
      key[start] = 1
      key[start + 1] = STAR
      const hash = childHash(suffixHash[i], STAR_HASH)
      const entry = find(words, octets, this.trie, hash, key, start, nameLength)
      if (entry === 0) continue
      this.block = entryBlock(words, entry)
      if (underscored >= i && (blockFlags(words, this.block) & WILDCARD_SERVICE) !== 0) continue
      return EXISTS
    }
    return MISSING
  }

  private locatePod(name: Query): number {
    const { words, octets, address } = this
    const start = name.labelStart[1]
    const entry = find(words, octets, this.trie, name.suffixHash[1], name.key, start, name.nameLength)
    const block = entry === 0 ? 0 : entryBlock(words, entry)
    if (block === 0) return MISSING
    const flags = blockFlags(words, block)
    if ((flags & (ADDRESS_BELOW | CANONICAL_BELOW)) === 0) return MISSING
    this.addressLength = readAddressLabel(name.key, 1, start, address)
    if (this.addressLength === 0) return MISSING
    if ((flags & ADDRESS_BELOW) !== 0) return ADDRESS
    canonicalName(address, this.addressLength, name, this.canonical)
    const { key, nameLength, suffixHash } = this.canonical
    const known = find(words, octets, this.trie, suffixHash[0], key, 0, nameLength)
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
      appendRrset(response, packet, this.region, cname, 0, owner, ttl)
      if (response.truncated) return this.end(packet, NOERROR, true)
      owner = firstTargetOffset()
      const from = nameOctets(name) + 1
      readName(target, octets, from, from + octets[from - 1])
      const targetZone = zones.find(target)
      if (targetZone < 0) return this.end(packet, NOERROR, true)
      if (targetZone === zone && this.isBelow(target, query)) return this.brokenChain(packet, zone, begin, NOERROR)
      const located = this.locate(target, targetZone)
      if (located === ADDRESS && (query.type === TYPE_A ? 4 : 16) === this.addressLength) {
        appendAddress(response, packet, this.address, this.addressLength, owner, ttl)
        return this.end(packet, NOERROR, true)
      }
      const block = located === EXISTS ? this.block : 0
      const rrset = block === 0 ? 0 : findRrset(words, block, query.type)
      if (rrset !== 0) {
        appendRrset(response, packet, this.region, rrset, this.nextRotation(), owner, ttl)
        return this.end(packet, NOERROR, true)
      }
      cname = block === 0 ? 0 : findRrset(words, block, TYPE_CNAME)
      if (cname !== 0) continue
      if (targetZone !== zone) return this.end(packet, NOERROR, true)
      return this.brokenChain(packet, zone, begin, located === MISSING ? NXDOMAIN : NOERROR)
    }
  }

  private brokenChain(packet: Uint8Array, zone: number, begin: number, rcode: number): number {
    const { response } = this
    if (this.zones.keepsBrokenChains(zone)) return this.negative(packet, zone, rcode)
    response.at = begin
    response.answerCount = 0
    return this.negative(packet, zone, NOERROR)
  }

  /** Is `name`, target of link `link`, the target of an earlier link? */
  private closesLoop(name: number, link: number): boolean {
    const { links, octets } = this
    const at = nameOctets(name)
    for (let i = 0; i < link; i++) {
      const other = nameOctets(links[i])
      let same = octets[at] === octets[other]
      for (let octet = octets[at]; same && octet > 0; octet--) same = octets[at + octet] === octets[other + octet]
      if (same) return true
    }
    return false
  }

  /** Is `name` equal to `ancestor` or below it? */
  private isBelow(name: Query, ancestor: Query): boolean {
    const label = name.labelCount - ancestor.labelCount
    if (label < 0 || name.suffixHash[label] !== ancestor.suffixHash[0]) return false
    const from = name.labelStart[label]
    if (name.nameLength - from !== ancestor.nameLength) return false
    for (let i = 0; i < ancestor.nameLength; i++) if (name.key[from + i] !== ancestor.key[i]) return false
    return true
  }
}

function isPodLabel(name: Query, label: number): boolean {
  const { key } = name
  const at = name.labelStart[label]
  return key[at] === 3 && key[at + 1] === 0x70 && key[at + 2] === 0x6f && key[at + 3] === 0x64
}
