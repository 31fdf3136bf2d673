// How much one core offers, beside a server that does nothing but send back what it gets (bench/serve/echo.c): as many queries as
// that answers, and how late they are.

import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { qpsOf, type RunResult } from '../../src/load/run.ts'
import { isAlive, startPinned, stop } from '../serve/process.ts'
import { spread } from '../serve/report.ts'
import { TARGETS } from '../serve/targets.ts'
import { untilReady } from '../serve/verify.ts'
import { dnsperfMissing, runDnsperf } from './dnsperf.ts'
import type { Finding } from './report.ts'
import { type Bench, run } from './setting.ts'

const OUTSTANDING = [128, 512, 2048]
/** Of what the echo answers. */
const STEPS = [0.5, 0.8, 0.9, 1, 1.1, 1.25, 1.5, 2, 2.5, 3]
const GSO_GOAL = 1.5
/** A run has a whole number of queries, and may lack the last. */
const WHOLE = 0.9999
const LATE_AT = 0.8
/** Percent. */
const LATE_MAX = 0.1
/** A step that falls short of its rate by more is the last. */
const KEPT = 0.9
const READY_MS = 5000
const INFINITY = Number.POSITIVE_INFINITY
const DNSPERF_SOCKETS = 16
const DNSPERF_OUTSTANDING = 512

/** How queries are sent. */
interface Flows {
  readonly name: string
  readonly gso: boolean
  readonly isStamped: boolean
  readonly isEven: boolean
}

const PLAIN: Flows = { name: 'plain flows', gso: false, isStamped: false, isEven: false }
const STAMPED: Flows = { name: 'plain flows, timed by the kernel', gso: false, isStamped: true, isEven: false }
const SEGMENTS: Flows = { name: 'with segments', gso: true, isStamped: false, isEven: false }
const EVEN: Flows = { name: 'with segments, queries of one length', gso: true, isStamped: false, isEven: true }

/** Measures in rounds. */
export async function measureOffered(bench: Bench): Promise<Finding[]> {
  const { options } = bench
  const target = TARGETS.find(({ name }) => name === 'echo-c')
  if (target === undefined) throw new Error('there is no echo')
  const folder = join(bench.folder, 'echo')
  mkdirSync(folder)
  const { port, launcher } = options
  const command = target.prepare({ folder, port, launcher, manifests: '', zoneFile: '' })
  const echo = startPinned(options.serverCore, command, join(folder, 'log'))
  try {
    const wrong = await untilReady(port, { qname: 'echo', qtype: 'A', rcode: 'NOERROR', addresses: [] }, READY_MS, () =>
      isAlive(echo),
    )
    if (wrong !== '') throw new Error(`the echo does not answer: ${wrong}`)
    return await measureBeside(bench, echo.pid)
  } finally {
    await stop(echo)
  }
}

async function measureBeside(bench: Bench, pid: number): Promise<Finding[]> {
  const closed: number[] = []
  const shares: number[] = []
  const capacity: number[] = []
  const segments: number[] = []
  const dnsperf: number[] = []
  for (let round = 0; round < bench.options.rounds && !bench.signal.aborted; round++) {
    const best = await closedLoops(bench, round, pid, PLAIN)
    const cpuSeconds = (best.serverCpuNs ?? Number.NaN) / 1e9
    closed.push(qpsOf(best))
    shares.push(cpuSeconds / best.seconds)
    capacity.push(best.answered / cpuSeconds)
    segments.push(qpsOf(await closedLoops(bench, round, pid, EVEN)))
    if (dnsperfMissing() === '') dnsperf.push((await dnsperfBeside(bench, round)).qps)
  }
  const rate = Math.max(spread(closed).median, ...(dnsperf.length > 0 ? [spread(dnsperf).median] : []))
  const common = { part: 'offered', unit: 'queries/s', better: 'higher', goal: null, note: '' } as const
  const used = `${spread(shares).median.toFixed(2)} of the echo’s core`
  const findings: Finding[] = [
    { ...common, what: 'answered by the echo, closed loop', values: closed, note: used },
    { ...common, what: 'answered by the echo, closed loop, a CPU second of it', values: capacity },
    { ...common, what: `answered by the echo, closed loop ${EVEN.name}`, values: segments },
    { ...common, what: 'answered by the echo, dnsperf', values: dnsperf, note: dnsperfMissing() },
  ]
  findings.push(...(await openLoops(bench, rate, PLAIN, 1)))
  findings.push(...(await openLoops(bench, rate, STAMPED, null)))
  findings.push(...(await openLoops(bench, rate, EVEN, GSO_GOAL)))
  findings.push(...(await openLoops(bench, rate, SEGMENTS, null)))
  return findings.filter(({ values }) => values.length > 0)
}

/** @returns the one with the most answers a second, of several with more and more under way */
async function closedLoops(bench: Bench, round: number, pid: number, flows: Flows): Promise<RunResult> {
  const { port, shortSeconds: seconds } = bench.options
  const results: RunResult[] = []
  for (const outstanding of OUTSTANDING) {
    const what = `echo, closed loop of ${outstanding}, ${flows.name}`
    const schedule = { kind: 'closed', outstanding } as const
    results.push(await run(bench, { what, round, port, schedule, seconds, pids: [pid], ...flows }))
  }
  return results.reduce((best, each) => (qpsOf(each) > qpsOf(best) ? each : best))
}

async function dnsperfBeside(bench: Bench, round: number): Promise<{ qps: number }> {
  const { port, shortSeconds, generatorCore } = bench.options
  const result = await runDnsperf({
    core: generatorCore,
    port,
    queryFile: bench.queryFile,
    outstanding: DNSPERF_OUTSTANDING,
    sockets: DNSPERF_SOCKETS,
    seconds: shortSeconds,
  })
  bench.samples.push({ what: 'echo, dnsperf', round, ...result })
  return result
}

/**
 * Open loops at higher and higher rates: the highest rate that was really sent, and what was late at a part of the echo's rate.
 *
 * @param times  of the echo's rate, that are to be offered; null = none is asked for
 */
async function openLoops(bench: Bench, echoRate: number, flows: Flows, times: number | null): Promise<Finding[]> {
  const { port, shortSeconds: seconds, rounds } = bench.options
  const offered: number[] = []
  const late: number[] = []
  for (let round = 0; round < rounds && !bench.signal.aborted; round++) {
    let most = 0
    for (const step of STEPS) {
      const rate = Math.round(echoRate * step)
      const what = `echo, open loop at ${step}, ${flows.name}`
      const result = await run(bench, { what, round, port, schedule: { kind: 'open', rate }, seconds, ...flows })
      most = Math.max(most, result.sent / seconds)
      if (step === LATE_AT) late.push(((result.late + result.unsent) / (result.sent + result.unsent)) * 100)
      if (result.sent / seconds < rate * KEPT && step > LATE_AT) break
    }
    offered.push(most)
  }
  const rateGoal = times === null ? null : { least: Math.floor(echoRate * times * WHOLE), most: INFINITY }
  const lateGoal = times === null ? null : { least: 0, most: LATE_MAX }
  const part = 'offered'
  return [
    {
      part,
      what: `offered, ${flows.name}`,
      unit: 'queries/s',
      better: 'higher',
      values: offered,
      goal: rateGoal,
      note: '',
    },
    {
      part,
      what: `late by more than 1 ms at 80 %, ${flows.name}`,
      unit: '%',
      better: 'lower',
      values: late,
      goal: lateGoal,
      note: `${Math.round(echoRate * LATE_AT)} queries/s`,
    },
  ]
}
