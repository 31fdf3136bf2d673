// The cache of forwarded answers: how many queries a full one answers, beside LRU and dropping at random (what CoreDNS does), and what an
// operation costs. `npm run bench:cache`, or node bench/cache.ts [--seed N] [--costs]
//
// Traces are made from a seed: Zipf's law over 100,000 names, 10,000 queries a second. Costs are the fastest of many short passes, for the machine may be noisy.

import { once } from 'node:events'
import { parseArgs } from 'node:util'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import { Query } from '../src/dns/question.ts'
import { CacheReader } from '../src/forward/cache-reader.ts'
import { createCache, readCacheFigures } from '../src/forward/cache-region.ts'
import { CacheWriter } from '../src/forward/cache-writer.ts'
import { SUCCESS } from '../src/forward/ready-answer.ts'
import { CLASS_IN, generator, keyOf, TYPE_A } from '../test/forward/cache-content.ts'
import { hitRate, LruCache, OurCache, RandomCache, type TraceShape, trace } from '../test/forward/cache-traces.ts'

const CAPACITY = 9984
const FOREVER = 1_000_000
const BATCH = 64
const PASSES = 60
const LOOKUPS = 40_000
/** Words of the longest key here. */
const KEY_STRIDE = 8
const FORM = { words: new Int32Array(24), wordCount: 24 }
const NOW_MS = 1_000_000_000

const BASE: TraceShape = { names: 100_000, exponent: 0.9, scanShare: 0, ttl: FOREVER, queries: 1_000_000 }
const TRACES: readonly [what: string, shape: TraceShape][] = [
  ['Zipf 0.9', BASE],
  ['Zipf 0.9, 30 % scanned once', { ...BASE, scanShare: 0.3 }],
  ['Zipf 0.9, 33 % scanned twice', { ...BASE, scanShare: 0.2, scanTwice: true }],
  ['Zipf 1.0', { ...BASE, exponent: 1 }],
  ['Zipf 1.0, 50 % scanned once', { ...BASE, exponent: 1, scanShare: 0.5 }],
  ['Zipf 0.9, TTL 30 s', { ...BASE, ttl: 30 }],
  ['Zipf 0.9, TTL 30 s, 30 % scanned once', { ...BASE, ttl: 30, scanShare: 0.3 }],
]

/** How a hit is made sure of: as it is done, or by a sequence number in the entry with a second look by a read-modify-write. */
type Check = 'epoch' | 'sequence number'

interface ThreadData {
  readonly region: SharedArrayBuffer
  readonly control: SharedArrayBuffer
  readonly names: number
  readonly check: Check
}

/** Keys side by side, to be taken into one query as a worker has them: from memory that is in its cache. */
class Keys {
  readonly count: number
  readonly #query = new Query()
  readonly #metas: Int32Array
  readonly #hashes: Int32Array
  readonly #words: Int32Array

  constructor(count: number, prefix = 'host') {
    this.count = count
    this.#metas = new Int32Array(count)
    this.#hashes = new Int32Array(count)
    this.#words = new Int32Array(count * KEY_STRIDE)
    for (let i = 0; i < count; i++) {
      const { meta, hash, keyWords } = keyOf(`${prefix}-${i}.some.example.com`)
      this.#metas[i] = meta
      this.#hashes[i] = hash
      this.#words.set(keyWords.subarray(0, KEY_STRIDE), i * KEY_STRIDE)
    }
  }

  get(i: number): Query {
    const query = this.#query
    query.meta = this.#metas[i]
    query.hash = this.#hashes[i]
    for (let word = 0; word < KEY_STRIDE; word++) query.keyWords[word] = this.#words[i * KEY_STRIDE + word]
    return query
  }
}

function put(writer: CacheWriter, key: Query): boolean {
  return writer.put(key, TYPE_A, CLASS_IN, 0, SUCCESS, false, 30, NOW_MS + 30_000, NOW_MS, FORM)
}

function filledCache(keys: Keys, readers: number): SharedArrayBuffer {
  const region = createCache({ success: keys.count, denial: 0, octets: keys.count * 512 }, readers)
  const writer = new CacheWriter(region)
  for (let i = 0; i < keys.count; i++) put(writer, keys.get(i))
  return region
}

/** Nanoseconds for each of `count`. */
function fastest(count: number, run: () => void): number {
  let bestMs = Number.POSITIVE_INFINITY
  for (let pass = 0; pass < PASSES; pass++) {
    const beganMs = performance.now()
    run()
    bestMs = Math.min(bestMs, performance.now() - beganMs)
  }
  return (bestMs * 1e6) / count
}

