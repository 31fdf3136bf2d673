// What all parts of the measurement share: the engine on one core, the queries, and runs over loopback.

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { SIZES } from '../../src/load/queries/synthetic-cluster.ts'
import { rehearse } from '../../src/load/rehearsal.ts'
import type { RunResult, Schedule } from '../../src/load/run.ts'
import { LoadSession, type RunEvents } from '../../src/load/session.ts'
import { localRun } from '../local-run.ts'
import { drawQueries, type Query, tableOf } from '../serve/queries.ts'
import type { Options } from './options.ts'

/** What a part works with. */
export interface Bench {
  readonly options: Options
  /** Exists. */
  readonly folder: string
  readonly session: LoadSession
  /** The same with queries of one length alone: the kernel cuts a message into segments of one length. */
  readonly evenSession: LoadSession
  readonly queries: readonly Query[]
  /** The same queries as dnsperf reads them. */
  readonly queryFile: string
  readonly signal: AbortSignal
  /** Everything that was measured, for `--json`. */
  readonly samples: object[]
  /** Runs, and those of them in which others had the generator's core for a part of the time. */
  runs: number
  disturbed: number
}

/** The cluster whose names are asked. */
export const SIZE = SIZES[0]
const TABLE_COUNT = 16_384
const WARM_MS = 300
/** What a rehearsal is for. */
const REHEARSAL_MS = 60_000
/** A worker never sleeps: with less of its core, others had it. */
const UNDISTURBED = 0.98

/** Draws the queries and starts the engine. */
export async function startBench(options: Options, folder: string, signal: AbortSignal): Promise<Bench> {
  const queries = drawQueries(SIZE, 'positive', TABLE_COUNT, options.seed)
  const queryFile = join(folder, 'queries.txt')
  writeFileSync(queryFile, queries.map(({ qname, qtype }) => `${qname} ${qtype}\n`).join(''))
  const own = { workers: 1, cores: [options.generatorCore] }
  const session = await LoadSession.start(tableOf(queries), own)
  const lengths = Map.groupBy(queries, ({ qname }) => qname.length)
  const [even] = [...lengths.values()].sort((a, b) => b.length - a.length)
  const evenSession = await LoadSession.start(tableOf(even), own)
  const like = {
    schedule: { kind: 'open', rate: 1 },
    sockets: options.sockets,
    warmupMs: 0,
    durationMs: REHEARSAL_MS,
  } as const
  for (const each of [session, evenSession]) await rehearse(each, localRun(options.port, like))
  return { options, folder, session, evenSession, queries, queryFile, signal, samples: [], runs: 0, disturbed: 0 }
}

/** What is different from run to run. */
export interface Wanted {
  readonly what: string
  readonly round: number
  readonly port: number
  readonly schedule: Schedule
  readonly seconds: number
  readonly sockets?: number
  readonly gso?: boolean
  /** The kernel says when answers came. */
  readonly isStamped?: boolean
  /** Queries of one length. */
  readonly isEven?: boolean
  readonly pids?: readonly number[]
  /** Called when counting begins. */
  readonly begin?: () => void
}

/** Makes one run. @throws RunError */
export async function run(bench: Bench, wanted: Wanted): Promise<RunResult> {
  const { what, round, port, schedule, seconds, sockets = bench.options.sockets, pids = [] } = wanted
  const { gso = false, isStamped = false } = wanted
  const times = { warmupMs: WARM_MS, durationMs: seconds * 1000 }
  const spec = localRun(port, { schedule, sockets, gso, isStamped, ...times })
  const events: RunEvents = {
    second: ({ index }) => {
      if (index === -1) wanted.begin?.()
    },
  }
  const session = wanted.isEven === true ? bench.evenSession : bench.session
  const result = await session.run(spec, events, pids, bench.signal)
  const { latency, rawLatency, lateness, series, ...plain } = result
  bench.samples.push({ what, round, ...plain })
  bench.runs++
  if (result.own.cpuShares[0] < UNDISTURBED) bench.disturbed++
  return result
}
