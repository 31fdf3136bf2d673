// Messages out of a stream, whatever the pieces it comes in.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { FrameReader } from '../../../src/load/streams/frame-reader.ts'
import { framed } from './framed-server.ts'

/** What is handed out, copied: octets are the reader's. */
function readAll(pieces: readonly Uint8Array[]): { messages: Buffer[]; isWithin: boolean } {
  const messages: Buffer[] = []
  const reader = new FrameReader((bytes, at, length) => {
    messages.push(Buffer.from(bytes.slice(at, at + length)))
  })
  for (const piece of pieces) reader.read(piece)
  return { messages, isWithin: reader.isWithin }
}

/** Cuts octets at those places. */
function cut(octets: Buffer, places: readonly number[]): Buffer[] {
  const ends = [...new Set(places.map((place) => place % (octets.length + 1)))].sort((a, b) => a - b)
  return [0, ...ends].map((from, i) => octets.subarray(from, ends[i] ?? octets.length))
}

const anyMessage = fc
  .oneof(
    { weight: 8, arbitrary: fc.uint8Array({ maxLength: 40 }) },
    { weight: 1, arbitrary: fc.uint8Array({ minLength: 600, maxLength: 3000 }) },
  )
  .map((octets) => Buffer.from(octets))

test('any messages in any pieces', () =>
  fc.assert(
    fc.property(fc.array(anyMessage, { maxLength: 20 }), fc.array(fc.nat(), { maxLength: 30 }), (messages, places) => {
      const { messages: got, isWithin } = readAll(cut(framed(messages), places))
      assert.deepEqual(got, messages)
      assert.equal(isWithin, false)
    }),
  ))

test('octet by octet, the longest message, none of any length', () => {
  const messages = [Buffer.alloc(65_535, 7), Buffer.alloc(0), Buffer.from('ab'), Buffer.alloc(0), Buffer.alloc(700, 9)]
  const octets = framed(messages)
  assert.deepEqual(readAll([...octets].map((octet) => Buffer.of(octet))).messages, messages)
  assert.deepEqual(readAll([octets]).messages, messages)
})

test('every prefix gives the messages that are whole in it', () => {
  const messages = [Buffer.from('one'), Buffer.alloc(0), Buffer.alloc(300, 1), Buffer.from('four')]
  const octets = framed(messages)
  const ends = messages.map((_, i) => framed(messages.slice(0, i + 1)).length)
  for (let length = 0; length <= octets.length; length++) {
    const whole = ends.filter((end) => end <= length).length
    const { messages: got, isWithin } = readAll(cut(octets.subarray(0, length), [length >> 1]))
    assert.deepEqual(got, messages.slice(0, whole), `${length} octets`)
    assert.equal(isWithin, length !== 0 && !ends.includes(length), `${length} octets`)
  }
})
