// Counting, a second at a time: which second a query belongs to, what of the warm-up counts, and that nothing gets lost.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { percentileMicros } from '../../../src/load/histogram.ts'
import { addCells } from '../../../src/load/latency-counts.ts'
import { COUNTERS, Tally, type WorkerSecond } from '../../../src/load/tally.ts'

type CounterName = (typeof COUNTERS)[number]

const LATE_MS = 2
const OCTETS = 40
const QR = 0x80
const TC = 0x02

/** An answer: 12 octets of a header. */
function answer(rcode = 0, flags = QR): Uint8Array {
  return Uint8Array.of(0, 0, flags, 0x80 | rcode, 0, 1, 0, 0, 0, 0, 0, 0)
}

function counter(second: WorkerSecond, name: CounterName): number {
  return second.counters[COUNTERS.indexOf(name)]
}

function total(seconds: readonly WorkerSecond[], name: CounterName): number {
  return seconds.reduce((sum, second) => sum + (second.index >= 0 ? counter(second, name) : 0), 0)
}

/** A tally that has begun, and the seconds that it hands out. */
function begun(startMs: number, warmupMs: number, durationMs: number): { tally: Tally; seconds: WorkerSecond[] } {
  const seconds: WorkerSecond[] = []
  const tally = new Tally(LATE_MS, (second) => seconds.push(second))
  const fromMs = startMs + warmupMs
  tally.begin({ startMs, fromMs, toMs: fromMs + durationMs })
  return { tally, seconds }
}

function answered(tally: Tally, intendedMs: number, nowMs: number, bytes = answer()): void {
  tally.answered(intendedMs, intendedMs, nowMs, bytes, 0, bytes.length)
}

test('a run is cut into seconds from where it counts on', () => {
  const cases: [warmupMs: number, durationMs: number, expected: [index: number, seconds: number][]][] = [
    [0, 1000, [[0, 1]]],
    [0, 500, [[0, 0.5]]],
    [1000, 1000, [[-1, 1], [0, 1]]], // biome-ignore format: one line a case
    [1500, 2500, [[-2, 0.5], [-1, 1], [0, 1], [1, 1], [2, 0.5]]], // biome-ignore format: one line a case
    [200, 2000, [[-1, 0.2], [0, 1], [1, 1]]], // biome-ignore format: one line a case
  ]
  for (const [warmupMs, durationMs, expected] of cases) {
    // Clocks have fractions, and the difference of two times is not always exact.
    for (const startMs of [0, 5000, ...Array.from({ length: 30 }, (_, i) => 1234.567891 * i + 0.1)]) {
      const { tally, seconds } = begun(startMs, warmupMs, durationMs)
      for (let ms = 0; ms <= warmupMs + durationMs + 300; ms += 10) tally.turn(startMs + ms)
      tally.finish(startMs + warmupMs + durationMs + 300)
      assert.deepEqual(
        seconds.map(({ index, seconds }) => [index, Math.round(seconds * 1e6) / 1e6]),
        expected,
        `${warmupMs} + ${durationMs} from ${startMs}`,
      )
    }
  }
})

test('what was to be sent while warming up does not count, whenever it is answered', () => {
  const { tally, seconds } = begun(100, 1000, 1000)
  tally.sent(600, 600, OCTETS)
  answered(tally, 600, 601)
  tally.sent(1099, 1099, OCTETS)
  tally.sent(1098, 1098, OCTETS)
  tally.sent(1097, 1097, OCTETS)
  // From 1100 on it counts: the first by its time, whenever it left.
  tally.sent(1099.5, 1100.5, OCTETS)
  tally.sent(1100, 1101, OCTETS)
  tally.call(1099.5, 1100.5, 2)
  tally.call(1100, 1101, 3)
  answered(tally, 1099, 1102)
  answered(tally, 1099.5, 1102)
  answered(tally, 1100, 1102)
  tally.lost(1098, 1098, 500)
  tally.finish(2100)
  const [warm, first] = seconds
  assert.deepEqual([warm.index, counter(warm, 'sent'), counter(warm, 'answered')], [-1, 4, 1])
  assert.deepEqual([first.index, counter(first, 'sent'), counter(first, 'answered')], [0, 1, 1])
  assert.equal(counter(first, 'lost'), 0)
  assert.equal(addCells(first.latency).totalCount, 1)
  assert.equal(addCells(first.lateness).totalCount, 3)
})

test('what comes after the end is counted with the last second', () => {
  const { tally, seconds } = begun(0, 0, 2000)
  for (let ms = 0; ms < 2000; ms += 100) {
    tally.turn(ms)
    tally.sent(ms, ms, OCTETS)
  }
  for (let ms = 0; ms < 1900; ms += 100) answered(tally, ms, 3000)
  tally.turn(5000)
  tally.lost(1900, 1900, 5000)
  tally.finish(6900)
  assert.deepEqual(
    seconds.map(({ index, seconds }) => [index, seconds]),
    [
      [0, 1],
      [1, 1],
    ],
  )
  assert.deepEqual(
    seconds.map((second) => [counter(second, 'sent'), counter(second, 'answered'), counter(second, 'lost')]),
    [
      [10, 0, 0],
      [10, 19, 1],
    ],
  )
})

