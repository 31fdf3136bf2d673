// Short notations of a cluster's objects, and the Kubernetes manifests they stand for.

import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { isIPv6 } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** Objects in short; keys are `namespace/name`. Ports are `name:number/PROTOCOL`, `-` = unnamed. */
export interface Fixture {
  namespaces?: readonly string[]
  services?: Record<string, ServiceNote>
  slices?: Record<string, SliceNote>
  pods?: Record<string, { ip: string }>
  imports?: Record<string, { type: 'ClusterSetIP' | 'Headless'; ips?: readonly string[]; ports?: readonly string[] }>
}

/** A Service in short: `clusterIPs` may be the literal `None`; `external` are external IPs. */
export interface ServiceNote {
  type?: 'ClusterIP' | 'NodePort' | 'LoadBalancer' | 'ExternalName'
  clusterIPs?: readonly string[] | 'None'
  externalName?: string
  ports?: readonly string[]
}

/** An EndpointSlice in short: `for` is the service-name label, `import` that of the multicluster API. */
export interface SliceNote {
  for?: string
  import?: string
  cluster?: string
  ports?: readonly string[]
  endpoints: readonly EndpointNote[]
}

/** One endpoint: addresses, then what may be set. `pod` is targetRef.name. */
export interface EndpointNote {
  a: readonly string[]
  hostname?: string
  ready?: boolean
  serving?: boolean
  terminating?: boolean
  pod?: string
  zone?: string
}

/** Services and Endpoints as OKD 3.11 has them. Ports are `name/PROTOCOL/number`. */
export interface OkdFixture {
  services: readonly OkdService[]
  endpoints: readonly OkdEndpoints[]
}

/** A Service; an empty `clusterIP` is one that has not been given its address yet. */
export interface OkdService {
  ns: string
  name: string
  type?: 'ExternalName'
  clusterIP?: string
  externalName?: string
  ports?: readonly string[]
}

/** An Endpoints object; a larger `age` is an older object, an address may be `address=hostname`. */
export interface OkdEndpoints {
  ns: string
  name: string
  age: number
  ready: readonly string[]
  notReady?: readonly string[]
  ports?: readonly string[]
}

/** A Kubernetes object, as JSON has it. */
export type Manifest = Record<string, unknown>

/** A folder of its own for manifests, gone with `remove()`. */
export class ManifestFolder {
  readonly path: string = mkdtempSync(join(tmpdir(), 'peregrine-manifests-'))

  constructor() {
    chmodSync(this.path, 0o755) // a server may run as another user
  }

  /** Writes one file with all of the objects and returns its path. */
  write(objects: readonly Manifest[], name = 'cluster.json'): string {
    return this.writeText(JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects }, null, 1), name)
  }

  writeText(text: string, name: string): string {
    const path = join(this.path, name)
    writeFileSync(path, text)
    return path
  }

  remove(): void {
    rmSync(this.path, { recursive: true, force: true })
  }
}

/** The manifests of a fixture. */
export function manifestsOf(fixture: Fixture): Manifest[] {
  const each = <Note>(notes: Record<string, Note> | undefined, make: (name: Name, note: Note) => Manifest) =>
    Object.entries(notes ?? {}).map(([key, note]) => make(nameOf(key), note))
  return [
    ...(fixture.namespaces ?? []).map((name) => ({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } })),
    ...each(fixture.services, serviceManifest),
    ...each(fixture.slices, sliceManifest),
    ...each(fixture.pods, podManifest),
    ...each(fixture.imports, ({ namespace, name }, { type, ips, ports }) => ({
      apiVersion: 'multicluster.x-k8s.io/v1alpha1',
      kind: 'ServiceImport',
      metadata: { namespace, name },
      spec: { type, ips, ports: ports?.map(portOf) },
    })),
  ]
}

/** The manifests of an OKD fixture. */
export function okdManifestsOf({ services, endpoints }: OkdFixture): Manifest[] {
  return [
    ...services.map(({ ns, name, type, clusterIP, externalName, ports }) => ({
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { namespace: ns, name },
      spec: { type, clusterIP, externalName, ports: ports?.map(okdPortOf) },
    })),
    ...endpoints.map(({ ns, name, age, ready, notReady = [], ports }) => ({
      apiVersion: 'v1',
      kind: 'Endpoints',
      metadata: { namespace: ns, name, creationTimestamp: new Date(Date.UTC(2026, 0, 1) - age * 60_000).toISOString() },
      subsets:
        ready.length + notReady.length === 0
          ? []
          : [
              {
                addresses: ready.map(okdAddressOf),
                notReadyAddresses: notReady.map(okdAddressOf),
                ports: ports?.map(okdPortOf),
              },
            ],
    })),
  ]
}

interface Name {
  namespace: string
  name: string
}

function nameOf(key: string): Name {
  const [namespace, name] = key.split('/') as [string, string]
  return { namespace, name }
}

function portOf(text: string): Manifest {
  const [, name, port, protocol] = /^(.*):(\d+)\/(TCP|UDP|SCTP)$/.exec(text)!
  return { ...(name === '-' ? {} : { name }), port: Number(port), protocol }
}

function okdPortOf(text: string): Manifest {
  const [name, protocol, port] = text.split('/')
  return { name, protocol, port: Number(port) }
}

function okdAddressOf(text: string): Manifest {
  const [ip, hostname] = text.split('=')
  return { ip, hostname }
}

function serviceManifest({ namespace, name }: Name, note: ServiceNote): Manifest {
  const { type = 'ClusterIP', clusterIPs, externalName, ports } = note
  const addresses = clusterIPs === 'None' ? ['None'] : clusterIPs
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { namespace, name },
    spec: { type, clusterIP: addresses?.[0], clusterIPs: addresses, externalName, ports: ports?.map(portOf) },
  }
}

function sliceManifest({ namespace, name }: Name, note: SliceNote): Manifest {
  const labels = {
    'kubernetes.io/service-name': note.for,
    'multicluster.kubernetes.io/service-name': note.import,
    'multicluster.kubernetes.io/source-cluster': note.cluster,
  }
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { namespace, name, labels },
    addressType: isIPv6(note.endpoints[0]?.a[0] ?? '') ? 'IPv6' : 'IPv4',
    ports: note.ports?.map(portOf),
    endpoints: note.endpoints.map(({ a, hostname, ready, serving, terminating, pod, zone }) => ({
      addresses: a,
      conditions: { ready, serving, terminating },
      hostname,
      zone,
      targetRef: pod === undefined ? undefined : { kind: 'Pod', namespace, name: pod },
    })),
  }
}

function podManifest({ namespace, name }: Name, { ip }: { ip: string }): Manifest {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { namespace, name },
    spec: { containers: [{ name: 'main', image: 'registry.example/main' }] },
    status: { phase: 'Running', podIP: ip, podIPs: [{ ip }] },
  }
}
