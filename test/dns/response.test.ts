// Responses octet for octet: header bits, OPT, SOA, what fits and what does not. Vectors: cluster-dns reference §5.15.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { HEADER_LENGTH, Query, readQuery } from '../../src/dns/question.ts'
import {
  appendSoa,
  BADVERS,
  bareHeader,
  beginResponse,
  endResponse,
  FORMERR,
  NOERROR,
  NOTIMP,
  NXDOMAIN,
  OPT_LENGTH,
  REFUSED,
  Response,
  SERVFAIL,
  SOA_LENGTH,
} from '../../src/dns/response.ts'
import { encodeQuery, labels, optRecord, type WireRecord, words } from './messages.ts'

const START = 5
const CANARY = 0xee

/** A message in the middle of other octets, and the query it was read into. */
function read(message: Uint8Array): { packet: Uint8Array; query: Query } {
  const packet = new Uint8Array(2000).fill(CANARY)
  packet.set(message, START)
  const query = new Query()
  readQuery(query, packet, START, message.length)
  return { packet, query }
}

/** The octets of a response, after a look at those around it. */
function written(packet: Uint8Array, length: number, capacity = length): string {
  assert.ok(
    packet.subarray(0, START).every((octet) => octet === CANARY),
    'nothing before the message is touched',
  )
  assert.ok(
    packet.subarray(START + capacity).every((octet) => octet === CANARY),
    'nothing behind it is touched',
  )
  return Buffer.from(packet.subarray(START, START + length)).toString('hex')
}

function message(flags: number, additional: WireRecord[] = [], name = 'cart.shop.svc.cluster.local'): Uint8Array {
  const sections = [[], [], additional]
  return encodeQuery({
    id: 0x1234,
    flags,
    qname: labels(name),
    qtype: 1,
    qclass: 1,
    sections,
    garbage: new Uint8Array(),
  })
}

function opt(udpSize: number, version: number, flags: number): WireRecord {
  return optRecord(udpSize, version, flags, new Uint8Array())
}

const vector = (text: string): string => text.replaceAll(/\s/g, '')

test('the vectors: SOA of a missing name', () => {
  const octets = vector(
    `123401000001000000000000076d697373696e670473686f700373766307636c7573746572056c6f63616c0000010001`,
  )
  const { packet, query } = read(Buffer.from(octets, 'hex'))
  const response = new Response()
  beginResponse(response, query, START, 512)
  assert.ok(appendSoa(response, packet, 0x1d, 5, 1))
  response.authorityCount = 1
  assert.equal(
    written(packet, endResponse(response, query, packet, NXDOMAIN, true, 1232)),
    vector(`123485030001000000010000076d697373696e670473686f700373766307636c7573746572056c6f63616c0000010001
            c01d0006000100000005002a026e7303646e73c01d0a686f73746d6173746572c01d0000000100001c20000007080001
            518000000005`),
  )
})

test('the vectors: BADVERS and NOTIMP', () => {
  const question = '04636172740473686f700373766307636c7573746572056c6f63616c0000010001'
  const { packet, query } = read(Buffer.from(`123401000001000000000001${question}00002904d0000100000000`, 'hex'))
  const response = new Response()
  beginResponse(response, query, START, 512)
  const length = endResponse(response, query, packet, BADVERS, false, 1232)
  assert.equal(written(packet, length), `123481000001000000000001${question}00002904d0010000000000`)

  const update = read(Buffer.from(`123428000001000000000000${question}`, 'hex')).packet
  assert.equal(bareHeader(update, START, NOTIMP), HEADER_LENGTH)
  assert.equal(Buffer.from(update.subarray(START, START + 12)).toString('hex'), '1234a8040000000000000000')
})

test('the TTL of an SOA is at most 300, its MINIMUM is not, and the serial has all its 32 bits', () => {
  for (const [ttl, serial] of [
    [5, 1],
    [300, 2 ** 31 - 1],
    [301, 2 ** 31],
    [3600, 2 ** 32 - 1],
    [0, -1],
  ]) {
    const { packet, query } = read(message(0x0100))
    const response = new Response()
    beginResponse(response, query, START, 512)
    const at = response.at
    appendSoa(response, packet, 12 + 14, ttl, serial)
    assert.equal(response.at, at + SOA_LENGTH)
    const soa = Buffer.from(packet.subarray(at, at + SOA_LENGTH))
    assert.equal(soa.toString('hex', 0, 6), 'c01a00060001')
    assert.equal(soa.toString('hex', 10, 12), '002a')
    assert.equal(soa.readUInt32BE(6), Math.min(ttl, 300))
    const numbers = [0, 1, 2, 3, 4].map((i) => soa.readUInt32BE(SOA_LENGTH - 20 + 4 * i))
    assert.deepEqual(numbers, [serial >>> 0, 7200, 1800, 86400, ttl])
  }
})

