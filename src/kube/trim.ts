// From an API object as it is written to the trimmed object that names are made from: the fields that matter, checked,
// and nothing that keeps the input alive. Null stands for an object that makes no names and is no error either.
// Workloads and Pods are in trim-workloads.ts.

import { isIPv4 } from 'node:net'
import {
  addressOf,
  booleanOf,
  externalNameOf,
  FieldError,
  integerOf,
  isAddressV6,
  labelOf,
  listOf,
  mappingOf,
  objectNameOf,
  optionalLabelOf,
  type Raw,
  secondsOf,
  textOf,
} from './fields.ts'
import type { Endpoint, EndpointSlice, Port, Service, ServiceImport } from './objects.ts'
import type { EndpointsSource, Family, LabelSet, ServiceSource } from './sources.ts'

const SERVICE_NAME = 'kubernetes.io/service-name'
const IMPORT_NAME = 'multicluster.kubernetes.io/service-name'
const SOURCE_CLUSTER = 'multicluster.kubernetes.io/source-cluster'
const MANAGED_BY = 'endpointslice.kubernetes.io/managed-by'
const MIRRORING_CONTROLLER = 'endpointslicemirroring-controller.k8s.io'
const SKIP_MIRROR = 'endpointslice.kubernetes.io/skip-mirror'
const LEADER_ELECTION = 'control-plane.alpha.kubernetes.io/leader'
const TOLERATE_UNREADY = 'service.alpha.kubernetes.io/tolerate-unready-endpoints'

const NO_PORTS: readonly Port[] = []
const NO_TEXTS: readonly string[] = []
const NO_TARGETS: readonly (number | string)[] = []
const NO_FAMILIES: readonly Family[] = []
const IPV4_ONLY: readonly Family[] = ['IPv4']
const IPV6_ONLY: readonly Family[] = ['IPv6']
const IPV4_FIRST: readonly Family[] = ['IPv4', 'IPv6']
const IPV6_FIRST: readonly Family[] = ['IPv6', 'IPv4']

/**
 * What many objects have in common is one value: names that come again, and whole lists of ports. Lives as long as a
 * file is read.
 */
export class SharedValues {
  readonly #texts = new Map<string, string>()
  readonly #ports = new Map<string, readonly Port[]>()
  readonly #labels = new Map<string, LabelSet>()
  /** Whether endpoints keep the name of their Pod. */
  readonly podNames: boolean

  constructor(podNames = true) {
    this.podNames = podNames
  }

  text(text: string): string {
    if (text === '') return ''
    const known = this.#texts.get(text)
    if (known !== undefined) return known
    this.#texts.set(text, text)
    return text
  }

  ports(ports: readonly Port[]): readonly Port[] {
    if (ports.length === 0) return NO_PORTS
    let key = ''
    for (const port of ports) key += `${port.name}/${port.protocol}/${port.port},`
    const known = this.#ports.get(key)
    if (known !== undefined) return known
    this.#ports.set(key, ports)
    return ports
  }

  labels(labels: LabelSet): LabelSet {
    const key = JSON.stringify(Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1)))
    const known = this.#labels.get(key)
    if (known !== undefined) return known
    this.#labels.set(key, labels)
    return labels
  }
}

/** metadata of any object of a kind that is read. */
export interface Metadata {
  readonly namespace: string
  readonly name: string
  readonly labels: Raw
  readonly annotations: Raw
  readonly createdAt: number
  /** It has been through an API server. */
  readonly stored: boolean
  readonly deleted: boolean
}

/**
 * @param dotted  whether the kind allows dots in its names
 * @throws FieldError if the name or the namespace is none
 */
export function metadataOf(raw: Raw, shared: SharedValues, dotted: boolean): Metadata {
  const metadata = mappingOf(raw.metadata, 'metadata')
  if (metadata.name === undefined || metadata.name === null) throw new FieldError('metadata.name', 'is missing')
  return {
    namespace: shared.text(optionalLabelOf(metadata.namespace, 'metadata.namespace') || 'default'),
    name: dotted ? objectNameOf(metadata.name, 'metadata.name') : labelOf(metadata.name, 'metadata.name'),
    labels: mappingOf(metadata.labels, 'metadata.labels'),
    annotations: mappingOf(metadata.annotations, 'metadata.annotations'),
    createdAt: secondsOf(metadata.creationTimestamp),
    stored: typeof metadata.uid === 'string' || typeof metadata.resourceVersion === 'string',
    deleted: typeof metadata.deletionTimestamp === 'string',
  }
}

