// What a process uses, as the kernel counts it in /proc.

import { readdirSync, readFileSync, writeFileSync } from 'node:fs'

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
  const { user, system } = timesOf(String(pid))
  return user + system
}

/** Seconds for which the threads of a process, taken together, were ready to run and had no core: others had them. */
export function waitedSeconds(pid: number): number {
  let sumNs = 0
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    try {
      sumNs += Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'latin1').split(' ')[1])
    } catch {
      // It ended meanwhile.
    }
  }
  return sumNs / 1e9
}

/** How many cores other processes than this one and its children use; children count when they have ended. */
export class OtherProcesses {
  readonly #startMs = performance.now()
  readonly #busy = busySeconds()
  readonly #own = ownSeconds()

  /** On average since this was made. */
  get cores(): number {
    const others = busySeconds() - this.#busy - (ownSeconds() - this.#own)
    return Math.max(0, (others / (performance.now() - this.#startMs)) * 1000)
  }
}

function ownSeconds(): number {
  const { user, system, children } = timesOf('self')
  return user + system + children
}

/** Of all cores, without idling and waiting for disks. */
function busySeconds(): number {
  const line = readFileSync('/proc/stat', 'latin1').split('\n')[0]
  const [user, nice, system, , , irq, softirq, steal] = line.split(/\s+/).slice(1).map(Number)
  return (user + nice + system + irq + softirq + steal) / TICKS_PER_SECOND
}

/** Seconds. @see proc_pid_stat(5) */
function timesOf(process: string): { user: number; system: number; children: number } {
  // The second field, a name in parentheses, may hold anything.
  const fields = readFileSync(`/proc/${process}/stat`, 'latin1').split(') ').at(-1)!.split(' ')
  const [user, system, childUser, childSystem] = fields.slice(11, 15).map((ticks) => Number(ticks) / TICKS_PER_SECOND)
  return { user, system, children: childUser + childSystem }
}
