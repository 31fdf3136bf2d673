// What the command line of the load tester's own measurement says.

import { Arguments, type CommonOptions, RESULTS_HELP } from '../arguments.ts'

/** What can be measured: how much one core offers, how true latencies are, how true rates are, and how it agrees with dnsperf. */
export const PARTS = ['offered', 'latency', 'rate', 'dnsperf'] as const
export type Part = (typeof PARTS)[number]

/** What to measure and how long. */
export interface Options extends CommonOptions {
  readonly parts: readonly Part[]
  readonly rounds: number
  /** Of one run that measures latencies or a rate. */
  readonly seconds: number
  /** Of one run that measures how many queries are answered or offered. */
  readonly shortSeconds: number
  readonly sockets: number
  readonly serverCore: number
  readonly generatorCore: number
  /** First of a few ports on 127.0.0.1. */
  readonly port: number
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
${RESULTS_HELP}`

const QUICK: Record<string, string> = { rounds: '1', seconds: '2', 'short-seconds': '0.5' }

const DEFAULTS: Record<string, string> = {
  parts: PARTS.join(','),
  rounds: '3',
  seconds: '10',
  'short-seconds': '2',
  sockets: '128',
  'server-core': '1',
  'generator-core': '0',
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
  return {
    parts: given.chosen('parts', PARTS),
    rounds: given.number('rounds', 1, 1000),
    // A server that freezes does so once a second.
    seconds: Math.ceil(given.number('seconds', 1, 600)),
    shortSeconds: given.number('short-seconds', 0.1, 600),
    sockets: given.number('sockets', 1, 1000),
    serverCore: given.number('server-core', 0, 1023),
    generatorCore: given.number('generator-core', 0, 1023),
    port: given.number('port', 1, 65_000),
    ...given.common(),
  }
}
