// All lists read again, because the API server no longer knows what the watches missed: what that takes, and what queries notice.

import { setTimeout as sleep } from 'node:timers/promises'
import { percentileMicros } from '../../src/load/histogram.ts'
import { type Bench, LARGE, READY_MS } from './bench.ts'
import { type LoadResult, Probes } from './load.ts'
import { RESIDENT_MAX_MIB } from './memory.ts'
import { atMost } from './report.ts'
import type { ServerProcess } from './server.ts'
import { startLoad } from './updates.ts'
import { memoryOf, resetPeak } from './usage.ts'

const RELIST = 'relist'
const QUIET_MS = 3000
/** What a list leaves behind is given back after it. */
const AFTER_MS = 2000
const PEAK_RATIO_MAX = 1.3
const FOLLOWED = 100
/** All changes of a relist are made while nobody watches: as fast as they go. */
const AT_ONCE = 1_000_000

export async function measureRelists(bench: Bench, server: ServerProcess): Promise<void> {
  if (!bench.wants(RELIST)) return
  const load = await startLoad(bench, server)
  await sleep(QUIET_MS)
  const quiet = await load.stop()
  await measureRelist(bench, server, 'nothing changed', 1, quiet)
  await measureRelist(bench, server, 'a tenth changed', Math.round(bench.services / 10), quiet)
}

async function measureRelist(
  bench: Bench,
  server: ServerProcess,
  name: string,
  changes: number,
  quiet: LoadResult,
): Promise<void> {
  const { api, figures } = bench
  const probes = new Probes(server.port, READY_MS)
  const load = await startLoad(bench, server)
  const before = memoryOf(server.pid)
  resetPeak(server.pid)
  await server.longestDelay()
  await api.send({ do: 'stop' })
  let made = 0
  api.onChange = (report) => {
    if (made++ % Math.max(1, Math.round(changes / FOLLOWED)) === 0) probes.follow(report)
  }
  await api.send({ do: 'changes', rate: AT_ONCE, seconds: changes / AT_ONCE })
  await api.send({ do: 'compact' })
  const { atMs: backMs } = await api.send({ do: 'start' })
  const probed = await probes.settled()
  const { delayMs, collectionMs } = await server.longestDelay()
  await sleep(AFTER_MS)
  const { peak } = memoryOf(server.pid)
  const loaded = await load.stop()
  await probes.close()
  const add = (what: string, ...rest: [string, number, ReturnType<typeof atMost>?]) =>
    figures.add(RELIST, `${name}: ${what}`, ...rest)
  const isLarge = bench.services === LARGE
  add(
    'all that changed is served after',
    's',
    (Math.max(...probed.map(({ answeredMs }) => answeredMs)) - backMs) / 1000,
  )
  add('resident before', 'MiB', before.resident)
  add('peak', 'MiB', peak, isLarge ? atMost(RESIDENT_MAX_MIB * PEAK_RATIO_MAX) : undefined)
  add('peak to before', '', peak / before.resident, isLarge ? atMost(PEAK_RATIO_MAX) : undefined)
  add('queries', '', loaded.sent)
  add('queries lost', '', loaded.lost, atMost(0))
  add('queries answered wrongly', '', loaded.wrong, atMost(0))
  if (loaded.lost + loaded.wrong > 0) console.log(`lost or wrong: ${loaded.example}\nthe server said:\n${server.text}`)
  add('queries: p99', 'µs', percentileMicros(loaded.latency, 99))
  const ratio = percentileMicros(loaded.latency, 99) / percentileMicros(quiet.latency, 99)
  add('queries: p99 to quiet', '', ratio)
  add('queries: max', 'ms', percentileMicros(loaded.latency, 100) / 1000)
  add('writer away from its event loop, at most', 'ms', delayMs)
  add('longest collection of its garbage', 'ms', collectionMs)
}
