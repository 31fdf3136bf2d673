// The index region: every structure in it, drawn, with its accessors. Nobody else knows an offset.
//
// The region is one SharedArrayBuffer seen as int32 words (`words`) and as octets (`octets`). Everything is referred to by
// the index of its first word (a *ref*); ref 0 means "none". Only the writer writes, and only to what no reader can reach
// yet, except for the atomic words of the header and the writer's own counters in names.
//
// Header
//   +0 magic   +1 layout version   +2 ROOT, atomic: ref of the published root   +3 capacity in words
//   +16 readers: READERS_MAX lines of 16 words; word 0 of a line, atomic: what that reader holds (see reader.ts)
//
// Root: one published version
//   +0 trie: ref of the topmost trie node   +1 version, 1..2^31-1   +2 serial of the zones' SOA   +3 count of names
//   +4 1: complete, a name that is not there does not exist; 0: it may exist (not in step with the cluster yet)
//
// Trie node: a compressed hash-array mapped prefix trie (CHAMP) over the 32-bit hash of the name, 5 bits a level
//   +0 stamp: version of the transaction that made it; the writer may change a node in place while that is its own
//   +1 data map: which of the 32 slots hold an entry   +2 node map: which hold a child node (never both)
//   +3 entries, in order of slots: (name, block) each; then children, in order of slots
// Below the last level (hash used up) a node is a plain list: +1 count, +2 zero, +3 entries.
//
// Name: a name in the index, or one that records point at
//   +0 zone << 16 | length of the key in octets   +1 children: names in the index right below it   (writer only)
//   +2 uses: trie entry and records that hold this ref   (writer only)
//   +3 key: what stands left of the zone, zeros behind (key.ts)
//
// Block: the RRsets of one name
//   +0 count of RRsets | flags << 8   +1 size of the block in words   +2 RRsets, one after another
//   or, with the flag REFERENCE and no RRsets: +2 ref of a name. So a client's address refers to its namespace (client-name.ts)
// RRset
//   +0 type | encoding << 16   +1 count of records in an answer   +2 size of the RRset in words   +3 data
// Data by encoding
//   FLAT   records in wire form, of equal length (16 octets of A, 28 of AAAA), owner = pointer to the question
//   NAMES  a ref of the target for each record (CNAME, NS); then additional addresses as for SRV
//   SRV    (target ref, port | weight << 16) for each record; then
//          count of additional addresses, each: index of the record whose target owns it | 2^31 if IPv6; 1 or 4 words of address;
//          or, in place of the count, minus the words back from here to the first RRset of addresses in this block: the target of
//          the first record owns those, and there are no others
//   CLAIMS (PTR) count of claims, then (target ref, rank, creation second) each, best first; the first `count` are answered
//   RAW    records in wire form, owner = pointer to the question: length in octets, then octets padded to words

import { keyHash } from '../dns/key.ts'

const MAGIC = 0x50455245 // 'PERE'
/** Of regions that are kept on disk too. */
export const LAYOUT_VERSION = 4
const HEADER_ROOT = 2
const HEADER_CAPACITY = 3
const HEADER_READERS = 16
const READER_LINE_WORDS = 16

/** Most readers that a region can have. */
export const READERS_MAX = 256
/** First word that may be allocated. */
export const FIRST_FREE = HEADER_READERS + READERS_MAX * READER_LINE_WORDS

/** Both views of one region. */
export interface Region {
  readonly buffer: SharedArrayBuffer
  readonly words: Int32Array
  readonly octets: Uint8Array
}

/** A region that is not one of ours, or of another version. */
export class LayoutError extends Error {
  readonly code = 'INDEX_LAYOUT'
}

/** Makes the region's header in a new, zeroed buffer. Octets must be a multiple of 4, at most 2^30. */
export function createRegion(byteLength: number): Region {
  const region = viewRegion(new SharedArrayBuffer(byteLength))
  region.words[0] = MAGIC
  region.words[1] = LAYOUT_VERSION
  region.words[HEADER_CAPACITY] = region.words.length
  return region
}

/** Octets at the beginning of a region that belong to the life it leads, not to its content. */
export const LIFE_BYTES = FIRST_FREE * 4

/**
 * Gives a region whose content beyond LIFE_BYTES was filled in from elsewhere a header of its own, with `root` published. That
 * version does not count as complete: what it lacks may exist by now.
 */
