// Upstreams that lie, break off and keep silent, one case each: the client gets the right answer, or SERVFAIL in time.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ForwardConfig } from '../../src/config/configuration.ts'
import { openAsking, openUpstream } from './asking.ts'
import { type Asked, a, type Behavior, framed, honest, replyTo, silent } from './lying-upstream.ts'

const QUICK: Partial<ForwardConfig> = { readTimeoutMs: 350, maxFails: 0 }
const SECOND = '192.0.2.2'
const second: Behavior = (asked) => asked.send(replyTo(asked, { answers: [a(asked.name, SECOND)] }))
/** UDP answers are cut off, so that it is asked over TCP. */
const overTcp =
  (behavior: Behavior): Behavior =>
  (asked) =>
    asked.proto === 'udp' ? asked.send(replyTo(asked, { truncated: true })) : behavior(asked)
/** Lies at first. */
const once = (behavior: Behavior): Behavior => {
  let lies = 1
  return (asked) => (lies-- > 0 ? behavior(asked) : honest(asked))
}

/** A record from the octets behind the question on. */
function handmade(asked: Asked, answers: number, octets: readonly number[]): Buffer {
  const reply = replyTo(asked, { answers: [] })
  reply.writeUInt16BE(answers, 6)
  return Buffer.concat([reply, Uint8Array.from(octets)])
}

const ADDRESS = [0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 1]

// What the first upstream does, what the client is told with it alone, and with an honest one behind it that says 192.0.2.2.
const cases: [lie: string, behavior: Behavior, alone: string | RegExp, withSecond: string][] = [
  ['nothing', silent, /^SERVFAIL: read udp 127\.0\.0\.1:\d+->127\.0\.0\.1:\d+: i\/o timeout$/, `NOERROR ${SECOND}`],
  [
    'wrong id',
    (asked) => asked.send(replyTo(asked, { id: (asked.id + 1) & 0xffff })),
    /^SERVFAIL: read udp .*: i\/o timeout$/,
    `NOERROR ${SECOND}`,
  ],
  [
    'wrong ids and the right one',
    (asked) => {
      for (let i = 1; i <= 20; i++) {
        asked.send(replyTo(asked, { id: (asked.id + i) & 0xffff, answers: [a(asked.name, '203.0.113.66')] }))
      }
      honest(asked)
    },
    'NOERROR 192.0.2.1',
    'NOERROR 192.0.2.1',
  ],
  [
    'wrong port',
    (asked) => asked.sendFromElsewhere(replyTo(asked)),
    /^SERVFAIL: read udp .*: i\/o timeout$/,
    `NOERROR ${SECOND}`,
  ],
  [
    'another name',
    (asked) => asked.send(replyTo(asked, { name: 'www.example.net' })),
    /^FORMERR: read udp .*: reply to another question$/,
    `NOERROR ${SECOND}`,
  ],
  [
    'another type',
    (asked) => asked.send(replyTo(asked, { type: 'AAAA', answers: [] })),
    /^FORMERR: read udp .*: reply to another question$/,
    `NOERROR ${SECOND}`,
  ],
  ['a query back', (asked) => asked.send(asked.message), /^SERVFAIL: read udp .*: i\/o timeout$/, `NOERROR ${SECOND}`],
  [
    'two answers, the first counts',
    (asked) => {
      honest(asked)
      second(asked)
    },
    'NOERROR 192.0.2.1',
    'NOERROR 192.0.2.1',
  ],
  [
    'noise',
    (asked) => asked.send(Buffer.from('no message at all')),
    /^SERVFAIL: read udp .*: i\/o timeout$/,
    `NOERROR ${SECOND}`,
  ],
  [
    'id, QR and noise',
    (asked) => asked.send(Buffer.from([asked.id >> 8, asked.id & 255, 0x81, 0, 0, 1, 0xff, 0xff, 0, 0, 0, 0, 99])),
    /^SERVFAIL: read udp .*: malformed reply$/,
    `NOERROR ${SECOND}`,
  ],
  [
    'a record that is cut off',
    (asked) => asked.send(replyTo(asked).subarray(0, -3)),
    /^SERVFAIL: read udp .*: malformed reply$/,
    `NOERROR ${SECOND}`,
  ],
  [
    'counts of records that are not there',
    (asked) => asked.send(handmade(asked, 65535, [0xc0, 12, ...ADDRESS])),
    /^SERVFAIL: read udp .*: malformed reply$/,
    `NOERROR ${SECOND}`,
  ],
  [
    'a compression loop',
    (asked) => asked.send(handmade(asked, 1, [0xc0, replyTo(asked, { answers: [] }).length, ...ADDRESS])),
    /^SERVFAIL: read udp .*: malformed reply$/,
    `NOERROR ${SECOND}`,
  ],
  [
    'a pointer beyond the end',
    (asked) => asked.send(handmade(asked, 1, [0xff, 0xff, ...ADDRESS])),
    /^SERVFAIL: read udp .*: malformed reply$/,
    `NOERROR ${SECOND}`,
  ],
  ['TC and no TCP', overTcp((asked) => asked.reset()), 'NOERROR TC', 'NOERROR TC'],
  ['TC and silence over TCP', overTcp(silent), 'NOERROR TC', 'NOERROR TC'],
  ['TC and the whole answer over TCP', overTcp(honest), 'NOERROR 192.0.2.1', 'NOERROR 192.0.2.1'],
  [
    'TC in the middle of a record',
    (asked) =>
      asked.proto === 'udp'
        ? asked.send(
            Buffer.concat([replyTo(asked, { truncated: true, answers: [a(asked.name, '192.0.2.9')] }).subarray(0, -3)]),
          )
        : honest(asked),
    'NOERROR 192.0.2.1',
    'NOERROR 192.0.2.1',
  ],
  [
    'FORMERR to OPT',
    (asked) => (asked.hasOpt ? asked.send(replyTo(asked, { rcode: 1 })) : honest(asked)),
    'NOERROR 192.0.2.1',
    'NOERROR 192.0.2.1',
  ],
  [
    'a bare FORMERR to OPT',
    (asked) => {
      if (!asked.hasOpt) honest(asked)
      else asked.send(Buffer.from([asked.id >> 8, asked.id & 255, 0x80, 1, 0, 0, 0, 0, 0, 0, 0, 0]))
    },
    'NOERROR 192.0.2.1',
    'NOERROR 192.0.2.1',
  ],
  ['FORMERR to everything', (asked) => asked.send(replyTo(asked, { rcode: 1 })), 'FORMERR', 'FORMERR'],
  ['SERVFAIL', (asked) => asked.send(replyTo(asked, { rcode: 2 })), 'SERVFAIL', 'SERVFAIL'],
  ['REFUSED', (asked) => asked.send(replyTo(asked, { rcode: 5 })), 'REFUSED', 'REFUSED'],
]

