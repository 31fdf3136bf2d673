// Which object, and which field of it, a record of an answer comes from. Pure, and found after the fact from the objects: the
// way that makes records (schema.ts) carries nothing along for it.

import { addressOfReverseName, canonicalAddress } from './address.ts'
import type { ClusterView } from './cluster-view.ts'
import { hashLabels, kubernetesLabels, type LabelOf, okdLabels } from './endpoint-label.ts'
import { portLabels, protocolLabel } from './endpoint-names.ts'
import type { Located } from './located-name.ts'
import type { Endpoint, EndpointSlice, Port, Service, ServiceImport } from './objects.ts'
import type { Labels, Origin } from './records.ts'
import { serviceClaims } from './schema.ts'

/** A record as far as origins depend on it. Names without final dot, lower case. */
export interface TracedRecord {
  readonly type: string
  /** Of A and AAAA, else ''. */
  readonly address: string
  /** Of CNAME, PTR and SRV, else ''. */
  readonly target: string
  /** Of SRV, else 0. */
  readonly port: number
}

/**
 * The fields that a record at a located name comes from: of an SRV record both the port's and the target's. Empty for what
 * comes from the configuration (SOA, NS, TXT). An endpoint's field does not tell its number: endpoints that are not ready are
 * not kept; the endpoint itself is given instead.
 */
export function originsOf(view: ClusterView, located: Located, record: TracedRecord): Origin[] {
  const { maker, owner } = located
  switch (maker.kind) {
    case 'Zone':
      return []
    case 'Namespace':
      return [{ kind: 'Namespace', object: maker.object, field: 'metadata.name' }]
    case 'Pod': {
      const object = `${maker.object.namespace}/${maker.object.name}`
      return indexes(maker.object.addresses, (text) => canonicalAddress(text) === record.address).map((i) => ({
        kind: 'Pod',
        object,
        field: `status.podIPs[${i}]`,
      }))
    }
    default:
      return serviceOrigins(view, maker, owner, record)
  }
}

/** The claims behind a PTR record; `owner` is the whole reverse name. */
export function pointerOrigins(view: ClusterView, owner: Labels, primaryZone: string, target: string): Origin[] {
  const address = addressOfReverseName(owner)
  const origins: Origin[] = []
  for (const service of view.services()) {
    if (!target.endsWith(`${service.name}.${service.namespace}.svc.${primaryZone}`.toLowerCase())) continue
    const slices = view.slicesOf(service.namespace, service.name)
    const isClaimed = serviceClaims(service, slices, view.source.schema).some(
      (claim) => claim.address === address && `${claim.target.join('.')}.${primaryZone}` === target,
    )
    if (!isClaimed) continue
    const clusterIPs = clusterIPOrigins('Service', service, address)
    if (clusterIPs.length > 0 && target.startsWith(`${service.name}.`)) origins.push(...clusterIPs)
    else origins.push(...endpointOrigins(slices, (endpoint) => canonicalAddress(endpoint.address) === address))
  }
  return origins
}

/** Everything that has an address: what a reverse name that does not exist is explained with. */
export function holdersOf(view: ClusterView, address: string): Origin[] {
  const origins: Origin[] = []
  const { services, slices, pods } = view.source.objects
  for (const service of services.values()) {
    origins.push(...clusterIPOrigins('Service', service, address))
    for (const i of indexes(service.externalAddresses, (text) => canonicalAddress(text) === address)) {
      origins.push({
        kind: 'Service',
        object: keyOf(service),
        field: `external address ${service.externalAddresses[i]}`,
      })
    }
  }
  origins.push(...endpointOrigins([...slices.values()], (endpoint) => canonicalAddress(endpoint.address) === address))
  for (const pod of pods.values()) {
    for (const i of indexes(pod.addresses, (text) => canonicalAddress(text) === address)) {
      origins.push({ kind: 'Pod', object: keyOf(pod), field: `status.podIPs[${i}]` })
    }
  }
  return origins
}

type ServiceMaker = Extract<Located['maker'], { readonly kind: 'Service' | 'ServiceImport' }>

function serviceOrigins(view: ClusterView, maker: ServiceMaker, owner: Labels, record: TracedRecord): Origin[] {
  const { kind, object } = maker
  const left = leftOf(owner, object)
  const isEndpointData = owner.at(-1) === 'endpoints' || left.includes('_endpoints') || object.kind === 'Headless'
  if (record.type === 'CNAME') return [{ kind, object: keyOf(object), field: 'spec.externalName' }]
  if (record.type === 'SRV') return srvOrigins(view, maker, left, record, isEndpointData)
  const endpoints = addressOrigins(view, maker, left, record.address)
  if (isEndpointData || (endpointLabelOf(left) !== '' && endpoints.length > 0)) return endpoints
  return clusterIPOrigins(kind, object, record.address)
}

