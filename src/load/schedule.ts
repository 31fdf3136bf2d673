// When each query is to be sent: a pure function of its number, so that a generator that falls behind knows by how much.
// All workers follow the same schedule: of W workers, worker w sends the queries w, w + W, w + 2W, …

import type { Schedule } from './run.ts'

/** A replay that begins again takes at least so long for all of its queries, however fast they came once. */
const PASS_MIN_MS = 1

/** When to send. Times are milliseconds from the start of the run, warm-up included. */
export interface Pace {
  /** Queries that are to be sent by that time, one worker's. */
  dueBy(ms: number): number
  /** When the worker's query of that number (0, 1, …) is to be sent. */
  timeOf(number: number): number
}

/**
 * The pace of one worker; null for a closed loop, which has none.
 *
 * @param times  of the table, for a replay: `number` is then a place among the worker's queries in it
 */
export function paceOf(
  schedule: Schedule,
  warmupMs: number,
  durationMs: number,
  worker: number,
  workers: number,
  times: Float64Array | null,
): Pace | null {
  switch (schedule.kind) {
    case 'open':
      return new EvenPace(schedule.rate / 1000, worker, workers)
    case 'ramp':
      return new RampPace(schedule.from / 1000, schedule.to / 1000, warmupMs, durationMs, worker, workers)
    case 'replay':
      return times === null ? null : new ReplayPace(times, schedule.speed, warmupMs, worker, workers)
    case 'closed':
      return null
  }
}

/** Queries a second that the schedule has from one time to another, all workers together; NaN of a closed loop. */
export function offeredRate(
  schedule: Schedule,
  warmupMs: number,
  durationMs: number,
  fromMs: number,
  toMs: number,
): number {
  if (schedule.kind === 'open') return schedule.rate
  if (schedule.kind !== 'ramp') return Number.NaN
  const rateAt = (ms: number): number =>
    schedule.from + (schedule.to - schedule.from) * Math.min(1, Math.max(0, (ms - warmupMs) / durationMs))
  return (rateAt(fromMs) + rateAt(toMs)) / 2
}

class EvenPace implements Pace {
  readonly #perMs: number
  readonly #worker: number
  readonly #workers: number

  constructor(perMs: number, worker: number, workers: number) {
    this.#perMs = perMs
    this.#worker = worker
    this.#workers = workers
  }

  dueBy(ms: number): number {
    return ownShare(ms * this.#perMs, this.#worker, this.#workers)
  }

  timeOf(number: number): number {
    return (number * this.#workers + this.#worker) / this.#perMs
  }
}

class RampPace implements Pace {
  readonly #from: number
  /** Half of how the rate grows with each millisecond. */
  readonly #halfSlope: number
  readonly #warmupMs: number
  readonly #durationMs: number
  readonly #worker: number
  readonly #workers: number

  constructor(from: number, to: number, warmupMs: number, durationMs: number, worker: number, workers: number) {
    this.#from = from
    this.#halfSlope = (to - from) / durationMs / 2
    this.#warmupMs = warmupMs
    this.#durationMs = durationMs
    this.#worker = worker
    this.#workers = workers
  }

  dueBy(ms: number): number {
    const ramp = Math.min(Math.max(0, ms - this.#warmupMs), this.#durationMs)
    return ownShare(ms * this.#from + ramp * ramp * this.#halfSlope, this.#worker, this.#workers)
  }

  timeOf(number: number): number {
    const total = number * this.#workers + this.#worker
    const beyond = total - this.#warmupMs * this.#from
    // The first is due at once, whatever the rate.
    if (beyond <= 0) return total === 0 ? 0 : total / this.#from
    // from * t + halfSlope * t² = beyond, written so that a slope of 0 is no special case.
    const root = Math.sqrt(Math.max(0, this.#from * this.#from + 4 * this.#halfSlope * beyond))
    return this.#warmupMs + (2 * beyond) / (this.#from + root)
  }
}

class ReplayPace implements Pace {
  readonly #times: Float64Array
  /** From a query to the same one of the next pass: the gap between two passes is as long as those within, on average. */
  readonly #passMs: number
  readonly #speed: number
  readonly #warmupMs: number
  readonly #worker: number
  readonly #workers: number
  /** The worker's queries of one pass. */
  readonly #perPass: number
  /** Where dueBy() has come to: it is asked with later and later times. */
  #due = 0

  constructor(times: Float64Array, speed: number, warmupMs: number, worker: number, workers: number) {
    this.#times = times
    const count = times.length
    this.#passMs = Math.max(PASS_MIN_MS, count > 1 ? (times[count - 1] * count) / (count - 1) : 0)
    this.#speed = speed
    this.#warmupMs = warmupMs
    this.#worker = worker
    this.#workers = workers
    this.#perPass = Math.max(0, Math.ceil((count - worker) / workers))
  }

  dueBy(ms: number): number {
    if (this.#perPass === 0) return 0
    while (this.timeOf(this.#due) <= ms) this.#due++
    return this.#due
  }

  timeOf(number: number): number {
    const pass = Math.floor(number / this.#perPass)
    const place = this.#worker + (number % this.#perPass) * this.#workers
    return this.#warmupMs + (pass * this.#passMs + this.#times[place]) / this.#speed
  }
}

/** Of the queries 0, 1, … up to `due`, those that are one worker's. */
function ownShare(due: number, worker: number, workers: number): number {
  return Math.max(0, Math.floor((Math.floor(due) - worker) / workers) + 1)
}
