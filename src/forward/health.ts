// Whether an upstream is there. Nothing is asked while all is well: probes begin with the first error and end with the first reply of any kind.
// Corefile reference 5.6.

import type { ForwardConfig } from '../config/configuration.ts'
import { wireOfName } from '../dns/message-names.ts'
import { TYPES } from '../dns/record-types.ts'
import { monotonicMs } from './clock.ts'
import { type DueTimes, Timed } from './due-times.ts'
import { Exchange, type FailureReason } from './exchange.ts'
import { frameQuery, type UpstreamQuery } from './upstream-query.ts'

const PROBE_LIMIT_MS = 1000
const CLASS_IN = 1

/** What the health of an upstream is told to. */
export interface HealthContext {
  readonly times: DueTimes
  /** Sends a probe. */
  probe(exchange: Exchange, nowMs: number): void
  probeFailed(): void
  /** It is down now, or has come back. */
  changed(isDown: boolean): void
}

export class Health extends Timed {
  readonly #config: ForwardConfig
  readonly #context: HealthContext
  #failures = 0
  /** Since an error, until a reply. */
  #isSuspect = false
  /** When the last probe was sent. */
  #probedMs = Number.NEGATIVE_INFINITY
  /** Under way. */
  #probe: Probe | null = null

  constructor(config: ForwardConfig, context: HealthContext) {
    super()
    this.#config = config
    this.#context = context
  }

  /** More than `max_fails` probes have failed, one after the other. */
  get isDown(): boolean {
    return this.#config.maxFails > 0 && this.#failures > this.#config.maxFails
  }

  /** A query has failed. */
  suspect(nowMs: number): void {
    if (this.#isSuspect || this.#config.maxFails === 0) return
    this.#isSuspect = true
    // One that answers probes and nothing else is not probed with each query.
    const nextMs = this.#probedMs + this.#config.healthCheck.intervalMs
    if (nowMs >= nextMs) this.#ask(nowMs)
    else this.#context.times.set(this, nextMs)
  }

  /** It has said something. */
  heard(): void {
    if (!this.#isSuspect) return
    const wasDown = this.isDown
    this.close()
    if (wasDown) this.#context.changed(false)
  }

  /** Forgets everything. */
  close(): void {
    this.#isSuspect = false
    this.#failures = 0
    this.#context.times.clear(this)
    this.#probe?.end()
    this.#probe = null
  }

  /** A probe has had no reply in time, or the next one is due. */
  override due(nowMs: number): void {
    if (this.#probe === null) this.#ask(nowMs)
    else this.#failed(nowMs)
  }

  #ask(nowMs: number): void {
    const probe = new Probe(probeQuery(this.#config), (isReply) => {
      if (probe !== this.#probe) return
      if (isReply) this.heard()
      else this.#failed(monotonicMs())
    })
    this.#probe = probe
    this.#probedMs = nowMs
    this.#context.times.set(this, nowMs + PROBE_LIMIT_MS)
    this.#context.probe(probe, nowMs)
  }

  #failed(nowMs: number): void {
    const wasDown = this.isDown
    this.#probe?.end()
    this.#probe = null
    this.#failures++
    this.#context.times.set(this, nowMs + this.#config.healthCheck.intervalMs)
    this.#context.probeFailed()
    if (!wasDown && this.isDown) this.#context.changed(true)
  }
}

class Probe extends Exchange {
  readonly #over: (isReply: boolean) => void

  constructor(query: UpstreamQuery, over: (isReply: boolean) => void) {
    super(frameQuery(query, false, false))
    this.#over = over
  }

  end(): void {
    this.carrier?.drop(this)
  }

  override sent(): void {}

  override received(): boolean {
    this.#over(true)
    return true
  }

  override failed(reason: FailureReason): void {
    // Of the upstream itself the others say nothing; the time limit does.
    if (reason === 'network') this.#over(false)
  }
}

function probeQuery({ healthCheck }: ForwardConfig): UpstreamQuery {
  const name = wireOfName(healthCheck.domain)
  const question = Uint8Array.of(...name, 0, TYPES.NS, 0, CLASS_IN)
  return {
    question,
    type: TYPES.NS,
    recursionDesired: healthCheck.recursionDesired,
    checkingDisabled: false,
    dnssecOk: false,
    stream: false,
  }
}
