// Where a name of a forward zone stands among the names that the objects around it make: which object made it, and by
// which rule. The records themselves come from the schema, so that the two cannot disagree.
// Not here: which field a record comes from (origins.ts), what to say about a missing name (missing-name.ts).

import { canonicalAddress } from './address.ts'
import type { ClusterView } from './cluster-view.ts'
import { endpointLabel, okdHash } from './endpoint-label.ts'
import { emptyOwner } from './endpoint-names.ts'
import type { EndpointSlice, Pod, Service, ServiceImport } from './objects.ts'
import type { Labels, OwnerRecords } from './records.ts'
import { importRecords, namespaceRecords, openshiftAlias, podRecords, zoneRecords } from './schema.ts'

/** How a name stands to the names there are. */
export type NodeKind = 'exact' | 'empty non-terminal' | 'wildcard' | 'address' | 'missing'

/** What made an owner. */
export type Maker =
  | { readonly kind: 'Zone' }
  | { readonly kind: 'Namespace'; readonly object: string }
  | { readonly kind: 'Service'; readonly object: Service; readonly slices: readonly EndpointSlice[] }
  | { readonly kind: 'ServiceImport'; readonly object: ServiceImport; readonly slices: readonly EndpointSlice[] }
  | { readonly kind: 'Pod'; readonly object: Pod }

/** A name among the others. */
export interface Located {
  readonly node: NodeKind
  /**
   * Labels left of the zone: the name itself, the source of synthesis, for `address` the namespace's name, for `missing` the
   * closest encloser (RFC 4592 §3.3.1).
   */
  readonly owner: Labels
  /** What is there; null unless something is at `owner` itself. */
  readonly records: OwnerRecords | null
  readonly maker: Maker
  /** One line: why the name has what it has. */
  readonly rule: string
}

interface Made {
  readonly records: OwnerRecords
  readonly maker: Maker
}

const ZONE: Maker = { kind: 'Zone' }
const TREES: ReadonlySet<string> = new Set(['svc', 'pod', 'endpoints'])

/**
 * Locates a name.
 *
 * @param labels left of the zone, lower case; not empty
 * @param multicluster whether the zone is a multicluster zone
 */
export function locate(view: ClusterView, labels: Labels, multicluster: boolean): Located {
  const made = namesAround(view, labels, multicluster)
  const exact = made.find(({ records }) => records.wildcard === '' && sameLabels(records.owner, labels))
  if (exact !== undefined) return found('exact', exact, view)
  const below = made.find(({ records }) => isBelow(records.owner, labels))
  if (below !== undefined) {
    const rule = 'no records of its own, but names below it'
    return { node: 'empty non-terminal', owner: labels, records: null, maker: below.maker, rule }
  }
  const wildcards = made.filter(({ records }) => synthesizes(records, labels))
  wildcards.sort((a, b) => b.records.owner.length - a.records.owner.length)
  if (wildcards.length > 0) return found('wildcard', wildcards[0], view)
  const pods = made.find(({ records }) => records.addressBelow && sameLabels(records.owner, labels.slice(1)))
  if (pods !== undefined && addressOfPodLabel(labels[0]) !== '') return found('address', pods, view)
  return missing(labels, made)
}

/** The address that the label of a Pod's name spells, '' if none (Kubernetes DNS specification 1.1.0, Pod names). */
export function addressOfPodLabel(label: string): string {
  const isFour = label.split('-').length === 4 && !label.includes('--')
  return canonicalAddress(label.replaceAll('-', isFour ? '.' : ':'))
}

