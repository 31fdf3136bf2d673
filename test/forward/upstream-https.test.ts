// Upstreams over HTTPS (RFC 8484), against Node's own HTTP/2 server with a certificate made here.

import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import {
  createSecureServer,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, type TestContext, test } from 'node:test'
import { decode, encode, type Question } from 'dns-packet'
import { openAsking, until } from './asking.ts'
import { a } from './lying-upstream.ts'

const directory = mkdtempSync(join(tmpdir(), 'upstream-https-'))
after(() => rmSync(directory, { recursive: true }))
const [cert, key] = [join(directory, 'cert'), join(directory, 'key')]
const subject = ['-subj', '/CN=dns.example', '-addext', 'subjectAltName=DNS:dns.example', '-days', '2', '-nodes']
const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256']
execFileSync('openssl', ['req', '-x509', ...curve, ...subject, '-keyout', key, '-out', cert], { stdio: 'ignore' })

type Handler = (stream: ServerHttp2Stream, headers: IncomingHttpHeaders, message: Buffer) => void

class HttpsUpstream {
  port = 0
  readonly requests: { method: string; path: string; id: number; name: string }[] = []
  readonly sessions = new Set<ServerHttp2Session>()
  sessionCount = 0
  handler: Handler = answer

  static async open(t: TestContext): Promise<HttpsUpstream> {
    const upstream = new HttpsUpstream()
    const server = createSecureServer({ cert: readFileSync(cert), key: readFileSync(key) })
    server.on('sessionError', () => {})
    server.on('session', (session) => {
      upstream.sessionCount++
      upstream.sessions.add(session)
      session.on('close', () => upstream.sessions.delete(session))
    })
    server.on('stream', (stream, headers) => {
      const chunks: Buffer[] = []
      stream.on('error', () => {})
      stream.on('data', (chunk: Buffer) => chunks.push(chunk))
      stream.on('end', () => {
        const { ':method': method = '', ':path': path = '' } = headers
        const dns = /[?&]dns=([\w-]+)/.exec(path)?.[1]
        const message = dns === undefined ? Buffer.concat(chunks) : Buffer.from(dns, 'base64url')
        const { id = -1, questions = [] } = decode(message)
        upstream.requests.push({ method, path: path.replace(/\?.*/, ''), id, name: questions[0].name })
        upstream.handler(stream as ServerHttp2Stream, headers, message)
      })
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    upstream.port = (server.address() as { port: number }).port
    t.after(() => {
      for (const session of upstream.sessions) session.destroy()
      server.close()
    })
    return upstream
  }
}

const replyTo = (message: Buffer): Buffer => {
  const questions = decode(message).questions as Question[]
  return encode({ type: 'response', id: 0, questions, answers: [a(questions[0].name, '192.0.2.1')] })
}
const answer: Handler = (stream, _headers, message) => {
  stream.respond({ ':status': 200, 'content-type': 'application/dns-message' })
  stream.end(replyTo(message))
}
const config = (port: number, serverName = 'dns.example') => ({
  upstreams: [{ transport: 'https' as const, host: '127.0.0.1', port, serverName }],
  tls: { cert: '', key: '', ca: cert },
  maxFails: 0,
})

test('POST and GET, many at a time over one connection', async (t) => {
  for (const dohMethod of ['POST', 'GET'] as const) {
    const upstream = await HttpsUpstream.open(t)
    const asking = openAsking(t, [], { ...config(upstream.port), dohMethod })
    const names = Array.from({ length: 200 }, (_, i) => `n${i}.example.`)
    const said = await Promise.all(names.map((name) => asking.ask({ name })))
    assert.deepEqual([...new Set(said)], ['NOERROR 192.0.2.1'])
    assert.equal(upstream.sessionCount, 1)
    assert.deepEqual(
      [...new Set(upstream.requests.map(({ method, path, id }) => `${method} ${path} ${id}`))],
      [`${dohMethod} /dns-query 0`],
    )
    assert.equal(new Set(upstream.requests.map(({ name }) => name)).size, 200)
  }
})

test('what is no answer', async (t) => {
  const cases: [handler: Handler, said: RegExp][] = [
    [(stream) => stream.respond({ ':status': 404 }, { endStream: true }), /^SERVFAIL: read tcp .*: status 404$/],
    [
      (stream) => {
        stream.respond({ ':status': 200, 'content-type': 'text/html' })
        stream.end('<p>no')
      },
      /^SERVFAIL: read tcp .*: content of type text\/html$/,
    ],
    [
      (stream) => {
        stream.respond({ ':status': 200, 'content-type': 'application/dns-message' })
        stream.end(Buffer.alloc(70_000))
      },
      /^SERVFAIL: read tcp .*: a message of more than 65535 octets$/,
    ],
    [
      (stream, _headers, message) => {
        stream.respond({ ':status': 200, 'content-type': 'application/dns-message' })
        stream.end(replyTo(message).subarray(0, -1))
      },
      /^SERVFAIL: read tcp .*: malformed reply$/,
    ],
    [() => {}, /^SERVFAIL: read tcp .*: i\/o timeout$/],
    [(stream) => stream.close(8), /^SERVFAIL: read tcp .*/],
    [(stream) => stream.session?.destroy(), /^SERVFAIL: read tcp .*/],
  ]
  for (const [handler, said] of cases) {
    const upstream = await HttpsUpstream.open(t)
    upstream.handler = handler
    const asking = openAsking(t, [], { ...config(upstream.port), readTimeoutMs: 300, maxConnectAttempts: 1 })
    assert.match(await asking.ask(), said)
    // And it goes on with a connection that works.
    upstream.handler = answer
    assert.equal(await asking.ask(), 'NOERROR 192.0.2.1')
  }
})

test('the certificate must be right; nobody there; a connection that is unused is closed', async (t) => {
  const upstream = await HttpsUpstream.open(t)
  const other = openAsking(t, [], config(upstream.port, 'other.example'))
  assert.match(await other.ask(), /^SERVFAIL: dial tcp .*: .*other\.example/)
  assert.equal(upstream.requests.length, 0)
  const nobody = openAsking(t, [], config(1))
  assert.equal(await nobody.ask(), 'SERVFAIL: dial tcp 127.0.0.1:1: connection refused')
  const asking = openAsking(t, [], { ...config(upstream.port), expireMs: 200 })
  assert.equal(await asking.ask(), 'NOERROR 192.0.2.1')
  await until(() => upstream.sessions.size === 0)
  assert.equal(await asking.ask(), 'NOERROR 192.0.2.1')
  assert.equal(asking.counters().get(`proxy_conn_cache_misses_total forward 127.0.0.1:${upstream.port} tcp-tls`), 2)
})
