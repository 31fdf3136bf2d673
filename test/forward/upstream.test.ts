// How upstreams are asked when they behave: what goes out, over what, to whom, how often, and what is counted and kept open.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decode } from 'dns-packet'
import { openAsking, openUpstream, until } from './asking.ts'
import { a, type Behavior, honest, replyTo, silent } from './lying-upstream.ts'

const says =
  (address: string): Behavior =>
  (asked) =>
    asked.send(replyTo(asked, { answers: [a(asked.name, address)] }))
const rcode =
  (code: number): Behavior =>
  (asked) =>
    asked.send(replyTo(asked, { rcode: code }))

test('the query that goes out: RD and CD as the client had them, AD always, OPT of our own with DO', async (t) => {
  const upstream = await openUpstream(t)
  const asking = openAsking(t, [upstream.port])
  await asking.ask({
    name: 'WwW.Example.com.',
    type: 28,
    recursionDesired: false,
    checkingDisabled: true,
    dnssecOk: true,
  })
  await asking.ask()
  const [first, second] = upstream.asked.map(({ message }) => decode(message))
  assert.deepEqual(first.questions, [{ name: 'WwW.Example.com', type: 'AAAA', class: 'IN' }])
  assert.deepEqual([first.flag_rd, first.flag_cd, first.flag_ad], [false, true, true])
  assert.deepEqual([second.flag_rd, second.flag_cd, second.flag_ad], [true, false, true])
  const opts = [first, second].map(({ additionals }) => additionals?.[0] as unknown as Record<string, unknown>)
  assert.deepEqual(
    opts.map(({ type, udpPayloadSize, flag_do, options }) => [type, udpPayloadSize, flag_do, options]),
    [
      ['OPT', 1232, true, []],
      ['OPT', 1232, false, []],
    ],
  )
})

test('an upstream that does not know OPT is told from then on', async (t) => {
  const upstream = await openUpstream(t, (asked) => (asked.hasOpt ? rcode(1)(asked) : honest(asked)))
  const asking = openAsking(t, [upstream.port])
  for (let i = 0; i < 3; i++) assert.equal(await asking.ask(), 'NOERROR 192.0.2.1')
  assert.deepEqual(
    upstream.asked.map(({ hasOpt }) => hasOpt),
    [true, false, false, false],
  )
})

test('a question that is malformed either way says nothing of OPT', async (t) => {
  const upstream = await openUpstream(t, (asked) => (upstream.asked.length <= 2 ? rcode(1)(asked) : honest(asked)))
  const asking = openAsking(t, [upstream.port])
  assert.equal(await asking.ask(), 'FORMERR')
  assert.equal(await asking.ask(), 'NOERROR 192.0.2.1')
  assert.deepEqual(
    upstream.asked.map(({ hasOpt }) => hasOpt),
    [true, false, true],
  )
})

// Which transports a query of a UDP or TCP client sees, where UDP answers are cut off or not.
const transports: [config: object, stream: boolean, isCutOff: boolean, protos: string[]][] = [
  [{}, false, false, ['udp']],
  [{}, false, true, ['udp', 'tcp']],
  [{}, true, false, ['tcp']],
  [{ preferUdp: true }, true, false, ['udp']],
  [{ preferUdp: true }, true, true, ['udp', 'tcp']],
  [{ forceTcp: true }, false, false, ['tcp']],
  [{ forceTcp: true, preferUdp: true }, true, false, ['tcp']], // force_tcp wins
]

test('UDP, TCP, prefer_udp, force_tcp', async (t) => {
  for (const [config, stream, isCutOff, protos] of transports) {
    const upstream = await openUpstream(t, (asked) =>
      asked.send(replyTo(asked, { truncated: isCutOff && asked.proto === 'udp' })),
    )
    const asking = openAsking(t, [upstream.port], config)
    assert.equal(await asking.ask({ stream }), 'NOERROR 192.0.2.1')
    assert.deepEqual(
      upstream.asked.map(({ proto }) => proto),
      protos,
      JSON.stringify([config, stream, isCutOff]),
    )
  }
})

