// The schema against the definition: a name is a list of tuples (address, port, target), counted before duplicates are
// dropped. The oracle lists the tuples of one name by going through every slice, endpoint and port.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { canonicalAddress } from '../../src/kube/address.ts'
import type { Endpoint, EndpointSlice, Port, Service } from '../../src/kube/objects.ts'
import type { OwnerRecords } from '../../src/kube/records.ts'
import { type SchemaOptions, serviceClaims, serviceRecords } from '../../src/kube/schema.ts'
import { PLAIN } from './schema-fixture.ts'

interface Tuple {
  address: string
  /** 0 = portless */
  port: number
  target: string
}

// Few values, so that everything collides: labels with dashed addresses, port names with protocols.
const anyPort: fc.Arbitrary<Port> = fc.record({
  name: fc.constantFrom('', 'web', 'tcp', 'udp'),
  protocol: fc.constantFrom('TCP', 'TCP', 'UDP', 'SCTP'),
  port: fc.constantFrom(53, 80, 81),
})
const anyPorts = fc.uniqueArray(anyPort, {
  maxLength: 3,
  selector: ({ name, protocol, port }) => `${name}/${protocol}/${port}`,
})
const anyAddress = fc.constantFrom(
  '10.0.0.1',
  '10.0.0.2',
  '10.0.0.3',
  'fd00::1',
  'fd00:0::1',
  'FD00::2',
  'fd00::',
  'bad',
)
const anyEndpoint: fc.Arbitrary<Endpoint> = fc.record({
  address: anyAddress,
  hostname: fc.constantFrom('', '', 'a', 'b', '10-0-0-2'),
  podName: fc.constantFrom('', 'pod-1', 'a', 'x.y', 'p'.repeat(64)),
  zone: fc.constantFrom('', 'eu-1a', 'EU-1a', 'dc.one', 'one'),
})
const anySlice: fc.Arbitrary<EndpointSlice> = fc.record({
  namespace: fc.constant('shop'),
  name: fc.constant('x'),
  serviceName: fc.constant('s'),
  importName: fc.constant(''),
  cluster: fc.constant(''),
  ports: anyPorts,
  endpoints: fc.array(anyEndpoint, { maxLength: 5 }),
  createdAt: fc.constant(0),
})
const anyService: fc.Arbitrary<Service> = fc.record({
  namespace: fc.constant('shop'),
  name: fc.constant('s'),
  kind: fc.constantFrom('ClusterIP', 'Headless', 'Headless', 'ExternalName', 'Pending'),
  clusterIPs: fc.array(anyAddress, { maxLength: 2 }),
  externalName: fc.constantFrom('api.example', '192.0.2.1', '2001:db8::1'),
  ports: anyPorts,
  externalAddresses: fc.constant([]),
  createdAt: fc.constant(0),
})
const anyOptions: fc.Arbitrary<SchemaOptions> = fc.record({
  pods: fc.constant('disabled'),
  endpointPodNames: fc.boolean(),
  ignoreEmptyService: fc.boolean(),
  noEndpoints: fc.boolean(),
  zonal: fc.boolean(),
  okd: fc.constant(null),
})
/** Half the Services have the same ports in every slice: that is where records are shared. */
const anySlices = fc.oneof(
  fc.array(anySlice, { maxLength: 4 }),
  fc
    .tuple(fc.array(anySlice, { maxLength: 4 }), anyPorts)
    .map(([slices, ports]) => slices.map((slice) => ({ ...slice, ports }))),
)

function labelOf({ address, hostname, podName }: Endpoint, options: SchemaOptions): string {
  if (hostname !== '') return hostname
  if (options.endpointPodNames && podName !== '' && podName.length <= 63 && !podName.includes('.')) return podName
  const dashed = address.toLowerCase().replace(/[.:]/g, '-')
  return dashed.endsWith('-') ? `${dashed}0` : dashed
}

