// Asks one server now and then, outside of the measured load: over UDP and, after TC, over TCP (RFC 7766 §5), or over TCP alone;
// with a bound on what is under way, and with retries.

import { setTimeout as sleep } from 'node:timers/promises'
import type { Target } from '../run.ts'
import { type Exchange, TcpExchange, UdpExchange } from './exchange.ts'

export interface DnsClientOptions {
  /** Queries under way at the same time, from 1 on; others wait. Default 64. */
  readonly atOnce?: number
  /** Of one try. Default 1000. */
  readonly timeoutMs?: number
  /** From 1 on. Default 3. */
  readonly tries?: number
}

const AT_ONCE = 64
const TIMEOUT_MS = 1000
const TRIES = 3
/** Before another try when the last one failed at once: a server that restarts is back soon. */
const PAUSE_MS = 100
const FLAGS_OFFSET = 2
const TC = 0x02

export class DnsClient {
  readonly #udp: Exchange | null
  readonly #tcp: Exchange
  readonly #timeoutMs: number
  readonly #tries: number
  readonly #waiting: (() => void)[] = []
  #free: number
  #isClosed = false

  /** Can a server be asked this way? */
  static speaks({ transport }: Pick<Target, 'transport'>): boolean {
    return transport === 'udp' || transport === 'tcp'
  }

  /** @param target  of a transport that speaks() says yes to */
  constructor(target: Pick<Target, 'address' | 'port' | 'transport'>, options: DnsClientOptions = {}) {
    this.#udp = target.transport === 'udp' ? new UdpExchange(target) : null
    this.#tcp = new TcpExchange(target)
    this.#free = options.atOnce ?? AT_ONCE
    this.#timeoutMs = options.timeoutMs ?? TIMEOUT_MS
    this.#tries = options.tries ?? TRIES
  }

  /** Why the last query was not answered, in words. */
  get failure(): string {
    return (this.#udp ?? this.#tcp).failure || `no answer in ${this.#tries} tries of ${this.#timeoutMs} ms`
  }

  /**
   * Asks, whatever ID the query has; it is copied.
   * @returns the response; a truncated one only if there is none over TCP; null if there is none at all
   */
  async ask(query: Uint8Array): Promise<Uint8Array | null> {
    const copy = new Uint8Array(query)
    if (this.#free === 0) await new Promise<void>((resolve) => this.#waiting.push(resolve))
    else this.#free--
    try {
      return await this.#askNow(copy)
    } finally {
      const next = this.#waiting.shift()
      if (next === undefined) this.#free++
      else next()
    }
  }

  /** What is under way comes to nothing. */
  close(): void {
    this.#isClosed = true
    this.#udp?.close()
    this.#tcp.close()
  }

  async #askNow(query: Uint8Array): Promise<Uint8Array | null> {
    const response = await this.#askBy(this.#udp ?? this.#tcp, query)
    const isCut = this.#udp !== null && response !== null && (response[FLAGS_OFFSET] & TC) !== 0
    return isCut ? ((await this.#askBy(this.#tcp, query)) ?? response) : response
  }

  async #askBy(exchange: Exchange, query: Uint8Array): Promise<Uint8Array | null> {
    for (let left = this.#tries; left > 0 && !this.#isClosed; left--) {
      const startedMs = performance.now()
      const response = await exchange.ask(query, this.#timeoutMs)
      if (response !== null) return response
      const isAtOnce = performance.now() - startedMs < this.#timeoutMs / 2
      if (left > 1 && isAtOnce) await sleep(PAUSE_MS)
    }
    return null
  }
}
