// Checks the answers of a server under load against a truth. Most answers have been seen before, octet by octet but for the ID:
// they cost a look into a map. A difference is asked for again, of both sides, before it counts: clusters change.

import { setImmediate as nextTurn } from 'node:timers/promises'
import { HEADER_LENGTH } from '../../dns/question.ts'
import type { Verification } from '../outcome.ts'
import { type QueryTable, queryMessage } from '../query-table.ts'
import type { Target } from '../run.ts'
import type { Sample } from '../session.ts'
import { answerIdentity, type ComparisonRules, ExpectedAnswer, secondsKept } from './difference.ts'
import { DnsClient, type DnsClientOptions } from './dns-client.ts'
import { type Finding, Findings } from './findings.ts'
import { PacedWork } from './paced-work.ts'
import { questionKey, repeatsQuestion } from './question-key.ts'
import { NoTruthError, type Truth } from './truth.ts'

export interface VerifierOptions {
  /** ComparisonRules.strict. Default false. */
  readonly strict?: boolean
  /** How the server under test is asked again. */
  readonly client?: DnsClientOptions
  /** Milliseconds before both sides are asked again, beside the time that a cache may keep the answer. Default 200. */
  readonly recheckAfterMs?: number
  /** Most that is asked again, from 1 on. Default 100. */
  readonly rechecksPerSecond?: number
}

/** What is right for a question, and what is known of answers to it. */
interface Entry {
  /** null: the truth says nothing about it. */
  readonly expected: ExpectedAnswer | null
  /** By answer, without ID and question: null if it is right. */
  readonly verdicts: Map<string, Finding | null>
  /** Truncated answers are right as far as they go; the rest is asked for once. */
  isAskedWhole: boolean
  /** What is kept here, roughly. */
  octets: number
}

/** Answers that wait to be compared; what comes on top of them is not checked. */
const BACKLOG_MAX = 20_000
/** Others want the thread too. */
const TURN_MS = 10
const SAMPLES_PER_CLOCK = 32
const KEPT_OCTETS_MAX = 64 * 2 ** 20
const LEFT_SHARE = 0.9
/** What an entry takes beside the octets of its key and its answer, roughly. */
const ENTRY_OCTETS = 2000
/** Different answers to a question that are known by their octets: rotations, TTLs. Others are read again. */
const VERDICTS_MAX = 64
const VERDICT_LENGTH_MAX = 4096
const RECHECKS_AT_ONCE = 4
const RECHECKS_PER_SECOND = 100
const RECHECK_AFTER_MS = 200
/** A cache may keep an answer that was right for as long as its TTL says; no longer is waited than this. */
const KEPT_SECONDS_MAX = 30
/** A difference that was gone so often and is there again is no passing one. */
const GONE_MAX = 3
/** Truncated answers that are asked for over TCP. */
const WHOLE_MAX = 1000
const FLAGS_OFFSET = 2
const TC = 0x02

export class Verifier {
  readonly #table: QueryTable
  readonly #server: string
  readonly #truth: Truth
  readonly #rules: ComparisonRules
  readonly #client: DnsClient | null
  readonly #recheckAfterMs: number
  readonly #entries = new Map<string, Entry | Promise<Entry>>()
  #keptOctets = 0
  readonly #findings = new Findings()
  readonly #rechecks: PacedWork
  /** To be asked again when there is no load. */
  readonly #unanswered: Finding[] = []
  #wholeCount = 0
  #isSettling = false
  /** It does not answer even without load. */
  #isSilent = false
  readonly #batches: (readonly Sample[])[] = []
  #backlog = 0
  #draining: Promise<void> | null = null
  #checked = 0
  #outside = 0
  #unchecked = 0

  /** @param target  the server under test; over TLS and HTTPS it is not asked again, and what is found counts at once */
  constructor(table: QueryTable, target: Target, truth: Truth, options: VerifierOptions = {}) {
    this.#table = table
    this.#server = target.label
    this.#truth = truth
    this.#rules = { ...truth.rules, strict: options.strict ?? false }
    this.#client = DnsClient.speaks(target) ? new DnsClient(target, options.client) : null
    this.#recheckAfterMs = options.recheckAfterMs ?? RECHECK_AFTER_MS
    const pauseMs = (RECHECKS_AT_ONCE * 1000) / (options.rechecksPerSecond ?? RECHECKS_PER_SECOND)
    this.#rechecks = new PacedWork(RECHECKS_AT_ONCE, pauseMs)
  }

