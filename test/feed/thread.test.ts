// The feed thread dies, or the API server never comes back: what is known goes on being served, and where there is somebody to
// follow, it is followed again.

import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Worker } from 'node:worker_threads'
import { type Follower, type FollowOptions, follow } from './aids.ts'

const SERVICES = 100
const DEATHS = 5
const GONE_MS = 6000

/** How a thread comes to its end. */
const ends: Readonly<Record<string, (worker: Worker) => unknown>> = {
  'is terminated': (worker) => worker.terminate(),
  // What it does not expect: an exception that nobody catches.
  throws: (worker) => worker.postMessage(null),
}

/** The threads that are started from now on, the last one at the end. */
function threadsOf(t: TestContext): Worker[] {
  const threads: Worker[] = []
  const listener = (worker: Worker): void => void threads.push(worker)
  process.on('worker', listener)
  t.after(() => process.off('worker', listener))
  return threads
}

async function started(t: TestContext, options: FollowOptions = {}): Promise<Follower> {
  return await follow(t, { ...options, cluster: { services: SERVICES, endpointsPerService: 3 } })
}

function guardHalf(follower: Follower): void {
  follower.guardServices(Array.from({ length: SERVICES / 2 }, (_, i) => 2 * i))
}

for (const [how, end] of Object.entries(ends)) {
  test(`a thread that follows ${how}, again and again`, async (t) => {
    const threads = threadsOf(t)
    const follower = await started(t)
    const { cluster, store } = follower
    await follower.following()
    guardHalf(follower)
    for (let death = 1; death <= DEATHS; death++) {
      await end(threads.at(-1)!)
      cluster.changeEndpoint(2 * death + 1)
      cluster.removeService(2 * death + 21)
      if (death % 2 === 0) store.compact()
      await follower.until('there is another thread', () => threads.length === death + 1)
      await follower.converged()
      await follower.following()
    }
    assert.equal(
      follower.logged(/the feed thread is started again in \d+ ms; what is known keeps serving/).length,
      DEATHS,
    )
    if (how === 'throws') assert.ok(follower.logged(/the feed thread ends: TypeError/).length === DEATHS)
  })

  for (const streamingLists of ['on', 'unknown'] as const) {
    test(`a thread ${how} in the middle of the first list (streaming lists ${streamingLists})`, async (t) => {
      const threads = threadsOf(t)
      const follower = await started(t, { server: { streamingLists }, feed: { pageSize: 10 } })
      const { server, cluster } = follower
      server.trickle(1000)
      for (let death = 1; death <= 3; death++) {
        const from = server.seen.length
        const isAsked = (): boolean => server.seen.slice(from).some(({ resource }) => resource === 'endpointslices')
        await follower.until('a list is asked for', () => isAsked() || death === 1)
        await sleep(60)
        assert.ok(!follower.feed.status.synced)
        await end(threads.at(-1)!)
        // What a part of a list has named need not be there any more.
        for (let n = 0; n < 5; n++) cluster.removeService(10 * death + n)
      }
      server.trickle(Infinity)
      await follower.converged()
      await follower.following()
    })

    test(`a thread ${how} in the middle of a later list (streaming lists ${streamingLists})`, async (t) => {
      const threads = threadsOf(t)
      const follower = await started(t, { server: { streamingLists }, feed: { pageSize: 10 } })
      const { server, cluster, store } = follower
      await follower.following()
      guardHalf(follower)
      await server.stop()
      cluster.changeEndpoint(1)
      cluster.removeService(3)
      store.forget()
      server.trickle(1000)
      const from = server.seen.length
      await server.start()
      const lists = (): number => server.seen.slice(from).filter(({ resource }) => resource === 'endpointslices').length
      await follower.until('a list is asked for', () => lists() > 1)
      await sleep(30)
      await end(threads.at(-1)!)
      cluster.removeService(5)
      server.trickle(Infinity)
      await follower.converged()
    })
  }
}

test('a thread dies in the middle of an audit', async (t) => {
  const threads = threadsOf(t)
  const follower = await started(t, { feed: { auditIntervalMs: 300, pageSize: 10 } })
  const { server } = follower
  await follower.following()
  guardHalf(follower)
  server.trickle(3000)
  const before = server.count('list', 'endpointslices')
  await follower.until('an audit has begun', () => server.count('list', 'endpointslices') > before + 2)
  await threads.at(-1)!.terminate()
  server.trickle(Infinity)
  await follower.converged()
  await sleep(2500)
  assert.deepEqual(follower.logged(/^audit:/), [])
})

test('the API server goes for good', async (t) => {
  const follower = await started(t, { relayed: true })
  const { feed } = follower
  const relay = follower.relay!
  await follower.following()
  guardHalf(follower)
  const before = [...follower.served()]
  const version = follower.publications
  const { connectionCount } = relay
  relay.refuse(true)
  relay.cut()
  const goneAt = performance.now()
  await sleep(GONE_MS)
  assert.deepEqual([...follower.served()], before)
  assert.equal(follower.publications, version, 'nothing is published')
  const { synced, ageMs, resources } = feed.status
  const goneMs = performance.now() - goneAt
  assert.ok(synced, 'what was known once counts')
  assert.ok(ageMs > goneMs - 1500 && ageMs < goneMs + 1500, `${ageMs} ms old after ${goneMs} ms`)
  for (const { failing } of Object.values(resources))
    assert.match(failing, /ECONNRESET|closed the connection|disconnected/)
  const lines = follower.log.slice(1)
  assert.equal(new Set(lines).size, lines.length, `each reason is said once:\n${lines.join('\n')}`)
  // Twice a second, after the first few: whenever it comes back, that is seen soon, and it costs little.
  const attempts = relay.connectionCount - connectionCount
  assert.ok(attempts >= 9 && attempts <= 30, `${attempts} attempts in ${goneMs} ms`)
})

test('there is no API server at the start', async (t) => {
  const follower = await started(t)
  await follower.server.stop()
  await follower.until('it is said', () => follower.logged(/^services: /).length > 0)
  assert.ok(!follower.feed.status.synced)
  // As the server does when the time for starting is over.
  follower.feed.showWhatIsKnown()
  assert.equal(follower.feed.status.ageMs, Number.POSITIVE_INFINITY)
  assert.equal(follower.ask(`${follower.cluster.nameOf(0)}.ns-0000.svc.cluster.local`).split(' ')[0], 'SERVFAIL')
  await follower.server.start()
  await follower.converged()
})
