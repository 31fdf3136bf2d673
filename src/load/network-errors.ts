// What the system counts of datagrams that were lost in it: /proc/net/snmp and snmp6 of this network namespace (proc(5)).

import { readFileSync } from 'node:fs'

/** Counters that say that datagrams were lost for want of something on this machine. */
const WANTED = ['InErrors', 'RcvbufErrors', 'SndbufErrors', 'MemErrors', 'InCsumErrors']

/** Counters by name (`Udp.RcvbufErrors`, `Udp6.RcvbufErrors`); empty where there is no /proc. */
export function readNetworkErrors(): Map<string, number> {
  const found = new Map<string, number>()
  // A line of names, a line of values.
  const lines = textOf('/proc/net/snmp')
    .split('\n')
    .filter((line) => line.startsWith('Udp:'))
    .map((line) => line.split(/\s+/))
  const [names = [], values = []] = lines
  names.forEach((name, i) => {
    if (WANTED.includes(name)) found.set(`Udp.${name}`, Number(values[i]))
  })
  for (const [, name, value] of textOf('/proc/net/snmp6').matchAll(/^Udp6(\w+)\s+(\d+)$/gm)) {
    if (WANTED.includes(name)) found.set(`Udp6.${name}`, Number(value))
  }
  return found
}

/** What has grown since `before`. */
export function networkErrorsSince(before: ReadonlyMap<string, number>): Record<string, number> {
  const grown: Record<string, number> = {}
  for (const [name, value] of readNetworkErrors()) {
    const more = value - (before.get(name) ?? value)
    if (more > 0) grown[name] = more
  }
  return grown
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'latin1')
  } catch {
    return ''
  }
}
