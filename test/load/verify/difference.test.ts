// Which differences between two answers are differences: a table first, then whatever can be made of an answer.

import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import fc from 'fast-check'
import { type Message, mapNames, type ResourceRecord } from '../../../src/dns/message.ts'
import { TYPES } from '../../../src/dns/record-types.ts'
import {
  answerIdentity,
  type ComparisonRules,
  compareAnswers,
  secondsKept,
} from '../../../src/load/verify/difference.ts'
import { answer, encoded, encodedPlainly, message, SOA } from './answers.ts'

interface Case {
  readonly question: string
  readonly got: string
  readonly expected: string
  /** null = as right. */
  readonly difference: string | null
  readonly rules?: ComparisonRules
  readonly why: string
}

const REVERSE_SOA = SOA.replaceAll('cluster.local.', '10.in-addr.arpa.')
const TTLS: ComparisonRules = { limitsTtls: true }
const STRICT: ComparisonRules = { strict: true }
const INSIDE: ComparisonRules = { covers: (owner) => owner.endsWith('.cluster.local.') || owner === 'cluster.local.' }
const HUNDRED = Array.from({ length: 100 }, (_, i) => `web A 10.0.0.${i}`).join(' | ')

const cases: Case[] = [
  // Two right answers.
  {
    question: 'web A',
    got: 'NOERROR | web A 10.0.0.1',
    expected: 'NOERROR | web A 10.0.0.1',
    difference: null,
    why: 'the same',
  },
  {
    question: 'web A',
    got: 'NOERROR | web A 10.0.0.2 | web A 10.0.0.1',
    expected: 'NOERROR | web A 10.0.0.1 | web A 10.0.0.2',
    difference: null,
    why: 'loadbalance rotates',
  },
  {
    question: 'web A',
    got: 'NOERROR | web 1 A 10.0.0.1',
    expected: 'NOERROR | web 5 A 10.0.0.1',
    difference: null,
    rules: TTLS,
    why: 'a cache has counted the TTL down',
  },
  {
    question: 'web A',
    got: 'NOERROR | web 30 A 10.0.0.1',
    expected: 'NOERROR | web 5 A 10.0.0.1',
    difference: null,
    why: 'the other one may have counted down',
  },
  {
    question: 'web A',
    got: 'NOERROR | WEB.shop.SVC.cluster.local. A 10.0.0.1',
    expected: 'NOERROR | web A 10.0.0.1',
    difference: null,
    why: 'letter case of owners says nothing',
  },
  {
    question: 'WeB A',
    got: 'NOERROR | web A 10.0.0.1',
    expected: 'NOERROR | WeB A 10.0.0.1',
    difference: null,
    why: '0x20: the owner need not follow',
  },
  {
    question: '_h._tcp.web SRV',
    got: 'NOERROR | _h._tcp.web SRV 0 100 80 WEB',
    expected: 'NOERROR | _h._tcp.web SRV 0 100 80 web',
    difference: null,
    why: 'letter case in RDATA',
  },
  {
    question: 'x NAPTR',
    got: 'NOERROR | x NAPTR 1 2 "s" "SIP" "" WEB',
    expected: 'NOERROR | x NAPTR 1 2 "s" "SIP" "" web',
    difference: null,
    why: 'a name behind character strings',
  },
  {
    question: 'x HTTPS',
    got: 'NOERROR | x HTTPS 1 WEB alpn=h2',
    expected: 'NOERROR | x HTTPS 1 web alpn=h2',
    difference: null,
    why: 'a name that nobody may compress',
  },
  {
    question: 'cluster.local. SOA',
    got: `NOERROR | ${SOA}`,
    expected: `NOERROR | ${SOA.replace(' 17 ', ' 4711 ')}`,
    difference: null,
    why: 'each replica counts its own serial',
  },
  {
    question: '_h._tcp.web SRV',
    got: 'NOERROR | _h._tcp.web SRV 0 100 80 web',
    expected: 'NOERROR | _h._tcp.web SRV 0 100 80 web ; ; web A 10.0.0.1',
    difference: null,
    why: 'additional is a courtesy (minimal responses)',
  },
  {
    question: 'web A',
    got: 'NOERROR aa ra | web A 10.0.0.1',
    expected: 'NOERROR | web A 10.0.0.1 ; web NS ns.dns',
    difference: null,
    why: 'AA, RA and authority of a positive answer',
  },
  {
    question: 'gone A',
    got: `NXDOMAIN ; ${SOA.replace(' 17 ', ' 18 ')}`,
    expected: `NXDOMAIN ; ${SOA}`,
    difference: null,
    rules: TTLS,
    why: 'the serial again',
  },
  {
    question: 'web A',
    got: `NOERROR tc | web A 10.0.0.9 | web A 10.0.0.3`,
    expected: `NOERROR | ${HUNDRED}`,
    difference: null,
    why: 'a datagram has room for some',
  },
  {
    question: 'web A',
    got: `NOERROR | ${HUNDRED}`,
    expected: 'NOERROR tc | web A 10.0.0.9',
    difference: null,
    why: 'the other side was cut off',
  },
  {
    question: 'web A',
    got: 'NOERROR tc | web A 10.0.0.1',
    expected: 'NOERROR tc | web A 10.0.0.2',
    difference: null,
    why: 'both were, each somewhere else',
  },
  {
    question: 'gone A',
    got: 'NXDOMAIN tc',
    expected: `NXDOMAIN ; ${SOA}`,
    difference: null,
    why: 'there was no room for the SOA',
  },
  {
    question: 'ext A',
    got: 'NOERROR | ext CNAME api.example. | api.example. 300 A 192.0.2.1',
    expected: 'NOERROR | ext CNAME api.example.',
    difference: null,
    rules: { ...INSIDE, ...TTLS },
    why: 'the rest of the chain is for others to say',
  },
  {
    question: 'a A',
    got: 'NOERROR | a CNAME b | b CNAME c | c A 10.0.0.2 | c A 10.0.0.1',
    expected: 'NOERROR | a CNAME b | b CNAME c | c A 10.0.0.1 | c A 10.0.0.2',
    difference: null,
    why: 'a chain, and rotation at its end',
  },
  {
    question: 'web A',
    got: 'REFUSED',
    expected: 'REFUSED aa',
    difference: null,
    why: 'no answer has nothing to compare',
  },
  {
    question: 'web A',
    got: 'SERVFAIL',
    expected: `SERVFAIL aa ; ${SOA}`,
    difference: null,
    why: 'a failure needs no SOA',
  },
  {
    question: 'web AAAA',
    got: `NOERROR ; ${SOA}`,
    expected: 'NOERROR',
    difference: null,
    why: 'a truth without SOA (hosts) asks for none',
  },
  {
    question: 'x TXT',
    got: 'NOERROR | x TXT "1.1.0"',
    expected: 'NOERROR | x TXT "1.1.0"',
    difference: null,
    rules: STRICT,
    why: 'the same, strictly',
  },
  {
    question: 'gone A',
    got: `NXDOMAIN aa ; ${SOA}`,
    expected: `NXDOMAIN aa ; ${SOA.replace(' 17 ', ' 9 ')}`,
    difference: null,
    rules: STRICT,
    why: 'a serial is a serial, strictly',
  },

  // Wrong ones.
  {
    question: 'web A',
    got: 'NXDOMAIN',
    expected: 'NOERROR | web A 10.0.0.1',
    difference: 'NXDOMAIN, not NOERROR',
    why: 'RCODE comes first',
  },
  {
    question: 'web AAAA',
    got: `NXDOMAIN ; ${SOA}`,
    expected: `NOERROR ; ${SOA}`,
    difference: 'NXDOMAIN, not NOERROR',
    why: 'NODATA is not NXDOMAIN (RFC 8020)',
  },
  {
    question: 'web A',
    got: 'NOERROR | web A 10.0.0.1',
    expected: 'NOERROR | web A 10.0.0.1 | web A 10.0.0.2',
    difference: 'missing: web.shop.svc.cluster.local. A 10.0.0.2',
    why: 'an endpoint is missing',
  },
  {
    question: 'web A',
    got: 'NOERROR | web A 10.0.0.1 | web A 10.0.0.3',
    expected: 'NOERROR | web A 10.0.0.1',
    difference: 'unexpected: web.shop.svc.cluster.local. A 10.0.0.3',
    why: 'an endpoint that is not ready',
  },
  {
    question: 'web A',
    got: 'NOERROR | web A 10.0.0.7',
    expected: 'NOERROR | web A 10.0.0.1',
    difference: 'missing: web.shop.svc.cluster.local. A 10.0.0.1; unexpected: web.shop.svc.cluster.local. A 10.0.0.7',
    why: 'another address',
  },
  {
    question: 'web A',
    got: 'NOERROR | web A 10.0.0.1 | web A 10.0.0.1',
    expected: 'NOERROR | web A 10.0.0.1',
    difference: 'unexpected: web.shop.svc.cluster.local. A 10.0.0.1',
    why: 'a record twice (RFC 2181 §5)',
  },
  {
    question: 'web A',
    got: 'NOERROR',
    expected: `NOERROR | ${HUNDRED}`,
    difference:
      'missing: web.shop.svc.cluster.local. A 10.0.0.0, web.shop.svc.cluster.local. A 10.0.0.1, web.shop.svc.cluster.local. A 10.0.0.2, 97 more',
    why: 'some by name, the others by number',
  },
  {
    question: 'web A',
    got: 'NOERROR | web 6 A 10.0.0.1',
    expected: 'NOERROR | web 5 A 10.0.0.1',
    difference: 'TTL 6 of web.shop.svc.cluster.local. A is over 5',
    rules: TTLS,
    why: 'caches would keep it too long',
  },
  {
    question: 'web A',
    got: 'NOERROR | web 60 A 10.0.0.1 | web 60 A 10.0.0.2',
    expected: 'NOERROR | web A 10.0.0.1 | web A 10.0.0.2',
    difference: 'TTL 60 of web.shop.svc.cluster.local. A is over 5, and 1 more',
    rules: TTLS,
    why: 'all of an RRset',
  },
  {
    question: 'gone A',
    got: `NXDOMAIN ; ${SOA.replace(' 5 SOA', ' 300 SOA')}`,
    expected: `NXDOMAIN ; ${SOA}`,
    difference: 'TTL 300 of cluster.local. SOA is over 5',
    rules: TTLS,
    why: 'so long is NXDOMAIN kept (RFC 2308 §5)',
  },
  {
    question: 'gone A',
    got: 'NXDOMAIN',
    expected: `NXDOMAIN ; ${SOA}`,
    difference: 'no SOA of cluster.local. in authority',
    why: 'cannot be kept at all',
  },
  {
    question: 'web AAAA',
    got: 'NOERROR',
    expected: `NOERROR ; ${SOA}`,
    difference: 'no SOA of cluster.local. in authority',
    why: 'NODATA has one too',
  },
  {
    question: '1.0.0.10.in-addr.arpa. PTR',
    got: `NXDOMAIN ; ${REVERSE_SOA}`,
    expected: `NXDOMAIN ; ${SOA.replace('cluster.local.', 'in-addr.arpa.')}`,
    difference: 'the SOA in authority is that of 10.in-addr.arpa., not of in-addr.arpa.',
    why: 'another zone says no',
  },
  {
    question: 'a.sub A',
    got: `NOERROR ; ${SOA}`,
    expected: 'NOERROR ; sub NS ns.sub ; ns.sub A 10.0.0.1',
    difference: 'missing in authority: sub.shop.svc.cluster.local. NS ns.sub.shop.svc.cluster.local.',
    why: 'a referral is no NODATA',
  },
  {
    question: '_h._tcp.web SRV',
    got: 'NOERROR | _h._tcp.web SRV 0 50 80 web',
    expected: 'NOERROR | _h._tcp.web SRV 0 100 80 web',
    difference:
      'missing: _h._tcp.web.shop.svc.cluster.local. SRV 0 100 80 web.shop.svc.cluster.local.; unexpected: _h._tcp.web.shop.svc.cluster.local. SRV 0 50 80 web.shop.svc.cluster.local.',
    why: 'the weight',
  },
  {
    question: 'x TXT',
    got: 'NOERROR | x TXT "A"',
    expected: 'NOERROR | x TXT "a"',
    difference: 'missing: x.shop.svc.cluster.local. TXT "a"; unexpected: x.shop.svc.cluster.local. TXT "A"',
    why: 'character strings have letter case',
  },
  {
    question: 'x NAPTR',
    got: 'NOERROR | x NAPTR 1 2 "S" "" "" web',
    expected: 'NOERROR | x NAPTR 1 2 "s" "" "" web',
    difference:
      'missing: x.shop.svc.cluster.local. NAPTR 1 2 "s" "" "" web.shop.svc.cluster.local.; unexpected: x.shop.svc.cluster.local. NAPTR 1 2 "S" "" "" web.shop.svc.cluster.local.',
    why: 'those before a name too',
  },
  {
    question: 'cluster.local. SOA',
    got: `NOERROR | ${SOA.replace('7200', '7201')}`,
    expected: `NOERROR | ${SOA}`,
    difference: `missing: ${SOA.replace(' 5 SOA', ' SOA').replace(' 17 ', ' 17 ')}; unexpected: ${SOA.replace(' 5 SOA', ' SOA').replace('7200', '7201')}`,
    why: 'the number behind the serial counts',
  },
  {
    question: 'web A',
    got: 'NOERROR tc | web A 10.0.0.9 | web A 10.0.1.9',
    expected: `NOERROR | ${HUNDRED}`,
    difference: 'unexpected: web.shop.svc.cluster.local. A 10.0.1.9',
    why: 'what there is must be right',
  },
  {
    question: 'web A',
    got: 'NOERROR | web A 10.0.0.1',
    expected: 'NOERROR tc | web A 10.0.0.9',
    difference: 'missing: web.shop.svc.cluster.local. A 10.0.0.9',
    why: 'and the other way round',
  },
  {
    question: 'web A',
    got: 'NXDOMAIN tc',
    expected: 'NOERROR | web A 10.0.0.1',
    difference: 'NXDOMAIN, not NOERROR',
    why: 'an RCODE is never cut off',
  },
  {
    question: 'ext A',
    got: 'NOERROR | ext CNAME other.example. | other.example. A 192.0.2.1',
    expected: 'NOERROR | ext CNAME api.example.',
    difference:
      'missing: ext.shop.svc.cluster.local. CNAME api.example.; unexpected: ext.shop.svc.cluster.local. CNAME other.example.',
    rules: INSIDE,
    why: 'the first link is ours',
  },
  {
    question: 'ext A',
    got: 'NOERROR | api.example. A 192.0.2.1',
    expected: 'NOERROR | ext CNAME api.example.',
    difference: 'missing: ext.shop.svc.cluster.local. CNAME api.example.',
    rules: INSIDE,
    why: 'and may not be left out',
  },
  {
    question: 'a A',
    got: 'NOERROR | c A 10.0.0.1 | a CNAME b | b CNAME c',
    expected: 'NOERROR | a CNAME b | b CNAME c | c A 10.0.0.1',
    difference: 'a record comes before the CNAME that leads to it',
    why: 'stub resolvers read a chain once',
  },
  {
    question: 'a A',
    got: 'NOERROR | a CNAME c | c A 10.0.0.1',
    expected: 'NOERROR | a CNAME b | b CNAME c | c A 10.0.0.1',
    difference:
      'missing: a.shop.svc.cluster.local. CNAME b.shop.svc.cluster.local., b.shop.svc.cluster.local. CNAME c.shop.svc.cluster.local.; unexpected: a.shop.svc.cluster.local. CNAME c.shop.svc.cluster.local.',
    why: 'another way to the same end',
  },
  {
    question: 'web A',
    got: 'NOERROR query | web A 10.0.0.1',
    expected: 'NOERROR | web A 10.0.0.1',
    difference: 'it is no response (QR is not set)',
    why: 'an echo',
  },
  {
    question: 'web A',
    got: 'NOERROR | web A 10.0.0.1',
    expected: 'NOERROR aa | web A 10.0.0.1',
    difference: 'AA is not set and should be',
    rules: STRICT,
    why: 'strict',
  },
  {
    question: 'web A',
    got: 'NOERROR aa | web A 10.0.0.1 ; web NS ns.dns',
    expected: 'NOERROR | web A 10.0.0.1',
    difference:
      'AA is set and should not be; unexpected in authority: web.shop.svc.cluster.local. NS ns.dns.shop.svc.cluster.local.',
    rules: STRICT,
    why: 'strict: all that differs',
  },
  {
    question: '_h._tcp.web SRV',
    got: 'NOERROR | _h._tcp.web SRV 0 100 80 web',
    expected: 'NOERROR | _h._tcp.web SRV 0 100 80 web ; ; web A 10.0.0.1',
    difference: 'missing in additional: web.shop.svc.cluster.local. A 10.0.0.1',
    rules: STRICT,
    why: 'strict',
  },
  {
    question: 'gone A',
    got: 'NXDOMAIN',
    expected: `NXDOMAIN ; ${SOA}`,
    difference: `missing in authority: ${SOA.replace(' 5 SOA', ' SOA')}`,
    rules: STRICT,
    why: 'strict',
  },
]

