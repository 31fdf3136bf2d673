// The cache of one block in shared memory: every structure in it, drawn, with its accessors. Nobody else knows an offset. One
// writer (the resolver thread), many readers (the workers), nobody waits. Not here: what is kept (eviction.ts), and where
// (cache-segments.ts).
//
// The region is one SharedArrayBuffer seen as int32 words, as octets and as 64-bit floats. Entries are referred to by the index of
// their first word (a *ref*, always even); ref 0 means "none".
//
// Header
//   +0 magic   +1 layout version   +2 EPOCH, atomic: odd, counted up by 2 whenever memory was retired   +3 count of readers
//   +4 buckets, a power of two   +5 first word of the segments   +6 count of segments   +7 segments ever written to   (writer)
//   +8 capacity of successes   +9 of denials, in entries
//   +12 entries: successes   +13 denials   +14 octets of entries   (writer; anyone reads)
//   +16 evictions: successes   +18 denials, 64-bit floats   (writer; anyone reads)
//   +32 readers: a line of 16 words each; word 0, atomic: what that reader holds
// Buckets: a word each, atomic: ref of the first entry of a chain
// Segments of SEGMENT_WORDS words: entries one behind the other
//
// Entry
//   +0 next entry of its chain, atomic   +1 hash   +2 zone and length of the key (dns/key.ts)   +3 type | class << 16
//   +4 bits of the question | kind << 3 | is a failure << 4   +5 seconds that it lives   +6 stored, ms   +8 expires, ms (64-bit floats)
//   +10 words of the entry   +11 slot   (both for the writer)
//   +12 uses, 0..3   +13 last hit of the streak, ms after it was stored   +14 hits of the streak   +15 refresh claimed, ms after
//   it was stored, 0 for never   (these four: any reader)
//   +16 key, then the form (ready-answer.ts)
//
// An entry never changes once a bucket or another entry refers to it, but for its link and the words of use: a change is a new
// entry in its place in the chain, put there by one atomic store. Memory is used again when every reader has passed, as in
// index/reader.ts, whose protocol this is: a reader announces HOLD_ANY, then loads the epoch, then announces that; memory that was
// retired before the epoch was counted up to E is reused when each reader has announced nothing, or E or later. (The first announcement
// is there for the atomic load behind it: on ARM, that keeps the plain loads of links from being done before any of this.) So there is no
// torn read to be found out, and a hit has no second check to pay: a sequence number for each entry would need one by a
// read-modify-write on a line that all workers share (bench/cache.ts has both).
//
// Links are loaded plainly while the writer stores them: a load that gives a new ref leads to an entry that was complete before the
// store, for no processor and no compiler that Node runs on guesses addresses (what RCU rests on, too). An atomic load is a call
// of 10 ns.

import { keyHashEnd, keyHashStep } from '../dns/key.ts'
import type { Query } from '../dns/question.ts'

const MAGIC = 0x43414348 // 'CACH'
const LAYOUT_VERSION = 1
const EPOCH = 2
const READER_COUNT = 3
const BUCKETS = 4
const SEGMENTS = 5
const SEGMENT_COUNT = 6
const SEGMENTS_TOUCHED = 7
const CAPACITY = 8
const ENTRIES = 12
const OCTETS = 14
const EVICTIONS_FLOAT = 8
const READERS = 32
const READER_LINE_WORDS = 16

/** Words of a segment; no entry is longer. The largest there can be, 64 KiB of octets and 5,461 records, takes 27,000. */
export const SEGMENT_WORDS = 1 << 15
/** With fewer, too much of the memory would be what is being cleaned. */
const SEGMENTS_MIN = 8
const SEGMENTS_MAX = 1 << 13 // 2^28 words
const ENTRIES_MIN = 1024
const ENTRIES_MAX = 1 << 22
const READERS_MAX = 256
/** In ms: hits closer to each other than that are noted as one moment, so that a busy name is not stored to by everyone. */
const STREAK_STEP_MS = 64
const STREAK_MAX = 0xffff

/** Announced by a reader that holds nothing. */
const HOLD_NOTHING = 0
/** Announced by a reader that is about to announce an epoch: nothing may be reused. */
const HOLD_ANY = 2

