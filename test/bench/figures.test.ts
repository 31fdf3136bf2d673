// What benchmarks hand on of their rounds, so that another day's can be compared with it.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { forwardFigures } from '../../bench/forward/figures.ts'
import type { BurstSample, Sample as ForwardSample } from '../../bench/forward/report.ts'
import type { Figure } from '../../bench/results.ts'
import { serveFigures } from '../../bench/serve/figures.ts'
import type { Result } from '../../bench/serve/generator.ts'
import type { Sample, Scenario } from '../../bench/serve/report.ts'
import { watchFigures } from '../../bench/watch/figures.ts'
import { atMost, type Figure as WatchFigure } from '../../bench/watch/report.ts'

const RESULT: Result = {
  answered: 100_000,
  sent: 100_000,
  lost: 0,
  rcodes: [100_000],
  seconds: 1,
  serverCpuNs: 1e9,
  softirqCpuNs: 0,
  ownCpuNs: 1e9,
  idleShare: 0.5,
  batch: 8,
}
/** A core that others used too: neither had its own. */
const DISTURBED: Result = { ...RESULT, answered: 60_000, serverCpuNs: 0.6e9, ownCpuNs: 0.6e9 }
const SCENARIO: Scenario = { size: '1k', mix: 'positive', sockets: 8, outstanding: 256 }
const NAME = '1k names, positive, 8 sockets, 256 outstanding'

function byName(figures: readonly Figure[]): Record<string, Figure> {
  assert.equal(new Set(figures.map(({ name }) => name)).size, figures.length, 'names are unlike each other')
  return Object.fromEntries(figures.map((figure) => [figure.name, figure]))
}

test('bench:serve: rates of clear rounds, CPU of all, ratios within a round', () => {
  const sample = (target: string, round: number, result: Result): Sample => ({
    scenario: SCENARIO,
    target,
    round,
    result,
  })
  const figures = byName(
    serveFigures([
      sample('echo', 0, RESULT),
      sample('peregrine', 0, { ...RESULT, answered: 50_000, lost: 50_000 }),
      sample('echo', 1, { ...RESULT, answered: 50_000 }),
      sample('peregrine', 1, DISTURBED),
    ]),
  )
  assert.deepEqual(figures[`${NAME}: peregrine, rate`], {
    name: `${NAME}: peregrine, rate`,
    unit: 'queries/s',
    better: 'higher',
    values: [50_000],
  })
  assert.deepEqual(figures[`${NAME}: peregrine, CPU`].values, [20, 10])
  assert.equal(figures[`${NAME}: peregrine, CPU`].better, 'lower')
  assert.deepEqual(figures[`${NAME}: peregrine, lost`].values, [500_000, 0])
  assert.deepEqual(figures[`${NAME}: peregrine, CPU to the echo loop`].values, [2, 0.5])
  assert.deepEqual(Object.keys(figures).length, 7, 'the echo loop has no ratio to itself')
  const disturbed = byName(serveFigures([sample('peregrine', 0, DISTURBED)]))
  assert.deepEqual(disturbed[`${NAME}: peregrine, rate`].values, [60_000], 'better than nothing')
})

test('bench:forward: hits, misses and bursts; rounds that were answered wrongly are no figures', () => {
  const counts = { queries: 110, answers: 110, names: 100, repeatsInFlight: 3, dropped: 0 }
  const sample = (change: Partial<ForwardSample>): ForwardSample => ({
    kind: 'hits',
    mix: 'mixed',
    target: 'unbound',
    round: 0,
    result: RESULT,
    counts,
    upstreamShare: 0,
    wrong: '',
    ...change,
  })
  const burst = { answered: 90, rcodes: [80], sendMs: 1, totalMs: 7 }
  const bursts: BurstSample[] = [{ target: 'peregrine', round: 0, clients: 100, result: burst, counts }]
  const figures = byName(
    forwardFigures(
      [
        sample({}),
        sample({ round: 1, result: { ...RESULT, answered: 9 }, wrong: '9 answers with RCODE 2' }),
        sample({ round: 2, result: DISTURBED }),
        sample({ kind: 'own', target: 'peregrine' }),
        sample({ kind: 'misses', mix: '' }),
      ],
      bursts,
    ),
  )
  const values = Object.fromEntries(Object.entries(figures).map(([name, figure]) => [name, figure.values]))
  assert.deepEqual(values, {
    'hits, mixed, unbound, rate': [100_000],
    'hits, mixed, unbound, CPU': [10, 10],
    'own, mixed, peregrine, authoritative, rate': [100_000],
    'own, mixed, peregrine, authoritative, CPU': [10],
    'misses, unbound, rate': [100_000],
    'misses, unbound, CPU': [10],
    'misses, unbound, upstream queries a name': [1.1],
    'misses, unbound, repeats in flight': [3],
    'one name, 100 clients, peregrine, upstream queries': [110],
    'one name, 100 clients, peregrine, without an answer': [20],
    'one name, 100 clients, peregrine, answered within': [7],
  })
})

test('bench:watch: what is of the server, better as its targets say', () => {
  const figure = (part: string, what: string, unit: string, target: WatchFigure['target'] = null): WatchFigure => ({
    services: 10_000,
    part,
    what,
    unit,
    values: [1, 2],
    target,
  })
  const figures = watchFigures([
    figure('cold start', 'paged lists: ready', 's', atMost(1.5)),
    figure('cold start', 'paged lists: CPU of the API server', 's'),
    figure('updates', '100/s: p99', 'ms'),
    figure('updates', '100/s: changes followed', ''),
    figure('updates', 'answered', '', { sign: '>=', limit: 1 }),
    figure('relist', 'nothing changed: queries', ''),
    figure('relist', 'nothing changed: queries lost', ''),
    figure('machine', 'cores that other processes used meanwhile', ''),
  ])
  assert.deepEqual(
    figures.map(({ name, unit, better }) => [name, unit, better]),
    [
      ['10000 Services, cold start: paged lists: ready', 's', 'lower'],
      ['10000 Services, updates: 100/s: p99', 'ms', 'lower'],
      ['10000 Services, updates: answered', '', 'higher'],
      ['10000 Services, relist: nothing changed: queries lost', '', 'lower'],
    ],
  )
  assert.deepEqual(figures[0].values, [1, 2])
})
