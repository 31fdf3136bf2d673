// Answers against the oracle, for generated clusters and every name in or near them; and rotation.
// PEREGRINE_SEED: the seed. PEREGRINE_RUNS: clusters (default 60).

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { reverseName } from '../../src/kube/address.ts'
import type { Endpoint, EndpointSlice, Port, Service } from '../../src/kube/objects.ts'
import type { Labels } from '../../src/kube/records.ts'
import type { SchemaOptions } from '../../src/kube/schema.ts'
import { type Fixture, OKD, PLAIN } from '../kube/schema-fixture.ts'
import { full, TestEngine } from './answer-engine.ts'
import { Oracle, outcomeOf } from './answer-oracle.ts'

const SEED = Number(process.env.PEREGRINE_SEED ?? Date.now() % 0x7fffffff)
const RUNS = Number(process.env.PEREGRINE_RUNS ?? 60)
const ZONE = ['cluster', 'local']
const TYPES = ['A', 'AAAA', 'SRV', 'CNAME', 'PTR', 'TXT', 'NS', 'SOA', 'MX', 'ANY']

const SCHEMAS: SchemaOptions[] = [
  PLAIN,
  { ...PLAIN, pods: 'insecure', ignoreEmptyService: true },
  { ...PLAIN, pods: 'verified', zonal: true },
  { ...OKD, pods: 'insecure' },
  { ...OKD, pods: 'verified', zonal: true, okd: { wildcard: true, shortNames: true, openshiftAlias: false } },
  { ...OKD, okd: { wildcard: false, shortNames: true, openshiftAlias: false } },
]

const anyPort: fc.Arbitrary<Port> = fc.record({
  name: fc.constantFrom('', 'http', 'sql'),
  protocol: fc.constantFrom('TCP', 'UDP'),
  port: fc.constantFrom(80, 443, 65535),
})
// Few addresses, so that Services share them.
const anyAddress = fc.constantFrom('10.0.0.1', '10.0.0.2', '10.0.1.1', 'fd00::1', 'FD00:0::2', 'fd00::a:0:0:1')
const anyEndpoint: fc.Arbitrary<Endpoint> = fc.record({
  address: anyAddress,
  hostname: fc.constantFrom('', '', 'e-0', 'e-1', 'web'),
  podName: fc.constantFrom('', 'p-1'),
  zone: fc.constantFrom('', 'eu-1', 'dc.eu'),
})
const names = ['web', 'db', 'api', 'x']
const namespaces = ['a', 'b', 'web']
const anyTarget = fc.oneof(
  fc
    .tuple(fc.constantFrom(...names), fc.constantFrom(...namespaces))
    .map(([name, ns]) => `${name}.${ns}.svc.cluster.local`),
  fc.constantFrom(
    'www.example.org',
    'X.web.a.svc.Cluster.local',
    '10-0-0-1.a.pod.cluster.local',
    'a.svc.cluster.local',
    '192.0.2.1',
  ),
)
const anyService: fc.Arbitrary<Service> = fc.record({
  namespace: fc.constantFrom(...namespaces, 'unknown'),
  name: fc.constantFrom(...names),
  kind: fc.constantFrom('ClusterIP', 'ClusterIP', 'Headless', 'Headless', 'ExternalName', 'ExternalName', 'Pending'),
  clusterIPs: fc.uniqueArray(anyAddress, { minLength: 1, maxLength: 2 }),
  externalName: anyTarget,
  ports: fc.array(anyPort, { maxLength: 3 }),
  externalAddresses: fc.constant([]),
  createdAt: fc.nat({ max: 2 }),
})
const anySlice: fc.Arbitrary<EndpointSlice> = fc.record({
  namespace: fc.constantFrom(...namespaces),
  name: fc.constantFrom('s-1', 's-2', 's-3', 's-4', 's-5'),
  serviceName: fc.constantFrom(...names),
  importName: fc.constant(''),
  cluster: fc.constant(''),
  ports: fc.array(anyPort, { maxLength: 2 }),
  endpoints: fc.array(anyEndpoint, { maxLength: 4 }),
  createdAt: fc.constant(0),
})
const keyOf = (object: { namespace: string; name: string }): string => `${object.namespace}/${object.name}`
const anyCluster: fc.Arbitrary<Fixture> = fc.record({
  namespaces: fc.constant(namespaces),
  services: fc.uniqueArray(anyService, { maxLength: 6, selector: keyOf }).map((services) => services.map(fitting)),
  slices: fc.uniqueArray(anySlice, { maxLength: 5, selector: keyOf }),
  imports: fc.constant([]),
  pods: fc.uniqueArray(
    fc.record({
      namespace: fc.constantFrom(...namespaces),
      name: fc.constantFrom('p-1', 'p-2'),
      addresses: fc.array(anyAddress, { minLength: 1, maxLength: 2 }),
    }),
    { maxLength: 3, selector: keyOf },
  ),
})

