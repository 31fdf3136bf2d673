// The search for a server's capacity: the highest rate at which it stays within stated bounds.
//
// Rates are doubled until one is too much, then the gap is halved until it is narrow, then the lower end has to hold several
// times; if it does not, the search goes down until one does. Chance is in every trial, so nothing rests on one: a rate is too
// much when two trials say so, an upper end that was never confirmed by what was found below it is tried again, and what passed by
// luck does not pass five times. A trial that the generator itself spoiled says nothing: it is repeated, and if it stays so, that
// rate is the generator's limit and the search says so.

import { setTimeout as sleep } from 'node:timers/promises'
import { percentileMicros } from './histogram.ts'
import { LoadInputError } from './input-error.ts'
import type { Bounds, CapacityOutcome, Trial, Validity } from './outcome.ts'
import { lossOf, type RunResult, type RunSpec } from './run.ts'
import type { RunEvents, Runner } from './session.ts'
import { judge } from './validity.ts'

/** How to search. Rates are queries a second. */
export interface CapacityOptions {
  /** At least one of them. */
  readonly bounds: Bounds
  /** The first rate that is tried, at least 1. */
  readonly startRate: number
  /** No higher rate is tried. */
  readonly maxRate: number
  /** Length of one trial without its warm-up; those that only look for the range are a quarter as long. */
  readonly trialMs: number
  /** The search ends when pass and failure are as close as this share of the rate: 0.01 = 1 %. */
  readonly resolution: number
  /** Trials at the rate that was found, and how many of them have to pass. */
  readonly confirmations: number
  readonly confirmationsNeeded: number
  /** Between two trials, so that queues drain. */
  readonly pauseMs: number
  /** No trial begins after so many, repeated ones included. */
  readonly maxTrials: number
  /** Nor after so long. */
  readonly limitMs: number
}

/** What most searches want; bounds of 0.1 % loss and 10 ms. */
export const CAPACITY_DEFAULTS: CapacityOptions = {
  bounds: { maxLoss: 0.001, maxP99Micros: 10_000 },
  startRate: 1000,
  maxRate: 10_000_000,
  trialMs: 2000,
  resolution: 0.02,
  confirmations: 5,
  confirmationsNeeded: 4,
  pauseMs: 200,
  maxTrials: 100,
  limitMs: 600_000,
}

/** What a caller wants to know while the search goes on. */
export interface CapacityEvents extends RunEvents {
  /** A trial begins. */
  trialStarts?(rate: number, phase: Trial['phase']): void
  /** A trial has ended. */
  trial?(trial: Trial): void
}

const STEP_UP = 2
const STEP_DOWN = 4
const RATE_MIN = 1
/** Of trialMs. */
const STEP_PART = 1 / 4
/** As far as trialMs is not shorter: less would be a few queries. */
const STEP_MIN_MS = 250
/** Of a trial that the generator spoiled; others may have taken its core for a while. */
const REPEATS_MAX = 3
/** Rates in a row that were too much for the generator, each lower than the one before: the machine is at something else. */
const LIMITED_MAX = 4
/** What took the core may go on for longer than a queue does. */
const REPEAT_PAUSES = 5
/** So many passes in a row, with nothing but passes below an upper end: there is one chance in eight that it is right all the same. */
const SUSPICIOUS_PASSES = 3
/** The search goes down by one resolution, two, four, … until a rate holds, at most by this share. */
const DESCENT_MAX = 0.5
/** From what is too much for the generator at least by this share: each rate that is takes many trials to say so. */
const DESCENT_LIMITED = 0.25

/**
 * Searches.
 *
 * @param base    everything of a trial but its schedule, its length and its passes
 * @param pids    processes of the server
 * @param signal  ends it early: what was found so far is returned
 * @throws LoadInputError for options that make no sense; what the runner throws
 */
