// Names for clients outside of the cluster: the tables of the reference (§3.7, §5.11), the edges, and what the index makes of them.

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { REVERSE_ZONES } from '../../src/config/server-config.ts'
import { createRegion } from '../../src/index/layout.ts'
import { IndexWriter } from '../../src/index/writer.ts'
import { ClusterIndex, type ClusterIndexOptions } from '../../src/kube/cluster-index.ts'
import {
  type ExternalSchema,
  externalClaims,
  externalNameServer,
  externalNamespaceRecords,
  externalRecords,
} from '../../src/kube/external-schema.ts'
import { isReverseZone } from '../../src/kube/external-zones.ts'
import { hasExternalAddresses, packService } from '../../src/kube/packed.ts'
import type { OwnerRecords, ReverseClaim } from '../../src/kube/records.ts'
import { checkMemory, contentOf } from '../index/region-walk.ts'
import { anyChange, apply, type Change, LISTEN, openIndex, SCHEMAS, type TestIndex } from './cluster-changes.ts'
import { type Fixture, fixture, lines, PLAIN, query, reverseQuery, rows, slicesOf } from './schema-fixture.ts'

const SEED = Number(process.env.TEST_SEED ?? 20261122)
const RUNS = Number(process.env.TEST_RUNS ?? 100)
const ZONE = 'out.example'
const SCHEMA: ExternalSchema = { apex: ['dns'], headless: true, labels: PLAIN }

const REFERENCE = `
namespaces: [shop, db]
services:
  shop/front: {type: LoadBalancer, clusterIPs: [172.30.4.50], external: [203.0.113.50], ports: [https:443/TCP]}
  shop/inner: {clusterIPs: [172.30.4.53], ports: [https:443/TCP]}
  db/pg:      {clusterIPs: None}
slices:
  db/pg-1: {for: pg, ports: [sql:5432/TCP], endpoints: [{a: [10.129.0.11], hostname: pg-0}, {a: [10.129.0.12], hostname: pg-1}]}
`

function ownersOf(objects: Fixture, schema: ExternalSchema): OwnerRecords[] {
  const exposed = objects.services.filter(({ namespace }) => objects.namespaces.includes(namespace))
  return [
    ...objects.namespaces.flatMap((namespace) => externalNamespaceRecords(namespace, schema)),
    ...exposed.flatMap((service) => externalRecords(service, slicesOf(objects, service), schema)),
  ]
}

function claimsOf(objects: Fixture, schema: ExternalSchema): ReverseClaim[] {
  return objects.services.flatMap((service) => externalClaims(service, schema))
}

function check(yaml: string, table: string, schema = SCHEMA): void {
  const owners = ownersOf(fixture(yaml), schema)
  for (const { name, types, expected } of rows(table, ZONE)) {
    for (const type of types) assert.equal(query(owners, name, type, ZONE), expected, `${name} ${type}`)
  }
}

test('the table of the reference', () => {
  check(
    REFERENCE,
    `
front.shop.out.example. | A | NOERROR | A 203.0.113.50 | —
front.shop.out.example. | AAAA, TXT, CNAME, MX, PTR | NODATA | — | —
front.shop.out.example. | SRV | NOERROR | SRV 0 100 443 front.shop.out.example. | front.shop.out.example. A 203.0.113.50
_https._tcp.front.shop.out.example. | SRV | NOERROR | SRV 0 100 443 front.shop.out.example. | front.shop.out.example. A 203.0.113.50
_https._tcp.front.shop.out.example. | A | NOERROR | A 203.0.113.50 | —
_tcp.front.shop.out.example. | SRV | NODATA | — | —
_http._tcp.front.shop.out.example. | SRV | NXDOMAIN | — | —
inner.shop.out.example. | A | NXDOMAIN | — | —
gone.shop.out.example. | A | NXDOMAIN | — | —
shop.out.example. | A | NODATA | — | —
ghost.out.example. | A | NXDOMAIN | — | —
svc.out.example. | A | NXDOMAIN | — | —
dns-version.out.example. | TXT | NXDOMAIN | — | —
pg.db.out.example. | A | NOERROR | A 10.129.0.11; A 10.129.0.12 | —
pg-0.pg.db.out.example. | A | NOERROR | A 10.129.0.11 | —
_sql._tcp.pg.db.out.example. | SRV | NOERROR | SRV 0 50 5432 pg-0.pg.db.out.example.; SRV 0 50 5432 pg-1.pg.db.out.example. | pg-0.pg.db.out.example. A 10.129.0.11; pg-1.pg.db.out.example. A 10.129.0.12
ep.front.shop.out.example. | A | NXDOMAIN | — | —
`,
  )
  const claims = claimsOf(fixture(REFERENCE), SCHEMA)
  const answer = 'PTR front.shop.cluster.local.' // reverseQuery() has one zone only
  assert.equal(reverseQuery(claims, '50.113.0.203.in-addr.arpa'), answer)
  assert.equal(reverseQuery(claims, '51.113.0.203.in-addr.arpa'), 'NXDOMAIN')
  assert.equal(reverseQuery(claims, '50.4.30.172.in-addr.arpa'), 'NXDOMAIN')
})