test('policies', async (t) => {
  const upstreams = await Promise.all([1, 2, 3].map((n) => openUpstream(t, says(`192.0.2.${n}`))))
  const ports = upstreams.map(({ port }) => port)
  const said = async (policy: 'random' | 'round_robin' | 'sequential', count: number) => {
    const asking = openAsking(t, ports, { policy })
    const all: string[] = []
    for (let i = 0; i < count; i++) all.push((await asking.ask()).slice(-1))
    return all.join('')
  }
  assert.equal(await said('sequential', 5), '11111')
  assert.equal(await said('round_robin', 7), '1231231')
  const random = await said('random', 300)
  // Each is expected a hundred times; less than fifty has a chance of one in a billion.
  for (const one of '123') assert.ok(random.split(one).length - 1 > 50, `${one} in ${random}`)
})

test('failover: that reply is passed over while there is another upstream to ask', async (t) => {
  const refuses = await openUpstream(t, rcode(5))
  const fails = await openUpstream(t, rcode(2))
  const answers = await openUpstream(t, says('192.0.2.9'))
  const cases: [ports: number[], failover: number[], said: string][] = [
    [[fails.port, answers.port], [], 'SERVFAIL'],
    [[fails.port, answers.port], [2], 'NOERROR 192.0.2.9'],
    [[fails.port, refuses.port, answers.port], [2, 5], 'NOERROR 192.0.2.9'],
    [[fails.port, refuses.port, answers.port], [2], 'REFUSED'],
    [[fails.port, refuses.port], [2, 5], 'REFUSED'],
    [[fails.port], [2], 'SERVFAIL'],
  ]
  for (const [ports, failover, said] of cases) {
    assert.equal(await openAsking(t, ports, { failover }).ask(), said, `${ports} ${failover}`)
  }
})

test('failed attempts: twice the number of upstreams, or max_connect_attempts', async (t) => {
  const cases: [config: object, asked: number[]][] = [
    [{}, [2, 2]],
    [{ maxConnectAttempts: 1 }, [1, 0]],
    [{ maxConnectAttempts: 3 }, [2, 1]],
  ]
  for (const [config, expected] of cases) {
    const upstreams = [await openUpstream(t, silent), await openUpstream(t, silent)]
    // Too short to be sent again within an attempt.
    const asking = openAsking(
      t,
      upstreams.map(({ port }) => port),
      { readTimeoutMs: 60, maxFails: 0, ...config },
    )
    assert.match(await asking.ask(), /^SERVFAIL: read udp .*: i\/o timeout$/)
    assert.deepEqual(
      upstreams.map(({ asked }) => asked.length),
      expected,
      JSON.stringify(config),
    )
  }
})

test('no end of attempts: until the five seconds are over, with pauses', async (t) => {
  const upstream = await openUpstream(t, (asked) => asked.send(replyTo(asked).subarray(0, -1)))
  const asking = openAsking(t, [upstream.port], { maxConnectAttempts: 0, maxFails: 0 })
  const startedMs = performance.now()
  assert.match(await asking.ask(), /malformed reply$/)
  assert.ok(performance.now() - startedMs > 4000)
  assert.ok(upstream.asked.length >= 5 && upstream.asked.length <= 60, `${upstream.asked.length} attempts`)
})

test('nobody there: what Go says, over UDP and TCP', async (t) => {
  const gone = await openUpstream(t)
  const { port } = gone
  await gone.close()
  t.mock.method(gone, 'close', async () => {})
  assert.match(
    await openAsking(t, [port]).ask(),
    new RegExp(`^SERVFAIL: read udp 127\\.0\\.0\\.1:\\d+->127\\.0\\.0\\.1:${port}: read: connection refused$`),
  )
  assert.equal(
    await openAsking(t, [port], { forceTcp: true }).ask(),
    `SERVFAIL: dial tcp 127.0.0.1:${port}: connect: connection refused`,
  )
  const other = await openUpstream(t, says('192.0.2.2'))
  assert.equal(await openAsking(t, [port, other.port]).ask(), 'NOERROR 192.0.2.2')
  assert.equal(await openAsking(t, [port, other.port], { forceTcp: true }).ask(), 'NOERROR 192.0.2.2')
})

