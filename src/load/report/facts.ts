// What there is to say about a run in words: for the summary in the terminal, and for the page. What did not happen is not
// mentioned.

import { rcodeName } from '../../dns/rcodes.ts'
import { type Histogram, percentileMicros } from '../histogram.ts'
import type { Bounds, JudgedRun, Report } from '../outcome.ts'
import {
  cpuPerQueryNs,
  lossOf,
  qpsOf,
  RCODES,
  type RunResult,
  type RunSpec,
  type Schedule,
  type Target,
} from '../run.ts'
import { costText, countText, microsText, NO_NUMBER, octetsText, shareText, spanText } from './number-text.ts'

/** A name, its value, and a few words about it that may be ''. */
export type Fact = readonly [name: string, value: string, note: string]

/** The percentiles that people are shown: head of the column and percent. */
export const PERCENTILES: readonly (readonly [name: string, percent: number])[] = [
  ['p50', 50],
  ['p90', 90],
  ['p99', 99],
  ['p99.9', 99.9],
  ['max', 100],
]

/** How a report ends: `invalid` before all others, since broken bounds of an invalid result say nothing. */
export type Verdict = 'valid' | 'invalid' | 'broken' | 'wrong'

/** The verdict, and its headline. */
export function verdictOf({ outcome, broken, verification, bounds }: Report): { verdict: Verdict; headline: string } {
  if (!outcome.validity.isValid) {
    return { verdict: 'invalid', headline: 'INVALID RESULT: these figures do not measure the server' }
  }
  if (broken.length > 0) return { verdict: 'broken', headline: 'Out of bounds' }
  if (verification !== null && verification.wrong > 0)
    return { verdict: 'wrong', headline: 'Valid, with wrong answers' }
  const isBound = bounds.maxLoss !== null || bounds.maxP99Micros !== null
  return { verdict: 'valid', headline: isBound && outcome.kind !== 'capacity' ? 'Valid, within bounds' : 'Valid' }
}

/** `127.0.0.1:53 over UDP`; the label alone where it has a scheme. */
export function targetText({ label, transport }: Target): string {
  if (label.includes('://')) return label
  return `${label} over ${transport === 'https' ? 'HTTPS' : transport.toUpperCase()}`
}

/** When queries are sent. */
export function scheduleText(schedule: Schedule): string {
  switch (schedule.kind) {
    case 'open':
      return `${countText(schedule.rate)} queries a second (open loop)`
    case 'ramp':
      return `from ${countText(schedule.from)} to ${countText(schedule.to)} queries a second`
    case 'closed':
      return `${countText(schedule.outstanding)} queries under way at any time (closed loop)`
    case 'replay':
      return schedule.speed === 1 ? 'replayed as recorded' : `replayed ${countText(schedule.speed)} times as fast`
  }
}

/** Sockets, warm-up and time limit. */
export function specText(spec: RunSpec): string {
  const { target, sockets, warmupMs, durationMs, timeoutMs, gso, isStamped, sleeps, passes } = spec
  const length =
    passes === 0 ? spanText(durationMs * 1000) : `all queries ${passes === 1 ? 'once' : `${countText(passes)} times`}`
  const word = target.transport === 'udp' ? 'socket' : 'connection'
  const parts = [length, `${countText(sockets)} ${sockets === 1 ? word : `${word}s`}`]
  if (warmupMs > 0) parts.push(`warm-up ${spanText(warmupMs * 1000)}`)
  parts.push(`lost after ${spanText(timeoutMs * 1000)}`)
  if (gso) parts.push('segmentation offload')
  if (isStamped === true) parts.push('timed by the kernel')
  if (sleeps === true) parts.push('workers sleep')
  return parts.join(', ')
}

/** `loss at most 0.1 %, p99 at most 5.00 ms`; '' without. */
export function boundsText({ maxLoss, maxP99Micros }: Bounds): string {
  const parts: string[] = []
  if (maxLoss !== null) parts.push(`loss at most ${shareText(maxLoss)}`)
  if (maxP99Micros !== null) parts.push(`p99 at most ${spanText(maxP99Micros)}`)
  return parts.join(', ')
}

