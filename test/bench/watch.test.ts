// What the measurement of a live cluster takes for a right answer, checked with an independent encoder, and which names it asks for.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Answer, encode } from 'dns-packet'
import { addressNumber, isRight } from '../../bench/watch/answer.ts'
import { ClusterNames, changedName, type Expected } from '../../bench/watch/names.ts'
import { compareSizes, type Figure } from '../../bench/watch/report.ts'
import { encodeQuery } from '../../src/load/queries/wire-query.ts'

const NAME = 'web.shop.svc.cluster.local'
const RESPONSE = 0x8000
const NXDOMAIN = 3

function answer(flags: number, ...addresses: string[]): Buffer {
  const answers = addresses.map((data): Answer => ({ type: 'A', name: NAME, ttl: 5, data }))
  return encode({ type: 'response', id: 7, flags, questions: [{ type: 'A', name: NAME }], answers })
}

const one: Expected = { qname: NAME, rcode: 0, count: 1, address: addressNumber('10.0.0.7') }
const any: Expected = { ...one, address: 0 }
const two: Expected = { ...any, count: 2 }
const none: Expected = { qname: NAME, rcode: NXDOMAIN, count: 0, address: 0 }

test('right answers are told from wrong ones', () => {
  const cases: [what: string, message: Buffer, expected: Expected, right: boolean][] = [
    ['the address', answer(RESPONSE, '10.0.0.7'), one, true],
    ['another address', answer(RESPONSE, '10.0.0.8'), one, false],
    ['another address where any will do', answer(RESPONSE, '10.0.0.8'), any, true],
    ['one address of two', answer(RESPONSE, '10.0.0.7'), two, false],
    ['two addresses', answer(RESPONSE, '10.0.0.7', '10.0.0.8'), two, true],
    ['two addresses for one', answer(RESPONSE, '10.0.0.8', '10.0.0.7'), one, false],
    ['NODATA', answer(RESPONSE), one, false],
    ['NXDOMAIN', answer(RESPONSE | NXDOMAIN), none, true],
    ['NXDOMAIN for a name that exists', answer(RESPONSE | NXDOMAIN), one, false],
    ['SERVFAIL for a name that does not', answer(RESPONSE | 2), none, false],
    ['nothing', Buffer.alloc(0), none, false],
  ]
  for (const [what, message, expected, right] of cases) {
    assert.equal(isRight(message, message.length, expected), right, what)
  }
})

test('a query is no answer', () => {
  const query = encodeQuery(NAME, 'A')
  assert.equal(isRight(query, query.length, { ...none, rcode: 0 }), false)
})

test('names of changes, and names that stay as they are', () => {
  const change = { service: 'svc-1', namespace: 'ns-1', address: '10.1.2.3', version: 1 }
  const address = addressNumber('10.1.2.3')
  const base = { rcode: 0, count: 1, address }
  const headless = changedName({ ...change, hostname: 'svc-1-0' })
  assert.deepEqual(headless, { ...base, qname: 'svc-1-0.svc-1.ns-1.svc.cluster.local' })
  const clusterIP = changedName({ ...change, hostname: '' })
  assert.deepEqual(clusterIP, { ...base, qname: '10-1-2-3.svc-1.ns-1.svc.cluster.local' })

  const names = new ClusterNames(500, 10)
  const drawn = names.draw(1000, 1)
  assert.deepEqual(names.draw(1000, 1), drawn, 'the same for the same seed')
  const kinds = new Set(drawn.map(({ rcode, count, address }) => `${rcode} ${count} ${address > 0}`))
  assert.deepEqual([...kinds].sort(), ['0 1 false', '0 1 true', '0 10 false', '3 0 false'])
  assert.ok(names.steady.address > 0)
})

test('sizes are compared by what they have in common', () => {
  const figure = (services: number, what: string, value: number): Figure => {
    return { services, part: 'updates', what, unit: 'ms', values: [value], target: null }
  }
  const small = [figure(100, '100/s: p50', 1), figure(100, '100/s: p99', 2), figure(100, '100/s: max', 9)]
  const large = [figure(900, '100/s: p50', 1), figure(900, '100/s: p99', 3), figure(900, '1000/s: p99', 4)]
  const compared = compareSizes([...small, ...large], 1.2).map(({ what, values, target }) => [
    what,
    values[0],
    target?.limit,
  ])
  const expected = [
    ['100/s: p50, 900 Services to 100', 1, undefined],
    ['100/s: p99, 900 Services to 100', 1.5, 1.2],
  ]
  assert.deepEqual(compared, expected)
  assert.deepEqual(compareSizes(small, 1.2), [])
})
