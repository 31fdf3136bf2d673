// One upstream: where it is, how it is doing, and its sockets and connections. Not here: what is asked and when to give up (inquiry.ts).

import { isIP, isIPv6 } from 'node:net'
import type { ForwardConfig, Upstream as UpstreamConfig } from '../config/configuration.ts'
import { addressAndPort } from '../io/addresses.ts'
import { monotonicMs } from './clock.ts'
import type { DueTimes } from './due-times.ts'
import type { Exchange } from './exchange.ts'
import type { ForwardCounters, UpstreamProto } from './forward-counters.ts'
import { Health } from './health.ts'
import { HttpsPool } from './https-pool.ts'
import { RoundTrip } from './round-trip.ts'
import type { TlsParameters } from './stream-connection.ts'
import { StreamPool } from './stream-pool.ts'
import { UdpPool } from './udp-pool.ts'
import type { OpenUdpPort } from './udp-port.ts'
import type { Peer } from './udp-socket.ts'
import { UpstreamName, type Way } from './upstream-name.ts'

/** For so long an upstream's ways are remembered: that it knows no OPT, that its UDP answers do not keep letter case. */
const HABIT_MS = 600_000

/** What all upstreams of a `forward` share. */
export interface UpstreamContext {
  readonly counters: ForwardCounters
  readonly times: DueTimes
  readonly openPort: OpenUdpPort
  log(level: 'info' | 'warning' | 'error', line: string): void
}

/** Label of an upstream in metrics and logs: 'IP:port', '[IPv6]:port'. */
export function upstreamLabel({ host, port }: Pick<UpstreamConfig, 'host' | 'port'>): string {
  return addressAndPort(host, port)
}

/** Its sockets and connections. */
interface Pools {
  /** null: it speaks TLS or HTTPS alone. */
  readonly udp: UdpPool | null
  readonly stream: StreamPool | HttpsPool
  readonly streamProto: UpstreamProto
}

export class Upstream {
  readonly to: string
  readonly health: Health
  readonly roundTrip = new RoundTrip()
  readonly #config: ForwardConfig
  readonly #counters: ForwardCounters
  readonly #times: DueTimes
  readonly #openPort: OpenUdpPort
  readonly #tls: TlsParameters | null
  readonly #isHttps: boolean
  /** Of an upstream given by name; null: it is one given by address. */
  readonly #name: UpstreamName | null
  /** null until its address is known. */
  #pools: Pools | null = null
  #plainUntilMs = 0
  #streamUntilMs = 0

  /** @param tls  null for an upstream without */
  constructor(at: UpstreamConfig, config: ForwardConfig, tls: TlsParameters | null, context: UpstreamContext) {
    const { counters, times, openPort } = context
    this.#openPort = openPort
    this.to = upstreamLabel(at)
    this.#config = config
    this.#counters = counters
    this.#times = times
    this.#tls = tls
    this.#isHttps = at.transport === 'https'
    this.health = new Health(config, {
      times,
      probe: (exchange, nowMs) => this.#probe(exchange, nowMs),
      probeFailed: () => counters.probeFailed(this.to),
      changed: (isDown) => {
        if (isDown)
          context.log('warning', `plugin/forward: upstream ${this.to} is down: it does not answer health checks`)
        else context.log('info', `plugin/forward: upstream ${this.to} is back`)
      },
    })
    if (isIP(at.host) > 0) {
      this.#pools = this.#open(at.host, at.port)
      this.#name = null
      return
    }
    const name = new UpstreamName(at.host, config.resolver, (address) => {
      this.#pools = this.#open(address, at.port)
      const nowMs = monotonicMs()
      for (const [exchange, way] of name.take()) this.ask(exchange, way, nowMs)
    })
    this.#name = name
  }

  /** Which way to go if `wanted` may be. */
  way(wanted: Way, nowMs: number): Way {
    return this.#tls !== null || nowMs < this.#streamUntilMs ? 'stream' : wanted
  }

  /** Sends the query, or will when there is a connection. */
  ask(exchange: Exchange, way: Way, nowMs: number): void {
    const pools = this.#pools
    if (pools === null) this.#name?.ask(exchange, way)
    else if (way === 'udp' && pools.udp !== null) {
      this.#counters.connection(this.to, 'udp', pools.udp.ask(exchange, nowMs))
    } else this.#counters.connection(this.to, pools.streamProto, pools.stream.ask(exchange, nowMs))
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
    this.#name?.close()
    this.#pools?.udp?.close()
    this.#pools?.stream.close()
  }

  #open(host: string, port: number): Pools {
    const config = this.#config
    const family = isIPv6(host) ? 6 : 4
    const isSameFamily = isIPv6(config.sourceAddress) === (family === 6)
    const peer: Peer = { host, port, family, sourceAddress: isSameFamily ? config.sourceAddress : '' }
    return {
      udp: this.#tls === null ? new UdpPool(peer, config, this.#times, this.#openPort) : null,
      stream: this.#openStreams(peer),
      streamProto: this.#tls === null ? 'tcp' : 'tcp-tls',
    }
  }

  #openStreams(peer: Peer): StreamPool | HttpsPool {
    const [config, tls] = [this.#config, this.#tls]
    if (tls === null || !this.#isHttps) return new StreamPool(peer, tls, config, this.#times)
    return new HttpsPool(peer, tls, config.dohMethod, config, this.#times)
  }

  /** By the way that queries go; over TCP by a connection of its own. */
  #probe(exchange: Exchange, nowMs: number): void {
    const pools = this.#pools
    if (pools === null) this.#name?.ask(exchange, this.way('udp', nowMs))
    else if (this.#config.forceTcp || pools.udp === null) pools.stream.askAlone(exchange, nowMs)
    else pools.udp.ask(exchange, nowMs)
  }
}
