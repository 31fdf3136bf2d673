// A pool of endless tasks on Piscina threads, kept running.
//
// One task a worker. A task that throws is run again at once on its thread; a thread that dies (Piscina replaces it)
// likewise; one that spins in JavaScript is terminated, which is the last resort: `terminate` on a thread that is loading
// native code can abort the process, so only a worker that says it is BUSY and shows no heartbeat is a candidate.
// Workers are otherwise told to stop, by a word in shared memory and by being woken.

import { MessageChannel, type MessagePort } from 'node:worker_threads'
import { Piscina } from 'piscina'
import { BUSY, type ControlBlock, STARTING } from './control.ts'
import { LET_GO } from './garbage.ts'

/** A worker as the pool knows it. */
export interface PoolWorker {
  /** For log lines: `query worker 0`. */
  readonly label: string
  /** Structured-cloneable argument of the task, the same for every successor. */
  readonly task: unknown
  readonly control: ControlBlock
  /**
   * What the worker is to do now; asked for before each start and restart (`isFresh`), and when it changes.
   * The task gets it as `assignment`, and later ones through `port`.
   */
  readonly assign: (isFresh: boolean) => object
  /** Gets the worker out of its wait after `control.stop()`. */
  readonly wake?: () => void
  /** Busy for so long without a heartbeat, it is terminated. */
  readonly hungMs?: number
}

/** What a pool adds to a task. */
export interface Assigned<Assignment> {
  readonly assignment: Assignment & { readonly generation: number }
  /** Later assignments; the worker sets its control block's `generation` when it goes by one. */
  readonly port: MessagePort
}

/** What comes through that port. */
export type Later<Assignment> = (Assignment & { readonly generation: number }) | typeof LET_GO

/** What a worker's thread may post to the main thread: a failure it survived. */
export interface FailureMessage {
  readonly failure: string
}

// Every look costs a wake-up of an otherwise idle process: few while nobody is busy.
const WATCH_IDLE_MS = 250
const WATCH_BUSY_MS = 50
// Looks in a row at a busy worker with the same heartbeat. Counted, not timed: when the whole process was held up (a paused
// machine, a busy main thread), the workers get their chance before they are judged.
const HUNG_LOOKS = 10
const HUNG_MS = HUNG_LOOKS * WATCH_BUSY_MS
const STOP_MS = 800
const START_MAX_MS = 10_000
const READY_POLL_MS = 2
const GENERATION_POLL_MS = 50
// A worker that dies before it was ever ready would die again: not at full speed, then.
const FAILED_START_PAUSE_MS = 100
const LOG_PERIOD_MS = 1000
const LET_GO_MS = 100
// Small heaps: workers allocate next to nothing. The young generation is per thread and, left alone, grows to 16 MiB and more.
const RESOURCE_LIMITS = { maxYoungGenerationSizeMb: 2, maxOldGenerationSizeMb: 48 }

interface Watched {
  readonly worker: PoolWorker
  heartbeat: number
  looks: number
  crashes: number
  /** Of this life. */
  port: MessagePort | undefined
  /** The task's promise, settled for good only when the worker was told to stop. */
  finished: Promise<void>
}

/** Keeps a set of workers running until `stop`. */
export class WorkerPool {
  readonly #pool: Piscina
  #watched: Watched[] = []
  readonly #log: (line: string) => void
  /** Exceptions that workers survived. */
  failures = 0
  #watchdog: NodeJS.Timeout | undefined
  #generation = 1
  #stopping = false
  #ended = false
  #startError: unknown
  #silencedUntilMs = 0
  #silenced = 0

