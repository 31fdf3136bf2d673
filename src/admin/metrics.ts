// `prometheus`: the metrics as text, in prom-client's exposition. Everything is asked for when somebody scrapes; nothing is kept here.
// The only file that names prom-client.

import type { IncomingMessage } from 'node:http'
import { createRequire } from 'node:module'
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import type {
  Metric,
  MetricObjectWithValues,
  MetricValue,
  RegistryContentType,
  Registry as RegistryOf,
} from 'prom-client'
import type { CounterSample, CounterValues, HistogramSample } from '../counting/values.ts'
import { type Handler, send } from './endpoints.ts'
import { FAMILIES, type Family } from './metric-families.ts'
import { processMetrics } from './process-metrics.ts'

/** Where the values come from. Functions are called once a scrape. */
export interface MetricsSources {
  /** Our own version, and the commit it was built from; '' if not known. */
  readonly build: { readonly version: string; readonly revision: string }
  /** What workers count: CounterHistory.total(). */
  queries(): CounterValues
  /** The plugins of each block, with its first zone; for each listener. */
  plugins(): Iterable<{
    readonly server: string
    readonly zone: string
    readonly view: string
    readonly name: string
  }>
  panics(): number
  /** fingerprint '' = none. */
  reloads(): { readonly failed: number; readonly fingerprint: string }
  health(): { readonly durations: HistogramSample; readonly failures: number }
  /** `readAt`: seconds since the epoch, 0 = never. */
  hosts(): { readonly entries: readonly { readonly file: string; readonly count: number }[]; readonly readAt: number }
  server(): ServerMetrics
  /** All others: names without `coredns_` or `peregrine_`. A name that is no family's is left out. */
  more(): Iterable<CounterSample | HistogramSample>
}

/** What peregrine_* says. */
export interface ServerMetrics {
  readonly indexes: readonly {
    /** 'cluster', 'static' … */
    readonly index: string
    readonly version: number
    readonly names: number
    readonly liveBytes: number
    readonly reservedBytes: number
    readonly limboBytes: number
    readonly isComplete: boolean
    readonly ageSeconds: number
  }[]
  /** null = nothing is published here. */
  readonly publish: HistogramSample | null
  readonly socketDrops: number
  readonly workerRestarts: number
  readonly logLinesDropped: number
  /** Sums over all workers; as src/workers/control.ts names them. */
  readonly messages: Readonly<
    Record<
      | 'received'
      | 'answered'
      | 'silent'
      | 'resumed'
      | 'sendErrors'
      | 'receiveErrors'
      | 'connections'
      | 'refused'
      | 'timeouts',
      number
    >
  >
}

type Sample = CounterSample | HistogramSample

const NO_LABELS = {}
const CACHE_OUTCOMES: ReadonlySet<string> = new Set(['cache_hits_total', 'cache_misses_total'])
const SETUP_ERRORS = ['iptables', 'iptables_lock', 'interface_add', 'interface_check', 'configmap']
const FAMILY_BY_NAME: ReadonlyMap<string, Family> = new Map(
  FAMILIES.flatMap((family) => [
    [family.name, family],
    [family.name.replace(/^(?:coredns|peregrine)_/, ''), family],
  ]),
)
const compress = promisify(gzip)

/** Metrics as text, and what kind of text. */
interface Exposition {
  readonly text: string
  readonly contentType: string
}

/** The handler of `/metrics`. */
export function metricsHandler(sources: MetricsSources): Handler {
  return handlerOf((isOpenMetrics) => metricsText(sources, isOpenMetrics))
}

/** The same for families of whoever serves nothing. @param samples  called once a scrape; names in full */
export function samplesHandler(families: readonly Family[], samples: () => Iterable<Sample>): Handler {
  const byName = new Map(families.map((family) => [family.name, family]))
  return handlerOf((isOpenMetrics) => {
    const byFamily = new Map<Family, Map<string, Sample>>()
    for (const sample of samples()) enter(byFamily, byName, sample)
    return exposition(families, byFamily, isOpenMetrics)
  })
}

function handlerOf(expose: (isOpenMetrics: boolean) => Promise<Exposition>): Handler {
  return async (request, response) => {
    const { text, contentType } = await expose(wantsOpenMetrics(request.headers.accept))
    if (!acceptsGzip(request)) return send(response, 200, text, contentType)
    response.setHeader('Content-Encoding', 'gzip')
    send(response, 200, await compress(text), contentType)
  }
}

