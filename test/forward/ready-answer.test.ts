// readReply() and matchesQuestion(): what is a reply, what is kept of it and how long, in tables; generated, cut and broken replies against a
// plain reader (ready-oracle.ts), and against decodeMessage(). PEREGRINE_SEED: the seed.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { decodeMessage, encodeMessage, type ResourceRecord } from '../../src/dns/message.ts'
import { wireOfName } from '../../src/dns/message-names.ts'
import { parseRecord, recordText } from '../../src/dns/record-text.ts'
import { TYPES, typeNumber } from '../../src/dns/record-types.ts'
import {
  DENIAL,
  FAILURE,
  MALFORMED,
  MATCH,
  matchesQuestion,
  OTHER_CASE,
  OTHER_QUESTION,
  ReadyAnswer,
  readReply,
  readyOfRecords,
  SUCCESS,
  UNCACHEABLE,
} from '../../src/forward/ready-answer.ts'
import { readyRecords } from '../../src/forward/ready-form.ts'
import { answered } from './ready-answered.ts'
import { anyReply, encodeReply, type Reply, ReplyWriter, rrsigRdata } from './ready-messages.ts'
import { judge, type PlainRecord, type PlainReply, plainReply } from './ready-oracle.ts'

const SEED = Number(process.env.PEREGRINE_SEED ?? Date.now() % 2 ** 31)
console.log(`# seed ${SEED}`)
const KINDS = ['SUCCESS', 'DENIAL', 'FAILURE', 'UNCACHEABLE'] as const
const { A, CNAME, SRV, SOA, TXT, NXT, NSEC, OPT, DNAME, RRSIG } = TYPES
const into = new ReadyAnswer()

test('kinds are numbers that others store', () => {
  assert.deepEqual([SUCCESS, DENIAL, FAILURE, UNCACHEABLE], [0, 1, 2, 3])
})

// ---- tables ----

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

/** A reply about the name `w.example. A`, put together by hand. `records`: octets and names, behind the question. */
function reply(counts: readonly number[], ...records: (string | readonly number[])[]): Uint8Array {
  const parts = records.map((part) => (typeof part === 'string' ? wireOfName(part) : Uint8Array.from(part)))
  const header = Uint8Array.of(0, 1, 0x81, 0x80, 0, 1, 0, counts[0], 0, counts[1], 0, counts[2])
  return new Uint8Array(Buffer.concat([header, wireOfName('w.example.'), Uint8Array.of(0, 1, 0, 1), ...parts]))
}

const W = [0xc0, 12]
/** The fixed part of a record, TTL 60. */
const rr = (type: number, length: number, recordClass = 1): number[] =>
  [type, recordClass, 0, 60, length].flatMap((value) => [value >> 8, value & 255])
