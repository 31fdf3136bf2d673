// readReply(): which octets are a reply and which are not, and what it makes of them octet for octet, in tables.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { wireOfName } from '../../src/dns/message-names.ts'
import { TYPES } from '../../src/dns/record-types.ts'
import { ReadyAnswer, readReply, SUCCESS, UNCACHEABLE } from '../../src/forward/ready-answer.ts'
import { readyRecords } from '../../src/forward/ready-form.ts'
import { ReplyWriter, rrsigRdata } from './ready-messages.ts'
import { BEHIND, reply, rr, W } from './ready-octets.ts'
import { plainReply } from './ready-oracle.ts'

const { A, CNAME, SRV, SOA, TXT, NXT, NSEC, OPT, DNAME, RRSIG } = TYPES
const into = new ReadyAnswer()

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
  const name = [...long(51), 0]
  const message = new Uint8Array(65535)
  const start = reply([1, 0, 0], W, rr(CNAME, name.length), name)
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
  const each = 18 + name.length
  const room = 65535 - start.length
  assert.equal(into.words[0] >>> 16, 1 + Math.floor(room / each))
  const records = readyRecords(into.words, into.octets, 0, { name: 'w.example.', type: A, class: 1 })
  assert.ok(records.answer.slice(1).every(({ rdata }) => rdata.length === 6 + name.length))
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
