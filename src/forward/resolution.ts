// Getting an answer from upstreams for one block, in the resolver thread: the same question is asked once however many wait for it, the first
// `forward` that is meant for the name is asked, and what it says goes into the cache and to all who wait. Corefile reference 5.6, 5.7; RFC 2308, RFC 8767.
// Not here: sockets and retries (forwarder.ts), and who waits (workers/resolver.ts).

import type { CacheConfig, ForwardConfig } from '../config/configuration.ts'
import { FOLD } from '../dns/name.ts'
import { COPY_LENGTH_MAX, copyQuery, HEADER_LENGTH, Query, readQuery } from '../dns/question.ts'
import { NOERROR, NXDOMAIN, OPT_LENGTH, REFUSED } from '../dns/response.ts'
import type { CacheReader } from './cache-reader.ts'
import type { CacheWriter } from './cache-writer.ts'
import { monotonicMs } from './clock.ts'
import type { ForwardCounters } from './forward-counters.ts'
import { cacheBits, classOf, type ForwardSource, type ForwardStage } from './forward-stage.ts'
import type { Cancelable, Forwarder, UpstreamOutcome } from './forwarder.ts'
import { DENIAL, FAILURE, type ReadyAnswer, SUCCESS, UNCACHEABLE } from './ready-answer.ts'
import { capTtl, TtlCap } from './ttl-cap.ts'

/** What came of it. One object is filled again and again: good during the call. */
export class Resolved {
  /** The ready form (ready-form.ts) at words[ref]; null: there is none, RCODE and error say why. */
  words: Int32Array | null = null
  octets: Uint8Array = new Uint8Array(0)
  ref = 0
  /** For every record; -1: as stored. */
  ttl = -1
  /** It comes out of the cache. */
  isCached = false
  /** Out of an entry that had run out: nothing better could be had in time. */
  isStale = false
  rcode = 0
  /** '' = nothing to say. */
  error = ''
}

export type Done = (resolved: Resolved) => void

/** A question that is being asked. */
export interface Pending {
  /** '' = by itself. */
  readonly key: string
  /** The query, and nothing behind it. */
  readonly packet: Uint8Array
  readonly stream: boolean
  readonly waiting: Done[]
  /** Number of the `forward` that is asked. */
  forward: number
  timer: NodeJS.Timeout | undefined
  asked: Cancelable | null
}

/** Questions that nobody waits for, beside those that somebody waits for. */
const REFRESHES_MAX = 10_000

export class BlockResolution {
  readonly #forwards: readonly ForwardConfig[]
  readonly #config: CacheConfig | null
  readonly #cap: TtlCap | null
  readonly #stage: ForwardStage
  readonly #writer: CacheWriter | null
  readonly #forwarders: readonly Forwarder[]
  readonly #counters: () => ForwardCounters
  readonly #pending = new Map<string, Pending>()
  /** Who waits for each `forward`. */
  readonly #waiting: number[]
  readonly #resolved = new Resolved()
  readonly #query = new Query()
  readonly #key = new Query()
  readonly #text = Buffer.alloc(COPY_LENGTH_MAX)

  /**
   * @param stage  of the resolver thread's own reader
   * @param forwarders  one for each `forward` of the source
   */
  constructor(
    source: ForwardSource,
    stage: ForwardStage,
    writer: CacheWriter | null,
    forwarders: readonly Forwarder[],
    counters: () => ForwardCounters,
  ) {
    this.#forwards = source.forwards
    this.#config = source.cache?.config ?? null
    this.#cap = this.#config === null ? null : new TtlCap(this.#config)
    this.#stage = stage
    this.#writer = writer
    this.#forwarders = forwarders
    this.#counters = counters
    this.#waiting = forwarders.map(() => 0)
  }

