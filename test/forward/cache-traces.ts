// Seeded traces of questions, and the caches that ours is measured against: LRU, and dropping a random entry, as CoreDNS does.

import { Query, sealKey } from '../../src/dns/question.ts'
import { CacheReader } from '../../src/forward/cache-reader.ts'
import { createCache } from '../../src/forward/cache-region.ts'
import { CacheWriter } from '../../src/forward/cache-writer.ts'
import { SUCCESS } from '../../src/forward/ready-answer.ts'
import { CLASS_IN, generator, TYPE_A } from './cache-content.ts'

/** A trace of questions for names, of which number 0 is the most popular one. */
export interface TraceShape {
  readonly names: number
  /** Exponent of Zipf's law. */
  readonly exponent: number
  /** Share of queries for names that are asked once, or twice in a row. */
  readonly scanShare: number
  readonly scanTwice?: boolean
  /** Seconds that an entry lives; 10,000 queries take one second. */
  readonly ttl: number
  readonly queries: number
}

/** Numbers of names; what is scanned is negative. */
export function trace({ names, exponent, scanShare, scanTwice, queries }: TraceShape, seed: number): Int32Array {
  const random = generator(seed)
  const upTo = new Float64Array(names)
  let total = 0
  for (let name = 0; name < names; name++) {
    total += 1 / (name + 1) ** exponent
    upTo[name] = total
  }
  const drawName = (): number => {
    const drawn = (random(2 ** 31) / 2 ** 31) * total
    let low = 0
    let high = names - 1
    while (low < high) {
      const middle = (low + high) >> 1
      if (upTo[middle] < drawn) low = middle + 1
      else high = middle
    }
    return low
  }
  const numbers = new Int32Array(queries)
  let scanned = 0
  for (let i = 0; i < queries; i++) {
    if (random(1_000_000) >= scanShare * 1_000_000) numbers[i] = drawName()
    else {
      numbers[i] = --scanned
      if (scanTwice === true && i + 1 < queries) numbers[++i] = scanned
    }
  }
  return numbers
}

/** What a trace is run through. */
export interface TracedCache {
  /** Is the name there, and has not expired? */
  get(name: number, nowMs: number): boolean
  put(name: number, expiresMs: number, nowMs: number): void
}

/** @returns hits by queries that are no scan, 0..1, behind the first fifth of the trace */
export function hitRate(cache: TracedCache, numbers: Int32Array, ttl: number): number {
  let hits = 0
  let queries = 0
  for (let i = 0; i < numbers.length; i++) {
    const name = numbers[i]
    const nowMs = 1_000_000_000 + i / 10
    const isHit = cache.get(name, nowMs)
    if (!isHit) cache.put(name, nowMs + ttl * 1000, nowMs)
    if (name < 0 || i < numbers.length / 5) continue
    queries++
    if (isHit) hits++
  }
  return hits / queries
}

/** The real one. */
export class OurCache implements TracedCache {
  readonly writer: CacheWriter
  readonly reader: CacheReader
  readonly region: SharedArrayBuffer
  readonly #key = new Query()
  readonly #form = { words: new Int32Array(24), wordCount: 24 }

  constructor(capacity: number) {
    this.region = createCache({ success: capacity, denial: 0, octets: capacity * 512 }, 1)
    this.writer = new CacheWriter(this.region)
    this.reader = new CacheReader(this.region, 0)
  }

  get(name: number, nowMs: number): boolean {
    const { reader } = this
    reader.hold()
    const isThere = reader.find(this.#keyOf(name), TYPE_A, CLASS_IN, 0)
    const isHit = isThere && nowMs < reader.expiresMs(reader.success)
    if (isHit) reader.hit(reader.success, nowMs)
    reader.release()
    return isHit
  }

  put(name: number, expiresMs: number, nowMs: number): void {
    this.writer.put(this.#keyOf(name), TYPE_A, CLASS_IN, 0, SUCCESS, false, 30, expiresMs, nowMs, this.#form)
  }

  #keyOf(name: number): Query {
    const key = this.#key
    key.keyWords[0] = name
    key.keyWords[1] = name >> 16
    sealKey(key, 0, 8)
    return key
  }
}

export class LruCache implements TracedCache {
  readonly #entries = new Map<number, number>()
  readonly #capacity: number

  constructor(capacity: number) {
    this.#capacity = capacity
  }

  get(name: number, nowMs: number): boolean {
    const expiresMs = this.#entries.get(name)
    if (expiresMs === undefined || expiresMs <= nowMs) return false
    this.#entries.delete(name)
    this.#entries.set(name, expiresMs)
    return true
  }

  put(name: number, expiresMs: number): void {
    this.#entries.delete(name)
    if (this.#entries.size >= this.#capacity) this.#entries.delete(this.#entries.keys().next().value!)
    this.#entries.set(name, expiresMs)
  }
}

export class RandomCache implements TracedCache {
  readonly #places = new Map<number, number>()
  readonly #names: Int32Array
  readonly #expires: Float64Array
  readonly #random: (bound: number) => number
  #count = 0

  constructor(capacity: number, seed: number) {
    this.#names = new Int32Array(capacity)
    this.#expires = new Float64Array(capacity)
    this.#random = generator(seed)
  }

  get(name: number, nowMs: number): boolean {
    const place = this.#places.get(name)
    return place !== undefined && nowMs < this.#expires[place]
  }

  put(name: number, expiresMs: number): void {
    let place = this.#places.get(name)
    if (place === undefined) {
      if (this.#count < this.#names.length) place = this.#count++
      else {
        place = this.#random(this.#names.length)
        this.#places.delete(this.#names[place])
      }
      this.#names[place] = name
      this.#places.set(name, place)
    }
    this.#expires[place] = expiresMs
  }
}
