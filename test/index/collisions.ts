// Names whose hashes agree, found by counting through many: what makes a trie deep, and its last level a list.

import { keyHash, keyMeta } from '../../src/dns/key.ts'

const LABEL_LENGTH = 7 // with its length octet a key of two words
const CANDIDATES_FIRST = 2 ** 18
const CANDIDATES_MAX = 2 ** 23 // a good hash has some triples among so many
const DIGITS = Buffer.from('abcdefghijklmnopqrstuvwxyz012345')

/** Groups of labels below the apex of one zone. */
export interface Collisions {
  /** All 32 bits agree; the largest groups first, which are of three labels at least. */
  readonly full: readonly (readonly string[])[]
  /** Pairs that agree in the low `bits` bits and differ in the five above (fewer at the end): 20, 25, 30. */
  readonly shared: readonly { readonly bits: number; readonly labels: readonly string[] }[]
}

const words = new Int32Array(2)
const octets = new Uint8Array(words.buffer)

function labelOf(candidate: number): string {
  return Array.from({ length: LABEL_LENGTH }, (_, i) => String.fromCharCode(DIGITS[(candidate >>> (5 * i)) & 31])).join(
    '',
  )
}

function hashOf(candidate: number, meta: number): number {
  octets[0] = LABEL_LENGTH
  for (let i = 0; i < LABEL_LENGTH; i++) octets[i + 1] = DIGITS[(candidate >>> (5 * i)) & 31]
  return keyHash(words, 0, meta)
}

/** Deterministic. */
export function findCollisions(zone: number): Collisions {
  const meta = keyMeta(zone, LABEL_LENGTH + 1)
  for (let candidates = CANDIDATES_FIRST; candidates <= CANDIDATES_MAX; candidates *= 2) {
    // Sorted by the hash read backwards: neighbours share the most levels of the trie.
    const reversed = new Uint32Array(candidates)
    for (let i = 0; i < candidates; i++) reversed[i] = reverseBits(hashOf(i, meta))
    const sorted = reversed.slice().sort()
    const full = groupsOf(sorted, (a, b) => a === b)
    const deep = [20, 25, 30].flatMap((bits) =>
      groupsOf(sorted, (a, b) => a !== b && Math.floor(Math.clz32(a ^ b) / 5) * 5 === bits).slice(0, 1),
    )
    if (deep.length < 3 || !full.some((group) => group.length > 2)) continue
    const wanted = new Map([...full, ...deep].flat().map((hash) => [hash, [] as string[]]))
    for (let i = 0; i < candidates; i++) wanted.get(reversed[i])?.push(labelOf(i))
    return {
      full: full.map(([hash]) => wanted.get(hash)!).slice(0, 4),
      shared: deep.map((group, i) => ({ bits: 20 + 5 * i, labels: group.map((hash) => wanted.get(hash)![0]) })),
    }
  }
  throw new Error(`no three of ${CANDIDATES_MAX} names have one hash`)
}

/** Runs of neighbours that `belong` together, the longest first. */
function groupsOf(sorted: Uint32Array, belong: (a: number, b: number) => boolean): number[][] {
  const groups: number[][] = []
  for (let i = 1; i < sorted.length; i++) {
    if (!belong(sorted[i - 1], sorted[i])) continue
    const group = [sorted[i - 1]]
    for (; i < sorted.length && belong(sorted[i - 1], sorted[i]); i++) group.push(sorted[i])
    groups.push(group)
  }
  return groups.sort((a, b) => b.length - a.length)
}

function reverseBits(hash: number): number {
  let reversed = 0
  for (let i = 0; i < 32; i++) reversed = (reversed << 1) | ((hash >>> i) & 1)
  return reversed >>> 0
}
