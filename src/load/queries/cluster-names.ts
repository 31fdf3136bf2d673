// The names of a cluster that is known by its objects. What has a name is what the schema says (src/kube/schema.ts); here it is only
// found and counted: references to objects and numbers, so that a million endpoints cost some twenty megabytes.

import { canonicalAddress, reverseName } from '../../kube/address.ts'
import { dashedAddress, endpointLabel } from '../../kube/endpoint-label.ts'
import { portLabels } from '../../kube/endpoint-names.ts'
import type { ClusterObjects, EndpointSlice, Pod, Port, Service } from '../../kube/objects.ts'
import type { SchemaOptions } from '../../kube/schema.ts'
import { mayBeName, type NameKind, type NamePool } from './name-pool.ts'

type Ports = { readonly namespace: string; readonly ports: readonly Port[] }
/** Objects, of each the element that makes the name: an address, an endpoint, a port. */
class Entries<Kind> {
  readonly objects: Kind[] = []
  readonly elements: number[] = []

  push(object: Kind, element: number): void {
    this.objects.push(object)
    this.elements.push(element)
  }

  get count(): number {
    return this.objects.length
  }
}

export class ClusterNames implements NamePool {
  readonly label: string
  readonly zone: string
  readonly #objects: ClusterObjects
  readonly #namespaces: readonly string[]
  readonly #services: Service[] = []
  readonly #externals: Service[] = []
  readonly #hostnames = new Entries<EndpointSlice>()
  readonly #endpoints = new Entries<EndpointSlice>()
  readonly #servicePorts = new Entries<Service>()
  readonly #slicePorts = new Entries<EndpointSlice>()
  readonly #clusterIps = new Entries<Service>()
  readonly #pods = new Entries<Pod>()
  /** Without objects for Pods, and for names that any address has, the endpoints stand in for them. */
  readonly #takesEndpointsForPods: boolean

  /**
   * @param zone  without the final dot
   * @param pods  whether the server has names of Pods, and which
   */
  constructor(objects: ClusterObjects, zone: string, pods: SchemaOptions['pods'], label: string) {
    this.label = label
    this.zone = zone.toLowerCase()
    this.#objects = objects
    this.#namespaces = [...objects.namespaces].sort()
    this.#takesEndpointsForPods = pods === 'insecure' && objects.pods.size === 0
    const headless = this.#addSlices()
    for (const service of objects.services.values()) {
      if (objects.namespaces.has(service.namespace)) this.#addService(service, headless)
    }
    if (pods !== 'disabled') this.#addPods()
  }

  count(kind: NameKind): number {
    switch (kind) {
      case 'service':
        return this.#services.length
      case 'external':
        return this.#externals.length
      case 'hostname':
        return this.#hostnames.count
      case 'endpoint':
        return this.#endpoints.count
      case 'pod':
        return this.#takesEndpointsForPods ? this.#endpoints.count : this.#pods.count
      case 'namespace':
        return this.#namespaces.length
      case 'port':
        return this.#servicePorts.count + this.#slicePorts.count
      case 'address':
        return this.#clusterIps.count + this.#hostnames.count + this.#endpoints.count
    }
  }

