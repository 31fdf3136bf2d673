// `cache` with prefetch and serve_stale as a user of the server sees them, and its entries over a reload: Corefile reference 5.7 and line 9 of its
// acceptance list. One server, a block for each way to configure a cache. Time is real, so all cases run at once.

import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { replyTo } from '../forward/lying-upstream.ts'
import { FLAG, type Response } from '../server/wire.ts'
import { CorefileServer, freePort, WAIT_MS } from './corefile-server.ts'
import { address, afterwards, denial, failure, type Script, ScriptedUpstream, said, WAYS } from './scripted-upstream.ts'

const FORWARD = `forward . UPSTREAM {
        read_timeout 1s
        max_connect_attempts 1
        max_fails 0
    }`
const BLOCKS: Readonly<Record<string, string>> = {
  prefetch: 'cache {\nsuccess 1000 4 1\ndenial 1000 1 1\nprefetch 2 1m 50%\n}',
  stale: 'cache {\nsuccess 1000 1 1\ndenial 1000 1 1\nserve_stale 1h immediate 7\n}',
  positive: 'cache {\nsuccess 1000 1 1\nserve_stale\nserve_stale_policy prefer_positive\n}',
  brief: 'cache {\nsuccess 1000 1 1\nserve_stale 1s\n}',
  verify: 'cache {\nsuccess 1000 1 1\nserve_stale 1h verify\n}',
  patient: 'cache {\nsuccess 1000 1 1\nserve_stale 1h verify 100ms\n}',
}

let upstream: ScriptedUpstream
let server: CorefileServer
let metrics: number

async function ask(name: string): Promise<Response> {
  return await server.ask({ name, type: 'A' })
}

async function asked(name: string): Promise<string> {
  return said(await ask(name))
}

/** Asks until the answer is as expected: what happens behind an answer takes its time. */
async function becomes(name: string, expected: string): Promise<void> {
  let last = ''
  for (const deadline = performance.now() + 10_000; performance.now() < deadline; await sleep(20)) {
    last = await asked(name)
    if (last === expected) return
  }
  assert.equal(last, expected)
}

