// Whole runs over TCP and TLS against servers that do what a server may do, and what it must not.

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { percentileMicros } from '../../../src/load/histogram.ts'
import type { RunResult, RunSpec } from '../../../src/load/run.ts'
import { answer, answerTo, answerToOther, type Behaviour, FramedServer, framed } from './framed-server.ts'
import {
  assertAllCounted,
  assertCounts,
  assertQueries,
  type Case,
  CERTIFICATE,
  caseOf,
  countsOf,
  PASSES,
  SENT,
  streamTarget,
  TABLE,
  withId,
} from './runs.ts'
import { runAgainst } from './session.ts'

type Framed = 'tcp' | 'tls'
const KINDS = ['tcp', 'tls'] as const

async function runOver(
  transport: Framed,
  behave: Behaviour,
  more: Partial<RunSpec> = {},
): Promise<{ result: RunResult; server: FramedServer }> {
  const server = await FramedServer.open(behave, transport === 'tls' ? CERTIFICATE : null)
  return await runAgainst(server, streamTarget(transport, server.port), more)
}

/** Gathers so many queries of a connection, then answers them from the last to the first. */
function backwards(count: number, send: (socketWrite: (octets: Buffer) => void, octets: Buffer) => void): Behaviour {
  const held = new Map<number, Buffer[]>()
  return (peer, message) => {
    const queries = held.get(peer.index) ?? []
    held.set(peer.index, queries)
    queries.unshift(answerTo(message))
    if (queries.length < count) return
    send((octets) => void peer.socket.write(octets), framed(queries.splice(0)))
  }
}

for (const transport of KINDS) {
  describe(transport, () => {
    test('answers in any order, octet by octet', async () => {
      const behave = backwards(5, (write, octets) => {
        for (const octet of octets) write(Buffer.of(octet))
      })
      const { result } = await runOver(transport, behave, {
        sockets: 1,
        schedule: { kind: 'closed', outstanding: 5 },
        passes: 2,
      })
      assertCounts(result, { sent: 2 * TABLE.count, answered: 2 * TABLE.count })
    })

    test('answers glued together', async () => {
      const behave = backwards(10, (write, octets) => write(octets))
      const { result } = await runOver(transport, behave, {
        sockets: 1,
        schedule: { kind: 'closed', outstanding: 10 },
      })
      assertCounts(result, {})
    })

    test('queries are those of the table, IDs count up', async () => {
      const { result, server } = await runOver(transport, answer)
      assertCounts(result, {})
      assertQueries(server.messages)
      assert.equal(
        result.octetsSent,
        server.messages.reduce((sum, { length }) => sum + length, 0),
      )
      assert.equal(result.octetsReceived, result.octetsSent)
      for (const { messages } of server.peers) {
        assert.ok(messages.length >= PASSES, 'both connections are used')
        const first = messages[0].readUInt16BE()
        assert.deepEqual(
          messages.map((message) => (message.readUInt16BE() - first) & 0xffff),
          messages.map((_, i) => i),
        )
      }
    })

    test('the latency of a server with a known delay', async () => {
      const { result } = await runOver(transport, (peer, message) => {
        setTimeout(() => peer.send(answerTo(message)), 20)
      })
      assertCounts(result, {})
      for (const latency of [result.latency, result.rawLatency]) {
        assert.ok(percentileMicros(latency, 1) > 18_500, `p1 ${percentileMicros(latency, 1)}`)
        assert.ok(percentileMicros(latency, 20) < 200_000, `p20 ${percentileMicros(latency, 20)}`)
      }
    })

    test('the server ends a connection behind each answer', async () => {
      const { result, server } = await runOver(
        transport,
        (peer, message) => {
          if (peer.messages.length === 1) peer.socket.end(framed([answerTo(message)]))
        },
        { sockets: 1, schedule: { kind: 'open', rate: 20 }, passes: 0, durationMs: 900, timeoutMs: 1000 },
      )
      assert.equal(result.sent, 18)
      assertAllCounted(result)
      const used = server.peers.filter(({ messages }) => messages.length > 0)
      // As many as it takes if nobody is slow: a query that is sent while the connection ends is lost.
      assert.equal(result.answered, used.length)
      assert.ok(used.length > 8, `${used.length} connections`)
    })

    test('the server ends connections in the middle', async () => {
      const { result, server } = await runOver(
        transport,
        (peer, message) => {
          if (peer.messages.length < 7) peer.send(answerTo(message))
          else peer.socket.end()
        },
        { schedule: { kind: 'closed', outstanding: 8 }, timeoutMs: 150 },
      )
      assert.equal(result.sent, SENT)
      assertAllCounted(result)
      assert.ok(result.lost >= server.peers.length - 2, `${result.lost} lost of ${server.peers.length} connections`)
      assert.ok(result.answered > 0)
      assert.ok(result.connections > 5, `${result.connections} connections`)
      const names = Object.keys(result.errors)
      assert.ok(names.includes('connection closed with queries under way'), names.join())
    })

    test('the server resets connections', async () => {
      const { result } = await runOver(
        transport,
        (peer, message) => {
          if (peer.messages.length < 9) peer.send(answerTo(message))
          else peer.reset()
        },
        { timeoutMs: 150 },
      )
      assert.equal(result.sent, SENT)
      assertAllCounted(result)
      assert.ok(result.lost > 0)
      assert.ok(result.errors.ECONNRESET > 0, JSON.stringify(result.errors))
    })
  })
}

