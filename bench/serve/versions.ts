// Which peers figures were taken beside.

import { execFileSync } from 'node:child_process'

/** The first line that each program says when asked for its version, by its name; of those that are there. */
export function versionsOf(programs: readonly (readonly [program: string, flag: string])[]): Record<string, string> {
  const versions: Record<string, string> = {}
  const env = { ...process.env, PATH: `${process.env.PATH}:/usr/sbin` }
  for (const [program, flag] of programs) {
    try {
      const command = `command -v ${program} >/dev/null && ${program} ${flag} 2>&1 | head -n 1`
      versions[program] = execFileSync('sh', ['-c', command], { env }).toString().trim()
    } catch {
      // Not there: it was skipped aloud.
    }
  }
  return versions
}