  /**
   * Gets an answer. `done` is called once: within about 5 s, or before this returns.
   *
   * @param query    as readQuery() has left it; the name is taken by some `forward` of the block
   * @param stream   whether the client came over TCP
   * @param isAlone  neither cache nor others' questions are to be made use of
   * @returns what is being asked, for leave(); null if `done` has been called
   */
  resolve(
    query: Query,
    packet: Uint8Array,
    start: number,
    stream: boolean,
    isAlone: boolean,
    done: Done,
  ): Pending | null {
    const stage = this.#stage
    const forward = stage.forwardOf(query, packet, start, 0)
    if (forward < 0) {
      this.#fail(REFUSED, '', done)
      return null
    }
    const key = isAlone ? '' : this.#keyOf(query, packet, start)
    const pending = isAlone ? undefined : this.#pending.get(key)
    if (!isAlone && pending === undefined && this.#answerCached(query, packet, start, done)) return null
    const { maxConcurrent } = this.#forwards[forward]
    if (maxConcurrent > 0 && this.#waiting[forward] >= maxConcurrent) {
      this.#counters().rejected()
      this.#fail(REFUSED, `concurrent queries exceeded maximum ${maxConcurrent}`, done)
      return null
    }
    const asked = pending ?? this.#begin(query, packet, start, stream, forward, key)
    asked.waiting.push(done)
    this.#waiting[asked.forward]++
    if (pending !== undefined) return pending
    this.#verify(asked, query, packet, start)
    this.#ask(asked)
    return asked
  }

  /** `done` is not to be called any more. What nobody waits for is not asked on. */
  leave(pending: Pending, done: Done): void {
    const place = pending.waiting.indexOf(done)
    if (place < 0) return
    pending.waiting.splice(place, 1)
    this.#waiting[pending.forward]--
    if (pending.waiting.length > 0) return
    this.#end(pending)
    pending.asked?.cancel()
  }

  /** Has the cache's entry for a question renewed, for nobody in particular. */
  refresh(query: Query, packet: Uint8Array, start: number): void {
    const forward = this.#stage.forwardOf(query, packet, start, 0)
    if (forward < 0 || this.#pending.size > REFRESHES_MAX) return
    const key = this.#keyOf(query, packet, start)
    if (this.#pending.has(key)) return
    this.#ask(this.#begin(query, packet, start, false, forward, key))
  }

  #begin(query: Query, packet: Uint8Array, start: number, stream: boolean, forward: number, key: string): Pending {
    const copy = new Uint8Array(query.questionEnd + OPT_LENGTH)
    const length = copyQuery(query, packet, start, copy, 0)
    const pending: Pending = {
      key,
      packet: copy.subarray(0, length),
      stream,
      waiting: [],
      forward,
      timer: undefined,
      asked: null,
    }
    if (key !== '') this.#pending.set(key, pending)
    return pending
  }

  /** `serve_stale verify TIMEOUT`: who waits longer gets what has run out. */
  #verify(pending: Pending, query: Query, packet: Uint8Array, start: number): void {
    const { cache } = this.#stage
    const timeoutMs = this.#config?.serveStale?.verifyTimeoutMs ?? 0
    if (cache === null || timeoutMs === 0 || !this.#stage.isCached(query, packet, start)) return
    pending.timer = setTimeout(() => this.#serveStale(pending), timeoutMs)
  }

  #ask(pending: Pending): void {
    const { packet, stream, forward } = pending
    const query = this.#query
    readQuery(query, packet, 0, packet.length)
    const { type, dnssecOk, questionEnd } = query
    const question = packet.subarray(HEADER_LENGTH, questionEnd)
    const recursionDesired = (packet[2] & 0x01) !== 0
    const checkingDisabled = (packet[3] & 0x10) !== 0
    pending.asked = this.#forwarders[forward].ask(
      { question, type, recursionDesired, checkingDisabled, dnssecOk, stream },
      (outcome: UpstreamOutcome) => this.#take(pending, outcome),
    )
  }

  #take(pending: Pending, outcome: UpstreamOutcome): void {
    const { packet } = pending
    const query = this.#query
    readQuery(query, packet, 0, packet.length)
    const answer = outcome.kind === 'reply' ? outcome.answer : null
    if (answer !== null && this.#asksNext(pending, query, answer)) return
    // Nothing else takes the place of what has run out, whether it could be kept or not.
    const isAnswer = answer !== null && (answer.rcode === NOERROR || answer.rcode === NXDOMAIN)
    if (!isAnswer && this.#serveStale(pending)) {
      this.#end(pending)
      return
    }
    if (outcome.kind === 'failure') this.#fillFailure(outcome.rcode, outcome.error)
    else this.#fill(outcome.answer, this.#store(query, packet, outcome.answer))
    this.#end(pending, this.#resolved)
  }

  /** `next`, `next_on_nodata`: hands over to the next `forward` of the block, if there is one for the name. */
  #asksNext(pending: Pending, query: Query, answer: ReadyAnswer): boolean {
    const { next, nextOnNodata } = this.#forwards[pending.forward]
    const isNodata = answer.rcode === NOERROR && (answer.words[1] & 0xffff) === 0
    if (!next.includes(answer.rcode) && !(nextOnNodata && isNodata)) return false
    const forward = this.#stage.forwardOf(query, pending.packet, 0, pending.forward + 1)
    if (forward < 0) return false
    this.#waiting[pending.forward] -= pending.waiting.length
    this.#waiting[forward] += pending.waiting.length
    pending.forward = forward
    this.#ask(pending)
    return true
  }

