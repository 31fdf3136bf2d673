// The kernel stamps datagrams as they come, by the time of day (SO_TIMESTAMPNS, socket(7)); here times are performance.now(). What lies
// between the two changes slowly while the clock is being corrected (adjtime(3)), and at once when somebody sets it: it is measured again
// and again.

import { TIMESPEC_SIZE, timeNanoseconds, timeSeconds } from './layouts.ts'
import { mapMemory, readTimeOfDay, unmapMemory, viewMemory } from './libc.ts'

/** A measurement that took longer was disturbed, */
const DISTURBED_MS = 0.005
/** and is better than one that is this old. */
const OLD_MS = 50
const FIRST_TRIES = 20

/** For one thread: performance.now() counts from its start. */
export class StampClock {
  readonly #memory: number
  readonly #words: Uint32Array
  /** Seconds of the time of day that are left out: numbers stay small, and so exact. */
  readonly #baseSeconds: number
  /** Time of day less performance.now(). */
  #aheadMs = 0
  #syncedMs = Number.NEGATIVE_INFINITY

  constructor() {
    this.#memory = mapMemory(TIMESPEC_SIZE)
    this.#words = new Uint32Array(viewMemory(this.#memory, TIMESPEC_SIZE))
    readTimeOfDay(this.#memory)
    this.#baseSeconds = timeSeconds(this.#words, 0)
    for (let tries = 0; tries < FIRST_TRIES; tries++) this.sync()
  }

  /** Measures what lies between the clocks: to be called every few milliseconds. */
  sync(): void {
    const before = performance.now()
    readTimeOfDay(this.#memory)
    const after = performance.now()
    if (after - before > DISTURBED_MS && before - this.#syncedMs < OLD_MS) return
    this.#aheadMs = this.#sinceBase(this.#words, 0) - (before + after) / 2
    this.#syncedMs = after
  }

  /** The struct timespec at a word index, a time of day, in performance.now()'s milliseconds. */
  msOf(words: Uint32Array, time: number): number {
    return this.#sinceBase(words, time) - this.#aheadMs
  }

  free(): void {
    unmapMemory(this.#memory, TIMESPEC_SIZE)
  }

  #sinceBase(words: Uint32Array, time: number): number {
    return ((timeSeconds(words, time) - this.#baseSeconds) | 0) * 1000 + timeNanoseconds(words, time) / 1e6
  }
}