suite('a table of answers', () => {
  for (const { question, got, expected, difference, rules, why } of cases) {
    test(`${question}: ${got.slice(0, 70)} (${why})`, () => {
      const found = compareAnswers(answer(question, got), answer(question, expected), rules)
      assert.equal(found?.text ?? null, difference)
    })
  }
})

test('an answer to another question is none', () => {
  const expected = answer('web A', 'NOERROR | web A 10.0.0.1')
  const got = (question: string, rcode = 'NOERROR'): string | undefined =>
    compareAnswers(answer(question, rcode), expected)?.text
  assert.equal(got('web AAAA'), 'it answers web.shop.svc.cluster.local. AAAA, not web.shop.svc.cluster.local. A')
  assert.equal(got('db A'), 'it answers db.shop.svc.cluster.local. A, not web.shop.svc.cluster.local. A')
  assert.equal(got(''), 'it has no question')
  assert.equal(got('', 'FORMERR'), 'FORMERR, not NOERROR')
  assert.equal(compareAnswers(answer('', 'FORMERR'), answer('web A', 'FORMERR')), null)
  assert.equal(compareAnswers(answer('web A', 'REFUSED'), answer('', 'REFUSED')), null)
})

test('both sides are shown as dig shows them', () => {
  const got = answer('web A', `NXDOMAIN aa ; ${SOA}`)
  const expected = answer('web SRV', 'NOERROR aa | web SRV 0 100 80 web ; ; web A 10.0.0.1')
  const difference = compareAnswers(got, expected)
  assert.deepEqual(difference?.got, [
    ';; status: NXDOMAIN, flags: qr aa rd',
    ';; AUTHORITY SECTION:',
    SOA.replace(' SOA', ' IN SOA'),
  ])
  assert.deepEqual(difference?.expected, [
    ';; status: NOERROR, flags: qr aa rd',
    ';; ANSWER SECTION:',
    'web.shop.svc.cluster.local. 5 IN SRV 0 100 80 web.shop.svc.cluster.local.',
    ';; ADDITIONAL SECTION:',
    'web.shop.svc.cluster.local. 5 IN A 10.0.0.1',
  ])
  const many = compareAnswers(answer('web A', `NOERROR | ${HUNDRED}`), expected)
  assert.equal(many?.got.length, 50)
  assert.equal(many?.got.at(-1), ';; and 53 more lines')
})

test('for how long an answer may be kept', () => {
  assert.equal(secondsKept(answer('web A', 'NOERROR | web 30 A 10.0.0.1 | web 7 A 10.0.0.2')), 7)
  assert.equal(secondsKept(answer('gone A', `NXDOMAIN ; ${SOA}`)), 5)
  assert.equal(secondsKept(answer('gone A', 'SERVFAIL')), 0)
  assert.equal(secondsKept(Uint8Array.of(1, 2, 3)), 0)
})

// ---------------------------------------------------------------- whatever can be made of an answer

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
