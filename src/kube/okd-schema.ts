// The names of OKD 3.11's built-in DNS, beside those of Kubernetes. Where both define a name Kubernetes wins: what is made
// here fills only what is left. SRV has Kubernetes' priority, weight and ports.
// Not here: Kubernetes' own names (schema.ts); what a wildcard matches (the index).

import { hashLabels, okdHash, okdLabels } from './endpoint-label.ts'
import {
  addressOwner,
  clusterRecords,
  distinctAddresses,
  EndpointNames,
  emptyOwner,
  namedPorts,
  portLabels,
  protocolLabel,
  samePortName,
} from './endpoint-names.ts'
import type { EndpointSlice, Port, Service } from './objects.ts'
import type { Labels, OwnerRecords } from './records.ts'
import type { OkdOptions, SchemaOptions } from './schema.ts'

/** Labels directly below the zone that begin a tree or are a name: no namespace is reachable by them. */
const RESERVED: ReadonlySet<string> = new Set(['svc', 'pod', 'endpoints'])

/** `endpoints`, the root of the third tree. */
export function okdZoneRecords(): OwnerRecords[] {
  return [emptyOwner(['endpoints'])]
}

/** @param namespace lower case */
export function okdNamespaceRecords(namespace: string, okd: OkdOptions): OwnerRecords[] {
  const owners = [emptyOwner([namespace, 'endpoints'])]
  // `dns-version` has an owner already, the one with the TXT record.
  if (okd.shortNames && !RESERVED.has(namespace) && namespace !== 'dns-version') owners.push(emptyOwner([namespace]))
  return owners
}

/**
 * All owners of one Service with OKD's among them, each once.
 *
 * @param slices those of this Service that may be seen
 * @param own the owners Kubernetes gives it; if there are none, the Service has no OKD name either
 */
export function okdRecords(
  service: Service,
  slices: readonly EndpointSlice[],
  own: readonly OwnerRecords[],
  options: SchemaOptions,
  okd: OkdOptions,
): OwnerRecords[] {
  const names = new OwnerSet(own)
  const name = service.name.toLowerCase()
  const namespace = service.namespace.toLowerCase()
  const parent = [name, namespace, 'svc']
  const itself = names.get(parent)
  if (itself === undefined) return names.list()
  const endpoints = new EndpointNames(okdLabels(slices, options)).add(slices, parent)
  addEndpointsLabel(names, parent, endpoints)
  if (service.kind === 'Headless') addEndpointProtocols(names, parent, endpoints)
  else addProtocols(names, parent, service)
  if (service.kind !== 'ExternalName') addHashes(names, parent, service, slices, options)
  if (okd.wildcard && service.kind !== 'Headless') {
    names.add({ ...itself, owner: ['*', ...parent], wildcard: 'service' })
  }
  addEndpointsTree(names, [name, namespace, 'endpoints'], slices, options)
  if (okd.shortNames && !RESERVED.has(namespace) && !isNameServer(name, namespace, okd)) addShortNames(names)
  return names.list()
}

/** `_endpoints.S`, and anything left of it: the ready endpoints, whatever the Service is. */
function addEndpointsLabel(names: OwnerSet, parent: Labels, endpoints: EndpointNames): void {
  if (endpoints.isEmpty) return
  const data = endpoints.records(['_endpoints', ...parent])
  names.add(data)
  names.add({ ...data, owner: ['*', ...data.owner], wildcard: 'any' })
}

/** `_T.S`: every named port of a protocol. For an ExternalName Service `_P._T.S` too: SRV records to the external name. */
function addProtocols(names: OwnerSet, parent: Labels, service: Service): void {
  const addresses = distinctAddresses(service.clusterIPs)
  for (const port of namedPorts([service])) {
    const protocol = protocolLabel(port)
    const ofProtocol = service.ports.filter((other) => other.name !== '' && other.protocol === port.protocol)
    if (service.kind === 'ClusterIP') {
      names.add(clusterRecords([protocol, ...parent], parent, addresses, ofProtocol))
    } else {
      const ofPort = service.ports.filter((other) => samePortName(other, port))
      names.add(externalRecords([protocol, ...parent], service.externalName, ofProtocol))
      names.add(externalRecords([...portLabels(port), ...parent], service.externalName, ofPort))
    }
  }
}

