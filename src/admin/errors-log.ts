// `errors`: a line for each error that a plugin returned, or one for many alike.

import type { ConsolidateRule } from '../config/configuration.ts'
import { compileRegexp, type Regexp } from '../config/regexp.ts'
import { durationText, type Logger } from './logger.ts'

const PLUGIN = 'errors'

/** One error. */
export interface ReportedError {
  readonly rcode: number
  /** Presentation format, lower case, with a final dot. */
  readonly name: string
  /** Mnemonic. */
  readonly type: string
  /** What the plugin said. */
  readonly text: string
}

/** The errors of one block. */
export class ErrorsLog {
  readonly #logger: Logger
  readonly #groups: readonly Group[]

  /** @throws RegexpError */
  constructor(rules: readonly ConsolidateRule[], logger: Logger) {
    this.#logger = logger
    this.#groups = rules.map((rule) => new Group(rule, logger))
  }

  /** Logs it, or counts it where a rule says so: the first that matches the text. */
  report({ rcode, name, type, text }: ReportedError): void {
    const line = `${rcode} ${name} ${type}: ${text}`
    const group = this.#groups.find((each) => each.takes(text))
    if (group === undefined) this.#logger.error(PLUGIN, line)
    else group.count(line)
  }

  /** Writes what is pending. What comes afterwards is counted as before. */
  flush(): void {
    for (const group of this.#groups) group.flush()
  }
}

/** Errors that one rule counts. A period begins with the first of them. */
class Group {
  readonly #rule: ConsolidateRule
  readonly #regexp: Regexp
  readonly #logger: Logger
  #count = 0
  #timer: NodeJS.Timeout | undefined

  constructor(rule: ConsolidateRule, logger: Logger) {
    this.#rule = rule
    this.#regexp = compileRegexp(rule.pattern)
    this.#logger = logger
  }

  takes(text: string): boolean {
    return this.#regexp.test(text)
  }

  count(line: string): void {
    if (this.#count++ > 0) return
    if (this.#rule.showFirst) this.#logger.log(this.#rule.level, PLUGIN, line)
    this.#timer = setTimeout(() => this.flush(), Math.min(this.#rule.periodMs, TIMER_MAX_MS))
    this.#timer.unref()
  }

  flush(): void {
    clearTimeout(this.#timer)
    const count = this.#count
    this.#count = 0
    if (count < (this.#rule.showFirst ? 2 : 1)) return
    const { pattern, periodMs, level } = this.#rule
    this.#logger.log(level, PLUGIN, `${count} errors like '${pattern}' occurred in last ${durationText(periodMs)}`)
  }
}

/** The longest that a timer can wait, about 24 days. */
const TIMER_MAX_MS = 2 ** 31 - 1
