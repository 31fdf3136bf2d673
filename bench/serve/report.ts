// What the rounds came to: medians, spread, ratios taken within a round, and the goals.

import { printRows } from '../table.ts'
import type { Result } from './generator.ts'
import { SMALL_OUTSTANDING } from './options.ts'
import type { Mix } from './queries.ts'

/** What is asked: every target answers the same in one round. */
export interface Scenario {
  readonly size: string
  readonly mix: Mix
  readonly sockets: number
  readonly outstanding: number
}

/** One target in one scenario in one round. */
export interface Sample {
  readonly scenario: Scenario
  readonly target: string
  readonly round: number
  readonly result: Result
}

/** The middle and the ends of a few figures. */
export interface Spread {
  readonly median: number
  readonly least: number
  readonly most: number
}

/** A server below this share of its core was not saturated. */
const SATURATED = 0.97
/** A generator that waited for less than this share of the time had no time to spare. */
const WAITED = 0.03

/** CPU microseconds a query. */
export function cpuMicros(result: Result): number {
  return result.serverCpuNs / 1000 / result.answered
}

/** Median, least and most; NaN of nothing. */
export function spread(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  const median = sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
  return { median: median ?? Number.NaN, least: sorted[0] ?? Number.NaN, most: sorted.at(-1) ?? Number.NaN }
}

/**
 * Why a figure is not of a saturated server: 'G' the generator had no time to spare while the server had; 'S' neither had
 * its core to itself; '' otherwise.
 */
export function doubt(result: Result): '' | 'G' | 'S' {
  const serverShare = result.serverCpuNs / 1e9 / result.seconds
  if (serverShare >= SATURATED) return ''
  if (result.ownCpuNs / 1e9 / result.seconds < SATURATED) return 'S'
  return result.idleShare < WAITED ? 'G' : ''
}

/** Prints one table a scenario. */
export function printTables(samples: readonly Sample[]): void {
  for (const [scenario, ofScenario] of grouped(samples, (sample) => scenarioName(sample.scenario))) {
    console.log(`\n${scenario}`)
    const heads = ['target', 'QPS', 'CPU µs/query', '(min..max)', 'to echo', '(min..max)', 'to knot', '(min..max)']
    const rows = [[...heads, 'busy', 'batch', 'lost', 'notes']]
    for (const [target, own] of grouped(ofScenario, (sample) => sample.target)) {
      rows.push([target, ...figures(own, ofScenario), notes(own)])
    }
    printRows(rows)
  }
  console.log(`
CPU: all threads of the server, packet work in softirq context included (it is charged to the thread it interrupts: the
server pays for delivering its answers, the generator for delivering its queries). Ratios: of CPU a query, within a round.
busy: share of the server's core; batch: answers a receiving call of the generator took; lost: per million.
G n: in n rounds the generator was the bottleneck; S n: in n rounds other work was on the cores; ksoftirqd: packet work
deferred to the kernel's own thread on the server's core, charged to no server, as share of the time.`)
}

/** Prints the goals and whether they are met. */
export function printGoals(samples: readonly Sample[]): void {
  console.log('\nGoals')
  const own = samples.filter((sample) => sample.target === 'peregrine')
  const full = own.filter((sample) => sample.scenario.outstanding >= SMALL_OUTSTANDING)
  const small = own.filter((sample) => sample.scenario.outstanding < SMALL_OUTSTANDING)
  goal(
    'CPU a query, saturated, to the echo loop',
    '<=',
    1.08,
    byScenario(full, (part) => ratios(part, samples, 'echo')),
  )
  goal(
    'CPU a query, saturated, to Knot',
    '<=',
    0.85,
    byScenario(full, (part) => ratios(part, samples, 'knot')),
  )
  goal(
    'CPU a query, small batches, to the echo loop',
    '<=',
    1.2,
    byScenario(small, (part) => ratios(part, samples, 'echo')),
  )
  const nxdomain = full.filter((sample) => sample.scenario.mix === 'nxdomain')
  const positive = (scenario: Scenario): Scenario => ({ ...scenario, mix: 'positive' })
  goal(
    'CPU a query, NXDOMAIN to positive',
    '<=',
    1,
    byScenario(nxdomain, (part) => against(part, full, positive)),
  )
  const million = full.filter((sample) => sample.scenario.size === '1.1M' && sample.scenario.mix !== 'uniform')
  const thousand = (scenario: Scenario): Scenario => ({ ...scenario, size: '1k' })
  const rate = (part: readonly Sample[]) => against(part, full, thousand).map((ratio) => 1 / ratio)
  goal('queries a CPU second, 1.1M names to 1k (Zipf)', '>=', 0.9, byScenario(million, rate))
}

