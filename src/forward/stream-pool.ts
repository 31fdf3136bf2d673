// The TCP or TLS connections to one upstream. The one with the fewest queries under way is taken; while all have several, more are opened: many servers
// answer the queries of one connection one after the other.

import { addressAndPort } from '../io/addresses.ts'
import { type DueTimes, Timed } from './due-times.ts'
import { type Exchange, Nowhere } from './exchange.ts'
import { type ConnectionOwner, StreamConnection, type TlsParameters } from './stream-connection.ts'
import type { PoolLimits } from './udp-pool.ts'
import type { Peer } from './udp-socket.ts'

const CONNECTIONS_MAX = 16
/** That take no more, and wait for answers still. */
const RETIRED_MAX = 48
/** Queries under way on each, then another connection is opened. */
const WAITING_GOOD = 8
const DIAL_MIN_MS = 1000
const DIAL_MAX_MS = 30_000
/** What one more attempt counts in the average. */
const DIAL_WEIGHT = 0.25

export class StreamPool extends Timed implements ConnectionOwner {
  readonly #peer: Peer
  readonly #tls: TlsParameters | null
  readonly #limits: PoolLimits
  readonly #times: DueTimes
  readonly #connections = new Set<StreamConnection>()
  /** Also those that take no more and wait for answers still. */
  readonly #all = new Set<StreamConnection>()
  readonly #full: Nowhere
  #dialMs = DIAL_MAX_MS / 2

  constructor(peer: Peer, tls: TlsParameters | null, limits: PoolLimits, times: DueTimes) {
    super()
    this.#peer = peer
    this.#tls = tls
    this.#limits = limits
    this.#times = times
    const to = addressAndPort(peer.host, peer.port)
    this.#full = new Nowhere(`tcp ->${to}`, 'full', `dial tcp ${to}: too many queries under way`)
  }

  /** @returns whether the connection was there already */
  ask(exchange: Exchange, nowMs: number): boolean {
    const best = this.#best(nowMs)
    const isThere = best !== null && (best.waitingCount < WAITING_GOOD || this.#connections.size >= CONNECTIONS_MAX)
    if (!isThere && this.#all.size >= CONNECTIONS_MAX + RETIRED_MAX) {
      this.#full.ask(exchange)
      return true
    }
    const connection = isThere ? best : this.#open(nowMs)
    connection.ask(exchange, nowMs)
    return isThere
  }

  /** Over a connection of its own, that is closed behind it. */
  askAlone(exchange: Exchange, nowMs: number): void {
    const connection = new StreamConnection(this.#peer, this.#tls, this.#times, this, nowMs, this.#dialTimeoutMs())
    this.#all.add(connection)
    connection.ask(exchange, nowMs)
    connection.retire()
  }

  close(): void {
    this.#times.clear(this)
    for (const connection of this.#all) connection.fail('network', 'closed')
  }

  connected(_connection: StreamConnection, ms: number): void {
    this.#dialMs += (ms - this.#dialMs) * DIAL_WEIGHT
  }

  idle(connection: StreamConnection): void {
    const { maxIdleConns } = this.#limits
    if (maxIdleConns === 0 || this.#connections.size <= maxIdleConns) return
    let idle = 0
    for (const each of this.#connections) if (each.waitingCount === 0) idle++
    if (idle > maxIdleConns) connection.retire()
  }

  ended(connection: StreamConnection): void {
    this.#connections.delete(connection)
  }

  closed(connection: StreamConnection): void {
    this.#all.delete(connection)
  }

  /** Closes what is unused or old. */
  override due(nowMs: number): void {
    let next = Number.POSITIVE_INFINITY
    for (const connection of this.#connections) {
      const endMs = this.#endMs(connection)
      if (endMs <= nowMs) connection.retire()
      else next = Math.min(next, endMs)
    }
    if (next < Number.POSITIVE_INFINITY) this.#times.set(this, next)
  }

  #best(nowMs: number): StreamConnection | null {
    let best: StreamConnection | null = null
    for (const connection of this.#connections) {
      // One that the upstream is about to close, too, is better not taken.
      if (!connection.isUsable || this.#endMs(connection) <= nowMs) continue
      if (best === null || connection.waitingCount < best.waitingCount) best = connection
    }
    return best
  }

  #endMs({ openedMs, usedMs, waitingCount }: StreamConnection): number {
    const { expireMs, maxAgeMs } = this.#limits
    const oldMs = maxAgeMs > 0 ? openedMs + maxAgeMs : Number.POSITIVE_INFINITY
    return waitingCount > 0 ? oldMs : Math.min(usedMs + expireMs, oldMs)
  }

  #open(nowMs: number): StreamConnection {
    const connection = new StreamConnection(this.#peer, this.#tls, this.#times, this, nowMs, this.#dialTimeoutMs())
    this.#connections.add(connection)
    this.#all.add(connection)
    if (this.slot < 0) this.#times.set(this, nowMs + this.#limits.expireMs)
    return connection
  }

  /** Twice what it takes otherwise. */
  #dialTimeoutMs(): number {
    return Math.min(Math.max(this.#dialMs * 2, DIAL_MIN_MS), DIAL_MAX_MS)
  }
}