test('an SOA that does not fit leaves nothing but TC', () => {
  for (const room of [SOA_LENGTH - 1, SOA_LENGTH]) {
    for (const additional of [[], [opt(512, 0, 0)]]) {
      const { packet, query } = read(message(0x0100, additional))
      const response = new Response()
      const size = query.questionEnd + room + (query.hasOpt ? OPT_LENGTH : 0)
      beginResponse(response, query, START, size)
      const fits = appendSoa(response, packet, 12 + 14, 5, 1)
      assert.equal(fits, room === SOA_LENGTH)
      if (fits) response.authorityCount = 1
      const length = endResponse(response, query, packet, NOERROR, true, 1232)
      assert.equal(length, fits ? size : size - room)
      const octets = Buffer.from(packet.subarray(START, START + length))
      assert.equal(octets[2] & 0x02, fits ? 0 : 0x02)
      assert.equal(octets.readUInt16BE(8), fits ? 1 : 0)
    }
  }
})

test('header bits: RD and CD stay, everything else is ours', () => {
  const response = new Response()
  // QR and opcode clear: others have no question to answer.
  for (let flags = 0; flags < 0x0800; flags++) {
    const { packet, query } = read(message(flags))
    assert.ok(query.questionEnd > 0)
    for (const rcode of [NOERROR, SERVFAIL, NXDOMAIN, REFUSED]) {
      const authoritative = rcode === NXDOMAIN
      beginResponse(response, query, START, 512)
      response.truncated = rcode === NOERROR
      packet.set(words(0x1234, flags), START)
      const length = endResponse(response, query, packet, rcode, authoritative, 1232)
      const header = Buffer.from(packet.subarray(START, START + 12))
      const expected =
        0x8000 | (authoritative ? 0x0400 : 0) | (rcode === NOERROR ? 0x0200 : 0) | (flags & 0x0110) | rcode
      assert.equal(header.readUInt16BE(2), expected, `flags ${flags.toString(16)}`)
      assert.deepEqual(
        [4, 6, 8, 10].map((at) => header.readUInt16BE(at)),
        [1, 0, 0, 0],
      )
      assert.equal(length, query.questionEnd)
    }
  }
})

test('the OPT of a response: root, own size, version 0, DO as asked, nothing else; counted among the additional records', () => {
  for (const [size, flags, own] of [
    [4096, 0xffff, 1232],
    [0, 0x7fff, 512],
    [65535, 0x8000, 4096],
  ]) {
    const { packet, query } = read(message(0x0100, [optRecord(size, 0, flags, words(65001, 2, 0x0102))]))
    const response = new Response()
    beginResponse(response, query, START, 512)
    response.additionalCount = 299
    response.answerCount = 258
    response.authorityCount = 1
    const at = query.questionEnd
    const length = endResponse(response, query, packet, NOERROR, true, own)
    assert.equal(length, at + OPT_LENGTH)
    const octets = Buffer.from(packet.subarray(START, START + length))
    assert.deepEqual(
      [4, 6, 8, 10].map((offset) => octets.readUInt16BE(offset)),
      [1, 258, 1, 300],
    )
    const expected = Buffer.concat([Buffer.of(0), words(41, own, 0, flags & 0x8000, 0)])
    assert.equal(octets.toString('hex', at), expected.toString('hex'))
  }
})

test('a bare header: id, RD and CD as they came, all counts zero, the opcode with NOTIMP alone', () => {
  for (let flags = 0; flags < 0x8000; flags++) {
    for (const rcode of [FORMERR, NOTIMP, SERVFAIL]) {
      const packet = new Uint8Array(30).fill(CANARY)
      packet.set(words(0x1234, flags, 9, 8, 7, 6), START)
      assert.equal(bareHeader(packet, START, rcode), 12)
      const opcode = rcode === NOTIMP ? flags & 0x7800 : 0
      const expected = words(0x1234, 0x8000 | opcode | (flags & 0x0110) | rcode, 0, 0, 0, 0)
      if (!Buffer.from(expected).equals(packet.subarray(START, START + 12))) assert.fail(`flags ${flags.toString(16)}`)
    }
  }
})
