// What the index could be made of: one contract for every structure that is measured against the one of src/index.
// All of them keep names and blocks in one SharedArrayBuffer of words, from the same allocator, and make the same blocks.

import { type Query, sealKey } from '../../src/dns/question.ts'
import { BlockBuilder } from '../../src/index/block.ts'
import type { Region } from '../../src/index/layout.ts'

/** Names with a block each. Single reader, single writer, one thread. */
export interface Structure {
  /** Gives the name `labels` a block with one A record whose address is `value`; the name is made if it is missing. */
  set(labels: readonly string[], value: number): void
  /** Makes everything set since the last call visible, where that is a step of its own. */
  publish(): void
  /**
   * Looks up what stands in words[word..], `length` octets of wire form without the root octet, in any case.
   * The key is made on the way, in whatever form the structure wants it.
   * @param query  labelStart and labelCount are those of the name; anything else may be overwritten
   * @returns the name's block, 0 if there is no such name
   */
  find(query: Query, words: Int32Array, word: number, length: number): number
  /** The same for queries[0, count), name i at word i * stride, all under way together; blocks in `found`. */
  findAll?(queries: readonly Query[], words: Int32Array, stride: number, count: number, found: Int32Array): void
  /** Octets that names and nodes take, blocks apart. */
  readonly indexBytes: number
}

/** The key of `labels` in `query`, with its labelStart. */
export function keyOfLabels(query: Query, labels: readonly string[]): void {
  let at = 0
  for (let i = 0; i < labels.length; i++) {
    query.labelStart[i] = at
    query.key[at++] = labels[i].length
    for (let c = 0; c < labels[i].length; c++) query.key[at++] = labels[i].charCodeAt(c)
  }
  query.labelStart[labels.length] = at
  query.labelCount = labels.length
  sealKey(query, 0, at)
}

const builder = new BlockBuilder()
const octets = new Uint8Array(4)
const TYPE_A = 1
const TTL = 5

/** A block of one A record with the address `value`. Always the same builder: valid until the next call. */
export function blockOfValue(value: number): BlockBuilder {
  octets[0] = value >>> 24
  octets[1] = value >>> 16
  octets[2] = value >>> 8
  octets[3] = value
  builder.begin(0)
  builder.beginAddresses(TYPE_A)
  builder.pushAddress(TYPE_A, TTL, octets, 0, 4)
  builder.end()
  return builder
}

/** The `value` of a block that blockOfValue() made: its last four octets. */
export function valueOfBlock(region: Region, block: number): number {
  const at = (block + blockOfValue(0).size - 1) << 2
  const { octets } = region
  return ((octets[at] << 24) | (octets[at + 1] << 16) | (octets[at + 2] << 8) | octets[at + 3]) >>> 0
}
