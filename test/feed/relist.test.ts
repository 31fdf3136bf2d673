// A watch that cannot be resumed: the list that follows replaces what is known. Objects that are gone disappear in the very
// version in which the new ones appear, whatever its pages or pieces are.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Follower, follow } from './aids.ts'
import { namespace, service, slice } from './objects.ts'

const COUNT = 200

/** `old-7` becomes `new-7`, for each kind of object. */
interface Kind {
  readonly resource: 'services' | 'endpointslices' | 'namespaces'
  make(follower: Follower, generation: string, n: number): void
  remove(follower: Follower, generation: string, n: number): void
  name(generation: string, n: number): string
}

const kinds: Kind[] = [
  {
    resource: 'services',
    make: ({ apply }, generation, n) =>
      apply('services', service('shop', `${generation}-${n}`, `10.96.${generation === 'old' ? 1 : 2}.${n}`)),
    remove: ({ store }, generation, n) => store.remove('services', `shop/${generation}-${n}`),
    name: (generation, n) => `${generation}-${n}.shop.svc.cluster.local`,
  },
  {
    resource: 'endpointslices',
    make: ({ apply }, generation, n) =>
      apply('endpointslices', slice('shop', `${generation}-${n}`, 'db', [`10.0.1.${n} ${generation}-${n}`])),
    remove: ({ store }, generation, n) => store.remove('endpointslices', `shop/${generation}-${n}`),
    name: (generation, n) => `${generation}-${n}.db.shop.svc.cluster.local`,
  },
  {
    resource: 'namespaces',
    make: ({ apply }, generation, n) => apply('namespaces', namespace(`${generation}-${n}`)),
    remove: ({ store }, generation, n) => store.remove('namespaces', `${generation}-${n}`),
    name: (generation, n) => `${generation}-${n}.svc.cluster.local`,
  },
]

const ways = [
  { streamingLists: 'on', pageSize: 7, cut: 'an ERROR event' },
  { streamingLists: 'on', pageSize: 7, cut: 'a cut' },
  { streamingLists: 'unknown', pageSize: 7, cut: 'an ERROR event' },
  { streamingLists: 'unknown', pageSize: 500, cut: 'a cut' },
] as const

for (const { streamingLists, pageSize, cut } of ways) {
  test(`${streamingLists === 'on' ? 'streaming' : `pages of ${pageSize}`}, after ${cut}`, async (t) => {
    const follower = await follow(t, { server: { streamingLists }, feed: { pageSize } })
    follower.apply('namespaces', namespace('shop'))
    follower.apply('services', service('shop', 'db', 'None'), service('shop', 'web', '10.96.0.1'))
    await follower.following()
    await follower.converged()
    follower.guard([['web.shop.svc.cluster.local', 'A']])
    for (const kind of kinds) await t.test(kind.resource, () => replace(follower, kind, cut))
  })
}

async function replace(follower: Follower, kind: Kind, cut: string): Promise<void> {
  const { server, store } = follower
  const { resource, make, remove, name } = kind
  const all = Array.from({ length: COUNT }, (_, n) => n)
  for (const n of all) make(follower, 'old', n)
  await follower.converged()
  await follower.until('it is watched', () => server.watchCount === 3)
  const seen = new Set<string>()
  follower.onVersion = () => {
    const counts = ['old', 'new'].map((each) => all.filter((n) => follower.ask(name(each, n)) !== 'NXDOMAIN').length)
    seen.add(counts.join(' old, new '))
  }
  // What the watch is not told only the list can tell.
  store.dropNext(resource, Number.MAX_SAFE_INTEGER)
  for (const n of all) {
    make(follower, 'new', n)
    remove(follower, 'old', n)
  }
  store.dropNext(resource, -Number.MAX_SAFE_INTEGER + 2 * COUNT)
  store.compact()
  if (cut === 'a cut') server.cut()
  else {
    const status = { kind: 'Status', status: 'Failure', reason: 'Expired', message: 'too old', code: 410 }
    server.injectLine(resource, JSON.stringify({ type: 'ERROR', object: status }))
  }
  await follower.converged()
  assert.deepEqual(
    [...seen].filter((each) => each !== `${COUNT} old, new 0`),
    [`0 old, new ${COUNT}`],
  )
  follower.onVersion = () => {}
  for (const n of all) remove(follower, 'new', n)
  await follower.converged()
}
