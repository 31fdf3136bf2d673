// Which differences between two answers are differences.

import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { type ComparisonRules, compareAnswers, secondsKept } from '../../../src/load/verify/difference.ts'
import { answer, SOA } from './answers.ts'

/** Difference null: as right. */
type Case = [question: string, got: string, expected: string, difference: string | null, rules?: ComparisonRules]

const REVERSE_SOA = SOA.replaceAll('cluster.local.', '10.in-addr.arpa.')
const TTLS: ComparisonRules = { limitsTtls: true }
const STRICT: ComparisonRules = { strict: true }
const INSIDE: ComparisonRules = { covers: (owner) => owner.endsWith('.cluster.local.') || owner === 'cluster.local.' }
const HUNDRED = Array.from({ length: 100 }, (_, i) => `web A 10.0.0.${i}`).join(' | ')

// biome-ignore format: a case is three lines: what was got, what was expected, what differs
const cases: Case[] = [
  // Two right answers.
  ['web A', 'NOERROR | web A 10.0.0.1',  // the same
    'NOERROR | web A 10.0.0.1',
    null],
  ['web A', 'NOERROR | web A 10.0.0.2 | web A 10.0.0.1',  // loadbalance rotates
    'NOERROR | web A 10.0.0.1 | web A 10.0.0.2',
    null],
  ['web A', 'NOERROR | web 1 A 10.0.0.1',  // a cache has counted the TTL down
    'NOERROR | web 5 A 10.0.0.1',
    null, TTLS],
  ['web A', 'NOERROR | web 30 A 10.0.0.1',  // the other one may have counted down
    'NOERROR | web 5 A 10.0.0.1',
    null],
  ['web A', 'NOERROR | WEB.shop.SVC.cluster.local. A 10.0.0.1',  // letter case of owners says nothing
    'NOERROR | web A 10.0.0.1',
    null],
  ['WeB A', 'NOERROR | web A 10.0.0.1',  // 0x20: the owner need not follow
    'NOERROR | WeB A 10.0.0.1',
    null],
  ['_h._tcp.web SRV', 'NOERROR | _h._tcp.web SRV 0 100 80 WEB',  // letter case in RDATA
    'NOERROR | _h._tcp.web SRV 0 100 80 web',
    null],
  ['x NAPTR', 'NOERROR | x NAPTR 1 2 "s" "SIP" "" WEB',  // a name behind character strings
    'NOERROR | x NAPTR 1 2 "s" "SIP" "" web',
    null],
  ['x HTTPS', 'NOERROR | x HTTPS 1 WEB alpn=h2',  // a name that nobody may compress
    'NOERROR | x HTTPS 1 web alpn=h2',
    null],
  ['cluster.local. SOA', `NOERROR | ${SOA}`,  // each replica counts its own serial
    `NOERROR | ${SOA.replace(' 17 ', ' 4711 ')}`,
    null],
  ['_h._tcp.web SRV', 'NOERROR | _h._tcp.web SRV 0 100 80 web',  // additional is a courtesy (minimal responses)
    'NOERROR | _h._tcp.web SRV 0 100 80 web ; ; web A 10.0.0.1',
    null],
  ['web A', 'NOERROR aa ra | web A 10.0.0.1',  // AA, RA and authority of a positive answer
    'NOERROR | web A 10.0.0.1 ; web NS ns.dns',
    null],
  ['gone A', `NXDOMAIN ; ${SOA.replace(' 17 ', ' 18 ')}`,  // the serial again
    `NXDOMAIN ; ${SOA}`,
    null, TTLS],
  ['web A', `NOERROR tc | web A 10.0.0.9 | web A 10.0.0.3`,  // a datagram has room for some
    `NOERROR | ${HUNDRED}`,
    null],
  ['web A', `NOERROR | ${HUNDRED}`,  // the other side was cut off
    'NOERROR tc | web A 10.0.0.9',
    null],
  ['web A', 'NOERROR tc | web A 10.0.0.1',  // both were, each somewhere else
    'NOERROR tc | web A 10.0.0.2',
    null],
  ['gone A', 'NXDOMAIN tc',  // there was no room for the SOA
    `NXDOMAIN ; ${SOA}`,
    null],
  ['ext A', 'NOERROR | ext CNAME api.example. | api.example. 300 A 192.0.2.1',  // the rest of the chain is for others to say
    'NOERROR | ext CNAME api.example.',
    null, { ...INSIDE, ...TTLS }],
  ['a A', 'NOERROR | a CNAME b | b CNAME c | c A 10.0.0.2 | c A 10.0.0.1',  // a chain, and rotation at its end
    'NOERROR | a CNAME b | b CNAME c | c A 10.0.0.1 | c A 10.0.0.2',
    null],
  ['web A', 'REFUSED',  // no answer has nothing to compare
    'REFUSED aa',
    null],
  ['web A', 'SERVFAIL',  // a failure needs no SOA
    `SERVFAIL aa ; ${SOA}`,
    null],
  ['web AAAA', `NOERROR ; ${SOA}`,  // a truth without SOA (hosts) asks for none
    'NOERROR',
    null],
  ['x TXT', 'NOERROR | x TXT "1.1.0"',  // the same, strictly
    'NOERROR | x TXT "1.1.0"',
    null, STRICT],
  ['gone A', `NXDOMAIN aa ; ${SOA}`,  // a serial is a serial, strictly
    `NXDOMAIN aa ; ${SOA.replace(' 17 ', ' 9 ')}`,
    null, STRICT],

  // Wrong ones.
  ['web A', 'NXDOMAIN',  // RCODE comes first
    'NOERROR | web A 10.0.0.1',
    'NXDOMAIN, not NOERROR'],
  ['web AAAA', `NXDOMAIN ; ${SOA}`,  // NODATA is not NXDOMAIN (RFC 8020)
    `NOERROR ; ${SOA}`,
    'NXDOMAIN, not NOERROR'],
  ['web A', 'NOERROR | web A 10.0.0.1',  // an endpoint is missing
    'NOERROR | web A 10.0.0.1 | web A 10.0.0.2',
    'missing: web.shop.svc.cluster.local. A 10.0.0.2'],
  ['web A', 'NOERROR | web A 10.0.0.1 | web A 10.0.0.3',  // an endpoint that is not ready
    'NOERROR | web A 10.0.0.1',
    'unexpected: web.shop.svc.cluster.local. A 10.0.0.3'],
  ['web A', 'NOERROR | web A 10.0.0.7',  // another address
    'NOERROR | web A 10.0.0.1',
    'missing: web.shop.svc.cluster.local. A 10.0.0.1; unexpected: web.shop.svc.cluster.local. A 10.0.0.7'],
  ['web A', 'NOERROR | web A 10.0.0.1 | web A 10.0.0.1',  // a record twice (RFC 2181 §5)
    'NOERROR | web A 10.0.0.1',
    'unexpected: web.shop.svc.cluster.local. A 10.0.0.1'],
  ['web A', 'NOERROR',  // some by name, the others by number
    `NOERROR | ${HUNDRED}`,
    'missing: web.shop.svc.cluster.local. A 10.0.0.0, web.shop.svc.cluster.local. A 10.0.0.1, web.shop.svc.cluster.local. A 10.0.0.2, 97 more'],
  ['web A', 'NOERROR | web 6 A 10.0.0.1',  // caches would keep it too long
    'NOERROR | web 5 A 10.0.0.1',
    'TTL 6 of web.shop.svc.cluster.local. A is over 5', TTLS],
  ['web A', 'NOERROR | web 60 A 10.0.0.1 | web 60 A 10.0.0.2',  // all of an RRset
    'NOERROR | web A 10.0.0.1 | web A 10.0.0.2',
    'TTL 60 of web.shop.svc.cluster.local. A is over 5, and 1 more', TTLS],
  ['web A', 'NOERROR | web 5 A 10.0.0.1 | web 9 A 10.0.0.1',  // the higher one of a record that is there twice
    'NOERROR | web A 10.0.0.1 | web A 10.0.0.1',
    'TTL 9 of web.shop.svc.cluster.local. A is over 5', TTLS],
  ['gone A', `NXDOMAIN ; ${SOA.replace(' 5 SOA', ' 300 SOA')}`,  // so long is NXDOMAIN kept (RFC 2308 §5)
    `NXDOMAIN ; ${SOA}`,
    'TTL 300 of cluster.local. SOA is over 5', TTLS],
  ['gone A', 'NXDOMAIN',  // cannot be kept at all
    `NXDOMAIN ; ${SOA}`,
    'no SOA of cluster.local. in authority'],
  ['web AAAA', 'NOERROR',  // NODATA has one too
    `NOERROR ; ${SOA}`,
    'no SOA of cluster.local. in authority'],
  ['1.0.0.10.in-addr.arpa. PTR', `NXDOMAIN ; ${REVERSE_SOA}`,  // another zone says no
    `NXDOMAIN ; ${SOA.replace('cluster.local.', 'in-addr.arpa.')}`,
    'the SOA in authority is that of 10.in-addr.arpa., not of in-addr.arpa.'],
  ['a.sub A', `NOERROR ; ${SOA}`,  // a referral is no NODATA
    'NOERROR ; sub NS ns.sub ; ns.sub A 10.0.0.1',
    'missing in authority: sub.shop.svc.cluster.local. NS ns.sub.shop.svc.cluster.local.'],
  ['_h._tcp.web SRV', 'NOERROR | _h._tcp.web SRV 0 50 80 web',  // the weight
    'NOERROR | _h._tcp.web SRV 0 100 80 web',
    'missing: _h._tcp.web.shop.svc.cluster.local. SRV 0 100 80 web.shop.svc.cluster.local.; unexpected: _h._tcp.web.shop.svc.cluster.local. SRV 0 50 80 web.shop.svc.cluster.local.'],
  ['x TXT', 'NOERROR | x TXT "A"',  // character strings have letter case
    'NOERROR | x TXT "a"',
    'missing: x.shop.svc.cluster.local. TXT "a"; unexpected: x.shop.svc.cluster.local. TXT "A"'],
  ['x NAPTR', 'NOERROR | x NAPTR 1 2 "S" "" "" web',  // those before a name too
    'NOERROR | x NAPTR 1 2 "s" "" "" web',
    'missing: x.shop.svc.cluster.local. NAPTR 1 2 "s" "" "" web.shop.svc.cluster.local.; unexpected: x.shop.svc.cluster.local. NAPTR 1 2 "S" "" "" web.shop.svc.cluster.local.'],
  ['cluster.local. SOA', `NOERROR | ${SOA.replace('7200', '7201')}`,  // the number behind the serial counts
    `NOERROR | ${SOA}`,
    `missing: ${SOA.replace(' 5 SOA', ' SOA').replace(' 17 ', ' 17 ')}; unexpected: ${SOA.replace(' 5 SOA', ' SOA').replace('7200', '7201')}`],
  ['web A', 'NOERROR tc | web A 10.0.0.9 | web A 10.0.1.9',  // what there is must be right
    `NOERROR | ${HUNDRED}`,
    'unexpected: web.shop.svc.cluster.local. A 10.0.1.9'],
  ['web A', 'NOERROR | web A 10.0.0.1',  // and the other way round
    'NOERROR tc | web A 10.0.0.9',
    'missing: web.shop.svc.cluster.local. A 10.0.0.9'],
  ['web A', 'NXDOMAIN tc',  // an RCODE is never cut off
    'NOERROR | web A 10.0.0.1',
    'NXDOMAIN, not NOERROR'],
  ['ext A', 'NOERROR | ext CNAME other.example. | other.example. A 192.0.2.1',  // the first link is ours
    'NOERROR | ext CNAME api.example.',
    'missing: ext.shop.svc.cluster.local. CNAME api.example.; unexpected: ext.shop.svc.cluster.local. CNAME other.example.', INSIDE],
  ['ext A', 'NOERROR | api.example. A 192.0.2.1',  // and may not be left out
    'NOERROR | ext CNAME api.example.',
    'missing: ext.shop.svc.cluster.local. CNAME api.example.', INSIDE],
  ['a A', 'NOERROR | c A 10.0.0.1 | a CNAME b | b CNAME c',  // stub resolvers read a chain once
    'NOERROR | a CNAME b | b CNAME c | c A 10.0.0.1',
    'a record comes before the CNAME that leads to it'],
  ['a A', 'NOERROR | a CNAME c | c A 10.0.0.1',  // another way to the same end
    'NOERROR | a CNAME b | b CNAME c | c A 10.0.0.1',
    'missing: a.shop.svc.cluster.local. CNAME b.shop.svc.cluster.local., b.shop.svc.cluster.local. CNAME c.shop.svc.cluster.local.; unexpected: a.shop.svc.cluster.local. CNAME c.shop.svc.cluster.local.'],
  ['web A', 'NOERROR query | web A 10.0.0.1',  // an echo
    'NOERROR | web A 10.0.0.1',
    'it is no response (QR is not set)'],
  ['web A', 'NOERROR | web A 10.0.0.1',  // strict
    'NOERROR aa | web A 10.0.0.1',
    'AA is not set and should be', STRICT],
  ['web A', 'NOERROR aa | web A 10.0.0.1 ; web NS ns.dns',  // strict: all that differs
    'NOERROR | web A 10.0.0.1',
    'AA is set and should not be; unexpected in authority: web.shop.svc.cluster.local. NS ns.dns.shop.svc.cluster.local.', STRICT],
  ['_h._tcp.web SRV', 'NOERROR | _h._tcp.web SRV 0 100 80 web',  // strict
    'NOERROR | _h._tcp.web SRV 0 100 80 web ; ; web A 10.0.0.1',
    'missing in additional: web.shop.svc.cluster.local. A 10.0.0.1', STRICT],
  ['gone A', 'NXDOMAIN',  // strict
    `NXDOMAIN ; ${SOA}`,
    `missing in authority: ${SOA.replace(' 5 SOA', ' SOA')}`, STRICT],
]

suite('a table of answers', () => {
  for (const [question, got, expected, difference, rules] of cases) {
    test(`${question}: ${got} against ${expected}`.slice(0, 200), () => {
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
