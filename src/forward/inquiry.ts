// One query, until it is answered or given up: attempts at one upstream after another, sent again, over TCP where an answer was cut off.
// Corefile reference 5.6. All that waits has one time at which it goes on; an answer to an earlier attempt is taken as long as anybody waits.

import type { ForwardConfig } from '../config/configuration.ts'
import { FORMERR, SERVFAIL } from '../dns/response.ts'
import { monotonicMs } from './clock.ts'
import { type DueTimes, Timed } from './due-times.ts'
import { type Carrier, Exchange, type FailureReason } from './exchange.ts'
import type { ForwardCounters } from './forward-counters.ts'
import { randomBelow } from './random-octets.ts'
import { MATCH, matchesQuestion, OTHER_CASE, OTHER_QUESTION, type ReadyAnswer, readReply } from './ready-answer.ts'
import type { RetryBudget } from './retry-budget.ts'
import type { Upstream } from './upstream.ts'
import type { Way } from './upstream-name.ts'
import { frameQuery, HEADER_LENGTH, type UpstreamQuery } from './upstream-query.ts'

/** In all: 5 s, less what a timer may be late. */
const TOTAL_MS = 4970
/** Between rounds without an end of their own (`max_connect_attempts 0`). */
const PAUSE_MS = 100
/** Earlier attempts whose answers are still waited for. */
const EARLIER_MAX = 4
/** An upstream asked again because of things that are not its fault: a connection that had just ended, a port that was given up. */
const FREE_MAX = 2
const RCODE = 15
const TRUNCATED = 0x02

/** How it ended. */
export type UpstreamOutcome =
  /** `answer` is of worth during the call only. `to`: who said it. */
  | { readonly kind: 'reply'; readonly answer: ReadyAnswer; readonly to: string }
  /** `error` as Go says it. */
  | { readonly kind: 'failure'; readonly rcode: typeof SERVFAIL | typeof FORMERR; readonly error: string }

/** What all queries of a `forward` share. */
export interface InquiryContext {
  readonly config: ForwardConfig
  /** -1 for as many as there is time for. */
  readonly attemptsMax: number
  readonly times: DueTimes
  readonly budget: RetryBudget
  readonly counters: ForwardCounters
  readonly answer: ReadyAnswer
  /** It waits no longer. */
  ended(inquiry: Inquiry): void
}

/** The query on its way to one upstream. */
class Attempt extends Exchange {
  readonly upstream: Upstream
  readonly way: Way
  readonly hasOpt: boolean
  readonly askedMs: number
  sends = 1
  resendMs = 0
  /** Then it has failed. A connection has as much time to be made, and then the answer to come. */
  endMs = 0
  /** There was a reply whose QNAME is in another letter case. */
  isOtherCase = false
  readonly #inquiry: Inquiry

  constructor(inquiry: Inquiry, frame: Buffer, upstream: Upstream, way: Way, hasOpt: boolean, nowMs: number) {
    super(frame)
    this.#inquiry = inquiry
    this.upstream = upstream
    this.way = way
    this.hasOpt = hasOpt
    this.askedMs = nowMs
  }

  override sent(): void {
    this.#inquiry.sent(this)
  }

  override received(message: Uint8Array, at: number, length: number, carrier: Carrier): boolean {
    return this.#inquiry.received(this, message, at, length, carrier)
  }

  override failed(reason: FailureReason, error: string): void {
    this.#inquiry.failed(this, reason, error)
  }
}

export class Inquiry extends Timed {
  readonly #context: InquiryContext
  readonly #query: UpstreamQuery
  readonly #done: (outcome: UpstreamOutcome) => void
  readonly #order: readonly Upstream[]
  readonly #endMs: number
  /** Place in the order. */
  #next = 0
  #failures = 0
  /** Replies that `failover` passed over. */
  #passedOver = 0
  #freeRetries = 0
  #current: Attempt | null = null
  readonly #earlier: Attempt[] = []
  #error = 'no healthy proxies'
  /** Is asked without OPT: it called the question with it malformed. */
  #plain: Upstream | null = null
  #hasWrongQuestion = false
  /** A reply to be given if there is no better: truncated, or of a code that another upstream may know better. */
  #kept: { readonly message: Uint8Array; readonly to: string } | null = null
  #isOver = false

