// A server that runs: started from a configuration, changed to another one without losing a query, and ended in order.

import { ErrorsLog } from '../admin/errors-log.ts'
import { HealthRecord, lameduck } from '../admin/health-record.ts'
import type { LineSink } from '../admin/line-sink.ts'
import { LogLines } from '../admin/log-lines.ts'
import { LogPump } from '../admin/log-pump.ts'
import type { Logger } from '../admin/logger.ts'
import { QueryLog } from '../admin/query-log.ts'
import type { Configuration } from '../config/configuration.ts'
import { CounterHistory, type CounterSample, type CounterValues } from '../counting/values.ts'
import { collectGarbage } from '../workers/garbage.ts'
import { createLogRing } from '../workers/log-ring.ts'
import { type Serving, startServing } from '../workers/server.ts'
import type { StaticZones } from '../zones/static-zones.ts'
import type { Admin } from './admin.ts'
import { answerSourceOf, type Counting, countingOf, readCounting } from './answer-source.ts'
import { cacheEntries, cacheEvictions, cacheFigures } from './cache-figures.ts'
import { type Cluster, NotKnownError } from './cluster.ts'
import { type ClusterContext, ClusterSet } from './clusters.ts'
import { type ForwardSources, forwardSourcesOf } from './forwarding.ts'
import type { LoopCheck } from './loop-check.ts'
import type { ReloadFigures } from './metrics.ts'
import { bindsOf, ownAddresses, type ServerSettings } from './plan.ts'
import type { Transfers } from './transfers.ts'

/** Besides query workers: the stream worker and the resolver worker. */
const OTHER_READERS = 2
/** After a reload. */
const LET_GO_MS = 1000
/** Who waited for an upstream at a reload has been answered after that, by the configuration before. */
const LATE_MS = 6000
/** Configurations that are kept for that. With more, late answers are sent and not counted. */
const LATE_MAX = 8

/** Everything that one configuration has made. */
interface Stand {
  /** Of the configuration, for what workers ask. */
  readonly number: number
  readonly configuration: Configuration
  readonly clusters: ClusterSet
  /** null: no block has static data, or hands zones over. */
  readonly statics: StaticZones | null
  readonly counting: Counting | null
  readonly rings: readonly SharedArrayBuffer[]
  readonly pump: LogPump | null
  readonly errors: readonly (ErrorsLog | null)[]
  /** By block: what `loop` asks for; empty: no block has it. */
  readonly loopNames: readonly (string | null)[]
  readonly forwarding: ForwardSources
}

/** One that is not served any more, but whoever waits for an upstream is still answered by it, counted and logged. */
interface LateStand {
  readonly stand: Stand
  readonly heir: Stand
  readonly timer: NodeJS.Timeout
}

export interface ServerParts {
  readonly settings: ServerSettings
  readonly logger: Logger
  readonly sink: LineSink
}

/** Waits for some work unless the process is to end. A race with a promise that lives as long as the process would keep all that it saw. */
async function unless(ended: AbortSignal, work: Promise<unknown>): Promise<void> {
  const { promise, reject } = Promise.withResolvers<never>()
  const giveUp = (): void => reject(new Error('the process is about to end'))
  if (ended.aborted) giveUp()
  ended.addEventListener('abort', giveUp)
  try {
    await Promise.race([work, promise])
  } finally {
    ended.removeEventListener('abort', giveUp)
  }
}

function isKnown({ status, isRestored }: Cluster): boolean {
  return status.isSynced || isRestored
}

/** A state that was not any good: start without it. */
class NotRestored extends Error {}

