// Plugins file and auto: zones out of files, from the index of static zones, in place. Hot: nothing is allocated.
// RFC 1034 §4.3.2 with wildcards (RFC 4592), DNAME (RFC 6672), referrals with glue, negative answers with SOA (RFC 2308).
// Signatures go along if they are asked for (DO); a name that does not exist is not proven not to. Not here: files (zones/).

import { FOLD } from '../dns/name.ts'
import { HEADER_LENGTH, Query, readName, sealKey } from '../dns/question.ts'
import { NOERROR, NXDOMAIN, REFUSED, Response } from '../dns/response.ts'
import { type ZoneTable, zonesOnly } from '../dns/zone-table.ts'
import {
  blockFlags,
  blockRrsetCount,
  entryBlock,
  findRrset,
  firstRrset,
  nextRrset,
  rootTrie,
  rootVersion,
} from '../index/layout.ts'
import { find } from '../index/lookup.ts'
import type { HeldRegion } from '../index/reader.ts'
import { CUT, OCCLUDED, REDIRECTED } from './file-flags.ts'
import { ADDITIONAL, ANSWER, AUTHORITY, FileRecords } from './file-records.ts'
import { KeyReader, keySuffix, keyWildcard } from './key-reader.ts'
import { AUTHORITATIVE, CHASE, FAIL, PASS, type Stage, TARGET_RCODE } from './stage.ts'

/** What a stage is made from: all zones of a block's `file`, or of its `auto`. Plain data, so that it can be handed to a worker. */
export interface FileSource {
  readonly plugin: 'file' | 'auto'
  readonly region: SharedArrayBuffer
  /** Different zones. */
  readonly zones: readonly FileZone[]
}

export interface FileZone {
  /** Of the apex, leftmost first, lower case. */
  readonly labels: readonly string[]
  /** In the index. A zone whose apex is empty is not loaded. */
  readonly number: number
  /** Labels of the zones in which a missing name is passed on. */
  readonly fallthrough: readonly (readonly string[])[]
}

const TYPE_A = 1
const TYPE_NS = 2
const TYPE_CNAME = 5
const TYPE_SOA = 6
const TYPE_MX = 15
const TYPE_AAAA = 28
const TYPE_SRV = 33
const TYPE_DNAME = 39
const TYPE_DS = 43
const TYPE_RRSIG = 46
const TYPE_NSEC = 47
const TYPE_IXFR = 251
const TYPE_AXFR = 252
const TYPE_ANY = 255
const YXDOMAIN = 6
const QNAME = HEADER_LENGTH // its offset in every message
const POINTER_MAX = 0x3fff
const LINKS_MAX = 11
const TARGETS_MAX = 64 // whose addresses are added
const NAME_LENGTH_MAX = 255

// What #locate() found.
const UNLOADED = 0
const MISSING = 1
/** The block is in #block, 0 for an empty non-terminal. */
const EXISTS = 2
/** Below a zone cut or at one, or below a DNAME: at label #label, with the block in #block. */
const DELEGATED = 3
const RENAMED = 4

/** The name goes on at #targetAt. */
const FOLLOW = -3

/** @param held  the source's region */
export function createFileStage(source: FileSource, held: HeldRegion): Stage {
  return new FileStage(source, held)
}

/** Index of the longest of `zones` that `labels` lies below; -1 for none. */
function parentOf(labels: readonly string[], zones: readonly FileZone[]): number {
  let parent = -1
  for (const [i, { labels: other }] of zones.entries()) {
    const from = labels.length - other.length
    if (from <= 0 || (parent >= 0 && zones[parent].labels.length >= other.length)) continue
    if (other.every((label, j) => label === labels[from + j])) parent = i
  }
  return parent
}

class FileStage implements Stage {
  readonly plugin: string
  private readonly held: HeldRegion
  private readonly words: Int32Array
  private readonly records: FileRecords
  private readonly zones: ZoneTable
  /** By zone of the table: number in the index, and the zone right above or -1. */
  private readonly numbers: Int32Array
  private readonly parents: Int32Array
  private readonly fallthrough: readonly ZoneTable[]
  private readonly keys = new KeyReader()
  private readonly key = new Query()
  private readonly other = new Query()
  private readonly chained = new Query()
  private readonly target = new Query()
  private readonly links = new Int32Array(LINKS_MAX + 1)
  private readonly targets = new Int32Array(TARGETS_MAX)
  private targetCount = 0
  private trie = 0
  private packet: Uint8Array = new Uint8Array(0)
  private start = 0
  /** Where the response had come to before. */
  private begin = 0
  private response = new Response()
  private type = 0
  private dnssecOk = false
  private block = 0
  private label = 0
  /** The name has the block found, not a source of synthesis. */
  private isExact = false
  private targetAt = 0

