// `forward` as a user of the server sees it: Corefile reference 5.6, as far as it shows from outside. Which upstream is asked, how, how often, and what
// is said when none answers. Three upstreams, each of which tells who it is by the third octet of an address, and a server with a block for each case.
// What is between a query and its upstreams (retries, health, TLS, lies): test/forward/upstream*.test.ts.

import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Asked, replyTo } from '../forward/lying-upstream.ts'
import { UdpClient } from '../server/exchange.ts'
import { encodeQuery, FLAG, type Query, type Response, readResponse } from '../server/wire.ts'
import { type AskOptions, CorefileServer, freePort, WAIT_MS } from './corefile-server.ts'
import { address, denial, failure, type Script, ScriptedUpstream, said, WAYS } from './scripted-upstream.ts'

const CLASS_CH = 3
const TYPE_ANY = 255
/** One query takes so long at most, and then some on a busy machine. */
const TOTAL_MS = 5000
const SLACK_MS = 3000

/** An upstream's usual answer: 192.0.WHO.TIMES. */
const usual = (who: number): Script => {
  return (n, { name }) => ({ answers: [{ type: 'A', name, ttl: 300, data: `192.0.${who}.${n}` }] })
}

/** Blocks by their zones; A, B and C are upstreams, GONE is a port that nobody listens at. */
const BLOCKS: Readonly<Record<string, string>> = {
  '.': 'forward . A',
  'corp.test': 'forward . B',
  'deep.corp.test': 'forward . C',
  // The first that the name is below takes it, not the longest.
  'order.test': 'forward x.order.test B\nforward order.test A\nforward y.order.test C',
  'except.test': 'forward except.test A {\nexcept no.except.test\n}\nforward in.no.except.test B',
  'self.test': 'forward self.test A {\nexcept self.test\n}',
  'reverse.in-addr.arpa': 'forward . A',
  'in-addr.arpa': 'forward 10.0.0.0/8 B\nforward . C',
  'next.test': 'forward . A {\nnext NXDOMAIN REFUSED\n}\nforward . B {\nnext NXDOMAIN\n}\nforward x.next.test C',
  'nodata.test': 'forward . A {\nnext_on_nodata\n}\nforward . B',
  'nextcached.test': 'cache 30\nforward . A {\nnext NXDOMAIN\n}\nforward . B',
  'udp.test': 'forward . A {\nprefer_udp\n}',
  'tcp.test': 'forward . A {\nforce_tcp\n}',
  'both.test': 'forward . A {\nforce_tcp\nprefer_udp\n}',
  'case.test': 'forward . A {\nrandomize_case\n}',
  'cached.test': 'cache 30\nforward . A',
  'few.test': 'forward . A {\nmax_concurrent 2\n}',
  'gone.test': 'forward . GONE',
  'failfast.test':
    'forward . SILENT {\nfailfast_all_unhealthy_upstreams\nmax_fails 1\nhealth_check 100ms\nread_timeout 200ms\n}',
  'silent.test': 'forward . SILENT SILENT2',
  'limit.test': 'forward . SILENT {\nread_timeout 200ms\nmax_connect_attempts 1\n}',
  'failover.test': 'forward . A B {\npolicy sequential\nfailover REFUSED SERVFAIL\n}',
}

let upstreams: ScriptedUpstream[] = []
let [a, b]: ScriptedUpstream[] = []
let server: CorefileServer
let metrics: number

async function ask(name: string, query: Partial<Query> = {}, options: AskOptions = {}): Promise<Response> {
  return await server.ask({ name, type: 'A', ...query }, options)
}

/** Who answered: the third octets of the addresses; or the RCODE. */
async function who(name: string, query: Partial<Query> = {}, options: AskOptions = {}): Promise<string> {
  const { rcode, answer } = await ask(name, query, options)
  return answer.length === 0 ? rcode : answer.map(({ data }) => 'ABC'[Number(data.split('.')[2]) - 1]).join()
}

/** What the upstreams were asked for a name. */
function seenOf(name: string, upstream = a): Asked[] {
  return upstream.asked.filter((each) => each.name.toLowerCase() === name)
}

