// What is different between two goes of one benchmark, figure by figure.

import { type Change, compareSamples, median } from '../../src/load/statistics.ts'
import { type Figure, type Results, ResultsError } from '../results.ts'

/** What counts as a change. */
export interface Threshold {
  /** How often a figure that is the same may pass for changed. */
  readonly alpha: number
  /** A difference below this share of the larger median is none: goes differ by more than their rounds do. */
  readonly least: number
}

export type Verdict = 'better' | 'worse' | 'same' | 'too few'

/** One figure of both. */
export interface Difference extends Change {
  readonly figure: Figure
  /** Medians. */
  readonly before: number
  readonly after: number
  /** Values of each. */
  readonly rounds: readonly [before: number, after: number]
  readonly verdict: Verdict
}

/** All of it. */
export interface Comparison {
  /** In the order of the first. */
  readonly differences: readonly Difference[]
  readonly onlyBefore: readonly string[]
  readonly onlyAfter: readonly string[]
  /** Facts in which the machines differ: `cores: 2 and 4`. */
  readonly machine: readonly string[]
}

/** What is different at any time, or on each start. */
const PASSING_FACTS = ['load1']

/** @throws ResultsError when they are of two benchmarks, or a figure is not the same thing in both */
export function compareResults(before: Results, after: Results, threshold: Threshold): Comparison {
  if (before.bench !== after.bench) {
    throw new ResultsError(`one is of bench:${before.bench}, the other of bench:${after.bench}`)
  }
  const later = new Map(after.figures.map((figure) => [figure.name, figure]))
  const earlier = new Set(before.figures.map(({ name }) => name))
  return {
    differences: before.figures.flatMap((figure) => {
      const other = later.get(figure.name)
      return other === undefined ? [] : [difference(figure, other, threshold)]
    }),
    onlyBefore: before.figures.map(({ name }) => name).filter((name) => !later.has(name)),
    onlyAfter: after.figures.map(({ name }) => name).filter((name) => !earlier.has(name)),
    machine: differingFacts(before, after),
  }
}

function difference(figure: Figure, other: Figure, { alpha, least }: Threshold): Difference {
  if (figure.unit !== other.unit || figure.better !== other.better) {
    const [one, two] = [figure, other].map(({ unit, better }) => `'${unit}', better ${better}`)
    throw new ResultsError(`'${figure.name}' is ${one} in one, ${two} in the other`)
  }
  const change = compareSamples(figure.values, other.values, alpha)
  const [before, after] = [median(figure.values), median(other.values)]
  const isLarge = before !== after && !(Math.abs(after - before) < least * Math.max(Math.abs(before), Math.abs(after)))
  const isBetter = after < before === (figure.better === 'lower')
  const changed: Verdict = isBetter ? 'better' : 'worse'
  const verdict = change.isDecidable ? (change.isSignificant && isLarge ? changed : 'same') : 'too few'
  return { ...change, figure, before, after, verdict, rounds: [figure.values.length, other.values.length] }
}

function differingFacts({ machine: before }: Results, { machine: after }: Results): string[] {
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])]
  return names
    .filter((name) => !PASSING_FACTS.includes(name) && before[name] !== after[name])
    .map((name) => `${name}: ${before[name] ?? 'not known'} and ${after[name] ?? 'not known'}`)
}