// Bits of a question, beside its name, type and class.
export const DNSSEC_OK = 1
export const CHECKING_DISABLED = 2
export const RECURSION_NOT_DESIRED = 4
const QUESTION_BITS = 7
const KIND_SHIFT = 3
const FAILURE_BIT = 16

const NEXT = 0
const HASH = 1
const META = 2
const TYPE_CLASS = 3
const FLAGS = 4
const LIFE = 5
const STORED_FLOAT = 3
const EXPIRES_FLOAT = 4
const SIZE = 10
const SLOT = 11
const USES = 12
const LAST_HIT = 13
const STREAK = 14
const CLAIMED = 15
const KEY = 16
const USES_MAX = 3

/** What a cache is to hold. */
export interface CacheSize {
  /** Entries; below 1,024 behaves as 1,024. */
  readonly success: number
  readonly denial: number
  /** Octets for all entries together, at least 1 MiB, at most 1 GiB. Memory that is not needed is not touched. */
  readonly octets: number
}

/** What a cache holds, and what it had to drop, ever. */
export interface CacheFigures {
  /** Expired ones that have not been dropped yet included. */
  readonly entries: { readonly success: number; readonly denial: number }
  /** Entries that made room for others. */
  readonly evictions: { readonly success: number; readonly denial: number }
  /** Octets of the entries. */
  readonly octets: number
}

/** All views of one region, and what its header says once and for all. */
export interface CacheRegion {
  readonly words: Int32Array
  readonly octets: Uint8Array
  readonly floats: Float64Array
  readonly readerCount: number
  readonly bucketCount: number
  /** First word of the segments. */
  readonly segments: number
  readonly segmentCount: number
  /** By kind. */
  readonly capacities: readonly [number, number]
}

/** A region that is not one of ours, or of another version. */
export class CacheLayoutError extends Error {
  override readonly name = 'CacheLayoutError'
  readonly code = 'CACHE_LAYOUT'
}

/** Memory for the cache of one block: empty. @param readers  1..256 */
export function createCache(size: CacheSize, readers: number): SharedArrayBuffer {
  const capacity = (entries: number): number => Math.min(Math.max(Math.trunc(entries), ENTRIES_MIN), ENTRIES_MAX)
  const success = capacity(size.success)
  const denial = capacity(size.denial)
  const readerCount = Math.min(Math.max(readers, 1), READERS_MAX)
  const segmentCount = Math.min(Math.max(Math.floor(size.octets / 4 / SEGMENT_WORDS), SEGMENTS_MIN), SEGMENTS_MAX)
  const bucketCount = 2 ** Math.ceil(Math.log2(success + denial))
  const segments = READERS + readerCount * READER_LINE_WORDS + bucketCount
  const buffer = new SharedArrayBuffer((segments + segmentCount * SEGMENT_WORDS) * 4)
  const words = new Int32Array(buffer, 0, READERS)
  words[1] = LAYOUT_VERSION
  words[EPOCH] = 1
  words[READER_COUNT] = readerCount
  words[BUCKETS] = bucketCount
  words[SEGMENTS] = segments
  words[SEGMENT_COUNT] = segmentCount
  words[CAPACITY] = success
  words[CAPACITY + 1] = denial
  words[0] = MAGIC
  return buffer
}

/** @throws CacheLayoutError if the buffer is no cache */
export function attachCache(buffer: SharedArrayBuffer): CacheRegion {
  const words = new Int32Array(buffer)
  if (words[0] !== MAGIC || words[1] !== LAYOUT_VERSION) {
    throw new CacheLayoutError(`not a cache of layout ${LAYOUT_VERSION}`)
  }
  return {
    words,
    octets: new Uint8Array(buffer),
    floats: new Float64Array(buffer),
    readerCount: words[READER_COUNT],
    bucketCount: words[BUCKETS],
    segments: words[SEGMENTS],
    segmentCount: words[SEGMENT_COUNT],
    capacities: [words[CAPACITY], words[CAPACITY + 1]],
  }
}

/** From any thread; each figure is right, all together may be of different moments. */
export function readCacheFigures(region: SharedArrayBuffer): CacheFigures {
  const words = new Int32Array(region, 0, READERS)
  const floats = new Float64Array(region, 0, READERS / 2)
  return {
    entries: { success: words[ENTRIES], denial: words[ENTRIES + 1] },
    evictions: { success: floats[EVICTIONS_FLOAT], denial: floats[EVICTIONS_FLOAT + 1] },
    octets: words[OCTETS],
  }
}

