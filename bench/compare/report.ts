// What changed, as lines to read.

import type { Results } from '../results.ts'
import { tableLines } from '../table.ts'
import type { Comparison, Difference, Threshold, Verdict } from './changes.ts'

const WARNING = "WARNING: not the same machine, or not as it was: differences may be the machine's, not the code's"
/** Names and units. */
const isText = (column: number): boolean => column === 0 || column === 3
const HEADS = ['', 'before', 'after', 'unit', 'ratio', 'interval', 'rounds']

/** @param showsAll  what did not change has a table too */
export function comparisonLines(
  [before, after]: readonly [Results, Results],
  { differences, onlyBefore, onlyAfter, machine }: Comparison,
  threshold: Threshold,
  showsAll: boolean,
): string[] {
  const of = (verdict: Verdict) => differences.filter((each) => each.verdict === verdict)
  const confidence = `${Number(((1 - threshold.alpha) * 100).toFixed(3))} %`
  const same = of('same')
  return [
    `before: bench:${before.bench}, ${goText(before)}`,
    `after:  bench:${after.bench}, ${goText(after)}`,
    ...machineLines(machine),
    ...section('Better', of('better')),
    ...section('Worse', of('worse')),
    ...section(`Too few rounds to tell at ${confidence}`, of('too few')),
    ...(showsAll ? section('The same', same) : []),
    ...names('Only before', onlyBefore),
    ...names('Only after', onlyAfter),
    '',
    `${differences.length} figures: ${of('better').length} better, ${of('worse').length} worse, ${same.length} the same (by chance or by less than ` +
      `${Number((threshold.least * 100).toFixed(3))} %), ${of('too few').length} with too few rounds.`,
    `Medians; ratio of after to before and its interval at ${confidence}: Mann and Whitney's test over the rounds.`,
    ...(machine.length === 0 ? [] : [WARNING]),
  ]
}

function goText({ date, commit, machine }: Results): string {
  return `${date.slice(0, 16).replace('T', ' ')}, ${commit || 'commit not known'}, ${machine.cpu ?? 'a machine not known'}`
}

function machineLines(machine: readonly string[]): string[] {
  if (machine.length === 0) return []
  return ['', WARNING, ...machine.map((line) => `  ${line}`)]
}

function section(title: string, differences: readonly Difference[]): string[] {
  if (differences.length === 0) return []
  return ['', title, ...tableLines([HEADS, ...differences.map(row)], isText)]
}

function row({ figure, before, after, ratio, low, high, rounds }: Difference): string[] {
  const hasInterval = low > 0 && Number.isFinite(high)
  return [
    figure.name,
    shown(before),
    shown(after),
    figure.unit,
    Number.isNaN(ratio) ? '-' : ratio.toFixed(3),
    hasInterval ? `${low.toFixed(3)}..${high.toFixed(3)}` : '-',
    rounds.join(' + '),
  ]
}

function names(title: string, list: readonly string[]): string[] {
  return list.length === 0 ? [] : ['', title, ...list.map((name) => `  ${name}`)]
}

/** Four digits that matter. */
function shown(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return 'never'
  if (value === 0) return '0'
  return value.toFixed(Math.max(0, 3 - Math.floor(Math.log10(Math.abs(value)))))
}
