// What there is around a name that does not exist, or that has no record of the type asked for: sentences for people.
// They follow the grammar of names from the right, and stop at the first label that leads nowhere.

import { canonicalAddress } from './address.ts'
import type { ClusterView } from './cluster-view.ts'
import { dashedAddress, endpointLabel } from './endpoint-label.ts'
import { portLabels, protocolLabel } from './endpoint-names.ts'
import { addressOfPodLabel } from './located-name.ts'
import type { Endpoint, EndpointSlice, Port, Service, ServiceImport } from './objects.ts'
import type { Labels } from './records.ts'
import { nearest } from './suggestions.ts'

const LISTED_MAX = 8

/**
 * Why a name of a forward zone does not exist, and what does.
 *
 * @param labels left of the zone, lower case; not empty
 */
export function aroundMissing(view: ClusterView, labels: Labels, multicluster: boolean): string[] {
  const { schema } = view.source
  const [tree, namespace, name] = [labels.at(-1)!, labels.at(-2), labels.at(-3)]
  if (tree === 'pod') return aroundPod(view, labels)
  if (tree !== 'svc' && !(tree === 'endpoints' && schema.okd !== null)) return aroundTree(view, labels)
  if (namespace === undefined) return []
  if (!view.isExposed(namespace)) {
    return [...aroundNamespace(view, namespace), ...(name === undefined ? [] : elsewhere(view, name))]
  }
  const known = `namespace ${namespace} exists`
  if (name === undefined) return [known]
  const object = multicluster ? view.imported(namespace, name) : view.service(namespace, name)
  if (object === undefined) return aroundService(view, namespace, name, multicluster)
  const slices = multicluster ? view.slicesOfImport(namespace, name) : view.slicesOf(namespace, name)
  const idle = whyNothing(view, object, slices, tree)
  if (idle !== '') return [idle]
  return [`${describe(object)} exists`, ...aroundEndpoint(view, object, slices, labels.slice(0, -3), multicluster)]
}

/** First label that is neither tree nor short form. */
function aroundTree(view: ClusterView, labels: Labels): string[] {
  const { schema } = view.source
  const [last, before] = [labels.at(-1)!, labels.at(-2)]
  const says: string[] = []
  if (last === 'endpoints') says.push('the endpoints subtree is one of the names of OKD, which are off (--okd)')
  else if (view.isExposed(last)) {
    const whole = `${labels.join('.')}.svc`
    says.push(
      `${last} is a namespace: Services are below ${last}.svc${before === undefined ? '' : `; did you mean ${whole}?`}`,
    )
    if (before !== undefined && schema.okd?.shortNames !== true) says.push('short names are off (--okd-short-names)')
  } else {
    const trees = ['svc', 'pod', 'dns-version', ...(schema.okd === null ? [] : ['endpoints'])]
    says.push(`a zone has ${trees.join(', ')} below it${didYouMean(last, trees)}`)
  }
  return says
}

function aroundNamespace(view: ClusterView, namespace: string): string[] {
  if (view.source.objects.namespaces.has(namespace)) {
    return [`namespace ${namespace} exists, but is not one of those that are served (--namespaces)`]
  }
  return [`no namespace ${namespace}${didYouMean(namespace, view.exposedNamespaces())}`]
}

function aroundService(view: ClusterView, namespace: string, name: string, multicluster: boolean): string[] {
  const kind = multicluster ? 'ServiceImport' : 'Service'
  const near = didYouMean(name, view.names(namespace, multicluster))
  const says = [`namespace ${namespace} exists; no ${kind} ${name}${near === '' ? '' : near}`]
  if (multicluster) return says
  const elsewhere = view.exposedNamespaces().filter((other) => view.service(other, name) !== undefined)
  if (elsewhere.length > 0)
    says.push(`Service ${name} exists in ${plural('namespace', elsewhere)} ${listed(elsewhere)}`)
  const orphans = view.slicesOf(namespace, name)
  if (orphans.length > 0) {
    says.push(
      `${plural('EndpointSlice', orphans)} ${listed(orphans.map(keyOf))}: for a Service ${name} that does not exist`,
    )
  }
  const endpoint = view.names(namespace, multicluster).filter((other) => hasEndpoint(view, namespace, other, name))
  if (endpoint.length > 0) says.push(`an endpoint of that name: ${name}.${endpoint[0]}.${namespace}.svc`)
  return says
}

function elsewhere(view: ClusterView, name: string): string[] {
  const others = view.exposedNamespaces().filter((namespace) => view.service(namespace, name) !== undefined)
  return others.length === 0 ? [] : [`Service ${name} exists in ${plural('namespace', others)} ${listed(others)}`]
}

function hasEndpoint(view: ClusterView, namespace: string, service: string, label: string): boolean {
  return labelsOf(view, view.slicesOf(namespace, service)).includes(label)
}

/** Why an object that exists makes no name at all, '' if it makes some. */
function whyNothing(
  view: ClusterView,
  object: Service | ServiceImport,
  slices: readonly EndpointSlice[],
  tree: string,
): string {
  const { schema } = view.source
  const what = describe(object)
  const addressCount = slices.reduce((count, slice) => count + slice.endpoints.length, 0)
  const ready = schema.noEndpoints
    ? 'endpoints are not looked at (--noendpoints)'
    : `${slices.length} ${plural('EndpointSlice', slices)} with ${addressCount} ready addresses`
  if (object.kind === 'Pending') return `${what} has no cluster IP yet`
  if ('externalName' in object && object.kind === 'ExternalName' && canonicalAddress(object.externalName) !== '') {
    return `${what} has the address ${object.externalName} for an external name, which makes no record`
  }
  if (addressCount > 0) return ''
  if (object.kind === 'Headless') return `${what} is headless and has no ready endpoint: ${ready}`
  if (tree === 'endpoints') return `${what} has no ready endpoint: ${ready}`
  if (object.kind === 'ClusterIP' && schema.ignoreEmptyService) {
    return `${what} has no ready endpoint, and those have no names (--ignore empty_service): ${ready}`
  }
  return ''
}

