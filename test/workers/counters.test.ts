import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { CounterHistory, type CounterValues, Gathered, sampleKey, TIME_BOUNDS } from '../../src/counting/values.ts'
import {
  type CounterGroup,
  createCounters,
  planCounters,
  QueryCounters,
  readCounters,
  SIZE_BOUNDS,
} from '../../src/workers/counters.ts'

const SERVER = 'dns://:53'
const GROUPS: CounterGroup[] = [
  { server: SERVER, zone: '.', view: '', plugins: ['', 'kubernetes', 'forward'], events: [] },
  {
    server: SERVER,
    zone: 'example.org.',
    view: 'inside',
    plugins: [''],
    events: [
      { name: 'acl_blocked_requests_total', labels: {} },
      { name: 'template_matches_total', labels: { class: 'IN', type: 'A' } },
    ],
  },
  { server: SERVER, zone: 'dropped', view: '', plugins: [''], events: [] },
]
const PLAN = planCounters(GROUPS)

function counter(values: CounterValues, name: string, labels: Record<string, string>): number | undefined {
  return values.counters.get(sampleKey(name, labels))?.value
}

test('a query and its reply are counted with their labels', () => {
  const memory = createCounters(PLAN, 2)
  const first = new QueryCounters(PLAN, memory, 0)
  const second = new QueryCounters(PLAN, memory, 1)
  first.query(0, 0, 0, 1, 54, 1)
  first.reply(0, 0, 0, 1, 106)
  second.query(0, 0, 0, 1, 54, 0)
  second.reply(0, 0, 3, 1, 150)
  second.query(0, 1, 1, 65000, 70, 0)
  second.reply(0, 1, 16, 0, 23)
  second.query(2, 0, 1, 255, 30, 0)
  second.reply(2, 0, 5, 0, 30)
  second.event(1, 1)
  first.duration(0, 0.0003, 2)
  const values = readCounters(PLAN, memory)
  const root = { server: SERVER, zone: '.', view: '' }
  const dropped = { server: SERVER, zone: 'dropped', view: '' }
  const expected: [name: string, labels: Record<string, string>, value: number][] = [
    ['dns_requests_total', { ...root, proto: 'udp', family: '1', type: 'A' }, 2],
    ['dns_requests_total', { ...root, proto: 'tcp', family: '2', type: 'other' }, 1],
    ['dns_requests_total', { ...dropped, proto: 'udp', family: '2', type: 'ANY' }, 1],
    ['dns_do_requests_total', root, 1],
    ['dns_responses_total', { ...root, rcode: 'NOERROR', plugin: 'kubernetes' }, 1],
    ['dns_responses_total', { ...root, rcode: 'NXDOMAIN', plugin: 'kubernetes' }, 1],
    ['dns_responses_total', { ...root, rcode: 'BADVERS', plugin: '' }, 1],
    ['dns_responses_total', { ...dropped, rcode: 'REFUSED', plugin: '' }, 1],
    ['template_matches_total', { server: SERVER, zone: 'example.org.', view: 'inside', class: 'IN', type: 'A' }, 1],
  ]
  for (const [name, labels, value] of expected) assert.equal(counter(values, name, labels), value, name)
  assert.equal(values.counters.size, expected.length)
  const durations = values.histograms.get(sampleKey('dns_request_duration_seconds', root))
  assert.deepEqual(durations?.counts, [0, 2, ...TIME_BOUNDS.slice(1).map(() => 0)])
  assert.equal(durations?.sum, 0.0006)
  const lengths = values.histograms.get(sampleKey('dns_response_size_bytes', { ...root, proto: 'udp' }))
  assert.deepEqual(lengths?.counts, [0, 0, 2, ...SIZE_BOUNDS.slice(2).map(() => 0)])
  assert.equal(lengths?.sum, 256)
})

