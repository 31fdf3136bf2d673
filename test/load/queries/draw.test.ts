// Draws from a seed: they never change, and follow their law.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { scattered, seededRandom, uniform, weighted, zipf } from '../../../src/load/queries/draw.ts'

/** How often each number comes up. */
function tally(draw: () => number, count: number, draws: number): number[] {
  const times = new Array<number>(count).fill(0)
  for (let i = 0; i < draws; i++) times[draw()]++
  return times
}

test('a seed gives the same numbers everywhere', () => {
  const random = seededRandom(1)
  // As other programs have mulberry32.
  assert.deepEqual([random(), random(), random()], [0.6270739405881613, 0.002735721180215478, 0.5274470399599522])
  assert.equal(seededRandom(2 ** 32 - 1)(), seededRandom(-1)())
})

test('numbers come up as often as their law says', () => {
  const draws = 40_000
  const cases: [name: string, draw: () => number, likelihoods: number[]][] = [
    ['uniform', uniform(4, seededRandom(1)), [1, 1, 1, 1]],
    ['zipf', zipf(5, seededRandom(2)), [60, 30, 20, 15, 12]], // 1/1 .. 1/5
    ['zipf 2', zipf(3, seededRandom(3), 2), [36, 9, 4]], // 1/1, 1/4, 1/9
    ['zipf 0', zipf(3, seededRandom(4), 0), [1, 1, 1]],
    ['weighted', weighted([0, 3, 0, 1, 0], seededRandom(5)), [0, 3, 0, 1, 0]],
    ['one', zipf(1, seededRandom(6)), [1]],
  ]
  for (const [name, draw, likelihoods] of cases) {
    const sum = likelihoods.reduce((total, each) => total + each, 0)
    tally(draw, likelihoods.length, draws).forEach((times, number) => {
      const expected = (draws * likelihoods[number]) / sum
      // Five standard deviations.
      assert.ok(
        Math.abs(times - expected) <= 5 * Math.sqrt(expected),
        `${name}: ${number} came up ${times} times, not ${expected}`,
      )
    })
  }
})

test('ranks are scattered over all numbers, the first where it is wanted', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 300 }), fc.nat(), (count, anyFirst) => {
      const first = anyFirst % count
      let rank = 0
      const draw = scattered(() => rank++, count, first)
      const numbers = Array.from({ length: count }, draw)
      assert.equal(numbers[0], first)
      assert.equal(new Set(numbers).size, count)
    }),
  )
})
