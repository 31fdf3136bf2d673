// Answers of every kind: disguised in every way that leaves them right, changed in every way that does not, and broken.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type Message, mapNames, type ResourceRecord } from '../../../src/dns/message.ts'
import { TYPES } from '../../../src/dns/record-types.ts'
import {
  answerIdentity,
  type ComparisonRules,
  compareAnswers,
  secondsKept,
} from '../../../src/load/verify/difference.ts'
import { encoded, encodedPlainly, message, SOA } from './answers.ts'

const TTLS: ComparisonRules = { limitsTtls: true }

const label = fc.constantFrom('web', 'db', 'Cart', 'a-1', 'ns')
const address = fc.integer({ min: 1, max: 254 }).map((n) => `10.0.0.${n}`)

/** Question and text of a right answer, of every kind there is. */
const right = fc.oneof(
  fc
    .record({
      kind: fc.constant('addresses'),
      name: label,
      list: fc.uniqueArray(address, { minLength: 1, maxLength: 6 }),
    })
    .map(({ kind, name, list }) => ({
      kind,
      question: `${name} A`,
      text: `NOERROR aa | ${list.map((each) => `${name} A ${each}`).join(' | ')}`,
    })),
  fc
    .record({ kind: fc.constant('srv'), name: label, list: fc.uniqueArray(label, { minLength: 1, maxLength: 3 }) })
    .map(({ kind, name, list }) => ({
      kind,
      question: `_h._tcp.${name} SRV`,
      text: `NOERROR aa | ${list.map((each) => `_h._tcp.${name} SRV 0 50 80 ${each}.eps`).join(' | ')} ; ; ${list.map((each, i) => `${each}.eps AAAA fd00::${i}`).join(' | ')}`,
    })),
  fc
    .record({ kind: fc.constant('chain'), list: fc.uniqueArray(address, { minLength: 1, maxLength: 3 }) })
    .map(({ kind, list }) => ({
      kind,
      question: 'alias A',
      text: `NOERROR aa | alias CNAME next | next CNAME last | ${list.map((each) => `last A ${each}`).join(' | ')}`,
    })),
  fc.record({ kind: fc.constant('txt'), text: fc.stringMatching(/^[a-z]{1,20}$/) }).map(({ kind, text }) => ({
    kind,
    question: 'dns-version TXT',
    text: `NOERROR aa | dns-version TXT "${text}"`,
  })),
  fc
    .constantFrom('NXDOMAIN', 'NOERROR')
    .map((rcode) => ({ kind: rcode, question: 'gone A', text: `${rcode} aa ; ${SOA}` })),
)

interface Disguise {
  readonly id: number
  readonly serial: number
  readonly ttlShare: number
  readonly turn: number
  readonly upper: readonly boolean[]
  readonly isCompressed: boolean
}

const disguise: fc.Arbitrary<Disguise> = fc.record({
  id: fc.integer({ min: 0, max: 65535 }),
  serial: fc.integer({ min: 0, max: 255 }),
  ttlShare: fc.double({ min: 0, max: 1, noNaN: true }),
  turn: fc.nat({ max: 5 }),
  upper: fc.array(fc.boolean(), { minLength: 7, maxLength: 7 }),
  isCompressed: fc.boolean(),
})

/** The same answer as another server may give it. */
function disguised(original: Message, { id, serial, ttlShare, turn, upper, isCompressed }: Disguise): Uint8Array {
  const recased = (name: string): string =>
    [...name].map((letter, i) => (upper[i % upper.length] ? letter.toUpperCase() : letter.toLowerCase())).join('')
  const other = (record: ResourceRecord): ResourceRecord => {
    const { owner, ttl, type, rdata } = mapNames(record, recased)
    const octets = rdata.slice()
    if (type === TYPES.SOA) octets[octets.length - 17] = serial
    return { ...record, owner: recased(owner), ttl: Math.floor(ttl * ttlShare), rdata: octets }
  }
  const links = original.answer.filter(({ type }) => type === TYPES.CNAME)
  const others = original.answer.filter(({ type }) => type !== TYPES.CNAME)
  const from = others.length === 0 ? 0 : turn % others.length
  const response: Message = {
    ...original,
    id,
    question: original.question === null ? null : { ...original.question, name: recased(original.question.name) },
    answer: [...links, ...others.slice(from), ...others.slice(0, from)].map(other),
    authority: original.authority.map(other),
    additional: original.additional.toReversed().map(other),
  }
  return isCompressed ? encoded(response) : encodedPlainly(response)
}

const seen = new Set<string>()

test('rotated, in other letters, compressed otherwise, with lower TTLs: as right, and of the same identity', () => {
  fc.assert(
    fc.property(right, disguise, ({ kind, question, text }, how) => {
      seen.add(`${kind} ${how.isCompressed}`)
      const original = message(question, text)
      const got = disguised(original, how)
      for (const rules of [{}, TTLS, { ...TTLS, strict: true }]) {
        assert.equal(compareAnswers(got, encoded(original), rules)?.text, undefined)
      }
      assert.equal(answerIdentity(got), answerIdentity(encoded(original)))
    }),
  )
  assert.equal(seen.size, 12, 'every kind of answer, compressed and not')
})

