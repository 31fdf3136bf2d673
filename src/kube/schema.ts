// The Kubernetes DNS schema 1.1.0 as CoreDNS serves it: from trimmed objects to what every owner name holds.
// Pure functions, one per kind of object. Not here: OKD's names (okd-schema.ts), the apex and the name server's own name,
// namespaces that are not exposed (the caller leaves their objects out), wire form.

import { addressFamily, canonicalAddress, expandedAddress } from './address.ts'
import { dashedAddress, kubernetesLabels, type LabelOf, okdLabels } from './endpoint-label.ts'
import {
  addressOwner,
  clusterRecords,
  distinctAddresses,
  EndpointNames,
  emptyOwner,
  namedPorts,
  portLabels,
  samePortName,
} from './endpoint-names.ts'
import type { EndpointSlice, Pod, Port, Service, ServiceImport } from './objects.ts'
import { okdNamespaceRecords, okdRecords, okdZoneRecords } from './okd-schema.ts'
import type { Labels, OwnerRecords, ReverseClaim } from './records.ts'

export { endpointLabel, okdHash } from './endpoint-label.ts'

/** OKD 3.11's names beside those of Kubernetes. */
export interface OkdOptions {
  /** Any name below a ClusterIP or ExternalName Service is that Service. */
  readonly wildcard: boolean
  /** `S.NS` directly below the zone. */
  readonly shortNames: boolean
  /** `openshift.default.svc` and `local.dns`. */
  readonly openshiftAlias: boolean
}

/** The options of the `kubernetes` block that names depend on. */
export interface SchemaOptions {
  readonly pods: 'disabled' | 'insecure' | 'verified'
  /** Endpoints without hostname are named after their Pod. */
  readonly endpointPodNames: boolean
  /** A ClusterIP Service without ready endpoint has no names. */
  readonly ignoreEmptyService: boolean
  /** Slices are not looked at. */
  readonly noEndpoints: boolean
  /** Names for the endpoints of one topology zone. */
  readonly zonal: boolean
  readonly okd: null | OkdOptions
}

const NONE: readonly never[] = []

/**
 * Everything one Service puts into a forward zone: each owner once, relative to the zone, empty non-terminals only where
 * nothing below them would show that they exist.
 *
 * @param slices those of this Service, in any order
 */
export function serviceRecords(
  service: Service,
  slices: readonly EndpointSlice[],
  options: SchemaOptions,
): OwnerRecords[] {
  return recordsOf(service, slices, options, endpointNames(service, slices, options))
}

/** serviceRecords() and serviceClaims() at once, for little more than one of them costs. */
export function serviceRecordsAndClaims(
  service: Service,
  slices: readonly EndpointSlice[],
  options: SchemaOptions,
): { readonly records: OwnerRecords[]; readonly claims: ReverseClaim[] } {
  const names = endpointNames(service, slices, options)
  return { records: recordsOf(service, slices, options, names), claims: claimsOf(service, slices, names) }
}

/**
 * What one Service says about the names of addresses: its cluster IPs are itself, ready endpoints are their endpoint name.
 * Each (address, target) once. Whether a claim holds depends on all Services' claims on the address (ReverseClaim.rank).
 */
export function serviceClaims(
  service: Service,
  slices: readonly EndpointSlice[],
  options: SchemaOptions,
): ReverseClaim[] {
  return claimsOf(service, slices, endpointNames(service, slices, options))
}

function recordsOf(
  service: Service,
  slices: readonly EndpointSlice[],
  options: SchemaOptions,
  names: EndpointNames,
): OwnerRecords[] {
  const visible = options.noEndpoints ? NONE : slices
  if (service.kind === 'Pending' || (options.ignoreEmptyService && isIdle(service, visible))) return []
  const own = ownRecords(service, serviceOwner(service), options, names)
  return options.okd === null ? own : okdRecords(service, visible, own, options, options.okd)
}

/** The endpoint names of a Service; none for one that has no use for them. */
function endpointNames(service: Service, slices: readonly EndpointSlice[], options: SchemaOptions): EndpointNames {
  const isBare = options.noEndpoints || service.kind === 'Pending' || service.kind === 'ExternalName'
  const visible = isBare ? NONE : slices
  return new EndpointNames(labelsOfSlices(visible, options)).add(visible, serviceOwner(service))
}

