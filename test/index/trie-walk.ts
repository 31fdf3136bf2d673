// Walks a published trie and checks its shape: what no look-up of single names would show.

import assert from 'node:assert/strict'
import {
  bitCount,
  entryBlock,
  entryName,
  LEVEL_BITS,
  LIST_SHIFT,
  listCount,
  nameHash,
  nodeChild,
  nodeDataMap,
  nodeEntry,
  nodeNodeMap,
} from '../../src/index/layout.ts'

export interface Walk {
  /** Block of each name, by ref. */
  readonly entries: ReadonlyMap<number, number>
  /** Way to each node below the top: slots, joined by '/'. */
  readonly nodes: ReadonlySet<string>
  /** Entries of each list of names with one hash. */
  readonly lists: readonly number[]
}

/** Shape and content of the trie below `top`. Asserts that it is the one CHAMP that its names have. */
export function walkTrie(words: Int32Array, top: number): Walk {
  const entries = new Map<number, number>()
  const nodes = new Set<string>()
  const lists: number[] = []

  const take = (entry: number, prefix: number, shift: number): void => {
    const name = entryName(words, entry)
    const mask = shift >= 32 ? -1 : (1 << shift) - 1
    assert.equal(nameHash(words, name) & mask, prefix & mask, 'a name lies where its hash leads')
    assert.ok(!entries.has(name), 'a name has one entry')
    entries.set(name, entryBlock(words, entry))
  }
  /** @returns entries below */
  const visit = (node: number, prefix: number, shift: number, way: string): number => {
    if (shift >= LIST_SHIFT) {
      const count = listCount(words, node)
      for (let i = 0; i < count; i++) take(nodeEntry(node, i), prefix, 32)
      lists.push(count)
      return count
    }
    const dataMap = nodeDataMap(words, node)
    const nodeMap = nodeNodeMap(words, node)
    assert.equal(dataMap & nodeMap, 0, 'a slot holds an entry or a child')
    let below = 0
    for (let slot = 0, data = 0, child = 0; slot < 32; slot++) {
      const bit = 1 << slot
      const nextPrefix = prefix | (slot << shift)
      if ((dataMap & bit) !== 0) {
        take(nodeEntry(node, data++), nextPrefix, shift + LEVEL_BITS)
        below++
      } else if ((nodeMap & bit) !== 0) {
        const nextWay = `${way}/${slot}`
        nodes.add(nextWay)
        const at = nodeChild(node, bitCount(dataMap), child++)
        const count = visit(words[at], nextPrefix, shift + LEVEL_BITS, nextWay)
        assert.ok(count > 1, 'a child has two names at least')
        below += count
      }
    }
    return below
  }
  visit(top, 0, 0, '')
  return { entries, nodes, lists }
}
