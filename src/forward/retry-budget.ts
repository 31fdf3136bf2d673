// How much more may be asked than clients ask: a bucket of tokens that each query fills a little. A dead upstream is then not hit by a storm of
// retransmissions at the moment it comes back, and clients are told sooner.

/** Of the queries' number, what may be asked again. */
const SHARE = 0.2
/** Asked again at once after a quiet time. */
const RESERVE = 100

export class RetryBudget {
  #tokens = RESERVE

  /** A query has come. */
  earn(): void {
    if (this.#tokens < RESERVE) this.#tokens = Math.min(RESERVE, this.#tokens + SHARE)
  }

  /** @returns whether something may be asked once more; it is paid then */
  spend(): boolean {
    if (this.#tokens < 1) return false
    this.#tokens--
    return true
  }
}
