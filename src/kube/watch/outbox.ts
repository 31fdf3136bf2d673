// What leaves the feed thread, in order. Lists wait for the main thread, so that they do not pile up before it; all else goes at
// once.

import type { FeedMessage, ListItems } from './messages.ts'

/** Messages of list items that the main thread has not acknowledged, at most. */
const UNACKNOWLEDGED_MAX = 8

interface Waiter {
  readonly go: () => void
}

export class Outbox {
  readonly #send: (message: FeedMessage) => void
  readonly #waiters: Waiter[] = []
  #credits = UNACKNOWLEDGED_MAX

  constructor(send: (message: FeedMessage) => void) {
    this.#send = send
  }

  post(message: Exclude<FeedMessage, ListItems>): void {
    this.#send(message)
  }

  log(line: string): void {
    this.#send({ type: 'log', line })
  }

  /**
   * Sends a part of a list as soon as the main thread keeps up.
   *
   * @throws the reason of `signal` if it is aborted first; nothing is sent then
   */
  async postItems(message: ListItems, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    if (this.#credits > 0) this.#credits--
    else await this.#credit(signal)
    this.#send(message)
  }

  /** The main thread has worked off one message of list items. */
  acknowledge(): void {
    const waiter = this.#waiters.shift()
    if (waiter !== undefined) waiter.go()
    else if (this.#credits < UNACKNOWLEDGED_MAX) this.#credits++
  }

  #credit(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const aborted = (): void => {
        this.#waiters.splice(this.#waiters.indexOf(waiter), 1)
        reject(signal.reason)
      }
      const waiter: Waiter = {
        go() {
          signal.removeEventListener('abort', aborted)
          resolve()
        },
      }
      this.#waiters.push(waiter)
      signal.addEventListener('abort', aborted, { once: true })
    })
  }
}
