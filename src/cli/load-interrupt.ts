// The signals that end `peregrine load`. The first ends the load early, and what was measured is told; a second ends the process.

/** A second interrupt, or one before there is anything to tell. */
export const INTERRUPTED = 2
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

export class Interrupts {
  /** Load is going on: the first signal ends that alone. */
  isUnderWay = false
  readonly #abort = new AbortController()
  readonly #listener = (): void => this.#signalled()
  readonly #quit: (code: number) => void

  /** @param quit  ends the process at once */
  constructor(quit: (code: number) => void) {
    this.#quit = quit
    for (const signal of SIGNALS) process.on(signal, this.#listener)
  }

  /** Aborted by the first signal. */
  get signal(): AbortSignal {
    return this.#abort.signal
  }

  /** Signals do what they do to every process. */
  close(): void {
    for (const signal of SIGNALS) process.off(signal, this.#listener)
  }

  #signalled(): void {
    if (!this.isUnderWay || this.#abort.signal.aborted) this.#quit(INTERRUPTED)
    this.#abort.abort()
  }
}
