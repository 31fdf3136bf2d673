// A qp-trie, the structure of Knot DNS and BIND: a PATRICIA trie whose branches are packed by a bitmap. One octet of the
// name is one step (39 octets that host names are made of have a bit each, any other takes an escape and two more steps),
// labels from right to left, so that it is sorted and one subtree is one domain. Copy-on-write, with stamps as in
// src/index/trie.ts. As of Finch, "QP tries are smaller and faster than crit-bit tries", 2015, and BIND's dns_qp.
//
// Twigs: the children of one branch, adjacent
//   +0 stamp: the transaction that made them   +1 nodes, 3 words each, in order of their steps
// Branch: +0 which of the steps 0..31 have a child
//         +1 bit 31 set | offset of the step in the key << 9 | which of the steps 32..40 have a child   +2 twigs
// Leaf:   +0 name   +1 zero   +2 block
// Name:   +0 uses by records   +1 length of the key in octets   +2 key, zeros behind
//
// Key: a step an octet; step 0 ends a label, and beyond the end of the key all steps are 0. No label is empty, so no key is
// the beginning of another.

import { foldWord, lastWordMask } from '../../src/dns/key.ts'
import { LABEL_COUNT_MAX, NAME_LENGTH_MAX } from '../../src/dns/name.ts'
import { Query } from '../../src/dns/question.ts'
import { Allocator } from '../../src/index/allocator.ts'
import { bitCount, type Region } from '../../src/index/layout.ts'
import { blockOfValue, keyOfLabels, type Structure } from './structure.ts'

const NODE_WORDS = 3
const NAME_KEY = 2
const BRANCH = 0x80000000 | 0
const OFFSET_SHIFT = 9
const OFFSET_MASK = 0x3fffff
const HIGH_STEPS = 0x1ff
const END = 0
const ESCAPE = 40
const STEPS_MAX = NAME_LENGTH_MAX * 3

/** Octet -> its step, or ESCAPE. */
const STEP = new Uint8Array(256).fill(ESCAPE)
for (const [i, octet] of [...Buffer.from('*-0123456789_abcdefghijklmnopqrstuvwxyz')].entries()) STEP[octet] = 1 + i

export class QpTrie implements Structure {
  private readonly words: Int32Array
  private readonly octets: Uint8Array
  private readonly allocator: Allocator
  private readonly key = new Query()
  private readonly steps = new Uint8Array(STEPS_MAX)
  private readonly otherSteps = new Uint8Array(STEPS_MAX)
  private readonly otherLabels = new Uint8Array(LABEL_COUNT_MAX + 1)
  private readonly blockWords = blockOfValue(0).size
  /** Twigs of one node, the topmost; 0 while there is no name. */
  private top = 0
  private stamp = 1
  private count = 0
  private retired: number[] = []

  constructor(region: Region) {
    this.words = region.words
    this.octets = region.octets
    this.allocator = new Allocator(region)
  }

  find(query: Query, words: Int32Array, word: number, length: number): number {
    const { keyWords } = query
    const last = (length - 1) >> 2
    for (let i = 0; i <= last; i++) keyWords[i] = foldWord(words[word + i])
    keyWords[last] &= lastWordMask(length)
    const stepCount = writeSteps(this.steps, query.key, 0, query.labelStart, query.labelCount)
    const leaf = this.leafAt(this.steps, stepCount)
    return leaf !== 0 && this.leafEquals(leaf, length, keyWords) ? this.words[leaf + 2] : 0
  }

  set(labels: readonly string[], value: number): void {
    const { words, key, steps, otherSteps } = this
    keyOfLabels(key, labels)
    const length = key.meta & 0xffff
    const block = this.allocator.allocate(this.blockWords)
    blockOfValue(value).write(words, block)
    if (this.top === 0) {
      this.top = this.newTwigs(1)
      this.writeLeaf(this.top + 1, this.newName(length), block)
      return
    }
    const stepCount = writeSteps(steps, key.key, 0, key.labelStart, key.labelCount)
    const near = this.nearest(steps, stepCount)
    if (this.leafEquals(near, length, key.keyWords)) {
      const leaf = this.own(steps, stepCount, STEPS_MAX)
      this.retired.push(words[leaf + 2], this.blockWords)
      words[leaf + 2] = block
      return
    }
    const otherCount = this.stepsOfName(words[near])
    let offset = 0
    while (stepAt(steps, stepCount, offset) === stepAt(otherSteps, otherCount, offset)) offset++
    const node = this.own(steps, stepCount, offset)
    const step = stepAt(steps, stepCount, offset)
    if (words[node + 1] < 0 && offsetOf(words[node + 1]) === offset) this.addTwig(node, step, length, block)
    else this.split(node, offset, stepAt(otherSteps, otherCount, offset), step, length, block)
  }

