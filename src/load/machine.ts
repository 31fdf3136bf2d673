// What figures were taken on, for reports: two of them can be compared only if this is alike. Names carry their units.

import { readFileSync } from 'node:fs'
import { arch, availableParallelism, cpus, loadavg, release, totalmem, type } from 'node:os'
import { posix } from 'node:path'

/** Facts by name, as Report.machine has them. What cannot be read, or is not limited, is left out. */
export type MachineFacts = Readonly<Record<string, string | number>>

/** No memory limit of version 1 is written as the largest number of whole pages. */
const NO_LIMIT = 2 ** 60
const CPU_CONTROLLERS = ['cpu', 'cpu,cpuacct', 'cpuacct,cpu']

/**
 * Reads them now. Never throws.
 *
 * - `cpu`, `cores`, `usableCores` (by affinity and quota), `governor` (of the first core's frequency), `architecture`
 * - `system`, `kernel`, `node`
 * - `memoryMiB`, `rmemMax` (net.core.rmem_max: octets a socket's receive buffer may be asked to have)
 * - `cgroupCores`, `cgroupMemoryMiB`: limits of the control group and of those above it
 * - `load1`: load average of the last minute, which tells whether others were at work
 *
 * @param root  where /proc and /sys are found
 */
export function machineFacts(root = ''): MachineFacts {
  const facts: Record<string, string | number | undefined> = {
    cpu: cpus()[0]?.model.trim(),
    cores: cpus().length,
    usableCores: availableParallelism(),
    governor: text(`${root}/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor`),
    architecture: arch(),
    system: type(),
    kernel: release(),
    node: process.version,
    memoryMiB: Math.round(totalmem() / 2 ** 20),
    rmemMax: number(text(`${root}/proc/sys/net/core/rmem_max`)),
    cgroupCores: least(groupFolders(root, CPU_CONTROLLERS).map(coresOf)),
    cgroupMemoryMiB: least(groupFolders(root, ['memory']).map(memoryMiBOf)),
    load1: Math.round(loadavg()[0] * 100) / 100,
  }
  const known = Object.entries(facts).filter((fact): fact is [string, string | number] => fact[1] !== undefined)
  return Object.fromEntries(known)
}

/** Where a controller's files of this process's group and of those above it may be. @see cgroups(7) */
function groupFolders(root: string, controllers: readonly string[]): string[] {
  const lines = text(`${root}/proc/self/cgroup`)?.split('\n') ?? []
  return lines.flatMap((line) => {
    const [, names, path] = /^\d+:([^:]*):(.*)$/.exec(line) ?? []
    if (names === undefined || (names !== '' && !controllers.includes(names))) return []
    const mount = names === '' ? '/sys/fs/cgroup' : `/sys/fs/cgroup/${names}`
    return ancestors(path).map((each) => posix.join(root, mount, each))
  })
}

/** `/a/b` → `/a/b`, `/a`, `/`. In a container the group's path may be one of the host: `/` is what it sees of it. */
function ancestors(path: string): string[] {
  const parent = posix.dirname(path)
  return parent === path ? [path] : [path, ...ancestors(parent)]
}

/** Version 2: `cpu.max`; version 1: two files. */
function coresOf(folder: string): number | undefined {
  const [quota, period] = text(`${folder}/cpu.max`)?.split(' ') ?? [
    text(`${folder}/cpu.cfs_quota_us`),
    text(`${folder}/cpu.cfs_period_us`),
  ]
  const [quotaMicros, periodMicros] = [number(quota), number(period)]
  if (quotaMicros === undefined || periodMicros === undefined || quotaMicros <= 0) return undefined
  return Math.round((quotaMicros / periodMicros) * 100) / 100
}

function memoryMiBOf(folder: string): number | undefined {
  const limit = number(text(`${folder}/memory.max`) ?? text(`${folder}/memory.limit_in_bytes`))
  return limit === undefined || limit >= NO_LIMIT ? undefined : Math.round(limit / 2 ** 20)
}

function least(values: readonly (number | undefined)[]): number | undefined {
  const known = values.filter((value) => value !== undefined)
  return known.length === 0 ? undefined : Math.min(...known)
}

/** undefined for words: `max` is no limit. */
function number(value: string | undefined): number | undefined {
  return value === undefined || !/^-?\d+$/.test(value) ? undefined : Number(value)
}

function text(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').trim()
  } catch {
    return undefined
  }
}
