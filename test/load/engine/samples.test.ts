// Answers that are handed out to be checked: packed, unpacked, and not more of them than somebody takes.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { SampleBatches, unpackSamples } from '../../../src/load/samples.ts'
import { BATCHES_MAX, CONTROL_BATCHES } from '../../../src/load/worker-run.ts'

const WORKER = 2
const MESSAGE_MAX = 65_535

interface Posted {
  readonly samples: { readonly index: number; readonly response: number[] }[]
}

function batches(every: number, waits = false): { out: SampleBatches; posted: Posted[]; control: Int32Array } {
  const control = new Int32Array(new SharedArrayBuffer(4 * (CONTROL_BATCHES + WORKER + 1)))
  const posted: Posted[] = []
  const out = new SampleBatches(every, waits, control, WORKER, (batch, length) =>
    posted.push({
      samples: unpackSamples(batch, length).map(({ index, response }) => ({ index, response: [...response] })),
    }),
  )
  return { out, posted, control }
}

test('answers come out as they went in', () => {
  const anyAnswer = fc.record({
    query: fc.integer({ min: 0, max: 2 ** 31 }),
    octets: fc.oneof(
      fc.uint8Array({ maxLength: 600 }),
      fc.integer({ min: 0, max: 65_000 }).map((length) => new Uint8Array(length).fill(length)),
    ),
    before: fc.nat(20),
  })
  fc.assert(
    fc.property(fc.array(anyAnswer, { maxLength: 20 }), fc.integer({ min: 1, max: 4 }), (answers, every) => {
      const { out, posted, control } = batches(every)
      for (const { query, octets, before } of answers) {
        const memory = new Uint8Array(before + octets.length + 3).fill(0xee)
        memory.set(octets, before)
        out.add(query, memory, before, octets.length, 0)
        // Somebody takes them at once.
        control.fill(0)
      }
      out.flush()
      assert.deepEqual(
        posted.flatMap(({ samples }) => samples),
        answers
          .filter((_, i) => (i + 1) % every === 0)
          .map(({ query, octets }) => ({ index: query, response: [...octets] })),
      )
      assert.equal(out.dropped, 0)
    }),
  )
})

test('none is picked when none is asked for', () => {
  const { out, posted } = batches(0)
  for (let i = 0; i < 10; i++) out.add(i, new Uint8Array(20), 0, 20, 0)
  out.flush()
  assert.deepEqual([posted.length, out.dropped, out.isFull], [0, 0, false])
})

test('a batch that is not full is posted after a while', () => {
  const { out, posted, control } = batches(1)
  out.add(1, new Uint8Array(20), 0, 20, 1000)
  out.turn(1020)
  assert.equal(posted.length, 0)
  out.add(2, new Uint8Array(20), 0, 20, 1040)
  out.turn(1060)
  assert.equal(posted.length, 1)
  assert.deepEqual(
    posted[0].samples.map(({ index }) => index),
    [1, 2],
  )
  assert.equal(control[CONTROL_BATCHES + WORKER], 1)
  // Counted anew for the next.
  out.add(3, new Uint8Array(20), 0, 20, 1061)
  out.turn(1100)
  assert.equal(posted.length, 1)
})

/** Adds answers that fill half a batch each until the batches are full. */
function fill(out: SampleBatches): number {
  let added = 0
  while (!out.isFull) out.add(added++, new Uint8Array(40_000), 0, 40_000, 0)
  return added
}

test('what nobody takes is counted, not kept', () => {
  const { out, posted, control } = batches(1)
  const added = fill(out)
  assert.equal(posted.length, BATCHES_MAX)
  for (let i = 0; i < 5; i++) out.add(added + i, new Uint8Array(40_000), 0, 40_000, 0)
  assert.equal(out.dropped, 5)
  assert.equal(posted.length, BATCHES_MAX)
  // One is taken: there is room again.
  Atomics.sub(control, CONTROL_BATCHES + WORKER, 1)
  assert.equal(out.isFull, false)
  out.add(100, new Uint8Array(40_000), 0, 40_000, 0)
  out.flush()
  assert.equal(posted.flatMap(({ samples }) => samples).at(-1)?.index, 100)
  assert.equal(out.dropped, 5)
})

test('of a closed loop, which sends no more then, everything is kept that is still to come', () => {
  const { out, posted } = batches(1, true)
  const added = fill(out)
  for (let i = 0; i < 5; i++) out.add(added + i, new Uint8Array(40_000), 0, 40_000, 0)
  out.flush()
  assert.equal(out.dropped, 0)
  assert.equal(posted.flatMap(({ samples }) => samples).length, added + 5)
})

test('an answer that is longer than a batch is left out', () => {
  const { out, posted } = batches(1)
  out.add(1, new Uint8Array(MESSAGE_MAX), 0, MESSAGE_MAX, 0)
  out.add(2, new Uint8Array(12), 0, 12, 0)
  out.flush()
  assert.equal(out.dropped, 1)
  assert.deepEqual(
    posted.flatMap(({ samples }) => samples.map(({ index }) => index)),
    [2],
  )
})