/** Endpoints with an address; at an endpoint's name, only those with that label. */
function addressOrigins(view: ClusterView, { slices }: ServiceMaker, left: Labels, address: string): Origin[] {
  const hasLabel = labelFilter(view, slices, endpointLabelOf(left))
  return endpointOrigins(slices, (endpoint) => canonicalAddress(endpoint.address) === address && hasLabel(endpoint))
}

/** Where the port of an SRV record stands, and what its target is called after. */
function srvOrigins(
  view: ClusterView,
  { kind, object, slices }: ServiceMaker,
  left: Labels,
  record: TracedRecord,
  isEndpointData: boolean,
): Origin[] {
  const keep = (port: Port): boolean => port.port === record.port && isPortOf(port, left)
  const targetLabel = record.target.split('.')[0]
  if (!isEndpointData && (object.kind === 'ExternalName' || targetLabel === object.name.toLowerCase())) {
    const field = object.kind === 'ExternalName' ? 'spec.externalName' : 'metadata.name'
    return [...portOrigins(kind, keyOf(object), object.ports, keep), { kind, object: keyOf(object), field }]
  }
  const hasLabel = labelFilter(view, slices, targetLabel)
  return slices.flatMap((slice) => {
    const ports = portOrigins('EndpointSlice', keyOf(slice), slice.ports, keep)
    const endpoints = ports.length === 0 ? [] : endpointOrigins([slice], hasLabel)
    return endpoints.length === 0 ? [] : [...ports, ...endpoints]
  })
}

/** Labels left of the Service in a name of it; none for an alias. */
function leftOf(owner: Labels, object: { readonly name: string }): Labels {
  const end = owner.at(-1) === 'svc' || owner.at(-1) === 'endpoints' ? 3 : 2
  return owner.at(-end) === object.name.toLowerCase() ? owner.slice(0, -end).filter((label) => label !== '*') : []
}

/** The endpoint label that a name begins with, '' for names of the whole Service. */
function endpointLabelOf(left: Labels): string {
  return left.length > 0 && !left.some((label) => label.startsWith('_')) ? left[0] : ''
}

function labelFilter(
  view: ClusterView,
  slices: readonly EndpointSlice[],
  label: string,
): (endpoint: Endpoint) => boolean {
  if (label === '') return () => true
  const { schema } = view.source
  const forms: LabelOf[] =
    schema.okd === null ? [kubernetesLabels(schema)] : [okdLabels(slices, schema), hashLabels(slices, schema)]
  return (endpoint) => forms.some((labelOf) => labelOf(endpoint) === label)
}

/** Whether a port belongs to a name: `_P._T`, `_T`, or any other, which has all ports. */
function isPortOf(port: Port, left: Labels): boolean {
  const isPortName = left.length > 0 && left.length <= 2 && left.every((label) => label.startsWith('_'))
  if (!isPortName || left.includes('_endpoints')) return true
  if (left.length === 1) return port.name !== '' && protocolLabel(port) === left[0]
  const [portLabel, protocol] = portLabels(port)
  return portLabel === left[0] && protocol === left[1]
}

function portOrigins(
  kind: Origin['kind'],
  object: string,
  ports: readonly Port[],
  keep: (port: Port) => boolean,
): Origin[] {
  const prefix = kind === 'EndpointSlice' ? 'ports' : 'spec.ports'
  return indexes(ports, keep).map((i) => ({ kind, object, field: `${prefix}[${i}]` }))
}

function clusterIPOrigins(
  kind: 'Service' | 'ServiceImport',
  object: Service | ServiceImport,
  address: string,
): Origin[] {
  const field = kind === 'Service' ? 'spec.clusterIPs' : 'spec.ips'
  return indexes(object.clusterIPs, (text) => canonicalAddress(text) === address).map((i) => ({
    kind,
    object: keyOf(object),
    field: `${field}[${i}]`,
  }))
}

function endpointOrigins(slices: readonly EndpointSlice[], keep: (endpoint: Endpoint) => boolean): Origin[] {
  return slices.flatMap((slice) =>
    slice.endpoints.filter(keep).map(
      (endpoint): Origin => ({
        kind: 'EndpointSlice',
        object: keyOf(slice),
        field: 'endpoints[].addresses',
        endpoint,
      }),
    ),
  )
}

function keyOf(object: { readonly namespace: string; readonly name: string }): string {
  return `${object.namespace}/${object.name}`
}

function indexes<T>(list: readonly T[], keep: (value: T) => boolean): number[] {
  return list.flatMap((value, i) => (keep(value) ? [i] : []))
}
