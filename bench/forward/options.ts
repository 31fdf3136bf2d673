// What the command line of the measurement of forwarding says.

import { Arguments, type CommonOptions, RESULTS_HELP } from '../arguments.ts'
import { MIXES, type Mix } from '../serve/queries.ts'
import { TARGETS } from './targets.ts'

/** What to measure and how long. */
export interface Options extends CommonOptions {
  readonly rounds: number
  readonly seconds: number
  readonly targets: readonly string[]
  /** Of the hits; none = hits are not measured. */
  readonly mixes: readonly Mix[]
  /** Whether unique names are measured. */
  readonly misses: boolean
  /** Clients that ask one name at once, 0 = not measured. */
  readonly clients: number
  readonly sockets: number
  readonly outstanding: number
  readonly serverCore: number
  readonly generatorCore: number
  readonly upstreamCore: number
  /** First of about twenty ports on 127.0.0.1. */
  readonly port: number
}

/** What `--help` prints. */
export const HELP = `npm run bench:forward -- [options]
  --quick                a look at everything in less than a minute
  --rounds N             rounds, every target once in each (5)
  --seconds S            of counting for one target in one round (2)
  --targets a,b          ${TARGETS.map((target) => target.name).join(',')}
  --mixes a,b            of the hits: ${MIXES.join(',')} (positive,mixed)
  --only a,b             hits,misses,burst (all)
  --clients N            that ask one name at once (1000)
  --sockets N            client sockets (8)
  --outstanding N        queries under way in all (256)
  --seed N               of the queries (1)
  --server-core N, --generator-core N, --upstream-core N    (1, 0, and the generator's)
  --port N               first port on 127.0.0.1 (5700)
  --launcher PATH        bin/peregrine of another checkout
${RESULTS_HELP}`

const QUICK: Record<string, string> = { rounds: '2', seconds: '0.4', mixes: 'positive' }

const DEFAULTS: Record<string, string> = {
  rounds: '5',
  seconds: '2',
  targets: TARGETS.map((target) => target.name).join(','),
  mixes: 'positive,mixed',
  only: 'hits,misses,burst',
  clients: '1000',
  sockets: '8',
  outstanding: '256',
  'server-core': '1',
  'generator-core': '0',
  'upstream-core': '',
  port: '5700',
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
  const only = given.chosen('only', ['hits', 'misses', 'burst'])
  const known = TARGETS.map(({ name }) => name)
  return {
    // The names of misses are made for at most so many runs, and held in memory for so many seconds.
    rounds: given.number('rounds', 1, 1000),
    seconds: given.number('seconds', 0.05, 10),
    targets: given.chosen('targets', known),
    mixes: only.includes('hits') ? given.chosen('mixes', MIXES) : [],
    misses: only.includes('misses'),
    clients: only.includes('burst') ? given.number('clients', 1, 10_000) : 0,
    sockets: given.number('sockets', 1, 4096),
    outstanding: given.number('outstanding', 1, 8192),
    serverCore: given.number('server-core', 0, 4095),
    generatorCore: given.number('generator-core', 0, 4095),
    upstreamCore: given.number(given.text('upstream-core') === '' ? 'generator-core' : 'upstream-core', 0, 4095),
    port: given.number('port', 1, 65_000),
    ...given.common(),
  }
}
