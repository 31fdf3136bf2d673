// `peregrine load` and a live cluster: its names are asked for, it says what is true, and its addresses may be asked.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Flags } from '../../src/cli/flags.ts'
import { LoadCluster } from '../../src/cli/load-cluster.ts'
import { loadPlan } from '../../src/cli/load-plan.ts'
import { LoadInputError } from '../../src/load/input-error.ts'
import { guardTarget, parseTarget, resolveTarget } from '../../src/load/target.ts'
import { type Ended, run } from '../life/run.ts'
import { LiveCluster, namespace, SHOP, service, slice } from '../server/live-cluster.ts'

const SHORT = '--rate 500 --duration 400ms --warmup 0 --count 500 --quiet --json'
const nobody = (line: string): never => assert.fail(line)

function load(cluster: LiveCluster, args: string, env: Record<string, string> = {}): Promise<Ended> {
  return run(['load', ...args.split(' ')], { cwd: cluster.folder.path, env: { KUBERNETES_SERVICE_HOST: '', ...env } })
}

test('names and truth of a cluster', async (t) => {
  const cluster = await LiveCluster.start()
  t.after(() => cluster.close())
  cluster.put(...SHOP)
  const { endpoint } = await cluster.serve()
  const server = `--server 127.0.0.1:${endpoint.port}`
  const inside = {
    KUBERNETES_SERVICE_HOST: '127.0.0.1',
    KUBERNETES_SERVICE_PORT: String(cluster.api.port),
    PEREGRINE_SERVICE_ACCOUNT: cluster.folder.writeServiceAccount(),
  }
  for (const [args, env, label] of [
    [`--kubeconfig ${cluster.kubeconfig}`, {}, /drawn from the cluster of \S+, zone cluster\.local/],
    ['--verify 1', inside, /drawn from the cluster that this runs in, zone cluster\.local/],
  ] as const) {
    const { code, stdout, stderr } = await load(cluster, `${server} ${args} --verify ${SHORT}`, env)
    assert.deepEqual([code, stderr], [0, ''], stdout)
    const { queries, verification, rcodes } = JSON.parse(stdout)
    assert.match(queries, label)
    assert.ok(verification.checked > 20 && rcodes.NOERROR > 0)
    assert.equal(verification.wrong, 0)
  }
})

test('what a cluster says differs from what another server answers', async (t) => {
  const cluster = await LiveCluster.start()
  t.after(() => cluster.close())
  cluster.put(...SHOP)
  const { endpoint } = await cluster.serve(['--ttl', '1'])
  const args = `--server 127.0.0.1:${endpoint.port} --kubeconfig ${cluster.kubeconfig} --verify ${SHORT}`
  // Answers may be as old as their TTL says: only what differs for longer is wrong.
  const wrong = await load(cluster, `${args} --ttl 0`)
  assert.equal(wrong.code, 1)
  const [{ truth, difference }] = JSON.parse(wrong.stdout).verification.answers
  assert.equal(truth, 'cluster')
  assert.match(difference, /TTL 1 .* is over 0/)
  const right = await load(cluster, `${args} --ttl 1`)
  assert.equal(right.code, 0, right.stderr)
})

test('an API server that cannot be had', async (t) => {
  const cluster = await LiveCluster.start()
  t.after(() => cluster.close())
  const kubeconfig = cluster.folder.write({ name: 'gone', server: 'https://127.0.0.1:1' })
  const { code, stderr } = await load(
    cluster,
    `--server 127.0.0.1:1 --kubeconfig ${kubeconfig} --startup_timeout 3s --quiet`,
  )
  assert.equal(code, 1)
  assert.match(stderr, /ECONNREFUSED|refused/)
  assert.match(stderr, /^peregrine: not listed within 3000 ms \(--startup_timeout\): /m)
})

test('addresses of Services and endpoints are the cluster’s, whatever their range; those of manifests prove nothing', async (t) => {
  const cluster = await LiveCluster.start()
  t.after(() => cluster.close())
  cluster.put(
    namespace('shop'),
    service('shop/cart', ['192.0.2.10', '2001:db8::a']),
    slice('shop/cart-1', 'cart', ['198.51.100.1']),
  )
  const of = (...args: string[]) => loadPlan(Flags.parse(['--server', '127.0.0.1', ...args]), {})
  const live = new LoadCluster(of('--kubeconfig', cluster.kubeconfig, '--startup_timeout', '30s'), () => {})
  const isOfCluster = await live.addresses()
  const guard = async (text: string): Promise<void> => {
    const options = { transport: 'udp', serverName: '', verifiesCertificate: true } as const
    guardTarget(await resolveTarget(parseTarget(text, 'udp', 'server'), options, () => assert.fail()), isOfCluster)
  }
  for (const address of ['192.0.2.10', '198.51.100.1', '[2001:db8::a]', '[2001:DB8:0::000A]:53']) await guard(address)
  for (const address of ['192.0.2.11', '198.51.100.2', '[2001:db8::b]'])
    await assert.rejects(guard(address), LoadInputError)
  const file = cluster.folder.file(
    'm.json',
    JSON.stringify({ apiVersion: 'v1', kind: 'Service', ...service('shop/cart', ['192.0.2.10'])[1] }),
  )
  const manifests = new LoadCluster(of('--manifests', file), nobody)
  assert.equal((await manifests.addresses())('192.0.2.10'), false)
  assert.equal((await manifests.objects()).services.size, 1)
})
