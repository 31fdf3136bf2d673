// How true latencies are: beside a server of known delays, and beside one that freezes, where the figures of a closed loop of one
// are wrong unless they are corrected as HdrHistogram does it.

import { setTimeout as sleep } from 'node:timers/promises'
import type { Histogram } from '../../src/load/histogram.ts'
import type { Finding, Goal } from './report.ts'
import { type Bench, run } from './setting.ts'
import { type Known, type Manner, StandIn } from './stand-in.ts'

const RATE = 10_000
const DELAYS_MICROS = [0, 1000, 10_000]
const FREEZE_MS = 100
const SECOND_MS = 1000
/** Of a second: who starts a run now begins to count, and has the stand-in count anew, far from the freeze at its end. */
const START_AT_MS = 50
const PERCENT: Goal = { least: -1, most: 1 }
const PERCENTS = [50, 90, 99] as const

type Values = Map<string, { readonly finding: Omit<Finding, 'values'>; readonly values: number[] }>

/** Measures in rounds. */
export async function measureLatency(bench: Bench, program: string): Promise<Finding[]> {
  const found: Values = new Map()
  for (let round = 0; round < bench.options.rounds && !bench.signal.aborted; round++) {
    for (const micros of DELAYS_MICROS) await measureDelay(bench, program, round, micros, found)
    await measureFreeze(bench, program, round, found)
  }
  return [...found.values()].map(({ finding, values }) => ({ ...finding, values }))
}

function note(found: Values, what: string, unit: string, goal: Goal | null, value: number, text = ''): void {
  const finding = { part: 'latency', what, unit, better: 'lower', goal, note: text } as const
  const known = found.get(what) ?? { finding, values: [] }
  found.set(what, known)
  known.values.push(value)
}

/** Makes a run of an open loop, and has the stand-in tell what it did meanwhile. */
async function runBeside(
  bench: Bench,
  program: string,
  round: number,
  manner: Manner,
): Promise<{ latency: Histogram; raw: Histogram; lost: number; known: Known }> {
  const { options } = bench
  const standIn = await StandIn.start(program, options.serverCore, options.port, manner)
  try {
    await untilStart()
    const what = `${manner.mode} ${manner.number}, open loop`
    const schedule = { kind: 'open', rate: RATE } as const
    const begin = () => standIn.forget()
    const { seconds } = options
    const result = await run(bench, { what, round, port: standIn.port, schedule, seconds, begin, isStamped: true })
    const known = await standIn.tell()
    bench.samples.push({ what: `${manner.mode} ${manner.number}, known`, round, known })
    return { latency: result.latency, raw: result.rawLatency, lost: result.lost, known }
  } finally {
    await standIn.stop()
  }
}

async function measureDelay(
  bench: Bench,
  program: string,
  round: number,
  micros: number,
  found: Values,
): Promise<void> {
  const { latency, raw, known } = await runBeside(bench, program, round, { mode: 'delay', number: micros })
  const name = micros === 0 ? 'no delay' : `delay of ${micros / 1000} ms`
  for (const percent of PERCENTS) {
    const measured = latency.getValueAtPercentile(percent)
    const real = known[`p${percent}`]
    if (micros === 0) note(found, `${name}, p${percent} more than known`, 'µs', null, (measured - real) / 1000)
    else note(found, `${name}, p${percent} off`, '%', percent === 90 ? null : PERCENT, off(measured, real))
    if (micros === 0 || percent !== 99) continue
    note(found, `${name}, p99 off, from when it was sent`, '%', null, off(raw.getValueAtPercentile(percent), real))
  }
}

/** Queries come evenly: one that comes t into the freeze waits for the rest of it, so that p99 is 90 ms where 10 % is frozen. */
function frozenPercentileNs(percent: number): number {
  const missing = ((100 - percent) / 100) * SECOND_MS
  return Math.max(0, FREEZE_MS - missing) * 1e6
}

async function measureFreeze(bench: Bench, program: string, round: number, found: Values): Promise<void> {
  const { latency, known } = await runBeside(bench, program, round, { mode: 'freeze', number: FREEZE_MS })
  const p99 = latency.getValueAtPercentile(99)
  note(found, 'freeze, p50', 'µs', null, latency.getValueAtPercentile(50) / 1000, `known ${known.p50 / 1000} µs`)
  note(found, 'freeze, p90', 'ms', null, latency.getValueAtPercentile(90) / 1e6, 'the freeze begins here')
  const percents = [95, 99, 99.9] as const
  for (const percent of percents) {
    const measured = latency.getValueAtPercentile(percent)
    const goal = percent === 99 ? PERCENT : null
    const expected = frozenPercentileNs(percent)
    note(found, `freeze, p${percent} off`, '%', goal, off(measured, expected), `from ${Math.round(expected / 1e6)} ms`)
    note(found, `freeze, p${percent} off what is known`, '%', goal, off(measured, known[`p${percent}`]))
  }
  const alone = await closedLoopOfOne(bench, program, round)
  note(found, 'freeze, p99 of a closed loop of one', 'ms', null, alone.raw / 1e6, 'what omission hides')
  const text = `it has ${(alone.corrected / 1e6).toFixed(1)} ms`
  note(found, 'freeze, p99 off HdrHistogram’s correction of that', '%', null, off(p99, alone.corrected), text)
}

/** p99 in nanoseconds, as it is and as HdrHistogram corrects it. */
async function closedLoopOfOne(
  bench: Bench,
  program: string,
  round: number,
): Promise<{ raw: number; corrected: number }> {
  const { options } = bench
  const manner = { mode: 'freeze', number: FREEZE_MS } as const
  const standIn = await StandIn.start(program, options.serverCore, options.port, manner)
  try {
    await untilStart()
    const schedule = { kind: 'closed', outstanding: 1 } as const
    const what = 'freeze, closed loop of one'
    const result = await run(bench, { what, round, port: standIn.port, schedule, seconds: options.seconds })
    // The next would have been sent when the one before is answered: so often while nothing is frozen.
    const interval = (result.seconds * 1e9 * (1 - FREEZE_MS / SECOND_MS)) / result.sent
    const corrected = result.rawLatency.copyCorrectedForCoordinatedOmission(interval)
    return { raw: result.rawLatency.getValueAtPercentile(99), corrected: corrected.getValueAtPercentile(99) }
  } finally {
    await standIn.stop()
  }
}

/** Waits until the next second has begun. */
async function untilStart(): Promise<void> {
  await sleep((START_AT_MS - (Date.now() % SECOND_MS) + SECOND_MS) % SECOND_MS)
}

/** By how many percent. */
function off(measured: number, real: number): number {
  return (measured / real - 1) * 100
}
