// Memory of the index region: segregated free lists over a bump pointer. Writer only; readers know nothing of it.
// Not here: when memory may be reused (writer.ts frees only what every reader has left).

import { FIRST_FREE, type Region } from './layout.ts'

/** The region has no room for what should be published. The last published version is untouched. */
export class RegionFullError extends Error {
  readonly code = 'INDEX_FULL'
  constructor(capacityWords: number) {
    super(`the index is full at its limit of ${Math.round(capacityWords / 2 ** 18)} MiB: raise it with --index-mb`)
  }
}

const EXACT_WORDS_MAX = 72 // a size class for every size up to here: the largest trie node is 3 + 2 * 32 + 1 words
const STEPS_LOG2 = 3 // above, 8 classes to each doubling: at most 12.5 % lost
const POISON = 0xdeadbeef | 0

/** Words that are really taken for a request of `size` words. */
export function allocatedWords(size: number): number {
  if (size <= EXACT_WORDS_MAX) return size
  const step = 1 << (31 - Math.clz32(size - 1) - STEPS_LOG2)
  return Math.ceil(size / step) * step
}

function classOf(size: number): number {
  if (size <= EXACT_WORDS_MAX) return size
  const exponent = 31 - Math.clz32(size - 1)
  return EXACT_WORDS_MAX + (exponent << STEPS_LOG2) + (Math.ceil(size / (1 << (exponent - STEPS_LOG2))) & 7)
}

export class Allocator {
  readonly #words: Int32Array
  readonly #freeHead = new Int32Array(EXACT_WORDS_MAX + (32 << STEPS_LOG2) + 8)
  readonly #poison: boolean
  #next = FIRST_FREE
  #liveWords = 0

  /** With `poison`, freed memory is overwritten at once (stress tests: a reader that still looks at it is caught). */
  constructor(region: Region, poison = false) {
    this.#words = region.words
    this.#poison = poison
  }

  /** Words in use. */
  get liveWords(): number {
    return this.#liveWords
  }

  /** Words ever taken from the region: what the process holds of it. */
  get reservedWords(): number {
    return this.#next
  }

  /**
   * Takes `size` words (1 or more); their content is undefined.
   * @returns 0 if there is no room
   */
  allocate(size: number): number {
    const sizeClass = classOf(size)
    const taken = allocatedWords(size)
    let ref = this.#freeHead[sizeClass]
    if (ref !== 0) this.#freeHead[sizeClass] = this.#words[ref]
    else {
      ref = this.#next
      if (ref + taken > this.#words.length) return 0
      this.#next += taken
    }
    this.#liveWords += taken
    return ref
  }

  /** Gives back what `allocate(size)` returned. */
  free(ref: number, size: number): void {
    const sizeClass = classOf(size)
    const taken = allocatedWords(size)
    if (this.#poison) this.#words.fill(POISON, ref, ref + taken)
    this.#words[ref] = this.#freeHead[sizeClass]
    this.#freeHead[sizeClass] = ref
    this.#liveWords -= taken
  }
}
