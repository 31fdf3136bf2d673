// Reports as JSON: the values of a run made by hand, every kind of report beside docs/load-json.md, and nothing that JSON
// has no word for.

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { createHistogram } from '../../../src/load/histogram.ts'
import { secondLine } from '../../../src/load/live/json-lines.ts'
import type { Report } from '../../../src/load/outcome.ts'
import { reportJson } from '../../../src/load/report/json-report.ts'
import { secondJson } from '../../../src/load/report/json-second.ts'
import { RCODES, type RunResult, type Schedule } from '../../../src/load/run.ts'
import {
  aReport,
  aRun,
  aSpec,
  aTarget,
  capacityReport,
  comparisonReport,
  judged,
  NO_BOUNDS,
  runReport,
  STEADY,
} from './results.ts'

type Fields = Record<string, unknown>

/** Sections of the document: heading -> fields of its table. */
const documented = new Map<string, string[]>()
for (const section of readFileSync(new URL('../../../docs/load-json.md', import.meta.url), 'utf8').split(/^#+ /m)) {
  const [heading] = section.split('\n', 1)
  const [, table = ''] = section.split('| field | | |')
  documented.set(
    heading,
    [...table.matchAll(/^\| `([\w.]+)` \|/gm)].map(([, field]) => field),
  )
}

function section(...headings: string[]): string[] {
  return headings.flatMap((heading) => {
    const fields = documented.get(heading)
    assert.ok(fields !== undefined && fields.length > 0, `the document has "${heading}" and a table of fields`)
    return fields
  })
}

/** Names of fields, objects within as `a.b`; but for kinds of values, and lists, which end it. */
function fieldsOf(object: unknown, prefix = ''): string[] {
  return Object.entries(object as Fields).flatMap(([name, value]) => {
    const path = prefix + name
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return [path]
    if (['rcodes', 'errors', 'udp_errors', 'machine', 'verification'].includes(name)) return [path]
    const names = Object.keys(value).join()
    if (names === 'p50,p90,p99,p999,max' || names === 'q1,median,q3') return [path]
    return fieldsOf(value, `${path}.`)
  })
}

function assertFields(actual: readonly unknown[], expected: readonly string[], what: string): void {
  const seen = new Set(actual.flatMap((object) => fieldsOf(object)))
  assert.deepEqual([...seen].sort(), [...expected].sort(), what)
}

const SCHEDULES: Schedule[] = [
  { kind: 'open', rate: 1000 },
  { kind: 'ramp', from: 100, to: 1000 },
  { kind: 'closed', outstanding: 4 },
  { kind: 'replay', speed: 2 },
]
const SHORT = { durationMs: 2000, warmupMs: 1000 }

test('the document lists exactly the fields that come out', () => {
  const runs = SCHEDULES.map((schedule) =>
    reportJson(aReport({ kind: 'run', ...judged(aRun(aSpec({ ...SHORT, schedule }), STEADY)) })),
  )
  const every = section('Every report')
  const run = section('A run')
  assertFields(runs, [...every, ...run], 'run')
  const second = section('A second')
  const series = runs.flatMap((each) => each.series as Fields[])
  assert.ok(series.length > 8)
  for (const each of series) assertFields([each], second, 'second')

  const opened = run.filter((field) => !/^schedule\.(?!kind|rate_qps)/.test(field))
  const capacity = reportJson(capacityReport())
  assertFields([capacity], [...every, ...section('A search for the capacity')], 'capacity')
  for (const trial of capacity.trials as Fields[]) assertFields([trial], [...opened, ...section('A trial')], 'trial')

  const comparison = reportJson(comparisonReport())
  assertFields([comparison], [...every, ...section('A comparison')], 'comparison')
  const servers = comparison.servers as Fields[]
  const compared = section('A compared server')
  assertFields(servers.slice(1, 2), compared, 'server')
  assertFields(
    servers.slice(0, 1),
    [...compared.filter((field) => !field.startsWith('ratios.')), 'ratios'],
    'first server',
  )
  for (const each of servers.flatMap((server) => server.runs as Fields[])) {
    assertFields([each], [...opened, ...section('A compared run')], 'compared run')
  }

  const verification = reportJson(runReport()).verification as Fields
  assertFields([verification], section('Answers that were checked'), 'verification')
  assertFields(verification.answers as Fields[], section('A wrong answer'), 'wrong answer')

  const line = JSON.parse(secondLine(aRun(aSpec(SHORT), STEADY).series[0], 'one', 1, new Date(0)))
  assertFields([line], [...second, ...section('Lines')], 'line')
})

test('a run, value by value', () => {
  const latency = createHistogram()
  latency.recordValueWithCount(100_000, 900)
  latency.recordValueWithCount(5_000_000, 98)
  latency.recordValueWithCount(2e9, 2)
  const rcodes = new Array<number>(RCODES).fill(0)
  rcodes[0] = 990
  rcodes[3] = 7
  rcodes[13] = 1
  const result: RunResult = {
    ...aRun(aSpec(SHORT), STEADY),
    sent: 1000,
    answered: 998,
    lost: 2,
    seconds: 4,
    rcodes,
    latency,
    serverCpuNs: 4_990_000,
    errors: { ECONNREFUSED: 3 },
  }
  const json = reportJson(
    aReport(
      { kind: 'run', result, validity: { isValid: false, reasons: ['late'], remarks: ['so'] } },
      { bounds: { maxLoss: 0.001, maxP99Micros: 4000 }, broken: ['loss'] },
    ),
  )
  const expected: Fields = {
    kind: 'run',
    qps: 249.5,
    sent_qps: 250,
    sent: 1000,
    answered: 998,
    lost: 2,
    loss: 0.002,
    rcodes: { NOERROR: 990, NXDOMAIN: 7, RCODE13: 1 },
    errors: { ECONNREFUSED: 3 },
    duration_s: 4,
    cpu_us_per_query: 5,
    server_cpu_s: 0.00499,
    valid: false,
    invalid_reasons: ['late'],
    remarks: ['so'],
    bounds: { max_loss: 0.001, max_p99_us: 4000 },
    broken_bounds: ['loss'],
    verification: null,
  }
  for (const [name, value] of Object.entries(expected)) assert.deepEqual(json[name], value, name)
  const percentiles = json.latency_us as Record<string, number>
  for (const [name, micros] of Object.entries({ p50: 100, p90: 100, p99: 5000, p999: 2e6, max: 2e6 })) {
    assert.ok(Math.abs(percentiles[name] / micros - 1) < 0.002, `${name} is ${percentiles[name]}, not ${micros}`)
  }
})

test('a line of a second', () => {
  const { series } = aRun(aSpec({ ...SHORT, warmupMs: 2000 }), { ...STEADY, loss: 0.01 })
  const lines = series.map((second) => secondJson(second, 'udp://one'))
  assert.deepEqual(
    lines.map(({ server, second, offered_qps }) => [server, second, offered_qps]),
    [-2, -1, 0, 1].map((second) => ['udp://one', second, 50_000]),
  )
  for (const { sent, answered, lost, qps } of lines as Record<string, number>[]) {
    assert.ok(lost > 0)
    assert.equal(sent, answered + lost)
    assert.equal(qps, answered)
  }
  for (const line of lines) assert.ok(!JSON.stringify(line).includes('\n'))
})

test('a search and a comparison, what they came to', () => {
  const capacity = reportJson(capacityReport())
  assert.equal(capacity.capacity_qps, 190_000)
  assert.equal(capacity.failed_rate_qps, 200_000)
  assert.deepEqual(capacity.confirmed, { passed: 3, of: 3 })
  assert.deepEqual(
    (capacity.trials as Fields[]).map(({ trial_qps, passed }) => (passed ? trial_qps : `not ${trial_qps}`)),
    [10e3, 20e3, 40e3, 80e3, 160e3, 'not 320000', 'not 240000', 'not 200000', 180e3, 190e3, 190e3, 190e3],
  )
  const comparison = reportJson(comparisonReport(['a', 'b', 'c']))
  assert.equal(comparison.rounds, 5)
  const servers = comparison.servers as Fields[]
  for (const [index, label] of ['a', 'b', 'c'].entries()) {
    const runs = servers[index].runs as { server: Fields }[]
    assert.equal((servers[index].server as Fields).label, label)
    assert.deepEqual(
      runs.map(({ server }) => server.label),
      new Array(5).fill(label),
    )
  }
  assert.equal(servers[0].ratios, null)
})

test('nothing comes out that JSON has no word for', () => {
  const nothing: Report = aReport({ kind: 'run', ...judged(emptyRun()) }, { bounds: NO_BOUNDS })
  const none = { low: Number.NaN, median: Number.NaN, high: Number.NaN }
  const servers = [0, 1].map(() => ({
    target: aTarget(),
    qps: none,
    p50Micros: none,
    p99Micros: none,
    loss: none,
    cpuMicros: null,
    ratios: { qps: none, p50: none, p99: none, cpu: null },
  }))
  const reports = [
    nothing,
    runReport(),
    capacityReport(),
    comparisonReport(),
    { ...nothing, outcome: { kind: 'comparison' as const, servers, rounds: [], validity: nothing.outcome.validity } },
  ]
  for (const report of reports) {
    const json = reportJson(report)
    assert.deepEqual(JSON.parse(JSON.stringify(json)), json, report.outcome.kind)
  }
  const { qps, cpu_us_per_query, latency_us } = reportJson(nothing)
  assert.deepEqual(
    { qps, cpu_us_per_query, latency_us },
    {
      qps: null,
      cpu_us_per_query: null,
      latency_us: { p50: 0, p90: 0, p99: 0, p999: 0, max: 0 },
    },
  )
})

/** A run that ended before it began. */
function emptyRun(): RunResult {
  const run = aRun(aSpec({ ...SHORT, schedule: { kind: 'open', rate: 0 } }), STEADY)
  return { ...run, seconds: 0, series: [], serverCpuNs: 0 }
}
