// readQuery() against the slow oracle: generated queries, each prefix of them, mutated and random octets, compression loops.
// Every message is read twice, with different octets around it: what lies outside must make no difference.
// PEREGRINE_SEED: the seed.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  DROP,
  MALFORMED,
  OTHER_CLASS,
  OTHER_EDNS,
  OTHER_OPCODE,
  QUERY,
  Query,
  readQuery,
} from '../../src/dns/question.ts'
import {
  anyName,
  anyQuery,
  encodeName,
  encodeQuery,
  labels,
  optRecord,
  ROOT,
  type WireQuery,
  words,
} from './messages.ts'
import { actualReading, expectedReading, type Reading } from './oracle.ts'

const SEED = Number(process.env.PEREGRINE_SEED ?? Date.now() % 0x7fffffff)
const MARGIN = 300

/** Buffers around the message: zeros continue any name, 0xff any pointer, the last looks like a query that goes on. */
const surroundings = [0x00, 0xff, 0x01].map((octet) => new Uint8Array(70_000).fill(octet))
const query = new Query()

/** Reads `message` in all surroundings; fails if they matter or are written to. */
function read(message: Uint8Array, start: number): Reading {
  const readings = surroundings.map((packet) => {
    const canary = packet[0]
    packet.set(message, start)
    const reading = actualReading(query, readQuery(query, packet, start, message.length), packet, start)
    assert.ok(Buffer.from(message).equals(packet.subarray(start, start + message.length)), 'the message was changed')
    packet.fill(canary, start, start + message.length)
    return reading
  })
  for (const reading of readings) assert.deepEqual(reading, readings[0], 'octets around the message matter')
  return readings[0]
}

function check(message: Uint8Array, start = MARGIN): Reading {
  const expected = expectedReading(message)
  assert.deepEqual(read(message, start), expected, Buffer.from(message).toString('hex'))
  return expected
}

test(`generated queries, every outcome among them (seed ${SEED})`, () => {
  const seen = new Map<number, number>()
  const property = fc.property(anyQuery, fc.integer({ min: 0, max: 7 }), (generated, start) => {
    const { verdict } = check(encodeQuery(generated), start)
    seen.set(verdict, (seen.get(verdict) ?? 0) + 1)
  })
  fc.assert(property, { numRuns: 5000, seed: SEED })
  for (const verdict of [QUERY, DROP, MALFORMED, OTHER_OPCODE, OTHER_CLASS, OTHER_EDNS]) {
    assert.ok((seen.get(verdict) ?? 0) > 20, `verdict ${verdict} seen ${seen.get(verdict)} times`)
  }
  assert.ok(seen.get(QUERY)! > 1000, `only ${seen.get(QUERY)} queries to look up`)
})

test(`what went in comes out: name, type and OPT (seed ${SEED})`, () => {
  const edns = fc.record({
    udpSize: fc.integer({ min: 0, max: 65535 }),
    dnssecOk: fc.boolean(),
    options: fc.array(fc.uint8Array({ maxLength: 30 }), { maxLength: 3 }),
    tsig: fc.boolean(),
  })
  const property = fc.property(anyName, fc.integer({ min: 0, max: 65535 }), fc.option(edns), (qname, qtype, opt) => {
    const message = encodeQuery({
      ...plainQuery(qname),
      qtype,
      sections: [[], [], opt === null ? [] : additional(opt)],
    })
    assert.deepEqual(read(message, MARGIN), {
      verdict: QUERY,
      labels: qname.map((label) => Buffer.from(label).toString('hex')),
      type: qtype,
      questionEnd: 12 + encodeName({ labels: qname, pointer: -1 }).length + 4,
      hasOpt: opt !== null,
      udpSize: Math.max(512, opt?.udpSize ?? 0),
      dnssecOk: opt?.dnssecOk ?? false,
    })
  })
  fc.assert(property, { numRuns: 1000, seed: SEED })
})

