// The sections that only a search or a comparison has.

import type { Compared, ComparisonOutcome, JudgedRun, Quartiles, Report } from '../outcome.ts'
import { rcodeShares, runCells, sumOfAnswers, targetText } from './facts.ts'
import { plotFrame, table } from './html-tables.ts'
import { Html, html } from './html-text.ts'
import { letterOf, METRICS, validRuns } from './metrics.ts'
import { countText, NO_NUMBER, ratioText, shareText } from './number-text.ts'

const NOTHING = new Html('')
/** runCells, and the verdict. */
const RUN_HEAD = ['Answered a second', 'Lost', 'p50', 'p99', 'CPU a query', '']

/** The search for the capacity: how it went, and all its trials. */
export function capacitySections({ outcome }: Report): Html {
  if (outcome.kind !== 'capacity') return NOTHING
  const rows = outcome.trials.map((trial, index) => [
    `${index + 1} ${trial.phase}`,
    countText(trial.rate),
    ...runCells(trial),
    trial.validity.isValid
      ? trial.passed
        ? html`<span class="good">✓ within bounds</span>`
        : html`<span class="bad">✕ out of bounds</span>`
      : invalidCell(trial),
  ])
  return html`<section><h2>Search for the capacity</h2>
${plotFrame('search-order', 'Trials in their order')}
<div class="pair">${plotFrame('search-latency', 'p99 by rate')}
${plotFrame('search-loss', 'Loss by rate')}</div>
${table(['Trial', 'Rate', ...RUN_HEAD], rows, [7])}
</section>`
}

/** Medians, ratios, and all runs of a comparison. */
export function comparisonSections({ outcome }: Report): Html {
  if (outcome.kind !== 'comparison') return NOTHING
  const { servers, rounds } = outcome
  const shown = METRICS.filter(({ of }) => servers.some((server) => of(server) !== null))
  const runs = rounds.flatMap((round, number) =>
    round.map((run, index) => [
      `${number + 1} ${letterOf(index)}`,
      ...runCells(run),
      run.validity.isValid ? '' : invalidCell(run),
    ]),
  )
  return html`<section><h2>Side by side</h2>
<p class="note">Large dots are medians of the rounds, bars reach from the lower to the upper quartile, small dots are runs.</p>
<div class="pair">${shown.map(({ id, title }) => plotFrame(`compare-${id}`, title))}</div>
</section>
<section><h2>Medians</h2>${table(
    ['Server', ...shown.map(({ title }) => title)],
    servers.map((server, index) => [
      nameOf(server, index),
      ...shown.map(({ of, text }) => quartileCell(of(server), text)),
    ]),
  )}
<h3>In proportion to ${nameOf(servers[0], 0)}</h3>
<p class="note">Medians of the ratios within a round; quartiles below.</p>
${ratioTable(servers)}
</section>
${rcodeTable(outcome)}
<section><h2>Rounds</h2>${plotFrame('rounds', 'p99 by round')}
${table(['Round, server', ...RUN_HEAD], runs, [6])}
</section>`
}

function rcodeTable(outcome: ComparisonOutcome): Html {
  const rcodes = outcome.servers.map((_, index) => rcodeShares(sumOfAnswers(validRuns(outcome, index))))
  const names = [...new Set(rcodes.flat().map(({ name }) => name))]
  const rows = outcome.servers.map((server, index) => [
    nameOf(server, index),
    ...names.map((name) => shareText(rcodes[index].find((each) => each.name === name)?.share ?? 0)),
  ])
  return html`<section><h2>Answers by RCODE</h2>${table(['Server', ...names], rows)}</section>`
}

function ratioTable(servers: readonly Compared[]): Html {
  const shown = METRICS.filter(({ ratio }) => servers.some((server) => ratio(server) !== null))
  const rows = servers.flatMap((server, index) =>
    index === 0 ? [] : [[nameOf(server, index), ...shown.map(({ ratio }) => quartileCell(ratio(server), ratioText))]],
  )
  return table(['Server', ...shown.map(({ title }) => title)], rows)
}

function nameOf({ target }: Compared, index: number): string {
  return `${letterOf(index)} ${targetText(target)}`
}

function quartileCell(quartiles: Quartiles | null, text: (value: number) => string): Html {
  if (quartiles === null) return html`${NO_NUMBER}`
  return html`<b>${text(quartiles.median)}</b><br><span class="note">${text(quartiles.low)} … ${text(quartiles.high)}</span>`
}

function invalidCell({ validity }: JudgedRun): Html {
  return html`<span class="bad">INVALID</span> <span class="note">${validity.reasons.join(' ')}</span>`
}
