// Whole runs and what they send: a table once, pairs together, from many sockets, never more at a time than asked for; and
// how a run ends.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { SUPPORTED } from '../../../src/io/layouts.ts'
import { FOLLOWER, type QueryTable } from '../../../src/load/query-table.ts'
import type { RunResult, RunSpec, Schedule } from '../../../src/load/run.ts'
import { LoadSession, type Sample } from '../../../src/load/session.ts'
import type { Behaviour, ServerRecord } from './server-thread.ts'
import { loopbackSpec, loopbackTarget, PATIENT_MS } from './specs.ts'
import { numberedNames, tableOf, tableOfGroups, tableOfTimes } from './tables.ts'
import { type UdpServer, withServer } from './udp-server.ts'

const skip = SUPPORTED ? false : 'not a platform of the batched transport'
const LONG_MS = 60_000
const TYPE_A = 1
const TYPE_AAAA = 28

async function withSession<Value>(
  table: QueryTable,
  workers: number,
  use: (session: LoadSession) => Promise<Value>,
): Promise<Value> {
  const session = await LoadSession.start(table, { workers, cores: [] })
  try {
    return await use(session)
  } finally {
    await session.close()
  }
}

function specFor({ port }: UdpServer, schedule: Schedule, more: Partial<RunSpec> = {}): RunSpec {
  return { ...loopbackSpec(schedule), target: loopbackTarget(port), durationMs: LONG_MS, ...more }
}

/** How often each label was seen. */
function timesSeen({ labels }: ServerRecord): Map<string, number> {
  const times = new Map<string, number>()
  for (const label of labels) times.set(label, (times.get(label) ?? 0) + 1)
  return times
}

const NAME_COUNT = 501
const OPEN: Schedule = { kind: 'open', rate: 10_000 }
const CLOSED: Schedule = { kind: 'closed', outstanding: 32 }

for (const workers of [1, 2, 3]) {
  test(`a table is sent as often as it is to be, with ${workers} worker(s)`, { skip }, async () => {
    const names = numberedNames(NAME_COUNT)
    await withSession(tableOf(names), workers, async (session) => {
      const cases: [schedule: Schedule, passes: number, gso: boolean][] = [
        [OPEN, 1, false],
        [CLOSED, 1, false],
        [{ kind: 'closed', outstanding: 500 }, 2, true],
        [{ kind: 'ramp', from: 5000, to: 20_000 }, 3, false],
      ]
      for (const [schedule, passes, gso] of cases) {
        await withServer('plain', async (server) => {
          const result = await session.run(specFor(server, schedule, { passes, gso }))
          const what = `${schedule.kind}, ${passes} passes`
          assert.deepEqual([result.sent, result.answered], [passes * NAME_COUNT, passes * NAME_COUNT], what)
          const times = timesSeen(await server.record())
          assert.deepEqual([...times.keys()].sort(), names.map((name) => name.split('.')[0]).sort(), what)
          for (const [label, seen] of times) assert.equal(seen, passes, `${label}, ${what}`)
          assert.deepEqual([result.unsent, result.interrupted], [0, false])
          assert.ok(result.seconds < LONG_MS / 1000)
        })
      }
    })
  })
}

test('more workers than queries: the table is sent once all the same', { skip }, async () => {
  await withSession(tableOf(['one.test', 'two.test']), 3, async (session) => {
    await withServer('plain', async (server) => {
      const result = await session.run(specFor(server, CLOSED, { passes: 5 }))
      assert.equal(result.sent, 10)
      assert.deepEqual([...timesSeen(await server.record()).values()], [5, 5])
      // By time, everybody has a share of the rate.
      const byTime = await session.run(specFor(server, { kind: 'open', rate: 3000 }, { durationMs: 200 }))
      assert.equal(byTime.sent + byTime.unsent, 600)
    })
  })
})

test('a capture is replayed in the order of its times, by all workers together', { skip }, async () => {
  const times = Array.from({ length: 100 }, (_, i) => i * 2)
  await withSession(tableOfTimes(times), 2, async (session) => {
    await withServer('plain', async (server) => {
      const result = await session.run(specFor(server, { kind: 'replay', speed: 2 }, { passes: 2 }))
      const record = await server.record()
      assert.equal(result.sent, 200)
      assert.deepEqual(
        [...timesSeen(record).values()].filter((seen) => seen !== 2),
        [],
      )
      // Half of 198 ms for a pass.
      assert.ok(result.seconds > 0.19, `${result.seconds} s`)
      for (const worker of [0, 1]) {
        const own = record.labels.map((label) => Number(label.slice(1))).filter((number) => number % 2 === worker)
        const pass = Array.from({ length: 50 }, (_, i) => 2 * i + worker)
        assert.deepEqual(own, [...pass, ...pass])
      }
    })
  })
})

