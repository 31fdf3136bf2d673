// The summary in the terminal: what it says of each kind of report, what it says only when there is something to say, and
// that nobody reads past an invalid result.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createHistogram } from '../../../src/load/histogram.ts'
import type { Report, Validity } from '../../../src/load/outcome.ts'
import { summaryText } from '../../../src/load/report/summary.ts'
import { RCODES, type RunResult } from '../../../src/load/run.ts'
import {
  aReport,
  aRun,
  aSpec,
  aTarget,
  aVerification,
  capacityReport,
  comparisonReport,
  judged,
  STEADY,
  VALID,
} from './results.ts'

const SPEC = aSpec({ durationMs: 2000, warmupMs: 0 })

/** A run with round figures, and whatever else a case wants. */
function figures(more: Partial<RunResult> = {}): RunResult {
  const latency = createHistogram()
  latency.recordValueWithCount(92_000, 1_200_000)
  latency.recordValueWithCount(1_840_000, 34_567)
  const rcodes = new Array<number>(RCODES).fill(0)
  rcodes[0] = 1_234_000
  rcodes[3] = 567
  const lateness = createHistogram()
  lateness.recordValueWithCount(500, 1_234_567)
  return {
    ...aRun({ ...SPEC, durationMs: 1000 }, { ...STEADY, cpuNs: 0 }),
    sent: 1_234_567,
    answered: 1_234_567,
    lost: 0,
    unexpected: 0,
    truncated: 0,
    seconds: 2,
    latency,
    rawLatency: latency,
    lateness,
    rcodes,
    spec: SPEC,
    ...more,
  }
}

function summary(result: Partial<RunResult> = {}, report: Partial<Report> = {}, validity: Validity = VALID): string {
  return summaryText(aReport({ kind: 'run', ...judged(figures(result), validity) }, report))
}

