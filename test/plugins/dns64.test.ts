// Plugin dns64: which questions are translated, and into what.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Dns64Config } from '../../src/config/configuration.ts'
import { createDns64, embedded, parsePrefix } from '../../src/plugins/dns64.ts'
import { NetworkError } from '../../src/plugins/networks.ts'
import type { Outcome, Request } from '../../src/plugins/plugin.ts'
import { replyTo, replyWith, requestOf, run, textOf } from './chain.ts'

const WELL_KNOWN: Dns64Config = { prefix: '64:ff9b::/96', translateAll: false, allowIpv4: false }
const IPV6: Partial<Request> = { client: { family: 6, address: '2001:db8::1', port: 1 } }

test('an IPv4 address behind a prefix of each length', () => {
  // The table of RFC 6052 §2.4.
  const cases: [prefix: string, address: string][] = [
    ['2001:db8::/32', '20010db8c000022100000000000000' + '00'],
    ['2001:db8:100::/40', '20010db801c0000200210000000000' + '00'],
    ['2001:db8:122::/48', '20010db80122c00000022100000000' + '00'],
    ['2001:db8:122:300::/56', '20010db8012203c000000221000000' + '00'],
    ['2001:db8:122:344::/64', '20010db80122034400c00002210000' + '00'],
    ['2001:db8:122:344::/96', '20010db80122034400000000c00002' + '21'],
    ['64:ff9b::/96', '0064ff9b0000000000000000c00002' + '21'],
  ]
  for (const [prefix, address] of cases) {
    const made = embedded(parsePrefix(prefix), Uint8Array.of(192, 0, 2, 33))
    assert.equal(Buffer.from(made).toString('hex'), address, prefix)
  }
})

test('prefixes that are none', () => {
  for (const prefix of ['64:ff9b::/95', '64:ff9b::/128', '64:ff9b::/0', '64:ff9b::', '10.0.0.0/32', 'x/96', '']) {
    assert.throws(() => createDns64({ ...WELL_KNOWN, prefix }), NetworkError, prefix)
  }
})

/** Answers for AAAA and for A; what was asked is kept in `asked`. */
function behind(aaaa: Outcome, a: Outcome, asked: string[] = []): (request: Request) => Outcome {
  return ({ question }) => {
    asked.push(`${question.name} ${question.type}`)
    return question.type === 28 ? aaaa : a
  }
}

const nodata = () => replyWith({ authority: ['example. 300 SOA 00'] })
const address = () =>
  replyWith({
    answer: ['a.example. 60 CNAME 00', 'b.example. 900 A 192.0.2.1', 'b.example. 30 A 192.0.2.2'],
    authority: ['example. 900 NS 00'],
    additional: ['ns.example. 900 A 192.0.2.53'],
  })

test('no AAAA: the addresses of A, the lesser TTL; other records as they are', () => {
  const request = requestOf('a.example. AAAA', IPV6)
  const { question } = request
  const asked: string[] = []
  const second = { ...address(), authoritative: false, recursionAvailable: true }
  const reply = replyTo(createDns64(WELL_KNOWN), request, behind(nodata(), second, asked))
  assert.deepEqual(asked, ['a.example. 28', 'a.example. 1'])
  assert.deepEqual(reply.answer.map(textOf), [
    'a.example. 60 CNAME 00',
    'b.example. 300 AAAA 0064:ff9b:0000:0000:0000:0000:c000:0201', // of the negative SOA
    'b.example. 30 AAAA 0064:ff9b:0000:0000:0000:0000:c000:0202',
  ])
  assert.deepEqual(reply.authority.map(textOf), ['example. 900 NS 00'])
  assert.deepEqual(reply.additional.map(textOf), ['ns.example. 900 A 192.0.2.53'])
  assert.deepEqual([reply.rcode, reply.authoritative, reply.recursionAvailable], [0, false, true])
  assert.equal(request.question, question, 'the question is put back')
  assert.deepEqual(request.counted, ['dns64_requests_translated_total'])
})

