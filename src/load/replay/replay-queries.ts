// Gathers the queries of a capture in the order in which they come, and makes a table of them in the order of time.

import { type QueryTable, QueryTableBuilder } from '../query-table.ts'
import type { Packet } from './packet.ts'

const NANOS_PER_MS = 1e6
const CAPACITY_START = 4096

export class ReplayQueries {
  readonly #builder = new QueryTableBuilder()
  /** By query: nanoseconds after the first query that has a time, may be negative; exact within 104 days of it. NaN before that one. */
  #nanos = new Float64Array(CAPACITY_START)
  #origin: bigint | null = null
  #latest = Number.NEGATIVE_INFINITY
  #octets = 0
  #lateCount = 0
  #untimedCount = 0

  get count(): number {
    return this.#builder.count
  }

  /** Of all messages. */
  get octets(): number {
    return this.#octets
  }

  /** Queries that came behind later ones. */
  get lateCount(): number {
    return this.#lateCount
  }

  /** Queries without a time. */
  get untimedCount(): number {
    return this.#untimedCount
  }

  /** Keeps a copy of the message that the packet was stripped to. */
  add(packet: Packet): void {
    const index = this.count
    this.#builder.add(new Uint8Array(packet.view.buffer, packet.start, packet.length))
    this.#octets += packet.length
    if (index === this.#nanos.length) this.#grow()
    this.#nanos[index] = this.#timeOf(packet, index)
  }

  /**
   * The queries by time, those of one time as they came.
   * @returns a table whose times are null if no query had one
   * @throws QueryTableError if there is no query
   */
  build(): QueryTable {
    const table = this.#builder.build()
    if (this.#origin === null) return table
    const nanos = this.#nanos.subarray(0, table.count)
    // Queries without a time that come before all others are sent with the first that has one.
    for (let i = 0; Number.isNaN(nanos[i]); i++) nanos[i] = 0
    const order = new Uint32Array(table.count).map((_, i) => i)
    if (this.#lateCount > 0) order.sort((a, b) => nanos[a] - nanos[b] || a - b)
    // The messages stay where they are.
    const offsets = new Uint32Array(new SharedArrayBuffer(table.offsets.byteLength))
    const lengths = new Uint16Array(new SharedArrayBuffer(table.lengths.byteLength))
    const times = new Float64Array(new SharedArrayBuffer(nanos.byteLength))
    order.forEach((source, i) => {
      offsets[i] = table.offsets[source]
      lengths[i] = table.lengths[source]
      times[i] = (nanos[source] - nanos[order[0]]) / NANOS_PER_MS
    })
    return { ...table, offsets, lengths, times }
  }

  /** A query without a time counts as seen with the one before it. */
  #timeOf({ clock, high, low }: Packet, index: number): number {
    if (clock === null) {
      this.#untimedCount++
      return index === 0 ? Number.NaN : this.#nanos[index - 1]
    }
    const time = clock(high, low)
    this.#origin ??= time
    const nanos = Number(time - this.#origin)
    if (nanos < this.#latest) this.#lateCount++
    else this.#latest = nanos
    return nanos
  }

  #grow(): void {
    const nanos = new Float64Array(this.#nanos.length * 2)
    nanos.set(this.#nanos)
    this.#nanos = nanos
  }
}
