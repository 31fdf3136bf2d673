// Load on one URL by autocannon, the only file that names it: a closed loop, so that what a slow server is not asked meanwhile is not
// in its latencies. They are taken from its events: its own figures know whole milliseconds only.

import autocannon from 'autocannon'
import { createHistogram, type Histogram } from '../../src/load/histogram.ts'

/** What one go came to. */
export interface HttpResult {
  readonly seconds: number
  /** Responses with status 200. */
  readonly answered: number
  /** Other responses, failed connections, and requests without a response in time. */
  readonly failed: number
  /** Octets of the responses, headers included. */
  readonly octets: number
  /** Of all responses, in nanoseconds. */
  readonly latency: Histogram
  /** CPU time of this thread, which asks, to the time. */
  readonly clientShare: number
}

const OK = 200
const LOOK_MS = 20
const TIMEOUT_S = 10

/** Asks for `url` over so many connections at once. @throws Error if autocannon cannot begin */
export function request(url: string, connections: number, seconds: number): Promise<HttpResult> {
  const latency = createHistogram()
  const counts = { answered: 0, failed: 0, octets: 0 }
  return new Promise((resolve, reject) => {
    const begunMs = performance.now()
    const begunCpu = cpuMicros()
    const options = { url, connections, duration: seconds, sampleInt: LOOK_MS, timeout: TIMEOUT_S }
    const load = autocannon(options, (error, result) => {
      if (error) return reject(error)
      const ms = performance.now() - begunMs
      const clientShare = (cpuMicros() - begunCpu) / 1000 / ms
      resolve({ ...counts, failed: counts.failed + result.errors, seconds: ms / 1000, latency, clientShare })
    })
    load.on('response', (_client, status, octets, milliseconds) => {
      if (status === OK) counts.answered++
      else counts.failed++
      counts.octets += octets
      latency.recordValue(Math.max(1, Math.round(milliseconds * 1e6)))
    })
  })
}

function cpuMicros(): number {
  const { user, system } = process.threadCpuUsage()
  return user + system
}
