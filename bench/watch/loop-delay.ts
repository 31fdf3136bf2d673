// Loaded into the server before it starts (`--import`): how long its main thread, the writer, was kept from its event loop. SIGUSR2
// prints the longest time, and the longest collection of garbage, since the last SIGUSR2. Whatever keeps a timer of 1 ms from its turn
// counts: work, and another process that has the core.

import { monitorEventLoopDelay, PerformanceObserver } from 'node:perf_hooks'
import { isMainThread } from 'node:worker_threads'

const RESOLUTION_MS = 1

if (isMainThread) {
  const delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS })
  delay.enable()
  let collectionMs = 0
  const observer = new PerformanceObserver((entries) => {
    for (const { duration } of entries.getEntries()) collectionMs = Math.max(collectionMs, duration)
  })
  observer.observe({ entryTypes: ['gc'] })
  process.on('SIGUSR2', () => {
    console.error(`loop-delay ${(delay.max / 1e6).toFixed(2)} ${collectionMs.toFixed(2)}`)
    delay.reset()
    collectionMs = 0
  })
}