export function restoreHeader({ words }: Region, root: number): void {
  words.fill(0, 0, FIRST_FREE)
  words[0] = MAGIC
  words[1] = LAYOUT_VERSION
  words[HEADER_CAPACITY] = words.length
  words[root + 4] = 0
  Atomics.store(words, HEADER_ROOT, root)
}

/** Views of a region made elsewhere. @throws LayoutError if it is none */
export function attachRegion(buffer: SharedArrayBuffer): Region {
  const region = viewRegion(buffer)
  const { words } = region
  if (words[0] !== MAGIC || words[1] !== LAYOUT_VERSION || words[HEADER_CAPACITY] !== words.length) {
    throw new LayoutError(`not an index region of layout ${LAYOUT_VERSION}`)
  }
  return region
}

function viewRegion(buffer: SharedArrayBuffer): Region {
  return { buffer, words: new Int32Array(buffer), octets: new Uint8Array(buffer) }
}

/** Index of the atomic word that holds the published root. */
export function rootWord(): number {
  return HEADER_ROOT
}

/** Index of the atomic word in which reader `reader` (0..READERS_MAX-1) announces what it holds. */
export function readerWord(reader: number): number {
  return HEADER_READERS + reader * READER_LINE_WORDS
}

// ---- root ----

/** Words of a root. */
export const ROOT_WORDS = 5

export function rootTrie(words: Int32Array, root: number): number {
  return words[root]
}
export function rootVersion(words: Int32Array, root: number): number {
  return words[root + 1]
}
/** As an unsigned 32-bit number of seconds since 1970. */
export function rootSerial(words: Int32Array, root: number): number {
  return words[root + 2] >>> 0
}
export function rootNameCount(words: Int32Array, root: number): number {
  return words[root + 3]
}
/** Whether a name that the version lacks does not exist. */
export function rootIsComplete(words: Int32Array, root: number): boolean {
  return words[root + 4] !== 0
}
export function writeRoot(
  words: Int32Array,
  root: number,
  trie: number,
  version: number,
  serial: number,
  names: number,
  complete: boolean,
) {
  words[root] = trie
  words[root + 1] = version
  words[root + 2] = serial | 0
  words[root + 3] = names
  words[root + 4] = complete ? 1 : 0
}

// ---- trie node ----

/** Words of a node before its entries. */
export const NODE_HEADER_WORDS = 3
/** Bits of the hash that one level uses. */
export const LEVEL_BITS = 5
/** A node at this shift or deeper is a plain list. */
export const LIST_SHIFT = 35

export function nodeStamp(words: Int32Array, node: number): number {
  return words[node]
}
export function nodeDataMap(words: Int32Array, node: number): number {
  return words[node + 1]
}
export function nodeNodeMap(words: Int32Array, node: number): number {
  return words[node + 2]
}
/** For a node below the last level. */
export function listCount(words: Int32Array, node: number): number {
  return words[node + 1]
}
export function nodeEntry(node: number, rank: number): number {
  return node + 3 + 2 * rank
}
export function nodeChild(node: number, entryCount: number, rank: number): number {
  return node + 3 + 2 * entryCount + rank
}
export function entryName(words: Int32Array, entry: number): number {
  return words[entry]
}
export function entryBlock(words: Int32Array, entry: number): number {
  return words[entry + 1]
}
export function writeEntry(words: Int32Array, entry: number, name: number, block: number) {
  words[entry] = name
  words[entry + 1] = block
}
export function writeNodeHeader(words: Int32Array, node: number, stamp: number, dataMap: number, nodeMap: number) {
  words[node] = stamp
  words[node + 1] = dataMap
  words[node + 2] = nodeMap
}

