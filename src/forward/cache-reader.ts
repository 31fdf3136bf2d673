// A worker's view of a block's cache: finds entries, says what they are, marks their use. Hot: nothing is allocated. Refs are good
// from hold() to release(). Not here: what becomes of an entry (the answer stage), or what is kept (cache-writer.ts).

import type { Query } from '../dns/question.ts'
import {
  attachCache,
  bucketLink,
  type CacheRegion,
  claimEntry,
  countStreak,
  countUse,
  entryAnswers,
  entryExpiresMs,
  entryForm,
  entryIsFailure,
  entryKind,
  entryLife,
  entryLink,
  entryStoredMs,
  holdCache,
  linked,
  questionHash,
  releaseCache,
} from './cache-region.ts'
import { SUCCESS } from './ready-answer.ts'

export class CacheReader {
  /** For appendReady(), together with form(). */
  readonly words: Int32Array
  readonly octets: Uint8Array
  /** What find() has found last; 0 for none. */
  success = 0
  denial = 0
  private readonly region: CacheRegion
  private readonly floats: Float64Array
  private readonly reader: number

  /**
   * @param region  of createCache()
   * @param reader  0 to the count of readers that it was made for, each of them one thread's
   * @throws CacheLayoutError if it is no cache
   */
  constructor(region: SharedArrayBuffer, reader: number) {
    this.region = attachCache(region)
    this.words = this.region.words
    this.octets = this.region.octets
    this.floats = this.region.floats
    this.reader = reader
  }

  /** Before the first find() of a batch. */
  hold(): void {
    holdCache(this.words, this.reader)
  }

  /** After the last use of a ref. Whoever finds a worker gone releases what it held. */
  release(): void {
    releaseCache(this.words, this.reader)
  }

  /**
   * Looks for both kinds of entries of a question, expired ones too. Sets `success` and `denial`.
   * @param key   the whole name as its key, zone 0
   * @param bits  DNSSEC_OK and so on
   * @returns whether there is any
   */
  find(key: Query, type: number, qclass: number, bits: number): boolean {
    const { words } = this
    const typeClass = type | (qclass << 16)
    const hash = questionHash(key.hash, typeClass, bits)
    let success = 0
    let denial = 0
    for (
      let entry = linked(words, bucketLink(this.region, hash));
      entry !== 0;
      entry = linked(words, entryLink(entry))
    ) {
      if (!entryAnswers(words, entry, hash, key, typeClass, bits)) continue
      if (entryKind(words, entry) === SUCCESS) success = entry
      else denial = entry
      if (success !== 0 && denial !== 0) break
    }
    this.success = success
    this.denial = denial
    return (success | denial) !== 0
  }

  /** Ref of the form, for appendReady(). */
  form(ref: number): number {
    return entryForm(this.words, ref)
  }

  storedMs(ref: number): number {
    return entryStoredMs(this.floats, ref)
  }

  expiresMs(ref: number): number {
    return entryExpiresMs(this.floats, ref)
  }

  /** Seconds that it lives in all. */
  ttl(ref: number): number {
    return entryLife(this.words, ref)
  }

  /** Is it a SERVFAIL or a NOTIMP? */
  isFailure(ref: number): boolean {
    return entryIsFailure(this.words, ref)
  }

  /** Says that the entry was of use. A plain store, and none for an entry that is in use all the time. */
  hit(ref: number, _nowMs?: number): void {
    countUse(this.words, ref)
  }

  /** Hits in a row with gaps of at most gapMs (up to 64 ms more may pass), this one included; goes on over a refresh. At most 65,535. */
  streak(ref: number, nowMs: number, gapMs: number): number {
    return countStreak(this.words, this.floats, ref, nowMs, gapMs)
  }

  /** True for one caller of all readers in againMs: it is to have the entry refreshed. */
  claimRefresh(ref: number, nowMs: number, againMs: number): boolean {
    return claimEntry(this.words, this.floats, ref, nowMs, againMs)
  }
}
