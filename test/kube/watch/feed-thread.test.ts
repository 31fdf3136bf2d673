// The feed thread as a thread, against the stand-in API server: after whatever went wrong, what it told adds up to what the
// server has.

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import { KEEP } from '../../../src/kube/packed.ts'
import type { Ack, FeedMessage, FeedOptions, Resource, StopMessage } from '../../../src/kube/watch/messages.ts'
import { Packer } from '../../../src/kube/watch/packer.ts'
import { Cluster } from '../../apiserver/cluster.ts'
import { KubeconfigFolder } from '../../apiserver/kubeconfig.ts'
import type { GivenObject } from '../../apiserver/object.ts'
import { type ApiServer, type ApiServerOptions, startApiServer } from '../../apiserver/server.ts'
import { internalError } from '../../apiserver/status.ts'
import { Store } from '../../apiserver/store.ts'
import { told } from './scripted-api.ts'

const RESOURCES: readonly Resource[] = ['namespaces', 'services', 'endpointslices']
/** Much, for a machine that has other things to do. */
const WAIT_MS = 60_000

const OPTIONS: Omit<FeedOptions, 'connection'> = {
  resources: RESOURCES,
  labelSelector: '',
  namespaceSelector: '',
  podNames: false,
  zones: false,
  qps: 0,
  burst: 0,
  maxInflight: 0,
  auditIntervalMs: 0,
  pageSize: 20,
  streamingLists: false,
}

/** What a main thread would know: a slow and obvious one. */
class Known {
  readonly objects = new Map<Resource, Map<string, string>>()
  readonly audits: Map<string, string>[] = []
  readonly #lists = new Map<string, Map<string, string>>()

  take(message: FeedMessage): void {
    switch (message.type) {
      case 'list-begin':
        this.#lists.set(`${message.resource} ${message.audit}`, new Map())
        break
      case 'list-items':
        this.#apply(this.#lists.get(`${message.resource} ${message.audit}`)!, message.resource, message.items)
        break
      case 'list-end': {
        const key = `${message.resource} ${message.audit}`
        const list = this.#lists.get(key)!
        this.#lists.delete(key)
        if (!message.complete) break
        if (message.audit) this.audits.push(list)
        else this.objects.set(message.resource, list)
        break
      }
      case 'events': {
        const objects = this.objects.get(message.resource)
        assert.ok(objects !== undefined, 'events come after a list')
        this.#apply(objects, message.resource, message.items)
      }
    }
  }

  #apply(objects: Map<string, string>, resource: Resource, items: readonly string[]): void {
    for (let i = 0; i < items.length; i += 3) {
      const key = `${items[i]}/${items[i + 1]}`
      const packed = items[i + 2]!
      const before = this.objects.get(resource)?.get(key)
      if (packed === '') objects.delete(key)
      else if (packed !== KEEP) objects.set(key, packed)
      else if (before !== undefined) objects.set(key, before)
    }
  }
}

interface Setting {
  readonly server: ApiServer
  readonly cluster: Cluster
  readonly known: Known
  readonly messages: FeedMessage[]
  readonly worker: Worker
  readonly exit: Promise<number>
  post(message: Ack | StopMessage): void
}

