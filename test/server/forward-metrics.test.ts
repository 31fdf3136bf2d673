import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Configuration } from '../../src/config/configuration.ts'
import { configure } from '../../src/config/configure.ts'
import { readCorefile } from '../../src/config/corefile/read.ts'
import { CounterHistory, type CounterValues, sampleKey } from '../../src/counting/values.ts'
import { ForwardCounters } from '../../src/forward/forward-counters.ts'
import { countingOf, readCounting } from '../../src/server/answer-source.ts'
import { cacheEntries, cacheEvictions } from '../../src/server/cache-figures.ts'
import {
  CACHE_DROP,
  CACHE_HIT_DENIAL,
  CACHE_HIT_SUCCESS,
  CACHE_MISS,
  CACHE_PREFETCH,
  CACHE_SERVED_STALE,
} from '../../src/workers/cache-events.ts'
import { QueryCounters, readCounters } from '../../src/workers/counters.ts'

const COREFILE = `
. example.org:54 {
  prometheus
  acl {
    allow net 10.0.0.0/8
  }
  cache 30 example.net example.com
  forward . 9.9.9.9
}
quiet.org {
  cache
  forward . 9.9.9.9
}
plain.org {
  prometheus
  whoami
}
`
const PORT_53 = { server: 'dns://:53', view: '', zones: 'example.net.,example.com.' }
const PORT_54 = { ...PORT_53, server: 'dns://:54' }

function configurationOf(text: string): Configuration {
  const checks = { template() {}, expression() {}, condition() {}, labelSelector() {} }
  return configure(readCorefile('Corefile', {}, text), { defaultPort: 53, checks })
}

function counter(values: CounterValues, name: string, labels: Record<string, string>): number | undefined {
  return values.counters.get(sampleKey(name, labels))?.value
}

test('every event of a cache has its name and labels, in each group of its block', () => {
  const configuration = configurationOf(COREFILE)
  const { plan, memory, groups } = countingOf(configuration, 1)
  const counters = new QueryCounters(plan, memory, 0)
  const events = [CACHE_HIT_SUCCESS, CACHE_HIT_DENIAL, CACHE_MISS, CACHE_PREFETCH, CACHE_DROP, CACHE_SERVED_STALE]
  const cached = groups.flatMap((each, listener) =>
    each.filter((_, zone) => configuration.listeners[listener].zones[zone].block === 0),
  )
  assert.equal(cached.length, 2)
  for (const event of events) for (let k = 0; k <= event; k++) counters.event(cached[1], event)
  const values = readCounters(plan, memory)
  const { server, zone } = plan.groups[cached[1]]
  const labels = { server, zone, view: '', zones: PORT_53.zones }
  const expected: [name: string, labels: Record<string, string>, value: number][] = [
    ['cache_hits_total', { ...labels, type: 'success' }, 1],
    ['cache_hits_total', { ...labels, type: 'denial' }, 2],
    ['cache_misses_total', labels, 3],
    ['cache_prefetch_total', labels, 4],
    ['cache_drops_total', labels, 5],
    ['cache_served_stale_total', labels, 6],
  ]
  for (const [name, each, value] of expected) assert.equal(counter(values, name, each), value, name)
  assert.equal(values.counters.size, expected.length)
  const others = plan.groups.filter((group) => group.zone === 'plain.org.')
  assert.equal(others.length, 1)
  assert.ok(others.every((group) => group.events.every(({ name }) => !name.startsWith('cache_'))))
})

test('entries and evictions are shown for each server of a block that counts', () => {
  const configuration = configurationOf(COREFILE)
  const figures = { entries: { success: 7, denial: 0 }, evictions: { success: 3, denial: 0 }, octets: 0 }
  const byBlock = [figures, figures, null]
  assert.deepEqual(
    cacheEntries(configuration, byBlock).map(({ labels, value }) => [labels, value]),
    [
      [{ ...PORT_53, type: 'success' }, 7],
      [{ ...PORT_53, type: 'denial' }, 0],
      [{ ...PORT_54, type: 'success' }, 7],
      [{ ...PORT_54, type: 'denial' }, 0],
    ],
  )
  const evictions = cacheEvictions(configuration, byBlock)
  assert.equal(counter(evictions, 'cache_evictions_total', { ...PORT_53, type: 'success' }), 3)
  assert.equal(counter(evictions, 'cache_evictions_total', { ...PORT_54, type: 'success' }), 3)
  assert.equal(evictions.counters.size, 2)
})

test('every upstream has its counters, once; a configuration without forward has none', () => {
  const counting = countingOf(
    configurationOf(`
. {
  prometheus
  forward . 9.9.9.9 [2001:db8::1]:5353 tls://9.9.9.9
}
example.org {
  forward . 9.9.9.9:53
}
`),
    1,
  )
  const { plan, memory } = counting.forwarding!
  assert.deepEqual(plan.tos, ['9.9.9.9:53', '[2001:db8::1]:5353', '9.9.9.9:853'])
  new ForwardCounters(plan, memory).answered('[2001:db8::1]:5353', 3, 0.1)
  const total = new CounterHistory().total(...readCounting(counting))
  assert.equal(counter(total, 'forward_responses_total', { to: '[2001:db8::1]:5353', rcode: 'NXDOMAIN' }), 1)
  const without = countingOf(configurationOf('. {\n prometheus\n whoami\n}'), 1)
  assert.equal(without.forwarding, null)
  assert.equal(readCounting(without).length, 1)
})
