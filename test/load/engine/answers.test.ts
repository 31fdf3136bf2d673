// Whole runs against servers that do what a server may do, and what it must not: every query and every message is counted
// once, under the right name. One session makes all of these runs.

import assert from 'node:assert/strict'
import { networkInterfaces } from 'node:os'
import { after, before, test } from 'node:test'
import { SUPPORTED } from '../../../src/io/layouts.ts'
import { percentileMicros } from '../../../src/load/histogram.ts'
import type { QueryTable } from '../../../src/load/query-table.ts'
import type { Counts, RunResult, RunSpec } from '../../../src/load/run.ts'
import { LoadSession } from '../../../src/load/session.ts'
import { type Behaviour, type ServerRecord, WRONG } from './server-thread.ts'
import { loopbackSpec, loopbackTarget, PATIENT_MS } from './specs.ts'
import { tableOf } from './tables.ts'
import { withServer } from './udp-server.ts'

const skip = SUPPORTED ? false : 'not a platform of the batched transport'
/** All of them are sent, however long it takes: the machine may have other things to do. */
const PASSES = 20
const RATE = 2000
const LONG_MS = 60_000
/** Names of several lengths, so that words of a message end anywhere; RCODEs by their first letter. */
const NAMES = [
  'Web.shop.test',
  'db.TEST',
  'x1.test',
  'x22.test',
  'a.very.long.Name.of.many.labels.test',
  's1.test',
  'r1.test',
]
const SENT = PASSES * NAMES.length
const TIMEOUT_MS = 800

let table: QueryTable
let session: LoadSession
before(async () => {
  if (skip) return
  table = tableOf(NAMES)
  session = await LoadSession.start(table, { workers: 1, cores: [] })
})
after(() => session?.close())

interface Done {
  readonly result: RunResult
  readonly record: ServerRecord
}

function runAgainst(behaviour: Behaviour, more: Partial<RunSpec> = {}, address = '127.0.0.1'): Promise<Done> {
  return withServer(
    behaviour,
    async ({ port, record }) => {
      const spec = loopbackSpec({ kind: 'open', rate: RATE }, { passes: PASSES, durationMs: LONG_MS })
      const result = await session.run({ ...spec, target: loopbackTarget(port, address), ...more })
      return { result, record: await record() }
    },
    address,
  )
}

/** Octets of the first so many queries. */
function octetsOf(count: number): number {
  let octets = 0
  for (let i = 0; i < count; i++) octets += table.lengths[i % table.count]
  return octets
}

const ALL_WELL = {
  sent: SENT,
  answered: SENT,
  lost: 0,
  truncated: 0,
  unexpected: 0,
  mismatched: 0,
  malformed: 0,
  errors: {},
}

/** What is in a result whatever the machine does meanwhile. */
function counts({ sent, answered, lost, truncated, unexpected, mismatched, malformed, errors }: Counts): object {
  return { sent, answered, lost, truncated, unexpected, mismatched, malformed, errors }
}

const CASE_NOT_KEPT = 'letter case of the question not kept'
/** Each of WRONG so often. */
const EACH = SENT / WRONG.length
const cases: [behaviour: Behaviour, expected: Partial<Counts>][] = [
  ['plain', {}],
  ['drop every 10th', { answered: SENT - EACH, lost: EACH }],
  // ID; name, type, a part of the question, NOERROR without it; too short, nothing at all, QR not set; one is right.
  ['wrong in turn', { answered: EACH, lost: 9 * EACH, unexpected: EACH, mismatched: 4 * EACH, malformed: 3 * EACH }],
  ['other name, then right', { mismatched: SENT }], // an off-path guess does not take the place of the answer
  ['FORMERR without question', {}], // who cannot read a question may leave it out
  ['lower case', { errors: { [CASE_NOT_KEPT]: 3 * PASSES } }], // an answer all the same: 3 names have capitals
  ['TC', { truncated: SENT }],
  ['long', {}],
]

for (const gso of [false, true]) {
  for (const [behaviour, expected] of cases) {
    if (gso && behaviour === 'drop every 10th') continue
    test(`${behaviour}${gso ? ', with segments' : ''}`, { skip }, async () => {
      const timeoutMs = expected.lost === undefined ? PATIENT_MS : TIMEOUT_MS
      const { result, record } = await runAgainst(behaviour, { gso, timeoutMs })
      assert.equal(record.queries, SENT)
      assert.deepEqual(counts(result), { ...ALL_WELL, ...expected })
      assert.equal(result.octetsSent, octetsOf(SENT))
      assert.equal(
        result.rcodes.reduce((sum, count) => sum + count),
        result.answered,
      )
      assert.equal(result.latency.totalCount, SENT)
      assert.equal(result.rawLatency.totalCount, SENT)
      assert.equal(result.lateness.totalCount, SENT)
      assert.ok(result.seconds > (SENT - 2) / RATE, `${result.seconds} s`)
      assert.deepEqual([result.unsent, result.unsampled, result.interrupted], [0, 0, false])
    })
  }
}

