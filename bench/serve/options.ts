// What the command line of the measurement says.

import { SIZES } from '../../src/load/queries/synthetic-cluster.ts'
import { Arguments, type CommonOptions, RESULTS_HELP } from '../arguments.ts'
import { MIXES, type Mix } from './queries.ts'
import { TARGETS } from './targets.ts'

/** What to measure and how long. */
export interface Options extends CommonOptions {
  readonly rounds: number
  readonly seconds: number
  readonly targets: readonly string[]
  readonly sizes: readonly string[]
  readonly mixes: readonly Mix[]
  readonly sockets: readonly number[]
  readonly outstanding: readonly number[]
  /** Queries drawn for each size and mix. */
  readonly tableCount: number
  readonly serverCore: number
  readonly generatorCore: number
  /** First of a few dozen ports on 127.0.0.1. */
  readonly port: number
  readonly loadSeconds: number
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
${RESULTS_HELP}`

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
  'server-core': '1',
  'generator-core': '0',
  port: '5500',
  'load-seconds': '300',
}

/**
 * Reads the arguments.
 *
 * @returns undefined when help was asked for
 * @throws Error naming the option and what it may be
 */
export function readOptions(argv: readonly string[]): Options | undefined {
  const given = Arguments.read(argv, DEFAULTS, QUICK)
  if (given === undefined) return undefined
  const targets = TARGETS.map(({ name }) => name)
  const sizes = SIZES.map(({ label }) => label)
  return {
    rounds: given.number('rounds', 1, 1000),
    seconds: given.number('seconds', 0.05, 600),
    targets: given.chosen('targets', targets),
    sizes: given.chosen('sizes', sizes),
    mixes: given.chosen('mixes', MIXES),
    sockets: given.numbers('sockets', 1, 4096),
    outstanding: given.numbers('outstanding', 1, 65_536),
    tableCount: given.number('table', 1024, 4_000_000),
    serverCore: given.number('server-core', 0, 4095),
    generatorCore: given.number('generator-core', 0, 4095),
    port: given.number('port', 1, 65_000),
    loadSeconds: given.number('load-seconds', 1, 3600),
    ...given.common(),
  }
}