function figures(own: readonly Sample[], all: readonly Sample[]): string[] {
  const results = own.map((sample) => sample.result)
  const micros = spread(results.map(cpuMicros))
  const toEcho = spread(ratios(own, all, 'echo'))
  const toKnot = spread(ratios(own, all, 'knot'))
  const lost = results.reduce((sum, result) => sum + result.lost, 0)
  const answered = results.reduce((sum, result) => sum + result.answered, 0)
  return [
    String(Math.round(spread(results.map((result) => result.answered / result.seconds)).median)),
    ...withRange(micros, 3),
    ...withRange(toEcho, 3),
    ...withRange(toKnot, 3),
    spread(results.map((result) => result.serverCpuNs / 1e9 / result.seconds)).median.toFixed(2),
    spread(results.map((result) => result.batch)).median.toFixed(1),
    ((lost / (answered + lost || 1)) * 1e6).toFixed(0),
  ]
}

function notes(own: readonly Sample[]): string {
  const parts: string[] = []
  for (const letter of ['G', 'S']) {
    const rounds = own.filter((sample) => doubt(sample.result) === letter).length
    if (rounds > 0) parts.push(`${letter} ${rounds}`)
  }
  const deferred = spread(own.map((sample) => sample.result.softirqCpuNs / 1e9 / sample.result.seconds)).median
  if (deferred >= 0.005) parts.push(`ksoftirqd ${deferred.toFixed(3)}`)
  return parts.join(', ')
}

/** CPU a query of each sample to that of `target` in the same scenario and round. */
export function ratios(own: readonly Sample[], all: readonly Sample[], target: string): number[] {
  const others = all.filter((sample) => sample.target === target)
  return against(own, others, (scenario) => scenario)
}

/** CPU a query of each sample to that of the other of the same round whose scenario is the counterpart. */
function against(
  own: readonly Sample[],
  others: readonly Sample[],
  counterpart: (scenario: Scenario) => Scenario,
): number[] {
  const found: number[] = []
  for (const sample of own) {
    const wanted = scenarioName(counterpart(sample.scenario))
    const other = others.find((each) => each.round === sample.round && scenarioName(each.scenario) === wanted)
    if (other) found.push(cpuMicros(sample.result) / cpuMicros(other.result))
  }
  return found
}

function byScenario(own: readonly Sample[], measure: (part: readonly Sample[]) => number[]): [string, Spread][] {
  const found: [string, Spread][] = []
  for (const [name, part] of grouped(own, (sample) => scenarioName(sample.scenario))) {
    const values = measure(part)
    if (values.length > 0) found.push([name, spread(values)])
  }
  return found
}

function goal(what: string, sign: '<=' | '>=', limit: number, found: readonly [string, Spread][]): void {
  if (found.length === 0) console.log(`  not measured  ${what} ${sign} ${limit}`)
  for (const [name, value] of found) {
    const met = sign === '<=' ? value.median <= limit : value.median >= limit
    const figure = withRange(value, 3).join(' ')
    console.log(`  ${met ? 'met    ' : 'NOT MET'}  ${what} ${sign} ${limit}: ${figure}  [${name}]`)
  }
}

/** The same for every target and round. */
export function scenarioName({ size, mix, sockets, outstanding }: Scenario): string {
  return `${size} names, ${mix}, ${sockets} sockets, ${outstanding} outstanding`
}

/** '-' and nothing when there is no figure. */
export function withRange({ median, least, most }: Spread, digits: number): [string, string] {
  if (Number.isNaN(median)) return ['-', '']
  return [median.toFixed(digits), `(${least.toFixed(digits)}..${most.toFixed(digits)})`]
}

function grouped(samples: readonly Sample[], key: (sample: Sample) => string): Map<string, Sample[]> {
  return Map.groupBy(samples, key)
}
