// The main thread's side of the engine: starts the worker threads, has them run, adds up what they count.

import { setTimeout as sleep } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import { networkErrorsSince, readNetworkErrors } from './network-errors.ts'
import { serverCpuTimeNs } from './process-cpu.ts'
import type { QueryTable } from './query-table.ts'
import { type RunResult, type RunSpec, type Second, TIMEOUT_MAX_MS } from './run.ts'
import { RunSum } from './run-sum.ts'
import { unpackSamples } from './samples.ts'
import {
  CONTROL_BATCHES,
  CONTROL_STOP,
  monotonicMs,
  type WorkerEnd,
  type WorkerNews,
  type WorkerOrder,
  type WorkerSetting,
} from './worker-run.ts'

/** An answer that was picked to be checked. */
export interface Sample {
  /** Of the query, in the table. */
  readonly index: number
  /** The message as it came, its ID included. */
  readonly response: Uint8Array
}

/** What a caller wants to know while a run goes on. */
export interface RunEvents {
  /** A second is over, warm-up included; all workers together. */
  second?(second: Second): void
  /** Answers to check. While the promise is not settled, at most a few more batches are kept; of a closed loop the workers wait then. */
  samples?(samples: readonly Sample[]): void | Promise<void>
}

export interface SessionOptions {
  readonly workers: number
  /** Cores that the worker threads are kept on, in turn; empty = wherever the system likes. */
  readonly cores: readonly number[]
}

/** What the searches and comparisons need of a session. */
export interface Runner {
  /**
   * @param pids    processes of the server, whose CPU time is taken over the time that counts
   * @param signal  ends it early
   */
  run(spec: RunSpec, events?: RunEvents, pids?: readonly number[], signal?: AbortSignal): Promise<RunResult>
}

/** A run that could not be made: a worker failed, a socket could not be opened. */
export class RunError extends Error {
  readonly code: string

  constructor(message: string, code: string) {
    super(message)
    this.code = code === '' ? 'RUN_FAILED' : code
  }
}

/** Between the word and the start: all threads must have heard it. */
const START_AFTER_MS = 20
/** How long a thread may take to give up a run beyond what is under way. */
const LEAVING_MS = 1000
/** How long a thread may take beyond what the run takes. */
const PATIENCE_MS = 30_000
/** threadId of a thread that is no more. */
const ENDED = -1

/** The threads. One run at a time. */
export class LoadSession implements Runner {
  readonly #workers: readonly Worker[]
  readonly #control: Int32Array<SharedArrayBuffer>

  private constructor(workers: readonly Worker[], control: Int32Array<SharedArrayBuffer>) {
    this.#workers = workers
    this.#control = control
  }

  static async start(table: QueryTable, { workers, cores }: SessionOptions): Promise<LoadSession> {
    const control = new Int32Array(new SharedArrayBuffer(4 * (CONTROL_BATCHES + workers)))
    const threads = Array.from({ length: workers }, (_, worker) => {
      const core = cores.length === 0 ? -1 : cores[worker % cores.length]
      const workerData: WorkerSetting = { table, worker, workers, core, control }
      return new Worker(new URL('./worker.ts', import.meta.url), { workerData })
    })
    const session = new LoadSession(threads, control)
    try {
      await Promise.all(threads.map(ready))
    } catch (error) {
      await session.close()
      throw error
    }
    return session
  }

  async run(
    spec: RunSpec,
    events: RunEvents = {},
    pids: readonly number[] = [],
    signal?: AbortSignal,
  ): Promise<RunResult> {
    const control = this.#control
    control.fill(0)
    const stop = (): void => void Atomics.store(control, CONTROL_STOP, 1)
    if (signal?.aborted === true) stop()
    signal?.addEventListener('abort', stop)
    const sum = new RunSum(spec, this.#workers.length, (second) => events.second?.(second))
    const conversations = this.#workers.map((worker, i) => new Conversation(worker, i, control, sum, events))
    try {
      await Promise.all(conversations.map((each) => each.prepare(spec)))
      const startMs = monotonicMs() + START_AFTER_MS
      const startedAt = new Date().toISOString()
      const errorsBefore = readNetworkErrors()
      const ends = Promise.all(conversations.map((each) => each.go(startMs)))
      const cpu = serverCpu(spec, pids, startMs, ends)
      const serverCpuNs = await cpu
      return sum.result({
        startedAt,
        ends: await ends,
        serverCpuNs,
        udpErrors: networkErrorsSince(errorsBefore),
        interrupted: Atomics.load(control, CONTROL_STOP) !== 0,
      })
    } catch (error) {
      // The others go on without a reason, and the next run must not meet them.
      stop()
      const limit = sleep(spec.timeoutMs + LEAVING_MS, undefined, { ref: false })
      await Promise.race([Promise.all(conversations.map((each) => each.leave())), limit])
      throw error
    } finally {
      signal?.removeEventListener('abort', stop)
      for (const each of conversations) each.close()
    }
  }

  /** Ends the threads. */
  async close(): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker.terminate()))
  }
}

