// Small random clusters: changes to few objects, so that they meet again and again, and an index of them. For tests of what
// keeps the objects and what keeps the index in step with them.

import fc from 'fast-check'
import { REVERSE_ZONES } from '../../src/config/server-config.ts'
import { createRegion } from '../../src/index/layout.ts'
import { IndexWriter } from '../../src/index/writer.ts'
import { ClusterIndex, type ClusterIndexOptions } from '../../src/kube/cluster-index.ts'
import type { ClusterState, Kind } from '../../src/kube/cluster-state.ts'
import type { Port, ServiceKind } from '../../src/kube/objects.ts'
import { type Packed, packImport, packPod, packService, packSlice } from '../../src/kube/packed.ts'
import { OKD, PLAIN } from './schema-fixture.ts'

export const KINDS: readonly Kind[] = ['services', 'imports', 'slices', 'pods']

/** '' for an object or namespace that is gone, '+' for a namespace that is there. */
export interface Change {
  readonly kind: Kind | 'namespaces'
  readonly namespace: string
  readonly name: string
  readonly packed: Packed
}

const SERVICES = ['kubernetes', 'openshift', 'web', 'db']
const IMPORTS = ['web', 'db']
const anyNamespace = fc.constantFrom('default', 'shop', 'pay')
const PORTS: readonly Port[] = [
  { name: 'http', protocol: 'TCP', port: 80 },
  { name: 'dns', protocol: 'UDP', port: 53 },
  { name: '', protocol: 'TCP', port: 9000 },
]
const anyPorts = fc.subarray([...PORTS])
const anyClusterIP = fc.constantFrom('10.96.0.1', '10.96.0.2', 'fd00::1')
/** 10.130.0.2 is the server itself. */
const anyAddress = fc.constantFrom('10.130.0.1', '10.130.0.2', '10.130.0.3', 'fd01::1', '10.96.0.2')
/** Of load balancers; the last is another spelling of the one before it. */
const anyExternal = fc.constantFrom(
  '203.0.113.1',
  '203.0.113.2',
  'lb.example.org',
  'LB2.example.org',
  '2001:db8::1',
  '2001:db8:0::1',
)
const anyTime = fc.nat({ max: 3 })

const anyService = fc
  .record({
    kind: fc.constantFrom<ServiceKind>('ClusterIP', 'Headless', 'ExternalName', 'Pending'),
    ips: fc.uniqueArray(anyClusterIP, { minLength: 1, maxLength: 2 }),
    target: fc.constantFrom('api.example.org', 'db.shop.svc.cluster.local', 'none.shop.svc.cluster.local'),
    ports: anyPorts,
    external: fc.oneof(fc.constant([]), fc.uniqueArray(anyExternal, { maxLength: 3 })),
    createdAt: anyTime,
  })
  .map(({ kind, ips, target, ports, external, createdAt }) =>
    packService({
      namespace: '',
      name: '',
      kind,
      clusterIPs: kind === 'ClusterIP' ? ips : [],
      externalName: kind === 'ExternalName' ? target : '',
      ports,
      externalAddresses: external,
      createdAt,
    }),
  )
const anyEndpoint = fc.record({
  address: anyAddress,
  hostname: fc.constantFrom('', '', 'h1', 'h2'),
  podName: fc.constantFrom('', 'p1'),
  zone: fc.constantFrom('', 'z1'),
})
const anySlice = fc
  .record({
    serviceName: fc.constantFrom('', ...SERVICES),
    importName: fc.constantFrom('', '', ...IMPORTS),
    cluster: fc.constantFrom('', 'c1'),
    ports: anyPorts,
    endpoints: fc.array(anyEndpoint, { maxLength: 4 }),
    createdAt: anyTime,
  })
  .map((slice) => packSlice({ namespace: '', name: '', ...slice }))
