// What the server holds in memory when nothing happens.

import { existsSync, readdirSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Bench, LARGE } from './bench.ts'
import { atMost } from './report.ts'
import type { ServerProcess } from './server.ts'
import { type Memory, memoryOf } from './usage.ts'

const QUIET = 'quiet'
const STILL_MS = 2000
const STILL_LIMIT_MS = 20_000
const STILL_MIB = 1
/** Resident at 100,000 Services and 1,000,000 endpoints. */
export const RESIDENT_MAX_MIB = 450

export async function measureQuiet(bench: Bench, server: ServerProcess, stateDir: string): Promise<void> {
  const memory = await untilStill(server, stateDir)
  if (!bench.wants(QUIET)) return
  const target = bench.services === LARGE ? atMost(RESIDENT_MAX_MIB) : null
  bench.figures.add(QUIET, 'resident', 'MiB', memory.resident, target)
  bench.figures.add(QUIET, 'of which anonymous', 'MiB', memory.anonymous)
  bench.figures.add(QUIET, 'peak of the start', 'MiB', memory.peak)
}

/** Waits until the state is saved and memory stays as it is. */
export async function untilStill(server: ServerProcess, stateDir: string): Promise<Memory> {
  const end = performance.now() + STILL_LIMIT_MS
  let memory = memoryOf(server.pid)
  while (performance.now() < end) {
    await sleep(STILL_MS)
    const later = memoryOf(server.pid)
    const isStill = Math.abs(later.resident - memory.resident) < STILL_MIB
    memory = later
    const files = existsSync(stateDir) ? readdirSync(stateDir) : []
    if (isStill && files.includes('state.peregrine') && !files.some((name) => name.endsWith('.tmp'))) break
  }
  return memory
}
