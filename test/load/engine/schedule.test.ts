// When queries are to be sent: what a pace says of a number agrees with what it says of a time, workers share one schedule,
// and a ramp has as many queries as the area under it.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Schedule } from '../../../src/load/run.ts'
import { offeredRate, type Pace, paceOf } from '../../../src/load/schedule.ts'
import { TableCursor } from '../../../src/load/table-cursor.ts'
import { tableOfTimes } from './tables.ts'

const NANOSECOND_MS = 1e-6
/** Where a ramp comes down to nothing, all times around are close to the last query's. */
const MICROSECOND_MS = 1e-3
const WARMUP_MS = 300
const DURATION_MS = 2000

const anyRate = fc.oneof(fc.integer({ min: 1, max: 50 }), fc.double({ min: 0.5, max: 1e6, noNaN: true }))
const anyTimes = fc
  .array(fc.double({ min: 0, max: 50, noNaN: true }), { minLength: 1, maxLength: 30 })
  .map((gaps) => Float64Array.from(gaps, (_, i) => gaps.slice(1, i + 1).reduce((sum, gap) => sum + gap, 0)))

interface Case {
  readonly schedule: Schedule
  readonly times: Float64Array | null
}

const anyCase: fc.Arbitrary<Case> = fc.oneof(
  anyRate.map((rate): Case => ({ schedule: { kind: 'open', rate }, times: null })),
  fc.tuple(anyRate, anyRate).map(([from, to]): Case => ({ schedule: { kind: 'ramp', from, to }, times: null })),
  // From nothing and to nothing.
  anyRate.map((rate): Case => ({ schedule: { kind: 'ramp', from: 0, to: rate }, times: null })),
  anyRate.map((rate): Case => ({ schedule: { kind: 'ramp', from: rate, to: 0 }, times: null })),
  fc
    .tuple(anyTimes, fc.double({ min: 0.1, max: 10, noNaN: true }))
    .map(([times, speed]): Case => ({ schedule: { kind: 'replay', speed }, times })),
)
const anyWorkers = fc.integer({ min: 1, max: 5 })

function paces({ schedule, times }: Case, workers: number): Pace[] {
  return Array.from({ length: workers }, (_, worker) => {
    const pace = paceOf(schedule, WARMUP_MS, DURATION_MS, worker, workers, times)
    assert.ok(pace !== null)
    return pace
  })
}

/** Numbers of one worker's queries until the end, a few of them. */
function someNumbers(pace: Pace): number[] {
  const count = pace.dueBy(WARMUP_MS + DURATION_MS)
  return [0, 1, 2, 3, Math.floor(count / 3), Math.floor(count / 2), count - 2, count - 1].filter(
    (number) => number >= 0 && number < count,
  )
}

test('a query is due from its time on, and not before', () => {
  fc.assert(
    fc.property(anyCase, anyWorkers, (each, workers) => {
      const tolerance = each.schedule.kind === 'ramp' ? MICROSECOND_MS : NANOSECOND_MS
      paces(each, workers).forEach((pace, worker) => {
        for (const number of someNumbers(pace)) {
          // A replay is asked with later and later times.
          const fresh = paces(each, workers)[worker]
          const ms = pace.timeOf(number)
          if (ms > tolerance) assert.ok(fresh.dueBy(ms - tolerance) <= number, `${number} is due before ${ms}`)
          assert.ok(fresh.dueBy(ms + tolerance) > number, `${number} is not due at ${ms}`)
        }
      })
    }),
  )
})

test('times grow with the numbers, and begin with the run or, of a replay, where it counts', () => {
  fc.assert(
    fc.property(anyCase, anyWorkers, (each, workers) => {
      const all = paces(each, workers)
      for (const pace of all) {
        const timesOf = Array.from({ length: 40 }, (_, number) => pace.timeOf(number)).filter((ms) => !Number.isNaN(ms))
        for (let i = 1; i < timesOf.length; i++) assert.ok(timesOf[i] >= timesOf[i - 1])
      }
      assert.equal(all[0].timeOf(0), each.schedule.kind === 'replay' ? WARMUP_MS : 0)
    }),
  )
})

