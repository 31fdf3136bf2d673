// The structure of src/index behind the contract of this folder: a persistent hash trie over keys of words.

import { type Query, readKey } from '../../src/dns/question.ts'
import { entryBlock, type Region, rootTrie } from '../../src/index/layout.ts'
import { find, findAll } from '../../src/index/lookup.ts'
import { holdNewest, holdNothing } from '../../src/index/reader.ts'
import { IndexWriter } from '../../src/index/writer.ts'
import { blockOfValue, type Structure } from './structure.ts'

export class Champ implements Structure {
  private readonly writer: IndexWriter
  private readonly region: Region
  private readonly words: Int32Array
  private readonly apex: number
  private trie = 0
  private blockWords = 0
  /** Never read: keeps findAll()'s reading ahead alive. */
  touched = 0

  constructor(region: Region) {
    this.region = region
    this.words = region.words
    this.writer = new IndexWriter(region, { readerCount: 1 })
    this.apex = this.writer.addZone()
    this.publish()
  }

  set(labels: readonly string[], value: number): void {
    let name = this.apex
    for (let i = labels.length - 1; i >= 0; i--) name = this.writer.child(name, labels[i])
    const block = blockOfValue(value)
    if (this.writer.blockOf(name) === 0) this.blockWords += block.size
    this.writer.setBlock(name, block)
  }

  publish(): void {
    holdNothing(this.region, 0)
    this.writer.publish(1)
    this.trie = rootTrie(this.words, holdNewest(this.region, 0))
  }

  find(query: Query, words: Int32Array, word: number, length: number): number {
    readKey(query, words, word, 0, length)
    const entry = find(this.words, this.trie, query.hash, query.meta, query.keyWords)
    return entry === 0 ? 0 : entryBlock(this.words, entry)
  }

  findAll(queries: readonly Query[], words: Int32Array, stride: number, count: number, found: Int32Array): void {
    for (let i = 0; i < count; i++) {
      const query = queries[i]
      query.zone = 0
      readKey(query, words, i * stride, 0, query.nameLength - 1)
    }
    this.touched = findAll(this.words, this.trie, queries, count)
    for (let i = 0; i < count; i++) {
      const { entry } = queries[i]
      found[i] = entry === 0 ? 0 : entryBlock(this.words, entry)
    }
  }

  get indexBytes(): number {
    const { liveBytes } = this.writer.stats
    return liveBytes - this.blockWords * 4
  }
}
