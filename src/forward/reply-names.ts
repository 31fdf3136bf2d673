// The names of one message as a tree: each name is a node, a label and the name behind it, and names that are equal (ASCII case ignored) are
// the same node. So comparing names is comparing numbers, and writing one compressed is climbing the tree. Read out of a message that
// may hold anything. Nothing is allocated after the first message; the cost of a message grows with its length, whatever its pointers do.
// RFC 1035 §3.1, §4.1.4; RFC 4343 for case. Not here: which names a record has (ready-answer.ts).

import { randomInt } from 'node:crypto'
import { FOLD, LABEL_COUNT_MAX, LABEL_LENGTH_MAX, NAME_LENGTH_MAX } from '../dns/name.ts'
import { HEADER_LENGTH } from '../dns/question.ts'

/** The root: a name without labels. */
export const ROOT = 0
/** No name, or no node. */
export const NO_NAME = -1

// Every node's label begins at an octet of its own, so there are fewer nodes than octets in a message.
const NODES = 65536
const OFFSETS = 65536
const BUCKETS = 8192
const STAMP_MAX = 0x7fff
const POINTER = 0xc0
const POINTER_TARGET_MAX = 0x3fff
const NO_MESSAGE: Uint8Array = new Uint8Array(0)
// An upstream cannot choose names that all meet in one bucket.
const SEED = randomInt(2 ** 31)
const PRIME = 0x01000193
const fold = FOLD

/** One object is filled again and again. */
export class ReplyNames {
  private message = NO_MESSAGE
  private start = 0
  private end = 0
  /** Of this message; what has another in its upper half is of a message before. */
  private stamp = 0
  private count = 1
  /** First octet behind the name that read() returned last, counted from the start of the memory. */
  behind = 0
  /** Offset in the message -> stamp and node of the name that begins there. */
  private readonly known = new Int32Array(OFFSETS)
  /** Hash of a label and the node behind it -> stamp and the first node of that hash. */
  private readonly buckets = new Int32Array(BUCKETS)
  /** Node -> the next one in its bucket; ROOT for none. */
  private readonly next = new Uint16Array(NODES)
  private readonly parents = new Uint16Array(NODES)
  /** Node -> offset in the message of its label. */
  private readonly labels = new Uint16Array(NODES)
  /** Node -> octets of the name, uncompressed, root octet included. */
  private readonly lengths = new Uint8Array(NODES)
  /** Node -> offset in the new message where the name can be pointed at; 0: nowhere. */
  private readonly places = new Uint16Array(NODES)
  /** Node -> what setAlias() said, plus 1. */
  private readonly aliases = new Int32Array(NODES)
  /** Node -> bits that its user sets. */
  private readonly markBits = new Uint8Array(NODES)
  /** Labels of the name being read. */
  private readonly labelStack = new Uint16Array(LABEL_COUNT_MAX + 1)

  constructor() {
    this.lengths[ROOT] = 1
  }

  /** Forgets all names and begins with those of the message at message[start, end), at most 65,535 octets. */
  begin(message: Uint8Array, start: number, end: number): void {
    this.message = message
    this.start = start
    this.end = end
    this.count = 1
    this.aliases[ROOT] = 0
    this.markBits[ROOT] = 0
    if (this.stamp === STAMP_MAX) {
      this.known.fill(0)
      this.buckets.fill(0)
      this.stamp = 0
    }
    this.stamp++
  }

  /** Lets go of the message's memory. */
  finish(): void {
    this.message = NO_MESSAGE
  }