/** A mapping of strings to strings; null if absent or empty. */
export function labelSetOf(value: unknown, field: string, shared: SharedValues): LabelSet | null {
  const raw = mappingOf(value, field)
  const labels: Record<string, string> = {}
  let count = 0
  for (const name of Object.keys(raw)) {
    labels[name] = textOf(raw[name], `${field}.${name}`)
    count++
  }
  return count === 0 ? null : shared.labels(labels)
}

/** TCP unless it says otherwise. */
export function protocolOf(value: unknown, field: string): Port['protocol'] {
  if (value === undefined || value === null || value === 'TCP') return 'TCP'
  if (value === 'UDP' || value === 'SCTP') return value
  throw new FieldError(field, `must be TCP, UDP or SCTP, not ${JSON.stringify(value)}`)
}

/** The family of an address that has been checked. */
export function familyOf(address: string): Family {
  return address.includes(':') ? 'IPv6' : 'IPv4'
}

function portsOf(value: unknown, field: string, shared: SharedValues): readonly Port[] {
  const entries = listOf(value, field)
  const ports: Port[] = []
  for (let i = 0; i < entries.length; i++) {
    const raw = mappingOf(entries[i], `${field}[${i}]`)
    // A slice may leave the number out, which means all ports: no record can say that.
    if (raw.port === null || (raw.port === undefined && field === 'ports')) continue
    const port = integerOf(raw.port, `${field}[${i}].port`, 1, 65535, 0)
    if (port === 0) throw new FieldError(`${field}[${i}].port`, 'is missing')
    const name = raw.name ? optionalLabelOf(raw.name, `${field}[${i}].name`) : ''
    ports.push({ name, protocol: protocolOf(raw.protocol, `${field}[${i}].protocol`), port })
  }
  return shared.ports(ports)
}

/** A Service, and what is needed to fill in its addresses and its slices. */
export function trimService(raw: Raw, metadata: Metadata, shared: SharedValues): ServiceSource {
  const spec = mappingOf(raw.spec, 'spec')
  const type = textOf(spec.type, 'spec.type')
  if (
    type !== '' &&
    type !== 'ClusterIP' &&
    type !== 'NodePort' &&
    type !== 'LoadBalancer' &&
    type !== 'ExternalName'
  ) {
    throw new FieldError(
      'spec.type',
      `must be ClusterIP, NodePort, LoadBalancer or ExternalName, not ${JSON.stringify(type)}`,
    )
  }
  const stated = type === 'ExternalName' ? NO_TEXTS : clusterIPsOf(spec)
  const headless = stated[0] === 'None'
  const families = familiesOf(spec, headless ? NO_TEXTS : stated)
  // An empty string is a statement: there is no address yet. A missing field is what people write by hand.
  const pending = stated.length === 0 && (spec.clusterIP === '' || type === 'ExternalName')
  const kind = type === 'ExternalName' ? type : headless ? 'Headless' : stated.length > 0 ? 'ClusterIP' : 'Pending'
  if (kind === 'ExternalName' && !spec.externalName) throw new FieldError('spec.externalName', 'is missing')
  const service: Service = {
    namespace: metadata.namespace,
    name: metadata.name,
    kind,
    clusterIPs: headless ? NO_TEXTS : stated,
    externalName: kind === 'ExternalName' ? externalNameOf(spec.externalName, 'spec.externalName') : '',
    ports: portsOf(spec.ports, 'spec.ports', shared),
    externalAddresses: externalAddressesOf(raw, spec),
    createdAt: metadata.createdAt,
  }
  const selector = kind === 'ExternalName' ? null : labelSetOf(spec.selector, 'spec.selector', shared)
  const complete = pending || headless || (metadata.stored && stated.length > 0)
  const annotated = metadata.annotations[TOLERATE_UNREADY] === 'true'
  return {
    service,
    missingFamilies: complete ? NO_FAMILIES : missingOf(families, stated),
    families,
    selector,
    targetPorts: selector === null ? NO_TARGETS : targetPortsOf(spec),
    publishNotReady: booleanOf(spec.publishNotReadyAddresses, 'spec.publishNotReadyAddresses', annotated),
  }
}

/** spec.clusterIPs, or else the single spec.clusterIP; `['None']` for a headless Service. */
function clusterIPsOf(spec: Raw): readonly string[] {
  const several = listOf(spec.clusterIPs, 'spec.clusterIPs')
  if (several.length > 0) {
    if (several[0] === 'None') return ['None']
    return several.map((value, i) => addressOf(value, `spec.clusterIPs[${i}]`))
  }
  const one = textOf(spec.clusterIP, 'spec.clusterIP')
  if (one === '') return NO_TEXTS
  return [one === 'None' ? one : addressOf(one, 'spec.clusterIP')]
}

