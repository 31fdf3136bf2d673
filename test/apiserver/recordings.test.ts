// Each exchange that was recorded with a real API server, again with the stand-in: status, headers and body are the same but for
// what no two servers have in common (uids, times, versions). Objects are those of test/fixtures/cluster-dump.yaml, which is the
// cluster that was recorded.

import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { type TestContext, test } from 'node:test'
import { load } from 'js-yaml'
import type { GivenObject, Json } from './object.ts'
import type { ResourceName } from './resources.ts'
import { type ApiServer, startApiServer } from './server.ts'
import { Store } from './store.ts'
import { PROTOCOLS, type Protocol, TestClient, type WatchEvent } from './test-client.ts'

interface Recording {
  readonly path: string
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

const FOLDERS = ['../fixtures/apiserver/', 'recordings/'].map((folder) => new URL(folder, import.meta.url))
const RESOURCE_OF: Record<string, ResourceName> = {
  Namespace: 'namespaces',
  Service: 'services',
  EndpointSlice: 'endpointslices',
  Pod: 'pods',
}
/** Headers that were not recorded, or that are compared apart. */
const NO_MATTER = new Set([':status', 'date', 'transfer-encoding', 'content-length'])

function recording(name: string): Recording {
  const file = FOLDERS.map((folder) => new URL(`${name}.txt`, folder)).find((url) => existsSync(url))
  const [head, ...body] = readFileSync(file!, 'utf8').split('\n\n')
  const [status, ...headers] = head.split('\n').filter((line) => line.startsWith('< '))
  const request = head.split('\n').find((line) => line.startsWith('> '))!
  return {
    path: request.split(' ')[2],
    status: Number(status.slice(2)),
    headers: Object.fromEntries(headers.map((line) => line.slice(2).split(': '))),
    body: body.join('\n\n').replace(/\n$/, ''),
  }
}

/** The recorded cluster. */
function filledStore(): Store {
  const store = new Store({ version: 66 })
  const text = readFileSync(new URL('../fixtures/cluster-dump.yaml', import.meta.url), 'utf8')
  const { items } = load(text) as { items: (GivenObject & { kind: string })[] }
  for (const item of items) store.create(RESOURCE_OF[item.kind], item)
  return store
}

async function setUp(t: TestContext, protocol: Protocol): Promise<{ server: ApiServer; client: TestClient }> {
  const server = await startApiServer({ store: filledStore(), futureWaitMs: 20, defaultTimeoutSeconds: 60 })
  server.access.tokens.set('reader-token', 'reader')
  const client = new TestClient(server.url, protocol)
  t.after(async () => {
    client.close()
    await server.close()
  })
  return { server, client }
}

function assertHeaders(actual: object, { headers, status }: Recording, protocol: Protocol): void {
  const entries = Object.entries(actual).filter(([name]) => !NO_MATTER.has(name))
  const expected = Object.entries(headers).filter(([name]) => !NO_MATTER.has(name))
  assert.deepEqual(Object.fromEntries(entries), Object.fromEntries(expected))
  const { 'content-length': length, 'transfer-encoding': coding } = actual as Record<string, string | undefined>
  if (protocol === 'h2') assert.equal(coding, undefined, 'HTTP/2 has no transfer codings')
  else assert.equal(coding === 'chunked', length === undefined, 'either counted or chunked')
  if (status !== 200) assert.notEqual(length, undefined, 'a refusal is counted')
}

/** What differs from server to server, made the same. Order of fields is kept. */
function normalised(text: string): string {
  return text
    .replace(/"uid":"[^"]*"/g, '"uid":"U"')
    .replace(/"resourceVersion":"\d+"/g, '"resourceVersion":"V"')
    .replace(/"(creationTimestamp|time|lastTransitionTime)":"[^"]*"/g, '"$1":"T"')
    .replace(/"continue":"([^"]*)"/g, (_, token: string) => `"continue":${JSON.stringify(tokenStart(token))}`)
    .replace(/(too old resource version: \d+ )\(\d+\)/, '$1(V)')
    .replace(/(current: )\d+/, '$1V')
}

function tokenStart(token: string): string {
  return Buffer.from(token, 'base64url')
    .toString()
    .replace(/"rv":\d+/, '"rv":V')
}

/** As an object whose order of fields does not matter, without who manages which field. */
function comparable(text: string): unknown {
  return JSON.parse(normalised(text), (key, value) => (key === 'managedFields' ? value.length > 0 : value))
}

/** Exchanges that are answered from the dump: how the request is made, and whether the body is the same octet by octet. */
const EXCHANGES: readonly [name: string, token: string, path: string, exact: boolean][] = [
  ['01-version', 'peregrine-test-token', '', true],
  ['02-list-page1', 'peregrine-test-token', '', false],
  ['04-continue-bad', 'peregrine-test-token', '', true],
  ['08-watch-too-old', 'peregrine-test-token', '', true],
  ['10-list-future', 'peregrine-test-token', '', true],
  ['11-watchlist-unsupported', 'peregrine-test-token', '', true],
  ['12-no-token', '', '', true],
  ['13-bad-token', 'nobody-knows-it', '', true],
  ['14-forbidden', 'reader-token', '', true],
  ['15-no-such-resource', 'peregrine-test-token', '', true],
  ['17-label-selector', 'peregrine-test-token', '', false],
  // The recording was made in one namespace: its continue token has none.
  [
    '18-pods-field-selector',
    'peregrine-test-token',
    '/api/v1/namespaces/storefront/pods?limit=1&fieldSelector=status.phase!=Succeeded,status.phase!=Failed,status.phase!=Unknown',
    false,
  ],
]

