// The names of k8s_external: what one Service holds in a zone for clients outside of the cluster. Pure functions.
// Not here: the names inside of the cluster (schema.ts), writing them (external-zones.ts).

import { canonicalAddress } from './address.ts'
import { kubernetesLabels, type LabelOptions } from './endpoint-label.ts'
import {
  addressOwner,
  distinctAddresses,
  EndpointNames,
  emptyOwner,
  namedPorts,
  portLabels,
  samePortName,
} from './endpoint-names.ts'
import type { EndpointSlice, Port, Service } from './objects.ts'
import type { Labels, OwnerRecords, ReverseClaim, SrvRecord } from './records.ts'
import { pushEndpoints, pushHeadless } from './schema.ts'

/** The options that external names depend on. */
export interface ExternalSchema {
  /** Labels of the name server's subtree, lower case: ['dns']. */
  readonly apex: Labels
  /** Services without external addresses are known by their endpoints. */
  readonly headless: boolean
  readonly labels: LabelOptions
}

const NONE: readonly never[] = []

/**
 * Everything a Service puts into an external zone, relative to the zone.
 *
 * @param slices those of this Service; of use only with `headless`
 */
export function externalRecords(
  service: Service,
  slices: readonly EndpointSlice[],
  options: ExternalSchema,
): readonly OwnerRecords[] {
  if (service.kind === 'Pending' || isHidden(service.namespace, options)) return NONE
  const owners: OwnerRecords[] = []
  const parent = externalOwner(service)
  if (service.externalAddresses.length > 0) pushExternal(owners, parent, service)
  else if (options.headless && service.kind !== 'ExternalName') {
    const names = new EndpointNames(kubernetesLabels(options.labels)).add(slices, parent)
    if (service.kind === 'Headless') pushHeadless(owners, parent, names)
    pushEndpoints(owners, names)
  }
  return owners
}

/** What a Service says about the names of its external addresses. Services that share one have a PTR each. */
export function externalClaims(service: Service, options: ExternalSchema): readonly ReverseClaim[] {
  if (service.kind === 'Pending' || isHidden(service.namespace, options)) return NONE
  const target = externalOwner(service)
  return distinctAddresses(service.externalAddresses).map((address) => ({ address, target, rank: 0, createdAt: 0 }))
}

/** The name of an exposed namespace: there, even if nothing is below it. */
export function externalNamespaceRecords(namespace: string, options: ExternalSchema): readonly OwnerRecords[] {
  return isHidden(namespace, options) ? NONE : [emptyOwner([namespace.toLowerCase()])]
}

/** Labels of the name server's own name: `ns1.<apex>`. */
export function externalNameServer({ apex }: ExternalSchema): Labels {
  return ['ns1', ...apex]
}

/** `S.NS`. */
function externalOwner({ name, namespace }: Service): Labels {
  return [name.toLowerCase(), namespace.toLowerCase()]
}

/** A namespace that is named as the subtree of the name server cannot be reached: nothing else is there. */
export function isHidden(namespace: string, { apex }: ExternalSchema): boolean {
  return namespace.toLowerCase() === apex.at(-1)
}

/** `S` and `_P._T.S` of a Service with external addresses or host names. */
function pushExternal(owners: OwnerRecords[], parent: Labels, service: Service): void {
  const addresses = distinctAddresses(service.externalAddresses)
  const names = service.externalAddresses.filter((text) => canonicalAddress(text) === '')
  const hosts = [...new Set(names.map((name) => name.toLowerCase()))]
  owners.push(recordsOf(parent, parent, addresses, hosts, service.ports))
  for (const port of namedPorts([service])) {
    const ofPort = service.ports.filter((other) => samePortName(other, port))
    owners.push(recordsOf([...portLabels(port), ...parent], parent, addresses, hosts, ofPort))
  }
}

/** As of a Service with cluster IPs; host names are further targets. Beside addresses there can be no CNAME, and never two. */
function recordsOf(
  owner: Labels,
  parent: Labels,
  addresses: readonly string[],
  hosts: readonly string[],
  ports: readonly Port[],
): OwnerRecords {
  const srv: SrvRecord[] = []
  for (const port of new Set(ports.map((each) => each.port))) {
    if (addresses.length > 0) srv.push({ port, target: parent, addresses })
    for (const target of hosts) srv.push({ port, target, addresses: NONE })
  }
  const records = addressOwner(owner, addresses, srv, ports.length * (addresses.length + hosts.length))
  return addresses.length > 0 ? records : { ...records, cname: hosts[0] }
}
