// Plugin local: names of the loopback.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createLocal } from '../../src/plugins/local.ts'
import { replyOf } from '../../src/plugins/plugin.ts'
import { replyTo, requestOf, run, textOf } from './chain.ts'

const A = (owner: string) => `${owner} 604800 A 127.0.0.1`
const AAAA = (owner: string) => `${owner} 604800 AAAA 0000:0000:0000:0000:0000:0000:0000:0001`
const LOCALHOST = '096c6f63616c686f737400'

test('what is answered here', () => {
  // QNAME QTYPE, RCODE, answer, zone whose SOA comes along
  const cases: [query: string, rcode: number, answer: string[], soa?: string][] = [
    ['localhost. A', 0, [A('localhost.')]],
    ['localhost. AAAA', 0, [AAAA('localhost.')]],
    ['localhost. MX', 0, [], 'localhost.'],
    ['localhost. NS', 0, [`localhost. 604800 NS ${LOCALHOST}`]],
    ['x.localhost. A', 0, [A('x.localhost.')]],
    ['y.x.localhost. AAAA', 0, [AAAA('y.x.localhost.')]],
    ['x.localhost. TXT', 0, [], 'localhost.'],
    ['x.localhost. NS', 0, [], 'localhost.'],
    ['localhost.cluster.local. A', 0, [A('localhost.cluster.local.')]],
    ['localhost.cluster.local. AAAA', 0, [AAAA('localhost.cluster.local.')]],
    ['localhost.cluster.local. MX', 0, [], 'localhost.cluster.local.'],
    ['1.0.0.127.in-addr.arpa. PTR', 0, [`1.0.0.127.in-addr.arpa. 604800 PTR ${LOCALHOST}`]],
    ['1.0.0.127.in-addr.arpa. A', 0, [], '127.in-addr.arpa.'],
    ['0.0.127.in-addr.arpa. PTR', 0, [], '127.in-addr.arpa.'], // an empty non-terminal
    ['127.in-addr.arpa. NS', 0, [`127.in-addr.arpa. 604800 NS ${LOCALHOST}`]],
    ['127.in-addr.arpa. A', 0, [], '127.in-addr.arpa.'],
    ['2.0.0.127.in-addr.arpa. PTR', 3, [], '127.in-addr.arpa.'],
    ['1.1.0.0.127.in-addr.arpa. PTR', 3, [], '127.in-addr.arpa.'],
    ['1.0.0.0.in-addr.arpa. PTR', 3, [], '0.in-addr.arpa.'],
    ['255.255.255.255.in-addr.arpa. PTR', 3, [], '255.in-addr.arpa.'],
  ]
  for (const [query, rcode, answer, soa] of cases) {
    const reply = replyTo(createLocal({ localhostPrefix: true }), requestOf(query))
    assert.deepEqual([reply.rcode, reply.authoritative], [rcode, true], query)
    assert.deepEqual(reply.answer.map(textOf), answer, query)
    assert.deepEqual(
      reply.authority.map(({ owner, type, ttl }) => [owner, type, ttl]),
      soa === undefined ? [] : [[soa, 6, 604_800]],
      query,
    )
  }
})

test('the SOA', () => {
  const reply = replyTo(createLocal({ localhostPrefix: true }), requestOf('localhost. SOA'))
  assert.deepEqual(reply.answer.map(textOf), [
    `localhost. 604800 SOA ${LOCALHOST}04726f6f74${LOCALHOST}${'00000001'}${'00000000'.repeat(3)}00093a80`,
  ])
})

test('what is passed on', () => {
  const cases: [query: string, localhostPrefix: boolean][] = [
    ['example. A', true],
    ['localhostx. A', true],
    ['xlocalhost. A', true],
    ['localhost.example. A', false],
    ['a.localhost.example. A', true],
    ['localhost. A 3', true], // another class
    ['localhost.example. A 3', true],
    ['1.126.in-addr.arpa. PTR', true],
    ['1.0.10.in-addr.arpa. PTR', true],
    ['x\\.localhost. A', true], // one label
  ]
  for (const [query, localhostPrefix] of cases) {
    const request = requestOf(query)
    const outcome = run(createLocal({ localhostPrefix }), request, () => replyOf('behind'))
    assert.equal(outcome.plugin, 'behind', query)
    assert.deepEqual(request.counted, [], query)
  }
})

test('only localhost in front of another name is counted', () => {
  for (const [query, counted] of [
    ['localhost.example. A', ['local_localhost_requests_total']],
    ['localhost. A', []],
    ['x.localhost. A', []],
  ] as const) {
    const request = requestOf(query)
    replyTo(createLocal({ localhostPrefix: true }), request)
    assert.deepEqual(request.counted, counted, query)
  }
})
