import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { request } from 'node:http'
import { test } from 'node:test'
import { gunzipSync } from 'node:zlib'
import { openEndpoint } from '../../src/admin/endpoints.ts'
import { Histogram } from '../../src/admin/histogram.ts'
import { ProgrammingTimes, restSamples } from '../../src/admin/kubernetes-metrics.ts'
import { FAMILIES, PUBLISH_BOUNDS, REST_BOUNDS } from '../../src/admin/metric-families.ts'
import { type MetricsSources, metricsHandler, metricsText } from '../../src/admin/metrics.ts'
import type { CounterSample, HistogramSample } from '../../src/counting/values.ts'
import { REQUEST_SECONDS } from '../../src/kube/watch/request-totals.ts'
import { createCounters, planCounters, QueryCounters, readCounters } from '../../src/workers/counters.ts'

const PROMTOOL = '/usr/bin/promtool'
const ZERO = { received: 0, answered: 0, silent: 0, resumed: 0, sendErrors: 0 }
const MESSAGES = { ...ZERO, receiveErrors: 0, connections: 0, refused: 0, timeouts: 0 }
const NOTHING: MetricsSources = {
  build: { version: '0.1.0', revision: '' },
  queries: () => ({ counters: new Map(), histograms: new Map() }),
  plugins: () => [],
  panics: () => 0,
  reloads: () => ({ failed: 0, fingerprint: '' }),
  health: () => ({ durations: new Histogram([0.00025, 0.0025, 0.025, 0.25, 2.5]).sample(''), failures: 0 }),
  hosts: () => ({ entries: [], readAt: 0 }),
  server: () => ({
    indexes: [],
    publish: null,
    socketDrops: 0,
    workerRestarts: 0,
    logLinesDropped: 0,
    messages: MESSAGES,
  }),
  more: () => [],
}

/** Something of everything. */
function busySources(): MetricsSources {
  const server = 'dns://:53'
  const group = { server, zone: '.', view: '', plugins: ['', 'kubernetes', 'forward'] }
  const plan = planCounters([
    {
      ...group,
      events: [
        { name: 'acl_allowed_requests_total', labels: {} },
        { name: 'dns64_requests_translated_total', labels: {} },
        { name: 'local_localhost_requests_total', labels: {} },
        { name: 'template_matches_total', labels: { class: 'IN', type: 'A' } },
      ],
    },
    { ...group, zone: 'x.', events: [{ name: 'acl_allowed_requests_total', labels: {} }] },
  ])
  const memory = createCounters(plan, 1)
  const counters = new QueryCounters(plan, memory, 0)
  for (const bucket of [0.0001, 0.003, 9]) counters.duration(0, bucket, 1)
  counters.query(0, 0, 0, 1, 54, 1)
  counters.query(0, 1, 1, 28, 1500, 0)
  counters.reply(0, 0, 0, 1, 106)
  counters.reply(0, 1, 2, 0, 65000)
  for (let event = 0; event < 4; event++) counters.event(0, event)
  counters.event(1, 0)
  counters.batch(17)
  const publish = new Histogram(PUBLISH_BOUNDS)
  publish.observe(0.002)
  const programming = new ProgrammingTimes()
  programming.observe('cluster_ip', 0.5)
  programming.observe('headless_with_selector', 1e6)
  const counts = REST_BOUNDS.map(() => 0).concat(1)
  const totals = {
    host: '10.96.0.1:443',
    codes: { 200: 3, 410: 1 },
    durations: { counts, sum: 11 },
    waits: { counts, sum: 11 },
  }
  const index = { index: 'cluster', version: 7, names: 100, liveBytes: 1, reservedBytes: 2, limboBytes: 3 }
  return {
    ...NOTHING,
    queries: () => readCounters(plan, memory),
    plugins: () => [
      { server, zone: '.', view: '', name: 'kubernetes' },
      { server, zone: '.', view: '', name: 'kubernetes' },
      { server, zone: '.', view: 'a"b\\c\nd', name: 'errors' },
    ],
    reloads: () => ({ failed: 2, fingerprint: 'abc' }),
    hosts: () => ({ entries: [{ file: '/etc/hosts', count: 9 }], readAt: 1.7e9 }),
    server: () => ({
      ...NOTHING.server(),
      indexes: [{ ...index, isComplete: true, ageSeconds: 0.5 }],
      publish: publish.sample(''),
      socketDrops: 5,
    }),
    *more(): Iterable<CounterSample | HistogramSample> {
      yield* programming.samples()
      yield* restSamples([totals])
      for (const { name, kind, labels, bounds } of FAMILIES) {
        if (!/^coredns_(?:cache|proxy|forward|template_|acl_b|acl_f|acl_d|autopath|dns_(?:h|q))/.test(name)) continue
        const some = Object.fromEntries(labels.map((label) => [label, 'x']))
        if (kind === 'histogram') yield { name, labels: some, counts: [...bounds.map(() => 1), 2], sum: 3 }
        else yield { name, labels: some, value: 1 }
      }
      yield { name: 'no_such_family', labels: {}, value: 1 }
    },
  }
}

