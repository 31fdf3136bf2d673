// Where records come from, and how a server asks an API server: source by source, and the limits that it is given (cluster-dns.md
// §3.1).

import assert from 'node:assert/strict'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { assertAnswers, becomes, LiveCluster, namespace, SHOP, service, until, WAIT_MS } from './live-cluster.ts'

test('ttl', async (t) => {
  const cluster = await LiveCluster.start()
  t.after(() => cluster.close())
  cluster.put(...SHOP)
  for (const [flags, ttl] of [
    [[], 5],
    [['--ttl', '30'], 30],
    [['--ttl', '0'], 0],
  ] as const) {
    const server = await cluster.serve(flags)
    for (const [name, type] of [
      ['cart.shop', 'A'],
      ['pg.shop', 'SRV'],
    ] as const) {
      const { answer, additional } = await server.query({ name: `${name}.svc.cluster.local`, type })
      assert.ok(answer.length > 0)
      for (const record of [...answer, ...additional]) assert.equal(record.ttl, ttl)
    }
    await server.stop()
  }
})

test('multicluster without the CustomResourceDefinition: said, and all else is answered', async (t) => {
  const cluster = await LiveCluster.start()
  t.after(() => cluster.close())
  cluster.put(...SHOP)
  const server = await cluster.launch(['--multicluster', 'clusterset.local', '--startup_timeout', '500ms'])
  await server.printed(/the CustomResourceDefinition serviceimports\.multicluster\.x-k8s\.io is not installed/, WAIT_MS)
  await server.printed(/^listening: /m, WAIT_MS)
  await assertAnswers(server, {
    'cart.shop~': 'A 10.96.0.10',
    'pg-0.pg.shop~': 'A 10.1.0.11',
    'missing.shop~': 'SERVFAIL',
  })
  await server.stop()
})

describe('what is asked of the API server', () => {
  test('apiserver_qps and apiserver_burst', async (t) => {
    const cluster = await LiveCluster.start()
    t.after(() => cluster.close())
    cluster.put(...SHOP, ...Array.from({ length: 24 }, (_, i) => service(`shop/s-${i}`, [`10.96.8.${i}`])))
    const [qps, burst] = [10, 4]
    const limits = ['--apiserver_qps', String(qps), '--apiserver_burst', String(burst)]
    const server = await cluster.serve([...limits, '--page-size', '1', '--streaming-lists', 'off'])
    const times = cluster.api.seen.map(({ atMs }) => atMs)
    assert.ok(times.length >= 30, `${times.length} requests`)
    // Of any requests in a row no more than the bucket holds, and what has dripped into it meanwhile. Two more for clocks that differ.
    for (let from = 0; from < times.length; from++) {
      for (let to = from; to < times.length; to++) {
        const most = burst + ((times[to] - times[from]) / 1000) * qps + 2
        assert.ok(to - from + 1 <= most, `${to - from + 1} requests in ${times[to] - times[from]} ms`)
      }
    }
    await assertAnswers(server, { 's-23.shop~': 'A 10.96.8.23' })
    await server.stop()
  })

  test('apiserver_max_inflight: lists find room beside the watches', async (t) => {
    const cluster = await LiveCluster.start()
    t.after(() => cluster.close())
    cluster.put(...SHOP)
    const server = await cluster.serve(['--apiserver_max_inflight', '4', '--page-size', '1'])
    assert.doesNotMatch(server.output, /apiserver_max_inflight/)
    await until(() => cluster.api.watchCount === 3, 'all are watched')
    cluster.api.store.compact()
    cluster.api.cut()
    cluster.put(service('shop/new', ['10.96.0.61']))
    await becomes(server, { 'new.shop~': 'A 10.96.0.61' })
    await server.stop()
  })

  test('apiserver_max_inflight that is too small is said', async (t) => {
    const cluster = await LiveCluster.start()
    t.after(() => cluster.close())
    cluster.put(...SHOP)
    const server = await cluster.launch(['--apiserver_max_inflight', '2', '--startup_timeout', '700ms'])
    await server.printed(/^warning: apiserver_max_inflight 2 leaves no room/m, WAIT_MS)
    await server.printed(/^listening: /m, WAIT_MS)
    assert.ok(cluster.api.watchCount <= 2)
    await server.stop()
  })

  test('audit-interval: what a watch has dropped is found', async (t) => {
    const cluster = await LiveCluster.start()
    t.after(() => cluster.close())
    cluster.put(...SHOP, service('shop/going', ['10.96.0.62']))
    const server = await cluster.serve(['--audit-interval', '300ms'])
    cluster.api.store.dropNext('services', 3)
    cluster.put(service('shop/cart', ['10.96.0.12']), service('shop/lost', ['10.96.0.63']))
    cluster.api.store.remove('services', 'shop/going')
    await becomes(server, { 'cart.shop~': 'A 10.96.0.12', 'lost.shop~': 'A 10.96.0.63', 'going.shop~': 'NXDOMAIN' })
    await server.printed(/^audit: the watch of services had missed shop\/(cart|lost|going), .*: put right$/m)
    await server.stop()
  })

  test('audit-interval 0: nothing is listed again', async (t) => {
    const cluster = await LiveCluster.start()
    t.after(() => cluster.close())
    cluster.put(...SHOP)
    const server = await cluster.serve(['--audit-interval', '0'])
    await until(() => cluster.api.watchCount === 3, 'all are watched')
    const asked = cluster.api.seen.length
    await sleep(1500)
    assert.equal(cluster.api.seen.length, asked)
    await server.stop()
  })
})

