// What the command line of the measurement of HTTP endpoints says.

import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { withRecord } from '../results.ts'
import { chosen, inRange } from '../serve/options.ts'
import { ENDPOINTS, type Endpoint } from './server.ts'

/** What to measure and how long. */
export interface Options {
  readonly rounds: number
  readonly seconds: number
  readonly endpoints: readonly Endpoint[]
  readonly connections: number
  /** Queries a second, in every second half of a round; 0 = there is none. */
  readonly dnsRate: number
  readonly seed: number
  readonly serverCore: number
  readonly clientCore: number
  /** '' = none. */
  readonly jsonPath: string
  /** Whether figures go to bench/results too. */
  readonly isRecorded: boolean
  /** `bin/peregrine` of the checkout to measure. */
  readonly launcher: string
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
  --json FILE            figures, and all that they were made of
  --record               figures to bench/results, by date (or --json alone)`

const QUICK: Record<string, string> = { rounds: '2', seconds: '1' }

const DEFAULTS: Record<string, string> = {
  rounds: '5',
  seconds: '3',
  endpoints: ENDPOINTS.join(','),
  connections: '10',
  dns: '0',
  seed: '1',
  'server-core': '1',
  'client-core': '0',
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
  const given: Record<string, unknown> = parseArgs({ args: withRecord(argv), options: { ...texts, ...flags } }).values
  if (given.help) return undefined
  const values = { ...DEFAULTS, ...(given.quick ? QUICK : {}), ...given } as Record<string, string>
  const number = (name: string, least: number, most: number) => inRange(name, values[name], least, most)
  return {
    rounds: number('rounds', 1, 1000),
    seconds: number('seconds', 0.1, 600),
    endpoints: chosen('endpoints', values.endpoints, ENDPOINTS) as Endpoint[],
    connections: number('connections', 1, 1000),
    dnsRate: number('dns', 0, 200_000),
    seed: number('seed', 0, 2 ** 32 - 1),
    serverCore: number('server-core', 0, 4095),
    clientCore: number('client-core', 0, 4095),
    jsonPath: values.json,
    isRecorded: given.record === true,
    launcher: resolve(values.launcher),
  }
}