async function start(
  t: TestContext,
  given: Partial<FeedOptions> = {},
  serverOptions: ApiServerOptions = {},
  { acknowledges = true, services = 30, endpointsPerService = 3 } = {},
): Promise<Setting> {
  const store = new Store({ changesKept: 200 })
  const cluster = new Cluster(store, { services, endpointsPerService, namespaces: 5, dualStackShare: 0.2, pods: 10 })
  cluster.load()
  const server = await startApiServer({ store, ...serverOptions })
  const folder = new KubeconfigFolder()
  const kubeconfig = folder.writeSimple(server.url)
  const workerData: FeedOptions = { ...OPTIONS, connection: { kubeconfig, context: '' }, ...given }
  const worker = new Worker(new URL('../../../src/kube/watch/feed-thread.ts', import.meta.url), { workerData })
  const known = new Known()
  const messages: FeedMessage[] = []
  const post = (message: Ack | StopMessage): void => worker.postMessage(message)
  const exit = once(worker, 'exit').then(([code]) => code as number)
  worker.on('message', (message: FeedMessage) => {
    messages.push(message)
    known.take(message)
    if (acknowledges && message.type === 'list-items') post({ type: 'ack' })
  })
  t.after(async () => {
    await worker.terminate()
    await server.close()
    folder.remove()
    const faults = messages.filter((message) => message.type === 'log' && message.line.includes('the feed thread ends'))
    assert.deepEqual(faults, [])
  })
  return { server, cluster, known, messages, worker, exit, post }
}

/** What the server has, packed. */
function truth({ server: { store } }: Setting, resource: Resource): Map<string, string> {
  const items: string[] = []
  const selection = { labelSelector: '', namespaceSelector: '', podNames: false, zones: false }
  const packer = new Packer(resource, selection, (line) => assert.fail(line))
  for (const { key } of store.items(resource)) packer.appendListed(items, store.read(resource, key))
  const objects = new Map<string, string>()
  for (let i = 0; i < items.length; i += 3) objects.set(`${items[i]}/${items[i + 1]}`, items[i + 2]!)
  return objects
}

async function until(condition: () => boolean, what: string, setting: Setting): Promise<void> {
  const limit = performance.now() + WAIT_MS
  while (!condition()) {
    assert.ok(performance.now() < limit, `${what}\n${described(setting.messages)}`)
    await sleep(5)
  }
}

function described(messages: readonly FeedMessage[]): string {
  const lines = messages.map((message) => (message.type === 'log' ? message.line : told([message])[0]?.slice(0, 100)))
  return lines.slice(-30).join('\n')
}

/** Waits until all that the server has is known, and nothing else. */
async function converged(setting: Setting, resources: readonly Resource[] = RESOURCES): Promise<void> {
  for (const resource of resources) {
    const isSame = (): boolean => {
      const known = setting.known.objects.get(resource)
      const expected = truth(setting, resource)
      if (known?.size !== expected.size) return false
      return [...expected].every(([key, packed]) => known.get(key) === packed)
    }
    await until(isSame, `${resource} are as the server has them`, setting)
  }
}

const watching = (setting: Setting): Promise<void> =>
  until(() => setting.server.watchCount === RESOURCES.length, 'all watches are open', setting)

function countOf(setting: Setting, type: FeedMessage['type'], resource?: Resource): number {
  return setting.messages.filter(
    (each) => each.type === type && (!resource || ('resource' in each && each.resource === resource)),
  ).length
}

const service = (name: string, clusterIP: string): GivenObject => ({
  metadata: { name, namespace: 'default' },
  spec: { type: 'ClusterIP', clusterIP, clusterIPs: [clusterIP], ports: [{ name: 'http', port: 80, protocol: 'TCP' }] },
})

const ways: { readonly protocol: 'h2' | 'http/1.1'; readonly streaming: 'on' | 'off' | 'unknown' }[] = [
  { protocol: 'h2', streaming: 'on' },
  { protocol: 'h2', streaming: 'unknown' },
  { protocol: 'http/1.1', streaming: 'off' },
]

