// Durations: the tables of Go's own test (time_test.go) and what our flags are likely to get.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { DurationError, parseDuration } from '../../src/config/duration.ts'

const NS = 1e-6
const US = 1e-3
const S = 1000
const M = 60 * S
const H = 60 * M

test('durations', () => {
  const cases: [text: string, milliseconds: number][] = [
    ['0', 0],
    ['-0', 0],
    ['+0', 0],
    ['0s', 0],
    ['5s', 5 * S],
    ['30s', 30 * S],
    ['1478s', 1478 * S],
    ['-5s', -5 * S],
    ['+5s', 5 * S],
    ['5.0s', 5 * S],
    ['5.6s', 5.6 * S],
    ['5.s', 5 * S],
    ['.5s', 0.5 * S],
    ['1.0s', S],
    ['1.00s', S],
    ['1.004s', 1.004 * S],
    ['1.0040s', 1.004 * S],
    ['100.00100s', 100.001 * S],
    ['1.5s', 1500],
    ['500ms', 500],
    ['10ns', 10 * NS],
    ['11us', 11 * US],
    ['12µs', 12 * US], // U+00B5
    ['12μs', 12 * US], // U+03BC
    ['13ms', 13],
    ['14s', 14 * S],
    ['15m', 15 * M],
    ['16h', 16 * H],
    ['1m30s', 90 * S],
    ['3h30m', 3 * H + 30 * M],
    ['10.5s4m', 4 * M + 10.5 * S],
    ['-2m3.4s', -(2 * M + 3.4 * S)],
    ['1h2m3s4ms5us6ns', H + 2 * M + 3 * S + 4 + 5 * US + 6 * NS],
    ['39h9m14.425s', 39 * H + 9 * M + 14.425 * S],
    ['52763797000ns', 52763797000 * NS],
    ['0.3333333333333333333h', 20 * M], // more digits than a double holds
    ['0.100000000000000000000h', 6 * M],
    ['0.830103483285477580700h', 49 * M + 48.372539827 * S],
    ['9007199254740993ns', 2 ** 53 * NS], // 2^53 + 1
    ['9223372036854775807ns', 2 ** 63 * NS], // the longest
    ['9223372036854775.807us', 2 ** 63 * NS],
    ['9223372036s854ms775us807ns', 2 ** 63 * NS],
    ['-9223372036854775808ns', -(2 ** 63) * NS],
  ]
  for (const [text, milliseconds] of cases) {
    const parsed = parseDuration(text)
    const error = Math.abs(parsed - milliseconds)
    assert.ok(error <= Math.abs(milliseconds) * 1e-15, `${text}: ${parsed} for ${milliseconds}`)
  }
})

test('what is no duration', () => {
  const cases: [text: string, message: RegExp][] = [
    ['', /^invalid duration ''$/],
    ['3', /^missing unit in duration '3'$/],
    ['5', /^missing unit/],
    ['00', /^missing unit/], // `0` alone needs none
    ['0.', /^missing unit/],
    ['1m30', /^missing unit/],
    ['-', /^invalid/],
    ['+', /^invalid/],
    ['--5s', /^invalid/],
    ['s', /^invalid/],
    ['.', /^invalid/],
    ['-.', /^invalid/],
    ['.s', /^invalid/],
    ['+.s', /^invalid/],
    ['.5.5s', /^missing unit/],
    [' 5s', /^invalid/],
    ['5s ', /^unknown unit 's ' in duration '5s '$/],
    ['5 s', /^unknown unit ' s'/],
    ['1d', /^unknown unit 'd' in duration '1d'$/],
    ['5S', /^unknown unit 'S'/],
    ['5sec', /^unknown unit 'sec'/],
    ['1e3s', /^unknown unit 'e'/],
    ['1constructor', /^unknown unit 'constructor'/],
    ['\u0085\u0085', /^invalid/],
    ['hello \uffff world', /^invalid/],
    ['\ufffd', /^invalid/],
    ['9223372036854775810ns', /^invalid/],
    ['9223372036854775808ns', /^invalid/],
    ['-9223372036854775809ns', /^invalid/],
    ['9223372036854776us', /^invalid/],
    ['3000000h', /^invalid/],
    ['9223372036854775.808us', /^invalid/],
    ['9223372036854ms775us808ns', /^invalid/],
  ]
  for (const [text, message] of cases) {
    assert.throws(
      () => parseDuration(text),
      (error: Error) => error instanceof DurationError && message.test(error.message),
      JSON.stringify(text),
    )
  }
})

test('any text is a duration or a DurationError', () => {
  const pieces = fc.constantFrom('0', '5', '.', '-', '+', 's', 'm', 'h', 'ms', 'x', ' ', '9'.repeat(30))
  fc.assert(
    fc.property(fc.array(pieces, { maxLength: 8 }), (parts) => {
      try {
        assert.ok(Number.isFinite(parseDuration(parts.join(''))))
      } catch (error) {
        assert.ok(error instanceof DurationError, String(error))
      }
    }),
    { numRuns: 1000 },
  )
})
