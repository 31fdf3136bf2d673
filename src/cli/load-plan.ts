// What a command line of `peregrine load` asks for: flags checked against each other, and turned into a plan. Reads no file
// and asks nobody.

import { isIPv6 } from 'node:net'
import { availableParallelism } from 'node:os'
import type { ServerConfig } from '../config/server-config.ts'
import { CAPACITY_DEFAULTS, type CapacityOptions } from '../load/capacity.ts'
import type { Bounds } from '../load/outcome.ts'
import type { MixOptions } from '../load/queries/mix-options.ts'
import type { ClusterSize } from '../load/queries/synthetic-cluster.ts'
import { type Schedule, TIMEOUT_MAX_MS, type Transport } from '../load/run.ts'
import { type NamedTarget, parseTarget, type TargetOptions } from '../load/target.ts'
import { configFromFlags } from './flag-config.ts'
import { FlagError, type FlagName, type Flags } from './flags.ts'
import { LOAD_FLAGS, MODEL_FLAGS } from './load-flags.ts'
import { clusterSize, mixFromFlags } from './load-mix.ts'

/** Where queries come from. */
export type QueriesPlan =
  | { readonly kind: 'file'; readonly path: string; readonly search: readonly string[] | undefined }
  | { readonly kind: 'capture'; readonly path: string }
  | { readonly kind: 'synthetic'; readonly size: ClusterSize }
  /** The names of `LoadPlan.model`. */
  | { readonly kind: 'cluster' }

/** What is done with the servers. Rates and lengths are those of one run. */
export type ModePlan =
  | { readonly kind: 'run'; readonly schedule: Schedule }
  | { readonly kind: 'capacity'; readonly options: CapacityOptions }
  | { readonly kind: 'comparison'; readonly schedule: Schedule; readonly rounds: number }

/** Who says what right answers are. */
export type TruthPlan = { readonly kind: 'model' } | { readonly kind: 'reference'; readonly server: NamedTarget }

/** Everything that was asked for. */
export interface LoadPlan {
  readonly targets: readonly NamedTarget[]
  readonly targetOptions: TargetOptions
  /** The user says that the servers are his. */
  readonly isVouchedFor: boolean
  readonly queries: QueriesPlan
  readonly mix: MixOptions
  /** File with names outside of the cluster; '' = examples. */
  readonly externalNames: string
  /** The cluster that names, truth, or the addresses that may be asked come from. */
  readonly model: ServerConfig
  /** Nothing said where queries come from: they are for the names of examples/. */
  readonly isExample: boolean
  readonly mode: ModePlan
  /** null = until the queries are through. */
  readonly durationMs: number | null
  readonly warmupMs: number
  readonly timeoutMs: number
  readonly passes: number
  /** By server. */
  readonly sockets: readonly number[]
  readonly workers: number
  readonly cores: readonly number[]
  readonly gso: boolean
  /** How datagrams are sent. */
  readonly transport: ServerConfig['transport']
  /** RunSpec.isStamped, where that can be had. */
  readonly isStamped: boolean
  /** Workers give their cores away while they have nothing to do. */
  readonly sleeps: boolean
  /** By server; empty where none are named. */
  readonly pids: readonly (readonly number[])[]
  /** null = answers are not checked. */
  readonly truth: TruthPlan | null
  /** 0 = answers are not checked. */
  readonly sampleEvery: number
  readonly isStrict: boolean
  readonly bounds: Bounds
  readonly output: OutputPlan
}

/** What is told, and where. '' = not. */
export interface OutputPlan {
  readonly json: boolean
  readonly quiet: boolean
  readonly jsonLines: string
  readonly html: string
  /** host '' = all addresses; null = no metrics. */
  readonly metrics: { readonly host: string; readonly port: number } | null
}

/** Writing the made-up cluster, instead of load. */
export interface WritePlan {
  readonly size: ClusterSize
  /** '' = not. */
  readonly manifests: string
  /** '' = not. */
  readonly zoneFile: string
}