function claimsOf(service: Service, slices: readonly EndpointSlice[], { names }: EndpointNames): ReverseClaim[] {
  const claims: ReverseClaim[] = []
  if (service.kind === 'Pending' || service.kind === 'ExternalName') return claims
  const parent = serviceOwner(service)
  for (const address of distinctAddresses(service.clusterIPs)) {
    claims.push({ address, target: parent, rank: 3, createdAt: service.createdAt })
  }
  const unnamedRank = service.kind === 'Headless' ? 1 : 0
  // The age of endpoints is that of the object that lists them, not of their Service.
  const createdAt = slices.reduce((oldest, slice) => Math.min(oldest, slice.createdAt), Number.MAX_SAFE_INTEGER)
  for (const name of names) {
    const rank = name.endpoint.hostname !== '' ? 2 : unnamedRank
    for (const address of name.addresses) {
      claims.push({ address, target: name.owner, rank, createdAt })
    }
  }
  return claims
}

/**
 * Everything one ServiceImport puts into a multicluster zone. Endpoints are named `E.C.S`, C being the cluster of their
 * slice; slices without one, or with one that could be taken for a protocol, are ignored.
 *
 * @param slices those of this import, in any order
 */
export function importRecords(
  imported: ServiceImport,
  slices: readonly EndpointSlice[],
  options: SchemaOptions,
): OwnerRecords[] {
  const parent = serviceOwner(imported)
  const visible = options.noEndpoints ? NONE : slices.filter(({ cluster }) => cluster !== '' && cluster[0] !== '_')
  if (options.ignoreEmptyService && isIdle(imported, visible)) return []
  const names = new EndpointNames(kubernetesLabels(options))
  for (const [cluster, ofCluster] of Map.groupBy(visible, (slice) => slice.cluster.toLowerCase())) {
    names.add(ofCluster, [cluster, ...parent])
  }
  const owners: OwnerRecords[] = []
  if (imported.kind === 'Headless') pushHeadless(owners, parent, names)
  else if (imported.ports.length > 0) pushClusterIP(owners, parent, imported)
  pushEndpoints(owners, names)
  return owners
}

/** The names of a namespace itself: empty non-terminals, whether or not there is anything below them. */
export function namespaceRecords(namespace: string, options: SchemaOptions): OwnerRecords[] {
  const label = namespace.toLowerCase()
  const owners = [emptyOwner([label, 'svc'])]
  if (options.pods !== 'disabled') {
    owners.push({ ...emptyOwner([label, 'pod']), addressBelow: options.pods === 'insecure' })
  }
  if (options.okd !== null) owners.push(...okdNamespaceRecords(label, options.okd))
  return owners
}

/**
 * The names of a live Pod, with `pods verified`: each address by every spelling a client is likely to use.
 * Pods that share an address (host network) have the same owners: the caller keeps one.
 *
 * An IPv6 address has hundreds of spellings. Listed are the one of RFC 5952, that of the object, and all eight groups with
 * and without leading zeros; a last `-` also with the `0` that endpoint labels get.
 */
export function podRecords(pod: Pod, options: SchemaOptions): OwnerRecords[] {
  if (options.pods !== 'verified') return []
  const owners: OwnerRecords[] = []
  for (const address of distinctAddresses(pod.addresses)) {
    const texts = pod.addresses.filter((text) => !text.includes('.') && canonicalAddress(text) === address)
    for (const label of podLabels(texts, address)) {
      owners.push(addressOwner([label, pod.namespace.toLowerCase(), 'pod'], [address], NONE, 1))
    }
  }
  return owners
}

/** The names every forward zone has: the roots of its trees and the version of the schema. Not the apex, not `ns.dns`. */
export function zoneRecords(options: SchemaOptions): OwnerRecords[] {
  const owners = [emptyOwner(['svc']), emptyOwner(['pod']), { ...emptyOwner(['dns-version']), txt: ['1.1.0'] }]
  if (options.okd !== null) owners.push(...okdZoneRecords())
  return owners
}

/**
 * OKD's names of the API: `openshift.default.svc` and `local.dns` say what a Service says at its own name.
 *
 * @param service `default/openshift` if there is one, then it has the first name already; else `default/kubernetes`
 */
export function openshiftAlias(
  service: Service,
  slices: readonly EndpointSlice[],
  options: SchemaOptions,
): OwnerRecords[] {
  if (options.okd === null || !options.okd.openshiftAlias) return []
  const owner = serviceOwner(service).join('.')
  const itself = serviceRecords(service, slices, options).find((records) => records.owner.join('.') === owner)
  if (itself === undefined) return []
  const alias = { ...itself, owner: ['local', 'dns'] }
  return service.name === 'openshift' ? [alias] : [{ ...itself, owner: ['openshift', 'default', 'svc'] }, alias]
}