/** All owners that could be the name, or could be next to it. */
function namesAround(view: ClusterView, labels: Labels, multicluster: boolean): Made[] {
  const { schema, zones } = view.source
  const made: Made[] = zoneRecords(schema).map((records) => ({ records, maker: ZONE }))
  // The caller of the schema writes the name server's own name, with or without addresses.
  if (zones.length > 0) made.push({ records: emptyOwner(['ns', 'dns']), maker: ZONE })
  for (const namespace of new Set([labels.at(-2), labels.at(-1)])) {
    if (namespace === undefined || !view.isExposed(namespace)) continue
    const maker: Maker = { kind: 'Namespace', object: namespace }
    for (const records of namespaceRecords(namespace, schema)) made.push({ records, maker })
  }
  if (multicluster) return [...made, ...importsAround(view, labels)]
  const isLong = TREES.has(labels.at(-1)!)
  const [name, namespace] = isLong ? [labels.at(-3), labels.at(-2)] : [labels.at(-2), labels.at(-1)]
  if (name !== undefined && namespace !== undefined) made.push(...servicesAround(view, namespace, name))
  if (schema.pods === 'verified' && labels.at(-1) === 'pod') made.push(...podsAround(view, labels))
  return [...made, ...aliases(view)]
}

function servicesAround(view: ClusterView, namespace: string, name: string): Made[] {
  const object = view.service(namespace, name)
  if (object === undefined) return []
  const slices = view.slicesOf(namespace, name)
  const maker: Maker = { kind: 'Service', object, slices }
  return view.recordsOf(object).map((records) => ({ records, maker }))
}

function importsAround(view: ClusterView, labels: Labels): Made[] {
  const [name, namespace] = [labels.at(-3), labels.at(-2)]
  const object = name === undefined || namespace === undefined ? undefined : view.imported(namespace, name)
  if (object === undefined) return []
  const slices = view.slicesOfImport(object.namespace, object.name)
  const maker: Maker = { kind: 'ServiceImport', object, slices }
  return importRecords(object, slices, view.source.schema).map((records) => ({ records, maker }))
}

/** A Pod answers for every spelling of its addresses: the records are found by value. */
function podsAround(view: ClusterView, labels: Labels): Made[] {
  const namespace = labels.at(-2)
  const address = labels.length === 3 ? addressOfPodLabel(labels[0]) : ''
  if (namespace === undefined || address === '' || !view.isExposed(namespace)) return []
  const owners = view
    .podsOf(namespace)
    .filter((pod) => pod.addresses.some((text) => canonicalAddress(text) === address))
    .map((object): Made => {
      const records = podRecords(object, view.source.schema).find(({ addresses }) => addresses[0] === address)!
      return { records: { ...records, owner: labels }, maker: { kind: 'Pod', object } }
    })
  return owners.slice(0, 1)
}

function aliases(view: ClusterView): Made[] {
  const object = view.service('default', 'openshift') ?? view.service('default', 'kubernetes')
  if (object === undefined) return []
  const slices = view.slicesOf(object.namespace, object.name)
  const maker: Maker = { kind: 'Service', object, slices }
  return openshiftAlias(object, slices, view.source.schema).map((records) => ({ records, maker }))
}

function found(node: NodeKind, { records, maker }: Made, view: ClusterView): Located {
  return { node, owner: records.owner, records, maker, rule: ruleOf(records, maker, view) }
}

function missing(labels: Labels, made: readonly Made[]): Located {
  for (let i = 1; i < labels.length; i++) {
    const owner = labels.slice(i)
    const encloser = made.find(({ records }) => sameLabels(records.owner, owner) || isBelow(records.owner, owner))
    if (encloser === undefined) continue
    const { maker } = encloser
    return { node: 'missing', owner, records: null, maker, rule: 'the name does not exist' }
  }
  return { node: 'missing', owner: [], records: null, maker: ZONE, rule: 'the name does not exist' }
}

function sameLabels(a: Labels, b: Labels): boolean {
  return a.length === b.length && a.every((label, i) => label === b[i])
}

function isBelow(name: Labels, ancestor: Labels): boolean {
  return name.length > ancestor.length && sameLabels(name.slice(-ancestor.length), ancestor)
}

function synthesizes({ owner, wildcard }: OwnerRecords, labels: Labels): boolean {
  if (wildcard === '' || !isBelow(labels, owner.slice(1))) return false
  const left = labels.slice(0, labels.length - owner.length + 1)
  if (wildcard === 'any') return true
  return left.at(-1) !== '_endpoints' && left.some((label) => !label.startsWith('_'))
}