export class RunningServer {
  readonly parts: ServerParts
  readonly healthRecord = new HealthRecord()
  /** What metrics say of reloads. */
  reloadFigures: () => ReloadFigures = () => ({ failures: 0, fingerprint: '' })
  /** What metrics say of setting up the node, by kind of error. */
  setupErrors: () => Iterable<readonly [kind: string, count: number]> = () => []
  /** Told of every change of an endpoint that is served. */
  onProgrammed: (serviceKind: string, seconds: number) => void = () => {}
  /** Told of every version that is published, and of the seconds that it took. */
  onPublished: (seconds: number) => void = () => {}
  /** null: no configuration so far has had endpoints, and nothing of HTTP is loaded, which takes 16 MB. */
  #admin: Admin | null = null
  readonly #history = new CounterHistory()
  /** null: no configuration so far has had a transfer. */
  #transfers: Transfers | null = null
  /** Of the configuration that is served; null: no block has `loop`. */
  #loopCheck: LoopCheck | null = null
  #lastNumber = 0
  #stand: Stand | null = null
  #serving: Serving | null = null
  /** The oldest first. */
  readonly #late: LateStand[] = []
  #retiredDrops = 0
  #lettingGo: NodeJS.Timeout | undefined
  #failed = Promise.withResolvers<never>()

  constructor(parts: ServerParts) {
    this.parts = parts
    this.#failed.promise.catch(() => {})
  }

