// Generated clusters: their JSON is whole, says what the cluster says of itself, and no two endpoints have one address.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Cluster, type ClusterOptions } from './cluster.ts'
import type { GivenObject } from './object.ts'
import type { ResourceName } from './resources.ts'
import { Store } from './store.ts'

const MIXED: ClusterOptions = {
  services: 200,
  endpointsPerService: 7,
  namespaces: 10,
  headlessShare: 0.3,
  dualStackShare: 0.3,
  severalSlicesShare: 0.3,
  pods: 100,
  spare: 10,
}

interface Slice extends GivenObject {
  readonly addressType: 'IPv4' | 'IPv6'
  readonly endpoints: readonly { readonly addresses: readonly string[]; readonly hostname?: string }[]
}

function loaded(options: ClusterOptions = MIXED): Cluster {
  const cluster = new Cluster(new Store({ version: 1_000_000 }), options)
  cluster.load()
  return cluster
}

function objects(cluster: Cluster, resource: ResourceName): GivenObject[] {
  return cluster.store.items(resource).map(({ key }) => cluster.store.read(resource, key)!)
}

function slicesOf(cluster: Cluster, n: number): Slice[] {
  const prefix = `${cluster.namespaceOf(n)}/${cluster.nameOf(n)}-`
  const keys = cluster.store.items('endpointslices').map(({ key }) => key)
  const slices = keys.filter((key) => key.startsWith(prefix)).map((key) => cluster.store.read('endpointslices', key)!)
  for (const { metadata } of slices) assert.equal(metadata.labels?.['kubernetes.io/service-name'], cluster.nameOf(n))
  return slices as Slice[]
}

function addressesOf(slices: readonly Slice[], family: 'IPv4' | 'IPv6'): string[] {
  return slices
    .filter(({ addressType }) => addressType === family)
    .flatMap(({ endpoints }) => endpoints.flatMap((each) => each.addresses))
}

test('each object is as long as it says, and has the labels and the phase that it says', () => {
  const cluster = loaded()
  for (const resource of ['namespaces', 'services', 'endpointslices', 'pods'] as const) {
    const target = Buffer.alloc(65_536)
    for (const object of cluster.store.items(resource)) {
      assert.equal(object.write(target, 5), object.length + 5, object.key)
      const json = JSON.parse(`{${target.toString('utf8', 5, object.length + 5)}`)
      const { name, namespace, labels, resourceVersion } = json.metadata
      assert.equal(namespace === undefined ? name : `${namespace}/${name}`, object.key)
      assert.deepEqual(object.labels, labels)
      assert.equal(object.phase, json.status?.phase ?? '')
      assert.equal(resourceVersion, String(object.version))
      assert.ok(!JSON.stringify(json).includes('~'), 'no place is left')
    }
  }
})

test('Services and their slices say what the cluster says', () => {
  const cluster = loaded()
  const kinds = new Set<string>()
  for (let n = 0; n < MIXED.services; n++) {
    const json = cluster.store.read('services', `${cluster.namespaceOf(n)}/${cluster.nameOf(n)}`) as GivenObject & {
      spec: { clusterIPs: string[]; ipFamilies: string[] }
    }
    const slices = slicesOf(cluster, n)
    const dual = cluster.isDualStack(n)
    const expected = cluster.isHeadless(n)
      ? ['None']
      : [cluster.clusterIP(n), ...(dual ? [cluster.clusterIPv6(n)] : [])]
    assert.deepEqual(json.spec.clusterIPs, expected)
    assert.equal(json.spec.ipFamilies.length, dual ? 2 : 1)
    assert.deepEqual(addressesOf(slices, 'IPv4'), cluster.addresses(n))
    assert.equal(addressesOf(slices, 'IPv6').length, dual ? MIXED.endpointsPerService : 0)
    kinds.add(`${cluster.isHeadless(n)} ${slices.length}`)
  }
  assert.deepEqual([...kinds].sort(), ['false 1', 'false 2', 'false 4', 'true 1', 'true 2', 'true 4'])
})

test('no address is there twice, not even after changes', () => {
  const cluster = loaded()
  const changed = Array.from({ length: 2000 }, (_, i) => cluster.changeNext(i % 2 === 0))
  const slices = objects(cluster, 'endpointslices') as Slice[]
  for (const family of ['IPv4', 'IPv6'] as const) {
    const addresses = addressesOf(slices, family)
    assert.ok(addresses.length > 300)
    assert.equal(new Set(addresses).size, addresses.length)
  }
  const ips = Array.from({ length: MIXED.services }, (_, n) => cluster.clusterIP(n))
  assert.equal(new Set(ips).size, ips.length)
  const services = new Set(changed.map(({ service }) => service))
  assert.equal(services.size, MIXED.services, 'all have their turn')
  assert.ok(changed.every(({ hostname }, i) => i % 2 === 1 || hostname !== ''))
})

test('a change replaces one address, of all slices that it is in, and names it', () => {
  const cluster = loaded()
  for (let n = 0; n < 60; n++) {
    for (let round = 0; round < 9; round++) {
      const before = cluster.addresses(n)
      const change = cluster.changeEndpoint(n)
      const after = cluster.addresses(n)
      const places = after.flatMap((address, i) => (address === before[i] ? [] : [i]))
      assert.deepEqual(places, [round % MIXED.endpointsPerService], 'each in its turn')
      assert.equal(change.address, after[places[0]])
      assert.equal(change.hostname, cluster.isHeadless(n) ? `${change.service}-${places[0]}` : '')
      assert.equal(change.version, cluster.store.version)
    }
    const slices = slicesOf(cluster, n)
    assert.deepEqual(addressesOf(slices, 'IPv4'), cluster.addresses(n))
    const triggered = slices[0].metadata.annotations as Record<string, string>
    assert.ok(
      Date.parse(triggered['endpoints.kubernetes.io/last-change-trigger-time']) > Date.parse('2026-11-22T08:36:13Z'),
    )
  }
})

test('Services come, go and scale', () => {
  const cluster = loaded()
  const there = (n: number) => cluster.store.get('services', `${cluster.namespaceOf(n)}/${cluster.nameOf(n)}`) !== null
  const loadedSlices = cluster.store.items('endpointslices').length
  cluster.removeService(3)
  assert.deepEqual([there(3), slicesOf(cluster, 3).length], [false, 0])
  cluster.addService(3, true)
  assert.ok(there(3))
  assert.deepEqual(addressesOf(slicesOf(cluster, 3), 'IPv4'), cluster.addresses(3))
  assert.equal(cluster.store.items('endpointslices').length, loadedSlices)
  cluster.addService(200)
  assert.ok(there(200))
  for (const endpoints of [5, 0, 1, 7]) {
    for (let n = 0; n < 20; n++) {
      cluster.scale(n, endpoints)
      if (endpoints > 0) {
        const { address, version } = cluster.changeEndpoint(n)
        assert.ok(cluster.addresses(n).includes(address))
        assert.equal(version, cluster.store.version)
      }
      assert.equal(cluster.addresses(n).length, endpoints)
      assert.deepEqual(addressesOf(slicesOf(cluster, n), 'IPv4'), cluster.addresses(n), `${n} with ${endpoints}`)
    }
  }
})

test('the addresses suffice for the largest cluster, and it says when not', () => {
  const store = new Store()
  assert.doesNotThrow(() => new Cluster(store, { services: 100_000, endpointsPerService: 10 }))
  assert.throws(() => new Cluster(store, { services: 300_000, endpointsPerService: 10 }), /addresses/)
})
