// The resolver's side of a block's cache: puts answers in, makes room for them. Hot: nothing is allocated. Not here: whether an answer may be
// cached, and for how long (ready-answer.ts, the resolver).
//
// A successor may take over where its predecessor was ended, at any step: it clears the buckets, which makes all entries
// unreachable, and reuses their memory when every reader has passed.

import type { Query } from '../dns/question.ts'
import {
  attachCache,
  bucketLink,
  type CacheRegion,
  countEviction,
  entryAnswers,
  entryFlags,
  entryForm,
  entryHash,
  entryKind,
  entryLink,
  entrySize,
  entrySlot,
  entryUses,
  entryWords,
  linked,
  questionHash,
  SEGMENT_WORDS,
  writeEntry,
  writeEntryCount,
  writeLink,
  writeOctets,
  writeUse,
  writeUses,
} from './cache-region.ts'
import { Segments } from './cache-segments.ts'
import { Eviction, type Residents } from './eviction.ts'
import { DENIAL, SUCCESS } from './ready-answer.ts'

/** Entries of a chain: names that were made to have one hash must not make all of them slow. */
const CHAIN_MAX = 16
/** Segments cleaned for one entry, and between two turns. */
const CLEANINGS_MAX = 8

/** What is put: a ReadyAnswer. */
export interface CachedForm {
  readonly words: Int32Array
  readonly wordCount: number
}

export class CacheWriter {
  readonly #region: CacheRegion
  readonly #words: Int32Array
  readonly #floats: Float64Array
  readonly #segments: Segments
  /** By kind. */
  readonly #slots: readonly [Slots, Slots]
  #octets = 0
  /** Of #locate(): the link to the entry that it found, the link to the last of the chain, and how many there are. */
  #link = 0
  #lastLink = 0
  #chainLength = 0

