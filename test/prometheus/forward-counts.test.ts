// What metrics say of forwarding and of caches against what clients and upstreams saw, in a process of its own; and that nothing goes back when
// the configuration is loaded again. Corefile reference 11.2.

import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Answer } from 'dns-packet'
import { CorefileServer } from '../corefile/corefile-server.ts'
import { a, LyingUpstream, replyTo, silent } from '../forward/lying-upstream.ts'
import { assertGrown, Exposition, type Labels } from './exposition.ts'
import { freePorts } from './prometheus-process.ts'
import { compareWithReference } from './reference.ts'

const SOA: Answer = {
  type: 'SOA',
  name: 'example',
  ttl: 300,
  data: { mname: 'ns.example', rname: 'admin.example', serial: 1, refresh: 1, retry: 1, expire: 1, minimum: 300 },
}
const A = 1
const NS = 2
const UNIQUE_NAMES = 2500
const AT_ONCE = 50

let port: number
let limited: number
let metrics: number
let upstream: LyingUpstream
let mute: LyingUpstream
let server: CorefileServer

function corefile(more = ''): string {
  return `
    .:${port} {
      prometheus 127.0.0.1:${metrics}
      errors
      loop
      cache {
        success 1024 3600 1
        denial 1024 3600 1
        prefetch 1 1m 90%
        serve_stale 1h
      }
      forward . ${upstream.to} {
        force_tcp
        ${more}
      }
    }
    .:${limited} {
      prometheus 127.0.0.1:${metrics}
      errors
      cache 30 example other.test {
        success 1024 30 1
        serve_stale 1h verify 200ms
      }
      forward . ${mute.to} {
        max_concurrent 1
        read_timeout 1500ms
        max_connect_attempts 1
      }
    }`
}

async function page(): Promise<Exposition> {
  return new Exposition((await server.get('/metrics', metrics, {}, '127.0.0.1')).body)
}

async function ask(name: string, at = port): Promise<string> {
  const { rcode, answer } = await server.ask({ name: `${name}.`, type: 'A' }, { port: at })
  return answer.length > 0 ? answer.map(({ data }) => data).join() : rcode
}

/** A sample of the block on `at`. */
function cached(of: Exposition, name: string, more: Labels = {}, at = port): number {
  const labels = { server: `dns://:${at}`, zones: at === port ? '.' : 'example.,other.test.', view: '', ...more }
  return of.value(`coredns_cache_${name}`, labels) ?? 0
}

/** A sample of an upstream. */
function above(of: Exposition, name: string, more: Labels = {}, to = upstream.to): number {
  return (
    of.value(`coredns_${name}`, { to, ...(name.startsWith('proxy') ? { proxy_name: 'forward' } : {}), ...more }) ?? 0
  )
}

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 30_000
  while (!(await condition()) && Date.now() < deadline) await sleep(20)
}

/** How much `measure` has grown while `work` was done. */
async function growth(
  work: () => Promise<void>,
  measures: Readonly<Record<string, (of: Exposition) => number>>,
): Promise<Record<string, number>> {
  const first = await page()
  await work()
  const second = await page()
  assertGrown(first, second)
  return Object.fromEntries(Object.entries(measures).map(([key, of]) => [key, of(second) - of(first)]))
}

/** Queries of clients that came to the upstream. Others' tests may send to all ports of this machine; over TCP nobody does. */
function asked(): readonly unknown[] {
  return upstream.asked.filter(({ type, proto }) => type === A && proto === 'tcp')
}

const MEASURES = {
  requests: (of: Exposition) => cached(of, 'requests_total'),
  success: (of: Exposition) => cached(of, 'hits_total', { type: 'success' }),
  denial: (of: Exposition) => cached(of, 'hits_total', { type: 'denial' }),
  misses: (of: Exposition) => cached(of, 'misses_total'),
  prefetch: (of: Exposition) => cached(of, 'prefetch_total'),
  stale: (of: Exposition) => cached(of, 'served_stale_total'),
  drops: (of: Exposition) => cached(of, 'drops_total'),
  upstream: (of: Exposition) => above(of, 'forward_requests_total'),
}
const NOTHING = { requests: 0, success: 0, denial: 0, misses: 0, prefetch: 0, stale: 0, drops: 0, upstream: 0 }