  constructor(source: FileSource, held: HeldRegion) {
    this.plugin = source.plugin
    this.held = held
    this.words = held.region.words
    this.zones = zonesOnly(source.zones.map(({ labels }) => labels))
    this.records = new FileRecords(held.region, this.zones)
    this.numbers = Int32Array.from(source.zones, ({ number }) => number)
    this.parents = Int32Array.from(source.zones, ({ labels }) => parentOf(labels, source.zones))
    this.fallthrough = source.zones.map(({ fallthrough }) => zonesOnly(fallthrough))
  }

  setHome(packet: Uint8Array): void {
    this.zones.setHome(packet)
    this.keys.setHome(packet)
    for (const zones of this.fallthrough) zones.setHome(packet)
  }

  beginBatch(): number {
    const { root } = this.held
    this.trie = root === 0 ? 0 : rootTrie(this.words, root)
    return root === 0 ? 0 : rootVersion(this.words, root)
  }

  answer(query: Query, packet: Uint8Array, start: number, response: Response): number {
    const { type } = query
    let at = start + QNAME
    let zone = this.zones.find(query, packet, at)
    if (zone < 0) return PASS
    if (type === TYPE_AXFR || type === TYPE_IXFR) return REFUSED
    // What a parent says of a child.
    if (type === TYPE_DS && this.parents[zone] >= 0 && query.labelCount === this.zones.labelCount(zone)) {
      zone = this.parents[zone]
    }
    this.packet = packet
    this.start = start
    this.response = response
    this.begin = response.at
    this.type = type
    this.dnssecOk = query.dnssecOk
    let name = query
    for (let link = 0; ; link++) {
      this.links[link] = at
      const result = this.answerName(name, at, zone, link)
      if (result !== FOLLOW) return result
      at = this.targetAt
      if (response.truncated || link === LINKS_MAX || at - start > POINTER_MAX) return NOERROR | AUTHORITATIVE
      name = this.chained
      readName(name, packet, at, response.at)
      zone = this.zones.find(name, packet, at)
      if (zone < 0) return NOERROR | AUTHORITATIVE | CHASE | TARGET_RCODE
      if (this.closesLoop(name, at, link)) return NOERROR | AUTHORITATIVE
    }
  }

  /** One name of a chain, that stands at packet[at..]: a result of answer(), or FOLLOW. */
  private answerName(name: Query, at: number, zone: number, link: number): number {
    switch (this.locate(name, at, zone)) {
      case UNLOADED:
        // The files of auto come and go: one that is gone is nobody's failure.
        return this.plugin === 'auto' && link === 0 ? PASS : this.fail()
      case MISSING:
        if (link === 0 && this.fallthrough[zone].find(name, this.packet, at) >= 0) return PASS
        return this.negative(name, at, zone, NXDOMAIN)
      case DELEGATED:
        this.refer(name, at, zone)
        return link === 0 ? NOERROR : NOERROR | AUTHORITATIVE
      case RENAMED:
        return this.rename(name, at)
      default:
        return this.answerBlock(name, at, zone)
    }
  }

  private locate(name: Query, at: number, zone: number): number {
    const { words, key, other } = this
    const labelsLeft = name.labelCount - this.zones.labelCount(zone)
    this.keys.read(key, this.packet, at, this.numbers[zone], name.nameLength - this.zones.nameLength(zone))
    this.isExact = true
    let entry = this.find(key)
    for (let label = 0; ; label++) {
      if (entry !== 0) {
        this.block = entryBlock(words, entry)
        this.label = label
        if (label === labelsLeft && this.block === 0) return UNLOADED
        const flags = this.block === 0 ? 0 : blockFlags(words, this.block)
        if ((flags & OCCLUDED) === 0) {
          if ((flags & CUT) !== 0) return label === 0 && this.type === TYPE_DS ? EXISTS : DELEGATED
          if (label === 0) return EXISTS
          return (flags & REDIRECTED) !== 0 ? RENAMED : this.locateWildcard(name)
        }
      }
      if (label === labelsLeft) return UNLOADED
      keySuffix(other, key, name.labelStart[label + 1])
      entry = this.find(other)
    }
  }

