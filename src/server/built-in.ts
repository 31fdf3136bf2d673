// The configuration without a Corefile: one block with the cluster's zones, out of the flags of the command line.

import type { Configuration, KubernetesConfig } from '../config/configuration.ts'
import type { ServerConfig } from '../config/server-config.ts'
import type { ServerSettings } from './plan.ts'

const NO_FEED = { qps: 0, burst: 0, auditIntervalMs: 0, pageSize: 0, streamingLists: false, stateDir: 'off' }

/** What the flags mean, in the terms of a Corefile. */
export function builtInConfiguration(config: ServerConfig): Configuration {
  const { addresses, port, bufsize } = config
  const kubernetes = kubernetesOf(config)
  const { zones } = kubernetes
  return {
    path: '',
    files: [],
    fingerprint: '',
    blocks: [
      {
        file: '',
        line: 0,
        zones,
        plugins: { kubernetes, bufsize, loadbalance: { policy: 'round_robin', file: '', reloadMs: 0, prefer: [] } },
      },
    ],
    listeners: addresses.map((address) => ({
      scheme: 'dns',
      address,
      port,
      zones: zones.map((zone) => ({ zone, block: 0 })),
    })),
    warnings: [],
    withoutEffect: [],
  }
}

/** What no Corefile says. */
export function builtInSettings({
  workers,
  transport,
  receiveBufferBytes,
  indexBytes,
  source,
}: ServerConfig): ServerSettings {
  return {
    workers,
    transport,
    receiveBufferBytes,
    indexBytes,
    manifests: source.kind === 'manifests' ? source.paths : null,
    feed: source.kind === 'api' ? source.feed : NO_FEED,
  }
}

function kubernetesOf({ cluster, source }: ServerConfig): KubernetesConfig {
  const { schema, multiclusterZones } = cluster
  const feed = source.kind === 'api' ? source.feed : null
  const { kubeconfig = '', context = '', endpoint = '', tls = null } = feed?.connection ?? {}
  return {
    zones: [...cluster.zones, ...cluster.reverseZones].map((zone) => `${zone}.`),
    endpoint,
    tls,
    kubeconfig,
    context,
    apiserverQps: feed?.qps ?? 0,
    apiserverBurst: feed?.burst ?? 0,
    apiserverMaxInflight: feed?.maxInflight ?? 0,
    namespaces: cluster.namespaces,
    labels: feed?.labelSelector ?? '',
    namespaceLabels: feed?.namespaceSelector ?? '',
    pods: schema.pods,
    endpointPodNames: schema.endpointPodNames,
    ttl: cluster.ttl,
    noEndpoints: schema.noEndpoints,
    fallthrough: null,
    ignoreEmptyService: schema.ignoreEmptyService,
    multicluster: multiclusterZones.map((zone) => `${zone}.`),
    zonal: schema.zonal,
    startupTimeoutMs: feed?.startupTimeoutMs ?? 0,
    okd: schema.okd,
  }
}
