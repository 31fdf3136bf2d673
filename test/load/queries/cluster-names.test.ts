// The names of known clusters: none that the server does not have, and none left out of those it makes.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { reverseName } from '../../../src/kube/address.ts'
import type { ClusterObjects } from '../../../src/kube/objects.ts'
import type { SchemaOptions } from '../../../src/kube/schema.ts'
import { ClusterNames } from '../../../src/load/queries/cluster-names.ts'
import { NAME_KINDS, type NameKind } from '../../../src/load/queries/name-pool.ts'
import { encodeQuery } from '../../../src/load/queries/wire-query.ts'
import { allClaims, type Fixture, fixture, OKD, PLAIN, zoneOwners } from '../../kube/schema-fixture.ts'
import { anyCluster } from './any-cluster.ts'
import { objectsOf, RealAnswers } from './real-answers.ts'

const ZONE = 'cluster.local'

const SMALL = fixture(`
namespaces: [default, shop, db]
services:
  shop/cart:    {clusterIPs: [10.96.0.10, "fd00::10"], ports: [web:80/TCP, "-:9/TCP", dns:53/UDP]}
  shop/idle:    {clusterIPs: [10.96.0.12]}
  shop/odd:     {clusterIPs: [nonsense], ports: [web:80/TCP]}
  shop/pending: {pending: true}
  shop/partner: {type: ExternalName, externalName: api.partner.example, ports: [https:443/TCP]}
  shop/literal: {type: ExternalName, externalName: 192.0.2.77}
  db/pg:        {clusterIPs: None, ports: [none:1/TCP]}
  db/empty:     {clusterIPs: None}
  gone/web:     {clusterIPs: [10.96.0.13], ports: [web:80/TCP]}
slices:
  shop/cart-x: {for: cart, ports: [web:8080/TCP], endpoints: [{a: [10.0.1.5], hostname: blue}, {a: [10.0.1.6], pod: cart-abcde}]}
  shop/partner-x: {for: partner, ports: [web:8080/TCP], endpoints: [{a: [10.0.9.1]}]}
  db/pg-4: {for: pg, ports: [sql:5432/TCP], endpoints: [{a: [10.0.0.11], hostname: PG-0}, {a: [10.0.0.12], ready: false}, {a: [nonsense], hostname: odd}]}
  db/pg-6: {for: pg, ports: [mon:9187/TCP], endpoints: [{a: ["fd00:10::11"]}]}
  db/orphan-x: {for: orphan, ports: [sql:5432/TCP], endpoints: [{a: [10.0.9.9]}]}
  gone/web-x: {for: web, endpoints: [{a: [10.0.9.8]}]}
pods:
  shop/a: {ip: 10.0.2.8}
  gone/b: {ip: 10.0.2.9}
`)

function namesOf(pool: ClusterNames, kind: NameKind): string[] {
  return [...new Set(Array.from({ length: pool.count(kind) }, (_, index) => pool.name(kind, index)))].sort()
}

test('the names of each kind', () => {
  const cases: [kind: NameKind, names: string[]][] = [
    ['service', ['cart.shop.svc', 'idle.shop.svc', 'pg.db.svc']], // not those without cluster IP or ready endpoint
    ['external', ['partner.shop.svc']], // an address is no name
    ['hostname', ['blue.cart.shop.svc', 'pg-0.pg.db.svc']],
    ['endpoint', ['10-0-1-6.cart.shop.svc', 'fd00-10--11.pg.db.svc']],
    ['pod', ['10-0-2-8.shop.pod']],
    ['namespace', ['db.svc', 'default.svc', 'shop.svc']],
    ['port', ['_dns._udp.cart.shop.svc', '_mon._tcp.pg.db.svc', '_sql._tcp.pg.db.svc', '_web._tcp.cart.shop.svc']],
    [
      'address',
      ['10.96.0.10', '10.96.0.12', 'fd00::10', '10.0.1.5', '10.0.1.6', '10.0.0.11', 'fd00:10::11']
        .map((address) => reverseName(address).join('.'))
        .sort(),
    ],
  ]
  const pool = new ClusterNames(objectsOf(SMALL), ZONE, 'insecure', '')
  for (const [kind, names] of cases) assert.deepEqual(namesOf(pool, kind), names, kind)
  assert.equal(new ClusterNames(objectsOf(SMALL), ZONE, 'disabled', '').count('pod'), 0)
  const withoutPods = { ...objectsOf(SMALL), pods: new Map() }
  // Any address has a name then: endpoints stand in for Pods.
  assert.deepEqual(namesOf(new ClusterNames(withoutPods, ZONE, 'insecure', ''), 'pod'), [
    '10-0-1-6.shop.pod',
    'fd00-10--11.db.pod',
  ])
  assert.equal(new ClusterNames(withoutPods, ZONE, 'verified', '').count('pod'), 0)
})

