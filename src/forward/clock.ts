// One clock for all threads of the process.

// performance.now() counts from the start of its own thread; hrtime is the system's monotonic clock, the same for all.
const OFFSET_MS = offsetMs()

/** Milliseconds on the system's monotonic clock, with fractions; threads agree within microseconds. */
export function monotonicMs(): number {
  return performance.now() + OFFSET_MS
}

/** The best of some tries: on a busy machine a thread may have to wait for milliseconds between two looks at its clocks. */
function offsetMs(): number {
  let offset = 0
  let least = Number.POSITIVE_INFINITY
  for (let tries = 0; tries < 16; tries++) {
    const before = performance.now()
    const systemMs = Number(process.hrtime.bigint()) / 1e6
    const gap = performance.now() - before
    if (gap >= least) continue
    least = gap
    offset = systemMs - before - gap / 2
  }
  return offset
}
