// The API server goes away and comes back, at each moment that differs: what it did meanwhile is served soon after, and what
// was there all along stays there in every version in between.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Follower, type FollowOptions, follow } from './aids.ts'

const SERVICES = 1000
/** Promised is 1 s; the machine may have other things to do. What it took is printed. */
const BACK_MS = 5000
const AWAY_MS = 300
/** Slow enough that the longest list takes half a second at least. */
const TRICKLE_OCTETS = 4096

interface Case {
  readonly protocol: 'h2' | 'http/1.1'
  readonly streaming: 'on' | 'unknown'
  readonly moment: 'list' | 'watch' | 'relist'
  /** Whether the server that comes back can resume watches, or says 410. */
  readonly remembers: boolean
}

const cases: Case[] = (['list', 'watch', 'relist'] as const).flatMap((moment) =>
  [true, false].flatMap((remembers): Case[] => [
    { moment, remembers, protocol: 'h2', streaming: 'on' },
    { moment, remembers, protocol: 'h2', streaming: 'unknown' },
    { moment, remembers, protocol: 'http/1.1', streaming: 'unknown' },
  ]),
)

/** What is served when the changes with this number have arrived. */
type Expectation = readonly [name: string, answer: string]

/** Changes things, Services with even numbers excepted. */
function change({ cluster, apply }: ChangeTarget, round: number): Expectation[] {
  const expected: Expectation[] = []
  for (let i = 0; i < 20; i++) {
    const n = round * 100 + i * 2 + 1
    const { service, namespace } = cluster.changeEndpoint(n)
    const address = cluster.isHeadless(n) ? cluster.addresses(n).sort().join(' ') : cluster.clusterIP(n)
    expected.push([`${service}.${namespace}`, `NOERROR ${address}`])
  }
  const [gone, added] = [round * 100 + 61, SERVICES + round]
  cluster.removeService(gone)
  expected.push([`${cluster.nameOf(gone)}.${cluster.namespaceOf(gone)}`, 'NXDOMAIN'])
  cluster.addService(added)
  if (!cluster.isHeadless(added)) {
    expected.push([`${cluster.nameOf(added)}.${cluster.namespaceOf(added)}`, `NOERROR ${cluster.clusterIP(added)}`])
  }
  apply('namespaces', { metadata: { name: `new-${round}` } })
  expected.push([`new-${round}`, 'NOERROR'])
  return expected
}

type ChangeTarget = Pick<Follower, 'cluster' | 'apply'>

function isServed(follower: Follower, expected: readonly Expectation[]): boolean {
  return expected.every(([name, answer]) => follower.ask(`${name}.svc.cluster.local`) === answer)
}

/** Waits until there are requests for all resources, and some of what was asked for has come. */
async function inTheMiddle(follower: Follower, before: number): Promise<void> {
  const { server } = follower
  const asked = (): number => server.count('list', 'endpointslices') + server.count('watch', 'endpointslices')
  await follower.until('a list is asked for', () => asked() > before)
  await sleep(50)
}

for (const { moment, remembers, protocol, streaming } of cases) {
  const how = `${protocol}, ${streaming === 'on' ? 'streaming' : 'paged'}, ${remembers ? 'watches resume' : '410'}`
  test(`away in the middle of a ${moment} (${how})`, async (t) => {
    const options: FollowOptions = {
      cluster: { services: SERVICES, endpointsPerService: 3 },
      server: { protocol, streamingLists: streaming },
    }
    const follower = await follow(t, options)
    const target: ChangeTarget = { cluster: follower.cluster, apply: follower.apply.bind(follower) }
    const { server } = follower
    const expected: Expectation[] = []
    if (moment === 'list') server.trickle(TRICKLE_OCTETS)
    else {
      await follower.following()
      follower.guardServices(Array.from({ length: SERVICES / 2 }, (_, i) => 2 * i))
    }
    if (moment === 'relist') {
      await server.stop()
      expected.push(...change(target, 1))
      follower.store.forget()
      server.trickle(TRICKLE_OCTETS)
    }
    if (moment !== 'watch') {
      const before = server.count('list', 'endpointslices') + server.count('watch', 'endpointslices')
      if (moment === 'relist') await server.start()
      await inTheMiddle(follower, moment === 'list' ? 0 : before + (streaming === 'on' ? 1 : 0))
      assert.ok(moment === 'list' ? !follower.feed.status.synced : !isServed(follower, expected), 'it is the middle')
    }

    await server.stop()
    server.trickle(Infinity)
    expected.push(...change(target, 2))
    if (!remembers) follower.store.forget()
    await sleep(AWAY_MS)
    let servedAt = 0
    follower.onVersion = () => {
      if (servedAt === 0 && follower.feed.status.synced && isServed(follower, expected)) servedAt = performance.now()
    }
    await server.start()
    const startedAt = performance.now()
    await follower.until('what changed is served', () => servedAt > 0)
    t.diagnostic(`served ${(servedAt - startedAt).toFixed(0)} ms after the server's return`)
    assert.ok(servedAt - startedAt < BACK_MS)
    await follower.converged()
    await follower.following()
    if (moment === 'list') return
    const relisted = follower.logged(/must be listed again/).length > 0
    assert.equal(relisted, moment === 'relist' || !remembers)
  })
}
