// The allocator: blocks never overlap, what is given back is used again, and when the region is used up it says so.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Allocator, allocatedWords, RegionFullError } from '../../src/index/allocator.ts'
import { createRegion, FIRST_FREE } from '../../src/index/layout.ts'

const SEED = Number(process.env.TEST_SEED ?? 20260727)
const REGION_WORDS = FIRST_FREE + 4000

test('at most 12.5 % are lost, and nothing of the sizes of trie nodes', () => {
  for (let size = 1; size < 100_000; size++) {
    const taken = allocatedWords(size)
    assert.ok(taken >= size && taken <= size * 1.125, `${size} words take ${taken}`)
    assert.equal(allocatedWords(taken), taken, 'a whole class')
    if (size <= 72) assert.equal(taken, size)
  }
})

test('blocks do not overlap, and are words of the region', (t) => {
  t.diagnostic(`seed ${SEED}`)
  const reached = { full: 0, usedUp: 0, again: 0 }
  const anySize = fc.oneof(fc.integer({ min: 1, max: 12 }), fc.integer({ min: 60, max: 300 }))
  const anyStep = fc.oneof(
    { weight: 3, arbitrary: anySize.map((size) => ({ size, free: 0 })) },
    { weight: 2, arbitrary: fc.nat({ max: 1000 }).map((free) => ({ size: 0, free })) },
  )
  fc.assert(
    fc.property(fc.array(anyStep, { minLength: 50, maxLength: 400, size: 'max' }), (steps) => {
      const region = createRegion(REGION_WORDS * 4)
      const allocator = new Allocator(region, true)
      const owners = new Int32Array(REGION_WORDS) // number of the block that a word belongs to
      const blocks: { id: number; ref: number; size: number }[] = []
      let id = 0
      const give = (at: number): void => {
        const [{ ref, size }] = blocks.splice(at, 1)
        owners.fill(0, ref, ref + allocatedWords(size))
        allocator.free(ref, size)
      }
      for (const { size, free } of steps) {
        if (size === 0) {
          if (blocks.length > 0) give(free % blocks.length)
          continue
        }
        const before = allocator.reservedWords
        const ref = allocator.allocate(size)
        if (ref === 0) {
          reached.full++
          continue
        }
        if (allocator.reservedWords === before) reached.again++
        if (before + allocatedWords(size) > REGION_WORDS) reached.usedUp++
        const end = ref + allocatedWords(size)
        assert.ok(ref >= FIRST_FREE && end <= REGION_WORDS, `[${ref}, ${end}) lies in the region`)
        assert.ok(
          owners.subarray(ref, end).every((owner) => owner === 0),
          `[${ref}, ${end}) is free`,
        )
        owners.fill(++id, ref, end)
        region.words.fill(id, ref, end)
        blocks.push({ id, ref, size })
      }
      for (const { id: owner, ref, size } of blocks) {
        const content = region.words.subarray(ref, ref + allocatedWords(size))
        assert.ok(
          content.every((word) => word === owner),
          'nobody writes to a block that is taken',
        )
      }
      const taken = blocks.reduce((sum, { size }) => sum + allocatedWords(size), 0)
      assert.equal(allocator.liveWords, taken)
      while (blocks.length > 0) give(0)
      assert.equal(allocator.liveWords, 0)
    }),
    { seed: SEED, numRuns: 200 },
  )
  t.diagnostic(JSON.stringify(reached))
  assert.ok(Math.min(reached.full, reached.usedUp, reached.again) > 0, 'the generator reaches every outcome')
})

test('what is given back is used again, by every size', () => {
  const allocator = new Allocator(createRegion(1 << 20), true)
  for (let size = 1; size < 2000; size += 7) {
    const first = allocator.allocate(size)
    const { reservedWords } = allocator
    allocator.free(first, size)
    assert.equal(allocator.allocate(size), first)
    assert.equal(allocator.reservedWords, reservedWords)
  }
})

test('a region that is used up is cut into what is asked for, and put together again', () => {
  const room = allocatedWords(4000)
  const allocator = new Allocator(createRegion((FIRST_FREE + room) * 4), true)
  for (let round = 0; round < 5; round++) {
    const large = allocator.allocate(4000)
    assert.ok(large > 0, 'all of it')
    assert.equal(allocator.allocate(1), 0, 'full')
    allocator.free(large, 4000)
    const small: number[] = []
    for (let ref = allocator.allocate(7); ref !== 0; ref = allocator.allocate(7)) small.push(ref)
    assert.ok(small.length > 0.9 * (room / 7), 'nearly to the last word')
    for (const ref of small) allocator.free(ref, 7)
    assert.equal(allocator.roomWords, room)
  }
})

test('the error names the limit and how to raise it', () => {
  const error = new RegionFullError(2 ** 20)
  assert.equal(error.code, 'INDEX_FULL')
  assert.match(error.message, /limit of 4 MiB/)
  assert.match(error.message, /--index-mb/)
})
