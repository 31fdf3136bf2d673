// Follows a live cluster: what the feed thread (watch/feed-thread.ts) hears from the API server goes into the store, and from there
// into the index, a publication for all that came together. The thread is replaced if it dies; what is served stays.

import { Worker } from 'node:worker_threads'
import { RegionFullError } from '../index/allocator.ts'
import type { ClusterIndex, Flush } from './cluster-index.ts'
import { Audit, eachItem, Replacement, ResourceStore } from './list-merge.ts'
import { type OnProgrammed, ProgrammingLatency } from './programming-latency.ts'
import type {
  Events,
  FeedMessage,
  FeedOptions,
  Items,
  ListBegin,
  ListEnd,
  ListItems,
  Resource,
} from './watch/messages.ts'
import { type RequestTotals, sumOfTotals } from './watch/request-totals.ts'

/** Events are gathered for so long before they are published together. */
const GATHER_MS = 2
/** Events on their way when an audit's list ends have arrived after this time. */
const AUDIT_GRACE_MS = 2000
const RESTART_FIRST_MS = 100
const RESTART_MAX_MS = 5000
const STOP_MS = 500
const HEALED_NAMED = 5
/** Of one outage, for the log. */
const REASONS_MAX = 10

/** How it stands with one kind of objects. */
export interface ResourceStatus {
  /** Its list was complete once. */
  readonly complete: boolean
  /** When it was last known to be as the API server has it, milliseconds since 1970; 0 if never. */
  readonly aliveAtMs: number
  /** Why it is not being followed right now; '' if it is. */
  readonly failing: string
}

/** For metrics, readiness and the log. */
export interface FeedStatus {
  /** Everything has been listed once: what is not there does not exist. */
  readonly synced: boolean
  /** Milliseconds since the oldest of the kinds was last known to be right; Infinity before all were. */
  readonly ageMs: number
  readonly resources: Readonly<Partial<Record<Resource, ResourceStatus>>>
  /** Objects that audits found to be different though no event had said so. */
  readonly healed: number
  /** What the API server was asked since the process started, a second ago at the latest. */
  readonly requests: readonly RequestTotals[]
}

export interface FeedCallbacks {
  /** Takes one line. */
  readonly log: (line: string) => void
  /** Everything is known, and published. Once. */
  readonly onSynced: () => void
  /** A list has ended that replaced what was known: much of what was needed for it is free soon. */
  readonly onListed: () => void
  /** Something was published, which took so many seconds. */
  readonly onPublished: (flush: Flush, seconds: number) => void
  /** A change of a Service's endpoints that says when it happened is served. */
  readonly onProgrammed?: OnProgrammed
  /** The index cannot be built at all. */
  readonly onFailed: (error: Error) => void
}

/** The cluster cannot be followed at all: the kubeconfig, or the service account, is no good. */
export class FeedError extends Error {
  readonly code = 'BAD_CONNECTION'
}

type ResourceMessage = Exclude<FeedMessage, { readonly type: 'log' | 'refused' | 'requested' }>

/** One kind of objects, as the feed stands with it. */
class Following implements ResourceStatus {
  readonly store: ResourceStore
  complete = false
  aliveAtMs = 0
  /** The same on the clock of performance.now(), which nobody sets. */
  heardAt = Number.NEGATIVE_INFINITY
  failing = ''
  failingSince = 0
  /** Reasons for that which were logged: it may fail in several ways by turns. */
  readonly reasons = new Set<string>()
  /** Objects of it are in the store that no complete list has confirmed. */
  begun = false
  list: Replacement | null = null
  audit: Audit | null = null
  /** One whose list is complete, while events that concern it may still be on their way. */
  endingAudit: Audit | null = null

  constructor(store: ResourceStore) {
    this.store = store
  }
}

export class LiveFeed {
  readonly #options: FeedOptions
  readonly #index: ClusterIndex
  readonly #callbacks: FeedCallbacks
  readonly #followings: ReadonlyMap<Resource, Following>
  readonly #latency: ProgrammingLatency
  /** Asked by threads that have ended, and by the one that runs. */
  #requestsBefore: readonly RequestTotals[] = []
  #requests: readonly RequestTotals[] = []
  #worker: Worker | undefined
  #restartMs = RESTART_FIRST_MS
  #restartTimer: NodeJS.Timeout | undefined
  #stopping = false
  /** What came before start(). */
  #early: ResourceMessage[] | null = []
  /** Readers see what is written: lists replace what is known in one publication. Before that, it is written as it comes. */
  #visible: boolean
  /** Nothing becomes visible before everything is known. */
  #patient = true
  #synced = false
  /** The index had no room for the last publication. */
  #full = false
  #healed = 0
  #gathering = false
  #flushedMs = 0