test('without headless only external addresses count', () => {
  check(
    REFERENCE,
    `
front.shop.out.example. | A | NOERROR | A 203.0.113.50 | —
pg.db.out.example. | A | NXDOMAIN | — | —
pg-0.pg.db.out.example. | A | NXDOMAIN | — | —
db.out.example. | A | NODATA | — | —
`,
    { ...SCHEMA, headless: false },
  )
})

test('host names, several addresses, several ports', () => {
  const yaml = `
namespaces: [a]
services:
  a/host:   {clusterIPs: [10.0.0.1], external: [LB.example.org], ports: [web:80/TCP, "-:81/TCP"]}
  a/hosts:  {clusterIPs: [10.0.0.2], external: [b.example.org, a.example.org, B.example.org], ports: [web:80/TCP]}
  a/both:   {clusterIPs: [10.0.0.3], external: [lb.example.org, 192.0.2.1, "2001:DB8::1", "2001:db8:0::1"], ports: [web:80/TCP]}
  a/dns:    {clusterIPs: [10.0.0.4], external: [192.0.2.2], ports: [dns:53/UDP, dns-tcp:53/TCP]}
  a/bare:   {clusterIPs: [10.0.0.5], external: [192.0.2.3]}
  a/barer:  {clusterIPs: [10.0.0.6], external: [lb.example.org]}
  a/hl:     {clusterIPs: None, external: [192.0.2.4], ports: [web:80/TCP]}
  a/ext:    {type: ExternalName, externalName: api.example.org}
  a/extip:  {type: ExternalName, externalName: api.example.org, external: [192.0.2.5]}
  a/wait:   {pending: true, external: [192.0.2.6]}
  a/alone:  {clusterIPs: [10.0.0.7], ports: [web:80/TCP]}
slices:
  a/hl-1:    {for: hl, ports: [web:8080/TCP], endpoints: [{a: [10.1.0.1], hostname: h}]}
  a/ext-1:   {for: ext, ports: [web:8080/TCP], endpoints: [{a: [10.1.0.2], hostname: h}]}
  a/alone-1: {for: alone, ports: [web:8080/TCP], endpoints: [{a: [10.1.0.3], hostname: h}, {a: [10.1.0.4], ready: false}]}
  a/wait-1:  {for: wait, ports: [web:8080/TCP], endpoints: [{a: [10.1.0.5], hostname: h}]}
`
  const all = Map.groupBy(
    ownersOf(fixture(yaml), SCHEMA).flatMap((records) => lines(records, ZONE).map((text) => ({ records, text }))),
    ({ records }) => records.owner.at(-2) ?? '',
  )
  const of = (name: string): string[] => (all.get(name) ?? []).map(({ text }) => text)
  const target = (name: string): string => `${name}.a.out.example.`
  assert.deepEqual(of('bare'), ['bare.a A 192.0.2.3'])
  assert.deepEqual(of('barer'), ['barer.a CNAME lb.example.org.'])
  assert.deepEqual(of('dns').slice(0, 3), [
    'dns.a A 192.0.2.2',
    `dns.a SRV 0 50 53 ${target('dns')}`,
    `dns.a + ${target('dns')} A 192.0.2.2`,
  ])
  assert.deepEqual(of('both').slice(0, 6), [
    'both.a A 192.0.2.1',
    'both.a AAAA 2001:db8::1',
    `both.a SRV 0 33 80 ${target('both')}`,
    'both.a SRV 0 33 80 lb.example.org.',
    `both.a + ${target('both')} A 192.0.2.1`,
    `both.a + ${target('both')} AAAA 2001:db8::1`,
  ])
  assert.deepEqual(of('hl').slice(0, 1), ['hl.a A 192.0.2.4'])
  assert.ok(!of('hl').some((line) => line.includes('10.1.0.1')), 'endpoints only where there is nothing else')
  assert.deepEqual(of('ext'), [])
  assert.deepEqual(of('extip'), ['extip.a A 192.0.2.5'])
  assert.deepEqual(of('wait'), [])
  assert.deepEqual(of('alone'), [
    'h.alone.a A 10.1.0.3',
    'h.alone.a SRV 0 100 8080 h.alone.a.out.example.',
    'h.alone.a + h.alone.a.out.example. A 10.1.0.3',
  ])
  // A CNAME and SRV records side by side: which of them is asked for decides.
  const owners = ownersOf(fixture(yaml), SCHEMA)
  const at = (name: string): OwnerRecords => owners.find(({ owner }) => owner.join('.') === name)!
  assert.equal(at('host.a').cname, 'lb.example.org')
  assert.deepEqual(
    at('host.a').srv.map(({ port, target }) => [port, target]),
    [
      [80, 'lb.example.org'],
      [81, 'lb.example.org'],
    ],
  )
  assert.equal(at('host.a').srvWeight, 50)
  assert.equal(at('_web._tcp.host.a').cname, 'lb.example.org')
  assert.deepEqual(
    at('hosts.a').srv.map(({ target }) => target),
    ['b.example.org', 'a.example.org'],
  )
  assert.equal(at('hosts.a').cname, 'b.example.org')
  const claims = claimsOf(fixture(yaml), SCHEMA)
  assert.deepEqual(claims.map(({ address, target }) => `${address} ${target.join('.')}`).sort(), [
    '192.0.2.1 both.a',
    '192.0.2.2 dns.a',
    '192.0.2.3 bare.a',
    '192.0.2.4 hl.a',
    '192.0.2.5 extip.a',
    '2001:db8::1 both.a',
  ])
})

