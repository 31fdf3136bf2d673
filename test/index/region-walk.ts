// Everything that a published version reaches: names and what they hold, as text that two regions can be compared by, and the
// memory that it takes, which must tile the region together with what waits for readers and what is free.

import assert from 'node:assert/strict'
import { allocatedWords } from '../../src/index/allocator.ts'
import { claimsOf, forEachTarget } from '../../src/index/block.ts'
import {
  bitCount,
  blockFlags,
  blockRrsetCount,
  blockSize,
  CLAIMS,
  createRegion,
  FIRST_FREE,
  FLAT,
  firstRrset,
  LEVEL_BITS,
  LIST_SHIFT,
  listCount,
  NAMES,
  NODE_HEADER_WORDS,
  nameChildren,
  nameLength,
  nameOctets,
  nameUses,
  nameWords,
  nameZone,
  nextRrset,
  nodeChild,
  nodeDataMap,
  nodeNodeMap,
  type Region,
  ROOT_WORDS,
  restoreHeader,
  rootTrie,
  rootWord,
  rrsetCount,
  rrsetData,
  rrsetEncoding,
  rrsetType,
  SRV,
} from '../../src/index/layout.ts'
import { IndexWriter } from '../../src/index/writer.ts'
import { walkTrie } from './trie-walk.ts'

const TYPE_A = 1

/** Names and what is known of them, in order of the names. */
export type Content = Record<string, string>

/** Names as `label.label.ZONE`; what they hold octet for octet, names that records refer to by name. */
export function contentOf(region: Region): Content {
  return describeNames(region, (_, block) => textOfBlock(region, block))
}

/** Counters of all names: what a writer needs beside the content to take names away again. */
export function countersOf(region: Region): Content {
  const { words } = region
  return describeNames(region, (name) => `${nameChildren(words, name)} children, ${nameUses(words, name)} uses`)
}

function describeNames(region: Region, describe: (name: number, block: number) => string): Content {
  const { entries } = walkTrie(region.words, rootTrie(region.words, publishedRoot(region)))
  const described = Array.from(entries, ([name, block]) => [textOfName(region, name), describe(name, block)])
  return Object.fromEntries(described.sort(([a], [b]) => (a < b ? -1 : 1)))
}

/** Ref of the published root. */
export function publishedRoot({ words }: Region): number {
  return words[rootWord()]
}

/** The same content in a new region, with a writer of its own: as after a restart. */
export function revive(old: IndexWriter, octets: number, readerCount = 2): IndexWriter {
  const saved = old.save()
  const region = createRegion(octets)
  region.words.set(old.region.words.subarray(0, saved.allocator.next))
  restoreHeader(region, saved.root)
  return IndexWriter.restore(region, { readerCount, poison: true }, saved)
}

/**
 * No two blocks in use overlap, nothing is in use and free, nothing is lost, and the counts agree with it. Nothing must be
 * half done.
 */
export function checkMemory(writer: IndexWriter): void {
  const { region } = writer
  const { words } = region
  const { allocator, retired } = writer.save()
  const sizes = liveBlocks(region)
  for (let i = 0; i < retired.length; i += 2) take(sizes, retired[i], retired[i + 1])
  let taken = 0
  for (const size of sizes.values()) taken += size
  assert.equal(allocator.liveWords, taken, 'what counts as taken is what is reached, or was')
  for (const head of allocator.freeHead) {
    for (let ref = head; ref !== 0; ref = words[ref]) {
      assert.ok(ref >= FIRST_FREE && ref < allocator.next, 'free blocks lie in the region')
      assert.ok(!sizes.has(ref), `${ref} is free, and free once`)
      sizes.set(ref, 0)
    }
  }
  const refs = Int32Array.from(sizes.keys()).sort()
  let end = FIRST_FREE
  for (const ref of refs) {
    // The length of a free block is not known here: it reaches to the next.
    assert.ok(end === 0 ? true : ref === end, `${ref} follows what ends at ${end}`)
    const size = sizes.get(ref)!
    end = size === 0 ? 0 : ref + size
  }
  if (end !== 0) assert.equal(end, allocator.next, 'up to the last word')
}