function ruleOf(records: OwnerRecords, maker: Maker, view: ClusterView): string {
  switch (maker.kind) {
    case 'Zone':
      return zoneRule(records.owner)
    case 'Namespace':
      return records.addressBelow
        ? 'pods insecure: the address is in the name itself, and the namespace exists'
        : 'a namespace: an empty non-terminal'
    case 'Pod':
      return 'pods verified: a Pod of the namespace has the address'
    case 'ServiceImport':
      return records.owner.length === 5 && !records.owner[1].startsWith('_')
        ? 'endpoint of a ServiceImport, by its cluster'
        : serviceRule(records.owner.slice(0, -3), maker.object.kind, 'ServiceImport')
    case 'Service':
      return serviceNameRule(records, maker.object, maker.slices, view)
  }
}

function zoneRule(owner: Labels): string {
  if (owner[0] === 'dns-version') return 'the version of the DNS schema'
  if (owner[0] === 'ns') return "the name server's own name: the addresses it listens on, loopback left out"
  return 'the root of a tree: an empty non-terminal'
}

function serviceNameRule(
  { owner, wildcard }: OwnerRecords,
  service: Service,
  slices: readonly EndpointSlice[],
  view: ClusterView,
): string {
  const name = service.name.toLowerCase()
  const tree = owner.at(-1)!
  const end = TREES.has(tree) ? 3 : 2
  if (owner.at(-end) !== name) return `OKD alias of ${service.name}.${service.namespace}.svc`
  const left = owner.slice(0, -end)
  const short = end === 2 ? 'OKD short name; ' : ''
  if (wildcard === 'service') return `${short}OKD wildcard: any name below a ${service.kind} Service is that Service`
  if (left.at(-1) === '_endpoints') return `${short}OKD _endpoints: the ready endpoints, whatever the Service is`
  const kind = tree === 'endpoints' ? 'Headless' : service.kind
  const rule =
    left.length === 1 && !left[0].startsWith('_')
      ? endpointRule(left[0], service, slices, view)
      : serviceRule(left, kind, 'Service')
  return tree === 'endpoints' ? `OKD endpoints subtree; ${rule}` : `${short}${rule}`
}

function serviceRule(left: Labels, kind: Service['kind'], object: string): string {
  const what = kind === 'ClusterIP' ? 'cluster IPs' : 'ready endpoints'
  if (left.at(-1) === '_zone') {
    const directive = left.at(-2)
    const otherwise = directive === 'prefer' ? ', or all if there are none' : ''
    return `${directive}: ready endpoints of topology zone ${left.slice(0, -2).join('.')}${otherwise}`
  }
  if (left.length === 2) return `port ${left.join('.')} of a ${object} with ${what}`
  if (left.length === 1) return `OKD: all named ports of protocol ${left[0]}`
  if (kind === 'ExternalName') return 'ExternalName Service: a CNAME'
  return `${kind === 'ClusterIP' ? 'ClusterIP' : 'headless'} ${object}: its ${what}`
}

function endpointRule(label: string, service: Service, slices: readonly EndpointSlice[], view: ClusterView): string {
  const endpoints = slices.flatMap((slice) => slice.endpoints)
  if (endpoints.some(({ hostname }) => hostname.toLowerCase() === label)) return 'endpoint, by its hostname'
  const generated = endpoints.filter((endpoint) => endpointLabel(endpoint, view.source.schema) === label)
  if (generated.some(({ podName }) => podName.toLowerCase() === label)) return "endpoint, by its Pod's name"
  if (generated.length > 0) return 'endpoint without hostname, by its address with dashes'
  return service.clusterIPs.some((text) => okdHash(text) === label) &&
    !endpoints.some((e) => okdHash(e.address) === label)
    ? 'OKD: the hash of a cluster IP'
    : 'OKD: endpoint without hostname, by the hash of its address'
}