  get configuration(): Configuration {
    return this.#stand!.configuration
  }
  get clusters(): ClusterSet {
    return this.#stand!.clusters
  }
  get statics(): StaticZones | null {
    return this.#stand!.statics
  }
  get serving(): Serving | null {
    return this.#serving
  }
  /** Rejects when what is served cannot be kept up to date any more. */
  get failed(): Promise<never> {
    return this.#failed.promise
  }
  /** Lines of the log that found no room. */
  get droppedLines(): number {
    const pumps = [this.#stand, ...this.#late.map(({ stand }) => stand)].map((stand) => stand?.pump?.dropped ?? 0)
    return pumps.reduce((sum, dropped) => sum + dropped, this.#retiredDrops + this.parts.sink.dropped)
  }

  /** Entries of caches. */
  cached(): readonly CounterSample[] {
    const stand = this.#stand
    return stand === null ? [] : cacheEntries(stand.configuration, cacheFigures(stand.forwarding))
  }

  /** What all workers have counted since the process began. */
  counted(): CounterValues {
    const late = this.#late.flatMap(({ stand, heir }) => countedBy(stand, heir))
    return this.#history.total(...(this.#stand === null ? [] : countedBy(this.#stand)), ...late)
  }

  /**
   * Starts to serve. Settles when queries are answered.
   * @param ended  settles when the process is to end: waiting for an API server is then given up
   * @returns whether it serves: not if it is to end before that
   * @throws whatever stands in the way, with a `code`; nothing stays open
   */
  async start(configuration: Configuration, ended: Promise<unknown>): Promise<boolean> {
    const stand = await this.#make(configuration, null)
    this.#stand = stand
    const { clusters } = stand
    await this.#applyEndpoints(configuration, clusters)
    const mayRestore = clusters.all.length > 0 && clusters.all.every((cluster) => cluster.mayRestore)
    if (mayRestore) await this.#restore(stand)
    const asked = ended.then(() => false)
    const started = this.#startClusters(clusters).then(() => true)
    started.catch(() => {})
    const isStarted = await Promise.race([started, asked])
    if (!isStarted) return false
    this.#serving ??= await this.#open(stand)
    this.#transfers?.begin(stand.number)
    await this.#checkLoops(stand)
    return true
  }

  /** Settles when everything is known that the clusters have to say; never if that does not come. */
  async synced(): Promise<void> {
    await Promise.all(this.clusters.all.map(({ synced }) => synced))
  }

  /** What is served, in lines. */
  summary(): string[] {
    return this.clusters.all.flatMap((cluster) => cluster.summary())
  }

  /** Ends everything at once, whatever state it is in. */
  async abandon(): Promise<void> {
    const stand = this.#stand
    this.#loopCheck?.close()
    await this.#serving?.stop()
    this.#transfers?.close()
    if (stand !== null) await this.#dropAll(stand)
    await this.#admin?.close()
  }

  /** Exceptions while answering. */
  get exceptions(): number {
    const stats = this.#serving?.stats()
    if (stats === undefined) return 0
    return [...stats.query, stats.stream].reduce((sum, { crashes }) => sum + crashes, stats.failures)
  }

  /** Gives back what loading has left behind. */
  async tidy(): Promise<void> {
    // Again, now that queries are answered: V8 gives back its table of strings, grown while loading, with a second collection.
    collectGarbage()
    if (this.#serving?.transport === 'io') (await import('../io/libc.ts')).trimHeap()
  }

  /**
   * Changes over to another configuration; no query is lost.
   * @param ended  the process is to end: waiting for an API server is then given up
   * @throws what stands in the way: all is as before then
   */
  async change(configuration: Configuration, ended: AbortSignal): Promise<void> {
    const before = this.#stand!
    const after = await this.#make(configuration, before)
    const known = new Set(before.clusters.all)
    const fresh = after.clusters.all.filter((cluster) => !known.has(cluster))
    let hasEndpoints = false
    try {
      const started = Promise.all(
        fresh.map((cluster) => {
          cluster.failed.catch(this.#failed.reject)
          return cluster.start()
        }),
      )
      await unless(ended, started)
      if (before.clusters.all.some(isKnown) && !fresh.every(isKnown)) {
        throw new NotKnownError('plugin/kubernetes: the API server has not told everything within startup_timeout')
      }
      await this.#applyEndpoints(configuration, after.clusters)
      hasEndpoints = true
      await this.#serving!.change(bindsOf(configuration), this.#sourceOf(after))
    } catch (error) {
      if (hasEndpoints) await this.#admin?.apply(before.configuration, before.clusters)
      await this.#closeLog(after)
      await this.#drop(after, new Set(before.clusters.all))
      throw error
    }
    // In one go: whoever scrapes meanwhile finds everything that was counted.
    const mayWait = before.forwarding.some((source) => source !== null)
    if (!mayWait) this.#retire(before, after)
    else {
      const timer = setTimeout(() => void this.#endLate(before), LATE_MS).unref()
      this.#late.push({ stand: before, heir: after, timer })
    }
    this.#stand = after
    if (this.#late.length > LATE_MAX) void this.#endLate(this.#late[0].stand)
    if (!mayWait) await this.#closeLog(before)
    await this.#drop(before, new Set(after.clusters.all))
    this.#letGoSoon()
    await this.#checkLoops(after)
  }

  /** Wakes whoever waits, so that a process that exits now need not wait for them. */
  quit(): void {
    void this.#serving?.stop()
  }

  /** As SIGTERM asks: not ready any more, lameduck, then no more queries, and the metrics last. */
  async stop(): Promise<void> {
    const stand = this.#stand
    if (stand === null) return
    this.#loopCheck?.close()
    await this.#admin?.leave()
    // Nobody has been told of a server that does not serve yet.
    if (this.#serving !== null) await lameduck(lameduckOf(stand.configuration), this.parts.logger)
    await this.#serving?.stop()
    this.#transfers?.close()
    await this.#dropAll(stand)
    await this.#admin?.close()
  }

  async #make(configuration: Configuration, before: Stand | null): Promise<Stand> {
    const { settings, logger, sink } = this.parts
    const readerCount = settings.workers + OTHER_READERS
    const statics = await this.#loadStatics(configuration, readerCount)
    const errors = configuration.blocks.map(({ plugins: { errors } }) =>
      errors === undefined ? null : new ErrorsLog(errors.consolidate, logger),
    )
    const queries = new QueryLog(configuration.blocks.map(({ plugins: { log } }) => log ?? []))
    const isLogged = configuration.blocks.some(
      ({ plugins: { log, errors } }) => log !== undefined || errors !== undefined,
    )
    const rings = isLogged ? Array.from({ length: readerCount }, () => createLogRing()) : []
    const pump = isLogged ? new LogPump(rings, new LogLines(queries, errors, sink, logger)) : null
    const counts = configuration.blocks.some(({ plugins }) => plugins.prometheus !== undefined)
    const counting = counts ? countingOf(configuration, readerCount) : null
    const clusters = await ClusterSet.create(
      configuration,
      settings,
      this.#context(configuration),
      before?.clusters.all,
    )
    if (statics !== null) statics.onSourcesChanged = () => void this.#refresh(statics)
    const number = ++this.#lastNumber
    if (configuration.blocks.some(({ plugins }) => plugins.transfer !== undefined)) {
      this.#transfers ??= new (await import('./transfers.ts')).Transfers(logger)
      this.#transfers.add(number, { configuration, clusters: clusters.byBlock, statics: statics! })
    }
    const forwarding = forwardSourcesOf(configuration, readerCount, before)
    const hasLoop = configuration.blocks.some(({ plugins }) => plugins.loop !== undefined)
    const loopNames = hasLoop ? (await import('./loop-check.ts')).loopNamesOf(configuration) : []
    return { number, configuration, clusters, statics, counting, rings, pump, errors, loopNames, forwarding }
  }

  /** What is not used is not loaded. */
  async #loadStatics(configuration: Configuration, readerCount: number): Promise<StaticZones | null> {
    const isUsed = configuration.blocks.some(
      ({ plugins: { hosts, file, auto, transfer } }) => (hosts ?? file ?? auto ?? transfer) !== undefined,
    )
    if (!isUsed) return null
    const { StaticZones } = await import('../zones/static-zones.ts')
    const { logger } = this.parts
    const statics = new StaticZones(configuration, readerCount, (level, line) => logger.log(level, '', line))
    await statics.load()
    return statics
  }

  async #applyEndpoints(configuration: Configuration, clusters: ClusterSet): Promise<void> {
    const wants = configuration.blocks.some(
      ({ plugins: { health, ready, prometheus } }) => (health ?? ready ?? prometheus) !== undefined,
    )
    if (this.#admin === null) {
      if (!wants) return
      const { openMetrics } = await import('./metrics.ts')
      const metrics = openMetrics(this)
      const isServing = (): boolean => this.#serving !== null
      const { healthRecord: record, parts } = this
      this.#admin = new (await import('./admin.ts')).Admin({ record, logger: parts.logger, metrics, isServing })
    }
    await this.#admin.apply(configuration, clusters)
  }

  #context(configuration: Configuration): ClusterContext {
    const { settings, logger } = this.parts
    return {
      readerCount: settings.workers + OTHER_READERS,
      listenAddresses: ownAddresses(bindsOf(configuration).map(({ address }) => address)),
      log: (line) => logLeveled(logger, 'kubernetes', line),
      published: (seconds) => this.onPublished(seconds),
      tidy: () => void this.tidy(),
      programmed: (serviceKind, seconds) => this.onProgrammed(serviceKind, seconds),
    }
  }

  async #restore(stand: Stand): Promise<void> {
    try {
      this.#serving = await this.#open(stand, () => {
        for (const cluster of stand.clusters.all) if (!cluster.restore()) throw new NotRestored()
      })
    } catch (error) {
      if (!(error instanceof NotRestored)) throw error
    }
  }

