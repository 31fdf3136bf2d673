// What was measured, as a table: one line a figure, its target beside it.

import { spread } from '../serve/report.ts'
import { printRows } from '../table.ts'

/** What a figure should be. */
export interface Target {
  readonly sign: '<=' | '>='
  readonly limit: number
}

/** One thing that was measured, once or several times. */
export interface Figure {
  readonly services: number
  readonly part: string
  readonly what: string
  /** '' for ratios. */
  readonly unit: string
  readonly values: readonly number[]
  readonly target: Target | null
}

/** Takes figures of one size as they are found. */
export class Figures {
  readonly list: Figure[] = []
  readonly #services: number

  constructor(services: number) {
    this.#services = services
  }

  add(part: string, what: string, unit: string, value: number | readonly number[], target: Target | null = null): void {
    const values = typeof value === 'number' ? [value] : value
    this.list.push({ services: this.#services, part, what, unit, values, target })
  }
}

export function atMost(limit: number): Target {
  return { sign: '<=', limit }
}

/** Prints the figures of one size. */
export function printFigures(title: string, figures: readonly Figure[]): void {
  console.log(`\n${title}`)
  const rows = [['', '', 'median', '(min..max)', 'unit', 'target', '']]
  let previous = ''
  for (const { part, what, unit, values, target } of figures) {
    const { median, least, most } = spread(values)
    const range = values.length > 1 ? `(${shown(least)}..${shown(most)})` : ''
    const goal = target === null ? '' : `${target.sign} ${target.limit}`
    rows.push([part === previous ? '' : part, what, shown(median), range, unit, goal, verdict(median, target)])
    previous = part
  }
  printRows(rows, (column) => column < 2 || column > 3)
}

/** How the figures are to be read. */
export function printNotes(): void {
  console.log(`
Updates: from just before the stand-in writes a change to its sockets to the first answer that has it, over UDP, asked every 0.1 to
0.3 ms: TLS, both kernels' ways and the wait for a core are in it. At most 100 changes a second are followed. Their names are endpoints'.
Queries: a steady rate, of names that keep their answers. Away from its event loop: collections of garbage and waiting for a core
included. All processes share the machine's cores: where others used part of them, latencies and starts are longer by what they took.`)
}

/**
 * Figures of an update's latency at the largest size to those at the smallest: they should not know how large the cluster is. Empty
 * if only one size was measured.
 */
export function compareSizes(figures: readonly Figure[], limit: number): Figure[] {
  const sizes = figures.map(({ services }) => services)
  const [least, most] = [Math.min(...sizes), Math.max(...sizes)]
  const compared = new Figures(most)
  for (const { services, part, what, unit, values } of figures) {
    if (services !== most || most === least || part !== 'updates' || unit !== 'ms' || !/: p\d+$/.test(what)) continue
    const small = figures.find((figure) => figure.services === least && figure.what === what)
    if (small === undefined) continue
    const target = what.endsWith('p99') ? atMost(limit) : null
    compared.add('size', `${what}, ${most} Services to ${least}`, '', values[0] / small.values[0], target)
  }
  return compared.list
}

function verdict(value: number, target: Target | null): string {
  if (target === null) return ''
  return (target.sign === '<=' ? value <= target.limit : value >= target.limit) ? 'met' : 'NOT MET'
}

/** Three digits that matter. */
function shown(value: number): string {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? '-' : 'never'
  return value.toFixed(Math.max(0, 2 - Math.floor(Math.log10(Math.max(Math.abs(value), 0.1)))))
}
