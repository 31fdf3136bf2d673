// Messages that come in during a run, and queries that none comes for: which query a message answers and how long that took, and what
// has waited too long. The same for every transport.

import { HEADER_LENGTH } from '../dns/question.ts'
import { type Flights, NO_FLIGHT } from './flights.ts'
import type { LoopParts } from './loop.ts'
import { OTHER_QUESTION, QuestionMatch, SAME_BUT_CASE } from './question-match.ts'

const QR = 0x80

export class Answers {
  /** Messages taken. */
  received = 0
  readonly #parts: LoopParts
  readonly #flights: Flights
  readonly #match: QuestionMatch

  constructor(parts: LoopParts, flights: Flights) {
    this.#parts = parts
    this.#flights = flights
    this.#match = new QuestionMatch(parts.table)
  }

  /**
   * Takes a message.
   *
   * @param id     under which the query was sent on this socket or connection
   * @param bytes  that hold the message from `at` on
   * @param cameMs  when it came
   * @param words  the same memory as words, if `at` is a multiple of 4
   */
  take(
    socket: number,
    id: number,
    bytes: Uint8Array,
    at: number,
    length: number,
    cameMs: number,
    words: Uint32Array | null = null,
  ): void {
    const { tally, samples, spec } = this.#parts
    this.received++
    if (length < HEADER_LENGTH || (bytes[at + 2] & QR) === 0) {
      tally.malformed()
      return
    }
    const flights = this.#flights
    const place = flights.find(socket, id)
    // However busy the thread is: what comes too late comes too late.
    if (place === NO_FLIGHT || flights.sentAt(place) < cameMs - spec.timeoutMs) {
      tally.unexpected()
      return
    }
    const query = flights.queryAt(place)
    const match = this.#match.of(query, bytes, at, length, words)
    if (match === OTHER_QUESTION) {
      tally.mismatched()
      return
    }
    if (match === SAME_BUT_CASE) tally.failed('letter case of the question not kept')
    const sentMs = flights.sentAt(place)
    // Somebody may have set the clock by which it came.
    tally.answered(flights.intendedAt(place), sentMs, Math.max(sentMs, cameMs), bytes, at, length)
    samples.add(query, bytes, at, length, cameMs)
    flights.settle(socket, place)
  }

  /** Gives up what was sent on a socket or connection before that time. */
  expire(socket: number, beforeMs: number): void {
    const flights = this.#flights
    const { tally, spec } = this.#parts
    for (;;) {
      const place = flights.overdue(socket, beforeMs)
      if (place === NO_FLIGHT) return
      tally.lost(flights.intendedAt(place), flights.sentAt(place), spec.timeoutMs)
      flights.settle(socket, place)
    }
  }
}
