import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { SUPPORTED } from '../../src/io/layouts.ts'
import { runTraffic, ServerProcess } from './server-process.ts'
import { EXIT, HANG, THROW, THROW_ALWAYS, THROW_EARLY } from './stand-in-answerer.ts'

const skip = !SUPPORTED && 'SKIPPED: needs the batched transport'

// The full run: 10^6 queries and 1,000 crashes, about a minute.
const queries = Number(process.env.PEREGRINE_CRASH_QUERIES ?? 100_000)
const CRASH_EVERY = 1000
const RATE = 20_000

test(`${queries / CRASH_EVERY} crashes at ${RATE} queries a second lose nothing`, { skip }, async () => {
  const server = await ServerProcess.start()
  const result = await runTraffic({
    port: server.port,
    rate: RATE,
    queries,
    sockets: 16,
    specialEvery: CRASH_EVERY,
    // Mostly exceptions; now and then the whole thread goes.
    special: [THROW, THROW, THROW, THROW, EXIT, THROW, THROW, THROW, THROW, THROW],
  })
  const { stats, exitCode } = await server.stop()
  const crashes = stats.query.reduce((sum, worker) => sum + worker.crashes, 0)
  console.log(JSON.stringify({ ...result, workers: undefined, crashes }))
  assert.equal(result.lost, 0)
  assert.equal(result.strange, 0)
  assert.equal(result.servfail, queries / CRASH_EVERY, 'only the queries that kill get SERVFAIL')
  assert.equal(crashes, queries / CRASH_EVERY)
  assert.equal(exitCode, 0)
  assert.match(server.logged[0], /^query worker \d died and is replaced: .*(told to throw|exited with code: 3)/)
  assert.ok(server.logged.length <= 2 + queries / RATE, 'one line a second')
})

test('crashes of one worker do not disturb the other', { skip }, async () => {
  const server = await ServerProcess.start()
  const result = await runTraffic({
    port: server.port,
    rate: 5000,
    queries: 10_000,
    sockets: 16,
    specialEvery: 500,
    special: [EXIT],
    specialFirst: true,
  })
  const { stats } = await server.stop()
  const victim = result.workers[0]
  assert.ok(victim === 0 || victim === 1, 'a client stays with its worker')
  assert.equal(result.lost, 0)
  assert.equal(stats.query[victim].crashes, 20)
  assert.equal(stats.query[1 - victim].crashes, 0)
  assert.ok(stats.query[1 - victim].answered > 1000)
})

test('a worker that hangs is replaced, and nothing in its socket is lost', { skip }, async () => {
  const server = await ServerProcess.start()
  const result = await runTraffic({
    port: server.port,
    rate: 2000,
    queries: 6000,
    sockets: 16,
    specialEvery: 3000,
    special: [HANG],
  })
  const { stats } = await server.stop()
  assert.equal(result.lost, 0)
  assert.equal(result.servfail, 2)
  assert.equal(
    stats.query.reduce((sum, worker) => sum + worker.crashes, 0),
    2,
  )
  assert.ok(server.logged.some((line) => /has not moved for 500 ms and is terminated/.test(line)))
})

test('a query that kills twice is given up, the rest of its batch is answered', { skip }, async () => {
  const server = await ServerProcess.start({ workers: 1 })
  const result = await runTraffic({
    port: server.port,
    rate: 10_000,
    queries: 2000,
    sockets: 4,
    specialEvery: 500,
    special: [THROW_ALWAYS],
  })
  const { stats } = await server.stop()
  assert.equal(result.lost, 4)
  assert.equal(stats.query[0].crashes, 8)
})

test("a death while the batch is prepared is no query's fault: all are answered", { skip }, async () => {
  const server = await ServerProcess.start({ workers: 1 })
  // Held until all have arrived, so that there are full batches to prepare.
  server.child.kill('SIGSTOP')
  const traffic = runTraffic({
    port: server.port,
    rate: 10_000,
    queries: 2000,
    sockets: 4,
    specialEvery: 100,
    special: [THROW_EARLY],
  })
  await sleep(800)
  server.child.kill('SIGCONT')
  const { lost, servfail, strange } = await traffic
  const { stats } = await server.stop()
  assert.deepEqual({ lost, servfail, strange }, { lost: 0, servfail: 0, strange: 0 })
  assert.ok(stats.query[0].crashes >= 10)
})