export async function findCapacity(
  runner: Runner,
  base: RunSpec,
  options: CapacityOptions,
  events: CapacityEvents = {},
  pids: readonly number[] = [],
  signal?: AbortSignal,
): Promise<CapacityOutcome> {
  check(options)
  const trials = new Trials(runner, base, options, events, pids, signal)
  const search = new Search(trials, options)
  await search.narrow()
  const confirmed = await search.confirm()
  return {
    kind: 'capacity',
    rate: confirmed.rate,
    confirmed: { passed: confirmed.passed, of: confirmed.of },
    failedRate: search.failedRate,
    bounds: options.bounds,
    trials: trials.list,
    validity: search.validity(confirmed),
  }
}

function check(options: CapacityOptions): void {
  const { bounds, startRate, maxRate, resolution, confirmations, confirmationsNeeded } = options
  const wrong: [boolean, string][] = [
    [
      bounds.maxLoss === null && bounds.maxP99Micros === null,
      'a capacity needs a bound: --max-loss, --max-p99 or both',
    ],
    [!(startRate >= RATE_MIN), `a search that starts at ${startRate} queries a second, not at ${RATE_MIN} or more`],
    [!(maxRate >= startRate), `a search from ${startRate} queries a second to ${maxRate}`],
    [!(options.trialMs > 0), `a trial of ${options.trialMs} ms`],
    [!(resolution > 0 && resolution < 1), `a resolution of ${resolution}, not between 0 and 1`],
    [
      !(confirmationsNeeded >= 1 && confirmationsNeeded <= confirmations),
      `${confirmationsNeeded} of ${confirmations} confirmations`,
    ],
  ]
  for (const [isWrong, message] of wrong) if (isWrong) throw new LoadInputError(message)
}

/** `limited`: the generator was the limit. */
type Verdict = 'passed' | 'failed' | 'limited'

/** Runs trials, one after another, and keeps them. */
class Trials {
  readonly list: Trial[] = []
  /** Why no trial begins any more; '' = one may. */
  over = ''
  /** Trials that say nothing. */
  spoiled = 0
  /** Why the last of them said nothing. */
  spoiledBecause = ''
  readonly #runner: Runner
  readonly #base: RunSpec
  readonly #options: CapacityOptions
  readonly #events: CapacityEvents
  readonly #pids: readonly number[]
  readonly #signal: AbortSignal | undefined
  readonly #startMs = performance.now()

  constructor(
    runner: Runner,
    base: RunSpec,
    options: CapacityOptions,
    events: CapacityEvents,
    pids: readonly number[],
    signal: AbortSignal | undefined,
  ) {
    this.#runner = runner
    this.#base = base
    this.#options = options
    this.#events = events
    this.#pids = pids
    this.#signal = signal
  }

