// What was found, beside what was to be found.

import type { Figure } from '../results.ts'
import { spread, withRange } from '../serve/report.ts'
import { printRows } from '../table.ts'
import type { Part } from './options.ts'

/** What is asked of a figure; -Infinity and Infinity are no bounds. */
export interface Goal {
  readonly least: number
  readonly most: number
}

/** One thing that was measured. */
export interface Finding {
  readonly part: Part
  readonly what: string
  /** '' for ratios. */
  readonly unit: string
  readonly better: 'lower' | 'higher'
  /** One a round. */
  readonly values: readonly number[]
  /** null = nothing is asked of it. */
  readonly goal: Goal | null
  readonly note: string
}

const DIGITS_BELOW = 1000

/** Prints them all, each with its goal and whether the median meets it. */
export function printFindings(findings: readonly Finding[]): void {
  const rows = [['', 'median', '(min..max)', '', 'goal', '', 'notes']]
  for (const finding of findings) {
    const { part, what, unit, values, goal, note } = finding
    const { median } = spread(values)
    const [middle, range] = withRange(spread(values), Math.abs(median) < DIGITS_BELOW ? 2 : 0)
    const several = values.length > 1 ? range : ''
    rows.push([`${part}: ${what}`, middle, several, unit, goal === null ? '' : goalText(goal), verdict(finding), note])
  }
  console.log()
  printRows(rows)
}

/** @returns '' where nothing is asked */
export function verdict({ goal, values }: Finding): '' | 'met' | 'NOT MET' {
  if (goal === null) return ''
  const { median } = spread(values)
  return median >= goal.least && median <= goal.most ? 'met' : 'NOT MET'
}

/** The findings as figures that can be compared with those of another day. */
export function loadFigures(findings: readonly Finding[]): Figure[] {
  return findings.map(({ part, what, unit, better, values }) => ({ name: `${part}: ${what}`, unit, better, values }))
}

function goalText({ least, most }: Goal): string {
  const text = (value: number): string => (value < DIGITS_BELOW ? String(value) : value.toFixed(0))
  if (most === Number.POSITIVE_INFINITY) return `>= ${text(least)}`
  if (least === Number.NEGATIVE_INFINITY) return `<= ${text(most)}`
  return `${text(least)}..${text(most)}`
}
