// What a zone transfer sends (cluster DNS reference §1.12, §5.12): the stream itself, and that it agrees with what is answered.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { ResourceRecord } from '../../src/dns/message.ts'
import { textOfWire } from '../../src/dns/name.ts'
import { createRegion } from '../../src/index/layout.ts'
import { IndexWriter } from '../../src/index/writer.ts'
import { formatAddress } from '../../src/kube/address.ts'
import { ClusterIndex, type ClusterIndexOptions } from '../../src/kube/cluster-index.ts'
import { unpackAll, unpackSlices } from '../../src/kube/cluster-state.ts'
import { externalRecords } from '../../src/kube/external-schema.ts'
import type { EndpointSlice, Service } from '../../src/kube/objects.ts'
import { packImport, packService, packSlice } from '../../src/kube/packed.ts'
import type { OwnerRecords } from '../../src/kube/records.ts'
import { importRecords, serviceRecords } from '../../src/kube/schema.ts'
import { anyChange, apply, type Change, LISTEN, openIndex, SCHEMAS } from './cluster-changes.ts'
import { fixture, PLAIN } from './schema-fixture.ts'

const SEED = Number(process.env.TEST_SEED ?? 20261123)
const RUNS = Number(process.env.TEST_RUNS ?? 100)
const SERIAL = 1_800_000_000
const OPTIONS: ClusterIndexOptions = {
  zones: ['cluster.local'],
  multiclusterZones: [],
  reverseZones: ['in-addr.arpa'],
  ttl: 5,
  namespaces: null,
  schema: PLAIN,
  listenAddresses: LISTEN,
}

function indexOf(yaml: string, more: Partial<ClusterIndexOptions> = {}): ClusterIndex {
  const index = new ClusterIndex(new IndexWriter(createRegion(2 ** 20), { readerCount: 1 }), { ...OPTIONS, ...more })
  const { namespaces, services, slices, imports } = fixture(yaml)
  for (const namespace of namespaces) index.state.setNamespace(namespace, true)
  for (const each of services) index.state.set('services', each.namespace, each.name, packService(each))
  for (const each of slices) index.state.set('slices', each.namespace, each.name, packSlice(each))
  for (const each of imports) index.state.set('imports', each.namespace, each.name, packImport(each))
  // In the future: a serial never goes back.
  index.flush(SERIAL * 1000)
  return index
}

/** RDATA in zone-file form. */
function rdataText({ type, rdata }: ResourceRecord): string {
  const view = new DataView(rdata.buffer, rdata.byteOffset, rdata.length)
  switch (type) {
    case 1:
    case 28:
      return `${type === 1 ? 'A' : 'AAAA'} ${formatAddress(rdata, rdata.length)}`
    case 2:
      return `NS ${textOfWire(rdata)}`
    case 5:
      return `CNAME ${textOfWire(rdata)}`
    case 6: {
      const [name, mailbox] = [textOfWire(rdata), textOfWire(rdata, nameEnd(rdata, 0))]
      const at = nameEnd(rdata, nameEnd(rdata, 0))
      const numbers = [0, 4, 8, 12, 16].map((offset) => view.getUint32(at + offset))
      assert.equal(at + 20, rdata.length)
      return `SOA ${name} ${mailbox} ${numbers.join(' ').replace(String(SERIAL), 'SERIAL')}`
    }
    case 33:
      return `SRV ${view.getUint16(0)} ${view.getUint16(2)} ${view.getUint16(4)} ${textOfWire(rdata, 6)}`
    default:
      throw new Error(`type ${type}`)
  }
}

function nameEnd(wire: Uint8Array, from: number): number {
  let at = from
  while (wire[at] !== 0) at += wire[at] + 1
  return at + 1
}

function streamOf(index: ClusterIndex, zone = 'cluster.local.'): string[] {
  const records = index.transfer(zone)
  assert.ok(records !== null)
  return Array.from(records, (record) => {
    assert.equal(record.class, 1)
    return `${record.owner} ${record.ttl} IN ${rdataText(record)}`
  })
}

const REFERENCE = `
namespaces: [shop, edge]
services:
  shop/cart:    {clusterIPs: [172.30.4.10], ports: [web:80/TCP, "-:9/TCP"]}
  edge/partner: {type: ExternalName, externalName: api.partner.example}
  edge/lit:     {type: ExternalName, externalName: 192.0.2.1}
  hidden/z:     {clusterIPs: [172.30.4.99], ports: [web:80/TCP]}
`