  /**
   * Starts the thread; nothing is applied before start().
   * @param visible  the index holds a state already, which is served
   */
  constructor(options: FeedOptions, index: ClusterIndex, visible: boolean, callbacks: FeedCallbacks) {
    this.#options = options
    this.#index = index
    this.#visible = visible
    this.#callbacks = callbacks
    this.#followings = new Map(
      options.resources.map((resource) => [resource, new Following(new ResourceStore(resource, index.state))]),
    )
    this.#latency = new ProgrammingLatency(index.state, callbacks.onProgrammed ?? (() => {}))
    index.complete = false
    // The zones are published already, and as if there were nothing else.
    index.flush(Date.now())
    this.#startThread()
  }

  /** From now on what comes in is applied. */
  start(): void {
    const early = this.#early ?? []
    this.#early = null
    for (const message of early) this.#receive(message)
  }

  get status(): FeedStatus {
    const all = [...this.#followings.values()]
    return {
      synced: this.#synced,
      ageMs: performance.now() - Math.min(...all.map(({ heardAt }) => heardAt)),
      resources: Object.fromEntries(this.#followings),
      healed: this.#healed,
      requests: sumOfTotals(this.#requestsBefore, this.#requests),
    }
  }

  /** What is known so far becomes visible, as soon as no kind of objects is known in part: waiting has taken too long. */
  showWhatIsKnown(): void {
    this.#patient = false
    this.#show()
  }

  /** Tries again what the index had no room for. */
  retry(): void {
    if (this.#full) this.#gather()
  }

  /** Ends the thread; what is served stays. */
  async stop(): Promise<void> {
    this.#stopping = true
    clearTimeout(this.#restartTimer)
    const worker = this.#worker
    if (worker === undefined) return
    const ended = new Promise<void>((resolve) => worker.once('exit', () => resolve()))
    worker.postMessage({ type: 'stop' })
    const timer = setTimeout(() => void worker.terminate(), STOP_MS)
    await ended
    clearTimeout(timer)
  }

  #startThread(): void {
    const worker = new Worker(new URL('./watch/feed-thread.ts', import.meta.url), {
      workerData: this.#options,
      resourceLimits: { maxYoungGenerationSizeMb: 4 },
    })
    this.#worker = worker
    worker.on('message', (message: FeedMessage) => {
      if (message.type === 'log') this.#callbacks.log(message.line)
      else if (message.type === 'refused') this.#refused(message.reason)
      else if (message.type === 'requested') this.#requests = message.totals
      else if (this.#early !== null) this.#early.push(message)
      else this.#receive(message)
    })
    worker.on('error', (error) => this.#callbacks.log(`error: the feed thread failed: ${(error as Error).message}`))
    worker.once('exit', () => this.#threadEnded())
  }

  #threadEnded(): void {
    this.#worker = undefined
    this.#requestsBefore = sumOfTotals(this.#requestsBefore, this.#requests)
    this.#requests = []
    if (this.#stopping) return
    for (const following of this.#followings.values()) {
      following.list = null
      following.audit = null
      following.endingAudit = null
    }
    this.#early = this.#early === null ? null : []
    this.#callbacks.log(`the feed thread is started again in ${this.#restartMs} ms; what is known keeps serving`)
    this.#restartTimer = setTimeout(() => this.#startThread(), this.#restartMs)
    this.#restartMs = Math.min(this.#restartMs * 2, RESTART_MAX_MS)
  }

  #receive(message: ResourceMessage): void {
    try {
      this.#follow(this.#followings.get(message.resource)!, message)
    } catch (error) {
      this.#callbacks.onFailed(error as Error)
    }
  }

  #follow(following: Following, message: ResourceMessage): void {
    switch (message.type) {
      case 'events':
        this.#applyEvents(following, message)
        break
      case 'list-begin':
        this.#beginList(following, message)
        break
      case 'list-items':
        this.#addToList(following, message)
        this.#worker?.postMessage({ type: 'ack' })
        break
      case 'list-end':
        this.#endList(following, message)
        break
      case 'alive':
        this.#heard(following)
        break
      case 'failing':
        this.#failed(following, message.reason)
    }
  }

  /** At start that is the user's to put right; later a file may be in the middle of being replaced. */
  #refused(reason: string): void {
    const isKnown = [...this.#followings.values()].some(({ aliveAtMs }) => aliveAtMs > 0)
    if (isKnown) this.#callbacks.log(reason)
    else this.#callbacks.onFailed(new FeedError(reason))
  }

  #applyEvents(following: Following, { items, triggeredMs }: Events): void {
    let item = 0
    eachItem(items, (namespace, name, packed) => {
      const isNews = following.store.set(namespace, name, packed)
      if (isNews && triggeredMs !== undefined) this.#latency.changed(namespace, packed, triggeredMs[item])
      item++
      following.audit?.touch(namespace, name)
      following.endingAudit?.touch(namespace, name)
    })
    this.#heard(following)
    this.#gather()
  }

  #beginList(following: Following, { audit }: ListBegin): void {
    if (audit) {
      following.audit = new Audit(following.store)
      return
    }
    following.audit = null
    following.endingAudit = null
    // Nobody sees it yet, and there is nothing to replace: what the list has named need not be remembered.
    following.list = this.#visible || following.begun ? new Replacement(following.store) : null
  }

  #addToList(following: Following, { audit, items }: ListItems): void {
    if (audit) following.audit?.add(items)
    else if (this.#visible) {
      following.list ??= new Replacement(following.store)
      following.list.add(items)
    } else {
      this.#addAtOnce(following, items)
      following.list?.add(items)
    }
  }

  #addAtOnce(following: Following, items: Items): void {
    const { store } = following
    following.begun = true
    eachItem(items, (namespace, name, packed) => store.set(namespace, name, packed))
    this.#index.load(store.servicesOf(items))
  }

  #endList(following: Following, { audit, complete }: ListEnd): void {
    if (audit) {
      if (complete) this.#endAudit(following)
      following.audit = null
      return
    }
    const { list } = following
    following.list = null
    if (!complete) return
    list?.apply()
    following.complete = true
    this.#restartMs = RESTART_FIRST_MS
    this.#heard(following)
    if (this.#visible) this.#gather()
    this.#show()
    this.#callbacks.onListed()
  }

  #endAudit(following: Following): void {
    const { audit } = following
    // Where audits follow one another sooner than that, every other one has to do.
    if (audit === null || following.endingAudit !== null) return
    following.endingAudit = audit
    setTimeout(() => {
      if (following.endingAudit !== audit || this.#stopping) return
      following.endingAudit = null
      const healed = audit.heal()
      if (healed.length === 0) return
      this.#healed += healed.length
      const named = healed.slice(0, HEALED_NAMED).join(', ')
      const more = healed.length > HEALED_NAMED ? ` and ${healed.length - HEALED_NAMED} more` : ''
      this.#callbacks.log(`audit: the watch of ${following.store.resource} had missed ${named}${more}: put right`)
      this.#gather()
      // A watch that missed something may be deaf, as after an API server was restored from a backup.
      this.#worker?.postMessage({ type: 'list-again', resource: following.store.resource })
    }, AUDIT_GRACE_MS)
  }

  #heard(following: Following): void {
    following.aliveAtMs = Date.now()
    following.heardAt = performance.now()
    if (following.failing === '') return
    const seconds = ((following.heardAt - following.failingSince) / 1000).toFixed(1)
    following.failing = ''
    following.reasons.clear()
    this.#callbacks.log(`${following.store.resource}: followed again after ${seconds} s`)
  }

  #failed(following: Following, reason: string): void {
    if (following.failing === '') following.failingSince = performance.now()
    following.failing = reason
    if (following.reasons.has(reason) || following.reasons.size === REASONS_MAX) return
    following.reasons.add(reason)
    this.#callbacks.log(`${following.store.resource}: ${reason}`)
  }

  /** Makes visible what is known, if that is right as far as it goes. */
  #show(): void {
    if (this.#synced) return
    const all = [...this.#followings.values()]
    const synced = all.every(({ complete }) => complete)
    // A Service with some of its slices would be answered wrongly.
    const isWhole = all.every(({ complete, begun }) => complete || !begun)
    if (!synced && (this.#patient || this.#visible || !isWhole)) return
    this.#synced = synced
    this.#index.complete = synced
    this.#flush(!this.#visible)
    this.#visible = true
    if (synced) this.#callbacks.onSynced()
  }

  #gather(): void {
    if (!this.#visible || this.#gathering) return
    this.#gathering = true
    const publish = (): void => {
      this.#gathering = false
      this.#flush(false)
    }
    if (performance.now() - this.#flushedMs >= GATHER_MS) setImmediate(publish)
    else setTimeout(publish, GATHER_MS)
  }

  #flush(loading: boolean): void {
    try {
      const beganMs = performance.now()
      const flush = this.#index.flush(Date.now(), loading)
      if (this.#full) this.#callbacks.log('the index has room again: all changes are served')
      this.#full = false
      this.#latency.served(Date.now())
      if (flush.version !== 0) this.#callbacks.onPublished(flush, (performance.now() - beganMs) / 1000)
    } catch (error) {
      if (loading || !(error instanceof RegionFullError)) {
        this.#callbacks.onFailed(error as Error)
        return
      }
      if (!this.#full) this.#callbacks.log(`error: ${error.message}; the last good state keeps serving`)
      this.#full = true
    }
    this.#flushedMs = performance.now()
  }
}