/** Queries that an upstream keeps, until they are to be answered. */
function hold(name: string, upstream = a): Asked[] {
  const held: Asked[] = []
  upstream.scripts.set(name, (_, asked) => {
    held.push(asked)
    return null
  })
  return held
}

async function until(what: () => boolean): Promise<void> {
  for (const deadline = performance.now() + 10_000; !what(); await sleep(5)) {
    if (performance.now() > deadline) assert.fail(`never: ${what}`)
  }
}

/** The value of a counter without labels, or with labels that are given. */
async function counted(name: string): Promise<number> {
  const { body } = await server.get('/metrics', metrics)
  return Number(
    body
      .split('\n')
      .find((each) => each.startsWith(`${name} `))
      ?.split(' ')[1] ?? Number.NaN,
  )
}

/** Name, what the upstreams say (A, B, C; usual if not given), and who answers. */
type Row = readonly [name: string, expected: string, scripts?: readonly (Script | undefined)[]]

const ROWS: readonly Row[] = [
  // Blocks and stub domains.
  ['www.example.test', 'A'],
  ['corp.test', 'B'],
  ['www.corp.test', 'B'],
  ['WWW.Corp.TEST', 'B'],
  ['www.xcorp.test', 'A'],
  ['deep.corp.test', 'C'],
  ['a.b.deep.corp.test', 'C'],
  ['xdeep.corp.test', 'B'],
  // Several in one block.
  ['x.order.test', 'B'],
  ['a.x.order.test', 'B'],
  ['xx.order.test', 'A'],
  ['y.order.test', 'A'],
  ['1.2.3.10.in-addr.arpa', 'B'],
  ['10.in-addr.arpa', 'B'],
  ['1.2.3.110.in-addr.arpa', 'C'],
  ['1.2.3.10.reverse.in-addr.arpa', 'A'],
  // `except`: passed on, and never FROM itself.
  ['except.test', 'A'],
  ['yes.except.test', 'A'],
  ['xno.except.test', 'A'],
  ['in.no.except.test', 'B'],
  ['no.except.test', 'SERVFAIL'],
  ['self.test', 'A'],
  ['www.self.test', 'SERVFAIL'],
  // `next` and `next_on_nodata`.
  ['a.next.test', 'A'],
  ['b.next.test', 'B', [denial(60)]],
  ['c.next.test', 'B', [failure(5)]],
  ['d.next.test', 'SERVFAIL', [failure(2)]],
  ['e.next.test', 'REFUSED', [denial(60), failure(5)]], // not one of B's
  ['f.next.test', 'NXDOMAIN', [denial(60), denial(60)]], // no more for this name
  ['x.next.test', 'C', [denial(60), denial(60)]],
  ['nodata.next.test', 'NOERROR', [denial(60, 0)]],
  ['a.nodata.test', 'A'],
  ['b.nodata.test', 'B', [denial(60, 0)]],
  ['c.nodata.test', 'NXDOMAIN', [denial(60)]],
  ['d.nodata.test', 'NOERROR', [denial(60, 0), denial(60, 0)]],
  // `failover` is about upstreams of one `forward`.
  ['a.failover.test', 'A'],
  ['b.failover.test', 'B', [failure(5)]],
  ['c.failover.test', 'REFUSED', [failure(2), failure(5)]],
  ['d.failover.test', 'NXDOMAIN', [denial(60)]],
]

