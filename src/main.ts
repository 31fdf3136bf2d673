// The process: command line in, exit code out. Exit codes as CoreDNS has them: 0 done, 1 failed, 2 wrong flags.

import { globSync, readFileSync } from 'node:fs'
import { flushCompileCache } from 'node:module'
import { configFromFlags } from './cli/flag-config.ts'
import { FlagError, Flags, usage } from './cli/flags.ts'

const COMMANDS = ['serve', 'explain', 'compile']
const log = (line: string): void => {
  process.stdout.write(`${line}\n`)
}

async function main(args: readonly string[]): Promise<number> {
  const implied = args.length === 0 || args[0].startsWith('-')
  const command = implied ? 'serve' : args[0]
  if (!COMMANDS.includes(command)) throw new FlagError(`unknown command ${command}`)
  if (command === 'compile') return await compileAll()
  const flags = Flags.parse(implied ? args : args.slice(1))
  if (flags.has('help')) return print(usage())
  if (flags.has('version')) return print(`peregrine ${version()}\n`)
  const config = configFromFlags(flags)
  if (command === 'explain') return await (await import('./cli/explain.ts')).explain(config, flags)
  if (flags.words.length > 0) throw new FlagError(`unexpected argument ${flags.words[0]}`)
  return await (await import('./cli/serve.ts')).serve(config, log)
}

/**
 * Fills Node's compile cache with every module, types stripped: `npm ci` ends with it. A thread that finds its modules there
 * does not load the type stripper, 13 MB each.
 */
async function compileAll(): Promise<number> {
  for (const file of globSync('**/*.ts', { cwd: import.meta.dirname })) {
    if (file !== 'main.ts') await import(`./${file}`)
  }
  flushCompileCache()
  return 0
}

function print(text: string): number {
  process.stdout.write(text)
  return 0
}

function version(): string {
  return JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')).version
}

try {
  process.exitCode = await main(process.argv.slice(2))
} catch (error) {
  const wrongFlags = error instanceof FlagError
  process.stderr.write(
    `peregrine: ${wrongFlags || isExpected(error) ? (error as Error).message : (error as Error).stack}\n`,
  )
  if (wrongFlags) process.stderr.write('peregrine: --help lists the flags\n')
  process.exitCode = wrongFlags ? 2 : 1
}
// A worker or a file watcher that lingers must not keep a finished process.
process.exit()

/** Errors that say all there is to say in their message: they carry a stable code. */
function isExpected(error: unknown): boolean {
  return error instanceof Error && typeof (error as { code?: unknown }).code === 'string'
}
