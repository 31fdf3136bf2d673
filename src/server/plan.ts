// What a process is to do: the configuration, and what no Corefile says. From both follows which clusters there are, and what is bound.

import { networkInterfaces } from 'node:os'
import type { Configuration, K8sExternalConfig, KubernetesConfig } from '../config/configuration.ts'
import type { FeedConfig, RecordSource } from '../config/server-config.ts'
import { parseAddress } from '../io/addresses.ts'
import type { ClusterIndexOptions } from '../kube/cluster-index.ts'
import { isReverseZone } from '../kube/external-zones.ts'
import type { SchemaOptions } from '../kube/schema.ts'
import type { ConnectionOptions, Resource } from '../kube/watch/messages.ts'
import type { Bind } from '../workers/server.ts'

/** What the command line says, and no Corefile. */
export interface ServerSettings {
  /** Query workers, 1..62. */
  readonly workers: number
  readonly transport: 'auto' | 'io' | 'dgram'
  /** Octets for each UDP socket. */
  readonly receiveBufferBytes: number
  /** Most octets that an index may take. */
  readonly indexBytes: number
  /** In place of every API server; null = none. */
  readonly manifests: readonly string[] | null
  /** How API servers are followed, where the configuration does not say. */
  readonly feed: Pick<FeedConfig, 'qps' | 'burst' | 'auditIntervalMs' | 'pageSize' | 'streamingLists' | 'stateDir'>
}

/** One cluster to be answered for. */
export interface ClusterPlan {
  readonly cluster: Omit<ClusterIndexOptions, 'listenAddresses'>
  readonly source: RecordSource
}

const TIMER_MAX_MS = 2 ** 31 - 1 // Node's timers fire at once if asked for more: 24.8 days stand for longer
/** Largest UDP response of a block without `bufsize`. */
export const BUFSIZE = 1232

/** The cluster that a `kubernetes` directive describes. @param clients  whether somebody asks for the namespaces of clients */
export function clusterPlanOf(
  kubernetes: KubernetesConfig,
  external: K8sExternalConfig | undefined,
  settings: ServerSettings,
  clients = false,
): ClusterPlan {
  const zones = kubernetes.zones.map(withoutDot)
  const { pods, endpointPodNames, ignoreEmptyService, noEndpoints, zonal, okd } = kubernetes
  const cluster = {
    zones: zones.filter((zone) => !isReverseZone(zone)),
    multiclusterZones: kubernetes.multicluster.map(withoutDot),
    reverseZones: zones.filter(isReverseZone),
    ttl: kubernetes.ttl,
    namespaces: kubernetes.namespaces === null ? null : [...kubernetes.namespaces],
    schema: { pods, endpointPodNames, ignoreEmptyService, noEndpoints, zonal, okd },
    external: external === undefined ? null : externalOf(external),
    ...(clients ? { clients } : {}),
  }
  if (settings.manifests !== null) return { cluster, source: { kind: 'manifests', paths: settings.manifests } }
  return { cluster, source: { kind: 'api', feed: feedOf(kubernetes, settings) } }
}

function externalOf({ zones, apex, ttl, headless }: K8sExternalConfig) {
  return { zones: zones.map(withoutDot), apex, ttl, headless }
}

function feedOf(kubernetes: KubernetesConfig, { feed }: ServerSettings): FeedConfig {
  const { endpointPodNames, zonal, multicluster } = kubernetes
  const resources = resourcesOf(kubernetes, multicluster.length > 0)
  const { kubeconfig, context, endpoint, tls } = kubernetes
  const connection: ConnectionOptions = { kubeconfig, context, endpoint, tls }
  return {
    ...feed,
    connection,
    resources,
    labelSelector: kubernetes.labels,
    namespaceSelector: kubernetes.namespaceLabels,
    podNames: endpointPodNames,
    zones: zonal,
    qps: kubernetes.apiserverQps || feed.qps,
    burst: kubernetes.apiserverBurst || feed.burst,
    maxInflight: kubernetes.apiserverMaxInflight,
    startupTimeoutMs: Math.min(kubernetes.startupTimeoutMs, TIMER_MAX_MS),
  }
}

/** What must be followed for names of this kind, in the order in which it is listed. */
export function resourcesOf(
  { noEndpoints, pods }: Pick<SchemaOptions, 'noEndpoints' | 'pods'>,
  hasImports: boolean,
): Resource[] {
  const resources: Resource[] = ['namespaces', 'services']
  if (!noEndpoints) resources.push('endpointslices')
  if (pods === 'verified') resources.push('pods')
  if (hasImports) resources.push('serviceimports')
  return resources
}

/** What the listeners of a configuration bind: every address is IPv4's and, where there is any, IPv6's. */
export function bindsOf({ listeners }: Configuration): Bind[] {
  return listeners.flatMap(({ address, port }, listener) =>
    (address === '' ? everyAddress() : [address]).map((each) => ({ address: each, port, listener })),
  )
}

/** Of IPv4 all, of IPv6 all where there is any: a kernel without it refuses `::`. */
export function everyAddress(): string[] {
  const hasIpv6 = Object.values(networkInterfaces()).some((entries) => entries?.some(({ family }) => family === 'IPv6'))
  return hasIpv6 ? ['0.0.0.0', '::'] : ['0.0.0.0']
}

/** The addresses a name server has for others: those listened on, every interface's for a wildcard, without loopback. */
export function ownAddresses(listen: readonly string[]): string[] {
  const addresses = new Set<string>()
  for (const text of listen) {
    const address = parseAddress(text)
    if (address === undefined) continue
    if (!address.wildcard) addresses.add(text)
    else {
      for (const entry of Object.values(networkInterfaces()).flatMap((entries) => entries ?? [])) {
        if (address.family === 6 || entry.family === 'IPv4') addresses.add(entry.address)
      }
    }
  }
  return [...addresses].filter((text) => !text.startsWith('127.') && text !== '::1' && !text.startsWith('fe80:'))
}

/** A zone of the configuration as the cluster's parts write it. */
export function withoutDot(zone: string): string {
  return zone === '.' ? '' : zone.slice(0, -1)
}
