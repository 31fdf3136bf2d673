// Quartiles, the rank sum test and its interval: tables of known values, and an oracle that counts all divisions.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { compareSamples, median, pairwiseRatios, quartiles, rankSumProbability } from '../../src/load/statistics.ts'

test('quartiles stand between values by their distance', () => {
  const cases: [values: number[], low: number, median: number, high: number][] = [
    [[], Number.NaN, Number.NaN, Number.NaN],
    [[7], 7, 7, 7],
    [[2, 1], 1.25, 1.5, 1.75],
    [[1, 2, 3, 4], 1.75, 2.5, 3.25], // numpy.quantile([1, 2, 3, 4], [.25, .5, .75])
    [[5, 1, 4, 2, 3], 2, 3, 4],
    [[10, 9, 100], 9.5, 10, 55], // as numbers, not as text
    [[1, 2, Infinity, Infinity, Infinity], 2, Infinity, Infinity],
  ]
  for (const [values, low, middle, high] of cases) {
    assert.deepEqual(quartiles(values), { low, median: middle, high }, String(values))
    assert.deepEqual(median(values), middle, String(values))
  }
})

test('ratios are those within a round', () => {
  assert.deepEqual(pairwiseRatios([2, 9, 4], [1, 3, 8]), [2, 3, 0.5])
  assert.deepEqual(pairwiseRatios([2, 0, Number.NaN, 3], [0, 0, 1, 6]), [0.5], 'no ratio to nothing')
})

test('probabilities are those of other programs', () => {
  // scipy.stats.mannwhitneyu, method='exact'; 'asymptotic' for the last one
  const cases: [first: number[], second: number[], probability: number][] = [
    [[1, 2, 3, 4, 5], [6, 7, 8, 9, 10], 0.007936507936507936],
    [[1.1, 2.5, 3.3, 4.8, 7.9], [2.2, 6.1, 7.2, 8.4, 9.3], 0.2222222222222222],
    [[10, 12, 11], [13, 15, 14], 0.1],
    [[5.1, 5.3, 4.9, 5.0, 5.2, 5.15, 4.95], [5.05, 5.25, 5.4, 5.6, 5.5, 5.35, 5.45], 0.011072261072261072],
    [[], [1, 2], 1],
    [[1, 1, 1, 1, 1], [1, 1, 1, 1, 1], 1],
    [
      Array.from({ length: 40 }, (_, i) => (i * 37) % 101),
      Array.from({ length: 45 }, (_, i) => ((i * 53) % 97) + 12),
      0.2541726,
    ],
  ]
  for (const [first, second, probability] of cases) {
    assert.ok(Math.abs(rankSumProbability(first, second) - probability) < 1e-6, `${first} / ${second}`)
    assert.ok(Math.abs(rankSumProbability(second, first) - probability) < 1e-6, 'the other way round')
  }
})

/** In how many of all ways to divide the values the sum of the first set's ranks is as far from its mean. */
function counted(first: readonly number[], second: readonly number[]): number {
  const all = [...first, ...second]
  const rankOf = (value: number) =>
    all.filter((other) => other < value).length + (all.filter((other) => other === value).length + 1) / 2
  const mean = (first.length * (all.length + 1)) / 2
  const sumOf = (values: readonly number[]) => values.reduce((sum, value) => sum + rankOf(value), 0)
  const distance = Math.abs(sumOf(first) - mean)
  let [asFar, ways] = [0, 0]
  for (let mask = 0; mask < 2 ** all.length; mask++) {
    const chosen = all.filter((_, index) => (mask >> index) & 1)
    if (chosen.length !== first.length) continue
    ways++
    if (Math.abs(sumOf(chosen) - mean) >= distance) asFar++
  }
  return asFar / ways
}

const anySmall = fc.array(fc.integer({ min: 1, max: 6 }), { minLength: 1, maxLength: 4 })
const anyValues = fc.array(fc.integer({ min: 1, max: 100_000 }), { minLength: 1, maxLength: 12 })