const BEHIND = 12 + 11 + 4 // first octet behind that question
/** Labels of 192 + `length` octets. */
const long = (length: number): number[] => [
  ...Array(3)
    .fill([63, ...Array(63).fill(97)])
    .flat(),
  length - 1,
  ...Array(length - 1).fill(98),
]
const wellFormed: [string, Uint8Array][] = [
  ['trailing garbage', reply([1, 0, 0], W, rr(A, 4), [1, 2, 3, 4], [9, 9, 9])],
  ['RDATA of an unknown type may be anything', reply([1, 0, 0], W, rr(65280, 3), [192, 255, 64])],
  ['RDATA of A in another class is not looked at', reply([1, 0, 0], W, rr(A, 3, 3), [1, 2, 3])],
  ['a pointer to a pointer', reply([1, 0, 0], W, rr(CNAME, 2), [0xc0, BEHIND])],
  ['a compressed target of SRV (RFC 2052 allowed it)', reply([1, 0, 0], W, rr(SRV, 8), [0, 1, 0, 2, 0, 3, 0xc0, 14])],
  ['an owner that points to a root octet', reply([1, 0, 0], [0xc0, 22], rr(A, 4), [1, 2, 3, 4])],
  ['a name of 255 octets', reply([1, 0, 0], long(52), W, rr(A, 4), [1, 2, 3, 4])],
  ['NSEC with a name of 255 octets', reply([0, 1, 0], W, rr(NSEC, 255), long(62), [0])],
  ['OPT in front of other additional records', reply([0, 0, 2], [0], rr(OPT, 0), W, rr(A, 4), [1, 2, 3, 4])],
]
const malformed: [string, Uint8Array][] = [
  ['empty', new Uint8Array()],
  ['a runt', reply([0, 0, 0]).subarray(0, 11)],
  ['a query', reply([0, 0, 0]).with(2, 1)],
  ['another opcode', reply([0, 0, 0]).with(2, 0xa0)],
  ['no question', reply([0, 0, 0]).with(5, 0)],
  ['two questions', reply([0, 0, 0]).with(5, 2)],
  ['a record that is not there', reply([1, 0, 0])],
  ['the same, additional', reply([0, 0, 1])],
  ['65,535 records that are not there', reply([1, 0, 0], W, rr(A, 4), [1, 2, 3, 4]).with(6, 255)],
  ['an owner that breaks off', reply([1, 0, 0], [0xc0])],
  ['a fixed part that breaks off', reply([1, 0, 0], W, [0, 1, 0, 1, 0, 0, 0, 0, 0])],
  ['RDATA that breaks off', reply([1, 0, 0], W, rr(A, 4), [1, 2, 3])],
  ['a pointer to itself', reply([1, 0, 0], [0xc0, BEHIND], rr(A, 4), [1, 2, 3, 4])],
  ['a pointer forward', reply([1, 0, 0], [0xc0, BEHIND + 2], rr(A, 4), [1, 2, 3, 4])],
  ['a pointer out of the message', reply([1, 0, 0], [0xff, 0xff], rr(A, 4), [1, 2, 3, 4])],
  ['a pointer into the header', reply([1, 0, 0], [0xc0, 6], rr(A, 4), [1, 2, 3, 4])],
  ['labels and a pointer to them', reply([1, 0, 0], [1, 97, 0xc0, BEHIND], rr(A, 4), [1, 2, 3, 4])],
  ['a label of type 10', reply([1, 0, 0], [0x80, 12], rr(A, 4), [1, 2, 3, 4])],
  ['a label of type 01', reply([1, 0, 0], [0x41, 12], rr(A, 4), [1, 2, 3, 4])],
  ['a name of 256 octets', reply([1, 0, 0], long(53), W, rr(A, 4), [1, 2, 3, 4])],
  ['A of three octets', reply([1, 0, 0], W, rr(A, 3), [1, 2, 3])],
  ['A of five octets', reply([1, 0, 0], W, rr(A, 5), [1, 2, 3, 4, 5])],
  ['AAAA of four octets', reply([1, 0, 0], W, rr(28, 4), [1, 2, 3, 4])],
  ['an empty CNAME', reply([1, 0, 0], W, rr(CNAME, 0))],
  ['octets behind the target of a CNAME', reply([1, 0, 0], W, rr(CNAME, 3), [0xc0, 14, 0])],
  ['a target that runs out of its RDATA', reply([1, 0, 0], W, rr(CNAME, 1), 'x.')],
  ['a pointer that runs out of its RDATA', reply([1, 0, 0], W, rr(CNAME, 1), [0xc0, 14])],
  ['the same where anything may follow', reply([1, 0, 0], W, rr(NXT, 1), [0xc0, 14])],
  [
    'a label that reaches the end of the message',
    reply([2, 0, 0], W, rr(TXT, 1), [16], [0xc0, BEHIND + 12], rr(A, 4), [1, 2, 3, 4]),
  ],
  ['SOA without its numbers', reply([0, 1, 0], W, rr(SOA, 21), [0, 0], Array(19).fill(0))],
  ['SOA with more of them', reply([0, 1, 0], W, rr(SOA, 23), [0, 0], Array(21).fill(0))],
  ['SRV without target', reply([1, 0, 0], W, rr(SRV, 6), [0, 1, 0, 2, 0, 3])],
  ['NSEC with a compressed name (RFC 4034 §4.1.1)', reply([0, 1, 0], W, rr(NSEC, 2), [0xc0, 14])],
  ['NSEC with a name of 256 octets', reply([0, 1, 0], W, rr(NSEC, 256), long(63), [0])],
  ['RRSIG with a compressed name', reply([0, 1, 0], W, rr(RRSIG, 20), Array(18).fill(1), [0xc0, 14])],
  ['two OPT', reply([0, 0, 2], [0], rr(OPT, 0), [0], rr(OPT, 0))],
  ['OPT in the answer', reply([1, 0, 0], [0], rr(OPT, 0))],
  ['OPT with an owner', reply([0, 0, 1], W, rr(OPT, 0))],
  ['OPT with half an option', reply([0, 0, 1], [0], rr(OPT, 5), [0, 3, 0, 2, 1])],
]
test('well-formed, if odd', () => {
  for (const [name, message] of wellFormed) assert.ok(readReply(into, message, 0, message.length, A), name)
})
test('malformed', () => {
  for (const [name, message] of malformed) {
    const inZeros = new Uint8Array(message.length + 9)
    inZeros.set(message)
    assert.equal(readReply(into, inZeros, 0, message.length, A), false, name)
    assert.equal(readReply(into, message, 0, message.length, A), false, name)
    assert.equal(plainReply(message), null, `${name}, by the plain reader`)
  }
  const whole = reply([0, 0, 0])
  assert.equal(readReply(into, whole, 0, whole.length + 1, A), false, 'longer than its memory')
  assert.equal(readReply(into, new Uint8Array(70000), 0, 65536, A), false)
})