test('the namespace that is named as the subtree of the name server is hidden', () => {
  const yaml = `
namespaces: [dns, a]
services:
  dns/ns1: {clusterIPs: [10.0.0.1], external: [192.0.2.1]}
  dns/x:   {clusterIPs: [10.0.0.2], external: [192.0.2.2]}
  a/dns:   {clusterIPs: [10.0.0.3], external: [192.0.2.3]}
`
  const objects = fixture(yaml)
  const textOf = (schema: ExternalSchema): string[] => ownersOf(objects, schema).flatMap((o) => lines(o, ZONE))
  assert.deepEqual(textOf(SCHEMA), ['a ENT', 'dns.a A 192.0.2.3'])
  assert.deepEqual(
    claimsOf(objects, SCHEMA).map(({ address }) => address),
    ['192.0.2.3'],
  )
  assert.equal(textOf({ ...SCHEMA, apex: ['of', 'b'] }).length, 5)
  assert.deepEqual(textOf({ ...SCHEMA, apex: ['x', 'a'] }), ['dns ENT', 'ns1.dns A 192.0.2.1', 'x.dns A 192.0.2.2'])
  assert.deepEqual(externalNameServer({ ...SCHEMA, apex: ['x', 'a'] }), ['ns1', 'x', 'a'])
})

test('which zones are of addresses', () => {
  for (const zone of ['in-addr.arpa', 'IP6.arpa', '10.in-addr.arpa']) assert.ok(isReverseZone(zone), zone)
  for (const zone of ['arpa', 'xin-addr.arpa', 'in-addr.arpa.example', 'home.arpa'])
    assert.ok(!isReverseZone(zone), zone)
})

