import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Worker } from 'node:worker_threads'
import { FAMILIES } from '../../src/admin/metric-families.ts'
import { CounterHistory, type CounterValues, sampleKey, TIME_BOUNDS } from '../../src/counting/values.ts'
import {
  createForwardCounters,
  ForwardCounters,
  planForward,
  readForwardCounters,
} from '../../src/forward/forward-counters.ts'
import { EXCHANGES, NINE } from './forward-counters-writer.ts'

const SIX = '[2001:db8::1]:5353'
const PLAN = planForward([NINE, SIX, NINE])

function counter(values: CounterValues, name: string, labels: Record<string, string>): number | undefined {
  return values.counters.get(sampleKey(name, labels))?.value
}

test('nothing is there before it has happened', () => {
  const values = readForwardCounters(PLAN, createForwardCounters(PLAN))
  assert.equal(values.counters.size, 0)
  assert.equal(values.histograms.size, 0)
})

test('every event is counted under its names and labels', () => {
  const memory = createForwardCounters(PLAN)
  const counters = new ForwardCounters(PLAN, memory)
  counters.answered(NINE, 0, 0.0005)
  counters.answered(NINE, 0, 9)
  counters.answered(NINE, 3, 0.0001)
  counters.answered(SIX, 23, 0.1)
  counters.answered(SIX, 4000, 0.2)
  counters.probeFailed(SIX)
  counters.connection(NINE, 'udp', false)
  counters.connection(NINE, 'udp', true)
  counters.connection(NINE, 'udp', true)
  counters.connection(NINE, 'tcp', false)
  counters.connection(SIX, 'tcp-tls', true)
  counters.allDown()
  counters.rejected()
  counters.rejected()
  counters.answered('192.0.2.1:53', 0, 1) // not in the plan
  counters.connection('192.0.2.1:53', 'udp', true)
  counters.probeFailed('192.0.2.1:53')
  const values = readForwardCounters(PLAN, memory)
  const nine = { to: NINE }
  const six = { to: SIX }
  const name = { proxy_name: 'forward' }
  const expected: [name: string, labels: Record<string, string>, value: number][] = [
    ['forward_healthcheck_broken_total', {}, 1],
    ['forward_max_concurrent_rejects_total', {}, 2],
    ['proxy_healthcheck_failures_total', { ...name, ...six }, 1],
    ['forward_healthcheck_failures_total', six, 1],
    ['proxy_conn_cache_misses_total', { ...name, ...nine, proto: 'udp' }, 1],
    ['proxy_conn_cache_hits_total', { ...name, ...nine, proto: 'udp' }, 2],
    ['proxy_conn_cache_misses_total', { ...name, ...nine, proto: 'tcp' }, 1],
    ['proxy_conn_cache_hits_total', { ...name, ...six, proto: 'tcp-tls' }, 1],
    ['forward_conn_cache_misses_total', { ...nine, proto: 'udp' }, 1],
    ['forward_conn_cache_hits_total', { ...nine, proto: 'udp' }, 2],
    ['forward_conn_cache_misses_total', { ...nine, proto: 'tcp' }, 1],
    ['forward_conn_cache_hits_total', { ...six, proto: 'tcp-tls' }, 1],
    ['forward_requests_total', nine, 3],
    ['forward_requests_total', six, 2],
    ['forward_responses_total', { ...nine, rcode: 'NOERROR' }, 2],
    ['forward_responses_total', { ...nine, rcode: 'NXDOMAIN' }, 1],
    ['forward_responses_total', { ...six, rcode: 'BADCOOKIE' }, 1],
    ['forward_responses_total', { ...six, rcode: 'other' }, 1],
  ]
  for (const [each, labels, value] of expected) assert.equal(counter(values, each, labels), value, each)
  assert.equal(values.counters.size, expected.length)
  for (const [each, labels] of [
    ['proxy_request_duration_seconds', { ...name, ...nine, rcode: 'NOERROR' }],
    ['forward_request_duration_seconds', { ...nine, rcode: 'NOERROR' }],
  ] as const) {
    const histogram = values.histograms.get(sampleKey(each, labels))
    // Bounds are inclusive: 0.5 ms is in the second bucket, 9 s behind the last.
    assert.deepEqual(histogram?.counts, [0, 1, ...TIME_BOUNDS.slice(2).map(() => 0), 1])
    assert.equal(histogram?.sum, 9.0005)
  }
  assert.equal(values.histograms.size, 8)
})

test('every name is that of a family, with its labels', () => {
  const memory = createForwardCounters(PLAN)
  const counters = new ForwardCounters(PLAN, memory)
  counters.answered(NINE, 0, 1)
  counters.probeFailed(NINE)
  counters.connection(NINE, 'tcp', true)
  counters.connection(NINE, 'tcp', false)
  counters.allDown()
  counters.rejected()
  const values = readForwardCounters(PLAN, memory)
  const found = [...values.counters.values(), ...values.histograms.values()]
  for (const { name, labels } of found) {
    const family = FAMILIES.find((each) => each.name === `coredns_${name}`)
    assert.deepEqual(Object.keys(labels).toSorted(), family?.labels.toSorted(), name)
  }
  const families = FAMILIES.filter(({ name }) => /^coredns_(?:forward|proxy)_/.test(name)).map(({ name }) => name)
  assert.deepEqual([...new Set(found.map(({ name }) => `coredns_${name}`))].toSorted(), families)
})

test('a successor goes on, and history keeps what a plan has counted', () => {
  const memory = createForwardCounters(PLAN)
  new ForwardCounters(PLAN, memory).allDown()
  new ForwardCounters(PLAN, memory).allDown()
  const history = new CounterHistory()
  history.retire(readForwardCounters(PLAN, memory))
  const after = planForward([])
  const next = createForwardCounters(after)
  new ForwardCounters(after, next).allDown()
  const total = history.total(readForwardCounters(after, next))
  assert.equal(counter(total, 'forward_healthcheck_broken_total', {}), 3)
})

test('a reader beside the writer sees whole values that only grow', async () => {
  const memory = createForwardCounters(PLAN)
  const writer = new Worker(new URL('./forward-counters-writer.ts', import.meta.url), {
    workerData: { plan: PLAN, memory },
  })
  const ended = new Promise<void>((resolve, reject) => writer.once('error', reject).once('exit', () => resolve()))
  let isEnded = false
  ended.then(
    () => (isEnded = true),
    () => (isEnded = true),
  )
  let before = 0
  while (!isEnded) {
    const now = counter(readForwardCounters(PLAN, memory), 'forward_requests_total', { to: NINE }) ?? 0
    assert.ok(Number.isInteger(now) && now >= before && now <= EXCHANGES, `${before}, then ${now}`)
    before = now
    await new Promise((resolve) => setImmediate(resolve))
  }
  await ended
  const values = readForwardCounters(PLAN, memory)
  assert.equal(counter(values, 'forward_requests_total', { to: NINE }), EXCHANGES)
  assert.equal(
    counter(values, 'proxy_conn_cache_hits_total', { proxy_name: 'forward', to: NINE, proto: 'udp' }),
    15_000,
  )
})
