// decodeMessage() and encodeMessage(): vectors octet for octet, round trips of generated messages, truncation, and what must be refused.
// PEREGRINE_SEED: the seed.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  decodeMessage,
  encodeMessage,
  flagNames,
  type Message,
  MessageError,
  mapNames,
  type ResourceRecord,
  rdataNames,
} from '../../src/dns/message.ts'
import { wireOfName } from '../../src/dns/message-names.ts'
import { textOfWire } from '../../src/dns/name.ts'
import { rcodeName, rcodeNumber } from '../../src/dns/rcodes.ts'
import { CLASSES, className, classNumber, TYPES, typeName, typeNumber } from '../../src/dns/record-types.ts'

const SEED = Number(process.env.PEREGRINE_SEED ?? Date.now() % 2 ** 31)
console.log(`# seed ${SEED}`)
const { A, NS, CNAME, SOA, PTR, MX, TXT, SRV, NAPTR, DNAME, RP } = TYPES

const EMPTY: Message = {
  id: 0x1234,
  opcode: 0,
  response: true,
  authoritative: true,
  truncated: false,
  recursionDesired: true,
  recursionAvailable: false,
  authenticData: false,
  checkingDisabled: false,
  rcode: 0,
  question: { name: 'a.example.', type: A, class: 1 },
  answer: [],
  authority: [],
  additional: [],
  edns: null,
}

function octets(...parts: (number[] | string | Uint8Array)[]): Uint8Array {
  return new Uint8Array(
    Buffer.concat(parts.map((part) => (typeof part === 'string' ? wireOfName(part) : Uint8Array.from(part)))),
  )
}

function encode(message: Message, limit = 65535, maxUdp?: number): Uint8Array {
  const target = new Uint8Array(Math.min(limit, 8000) + 20).fill(0xee)
  const length = encodeMessage(message, target, 7, limit, maxUdp)
  assert.ok(
    target.subarray(0, 7).every((octet) => octet === 0xee),
    'nothing before the start',
  )
  const behind = target.subarray(7 + Math.min(limit, maxUdp ?? limit))
  assert.ok(
    behind.every((octet) => octet === 0xee),
    'nothing behind the limit',
  )
  return target.slice(7, 7 + length)
}

function decode(message: Uint8Array): Message {
  return decodeMessage(message, 0, message.length)
}

function record(owner: string, type: number, rdata: Uint8Array, ttl = 5): ResourceRecord {
  return { owner, type, class: 1, ttl, rdata }
}

test('flags by name, in the order of the header', () => {
  const cases: [bits: number, names: string][] = [
    [0x8000, 'qr'],
    [0x0400, 'aa'],
    [0x0200, 'tc'],
    [0x0100, 'rd'],
    [0x0080, 'ra'],
    [0x0040, ''], // Z, which has no name
    [0x0020, 'ad'],
    [0x0010, 'cd'],
    [0x0000, ''],
    [0xffff, 'qr aa tc rd ra ad cd'],
  ]
  for (const [bits, names] of cases) {
    const header = Uint8Array.of(0, 0, bits >>> 8, bits & 255, 0, 0, 0, 0, 0, 0, 0, 0)
    assert.equal(flagNames(decode(header)).join(' '), names)
  }
})

test('a response octet for octet: owners and the names of RFC 1035 are compressed, targets of SRV are not', () => {
  const message = {
    ...EMPTY,
    question: { name: 'A.example.', type: SRV, class: 1 },
    answer: [
      record('a.example.', SRV, octets([0, 1, 0, 2, 0, 3], 'b.example.')), // the question's name: its spelling
      record('b.example.', MX, octets([0, 9], 'c.example.')),
    ],
    edns: { version: 0, udpSize: 1232, dnssecOk: true, options: [{ code: 3, data: Uint8Array.of(65) }] },
  }
  const expected = octets(
    [0x12, 0x34, 0x85, 0, 0, 1, 0, 2, 0, 0, 0, 1],
    'A.example.', // at 12; 'example.' at 14
    [0, 33, 0, 1],
    [0xc0, 12, 0, 33, 0, 1, 0, 0, 0, 5, 0, 17, 0, 1, 0, 2, 0, 3],
    'b.example.',
    [1, 0x62, 0xc0, 14, 0, 15, 0, 1, 0, 0, 0, 5, 0, 6, 0, 9, 1, 0x63, 0xc0, 14],
    [0, 0, 41, 4, 208, 0, 0, 0x80, 0, 0, 5, 0, 3, 0, 1, 65],
  )
  assert.deepEqual(encode(message), expected)
  const answer = [{ ...message.answer[0], owner: 'A.example.' }, message.answer[1]]
  assert.deepEqual(decode(expected), { ...message, answer })
})

