// What the rounds of forwarding came to: medians, spread, ratios taken within a round, and the goals.

import type { Result } from '../serve/generator.ts'
import { cpuMicros, type Spread, spread, withRange } from '../serve/report.ts'
import { printRows } from '../table.ts'
import type { BurstResult } from './burst.ts'
import { OWN } from './targets.ts'
import { type Counts, DELAY_MS } from './upstream.ts'

/** own: the cluster's names, which Peregrine answers itself; hits: external names in the cache; misses: unique ones. */
export type Kind = 'own' | 'hits' | 'misses'

/** One target asked one kind of names in one round. */
export interface Sample {
  readonly kind: Kind
  /** '' for misses. */
  readonly mix: string
  readonly target: string
  readonly round: number
  readonly result: Result
  /** What the upstream saw meanwhile. */
  readonly counts: Counts
  /** CPU time of relay and NSD as a share of the run. */
  readonly upstreamShare: number
  /** Why the figure is worth nothing, or ''. */
  readonly wrong: string
}

/** One target asked one name by many clients at once. */
export interface BurstSample {
  readonly target: string
  readonly round: number
  readonly clients: number
  readonly result: BurstResult
  readonly counts: Counts
}

/** A server and its packet work below this share of its core did not fill it. */
const SATURATED = 0.95

/** Prints a table for each mix of hits, one of misses, one of bursts. */
export function printTables(samples: readonly Sample[], bursts: readonly BurstSample[]): void {
  const cached = samples.filter((sample) => sample.kind !== 'misses')
  for (const [mix, part] of Map.groupBy(cached, (sample) => sample.mix)) {
    console.log(`\nCached hits, ${mix}`)
    printRates(part, 'authoritative', (sample) => sample.kind === 'own')
  }
  const misses = samples.filter((sample) => sample.kind === 'misses')
  if (misses.length > 0) {
    console.log(`\nMisses, every name once, upstream ${DELAY_MS} ms away`)
    printRates(misses, 'unbound', (sample) => sample.target === 'unbound')
    printUpstream(misses)
  }
  if (bursts.length > 0) printBursts(bursts)
  console.log(`
CPU: all threads of the server, packet work in softirq context included (it is charged to the thread it interrupts).
busy: share of the server's core; lost: per million. Ratios: of rates, within a round.
S n of m: in n of m rounds the server did not fill its core (other work was on the cores, or the generator's core with the
upstream on it was the limit): they are left out where another round was full. ksoftirqd: packet work deferred to the
kernel's own thread on the server's core, charged to no server, as share of the time. A client of a burst asks once: what
a receive buffer has no room for is lost.`)
}

function printRates(samples: readonly Sample[], base: string, isBase: (sample: Sample) => boolean): void {
  const heads = [
    'target',
    'QPS',
    '(min..max)',
    'CPU µs/query',
    '(min..max)',
    `to ${base}`,
    '(min..max)',
    'busy',
    'lost',
  ]
  const rows = [[...heads, 'notes']]
  const others = fullest(samples.filter(isBase))
  for (const [name, own] of Map.groupBy(samples, nameOf)) {
    const shown = fullest(own)
    const results = shown.map((sample) => sample.result)
    const lost = results.reduce((sum, result) => sum + result.lost, 0)
    const answered = results.reduce((sum, result) => sum + result.answered, 0)
    rows.push([
      name,
      ...withRange(spread(results.map(rate)), 0),
      ...withRange(spread(results.map(cpuMicros)), 2),
      ...withRange(spread(ratios(shown, others)), 2),
      spread(results.map(busy)).median.toFixed(2),
      ((lost / (answered + lost || 1)) * 1e6).toFixed(0),
      notes(own),
    ])
  }
  printRows(rows)
}

function printUpstream(misses: readonly Sample[]): void {
  console.log('\n  At the upstream, all rounds together')
  const rows = [['target', 'asked for', 'names', 'queries', 'a name', 'repeats in flight', 'busy', 'notes']]
  for (const [target, own] of Map.groupBy(misses, (sample) => sample.target)) {
    const sum = (pick: (sample: Sample) => number) => own.reduce((total, sample) => total + pick(sample), 0)
    const names = sum((sample) => sample.counts.names)
    const queries = sum((sample) => sample.counts.queries)
    const dropped = sum((sample) => sample.counts.dropped)
    rows.push([
      target,
      String(sum((sample) => sample.result.sent)),
      String(names),
      String(queries),
      (queries / names).toFixed(4),
      String(sum((sample) => sample.counts.repeatsInFlight)),
      spread(own.map((sample) => sample.upstreamShare)).median.toFixed(2),
      dropped > 0 ? `the relay dropped ${dropped}` : '',
    ])
  }
  printRows(rows)
}

function printBursts(bursts: readonly BurstSample[]): void {
  console.log(`\nOne name asked by ${bursts[0].clients} clients at once, the worst of all rounds`)
  const rows = [['target', 'upstream queries', 'answered', 'NOERROR', 'asked within', 'answered within', 'notes']]
  for (const [target, own] of Map.groupBy(bursts, (sample) => sample.target)) {
    const most = (pick: (sample: BurstSample) => number) => Math.max(...own.map(pick))
    const least = (pick: (sample: BurstSample) => number) => Math.min(...own.map(pick))
    rows.push([
      target,
      String(most((sample) => sample.counts.queries)),
      String(least((sample) => sample.result.answered)),
      String(least((sample) => sample.result.rcodes[0])),
      `${most((sample) => sample.result.sendMs).toFixed(0)} ms`,
      `${most((sample) => sample.result.totalMs).toFixed(0)} ms`,
      most((sample) => sample.counts.names) > 1 ? 'other names came by as well' : '',
    ])
  }
  printRows(rows)
}