for (const { protocol, streaming } of ways) {
  test(`lists, follows, and lists again (${protocol}, streaming lists ${streaming})`, async (t) => {
    const setting = await start(t, { streamingLists: true }, { protocol, streamingLists: streaming })
    const { server, cluster } = setting
    await converged(setting)
    await watching(setting)
    const begun = countOf(setting, 'list-begin')
    assert.equal(
      server.count('list', 'services') > 0,
      streaming !== 'on',
      'pages are asked for where there are no streams',
    )

    for (let i = 0; i < 50; i++) cluster.changeNext(false)
    cluster.removeService(3)
    cluster.addService(3)
    cluster.removeService(4)
    cluster.addService(31, true)
    server.store.apply('services', service('web', '10.96.9.9'))
    server.store.apply('namespaces', { metadata: { name: 'new' } })
    await converged(setting)
    server.cut()
    cluster.scale(5, 1)
    await converged(setting)
    await watching(setting)
    server.endWatches()
    cluster.changeNext(true)
    await converged(setting)
    assert.equal(countOf(setting, 'list-begin'), begun, 'no list was needed')

    await watching(setting)
    server.store.compact()
    server.cut()
    cluster.removeService(6)
    server.store.compact()
    await converged(setting)
    assert.equal(countOf(setting, 'list-begin', 'services'), begun / RESOURCES.length + 1)
  })
}

test('lines that are no events, errors in watches, refusals: nothing is lost', async (t) => {
  const setting = await start(t)
  const { server, cluster } = setting
  await converged(setting)
  const faults = [
    () => server.injectLine('services', '{"type":"MODIF'),
    () =>
      server.injectLine(
        'endpointslices',
        '{"type":"ERROR","object":{"kind":"Status","code":500,"message":"no leader"}}',
      ),
    () => server.injectLine('services', '{"type":"ERROR","object":{"kind":"Status","code":410,"reason":"Expired"}}'),
    () => server.injectLine('namespaces', '{"type":"RENAMED","object":{}}'),
    () => server.store.repeatNext('services', 1),
  ]
  for (const [i, fault] of faults.entries()) {
    await watching(setting)
    fault()
    cluster.removeService(i)
    cluster.addService(i)
    cluster.removeService(10 + i)
    cluster.changeNext(false)
    await converged(setting)
  }
  const reasons = setting.messages.flatMap((message) => (message.type === 'failing' ? [message.reason] : []))
  assert.deepEqual(reasons, ['the watch of endpointslices was ended: no leader'])
})

test('the server stops in the middle of a list, and comes back', async (t) => {
  const setting = await start(t, { pageSize: 5 }, {}, { services: 200 })
  const { server, cluster } = setting
  await until(() => countOf(setting, 'list-items') > 3, 'a list has begun', setting)
  await server.stop()
  await until(() => countOf(setting, 'failing') > 0, 'it is said', setting)
  cluster.removeService(7)
  await server.start()
  await converged(setting)
  await watching(setting)
  const last = setting.messages.findLast(({ type }) => type === 'failing' || type === 'alive')
  assert.equal(last?.type, 'alive')
})

test('cuts after any number of octets', async (t) => {
  const setting = await start(t, { streamingLists: true, pageSize: 7 }, { streamingLists: 'on' })
  const { server, cluster } = setting
  await converged(setting)
  for (let round = 0; round < 60; round++) {
    // Multiplied by a number without a factor in common with the range: all parts of it are met.
    server.cutAfter((round * 7919) % 20_011, round % 2 === 0 ? 'rst' : 'fin')
    if (round % 5 === 0) server.store.compact()
    for (let i = 0; i < 5; i++) cluster.changeNext(i % 2 === 0)
    cluster.removeService(round % 30)
    cluster.addService(round % 30, round % 2 === 0)
    if (round % 10 === 0) {
      server.cut()
      server.cutAfter(Infinity)
      await converged(setting)
    }
  }
  server.cutAfter(Infinity)
  await converged(setting)
  await watching(setting)
})