test('RCODEs over 15 need OPT', () => {
  const edns = { version: 0, udpSize: 1232, dnssecOk: false, options: [] }
  assert.equal(decode(encode({ ...EMPTY, rcode: 16, edns })).rcode, 16)
  assert.equal(encode({ ...EMPTY, rcode: 16, edns })[3] & 15, 0)
  assert.equal(decode(encode({ ...EMPTY, rcode: 16 })).rcode, 2)
  assert.equal(decode(encode({ ...EMPTY, rcode: 4095, edns })).rcode, 4095)
})

test('no question, and no more than one', () => {
  const bare = encode({ ...EMPTY, question: null })
  assert.equal(bare.length, 12)
  assert.equal(decode(bare).question, null)
  assert.throws(
    () => decode(octets([0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0], '.', [0, 1, 0, 1], '.', [0, 1, 0, 1])),
    MessageError,
  )
})

test('what does not fit is left out from the first record on, and TC is set; OPT stays', () => {
  const long = record('long.example.', TXT, new Uint8Array(300).fill(1))
  const short = record('short.example.', A, Uint8Array.of(1, 2, 3, 4))
  const edns = { version: 0, udpSize: 512, dnssecOk: false, options: [] }
  const cut = decode(encode({ ...EMPTY, answer: [long, long, short], additional: [short], edns }, 512))
  assert.deepEqual([cut.truncated, cut.answer.length, cut.additional.length], [true, 1, 0])
  assert.notEqual(cut.edns, null)
  const cutAdditional = decode(encode({ ...EMPTY, answer: [long], additional: [long, short] }, 512))
  assert.deepEqual(
    [cutAdditional.truncated, cutAdditional.answer.length, cutAdditional.additional.length],
    [true, 1, 0],
  )
  const whole = decode(encode({ ...EMPTY, answer: [long, long, short] }, 65535, 4096))
  assert.deepEqual([whole.truncated, whole.answer.length], [false, 3])
  assert.throws(() => encode(EMPTY, 26), MessageError)
  assert.equal(encode(EMPTY, 27).length, 27)
})

test('behind a record that does not fit there is none', () => {
  // The second would fit into what the first left, and could point at an owner that is not there.
  const message = {
    ...EMPTY,
    answer: [record('x.other.', TXT, new Uint8Array(40))],
    authority: [record('x.other.', A, new Uint8Array(4))],
  }
  const cut = decode(encode(message, 70))
  assert.deepEqual([cut.answer, cut.authority, cut.truncated], [[], [], true])
})

const HEADER = [0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0]
const FIXED_A = [0, 1, 0, 1, 0, 0, 0, 0, 0, 4, 1, 2, 3, 4]
const refused: [string, Uint8Array][] = [
  ['a pointer to itself', octets(HEADER, [0xc0, 12], FIXED_A)],
  ['a pointer forward', octets(HEADER, [0xc0, 14, 0], FIXED_A)],
  ['a pointer into the header', octets(HEADER, [0xc0, 4], FIXED_A)],
  ['two pointers in a circle', octets(HEADER, [1, 0x61, 0xc0, 12], FIXED_A)],
  ['a label of type 01', octets(HEADER, [0x41, 0], FIXED_A)],
  ['a label of type 10', octets(HEADER, [0x81, 0], FIXED_A)],
  ['RDATA longer than the message', octets(HEADER, '.', FIXED_A.with(9, 5))],
  ['MX with octets behind its name', octets(HEADER, '.', [0, 15, 0, 1, 0, 0, 0, 0, 0, 4, 0, 1, 0, 7])],
  ['SOA that is short', octets(HEADER, '.', [0, 6, 0, 1, 0, 0, 0, 0, 0, 4, 0, 0, 0, 7])],
  ['a name of 256 octets', octets(HEADER, Array(126).fill([1, 97]).flat(), [2, 97, 97, 0], FIXED_A)],
  ['OPT with an owner', octets(HEADER.with(7, 0).with(11, 1), 'a.', [0, 41, 0, 0, 0, 0, 0, 0, 0, 0])],
  [
    'two OPT',
    octets(HEADER.with(7, 0).with(11, 2), [0, 0, 41, 0, 0, 0, 0, 0, 0, 0, 0], [0, 0, 41, 0, 0, 0, 0, 0, 0, 0, 0]),
  ],
  [
    'an option that breaks off',
    octets(HEADER.with(7, 0).with(11, 1), [0, 0, 41, 0, 0, 0, 0, 0, 0, 0, 5, 0, 1, 0, 2, 7]),
  ],
]
for (const [what, message] of refused) {
  test(`refused: ${what}`, () => assert.throws(() => decode(message), MessageError))
}