function fixtureOf({ namespaces, services, slices, pods, imports }: ClusterObjects): Fixture {
  return {
    namespaces: [...namespaces],
    services: [...services.values()],
    slices: [...slices.values()],
    imports: [...imports.values()],
    pods: [...pods.values()].map((pod) => ({ ...pod, addresses: [...pod.addresses] })),
  }
}

test('all names that the schema makes are there', () => {
  fc.assert(
    fc.property(anyCluster, (objects) => {
      const pool = new ClusterNames(objects, ZONE, 'disabled', '')
      const owners = zoneOwners(fixtureOf(objects), PLAIN)
        .filter(({ addresses, srv, cname }) => addresses.length + srv.length > 0 || cname !== '')
        .map(({ owner }) => owner.join('.'))
      const pooled = (['service', 'external', 'hostname', 'endpoint', 'port'] as const).flatMap((kind) =>
        namesOf(pool, kind),
      )
      assert.deepEqual([...new Set(pooled)].sort(), [...new Set(owners)].sort())
      const claimed = allClaims(fixtureOf(objects), PLAIN).map(({ address }) => reverseName(address).join('.'))
      assert.deepEqual(namesOf(pool, 'address'), [...new Set(claimed)].sort())
    }),
  )
})

test('the server has all names that are there, and no others than those that may exist', () => {
  const schemas: Partial<SchemaOptions>[] = [
    { pods: 'disabled' },
    { pods: 'insecure' },
    { pods: 'verified' },
    { pods: 'verified', okd: OKD.okd },
    { pods: 'insecure', okd: { wildcard: true, shortNames: true, openshiftAlias: true } },
  ]
  const anyName = fc
    .array(
      fc.constantFrom(
        'web',
        'shop',
        'svc',
        'pod',
        'com',
        'example',
        'endpoints',
        'dns',
        'ns',
        '10-0-0-1',
        '_http',
        '_tcp',
        'local',
      ),
      {
        minLength: 1,
        maxLength: 6,
      },
    )
    .map((labels) => labels.join('.'))
  const seen = new Set<string>()
  fc.assert(
    fc.property(
      anyCluster,
      fc.constantFrom(...schemas),
      fc.array(anyName, { maxLength: 30 }),
      (objects, schema, others) => {
        const answers = new RealAnswers(objects, schema)
        const pool = new ClusterNames(objects, ZONE, schema.pods!, '')
        for (const kind of NAME_KINDS) {
          for (const name of namesOf(pool, kind)) {
            const whole = kind === 'address' ? name : `${name}.${ZONE}`
            // Where OKD's names are served, a CNAME to a name that is gone is NXDOMAIN, as OKD 3.11 has it.
            const isChain = kind === 'external' && schema.okd !== undefined
            const type = kind === 'address' ? 'PTR' : kind === 'port' ? 'SRV' : isChain ? 'CNAME' : 'AAAA'
            const { rcode, answer } = answers.answer(encodeQuery(whole, type))
            assert.equal(rcode, 0, `${kind} ${name}`)
            if (type !== 'AAAA') assert.ok(answer.length > 0, `${kind} ${name}`)
            if (kind !== 'address') assert.ok(pool.mayExist(name), name)
            seen.add(kind)
          }
        }
        for (const name of others) {
          if (pool.mayExist(name)) continue
          assert.equal(answers.rcode(encodeQuery(`${name}.${ZONE}`, 'A')), 'NXDOMAIN', name)
          seen.add('none')
        }
      },
    ),
    { numRuns: 150 },
  )
  assert.deepEqual([...seen].sort(), [...NAME_KINDS, 'none'].sort(), 'every kind came up')
})
