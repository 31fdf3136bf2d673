// What the figures of a measurement were taken on.

import { execFileSync } from 'node:child_process'
import { cpus, release } from 'node:os'

/** What was measured on: processor, kernel, Node, and the first line each program says when asked for its version. */
export function machine(programs: readonly (readonly [program: string, flag: string])[]): object {
  const versions: Record<string, string> = { node: process.version, kernel: release() }
  const env = { ...process.env, PATH: `${process.env.PATH}:/usr/sbin` }
  for (const [program, flag] of programs) {
    try {
      const command = `command -v ${program} >/dev/null && ${program} ${flag} 2>&1 | head -n 1`
      versions[program] = execFileSync('sh', ['-c', command], { env }).toString().trim()
    } catch {
      // Not there: it was skipped aloud.
    }
  }
  return { cpu: cpus()[0]?.model, cores: cpus().length, ...versions }
}