for (const protocol of PROTOCOLS) {
  for (const [name, token, path, exact] of EXCHANGES) {
    test(`${name} over ${protocol}`, { timeout: 20_000 }, async (t) => {
      const { server, client } = await setUp(t, protocol)
      if (name === '14-forbidden') server.access.deny('list', 'endpointslices')
      if (name === '08-watch-too-old') server.store.compact()
      const recorded = recording(name)
      const { status, headers, body } = await client.get(path || recorded.path, { token })
      assert.equal(status, recorded.status)
      assertHeaders(headers, recorded, protocol)
      if (exact) assert.equal(normalised(body.toString()), normalised(recorded.body))
      else assert.deepEqual(comparable(body.toString()), comparable(recorded.body))
      if (exact && recorded.headers['content-length'] !== undefined && !/current: \d/.test(recorded.body)) {
        assert.equal(headers['content-length'], recorded.headers['content-length'])
      }
    })
  }

  test(`03-list-page2 over ${protocol}`, { timeout: 20_000 }, async (t) => {
    const { client } = await setUp(t, protocol)
    const first = await client.json(recording('02-list-page1').path)
    const recorded = recording('03-list-page2')
    const { headers, body } = await client.get(recorded.path.replace('TOKEN', first.metadata.continue))
    assertHeaders(headers, recorded, protocol)
    assert.deepEqual(comparable(body.toString()), comparable(recorded.body))
    assert.equal(JSON.parse(body.toString()).metadata.resourceVersion, first.metadata.resourceVersion)
  })

  test(`05-list-rv0 over ${protocol}`, { timeout: 20_000 }, async (t) => {
    const { server, client } = await setUp(t, protocol)
    const recorded = recording('05-list-rv0')
    const { headers, body } = await client.get(`${recorded.path}&limit=5`)
    assertHeaders(headers, recorded, protocol)
    assert.equal(
      normalised(body.toString()).slice(0, 90),
      '{"kind":"ServiceList","apiVersion":"v1","metadata":{"resourceVersion":"V"},"items":[{"metadata"'.slice(0, 90),
    )
    const { items, metadata } = JSON.parse(body.toString())
    assert.equal(items.length, 23, 'the limit is ignored')
    assert.equal(metadata.resourceVersion, String(server.store.versionOf('services')))
    const names = items.map((item: GivenObject) => `${item.metadata.namespace}/${item.metadata.name}`)
    assert.notDeepEqual(names, names.toSorted(), 'a list from the watch cache is in no order')
  })

  test(`06-watch-services over ${protocol}`, { timeout: 20_000 }, (t) =>
    replayWatch(t, protocol, '06-watch-services', 'services'),
  )

  test(`07-watch-slices-timeout over ${protocol}`, { timeout: 20_000 }, (t) =>
    replayWatch(t, protocol, '07-watch-slices-timeout', 'endpointslices'),
  )

  test(`09-watch-future over ${protocol}`, { timeout: 20_000 }, async (t) => {
    const { server, client } = await setUp(t, protocol)
    const recorded = recording('09-watch-future')
    const watch = await client.open(recorded.path)
    assert.equal(watch.status, 200)
    assertHeaders(watch.headers, recorded, protocol)
    server.store.remove('services', 'storefront/web')
    assert.equal(await watch.line(100), null, 'silence')
    assert.equal(watch.ended, '')
  })

  test(`16-gzip-asked over ${protocol}`, { timeout: 20_000 }, async (t) => {
    const { client } = await setUp(t, protocol)
    const recorded = recording('16-gzip-asked')
    const { headers, body } = await client.get(recorded.path, { headers: { 'accept-encoding': 'gzip' } })
    assertHeaders(headers, recorded, protocol)
    assert.equal(JSON.parse(body.toString()).items.length, 2)
    if (protocol === 'http/1.1') assert.equal(headers['transfer-encoding'], 'chunked')
  })
}

/** Does what was done when the watch was recorded, and compares the lines octet by octet. */
async function replayWatch(t: TestContext, protocol: Protocol, name: string, resource: ResourceName): Promise<void> {
  const { server, client } = await setUp(t, protocol)
  const recorded = recording(name)
  const lines = recorded.body.trim().split('\n')
  const path = recorded.path.replace('RV', String(server.store.version)).replace('timeoutSeconds=8', 'timeoutSeconds=3')
  const watch = await client.open(path)
  assertHeaders(watch.headers, recorded, protocol)
  for (const line of lines) {
    const event: WatchEvent = JSON.parse(line)
    const given = asGiven(event.object)
    if (event.type === 'ADDED') server.store.create(resource, given)
    if (event.type === 'MODIFIED') server.store.update(resource, given)
    if (event.type === 'DELETED') server.store.remove(resource, `edge/${given.metadata.name}`)
    const actual = await watch.line()
    assert.equal(normalised(actual ?? ''), normalised(line))
    const version = JSON.parse(actual!).object.metadata.resourceVersion
    assert.equal(version, String(server.store.version), 'of the change, deletions included')
  }
  if (name === '07-watch-slices-timeout') assert.equal(await watch.end(), 'end', 'a clean end')
  else watch.cancel()
}

/** What a client would have sent: without what the server fills in. */
function asGiven(object: GivenObject): GivenObject {
  const {
    uid: _uid,
    generation: _generation,
    managedFields: _fields,
    ...metadata
  } = object.metadata as Json & {
    name: string
  }
  return { ...object, metadata }
}
