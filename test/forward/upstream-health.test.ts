// Health checks: when they begin and end, what is asked, and what follows from an upstream that is down.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openAsking, openUpstream, until } from './asking.ts'
import { type Asked, a, type Behavior, honest, LyingUpstream, replyTo, silent } from './lying-upstream.ts'

const INTERVAL = { intervalMs: 40, recursionDesired: true, domain: '.' }
const isProbe = ({ type }: Asked): boolean => type === 2
/** Silent to everything, or to queries alone. */
const silentTo =
  (what: (asked: Asked) => boolean): Behavior =>
  (asked) => {
    if (!what(asked)) honest(asked)
  }
const second: Behavior = (asked) => asked.send(replyTo(asked, { answers: [a(asked.name, '192.0.2.2')] }))

test('no probe while all is well, and none with max_fails 0', async (t) => {
  const upstream = await openUpstream(t)
  await openAsking(t, [upstream.port], { healthCheck: INTERVAL }).ask()
  const dead = await openUpstream(t, silent)
  await openAsking(t, [dead.port], { healthCheck: INTERVAL, maxFails: 0, readTimeoutMs: 50 }).ask()
  await new Promise((resolve) => setTimeout(resolve, 200))
  assert.equal([...upstream.asked, ...dead.asked].filter(isProbe).length, 0)
})

test('probes begin with an error and end with the first reply, of whatever code', async (t) => {
  const upstream = await openUpstream(t, (asked) => {
    if (isProbe(asked) && upstream.asked.filter(isProbe).length === 3) asked.send(replyTo(asked, { rcode: 5 }))
  })
  const asking = openAsking(t, [upstream.port], {
    healthCheck: { ...INTERVAL, recursionDesired: false, domain: 'probe.example.' },
    readTimeoutMs: 50,
    maxFails: 5,
  })
  await asking.ask()
  // Each is given a second.
  await until(() => upstream.asked.filter(isProbe).length === 3)
  await new Promise((resolve) => setTimeout(resolve, 200))
  const probes = upstream.asked.filter(isProbe)
  assert.equal(probes.length, 3)
  assert.equal(probes[0].name, 'probe.example')
  assert.equal(probes[0].message[2] & 1, 0, 'no_rec')
  assert.equal(asking.counters().get(`proxy_healthcheck_failures_total forward ${upstream.to}`), 2)
})

test('an answer to a query ends the probes too', async (t) => {
  let isDead = true
  const upstream = await openUpstream(
    t,
    silentTo((asked) => isDead || isProbe(asked)),
  )
  const asking = openAsking(t, [upstream.port], { healthCheck: INTERVAL, readTimeoutMs: 50 })
  assert.match(await asking.ask(), /^SERVFAIL/)
  await until(() => upstream.asked.some(isProbe))
  isDead = false
  assert.equal(await asking.ask(), 'NOERROR 192.0.2.1')
  const count = upstream.asked.filter(isProbe).length
  await new Promise((resolve) => setTimeout(resolve, 1200))
  assert.equal(upstream.asked.filter(isProbe).length, count)
  assert.equal(asking.counters().get(`proxy_healthcheck_failures_total forward ${upstream.to}`), undefined)
})

test('an upstream whose answers are no good but to probes is probed once in an interval', async (t) => {
  const upstream = await openUpstream(t, (asked) => {
    if (isProbe(asked)) honest(asked)
    else asked.send(replyTo(asked).subarray(0, -1))
  })
  const asking = openAsking(t, [upstream.port], { healthCheck: { ...INTERVAL, intervalMs: 60_000 } })
  for (let i = 0; i < 30; i++) assert.match(await asking.ask(), /malformed reply$/)
  assert.equal(upstream.asked.filter(isProbe).length, 1)
})

