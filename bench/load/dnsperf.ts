// dnsperf (DNS-OARC, Debian's package) as a process on the generator's core: a closed loop, as ours.

import { spawn } from 'node:child_process'
import { cpuTimeNs } from '../../src/load/process-cpu.ts'
import { findProgram } from '../serve/process.ts'

/** What it came to. */
export interface DnsperfResult {
  /** Queries answered a second. */
  readonly qps: number
  readonly lost: number
  /** Its CPU time to the time, 0..1: it had one core. */
  readonly cpuShare: number
  /** How long it asked. */
  readonly seconds: number
}

export interface DnsperfRun {
  readonly core: number
  readonly port: number
  readonly queryFile: string
  readonly outstanding: number
  readonly sockets: number
  readonly seconds: number
}

const LOOK_MS = 20
const GRACE_S = 20

/** '' = it can run here, otherwise why not. */
export function dnsperfMissing(): string {
  return findProgram('dnsperf') ? '' : 'dnsperf is not installed'
}

/** Runs it once. @throws Error with what it said when it has no result */
export async function runDnsperf(wanted: DnsperfRun): Promise<DnsperfResult> {
  const { core, port, queryFile, outstanding, sockets, seconds } = wanted
  // It takes whole seconds alone.
  const length = Math.max(1, Math.round(seconds))
  const load = ['-c', String(sockets), '-q', String(outstanding), '-T', '1', '-l', String(length)]
  const command = ['-c', String(core), findProgram('dnsperf'), '-s', '127.0.0.1', '-p', String(port), '-d', queryFile]
  const child = spawn('taskset', [...command, ...load], {
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: (length + GRACE_S) * 1000,
  })
  let text = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (text += chunk))
  // Its threads end before it does, and take what they used with them.
  let cpuNs = 0
  const looking = setInterval(() => {
    cpuNs = Math.max(cpuNs, cpuTimeNs([child.pid ?? 0]))
  }, LOOK_MS)
  await new Promise((resolve) => child.once('close', resolve))
  clearInterval(looking)
  const figure = (pattern: RegExp): number => Number(pattern.exec(text)?.[1] ?? Number.NaN)
  const qps = figure(/Queries per second:\s+([\d.]+)/)
  if (Number.isNaN(qps)) throw new Error(`dnsperf has no result: ${text.trim().split('\n').at(-1)}`)
  const ran = figure(/Run time \(s\):\s+([\d.]+)/)
  return { qps, lost: figure(/Queries lost:\s+(\d+)/), cpuShare: cpuNs / 1e9 / ran, seconds: ran }
}