/** Count of one bits. */
export function bitCount(map: number): number {
  map -= (map >>> 1) & 0x55555555
  map = (map & 0x33333333) + ((map >>> 2) & 0x33333333)
  return Math.imul((map + (map >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24
}

// ---- name ----

const NAME_KEY = 3

/** Hash of the key: where in the trie the name is. Made anew each time, for it takes less time than memory for it would. */
export function nameHash(words: Int32Array, name: number): number {
  return keyHash(words, name + NAME_KEY, words[name])
}
export function nameChildren(words: Int32Array, name: number): number {
  return words[name + 1]
}
export function nameUses(words: Int32Array, name: number): number {
  return words[name + 2]
}
export function addNameChildren(words: Int32Array, name: number, change: number) {
  words[name + 1] += change
}
export function addNameUses(words: Int32Array, name: number, change: number) {
  words[name + 2] += change
}
/** Zone and length of the key (key.ts, `keyMeta`). */
export function nameMeta(words: Int32Array, name: number): number {
  return words[name]
}
/** Octets of the key. */
export function nameLength(words: Int32Array, name: number): number {
  return words[name] & 0xffff
}
export function nameZone(words: Int32Array, name: number): number {
  return words[name] >>> 16
}
/** Index of the first word of the key. */
export function nameKeyWord(name: number): number {
  return name + NAME_KEY
}
/** Offset in the region of the first octet of the key. */
export function nameOctets(name: number): number {
  return (name + NAME_KEY) << 2
}
/** The first label of a name's key, as text of ASCII letters. Not for the hot path. */
export function firstLabel({ octets }: Region, name: number): string {
  const at = nameOctets(name)
  return String.fromCharCode(...octets.subarray(at + 1, at + 1 + octets[at]))
}
/** Words that a name with a key of `length` octets takes. */
export function nameWords(length: number): number {
  return NAME_KEY + ((length + 3) >> 2)
}
export function writeName(words: Int32Array, name: number, meta: number, key: Int32Array) {
  words[name] = meta
  words[name + 1] = 0
  words[name + 2] = 0
  const count = ((meta & 0xffff) + 3) >> 2
  for (let i = 0; i < count; i++) words[name + NAME_KEY + i] = key[i]
}

/** Is the key of `name` the one in key[0..]? */
export function nameEquals(words: Int32Array, name: number, meta: number, key: Int32Array): boolean {
  if (words[name] !== meta) return false
  const count = ((meta & 0xffff) + 3) >> 2
  const from = name + NAME_KEY
  for (let i = 0; i < count; i++) if (words[from + i] !== key[i]) return false
  return true
}

// ---- block and RRset ----

export const BLOCK_HEADER_WORDS = 2
export const RRSET_HEADER_WORDS = 3

/** Encodings of an RRset's data. */
export const FLAT = 1
export const NAMES = 2
export const SRV = 3
export const CLAIMS = 4
export const RAW = 5

/** Block flag: a label below that spells an address is that address (pods insecure). */
export const ADDRESS_BELOW = 1
/** Block flag: a label below that spells an address means the name with its canonical spelling (pods verified). */
export const CANONICAL_BELOW = 2
/**
 * Block flag of a source of synthesis: not for names whose labels below the parent all begin with '_', nor for those whose
 * label next to the parent is `_endpoints` (OKD).
 */
export const WILDCARD_SERVICE = 4
/** Block flag of a source of synthesis: for all names below the parent. */
export const WILDCARD_ANY = 8
/** Block flag: no RRsets, but the ref of a name behind the header. */
export const REFERENCE = 16

export function blockRrsetCount(words: Int32Array, block: number): number {
  return words[block] & 0xff
}
export function blockFlags(words: Int32Array, block: number): number {
  return words[block] >>> 8
}
/** Of a block with REFERENCE: the name that it refers to. */
export function blockReference(words: Int32Array, block: number): number {
  return words[block + BLOCK_HEADER_WORDS]
}
export function blockSize(words: Int32Array, block: number): number {
  return words[block + 1]
}
export function writeBlockHeader(words: Int32Array, block: number, rrsetCount: number, flags: number, size: number) {
  words[block] = rrsetCount | (flags << 8)
  words[block + 1] = size
}

/** The RRset of `type` in `block`, or 0. */
export function findRrset(words: Int32Array, block: number, type: number): number {
  const count = words[block] & 0xff
  let rrset = block + BLOCK_HEADER_WORDS
  for (let i = 0; i < count; i++) {
    if ((words[rrset] & 0xffff) === type) return rrset
    rrset += words[rrset + 2]
  }
  return 0
}
export function firstRrset(block: number): number {
  return block + BLOCK_HEADER_WORDS
}
export function nextRrset(words: Int32Array, rrset: number): number {
  return rrset + words[rrset + 2]
}
export function rrsetType(words: Int32Array, rrset: number): number {
  return words[rrset] & 0xffff
}
export function rrsetEncoding(words: Int32Array, rrset: number): number {
  return words[rrset] >>> 16
}
export function rrsetCount(words: Int32Array, rrset: number): number {
  return words[rrset + 1]
}
export function rrsetData(rrset: number): number {
  return rrset + RRSET_HEADER_WORDS
}
export function writeRrsetHeader(
  words: Int32Array,
  rrset: number,
  type: number,
  encoding: number,
  count: number,
  size: number,
) {
  words[rrset] = type | (encoding << 16)
  words[rrset + 1] = count
  words[rrset + 2] = size
}
