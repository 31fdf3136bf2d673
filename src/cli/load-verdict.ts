// What a load comes to: which of the stated bounds are broken, and the exit code.

import { percentileMicros } from '../load/histogram.ts'
import type { Bounds, Outcome, Report } from '../load/outcome.ts'
import { microsText, shareText } from '../load/report/number-text.ts'
import { lossOf } from '../load/run.ts'

const GOOD = 0
const BAD = 1

/** The bounds that are broken, a sentence each. */
export function brokenBounds(outcome: Outcome, bounds: Bounds): string[] {
  switch (outcome.kind) {
    case 'run': {
      const { result } = outcome
      if (result.sent === 0) return hasBounds(bounds) ? ['nothing was measured'] : []
      return beyond(lossOf(result), percentileMicros(result.latency, 99), bounds, '')
    }
    case 'capacity':
      return outcome.rate > 0 ? [] : ['no rate was found at which the server stays within the bounds']
    case 'comparison': {
      if (outcome.rounds.length === 0) return hasBounds(bounds) ? ['nothing was measured'] : []
      return outcome.servers.flatMap(({ target, loss, p99Micros }) =>
        beyond(loss.median, p99Micros.median, bounds, `${target.label}: `),
      )
    }
  }
}

function beyond(loss: number, p99Micros: number, { maxLoss, maxP99Micros }: Bounds, who: string): string[] {
  const broken: string[] = []
  if (maxLoss !== null && !(loss <= maxLoss)) {
    broken.push(`${who}${shareText(loss)} of the queries were lost, more than ${shareText(maxLoss)}`)
  }
  if (maxP99Micros !== null && !(p99Micros <= maxP99Micros)) {
    broken.push(`${who}the p99 is ${microsText(p99Micros)}, more than ${microsText(maxP99Micros)}`)
  }
  return broken
}

/** Why the exit code is 1, a sentence each; empty: it is 0. */
export function complaints({ outcome, bounds, broken, verification }: Report): string[] {
  const found = [...broken]
  if (!outcome.validity.isValid && hasBounds(bounds)) {
    found.push('the result is invalid, so that the bounds cannot be said to hold')
  }
  if (verification !== null && verification.wrong > 0) found.push(`${verification.wrong} answers are wrong`)
  if (verification !== null && verification.checked === 0) found.push('not one answer could be checked')
  return found
}

/** @returns 0 or 1 */
export function exitCode(report: Report): number {
  return complaints(report).length === 0 ? GOOD : BAD
}

function hasBounds({ maxLoss, maxP99Micros }: Bounds): boolean {
  return maxLoss !== null || maxP99Micros !== null
}