const cases: [what: string, text: string, says: RegExp[], not: RegExp[]][] = [
  [
    'a clean run',
    summary(),
    [
      /^127\.0\.0\.1:5353 over UDP: 50,000 queries a second \(open loop\)$/m,
      /^2 s, 128 sockets, lost after 2 s$/m,
      /^queries: cluster mix .* \(65,536\)$/m,
      /Answered +617,284 a second \(1,234,567 of 1,234,567\)/,
      /Lost +0$/m,
      /RCODEs +NOERROR 1,234,000 \(99\.95 %\), NXDOMAIN 567 \(0\.0459 %\)$/m,
      /corrected +92 µs +92 µs +1\.84 ms +1\.84 ms +1\.84 ms$/m,
      /Sent behind time +p99 0\.50 µs/,
    ],
    [
      /INVALID/,
      /bounds/i,
      /Truncated|Unexpected|Mismatched|Malformed|Connections|Error|CPU of|Note|late$|Never sent|Dropped|WRONG|checked|Interrupted/m,
    ],
  ],
  ['losses', summary({ lost: 1300, answered: 1_233_267 }), [/Lost +1,300 \(0\.105 %\)/], []],
  [
    'what seldom happens',
    summary({ truncated: 3, unexpected: 4, mismatched: 5, malformed: 6, connections: 7, errors: { ECONNREFUSED: 8 } }),
    [
      /Truncated +3 /,
      /Unexpected +4 /,
      /Mismatched +5 /,
      /Malformed +6 /,
      /Connections +7 /,
      /Error +8 \(ECONNREFUSED\)/,
    ],
    [],
  ],
  ['CPU', summary({ serverCpuNs: 1_234_567 * 12_440 }), [/CPU of the server +12\.4 µs a query/], []],
  [
    'the generator',
    summary({
      late: 1235,
      unsent: 17,
      own: {
        cpuShares: [0.99, 0.5],
        idleShares: [0.1, 0],
        receiveDrops: 12,
        udpErrors: { 'Udp.RcvbufErrors': 12, 'Udp.SndbufErrors': 0 },
        receiveBatch: 3.5,
      },
    }),
    [
      /Sent late +1,235 \(0\.1 %, by more than 1 ms\)/,
      /Never sent +17/,
      /Workers +CPU 99 %, 50 % \(idle 10 %, 0 %\)/,
      /Dropped +12/,
      /Udp\.RcvbufErrors +12/,
    ],
    [/SndbufErrors/],
  ],
  ['an end before its time', summary({ interrupted: true, seconds: 1.5 }), [/^Interrupted after 1\.50 s$/m], []],
  [
    'bounds that hold',
    summary({}, { bounds: { maxLoss: 0.001, maxP99Micros: 5000 } }),
    [/^Within bounds: loss at most 0\.1 %, p99 at most 5 ms$/m],
    [/OUT OF/],
  ],
  [
    'bounds that do not',
    summary({}, { bounds: { maxLoss: 0.001, maxP99Micros: null }, broken: ['loss is 0.105 %, above 0.1 %'] }),
    [/^OUT OF BOUNDS: loss is 0\.105 %, above 0\.1 %$/m],
    [/Within/],
  ],
  [
    'remarks',
    summary({}, {}, { ...VALID, remarks: ['The clock was coarse.'] }),
    [/^Note: The clock was coarse\.$/m],
    [/INVALID/],
  ],
  [
    'wrong answers',
    summary({}, { verification: aVerification() }),
    [
      /^Answers checked: 149,212; wrong: 317 \(0\.212 %\)$/m,
      /^ {2}12 differences were gone/m,
      /^ {2}1,204 were outside/m,
      /^ {2}88 came too fast/m,
      /^ {2}WRONG \(310 times\): web\.shop\.svc\.cluster\.local\. A from 127\.0\.0\.1:5353: another address$/m,
      / {4}got\n {6}NOERROR\n {6}web\S+ 5 IN A 10\.96\.12\.7\n {4}expected, by manifests\n {6}NOERROR\n {6}web\S+ 5 IN A 10\.96\.0\.7\n/,
    ],
    [],
  ],
  [
    'other schedules and transports',
    summary({
      spec: aSpec({
        target: aTarget('tls://10.96.0.10', { transport: 'tls' }),
        schedule: { kind: 'closed', outstanding: 512 },
        sockets: 1,
        gso: true,
        sleeps: true,
      }),
    }),
    [
      /^tls:\/\/10\.96\.0\.10: 512 queries under way at any time \(closed loop\)$/m,
      /^30 s, 1 connection, warm-up 2 s, lost after 2 s, segmentation offload, workers sleep$/m,
    ],
    [/over TLS/],
  ],
  [
    'nothing answered',
    summary({
      sent: 0,
      answered: 0,
      rcodes: new Array(RCODES).fill(0),
      latency: createHistogram(),
      rawLatency: createHistogram(),
      serverCpuNs: 0,
    }),
    [/Answered +0 a second \(0 of 0\)/, /corrected +– +– +– +– +–$/m],
    [/NaN|Infinity|RCODEs|CPU of/],
  ],
]

for (const [what, text, says, not] of cases) {
  test(`the summary of a run: ${what}`, () => {
    for (const pattern of says) assert.match(text, pattern)
    for (const pattern of not) assert.doesNotMatch(text, pattern)
    assert.ok(text.endsWith('\n'))
  })
}

test('an invalid result says so first and last, with its reasons, whatever its kind', () => {
  const validity: Validity = { isValid: false, reasons: ['0.4 % were sent late.', 'A core was shared.'], remarks: [] }
  const bounds = { maxLoss: 0.5, maxP99Micros: null }
  for (const report of [aReport({ kind: 'run', ...judged(figures()) }), capacityReport(), comparisonReport()]) {
    const text = summaryText({ ...report, bounds, outcome: { ...report.outcome, validity } })
    const lines = text.trimEnd().split('\n')
    assert.match(lines[0], /^!{40}/)
    assert.match(lines[1], /^!!! INVALID RESULT/)
    assert.deepEqual(lines.slice(2, 4), ['!!!   - 0.4 % were sent late.', '!!!   - A core was shared.'])
    assert.match(lines.at(-1) ?? '', /INVALID RESULT/)
    assert.doesNotMatch(text, /Within bounds/)
  }
})

