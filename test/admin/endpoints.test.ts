import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { request as secureRequest } from 'node:https'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { EndpointError, Endpoints, openEndpoint, send } from '../../src/admin/endpoints.ts'
import { HealthCheck, healthHandler, healthUrl } from '../../src/admin/health.ts'
import { HealthRecord, lameduck } from '../../src/admin/health-record.ts'
import { createLogger, type Logger } from '../../src/admin/logger.ts'
import { Readiness, readyHandler } from '../../src/admin/ready.ts'
import { readWebConfig, WebConfigError } from '../../src/admin/web-config.ts'

interface Got {
  readonly status: number
  readonly body: string
  readonly type: string | undefined
}

function get(port: number, path: string, method = 'GET'): Promise<Got> {
  return new Promise((resolve, reject) => {
    const asked = request({ port, path, method, host: '127.0.0.1', agent: false }, (response) => {
      let body = ''
      response.on('data', (chunk) => {
        body += chunk
      })
      response.on('end', () => {
        resolve({ status: response.statusCode ?? 0, body, type: response.headers['content-type'] })
      })
    })
    asked.on('error', reject)
    asked.end()
  })
}

function listLogger(): { logger: Logger; lines: string[] } {
  const lines: string[] = []
  return { lines, logger: createLogger((text) => lines.push(text.trimEnd())) }
}

const LOCAL = { host: '127.0.0.1', port: 0 }

test('paths of one address share a server; any method is answered; others are 404', async () => {
  const readiness = new Readiness(false)
  let isReady = false
  readiness.add('kubernetes', () => isReady)
  readiness.add('kubernetes', () => true)
  readiness.add('acme', () => isReady)
  const { logger, lines } = listLogger()
  const endpoints = new Endpoints()
  await endpoints.apply([
    { address: LOCAL, path: '/health', handler: healthHandler },
    { address: LOCAL, path: '/ready', handler: readyHandler(() => readiness, logger) },
  ])
  const port = endpoints.portOf(LOCAL)!
  const type = 'text/plain; charset=utf-8'
  assert.deepEqual(await get(port, '/health'), { status: 200, body: 'OK', type })
  assert.deepEqual(await get(port, '/health?verbose=1', 'POST'), { status: 200, body: 'OK', type })
  assert.deepEqual(await get(port, '/health', 'HEAD'), { status: 200, body: '', type })
  assert.deepEqual(await get(port, '/ready'), { status: 503, body: 'acme,kubernetes', type })
  assert.deepEqual(lines, ['[INFO] plugin/ready: Plugins not ready: "acme,kubernetes"'])
  isReady = true
  assert.deepEqual(await get(port, '/ready'), { status: 200, body: 'OK', type })
  isReady = false // until-ready: never asked again
  assert.equal((await get(port, '/ready')).status, 200)
  assert.equal((await get(port, '/metrics')).status, 404)
  assert.equal((await get(port, '/health/')).status, 404)
  await endpoints.remove('/ready')
  assert.equal((await get(port, '/ready')).status, 404)
  assert.equal((await get(port, '/health')).status, 200)
  await endpoints.remove('/health')
  await assert.rejects(get(port, '/health'), { code: 'ECONNREFUSED' })
})

test('monitor continuously asks again', () => {
  let isReady = true
  const readiness = new Readiness(true)
  readiness.add('kubernetes', () => isReady)
  assert.deepEqual(readiness.waitingFor(), [])
  isReady = false
  assert.deepEqual(readiness.waitingFor(), ['kubernetes'])
})

test('over a reload a server stays, with other paths; what cannot be had changes nothing', async () => {
  const endpoints = new Endpoints()
  const say = (text: string) => ({ address: LOCAL, path: '/x', handler: healthHandlerOf(text) })
  await endpoints.apply([say('one')])
  const port = endpoints.portOf(LOCAL)!
  await endpoints.apply([say('two'), say('three')])
  assert.equal(endpoints.portOf(LOCAL), port)
  assert.equal((await get(port, '/x')).body, 'two')
  const nowhere = { address: { host: '192.0.2.1', port: 0 }, path: '/x', handler: healthHandlerOf('four') }
  const other = { ...say('six'), address: { host: '127.0.0.2', port: 0 } }
  await assert.rejects(endpoints.apply([other, nowhere, say('five')]), EndpointError)
  assert.equal(endpoints.portOf(other.address), undefined)
  assert.equal((await get(port, '/x')).body, 'two')
  await endpoints.apply([])
  await assert.rejects(get(port, '/x'), { code: 'ECONNREFUSED' })
})

test('a handler that throws is 500, and the server lives', async () => {
  const broken = (): never => {
    throw new Error('broken')
  }
  const endpoint = await openEndpoint({ host: 'localhost', port: 0 }, new Map([['/x', broken]]))
  assert.deepEqual(await get(endpoint.port, '/x'), { status: 500, body: 'broken', type: 'text/plain; charset=utf-8' })
  assert.equal((await get(endpoint.port, '/y')).status, 404)
  await endpoint.close()
})

test('SO_REUSEPORT: a successor may listen beside us', { skip: process.platform !== 'linux' }, async () => {
  const first = await openEndpoint(LOCAL, new Map())
  const second = await openEndpoint({ host: '127.0.0.1', port: first.port }, new Map())
  assert.equal(second.port, first.port)
  await Promise.all([first.close(), second.close()])
})