function addEndpointProtocols(names: OwnerSet, parent: Labels, endpoints: EndpointNames): void {
  for (const port of endpoints.namedPorts()) {
    const keep = (other: Port): boolean => other.name !== '' && other.protocol === port.protocol
    const records = endpoints.recordsOfPorts([protocolLabel(port), ...parent], keep)
    if (records !== null) names.add(records)
  }
}

function externalRecords(owner: Labels, target: string, ports: readonly Port[]): OwnerRecords {
  const numbers = new Set(ports.map(({ port }) => port))
  const srv = Array.from(numbers, (port) => ({ port, target, addresses: [] }))
  return addressOwner(owner, [], srv, ports.length)
}

/** The hashes that OKD called endpoints without hostname by, and the hash of each cluster IP. */
function addHashes(
  names: OwnerSet,
  parent: Labels,
  service: Service,
  slices: readonly EndpointSlice[],
  options: SchemaOptions,
): void {
  addNames(names, new EndpointNames(hashLabels(slices, options)).add(slices, parent))
  for (const text of service.clusterIPs) {
    const addresses = distinctAddresses([text])
    if (addresses.length > 0) names.add(clusterRecords([okdHash(text), ...parent], parent, addresses, service.ports))
  }
}

/** `S.NS.endpoints`: the ready endpoints of any Service, by every label they have; SRV targets are OKD's, in this tree. */
function addEndpointsTree(
  names: OwnerSet,
  parent: Labels,
  slices: readonly EndpointSlice[],
  options: SchemaOptions,
): void {
  const endpoints = new EndpointNames(hashLabels(slices, options)).add(slices, parent)
  if (endpoints.isEmpty) return
  names.add(endpoints.records(parent))
  addEndpointsLabel(names, parent, endpoints)
  for (const port of endpoints.namedPorts()) {
    const owner = [...portLabels(port), ...parent]
    const records = endpoints.recordsOfPorts(owner, (other) => samePortName(other, port))
    if (records !== null) names.add(records)
  }
  addEndpointProtocols(names, parent, endpoints)
  // Kubernetes' labels first: where a hash has the text of a Pod's name, both trees say the same.
  addNames(names, new EndpointNames(okdLabels(slices, options)).add(slices, parent))
  addNames(names, endpoints)
}

function addNames(names: OwnerSet, endpoints: EndpointNames): void {
  for (const { owner, addresses, srv, tupleCount } of endpoints.names) {
    names.add(addressOwner(owner, addresses, srv, tupleCount))
  }
}

/** `S.NS` and all that is below it: the same as with `svc` behind it, targets included. */
function addShortNames(names: OwnerSet): void {
  for (const records of names.list()) {
    if (records.owner.at(-1) === 'svc') names.add({ ...records, owner: records.owner.slice(0, -1) })
  }
}

/** `ns.dns` is the name server's own name, `local.dns` the alias of `openshift.default.svc`. */
function isNameServer(name: string, namespace: string, okd: OkdOptions): boolean {
  return namespace === 'dns' && (name === 'ns' || (okd.openshiftAlias && name === 'local'))
}

/** Owners, each once: the first to come stays. */
class OwnerSet {
  readonly #byName = new Map<string, OwnerRecords>()

  constructor(records: readonly OwnerRecords[]) {
    for (const owner of records) this.add(owner)
  }

  add(records: OwnerRecords): void {
    const name = keyOf(records.owner)
    if (!this.#byName.has(name)) this.#byName.set(name, records)
  }

  get(owner: Labels): OwnerRecords | undefined {
    return this.#byName.get(keyOf(owner))
  }

  list(): OwnerRecords[] {
    return [...this.#byName.values()]
  }
}

/** A label may hold a dot (JSON would do, slower): the separator is a character no object name can have. */
function keyOf(owner: Labels): string {
  return owner.join('\0')
}
