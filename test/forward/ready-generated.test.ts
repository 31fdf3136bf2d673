// readReply() and readyOfRecords(): generated, cut and broken replies against a plain reader (ready-oracle.ts), and against
// decodeMessage(); there and back. PEREGRINE_SEED: the seed.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { decodeMessage } from '../../src/dns/message.ts'
import { TYPES } from '../../src/dns/record-types.ts'
import { ReadyAnswer, readReply, readyOfRecords } from '../../src/forward/ready-answer.ts'
import { readyRecords } from '../../src/forward/ready-form.ts'
import { generator } from './cache-content.ts'
import { answered } from './ready-answered.ts'
import { anyReply, encodeReply, type Reply } from './ready-messages.ts'
import { judge, KINDS, type PlainRecord, type PlainReply, plainReply } from './ready-oracle.ts'

const SEED = Number(process.env.PEREGRINE_SEED ?? Date.now() % 2 ** 31)
console.log(`# seed ${SEED}`)
const { A, CNAME, SRV } = TYPES
const into = new ReadyAnswer()

const folded = (records: readonly PlainRecord[]): unknown[] =>
  records.map(({ owner, type, class: recordClass, ttl, rdata }) => [
    owner,
    type,
    recordClass,
    ttl > 0x7fffffff ? 0 : ttl,
    rdata,
  ])

/** Compares what readReply() makes of a message with what it should. @returns the plain reader's view */
function compare(message: Uint8Array, type: number, what = ''): PlainReply | null {
  const expected = plainReply(message)
  // In the middle of other memory: what is around must not matter.
  const apart = new Uint8Array(message.length + 64).fill(0xc0)
  apart.set(message, 31)
  assert.equal(readReply(into, apart, 31, message.length, type), expected !== null, what)
  if (expected === null) return null
  const judgement = judge(expected, type)
  assert.deepEqual([KINDS[into.kind], into.ttl, into.rcode], [judgement.kind, judgement.ttl, expected.rcode], what)
  assert.equal(into.truncated, (expected.flags & 0x200) !== 0)
  const flags = into.words[0] & 0xffff
  assert.equal(flags, (expected.flags & 0x06b0) | (expected.rcode > 15 ? 2 : expected.rcode))
  const behind = ((3 + (into.words[0] >>> 16)) << 2) + (into.words[2] >>> 16)
  for (let i = behind; i < into.wordCount << 2; i++) assert.equal(into.octets[i], 0, 'padded with zeros')
  const got = plainReply(answered(into.words, into.octets, 0, message, -1))
  assert.ok(got !== null)
  assert.deepEqual(folded(got.answer), folded(judgement.answer), what)
  assert.deepEqual(folded(got.authority), folded(expected.authority), what)
  assert.deepEqual(folded(got.additional), folded(expected.additional), what)
  return expected
}

test('generated replies: as a plain reader has them, whatever part of them is cut off', () => {
  const reached = new Map<string, number>()
  const count = (what: string): unknown => reached.set(what, (reached.get(what) ?? 0) + 1)
  const property = fc.property(anyReply, fc.nat(), (generated: Reply, cut) => {
    const message = encodeReply(generated)
    const { type } = generated.question
    const expected = compare(message, type)
    if (expected === null) count('malformed')
    else {
      count(judge(expected, type).kind)
      if (judge(expected, type).answer.length < expected.answer.length) count('left out')
      if (expected.rcode > 15) count('extended')
      // The owner that is QNAME is a pointer to it; nothing grows but what must not be compressed.
      const decoded = decodeMessage(message, 0, message.length)
      readReply(into, message, 0, message.length, type)
      const records = readyRecords(into.words, into.octets, 0, decoded.question ?? generated.question)
      assert.deepEqual(
        records.additional.map(({ type }) => type),
        decoded.additional.map(({ type }) => type),
      )
    }
    compare(message.slice(0, cut % (message.length + 1)), type, 'cut')
  })
  fc.assert(property, { seed: SEED, numRuns: 4000 })
  for (const kind of [...KINDS, 'malformed', 'left out', 'extended'])
    assert.ok((reached.get(kind) ?? 0) > 20, `${kind} occurs`)
})

