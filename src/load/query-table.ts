// Queries as they go on the wire, one behind another in shared memory, so that every worker sends from the same octets.
//
// Each message begins at a multiple of four octets, so that workers copy and compare it by words. Its ID is not used: the
// sender chooses one. Made by QueryTableBuilder, read-only afterwards.

import { HEADER_LENGTH } from '../dns/question.ts'

/** Octets of the longest message. */
export const QUERY_LENGTH_MAX = 1024
const TYPE_AND_CLASS_LENGTH = 4
const LABEL_MAX = 63
/** Octets of a header, and of the shortest question behind it. */
export const QUERY_LENGTH_MIN = HEADER_LENGTH + 1 + TYPE_AND_CLASS_LENGTH

/** Sent together with the query before it, from the same socket: the AAAA of a pair, as glibc and musl ask. */
export const FOLLOWER = 1

/** A table; may be posted to workers, which then share its memory. */
export interface QueryTable {
  /** 1..2^31. */
  readonly count: number
  /** The messages, as words. */
  readonly words: Uint32Array<SharedArrayBuffer>
  /** By query: first word of its message. */
  readonly offsets: Uint32Array<SharedArrayBuffer>
  /** By query: octets of its message, QUERY_LENGTH_MIN..QUERY_LENGTH_MAX. */
  readonly lengths: Uint16Array<SharedArrayBuffer>
  /** By query: octets up to the end of its question, which an answer repeats. */
  readonly questionEnds: Uint16Array<SharedArrayBuffer>
  /** By query: FOLLOWER or 0. */
  readonly flags: Uint8Array<SharedArrayBuffer>
  /** By query: milliseconds after the first one at which it was seen, ascending; null unless there is something to replay. */
  readonly times: Float64Array<SharedArrayBuffer> | null
}

/** A message that cannot be in a table. */
export class QueryTableError extends Error {
  readonly code = 'BAD_QUERY'
}

/** Gathers messages. */
export class QueryTableBuilder {
  #words = new Uint32Array(4096)
  #wordCount = 0
  readonly #offsets: number[] = []
  readonly #lengths: number[] = []
  readonly #questionEnds: number[] = []
  readonly #flags: number[] = []
  readonly #times: number[] = []

  /** Queries so far. */
  get count(): number {
    return this.#offsets.length
  }

  /**
   * @param message     a whole DNS message with one question, copied
   * @param isFollower  sent together with the one before
   * @param timeMs      when it was seen; give it for all or for none
   * @throws QueryTableError for a message that is too short or too long, or has no question that can be read
   */
  add(message: Uint8Array, isFollower = false, timeMs?: number): void {
    if (message.length < QUERY_LENGTH_MIN || message.length > QUERY_LENGTH_MAX) {
      throw new QueryTableError(`a query of ${message.length} octets, not ${QUERY_LENGTH_MIN} to ${QUERY_LENGTH_MAX}`)
    }
    const questionEnd = endOfQuestion(message)
    if (questionEnd < 0) throw new QueryTableError('no message with one question')
    const words = (message.length + 3) >>> 2
    if (this.#wordCount + words > this.#words.length) this.#grow(this.#wordCount + words)
    new Uint8Array(this.#words.buffer, this.#wordCount * 4, message.length).set(message)
    this.#offsets.push(this.#wordCount)
    this.#lengths.push(message.length)
    this.#questionEnds.push(questionEnd)
    this.#flags.push(isFollower && this.count > 1 ? FOLLOWER : 0)
    if (timeMs !== undefined) this.#times.push(timeMs)
    this.#wordCount += words
  }

  /** @throws QueryTableError if there is no query */
  build(): QueryTable {
    const count = this.count
    if (count === 0) throw new QueryTableError('no queries')
    const words = new Uint32Array(new SharedArrayBuffer(this.#wordCount * 4))
    words.set(this.#words.subarray(0, this.#wordCount))
    const shared = <Kind extends Uint32Array | Uint16Array | Uint8Array | Float64Array>(
      values: readonly number[],
      make: new (memory: SharedArrayBuffer) => Kind,
      size: number,
    ): Kind => {
      const array = new make(new SharedArrayBuffer(values.length * size))
      array.set(values)
      return array
    }
    return {
      count,
      words,
      offsets: shared(this.#offsets, Uint32Array<SharedArrayBuffer>, 4),
      lengths: shared(this.#lengths, Uint16Array<SharedArrayBuffer>, 2),
      questionEnds: shared(this.#questionEnds, Uint16Array<SharedArrayBuffer>, 2),
      flags: shared(this.#flags, Uint8Array<SharedArrayBuffer>, 1),
      times: this.#times.length === count ? shared(this.#times, Float64Array<SharedArrayBuffer>, 8) : null,
    }
  }

  #grow(needed: number): void {
    const words = new Uint32Array(Math.max(needed, this.#words.length * 2))
    words.set(this.#words.subarray(0, this.#wordCount))
    this.#words = words
  }
}

/** The octets of one query; its ID is 0 or whatever it was made with. A view, not a copy. */
export function queryMessage(table: QueryTable, index: number): Uint8Array {
  return new Uint8Array(table.words.buffer, table.offsets[index] * 4, table.lengths[index])
}

/** @returns octets up to the end of the one question, -1 if there is no such thing (RFC 1035 §4.1.2; no compression before the first name) */
function endOfQuestion(message: Uint8Array): number {
  if (message[4] !== 0 || message[5] !== 1) return -1
  let at = HEADER_LENGTH
  while (at < message.length && message[at] !== 0) {
    if (message[at] > LABEL_MAX) return -1
    at += 1 + message[at]
  }
  const end = at + 1 + TYPE_AND_CLASS_LENGTH
  return end <= message.length ? end : -1
}