/** What is said with one worker in the course of one run. */
class Conversation {
  readonly #worker: Worker
  readonly #onNews: (news: WorkerNews) => void
  readonly #onError: (error: Error) => void
  readonly #onExit: () => void
  readonly #prepared = Promise.withResolvers<void>()
  readonly #ended = Promise.withResolvers<WorkerEnd>()
  readonly #left = Promise.withResolvers<void>()
  /** All samples are checked. */
  #checked: Promise<void> = Promise.resolve()

  constructor(worker: Worker, index: number, control: Int32Array<SharedArrayBuffer>, sum: RunSum, events: RunEvents) {
    this.#worker = worker
    this.#onNews = (news) => {
      switch (news.kind) {
        case 'prepared':
          return this.#prepared.resolve()
        case 'second':
          return sum.add(news.second)
        case 'samples': {
          const check = this.#check(news.batch, news.length, events).finally(() => {
            Atomics.sub(control, CONTROL_BATCHES + index, 1)
          })
          this.#checked = this.#checked.then(() => check)
          return
        }
        case 'ended':
          return void this.#checked.then(() => this.#ended.resolve(news.end))
        case 'failed':
          return this.#fail(new RunError(news.message, news.code))
        case 'left':
          return this.#left.resolve()
      }
    }
    this.#onError = (error) => this.#fail(error)
    this.#onExit = () => {
      this.#fail(new RunError('a worker thread ended', ''))
      this.#left.resolve()
    }
    worker.on('message', this.#onNews)
    worker.on('error', this.#onError)
    worker.on('exit', this.#onExit)
    // Whoever waits for the other of the two is told.
    this.#prepared.promise.catch(() => {})
    this.#ended.promise.catch(() => {})
    if (worker.threadId === ENDED) this.#onExit()
  }

  prepare(spec: RunSpec): Promise<void> {
    this.#order({ kind: 'prepare', spec })
    return this.#prepared.promise
  }

  go(startMs: number): Promise<WorkerEnd> {
    this.#order({ kind: 'go', startMs })
    return this.#ended.promise
  }

  /** Has the worker give up the run. @returns when it has */
  leave(): Promise<void> {
    this.#order({ kind: 'leave' })
    return this.#left.promise
  }

  close(): void {
    this.#worker.off('message', this.#onNews)
    this.#worker.off('error', this.#onError)
    this.#worker.off('exit', this.#onExit)
  }

  #order(order: WorkerOrder): void {
    this.#worker.postMessage(order)
  }

  async #check(batch: Uint8Array, length: number, events: RunEvents): Promise<void> {
    try {
      await events.samples?.(unpackSamples(batch, length))
    } catch (error) {
      this.#fail(error as Error)
    }
  }

  #fail(error: Error): void {
    this.#prepared.reject(error)
    this.#ended.reject(error)
  }
}

/** CPU time of the processes for as long as the run counts: what was used between two looks, put to that length. */
async function serverCpu(
  spec: RunSpec,
  pids: readonly number[],
  startMs: number,
  ends: Promise<readonly WorkerEnd[]>,
): Promise<number | null> {
  const ended = ends.then(
    () => {},
    () => {},
  )
  if (pids.length === 0) {
    await within(spec, ended)
    return null
  }
  const fromMs = startMs + spec.warmupMs
  await Promise.race([ended, sleep(Math.max(0, fromMs - monotonicMs()), undefined, { ref: false })])
  const beganMs = monotonicMs()
  const before = serverCpuTimeNs(pids)
  await Promise.race([ended, sleep(Math.max(0, fromMs + spec.durationMs - monotonicMs()), undefined, { ref: false })])
  const after = serverCpuTimeNs(pids)
  const lookedMs = monotonicMs() - beganMs
  await within(spec, ended)
  if (before === null || after === null || lookedMs <= 0) return null
  const seconds = Math.max(...(await ends).map(({ seconds }) => seconds))
  return ((after - before) * seconds * 1000) / lookedMs
}

/** Waits until all have ended, for as long as they may take. @throws RunError */
async function within({ warmupMs, durationMs }: RunSpec, ended: Promise<void>): Promise<void> {
  const limit = new AbortController()
  const late = sleep(warmupMs + durationMs + TIMEOUT_MAX_MS + PATIENCE_MS, 'late', { signal: limit.signal }).catch(
    () => '',
  )
  const first = await Promise.race([ended, late])
  limit.abort()
  if (first === 'late') throw new RunError('a worker thread does not end', '')
}

/** Waits until a thread takes orders. */
function ready(worker: Worker): Promise<void> {
  return new Promise((resolve, reject) => {
    // It says nothing else before it is told something.
    worker.once('message', () => resolve())
    // Stays, so that no error between two runs is without anybody who hears it.
    worker.on('error', reject)
    worker.once('exit', (code) => reject(new RunError(`a worker thread ended with ${code}`, '')))
  })
}
