// Memory of the index region: segregated free lists over a bump pointer. Writer only; readers know nothing of it.
// Each size finds what it left. Blocks are cut, and joined, only where much of other sizes lies idle (bench/churn.ts).
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
const STEPS = 1 << STEPS_LOG2
const CLASS_COUNT = EXACT_WORDS_MAX + (31 << STEPS_LOG2) + 1
const SLACK_SHARE = 8 // an eighth of what is reserved may lie idle before blocks are cut
const JOIN_SHARE = 8 // joining is worth its time again when an eighth of what is free is new
const POISON = 0xdeadbeef | 0
/** Words of one part of the region, as far as changes are followed. */
export const PART_WORDS_LOG2 = 10 // 4 KiB

/** Words that are really taken for a request of `size` words. */
export function allocatedWords(size: number): number {
  if (size <= EXACT_WORDS_MAX) return size
  const step = 1 << (31 - Math.clz32(size - 1) - STEPS_LOG2)
  return Math.ceil(size / step) * step
}

/** The most words, `words` at most, that are taken for some request. */
function wholeClassWords(words: number): number {
  if (words <= EXACT_WORDS_MAX) return words
  const step = 1 << (31 - Math.clz32(words) - STEPS_LOG2)
  return Math.max(EXACT_WORDS_MAX, words - (words % step))
}

/** Classes are in order of size. */
function classOf(size: number): number {
  if (size <= EXACT_WORDS_MAX) return size
  const exponent = 31 - Math.clz32(size - 1)
  const steps = Math.ceil(size / (1 << (exponent - STEPS_LOG2))) // STEPS + 1 .. 2 * STEPS
  return EXACT_WORDS_MAX + (exponent << STEPS_LOG2) + steps - STEPS
}

/** Words of a block of a class: what allocatedWords() gives for the sizes of that class. */
function classWords(sizeClass: number): number {
  if (sizeClass <= EXACT_WORDS_MAX) return sizeClass
  const beyond = sizeClass - EXACT_WORDS_MAX - 1
  return (STEPS + 1 + (beyond & (STEPS - 1))) << ((beyond >> STEPS_LOG2) - STEPS_LOG2)
}

/** What an Allocator knows beside the region's own content. */
export interface SavedAllocator {
  readonly next: number
  readonly liveWords: number
  readonly freedWords: number
  /** First free block of each class. */
  readonly freeHead: Int32Array
}

export class Allocator {
  /** A flag for each part of the region: not 0 if something in it was taken or given back since the flag was cleared. */
  readonly changedParts: Uint8Array
  readonly #words: Int32Array
  readonly #freeHead = new Int32Array(CLASS_COUNT)
  readonly #poison: boolean
  #next = FIRST_FREE
  #liveWords = 0
  /** Given back since blocks were joined. */
  #freedWords = 0

  /** With `poison`, freed memory is overwritten at once (stress tests: a reader that still looks at it is caught). */
  constructor(region: Region, poison = false) {
    this.#words = region.words
    this.#poison = poison
    this.changedParts = new Uint8Array((region.words.length >> PART_WORDS_LOG2) + 1)
  }

  /** A copy, to restore() in an allocator of a region with the same content. */
  save(): SavedAllocator {
    return {
      next: this.#next,
      liveWords: this.#liveWords,
      freedWords: this.#freedWords,
      freeHead: this.#freeHead.slice(),
    }
  }

  restore({ next, liveWords, freedWords, freeHead }: SavedAllocator): void {
    this.#next = next
    this.#liveWords = liveWords
    this.#freedWords = freedWords
    this.#freeHead.set(freeHead)
  }

  /** Flags the parts that the `size` words from `ref` on lie in: something in them changes. */
  mark(ref: number, size: number): void {
    const last = (ref + size - 1) >> PART_WORDS_LOG2
    for (let part = ref >> PART_WORDS_LOG2; part <= last; part++) this.changedParts[part] = 1
  }

  /** Words in use. */
  get liveWords(): number {
    return this.#liveWords
  }

  /** Words not in use, in blocks of whatever size. */
  get roomWords(): number {
    return this.#words.length - FIRST_FREE - this.#liveWords
  }

  /** Words taken from the region, in use or free again: what the process holds of it. */
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
      const reserved = this.#next - FIRST_FREE
      const isTight = (reserved - this.#liveWords) * SLACK_SHARE <= reserved
      ref = (isTight && this.#bump(taken)) || this.#cutOrJoin(sizeClass, taken) || this.#bump(taken)
      if (ref === 0) return 0
    }
    this.#liveWords += taken
    this.mark(ref, taken)
    return ref
  }

  #cutOrJoin(sizeClass: number, taken: number): number {
    const ref = this.#cut(sizeClass, taken)
    const freeWords = this.#next - FIRST_FREE - this.#liveWords
    if (ref !== 0 || this.#freedWords * JOIN_SHARE < freeWords) return ref
    this.#join()
    return this.#cut(sizeClass - 1, taken)
  }

  #bump(taken: number): number {
    const ref = this.#next
    if (ref + taken > this.#words.length) return 0
    this.#next += taken
    return ref
  }

  /** `taken` words of the smallest free block of a class above `sizeClass`; 0 if there is none. */
  #cut(sizeClass: number, taken: number): number {
    for (let larger = sizeClass + 1; larger < CLASS_COUNT; larger++) {
      const ref = this.#freeHead[larger]
      if (ref === 0) continue
      this.#freeHead[larger] = this.#words[ref]
      this.#putBackPieces(ref + taken, classWords(larger) - taken)
      return ref
    }
    return 0
  }

  /** Makes one of all free blocks that lie side by side. Takes time in proportion to their number. */
  #join(): void {
    const words = this.#words
    const blocks: number[] = []
    for (let sizeClass = 1; sizeClass < CLASS_COUNT; sizeClass++) {
      for (let ref = this.#freeHead[sizeClass]; ref !== 0; ref = words[ref]) blocks.push(ref * CLASS_COUNT + sizeClass)
    }
    this.#freeHead.fill(0)
    this.#freedWords = 0
    const inOrder = Float64Array.from(blocks).sort()
    let start = 0
    let end = 0
    for (const block of inOrder) {
      const ref = Math.floor(block / CLASS_COUNT)
      if (ref !== end) {
        this.#putBackPieces(start, end - start)
        start = ref
      }
      end = ref + classWords(block % CLASS_COUNT)
    }
    if (end === this.#next) this.#next = start
    else this.#putBackPieces(start, end - start)
  }

  #putBackPieces(ref: number, size: number): void {
    for (let at = ref, left = size; left > 0; ) {
      const piece = wholeClassWords(left)
      this.#putBack(at, classOf(piece))
      at += piece
      left -= piece
    }
  }

  #putBack(ref: number, sizeClass: number): void {
    this.#words[ref] = this.#freeHead[sizeClass]
    this.#freeHead[sizeClass] = ref
    this.changedParts[ref >> PART_WORDS_LOG2] = 1
  }

  /** Gives back what `allocate(size)` returned. */
  free(ref: number, size: number): void {
    const taken = allocatedWords(size)
    if (this.#poison) {
      this.#words.fill(POISON, ref, ref + taken)
      this.mark(ref, taken)
    }
    this.#putBack(ref, classOf(size))
    this.#liveWords -= taken
    this.#freedWords += taken
  }
}
