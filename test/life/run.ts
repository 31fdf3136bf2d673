// A short-lived `peregrine` as a child process: its exit code and what it printed. For one that serves see ../corefile/corefile-server.ts.

import { spawn } from 'node:child_process'
import { symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { childEnvironment, PEREGRINE } from '../server/server-process.ts'

const RUN_MS = 60_000

/** How a process ended. */
export interface Ended {
  /** null: by a signal, that of this helper's impatience included. */
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface RunOptions {
  readonly cwd: string
  /** What it reads from standard input; nothing by default. */
  readonly input?: string
  /** Name it is started by: a link of that name is made in `cwd`. */
  readonly name?: string
  readonly env?: Record<string, string>
}

/** Runs it to its end; after a minute it is killed. */
export async function run(args: readonly string[], { cwd, input = '', name, env }: RunOptions): Promise<Ended> {
  const child = spawn(name === undefined ? PEREGRINE : linked(cwd, name), args, { cwd, env: childEnvironment(env) })
  const killer = setTimeout(() => child.kill('SIGKILL'), RUN_MS)
  child.stdin.on('error', () => {})
  child.stdin.end(input)
  let stdout = ''
  let stderr = ''
  child.stdout.setEncoding('utf8').on('data', (text) => (stdout += text))
  child.stderr.setEncoding('utf8').on('data', (text) => (stderr += text))
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve))
  clearTimeout(killer)
  return { code, stdout, stderr }
}

function linked(folder: string, name: string): string {
  const link = join(folder, name)
  try {
    symlinkSync(PEREGRINE, link)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  }
  return link
}
