// Responses that are kept for messages that come again: the same octets as without, whatever else is asked in between, and
// never those of an older version. PEREGRINE_SEED: the seed.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { ResponseCache } from '../../src/dns/response-cache.ts'
import type { Answerer } from '../../src/workers/answer.ts'
import { createAnswerer } from '../../src/workers/answer.ts'
import { encodeQuery, FLAG } from '../server/wire.ts'
import { full, SERIAL, TestEngine } from './answer-engine.ts'

const SEED = Number(process.env.PEREGRINE_SEED ?? Date.now() % 0x7fffffff)
const SLOT = 4096
const SLOTS = 8

const cluster = (address: string): string => `
namespaces: [a]
services:
  a/web:  {clusterIPs: [${address}], ports: [http:80/TCP]}
  a/alias: {type: ExternalName, externalName: api.example.org}
slices:
  a/web-1: {for: web, ports: [http:80/TCP], endpoints: [{a: [10.0.0.1]}, {a: [10.0.0.2]}]}`

const engine = new TestEngine(cluster('10.96.0.1'))
const kept = createAnswerer(engine.engine.source, 0)
const plain = createAnswerer(engine.engine.source, 1)
const home = new Uint8Array(SLOT * SLOTS)
kept.setHome(home)

const names = [
  'web.a~',
  'WEB.a~',
  'x.a~',
  'alias.a~',
  '10-0-0-1.web.a~',
  '1-2-3-4.a.pod.cluster.local',
  'cluster.local',
  'example.org',
]
const types = ['A', 'AAAA', 'SRV', 'TXT', 'SOA', 'PTR'] as const
const messages = names.flatMap((name) =>
  types.flatMap((type) => [
    encodeQuery({ name: full(name), type }),
    encodeQuery({ name: full(name), type, flags: FLAG.RD | FLAG.CD }),
    encodeQuery({ name: full(name), type, edns: { size: 1232 } }),
  ]),
)

/** Answers a batch in `packet`; `ahead`: after reading all of it. */
function answerAll(answerer: Answerer, batch: readonly Uint8Array[], packet: Uint8Array, ahead: boolean): string[] {
  packet.fill(0xee)
  for (const [slot, message] of batch.entries()) packet.set(message, slot * SLOT)
  answerer.beginBatch()
  if (ahead) {
    for (const [slot, message] of batch.entries()) answerer.prepare(packet, slot * SLOT, message.length)
    answerer.findPrepared()
  }
  const responses = batch.map((message, slot) => {
    const length = answerer.answer(packet, slot * SLOT, message.length, SLOT, false)
    return Buffer.from(packet.subarray(slot * SLOT, slot * SLOT + length)).toString('hex')
  })
  answerer.endBatch()
  return responses
}

const anyBatch = fc.record({
  picks: fc.array(fc.tuple(fc.nat(messages.length - 1), fc.integer({ min: 0, max: 0xffff })), {
    minLength: 1,
    maxLength: SLOTS,
  }),
  ahead: fc.boolean(),
  /** Last octet of the Service's address from now on; 0 = no change. */
  change: fc.oneof(
    { weight: 6, arbitrary: fc.constant(0) },
    { weight: 1, arbitrary: fc.integer({ min: 2, max: 250 }) },
  ),
})

test(`kept responses are those that would be made (seed ${SEED})`, () => {
  const away = new Uint8Array(SLOT * SLOTS)
  let nowMs = SERIAL * 1000 // every change moves the serial
  const property = fc.property(fc.array(anyBatch, { minLength: 20, maxLength: 60 }), (batches) => {
    for (const { picks, ahead, change } of batches) {
      if (change !== 0) {
        nowMs += 1000
        engine.publish(cluster(`10.96.0.${change}`), nowMs)
      }
      const batch = picks.map(([pick, id]) => {
        const message = Uint8Array.from(messages[pick])
        message[0] = id >> 8
        message[1] = id
        return message
      })
      assert.deepEqual(answerAll(kept, batch, home, ahead), answerAll(plain, batch, away, false))
    }
  })
  fc.assert(property, { numRuns: 60, seed: SEED })
})

test('a message is kept when it is seen for the second time, and taken from the third on', () => {
  const packet = new Uint8Array(256)
  const cache = new ResponseCache(packet, new Int32Array(packet.buffer))
  const message = encodeQuery({ name: 'web.a.svc.cluster.local', type: 'A' })
  const look = (id: number, version: number): boolean => {
    packet.fill(0)
    packet.set(message)
    packet[1] = id
    return cache.look(0, message.length, version, 0)
  }
  assert.equal(look(1, 1), false)
  assert.equal(look(2, 1), false)
  const { row, ticket } = cache
  packet[2] |= 0x84
  packet[message.length] = 0x77
  cache.keep(row, ticket, 0, message.length + 1, 7, 8)
  assert.equal(look(3, 1), true)
  assert.equal(cache.take(cache.row, cache.ticket, 0), message.length + 1)
  assert.deepEqual([cache.detail, cache.origin], [7, 8])
  assert.deepEqual([packet[1], packet[2] & 0x84, packet[message.length]], [3, 0x84, 0x77], 'its own id, the kept rest')
  assert.equal(look(4, 2), false, 'another version')
  assert.equal(cache.take(row, ticket, 0), 0, 'the row has been taken since')
  cache.keep(row, ticket, 0, message.length, 7, 8)
  assert.equal(look(5, 1), false, 'a response that comes too late is not kept')
})
