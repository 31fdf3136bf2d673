// readReply(): what of a reply is kept, as what and how long. In a table, in zone-file text.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { encodeMessage, type ResourceRecord } from '../../src/dns/message.ts'
import { parseRecord, recordText } from '../../src/dns/record-text.ts'
import { typeNumber } from '../../src/dns/record-types.ts'
import { DENIAL, FAILURE, ReadyAnswer, readReply, SUCCESS, UNCACHEABLE } from '../../src/forward/ready-answer.ts'
import { readyRecords } from '../../src/forward/ready-form.ts'
import { KINDS } from './ready-oracle.ts'

const into = new ReadyAnswer()

test('kinds are numbers that others store', () => {
  assert.deepEqual([SUCCESS, DENIAL, FAILURE, UNCACHEABLE], [0, 1, 2, 3])
})

interface Case {
  readonly name: string
  readonly type?: string
  readonly flags?: number
  readonly answer?: readonly string[]
  readonly authority?: readonly string[]
  readonly additional?: readonly string[]
  readonly kind: (typeof KINDS)[number]
  readonly ttl: number
  /** What the answer section has in the end; all of it by default. */
  readonly kept?: readonly string[]
}

const SOA_100 = 'example. 100 SOA ns host 1 2 3 4 5'
const cases: readonly Case[] = [
  { name: 'addresses', answer: ['w 60 A 1.2.3.4', 'w 50 A 1.2.3.5'], kind: 'SUCCESS', ttl: 50 },
  {
    name: 'the least TTL may be in any section',
    answer: ['w 60 A 1.2.3.4'],
    authority: ['example. 40 NS ns'],
    kind: 'SUCCESS',
    ttl: 40,
  },
  {
    name: 'the same, additional',
    answer: ['w 60 A 1.2.3.4'],
    additional: ['x 30 A 1.2.3.4'],
    kind: 'SUCCESS',
    ttl: 30,
  },
  { name: 'TTL 0 is one', answer: ['w 0 A 1.2.3.4', 'w 9 A 1.2.3.5'], kind: 'SUCCESS', ttl: 0 },
  {
    name: 'a TTL over 2^31-1 is 0 (RFC 2181 §8)',
    answer: ['w 2147483648 A 1.2.3.4'],
    kept: ['w 0 A 1.2.3.4'],
    kind: 'SUCCESS',
    ttl: 0,
  },
  { name: 'the longest TTL', answer: ['w 2147483647 A 1.2.3.4'], kind: 'SUCCESS', ttl: 2147483647 },
  { name: 'a chain', answer: ['w 60 CNAME x', 'x 50 CNAME y', 'y 70 A 1.2.3.4'], kind: 'SUCCESS', ttl: 50 },
  {
    name: 'a chain in another order',
    answer: ['y 70 A 1.2.3.4', 'x 50 CNAME Y', 'W 60 CNAME x'],
    kind: 'SUCCESS',
    ttl: 50,
  },
  {
    name: 'what does not belong to the chain is left out, and its TTL does not count',
    answer: ['w 60 CNAME x', 'x 50 A 1.2.3.4', 'bank 1 A 6.6.6.6', 'z.x 1 A 6.6.6.6', 'example. 1 A 6.6.6.6'],
    kept: ['w 60 CNAME x', 'x 50 A 1.2.3.4'],
    kind: 'SUCCESS',
    ttl: 50,
  },
  { name: 'nothing that belongs to it', answer: ['bank 1 A 6.6.6.6'], kept: [], kind: 'UNCACHEABLE', ttl: 5 },
  {
    name: 'of two CNAMEs the first counts',
    answer: ['w 9 CNAME x', 'w 9 CNAME y', 'y 9 A 1.2.3.4'],
    kept: ['w 9 CNAME x', 'w 9 CNAME y'],
    kind: 'UNCACHEABLE',
    ttl: 9,
  },
  { name: 'a chain that ends nowhere', answer: ['w 60 CNAME x'], kind: 'UNCACHEABLE', ttl: 60 },
  {
    name: 'a chain to NODATA',
    answer: ['w 60 CNAME x'],
    authority: [SOA_100, 'example. 1 NS ns'],
    kind: 'DENIAL',
    ttl: 60,
  },
  { name: 'a CNAME that was asked for', type: 'CNAME', answer: ['w 60 CNAME x'], kind: 'SUCCESS', ttl: 60 },
  { name: 'ANY', type: 'ANY', answer: ['w 60 TXT x', 'w 50 A 1.2.3.4'], kind: 'SUCCESS', ttl: 50 },
  { name: 'a CNAME to itself', answer: ['w 60 CNAME w'], kind: 'UNCACHEABLE', ttl: 60 },
  {
    name: 'a circle',
    answer: ['w 60 CNAME x', 'x 50 CNAME y', 'y 40 CNAME x', 'x 9 A 1.2.3.4'],
    kind: 'UNCACHEABLE',
    ttl: 9,
  },
  {
    name: 'DNAME above the chain stays',
    answer: [
      'example. 9 DNAME other.',
      'w 60 CNAME w.other.',
      'w.other. 50 A 1.2.3.4',
      'test. 1 DNAME other.',
      'w 8 DNAME q.',
    ],
    kept: ['example. 9 DNAME other.', 'w 60 CNAME w.other.', 'w.other. 50 A 1.2.3.4', 'w 8 DNAME q.'],
    kind: 'SUCCESS',
    ttl: 8,
  },
  { name: "NODATA: the SOA's own TTL", authority: ['example. 5 NS ns', SOA_100], kind: 'DENIAL', ttl: 100 },
  { name: 'NODATA without SOA', additional: ['x 9 A 1.2.3.4'], kind: 'UNCACHEABLE', ttl: 9 },
  { name: 'no records at all', kind: 'DENIAL', ttl: 5 },
  { name: 'a referral', authority: ['example. 7 NS ns'], additional: ['ns 90 A 1.2.3.4'], kind: 'SUCCESS', ttl: 7 },
  { name: 'NXDOMAIN', flags: 3, authority: [SOA_100], kind: 'DENIAL', ttl: 100 },
  { name: 'NXDOMAIN without SOA', flags: 3, kind: 'UNCACHEABLE', ttl: 5 },
  {
    name: 'NXDOMAIN with answers',
    flags: 3,
    answer: ['w 60 CNAME x'],
    authority: [SOA_100],
    kind: 'UNCACHEABLE',
    ttl: 60,
  },
  { name: 'SERVFAIL', flags: 2, kind: 'FAILURE', ttl: 5 },
  { name: 'NOTIMP', flags: 4, kind: 'FAILURE', ttl: 5 },
  { name: 'REFUSED', flags: 5, authority: [SOA_100], kind: 'UNCACHEABLE', ttl: 100 },
  { name: 'FORMERR', flags: 1, kind: 'UNCACHEABLE', ttl: 5 },
  { name: 'TC', flags: 0x200, answer: ['w 60 A 1.2.3.4'], kind: 'UNCACHEABLE', ttl: 60 },
  { name: 'a zone transfer', type: 'AXFR', answer: ['w 60 A 1.2.3.4'], kind: 'UNCACHEABLE', ttl: 60 },
]

