// The search for the capacity, against servers and generators whose limits are known, and what chance may do to it.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { CAPACITY_DEFAULTS, type CapacityEvents, type CapacityOptions, findCapacity } from '../../src/load/capacity.ts'
import { LoadInputError } from '../../src/load/input-error.ts'
import type { CapacityOutcome } from '../../src/load/outcome.ts'
import type { RunResult, RunSpec } from '../../src/load/run.ts'
import type { RunEvents, Runner } from '../../src/load/session.ts'
import { histogramOf, RESULT, SPEC } from './run-result.ts'

/** What chance does to one run: the server fails for no reason, all goes well for none, or the generator is late. */
type Chance = 'none' | 'fail' | 'pass' | 'spoil'

interface Machine {
  /** Queries a second that the server answers. */
  readonly capacity: number
  /** Queries a second that the generator sends in time. */
  readonly generator?: number
  /** By number of the run. */
  chance?(run: number, rate: number): Chance
}

const FAST_NS = 200_000
const SLOW_NS = 100e6

/** Runs that take no time. Every second one that is too much is so by its losses, every other by its latency. */
class SimulatedRunner implements Runner {
  readonly specs: RunSpec[] = []
  readonly #machine: Machine

  constructor(machine: Machine) {
    this.#machine = machine
  }

  async run(spec: RunSpec, _events?: RunEvents, _pids?: readonly number[], signal?: AbortSignal): Promise<RunResult> {
    assert.equal(spec.schedule.kind, 'open')
    const rate = spec.schedule.kind === 'open' ? spec.schedule.rate : 0
    const { capacity, generator = Number.POSITIVE_INFINITY, chance } = this.#machine
    const run = this.specs.push(spec) - 1
    const luck = chance?.(run, rate) ?? 'none'
    const seconds = spec.durationMs / 1000
    const sent = Math.max(1, Math.round(rate * seconds))
    const fails = luck === 'fail' || (rate > capacity && luck !== 'pass')
    const lost = fails && (run % 2 === 0 || capacity === 0) ? Math.ceil(sent * (capacity === 0 ? 1 : 0.05)) : 0
    const late = (rate > generator && luck !== 'pass') || luck === 'spoil' ? Math.ceil(sent * 0.05) : 0
    const latency = histogramOf(fails && lost === 0 ? SLOW_NS : FAST_NS, sent)
    const interrupted = signal?.aborted ?? false
    const series = [{ ...RESULT, index: 0, seconds, offered: rate }]
    return { ...RESULT, spec, seconds, sent, answered: sent - lost, lost, late, latency, interrupted, series }
  }
}

const QUICK: CapacityOptions = { ...CAPACITY_DEFAULTS, pauseMs: 0 }

function search(machine: Machine, options: Partial<CapacityOptions> = {}): Promise<CapacityOutcome> {
  return findCapacity(new SimulatedRunner(machine), SPEC, { ...QUICK, ...options })
}

function assertFound(outcome: CapacityOutcome, limit: number, resolution: number): void {
  assert.ok(outcome.rate <= limit, `${outcome.rate} is more than ${limit}`)
  // A query a second is the smallest step.
  assert.ok(outcome.rate * (1 + resolution) + 1 >= limit, `${outcome.rate} is less than ${limit}`)
}

const anyRate = fc.oneof(fc.integer({ min: 1, max: 2000 }), fc.integer({ min: 1, max: 3_000_000 }))
const anyResolution = fc.constantFrom(0.01, 0.02, 0.05)
const anyMachine = fc.record({ capacity: anyRate, generator: anyRate })

