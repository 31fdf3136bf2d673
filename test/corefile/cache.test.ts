// `cache` as a user of the server sees it: Corefile reference 5.7 and line 9 of its acceptance list. One server, a block for each way to configure a
// cache, and one upstream that says how often it was asked for a name: 192.0.2.1, then 192.0.2.2. Time is real, so all cases run at once. Entries
// that are refreshed or outlive their TTL: cache-stale.test.ts.

import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { FLAG, type Query, type Response } from '../server/wire.ts'
import { type AskOptions, CorefileServer, freePort, WAIT_MS } from './corefile-server.ts'
import {
  address,
  afterwards,
  denial,
  failure,
  type Script,
  ScriptedUpstream,
  said,
  soaOf,
  WAYS,
} from './scripted-upstream.ts'

const BLOCKS: Readonly<Record<string, string>> = {
  plain: 'cache 30',
  formerr: 'cache 30', // by an upstream of its own: what it says of EDNS is not to matter to others
  none: '',
  second: 'cache {\nsuccess 1000 1 1\ndenial 1000 1 1\n}',
  least: 'cache {\nsuccess 1000 60 20\ndenial 1000 60 10\n}',
  keep: 'cache 30 {\nkeepttl\n}',
  servfail: 'cache 30 {\nservfail 2s\n}',
  noservfail: 'cache 30 {\nservfail 0\n}',
  disabled: 'cache 30 {\ndisable success off.disabled.test\ndisable denial off.disabled.test\n}',
  nodenial: 'cache 30 {\ndisable denial\n}',
  zones: 'cache 30 in.zones.test',
  trap: 'cache 3600s',
}

const corefile = (lines: string, metrics: number): string =>
  Object.entries(BLOCKS)
    .map(([zone, cache]) => {
      const { to } = zone === 'formerr' ? old.lying : upstream.lying
      return `${zone}.test {\nbind 127.0.0.1\nerrors\nprometheus 127.0.0.1:${metrics}\n${lines}${cache}\nforward . ${to}\n}\n`
    })
    .join('')

let upstream: ScriptedUpstream
let old: ScriptedUpstream
let server: CorefileServer
let metrics: number

async function ask(name: string, query: Partial<Query> = {}, options: AskOptions = {}): Promise<Response> {
  return await server.ask({ name, type: 'A', ...query }, options)
}

async function asked(name: string, query: Partial<Query> = {}): Promise<string> {
  return said(await ask(name, query))
}

/** What the first answer is, what the second is, and how often an upstream was asked for both. */
type Case = readonly [why: string, name: string, script: Script, first: string, second: string, times: number]