test('nothing is written behind the limit', () => {
  const message = { ...EMPTY, answer: [record('A.example.', MX, octets([0, 9], 'b.example.'))] }
  const length = encode(message).length
  for (let limit = 27; limit < length; limit++) assert.equal(encode(message, limit).length, 27)
})

test('nothing points behind the first 16 KiB', () => {
  const blob = record('blob.', TXT, new Uint8Array(16_400))
  const behind = [record('b.c.', CNAME, octets('d.b.c.')), record('d.b.c.', A, new Uint8Array(4))]
  const message = { ...EMPTY, answer: [blob, ...behind, record('x.a.example.', A, new Uint8Array(4))] }
  const target = new Uint8Array(65535)
  const length = encodeMessage(message, target, 0, 65535)
  assert.deepEqual(decodeMessage(target, 0, length), message)
})

test('names of 255 octets pass; trailing octets are ignored', () => {
  const name = 'a.'.repeat(127)
  assert.equal(decode(octets(HEADER, name, FIXED_A, [1, 2, 3])).answer[0].owner, name)
})

test('RDATA is expanded where RFC 3597 §4 says so, and only there', () => {
  const message = (type: number, ...rdata: number[]) =>
    octets(
      [0, 0, 0, 0, 0, 1, 0, 1, 0, 0, 0, 0],
      'x.y.',
      [0, 1, 0, 1],
      '.',
      [0, type, 0, 1, 0, 0, 0, 0, 0, rdata.length],
      rdata,
    )
  const rdataOf = (type: number, ...rdata: number[]) => decode(message(type, ...rdata)).answer[0].rdata
  assert.deepEqual(rdataOf(NS, 0xc0, 12), octets('x.y.'))
  assert.deepEqual(rdataOf(SRV, 0, 1, 0, 2, 0, 3, 0xc0, 14), octets([0, 1, 0, 2, 0, 3], 'y.'))
  assert.deepEqual(rdataOf(RP, 0xc0, 12, 0xc0, 14), octets('x.y.', 'y.'))
  assert.deepEqual(
    rdataOf(NAPTR, 0, 1, 0, 2, 1, 65, 0, 2, 66, 67, 0xc0, 12),
    octets([0, 1, 0, 2, 1, 65, 0, 2, 66, 67], 'x.y.'),
  )
  assert.deepEqual(rdataOf(TXT, 0xc0, 12), Uint8Array.of(0xc0, 12))
  assert.deepEqual(rdataOf(SOA), new Uint8Array(0)) // RFC 2136: no RDATA at all
})

test('names of RDATA are found and changed', () => {
  const soa = record('.', SOA, octets('ns.a.', 'mail.a.', Array(20).fill(7)))
  const cases: [ResourceRecord, string[], Uint8Array][] = [
    [soa, ['ns.a.', 'mail.a.'], octets('ns.a.b.', 'mail.a.b.', Array(20).fill(7))],
    [record('.', CNAME, octets('A.')), ['A.'], octets('A.b.')],
    [record('.', DNAME, octets('a.')), ['a.'], octets('a.b.')],
    [record('.', NS, octets('a.')), ['a.'], octets('a.b.')],
    [record('.', PTR, octets('a.')), ['a.'], octets('a.b.')],
    [record('.', MX, octets([0, 1], 'a.')), ['a.'], octets([0, 1], 'a.b.')],
    [record('.', SRV, octets([0, 1, 0, 2, 0, 3], 'a.')), ['a.'], octets([0, 1, 0, 2, 0, 3], 'a.b.')],
    [record('.', NAPTR, octets([0, 1, 0, 2, 1, 65, 0, 0], 'a.')), ['a.'], octets([0, 1, 0, 2, 1, 65, 0, 0], 'a.b.')],
    [record('.', RP, octets('a.', 'c.')), [], octets('a.', 'c.')],
    [record('.', A, Uint8Array.of(1, 2, 3, 4)), [], Uint8Array.of(1, 2, 3, 4)],
    [record('.', MX, Uint8Array.of(0, 1, 5)), [], Uint8Array.of(0, 1, 5)], // malformed: left alone
  ]
  for (const [each, names, changed] of cases) {
    assert.deepEqual(rdataNames(each), names)
    assert.deepEqual(mapNames(each, (name) => `${name}b.`).rdata, changed)
    assert.equal(
      mapNames(each, (name) => name),
      each,
    )
  }
})

