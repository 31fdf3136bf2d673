// The cache against a Map, under generated operations: with room for all, the same; in a tight one, a part of the same.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { CacheReader } from '../../src/forward/cache-reader.ts'
import { createCache, readCacheFigures } from '../../src/forward/cache-region.ts'
import { CacheWriter } from '../../src/forward/cache-writer.ts'
import { DENIAL, SUCCESS } from '../../src/forward/ready-answer.ts'
import { CLASS_IN, ContentWriter, findVersions, formLength, questionOf, versionAt } from './cache-content.ts'

const SEED = Number(process.env.TEST_SEED ?? Date.now() % 2 ** 31)
const READERS = 2
/** More than one kind of them has slots for. */
const QUESTIONS = Array.from({ length: 1600 }, (_, number) => questionOf(number))
/** What fits into the smallest cache with room to spare. */
const FEW = 300

type Step =
  | {
      readonly act: 'put'
      readonly from: number
      readonly count: number
      readonly kind: number
      readonly long: boolean
    }
  | { readonly act: 'drop'; readonly from: number; readonly count: number; readonly kind: number }
  | { readonly act: 'hit'; readonly from: number; readonly count: number }
  | { readonly act: 'hold' | 'release'; readonly reader: number }
  | { readonly act: 'flush' | 'successor' }

function anySteps(questions: number): fc.Arbitrary<Step[]> {
  const from = fc.nat(questions - 1)
  const count = fc.integer({ min: 1, max: questions >> 1 })
  const kind = fc.constantFrom(SUCCESS, DENIAL)
  const reader = fc.nat(READERS - 1)
  const anyStep: fc.Arbitrary<Step> = fc.oneof(
    {
      weight: 12,
      arbitrary: fc.record({ act: fc.constant('put' as const), from, count, kind, long: fc.boolean() }),
    },
    { weight: 3, arbitrary: fc.record({ act: fc.constant('drop' as const), from, count, kind }) },
    { weight: 4, arbitrary: fc.record({ act: fc.constant('hit' as const), from, count }) },
    { weight: 4, arbitrary: fc.record({ act: fc.constantFrom('hold' as const, 'release' as const), reader }) },
    { weight: 5, arbitrary: fc.record({ act: fc.constant('flush' as const) }) },
    { weight: 1, arbitrary: fc.record({ act: fc.constant('successor' as const) }) },
  )
  return fc.array(anyStep, { minLength: 1, maxLength: 80, size: 'max' })
}

/** What steps came upon, in all runs. */
class Seen {
  refused = 0
  evicted = 0
  found = 0
  held = 0
}

/** One reader, and what it found while it held: ref, and which version of which question that is. */
class Holder {
  readonly reader: CacheReader
  isHolding = false
  readonly found = new Map<number, readonly [number: number, kind: number, version: number]>()

  constructor(region: SharedArrayBuffer, reader: number) {
    this.reader = new CacheReader(region, reader)
  }

  hold(): void {
    this.check()
    this.reader.hold()
    this.isHolding = true
    this.found.clear()
  }

  release(): void {
    this.check()
    this.reader.release()
    this.isHolding = false
    this.found.clear()
  }

  look(number: number): void {
    const versions = findVersions(this.reader, QUESTIONS[number])
    const { success, denial } = this.reader
    if (success !== 0) this.found.set(success, [number, SUCCESS, versions[SUCCESS]])
    if (denial !== 0) this.found.set(denial, [number, DENIAL, versions[DENIAL]])
  }

  check(): void {
    for (const [ref, [number, kind, version]] of this.found) {
      assert.equal(versionAt(this.reader, ref, number, kind), version)
    }
  }
}

function run(steps: readonly Step[], questions: number, isTight: boolean, seen: Seen): void {
  const region = createCache({ success: 0, denial: 0, octets: 0 }, READERS)
  let writer = new CacheWriter(region)
  let content = new ContentWriter(writer)
  const map = new Map<number, number>()
  const holders = Array.from({ length: READERS }, (_, i) => new Holder(region, i))
  let version = 0
  const each = (from: number, count: number, act: (number: number) => void): void => {
    for (let i = 0; i < count; i++) act((from + i) % questions)
  }
  for (const step of steps) {
    switch (step.act) {
      case 'put':
        each(step.from, step.count, (number) => {
          version++
          const words = step.long ? Math.min(formLength(number, version), isTight ? 24_000 : 60) : 8
          const wasPut = content.put(QUESTIONS[number], step.kind, version, words)
          if (wasPut) map.set(number * 2 + step.kind, version)
          else {
            seen.refused++
            assert.ok(
              holders.some(({ isHolding }) => isHolding),
              'there is room when nobody holds',
            )
          }
        })
        break
      case 'drop':
        each(step.from, step.count, (number) => {
          const { key, type, bits } = QUESTIONS[number]
          writer.drop(key, type, CLASS_IN, bits, step.kind)
          map.delete(number * 2 + step.kind)
        })
        break
      case 'hit':
        each(step.from, step.count, (number) => {
          const { key, type, bits } = QUESTIONS[number]
          const { reader } = holders[0]
          if (reader.find(key, type, CLASS_IN, bits)) reader.hit(reader.success || reader.denial)
        })
        break
      case 'hold':
        holders[step.reader].hold()
        for (let number = 0; number < questions; number += 7) holders[step.reader].look(number)
        seen.held += holders[step.reader].found.size
        break
      case 'release':
        holders[step.reader].release()
        break
      case 'flush':
        writer.flush()
        break
      case 'successor':
        writer = new CacheWriter(region)
        content = new ContentWriter(writer)
        map.clear()
    }
    const counts = [0, 0]
    for (let number = 0; number < questions; number++) {
      const versions = findVersions(holders[0].reader, QUESTIONS[number])
      for (const kind of [SUCCESS, DENIAL]) {
        const expected = map.get(number * 2 + kind) ?? 0
        if (versions[kind] !== 0) counts[kind]++
        if (isTight && versions[kind] === 0) {
          if (expected !== 0) seen.evicted++
          continue
        }
        assert.equal(versions[kind], expected, `question ${number}, kind ${kind}`)
      }
    }
    seen.found += counts[0] + counts[1]
    const { entries, evictions, octets } = readCacheFigures(region)
    assert.deepEqual([entries.success, entries.denial], counts)
    assert.ok(entries.success <= 1024 && entries.denial <= 1024 && octets <= region.byteLength)
    if (!isTight) assert.deepEqual(evictions, { success: 0, denial: 0 })
  }
  for (const holder of holders) holder.release()
}

test('with room for all, it is a map', (t) => {
  t.diagnostic(`seed ${SEED}`)
  const seen = new Seen()
  const property = fc.property(anySteps(FEW), (steps) => run(steps, FEW, false, seen))
  fc.assert(property, { seed: SEED, numRuns: 50 })
  t.diagnostic(JSON.stringify(seen))
  assert.ok(seen.found > 0 && seen.held > 0)
})

test('without, what is there is right, and readers lose nothing that they hold', (t) => {
  t.diagnostic(`seed ${SEED}`)
  const seen = new Seen()
  const property = fc.property(anySteps(QUESTIONS.length), (steps) => run(steps, QUESTIONS.length, true, seen))
  fc.assert(property, { seed: SEED, numRuns: 25 })
  t.diagnostic(JSON.stringify(seen))
  assert.ok(seen.found > 0 && seen.held > 0 && seen.evicted > 0 && seen.refused > 0)
})