test('what was asked over a connection that is gone is no answer to it over the next', async () => {
  let unanswered: Buffer | null = null
  const { result } = await runOver(
    'tcp',
    (peer, message) => {
      unanswered ??= answerTo(message)
      if (peer.index === 0) peer.socket.end()
      else peer.send(unanswered, answerTo(message))
    },
    { sockets: 1, schedule: { kind: 'open', rate: 20 }, passes: 0, durationMs: 500, timeoutMs: 1000 },
  )
  assert.equal(result.sent, 10)
  assertAllCounted(result)
  assert.ok(result.answered > 0 && result.lost > 0, `${result.answered} answered, ${result.lost} lost`)
  assert.equal(result.unexpected, result.answered)
  assert.deepEqual({ ...result.errors }, { 'connection closed with queries under way': 1 })
})

const upper = (message: Buffer): Buffer => {
  const changed = answerTo(message)
  changed[13] = 'N'.charCodeAt(0)
  return changed
}
const truncated = (message: Buffer): Buffer => {
  const changed = answerTo(message)
  changed[2] |= 2
  return changed
}

const cases: readonly Case<Behaviour>[] = [
  ['an answer', answer, { answered: 1 }],
  ['nothing', () => {}, {}],
  ['another ID', (peer, m) => peer.send(withId(answerTo(m), m.readUInt16BE() ^ 0x8000)), { unexpected: 1 }],
  ['another question', (peer, m) => peer.send(answerToOther(m)), { mismatched: 1 }],
  ['the query itself', (peer, m) => peer.send(m), { malformed: 1 }],
  ['eleven octets', (peer, m) => peer.send(answerTo(m).subarray(0, 11)), { malformed: 1 }],
  ['a message of no length', (peer) => peer.send(Buffer.alloc(0)), { malformed: 1 }],
  ['twice', (peer, m) => peer.send(answerTo(m), answerTo(m)), { answered: 1, unexpected: 1 }],
  ['another question first', (peer, m) => peer.send(answerToOther(m), answerTo(m)), { answered: 1, mismatched: 1 }],
  [
    'in another case',
    (peer, m) => peer.send(upper(m)),
    { answered: 1, errors: { 'letter case of the question not kept': 1 } },
  ],
  ['with TC', (peer, m) => peer.send(truncated(m)), { answered: 1, truncated: 1 }],
]
test(`answers that are, and that are not: ${cases.map(([what]) => what).join(', ')}`, async () => {
  const { result } = await runOver('tcp', (peer, message, server) => caseOf(cases, message)[1](peer, message, server), {
    timeoutMs: 1500,
  })
  assertCounts(result, countsOf(cases))
})

test('RCODEs are told apart', async () => {
  const { result } = await runOver('tcp', (peer, m, { messages }) => peer.send(answerTo(m, messages.length % 4)))
  assertCounts(result, {})
  assert.deepEqual(result.rcodes.slice(0, 5), [SENT / 4, SENT / 4, SENT / 4, SENT / 4, 0])
})

test('a server that stands still for a while', async () => {
  let isStill = false
  const { result } = await runOver(
    'tcp',
    (peer, message, { messages }) => {
      // This thread is the server: while it waits, nothing is read.
      if (messages.length === SENT / 2 && !isStill) {
        isStill = true
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 300)
      }
      peer.send(answerTo(message))
    },
    { schedule: { kind: 'open', rate: 200 } },
  )
  assertCounts(result, {})
  // Half of the queries came before; of the rest 300 ms at 200 a second, from no wait to the whole.
  assert.ok(percentileMicros(result.latency, 99) > 250_000)
  assert.ok(percentileMicros(result.latency, 75) > 100_000)
})

test('answers that come too late are none', async () => {
  const { result } = await runOver(
    'tcp',
    (peer, message) => {
      setTimeout(() => peer.send(answerTo(message)), 350)
    },
    { schedule: { kind: 'open', rate: 40 }, passes: 1, timeoutMs: 200 },
  )
  // Those that come after the end of the run are not even that.
  assertCounts(result, { sent: TABLE.count, answered: 0, lost: TABLE.count, unexpected: result.unexpected })
  assert.ok(result.unexpected > 0)
})

test('a closed loop sends the next when one is given up', async () => {
  const { result, server } = await runOver('tcp', () => {}, {
    schedule: { kind: 'closed', outstanding: TABLE.count / 2 },
    passes: 1,
    timeoutMs: 400,
  })
  assertCounts(result, { sent: TABLE.count, answered: 0, lost: TABLE.count })
  assert.equal(server.messages.length, TABLE.count)
  // Half of them, a timeout, and the other half.
  assert.ok(result.seconds > 0.39 && result.seconds < 0.78, `${result.seconds} s`)
})
