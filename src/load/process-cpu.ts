// Processor time of servers, as the kernel counts it in /proc: of a process, its threads and its children. Linux only.

import { readdirSync, readFileSync } from 'node:fs'
import { LoadInputError } from './input-error.ts'

/**
 * Checks what was named as a server's processes.
 *
 * @returns them and all their children, each once
 * @throws LoadInputError for one that does not exist, or has ended
 */
export function serverProcesses(pids: readonly number[]): number[] {
  for (const pid of pids) if (!isAlive(pid)) throw new LoadInputError(`--pid ${pid}: there is no such process`)
  return [...new Set(pids.flatMap(processTree))]
}

/**
 * Processor time of a server so far, in nanoseconds; children that it has by now are counted in. Take it before and after,
 * and the difference says what was used between. What cpuTimeNs says holds here too.
 *
 * @returns null when no process is named, when one of them has ended, or where the kernel does not tell
 */
export function serverCpuTimeNs(pids: readonly number[]): number | null {
  if (pids.length === 0 || !pids.every(isAlive)) return null
  const sum = cpuTimeNs([...new Set(pids.flatMap(processTree))])
  return sum === 0 ? null : sum
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

/** Whether it runs: one that has ended and that nobody has waited for yet (Z) is still listed. @see proc_pid_stat(5) */
function isAlive(pid: number): boolean {
  try {
    // The second field, a name in parentheses, may hold anything.
    const state = readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ').at(-1)?.[0]
    return state !== 'Z' && state !== 'X'
  } catch {
    return false
  }
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
