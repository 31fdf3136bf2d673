// `npm run bench:compare -- A.json B.json`: what changed beyond the noise between two goes of a benchmark, in both directions.

import { parseArgs } from 'node:util'
import { compareResults } from './compare/changes.ts'
import { comparisonLines } from './compare/report.ts'
import { readResults } from './results.ts'

const HELP = `npm run bench:compare -- [options] BEFORE.json AFTER.json
  files that benchmarks wrote with --json FILE or --record (bench/results/)
  --alpha P    how often a figure that is the same may pass for changed (0.01)
  --least P    a difference of medians below this share is none (0.02)
  --all        shows what did not change too`

/**
 * What is to be printed.
 *
 * @throws Error, one line, for what cannot be compared
 */
function lines(): string[] {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      alpha: { type: 'string', default: '0.01' },
      least: { type: 'string', default: '0.02' },
      all: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) return [HELP]
  if (positionals.length !== 2) throw new Error(`two files are compared, not ${positionals.length} (--help)`)
  const threshold = { alpha: share('alpha', values.alpha, Number.MIN_VALUE), least: share('least', values.least, 0) }
  const [before, after] = [readResults(positionals[0]), readResults(positionals[1])]
  const comparison = compareResults(before, after, threshold)
  return comparisonLines([before, after], comparison, threshold, values.all)
}

function share(name: string, text: string, least: number): number {
  const value = Number(text)
  if (text.trim() === '' || !(value >= least && value < 1))
    throw new Error(`--${name}: '${text}' is not between 0 and 1`)
  return value
}

try {
  console.log(lines().join('\n'))
} catch (error) {
  console.error(`bench:compare: ${(error as Error).message.split('\n')[0]}`)
  process.exitCode = 2
}
