// Schedules, passes, shares and ends of runs over TCP.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { QueryTable } from '../../../src/load/query-table.ts'
import type { RunResult, RunSpec, Second } from '../../../src/load/run.ts'
import { LoadSession, type RunEvents, type Sample } from '../../../src/load/session.ts'
import { message, tableOfGroups, tableOfTimes } from '../engine/tables.ts'
import { answer, answerTo, type Behaviour, FramedServer } from './framed-server.ts'
import { assertAllCounted, assertCounts, NAMES, SENT, streamSpec, streamTarget, TABLE, until } from './runs.ts'
import { session } from './session.ts'

interface Done {
  readonly result: RunResult
  readonly server: FramedServer
}

async function runIn(
  runner: LoadSession,
  behave: Behaviour,
  more: Partial<RunSpec>,
  events?: RunEvents,
  signal?: AbortSignal,
): Promise<Done> {
  const server = await FramedServer.open(behave)
  try {
    const result = await runner.run(streamSpec(streamTarget('tcp', server.port), more), events, [], signal)
    await until('all connections are closed', () => server.openCount === 0)
    return { result, server }
  } finally {
    server.close()
  }
}

async function runOf(table: QueryTable, workers: number, behave: Behaviour, more: Partial<RunSpec>): Promise<Done> {
  const own = await LoadSession.start(table, { workers, cores: [] })
  try {
    return await runIn(own, behave, more)
  } finally {
    await own.close()
  }
}

/** First label of the name in a query. */
function labelOf(query: Buffer): string {
  return query.toString('latin1', 13, 13 + query[12])
}

test('a closed loop has as many under way as it is to have, over all connections', async () => {
  let underWay = 0
  let underWayMax = 0
  const hold: Behaviour = (peer, query) => {
    underWayMax = Math.max(underWayMax, ++underWay)
    setTimeout(() => {
      underWay--
      peer.send(answerTo(query))
    }, 5)
  }
  for (const outstanding of [1, 7, 40]) {
    underWayMax = 0
    const { result, server } = await runIn(session, hold, { schedule: { kind: 'closed', outstanding }, sockets: 3 })
    assertCounts(result, {})
    assert.equal(underWayMax, outstanding)
    assert.equal(server.peers.length, Math.min(3, outstanding))
    const most = Math.max(...server.peers.map(({ messages }) => messages.length))
    const share = Math.ceil(outstanding / server.peers.length) / outstanding
    assert.ok(most <= SENT * share + outstanding, `${most} over one connection`)
  }
})

test('with one connection down, the others have what is under way', async () => {
  let underWay = 0
  let underWayMax = 0
  const { result } = await runIn(
    session,
    (peer, query, server) => {
      if (peer.index === 0) {
        server.refuse()
        peer.socket.destroy()
        return
      }
      underWayMax = Math.max(underWayMax, ++underWay)
      setTimeout(() => {
        underWay--
        peer.send(answerTo(query))
      }, 5)
    },
    { schedule: { kind: 'closed', outstanding: 12 }, sockets: 3, passes: 20, timeoutMs: 120 },
  )
  assert.equal(result.sent, 20 * TABLE.count)
  assertAllCounted(result)
  assert.ok(result.lost > 0)
  assert.ok(result.errors.ECONNREFUSED > 0, JSON.stringify(result.errors))
  assert.equal(underWayMax, 12)
})

test('each query as often as the table is passed, however many may be under way', async () => {
  const { result, server } = await runIn(session, answer, {
    schedule: { kind: 'closed', outstanding: 300 },
    passes: 3,
    sockets: 4,
  })
  assertCounts(result, { sent: 3 * NAMES.length, answered: 3 * NAMES.length })
  const labels = server.messages.map(labelOf).sort()
  assert.deepEqual(labels, [...NAMES, ...NAMES, ...NAMES].map((name) => name.split('.', 1)[0]).sort())
})

test('pairs go one behind the other over the same connection', async () => {
  const sizes = Array.from({ length: 30 }, (_, i) => 1 + (i % 2))
  for (const schedule of [
    { kind: 'open', rate: 3000 },
    { kind: 'closed', outstanding: 7 },
  ] as const) {
    const { result, server } = await runOf(tableOfGroups(sizes), 2, answer, { schedule, sockets: 5, passes: 4 })
    assertCounts(result, { sent: 180, answered: 180 })
    assert.equal(server.peers.length, 5)
    for (const { messages } of server.peers) {
      messages.forEach((query, i) => {
        if (query.readUInt16BE(query.length - 4) !== 28) return
        assert.equal(messages[i - 1].readUInt16BE(messages[i - 1].length - 4), 1)
        assert.equal(labelOf(messages[i - 1]), labelOf(query))
      })
    }
  }
})

