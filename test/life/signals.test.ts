// How a process ends: orderly and without losing a query on SIGTERM and SIGINT, at once when asked twice, and what other signals do.

import assert from 'node:assert/strict'
import { afterEach, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { CorefileServer } from '../corefile/corefile-server.ts'
import { httpPorts, USUAL_QUESTIONS, usualBlock } from './corefiles.ts'
import { Load } from './load.ts'

const LAMEDUCK_MS = 2000
/** Of the lameduck time, the part in which the load may still ask: the rest is for a machine that is busy. */
const ASKING_MS = 1200

const servers: CorefileServer[] = []
afterEach(() => {
  for (const server of servers.splice(0)) if (server.isRunning) server.kill()
})

async function start(lameduck: string): Promise<CorefileServer & { http: Awaited<ReturnType<typeof httpPorts>> }> {
  const http = await httpPorts()
  const server = await CorefileServer.start({ text: usualBlock(http, '', lameduck), workers: 2 })
  servers.push(server)
  return Object.assign(server, { http })
}

/** `refused`, or the status. */
async function probe(server: CorefileServer, path: string, port: number): Promise<string> {
  try {
    return String((await server.get(path, port)).status)
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ECONNREFUSED' ? 'refused' : String(error)
  }
}

for (const [signal, line] of [
  ['SIGTERM', '[INFO] SIGTERM: Shutting down servers then terminating'],
  ['SIGINT', '[INFO] SIGINT: Shutting down'],
] as const) {
  test(`${signal} under load: not ready at once, no query lost in lameduck, exit 0`, async () => {
    const server = await start('2s')
    const { health, ready, metrics } = server.http
    assert.equal(await probe(server, '/ready', ready), '200')
    const load = new Load({ port: server.port, questions: USUAL_QUESTIONS })
    await sleep(300)
    const before = server.mark
    server.signal(signal)
    await server.line(/plugin\/health: Going into lameduck mode/, before)
    const began = performance.now()
    assert.equal(await probe(server, '/ready', ready), 'refused', 'readiness ends before lameduck begins')
    while (performance.now() - began < ASKING_MS) {
      assert.equal(await probe(server, '/health', health), '200')
      assert.equal(await probe(server, '/metrics', metrics), '200')
      await sleep(100)
    }
    const report = await load.stop()
    assert.ok(performance.now() - began < LAMEDUCK_MS, 'the load has ended before lameduck has; else nothing was shown')
    assert.deepEqual({ lost: report.lost, wrong: report.wrong, examples: report.examples }, NOTHING_LOST)
    assert.ok(report.answered > 100, `${report.answered} queries`)
    assert.deepEqual(await server.exit(), { code: 0, signal: null })
    // A timer may fire a millisecond early by another clock.
    assert.ok(performance.now() - began > LAMEDUCK_MS - 100, 'lameduck lasts as long as it says')
    const lines = server.stdout.slice(before.stdout)
    assert.deepEqual(lines, [line, '[INFO] plugin/health: Going into lameduck mode for 2s'])
    assert.deepEqual(server.stderr, [])
  })
}

const NOTHING_LOST = { lost: 0, wrong: 0, examples: [] }

test('a second SIGINT ends it at once with 2', async () => {
  const server = await start('25s')
  server.signal('SIGINT')
  await server.line(/Going into lameduck mode for 25s/)
  assert.equal(await server.stop('SIGINT'), 2)
})

test('SIGINT after SIGTERM ends it at once with 2', async () => {
  const server = await start('25s')
  server.signal('SIGTERM')
  await server.line(/Going into lameduck mode for 25s/)
  assert.equal(await server.stop('SIGINT'), 2)
})

test('a second SIGTERM changes nothing', async () => {
  const server = await start('1s')
  server.signal('SIGTERM')
  await server.line(/Going into lameduck mode for 1s/)
  server.signal('SIGTERM')
  await sleep(100)
  const [asked] = USUAL_QUESTIONS
  assert.equal(asked.check(await server.ask(asked.query)), '')
  assert.deepEqual(await server.exit(), { code: 0, signal: null })
})

test('SIGQUIT ends it at once with 0', async () => {
  const server = await start('25s')
  const before = server.mark
  assert.equal(await server.stop('SIGQUIT'), 0)
  assert.deepEqual(server.stdout.slice(before.stdout), [])
})

test('SIGUSR2 is no end', async () => {
  const server = await start('0s')
  server.signal('SIGUSR2')
  await server.line(/^\[WARNING\] SIGUSR2/)
  const [asked] = USUAL_QUESTIONS
  assert.equal(asked.check(await server.ask(asked.query)), '')
  const before = server.mark
  assert.equal(await server.stop(), 0)
  assert.ok(!server.stdout.slice(before.stdout).some((line) => /lameduck/.test(line)), 'no lameduck without one')
})
