// appendReady(): what it writes behind any spelling of the question, at every size limit, at every place. And that it allocates nothing.
// PEREGRINE_SEED: the seed.

import assert from 'node:assert/strict'
import { PerformanceObserver } from 'node:perf_hooks'
import { test } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import dnsPacket from 'dns-packet'
import fc from 'fast-check'
import { Query, readQuery } from '../../src/dns/question.ts'
import { TYPES } from '../../src/dns/record-types.ts'
import { beginResponse, endResponse, Response } from '../../src/dns/response.ts'
import { ReadyAnswer, readReply } from '../../src/forward/ready-answer.ts'
import { appendReady } from '../../src/forward/ready-form.ts'
import { anyReply, encodeReply, type ReplyRecord } from './ready-messages.ts'
import { type PlainRecord, plainReply } from './ready-oracle.ts'

const SEED = Number(process.env.PEREGRINE_SEED ?? Date.now() % 2 ** 31)
console.log(`# seed ${SEED}`)
const { A, AAAA, CNAME } = TYPES
const SPELLINGS: readonly ((octet: number) => number)[] = [
  (octet) => octet,
  (octet) => (octet >= 0x61 && octet <= 0x7a ? octet - 32 : octet),
  (octet) => (octet >= 0x41 && octet <= 0x5a ? octet + 32 : octet),
]
const OPT = [0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0]
const FILL = 0xee

const into = new ReadyAnswer()
const response = new Response()
const query = new Query()
/** Memory of a cache, with other things before and behind the form. */
const words = new Int32Array(new SharedArrayBuffer(0x40000)).fill(-1)
const octets = new Uint8Array(words.buffer)

/** The form of `into` at words[ref]. */
function keep(ref: number): void {
  for (let i = 0; i < into.wordCount; i++) words[ref + i] = into.words[i]
  words[ref + into.wordCount] = -1
}

/** A query for the question of `message`, in another spelling. */
function queryOf(message: Uint8Array, spelling: (octet: number) => number, hasOpt: boolean): Uint8Array {
  let end = 12
  while (message[end] !== 0) end += message[end] + 1
  const name = message.subarray(12, end + 1).map(spelling)
  const counts = [0, 1, 0, 0, 0, 0, 0, hasOpt ? 1 : 0]
  return Uint8Array.from([
    5,
    6,
    1,
    0,
    ...counts,
    ...name,
    ...message.subarray(end + 1, end + 5),
    ...(hasOpt ? OPT : []),
  ])
}

type Plain = readonly [owner: string, type: number, recordClass: number, ttl: number, rdata: string]
const plain = (record: PlainRecord, ttl: number): Plain => [
  record.owner,
  record.type,
  record.class,
  ttl < 0 ? record.ttl : ttl,
  record.rdata,
]

test('generated answers: whole records in any spelling, with the TTL asked for, at every limit', () => {
  const usual = anyReply.filter(({ flags }) => (flags & 0xf800) === 0x8000)
  let cut = 0
  const property = fc.property(
    usual,
    fc.nat(2),
    fc.boolean(),
    fc.constantFrom(-1, 0, 30, 0x7fffffff),
    fc.nat(40),
    (reply, spelling, hasOpt, ttl, place) => {
      const message = encodeReply(reply)
      if (!readReply(into, message, 0, message.length, reply.question.type)) return
      const ref = 1 + place
      keep(ref)
      const asked = queryOf(message, SPELLINGS[spelling], hasOpt)
      const packet = new Uint8Array(4096)
      const whole = respond(asked, packet, place, 4000, ref, ttl)
      const all = [...whole.answer, ...whole.authority, ...whole.additional]
      assert.equal(all.length, into.words[0] >>> 16)
      assert.equal((whole.flags & 0x200) !== 0, into.truncated)
      const stored = respond(asked, packet, place, 4000, ref, -1)
      assert.deepEqual(
        all.map((record) => plain(record, -1)),
        [...stored.answer, ...stored.authority, ...stored.additional].map((record) => plain(record, ttl)),
      )
      const questionEnd = asked.length - (hasOpt ? 11 : 0)
      const most = asked.length + (into.words[2] >>> 16)
      for (let size = asked.length; size <= most + 5; size++) {
        const got = respond(asked, packet, place, size, ref, ttl)
        const records = [...got.answer, ...got.authority, ...got.additional]
        // As many as end within the size: counted in the form itself, whose end offsets are compared below.
        let fitting = 0
        while (fitting < all.length && asked.length + (into.words[3 + fitting] >>> 16) <= size) fitting++
        assert.equal(records.length, fitting)
        assert.deepEqual(
          records.map((record) => plain(record, -1)),
          all.slice(0, fitting).map((record) => plain(record, -1)),
        )
        assert.equal((got.flags & 0x200) !== 0, into.truncated || fitting < all.length)
        const counts = [got.answer.length, got.authority.length, got.additional.length]
        const answers = Math.min(fitting, whole.answer.length)
        const authorities = Math.min(fitting - answers, whole.authority.length)
        assert.deepEqual(counts, [answers, authorities, fitting - answers - authorities])
        if (fitting < all.length) cut++
      }
      assert.equal(response.at - place - (hasOpt ? 11 : 0) - questionEnd, into.words[2] >>> 16)
      assert.equal(words[ref + into.wordCount], -1, 'the form is only read')
    },
  )
  fc.assert(property, { seed: SEED, numRuns: 150 })
  assert.ok(cut > 1000)
})