test('types, classes and RCODEs by name and number', () => {
  for (const [name, number] of Object.entries(TYPES)) {
    assert.equal(typeName(number), name)
    assert.equal(typeNumber(name.toLowerCase()), number)
  }
  for (const [name, number] of Object.entries(CLASSES))
    assert.deepEqual([className(number), classNumber(name)], [name, number])
  assert.deepEqual([typeName(4711), typeNumber('TYPE4711'), typeNumber('type1')], ['TYPE4711', 4711, 1])
  assert.deepEqual(['', 'TYPE', 'TYPE65536', 'TYPE1x', 'FOO', 'CLASS1', 'toString'].map(typeNumber), Array(7).fill(-1))
  assert.deepEqual(
    [className(17), classNumber('CLASS17'), classNumber('in'), classNumber('TYPE1')],
    ['CLASS17', 17, 1, -1],
  )
  for (let rcode = 0; rcode < 4096; rcode++) assert.equal(rcodeNumber(rcodeName(rcode)), rcode)
  assert.deepEqual(['servfail', '3', 'NOTIMPL', 'BADSIG', 'x', '4096', ''].map(rcodeNumber), [2, 3, 4, 16, -1, -1, -1])
})

/** Objects as code makes them: deepEqual tells prototypes apart. */
function plain<T>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<T> {
  return fc.record<T>(model, { noNullPrototype: true }) as fc.Arbitrary<T>
}

const anyLabel = fc
  .uint8Array({ minLength: 1, maxLength: 4 })
  .map((label) => Uint8Array.from(label, (octet) => (octet & 1 ? octet : 0x61 + (octet & 3))))
const anyName = fc
  .array(anyLabel, { maxLength: 5 })
  .map((labels) => textOfWire(octets(...labels.flatMap((label) => [[label.length], label]), [0])))
/** From few names with common ends, so that compression finds something. */
const anyOwner = fc.oneof(anyName, fc.constantFrom('.', 'a.', 'A.', 'b.a.', 'B.a.', 'c.b.a.', 'c.b.A.'))
const anyRecord: fc.Arbitrary<ResourceRecord> = plain({
  owner: anyOwner,
  kind: fc.constantFrom(A, NS, SOA, MX, SRV, NAPTR, RP, TXT),
  class: fc.nat(65535),
  ttl: fc.nat(2 ** 32 - 1),
  names: fc.tuple(anyOwner, anyOwner),
  blob: fc.uint8Array({ maxLength: 30 }),
}).map(({ owner, kind, class: recordClass, ttl, names, blob }) => {
  const rdata: Record<number, () => Uint8Array> = {
    [NS]: () => octets(names[0]),
    [SOA]: () => octets(...names, Array(20).fill(9)),
    [MX]: () => octets([1, 2], names[0]),
    [SRV]: () => octets([1, 2, 3, 4, 5, 6], names[0]),
    [NAPTR]: () => octets([1, 2, 3, 4, 1, 65, 0, 0], names[0]),
    [RP]: () => octets(...names),
  }
  return { owner, type: kind, class: recordClass, ttl, rdata: (rdata[kind] ?? (() => blob))() }
})
const anySection = fc.array(anyRecord, { maxLength: 5 })
const anyMessage: fc.Arbitrary<Message> = plain({
  id: fc.nat(65535),
  opcode: fc.nat(15),
  response: fc.boolean(),
  authoritative: fc.boolean(),
  truncated: fc.boolean(),
  recursionDesired: fc.boolean(),
  recursionAvailable: fc.boolean(),
  authenticData: fc.boolean(),
  checkingDisabled: fc.boolean(),
  rcode: fc.nat(15),
  question: fc.option(plain({ name: anyOwner, type: fc.nat(65535), class: fc.nat(65535) })),
  answer: anySection,
  authority: anySection,
  additional: anySection,
  edns: fc.option(
    plain({
      version: fc.nat(255),
      udpSize: fc.nat(65535),
      dnssecOk: fc.boolean(),
      options: fc.array(plain({ code: fc.nat(65535), data: fc.uint8Array({ maxLength: 9 }) }), { maxLength: 3 }),
    }),
  ),
})

