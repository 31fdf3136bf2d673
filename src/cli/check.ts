// `peregrine check FILE`: is a Corefile good, what does it mean, and what of it has no effect.

import { effectiveText } from '../config/effective.ts'
import { defaultPort, readConfiguration } from './corefile.ts'
import { FlagError, type Flags } from './flags.ts'

/** Prints the effective configuration. @returns the exit code @throws CorefileError if it is no good, FlagError without a file */
export function check(flags: Flags): number {
  const [path, ...rest] = flags.words
  if (path === undefined) throw new FlagError('check what? peregrine check FILE')
  if (rest.length > 0) throw new FlagError(`unexpected argument ${rest[0]}`)
  const configuration = readConfiguration(path, defaultPort(flags))
  for (const warning of configuration.warnings) process.stderr.write(`warning: ${warning}\n`)
  process.stdout.write(effectiveText(configuration))
  return 0
}
