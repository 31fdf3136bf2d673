// Whole runs over HTTPS against servers that do what a server may do, and what it must not.

import assert from 'node:assert/strict'
import { constants } from 'node:http2'
import { test } from 'node:test'
import { percentileMicros } from '../../../src/load/histogram.ts'
import type { Counts, RunResult, RunSpec, Target } from '../../../src/load/run.ts'
import { answer as answerFramed, answerTo, answerToOther, FramedServer } from './framed-server.ts'
import { answer, type Behaviour, HttpsServer, respond } from './https-server.ts'
import {
  assertAllCounted,
  assertCounts,
  assertQueries,
  type Case,
  CERTIFICATE,
  caseOf,
  countsOf,
  SENT,
  streamSpec,
  streamTarget,
  TABLE,
  until,
  withId,
} from './runs.ts'
import { runAgainst, session } from './session.ts'

async function runHttps(
  behave: Behaviour,
  more: Partial<RunSpec> = {},
  settings = {},
  target: Partial<Target> = {},
): Promise<{ result: RunResult; server: HttpsServer }> {
  const server = await HttpsServer.open(behave, CERTIFICATE, settings)
  return await runAgainst(server, streamTarget('https', server.port, target), more)
}

test('requests as RFC 8484 has them', async () => {
  const { result, server } = await runHttps(answer, {}, {}, { path: '/dns/query?a=b' })
  assertCounts(result, {})
  assert.equal(result.connections, 2)
  assert.equal(server.sessionCount, 2)
  assertQueries(server.requests.map(({ message }) => message))
  for (const { headers, message } of server.requests) {
    assert.equal(message.readUInt16BE(), 0)
    assert.deepEqual(Object.fromEntries(Object.entries(headers)), {
      ':method': 'POST',
      ':path': '/dns/query?a=b',
      ':scheme': 'https',
      ':authority': `dns.example:${server.port}`,
      accept: 'application/dns-message',
      'content-type': 'application/dns-message',
      'content-length': String(message.length),
    })
  }
})

test('answers in any order, the latency of a known delay', async () => {
  const { result } = await runHttps((stream, message, n) => {
    setTimeout(() => respond(stream, answerTo(message)), 20 + (n % 3) * 10)
  })
  assertCounts(result, {})
  assert.ok(percentileMicros(result.latency, 1) > 18_500, `p1 ${percentileMicros(result.latency, 1)}`)
  assert.ok(percentileMicros(result.latency, 20) < 250_000, `p20 ${percentileMicros(result.latency, 20)}`)
})

test('a message in pieces', async () => {
  const { result } = await runHttps((stream, message) => {
    stream.respond({ ':status': 200, 'content-type': 'Application/DNS-Message; charset=none' })
    for (const octet of answerTo(message)) stream.write(Buffer.of(octet))
    stream.end()
  })
  assertCounts(result, {})
})

const LOST = { answered: 0, lost: SENT }
const failing = (name: string): Partial<Counts> => ({ errors: { [name]: 1 } })

const cases: readonly Case<Behaviour>[] = [
  ['an answer', answer, { answered: 1 }],
  ['nothing', () => {}, {}],
  ['500', (stream, m) => respond(stream, answerTo(m), undefined, 500), failing('HTTP status 500')],
  [
    '404 without content',
    (stream) => stream.respond({ ':status': 404 }, { endStream: true }),
    failing('HTTP status 404'),
  ],
  ['a page', (stream) => respond(stream, Buffer.from('<p>no'), 'text/html'), failing('content of type text/html')],
  ['no type', (stream) => stream.respond({ ':status': 200 }, { endStream: true }), failing('content of type none')],
  ['no message', (stream) => respond(stream, Buffer.alloc(0)), failing('answer without a message')],
  ['another ID', (stream, m) => respond(stream, withId(answerTo(m), 1)), failing('answer with an ID other than 0')],
  ['a long message', (stream) => respond(stream, Buffer.alloc(65_536)), failing('answer of more than 65535 octets')],
  ['a reset', (stream) => stream.close(constants.NGHTTP2_REFUSED_STREAM), failing('request reset: REFUSED_STREAM')],
  ['another question', (stream, m) => respond(stream, answerToOther(m)), { mismatched: 1 }],
  ['the query itself', (stream, m) => respond(stream, m), { malformed: 1 }],
  ['one octet', (stream) => respond(stream, Buffer.of(0)), { malformed: 1 }],
]
test(`answers that are, and that are not: ${cases.map(([what]) => what).join(', ')}`, async () => {
  const { result } = await runHttps(
    (stream, message, n, server) => caseOf(cases, message)[1](stream, message, n, server),
    { timeoutMs: 2000 },
  )
  assertCounts(result, countsOf(cases))
})

test('the beginning of an answer, then a reset', async () => {
  const { result } = await runHttps(
    (stream, message) => {
      stream.respond({ ':status': 200, 'content-type': 'application/dns-message' })
      stream.write(answerTo(message).subarray(0, 8), () => stream.close(constants.NGHTTP2_INTERNAL_ERROR))
    },
    { timeoutMs: 1000 },
  )
  // Node's server may end the message before it resets the request.
  const { malformed } = result
  const errors = { 'request reset: INTERNAL_ERROR': SENT - malformed }
  assertCounts(result, { ...LOST, malformed, errors })
})

