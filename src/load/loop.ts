// What the loops have in common, whatever they send over: what a worker gives them, and how it sees them.

import type { QueryTable } from './query-table.ts'
import type { RunSpec } from './run.ts'
import type { SampleBatches } from './samples.ts'
import type { Pace } from './schedule.ts'
import type { TableCursor } from './table-cursor.ts'
import type { Tally } from './tally.ts'
import type { RunTimes } from './worker-run.ts'

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