test(`every prefix of a query, cut short (seed ${SEED})`, () => {
  const property = fc.property(anyQuery, (generated) => {
    const message = encodeQuery(generated)
    for (let length = 0; length < message.length; length++) check(message.subarray(0, length))
  })
  fc.assert(property, { numRuns: 60, seed: SEED })
})

test(`random octets, and queries with octets changed (seed ${SEED})`, () => {
  const change = fc.tuple(fc.nat({ max: 400 }), fc.integer({ min: 0, max: 255 }))
  const property = fc.property(anyQuery, fc.array(change, { minLength: 1, maxLength: 4 }), (generated, changes) => {
    const message = Uint8Array.from(encodeQuery(generated))
    for (const [at, octet] of changes) message[at % message.length] = octet
    check(message)
  })
  fc.assert(property, { numRuns: 5000, seed: SEED })
  const random = fc.property(fc.uint8Array({ maxLength: 80 }), (octets) => {
    check(octets)
    // The same behind a header that lets it pass for a query.
    check(Buffer.concat([words(1, 0x0100, 1, 1, 1, 2), octets]))
  })
  fc.assert(random, { numRuns: 3000, seed: SEED })
})

// biome-ignore format: one line a case
const cases: [text: string, message: Uint8Array, verdict: number][] = [
  ['nothing',                                       new Uint8Array(),                                              DROP],
  ['a header without its last octet',               words(1, 0x100, 1, 0, 0, 0).subarray(0, 11),                   DROP],
  ['a header alone',                                words(1, 0x100, 1, 0, 0, 0),                                   MALFORMED],
  ['a response, even if nothing else is right',     words(1, 0xf800, 9, 9, 9, 9),                                  DROP],
  ['the root',                                      encodeQuery(plainQuery([])),                                   QUERY],
  ['255 octets',                                    encodeQuery(plainQuery([...Array(3).fill(long(63)), long(61)])), QUERY],
  ['256 octets',                                    encodeQuery(plainQuery([...Array(3).fill(long(63)), long(62)])), MALFORMED],
  ['127 labels',                                    encodeQuery(plainQuery(Array(127).fill(long(1)))),             QUERY],
  ['128 labels',                                    encodeQuery(plainQuery(Array(128).fill(long(1)))),             MALFORMED],
  ['QNAME a pointer to itself',                     withQuestion(0xc00c, 1, 1),                                    MALFORMED],
  ['QNAME a pointer ahead',                         withQuestion(0xc012, 1, 1, 0),                                 MALFORMED],
  ['an owner that points at itself',                withOwner(0xc00c + 17),                                        MALFORMED],
  ['an owner that points behind itself',            withOwner(0xc00c + 19),                                        MALFORMED],
  ['an owner that points into the header',          withOwner(0xc00b),                                             MALFORMED],
  ['an owner that points to QNAME',                 withOwner(0xc00c),                                             QUERY],
  ['an owner that points into the middle of QNAME', withOwner(0xc00d),                                             MALFORMED], // 'w' is no length
  ['an owner of 255 octets with what it points to', withLongOwner(235),                                            QUERY],
  ['an owner of 256 octets with what it points to', withLongOwner(236),                                            MALFORMED],
  ['20 octets of rubbish behind the question',      encodeQuery({ ...plainQuery(labels('w')), garbage: long(20) }), QUERY],
  ['an OPT in the answer section',                  inSection(0),                                                  MALFORMED],
  ['an OPT in the authority section',               inSection(1),                                                  MALFORMED],
  ['an OPT in the additional section',              inSection(2),                                                  QUERY],
  ['an OPT whose option ends behind it',            withOpt(words(3, 5, 0)),                                       MALFORMED],
  ['an OPT with half an option header',             withOpt(words(3)),                                             MALFORMED],
  ['an OPT with an empty option',                   withOpt(words(3, 0)),                                          QUERY],
]

test('edges', () => {
  for (const [text, message, verdict] of cases) {
    assert.equal(expectedReading(message).verdict, verdict, `the oracle on ${text}`)
    check(message)
  }
})