/** Only the fields that its kind has. */
function fitting(service: Service): Service {
  const { kind } = service
  return {
    ...service,
    clusterIPs: kind === 'ClusterIP' ? service.clusterIPs : [],
    externalName: kind === 'ExternalName' ? service.externalName : '',
  }
}

/** Names of a cluster, and names next to them. */
function namesAround(oracle: Oracle): Labels[] {
  const known = [
    ...oracle.owners.map(({ owner }) => [...owner, ...ZONE]),
    ...oracle.claims.map(({ address }) => reverseName(address)),
    ...namespaces.flatMap((ns) =>
      ['10-0-0-1', 'fd00--1', 'fd00-0-0-0-0-0-0-0001', 'nope'].map((label) => [label, ns, 'pod', ...ZONE]),
    ),
    ['in-addr', 'arpa'],
    ['ip6', 'arpa'],
    ['dns-version', 'in-addr', 'arpa'],
    ['local'],
    [],
  ]
  const around = new Map<string, Labels>()
  const add = (labels: Labels): unknown => around.set(labels.join('.'), labels)
  for (const labels of known) {
    for (let i = 0; i < labels.length; i++) add(labels.slice(i))
    for (const label of ['no', '_endpoints', '_tcp', '_no', '*', 'eu-1']) add([label, ...labels])
    add(['x', '_endpoints', ...labels])
    add(['_http', '_tcp', ...labels])
    add(['x', 'y', 'z', ...labels])
    add(['no', ...labels.slice(1)])
  }
  return [...around.values()]
}

/** The same name in another spelling, told by `salt`. */
function spelled(labels: Labels, salt: number): string[] {
  let state = salt
  return labels.map((label) =>
    label.replace(/[a-z]/g, (letter) => {
      state = (Math.imul(state, 1103515245) + 12345) | 0
      return state < 0 ? letter.toUpperCase() : letter
    }),
  )
}

test(`generated clusters (seed ${SEED})`, { timeout: 300_000 }, () => {
  const seen = new Map<string, number>()
  let salt = SEED
  const property = fc.property(anyCluster, fc.constantFrom(...SCHEMAS), (cluster, schema) => {
    const oracle = new Oracle(cluster, schema)
    const engine = new TestEngine(cluster, { schema })
    for (const labels of namesAround(oracle)) {
      const qname = spelled(labels, salt++)
      for (const type of TYPES) {
        const expected = oracle.expected(qname, type)
        const response = engine.ask({ name: qname, type }, true)
        const actual = outcomeOf(response)
        // Names in RDATA that are pointers have the spelling of the query: §2.5 asks for comparison without regard to case.
        if (type === 'NS') for (const outcome of [actual, expected]) outcome.answer = outcome.answer.map(upper)
        assert.deepEqual(actual, expected, `${qname.join('.')} ${type}`)
        assert.equal((response.flags & 0x0400) !== 0, expected.rcode !== 'REFUSED', 'AA')
        const kind = `${expected.rcode} ${expected.answer.length === 0 ? 'empty' : expected.answer[0].split(' ')[3]}`
        seen.set(kind, (seen.get(kind) ?? 0) + 1)
      }
    }
  })
  fc.assert(property, { numRuns: RUNS, seed: SEED, endOnFailure: true })
  for (const kind of ['A', 'AAAA', 'SRV', 'CNAME', 'PTR', 'TXT', 'NS', 'SOA', 'empty']) {
    assert.ok((seen.get(`NOERROR ${kind}`) ?? 0) > 20, `NOERROR ${kind}: ${seen.get(`NOERROR ${kind}`)}`)
  }
  for (const kind of ['NXDOMAIN empty', 'NXDOMAIN CNAME', 'REFUSED empty']) {
    assert.ok((seen.get(kind) ?? 0) > 20, `${kind}: ${seen.get(kind)}`)
  }
})

function upper(text: string): string {
  return text.toUpperCase()
}

test(`changes one after another: each state answers as if it were the first (seed ${SEED})`, {
  timeout: 300_000,
}, () => {
  const anyStates = fc.array(anyCluster, { minLength: 2, maxLength: 5 })
  const property = fc.property(anyStates, fc.constantFrom(...SCHEMAS), ([first, ...rest], schema) => {
    const engine = new TestEngine(first, { schema })
    let before = namesAround(new Oracle(first, schema))
    for (const cluster of rest) {
      engine.publish(cluster)
      const oracle = new Oracle(cluster, schema)
      const names = namesAround(oracle)
      // The names of the state before as well: nothing may be left of them.
      for (const qname of [...names, ...before]) {
        for (const type of ['A', 'SRV', 'PTR']) {
          const response = engine.ask({ name: qname, type }, true)
          assert.deepEqual(outcomeOf(response), oracle.expected(qname, type), `${qname} ${type}`)
        }
      }
      before = names
    }
  })
  fc.assert(property, { numRuns: Math.ceil(RUNS / 4), seed: SEED })
})

