// What the main thread is told about how one resource is followed: alive or failing.

import type { Resource } from './messages.ts'
import type { Outbox } from './outbox.ts'

/** From one `alive` to the next, at least. */
const APART_MS = 1000

/** A connection that was heard from so short a time ago is as good as now: HTTP/2 pings a silent one every three seconds. */
const HEARD_MS = 5000

export class Pulse {
  readonly #resource: Resource
  readonly #outbox: Outbox
  readonly #heardAt: () => number
  #reason = ''
  #aliveAt = Number.NEGATIVE_INFINITY
  #timer: NodeJS.Timeout | undefined

  /** @param heardAt  when the connection last gave a sign of life, on the clock of performance.now() */
  constructor(resource: Resource, outbox: Outbox, heardAt: () => number) {
    this.#resource = resource
    this.#outbox = outbox
    this.#heardAt = heardAt
  }

  /** Whether the last word was `failing`. */
  get failing(): boolean {
    return this.#reason !== ''
  }

  /** The server said something, or has said all. */
  alive(): void {
    const now = performance.now()
    if (!this.failing && now - this.#aliveAt < APART_MS) return
    this.#reason = ''
    this.#aliveAt = now
    this.#outbox.post({ type: 'alive', resource: this.#resource })
  }

  /** A watch is open: as long as it is, silence says that nothing changes, if the connection shows that it is there. */
  opened(): void {
    this.closed()
    this.alive()
    this.#timer = setInterval(() => {
      if (performance.now() - this.#heardAt() < HEARD_MS) this.alive()
    }, APART_MS)
    this.#timer.unref()
  }

  /** The watch has ended. */
  closed(): void {
    clearInterval(this.#timer)
  }

  fail(reason: string): void {
    if (reason === this.#reason) return
    this.#reason = reason
    this.#outbox.post({ type: 'failing', resource: this.#resource, reason })
  }
}
