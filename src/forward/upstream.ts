// One upstream: where it is, how it is doing, and its sockets and connections. Not here: what is asked and when to give up (inquiry.ts).

import { isIPv6 } from 'node:net'
import type { ForwardConfig, Upstream as UpstreamConfig } from '../config/configuration.ts'
import { addressAndPort } from '../io/addresses.ts'
import type { DueTimes } from './due-times.ts'
import type { Exchange } from './exchange.ts'
import type { ForwardCounters, UpstreamProto } from './forward-counters.ts'
import { Health } from './health.ts'
import { RoundTrip } from './round-trip.ts'
import type { TlsParameters } from './stream-connection.ts'
import { StreamPool } from './stream-pool.ts'
import { UdpPool } from './udp-pool.ts'
import type { Peer } from './udp-socket.ts'

/** For so long an upstream's ways are remembered: that it knows no OPT, that its UDP answers do not keep letter case. */
const HABIT_MS = 600_000

/** Which way a query goes. */
export type Way = 'udp' | 'stream'

/** What all upstreams of a `forward` share. */
export interface UpstreamContext {
  readonly counters: ForwardCounters
  readonly times: DueTimes
  log(level: 'info' | 'warning' | 'error', line: string): void
}

/** Label of an upstream in metrics and logs: 'IP:port', '[IPv6]:port'. */
export function upstreamLabel({ host, port }: Pick<UpstreamConfig, 'host' | 'port'>): string {
  return addressAndPort(host, port)
}

export class Upstream {
  readonly to: string
  readonly health: Health
  readonly roundTrip = new RoundTrip()
  readonly #counters: ForwardCounters
  readonly #streamProto: UpstreamProto
  /** null: it speaks TLS alone. */
  readonly #udp: UdpPool | null
  readonly #stream: StreamPool
  #plainUntilMs = 0
  #streamUntilMs = 0

  /** @param tls  null for an upstream without */
  constructor(at: UpstreamConfig, config: ForwardConfig, tls: TlsParameters | null, context: UpstreamContext) {
    const { counters, times } = context
    this.to = upstreamLabel(at)
    this.#counters = counters
    this.#streamProto = tls === null ? 'tcp' : 'tcp-tls'
    const family = isIPv6(at.host) ? 6 : 4
    const isSameFamily = isIPv6(config.sourceAddress) === (family === 6)
    const peer: Peer = { host: at.host, port: at.port, family, sourceAddress: isSameFamily ? config.sourceAddress : '' }
    this.#udp = tls === null ? new UdpPool(peer, config, times) : null
    this.#stream = new StreamPool(peer, tls, config, times)
    this.health = new Health(config, {
      times,
      probe: (exchange, nowMs) => {
        if (config.forceTcp || this.#udp === null) this.#stream.askAlone(exchange, nowMs)
        else this.#udp.ask(exchange, nowMs)
      },
      probeFailed: () => counters.probeFailed(this.to),
      changed: (isDown) => {
        if (isDown)
          context.log('warning', `plugin/forward: upstream ${this.to} is down: it does not answer health checks`)
        else context.log('info', `plugin/forward: upstream ${this.to} is back`)
      },
    })
  }

  /** Which way to go if `wanted` may be. */
  way(wanted: Way, nowMs: number): Way {
    return this.#udp === null || nowMs < this.#streamUntilMs ? 'stream' : wanted
  }

  /** Sends the query, or will when there is a connection. */
  ask(exchange: Exchange, way: Way, nowMs: number): void {
    if (way === 'udp' && this.#udp !== null) {
      this.#counters.connection(this.to, 'udp', this.#udp.ask(exchange, nowMs))
    } else this.#counters.connection(this.to, this.#streamProto, this.#stream.ask(exchange, nowMs))
  }

  /** Whether it is to be sent OPT. */
  knowsOpt(nowMs: number): boolean {
    return nowMs >= this.#plainUntilMs
  }

  /** It called a query with OPT malformed, and not the same one without. */
  lacksOpt(nowMs: number): void {
    this.#plainUntilMs = nowMs + HABIT_MS
  }

  /** It answers by UDP, but not in the letter case of the question. */
  changesCase(nowMs: number): void {
    this.#streamUntilMs = nowMs + HABIT_MS
  }

  close(): void {
    this.health.close()
    this.#udp?.close()
    this.#stream.close()
  }
}