test('octets that are no HTTP do no harm', async () => {
  const endpoint = await openEndpoint(LOCAL, new Map([['/health', healthHandler]]))
  await new Promise<void>((resolve, reject) => {
    const socket = connect(endpoint.port, '127.0.0.1', () => socket.write('\0\x01\x02 nonsense\r\n\r\n'))
    socket.on('close', () => resolve())
    socket.on('error', () => resolve())
    socket.setTimeout(5000, () => reject(new Error('not closed')))
    socket.resume()
  })
  assert.equal((await get(endpoint.port, '/health')).status, 200)
  await endpoint.close()
})

test('the process asks itself, and tells failures and slowness', async () => {
  const { logger, lines } = listLogger()
  const record = new HealthRecord()
  const endpoint = await openEndpoint(LOCAL, new Map([['/health', healthHandler]]))
  const address = { host: '127.0.0.1', port: endpoint.port }
  const check = new HealthCheck(address, record, logger)
  await check.ask()
  assert.deepEqual(lines, [])
  assert.equal(sumOf(record), 1)
  endpoint.setRoutes(
    new Map([['/health', async (_, response) => setTimeout(() => send(response, 200, 'OK'), 1050) && undefined]]),
  )
  await check.ask()
  assert.match(
    lines[0],
    /^\[WARNING\] plugin\/health: Local health request to "http:\/\/127\.0\.0\.1:\d+\/health" took more than 1s: 1\.\d+s$/,
  )
  const impatient = new HealthCheck(address, record, logger, { intervalMs: 5, limitMs: 50 })
  await impatient.ask()
  assert.match(lines[1], /^\[WARNING\] plugin\/health: Local health request to "http:\/\/[^"]+" failed: \S/)
  await endpoint.close()
  await impatient.ask()
  assert.match(lines[2], /failed: .*ECONNREFUSED/)
  assert.equal(record.failures, 2)
  assert.equal(sumOf(record), 4)
})

test('URLs of the endpoint', () => {
  const cases: [host: string, url: string][] = [
    ['', 'http://localhost:8080/health'],
    ['0.0.0.0', 'http://localhost:8080/health'],
    ['169.254.20.10', 'http://169.254.20.10:8080/health'],
    ['::1', 'http://[::1]:8080/health'],
  ]
  for (const [host, url] of cases) assert.equal(healthUrl({ host, port: 8080 }), url)
})

test('lameduck says so, and can be cut short', { timeout: 5000 }, async () => {
  const { logger, lines } = listLogger()
  await lameduck(0, logger)
  const ended = new AbortController()
  const waiting = lameduck(5000_000, logger, ended.signal)
  ended.abort()
  await waiting
  assert.deepEqual(lines, ['[INFO] plugin/health: Going into lameduck mode for 1h23m20s'])
})

const directory = mkdtempSync(join(tmpdir(), 'peregrine-web-'))
after(() => rmSync(directory, { recursive: true }))

test('TLS by a web configuration; what would go unheeded is an error', async () => {
  const subject = [
    '-subj',
    '/CN=localhost',
    '-days',
    '1',
    '-keyout',
    join(directory, 'key'),
    '-out',
    join(directory, 'cert'),
  ]
  execFileSync(
    'openssl',
    ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', ...subject],
    {
      stdio: 'ignore',
    },
  )
  const file = join(directory, 'web.yaml')
  const read = (text: string) => {
    writeFileSync(file, text)
    return readWebConfig(file)
  }
  const good = read('tls_server_config:\n  cert_file: cert\n  key_file: key\n  min_version: TLS13\n')
  const endpoint = await openEndpoint(LOCAL, new Map([['/metrics', healthHandler]]), good)
  const body = await new Promise<string>((resolve, reject) => {
    const options = {
      port: endpoint.port,
      path: '/metrics',
      host: '127.0.0.1',
      ca: readFileSync(join(directory, 'cert')),
    }
    const asked = secureRequest({ ...options, servername: 'localhost', agent: false }, (response) => {
      response.on('data', (chunk) => resolve(String(chunk)))
    })
    asked.on('error', reject)
    asked.end()
  })
  assert.equal(body, 'OK')
  await endpoint.close()
  const bad: [text: string, message: RegExp][] = [
    ['', /the input is empty/],
    ['[]', /not a mapping/],
    ['tls_server_config: {cert_file: cert}', /cert_file and key_file are needed/],
    ['tls_server_config: {cert_file: cert, key_file: none}', /ENOENT/],
    [
      'tls_server_config: {cert_file: cert, key_file: key, cipher_suites: [X]}',
      /setting cipher_suites is not supported/,
    ],
    [
      'tls_server_config: {cert_file: cert, key_file: key}\nbasic_auth_users: {me: $2y$10$x}',
      /passwords are not checked/,
    ],
    [
      'tls_server_config: {cert_file: cert, key_file: key, client_auth_type: RequireAndVerifyClientCert}',
      /client_ca_file/,
    ],
    ['tls_server_config: [', /web\.yaml: /],
    ['nonsense: 1', /unknown setting nonsense/],
  ]
  for (const [text, message] of bad) {
    assert.throws(
      () => read(text),
      (error: Error) => error instanceof WebConfigError && message.test(error.message),
      text,
    )
  }
  assert.throws(() => readWebConfig(join(directory, 'missing')), /missing: ENOENT/)
})

function healthHandlerOf(text: string): typeof healthHandler {
  return (_request, response) => send(response, 200, text)
}

function sumOf(record: HealthRecord): number {
  return record.durations().counts.reduce((a, b) => a + b)
}
