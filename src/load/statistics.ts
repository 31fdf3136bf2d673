// What a few repeated measurements say: quartiles, ratios taken in pairs, and whether one set of them differs from another
// by more than chance. Nothing here supposes a distribution: times of a busy machine have none that is known.
//
// The test is that of Mann and Whitney (Annals of Mathematical Statistics 18, 1947), also called Wilcoxon's rank sum test,
// exact while the samples are small, ties included; the ratio is the shift of Hodges and Lehmann (the same, 34, 1963) on
// logarithms, and its interval comes from the same distribution (Hollander and Wolfe, Nonparametric Statistical Methods,
// section 4.3), so that test and interval do not contradict each other.

import type { Quartiles } from './outcome.ts'

/** How a second set of values differs from a first. */
export interface Change {
  /** How many times as large the second is: the median of the ratios of all pairs; NaN unless all values are above 0. */
  readonly ratio: number
  /** Interval of the ratio, at the confidence 1 - alpha; 0 and Infinity when there are too few values for one. */
  readonly low: number
  readonly high: number
  /** Probability that two sets of the same kind differ so much, either way. */
  readonly probability: number
  /** Whether so many values could differ significantly at all. */
  readonly isDecidable: boolean
  /** Whether they do: the probability is below alpha. */
  readonly isSignificant: boolean
}

/** Values together up to which all ways to divide them are counted; beyond, the normal distribution is close. */
const EXACT_MAX = 60

/** Median and quartiles, between two values by their distance (Hyndman and Fan's definition 7, that of R and NumPy). */
export function quartiles(values: readonly number[]): Quartiles {
  const sorted = Float64Array.from(values).sort()
  return { low: quantile(sorted, 0.25), median: quantile(sorted, 0.5), high: quantile(sorted, 0.75) }
}

/** The middle one, or the mean of the two in the middle; NaN of nothing. */
export function median(values: readonly number[]): number {
  return quantile(Float64Array.from(values).sort(), 0.5)
}

/** Each value to that of the same round; rounds in which there is no ratio are left out. */
export function pairwiseRatios(values: readonly number[], bases: readonly number[]): number[] {
  return values.map((value, round) => value / bases[round]).filter(Number.isFinite)
}

/**
 * Compares two sets of independent measurements of the same thing.
 *
 * @param before  finite, or Infinity for what never came
 * @param alpha   0..1: how often two sets of the same kind may pass for different ones
 */
export function compareSamples(before: readonly number[], after: readonly number[], alpha: number): Change {
  const probability = rankSumProbability(before, after)
  const isDecidable = leastProbability(before.length, after.length) < alpha
  return { ...ratioOf(before, after, alpha), probability, isDecidable, isSignificant: probability < alpha }
}

/**
 * The probability that the ranks of one of two sets of the same kind are so low, or so high, as those of `first`: 0..1, and 1 if
 * one of them is empty. Equal values share their ranks, and are counted as the ties they are.
 */
export function rankSumProbability(first: readonly number[], second: readonly number[]): number {
  if (first.length === 0 || second.length === 0) return 1
  const ranks = doubledRanks([...first, ...second])
  const sum = ranks.slice(0, first.length).reduce((total, rank) => total + rank, 0)
  const mean = first.length * (ranks.length + 1)
  if (ranks.length > EXACT_MAX) return normalProbability(ranks, first.length, sum - mean)
  const counts = rankSumCounts(ranks, first.length)
  const total = counts.reduce((all, count) => all + count, 0)
  const distance = Math.abs(sum - mean)
  const asFar = counts.reduce((all, count, at) => (Math.abs(at - mean) >= distance ? all + count : all), 0)
  return Math.min(1, asFar / total)
}

/** What two sets have that do not overlap: there is one way of C(n + m, n) to be so, at either end; 1 if one is empty. */
function leastProbability(firstCount: number, secondCount: number): number {
  let ways = 1
  for (let i = 1; i <= firstCount; i++) ways *= (secondCount + i) / i
  return Math.min(1, 2 / ways)
}