test('probabilities are those of counting, ties included', () =>
  fc.assert(
    fc.property(anySmall, anySmall, (first, second) => {
      assert.ok(Math.abs(rankSumProbability(first, second) - counted(first, second)) < 1e-9)
    }),
  ))

test('what cannot be told is not, what can be is told in both directions', () => {
  const cases: [before: number[], after: number[], isDecidable: boolean, isSignificant: boolean][] = [
    [[1, 1.1, 1.2], [9, 9.1, 9.2], false, false], // 2 of 20 ways
    [[1, 1.1, 1.2, 1.3], [9, 9.1, 9.2, 9.3], true, true], // 2 of 70
    [[9, 9.1, 9.2, 9.3], [1, 1.1, 1.2, 1.3], true, true],
    [[1, 1.1, 1.2, 1.3], [9, 9.1, 9.2, 1.25], true, false],
    [[1], [100], false, false],
    [[], [1, 2, 3, 4, 5, 6], false, false],
    [[0, 0, 0, 0], [1, 2, 1, 3], true, true], // there is no ratio to 0
    [[0, 0, 0, 0], [0, 0, 0, 0], true, false],
    [[1, 2, 3, 4], [Infinity, Infinity, Infinity, Infinity], true, true], // it never came
  ]
  for (const [before, after, isDecidable, isSignificant] of cases) {
    const change = compareSamples(before, after, 0.05)
    assert.deepEqual([change.isDecidable, change.isSignificant], [isDecidable, isSignificant], `${before} / ${after}`)
  }
  const { ratio, low, high } = compareSamples([0, 1], [1, 2], 0.05)
  assert.deepEqual([ratio, low, high], [Number.NaN, Number.NaN, Number.NaN])
})

test('the interval holds the ratio, and 1 is outside exactly when the difference is significant', () =>
  fc.assert(
    fc.property(anyValues, anyValues, fc.constantFrom(0.01, 0.05, 0.2), (before, after, alpha) => {
      fc.pre(new Set([...before, ...after]).size === before.length + after.length)
      const { ratio, low, high, isSignificant, isDecidable } = compareSamples(before, after, alpha)
      assert.ok(low <= ratio && ratio <= high)
      assert.equal(isSignificant, low > 1 || high < 1)
      assert.equal(isDecidable, low > 0)
      const tripled = compareSamples(
        before,
        after.map((value) => value * 3),
        alpha,
      )
      assert.ok(Math.abs(tripled.ratio / ratio / 3 - 1) < 1e-9)
      if (isDecidable) assert.ok(Math.abs(tripled.low / low / 3 - 1) < 1e-9)
      const reverse = compareSamples(after, before, alpha)
      if (isDecidable) assert.ok(Math.abs(reverse.low * high - 1) < 1e-9 && Math.abs(reverse.high * low - 1) < 1e-9)
    }),
  ))

test('the interval of many values is close to that of few less one', () => {
  const values = (count: number, shift: number) =>
    Array.from({ length: count }, (_, i) => 100 + ((i * 37) % 31) + shift)
  const exact = compareSamples(values(30, 0), values(30, 10), 0.05)
  const normal = compareSamples(values(31, 0), values(31, 10), 0.05)
  for (const key of ['ratio', 'low', 'high'] as const) assert.ok(Math.abs(exact[key] / normal[key] - 1) < 0.02, key)
  const width = ({ high, low }: { high: number; low: number }) => Math.log(high / low)
  assert.ok(Math.abs(width(exact) / width(normal) - 1) < 0.1)
})

test('sets of the same kind seldom pass for different ones', () => {
  // A generator with a period of 2^32, so that every run of this test sees the same values.
  let state = 1
  const random = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 32
  }
  // Skewed, as latencies are.
  const draw = () => Array.from({ length: 7 }, () => Math.exp(3 * random() ** 3))
  const tries = 2000
  const found = Array.from({ length: tries }, () => compareSamples(draw(), draw(), 0.05).isSignificant).filter(Boolean)
  assert.ok(found.length > tries * 0.02 && found.length < tries * 0.06, `${found.length} of ${tries}`)
})
