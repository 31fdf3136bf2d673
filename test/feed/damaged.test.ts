// What the API server should not say: events and objects that are damaged, foreign or huge. Nothing of it stops the feed; what is
// known of a damaged object stays, and the log has a line about it, once.

import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import type { GivenObject, Json } from '../apiserver/object.ts'
import type { ResourceName } from '../apiserver/resources.ts'
import { type Follower, follow } from './aids.ts'
import { namespace, service, slice } from './objects.ts'

const HUGE_OCTETS = 10 * 2 ** 20
const name = (n: number): string => `web-${n}.shop.svc.cluster.local`

async function started(t: TestContext, streamingLists: 'on' | 'unknown' = 'on'): Promise<Follower> {
  const follower = await follow(t, { server: { streamingLists } })
  follower.apply('namespaces', namespace('shop'))
  for (let n = 0; n < 5; n++) follower.apply('services', service('shop', `web-${n}`, `10.96.0.${n}`))
  follower.apply('services', service('shop', 'db', 'None'))
  follower.apply('endpointslices', slice('shop', 'db-a', 'db', ['10.0.1.1 db-0', '10.0.1.2 db-1']))
  await follower.following()
  follower.guard([
    [name(0), 'A'],
    ['db.shop.svc.cluster.local', 'A'],
    ['db-0.db.shop.svc.cluster.local', 'A'],
  ])
  return follower
}

/** Lines that may stand in a watch of Services, and what the log says of each: not more than ten in a minute. */
const lines: readonly [what: string, line: string, said: RegExp | null][] = [
  ['half of an event', '{"type":"MODIFIED","object":{"kind":"Service","met', /says what is no event/],
  ['no JSON', '<html>', /says what is no event/],
  ['an empty line', '', null],
  ['a number', '17', /says what is no event/],
  ['null', 'null', /says what is no event/],
  ['an unknown type', '{"type":"RENAMED","object":{"metadata":{"name":"web-1"}}}', /unknown type "RENAMED"/],
  ['no type', '{"object":{"metadata":{"name":"web-1"}}}', /unknown type/],
  ['no object', '{"type":"ADDED"}', /has no object/],
  ['an object without metadata', '{"type":"ADDED","object":{"kind":"Service"}}', /metadata\.name is missing; left out/],
  [
    'a name that is none',
    event('ADDED', { name: '../etc', namespace: 'shop' }),
    /services shop\/\.\.\/etc: .*left out/,
  ],
  ['a name that is a number', event('ADDED', { name: 7, namespace: 'shop' }), /metadata\.name must be .*left out/],
  ['an unknown object is deleted', event('DELETED', { name: 'never', namespace: 'shop' }), null],
  [
    'an ERROR without a reason',
    '{"type":"ERROR","object":{}}',
    /watch of services was ended: the server gave no message/,
  ],
  ['an ERROR that is no Status', '{"type":"ERROR","object":{"code":"410"}}', /watch of services was ended/],
]

function event(type: string, metadata: Json, rest: Json = {}): string {
  return JSON.stringify({ type, object: { kind: 'Service', apiVersion: 'v1', metadata, ...rest } })
}

for (const streamingLists of ['on', 'unknown'] as const) {
  test(`lines that are no events (${streamingLists === 'on' ? 'streaming lists' : 'pages'})`, async (t) => {
    const follower = await started(t, streamingLists)
    let n = 10
    for (const [what, line, said] of lines) {
      await t.test(what, async () => {
        await follower.until('all is watched', () => follower.server.watchCount === 3)
        const from = follower.log.length
        const before = listsOf(follower)
        follower.server.injectLine('services', line)
        follower.apply('services', service('shop', `web-${++n}`, `10.96.0.${n}`))
        await follower.until('the next event is served', () => follower.ask(name(n)) === `NOERROR 10.96.0.${n}`)
        await follower.converged()
        const about = follower.log.slice(from).filter((each) => !/followed again|must be listed again/.test(each))
        assert.deepEqual(about.length, said === null ? 0 : 1, about.join('\n'))
        if (said !== null) assert.match(about[0], said)
        assert.equal(listsOf(follower), before, 'the watch is resumed, no list is needed')
      })
    }
  })
}

