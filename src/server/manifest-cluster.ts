// A cluster out of manifests: loaded before the first query, then followed as they change.

import { RegionFullError } from '../index/allocator.ts'
import type { Region } from '../index/layout.ts'
import { watchManifests } from '../kube/feed.ts'
import { formatProblem, type Loaded } from '../kube/manifests.ts'
import { collectGarbage } from '../workers/garbage.ts'
import type { Cluster, ClusterStatus } from './cluster.ts'
import type { ClusterContext } from './clusters.ts'
import { type ClusterEngine, createIndex } from './engine.ts'
import type { ClusterPlan } from './plan.ts'
import { namesLine } from './summary.ts'

const RECLAIM_INTERVAL_MS = 1000

/** There is nothing to serve. */
export class ManifestError extends Error {
  readonly code = 'NO_MANIFESTS'
}

export class ManifestCluster implements Cluster {
  readonly key: string
  readonly region: Region
  readonly engine: ClusterEngine
  readonly isRestored = false
  readonly synced: Promise<void>
  readonly failed = new Promise<never>(() => {})
  readonly #context: ClusterContext
  readonly #plan: ClusterPlan
  readonly #paths: readonly string[]
  readonly #synced = Promise.withResolvers<void>()
  #isSynced = false
  #close = (): void => {}
  #reclaim: NodeJS.Timeout | undefined

  constructor(key: string, plan: ClusterPlan, paths: readonly string[], region: Region, context: ClusterContext) {
    this.key = key
    this.region = region
    this.#plan = plan
    this.#paths = paths
    this.#context = context
    this.synced = this.#synced.promise
    const { cluster } = plan
    this.engine = createIndex({ ...cluster, listenAddresses: context.listenAddresses }, context.readerCount, region)
  }

  get status(): ClusterStatus {
    return { isSynced: this.#isSynced, ageMs: 0 }
  }

  readonly mayRestore = false

  restore(): boolean {
    return false
  }

  async start(): Promise<void> {
    const { log } = this.#context
    const { loaded, close } = await this.#firstLoad()
    this.#close = close
    for (const warning of loaded.warnings) log(`warning: ${warning}`)
    const nothing = loaded.objects.namespaces.size === 0 && loaded.objects.services.size === 0
    if (nothing && loaded.problems.length > 0) {
      close()
      throw new ManifestError('nothing could be read from the manifests')
    }
    collectGarbage()
    this.#reclaim = setInterval(() => {
      this.engine.writer.reclaim()
      // What a full index refused is tried again: there may be room by now.
      if (this.engine.index.state.changeCount > 0) this.#flushAgain()
    }, RECLAIM_INTERVAL_MS)
    this.#isSynced = true
    this.#synced.resolve()
  }

  summary(): string[] {
    return [namesLine(this.engine)]
  }

  async stop(): Promise<void> {
    clearInterval(this.#reclaim)
    this.#close()
  }

  /** Settles when the manifests have been loaded for the first time; then they are followed. */
  #firstLoad(): Promise<{ close(): void; loaded: Loaded }> {
    const { pods, endpointPodNames } = this.#plan.cluster.schema
    const kept = { pods: pods === 'verified', podNames: endpointPodNames }
    const { log } = this.#context
    return new Promise((resolve, reject) => {
      let close = (): void => {}
      let first = true
      const watcher = watchManifests(this.#paths, kept, (loaded) => {
        for (const problem of loaded.problems) log(`error: ${formatProblem(problem)}`)
        try {
          this.#apply(loaded, first)
        } catch (error) {
          if (first) return reject(error)
          log(`error: ${(error as Error).message}; the last good state keeps serving`)
        }
        if (!first) return
        first = false
        resolve({ close: () => close(), loaded })
      })
      close = () => watcher.close()
    })
  }

  #apply(loaded: Loaded, first: boolean): void {
    const began = performance.now()
    const { index } = this.engine
    index.replace(loaded.objects)
    const { version, touched } = index.flush(Date.now(), first)
    if (version !== 0) this.#context.published((performance.now() - began) / 1000)
    if (first || version === 0) return
    this.#context.log(
      `changed: ${touched} objects, version ${version}, in ${(performance.now() - began).toFixed(1)} ms`,
    )
  }

  #flushAgain(): void {
    try {
      this.engine.index.flush(Date.now())
      this.#context.log('the index has room again: all changes are served')
    } catch (error) {
      if (!(error instanceof RegionFullError)) throw error
    }
  }
}