  publish(): void {
    this.stamp++
    for (let i = 0; i < this.retired.length; i += 2) this.allocator.free(this.retired[i], this.retired[i + 1])
    this.retired.length = 0
  }

  get indexBytes(): number {
    return 4 * (this.allocator.liveWords - this.count * this.blockWords)
  }

  /** The leaf that the steps lead to, 0 if one is missing on the way. */
  private leafAt(steps: Uint8Array, stepCount: number): number {
    const { words } = this
    let node = this.top + 1
    for (;;) {
      const second = words[node + 1]
      if (second >= 0) return node
      const first = words[node]
      const step = stepAt(steps, stepCount, (second >>> OFFSET_SHIFT) & OFFSET_MASK)
      const bit = 1 << step
      let rank = 0
      if (step < 32) {
        if ((first & bit) === 0) return 0
        rank = bitCount(first & (bit - 1))
      } else {
        if ((second & HIGH_STEPS & bit) === 0) return 0
        rank = bitCount(first) + bitCount(second & HIGH_STEPS & (bit - 1))
      }
      node = words[node + 2] + 1 + rank * NODE_WORDS
    }
  }

  /** A leaf that shares as many first steps with these as any other does. */
  private nearest(steps: Uint8Array, stepCount: number): number {
    const { words } = this
    let node = this.top + 1
    while (words[node + 1] < 0) {
      const step = stepAt(steps, stepCount, offsetOf(words[node + 1]))
      node = words[node + 2] + 1 + (hasTwig(words, node, step) ? twigRank(words, node, step) * NODE_WORDS : 0)
    }
    return node
  }

  private leafEquals(leaf: number, length: number, keyWords: Int32Array): boolean {
    const { words } = this
    const name = words[leaf]
    if (words[name + 1] !== length) return false
    const count = (length + 3) >> 2
    for (let i = 0; i < count; i++) if (words[name + NAME_KEY + i] !== keyWords[i]) return false
    return true
  }

  /** The first node on the way of the steps that is a leaf or tests `offset` or a later one, in twigs of this transaction. */
  private own(steps: Uint8Array, stepCount: number, offset: number): number {
    const { words } = this
    this.top = this.ownTwigs(this.top, 1)
    let node = this.top + 1
    while (words[node + 1] < 0 && offsetOf(words[node + 1]) < offset) {
      words[node + 2] = this.ownTwigs(words[node + 2], twigCount(words, node))
      node =
        words[node + 2] + 1 + twigRank(words, node, stepAt(steps, stepCount, offsetOf(words[node + 1]))) * NODE_WORDS
    }
    return node
  }

  /** Gives the branch `node` one more child. */
  private addTwig(node: number, step: number, length: number, block: number): void {
    const { words } = this
    const count = twigCount(words, node)
    const rank = twigRank(words, node, step)
    const old = words[node + 2]
    const twigs = this.newTwigs(count + 1)
    const leaf = twigs + 1 + rank * NODE_WORDS
    words.copyWithin(twigs + 1, old + 1, old + 1 + rank * NODE_WORDS)
    words.copyWithin(leaf + NODE_WORDS, old + 1 + rank * NODE_WORDS, old + 1 + count * NODE_WORDS)
    this.writeLeaf(leaf, this.newName(length), block)
    if (step < 32) words[node] |= 1 << step
    else words[node + 1] |= 1 << (step - 32)
    words[node + 2] = twigs
    this.dropTwigs(old, count)
  }

