// How much one core offers, beside a server that does nothing but send back what it gets (bench/serve/echo.c): as many queries as
// that answers, and how late they are.

import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { RunResult } from '../../src/load/run.ts'
import { startPinned, stop } from '../serve/process.ts'
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
const LATE_AT = 0.8
/** Percent. */
const LATE_MAX = 0.1
/** A step that falls short of its rate by more is the last. */
const KEPT = 0.9
const READY_MS = 5000
const INFINITY = Number.POSITIVE_INFINITY
const DNSPERF_SOCKETS = 16
const DNSPERF_OUTSTANDING = 512

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
    const isAlive = () => echo.child.exitCode === null && echo.child.signalCode === null
    const wrong = await untilReady(
      port,
      { qname: 'echo', qtype: 'A', rcode: 'NOERROR', addresses: [] },
      READY_MS,
      isAlive,
    )
    if (wrong !== '') throw new Error(`the echo does not answer: ${wrong}`)
    return await measureBeside(bench, echo.pid)
  } finally {
    await stop(echo)
  }
}

async function measureBeside(bench: Bench, pid: number): Promise<Finding[]> {
  const closed: number[] = []
  const closedGso: number[] = []
  const shares: number[] = []
  const capacity: number[] = []
  const dnsperf: number[] = []
  for (let round = 0; round < bench.options.rounds && !bench.signal.aborted; round++) {
    const results = await closedLoops(bench, round, pid, false)
    const best = results.reduce((a, b) => (b.answered / b.seconds > a.answered / a.seconds ? b : a))
    const cpuSeconds = (best.serverCpuNs ?? Number.NaN) / 1e9
    closed.push(best.answered / best.seconds)
    shares.push(cpuSeconds / best.seconds)
    capacity.push(best.answered / cpuSeconds)
    closedGso.push(
      Math.max(...(await closedLoops(bench, round, pid, true)).map((each) => each.answered / each.seconds)),
    )
    if (dnsperfMissing() === '') dnsperf.push((await dnsperfBeside(bench, round)).qps)
  }
  const rate = Math.max(spread(closed).median, ...(dnsperf.length > 0 ? [spread(dnsperf).median] : []))
  const plain = await openLoops(bench, rate, false)
  const gso = await openLoops(bench, rate, true)
  const common = { part: 'offered', unit: 'queries/s', better: 'higher', goal: null, note: '' } as const
  const used = `${spread(shares).median.toFixed(2)} of the echo’s core`
  const goalOf = (times: number) => ({ least: rate * times, most: INFINITY })
  const findings: Finding[] = [
    { ...common, what: 'answered by the echo, closed loop', values: closed, note: used },
    { ...common, what: 'answered by the echo, closed loop, a CPU second of it', values: capacity },
    { ...common, what: 'answered by the echo, closed loop with segments', values: closedGso },
    { ...common, what: 'answered by the echo, dnsperf', values: dnsperf, note: dnsperfMissing() },
    { ...common, what: 'offered, plain flows', values: plain.offered, goal: goalOf(1) },
    { ...common, what: 'offered, with segments', values: gso.offered, goal: goalOf(GSO_GOAL) },
  ]
  const late = { part: 'offered', unit: '%', better: 'lower', goal: { least: 0, most: LATE_MAX } } as const
  const note = `${Math.round(rate * LATE_AT)} queries/s`
  findings.push({ ...late, what: 'late by more than 1 ms at 80 %, plain flows', values: plain.late, note })
  findings.push({ ...late, what: 'late by more than 1 ms at 80 %, with segments', values: gso.late, goal: null, note })
  return findings.filter(({ values }) => values.length > 0)
}

async function closedLoops(bench: Bench, round: number, pid: number, gso: boolean): Promise<RunResult[]> {
  const { port, shortSeconds: seconds } = bench.options
  const results: RunResult[] = []
  for (const outstanding of OUTSTANDING) {
    const what = `echo, closed loop of ${outstanding}${gso ? ', gso' : ''}`
    const schedule = { kind: 'closed', outstanding } as const
    results.push(await run(bench, { what, round, port, schedule, seconds, gso, pids: [pid] }))
  }
  return results
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

/** Open loops at higher and higher rates: the highest rate that was really sent, and what was late at 80 % of the echo's. */
async function openLoops(bench: Bench, echoRate: number, gso: boolean): Promise<{ offered: number[]; late: number[] }> {
  const { port, shortSeconds: seconds, rounds } = bench.options
  const offered: number[] = []
  const late: number[] = []
  for (let round = 0; round < rounds && !bench.signal.aborted; round++) {
    let most = 0
    for (const step of STEPS) {
      const rate = Math.round(echoRate * step)
      const what = `echo, open loop at ${step}${gso ? ', gso' : ''}`
      const { sent, late: lateCount } = await run(bench, {
        what,
        round,
        port,
        schedule: { kind: 'open', rate },
        seconds,
        gso,
      })
      most = Math.max(most, sent / seconds)
      if (step === LATE_AT) late.push((lateCount / sent) * 100)
      if (sent / seconds < rate * KEPT) break
    }
    offered.push(most)
  }
  return { offered, late }
}