// The same over TCP alone (force_tcp).
const tcpCases: [lie: string, behavior: Behavior, alone: string | RegExp, withSecond: string][] = [
  ['nothing', silent, /^SERVFAIL: read tcp 127\.0\.0\.1:\d+->127\.0\.0\.1:\d+: i\/o timeout$/, `NOERROR ${SECOND}`],
  ['the end of the connection', (asked) => asked.end(), /^SERVFAIL: read tcp .*: EOF$/, `NOERROR ${SECOND}`],
  [
    'the end in mid-message',
    (asked) => {
      asked.write(framed(replyTo(asked)).subarray(0, 30))
      asked.end()
    },
    /^SERVFAIL: read tcp .*: EOF$/,
    `NOERROR ${SECOND}`,
  ],
  [
    'the end after half a length',
    (asked) => {
      asked.write(Uint8Array.of(0))
      asked.end()
    },
    /^SERVFAIL: read tcp .*: EOF$/,
    `NOERROR ${SECOND}`,
  ],
  [
    'RST',
    (asked) => asked.reset(),
    /^SERVFAIL: read tcp .*: (?:read: connection reset by peer|EOF)$/,
    `NOERROR ${SECOND}`,
  ],
  [
    'an empty message, then the right one',
    (asked) => {
      asked.write(Uint8Array.of(0, 0))
      honest(asked)
    },
    'NOERROR 192.0.2.1',
    'NOERROR 192.0.2.1',
  ],
  [
    'octet by octet',
    (asked) => {
      for (const octet of framed(replyTo(asked))) asked.write(Uint8Array.of(octet))
    },
    'NOERROR 192.0.2.1',
    'NOERROR 192.0.2.1',
  ],
  [
    'an answer to nobody, then the right one',
    (asked) => {
      asked.send(replyTo(asked, { id: asked.id ^ 1, answers: [a(asked.name, '203.0.113.66')] }))
      honest(asked)
    },
    'NOERROR 192.0.2.1',
    'NOERROR 192.0.2.1',
  ],
  [
    'answers to nobody without end',
    (asked) => {
      for (let i = 1; i < 100; i++) asked.send(replyTo(asked, { id: asked.id ^ i }))
    },
    /^SERVFAIL: read tcp .*: too many answers to nobody$/,
    `NOERROR ${SECOND}`,
  ],
  [
    'another question',
    (asked) => asked.send(replyTo(asked, { name: 'evil.example' })),
    /^FORMERR: read tcp .*: reply to another question$/,
    `NOERROR ${SECOND}`,
  ],
  [
    '64 KiB of zeros',
    (asked) => asked.write(framed(new Uint8Array(65535))),
    /^SERVFAIL: read tcp .*: i\/o timeout$/,
    `NOERROR ${SECOND}`,
  ],
  [
    'a record and 64 KiB of padding',
    (asked) => asked.send(Buffer.concat([replyTo(asked), new Uint8Array(65535)]).subarray(0, 65535)),
    'NOERROR 192.0.2.1',
    'NOERROR 192.0.2.1',
  ],
]

