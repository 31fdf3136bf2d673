// Metadata of names, in tables: `name: labels that are not empty`.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { kubernetesMetadata, type MetadataZone } from '../../src/plugins/kubernetes-metadata.ts'

const PLAIN: MetadataZone = { reverse: false, multicluster: false, zonal: false }
const ZONAL = { ...PLAIN, zonal: true }
const MULTICLUSTER = { ...PLAIN, multicluster: true }
const REVERSE = { ...PLAIN, reverse: true }
const ERROR = 'parse-error=invalid query name'

function metadata(name: string, zone: MetadataZone): Readonly<Record<string, string>> {
  return kubernetesMetadata(name === '' ? [] : name.split('.'), zone)
}

const CASES: [zone: MetadataZone, name: string, expected: string][] = [
  [PLAIN, '', ''],
  [PLAIN, 'svc', 'kind=svc'],
  [PLAIN, 'pod', 'kind=pod'],
  [PLAIN, 'shop.svc', 'kind=svc namespace=shop'],
  [PLAIN, 'cart.shop.svc', 'kind=svc namespace=shop service=cart'],
  [PLAIN, 'blue.cart.shop.svc', 'endpoint=blue kind=svc namespace=shop service=cart'],
  [PLAIN, '_web._tcp.cart.shop.svc', 'kind=svc namespace=shop port-name=web protocol=tcp service=cart'],
  [PLAIN, '_tcp.cart.shop.svc', 'kind=svc namespace=shop protocol=tcp service=cart'],
  [PLAIN, 'web.tcp.cart.shop.svc', ERROR],
  [PLAIN, '_web.tcp.cart.shop.svc', ERROR],
  [PLAIN, '_._tcp.cart.shop.svc', ERROR],
  [PLAIN, '_web._tcp.blue.cart.shop.svc', ERROR],
  [PLAIN, 'a.b.c.cart.shop.svc', ERROR],
  [PLAIN, 'shop.pod', 'kind=pod namespace=shop'],
  [PLAIN, '10-1-0-7.shop.pod', 'kind=pod namespace=shop'],
  [PLAIN, 'x.10-1-0-7.shop.pod', ERROR],
  [PLAIN, 'dns-version', ''],
  [PLAIN, 'ns.dns', ''],
  [PLAIN, 'dns', ''],
  [PLAIN, 'x.dns-version', ERROR],
  [PLAIN, 'x.ns.dns', ERROR],
  [PLAIN, 'foo', ERROR],
  [PLAIN, 'cart.shop', ERROR],
  [PLAIN, 'east.pin._zone.kv.db.svc', ERROR],
  [ZONAL, 'east.pin._zone.kv.db.svc', 'kind=svc namespace=db service=kv zone=east'],
  [ZONAL, 'dc.one.prefer._zone.kv.db.svc', 'kind=svc namespace=db service=kv zone=dc.one'],
  [ZONAL, 'east.nearby._zone.kv.db.svc', ERROR],
  [ZONAL, 'pin._zone.kv.db.svc', ERROR],
  [ZONAL, 'cart.shop.svc', 'kind=svc namespace=shop service=cart'],
  [MULTICLUSTER, 'pg-0.east.pg.shop.svc', 'cluster=east endpoint=pg-0 kind=svc namespace=shop service=pg'],
  [MULTICLUSTER, 'east.pg.shop.svc', 'cluster=east kind=svc namespace=shop service=pg'],
  [MULTICLUSTER, '_sql._tcp.pg.shop.svc', 'kind=svc namespace=shop port-name=sql protocol=tcp service=pg'],
  [MULTICLUSTER, '_sql.tcp.pg.shop.svc', ERROR],
  [MULTICLUSTER, 'a.b.c.pg.shop.svc', ERROR],
  [REVERSE, '', ''],
  [REVERSE, '10.4.30.172', ERROR],
  [REVERSE, 'svc', ERROR],
]

test('of names', () => {
  for (const [zone, name, expected] of CASES) {
    const filled = Object.entries(metadata(name, zone)).filter(([, value]) => value !== '')
    const text = filled.map(([label, value]) => `${label.replace(/^kubernetes\//, '')}=${value}`).sort()
    assert.equal(text.join(' '), expected, name)
  }
})

test('absent parts are there, and empty; cluster and zone only where they may be', () => {
  const always = ['endpoint', 'kind', 'namespace', 'port-name', 'protocol', 'service'].map((n) => `kubernetes/${n}`)
  assert.deepEqual(Object.keys(metadata('svc', PLAIN)), always)
  assert.deepEqual(Object.keys(metadata('svc', MULTICLUSTER)), [...always, 'kubernetes/cluster'])
  assert.deepEqual(Object.keys(metadata('svc', ZONAL)), [...always, 'kubernetes/zone'])
})

test('any name is one or the other', () => {
  const anyLabel = fc.constantFrom('svc', 'pod', '_zone', 'pin', '_tcp', '_', 'a', 'ns', 'dns', '*', 'a.b')
  const anyZone = fc.record({ reverse: fc.boolean(), multicluster: fc.boolean(), zonal: fc.boolean() })
  const property = fc.property(fc.array(anyLabel, { maxLength: 9 }), anyZone, (labels, zone) => {
    const found = kubernetesMetadata(labels, zone)
    const isError = 'kubernetes/parse-error' in found
    assert.equal(Object.keys(found).length === 1, isError)
    if (!isError && labels.length > 3) assert.equal(found['kubernetes/kind'], 'svc')
  })
  fc.assert(property)
})
