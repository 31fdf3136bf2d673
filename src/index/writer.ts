// The one writer of the index: names and their blocks, transactions, publication, reclamation.
//
// A transaction begins with the first change after a publication and ends with publish() or abort(). Until publish() no
// reader sees any of it. Names are created where they are first mentioned and stay only if they end up with records or with
// names below them; empty non-terminals come and go by themselves (RFC 4592 §2.2.2).

import assert from 'node:assert'
import { keyMeta, NO_ZONE } from '../dns/key.ts'
import { FOLD, wireOfLabels } from '../dns/name.ts'
import { Query, sealKey } from '../dns/question.ts'
import { Allocator, RegionFullError, type SavedAllocator } from './allocator.ts'
import { type BlockBuilder, forEachTarget } from './block.ts'
import {
  addNameChildren,
  addNameUses,
  blockSize,
  entryBlock,
  entryName,
  nameChildren,
  nameHash,
  nameKeyWord,
  nameLength,
  nameMeta,
  nameOctets,
  nameUses,
  nameWords,
  nameZone,
  type Region,
  ROOT_WORDS,
  rootIsComplete,
  rootSerial,
  rootTrie,
  rootWord,
  writeName,
  writeRoot,
} from './layout.ts'
import { Limbo } from './limbo.ts'
import { Log } from './log.ts'
import { find } from './lookup.ts'
import { Trie } from './trie.ts'

export interface WriterOptions {
  /** Readers 0..readerCount-1 may hold versions. */
  readonly readerCount: number
  /** Overwrite freed memory (tests). */
  readonly poison?: boolean
}

/** Figures of the index, for metrics and benchmarks. */
export interface IndexStats {
  readonly version: number
  readonly names: number
  readonly liveBytes: number
  readonly reservedBytes: number
  /** Octets retired that some reader may still look at. */
  readonly limboBytes: number
}

/** What a writer knows beside the region's own content, between two transactions. */
export interface SavedWriter {
  readonly allocator: SavedAllocator
  readonly version: number
  readonly names: number
  readonly root: number
  readonly zoneCount: number
  /** ref, size of what no version reaches any more, but is not free yet. */
  readonly retired: Int32Array
}

const RESERVE_SHIFT = 6 // 1/64 of the region
const VERSION_MAX = 0x7fffffff

export class IndexWriter {
  readonly region: Region
  readonly #words: Int32Array
  readonly #octets: Uint8Array
  readonly #allocator: Allocator
  readonly #trie: Trie
  #version = 0
  #names = 0
  #root = 0
  #publishedTop = 0
  #publishedNames = 0
  #inTransaction = false
  /** The transaction cannot be aborted, and keeps no logs for that. */
  #loading = false
  /** What the published version says of itself. */
  #publishedComplete = true
  // Logs of the transaction. They live as long as the writer, so that a transaction leaves no garbage behind.
  /** ref, size of what was allocated; -ref, size of what was given back: abort() frees the difference. */
  readonly #allocations = new Log()
  /** ref, size of what the new version does not reach any more. */
  readonly #retired = new Log()
  /** name, change of children, change of uses: abort() takes it back. */
  readonly #counterLog = new Log()
  /** Names that may have lost their reason to exist. */
  readonly #touched = new Log()
  readonly #limbo: Limbo
  readonly #key = new Query()
  #zoneCount = 0
  /** The name whose block was asked for last, and that block: what is found is often written next. */
  #knownName = 0
  #knownBlock = 0
  /** While sweeping: the parent found last, which most names swept have in common. */
  #lastParent = 0

