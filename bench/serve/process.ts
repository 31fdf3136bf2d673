// A server as a child process: pinned to one core, ended by its own process id. src/load/process-cpu.ts has its processor time.

import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { accessSync, constants, openSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { processTree } from '../../src/load/process-cpu.ts'

/** A child process that `startPinned` started. */
export interface PinnedProcess {
  readonly child: ChildProcess
  readonly pid: number
  /** Where its stdout and stderr go. */
  readonly logPath: string
}

/** Where Debian keeps daemons, which a user's PATH may lack. */
const EXTRA_PATH = ['/usr/sbin', '/sbin', '/usr/local/sbin']

/** The full path of a program, or '' if there is none. */
export function findProgram(name: string): string {
  for (const folder of [...(process.env.PATH ?? '').split(':'), ...EXTRA_PATH]) {
    const path = join(folder, name)
    try {
      accessSync(path, constants.X_OK)
      return path
    } catch {
      // Not in this one.
    }
  }
  return ''
}

/** '' = it is there, otherwise what is to be done. */
export function lacking(program: string): string {
  return findProgram(program) ? '' : `${program} is not installed (bench/install-peers)`
}

/** Starts a program on one core; `taskset` executes it, so the process id is the program's. */
export function startPinned(core: number, command: readonly string[], logPath: string): PinnedProcess {
  const log = openSync(logPath, 'a')
  const child = spawn('taskset', ['-c', String(core), ...command], { stdio: ['ignore', log, log] })
  child.on('error', (error) => console.error(`${command[0]}: ${error.message}`))
  return { child, pid: child.pid ?? 0, logPath }
}

/** Whether it runs. */
export function isAlive({ child }: PinnedProcess): boolean {
  return child.exitCode === null && child.signalCode === null
}

/** SIGTERM, and after `graceMs` SIGKILL to it and its children; returns when the process has ended. */
export async function stop(started: PinnedProcess, graceMs = 3_000): Promise<void> {
  if (!isAlive(started)) return
  const { child, pid } = started
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  const kill = () => {
    for (const each of processTree(pid).reverse()) {
      try {
        process.kill(each, 'SIGKILL')
      } catch {
        // It ended meanwhile.
      }
    }
  }
  child.kill('SIGTERM')
  const timer = setTimeout(kill, graceMs)
  await ended
  clearTimeout(timer)
}

/** Moves every thread of running processes to one core. */
export function pinAll(core: number, pids: readonly number[]): void {
  for (const pid of pids) execFileSync('taskset', ['-a', '-c', '-p', String(core), String(pid)], { stdio: 'ignore' })
}

/** What the processes hold in memory, in MiB. */
export function residentMiB(pids: readonly number[]): number {
  let sum = 0
  for (const pid of pids) {
    try {
      sum += Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1] ?? 0)
    } catch {
      // It ended meanwhile.
    }
  }
  return Math.round(sum / 1024)
}