test('an RCODE over 15 is SERVFAIL in the form, and not kept', () => {
  const message = reply([0, 0, 1], [0], [0, 41, 4, 208, 1, 0, 0, 0, 0, 0])
  assert.ok(readReply(into, message, 0, message.length, A))
  assert.deepEqual([into.rcode, into.words[0] & 15, into.kind], [16, 2, UNCACHEABLE])
})

test('signatures that have expired are not kept', () => {
  for (const [expires, kind] of [
    [-9, UNCACHEABLE],
    [900, SUCCESS],
  ]) {
    const writer = new ReplyWriter([0])
    const rdata = rrsigRdata(A, expires, 'example.')
    writer.record({ owner: 'w.example.', type: RRSIG, class: 1, ttl: 60, rdata }, 0)
    const message = reply([2, 0, 0], W, rr(A, 4), [1, 2, 3, 4], writer.octets)
    assert.ok(readReply(into, message, 0, message.length, A))
    assert.equal(into.kind, kind)
    assert.equal(into.words[0] >>> 16, 2)
  }
})

test('octet for octet: the question is pointed at, what follows is compressed, SRV and DNAME are not, OPT goes', () => {
  const message = reply(
    [3, 1, 2],
    ...['w.EXAMPLE.', rr(CNAME, 11), 'x.Example.'],
    ...['x.example.', rr(SRV, 17), [0, 1, 0, 2, 0, 3], 'y.example.'],
    ...['example.', rr(DNAME, 9), 'example.'],
    ...['example.', rr(2, 11), 'y.example.'],
    ...[[0], rr(OPT, 0)],
    ...['y.example.', rr(A, 4), [1, 2, 3, 4]],
  )
  assert.ok(readReply(into, message, 0, message.length, A))
  // 27 is behind the question; the first record's target is at 39, the second's at 61.
  const expected = [
    ...[0xc0, 12, ...rr(CNAME, 4), 1, 0x78, 0xc0, 14],
    ...[0xc0, 39, ...rr(SRV, 17), 0, 1, 0, 2, 0, 3, ...wireOfName('y.example.')],
    ...[0xc0, 14, ...rr(DNAME, 9), ...wireOfName('example.')],
    ...[0xc0, 14, ...rr(2, 2), 0xc0, 61],
    ...[0xc0, 61, ...rr(A, 4), 1, 2, 3, 4],
  ]
  const words = [0x0080 | (5 << 16), 3 | (1 << 16), 1 | (expected.length << 16)]
  const records = [
    [6, 16],
    [22, 45],
    [51, 66],
    [72, 80],
    [86, 96],
  ].map(([ttl, end]) => ttl | (end << 16))
  assert.deepEqual([...into.words.subarray(0, 8)], [...words, ...records])
  assert.deepEqual([...into.octets.subarray(32, 32 + expected.length)], expected)
  assert.equal(into.wordCount, 8 + expected.length / 4)
})

test('names that take more room than they came in: what is over 64 KiB is cut, with TC', () => {
  const long = [
    ...Array(3)
      .fill([63, ...Array(63).fill(97)])
      .flat(),
    50,
    ...Array(50).fill(98),
    0,
  ]
  const message = new Uint8Array(65535)
  const start = reply([1, 0, 0], W, rr(CNAME, long.length), long)
  message.set(start)
  let at = start.length
  let count = 1
  const target = [0xc0 | ((BEHIND + 12) >> 8), BEHIND + 12]
  const srv = [0xc0, 12, ...rr(SRV, 8), 0, 1, 0, 2, 0, 3, ...target]
  for (; at + srv.length <= message.length; at += srv.length, count++) message.set(srv, at)
  new DataView(message.buffer).setUint16(6, count)
  assert.ok(readReply(into, message, 0, at, SRV))
  assert.deepEqual([into.truncated, into.kind], [true, UNCACHEABLE])
  assert.equal((into.words[0] >> 9) & 1, 1)
  const each = 18 + long.length
  const room = 65535 - start.length
  assert.equal(into.words[0] >>> 16, 1 + Math.floor(room / each))
  const records = readyRecords(into.words, into.octets, 0, { name: 'w.example.', type: A, class: 1 })
  assert.ok(records.answer.slice(1).every(({ rdata }) => rdata.length === 6 + long.length))
  // And not a word of it is left when the next comes.
  const next = reply([1, 0, 0], W, rr(A, 4), [1, 2, 3, 4])
  assert.ok(readReply(into, next, 0, next.length, A))
  assert.deepEqual([into.truncated, into.kind, into.wordCount], [false, SUCCESS, 8])
})