for (const { title, lines, flags } of WAYS) {
  describe(`forward, ${title}`, { concurrency: true, timeout: WAIT_MS }, () => {
    before(
      async () => {
        const open = (script: Script): Promise<ScriptedUpstream> => ScriptedUpstream.open(script)
        upstreams = await Promise.all([
          open(usual(1)),
          open(usual(2)),
          open(usual(3)),
          open(() => null),
          open(() => null),
        ])
        ;[a, b] = upstreams
        const [A, B, C, SILENT, SILENT2] = upstreams.map(({ lying }) => lying.to)
        const places: Record<string, string> = { A, B, C, SILENT, SILENT2, GONE: `127.0.0.1:${await freePort()}` }
        metrics = await freePort()
        const text = Object.entries(BLOCKS).map(([zone, block]) => {
          const own = block.replace(/ (A|B|C|SILENT2?|GONE)\b/g, (_, name: string) => ` ${places[name]}`)
          return `${zone} {\nbind 127.0.0.1\nerrors\nprometheus 127.0.0.1:${metrics}\n${lines}${own}\n}\n`
        })
        server = await CorefileServer.start({ text: text.join(''), manifests: [], flags })
      },
      { timeout: WAIT_MS },
    )
    after(async () => {
      server?.kill()
      await Promise.all(upstreams.map((each) => each.close()))
    })

    for (const [name, expected, scripts = []] of ROWS) {
      test(`${name}: ${expected}`, async () => {
        for (const [i, script] of scripts.entries()) if (script !== undefined) upstreams[i].scripts.set(name, script)
        assert.equal(await who(name), expected)
        assert.equal(await who(name, {}, { tcp: true }), expected, 'over TCP')
      })
    }

    test('what no forward takes: SERVFAIL, and why', async () => {
      await ask('other.no.except.test')
      await server.line(
        /^\[ERROR\] plugin\/errors: 2 other\.no\.except\.test\. A: plugin\/forward: no next plugin found$/,
      )
    })

    test('`next` below a cache: what the next one says is kept', async () => {
      const name = 'a.nextcached.test'
      a.scripts.set(name, denial(60))
      assert.match(said(await ask(name)), /^NOERROR ra: 30 A 192\.0\.2\.1$/)
      assert.match(said(await ask(name)), /^NOERROR aa,ra: (30|29|28) A 192\.0\.2\.1$/)
      assert.deepEqual([a.count(name), b.count(name)], [1, 1])
    })

    test('flags of a query go on, AD is always asked for; options of its EDNS stay here', async () => {
      const { RD, CD, AD } = FLAG
      const cookie = Buffer.from([0, 10, 0, 8, 1, 2, 3, 4, 5, 6, 7, 8])
      const rows: [name: string, query: Partial<Query>, flags: number, opt: string][] = [
        ['rd.test', {}, RD | AD, '1232 0'],
        ['no-rd.test', { flags: 0 }, AD, '1232 0'],
        ['cd.test', { flags: RD | CD }, RD | CD | AD, '1232 0'],
        ['do.test', { edns: { size: 4096, dnssecOk: true, options: cookie } }, RD | AD, '1232 32768'],
      ]
      for (const [name, query, flags, opt] of rows) {
        const response = await ask(name, query)
        const wanted = query.flags ?? RD
        assert.equal(response.flags & (RD | CD), wanted, name)
        const [{ message }] = seenOf(name)
        assert.equal(message.readUInt16BE(2), flags, name)
        const at = message.length - 11
        assert.deepEqual([message[at], message.readUInt16BE(at + 1), message.readUInt16BE(at + 9)], [0, 41, 0], name)
        assert.equal(`${message.readUInt16BE(at + 3)} ${message.readUInt32BE(at + 5)}`, opt, name)
      }
    })

    test('flags of an answer: AA and RA as the upstream says, AD if somebody asked', async () => {
      assert.equal(said(await ask('flags.test')), 'NOERROR ra: 300 A 192.0.1.1')
      assert.equal(said(await ask('flags.test', { flags: FLAG.RD | FLAG.AD })), 'NOERROR ra,ad: 300 A 192.0.1.2')
      a.scripts.set('aa.test', (_, asked) => {
        const reply = replyTo(asked)
        reply.writeUInt16BE(0x8400, 2)
        asked.send(reply)
        return null
      })
      assert.match(said(await ask('aa.test')), /^NOERROR aa: /)
    })

    test('class CH', async () => {
      a.scripts.set('version.bind', (_, asked) => {
        const question = asked.message.subarray(12, 12 + 18)
        const record = Buffer.from('c00c0010000300000000000403616263', 'hex')
        asked.send(
          Buffer.concat([asked.message.subarray(0, 2), Buffer.from('81800001000100000000', 'hex'), question, record]),
        )
        return null
      })
      const { rcode, answer, question } = await ask('version.bind', { type: 'TXT', class: CLASS_CH })
      assert.deepEqual([rcode, question?.class, answer[0]?.class, answer[0]?.data], ['NOERROR', 3, 3, '"abc"'])
    })

    test('ANY', async () => {
      a.scripts.set('any.test', (n, asked) => ({ ...address(60)(n, asked), type: 'ANY' }))
      assert.equal(said(await ask('any.test', { type: 'ANY' })), 'NOERROR ra: 60 A 192.0.2.1')
      assert.equal(seenOf('any.test')[0].type, TYPE_ANY)
    })

    test('transfers are not forwarded, nor is anything but queries', async () => {
      assert.equal((await ask('axfr.test', { type: 'AXFR' }, { tcp: true })).rcode, 'REFUSED')
      assert.equal((await ask('axfr.test', { type: 'IXFR' })).rcode, 'REFUSED')
      assert.equal((await ask('axfr.test', { flags: 5 << 11 })).rcode, 'NOTIMP')
      assert.equal(a.count('axfr.test'), 0)
    })

    for (const [zone, expected] of [
      ['way.test', 'udp tcp'],
      ['udp.test', 'udp udp'],
      ['tcp.test', 'tcp tcp'],
      ['both.test', 'tcp tcp'],
    ]) {
      test(`how an upstream is asked for ${zone}, for a UDP client and a TCP client: ${expected}`, async () => {
        const name = `www.${zone}`
        assert.deepEqual([await who(name), await who(name, {}, { tcp: true })], ['A', 'A'])
        assert.equal(
          seenOf(name)
            .map(({ proto }) => proto)
            .join(' '),
          expected,
        )
      })
    }

    test('prefer_udp: a truncated reply is asked for again over TCP', async () => {
      const name = 'cut.udp.test'
      a.scripts.set(name, (n, asked) => (asked.proto === 'udp' ? { truncated: true } : usual(1)(n, asked)))
      assert.equal(said(await ask(name, {}, { tcp: true })), 'NOERROR ra: 300 A 192.0.1.2')
      assert.deepEqual(
        seenOf(name).map(({ proto }) => proto),
        ['udp', 'tcp'],
      )
    })

    test('an answer of 64 KiB', async () => {
      const name = 'large.test'
      const data = 'x'.repeat(250)
      const answers = Array.from({ length: 230 }, (_, i) => ({
        type: 'TXT' as const,
        name,
        ttl: 60,
        data: `${i}${data}`,
      }))
      a.scripts.set(name, (_, { proto }) =>
        proto === 'udp' ? { type: 'TXT', truncated: true } : { type: 'TXT', answers },
      )
      const whole = await ask(name, { type: 'TXT' }, { tcp: true })
      assert.deepEqual([whole.rcode, whole.answer.length, whole.flags & FLAG.TC], ['NOERROR', 230, 0])
      const cut = await ask(name, { type: 'TXT', edns: { size: 1232 } })
      assert(cut.octets.length <= 1232 && (cut.flags & FLAG.TC) !== 0)
    })

    test('randomize_case: the upstream sees it, the client does not', async () => {
      const name = 'a-rather-long-name-of-many-letters.case.test'
      const { question, answer } = await ask(name)
      assert.deepEqual([question?.name, answer[0].owner], [`${name}.`, `${name}.`])
      const [asked] = seenOf(name)
      assert.notEqual(asked.name, name) // by chance once in 2^37
    })

    test('the same question of many is asked once; each gets it with its own id and spelling', async () => {
      const name = 'same.cached.test'
      const held = hold(name)
      const clients = Array.from({ length: 20 }, () => new UdpClient({ address: '127.0.0.1', port: server.port }))
      const spelled = (i: number): string =>
        name.replace(/[a-z]/g, (each, at) => (at % 20 === i ? each.toUpperCase() : each))
      const answers = clients.map(async (client, i) => {
        const octets = await client.exchange(encodeQuery({ id: 100 + i, name: spelled(i), type: 'A' }), WAIT_MS)
        return readResponse(octets!)
      })
      const others = [ask(name, { edns: { dnssecOk: true } }), ask(name, {}, { tcp: true })]
      await until(() => a.count(name) >= 2)
      await sleep(200)
      assert.equal(a.count(name), 2, 'one for all, and one with DO')
      for (const asked of held) asked.send(replyTo(asked))
      for (const [i, { id, question, answer }] of (await Promise.all(answers)).entries()) {
        const expected = [100 + i, `${spelled(i)}.`, `${spelled(i)}.`, '192.0.2.1']
        assert.deepEqual([id, question?.name, answer[0].owner, answer[0].data], expected)
      }
      for (const { rcode } of await Promise.all(others)) assert.equal(rcode, 'NOERROR')
      for (const client of clients) client.close()
    })

    test('on one TCP connection an answer out of the cache overtakes one that is waited for', async () => {
      const held = hold('slow.cached.test')
      await ask('fast.cached.test')
      const order: string[] = []
      const answered = async (name: string): Promise<void> => {
        const { rcode } = await ask(name, {}, { tcp: true })
        order.push(`${name} ${rcode}`)
      }
      const slow = answered('slow.cached.test')
      await until(() => held.length > 0)
      await answered('fast.cached.test')
      held[0].send(replyTo(held[0]))
      await slow
      assert.deepEqual(order, ['fast.cached.test NOERROR', 'slow.cached.test NOERROR'])
    })

    test('max_concurrent: REFUSED at once, a line, a counter; and then it goes on', async () => {
      const before = await counted('coredns_forward_max_concurrent_rejects_total')
      const held = ['1.few.test', '2.few.test'].map((name) => hold(name))
      const waiting = [ask('1.few.test'), ask('2.few.test', {}, { tcp: true })]
      await until(() => held.every(({ length }) => length > 0))
      assert.deepEqual([await who('3.few.test'), await who('4.few.test', {}, { tcp: true })], ['REFUSED', 'REFUSED'])
      assert.equal(await counted('coredns_forward_max_concurrent_rejects_total'), before + 2)
      await server.line(/^\[ERROR\] plugin\/errors: 5 3\.few\.test\. A: concurrent queries exceeded maximum 2$/)
      for (const [asked] of held) asked.send(replyTo(asked))
      for (const { rcode } of await Promise.all(waiting)) assert.equal(rcode, 'NOERROR')
      assert.deepEqual([await who('3.few.test'), a.count('3.few.test')], ['A', 1])
    })

    test('nobody listens: SERVFAIL, and why', async () => {
      assert.equal(await who('www.gone.test'), 'SERVFAIL')
      assert.equal(await who('www.gone.test', {}, { tcp: true }), 'SERVFAIL')
      const line = (protocol: string) =>
        new RegExp(
          `^\\[ERROR\\] plugin/errors: 2 www\\.gone\\.test\\. A: (read|write|dial) ${protocol} \\S+: .*connection refused$`,
        )
      for (const protocol of ['udp', 'tcp']) await server.line(line(protocol))
    })

    test('nobody answers: SERVFAIL within 5 s, and why', async () => {
      const began = performance.now()
      const answers = await Promise.all([who('www.silent.test'), who('www.silent.test', {}, { tcp: true })])
      assert(performance.now() - began < TOTAL_MS + SLACK_MS)
      assert.deepEqual(answers, ['SERVFAIL', 'SERVFAIL'])
      const reason =
        /^\[ERROR\] plugin\/errors: 2 www\.silent\.test\. A: read (udp|tcp) 127\.0\.0\.1:\d+->127\.0\.0\.1:\d+: i\/o timeout$/
      await server.line(reason)
      await until(() => server.stdout.filter((line) => reason.test(line)).length === 2) // a line for each
    })

    test('read_timeout and max_connect_attempts: as soon as that', async () => {
      const began = performance.now()
      assert.equal(await who('www.limit.test'), 'SERVFAIL')
      const took = performance.now() - began
      assert(took >= 200 && took < 200 + SLACK_MS, `${took} ms`)
    })

    test('failfast_all_unhealthy_upstreams: at once, when the probes have failed', async () => {
      const said = /^\[ERROR\] plugin\/errors: 2 www\.failfast\.test\. A: no healthy proxies$/
      for (const deadline = performance.now() + 10_000; !server.stdout.some((line) => said.test(line)); ) {
        assert(performance.now() < deadline, 'never')
        assert.equal(await who('www.failfast.test'), 'SERVFAIL')
      }
    })
  })
}
