// What the command line of the measurement says.

import { Arguments, type CommonOptions, RESULTS_HELP } from '../arguments.ts'

/** What to measure and how long. */
export interface Options extends CommonOptions {
  /** Services of each cluster that is measured. */
  readonly services: readonly number[]
  readonly endpointsPerService: number
  /** Starts of a kind at 10,000 Services; larger clusters get fewer, down to one from the API and three from the file. */
  readonly starts: number
  /** Of changes at each rate. */
  readonly seconds: number
  /** Changes a second. */
  readonly rates: readonly number[]
  /** Queries a second beside the changes. */
  readonly load: number
  readonly workers: number
  /** Only parts whose names contain it; '' = all. */
  readonly only: string
  /** Folder for profiles of the server, '' = none. */
  readonly profiles: string
}

/** What `--help` prints. */
export const HELP = `npm run bench:watch -- [options]
  --quick                a look at everything in about a minute
  --services a,b         sizes of the cluster (10000,100000)
  --endpoints N          endpoints of a Service (10)
  --only TEXT            only parts whose names contain it: cold start, quiet, updates, relist, outage, half-open, state file
  --starts N             starts of a kind at 10,000 Services, fewer at more (3)
  --seconds S            of changes at each rate (8)
  --rates a,b            changes a second (100,1000)
  --load N               queries a second beside them (5000)
  --workers N            query workers of the server (1)
  --seed N               of the queries (1)
  --launcher PATH        bin/peregrine of another checkout
  --profiles DIR         CPU profiles of the server's threads
${RESULTS_HELP}`

const QUICK: Record<string, string> = { services: '2000', starts: '2', seconds: '3' }

const DEFAULTS: Record<string, string> = {
  services: '10000,100000',
  endpoints: '10',
  only: '',
  starts: '3',
  seconds: '8',
  rates: '100,1000',
  load: '5000',
  workers: '1',
  profiles: '',
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
    services: given.numbers('services', 100, 200_000),
    // A headless Service's addresses fit a message without EDNS.
    endpointsPerService: given.number('endpoints', 1, 20),
    starts: given.number('starts', 1, 100),
    seconds: given.number('seconds', 1, 600),
    rates: given.numbers('rates', 1, 5000),
    load: given.number('load', 1, 50_000),
    workers: given.number('workers', 1, 62),
    only: given.text('only'),
    profiles: given.text('profiles'),
    ...given.common(),
  }
}
