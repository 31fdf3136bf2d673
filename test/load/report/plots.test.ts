// The plots as data, before anything is drawn.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { percentileMicros } from '../../../src/load/histogram.ts'
import type { Report } from '../../../src/load/outcome.ts'
import type { LinePlot, WhiskerPlot } from '../../../src/load/report/plot.ts'
import { latenciesOf, plotsOf } from '../../../src/load/report/plots.ts'
import {
  aReport,
  aRun,
  aSpec,
  capacityReport,
  comparisonReport,
  FREEZING,
  judged,
  runReport,
  STEADY,
} from './results.ts'

function linePlot(report: Report, id: string): LinePlot {
  const plot = plotsOf(report).find((each) => each.id === id)
  assert.ok(plot !== undefined && plot.kind === 'lines', id)
  return plot
}

/** What a line has where `plot.at` is so, and near it. */
function valueAt(plot: LinePlot, line: number, at: number): number | null {
  const index = plot.at.findIndex((each) => each >= at * 0.9999)
  return plot.lines[line].values[index]
}

test('latency by percentile: the percentiles, both ways of counting, up to the last query', () => {
  const run = judged(aRun(aSpec({ durationMs: 8000 }), FREEZING))
  const { latency, rawLatency } = run.result
  const plot = linePlot(aReport({ kind: 'run', ...run }), 'percentiles')
  assert.deepEqual(
    plot.lines.map(({ label }) => label),
    ['corrected', 'raw'],
  )
  for (const [line, histogram] of [latency, rawLatency].entries()) {
    for (const [tail, percent] of [
      [10, 90],
      [100, 99],
      [1000, 99.9],
      [10_000, 99.99],
    ]) {
      assert.equal(valueAt(plot, line, tail), percentileMicros(histogram, percent), `${percent} % of line ${line}`)
    }
    const values = plot.lines[line].values.map(Number)
    assert.deepEqual(
      values,
      values.toSorted((a, b) => a - b),
    )
  }
  assert.equal(plot.at[0], 1)
  assert.equal(plot.at.at(-1), latency.totalCount)
  // The freeze is in one and not in the other.
  assert.ok(Number(valueAt(plot, 0, 100)) > 10 * Number(valueAt(plot, 1, 100)))
})

test('over time: seconds with the warm-up, losses where there were any', () => {
  const report = runReport()
  const plot = linePlot(report, 'losses-over-time')
  assert.deepEqual(
    plot.at,
    Array.from({ length: 32 }, (_, index) => index - 2),
  )
  assert.deepEqual(plot.marks, [{ axis: 'x', at: 0, label: 'counted from here' }])
  const { outcome } = report
  assert.ok(outcome.kind === 'run')
  assert.deepEqual(
    plot.lines[0].values,
    outcome.result.series.map(({ lost }) => lost),
  )
  const [p50, p99, most] = linePlot(report, 'latency-over-time').lines.map(({ values }) => Number(values[5]))
  assert.ok(p50 < 150 && p99 > 50_000 && most > 1e6, 'second 3 has a freeze and losses')

  const steady = (schedule: Parameters<typeof aSpec>[0]): Report =>
    aReport({ kind: 'run', ...judged(aRun(aSpec({ durationMs: 2000, warmupMs: 0, ...schedule }), STEADY)) })
  const ids = plotsOf(steady({})).map(({ id }) => id)
  assert.deepEqual(ids, ['percentiles', 'latency-over-time', 'rate-over-time'])
  assert.deepEqual(linePlot(steady({}), 'rate-over-time').marks, [])
  const labels = (report: Report): string[] => linePlot(report, 'rate-over-time').lines.map(({ label }) => label)
  assert.deepEqual(labels(steady({})), ['offered', 'answered'])
  assert.deepEqual(labels(steady({ schedule: { kind: 'closed', outstanding: 9 } })), ['answered'])
})

test('a search: every trial once, among those that passed or those that did not', () => {
  const report = capacityReport()
  const order = linePlot(report, 'search-order')
  const [, passed, failed] = order.lines
  assert.deepEqual([passed.shape, failed.shape], ['circles', 'crosses'])
  const rates = [10e3, 20e3, 40e3, 80e3, 160e3, null, null, null, 180e3, 190e3, 190e3, 190e3]
  assert.deepEqual(passed.values, rates)
  assert.deepEqual(failed.values, [null, null, null, null, null, 320e3, 240e3, 200e3, null, null, null, null])
  assert.deepEqual(order.marks, [{ axis: 'y', at: 190_000, label: 'capacity 190,000' }])
  const loss = linePlot(report, 'search-loss')
  assert.deepEqual(
    loss.at,
    loss.at.toSorted((a, b) => a - b),
  )
  assert.deepEqual(
    loss.marks.map(({ axis, at }) => [axis, at]),
    [
      ['x', 190_000],
      ['y', 0.001],
    ],
  )
  assert.deepEqual(
    latenciesOf(report.outcome).map(({ label }) => label),
    ['190,000 a second', '200,000 a second'],
  )
  const { outcome } = report
  assert.ok(outcome.kind === 'capacity')
  const none = { ...report, outcome: { ...outcome, rate: 0, bounds: { maxLoss: null, maxP99Micros: null } } }
  assert.deepEqual(linePlot(none, 'search-latency').marks, [])
})

test('a comparison: runs that are not valid are in no dot and no curve', () => {
  const report = comparisonReport()
  const plot = plotsOf(report).find(({ id }) => id === 'compare-p99') as WhiskerPlot
  const { outcome } = report
  assert.ok(outcome.kind === 'comparison')
  assert.deepEqual(
    plot.rows.map(({ values }) => values.length),
    [5, 4, 5],
  )
  for (const [index, { low, median, high }] of plot.rows.entries()) {
    assert.deepEqual({ low, median, high }, outcome.servers[index].p99Micros)
  }
  const [first, second] = latenciesOf(outcome)
  assert.equal(first.latency.totalCount, 5 * 400_000)
  assert.equal(second.latency.totalCount, 4 * 400_000)
  // A curve ends with its last query.
  const curves = linePlot(report, 'percentiles')
  assert.equal(curves.at.at(-1), 2_000_000)
  assert.deepEqual(
    curves.lines.map(({ values }) => values.at(-1) === null),
    [false, false, true, true, false, false],
  )
  assert.ok(valueAt(curves, 2, 1_000_000) !== null)
})
