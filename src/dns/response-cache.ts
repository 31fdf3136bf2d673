// Responses to messages that come again octet for octet, but for their id: most of what a cluster's pods ask, they ask all the
// time. One worker's own memory, no one else reads it. Hot: nothing is allocated.
//
// A row holds a whole message and its whole response, for one version of the index. It is direct-mapped, and it is taken
// only by a message that is seen for the second time, so that names asked once drive out nothing.
//
// Row of ROW_WORDS words
//   +0 hash of the message seen last   +1 ticket: changes whenever the row is taken, even = its response is missing
//   +2 version of what is answered from   +3 message length | listener << 8 | flags << 16   +4 response length | flags << 16
//   +5 detail   +6 origin   +7 message from octet 4 on   +27 response from octet 4 on
// "detail" and "origin" are the answerer's notes. "flags" are octets 2 and 3 of the header, as they stand; the id is never looked at. Lengths are in octets.

import { keyHashEnd, keyHashStart, keyHashStep, lastWordMask } from './key.ts'

const ROWS = 8192 // 2 MiB a worker, touched as messages need it; 2,048 rows kept too few of 1,000 names' questions apart
const ROW_WORDS = 64
const DETAIL = 5
const ORIGIN = 6
const MESSAGE = 7
const RESPONSE = 27
const LISTENERS_MAX = 256
/** Longest message that is looked at, in octets. */
const MESSAGE_MAX = 4 + (RESPONSE - MESSAGE) * 4
/** Longest response that is kept, in octets. */
const RESPONSE_MAX = 4 + (ROW_WORDS - RESPONSE) * 4
const HEADER_LENGTH = 12

/** Row of a message that is not kept and not to be. */
export const NO_ROW = -1

/** The cache of one answerer, over the memory that its messages come in. */
export class ResponseCache {
  private readonly rows = new Int32Array(ROWS * ROW_WORDS)
  private readonly packet: Uint8Array
  private readonly words: Int32Array
  /** Row and ticket of the message that look() was called for last. */
  row = NO_ROW
  ticket = 0
  /** What keep() was given for the response that take() returned last. */
  detail = 0
  origin = 0

  /** @param packet  all messages lie in it; `words` is the same memory */
  constructor(packet: Uint8Array, words: Int32Array) {
    this.packet = packet
    this.words = words
  }

  /**
   * Looks for the message at packet[start, start + length), `start` a multiple of 4. Sets `row` and `ticket`, for take() if it
   * returns true, for keep() otherwise.
   * @param version   of everything that is answered from, not 0
   * @param listener  where it came in: what is the same message elsewhere may get another answer
   */
  look(start: number, length: number, version: number, listener: number): boolean {
    this.row = NO_ROW
    if (length < HEADER_LENGTH || length > MESSAGE_MAX || listener >= LISTENERS_MAX) return false
    const { rows, packet, words } = this
    const head = length | (listener << 8) | (packet[start + 2] << 16) | (packet[start + 3] << 24)
    const first = (start >> 2) + 1
    const last = ((length - 1) >> 2) - 1
    const mask = lastWordMask(length)
    let hash = keyHashStart(head)
    for (let i = 0; i < last; i++) hash = keyHashStep(hash, words[first + i])
    hash = keyHashEnd(keyHashStep(hash, words[first + last] & mask))
    const row = (hash & (ROWS - 1)) * ROW_WORDS
    if (rows[row] !== hash) {
      // Seen for the first time: only the hash is remembered. What was kept here may be looked for no more.
      rows[row] = hash
      rows[row + 1] = (rows[row + 1] + 2) & ~1
      return false
    }
    this.row = row
    if ((rows[row + 1] & 1) !== 0 && rows[row + 2] === version && rows[row + 3] === head) {
      let i = 0
      while (i < last && rows[row + MESSAGE + i] === words[first + i]) i++
      if (i === last && rows[row + MESSAGE + last] === (words[first + last] & mask)) {
        this.ticket = rows[row + 1]
        return true
      }
    }
    this.ticket = (rows[row + 1] + 2) & ~1
    rows[row + 1] = this.ticket
    rows[row + 2] = version
    rows[row + 3] = head
    for (let i = 0; i < last; i++) rows[row + MESSAGE + i] = words[first + i]
    rows[row + MESSAGE + last] = words[first + last] & mask
    return false
  }

  /**
   * Turns the message at `start`, for which look() returned true with this row and ticket, into its response.
   * @returns its length, or 0 if the row has been taken since: the message is then untouched
   */
  take(row: number, ticket: number, start: number): number {
    const { rows, packet, words } = this
    if (rows[row + 1] !== ticket) return 0
    const head = rows[row + 4]
    const length = head & 0xffff
    this.detail = rows[row + DETAIL]
    this.origin = rows[row + ORIGIN]
    packet[start + 2] = head >> 16
    packet[start + 3] = head >> 24
    const first = (start >> 2) + 1
    const count = (length - 1) >> 2
    for (let i = 0; i < count; i++) words[first + i] = rows[row + RESPONSE + i]
    return length
  }

  /** Keeps the response of `length` octets at `start`, to a message for which look() returned false with this row and ticket. */
  keep(row: number, ticket: number, start: number, length: number, detail: number, origin: number): void {
    const { rows, packet, words } = this
    if (row === NO_ROW || length > RESPONSE_MAX || rows[row + 1] !== ticket) return
    rows[row + 4] = length | (packet[start + 2] << 16) | (packet[start + 3] << 24)
    rows[row + DETAIL] = detail
    rows[row + ORIGIN] = origin
    const first = (start >> 2) + 1
    const count = (length - 1) >> 2
    for (let i = 0; i < count; i++) rows[row + RESPONSE + i] = words[first + i]
    rows[row + 1] = ticket | 1
  }
}
