// Paged lists: what is asked, what is posted, and how fast. What follows from their failures is in reflector.test.ts.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BATCH_OBJECTS, postList } from '../../../src/kube/watch/list.ts'
import type { FeedMessage, Resource } from '../../../src/kube/watch/messages.ts'
import { Outbox } from '../../../src/kube/watch/outbox.ts'
import { Packer } from '../../../src/kube/watch/packer.ts'
import { type Api, Requests } from '../../../src/kube/watch/requests.ts'
import type { Selection } from '../../../src/kube/watch/resources.ts'
import { type Answer, keptMessages, page, recordedBody, refused, ScriptedApi, service, told } from './scripted-api.ts'

const PLAIN: Selection = { labelSelector: '', namespaceSelector: '', podNames: false, zones: false }

interface Listing {
  readonly resource?: Resource
  readonly selection?: Selection
  readonly audit?: boolean
  readonly pauseMs?: number
  readonly signal?: AbortSignal
  readonly outbox?: Outbox
}

function list(
  script: readonly Answer[],
  options: Listing = {},
): { api: ScriptedApi; messages: FeedMessage[]; version: Promise<string> } {
  const { resource = 'services', selection = PLAIN, audit = false, pauseMs = 0 } = options
  const kept = keptMessages()
  const api = new ScriptedApi(script, () => assert.fail('asked for more than there is'))
  const packer = new Packer(resource, selection, (line) => assert.fail(line))
  const version = postList(new Requests(resource, api, selection), packer, options.outbox ?? kept.outbox, {
    audit,
    pageSize: 3,
    pauseMs,
    signal: options.signal ?? new AbortController().signal,
  })
  return { api, messages: kept.messages, version }
}

function services(count: number): Record<string, unknown>[] {
  return Array.from({ length: count }, (_, i) => service(`web-${i}`, i))
}

test('a list that was recorded, in chunks of any length', async () => {
  const [first, second] = [recordedBody('02-list-page1'), recordedBody('03-list-page2')]
  const next = JSON.parse(second.toString())
  delete next.metadata.continue
  const last = Buffer.from(JSON.stringify(next))
  let expected: string[] | undefined
  for (const length of [1, 7, 1000, 100_000]) {
    const cut = (body: Buffer): Buffer[] =>
      Array.from({ length: Math.ceil(body.length / length) }, (_, i) => body.subarray(i * length, (i + 1) * length))
    const { messages, version, api } = list([{ chunks: cut(first) }, { chunks: cut(last) }])
    assert.equal(await version, '284')
    assert.deepEqual(api.paths, [
      '/api/v1/services?limit=3',
      `/api/v1/services?limit=3&continue=${JSON.parse(first.toString()).metadata.continue}`,
    ])
    const lines = told(messages)
    assert.equal(lines.length, 4)
    expected ??= lines
    assert.deepEqual(lines, expected)
  }
})

test('what is asked, for each resource', async () => {
  const selection = { ...PLAIN, labelSelector: 'a in (x, y),b=c', namespaceSelector: 'team=a' }
  const running = 'fieldSelector=status.phase!=Succeeded,status.phase!=Failed,status.phase!=Unknown'
  const paths: [resource: Resource, path: string][] = [
    ['namespaces', '/api/v1/namespaces?labelSelector=team=a&limit=3'],
    ['services', '/api/v1/services?labelSelector=a in (x, y),b=c&limit=3'],
    ['endpointslices', '/apis/discovery.k8s.io/v1/endpointslices?labelSelector=a in (x, y),b=c&limit=3'],
    ['pods', `/api/v1/pods?labelSelector=a in (x, y),b=c&${running}&limit=3`],
    ['serviceimports', '/apis/multicluster.x-k8s.io/v1alpha1/serviceimports?limit=3'],
  ]
  for (const [resource, path] of paths) {
    const { api, version } = list([{ chunks: [page([], 1)] }], { resource, selection })
    await version
    assert.deepEqual(api.paths, [path])
  }
})