  /** The source of synthesis of `name`, whose closest encloser begins with #label. */
  private locateWildcard(name: Query): number {
    keyWildcard(this.other, this.key, name.labelStart[this.label])
    const entry = this.find(this.other)
    if (entry === 0) return MISSING
    this.block = entryBlock(this.words, entry)
    this.isExact = false
    return EXISTS
  }

  private answerBlock(name: Query, at: number, zone: number): number {
    const { words, block, type, records, response } = this
    if (block === 0) return this.negative(name, at, zone, NOERROR)
    const owner = at - this.start
    if (type === TYPE_ANY || type === TYPE_RRSIG) {
      if (this.answerAll(owner)) return NOERROR | AUTHORITATIVE
      return this.negative(name, at, zone, NOERROR)
    }
    const rrset = findRrset(words, block, type)
    if (rrset !== 0) {
      const from = response.at
      records.append(response, this.packet, rrset, owner, ANSWER)
      const end = response.at
      if (this.dnssecOk) records.appendSignatures(response, this.packet, block, rrset, owner, ANSWER)
      this.addTargets(type, from, end, zone)
      return NOERROR | AUTHORITATIVE
    }
    const cname = type === TYPE_CNAME ? 0 : findRrset(words, block, TYPE_CNAME)
    if (cname === 0) return this.negative(name, at, zone, NOERROR)
    this.targetAt = response.at + 12
    records.append(response, this.packet, cname, owner, ANSWER)
    if (this.dnssecOk) records.appendSignatures(response, this.packet, block, cname, owner, ANSWER)
    return FOLLOW
  }

  /** Types ANY and RRSIG: all RRsets of the block, or all signatures. @returns false if there are none */
  private answerAll(owner: number): boolean {
    const { words, response } = this
    const before = response.answerCount
    let rrset = firstRrset(this.block)
    for (let left = blockRrsetCount(words, this.block); left > 0 && !response.truncated; left--) {
      const isSignature = (words[rrset] & 0xffff) === TYPE_RRSIG
      if (this.type === TYPE_RRSIG ? isSignature : !isSignature || this.dnssecOk) {
        this.records.append(response, this.packet, rrset, owner, ANSWER)
      }
      rrset = nextRrset(words, rrset)
    }
    return response.answerCount > before || response.truncated
  }

  /** DNAME and the CNAME that it makes of `name` (RFC 6672 §3.1). */
  private rename(name: Query, at: number): number {
    const { response, packet, records, block } = this
    const dname = findRrset(this.words, block, TYPE_DNAME)
    const owner = at + name.labelStart[this.label] - this.start
    const dnameAt = response.at
    records.append(response, packet, dname, owner, ANSWER)
    if (response.truncated) return NOERROR | AUTHORITATIVE
    if (this.dnssecOk) records.appendSignatures(response, packet, block, dname, owner, ANSWER)
    const view = response.view(packet)
    const prefixLength = name.labelStart[this.label]
    const suffixLength = view.getUint16(dnameAt + 10)
    const length = prefixLength + suffixLength
    if (length > NAME_LENGTH_MAX) return YXDOMAIN | AUTHORITATIVE
    const cnameAt = response.at
    if (response.truncated || cnameAt + 12 + length > response.limit) {
      response.truncated = true
      return NOERROR | AUTHORITATIVE
    }
    view.setInt16(cnameAt, 0xc000 | (at - this.start))
    view.setInt16(cnameAt + 2, TYPE_CNAME)
    view.setInt16(cnameAt + 4, 1)
    view.setInt32(cnameAt + 6, view.getInt32(dnameAt + 6))
    view.setInt16(cnameAt + 10, length)
    for (let i = 0; i < prefixLength; i++) packet[cnameAt + 12 + i] = packet[at + i]
    for (let i = 0; i < suffixLength; i++) packet[cnameAt + 12 + prefixLength + i] = packet[dnameAt + 12 + i]
    response.at = cnameAt + 12 + length
    response.answerCount++
    this.targetAt = cnameAt + 12
    return this.type === TYPE_CNAME || this.type === TYPE_ANY ? NOERROR | AUTHORITATIVE : FOLLOW
  }

  /** The name servers of the zone cut at #label, and their addresses as far as they are known here. */
  private refer(name: Query, at: number, zone: number): void {
    const { words, block, response, packet, records } = this
    const owner = at + name.labelStart[this.label] - this.start
    const from = response.at
    records.append(response, packet, findRrset(words, block, TYPE_NS), owner, AUTHORITY)
    const end = response.at
    if (this.dnssecOk) {
      const ds = findRrset(words, block, TYPE_DS)
      records.appendSigned(
        response,
        packet,
        block,
        ds === 0 ? findRrset(words, block, TYPE_NSEC) : ds,
        owner,
        AUTHORITY,
      )
    }
    this.addTargets(TYPE_NS, from, end, zone)
  }

