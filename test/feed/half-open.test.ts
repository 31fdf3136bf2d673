// Connections that are there and carry nothing: through a network that forgot them, to a server that is frozen. That is noticed
// within ten seconds, what is served gets older meanwhile, and afterwards all goes on.

import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Follower, type FollowOptions, follow } from './aids.ts'
import { ApiProcess } from './api-process.ts'

const SERVICES = 40
/** Promised are 10 s; the machine may have other things to do. What it took is printed. */
const DETECTED_MS = 15_000
/** For so long silence is nothing special, and what is known counts as good. */
const TRUSTED_MS = 8000
const BACK_MS = 10_000

interface Case {
  readonly name: string
  readonly moment: 'watch' | 'relist'
  readonly options: FollowOptions
}

const cases: Case[] = [
  { name: 'HTTP/2, watches', moment: 'watch', options: { server: { protocol: 'h2' } } },
  { name: 'HTTP/1.1, watches', moment: 'watch', options: { server: { protocol: 'http/1.1' } } },
  { name: 'HTTP/2, streaming lists', moment: 'relist', options: { server: { protocol: 'h2' } } },
  {
    name: 'HTTP/2, pages',
    moment: 'relist',
    options: { server: { protocol: 'h2', streamingLists: 'unknown' }, feed: { pageSize: 5 } },
  },
  {
    name: 'HTTP/1.1, pages',
    moment: 'relist',
    options: { server: { protocol: 'http/1.1', streamingLists: 'unknown' }, feed: { pageSize: 5 } },
  },
  { name: 'HTTP/1.1, streaming lists', moment: 'relist', options: { server: { protocol: 'http/1.1' } } },
]

describe('silence', { concurrency: true }, () => {
  for (const each of cases) test(each.name, (t) => fallSilent(t, each))
  test('the server process is frozen, and goes on', freeze)
})

async function fallSilent(t: TestContext, { moment, options }: Case): Promise<void> {
  const follower = await follow(t, {
    ...options,
    relayed: true,
    cluster: { services: SERVICES, endpointsPerService: 3 },
  })
  const { server, store, cluster } = follower
  const relay = follower.relay!
  await follower.following()
  follower.guardServices(Array.from({ length: SERVICES / 2 }, (_, i) => 2 * i))
  if (moment === 'relist') {
    await server.stop()
    change(follower, 1)
    store.forget()
    server.trickle(500)
    const before = server.seen.length
    await server.start()
    const slices = (): number =>
      server.seen.slice(before).filter(({ resource }) => resource === 'endpointslices').length
    // The watch is refused with 410, then comes the list.
    await follower.until('a list is asked for', () => slices() > 1)
    await sleep(30)
  }
  relay.freeze()
  const { connectionCount } = relay
  const frozenAt = performance.now()
  server.trickle(Infinity)
  change(follower, 3)
  await follower.until('another way is tried', () => relay.connectionCount > connectionCount)
  const tookMs = performance.now() - frozenAt
  t.diagnostic(`noticed after ${(tookMs / 1000).toFixed(1)} s`)
  assert.ok(tookMs < DETECTED_MS)
  const { ageMs } = follower.feed.status
  assert.ok(ageMs > tookMs - TRUSTED_MS && ageMs < tookMs + 2000, `the data is ${ageMs} ms old after ${tookMs} ms`)

  relay.thaw()
  const thawedAt = performance.now()
  await follower.converged()
  assert.ok(performance.now() - thawedAt < BACK_MS)
  cluster.changeEndpoint(5)
  await follower.converged()
  await follower.until('the data is fresh', () => follower.feed.status.ageMs < 2000)
  assert.deepEqual(
    Object.values(follower.feed.status.resources)
      .map(({ failing }) => failing)
      .join(''),
    '',
  )
}

function change({ cluster }: Follower, n: number): void {
  for (let i = 0; i < 5; i++) cluster.changeEndpoint(n)
  cluster.removeService(n + 6)
}

async function freeze(t: TestContext): Promise<void> {
  const api = await ApiProcess.start(t, ['--services', String(SERVICES), '--endpoints', '3'])
  const follower = await follow(t, {
    kubeconfig: () => api.kubeconfig,
    cluster: { services: SERVICES, endpointsPerService: 3, namespaces: 100, spare: 1000 },
  })
  const { cluster, feed } = follower
  await follower.until('everything is known', () => feed.status.synced)
  follower.guardServices(Array.from({ length: SERVICES / 2 }, (_, i) => 2 * i))
  await follower.until('all is well', () => feed.status.ageMs < 1000)

  api.freeze()
  const frozenAt = performance.now()
  await follower.until('it is said', () => feed.status.resources.services?.failing !== '')
  t.diagnostic(
    `said after ${((performance.now() - frozenAt) / 1000).toFixed(1)} s: ${feed.status.resources.services?.failing}`,
  )
  const { ageMs } = feed.status
  assert.ok(ageMs > performance.now() - frozenAt - TRUSTED_MS, `the data is ${ageMs} ms old`)

  api.thaw()
  await api.obey({ do: 'remove', service: 1 })
  const name = `${cluster.nameOf(1)}.${cluster.namespaceOf(1)}.svc.cluster.local`
  await follower.until('the change is served', () => follower.ask(name) === 'NXDOMAIN')
  await follower.until('the data is fresh', () => feed.status.ageMs < 2000)
}