test('64 KiB of pointers to pointers cost no more than they are long', () => {
  const message = new Uint8Array(65535)
  message.set(reply([0, 0, 0]))
  // A chain of 8,000 pointers in RDATA nobody reads, and records whose owners begin at its end.
  let at = BEHIND
  message.set([...W, ...rr(TXT, 0)], at)
  const first = at + 12
  at = first
  let target = 12
  while (at < 16000) {
    message.set([0xc0 | (target >> 8), target], at)
    target = at
    at += 2
  }
  new DataView(message.buffer).setUint16(first - 2, at - first)
  let count = 1
  for (; at + 16 <= 65535; at += 16, count++) message.set([0xc0 | (target >> 8), target, ...rr(A, 4), 1, 2, 3, 4], at)
  new DataView(message.buffer).setUint16(6, count)
  assert.ok(readReply(into, message, 0, at, A))
  assert.equal(into.words[0] >>> 16, count)
})

const asked = new Uint8Array([...wireOfName('w.example.'), 0, 1, 0, 1])
const answeredQuestion: [name: string, message: Uint8Array, verdict: number, exactly: number][] = [
  ['the same', reply([0, 0, 0]), MATCH, MATCH],
  ['another case', reply([0, 0, 0]).with(13, 0x57), MATCH, OTHER_CASE],
  ['another letter', reply([0, 0, 0]).with(13, 0x56), OTHER_QUESTION, OTHER_QUESTION],
  ['another type', reply([0, 0, 0]).with(24, 2), OTHER_QUESTION, OTHER_QUESTION],
  ['another class', reply([0, 0, 0]).with(26, 2), OTHER_QUESTION, OTHER_QUESTION],
  [
    'a shorter name',
    new Uint8Array([...reply([0, 0, 0]).subarray(0, 12), 0, 0, 1, 0, 1]),
    OTHER_QUESTION,
    OTHER_QUESTION,
  ],
  [
    'a longer name',
    new Uint8Array([...reply([0, 0, 0]).subarray(0, 12), ...wireOfName('w.example.com.'), 0, 1, 0, 1]),
    OTHER_QUESTION,
    OTHER_QUESTION,
  ],
  ['a query', reply([0, 0, 0]).with(2, 1), MALFORMED, MALFORMED],
  ['a bare header', reply([0, 0, 0]).subarray(0, 12).with(5, 0), MALFORMED, MALFORMED],
  ['two questions', reply([0, 0, 0]).with(5, 2), MALFORMED, MALFORMED],
  ['half a question', reply([0, 0, 0]).subarray(0, 25), MALFORMED, MALFORMED],
  ['a runt', reply([0, 0, 0]).subarray(0, 11), MALFORMED, MALFORMED],
  ['a pointer for a name', reply([0, 0, 0]).with(12, 0xc0), MALFORMED, MALFORMED],
]
for (const [name, message, verdict, exactly] of answeredQuestion) {
  test(`whose question: ${name}`, () => {
    const apart = new Uint8Array(message.length + 20).fill(0xc0)
    apart.set(message, 9)
    for (const [octets, at] of [
      [message, 0],
      [apart, 9],
    ] as const) {
      assert.equal(matchesQuestion(octets, at, message.length, asked, false), verdict)
      assert.equal(matchesQuestion(octets, at, message.length, asked, true), exactly)
    }
  })
}

test('octets that differ by 32 and are no letters', () => {
  const at = new Uint8Array([...wireOfName('@['), 0, 1, 0, 1])
  const grave = new Uint8Array([...wireOfName('`{'), 0, 1, 0, 1])
  const message = new Uint8Array([...reply([0, 0, 0]).subarray(0, 12), ...grave])
  assert.equal(matchesQuestion(message, 0, message.length, grave, false), MATCH)
  assert.equal(matchesQuestion(message, 0, message.length, at, false), OTHER_QUESTION)
})

// ---- generated ----

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
  const draw = lots(SEED)
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

/** xorshift32: a million numbers in no time. */
function lots(seed: number): (below: number) => number {
  let state = seed | 1
  return (below) => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) % below
  }
}

test('a million mutations: well-formed or not, and never anything else', () => {
  const draw = lots(SEED)
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