  /**
   * Takes answers; batches are checked one after the other.
   * @returns settles when there is nothing left to check
   */
  take(samples: readonly Sample[]): Promise<void> {
    if (this.#backlog > 0 && this.#backlog + samples.length > BACKLOG_MAX) this.#unchecked += samples.length
    else {
      this.#batches.push(samples)
      this.#backlog += samples.length
    }
    this.#draining ??= this.#drain()
    return this.#draining
  }

  /** Answers that were to be checked and never got here. */
  missed(count: number): void {
    this.#unchecked += count
  }

  /** So far. */
  counts(): Omit<Verification, 'answers'> {
    const { passing, wrong } = this.#findings
    return { checked: this.#checked, wrong, outside: this.#outside, unchecked: this.#unchecked, passing }
  }

  /**
   * Waits until everything is checked and every difference has been asked for again. Half a minute, if answers may be kept so
   * long; a few seconds more if there are hundreds of differences. Nothing is taken afterwards.
   */
  async settle(): Promise<Verification> {
    await this.#draining
    this.#isSettling = true
    do {
      for (const finding of this.#unanswered.splice(0)) this.#recheckLater(finding, performance.now())
      await this.#rechecks.done()
    } while (this.#unanswered.length > 0)
    this.#client?.close()
    return { ...this.counts(), answers: this.#findings.report(this.#server, this.#truth.name) }
  }

  async #drain(): Promise<void> {
    let turnEndMs = performance.now() + TURN_MS
    for (let batch = this.#batches.shift(); batch !== undefined; batch = this.#batches.shift()) {
      const late: Promise<void>[] = []
      for (let i = 0; i < batch.length; i++) {
        this.#check(batch[i], late)
        if (i % SAMPLES_PER_CLOCK !== 0 || performance.now() < turnEndMs) continue
        await nextTurn()
        turnEndMs = performance.now() + TURN_MS
      }
      await Promise.all(late)
      this.#backlog -= batch.length
    }
    this.#draining = null
  }

  #check({ index, response }: Sample, late: Promise<void>[]): void {
    const query = queryMessage(this.#table, index)
    const key = questionKey(query)
    const entry = this.#entries.get(key) ?? this.#newEntry(key, query)
    const questionEnd = this.#table.questionEnds[index]
    if (!(entry instanceof Promise)) this.#judge(entry, key, query, questionEnd, response)
    else {
      const judge = (known: Entry): void => this.#judge(known, key, query, questionEnd, response)
      late.push(
        entry.then(
          judge,
          unlessNoTruth(() => void this.#unchecked++),
        ),
      )
    }
  }

  #judge(entry: Entry, key: string, query: Uint8Array, questionEnd: number, response: Uint8Array): void {
    if (entry.expected === null) {
      this.#outside++
      return
    }
    this.#checked++
    const isKnowable = response.length <= VERDICT_LENGTH_MAX && repeatsQuestion(response, query, questionEnd)
    const octets = isKnowable ? verdictKey(response, questionEnd) : ''
    let finding = isKnowable ? entry.verdicts.get(octets) : undefined
    if (finding === undefined || finding?.state === 'gone') {
      finding = this.#compare(entry.expected, key, query, response)
      if (isKnowable) this.#remember(entry, key, octets, finding)
    }
    if (finding !== null) this.#count(finding)
    else if ((response[FLAGS_OFFSET] & TC) !== 0 && !entry.isAskedWhole) this.#askWhole(entry, key, query)
  }

  #compare(expected: ExpectedAnswer, key: string, query: Uint8Array, response: Uint8Array): Finding | null {
    const text = expected.differenceFrom(response)
    if (text === null) return null
    return this.#findings.find(`${key}\n${answerIdentity(response)}`, query, response, expected.octets, text)
  }

  #count(finding: Finding): void {
    finding.times++
    if (finding.state === 'wrong') return
    if (finding.state === 'gone' && finding.goneCount >= GONE_MAX) {
      finding.state = 'wrong'
      finding.remark = `gone ${GONE_MAX} times when it was asked again, and back each time`
    } else if (finding.state === 'gone' || finding.times === 1) {
      finding.state = 'open'
      finding.foundMs = performance.now()
      this.#recheckLater(finding, finding.foundMs + this.#recheckAfterMs + this.#secondsKept(finding) * 1000)
    }
  }

  /** How long an answer may be behind the cluster because of a cache; so may that of a truth that does not limit TTLs. */
  #secondsKept({ got, expected }: Finding): number {
    if (this.#truth.refresh === undefined) return 0
    const ofTruth = this.#rules.limitsTtls === true ? 0 : secondsKept(expected)
    return Math.min(Math.max(secondsKept(got), ofTruth), KEPT_SECONDS_MAX)
  }

  #recheckLater(finding: Finding, dueMs: number): void {
    this.#rechecks.add(dueMs, async () => {
      const isLast = this.#isSettling
      const state = await this.#recheck(finding, dueMs, isLast)
      if (state === 'gone') this.#findings.pass(finding)
      else if (state === 'wrong' || isLast) finding.state = 'wrong'
      else this.#unanswered.push(finding)
    })
  }

  /** @param isLast  there is no load any more   @returns 'open' if a side did not answer */
  async #recheck(finding: Finding, dueMs: number, isLast: boolean): Promise<Finding['state']> {
    const { query, got } = finding
    const expected = await this.#expectedAgain(query, dueMs)
    if (expected === 'unknown') {
      finding.remark = `${this.#truth.name} did not answer when it was asked again`
      return 'open'
    }
    const text = expected?.differenceFrom(got) ?? null
    if (expected === null || text === null) return 'gone'
    finding.expected = expected.octets
    finding.text = text
    finding.remark = this.#client === null ? 'not asked again' : ''
    if (this.#client === null) return 'wrong'
    const again = this.#isSilent ? null : await this.#client.ask(query)
    if (again !== null) return expected.differenceFrom(again) === null ? 'gone' : 'wrong'
    finding.remark = 'no answer when it was asked again'
    // Under load that says little; without load it will not answer the next one either.
    if (isLast) this.#isSilent = true
    return 'open'
  }

  /** What the truth says now; null if it is nothing any more. */
  async #expectedAgain(query: Uint8Array, sinceMs: number): Promise<ExpectedAnswer | null | 'unknown'> {
    const key = questionKey(query)
    if (await this.#truth.refresh?.(query, sinceMs)) this.#forgetAll()
    else this.#forget(key)
    const entry = Promise.resolve(this.#entries.get(key) ?? this.#newEntry(key, query))
    return await entry.then(
      ({ expected }) => expected,
      unlessNoTruth(() => 'unknown' as const),
    )
  }

  /** Asks over TCP for what a datagram had no room for. */
  #askWhole(entry: Entry, key: string, query: Uint8Array): void {
    const { expected } = entry
    const client = this.#client
    entry.isAskedWhole = true
    if (client === null || expected === null || this.#wholeCount++ >= WHOLE_MAX) return
    this.#rechecks.add(performance.now(), async () => {
      const whole = this.#isSilent ? null : await client.ask(query)
      const finding = whole === null ? null : this.#compare(expected, key, query, whole)
      if (finding === null) return
      this.#checked++
      this.#count(finding)
    })
  }

  #newEntry(key: string, query: Uint8Array): Entry | Promise<Entry> {
    const answer = this.#truth.answer(query)
    if (!(answer instanceof Promise)) return this.#keep(key, answer)
    const asked = answer.then(
      (octets) => this.#keep(key, octets),
      (error) => {
        if (this.#entries.get(key) === asked) this.#entries.delete(key)
        throw error
      },
    )
    this.#entries.set(key, asked)
    return asked
  }

  #keep(key: string, answer: Uint8Array | null): Entry {
    const expected = answer === null ? null : new ExpectedAnswer(answer, this.#rules)
    // Records as objects take several times their octets.
    const octets = ENTRY_OCTETS + key.length + 8 * (answer?.length ?? 0)
    const entry = { expected, verdicts: new Map(), isAskedWhole: false, octets }
    this.#forget(key)
    this.#entries.set(key, entry)
    this.#keptOctets += octets
    if (this.#keptOctets > KEPT_OCTETS_MAX) this.#forgetOldest(key)
    return entry
  }

  #remember(entry: Entry, key: string, octets: string, finding: Finding | null): void {
    const { verdicts } = entry
    const isNew = !verdicts.has(octets)
    // The octets of what has been forgotten meanwhile are not counted any more.
    if (this.#entries.get(key) !== entry || (isNew && verdicts.size >= VERDICTS_MAX)) return
    verdicts.set(octets, finding)
    if (!isNew) return
    entry.octets += octets.length
    this.#keptOctets += octets.length
  }

  #forget(key: string): void {
    const entry = this.#entries.get(key)
    if (entry === undefined) return
    this.#entries.delete(key)
    if (!(entry instanceof Promise)) this.#keptOctets -= entry.octets
  }

  /** Many at once: each look for the oldest goes through all that were forgotten before it. */
  #forgetOldest(newest: string): void {
    for (const oldest of this.#entries.keys()) {
      if (this.#keptOctets <= KEPT_OCTETS_MAX * LEFT_SHARE || oldest === newest) break
      this.#forget(oldest)
    }
  }

  #forgetAll(): void {
    for (const key of [...this.#entries.keys()]) this.#forget(key)
  }
}

/** Flags, counts and records of a response, its ID and its question left out. */
function verdictKey(response: Uint8Array, questionEnd: number): string {
  const octets = Buffer.from(response.buffer, response.byteOffset, response.length)
  return octets.toString('latin1', FLAGS_OFFSET, HEADER_LENGTH) + octets.toString('latin1', questionEnd)
}

/** What to do when there is no truth to be had; other errors are ours. */
function unlessNoTruth<Result>(react: () => Result): (error: unknown) => Result {
  return (error) => {
    if (error instanceof NoTruthError) return react()
    throw error
  }
}
