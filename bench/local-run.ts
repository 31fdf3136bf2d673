// Runs of the load tester's engine as measurements make them: over UDP, to a server on 127.0.0.1.

import type { RunSpec } from '../src/load/run.ts'

const ADDRESS = '127.0.0.1'
const TIMEOUT_MS = 1000
const LATE_MS = 1

/** What has to be said of a run. All else is as localRun() has it. */
export type Wanted = Pick<RunSpec, 'schedule' | 'sockets' | 'warmupMs' | 'durationMs'> & Partial<RunSpec>

/** A query is lost after a second and late after a millisecond, unless `wanted` says otherwise; no answer is handed out. */
export function localRun(port: number, wanted: Wanted): RunSpec {
  return {
    target: {
      label: `${ADDRESS}:${port}`,
      address: ADDRESS,
      port,
      transport: 'udp',
      serverName: '',
      path: '',
      verifiesCertificate: true,
    },
    timeoutMs: TIMEOUT_MS,
    lateMs: LATE_MS,
    gso: false,
    sampleEvery: 0,
    passes: 0,
    ...wanted,
  }
}