test('the stream of the reference', () => {
  assert.deepEqual(streamOf(indexOf(REFERENCE)), [
    'cluster.local. 5 IN SOA ns.dns.cluster.local. hostmaster.cluster.local. SERIAL 7200 1800 86400 5',
    'cluster.local. 5 IN NS ns.dns.cluster.local.',
    'ns.dns.cluster.local. 5 IN A 10.130.0.2',
    'cart.shop.svc.cluster.local. 5 IN A 172.30.4.10',
    'cart.shop.svc.cluster.local. 5 IN SRV 0 100 80 cart.shop.svc.cluster.local.',
    '_web._tcp.cart.shop.svc.cluster.local. 5 IN SRV 0 100 80 cart.shop.svc.cluster.local.',
    'cart.shop.svc.cluster.local. 5 IN SRV 0 100 9 cart.shop.svc.cluster.local.',
    'partner.edge.svc.cluster.local. 5 IN CNAME api.partner.example.',
    'cluster.local. 5 IN SOA ns.dns.cluster.local. hostmaster.cluster.local. SERIAL 7200 1800 86400 5',
  ])
})

test('headless Services: weights of a slice, no SRV at the bare name, each record once', () => {
  const index = indexOf(`
namespaces: [db, a]
services:
  db/pg: {clusterIPs: None}
  a/pg:  {clusterIPs: [10.0.0.1, "fd00::1"], ports: [dns:53/UDP, dns-tcp:53/TCP]}
slices:
  db/pg-4: {for: pg, ports: [sql:5432/TCP, "-:1/TCP"], endpoints: [{a: [10.1.0.1], hostname: pg-0}, {a: [10.1.0.2, 10.1.0.3]}, {a: [10.1.0.9], ready: false}]}
  db/pg-5: {for: pg, ports: [sql:5432/TCP], endpoints: [{a: [10.1.0.2]}]}
  db/pg-6: {for: pg, ports: [sql:5432/TCP], endpoints: [{a: ["FD00::11"], hostname: pg-0}]}
  a/pg-1:  {for: pg, ports: [dns:53/UDP], endpoints: [{a: [10.1.0.7], hostname: x}]}
`)
  const lines = streamOf(index).slice(3, -1)
  const below = (name: string): string => `${name}.pg.db.svc.cluster.local.`
  assert.deepEqual(lines, [
    'pg.a.svc.cluster.local. 5 IN A 10.0.0.1',
    'pg.a.svc.cluster.local. 5 IN AAAA fd00::1',
    'pg.a.svc.cluster.local. 5 IN SRV 0 100 53 pg.a.svc.cluster.local.',
    '_dns._udp.pg.a.svc.cluster.local. 5 IN SRV 0 100 53 pg.a.svc.cluster.local.',
    '_dns-tcp._tcp.pg.a.svc.cluster.local. 5 IN SRV 0 100 53 pg.a.svc.cluster.local.',
    'pg.db.svc.cluster.local. 5 IN A 10.1.0.1',
    `${below('pg-0')} 5 IN A 10.1.0.1`,
    `${below('_sql._tcp')} 5 IN SRV 0 33 5432 ${below('pg-0')}`,
    'pg.db.svc.cluster.local. 5 IN A 10.1.0.2',
    `${below('10-1-0-2')} 5 IN A 10.1.0.2`,
    `${below('_sql._tcp')} 5 IN SRV 0 33 5432 ${below('10-1-0-2')}`,
    'pg.db.svc.cluster.local. 5 IN A 10.1.0.3',
    `${below('10-1-0-3')} 5 IN A 10.1.0.3`,
    `${below('_sql._tcp')} 5 IN SRV 0 33 5432 ${below('10-1-0-3')}`,
    `${below('_sql._tcp')} 5 IN SRV 0 100 5432 ${below('10-1-0-2')}`,
    'pg.db.svc.cluster.local. 5 IN AAAA fd00::11',
    `${below('pg-0')} 5 IN AAAA fd00::11`,
    `${below('_sql._tcp')} 5 IN SRV 0 100 5432 ${below('pg-0')}`,
  ])
})

test('the name server is the Service of this server; SOA and TTL with a long ttl', () => {
  const index = indexOf(
    `
namespaces: [openshift-dns]
services:
  openshift-dns/dns-default: {clusterIPs: [172.30.0.10], ports: [dns:53/UDP]}
slices:
  openshift-dns/dns-default-x: {for: dns-default, ports: [dns:5353/UDP], endpoints: [{a: [10.130.0.2]}]}
`,
    { ttl: 600 },
  )
  const target = 'dns-default.openshift-dns.svc.cluster.local.'
  assert.deepEqual(streamOf(index, 'CLUSTER.local').slice(0, 4), [
    'cluster.local. 300 IN SOA ns.dns.cluster.local. hostmaster.cluster.local. SERIAL 7200 1800 86400 600',
    `cluster.local. 600 IN NS ${target}`,
    `${target} 600 IN A 172.30.0.10`,
    `${target} 600 IN A 172.30.0.10`,
  ])
})

