// How soon a change is in the answers, how much it costs, and what queries beside it notice.

import { setTimeout as sleep } from 'node:timers/promises'
import { type Histogram, mergeHistograms, percentileMicros } from '../../src/load/histogram.ts'
import { percentile } from '../percentile.ts'
import type { Bench } from './bench.ts'
import { type LoadResult, Probes, SteadyLoad } from './load.ts'
import type { Probed } from './probe-thread.ts'
import { atMost, type Target } from './report.ts'
import type { ServerProcess } from './server.ts'
import { cpuSeconds, waitedSeconds } from './usage.ts'

const UPDATES = 'updates'
/** Changes a second that are followed: more of them at a time would be a load of their own. */
const FOLLOWED_PER_SECOND = 100
const LIMIT_MS = 10_000
const SETTLE_MS = 500
/** Queries that are drawn, each with its own message ID. */
const DRAWN = 16_384
/** Milliseconds that 99 of 100 changes may take, by changes a second. */
const TARGETS: Readonly<Record<number, number>> = { 100: 5, 1000: 20 }
const QUERY_RATIO_MAX = 1.5

/** A load of queries of the cluster, none of which asks for what changes. */
export function startLoad({ names, options }: Bench, { port }: ServerProcess): Promise<SteadyLoad> {
  return SteadyLoad.start(port, names.draw(DRAWN, options.seed), options.load)
}

export async function measureUpdates(bench: Bench, server: ServerProcess): Promise<void> {
  if (!bench.wants(UPDATES)) return
  const { figures, options } = bench
  const before = await quiet(bench, server)
  const runs: { name: string; load: LoadResult }[] = []
  for (const rate of options.rates) {
    for (const headless of [false, true]) {
      const name = `${rate}/s${headless ? ', headless' : ''}`
      runs.push({ name, load: await measureRate(bench, server, rate, headless, name) })
    }
  }
  const after = await quiet(bench, server)
  const quietLatencies = mergeHistograms([before.latency, after.latency])
  addQueries(bench, 'quiet', [before, after], quietLatencies, null)
  for (const { name, load } of runs) addQueries(bench, name, [load], quietLatencies, atMost(QUERY_RATIO_MAX))
  figures.add(
    UPDATES,
    'queries lost, in all',
    '',
    sum([before, after, ...runs.map(({ load }) => load)], 'lost'),
    atMost(0),
  )
  figures.add(
    UPDATES,
    'queries answered wrongly',
    '',
    sum([before, after, ...runs.map(({ load }) => load)], 'wrong'),
    atMost(0),
  )
}

async function quiet(bench: Bench, server: ServerProcess): Promise<LoadResult> {
  const load = await startLoad(bench, server)
  await sleep((bench.options.seconds * 1000) / 2)
  return load.stop()
}

async function measureRate(
  bench: Bench,
  server: ServerProcess,
  rate: number,
  headless: boolean,
  name: string,
): Promise<LoadResult> {
  const { api, figures, options } = bench
  const probes = new Probes(server.port, LIMIT_MS)
  const load = await startLoad(bench, server)
  await server.longestDelay()
  const cpuBefore = cpuSeconds(server.pid)
  const waitedBefore = waitedSeconds(server.pid)
  const stride = Math.max(1, Math.round(rate / FOLLOWED_PER_SECOND))
  let made = 0
  api.onChange = (report) => {
    if (made++ % stride === 0) probes.follow(report)
  }
  await api.send({ do: 'changes', rate, seconds: options.seconds, headless })
  const probed = await probes.settled()
  const cpu = cpuSeconds(server.pid) - cpuBefore
  const waited = waitedSeconds(server.pid) - waitedBefore
  const { delayMs, collectionMs } = await server.longestDelay()
  const loaded = await load.stop()
  await probes.close()
  const latencies = probed.map(latencyMs)
  const target = TARGETS[rate] === undefined ? null : atMost(TARGETS[rate])
  const add = (what: string, unit: string, value: number, goal: Target | null = null) =>
    figures.add(UPDATES, `${name}: ${what}`, unit, value, goal)
  add('changes followed', '', latencies.length)
  for (const percent of [50, 90]) add(`p${percent}`, 'ms', percentile(latencies, percent))
  add('p99', 'ms', percentile(latencies, 99), target)
  add('max', 'ms', Math.max(...latencies))
  add('writer away from its event loop, at most', 'ms', delayMs)
  add('longest collection of its garbage', 'ms', collectionMs)
  add('CPU of the server, queries included', '%', (cpu / options.seconds) * 100)
  add('its threads waited for a core', '%', (waited / options.seconds) * 100)
  await sleep(SETTLE_MS)
  return loaded
}

function latencyMs({ changedMs, answeredMs }: Probed): number {
  return answeredMs - changedMs
}

function addQueries(
  { figures }: Bench,
  name: string,
  loads: readonly LoadResult[],
  quietLatencies: Histogram,
  target: Target | null,
): void {
  const latencies = mergeHistograms(loads.map(({ latency }) => latency))
  figures.add(UPDATES, `queries, ${name}: p50`, 'µs', percentileMicros(latencies, 50))
  figures.add(UPDATES, `queries, ${name}: p99`, 'µs', percentileMicros(latencies, 99))
  const ratio = percentileMicros(latencies, 99) / percentileMicros(quietLatencies, 99)
  if (target !== null) figures.add(UPDATES, `queries, ${name}: p99 to quiet`, '', ratio, target)
}

function sum(loads: readonly LoadResult[], key: 'lost' | 'wrong'): number {
  return loads.reduce((total, load) => total + load[key], 0)
}
