// The sections that reports of all kinds have: latency, the run over time, RCODEs, the generator, how it was made.

import type { Report } from '../outcome.ts'
import type { RunResult } from '../run.ts'
import {
  countFacts,
  type Fact,
  generatorFacts,
  PERCENTILES,
  percentileTexts,
  rcodeShares,
  scheduleText,
  specText,
  targetText,
} from './facts.ts'
import { factList, plotFrame, table } from './html-tables.ts'
import { Html, html } from './html-text.ts'
import { letterOf } from './metrics.ts'
import { countText, shareText } from './number-text.ts'
import { latenciesOf, timedRun } from './plots.ts'

const NOTHING = new Html('')

/** What the page is called. */
export function outcomeTitle({ outcome }: Report): string {
  switch (outcome.kind) {
    case 'run':
      return `Load on ${targetText(outcome.result.spec.target)}`
    case 'capacity': {
      const trial = outcome.trials.at(0)
      return trial === undefined ? 'Capacity' : `Capacity of ${targetText(trial.result.spec.target)}`
    }
    case 'comparison':
      return `Comparison of ${outcome.servers.length} servers`
  }
}

/** Latency by percentile, as a plot and as a table. */
export function latencySection({ outcome }: Report): Html {
  const latencies = latenciesOf(outcome)
  const rows = latencies.flatMap(({ label, latency, rawLatency }) => [
    [label === '' ? 'corrected' : `${label}, corrected`, ...percentileTexts(latency)],
    [label === '' ? 'raw' : `${label}, raw`, ...percentileTexts(rawLatency)],
  ])
  if (rows.length === 0) return NOTHING
  return html`<section><h2>Latency</h2>
${plotFrame('percentiles', 'Latency by percentile', 'each step to the right leaves a tenth of the queries')}
${table(['', ...PERCENTILES.map(([name]) => name)], rows)}
<p class="note">Corrected: from the time that a query was to be sent at; a server that stands still is charged with every query that should have come meanwhile. Raw: from the time that it was sent at. What was lost counts with the time limit in both.</p>
</section>`
}

/** The run second by second; of a search, the last trial at the capacity. */
export function timeSection({ outcome }: Report, plots: ReadonlySet<string>): Html {
  const result = timedRun(outcome)
  if (result === null || !plots.has('rate-over-time')) return NOTHING
  const which = outcome.kind === 'run' ? '' : `, in a trial of ${scheduleText(result.spec.schedule)}`
  const losses = plots.has('losses-over-time')
    ? plotFrame('losses-over-time', 'Queries lost', 'by second in which they were given up')
    : html`<p class="note">No query was lost.</p>`
  return html`<section><h2>Over time${which}</h2>
${plotFrame('latency-over-time', 'Latency, corrected', 'by second')}
<div class="pair">${plotFrame('rate-over-time', 'Queries a second', 'by second')}
${losses}</div>
</section>`
}

/** What the answers were, and what else came. */
export function rcodeSection({ outcome }: Report): Html {
  const result = timedRun(outcome)
  if (result === null) return NOTHING
  return html`<section><h2>Answers</h2><div class="pair">
${rcodeBars(result)}
${factList(countFacts(result))}
</div></section>`
}

function rcodeBars(result: RunResult): Html {
  const rows = rcodeShares(result).map(({ name, answers, share }) => [
    name,
    countText(answers),
    shareText(share),
    html`<meter min="0" max="1" value="${share.toFixed(4)}" aria-hidden="true"></meter>`,
  ])
  return rows.length === 0 ? html`<p>No answers.</p>` : table(['RCODE', 'Answers', 'Share', ''], rows, [3])
}

/** How the generator fared: what its figures are worth. */
export function generatorSection({ outcome }: Report): Html {
  const result = timedRun(outcome)
  if (result === null) return NOTHING
  return html`<section><h2>Generator</h2>${factList(generatorFacts(result))}</section>`
}

/** The command, the queries, the machine. */
export function originSection(report: Report): Html {
  const { outcome, command, queries, queryCount, machine, startedAt, version } = report
  const result = outcome.kind === 'comparison' ? outcome.rounds.at(0)?.at(0)?.result : timedRun(outcome)
  const facts: Fact[] = [
    ['Started', startedAt, ''],
    ['Version', version, ''],
    ['Queries', `${queries}; ${countText(queryCount)} of them, over and over`, ''],
  ]
  if (outcome.kind === 'comparison') {
    for (const [index, { target }] of outcome.servers.entries())
      facts.push([`Server ${letterOf(index)}`, targetText(target), ''])
  }
  if (result) facts.push(['Schedule', scheduleText(result.spec.schedule), ''], ['Run', specText(result.spec), ''])
  for (const [name, value] of Object.entries(machine)) facts.push([name.replaceAll('_', ' '), String(value), ''])
  return html`<section><h2>How it was made</h2>
<pre class="command"><code>${command.map(shellWord).join(' ')}</code></pre>
${factList(facts)}
</section>`
}

/** As it can be pasted into a shell. */
function shellWord(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`
}
