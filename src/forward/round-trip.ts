// How long an upstream takes to answer, and so when a query of UDP is sent again. RFC 6298 §2, with a bound below that resolvers which ask others
// need: an answer that is not in their cache takes them longer.

const RESEND_MIN_MS = 250
const RESEND_MAX_MS = 2000

export class RoundTrip {
  #smoothedMs = 0
  #variationMs = 0

  /** An answer to a query that was sent once only (Karn's rule). */
  sample(ms: number): void {
    if (this.#smoothedMs === 0) {
      this.#smoothedMs = ms
      this.#variationMs = ms / 2
      return
    }
    this.#variationMs += (Math.abs(ms - this.#smoothedMs) - this.#variationMs) / 4
    this.#smoothedMs += (ms - this.#smoothedMs) / 8
  }

  /** After how long a query is sent again. */
  get resendMs(): number {
    return Math.min(Math.max(RESEND_MIN_MS, this.#smoothedMs + 4 * this.#variationMs), RESEND_MAX_MS)
  }
}