const anyImport = fc
  .record({
    kind: fc.constantFrom('ClusterIP' as const, 'Headless' as const),
    clusterIPs: fc.uniqueArray(anyClusterIP, { maxLength: 2 }),
    ports: anyPorts,
  })
  .map((imported) => packImport({ namespace: '', name: '', ...imported }))
const anyPod = fc
  .uniqueArray(anyAddress, { minLength: 1, maxLength: 2 })
  .map((addresses) => packPod({ namespace: '', name: '', addresses }))

function changeOf(kind: Kind, names: readonly string[], packed: fc.Arbitrary<Packed>): fc.Arbitrary<Change> {
  return fc.record({
    kind: fc.constant(kind),
    namespace: anyNamespace,
    name: fc.constantFrom(...names),
    packed: fc.oneof({ weight: 3, arbitrary: packed }, { weight: 1, arbitrary: fc.constant('') }),
  })
}

/** One change to one object, or to a namespace. */
export const anyChange: fc.Arbitrary<Change> = fc.oneof(
  { weight: 5, arbitrary: changeOf('services', SERVICES, anyService) },
  { weight: 6, arbitrary: changeOf('slices', ['s1', 's2', 's3', 'a', 'z'], anySlice) },
  { weight: 2, arbitrary: changeOf('imports', IMPORTS, anyImport) },
  { weight: 2, arbitrary: changeOf('pods', ['p1', 'p2'], anyPod) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('namespaces' as const),
      namespace: anyNamespace,
      name: fc.constant(''),
      packed: fc.constantFrom('+', '+', '+', ''),
    }),
  },
)

/** Takes the change for news. */
export function apply(state: ClusterState, { kind, namespace, name, packed }: Change): void {
  if (kind === 'namespaces') state.setNamespace(namespace, packed !== '')
  else state.set(kind, namespace, name, packed)
}

/** Everything that `state` holds, as changes that make it; in order. */
export function changesOf(state: ClusterState): Change[] {
  const all: Change[] = Array.from(state.namespaces(), (namespace) => ({
    kind: 'namespaces',
    namespace,
    name: '',
    packed: '+',
  }))
  for (const kind of KINDS) {
    for (const [namespace, name, packed] of state.objects(kind)) all.push({ kind, namespace, name, packed })
  }
  const keyOf = ({ kind, namespace, name }: Change): string => `${kind} ${namespace} ${name}`
  return all.sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1))
}

/** Own addresses of the server: 10.130.0.2 is an endpoint of some Service now and then. */
export const LISTEN: readonly string[] = ['10.130.0.2']
const ZONES = { zones: ['cluster.local', 'clusterset.local'], multiclusterZones: ['clusterset.local'] }
const COMMON = { ...ZONES, reverseZones: REVERSE_ZONES, ttl: 5, namespaces: null, listenAddresses: LISTEN }

const EXTERNAL = { zones: ['out.example', '113.0.203.in-addr.arpa', 'two.example', 'ip6.arpa'], apex: 'pay', ttl: 7 }

/** Of the Kubernetes schema, with everything, and with external zones of both kinds: `pay` is a namespace too. The last knows its clients. */
export const SCHEMAS: readonly ClusterIndexOptions[] = [
  { ...COMMON, schema: PLAIN },
  { ...COMMON, namespaces: ['shop', 'default'], schema: { ...OKD, pods: 'verified', endpointPodNames: true } },
  { ...COMMON, schema: PLAIN, external: { ...EXTERNAL, apex: 'dns', headless: false } },
  { ...COMMON, schema: { ...PLAIN, pods: 'verified' }, external: { ...EXTERNAL, headless: true }, clients: true },
]

/** A new index, empty but for its zones. */
export interface TestIndex {
  readonly writer: IndexWriter
  readonly index: ClusterIndex
}

export function openIndex(options: ClusterIndexOptions, octets: number): TestIndex {
  const writer = new IndexWriter(createRegion(octets), { readerCount: 2, poison: true })
  return { writer, index: new ClusterIndex(writer, options) }
}
