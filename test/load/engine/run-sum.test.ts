// What several workers count, added up: seconds when all have told them, and the result.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { percentileMicros } from '../../../src/load/histogram.ts'
import { LatencyCounts } from '../../../src/load/latency-counts.ts'
import { RCODES, type Schedule, type Second } from '../../../src/load/run.ts'
import { RunSum } from '../../../src/load/run-sum.ts'
import { COUNTERS, type WorkerSecond } from '../../../src/load/tally.ts'
import type { WorkerEnd } from '../../../src/load/worker-run.ts'
import { loopbackSpec } from './specs.ts'

const OPEN: Schedule = { kind: 'open', rate: 1000 }

/** A second in which every counter is `first`, `first + 1`, … and so many latencies are `ms`. */
function part(index: number, first: number, latencies: number, ms: number, seconds = 1): WorkerSecond {
  const cells = (times: number): Uint32Array<ArrayBuffer> => {
    const counts = new LatencyCounts()
    counts.addMany(ms, times)
    return counts.cells.slice()
  }
  return {
    index,
    seconds,
    counters: Float64Array.from(COUNTERS, (_, i) => first + i),
    rcodes: Float64Array.from({ length: RCODES }, (_, rcode) => (rcode === 3 ? first : 0)),
    errors: first % 2 === 0 ? { EPERM: first } : {},
    latency: cells(latencies),
    rawLatency: cells(latencies * 2),
    lateness: cells(latencies * 3),
  }
}

function end(more: Partial<WorkerEnd> = {}): WorkerEnd {
  const nothing = { unsent: 0, unsampled: 0, cpuShare: 1, idleShare: 0.5, receiveDrops: 0, received: 0, receives: 0 }
  return { seconds: 2, ...nothing, ...more }
}

const LAST = { startedAt: '', serverCpuNs: null, udpErrors: {}, interrupted: false }

test('a second is told when all workers have told it, and holds what all counted', () => {
  const told: Second[] = []
  const sum = new RunSum(loopbackSpec(OPEN), 3, (second) => told.push(second))
  sum.add(part(-1, 10, 1, 5))
  sum.add(part(-1, 20, 1, 5))
  sum.add(part(0, 100, 2, 1))
  assert.equal(told.length, 0)
  sum.add(part(-1, 30, 1, 5, 0.5))
  assert.deepEqual([told[0].index, told[0].sent, told[0].answered, told[0].seconds], [-1, 60, 63, 1])
  sum.add(part(0, 200, 2, 2))
  sum.add(part(0, 301, 1, 3))
  const second = told[1]
  COUNTERS.forEach((name, i) => {
    assert.equal(second[name], 601 + 3 * i, name)
  })
  assert.equal(second.rcodes[3], 601)
  assert.deepEqual(second.errors, { EPERM: 300 })
  assert.equal(second.latency.totalCount, 5)
  assert.ok(Math.abs(percentileMicros(second.latency, 100) - 3000) < 30)
  assert.equal(second.offered, 1000)

  const result = sum.result({ ...LAST, ends: [end(), end(), end()] })
  assert.deepEqual(result.series, [second])
  assert.equal(result.sent, 601, 'without the warm-up')
  assert.equal(result.rcodes[3], 601)
  assert.deepEqual(result.errors, { EPERM: 300 })
  assert.equal(result.latency.totalCount, 5)
  assert.equal(result.rawLatency.totalCount, 10)
  assert.equal(result.lateness.totalCount, 15)
})

test('a second that not all workers came to is told at the end', () => {
  const told: Second[] = []
  const sum = new RunSum(loopbackSpec(OPEN), 2, (second) => told.push(second))
  sum.add(part(0, 1, 1, 1))
  sum.add(part(1, 1, 1, 1))
  sum.add(part(2, 1, 1, 1, 0.25))
  sum.add(part(0, 1, 1, 1, 0.75))
  assert.deepEqual(
    told.map(({ index }) => index),
    [0],
  )
  const result = sum.result({ ...LAST, interrupted: true, ends: [end({ seconds: 2.25 }), end({ seconds: 0.75 })] })
  assert.deepEqual(
    told.map(({ index, seconds, sent }) => [index, seconds, sent]),
    [
      [0, 1, 2],
      [1, 1, 1],
      [2, 0.25, 1],
    ],
  )
  assert.deepEqual(result.series, told)
  assert.deepEqual([result.seconds, result.interrupted, result.sent], [2.25, true, 4])
})

