// What the command line of the load tester's own measurement says.

import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { withRecord } from '../results.ts'
import { chosen, inRange } from '../serve/options.ts'

/** What can be measured: how much one core offers, how true latencies are, how true rates are, and how it agrees with dnsperf. */
export const PARTS = ['offered', 'latency', 'rate', 'dnsperf'] as const
export type Part = (typeof PARTS)[number]

/** What to measure and how long. */
export interface Options {
  readonly parts: readonly Part[]
  readonly rounds: number
  /** Of one run that measures latencies or a rate. */
  readonly seconds: number
  /** Of one run that measures how many queries are answered or offered. */
  readonly shortSeconds: number
  readonly sockets: number
  readonly seed: number
  readonly serverCore: number
  readonly generatorCore: number
  /** First of a few ports on 127.0.0.1. */
  readonly port: number
  /** '' = none. */
  readonly jsonPath: string
  /** Whether figures go to bench/results too. */
  readonly isRecorded: boolean
  /** `bin/peregrine` of the checkout whose server is asked; the load is always this one's. */
  readonly launcher: string
}

/** What `--help` prints. */
export const HELP = `npm run bench:load -- [options]
  --quick                a look at everything in two minutes, instead of ten
  --parts a,b            ${PARTS.join(',')}
  --rounds N             rounds (3)
  --seconds S            of a run that measures latencies or a rate (10)
  --short-seconds S      of a run that measures how many queries are answered or offered (2)
  --sockets N            client sockets (128)
  --seed N               of the queries (1)
  --server-core N, --generator-core N    (1 and 0)
  --port N               first port on 127.0.0.1 (5700)
  --launcher PATH        bin/peregrine whose server is asked beside dnsperf
  --json FILE            figures, and all that they were made of
  --record               figures to bench/results, by date (or --json alone)`

const QUICK: Record<string, string> = { rounds: '1', seconds: '2', 'short-seconds': '0.5' }

const DEFAULTS: Record<string, string> = {
  parts: PARTS.join(','),
  rounds: '3',
  seconds: '10',
  'short-seconds': '2',
  sockets: '128',
  seed: '1',
  'server-core': '1',
  'generator-core': '0',
  port: '5700',
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
    parts: chosen('parts', values.parts, PARTS) as Part[],
    rounds: number('rounds', 1, 1000),
    // A server that freezes does so once a second.
    seconds: Math.ceil(number('seconds', 1, 600)),
    shortSeconds: number('short-seconds', 0.1, 600),
    sockets: number('sockets', 1, 1000),
    seed: number('seed', 0, 2 ** 32 - 1),
    serverCore: number('server-core', 0, 1023),
    generatorCore: number('generator-core', 0, 1023),
    port: number('port', 1, 65_000),
    jsonPath: values.json,
    isRecorded: given.record === true,
    launcher: resolve(values.launcher),
  }
}
