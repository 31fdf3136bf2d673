// What the loops have in common, whatever they send over: what a worker gives them, and how it sees them.

import type { QueryTable } from './query-table.ts'
import type { RunSpec } from './run.ts'
import type { SampleBatches } from './samples.ts'
import type { Pace } from './schedule.ts'
import type { TableCursor } from './table-cursor.ts'
import type { Tally } from './tally.ts'
import type { RunTimes } from './worker-run.ts'

/** Queries that leave at once over one socket or connection, at most. */
export const BATCH = 64
/** What has waited too long is looked for so often. */
export const EXPIRY_EVERY_MS = 1
/** What is due at the very end is not in time any more. */
export const BEFORE_END_MS = 1e-3

/** What a loop works with. */
export interface LoopParts {
  readonly spec: RunSpec
  readonly table: QueryTable
  readonly cursor: TableCursor
  /** null for a closed loop. */
  readonly pace: Pace | null
  readonly tally: Tally
  readonly samples: SampleBatches
  readonly control: Int32Array<SharedArrayBuffer>
  readonly workers: number
  readonly worker: number
}

/** A run that is ready to start. */
export interface Loop {
  /** @returns when sending ended */
  run(times: RunTimes): number | Promise<number>
  unsentBy(endMs: number): number
  close(): void
  readonly receiveDrops: number
  readonly idleMs: number
  readonly received: number
  readonly receives: number
}

/** The part of a number that the i-th of n has, as even as whole numbers allow. */
export function shareOf(total: number, index: number, of: number): number {
  return Math.floor((total * (index + 1)) / of) - Math.floor((total * index) / of)
}

/**
 * Places on each socket or connection for what a rate has under way: they are in the order of sending, so that one query without an
 * answer keeps those behind it until it is given up. Enough for that, twice over, and for a few batches.
 *
 * @param rateUnknown  queries a second that a closed loop or a replay may come to, of all sockets
 */
export function placesFor({ schedule, timeoutMs }: RunSpec, sockets: number, rateUnknown: number): number {
  const rate =
    schedule.kind === 'open'
      ? schedule.rate
      : schedule.kind === 'ramp'
        ? Math.max(schedule.from, schedule.to)
        : rateUnknown
  return Math.ceil(((rate * timeoutMs) / 1000 / sockets) * 2) + 4 * BATCH
}
