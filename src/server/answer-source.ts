// What workers answer from: the configuration, the clusters and the static zones, put together as plain data, and what is counted.

import type { BlockConfig, Configuration, Fallthrough, Plugins } from '../config/configuration.ts'
import type { CounterValues } from '../counting/values.ts'
import { labelsOfText } from '../dns/name.ts'
import type { ZoneConfig } from '../dns/zone-table.ts'
import {
  createForwardCounters,
  type ForwardPlan,
  planForward,
  readForwardCounters,
} from '../forward/forward-counters.ts'
import { addressAndPort } from '../io/addresses.ts'
import { isReverseZone } from '../kube/external-zones.ts'
import type { ClusterSource } from '../plugins/kubernetes.ts'
import type { AnswerSource, BlockSource, ListenerSource } from '../workers/answerer.ts'
import { cacheEvents } from '../workers/cache-events.ts'
import {
  type CounterEvent,
  type CounterGroup,
  type CounterPlan,
  createCounters,
  planCounters,
  readCounters,
} from '../workers/counters.ts'
import type { StaticZones } from '../zones/static-zones.ts'
import type { Cluster } from './cluster.ts'
import type { ForwardSources } from './forwarding.ts'
import { BUFSIZE, withoutDot } from './plan.ts'

/** Who may write a reply, in the order in which plugins are asked. */
const WRITERS: readonly (keyof Plugins)[] = [
  ...(['local', 'dns64', 'any', 'chaos', 'autopath', 'acl', 'cache', 'template', 'transfer', 'hosts'] as const),
  ...(['k8s_external', 'kubernetes', 'file', 'auto', 'forward', 'whoami'] as const),
]

/** What one configuration counts. */
export interface Counting {
  readonly plan: CounterPlan
  readonly memory: SharedArrayBuffer
  /** By listener, by zone of it: the group; -1: not counted. */
  readonly groups: readonly (readonly number[])[]
  readonly dropped: readonly number[]
  /** What upstreams do; null: nothing is forwarded. */
  readonly forwarding: { readonly plan: ForwardPlan; readonly memory: SharedArrayBuffer } | null
}

/** Makes room for the counters of a configuration. @param workers  all that answer */
export function countingOf(configuration: Configuration, workers: number): Counting {
  const groups: CounterGroup[] = []
  const dropped: number[] = []
  const byListener = configuration.listeners.map((listener) => {
    const server = serverLabel(listener)
    const own = listener.zones.map(({ zone, block }) => {
      const { plugins } = configuration.blocks[block]
      if (plugins.prometheus === undefined) return -1
      const view = plugins.view?.name ?? ''
      groups.push({ server, zone, view, plugins: writersOf(plugins), events: eventsOf(plugins) })
      return groups.length - 1
    })
    const isCounted = own.some((group) => group >= 0)
    if (isCounted) groups.push({ server, zone: 'dropped', view: '', plugins: [''], events: [] })
    dropped.push(isCounted ? groups.length - 1 : -1)
    return own
  })
  const plan = planCounters(groups)
  const memory = createCounters(plan, workers)
  return { plan, memory, groups: byListener, dropped, forwarding: forwardingOf(configuration) }
}

function forwardingOf({ blocks }: Configuration): Counting['forwarding'] {
  const upstreams = blocks.flatMap(({ plugins: { forward = [] } }) => forward.flatMap(({ upstreams }) => upstreams))
  if (upstreams.length === 0) return null
  const plan = planForward(upstreams.map(({ host, port }) => addressAndPort(host, port)))
  return { plan, memory: createForwardCounters(plan) }
}

/** What has been counted so far. */
export function readCounting({ plan, memory, forwarding }: Counting): CounterValues[] {
  const queries = readCounters(plan, memory)
  return forwarding === null ? [queries] : [queries, readForwardCounters(forwarding.plan, forwarding.memory)]
}

/** Label `server`: `dns://:53`, `dns://169.254.20.10:53`. */
export function serverLabel({ scheme, address, port }: Configuration['listeners'][number]): string {
  return `${scheme}://${address.includes(':') ? `[${address}]` : address}:${port}`
}

function writersOf(plugins: Plugins): string[] {
  return ['', ...WRITERS.filter((name) => plugins[name] !== undefined)]
}

/** Counters of the block's plugins, besides those of queries. */
function eventsOf({ cache, autopath, acl, local, dns64, template = [] }: Plugins): CounterEvent[] {
  // Those of the cache come first.
  const events: CounterEvent[] = cache === undefined ? [] : cacheEvents(cache)
  const add = (name: string, labels: Readonly<Record<string, string>> = {}): void => void events.push({ name, labels })
  if (acl !== undefined) {
    for (const what of ['allowed', 'blocked', 'filtered', 'dropped']) add(`acl_${what}_requests_total`)
  }
  if (autopath !== undefined) add('autopath_success_total')
  if (local !== undefined) add('local_localhost_requests_total')
  if (dns64 !== undefined) add('dns64_requests_translated_total')
  if (template.length > 0) for (const event of templateEvents(template)) events.push(event)
  return events
}

