// A server as a child process: pinned to one core, its processor time read from /proc, ended by its own process id.

import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { accessSync, constants, openSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

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

/** Starts a program on one core; `taskset` executes it, so the process id is the program's. */
export function startPinned(core: number, command: readonly string[], logPath: string): PinnedProcess {
  const log = openSync(logPath, 'a')
  const child = spawn('taskset', ['-c', String(core), ...command], { stdio: ['ignore', log, log] })
  child.on('error', (error) => console.error(`${command[0]}: ${error.message}`))
  return { child, pid: child.pid ?? 0, logPath }
}

/** SIGTERM, and after `graceMs` SIGKILL to it and its children; returns when the process has ended. */
export async function stop(started: PinnedProcess, graceMs = 3_000): Promise<void> {
  const { child, pid } = started
  if (child.exitCode !== null || child.signalCode !== null) return
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

/** A process and its children and theirs: NSD answers from a grandchild. */
export function processTree(pid: number): number[] {
  const found = [pid]
  for (const parent of found) {
    for (const thread of numbersIn(`/proc/${parent}/task`)) {
      for (const child of words(`/proc/${parent}/task/${thread}/children`)) found.push(child)
    }
  }
  return found
}

/**
 * Processor time of all threads of the processes so far, in nanoseconds, as the scheduler counts it. A running thread is
 * as old as its last tick (4 ms at 250 Hz), and what an ended thread used is gone. Packet work in softirq context is
 * charged to whichever thread it interrupts.
 */
export function cpuTimeNs(pids: readonly number[]): number {
  let sum = 0
  for (const pid of pids) {
    for (const thread of numbersIn(`/proc/${pid}/task`)) sum += words(`/proc/${pid}/task/${thread}/schedstat`)[0] ?? 0
  }
  return sum
}

/** Process id of a core's kernel thread for deferred packet work, or 0: what it uses is charged to no server. */
export function softirqThread(core: number): number {
  for (const pid of numbersIn('/proc')) {
    try {
      if (readFileSync(`/proc/${pid}/comm`, 'latin1').trim() === `ksoftirqd/${core}`) return pid
    } catch {
      // It ended meanwhile.
    }
  }
  return 0
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

function numbersIn(folder: string): number[] {
  try {
    return readdirSync(folder)
      .map(Number)
      .filter((number) => number > 0)
  } catch {
    return []
  }
}

function words(path: string): number[] {
  try {
    const text = readFileSync(path, 'latin1').trim()
    return text === '' ? [] : text.split(/\s+/).map(Number)
  } catch {
    return []
  }
}
