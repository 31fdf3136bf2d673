// Whether a response answers the question that was asked: it repeats it, octet for octet.

import { HEADER_LENGTH } from '../dns/question.ts'
import type { QueryTable } from './query-table.ts'

export const OTHER_QUESTION = 0
export const SAME_QUESTION = 1
/** But for the case of letters, which DNS does not care for and a client may (RFC 4343; draft-vixie-dnsext-dns0x20). */
export const SAME_BUT_CASE = 2

const RCODE_OFFSET = 3
const QDCOUNT_OFFSET = 4
/** Letters differ in this bit (RFC 4343). */
const CASE_BIT = 0x20
const [LOWER_A, LOWER_Z] = [0x61, 0x7a]

/** Compares responses with the queries of a table. */
export class QuestionMatch {
  readonly #table: QueryTable
  readonly #asked: Uint8Array

  constructor(table: QueryTable) {
    this.#table = table
    this.#asked = new Uint8Array(table.words.buffer)
  }

  /**
   * @param bytes  that hold the response, of at least 12 octets, from `at` on
   * @param words  the same memory as words, if `at` is a multiple of 4
   * @returns OTHER_QUESTION, SAME_QUESTION or SAME_BUT_CASE; a response that says an error may leave the question out
   */
  of(query: number, bytes: Uint8Array, at: number, length: number, words: Uint32Array | null = null): number {
    if (bytes[at + QDCOUNT_OFFSET] === 0 && bytes[at + QDCOUNT_OFFSET + 1] === 0) {
      return (bytes[at + RCODE_OFFSET] & 15) === 0 ? OTHER_QUESTION : SAME_QUESTION
    }
    const end = this.#table.questionEnds[query]
    if (length < end) return OTHER_QUESTION
    const same = words === null ? HEADER_LENGTH : this.#sameUntil(query, words, at >>> 2, end >>> 2)
    const from = this.#table.offsets[query] * 4
    let match = SAME_QUESTION
    for (let i = same; i < end; i++) {
      const asked = this.#asked[from + i]
      const got = bytes[at + i]
      if (got === asked) continue
      const lower = got | CASE_BIT
      if (lower !== (asked | CASE_BIT) || lower < LOWER_A || lower > LOWER_Z) return OTHER_QUESTION
      match = SAME_BUT_CASE
    }
    return match
  }

  /** @returns octets of a response, from word `got` on, that are the same as in the query, in whole words and behind the header */
  #sameUntil(query: number, words: Uint32Array, got: number, end: number): number {
    const table = this.#table
    const asked = table.offsets[query]
    let word = HEADER_LENGTH / 4
    while (word < end && words[got + word] === table.words[asked + word]) word++
    return word * 4
  }
}