const CLASSES = ['IN', 'CH', 'ANY']
const TEMPLATE_TYPES = ['A', 'AAAA', 'CNAME', 'MX', 'NS', 'PTR', 'SOA', 'SRV', 'TXT', 'HTTPS', 'SVCB', 'ANY', 'other']

/** Templates count by class and type of the query, and failures by section and text. */
function templateEvents(templates: NonNullable<Plugins['template']>): CounterEvent[] {
  const kinds = CLASSES.flatMap((qclass) => TEMPLATE_TYPES.map((type) => ({ class: qclass, type })))
  const matches = kinds.map((labels) => ({ name: 'template_matches_total', labels }))
  const texts = templates.flatMap(({ answer, additional, authority }) => [
    ...answer.map((template) => ({ section: 'answer', template })),
    ...additional.map((template) => ({ section: 'additional', template })),
    ...authority.map((template) => ({ section: 'authority', template })),
  ])
  const failures = kinds.flatMap((labels) => texts.map((text) => ({ ...labels, ...text })))
  return [
    ...matches,
    ...failures.map((labels) => ({ name: 'template_template_failures_total', labels })),
    ...failures.map((labels) => ({ name: 'template_rr_failures_total', labels })),
  ]
}

/** Puts it all together. `clusters`: by block; `number`: of the configuration, for what workers ask of the main thread; `loopNames`: by block (loop-check.ts). */
export function answerSourceOf(
  configuration: Configuration,
  clusters: readonly (Cluster | null)[],
  statics: StaticZones | null,
  counting: Counting | null,
  logs: readonly SharedArrayBuffer[],
  number = 0,
  loopNames: readonly (string | null)[] = [],
  forwards: ForwardSources = [],
): AnswerSource {
  const listeners = configuration.listeners.map(
    (listener, index): ListenerSource => ({
      server: serverLabel(listener),
      zones: listener.zones.map(({ zone, block }, i) => ({
        labels: labelsOf(zone),
        block,
        group: counting?.groups[index][i] ?? -1,
      })),
      droppedGroup: counting?.dropped[index] ?? -1,
    }),
  )
  const blocks = configuration.blocks.map((block, index): BlockSource => {
    const { plugins } = block
    return {
      plugins,
      cluster: clusterSourceOf(block, clusters[index]),
      hosts: statics?.hostsSource(index) ?? null,
      files: statics?.fileSources(index) ?? [],
      forward: forwards[index] ?? null,
      loopName: loopNames[index] ?? null,
      bufsize: plugins.bufsize ?? BUFSIZE,
      writers: writersOf(plugins),
    }
  })
  const counters = counting === null ? null : { plan: counting.plan, memory: counting.memory }
  const forwarding = counting?.forwarding ?? undefined
  return { configuration: number, listeners, blocks, counters, logs, forwarding }
}

function clusterSourceOf({ plugins }: BlockConfig, cluster: Cluster | null): ClusterSource | null {
  if (cluster === null) return null
  return { region: cluster.region.buffer, zones: clusterZonesOf(plugins) }
}

/** Zones of a cluster's index, in its order: forward ones, reverse ones, those of k8s_external. */
export function clusterZonesOf({ kubernetes, k8s_external: external }: Plugins): ZoneConfig[] {
  const { zones, ttl, pods, zonal, okd, fallthrough, multicluster } = kubernetes!
  const passed = labelsOfAll(fallthrough)
  const own = [...zones.filter((zone) => !isReverse(zone)), ...zones.filter(isReverse)].map((zone) => {
    const isForward = !isReverse(zone)
    return {
      labels: labelsOf(zone),
      ttl,
      pods: isForward && pods !== 'disabled',
      wildcards: isForward && (zonal || okd !== null),
      keepsBrokenChains: isForward && okd !== null,
      fallthrough: passed,
      metadata: { reverse: !isForward, multicluster: multicluster.includes(zone), zonal },
    }
  })
  if (external === undefined) return own
  const outside = external.zones.map((zone) => ({
    labels: labelsOf(zone),
    ttl: external.ttl,
    pods: false,
    wildcards: false,
    keepsBrokenChains: false,
    fallthrough: labelsOfAll(external.fallthrough),
    external: external.apex,
  }))
  return [...own, ...outside]
}

function labelsOfAll(fallthrough: Fallthrough): string[][] {
  return (fallthrough ?? []).map(labelsOf)
}

/** Labels of an absolute zone, lower case. */
function labelsOf(zone: string): string[] {
  return labelsOfText(zone).map((label) => label.toLowerCase())
}

function isReverse(zone: string): boolean {
  return isReverseZone(withoutDot(zone))
}