  /** NODATA (NOERROR) and NXDOMAIN: SOA with the TTL that the answer may be kept for (RFC 2308 §3 and §5). */
  private negative(name: Query, at: number, zone: number, rcode: number): number {
    const { words, response, packet, records, other } = this
    const nsec = rcode === NOERROR && this.isExact && this.block !== 0 ? findRrset(words, this.block, TYPE_NSEC) : 0
    const nsecBlock = this.block
    sealKey(other, this.numbers[zone], 0)
    const entry = this.find(other)
    const block = entry === 0 ? 0 : entryBlock(words, entry)
    const soa = block === 0 ? 0 : findRrset(words, block, TYPE_SOA)
    if (soa === 0) return this.fail()
    const owner = at + name.nameLength - this.zones.nameLength(zone) - this.start
    const soaAt = response.at
    records.append(response, packet, soa, owner, AUTHORITY)
    if (response.truncated) return rcode | AUTHORITATIVE
    const view = response.view(packet)
    const minimum = view.getInt32(response.at - 4)
    if (this.dnssecOk) records.appendSignatures(response, packet, block, soa, owner, AUTHORITY)
    for (let record = soaAt; record < response.at; record += 12 + view.getUint16(record + 10)) {
      if (view.getInt32(record + 6) > minimum) view.setInt32(record + 6, minimum)
    }
    if (this.dnssecOk && nsec !== 0) records.appendSigned(response, packet, nsecBlock, nsec, at - this.start, AUTHORITY)
    return rcode | AUTHORITATIVE
  }

  /** Adds the addresses of the names in the records of `type` at packet[from, end), as far as they lie in `zone`. */
  private addTargets(type: number, from: number, end: number, zone: number): void {
    if (type !== TYPE_NS && type !== TYPE_MX && type !== TYPE_SRV) return
    const skipped = type === TYPE_NS ? 0 : type === TYPE_MX ? 2 : 6
    const view = this.response.view(this.packet)
    this.targetCount = 0
    for (let record = from; record < end && !this.response.truncated; ) {
      const next = record + 12 + view.getUint16(record + 10)
      this.addAddresses(record + 12 + skipped, next, zone)
      record = next
    }
  }

  /** Adds the addresses of the name at packet[at, end), each name's once. */
  private addAddresses(at: number, end: number, zone: number): void {
    const { target, packet, words, response, records, zones } = this
    if (at - this.start > POINTER_MAX || this.targetCount === TARGETS_MAX) return
    if (readName(target, packet, at, end) === 0 || zones.find(target, packet, at) !== zone) return
    this.keys.read(this.other, packet, at, this.numbers[zone], target.nameLength - zones.nameLength(zone))
    const entry = this.find(this.other)
    const block = entry === 0 ? 0 : entryBlock(words, entry)
    if (block === 0) return
    for (let i = 0; i < this.targetCount; i++) if (this.targets[i] === block) return
    this.targets[this.targetCount++] = block
    const owner = at - this.start
    for (let type = TYPE_A; type <= TYPE_AAAA; type += TYPE_AAAA - TYPE_A) {
      const rrset = findRrset(words, block, type)
      if (this.dnssecOk) records.appendSigned(response, packet, block, rrset, owner, ADDITIONAL)
      else records.append(response, packet, rrset, owner, ADDITIONAL)
    }
  }

  /** Takes back what has been written. */
  private fail(): number {
    const { response } = this
    response.at = this.begin
    response.answerCount = 0
    response.authorityCount = 0
    response.additionalCount = 0
    response.truncated = false
    return FAIL
  }

  private find(key: Query): number {
    return this.trie === 0 ? 0 : find(this.words, this.trie, key.hash, key.meta, key.keyWords)
  }

  /** Is the name at packet[at..] one that the chain has been at? */
  private closesLoop(name: Query, at: number, link: number): boolean {
    const { packet, links } = this
    for (let i = 0; i <= link; i++) {
      let octet = 0
      while (octet < name.nameLength && FOLD[packet[links[i] + octet]] === FOLD[packet[at + octet]]) octet++
      if (octet === name.nameLength) return true
    }
    return false
  }
}
