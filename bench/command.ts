// A measurement as a command: its options are read, its results kept, and what goes wrong is one line and exit code 1.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type { MachineFacts } from '../src/load/machine.ts'
import type { CommonOptions } from './arguments.ts'
import { type Figure, keepResults, makeResults } from './results.ts'

/** What a measurement came to. */
export interface Outcome {
  readonly figures: readonly Figure[]
  /** What they were made of: goes to the file of `--json`, beside the options. */
  readonly details: object
  /** Facts to be added to those of the machine, such as versions of peers. */
  readonly machine?: MachineFacts
  /** A folder of the code that was measured, where that is not the launcher's. */
  readonly checkout?: string
}

/**
 * Runs `npm run bench:NAME`.
 *
 * @param readOptions  of the arguments behind it; undefined = print `help`
 */
export async function runBench<Options extends CommonOptions>(
  name: string,
  help: string,
  readOptions: (argv: readonly string[]) => Options | undefined,
  measure: (options: Options) => Promise<Outcome>,
): Promise<void> {
  try {
    const options = readOptions(process.argv.slice(2))
    if (options === undefined) return console.log(help)
    const { figures, details, machine, checkout = dirname(options.launcher) } = await measure(options)
    const results = makeResults(name, figures, checkout, machine)
    keepResults(results, options.jsonPath, options.isRecorded, { options, ...details })
  } catch (error) {
    console.error(`bench:${name}: ${(error as Error).message}`)
    process.exitCode = 1
  }
}

/** Lends a measurement a folder of its own. `interrupted` is the first SIGINT or SIGTERM: it goes on with what there is. */
export function inFolder<Options>(
  measure: (options: Options, folder: string, interrupted: AbortSignal) => Promise<Outcome>,
): (options: Options) => Promise<Outcome> {
  return async (options) => {
    const folder = mkdtempSync(join(tmpdir(), 'peregrine-bench-'))
    const interrupted = new AbortController()
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => interrupted.abort())
    // Who reads no further, wants no more: servers have to be ended all the same.
    process.stdout.on('error', () => interrupted.abort())
    try {
      return await measure(options, folder, interrupted.signal)
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  }
}
