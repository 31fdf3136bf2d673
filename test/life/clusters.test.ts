// The life of a process that follows an API server: what rights it needs, what it says while there is none, and what a reload does with
// the feed.

import assert from 'node:assert/strict'
import { before, beforeEach, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { CorefileServer, type HttpAnswer } from '../corefile/corefile-server.ts'
import { LiveCluster, SHOP, service } from '../server/live-cluster.ts'
import { type HttpPorts, httpPorts } from './corefiles.ts'
import { type Asked, expects, expectsNothing, Load } from './load.ts'

const WAIT_MS = 30_000
const POLL_MS = 20
const CART = expects('cart.shop.svc.cluster.local', 'A', '10.96.0.10')
const KNOWN: readonly Asked[] = [
  CART,
  expects('10.0.96.10.in-addr.arpa', 'PTR', 'cart.shop.svc.cluster.local.'),
  expectsNothing('missing.shop.svc.cluster.local', 'A', 'NXDOMAIN'),
  expects('static.example', 'A', '192.0.2.80'),
]
const UNKNOWN: readonly Asked[] = [
  expectsNothing('cart.shop.svc.cluster.local', 'A', 'SERVFAIL'),
  expectsNothing('10.0.96.10.in-addr.arpa', 'PTR', 'SERVFAIL'),
  expects('static.example', 'A', '192.0.2.80'),
]

/** Waits until something holds. */
async function until(what: string, holds: () => boolean | Promise<boolean>, more = () => ''): Promise<void> {
  for (const deadline = performance.now() + WAIT_MS; performance.now() < deadline; await sleep(POLL_MS)) {
    if (await holds()) return
  }
  assert.fail(`${what}: not within ${WAIT_MS} ms\n${more()}`)
}

describe('an API server', () => {
  let cluster: LiveCluster
  let http: HttpPorts
  const servers: CorefileServer[] = []
  before(async () => {
    http = await httpPorts()
  })
  beforeEach(async () => {
    cluster = await LiveCluster.start()
    cluster.put(...SHOP)
  })
  // A server that is still there belongs to a test that failed.
  const ended = async () => {
    for (const server of servers.splice(0)) if (server.isRunning) server.kill()
    await cluster.close()
  }

  function corefile(kubernetes: string, more = ''): string {
    const block = kubernetes === 'none' ? '' : kubernetesBlock(kubernetes)
    return `. {
    errors
    health 127.0.0.1:${http.health}
    ready 127.0.0.1:${http.ready}
    ${block}
    hosts {
        192.0.2.80 static.example
        fallthrough
    }
    ${more}
}
`
  }

  function kubernetesBlock(more: string): string {
    return `kubernetes cluster.local in-addr.arpa ip6.arpa {
        pods insecure
        kubeconfig ${cluster.kubeconfig}
        ${more}
    }`
  }

  async function launch(text: string): Promise<CorefileServer> {
    const server = await CorefileServer.launch({ text, manifests: [] })
    servers.push(server)
    return server
  }

  const ready = (server: CorefileServer): Promise<HttpAnswer> => server.get('/ready', http.ready)

  async function becomesReady(server: CorefileServer): Promise<void> {
    const isReady = async () => (await ready(server).catch(() => null))?.status === 200
    await until('ready', isReady, () => server.output)
  }

  async function assertAnswers(server: CorefileServer, questions: readonly Asked[]): Promise<void> {
    for (const { query, check } of questions) assert.equal(check(await server.ask(query)), '', String(query.name))
  }

  async function reloaded(server: CorefileServer, text: string): Promise<void> {
    const from = server.mark
    server.write(text)
    server.signal('SIGUSR1')
    await server.line(/^\[INFO\] Reloading complete$/, from)
  }

  /** Serves what is known, then everything that comes is put away. */
  function inCluster(name: string, body: () => Promise<void>): void {
    test(name, async () => {
      try {
        await body()
      } finally {
        await ended()
      }
    })
  }

  const lists = (): number =>
    [...cluster.api.requests].reduce((sum, [what, count]) => sum + (what.startsWith('list ') ? count : 0), 0)

  inCluster('list and watch of namespaces, Services and EndpointSlices are all it asks for', async () => {
    for (const resource of ['pods', 'nodes', 'endpoints', 'events', 'leases', 'serviceimports']) {
      for (const verb of ['list', 'watch', 'get'] as const) cluster.api.access.deny(verb, resource)
    }
    for (const resource of ['namespaces', 'services', 'endpointslices']) cluster.api.access.deny('get', resource)
    const server = await launch(corefile(''))
    await becomesReady(server)
    await assertAnswers(server, KNOWN)
    assert.deepEqual(asked(), [
      ...['list endpointslices', 'list namespaces', 'list services'],
      ...['watch endpointslices', 'watch namespaces', 'watch services'],
    ])
    assert.equal(await server.stop(), 0)
    assert.ok(!server.output.includes('forbidden'), server.output)
  })

  inCluster('and of Pods, for `pods verified`', async () => {
    const server = await launch(corefile('pods verified'))
    await becomesReady(server)
    assert.deepEqual(
      asked().filter((what) => /^\w+ pods$/.test(what)),
      ['list pods', 'watch pods'],
    )
    assert.equal(await server.stop(), 0)
  })

  /** Each kind of request once; a streaming list is a watch. */
  function asked(): string[] {
    return [...cluster.api.requests.keys()].sort()
  }

  inCluster('a right that is missing: not ready, alive, and why', async () => {
    cluster.api.access.deny('list', 'endpointslices')
    cluster.api.access.deny('watch', 'endpointslices')
    const server = await launch(corefile('startup_timeout 500ms'))
    await server.serving()
    await server.line(/^\[\w+\] plugin\/kubernetes: endpointslices: cannot list endpointslices\.discovery\.k8s\.io: /)
    assert.deepEqual(statusOf(await ready(server)), [503, 'kubernetes'])
    assert.deepEqual(statusOf(await server.get('/health', http.health)), [200, 'OK'])
    cluster.api.access.allowAll()
    await becomesReady(server)
    await assertAnswers(server, KNOWN)
    assert.equal(await server.stop(), 0)
  })

  inCluster('none at the start: not ready, SERVFAIL, alive; when it comes, everything', async () => {
    await cluster.api.stop()
    const server = await launch(corefile('startup_timeout 500ms'))
    // While it waits, the endpoints are there.
    await until('health', async () => (await server.get('/health', http.health).catch(() => null))?.status === 200)
    await server.serving()
    await assertAnswers(server, UNKNOWN)
    assert.deepEqual(statusOf(await ready(server)), [503, 'kubernetes'])
    await server.line(/^\[INFO\] plugin\/ready: Plugins not ready: "kubernetes"$/)
    assert.deepEqual(statusOf(await server.get('/health', http.health)), [200, 'OK'])
    await cluster.api.start()
    await becomesReady(server)
    await assertAnswers(server, KNOWN)
    assert.equal(await server.stop(), 0)
  })

  inCluster('none at the start: SIGTERM ends it without waiting', async () => {
    await cluster.api.stop()
    const server = await launch(corefile('startup_timeout 1h'))
    await server.line(/ECONNREFUSED/)
    assert.equal(await server.stop(), 0)
    assert.ok(!server.stdout.some((line) => line.startsWith('.:')), 'it has never said that it serves')
  })

  inCluster('none at the start: what is loaded meanwhile waits for the start, and is then loaded', async () => {
    await cluster.api.stop()
    const server = await launch(corefile('startup_timeout 1500ms'))
    await server.line(/ECONNREFUSED/)
    server.write(corefile('startup_timeout 1500ms', 'chaos late'))
    server.signal('SIGUSR1')
    await server.line(/^\[INFO\] Reloading complete$/)
    assert.ok(!server.output.includes('failed:'), server.output)
    const { answer } = await server.ask({ name: 'version.bind', type: 'TXT', class: 3 })
    assert.equal(answer[0].data, '"late"')
    assert.equal(await server.stop(), 0)
  })

  inCluster('it ends: what is known is served, ready stays, and nothing ends', async () => {
    const server = await launch(corefile(''))
    await becomesReady(server)
    await cluster.api.stop()
    await server.line(/ECONNREFUSED/)
    await assertAnswers(server, KNOWN)
    assert.deepEqual(statusOf(await ready(server)), [200, 'OK'])
    await reloaded(server, corefile('', 'chaos other'))
    await assertAnswers(server, KNOWN)
    assert.deepEqual(statusOf(await ready(server)), [200, 'OK'], 'the feed is the same one')
    await cluster.api.start()
    cluster.put(service('shop/late', ['10.96.0.99']))
    const late = expects('late.shop.svc.cluster.local', 'A', '10.96.0.99')
    await until('a new Service', async () => late.check(await server.ask(late.query)) === '')
    assert.equal(await server.stop(), 0)
  })

  inCluster('a reload that leaves `kubernetes` as it is keeps the feed', async () => {
    const server = await launch(corefile(''))
    await becomesReady(server)
    const before = [lists(), cluster.api.connectionCount, cluster.api.watchCount]
    const load = new Load({ port: server.port, questions: KNOWN })
    for (const more of ['chaos one', 'log', 'acl {\n allow\n }', '']) {
      await reloaded(server, corefile('', more))
      assert.deepEqual(statusOf(await ready(server)), [200, 'OK'])
    }
    // Said in another way it is still the same.
    await reloaded(server, corefile('ttl 5'))
    assert.deepEqual([lists(), cluster.api.connectionCount, cluster.api.watchCount], before)
    cluster.put(service('shop/late', ['10.96.0.99']))
    const late = expects('late.shop.svc.cluster.local', 'A', '10.96.0.99')
    await until('a new Service', async () => late.check(await server.ask(late.query)) === '')
    const { lost, wrong, examples } = await load.stop()
    assert.deepEqual({ lost, wrong, examples }, { lost: 0, wrong: 0, examples: [] })
    assert.equal(await server.stop(), 0)
  })

  inCluster('a reload that changes `kubernetes` makes a new feed, and ends the old one', async () => {
    const server = await launch(corefile('ttl 5'))
    await becomesReady(server)
    const before = [lists(), cluster.api.watchCount]
    const load = new Load({ port: server.port, questions: KNOWN })
    await reloaded(server, corefile('ttl 60'))
    assert.equal((await server.ask(CART.query)).answer[0].ttl, 60)
    assert.ok(lists() > before[0], 'everything is listed anew')
    await until('the old watches have ended', () => cluster.api.watchCount === before[1])
    assert.deepEqual(statusOf(await ready(server)), [200, 'OK'])
    const { lost, wrong, examples } = await load.stop()
    assert.deepEqual({ lost, wrong, examples }, { lost: 0, wrong: 0, examples: [] })
    assert.equal(await server.stop(), 0)
  })

  inCluster('a reload while there is none does not give up what is known, and is tried again', async () => {
    const server = await launch(corefile('ttl 5', 'reload 2s 0s'))
    await becomesReady(server)
    await cluster.api.stop()
    const from = server.mark
    server.write(corefile('ttl 60\nstartup_timeout 500ms', 'reload 2s 0s'))
    await server.line(/^\[ERROR\] Restart failed: plugin\/kubernetes: the API server has not told everything/, from)
    await assertAnswers(server, KNOWN)
    assert.deepEqual(statusOf(await ready(server)), [200, 'OK'])
    await cluster.api.start()
    await server.line(/^\[INFO\] Reloading complete$/, from)
    assert.equal((await server.ask(CART.query)).answer[0].ttl, 60)
    await assertAnswers(server, KNOWN)
    assert.equal(await server.stop(), 0)
  })

  inCluster('`kubernetes` goes and comes', async () => {
    const server = await launch(corefile(''))
    await becomesReady(server)
    await reloaded(server, corefile('none'))
    await until('the watches have ended', () => cluster.api.watchCount === 0)
    assert.equal((await server.ask(CART.query)).rcode, 'SERVFAIL', 'the chain ends without an answer')
    assert.deepEqual(statusOf(await ready(server)), [200, 'OK'])
    await reloaded(server, corefile(''))
    await assertAnswers(server, KNOWN)
    assert.equal(await server.stop(), 0)
  })

  inCluster('SIGTERM while a reload waits for an API server ends it without waiting', async () => {
    const server = await launch(corefile(''))
    await becomesReady(server)
    await cluster.api.stop()
    const from = server.mark
    server.write(corefile('ttl 60\nstartup_timeout 1h'))
    server.signal('SIGUSR1')
    await server.line(/^\[INFO\] Reloading$/, from)
    await server.line(/ECONNREFUSED/, from)
    await assertAnswers(server, KNOWN)
    assert.equal(await server.stop(), 0)
  })
})

function statusOf({ status, body }: HttpAnswer): [number, string] {
  return [status, body]
}