test('multicluster zones', () => {
  const index = indexOf(
    `
namespaces: [shop]
imports:
  shop/cart: {type: ClusterSetIP, ips: [172.31.0.10], ports: [web:80/TCP]}
  shop/bare: {type: ClusterSetIP, ips: [172.31.0.11]}
  shop/pg:   {type: Headless}
slices:
  shop/i1: {import: pg, cluster: east, ports: [sql:5432/TCP], endpoints: [{a: [10.40.0.1], hostname: pg-0}]}
  shop/i2: {import: pg, cluster: _x, ports: [sql:5432/TCP], endpoints: [{a: [10.50.0.1], hostname: pg-0}]}
`,
    { zones: ['cluster.local', 'clusterset.local'], multiclusterZones: ['clusterset.local'] },
  )
  assert.deepEqual(streamOf(index, 'clusterset.local').slice(3, -1), [
    'cart.shop.svc.clusterset.local. 5 IN A 172.31.0.10',
    'cart.shop.svc.clusterset.local. 5 IN SRV 0 100 80 cart.shop.svc.clusterset.local.',
    '_web._tcp.cart.shop.svc.clusterset.local. 5 IN SRV 0 100 80 cart.shop.svc.clusterset.local.',
    'pg.shop.svc.clusterset.local. 5 IN A 10.40.0.1',
    'pg-0.east.pg.shop.svc.clusterset.local. 5 IN A 10.40.0.1',
    '_sql._tcp.pg.shop.svc.clusterset.local. 5 IN SRV 0 100 5432 pg-0.east.pg.shop.svc.clusterset.local.',
  ])
  assert.deepEqual(streamOf(index).slice(3, -1), [])
})

test('external zones', () => {
  const index = indexOf(
    `
namespaces: [shop, db, dns]
services:
  shop/front: {type: LoadBalancer, clusterIPs: [172.30.4.50], external: [203.0.113.50], ports: [https:443/TCP]}
  shop/alias: {type: LoadBalancer, clusterIPs: [172.30.4.51], external: [lb.example.org], ports: [https:443/TCP]}
  shop/inner: {clusterIPs: [172.30.4.53], ports: [https:443/TCP]}
  dns/ns1:    {clusterIPs: [172.30.4.54], external: [203.0.113.51]}
  db/pg:      {clusterIPs: None}
slices:
  db/pg-1: {for: pg, ports: [sql:5432/TCP], endpoints: [{a: [10.129.0.11], hostname: pg-0}]}
`,
    { external: { zones: ['out.example', '113.0.203.in-addr.arpa'], apex: 'dns', ttl: 400, headless: true } },
  )
  assert.deepEqual(streamOf(index, 'out.example.'), [
    'out.example. 400 IN SOA ns1.dns.out.example. hostmaster.dns.out.example. SERIAL 7200 1800 86400 400',
    'out.example. 400 IN NS ns1.dns.out.example.',
    'ns1.dns.out.example. 400 IN A 10.130.0.2',
    'alias.shop.out.example. 400 IN CNAME lb.example.org.',
    '_https._tcp.alias.shop.out.example. 400 IN SRV 0 100 443 lb.example.org.',
    'front.shop.out.example. 400 IN A 203.0.113.50',
    'front.shop.out.example. 400 IN SRV 0 100 443 front.shop.out.example.',
    '_https._tcp.front.shop.out.example. 400 IN SRV 0 100 443 front.shop.out.example.',
    'pg.db.out.example. 400 IN A 10.129.0.11',
    'pg-0.pg.db.out.example. 400 IN A 10.129.0.11',
    '_sql._tcp.pg.db.out.example. 400 IN SRV 0 100 5432 pg-0.pg.db.out.example.',
    'out.example. 400 IN SOA ns1.dns.out.example. hostmaster.dns.out.example. SERIAL 7200 1800 86400 400',
  ])
  assert.equal(index.transfer('113.0.203.in-addr.arpa'), null)
})

test('what is no zone, or one of addresses, is not transferred', () => {
  const index = indexOf(REFERENCE)
  for (const zone of ['svc.cluster.local', 'local', '.', 'in-addr.arpa', 'other.example']) {
    assert.equal(index.transfer(zone), null, zone)
  }
})

