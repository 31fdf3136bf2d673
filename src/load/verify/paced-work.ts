// Work that is due at times of its own: some of it at once, and not too much in a second. What is due first is done first.

import { setTimeout as sleep } from 'node:timers/promises'

interface Work {
  /** As performance.now() has it. */
  readonly dueMs: number
  readonly run: () => Promise<void>
}

/** Longest sleep: work that is added meanwhile may be due earlier. */
const TICK_MS = 50

export class PacedWork {
  readonly #atOnce: number
  readonly #pauseMs: number
  readonly #waiting: Work[] = []
  readonly #lanes = new Set<Promise<void>>()

  /**
   * @param atOnce   how much is done at the same time, from 1 on
   * @param pauseMs  after each piece, in each of these lanes
   */
  constructor(atOnce: number, pauseMs: number) {
    this.#atOnce = atOnce
    this.#pauseMs = pauseMs
  }

  /** @param run  must not reject */
  add(dueMs: number, run: () => Promise<void>): void {
    this.#waiting.push({ dueMs, run })
    if (this.#lanes.size === this.#atOnce) return
    const lane: Promise<void> = this.#work().finally(() => this.#lanes.delete(lane))
    this.#lanes.add(lane)
  }

  /** Settles when all is done, also what is added meanwhile. */
  async done(): Promise<void> {
    while (this.#lanes.size > 0) await Promise.all(this.#lanes)
  }

  async #work(): Promise<void> {
    while (this.#waiting.length > 0) {
      const first = this.#waiting.reduce((least, work) => (work.dueMs < least.dueMs ? work : least))
      const leftMs = first.dueMs - performance.now()
      if (leftMs > 0) {
        await sleep(Math.min(leftMs, TICK_MS))
        continue
      }
      this.#waiting.splice(this.#waiting.indexOf(first), 1)
      await first.run()
      await sleep(this.#pauseMs)
    }
  }
}
