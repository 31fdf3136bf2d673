// Runs over streams against a server of this process, as its tests want them.

import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { percentileMicros } from '../../../src/load/histogram.ts'
import { queryMessage } from '../../../src/load/query-table.ts'
import type { Counts, RunResult, RunSpec, Target, Transport } from '../../../src/load/run.ts'
import { loopbackSpec, loopbackTarget } from '../engine/specs.ts'
import { numberedNames, tableOf } from '../engine/tables.ts'
import { makeCertificate, trust } from './certificate.ts'

/** What servers show, and clients trust. */
export const CERTIFICATE = makeCertificate('dns.example', 'DNS:dns.example')
trust(CERTIFICATE)

export const NAMES = numberedNames(20)
export const TABLE = tableOf(NAMES)
export const PASSES = 5
/** Queries of the runs here, unless they say otherwise. */
export const SENT = PASSES * NAMES.length
/** Of runs that end when all is sent, however long that takes: the machine may have other things to do. */
const LONG_MS = 60_000
/** What is due at the end of other runs may leave so much later, for the same reason. */
const LATE_MS = 2000
const UNTIL_MS = 5000

export function streamTarget(transport: Transport, port: number, more: Partial<Target> = {}): Target {
  const label = `${transport}://127.0.0.1:${port}`
  return { ...loopbackTarget(port), label, transport, serverName: 'dns.example', path: '/dns-query', ...more }
}

/** An open loop over two connections that sends the table PASSES times. */
export function streamSpec(target: Target, more: Partial<RunSpec> = {}): RunSpec {
  const schedule = { kind: 'open', rate: 2000 } as const
  return loopbackSpec(schedule, { target, sockets: 2, passes: PASSES, durationMs: LONG_MS, lateMs: LATE_MS, ...more })
}

const NOTHING_WRONG = { lost: 0, truncated: 0, unexpected: 0, mismatched: 0, malformed: 0, errors: {}, unsent: 0 }

/** Asserts what a run counted; what is not said is 0. */
export function assertCounts(result: RunResult, expected: Partial<Counts>): void {
  const { sent, answered, lost, truncated, unexpected, mismatched, malformed, errors, unsent } = result
  assert.deepEqual(
    { sent, answered, lost, truncated, unexpected, mismatched, malformed, errors: { ...errors }, unsent },
    { sent: SENT, answered: SENT, ...NOTHING_WRONG, ...expected },
  )
  assertAllCounted(result)
}

/** Every query is answered or lost, and has a latency; what is lost has at least the timeout's. */
export function assertAllCounted({ sent, answered, lost, latency, rawLatency, rcodes, spec }: RunResult): void {
  assert.equal(sent, answered + lost)
  assert.equal(latency.totalCount, sent)
  assert.equal(rawLatency.totalCount, sent)
  assert.equal(
    rcodes.reduce((sum, times) => sum + times, 0),
    answered,
  )
  const timeoutMicros = spec.timeoutMs * 1000
  assert.ok(percentileMicros(rawLatency, 100) < timeoutMicros * 1.01, 'nothing takes longer than the timeout')
  if (lost === 0) return
  const percent = 100 - (50 * lost) / sent
  assert.ok(percentileMicros(latency, percent) > timeoutMicros * 0.99, 'a lost query counts with the timeout')
  assert.ok(percentileMicros(rawLatency, percent) > timeoutMicros * 0.99, 'a lost query counts with the timeout')
}

/** Asserts that these are the queries of a run, whatever their order and IDs. */
export function assertQueries(messages: readonly Buffer[]): void {
  const inOrder = (some: readonly Buffer[]): string[] => some.map((message) => message.toString('hex')).sort()
  const wanted = Array.from({ length: SENT }, (_, i) => Buffer.from(queryMessage(TABLE, i % TABLE.count)))
  assert.deepEqual(inOrder(messages.map((message) => withId(message, 0))), inOrder(wanted))
}

/** A copy of a message with another ID. */
export function withId(message: Buffer, id: number): Buffer {
  const changed = Buffer.from(message)
  changed.writeUInt16BE(id)
  return changed
}

/** Waits for something that is about to be. */
export async function until(what: string, isSo: () => boolean): Promise<void> {
  for (const endMs = performance.now() + UNTIL_MS; !isSo(); await sleep(5)) {
    assert.ok(performance.now() < endMs, what)
  }
}

/** What a server does with one query, and what comes of it. */
export type Case<Behaviour> = readonly [what: string, behave: Behaviour, timesEach: Partial<Counts>]

/** The one of some cases that is for a query, by its name: all of them come in each pass. */
export function caseOf<Behaviour>(cases: readonly Case<Behaviour>[], query: Buffer): Case<Behaviour> {
  const number = Number(query.toString('latin1', 14, 13 + query[12]))
  return cases[number % cases.length]
}

/** What a run comes to in which each query is such a case; lost unless it is answered. */
export function countsOf(cases: readonly Case<unknown>[]): Partial<Counts> {
  const sum: Record<string, number> = { answered: 0, lost: 0 }
  const errors: Record<string, number> = {}
  NAMES.forEach((_, i) => {
    const [, , { errors: wrong = {}, ...times }] = cases[i % cases.length]
    for (const [name, count] of Object.entries({ lost: times.answered === undefined ? 1 : 0, ...times })) {
      sum[name] = (sum[name] ?? 0) + PASSES * (count as number)
    }
    for (const [name, count] of Object.entries(wrong)) errors[name] = (errors[name] ?? 0) + PASSES * count
  })
  return { ...sum, errors }
}