test('a transfer is of one moment, however slowly it is read', () => {
  const index = indexOf(REFERENCE)
  const expected = Array.from(index.transfer('cluster.local')!)
  const slow = index.transfer('cluster.local')!
  const first = slow.next().value
  index.state.setNamespace('shop', false)
  index.state.set('services', 'edge', 'partner', '')
  index.state.set('services', 'edge', 'aaa', packService(fixture(REFERENCE).services[0]))
  index.flush((SERIAL + 7) * 1000)
  assert.deepEqual([first, ...slow], expected)
  assert.notDeepEqual(Array.from(index.transfer('cluster.local')!), expected)
})

/** `owner: data` of all records but SOA and NS, without weights. */
function dataOf(records: Iterable<ResourceRecord>, zone: string): Set<string> {
  const all = new Set<string>()
  for (const record of records) {
    if (record.type === 6 || record.type === 2) continue
    const text = rdataText(record).replace(/^SRV 0 \d+/, 'SRV')
    all.add(`${record.owner.replace(`.${zone}.`, '')}: ${text}`)
  }
  return all
}

/** What answers say, and a transfer is to say. */
function expectedOf(owners: readonly OwnerRecords[], isHeadless: boolean, zone: string): string[] {
  return owners.flatMap(({ owner, addresses, srv, cname }) => {
    const isPort = owner[0].startsWith('_')
    const name = owner.join('.')
    const own = addresses.map((address) => `${name}: ${address.includes(':') ? 'AAAA' : 'A'} ${address}`)
    const services = srv.map(({ port, target }) => {
      return `${name}: SRV ${port} ${typeof target === 'string' ? target : `${target.join('.')}.${zone}`}.`
    })
    const alias = cname === '' ? [] : [`${name}: CNAME ${cname.toLowerCase()}.`]
    if (isPort) return services
    return [...own, ...alias, ...(isHeadless || cname !== '' ? [] : services)]
  })
}

for (const [i, options] of SCHEMAS.entries()) {
  test(`what is sent is what is answered, schema ${i} (seed ${SEED})`, (t) => {
    const { schema, external } = options
    const plain = { ...schema, okd: null, ignoreEmptyService: false }
    let most = 0
    const property = fc.property(
      fc.array(anyChange, { minLength: 10, maxLength: 60, size: 'max' }),
      (changes: readonly Change[]) => {
        // Without addresses no name server is in the way.
        const { index } = openIndex({ ...options, listenAddresses: [] }, 2 ** 18)
        for (const change of changes) apply(index.state, change)
        index.flush(1000)
        const { state } = index
        const { services, imports } = unpackAll(state)
        const slicesOf = ({ namespace, name }: Pick<Service, 'namespace' | 'name'>): EndpointSlice[] =>
          unpackSlices(namespace, state.slicesOf(`${namespace}/${name}`))
        const shown = [...services.values()].filter(({ namespace }) => state.isExposed(namespace))
        // With OKD names the labels differ: schema.test.ts has those.
        if (schema.okd === null) {
          const inside = shown.flatMap((service) => {
            const isHeadless = service.kind === 'Headless'
            const owners = serviceRecords(service, slicesOf(service), plain)
            const sent = isHeadless ? owners : owners.filter(({ owner }) => owner.length !== 4)
            return expectedOf(sent, isHeadless, 'cluster.local')
          })
          assert.deepEqual(dataOf(index.transfer('cluster.local')!, 'cluster.local'), new Set(inside))
          most = Math.max(most, inside.length)
        }
        const importedHere = [...imports.values()].filter(({ namespace }) => state.isExposed(namespace))
        const imported = importedHere.flatMap((each) => {
          const isHeadless = each.kind === 'Headless'
          const slices = unpackSlices(each.namespace, state.slicesOfImport(`${each.namespace}/${each.name}`))
          const owners = importRecords(each, slices, plain)
          const sent = isHeadless
            ? owners
            : owners.filter(({ owner }) => owner.length !== 5 || owner[0].startsWith('_'))
          return expectedOf(sent, isHeadless, 'clusterset.local')
        })
        assert.deepEqual(dataOf(index.transfer('clusterset.local')!, 'clusterset.local'), new Set(imported))
        if (!external) return
        const outside = shown.flatMap((service) => {
          const isReached = service.externalAddresses.length > 0
          if (!isReached && service.kind !== 'Headless') return []
          const options = { apex: [external.apex], headless: external.headless, labels: schema }
          return expectedOf(externalRecords(service, slicesOf(service), options), !isReached, 'out.example')
        })
        assert.deepEqual(dataOf(index.transfer('out.example')!, 'out.example'), new Set(outside))
      },
    )
    fc.assert(property, { seed: SEED, numRuns: RUNS })
    t.diagnostic(`up to ${most} records`)
    assert.ok(schema.okd !== null || most > 20)
  })
}