/** How often Services were listed. */
function listsOf({ server }: Follower): number {
  const isList = (path: string, verb: string): boolean => verb === 'list' || path.includes('sendInitialEvents')
  return server.seen.filter(({ resource, path, verb }) => resource === 'services' && isList(path, verb)).length
}

/** Objects that cannot be read, in place of good ones. */
const damages: readonly [what: string, resource: ResourceName, key: string, object: Json][] = [
  ['spec is a list', 'services', 'shop/web-0', { spec: [] }],
  [
    'a cluster IP is none',
    'services',
    'shop/web-0',
    { spec: { clusterIP: '10.96.0.256', clusterIPs: ['10.96.0.256'] } },
  ],
  ['a port is none', 'services', 'shop/web-0', { spec: { clusterIP: '10.96.0.9', ports: [{ port: 70_000 }] } }],
  ['a port is text', 'services', 'shop/web-0', { spec: { clusterIP: '10.96.0.9', ports: [{ port: 'http' }] } }],
  [
    'the protocol is unknown',
    'services',
    'shop/web-0',
    { spec: { clusterIP: '10.96.0.9', ports: [{ port: 80, protocol: 'QUIC' }] } },
  ],
  ['an ExternalName without one', 'services', 'shop/web-0', { spec: { type: 'ExternalName' } }],
  ['endpoints are a text', 'endpointslices', 'shop/db-a', { addressType: 'IPv4', endpoints: 'none' }],
  [
    'an address of the other family',
    'endpointslices',
    'shop/db-a',
    { addressType: 'IPv4', endpoints: [{ addresses: ['fd00::1'] }] },
  ],
  [
    'an address type of the future',
    'endpointslices',
    'shop/db-a',
    { addressType: 'IPv8', endpoints: [{ addresses: ['1.2.3.4.5'] }] },
  ],
  [
    'a hostname that is none',
    'endpointslices',
    'shop/db-a',
    { addressType: 'IPv4', endpoints: [{ addresses: ['10.0.1.1'], hostname: 'a b' }] },
  ],
]

for (const streamingLists of ['on', 'unknown'] as const) {
  test(`objects that cannot be read (${streamingLists === 'on' ? 'streaming lists' : 'pages'})`, async (t) => {
    for (const [what, resource, key, object] of damages) {
      await t.test(what, async (each) => {
        const follower = await started(each, streamingLists)
        const { store, server } = follower
        const before = [...follower.served()]
        const labels = resource === 'endpointslices' ? { 'kubernetes.io/service-name': 'db' } : {}
        const [inNamespace, called] = key.split('/')
        const metadata = { name: called, namespace: inNamespace, labels, resourceVersion: '' }
        const good = store.read(resource, key)!
        store.putText(resource, key, JSON.stringify({ metadata, ...object }).slice(1))
        await follower.until('it is said', () => follower.logged(/left as it was known/).length === 1)
        assert.match(follower.logged(/left as it was known/)[0], new RegExp(`^${resource} ${key}: \\S+ .*; left as`))
        assert.deepEqual([...follower.served()], before, 'its last good form stays')

        // A list says so again, and leaves it as it is, too.
        await server.stop()
        follower.apply('services', service('shop', 'web-9', '10.96.0.9'), service('shop', 'web-1', '10.96.1.1'))
        follower.apply('namespaces', namespace('more'))
        store.forget()
        await server.start()
        await follower.until('it is listed', () => follower.ask(name(9)) === 'NOERROR 10.96.0.9')
        await follower.until(
          'it was listed',
          () => follower.logged(/left as it was known/).length === 2 || resource === 'endpointslices',
        )
        assert.equal(follower.ask(name(0)), 'NOERROR 10.96.0.0')
        assert.equal(follower.ask('db.shop.svc.cluster.local'), 'NOERROR 10.0.1.1 10.0.1.2')

        store.apply(resource, good)
        await follower.until('it is mended', () => server.watchCount === 3)
        await follower.converged()
      })
    }
  })
}

