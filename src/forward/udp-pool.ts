// The datagram sockets for one upstream. A query takes one of sixteen places by lot, and with it a port; an empty place gets a new socket.
// While there are few queries nearly each has a port of its own; under load opening them costs next to nothing.

import { addressAndPort } from '../io/addresses.ts'
import { monotonicMs } from './clock.ts'
import { type DueTimes, Timed } from './due-times.ts'
import { type Exchange, Nowhere } from './exchange.ts'
import { randomBelow } from './random-octets.ts'
import type { OpenUdpPort } from './udp-port.ts'
import { type Peer, UdpSocket } from './udp-socket.ts'

const PLACES = 16
/** With those that take no more and wait for answers: 32,768 queries under way. */
const SOCKETS_MAX = 64

/** What an upstream's sockets and connections are opened by. */
export interface PoolLimits {
  /** Unused for so long, closed. */
  readonly expireMs: number
  /** Open for so long, closed; 0 = no limit. */
  readonly maxAgeMs: number
  /** Kept while nothing is asked; 0 = no limit. */
  readonly maxIdleConns: number
}

export class UdpPool extends Timed {
  readonly #peer: Peer
  readonly #limits: PoolLimits
  readonly #times: DueTimes
  readonly #places: (UdpSocket | null)[] = new Array(PLACES).fill(null)
  /** Also those that take no more and wait for answers still. */
  readonly #all = new Set<UdpSocket>()

  readonly #openPort: OpenUdpPort
  readonly #full: Nowhere

  constructor(peer: Peer, limits: PoolLimits, times: DueTimes, openPort: OpenUdpPort) {
    super()
    this.#openPort = openPort
    this.#peer = peer
    this.#limits = limits
    this.#times = times
    const to = addressAndPort(peer.host, peer.port)
    this.#full = new Nowhere(`udp ->${to}`, 'full', `dial udp ${to}: too many queries under way`)
  }

  /** @returns whether the socket was there already */
  ask(exchange: Exchange, nowMs: number): boolean {
    const place = randomBelow(PLACES)
    const there = this.#places[place]
    const isThere = there?.isUsable === true
    if (!isThere && this.#all.size >= SOCKETS_MAX) {
      this.#full.ask(exchange)
      return true
    }
    const socket = isThere ? there : this.#open(place, nowMs)
    socket.ask(exchange, nowMs)
    return isThere
  }

  close(): void {
    this.#times.clear(this)
    for (const socket of this.#all) socket.fail('network', 'closed')
  }

  /** Closes what is unused or old. */
  override due(nowMs: number): void {
    const { expireMs, maxAgeMs } = this.#limits
    let next = Number.POSITIVE_INFINITY
    for (const socket of this.#places) {
      if (socket?.isUsable !== true) continue
      const oldMs = maxAgeMs > 0 ? socket.openedMs + maxAgeMs : Number.POSITIVE_INFINITY
      const endMs = Math.min(socket.usedMs + expireMs, oldMs)
      if (endMs <= nowMs) socket.retire()
      else next = Math.min(next, endMs)
    }
    if (next < Number.POSITIVE_INFINITY) this.#times.set(this, next)
  }

  #open(place: number, nowMs: number): UdpSocket {
    const socket = new UdpSocket(this.#peer, nowMs, this.#openPort, (each) => this.#all.delete(each))
    this.#places[place] = socket
    // One that could not be opened has said so already.
    if (socket.isUsable) this.#all.add(socket)
    if (this.slot < 0) this.#times.set(this, monotonicMs() + this.#limits.expireMs)
    return socket
  }
}
