// The engine and dnsperf, one after the other on the same core against the same server: closed loops with as many queries under way
// from as many sockets. Where the server is the limit, both must say the same.

import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { processTree, serverCpuTimeNs } from '../../src/load/process-cpu.ts'
import { writeManifests, writeZone, ZONE } from '../../src/load/queries/synthetic-cluster.ts'
import { qpsOf } from '../../src/load/run.ts'
import { findProgram, isAlive, lacking, pinAll, startPinned, stop } from '../serve/process.ts'
import type { Query } from '../serve/queries.ts'
import { spread } from '../serve/report.ts'
import { TARGETS, type Target } from '../serve/targets.ts'
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
const LOAD_MS = 60_000
const ANY_ADDRESS = '10.0.0.1'
/** A server that used less of its core waited for queries. */
const SATURATED = 0.95

const SERVERS: readonly Target[] = [
  ...TARGETS.filter(({ name }) => ['peregrine', 'knot', 'nsd'].includes(name)),
  {
    // A few system calls a query, and a log that nobody reads: slower than dnsperf. It has the same address for every name.
    name: 'dnsmasq with a log',
    answers: false,
    missing: () => lacking('dnsmasq'),
    prepare: ({ port }) => {
      const listen = [`--port=${port}`, '--listen-address=127.0.0.1', '--bind-interfaces', '--no-resolv', '--no-hosts']
      const files = ['--conf-file=/dev/null', '--pid-file', '--keep-in-foreground']
      const log = ['--log-queries=extra', '--log-facility=/dev/null']
      return [findProgram('dnsmasq'), ...listen, ...files, ...log, `--address=/${ZONE}/${ANY_ADDRESS}`]
    },
  },
]

/** A server that both ask. */
interface Server {
  readonly name: string
  readonly port: number
  /** null = it is slow, whatever it uses of its core. */
  readonly pids: (() => number[]) | null
}

/** Measures server after server, each in rounds. */
export async function measureBeside(bench: Bench, program: string): Promise<Finding[]> {
  const missing = dnsperfMissing()
  if (missing !== '') {
    console.log(`SKIPPED dnsperf: ${missing}`)
    return []
  }
  const findings: Finding[] = []
  for (const micros of SERVICE_MICROS) findings.push(...(await measureStandIn(bench, program, micros)))
  for (const target of SERVERS) findings.push(...(await measureServer(bench, target)))
  return findings
}

async function measureStandIn(bench: Bench, program: string, micros: number): Promise<Finding[]> {
  const { serverCore, port } = bench.options
  const standIn = await StandIn.start(program, serverCore, port, { mode: 'serve', number: micros })
  try {
    return await compare(bench, { name: `${micros} µs a query`, port, pids: null })
  } finally {
    await standIn.stop()
  }
}

async function measureServer(bench: Bench, target: Target): Promise<Finding[]> {
  const { port, launcher, serverCore } = bench.options
  const { name } = target
  const missing = target.missing(launcher)
  if (missing !== '') {
    console.log(`SKIPPED ${name}: ${missing}`)
    return []
  }
  const folder = join(bench.folder, name.replaceAll(' ', '-'))
  mkdirSync(folder)
  const manifests = writeManifests(SIZE, join(folder, 'manifests'))
  const zoneFile = writeZone(SIZE, join(folder, 'zone'))
  const command = target.prepare({ folder, port, manifests, zoneFile, launcher })
  const started = startPinned(serverCore, command, join(folder, 'log'))
  try {
    const anyName: Query = { qname: ZONE, qtype: 'A', rcode: 'NOERROR', addresses: [ANY_ADDRESS] }
    const wrong = await untilReady(port, target.answers ? bench.queries[0] : anyName, LOAD_MS, () => isAlive(started))
    if (wrong !== '') throw new Error(`${name} does not answer: ${wrong}`)
    const pids = () => processTree(started.pid)
    pinAll(serverCore, pids())
    return await compare(bench, { name, port, pids })
  } finally {
    await stop(started)
  }
}

/** One after the other, in rounds. */
async function compare(bench: Bench, { name, port, pids }: Server): Promise<Finding[]> {
  const { rounds, shortSeconds, generatorCore: core } = bench.options
  const seconds = Math.max(1, Math.round(shortSeconds))
  const common = { port, seconds, sockets: SOCKETS }
  const own: number[] = []
  const ratios: number[] = []
  const serverShares: number[] = []
  const dnsperfShares: number[] = []
  for (let round = 0; round < rounds && !bench.signal.aborted; round++) {
    const schedule = { kind: 'closed', outstanding: OUTSTANDING } as const
    const qps = qpsOf(await run(bench, { what: `beside dnsperf, ${name}`, round, schedule, ...common }))
    const before = serverCpuTimeNs(pids?.() ?? [])
    const dnsperf = await runDnsperf({ core, queryFile: bench.queryFile, outstanding: OUTSTANDING, ...common })
    const after = serverCpuTimeNs(pids?.() ?? [])
    const share = before === null || after === null ? Number.NaN : (after - before) / 1e9 / dnsperf.seconds
    bench.samples.push({ what: `dnsperf, ${name}`, round, ...dnsperf, serverShare: share })
    own.push(qps)
    ratios.push(qps / dnsperf.qps)
    serverShares.push(share)
    dnsperfShares.push(dnsperf.cpuShare)
  }
  if (ratios.length === 0) return []
  const isLimit = pids !== null && spread(serverShares).median < SATURATED
  const ofServer = pids === null ? '' : `, the server ${spread(serverShares).median.toFixed(2)}`
  const used = `dnsperf used ${spread(dnsperfShares).median.toFixed(2)} of its core${ofServer}`
  const note = isLimit ? `dnsperf was the limit: ${used}` : used
  const part = 'dnsperf'
  return [
    { part, what: `${name}, answered`, unit: 'queries/s', better: 'higher', values: own, goal: null, note: '' },
    {
      part,
      what: `${name}, to dnsperf’s`,
      unit: '',
      better: 'higher',
      values: ratios,
      goal: isLimit ? null : GOAL,
      note,
    },
  ]
}