  /** @param order  of the policy */
  constructor(
    context: InquiryContext,
    query: UpstreamQuery,
    order: readonly Upstream[],
    nowMs: number,
    done: (outcome: UpstreamOutcome) => void,
  ) {
    super()
    this.#context = context
    this.#query = query
    this.#order = order
    this.#done = done
    this.#endMs = nowMs + TOTAL_MS
  }

  /** @returns false if nobody can be asked: then give() is due */
  start(nowMs: number): boolean {
    const upstream = this.#pick()
    if (upstream === null) return false
    this.#ask(upstream, this.#way, nowMs)
    return true
  }

  /** Ends it with what there is. */
  giveUp(): void {
    const rcode = this.#hasWrongQuestion ? FORMERR : SERVFAIL
    if (!this.#giveKept()) this.#give({ kind: 'failure', rcode, error: this.#error })
  }

  /** Ends it whatever there is. */
  close(): void {
    this.#give({ kind: 'failure', rcode: SERVFAIL, error: 'closed' })
  }

  /** Nobody waits any more: it ends without a word. */
  cancel(): void {
    this.#stop()
  }

  sent(attempt: Attempt): void {
    // Of UDP the time runs from the start: a socket is ready at once.
    if (attempt.way === 'udp' || attempt !== this.#current) return
    attempt.endMs = monotonicMs() + this.#context.config.readTimeoutMs
    this.#wait(attempt.endMs)
  }

  override due(nowMs: number): void {
    const attempt = this.#current
    if (nowMs >= this.#endMs) {
      if (attempt !== null) this.#timedOut(attempt, nowMs)
      this.giveUp()
    } else if (attempt === null) this.#tryNext(nowMs)
    else if (nowMs >= attempt.endMs && attempt.isOtherCase) this.#overStream(attempt, nowMs)
    else if (nowMs >= attempt.endMs) {
      this.#timedOut(attempt, nowMs)
      this.#tryAnother(nowMs)
    } else this.#resend(attempt, nowMs)
  }

  /** @returns whether the exchange is over */
  received(attempt: Attempt, message: Uint8Array, at: number, length: number, carrier: Carrier): boolean {
    const { upstream } = attempt
    const { counters, answer } = this.#context
    const nowMs = monotonicMs()
    upstream.health.heard()
    const isUdp = attempt.way === 'udp'
    const rcode = message[at + 3] & RCODE
    const match = matchesQuestion(message, at, length, attempt.question, isUdp && this.#context.config.randomizeCase)
    if (rcode === FORMERR && attempt.hasOpt && (match === MATCH || isBare(message, at, length))) {
      counters.answered(upstream.to, rcode, (nowMs - attempt.askedMs) / 1000)
      this.#plain = upstream
      this.#ask(upstream, attempt.way, nowMs)
      return true
    }
    if (match === OTHER_CASE) return this.#otherCase(attempt, nowMs)
    if (match !== MATCH) {
      if (match === OTHER_QUESTION) this.#hasWrongQuestion = true
      this.#unusable(
        attempt,
        match === OTHER_QUESTION ? 'reply to another question' : 'malformed reply',
        carrier,
        nowMs,
      )
      return true
    }
    const isRead = readReply(answer, message, at, length, this.#query.type)
    const isTruncated = (message[at + 2] & TRUNCATED) !== 0
    if (!isRead && !(isTruncated && isUdp)) {
      this.#unusable(attempt, 'malformed reply', carrier, nowMs)
      return true
    }
    counters.answered(upstream.to, isRead ? answer.rcode : rcode, (nowMs - attempt.askedMs) / 1000)
    // It was OPT that it did not like, and not the question.
    if (this.#plain === upstream && rcode !== FORMERR) upstream.lacksOpt(nowMs)
    if (isUdp && attempt.sends === 1) upstream.roundTrip.sample(nowMs - attempt.askedMs)
    if (isTruncated && isUdp) {
      if (isRead) this.#keep(message, at, length, upstream)
      this.#ask(upstream, 'stream', nowMs)
    } else if (this.#isPassedOver(answer.rcode)) {
      this.#keep(message, at, length, upstream)
      this.#error = `${upstream.to} says ${answer.rcode}`
      this.#tryAnother(nowMs)
    } else this.#give({ kind: 'reply', answer, to: upstream.to })
    return true
  }

  failed(attempt: Attempt, reason: FailureReason, error: string): void {
    const nowMs = monotonicMs()
    if (reason === 'network') attempt.upstream.health.suspect(nowMs)
    if (attempt !== this.#current || this.#isOver) return
    this.#error = error
    if ((reason === 'stale' || reason === 'burned') && this.#freeRetries < FREE_MAX) {
      // A port that somebody shoots at: from another one, and if that is found too, over TCP.
      const way = this.#freeRetries > 0 && reason === 'burned' ? 'stream' : attempt.way
      this.#freeRetries++
      this.#ask(attempt.upstream, way, nowMs)
    } else this.#fail(attempt, nowMs)
  }

  get #way(): Way {
    const { forceTcp, preferUdp } = this.#context.config
    return forceTcp || (this.#query.stream && !preferUdp) ? 'stream' : 'udp'
  }

  /** The next upstream that is not down; if all are, any of them, or none if that is what is wanted. */
  #pick(): Upstream | null {
    const order = this.#order
    for (let i = 0; i < order.length; i++) {
      const upstream = order[this.#next++ % order.length]
      if (!upstream.health.isDown) return upstream
    }
    const { counters, config } = this.#context
    counters.allDown()
    if (config.failfastAllUnhealthyUpstreams) {
      this.#error = 'no healthy proxies'
      return null
    }
    return order[randomBelow(order.length)]
  }

  #ask(upstream: Upstream, wanted: Way, nowMs: number): void {
    const { config } = this.#context
    const way = upstream.way(wanted, nowMs)
    const hasOpt = this.#plain !== upstream && upstream.knowsOpt(nowMs)
    const frame = frameQuery(this.#query, hasOpt, config.randomizeCase && way === 'udp')
    const attempt = new Attempt(this, frame, upstream, way, hasOpt, nowMs)
    this.#retain(this.#current)
    this.#current = attempt
    attempt.endMs = nowMs + config.readTimeoutMs
    attempt.resendMs = upstream.roundTrip.resendMs
    this.#wait(way === 'udp' ? Math.min(nowMs + attempt.resendMs, attempt.endMs) : attempt.endMs)
    upstream.ask(attempt, way, nowMs)
  }

  /** Its answer may still come. */
  #retain(attempt: Attempt | null): void {
    if (attempt === null || attempt.carrier === null) return
    this.#earlier.push(attempt)
    if (this.#earlier.length > EARLIER_MAX) drop(this.#earlier.shift()!)
  }

  #wait(untilMs: number): void {
    this.#context.times.set(this, Math.min(untilMs, this.#endMs))
  }

  #resend(attempt: Attempt, nowMs: number): void {
    const isPaid = this.#context.budget.spend()
    if (attempt.isOtherCase && (attempt.sends > 1 || !isPaid)) {
      this.#overStream(attempt, nowMs)
      return
    }
    if (isPaid) {
      attempt.sends++
      attempt.carrier?.resend(attempt)
    }
    attempt.resendMs *= 2
    this.#wait(Math.min(nowMs + attempt.resendMs, attempt.endMs))
  }

  /** By UDP the letter case proves that an answer is the upstream's: without it, TCP must. */
  #overStream(attempt: Attempt, nowMs: number): void {
    attempt.upstream.changesCase(nowMs)
    this.#ask(attempt.upstream, 'stream', nowMs)
  }

  #otherCase(attempt: Attempt, nowMs: number): boolean {
    attempt.isOtherCase = true
    if (attempt !== this.#current || attempt.sends === 1) return false
    this.#overStream(attempt, nowMs)
    return true
  }

  #timedOut(attempt: Attempt, nowMs: number): void {
    if (attempt.carrier !== null) this.#error = attempt.carrier.timeout
    attempt.upstream.health.suspect(nowMs)
    this.#hasFailed(attempt)
    if (attempt.way === 'stream') attempt.carrier?.suspect(attempt.askedMs)
  }

  #unusable(attempt: Attempt, what: string, carrier: Carrier, nowMs: number): void {
    if (attempt !== this.#current) return
    this.#error = `read ${carrier.ends}: ${what}`
    attempt.upstream.health.suspect(nowMs)
    this.#fail(attempt, nowMs)
  }

  #hasFailed(attempt: Attempt): void {
    this.#failures++
    this.#retain(attempt)
    this.#current = null
  }

