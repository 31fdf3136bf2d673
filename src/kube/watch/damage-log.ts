// Log lines about damaged objects and events: one each, but no more than so many a minute; the rest are counted.

const LINES_MAX = 10
const MINUTE_MS = 60_000

/** Lines of one minute; those beyond the tenth become one line with their number, at the first line of a later minute. */
export class DamageLog {
  readonly #log: (line: string) => void
  readonly #now: () => number
  #minuteMs = Number.NEGATIVE_INFINITY
  #count = 0

  /** @param now  milliseconds of a clock that does not go back */
  constructor(log: (line: string) => void, now: () => number = () => performance.now()) {
    this.#log = log
    this.#now = now
  }

  add(line: string): void {
    if (this.#now() - this.#minuteMs >= MINUTE_MS) this.#turn()
    this.#count++
    if (this.#count <= LINES_MAX) this.#log(line)
    else if (this.#count === LINES_MAX + 1) this.#log('more damaged objects follow; they are counted for a minute')
  }

  #turn(): void {
    if (this.#count > LINES_MAX) this.#log(`${this.#count - LINES_MAX} more damaged objects were not named`)
    this.#minuteMs = this.#now()
    this.#count = 0
  }
}