test('a result says what became of the workers', () => {
  const sum = new RunSum(loopbackSpec(OPEN), 2, () => {})
  const ends = [
    end({ unsent: 3, unsampled: 1, cpuShare: 0.9, idleShare: 0.2, receiveDrops: 5, received: 100, receives: 10 }),
    end({ unsent: 4, unsampled: 1, cpuShare: 0.8, idleShare: 0.1, receiveDrops: 6, received: 20, receives: 20 }),
  ]
  const more = { startedAt: 'now', serverCpuNs: 7, udpErrors: { 'Udp.InErrors': 1 } }
  const { own, unsent, unsampled, startedAt, serverCpuNs, interrupted } = sum.result({ ...LAST, ...more, ends })
  assert.deepEqual([unsent, unsampled, startedAt, serverCpuNs, interrupted], [7, 2, 'now', 7, false])
  assert.deepEqual(own, {
    cpuShares: [0.9, 0.8],
    idleShares: [0.2, 0.1],
    receiveDrops: 11,
    udpErrors: { 'Udp.InErrors': 1 },
    receiveBatch: 4,
  })
  const nothing = new RunSum(loopbackSpec(OPEN), 1, () => {}).result({ ...LAST, ends: [end({ seconds: 0 })] })
  assert.deepEqual([nothing.sent, nothing.seconds, nothing.own.receiveBatch, nothing.series.length], [0, 0, 0, 0])
})

test('what was offered in a second is the schedule’s part of it, or what was sent', () => {
  const cases: [schedule: Schedule, index: number, seconds: number, offered: number][] = [
    [{ kind: 'ramp', from: 100, to: 300 }, -1, 1, 100],
    [{ kind: 'ramp', from: 100, to: 300 }, 0, 1, 150],
    [{ kind: 'ramp', from: 100, to: 300 }, 1, 0.5, 225],
    [{ kind: 'closed', outstanding: 5 }, 0, 0.5, 80],
    [{ kind: 'closed', outstanding: 5 }, 0, 0, 0],
    [{ kind: 'replay', speed: 1 }, 0, 1, 40],
  ]
  for (const [schedule, index, seconds, offered] of cases) {
    const told: Second[] = []
    const spec = { ...loopbackSpec(schedule), warmupMs: 1000, durationMs: 2000 }
    new RunSum(spec, 1, (second) => told.push(second)).add(part(index, 40, 1, 1, seconds))
    assert.equal(told[0].offered, offered, `${schedule.kind} ${index}`)
  }
})

test('seconds of any number of workers, in any order, add up to the same', () => {
  const anyPart = fc.record({ index: fc.integer({ min: -2, max: 3 }), first: fc.nat(50), latencies: fc.nat(3) })
  fc.assert(
    fc.property(fc.array(fc.array(anyPart, { maxLength: 4 }), { minLength: 1, maxLength: 4 }), (byWorker) => {
      const told: Second[] = []
      const sum = new RunSum(loopbackSpec(OPEN), byWorker.length, (second) => told.push(second))
      // Each worker tells a second once.
      const parts = byWorker.flatMap((each) => [...new Map(each.map((one) => [one.index, one])).values()])
      for (const { index, first, latencies } of parts) sum.add(part(index, first, latencies, 1))
      const result = sum.result({ ...LAST, ends: byWorker.map(() => end()) })
      const counted = parts.filter(({ index }) => index >= 0)
      const add = (of: typeof parts, value: (one: (typeof parts)[number]) => number): number =>
        of.reduce((total, one) => total + value(one), 0)
      assert.equal(
        result.sent,
        add(counted, ({ first }) => first),
      )
      assert.equal(
        result.latency.totalCount,
        add(counted, ({ latencies }) => latencies),
      )
      assert.equal(
        told.reduce((total, { sent }) => total + sent, 0),
        add(parts, ({ first }) => first),
      )
      assert.equal(new Set(told.map(({ index }) => index)).size, told.length)
      assert.deepEqual(new Set(result.series.map(({ index }) => index)), new Set(counted.map(({ index }) => index)))
    }),
    { numRuns: 30 },
  )
})