/** The answer to `asked` when it lies at packet[start] and may have `size` octets, checked and read. */
function respond(asked: Uint8Array, packet: Uint8Array, start: number, size: number, ref: number, ttl: number) {
  packet.fill(FILL)
  packet.set(asked, start)
  assert.equal(readQuery(query, packet, start, asked.length) <= 4, true)
  beginResponse(response, query, start, size)
  const { limit } = response
  const flags = appendReady(response, packet, words, octets, ref, ttl)
  assert.equal(flags, into.words[0] & 0xffff)
  for (let i = Math.max(limit, start + asked.length); i < packet.length; i++)
    assert.equal(packet[i], FILL, 'nothing behind the limit')
  const length = endResponse(response, query, packet, flags & 15, false, 1232)
  assert.ok(length <= size)
  const got = plainReply(packet.slice(start, start + length))
  assert.ok(got !== null)
  assert.deepEqual(
    packet.slice(start + 12, start + query.questionEnd),
    asked.slice(12, query.questionEnd),
    'the question as it came',
  )
  return got
}

const record = (owner: string, type: number, rdata: (string | number[])[]): ReplyRecord => ({
  owner,
  type,
  class: 1,
  ttl: 9,
  rdata,
})
const CHAIN = [
  record('www.example.com.', CNAME, ['www.example.com.edge.example.net.']),
  record('www.example.com.edge.example.net.', A, [[1, 2, 3, 4]]),
  record('www.example.com.edge.example.net.', A, [[1, 2, 3, 5]]),
]

/** Reads a reply of these records to `www.example.com.`. */
function read(answer: readonly ReplyRecord[], type: number): Uint8Array {
  const question = { name: 'www.example.com.', type, class: 1 }
  const message = encodeReply({
    flags: 0x8180,
    question,
    sections: [answer, [], []],
    garbage: [],
    compress: 100,
    lots: [0],
  })
  assert.ok(readReply(into, message, 0, message.length, type))
  return message
}

test('another decoder reads it: a chain in the spelling of the client', () => {
  const message = read(CHAIN, A)
  keep(1)
  const asked = queryOf(message, SPELLINGS[1], true)
  const packet = new Uint8Array(600)
  packet.set(asked, 3)
  readQuery(query, packet, 3, asked.length)
  beginResponse(response, query, 3, 512)
  appendReady(response, packet, words, octets, 1, 30)
  const length = endResponse(response, query, packet, 0, true, 1232)
  const {
    answers = [],
    questions = [],
    additionals = [],
  } = dnsPacket.decode(Buffer.from(packet.subarray(3, 3 + length)))
  assert.equal(questions[0].name, 'WWW.EXAMPLE.COM')
  assert.equal(additionals.length, 1)
  assert.deepEqual(
    answers.map((each) => [each.name, each.type, 'ttl' in each && each.ttl, 'data' in each && each.data]),
    [
      ['WWW.EXAMPLE.COM', 'CNAME', 30, 'www.example.com.edge.example.net'],
      ['www.example.com.edge.example.net', 'A', 30, '1.2.3.4'],
      ['www.example.com.edge.example.net', 'A', 30, '1.2.3.5'],
    ],
  )
})

test('64 KiB go in whole over TCP, and as much as fits over UDP', () => {
  const answer = Array.from({ length: 2300 }, (_, i) =>
    record('www.example.com.', AAAA, [[i >> 8, i & 255, ...Array(14).fill(7)]]),
  )
  const message = read(answer, AAAA)
  keep(1)
  const asked = queryOf(message, SPELLINGS[2], false)
  const packet = new Uint8Array(65535)
  packet.set(asked)
  readQuery(query, packet, 0, asked.length)
  for (const [size, count] of [
    [65535, 2300],
    [4096, Math.floor((4096 - asked.length) / 28)],
    [512, Math.floor((512 - asked.length) / 28)],
  ]) {
    packet[2] = 1
    beginResponse(response, query, 0, size)
    appendReady(response, packet, words, octets, 1, 30)
    assert.deepEqual(
      [response.answerCount, response.truncated, response.at],
      [count, count < 2300, asked.length + 28 * count],
    )
  }
})

test('reading and appending allocate nothing', async () => {
  const message = read(CHAIN, A)
  keep(1)
  const asked = queryOf(message, SPELLINGS[0], true)
  const packet = new Uint8Array(600)
  packet.set(asked)
  readQuery(query, packet, 0, asked.length)
  const rounds = (count: number): void => {
    for (let i = 0; i < count; i++) {
      readReply(into, message, 0, message.length, A)
      beginResponse(response, query, 0, 512)
      appendReady(response, packet, words, octets, 1, i & 1023)
    }
  }
  rounds(50_000)
  let collections = 0
  const observer = new PerformanceObserver((list) => {
    collections += list.getEntries().length
  })
  observer.observe({ entryTypes: ['gc'] })
  await setImmediate()
  collections = 0
  rounds(1_000_000)
  await setImmediate()
  await setImmediate()
  observer.disconnect()
  // One object of 16 octets a round would fill a young generation of 16 MiB once, a few of them several times.
  assert.ok(collections <= 1, `${collections} collections`)
})
