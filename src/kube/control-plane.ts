// What a control plane would have filled in, for manifests that no cluster has seen yet: namespaces, cluster IPs, Pods
// of workloads, EndpointSlices. What the files say always wins; what is filled in depends on names alone, not on the
// order of files or objects.

import { AddressRange } from './address-range.ts'
import { fnv1a } from './fnv.ts'
import type { ClusterObjects, Endpoint, EndpointSlice, Pod, Port, Service } from './objects.ts'
import type { Family, PodSource, ServiceSource, Sources, WorkloadSource } from './sources.ts'
import { selects } from './sources.ts'
import { familyOf } from './trim.ts'

/** Where addresses come from. */
export interface ControlPlaneOptions {
  /** CIDRs; the defaults are those of kubeadm where it has any. */
  readonly serviceRangeV4?: string
  readonly serviceRangeV6?: string
  readonly podRangeV4?: string
  readonly podRangeV6?: string
}

/** The whole state, and what a user should know about how it came to be: a line each. */
export interface Completed {
  readonly objects: ClusterObjects
  readonly warnings: readonly string[]
}

/** As many as the control plane puts into one slice. */
const SLICE_ENDPOINTS_MAX = 100
/** Names listed in a warning. */
const LISTED_MAX = 10
/** Letters and digits that Pod names are made of: none that could spell a word. */
const POD_NAME_ALPHABET = 'bcdfghjklmnpqrstvwxz2456789'

/**
 * Completes what was read.
 *
 * @throws RangeFullError if there are more Services or Pods than addresses
 * @throws RangeError if an option is no range
 */
export function completeObjects(sources: Sources, options: ControlPlaneOptions = {}): Completed {
  const warnings: string[] = []
  const namespaces = namespacesOf(sources, warnings)
  const ranges = new Ranges(sources, options)
  const services = servicesOf(sources, ranges, warnings)
  const pods = podsOf(sources, ranges)
  const slices = slicesOf(sources, services, pods)
  const livePods = new Map<string, Pod>()
  for (const [key, source] of pods) livePods.set(key, source.pod)
  return { objects: { namespaces, services, slices, pods: livePods, imports: sources.imports }, warnings }
}

/** A file with Namespaces is taken to list them all; without any, each that is used exists. */
function namespacesOf(sources: Sources, warnings: string[]): ReadonlySet<string> {
  if (sources.namespaces.size === 0) return new Set([...sources.usedNamespaces].sort())
  const namespaces = new Set([...sources.namespaces, ...sources.impliedNamespaces])
  const missing = [...sources.usedNamespaces].filter((namespace) => !namespaces.has(namespace)).sort()
  if (missing.length > 0) {
    warnings.push(`no Namespace object, so nothing in them is served: ${listed(missing)}`)
  }
  return namespaces
}

/** The ranges, with all that the files state taken out; made when the first address is asked for. */
class Ranges {
  readonly #sources: Sources
  readonly #options: ControlPlaneOptions
  #service: Record<Family, AddressRange> | null = null
  #pod: Record<Family, AddressRange> | null = null

  constructor(sources: Sources, options: ControlPlaneOptions) {
    this.#sources = sources
    this.#options = options
  }

  service(family: Family): AddressRange {
    const { serviceRangeV4 = '10.96.0.0/12', serviceRangeV6 = 'fd00:10:96::/108' } = this.#options
    this.#service ??= this.#ranges(serviceRangeV4, serviceRangeV6)
    return this.#service[family]
  }

  pod(family: Family): AddressRange {
    const { podRangeV4 = '10.244.0.0/14', podRangeV6 = 'fd00:10:244::/108' } = this.#options
    this.#pod ??= this.#ranges(podRangeV4, podRangeV6)
    return this.#pod[family]
  }

  #ranges(v4: string, v6: string): Record<Family, AddressRange> {
    const ranges = { IPv4: new AddressRange(v4), IPv6: new AddressRange(v6) }
    for (const address of this.#stated()) ranges[familyOf(address)].take(address)
    return ranges
  }