test('what belongs together leaves together, from one socket', { skip }, async () => {
  const groups = Array.from({ length: 200 }, (_, i) => (i % 4 === 3 ? 1 : 2))
  const table = tableOfGroups(groups)
  assert.equal(table.flags.filter((flag) => flag === FOLLOWER).length, 150)
  for (const [schedule, gso] of [
    [OPEN, false],
    [CLOSED, false],
    [CLOSED, true],
  ] as const) {
    await withSession(table, 1, (session) =>
      withServer('plain', async (server) => {
        await session.run(specFor(server, schedule, { passes: 3, gso }))
        const { labels, types, ports } = await server.record()
        assert.equal(labels.length, 3 * table.count)
        let pairs = 0
        labels.forEach((label, i) => {
          if (types[i] !== TYPE_AAAA) return
          assert.deepEqual([labels[i - 1], types[i - 1], ports[i - 1]], [label, TYPE_A, ports[i]])
          pairs++
        })
        assert.equal(pairs, 3 * 150)
      }),
    )
  }
})

test('with several workers pairs stay together on their socket', { skip }, async () => {
  const table = tableOfGroups(new Array(101).fill(2))
  await withSession(table, 3, (session) =>
    withServer('plain', async (server) => {
      await session.run(specFor(server, CLOSED, { passes: 2 }))
      const { labels, types, ports } = await server.record()
      assert.equal(labels.length, 2 * table.count)
      const lastOfPort = new Map<number, string>()
      labels.forEach((label, i) => {
        if (types[i] === TYPE_AAAA) assert.equal(lastOfPort.get(ports[i]), label)
        lastOfPort.set(ports[i], label)
      })
    }),
  )
})

test('all sockets are used, in every kind of loop', { skip }, async () => {
  // What the command does unless told otherwise: 128 sockets, 128 queries under way. An open loop that is behind sends more
  // with one call, on fewer sockets.
  const cases: [schedule: Schedule, workers: number, sockets: number][] = [
    [{ kind: 'closed', outstanding: 128 }, 1, 128],
    [{ kind: 'closed', outstanding: 128 }, 2, 128],
    [{ kind: 'open', rate: 20_000 }, 2, 32],
  ]
  for (const [schedule, workers, sockets] of cases) {
    await withSession(tableOf(numberedNames(4000)), workers, (session) =>
      withServer('plain', async (server) => {
        const result = await session.run(specFor(server, schedule, { sockets, passes: 1 }))
        const { ports, queries, ids } = await server.record()
        assert.deepEqual([queries, result.lost], [4000, 0])
        assert.equal(new Set(ports).size, sockets, `${schedule.kind} with ${workers}`)
        // Each socket begins with an ID of its own.
        const firstIds = new Map(ports.map((port, i) => [port, ids[i]] as const).reverse())
        assert.ok(new Set(firstIds.values()).size > sockets * 0.9)
      }),
    )
  }
})

test('a closed loop has never more under way than it may, and as many', { skip }, async () => {
  for (const [workers, outstanding, sockets, gso] of [
    [1, 5, 128, false],
    [2, 33, 4, false],
    [1, 64, 1, true],
  ] as const) {
    await withSession(tableOf(numberedNames(600)), workers, (session) =>
      withServer('hold', async (server) => {
        const result = await session.run(specFor(server, { kind: 'closed', outstanding }, { passes: 1, sockets, gso }))
        const { heldMax } = await server.record()
        assert.equal(result.answered, 600)
        assert.equal(heldMax, outstanding)
      }),
    )
  }
})