const OUTSTANDING = 128
const DURATION = '10s'
/** Of many runs: a comparison of two servers is over in a minute. */
const DURATION_OF_MANY = '5s'
const WARMUP = '1s'
/** As long as resolvers of C wait, and dnsperf. */
const TIMEOUT = '5s'
const SOCKETS = 128
const CONNECTIONS = 16
/** What a worker's loop takes (SOCKETS_MAX of src/load/udp-loop.ts). */
export const SOCKETS_A_WORKER = 1000
const ROUNDS = 5
const RATE_MAX = 10_000_000
const DAY_MS = 86_400_000
const SHORTEST_MS = 10
const CORE_MAX = 1023

const COMMON: readonly FlagName[] = [
  'manifests',
  'kubeconfig',
  'context',
  'workers',
  'transport',
  'json',
  'quiet',
  'help',
  'h',
]
const KNOWN: ReadonlySet<FlagName> = new Set([...(Object.keys(LOAD_FLAGS) as FlagName[]), ...MODEL_FLAGS, ...COMMON])
const SOURCES: readonly FlagName[] = ['queries', 'pcap', 'services', 'manifests', 'kubeconfig']
const SCHEDULES: readonly FlagName[] = ['outstanding', 'rate', 'ramp', 'find-capacity']

/** Flag -> one of these has to be there too. */
const NEEDS: readonly (readonly [FlagName, ...FlagName[]])[] = [
  ['endpoints', 'services'],
  ['write-manifests', 'services'],
  ['write-zone', 'services'],
  ['speed', 'pcap'],
  ['search', 'queries'],
  ['start-rate', 'find-capacity'],
  ['max-rate', 'find-capacity'],
  ['trial', 'find-capacity'],
  ['strict', 'verify', 'reference'],
  ['context', 'kubeconfig'],
]
/** Flags that say two things at once. */
const EXCLUDE: readonly (readonly [FlagName, readonly FlagName[]])[] = [
  ['queries', ['pcap', 'services']],
  ['pcap', ['services', 'edns', 'dnssec', 'case-randomization']],
  ['services', ['manifests', 'kubeconfig']],
  ['kubeconfig', ['manifests']],
  ['reference', ['manifests']],
  ['speed', SCHEDULES],
  ['find-capacity', ['duration', 'passes', 'rounds']],
  ['ramp', ['passes']],
  ['write-manifests', ['server']],
  ['write-zone', ['server']],
]

/** What is to be written instead of load; null if nothing is. @throws FlagError */
export function writePlan(flags: Flags): WritePlan | null {
  if (!flags.has('write-manifests') && !flags.has('write-zone')) return null
  checkTogether(flags)
  return {
    size: clusterSize(flags),
    manifests: flags.text('write-manifests', ''),
    zoneFile: flags.text('write-zone', ''),
  }
}

/**
 * @param env  says whether the process runs in a cluster
 * @throws FlagError for flags that make no sense together, LoadInputError for a server that is none
 */
export function loadPlan(flags: Flags, env: NodeJS.ProcessEnv = process.env): LoadPlan {
  checkTogether(flags)
  const protocol = flags.text('protocol', 'udp') as Transport
  const targets = flags.list('server', []).map((text) => parseTarget(text, protocol, 'server'))
  if (targets.length === 0) throw new FlagError('load what? --server ADDR[:PORT] says so')
  checkTransports(flags, targets)
  const isMany = targets.length > 1
  if (!isMany && flags.has('rounds')) throw new FlagError('flag --rounds needs two --server or more')
  if (isMany && flags.has('find-capacity')) throw new FlagError('flag --find-capacity takes one --server')
  const truth = truthFromFlags(flags, protocol)
  const queries = queriesFromFlags(flags)
  const given = configFromFlags(flags, env)
  const isExample = queries.kind === 'cluster' && given.source.kind === 'manifests' && !flags.has('manifests')
  const model = isExample && !flags.has('okd') ? asStarted(given) : given
  checkTruth(flags, truth, model)
  const workers = flags.number('workers', Math.max(1, Math.floor(availableParallelism() / 2)))
  const mode = modeFromFlags(flags, isMany)
  return {
    targets,
    targetOptions: {
      transport: protocol,
      serverName: flags.text('tls-server-name', ''),
      verifiesCertificate: !flags.has('insecure'),
    },
    isVouchedFor: flags.has('i-own-this-server'),
    queries,
    mix: mixFromFlags(flags),
    externalNames: flags.text('external-names', ''),
    model,
    isExample,
    mode,
    ...timesFromFlags(flags, mode),
    passes: passesFromFlags(flags, mode),
    sockets: targets.map(({ transport }) => socketsFor(flags, transport, workers)),
    workers,
    cores: flags.list('cores', []).flatMap(coresOf),
    gso: flags.has('gso'),
    transport: model.transport,
    isStamped: flags.text('timestamps', 'kernel') === 'kernel',
    sleeps: flags.has('sleep'),
    pids: pidsFromFlags(flags, targets.length),
    truth,
    sampleEvery: truth === null ? 0 : sampleEvery(flags.text('verify', 'all')),
    isStrict: flags.has('strict'),
    bounds: boundsFromFlags(flags),
    output: outputFromFlags(flags),
  }
}

