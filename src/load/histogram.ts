// Latencies as HdrHistogram counts them. The only file that names hdr-histogram-js. Values are nanoseconds, 1 ns to 240 s,
// told apart to a thousandth; what the workers count (latency-counts.ts) is a little coarser, and all in all within 1 %.

import { build, type Histogram as HdrHistogram, type JsHistogram } from 'hdr-histogram-js'

/** A histogram of nanoseconds. */
export type Histogram = HdrHistogram

/** Longer times count as this one. */
export const LATENCY_MAX_NS = 240e9

/** An empty one. */
export function createHistogram(): Histogram {
  return build({
    bitBucketSize: 64,
    autoResize: false,
    lowestDiscernibleValue: 1,
    highestTrackableValue: LATENCY_MAX_NS,
    numberOfSignificantValueDigits: 3,
  })
}

/** All of them added up, in a new one. */
export function mergeHistograms(parts: Iterable<Histogram>): Histogram {
  const sum = createHistogram()
  for (const part of parts) if (part.totalCount > 0) sum.add(part)
  return sum
}

/** Microseconds that `percent` (0..100) of the values do not exceed; 0 of nothing. */
export function percentileMicros(histogram: Histogram, percent: number): number {
  return histogram.totalCount === 0 ? 0 : histogram.getValueAtPercentile(percent) / 1000
}

/**
 * Sorts the values into buckets: how many are at most each bound and more than the one before, and one count more for the rest.
 *
 * @param bounds  nanoseconds, ascending; a value that cannot be told from a bound (a thousandth) counts as below it
 */
export function bucketCounts(histogram: Histogram, bounds: readonly number[]): number[] {
  // What build() makes without WebAssembly; the interface has no way to its cells.
  const cells = histogram as JsHistogram
  const counts = new Array<number>(bounds.length + 1).fill(0)
  let bucket = 0
  const last = cells.countsArrayIndex(histogram.maxValue)
  for (let cell = 0; cell <= last; cell++) {
    const count = cells.getCountAtIndex(cell)
    if (count === 0) continue
    while (bucket < bounds.length && cells.valueFromIndex(cell) > bounds[bucket]) bucket++
    counts[bucket] += count
  }
  return counts
}
