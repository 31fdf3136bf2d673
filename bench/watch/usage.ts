// What a process uses, as the kernel counts it in /proc.

import { readFileSync, writeFileSync } from 'node:fs'

/** Memory of a process, in MiB. */
export interface Memory {
  readonly resident: number
  /** Of which the process's own, not files of Node.js. */
  readonly anonymous: number
  /** Most that was resident since the start or the last `resetPeak`. */
  readonly peak: number
}

const TICKS_PER_SECOND = 100 // USER_HZ, on every Linux that Node.js runs on

export function memoryOf(pid: number): Memory {
  const status = readFileSync(`/proc/${pid}/status`, 'latin1')
  const mib = (field: string) => Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(status)?.[1]) / 1024
  return { resident: mib('VmRSS'), anonymous: mib('RssAnon'), peak: mib('VmHWM') }
}

/** The peak counts from what is resident now. @see proc_pid_clear_refs(5) */
export function resetPeak(pid: number): void {
  writeFileSync(`/proc/${pid}/clear_refs`, '5')
}

/** CPU time of a process and of all threads it ever had, in seconds; as old as the last tick of 10 ms. */
export function cpuSeconds(pid: number): number {
  // The second field, a name in parentheses, may hold anything.
  const fields = readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ').at(-1)!.split(' ')
  const [userTicks, systemTicks] = [Number(fields[11]), Number(fields[12])]
  return (userTicks + systemTicks) / TICKS_PER_SECOND
}
