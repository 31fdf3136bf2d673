// Watches of the stand-in: what they begin with, what they resume from, what selectors make of changes, bookmarks, ends, and the
// faults of a stream.

import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { startRelay } from './relay.ts'
import { brief, PROTOCOLS, type Protocol, serverAndClient, service, TestClient } from './test-client.ts'

const SERVICES = '/api/v1/services'
const WATCH = `${SERVICES}?watch=1`
const STREAMING = `${WATCH}&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true`
const INITIAL_END = 'k8s.io/initial-events-end'
const TIMEOUT = { timeout: 30_000 }

function both(name: string, run: (t: TestContext, protocol: Protocol) => Promise<void>): void {
  for (const protocol of PROTOCOLS) test(`${name} over ${protocol}`, TIMEOUT, (t) => run(t, protocol))
}

both('a watch without a version begins with what is there', async (t, protocol) => {
  const { store, client } = await serverAndClient(t, protocol)
  store.create('services', service('shop/a'))
  store.create('services', service('shop/b'))
  for (const query of ['', '&resourceVersion=0']) {
    const watch = await client.open(`${WATCH}${query}`)
    assert.deepEqual((await watch.events(2)).map(brief), ['ADDED shop/a', 'ADDED shop/b'])
    store.update('services', service('shop/b', { again: query }))
    assert.deepEqual((await watch.events(1)).map(brief), ['MODIFIED shop/b'])
    watch.cancel()
  }
})

both('a watch resumes after the version it names, or is told that it cannot', async (t, protocol) => {
  const { server, store, client } = await serverAndClient(t, protocol)
  const first = store.create('services', service('shop/a'))
  store.create('namespaces', { metadata: { name: 'shop' } })
  const second = store.create('services', service('shop/b'))
  store.remove('services', 'shop/a')
  const resumed = await client.open(`${WATCH}&resourceVersion=${first}`)
  assert.deepEqual((await resumed.events(2)).map(brief), ['ADDED shop/b', 'DELETED shop/a'])
  store.compact(second)
  const late = await client.open(`${WATCH}&resourceVersion=${second - 1}`)
  assert.equal(late.status, 200)
  const [{ type, object }] = await late.events(2)
  assert.deepEqual([type, object.kind, object.code, object.reason], ['ERROR', 'Status', 410, 'Expired'])
  assert.equal(object.message, `too old resource version: ${second - 1} (${second})`)
  assert.equal(await late.end(), 'end')
  const inTime = await client.open(`${WATCH}&resourceVersion=${second}`)
  assert.deepEqual((await inTime.events(1)).map(brief), ['DELETED shop/a'])
  assert.equal(server.watchCount, 2)
})

both('a version that is to come: only what is after it', async (t, protocol) => {
  const { store, client } = await serverAndClient(t, protocol)
  const watch = await client.open(`${WATCH}&resourceVersion=${store.version + 2}`)
  store.create('services', service('shop/a'))
  store.create('services', service('shop/b'))
  store.create('services', service('shop/c'))
  assert.deepEqual((await watch.events(1)).map(brief), ['ADDED shop/c'])
})

both('a streaming list: what is there, a bookmark, then changes', async (t, protocol) => {
  const { server, store, client } = await serverAndClient(t, protocol, { streamingLists: 'on' })
  for (const name of ['b', 'a', 'c']) store.create('services', service(`shop/${name}`))
  const version = store.version
  server.trickle(200, 5)
  const watch = await client.open(STREAMING)
  const [first] = await watch.events(1)
  assert.equal(brief(first), 'ADDED shop/a')
  // While the list is still on its way: it belongs behind it.
  store.remove('services', 'shop/c')
  server.trickle(Infinity)
  const rest = await watch.events(4)
  assert.deepEqual(rest.map(brief), ['ADDED shop/b', 'ADDED shop/c', 'BOOKMARK', 'DELETED shop/c'])
  const { metadata, ...object } = rest[2].object
  assert.deepEqual(metadata, {
    resourceVersion: String(version),
    creationTimestamp: null,
    annotations: { [INITIAL_END]: 'true' },
  })
  assert.deepEqual(object, { kind: 'Service', apiVersion: 'v1', spec: {}, status: { loadBalancer: {} } })
})

both('a streaming list of nothing ends as well', async (t, protocol) => {
  const { client } = await serverAndClient(t, protocol, { streamingLists: 'on' })
  const watch = await client.open(STREAMING)
  const [{ type, object }] = await watch.events(1)
  assert.deepEqual([type, object.metadata.annotations], ['BOOKMARK', { [INITIAL_END]: 'true' }])
})

both('selectors: what begins to match is ADDED, what ceases DELETED', async (t, protocol) => {
  const { store, client } = await serverAndClient(t, protocol)
  const from = store.version
  const path = `${WATCH}&labelSelector=app%3Dweb&resourceVersion=${from}`
  const watch = await client.open(path)
  const inShop = await client.open(`/api/v1/namespaces/shop/services?watch=1&resourceVersion=${from}`)
  store.create('services', service('shop/a', { app: 'web' }))
  store.create('services', service('test/b', { app: 'api' }))
  store.update('services', service('test/b', { app: 'web' }))
  store.update('services', service('test/b', { app: 'web', more: '1' }))
  const gone = store.update('services', service('shop/a', { app: 'api' }))
  store.update('services', service('shop/a', { app: 'api', more: '1' }))
  store.remove('services', 'shop/a')
  store.remove('services', 'test/b')
  const told = ['ADDED shop/a', 'ADDED test/b', 'MODIFIED test/b', 'DELETED shop/a', 'DELETED test/b']
  const events = await watch.events(5)
  assert.deepEqual(events.map(brief), told)
  const { labels, resourceVersion } = events[3].object.metadata
  assert.deepEqual([labels.app, resourceVersion], ['web', String(gone)], 'as it was, with the version of the change')
  const resumed = await client.open(path)
  assert.deepEqual((await resumed.events(5)).map(brief), told, 'the same for who comes later')
  const shop = ['ADDED shop/a', 'MODIFIED shop/a', 'MODIFIED shop/a', 'DELETED shop/a']
  assert.deepEqual((await inShop.events(4)).map(brief), shop)
})

