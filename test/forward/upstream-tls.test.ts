// Upstreams over TLS: whom is trusted, by which name, and what is used again. The certificates are made here.

import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import type { Upstream } from '../../src/config/configuration.ts'
import { Asking, openAsking, openUpstream, until } from './asking.ts'
import { honest } from './lying-upstream.ts'

const directory = mkdtempSync(join(tmpdir(), 'upstream-tls-'))
after(() => rmSync(directory, { recursive: true }))
const file = (name: string): string => join(directory, name)

/** A certificate of its own authority. */
function certificate(name: string, alternatives: string): { cert: string; key: string } {
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes']
  const subject = ['-subj', `/CN=${name}`, '-addext', `subjectAltName=${alternatives}`, '-days', '2']
  execFileSync(
    'openssl',
    ['req', '-x509', ...curve, ...subject, '-keyout', file(`${name}.key`), '-out', file(`${name}.crt`)],
    {
      stdio: 'ignore',
    },
  )
  return { cert: readFileSync(file(`${name}.crt`), 'utf8'), key: readFileSync(file(`${name}.key`), 'utf8') }
}

const named = certificate('dns', 'DNS:dns.example,IP:127.0.0.1')
const client = certificate('client', 'DNS:client.example')
const ca = { cert: '', key: '', ca: file('dns.crt') }

const at = (port: number, serverName = ''): Upstream[] => [{ transport: 'tls', host: '127.0.0.1', port, serverName }]

test('a query over TLS, and the next over the same connection', async (t) => {
  const upstream = await openUpstream(t, honest, { tls: named })
  const asking = openAsking(t, [], { upstreams: at(upstream.port), tls: ca, tlsServername: 'dns.example' })
  assert.equal(await asking.ask(), 'NOERROR 192.0.2.1')
  assert.equal(await asking.ask({ stream: true }), 'NOERROR 192.0.2.1')
  assert.deepEqual(
    upstream.asked.map(({ proto, connection }) => `${proto} ${connection}`),
    ['tls 0', 'tls 0'],
  )
  const counters = asking.counters()
  assert.equal(counters.get(`proxy_conn_cache_misses_total forward ${upstream.to} tcp-tls`), 1)
  assert.equal(counters.get(`proxy_conn_cache_hits_total forward ${upstream.to} tcp-tls`), 1)
})

test('whose certificate is taken', async (t) => {
  const upstream = await openUpstream(t, honest, { tls: named })
  const cases: [why: string, config: object, said: string | RegExp][] = [
    ['its name by tls_servername', { tlsServername: 'dns.example', tls: ca }, 'NOERROR 192.0.2.1'],
    ['its name behind %', { upstreams: at(upstream.port, 'dns.example'), tls: ca }, 'NOERROR 192.0.2.1'],
    ['without a name: its address', { tls: ca }, 'NOERROR 192.0.2.1'],
    ['another name', { tlsServername: 'other.example', tls: ca }, /^SERVFAIL: dial tcp .*: tls: .*other\.example/],
    ['another address', { tlsServername: '127.0.0.2', tls: ca }, /^SERVFAIL: dial tcp .*: tls: .*127\.0\.0\.2/],
    [
      "an authority that is not the system's",
      { tlsServername: 'dns.example' },
      /^SERVFAIL: dial tcp .*: tls: self-signed/,
    ],
    [
      'another authority',
      { tlsServername: 'dns.example', tls: { ...ca, ca: file('client.crt') } },
      /^SERVFAIL: dial tcp .*: tls: .*self-signed/,
    ],
  ]
  for (const [why, config, said] of cases) {
    const asking = openAsking(t, [], { upstreams: at(upstream.port), maxFails: 0, ...config })
    const got = await asking.ask()
    if (typeof said === 'string') assert.equal(got, said, why)
    else assert.match(got, said, why)
  }
})

test('a certificate of our own, for an upstream that asks for one', async (t) => {
  const asks = { ...named, requestCert: true, rejectUnauthorized: true, ca: client.cert }
  const upstream = await openUpstream(t, honest, { tls: asks })
  const ours = { cert: file('client.crt'), key: file('client.key'), ca: file('dns.crt') }
  assert.equal(await openAsking(t, [], { upstreams: at(upstream.port), tls: ours }).ask(), 'NOERROR 192.0.2.1')
  assert.match(await openAsking(t, [], { upstreams: at(upstream.port), tls: ca, maxFails: 0 }).ask(), /^SERVFAIL: /)
})

test('the next connection resumes the session', async (t) => {
  const upstream = await openUpstream(t, honest, { tls: named })
  const asking = openAsking(t, [], { upstreams: at(upstream.port), tls: ca })
  for (let i = 0; i < 3; i++) {
    assert.equal(await asking.ask(), 'NOERROR 192.0.2.1')
    // The ticket comes behind the handshake, before or behind the answer.
    await new Promise((resolve) => setTimeout(resolve, 30))
    upstream.dropConnections()
    await until(() => upstream.openConnections === 0)
  }
  assert.deepEqual([upstream.connectionCount, upstream.resumedCount], [3, 2])
})

test('an upstream without TLS, and one that never says a word: the next one is asked', async (t) => {
  // It waits for a message as long as the first octets of the handshake say.
  const plain = await openUpstream(t)
  const upstream = await openUpstream(t, honest, { tls: named })
  const config = { tls: ca, maxFails: 0, readTimeoutMs: 300 }
  const alone = openAsking(t, [], { upstreams: at(plain.port), ...config })
  assert.equal(await alone.ask(), `SERVFAIL: dial tcp ${plain.to}: i/o timeout`)
  const both = openAsking(t, [], { upstreams: [...at(plain.port), ...at(upstream.port)], ...config })
  assert.equal(await both.ask(), 'NOERROR 192.0.2.1')
  assert.equal(plain.asked.length, 0)
})

test('files that are no certificates', () => {
  writeFileSync(file('empty'), 'nothing')
  const upstreams = at(853)
  const cases: [tls: typeof ca, error: RegExp][] = [
    [{ ...ca, ca: file('missing') }, /^Error: plugin\/forward: TLS with .*missing: ENOENT/],
    [{ cert: file('empty'), key: file('empty'), ca: '' }, /^Error: plugin\/forward: TLS with .*empty.*: /],
  ]
  for (const [tls, error] of cases) assert.throws(() => new Asking([], { upstreams, tls }), error)
})