test('bounds of buckets are inclusive', () => {
  const cases: [length: number, bucket: number][] = [
    [0, 0],
    [1, 1],
    [100, 1],
    [101, 2],
    [511, 5],
    [512, 6],
    [64000, 13],
    [64001, 14],
    [65535, 14],
  ]
  for (const [length, bucket] of cases) {
    const memory = createCounters(PLAN, 1)
    new QueryCounters(PLAN, memory, 0).query(0, 0, 0, 1, length, 0)
    const [histogram] = readCounters(PLAN, memory).histograms.values()
    assert.equal(histogram.counts.indexOf(1), bucket, `${length} octets`)
  }
  const times: [seconds: number, bucket: number][] = [
    [0, 0],
    [0.00025, 0],
    [0.000251, 1],
    [8.192, 15],
    [8.2, 16],
  ]
  for (const [seconds, bucket] of times) {
    const memory = createCounters(PLAN, 1)
    new QueryCounters(PLAN, memory, 0).duration(0, seconds, 1)
    const [histogram] = readCounters(PLAN, memory).histograms.values()
    assert.equal(histogram.counts.indexOf(1), bucket, `${seconds} s`)
  }
})

const anyPlan = fc
  .array(
    fc.record({
      plugins: fc.integer({ min: 1, max: 4 }),
      events: fc.integer({ min: 0, max: 5 }),
    }),
    { minLength: 1, maxLength: 5 },
  )
  .map((shapes) =>
    shapes.map(({ plugins, events }, zone) => ({
      server: 's',
      zone: `z${zone}`,
      view: '',
      plugins: Array.from({ length: plugins }, (_, i) => (i === 0 ? '' : `p${i}`)),
      events: Array.from({ length: events }, (_, i) => ({ name: `e${i}_total`, labels: { n: String(i) } })),
    })),
  )
const anyStep = fc.record({
  what: fc.constantFrom('query', 'reply', 'duration', 'event'),
  worker: fc.nat(2),
  group: fc.nat(),
  inner: fc.nat(),
  flags: fc.nat(7),
  type: fc.constantFrom(1, 28, 12, 33, 99, 252, 300),
  rcode: fc.constantFrom(0, 2, 3, 5, 23, 4000),
  length: fc.nat(65535),
})

test('no slot is shared: what comes out is what went in', () => {
  fc.assert(
    fc.property(anyPlan, fc.array(anyStep, { maxLength: 60 }), (groups, steps) => {
      const plan = planCounters(groups)
      const memory = createCounters(plan, 3)
      const workers = [0, 1, 2].map((worker) => new QueryCounters(plan, memory, worker))
      const expected = new Map<string, number>()
      const add = (name: string, value = 1): void => {
        expected.set(name, (expected.get(name) ?? 0) + value)
      }
      for (const { what, worker, group, inner, flags, type, rcode, length } of steps) {
        const index = group % groups.length
        const { zone, plugins, events } = groups[index]
        const counters = workers[worker]
        const stream = flags & 1
        if (what === 'query') {
          counters.query(index, stream, (flags >> 1) & 1, type, length, flags >> 2)
          const known: Record<number, string> = { 1: 'A', 28: 'AAAA', 12: 'PTR', 33: 'SRV', 252: 'AXFR' }
          add(`${zone} query ${stream} ${(flags >> 1) & 1} ${known[type] ?? 'other'}`)
          add(`${zone} request lengths ${stream}`, length)
          if (flags >> 2 === 1) add(`${zone} do`)
        } else if (what === 'reply') {
          const plugin = inner % plugins.length
          counters.reply(index, stream, rcode, plugin, length)
          const known: Record<number, string> = { 0: 'NOERROR', 2: 'SERVFAIL', 3: 'NXDOMAIN', 5: 'REFUSED' }
          add(`${zone} reply ${plugins[plugin]} ${rcode === 23 ? 'BADCOOKIE' : (known[rcode] ?? 'other')}`)
          add(`${zone} response lengths ${stream}`, length)
        } else if (what === 'duration') {
          counters.duration(index, length / 65536, 3)
          add(`${zone} durations`, (length / 65536) * 3)
        } else if (events.length > 0) {
          counters.event(index, inner % events.length)
          add(`${zone} event ${inner % events.length}`)
        }
      }
      const found = new Map<string, number>()
      const values = readCounters(plan, memory)
      const protos: Record<string, number> = { udp: 0, tcp: 1 }
      for (const { name, labels, value } of values.counters.values()) {
        const { zone, proto, family, type, rcode, plugin } = labels
        if (name === 'dns_requests_total')
          found.set(`${zone} query ${protos[proto]} ${Number(family) - 1} ${type}`, value)
        else if (name === 'dns_responses_total') found.set(`${zone} reply ${plugin} ${rcode}`, value)
        else if (name === 'dns_do_requests_total') found.set(`${zone} do`, value)
        else found.set(`${zone} event ${labels.n}`, value)
      }
      for (const { name, labels, sum, counts } of values.histograms.values()) {
        const { zone, proto } = labels
        const kind = name.includes('request_size') ? 'request' : 'response'
        const key = name.includes('duration') ? `${zone} durations` : `${zone} ${kind} lengths ${protos[proto]}`
        found.set(key, sum)
        assert.ok(counts.some((count) => count > 0))
      }
      const nonZero = (map: Map<string, number>): [string, number][] => [...map].filter(([, v]) => v !== 0).sort()
      assert.deepEqual(nonZero(found), nonZero(expected))
    }),
  )
})