/** `S.NS.svc`. */
function serviceOwner(object: { readonly name: string; readonly namespace: string }): Labels {
  return [object.name.toLowerCase(), object.namespace.toLowerCase(), 'svc']
}

function isIdle(object: { readonly kind: string }, slices: readonly EndpointSlice[]): boolean {
  return object.kind === 'ClusterIP' && slices.every((slice) => slice.endpoints.length === 0)
}

/** How the endpoints of one Service are named. */
export function labelsOfSlices(slices: readonly EndpointSlice[], options: SchemaOptions): LabelOf {
  return options.okd === null ? kubernetesLabels(options) : okdLabels(slices, options)
}

/** The names that Kubernetes gives a Service. */
function ownRecords(service: Service, parent: Labels, options: SchemaOptions, names: EndpointNames): OwnerRecords[] {
  if (service.kind === 'ExternalName') {
    const cname = service.externalName
    return cname === '' || canonicalAddress(cname) !== '' ? [] : [{ ...emptyOwner(parent), cname }]
  }
  const owners: OwnerRecords[] = []
  if (service.kind === 'ClusterIP') {
    pushClusterIP(owners, parent, service)
  } else {
    pushHeadless(owners, parent, names)
    if (options.zonal) pushZonal(owners, parent, names)
  }
  pushEndpoints(owners, names)
  return owners
}

/** `S` and `_P._T.S` of a Service with cluster IPs, with or without endpoints. */
function pushClusterIP(
  owners: OwnerRecords[],
  parent: Labels,
  object: { readonly clusterIPs: readonly string[]; readonly ports: readonly Port[] },
): void {
  const addresses = distinctAddresses(object.clusterIPs)
  if (addresses.length === 0) return
  owners.push(clusterRecords(parent, parent, addresses, object.ports))
  for (const port of namedPorts([object])) {
    const ofPort = object.ports.filter((other) => samePortName(other, port))
    owners.push(clusterRecords([...portLabels(port), ...parent], parent, addresses, ofPort))
  }
}

/** `S` and `_P._T.S` of a headless Service. Nothing, if no endpoint is ready: then `S` must not exist. */
export function pushHeadless(owners: OwnerRecords[], parent: Labels, names: EndpointNames): void {
  if (names.isEmpty) return
  owners.push(names.records(parent))
  for (const port of names.namedPorts()) {
    const records = names.recordsOfPorts([...portLabels(port), ...parent], (other) => samePortName(other, port))
    if (records !== null) owners.push(records)
  }
}

/** `E.S`: every endpoint name by itself. */
export function pushEndpoints(owners: OwnerRecords[], names: EndpointNames): void {
  for (const { owner, addresses, srv, tupleCount } of names.names) {
    owners.push(addressOwner(owner, addresses, srv, tupleCount))
  }
}

/** `pin` and `prefer` of a headless Service: a name for every topology zone, a wildcard for those nobody has. */
function pushZonal(owners: OwnerRecords[], parent: Labels, names: EndpointNames): void {
  if (names.isEmpty) return
  const pin = ['pin', '_zone', ...parent]
  const prefer = ['prefer', '_zone', ...parent]
  const zones = new Map<string, Labels>()
  const above = new Map<string, Labels>()
  for (const zone of names.zones()) {
    const labels = zone.split('.')
    if (labels.includes('')) continue
    zones.set(zone, labels)
    for (let i = 1; i < labels.length; i++) above.set(labels.slice(i).join('.'), labels.slice(i))
  }
  for (const [zone, labels] of zones) {
    const ofZone = names.ofEndpoints((endpoint) => endpoint.zone.toLowerCase() === zone)
    if (ofZone.isEmpty) continue
    owners.push(ofZone.records([...labels, ...pin]), ofZone.records([...labels, ...prefer]))
    above.delete(zone)
  }
  // `dc.one` makes `one` exist, and a name that exists hides the wildcard.
  for (const labels of above.values()) owners.push(names.records([...labels, ...prefer]))
  owners.push({ ...emptyOwner(['*', ...pin]), wildcard: 'any' })
  owners.push({ ...names.records(['*', ...prefer]), wildcard: 'any' })
}

function podLabels(texts: readonly string[], address: string): Set<string> {
  if (addressFamily(address) === 4) return new Set([dashedAddress(address)])
  const labels = new Set<string>()
  for (const spelling of [address, ...texts, expandedAddress(address, false), expandedAddress(address, true)]) {
    const dashes = spelling.toLowerCase().replaceAll(':', '-')
    labels.add(dashes).add(dashedAddress(spelling))
  }
  return labels
}
