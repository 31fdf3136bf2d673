// Is there anybody: over every transport, a server that answers is found, and what is wrong with one that does not is said in a line.

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { after, test } from 'node:test'
import { createServer as createTlsServer } from 'node:tls'
import { LoadInputError } from '../../src/load/input-error.ts'
import { type ProbeOptions, probe } from '../../src/load/probe.ts'
import type { Target, Transport } from '../../src/load/run.ts'
import {
  certificate,
  closeServers,
  httpsServer,
  listen,
  refused,
  streamListener,
  udpServer,
} from './stand-in-servers.ts'
import { makeCertificate, trust } from './streams/certificate.ts'
import { answer, FramedServer } from './streams/framed-server.ts'
import { HttpsServer, answer as respond } from './streams/https-server.ts'

/** `a. A` and `b. A`. */
const QUERIES = [97, 98].map((letter) => Uint8Array.of(0, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, letter, 0, 0, 1, 0, 1))
const TRUSTED = makeCertificate('dns.test', 'DNS:dns.test')
trust(TRUSTED)
const FAST: ProbeOptions = { timeoutMs: 80 }

after(closeServers)

function target(transport: Transport, port: number, more: Partial<Target> = {}): Target {
  const label = `127.0.0.1:${port}`
  return {
    label,
    address: '127.0.0.1',
    port,
    transport,
    serverName: '',
    path: '/dns-query',
    verifiesCertificate: false,
    ...more,
  }
}

/** A port that nobody has. */
async function closedPort(): Promise<number> {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  await new Promise((done) => server.close(done))
  return port
}

async function fails(to: Target, cause: string | RegExp, options?: ProbeOptions): Promise<void> {
  const expected = cause instanceof RegExp ? cause : undefined
  await assert.rejects(probe(to, QUERIES, options), (error) => {
    assert.ok(error instanceof LoadInputError)
    const start = `server ${to.label} over ${to.transport.toUpperCase()}: `
    assert.ok(error.message.startsWith(start), error.message)
    assert.doesNotMatch(error.message, /\n/)
    if (expected === undefined) assert.equal(error.message.slice(start.length), cause)
    else assert.match(error.message.slice(start.length), expected)
    return true
  })
}

test('a server that answers, whatever it says, is there', async () => {
  await probe(target('udp', await udpServer(refused)), QUERIES, FAST)
  await probe(target('tcp', await listen(createServer(streamListener(refused)))), QUERIES, FAST)
  await probe(target('tls', await listen(createTlsServer(certificate, streamListener(refused)))), QUERIES)
  await probe(target('https', await httpsServer(200, refused)), QUERIES)
})

test('nobody listens', async () => {
  for (const transport of ['udp', 'tcp', 'tls', 'https'] as const) {
    await fails(target(transport, await closedPort()), 'connection refused')
  }
})

test('no answer within three tries', async () => {
  let asked = 0
  const silent = await udpServer(() => {
    asked++
    return null
  })
  await fails(target('udp', silent), 'no answer within 3 tries', FAST)
  assert.equal(asked, 3)
  const mute = await listen(createServer((socket) => void socket.resume()))
  for (const transport of ['tcp', 'tls', 'https'] as const) {
    await fails(target(transport, mute), 'no answer within 3 tries', FAST)
  }
})

test('one answer is enough, to the last try and to another question', async () => {
  const third = await udpServer((query, n) => (n === 2 ? refused(query) : null))
  await probe(target('udp', third), QUERIES, FAST)
  const picky = await udpServer((query) => (query[13] === 98 ? refused(query) : null))
  await probe(target('udp', picky), QUERIES, FAST)
  await fails(target('udp', third), 'no answer within 2 tries', { ...FAST, tries: 2 })
})

test('what is no response is none', async () => {
  await fails(target('udp', await udpServer((query) => query)), 'no answer within 3 tries', FAST)
  const other = (query: Uint8Array): Uint8Array => refused(query).fill(0, 0, 2)
  await fails(target('udp', await udpServer(other)), 'no answer within 3 tries', FAST)
  const echo = await listen(
    createTlsServer(
      certificate,
      streamListener((query) => query),
    ),
  )
  await fails(target('tls', echo), 'what comes back is no DNS response')
  await fails(target('https', await httpsServer(200, (query) => query)), 'what comes back is no DNS response')
  const text = await httpsServer(200, () => Buffer.from('<html>'), 'text/html')
  await fails(target('https', text), 'what is at /dns-query is no DNS (content type text/html)')
})

test('what is wrong with a stream', async () => {
  const plain = await listen(createServer((socket) => void socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')))
  await fails(target('tls', plain), 'it does not speak TLS')
  await fails(target('https', plain), 'it does not speak TLS')
  const closes = await listen(
    createTlsServer(
      certificate,
      streamListener(() => null),
    ),
  )
  await fails(target('tls', closes), 'the connection was closed')
  await fails(target('https', await httpsServer(404, refused)), 'HTTP 404 at /dns-query')
  await fails(target('https', await httpsServer(200, refused), { path: '/other' }), 'HTTP 400 at /other')
  const old = await listen(
    createTlsServer(
      { ...certificate, ALPNProtocols: ['http/1.1'] },
      streamListener(() => null),
    ),
  )
  await fails(target('https', old), 'it does not speak this protocol over TLS')
})

test('certificates are checked unless --insecure', async () => {
  for (const [transport, port] of [
    ['tls', await listen(createTlsServer(certificate, streamListener(refused)))],
    ['https', await httpsServer(200, refused)],
  ] as const) {
    const checked = target(transport, port, { verifiesCertificate: true, serverName: 'dns.test' })
    await fails(checked, /^its certificate is not good: .+ \(--insecure does without\)$/)
    await probe({ ...checked, verifiesCertificate: false }, QUERIES)
  }
})

for (const transport of ['tls', 'https'] as const) {
  test(`${transport}: an authority of the system is trusted, as it is under load`, async () => {
    const server =
      transport === 'tls' ? await FramedServer.open(answer, TRUSTED) : await HttpsServer.open(respond, TRUSTED)
    try {
      const checked = target(transport, server.port, { verifiesCertificate: true, serverName: 'dns.test' })
      await probe(checked, QUERIES)
      await fails({ ...checked, serverName: 'other.test' }, /^its certificate is not good: .*other\.test/)
    } finally {
      server.close()
    }
  })
}

test('a name is told with its address', async () => {
  const port = await closedPort()
  const named = { ...target('udp', port), label: 'dns.test' }
  await assert.rejects(
    probe(named, QUERIES),
    new LoadInputError(`server dns.test (127.0.0.1:${port}) over UDP: connection refused`),
  )
})