function checkTogether(flags: Flags): void {
  const misplaced = flags.names.find((name) => !KNOWN.has(name))
  if (misplaced !== undefined) throw new FlagError(`flag --${misplaced} is none of load's; load --help lists them`)
  if (flags.words.length > 0) throw new FlagError(`unexpected argument ${flags.words[0]}; --server says who is asked`)
  for (const [name, ...needed] of NEEDS) {
    if (flags.has(name) && !needed.some((other) => flags.has(other))) {
      throw new FlagError(`flag --${name} needs ${needed.map((other) => `--${other}`).join(' or ')}`)
    }
  }
  for (const [name, others] of EXCLUDE) excludes(flags, name, others)
  SCHEDULES.forEach((name, index) => {
    excludes(flags, name, SCHEDULES.slice(index + 1))
  })
}

function excludes(flags: Flags, name: FlagName, others: readonly FlagName[]): void {
  const other = flags.has(name) ? others.find((each) => flags.has(each)) : undefined
  if (other !== undefined) throw new FlagError(`flags --${name} and --${other} exclude each other`)
}

function checkTransports(flags: Flags, targets: readonly NamedTarget[]): void {
  const uses = (...transports: Transport[]): boolean => targets.some(({ transport }) => transports.includes(transport))
  if (flags.has('gso') && uses('tcp', 'tls', 'https')) throw new FlagError('flag --gso is for udp')
  for (const name of ['transport', 'timestamps'] as const) {
    if (flags.has(name) && !uses('udp')) throw new FlagError(`flag --${name} is for udp`)
  }
  if (flags.has('gso') && flags.text('transport', '') === 'dgram') {
    throw new FlagError('flags --gso and --transport dgram exclude each other')
  }
  if (flags.text('timestamps', '') === 'kernel' && flags.text('transport', '') === 'dgram') {
    throw new FlagError('flags --timestamps kernel and --transport dgram exclude each other')
  }
  for (const name of ['tls-server-name', 'insecure'] as const) {
    if (flags.has(name) && !uses('tls', 'https'))
      throw new FlagError(`flag --${name} needs a server asked by tls or https`)
  }
}

function truthFromFlags(flags: Flags, protocol: Transport): TruthPlan | null {
  if (flags.has('reference')) {
    return { kind: 'reference', server: parseTarget(flags.text('reference', ''), protocol, 'reference') }
  }
  return flags.has('verify') ? { kind: 'model' } : null
}

/** Manifests are of use only for names or as the truth; a truth has to be there. */
function checkTruth(flags: Flags, truth: TruthPlan | null, model: ServerConfig): void {
  const isInFile = flags.has('queries') || flags.has('pcap')
  if (isInFile && flags.has('manifests') && truth === null) {
    const [source] = SOURCES.filter((name) => flags.has(name))
    throw new FlagError(`flag --manifests: with --${source} it says what is true, for --verify`)
  }
  const hasTruth = flags.has('services') || flags.has('manifests') || model.source.kind === 'api'
  if (isInFile && truth?.kind === 'model' && !hasTruth) {
    throw new FlagError('flag --verify needs --manifests, --kubeconfig or --reference to know what is true')
  }
}

