// An upstream that is given by name (`forward . dns.example`): the address is found out once, by `resolver` or by the system. Queries that come before
// that wait here. Corefile reference 5.6.

import { lookup, Resolver } from 'node:dns/promises'
import { monotonicMs } from './clock.ts'
import type { Carrier, Exchange } from './exchange.ts'
import { errorText } from './network-errors.ts'

/** Which way a query goes. */
export type Way = 'udp' | 'stream'

/** After a failure the next attempt is this far off. */
const PAUSE_MS = 5000

export class UpstreamName implements Carrier {
  readonly ends: string
  readonly timeout: string
  readonly #host: string
  readonly #resolvers: readonly string[]
  readonly #found: (address: string) => void
  /** And by which way. */
  readonly #waiting = new Map<Exchange, Way>()
  readonly #resolver = new Resolver({ timeout: 1000, tries: 2 })
  #isLooking = false
  #isClosed = false
  #error = ''
  #nextMs = 0

  /**
   * Begins to look for the address.
   * @param resolvers  'IP:port'; none: as the system does
   * @param found  called once, unless it is closed before; what waits here is then to be asked
   */
  constructor(host: string, resolvers: readonly string[], found: (address: string) => void) {
    this.#host = host
    this.#resolvers = resolvers
    this.#found = found
    this.ends = `udp ->${host}`
    this.timeout = `lookup ${host}: i/o timeout`
    void this.#look()
  }

  /** Waits for the address. */
  ask(exchange: Exchange, way: Way): void {
    exchange.carrier = this
    this.#waiting.set(exchange, way)
    if (this.#isLooking) return
    if (monotonicMs() >= this.#nextMs) void this.#look()
    else queueMicrotask(() => this.#fail(exchange))
  }

  /** All that waits, and by which way it is to go: it is forgotten here. */
  take(): [Exchange, Way][] {
    const waiting = [...this.#waiting]
    this.#waiting.clear()
    for (const [exchange] of waiting) exchange.carrier = null
    return waiting
  }

  resend(): void {}

  suspect(): void {}

  drop(exchange: Exchange): void {
    this.#waiting.delete(exchange)
    exchange.carrier = null
  }

  close(): void {
    this.#isClosed = true
    this.#resolver.cancel()
  }

  async #look(): Promise<void> {
    this.#isLooking = true
    try {
      const address = this.#resolvers.length === 0 ? await systemAddress(this.#host) : await this.#ask()
      this.#isLooking = false
      if (!this.#isClosed) this.#found(address)
    } catch (error) {
      // First of all: what fails may be asked again at once.
      this.#isLooking = false
      this.#error = `lookup ${this.#host}: ${errorText(error as Error)}`
      this.#nextMs = monotonicMs() + PAUSE_MS
      for (const exchange of [...this.#waiting.keys()]) this.#fail(exchange)
    }
  }

  async #ask(): Promise<string> {
    const resolver = this.#resolver
    resolver.setServers(this.#resolvers)
    const [address] = await resolver.resolve4(this.#host).catch(() => resolver.resolve6(this.#host))
    return address
  }

  #fail(exchange: Exchange): void {
    if (!this.#waiting.delete(exchange)) return
    exchange.carrier = null
    exchange.failed('network', this.#error)
  }
}

async function systemAddress(host: string): Promise<string> {
  return (await lookup(host)).address
}
