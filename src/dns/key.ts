// Keys: the part of a name left of its zone, folded, as words. What the index is searched with.
// Words, not octets, because folding, hashing and comparing four octets at a time is several times cheaper. Hot.

import { NAME_LENGTH_MAX } from './name.ts'

/** Words that the longest name takes. */
export const KEY_WORDS = (NAME_LENGTH_MAX >> 2) + 1

/** Zone of a name that lies in none: its key is the whole name, root octet included. */
export const NO_ZONE = 0xffff

// Memory order of the octets of a word, and so which of its bits the first n octets are.
const LITTLE_ENDIAN = new Uint8Array(Uint32Array.of(1).buffer)[0] === 1
const FIRST_OCTETS = LITTLE_ENDIAN
  ? Int32Array.of(-1, 0xff, 0xffff, 0xffffff)
  : Int32Array.of(-1, 0xff000000, 0xffff0000, 0xffffff00)

/** Zone and length of a key in one word: what has to be equal first. `length` in octets, 0..255. */
export function keyMeta(zone: number, length: number): number {
  return (zone << 16) | length
}

/** Bits of the last word of a key of `length` octets that belong to it. */
export function lastWordMask(length: number): number {
  return FIRST_OCTETS[length & 3]
}

/** Folds A..Z to a..z in all four octets of a word at once (RFC 4343 §3); other octets, >= 0x80 included, stay. */
export function foldWord(word: number): number {
  const low = word & 0x7f7f7f7f
  const upper = ~word & ((low + 0x3f3f3f3f) ^ (low + 0x25252525)) & 0x80808080
  return word | (upper >>> 2)
}

/** First step of a key's hash. */
export function keyHashStart(meta: number): number {
  return keyHashStep(0, meta)
}

/** Next step: one folded word, the octets behind the key cleared. MurmurHash3, 32 bits: most of it waits for no step before. */
export function keyHashStep(hash: number, word: number): number {
  const scrambled = Math.imul(word, 0xcc9e2d51)
  const mixed = hash ^ Math.imul((scrambled << 15) | (scrambled >>> 17), 0x1b873593)
  return (Math.imul((mixed << 13) | (mixed >>> 19), 5) + 0xe6546b64) | 0
}

/** Last step: spreads every bit over the whole hash (the finalizer of MurmurHash3), for a trie that takes 5 bits at a time. */
export function keyHashEnd(hash: number): number {
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return hash ^ (hash >>> 16)
}

/** Hash of the key in words[from..], of which the octets behind `length` are zero. */
export function keyHash(words: Int32Array, from: number, meta: number): number {
  const end = from + (((meta & 0xffff) + 3) >> 2)
  let hash = keyHashStart(meta)
  for (let i = from; i < end; i++) hash = keyHashStep(hash, words[i])
  return keyHashEnd(hash)
}
