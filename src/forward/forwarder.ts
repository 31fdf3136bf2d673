// Asks upstreams, as a `forward` of the Corefile says: one object for each `forward`, in the resolver thread. Corefile reference 5.6.
// Not here: which queries are forwarded at all (`except`, FROM, `next`, max_concurrent), the cache, and that a question is asked once at a time.

import type { ForwardConfig } from '../config/configuration.ts'
import { SERVFAIL } from '../dns/response.ts'
import { monotonicMs } from './clock.ts'
import { DueTimes } from './due-times.ts'
import type { ForwardCounters } from './forward-counters.ts'
import { Inquiry, type InquiryContext, type UpstreamOutcome } from './inquiry.ts'
import { type Policy, policyOf } from './policy.ts'
import { ReadyAnswer } from './ready-answer.ts'
import { RetryBudget } from './retry-budget.ts'
import { tlsParameters } from './tls-upstream.ts'
import { type OpenUdpPort, openNodePort } from './udp-port.ts'
import { Upstream } from './upstream.ts'
import type { UpstreamQuery } from './upstream-query.ts'

export type { UpstreamOutcome } from './inquiry.ts'
export { upstreamLabel } from './upstream.ts'
export type { UpstreamQuery } from './upstream-query.ts'

/** Failed attempts a query, for each upstream. */
const ATTEMPTS_EACH = 2

/** What is being asked. */
export interface Cancelable {
  /** Nobody wants to know any more. */
  cancel(): void
}

export interface ForwarderContext {
  readonly counters: ForwardCounters
  /** How datagram sockets are opened; node:dgram unless given. */
  readonly openPort?: OpenUdpPort
  log(level: 'info' | 'warning' | 'error', line: string): void
}

// What is read is used up during a call: one object is enough for all.
let answer: ReadyAnswer | undefined

export class Forwarder {
  readonly #times = new DueTimes()
  readonly #budget = new RetryBudget()
  readonly #upstreams: readonly Upstream[]
  readonly #policy: Policy<Upstream>
  readonly #context: InquiryContext
  readonly #waiting = new Set<Inquiry>()
  #isClosed = false

  /** @throws Error if certificates cannot be read */
  constructor(config: ForwardConfig, { counters, log, openPort = openNodePort }: ForwarderContext) {
    const times = this.#times
    const tls = tlsParameters(config)
    const shared = { counters, times, log, openPort }
    const upstreams = config.upstreams.map((at, i) => new Upstream(at, config, tls[i], shared))
    const { maxConnectAttempts } = config
    this.#upstreams = upstreams
    this.#policy = policyOf(config.policy, upstreams)
    answer ??= new ReadyAnswer()
    this.#context = {
      config,
      attemptsMax:
        maxConnectAttempts < 0 ? ATTEMPTS_EACH * upstreams.length : maxConnectAttempts === 0 ? -1 : maxConnectAttempts,
      times,
      budget: this.#budget,
      counters,
      answer,
      ended: (inquiry) => this.#waiting.delete(inquiry),
    }
  }

  /** Queries that wait for an answer. */
  get waitingCount(): number {
    return this.#waiting.size
  }

  /**
   * Finds out what the upstreams say.
   * @param query  its question is read during the call and while the query waits
   * @param done  called once, within 5 s, never before ask() has returned; and not at all if it is cancelled
   */
  ask(query: UpstreamQuery, done: (outcome: UpstreamOutcome) => void): Cancelable | null {
    if (this.#isClosed) {
      queueMicrotask(() => done({ kind: 'failure', rcode: SERVFAIL, error: 'closed' }))
      return null
    }
    const nowMs = monotonicMs()
    this.#budget.earn()
    const inquiry = new Inquiry(this.#context, query, this.#policy.order(), nowMs, done)
    this.#waiting.add(inquiry)
    if (!inquiry.start(nowMs)) queueMicrotask(() => inquiry.giveUp())
    return inquiry
  }

  /** Closes all sockets; what waits gets SERVFAIL before this returns. */
  close(): void {
    this.#isClosed = true
    for (const inquiry of this.#waiting) inquiry.close()
    for (const upstream of this.#upstreams) upstream.close()
    this.#times.close()
  }
}
