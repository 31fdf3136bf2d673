// The connection is cut after any number of octets, again and again, while the cluster changes: what is served in the end is what a
// fresh start would serve, and names that are always there are there in every version.
// PEREGRINE_CUT_ROUNDS and PEREGRINE_CUT_SEED make it longer, and another one.

import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { seededRandom } from '../../src/load/queries/draw.ts'
import { type Follower, type FollowOptions, follow } from './aids.ts'

const SEED = Number(process.env.PEREGRINE_CUT_SEED ?? Date.now() % 2 ** 31)
/** Of each of the settings, which run side by side. */
const ROUNDS = Number(process.env.PEREGRINE_CUT_ROUNDS ?? 100)
const SERVICES = 20
/** TLS takes some three thousand octets, all lists together some eighty thousand. */
const CUT_SOON_OCTETS = 6000
const CUT_LATE_OCTETS = 60_000
const CHECKED_EVERY = 20
/** A connection that carries too little to be cut is cut after this time. */
const ROUND_MS = 150

const settings: Readonly<Record<string, FollowOptions>> = {
  'HTTP/2, streaming lists': { server: { protocol: 'h2' } },
  'HTTP/2, pages': { server: { protocol: 'h2', streamingLists: 'unknown' }, feed: { pageSize: 7 } },
  'HTTP/1.1, pages': { server: { protocol: 'http/1.1', streamingLists: 'unknown' }, feed: { pageSize: 7 } },
  'HTTP/1.1, streaming lists': { server: { protocol: 'http/1.1' } },
}

test(`seed ${SEED}`, { concurrency: true, timeout: 60_000 + ROUNDS * 2000 }, async (t) => {
  const runs = Object.entries(settings).map(([name, options], i) =>
    t.test(name, (each) => run(each, options, seededRandom(SEED + i))),
  )
  await Promise.all(runs)
})

async function run(t: TestContext, options: FollowOptions, random: () => number): Promise<void> {
  const cluster = { services: SERVICES, endpointsPerService: 3, dualStackShare: 0.2, severalSlicesShare: 0.3 }
  const follower = await follow(t, { ...options, cluster, relayed: true, changesKept: 100 })
  const below = (limit: number): number => Math.floor(random() * limit)
  await follower.following()
  follower.guardServices(Array.from({ length: SERVICES / 2 }, (_, i) => 2 * i))
  const relay = follower.relay!
  let cuts = 0
  const cut = relay.cut.bind(relay)
  relay.cut = (how) => {
    cuts++
    cut(how)
  }
  for (let round = 1; round <= ROUNDS; round++) {
    const before = cuts
    relay.cutAfter(below(below(3) === 0 ? CUT_SOON_OCTETS : CUT_LATE_OCTETS), below(2) === 0 ? 'rst' : 'fin')
    if (below(8) === 0) follower.store.compact()
    const limit = performance.now() + ROUND_MS
    do {
      change(follower, below)
      await sleep(below(20))
    } while (cuts === before && performance.now() < limit)
    if (cuts === before) cut(below(2) === 0 ? 'rst' : 'fin')
    if (round % CHECKED_EVERY > 0) continue
    relay.cutAfter(Infinity)
    await follower.converged()
  }
  relay.cutAfter(Infinity)
  await follower.converged()
  await follower.following()
  const relists = follower.logged(/must be listed again/).length
  t.diagnostic(`${cuts} cuts by octets, ${relists} relists, ${follower.publications} versions`)
  assert.ok(cuts > ROUNDS / 4 && relists > ROUNDS / 20, `${cuts} cuts and ${relists} relists are enough`)
}

/** One change of a Service with an odd number, or of a namespace. */
function change({ cluster, store, apply }: Follower, below: (limit: number) => number): void {
  const n = 2 * below(SERVICES / 2) + 1
  const key = `${cluster.namespaceOf(n)}/${cluster.nameOf(n)}`
  const exists = store.get('services', key) !== null
  const kind = below(10)
  if (!exists) cluster.addService(n, kind < 5)
  else if (kind < 5) cluster.changeEndpoint(n)
  else if (kind < 7) cluster.removeService(n)
  else if (kind < 8) {
    cluster.removeService(n)
    cluster.addService(n, true)
  } else {
    const name = `extra-${below(5)}`
    if (store.get('namespaces', name) === null) apply('namespaces', { metadata: { name } })
    else store.remove('namespaces', name)
  }
}