/** All metrics now. */
export async function metricsText(sources: MetricsSources, isOpenMetrics = false): Promise<Exposition> {
  const byFamily = new Map<Family, Map<string, Sample>>()
  for (const sample of initialSamples()) enter(byFamily, FAMILY_BY_NAME, sample)
  for (const sample of samplesOf(sources)) enter(byFamily, FAMILY_BY_NAME, sample)
  for (const sample of await processMetrics()) enter(byFamily, FAMILY_BY_NAME, sample)
  return await exposition(FAMILIES, byFamily, isOpenMetrics)
}

async function exposition(
  families: readonly Family[],
  byFamily: ReadonlyMap<Family, ReadonlyMap<string, Sample>>,
  isOpenMetrics: boolean,
): Promise<Exposition> {
  const Registry = registryClass()
  const registry: RegistryOf<RegistryContentType> = new Registry<RegistryContentType>()
  if (isOpenMetrics) registry.setContentType(Registry.OPENMETRICS_CONTENT_TYPE)
  for (const family of families) {
    const samples = byFamily.get(family)
    // One without samples is left out, as a family with labels is that nothing has happened to.
    if (samples !== undefined) registry.registerMetric(exposed(family, [...samples.values()], isOpenMetrics))
  }
  return { text: await registry.metrics(), contentType: registry.contentType }
}

/** Loaded with the first scrape, and alone: the package as a whole takes 19 MB, its registry 4. */
function registryClass(): typeof RegistryOf {
  return createRequire(import.meta.url)('prom-client/lib/registry.js')
}

/** Families without labels are there from the start, at 0: alerts are written against that. */
function* initialSamples(): Iterable<Sample> {
  for (const { name, kind, labels, bounds } of FAMILIES) {
    if (labels.length > 0 || /^(?:process|go)_/.test(name)) continue
    if (kind === 'histogram') yield { name, labels: NO_LABELS, counts: new Array(bounds.length + 1).fill(0), sum: 0 }
    else yield { name, labels: NO_LABELS, value: 0 }
  }
  for (const errortype of SETUP_ERRORS) yield { name: 'nodecache_setup_errors_total', labels: { errortype }, value: 0 }
}

function* samplesOf(sources: MetricsSources): Iterable<Sample> {
  const { counters, histograms } = sources.queries()
  for (const sample of counters.values()) {
    yield sample
    // A query that comes to a cache is one or the other.
    if (CACHE_OUTCOMES.has(sample.name)) yield { ...sample, name: 'cache_requests_total' }
  }
  yield* histograms.values()
  const { version, revision } = sources.build
  yield { name: 'build_info', labels: { version, revision, goversion: process.version }, value: 1 }
  const enabled = new Map(
    [...sources.plugins()].map(({ server, zone, view, name }) => [
      JSON.stringify([server, zone, view, name]),
      { server, zone, view, name },
    ]),
  )
  for (const labels of enabled.values()) yield { name: 'plugin_enabled', labels, value: 1 }
  yield { name: 'panics_total', labels: NO_LABELS, value: sources.panics() }
  const { failed, fingerprint } = sources.reloads()
  yield { name: 'reload_failed_total', labels: NO_LABELS, value: failed }
  if (fingerprint !== '') {
    yield { name: 'reload_version_info', labels: { hash: 'sha512', value: fingerprint }, value: 1 }
  }
  const { durations, failures } = sources.health()
  yield { ...durations, name: 'health_request_duration_seconds' }
  yield { name: 'health_request_failures_total', labels: NO_LABELS, value: failures }
  const { entries, readAt } = sources.hosts()
  for (const { file, count } of entries) yield { name: 'hosts_entries', labels: { hostsfile: file }, value: count }
  yield { name: 'hosts_reload_timestamp_seconds', labels: NO_LABELS, value: readAt }
  yield* serverSamples(sources.server())
  yield* sources.more()
}

function* serverSamples(server: ServerMetrics): Iterable<Sample> {
  for (const {
    index,
    version,
    names,
    liveBytes,
    reservedBytes,
    limboBytes,
    isComplete,
    ageSeconds,
  } of server.indexes) {
    const labels = { index }
    yield { name: 'index_version', labels, value: version }
    yield { name: 'index_names', labels, value: names }
    yield { name: 'index_bytes', labels: { index, state: 'live' }, value: liveBytes }
    yield { name: 'index_bytes', labels: { index, state: 'reserved' }, value: reservedBytes }
    yield { name: 'index_bytes', labels: { index, state: 'limbo' }, value: limboBytes }
    yield { name: 'index_complete', labels, value: isComplete ? 1 : 0 }
    yield { name: 'index_age_seconds', labels, value: ageSeconds }
  }
  if (server.publish !== null) yield { ...server.publish, name: 'index_publish_duration_seconds' }
  const { messages } = server
  const totals: readonly [name: string, value: number][] = [
    ['socket_drops_total', server.socketDrops],
    ['worker_restarts_total', server.workerRestarts],
    ['log_lines_dropped_total', server.logLinesDropped],
    ['messages_received_total', messages.received],
    ['messages_answered_total', messages.answered],
    ['messages_unanswered_total', messages.silent],
    ['messages_resumed_total', messages.resumed],
    ['send_errors_total', messages.sendErrors],
    ['receive_errors_total', messages.receiveErrors],
    ['connections_total', messages.connections],
    ['connections_refused_total', messages.refused],
    ['connection_timeouts_total', messages.timeouts],
  ]
  for (const [name, value] of totals) yield { name, labels: NO_LABELS, value }
}

