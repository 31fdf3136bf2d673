// Percentiles of what a benchmark has measured.

/** The value that `percent` of `list` (0..100) do not exceed; NaN for an empty list. */
export function percentile(list: readonly number[], percent: number): number {
  const sorted = Float64Array.from(list).sort()
  return sorted.length === 0
    ? Number.NaN
    : sorted[Math.min(sorted.length - 1, Math.floor((sorted.length * percent) / 100))]
}
