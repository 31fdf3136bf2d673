// A report as plain text, for the terminal. Above all it must not be read past: an invalid result says so first and last.

import type {
  CapacityOutcome,
  Compared,
  ComparisonOutcome,
  JudgedRun,
  Quartiles,
  Report,
  RunOutcome,
  Verification,
} from '../outcome.ts'
import type { RunResult } from '../run.ts'
import {
  boundsText,
  countFacts,
  generatorFacts,
  PERCENTILES,
  percentileTexts,
  rcodeShares,
  runCells,
  scheduleText,
  specText,
  sumOfAnswers,
  targetText,
  verdictOf,
} from './facts.ts'
import { letterOf, METRICS, validRuns } from './metrics.ts'
import { countText, microsText, ratioText, shareText } from './number-text.ts'
import { printable, tableLines } from './text-table.ts'

const RULE = '!'.repeat(72)
/** Wrong answers that are printed; the other reports have all. */
const WRONG_MAX = 10

/** Lines, the last of which ends with a line feed too. */
export function summaryText(report: Report): string {
  const lines = [...verdictLines(report), ...outcomeLines(report), ...endLines(report)]
  return `${lines.map(printable).join('\n')}\n`
}

function outcomeLines({ outcome, queries, queryCount }: Report): string[] {
  const from = `queries: ${queries} (${countText(queryCount)})`
  switch (outcome.kind) {
    case 'run':
      return runLines(outcome, from)
    case 'capacity':
      return capacityLines(outcome, from)
    case 'comparison':
      return comparisonLines(outcome, from)
  }
}

/** Nothing if all is well; before the figures, if they are not to be believed. */
function verdictLines(report: Report): string[] {
  const { verdict, headline } = verdictOf(report)
  if (verdict !== 'invalid') return []
  return [RULE, `!!! ${headline}`, ...report.outcome.validity.reasons.map((reason) => `!!!   - ${reason}`), RULE, '']
}

function endLines(report: Report): string[] {
  const { outcome, broken, verification } = report
  const { verdict, headline } = verdictOf(report)
  const lines = verification === null ? [] : verificationLines(verification)
  for (const remark of outcome.validity.remarks) lines.push(`Note: ${remark}`)
  for (const sentence of broken) lines.push(`OUT OF BOUNDS: ${sentence}`)
  const bounds = boundsText(report.bounds)
  if (bounds !== '' && broken.length === 0 && verdict !== 'invalid' && outcome.kind !== 'capacity')
    lines.push(`Within bounds: ${bounds}`)
  if (verdict === 'invalid') lines.push(`!!! ${headline} (reasons above)`)
  return lines
}

function runLines({ result }: RunOutcome, from: string): string[] {
  const { spec } = result
  const lines = [`${targetText(spec.target)}: ${scheduleText(spec.schedule)}`, specText(spec), from]
  if (result.interrupted) lines.push(`Interrupted after ${microsText(result.seconds * 1e6)}`)
  lines.push('', ...countFacts(result).map(factLine))
  if (result.answered > 0) lines.push(factLine(['RCODEs', rcodesText(result), '']))
  lines.push('', ...latencyLines(result), '', 'Generator', ...generatorFacts(result).map(factLine), '')
  return lines
}

function rcodesText(answers: Pick<RunResult, 'rcodes' | 'answered'>): string {
  const texts = rcodeShares(answers).map((each) => `${each.name} ${countText(each.answers)} (${shareText(each.share)})`)
  return texts.join(', ')
}

function factLine([name, value, note]: readonly [string, string, string]): string {
  return `  ${name.padEnd(18)} ${value}${note === '' ? '' : ` (${note})`}`
}

function latencyLines({ latency, rawLatency }: JudgedRun['result']): string[] {
  return [
    ...tableLines([
      ['Latency', ...PERCENTILES.map(([name]) => name)],
      ['  corrected', ...percentileTexts(latency)],
      ['  raw', ...percentileTexts(rawLatency)],
    ]),
    '  corrected: from when a query was to be sent; raw: from when it was. Both with what was lost.',
  ]
}

