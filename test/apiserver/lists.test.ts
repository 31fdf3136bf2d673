// Lists of the stand-in: pages of one state, what has expired, what is refused, selectors, compression, single objects.

import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { gunzipSync } from 'node:zlib'
import type { GivenObject } from './object.ts'
import type { StreamingLists } from './options.ts'
import { internalError, tooManyRequests } from './status.ts'
import { keysOf, PROTOCOLS, type Protocol, serverAndClient, service, TestClient } from './test-client.ts'

const SERVICES = '/api/v1/services'
const TIMEOUT = { timeout: 30_000 }

function both(name: string, run: (t: TestContext, protocol: Protocol) => Promise<void>): void {
  for (const protocol of PROTOCOLS) test(`${name} over ${protocol}`, TIMEOUT, (t) => run(t, protocol))
}

both('all pages show the state of the first', async (t, protocol) => {
  const { store, client } = await serverAndClient(t, protocol)
  for (const name of ['a', 'b', 'c', 'd', 'e']) store.create('services', service(`shop/${name}`))
  const version = String(store.version)
  const first = await client.json(`${SERVICES}?limit=2`)
  store.remove('services', 'shop/c')
  store.create('services', service('shop/bb'))
  store.update('services', service('shop/d', { changed: 'yes' }))
  const second = await client.json(`${SERVICES}?limit=2&continue=${first.metadata.continue}`)
  // The state is no longer among those that are kept as they were: it is made from the changes.
  for (let i = 0; i < 20; i++) {
    store.update('services', service('shop/e', { i: String(i) }))
    await client.json(`${SERVICES}?limit=1`)
  }
  const third = await client.json(`${SERVICES}?limit=2&continue=${second.metadata.continue}`)
  assert.deepEqual([first, second, third].flatMap(keysOf), ['shop/a', 'shop/b', 'shop/c', 'shop/d', 'shop/e'])
  assert.deepEqual(
    [first, second, third].map(({ metadata }) => metadata.resourceVersion),
    [version, version, version],
  )
  assert.deepEqual(
    [first, second, third].map(({ metadata }) => metadata.remainingItemCount),
    [3, 1, undefined],
  )
  assert.equal(second.items[1].metadata.labels, undefined)
  assert.equal(third.items[0].metadata.labels, undefined, 'as it was')
  assert.equal(third.metadata.continue, undefined)
  assert.deepEqual(keysOf(await client.json(SERVICES)), ['shop/a', 'shop/b', 'shop/bb', 'shop/d', 'shop/e'])
})

both('a continue token expires with its state, and its successor shows what is there now', async (t, protocol) => {
  const { store, client } = await serverAndClient(t, protocol)
  for (const name of ['a', 'b', 'c']) store.create('services', service(`shop/${name}`))
  const first = await client.json(`${SERVICES}?limit=1`)
  store.remove('services', 'shop/b')
  store.compact()
  const { status, body } = await client.get(`${SERVICES}?limit=1&continue=${first.metadata.continue}`)
  assert.equal(status, 410)
  const refused = JSON.parse(body.toString())
  assert.deepEqual([refused.kind, refused.reason, refused.code], ['Status', 'Expired', 410])
  assert.match(refused.message, /^The provided continue parameter is too old to display a consistent list result\./)
  const next = await client.json(`${SERVICES}?limit=1&continue=${refused.metadata.continue}`)
  assert.deepEqual(keysOf(next), ['shop/c'])
  assert.equal(next.metadata.resourceVersion, String(store.version))
})

