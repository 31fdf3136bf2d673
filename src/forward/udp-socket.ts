// A datagram socket connected to one upstream: the kernel lets nobody else's datagrams in and reports refusals. Many exchanges at a time, each with
// an id by lot; the port is by lot too (the kernel's). Not here: which socket is taken (udp-pool.ts).

import { createSocket, type Socket } from 'node:dgram'
import { addressAndPort } from '../io/addresses.ts'
import { type Carrier, type Exchange, type FailureReason, Nowhere } from './exchange.ts'
import { errorText } from './network-errors.ts'
import { random16 } from './random-octets.ts'
import { HEADER_LENGTH } from './upstream-query.ts'

/** Queries, then the port is given up: one that is used for long can be found out. */
const USES_MAX = 512
/** Answers to nobody, then somebody is guessing. An upstream that answers twice is none: those ids have been asked for. */
const STRANGERS_MAX = 32

/** Where an upstream is, and how it is reached. */
export interface Peer {
  readonly host: string
  readonly port: number
  readonly family: 4 | 6
  /** Our own address; '' = the system's choice. */
  readonly sourceAddress: string
}

export class UdpSocket implements Carrier {
  /** When it was used last. */
  usedMs = 0
  /** When it was opened. */
  readonly openedMs: number
  readonly #peer: Peer
  readonly #socket: Socket
  readonly #closed: (socket: UdpSocket) => void
  readonly #waiting = new Map<number, Exchange>()
  /** All ids that it has asked with. */
  readonly #asked = new Set<number>()
  readonly #afterSend = (error: Error | null): void => {
    if (error !== null) this.#broken(error)
  }
  #unsent: Exchange[] | null = []
  #strangers = 0
  #isRetired = false
  #isClosed = false
  /** What it was broken by. */
  #error = ''

  /** @param closed  called once, when it is closed: retired with nothing waiting, burned, or broken */
  constructor(peer: Peer, nowMs: number, closed: (socket: UdpSocket) => void) {
    this.#peer = peer
    this.openedMs = nowMs
    this.#closed = closed
    const { host, port, family, sourceAddress } = peer
    const socket = createSocket({
      type: family === 4 ? 'udp4' : 'udp6',
      // An address is its own; the default would ask the system in another thread.
      lookup: (name, _options, found) => found(null, name, family),
    })
    this.#socket = socket
    socket.on('error', (error) => this.#broken(error))
    socket.on('message', (message) => this.#received(message))
    socket.on('connect', () => this.#connected())
    if (sourceAddress === '') socket.connect(port, host)
    else socket.bind({ address: sourceAddress, port: 0, exclusive: true }, () => socket.connect(port, host))
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
    this.usedMs = nowMs
    if (asked.size >= USES_MAX) this.retire()
    if (this.#unsent === null) this.#send(exchange)
    else this.#unsent.push(exchange)
  }

  resend(exchange: Exchange): void {
    // Not yet connected: it will be sent in a moment.
    if (this.#unsent === null && !this.#isClosed) this.#socket.send(exchange.message, this.#afterSend)
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
    this.#socket.send(exchange.message, this.#afterSend)
    exchange.sent()
  }

  #received(message: Buffer): void {
    if (this.#isClosed) return
    const { length } = message
    const id = length < HEADER_LENGTH ? -1 : (message[0] << 8) | message[1]
    const exchange = this.#waiting.get(id)
    if (exchange === undefined || (message[2] & 0x80) === 0) {
      if (!this.#asked.has(id) && ++this.#strangers > STRANGERS_MAX) {
        this.fail('burned', `read ${this.ends}: too many answers to nobody`)
      }
      return
    }
    this.#forget(exchange)
    if (exchange.received(message, 0, length, this)) {
      this.#closeIfDone()
      return
    }
    this.#waiting.set(id, exchange)
    exchange.carrier = this
  }

  #broken(error: Error): void {
    if (this.#isClosed) return
    const { host, port } = this.#peer
    const what = this.#unsent === null ? `read ${this.ends}: read` : `dial udp ${addressAndPort(host, port)}: connect`
    this.fail('network', `${what}: ${errorText(error)}`)
  }

  #own(): string {
    try {
      const { address, port } = this.#socket.address()
      return addressAndPort(address, port)
    } catch {
      return addressAndPort(this.#peer.family === 4 ? '0.0.0.0' : '::', 0)
    }
  }

  #forget(exchange: Exchange): void {
    this.#waiting.delete(exchange.id)
    exchange.carrier = null
  }

  #closeIfDone(): void {
    if (this.#isRetired && this.#waiting.size === 0) this.#close()
  }

  #close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#socket.close()
    this.#closed(this)
  }
}