const parsed = (line: string): ResourceRecord => {
  const big = line.replace(' 2147483648 ', ' 0 ') // more than a zone file may say
  const record = parseRecord(big, { origin: 'example.', ttl: 1, class: 1 })
  return big === line ? record : { ...record, ttl: 2147483648 }
}

for (const {
  name,
  type = 'A',
  flags = 0,
  answer = [],
  authority = [],
  additional = [],
  kind,
  ttl,
  kept = answer,
} of cases) {
  test(name, () => {
    const target = new Uint8Array(1000)
    const question = { name: 'w.example.', type: typeNumber(type), class: 1 }
    const head = {
      id: 1,
      opcode: 0,
      response: true,
      authoritative: true,
      recursionDesired: true,
      recursionAvailable: true,
    }
    const length = encodeMessage(
      {
        ...head,
        truncated: (flags & 0x200) !== 0,
        authenticData: true,
        checkingDisabled: false,
        rcode: flags & 15,
        question,
        answer: answer.map(parsed),
        authority: authority.map(parsed),
        additional: additional.map(parsed),
        edns: { version: 0, udpSize: 1232, dnssecOk: false, options: [] },
      },
      target,
      3,
      900,
    )
    assert.ok(readReply(into, target, 3, length, question.type))
    assert.deepEqual(
      [KINDS[into.kind], into.ttl, into.rcode, into.truncated],
      [kind, ttl, flags & 15, (flags & 0x200) !== 0],
    )
    assert.equal(into.words[0] & 0xffff, 0x04a0 | flags)
    const records = readyRecords(into.words, into.octets, 0, question)
    const text = (all: readonly ResourceRecord[]): string[] => all.map((each) => recordText(each).toLowerCase())
    assert.deepEqual(text(records.answer), text(kept.map(parsed)))
    assert.deepEqual(text(records.authority), text(authority.map(parsed)))
    assert.deepEqual(text(records.additional), text(additional.map(parsed)))
  })
}
