// "Did you mean": the names nearest to one that does not exist.

/** Most suggestions at a time. */
const SUGGESTIONS_MAX = 3

/**
 * The candidates that `text` is most likely a slip of: at most a third of its letters wrong (one in short ones), or the
 * beginning of one; nearest first, then by name. At most three.
 */
export function nearest(text: string, candidates: Iterable<string>): string[] {
  const limit = Math.max(1, Math.floor(text.length / 3))
  const near: { candidate: string; distance: number }[] = []
  for (const candidate of new Set(candidates)) {
    if (candidate === text) continue
    const distance = Math.abs(candidate.length - text.length) > limit ? Infinity : editDistance(text, candidate)
    if (distance <= limit) near.push({ candidate, distance })
    else if (text.length > 1 && candidate.startsWith(text)) near.push({ candidate, distance: limit + 1 })
  }
  near.sort((a, b) => a.distance - b.distance || (a.candidate < b.candidate ? -1 : 1))
  return near.slice(0, SUGGESTIONS_MAX).map(({ candidate }) => candidate)
}

/** Letters to insert, delete, replace, or swap with their neighbour, until `a` is `b` (optimal string alignment). */
export function editDistance(a: string, b: string): number {
  let beforeLast: number[] = []
  let last = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const replaced = last[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1)
      row[j] = Math.min(last[j] + 1, row[j - 1] + 1, replaced)
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        row[j] = Math.min(row[j], beforeLast[j - 2] + 1)
    }
    beforeLast = last
    last = row
  }
  return last[b.length]
}
