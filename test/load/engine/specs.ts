// Runs as the tests of the engine want them: short, over loopback.

import type { RunSpec, Schedule, Target } from '../../../src/load/run.ts'

/** Long enough that nothing is given up because the machine has other things to do. */
export const PATIENT_MS = 10_000

export function loopbackTarget(port: number, address = '127.0.0.1'): Target {
  return {
    label: `${address}:${port}`,
    address,
    port,
    transport: 'udp',
    serverName: '',
    path: '',
    verifiesCertificate: true,
  }
}

/** A run of 100 ms without a warm-up. */
export function loopbackSpec(schedule: Schedule, more: Partial<RunSpec> = {}): RunSpec {
  return {
    target: loopbackTarget(9),
    schedule,
    sockets: 8,
    warmupMs: 0,
    durationMs: 100,
    timeoutMs: PATIENT_MS,
    lateMs: 1,
    gso: false,
    sampleEvery: 0,
    passes: 0,
    ...more,
  }
}
