// Queries whose connection is gone before they were answered. Nothing can come for them any more, but they are lost only when
// their time is over, as those are that a server says nothing to.

/** By place (which connection they were sent over), in the order of sending. */
export class Orphans {
  /** Of all places. */
  total = 0
  /** By place: intended and real time of sending, in turn, from `#heads` on. */
  readonly #times: number[][]
  readonly #heads: Int32Array

  constructor(places: number) {
    this.#times = Array.from({ length: places }, () => [])
    this.#heads = new Int32Array(places)
  }

  /** At one place. */
  count(place: number): number {
    return (this.#times[place].length - this.#heads[place]) / 2
  }

  /** @param sentMs  no earlier than that of the one before it */
  add(place: number, intendedMs: number, sentMs: number): void {
    this.#times[place].push(intendedMs, sentMs)
    this.total++
  }

  /** Takes out what was sent before that time. */
  takeBefore(place: number, beforeMs: number, taken: (intendedMs: number, sentMs: number) => void): void {
    const times = this.#times[place]
    let head = this.#heads[place]
    while (head < times.length && times[head + 1] < beforeMs) {
      taken(times[head], times[head + 1])
      head += 2
      this.total--
    }
    if (head === times.length) {
      times.length = 0
      head = 0
    }
    this.#heads[place] = head
  }
}
