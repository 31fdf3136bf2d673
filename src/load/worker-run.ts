// What a worker thread is told to do and says back: the messages between the session and its threads.

import type { QueryTable } from './query-table.ts'
import type { RunSpec } from './run.ts'
import type { WorkerSecond } from './tally.ts'

/** workerData of a thread. */
export interface WorkerSetting {
  readonly table: QueryTable
  readonly worker: number
  readonly workers: number
  /** The thread is kept on it; -1 = on none. */
  readonly core: number
  /** Words of CONTROL_*, shared with the session. */
  readonly control: Int32Array<SharedArrayBuffer>
}

/** Words of `control`: 1 ends the run; then, by worker, batches of samples that nobody has taken yet. */
export const CONTROL_STOP = 0
export const CONTROL_BATCHES = 1
/** More of them are not posted. */
export const BATCHES_MAX = 8

/** To a worker, that obeys one after another. */
export type WorkerOrder =
  | { readonly kind: 'prepare'; readonly spec: RunSpec }
  /** Start at that time: milliseconds of the system's monotonic clock. */
  | { readonly kind: 'go'; readonly startMs: number }
  /** Give up what is prepared: nothing will come of this run. */
  | { readonly kind: 'leave' }

/** From a worker: ready for orders, once; then what comes of each. */
export type WorkerNews =
  | { readonly kind: 'ready' }
  | { readonly kind: 'prepared' }
  | { readonly kind: 'second'; readonly second: WorkerSecond }
  | { readonly kind: 'samples'; readonly batch: Uint8Array<ArrayBuffer>; readonly length: number }
  | { readonly kind: 'ended'; readonly end: WorkerEnd }
  | { readonly kind: 'failed'; readonly message: string; readonly code: string }
  | { readonly kind: 'left' }

/** Times of a run by a thread's own clock (performance.now), in milliseconds. */
export interface RunTimes {
  readonly startMs: number
  /** When it begins to count. */
  readonly fromMs: number
  readonly toMs: number
}

/** A worker's own part in a run. */
export interface WorkerEnd {
  /** Length of what counted: shorter than asked for when it was ended early. */
  readonly seconds: number
  readonly unsent: number
  readonly unsampled: number
  readonly cpuShare: number
  readonly idleShare: number
  readonly receiveDrops: number
  /** Messages taken, and the calls that took any. */
  readonly received: number
  readonly receives: number
}

/** The system's monotonic clock in milliseconds: the same in every thread. */
export function monotonicMs(): number {
  return Number(process.hrtime.bigint()) / 1e6
}