test('workers together have every query exactly once', () => {
  fc.assert(
    fc.property(anyCase, anyWorkers, (each, workers) => {
      const [alone] = paces(each, 1)
      const together = paces(each, workers)
      if (each.times !== null) {
        // Of a replay numbers are places in a worker's own part.
        const passes = 3
        const own = together.flatMap((pace, worker) => {
          const count = passes * Math.max(0, Math.ceil((each.times!.length - worker) / workers))
          return Array.from({ length: count }, (_, number) => pace.timeOf(number))
        })
        const expected = Array.from({ length: passes * each.times.length }, (_, number) => alone.timeOf(number))
        own.sort((a, b) => a - b)
        assert.deepEqual(own, expected)
        return
      }
      for (const ms of [0, 1, WARMUP_MS, WARMUP_MS + 1, 1234.567, WARMUP_MS + DURATION_MS]) {
        const sum = together.reduce((total, pace) => total + pace.dueBy(ms), 0)
        assert.equal(sum, alone.dueBy(ms), `by ${ms} ms`)
      }
      for (let number = 0; number < 50; number++) {
        assert.equal(together[number % workers].timeOf(Math.floor(number / workers)), alone.timeOf(number))
      }
    }),
  )
})

test('a replay has the times of the queries that the cursor comes to, pass after pass', () => {
  fc.assert(
    fc.property(anyTimes, anyWorkers, (times, workers) => {
      const table = tableOfTimes([...times])
      const [alone] = paces({ schedule: { kind: 'replay', speed: 2 }, times }, 1)
      const passMs = alone.timeOf(times.length) - alone.timeOf(0)
      assert.ok(passMs > 0, 'a pass takes a while')
      paces({ schedule: { kind: 'replay', speed: 2 }, times }, workers).forEach((pace, worker) => {
        const cursor = new TableCursor(table, true, worker, workers)
        for (let number = 0; number < 3 * cursor.perPass; number++) {
          const pass = Math.floor(number / cursor.perPass)
          const expected = WARMUP_MS + pass * passMs + times[cursor.query] / 2
          assert.ok(Math.abs(pace.timeOf(number) - expected) < NANOSECOND_MS)
          cursor.advance()
        }
      })
    }),
  )
})

test('a worker of a replay without a query has nothing due', () => {
  const pace = paces({ schedule: { kind: 'replay', speed: 1 }, times: Float64Array.of(0, 5) }, 3)[2]
  assert.equal(pace.dueBy(1e9), 0)
})

test('queries of one moment do not come all at once for ever', () => {
  for (const times of [Float64Array.of(0), Float64Array.of(0, 0, 0)]) {
    const [pace] = paces({ schedule: { kind: 'replay', speed: 1 }, times }, 1)
    assert.equal(pace.dueBy(WARMUP_MS), times.length)
    assert.ok(pace.dueBy(WARMUP_MS + 10) < 100 * times.length)
  }
})

test('a ramp has as many queries as the area under it', () => {
  const cases: [from: number, to: number][] = [
    [100, 100],
    [100, 900],
    [900, 100],
    [0, 1000],
    [1000, 0],
    [1, 200_000],
  ]
  for (const [from, to] of cases) {
    const [pace] = paces({ schedule: { kind: 'ramp', from, to }, times: null }, 1)
    const half = (from + to) / 2
    // Up to the end, and up to the middle of what counts.
    const areas: [ms: number, area: number][] = [
      [WARMUP_MS, from * 0.3],
      [WARMUP_MS + DURATION_MS / 2, from * 0.3 + (from + half) / 2],
      [WARMUP_MS + DURATION_MS, from * 0.3 + half * 2],
    ]
    for (const [ms, area] of areas) {
      // The first is due at once.
      assert.ok(Math.abs(pace.dueBy(ms) - area) <= 1, `${from}..${to}: ${pace.dueBy(ms)} by ${ms} ms, not ${area}`)
    }
  }
})

test('the rate that is offered is that of the schedule, second by second', () => {
  const rate = (schedule: Schedule, fromMs: number, toMs: number): number =>
    offeredRate(schedule, 1000, 4000, fromMs, toMs)
  assert.equal(rate({ kind: 'open', rate: 500 }, 0, 1000), 500)
  const ramp: Schedule = { kind: 'ramp', from: 100, to: 500 }
  const seconds = [0, 1, 2, 3, 4].map((second) => rate(ramp, second * 1000, second * 1000 + 1000))
  assert.deepEqual(seconds, [100, 150, 250, 350, 450])
  assert.equal(rate(ramp, 4500, 5000), 475)
  assert.ok(Number.isNaN(rate({ kind: 'closed', outstanding: 5 }, 0, 1000)))
  assert.ok(Number.isNaN(rate({ kind: 'replay', speed: 1 }, 0, 1000)))
  assert.equal(paceOf({ kind: 'closed', outstanding: 5 }, 0, 1000, 0, 1, null), null)
})
