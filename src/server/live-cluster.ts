// A live cluster: served from the last good state at once, if there is one, and from the API server as soon as it has said all.

import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { FeedConfig } from '../config/server-config.ts'
import { resolveStateDir } from '../config/state-dir.ts'
import { createRegion, type Region } from '../index/layout.ts'
import { LiveFeed } from '../kube/live-feed.ts'
import { fingerprintOf, type RestoredState, readStateFile, StateFileError, setAside } from '../kube/state-file.ts'
import { StateKeeper } from '../kube/state-keeper.ts'
import { collectGarbage } from '../workers/garbage.ts'
import type { Cluster, ClusterStatus } from './cluster.ts'
import type { ClusterContext } from './clusters.ts'
import { type ClusterEngine, createIndex } from './engine.ts'
import type { ClusterPlan } from './plan.ts'
import { namesLine } from './summary.ts'

const RECLAIM_INTERVAL_MS = 1000
/** While the cluster is not being followed, the age of what is served is said so often. */
const AGE_INTERVAL_MS = 60_000
const OLD_MS = 30_000
const RESTORE_SLICE_MS = 5
/** After a list, when the feed thread has tidied up too. */
const TIDY_MS = 3000

export class LiveCluster implements Cluster {
  readonly key: string
  region: Region
  readonly synced: Promise<void>
  readonly failed: Promise<never>
  readonly feedConfig: FeedConfig
  readonly #context: ClusterContext
  readonly #plan: ClusterPlan
  readonly #statePath: string
  readonly #fingerprint: string
  readonly #synced = Promise.withResolvers<void>()
  readonly #failed = Promise.withResolvers<never>()
  readonly #timers: NodeJS.Timeout[] = []
  #engine: ClusterEngine | null = null
  #restored: RestoredState | null = null
  #keeper: StateKeeper | null = null
  #feed: LiveFeed | null = null
  #isSynced = false
  #tidying: NodeJS.Timeout | undefined

  /** @param number  different for each cluster of a configuration: its state has a file of its own */
  constructor(
    key: string,
    plan: ClusterPlan,
    feed: FeedConfig,
    region: Region,
    context: ClusterContext,
    number: number,
  ) {
    this.key = key
    this.region = region
    this.feedConfig = feed
    this.#plan = plan
    this.#context = context
    this.synced = this.#synced.promise
    this.failed = this.#failed.promise
    this.failed.catch(() => {})
    const { labelSelector, namespaceSelector } = feed
    this.#fingerprint = fingerprintOf([plan.cluster, labelSelector, namespaceSelector, identity(feed)])
    this.#statePath = statePath(feed, number, context.log)
  }

  get engine(): ClusterEngine | null {
    return this.#engine
  }

  get feed(): LiveFeed | null {
    return this.#feed
  }

  get isRestored(): boolean {
    return this.#restored !== null
  }

  get status(): ClusterStatus {
    const ageMs = this.#feed?.status.ageMs ?? Number.POSITIVE_INFINITY
    return { isSynced: this.#isSynced, ageMs }
  }

  get mayRestore(): boolean {
    return this.#statePath !== '' && existsSync(this.#statePath)
  }

  restore(): boolean {
    const path = this.#statePath
    const { log } = this.#context
    try {
      this.#restored = readStateFile(path, this.#fingerprint, this.region)
      if (this.#restored === null) throw new StateFileError('is gone')
    } catch (error) {
      if (!(error instanceof StateFileError)) throw error
      this.#restored = null
      const moved = setAside(path)
      log(`warning: ${path} ${error.message}: it is not used${moved === '' ? '' : `, and kept as ${moved}`}`)
      // Whatever has been read of it is in there.
      this.region = createRegion(this.region.buffer.byteLength)
      return false
    }
    return true
  }

  async start(): Promise<void> {
    const restored = this.#restored
    const engine = this.#makeEngine()
    this.#keeper =
      this.#statePath === '' ? null : new StateKeeper(this.#statePath, this.#fingerprint, engine, this.#context.log)
    this.#warnOfLimits()
    const feed = this.#makeFeed(engine)
    this.#timers.push(
      setInterval(() => {
        engine.writer.reclaim()
        feed.retry()
      }, RECLAIM_INTERVAL_MS),
      setInterval(() => this.#reportAge(feed), AGE_INTERVAL_MS),
    )
    if (restored !== null) {
      this.#sayAge(restored)
      await restoreObjects(engine, restored)
    }
    feed.start()
    if (restored !== null) return
    const { startupTimeoutMs } = this.feedConfig
    const first = await Promise.race([this.synced.then(() => true), this.failed, after(startupTimeoutMs)])
    if (first === true) return
    feed.showWhatIsKnown()
    this.#context.log(
      `not everything is known after ${startupTimeoutMs} ms: ${waitingFor(feed)}; what is missing gets SERVFAIL`,
    )
  }

  summary(): string[] {
    return this.#engine === null ? [] : [namesLine(this.#engine)]
  }

  async stop(): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer)
    clearTimeout(this.#tidying)
    await this.#feed?.stop()
    await this.#keeper?.close()
  }