test('every truncation of replies with everything in them', () => {
  const samples = fc.sample(anyReply, { seed: SEED, numRuns: 60 })
  for (const sample of samples) {
    const message = encodeReply(sample)
    for (let length = 0; length <= message.length; length++)
      compare(message.slice(0, length), sample.question.type, `${length}`)
  }
})

test('messages of 64 KiB, with thousands of names', () => {
  const draw = generator(SEED)
  for (const compress of [0, 100, 60]) {
    const name = (): string => `h${draw(3000)}.${'z'.repeat(draw(3))}n${draw(40)}.example.`
    const records = Array.from({ length: 1400 }, (_, i) => {
      const type = [CNAME, SRV, A, 2][draw(4)]
      const rdata = type === SRV ? [[0, 1, 0, 2, 0, 3], name()] : type === A ? [[1, 2, 3, 4]] : [name()]
      return { owner: i < 300 ? 'w.example.' : name(), type, class: 1, ttl: 1 + draw(99), rdata }
    })
    const sections = [records.slice(0, 500), records.slice(500, 900), records.slice(900)]
    const question = { name: 'w.example.', type: A, class: 1 }
    const message = encodeReply({
      flags: 0x8180,
      question,
      sections,
      garbage: [],
      compress,
      lots: [draw(100), draw(100), draw(100)],
    })
    assert.ok(message.length > 30_000 && compare(message, A) !== null)
  }
})

test('a million mutations: well-formed or not, and never anything else', () => {
  const draw = generator(SEED)
  const messages = fc
    .sample(anyReply, { seed: SEED, numRuns: 300 })
    .map((sample) => ({ message: encodeReply(sample), type: sample.question.type }))
  const packet = new Uint8Array(4096)
  const until = Date.now() + 20_000
  let accepted = 0
  let tried = 0
  for (; tried < 1_000_000 && Date.now() < until; tried++) {
    const { message, type } = messages[draw(messages.length)]
    const length = draw(10) === 0 ? draw(message.length + 1) : message.length
    packet.set(message)
    for (let k = 1 + draw(3); k > 0; k--) {
      const at = draw(4) === 0 ? draw(12) : draw(length + 1)
      const lot = draw(4)
      packet[at] = lot === 0 ? 0xc0 : lot === 1 ? draw(256) : lot === 2 ? packet[at] ^ (1 << draw(8)) : draw(64)
    }
    if (tried % 64 === 0) compare(packet.slice(0, length), type, `mutation ${tried}, seed ${SEED}`)
    else if (readReply(into, packet, 0, length, type)) {
      accepted++
      const count = into.words[0] >>> 16
      assert.equal(count, (into.words[1] & 0xffff) + (into.words[1] >>> 16) + (into.words[2] & 0xffff))
      assert.equal(into.wordCount, 3 + count + (((into.words[2] >>> 16) + 3) >> 2))
    }
  }
  assert.ok(tried > 100_000 && accepted > tried / 50, `${accepted} of ${tried} are well-formed`)
})

test('there and back: records as a ready form, and the other way round', () => {
  const property = fc.property(anyReply, (generated) => {
    const message = encodeReply({ ...generated, flags: generated.flags & ~0x7800, garbage: [] })
    const { question } = generated
    if (!readReply(into, message, 0, message.length, question.type)) return
    const other = new ReadyAnswer()
    const records = readyRecords(into.words, into.octets, 0, question)
    assert.ok(readyOfRecords(other, into.words[0], into.rcode, records, question))
    assert.deepEqual(readyRecords(other.words, other.octets, 0, question), records)
    assert.deepEqual([other.rcode, other.truncated, other.words[0]], [into.rcode, into.truncated, into.words[0]])
  })
  fc.assert(property, { seed: SEED, numRuns: 500 })
})

test('records that cannot be written make no form', () => {
  const bad = {
    answer: [{ owner: 'a..b.', type: A, class: 1, ttl: 1, rdata: new Uint8Array(4) }],
    authority: [],
    additional: [],
  }
  assert.equal(readyOfRecords(into, 0, 0, bad, { name: 'a.', type: A, class: 1 }), false)
})