test('batches', () => {
  const memory = createCounters(PLAN, 2)
  for (const [worker, messages] of [
    [0, 1],
    [1, 64],
    [1, 3],
  ]) {
    new QueryCounters(PLAN, memory, worker).batch(messages)
  }
  const [sample] = readCounters(PLAN, memory).histograms.values()
  assert.deepEqual(sample, { name: 'batch_messages', labels: {}, counts: [1, 0, 1, 0, 0, 0, 0, 1, 0], sum: 68 })
})

test('nothing goes back when the plan changes', () => {
  const memory = createCounters(PLAN, 1)
  const counters = new QueryCounters(PLAN, memory, 0)
  counters.query(0, 0, 0, 1, 50, 0)
  counters.duration(0, 0.001, 1)
  const history = new CounterHistory()
  history.retire(readCounters(PLAN, memory))
  const nextPlan = planCounters([{ ...GROUPS[0], plugins: ['', 'hosts'] }])
  const nextMemory = createCounters(nextPlan, 1)
  const next = new QueryCounters(nextPlan, nextMemory, 0)
  next.query(0, 0, 0, 1, 60, 0)
  next.duration(0, 0.001, 1)
  const total = history.total(readCounters(nextPlan, nextMemory))
  const root = { server: SERVER, zone: '.', view: '' }
  assert.equal(counter(total, 'dns_requests_total', { ...root, proto: 'udp', family: '1', type: 'A' }), 2)
  assert.equal(total.histograms.get(sampleKey('dns_request_size_bytes', { ...root, proto: 'udp' }))?.sum, 110)
  assert.equal(total.histograms.get(sampleKey('dns_request_duration_seconds', root))?.sum, 0.002)
  // Asking twice does not add twice.
  assert.deepEqual(history.total(readCounters(nextPlan, nextMemory)), total)
})

test('a counter goes on behind 2^31 and 2^32, and a reader between its two stores sees no step back', () => {
  const plan = planCounters([{ ...GROUPS[2], events: [{ name: 'e_total', labels: {} }] }])
  const memory = createCounters(plan, 1)
  const low = new Int32Array(memory, 0, plan.slots)
  const high = new Int32Array(memory, plan.slots * 4, plan.slots)
  const slot = plan.eventSlot[0]
  const counters = new QueryCounters(plan, memory, 0)
  const value = (): number => [...readCounters(plan, memory).counters.values()][0].value
  for (const flips of [0, 1, 2, 5]) {
    const start = (flips + 1) * 2 ** 31 - 1
    low[slot] = start | 0
    high[slot] = flips
    assert.equal(value(), start)
    counters.event(0, 0)
    assert.equal(value(), start + 1)
    assert.equal(high[slot], flips + 1)
    high[slot] = flips // as if the second store were still to come
    assert.equal(value(), start + 1)
  }
})

test('a sum of seconds never goes back, whatever was retired meanwhile', () => {
  const of = (sum: number): CounterValues => {
    const values = new Gathered()
    values.addHistogram('seconds', {}, [1], sum)
    return values
  }
  const parts = [0.1, 0.2, 0.3]
  const history = new CounterHistory()
  const sumOf = (...current: CounterValues[]): number => [...history.total(...current).histograms.values()][0].sum
  // Added up in this order it is 0.1 + (0.2 + …): not the same double as ((0.1 + 0.2) + …).
  const before = sumOf(...parts.toReversed().map(of))
  parts.forEach((part) => {
    history.retire(of(part))
  })
  assert.notEqual(
    parts.reduce((sum, part) => sum + part, 0),
    parts.reduceRight((sum, part) => sum + part, 0),
  )
  assert.equal(sumOf(), before)
  assert.equal(before, 0.6)
})