test('requests that take too long are cancelled', async () => {
  const { result, server } = await runHttps(
    (stream, message, n) => {
      if (n % 2 === 0) respond(stream, answerTo(message))
    },
    { timeoutMs: 1500 },
  )
  assertCounts(result, { answered: SENT / 2, lost: SENT / 2 })
  const resets = server.requests.filter(({ reset }) => reset === constants.NGHTTP2_CANCEL).length
  // The last of them when everything is over: then the connections are closed.
  assert.ok(resets > SENT / 4, `${resets} were cancelled`)
})

test('a server that allows few requests at a time: the rest waits, which is its doing', async () => {
  const { result, server } = await runHttps(
    (stream, message) => setTimeout(() => respond(stream, answerTo(message)), 40),
    { sockets: 1, schedule: { kind: 'open', rate: 100 }, passes: 2, lateMs: 25 },
    { maxConcurrentStreams: 2 },
  )
  const sent = 2 * TABLE.count
  assertCounts(result, { sent, answered: sent })
  assert.equal(server.underWayMax, 2)
  // Twenty rounds of 40 ms for queries of 400 ms. Many left more than 25 ms after their time; the machine is late with few.
  assert.ok(percentileMicros(result.latency, 90) > 250_000, `${percentileMicros(result.latency, 90)}`)
  assert.ok(percentileMicros(result.latency, 50) > percentileMicros(result.rawLatency, 50) + 50_000)
  assert.ok(result.late < sent / 2, `${result.late} late`)
  assert.ok(percentileMicros(result.lateness, 50) < 25_000)
})

test('what waits longer than the timeout is lost', async () => {
  const { result } = await runHttps(
    () => {},
    { sockets: 1, schedule: { kind: 'open', rate: 1000 }, passes: 0, durationMs: 300, timeoutMs: 150 },
    { maxConcurrentStreams: 10 },
  )
  const waited = result.errors['query that no connection took in time']
  assert.ok(waited > 200, `${waited} waited`)
  // Node's server refuses some of those that come right behind cancelled ones.
  assertCounts(result, { sent: 300, answered: 0, lost: 300, errors: result.errors })
})

test('a closed loop says that the server allows less', async () => {
  const { result, server } = await runHttps(
    answer,
    { sockets: 1, schedule: { kind: 'closed', outstanding: 50 } },
    { maxConcurrentStreams: 5 },
  )
  assertCounts(result, { errors: { 'connection that takes less at a time than was to be outstanding': 1 } })
  assert.ok(server.underWayMax <= 5)
})

test('the server ends connections in order', async () => {
  const { result, server } = await runHttps(
    (stream, message, n) => {
      if (n % 10 === 9) stream.session?.goaway(constants.NGHTTP2_NO_ERROR)
      setTimeout(() => respond(stream, answerTo(message)), 5)
    },
    { schedule: { kind: 'open', rate: 400 }, timeoutMs: 1500 },
  )
  const { lost, errors } = result
  assert.equal(result.sent, SENT)
  assertAllCounted(result)
  // Only what was sent before the end was heard of.
  assert.deepEqual({ ...errors }, lost === 0 ? {} : { 'request reset: REFUSED_STREAM': lost })
  assert.ok(lost < SENT / 2, `${lost} lost`)
  assert.ok(server.sessionCount > 5, `${server.sessionCount} connections`)
  assert.ok(result.connections > 5 && result.connections <= server.sessionCount)
})

test('the server drops connections in the middle', async () => {
  const { result, server } = await runHttps(
    (stream, message, n) => {
      if (n % 20 === 19) stream.session?.socket?.destroy()
      else setTimeout(() => respond(stream, answerTo(message)), 5)
    },
    { timeoutMs: 300, schedule: { kind: 'open', rate: 1000 } },
  )
  assert.equal(result.sent, SENT)
  assertAllCounted(result)
  assert.ok(result.lost >= 5, `${result.lost} lost`)
  assert.ok(result.answered > 0)
  assert.ok(server.sessionCount > 2)
  const times = Object.values(result.errors).reduce((sum, count) => sum + count, 0)
  // Once for the connection, and requests that never left it.
  assert.ok(times > 0 && times <= result.lost + server.sessionCount, JSON.stringify(result.errors))
})

test('a server that says to calm down', async () => {
  const { result } = await runHttps((stream) => stream.session?.goaway(constants.NGHTTP2_ENHANCE_YOUR_CALM), {
    sockets: 1,
    timeoutMs: 200,
    passes: 0,
    schedule: { kind: 'open', rate: 100 },
    durationMs: 300,
  })
  assertAllCounted(result)
  assert.equal(result.sent, 30)
  assert.equal(result.lost, 30)
  assert.ok(result.errors['GOAWAY ENHANCE_YOUR_CALM'] > 0, JSON.stringify(result.errors))
})

test('runs over different transports in turn leave nothing behind', async () => {
  const servers = {
    tcp: await FramedServer.open(answerFramed),
    tls: await FramedServer.open(answerFramed, CERTIFICATE),
    https: await HttpsServer.open(answer, CERTIFICATE),
  }
  try {
    for (const transport of ['tcp', 'https', 'tls', 'tcp', 'https', 'tls'] as const) {
      const result = await session.run(
        streamSpec(streamTarget(transport, servers[transport].port), { schedule: { kind: 'closed', outstanding: 9 } }),
      )
      assertCounts(result, {})
      assert.equal(result.connections, 2)
      await until('all connections are closed', () => {
        const open = servers.tcp.openCount + servers.tls.openCount + servers.https.sessions.size
        return open === 0
      })
    }
  } finally {
    for (const server of Object.values(servers)) server.close()
  }
})