test('a search: the rate, what confirmed it, every trial', () => {
  const text = summaryText(capacityReport())
  for (const pattern of [
    /^127\.0\.0\.1:5353 over UDP: search for the capacity, 12 trials of 10 s/m,
    /^Capacity: 190,000 queries a second$/m,
    /^ {2}3 of 3 trials at that rate were within bounds \(loss at most 0\.1 %, p99 at most 5 ms\)$/m,
    /^ {2}the lowest rate out of bounds: 200,000$/m,
    /^ {2}1 step +10,000 +10,000 +0 %.* passed$/m,
    /^ {2}8 bisect +200,000 .* failed$/m,
    /^ 12 confirm +190,000 .* passed$/m,
  ]) {
    assert.match(text, pattern)
  }
  const { outcome, ...rest } = capacityReport()
  assert.ok(outcome.kind === 'capacity')
  const spoiled = { ...outcome.trials[5], validity: { isValid: false, reasons: ['It was late.'], remarks: [] } }
  const none = summaryText({
    ...rest,
    outcome: { ...outcome, rate: 0, failedRate: null, trials: outcome.trials.with(5, spoiled) },
  })
  assert.match(none, /^Capacity: none/m)
  assert.match(none, /no rate was out of bounds/)
  assert.match(none, /^ {2}6 step .* INVALID$/m)
  assert.match(none, /^ {2}INVALID trial 6: It was late\.$/m)
  assert.match(summaryText({ ...rest, outcome: { ...outcome, trials: [], rate: 0 } }), /^Capacity: none/m)
})

test('a comparison: aligned, medians and quartiles, ratios to the first', () => {
  const text = summaryText(comparisonReport())
  assert.match(text, /^3 servers in turn, 5 rounds: 50,000 queries a second \(open loop\)$/m)
  const lines = text.split('\n')
  const head = lines.findIndex((line) => /^ +median +quartiles +to A +quartiles$/.test(line))
  const rows = lines.slice(head + 1, lines.indexOf('RCODEs')).filter((line) => line.startsWith('  '))
  assert.equal(rows.length, 5 * 3)
  const [medianEnd, ratioEnd] = [lines[head].indexOf('median') + 6, lines[head].indexOf('to A') + 4]
  for (const row of rows) {
    assert.match(row.slice(0, medianEnd), /^ {2}[ABC] .+ over UDP +[\d.,]+( (µs|ms|s|%))?$/, row)
    const hasRatio = !row.startsWith('  A') && !row.includes('%')
    assert.equal(/^[\d.,]+×$/.test(row.slice(medianEnd, ratioEnd).trim().split(/ {2,}/).at(-1) ?? ''), hasRatio, row)
    assert.match(row, /\S … \S/)
  }
  assert.match(text, /^ {2}B 127\.0\.0\.1:5302 over UDP: NOERROR [\d,]+ \(63 %\), NXDOMAIN [\d,]+ \(37 %\)$/m)
  assert.match(text, /^ {2}INVALID: round 4, 127\.0\.0\.1:5302: 0\.4 % of the queries/m)
})

test('what comes from outside cannot steer the terminal', () => {
  const target = aTarget('\u001b[2Jevil\u009b31m\r\nsecond line')
  const text = summary({ spec: { ...SPEC, target } }, { queries: 'a\u0007b\u202e' })
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for.
  assert.doesNotMatch(text, /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/)
  assert.ok(text.split('\n').every((line) => !line.startsWith('second line')))
  assert.match(text, /evil/)
})