  constructor(region: Region, options: WriterOptions) {
    this.region = region
    this.#words = region.words
    this.#octets = region.octets
    this.#allocator = new Allocator(region, options.poison)
    this.#limbo = new Limbo(region, options.readerCount, (ref, size) => this.#allocator.free(ref, size))
    this.#trie = new Trie(region.words, {
      allocate: (size) => this.#allocate(size),
      free: (ref, size) => {
        if (!this.#loading) this.#allocations.push(-ref, size)
        this.#allocator.free(ref, size)
      },
      retire: (ref, size) => this.#retired.push(ref, size),
    })
  }

  /** Goes on where the writer of a region with the same content stopped, with readers that hold nothing. */
  static restore(region: Region, options: WriterOptions, saved: SavedWriter): IndexWriter {
    const writer = new IndexWriter(region, options)
    writer.#allocator.restore(saved.allocator)
    writer.#version = saved.version
    writer.#names = saved.names
    writer.#publishedNames = saved.names
    writer.#root = saved.root
    writer.#publishedTop = rootTrie(region.words, saved.root)
    writer.#trie.top = writer.#publishedTop
    writer.#zoneCount = saved.zoneCount
    writer.#publishedComplete = rootIsComplete(region.words, saved.root)
    // Readers hold nothing: it is free at once.
    writer.#limbo.add(saved.version, saved.retired)
    return writer
  }

  /** What restore() needs, beside the words of the region below `allocator.next`. */
  save(): SavedWriter {
    assert(!this.#inTransaction, 'nothing is half done')
    return {
      allocator: this.#allocator.save(),
      version: this.#version,
      names: this.#names,
      root: this.#root,
      zoneCount: this.#zoneCount,
      retired: this.#limbo.content(),
    }
  }

  /** Serial of the published version, 0 if there is none. */
  get serial(): number {
    return this.#root === 0 ? 0 : rootSerial(this.#words, this.#root)
  }

  /** Between beginLoading() and publish(). */
  get isLoading(): boolean {
    return this.#loading
  }

  /** Nothing is half done: save() may be called. */
  get isIdle(): boolean {
    return !this.#inTransaction
  }

  /** A flag for each 2^PART_WORDS_LOG2 words of the region: set when something in them changes. Whoever reads it clears it. */
  get changedParts(): Uint8Array {
    return this.#allocator.changedParts
  }

  get stats(): IndexStats {
    return {
      version: this.#version,
      names: this.#publishedNames,
      liveBytes: this.#allocator.liveWords * 4 - this.#limbo.words * 4,
      reservedBytes: this.#allocator.reservedWords * 4,
      limboBytes: this.#limbo.words * 4,
    }
  }

  /** Whether names that the next versions lack do not exist; true unless it is set. Takes effect with the next publish(). */
  complete = true

  /**
   * What follows is one large transaction, cheaper than others: changed in place, and nothing remembered. It cannot be aborted:
   * after a RegionFullError the writer is of no use. The transaction ends with publish().
   */
  beginLoading(): void {
    assert(!this.#inTransaction || this.#loading, 'nothing is half done')
    this.#begin()
    this.#loading = true
  }

  /** While loading, from time to time: drops names that turned out to have no reason to exist. Refs of names made so far may be gone. */
  sweepLoading(): void {
    assert(this.#loading, 'loading')
    this.#sweep()
    this.#touched.clear()
    this.#know(0, 0)
  }

  /**
   * The apex of the next zone: the first call makes that of zone 0 of the ZoneTable that readers use, and so on.
   * It exists for good. @throws RegionFullError
   */
  addZone(): number {
    this.#begin()
    sealKey(this.#key, this.#zoneCount++, 0)
    const name = this.#newName()
    this.#index(name)
    this.#count(name, 1, 0) // counted as its own child: never without reason to exist
    return name
  }

  /** A name that lies in no zone, for records to refer to; it lives as long as they do. @throws RegionFullError */
  foreignName(labels: readonly string[]): number {
    this.#begin()
    const wire = wireOfLabels(labels)
    this.#key.key.set(wire)
    sealKey(this.#key, NO_ZONE, wire.length)
    return this.#newName()
  }

  /** The name `label`.`parent`, made if it does not exist. @throws RegionFullError */
  child(parent: number, label: string): number {
    this.#begin()
    const found = this.existingChild(parent, label)
    if (found !== 0) return found
    const name = this.#newName()
    this.#index(name)
    this.#count(parent, 1, 0)
    this.#touched.push(name)
    this.#know(name, 0)
    return name
  }

  /** The name `label`.`parent` if it exists in the version in the making, else 0. */
  existingChild(parent: number, label: string): number {
    const words = this.#words
    const { key } = this.#key
    key[0] = label.length
    for (let i = 0; i < label.length; i++) key[i + 1] = FOLD[label.charCodeAt(i) & 0xff]
    const start = label.length + 1
    this.#copyKey(parent, 0, start)
    sealKey(this.#key, nameZone(words, parent), start + nameLength(words, parent))
    return nameChildren(words, parent) === 0 ? 0 : this.#findKey()
  }

  /** The block of `name` in the version in the making; 0 if it has none. */
  blockOf(name: number): number {
    if (name !== this.#knownName) {
      const entry = this.#entryOf(name)
      this.#know(name, entry === 0 ? 0 : entryBlock(this.#words, entry))
    }
    return this.#knownBlock
  }

  /** Gives `name` the RRsets that `builder` holds, in place of what it had. @throws RegionFullError */
  setBlock(name: number, builder: BlockBuilder): void {
    this.#begin()
    this.#requireRoom()
    const block = this.#allocate(builder.size)
    builder.write(this.#words, block)
    forEachTarget(this.#words, block, (target) => this.#count(target, 0, 1))
    this.#replaceBlock(name, this.blockOf(name), block)
    // A name that was just made for these records: no need to look at it again.
    if (this.#touched.last === name) this.#touched.length--
  }

  /** Takes all RRsets from `name`. */
  clearBlock(name: number): void {
    this.#begin()
    const old = this.blockOf(name)
    if (old !== 0) this.#replaceBlock(name, old, 0)
    this.#touched.push(name)
  }

  /**
   * Makes everything since the last publication visible to readers at once.
   * @param serial  SOA serial of the version, seconds since 1970
   * @returns the version, or 0 if there was nothing to publish
   * @throws RegionFullError: nothing is published then, call abort()
   */
  publish(serial: number): number {
    if (this.complete !== this.#publishedComplete) this.#begin()
    if (!this.#inTransaction) return 0
    this.#sweep()
    const root = this.#allocate(ROOT_WORDS)
    assert(this.#trie.top !== 0, 'a version has a trie')
    writeRoot(this.#words, root, this.#trie.top, this.#version, serial, this.#names, this.complete)
    if (this.#root !== 0) this.#retired.push(this.#root, ROOT_WORDS)
    // Last of all: a reader that loads the new root must find every word it leads to written.
    Atomics.store(this.#words, rootWord(), root)
    if (this.#loading) this.#allocator.changedParts.fill(1) // changes in place, flags may have been cleared since
    this.#root = root
    this.#publishedComplete = this.complete
    this.#publishedTop = this.#trie.top
    this.#publishedNames = this.#names
    if (this.#retired.length > 0) this.#limbo.add(this.#version, this.#retired.content())
    this.#endTransaction()
    this.reclaim()
    return this.#version
  }

  /** Drops everything since the last publication. Names returned since then are no longer valid. */
  abort(): void {
    if (!this.#inTransaction) return
    assert(!this.#loading, 'loading cannot be aborted')
    const log = this.#counterLog.content()
    // A name that this transaction made and dropped again may be anything by now, but only something that is freed below.
    for (let i = log.length - 3; i >= 0; i -= 3) {
      this.#allocator.mark(log[i] + 1, 2)
      addNameChildren(this.#words, log[i], -log[i + 1])
      addNameUses(this.#words, log[i], -log[i + 2])
    }
    const kept = new Map<number, number>()
    const allocations = this.#allocations.content()
    for (let i = 0; i < allocations.length; i += 2) {
      if (allocations[i] < 0) kept.delete(-allocations[i])
      else kept.set(allocations[i], allocations[i + 1])
    }
    for (const [ref, size] of kept) this.#allocator.free(ref, size)
    this.#trie.top = this.#publishedTop
    this.#names = this.#publishedNames
    this.#version = this.#version === 1 ? 0 : this.#version - 1
    this.#endTransaction()
  }

  /** Gives back memory that every reader has left. Called by publish(); call it also when idle. */
  reclaim(): void {
    this.#limbo.reclaim()
  }

  #begin(): void {
    if (this.#inTransaction) return
    this.#inTransaction = true
    this.#version = this.#version === VERSION_MAX ? 1 : this.#version + 1
    this.#trie.begin(this.#version)
  }

  #know(name: number, block: number): void {
    this.#knownName = name
    this.#knownBlock = block
  }

  #endTransaction(): void {
    this.#inTransaction = false
    this.#loading = false
    this.#know(0, 0)
    this.#allocations.clear()
    this.#retired.clear()
    this.#counterLog.clear()
    this.#touched.clear()
  }

  /** What makes the index larger leaves a part of the region alone: names are taken away through copies of trie nodes. */
  #requireRoom(): void {
    const reserve = this.#words.length >> RESERVE_SHIFT
    if (this.#allocator.roomWords >= reserve) return
    this.reclaim()
    if (this.#allocator.roomWords < reserve) throw new RegionFullError(this.#words.length)
  }

  #allocate(size: number): number {
    let ref = this.#allocator.allocate(size)
    if (ref === 0) {
      // Readers may have moved on since the last publication.
      this.reclaim()
      ref = this.#allocator.allocate(size)
      if (ref === 0) throw new RegionFullError(this.#words.length)
    }
    if (!this.#loading) this.#allocations.push(ref, size)
    return ref
  }

  #count(name: number, children: number, uses: number): void {
    this.#allocator.mark(name + 1, 2) // the counters: not always in the part of the name's first word
    addNameChildren(this.#words, name, children)
    addNameUses(this.#words, name, uses)
    if (!this.#loading) this.#counterLog.push(name, children, uses)
  }

  #replaceBlock(name: number, old: number, block: number): void {
    this.#trie.update(name, block)
    this.#know(name, block)
    if (old === 0) return
    const dropped: number[] = []
    forEachTarget(this.#words, old, (target) => dropped.push(target))
    this.#retired.push(old, blockSize(this.#words, old))
    for (const target of dropped) this.#dropUse(target)
  }

  #dropUse(name: number): void {
    this.#count(name, 0, -1)
    if (nameUses(this.#words, name) === 0) this.#retired.push(name, nameWords(nameLength(this.#words, name)))
  }

  /** Takes out of the trie every touched name that has neither records nor names below it, and so on upwards. */
  #sweep(): void {
    const words = this.#words
    this.#lastParent = 0
    for (let i = 0; i < this.#touched.length; i++) {
      let name = this.#touched.at(i)
      while (name !== 0 && nameUses(words, name) > 0 && nameChildren(words, name) === 0) {
        const entry = this.#entryOf(name)
        if (entry === 0 || entryBlock(words, entry) !== 0) break
        const parent = this.#parentOf(name)
        this.#trie.remove(name)
        this.#names--
        if (parent !== 0) this.#count(parent, -1, 0)
        this.#dropUse(name)
        name = parent
      }
    }
  }

  /** Makes a name of the key in #key. */
  #newName(): number {
    this.#requireRoom()
    const { meta, keyWords } = this.#key
    const name = this.#allocate(nameWords(meta & 0xffff))
    writeName(this.#words, name, meta, keyWords)
    return name
  }

  #index(name: number): void {
    this.#trie.insert(name, 0)
    this.#names++
    this.#count(name, 0, 1)
  }

  /** Octets of the key of `name` from `from` on to key[to..]. */
  #copyKey(name: number, from: number, to: number): void {
    const { key } = this.#key
    const octets = this.#octets
    const end = nameOctets(name) + nameLength(this.#words, name)
    for (let at = nameOctets(name) + from; at < end; at++) key[to++] = octets[at]
  }

  /** The indexed name with the key in #key, or 0. */
  #findKey(): number {
    const { meta, hash, keyWords } = this.#key
    const entry = this.#trie.top === 0 ? 0 : find(this.#words, this.#trie.top, hash, meta, keyWords)
    if (entry === 0) return 0
    this.#know(entryName(this.#words, entry), entryBlock(this.#words, entry))
    return this.#knownName
  }

  /** The indexed name right above `name`; 0 above an apex. */
  #parentOf(name: number): number {
    const length = nameLength(this.#words, name)
    if (length === 0) return 0
    const from = this.#octets[nameOctets(name)] + 1
    if (this.#isParent(this.#lastParent, name, from)) return this.#lastParent
    this.#copyKey(name, from, 0)
    sealKey(this.#key, nameZone(this.#words, name), length - from)
    this.#lastParent = this.#findKey()
    return this.#lastParent
  }

  /** Is what `name` has from octet `from` on the key of `parent`? */
  #isParent(parent: number, name: number, from: number): boolean {
    const words = this.#words
    const octets = this.#octets
    const length = nameLength(words, name) - from
    if (parent === 0 || nameMeta(words, parent) !== keyMeta(nameZone(words, name), length)) return false
    const own = nameOctets(name) + from
    const other = nameOctets(parent)
    for (let i = 0; i < length; i++) if (octets[own + i] !== octets[other + i]) return false
    return true
  }

  #entryOf(name: number): number {
    const words = this.#words
    const length = nameLength(words, name)
    if (this.#trie.top === 0) return 0
    const from = nameKeyWord(name)
    const { keyWords } = this.#key
    for (let i = 0; i < (length + 3) >> 2; i++) keyWords[i] = words[from + i]
    const entry = find(words, this.#trie.top, nameHash(words, name), nameMeta(words, name), keyWords)
    return entry !== 0 && entryName(words, entry) === name ? entry : 0
  }
}
