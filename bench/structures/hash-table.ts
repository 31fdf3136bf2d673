// An open-addressing hash table over the keys of src/index: one slot and one name are all that a lookup touches. It is the
// floor for what a lookup can cost, and no candidate: a version of it is a copy of the whole table.
//
// Slot: +0 hash   +1 zone << 16 | length of the key   +2 name, 0 = free   +3 block
// Name: +0 uses by records   +1 zone << 16 | length   +2 key, zeros behind

import { Query, readKey } from '../../src/dns/question.ts'
import { Allocator } from '../../src/index/allocator.ts'
import type { Region } from '../../src/index/layout.ts'
import { blockOfValue, keyOfLabels, type Structure } from './structure.ts'

const SLOT_WORDS = 4
const NAME_KEY = 2
const FILL_MAX = 0.6

export class HashTable implements Structure {
  private readonly words: Int32Array
  private readonly allocator: Allocator
  private readonly key = new Query()
  /** First word of the slots, and their count less one. */
  private readonly slots: number
  private readonly mask: number
  private readonly blockWords: number
  private count = 0

  /** For at most `countMax` names: it does not grow. */
  constructor(region: Region, countMax: number) {
    this.words = region.words
    this.allocator = new Allocator(region)
    const slotCount = 1 << Math.ceil(Math.log2(countMax / FILL_MAX))
    this.mask = slotCount - 1
    this.slots = this.allocator.allocate(slotCount * SLOT_WORDS)
    this.blockWords = blockOfValue(0).size
  }

  set(labels: readonly string[], value: number): void {
    const { words, key, allocator } = this
    keyOfLabels(key, labels)
    const slot = this.slotOf(key)
    const block = allocator.allocate(this.blockWords)
    blockOfValue(value).write(words, block)
    if (words[slot + 2] !== 0) {
      allocator.free(words[slot + 3], this.blockWords)
      words[slot + 3] = block
      return
    }
    const keyCount = ((key.meta & 0xffff) + 3) >> 2
    const name = allocator.allocate(NAME_KEY + keyCount)
    words[name] = 1
    words[name + 1] = key.meta
    for (let i = 0; i < keyCount; i++) words[name + NAME_KEY + i] = key.keyWords[i]
    words[slot] = key.hash
    words[slot + 1] = key.meta
    words[slot + 2] = name
    words[slot + 3] = block
    this.count++
  }

  publish(): void {}

  find(query: Query, words: Int32Array, word: number, length: number): number {
    readKey(query, words, word, 0, length)
    return this.words[this.slotOf(query) + 3]
  }

  /** The slot with the key of `query`, or the free one where it would go. */
  private slotOf(query: Query): number {
    const { words, slots, mask } = this
    const { hash, meta, keyWords } = query
    for (let i = hash & mask; ; i = (i + 1) & mask) {
      const slot = slots + i * SLOT_WORDS
      const name = words[slot + 2]
      if (name === 0) return slot
      if (words[slot] !== hash || words[slot + 1] !== meta) continue
      const count = ((meta & 0xffff) + 3) >> 2
      let equal = 0
      while (equal < count && words[name + NAME_KEY + equal] === keyWords[equal]) equal++
      if (equal === count) return slot
    }
  }

  get indexBytes(): number {
    return 4 * (this.allocator.liveWords - this.count * this.blockWords)
  }
}
