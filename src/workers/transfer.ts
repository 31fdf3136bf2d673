// A zone on its way to a client: the main thread, which has its records, hands whole messages through a port to the stream worker, a few ahead of what
// the client has taken. Here is the worker's end and what both say to each other; the other end is server/transfers.ts.

import { MessageChannel, type MessagePort } from 'node:worker_threads'
import { rcodeOf, type TransferQuery } from '../dns/transfer-messages.ts'
import type { PendingTransfer } from './answerer.ts'

/** What the main thread is asked for. Plain data. */
export interface TransferRequest {
  /** AnswerSource.configuration of the worker. */
  readonly configuration: number
  /** Index in its blocks. */
  readonly block: number
  /** Absolute, lower case. */
  readonly zone: string
  /** IXFR: the serial that the client has; null: AXFR. */
  readonly serial: number | null
  readonly query: TransferQuery
  /** The client's address, for the log. */
  readonly client: string
}

/** A request as a worker posts it to the main thread. */
export interface TransferCall {
  readonly transfer: TransferRequest
  /** Carries one message after the other to the worker, and null behind the last one; TAKEN back for each. Closed: the client is gone. */
  readonly port: MessagePort
}

/** One more message may come. */
export const TAKEN = 'taken'

/** Messages under way between the threads. */
export const MESSAGES_AHEAD = 4

/** The main thread is not waited for longer. */
const MESSAGE_MAX_MS = 10_000

/** A transfer as the worker sends it. */
export class RunningTransfer {
  readonly #pending: PendingTransfer
  #octets = 0
  #rcode = 0
  #isAccounted = false

  constructor(pending: PendingTransfer) {
    this.#pending = pending
  }

  /** Counts and logs what has been sent, if that has not been done. */
  account(): void {
    if (this.#isAccounted) return
    this.#isAccounted = true
    this.#pending.account(this.#rcode, this.#octets)
  }

  /**
   * The messages, as the main thread makes them. @throws Error if it does not
   * @param call  hands the request over
   */
  async *messages(call: (request: TransferCall, ports: MessagePort[]) => void): AsyncGenerator<Uint8Array, void, void> {
    const { port1: port, port2 } = new MessageChannel()
    const arrivals = new Arrivals(port)
    try {
      call({ transfer: this.#pending.request, port: port2 }, [port2])
      for (;;) {
        const message = await arrivals.next()
        if (message === null) return
        if (this.#octets === 0) this.#rcode = rcodeOf(message)
        this.#octets += message.length
        yield message
        port.postMessage(TAKEN)
      }
    } finally {
      port.close()
      this.account()
    }
  }
}

/** What comes through a port, in order; bounded by what the other side may send ahead. */
class Arrivals {
  readonly #queue: (Uint8Array | null)[] = []
  #wake: (() => void) | null = null
  #isClosed = false

  constructor(port: MessagePort) {
    port.on('message', (message: Uint8Array | null) => {
      this.#queue.push(message)
      this.#wake?.()
    })
    port.on('close', () => {
      this.#isClosed = true
      this.#wake?.()
    })
  }

  async next(): Promise<Uint8Array | null> {
    if (this.#queue.length === 0 && !this.#isClosed) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, MESSAGE_MAX_MS)
        this.#wake = () => {
          clearTimeout(timer)
          resolve()
        }
      })
      this.#wake = null
    }
    const message = this.#queue.shift()
    if (message === undefined) throw new Error('a transfer was broken off')
    return message
  }
}