test('chains of pointers end, however long', () => {
  // QNAME "a", then an answer whose RDATA is full of pointers, each to the one before; the next owner points to the last.
  for (const links of [1, 2, 100, 2000]) {
    const question = Buffer.concat([encodeName({ labels: labels('a'), pointer: -1 }), words(1, 1)])
    const first = 12 + question.length + 1 + 10
    const pointers = Array.from({ length: links }, (_, i) => (i === 0 ? 0xc00c : 0xc000 | (first + 2 * (i - 1))))
    const answer = Buffer.concat([words(0, 16, 1, 0, 0, 2 * links).subarray(1), words(...pointers)])
    const last = words(0xc000 | (first + 2 * (links - 1)), 1, 1, 0, 0, 0)
    assert.equal(check(Buffer.concat([words(1, 0, 1, 1, 0, 1), question, answer, last])).verdict, QUERY)
    // The first pointer now leads to the last: a loop.
    const looped = Buffer.concat([words(1, 0, 1, 1, 0, 1), question, answer, last])
    looped.writeUInt16BE(0xc000 | (first + 2 * (links - 1)), first)
    assert.equal(check(looped).verdict, MALFORMED)
  }
})

function long(length: number): Uint8Array {
  return new Uint8Array(length).fill(0x77)
}

function plainQuery(qname: readonly Uint8Array[]): WireQuery {
  return { id: 1, flags: 0x0100, qname, qtype: 1, qclass: 1, sections: [[], [], []], garbage: new Uint8Array() }
}

function withQuestion(...question: number[]): Uint8Array {
  return Buffer.concat([words(1, 0x0100, 1, 0, 0, 0), words(...question)])
}

/** "w" A IN and an additional record whose owner is `pointer`; QNAME is at 12, the owner at 12 + 7. */
function withOwner(pointer: number): Uint8Array {
  const question = Buffer.concat([encodeName({ labels: labels('w'), pointer: -1 }), words(1, 1)])
  // Two octets of RDATA to point at.
  return Buffer.concat([words(1, 0, 1, 0, 0, 1), question, words(pointer, 1, 1, 0, 0, 2, 0)])
}

/** An owner of labels that take `length` octets, and then a pointer to a QNAME of 20. */
function withLongOwner(length: number): Uint8Array {
  const parts = [64, 64, 64, length - 192].map((octets) => long(octets - 1))
  const owner = { labels: parts, pointer: 12 }
  const record = { owner, type: 1, class: 1, ttl: 0, rdata: new Uint8Array() }
  return encodeQuery({ ...plainQuery([long(18)]), sections: [[], [], [record]] })
}

function inSection(section: number): Uint8Array {
  const opt = optRecord(1232, 0, 0, new Uint8Array())
  return encodeQuery({ ...plainQuery(labels('w')), sections: [0, 1, 2].map((i) => (i === section ? [opt] : [])) })
}

function withOpt(rdata: Uint8Array): Uint8Array {
  return encodeQuery({ ...plainQuery(labels('w')), sections: [[], [], [optRecord(1232, 0, 0, rdata)]] })
}

function additional(opt: { udpSize: number; dnssecOk: boolean; options: Uint8Array[]; tsig: boolean }) {
  const rdata = Buffer.concat(opt.options.flatMap((data, i) => [words(65001 + i, data.length), data]))
  const record = optRecord(opt.udpSize, 0, opt.dnssecOk ? 0x8000 : 0, rdata)
  const owner = { labels: labels('key'), pointer: -1 }
  return opt.tsig ? [record, { owner, type: 250, class: 255, ttl: 0, rdata: long(60) }] : [record]
}

test('the generators make names of every length', () => {
  const lengths = fc
    .sample(anyName, { numRuns: 2000, seed: SEED })
    .map((name) => encodeName({ ...ROOT, labels: name }).length)
  assert.equal(Math.min(...lengths), 1)
  assert.equal(Math.max(...lengths), 255)
})
