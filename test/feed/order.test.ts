// Changes that come together, in any order, and more than once: what is served in the end is what a fresh start would serve,
// whatever way led there.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseStored } from '../apiserver/object.ts'
import { RESOURCES, type ResourceName } from '../apiserver/resources.ts'
import { type Follower, follow } from './aids.ts'
import { namespace, service, slice } from './objects.ts'

interface Case {
  readonly name: string
  readonly before?: (follower: Follower) => void
  readonly change: (follower: Follower) => void
  /** The events of this resource come in one chunk. */
  readonly together?: ResourceName
  /** A, SRV and PTR records by name; `~` stands for `.svc.cluster.local`. */
  readonly expected: Readonly<Record<string, string>>
  /** Names that are there before and after are there in every version in between. */
  readonly guarded?: readonly string[]
}

const SHOP = (follower: Follower): void => follower.apply('namespaces', namespace('shop'))
const WEB = (follower: Follower): void => {
  SHOP(follower)
  follower.apply('services', service('shop', 'web', '10.96.0.7'))
  follower.apply('endpointslices', slice('shop', 'web-a', 'web', ['10.0.0.1', '10.0.0.2']))
}
const DATA = (follower: Follower): void => {
  SHOP(follower)
  follower.apply('services', service('shop', 'db', 'None'))
  follower.apply('endpointslices', slice('shop', 'db-a', 'db', ['10.0.1.1 db-0', '10.0.1.2 db-1']))
}

