// When a datagram came, as the kernel says it (SO_TIMESTAMPNS).

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import fc from 'fast-check'
import { Inbound, Outbound } from '../../../src/io/datagram-client.ts'
import {
  HEADER_SIZE,
  RECEIVE_CONTROL_SIZE,
  receivedSegment,
  receivedStamp,
  SUPPORTED,
  setControlLength,
} from '../../../src/io/layouts.ts'
import { mapMemory, readTimeOfDay, unmapMemory, viewMemory } from '../../../src/io/libc.ts'
import { StampClock } from '../../../src/io/stamp-clock.ts'
import { withPair } from './socket-pair.ts'

const skip = SUPPORTED ? false : 'not a platform of the batched transport'
/** Word behind a header. */
const CONTROL = HEADER_SIZE / 4
const CAPACITY = 4096
const LENGTH = 40
/** What lies in a socket for so long has a stamp of before. */
const LYING_MS = 60
/** What the clocks may be apart. */
const SLACK_MS = 1
const TRIES = 400
const TRY_MS = 10

const manners: [what: string, coalesces: boolean, isStamped: boolean][] = [
  ['single datagrams', false, true],
  ['datagrams put together', true, true],
  ['a socket that does not stamp', false, false],
  ['a socket that does not stamp but coalesces', true, false],
]

for (const [what, coalesces, isStamped] of manners) {
  test(`stamps: ${what}`, { skip }, () =>
    withPair({ coalesces, isStamped }, async (first, second) => {
      const outbound = new Outbound(4, CAPACITY)
      const inbound = new Inbound(4, CAPACITY, true)
      const clock = new StampClock()
      try {
        if (isStamped) await untilStamped(first, second, outbound, inbound, clock)
        // The same slots again: the room that headers name is as large as before.
        for (let round = 0; round < 3; round++) {
          for (let slot = 0; slot < 3; slot++) outbound.setLength(slot, LENGTH)
          const before = performance.now()
          assert.equal(coalesces ? outbound.sendSegments(first, 3, LENGTH) : outbound.send(first, 3), 3)
          const after = performance.now()
          await sleep(LYING_MS)
          clock.sync()
          const count = inbound.receive(second)
          assert.equal(count, coalesces ? 1 : 3)
          for (let slot = 0; slot < count; slot++) {
            const stamp = inbound.stampMs(slot, clock)
            if (!isStamped) assert.equal(stamp, Number.POSITIVE_INFINITY)
            else assert.ok(stamp > before - SLACK_MS && stamp < after + SLACK_MS, `${before}, ${stamp}, ${after}`)
            assert.equal(inbound.segmentLength(slot), coalesces ? LENGTH : 0)
          }
        }
      } finally {
        clock.free()
        inbound.free()
        outbound.free()
      }
    }),
  )
}

/** The kernel begins to stamp a moment after the first socket wants it; until then it says when a message was taken. */
async function untilStamped(
  first: number,
  second: number,
  outbound: Outbound,
  inbound: Inbound,
  clock: StampClock,
): Promise<void> {
  for (let tries = 0; tries < TRIES; tries++) {
    outbound.setLength(0, LENGTH)
    assert.equal(outbound.send(first, 1), 1)
    const after = performance.now()
    await sleep(TRY_MS)
    assert.equal(inbound.receive(second), 1)
    if (inbound.stampMs(0, clock) < after + SLACK_MS) return
  }
  assert.fail('nothing is stamped')
}

test('without room for control messages nothing is said', { skip }, () =>
  withPair({ isStamped: true }, (first, second) => {
    const outbound = new Outbound(1, CAPACITY)
    const inbound = new Inbound(1, CAPACITY, false)
    const clock = new StampClock()
    outbound.setLength(0, LENGTH)
    assert.equal(outbound.send(first, 1), 1)
    assert.equal(inbound.receive(second), 1)
    assert.equal(inbound.stampMs(0, clock), Number.POSITIVE_INFINITY)
    for (const each of [clock, inbound, outbound]) each.free()
  }),
)

test('the time of day is found again in our own time', { skip }, () => {
  const clock = new StampClock()
  const memory = mapMemory(16)
  const words = new Uint32Array(viewMemory(memory, 16))
  for (let i = 0; i < 100; i++) {
    if (i % 10 === 0) clock.sync()
    const before = performance.now()
    readTimeOfDay(memory)
    const after = performance.now()
    const found = clock.msOf(words, 0)
    // The clock is corrected, and measured at another moment.
    assert.ok(found > before - 0.1 && found < after + 0.1, `${found} between ${before} and ${after}`)
  }
  // Seconds are counted on from where they are.
  const msOf = (seconds: number, nanoseconds: number): number =>
    clock.msOf(Uint32Array.of(words[0] + seconds, 0, nanoseconds, 0), 0)
  const here = msOf(0, 0)
  for (const [seconds, nanoseconds, ms] of [
    [1, 0, 1000],
    [-1, 0, -1000],
    [86_400, 0, 86_400_000],
    [0, 1000, 1e-3],
    [0, 999_999_999, 999.999_999],
  ]) {
    assert.ok(Math.abs(msOf(seconds, nanoseconds) - here - ms) < 1e-4, `${seconds} s and ${nanoseconds} ns`)
  }
  unmapMemory(memory, 16)
  clock.free()
})

test('any control messages: nothing outside of their room is read', () =>
  fc.assert(
    fc.property(
      fc.uint32Array({ minLength: RECEIVE_CONTROL_SIZE / 4, maxLength: RECEIVE_CONTROL_SIZE / 4 }),
      fc.constantFrom(0, 1, 16, 24, 32, 56, 0xffff_ffff),
      fc.array(fc.tuple(fc.nat(RECEIVE_CONTROL_SIZE / 4 - 1), fc.constantFrom(0, 1, 15, 16, 17, 20, 32, 35, 56, 104))),
      (random, length, known) => {
        const words = new Uint32Array(CONTROL + RECEIVE_CONTROL_SIZE / 4)
        words.set(random, CONTROL)
        for (const [at, value] of known) words[CONTROL + at] = value
        setControlLength(words, 0, length)
        const stamp = receivedStamp(words, 0, CONTROL)
        assert.ok(stamp < 0 || (stamp >= CONTROL + 4 && stamp + 4 <= words.length))
        receivedSegment(words, 0, CONTROL)
      },
    ),
    { numRuns: 2000 },
  ))
