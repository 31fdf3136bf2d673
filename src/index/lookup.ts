// Finding a name in one published version. Hot: integers in, integers out, nothing allocated.

import type { Query } from '../dns/question.ts'
import {
  bitCount,
  entryBlock,
  entryName,
  LEVEL_BITS,
  LIST_SHIFT,
  listCount,
  nameEquals,
  nodeChild,
  nodeDataMap,
  nodeEntry,
  nodeNodeMap,
} from './layout.ts'

/**
 * The entry of a name, or 0 if the name does not exist.
 *
 * @param trie  topmost node (`rootTrie`)
 * @param key   the name's key (key.ts), with its hash and its zone and length
 * @returns a ref for `entryBlock` and `entryName`; an entry with block 0 is an empty non-terminal (RFC 8499 §7)
 */
export function find(words: Int32Array, trie: number, hash: number, meta: number, key: Int32Array): number {
  let node = trie
  for (let shift = 0; shift < LIST_SHIFT; shift += LEVEL_BITS) {
    const bit = 1 << ((hash >>> shift) & 31)
    const dataMap = nodeDataMap(words, node)
    if ((dataMap & bit) !== 0) {
      const entry = nodeEntry(node, bitCount(dataMap & (bit - 1)))
      return nameEquals(words, entryName(words, entry), meta, key) ? entry : 0
    }
    const nodeMap = nodeNodeMap(words, node)
    if ((nodeMap & bit) === 0) return 0
    node = words[nodeChild(node, bitCount(dataMap), bitCount(nodeMap & (bit - 1)))]
  }
  const count = listCount(words, node)
  for (let i = 0; i < count; i++) {
    const entry = nodeEntry(node, i)
    if (nameEquals(words, entryName(words, entry), meta, key)) return entry
  }
  return 0
}

/** Most names that findAll() takes. */
export const FIND_ALL_MAX = 64

const nodes = new Int32Array(FIND_ALL_MAX)

/**
 * Sets `entry` of queries[0, count), whose keys have been read, to what find() would return.
 *
 * All names go down the trie side by side, one level at a time. In an index that is larger than the processor's caches each
 * level of each name is a miss; like this the misses of a whole batch are under way together instead of one after another.
 *
 * @param count  at most FIND_ALL_MAX
 * @param stage  queries whose `stage` is another, or whose `zone` is negative, are passed over
 * @returns a number without meaning, so that no reading ahead can be optimized away
 */
export function findAll(words: Int32Array, trie: number, queries: readonly Query[], count: number, stage = -1): number {
  let left = 0
  for (let i = 0; i < count; i++) {
    nodes[i] = 0
    if (queries[i].stage !== stage) continue
    queries[i].entry = 0
    if (queries[i].zone < 0) continue
    nodes[i] = trie
    left++
  }
  for (let shift = 0; left > 0 && shift < LIST_SHIFT; shift += LEVEL_BITS) {
    for (let i = 0; i < count; i++) {
      const node = nodes[i]
      if (node === 0) continue
      const bit = 1 << ((queries[i].hash >>> shift) & 31)
      const dataMap = nodeDataMap(words, node)
      const nodeMap = nodeNodeMap(words, node)
      if ((nodeMap & bit) !== 0) {
        nodes[i] = words[nodeChild(node, bitCount(dataMap), bitCount(nodeMap & (bit - 1)))]
        continue
      }
      if ((dataMap & bit) !== 0) queries[i].entry = nodeEntry(node, bitCount(dataMap & (bit - 1)))
      nodes[i] = 0
      left--
    }
  }
  let touched = 0
  for (let i = 0; i < count; i++) {
    if (queries[i].stage !== stage) continue
    const { entry } = queries[i]
    if (entry !== 0) touched ^= words[entryName(words, entry)] ^ words[entryBlock(words, entry)]
  }
  for (let i = 0; i < count; i++) {
    const query = queries[i]
    if (query.stage !== stage) continue
    const { entry, hash, meta, keyWords } = query
    if (nodes[i] !== 0) query.entry = find(words, trie, hash, meta, keyWords)
    else if (entry !== 0 && !nameEquals(words, entryName(words, entry), meta, keyWords)) query.entry = 0
  }
  return touched
}
