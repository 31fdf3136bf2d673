// One question on its way to one upstream: what a socket or a connection (its carrier) needs to know of it, and tells it.

import { FRAME_LENGTH, HEADER_LENGTH } from './upstream-query.ts'

/** Sends exchanges' queries and knows by their ids whom an answer is for. */
export interface Carrier {
  /** Once more, with the same id. */
  resend(exchange: Exchange): void
  /** No answer came to what was asked at `askedMs`: if none came to others since, nothing more is to go this way. */
  suspect(askedMs: number): void
  /** Its answer is wanted no longer. */
  drop(exchange: Exchange): void
  /** Both ends as Go writes them: `udp 10.0.0.1:4711->9.9.9.9:53`. */
  readonly ends: string
  /** What is to be said when nothing came in time. */
  readonly timeout: string
}

/** Why an exchange failed. */
export type FailureReason =
  /** The upstream, or the way there. */
  | 'network'
  /** A connection that had been used before was closed before it brought anything: says nothing about the upstream. */
  | 'stale'
  /** The socket has had so many answers to nobody that somebody may be guessing. */
  | 'burned'
  /** Too much is waiting already. */
  | 'full'

export abstract class Exchange {
  /** The query with its length in front. */
  readonly frame: Buffer
  /** While its answer is waited for. */
  carrier: Carrier | null = null

  constructor(frame: Buffer) {
    this.frame = frame
  }

  get id(): number {
    return (this.frame[FRAME_LENGTH] << 8) | this.frame[FRAME_LENGTH + 1]
  }

  set id(id: number) {
    this.frame[FRAME_LENGTH] = id >> 8
    this.frame[FRAME_LENGTH + 1] = id
  }

  /** The message alone. */
  get message(): Buffer {
    return this.frame.subarray(FRAME_LENGTH)
  }

  /** QNAME, QTYPE and QCLASS as they are sent. */
  get question(): Uint8Array {
    let end = FRAME_LENGTH + HEADER_LENGTH
    while (this.frame[end] > 0) end += this.frame[end] + 1
    return this.frame.subarray(FRAME_LENGTH + HEADER_LENGTH, end + 5)
  }

  /** The query has been given to the kernel for the first time. */
  abstract sent(): void

  /**
   * message[at, at + length) has this exchange's id, QR and at least a header; it is of worth during the call only. The carrier that it came by has
   * forgotten the exchange for now.
   * @returns false to go on waiting
   */
  abstract received(message: Uint8Array, at: number, length: number, carrier: Carrier): boolean

  /** Its carrier has given up, and forgotten it. @param error  as Go says it */
  abstract failed(reason: FailureReason, error: string): void
}

/** What cannot be sent at all: exchanges fail there, but not before who began them has returned. */
export class Nowhere implements Carrier {
  readonly ends: string
  readonly timeout: string
  readonly #reason: FailureReason
  readonly #error: string

  constructor(ends: string, reason: FailureReason, error: string) {
    this.ends = ends
    this.timeout = error
    this.#reason = reason
    this.#error = error
  }

  ask(exchange: Exchange): void {
    exchange.carrier = this
    queueMicrotask(() => {
      if (exchange.carrier !== this) return
      exchange.carrier = null
      exchange.failed(this.#reason, this.#error)
    })
  }

  resend(): void {}

  suspect(): void {}

  drop(exchange: Exchange): void {
    exchange.carrier = null
  }
}