both('versions: which state a list shows', async (t, protocol) => {
  const { store, client } = await serverAndClient(t, protocol)
  const old = store.create('services', service('shop/a'))
  const compacted = store.create('services', service('shop/b'))
  const now = store.create('services', service('shop/c'))
  const cases: [query: string, status: number, keys: string[] | string][] = [
    ['', 200, ['shop/a', 'shop/b', 'shop/c']],
    [`resourceVersion=${old}&resourceVersionMatch=Exact`, 200, ['shop/a']],
    // Before there was resourceVersionMatch, a limit made a version an exact one.
    [`resourceVersion=${old}&limit=5`, 200, ['shop/a']],
    [`resourceVersion=${old}&limit=5&resourceVersionMatch=NotOlderThan`, 200, ['shop/a', 'shop/b', 'shop/c']],
    [`resourceVersion=${old}`, 200, ['shop/a', 'shop/b', 'shop/c']],
    [`resourceVersion=${now + 5}`, 504, 'Timeout'],
    [`resourceVersion=${now + 5}&resourceVersionMatch=NotOlderThan&limit=2`, 504, 'Timeout'],
    ['resourceVersion=0&resourceVersionMatch=Exact', 422, 'Invalid'],
    ['resourceVersionMatch=NotOlderThan', 422, 'Invalid'],
    [`resourceVersion=${now}&resourceVersionMatch=Nearly`, 422, 'Invalid'],
    ['resourceVersion=x', 422, 'Invalid'],
    ['limit=x', 400, 'BadRequest'],
    ['continue=e30', 400, 'BadRequest'],
    ['labelSelector=a%20in%20b', 400, 'BadRequest'],
    ['labelSelector=a==b==c', 400, 'BadRequest'],
    ['fieldSelector=spec.nothing=1', 400, 'BadRequest'],
  ]
  for (const [query, status, expected] of cases) {
    const answer = await client.get(`${SERVICES}?${query}`)
    const json = JSON.parse(answer.body.toString())
    assert.equal(answer.status, status, `${query}: ${answer.body}`)
    if (typeof expected === 'string') assert.equal(json.reason, expected, query)
    else assert.deepEqual(keysOf(json).sort(), expected, query)
  }
  store.compact(compacted)
  const { status, body } = await client.get(`${SERVICES}?resourceVersion=${old}&resourceVersionMatch=Exact`)
  assert.deepEqual([status, JSON.parse(body.toString()).reason], [410, 'Expired'])
  const kept = await client.json(`${SERVICES}?resourceVersion=${compacted}&resourceVersionMatch=Exact`)
  assert.deepEqual(keysOf(kept), ['shop/a', 'shop/b'])
})

both('a list waits for the version it demands', async (t, protocol) => {
  const { store, client } = await serverAndClient(t, protocol, { futureWaitMs: 10_000 })
  store.create('services', service('shop/a'))
  const listed = client.json(`${SERVICES}?resourceVersion=${store.version + 1}&resourceVersionMatch=NotOlderThan`)
  setTimeout(() => store.create('services', service('shop/b')), 50)
  assert.deepEqual(keysOf(await listed), ['shop/a', 'shop/b'])
})

both('selectors', async (t, protocol) => {
  const { store, client } = await serverAndClient(t, protocol)
  store.create('services', service('shop/a', { app: 'web', tier: 'front' }))
  store.create('services', service('shop/b', { app: 'api' }))
  store.create('services', service('test/c', { app: 'web' }))
  store.create('services', service('test/d'))
  const cases: [query: string, keys: string[]][] = [
    ['labelSelector=app=web', ['shop/a', 'test/c']],
    ['labelSelector=app==web,tier', ['shop/a']],
    ['labelSelector=app!=web', ['shop/b', 'test/d']], // an absent label is unequal
    ['labelSelector=app in (web, api),!tier', ['shop/b', 'test/c']],
    ['labelSelector=app notin (web)', ['shop/b', 'test/d']],
    ['labelSelector=app', ['shop/a', 'shop/b', 'test/c']],
    ['labelSelector=!app', ['test/d']],
    ['labelSelector=example.com/x=1', []],
    ['fieldSelector=metadata.name=c', ['test/c']],
    ['fieldSelector=metadata.namespace!=test&labelSelector=app=web', ['shop/a']],
  ]
  for (const [query, keys] of cases) {
    const path = `${SERVICES}?${query.replace('example.com/x', 'example.com%2Fx').replaceAll(' ', '%20').replaceAll('!', '%21')}`
    assert.deepEqual(keysOf(await client.json(path)), keys, query)
  }
  assert.deepEqual(keysOf(await client.json('/api/v1/namespaces/test/services')), ['test/c', 'test/d'])
  const page = await client.json('/api/v1/namespaces/test/services?limit=1')
  assert.equal(page.metadata.remainingItemCount, 1)
  const next = await client.json(`/api/v1/namespaces/test/services?limit=1&continue=${page.metadata.continue}`)
  assert.deepEqual(keysOf(next), ['test/d'])
  // What is left is not looked at: the last page may be an empty one.
  const selected = await client.json(`${SERVICES}?labelSelector=app=web&limit=2`)
  assert.equal(selected.metadata.remainingItemCount, undefined)
  const last = await client.json(`${SERVICES}?labelSelector=app=web&limit=2&continue=${selected.metadata.continue}`)
  assert.deepEqual([keysOf(selected), keysOf(last), last.metadata.continue], [['shop/a', 'test/c'], [], undefined])
})