  name(kind: NameKind, index: number): string {
    switch (kind) {
      case 'service':
        return serviceOwner(this.#services[index])
      case 'external':
        return serviceOwner(this.#externals[index])
      case 'hostname':
        return endpointOwner(this.#hostnames, index)
      case 'endpoint':
        return endpointOwner(this.#endpoints, index)
      case 'pod':
        return this.#pod(index)
      case 'namespace':
        return `${this.namespace(index)}.svc`
      case 'port':
        return this.#port(index)
      case 'address':
        return reverseName(this.#address(index)).join('.')
    }
  }

  get namespaceCount(): number {
    return this.#namespaces.length
  }

  namespace(index: number): string {
    return this.#namespaces[index].toLowerCase()
  }

  mayExist(relativeName: string): boolean {
    const { namespaces, services } = this.#objects
    return mayBeName(
      relativeName,
      (name) => namespaces.has(name),
      (name, namespace) => services.has(`${namespace}/${name}`),
    )
  }

  /** Endpoints of all Services that have any. @returns the headless ones among those */
  #addSlices(): ReadonlySet<Service> {
    const { services, slices, namespaces } = this.#objects
    const headless = new Set<Service>()
    for (const slice of slices.values()) {
      const service = services.get(`${slice.namespace}/${slice.serviceName}`)
      if (service === undefined || !namespaces.has(service.namespace)) continue
      if (service.kind !== 'ClusterIP' && service.kind !== 'Headless') continue
      const before = this.#hostnames.count + this.#endpoints.count
      slice.endpoints.forEach(({ address, hostname }, element) => {
        if (canonicalAddress(address) === '') return
        const entries = hostname === '' ? this.#endpoints : this.#hostnames
        entries.push(slice, element)
      })
      if (service.kind === 'ClusterIP' || this.#hostnames.count + this.#endpoints.count === before) continue
      headless.add(service)
      pushPorts(this.#slicePorts, slice)
    }
    return headless
  }

  #addService(service: Service, headless: ReadonlySet<Service>): void {
    const { kind, externalName } = service
    if (kind === 'ExternalName' && externalName !== '' && canonicalAddress(externalName) === '') {
      this.#externals.push(service)
    }
    if (headless.has(service)) this.#services.push(service)
    if (kind !== 'ClusterIP') return
    const before = this.#clusterIps.count
    service.clusterIPs.forEach((address, element) => {
      if (canonicalAddress(address) !== '') this.#clusterIps.push(service, element)
    })
    if (this.#clusterIps.count === before) return
    this.#services.push(service)
    pushPorts(this.#servicePorts, service)
  }

  #addPods(): void {
    for (const pod of this.#objects.pods.values()) {
      if (!this.#objects.namespaces.has(pod.namespace)) continue
      pod.addresses.forEach((address, element) => {
        if (canonicalAddress(address) !== '') this.#pods.push(pod, element)
      })
    }
  }

  #pod(index: number): string {
    if (this.#takesEndpointsForPods) {
      const slice = this.#endpoints.objects[index]
      return podOwner(slice.endpoints[this.#endpoints.elements[index]].address, slice.namespace)
    }
    const pod = this.#pods.objects[index]
    return podOwner(pod.addresses[this.#pods.elements[index]], pod.namespace)
  }

  #port(index: number): string {
    const ofServices = this.#servicePorts.count
    if (index < ofServices) {
      const service = this.#servicePorts.objects[index]
      return `${portOwner(this.#servicePorts, index)}.${serviceOwner(service)}`
    }
    const slice = this.#slicePorts.objects[index - ofServices]
    return `${portOwner(this.#slicePorts, index - ofServices)}.${owner(slice.serviceName, slice.namespace)}`
  }

  #address(index: number): string {
    const ofServices = this.#clusterIps.count
    if (index < ofServices) return this.#clusterIps.objects[index].clusterIPs[this.#clusterIps.elements[index]]
    const rest = index - ofServices
    const isNamed = rest < this.#hostnames.count
    const entries = isNamed ? this.#hostnames : this.#endpoints
    const at = isNamed ? rest : rest - this.#hostnames.count
    return entries.objects[at].endpoints[entries.elements[at]].address
  }
}

function pushPorts<Kind extends Ports>(entries: Entries<Kind>, holder: Kind): void {
  holder.ports.forEach(({ name }, element) => {
    if (name !== '') entries.push(holder, element)
  })
}

function owner(service: string, namespace: string): string {
  return `${service}.${namespace}.svc`.toLowerCase()
}

function serviceOwner({ name, namespace }: Service): string {
  return owner(name, namespace)
}

function endpointOwner({ objects, elements }: Entries<EndpointSlice>, index: number): string {
  const slice = objects[index]
  const label = endpointLabel(slice.endpoints[elements[index]], { endpointPodNames: false })
  return `${label}.${owner(slice.serviceName, slice.namespace)}`
}

function portOwner({ objects, elements }: Entries<Ports>, index: number): string {
  return portLabels(objects[index].ports[elements[index]]).join('.')
}

function podOwner(address: string, namespace: string): string {
  return `${dashedAddress(address)}.${namespace.toLowerCase()}.pod`
}