both('pods by their phase', async (t, protocol) => {
  const { store, client } = await serverAndClient(t, protocol)
  const pod = (phase: string) => ({ metadata: { name: 'p', namespace: 'shop' }, status: { phase } })
  const query = 'fieldSelector=status.phase!%3DSucceeded,status.phase!%3DFailed,status.phase!%3DUnknown'
  const watch = await client.open(`/api/v1/pods?watch=1&resourceVersion=${store.version}&${query}`)
  store.create('pods', pod('Pending'))
  store.update('pods', pod('Running'))
  store.update('pods', pod('Succeeded'))
  store.remove('pods', 'shop/p')
  store.create('pods', pod('Pending'))
  const events = await watch.events(4)
  assert.deepEqual(events.map(brief), ['ADDED shop/p', 'MODIFIED shop/p', 'DELETED shop/p', 'ADDED shop/p'])
  assert.deepEqual((await client.json(`/api/v1/pods?${query}`)).items.length, 1)
})

both(
  'bookmarks come at their time, for who wants them, and say the version of all that was sent',
  async (t, protocol) => {
    const { store, client } = await serverAndClient(t, protocol, { bookmarkMs: 50 })
    const watch = await client.open(`${WATCH}&allowWatchBookmarks=true&resourceVersion=${store.version}`)
    const without = await client.open(`${WATCH}&resourceVersion=${store.version}`)
    store.create('namespaces', { metadata: { name: 'shop' } })
    const events = await watch.events(2)
    assert.deepEqual(events.map(brief), ['BOOKMARK', 'BOOKMARK'])
    assert.equal(events[1].object.metadata.resourceVersion, String(store.version))
    assert.equal(await without.line(100), null)
  },
)

both('a watch ends when its time is over, and another one begins on the same connection', async (t, protocol) => {
  const { server, store, client } = await serverAndClient(t, protocol)
  const watch = await client.open(`${WATCH}&timeoutSeconds=1&resourceVersion=${store.version}`)
  assert.equal(await watch.end(), 'end')
  const second = await client.open(`${WATCH}&resourceVersion=${store.version}`)
  server.endWatches('services')
  assert.equal(await second.end(), 'end')
  assert.equal(server.connectionCount, 1)
  assert.equal(server.watchCount, 0)
})

both('faults: changes unsaid and said twice, lines that are none', async (t, protocol) => {
  const { server, store, client } = await serverAndClient(t, protocol)
  const from = store.version
  const watch = await client.open(`${WATCH}&resourceVersion=${from}`)
  store.dropNext('services', 1)
  store.create('services', service('shop/unsaid'))
  store.repeatNext('services', 1)
  store.create('services', service('shop/twice'))
  server.injectLine('services', '{"type":"ADDED","object":{')
  server.injectLine('endpointslices', 'not for this watch')
  store.putText('services', 'shop/odd', '"metadata":{"name":7,"resourceVersion":"1"},"spec":[]}')
  assert.deepEqual((await watch.events(2)).map(brief), ['ADDED shop/twice', 'ADDED shop/twice'])
  assert.equal(await watch.line(), '{"type":"ADDED","object":{')
  const odd = (await watch.events(1))[0].object
  assert.deepEqual(odd.metadata, { name: 7, resourceVersion: String(store.version) })
  const resumed = await client.open(`${WATCH}&resourceVersion=${from}`)
  assert.deepEqual((await resumed.events(1)).map(brief), ['ADDED shop/twice'], 'unsaid for good')
  assert.equal((await client.json(SERVICES)).items.length, 3, 'but there')
})

both('hundreds of changes at once, to many watches', async (t, protocol) => {
  const { store, client } = await serverAndClient(t, protocol)
  const open = () => client.open(`${WATCH}&resourceVersion=${store.version}`)
  const watches = await Promise.all(Array.from({ length: 10 }, open))
  for (let i = 0; i < 500; i++) store.create('services', service(`shop/web-${i}`))
  for (const watch of watches) {
    const events = await watch.events(500)
    assert.deepEqual(
      events.map(brief),
      Array.from({ length: 500 }, (_, i) => `ADDED shop/web-${i}`),
    )
  }
})

both('a watch that nobody reads is ended', async (t, protocol) => {
  const { server, store } = await serverAndClient(t, protocol, { watchUnreadMax: 2 ** 20 })
  const relay = await startRelay(server.port)
  const client = new TestClient(relay.url, protocol)
  t.after(() => {
    client.close()
    return relay.close()
  })
  const watch = await client.open(`${WATCH}&resourceVersion=${store.version}`)
  relay.freeze()
  const large = service('shop/large')
  const annotations = { note: 'x'.repeat(100_000) }
  // The kernel and both ends buffer some of it.
  for (let i = 0; i < 400; i++) {
    store.apply('services', { ...large, metadata: { ...large.metadata, annotations } })
    if (i % 50 === 0) await new Promise(setImmediate)
  }
  relay.thaw()
  const events = await watch.events(401)
  assert.ok(events.length > 0 && events.length < 400, `${events.length} of 400`)
  assert.equal(await watch.end(), 'end')
  assert.equal(server.watchCount, 0)
})