for (const { title, lines, flags } of WAYS) {
  describe(`prefetch and serve_stale, ${title}`, { concurrency: true, timeout: WAIT_MS }, () => {
    before(
      async () => {
        upstream = await ScriptedUpstream.open()
        metrics = await freePort()
        const text = Object.entries(BLOCKS).map(([zone, cache]) => {
          const all = [lines, 'bind 127.0.0.1', 'errors', `prometheus 127.0.0.1:${metrics}`, cache]
          return `${zone}.test {\n${all.join('\n')}\n${FORWARD.replace('UPSTREAM', upstream.lying.to)}\n}\n`
        })
        server = await CorefileServer.start({ text: text.join(''), manifests: [], flags })
      },
      { timeout: WAIT_MS },
    )
    after(async () => {
      server?.kill()
      await upstream?.close()
    })

    test('prefetch: once before the end, for names that are asked for', async () => {
      await asked('rare.prefetch.test')
      assert.equal(await asked('often.prefetch.test'), 'NOERROR ra: 4 A 192.0.2.1')
      await ask('often.prefetch.test')
      await ask('often.prefetch.test')
      assert.equal(upstream.count('often.prefetch.test'), 1)
      await sleep(2200)
      // Less than half is left: each of these is a hit, and one of them has it refreshed.
      const answers = [await ask('often.prefetch.test'), await ask('often.prefetch.test')]
      for (const { flags } of answers) assert(flags & FLAG.AA)
      await becomes('often.prefetch.test', 'NOERROR aa,ra: 4 A 192.0.2.2')
      assert.equal(upstream.count('often.prefetch.test'), 2)
      assert.equal(upstream.count('rare.prefetch.test'), 1)
      assert((await counted('coredns_cache_prefetch_total', 'prefetch.test.')) >= 1)
    })

    test('prefetch that fails does not hide what is valid', async () => {
      const name = 'failing.prefetch.test'
      upstream.scripts.set(name, (n, asked) => (n === 1 ? address(3600) : failure(2))(n, asked))
      for (let i = 0; i < 3; i++) await ask(name)
      await sleep(2200)
      const began = performance.now()
      await ask(name)
      await upstream.untilAsked(name, 2)
      const again = await asked(name)
      if (performance.now() - began < 1500) assert.match(again, /^NOERROR aa,ra: \d A 192\.0\.2\.1$/)
    })

    test('a denial ends what was known before it, for good', async () => {
      const name = 'gone.prefetch.test'
      upstream.scripts.set(name, (n, asked) => (n === 2 ? denial(1) : address(3600))(n, asked))
      for (let i = 0; i < 3; i++) await ask(name)
      await sleep(2200)
      await ask(name)
      await upstream.untilAsked(name, 2)
      await sleep(1200)
      // The denial has run out, the address before it would not have.
      assert.equal(await asked(name), 'NOERROR ra: 4 A 192.0.2.3')
    })

    test('serve_stale immediate: what has run out, with its TTL, then what is new', async () => {
      const name = 'a.stale.test'
      await ask(name)
      await sleep(1100)
      assert.equal(await asked(name), 'NOERROR aa,ra: 7 A 192.0.2.1')
      await becomes(name, 'NOERROR aa,ra: 1 A 192.0.2.2')
      assert((await counted('coredns_cache_served_stale_total', 'stale.test.')) >= 1)
    })

    for (const [why, script] of [
      ['SERVFAIL', failure(2)],
      ['REFUSED', failure(5)],
      ['NOTIMP', failure(4)],
      ['NXDOMAIN without SOA', failure(3)],
      ['silence', () => null],
    ] as [string, Script][]) {
      test(`serve_stale immediate: ${why} replaces nothing`, async () => {
        const name = `${why.split(' ').join('-').toLowerCase()}.stale.test`
        upstream.scripts.set(name, afterwards(address(300), script))
        await ask(name)
        await sleep(1100)
        assert.equal(await asked(name), 'NOERROR aa,ra: 7 A 192.0.2.1')
        await upstream.untilAsked(name, 2)
        await sleep(500)
        assert.equal(await asked(name), 'NOERROR aa,ra: 7 A 192.0.2.1')
      })
    }

    test('serve_stale immediate: a denial replaces, and becomes stale too', async () => {
      const name = 'gone.stale.test'
      upstream.scripts.set(name, (n, asked) => [address(300), denial(300), failure(2)][Math.min(n, 3) - 1](n, asked))
      await ask(name)
      await sleep(1100)
      assert.equal(await asked(name), 'NOERROR aa,ra: 7 A 192.0.2.1')
      await becomes(name, 'NXDOMAIN aa,ra authority: 1 SOA')
      await sleep(1100)
      assert.equal(await asked(name), 'NXDOMAIN aa,ra authority: 7 SOA')
    })

    test('serve_stale_policy prefer_positive: an old answer beats a new denial', async () => {
      const name = 'a.positive.test'
      upstream.scripts.set(name, afterwards(address(300), denial(300)))
      await ask(name)
      await sleep(1100)
      assert.equal(await asked(name), 'NOERROR aa,ra: 0 A 192.0.2.1')
      await upstream.untilAsked(name, 2)
      await sleep(200)
      assert.equal(await asked(name), 'NOERROR aa,ra: 0 A 192.0.2.1')
    })

    test('serve_stale for a second, then no more', async () => {
      const name = 'a.brief.test'
      upstream.scripts.set(name, afterwards(address(300), failure(2)))
      await ask(name)
      await sleep(2200)
      assert.equal(await asked(name), 'SERVFAIL ra')
    })

    test('serve_stale verify: what is new, if there is', async () => {
      upstream.scripts.set('gone.verify.test', afterwards(address(300), denial(300)))
      for (const name of ['a.verify.test', 'gone.verify.test']) await ask(name)
      await sleep(1100)
      assert.equal(await asked('a.verify.test'), 'NOERROR ra: 1 A 192.0.2.2')
      assert.equal(await asked('gone.verify.test'), 'NXDOMAIN ra authority: 300 SOA')
    })

    for (const [why, script] of [
      ['SERVFAIL', failure(2)],
      ['REFUSED', failure(5)],
      ['silence', () => null],
    ] as [string, Script][]) {
      test(`serve_stale verify: what has run out after ${why}`, async () => {
        const name = `${why.toLowerCase()}.verify.test`
        upstream.scripts.set(name, afterwards(address(300), script))
        await ask(name)
        await sleep(1100)
        assert.equal(await asked(name), 'NOERROR aa,ra: 0 A 192.0.2.1')
        assert(upstream.count(name) >= 2, 'an upstream was asked first')
        assert.equal(await asked(name), 'NOERROR aa,ra: 0 A 192.0.2.1')
      })
    }

    test('serve_stale verify TIMEOUT: nobody waits longer, and the late answer is kept', async () => {
      const name = 'slow.patient.test'
      let late: (() => void) | undefined
      upstream.scripts.set(name, (n, asked) => {
        if (n === 1) return address(300)(n, asked)
        late ??= () => asked.send(replyTo(asked, { answers: [{ type: 'A', name, ttl: 300, data: '192.0.2.2' }] }))
        return null
      })
      await ask(name)
      await sleep(1100)
      assert.equal(await asked(name), 'NOERROR aa,ra: 0 A 192.0.2.1')
      assert(late !== undefined, 'an upstream was asked first')
      late()
      await becomes(name, 'NOERROR aa,ra: 1 A 192.0.2.2')
    })
  })
}

/** The value of a counter of one zone; 0 without one. */
async function counted(name: string, zones: string): Promise<number> {
  const { body } = await server.get('/metrics', metrics)
  const line = body.split('\n').find((each) => each.startsWith(`${name}{`) && each.includes(`zones="${zones}"`))
  return Number(line?.split(' ').at(-1) ?? 0)
}

test('a reload keeps the entries of a block that did not change, and forgets the others', {
  timeout: WAIT_MS,
}, async () => {
  const upstream = await ScriptedUpstream.open()
  const { to } = upstream.lying
  const block = (zone: string, cache: string): string => `${zone} {\nbind 127.0.0.1\n${cache}\nforward . ${to}\n}\n`
  const same = block('same.test', 'cache 30')
  const own = await CorefileServer.start({ text: same + block('other.test', 'cache 30'), manifests: [] })
  try {
    const names = ['a.same.test', 'a.other.test']
    for (const name of names) await own.ask({ name, type: 'A' })
    own.write(same + block('other.test', 'cache 20'))
    const { mark } = own
    own.signal('SIGUSR1')
    await own.line(/Reloading complete/, mark)
    const answers = []
    for (const name of names) answers.push(said(await own.ask({ name, type: 'A' })).replace(/ (29|28|27) A/, ' 30 A'))
    assert.deepEqual(answers, ['NOERROR aa,ra: 30 A 192.0.2.1', 'NOERROR ra: 20 A 192.0.2.2'])
    assert.equal(await own.stop(), 0)
  } finally {
    own.kill()
    await upstream.close()
  }
})
