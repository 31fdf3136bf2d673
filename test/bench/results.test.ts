// Results of benchmarks: written, kept by date, read again; what is no results is told from them.

import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { withRecord } from '../../bench/arguments.ts'
import { readOptions as readForward } from '../../bench/forward/options.ts'
import {
  type Figure,
  makeResults,
  type Results,
  ResultsError,
  readResults,
  recordResults,
  writeResults,
} from '../../bench/results.ts'
import { readOptions as readServe } from '../../bench/serve/options.ts'
import { readOptions as readWatch } from '../../bench/watch/options.ts'

const folder = mkdtempSync(join(tmpdir(), 'peregrine-results-'))
after(() => rmSync(folder, { recursive: true, force: true }))

const RATE: Figure = { name: 'rate', unit: 'queries/s', better: 'higher', values: [3, 1.5, 2] }
const SERVED: Figure = { name: 'served after', unit: 's', better: 'lower', values: [1, Number.POSITIVE_INFINITY] }
const RESULTS: Results = {
  bench: 'serve',
  date: '2026-03-04T05:06:07.000Z',
  commit: '0123456789ab',
  machine: { cpu: 'a processor', cores: 2 },
  figures: [RATE, SERVED],
}

test('what is written is read, whatever else is in the file', () => {
  const path = join(folder, 'written.json')
  writeResults(path, RESULTS, { samples: [1, 2], figures: 'not these' })
  assert.deepEqual(readResults(path), RESULTS)
  assert.deepEqual(JSON.parse(readFileSync(path, 'utf8')).samples, [1, 2])
})

test('values that are no numbers are left out, and figures without any', () => {
  const figures = [
    { ...RATE, values: [1, Number.NaN] },
    { ...SERVED, values: [Number.NaN] },
  ]
  const results = makeResults('serve', figures, import.meta.dirname, { knotd: '3.4' })
  assert.deepEqual(results.figures, [{ ...RATE, values: [1] }])
  assert.equal(results.machine.knotd, '3.4')
  assert.equal(results.machine.node, process.version)
  assert.match(results.date, /^\d{4}-\d\d-\d\dT/)
  assert.match(results.commit, /^([0-9a-f]{12}(-dirty)?)?$/)
  assert.equal(makeResults('serve', figures, folder).commit, '', 'no checkout')
})

test('results of a day do not overwrite each other', () => {
  const kept = join(folder, 'kept')
  for (let i = 0; i < 3; i++) assert.deepEqual(readResults(recordResults(RESULTS, kept)), RESULTS)
  recordResults({ ...RESULTS, bench: 'watch' }, kept)
  assert.deepEqual(readdirSync(kept).sort(), [
    '2026-03-04-serve-2.json',
    '2026-03-04-serve-3.json',
    '2026-03-04-serve.json',
    '2026-03-04-watch.json',
  ])
})

test('what is no results is said in one line that names the file', () => {
  const figure = (change: object) => JSON.stringify({ ...RESULTS, figures: [{ ...RATE, ...change }] })
  const cases: [text: string | null, message: RegExp][] = [
    [null, /: there is no such file$/],
    ['{', /: cannot be read: /],
    ['[]', /: not an object$/],
    ['null', /: not an object$/],
    [JSON.stringify({ ...RESULTS, bench: undefined }), /: 'bench' is no text$/],
    [JSON.stringify({ ...RESULTS, date: 5 }), /: 'date' is no text$/],
    [JSON.stringify({ ...RESULTS, machine: [] }), /: 'machine' is no object$/],
    [JSON.stringify({ ...RESULTS, figures: {} }), /: 'figures' is no list$/],
    [JSON.stringify({ ...RESULTS, figures: [RATE, 5] }), /: figures\[1\] is no figure$/],
    [JSON.stringify({ ...RESULTS, figures: [RATE, RATE] }), /: 'rate' is there twice$/],
    [figure({ name: 5 }), /: figures\[0\] is no figure$/],
    [figure({ unit: null }), /: figures\[0\] is no figure$/],
    [figure({ better: 'more' }), /: figures\[0\] is no figure$/],
    [figure({ values: [] }), /: figures\[0\] is no figure$/],
    [figure({ values: [1, null] }), /: figures\[0\] is no figure$/],
    [figure({ values: '12' }), /: figures\[0\] is no figure$/],
  ]
  for (const [text, message] of cases) {
    const path = join(folder, text === null ? 'nowhere.json' : 'wrong.json')
    if (text !== null) writeFileSync(path, text)
    assert.throws(
      () => readResults(path),
      (error) => {
        assert.ok(error instanceof ResultsError)
        assert.ok(error.message.startsWith(`${path}: `) && !error.message.includes('\n'))
        assert.match(error.message, message)
        return true
      },
    )
  }
})

test('--json without a file is --record', () => {
  const cases: [argv: string[], expected: string[]][] = [
    [
      ['--json', 'a.json'],
      ['--json', 'a.json'],
    ],
    [['--json'], ['--record']],
    [
      ['--json', '--quick'],
      ['--record', '--quick'],
    ],
    [
      ['--json=a.json', '--quick'],
      ['--json=a.json', '--quick'],
    ],
  ]
  for (const [argv, expected] of cases) assert.deepEqual(withRecord(argv), expected)
  for (const read of [readServe, readForward, readWatch]) {
    const asked = (argv: string[]) => [read(argv)?.jsonPath, read(argv)?.isRecorded]
    assert.deepEqual(asked([]), ['', false])
    assert.deepEqual(asked(['--json']), ['', true])
    assert.deepEqual(asked(['--json', 'a.json', '--record']), ['a.json', true])
  }
})
