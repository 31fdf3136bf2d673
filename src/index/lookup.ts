// Finding a name in one published version. Hot: integers in, integers out, nothing allocated.

import {
  bitCount,
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
 * @param hash  hash of the name (name.ts, `childHash`)
 * @param key   the name in folded wire form at [start, end), root octet included
 * @returns a ref for `entryBlock` and `entryName`; an entry with block 0 is an empty non-terminal (RFC 8499 §7)
 */
export function find(
  words: Int32Array,
  octets: Uint8Array,
  trie: number,
  hash: number,
  key: Uint8Array,
  start: number,
  end: number,
): number {
  let node = trie
  for (let shift = 0; shift < LIST_SHIFT; shift += LEVEL_BITS) {
    const bit = 1 << ((hash >>> shift) & 31)
    const dataMap = nodeDataMap(words, node)
    if ((dataMap & bit) !== 0) {
      const entry = nodeEntry(node, bitCount(dataMap & (bit - 1)))
      return nameEquals(words, octets, entryName(words, entry), hash, key, start, end) ? entry : 0
    }
    const nodeMap = nodeNodeMap(words, node)
    if ((nodeMap & bit) === 0) return 0
    node = words[nodeChild(node, bitCount(dataMap), bitCount(nodeMap & (bit - 1)))]
  }
  const count = listCount(words, node)
  for (let i = 0; i < count; i++) {
    const entry = nodeEntry(node, i)
    if (nameEquals(words, octets, entryName(words, entry), hash, key, start, end)) return entry
  }
  return 0
}
