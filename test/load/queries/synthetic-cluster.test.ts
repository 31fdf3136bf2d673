// The cluster of a size: the same octets as ever for the sizes that were measured, the same cluster in all its forms for any other.

import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import fc from 'fast-check'
import { rcodeName } from '../../../src/dns/rcodes.ts'
import { rdataText } from '../../../src/dns/record-text.ts'
import { typeNumber } from '../../../src/dns/record-types.ts'
import { loadManifests } from '../../../src/kube/manifests.ts'
import type { ClusterObjects } from '../../../src/kube/objects.ts'
import { ClusterNames } from '../../../src/load/queries/cluster-names.ts'
import { NAME_KINDS, type NamePool } from '../../../src/load/queries/name-pool.ts'
import {
  type ClusterSize,
  clusterOfSize,
  ENDPOINTS_MAX,
  firstEndpoint,
  SERVICES_MAX,
  SIZES,
  serviceModel,
  serviceOfEndpoint,
  writeManifests,
  writeZone,
} from '../../../src/load/queries/synthetic-cluster.ts'
import { SyntheticNames } from '../../../src/load/queries/synthetic-names.ts'
import { encodeQuery } from '../../../src/load/queries/wire-query.ts'
import { RealAnswers } from './real-answers.ts'

const FOLDER = mkdtempSync(join(tmpdir(), 'peregrine-cluster-'))
after(() => rmSync(FOLDER, { recursive: true }))

const anySize: fc.Arbitrary<ClusterSize> = fc
  .record({ services: fc.integer({ min: 1, max: 40 }), endpoints: fc.nat({ max: 120 }), spread: fc.nat() })
  .map(({ services, endpoints, spread }) => ({
    label: 'any',
    services,
    endpoints,
    namespaces: 1 + (spread % services),
  }))

let folders = 0
async function loaded(size: ClusterSize): Promise<ClusterObjects> {
  const { objects, problems, warnings } = await loadManifests([writeManifests(size, join(FOLDER, String(folders++)))])
  assert.deepEqual(problems, [])
  assert.deepEqual(warnings, [])
  return objects
}

function sha256(...paths: string[]): string {
  const hash = createHash('sha256')
  for (const path of paths) hash.update(readFileSync(path))
  return hash.digest('hex')
}

test('a measured size is written as it was when it was measured', () => {
  const folder = writeManifests(SIZES[0], join(FOLDER, 'measured'))
  const files = readdirSync(folder).map((name) => join(folder, name))
  assert.equal(sha256(...files), '2475efcb918283691dc01ae3a45b79542ee3cdfec55cd25aa4a319eb78911c2a')
  const zone = writeZone(SIZES[0], join(FOLDER, 'measured.zone'))
  assert.equal(sha256(zone), '012f9a10364e87a2a58d95abb618816e90cfb1a575d7a003f94b97df5694d929')
})

test('endpoints are dealt over the Services, all of them and evenly', () => {
  fc.assert(
    fc.property(anySize, (size) => {
      const counts = Array.from({ length: size.services }, (_, index) => serviceModel(size, index).endpoints.length)
      assert.equal(
        counts.reduce((sum, count) => sum + count, 0),
        size.endpoints,
      )
      assert.ok(Math.max(...counts) - Math.min(...counts) <= 1, 'evenly')
      counts.forEach((count, index) => {
        const first = firstEndpoint(size, index)
        for (let number = first; number < first + count; number++) assert.equal(serviceOfEndpoint(size, number), index)
      })
      const addresses = Array.from({ length: size.services }, (_, index) => serviceModel(size, index)).flatMap(
        ({ clusterIps, endpoints }) => [
          ...clusterIps,
          ...endpoints.flatMap(({ ipv4, ipv6 }) => [ipv4, ipv6].filter((text) => text !== '')),
        ],
      )
      assert.equal(new Set(addresses).size, addresses.length, 'each address once')
    }),
  )
})

/** All names of a pool, each once. */
function namesOf(pool: NamePool): Record<string, string[]> {
  const names = NAME_KINDS.map((kind) => [
    kind,
    [...new Set(Array.from({ length: pool.count(kind) }, (_, index) => pool.name(kind, index)))].sort(),
  ])
  const namespaces = Array.from({ length: pool.namespaceCount }, (_, index) => pool.namespace(index))
  return { ...Object.fromEntries(names), namespaces: namespaces.sort() }
}