/** The application in examples/ is served by `npm start`, and that has --okd. */
function asStarted(config: ServerConfig): ServerConfig {
  const okd = { wildcard: true, shortNames: false, openshiftAlias: false }
  return { ...config, cluster: { ...config.cluster, schema: { ...config.cluster.schema, okd } } }
}

function queriesFromFlags(flags: Flags): QueriesPlan {
  const search = flags.has('search') ? flags.list('search', []) : undefined
  if (flags.has('queries')) return { kind: 'file', path: flags.text('queries', ''), search }
  if (flags.has('pcap')) return { kind: 'capture', path: flags.text('pcap', '') }
  if (flags.has('services')) return { kind: 'synthetic', size: clusterSize(flags) }
  return { kind: 'cluster' }
}

function modeFromFlags(flags: Flags, isMany: boolean): ModePlan {
  if (flags.has('find-capacity')) return { kind: 'capacity', options: capacityFromFlags(flags) }
  const schedule = scheduleFromFlags(flags)
  return isMany ? { kind: 'comparison', schedule, rounds: flags.number('rounds', ROUNDS) } : { kind: 'run', schedule }
}

function scheduleFromFlags(flags: Flags): Schedule {
  if (flags.has('rate')) return { kind: 'open', rate: flags.number('rate', 0) }
  if (flags.has('ramp')) return rampOf(flags.text('ramp', ''))
  if (flags.has('outstanding') || !flags.has('pcap')) {
    return { kind: 'closed', outstanding: flags.number('outstanding', OUTSTANDING) }
  }
  const speed = flags.number('speed', 1)
  if (speed < 0.001 || speed > 1000) throw new FlagError(`flag --speed is a number from 0.001 to 1000, not '${speed}'`)
  return { kind: 'replay', speed }
}

function rampOf(text: string): Schedule {
  const [from, to] = (/^(\d{1,8}):(\d{1,8})$/.exec(text)?.slice(1) ?? []).map(Number)
  const isRate = (rate: number | undefined): boolean => rate !== undefined && rate >= 1 && rate <= RATE_MAX
  if (!isRate(from) || !isRate(to)) {
    throw new FlagError(`flag --ramp is FROM:TO, each a rate from 1 to ${RATE_MAX}, not '${text}'`)
  }
  return { kind: 'ramp', from, to }
}

function capacityFromFlags(flags: Flags): CapacityOptions {
  const { maxLoss, maxP99Micros } = boundsFromFlags(flags)
  const { bounds, ...defaults } = CAPACITY_DEFAULTS
  const maxRate = flags.number('max-rate', defaults.maxRate)
  const startRate = flags.number('start-rate', Math.min(defaults.startRate, maxRate))
  if (startRate > maxRate) throw new FlagError(`flag --start-rate is ${startRate}, more than --max-rate ${maxRate}`)
  return {
    ...defaults,
    bounds: { maxLoss: maxLoss ?? bounds.maxLoss, maxP99Micros: maxP99Micros ?? bounds.maxP99Micros },
    startRate,
    maxRate,
    trialMs: time(flags, 'trial', `${defaults.trialMs}ms`, SHORTEST_MS, DAY_MS),
  }
}

function timesFromFlags(flags: Flags, mode: ModePlan): Pick<LoadPlan, 'durationMs' | 'warmupMs' | 'timeoutMs'> {
  const isReplay = mode.kind !== 'capacity' && mode.schedule.kind === 'replay'
  const isUntilDone = !flags.has('duration') && (flags.has('passes') || isReplay)
  const duration = mode.kind === 'comparison' ? DURATION_OF_MANY : DURATION
  return {
    durationMs: isUntilDone ? null : time(flags, 'duration', duration, SHORTEST_MS, DAY_MS),
    warmupMs: time(flags, 'warmup', isReplay ? '0' : WARMUP, 0, DAY_MS),
    timeoutMs: time(flags, 'timeout', TIMEOUT, 1, TIMEOUT_MAX_MS),
  }
}

/** A capture is sent once unless something says otherwise. */
function passesFromFlags(flags: Flags, mode: ModePlan): number {
  const isReplay = mode.kind !== 'capacity' && mode.schedule.kind === 'replay'
  return flags.number('passes', isReplay && !flags.has('duration') ? 1 : 0)
}

