// Reading ahead changes nothing: prepare(), findPrepared() and answer() give the octets that answer() alone gives, for
// any mix of messages, at any alignment, in or outside of the home buffer, in batches of any size. And nothing but the
// slots of the messages is written to. PEREGRINE_SEED: the seed.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { createRegion } from '../../src/index/layout.ts'
import { IndexWriter } from '../../src/index/writer.ts'
import { type Answerer, createAnswerer } from '../../src/workers/answer.ts'
import { plainSource } from '../../src/workers/answerer.ts'
import { anyQuery, encodeQuery, labels } from '../dns/messages.ts'
import { OKD } from '../kube/schema-fixture.ts'
import { encodeQuery as encodePlain, FLAG, readResponse } from '../server/wire.ts'
import { full, TestEngine } from './answer-engine.ts'

const SEED = Number(process.env.PEREGRINE_SEED ?? Date.now() % 0x7fffffff)
const CANARY = 0xee
const BATCH_MAX = 70 // more than can be read ahead

const engine = new TestEngine(
  `
namespaces: [a, b]
services:
  a/web:   {clusterIPs: [10.96.0.1, "fd00::1"], ports: [http:80/TCP]}
  a/db:    {clusterIPs: None}
  a/alias: {type: ExternalName, externalName: web.a.svc.cluster.local}
  b/long-name-of-a-service: {clusterIPs: [10.96.0.2], ports: [http:80/TCP, x:81/UDP]}
slices:
  a/db-1: {for: db, ports: [sql:5432/TCP], endpoints: [${Array.from({ length: 40 }, (_, i) => `{a: [10.0.0.${i}]}`).join(', ')}]}
pods:
  a/p: {ip: 10.0.0.1}`,
  { schema: { ...OKD, pods: 'insecure' } },
)

// biome-ignore format: names side by side
const names = [
  'web.a~', 'db.a~', 'alias.a~', 'long-name-of-a-service.b~', 'x.web.a~', 'x.y.alias.a~', '_http._tcp.web.a~', '_x._tcp.web.a~',
  'db.a.endpoints.cluster.local', '10-0-0-7.db.a~', '10-1-2-3.a^', '--1.b^', 'no.a^', 'a~', 'gone.a~', 'cluster.local', 'local', '',
  'www.example.org', '1.0.96.10.in-addr.arpa', '9.9.9.9.in-addr.arpa', 'in-addr.arpa', 'dns-version.cluster.local',
].map(full)

/** Queries for names that exist and names that do not, and whatever else may arrive. */
const anyMessage: fc.Arbitrary<Uint8Array> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc
      .tuple(anyQuery, fc.constantFrom(...names), fc.constantFrom(1, 28, 33, 5, 6, 12, 16, 255, 252), fc.boolean())
      .map(([query, name, qtype, upper]) =>
        encodeQuery({ ...query, qtype, qname: labels(upper ? name.toUpperCase() : name), flags: query.flags & 0x07ff }),
      ),
  },
  { weight: 2, arbitrary: anyQuery.map(encodeQuery) },
  {
    weight: 1,
    arbitrary: fc.tuple(anyQuery, fc.nat()).map(([query, cut]) => encodeQuery(query).subarray(0, cut % 90)),
  },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 40 }) },
)

interface Slot {
  message: Uint8Array
  /** Octets between it and the one before. */
  gap: number
  capacity: number
  stream: boolean
  /** Not read ahead: it comes between the others. */
  extra: boolean
}

const anySlot: fc.Arbitrary<Slot> = fc.record({
  message: anyMessage,
  gap: fc.nat({ max: 9 }),
  capacity: fc.constantFrom(512, 1232, 4096),
  stream: fc.boolean(),
  extra: fc.oneof({ weight: 9, arbitrary: fc.constant(false) }, { weight: 1, arbitrary: fc.constant(true) }),
})

/** Answers `slots` laid out in `packet`; @returns what was written, length in front. */
function answerAll(answerer: Answerer, packet: Uint8Array, slots: readonly Slot[], prepares: boolean): string[] {
  packet.fill(CANARY)
  const starts: number[] = []
  let at = 0
  for (const { message, gap, capacity } of slots) {
    at += gap
    starts.push(at)
    packet.set(message, at)
    at += Math.max(capacity, message.length)
  }
  answerer.beginBatch()
  if (prepares) {
    slots.forEach(({ message, extra }, i) => {
      if (!extra) answerer.prepare(packet, starts[i], message.length)
    })
    answerer.findPrepared()
  }
  const results = slots.map(({ message, capacity, stream }, i) => {
    const room = Math.max(capacity, message.length)
    const length = answerer.answer(packet, starts[i], message.length, room, stream)
    const written = `${length} ${Buffer.from(packet.subarray(starts[i], starts[i] + length)).toString('hex')}`
    if (length > 0 && length !== 12) readResponse(packet.slice(starts[i], starts[i] + length))
    assert.ok(length <= room)
    packet.fill(CANARY, starts[i], starts[i] + room)
    return written
  })
  answerer.endBatch()
  const stray = packet.findIndex((octet) => octet !== CANARY)
  assert.equal(stray, -1, 'written outside of the slots')
  return results
}

const buffer = new ArrayBuffer(BATCH_MAX * 4200 + 8)