test('a replay keeps the times of the table', async () => {
  const times = [0, 160, 162, 480]
  const arrivals: number[] = []
  const beganMs = performance.now()
  const { result } = await runOf(
    tableOfTimes(times),
    1,
    (peer, query) => {
      arrivals.push(performance.now())
      peer.send(answerTo(query))
    },
    { schedule: { kind: 'replay', speed: 2 }, passes: 0, durationMs: 330 },
  )
  // The table ends at 240 ms, and begins again at 320.
  assertCounts(result, { sent: 5, answered: 5 })
  // The first leaves some time after the call; none comes before its time.
  times.forEach((ms, i) => {
    const sinceMs = arrivals[i] - beganMs
    assert.ok(sinceMs > ms / 2, `query ${i} after ${sinceMs} ms`)
  })
  assert.ok(arrivals[3] - arrivals[2] > 100, `${arrivals[3] - arrivals[2]} ms between the last`)
})

test('a ramp sends what its rates come to', async () => {
  const { result } = await runIn(session, answer, {
    schedule: { kind: 'ramp', from: 200, to: 600 },
    passes: 0,
    durationMs: 500,
  })
  assertAllCounted(result)
  assert.ok(Math.abs(result.sent + result.unsent - 200) <= 1, `${result.sent} sent`)
})

test('the workers share the connections and the queries', async () => {
  const { result, server } = await runOf(TABLE, 2, answer, { sockets: 3 })
  assertCounts(result, {})
  assert.equal(result.connections, 3)
  assert.equal(server.peers.length, 3)
})

test('a warm-up is sent and does not count; connections do', async () => {
  const seconds: Second[] = []
  const { result, server } = await runIn(
    session,
    answer,
    { schedule: { kind: 'open', rate: 500 }, passes: 0, warmupMs: 200, durationMs: 300 },
    { second: (second) => void seconds.push(second) },
  )
  assertCounts(result, { sent: 150, answered: 150 })
  assert.ok(server.messages.length >= 250, `${server.messages.length} messages`)
  assert.equal(server.peers.length, 2)
  assert.equal(result.connections, 2)
  assert.deepEqual(
    seconds.map(({ index, connections }) => [index, connections]),
    [
      [-1, 2],
      [0, 2],
    ],
  )
})

test('a run that is ended by request ends, and accounts for what was under way', async () => {
  const abort = new AbortController()
  const { result } = await runIn(
    session,
    (peer, query, { messages }) => {
      if (messages.length < 20) peer.send(answerTo(query))
      if (messages.length === 30) abort.abort()
    },
    { schedule: { kind: 'open', rate: 400 }, passes: 0, timeoutMs: 300 },
    {},
    abort.signal,
  )
  assert.equal(result.interrupted, true)
  assert.ok(result.sent >= 30 && result.sent < 2000, `${result.sent} sent`)
  assert.equal(result.answered, 19)
  assertAllCounted(result)
})

test('all answers are handed out to be checked, with what was asked', async () => {
  const samples: Sample[] = []
  const { result } = await runIn(
    session,
    answer,
    { sampleEvery: 1, schedule: { kind: 'closed', outstanding: 16 } },
    { samples: (batch) => void samples.push(...batch) },
  )
  assertCounts(result, {})
  assert.equal(result.unsampled, 0)
  assert.equal(samples.length, SENT)
  for (const { index, response } of samples) {
    assert.deepEqual(Buffer.from(response).subarray(2), answerTo(Buffer.from(message(NAMES[index]))).subarray(2))
  }
})

test('workers that may sleep send and take the same', async () => {
  for (const schedule of [
    { kind: 'open', rate: 400 },
    { kind: 'closed', outstanding: 3 },
  ] as const) {
    const delayed: Behaviour = (peer, query) => void setTimeout(() => peer.send(answerTo(query)), 2)
    const { result } = await runIn(session, delayed, { schedule, sleeps: true })
    assertCounts(result, {})
  }
})