both('bodies above 128 KiB are compressed for who accepts it', async (t, protocol) => {
  const { store, client } = await serverAndClient(t, protocol)
  for (let i = 0; i < 600; i++) store.create('services', service(`shop/web-${i}`))
  const plain = await client.get(SERVICES)
  assert.ok(plain.body.length > 300_000)
  assert.equal(plain.headers['content-encoding'], undefined)
  const accepted = { headers: { 'accept-encoding': 'deflate, gzip;q=1.0' } }
  const zipped = await client.get(SERVICES, accepted)
  assert.deepEqual([zipped.headers['content-encoding'], zipped.headers.vary], ['gzip', 'Accept-Encoding'])
  assert.ok(zipped.body.length < plain.body.length / 2)
  assert.ok(gunzipSync(zipped.body).equals(plain.body))
  assert.equal((await client.get(`${SERVICES}?limit=20`, accepted)).headers['content-encoding'], undefined)
})

both('a 10 MB object is listed', async (t, protocol) => {
  const { store, client } = await serverAndClient(t, protocol)
  const large = service('shop/large')
  store.create('services', service('shop/a'))
  store.create('services', {
    ...large,
    metadata: { ...large.metadata, annotations: { note: 'x'.repeat(10 * 2 ** 20) } },
  })
  store.create('services', service('shop/z'))
  const list = await client.json(SERVICES)
  assert.deepEqual(keysOf(list), ['shop/a', 'shop/large', 'shop/z'])
  assert.equal(list.items[1].metadata.annotations.note.length, 10 * 2 ** 20)
})

