// What was counted, as plain values under names and labels: what counters of all kinds are read into, added up, and kept over reloads. Not
// here: the memory that is counted in (src/workers/counters.ts, src/forward/forward-counters.ts), and the text of metrics (src/admin).

/** One counter with labels. */
export interface CounterSample {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

/** One histogram with labels. */
export interface HistogramSample {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  /** Not cumulative; one more than there are bounds. */
  readonly counts: readonly number[]
  readonly sum: number
}

/** Counted values by their labels; the keys are sampleKey(). What never happened is not in them. Names are without `coredns_`; `batch_messages` is our own. */
export interface CounterValues {
  readonly counters: ReadonlyMap<string, CounterSample>
  readonly histograms: ReadonlyMap<string, HistogramSample>
}

/** Upper bounds of the buckets of durations, in seconds. */
export const TIME_BOUNDS: readonly number[] = Array.from({ length: 16 }, (_, k) => 0.00025 * 2 ** k)

/** Index of the first bound that `value` does not exceed; their number if it exceeds all. */
export function bucketOf(bounds: readonly number[], value: number): number {
  let bucket = 0
  while (bucket < bounds.length && value > bounds[bucket]) bucket++
  return bucket
}

/** The key of a sample: the same for the same name and labels, in whatever order the labels stand. */
export function sampleKey(name: string, labels: Readonly<Record<string, string>>): string {
  return JSON.stringify([name, ...Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1))])
}

/** Values while they are gathered; what is 0 is left out, equal names and labels are added up. */
export class Gathered implements CounterValues {
  readonly counters = new Map<string, CounterSample>()
  readonly histograms = new Map<string, HistogramSample>()

  addAll({ counters, histograms }: CounterValues): void {
    for (const { name, labels, value } of counters.values()) this.addCounter(name, labels, value)
    for (const { name, labels, counts, sum } of histograms.values()) this.addHistogram(name, labels, counts, sum)
  }

  addCounter(name: string, labels: Readonly<Record<string, string>>, value: number): void {
    if (value === 0) return
    const key = sampleKey(name, labels)
    const before = this.counters.get(key)
    this.counters.set(key, { name, labels, value: value + (before?.value ?? 0) })
  }

  addHistogram(name: string, labels: Readonly<Record<string, string>>, counts: readonly number[], sum: number): void {
    if (counts.every((count) => count === 0)) return
    const key = sampleKey(name, labels)
    const before = this.histograms.get(key)
    this.histograms.set(key, {
      name,
      labels,
      counts: counts.map((count, index) => count + (before?.counts[index] ?? 0)),
      sum: sum + (before?.sum ?? 0),
    })
  }
}

/** Sums are told to the nanosecond. */
const SUM_STEPS = 1e9

/** Keeps what was counted under earlier plans, so that nothing goes back when the configuration is loaded again. */
export class CounterHistory {
  readonly #past = new Gathered()

  /** Adds the last values of a plan that nobody counts with any more. */
  retire(values: CounterValues): void {
    this.#past.addAll(values)
  }

  /** What was counted ever: the past, and `current`. */
  total(...current: readonly CounterValues[]): CounterValues {
    const total = new Gathered()
    total.addAll(this.#past)
    for (const values of current) total.addAll(values)
    // The same seconds added up in another order differ in their last bits: a sum would seem to go back, which means a restart to who scrapes.
    for (const [key, each] of total.histograms) {
      total.histograms.set(key, { ...each, sum: Math.round(each.sum * SUM_STEPS) / SUM_STEPS })
    }
    return total
  }
}
