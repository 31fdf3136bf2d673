// What `/metrics` says of a running server: where each value comes from.

import { readFileSync } from 'node:fs'
import type { Handler } from '../admin/endpoints.ts'
import { Histogram } from '../admin/histogram.ts'
import { ProgrammingTimes, restSamples } from '../admin/kubernetes-metrics.ts'
import { PUBLISH_BOUNDS } from '../admin/metric-families.ts'
import { metricsHandler, type ServerMetrics } from '../admin/metrics.ts'
import type { PluginName } from '../config/configuration.ts'
import { serverLabel } from './answer-source.ts'
import type { Cluster } from './cluster.ts'
import { LiveCluster } from './live-cluster.ts'
import type { RunningServer } from './running-server.ts'

/** What is known of reloads. */
export interface ReloadFigures {
  readonly failures: number
  /** '' = not loaded from a file. */
  readonly fingerprint: string
}

const MESSAGES = [
  ...(['received', 'answered', 'silent', 'resumed', 'sendErrors'] as const),
  ...(['receiveErrors', 'connections', 'refused', 'timeouts'] as const),
]

/** Has the server report to metrics from now on. @returns who answers a scrape */
export function openMetrics(server: RunningServer): Handler {
  const programming = new ProgrammingTimes()
  const publications = new Histogram(PUBLISH_BOUNDS)
  server.onProgrammed = (kind, seconds) => programming.observe(kind, seconds)
  server.onPublished = (seconds) => publications.observe(seconds)
  return metricsHandler({
    build: { version: ownVersion(), revision: process.env.PEREGRINE_REVISION ?? '' },
    queries: () => server.counted(),
    plugins: () => pluginsOf(server),
    panics: () => server.exceptions,
    reloads: () => {
      const { failures, fingerprint } = server.reloadFigures()
      return { failed: failures, fingerprint }
    },
    health: () => ({ durations: server.healthRecord.durations(), failures: server.healthRecord.failures }),
    hosts: () => {
      if (server.statics === null) return { entries: [], readAt: 0 }
      const { hostsEntries, hostsReloadSeconds } = server.statics.stats
      return { entries: [...hostsEntries].map(([file, count]) => ({ file, count })), readAt: hostsReloadSeconds }
    },
    server: () => ({ ...serverMetrics(server), publish: publications.sample('index_publish_duration_seconds') }),
    more: () => {
      const feeds = server.clusters.all
        .filter((cluster) => cluster instanceof LiveCluster)
        .flatMap(({ feed }) => feed ?? [])
      return [
        ...server.cached(),
        ...programming.samples(),
        ...restSamples(feeds.flatMap(({ status }) => status.requests)),
        ...Array.from(server.setupErrors(), ([errortype, value]) => {
          return { name: 'nodecache_setup_errors_total', labels: { errortype }, value }
        }),
      ]
    },
  })
}

function* pluginsOf({ configuration: { listeners, blocks } }: RunningServer) {
  for (const listener of listeners) {
    const server = serverLabel(listener)
    for (const { block } of listener.zones) {
      const { zones, plugins } = blocks[block]
      // A gauge of the block, by its first zone.
      const labels = { server, zone: zones[0], view: plugins.view?.name ?? '' }
      for (const name of Object.keys(plugins) as PluginName[]) yield { ...labels, name }
    }
  }
}

function serverMetrics(server: RunningServer): Omit<ServerMetrics, 'publish'> {
  const stats = server.serving?.stats()
  const workers = stats === undefined ? [] : [...stats.query, stats.stream]
  const sum = (of: (worker: (typeof workers)[number]) => number): number =>
    workers.reduce((total, worker) => total + of(worker), 0)
  const messages = Object.fromEntries(MESSAGES.map((name) => [name, sum((worker) => worker[name])]))
  return {
    indexes: [...server.clusters.all.map(clusterIndex), ...staticIndex(server)],
    socketDrops: sum(({ receiveQueueDrops }) => receiveQueueDrops),
    workerRestarts: sum(({ crashes }) => crashes),
    logLinesDropped: server.droppedLines,
    messages: messages as ServerMetrics['messages'],
  }
}

function clusterIndex(cluster: Cluster, number: number): ServerMetrics['indexes'][number] {
  const { engine, status } = cluster
  const ageSeconds = Number.isFinite(status.ageMs) ? status.ageMs / 1000 : 0
  const stats = engine?.writer.stats ?? NOTHING
  const index = number === 0 ? 'cluster' : `cluster-${number + 1}`
  return { index, ...stats, isComplete: status.isSynced, ageSeconds }
}

const NOTHING = { version: 0, names: 0, liveBytes: 0, reservedBytes: 0, limboBytes: 0 }

function staticIndex({ statics }: RunningServer): ServerMetrics['indexes'] {
  const index = statics?.stats.index ?? null
  return index === null ? [] : [{ index: 'static', ...index, isComplete: true, ageSeconds: 0 }]
}

function ownVersion(): string {
  return JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')).version
}