  *#stated(): Iterable<string> {
    for (const { service } of this.#sources.services.values()) {
      yield* service.clusterIPs
      for (const address of service.externalAddresses) if (!/[g-z]/i.test(address)) yield address
    }
    for (const { pod } of this.#sources.pods.values()) yield* pod.addresses
    for (const slice of this.#sources.slices.values()) for (const { address } of slice.endpoints) yield address
    for (const { slices } of this.#sources.endpoints.values()) {
      for (const slice of slices) for (const { address } of slice.endpoints) yield address
    }
    for (const { clusterIPs } of this.#sources.imports.values()) yield* clusterIPs
  }
}

function servicesOf(sources: Sources, ranges: Ranges, warnings: string[]): ReadonlyMap<string, Service> {
  const services = new Map<string, Service>()
  const incomplete: string[] = []
  const pending: string[] = []
  for (const [key, { service, missingFamilies }] of sources.services) {
    services.set(key, service)
    if (missingFamilies.length > 0) incomplete.push(key)
    else if (service.kind === 'Pending') pending.push(key)
  }
  for (const key of incomplete.sort()) services.set(key, withClusterIPs(key, sources.services.get(key)!, ranges))
  if (pending.length > 0) {
    warnings.push(
      `clusterIP is "", so these Services have no address yet (leave it out to get one): ${listed(pending)}`,
    )
  }
  return services
}

/** In the order of the families, as the control plane has them. */
function withClusterIPs(key: string, source: ServiceSource, ranges: Ranges): Service {
  const { service, families, missingFamilies } = source
  const clusterIPs = families.map((family) => {
    if (missingFamilies.includes(family)) return ranges.service(family).give(key)
    return service.clusterIPs.find((address) => familyOf(address) === family)!
  })
  return { ...service, kind: 'ClusterIP', clusterIPs }
}

function podsOf(sources: Sources, ranges: Ranges): ReadonlyMap<string, PodSource> {
  const bare = [...sources.pods].filter(([, source]) => source.needsAddress)
  if (sources.workloads.size === 0 && bare.length === 0) return sources.pods
  const made = new Map<string, PodSource>(bare)
  for (const workload of sources.workloads.values()) {
    if (hasPods(workload, sources)) continue
    for (let i = 0; i < workload.replicas; i++) {
      const source = podOf(workload, i)
      const key = `${source.pod.namespace}/${source.pod.name}`
      if (!sources.pods.has(key)) made.set(key, source)
    }
  }
  const pods = new Map(sources.pods)
  for (const key of [...made.keys()].sort()) {
    const source = made.get(key)!
    const addresses = [ranges.pod('IPv4').give(key), ranges.pod('IPv6').give(key)]
    pods.set(key, { ...source, pod: { ...source.pod, addresses }, needsAddress: false })
  }
  return pods
}

/** A workload that has a Pod in the files has no others. */
function hasPods(workload: WorkloadSource, sources: Sources): boolean {
  for (const { pod, template } of sources.pods.values()) {
    if (pod.namespace === workload.namespace && selects(workload.selector, template.labels)) return true
  }
  return false
}

/** The Pod with number `index` of a workload, named and labelled as its controller would. */
function podOf(workload: WorkloadSource, index: number): PodSource {
  const { kind, namespace, template } = workload
  const name =
    kind === 'StatefulSet' ? `${workload.name}-${workload.firstOrdinal + index}` : generatedName(workload, index)
  const ordinal = String(workload.firstOrdinal + index)
  const ownLabels = { 'statefulset.kubernetes.io/pod-name': name, 'apps.kubernetes.io/pod-index': ordinal }
  return {
    pod: { namespace, name, addresses: [] },
    template: kind === 'StatefulSet' ? { ...template, labels: { ...template.labels, ...ownLabels } } : template,
    hostname: kind === 'StatefulSet' ? name : workload.hostname,
    subdomain: workload.subdomain,
    ready: true,
    needsAddress: true,
  }
}

function generatedName(workload: WorkloadSource, index: number): string {
  const owner = `${workload.kind} ${workload.namespace}/${workload.name}`
  const ending = `-${podNameLetters(fnv1a(`${owner} ${index}`), 5)}`
  if (workload.kind === 'DaemonSet') return `${workload.name}${ending}`
  return `${workload.name}-${podNameLetters(fnv1a(owner), 6)}${ending}`
}

function podNameLetters(hash: number, count: number): string {
  let letters = ''
  for (let i = 0; i < count; i++) {
    letters += POD_NAME_ALPHABET[hash % POD_NAME_ALPHABET.length]
    hash = Math.floor(hash / POD_NAME_ALPHABET.length)
  }
  return letters
}

function slicesOf(
  sources: Sources,
  services: ReadonlyMap<string, Service>,
  pods: ReadonlyMap<string, PodSource>,
): ReadonlyMap<string, EndpointSlice> {
  const slices = new Map(sources.slices)
  const served = new Set<string>()
  for (const { namespace, serviceName } of sources.slices.values()) served.add(`${namespace}/${serviceName}`)
  let byLabel: ReadonlyMap<string, readonly PodSource[]> | null = null
  for (const key of [...sources.services.keys()].sort()) {
    const source = sources.services.get(key)!
    const { service, selector } = source
    if (service.kind === 'ExternalName') continue
    if (selector === null) {
      if (!sources.mirrored.has(key)) addMirror(slices, sources, key)
    } else if (!served.has(key)) {
      byLabel ??= podsByLabel(pods)
      const selected = podsOfService(source, byLabel)
      // Neither slices nor Pods: then Endpoints are all there is to know, as in a dump of a cluster older than slices.
      if (selected.length === 0) addMirror(slices, sources, key)
      else addSlices(slices, source, services.get(key)!, selected)
    }
  }
  return slices
}

function addMirror(slices: Map<string, EndpointSlice>, sources: Sources, key: string): void {
  for (const slice of sources.endpoints.get(key)?.slices ?? []) add(slices, slice, `${slice.serviceName}-mirror`)
}

/** Adds a slice under a name that is still free. */
function add(slices: Map<string, EndpointSlice>, slice: EndpointSlice, prefix: string): void {
  let number = 0
  while (slices.has(`${slice.namespace}/${prefix}-${number}`)) number++
  const name = `${prefix}-${number}`
  slices.set(`${slice.namespace}/${name}`, { ...slice, name })
}

/** Pods with at least one address, by `namespace name=value` of each label, sorted by name. */
function podsByLabel(pods: ReadonlyMap<string, PodSource>): ReadonlyMap<string, readonly PodSource[]> {
  const byLabel = new Map<string, PodSource[]>()
  for (const key of [...pods.keys()].sort()) {
    const source = pods.get(key)!
    for (const [name, value] of Object.entries(source.template.labels)) {
      const label = `${source.pod.namespace} ${name}=${value}`
      const known = byLabel.get(label)
      if (known === undefined) byLabel.set(label, [source])
      else known.push(source)
    }
  }
  return byLabel
}

function podsOfService(
  { service, selector, publishNotReady }: ServiceSource,
  byLabel: ReadonlyMap<string, readonly PodSource[]>,
): readonly PodSource[] {
  const [first] = Object.entries(selector!)
  const candidates = byLabel.get(`${service.namespace} ${first![0]}=${first![1]}`) ?? []
  return candidates.filter((pod) => selects(selector!, pod.template.labels) && (pod.ready || publishNotReady))
}

/** One run of slices a family and set of ports, at most 100 endpoints each, as the EndpointSlice controller makes them. */
function addSlices(
  slices: Map<string, EndpointSlice>,
  source: ServiceSource,
  service: Service,
  pods: readonly PodSource[],
): void {
  const groups = new Map<string, { ports: readonly Port[]; endpoints: Endpoint[] }>()
  for (const pod of pods) {
    const ports = portsOfPod(source, pod)
    for (const family of source.families) {
      const address = pod.pod.addresses.find((text) => familyOf(text) === family)
      if (address === undefined) continue
      const key = `${family} ${JSON.stringify(ports)}`
      const group = groups.get(key) ?? { ports, endpoints: [] }
      groups.set(key, group)
      const hostname = pod.subdomain === service.name ? pod.hostname : ''
      group.endpoints.push({ address, hostname, podName: pod.pod.name, zone: '' })
    }
  }
  const { namespace, name: serviceName, createdAt } = service
  for (const { ports, endpoints } of groups.values()) {
    for (let at = 0; at < endpoints.length; at += SLICE_ENDPOINTS_MAX) {
      const part = endpoints.slice(at, at + SLICE_ENDPOINTS_MAX)
      const slice = { namespace, name: '', serviceName, importName: '', cluster: '', ports, endpoints: part, createdAt }
      add(slices, slice, `${serviceName}-made`)
    }
  }
}

/** The ports of a Service as this Pod has them. A name that no container has gives none. */
function portsOfPod({ service, targetPorts }: ServiceSource, { template }: PodSource): readonly Port[] {
  const ports: Port[] = []
  for (let i = 0; i < service.ports.length; i++) {
    const { name, protocol } = service.ports[i]!
    const target = targetPorts[i]!
    const port =
      typeof target === 'number'
        ? target
        : template.namedPorts.find((named) => named.name === target && named.protocol === protocol)?.port
    if (port !== undefined) ports.push({ name, protocol, port })
  }
  return ports
}

function listed(names: readonly string[]): string {
  const shown = names.slice(0, LISTED_MAX).join(', ')
  return names.length > LISTED_MAX ? `${shown} and ${names.length - LISTED_MAX} more` : shown
}