function familiesOf(spec: Raw, stated: readonly string[]): readonly Family[] {
  const listed = listOf(spec.ipFamilies, 'spec.ipFamilies').map((value, i): Family => {
    if (value === 'IPv4' || value === 'IPv6') return value
    throw new FieldError(`spec.ipFamilies[${i}]`, `must be IPv4 or IPv6, not ${JSON.stringify(value)}`)
  })
  const policy = textOf(spec.ipFamilyPolicy, 'spec.ipFamilyPolicy')
  const first = listed[0] ?? (stated.length > 0 ? familyOf(stated[0]!) : 'IPv4')
  const dual = policy === 'PreferDualStack' || policy === 'RequireDualStack' || listed.length > 1 || stated.length > 1
  if (dual) return first === 'IPv4' ? IPV4_FIRST : IPV6_FIRST
  return first === 'IPv4' ? IPV4_ONLY : IPV6_ONLY
}

function missingOf(families: readonly Family[], stated: readonly string[]): readonly Family[] {
  const missing = families.filter((family) => !stated.some((address) => familyOf(address) === family))
  return missing.length === 0 ? NO_FAMILIES : missing
}

function targetPortsOf(spec: Raw): readonly (number | string)[] {
  return listOf(spec.ports, 'spec.ports').map((value, i) => {
    const raw = mappingOf(value, `spec.ports[${i}]`)
    if (typeof raw.targetPort === 'string' && raw.targetPort !== '') return raw.targetPort
    const port = integerOf(raw.targetPort, `spec.ports[${i}].targetPort`, 0, 65535, 0)
    return port === 0 ? (raw.port as number) : port
  })
}

function externalAddressesOf(raw: Raw, spec: Raw): readonly string[] {
  const externalIPs = listOf(spec.externalIPs, 'spec.externalIPs')
  const balancer = mappingOf(mappingOf(raw.status, 'status').loadBalancer, 'status.loadBalancer')
  const ingress = listOf(balancer.ingress, 'status.loadBalancer.ingress')
  if (externalIPs.length === 0 && ingress.length === 0) return NO_TEXTS
  const addresses = externalIPs.map((value, i) => addressOf(value, `spec.externalIPs[${i}]`))
  for (let i = 0; i < ingress.length; i++) {
    const field = `status.loadBalancer.ingress[${i}]`
    const { ip, hostname } = mappingOf(ingress[i], field)
    if (ip) addresses.push(addressOf(ip, `${field}.ip`))
    if (hostname) addresses.push(externalNameOf(hostname, `${field}.hostname`))
  }
  return [...new Set(addresses)]
}

/** An EndpointSlice with its ready addresses; null for one of names, or one that belongs to no Service. */
export function trimSlice(raw: Raw, metadata: Metadata, shared: SharedValues): EndpointSlice | null {
  const serviceName = shared.text(textOf(metadata.labels[SERVICE_NAME], `metadata.labels.${SERVICE_NAME}`))
  const importName = shared.text(textOf(metadata.labels[IMPORT_NAME], `metadata.labels.${IMPORT_NAME}`))
  const type = textOf(raw.addressType, 'addressType')
  if (type === 'FQDN' || (serviceName === '' && importName === '')) return null
  if (type !== 'IPv4' && type !== 'IPv6')
    throw new FieldError('addressType', `must be IPv4, IPv6 or FQDN, not ${JSON.stringify(type)}`)
  return {
    namespace: metadata.namespace,
    name: metadata.name,
    serviceName,
    importName,
    cluster: shared.text(textOf(metadata.labels[SOURCE_CLUSTER], `metadata.labels.${SOURCE_CLUSTER}`)),
    ports: portsOf(raw.ports, 'ports', shared),
    endpoints: sliceEndpointsOf(raw, type, shared),
    createdAt: metadata.createdAt,
  }
}

/** Whether the control plane made this slice from an Endpoints object. */
export function isMirror(metadata: Metadata): boolean {
  return metadata.labels[MANAGED_BY] === MIRRORING_CONTROLLER
}