describe('where records come from', () => {
  const IN_CLUSTER = { 'cart.shop~': 'A 10.96.0.10', 'cart.other~': 'NXDOMAIN' }
  const OTHER = { 'cart.shop~': 'NXDOMAIN', 'cart.other~': 'A 10.96.9.9' }

  /** Two clusters; the first is also that of the Pod that `env` makes of a process. */
  async function twoClusters(t: { after(run: () => Promise<void>): void }) {
    const [cluster, other] = [await LiveCluster.start(), await LiveCluster.start()]
    t.after(async () => {
      await cluster.close()
      await other.close()
    })
    cluster.put(...SHOP)
    other.put(namespace('other'), service('other/cart', ['10.96.9.9']))
    const env = {
      KUBERNETES_SERVICE_HOST: '127.0.0.1',
      KUBERNETES_SERVICE_PORT: String(cluster.api.port),
      PEREGRINE_SERVICE_ACCOUNT: cluster.folder.writeServiceAccount(),
      HOME: cluster.folder.path,
    }
    return { cluster, other, env }
  }

  test('the cluster it runs in', async (t) => {
    const { cluster, env } = await twoClusters(t)
    const server = await cluster.serve([], { kubeconfig: '', env })
    await assertAnswers(server, IN_CLUSTER)
    assert.match(server.output, /^connected to https:\/\/127\.0\.0\.1:\d+ .*service account token \S+\/token$/m)
    cluster.put(service('shop/new', ['10.96.0.61']))
    await becomes(server, { 'new.shop~': 'A 10.96.0.61' })
    await server.stop()
  })

  test('a context of a kubeconfig', async (t) => {
    const { cluster, other } = await twoClusters(t)
    const kubeconfig = cluster.folder.write([
      { name: 'here', server: cluster.api.url },
      { name: 'there', server: other.api.url },
    ])
    for (const [flags, answers] of [
      [[], IN_CLUSTER],
      [['--context', 'here'], IN_CLUSTER],
      [['--context', 'there'], OTHER],
    ] as const) {
      const server = await cluster.serve(flags, { kubeconfig })
      await assertAnswers(server, answers)
      await server.stop()
    }
  })

  test('a kubeconfig wins over the cluster it runs in', async (t) => {
    const { cluster, other, env } = await twoClusters(t)
    const server = await other.serve([], { env })
    await assertAnswers(server, OTHER)
    assert.equal(cluster.api.seen.length, 0)
    await server.stop()
  })

  test('manifests win over the cluster it runs in', async (t) => {
    const { cluster, env } = await twoClusters(t)
    const [, given] = service('other/cart', ['10.96.9.9'])
    const file = cluster.folder.file('m.json', JSON.stringify({ apiVersion: 'v1', kind: 'Service', ...given }))
    const server = await cluster.serve(['--manifests', file], { kubeconfig: '', env })
    await assertAnswers(server, OTHER)
    assert.equal(cluster.api.connectionCount, 0)
    await server.stop()
  })

  test('the example, outside of a cluster: a kubeconfig in the home folder is not looked at', async (t) => {
    const { cluster, env } = await twoClusters(t)
    mkdirSync(join(cluster.folder.path, '.kube'))
    const kubeconfig = cluster.folder.writeSimple(cluster.api.url)
    cluster.folder.file('.kube/config', '')
    for (const each of [
      { ...env, KUBECONFIG: kubeconfig, KUBERNETES_SERVICE_HOST: '' },
      { ...env, PEREGRINE_SERVICE_ACCOUNT: join(cluster.folder.path, 'nothing') },
      { ...env, KUBERNETES_SERVICE_PORT: '' },
    ]) {
      const server = await cluster.serve([], { kubeconfig: '', env: each })
      assert.match(server.output, /^manifests: \S+examples$/m)
      await server.stop()
    }
    assert.equal(cluster.api.connectionCount, 0)
  })

  test('flags that contradict each other', async (t) => {
    const { cluster, env } = await twoClusters(t)
    for (const [flags, kubeconfig, says] of [
      [['--manifests', 'x.yaml'], cluster.kubeconfig, /manifests.*kubeconfig|kubeconfig.*manifests/],
      [['--context', 'here'], '', /flag --context needs --kubeconfig/],
      [['--namespaces', 'a', '--namespace_labels', 'b=c'], cluster.kubeconfig, /namespaces.*namespace_labels/],
      [['--zonal', '--noendpoints'], cluster.kubeconfig, /zonal.*noendpoints|noendpoints.*zonal/],
      [['--labels', 'a in (b'], cluster.kubeconfig, /--labels/],
    ] as const) {
      const server = await cluster.launch(flags, { kubeconfig, env })
      assert.equal((await server.exit()).code, 2, server.output)
      assert.match(server.output, says)
    }
  })
})