// ---- figures (writer) ----

export function writeEntryCount(words: Int32Array, kind: number, count: number): void {
  words[ENTRIES + kind] = count
}
export function writeOctets(words: Int32Array, octets: number): void {
  words[OCTETS] = octets
}
export function countEviction(floats: Float64Array, kind: number): void {
  floats[EVICTIONS_FLOAT + kind] += 1
}
/** Segments that anyone has ever written to, the first ones. */
export function segmentsTouched(words: Int32Array): number {
  return words[SEGMENTS_TOUCHED]
}
export function writeSegmentsTouched(words: Int32Array, count: number): void {
  words[SEGMENTS_TOUCHED] = count
}

// ---- epochs ----

/** Reader: from now on nothing that it can find is reused. Also when it holds already: what it found before is let go. */
export function holdCache(words: Int32Array, reader: number): void {
  const line = READERS + reader * READER_LINE_WORDS
  Atomics.store(words, line, HOLD_ANY)
  Atomics.store(words, line, Atomics.load(words, EPOCH))
}

/** Also called on behalf of a reader whose thread is gone. */
export function releaseCache(words: Int32Array, reader: number): void {
  Atomics.store(words, READERS + reader * READER_LINE_WORDS, HOLD_NOTHING)
}

/** Writer: counts up the epoch. @returns the one to ask allHavePassed() for, about memory that can no longer be found */
export function nextEpoch(words: Int32Array): number {
  const epoch = (words[EPOCH] + 2) | 0
  Atomics.store(words, EPOCH, epoch)
  return epoch
}

/** Writer: has every reader let go of what could be found before the epoch was counted up to `epoch`? */
export function allHavePassed(words: Int32Array, readerCount: number, epoch: number): boolean {
  for (let reader = 0; reader < readerCount; reader++) {
    const held = Atomics.load(words, READERS + reader * READER_LINE_WORDS)
    if (held === HOLD_NOTHING) continue
    if (held === HOLD_ANY || ((held - epoch) | 0) < 0) return false
  }
  return true
}

// ---- entries ----

/** Of a question: decides about the bucket, and is compared before all else. */
export function questionHash(keyHash: number, typeClass: number, bits: number): number {
  return keyHashEnd(keyHashStep(keyHash ^ bits, typeClass))
}

/** Index of the link to the first entry of the chain that `hash` belongs to. */
export function bucketLink(region: CacheRegion, hash: number): number {
  return region.segments - region.bucketCount + (hash & (region.bucketCount - 1))
}

/** The entry behind a link: the word of a bucket, or of an entry itself. */
export function linked(words: Int32Array, link: number): number {
  return words[link]
}
/** Writer. All that `entry` is must have been written. */
export function writeLink(words: Int32Array, link: number, entry: number): void {
  Atomics.store(words, link, entry)
}
/** Index of the link in `entry` to the next of its chain. */
export function entryLink(entry: number): number {
  return entry + NEXT
}

/** Words of an entry for a key of `meta` and a form of `formWords` words. */
export function entryWords(meta: number, formWords: number): number {
  return (KEY + (((meta & 0xffff) + 3) >> 2) + formWords + 1) & ~1
}

/** Is it the entry of this question, whatever its kind? */
export function entryAnswers(
  words: Int32Array,
  entry: number,
  hash: number,
  key: Query,
  typeClass: number,
  bits: number,
): boolean {
  if (words[entry + HASH] !== hash || words[entry + TYPE_CLASS] !== typeClass) return false
  const { meta, keyWords } = key
  if (words[entry + META] !== meta || (words[entry + FLAGS] & QUESTION_BITS) !== bits) return false
  const count = ((meta & 0xffff) + 3) >> 2
  const from = entry + KEY
  for (let i = 0; i < count; i++) if (words[from + i] !== keyWords[i]) return false
  return true
}

