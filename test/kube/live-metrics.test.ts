// What a feed says of itself for metrics: how long changes take until they are served, and what the API server was asked.

import assert from 'node:assert/strict'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { createRegion } from '../../src/index/layout.ts'
import { IndexWriter } from '../../src/index/writer.ts'
import { ClusterIndex } from '../../src/kube/cluster-index.ts'
import { ClusterState } from '../../src/kube/cluster-state.ts'
import { LiveFeed } from '../../src/kube/live-feed.ts'
import { packService, packSlice } from '../../src/kube/packed.ts'
import { ProgrammingLatency } from '../../src/kube/programming-latency.ts'
import { ApiClient, ApiError, ConnectionError } from '../../src/kube/watch/api-client.ts'
import { Connection } from '../../src/kube/watch/connection.ts'
import {
  NO_ANSWER,
  REQUEST_SECONDS,
  RequestMeter,
  type RequestTotals,
  sumOfTotals,
} from '../../src/kube/watch/request-totals.ts'
import { triggerTimeOf } from '../../src/kube/watch/trigger-time.ts'
import { KubeconfigFolder } from '../apiserver/kubeconfig.ts'
import type { GivenObject } from '../apiserver/object.ts'
import { startApiServer } from '../apiserver/server.ts'
import { Store } from '../apiserver/store.ts'
import { namespace, service, slice } from '../feed/objects.ts'
import { fixture, PLAIN } from './schema-fixture.ts'
import { folder, kubeconfig, LIST, put, serve } from './watch/small-server.ts'

const LIMIT = { timeout: 60_000 }
const WAIT_MS = 20_000
const ANNOTATION = 'endpoints.kubernetes.io/last-change-trigger-time'

test('the time of a change, as a slice says it', () => {
  const cases: [text: unknown, expected: number][] = [
    ['2026-08-01T10:00:00Z', Date.UTC(2026, 7, 1, 10)],
    ['2026-08-01T10:00:00.25Z', Date.UTC(2026, 7, 1, 10, 0, 0, 250)],
    ['2026-08-01T10:00:00.123456789Z', Date.UTC(2026, 7, 1, 10, 0, 0, 123)],
    ['2026-08-01T12:00:00+02:00', Date.UTC(2026, 7, 1, 10)],
    ['2026-08-01', 0],
    ['2026-13-01T10:00:00Z', 0],
    ['1785578400', 0],
    ['', 0],
    [7, 0],
    [null, 0],
  ]
  for (const [text, expected] of cases) {
    assert.equal(triggerTimeOf({ metadata: { annotations: { [ANNOTATION]: text } } }), expected, String(text))
  }
  for (const object of [null, {}, { metadata: null }, { metadata: {} }, { metadata: { annotations: null } }]) {
    assert.equal(triggerTimeOf(object), 0)
  }
})

test('what counts as served, and as which kind', () => {
  const objects = fixture(`
services:
  shop/vip:  {clusterIPs: [10.0.0.1]}
  shop/hl:   {clusterIPs: None}
  shop/ext:  {type: ExternalName, externalName: api.example.org}
  shop/wait: {pending: true}
  dark/vip:  {clusterIPs: [10.0.0.2]}
slices:
  shop/s: {for: vip, endpoints: []}
`)
  const state = new ClusterState(null)
  state.setNamespace('shop', true)
  for (const each of objects.services) state.set('services', each.namespace, each.name, packService(each))
  const told: string[] = []
  const latency = new ProgrammingLatency(state, (kind, seconds) => told.push(`${kind} ${seconds}`))
  const sliceOf = (serviceName: string): string => packSlice({ ...objects.slices[0], serviceName })
  latency.changed('shop', sliceOf('vip'), 1000)
  latency.changed('shop', sliceOf('hl'), 2000)
  latency.changed('shop', sliceOf('vip'), 9000) // another clock
  latency.changed('shop', sliceOf('vip'), 0) // does not say
  latency.changed('shop', '', 1000) // gone
  for (const name of ['ext', 'wait', 'none']) latency.changed('shop', sliceOf(name), 1000)
  latency.changed('dark', sliceOf('vip'), 1000)
  latency.served(3500)
  assert.deepEqual(told, ['cluster_ip 2.5', 'headless_with_selector 1.5', 'cluster_ip 0'])
  latency.served(4000)
  assert.equal(told.length, 3, 'each is told once')
})

