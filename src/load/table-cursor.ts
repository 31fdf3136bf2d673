// Which query comes next. Each worker has a part of the table for itself, so that no two ask the same at the same time and a table
// that is sent once is sent once; for a replay they take turns, because times follow the order of the table.

import { orderByLength } from './length-order.ts'
import { FOLLOWER, type QueryTable } from './query-table.ts'

/** One worker's way through the table, again and again. */
export class TableCursor {
  readonly #flags: Uint8Array
  readonly #first: number
  readonly #end: number
  readonly #step: number
  /** Queries by place, from `first` on; null for the order of the table. */
  readonly #order: Uint32Array | null
  /** A place. */
  #next: number
  /** Queries taken so far. */
  taken = 0
  /** Queries of one pass: 0 for a worker that has no part. */
  readonly perPass: number

  /** @param isByLength  takes queries of equal length together */
  constructor(table: QueryTable, isReplay: boolean, worker: number, workers: number, isByLength = false) {
    const { count, flags } = table
    const first = isReplay ? worker : leaderAt(table, Math.floor((count * worker) / workers))
    const end = isReplay ? count : leaderAt(table, Math.floor((count * (worker + 1)) / workers))
    const step = isReplay ? workers : 1
    this.perPass = Math.max(0, Math.ceil((end - first) / step))
    // Whoever has no part, because there are more workers than queries, has a share of the rate all the same.
    const hasPart = this.perPass > 0
    this.#flags = flags
    this.#first = hasPart ? first : 0
    this.#end = hasPart ? end : count
    this.#step = hasPart ? step : 1
    this.#next = this.#first
    this.#order = isByLength && !isReplay ? orderByLength(table, this.#first, this.#end) : null
  }

  /** The query that comes next; nothing is taken. */
  get query(): number {
    return this.#order === null ? this.#next : this.#order[this.#next - this.#first]
  }

  /** Whether it belongs to the one before. */
  get isFollower(): boolean {
    return (this.#flags[this.query] & FOLLOWER) !== 0
  }

  /** Takes it. */
  advance(): void {
    this.taken++
    this.#next += this.#step
    if (this.#next >= this.#end) this.#next = this.#first
  }

  /** Takes the last `count` back. */
  retreat(count: number): void {
    this.taken -= count
    const back = this.#next - this.#first - count * this.#step
    const length = Math.ceil((this.#end - this.#first) / this.#step) * this.#step
    this.#next = this.#first + (((back % length) + length) % length)
  }
}

/** The first query from there on that belongs to none before it. */
function leaderAt({ flags, count }: QueryTable, from: number): number {
  let at = from
  while (at < count && (flags[at] & FOLLOWER) !== 0) at++
  return at
}
