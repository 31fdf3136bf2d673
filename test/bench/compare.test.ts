// What counts as a change between two goes of a benchmark, and what is said about it.

import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { compareResults, type Threshold, type Verdict } from '../../bench/compare/changes.ts'
import { comparisonLines } from '../../bench/compare/report.ts'
import { type Figure, type Results, ResultsError, writeResults } from '../../bench/results.ts'

const THRESHOLD: Threshold = { alpha: 0.01, least: 0.02 }
const folder = mkdtempSync(join(tmpdir(), 'peregrine-compare-'))
after(() => rmSync(folder, { recursive: true, force: true }))

function results(figures: readonly Figure[], change: Partial<Results> = {}): Results {
  const machine = { cpu: 'a processor', cores: 2, load1: 0.5 }
  return { bench: 'serve', date: '2026-03-04T05:06:07.000Z', commit: '0123456789ab', machine, figures, ...change }
}

function figure(values: readonly number[], better: Figure['better'] = 'lower', name = 'CPU', unit = 'µs'): Figure {
  return { name, unit, better, values }
}

test('better, worse, the same, too few to tell', () => {
  const five = [1, 1.01, 0.99, 1.02, 0.98]
  const times = (factor: number) => five.map((value) => value * factor)
  const never = five.map(() => Number.POSITIVE_INFINITY)
  const cases: [what: string, before: number[], after: number[], better: Figure['better'], verdict: Verdict][] = [
    ['less of a cost', five, times(0.9), 'lower', 'better'],
    ['more of a cost', five, times(1.1), 'lower', 'worse'],
    ['more of a rate', five, times(1.1), 'higher', 'better'],
    ['less of a rate', five, times(0.9), 'higher', 'worse'],
    ['not so clear', five, times(1.03), 'lower', 'same'],
    ['nothing', five, five, 'lower', 'same'],
    ['clear, but small', [1, 1.001, 1.002, 1.003, 1.004], [1.015, 1.016, 1.017, 1.018, 1.019], 'lower', 'same'],
    ['four rounds and five', five.slice(1), times(2), 'lower', 'too few'],
    ['one round', [1], [100], 'lower', 'too few'],
    ['nothing lost, then some', [0, 0, 0, 0, 0], [5, 6, 5, 7, 5], 'lower', 'worse'],
    ['nothing lost, ever', [0, 0, 0, 0, 0], [0, 0, 0, 0, 0], 'lower', 'same'],
    ['it never comes', five, never, 'lower', 'worse'],
    ['it never came', never, five, 'lower', 'better'],
    ['it never does', never, never, 'lower', 'same'],
  ]
  for (const [what, before, after, better, verdict] of cases) {
    const compared = compareResults(results([figure(before, better)]), results([figure(after, better)]), THRESHOLD)
    assert.equal(compared.differences[0].verdict, verdict, what)
  }
})

test('what has the same median is neither better nor worse', () => {
  const some = [0, 0, 0, 0, 0, 5, 6, 7, 8]
  const { differences } = compareResults(results([figure(some.map(() => 0))]), results([figure(some)]), {
    ...THRESHOLD,
    alpha: 0.2,
  })
  assert.deepEqual([differences[0].isSignificant, differences[0].verdict], [true, 'same'])
})

test('what is in one only is named, and so is what the machines differ in', () => {
  const before = results([figure([1], 'lower', 'a'), figure([1], 'lower', 'b')])
  const after = results([figure([1], 'lower', 'b'), figure([1], 'lower', 'c')], {
    machine: { cpu: 'a processor', cores: 4, load1: 3, governor: 'powersave' },
  })
  const compared = compareResults(before, after, THRESHOLD)
  assert.deepEqual(compared.onlyBefore, ['a'])
  assert.deepEqual(compared.onlyAfter, ['c'])
  assert.deepEqual(compared.machine, ['cores: 2 and 4', 'governor: not known and powersave'])
  const lines = comparisonLines([before, after], compared, THRESHOLD, false)
  assert.equal(lines.filter((line) => line.startsWith('WARNING: not the same machine')).length, 2)
  const same = compareResults(before, results([], { machine: { ...before.machine, load1: 9 } }), THRESHOLD)
  assert.deepEqual(same.machine, [])
})