  /** Puts an answer into the cache, if it may be. @returns the TTL that all its records get, -1: as they have it */
  #store(query: Query, packet: Uint8Array, answer: ReadyAnswer): number {
    const writer = this.#writer
    const config = this.#config
    const { kind } = answer
    if (writer === null || config === null || kind === UNCACHEABLE) return -1
    if (!this.#cap!.applies(query, packet, 0, kind !== SUCCESS)) return -1
    const nowMs = monotonicMs()
    const key = this.#key
    this.#stage.readKey(key, query, packet, 0)
    const qclass = classOf(query, packet, 0)
    const bits = cacheBits(query, packet, 0)
    const { type } = query
    if (kind === FAILURE) {
      const seconds = Math.ceil(config.servfailMs / 1000)
      if (config.servfailMs === 0) return -1
      writer.put(key, type, qclass, bits, DENIAL, true, seconds, nowMs + config.servfailMs, nowMs, answer)
      return seconds
    }
    const ttl = capTtl(answer.ttl, kind === SUCCESS ? config.success : config.denial)
    writer.put(key, type, qclass, bits, kind, false, ttl, nowMs + ttl * 1000, nowMs, answer)
    if (kind === SUCCESS) writer.drop(key, type, qclass, bits, DENIAL)
    else if (!config.preferPositive) writer.drop(key, type, qclass, bits, SUCCESS)
    writer.flush()
    return ttl
  }

  /** The cache may have the answer by now. */
  #answerCached(query: Query, packet: Uint8Array, start: number, done: Done): boolean {
    const stage = this.#stage
    const { cache } = stage
    if (cache === null || !stage.isCached(query, packet, start)) return false
    stage.beginBatch()
    const ref = stage.look(cache, query, packet, start)
    if (ref !== 0) {
      this.#fillCached(cache, ref, stage.ttl(cache, ref))
      done(this.#resolved)
    }
    stage.endBatch()
    return ref !== 0
  }

  /** Gives those who wait what has run out. @returns false if there is nothing */
  #serveStale(pending: Pending): boolean {
    const stage = this.#stage
    const { cache } = stage
    const { packet } = pending
    const serveStale = this.#config?.serveStale ?? null
    if (cache === null || serveStale === null) return false
    const query = this.#query
    readQuery(query, packet, 0, packet.length)
    stage.beginBatch()
    const ref = stage.lookStale(cache, query, packet, 0)
    if (ref !== 0) {
      this.#fillCached(cache, ref, serveStale.ttl)
      this.#resolved.isStale = true
      this.#release(pending, this.#resolved)
    }
    stage.endBatch()
    return ref !== 0
  }

  #fillCached(cache: CacheReader, ref: number, ttl: number): void {
    const resolved = this.#resolved
    resolved.words = cache.words
    resolved.octets = cache.octets
    resolved.ref = cache.form(ref)
    resolved.ttl = ttl
    resolved.isCached = true
    resolved.isStale = false
    resolved.rcode = NOERROR
    resolved.error = ''
  }

  #fill(answer: ReadyAnswer, ttl: number): void {
    const resolved = this.#resolved
    resolved.words = answer.words
    resolved.octets = answer.octets
    resolved.ref = 0
    resolved.ttl = ttl
    resolved.isCached = false
    resolved.isStale = false
    resolved.rcode = answer.rcode
    resolved.error = ''
  }

  #fillFailure(rcode: number, error: string): void {
    const resolved = this.#resolved
    resolved.words = null
    resolved.isCached = false
    resolved.isStale = false
    resolved.rcode = rcode
    resolved.error = error
  }

  #fail(rcode: number, error: string, done: Done): void {
    this.#fillFailure(rcode, error)
    done(this.#resolved)
  }

  /** Answers who waits; the question goes on. */
  #release(pending: Pending, resolved: Resolved): void {
    const { waiting } = pending
    this.#waiting[pending.forward] -= waiting.length
    for (const done of waiting) done(resolved)
    waiting.length = 0
  }

  #end(pending: Pending, resolved?: Resolved): void {
    clearTimeout(pending.timer)
    if (pending.key !== '') this.#pending.delete(pending.key)
    if (resolved !== undefined) this.#release(pending, resolved)
  }

  /** What makes questions the same: name in lower case, type, class, DO, CD, RD. */
  #keyOf(query: Query, packet: Uint8Array, start: number): string {
    const text = this.#text
    const { nameLength, questionEnd } = query
    for (let i = 0; i < nameLength; i++) text[i] = FOLD[packet[start + HEADER_LENGTH + i]]
    let length = nameLength
    for (let i = HEADER_LENGTH + nameLength; i < questionEnd; i++) text[length++] = packet[start + i]
    text[length++] = cacheBits(query, packet, start)
    return text.toString('latin1', 0, length)
  }
}
