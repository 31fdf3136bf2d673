// Cache entries that prove themselves: every word of a form and of what stands beside it follows from the number of its question and
// a version, so that whoever reads can tell whether it belongs together.

import { Query, readKey, readName } from '../../src/dns/question.ts'
import type { CacheReader } from '../../src/forward/cache-reader.ts'
import type { CacheWriter } from '../../src/forward/cache-writer.ts'
import { DENIAL, SUCCESS } from '../../src/forward/ready-answer.ts'

export const TYPE_A = 1
export const CLASS_IN = 1
/** Words of the longest form here. */
const FORM_WORDS_MAX = 24_000
const FORM_HEADER_WORDS = 4

const scratch = new Int32Array(64)
const scratchOctets = new Uint8Array(scratch.buffer)

/** The key of a whole name, dots between the labels. */
export function keyOf(name: string): Query {
  const query = new Query()
  scratchOctets.fill(0)
  let at = 0
  for (const label of name.split('.')) {
    scratchOctets[at++] = label.length
    for (const letter of label) scratchOctets[at++] = letter.charCodeAt(0)
  }
  readName(query, scratchOctets, 0, scratchOctets.length)
  readKey(query, scratch, 0, 0, query.nameLength - 1)
  return query
}

/** Question number `number`: names of all lengths modulo 4, some types and bits. */
export interface Question {
  readonly number: number
  readonly key: Query
  readonly type: number
  readonly bits: number
}

export function questionOf(number: number): Question {
  const name = `${'x'.repeat(number % 7)}n${number >> 3}.example`
  return { number, key: keyOf(name), type: (number & 1) === 0 ? TYPE_A : 28, bits: (number >> 1) & 3 }
}

function mix(a: number, b: number, c: number): number {
  let word = Math.imul(a ^ Math.imul(b, 0x9e3779b1), 0x85ebca6b) ^ Math.imul(c, 0xc2b2ae35)
  word ^= word >>> 15
  return Math.imul(word, 0x27d4eb2f) | 0
}

/** Mostly short, some of 1 to 2 KiB, one in 500 of 64 KiB or more. */
export function formLength(number: number, version: number): number {
  const dice = mix(number, version, 1) >>> 0
  if (dice % 500 === 0) return 16_000 + (dice % 8000)
  return FORM_HEADER_WORDS + (dice % 10 === 0 ? 256 + (dice % 256) : dice % 50)
}

/** Puts versions of questions. */
export class ContentWriter {
  readonly #form = { words: new Int32Array(FORM_WORDS_MAX), wordCount: 0 }
  readonly #writer: CacheWriter

  constructor(writer: CacheWriter) {
    this.#writer = writer
  }

  /** @param version  below 2^20 */
  put({ number, key, type, bits }: Question, kind: number, version: number, wordCount: number): boolean {
    const form = this.#form
    form.wordCount = wordCount
    form.words[0] = number
    form.words[1] = version
    form.words[2] = form.wordCount
    form.words[3] = kind
    for (let i = FORM_HEADER_WORDS; i < form.wordCount; i++) form.words[i] = mix(number, version, i)
    const isFailure = kind === DENIAL && version % 2 === 1
    return this.#writer.put(key, type, CLASS_IN, bits, kind, isFailure, version, version + number + 0.5, version, form)
  }
}

/** The version of the entry `ref`. @throws Error if anything in it is not as ContentWriter.put() wrote it for this question */
export function versionAt(reader: CacheReader, ref: number, number: number, kind: number): number {
  const { words } = reader
  const form = reader.form(ref)
  const version = words[form + 1]
  const wordCount = words[form + 2]
  const where = `question ${number}, kind ${kind}, version ${version}, ref ${ref}`
  if (words[form] !== number) throw new Error(`${where}: the form of question ${words[form]}`)
  if (words[form + 3] !== kind) throw new Error(`${where}: the form of kind ${words[form + 3]}`)
  if (wordCount < FORM_HEADER_WORDS || wordCount > FORM_WORDS_MAX) throw new Error(`${where}: ${wordCount} words`)
  for (let i = FORM_HEADER_WORDS; i < wordCount; i++) {
    if (words[form + i] !== mix(number, version, i)) throw new Error(`${where}: word ${i} of ${wordCount} is another's`)
  }
  if (reader.ttl(ref) !== version) throw new Error(`${where}: lives ${reader.ttl(ref)} s`)
  if (reader.storedMs(ref) !== version) throw new Error(`${where}: stored at ${reader.storedMs(ref)}`)
  if (reader.expiresMs(ref) !== version + number + 0.5) throw new Error(`${where}: expires ${reader.expiresMs(ref)}`)
  const isFailure = kind === DENIAL && version % 2 === 1
  if (reader.isFailure(ref) !== isFailure) throw new Error(`${where}: failure ${reader.isFailure(ref)}`)
  return version
}

/** Versions that a reader finds, 0 for none. */
export function findVersions(reader: CacheReader, question: Question): readonly [success: number, denial: number] {
  const { number, key, type, bits } = question
  const isFound = reader.find(key, type, CLASS_IN, bits)
  const { success, denial } = reader
  if (isFound !== (success !== 0 || denial !== 0)) throw new Error('find() contradicts what it found')
  return [
    success === 0 ? 0 : versionAt(reader, success, number, SUCCESS),
    denial === 0 ? 0 : versionAt(reader, denial, number, DENIAL),
  ]
}

/** Numbers that the seed alone decides (xorshift32), 0..bound-1. */
export function generator(seed: number): (bound: number) => number {
  let state = seed | 1
  return (bound) => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) % bound
  }
}