test('a run ends when somebody wants so, and says so', { skip }, async () => {
  await withSession(tableOf(numberedNames(50)), 2, (session) =>
    withServer('plain', async (server) => {
      for (const schedule of [{ kind: 'open', rate: 2000 }, CLOSED] as const) {
        const stop = new AbortController()
        const { queries: before } = await server.record()
        const running = session.run(specFor(server, schedule), {}, [], stop.signal)
        while ((await server.record()).queries < before + 50) await sleep(5)
        stop.abort()
        const result = await running
        assert.equal(result.interrupted, true)
        assert.ok(result.seconds > 0 && result.seconds < 20, `${result.seconds} s`)
        assert.ok(result.sent >= 50)
        assert.equal(result.sent, result.answered + result.lost)
        assert.equal(result.latency.totalCount, result.sent)
        assert.ok(result.series.length > 0)
      }
      // While warming up nothing has counted yet.
      const stop = new AbortController()
      const { queries: before } = await server.record()
      const running = session.run(specFor(server, CLOSED, { warmupMs: LONG_MS }), {}, [], stop.signal)
      while ((await server.record()).queries === before) await sleep(5)
      stop.abort()
      const { interrupted, sent, seconds } = await running
      assert.deepEqual([interrupted, sent, seconds], [true, 0, 0])
      // Before it began.
      const never = await session.run(specFor(server, CLOSED), {}, [], AbortSignal.abort())
      assert.deepEqual([never.interrupted, never.sent], [true, 0])
      // The next one knows nothing of it.
      const next = await session.run(specFor(server, CLOSED, { passes: 1 }))
      assert.deepEqual([next.interrupted, next.sent, next.answered], [false, 50, 50])
    }),
  )
})

test('runs of one session have nothing to do with each other', { skip }, async () => {
  await withSession(tableOf(numberedNames(100)), 2, async (session) => {
    const once = (behaviour: Behaviour, schedule: Schedule, timeoutMs: number): Promise<RunResult> =>
      withServer(behaviour, (server) => session.run(specFor(server, schedule, { passes: 1, timeoutMs })))
    for (let run = 0; run < 3; run++) {
      const silent = await once('silent', CLOSED, 20)
      assert.deepEqual([silent.sent, silent.answered, silent.lost, silent.unexpected], [100, 0, 100, 0])
      const plain = await once('plain', OPEN, PATIENT_MS)
      assert.deepEqual([plain.sent, plain.answered, plain.lost, plain.unexpected], [100, 100, 0, 0])
    }
  })
})

test('a slow checker gets every answer of a closed loop, and one of so many if he wants', { skip }, async () => {
  const names = numberedNames(5000)
  await withSession(tableOf(names), 2, async (session) => {
    for (const sampleEvery of [1, 7]) {
      await withServer('long', async (server) => {
        const seen = new Map<number, number>()
        const samples = async (batch: readonly Sample[]): Promise<void> => {
          for (const { index, response } of batch) {
            seen.set(index, (seen.get(index) ?? 0) + 1)
            const label = Buffer.from(response.subarray(13, 13 + response[12])).toString()
            assert.equal(`${label}.test`, names[index])
          }
          await sleep(20)
        }
        const outstanding = 256
        const result = await session.run(specFor(server, { kind: 'closed', outstanding }, { passes: 1, sampleEvery }), {
          samples,
        })
        assert.deepEqual([result.answered, result.unsampled], [names.length, 0])
        const expected = sampleEvery === 1 ? names.length : 2 * Math.floor(2500 / sampleEvery)
        assert.equal(seen.size, expected)
        assert.ok([...seen.values()].every((times) => times === 1))
      })
    }
  })
})

test('a run is over when the last answer is checked', { skip }, async () => {
  await withSession(tableOf(numberedNames(50)), 2, (session) =>
    withServer('plain', async (server) => {
      let checked = 0
      const samples = async (batch: readonly Sample[]): Promise<void> => {
        await sleep(100)
        checked += batch.length
      }
      await session.run(specFor(server, CLOSED, { passes: 1, sampleEvery: 1 }), { samples })
      assert.equal(checked, 50)
    }),
  )
})

test('a checker who fails ends the run, be it at its end', { skip }, async () => {
  await withSession(tableOf(numberedNames(100)), 1, (session) =>
    withServer('plain', async (server) => {
      const fail = (): Promise<void> => Promise.reject(new Error('cannot check'))
      const failLate = (): Promise<void> => sleep(50).then(fail)
      await assert.rejects(session.run(specFor(server, CLOSED, { sampleEvery: 1 }), { samples: fail }), /cannot check/)
      const once = specFor(server, CLOSED, { passes: 1, sampleEvery: 1 })
      await assert.rejects(session.run(once, { samples: failLate }), /cannot check/)
    }),
  )
})
