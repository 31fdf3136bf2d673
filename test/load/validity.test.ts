// When a run says nothing about the server, and what is said about it: a line a case. Limits are tried on both sides.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Own, RunResult, RunSpec, Schedule } from '../../src/load/run.ts'
import { isServerSaturated, judge } from '../../src/load/validity.ts'
import { histogramOf, OWN, RESULT, SPEC, TARGET } from './run-result.ts'

type Change = Partial<Omit<RunResult, 'spec' | 'own'>> & { spec?: Partial<RunSpec>; own?: Partial<Own> }

function changed({ spec, own, ...counts }: Change): RunResult {
  return { ...RESULT, ...counts, spec: { ...SPEC, ...spec }, own: { ...OWN, ...own } }
}

const closed: Partial<RunSpec> = { schedule: { kind: 'closed', outstanding: 256 } }
const tcp: Partial<RunSpec> = { target: { ...TARGET, transport: 'tcp' } }
const FULL = 10e9 // one core for 10 s

function rcodes(rcode: number, times: number): number[] {
  return RESULT.rcodes.map((count, at) => (at === rcode ? times : count))
}

test('what makes a run invalid, what is remarked, what is neither', () => {
  const cases: [what: string, change: Change, verdict: 'valid' | 'remark' | 'invalid', sentence?: RegExp][] = [
    ['a run as it should be', {}, 'valid'],
    ['losses are the server’s', { answered: 0, lost: 100_000, rcodes: rcodes(0, 0) }, 'valid'],

    ['0.1 % late', { late: 100 }, 'valid'],
    [
      'a little more',
      { late: 101 },
      'remark',
      /^the generator was behind at times: 0\.101 % of the queries were sent more than 1 ms late/,
    ],
    ['1 % late', { late: 1000 }, 'remark'],
    [
      'a little more',
      { late: 1010, lateness: histogramOf(2.5e6, 1) },
      'invalid',
      /: 1\.01 % .* \(p99 2\.5 ms\); use more workers/,
    ],

    ['one unsent', { unsent: 1 }, 'remark', /: 1 \(0\.001 %\) were due and never sent$/],
    ['0.1 % unsent', { sent: 99_900, unsent: 100 }, 'remark'],
    ['0.11 % unsent', { unsent: 111 }, 'invalid', /: 111 \(0\.111 %\) were due and never sent; use more/],

    ['99.5 % of the rate', { sent: 99_500 }, 'valid'],
    ['and a query less', { sent: 99_499 }, 'valid'],
    ['and two', { sent: 99_498 }, 'invalid', /: 9950 a second were sent, not 10000 \(99\.49 %\); use/],
    ['half of the time, half of the queries', { sent: 50_000, seconds: 5 }, 'valid'],
    ['half of the queries', { sent: 50_000 }, 'invalid', /\(50 %\)/],
    ['much late', { late: 50_000, lateness: histogramOf(123e6, 1) }, 'invalid', /: 50 % .* \(p99 120 ms\);/],
    [
      'all of it, and others had the cores',
      { late: 50_000, unsent: 20_000, sent: 80_000, own: { cpuShares: [0.4] } },
      'invalid',
      /: 62\.5 % .*, 20000 \(20 %\) were .*, 8000 a second .* \(80 %\); other programs ran .* fewer workers/,
    ],
    ['any rate of a closed loop', { spec: closed, sent: 5000 }, 'valid'],
    ['a replay', { spec: { schedule: { kind: 'replay', speed: 1 } }, sent: 5000 }, 'valid'],

    ['0.95 of a core', { own: { cpuShares: [1, 0.95] } }, 'valid'],
    ['less, in an open loop', { own: { cpuShares: [1, 0.94] } }, 'remark', /^a worker had only 94 % of a core/],
    ['less, in a closed loop', { spec: closed, own: { cpuShares: [1, 0.94] } }, 'invalid', /94 %.*fewer workers/],
    ['the server was full', { spec: closed, own: { cpuShares: [0.9] }, serverCpuNs: FULL }, 'remark', /90 %/],
    ['streams sleep', { spec: { ...closed, ...tcp }, own: { cpuShares: [0.2] } }, 'valid'],
    ['so do others that are told to', { spec: { ...closed, sleeps: true }, own: { cpuShares: [0.2] } }, 'valid'],
    ['and those of the portable way', { spec: { ...closed, isPortable: true }, own: { cpuShares: [0.2] } }, 'valid'],
    ['no shares known', { spec: closed, own: { cpuShares: [], idleShares: [] } }, 'valid'],

    ['3 % idle', { spec: closed, own: { idleShares: [0.5, 0.03] } }, 'valid'],
    ['less, in a closed loop', { spec: closed, own: { idleShares: [0.5, 0.02] } }, 'invalid', /2 % of the time.*--pid/],
    ['of streams too', { spec: { ...closed, ...tcp }, own: { idleShares: [0.02] } }, 'invalid'],
    ['the server was full', { spec: closed, own: { idleShares: [0.02] }, serverCpuNs: FULL }, 'valid'],
    ['it was not', { spec: closed, own: { idleShares: [0.02] }, serverCpuNs: FULL / 2 }, 'invalid', /[^)]$/],
    ['less, in an open loop', { own: { idleShares: [0.02] } }, 'remark', /close to its own limit/],

    ['9 of 99,999 answers dropped', { own: { receiveDrops: 9 } }, 'remark', /^9 answers \(0\.009 %\)/],
    ['11 of them', { own: { receiveDrops: 11 } }, 'invalid', /^11 answers \(0\.011 %\).*net\.core\.rmem_max/],
    ['drops that are ours', { own: { receiveDrops: 9, udpErrors: { 'Udp.RcvbufErrors': 9 } } }, 'remark', /^9 answers/],
    [
      'drops of the server, over both protocols',
      { own: { udpErrors: { 'Udp.RcvbufErrors': 900, 'Udp6.RcvbufErrors': 1 } } },
      'remark',
      /^901 datagrams were dropped/,
    ],
    ['other counters', { own: { udpErrors: { 'Udp.InErrors': 900, 'Tcp.MemErrors': 900 } } }, 'valid'],
    ['10 not sent', { own: { udpErrors: { 'Udp.SndbufErrors': 10 } } }, 'remark', /10 times \(SndbufErrors\)$/],
    [
      '11 not sent',
      { own: { udpErrors: { 'Udp.SndbufErrors': 11 } } },
      'invalid',
      /11 times \(SndbufErrors\): no loss/,
    ],
    ['11 without memory', { own: { udpErrors: { Udp6MemErrors: 11 } } }, 'invalid', /udp_mem.* 11 times/],

    ['nobody listens', { errors: { ECONNREFUSED: 5000 } }, 'remark', /^sockets failed with ECONNREFUSED 5000 times$/],
    ['an error that none was', { errors: { EMFILE: 0 } }, 'valid'],
    ['one socket too few', { errors: { EMFILE: 1 } }, 'invalid', /EMFILE 1 times.*ulimit -n/],
    ['10 queries not sent', { errors: { ENOBUFS: 10 } }, 'remark', /ENOBUFS/],
    ['11 queries not sent', { errors: { ENOBUFS: 11 } }, 'invalid', /ENOBUFS 11 times.*wmem_max/],
    ['a name of every object', { errors: { constructor: 3 } }, 'remark', /^sockets failed with constructor 3 times$/],

    ['0.1 % SERVFAIL', { rcodes: rcodes(2, 99) }, 'valid'],
    ['more', { rcodes: rcodes(2, 1000) }, 'remark', /^1 % of the answers are SERVFAIL$/],
    ['REFUSED', { rcodes: rcodes(5, 99_990) }, 'remark', /^100 % of the answers are REFUSED$/],
    ['NXDOMAIN', { rcodes: rcodes(3, 99_990) }, 'valid'],

    ['few queries', { sent: 999, spec: closed }, 'remark', /^999 queries are too few.*slowest 10 of them$/],
    ['not few', { sent: 1000, spec: closed }, 'valid'],
    ['ended early', { interrupted: true, seconds: 5, sent: 50_000 }, 'remark', /after 5\.0 s of 10\.0 s$/],
    ['nothing at all', { sent: 0, answered: 0, lost: 0 }, 'invalid', /^not one query was sent$/],
  ]
  for (const [what, change, verdict, sentence] of cases) {
    const { isValid, reasons, remarks } = judge(changed(change))
    const found = isValid ? (remarks.length > 0 ? 'remark' : 'valid') : 'invalid'
    assert.equal(found, verdict, `${what}: ${[...reasons, ...remarks].join('; ')}`)
    assert.equal(isValid, reasons.length === 0, what)
    if (sentence !== undefined) assert.match((isValid ? remarks : reasons)[0], sentence, what)
  }
})

