// Changes to the trie of names: copy-on-write paths. Writer only.
// A node whose stamp is the running transaction's has never been published and is changed in place; any other is copied, and
// the old one retired. CHAMP as of Steindorfer and Vinju, "Optimizing Hash-Array Mapped Tries", OOPSLA 2015.

import {
  bitCount,
  entryName,
  LEVEL_BITS,
  LIST_SHIFT,
  listCount,
  NODE_HEADER_WORDS,
  nameHash,
  nodeChild,
  nodeDataMap,
  nodeEntry,
  nodeNodeMap,
  nodeStamp,
  writeEntry,
  writeNodeHeader,
} from './layout.ts'

/** What the trie asks of its owner: memory, and a place for what is no longer reached from the new version. */
export interface Memory {
  allocate(size: number): number
  /** Memory that no published version reaches. */
  free(ref: number, size: number): void
  /** Memory that a published version may still reach. */
  retire(ref: number, size: number): void
}

export class Trie {
  readonly #words: Int32Array
  readonly #memory: Memory
  #stamp = 0
  /** Topmost node of the version in the making. */
  top = 0

  constructor(words: Int32Array, memory: Memory) {
    this.#words = words
    this.#memory = memory
  }

  /** Begins a transaction: nodes made before are copied from now on. `stamp`: its version. */
  begin(stamp: number): void {
    this.#stamp = stamp
    if (this.top === 0) this.top = this.#newNode(0, 0)
  }

  /** Adds an entry for `name`, which is not there yet. */
  insert(name: number, block: number): void {
    this.top = this.#insert(this.top, 0, nameHash(this.#words, name), name, block)
  }

  /** Sets the block of `name`, which is there. */
  update(name: number, block: number): void {
    this.top = this.#update(this.top, 0, nameHash(this.#words, name), name, block)
  }

  /** Takes out the entry of `name`, which is there. */
  remove(name: number): void {
    this.top = this.#remove(this.top, 0, nameHash(this.#words, name), name)
  }

