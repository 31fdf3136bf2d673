// The one door: each source makes a table and says what it is; what is wrong with the input is one line.

import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import {
  clusterOfSize,
  DEFAULT_MIX,
  type MixOptions,
  makeQueries,
  type QuerySource,
} from '../../../src/load/queries/query-source.ts'
import { fixture } from '../../kube/schema-fixture.ts'
import { objectsOf, queriesOf, textOf } from './real-answers.ts'

const FOLDER = mkdtempSync(join(tmpdir(), 'peregrine-source-'))
after(() => rmSync(FOLDER, { recursive: true }))

const SMALL = objectsOf(
  fixture('{namespaces: [shop], services: {shop/web: {clusterIPs: [10.96.0.1], ports: [http:80/TCP]}}}'),
)
const CLUSTER: QuerySource = {
  kind: 'cluster',
  objects: SMALL,
  zone: 'k8s.example.',
  pods: 'disabled',
  label: 'the shop',
}

test('a file is sent as it is', () => {
  const path = join(FOLDER, 'queries.txt')
  writeFileSync(path, 'web.shop.svc.cluster.local A\nmail MX\n')
  const { table, description } = makeQueries({ kind: 'file', path }, { ...DEFAULT_MIX, count: 1000 })
  assert.deepEqual(textOf(table), ['web.shop.svc.cluster.local A', 'mail MX'])
  assert.equal(description, `2 queries (50.0 % A, 50.0 % MX) from ${path}`)
  const changed: MixOptions = { ...DEFAULT_MIX, edns: { udpSize: 1232, dnssecOk: false }, caseRandomisation: true }
  const [first] = queriesOf(makeQueries({ kind: 'file', path }, changed).table)
  assert.equal(first.message[11], 1, 'OPT')
  assert.match(Buffer.from(first.message).toString('latin1'), /[A-Z]/)
  const names = join(FOLDER, 'names.txt')
  writeFileSync(names, 'web\n')
  assert.deepEqual(textOf(makeQueries({ kind: 'file', path: names, search: ['z'] }, DEFAULT_MIX).table), [
    'web.z A',
    '+ web.z AAAA',
    'web A',
    '+ web AAAA',
  ])
})

test('a known cluster and a made-up one', () => {
  const known = makeQueries(CLUSTER, { ...DEFAULT_MIX, count: 3000 })
  assert.match(known.description, /^3,000 queries drawn from the shop, zone k8s\.example, seed 1: /)
  const names = new Set(textOf(known.table))
  for (const query of [
    'web.shop.svc.k8s.example A',
    '_http._tcp.web.shop.svc.k8s.example SRV',
    '1.0.96.10.in-addr.arpa PTR',
  ]) {
    assert.ok(names.has(query), query)
  }
  // Examples inside of the zone are left out.
  const inside = makeQueries({ ...CLUSTER, zone: 'pay.example' }, { ...DEFAULT_MIX, count: 3000 })
  assert.ok(textOf(inside.table).every((query) => !/^(?:\+ )?[a-z0-9]+\.pay\.example /.test(query)))
  const size = clusterOfSize(20, 30)
  const madeUp = makeQueries(
    { kind: 'synthetic', size, zone: 'Other.Zone', pods: 'insecure' },
    { ...DEFAULT_MIX, count: 20_000 },
  )
  assert.match(madeUp.description, /a made-up cluster of 20 Services and 30 endpoints, zone other\.zone, /)
  assert.ok(textOf(madeUp.table).some((query) => /^10-128-\S+\.pod\.other\.zone A$/.test(query)))
  assert.match(
    makeQueries({ kind: 'synthetic', size }, { ...DEFAULT_MIX, count: 10 }).description,
    /zone cluster\.local/,
  )
})

test('input that makes no sense is told', () => {
  const empty = { ...SMALL, namespaces: new Set<string>() }
  const long = Array.from({ length: 4 }, () => 'x'.repeat(60)).join('.')
  const cases: [source: QuerySource, options: Partial<MixOptions>, message: RegExp][] = [
    [{ kind: 'file', path: join(FOLDER, 'none') }, {}, /none: no such file$/],
    [{ ...CLUSTER, objects: empty }, {}, /^the shop: no names$/],
    [{ ...CLUSTER, zone: 'a..b' }, {}, /^name 'a\.\.b' has an empty label$/],
    [{ ...CLUSTER, zone: '.' }, {}, /^zone '\.': names of a cluster are not at the root$/],
    [{ ...CLUSTER, zone: long }, {}, /is over 255 octets$/],
    [CLUSTER, { count: 0 }, /^count 0/],
  ]
  for (const [source, options, message] of cases) {
    assert.throws(() => makeQueries(source, { ...DEFAULT_MIX, ...options }), { code: 'BAD_LOAD_INPUT', message })
  }
})