const cases: Case[] = [
  {
    name: 'the same Service deleted and created in one batch',
    before: WEB,
    change({ store, apply }) {
      store.remove('services', 'shop/web')
      apply('services', service('shop', 'web', '10.96.0.7'))
    },
    together: 'services',
    expected: { 'web.shop~': 'NOERROR 10.96.0.7', '_http._tcp.web.shop~': 'NOERROR 80 web.shop~' },
    guarded: ['web.shop~'],
  },
  {
    name: 'deleted and created with another address',
    before: WEB,
    change({ store, apply }) {
      store.remove('services', 'shop/web')
      apply('services', service('shop', 'web', '10.96.0.8'))
    },
    together: 'services',
    expected: {
      'web.shop~': 'NOERROR 10.96.0.8',
      '8.0.96.10.in-addr.arpa': 'NOERROR web.shop~',
      '7.0.96.10.in-addr.arpa': 'NXDOMAIN',
    },
    guarded: ['web.shop~'],
  },
  {
    name: 'created and deleted in one batch',
    before: SHOP,
    change({ store, apply }) {
      apply('services', service('shop', 'web', '10.96.0.7'))
      apply('endpointslices', slice('shop', 'web-a', 'web', ['10.0.0.1']))
      store.remove('endpointslices', 'shop/web-a')
      store.remove('services', 'shop/web')
    },
    together: 'services',
    expected: { 'web.shop~': 'NXDOMAIN', 'shop~': 'NOERROR' },
  },
  {
    name: 'a hundred versions of one slice in one batch: the last counts',
    before: DATA,
    change({ apply }) {
      for (let i = 1; i <= 100; i++)
        apply('endpointslices', slice('shop', 'db-a', 'db', [`10.0.2.${i} db-0`, '10.0.1.2 db-1']))
    },
    expected: {
      'db.shop~': 'NOERROR 10.0.1.2 10.0.2.100',
      'db-0.db.shop~': 'NOERROR 10.0.2.100',
      '99.2.0.10.in-addr.arpa': 'NXDOMAIN',
      '100.2.0.10.in-addr.arpa': 'NOERROR db-0.db.shop~',
    },
    guarded: ['db.shop~', 'db-0.db.shop~', 'db-1.db.shop~'],
  },
  {
    name: 'slices before their Service',
    before: SHOP,
    change({ apply }) {
      apply('endpointslices', slice('shop', 'db-a', 'db', ['10.0.1.1 db-0']))
      apply('endpointslices', slice('shop', 'db-b', 'db', ['10.0.1.2 db-1']))
      apply('services', service('shop', 'db', 'None'))
    },
    expected: { 'db.shop~': 'NOERROR 10.0.1.1 10.0.1.2', 'db-1.db.shop~': 'NOERROR 10.0.1.2' },
  },
  {
    name: 'the namespace last',
    change({ apply }) {
      apply('endpointslices', slice('shop', 'db-a', 'db', ['10.0.1.1 db-0']))
      apply('services', service('shop', 'db', 'None'), service('shop', 'web', '10.96.0.7'))
      apply('namespaces', namespace('shop'))
    },
    expected: { 'db.shop~': 'NOERROR 10.0.1.1', 'web.shop~': 'NOERROR 10.96.0.7' },
  },
  {
    name: 'the namespace first to go',
    before: WEB,
    change({ store }) {
      store.remove('namespaces', 'shop')
    },
    expected: { 'web.shop~': 'NXDOMAIN', 'shop~': 'NXDOMAIN', '7.0.96.10.in-addr.arpa': 'NXDOMAIN' },
  },
  {
    name: 'the namespace gone and back, its objects untouched',
    before: WEB,
    change({ store, apply }) {
      store.remove('namespaces', 'shop')
      apply('namespaces', namespace('shop'))
    },
    together: 'namespaces',
    expected: { 'web.shop~': 'NOERROR 10.96.0.7', '7.0.96.10.in-addr.arpa': 'NOERROR web.shop~' },
    guarded: ['web.shop~'],
  },
  {
    name: 'an address in two slices is one record, and stays when one of them goes',
    before(follower) {
      DATA(follower)
      follower.apply('endpointslices', slice('shop', 'db-b', 'db', ['10.0.1.2 db-1', '10.0.1.3 db-2']))
    },
    change({ store }) {
      store.remove('endpointslices', 'shop/db-a')
    },
    expected: {
      'db.shop~': 'NOERROR 10.0.1.2 10.0.1.3',
      'db-1.db.shop~': 'NOERROR 10.0.1.2',
      '2.1.0.10.in-addr.arpa': 'NOERROR db-1.db.shop~',
      'db-0.db.shop~': 'NXDOMAIN',
    },
    guarded: ['db-1.db.shop~'],
  },
  {
    name: 'endpoints go from one slice to another, the new slice first',
    before: DATA,
    change({ store, apply }) {
      apply('endpointslices', slice('shop', 'db-b', 'db', ['10.0.1.1 db-0', '10.0.1.2 db-1']))
      store.remove('endpointslices', 'shop/db-a')
    },
    expected: { 'db.shop~': 'NOERROR 10.0.1.1 10.0.1.2', 'db-0.db.shop~': 'NOERROR 10.0.1.1' },
    guarded: ['db.shop~', 'db-0.db.shop~', 'db-1.db.shop~'],
  },
  {
    name: 'a slice changes from one Service to another',
    before(follower) {
      DATA(follower)
      follower.apply('services', service('shop', 'cache', 'None'))
    },
    change({ apply }) {
      apply('endpointslices', slice('shop', 'db-a', 'cache', ['10.0.1.1 db-0']))
    },
    expected: {
      'cache.shop~': 'NOERROR 10.0.1.1',
      'db-0.cache.shop~': 'NOERROR 10.0.1.1',
      'db-0.db.shop~': 'NXDOMAIN',
      '1.1.0.10.in-addr.arpa': 'NOERROR db-0.cache.shop~',
    },
  },
  {
    name: 'a slice changes to a Service that comes later',
    before: DATA,
    change({ apply }) {
      apply('endpointslices', slice('shop', 'db-a', 'cache', ['10.0.1.1 db-0']))
      apply('services', service('shop', 'cache', 'None'))
    },
    expected: { 'cache.shop~': 'NOERROR 10.0.1.1', 'db-0.cache.shop~': 'NOERROR 10.0.1.1' },
  },
  {
    name: 'two Services change addresses with each other',
    before(follower) {
      SHOP(follower)
      follower.apply('services', service('shop', 'one', '10.96.0.1'), service('shop', 'two', '10.96.0.2'))
    },
    change({ apply }) {
      apply('services', service('shop', 'one', '10.96.0.2'), service('shop', 'two', '10.96.0.1'))
    },
    expected: {
      'one.shop~': 'NOERROR 10.96.0.2',
      '1.0.96.10.in-addr.arpa': 'NOERROR two.shop~',
      '2.0.96.10.in-addr.arpa': 'NOERROR one.shop~',
    },
    guarded: ['one.shop~', 'two.shop~'],
  },
  {
    name: 'every event comes twice',
    before: WEB,
    change({ store, apply }) {
      for (const resource of ['services', 'endpointslices', 'namespaces'] as const) store.repeatNext(resource, 10)
      apply('services', service('shop', 'web', '10.96.0.8'), service('shop', 'new', '10.96.0.9'))
      apply('endpointslices', slice('shop', 'web-a', 'web', ['10.0.0.3']))
      apply('namespaces', namespace('other'))
      store.remove('services', 'shop/new')
    },
    expected: { 'web.shop~': 'NOERROR 10.96.0.8', 'new.shop~': 'NXDOMAIN', 'other~': 'NOERROR' },
    guarded: ['web.shop~'],
  },
]

