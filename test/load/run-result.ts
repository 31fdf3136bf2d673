// Results of runs that never were: all is well with them but what is said otherwise.

import { createHistogram, type Histogram } from '../../src/load/histogram.ts'
import { type Own, RCODES, type RunResult, type RunSpec, type Target } from '../../src/load/run.ts'

export const TARGET: Target = {
  label: '127.0.0.1:5353',
  address: '127.0.0.1',
  port: 5353,
  transport: 'udp',
  serverName: '',
  path: '',
  verifiesCertificate: true,
}

export const SPEC: RunSpec = {
  target: TARGET,
  schedule: { kind: 'open', rate: 10_000 },
  sockets: 128,
  warmupMs: 0,
  durationMs: 10_000,
  timeoutMs: 1000,
  lateMs: 1,
  gso: false,
  sampleEvery: 0,
  passes: 0,
}

export const OWN: Own = {
  cpuShares: [0.99, 0.98],
  idleShares: [0.6, 0.5],
  receiveDrops: 0,
  udpErrors: {},
  receiveBatch: 8,
}

/** 99,990 of 100,000 queries answered in 10 s. */
export const RESULT: RunResult = {
  spec: SPEC,
  startedAt: '2026-01-01T00:00:00.000Z',
  seconds: 10,
  sent: 100_000,
  answered: 99_990,
  lost: 10,
  late: 0,
  unsent: 0,
  unsampled: 0,
  truncated: 0,
  unexpected: 0,
  mismatched: 0,
  malformed: 0,
  octetsSent: 0,
  octetsReceived: 0,
  connections: 0,
  rcodes: Array.from({ length: RCODES }, (_, rcode) => (rcode === 0 ? 99_990 : 0)),
  errors: {},
  latency: histogramOf(200_000, 100_000),
  rawLatency: histogramOf(200_000, 100_000),
  lateness: histogramOf(1000, 1000),
  series: [],
  own: OWN,
  serverCpuNs: null,
  interrupted: false,
}

/** So many times the same time, in nanoseconds. */
export function histogramOf(ns: number, times: number): Histogram {
  const histogram = createHistogram()
  histogram.recordValueWithCount(ns, times)
  return histogram
}
