// One zone of static data in the index: replaced as a whole, written where it differs.
// Not here: what is in it (hosts-names.ts, zone-nodes.ts), publication (static-zones.ts).

import { BlockBuilder } from '../index/block.ts'
import { blockSize } from '../index/layout.ts'
import type { IndexWriter } from '../index/writer.ts'

/** A name and what it holds. */
export interface ZoneNode {
  /** Labels left of the zone, as keyOfLabels() has them; '' is the apex. */
  readonly key: string
  /** Puts its RRsets into a builder in which nothing has begun. */
  build(builder: BlockBuilder): void
}

/** The names of a zone and what they hold. */
export interface ZoneSnapshot {
  /** By labels, as keyOfLabels() has them. */
  readonly keys: readonly string[]
  /** The block of each (index/layout.ts), one behind the other. */
  readonly words: Int32Array
}

export class ZoneWriter {
  /** The zone's number in the index. */
  readonly number: number
  readonly #writer: IndexWriter
  readonly #apex: number
  readonly #builder = new BlockBuilder()
  #scratch = new Int32Array(256)
  /** Names with a block, by their labels. */
  #names = new Map<string, number>()
  #written: Map<string, number> | null = null
  /** Of what is published, as long as somebody reads it. */
  #snapshot: WeakRef<ZoneSnapshot> | null = null

  /** Adds the zone to the index. @param number  how many zones were added before it   @throws RegionFullError */
  constructor(writer: IndexWriter, number: number) {
    this.#writer = writer
    this.number = number
    this.#apex = writer.addZone()
  }

  /** Writes `nodes`, different names each, in place of all there was; settle() must follow. @throws RegionFullError */
  replace(nodes: Iterable<ZoneNode>): void {
    const names = new Map<string, number>()
    for (const node of nodes) {
      const name = this.#resolve(node.key)
      node.build(this.#builder)
      if (!this.#isWritten(this.#writer.blockOf(name))) this.#writer.setBlock(name, this.#builder)
      names.set(node.key, name)
    }
    for (const [key, name] of this.#names) if (!names.has(key)) this.#writer.clearBlock(name)
    this.#written = names
  }

  /** After publish() or abort(): says whether what replace() wrote is in the index. */
  settle(isPublished: boolean): void {
    if (isPublished && this.#written !== null) {
      this.#names = this.#written
      this.#snapshot = null
    }
    this.#written = null
  }

  /** What the zone holds now; stays so, whatever is written later. All who ask before it changes share one copy. */
  snapshot(): ZoneSnapshot {
    const known = this.#snapshot?.deref()
    if (known !== undefined) return known
    const { words } = this.#writer.region
    const keys = [...this.#names.keys()]
    const blocks = [...this.#names.values()].map((name) => this.#writer.blockOf(name))
    const copy = new Int32Array(blocks.reduce((sum, block) => sum + blockSize(words, block), 0))
    let at = 0
    for (const block of blocks) {
      const size = blockSize(words, block)
      copy.set(words.subarray(block, block + size), at)
      at += size
    }
    const snapshot = { keys, words: copy }
    this.#snapshot = new WeakRef(snapshot)
    return snapshot
  }

  #resolve(key: string): number {
    const labels = labelsOfKey(key)
    let name = this.#apex
    for (let i = labels.length - 1; i >= 0; i--) name = this.#writer.child(name, labels[i])
    return name
  }

  /** Is the block in the index what the builder holds? Nothing in it may refer to names. */
  #isWritten(block: number): boolean {
    const { words } = this.#writer.region
    const { size } = this.#builder
    if (block === 0 || blockSize(words, block) !== size) return false
    if (this.#scratch.length < size) this.#scratch = new Int32Array(size * 2)
    this.#builder.write(this.#scratch, 0)
    for (let i = 0; i < size; i++) if (this.#scratch[i] !== words[block + i]) return false
    return true
  }
}

/**
 * Labels in one text: each behind a character for its length, which is the wire form without the root.
 * @param labels  in lower case, a character for each octet
 */
export function keyOfLabels(labels: readonly string[]): string {
  let key = ''
  for (const label of labels) key += String.fromCharCode(label.length) + label
  return key
}

/** The name that a key is made of in wire form, as one below the root. */
export function wireOfKey(key: string): Uint8Array {
  return Buffer.from(`${key}\0`, 'latin1')
}

/** The labels that a key is made of. */
export function labelsOfKey(key: string): string[] {
  const labels: string[] = []
  for (let at = 0; at < key.length; ) {
    const end = at + 1 + key.charCodeAt(at)
    labels.push(key.slice(at + 1, end))
    at = end
  }
  return labels
}