/** `left`: the labels left of a Service that has names. */
function aroundEndpoint(
  view: ClusterView,
  object: Service | ServiceImport,
  slices: readonly EndpointSlice[],
  left: Labels,
  multicluster: boolean,
): string[] {
  if (left.length === 0) return []
  if (object.kind === 'ExternalName') return ['an ExternalName Service has no names below it']
  const says: string[] = []
  const ports = object.kind === 'Headless' ? slices.flatMap((slice) => slice.ports) : object.ports
  if (left.some((label) => label.startsWith('_'))) says.push(...aroundPort(left, ports))
  else if (left.length === 2 && !multicluster && isPortWithoutUnderscores(left, ports)) {
    says.push(`did you mean _${left[0]}._${left[1]}?`)
  } else if (multicluster) says.push(...aroundClusterLabel(view, slices, left))
  else says.push(...aroundLabel(view, slices, left))
  if (view.source.schema.okd === null && left.includes('_endpoints')) {
    says.push('_endpoints is one of the names of OKD, which are off (--okd)')
  }
  return says
}

function aroundPort(left: Labels, ports: readonly Port[]): string[] {
  const named = [...new Set(ports.filter(({ name }) => name !== '').map((port) => portLabels(port).join('.')))]
  const unnamed = ports.filter(({ name }) => name === '').length
  if (named.length === 0) return [`it has no named port${unnamed > 0 ? `, and ${unnamed} without a name` : ''}`]
  return [`its ports: ${listed(named)}${didYouMean(left.join('.'), named)}`]
}

function isPortWithoutUnderscores(left: Labels, ports: readonly Port[]): boolean {
  return ports.some((port) => port.name === left[0] && protocolLabel(port) === `_${left[1]}`)
}

function aroundLabel(view: ClusterView, slices: readonly EndpointSlice[], left: Labels): string[] {
  const label = left.at(-1)!
  const labels = labelsOf(view, slices)
  if (labels.length === 0) return ['it has no ready endpoint']
  const hidden = slices.flatMap(({ endpoints }) => endpoints).find((endpoint) => isOtherNameOf(endpoint, label))
  if (left.length === 1 && hidden !== undefined) {
    const own = endpointLabel(hidden, view.source.schema)
    if (own !== label) return [`${hidden.address} is the endpoint ${own}, and has no other name`]
  }
  if (labels.includes(label)) return [`endpoint ${label} exists; nothing is below it`]
  return [`its endpoints: ${listed(labels)}${didYouMean(label, labels)}`]
}

/** `E.C`: endpoints of a ServiceImport have their cluster in their name. */
function aroundClusterLabel(view: ClusterView, slices: readonly EndpointSlice[], left: Labels): string[] {
  const labels = slices.flatMap((slice) => labelsOf(view, [slice]).map((label) => `${label}.${slice.cluster}`))
  if (labels.length === 0) return ['it has no ready endpoint']
  return [`its endpoints: ${listed(labels)}${didYouMean(left.join('.'), labels)}`]
}

function isOtherNameOf(endpoint: Endpoint, label: string): boolean {
  return dashedAddress(endpoint.address) === label || endpoint.podName === label
}

function aroundPod(view: ClusterView, labels: Labels): string[] {
  const { schema } = view.source
  const namespace = labels.at(-2)
  if (namespace === undefined) return []
  if (schema.pods === 'disabled') return ['Pods have no names (--pods disabled)']
  if (!view.isExposed(namespace)) return aroundNamespace(view, namespace)
  if (labels.length > 3) return [`nothing is below the name of a Pod`]
  const address = addressOfPodLabel(labels[0])
  if (address === '') {
    const pod = view.podsOf(namespace).find(({ name }) => name === labels[0])
    const own = pod === undefined ? [] : pod.addresses.map((text) => `${dashedAddress(text)}.${namespace}.pod`)
    const hint = own.length === 0 ? '' : `; Pod ${namespace}/${labels[0]} is ${own.join(', ')}`
    return [`namespace ${namespace} exists; ${labels[0]} spells no address, and Pods are named by theirs${hint}`]
  }
  const holders = [...view.source.objects.pods.values()].filter((pod) =>
    pod.addresses.some((text) => canonicalAddress(text) === address),
  )
  const held = holders.length === 0 ? '' : `; ${listed(holders.map(keyOf))} has it`
  return [`namespace ${namespace} exists; none of its Pods has ${address} (--pods verified)${held}`]
}

function labelsOf(view: ClusterView, slices: readonly EndpointSlice[]): string[] {
  const labels = slices.flatMap(({ endpoints }) => endpoints.map((e) => endpointLabel(e, view.source.schema)))
  return [...new Set(labels)]
}

function describe(object: Service | ServiceImport): string {
  return `${'externalName' in object ? 'Service' : 'ServiceImport'} ${keyOf(object)}`
}

function didYouMean(text: string, candidates: Iterable<string>): string {
  const near = nearest(text, candidates)
  return near.length === 0 ? '' : `; did you mean ${near.join(' or ')}?`
}

function listed(texts: readonly string[]): string {
  const more = texts.length > LISTED_MAX ? `, … (${texts.length} in all)` : ''
  return texts.slice(0, LISTED_MAX).join(', ') + more
}

function plural(noun: string, list: readonly unknown[]): string {
  return list.length === 1 ? noun : `${noun}s`
}

function keyOf(object: { readonly namespace: string; readonly name: string }): string {
  return `${object.namespace}/${object.name}`
}