test('its names are those of its manifests', async () => {
  const sizes = fc.sample(anySize, { numRuns: 40, seed: 6 })
  sizes.push(
    { label: '', services: 1, endpoints: 0, namespaces: 1 },
    { label: '', services: 1, endpoints: 1, namespaces: 1 },
  )
  sizes.push(
    { label: '', services: 9, endpoints: 3, namespaces: 2 },
    { label: '', services: 2, endpoints: 450, namespaces: 1 },
  )
  for (const size of sizes) {
    const synthetic = new SyntheticNames(size, 'cluster.local', 'insecure')
    const read = new ClusterNames(await loaded(size), 'cluster.local', 'insecure', '')
    const made = namesOf(synthetic)
    const found = namesOf(read)
    // Without Pods in the manifests, those of hostnames are not told from others.
    assert.deepEqual({ ...made, pod: [] }, { ...found, pod: [] }, JSON.stringify(size))
    assert.ok(
      found.pod.every((name) => made.pod.includes(name)),
      'Pods',
    )
    assert.equal(made.pod.length, size.endpoints)
    for (const kind of NAME_KINDS) {
      if (kind === 'address') continue
      for (const name of made[kind]) assert.ok(synthetic.mayExist(name), name)
    }
  }
})

test('a name that nobody has may not exist', () => {
  const pool = new SyntheticNames({ label: '', services: 20, endpoints: 40, namespaces: 3 })
  const cases: [name: string, mayExist: boolean][] = [
    ['svc', true],
    ['pod', true],
    ['cart-team-0.svc', true],
    ['search-team-3.svc', false], // three namespaces: 0 to 2
    ['checkout-team-0.svc', false],
    ['media-db-1.checkout-team-1.svc', false], // Service 1 is called otherwise
    ['www.example.com', false],
    ['www.example.com.svc', false],
    ['www.example.com.cart-team-0.svc', false],
    ['x.y.cart-team-0.pod', true],
    ['cart-team-0', true], // OKD's short names
    ['dns-version', true],
    ['ns.dns', true],
    ['cart-team-1e0.svc', false],
    ['', false],
  ]
  for (const [name, mayExist] of cases) assert.equal(pool.mayExist(name), mayExist, name)
  const first = pool.name('service', 0)
  assert.ok(pool.mayExist(first))
  assert.ok(pool.mayExist(`any.thing.below.${first}`))
  assert.ok(!pool.mayExist(first.replace('team-0', 'team-7')))
})

test('its zone file says what the server says of its manifests', async () => {
  for (const size of [
    { label: '', services: 10, endpoints: 23, namespaces: 3 },
    { label: '', services: 9, endpoints: 4, namespaces: 1 },
    { label: '', services: 1, endpoints: 130, namespaces: 1 },
  ]) {
    const answers = new RealAnswers(await loaded(size))
    const lines = readFileSync(writeZone(size, join(FOLDER, 'small.zone')), 'utf8').split('\n')
    const records = lines.flatMap((line) => {
      const [, owner, type, data] = /^(\S+\.svc) IN (A|AAAA|SRV) (.*)$/.exec(line) ?? []
      return owner === undefined ? [] : [{ question: `${owner}.cluster.local ${type}`, data }]
    })
    assert.ok(records.length > size.services + size.endpoints)
    for (const [question, group] of Map.groupBy(records, (record) => record.question)) {
      const [name, type] = question.split(' ')
      const message = answers.answer(encodeQuery(name, type))
      assert.equal(rcodeName(message.rcode), 'NOERROR', question)
      const got = message.answer.map(({ rdata }) =>
        rdataText(typeNumber(type), rdata).replace(/\.cluster\.local\.$/, ''),
      )
      assert.deepEqual(got.sort(), group.map(({ data }) => data).sort(), question)
    }
  }
})

test('sizes have limits', () => {
  assert.deepEqual(clusterOfSize(250, 0), {
    label: '250 Services, 0 endpoints',
    services: 250,
    endpoints: 0,
    namespaces: 3,
  })
  assert.equal(clusterOfSize(SERVICES_MAX, ENDPOINTS_MAX).namespaces, 10_000)
  const cases: [services: number, endpoints: number, message: RegExp][] = [
    [0, 1, /^a cluster of 0 Services: 1 to 1000000 can be made up$/],
    [SERVICES_MAX + 1, 1, /Services/],
    [1.5, 1, /Services/],
    [1, -1, /-1 endpoints/],
    [1, ENDPOINTS_MAX + 1, /endpoints/],
    [1, Number.NaN, /endpoints/],
  ]
  for (const [services, endpoints, message] of cases) {
    assert.throws(() => clusterOfSize(services, endpoints), { code: 'BAD_LOAD_INPUT', message })
  }
})