/** Adds a sample to those of its family: labels as the family has them, values of equal labels added up. */
function enter(byFamily: Map<Family, Map<string, Sample>>, byName: ReadonlyMap<string, Family>, sample: Sample): void {
  const family = byName.get(sample.name)
  if (family === undefined || 'counts' in sample !== (family.kind === 'histogram')) return
  const labels = Object.fromEntries(family.labels.map((label) => [label, sample.labels[label] ?? '']))
  const key = JSON.stringify(Object.values(labels))
  const samples = byFamily.get(family) ?? new Map<string, Sample>()
  byFamily.set(family, samples)
  const before = samples.get(key)
  if ('counts' in sample) {
    const { counts = [], sum = 0 } = (before as HistogramSample | undefined) ?? {}
    const total = sample.counts.map((count, index) => count + (counts[index] ?? 0))
    samples.set(key, { name: family.name, labels, counts: total, sum: sample.sum + sum })
  } else {
    const { value = 0 } = (before as CounterSample | undefined) ?? {}
    samples.set(key, { name: family.name, labels, value: sample.value + value })
  }
}

/** A family as a registry takes it: prom-client's own classes count for themselves and cannot be given a histogram. */
function exposed(family: Family, samples: readonly Sample[], isOpenMetrics: boolean): Metric<string> {
  const { kind, help } = family
  // The registry puts the ending back in.
  const name = isOpenMetrics && kind === 'counter' ? family.name.replace(/_total$/, '') : family.name
  const values = samples.flatMap((sample) => exposedValues(family, sample, isOpenMetrics))
  const content = { name, help, type: kind, aggregator: 'sum', values }
  const metric = {
    name,
    help,
    type: kind,
    get: async () => content as unknown as MetricObjectWithValues<MetricValue<string>>,
  }
  return metric as unknown as Metric<string>
}

interface ExposedValue {
  readonly metricName?: string
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

function exposedValues({ name, bounds }: Family, sample: Sample, isOpenMetrics: boolean): ExposedValue[] {
  const { labels } = sample
  if (!('counts' in sample)) return [{ labels, value: sample.value }]
  let count = 0
  const values: ExposedValue[] = sample.counts.map((each, index) => {
    count += each
    const le = index < bounds.length ? boundText(bounds[index], isOpenMetrics) : '+Inf'
    return { metricName: `${name}_bucket`, labels: { ...labels, le }, value: count }
  })
  values.push({ metricName: `${name}_sum`, labels, value: sample.sum })
  values.push({ metricName: `${name}_count`, labels, value: count })
  return values
}

function boundText(bound: number, isOpenMetrics: boolean): string {
  return isOpenMetrics && Number.isInteger(bound) ? `${bound}.0` : String(bound)
}

/** Does the header prefer OpenMetrics to text? */
function wantsOpenMetrics(accept = ''): boolean {
  let openMetrics = 0
  let text = 0
  for (const item of accept.split(',')) {
    const [type, ...parameters] = item.split(';').map((part) => part.trim().toLowerCase())
    const quality = Number(parameters.find((each) => each.startsWith('q='))?.slice(2) ?? 1)
    const version = parameters.find((each) => each.startsWith('version='))?.slice(8) ?? '1.0.0'
    if (type === 'application/openmetrics-text' && version === '1.0.0') openMetrics = Math.max(openMetrics, quality)
    if (type === 'text/plain') text = Math.max(text, quality)
  }
  return openMetrics > text
}

function acceptsGzip(request: IncomingMessage): boolean {
  const header = request.headers['accept-encoding'] ?? ''
  return String(header)
    .split(',')
    .some((item) => /^\s*gzip\s*(?:;\s*q=(?:0\.\d*[1-9]\d*|1(?:\.0*)?)\s*)?$/i.test(item))
}