test('ports and ids are by lot, sockets are few, and given up after their time', async (t) => {
  const upstream = await openUpstream(t)
  const asking = openAsking(t, [upstream.port], { expireMs: 300 })
  for (let i = 0; i < 200; i++) await asking.ask()
  const ports = new Set(upstream.asked.map(({ port }) => port))
  assert.ok(ports.size > 8 && ports.size <= 16, `${ports.size} ports`)
  const ids = new Set(upstream.asked.map(({ id }) => id))
  assert.ok(ids.size > 190, `${ids.size} ids of 200`)
  const sockets = () => process.getActiveResourcesInfo().filter((name) => name === 'UDPWrap').length
  const before = sockets()
  await until(() => sockets() === before - ports.size)
})

test('a busy socket is replaced by one with another port', async (t) => {
  const upstream = await openUpstream(t)
  const asking = openAsking(t, [upstream.port])
  for (let i = 0; i < 200; i++) await Promise.all(Array.from({ length: 50 }, () => asking.ask()))
  const uses = new Map<number, number>()
  for (const { port } of upstream.asked) uses.set(port, (uses.get(port) ?? 0) + 1)
  assert.ok(Math.max(...uses.values()) <= 2 * 512, 'sent again at most')
  assert.ok(uses.size > 16, `${uses.size} ports`)
})

test('connections: used again, many queries at a time, closed when unused or old', async (t) => {
  const upstream = await openUpstream(t)
  const asking = openAsking(t, [upstream.port], { forceTcp: true, expireMs: 400 })
  for (let i = 0; i < 20; i++) await asking.ask()
  assert.equal(upstream.connectionCount, 1)
  const said = await Promise.all(Array.from({ length: 500 }, (_, i) => asking.ask({ name: `n${i}.example.` })))
  assert.deepEqual([...new Set(said)], ['NOERROR 192.0.2.1'])
  assert.ok(upstream.connectionCount <= 16, `${upstream.connectionCount} connections`)
  await until(() => upstream.openConnections === 0)
  const old = openAsking(t, [upstream.port], { forceTcp: true, expireMs: 100, maxAgeMs: 200 })
  const before = upstream.connectionCount
  for (const endMs = performance.now() + 1000; performance.now() < endMs; ) await old.ask()
  assert.ok(upstream.connectionCount - before >= 3, `${upstream.connectionCount - before} connections in a second`)
})

test('max_idle_conns: no more are kept', async (t) => {
  const upstream = await openUpstream(t)
  const asking = openAsking(t, [upstream.port], { forceTcp: true, maxIdleConns: 2 })
  await Promise.all(Array.from({ length: 200 }, () => asking.ask()))
  assert.ok(upstream.connectionCount > 2)
  await until(() => upstream.openConnections === 2)
})

test('a connection that has gone silent is not used again', async (t) => {
  const upstream = await openUpstream(t, (asked) => {
    if (asked.connection > 0) honest(asked)
  })
  const asking = openAsking(t, [upstream.port], { forceTcp: true, readTimeoutMs: 300, maxFails: 0 })
  assert.equal(await asking.ask(), 'NOERROR 192.0.2.1')
  for (let i = 0; i < 10; i++) assert.equal(await asking.ask(), 'NOERROR 192.0.2.1')
  assert.deepEqual(
    upstream.asked.map(({ connection }) => connection),
    [0, ...Array(11).fill(1)],
  )
})