function sliceEndpointsOf(raw: Raw, family: Family, shared: SharedValues): readonly Endpoint[] {
  const entries = listOf(raw.endpoints, 'endpoints')
  const endpoints: Endpoint[] = []
  for (let i = 0; i < entries.length; i++) {
    const entry = mappingOf(entries[i], 'endpoints')
    if (entry.conditions !== undefined && mappingOf(entry.conditions, 'endpoints[].conditions').ready === false)
      continue
    const hostname = entry.hostname ? labelOf(entry.hostname, `endpoints[${i}].hostname`) : ''
    const podName = entry.targetRef
      ? textOf(mappingOf(entry.targetRef, `endpoints[${i}].targetRef`).name, `endpoints[${i}].targetRef.name`)
      : ''
    const zone = entry.zone ? shared.text(textOf(entry.zone, `endpoints[${i}].zone`)) : ''
    const addresses = listOf(entry.addresses, `endpoints[${i}].addresses`)
    for (let j = 0; j < addresses.length; j++) {
      const address = addresses[j]
      if (typeof address !== 'string' || !(family === 'IPv4' ? isIPv4(address) : isAddressV6(address))) {
        throw new FieldError(
          `endpoints[${i}].addresses[${j}]`,
          `must be an ${family} address, not ${JSON.stringify(address)}`,
        )
      }
      endpoints.push({ address, hostname, podName: shared.podNames ? podName : '', zone })
    }
  }
  return endpoints
}

/**
 * An Endpoints object as the slices that the control plane mirrors from it: one a family and set of ports, an address
 * at most once in each; null if it is marked not to be mirrored.
 */
export function trimEndpoints(raw: Raw, metadata: Metadata, shared: SharedValues): EndpointsSource | null {
  if (metadata.labels[SKIP_MIRROR] === 'true' || metadata.annotations[LEADER_ELECTION] !== undefined) return null
  const { namespace, name, createdAt } = metadata
  const slices = new Map<string, EndpointSlice & { endpoints: Endpoint[] }>()
  const seen = new Set<string>()
  const subsets = listOf(raw.subsets, 'subsets')
  for (let i = 0; i < subsets.length; i++) {
    const subset = mappingOf(subsets[i], `subsets[${i}]`)
    const ports = portsOf(subset.ports, `subsets[${i}].ports`, shared)
    const portsKey = JSON.stringify(ports)
    for (const endpoint of subsetEndpointsOf(subset, `subsets[${i}]`, shared)) {
      const key = `${familyOf(endpoint.address)} ${portsKey}`
      if (seen.size === seen.add(`${key} ${endpoint.address} ${endpoint.hostname} ${endpoint.podName}`).size) continue
      const slice = slices.get(key)
      if (slice !== undefined) slice.endpoints.push(endpoint)
      else {
        slices.set(key, {
          namespace,
          name: '',
          serviceName: name,
          importName: '',
          cluster: '',
          ports,
          endpoints: [endpoint],
          createdAt,
        })
      }
    }
  }
  return { namespace, name, slices: [...slices.values()] }
}

function subsetEndpointsOf(subset: Raw, field: string, shared: SharedValues): Endpoint[] {
  // Those not ready are looked at no further than the API server would.
  listOf(subset.notReadyAddresses, `${field}.notReadyAddresses`)
  return listOf(subset.addresses, `${field}.addresses`).map((value, i) => {
    const raw = mappingOf(value, `${field}.addresses[${i}]`)
    const targetRef = mappingOf(raw.targetRef, `${field}.addresses[${i}].targetRef`)
    return {
      address: addressOf(raw.ip, `${field}.addresses[${i}].ip`),
      hostname: optionalLabelOf(raw.hostname, `${field}.addresses[${i}].hostname`),
      podName: shared.text(textOf(targetRef.name, `${field}.addresses[${i}].targetRef.name`)),
      zone: '',
    }
  })
}

/** A ServiceImport of the multicluster API. */
export function trimImport(raw: Raw, metadata: Metadata, shared: SharedValues): ServiceImport {
  const spec = mappingOf(raw.spec, 'spec')
  const type = textOf(spec.type, 'spec.type')
  if (type !== 'ClusterSetIP' && type !== 'Headless') {
    throw new FieldError('spec.type', `must be ClusterSetIP or Headless, not ${JSON.stringify(type)}`)
  }
  return {
    namespace: metadata.namespace,
    name: metadata.name,
    kind: type === 'Headless' ? 'Headless' : 'ClusterIP',
    clusterIPs:
      type === 'Headless'
        ? NO_TEXTS
        : listOf(spec.ips, 'spec.ips').map((value, i) => addressOf(value, `spec.ips[${i}]`)),
    ports: portsOf(spec.ports, 'spec.ports', shared),
  }
}