test('probes go the way that queries go', async (t) => {
  for (const [forceTcp, proto] of [
    [false, 'udp'],
    [true, 'tcp'],
  ] as const) {
    const upstream = await openUpstream(
      t,
      silentTo((asked) => !isProbe(asked)),
    )
    const asking = openAsking(t, [upstream.port], { healthCheck: INTERVAL, forceTcp, readTimeoutMs: 50 })
    await asking.ask()
    await until(() => upstream.asked.some(isProbe))
    const probe = upstream.asked.find(isProbe)
    assert.equal(probe?.proto, proto)
    assert.equal(probe.message[2] & 1, 1)
  }
})

test('an upstream that is down is passed over, and asked again when it is back', async (t) => {
  const port = await freePort()
  const other = await openUpstream(t, second)
  const asking = openAsking(t, [port, other.port], { healthCheck: INTERVAL })
  assert.equal(await asking.ask(), 'NOERROR 192.0.2.2')
  await until(() => asking.log.length === 1)
  assert.match(asking.log[0], /^\[WARNING\] plugin\/forward: upstream 127\.0\.0\.1:\d+ is down/)
  // max_fails 2: three have failed.
  assert.equal(asking.counters().get(`proxy_healthcheck_failures_total forward 127.0.0.1:${port}`), 3)
  const sent = () => asking.counters().get(`proxy_conn_cache_misses_total forward 127.0.0.1:${port} udp`)
  const before = sent()
  for (let i = 0; i < 20; i++) assert.equal(await asking.ask(), 'NOERROR 192.0.2.2')
  assert.equal(sent(), before)
  const back = await LyingUpstream.open(honest, { port })
  t.after(() => back.close())
  await until(() => asking.log.length === 2)
  assert.match(asking.log[1], /^\[INFO\] plugin\/forward: upstream 127\.0\.0\.1:\d+ is back/)
  assert.equal(await asking.ask(), 'NOERROR 192.0.2.1')
  assert.equal(asking.counters().get('forward_healthcheck_broken_total'), undefined)
})

test('all down: one of them is asked all the same, or nobody at all with failfast', async (t) => {
  for (const failfast of [false, true]) {
    const ports = [await freePort(), await freePort()]
    const asking = openAsking(t, ports, { healthCheck: INTERVAL, failfastAllUnhealthyUpstreams: failfast })
    await asking.ask()
    await until(() => asking.log.length === 2)
    const expected = failfast ? /^SERVFAIL: no healthy proxies$/ : /^SERVFAIL: read udp .*: connection refused$/
    assert.match(await asking.ask(), expected)
    assert.ok((asking.counters().get('forward_healthcheck_broken_total') ?? 0) >= 1)
  }
})

test('killed and started again under load: every query is answered, or SERVFAIL in time', async (t) => {
  let upstream = await LyingUpstream.open()
  t.after(() => upstream.close())
  const { port } = upstream
  const asking = openAsking(t, [port], { healthCheck: INTERVAL, readTimeoutMs: 300 })
  const said = new Map<string, number>()
  let isOver = false
  const client = async (n: number): Promise<void> => {
    for (let i = 0; !isOver; i++) {
      const answer = await asking.ask({ name: `n${n}-${i}.example.`, stream: n % 4 === 0 })
      const kind = answer.replace(/: .*/, '')
      said.set(kind, (said.get(kind) ?? 0) + 1)
      if (kind !== 'NOERROR 192.0.2.1') await new Promise((resolve) => setTimeout(resolve, 5))
    }
  }
  const clients = Promise.all(Array.from({ length: 16 }, (_, n) => client(n)))
  for (let i = 0; i < 3; i++) {
    await new Promise((resolve) => setTimeout(resolve, 150))
    await upstream.close()
    await new Promise((resolve) => setTimeout(resolve, 150))
    upstream = await LyingUpstream.open(honest, { port })
  }
  await until(() => upstream.asked.length > 100)
  isOver = true
  await clients
  assert.deepEqual([...said.keys()].sort(), ['NOERROR 192.0.2.1', 'SERVFAIL'])
  assert.equal(await asking.ask(), 'NOERROR 192.0.2.1')
})

/** A port with nobody there. */
async function freePort(): Promise<number> {
  const upstream = await LyingUpstream.open()
  await upstream.close()
  return upstream.port
}
