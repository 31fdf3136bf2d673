// Memory that the newest version does not reach, while some reader may still look at it: given back when all have moved on.

import type { Region } from './layout.ts'
import { allHavePassed } from './reader.ts'

interface Retired {
  readonly version: number
  /** ref, size, ref, size, … */
  readonly refs: Int32Array
}

export class Limbo {
  readonly #region: Region
  readonly #readerCount: number
  readonly #free: (ref: number, size: number) => void
  readonly #waiting: Retired[] = []
  /** Words that wait. */
  words = 0

  /** @param free  takes back memory that no reader can reach */
  constructor(region: Region, readerCount: number, free: (ref: number, size: number) => void) {
    this.#region = region
    this.#readerCount = readerCount
    this.#free = free
  }

  /** Takes what the publication of `version` has retired: ref, size, ref, size, … in memory of the caller's. */
  add(version: number, refs: Int32Array): void {
    for (let i = 1; i < refs.length; i += 2) this.words += refs[i]
    if (this.#waiting.length === 0 && this.#isPassed(version)) this.#release(refs)
    else this.#waiting.push({ version, refs: refs.slice() })
  }

  /** Gives back what every reader has left. */
  reclaim(): void {
    while (this.#waiting.length > 0 && this.#isPassed(this.#waiting[0].version))
      this.#release(this.#waiting.shift()!.refs)
  }

  /** All that waits, a copy. */
  content(): Int32Array {
    return Int32Array.from(this.#waiting.flatMap(({ refs }) => [...refs]))
  }

  #isPassed(version: number): boolean {
    return allHavePassed(this.#region, this.#readerCount, version)
  }

  #release(refs: Int32Array): void {
    for (let i = 0; i < refs.length; i += 2) {
      this.#free(refs[i], refs[i + 1])
      this.words -= refs[i + 1]
    }
  }
}