/** As a decoder sees it: owners that are the question's name have its spelling. */
function respelled(message: Message): Message {
  const name = message.question?.name ?? '.'
  const respell = (records: ResourceRecord[]) =>
    records.map((each) => ({ ...each, owner: each.owner.toLowerCase() === name.toLowerCase() ? name : each.owner }))
  return {
    ...message,
    answer: respell(message.answer),
    authority: respell(message.authority),
    additional: respell(message.additional),
  }
}

test('round trip', () =>
  fc.assert(
    fc.property(anyMessage, (message) => assert.deepEqual(decode(encode(message)), respelled(message))),
    { seed: SEED, numRuns: 500 },
  ))

test('every limit: as many whole records from the front as fit, and TC if one is missing', () =>
  fc.assert(
    fc.property(anyMessage, (message) => {
      const all = respelled(message)
      const allRecords = [all.answer, all.authority, all.additional].flat()
      const full = encode(message).length
      let before = 0
      for (let limit = 12; limit <= full; limit++) {
        let octetsOfMessage: Uint8Array
        try {
          octetsOfMessage = encode(message, limit)
        } catch (error) {
          assert.ok(error instanceof MessageError)
          assert.equal(before, 0)
          continue
        }
        assert.ok(octetsOfMessage.length <= limit)
        const cut = decode(octetsOfMessage)
        const records = [cut.answer, cut.authority, cut.additional].flat()
        assert.deepEqual(records, allRecords.slice(0, records.length))
        assert.equal(cut.truncated, message.truncated || records.length < allRecords.length)
        assert.ok(records.length >= before)
        before = records.length
        assert.deepEqual(cut.edns, message.edns)
        assert.deepEqual(cut.question, message.question)
      }
      assert.equal(before, allRecords.length)
    }),
    { seed: SEED, numRuns: 25 },
  ))

/** Decoding ends in a message or a MessageError, whatever the octets and whatever lies around them. */
function survives(message: Uint8Array): boolean {
  const around = new Uint8Array(message.length + 20).fill(0xc0)
  around.set(message, 10)
  let first: Message | null = null
  try {
    first = decodeMessage(around, 10, message.length)
  } catch (error) {
    assert.ok(error instanceof MessageError, String(error))
  }
  around.fill(0, 0, 10).fill(0, 10 + message.length)
  if (first !== null) assert.deepEqual(decodeMessage(around, 10, message.length), first)
  else assert.throws(() => decodeMessage(around, 10, message.length), MessageError)
  return first !== null
}

test('every prefix, mutated and random octets: a message or a MessageError', () => {
  let read = 0
  fc.assert(
    fc.property(
      anyMessage,
      fc.infiniteStream(fc.nat(65535)),
      fc.uint8Array({ maxLength: 60 }),
      (message, numbers, noise) => {
        const whole = encode(message)
        const records = [message.answer, message.authority, message.additional].flat().length
        for (let length = 0; length < whole.length; length++) {
          const survived = survives(whole.subarray(0, length))
          if (records > 0 || message.edns !== null) assert.ok(!survived, 'a prefix is no message')
        }
        for (let i = 0; i < 20; i++) {
          const mutated = whole.slice()
          for (let n = 0; n < 1 + (i & 3); n++) {
            mutated[numbers.next().value % mutated.length] = i & 1 ? 0xc0 : numbers.next().value
          }
          if (survives(mutated)) read++
        }
        survives(noise)
        survives(octets([0, 0, 0, 0, 0, noise.length & 1, 0, 1, 0, 1, 255, 255], noise))
      },
    ),
    { seed: SEED, numRuns: 25 },
  )
  assert.ok(read > 0)
})

test('what is no name cannot be written', () => {
  for (const name of ['a..b.', `${'x'.repeat(64)}.`, 'ä→.', 'a.'.repeat(128)]) {
    assert.throws(() => encode({ ...EMPTY, answer: [record(name, A, new Uint8Array(4))] }), MessageError, name)
  }
})