  /**
   * Starts the threads, empty-handed.
   *
   * @param module  file URL; its default export is the task, its export `prepare` loads what the task will need
   * @param log  takes one line; called at most about once a second for the same sort of trouble
   * @param take  gets what else the workers post to the main thread
   */
  constructor(
    module: string,
    threads: number,
    log: (line: string) => void,
    take: (message: object) => void = () => {},
  ) {
    this.#log = log
    this.#pool = new Piscina({
      filename: module,
      minThreads: threads,
      maxThreads: threads,
      idleTimeout: Number.POSITIVE_INFINITY,
      recordTiming: false,
      trackUnmanagedFds: false,
      resourceLimits: RESOURCE_LIMITS,
    })
    this.#pool.on('message', (message: Partial<FailureMessage>) => {
      if (message.failure === undefined) {
        take(message)
        return
      }
      this.failures++
      this.#report(`a worker: answering failed: ${message.failure}`)
    })
    this.#pool.on('error', (error: unknown) => this.#report(`a worker thread failed: ${describe(error)}`))
  }

  /** Has every thread load its modules. @throws what loading threw */
  async warm(argument: unknown): Promise<void> {
    const threads = Array.from({ length: this.#pool.options.maxThreads })
    await Promise.all(threads.map(() => this.#pool.run(argument, { name: 'prepare' })))
  }

  /** Runs one task a worker, again and again until `stop`. At most as many as there are threads; call it once. */
  start(workers: readonly PoolWorker[]): void {
    this.#watched = workers.map((worker) => ({
      worker,
      heartbeat: -1,
      looks: 0,
      crashes: 0,
      port: undefined,
      finished: Promise.resolve(),
    }))
    for (const watched of this.#watched) watched.finished = this.#keepRunning(watched)
  }

  /**
   * Settles when every worker serves.
   *
   * @throws what the first worker to fail before that threw; the pool is then stopped
   */
  async ready(): Promise<void> {
    const deadline = performance.now() + START_MAX_MS
    while (this.#watched.some(({ worker }) => worker.control.state === STARTING)) {
      if (this.#startError !== undefined || performance.now() > deadline) {
        await this.stop()
        throw this.#startError ?? new Error(`workers not ready after ${START_MAX_MS} ms`)
      }
      await new Promise((resolve) => setTimeout(resolve, READY_POLL_MS))
    }
    this.#watch()
  }

  /** Has every worker go by what its `assign` says now. Settles when all do, those included that died over it and were replaced. */
  async reassign(): Promise<void> {
    const generation = ++this.#generation
    for (const { worker, port } of this.#watched) {
      port?.postMessage({ ...worker.assign(false), generation })
      worker.wake?.()
    }
    await Promise.all(this.#watched.map(({ worker }) => this.#follows(worker, generation)))
  }

  /** Has every worker let go of what it does not use any more, one after another: it holds up each for a moment. */
  async letGo(): Promise<void> {
    for (const { worker, port } of this.#watched) {
      port?.postMessage(LET_GO)
      worker.wake?.()
      await new Promise((resolve) => setTimeout(resolve, LET_GO_MS).unref())
    }
  }

  /** Hands every worker a message through its port. */
  post(message: object): void {
    for (const { worker, port } of this.#watched) {
      port?.postMessage(message)
      worker.wake?.()
    }
  }

  async #follows({ control }: PoolWorker, generation: number): Promise<void> {
    for (;;) {
      const now = control.generation
      if (now >= generation || this.#ended) return
      await Promise.race([
        control.generationAfter(now),
        new Promise((resolve) => setTimeout(resolve, GENERATION_POLL_MS).unref()),
      ])
    }
  }

  /** How often the `index`-th worker was replaced. */
  crashes(index: number): number {
    return this.#watched[index].crashes
  }

  /** Tells the workers to stop and waits until they have (0.8 s at most unless told otherwise); then the threads are ended. */
  async stop(waitMs = STOP_MS): Promise<void> {
    this.#stopping = true
    for (const { worker } of this.#watched) {
      worker.control.stop()
      worker.wake?.()
    }
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, waitMs)
    })
    await Promise.race([Promise.all(this.#watched.map(({ finished }) => finished)), late])
    clearTimeout(timer)
    this.#ended = true
    for (const { port } of this.#watched) port?.close()
    clearTimeout(this.#watchdog)
    await this.#pool.destroy()
  }

  async #keepRunning(watched: Watched): Promise<void> {
    const { worker } = watched
    for (;;) {
      try {
        const { port1, port2 } = new MessageChannel()
        watched.port?.close()
        watched.port = port1
        const assignment = { ...worker.assign(true), generation: this.#generation }
        const task = { ...(worker.task as object), assignment, port: port2 }
        // The types of Piscina know a list of what browsers can transfer.
        await this.#pool.run(task, { transferList: [port2] as never })
        return
      } catch (error) {
        const wasReady = worker.control.state !== STARTING
        worker.control.state = STARTING
        worker.control.threadId = 0
        if (this.#ended || (this.#stopping && !wasReady)) return
        watched.crashes++
        if (wasReady) {
          this.#report(`${worker.label} died and is replaced: ${describe(error)}`)
        } else {
          this.#startError ??= error
          this.#report(`${worker.label} does not start: ${describe(error)}`)
          await new Promise((resolve) => setTimeout(resolve, FAILED_START_PAUSE_MS))
        }
      }
    }
  }

  // One line a second is enough to tell the story; the rest are counted.
  #report(line: string): void {
    const nowMs = performance.now()
    if (nowMs < this.#silencedUntilMs) {
      this.#silenced++
      return
    }
    this.#log(this.#silenced === 0 ? line : `${line} (and ${this.#silenced} more such events)`)
    this.#silenced = 0
    this.#silencedUntilMs = nowMs + LOG_PERIOD_MS
  }

  #watch(): void {
    if (this.#ended) return
    let busy = false
    for (const watched of this.#watched) {
      const { control, label, hungMs = HUNG_MS } = watched.worker
      const heartbeat = control.heartbeat
      if (control.state === BUSY) busy = true
      if (control.state !== BUSY || heartbeat !== watched.heartbeat) {
        watched.heartbeat = heartbeat
        watched.looks = 0
      } else if (++watched.looks * WATCH_BUSY_MS >= hungMs) {
        watched.looks = 0
        this.#report(`${label} has not moved for ${hungMs} ms and is terminated`)
        const threadId = control.threadId
        void this.#pool.threads.find((thread) => thread.threadId === threadId)?.terminate()
      }
    }
    this.#watchdog = setTimeout(() => this.#watch(), busy ? WATCH_BUSY_MS : WATCH_IDLE_MS)
  }
}

function describe(error: unknown): string {
  return error instanceof Error
    ? (error.stack ?? error.message).split('\n').slice(0, 2).join(' ').trim()
    : String(error)
}
