// What benchmarks came to, in one format for all, so that two goes can be compared (bench/compare.ts). bench/results/ keeps them
// by date. A file may hold more than this beside it, such as the samples of every round.

import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type MachineFacts, machineFacts } from '../src/load/machine.ts'

/** One thing that was measured, once in each round. */
export interface Figure {
  /** Unlike all others of its benchmark, and the same from go to go. */
  readonly name: string
  /** '' for ratios and counts. */
  readonly unit: string
  readonly better: 'lower' | 'higher'
  /** Infinity = it never came (`"never"` in the file). Never NaN. */
  readonly values: readonly number[]
}

/** All figures of one go. */
export interface Results {
  /** `serve`, `forward`, … */
  readonly bench: string
  /** ISO 8601. */
  readonly date: string
  /** Of the code that was measured, `-dirty` behind it if that was changed; '' if not known. */
  readonly commit: string
  readonly machine: MachineFacts
  readonly figures: readonly Figure[]
}

/** A file that is no results: one line that names it, and what is wrong. */
export class ResultsError extends Error {
  readonly code = 'BAD_RESULTS'
}

/** Where `--record` puts files. */
export const RESULTS_FOLDER: string = join(import.meta.dirname, 'results')

/**
 * Results of now, on this machine.
 *
 * @param figures   values that are not numbers are left out, and so are figures without values
 * @param checkout  a folder of the code that was measured
 * @param machine   facts to be added to those of the machine, such as versions of peers
 */
export function makeResults(
  bench: string,
  figures: readonly Figure[],
  checkout: string = import.meta.dirname,
  machine: MachineFacts = {},
): Results {
  const known = figures
    .map((figure) => ({ ...figure, values: figure.values.filter((value) => !Number.isNaN(value)) }))
    .filter(({ values }) => values.length > 0)
  return {
    bench,
    date: new Date().toISOString(),
    commit: commitOf(checkout),
    machine: { ...machineFacts(), ...machine },
    figures: known,
  }
}

/** Writes them; of `details`, what has none of their names is written too. */
export function writeResults(path: string, results: Results, details: object = {}): void {
  const never = (_key: string, value: unknown): unknown => (value === Number.POSITIVE_INFINITY ? 'never' : value)
  writeFileSync(path, `${JSON.stringify({ ...details, ...results }, never, 1)}\n`)
}

/**
 * Writes them to `YYYY-MM-DD-bench.json`, or with a number behind it when there is one of that day.
 *
 * @returns the path
 */
export function recordResults(results: Results, folder: string = RESULTS_FOLDER): string {
  mkdirSync(folder, { recursive: true })
  const stem = join(folder, `${results.date.slice(0, 10)}-${results.bench}`)
  let path = `${stem}.json`
  for (let number = 2; existsSync(path); number++) path = `${stem}-${number}.json`
  writeResults(path, results)
  return path
}

/** What `--json FILE`, and `--record` or `--json` alone, ask for. `jsonPath` '' = no file. */
export function keepResults(results: Results, jsonPath: string, isRecorded: boolean, details: object): void {
  if (jsonPath !== '') writeResults(jsonPath, results, details)
  if (isRecorded) console.log(`recorded in ${recordResults(results)}`)
}

/** @throws ResultsError for a file that cannot be read or holds something else */
export function readResults(path: string): Results {
  const fail = (what: string): never => {
    throw new ResultsError(`${path}: ${what}`)
  }
  const read = readJson(path)
  if (!isObject(read)) return fail('not an object')
  for (const name of ['bench', 'date', 'commit']) if (typeof read[name] !== 'string') fail(`'${name}' is no text`)
  const { machine } = read
  if (!isObject(machine)) return fail("'machine' is no object")
  if (!Array.isArray(read.figures)) return fail("'figures' is no list")
  const figures = read.figures.map(
    (figure: unknown, index) => readFigure(figure) ?? fail(`figures[${index}] is no figure`),
  )
  const names = figures.map(({ name }) => name)
  const twice = names.find((name, index) => names.indexOf(name) !== index)
  if (twice !== undefined) fail(`'${twice}' is there twice`)
  const [bench, date, commit] = [read.bench, read.date, read.commit].map(String)
  return { bench, date, commit, machine: machine as MachineFacts, figures }
}

function readFigure(figure: unknown): Figure | undefined {
  if (!isObject(figure) || !Array.isArray(figure.values) || figure.values.length === 0) return undefined
  const { name, unit, better } = figure
  if (typeof name !== 'string' || typeof unit !== 'string' || (better !== 'lower' && better !== 'higher'))
    return undefined
  const values: unknown[] = figure.values.map((value) => (value === 'never' ? Number.POSITIVE_INFINITY : value))
  const isNumber = (value: unknown): value is number => typeof value === 'number'
  return values.every(isNumber) ? { name, unit, better, values } : undefined
}

function readJson(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, 'utf8'))
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    const what = code === 'ENOENT' ? 'there is no such file' : `cannot be read: ${message.split('\n')[0]}`
    throw new ResultsError(`${path}: ${what}`)
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function commitOf(folder: string): string {
  try {
    const words = ['-C', folder, 'describe', '--always', '--dirty', '--abbrev=12', '--exclude=*']
    return execFileSync('git', words, { stdio: ['ignore', 'pipe', 'ignore'] })
      .toString()
      .trim()
  } catch {
    return ''
  }
}