describe('metrics of forward and cache', { concurrency: false }, () => {
  before(async () => {
    ;[port, limited, metrics] = await freePorts(3)
    upstream = await LyingUpstream.open((asked) => {
      const { name, type } = asked
      if (type === 13) asked.send(replyTo(asked, { type: 'HINFO', rcode: 3 }))
      else if (name.startsWith('gone')) asked.send(replyTo(asked, { rcode: 3, authorities: [SOA] }))
      else if (name.startsWith('wrong')) asked.send(replyTo(asked, { name: 'other.example' }))
      else asked.send(replyTo(asked, { answers: [a(name, '192.0.2.1', name.startsWith('short') ? 1 : 300)] }))
    })
    mute = await LyingUpstream.open(silent)
    server = await CorefileServer.start({ text: corefile(), port, manifests: [] })
    // The server's own query for `loop`.
    await until(async () => above(await page(), 'forward_requests_total') > 0)
  })

  after(async () => {
    server?.kill()
    await Promise.all([upstream?.close(), mute?.close()])
  })

  test('hits and misses are what clients asked, exchanges what the upstream saw', async () => {
    const before = asked().length
    const grown = await growth(async () => {
      for (let k = 0; k < 4; k++) assert.equal(await ask('www.example'), '192.0.2.1')
      for (let k = 0; k < 3; k++) assert.equal(await ask('gone.example'), 'NXDOMAIN')
    }, MEASURES)
    assert.equal(asked().length - before, 2)
    assert.deepEqual(grown, { ...NOTHING, requests: 7, success: 3, denial: 2, misses: 2, upstream: 2 })
    const now = await page()
    const durations = 'proxy_request_duration_seconds_count'
    assert.equal(
      above(now, durations, { rcode: 'NOERROR' }),
      above(now, 'forward_responses_total', { rcode: 'NOERROR' }),
    )
    assert.ok(above(now, durations, { rcode: 'NXDOMAIN' }) >= 1)
    assert.equal(cached(now, 'entries', { type: 'success' }), 1)
    assert.ok(cached(now, 'entries', { type: 'denial' }) >= 1)
    const sent = ['hits', 'misses'].map((what) => above(now, `proxy_conn_cache_${what}_total`, { proto: 'tcp' }))
    // A slow machine has probes, which are not counted here.
    const exchanges = upstream.asked.filter(({ type, proto }) => type !== NS && proto === 'tcp')
    assert.equal(
      sent[0] + sent[1],
      exchanges.length,
      exchanges.map(({ name, type, connection }) => `${name} ${type} ${connection}`).join('; '),
    )
    assert.ok(sent[1] >= 1 && sent[1] <= upstream.connectionCount)
    assert.equal(above(now, 'forward_conn_cache_hits_total', { proto: 'tcp' }), sent[0])
    compareWithReference(now)
  })

  test('an entry that is asked for often is renewed before it runs out', async () => {
    await ask('short-and-often.example')
    const grown = await growth(async () => {
      for (let k = 0; k < 4; k++) {
        await ask('short-and-often.example')
        await sleep(150)
      }
    }, MEASURES)
    assert.ok(grown.prefetch >= 1, JSON.stringify(grown))
  })

  test('an entry that has run out is served stale, and renewed', async () => {
    await ask('short.example')
    await sleep(1500)
    const exchanges = MEASURES.upstream(await page())
    const grown = await growth(async () => {
      const before = asked().length
      assert.equal(await ask('short.example'), '192.0.2.1')
      await until(async () => asked().length > before && MEASURES.upstream(await page()) > exchanges)
    }, MEASURES)
    assert.equal(grown.stale, 1)
    assert.equal(grown.requests, 1)
    assert.equal(grown.success, 1)
    assert.equal(grown.upstream, 1)
  })

  test('a reply to another question is dropped', async () => {
    const grown = await growth(async () => assert.equal(await ask('wrong.example'), 'FORMERR'), MEASURES)
    assert.equal(grown.misses, 1)
    assert.equal(grown.drops, 1)
  })

  test('an upstream that is silent by now: what has run out is served late, and counted', async () => {
    mute.behavior = (asked) => asked.send(replyTo(asked, { answers: [a(asked.name, '192.0.2.3', 1)] }))
    assert.equal(await ask('verified.example', limited), '192.0.2.3')
    mute.behavior = silent
    await sleep(1500)
    const grown = await growth(async () => assert.equal(await ask('verified.example', limited), '192.0.2.3'), {
      stale: (of) => cached(of, 'served_stale_total', {}, limited),
      misses: (of) => cached(of, 'misses_total', {}, limited),
    })
    assert.deepEqual(grown, { stale: 1, misses: 1 })
    // Until nothing is asked any more: attempts take so long.
    await sleep(2500)
  })

  test('a full cache evicts', async () => {
    const grown = await growth(
      async () => {
        for (let k = 0; k < UNIQUE_NAMES; k += AT_ONCE) {
          await Promise.all(Array.from({ length: AT_ONCE }, (_, i) => ask(`host-${k + i}.example`)))
        }
      },
      { ...MEASURES, evictions: (of) => cached(of, 'evictions_total', { type: 'success' }) },
    )
    assert.equal(grown.misses, UNIQUE_NAMES)
    assert.equal(grown.upstream, UNIQUE_NAMES)
    const entries = cached(await page(), 'entries', { type: 'success' })
    assert.ok(entries >= 900 && entries <= 1024, `${entries} entries`)
    assert.ok(Math.abs(UNIQUE_NAMES + 3 - entries - grown.evictions) <= 3, JSON.stringify({ ...grown, entries }))
  })

  test('over the limit of concurrent queries, and an upstream that never answers', async () => {
    const grown = await growth(
      async () => {
        const first = ask('a.example', limited)
        await until(() => mute.asked.some(({ name }) => name === 'a.example'))
        assert.equal(await ask('b.example', limited), 'REFUSED')
        assert.equal(await first, 'SERVFAIL')
        await until(async () => above(await page(), 'proxy_healthcheck_failures_total', {}, mute.to) > 2)
        await ask('c.example', limited)
      },
      {
        rejects: (of) => of.value('coredns_forward_max_concurrent_rejects_total')!,
        broken: (of) => of.value('coredns_forward_healthcheck_broken_total')!,
        answers: (of) => above(of, 'forward_requests_total', {}, mute.to),
        misses: (of) => cached(of, 'misses_total', {}, limited),
      },
    )
    // It may have been down since the test before.
    assert.ok(grown.broken >= 1 && grown.broken <= 2, JSON.stringify(grown))
    assert.deepEqual({ ...grown, broken: 1 }, { rejects: 1, broken: 1, answers: 0, misses: 3 })
  })

  test('a reload takes nothing back, and the cache is kept if nothing about it has changed', async () => {
    const evictions = (of: Exposition): number => cached(of, 'evictions_total', { type: 'success' })
    await ask('kept.example')
    const first = await page()
    const mark = server.mark
    server.signal('SIGUSR1')
    await server.line(/Reloading complete/, mark)
    const second = await page()
    assertGrown(first, second)
    assert.equal(evictions(second), evictions(first))
    const grown = await growth(async () => assert.equal(await ask('kept.example'), '192.0.2.1'), MEASURES)
    assert.equal(grown.success, 1)
    const again = server.mark
    server.write(corefile('max_fails 3'))
    server.signal('SIGUSR1')
    await server.line(/Reloading complete/, again)
    const third = await page()
    assertGrown(second, third)
    assert.equal(evictions(third), evictions(first))
    assert.equal(cached(third, 'entries', { type: 'success' }), 0)
    const renewed = await growth(async () => assert.equal(await ask('kept.example'), '192.0.2.1'), MEASURES)
    assert.equal(renewed.misses, 1)
    assert.equal(renewed.upstream, 1)
  })
})