/** @param least  and `most`: milliseconds */
function time(flags: Flags, name: FlagName, byDefault: string, least: number, most: number): number {
  const ms = flags.duration(name, byDefault)
  if (ms >= least && ms <= most) return ms
  throw new FlagError(`flag --${name} is ${timeText(least)} to ${timeText(most)}, not '${flags.text(name, byDefault)}'`)
}

function timeText(ms: number): string {
  if (ms === DAY_MS) return '24h'
  return ms % 1000 === 0 ? `${ms / 1000}s` : `${ms}ms`
}

function socketsFor(flags: Flags, transport: Transport, workers: number): number {
  const sockets = flags.number('sockets', transport === 'udp' ? SOCKETS : CONNECTIONS)
  if (sockets > workers * SOCKETS_A_WORKER) {
    throw new FlagError(`flag --sockets: ${SOCKETS_A_WORKER} a worker at most, and there are ${workers} (--workers)`)
  }
  return sockets
}

/** `0`, `2-5`. */
function coresOf(text: string): number[] {
  const [first, last = first] = text.split('-')
  const [from, to] = [first, last].map((part) => (/^\d{1,4}$/.test(part) ? Number(part) : Number.NaN))
  if (!(from <= to && to <= CORE_MAX) || text.split('-').length > 2) {
    throw new FlagError(`flag --cores is a list of cores like 0,2-5, not '${text}'`)
  }
  return Array.from({ length: to - from + 1 }, (_, index) => from + index)
}

function pidsFromFlags(flags: Flags, servers: number): number[][] {
  const given = flags.list('pid', [])
  if (given.length === 0) return Array.from({ length: servers }, () => [])
  if (given.length !== servers) {
    throw new FlagError(`flag --pid is there ${given.length} times for ${servers} servers: once for each, '-' for none`)
  }
  return given.map((text) => {
    if (text === '-') return []
    const pids = text.split(',')
    if (pids.some((pid) => !/^[1-9]\d{0,9}$/.test(pid)))
      throw new FlagError(`flag --pid is a process id, not '${text}'`)
    return pids.map(Number)
  })
}

function sampleEvery(text: string): number {
  const every = text === '' || text === 'all' ? 1 : Number(text)
  if (every === 0) throw new FlagError("flag --verify is all or N, from 1 on, not '0'")
  return every
}

function boundsFromFlags(flags: Flags): Bounds {
  const maxP99 = flags.has('max-p99') ? time(flags, 'max-p99', '', 0.001, TIMEOUT_MAX_MS) : null
  return {
    maxLoss: flags.has('max-loss') ? percent(flags.text('max-loss', '')) / 100 : null,
    maxP99Micros: maxP99 === null ? null : maxP99 * 1000,
  }
}

function percent(text: string): number {
  const value = /^(?:\d{1,3}(?:\.\d*)?|\.\d+)%?$/.test(text) ? Number.parseFloat(text) : Number.NaN
  if (!(value <= 100)) throw new FlagError(`flag --max-loss is a percentage from 0 to 100, not '${text}'`)
  return value
}

function outputFromFlags(flags: Flags): OutputPlan {
  const jsonLines = flags.text('json-lines', '')
  if (flags.has('json') && jsonLines === '-') {
    throw new FlagError('flags --json and --json-lines - both write to standard output')
  }
  return {
    json: flags.has('json'),
    quiet: flags.has('quiet'),
    jsonLines,
    html: flags.text('html', ''),
    metrics: flags.has('metrics') ? metricsAddress(flags.text('metrics', '')) : null,
  }
}

/** `9154`, `:9154`, `0.0.0.0:9154`, `[::]:9154`; port 0 is one that the system chooses. */
function metricsAddress(text: string): { host: string; port: number } {
  const [, v6, other, portText] = /^(?:(?:\[([\da-f:.]+)\]|([\w.-]*)):)?(\d{1,5})$/i.exec(text) ?? []
  const port = Number(portText)
  if (!(port <= 65_535) || (v6 !== undefined && !isIPv6(v6))) {
    throw new FlagError(`flag --metrics is [ADDR:]PORT, not '${text}'`)
  }
  return { host: v6 ?? other ?? '127.0.0.1', port }
}
