// The names of the cluster of a size (synthetic-cluster.ts), by number: nothing is held in memory.

import { reverseName } from '../../kube/address.ts'
import type { SchemaOptions } from '../../kube/schema.ts'
import { mayBeName, type NameKind, type NamePool } from './name-pool.ts'
import {
  type ClusterSize,
  clusterIpsOf,
  endpointModel,
  firstEndpoint,
  HEADLESS_EVERY,
  isHeadless,
  namespaceName,
  serviceName,
  serviceOfEndpoint,
  ZONE,
} from './synthetic-cluster.ts'

export class SyntheticNames implements NamePool {
  readonly label: string
  readonly zone: string
  readonly namespaceCount: number
  readonly #size: ClusterSize
  readonly #counts: Readonly<Record<NameKind, number>>
  /** Of the endpoints: those of headless Services. */
  readonly #hostnames: number

  constructor(size: ClusterSize, zone = ZONE, pods: SchemaOptions['pods'] = 'disabled') {
    const { services, endpoints, namespaces } = size
    this.label = `a made-up cluster of ${services.toLocaleString('en')} Services and ${endpoints.toLocaleString('en')} endpoints`
    this.zone = zone
    this.namespaceCount = namespaces
    this.#size = size
    const named = services === 1 && endpoints === 0 ? 0 : services
    this.#hostnames = hostnameCount(size)
    this.#counts = {
      service: named,
      external: 0,
      hostname: this.#hostnames,
      endpoint: endpoints - this.#hostnames,
      // The manifests have no Pods: verified names there are none.
      pod: pods === 'insecure' ? endpoints : 0,
      namespace: namespaces,
      port: named,
      address: 2 * (named + endpoints),
    }
  }

  count(kind: NameKind): number {
    return this.#counts[kind]
  }

  name(kind: NameKind, index: number): string {
    switch (kind) {
      case 'service':
        return this.#service(this.#existing(index))
      case 'port':
        return `_http._tcp.${this.#service(this.#existing(index))}`
      case 'namespace':
        return `${this.namespace(index)}.svc`
      case 'hostname':
        return this.#endpoint(0, index)
      case 'endpoint':
        return this.#endpoint(1, index)
      case 'pod':
        return this.#pod(index)
      case 'address':
        return reverseName(this.#address(index >>> 1, (index & 1) === 1)).join('.')
      case 'external':
        throw new RangeError('no ExternalName Services are made up')
    }
  }

  namespace(index: number): string {
    return namespaceName(index)
  }

  mayExist(relativeName: string): boolean {
    return mayBeName(
      relativeName,
      (name) => this.#isNamespace(name),
      // All names end in their index.
      (name, namespace) => this.#isNamespace(namespace) && this.#isService(name),
    )
  }

  #isNamespace(name: string): boolean {
    const index = indexIn(name)
    return index < this.namespaceCount && namespaceName(index) === name
  }

  #isService(name: string): boolean {
    const index = indexIn(name)
    return index < this.#size.services && serviceName(index) === name
  }

  #service(index: number): string {
    return `${serviceName(index)}.${namespaceName(index % this.#size.namespaces)}.svc`
  }

  /** A headless Service without endpoints has no name: its neighbour, which has cluster IPs, stands in. */
  #existing(index: number): number {
    if (!isHeadless(index) || firstEndpoint(this.#size, index + 1) > firstEndpoint(this.#size, index)) return index
    return index + 1 < this.#size.services ? index + 1 : index - 1
  }

  /** @param kind  0: of headless Services, 1: of others @param index  of the endpoint among those of its kind */
  #endpoint(kind: 0 | 1, index: number): string {
    const size = this.#size
    const number = kind === 0 ? headlessEndpoint(size, index) : otherEndpoint(size, index)
    const service = serviceOfEndpoint(size, number)
    return `${endpointModel(size, service, number).label}.${this.#service(service)}`
  }

  #pod(number: number): string {
    const service = serviceOfEndpoint(this.#size, number)
    const { ipv4 } = endpointModel(this.#size, service, number)
    return `${ipv4.replaceAll('.', '-')}.${namespaceName(service % this.#size.namespaces)}.pod`
  }

  /** IPv4 of a Service or, behind them, of an endpoint; IPv6 if it is wanted and there is one. */
  #address(index: number, wants6: boolean): string {
    const named = this.#counts.service
    if (index >= named) return this.#endpointAddress(index - named, wants6)
    const addresses = clusterIpsOf(index)
    if (addresses.length === 0) {
      const first = firstEndpoint(this.#size, index)
      if (first < firstEndpoint(this.#size, index + 1)) return this.#endpointAddress(first, wants6)
      return clusterIpsOf(this.#existing(index))[0]
    }
    return addresses[wants6 ? addresses.length - 1 : 0]
  }

  #endpointAddress(number: number, wants6: boolean): string {
    const { ipv4, ipv6 } = endpointModel(this.#size, serviceOfEndpoint(this.#size, number), number)
    return wants6 && ipv6 !== '' ? ipv6 : ipv4
  }
}

function hostnameCount({ services, endpoints }: ClusterSize): number {
  const each = Math.floor(endpoints / services)
  return Math.ceil(services / HEADLESS_EVERY) * each + Math.ceil((endpoints % services) / HEADLESS_EVERY)
}

/** The number of the endpoint that is the `index`-th of headless Services. */
function headlessEndpoint(size: ClusterSize, index: number): number {
  const { ordinal, rest } = dealt(size, index, Math.ceil((size.endpoints % size.services) / HEADLESS_EVERY))
  return firstEndpoint(size, ordinal * HEADLESS_EVERY) + rest
}

/** The number of the endpoint that is the `index`-th of the other Services. */
function otherEndpoint(size: ClusterSize, index: number): number {
  const larger = size.endpoints % size.services
  const { ordinal, rest } = dealt(size, index, larger - Math.ceil(larger / HEADLESS_EVERY))
  return firstEndpoint(size, ordinal + Math.floor(ordinal / (HEADLESS_EVERY - 1)) + 1) + rest
}

/** Where an endpoint is among Services of one kind, the first `larger` of which have one more than the others. */
function dealt(size: ClusterSize, index: number, larger: number): { ordinal: number; rest: number } {
  const each = Math.floor(size.endpoints / size.services)
  const inLarger = larger * (each + 1)
  if (index < inLarger) return { ordinal: Math.floor(index / (each + 1)), rest: index % (each + 1) }
  return { ordinal: larger + Math.floor((index - inLarger) / each), rest: (index - inLarger) % each }
}

/** The number at the end of a name; NaN if there is none. */
function indexIn(name: string): number {
  const digits = name.slice(name.lastIndexOf('-') + 1)
  return digits === '' ? Number.NaN : Number(digits)
}