  /**
   * Reads the name at message[at], and sets `behind`. Each pointer must lead to before the labels that it stands behind, and not into the header.
   * @param end  the part before the first pointer has to end here or before, like the RDATA that it is in
   * @returns its node, or NO_NAME if it is malformed
   */
  read(at: number, end: number): number {
    const { message, start, known, stamp, labelStack } = this
    let bound = at
    let behind = 0
    let depth = 0
    let node = ROOT
    for (;;) {
      if (at >= end) return NO_NAME
      const length = message[at]
      if (length === 0) {
        if (behind === 0) behind = at + 1
        break
      }
      if (length <= LABEL_LENGTH_MAX) {
        if (depth === LABEL_COUNT_MAX) return NO_NAME
        labelStack[depth++] = at - start
        at += length + 1
        continue
      }
      if (length < POINTER || at + 2 > end) return NO_NAME
      if (behind === 0) behind = at + 2
      const target = ((length & 0x3f) << 8) | message[at + 1]
      if (target < HEADER_LENGTH || start + target >= bound) return NO_NAME
      const knownNode = known[target]
      if (knownNode >>> 16 === stamp) {
        node = knownNode & 0xffff
        break
      }
      at = bound = start + target
      end = this.end
    }
    this.behind = behind
    while (depth > 0) {
      const label = labelStack[--depth]
      node = this.child(node, label)
      if (node === NO_NAME) return NO_NAME
      known[label] = (stamp << 16) | node
    }
    return node
  }

  /** Node of the label at offset `label` in front of the name `parent`; NO_NAME if that is too long. */
  private child(parent: number, label: number): number {
    const { message, start, buckets, stamp, next, parents, labels } = this
    const at = start + label
    const length = message[at]
    let hash = SEED ^ Math.imul(parent + 1, PRIME)
    for (let i = 0; i <= length; i++) hash = Math.imul(hash ^ fold[message[at + i]], PRIME)
    const bucket = (hash ^ (hash >>> 15)) & (BUCKETS - 1)
    const first = buckets[bucket] >>> 16 === stamp ? buckets[bucket] & 0xffff : ROOT
    for (let node = first; node !== ROOT; node = next[node]) {
      if (parents[node] === parent && this.sameLabel(labels[node], label)) return node
    }
    const nameLength = this.lengths[parent] + length + 1
    if (nameLength > NAME_LENGTH_MAX) return NO_NAME
    const node = this.count++
    next[node] = first
    parents[node] = parent
    labels[node] = label
    this.lengths[node] = nameLength
    this.places[node] = 0
    this.aliases[node] = 0
    this.markBits[node] = 0
    buckets[bucket] = (stamp << 16) | node
    return node
  }

  private sameLabel(one: number, other: number): boolean {
    const { message, start } = this
    if (one === other) return true
    const length = message[start + one]
    // The octets of length are under 64, which is before all letters.
    for (let i = 0; i <= length; i++) {
      if (fold[message[start + one + i]] !== fold[message[start + other + i]]) return false
    }
    return true
  }

  /** The name without its first label. Not for ROOT. */
  parent(node: number): number {
    return this.parents[node]
  }

  /** Notes that `node` is another name for `target`, if it has none yet. */
  setAlias(node: number, target: number): void {
    if (this.aliases[node] === 0) this.aliases[node] = target + 1
  }

  /** What setAlias() noted, or NO_NAME. */
  alias(node: number): number {
    return this.aliases[node] - 1
  }

  /** Sets bits, which mean what the caller wants. */
  mark(node: number, bits: number): void {
    this.markBits[node] |= bits
  }

  /** What mark() has set. */
  marks(node: number): number {
    return this.markBits[node]
  }

  /** Forgets where names were written, but for `qname`, the name at the message's beginning, which stands there in the new message too. */
  beginWriting(qname: number): void {
    this.places.fill(0, 0, this.count)
    for (let node = qname; node !== ROOT; node = this.parents[node]) this.places[node] = this.labels[node]
  }

  /**
   * Writes a name, and remembers where for those after it.
   * @param target    at least 255 octets must be left in it
   * @param at        index in `target`
   * @param shift     what `at` is over the offset in the new message
   * @param compress  may it end in a pointer?
   * @returns the first index behind it
   */
  write(node: number, target: Uint8Array, at: number, shift: number, compress: boolean): number {
    const { message, start, parents, labels, places } = this
    for (; node !== ROOT; node = parents[node]) {
      const place = places[node]
      if (place !== 0 && compress) {
        target[at] = POINTER | (place >> 8)
        target[at + 1] = place
        return at + 2
      }
      if (place === 0 && at - shift <= POINTER_TARGET_MAX) places[node] = at - shift
      const from = start + labels[node]
      const length = message[from] + 1
      for (let i = 0; i < length; i++) target[at + i] = message[from + i]
      at += length
    }
    target[at] = 0
    return at + 1
  }
}
