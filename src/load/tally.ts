// What one worker counts: a second at a time, handed out when it is over, so that nobody has to look into a busy thread.
// All transports count alike, because this is where an answer, a loss and a send are understood.

import { LatencyCounts } from './latency-counts.ts'
import { RCODES } from './run.ts'
import type { RunTimes } from './worker-run.ts'

/** A second of one worker, as it is posted. */
export interface WorkerSecond {
  /** 0 = the first that counts; negative while warming up. */
  readonly index: number
  readonly seconds: number
  /** By COUNTERS. */
  readonly counters: Float64Array<ArrayBuffer>
  readonly rcodes: Float64Array<ArrayBuffer>
  readonly errors: Readonly<Record<string, number>>
  /** Cells of LatencyCounts. */
  readonly latency: Uint32Array<ArrayBuffer>
  readonly rawLatency: Uint32Array<ArrayBuffer>
  readonly lateness: Uint32Array<ArrayBuffer>
}

/** Places of the counters. */
export const COUNTERS = [
  'sent',
  'answered',
  'lost',
  'late',
  'truncated',
  'unexpected',
  'mismatched',
  'malformed',
  'octetsSent',
  'octetsReceived',
  'connections',
] as const
const [SENT, ANSWERED, LOST, LATE, TRUNCATED, UNEXPECTED, MISMATCHED, MALFORMED, OCTETS_SENT, OCTETS_RECEIVED, OPENED] =
  COUNTERS.keys()

const SECOND_MS = 1000
/** The difference of two times may be off by less than this: a whole second must not become two. */
const ROUNDING_MS = 1e-6
const FLAGS_OFFSET = 2
const TC = 0x02
const RCODE_OFFSET = 3

/** Times are of the worker's clock, in milliseconds. */
export class Tally {
  readonly #lateMs: number
  readonly #hand: (second: WorkerSecond) => void
  readonly #counters = new Float64Array(COUNTERS.length)
  readonly #rcodes = new Float64Array(RCODES)
  #errors: Record<string, number> = {}
  readonly #latency = new LatencyCounts()
  readonly #raw = new LatencyCounts()
  readonly #lateness = new LatencyCounts()
  /** Queries that were to be sent earlier do not count (any more). */
  #countsFromMs = Number.NEGATIVE_INFINITY
  #fromMs = 0
  #toMs = 0
  #index = 0
  #beganMs = 0
  #endsMs = 0

  /** @param hand  takes a second that is over */
  constructor(lateMs: number, hand: (second: WorkerSecond) => void) {
    this.#lateMs = lateMs
    this.#hand = hand
  }

  /** Before anything is counted. */
  begin({ startMs, fromMs, toMs }: RunTimes): void {
    this.#fromMs = fromMs
    this.#toMs = toMs
    // Seconds are counted from where it counts: the first of the warm-up may be shorter.
    this.#index = Math.floor((startMs - fromMs + ROUNDING_MS) / SECOND_MS)
    this.#beganMs = startMs
    this.#endsMs = this.#endOf(this.#index)
  }

  /** When turn() has something to do. */
  get endsMs(): number {
    return this.#endsMs
  }

  /** Hands out the seconds that are over. */
  turn(nowMs: number): void {
    while (nowMs >= this.#endsMs) this.#finishSecond(this.#endsMs)
  }

  /** Hands out what is left: everything is answered or lost. */
  finish(nowMs: number): void {
    this.turn(nowMs)
    this.#finishSecond(nowMs)
  }

  /** A query of that many octets has left. */
  sent(intendedMs: number, sentMs: number, octets: number): void {
    // A query that counts is counted where it belongs, whenever the loop looks at the time.
    if (sentMs >= this.#endsMs) this.turn(sentMs)
    if (intendedMs < this.#countsFromMs) return
    const counters = this.#counters
    counters[SENT]++
    counters[OCTETS_SENT] += octets
    if (sentMs - intendedMs > this.#lateMs) counters[LATE]++
  }

  /** So many queries left with one call, the first of them to be sent at that time. */
  call(firstIntendedMs: number, sentMs: number, queries: number): void {
    if (firstIntendedMs >= this.#countsFromMs) this.#lateness.addMany(sentMs - firstIntendedMs, queries)
  }

  /** An answer. @param at  where the message begins in `bytes` */
  answered(intendedMs: number, sentMs: number, nowMs: number, bytes: Uint8Array, at: number, length: number): void {
    if (intendedMs < this.#countsFromMs) return
    const counters = this.#counters
    counters[ANSWERED]++
    counters[OCTETS_RECEIVED] += length
    if ((bytes[at + FLAGS_OFFSET] & TC) !== 0) counters[TRUNCATED]++
    this.#rcodes[bytes[at + RCODE_OFFSET] & (RCODES - 1)]++
    this.#latency.add(nowMs - intendedMs)
    this.#raw.add(nowMs - sentMs)
  }

  /** A query is given up. */
  lost(intendedMs: number, sentMs: number, timeoutMs: number): void {
    if (intendedMs < this.#countsFromMs) return
    this.#counters[LOST]++
    this.#latency.add(timeoutMs + sentMs - intendedMs)
    this.#raw.add(timeoutMs)
  }

  /** A message that answers nothing under way. */
  unexpected(): void {
    this.#counters[UNEXPECTED]++
  }

  /** An answer to another question. */
  mismatched(): void {
    this.#counters[MISMATCHED]++
  }

  /** No response. */
  malformed(): void {
    this.#counters[MALFORMED]++
  }

  /** A connection is open. */
  connected(): void {
    this.#counters[OPENED]++
  }

  /** Something went wrong. Rare: it makes strings. */
  failed(what: string, times = 1): void {
    this.#errors[what] = (this.#errors[what] ?? 0) + times
  }

  #endOf(index: number): number {
    const end = this.#fromMs + (index + 1) * SECOND_MS
    // What comes after the end is counted with the last second.
    return end >= this.#toMs && index >= 0 ? Number.POSITIVE_INFINITY : end
  }

  #finishSecond(endMs: number): void {
    const isWarmup = this.#index < 0
    const end = Math.min(endMs, Math.max(this.#toMs, this.#beganMs))
    this.#hand({
      index: this.#index,
      seconds: (end - this.#beganMs) / 1000,
      counters: this.#counters.slice(),
      rcodes: this.#rcodes.slice(),
      errors: this.#errors,
      latency: this.#latency.cells.slice(),
      rawLatency: this.#raw.cells.slice(),
      lateness: this.#lateness.cells.slice(),
    })
    this.#counters.fill(0)
    this.#rcodes.fill(0)
    this.#errors = {}
    this.#latency.reset()
    this.#raw.reset()
    this.#lateness.reset()
    this.#beganMs = end
    this.#index++
    this.#endsMs = this.#endOf(this.#index)
    if (isWarmup && this.#index >= 0) this.#countsFromMs = this.#fromMs
  }
}
