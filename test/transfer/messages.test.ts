// A zone in messages (src/dns/transfer-messages.ts): nothing is lost between them, and each is what RFC 5936 §2.2 says.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { decodeMessage, MessageError, type ResourceRecord } from '../../src/dns/message.ts'
import { parseRecord, recordText } from '../../src/dns/record-text.ts'
import {
  rcodeOf,
  serialOf,
  type TransferQuery,
  transferFailure,
  transferMessages,
} from '../../src/dns/transfer-messages.ts'

const SEED = Number(process.env.TEST_SEED ?? 20261122)
const DEFAULTS = { origin: 'example.org.', ttl: 300, class: 1 }
const SOA = parseRecord('@ SOA ns host 7 3600 600 86400 60', DEFAULTS)
const QUERY: TransferQuery = {
  id: 4711,
  recursionDesired: true,
  checkingDisabled: false,
  question: { name: 'ExAmple.ORG.', type: 252, class: 1 },
  edns: { udpSize: 1232, dnssecOk: true },
}

function messagesOf(records: readonly ResourceRecord[], serial: number | null = null, query = QUERY) {
  return [...transferMessages(query, records, serial)].map((octets) => decodeMessage(octets, 0, octets.length))
}

function txt(owner: string, length: number): ResourceRecord {
  return { owner, type: 16, class: 1, ttl: 1, rdata: new Uint8Array(length).fill(1) }
}

test('question and OPT stand in the first message alone, AA in all', () => {
  const records = [SOA, ...Array.from({ length: 5000 }, (_, i) => parseRecord(`h${i} A 192.0.2.1`, DEFAULTS)), SOA]
  const messages = messagesOf(records)
  assert.ok(messages.length > 2)
  for (const [i, message] of messages.entries()) {
    const { id, response, authoritative, truncated, recursionDesired, recursionAvailable, rcode } = message
    const head = { id, response, authoritative, truncated, recursionDesired, recursionAvailable, rcode }
    const flags = {
      response: true,
      authoritative: true,
      truncated: false,
      recursionDesired: true,
      recursionAvailable: false,
    }
    assert.deepEqual(head, { id: 4711, ...flags, rcode: 0 })
    assert.deepEqual(message.question, i === 0 ? QUERY.question : null)
    const opt = { version: 0, udpSize: 1232, dnssecOk: true, options: [] }
    assert.deepEqual(message.edns, i === 0 ? opt : null)
    assert.deepEqual([message.authority, message.additional], [[], []])
  }
})

test('a query without OPT gets none', () => {
  assert.equal(messagesOf([SOA, SOA], null, { ...QUERY, edns: null })[0].edns, null)
})

test('IXFR: the current serial gets the SOA alone, any other the zone', () => {
  const www = parseRecord('www A 192.0.2.1', DEFAULTS)
  const cases: [serial: number | null, count: number][] = [
    [7, 1],
    [6, 3],
    [8, 3],
    [0xffffffff, 3],
    [null, 3],
  ]
  for (const [serial, count] of cases) {
    assert.equal(messagesOf([SOA, www, SOA], serial).flatMap(({ answer }) => answer).length, count, `${serial}`)
  }
})

test('whatever the records, they come in order and whole, in messages that fit', () => {
  const anyLength = fc.oneof(
    fc.nat({ max: 40 }),
    fc.nat({ max: 3000 }),
    fc.integer({ min: 23_900, max: 24_100 }),
    fc.integer({ min: 64_000, max: 65_400 }),
  )
  const anyRecord = fc.record({ label: fc.stringMatching(/^[a-z]{1,20}$/), length: anyLength })
  let several = 0
  fc.assert(
    fc.property(fc.array(anyRecord, { maxLength: 60, size: 'max' }), (drawn) => {
      const records = [SOA, ...drawn.map(({ label, length }) => txt(`${label}.example.org.`, length)), SOA]
      const octets = [...transferMessages(QUERY, records, null)]
      if (octets.length > 1) several++
      const found = octets.flatMap((each) => decodeMessage(each, 0, each.length).answer)
      assert.deepEqual(
        found.map(({ owner, rdata }) => [owner.toLowerCase(), rdata.length]),
        records.map(({ owner, rdata }) => [owner, rdata.length]),
      )
      for (const each of octets) {
        assert.ok(each.length <= 65_535)
        assert.equal(each.buffer.byteLength, each.length, 'in memory of its own')
        // More than about 24,000 octets only for a record that has more itself.
        assert.ok(each.length < 25_000 || decodeMessage(each, 0, each.length).answer.length === 1)
      }
    }),
    { seed: SEED, numRuns: 150 },
  )
  assert.ok(several > 50)
})

test('a record that fits no message ends it with an error', () => {
  const generator = transferMessages(QUERY, [SOA, txt('big.example.org.', 65_530), SOA], null)
  assert.equal(decodeMessage(generator.next().value as Uint8Array, 0, 200).answer.length, 1)
  assert.throws(() => generator.next(), MessageError)
})

test('a failure has the question, OPT and nothing else', () => {
  const octets = transferFailure(QUERY, 5)
  const message = decodeMessage(octets, 0, octets.length)
  assert.equal(rcodeOf(octets), 5)
  assert.deepEqual([message.rcode, message.authoritative, message.answer], [5, false, []])
  assert.deepEqual(message.question, QUERY.question)
  assert.ok(message.edns !== null)
})

test('the serial of an SOA', () => {
  assert.equal(serialOf(SOA), 7)
  assert.equal(serialOf(parseRecord('@ SOA ns host 4294967295 1 1 1 1', DEFAULTS)), 0xffffffff)
  assert.equal(serialOf(parseRecord('www A 192.0.2.1', DEFAULTS)), null)
  assert.equal(serialOf({ ...SOA, rdata: SOA.rdata.slice(0, 19) }), null)
  assert.match(recordText(SOA), / 7 /)
})
