// How many requests: a second, and at a time. As client-go counts: a watch is one request when it starts; the wait is in line.

/**
 * A bucket of `burst` tokens that fills with `qps` tokens a second.
 * @see k8s.io/client-go/util/flowcontrol, NewTokenBucketRateLimiter
 */
export class TokenBucket {
  readonly #perMs: number
  readonly #burst: number
  /** Below zero: so many are waiting. */
  #tokens: number
  #filledAt = performance.now()

  /** @param qps tokens a second; 0 or less: no limit. */
  constructor(qps: number, burst: number) {
    this.#perMs = qps > 0 ? qps / 1000 : Number.POSITIVE_INFINITY
    this.#burst = Math.max(1, burst)
    this.#tokens = this.#burst
  }

  /** Waits for a token. Throws the reason of a signal if that comes first; the token is then for the next one. */
  async take(...signals: readonly (AbortSignal | undefined)[]): Promise<void> {
    if (this.#perMs === Number.POSITIVE_INFINITY) return
    const now = performance.now()
    this.#tokens = Math.min(this.#burst, this.#tokens + (now - this.#filledAt) * this.#perMs)
    this.#filledAt = now
    this.#tokens--
    if (this.#tokens >= 0) return
    try {
      await delay(-this.#tokens / this.#perMs, ...signals)
    } catch (reason) {
      this.#tokens++
      throw reason
    }
  }
}

/** So many at a time; who comes first goes first. */
export class Places {
  #free: number
  readonly #waiting = new Set<() => void>()

  /** @param count 0: no limit. */
  constructor(count: number) {
    this.#free = count > 0 ? count : Number.POSITIVE_INFINITY
  }

  /** Waits for a place. Throws the signal's reason if that comes first. */
  async take(signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted()
    if (this.#free > 0) {
      this.#free--
      return
    }
    await new Promise<void>((resolve, reject) => {
      const onAbort = (): void => {
        this.#waiting.delete(enter)
        reject(signal?.reason)
      }
      const enter = (): void => {
        signal?.removeEventListener('abort', onAbort)
        resolve()
      }
      signal?.addEventListener('abort', onAbort, { once: true })
      this.#waiting.add(enter)
    })
  }

  /** Gives a place back: to whoever waits the longest. */
  leave(): void {
    const [next] = this.#waiting
    if (next === undefined) {
      this.#free++
      return
    }
    this.#waiting.delete(next)
    next()
  }
}

/** Resolves after `ms` milliseconds. Throws the reason of a signal if that comes first. */
export function delay(ms: number, ...signals: readonly (AbortSignal | undefined)[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const settle = (): void => {
      clearTimeout(timer)
      for (const signal of signals) signal?.removeEventListener('abort', onAbort)
    }
    const onAbort = (): void => {
      settle()
      reject(signals.find((signal) => signal?.aborted)?.reason)
    }
    const timer = setTimeout(() => {
      settle()
      resolve()
    }, ms)
    for (const signal of signals) signal?.addEventListener('abort', onAbort, { once: true })
    if (signals.some((signal) => signal?.aborted)) onAbort()
  })
}
