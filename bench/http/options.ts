// What the command line of the measurement of HTTP endpoints says.

import { Arguments, type CommonOptions, RESULTS_HELP } from '../arguments.ts'
import { ENDPOINTS, type Endpoint } from './server.ts'

/** What to measure and how long. */
export interface Options extends CommonOptions {
  readonly rounds: number
  readonly seconds: number
  readonly endpoints: readonly Endpoint[]
  readonly connections: number
  /** Queries a second, in every second half of a round; 0 = there is none. */
  readonly dnsRate: number
  readonly serverCore: number
  readonly clientCore: number
}

/** What `--help` prints. */
export const HELP = `npm run bench:http -- [options]
  --quick                a look at everything in less than a minute
  --rounds N             rounds, every endpoint once in each (5)
  --seconds S            for one endpoint in one round (3)
  --endpoints a,b        ${ENDPOINTS.join(',')}
  --connections N        requests under way at any time (10)
  --dns N                measures all again with so many queries a second beside, and these alone (0: does not)
  --seed N               of the queries (1)
  --server-core N, --client-core N    (1 and 0)
  --launcher PATH        bin/peregrine of another checkout
${RESULTS_HELP}`

const QUICK: Record<string, string> = { rounds: '2', seconds: '1' }

const DEFAULTS: Record<string, string> = {
  rounds: '5',
  seconds: '3',
  endpoints: ENDPOINTS.join(','),
  connections: '10',
  dns: '0',
  'server-core': '1',
  'client-core': '0',
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
  return {
    rounds: given.number('rounds', 1, 1000),
    seconds: given.number('seconds', 0.1, 600),
    endpoints: given.chosen('endpoints', ENDPOINTS),
    connections: given.number('connections', 1, 1000),
    dnsRate: given.number('dns', 0, 200_000),
    serverCore: given.number('server-core', 0, 4095),
    clientCore: given.number('client-core', 0, 4095),
    ...given.common(),
  }
}