function capacityLines(outcome: CapacityOutcome, from: string): string[] {
  const { rate, confirmed, failedRate, trials } = outcome
  const lines: string[] = []
  if (trials.length > 0) {
    const { spec } = trials[0].result
    lines.push(
      `${targetText(spec.target)}: search for the capacity, ${trials.length} trials of ${specText(spec)}`,
      from,
      '',
    )
  }
  lines.push(
    rate > 0
      ? `Capacity: ${countText(rate)} queries a second`
      : outcome.validity.isValid
        ? 'Capacity: none; not even the lowest rate was within bounds'
        : 'Capacity: not found; the generator was the limit',
    `  ${confirmed.passed} of ${confirmed.of} trials at that rate were within bounds (${boundsText(outcome.bounds)})`,
    failedRate === null ? '  no rate was out of bounds' : `  the lowest rate out of bounds: ${countText(failedRate)}`,
    '',
    ...tableLines([
      ['Trial', 'rate', 'answered', 'lost', 'p50', 'p99', 'CPU', ''],
      ...trials.map((trial, index) => [
        `${String(index + 1).padStart(3)} ${trial.phase}`,
        countText(trial.rate),
        ...runCells(trial),
        trial.validity.isValid ? (trial.passed ? 'passed' : 'failed') : 'INVALID',
      ]),
    ]),
  )
  for (const [index, { validity }] of trials.entries()) {
    if (!validity.isValid) lines.push(`  INVALID trial ${index + 1}: ${validity.reasons.join(' ')}`)
  }
  lines.push('')
  return lines
}

function comparisonLines(outcome: ComparisonOutcome, from: string): string[] {
  const { servers, rounds } = outcome
  const lines: string[] = []
  const first = rounds.at(0)?.at(0)
  if (first !== undefined) {
    const { spec } = first.result
    lines.push(
      `${servers.length} servers in turn, ${rounds.length} rounds: ${scheduleText(spec.schedule)}`,
      specText(spec),
      from,
      '',
    )
  }
  const name = (index: number): string => `  ${letterOf(index)} ${targetText(servers[index].target)}`
  const rows = [['', 'median', 'quartiles', 'to A', 'quartiles']]
  for (const { title, text, of, ratio } of METRICS) {
    if (servers.every((server) => of(server) === null)) continue
    rows.push([title])
    for (const [index, server] of servers.entries())
      rows.push([name(index), ...quartileCells(of(server), text), ...quartileCells(ratio(server), ratioText)])
  }
  lines.push(...tableLines(rows), 'RCODEs')
  for (const index of servers.keys()) {
    lines.push(`${name(index)}: ${rcodesText(sumOfAnswers(validRuns(outcome, index)))}`)
  }
  lines.push(...invalidLines(servers, rounds), '')
  return lines
}

function invalidLines(servers: readonly Compared[], rounds: ComparisonOutcome['rounds']): string[] {
  return rounds.flatMap((round, number) =>
    round.flatMap(({ validity }, index) =>
      validity.isValid
        ? []
        : [`  INVALID: round ${number + 1}, ${servers[index].target.label}: ${validity.reasons.join(' ')}`],
    ),
  )
}

function quartileCells(quartiles: Quartiles | null, text: (value: number) => string): string[] {
  return quartiles === null ? ['', ''] : [text(quartiles.median), `${text(quartiles.low)} … ${text(quartiles.high)}`]
}

function verificationLines(verification: Verification): string[] {
  const { checked, wrong, outside, unchecked, passing, answers } = verification
  const lines = [
    `Answers checked: ${countText(checked)}; wrong: ${countText(wrong)}${wrong === 0 ? '' : ` (${shareText(wrong / checked)})`}`,
  ]
  if (passing > 0) lines.push(`  ${countText(passing)} differences were gone when asked again`)
  if (outside > 0) lines.push(`  ${countText(outside)} were outside of what is known`)
  if (unchecked > 0) lines.push(`  ${countText(unchecked)} came too fast to be checked`)
  for (const answer of answers.slice(0, WRONG_MAX)) {
    lines.push(
      `  WRONG (${countText(answer.times)} times): ${answer.question} from ${answer.server}: ${answer.difference}`,
    )
    lines.push('    got', ...answer.got.map((line) => `      ${line}`))
    lines.push(`    expected, by ${answer.truth}`, ...answer.expected.map((line) => `      ${line}`))
  }
  if (answers.length > WRONG_MAX) lines.push(`  and ${countText(answers.length - WRONG_MAX)} more questions`)
  lines.push('')
  return lines
}