test('the PTR of a Service without a name of its own goes when the Service goes', () => {
  // The claim's target is not in the index (ignore empty_service), so that it cannot be found there when the claim is to be removed.
  const schema = { ...PLAIN, ignoreEmptyService: true }
  const engine = new TestEngine('{namespaces: [a], services: {a/idle: {clusterIPs: [10.0.0.1]}}}', { schema })
  const query = { name: '1.0.0.10.in-addr.arpa', type: 'PTR' }
  assert.deepEqual(
    engine.ask(query).answer.map(({ data }) => data),
    ['idle.a.svc.cluster.local.'],
  )
  engine.publish('{namespaces: [a]}')
  assert.equal(engine.ask(query).rcode, 'NXDOMAIN')
})

// biome-ignore format: one line a case
const underscored: [name: string, rcode: string][] = [
  ['_endpoints.idle.a~',         'NXDOMAIN'], // no endpoint is ready
  ['x._endpoints.idle.a~',       'NXDOMAIN'],
  ['x.y._endpoints.idle.a~',     'NXDOMAIN'],
  ['_x._endpoints.idle.a~',      'NXDOMAIN'],
  ['X._ENDPOINTS.idle.a~',       'NXDOMAIN'],
  ['_endpoints.x.idle.a~',       'NOERROR'],  // not next to the Service: a wildcard's name like any other
  ['_endpoint.x.idle.a~',        'NOERROR'],
  ['x._endpoint.idle.a~',        'NOERROR'],
  ['x._endpointss.idle.a~',      'NOERROR'],
  ['_nope._tcp.idle.a~',         'NXDOMAIN'],
  ['x._nope._tcp.idle.a~',       'NOERROR'],
  ['x.idle.a~',                  'NOERROR'],
  ['_x.idle.a~',                 'NXDOMAIN'],
  ['_a._b._c.idle.a~',           'NXDOMAIN'],
  ['_endpoints.ext.a~',          'NXDOMAIN'],
  ['x._endpoints.ext.a~',        'NXDOMAIN'],
  ['x._endpoints.busy.a~',       'NOERROR'],
  ['_x._y._endpoints.busy.a~',   'NOERROR'],
]

test('OKD wildcards and labels that begin with an underscore', () => {
  const engine = new TestEngine(
    `
namespaces: [a]
services:
  a/idle: {clusterIPs: [10.96.0.1], ports: [http:80/TCP]}
  a/busy: {clusterIPs: [10.96.0.2], ports: [http:80/TCP]}
  a/ext:  {type: ExternalName, externalName: www.example.org}
slices:
  a/idle-1: {for: idle, ports: [http:80/TCP], endpoints: [{a: [10.0.0.1], ready: false}]}
  a/busy-1: {for: busy, ports: [http:80/TCP], endpoints: [{a: [10.0.0.2]}]}`,
    { schema: OKD },
  )
  for (const [name, rcode] of underscored) assert.equal(engine.ask({ name: full(name), type: 'A' }).rcode, rcode, name)
})

test('rotation: each address comes first about equally often, whatever is asked in between', () => {
  const endpoints = (count: number): string =>
    Array.from({ length: count }, (_, i) => `{a: [10.0.0.${i}]}, {a: ["fd00::${i.toString(16)}"]}`).join(', ')
  const counts = [1, 2, 3, 7, 29]
  const engine = new TestEngine(`
namespaces: [a]
services: {${counts.map((count) => `a/s${count}: {clusterIPs: None}`).join(', ')}}
slices: {${counts.map((count) => `a/s${count}-1: {for: s${count}, endpoints: [${endpoints(count)}]}`).join(', ')}}`)
  const patterns = [['A'], ['A', 'AAAA'], ['A', 'A', 'AAAA'], ['A', 'AAAA', 'SRV', 'TXT']]
  for (const count of counts) {
    for (const pattern of patterns) {
      const firsts = new Map<string, number>()
      const rounds = 40 * count
      for (let round = 0; round < rounds; round++) {
        for (const [i, type] of pattern.entries()) {
          const { answer } = engine.ask({ name: full(`s${count}.a~`), type }, true)
          if (i > 0) continue
          assert.equal(new Set(answer.map(({ data }) => data)).size, count, 'all of them, once')
          firsts.set(answer[0].data, (firsts.get(answer[0].data) ?? 0) + 1)
        }
      }
      const shares = [...firsts.values()]
      assert.equal(shares.length, count, `${pattern}: every one of ${count} comes first`)
      assert.ok(Math.min(...shares) >= 30 && Math.max(...shares) <= 50, `${count} of ${pattern}: ${shares} times first`)
    }
  }
})

test('the serial is that of the last change, all 32 bits of it', () => {
  for (const serial of [2e9, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1]) {
    const engine = new TestEngine('namespaces: [a]', { nowMs: serial * 1000 })
    const { authority } = engine.ask({ name: 'x.cluster.local', type: 'A' })
    assert.match(authority[0].data, new RegExp(` ${serial} 7200 1800 86400 5$`))
  }
})
