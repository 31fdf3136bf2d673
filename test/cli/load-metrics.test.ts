// The metrics of a running load: what is there before, what is counted, and whether Prometheus likes it.

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { after, test } from 'node:test'
import fc from 'fast-check'
import { EndpointError } from '../../src/admin/endpoints.ts'
import { LoadMetrics } from '../../src/cli/load-metrics.ts'
import { bucketCounts, createHistogram } from '../../src/load/histogram.ts'
import type { Second } from '../../src/load/run.ts'

const PROMTOOL = '/usr/bin/promtool'
const ADDRESS = { host: '127.0.0.1', port: 0 }
const OPEN_METRICS = 'application/openmetrics-text; version=1.0.0'

const open: LoadMetrics[] = []
after(() => Promise.all(open.map((metrics) => metrics.close())))

/** So many answers after 1 ms, so many lost after 5 s. */
function second(answered: number, lost: number, nxdomain = 0): Second {
  const latency = createHistogram()
  if (answered > 0) latency.recordValueWithCount(1e6, answered)
  if (lost > 0) latency.recordValueWithCount(5e9, lost)
  const zero = { late: 0, truncated: 0, unexpected: 0, mismatched: 0, malformed: 0, octetsSent: 0, octetsReceived: 0 }
  const rcodes = new Array<number>(16)
    .fill(0)
    .with(0, answered - nxdomain)
    .with(3, nxdomain)
  const counts = { ...zero, connections: 0, rcodes, errors: {} }
  return { index: 0, seconds: 1, offered: 1, latency, sent: answered + lost, answered, lost, ...counts }
}

async function page(metrics: LoadMetrics, accept = ''): Promise<string> {
  open.push(metrics)
  const port = await metrics.listen(ADDRESS)
  const response = await fetch(`http://127.0.0.1:${port}/metrics`, { headers: { accept } })
  assert.equal(response.status, 200)
  return await response.text()
}

/** Lines without comments, of what is not 0. */
function samples(text: string): string[] {
  return text.split('\n').filter((line) => line !== '' && !line.startsWith('#') && !line.endsWith(' 0'))
}

test('every server is there from the start, at 0', async () => {
  const text = await page(new LoadMetrics(['a', 'b']))
  assert.deepEqual(samples(text), [])
  for (const name of ['sent', 'answered', 'lost']) {
    for (const server of ['a', 'b'])
      assert.match(text, new RegExp(`^peregrine_load_${name}_total{server="${server}"} 0$`, 'm'))
  }
  assert.match(text, /^peregrine_load_latency_seconds_count\{server="b"\} 0$/m)
})

test('what was counted, by server', async () => {
  const metrics = new LoadMetrics(['127.0.0.1:53', 'tls://b'])
  metrics.add(second(90, 10, 30), '127.0.0.1:53')
  metrics.add(second(10, 0), '127.0.0.1:53')
  metrics.add(second(0, 7), 'tls://b')
  const text = samples(await page(metrics))
  const [a, b] = ['server="127.0.0.1:53"', 'server="tls://b"']
  assert.deepEqual(
    text.filter((line) => !line.includes('_bucket') && !line.includes('_sum')),
    [
      `peregrine_load_sent_total{${a}} 110`,
      `peregrine_load_sent_total{${b}} 7`,
      `peregrine_load_answered_total{${a}} 100`,
      `peregrine_load_lost_total{${a}} 10`,
      `peregrine_load_lost_total{${b}} 7`,
      `peregrine_load_responses_total{${a},rcode="NOERROR"} 70`,
      `peregrine_load_responses_total{${a},rcode="NXDOMAIN"} 30`,
      `peregrine_load_latency_seconds_count{${a}} 110`,
      `peregrine_load_latency_seconds_count{${b}} 7`,
    ],
  )
  const bucket = (labels: string, le: string): number =>
    Number(
      text
        .find((line) => line.startsWith(`peregrine_load_latency_seconds_bucket{${labels},le="${le}"} `))
        ?.split(' ')[1] ?? 0,
    )
  assert.deepEqual(
    ['0.0005', '0.001', '0.002', '2', '5', '10', '+Inf'].map((le) => bucket(a, le)),
    [0, 100, 100, 100, 110, 110, 110],
  )
  assert.deepEqual(
    ['2', '5', '+Inf'].map((le) => bucket(b, le)),
    [0, 7, 7],
  )
  const sum = Number(text.find((line) => line.startsWith(`peregrine_load_latency_seconds_sum{${a}}`))?.split(' ')[1])
  assert.ok(Math.abs(sum - 50.1) < 0.05, `${sum} s`)
})

test('promtool finds nothing to say', {
  skip: !existsSync(PROMTOOL) && 'SKIPPED: needs promtool (prometheus)',
}, async () => {
  const metrics = new LoadMetrics(['a', 'b "quoted"\\'])
  metrics.add(second(5, 5), 'a')
  const input = await page(metrics)
  const { status, stdout, stderr } = spawnSync(PROMTOOL, ['check', 'metrics'], { input, encoding: 'utf8' })
  assert.deepEqual([status, stdout, stderr], [0, '', ''])
})

test('OpenMetrics when asked', async () => {
  const metrics = new LoadMetrics(['a'])
  metrics.add(second(5, 5), 'a')
  const text = await page(metrics, OPEN_METRICS)
  assert.match(text, /^# TYPE peregrine_load_sent counter$/m)
  assert.match(text, /^peregrine_load_sent_total\{server="a"\} 10$/m)
  assert.match(text, /le="1\.0"/)
  assert.match(text, /# EOF\n$/)
})

test('an address that cannot be had', async () => {
  await assert.rejects(new LoadMetrics([]).listen({ host: '192.0.2.1', port: 9 }), EndpointError)
})

test('buckets hold what a linear look at the values says', () => {
  // The histogram tells values apart to a thousandth: none may be that close to a bound.
  const bounds = [1e3, 1e5, 3e6, 7e8]
  const isFarFromBounds = (value: number): boolean => bounds.every((bound) => Math.abs(value - bound) > bound / 100)
  const values = fc.array(fc.integer({ min: 0, max: 2e9 }).filter(isFarFromBounds), { maxLength: 50 })
  fc.assert(
    fc.property(
      fc.oneof(
        values,
        values.map((all) => all.map((value) => Math.floor(value / 1e5))).filter((all) => all.every(isFarFromBounds)),
      ),
      (all) => {
        const histogram = createHistogram()
        for (const value of all) histogram.recordValue(value)
        const edges = [Number.NEGATIVE_INFINITY, ...bounds, Number.POSITIVE_INFINITY]
        const expected = edges.slice(1).map((to, i) => all.filter((value) => value > edges[i] && value <= to).length)
        assert.deepEqual(bucketCounts(histogram, bounds), expected)
      },
    ),
  )
})