/** Looks up `LOOKUPS` keys in batches. @returns how many were there */
function lookUp(reader: CacheReader, keys: Keys, order: Int32Array, check: Check): number {
  const { words } = reader
  let found = 0
  for (let i = 0; i < LOOKUPS; i++) {
    if (i % BATCH === 0 && check === 'epoch') reader.hold()
    if (!reader.find(keys.get(order[i]), TYPE_A, CLASS_IN, 0)) continue
    const { success } = reader
    if (check === 'sequence number') {
      const before = Atomics.load(words, success)
      if (Atomics.add(words, success, 0) !== before) continue
    }
    reader.hit(success, NOW_MS)
    found++
  }
  reader.release()
  return found
}

function drawOrder(names: number, seed: number): Int32Array {
  const random = generator(seed)
  return Int32Array.from({ length: LOOKUPS }, () => random(names))
}

function runThread({ region, control, names, check }: ThreadData): void {
  const keys = new Keys(names)
  const order = drawOrder(names, 5)
  const reader = new CacheReader(region, 1)
  const stop = new Int32Array(control)
  lookUp(reader, keys, order, check)
  parentPort!.postMessage('running')
  while (Atomics.load(stop, 0) === 0) lookUp(reader, keys, order, check)
}

/** Nanoseconds a hit, while another thread looks up the same names or while none does. */
async function measureHits(names: number, check: Check, hasOther: boolean): Promise<number> {
  const keys = new Keys(names)
  const region = filledCache(keys, 2)
  const order = drawOrder(names, 9)
  const reader = new CacheReader(region, 0)
  const control = new SharedArrayBuffer(4)
  let other: Worker | null = null
  if (hasOther) {
    const data: ThreadData = { region, control, names, check }
    other = new Worker(new URL(import.meta.url), { workerData: data })
    await once(other, 'message')
  }
  const ns = fastest(LOOKUPS, () => {
    if (lookUp(reader, keys, order, check) !== LOOKUPS) throw new Error('an entry is missing')
  })
  Atomics.store(new Int32Array(control), 0, 1)
  if (other !== null) await once(other, 'exit')
  return ns
}

function printHitRates(seed: number): void {
  console.log(`hits in %, ${CAPACITY} entries, queries of the scan itself not counted; seed ${seed}`)
  for (const [what, shape] of TRACES) {
    const numbers = trace(shape, seed)
    const rates = [new OurCache(CAPACITY), new LruCache(CAPACITY), new RandomCache(CAPACITY, seed)].map((cache) =>
      (100 * hitRate(cache, numbers, shape.ttl)).toFixed(1),
    )
    console.log(`  ${what.padEnd(40)} ours ${rates[0]}   LRU ${rates[1]}   random ${rates[2]}`)
  }
}

async function printHits(): Promise<void> {
  console.log(`ns a hit (find, mark; a hold for each ${BATCH}), entries of 200 octets`)
  for (const names of [100, CAPACITY, 200_000]) {
    for (const hasOther of [false, true]) {
      const epoch = await measureHits(names, 'epoch', hasOther)
      const sequence = await measureHits(names, 'sequence number', hasOther)
      const where = `${names} entries${hasOther ? ', another thread on them' : ''}`
      console.log(`  ${where.padEnd(40)} ${epoch.toFixed(0)}   by sequence numbers ${sequence.toFixed(0)}`)
    }
  }
}

function printOthers(seed: number): void {
  const keys = new Keys(CAPACITY)
  const region = filledCache(keys, 1)
  const reader = new CacheReader(region, 0)
  const others = new Keys(CAPACITY, 'other')
  const order = drawOrder(CAPACITY, seed)
  console.log('ns for other operations')
  const miss = fastest(LOOKUPS, () => {
    if (lookUp(reader, others, order, 'epoch') !== 0) throw new Error('an entry too many')
  })
  const hold = fastest(LOOKUPS, () => {
    for (let i = 0; i < LOOKUPS; i++) {
      reader.hold()
      reader.release()
    }
  })
  const writer = new CacheWriter(region)
  const puts = (use: Keys, numbers: Int32Array): number =>
    fastest(LOOKUPS, () => {
      for (let i = 0; i < LOOKUPS; i++) {
        if (!put(writer, use.get(numbers[i]))) throw new Error('no room')
        if (i % BATCH === 0) writer.flush()
      }
    })
  const replacing = puts(keys, order)
  const evicting = puts(
    new Keys(LOOKUPS, 'new'),
    Int32Array.from({ length: LOOKUPS }, (_, i) => i),
  )
  console.log(
    `  miss ${miss.toFixed(0)}   hold and release ${hold.toFixed(0)}   put: in place of another ${replacing.toFixed(0)}, ` +
      `evicting ${evicting.toFixed(0)}`,
  )
  const { entries, octets } = readCacheFigures(region)
  console.log(`  ${(octets / entries.success).toFixed(0)} octets an entry with a form of 96`)
}

if (isMainThread) {
  const { values } = parseArgs({
    options: { costs: { type: 'boolean' }, seed: { type: 'string', default: '20260201' } },
  })
  const seed = Number(values.seed)
  if (values.costs !== true) printHitRates(seed)
  await printHits()
  printOthers(seed)
} else runThread(workerData as ThreadData)