const CASES: readonly Case[] = [
  [
    'an hour is cut',
    'hour.plain.test',
    address(3600),
    'NOERROR ra: 30 A 192.0.2.1',
    'NOERROR aa,ra: 30 A 192.0.2.1',
    1,
  ],
  ['0 becomes 5', 'zero.plain.test', address(0), 'NOERROR ra: 5 A 192.0.2.1', 'NOERROR aa,ra: 5 A 192.0.2.1', 1],
  ['between both', 'some.plain.test', address(17), 'NOERROR ra: 17 A 192.0.2.1', 'NOERROR aa,ra: 17 A 192.0.2.1', 1],
  ['no cache', 'hour.none.test', address(3600), 'NOERROR ra: 3600 A 192.0.2.1', 'NOERROR ra: 3600 A 192.0.2.2', 2],
  ['MINTTL', 'some.least.test', address(3), 'NOERROR ra: 20 A 192.0.2.1', 'NOERROR aa,ra: 20 A 192.0.2.1', 1],
  ['MINTTL', 'gone.least.test', denial(3), 'NXDOMAIN ra authority: 10 SOA', 'NXDOMAIN aa,ra authority: 10 SOA', 1],
  [
    'the smallest is for all',
    'mixed.plain.test',
    (_, { name }) => ({
      answers: [
        { type: 'CNAME', name, ttl: 300, data: 'a.example' },
        { type: 'A', name: 'a.example', ttl: 25, data: '192.0.2.9' },
      ],
      authorities: [{ type: 'NS', name: 'example', ttl: 21, data: 'ns.example' }],
      additionals: [{ type: 'AAAA', name: 'ns.example', ttl: 1000, data: '2001:db8::1' }],
    }),
    'NOERROR ra: 21 CNAME a.example., 21 A 192.0.2.9 authority: 21 NS additional: 21 AAAA',
    'NOERROR aa,ra: 21 CNAME a.example., 21 A 192.0.2.9 authority: 21 NS additional: 21 AAAA',
    1,
  ],
  [
    'NXDOMAIN, by the TTL of the SOA, not by its MINIMUM',
    'gone.plain.test',
    denial(20),
    'NXDOMAIN ra authority: 20 SOA',
    'NXDOMAIN aa,ra authority: 20 SOA',
    1,
  ],
  ['NODATA', 'bare.plain.test', denial(9, 0), 'NOERROR ra authority: 9 SOA', 'NOERROR aa,ra authority: 9 SOA', 1],
  ['no records at all', 'nothing.plain.test', () => ({ answers: [] }), 'NOERROR ra', 'NOERROR aa,ra', 1],
  ['NXDOMAIN without SOA', 'lost.plain.test', failure(3), 'NXDOMAIN ra', 'NXDOMAIN ra', 2],
  [
    'NXDOMAIN with answers',
    'odd.plain.test',
    (n, asked) => ({ ...address(300)(n, asked), rcode: 3, authorities: [soaOf(20)] }),
    'NXDOMAIN ra: 300 A 192.0.2.1 authority: 20 SOA',
    'NXDOMAIN ra: 300 A 192.0.2.2 authority: 20 SOA',
    2,
  ],
  [
    'an alias of nothing, without SOA',
    'alias.plain.test',
    (_, { name }) => ({ answers: [{ type: 'CNAME', name, ttl: 300, data: 'b.example' }] }),
    'NOERROR ra: 300 CNAME b.example.',
    'NOERROR ra: 300 CNAME b.example.',
    2,
  ],
  [
    'an alias of nothing, with SOA',
    'alias-soa.plain.test',
    (_, { name }) => ({
      answers: [{ type: 'CNAME', name, ttl: 300, data: 'b.example' }],
      authorities: [soaOf(9, 'example')],
    }),
    'NOERROR ra: 9 CNAME b.example. authority: 9 SOA',
    'NOERROR aa,ra: 9 CNAME b.example. authority: 9 SOA',
    1,
  ],
  ['REFUSED', 'refused.plain.test', failure(5), 'REFUSED ra', 'REFUSED ra', 2],
  ['FORMERR', 'a.formerr.test', failure(1), 'FORMERR ra', 'FORMERR ra', 4], // each time once more without EDNS
  ['SERVFAIL', 'failing.plain.test', failure(2), 'SERVFAIL ra', 'SERVFAIL aa,ra', 1],
  ['NOTIMP', 'notimp.plain.test', failure(4), 'NOTIMP ra', 'NOTIMP aa,ra', 1],
  ['servfail 0', 'failing.noservfail.test', failure(2), 'SERVFAIL ra', 'SERVFAIL ra', 2],
  ['TC', 'cut.plain.test', () => ({ truncated: true }), 'NOERROR tc,ra', 'NOERROR tc,ra', 4], // once over TCP as well
  [
    'disable success',
    'a.off.disabled.test',
    address(300),
    'NOERROR ra: 300 A 192.0.2.1',
    'NOERROR ra: 300 A 192.0.2.2',
    2,
  ],
  [
    'disable denial',
    'b.off.disabled.test',
    denial(300),
    'NXDOMAIN ra authority: 300 SOA',
    'NXDOMAIN ra authority: 300 SOA',
    2,
  ],
  ['elsewhere', 'a.disabled.test', address(300), 'NOERROR ra: 30 A 192.0.2.1', 'NOERROR aa,ra: 30 A 192.0.2.1', 1],
  ['elsewhere', 'b.disabled.test', denial(300), 'NXDOMAIN ra authority: 30 SOA', 'NXDOMAIN aa,ra authority: 30 SOA', 1],
  [
    'disable denial',
    'b.nodenial.test',
    denial(300),
    'NXDOMAIN ra authority: 300 SOA',
    'NXDOMAIN ra authority: 300 SOA',
    2,
  ],
  ['only denial', 'a.nodenial.test', address(300), 'NOERROR ra: 30 A 192.0.2.1', 'NOERROR aa,ra: 30 A 192.0.2.1', 1],
  ['disable denial: failures', 'c.nodenial.test', failure(2), 'SERVFAIL ra', 'SERVFAIL ra', 2],
  ['a zone', 'a.in.zones.test', address(300), 'NOERROR ra: 30 A 192.0.2.1', 'NOERROR aa,ra: 30 A 192.0.2.1', 1],
  ['a zone', 'in.zones.test', address(300), 'NOERROR ra: 30 A 192.0.2.1', 'NOERROR aa,ra: 30 A 192.0.2.1', 1],
  ['not in it', 'a.xin.zones.test', address(300), 'NOERROR ra: 300 A 192.0.2.1', 'NOERROR ra: 300 A 192.0.2.2', 2],
  ['`3600s` is a zone', 'a.trap.test', address(300), 'NOERROR ra: 300 A 192.0.2.1', 'NOERROR ra: 300 A 192.0.2.2', 2],
]

