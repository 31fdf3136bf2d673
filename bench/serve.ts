// `npm run bench:serve`: Peregrine beside an echo loop, Knot DNS, NSD and gdnsd, all with the same names, each in turn on
// one core with the generator on another, round after round in one go, so that whatever else the machine does falls on
// all alike. bench/serve/options.ts has the options.

import { mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { processTree, softirqThread } from '../src/load/process-cpu.ts'
import { type ClusterSize, nameCount, SIZES, writeManifests, writeZone } from '../src/load/queries/synthetic-cluster.ts'
import type { QueryTable } from '../src/load/query-table.ts'
import { inFolder, type Outcome, runBench } from './command.ts'
import { serveFigures } from './serve/figures.ts'
import { Generator } from './serve/generator.ts'
import { HELP, type Options, readOptions, SMALL_OUTSTANDING } from './serve/options.ts'
import { isAlive, type PinnedProcess, pinAll, residentMiB, startPinned, stop } from './serve/process.ts'
import { drawQueries, type Query, tableOf } from './serve/queries.ts'
import { printGoals, printTables, type Sample, type Scenario } from './serve/report.ts'
import { TARGETS, type Target } from './serve/targets.ts'
import { untilReady, wrongAnswers } from './serve/verify.ts'
import { versionsOf } from './serve/versions.ts'

/** A server under measurement: one for each size it has names of; the echoes serve every size. */
interface Server {
  readonly target: Target
  readonly size: string
  readonly port: number
  readonly process: PinnedProcess
}

/** One size: its files, and what is asked. */
interface Cluster {
  readonly size: ClusterSize
  readonly manifests: string
  readonly zoneFile: string
  /** By mix. */
  readonly tables: ReadonlyMap<string, QueryTable>
  /** A few of each mix, the most popular name first. */
  readonly sample: readonly Query[]
}

const PEERS = [
  ['knotd', '--version'],
  ['nsd', '-v'],
  ['gdnsd', 'version'],
] as const
const WARM_MS = 150
const SAMPLE_PER_MIX = 15
const TRIES_MS = 10_000

async function measureAll(options: Options, folder: string, interrupted: AbortSignal): Promise<Outcome> {
  const servers: Server[] = []
  const generator = new Generator(options.generatorCore)
  try {
    const clusters = writeClusters(options, folder)
    await startServers(options, folder, clusters, servers)
    const samples = await measureRounds(options, clusters, servers, generator, interrupted)
    printTables(samples)
    printGoals(samples)
    return { figures: serveFigures(samples), details: { samples }, machine: versionsOf(PEERS) }
  } finally {
    await generator.close()
    for (const server of servers) await stop(server.process)
  }
}

function writeClusters(options: Options, folder: string): Cluster[] {
  const clusters: Cluster[] = []
  for (const size of SIZES) {
    if (!options.sizes.includes(size.label)) continue
    const tables = new Map<string, QueryTable>()
    const sample: Query[] = []
    for (const mix of options.mixes) {
      const queries = drawQueries(size, mix, options.tableCount, options.seed)
      tables.set(mix, tableOf(queries))
      sample.push(...queries.slice(0, SAMPLE_PER_MIX))
    }
    // What exists goes first: a server that has not loaded yet says NXDOMAIN to everything.
    sample.sort((a, b) => b.addresses.length - a.addresses.length)
    const manifests = writeManifests(size, join(folder, `manifests-${size.label}`))
    const zoneFile = writeZone(size, join(folder, `${size.label}.zone`))
    clusters.push({ size, manifests, zoneFile, tables, sample })
    console.log(`${size.label}: ${nameCount(size)} names, ${size.services} Services, ${size.namespaces} namespaces`)
  }
  return clusters
}

async function startServers(
  options: Options,
  folder: string,
  clusters: readonly Cluster[],
  servers: Server[],
): Promise<void> {
  for (const target of TARGETS) {
    if (!options.targets.includes(target.name)) continue
    const missing = target.missing(options.launcher)
    if (missing !== '') {
      console.log(`SKIPPED ${target.name}: ${missing}`)
      continue
    }
    for (const cluster of target.answers ? clusters : clusters.slice(0, 1)) {
      await startServer(options, folder, cluster, target, servers)
    }
  }
}

async function startServer(
  options: Options,
  folder: string,
  cluster: Cluster,
  target: Target,
  servers: Server[],
): Promise<void> {
  const port = options.port + servers.length
  const own = join(folder, `${target.name}-${cluster.size.label}`)
  mkdirSync(own)
  const { manifests, zoneFile } = cluster
  const setting = { folder: own, port, manifests, zoneFile, launcher: options.launcher }
  const begun = Date.now()
  const started = startPinned(options.serverCore, target.prepare(setting), join(own, 'log'))
  const server = { target, size: target.answers ? cluster.size.label : '', port, process: started }
  servers.push(server)
  const wrong = await check(server, cluster, options)
  if (wrong !== '') {
    console.log(`SKIPPED ${target.name} with ${cluster.size.label} names: ${wrong}`)
    console.log(readFileSync(started.logPath, 'utf8').split('\n').slice(-10).join('\n'))
    servers.splice(servers.indexOf(server), 1)
    return stop(started)
  }
  // Some pin their threads themselves, to cores of their own choice.
  pinAll(options.serverCore, processTree(started.pid))
  const memory = residentMiB(processTree(started.pid))
  const names = target.answers ? ` with ${cluster.size.label} names` : ''
  console.log(`${target.name}${names}: ready after ${Date.now() - begun} ms, ${memory} MiB`)
}

/** @returns '' for a server that runs and answers rightly */
async function check(server: Server, cluster: Cluster, options: Options): Promise<string> {
  const alive = () => isAlive(server.process)
  if (!server.target.answers) {
    const probe: Query = { qname: 'echo', qtype: 'A', rcode: 'NOERROR', addresses: [] }
    return untilReady(server.port, probe, TRIES_MS, alive)
  }
  const late = await untilReady(server.port, cluster.sample[0], options.loadSeconds * 1000, alive)
  return late || wrongAnswers(server.port, cluster.sample)
}

async function measureRounds(
  options: Options,
  clusters: readonly Cluster[],
  servers: readonly Server[],
  generator: Generator,
  interrupted: AbortSignal,
): Promise<Sample[]> {
  const scenarios = listScenarios(options)
  const runs = options.rounds * scenarios.length * (servers.length / clusters.length)
  console.log(
    `${scenarios.length} scenarios, ${options.rounds} rounds: about ${Math.ceil(runs * (options.seconds + 0.2))} s`,
  )
  const softirqPid = softirqThread(options.serverCore)
  const samples: Sample[] = []
  for (let round = 0; round < options.rounds; round++) {
    for (const scenario of scenarios) {
      const table = clusters.find((each) => each.size.label === scenario.size)?.tables.get(scenario.mix)
      if (table === undefined) continue
      for (const server of servers) {
        if (server.target.answers && server.size !== scenario.size) continue
        if (interrupted.aborted) return samples
        const result = await generator.run({
          table,
          port: server.port,
          sockets: scenario.sockets,
          outstanding: scenario.outstanding,
          warmMs: WARM_MS,
          countMs: options.seconds * 1000,
          pids: processTree(server.process.pid),
          softirqPid,
        })
        samples.push({ scenario, target: server.target.name, round, result })
      }
    }
    if (process.stderr.isTTY) process.stderr.write(`\rround ${round + 1} of ${options.rounds} `)
  }
  return samples
}

/** Saturation in every combination; small batches once, where their cost shows most. */
function listScenarios(options: Options): Scenario[] {
  const scenarios: Scenario[] = []
  for (const outstanding of options.outstanding) {
    const small = outstanding < SMALL_OUTSTANDING
    for (const size of small ? options.sizes.slice(0, 1) : options.sizes) {
      const mixed = options.mixes.includes('mixed') ? 'mixed' : options.mixes[0]
      for (const mix of small ? [mixed] : options.mixes) {
        if (mix === 'uniform' && size !== options.sizes.at(-1)) continue
        for (const sockets of small ? options.sockets.slice(0, 1) : options.sockets) {
          scenarios.push({ size, mix, sockets, outstanding })
        }
      }
    }
  }
  return scenarios
}

await runBench('serve', HELP, readOptions, inFolder(measureAll))
