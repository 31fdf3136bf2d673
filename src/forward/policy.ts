// The order in which a query is to try the upstreams. Corefile reference 5.6, `policy`.

import { randomBelow } from './random-octets.ts'

/** Says the order for each query. */
export interface Policy<T> {
  /** All of them, first the one to ask first. The array is the caller's, not to be changed. */
  order(): readonly T[]
}

/** @param all  at least one */
export function policyOf<T>(name: 'random' | 'round_robin' | 'sequential', all: readonly T[]): Policy<T> {
  if (name === 'sequential' || all.length === 1) return { order: () => all }
  return name === 'random' ? { order: () => shuffled(all) } : new RoundRobin(all)
}

function shuffled<T>(all: readonly T[]): T[] {
  const order = [...all]
  for (let i = order.length - 1; i > 0; i--) {
    const j = randomBelow(i + 1)
    const moved = order[i]
    order[i] = order[j]
    order[j] = moved
  }
  return order
}

class RoundRobin<T> implements Policy<T> {
  readonly #rotations: readonly (readonly T[])[]
  #next = 0

  constructor(all: readonly T[]) {
    this.#rotations = all.map((_, first) => [...all.slice(first), ...all.slice(0, first)])
  }

  order(): readonly T[] {
    const order = this.#rotations[this.#next]
    this.#next = (this.#next + 1) % this.#rotations.length
    return order
  }
}
