// The measurement of HTTP endpoints, against servers whose answers and delays are known.

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, test } from 'node:test'
import { readOptions } from '../../bench/http/options.ts'
import { type HttpSample, httpFigures } from '../../bench/http/report.ts'
import { type HttpResult, request } from '../../bench/http/requests.ts'
import { wrongAt } from '../../bench/http/server.ts'
import { percentileMicros } from '../../src/load/histogram.ts'
import { histogramOf } from '../load/run-result.ts'

const servers: Server[] = []
after(() => {
  for (const server of servers) server.close()
})

async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener).listen(0, '127.0.0.1')
  servers.push(server)
  await once(server, 'listening')
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
}

test('responses, failures, octets and latencies are counted', async () => {
  const delayMs = 5
  let asked = 0
  const url = await serve((_request, response) => {
    const status = asked++ % 5 === 4 ? 503 : 200
    setTimeout(() => response.writeHead(status).end('x'.repeat(1000)), delayMs)
  })
  const { answered, failed, octets, seconds, latency, clientShare } = await request(url, 4, 0.3)
  const all = answered + failed
  // Those under way when the time is over are never counted.
  assert.ok(all > 4 && asked - all >= 0 && asked - all <= 4, `${all} counted of ${asked}`)
  assert.ok(Math.abs(failed - all / 5) <= 4, `${failed} of ${all} failed`)
  assert.equal(latency.totalCount, all)
  assert.ok(percentileMicros(latency, 0) >= delayMs * 1000 * 0.8 && percentileMicros(latency, 50) < 100_000)
  assert.ok(octets > all * 1000 && octets < all * 1500)
  assert.ok(seconds >= 0.29 && seconds < 5)
  assert.ok(clientShare > 0 && clientShare <= 1)
})

test('a server that is not there fails every request', async () => {
  const url = await serve(() => {})
  await new Promise((resolve) => servers.pop()!.close(resolve))
  const { answered, failed } = await request(url, 2, 0.1)
  assert.equal(answered, 0)
  assert.ok(failed > 0)
  assert.match(await wrongAt(url, 'OK'), /./)
})

test('an endpoint is well when it says so', async () => {
  const url = await serve(({ url }, response) => response.writeHead(url === '/' ? 200 : 503).end('all OK\n'))
  assert.equal(await wrongAt(url, 'OK'), '')
  assert.equal(await wrongAt(url, 'ready'), "it does not say 'ready'")
  assert.equal(await wrongAt(`${url}no`, 'OK'), 'status 503')
})

test('figures: requests, queries beside, queries alone', () => {
  const http: HttpResult = {
    seconds: 2,
    answered: 1000,
    failed: 3,
    octets: 0,
    latency: histogramOf(200_000, 1003),
    clientShare: 0.5,
  }
  const queries = { sent: 2000, lost: 1, wrong: 0, latency: histogramOf(100_000, 2000) }
  const sample: HttpSample = {
    endpoint: 'health',
    dnsRate: 0,
    round: 0,
    http,
    queries: null,
    serverCpuNs: 50e6,
    seconds: 2,
  }
  const figures = httpFigures([
    sample,
    { ...sample, round: 1, serverCpuNs: 100e6, http: { ...http, answered: 0 } },
    { ...sample, dnsRate: 500, queries },
    { ...sample, endpoint: '', dnsRate: 500, http: null, queries },
  ])
  const found = Object.fromEntries(figures.map(({ name, better, values }) => [name, [better, values.map(Math.round)]]))
  assert.deepEqual(found, {
    '/health: rate': ['higher', [500, 0]],
    '/health: p50': ['lower', [200, 200]],
    '/health: p99': ['lower', [200, 200]],
    '/health: CPU': ['lower', [50, Number.NaN]],
    '/health: failed': ['lower', [3, 3]],
    '/health beside 500 queries/s: rate': ['higher', [500]],
    '/health beside 500 queries/s: p50': ['lower', [200]],
    '/health beside 500 queries/s: p99': ['lower', [200]],
    '/health beside 500 queries/s: CPU': ['lower', [50]],
    '/health beside 500 queries/s: failed': ['lower', [3]],
    '/health beside 500 queries/s: p50 of the queries': ['lower', [100]],
    '/health beside 500 queries/s: p99 of the queries': ['lower', [100]],
    '/health beside 500 queries/s: queries lost': ['lower', [500]],
    '500 queries/s: p50 of the queries': ['lower', [100]],
    '500 queries/s: p99 of the queries': ['lower', [100]],
    '500 queries/s: queries lost': ['lower', [500]],
  })
})

test('the command line', () => {
  assert.equal(readOptions(['--help']), undefined)
  const quick = readOptions(['--quick', '--dns', '500', '--endpoints', 'ready,metrics', '--json'])
  assert.deepEqual(
    [quick?.rounds, quick?.seconds, quick?.dnsRate, quick?.endpoints, quick?.isRecorded, quick?.jsonPath],
    [2, 1, 500, ['metrics', 'ready'], true, ''],
  )
  const cases: [argv: string[], message: RegExp][] = [
    [['--endpoints', 'pprof'], /--endpoints: 'pprof' is none of metrics,health,ready/],
    [['--connections', '0'], /--connections: '0' is not in 1\.\.1000/],
    [['--seconds', 'x'], /--seconds: 'x' is not in/],
  ]
  for (const [argv, message] of cases) assert.throws(() => readOptions(argv), message)
})
