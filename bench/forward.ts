// `npm run bench:forward`: Peregrine's cache and its forwarding beside Unbound, dnsdist and dnsmasq, each in turn on one
// core with the generator and the upstream on another, round after round in one go. Hits against Peregrine's own rate of
// names it knows itself; misses with names that nobody asked before; one name asked by many at once. Every figure is
// checked against what the answers were and what the upstream saw. bench/forward/options.ts has the options.

import { mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { processTree, softirqThread } from '../src/load/process-cpu.ts'
import { SIZES, writeManifests } from '../src/load/queries/synthetic-cluster.ts'
import type { QueryTable } from '../src/load/query-table.ts'
import { inFolder, type Outcome, runBench } from './command.ts'
import { burst } from './forward/burst.ts'
import { forwardFigures } from './forward/figures.ts'
import { asExternal, distinct, freshQueries, writeUpstreamZones } from './forward/names.ts'
import { HELP, type Options, readOptions } from './forward/options.ts'
import { type BurstSample, type Kind, printGoals, printTables, type Sample } from './forward/report.ts'
import { OWN, type Purpose, TARGETS, type Target } from './forward/targets.ts'
import { DELAY_MS, startUpstream, type Upstream, upstreamMissing } from './forward/upstream.ts'
import { Generator, type Result, type Run } from './serve/generator.ts'
import { isAlive, type PinnedProcess, pinAll, residentMiB, startPinned, stop } from './serve/process.ts'
import { drawQueries, type Query, tableOf } from './serve/queries.ts'
import { untilReady, wrongAnswers } from './serve/verify.ts'
import { versionsOf } from './serve/versions.ts'

/** A server under measurement: one for hits and one for misses, which would push the hits out of the cache. */
interface Server {
  readonly target: Target
  readonly purpose: Purpose
  readonly port: number
  readonly process: PinnedProcess
  /** Whether it answers external names; otherwise only its own are measured. */
  readonly forwards: boolean
}

/** The names of one mix. */
interface Table {
  readonly queries: QueryTable
  /** Share of NXDOMAIN, 0..1. */
  readonly missing: number
  readonly sample: readonly Query[]
}

/** What a round needs. */
interface Bench {
  readonly options: Options
  readonly folder: string
  readonly manifests: string
  /** By mix: the cluster's names and the upstream's copies. */
  readonly own: ReadonlyMap<string, Table>
  readonly hits: ReadonlyMap<string, Table>
  readonly upstream: Upstream
  readonly servers: Server[]
  readonly samples: Sample[]
  readonly bursts: BurstSample[]
  /** Batches of fresh names drawn so far. */
  batch: number
}

const SIZE = SIZES[0]
const TABLE_COUNT = 65_536
const WARM_MS = 150
const LOAD_MS = 30_000
/** Names made for a second of misses: a target that is faster wraps around, which is seen. */
const FRESH_PER_SECOND = 150_000
/** Long enough for all clients to have asked before the answer comes, shorter than any forwarder's patience. */
const BURST_DELAY_MS = 40
const BURST_LIMIT_MS = 2_000
/** How far the share of NXDOMAIN may be off: a run takes a part of the table. */
const SHARE_TOLERANCE = 0.02
/** Share of the hits that may not be in the cache. */
const MISSED_TOLERANCE = 0.0005
const NXDOMAIN = 3
const PARALLEL = 16
const PEERS = [
  ['unbound', '-V'],
  ['dnsdist', '--version'],
  ['dnsmasq', '--version'],
  ['nsd', '-v'],
] as const

async function measureAll(options: Options, folder: string, interrupted: AbortSignal): Promise<Outcome> {
  const lacking = upstreamMissing()
  if (lacking !== '') throw new Error(`no upstream: ${lacking}`)
  const zones = writeUpstreamZones(SIZE, folder)
  const probe = freshQueries(0, 1)[0]
  const upstream = await startUpstream(join(folder, 'upstream'), options.port, options.upstreamCore, zones, probe)
  const servers: Server[] = []
  try {
    const own = makeTables(options, (query) => query)
    const hits = makeTables(options, asExternal)
    const manifests = writeManifests(SIZE, join(folder, 'manifests'))
    const bench = { options, folder, manifests, own, hits, upstream, servers, samples: [], bursts: [], batch: 1 }
    await startServers(bench)
    await measureRounds(bench, interrupted)
    const { samples, bursts } = bench
    printTables(samples, bursts)
    printGoals(samples, bursts)
    const configurations = TARGETS.map(({ name, configuration }) => ({ name, configuration }))
    const figures = forwardFigures(samples, bursts)
    return { figures, details: { configurations, samples, bursts }, machine: versionsOf(PEERS) }
  } finally {
    for (const server of servers) await stop(server.process)
    await upstream.stop()
  }
}

function makeTables(options: Options, change: (query: Query) => Query): Map<string, Table> {
  const tables = new Map<string, Table>()
  for (const mix of options.mixes) {
    const queries = drawQueries(SIZE, mix, TABLE_COUNT, options.seed).map(change)
    const missing = queries.filter((query) => query.rcode === 'NXDOMAIN').length / queries.length
    tables.set(mix, { queries: tableOf(queries), missing, sample: distinct(queries) })
  }
  return tables
}

async function startServers(bench: Bench): Promise<void> {
  const { options } = bench
  for (const target of TARGETS) {
    if (!options.targets.includes(target.name)) continue
    const lacking = target.missing(options.launcher)
    if (lacking !== '') {
      console.log(`SKIPPED ${target.name}: ${lacking}`)
      continue
    }
    console.log(`${target.name}: ${target.configuration}`)
    if (options.mixes.length > 0) await startServer(bench, target, 'hits')
    if (options.misses || options.clients > 0) await startServer(bench, target, 'misses')
  }
}

async function startServer(bench: Bench, target: Target, purpose: Purpose): Promise<void> {
  const { options, servers, manifests, upstream } = bench
  // The first few are the upstream's.
  const port = options.port + 5 + servers.length
  const folder = join(bench.folder, `${target.name}-${purpose}`)
  mkdirSync(folder)
  const setting = { folder, purpose, port, upstreamPort: upstream.port, manifests, launcher: options.launcher }
  const begun = Date.now()
  const started = startPinned(options.serverCore, target.prepare(setting), join(folder, 'log'))
  const wrongOwn = target.name === OWN ? await checkOwn(bench, port, started) : ''
  const wrong = wrongOwn || (await checkForwarding(bench, target, port, started, purpose))
  const keep = wrong === '' || (target.name === OWN && wrongOwn === '' && purpose === 'hits')
  if (wrong !== '') {
    const what = target.name === OWN && wrongOwn === '' ? 'does not forward' : 'is not measured'
    console.log(`  ${purpose}: ${target.name} ${what}: ${wrong}`)
    const log = readFileSync(started.logPath, 'utf8').trimEnd()
    if (log !== '') console.log(log.split('\n').slice(-5).join('\n').replace(/^/gm, '    '))
  }
  if (!keep) return stop(started)
  // Some pin their threads themselves, to cores of their own choice.
  pinAll(options.serverCore, processTree(started.pid))
  servers.push({ target, purpose, port, process: started, forwards: wrong === '' })
  const memory = residentMiB(processTree(started.pid))
  console.log(`  ${purpose}: port ${port}, checked after ${Date.now() - begun} ms, ${memory} MiB`)
}

/** @returns '' when Peregrine serves the cluster's names rightly */
async function checkOwn({ own }: Bench, port: number, started: PinnedProcess): Promise<string> {
  const table = own.values().next().value
  const queries = table ? table.sample.slice(0, 50) : [drawQueries(SIZE, 'positive', 1, 1)[0]]
  return (await untilReady(port, queries[0], LOAD_MS, () => isAlive(started))) || wrongAnswers(port, queries)
}

/**
 * Asks every name that will be measured once, so that it is in the cache from then on.
 *
 * @returns '' when all answers are right
 */
async function checkForwarding(
  bench: Bench,
  target: Target,
  port: number,
  started: PinnedProcess,
  purpose: Purpose,
): Promise<string> {
  const fresh = freshQueries(bench.batch++, 50)
  // Peregrine has answered names of its own by now.
  const limit = target.name === OWN ? 1_000 : LOAD_MS
  const late = await untilReady(port, fresh[0], limit, () => isAlive(started))
  if (late !== '' || purpose === 'misses') return late || wrongAnswers(port, fresh)
  const all = distinct([...bench.hits.values()].flatMap((table) => table.sample))
  const slices = Array.from({ length: PARALLEL }, (_, slice) => all.filter((_, index) => index % PARALLEL === slice))
  const verdicts = await Promise.all(slices.map((slice) => wrongAnswers(port, slice)))
  return verdicts.find((verdict) => verdict !== '') ?? ''
}

async function measureRounds(bench: Bench, interrupted: AbortSignal): Promise<void> {
  const { options, servers } = bench
  for (let round = 0; round < options.rounds; round++) {
    for (const mix of options.mixes) {
      for (const server of servers) {
        if (server.purpose !== 'hits' || interrupted.aborted) continue
        if (server.target.name === OWN) await measureTable(bench, server, round, 'own', mix)
        if (server.forwards) await measureTable(bench, server, round, 'hits', mix)
      }
    }
    const asked = servers.filter((server) => server.purpose === 'misses')
    // Before the misses: a server that shares its core may still be at work on those.
    for (const server of asked) {
      if (options.clients > 0 && !interrupted.aborted) await measureBurst(bench, server, round)
    }
    for (const server of asked) {
      if (options.misses && !interrupted.aborted) await measureMisses(bench, server, round)
    }
    if (process.stderr.isTTY) process.stderr.write(`\rround ${round + 1} of ${options.rounds} `)
  }
}

async function measureTable(bench: Bench, server: Server, round: number, kind: Kind, mix: string): Promise<void> {
  const table = (kind === 'own' ? bench.own : bench.hits).get(mix)
  if (!table) return
  const measured = await measure(bench, server, table.queries)
  const { result, counts } = measured
  const missing = result.rcodes[NXDOMAIN] / result.answered
  let wrong = wrongRcodes(result, [0, NXDOMAIN])
  if (wrong === '' && Math.abs(missing - table.missing) > SHARE_TOLERANCE) {
    wrong = `${(missing * 100).toFixed(1)} % NXDOMAIN, not ${(table.missing * 100).toFixed(1)} %`
  }
  if (wrong === '' && counts.queries > result.sent * MISSED_TOLERANCE)
    wrong = `${counts.queries} of ${result.sent} queries went to the upstream`
  bench.samples.push({ kind, mix, target: server.target.name, round, ...measured, wrong })
}

async function measureMisses(bench: Bench, server: Server, round: number): Promise<void> {
  const { options } = bench
  const count = Math.ceil((options.seconds + WARM_MS / 1000) * FRESH_PER_SECOND)
  const measured = await measure(bench, server, tableOf(freshQueries(bench.batch++, count)), true)
  const { result, counts } = measured
  let wrong = wrongRcodes(result, [0])
  if (result.sent >= count) wrong ||= `the ${count} names were used up`
  if (result.answered > counts.names) wrong ||= `${result.answered} answers, but ${counts.names} names at the upstream`
  if (counts.names > result.sent) wrong ||= `asked ${result.sent} names, but ${counts.names} at the upstream`
  if (counts.dropped > 0) wrong ||= `the relay dropped ${counts.dropped}`
  bench.samples.push({ kind: 'misses', mix: '', target: server.target.name, round, ...measured, wrong })
}

/** One run, in a generator of its own: a table of misses is used once, and the generator keeps what it has read. */
async function measure(
  { options, upstream }: Bench,
  server: Server,
  table: QueryTable,
  once = false,
): Promise<Pick<Sample, 'result' | 'counts' | 'upstreamShare'>> {
  const run: Run = {
    table,
    port: server.port,
    sockets: options.sockets,
    outstanding: options.outstanding,
    warmMs: WARM_MS,
    countMs: options.seconds * 1000,
    pids: processTree(server.process.pid),
    softirqPid: softirqThread(options.serverCore),
    once,
  }
  const generator = new Generator(options.generatorCore)
  try {
    await upstream.settle()
    const cpuBefore = upstream.cpuNs()
    const result = await generator.run(run)
    const upstreamNs = upstream.cpuNs() - cpuBefore
    const upstreamShare = upstreamNs / 1e6 / (run.warmMs + run.countMs)
    return { result, counts: await upstream.settle(), upstreamShare }
  } finally {
    await generator.close()
  }
}

async function measureBurst(bench: Bench, server: Server, round: number): Promise<void> {
  const { upstream, options } = bench
  const [query] = freshQueries(bench.batch++, 1)
  await upstream.delay(BURST_DELAY_MS)
  await upstream.settle()
  const result = await burst(server.port, query, options.clients, BURST_LIMIT_MS)
  const counts = await upstream.settle()
  await upstream.delay(DELAY_MS)
  bench.bursts.push({ target: server.target.name, round, clients: options.clients, result, counts })
}

/** @returns '' when every answer has one of the RCODEs, and there were answers */
function wrongRcodes(result: Result, allowed: readonly number[]): string {
  if (result.answered === 0) return 'no answers'
  const found = result.rcodes.findIndex((count, rcode) => count > 0 && !allowed.includes(rcode))
  return found < 0 ? '' : `${result.rcodes[found]} answers with RCODE ${found}`
}

await runBench('forward', HELP, readOptions, inFolder(measureAll))