test('the lower of two limits is found, and whose it is', () =>
  fc.assert(
    fc.asyncProperty(
      anyMachine,
      fc.integer({ min: 1, max: 100_000 }),
      anyResolution,
      async (machine, startRate, resolution) => {
        const { capacity, generator } = machine
        // From much further up, the search takes the generator for one that can do nothing.
        fc.pre(startRate <= generator * 60)
        const outcome = await search(machine, { startRate, resolution })
        assertFound(outcome, Math.min(capacity, generator), resolution)
        assert.deepEqual(outcome.confirmed, { passed: 5, of: 5 })
        assert.ok(outcome.trials.length < 60, `${outcome.trials.length} trials`)
        // Closer than that, either may be met first.
        if (capacity > generator || generator > capacity * 1.1 + 2) {
          assert.equal(outcome.validity.isValid, capacity <= generator, outcome.validity.reasons.join())
        }
        if (capacity > generator) {
          assert.match(
            outcome.validity.reasons[0],
            /^the generator ended the search, not the server: at \d+ .* % of the queries were sent/,
          )
          assert.equal(outcome.failedRate, null)
        } else if (outcome.validity.isValid) {
          assert.ok((outcome.failedRate ?? 0) > capacity)
          assert.ok((outcome.failedRate ?? 0) <= Math.max(outcome.rate * (1 + resolution), outcome.rate + 1))
        }
      },
    ),
  ))

/** At most one disturbance in five runs. */
const anyChances = fc
  .array(fc.record({ gap: fc.integer({ min: 5, max: 12 }), kind: fc.constantFrom<Chance>('fail', 'pass', 'spoil') }), {
    maxLength: 30,
  })
  .map((list) => {
    const chances = new Map<number, Chance>()
    let run = -5
    for (const { gap, kind } of list) {
      run += gap
      chances.set(run, kind)
    }
    return chances
  })

test('single mishaps and single strokes of luck change nothing', () =>
  fc.assert(
    fc.asyncProperty(fc.integer({ min: 100, max: 1_000_000 }), anyChances, async (capacity, chances) => {
      const outcome = await search({ capacity, chance: (run) => chances.get(run) ?? 'none' }, { maxTrials: 1000 })
      assertFound(outcome, capacity, QUICK.resolution)
      assert.ok(outcome.confirmed.passed >= 4)
      assert.equal(outcome.validity.isValid, true)
      const spoiled = outcome.trials.filter(({ validity }) => !validity.isValid)
      assert.ok(spoiled.every(({ passed }) => !passed))
      if (spoiled.length > 0)
        assert.match(outcome.validity.remarks.join(), /^\d+ of \d+ trials say nothing: .* % of the queries were sent/)
    }),
  ))

test('noise leads nobody far astray', async () => {
  // A generator with a period of 2^32, so that every run of this test sees the same noise.
  let state = 1
  const random = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 32
  }
  const capacity = 37_000
  // From all well at 95 % of the capacity to nothing at 105 %, one mishap in thirty, the generator disturbed in one of twenty.
  const chance = (_run: number, rate: number): Chance => {
    if (random() < 0.05) return 'spoil'
    if (random() < 1 / 30) return 'fail'
    const share = (1.05 - rate / capacity) / 0.1
    return random() < share ? 'pass' : 'fail'
  }
  const tries = 200
  const found: number[] = []
  for (let i = 0; i < tries; i++) found.push((await search({ capacity, chance })).rate / capacity)
  const close = found.filter((ratio) => ratio > 0.9 && ratio < 1.04)
  assert.ok(close.length >= tries * 0.97, `${close.length} of ${tries} within 10 %`)
  assert.equal(found.filter((ratio) => ratio > 1.04).length, 0, 'too much is never confirmed')
})

test('an upper end that was wrong is found out', async () => {
  // 1000, 2000, 4000, and 8000 twice.
  const chance = (run: number): Chance => (run === 3 || run === 4 ? 'fail' : 'none')
  const outcome = await search({ capacity: 100_000, chance })
  assertFound(outcome, 100_000, QUICK.resolution)
  const tried = outcome.trials.map(({ rate }) => rate)
  assert.deepEqual(tried.slice(0, 5), [1000, 2000, 4000, 8000, 8000])
  assert.ok(tried.lastIndexOf(8000) > 4, 'it was tried again')
})

test('so is one that was the generator’s for a while', async () => {
  const chance = (run: number): Chance => (run >= 3 && run < 7 ? 'spoil' : 'none')
  const outcome = await search({ capacity: 100_000, chance })
  assertFound(outcome, 100_000, QUICK.resolution)
  assert.equal(outcome.validity.isValid, true)
})

// All that narrows the gap passes up to 40,000.
const lucky = (run: number, rate: number): Chance => (run < 15 && rate <= 40_000 ? 'pass' : 'none')