  #fail(attempt: Attempt, nowMs: number): void {
    this.#hasFailed(attempt)
    this.#tryAnother(nowMs)
  }

  /** After a failure: whoever is next, if there is any sense in it. */
  #tryAnother(nowMs: number): void {
    const { attemptsMax, budget } = this.#context
    const count = this.#order.length
    // What was cut off has been tried over TCP; it is better than nothing.
    if (this.#kept !== null && this.#passedOver === 0) this.giveUp()
    else if (attemptsMax >= 0 && this.#failures >= attemptsMax) this.giveUp()
    else if (this.#failures + this.#passedOver === 1 && count > 1) this.#tryNext(nowMs)
    else if (!budget.spend()) this.#pauseOrGiveUp(nowMs)
    else if (attemptsMax < 0 && this.#failures % count === 0) this.#pauseOrGiveUp(nowMs)
    else this.#tryNext(nowMs)
  }

  #pauseOrGiveUp(nowMs: number): void {
    if (this.#context.attemptsMax >= 0) this.giveUp()
    else this.#wait(nowMs + PAUSE_MS)
  }

  #tryNext(nowMs: number): void {
    const upstream = nowMs >= this.#endMs ? null : this.#pick()
    if (upstream === null) this.giveUp()
    else this.#ask(upstream, this.#way, nowMs)
  }

  /** Whether the code is one of `failover`, and there is somebody else to ask. */
  #isPassedOver(rcode: number): boolean {
    const { failover } = this.#context.config
    if (!failover.includes(rcode) || this.#passedOver >= this.#order.length - 1) return false
    this.#passedOver++
    return true
  }

  #keep(message: Uint8Array, at: number, length: number, { to }: Upstream): void {
    this.#kept = { message: message.slice(at, at + length), to }
  }

  #giveKept(): boolean {
    const kept = this.#kept
    if (kept === null) return false
    const { answer } = this.#context
    readReply(answer, kept.message, 0, kept.message.length, this.#query.type)
    this.#give({ kind: 'reply', answer, to: kept.to })
    return true
  }

  #give(outcome: UpstreamOutcome): void {
    if (this.#stop()) this.#done(outcome)
  }

  /** @returns false if it was over already */
  #stop(): boolean {
    if (this.#isOver) return false
    this.#isOver = true
    this.#context.times.clear(this)
    if (this.#current !== null) drop(this.#current)
    for (const attempt of this.#earlier) drop(attempt)
    this.#context.ended(this)
    return true
  }
}

function drop(attempt: Attempt): void {
  attempt.carrier?.drop(attempt)
}

/** A header alone, as servers answer what they cannot read. */
function isBare(message: Uint8Array, at: number, length: number): boolean {
  return length >= HEADER_LENGTH && message[at + 4] === 0 && message[at + 5] === 0
}