/** Median of the ratios of all pairs, and its interval: as many ratios are cut off at each end as alpha allows. */
function ratioOf(
  before: readonly number[],
  after: readonly number[],
  alpha: number,
): Pick<Change, 'ratio' | 'low' | 'high'> {
  const hasRatio = [...before, ...after].every((value) => value > 0 && Number.isFinite(value))
  if (!hasRatio || before.length === 0 || after.length === 0) {
    return { ratio: Number.NaN, low: Number.NaN, high: Number.NaN }
  }
  const logs = Float64Array.from(
    after.flatMap((value) => before.map((base) => Math.log(value) - Math.log(base))),
  ).sort()
  const cut = cutOff(before.length, after.length, alpha)
  return {
    ratio: Math.exp(quantile(logs, 0.5)),
    low: cut === 0 ? 0 : Math.exp(logs[cut - 1]),
    high: cut === 0 ? Number.POSITIVE_INFINITY : Math.exp(logs[logs.length - cut]),
  }
}

/** Which of the sorted ratios is the end of the interval, from 1 on; 0 = none is. */
function cutOff(firstCount: number, secondCount: number, alpha: number): number {
  const count = firstCount + secondCount
  if (count > EXACT_MAX) {
    const deviation = Math.sqrt((firstCount * secondCount * (count + 1)) / 12)
    const cut = (firstCount * secondCount) / 2 - normalQuantile(1 - alpha / 2) * deviation
    return Math.max(0, Math.floor(cut))
  }
  const ranks = Array.from({ length: count }, (_, index) => 2 * (index + 1))
  const counts = rankSumCounts(ranks, firstCount)
  const total = counts.reduce((all, each) => all + each, 0)
  let tail = 0
  let cut = 0
  // From the sum of the lowest ranks on: each further one is a pair more in the wrong order, and ranks are doubled.
  for (let sum = firstCount * (firstCount + 1); sum < counts.length; sum += 2) {
    tail += counts[sum]
    if ((2 * tail) / total >= alpha) break
    cut++
  }
  return cut
}

/** By sum: in how many ways `chosen` of the ranks add up to it. */
function rankSumCounts(ranks: readonly number[], chosen: number): Float64Array {
  const size = ranks.reduce((total, rank) => total + rank, 0) + 1
  const ways = Array.from({ length: chosen + 1 }, () => new Float64Array(size))
  ways[0][0] = 1
  for (const rank of ranks) {
    // From the most on, so that each rank is taken once.
    for (let taken = chosen; taken > 0; taken--) {
      for (let sum = rank; sum < size; sum++) ways[taken][sum] += ways[taken - 1][sum - rank]
    }
  }
  return ways[chosen]
}

/** Ranks from 1 on, times two so that shared ones are whole numbers too. */
function doubledRanks(values: readonly number[]): number[] {
  return values.map((value) => {
    const below = values.filter((other) => other < value).length
    const equal = values.filter((other) => other === value).length
    return 2 * below + equal + 1
  })
}

/** @param distance  of the sum of doubled ranks from its mean */
function normalProbability(ranks: readonly number[], firstCount: number, distance: number): number {
  const count = ranks.length
  const secondCount = count - firstCount
  const ties = [...Map.groupBy(ranks, (rank) => rank).values()].reduce(
    (sum, { length }) => sum + length ** 3 - length,
    0,
  )
  const variance = ((firstCount * secondCount) / 12) * (count + 1 - ties / (count * (count - 1)))
  if (variance === 0) return 1
  // A sum of ranks is a whole number: half of one is taken off.
  const beyond = Math.max(0, Math.abs(distance) / 2 - 0.5) / Math.sqrt(variance)
  return Math.min(1, 2 * (1 - normalShare(beyond)))
}

/** Share of a normal distribution below `value`. @see Abramowitz and Stegun 7.1.26: off by at most 1.5e-7 */
function normalShare(value: number): number {
  const at = Math.abs(value) / Math.SQRT2
  const t = 1 / (1 + 0.3275911 * at)
  const series = ((((1.061405429 * t - 1.453152027) * t + 1.421413741) * t - 0.284496736) * t + 0.254829592) * t
  const below = 1 - (series * Math.exp(-at * at)) / 2
  return value < 0 ? 1 - below : below
}

/** The value that has `share` of a normal distribution below it, by halving. */
function normalQuantile(share: number): number {
  let [low, high] = [-8, 8]
  for (let i = 0; i < 50; i++) {
    const middle = (low + high) / 2
    if (normalShare(middle) < share) low = middle
    else high = middle
  }
  return low
}

function quantile(sorted: Float64Array, share: number): number {
  if (sorted.length === 0) return Number.NaN
  const at = (sorted.length - 1) * share
  const below = Math.floor(at)
  const [low, high] = [sorted[below], sorted[Math.min(below + 1, sorted.length - 1)]]
  // Not by multiplying: of Infinity there is no part.
  return at === below || low === high ? low : low + (high - low) * (at - below)
}