/** Answers with status 200 that are no lists. */
const bodies: readonly [what: string, body: string, said: RegExp][] = [
  ['HTML', '<html>sign in</html>', /the list of services is not JSON/],
  ['nothing', '', /the list of services is not JSON/],
  [
    'half a list',
    '{"kind":"ServiceList","apiVersion":"v1","metadata":{"resourceVersion":"7"},"items":[{"meta',
    /not JSON/,
  ],
  ['a Status', '{"kind":"Status","status":"Failure"}', /lacks its items or its metadata/],
  ['a list without a version', '{"kind":"ServiceList","metadata":{},"items":[]}', /lacks its items or its metadata/],
  ['items that are none', '{"metadata":{"resourceVersion":"7"},"items":{}}', /lacks its items or its metadata/],
]

test('lists that are none', { concurrency: true }, async (t) => {
  const each = bodies.map(([what, body, said]) =>
    t.test(what, async (inner) => {
      const follower = await started(inner, 'unknown')
      const { server, store } = follower
      await server.stop()
      store.remove('services', 'shop/web-4')
      store.forget()
      const headers = { 'content-type': 'application/json' }
      server.refuseNext(1, { status: 200, headers, body }, 'list', 'services')
      await server.start()
      await follower.converged()
      assert.equal(follower.logged(said).length, 1, 'said once')
      await follower.following()
    }),
  )
  await Promise.all(each)
})

test('fields that nobody knows are nothing to us', async (t) => {
  const follower = await started(t)
  follower.guard([[name(0), 'A']])
  const more = { apiVersion: 'v9', future: [{ deep: { deeper: null } }], spec2: {} }
  const known = service('shop', 'web-1', '10.96.5.1')
  follower.apply('services', { ...known, ...more, spec: { ...(known.spec as Json), trafficDistribution: 'Mars' } })
  const endpoints = [{ addresses: ['10.0.1.9'], conditions: { ready: true, future: 'yes' }, hints: { forZones: 3 } }]
  follower.apply('endpointslices', slice('shop', 'db-b', 'db', [], { ...more, endpoints }))
  await follower.converged()
  assert.equal(follower.ask(name(1)), 'NOERROR 10.96.5.1')
  assert.equal(follower.ask('db.shop.svc.cluster.local'), 'NOERROR 10.0.1.1 10.0.1.2 10.0.1.9')
  assert.deepEqual(follower.logged(/left as|left out/), [])
})

for (const [what, streamingLists] of [
  ['streaming list', 'on'],
  ['page', 'unknown'],
] as const) {
  test(`objects of 10 MB, in a watch and in a ${what}`, async (t) => {
    const follower = await started(t, streamingLists)
    const { server, store } = follower
    const annotations = { 'example.org/note': 'ü"\\\n'.repeat(HUGE_OCTETS / 8) }
    const large = (address: string): GivenObject => {
      const { metadata, ...rest } = service('shop', 'large', address)
      return { metadata: { ...metadata, annotations }, ...rest }
    }
    follower.apply('services', large('10.96.7.1'), service('shop', 'wide', 'None'))
    const addresses = Array.from({ length: 1000 }, (_, n) => `10.0.${100 + (n >> 8)}.${n & 255} e-${n}`)
    follower.apply('endpointslices', slice('shop', 'wide-a', 'wide', addresses, { note: annotations }))
    assert.ok(store.get('services', 'shop/large')!.length > HUGE_OCTETS)
    await follower.converged()
    assert.equal(follower.ask('large.shop.svc.cluster.local'), 'NOERROR 10.96.7.1')
    assert.equal(follower.ask('e-999.wide.shop.svc.cluster.local'), 'NOERROR 10.0.103.231')

    await server.stop()
    follower.apply('services', large('10.96.7.3'))
    store.remove('endpointslices', 'shop/wide-a')
    store.forget()
    await server.start()
    await follower.converged()
    assert.equal(follower.ask('large.shop.svc.cluster.local'), 'NOERROR 10.96.7.3')
    assert.deepEqual(follower.logged(/silent|nothing was heard|no event/), [])
  })
}