test('answers over TCP may overtake each other', async (t) => {
  const held: Parameters<Behavior>[0][] = []
  const upstream = await openUpstream(t, (asked) => {
    held.push(asked)
    if (held.length < 5) return
    for (const each of held.reverse()) says(`192.0.2.${each.name[1]}`)(each)
  })
  const asking = openAsking(t, [upstream.port], { forceTcp: true })
  const said = await Promise.all([0, 1, 2, 3, 4].map((n) => asking.ask({ name: `n${n}.example.` })))
  assert.deepEqual(
    said,
    [0, 1, 2, 3, 4].map((n) => `NOERROR 192.0.2.${n}`),
  )
})

test('an answer of 64 KiB over TCP', async (t) => {
  const answers = Array.from({ length: 4000 }, (_, i) => a('www.example.com', `10.0.${i >> 8}.${i & 255}`))
  const upstream = await openUpstream(t, (asked) =>
    asked.send(replyTo(asked, asked.proto === 'udp' ? { truncated: true } : { answers: answers.slice(0, 2100) })),
  )
  const asking = openAsking(t, [upstream.port])
  const said = await asking.ask()
  assert.equal(said.split(' ').length, 2101)
})

test('letter case by lot: an answer must repeat it, by UDP; another is waited out, then TCP tells', async (t) => {
  const name = 'abcdefghijklmnopqrstuvwxyz.example.'
  const exact = await openUpstream(t)
  const asking = openAsking(t, [exact.port], { randomizeCase: true })
  for (let i = 0; i < 20; i++) assert.equal(await asking.ask({ name }), 'NOERROR 192.0.2.1')
  const names = new Set(exact.asked.map((asked) => asked.name))
  assert.ok(names.size > 15, `${names.size} spellings of 20`)
  assert.ok([...names].every((each) => `${each.toLowerCase()}.` === name))

  const folds = await openUpstream(t, (asked) => {
    const lower = asked.name.toLowerCase()
    asked.send(
      replyTo(asked, { name: lower, answers: [a(lower, asked.proto === 'udp' ? '203.0.113.66' : '192.0.2.1')] }),
    )
  })
  const other = openAsking(t, [folds.port], { randomizeCase: true })
  assert.equal(await other.ask({ name }), 'NOERROR 192.0.2.1')
  assert.equal(await other.ask({ name }), 'NOERROR 192.0.2.1')
  // Sent again once; from then on TCP at once.
  assert.deepEqual(
    folds.asked.map(({ proto }) => proto),
    ['udp', 'udp', 'tcp', 'tcp'],
  )
})

test('letter case: the right one is taken though wrong ones came before', async (t) => {
  const upstream = await openUpstream(t, (asked) => {
    asked.send(replyTo(asked, { name: asked.name.toLowerCase(), answers: [a('www.example.com', '203.0.113.66')] }))
    honest(asked)
  })
  const asking = openAsking(t, [upstream.port], { randomizeCase: true })
  assert.equal(await asking.ask({ name: 'abcdefghijklmnopqrstuvwxyz.example.' }), 'NOERROR 192.0.2.1')
  assert.equal(upstream.asked.length, 1)
})

test('what is counted', async (t) => {
  const upstream = await openUpstream(t)
  const asking = openAsking(t, [upstream.port])
  const { to } = upstream
  await asking.ask({ stream: true })
  await asking.ask({ stream: true })
  await asking.ask()
  const counters = asking.counters()
  assert.equal(counters.get(`proxy_conn_cache_misses_total forward ${to} tcp`), 1)
  assert.equal(counters.get(`proxy_conn_cache_hits_total forward ${to} tcp`), 1)
  assert.equal(counters.get(`proxy_conn_cache_misses_total forward ${to} udp`), 1)
  assert.equal(counters.get(`forward_responses_total ${to} NOERROR`), 3)
})

