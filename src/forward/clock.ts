// One clock for all threads of the process.

// performance.now() counts from the start of its own thread; hrtime is the system's monotonic clock, the same for all.
const OFFSET_MS = Number(process.hrtime.bigint()) / 1e6 - performance.now()

/** Milliseconds on the system's monotonic clock, with fractions. */
export function monotonicMs(): number {
  return performance.now() + OFFSET_MS
}