/** Times by PERCENTILES, as text. */
export function percentileTexts(histogram: Histogram): string[] {
  return PERCENTILES.map(([, percent]) =>
    microsText(histogram.totalCount === 0 ? NaN : percentileMicros(histogram, percent)),
  )
}

/** What came of the queries. */
export function countFacts(result: RunResult): Fact[] {
  const facts: Fact[] = [
    ['Answered', `${countText(qpsOf(result))} a second`, `${countText(result.answered)} of ${countText(result.sent)}`],
    ['Lost', countText(result.lost), result.lost === 0 ? '' : shareText(lossOf(result))],
  ]
  const cpu = cpuPerQueryNs(result)
  if (Number.isFinite(cpu)) facts.push(['CPU of the server', `${costText(cpu / 1000)} a query`, ''])
  const counts: [name: string, count: number, note: string][] = [
    ['Truncated', result.truncated, 'answers with TC set'],
    ['Unexpected', result.unexpected, 'answers too late, twice, or with another ID'],
    ['Mismatched', result.mismatched, 'answers to another question; they count as none'],
    ['Malformed', result.malformed, 'messages that are no DNS response'],
    ['Connections', result.connections, 'opened'],
  ]
  for (const [name, count, note] of counts) if (count > 0) facts.push([name, countText(count), note])
  for (const [name, times] of Object.entries(result.errors)) facts.push(['Error', countText(times), name])
  facts.push(['Octets', octetsText(result.octetsSent), `sent; ${octetsText(result.octetsReceived)} received`])
  return facts
}

/** A run in a table: answered a second, lost, p50, p99 and CPU a query. */
export function runCells({ result }: JudgedRun): string[] {
  const { latency, serverCpuNs, answered } = result
  return [
    countText(qpsOf(result)),
    shareText(lossOf(result)),
    microsText(percentileMicros(latency, 50)),
    microsText(percentileMicros(latency, 99)),
    serverCpuNs === null ? NO_NUMBER : costText(serverCpuNs / answered / 1000),
  ]
}

/** Answers of several runs. */
export function sumOfAnswers(runs: readonly JudgedRun[]): Pick<RunResult, 'rcodes' | 'answered'> {
  const answered = runs.reduce((sum, { result }) => sum + result.answered, 0)
  const rcodes = Array.from({ length: RCODES }, (_, rcode) =>
    runs.reduce((sum, { result }) => sum + result.rcodes[rcode], 0),
  )
  return { rcodes, answered }
}

/** Answers by RCODE: name, number and share of them, the most frequent first. */
export function rcodeShares({
  rcodes,
  answered,
}: Pick<RunResult, 'rcodes' | 'answered'>): { name: string; answers: number; share: number }[] {
  return [...rcodes.entries()]
    .filter(([, answers]) => answers > 0)
    .map(([rcode, answers]) => ({ name: rcodeName(rcode), answers, share: answers / answered }))
    .sort((a, b) => b.answers - a.answers)
}

/** The generator's own part. */
export function generatorFacts(result: RunResult): Fact[] {
  const { own, late, unsent, sent, lateness } = result
  const shares = (values: readonly number[]): string => values.map((value) => shareText(value)).join(', ')
  const facts: Fact[] = []
  if (late > 0)
    facts.push([
      'Sent late',
      countText(late),
      `${shareText(late / sent)}, by more than ${spanText(result.spec.lateMs * 1000)}`,
    ])
  if (unsent > 0) facts.push(['Never sent', countText(unsent), 'the generator was behind'])
  if (lateness.totalCount > 0) {
    facts.push([
      'Sent behind time',
      `p99 ${microsText(percentileMicros(lateness, 99))}`,
      `at most ${microsText(percentileMicros(lateness, 100))}`,
    ])
  }
  if (own.cpuShares.length > 0)
    facts.push(['Workers', `CPU ${shares(own.cpuShares)}`, `idle ${shares(own.idleShares)}`])
  if (own.receiveDrops > 0)
    facts.push(['Dropped', countText(own.receiveDrops), 'answers, at the sockets of the generator'])
  for (const [name, count] of Object.entries(own.udpErrors))
    if (count > 0) facts.push([name, countText(count), 'all processes of this network'])
  if (own.receiveBatch > 0)
    facts.push(['Receive batch', countText(own.receiveBatch), 'answers taken by a call, on average'])
  return facts
}