test('what passed by luck is not confirmed', async () => {
  const server = await search({ capacity: 20_000, chance: lucky })
  assertFound(server, 20_000, QUICK.resolution)
  assert.ok(server.trials.some(({ rate, phase, passed }) => phase === 'confirm' && rate > 30_000 && !passed))
  assert.ok(server.trials.length < 70, `${server.trials.length} trials`)
  assert.equal(server.validity.isValid, true)
  const generator = await search({ capacity: 1_000_000, generator: 20_000, chance: lucky }, { maxTrials: 200 })
  assertFound(generator, 20_000, QUICK.resolution)
  assert.match(generator.validity.reasons[0], /^the generator ended the search/)
})

test('a search that is ended early says what is known by then', async () => {
  const whole = await search({ capacity: 20_000, chance: lucky })
  const firsts = { fail: 0, hold: 0 }
  firsts.fail = whole.trials.findIndex(({ phase, passed }) => phase === 'confirm' && !passed)
  firsts.hold = whole.trials.findIndex(({ phase, passed }) => phase === 'confirm' && passed)
  const cases: [maxTrials: number, rate: number, verdict: 'reasons' | 'remarks', said: RegExp][] = [
    [firsts.fail, 0, 'reasons', /: \d+ queries a second passed once, \d+ did not$/],
    [firsts.fail + 2, 0, 'reasons', /: no rate held, \d+ did not$/],
    [firsts.hold + 6, whole.trials[firsts.hold].rate, 'remarks', /: \d+ queries a second passed, \d+ did not$/],
  ]
  for (const [maxTrials, rate, verdict, said] of cases) {
    const outcome = await search({ capacity: 20_000, chance: lucky }, { maxTrials })
    assert.equal(outcome.rate, rate)
    assert.equal(outcome.trials.length, maxTrials)
    assert.match(outcome.validity[verdict][0], said)
    assert.equal(outcome.validity.isValid, verdict === 'remarks')
  }
  const aborted = new AbortController()
  const events: CapacityEvents = { trialStarts: (rate) => rate === 8000 && aborted.abort() }
  const runner = new SimulatedRunner({ capacity: 20_000 })
  const { rate, trials, validity } = await findCapacity(runner, SPEC, QUICK, events, [], aborted.signal)
  assert.deepEqual([rate, trials.length], [0, 4])
  assert.match(validity.reasons[0], /interrupted: 4000 queries a second passed once$/, 'half a trial says nothing')
})

test('rates, lengths and phases of the trials', async () => {
  const runner = new SimulatedRunner({ capacity: 2900 })
  const seen: string[] = []
  const events: CapacityEvents = {
    trialStarts: (rate, phase) => seen.push(`${rate} ${phase}`),
    trial: ({ rate, phase, passed }) => seen.push(`${rate} ${phase} ${passed}`),
  }
  const outcome = await findCapacity(runner, { ...SPEC, passes: 3 }, { ...QUICK, resolution: 0.2 }, events)
  const expected = [
    [1000, 'step', true],
    [2000, 'step', true],
    [4000, 'step', false],
    [4000, 'step', false],
    [2828, 'bisect', true],
    [3363, 'bisect', false],
    [3363, 'bisect', false],
    ...Array.from({ length: 5 }, () => [2828, 'confirm', true]),
  ]
  assert.deepEqual(
    outcome.trials.map(({ rate, phase, passed }) => [rate, phase, passed]),
    expected,
  )
  assert.deepEqual(
    seen,
    expected.flatMap(([rate, phase, passed]) => [`${rate} ${phase}`, `${rate} ${phase} ${passed}`]),
  )
  for (const [at, { durationMs, passes }] of runner.specs.entries()) {
    assert.deepEqual([durationMs, passes], [expected[at][1] === 'step' ? 500 : 2000, 0])
  }
  assert.deepEqual([outcome.rate, outcome.failedRate, outcome.confirmed], [2828, 3363, { passed: 5, of: 5 }])
})

