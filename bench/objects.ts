// Clusters of any size as trimmed objects, in memory: what the micro-benchmarks publish and ask for.

import { BUILT_IN_SCHEMA, REVERSE_ZONES } from '../src/config/server-config.ts'
import type { ClusterIndexOptions } from '../src/kube/cluster-index.ts'
import type { ClusterObjects, Endpoint, EndpointSlice, Port, Service } from '../src/kube/objects.ts'

/** A cluster as the built-in configuration describes it. */
export const INDEX_OPTIONS: ClusterIndexOptions = {
  zones: ['cluster.local'],
  multiclusterZones: [],
  reverseZones: REVERSE_ZONES,
  ttl: 5,
  namespaces: null,
  schema: BUILT_IN_SCHEMA,
  listenAddresses: [],
}
/** Namespaces that the Services are spread over. */
export const NAMESPACES = 100
const PORTS: readonly Port[] = [{ name: 'http', protocol: 'TCP', port: 80 }]

/** `services` ClusterIP Services with `endpoints` endpoints each, one slice a Service; deterministic. */
export function generateObjects(services: number, endpoints: number): ClusterObjects {
  const objects = {
    namespaces: new Set<string>(),
    services: new Map<string, Service>(),
    slices: new Map<string, EndpointSlice>(),
    pods: new Map<string, never>(),
    imports: new Map<string, never>(),
  }
  for (let n = 0; n < NAMESPACES; n++) objects.namespaces.add(`ns-${n}`)
  for (let s = 0; s < services; s++) {
    const service = serviceAt(s)
    const { namespace, name } = service
    objects.services.set(`${namespace}/${name}`, service)
    const list = Array.from({ length: endpoints }, (_, e) => endpointAt(endpointAddress(s, e, endpoints)))
    objects.slices.set(`${namespace}/${name}-0`, sliceOf(namespace, name, list))
  }
  return objects
}

/** Service number `service`, of kind ClusterIP. */
export function serviceAt(service: number): Service {
  return {
    namespace: `ns-${service % NAMESPACES}`,
    name: `svc-${service}`,
    kind: 'ClusterIP',
    clusterIPs: [dotted(0x0a600000 + service)],
    externalName: '',
    ports: PORTS,
    externalAddresses: [],
    createdAt: 1,
  }
}

/** A slice of Service `namespace`/`name`. */
export function sliceOf(namespace: string, name: string, endpoints: readonly Endpoint[]): EndpointSlice {
  return {
    namespace,
    name: `${name}-0`,
    serviceName: name,
    importName: '',
    cluster: '',
    ports: PORTS,
    endpoints,
    createdAt: 1,
  }
}

/** A ready endpoint without hostname. */
export function endpointAt(address: string): Endpoint {
  return { address, hostname: '', podName: '', zone: '' }
}

/** Address of endpoint `endpoint` of Service `service`. */
export function endpointAddress(service: number, endpoint: number, endpoints: number): string {
  return dotted(0x0b000000 + service * endpoints + endpoint)
}

function dotted(value: number): string {
  return `${value >>> 24}.${(value >>> 16) & 255}.${(value >>> 8) & 255}.${value & 255}`
}