test(`any batch (seed ${SEED})`, { timeout: 120_000 }, () => {
  const rcodes = new Map<string, number>()
  const property = fc.property(
    fc.array(anySlot, { minLength: 1, maxLength: BATCH_MAX, size: 'max' }),
    fc.nat({ max: 3 }),
    fc.boolean(),
    (slots, offset, isHome) => {
      const packet = new Uint8Array(buffer, offset, BATCH_MAX * 4200)
      const prepared = createAnswerer(engine.engine.source, 1)
      const plain = createAnswerer(engine.engine.source, 2)
      if (isHome) prepared.setHome(packet)
      // Two rounds: what the first leaves behind in the answerer must not show in the second.
      for (let round = 0; round < 2; round++) {
        const expected = answerAll(plain, packet, slots, false)
        const actual = answerAll(prepared, packet, slots, true)
        assert.deepEqual(actual, expected)
        for (const text of expected) {
          const rcode = text.split(' ')[1].slice(4, 8)
          rcodes.set(rcode, (rcodes.get(rcode) ?? 0) + 1)
        }
      }
    },
  )
  fc.assert(property, { numRuns: 400, seed: SEED })
  // Second header word: NOERROR, NXDOMAIN, REFUSED, FORMERR, NOTIMP, and silence.
  for (const rcode of [/^8[4-7].0$/, /^8[4-7].3$/, /^8[01].5$/, /^8[01].1$/, /^[89a-f].{2}4$/, /^$/, /^8[67]/]) {
    const count = [...rcodes].filter(([text]) => rcode.test(text)).reduce((sum, [, n]) => sum + n, 0)
    assert.ok(count > 20, `${rcode}: ${count} responses`)
  }
})

test('another packet at the offset of a prepared one is not mistaken for it', () => {
  const answerer = createAnswerer(engine.engine.source, 1)
  const home = new Uint8Array(4096)
  const other = new Uint8Array(4096)
  answerer.setHome(home)
  const first = encodePlain({ name: full('web.a~'), type: 'A' })
  const second = encodePlain({ name: full('gone.a~'), type: 'A' })
  home.set(first)
  other.set(second)
  answerer.beginBatch()
  answerer.prepare(home, 0, first.length)
  answerer.prepare(other, 0, second.length)
  answerer.findPrepared()
  assert.equal(readResponse(other.slice(0, answerer.answer(other, 0, second.length, 4096, true))).rcode, 'NXDOMAIN')
  assert.equal(
    readResponse(home.slice(0, answerer.answer(home, 0, first.length, 4096, false))).answer[0].data,
    '10.96.0.1',
  )
  answerer.endBatch()
})

test('before anything is published: SERVFAIL with an SOA, prepared or not', () => {
  const region = createRegion(2 ** 20)
  const zone = { labels: ['cluster', 'local'], ttl: 5, pods: true, wildcards: true, keepsBrokenChains: true }
  const answerer = createAnswerer(plainSource(region.buffer, [zone], 1232), 0)
  const message = encodePlain({ name: full('web.a~'), type: 'A' })
  const packet = new Uint8Array(4096)
  const ask = (prepares: boolean): string => {
    packet.set(message)
    answerer.beginBatch()
    if (prepares) {
      answerer.prepare(packet, 0, message.length)
      answerer.findPrepared()
    }
    const { rcode, flags, authority } = readResponse(
      packet.slice(0, answerer.answer(packet, 0, message.length, 4096, false)),
    )
    answerer.endBatch()
    return `${rcode} ${(flags & FLAG.AA) !== 0} ${authority[0]?.type}`
  }
  assert.equal(ask(false), 'SERVFAIL true SOA')
  assert.equal(ask(true), 'SERVFAIL true SOA')
  const writer = new IndexWriter(region, { readerCount: 1 })
  writer.addZone()
  writer.publish(1)
  assert.equal(ask(true), 'NXDOMAIN true SOA')
})

test('for a message that was cut, or that killed a worker', () => {
  const answerer = createAnswerer(engine.engine.source, 1)
  const packet = new Uint8Array(4096)
  const message = encodePlain({
    name: full('web.a~'),
    type: 'A',
    flags: FLAG.RD | FLAG.CD | FLAG.AD,
    edns: { size: 4096 },
  })
  packet.set(message)
  assert.equal(answerer.malformed(packet, 0, message.length), 12)
  assert.equal(Buffer.from(packet.subarray(0, 12)).toString('hex'), '123481110000000000000000')
  assert.equal(answerer.malformed(packet, 0, message.length), 0, 'a response')
  assert.equal(answerer.malformed(packet, 0, 11), 0, 'a runt')

  // However far the answer had come: QR, counts and what is behind the question may be anything.
  for (const flags of [0x0110, 0x8510, 0xffff]) {
    packet.fill(CANARY)
    packet.set(message)
    packet.set([flags >> 8, flags & 255, 0, 1, 1, 2, 3, 4, 5, 6], 2)
    packet.fill(0xff, message.length - 11, message.length)
    const response = readResponse(packet.slice(0, answerer.servfail(packet, 0, message.length)))
    assert.equal(response.rcode, 'SERVFAIL')
    assert.equal(response.question?.name, `${full('web.a~')}.`)
    assert.equal(response.flags & ~(FLAG.RD | FLAG.CD), 0x8002)
    assert.deepEqual([response.answer, response.authority, response.additional, response.opt], [[], [], [], undefined])
    assert.ok(packet.subarray(message.length).every((octet) => octet === CANARY))
  }
  packet.set([0xc0, 0x0c], 12)
  assert.equal(answerer.servfail(packet, 0, message.length), 12, 'no question: a bare header')
  assert.equal(answerer.servfail(packet, 0, 11), 0, 'a runt')
})
