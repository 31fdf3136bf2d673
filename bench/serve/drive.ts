// The generator's process as its parent sees it, and what the figures were taken on.

import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { cpus, release } from 'node:os'
import { join } from 'node:path'
import type { Result, Run } from './generator.ts'

/** Starts a generator on one core; it ends when its parent disconnects. */
export function startGenerator(core: number): ChildProcess {
  const command = ['-c', String(core), process.execPath, join(import.meta.dirname, 'generator.ts')]
  return spawn('taskset', command, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
}

/**
 * Has a generator run once.
 *
 * @throws Error when it ends instead
 */
export function request(generator: ChildProcess, run: Run): Promise<Result> {
  return new Promise((resolve, reject) => {
    const onExit = () => reject(new Error('the generator ended'))
    generator.once('exit', onExit)
    generator.once('message', (result) => {
      generator.off('exit', onExit)
      resolve(result as Result)
    })
    generator.send(run)
  })
}

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
