// API objects of tests, as small as the API server takes them.

import type { GivenObject, Json } from '../apiserver/object.ts'

interface Port {
  readonly name: string
  readonly port: number
}

const HTTP: Port = { name: 'http', port: 80 }

export function namespace(name: string): GivenObject {
  return { metadata: { name, labels: { 'kubernetes.io/metadata.name': name } }, status: { phase: 'Active' } }
}

/** `addresses`: the cluster IPs; 'None': headless; a name with a dot at its end: ExternalName. */
export function service(namespace: string, name: string, addresses: string | readonly string[]): GivenObject {
  const metadata = { name, namespace }
  const ports = [{ ...HTTP, protocol: 'TCP', targetPort: 8080 }]
  if (typeof addresses === 'string' && addresses.endsWith('.')) {
    return { metadata, spec: { type: 'ExternalName', externalName: addresses.slice(0, -1) } }
  }
  const clusterIPs = typeof addresses === 'string' ? [addresses] : addresses
  return { metadata, spec: { type: 'ClusterIP', clusterIP: clusterIPs[0], clusterIPs, ports } }
}

/** Endpoints: `10.0.0.1` or `10.0.0.1 hostname`. */
export function slice(
  namespace: string,
  name: string,
  serviceName: string,
  endpoints: readonly string[],
  more: Json = {},
): GivenObject {
  return {
    metadata: { name, namespace, labels: { 'kubernetes.io/service-name': serviceName } },
    addressType: 'IPv4',
    endpoints: endpoints.map((text) => {
      const [address, hostname] = text.split(' ')
      return { addresses: [address], conditions: { ready: true, serving: true, terminating: false }, hostname }
    }),
    ports: [{ ...HTTP, port: 8080, protocol: 'TCP' }],
    ...more,
  }
}
