// Queries of the table as they go into a stream.

import type { QueryTable } from '../query-table.ts'

const PREFIX = 2
const IDS = 65_536

/** The octets of the table's queries. */
export class QueryOctets {
  readonly #table: QueryTable
  /** All messages, one behind another. */
  readonly #bytes: Uint8Array

  constructor(table: QueryTable) {
    this.#table = table
    this.#bytes = new Uint8Array(table.words.buffer)
  }

  /** Messages behind one another, each with its length before it (RFC 1035 §4.2.2). @param firstId  the others count up, mod 2^16 */
  frames(queries: Uint32Array, count: number, firstId: number): Buffer {
    const { lengths } = this.#table
    let total = 0
    for (let i = 0; i < count; i++) total += PREFIX + lengths[queries[i]]
    const octets = Buffer.allocUnsafe(total)
    let at = 0
    for (let i = 0; i < count; i++) {
      const query = queries[i]
      const length = lengths[query]
      octets[at++] = length >>> 8
      octets[at++] = length
      this.#write(octets, at, query, (firstId + i) % IDS)
      at += length
    }
    return octets
  }

  /** One message. Over HTTPS its ID is 0: the same question is always the same octets (RFC 8484 §4.1). */
  message(query: number, id = 0): Buffer {
    const octets = Buffer.allocUnsafe(this.#table.lengths[query])
    this.#write(octets, 0, query, id)
    return octets
  }

  #write(octets: Buffer, to: number, query: number, id: number): void {
    const { offsets, lengths } = this.#table
    const from = offsets[query] * 4
    octets.set(this.#bytes.subarray(from, from + lengths[query]), to)
    octets[to] = id >>> 8
    octets[to + 1] = id
  }
}
