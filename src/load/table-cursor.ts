// Which query comes next. Each worker has a part of the table for itself, so that no two ask the same at the same time and a table
// that is sent once is sent once; for a replay they take turns, because times follow the order of the table.

import { FOLLOWER, type QueryTable } from './query-table.ts'

/** One worker's way through the table, again and again. */
export class TableCursor {
  readonly #flags: Uint8Array
  readonly #first: number
  readonly #end: number
  readonly #step: number
  #next: number
  /** Queries taken so far. */
  taken = 0
  /** Queries of one pass. */
  readonly perPass: number

  constructor(table: QueryTable, isReplay: boolean, worker: number, workers: number) {
    this.#flags = table.flags
    this.#first = isReplay ? worker : leaderAt(table, Math.floor((table.count * worker) / workers))
    this.#end = isReplay ? table.count : leaderAt(table, Math.floor((table.count * (worker + 1)) / workers))
    this.#step = isReplay ? workers : 1
    this.#next = this.#first
    this.perPass = Math.max(0, Math.ceil((this.#end - this.#first) / this.#step))
  }

  /** The query that comes next; nothing is taken. */
  get query(): number {
    return this.#next
  }

  /** Whether it belongs to the one before. */
  get isFollower(): boolean {
    return (this.#flags[this.#next] & FOLLOWER) !== 0
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
    const length = this.perPass * this.#step
    this.#next = this.#first + (((back % length) + length) % length)
  }
}

/** The first query from there on that belongs to none before it. */
function leaderAt({ flags, count }: QueryTable, from: number): number {
  let at = from
  while (at < count && (flags[at] & FOLLOWER) !== 0) at++
  return at
}