test('RCODEs are those that were sent', { skip }, async () => {
  const { result } = await runAgainst('plain')
  const expected = new Array(16).fill(0)
  expected[0] = 3 * PASSES
  expected[2] = PASSES
  expected[3] = 2 * PASSES
  expected[5] = PASSES
  assert.deepEqual(result.rcodes, expected)
  assert.equal(result.octetsReceived, octetsOf(SENT))
})

test('who answers without a question has an RCODE too', { skip }, async () => {
  const { result } = await runAgainst('FORMERR without question')
  assert.equal(result.rcodes[1], SENT)
  assert.equal(result.octetsReceived, 12 * SENT)
})

test('a second answer answers nothing', { skip }, async () => {
  const { result, record } = await runAgainst('twice')
  assert.deepEqual([result.answered, result.lost, record.answers], [SENT, 0, 2 * SENT])
  // Nobody waits for what comes behind the last one.
  assert.ok(result.unexpected >= SENT - 10 && result.unexpected <= SENT, `${result.unexpected} unexpected`)
})

test('what is lost has the timeout as its latency, and from the intended time on what it was late too', {
  skip,
}, async () => {
  const { result } = await runAgainst('silent', { timeoutMs: 50 })
  assert.equal(result.lost, SENT)
  assert.ok(Math.abs(percentileMicros(result.rawLatency, 0) - 50_000) < 500)
  assert.ok(Math.abs(percentileMicros(result.rawLatency, 100) - 50_000) < 500)
  assert.ok(percentileMicros(result.latency, 0) > 49_500)
})

test('answers over IPv6 are counted alike', { skip: skip || withoutIpv6() }, async () => {
  const { result, record } = await runAgainst('plain', {}, '::1')
  assert.deepEqual([record.queries, result.sent, result.answered, result.lost], [SENT, SENT, SENT, 0])
})

function withoutIpv6(): string | false {
  const addresses = Object.values(networkInterfaces()).flatMap((each) => each ?? [])
  return addresses.some(({ address }) => address === '::1') ? false : 'no ::1'
}

test('where nobody listens the refusals are counted, and the queries are lost', { skip }, async () => {
  const port = await withServer('plain', async ({ port }) => port)
  const more = { target: loopbackTarget(port), timeoutMs: 5, passes: PASSES, durationMs: LONG_MS }
  for (const schedule of [{ kind: 'open', rate: RATE } as const, { kind: 'closed', outstanding: 5 } as const]) {
    const { sent, answered, lost, errors } = await session.run({ ...loopbackSpec(schedule), ...more })
    assert.deepEqual([sent, answered, lost], [SENT, 0, SENT])
    assert.deepEqual(Object.keys(errors), ['ECONNREFUSED'])
    assert.ok(errors.ECONNREFUSED > 0)
  }
})

test('a warm-up is sent and not counted', { skip }, async () => {
  const WARMING = 40
  const seconds: [number, number][] = []
  await withServer('plain', async ({ port, record }) => {
    const more = {
      target: loopbackTarget(port),
      warmupMs: (WARMING / RATE) * 1000,
      passes: PASSES,
      durationMs: LONG_MS,
    }
    const result = await session.run(
      { ...loopbackSpec({ kind: 'open', rate: RATE }), ...more },
      { second: ({ index, sent }) => seconds.push([index, sent]) },
    )
    assert.equal((await record()).queries, SENT)
    const counted = SENT - WARMING
    assert.deepEqual([result.sent, result.answered, result.latency.totalCount], [counted, counted, counted])
    assert.equal(result.octetsSent, octetsOf(SENT) - octetsOf(WARMING))
    const [warmup, ...counting] = seconds
    assert.equal(warmup[0], -1)
    assert.ok(warmup[1] <= WARMING)
    assert.equal(
      counting.reduce((sum, [, sent]) => sum + sent, 0),
      counted,
    )
    assert.deepEqual(
      result.series.map(({ index }) => index),
      counting.map(([index]) => index),
    )
  })
})