test('latency is from the intended time on, the raw one from the real one; what is lost has the timeout', () => {
  const { tally, seconds } = begun(0, 0, 1000)
  tally.sent(100, 110, OCTETS)
  tally.answered(100, 110, 115, answer(), 0, 12)
  tally.sent(200, 250, OCTETS)
  tally.lost(200, 250, 500)
  tally.finish(1000)
  const [{ latency, rawLatency }] = seconds
  const ends = (cells: Uint32Array): number[] =>
    [0, 100].map((percent) => percentileMicros(addCells(cells), percent) / 1000)
  const near = (found: number[], expected: number[]): void =>
    found.forEach((ms, i) => {
      assert.ok(Math.abs(ms - expected[i]) <= expected[i] * 0.01, `${found}, not ${expected}`)
    })
  near(ends(latency), [15, 550])
  near(ends(rawLatency), [5, 500])
})

test('everything else is counted by its name', () => {
  const { tally, seconds } = begun(0, 0, 1000)
  tally.sent(1, 1, OCTETS)
  tally.sent(1, 1 + LATE_MS, OCTETS)
  tally.sent(1, 1.1 + LATE_MS, OCTETS + 1)
  // The message begins somewhere in the memory.
  tally.answered(1, 1, 2, Uint8Array.of(9, 9, 9, ...answer(3, QR | TC)), 3, 12)
  answered(tally, 1, 2, answer(0))
  answered(tally, 1, 2, answer(15))
  tally.unexpected()
  for (let i = 0; i < 2; i++) tally.mismatched()
  for (let i = 0; i < 3; i++) tally.malformed()
  for (let i = 0; i < 4; i++) tally.connected()
  tally.failed('ECONNREFUSED')
  tally.failed('ECONNREFUSED', 2)
  tally.finish(1000)
  const [second] = seconds
  assert.deepEqual(Object.fromEntries(COUNTERS.map((name) => [name, counter(second, name)])), {
    sent: 3,
    answered: 3,
    lost: 0,
    late: 1,
    truncated: 1,
    unexpected: 1,
    mismatched: 2,
    malformed: 3,
    octetsSent: 3 * OCTETS + 1,
    octetsReceived: 36,
    connections: 4,
  })
  assert.deepEqual([...second.rcodes], [1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1])
  assert.deepEqual({ ...second.errors }, { ECONNREFUSED: 3 })
})

test('seconds handed out do not change any more', () => {
  const { tally, seconds } = begun(0, 0, 3000)
  tally.sent(10, 10, OCTETS)
  answered(tally, 10, 11)
  tally.failed('EPERM')
  tally.turn(1000)
  tally.sent(1001, 1001, OCTETS)
  answered(tally, 1001, 1002, answer(2))
  tally.failed('EPERM', 5)
  tally.finish(3000)
  assert.deepEqual(
    seconds.map((second) => [
      counter(second, 'sent'),
      second.rcodes[0],
      second.rcodes[2],
      second.errors.EPERM ?? 0,
      addCells(second.latency).totalCount,
    ]),
    [
      [1, 1, 0, 1, 1],
      [1, 0, 1, 5, 1],
      [0, 0, 0, 0, 0],
    ],
  )
})

test('in the end all that was sent is answered or lost, each in the second that it came in', () => {
  const anyQuery = fc.record({
    gapMs: fc.double({ min: 0, max: 200, noNaN: true }),
    lateMs: fc.double({ min: 0, max: 30, noNaN: true }),
    tookMs: fc.double({ min: 0, max: 900, noNaN: true }),
    isLost: fc.boolean(),
  })
  fc.assert(
    fc.property(
      fc.array(anyQuery, { maxLength: 60 }),
      fc.double({ min: 0, max: 1e5, noNaN: true }),
      fc.nat(2500),
      fc.integer({ min: 1, max: 4000 }),
      (queries, startMs, warmupMs, durationMs) => {
        const { tally, seconds } = begun(startMs, warmupMs, durationMs)
        const fromMs = startMs + warmupMs
        const toMs = fromMs + durationMs
        let intendedMs = startMs
        const events: { readonly ms: number; readonly tell: () => void }[] = []
        let counted = 0
        for (const { gapMs, lateMs, tookMs, isLost } of queries) {
          intendedMs += gapMs
          if (intendedMs >= toMs) break
          const [intended, sent] = [intendedMs, intendedMs + lateMs]
          if (intended >= fromMs) counted++
          events.push({ ms: sent, tell: () => tally.sent(intended, sent, OCTETS) })
          const done = sent + tookMs
          const tell = isLost
            ? (): void => tally.lost(intended, sent, tookMs)
            : (): void => tally.answered(intended, sent, done, answer(), 0, 12)
          events.push({ ms: done, tell })
        }
        events.sort((a, b) => a.ms - b.ms)
        for (const { ms, tell } of events) {
          tally.turn(ms)
          tell()
        }
        tally.finish(Math.max(toMs, events.at(-1)?.ms ?? 0))
        assert.equal(total(seconds, 'sent'), counted)
        assert.equal(total(seconds, 'answered') + total(seconds, 'lost'), counted)
        for (const each of seconds) {
          const settled = counter(each, 'answered') + counter(each, 'lost')
          assert.equal(addCells(each.latency).totalCount, settled)
          assert.equal(addCells(each.rawLatency).totalCount, settled)
        }
        const length = seconds.reduce((sum, { seconds }) => sum + seconds, 0) * 1000
        assert.ok(Math.abs(length - warmupMs - durationMs) < 1e-6, `${length} ms`)
        seconds.slice(1).forEach(({ index }, i) => {
          assert.equal(index, seconds[i].index + 1)
        })
      },
    ),
  )
})
