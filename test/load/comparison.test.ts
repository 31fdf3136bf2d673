// Servers in turn, against runs whose figures are known: order, ratios, drift, disturbed rounds.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type ComparisonEvents, compareServers } from '../../src/load/comparison.ts'
import { LoadInputError } from '../../src/load/input-error.ts'
import type { ComparisonOutcome } from '../../src/load/outcome.ts'
import type { RunResult, RunSpec } from '../../src/load/run.ts'
import type { RunEvents, Runner } from '../../src/load/session.ts'
import { histogramOf, RESULT, SPEC, TARGET } from './run-result.ts'

/** What a run comes to: `run` counts from 0, servers are A, B, … */
type Machine = (label: string, run: number) => Partial<RunResult>

class SimulatedRunner implements Runner {
  readonly labels: string[] = []
  readonly pids: (readonly number[])[] = []
  readonly #machine: Machine

  constructor(machine: Machine) {
    this.#machine = machine
  }

  async run(
    spec: RunSpec,
    _events?: RunEvents,
    pids: readonly number[] = [],
    signal?: AbortSignal,
  ): Promise<RunResult> {
    const run = this.labels.push(spec.target.label) - 1
    this.pids.push(pids)
    const result = { ...RESULT, spec, interrupted: signal?.aborted ?? false }
    return { ...result, ...this.#machine(spec.target.label, run) }
  }
}

function specs(labels: string): RunSpec[] {
  return [...labels].map((label) => ({
    ...SPEC,
    target: { ...TARGET, label },
    schedule: { kind: 'closed', outstanding: 64 },
  }))
}

function compare(machine: Machine, rounds: number, labels = 'AB'): Promise<ComparisonOutcome> {
  return compareServers(new SimulatedRunner(machine), specs(labels), rounds)
}

/** So many queries answered a second, in 10 s. */
function qps(rate: number): Partial<RunResult> {
  return { sent: rate * 10, answered: rate * 10, lost: 0 }
}

function isClose(value: number | undefined, expected: number, within = 0.002): boolean {
  return value !== undefined && Math.abs(value / expected - 1) <= within
}

test('every other round goes backwards, and each server gets its own processes and events', async () => {
  const runner = new SimulatedRunner(() => ({}))
  const seen: string[] = []
  const events: ComparisonEvents = {
    runStarts: (round, server) => seen.push(`${round}${server}`),
    run: (round, server, { result }) => seen.push(`${round}${server}${result.spec.target.label}`),
  }
  const outcome = await compareServers(runner, specs('ABC'), 3, events, [[1, 2], [], [3]])
  assert.equal(runner.labels.join(''), 'ABCCBAABC')
  assert.deepEqual(runner.pids.slice(0, 6), [[1, 2], [], [3], [3], [], [1, 2]])
  assert.deepEqual(seen.slice(4, 8), ['02', '02C', '12', '12C'])
  for (const round of outcome.rounds) assert.equal(round.map(({ result }) => result.spec.target.label).join(''), 'ABC')
  assert.equal(outcome.rounds.length, 3)
})

test('figures of each server, and their ratios to the first', async () => {
  const runs: Record<string, Partial<RunResult>> = {
    A: { ...qps(1000), latency: histogramOf(200_000, 10_000), serverCpuNs: 100e6 },
    B: { ...qps(500), lost: 50, sent: 5050, latency: histogramOf(100_000, 5050), serverCpuNs: 25e6 },
    C: { ...qps(2000), latency: histogramOf(400_000, 20_000) },
  }
  const outcome = await compare((label) => runs[label], 4, 'ABC')
  const [a, b, c] = outcome.servers
  assert.deepEqual(a.qps, { low: 1000, median: 1000, high: 1000 })
  assert.equal(a.ratios, null)
  assert.ok(isClose(a.cpuMicros?.median, 10) && isClose(b.cpuMicros?.median, 5))
  assert.ok(isClose(b.p50Micros.median, 100) && isClose(b.p99Micros.median, 100))
  assert.ok(isClose(b.loss.median, 50 / 5050))
  assert.ok(isClose(b.ratios?.qps.median, 0.5) && isClose(b.ratios?.cpu?.median, 0.5))
  assert.ok(isClose(b.ratios?.p50.median, 0.5) && isClose(c.ratios?.p99.median, 2))
  assert.equal(c.cpuMicros, null)
  assert.equal(c.ratios?.cpu, null)
  assert.deepEqual(outcome.validity, { isValid: true, reasons: [], remarks: [] })
})

test('processor time that is known of some rounds only counts in those', async () => {
  const outcome = await compare((label, run) => ({ serverCpuNs: label === 'B' && run < 2 ? null : 1e9 }), 4)
  assert.ok(isClose(outcome.servers[1].ratios?.cpu?.median, 1))
  const none = await compare(() => ({ answered: 0, serverCpuNs: 1e9 }), 4)
  assert.equal(none.servers[0].cpuMicros, null)
})

test('drift cancels out over an even number of rounds', () =>
  fc.assert(
    fc.asyncProperty(
      fc.double({ min: 0.5, max: 2, noNaN: true }),
      fc.double({ min: -0.01, max: 0.01, noNaN: true }),
      fc.integer({ min: 1, max: 5 }),
      async (ratio, drift, pairs) => {
        // Both are slower, or faster, by so much from run to run.
        const machine: Machine = (label, run) => qps(100_000 * (label === 'B' ? ratio : 1) * (1 + drift) ** run)
        const outcome = await compare(machine, pairs * 2)
        assert.ok(isClose(outcome.servers[1].ratios?.qps.median, ratio, 0.0002))
        const rates = outcome.servers.map((server) => server.qps.median)
        assert.ok(isClose(rates[1] / rates[0], ratio, 0.0002))
      },
    ),
  ))

test('ratios do not see what falls on both, medians do not see what falls on one round', async () => {
  const noise = [1, 0.4, 0.9, 0.5, 0.7, 0.6]
  const disturbed = await compare((label, run) => qps(1000 * noise[run >> 1] * (label === 'B' ? 1.1 : 1)), 6)
  const { low, high } = disturbed.servers[1].ratios!.qps
  assert.ok(isClose(low, 1.1) && isClose(high, 1.1))
  const once = await compare((label, run) => qps(label === 'B' ? (run === 1 ? 10 : 1100) : 1000), 5)
  assert.ok(isClose(once.servers[1].ratios?.qps.median, 1.1))
})

test('rounds that say nothing are left out, unless they are most', async () => {
  const cases: [rounds: number, spoiled: number, ratio: number, isValid: boolean, said: RegExp][] = [
    [6, 1, 2, true, /^1 of 6 rounds say nothing, which are left out; B: 100 answers/],
    [6, 3, 2, true, /^3 of 6/],
    [6, 4, 1, false, /^4 of 6 rounds say nothing, which are too many to be left out; B: 100 answers/],
    [1, 1, 1, false, /^1 of 1/],
  ]
  for (const [rounds, spoiled, ratio, isValid, said] of cases) {
    const machine: Machine = (label, run) => {
      const isSpoiled = run >> 1 < spoiled
      const own = { ...RESULT.own, receiveDrops: isSpoiled && label === 'B' ? 100 : 0 }
      return { ...qps(label === 'B' && !isSpoiled ? 2000 : 1000), own }
    }
    const outcome = await compare(machine, rounds)
    assert.ok(isClose(outcome.servers[1].ratios?.qps.median, ratio), `${spoiled} of ${rounds}`)
    assert.equal(outcome.validity.isValid, isValid)
    assert.match(isValid ? outcome.validity.remarks[0] : outcome.validity.reasons[0], said)
    assert.equal(outcome.rounds.length, rounds)
  }
})

test('only whole rounds count when it is ended early', async () => {
  const endedAt = async (run: number): Promise<ComparisonOutcome> => {
    const ended = new AbortController()
    let runs = 0
    const events: ComparisonEvents = { runStarts: () => runs++ === run && ended.abort() }
    return await compareServers(new SimulatedRunner(() => ({})), specs('AB'), 5, events, [], ended.signal)
  }
  const late = await endedAt(9)
  assert.deepEqual([late.rounds.length, late.validity.isValid], [4, true])
  assert.match(late.validity.remarks[0], /^the comparison was ended after 4 of 5 rounds$/)
  const early = await endedAt(1)
  assert.deepEqual([early.rounds.length, early.validity.isValid], [0, false])
  assert.match(early.validity.reasons[0], /before its first round was over$/)
  assert.ok(Number.isNaN(early.servers[1].ratios?.qps.median))
  const between = new AbortController()
  const runner = new SimulatedRunner(() => ({}))
  const events: ComparisonEvents = { run: (_round, server) => server === 0 && between.abort() }
  await compareServers(runner, specs('AB'), 5, events, [], between.signal)
  assert.equal(runner.labels.length, 1, 'nothing is begun any more')
})

test('remarks name the server and how often', async () => {
  const refused = RESULT.rcodes.map((count, rcode) => (rcode === 5 ? 99_990 : count))
  const outcome = await compare((label, run) => (label === 'B' && run > 1 ? { rcodes: refused } : {}), 3)
  assert.deepEqual(outcome.validity.remarks, [
    '3 rounds are too few to tell chance from a difference: quartiles need 4',
    'B, 2 of 3 runs: 100 % of the answers are REFUSED',
  ])
})

test('what cannot be compared is bad input', async () => {
  for (const [labels, rounds] of [
    ['A', 3],
    ['AB', 0],
    ['AB', Number.NaN],
  ] as const) {
    await assert.rejects(
      compare(() => ({}), rounds, labels),
      LoadInputError,
    )
  }
})
