// The plots of a report, as data: latency by percentile, a run over time, the search for the capacity, the comparison.

import { type Histogram, mergeHistograms, percentileMicros } from '../histogram.ts'
import type { Bounds, CapacityOutcome, ComparisonOutcome, JudgedRun, Outcome, Report, Trial } from '../outcome.ts'
import { lossOf, type RunResult } from '../run.ts'
import { letterOf, METRICS, validRuns } from './metrics.ts'
import { countText, shareText, spanText } from './number-text.ts'
import type { Colour, Line, LinePlot, Mark, Plot, Scale, Whisker, WhiskerPlot } from './plot.ts'

// Points of a curve for each power of ten of 1 / (1 - p).
const POINTS_PER_DECADE = 48
const COLOURS: readonly Colour[] = ['series-1', 'series-2', 'series-3', 'series-4', 'series-5', 'series-6']
const LATENCY: Scale = { label: 'Latency', unit: 'micros', kind: 'log' }
const SECONDS: Scale = { label: 'Second of the run', unit: 'seconds', kind: 'even' }

/** Latencies that are drawn and tabled together. */
export interface Latencies {
  /** '' if there is only one. */
  readonly label: string
  readonly latency: Histogram
  readonly rawLatency: Histogram
}

/** All plots of a report, in the order of the page. */
export function plotsOf({ outcome, bounds }: Report): Plot[] {
  const timed = timedRun(outcome)
  return [
    ...(outcome.kind === 'capacity' ? searchPlots(outcome) : []),
    ...(outcome.kind === 'comparison' ? comparisonPlots(outcome) : []),
    percentilePlot(latenciesOf(outcome), outcome.kind === 'capacity' ? outcome.bounds : bounds),
    ...(timed === null ? [] : timePlots(timed, bounds)),
  ].filter((plot) => plot.kind === 'whiskers' || plot.at.length > 0)
}

/** The latencies of an outcome: of the run; at the capacity and where it was exceeded; of each server, all rounds together. */
export function latenciesOf(outcome: Outcome): Latencies[] {
  switch (outcome.kind) {
    case 'run':
      return [{ ...outcome.result, label: '' }]
    case 'capacity':
      return [outcome.rate, outcome.failedRate ?? 0].flatMap((rate) => {
        const trials = outcome.trials.filter((trial) => trial.rate === rate && trial.passed === (rate === outcome.rate))
        return trials.length === 0 ? [] : [merged(`${countText(rate)} a second`, trials)]
      })
    case 'comparison':
      return outcome.servers.map(({ target }, index) =>
        merged(`${letterOf(index)} ${target.label}`, validRuns(outcome, index)),
      )
  }
}

/** The run that is shown second by second: of a search, the last one at the capacity, else the last one; of a comparison, none. */
export function timedRun(outcome: Outcome): RunResult | null {
  if (outcome.kind === 'run') return outcome.result
  if (outcome.kind === 'comparison') return null
  const atCapacity = outcome.trials.findLast(({ rate, passed }) => rate === outcome.rate && passed)
  return (atCapacity ?? outcome.trials.at(-1))?.result ?? null
}

function merged(label: string, runs: readonly JudgedRun[]): Latencies {
  return {
    label,
    latency: mergeHistograms(runs.map(({ result }) => result.latency)),
    rawLatency: mergeHistograms(runs.map(({ result }) => result.rawLatency)),
  }
}

function percentilePlot(latencies: readonly Latencies[], bounds: Bounds): LinePlot {
  const countMax = Math.max(0, ...latencies.map(({ latency }) => latency.totalCount))
  const at: number[] = []
  for (let point = 0; countMax > 0; point++) {
    const tail = 10 ** (point / POINTS_PER_DECADE)
    at.push(Math.min(tail, countMax))
    if (tail >= countMax) break
  }
  const name = (label: string, kind: string): string => (label === '' ? kind : `${label}, ${kind}`)
  const lines = latencies.flatMap(({ label, latency, rawLatency }, index): Line[] => [
    {
      label: name(label, 'corrected'),
      colour: colourOf(index),
      shape: 'line',
      values: at.map((tail) => tailMicros(latency, tail)),
    },
    {
      label: name(label, 'raw'),
      colour: label === '' ? 'series-2' : colourOf(index),
      shape: 'dashes',
      values: at.map((tail) => tailMicros(rawLatency, tail)),
    },
  ])
  const x: Scale = { label: 'Share of the queries', unit: 'tail', kind: 'log' }
  return { kind: 'lines', id: 'percentiles', x, y: LATENCY, at, lines, marks: p99Marks(bounds) }
}

/** What all but one of `tail` values do not exceed; null where there are not so many. */
function tailMicros(histogram: Histogram, tail: number): number | null {
  if (tail > histogram.totalCount) return null
  return positive(percentileMicros(histogram, 100 * (1 - 1 / tail)))
}

