// Latencies as HdrHistogram counts them. The only file that names hdr-histogram-js. Values are nanoseconds, 1 ns to 240 s,
// told apart to a thousandth; what the workers count (latency-counts.ts) is a little coarser, and all in all within 1 %.

import { build, type Histogram as HdrHistogram } from 'hdr-histogram-js'

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
