// What the command line of the measurement says.

import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { SIZES } from '../../src/load/queries/synthetic-cluster.ts'
import { withRecord } from '../results.ts'
import { MIXES, type Mix } from './queries.ts'
import { TARGETS } from './targets.ts'

/** What to measure and how long. */
export interface Options {
  readonly rounds: number
  readonly seconds: number
  readonly targets: readonly string[]
  readonly sizes: readonly string[]
  readonly mixes: readonly Mix[]
  readonly sockets: readonly number[]
  readonly outstanding: readonly number[]
  /** Queries drawn for each size and mix. */
  readonly tableCount: number
  readonly seed: number
  readonly serverCore: number
  readonly generatorCore: number
  /** First of a few dozen ports on 127.0.0.1. */
  readonly port: number
  /** '' = none. */
  readonly jsonPath: string
  /** Whether figures go to bench/results too. */
  readonly isRecorded: boolean
  readonly loadSeconds: number
  /** `bin/peregrine` of the checkout to measure. */
  readonly launcher: string
}

/** What `--help` prints. */
export const HELP = `npm run bench:serve -- [options]
  --quick                a look at everything in less than a minute
  --rounds N             rounds, every target once in each (7)
  --seconds S            of counting for one target in one round (2)
  --targets a,b          ${TARGETS.map((target) => target.name).join(',')}
  --sizes a,b            names: ${SIZES.map((size) => size.label).join(',')}
  --mixes a,b            ${MIXES.join(',')}
  --sockets 8,128        client sockets
  --outstanding 256,4    queries under way in all; 4 is measured with mixed queries, 8 sockets and the smallest size only
  --table N              queries drawn for each size and mix (262144)
  --seed N               of the queries (1)
  --server-core N, --generator-core N    (1 and 0)
  --port N               first port on 127.0.0.1 (5500)
  --load-seconds N       how long a server may take to load the names (300)
  --launcher PATH        bin/peregrine of another checkout
  --json FILE            figures, and all that they were made of
  --record               figures to bench/results, by date (or --json alone)`

/** Below this many queries under way a run is about small batches, not about saturation. */
export const SMALL_OUTSTANDING = 32

const QUICK: Record<string, string> = {
  rounds: '3',
  seconds: '0.25',
  sizes: '1k',
  mixes: 'positive,nxdomain,mixed',
  sockets: '8',
  table: '65536',
}

const DEFAULTS: Record<string, string> = {
  rounds: '7',
  seconds: '2',
  targets: TARGETS.map((target) => target.name).join(','),
  sizes: SIZES.map((size) => size.label).join(','),
  mixes: MIXES.join(','),
  sockets: '8,128',
  outstanding: '256,4',
  table: '262144',
  seed: '1',
  'server-core': '1',
  'generator-core': '0',
  port: '5500',
  'load-seconds': '300',
  json: '',
  launcher: resolve(import.meta.dirname, '../../bin/peregrine'),
}

/**
 * Reads the arguments.
 *
 * @returns undefined when help was asked for
 * @throws Error naming the option and what it may be
 */
export function readOptions(argv: readonly string[]): Options | undefined {
  const texts = Object.fromEntries(Object.keys(DEFAULTS).map((name) => [name, { type: 'string' as const }]))
  const flags = { quick: { type: 'boolean' }, record: { type: 'boolean' }, help: { type: 'boolean' } } as const
  const given = parseArgs({ args: withRecord(argv), options: { ...texts, ...flags } }).values as Record<
    string,
    string | boolean | undefined
  >
  if (given.help) return undefined
  const values = { ...DEFAULTS, ...(given.quick ? QUICK : {}), ...given } as Record<string, string>
  const number = (name: string, least: number, most: number) => inRange(name, values[name], least, most)
  const numbers = (name: string, most: number) => values[name].split(',').map((text) => inRange(name, text, 1, most))
  return {
    rounds: number('rounds', 1, 1000),
    seconds: number('seconds', 0.05, 600),
    targets: chosen(
      'targets',
      values.targets,
      TARGETS.map((target) => target.name),
    ),
    sizes: chosen(
      'sizes',
      values.sizes,
      SIZES.map((size) => size.label),
    ),
    mixes: chosen('mixes', values.mixes, MIXES) as Mix[],
    sockets: numbers('sockets', 4096),
    outstanding: numbers('outstanding', 65_536),
    tableCount: number('table', 1024, 4_000_000),
    seed: number('seed', 0, 2 ** 32 - 1),
    serverCore: number('server-core', 0, 4095),
    generatorCore: number('generator-core', 0, 4095),
    port: number('port', 1, 65_000),
    jsonPath: values.json,
    isRecorded: given.record === true,
    loadSeconds: number('load-seconds', 1, 3600),
    launcher: resolve(values.launcher),
  }
}

/** @throws Error when the text is no number or out of range, both ends included */
export function inRange(name: string, text: string, least: number, most: number): number {
  const number = Number(text)
  if (!(number >= least && number <= most)) throw new Error(`--${name}: '${text}' is not in ${least}..${most}`)
  return number
}

/**
 * Reads words with commas between them.
 *
 * @throws Error when one is not known
 */
export function chosen(name: string, text: string, known: readonly string[]): string[] {
  const wanted = text.split(',')
  for (const each of wanted) if (!known.includes(each)) throw new Error(`--${name}: '${each}' is none of ${known}`)
  // In the order in which they are known.
  return known.filter((each) => wanted.includes(each))
}