test('source_address', async (t) => {
  const upstream = await openUpstream(t, honest, { host: '127.0.0.1' })
  const gone = openAsking(t, [upstream.port], { sourceAddress: '127.9.9.9', maxFails: 0 })
  assert.equal(await gone.ask(), 'NOERROR 192.0.2.1')
  assert.equal(await gone.ask({ stream: true }), 'NOERROR 192.0.2.1')
  assert.deepEqual(
    upstream.asked.map(({ address }) => address),
    ['127.9.9.9', '127.9.9.9'],
  )
  const foreign = openAsking(t, [upstream.port], { sourceAddress: '192.0.2.77', maxFails: 0 })
  assert.match(await foreign.ask(), /^SERVFAIL: dial udp .*: cannot assign requested address$/)
})

test('an upstream of IPv6, and an address of ours of the other family, which is not for it', async (t) => {
  const upstream = await openUpstream(t, honest, { host: '::1' })
  const upstreams = [{ transport: 'dns' as const, host: '::1', port: upstream.port, serverName: '' }]
  const asking = openAsking(t, [], { upstreams, sourceAddress: '127.0.0.1' })
  assert.deepEqual(await asking.askWho(), ['NOERROR 192.0.2.1', `[::1]:${upstream.port}`])
  assert.equal(await asking.ask({ stream: true }), 'NOERROR 192.0.2.1')
  upstream.behavior = silent
  const silence = openAsking(t, [], { upstreams, readTimeoutMs: 50, maxFails: 0 })
  assert.match(await silence.ask(), /^SERVFAIL: read udp \[::1\]:\d+->\[::1\]:\d+: i\/o timeout$/)
})

test('an upstream by name: resolved once, by `resolver` or by the system; what comes before that waits', async (t) => {
  const upstream = await openUpstream(t)
  const resolver = await openUpstream(t, (asked) =>
    asked.send(replyTo(asked, { answers: [a(asked.name, '127.0.0.1')] })),
  )
  const at = (host: string) => [{ transport: 'dns' as const, host, port: upstream.port, serverName: '' }]
  const asking = openAsking(t, [], { upstreams: at('dns.example'), resolver: [resolver.to] })
  assert.deepEqual(await Promise.all([asking.ask(), asking.ask({ stream: true })]), Array(2).fill('NOERROR 192.0.2.1'))
  assert.equal(await asking.ask(), 'NOERROR 192.0.2.1')
  assert.deepEqual(
    resolver.asked.map(({ name }) => name),
    ['dns.example'],
  )
  assert.deepEqual(upstream.asked.map(({ proto }) => proto).sort(), ['tcp', 'udp', 'udp'])
  assert.equal(asking.counters().get(`forward_responses_total dns.example:${upstream.port} NOERROR`), 3)
  assert.equal(await openAsking(t, [], { upstreams: at('localhost') }).ask(), 'NOERROR 192.0.2.1')

  resolver.behavior = rcode(3)
  const unknown = openAsking(t, [], { upstreams: at('gone.example'), resolver: [resolver.to], maxFails: 0 })
  assert.equal(await unknown.ask(), 'SERVFAIL: lookup gone.example: no such host')
  // Not asked again at once.
  const count = resolver.asked.length
  assert.equal(await unknown.ask(), 'SERVFAIL: lookup gone.example: no such host')
  assert.equal(resolver.asked.length, count)
})

test('close(): what waits gets SERVFAIL, and no handle is left', async (t) => {
  const upstream = await openUpstream(t, silent)
  const before = process.getActiveResourcesInfo().length
  for (const config of [{}, { forceTcp: true }]) {
    const asking = openAsking(t, [upstream.port], config)
    const waiting = Array.from({ length: 30 }, () => asking.ask())
    await until(() => upstream.asked.length >= 30)
    assert.equal(asking.forwarder.waitingCount, 30)
    asking.close()
    assert.deepEqual([...new Set(await Promise.all(waiting))], ['SERVFAIL: closed'])
    assert.equal(asking.forwarder.waitingCount, 0)
    assert.equal(await asking.ask(), 'SERVFAIL: closed')
    upstream.asked.length = 0
  }
  await until(() => upstream.openConnections === 0)
  await until(() => process.getActiveResourcesInfo().length <= before)
})
