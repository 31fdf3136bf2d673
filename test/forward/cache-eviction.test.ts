// What a full cache keeps. Bounds are what was measured, less some room; bench/cache.ts prints the figures.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CacheReader } from '../../src/forward/cache-reader.ts'
import { createCache, readCacheFigures } from '../../src/forward/cache-region.ts'
import { CacheWriter } from '../../src/forward/cache-writer.ts'
import { Eviction, type Residents } from '../../src/forward/eviction.ts'
import { SUCCESS } from '../../src/forward/ready-answer.ts'
import { CLASS_IN, ContentWriter, findVersions, generator, questionOf } from './cache-content.ts'
import { hitRate, LruCache, OurCache, RandomCache, type TraceShape, trace } from './cache-traces.ts'

const SEED = 20260201
const CAPACITY = 1024
const FOREVER = 1_000_000
const SHAPE: TraceShape = { names: 20_000, exponent: 0.9, scanShare: 0, ttl: FOREVER, queries: 300_000 }

const traces: [what: string, shape: TraceShape, overLru: number, overRandom: number][] = [
  ['Zipf', SHAPE, 0.06, 0.1],
  ['Zipf, a third of the queries is a scan', { ...SHAPE, scanShare: 0.33 }, 0.12, 0.16],
  ['Zipf, names of a scan are asked twice', { ...SHAPE, scanShare: 0.2, scanTwice: true }, 0.1, 0.14],
  ['Zipf, TTLs of 5 s', { ...SHAPE, ttl: 5 }, 0.03, 0.07],
  ['Zipf, TTLs of 5 s and a scan', { ...SHAPE, ttl: 5, scanShare: 0.33 }, 0.07, 0.11],
]
for (const [what, shape, overLru, overRandom] of traces) {
  test(`more hits than LRU and random: ${what}`, (t) => {
    const numbers = trace(shape, SEED)
    const ours = new OurCache(CAPACITY)
    const rate = hitRate(ours, numbers, shape.ttl)
    const lru = hitRate(new LruCache(CAPACITY), numbers, shape.ttl)
    const random = hitRate(new RandomCache(CAPACITY, SEED), numbers, shape.ttl)
    t.diagnostic(`ours ${rate.toFixed(4)}, LRU ${lru.toFixed(4)}, random ${random.toFixed(4)}`)
    assert.ok(rate > lru + overLru && rate > random + overRandom)
    assert.equal(readCacheFigures(ours.region).entries.success, CAPACITY)
  })
}

test('names in use outlive any number of names that are asked once', () => {
  const cache = new OurCache(CAPACITY)
  const random = generator(SEED)
  for (let i = 0; i < 20_000; i++) {
    const name = random(700)
    if (!cache.get(name, 1)) cache.put(name, 2, 1)
  }
  for (let i = 1; i <= 100_000; i++) {
    cache.put(-i, 2, 1)
    if (i % 10 === 0) cache.get(random(700), 1)
  }
  let left = 0
  for (let name = 0; name < 700; name++) if (cache.get(name, 1)) left++
  // One may go before its time: the first time that the cache is full, all of them are to be moved, and that is cut short.
  assert.ok(left >= 695, `${left} of 700 are left`)
})

/** Slots whose uses are what the test says. */
class Uses implements Residents {
  readonly counts = new Map<number, number>()
  asked = 0
  uses(slot: number): number {
    this.asked++
    return this.counts.get(slot) ?? 0
  }
  setUses(slot: number, uses: number): void {
    this.counts.set(slot, uses)
  }
}

test('slots go in the order in which they came', () => {
  const eviction = new Eviction(20)
  const uses = new Uses()
  for (let slot = 1; slot <= 20; slot++) eviction.add(slot, slot, 1)
  eviction.remove(2)
  assert.deepEqual(
    Array.from({ length: 19 }, () => eviction.evict(uses, false)),
    [1, ...Array.from({ length: 18 }, (_, i) => i + 3)],
  )
  assert.equal(eviction.evict(uses, false), 0, 'there is none left')
})

test('two uses keep a slot, each further turn costs one, and who comes back stays longer', () => {
  const eviction = new Eviction(20)
  const uses = new Uses()
  const evict = (): number => eviction.evict(uses, false)
  for (let slot = 1; slot <= 6; slot++) eviction.add(slot, slot, 1)
  uses.counts.set(1, 1).set(2, 2).set(3, 3)
  assert.deepEqual([evict(), evict()], [1, 4], 'one use is not enough')
  assert.equal(uses.counts.get(2), 0, 'uses count anew in the main queue')
  uses.counts.set(2, 1)
  // Number 4 comes back, in another slot: it begins in the main queue, behind 2 and 3.
  eviction.add(7, 4, 1)
  assert.deepEqual([evict(), evict()], [5, 6], 'a tenth of all, that is none, may be in the small queue')
  assert.deepEqual([evict(), evict(), evict(), evict()], [3, 7, 2, 0])
})

test('which queue gives is a matter of sizes when room is short', () => {
  const uses = new Uses()
  // 1 is gone then, 2 to 87 are in the main queue, 88 to 96 in the small one.
  const fill = (): Eviction => {
    const eviction = new Eviction(100)
    for (let slot = 1; slot <= 96; slot++) {
      eviction.add(slot, slot, 1)
      uses.counts.set(slot, 3)
    }
    assert.equal(eviction.evict(uses, false), 1)
    for (let slot = 1; slot <= 96; slot++) uses.counts.set(slot, 0)
    return eviction
  }
  assert.equal(fill().evict(uses, true), 2)
  const eviction = fill()
  eviction.resize(88, 20)
  assert.equal(eviction.evict(uses, false), 2)
  assert.equal(eviction.evict(uses, true), 88)
  assert.equal(eviction.evict(uses, true), 3)
})

test('a few long entries do not drive out many short ones', () => {
  const region = createCache({ success: 5000, denial: 0, octets: 2 ** 21 }, 1)
  const content = new ContentWriter(new CacheWriter(region))
  const reader = new CacheReader(region, 0)
  const short = Array.from({ length: 1000 }, (_, number) => questionOf(number))
  for (const question of short) content.put(question, SUCCESS, 1, 40)
  for (let round = 0; round < 3; round++) {
    for (const { key, type, bits } of short) if (reader.find(key, type, CLASS_IN, bits)) reader.hit(reader.success)
  }
  for (let number = 1000; number < 3000; number++) assert.ok(content.put(questionOf(number), SUCCESS, 1, 16_000))
  const left = short.filter((question) => findVersions(reader, question)[0] === 1).length
  assert.ok(left >= 990, `${left} of 1000 are left`)
  assert.ok(readCacheFigures(region).evictions.success > 1900)
})

test('when everything is in use, something goes all the same, and soon', () => {
  const eviction = new Eviction(10_000)
  const uses = new Uses()
  uses.setUses = () => {}
  for (let slot = 1; slot <= 10_000; slot++) {
    eviction.add(slot, slot, 1)
    uses.counts.set(slot, 3)
  }
  for (let i = 0; i < 1000; i++) {
    uses.asked = 0
    assert.ok(eviction.evict(uses, false) > 0)
    assert.ok(uses.asked < 300, `${uses.asked} were asked`)
  }
})
