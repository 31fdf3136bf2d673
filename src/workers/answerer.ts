// What every transport asks of whoever answers, and what that is made from. The one real answerer is in answer.ts.

import type { ZoneConfig } from '../dns/zone-table.ts'

/** What an answerer is made from; plain data, so that it can be handed to a worker. */
export interface AnswerSource {
  readonly region: SharedArrayBuffer
  readonly zones: readonly ZoneConfig[]
  /** Largest UDP response, 512..4096. */
  readonly bufsize: number
}

/** Answers messages from one version of the index at a time. */
export interface Answerer {
  /** Holds the newest published version for the batch that follows. */
  beginBatch(): void
  /** Holds nothing any more: before blocking. */
  endBatch(): void
  /**
   * Names the memory that most messages will be in (a worker's slab); words of it are read four octets at a time where a
   * message begins at a multiple of 4. Allocates: call it once.
   */
  setHome(packet: Uint8Array): void
  /**
   * Reads a message of the batch ahead of answer(), which must then be called for the same messages in the same order;
   * others may come between. After the last one findPrepared() looks all of them up side by side. Only messages in one
   * `packet` are read ahead, FIND_ALL_MAX at most: further calls do nothing.
   */
  prepare(packet: Uint8Array, start: number, length: number): void
  findPrepared(): void
  /**
   * Answers in place: the message at packet[start, start + length) becomes the response at packet[start, start + result).
   * @param capacity  octets from `start` that may be written
   * @param stream    TCP: no limit but `capacity`
   * @returns length of the response; 0 = send nothing
   */
  answer(packet: Uint8Array, start: number, length: number, capacity: number, stream: boolean): number
  /** Reaction to a datagram that did not fit its slot, of which the first octets are there: FORMERR, or 0. */
  malformed(packet: Uint8Array, start: number, length: number): number
  /** SERVFAIL: for the query that a worker was answering when it died. */
  servfail(packet: Uint8Array, start: number, length: number): number
}
