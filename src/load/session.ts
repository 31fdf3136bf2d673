// The main thread's side of the engine: starts the worker threads, has them run, adds up what they count.

import type { QueryTable } from './query-table.ts'
import type { RunResult, RunSpec, Second } from './run.ts'

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

/** The threads. One run at a time. */
export declare class LoadSession implements Runner {
  static start(table: QueryTable, options: SessionOptions): Promise<LoadSession>
  run(spec: RunSpec, events?: RunEvents, pids?: readonly number[], signal?: AbortSignal): Promise<RunResult>
  close(): Promise<void>
}
