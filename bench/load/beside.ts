// The engine and dnsperf, one after the other on the same core against the same server: closed loops with as many queries under way
// from as many sockets. Where the server is the limit, both must say the same.

import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { processTree, serverCpuTimeNs } from '../../src/load/process-cpu.ts'
import { writeManifests, writeZone } from '../../src/load/queries/synthetic-cluster.ts'
import { type PinnedProcess, pinAll, startPinned, stop } from '../serve/process.ts'
import { spread } from '../serve/report.ts'
import { TARGETS } from '../serve/targets.ts'
import { untilReady } from '../serve/verify.ts'
import { dnsperfMissing, runDnsperf } from './dnsperf.ts'
import type { Finding } from './report.ts'
import { type Bench, run, SIZE } from './setting.ts'
import { StandIn } from './stand-in.ts'

const OUTSTANDING = 100
const SOCKETS = 16
const GOAL = { least: 0.95, most: 1.05 }
/** Microseconds a query of a server that is slower than anybody who asks. */
const SERVICE_MICROS = [20, 50]
const SERVERS = ['peregrine', 'knot']
const LOAD_MS = 60_000
/** A server below this share of what it may have waited for queries. */
const SATURATED = 0.95

/** A server that both ask. */
interface Server {
  readonly name: string
  readonly port: number
  /** Of the one core, what it may have; null = it is slow by itself. */
  readonly share: number | null
  readonly pids: () => number[]
}

/** Measures in rounds, server after server. */
export async function measureBeside(bench: Bench, program: string): Promise<Finding[]> {
  const missing = dnsperfMissing()
  if (missing !== '') {
    console.log(`SKIPPED dnsperf: ${missing}`)
    return []
  }
  const { options } = bench
  const findings: Finding[] = []
  for (const micros of SERVICE_MICROS) {
    const standIn = await StandIn.start(program, options.serverCore, options.port, { mode: 'serve', number: micros })
    try {
      const server = { name: `${micros} µs a query`, port: standIn.port, share: null, pids: () => [] }
      findings.push(...(await compare(bench, server)))
    } finally {
      await standIn.stop()
    }
  }
  for (const name of SERVERS) findings.push(...(await measureServer(bench, name)))
  return findings
}

async function measureServer(bench: Bench, name: string): Promise<Finding[]> {
  const { options } = bench
  const target = TARGETS.find((each) => each.name === name)
  const missing = target?.missing(options.launcher) ?? 'there is no such server'
  if (target === undefined || missing !== '') {
    console.log(`SKIPPED ${name}: ${missing}`)
    return []
  }
  const { port, launcher } = options
  const folder = join(bench.folder, name)
  mkdirSync(folder)
  const manifests = writeManifests(SIZE, join(folder, 'manifests'))
  const zoneFile = writeZone(SIZE, join(folder, 'zone'))
  const command = target.prepare({ folder, port, manifests, zoneFile, launcher })
  const started = startPinned(options.serverCore, command, join(folder, 'log'))
  try {
    const isAlive = () => started.child.exitCode === null && started.child.signalCode === null
    const wrong = await untilReady(port, bench.queries[0], LOAD_MS, isAlive)
    if (wrong !== '') throw new Error(`${name} does not answer: ${wrong}`)
    const pids = () => processTree(started.pid)
    pinAll(options.serverCore, pids())
    const whole = await compare(bench, { name, port, share: 1, pids })
    return [
      ...whole,
      ...(await withRival(options.serverCore, folder, () =>
        compare(bench, { name: `${name}, half a core`, port, share: 0.5, pids }),
      )),
    ]
  } finally {
    await stop(started)
  }
}

/** Has something else want the core too, so that the server gets half of it and is slower than anybody who asks. */
async function withRival<Value>(core: number, folder: string, use: () => Promise<Value>): Promise<Value> {
  const rival: PinnedProcess = startPinned(core, ['sh', '-c', 'while :; do :; done'], join(folder, 'rival-log'))
  try {
    return await use()
  } finally {
    await stop(rival)
  }
}

async function compare(bench: Bench, server: Server): Promise<Finding[]> {
  const { options } = bench
  const seconds = Math.max(1, Math.round(options.shortSeconds))
  const { name, port } = server
  const ratios: number[] = []
  const own: number[] = []
  const shares: number[] = []
  const dnsperfShares: number[] = []
  for (let round = 0; round < options.rounds && !bench.signal.aborted; round++) {
    const schedule = { kind: 'closed', outstanding: OUTSTANDING } as const
    const what = `beside dnsperf, ${name}`
    const result = await run(bench, { what, round, port, schedule, seconds, sockets: SOCKETS })
    const before = serverCpuTimeNs(server.pids())
    const core = options.generatorCore
    const { queryFile } = bench
    const dnsperf = await runDnsperf({ core, port, queryFile, outstanding: OUTSTANDING, sockets: SOCKETS, seconds })
    const after = serverCpuTimeNs(server.pids())
    const share = before === null || after === null ? Number.NaN : (after - before) / 1e9 / dnsperf.seconds
    bench.samples.push({ what: `dnsperf, ${name}`, round, ...dnsperf, serverShare: share })
    own.push(result.answered / result.seconds)
    ratios.push(result.answered / result.seconds / dnsperf.qps)
    shares.push(share)
    dnsperfShares.push(dnsperf.cpuShare)
  }
  if (ratios.length === 0) return []
  const isLimit = server.share !== null && spread(shares).median < server.share * SATURATED
  const used = `dnsperf used ${spread(dnsperfShares).median.toFixed(2)} of its core`
  const ofServer = server.share === null ? '' : `, the server ${spread(shares).median.toFixed(2)}`
  const note = `${isLimit ? 'dnsperf was the limit: ' : ''}${used}${ofServer}`
  const common = { part: 'dnsperf', better: 'higher' } as const
  return [
    { ...common, what: `${name}, answered`, unit: 'queries/s', values: own, goal: null, note: '' },
    { ...common, what: `${name}, to dnsperf’s`, unit: '', values: ratios, goal: isLimit ? null : GOAL, note },
  ]
}
