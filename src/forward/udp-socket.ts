// A datagram socket connected to one upstream: the kernel lets nobody else's datagrams in and reports refusals. Many exchanges at a time, each with
// an id by lot; the port is by lot too (the kernel's). Not here: which socket is taken (udp-pool.ts).

import { addressAndPort } from '../io/addresses.ts'
import { type Carrier, type Exchange, type FailureReason, Nowhere } from './exchange.ts'
import { errorText } from './network-errors.ts'
import { random16 } from './random-octets.ts'
import type { OpenUdpPort, Peer, UdpPort } from './udp-port.ts'
import { HEADER_LENGTH } from './upstream-query.ts'

export type { Peer } from './udp-port.ts'

/** Queries, then the port is given up: one that is used for long can be found out. */
const USES_MAX = 512
/** Answers to nobody, then somebody is guessing. An upstream that answers twice is none: those ids have been asked for. */
const STRANGERS_MAX = 32

export class UdpSocket implements Carrier {
  /** When it was used last. */
  usedMs = 0
  /** When it was opened. */
  readonly openedMs: number
  readonly #peer: Peer
  readonly #port: UdpPort | null = null
  readonly #closed: (socket: UdpSocket) => void
  readonly #waiting = new Map<number, Exchange>()
  /** All ids that it has asked with. */
  readonly #asked = new Set<number>()
  #unsent: Exchange[] | null = []
  #strangers = 0
  #isRetired = false
  #isClosed = false
  /** What it was broken by. */
  #error = ''

  /** @param closed  called once, when it is closed: retired with nothing waiting, burned, or broken */
  constructor(peer: Peer, nowMs: number, open: OpenUdpPort, closed: (socket: UdpSocket) => void) {
    this.#peer = peer
    this.openedMs = nowMs
    this.#closed = closed
    try {
      this.#port = open(peer, {
        opened: () => this.#connected(),
        received: (message, at, length) => this.#received(message, at, length),
        failed: (error) => this.#broken(error),
      })
      if (this.#port.isOpen) this.#unsent = null
    } catch (error) {
      this.#broken(error as Error)
    }
  }

  /** Whether it takes more. */
  get isUsable(): boolean {
    return !this.#isRetired && !this.#isClosed
  }

  get waitingCount(): number {
    return this.#waiting.size
  }

  get ends(): string {
    const { host, port } = this.#peer
    return `udp ${this.#own()}->${addressAndPort(host, port)}`
  }

  get timeout(): string {
    return `read ${this.ends}: i/o timeout`
  }

  /** Asks, with an id that this socket has not asked with yet. */
  ask(exchange: Exchange, nowMs: number): void {
    if (this.#isClosed) {
      // It could not even be opened, which shows at once.
      new Nowhere(`udp ->${addressAndPort(this.#peer.host, this.#peer.port)}`, 'network', this.#error).ask(exchange)
      return
    }
    const asked = this.#asked
    let id = random16()
    while (asked.has(id)) id = random16()
    asked.add(id)
    exchange.id = id
    exchange.carrier = this
    this.#waiting.set(id, exchange)
    this.#port?.await(true)
    this.usedMs = nowMs
    if (asked.size >= USES_MAX) this.retire()
    if (this.#unsent === null) this.#send(exchange)
    else this.#unsent.push(exchange)
  }

  resend(exchange: Exchange): void {
    // Not yet connected: it will be sent in a moment.
    if (this.#unsent === null && !this.#isClosed) this.#port?.send(exchange.message)
  }

  /** Datagrams get lost. */
  suspect(): void {}

  drop(exchange: Exchange): void {
    this.#forget(exchange)
    this.#closeIfDone()
  }

  /** Takes no more; closes when what waits has ended. */
  retire(): void {
    if (this.#isRetired) return
    this.#isRetired = true
    this.#closeIfDone()
  }

  /** Ends all that waits. */
  fail(reason: FailureReason, error: string): void {
    const waiting = [...this.#waiting.values()]
    for (const exchange of waiting) this.#forget(exchange)
    this.#isRetired = true
    this.#error = error
    this.#close()
    for (const exchange of waiting) exchange.failed(reason, error)
  }

  #connected(): void {
    const unsent = this.#unsent ?? []
    this.#unsent = null
    for (const exchange of unsent) if (exchange.carrier === this && !this.#isClosed) this.#send(exchange)
  }

  #send(exchange: Exchange): void {
    this.#port?.send(exchange.message)
    exchange.sent()
  }

  #received(message: Uint8Array, at: number, length: number): void {
    if (this.#isClosed) return
    const id = length < HEADER_LENGTH ? -1 : (message[at] << 8) | message[at + 1]
    const exchange = this.#waiting.get(id)
    if (exchange === undefined || (message[at + 2] & 0x80) === 0) {
      if (!this.#asked.has(id) && ++this.#strangers > STRANGERS_MAX) {
        this.fail('burned', `read ${this.ends}: too many answers to nobody`)
      }
      return
    }
    this.#forget(exchange)
    if (exchange.received(message, at, length, this)) {
      this.#closeIfDone()
      return
    }
    this.#waiting.set(id, exchange)
    this.#port?.await(true)
    exchange.carrier = this
  }

  #broken(error: Error): void {
    if (this.#isClosed) return
    const { host, port } = this.#peer
    const what = this.#unsent === null ? `read ${this.ends}: read` : `dial udp ${addressAndPort(host, port)}: connect`
    this.fail('network', `${what}: ${errorText(error)}`)
  }

  #own(): string {
    return this.#port?.own() ?? addressAndPort(this.#peer.family === 4 ? '0.0.0.0' : '::', 0)
  }

  #forget(exchange: Exchange): void {
    this.#waiting.delete(exchange.id)
    if (this.#waiting.size === 0) this.#port?.await(false)
    exchange.carrier = null
  }

  #closeIfDone(): void {
    if (this.#isRetired && this.#waiting.size === 0) this.#close()
  }

  #close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#port?.close()
    this.#closed(this)
  }
}