test('a ramp has as many queries as its rates add up to', () => {
  const schedule: Schedule = { kind: 'ramp', from: 1000, to: 3000 }
  const cases: [seconds: number, sent: number, isValid: boolean][] = [
    [10, 20_000, true],
    [10, 19_800, false],
    [5, 7500, true], // 1000 to 2000, ended half way
    [5, 7400, false],
  ]
  for (const [seconds, sent, isValid] of cases) {
    assert.equal(judge(changed({ spec: { schedule }, seconds, sent })).isValid, isValid, `${sent} in ${seconds} s`)
  }
})

test('a server is full at a whole number of cores', () => {
  const cases: [cores: number | null, isFull: boolean][] = [
    [null, false],
    [0, false],
    [0.5, false],
    [0.96, false],
    [0.98, true],
    [1.01, true],
    [1.2, false],
    [1.5, false],
    [2.96, true],
  ]
  for (const [cores, isFull] of cases) {
    const result = changed({ serverCpuNs: cores === null ? null : cores * 10e9 })
    assert.equal(isServerSaturated(result), isFull, `${cores} cores`)
  }
})

test('several reasons are all said, those of the machine beside those of the generator', () => {
  const result = changed({
    late: 5000,
    unsent: 5000,
    own: { receiveDrops: 500, cpuShares: [0.5] },
    errors: { EPERM: 9999 },
  })
  const { reasons, remarks } = judge(result)
  assert.equal(reasons.length, 3)
  assert.equal(remarks.length, 1)
  const { remarks: once } = judge(changed({ own: { receiveDrops: 9, udpErrors: { 'Udp.RcvbufErrors': 9 } } }))
  assert.equal(once.length, 1, 'what was dropped at our own sockets is not said again')
})
