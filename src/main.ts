// The process: command line in, exit code out. Exit codes as CoreDNS has them: 0 done, 1 failed, 2 wrong flags.

import { globSync, readFileSync } from 'node:fs'
import { flushCompileCache } from 'node:module'
import { basename, dirname } from 'node:path'
import { FlagError, Flags, UnknownFlagError, usage } from './cli/flags.ts'
import { isLoadFlag } from './cli/load-flags.ts'

const COMMANDS = ['serve', 'explain', 'check', 'load', 'compile']
/** Names that CoreDNS and NodeLocal DNSCache are started by: their command lines have no commands. */
const OTHER_NAMES = ['coredns', 'node-cache']

/** Words that nobody asked for. */
class ArgumentError extends Error {
  readonly code = 'EXTRA_ARGUMENTS'
}

async function main(args: readonly string[], name: string): Promise<number> {
  const isOther = OTHER_NAMES.includes(name)
  const implied = args.length === 0 || args[0].startsWith('-') || isOther
  const command = implied ? 'serve' : args[0]
  if (!COMMANDS.includes(command)) throw new FlagError(`unknown command ${command}`)
  if (command === 'compile') return await compileAll()
  const flags = implied ? Flags.parse(args, true) : Flags.parse(args.slice(1))
  if (command === 'load') return await (await import('./cli/load.ts')).load(flags)
  const misplaced = flags.names.find(isLoadFlag)
  if (misplaced !== undefined) throw new FlagError(`flag --${misplaced} is for peregrine load`)
  if (flags.has('help') || flags.has('h')) return print(usage())
  if (flags.has('version')) return print(`${versionLines(name).join('\n')}\n`)
  if (flags.has('plugins')) return await printPlugins()
  if (command === 'check') return (await import('./cli/check.ts')).check(flags)
  if (command === 'explain') return await explain(flags)
  if (flags.words.length > 0) throw new ArgumentError(`extra command line arguments: [${flags.words.join(' ')}]`)
  const { hasNodeLocalFlags } = await import('./cli/node-local-flags.ts')
  if (hasNodeLocalFlags(flags)) return (await import('./cli/node-local.ts')).serveNodeLocal(flags, versionLines(name))
  const { serve } = await import('./cli/serve.ts')
  const { serveRequest } = await import('./cli/serve-request.ts')
  return await serve(await serveRequest(flags, versionLines(name), isOther))
}

async function explain(flags: Flags): Promise<number> {
  const { configFromFlags } = await import('./cli/flag-config.ts')
  return await (await import('./cli/explain.ts')).explain(configFromFlags(flags), flags)
}

/**
 * Fills Node's compile cache with every module, types stripped: `npm ci` ends with it. A thread that finds its modules there
 * does not load the type stripper, 13 MB each.
 */
async function compileAll(): Promise<number> {
  // This file itself, and the script of a report's page, which is for browsers.
  const notHere = ['.', 'load/report/page']
  for (const file of globSync('**/*.ts', { cwd: import.meta.dirname })) {
    if (!notHere.includes(dirname(file))) await import(`./${file}`)
  }
  flushCompileCache()
  return 0
}

async function printPlugins(): Promise<number> {
  const { directivesHad } = await import('./config/directives.ts')
  return print(`${directivesHad().join('\n')}\n`)
}

function print(text: string): number {
  process.stdout.write(text)
  return 0
}

/** Name and version; platform and what it runs on. */
function versionLines(name: string): string[] {
  const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'))
  const started = OTHER_NAMES.includes(name) ? `, started as ${name}` : ''
  return [`peregrine ${version}`, `${process.platform}/${process.arch}, node ${process.version}${started}`]
}

try {
  process.exitCode = await main(process.argv.slice(2), basename(process.env.PEREGRINE_NAME ?? ''))
} catch (error) {
  const wrongFlags = error instanceof FlagError
  process.stderr.write(
    `peregrine: ${wrongFlags || isExpected(error) ? (error as Error).message : (error as Error).stack}\n`,
  )
  // Whoever runs load in a pipeline wants one line.
  const isLoad = process.argv[2] === 'load'
  if (error instanceof UnknownFlagError && !isLoad) process.stderr.write(usage())
  else if (wrongFlags && !isLoad) process.stderr.write('peregrine: --help lists the flags\n')
  process.exitCode = wrongFlags ? 2 : 1
}
// A worker or a file watcher that lingers must not keep a finished process.
process.exit()

/** Errors that say all there is to say in their message: they carry a stable code. */
function isExpected(error: unknown): boolean {
  return error instanceof Error && typeof (error as { code?: unknown }).code === 'string'
}