export function entryHash(words: Int32Array, entry: number): number {
  return words[entry + HASH]
}
export function entryKind(words: Int32Array, entry: number): number {
  return (words[entry + FLAGS] >> KIND_SHIFT) & 1
}
export function entryIsFailure(words: Int32Array, entry: number): boolean {
  return (words[entry + FLAGS] & FAILURE_BIT) !== 0
}
/** Ref of the form. */
export function entryForm(words: Int32Array, entry: number): number {
  return entry + KEY + (((words[entry + META] & 0xffff) + 3) >> 2)
}
/** Seconds that it lives. */
export function entryLife(words: Int32Array, entry: number): number {
  return words[entry + LIFE]
}
export function entryStoredMs(floats: Float64Array, entry: number): number {
  return floats[(entry >> 1) + STORED_FLOAT]
}
export function entryExpiresMs(floats: Float64Array, entry: number): number {
  return floats[(entry >> 1) + EXPIRES_FLOAT]
}
export function entrySize(words: Int32Array, entry: number): number {
  return words[entry + SIZE]
}
export function entrySlot(words: Int32Array, entry: number): number {
  return words[entry + SLOT]
}

/** Writer: all of an entry but its link, its words of use, and the form. */
export function writeEntry(
  words: Int32Array,
  floats: Float64Array,
  entry: number,
  size: number,
  slot: number,
  hash: number,
  key: Query,
  typeClass: number,
  flags: number,
  life: number,
  expiresMs: number,
  storedMs: number,
): void {
  words[entry + HASH] = hash
  words[entry + META] = key.meta
  words[entry + TYPE_CLASS] = typeClass
  words[entry + FLAGS] = flags
  words[entry + LIFE] = life
  floats[(entry >> 1) + STORED_FLOAT] = storedMs
  floats[(entry >> 1) + EXPIRES_FLOAT] = expiresMs
  words[entry + SIZE] = size
  words[entry + SLOT] = slot
  const count = ((key.meta & 0xffff) + 3) >> 2
  for (let i = 0; i < count; i++) words[entry + KEY + i] = key.keyWords[i]
}
export function entryFlags(bits: number, kind: number, isFailure: boolean): number {
  return bits | (kind << KIND_SHIFT) | (isFailure ? FAILURE_BIT : 0)
}

// ---- use ----

/** 0..3. */
export function entryUses(words: Int32Array, entry: number): number {
  return words[entry + USES]
}
export function writeUses(words: Int32Array, entry: number, uses: number): void {
  words[entry + USES] = uses
}
/** A lost count of two readers at a time does no harm. */
export function countUse(words: Int32Array, entry: number): void {
  const uses = words[entry + USES]
  if (uses < USES_MAX) words[entry + USES] = uses + 1
}

/**
 * Writer: words of use of a new entry. `from` is its predecessor of the same question, 0 for none: the streak goes on, and whoever
 * had it asked again has used it.
 */
export function writeUse(words: Int32Array, floats: Float64Array, entry: number, from: number): void {
  words[entry + USES] = from === 0 ? 0 : Math.min(words[from + USES] + 1, USES_MAX)
  words[entry + STREAK] = from === 0 ? 0 : words[from + STREAK]
  words[entry + LAST_HIT] =
    from === 0 ? 0 : (words[from + LAST_HIT] + entryStoredMs(floats, from) - entryStoredMs(floats, entry)) | 0
  words[entry + CLAIMED] = 0
}

/** Counts a hit. @returns hits in a row with gaps of at most gapMs (and up to 64 ms more), up to 65,535 */
export function countStreak(
  words: Int32Array,
  floats: Float64Array,
  entry: number,
  nowMs: number,
  gapMs: number,
): number {
  const now = (nowMs - entryStoredMs(floats, entry)) | 0
  const gap = (now - words[entry + LAST_HIT]) | 0
  const streak = words[entry + STREAK]
  const next = streak === 0 || gap > gapMs + STREAK_STEP_MS ? 1 : Math.min(streak + 1, STREAK_MAX)
  if (next !== streak) words[entry + STREAK] = next
  if (next === 1 || gap >= STREAK_STEP_MS) words[entry + LAST_HIT] = now
  return next
}

/** Claims the entry for one caller. @returns false if somebody did less than `againMs` ago */
export function claimEntry(
  words: Int32Array,
  floats: Float64Array,
  entry: number,
  nowMs: number,
  againMs: number,
): boolean {
  const now = (nowMs - entryStoredMs(floats, entry)) | 0 || 1
  const claimed = words[entry + CLAIMED]
  if (claimed !== 0 && ((now - claimed) | 0) < againMs) return false
  return Atomics.compareExchange(words, entry + CLAIMED, claimed, now) === claimed
}