  #insert(node: number, shift: number, hash: number, name: number, block: number): number {
    const words = this.#words
    if (shift >= LIST_SHIFT) {
      const count = listCount(words, node)
      const grown = this.#resize(node, listSize(count), listSize(count + 1), count + 1, 0, 0, 0, 2)
      writeEntry(words, nodeEntry(grown, 0), name, block)
      return grown
    }
    const bit = 1 << ((hash >>> shift) & 31)
    const dataMap = nodeDataMap(words, node)
    const nodeMap = nodeNodeMap(words, node)
    if ((nodeMap & bit) !== 0) {
      const at = nodeChild(0, bitCount(dataMap), bitCount(nodeMap & (bit - 1)))
      const child = words[node + at]
      const changed = this.#insert(child, shift + LEVEL_BITS, hash, name, block)
      return this.#setChild(node, at, child, changed)
    }
    const rank = bitCount(dataMap & (bit - 1))
    if ((dataMap & bit) !== 0) {
      const entry = nodeEntry(node, rank)
      const pushed = words[entry]
      const pushedBlock = words[entry + 1]
      const child = this.#pair(shift + LEVEL_BITS, pushed, pushedBlock, name, block)
      return this.#entryToChild(node, bit, rank, child)
    }
    const size = nodeSize(dataMap, nodeMap)
    const at = nodeEntry(0, rank)
    const grown = this.#resize(node, size, size + 2, dataMap | bit, nodeMap, at, at, 2)
    writeEntry(words, grown + at, name, block)
    return grown
  }

  #update(node: number, shift: number, hash: number, name: number, block: number): number {
    const words = this.#words
    if (shift >= LIST_SHIFT) {
      const own = this.#own(node, listSize(listCount(words, node)))
      words[this.#listEntry(own, name) + 1] = block
      return own
    }
    const bit = 1 << ((hash >>> shift) & 31)
    const dataMap = nodeDataMap(words, node)
    const nodeMap = nodeNodeMap(words, node)
    if ((dataMap & bit) !== 0) {
      const own = this.#own(node, nodeSize(dataMap, nodeMap))
      words[nodeEntry(own, bitCount(dataMap & (bit - 1))) + 1] = block
      return own
    }
    const at = nodeChild(0, bitCount(dataMap), bitCount(nodeMap & (bit - 1)))
    const child = words[node + at]
    return this.#setChild(node, at, child, this.#update(child, shift + LEVEL_BITS, hash, name, block))
  }

  #remove(node: number, shift: number, hash: number, name: number): number {
    const words = this.#words
    if (shift >= LIST_SHIFT) {
      const count = listCount(words, node)
      const at = this.#listEntry(node, name) - node
      return this.#resize(node, listSize(count), listSize(count - 1), count - 1, 0, at, at + 2, 0)
    }
    const bit = 1 << ((hash >>> shift) & 31)
    const dataMap = nodeDataMap(words, node)
    const nodeMap = nodeNodeMap(words, node)
    const size = nodeSize(dataMap, nodeMap)
    if ((dataMap & bit) !== 0) {
      const at = nodeEntry(0, bitCount(dataMap & (bit - 1)))
      return this.#resize(node, size, size - 2, dataMap & ~bit, nodeMap, at, at + 2, 0)
    }
    const childAt = nodeChild(0, bitCount(dataMap), bitCount(nodeMap & (bit - 1)))
    const child = words[node + childAt]
    const changed = this.#remove(child, shift + LEVEL_BITS, hash, name)
    if (!this.#holdsOneEntry(changed, shift + LEVEL_BITS)) return this.#setChild(node, childAt, child, changed)
    // A child with one entry and no children is written back as that entry: the shape depends on the content alone.
    const only = nodeEntry(changed, 0)
    const lastName = words[only]
    const lastBlock = words[only + 1]
    this.#release(changed, nodeSize(1, 0))
    return this.#childToEntry(node, bit, childAt, lastName, lastBlock)
  }

  #holdsOneEntry(node: number, shift: number): boolean {
    const words = this.#words
    if (shift >= LIST_SHIFT) return listCount(words, node) === 1
    return nodeNodeMap(words, node) === 0 && bitCount(nodeDataMap(words, node)) === 1
  }

  #listEntry(node: number, name: number): number {
    let entry = nodeEntry(node, 0)
    while (entryName(this.#words, entry) !== name) entry += 2
    return entry
  }

  /** A node for two names whose hashes agree in all levels above `shift`. */
  #pair(shift: number, nameA: number, blockA: number, nameB: number, blockB: number): number {
    const words = this.#words
    if (shift >= LIST_SHIFT) {
      const list = this.#memory.allocate(listSize(2))
      writeNodeHeader(words, list, this.#stamp, 2, 0)
      writeEntry(words, nodeEntry(list, 0), nameA, blockA)
      writeEntry(words, nodeEntry(list, 1), nameB, blockB)
      return list
    }
    const slotA = (nameHash(words, nameA) >>> shift) & 31
    const slotB = (nameHash(words, nameB) >>> shift) & 31
    if (slotA === slotB) {
      const child = this.#pair(shift + LEVEL_BITS, nameA, blockA, nameB, blockB)
      const node = this.#newNode(0, 1 << slotA)
      words[nodeChild(node, 0, 0)] = child
      return node
    }
    const node = this.#newNode((1 << slotA) | (1 << slotB), 0)
    writeEntry(words, nodeEntry(node, slotA < slotB ? 0 : 1), nameA, blockA)
    writeEntry(words, nodeEntry(node, slotA < slotB ? 1 : 0), nameB, blockB)
    return node
  }

  #newNode(dataMap: number, nodeMap: number): number {
    const node = this.#memory.allocate(nodeSize(dataMap, nodeMap))
    writeNodeHeader(this.#words, node, this.#stamp, dataMap, nodeMap)
    return node
  }

  /** The node itself if this transaction made it, else a copy. */
  #own(node: number, size: number): number {
    const words = this.#words
    if (nodeStamp(words, node) === this.#stamp) return node
    const copy = this.#memory.allocate(size)
    words.copyWithin(copy, node, node + size)
    words[copy] = this.#stamp
    this.#memory.retire(node, size)
    return copy
  }

  #release(node: number, size: number): void {
    if (nodeStamp(this.#words, node) === this.#stamp) this.#memory.free(node, size)
    else this.#memory.retire(node, size)
  }

  #setChild(node: number, at: number, child: number, changed: number): number {
    if (changed === child) return node
    const words = this.#words
    const own = this.#own(node, nodeSize(nodeDataMap(words, node), nodeNodeMap(words, node)))
    words[own + at] = changed
    return own
  }

  /**
   * A node of `newSize` words with the old one's words, those in [cutStart, cutEnd) left out and `gap` words left free at
   * that place. The offsets count from the node; cutStart 0 means right behind the header.
   */
  #resize(
    node: number,
    oldSize: number,
    newSize: number,
    dataMap: number,
    nodeMap: number,
    cutStart: number,
    cutEnd: number,
    gap: number,
  ): number {
    const words = this.#words
    const from = cutStart === 0 ? NODE_HEADER_WORDS : cutStart
    const to = cutStart === 0 ? NODE_HEADER_WORDS : cutEnd
    const resized = this.#memory.allocate(newSize)
    writeNodeHeader(words, resized, this.#stamp, dataMap, nodeMap)
    for (let i = NODE_HEADER_WORDS; i < from; i++) words[resized + i] = words[node + i]
    const shift = gap - (to - from)
    for (let i = to; i < oldSize; i++) words[resized + i + shift] = words[node + i]
    this.#release(node, oldSize)
    return resized
  }

  #entryToChild(node: number, bit: number, rank: number, child: number): number {
    const words = this.#words
    const dataMap = nodeDataMap(words, node)
    const nodeMap = nodeNodeMap(words, node)
    const size = nodeSize(dataMap, nodeMap)
    const changed = this.#memory.allocate(size - 1)
    writeNodeHeader(words, changed, this.#stamp, dataMap & ~bit, nodeMap | bit)
    const cut = nodeEntry(0, rank)
    const childAt = nodeChild(0, bitCount(dataMap) - 1, bitCount(nodeMap & (bit - 1)))
    for (let i = NODE_HEADER_WORDS; i < cut; i++) words[changed + i] = words[node + i]
    for (let i = cut; i < childAt; i++) words[changed + i] = words[node + i + 2]
    words[changed + childAt] = child
    for (let i = childAt + 1; i < size - 1; i++) words[changed + i] = words[node + i + 1]
    this.#release(node, size)
    return changed
  }

  #childToEntry(node: number, bit: number, childAt: number, name: number, block: number): number {
    const words = this.#words
    const dataMap = nodeDataMap(words, node)
    const nodeMap = nodeNodeMap(words, node)
    const size = nodeSize(dataMap, nodeMap)
    const changed = this.#memory.allocate(size + 1)
    writeNodeHeader(words, changed, this.#stamp, dataMap | bit, nodeMap & ~bit)
    const entry = nodeEntry(0, bitCount(dataMap & (bit - 1)))
    for (let i = NODE_HEADER_WORDS; i < entry; i++) words[changed + i] = words[node + i]
    writeEntry(words, changed + entry, name, block)
    for (let i = entry; i < childAt; i++) words[changed + i + 2] = words[node + i]
    for (let i = childAt + 1; i < size; i++) words[changed + i + 1] = words[node + i]
    this.#release(node, size)
    return changed
  }
}

function nodeSize(dataMap: number, nodeMap: number): number {
  return NODE_HEADER_WORDS + 2 * bitCount(dataMap) + bitCount(nodeMap)
}

function listSize(count: number): number {
  return NODE_HEADER_WORDS + 2 * count
}
