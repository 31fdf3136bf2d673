// How long to wait before what failed is tried again.

const JITTER = 0.25

/** Draws a number from 0 to below 1. */
export type Draw = () => number

/** `value`, up to `part` of it more or less. */
export function jittered(value: number, part: number, draw: Draw): number {
  return value * (1 + part * (2 * draw() - 1))
}

/** Delays that double from the first to the longest, each with a quarter of jitter, until success resets them. */
export class Backoff {
  readonly #firstMs: number
  readonly #mostMs: number
  readonly #draw: Draw
  #nextMs: number

  constructor(firstMs: number, mostMs: number, draw: Draw) {
    this.#firstMs = firstMs
    this.#mostMs = mostMs
    this.#draw = draw
    this.#nextMs = firstMs
  }

  /** Milliseconds to wait now. */
  next(): number {
    const ms = this.#nextMs
    this.#nextMs = Math.min(ms * 2, this.#mostMs)
    return jittered(ms, JITTER, this.#draw)
  }

  reset(): void {
    this.#nextMs = this.#firstMs
  }
}
