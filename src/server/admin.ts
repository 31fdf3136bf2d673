// The HTTP side of the process: health, ready and metrics of the configuration that serves now.

import { Endpoints, type Handler, type WantedRoute } from '../admin/endpoints.ts'
import { HealthCheck, healthHandler } from '../admin/health.ts'
import type { HealthRecord } from '../admin/health-record.ts'
import type { Logger } from '../admin/logger.ts'
import { Readiness, readyHandler } from '../admin/ready.ts'
import { readWebConfig } from '../admin/web-config.ts'
import type { Configuration } from '../config/configuration.ts'
import type { ClusterSet } from './clusters.ts'

/** What the endpoints of one configuration need. */
export interface AdminParts {
  readonly record: HealthRecord
  readonly logger: Logger
  readonly metrics: Handler
  /** Whether queries are answered: nobody is ready before. */
  readonly isServing: () => boolean
}

/** Opens the endpoints of a configuration, keeps those that are there already, closes those that are wanted no more. */
export class Admin {
  readonly #parts: AdminParts
  readonly #endpoints = new Endpoints()
  #readiness = new Readiness(false)
  #checks: HealthCheck[] = []

  constructor(parts: AdminParts) {
    this.#parts = parts
  }

  /** @throws EndpointError, WebConfigError: all is as before then */
  async apply(configuration: Configuration, clusters: ClusterSet): Promise<void> {
    const { metrics, logger } = this.#parts
    const wanted: WantedRoute[] = []
    const readiness = this.#readinessOf(configuration, clusters)
    for (const { plugins } of configuration.blocks) {
      const { health, ready, prometheus } = plugins
      if (health !== undefined) wanted.push({ address: health.address, path: '/health', handler: healthHandler })
      if (ready !== undefined) {
        wanted.push({ address: ready.address, path: '/ready', handler: readyHandler(() => this.#readiness, logger) })
      }
      if (prometheus !== undefined) {
        const secure = prometheus.tlsFile === '' ? null : readWebConfig(prometheus.tlsFile)
        wanted.push({ address: prometheus.address, path: '/metrics', handler: metrics, secure })
      }
    }
    await this.#endpoints.apply(wanted)
    this.#readiness = readiness
    this.#checkHealth(configuration)
  }

  /** Shutdown begins: probes of readiness are refused from now on. */
  async leave(): Promise<void> {
    await this.#endpoints.remove('/ready')
  }

  async close(): Promise<void> {
    for (const check of this.#checks) check.stop()
    await this.#endpoints.close()
  }

  #readinessOf({ blocks }: Configuration, clusters: ClusterSet): Readiness {
    const readiness = new Readiness(blocks.some(({ plugins }) => plugins.ready?.continuously))
    const { isServing } = this.#parts
    // A last good state makes it ready at once; its age is a metric.
    for (const cluster of clusters.all) {
      readiness.add('kubernetes', () => isServing() && (cluster.status.isSynced || cluster.isRestored))
    }
    if (clusters.all.length === 0) readiness.add('server', isServing)
    return readiness
  }

  #checkHealth({ blocks }: Configuration): void {
    const { record, logger } = this.#parts
    for (const check of this.#checks) check.stop()
    const addresses = new Map(
      blocks.flatMap(({ plugins: { health } }) =>
        health === undefined ? [] : [[JSON.stringify(health.address), health.address]],
      ),
    )
    this.#checks = [...addresses.values()].map((address) => {
      const port = this.#endpoints.portOf(address) ?? address.port
      return new HealthCheck({ host: address.host, port }, record, logger)
    })
    for (const check of this.#checks) check.start()
  }
}
