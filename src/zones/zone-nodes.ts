// The records of a zone as names of the index: RRsets with their signatures, and what lies below a zone cut or a DNAME.
// Not here: reading the file (dns/zone-file.ts), answering (plugins/file.ts).

import type { ResourceRecord } from '../dns/message.ts'
import { labelsOfText } from '../dns/name.ts'
import type { BlockBuilder } from '../index/block.ts'
import { CUT, OCCLUDED, REDIRECTED } from '../plugins/file-flags.ts'
import { isWithin, lowerCase } from './labels.ts'
import { keyOfLabels, type ZoneNode } from './zone-writer.ts'

const TYPE_A = 1
const TYPE_NS = 2
const TYPE_AAAA = 28
const TYPE_DNAME = 39
const TYPE_RRSIG = 46
const CLASS_IN = 1
const TYPES_MAX = 100 // of one name: a block counts its RRsets, signatures among them, in 8 bits
const RECORDS_MAX = 6000 // of one RRset: more than a message can hold

interface Rrset {
  readonly type: number
  /** The least of its records (RFC 2181 §5.2). */
  ttl: number
  /** Different ones. */
  readonly rdata: Uint8Array[]
}

const NONE: Rrset[] = [] // never written to

class RecordNode implements ZoneNode {
  readonly key: string
  flags = 0
  readonly #rrsets: Rrset[] = []
  /** By the type that they cover. */
  #signatures: Rrset[] = NONE

  constructor(key: string) {
    this.key = key
  }

  has(type: number): boolean {
    return this.#rrsets.some((rrset) => rrset.type === type)
  }

  /** @returns false if there are too many types, or too many records of this one */
  add({ type, ttl, rdata }: ResourceRecord): boolean {
    if (type !== TYPE_RRSIG) return addTo(this.#rrsets, type, ttl, rdata)
    if (this.#signatures === NONE) this.#signatures = []
    return addTo(this.#signatures, (rdata[0] << 8) | rdata[1], ttl, rdata)
  }

  build(builder: BlockBuilder): void {
    builder.begin(this.flags)
    for (const { type, ttl, rdata } of this.#rrsets) {
      const length = type === TYPE_A ? 4 : type === TYPE_AAAA ? 16 : 0
      if (length > 0 && rdata.every((octets) => octets.length === length)) {
        builder.beginAddresses(type)
        for (const octets of rdata) builder.pushAddress(type, ttl, octets, 0, length)
        builder.end()
      } else builder.addRaw(type, ttl, rdata)
      // Right behind: plugins/file-records.ts finds them there.
      const signatures = this.#signatures.find((each) => each.type === type)
      if (signatures !== undefined) builder.addRaw(TYPE_RRSIG, signatures.ttl, signatures.rdata)
    }
  }
}

function addTo(rrsets: Rrset[], type: number, ttl: number, rdata: Uint8Array): boolean {
  const rrset = rrsets.find((each) => each.type === type)
  if (rrset === undefined) {
    if (rrsets.length === TYPES_MAX) return false
    rrsets.push({ type, ttl, rdata: [rdata] })
    return true
  }
  rrset.ttl = Math.min(rrset.ttl, ttl)
  if (rrset.rdata.some((each) => Buffer.compare(each, rdata) === 0)) return true
  return rrset.rdata.length < RECORDS_MAX && rrset.rdata.push(rdata) > 0
}

/** All names of a zone with records, and how many records are not for it: of another class, outside, or too many. */
export interface ZoneNodes {
  readonly nodes: Iterable<ZoneNode>
  readonly ignoredCount: number
}

/** @param zone  labels of the apex, lower case */
export function zoneNodes(zone: readonly string[], records: Iterable<ResourceRecord>): ZoneNodes {
  const nodes = new Map<string, RecordNode>()
  let ignoredCount = 0
  let lastOwner = ''
  let last: RecordNode | undefined
  for (const record of records) {
    // Records of one name mostly stand together.
    if (last === undefined || record.owner !== lastOwner) {
      last = nodeOf(nodes, zone, record.owner)
      lastOwner = record.owner
    }
    if (last === undefined || record.class !== CLASS_IN || !last.add(record)) ignoredCount++
  }
  markCuts(nodes)
  return { nodes: nodes.values(), ignoredCount }
}

function nodeOf(nodes: Map<string, RecordNode>, zone: readonly string[], owner: string): RecordNode | undefined {
  const labels = labelsOfText(lowerCase(owner))
  if (!isWithin(labels, zone)) return undefined
  const key = keyOfLabels(labels.slice(0, labels.length - zone.length))
  let node = nodes.get(key)
  if (node === undefined) {
    node = new RecordNode(key)
    nodes.set(key, node)
  }
  return node
}

/** Flags names where another zone begins, DNAMEs, and all that lies below, empty non-terminals included. */
function markCuts(nodes: Map<string, RecordNode>): void {
  const ends = new Set<string>()
  for (const [key, node] of nodes) {
    if (key !== '' && node.has(TYPE_NS)) node.flags |= CUT
    else if (node.has(TYPE_DNAME)) node.flags |= REDIRECTED
    else continue
    ends.add(key)
  }
  if (ends.size === 0) return
  for (const key of [...nodes.keys()]) {
    const suffixes = suffixesOf(key)
    // The first one from the apex counts: what it hides hides no more.
    const end = suffixes.findLastIndex((suffix) => ends.has(suffix))
    for (const suffix of suffixes.slice(0, Math.max(end, 0))) {
      let node = nodes.get(suffix)
      if (node === undefined) {
        node = new RecordNode(suffix)
        nodes.set(suffix, node)
      }
      node.flags |= OCCLUDED
    }
  }
}

/** The key, that of the name above, and so on to the apex. */
function suffixesOf(key: string): string[] {
  const suffixes: string[] = []
  for (let at = 0; at < key.length; at += 1 + key.charCodeAt(at)) suffixes.push(key.slice(at))
  suffixes.push('')
  return suffixes
}