/** Ref -> words, of all that the published version reaches. */
function liveBlocks(region: Region): Map<number, number> {
  const { words } = region
  const sizes = new Map<number, number>()
  const root = publishedRoot(region)
  take(sizes, root, ROOT_WORDS)
  const visit = (node: number, shift: number): void => {
    if (shift >= LIST_SHIFT) {
      take(sizes, node, NODE_HEADER_WORDS + 2 * listCount(words, node))
      return
    }
    const entryCount = bitCount(nodeDataMap(words, node))
    const childCount = bitCount(nodeNodeMap(words, node))
    take(sizes, node, NODE_HEADER_WORDS + 2 * entryCount + childCount)
    for (let rank = 0; rank < childCount; rank++) visit(words[nodeChild(node, entryCount, rank)], shift + LEVEL_BITS)
  }
  visit(rootTrie(words, root), 0)
  const names = new Set<number>()
  for (const [name, block] of walkTrie(words, rootTrie(words, root)).entries) {
    names.add(name)
    if (block === 0) continue
    take(sizes, block, blockSize(words, block))
    forEachTarget(words, block, (target) => names.add(target))
  }
  for (const name of names) take(sizes, name, nameWords(nameLength(words, name)))
  return sizes
}

function take(sizes: Map<number, number>, ref: number, size: number): void {
  assert.ok(!sizes.has(ref), `${ref} is taken once`)
  sizes.set(ref, allocatedWords(size))
}

function textOfName({ words, octets }: Region, name: number): string {
  const labels: string[] = []
  const from = nameOctets(name)
  for (let at = from; at < from + nameLength(words, name) && octets[at] > 0; at += octets[at] + 1) {
    labels.push(Buffer.from(octets.slice(at + 1, at + 1 + octets[at])).toString('latin1'))
  }
  return [...labels, nameZone(words, name)].join('.')
}

function textOfBlock(region: Region, block: number): string {
  if (block === 0) return ''
  const { words } = region
  const parts = [`flags ${blockFlags(words, block)}`]
  let rrset = firstRrset(block)
  for (let i = 0; i < blockRrsetCount(words, block); i++) {
    parts.push(`${rrsetType(words, rrset)}x${rrsetCount(words, rrset)} ${textOfData(region, block, rrset)}`)
    rrset = nextRrset(words, rrset)
  }
  return parts.join('; ')
}

function textOfData(region: Region, block: number, rrset: number): string {
  const { words } = region
  const count = rrsetCount(words, rrset)
  const encoding = rrsetEncoding(words, rrset)
  const data = rrsetData(rrset)
  const end = nextRrset(words, rrset)
  const hex = (from: number, octets: number): string =>
    Buffer.from(region.octets.slice(from * 4, from * 4 + octets)).toString('hex')
  if (encoding === FLAT) return hex(data, count * (rrsetType(words, rrset) === TYPE_A ? 16 : 28))
  if (encoding === CLAIMS) {
    const claims = claimsOf(words, block)
    return claims.map(({ target, ...rest }) => `${textOfName(region, target)} ${JSON.stringify(rest)}`).join(' ')
  }
  if (encoding === NAMES || encoding === SRV) {
    const stride = encoding === SRV ? 2 : 1
    const targets = Array.from({ length: count }, (_, i) => {
      const word = data + stride * i
      return textOfName(region, words[word]) + (encoding === SRV ? `:${words[word + 1]}` : '')
    })
    const additional = data + stride * count
    return `${targets.join(' ')} + ${hex(additional, (end - additional) * 4)}`
  }
  const records: string[] = []
  for (let word = data; word < end; word += 1 + ((words[word] + 3) >> 2)) records.push(hex(word + 1, words[word]))
  return records.join(' ')
}