/** Prints the goals and whether they are met. */
export function printGoals(samples: readonly Sample[], bursts: readonly BurstSample[]): void {
  console.log('\nGoals')
  const own = samples.filter((sample) => sample.target === OWN)
  const hits = own.filter((sample) => sample.kind === 'hits')
  const peer = (kind: Kind, target: string) =>
    samples.filter((sample) => sample.kind === kind && sample.target === target)
  const authoritative = own.filter((sample) => sample.kind === 'own')
  rateGoal('rate of hits to the authoritative rate', 0.9, hits, authoritative)
  rateGoal("rate of hits to dnsdist's", 1.4, hits, peer('hits', 'dnsdist'))
  rateGoal("rate of hits to Unbound's", 2, hits, peer('hits', 'unbound'))
  const misses = own.filter((sample) => sample.kind === 'misses')
  rateGoal("rate of misses to Unbound's", 0.5, misses, peer('misses', 'unbound'))
  const measured = misses.length > 0
  const repeats = spread(misses.map((sample) => sample.counts.repeatsInFlight))
  goal('misses: repeats of a name in flight, a round', '<=', 0, measured ? [['', repeats, wrongOf(misses)]] : [])
  const asked = bursts.filter((sample) => sample.target === OWN)
  const unanswered = asked.some((sample) => sample.result.rcodes[0] < sample.clients) ? 'not all were answered' : ''
  const queries = spread(asked.map((sample) => sample.counts.queries))
  goal('upstream queries for a name asked at once', '<=', 1, asked.length > 0 ? [['', queries, unanswered]] : [])
}

/** A goal for the rate of `own` to that of `others`, by mix. */
function rateGoal(what: string, limit: number, own: readonly Sample[], others: readonly Sample[]): void {
  const found: Finding[] = []
  for (const [mix, part] of Map.groupBy(own, (sample) => sample.mix)) {
    const beside = others.filter((sample) => sample.mix === mix)
    if (beside.length === 0) continue
    // Beside a full core, a rate that is high enough is so all the more with a full core of its own; one that is too low
    // says something only then. What a CPU second is worth can be said of any round.
    const full = beside.filter(isSaturated)
    const least = spread(ratios(part, full))
    const value = least.median >= limit ? least : spread(ratios(part.filter(isSaturated), full))
    const cpu = spread(ratios(part, beside, (result) => 1 / cpuMicros(result)))
    const figures = `a CPU second: ${withRange(cpu, 2).join(' ')}`
    found.push([mix === '' ? figures : `${mix}; ${figures}`, value, wrongOf([...part, ...beside])])
  }
  goal(what, '>=', limit, found)
}

/** What a goal was measured by: NaN when nothing can be said, `wrong` when the figure is worth nothing. */
type Finding = readonly [scenario: string, value: Spread, wrong: string]

function goal(what: string, sign: '<=' | '>=', limit: number, found: readonly Finding[]): void {
  if (found.length === 0) console.log(`  not measured  ${what} ${sign} ${limit}`)
  for (const [scenario, value, wrong] of found) {
    const met = sign === '<=' ? value.median <= limit : value.median >= limit
    const where = [scenario, wrong].filter((text) => text !== '').join('; ')
    const [figure, verdict] = Number.isNaN(value.median)
      ? ['no round in which both filled their core', 'OPEN   ']
      : [withRange(value, 2).join(' '), met ? 'met    ' : 'NOT MET']
    console.log(`  ${wrong ? 'INVALID' : verdict}  ${what} ${sign} ${limit}: ${figure}${where && `  [${where}]`}`)
  }
}

function wrongOf(samples: readonly Sample[]): string {
  return samples.find((sample) => sample.wrong !== '')?.wrong ?? ''
}

/** Of the target, and whether it answered names of its own. */
export function nameOf(sample: Sample): string {
  return sample.kind === 'own' ? `${sample.target}, authoritative` : sample.target
}

/** Answers a second. */
export function rate(result: Result): number {
  return result.answered / result.seconds
}

function busy(result: Result): number {
  return result.serverCpuNs / 1e9 / result.seconds
}

/** The rounds in which the server filled its core; all when there is none. */
export function fullest(samples: readonly Sample[]): readonly Sample[] {
  const full = samples.filter(isSaturated)
  return full.length > 0 ? full : samples
}

function isSaturated({ result }: Sample): boolean {
  return busy(result) + deferredShare(result) >= SATURATED
}

function deferredShare(result: Result): number {
  return result.softirqCpuNs / 1e9 / result.seconds
}

/** Rate (or another figure) of each sample to that of the other of the same mix and round. */
function ratios(own: readonly Sample[], others: readonly Sample[], figure = rate): number[] {
  const found: number[] = []
  for (const sample of own) {
    const other = others.find((each) => each.round === sample.round && each.mix === sample.mix)
    if (other) found.push(figure(sample.result) / figure(other.result))
  }
  return found
}

function notes(own: readonly Sample[]): string {
  const parts: string[] = []
  const unsaturated = own.filter((sample) => !isSaturated(sample)).length
  if (unsaturated > 0) parts.push(`S ${unsaturated} of ${own.length}`)
  const deferred = spread(own.map((sample) => deferredShare(sample.result))).median
  if (deferred >= 0.005) parts.push(`ksoftirqd ${deferred.toFixed(3)}`)
  const wrong = wrongOf(own)
  if (wrong !== '') parts.push(`INVALID: ${wrong}`)
  return parts.join(', ')
}