both('single objects, and paths that are none', async (t, protocol) => {
  const { store, client } = await serverAndClient(t, protocol, { multicluster: true })
  store.create('services', service('shop/a'))
  store.create('namespaces', { metadata: { name: 'shop' } })
  const cases: [path: string, method: string, status: number, text: RegExp][] = [
    ['/api/v1/namespaces/shop/services/a', 'GET', 200, /^\{"kind":"Service","apiVersion":"v1","metadata":\{"name":"a"/],
    ['/api/v1/namespaces/shop', 'GET', 200, /^\{"kind":"Namespace","apiVersion":"v1","metadata":\{"name":"shop"/],
    ['/api/v1/namespaces/shop/services/b', 'GET', 404, /"message":"services \\"b\\" not found","reason":"NotFound"/],
    ['/api/v1/nothing', 'GET', 404, /"message":"the server could not find the requested resource"/],
    ['/api/v1/endpointslices', 'GET', 404, /"the server could not find the requested resource"/],
    ['/apis/example.com/v1/things', 'GET', 404, /^404 page not found\n$/],
    [SERVICES, 'DELETE', 405, /"reason":"MethodNotAllowed"/],
    ['/livez', 'GET', 200, /^ok$/],
    [
      '/apis/multicluster.x-k8s.io/v1alpha1/serviceimports',
      'GET',
      200,
      /^\{"apiVersion":"multicluster.x-k8s.io\/v1alpha1","items":\[\],"kind":"ServiceImportList","metadata":\{"continue":"","resourceVersion":"\d+"\}\}\n$/,
    ],
  ]
  for (const [path, method, status, text] of cases) {
    const answer = await client.get(path, { method })
    assert.equal(answer.status, status, `${method} ${path}`)
    assert.match(answer.body.toString(), text, `${method} ${path}`)
  }
  store.create('serviceimports', { metadata: { name: 'i', namespace: 'shop' }, spec: { type: 'Headless' } })
  const { items } = await client.json('/apis/multicluster.x-k8s.io/v1alpha1/serviceimports')
  assert.deepEqual([items[0].apiVersion, items[0].kind], ['multicluster.x-k8s.io/v1alpha1', 'ServiceImport'])
})

both('refusals that are asked for', async (t, protocol) => {
  const { server, client } = await serverAndClient(t, protocol)
  server.refuseNext(1, tooManyRequests(7), 'list', 'services')
  server.refuseNext(1, internalError('etcdserver: request timed out'))
  const other = await client.get('/api/v1/namespaces')
  assert.equal(other.status, 500)
  assert.match(other.body.toString(), /"message":"Internal error occurred: etcdserver: request timed out"/)
  const busy = await client.get(SERVICES)
  assert.deepEqual([busy.status, busy.headers['retry-after']], [429, '7'])
  assert.equal((await client.get(SERVICES)).status, 200)
  assert.equal(server.count('list', 'services'), 2)
})

both('tokens and rights change at any time', async (t, protocol) => {
  const { server, client } = await serverAndClient(t, protocol)
  const statusWith = async (token: string, path = SERVICES) => (await client.get(path, { token })).status
  server.access.tokens.set('new', 'somebody')
  assert.equal(await statusWith('new'), 200)
  server.access.tokens.delete('new')
  assert.equal(await statusWith('new'), 401)
  server.access.tokens.set('new', 'somebody')
  server.access.deny('watch', 'services')
  assert.equal(await statusWith('new'), 200)
  const refused = await client.json(`${SERVICES}?watch=1`, { token: 'new' })
  assert.equal(
    refused.message,
    'services is forbidden: User "somebody" cannot watch resource "services" in API group "" at the cluster scope',
  )
  server.access.allow('watch', 'services')
  const watch = await client.open(`${SERVICES}?watch=1`, { token: 'new' })
  assert.equal(watch.status, 200)
})

both('client certificates', async (t, protocol) => {
  const { server } = await serverAndClient(t, protocol)
  const { fixture } = await import('./server.ts')
  const known = new TestClient(server.url, protocol, { cert: fixture('client.pem'), key: fixture('client-key.pem') })
  const foreign = new TestClient(server.url, protocol, {
    cert: fixture('other-server.pem'),
    key: fixture('other-server-key.pem'),
  })
  t.after(() => {
    known.close()
    foreign.close()
  })
  assert.equal((await known.get(SERVICES, { token: '' })).status, 200)
  assert.equal(server.seen.at(-1)?.user, 'peregrine')
  assert.equal((await foreign.get(SERVICES, { token: '' })).status, 401)
  server.access.deny('list', 'services')
  const { message } = await known.json('/api/v1/namespaces/shop/services', { token: '' })
  assert.match(message, /User "peregrine" cannot list resource "services" in API group "" in the namespace "shop"$/)
})

test('streaming lists are refused as each generation of servers does', TIMEOUT, async (t) => {
  const cases: [streaming: StreamingLists, query: string, message: RegExp | null][] = [
    ['unknown', 'sendInitialEvents=true', null], // as if it were not there
    [
      'off',
      'sendInitialEvents=true&resourceVersionMatch=NotOlderThan',
      /^ListOptions.meta.k8s.io "" is invalid: sendInitialEvents: Forbidden: sendInitialEvents is forbidden for watch unless the WatchList feature gate is enabled$/,
    ],
    ['on', 'sendInitialEvents=true', /sendInitialEvents requires setting resourceVersionMatch to NotOlderThan$/],
    [
      'on',
      'resourceVersionMatch=NotOlderThan',
      /resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided$/,
    ],
    ['on', 'sendInitialEvents=true&resourceVersionMatch=NotOlderThan', null],
  ]
  for (const [streamingLists, query, message] of cases) {
    const { client } = await serverAndClient(t, 'h2', { streamingLists })
    const watch = await client.open(`${SERVICES}?watch=1&${query}`)
    assert.equal(watch.status, message === null ? 200 : 422, `${streamingLists} ${query}`)
    if (message !== null) assert.match(JSON.parse((await watch.line())!).message, message)
  }
})

test('plain http, where a proxy or a test wants it', TIMEOUT, async (t) => {
  const { server, store } = await serverAndClient(t, 'http/1.1', { protocol: 'http' })
  store.create('services', service('shop/a'))
  const plain = new TestClient(server.url, 'http/1.1')
  assert.deepEqual(keysOf((await plain.json(SERVICES)) as { items: GivenObject[] }), ['shop/a'])
  plain.close()
})