test('without an SOA: 600 seconds at most', () => {
  const reply = replyTo(createDns64(WELL_KNOWN), requestOf('a. AAAA', IPV6), behind(replyWith({}), address()))
  assert.deepEqual(
    reply.answer.map(({ ttl }) => ttl),
    [60, 600, 30],
  )
})

test('what is not translated', () => {
  const passed = 'passed on once'
  const aaaa = () => replyWith({ answer: ['a.example. 5 AAAA 2001:0db8:0000:0000:0000:0000:0000:0001'] })
  const cases: [why: string, query: string, changes: Partial<Request>, config: Partial<Dns64Config>, first: Outcome][] =
    [
      ['an IPv4 client', 'a. AAAA', {}, {}, nodata()],
      ['another type', 'a. MX', IPV6, {}, nodata()],
      ['another class', 'a. AAAA 3', IPV6, {}, nodata()],
      ['there is an AAAA', 'a. AAAA', IPV6, {}, aaaa()],
      ['NXDOMAIN', 'a. AAAA', IPV6, {}, { ...nodata(), rcode: 3 }],
      ['NXDOMAIN, all', 'a. AAAA', IPV6, { translateAll: true }, { ...nodata(), rcode: 3 }],
      ['a failure', 'a. AAAA', IPV6, {}, { kind: 'failure', rcode: 2, error: 'x', plugin: 'forward' }],
      ['silence', 'a. AAAA', IPV6, {}, { kind: 'silence', plugin: 'acl' }],
    ]
  for (const [why, query, changes, config, first] of cases) {
    let times = 0
    const request = requestOf(query, changes)
    const outcome = run(createDns64({ ...WELL_KNOWN, ...config }), request, () => {
      times++
      return first
    })
    assert.equal(outcome, first, why)
    assert.equal(times, 1, `${passed}: ${why}`)
    assert.deepEqual(request.counted, [], why)
  }
})

test('allow_ipv4 and translate_all', () => {
  const ipv4 = replyTo(
    createDns64({ ...WELL_KNOWN, allowIpv4: true }),
    requestOf('a. AAAA'),
    behind(nodata(), address()),
  )
  assert.equal(ipv4.answer.length, 3)
  const given = replyWith({ answer: ['a.example. 5 AAAA 2001:0db8:0000:0000:0000:0000:0000:0001'] })
  const all = replyTo(
    createDns64({ ...WELL_KNOWN, translateAll: true }),
    requestOf('a. AAAA', IPV6),
    behind(given, replyWith({ answer: ['a. 5 A 192.0.2.1'] })),
  )
  assert.deepEqual(all.answer.map(textOf), ['a. 5 AAAA 0064:ff9b:0000:0000:0000:0000:c000:0201'])
})

test('SERVFAIL for AAAA is as good as none', () => {
  const failed = { ...replyWith({}), rcode: 2 }
  const reply = replyTo(createDns64(WELL_KNOWN), requestOf('a. AAAA', IPV6), behind(failed, address()))
  assert.deepEqual([reply.rcode, reply.answer.length], [0, 3])
})

test('no A either: the answer to AAAA; the question is put back whatever happens', () => {
  const first = nodata()
  for (const second of [replyWith({}), { kind: 'failure', rcode: 2, error: '', plugin: 'x' } as const]) {
    const request = requestOf('a. AAAA', IPV6)
    assert.equal(run(createDns64(WELL_KNOWN), request, behind(first, second)), first)
    assert.equal(request.question.type, 28)
  }
  const request = requestOf('a. AAAA', IPV6)
  const throwing = ({ question }: Request): Outcome => {
    if (question.type === 1) throw new Error('broken')
    return first
  }
  assert.throws(() => run(createDns64(WELL_KNOWN), request, throwing), /broken/)
  assert.equal(request.question.type, 28)
})
