// Queries that are under way, by socket and message ID: when each was to be sent, when it was, and which it is.
//
// Each socket has a ring of places in the order of sending. IDs count up with the places, so that an ID says its place
// without a search; the oldest query without an answer is always at the head, so that what has taken too long is found
// without one either. A place is free again only when all before it are; when none is taken, the first is the next, so that
// little memory is touched as long as a server answers.

import { randomInt } from 'node:crypto'

/** No place. */
export const NO_FLIGHT = -1
/** IDs there are. */
const IDS = 65_536
const SETTLED = 0

export class Flights {
  /** By socket: queries without an answer. */
  readonly pending: Int32Array
  /** Of all sockets. */
  underWay = 0
  /** Places of each socket, a power of two. */
  readonly capacity: number
  // Sequence numbers, mod 2^32, by socket: of the oldest one under way, and of the next to come.
  readonly #heads: Uint32Array
  readonly #tails: Uint32Array
  /** By socket: sequence number of the first place. */
  readonly #bases: Uint32Array
  // By place; queries are counted from 1.
  readonly #intendedMs: Float64Array
  readonly #sentMs: Float64Array
  readonly #queries: Uint32Array
  readonly #mask: number

  /**
   * @param wanted   queries that may be under way on one socket; at most 65,536 are
   * @param firstId  of each socket: 0..65535, any if nothing is said
   */
  constructor(sockets: number, wanted: number, firstId: (socket: number) => number = () => randomInt(IDS)) {
    this.capacity = Math.min(IDS, 2 ** Math.ceil(Math.log2(Math.max(1, wanted))))
    this.#mask = this.capacity - 1
    this.pending = new Int32Array(sockets)
    this.#heads = Uint32Array.from({ length: sockets }, (_, socket) => firstId(socket))
    this.#tails = Uint32Array.from(this.#heads)
    this.#bases = Uint32Array.from(this.#heads)
    this.#intendedMs = new Float64Array(sockets * this.capacity)
    this.#sentMs = new Float64Array(sockets * this.capacity)
    this.#queries = new Uint32Array(sockets * this.capacity)
  }

  /** Queries that may be sent on a socket now. */
  room(socket: number): number {
    return this.capacity - ((this.#tails[socket] - this.#heads[socket]) >>> 0)
  }

  /** The ID of the query that is launched as the n-th (0, 1, …) from now on. */
  idOf(socket: number, n: number): number {
    return (this.#tails[socket] + n) & (IDS - 1)
  }

  /** A query has been sent; there must be room. */
  launch(socket: number, query: number, intendedMs: number, sentMs: number): void {
    const place = this.#placeOf(socket, this.#tails[socket]++)
    this.#queries[place] = query + 1
    this.#intendedMs[place] = intendedMs
    this.#sentMs[place] = sentMs
    this.pending[socket]++
    this.underWay++
  }

  /** @returns the place of the query with that ID, NO_FLIGHT if none is under way */
  find(socket: number, id: number): number {
    const head = this.#heads[socket]
    const distance = (id - head) & (IDS - 1)
    if (distance >= (this.#tails[socket] - head) >>> 0) return NO_FLIGHT
    const place = this.#placeOf(socket, head + distance)
    return this.#queries[place] === SETTLED ? NO_FLIGHT : place
  }

  /** Which query is at a place: its place in the table. */
  queryAt(place: number): number {
    return this.#queries[place] - 1
  }

  intendedAt(place: number): number {
    return this.#intendedMs[place]
  }

  sentAt(place: number): number {
    return this.#sentMs[place]
  }

  /** It is answered, or given up. */
  settle(socket: number, place: number): void {
    this.#queries[place] = SETTLED
    this.pending[socket]--
    this.underWay--
    let head = this.#heads[socket]
    const tail = this.#tails[socket]
    while (head !== tail && this.#queries[this.#placeOf(socket, head)] === SETTLED) head = (head + 1) >>> 0
    this.#heads[socket] = head
    if (head === tail) this.#bases[socket] = head
  }

  /** @returns the place of the oldest query under way on a socket, if it was sent before that time; else NO_FLIGHT */
  overdue(socket: number, beforeMs: number): number {
    if (this.pending[socket] === 0) return NO_FLIGHT
    const place = this.#placeOf(socket, this.#heads[socket])
    return this.#sentMs[place] < beforeMs ? place : NO_FLIGHT
  }

  #placeOf(socket: number, sequence: number): number {
    return socket * this.capacity + ((sequence - this.#bases[socket]) & this.#mask)
  }
}
