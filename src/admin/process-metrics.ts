// What the kernel and V8 say about this process, as metrics. What cannot be had (another system than Linux) is left out.

import { readdir, readFile } from 'node:fs/promises'
import type { CounterSample } from '../counting/values.ts'

/** As Prometheus' Go client writes "no limit": 2^64 - 1. */
const UNLIMITED = 2 ** 64

/** Samples of process_* and go_*. */
export async function processMetrics(): Promise<CounterSample[]> {
  const samples: CounterSample[] = []
  const add = (name: string, value: number | undefined): void => {
    if (value !== undefined && Number.isFinite(value)) samples.push({ name, labels: {}, value })
  }
  const { user, system } = process.cpuUsage()
  const { heapUsed, heapTotal } = process.memoryUsage()
  const [status, limits, network, fds] = await Promise.all([
    readText('/proc/self/status'),
    readText('/proc/self/limits'),
    readText('/proc/self/net/netstat'),
    readdir('/proc/self/fd').catch(() => undefined),
  ])
  add('process_cpu_seconds_total', (user + system) / 1e6)
  add('process_resident_memory_bytes', process.memoryUsage.rss())
  add('process_virtual_memory_bytes', kilobytes(status, 'VmSize'))
  add('process_virtual_memory_max_bytes', limitOf(limits, 'Max address space'))
  add('process_start_time_seconds', performance.timeOrigin / 1000)
  // One of them is the directory itself, open while it is read.
  add('process_open_fds', fds === undefined ? undefined : fds.length - 1)
  add('process_max_fds', limitOf(limits, 'Max open files'))
  const octets = networkOctets(network)
  add('process_network_receive_bytes_total', octets.get('InOctets'))
  add('process_network_transmit_bytes_total', octets.get('OutOctets'))
  add('go_threads', numberOf(/^Threads:\s*(\d+)/m.exec(status)?.[1]))
  add('go_memstats_alloc_bytes', heapUsed)
  add('go_memstats_sys_bytes', heapTotal)
  samples.push({ name: 'go_info', labels: { version: process.version }, value: 1 })
  return samples
}

async function readText(path: string): Promise<string> {
  return await readFile(path, 'utf8').catch(() => '')
}

function numberOf(text: string | undefined): number | undefined {
  return text === undefined ? undefined : Number(text)
}

function kilobytes(status: string, name: string): number | undefined {
  const value = numberOf(new RegExp(`^${name}:\\s*(\\d+) kB`, 'm').exec(status)?.[1])
  return value === undefined ? undefined : value * 1024
}

function limitOf(limits: string, name: string): number | undefined {
  const soft = new RegExp(`^${name}\\s+(\\d+|unlimited)`, 'm').exec(limits)?.[1]
  return soft === 'unlimited' ? UNLIMITED : numberOf(soft)
}

/** The line `IpExt: names` and the line `IpExt: values`. */
function networkOctets(network: string): Map<string, number> {
  const [names, values] = network.split('\n').filter((line) => line.startsWith('IpExt:'))
  if (values === undefined) return new Map()
  const numbers = values.split(' ')
  return new Map(names.split(' ').map((name, index) => [name, Number(numbers[index])]))
}
