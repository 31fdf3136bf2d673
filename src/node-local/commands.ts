// Programs that change the node's network: `ip`, `iptables`, `ip6tables`. Each run has a time limit. Not here: what they are asked.

import { execFile } from 'node:child_process'

/** How a run ended. */
export interface CommandResult {
  /** null: it was not there, or took too long. */
  readonly code: number | null
  readonly stdout: string
  /** What went wrong, on one line; '' if nothing did. */
  readonly error: string
}

/** What came of making things: lines for the log. */
export interface Ensured {
  readonly made: readonly string[]
  /** Each of them is counted. */
  readonly failed: readonly string[]
}

/** Runs a program to its end. Never rejects. */
export type RunCommand = (program: string, args: readonly string[]) => Promise<CommandResult>

/** More than iptables waits for its lock. */
const LIMIT_MS = 10_000
const OUTPUT_MAX = 1 << 20

export const runCommand: RunCommand = (program, args) =>
  new Promise((resolve) => {
    const options = { timeout: LIMIT_MS, killSignal: 'SIGKILL', maxBuffer: OUTPUT_MAX, encoding: 'utf8' } as const
    execFile(program, args, options, (failure, stdout, stderr) => {
      if (failure === null) return resolve({ code: 0, stdout, error: '' })
      const { code, killed } = failure
      const said = stderr.trim().replace(/\s*\n\s*/g, '; ')
      const why = code === 'ENOENT' ? 'there is no such program' : killed ? `took over ${LIMIT_MS} ms` : ''
      const error = `${program} ${args.join(' ')}: ${why || said || `exit code ${code}`}`
      resolve({ code: typeof code === 'number' ? code : null, stdout, error })
    })
  })
