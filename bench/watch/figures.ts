// What was measured of a live cluster as figures that can be compared with those of another day.

import type { Figure as Kept } from '../results.ts'
import type { Figure } from './report.ts'

/** What tells how much was measured, or what else the machine did, and nothing of the server. */
const NO_FIGURES = [/^machine: /, /: changes followed$/, /^relist: .*: queries$/, /: CPU of the API server$/]

/** Times, sizes and shares of everything: less is better, but for what has a least value to reach. */
export function watchFigures(figures: readonly Figure[]): Kept[] {
  const named = figures.map((figure) => ({ ...figure, name: `${figure.part}: ${figure.what}` }))
  return named
    .filter(({ name }) => !NO_FIGURES.some((pattern) => pattern.test(name)))
    .map(({ services, name, unit, values, target }) => ({
      name: `${services} Services, ${name}`,
      unit,
      better: target?.sign === '>=' ? 'higher' : 'lower',
      values,
    }))
}
