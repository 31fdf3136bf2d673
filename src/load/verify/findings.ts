// Wrong answers, alike ones together, and what has come of asking again.

import type { WrongAnswer } from '../outcome.ts'
import { answerLines, questionText } from './answer-text.ts'

/** Is the difference there to stay? */
export type FindingState = 'open' | 'wrong' | 'gone'

/** A wrong answer to a question; others that say the same are counted here too. */
export interface Finding {
  /** Empty: those that there was no more room for. */
  readonly query: Uint8Array
  readonly got: Uint8Array
  expected: Uint8Array
  /** What differs, in words. */
  text: string
  /** How it was asked again, if there is something to say of that; '' otherwise. */
  remark: string
  state: FindingState
  /** Answers that are not yet counted elsewhere. */
  times: number
  /** How often it was gone when it was asked again. */
  goneCount: number
  /** When it was found, as performance.now() has it. */
  foundMs: number
}

/** Findings that are kept one by one. */
const FINDINGS_MAX = 1000
/** Wrong answers that are reported. */
const REPORTED_MAX = 100
const NOTHING = new Uint8Array(0)

export class Findings {
  readonly #findings = new Map<string, Finding>()
  /** There is no room to keep them apart, nor to ask for them again. */
  readonly #rest: Finding = newFinding(NOTHING, NOTHING, NOTHING, '')
  #passing = 0

  constructor() {
    this.#rest.state = 'wrong'
  }

  /** Answers that were different, and are no more. */
  get passing(): number {
    return this.#passing
  }

  /** Answers that are wrong; those that are still to be asked for again are not among them. */
  get wrong(): number {
    let wrong = this.#rest.times
    for (const { state, times } of this.#findings.values()) if (state === 'wrong') wrong += times
    return wrong
  }

  /** Finds its like, or begins a finding, with no answer counted. Copies what it keeps. @param identity  equal for answers that are wrong alike */
  find(identity: string, query: Uint8Array, got: Uint8Array, expected: Uint8Array, text: string): Finding {
    const known = this.#findings.get(identity)
    if (known !== undefined) return known
    if (this.#findings.size >= FINDINGS_MAX && !this.#forgetOneGone()) return this.#rest
    const finding = newFinding(new Uint8Array(query), new Uint8Array(got), expected, text)
    this.#findings.set(identity, finding)
    return finding
  }

  /** The difference was not there any more: what was counted so far was passing. */
  pass(finding: Finding): void {
    this.#passing += finding.times
    finding.times = 0
    finding.state = 'gone'
    finding.goneCount++
  }

  /** The most frequent first; what is still open is taken as wrong. */
  report(server: string, truth: string): WrongAnswer[] {
    return [...this.#findings.values()]
      .filter(({ state, times }) => state !== 'gone' && times > 0)
      .sort((one, other) => other.times - one.times)
      .slice(0, REPORTED_MAX)
      .map(({ query, got, expected, text, remark, times }) => ({
        question: questionText(query),
        server,
        truth,
        got: answerLines(got),
        expected: answerLines(expected),
        difference: remark === '' ? text : `${text} (${remark})`,
        times,
      }))
  }

  #forgetOneGone(): boolean {
    for (const [identity, { state }] of this.#findings) {
      if (state === 'gone') return this.#findings.delete(identity)
    }
    return false
  }
}

function newFinding(query: Uint8Array, got: Uint8Array, expected: Uint8Array, text: string): Finding {
  return {
    query,
    got,
    expected,
    text,
    remark: '',
    state: 'open',
    times: 0,
    goneCount: 0,
    foundMs: performance.now(),
  }
}