for (const { title, lines, flags } of WAYS) {
  describe(`cache, ${title}`, { concurrency: true, timeout: WAIT_MS }, () => {
    before(
      async () => {
        upstream = await ScriptedUpstream.open()
        old = await ScriptedUpstream.open()
        metrics = await freePort()
        server = await CorefileServer.start({ text: corefile(lines, metrics), manifests: [], flags })
      },
      { timeout: WAIT_MS },
    )
    after(async () => {
      server?.kill()
      await Promise.all([upstream, old].map((each) => each?.close()))
    })

    for (const [why, name, script, first, second, times] of CASES) {
      test(`${name}: ${why}`, async () => {
        const asks = name.endsWith('.formerr.test') ? old : upstream
        asks.scripts.set(name, script)
        const answers = [await ask(name), await ask(name)].map(aged(second))
        assert.deepEqual(answers, [first, second])
        assert.equal(asks.count(name), times)
      })
    }

    test('TTLs count down by seconds', async () => {
      const name = 'down.plain.test'
      const began = performance.now()
      const first = await ask(name)
      const stored = performance.now()
      for (const waitMs of [1100, 2100]) {
        await sleep(stored + waitMs - performance.now())
        const asking = performance.now()
        const [{ ttl }] = (await ask(name)).answer
        const [most, least] = [asking - stored, performance.now() - began].map((ms) => 30 - Math.trunc(ms / 1000))
        assert(ttl <= most && ttl >= least, `a TTL of ${ttl}, not of ${least} to ${most}`)
      }
      assert.equal(first.answer[0].ttl, 30)
      assert.equal(upstream.count(name), 1)
    })

    test('an entry ends with its TTL, positive or negative', async () => {
      upstream.scripts.set('gone.second.test', denial(300))
      assert.equal(await asked('a.second.test'), 'NOERROR ra: 1 A 192.0.2.1')
      assert.equal(await asked('gone.second.test'), 'NXDOMAIN ra authority: 1 SOA')
      await sleep(1100)
      assert.equal(await asked('a.second.test'), 'NOERROR ra: 1 A 192.0.2.2')
      assert.equal(await asked('gone.second.test'), 'NXDOMAIN ra authority: 1 SOA')
      assert.equal(upstream.count('gone.second.test'), 2)
    })

    test('a name that appears, and one that goes away', async () => {
      upstream.scripts.set('new.second.test', afterwards(denial(300), address(300)))
      upstream.scripts.set('old.second.test', afterwards(address(300), denial(300)))
      assert.equal(await asked('new.second.test'), 'NXDOMAIN ra authority: 1 SOA')
      assert.equal(await asked('old.second.test'), 'NOERROR ra: 1 A 192.0.2.1')
      await sleep(1100)
      assert.equal(await asked('new.second.test'), 'NOERROR ra: 1 A 192.0.2.2')
      assert.equal(await asked('old.second.test'), 'NXDOMAIN ra authority: 1 SOA')
    })

    test('keepttl', async () => {
      assert.equal(await asked('a.keep.test'), 'NOERROR ra: 30 A 192.0.2.1')
      await sleep(1100)
      assert.equal(await asked('a.keep.test'), 'NOERROR aa,ra: 30 A 192.0.2.1')
    })

    test('failures are kept for `servfail`, then asked for again', async () => {
      const name = 'a.servfail.test'
      upstream.scripts.set(name, afterwards(failure(2), address(300)))
      const began = performance.now()
      assert.equal(await asked(name), 'SERVFAIL ra')
      const second = await asked(name)
      if (performance.now() - began < 2000) assert.equal(second, 'SERVFAIL aa,ra')
      await sleep(2100)
      assert.equal((await asked(name)).replace('aa,', ''), 'NOERROR ra: 30 A 192.0.2.2')
    })

    test('DO, CD and RD have entries of their own, letter case has not', async () => {
      const name = 'bits.plain.test'
      const { RD, CD } = FLAG
      const queries: Partial<Query>[] = [
        { flags: RD },
        { flags: RD, edns: { dnssecOk: true } },
        { flags: RD | CD },
        { flags: RD | CD, edns: { dnssecOk: true } },
        { flags: 0 },
      ]
      for (const [i, query] of queries.entries())
        assert.match(await asked(name, query), new RegExp(`30 A 192.0.2.${i + 1}$`))
      for (const [i, query] of queries.entries())
        assert.match(await asked(name, query), new RegExp(`\\d A 192.0.2.${i + 1}$`))
      const seen = upstream.asked
        .filter((each) => each.name === name)
        .map(({ message }) => {
          return [message.readUInt16BE(2) & (RD | CD), (message[message.length - 4] & 0x80) !== 0]
        })
      assert.deepEqual(seen, [
        [RD, false],
        [RD, true],
        [RD | CD, false],
        [RD | CD, true],
        [0, false],
      ])
      await ask('BITS.plain.TEST')
      assert.equal(upstream.count(name), queries.length)
    })

    test('types have entries of their own', async () => {
      const name = 'types.plain.test'
      upstream.scripts.set(name, denial(20, 0))
      for (const type of ['A', 'AAAA', 'NS']) await asked(name, { type })
      for (const type of ['A', 'AAAA', 'NS']) assert.match(await asked(name, { type }), /^NOERROR aa,ra/)
      assert.equal(upstream.count(name), 3)
    })

    test('the spelling of a query is given back', async () => {
      await ask('case.plain.test')
      const { question, answer } = await ask('CaSe.pLaIn.TeSt')
      assert.deepEqual([question?.name, answer[0].owner], ['CaSe.pLaIn.TeSt.', 'CaSe.pLaIn.TeSt.'])
      assert.equal(upstream.count('case.plain.test'), 1)
    })

    test('AD only to those who asked with DO or AD; an OPT only to those who had one', async () => {
      const name = 'edns.plain.test'
      await ask(name)
      await ask(name, { edns: { dnssecOk: true } })
      const { RD, AD } = FLAG
      const rows: [query: Partial<Query>, flags: string, opt: string][] = [
        [{}, 'aa,ra', 'none'],
        [{ edns: { size: 4096 } }, 'aa,ra', '1232 0'],
        [{ edns: { size: 1232, options: Buffer.from([0, 10, 0, 8, 1, 2, 3, 4, 5, 6, 7, 8]) } }, 'aa,ra', '1232 0'],
        [{ edns: { dnssecOk: true } }, 'aa,ra,ad', '1232 32768'],
        [{ flags: RD | AD }, 'aa,ra,ad', 'none'],
      ]
      for (const [query, flags, opt] of rows) {
        const response = await ask(name, query)
        assert.match(said(response), new RegExp(`^NOERROR ${flags}: \\d+ A 192.0.2.[12]$`))
        assert.equal(response.opt === undefined ? 'none' : `${response.opt.size} ${response.opt.flags}`, opt)
        assert.equal(response.opt?.extendedRcode ?? 0, 0)
      }
      assert.equal(upstream.count(name), 2)
    })

    test('a large answer is cut over UDP, whole records at a time, and whole over TCP', async () => {
      const name = 'large.plain.test'
      const all = Array.from({ length: 200 }, (_, i) => `192.0.2.${i}`)
      upstream.scripts.set(name, (_, { proto }) => {
        const answers = all.map((data) => ({ type: 'A' as const, name, ttl: 300, data }))
        return proto === 'udp' ? { truncated: true } : { answers }
      })
      for (const round of ['from upstream', 'out of the cache']) {
        for (const [edns, most] of [
          [undefined, 512],
          [{ size: 1232 }, 1232],
          [{ size: 4096 }, 1232],
        ] as const) {
          const cut = await ask(name, { edns })
          assert(cut.flags & FLAG.TC, `${round}: cut to ${most}`)
          assert(
            cut.octets.length <= most && cut.octets.length > most - 16,
            `${round}: ${cut.octets.length} octets of ${most}`,
          )
        }
        const whole = await ask(name, {}, { tcp: true })
        assert.deepEqual([whole.flags & FLAG.TC, whole.answer.map(({ data }) => data)], [0, all], round)
      }
      assert.equal(upstream.count(name), 2) // over UDP, then over TCP
    })

    test('a reply to another question is not kept, and counted', async () => {
      const name = 'other.plain.test'
      upstream.scripts.set(name, () => ({
        name: 'evil.plain.test',
        answers: [{ type: 'A', name: 'evil.plain.test', data: '192.0.2.66' }],
      }))
      assert.equal(await asked(name), 'FORMERR ')
      assert.equal(await counted('coredns_cache_drops_total', 'plain.test.'), 1)
      assert.equal(await asked('evil.plain.test'), 'NOERROR ra: 30 A 192.0.2.1')
    })
  })
}

/** A second answer out of a cache may have aged: with the TTL it began with, if it is so near. */
function aged(second: string): (response: Response, index: number) => string {
  return (response, index) => {
    const text = said(response)
    const began = [...second.matchAll(/\b(\d+) [A-Z]/g)].map(([, ttl]) => Number(ttl))
    if (index === 0 || (response.flags & FLAG.AA) === 0) return text
    return text.replace(/\b(\d+)(?= [A-Z])/g, (ttl) =>
      String(began.find((each) => each >= Number(ttl) && each - Number(ttl) < 4) ?? ttl),
    )
  }
}

/** The value of a counter of one zone; 0 without one. */
async function counted(name: string, zones: string): Promise<number> {
  const { body } = await server.get('/metrics', metrics)
  const line = body.split('\n').find((each) => each.startsWith(`${name}{`) && each.includes(`zones="${zones}"`))
  return Number(line?.split(' ').at(-1) ?? 0)
}
