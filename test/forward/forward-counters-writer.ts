// A thread that counts, for forward-counters.test.ts.

import { isMainThread, workerData } from 'node:worker_threads'
import { ForwardCounters } from '../../src/forward/forward-counters.ts'

export const NINE = '9.9.9.9:53'
export const EXCHANGES = 20_000

if (!isMainThread) {
  const counters = new ForwardCounters(workerData.plan, workerData.memory)
  for (let k = 0; k < EXCHANGES; k++) {
    counters.connection(NINE, 'udp', k % 4 !== 0)
    counters.answered(NINE, 0, 0.001)
  }
}