/** What a Service may turn into, and what its name has then. */
const types: Readonly<Record<string, { readonly spec: string; readonly answer: string }>> = {
  ClusterIP: { spec: '10.96.0.9', answer: 'NOERROR 10.96.0.9' },
  headless: { spec: 'None', answer: 'NOERROR 10.0.1.1 10.0.1.2' },
  ExternalName: { spec: 'example.org.', answer: 'NOERROR example.org.' },
}
for (const [from, { spec: first }] of Object.entries(types)) {
  for (const [to, { spec: then, answer }] of Object.entries(types)) {
    if (from === to) continue
    cases.push({
      name: `a Service changes from ${from} to ${to}`,
      before(follower) {
        SHOP(follower)
        follower.apply('services', service('shop', 'turn', first))
        follower.apply('endpointslices', slice('shop', 'turn-a', 'turn', ['10.0.1.1 t-0', '10.0.1.2 t-1']))
      },
      change({ apply }) {
        apply('services', service('shop', 'turn', then))
      },
      expected: {
        'turn.shop~': answer,
        // Endpoints have names whatever the type, but for ExternalName.
        't-0.turn.shop~': to !== 'ExternalName' ? 'NOERROR 10.0.1.1' : 'NXDOMAIN',
        '9.0.96.10.in-addr.arpa': to === 'ClusterIP' ? 'NOERROR turn.shop~' : 'NXDOMAIN',
        '1.1.0.10.in-addr.arpa': to !== 'ExternalName' ? 'NOERROR t-0.turn.shop~' : 'NXDOMAIN',
      },
    })
  }
}

const full = (text: string): string => text.replaceAll('~', '.svc.cluster.local')

test('what changes together', async (t) => {
  const follower = await follow(t)
  await follower.following()
  for (const { name, before, change, together, expected, guarded = [] } of cases) {
    await t.test(name, async () => {
      before?.(follower)
      await follower.converged()
      follower.guard(guarded.map((each) => [full(each), 'A']))
      if (together === undefined) change(follower)
      else inOneChunk(follower, together, () => change(follower))
      await follower.converged()
      for (const [owner, answer] of Object.entries(expected)) {
        const type = owner.endsWith('.arpa') ? 'PTR' : owner.startsWith('_') ? 'SRV' : 'A'
        assert.equal(answerOf(follower, owner, type), full(answer), owner)
      }
      follower.guard([])
      clear(follower)
      await follower.converged()
      assert.equal(follower.ask(full('web.shop~')), 'NXDOMAIN')
    })
  }
  assert.deepEqual(follower.logged(/must be listed again|missed|failed/), [], 'events alone have done it')
})

/** SRV without priority and weight, names without the final dot. */
function answerOf(follower: Follower, owner: string, type: string): string {
  const text = follower.ask(full(owner), type).replaceAll('.svc.cluster.local.', '.svc.cluster.local')
  return type === 'SRV' ? text.replaceAll(/\b\d+ \d+ (\d+ )/g, '$1') : text
}

function clear({ store }: Follower): void {
  for (const resource of ['services', 'endpointslices', 'namespaces'] as const) {
    for (const { key } of [...store.items(resource)]) store.remove(resource, key)
  }
}

/** Watches are told of the changes to a resource in one piece. */
function inOneChunk({ server, store }: Follower, resource: ResourceName, change: () => void): void {
  const lines: string[] = []
  const stop = store.listen(resource, ({ type, object }) => {
    lines.push(JSON.stringify({ type, object: parseStored(RESOURCES[resource], object) }))
  })
  store.dropNext(resource, Number.MAX_SAFE_INTEGER)
  change()
  store.dropNext(resource, -Number.MAX_SAFE_INTEGER + lines.length)
  stop()
  server.injectLine(resource, lines.join('\n'))
}