/** One change that makes an answer wrong; null where it does not apply. */
const changes: Record<string, (answer: Message, n: number) => Message | null> = {
  'another RCODE': (m, n) => ({ ...m, rcode: (m.rcode + 1 + (n % 10)) % 11 }),
  'a record missing': (m, n) =>
    m.answer.length === 0 ? null : { ...m, answer: m.answer.filter((_, i) => i !== n % m.answer.length) },
  'a record more': (m, n) => ({
    ...m,
    answer: [
      ...m.answer,
      { ...message('x A', 'NOERROR | x A 10.1.0.1').answer[0], owner: m.question?.name ?? '.', ttl: n },
    ],
  }),
  'a record twice': (m, n) =>
    m.answer.length === 0 ? null : { ...m, answer: [...m.answer, m.answer[n % m.answer.length]] },
  'another octet of RDATA': (m, n) =>
    changedRecord(m, n, (record) => ({ ...record, rdata: withOtherOctet(record, n >>> 8) })),
  'another type': (m, n) => changedRecord(m, n, (record) => ({ ...record, type: TYPES.HINFO })),
  'another class': (m, n) => changedRecord(m, n, (record) => ({ ...record, class: 3 })),
  'another owner': (m, n) => changedRecord(m, n, (record) => ({ ...record, owner: `x${record.owner}` })),
  'a higher TTL': (m, n) => changedRecord(m, n, (record) => ({ ...record, ttl: 6 + n })),
  'no SOA': (m) => (m.authority.length === 0 ? null : { ...m, authority: [] }),
  'SOA of another zone': (m) =>
    m.authority.length === 0 ? null : { ...m, authority: m.authority.map((soa) => ({ ...soa, owner: 'local.' })) },
  'another question': (m) => ({ ...m, question: { name: 'other.', type: 1, class: 1 } }),
  'a query': (m) => ({ ...m, response: false }),
  'another opcode': (m) => ({ ...m, opcode: 4 }),
}

function changedRecord(m: Message, n: number, change: (record: ResourceRecord) => ResourceRecord): Message | null {
  if (m.answer.length === 0) return null
  const place = n % m.answer.length
  return { ...m, answer: m.answer.map((record, i) => (i === place ? change(record) : record)) }
}

/** The last octets of RDATA may be the root's: the first ones of a name are lengths. So one that is neither. */
function withOtherOctet({ type, rdata }: ResourceRecord, n: number): Uint8Array {
  const from = type === TYPES.SRV ? 0 : type === TYPES.A || type === TYPES.AAAA ? 0 : 1
  const span = type === TYPES.SRV ? 6 : type === TYPES.CNAME ? 4 : rdata.length - from
  const octets = rdata.slice()
  const place = from + (n % span)
  // Not 0x20: that may be no more than the case of a letter.
  octets[place] ^= 0x01
  return octets
}

for (const [name, change] of Object.entries(changes)) {
  test(`found: ${name}`, () => {
    let count = 0
    fc.assert(
      fc.property(right, disguise, fc.nat(), ({ question, text }, how, n) => {
        const original = message(question, text)
        const wrong = change(original, n)
        if (wrong === null) return
        count++
        // A higher TTL must stay one.
        const difference = compareAnswers(disguised(wrong, { ...how, ttlShare: 1 }), encoded(original), TTLS)
        assert.notEqual(difference, null)
        assert.ok((difference?.text ?? '') !== '' && !difference?.text.includes('\n'))
      }),
      // Of some changes one answer in ten is one that can be changed so.
      { numRuns: 400 },
    )
    assert.ok(count > 10, `${count} answers were changed`)
  })
}

test('every truncation of a message is wrong, and nothing worse', () => {
  const texts = [
    'NOERROR aa | web A 10.0.0.1 | web A 10.0.0.2',
    `NXDOMAIN aa ; ${SOA}`,
    'NOERROR | web CNAME b | b TXT "x" ; b NS c ; c A 10.0.0.1',
  ]
  for (const text of texts) {
    const whole = encodedPlainly(message('web A', text))
    for (let length = 0; length < whole.length; length++) {
      const difference = compareAnswers(whole.subarray(0, length), whole)
      assert.match(difference?.text ?? '', /^the answer cannot be read: /, `${length} octets`)
      assert.match(difference?.got[0] ?? '', /^;; cannot be read: /)
      assert.equal(
        compareAnswers(whole, whole.subarray(0, length))?.text.startsWith(
          'the answer to compare with cannot be read: ',
        ),
        true,
      )
      answerIdentity(whole.subarray(0, length))
    }
    assert.equal(compareAnswers(whole, whole), null)
  }
})

test('whatever octets come, there is a verdict', () => {
  const whole = encodedPlainly(message('web A', `NOERROR aa | web CNAME b | b SRV 0 1 2 c ; ${SOA} ; c A 10.0.0.1`))
  const broken = fc
    .array(fc.tuple(fc.nat({ max: whole.length - 1 }), fc.integer({ min: 0, max: 255 })), {
      minLength: 1,
      maxLength: 4,
    })
    .map((edits) => {
      const octets = whole.slice()
      for (const [at, octet] of edits) octets[at] = octet
      return octets
    })
  fc.assert(
    fc.property(fc.oneof(broken, fc.uint8Array({ maxLength: 80 })), (octets) => {
      for (const rules of [{}, { strict: true, limitsTtls: true }]) {
        compareAnswers(octets, whole, rules)
        compareAnswers(whole, octets, rules)
      }
      answerIdentity(octets)
      secondsKept(octets)
    }),
    { numRuns: 500 },
  )
})