function meterOf(...requests: readonly Parameters<RequestMeter['add']>[]): readonly RequestTotals[] {
  const meter = new RequestMeter()
  for (const request of requests) meter.add(...request)
  return meter.takeChanged() ?? []
}

test('requests are counted by server, status and time', () => {
  const totals = meterOf(
    ['a:443', '200', 0, 0.005],
    ['a:443', '200', 0.5, 0.0051],
    ['a:443', '410', 11, 10.5],
    ['b:443', NO_ANSWER, 0, 0],
  )
  const counted = (...buckets: number[]): number[] => {
    const counts = new Array(REQUEST_SECONDS.length + 1).fill(0)
    for (const bucket of buckets) counts[bucket]++
    return counts
  }
  assert.deepEqual(
    totals.map(({ host, codes }) => [host, codes]),
    [
      ['a:443', { 200: 2, 410: 1 }],
      ['b:443', { [NO_ANSWER]: 1 }],
    ],
  )
  assert.deepEqual(totals[0].durations.counts, counted(0, 1, 11))
  assert.deepEqual(totals[0].waits.counts, counted(0, 6, 11))
  assert.ok(Math.abs(totals[0].durations.sum - 10.5101) < 1e-9)
  const meter = new RequestMeter()
  assert.equal(meter.takeChanged(), null)
  meter.add('a:443', '200', 0, 0)
  const before = meter.takeChanged()
  meter.add('a:443', '200', 0, 0)
  assert.deepEqual(before?.[0].codes, { 200: 1 }, 'what was taken stays as it was')
  assert.deepEqual(meter.takeChanged()?.[0].codes, { 200: 2 })
  assert.equal(meter.takeChanged(), null)
})

test('a thread that is started again goes on counting', () => {
  const first = meterOf(['a:443', '200', 0, 1], ['b:443', '200', 0, 1])
  const second = meterOf(['a:443', '200', 0, 2], ['a:443', '410', 0, 1], ['c:443', '200', 0, 1])
  const all = meterOf(
    ['a:443', '200', 0, 1],
    ['b:443', '200', 0, 1],
    ['a:443', '200', 0, 2],
    ['a:443', '410', 0, 1],
    ['c:443', '200', 0, 1],
  )
  assert.deepEqual(sumOfTotals(first, second), all)
  assert.deepEqual(sumOfTotals([], second), second)
  assert.deepEqual(sumOfTotals(first, []), first)
})

test('a client counts what it asked, refusals and what was never answered among it', LIMIT, async (t) => {
  const statuses = [200, 404, 401, 200]
  const server = await serve(t, 'h2', (_, response) => {
    response.statusCode = statuses.shift() ?? 500
    response.end()
  })
  const file = put(join(folder(t), 'config'), kubeconfig(server.url))
  const meter = new RequestMeter()
  const connection = await Connection.open({ kubeconfig: file, context: '' })
  const client = new ApiClient(connection, { qps: 20, burst: 2, maxInflight: 0 }, () => {}, meter)
  t.after(() => client.close())
  await client.request('/', LIST)
  await assert.rejects(client.request('/', LIST), ApiError)
  // Asked again with credentials read anew.
  await client.request('/', LIST)
  await server.stop()
  await assert.rejects(client.request('/', LIST), ConnectionError)
  await assert.rejects(client.request('/', { ...LIST, signal: AbortSignal.abort(new Error('no more')) }), /no more/)
  const [totals] = meter.takeChanged() ?? []
  assert.equal(totals.host, `127.0.0.1:${server.port}`)
  assert.deepEqual(totals.codes, { 200: 2, 401: 1, 404: 1, [NO_ANSWER]: 1 })
  const [first, ...later] = totals.waits.counts
  assert.ok(first >= 1 && later.some((count) => count > 0), 'those beyond the burst had to wait')
})

/** A slice that says when it changed. */
function triggered(name: string, serviceName: string, addresses: readonly string[], agoMs: number): GivenObject {
  const object = slice('shop', name, serviceName, addresses)
  const time = new Date(Date.now() - agoMs).toISOString()
  return { ...object, metadata: { ...object.metadata, annotations: { [ANNOTATION]: time } } }
}

async function until(what: string, condition: () => boolean): Promise<void> {
  for (const limit = performance.now() + WAIT_MS; !condition(); await sleep(5)) {
    assert.ok(performance.now() < limit, `never: ${what}`)
  }
}

interface Programmed {
  readonly kind: string
  readonly seconds: number
}

