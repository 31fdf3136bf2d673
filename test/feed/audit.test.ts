// Events that a watch silently drops: an audit finds what they said and puts it right; it never takes back what a watch has said
// since, and one that does not end does nothing. CoreDNS never lists again: there such a gap stays until a restart.

import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { startApiServer } from '../apiserver/server.ts'
import { Store } from '../apiserver/store.ts'
import { type Follower, type FollowOptions, follow } from './aids.ts'
import { namespace, service, slice } from './objects.ts'

const SERVICES = 60
const INTERVAL_MS = 500
/** An audit takes some pages, a tenth of a second apart, and two seconds at its end. */
const AUDITED: FollowOptions = {
  feed: { auditIntervalMs: INTERVAL_MS, pageSize: 10 },
  cluster: { services: SERVICES, endpointsPerService: 2 },
}
const BUSY_MS = 8000
const CHANGE_EVERY_MS = 15
const CUTS = 8

interface Case {
  readonly name: string
  readonly resource: 'namespaces' | 'services' | 'endpointslices'
  readonly change: (follower: Follower) => void
  /** As the log names it. */
  readonly key: string
  readonly question: string
  readonly before: string
  readonly after: string
}

const cases: Case[] = [
  {
    name: 'a new Service',
    resource: 'services',
    change: ({ apply }) => apply('services', service('shop', 'new', '10.96.0.9')),
    key: 'shop/new',
    question: 'new.shop',
    before: 'NXDOMAIN',
    after: 'NOERROR 10.96.0.9',
  },
  {
    name: 'a changed Service',
    resource: 'services',
    change: ({ apply }) => apply('services', service('shop', 'web', '10.96.0.8')),
    key: 'shop/web',
    question: 'web.shop',
    before: 'NOERROR 10.96.0.7',
    after: 'NOERROR 10.96.0.8',
  },
  {
    name: 'a deleted Service',
    resource: 'services',
    change: ({ store }) => store.remove('services', 'shop/web'),
    key: 'shop/web',
    question: 'web.shop',
    before: 'NOERROR 10.96.0.7',
    after: 'NXDOMAIN',
  },
  {
    name: 'a new slice',
    resource: 'endpointslices',
    change: ({ apply }) => apply('endpointslices', slice('shop', 'db-b', 'db', ['10.0.1.2'])),
    key: 'shop/db-b',
    question: 'db.shop',
    before: 'NOERROR 10.0.1.1',
    after: 'NOERROR 10.0.1.1 10.0.1.2',
  },
  {
    name: 'a changed slice',
    resource: 'endpointslices',
    change: ({ apply }) => apply('endpointslices', slice('shop', 'db-a', 'db', ['10.0.1.7'])),
    key: 'shop/db-a',
    question: 'db.shop',
    before: 'NOERROR 10.0.1.1',
    after: 'NOERROR 10.0.1.7',
  },
  {
    name: 'a deleted slice',
    resource: 'endpointslices',
    change: ({ store }) => store.remove('endpointslices', 'shop/db-a'),
    key: 'shop/db-a',
    question: 'db.shop',
    before: 'NOERROR 10.0.1.1',
    after: 'NXDOMAIN',
  },
  {
    name: 'a new namespace',
    resource: 'namespaces',
    change: ({ apply }) => apply('namespaces', namespace('new')),
    key: 'new',
    question: 'new',
    before: 'NXDOMAIN',
    after: 'NOERROR',
  },
  {
    name: 'a deleted namespace',
    resource: 'namespaces',
    change: ({ store }) => store.remove('namespaces', 'shop'),
    key: 'shop',
    question: 'web.shop',
    before: 'NOERROR 10.96.0.7',
    after: 'NXDOMAIN',
  },
]

async function started(t: TestContext, options: FollowOptions = AUDITED): Promise<Follower> {
  const follower = await follow(t, options)
  follower.apply('namespaces', namespace('shop'))
  follower.apply('services', service('shop', 'web', '10.96.0.7'), service('shop', 'db', 'None'))
  follower.apply('endpointslices', slice('shop', 'db-a', 'db', ['10.0.1.1']))
  await follower.following()
  await follower.converged()
  if (options.cluster !== undefined) follower.guardServices(Array.from({ length: SERVICES }, (_, n) => n))
  return follower
}