  /** Puts a branch in the place of `node`: what was there keeps `oldStep`, the new leaf gets `newStep`. */
  private split(node: number, offset: number, oldStep: number, newStep: number, length: number, block: number): void {
    const { words } = this
    const twigs = this.newTwigs(2)
    const first = twigs + 1
    const second = first + NODE_WORDS
    words.copyWithin(oldStep < newStep ? first : second, node, node + NODE_WORDS)
    this.writeLeaf(oldStep < newStep ? second : first, this.newName(length), block)
    let low = 0
    let high = 0
    for (const step of [oldStep, newStep]) {
      if (step < 32) low |= 1 << step
      else high |= 1 << (step - 32)
    }
    words[node] = low
    words[node + 1] = BRANCH | (offset << OFFSET_SHIFT) | high
    words[node + 2] = twigs
  }

  private newTwigs(count: number): number {
    const twigs = this.allocator.allocate(1 + count * NODE_WORDS)
    this.words[twigs] = this.stamp
    return twigs
  }

  private ownTwigs(twigs: number, count: number): number {
    if (this.words[twigs] === this.stamp) return twigs
    const copy = this.newTwigs(count)
    this.words.copyWithin(copy + 1, twigs + 1, twigs + 1 + count * NODE_WORDS)
    this.dropTwigs(twigs, count)
    return copy
  }

  private dropTwigs(twigs: number, count: number): void {
    if (this.words[twigs] === this.stamp) this.allocator.free(twigs, 1 + count * NODE_WORDS)
    else this.retired.push(twigs, 1 + count * NODE_WORDS)
  }

  private writeLeaf(leaf: number, name: number, block: number): void {
    this.words[leaf] = name
    this.words[leaf + 1] = 0
    this.words[leaf + 2] = block
  }

  /** Makes a name of the key in `key`. */
  private newName(length: number): number {
    const { words, key } = this
    const keyCount = (length + 3) >> 2
    const name = this.allocator.allocate(NAME_KEY + keyCount)
    words[name] = 1
    words[name + 1] = length
    for (let i = 0; i < keyCount; i++) words[name + NAME_KEY + i] = key.keyWords[i]
    this.count++
    return name
  }

  /** Puts the steps of `name` into `otherSteps`. */
  private stepsOfName(name: number): number {
    const { octets, otherLabels } = this
    const from = (name + NAME_KEY) << 2
    const length = this.words[name + 1]
    let labels = 0
    for (let at = 0; at < length; at += octets[from + at] + 1) otherLabels[labels++] = at
    otherLabels[labels] = length
    return writeSteps(this.otherSteps, octets, from, otherLabels, labels)
  }
}

/** Writes the steps of the folded name octets[from..]; returns how many. */
function writeSteps(
  steps: Uint8Array,
  octets: Uint8Array,
  from: number,
  labelStart: Uint8Array,
  labelCount: number,
): number {
  let count = 0
  let end = labelStart[labelCount]
  for (let label = labelCount - 1; label >= 0; label--) {
    const start = labelStart[label]
    for (let at = start + 1; at < end; at++) {
      const octet = octets[from + at]
      const step = STEP[octet]
      steps[count++] = step
      if (step === ESCAPE) {
        steps[count++] = octet >> 4
        steps[count++] = octet & 15
      }
    }
    steps[count++] = END
    end = start
  }
  return count
}

function stepAt(steps: Uint8Array, stepCount: number, offset: number): number {
  return offset < stepCount ? steps[offset] : END
}

function offsetOf(second: number): number {
  return (second >>> OFFSET_SHIFT) & OFFSET_MASK
}

function hasTwig(words: Int32Array, branch: number, step: number): boolean {
  return ((step < 32 ? words[branch] : words[branch + 1] & HIGH_STEPS) & (1 << step)) !== 0
}

/** How many children of `branch` come before that of `step`. */
function twigRank(words: Int32Array, branch: number, step: number): number {
  const below = (1 << step) - 1
  if (step < 32) return bitCount(words[branch] & below)
  return bitCount(words[branch]) + bitCount(words[branch + 1] & HIGH_STEPS & below)
}

function twigCount(words: Int32Array, branch: number): number {
  return bitCount(words[branch]) + bitCount(words[branch + 1] & HIGH_STEPS)
}