  #makeEngine(): ClusterEngine {
    const { readerCount, listenAddresses } = this.#context
    const options = { ...this.#plan.cluster, listenAddresses }
    this.#engine = createIndex(options, readerCount, this.region, this.#restored)
    return this.#engine
  }

  #makeFeed({ index }: ClusterEngine): LiveFeed {
    const { log, tidy, published, programmed } = this.#context
    this.#feed = new LiveFeed(this.feedConfig, index, this.isRestored, {
      log,
      onListed: () => {
        clearTimeout(this.#tidying)
        this.#tidying = setTimeout(tidy, TIDY_MS).unref()
      },
      onSynced: () => {
        collectGarbage()
        this.#isSynced = true
        this.#synced.resolve()
      },
      onPublished: (_flush, seconds) => {
        published(seconds)
        if (index.complete) this.#keeper?.changed()
      },
      onProgrammed: programmed,
      onFailed: this.#failed.reject,
    })
    return this.#feed
  }

  /** Said when it is served. */
  #sayAge({ savedAtMs }: RestoredState): void {
    const ageSeconds = (Math.max(0, Date.now() - savedAtMs) / 1000).toFixed(0)
    const savedAt = new Date(savedAtMs).toISOString()
    this.#context.log(`serving the state of ${savedAt}, ${ageSeconds} s old, until the API server confirms it`)
  }

  #warnOfLimits(): void {
    const { maxInflight, resources } = this.feedConfig
    if (maxInflight === 0 || maxInflight > resources.length) return
    const watches = resources.join(', ')
    this.#context.log(
      `warning: apiserver_max_inflight ${maxInflight} leaves no room for lists beside the watches of ${watches}`,
    )
  }

  #reportAge(feed: LiveFeed): void {
    const { ageMs, resources } = feed.status
    if (ageMs < OLD_MS || !Number.isFinite(ageMs)) return
    const failing = Object.entries(resources).filter(([, { failing }]) => failing !== '')
    const reasons = failing.map(([name, status]) => `${name}: ${status.failing}`).join('; ')
    this.#context.log(`what is served is ${(ageMs / 1000).toFixed(0)} s old: ${reasons}`)
  }
}

/** Which cluster it is, as far as one can say without asking it. */
function identity({ connection }: FeedConfig): string {
  const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port } = process.env
  if (connection.kubeconfig !== '') return `${resolve(connection.kubeconfig)} ${connection.context}`
  return connection.endpoint ? connection.endpoint : `${host}:${port}`
}

function statePath({ stateDir }: FeedConfig, number: number, log: (line: string) => void): string {
  const { path, problem } = resolveStateDir(stateDir)
  if (problem !== '') log(`warning: ${problem}`)
  return path === '' ? '' : join(path, number === 0 ? 'state.peregrine' : `state-${number + 1}.peregrine`)
}

/** The store as it was when the state was saved: while queries are answered already. */
async function restoreObjects({ index }: ClusterEngine, restored: RestoredState): Promise<void> {
  let beganMs = performance.now()
  for (const [namespace, kind, ...objects] of restored.readObjects()) {
    for (let i = 0; i < objects.length; i += 2) index.state.restore(kind, namespace, objects[i], objects[i + 1])
    if (performance.now() - beganMs < RESTORE_SLICE_MS) continue
    await new Promise((resolve) => setImmediate(resolve))
    beganMs = performance.now()
  }
  restored.close()
  index.settled()
}

function waitingFor(feed: LiveFeed): string {
  const waiting = Object.entries(feed.status.resources).filter(([, { complete }]) => !complete)
  return waiting
    .map(([name, { failing }]) => `${name}${failing === '' ? ' is still being listed' : `: ${failing}`}`)
    .join('; ')
}

/** Settles with nothing after a time. */
function after(ms: number): Promise<undefined> {
  return new Promise((resolve) => setTimeout(resolve, ms, undefined).unref())
}