test('what ends a search otherwise', async () => {
  const aborted = new AbortController()
  aborted.abort()
  const cases: [string, Promise<CapacityOutcome>, rate: number, failed: number | null, said: RegExp][] = [
    ['nobody listens', search({ capacity: 0 }), 0, 1000, /^the server answered nothing at all$/],
    [
      'no time',
      search({ capacity: 9000 }, { limitMs: 0 }),
      0,
      null,
      /^the search ended early, .* its 0 s: no rate held$/,
    ],
    [
      'few trials',
      search({ capacity: 9000 }, { maxTrials: 6 }),
      0,
      16_000,
      /^the search ended early, because it had its 6 trials: 8000 queries a second passed once, 16000 did not$/,
    ],
    [
      'before anything',
      findCapacity(new SimulatedRunner({ capacity: 9000 }), SPEC, QUICK, {}, [], aborted.signal),
      0,
      null,
      /^the search ended early, because it was interrupted: no rate held$/,
    ],
    [
      'a generator that can do nothing',
      search({ capacity: 9000, generator: 0 }),
      0,
      null,
      /^the generator ended the search, not the server: at 15 queries a second, the generator could not/,
    ],
  ]
  for (const [what, promise, rate, failed, said] of cases) {
    const outcome = await promise
    assert.deepEqual([outcome.rate, outcome.failedRate], [rate, failed], what)
    assert.equal(outcome.validity.isValid, false, what)
    assert.match(outcome.validity.reasons[0], said, what)
  }
  assert.equal((await search({ capacity: 0 })).trials.length, 2, 'nobody is asked again and again')
  // Four rates, each tried four times.
  assert.equal((await search({ capacity: 9000, generator: 0 })).trials.length, 16)
  const found = (await search({ capacity: 9000 })).trials.findIndex(({ phase }) => phase === 'confirm')
  const disturbed = await search({ capacity: 9000, chance: (run) => (run < found ? 'none' : 'spoil') })
  assert.deepEqual([disturbed.rate, disturbed.trials.length], [0, found + 16])
  assert.match(disturbed.validity.reasons[0], /^the generator ended the search/)
})

test('a search that has all it needs has nothing more to say', async () => {
  const whole = await search({ capacity: 9000 })
  assert.deepEqual(whole.validity, { isValid: true, reasons: [], remarks: [] })
  assert.deepEqual(await search({ capacity: 9000 }, { maxTrials: whole.trials.length }), whole)
})

test('limits of the options: the highest rate, one query a second, one bound', async () => {
  const most = await search({ capacity: 9e9 }, { maxRate: 50_000 })
  assert.deepEqual([most.rate, most.failedRate, most.validity.isValid], [50_000, null, true])
  assert.match(most.validity.remarks[0], /^no rate above 50000 queries a second was tried/)
  const least = await search({ capacity: 1 }, { trialMs: 20_000 })
  assert.deepEqual([least.rate, least.failedRate], [1, 2])
  const none = await search({ capacity: 0.5 }, { trialMs: 20_000 })
  assert.deepEqual([none.rate, none.failedRate, none.validity.isValid], [0, 1, true])
  for (const bounds of [
    { maxLoss: 0.001, maxP99Micros: null },
    { maxLoss: null, maxP99Micros: 1000 },
  ]) {
    // One run in two breaks only the other bound, and a failure counts when it comes twice in a row.
    const outcome = await search({ capacity: 9000 }, { bounds, maxRate: 20_000 })
    assert.ok(
      outcome.trials.some(({ passed, rate }) => passed && rate > 9000) && outcome.trials.some(({ passed }) => !passed),
    )
  }
})

test('options that make no sense are said to', async () => {
  const cases: [Partial<CapacityOptions>, RegExp][] = [
    [{ bounds: { maxLoss: null, maxP99Micros: null } }, /--max-loss, --max-p99/],
    [{ startRate: 0 }, /starts at 0/],
    [{ startRate: Number.NaN }, /starts at NaN/],
    [{ startRate: 2000, maxRate: 1000 }, /from 2000 queries a second to 1000/],
    [{ trialMs: 0 }, /0 ms/],
    [{ resolution: 0 }, /resolution of 0/],
    [{ resolution: 1 }, /resolution of 1/],
    [{ confirmations: 3, confirmationsNeeded: 4 }, /4 of 3/],
    [{ confirmationsNeeded: 0 }, /0 of 5/],
  ]
  for (const [options, message] of cases) {
    await assert.rejects(
      search({ capacity: 9000 }, options),
      (error) => error instanceof LoadInputError && message.test(error.message),
    )
  }
})