function tuplesOf(service: Service, slices: readonly EndpointSlice[], options: SchemaOptions, name: string): Tuple[] {
  const labels = name.split('.')
  const own = 's.shop.svc'
  if (!name.endsWith(own) || service.kind === 'Pending' || service.kind === 'ExternalName') return []
  const left = labels.slice(0, -3)
  const isPort = left.length === 2 && left.every((label) => label.startsWith('_'))
  const fits = (port: Port): boolean =>
    left.length < 2 ||
    (isPort && port.name !== '' && left[0] === `_${port.name}` && left[1] === `_${port.protocol.toLowerCase()}`)
  const ofPorts = (ports: readonly Port[], address: string, target: string): Tuple[] => {
    const canonical = canonicalAddress(address)
    if (canonical === '') return []
    if (ports.length === 0 && !isPort) return [{ address: canonical, port: 0, target }]
    return ports.filter(fits).map(({ port }) => ({ address: canonical, port, target }))
  }
  const all = options.noEndpoints ? [] : slices
  const endpoints = all.flatMap(({ ports, endpoints }) => endpoints.map((endpoint) => ({ ports, endpoint })))
  if (service.kind === 'ClusterIP' && options.ignoreEmptyService && endpoints.length === 0) return []
  if (service.kind === 'ClusterIP' && left.length !== 1) {
    if (left.length !== 0 && !isPort) return []
    // A cluster IP that is listed twice is one address.
    const addresses = [...new Set(service.clusterIPs.map(canonicalAddress))].filter((address) => address !== '')
    return addresses.flatMap((address) => ofPorts(service.ports, address, own))
  }
  const directive = left.slice(-2).join('.')
  if (directive === 'pin._zone' || directive === 'prefer._zone') {
    if (!options.zonal || service.kind !== 'Headless') return []
    const zone = left.slice(0, -2).join('.')
    const headless = endpoints.map((e) => ({ ...e, tuples: tuplesOfEndpoint(e.endpoint, e.ports) }))
    const matching = headless.filter(({ endpoint }) => endpoint.zone.toLowerCase() === zone).flatMap((e) => e.tuples)
    return matching.length > 0 || directive === 'pin._zone' ? matching : headless.flatMap((e) => e.tuples)
  }
  if (left.length > 2 || (left.length === 2 && !isPort)) return []
  return endpoints
    .filter(({ endpoint }) => left.length !== 1 || labelOf(endpoint, options) === left[0])
    .flatMap(({ endpoint, ports }) => ofPorts(ports, endpoint.address, `${labelOf(endpoint, options)}.${own}`))

  function tuplesOfEndpoint(endpoint: Endpoint, ports: readonly Port[]): Tuple[] {
    const address = canonicalAddress(endpoint.address)
    if (address === '') return []
    const target = `${labelOf(endpoint, options)}.${own}`
    return ports.length === 0 ? [{ address, port: 0, target }] : ports.map(({ port }) => ({ address, port, target }))
  }
}

/** What the rendering rules make of a tuple list. */
function rendered(tuples: readonly Tuple[]): unknown {
  const ported = tuples.filter(({ port }) => port !== 0)
  return {
    addresses: sorted(tuples.map(({ address }) => address)),
    srv: sorted(ported.map(({ port, target }) => `${port} ${target}`)),
    weight: ported.length === 0 ? 0 : Math.max(1, Math.floor(100 / tuples.length)),
    additional: sorted(ported.map(({ target, address }) => `${target} ${address}`)),
  }
}

function made(records: OwnerRecords): unknown {
  const targets = records.srv.map(({ target }) => (typeof target === 'string' ? target : target.join('.')))
  assert.equal(new Set(records.addresses).size, records.addresses.length, 'distinct addresses')
  assert.equal(
    new Set(records.srv.map(({ port }, i) => `${port} ${targets[i]}`)).size,
    records.srv.length,
    'distinct SRV',
  )
  for (const { addresses } of records.srv)
    assert.equal(new Set(addresses).size, addresses.length, 'distinct additional')
  return {
    addresses: sorted(records.addresses),
    srv: sorted(records.srv.map(({ port }, i) => `${port} ${targets[i]}`)),
    weight: records.srvWeight,
    additional: sorted(
      records.srv.flatMap(({ addresses }, i) => addresses.map((address) => `${targets[i]} ${address}`)),
    ),
  }
}

function sorted(texts: readonly string[]): string[] {
  return [...new Set(texts)].sort()
}

/** Every name that might exist. */
const NAMES = [
  ...[
    '',
    'a.',
    'b.',
    'pod-1.',
    '10-0-0-1.',
    '10-0-0-2.',
    '10-0-0-3.',
    'fd00--1.',
    'fd00-0--1.',
    'fd00--2.',
    'fd00--0.',
    'bad.',
    'x-y.',
  ],
  ...['_web', '_tcp', '_udp', '_', 'web'].flatMap((port) =>
    ['_tcp', '_udp', '_sctp', 'tcp'].map((t) => `${port}.${t}.`),
  ),
  ...['eu-1a', 'dc.one', 'one', 'x'].flatMap((zone) => [`${zone}.pin._zone.`, `${zone}.prefer._zone.`]),
].map((left) => `${left}s.shop.svc`)

