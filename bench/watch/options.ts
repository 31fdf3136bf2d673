// What the command line of the measurement says.

import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { withRecord } from '../results.ts'

/** What to measure and how long. */
export interface Options {
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
  readonly seed: number
  /** Only parts whose names contain it; '' = all. */
  readonly only: string
  /** '' = none. */
  readonly jsonPath: string
  /** Whether figures go to bench/results too. */
  readonly isRecorded: boolean
  /** Folder for profiles of the server, '' = none. */
  readonly profiles: string
  /** `bin/peregrine` of the checkout to measure. */
  readonly launcher: string
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
  --json FILE            figures, and all that they were made of
  --record               figures to bench/results, by date (or --json alone)`

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
  seed: '1',
  profiles: '',
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
  const numbers = (name: string, least: number, most: number) =>
    values[name].split(',').map((text) => inRange(name, text, least, most))
  return {
    services: numbers('services', 100, 200_000),
    // A headless Service's addresses fit a message without EDNS.
    endpointsPerService: number('endpoints', 1, 20),
    starts: number('starts', 1, 100),
    seconds: number('seconds', 1, 600),
    rates: numbers('rates', 1, 5000),
    load: number('load', 1, 50_000),
    workers: number('workers', 1, 62),
    seed: number('seed', 0, 2 ** 32 - 1),
    only: values.only,
    jsonPath: values.json,
    isRecorded: given.record === true,
    profiles: values.profiles,
    launcher: resolve(values.launcher),
  }
}

function inRange(name: string, text: string, least: number, most: number): number {
  const number = Number(text)
  if (!(number >= least && number <= most)) throw new Error(`--${name}: '${text}' is not in ${least}..${most}`)
  return number
}
