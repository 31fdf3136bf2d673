// The command line of a measurement: readers for what each is told, and what all are told. Every option has a default, `--quick`
// stands for several at once, and nothing but options is taken.

import { resolve } from 'node:path'
import { parseArgs } from 'node:util'

/** What every measurement is told. */
export interface CommonOptions {
  /** Of the queries. */
  readonly seed: number
  /** '' = none. */
  readonly jsonPath: string
  /** Whether figures go to bench/results too. */
  readonly isRecorded: boolean
  /** `bin/peregrine` of the checkout to measure. */
  readonly launcher: string
}

/** The last lines of every `--help`. */
export const RESULTS_HELP = `  --json FILE            figures, and all that they were made of
  --record               figures to bench/results, by date (or --json alone)`

const COMMON_DEFAULTS = { seed: '1', json: '', launcher: resolve(import.meta.dirname, '../bin/peregrine') }
const FLAGS = { quick: { type: 'boolean' }, record: { type: 'boolean' }, help: { type: 'boolean' } } as const

/** Options by name, as texts, and readers of them. Readers throw Errors that name the option and what it may be. */
export class Arguments {
  readonly #values: Readonly<Record<string, string>>
  readonly #isRecorded: boolean

  private constructor(values: Readonly<Record<string, string>>, isRecorded: boolean) {
    this.#values = values
    this.#isRecorded = isRecorded
  }

  /**
   * @param defaults  all options that there are, beside those of CommonOptions
   * @param quick     defaults with `--quick`
   * @returns undefined when help was asked for
   * @throws Error for what is no option
   */
  static read(
    argv: readonly string[],
    defaults: Readonly<Record<string, string>>,
    quick: Readonly<Record<string, string>>,
  ): Arguments | undefined {
    const all = { ...COMMON_DEFAULTS, ...defaults }
    const texts = Object.fromEntries(Object.keys(all).map((name) => [name, { type: 'string' as const }]))
    const given: Record<string, unknown> = parseArgs({ args: withRecord(argv), options: { ...texts, ...FLAGS } }).values
    if (given.help) return undefined
    const values = { ...all, ...(given.quick ? quick : {}), ...given } as Record<string, string>
    return new Arguments(values, given.record === true)
  }

  text(name: string): string {
    return this.#values[name]
  }

  /** A number in a range, both ends included. */
  number(name: string, least: number, most: number): number {
    return inRange(name, this.text(name), least, most)
  }

  /** Numbers with commas between them. */
  numbers(name: string, least: number, most: number): number[] {
    const texts = this.text(name).split(',')
    return texts.map((text) => inRange(name, text, least, most))
  }

  /** Words with commas between them. @returns them in the order in which they are known */
  chosen<Name extends string>(name: string, known: readonly Name[]): Name[] {
    const wanted = this.text(name).split(',')
    const unknown = wanted.find((each) => !known.some((word) => word === each))
    if (unknown !== undefined) throw new Error(`--${name}: '${unknown}' is none of ${known}`)
    return known.filter((each) => wanted.includes(each))
  }

  common(): CommonOptions {
    return {
      seed: this.number('seed', 0, 2 ** 32 - 1),
      jsonPath: this.text('json'),
      isRecorded: this.#isRecorded,
      launcher: resolve(this.text('launcher')),
    }
  }
}

/** Arguments in which a `--json` without a file has become `--record`. */
export function withRecord(argv: readonly string[]): string[] {
  const isAlone = (at: number): boolean => argv[at] === '--json' && (argv[at + 1] ?? '--').startsWith('--')
  return argv.map((word, at) => (isAlone(at) ? '--record' : word))
}

function inRange(name: string, text: string, least: number, most: number): number {
  const number = Number(text)
  if (!(number >= least && number <= most)) throw new Error(`--${name}: '${text}' is not in ${least}..${most}`)
  return number
}
