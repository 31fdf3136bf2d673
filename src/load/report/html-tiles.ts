// Key figures of a report, as tiles.

import { mergeHistograms, percentileMicros } from '../histogram.ts'
import type { CapacityOutcome, ComparisonOutcome, Outcome, Report, Verification } from '../outcome.ts'
import { cpuPerQueryNs, lossOf, qpsOf, type RunResult } from '../run.ts'
import { boundsText } from './facts.ts'
import { type Html, html } from './html-text.ts'
import { letterOf } from './metrics.ts'
import { costText, countText, microsText, ratioText, shareText } from './number-text.ts'

interface Tile {
  readonly name: string
  readonly value: string
  readonly note: string
  /** Whether it deserves a look. */
  readonly isBad?: boolean
}

/** The tiles of a report. */
export function tileList({ outcome, verification }: Report): Html {
  const tiles = [...outcomeTiles(outcome), ...(verification === null ? [] : [verificationTile(verification)])]
  return html`<dl class="tiles">${tiles.map(
    ({ name, value, note, isBad }) =>
      html`<div class="tile${isBad === true ? ' bad' : ''}"><dt>${name}</dt><dd class="value">${value}</dd><dd class="note">${note}</dd></div>`,
  )}</dl>`
}

function outcomeTiles(outcome: Outcome): Tile[] {
  switch (outcome.kind) {
    case 'run':
      return runTiles(outcome.result)
    case 'capacity':
      return capacityTiles(outcome)
    case 'comparison':
      return comparisonTiles(outcome)
  }
}

function runTiles(result: RunResult): Tile[] {
  const { answered, sent, lost, latency, rawLatency } = result
  const cpu = cpuPerQueryNs(result)
  const percentile = (name: string, percent: number): Tile => ({
    name,
    value: microsText(percentileMicros(latency, percent)),
    note: `raw ${microsText(percentileMicros(rawLatency, percent))}`,
  })
  return [
    {
      name: 'Answered a second',
      value: countText(qpsOf(result)),
      note: `${countText(answered)} of ${countText(sent)}`,
    },
    { name: 'Lost', value: shareText(lossOf(result)), note: `${countText(lost)} queries`, isBad: lost > 0 },
    percentile('Latency p50', 50),
    percentile('Latency p99', 99),
    percentile('Latency p99.9', 99.9),
    ...(Number.isFinite(cpu) ? [{ name: 'CPU a query', value: costText(cpu / 1000), note: 'of the server' }] : []),
  ]
}

function capacityTiles({ rate, confirmed, failedRate, bounds, trials }: CapacityOutcome): Tile[] {
  const atCapacity = trials.filter((trial) => trial.rate === rate && trial.passed).map(({ result }) => result)
  const latency = mergeHistograms(atCapacity.map((result) => result.latency))
  const losses = atCapacity.map(lossOf)
  return [
    { name: 'Capacity', value: countText(rate), note: 'queries a second', isBad: rate === 0 },
    {
      name: 'Confirmed',
      value: `${confirmed.passed} of ${confirmed.of}`,
      note: `trials: ${boundsText(bounds)}`,
      isBad: confirmed.passed < confirmed.of,
    },
    {
      name: 'Too much',
      value: failedRate === null ? 'not found' : countText(failedRate),
      note: failedRate === null ? 'no rate was out of bounds' : 'the lowest rate out of bounds',
    },
    ...(atCapacity.length === 0
      ? []
      : [
          {
            name: 'p99 at capacity',
            value: microsText(percentileMicros(latency, 99)),
            note: `p50 ${microsText(percentileMicros(latency, 50))}`,
          },
          { name: 'Lost at capacity', value: shareText(Math.max(...losses)), note: 'in the worst trial' },
        ]),
  ]
}

function comparisonTiles({ servers, rounds }: ComparisonOutcome): Tile[] {
  return servers.map(({ target, qps, p99Micros, ratios }, index) => ({
    name: `${letterOf(index)} ${target.label}`,
    value: microsText(p99Micros.median),
    note:
      ratios === null
        ? `p99, median of ${rounds.length} rounds; ${countText(qps.median)} a second`
        : `p99, ${ratioText(ratios.p99.median)} that of A; ${countText(qps.median)} a second`,
  }))
}

function verificationTile({ wrong, checked }: Verification): Tile {
  return { name: 'Wrong answers', value: countText(wrong), note: `of ${countText(checked)} checked`, isBad: wrong > 0 }
}