for (const [way, table, config] of [
  ['UDP', cases, QUICK],
  ['TCP', tcpCases, { ...QUICK, forceTcp: true }],
] as const) {
  test(`lies over ${way}, alone and with an honest upstream behind`, async (t) => {
    await Promise.all(
      table.map(async ([lie, behavior, alone, withSecond]) => {
        const liar = await openUpstream(t, behavior)
        const other = await openUpstream(t, second)
        const one = openAsking(t, [liar.port], config)
        const two = openAsking(t, [liar.port, other.port], config)
        const [said, saidTwo] = await Promise.all([one.ask(), two.ask()])
        if (typeof alone === 'string') assert.equal(said, alone, lie)
        else assert.match(said, alone, lie)
        assert.equal(saidTwo, withSecond, `${lie}, with a second upstream`)
      }),
    )
  })
}

test('a connection that ended while nobody used it is no failure: the query goes over a new one', async (t) => {
  const upstream = await openUpstream(t)
  const asking = openAsking(t, [upstream.port], { ...QUICK, forceTcp: true, maxConnectAttempts: 1 })
  assert.equal(await asking.ask(), 'NOERROR 192.0.2.1')
  // Ends instead of answering, as if it had ended just before.
  upstream.behavior = once((asked) => asked.end())
  assert.equal(await asking.ask(), 'NOERROR 192.0.2.1')
  assert.equal(upstream.connectionCount, 2)
})

test('a late answer to an earlier attempt is taken', async (t) => {
  let first: Asked | undefined
  const slow = await openUpstream(t, (asked) => {
    first ??= asked
  })
  const never = await openUpstream(t, silent)
  const asking = openAsking(t, [slow.port, never.port], { ...QUICK, readTimeoutMs: 200 })
  const answer = asking.askWho()
  while (never.asked.length === 0) await new Promise((resolve) => setTimeout(resolve, 5))
  honest(first!)
  assert.deepEqual(await answer, ['NOERROR 192.0.2.1', slow.to])
})

test('a lost datagram is sent again from the same port with the same id', async (t) => {
  const upstream = await openUpstream(t, once(silent))
  const asking = openAsking(t, [upstream.port], { ...QUICK, readTimeoutMs: 2000 })
  assert.equal(await asking.ask(), 'NOERROR 192.0.2.1')
  const [lost, again] = upstream.asked
  assert.deepEqual([lost.port, lost.id], [again.port, again.id])
})

test('answers that guess: the port is given up, what waited is asked from another with another id', async (t) => {
  const guesses = once((asked) => {
    for (let i = 1; i <= 40; i++) {
      asked.send(replyTo(asked, { id: (asked.id + i) & 0xffff, answers: [a(asked.name, '203.0.113.66')] }))
    }
    // Now the right id, too late.
    asked.send(replyTo(asked, { answers: [a(asked.name, '203.0.113.66')] }))
  })
  const upstream = await openUpstream(t, guesses)
  const asking = openAsking(t, [upstream.port], { ...QUICK, maxConnectAttempts: 1 })
  assert.equal(await asking.ask(), 'NOERROR 192.0.2.1')
  const [burned, again] = upstream.asked
  assert.equal(again.proto, 'udp')
  assert.notEqual(burned.port, again.port)
})

