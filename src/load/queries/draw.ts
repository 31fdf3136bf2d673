// Numbers drawn from a seed: the same seed gives the same queries everywhere.

/**
 * A number generator of 32 bits of state (mulberry32): the same seed gives the same run everywhere.
 *
 * @returns a function giving numbers in 0 (inclusive) to 1 (exclusive)
 */
export function seededRandom(seed: number): () => number {
  let state = seed | 0
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296
  }
}

/** A number of 0..count-1, all equally likely. */
export function uniform(count: number, random: () => number): () => number {
  return () => Math.floor(random() * count)
}

/** Ranks 0..count-1 with probability falling as 1 / (rank + 1) ^ exponent. Takes eight octets a rank. */
export function zipf(count: number, random: () => number, exponent = 1): () => number {
  return weighted({ length: count, at: (rank) => 1 / (rank + 1) ** exponent }, random)
}

/** Indexes with probability in proportion to their weights, which are 0 or more and not all 0. */
export function weighted(
  weights: { readonly length: number; at(index: number): number | undefined },
  random: () => number,
): () => number {
  const count = weights.length
  const cumulated = new Float64Array(count)
  let sum = 0
  for (let index = 0; index < count; index++) {
    sum += weights.at(index)!
    cumulated[index] = sum
  }
  return () => {
    const point = random() * sum
    let low = 0
    let high = count - 1
    while (low < high) {
      const middle = (low + high) >>> 1
      if (cumulated[middle] > point) high = middle
      else low = middle + 1
    }
    return low
  }
}

/**
 * Neighbours in rank are put far apart in number, so that popular names are not neighbours in the trie as well. Rank 0
 * becomes `first`.
 */
export function scattered(draw: () => number, count: number, first: number): () => number {
  let step = Math.floor(count * 0.618_033_988_75)
  while (divisor(step, count) !== 1) step++
  // Below 2^53 while count stays below 90 million.
  return () => (draw() * step + first) % count
}

function divisor(a: number, b: number): number {
  return b === 0 ? a : divisor(b, a % b)
}