  async #startClusters({ all }: ClusterSet): Promise<void> {
    await Promise.all(
      all.map((cluster) => {
        cluster.failed.catch(this.#failed.reject)
        return cluster.start()
      }),
    )
  }

  #open(stand: Stand, meanwhile?: () => void): Promise<Serving> {
    const { settings, logger } = this.parts
    const { workers, transport, receiveBufferBytes } = settings
    return startServing(
      {
        binds: bindsOf(stand.configuration),
        workers,
        transport,
        receiveBufferBytes,
        answerSource: this.#sourceOf(stand),
        log: (line) => logLeveled(logger, '', line),
        onTransfer: (call) => this.#transfers?.open(call),
        onLoopPass: (pass) => this.#loopCheck?.passed(pass),
      },
      meanwhile,
    )
  }

  #sourceOf({ configuration, clusters, statics, counting, rings, number, loopNames, forwarding }: Stand) {
    const { byBlock } = clusters
    return answerSourceOf(configuration, byBlock, statics, counting, rings, number, loopNames, forwarding)
  }

  /** Asks itself what `loop` asks for, in place of what it asked for before. */
  async #checkLoops({ configuration, loopNames }: Stand): Promise<void> {
    this.#loopCheck?.close()
    this.#loopCheck = null
    if (loopNames.every((name) => name === null)) return
    const { LoopCheck } = await import('./loop-check.ts')
    this.#loopCheck = new LoopCheck(configuration, loopNames, this.#serving!.listeners, (error) => {
      this.parts.logger.fatal('loop', error.message)
      this.#failed.reject(error)
    })
  }

  /** Zones have come or gone in a directory: workers need to know where they are. */
  async #refresh(statics: StaticZones): Promise<void> {
    const stand = this.#stand
    if (stand === null || stand.statics !== statics || this.#serving === null) return
    await this.#serving.change(bindsOf(stand.configuration), this.#sourceOf(stand))
    this.#letGoSoon()
  }

  /** What is not served any more goes when no thread holds it. Not while a reload has just taken the cores, nor after each of many. */
  #letGoSoon(): void {
    this.#lettingGo ??= setTimeout(() => {
      this.#lettingGo = undefined
      void this.tidy()
      void this.#serving?.letGo()
    }, LET_GO_MS).unref()
  }

  /** At the end. */
  async #dropAll(stand: Stand): Promise<void> {
    for (const late of [...this.#late]) await this.#endLate(late.stand)
    await this.#closeLog(stand)
    await this.#drop(stand, new Set())
  }

  /** What has been counted by a stand is history. */
  #retire(stand: Stand, heir: Stand): void {
    for (const values of countedBy(stand, heir)) this.#history.retire(values)
  }

  async #endLate(stand: Stand): Promise<void> {
    const index = this.#late.findIndex((late) => late.stand === stand)
    if (index < 0) return
    const [{ heir, timer }] = this.#late.splice(index, 1)
    clearTimeout(timer)
    this.#retire(stand, heir)
    await this.#closeLog(stand)
  }

  async #closeLog({ pump, errors }: Stand): Promise<void> {
    await pump?.stop()
    this.#retiredDrops += pump?.dropped ?? 0
    for (const each of errors) each?.flush()
  }

  /** Lets go of everything but its log, and the clusters that others use. */
  async #drop(stand: Stand, kept: ReadonlySet<unknown>): Promise<void> {
    stand.statics?.close()
    this.#transfers?.remove(stand.number)
    await Promise.all(stand.clusters.all.filter((cluster) => !kept.has(cluster)).map((cluster) => cluster.stop()))
  }
}

/** What has been counted under one configuration so far. @param heir  goes on with some of its caches, and with what these have counted */
function countedBy({ configuration, forwarding, counting }: Stand, heir?: Stand): CounterValues[] {
  if (counting === null) return []
  const figures = cacheFigures(forwarding, heir?.forwarding)
  return [...readCounting(counting), cacheEvictions(configuration, figures)]
}

/** A line that says itself how bad it is. */
export function logLeveled(logger: Logger, plugin: string, line: string): void {
  const [, level, text] = /^(?:(warning|error): )?(.*)$/s.exec(line)!
  if (level === 'warning' || level === 'error') logger.log(level, plugin, text)
  else logger.info(plugin, line)
}

/** The longest lameduck of a configuration, milliseconds. */
function lameduckOf({ blocks }: Configuration): number {
  return Math.max(0, ...blocks.map(({ plugins }) => plugins.health?.lameduckMs ?? 0))
}
