// What the rounds came to: a table for each load of DNS beside, and figures that can be compared with those of another day.

import { type Histogram, percentileMicros } from '../../src/load/histogram.ts'
import type { Figure } from '../results.ts'
import { spread, withRange } from '../serve/report.ts'
import { printRows } from '../table.ts'
import type { HttpResult } from './requests.ts'

/** What queries saw meanwhile. */
export interface Queries {
  readonly sent: number
  readonly lost: number
  /** Answers that were not right. */
  readonly wrong: number
  readonly latency: Histogram
}

/** One endpoint in one round. */
export interface HttpSample {
  /** '' = none was asked: DNS alone. */
  readonly endpoint: string
  /** Queries a second beside; 0 = none. */
  readonly dnsRate: number
  readonly round: number
  /** null for DNS alone. */
  readonly http: HttpResult | null
  /** null without queries. */
  readonly queries: Queries | null
  /** CPU time of the server meanwhile. */
  readonly serverCpuNs: number
  readonly seconds: number
}

/** A thread that used this share of its core had nothing to spare. */
const FULL = 0.95

/** Prints a table for each rate of queries. */
export function printTables(samples: readonly HttpSample[]): void {
  for (const [rate, part] of Map.groupBy(samples, ({ dnsRate }) => dnsRate)) {
    console.log(`\n${rate === 0 ? 'Nothing beside' : `${rate} queries a second beside`}`)
    const heads = ['endpoint', 'requests/s', '(min..max)', 'p50 µs', 'p99 µs', '(min..max)', 'max ms', 'CPU µs', 'busy']
    const rows = [[...heads, 'failed', 'DNS p99 µs', '(min..max)', 'DNS lost', 'notes']]
    for (const [endpoint, own] of Map.groupBy(part, (sample) => sample.endpoint)) rows.push(row(endpoint, own))
    printRows(rows)
  }
  console.log(`
A closed loop: what a slow server is not asked meanwhile is not in its latencies. CPU: of the server a request, that of the queries
beside included. busy: share of the server's core; C n: in n rounds the client's thread was full, and the server was not.`)
}

/** One value a round. */
export function httpFigures(samples: readonly HttpSample[]): Figure[] {
  const groups = Map.groupBy(samples, ({ endpoint, dnsRate }) => {
    const beside = dnsRate === 0 ? '' : `${endpoint === '' ? '' : ' beside '}${dnsRate} queries/s`
    return `${endpoint === '' ? '' : `/${endpoint}`}${beside}`
  })
  return [...groups].flatMap(([name, own]) => [...ofRequests(name, own), ...ofQueries(name, own)])
}

function ofRequests(name: string, own: readonly HttpSample[]): Figure[] {
  const results = httpOf(own)
  if (results.length === 0) return []
  const percentile = (percent: number) => results.map(({ latency }) => percentileMicros(latency, percent))
  return [
    { name: `${name}: rate`, unit: 'requests/s', better: 'higher', values: results.map(rateOf) },
    { name: `${name}: p50`, unit: 'µs', better: 'lower', values: percentile(50) },
    { name: `${name}: p99`, unit: 'µs', better: 'lower', values: percentile(99) },
    { name: `${name}: CPU`, unit: 'µs/request', better: 'lower', values: own.map(cpuMicrosOf) },
    { name: `${name}: failed`, unit: '', better: 'lower', values: results.map(({ failed }) => failed) },
  ]
}

function ofQueries(name: string, own: readonly HttpSample[]): Figure[] {
  const results = queriesOf(own)
  if (results.length === 0) return []
  const percentile = (percent: number) => results.map(({ latency }) => percentileMicros(latency, percent))
  const lost = results.map(({ sent, lost }) => (lost / (sent || 1)) * 1e6)
  return [
    { name: `${name}: p50 of the queries`, unit: 'µs', better: 'lower', values: percentile(50) },
    { name: `${name}: p99 of the queries`, unit: 'µs', better: 'lower', values: percentile(99) },
    { name: `${name}: queries lost`, unit: 'per million', better: 'lower', values: lost },
  ]
}

function row(endpoint: string, own: readonly HttpSample[]): string[] {
  const http = httpOf(own)
  const queries = queriesOf(own)
  const percentile = (results: readonly { latency: Histogram }[], percent: number) =>
    spread(results.map(({ latency }) => percentileMicros(latency, percent)))
  const count = (values: readonly number[]) => String(values.reduce((sum, value) => sum + value, 0))
  return [
    endpoint === '' ? 'DNS alone' : `/${endpoint}`,
    ...withRange(spread(http.map(rateOf)), 0),
    withRange(percentile(http, 50), 0)[0],
    ...withRange(percentile(http, 99), 0),
    withRange(spread(http.map(({ latency }) => percentileMicros(latency, 100) / 1000)), 1)[0],
    http.length === 0 ? '-' : withRange(spread(own.map(cpuMicrosOf)), 1)[0],
    spread(own.map(busyOf)).median.toFixed(2),
    http.length === 0 ? '-' : count(http.map(({ failed }) => failed)),
    ...withRange(percentile(queries, 99), 0),
    queries.length === 0 ? '-' : count(queries.map(({ lost }) => lost)),
    notes(own),
  ]
}

function notes(own: readonly HttpSample[]): string {
  const full = own.filter((sample) => busyOf(sample) < FULL && (sample.http?.clientShare ?? 0) >= FULL).length
  const wrong = queriesOf(own).reduce((sum, queries) => sum + queries.wrong, 0)
  return [full > 0 ? `C ${full}` : '', wrong > 0 ? `${wrong} answers were wrong` : ''].filter((each) => each).join(', ')
}

function httpOf(own: readonly HttpSample[]): HttpResult[] {
  return own.map(({ http }) => http).filter((http) => http !== null)
}

function queriesOf(own: readonly HttpSample[]): Queries[] {
  return own.map(({ queries }) => queries).filter((queries) => queries !== null)
}

function rateOf({ answered, seconds }: HttpResult): number {
  return answered / seconds
}

/** NaN if nothing was answered. */
function cpuMicrosOf({ serverCpuNs, http }: HttpSample): number {
  return http === null || http.answered === 0 ? Number.NaN : serverCpuNs / 1000 / http.answered
}

function busyOf({ serverCpuNs, seconds }: HttpSample): number {
  return serverCpuNs / 1e9 / seconds
}
