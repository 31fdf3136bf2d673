// Serving a live cluster: from the last good state at once, if there is one, and from the API server as soon as it has said all.

import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { FeedConfig } from '../config/server-config.ts'
import { resolveStateDir } from '../config/state-dir.ts'
import { type FeedCallbacks, LiveFeed } from '../kube/live-feed.ts'
import { fingerprintOf, type RestoredState, readStateFile, StateFileError, setAside } from '../kube/state-file.ts'
import { StateKeeper } from '../kube/state-keeper.ts'
import { collectGarbage } from '../workers/garbage.ts'
import type { Serving } from '../workers/server.ts'
import { answerSource, createEngine, type Engine } from './engine.ts'
import { openServing, reserveRegion, type ServerProcess, tidyUp } from './server-process.ts'
import { listeningLine, namesLine, zonesLine } from './summary.ts'

const STATE_NAME = 'state.peregrine'
const RECLAIM_INTERVAL_MS = 1000
/** While the cluster is not being followed, the age of what is served is said so often. */
const AGE_INTERVAL_MS = 60_000
const OLD_MS = 30_000
const RESTORE_SLICE_MS = 5
/** After a list, when the feed thread has tidied up too. */
const TIDY_MS = 3000

/** Serves until a signal ends it. @returns the exit code */
export async function serveCluster(context: ServerProcess, options: FeedConfig): Promise<number> {
  const { config, log } = context
  const fingerprint = fingerprintOf([
    config.cluster,
    options.labelSelector,
    options.namespaceSelector,
    identity(options),
  ])
  const path = statePath(options, log)
  const started = await startFromState(context, path, fingerprint)
  const engine = started?.engine ?? createEngine(config, config.workers + 1, await reserveRegion(config))
  let serving = started?.serving
  const { maxInflight, resources } = options
  if (maxInflight > 0 && maxInflight <= resources.length) {
    log(
      `warning: apiserver_max_inflight ${maxInflight} leaves no room for lists beside the watches of ${resources.join(', ')}`,
    )
  }
  const keeper = path === '' ? null : new StateKeeper(path, fingerprint, engine, log)
  let tidying: NodeJS.Timeout | undefined
  const onListed = (): void => {
    clearTimeout(tidying)
    tidying = setTimeout(() => void (serving && tidyUp(serving)), TIDY_MS).unref()
  }
  const { feed, synced, failed } = follow(engine, options, started !== null, keeper, { log, onListed })
  const timers = [
    setInterval(() => {
      engine.writer.reclaim()
      feed.retry()
    }, RECLAIM_INTERVAL_MS),
    setInterval(() => reportAge(feed, log), AGE_INTERVAL_MS),
  ]
  try {
    if (started !== null) await restoreObjects(engine, started.restored)
    feed.start()
    const asked = context.stopped.then((signal) => ({ signal }))
    const first = await Promise.race([synced, failed, asked, after(options.startupTimeoutMs)])
    if (first === undefined && serving === undefined) {
      feed.showWhatIsKnown()
      log(
        `not everything is known after ${options.startupTimeoutMs} ms: ${waitingFor(feed)}; what is missing gets SERVFAIL`,
      )
    }
    if (!isSignal(first)) {
      serving ??= await openServing(context, engine.source)
      log(zonesLine(config))
      log(listeningLine(config, serving))
      const next = await Promise.race([synced, failed, asked])
      if (!isSignal(next)) {
        log(namesLine(engine))
        await tidyUp(serving)
        log('ready')
        await Promise.race([failed, asked])
      }
    }
    log(`stopping on ${await context.stopped}`)
    await Promise.all([serving?.stop(), feed.stop()])
    await keeper?.close()
    return 0
  } finally {
    for (const timer of timers) clearInterval(timer)
    await Promise.all([serving?.stop(), feed.stop()])
  }
}

/** Which cluster it is, as far as one can say without asking it. */
function identity({ connection }: FeedConfig): string {
  const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port } = process.env
  return connection.kubeconfig === '' ? `${host}:${port}` : `${resolve(connection.kubeconfig)} ${connection.context}`
}

function statePath({ stateDir }: FeedConfig, log: (line: string) => void): string {
  const { path, problem } = resolveStateDir(stateDir)
  if (problem !== '') log(`warning: ${problem}`)
  return path === '' ? '' : join(path, STATE_NAME)
}

/** What serves the last good state. */
interface Started {
  readonly serving: Serving
  readonly engine: Engine
  readonly restored: RestoredState
}

/** Serves the last good state at once. @returns null if there is none that is any good */
async function startFromState(context: ServerProcess, path: string, fingerprint: string): Promise<Started | null> {
  const { config, log } = context
  if (path === '' || !existsSync(path)) return null
  const region = await reserveRegion(config)
  let restored: RestoredState | null = null
  try {
    const serving = await openServing(context, answerSource(config, region), () => {
      restored = readStateFile(path, fingerprint, region)
      if (restored === null) throw new StateFileError('is gone')
    })
    const { savedAtMs } = restored!
    const engine = createEngine(config, config.workers + 1, region, restored)
    const ageSeconds = (Math.max(0, Date.now() - savedAtMs) / 1000).toFixed(0)
    log(
      `serving the state of ${new Date(savedAtMs).toISOString()}, ${ageSeconds} s old, until the API server confirms it`,
    )
    return { serving, engine, restored: restored! }
  } catch (error) {
    if (!(error instanceof StateFileError)) throw error
    const moved = setAside(path)
    log(`warning: ${path} ${error.message}: it is not used${moved === '' ? '' : `, and kept as ${moved}`}`)
    return null
  }
}

/** The store as it was when the state was saved: while queries are answered already. */
async function restoreObjects({ index }: Engine, restored: RestoredState): Promise<void> {
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

function follow(
  { index }: Engine,
  options: FeedConfig,
  visible: boolean,
  keeper: StateKeeper | null,
  { log, onListed }: Pick<FeedCallbacks, 'log' | 'onListed'>,
): { feed: LiveFeed; synced: Promise<'synced'>; failed: Promise<never> } {
  const synced = Promise.withResolvers<'synced'>()
  const failed = Promise.withResolvers<never>()
  failed.promise.catch(() => {})
  const feed = new LiveFeed(options, index, visible, {
    log,
    onListed,
    onSynced: () => {
      collectGarbage()
      synced.resolve('synced')
    },
    onPublished: () => {
      if (index.complete) keeper?.changed()
    },
    onFailed: failed.reject,
  })
  return { feed, synced: synced.promise, failed: failed.promise }
}

function reportAge(feed: LiveFeed, log: (line: string) => void): void {
  const { ageMs, resources } = feed.status
  if (ageMs < OLD_MS || !Number.isFinite(ageMs)) return
  const failing = Object.entries(resources).filter(([, { failing }]) => failing !== '')
  log(
    `what is served is ${(ageMs / 1000).toFixed(0)} s old: ${failing.map(([name, status]) => `${name}: ${status.failing}`).join('; ')}`,
  )
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

function isSignal(value: unknown): value is { signal: string } {
  return typeof value === 'object' && value !== null && 'signal' in value
}