/** `name{labels}` -> value, labels sorted. */
function samplesOf(text: string): Map<string, string> {
  const samples = new Map<string, string>()
  for (const line of text.split('\n')) {
    const parts = /^([a-z_0-9]+)(?:\{(.*)\})? (\S+)$/.exec(line)
    if (parts === null) continue
    const labels = [...(parts[2] ?? '').matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(([whole]) => whole).sort()
    const key = labels.length === 0 ? parts[1] : `${parts[1]}{${labels.join(',')}}`
    assert.ok(!samples.has(key), `${key} comes twice`)
    samples.set(key, parts[3])
  }
  return samples
}

test('what is there before anything has happened', async () => {
  const { text, contentType } = await metricsText(NOTHING)
  assert.equal(contentType, 'text/plain; version=0.0.4; charset=utf-8')
  const samples = samplesOf(text)
  const zero = [
    ...['panics_total', 'reload_failed_total', 'health_request_failures_total', 'forward_healthcheck_broken_total'],
    ...['forward_max_concurrent_rejects_total', 'local_localhost_requests_total', 'hosts_reload_timestamp_seconds'],
    ...['health_request_duration_seconds_count', 'health_request_duration_seconds_bucket{le="+Inf"}'],
    ...['health_request_duration_seconds_bucket{le="2.5"}', 'nodecache_setup_errors_total{errortype="iptables"}'],
  ]
  for (const name of zero) assert.equal(samples.get(`coredns_${name}`), '0', name)
  const build = `coredns_build_info{goversion="${process.version}",revision="",version="0.1.0"}`
  assert.equal(samples.get(build), '1')
  for (const name of ['cpu_seconds_total', 'resident_memory_bytes', 'virtual_memory_bytes', 'open_fds', 'max_fds']) {
    assert.ok(Number(samples.get(`process_${name}`)) > 0, name)
  }
  const started = Number(samples.get('process_start_time_seconds'))
  assert.ok(Math.abs(started - (Date.now() / 1000 - process.uptime())) < 10)
  // Labelled families appear with the first event.
  assert.doesNotMatch(text, /coredns_dns_|coredns_cache_|coredns_proxy_/)
})

test('what came to a cache is what it answered and what it did not', async () => {
  const labels = { server: 'dns://:53', zone: '.', view: '', zones: '.' }
  const sample = (name: string, value: number, more = {}): [string, CounterSample] => {
    const key = `${name}${JSON.stringify(more)}`
    return [key, { name, labels: { ...labels, ...more }, value }]
  }
  const counters = new Map([
    sample('cache_hits_total', 5, { type: 'success' }),
    sample('cache_hits_total', 2, { type: 'denial' }),
    sample('cache_misses_total', 10),
    sample('cache_hits_total', 100, { type: 'success', zone: 'example.org.' }),
  ])
  const { text } = await metricsText({ ...NOTHING, queries: () => ({ counters, histograms: new Map() }) })
  const samples = samplesOf(text)
  const block = 'server="dns://:53"'
  const rest = 'view="",zones="."'
  assert.equal(samples.get(`coredns_cache_hits_total{${block},type="success",${rest}}`), '105')
  assert.equal(samples.get(`coredns_cache_requests_total{${block},${rest}}`), '117')
  assert.equal(samples.get(`coredns_cache_misses_total{${block},${rest}}`), '10')
})

test('what was counted, with the labels of its family', async () => {
  const { text } = await metricsText(busySources())
  const samples = samplesOf(text)
  const block = 'server="dns://:53",view="",zone="."'
  const cases: [key: string, value: string][] = [
    [`coredns_dns_requests_total{family="1",proto="udp",${block.replace(',v', ',type="A",v')}}`, '1'],
    [`coredns_dns_requests_total{family="2",proto="tcp",${block.replace(',v', ',type="AAAA",v')}}`, '1'],
    [`coredns_dns_responses_total{plugin="kubernetes",rcode="NOERROR",${block}}`, '1'],
    [`coredns_dns_responses_total{plugin="",rcode="SERVFAIL",${block}}`, '1'],
    [`coredns_dns_do_requests_total{${block}}`, '1'],
    [`coredns_dns_request_duration_seconds_bucket{le="0.00025",${block}}`, '1'],
    [`coredns_dns_request_duration_seconds_bucket{le="0.0005",${block}}`, '1'],
    [`coredns_dns_request_duration_seconds_bucket{le="0.004",${block}}`, '2'],
    [`coredns_dns_request_duration_seconds_bucket{le="8.192",${block}}`, '2'],
    [`coredns_dns_request_duration_seconds_bucket{le="+Inf",${block}}`, '3'],
    [`coredns_dns_request_duration_seconds_count{${block}}`, '3'],
    [`coredns_dns_request_duration_seconds_sum{${block}}`, '9.0031'],
    [`coredns_dns_request_size_bytes_bucket{le="100",proto="udp",${block}}`, '1'],
    [`coredns_dns_response_size_bytes_bucket{le="64000",proto="tcp",${block}}`, '0'],
    [`coredns_dns_response_size_bytes_sum{proto="tcp",${block}}`, '65000'],
    // Without the label zone: both blocks' together.
    ['coredns_acl_allowed_requests_total{server="dns://:53",view=""}', '2'],
    ['coredns_dns64_requests_translated_total{server="dns://:53"}', '1'],
    ['coredns_local_localhost_requests_total', '1'],
    [`coredns_template_matches_total{class="IN",${block.replace(',v', ',type="A",v')}}`, '1'],
    [`coredns_plugin_enabled{name="kubernetes",${block}}`, '1'],
    ['coredns_plugin_enabled{name="errors",server="dns://:53",view="a\\"b\\\\c\\nd",zone="."}', '1'],
    ['coredns_reload_version_info{hash="sha512",value="abc"}', '1'],
    ['coredns_reload_failed_total', '2'],
    ['coredns_hosts_entries{hostsfile="/etc/hosts"}', '9'],
    ['coredns_hosts_reload_timestamp_seconds', '1700000000'],
    ['coredns_kubernetes_dns_programming_duration_seconds_bucket{le="0.512",service_kind="cluster_ip"}', '1'],
    [
      'coredns_kubernetes_dns_programming_duration_seconds_bucket{le="524.288",service_kind="headless_with_selector"}',
      '0',
    ],
    ['coredns_kubernetes_rest_client_requests_total{code="410",host="10.96.0.1:443",method="GET"}', '1'],
    ['coredns_kubernetes_rest_client_request_duration_seconds_count{host="10.96.0.1:443",verb="GET"}', '1'],
    ['coredns_proxy_request_duration_seconds_count{proxy_name="x",rcode="x",to="x"}', '18'],
    ['peregrine_index_bytes{index="cluster",state="limbo"}', '3'],
    ['peregrine_index_publish_duration_seconds_bucket{le="0.003"}', '1'],
    ['peregrine_batch_messages_bucket{le="32"}', '1'],
    ['peregrine_batch_messages_bucket{le="16"}', '0'],
    ['peregrine_socket_drops_total', '5'],
  ]
  for (const [key, value] of cases) assert.equal(samples.get(key), value, key)
  assert.doesNotMatch(text, /no_such_family|undefined| Na[Nn]$/m)
})

test('families have the names, labels and buckets that dashboards know', () => {
  const time = '0.00025 0.0005 0.001 0.002 0.004 0.008 0.016 0.032 0.064 0.128 0.256 0.512 1.024 2.048 4.096 8.192'
  const size = '0 100 200 300 400 511 1023 2047 4095 8291 16000 32000 48000 64000'
  const rest = '0.005 0.01 0.025 0.05 0.1 0.25 0.5 1 2.5 5 10'
  const cases: [name: string, labels: string, bounds: string][] = [
    ['dns_request_duration_seconds', 'server,zone,view', time],
    ['dns_request_size_bytes', 'server,zone,view,proto', size],
    ['dns_response_size_bytes', 'server,zone,view,proto', size],
    ['proxy_request_duration_seconds', 'proxy_name,to,rcode', time],
    ['forward_request_duration_seconds', 'to,rcode', time],
    ['health_request_duration_seconds', '', '0.00025 0.0025 0.025 0.25 2.5'],
    ['kubernetes_rest_client_request_duration_seconds', 'verb,host', rest],
    ['kubernetes_rest_client_rate_limiter_duration_seconds', 'verb,host', rest],
    ['dns_requests_total', 'server,zone,view,proto,family,type', ''],
    ['dns_responses_total', 'server,zone,view,rcode,plugin', ''],
    ['plugin_enabled', 'server,zone,view,name', ''],
    ['cache_hits_total', 'server,type,zones,view', ''],
    ['cache_misses_total', 'server,zones,view', ''],
    ['cache_served_stale_total', 'server,zones,view', ''],
  ]
  for (const [name, labels, bounds] of cases) {
    const family = FAMILIES.find((each) => each.name === `coredns_${name}`)
    assert.equal(family?.labels.join(','), labels, name)
    assert.equal(family?.bounds.join(' '), bounds, name)
  }
  assert.equal(new Set(FAMILIES.map(({ name }) => name)).size, FAMILIES.length)
  // What the feed counts is what the family says.
  assert.deepEqual(REQUEST_SECONDS, REST_BOUNDS)
  const programming = FAMILIES.find(({ name }) => name.endsWith('programming_duration_seconds'))
  assert.equal(programming?.bounds.length, 20)
  assert.equal(programming?.bounds.at(-1), 524.288)
})

test('promtool finds nothing to say', { skip: !existsSync(PROMTOOL) }, async () => {
  for (const sources of [NOTHING, busySources()]) {
    const { text } = await metricsText(sources)
    const { status, stderr, stdout } = spawnSync(PROMTOOL, ['check', 'metrics'], { input: text, encoding: 'utf8' })
    assert.equal(stderr + stdout, '')
    assert.equal(status, 0)
  }
})

test('OpenMetrics when asked, and gzip', async () => {
  const { text, contentType } = await metricsText(busySources(), true)
  assert.match(contentType, /^application\/openmetrics-text; version=1\.0\.0/)
  assert.ok(text.endsWith('\n# EOF\n'))
  assert.doesNotMatch(text, /\n\n/)
  assert.match(text, /^# TYPE coredns_panics counter\ncoredns_panics_total 0$/m)
  assert.match(text, /_size_bytes_bucket\{[^}]*le="100\.0"/)
  const endpoint = await openEndpoint({ host: '127.0.0.1', port: 0 }, new Map([['/metrics', metricsHandler(NOTHING)]]))
  const cases: [accept: string, encoding: string, isOpenMetrics: boolean, isZipped: boolean][] = [
    ['', '', false, false],
    ['*/*', 'gzip, deflate', false, true],
    ['application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1', 'gzip', true, true],
    ['application/openmetrics-text;version=1.0.0;q=0.4,text/plain;version=0.0.4;q=0.5', 'gzip;q=0', false, false],
    ['application/openmetrics-text;version=0.0.1', 'gzip;q=0.5', false, true],
    ['text/html', 'deflate', false, false],
  ]
  for (const [accept, encoding, isOpenMetrics, isZipped] of cases) {
    const headers = {
      ...(accept === '' ? {} : { accept }),
      ...(encoding === '' ? {} : { 'accept-encoding': encoding }),
    }
    const asked = request({ port: endpoint.port, host: '127.0.0.1', path: '/metrics', headers, agent: false }).end()
    const [response] = await once(asked, 'response')
    const body = Buffer.concat(await response.toArray())
    assert.equal(response.statusCode, 200)
    assert.equal(response.headers['content-type'].startsWith('application/openmetrics-text'), isOpenMetrics, accept)
    assert.equal(response.headers['content-encoding'] === 'gzip', isZipped, encoding)
    const content = (isZipped ? gunzipSync(body) : body).toString()
    assert.match(content, /^coredns_panics_total 0$/m)
  }
  await endpoint.close()
})
