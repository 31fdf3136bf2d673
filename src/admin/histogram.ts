// A histogram that the main thread fills. Those of queries are counted in shared memory (src/workers/counters.ts).

import type { HistogramSample } from '../counting/values.ts'

/** Upper bounds of short durations, in seconds. */
export const SLIM_TIME_BOUNDS: readonly number[] = [0.00025, 0.0025, 0.025, 0.25, 2.5]

/** Observations, sorted into buckets. */
export class Histogram {
  readonly #bounds: readonly number[]
  readonly #counts: number[]
  #sum = 0

  /** @param bounds  upper bounds of the buckets, inclusive, ascending */
  constructor(bounds: readonly number[]) {
    this.#bounds = bounds
    this.#counts = new Array(bounds.length + 1).fill(0)
  }

  observe(value: number): void {
    let bucket = 0
    while (bucket < this.#bounds.length && value > this.#bounds[bucket]) bucket++
    this.#counts[bucket]++
    this.#sum += value
  }

  /** What was observed so far, under a name and labels. */
  sample(name: string, labels: Readonly<Record<string, string>> = {}): HistogramSample {
    return { name, labels, counts: [...this.#counts], sum: this.#sum }
  }
}