  /**
   * Begins empty.
   * @param region  of createCache(); no other writer writes to it any more
   * @throws CacheLayoutError if it is no cache
   */
  constructor(region: SharedArrayBuffer) {
    this.#region = attachCache(region)
    const { words, floats, bucketCount, capacities } = this.#region
    this.#words = words
    this.#floats = floats
    const buckets = bucketLink(this.#region, 0)
    // One by one: readers look at them meanwhile, and must not see half of a word.
    for (let bucket = buckets; bucket < buckets + bucketCount; bucket++) words[bucket] = 0
    this.#segments = new Segments(this.#region)
    this.#slots = [new Slots(words, capacities[SUCCESS]), new Slots(words, capacities[DENIAL])]
    writeEntryCount(words, SUCCESS, 0)
    writeEntryCount(words, DENIAL, 0)
    writeOctets(words, 0)
  }

  /**
   * Puts an answer in place of the one to the same question and of the same kind, if there is one. Readers find it at once.
   * @param key    the whole name as its key, zone 0
   * @param bits   DNSSEC_OK and so on
   * @param kind   SUCCESS or DENIAL; failures are denials
   * @param ttl    seconds that it lives
   * @returns false if there is no room, because readers keep memory from being reused, or it is too long: what was there is there still
   */
  put(
    key: Query,
    type: number,
    qclass: number,
    bits: number,
    kind: number,
    isFailure: boolean,
    ttl: number,
    expiresMs: number,
    nowMs: number,
    form: CachedForm,
  ): boolean {
    const words = this.#words
    const size = entryWords(key.meta, form.wordCount)
    if (size > SEGMENT_WORDS) return false
    const at = this.#makeRoom(size)
    if (at === 0) return false

    const typeClass = type | (qclass << 16)
    const hash = questionHash(key.hash, typeClass, bits)
    let predecessor = this.#locate(hash, key, typeClass, bits, kind)
    if (predecessor === 0 && this.#makeSlot(kind)) {
      // What made room may have been of this chain.
      predecessor = this.#locate(hash, key, typeClass, bits, kind)
    }
    const slots = this.#slots[kind]
    const slot = predecessor === 0 ? slots.take() : entrySlot(words, predecessor)
    const flags = entryFlags(bits, kind, isFailure)
    writeEntry(words, this.#floats, at, size, slot, hash, key, typeClass, flags, ttl, expiresMs, nowMs)
    writeUse(words, this.#floats, at, predecessor)
    const to = entryForm(words, at)
    const from = form.words
    const { wordCount } = form
    for (let i = 0; i < wordCount; i++) words[to + i] = from[i]

    const link = predecessor === 0 ? bucketLink(this.#region, hash) : this.#link
    this.#publish(at, size, slot, slots, link, predecessor)
    if (predecessor === 0) {
      slots.eviction.add(slot, hash, size)
      writeEntryCount(words, kind, slots.count)
    } else slots.eviction.resize(slot, size)
    writeOctets(words, this.#octets)
    return true
  }

  /** Takes out the answer to a question of a kind, if there is one. */
  drop(key: Query, type: number, qclass: number, bits: number, kind: number): void {
    const typeClass = type | (qclass << 16)
    const entry = this.#locate(questionHash(key.hash, typeClass, bits), key, typeClass, bits, kind)
    if (entry === 0) return
    const slot = entrySlot(this.#words, entry)
    this.#slots[kind].eviction.remove(slot)
    this.#forget(kind, slot)
    writeOctets(this.#words, this.#octets)
  }

  /** Once a turn: makes memory ready for the next, as far as readers have passed. Cheap if there is nothing to do. */
  flush(): void {
    this.#segments.reclaim()
    for (let i = 0; i < CLEANINGS_MAX && this.#segments.needsCleaning() && !this.#segments.isWaiting; i++) {
      if (!this.#clean()) return
      this.#segments.reclaim()
    }
  }

  /** Finds `size` words, evicting what is in the way. @returns 0 if there are none */
  #makeRoom(size: number): number {
    const segments = this.#segments
    const at = segments.take(size)
    if (at !== 0) return at
    while (segments.words + size > segments.wordsMax && this.#evictLarger());
    for (let cleaned = 0; !segments.openForNew(); cleaned++) {
      // While readers hold what was retired, cleaning would use up what is left for it.
      if (cleaned === CLEANINGS_MAX || segments.isWaiting || !this.#clean()) return 0
      const afterMoves = segments.take(size)
      if (afterMoves !== 0) return afterMoves
    }
    return segments.take(size)
  }

  /** Sees to it that there is a free slot, and that the chain that #locate() has walked has room. @returns whether an entry had to go */
  #makeSlot(kind: number): boolean {
    if (this.#chainLength >= CHAIN_MAX) {
      const entry = linked(this.#words, this.#lastLink)
      const slot = entrySlot(this.#words, entry)
      const chainKind = entryKind(this.#words, entry)
      this.#slots[chainKind].eviction.remove(slot)
      this.#forget(chainKind, slot)
      countEviction(this.#floats, chainKind)
      if (!this.#slots[kind].isFull) return true
    }
    return this.#slots[kind].isFull && this.#evict(kind, false)
  }

  /** Evicts of the kind that takes more memory. */
  #evictLarger(): boolean {
    const [success, denial] = this.#slots
    return this.#evict(success.words >= denial.words ? SUCCESS : DENIAL, true)
  }

  #evict(kind: number, isBySize: boolean): boolean {
    const slots = this.#slots[kind]
    const slot = slots.eviction.evict(slots, isBySize)
    if (slot === 0) return false
    this.#forget(kind, slot)
    countEviction(this.#floats, kind)
    return true
  }

  /** Takes the entry of a slot out of its chain, and gives back both. */
  #forget(kind: number, slot: number): void {
    const words = this.#words
    const slots = this.#slots[kind]
    const entry = slots.entries[slot]
    const size = entrySize(words, entry)
    writeLink(words, this.#linkOf(entry), linked(words, entryLink(entry)))
    slots.giveBack(slot)
    slots.words -= size
    this.#octets -= size * 4
    this.#segments.giveBack(entry, size)
    writeEntryCount(words, kind, slots.count)
  }

  /** Puts the entry `at`, complete but for its link, in place of `predecessor`, or in front of what `link` leads to. */
  #publish(at: number, size: number, slot: number, slots: Slots, link: number, predecessor: number): void {
    const words = this.#words
    const next = predecessor === 0 ? linked(words, link) : linked(words, entryLink(predecessor))
    writeLink(words, entryLink(at), next)
    writeLink(words, link, at)
    slots.entries[slot] = at
    slots.words += size
    this.#octets += size * 4
    if (predecessor === 0) return
    const predecessorSize = entrySize(words, predecessor)
    slots.words -= predecessorSize
    this.#octets -= predecessorSize * 4
    this.#segments.giveBack(predecessor, predecessorSize)
  }

  /** Moves what is left in the emptiest segment. @returns false if that gains nothing, or there is nowhere to move it */
  #clean(): boolean {
    const words = this.#words
    const segments = this.#segments
    const segment = segments.emptiest()
    if (segment < 0) return false
    const end = segments.end(segment)
    for (let entry = segments.start(segment); entry < end; ) {
      const size = entrySize(words, entry)
      const slot = entrySlot(words, entry)
      const slots = this.#slots[entryKind(words, entry)]
      if (slots.entries[slot] === entry) {
        if (!segments.openForMove(size)) return false
        const to = segments.take(size)
        for (let i = 1; i < size; i++) words[to + i] = words[entry + i]
        this.#publish(to, size, slot, slots, this.#linkOf(entry), entry)
      }
      entry += size
    }
    return true
  }

  /** The entry of this question and kind, 0 for none. Sets #link, or else #lastLink; and #chainLength. */
  #locate(hash: number, key: Query, typeClass: number, bits: number, kind: number): number {
    const words = this.#words
    let link = bucketLink(this.#region, hash)
    this.#chainLength = 0
    for (let entry = linked(words, link); entry !== 0; entry = linked(words, link)) {
      if (entryAnswers(words, entry, hash, key, typeClass, bits) && entryKind(words, entry) === kind) {
        this.#link = link
        return entry
      }
      this.#lastLink = link
      this.#chainLength++
      link = entryLink(entry)
    }
    return 0
  }

  /** The link that leads to `entry`. */
  #linkOf(entry: number): number {
    const words = this.#words
    let link = bucketLink(this.#region, entryHash(words, entry))
    while (linked(words, link) !== entry) link = entryLink(linked(words, link))
    return link
  }
}

/** The entries of one kind. */
class Slots implements Residents {
  /** Words of the entries. */
  words = 0
  count = 0
  /** Ref of the entry by slot, 0 for none. */
  readonly entries: Int32Array
  readonly eviction: Eviction
  readonly #words: Int32Array
  readonly #free: Int32Array
  #freeCount = 0
  /** Slots that were ever taken, the first ones. */
  #touched = 0

  constructor(words: Int32Array, capacity: number) {
    this.#words = words
    this.entries = new Int32Array(capacity + 1)
    this.#free = new Int32Array(capacity)
    this.eviction = new Eviction(capacity)
  }

  get isFull(): boolean {
    return this.count === this.eviction.capacity
  }

  /** A slot; there must be one. */
  take(): number {
    this.count++
    return this.#freeCount > 0 ? this.#free[--this.#freeCount] : ++this.#touched
  }

  giveBack(slot: number): void {
    this.entries[slot] = 0
    this.#free[this.#freeCount++] = slot
    this.count--
  }

  uses(slot: number): number {
    return entryUses(this.#words, this.entries[slot])
  }

  setUses(slot: number, uses: number): void {
    writeUses(this.#words, this.entries[slot], uses)
  }
}