test('answers that guess at each port: over TCP', async (t) => {
  const upstream = await openUpstream(t, (asked) => {
    if (asked.proto === 'tcp') honest(asked)
    else for (let i = 1; i <= 40; i++) asked.send(replyTo(asked, { id: (asked.id + i) & 0xffff }))
  })
  const asking = openAsking(t, [upstream.port], { ...QUICK, maxConnectAttempts: 1 })
  assert.equal(await asking.ask(), 'NOERROR 192.0.2.1')
  assert.deepEqual(
    upstream.asked.map(({ proto }) => proto),
    ['udp', 'udp', 'tcp'],
  )
})

test('an upstream that answers everything twice is not taken for one that guesses', async (t) => {
  const upstream = await openUpstream(t, (asked) => {
    honest(asked)
    honest(asked)
  })
  const asking = openAsking(t, [upstream.port], QUICK)
  // Far more than 32 at each of the sixteen ports.
  for (let i = 0; i < 1500; i++) assert.equal(await asking.ask({ name: `n${i}.example.` }), 'NOERROR 192.0.2.1')
  assert.equal(upstream.asked.length, 1500)
  assert.ok(new Set(upstream.asked.map(({ port }) => port)).size <= 16)
})

test('a storm of SERVFAIL is passed on as it is, and nobody is asked more than once', async (t) => {
  const upstream = await openUpstream(t, (asked) => asked.send(replyTo(asked, { rcode: 2 })))
  const asking = openAsking(t, [upstream.port], QUICK)
  const said: string[] = []
  // More at a time would overflow the buffer of the upstream's socket.
  for (let wave = 0; wave < 10; wave++) {
    const names = Array.from({ length: 50 }, (_, i) => `n${wave}-${i}.example.`)
    said.push(...(await Promise.all(names.map((name) => asking.ask({ name })))))
  }
  assert.deepEqual([...new Set(said)], ['SERVFAIL'])
  assert.equal(upstream.asked.length, 500)
})

test('a dead upstream is not asked much more often than clients ask', async (t) => {
  const upstream = await openUpstream(t, silent)
  const asking = openAsking(t, [upstream.port], { ...QUICK, readTimeoutMs: 600 })
  const said = await Promise.all(Array.from({ length: 200 }, (_, i) => asking.ask({ name: `n${i}.example.` })))
  assert.ok(said.every((each) => /^SERVFAIL: read udp .*: i\/o timeout$/.test(each)))
  // 200 queries and a reserve of 100; without a budget two attempts of two datagrams each, 800 in all.
  assert.ok(upstream.asked.length > 290 && upstream.asked.length <= 300, `${upstream.asked.length} datagrams`)
  // Then a fifth of what comes.
  upstream.asked.length = 0
  await Promise.all(Array.from({ length: 100 }, (_, i) => asking.ask({ name: `m${i}.example.` })))
  assert.ok(upstream.asked.length >= 100 && upstream.asked.length <= 121, `${upstream.asked.length} datagrams`)
})

test('the end in mid-message on a connection that has worked before: a failure, unlike an end before anything came', async (t) => {
  const upstream = await openUpstream(t)
  const asking = openAsking(t, [upstream.port], { ...QUICK, forceTcp: true, maxConnectAttempts: 1 })
  assert.equal(await asking.ask(), 'NOERROR 192.0.2.1')
  upstream.behavior = (asked) => {
    asked.write(framed(replyTo(asked)).subarray(0, 30))
    asked.end()
  }
  assert.match(await asking.ask(), /^SERVFAIL: read tcp .*: EOF$/)
  assert.equal(upstream.asked.length, 2)
})

test('over TCP, late answers to queries that have been given up do not end the connection', async (t) => {
  const upstream = await openUpstream(t, (asked) => {
    if (asked.name.startsWith('slow')) setTimeout(honest, 250, asked)
    else honest(asked)
  })
  const asking = openAsking(t, [upstream.port], { ...QUICK, readTimeoutMs: 100, forceTcp: true, maxConnectAttempts: 1 })
  for (let round = 0; round < 7; round++) {
    const slow = Array.from({ length: 6 }, (_, i) => asking.ask({ name: `slow${round}-${i}.example.` }))
    // The connection is not silent meanwhile.
    for (let i = 0; i < 15; i++) {
      assert.equal(await asking.ask(), 'NOERROR 192.0.2.1')
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
    for (const each of await Promise.all(slow)) assert.match(each, /i\/o timeout$/)
  }
  assert.equal(upstream.connectionCount, 1)
})