function timePlots({ series, spec }: RunResult, bounds: Bounds): LinePlot[] {
  const at = series.map(({ index }) => index)
  const percentile = (percent: number): (number | null)[] =>
    series.map(({ latency }) => (latency.totalCount === 0 ? null : positive(percentileMicros(latency, percent))))
  const warmup: Mark[] = at.length > 0 && at[0] < 0 ? [{ axis: 'x', at: 0, label: 'counted from here' }] : []
  const plot = (id: string, y: Scale, lines: Line[], marks: Mark[] = []): LinePlot => {
    return { kind: 'lines', id, x: SECONDS, y, at, lines, marks: [...warmup, ...marks] }
  }
  const rates: Line[] = [
    {
      label: 'answered',
      colour: 'series-1',
      shape: 'line',
      values: series.map((each) => each.answered / each.seconds),
    },
  ]
  // Of a closed loop, what was offered is what was sent.
  if (spec.schedule.kind !== 'closed') {
    rates.unshift({ label: 'offered', colour: 'soft', shape: 'dashes', values: series.map(({ offered }) => offered) })
  }
  const plots = [
    plot(
      'latency-over-time',
      LATENCY,
      [
        { label: 'p50', colour: 'series-1', shape: 'line', values: percentile(50) },
        { label: 'p99', colour: 'series-2', shape: 'line', values: percentile(99) },
        { label: 'max', colour: 'soft', shape: 'dashes', values: percentile(100) },
      ],
      p99Marks(bounds),
    ),
    plot('rate-over-time', { label: 'Queries a second', unit: 'count', kind: 'zero' }, rates),
  ]
  if (series.some(({ lost }) => lost > 0)) {
    const values = series.map(({ lost }) => lost)
    const y: Scale = { label: 'Queries lost', unit: 'count', kind: 'zero' }
    plots.push(plot('losses-over-time', y, [{ label: 'lost', colour: 'bad', shape: 'bars', values }]))
  }
  return plots
}

function searchPlots({ trials, rate, bounds }: CapacityOutcome): LinePlot[] {
  const order = trials.map((_, index) => index + 1)
  const sorted = trials.toSorted((a, b) => a.rate - b.rate)
  const rates: Scale = { label: 'Queries a second', unit: 'count', kind: kindFor(sorted.map((trial) => trial.rate)) }
  const capacity = (axis: Mark['axis']): Mark[] =>
    rate > 0 ? [{ axis, at: rate, label: `capacity ${countText(rate)}` }] : []
  const p99 = (trial: Trial): number | null => positive(percentileMicros(trial.result.latency, 99))
  const loss = (trial: Trial): number => lossOf(trial.result)
  const at = sorted.map((trial) => trial.rate)
  const lossMarks: Mark[] =
    bounds.maxLoss === null ? [] : [{ axis: 'y', at: bounds.maxLoss, label: `at most ${shareText(bounds.maxLoss)}` }]
  return [
    {
      kind: 'lines',
      id: 'search-order',
      x: { label: 'Trial', unit: 'count', kind: 'even' },
      y: rates,
      at: order,
      lines: [
        { label: 'rate', colour: 'soft', shape: 'thin', values: trials.map((trial) => trial.rate) },
        ...passedAndFailed(trials, (trial) => trial.rate),
      ],
      marks: capacity('y'),
    },
    {
      kind: 'lines',
      id: 'search-latency',
      x: rates,
      y: { ...LATENCY, label: 'p99' },
      at,
      lines: passedAndFailed(sorted, p99),
      marks: [...capacity('x'), ...p99Marks(bounds)],
    },
    {
      kind: 'lines',
      id: 'search-loss',
      x: rates,
      y: { label: 'Lost', unit: 'share', kind: 'spread' },
      at,
      lines: passedAndFailed(sorted, loss),
      marks: [...capacity('x'), ...lossMarks],
    },
  ]
}

function passedAndFailed(trials: readonly Trial[], value: (trial: Trial) => number | null): Line[] {
  const only = (passed: boolean): (number | null)[] =>
    trials.map((trial) => (trial.passed === passed ? value(trial) : null))
  return [
    { label: 'within bounds', colour: 'good', shape: 'circles', values: only(true) },
    { label: 'out of bounds', colour: 'bad', shape: 'crosses', values: only(false) },
  ]
}

function comparisonPlots(outcome: ComparisonOutcome): Plot[] {
  const whiskers = METRICS.flatMap(({ id, title, unit, of, ofRun }): WhiskerPlot[] => {
    const rows = outcome.servers.flatMap((server, index): Whisker[] => {
      const quartiles = of(server)
      if (quartiles === null || !Number.isFinite(quartiles.median)) return []
      const values = validRuns(outcome, index).map(({ result }) => ofRun(result))
      return [{ ...quartiles, label: `${letterOf(index)} ${server.target.label}`, colour: colourOf(index), values }]
    })
    if (rows.length === 0) return []
    const medians = rows.map(({ median }) => median)
    return [
      {
        kind: 'whiskers',
        id: `compare-${id}`,
        x: { label: title, unit, kind: unit === 'share' ? 'spread' : kindFor(medians) },
        rows,
      },
    ]
  })
  return [...whiskers, roundsPlot(outcome)]
}

function roundsPlot({ servers, rounds }: ComparisonOutcome): LinePlot {
  const lines = servers.map(
    ({ target }, index): Line => ({
      label: `${letterOf(index)} ${target.label}`,
      colour: colourOf(index),
      shape: 'line',
      values: rounds.map((round) => positive(percentileMicros(round[index].result.latency, 99))),
    }),
  )
  const x: Scale = { label: 'Round', unit: 'count', kind: 'even' }
  return {
    kind: 'lines',
    id: 'rounds',
    x,
    y: { ...LATENCY, label: 'p99' },
    at: rounds.map((_, round) => round + 1),
    lines,
    marks: [],
  }
}

function p99Marks({ maxP99Micros }: Bounds): Mark[] {
  return maxP99Micros === null ? [] : [{ axis: 'y', at: maxP99Micros, label: `p99 at most ${spanText(maxP99Micros)}` }]
}

/** The colour of the n-th server. */
export function colourOf(index: number): Colour {
  return COLOURS[index % COLOURS.length]
}

// A logarithm has no place for 0.
function positive(value: number): number | null {
  return value > 0 ? value : null
}

/** On an even scale, the small ones of values that lie far apart would be one. */
function kindFor(values: readonly number[]): Scale['kind'] {
  const least = Math.min(...values)
  return least > 0 && Math.max(...values) / least > 8 ? 'log' : 'even'
}