test('records are what the tuples say', () => {
  const seen = { some: 0, none: 0, zonal: 0, dropped: 0 }
  fc.assert(
    fc.property(anyService, anySlices, anyOptions, (service, slices, options) => {
      const owners = serviceRecords(service, slices, options)
      const byName = new Map(owners.map((records) => [records.owner.join('.'), records]))
      assert.equal(byName.size, owners.length, 'each owner once')
      for (const name of NAMES) {
        const tuples = tuplesOf(service, slices, options, name)
        const records = byName.get(name) ?? wildcardFor(owners, name)
        if (tuples.length === 0) {
          seen.none++
          // An ExternalName is no tuple; a zonal name without tuples is NODATA.
          if (records?.cname) continue
          assert.ok(records === undefined || records.addresses.length === 0, name)
        } else {
          seen.some++
          if (name.includes('_zone')) seen.zonal++
          if (new Set(tuples.map((t) => JSON.stringify(t))).size < tuples.length) seen.dropped++
          assert.ok(records, name)
          assert.deepEqual(made(records), rendered(tuples), name)
        }
        byName.delete(name)
      }
      for (const [name, { wildcard, cname }] of byName) assert.ok(wildcard !== '' || cname !== '', `unasked: ${name}`)
    }),
    { numRuns: 3000 },
  )
  for (const [outcome, count] of Object.entries(seen)) assert.ok(count > 100, `${outcome}: ${count}`)
})

function wildcardFor(owners: readonly OwnerRecords[], name: string): OwnerRecords | undefined {
  // A name that exists only because of one below it hides the wildcard all the same.
  if (owners.some(({ owner }) => owner.join('.').endsWith(`.${name}`))) return undefined
  const at = name.search(/(pin|prefer)\._zone/)
  return at < 0 ? undefined : owners.find(({ owner }) => owner.join('.') === `*.${name.slice(at)}`)
}

test('claims are the addresses of the names', () => {
  fc.assert(
    fc.property(anyService, anySlices, fc.boolean(), (service, slices, endpointPodNames) => {
      const options = { ...PLAIN, endpointPodNames }
      const claims = serviceClaims(service, slices, options).map(
        ({ address, target, rank }) => `${address} ${target.join('.')} ${rank}`,
      )
      assert.equal(new Set(claims).size, claims.length)
      const own = service.kind === 'ClusterIP' || service.kind === 'Headless'
      const expected = own ? service.clusterIPs.map((address) => `${canonicalAddress(address)} s.shop.svc`) : []
      for (const endpoint of own ? slices.flatMap(({ endpoints }) => endpoints) : []) {
        expected.push(`${canonicalAddress(endpoint.address)} ${labelOf(endpoint, options)}.s.shop.svc`)
      }
      assert.deepEqual(
        sorted(claims.map((claim) => claim.slice(0, -2))),
        sorted(expected.filter((claim) => !claim.startsWith(' '))),
      )
    }),
  )
})

test('a claim ranks by what it comes from', () => {
  const port: Port = { name: 'web', protocol: 'TCP', port: 80 }
  const endpoint = { address: '10.0.0.1', hostname: '', podName: '', zone: '' }
  const slice = {
    ...{ namespace: 'shop', name: 'x', serviceName: 's', importName: '', cluster: '', ports: [port], createdAt: 5 },
    endpoints: [endpoint, { ...endpoint, address: '10.0.0.2', hostname: 'a' }],
  }
  const service: Service = {
    ...{ namespace: 'shop', name: 's', kind: 'ClusterIP', clusterIPs: ['172.30.0.1'], externalName: '', ports: [port] },
    ...{ externalAddresses: [], createdAt: 7 },
  }
  const ranks = (kind: Service['kind']): unknown =>
    serviceClaims({ ...service, kind, clusterIPs: kind === 'ClusterIP' ? service.clusterIPs : [] }, [slice], PLAIN).map(
      ({ address, rank, createdAt }) => [address, rank, createdAt],
    )
  assert.deepEqual(ranks('ClusterIP'), [
    ['172.30.0.1', 3, 7],
    ['10.0.0.1', 0, 5],
    ['10.0.0.2', 2, 5],
  ])
  assert.deepEqual(ranks('Headless'), [
    ['10.0.0.1', 1, 5],
    ['10.0.0.2', 2, 5],
  ])
  assert.deepEqual(ranks('ExternalName'), [])
  assert.deepEqual(ranks('Pending'), [])
})

test('weights', () => {
  const cases: [endpoints: number, ports: number, weight: number][] = [
    [1, 1, 100],
    [3, 1, 33],
    [2, 2, 25],
    [100, 1, 1],
    [101, 1, 1], // never 0
  ]
  for (const [endpointCount, portCount, weight] of cases) {
    const slice: EndpointSlice = {
      ...{ namespace: 'shop', name: 'x', serviceName: 's', importName: '', cluster: '', createdAt: 0 },
      ports: Array.from({ length: portCount }, (_, i) => ({ name: `p${i}`, protocol: 'TCP', port: 80 + i })),
      endpoints: Array.from({ length: endpointCount }, (_, i) => ({
        address: `10.0.0.${i}`,
        hostname: '',
        podName: '',
        zone: '',
      })),
    }
    const service: Service = {
      ...{ namespace: 'shop', name: 's', kind: 'Headless', clusterIPs: [], externalName: '', ports: [] },
      ...{ externalAddresses: [], createdAt: 0 },
    }
    assert.equal(serviceRecords(service, [slice], PLAIN)[0].srvWeight, weight)
  }
})
