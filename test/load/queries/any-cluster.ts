// Small random clusters whose names get in each other's way: Services, namespaces and endpoints share a few labels, so that a search
// path finds what it should not.

import fc from 'fast-check'
import type { ClusterObjects, Endpoint, EndpointSlice, Pod, Port, Service } from '../../../src/kube/objects.ts'
import { objectsOf } from './real-answers.ts'

const LABELS = ['web', 'shop', 'svc', 'com', 'example', 'local', 'cluster', 'www', 'pod'] as const
const ADDRESSES = ['10.0.0.1', '10.0.0.2', '10.0.0.3', 'fd00::1', 'fd00::', 'fd00:0:0::2']

const anyLabel = fc.constantFrom(...LABELS)
const anyPort: fc.Arbitrary<Port> = fc.record({
  name: fc.constantFrom('', 'http', 'dns'),
  protocol: fc.constantFrom('TCP' as const, 'UDP' as const, 'SCTP' as const),
  port: fc.constantFrom(80, 53, 9000),
})
const anyPorts = fc.array(anyPort, { maxLength: 3 })

const anyService: fc.Arbitrary<Service> = fc
  .record({
    namespace: anyLabel,
    name: anyLabel,
    kind: fc.constantFrom(
      'ClusterIP' as const,
      'ClusterIP' as const,
      'Headless' as const,
      'ExternalName' as const,
      'Pending' as const,
    ),
    ips: fc.uniqueArray(fc.constantFrom('10.96.0.1', '10.96.0.2', 'fd01::1'), { minLength: 1, maxLength: 2 }),
    target: fc.constantFrom('api.example.org', '192.0.2.1', '', 'gone.shop.svc.cluster.local'),
    ports: anyPorts,
  })
  .map(({ namespace, name, kind, ips, target, ports }) => ({
    namespace,
    name,
    kind,
    clusterIPs: kind === 'ClusterIP' ? ips : [],
    externalName: kind === 'ExternalName' ? target : '',
    ports,
    externalAddresses: [],
    createdAt: 0,
  }))

const anyEndpoint: fc.Arbitrary<Endpoint> = fc.record({
  address: fc.constantFrom(...ADDRESSES),
  hostname: fc.constantFrom('', '', 'web', 'www', 'svc'),
  podName: fc.constantFrom('', 'p'),
  zone: fc.constant(''),
})
const anySlice: fc.Arbitrary<EndpointSlice> = fc.record({
  namespace: anyLabel,
  name: fc.constantFrom('s1', 's2', 's3', 's4'),
  serviceName: anyLabel,
  importName: fc.constant(''),
  cluster: fc.constant(''),
  ports: anyPorts,
  endpoints: fc.array(anyEndpoint, { maxLength: 3 }),
  createdAt: fc.constant(0),
})
const anyPod: fc.Arbitrary<Pod> = fc.record({
  namespace: anyLabel,
  name: fc.constantFrom('p1', 'p2'),
  addresses: fc.uniqueArray(fc.constantFrom(...ADDRESSES), { minLength: 1, maxLength: 2 }),
})

/** At least one namespace; the objects may be of others. */
export const anyCluster: fc.Arbitrary<ClusterObjects> = fc
  .record({
    namespaces: fc.uniqueArray(anyLabel, { minLength: 1 }),
    services: fc.array(anyService, { maxLength: 12 }),
    slices: fc.array(anySlice, { maxLength: 12 }),
    pods: fc.array(anyPod, { maxLength: 4 }),
  })
  .map((parts) => objectsOf({ ...parts, imports: [] }))