test('a packed Service tells whether it has external addresses', () => {
  for (const service of fixture(REFERENCE).services) {
    assert.equal(hasExternalAddresses(packService(service)), service.externalAddresses.length > 0)
  }
})

describe('in the index', () => {
  const options: ClusterIndexOptions = {
    zones: ['cluster.local'],
    multiclusterZones: [],
    reverseZones: REVERSE_ZONES,
    ttl: 5,
    namespaces: null,
    schema: PLAIN,
    listenAddresses: LISTEN,
    external: { zones: [ZONE, 'in-addr.arpa'], apex: 'dns', ttl: 7, headless: true },
  }
  const [OUT, REVERSE] = ['3', '4'] // numbers of the zones: after cluster.local and the two reverse ones

  function indexOf(yaml: string, more: Partial<ClusterIndexOptions> = {}) {
    const writer = new IndexWriter(createRegion(2 ** 20), { readerCount: 1, poison: true })
    const index = new ClusterIndex(writer, { ...options, ...more })
    publish({ writer, index }, yaml)
    return { writer, index }
  }

  function publish({ index }: TestIndex, yaml: string): void {
    const { namespaces, services, slices } = fixture(yaml)
    const byKey = <T extends { namespace: string; name: string }>(all: readonly T[]): Map<string, T> =>
      new Map(all.map((object) => [`${object.namespace}/${object.name}`, object]))
    const objects = { services: byKey(services), slices: byKey(slices), pods: new Map(), imports: new Map() }
    index.replace({ namespaces: new Set(namespaces), ...objects })
    index.flush(1000)
  }

  /** Names of one zone, and what they hold. */
  function zone(test: { writer: IndexWriter }, number: string): Record<string, string> {
    const entries = Object.entries(contentOf(test.writer.region)).filter(([name]) => name.split('.').at(-1) === number)
    return Object.fromEntries(entries.map(([name, text]) => [name.split('.').slice(0, -1).join('.'), text]))
  }

  test('zones come after all others, in their order, with their own TTL', () => {
    const { index } = indexOf(REFERENCE)
    assert.deepEqual(
      index.zones.map(({ labels, ttl }) => `${labels.join('.')} ${ttl}`),
      ['cluster.local 5', 'in-addr.arpa 5', 'ip6.arpa 5', 'out.example 7', 'in-addr.arpa 7'],
    )
  })

  test('names, the name server, and addresses in a zone that the cluster has too', () => {
    const test = indexOf(REFERENCE)
    assert.deepEqual(Object.keys(zone(test, OUT)).sort(), [
      '',
      '_https._tcp.front.shop',
      '_sql._tcp.pg.db',
      '_tcp.front.shop',
      '_tcp.pg.db',
      'db',
      'dns',
      'front.shop',
      'ns1.dns',
      'pg-0.pg.db',
      'pg-1.pg.db',
      'pg.db',
      'shop',
    ])
    const reverse = zone(test, REVERSE)
    assert.match(reverse['50.113.0.203'], /front\.shop\.3/)
    assert.ok(!('50.4.30.172' in reverse), 'a cluster IP is no business of this zone')
    assert.match(reverse[''], /ns1\.dns\.3/, 'the name server of addresses is in the first zone')
    assert.match(zone(test, '1')['50.4.30.172'], /front\.shop\.svc\.0/)
  })

  test('the name server is the Service of this server, by its external addresses', () => {
    const own = (external: string): string => `
namespaces: [kube-system]
services:
  kube-system/kube-dns: {clusterIPs: [10.96.0.10], ${external} ports: [dns:53/UDP]}
slices:
  kube-system/kube-dns-1: {for: kube-dns, ports: [dns:53/UDP], endpoints: [{a: [${LISTEN[0]}]}]}
`
    const nameServer = (yaml: string): string => zone(indexOf(yaml), OUT)['ns1.dns']
    const listening = nameServer('namespaces: []')
    const outside = nameServer(own('external: [203.0.113.9, lb.example.org],'))
    const nowhere = nameServer(own(''))
    assert.equal(new Set([listening, outside, nowhere]).size, 3)
    assert.equal(zone(indexOf('namespaces: []', { listenAddresses: ['203.0.113.9'] }), OUT)['ns1.dns'], outside)
    assert.equal(zone(indexOf('namespaces: []', { listenAddresses: [] }), OUT)['ns1.dns'], nowhere)
    // It changes while the cluster's own name server stays.
    const test = indexOf(own('external: [203.0.113.8],'))
    publish(test, own('external: [203.0.113.9],'))
    assert.equal(zone(test, OUT)['ns1.dns'], outside)
    publish(test, 'namespaces: []')
    assert.equal(zone(test, OUT)['ns1.dns'], listening)
  })

  test('Services that share an address have a PTR each', () => {
    const test = indexOf(`
namespaces: [shop]
services:
  shop/a: {clusterIPs: [172.30.4.50], external: [203.0.113.50]}
  shop/b: {clusterIPs: [172.30.4.51], external: [203.0.113.50]}
`)
    assert.match(zone(test, REVERSE)['50.113.0.203'], /12x2 .*a\.shop\.3.*b\.shop\.3/)
  })

  test('a namespace named `pod` has no names of Pods here', () => {
    const yaml = 'namespaces: [pod]\nservices: {pod/x: {clusterIPs: [172.30.4.50], external: [203.0.113.50]}}'
    const test = indexOf(yaml, { schema: { ...PLAIN, pods: 'verified' } })
    assert.match(zone(test, OUT)['x.pod'], /^flags 0; 1x1 /)
  })

  test('a namespace that comes and goes takes its names along', () => {
    const test = indexOf(REFERENCE)
    const before = contentOf(test.writer.region)
    test.index.state.setNamespace('shop', false)
    test.index.flush(2000)
    const names = Object.keys(zone(test, OUT))
    assert.ok(!names.some((name) => name.endsWith('shop')), names.join())
    assert.ok(!('50.113.0.203' in zone(test, REVERSE)))
    test.index.state.setNamespace('shop', true)
    test.index.flush(3000)
    assert.deepEqual(contentOf(test.writer.region), before)
  })

  test('without external zones external addresses leave no trace', () => {
    const bare = REFERENCE.replace(' external: [203.0.113.50],', '')
    assert.notEqual(bare, REFERENCE)
    const [with_, without] = [REFERENCE, bare].map((yaml) => indexOf(yaml, { external: null }))
    assert.deepEqual(contentOf(with_.writer.region), contentOf(without.writer.region))
    assert.equal(with_.writer.stats.liveBytes, without.writer.stats.liveBytes)
  })

  test('a Service that cannot be reached costs nothing beside one that is not there', () => {
    const inner = (services: string): string => `namespaces: [shop]\nservices: {${services}}`
    const external = { zones: [ZONE, 'in-addr.arpa'], apex: 'dns', ttl: 7, headless: false }
    const [none, one] = ['', 'shop/inner: {clusterIPs: [172.30.4.53], ports: [https:443/TCP]}'].map((services) =>
      zone(indexOf(inner(services), { external }), OUT),
    )
    assert.deepEqual(one, none)
  })

  for (const schema of SCHEMAS.filter(({ external }) => external)) {
    test(`a change at a time makes what all at once makes, headless ${schema.external?.headless} (seed ${SEED})`, (t) => {
      let names = 0
      const property = fc.property(
        fc.array(anyChange, { minLength: 10, maxLength: 60, size: 'max' }),
        (changes: readonly Change[]) => {
          const [single, atOnce] = [openIndex(schema, 2 ** 18), openIndex(schema, 2 ** 18)]
          for (const change of changes) {
            apply(single.index.state, change)
            single.index.flush(1000)
            apply(atOnce.index.state, change)
          }
          atOnce.index.flush(1000)
          assert.deepEqual(contentOf(single.writer.region), contentOf(atOnce.writer.region))
          checkMemory(single.writer)
          // 2 forward and 2 reverse zones are before them.
          for (const number of ['4', '5', '6', '7']) names = Math.max(names, Object.keys(zone(single, number)).length)
        },
      )
      fc.assert(property, { seed: SEED, numRuns: RUNS })
      t.diagnostic(`up to ${names} names in one external zone`)
      assert.ok(names > 15)
    })
  }
})