async function follow(t: TestContext) {
  const store = new Store({ version: 1000 })
  store.apply('namespaces', namespace('shop'))
  store.apply('services', service('shop', 'vip', '10.96.0.1'))
  store.apply('services', service('shop', 'hl', 'None'))
  store.apply('endpointslices', triggered('listed', 'vip', ['10.1.0.1'], 1_000_000))
  const server = await startApiServer({ streamingLists: 'on', store })
  const files = new KubeconfigFolder()
  const programmed: Programmed[] = []
  const writer = new IndexWriter(createRegion(2 ** 20), { readerCount: 1 })
  const index = new ClusterIndex(writer, {
    zones: ['cluster.local'],
    multiclusterZones: [],
    reverseZones: [],
    ttl: 5,
    namespaces: null,
    schema: PLAIN,
    listenAddresses: [],
  })
  const failures: string[] = []
  const feed = new LiveFeed(
    {
      connection: { kubeconfig: files.writeSimple(server.url), context: '' },
      resources: ['namespaces', 'services', 'endpointslices'],
      labelSelector: '',
      namespaceSelector: '',
      podNames: false,
      zones: false,
      qps: 0,
      burst: 0,
      maxInflight: 0,
      auditIntervalMs: 0,
      pageSize: 100,
      streamingLists: false,
    },
    index,
    false,
    {
      log: () => {},
      onSynced: () => {},
      onListed: () => {},
      onPublished: () => {},
      onProgrammed: (kind, seconds) => programmed.push({ kind, seconds }),
      onFailed: (error) => failures.push(error.message),
    },
  )
  t.after(async () => {
    await feed.stop()
    await server.close()
    files.remove()
    assert.deepEqual(failures, [])
  })
  feed.start()
  await until('everything is watched', () => feed.status.synced && server.watchCount === 3)
  return { store, server, feed, index, programmed }
}

test('a live feed: changes that say when they happened, and only those that are news', LIMIT, async (t) => {
  const { store, feed, index, programmed } = await follow(t)
  const served = (address: string) => () =>
    [...index.state.objects('slices')].some(([, , packed]) => packed.includes(address)) && index.state.changeCount === 0
  assert.equal(programmed.length, 0, 'what was listed is no change')
  store.apply('endpointslices', triggered('a', 'vip', ['10.1.0.2'], 3_600_000))
  store.apply('endpointslices', triggered('b', 'hl', ['10.1.0.3'], 7_200_000))
  await until('two changes are told', () => programmed.length === 2)
  assert.deepEqual(
    programmed.map(({ kind }) => kind),
    ['cluster_ip', 'headless_with_selector'],
  )
  for (const [i, hours] of [1, 2].entries()) {
    const late: number = programmed[i].seconds - 3600 * hours
    assert.ok(late >= 0 && late < WAIT_MS / 1000, String(late))
  }
  // Nothing of it is served any differently; then without a time, of nobody, and gone.
  const labelled = triggered('a', 'vip', ['10.1.0.2'], 1000)
  store.apply('endpointslices', { ...labelled, metadata: { ...labelled.metadata, annotations: { other: 'x' } } })
  store.apply('endpointslices', triggered('a', 'vip', ['10.1.0.2'], 1000))
  store.apply('endpointslices', slice('shop', 'c', 'vip', ['10.1.0.4']))
  store.apply('endpointslices', triggered('d', 'nobody', ['10.1.0.5'], 1000))
  store.remove('endpointslices', 'shop/a')
  store.apply('endpointslices', slice('shop', 'e', 'vip', ['10.1.0.6']))
  await until('the last change is served', served('10.1.0.6'))
  await sleep(20)
  assert.equal(programmed.length, 2, JSON.stringify(programmed))
  assert.ok(feed.status.synced)
})

test('a live feed: what was asked', LIMIT, async (t) => {
  const { feed, server } = await follow(t)
  // Three lists and three watches.
  const answered = () => Number(feed.status.requests[0]?.codes['200'] ?? 0)
  await until('six requests', () => answered() === 6)
  const [totals, ...others] = feed.status.requests
  assert.deepEqual(others, [])
  assert.equal(totals.host, new URL(server.url).host)
  const { counts, sum } = totals.durations
  assert.equal(
    counts.reduce((a, b) => a + b),
    6,
  )
  assert.ok(sum > 0 && sum < WAIT_MS / 1000)
  assert.equal(totals.waits.counts[0], 6)
})