async function heal(t: TestContext, { resource, change, key, question, before, after }: Case): Promise<void> {
  const follower = await started(t)
  const name = `${question}.svc.cluster.local`
  follower.store.dropNext(resource, 1)
  change(follower)
  // The next event does not tell it either.
  follower.apply('services', service('shop', 'other', '10.96.0.20'))
  await follower.until('the next event is served', () => follower.ask('other.shop.svc.cluster.local') !== 'NXDOMAIN')
  if (follower.ask('shop.svc.cluster.local') === 'NOERROR')
    assert.equal(follower.ask(name), before, 'nobody knows it yet')
  await follower.until('it is put right', () => follower.ask(name) === after)
  await follower.converged()
  await follower.until('it is said', () => follower.logged(/^audit:/).length > 0)
  assert.deepEqual(follower.logged(/^audit:/), [`audit: the watch of ${resource} had missed ${key}: put right`])
  assert.equal(follower.feed.status.healed, 1)
}

describe('beside one another', { concurrency: true }, () => {
  for (const each of cases) test(`nobody was told of ${each.name}`, (t) => heal(t, each))

  test('more than can be named', async (t) => {
    const follower = await started(t)
    follower.store.dropNext('services', 100)
    for (let n = 0; n < 100; n++) follower.apply('services', service('shop', `n-${n}`, `10.96.1.${n}`))
    await follower.converged()
    assert.match(follower.logged(/^audit:/)[0], /had missed (shop\/n-\d+, ){4}shop\/n-\d+ and 95 more: put right/)
  })

  test('objects that change all the time are never taken back', async (t) => {
    const follower = await started(t)
    const { server, store } = follower
    server.trickle(3000)
    let last = 0
    const backwards: string[] = []
    const generation = (): number =>
      Number(/\.(\d+)\.(\d+)$/.exec(follower.ask('busy.shop.svc.cluster.local'))?.[2] ?? 0)
    follower.onVersion = () => {
      const now = generation()
      if (now < last) backwards.push(`${now} after ${last}`)
      last = now
    }
    const endsAt = performance.now() + BUSY_MS
    for (let n = 1; performance.now() < endsAt; n = (n % 250) + 1) {
      if (n === 1) last = 0
      follower.apply('services', service('shop', 'busy', `10.96.9.${n}`))
      if (n % 2 === 0) follower.apply('services', service('shop', `come-${n % 10}`, `10.96.8.${n}`))
      else if (store.get('services', `shop/come-${(n + 3) % 10}`) !== null)
        store.remove('services', `shop/come-${(n + 3) % 10}`)
      await sleep(CHANGE_EVERY_MS)
      if (n === 250) await follower.until('all has come', () => generation() === 250)
    }
    assert.ok(server.count('list', 'services') > 6, 'there were audits')
    assert.deepEqual(backwards, [])
    assert.deepEqual(follower.logged(/^audit:/), [], 'there was nothing to put right')
    server.trickle(Infinity)
    await follower.converged()
  })

  test('the cluster is restored from a backup: its versions are lower than what we have seen', async (t) => {
    const follower = await started(t, { ...AUDITED, relayed: true, cluster: undefined })
    const relay = follower.relay!
    const restored = new Store({ version: 1 })
    restored.apply('namespaces', namespace('shop'))
    restored.apply('services', service('shop', 'web', '10.96.0.7'))
    restored.apply('services', service('shop', 'older', '10.96.0.6'))
    const other = await startApiServer({ store: restored, streamingLists: 'on' })
    t.after(() => other.close())
    follower.guard([['web.shop.svc.cluster.local', 'A']])
    relay.targetPort = other.port
    relay.cut()
    // A watch from a version that has not been yet says nothing; only a list tells.
    await follower.until('it is put right', () => follower.ask('older.shop.svc.cluster.local') === 'NOERROR 10.96.0.6')
    await follower.until('it is put right', () => follower.ask('db.shop.svc.cluster.local') === 'NXDOMAIN')
    // The watch was deaf: another one, from a version that there is, tells what comes later without an audit.
    await follower.until('it is watched anew', () => other.count('watch', 'services') > 1)
    const audits = follower.logged(/^audit: the watch of services/).length
    restored.apply('services', service('shop', 'newer', '10.96.0.5'))
    await follower.until('what comes later, too', () => follower.ask('newer.shop.svc.cluster.local') !== 'NXDOMAIN')
    assert.equal(follower.logged(/^audit: the watch of services/).length, audits)
  })

  test('an audit that is cut in the middle does nothing', async (t) => {
    const follower = await started(t)
    const { server } = follower
    server.trickle(3000)
    for (let i = 0; i < CUTS; i++) {
      await follower.until('all is watched', () => server.watchCount === 3)
      const before = server.count('list', 'services')
      // The second page at least: the first one names some that exist.
      await follower.until('an audit has begun', () => server.count('list', 'services') > before + 1)
      server.cut()
      follower.cluster.store.apply('namespaces', namespace(`new-${i}`))
    }
    await sleep(3000)
    assert.deepEqual(follower.logged(/^audit:/), [])
    server.trickle(Infinity)
    await follower.converged()
  })
})
