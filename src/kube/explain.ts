// Why a name is answered as it is: zone, node, rule, the origin of every record, and what is around a name that is missing.
// Pure, from objects and options; the answer itself is not made here but by the index.

import { addressOfReverseName, reverseName } from './address.ts'
import type { ClusterView } from './cluster-view.ts'
import { type Located, locate, type NodeKind } from './located-name.ts'
import { aroundMissing } from './missing-name.ts'
import { holdersOf, originsOf, pointerOrigins, type TracedRecord } from './origins.ts'
import type { Labels, Origin } from './records.ts'
import { serviceClaims } from './schema.ts'

/** Why a name is answered as it is. Names are absolute, without final dot. */
export interface Explanation {
  /** The longest zone that holds the name; '' if none does. */
  readonly zone: string
  readonly node: NodeKind | 'apex' | 'outside'
  /** The node that answers: the name itself, the source of synthesis, the namespace of a Pod, the closest encloser. */
  readonly nodeName: string
  readonly rule: string
  /** Sentences about what there is around a missing name; empty for one that exists. */
  readonly around: readonly string[]
}

/** Explains a name. `labels`: all of it, lower case. */
export function explainName(view: ClusterView, labels: Labels): Explanation {
  const { zones, reverseZones } = view.source
  const zone = zoneOf(view, labels)
  if (zone === null) {
    const all = [...zones, ...reverseZones].join(', ')
    const rule = 'in no zone of this server: REFUSED'
    return { zone: '', node: 'outside', nodeName: '', rule, around: [`zones: ${all}`] }
  }
  const left = leftOf(labels, zone)
  if (left.length === 0) {
    return { zone, node: 'apex', nodeName: zone, rule: 'the apex: SOA and NS of the zone', around: [] }
  }
  if (reverseZones.includes(zone)) return explainReverse(view, labels, zone)
  const located = locate(view, left, isMulticluster(view, zone))
  const { node, owner, rule } = located
  const around = node === 'missing' ? aroundMissing(view, left, isMulticluster(view, zone)) : []
  return { zone, node, nodeName: [...owner, zone].join('.'), rule, around }
}

/** The fields that a record of an answer comes from. `owner`: all labels of its owner, lower case. */
export function recordOrigins(view: ClusterView, owner: Labels, record: TracedRecord): Origin[] {
  const { zones, reverseZones } = view.source
  const zone = zoneOf(view, owner)
  if (zone === null || owner.join('.') === zone) return []
  if (reverseZones.includes(zone)) {
    return record.type === 'PTR' ? pointerOrigins(view, owner, zones[0] ?? '', record.target) : []
  }
  const located: Located = locate(view, leftOf(owner, zone), isMulticluster(view, zone))
  return originsOf(view, located, record)
}

/** The longest zone that equals the name or is an ancestor of it. */
export function zoneOf(view: ClusterView, labels: Labels): string | null {
  const { zones, reverseZones } = view.source
  const all = new Set([...zones, ...reverseZones])
  for (let i = 0; i <= labels.length; i++) {
    const name = labels.slice(i).join('.')
    if (all.has(name)) return name
  }
  return null
}

function explainReverse(view: ClusterView, labels: Labels, zone: string): Explanation {
  const name = labels.join('.')
  const address = addressOfReverseName(labels)
  const rule = 'PTR: the Service whose cluster IP the address is, else its endpoints'
  const encloser = reverseEncloser(view, labels, zone)
  if (encloser === name) {
    const node = address === '' ? 'empty non-terminal' : 'exact'
    return {
      zone,
      node,
      nodeName: name,
      rule: address === '' ? 'part of an address: names below it' : rule,
      around: [],
    }
  }
  const around = address === '' ? ['not the name of one whole address'] : aroundAddress(view, address)
  return { zone, node: 'missing', nodeName: encloser, rule: 'the name does not exist', around }
}

function aroundAddress(view: ClusterView, address: string): string[] {
  const holders = holdersOf(view, address)
  if (holders.length === 0) return [`no cluster IP and no ready endpoint is ${address}`]
  return holders.map(({ kind, object, field }) => {
    const why = kind === 'Pod' ? ': a Pod alone has no PTR' : kind === 'Service' ? '' : ': its Service does not exist'
    return `${address} is in ${kind} ${object}, ${field}${why}`
  })
}

/** The longest name that exists among a reverse name and its ancestors. */
function reverseEncloser(view: ClusterView, labels: Labels, zone: string): string {
  let longest = leftOf(labels, zone).length
  for (const service of view.services()) {
    for (const { address } of serviceClaims(
      service,
      view.slicesOf(service.namespace, service.name),
      view.source.schema,
    )) {
      const claimed = reverseName(address)
      let depth = 0
      while (depth < labels.length && claimed.at(-1 - depth) === labels.at(-1 - depth)) depth++
      longest = Math.min(longest, labels.length - depth)
    }
  }
  return labels.slice(longest).join('.')
}

function leftOf(labels: Labels, zone: string): Labels {
  return labels.slice(0, labels.length - zone.split('.').filter((label) => label !== '').length)
}

function isMulticluster(view: ClusterView, zone: string): boolean {
  return view.source.multiclusterZones.includes(zone)
}