test('what is not the same thing is not compared', () => {
  const one = results([figure([1])])
  const others = [
    results([figure([1])], { bench: 'watch' }),
    results([figure([1], 'higher')]),
    results([figure([1], 'lower', 'CPU', 'ms')]),
  ]
  for (const other of others) assert.throws(() => compareResults(one, other, THRESHOLD), ResultsError)
})

interface Ended {
  readonly code: number
  readonly out: string
  readonly error: string
}

function compare(...words: string[]): Promise<Ended> {
  const program = join(import.meta.dirname, '../../bench/compare.ts')
  return new Promise((resolve) => {
    execFile(process.execPath, [program, ...words], (error, out, text) => {
      resolve({ code: error === null ? 0 : Number(error.code), out, error: text })
    })
  })
}

test('the command: both directions, medians, ratios, intervals', async () => {
  const [before, after] = ['before.json', 'after.json'].map((name) => join(folder, name))
  const spread = [1, 1.01, 0.99, 1.02, 0.98]
  const figures = (rate: number, cpu: number, name: string) => [
    figure(
      spread.map((value) => value * rate),
      'higher',
      'the rate',
      'queries/s',
    ),
    figure(
      spread.map((value) => value * cpu),
      'lower',
      'the cost',
    ),
    figure(spread, 'lower', 'the rest'),
    figure([5], 'lower', 'a single one'),
    figure(spread, 'lower', name),
  ]
  writeResults(before, results(figures(100_000, 2, 'gone')))
  writeResults(after, results(figures(150_000, 3, 'new')))
  const { code, out, error } = await compare(before, after)
  assert.deepEqual([code, error], [0, ''])
  assert.match(out, /^Better\n.*\n {2}the rate +100000 +150000 +queries\/s +1\.500 +1\.4\d\d\.\.1\.5\d\d +5 \+ 5$/m)
  assert.match(out, /^Worse\n.*\n {2}the cost +2\.000 +3\.000 +µs +1\.500 /m)
  assert.match(out, /^Too few rounds to tell at 99 %\n.*\n {2}a single one +5\.000 +5\.000 +µs +1\.000 +- +1 \+ 1$/m)
  assert.match(out, /^Only before\n {2}gone\n\nOnly after\n {2}new\n/m)
  assert.match(out, /^4 figures: 1 better, 1 worse, 1 the same .*, 1 with too few rounds\.$/m)
  assert.doesNotMatch(out, /WARNING|the rest/)
  const all = await compare('--all', '--alpha', '0.001', before, after)
  assert.match(all.out, /^ {2}the rest /m)
  assert.doesNotMatch(all.out, /^Better/m)
  const large = await compare('--least', '0.4', before, after)
  assert.doesNotMatch(large.out, /^Better/m)
})

test('bad input: one line, exit code 2', async () => {
  const [one, other, wrong] = ['one.json', 'other.json', 'wrong.json'].map((name) => join(folder, name))
  writeResults(one, results([figure([1])]))
  writeResults(other, results([figure([1])], { bench: 'watch' }))
  writeFileSync(wrong, 'not JSON\nat all')
  const cases: [words: string[], message: RegExp][] = [
    [[], /two files are compared, not 0/],
    [[one], /two files are compared, not 1/],
    [[one, join(folder, 'nowhere.json')], /nowhere\.json: there is no such file/],
    [[wrong, one], /wrong\.json: cannot be read/],
    [[one, other], /one is of bench:serve, the other of bench:watch/],
    [['--alpha', '0', one, one], /--alpha: '0' is not between 0 and 1/],
    [['--least', 'x', one, one], /--least: 'x' is not/],
    [['--nothing', one, one], /--nothing/],
  ]
  const ended = await Promise.all(cases.map(([words]) => compare(...words)))
  for (const [at, { code, out, error }] of ended.entries()) {
    assert.deepEqual([code, out], [2, ''], String(cases[at][0]))
    assert.match(error, cases[at][1])
    assert.match(error, /^bench:compare: [^\n]+\n$/)
  }
})