  /** A trial that says something, or `limited` when none did; null when the search is over. */
  async once(rate: number, phase: Trial['phase']): Promise<Verdict | null> {
    for (let repeats = 0; repeats <= REPEATS_MAX; repeats++) {
      await this.#pause(repeats > 0 ? REPEAT_PAUSES : 1)
      if (this.#isOver()) return null
      const { passed, validity, result } = await this.#run(rate, phase)
      if (result.interrupted) return this.#end('it was interrupted')
      if (validity.isValid) return passed ? 'passed' : 'failed'
      this.spoiled++
      this.spoiledBecause = validity.reasons[0]
    }
    return 'limited'
  }

  /** As `once`, but a failure counts only if it comes twice. */
  async twice(rate: number, phase: Trial['phase']): Promise<Verdict | null> {
    const verdict = await this.once(rate, phase)
    return verdict === 'failed' ? await this.once(rate, phase) : verdict
  }

  async #run(rate: number, phase: Trial['phase']): Promise<Trial> {
    const { trialMs, bounds } = this.#options
    const durationMs = phase === 'step' ? Math.max(trialMs * STEP_PART, Math.min(trialMs, STEP_MIN_MS)) : trialMs
    const spec: RunSpec = { ...this.#base, schedule: { kind: 'open', rate }, durationMs, passes: 0 }
    this.#events.trialStarts?.(rate, phase)
    const result = await this.#runner.run(spec, this.#events, this.#pids, this.#signal)
    const validity = judge(result)
    const passed = validity.isValid && isWithin(result, bounds)
    // All seconds were told as they came. Those of a hundred trials would be as many megabytes: the ones to look at later are kept.
    const kept = phase === 'confirm' ? result : { ...result, series: [] }
    const trial: Trial = { rate, phase, result: kept, validity, passed }
    this.list.push(trial)
    this.#events.trial?.(trial)
    return trial
  }

  async #pause(times: number): Promise<void> {
    const ms = this.#options.pauseMs * times
    if (this.list.length === 0 || ms === 0) return
    // Ended early, it is found out by what comes next.
    await sleep(ms, undefined, { signal: this.#signal }).catch(() => {})
  }

  #isOver(): boolean {
    const { maxTrials, limitMs } = this.#options
    if (this.#signal?.aborted) this.#end('it was interrupted')
    else if (this.list.length >= maxTrials) this.#end(`it had its ${maxTrials} trials`)
    else if (performance.now() - this.#startMs >= limitMs) this.#end(`it had its ${Math.round(limitMs / 1000)} s`)
    return this.over !== ''
  }

  #end(why: string): null {
    this.over = why
    return null
  }
}

function isWithin(result: RunResult, { maxLoss, maxP99Micros }: Bounds): boolean {
  if (maxLoss !== null && lossOf(result) > maxLoss) return false
  return maxP99Micros === null || percentileMicros(result.latency, 99) <= maxP99Micros
}

/** A rate that is too much. */
interface Excess {
  readonly rate: number
  /** Otherwise for the generator, and `because` says why. */
  readonly isServers: boolean
  readonly because: string
}

/** A rate that held, or the last one that did not: then `rate` is 0. */
interface Confirmed {
  readonly rate: number
  readonly passed: number
  readonly of: number
}

/** Where the limit is: between the highest rate that passed and the lowest that was too much. */
class Search {
  /** The highest rate that passed; 0 = none. */
  #low = 0
  /** From the highest to the lowest; all above `#low`. */
  readonly #excess: Excess[] = []
  #passesInRow = 0
  readonly #trials: Trials
  readonly #options: CapacityOptions

  constructor(trials: Trials, options: CapacityOptions) {
    this.#trials = trials
    this.#options = options
  }

  /** Until pass and excess are close, or there is nothing left to try. */
  async narrow(): Promise<void> {
    for (let next = this.#next(); next !== null; next = this.#next()) {
      const [rate, phase] = next
      const verdict = await this.#trials.twice(rate, phase)
      if (verdict === null) return
      if (verdict === 'passed') this.#passed(rate)
      else this.#exceeded(rate, verdict === 'failed')
    }
  }

  /** Goes down from what passed until a rate holds, and up again as far as one does. */
  async confirm(): Promise<Confirmed> {
    let held: Confirmed = { rate: 0, passed: 0, of: 0 }
    let rate = this.#low
    let descent = this.#options.resolution
    let limited = 0
    while (rate >= RATE_MIN) {
      const tried = await this.#repeat(rate)
      if (tried === null) break
      if (tried.rate > 0 || held.rate === 0) held = tried
      const above = this.#excess.at(-1)
      if (held.rate === 0) {
        if (above?.isServers === false && ++limited >= LIMITED_MAX) break
        if (above?.isServers === false) descent = Math.max(descent, DESCENT_LIMITED)
        rate = Math.floor(rate * (1 - descent))
        descent = Math.min(descent * 2, DESCENT_MAX)
      } else if (above === undefined || this.#isNarrow(held.rate, above.rate)) break
      else rate = between(held.rate, above.rate)
    }
    return held
  }

  /** The lowest rate that was too much for the server; null if none was. */
  get failedRate(): number | null {
    return this.#excess.findLast(({ isServers }) => isServers)?.rate ?? null
  }

  /** What is to be said of the search as a whole. */
  validity({ rate }: Confirmed): Validity {
    const { over, spoiled, list } = this.#trials
    const above = this.#excess.at(-1)
    const reasons: string[] = []
    const remarks: string[] = []
    if (over !== '') (rate === 0 ? reasons : remarks).push(`the search ended early, because ${over}${this.#open(rate)}`)
    if (above !== undefined && !above.isServers)
      reasons.push(
        `the generator ended the search, not the server: at ${above.rate} queries a second, ${above.because}`,
      )
    if (this.#isSilent()) reasons.push('the server answered nothing at all')
    if (over === '' && above === undefined)
      remarks.push(`no rate above ${this.#options.maxRate} queries a second was tried: the server may do more`)
    if (spoiled > 0) remarks.push(`${spoiled} of ${list.length} trials say nothing: ${this.#trials.spoiledBecause}`)
    const last = list.findLast((trial) => trial.passed && trial.rate === rate)
    return { isValid: reasons.length === 0, reasons, remarks: [...remarks, ...(last?.validity.remarks ?? [])] }
  }

  /** What a search that ended early leaves open. */
  #open(rate: number): string {
    const above = this.#excess.at(-1)
    // What passed while the gap was narrowed may have been too much when it was repeated.
    const reached = rate > 0 || (above?.rate ?? 0) === this.#low ? rate : this.#low
    const from = reached > 0 ? `${reached} queries a second passed${rate === 0 ? ' once' : ''}` : 'no rate held'
    return above === undefined ? `: ${from}` : `: ${from}, ${above.rate} did not`
  }

  #next(): [rate: number, phase: Trial['phase']] | null {
    const { startRate, maxRate } = this.#options
    const above = this.#excess.at(-1)
    if (above === undefined) {
      if (this.#low >= maxRate) return null
      return [this.#low === 0 ? startRate : Math.min(this.#low * STEP_UP, maxRate), 'step']
    }
    if (this.#low === 0) {
      const isHopeless = this.#excess.length >= LIMITED_MAX && this.#excess.every(({ isServers }) => !isServers)
      if (above.rate <= RATE_MIN || isHopeless || this.#isSilent()) return null
      return [Math.max(RATE_MIN, Math.floor(above.rate / STEP_DOWN)), 'step']
    }
    if (!this.#isNarrow(this.#low, above.rate)) return [between(this.#low, above.rate), 'bisect']
    return this.#passesInRow < SUSPICIOUS_PASSES ? null : [above.rate, 'bisect']
  }

  #passed(rate: number): void {
    this.#low = Math.max(this.#low, rate)
    this.#passesInRow++
    while ((this.#excess.at(-1)?.rate ?? Number.POSITIVE_INFINITY) <= rate) this.#excess.pop()
  }

  #exceeded(rate: number, isServers: boolean): void {
    this.#passesInRow = 0
    while ((this.#excess.at(-1)?.rate ?? Number.POSITIVE_INFINITY) <= rate) this.#excess.pop()
    this.#excess.push({ rate, isServers, because: isServers ? '' : this.#trials.spoiledBecause })
  }

  /** The trials of one rate. @returns with `rate` 0 if it did not hold; null when the search is over before that is known */
  async #repeat(rate: number): Promise<Confirmed | null> {
    const { confirmations, confirmationsNeeded } = this.#options
    let [passed, of] = [0, 0]
    let verdict: Verdict | null = 'passed'
    while (of < confirmations && confirmations - of + passed >= confirmationsNeeded && verdict !== 'limited') {
      verdict = await this.#trials.once(rate, 'confirm')
      if (verdict === null) return null
      if (verdict === 'passed') passed++
      of++
    }
    if (passed >= confirmationsNeeded) return { rate, passed, of }
    this.#exceeded(rate, verdict !== 'limited')
    return { rate: 0, passed, of }
  }

  #isNarrow(low: number, high: number): boolean {
    return high - low <= Math.max(low * this.#options.resolution, 1)
  }

  /** Nobody is there: lower rates would change nothing. */
  #isSilent(): boolean {
    return this.#trials.list.length > 0 && this.#trials.list.every(({ result }) => result.answered === 0)
  }
}

/** By ratio, as the resolution is one. At least one more than `low`, at least one less than `high`. */
function between(low: number, high: number): number {
  return Math.min(Math.ceil(high) - 1, Math.max(Math.floor(low) + 1, Math.round(Math.sqrt(low * high))))
}