test('an audit names what the watch kept back', async (t) => {
  // There are no ServiceImports: what cannot be listed is not audited.
  const setting = await start(t, { auditIntervalMs: 200, resources: ['serviceimports', ...RESOURCES] })
  const { server, known } = setting
  await converged(setting)
  await watching(setting)
  server.store.dropNext('services', 1)
  server.store.apply('services', service('silent', '10.96.9.9'))
  const from = known.audits.length
  const named = (): boolean => known.audits.slice(from).some((audit) => audit.has('default/silent'))
  await until(named, 'the audit names it', setting)
  assert.equal(known.objects.get('services')!.has('default/silent'), false, 'only the audit does')
  const lists = setting.messages.filter(({ type }) => type === 'list-begin' || type === 'list-end')
  const audits = lists.filter((message) => 'audit' in message && message.audit)
  for (let i = 0; i + 1 < audits.length; i += 2) {
    assert.equal(audits[i]!.type, 'list-begin', 'one audit at a time')
    assert.equal(audits[i + 1]!.type, 'list-end')
    assert.equal((audits[i] as { resource: string }).resource, (audits[i + 1] as { resource: string }).resource)
  }
})

test('an audit ends where its watch fails', async (t) => {
  const setting = await start(t, { auditIntervalMs: 100, pageSize: 1, resources: ['services'] }, {}, { services: 200 })
  const { server } = setting
  const resource = 'services'
  const auditing = (): boolean =>
    setting.messages.some((each) => each.type === 'list-items' && each.audit && each.resource === resource)
  await until(auditing, 'an audit has begun', setting)
  server.refuseNext(1, internalError('a test'), 'watch', resource)
  server.endWatches(resource)
  const ended = (): boolean =>
    setting.messages.some(
      (each) => each.type === 'list-end' && each.audit && !each.complete && each.resource === resource,
    )
  await until(ended, 'the audit has ended', setting)
  setting.cluster.removeService(1)
  await converged(setting, [resource])
})

test('alive goes on in silence, and no more than once a second', async (t) => {
  const setting = await start(t)
  await watching(setting)
  const startedAt = performance.now()
  const before = RESOURCES.map((resource) => countOf(setting, 'alive', resource))
  for (const [i, resource] of RESOURCES.entries()) {
    const count = (): number => countOf(setting, 'alive', resource) - before[i]!
    await until(() => count() >= 3, `${resource} are alive`, setting)
    assert.ok(count() <= (performance.now() - startedAt) / 1000 + 2, `${resource} say so ${count()} times`)
  }
  assert.equal(countOf(setting, 'failing'), 0)
})

test('lists wait for the main thread, events do not', async (t) => {
  const setting = await start(t, { pageSize: 1, resources: ['namespaces', 'services'] }, {}, { acknowledges: false })
  const { server, known } = setting
  const items = (): number => countOf(setting, 'list-items')
  await until(() => items() === 8, 'eight messages have come', setting)
  await sleep(100)
  assert.equal(items(), 8)
  while (!known.objects.has('namespaces')) {
    setting.post({ type: 'ack' })
    await sleep(2)
  }
  const before = items()
  server.store.apply('namespaces', { metadata: { name: 'new' } })
  await until(() => known.objects.get('namespaces')!.has('/new'), 'the event has come', setting)
  assert.ok(items() - before <= 1)
})

test('stopped, it ends its requests and itself', async (t) => {
  const setting = await start(t)
  await watching(setting)
  setting.post({ type: 'stop' })
  assert.equal(await setting.exit, 0)
  await until(() => setting.server.watchCount === 0, 'no watch is left', setting)
})

test('stopped while there is no server', async (t) => {
  const setting = await start(t)
  await setting.server.stop()
  await until(() => countOf(setting, 'failing') > 0, 'it fails', setting)
  setting.post({ type: 'stop' })
  assert.equal(await setting.exit, 0)
})

test('a kubeconfig that cannot be read ends the thread with a word', async (t) => {
  const setting = await start(t, { connection: { kubeconfig: '/does/not/exist', context: '' } })
  assert.equal(await setting.exit, 1)
  const last = setting.messages.at(-1)!
  assert.equal(last.type, 'refused')
  assert.match((last as { reason: string }).reason, /\/does\/not\/exist/)
})
