// Empties the workers' rings of log lines: wakes up when something is there, lets lines gather for a moment, and never holds the main thread
// for long.

import { LogRingReader, type LogVisitor } from '../workers/log-ring.ts'

/** Who takes what comes out. */
export interface LogConsumer extends LogVisitor {
  /** Called after each round: what was taken may go out together. */
  flush(): void
  /** An entry, or a ring, that could not be read; the rest goes on. */
  failed(error: unknown): void
}

/** From a wake-up to the next round. */
const GATHER_MS = 10
/** One ring's share of a round. */
const ROUND_MS = 4
const ENTRIES_A_LOOK = 128

/** Takes lines out of some rings until it is stopped. It does not keep the process alive. */
export class LogPump {
  readonly #readers: readonly LogRingReader[]
  readonly #consumer: LogConsumer
  #isStopped = false
  readonly #loops: Promise<void>[]

  /** @param rings  of createLogRing(); one a worker */
  constructor(rings: readonly SharedArrayBuffer[], consumer: LogConsumer) {
    this.#readers = rings.map((memory) => new LogRingReader(memory))
    this.#consumer = consumer
    this.#loops = this.#readers.map((reader) => this.#loop(reader))
  }

  /** Lines that found no room in their ring. */
  get dropped(): number {
    return this.#readers.reduce((sum, { dropped }) => sum + dropped, 0)
  }

  /** Takes out what is there now, all of it. */
  drain(): void {
    for (const reader of this.#readers) while (this.#take(reader, Number.POSITIVE_INFINITY) > 0);
    this.#consumer.flush()
  }

  /** Stops, and takes out what is left. The writers should have ended. */
  async stop(): Promise<void> {
    this.#isStopped = true
    for (const reader of this.#readers) reader.wake()
    await Promise.all(this.#loops)
    this.drain()
  }

  /** A line that goes wrong must not take DNS down. */
  #take(reader: LogRingReader, max: number): number {
    try {
      return reader.drain(this.#consumer, max)
    } catch (error) {
      this.#consumer.failed(error)
      return max
    }
  }

  async #loop(reader: LogRingReader): Promise<void> {
    while (!this.#isStopped) {
      await reader.filled()
      if (this.#isStopped) return
      const until = performance.now() + ROUND_MS
      while (this.#take(reader, ENTRIES_A_LOOK) === ENTRIES_A_LOOK && performance.now() < until);
      this.#consumer.flush()
      await new Promise<void>((resolve) => setTimeout(resolve, GATHER_MS).unref())
    }
  }
}