test('a page that is larger than a message is cut', async () => {
  const { messages, version } = list([{ chunks: [page(services(2 * BATCH_OBJECTS + 1), 9)] }])
  await version
  const lengths = messages.flatMap((message) => (message.type === 'list-items' ? message.items.length / 3 : []))
  assert.deepEqual(lengths, [BATCH_OBJECTS, BATCH_OBJECTS, 1])
})

test('no more than eight messages wait for the main thread', async () => {
  const messages: FeedMessage[] = []
  const outbox = new Outbox((message) => messages.push(message))
  const itemCount = (): number => messages.filter(({ type }) => type === 'list-items').length
  const stop = new AbortController()
  const script = Array.from({ length: 12 }, (_, i) => ({ chunks: [page(services(1), 9, `t${i}`)] }))
  const { version } = list(script, { outbox, signal: stop.signal })
  const settled = version.then(
    () => 'done',
    (error) => error,
  )
  const turns = async (): Promise<void> => {
    for (let i = 0; i < 50; i++) await new Promise(setImmediate)
  }
  await turns()
  assert.equal(itemCount(), 8)
  outbox.post({ type: 'events', resource: 'services', items: [], arrivedMs: 0 })
  assert.equal(messages.at(-1)!.type, 'events', 'events are not held back')
  outbox.acknowledge()
  outbox.acknowledge()
  await turns()
  assert.equal(itemCount(), 10)
  stop.abort(new Error('enough'))
  assert.equal((await settled).message, 'enough')
  await turns()
  assert.equal(itemCount(), 10)
  assert.deepEqual(messages.at(-1), { type: 'list-end', resource: 'services', audit: false, complete: false })
  // Whoever gave up waiting takes nobody's place, and nobody may save up.
  const postItems = (signal: AbortSignal): Promise<void> =>
    outbox.postItems({ type: 'list-items', resource: 'pods', audit: false, items: [] }, signal)
  for (const acknowledged of [8, 20]) {
    for (let i = 0; i < acknowledged; i++) outbox.acknowledge()
    for (let i = 0; i < 8; i++) await postItems(AbortSignal.timeout(5000))
    const before = itemCount()
    const last = new AbortController()
    const ninth = postItems(last.signal).catch(() => 'given up')
    await turns()
    assert.equal(itemCount(), before)
    last.abort()
    assert.equal(await ninth, 'given up')
  }
})

test('an audit says that it is one, and rests between its pages', async () => {
  const script = [{ chunks: [page(services(1), 9, 'next')] }, { chunks: [page(services(2), 9)] }]
  const startedAt = performance.now()
  const { messages, version } = list(script, { audit: true, pauseMs: 30 })
  await version
  assert.ok(performance.now() - startedAt >= 29)
  assert.ok(messages.every((message) => 'audit' in message && message.audit))
})

test('continue tokens that keep expiring are a failure in the end', async () => {
  const expired = { error: refused(410, 'Expired') }
  const script = [3, 12, 48, 192].flatMap((limit) => [
    { chunks: [page(services(1), 9, 'next')], asked: [`limit=${limit}`] },
    expired,
  ])
  const { messages, version } = list(script)
  await assert.rejects(version, { code: 'API_REFUSED', expired: true })
  const ends = messages.filter(({ type }) => type === 'list-end')
  assert.equal(ends.length, 4)
})

test('a request without an answer is given up after more than a minute, when an API server would have', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const api: Api = {
    heardAt: () => 0,
    request: (_, { signal }) =>
      new Promise((_, reject) => {
        signal!.addEventListener('abort', () => reject(signal!.reason))
      }),
  }
  const requests = new Requests('services', api, PLAIN)
  const { signal } = new AbortController()
  const answers = [requests.page(3, '', signal), requests.watch('1', 300, signal), requests.streamingList(300, signal)]
  const settled = Promise.allSettled(answers)
  let isOver = false
  void settled.then(() => {
    isOver = true
  })
  t.mock.timers.tick(60_000)
  await new Promise(setImmediate)
  assert.equal(isOver, false)
  t.mock.timers.tick(10_000)
  for (const answer of await settled) {
    assert.equal(answer.status, 'rejected')
    assert.equal(answer.status === 'rejected' && answer.reason.code, 'UNANSWERED')
  }
})
