// Numbers as people read them.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  costText,
  countText,
  microsText,
  octetsText,
  ratioText,
  shareText,
  spanText,
} from '../../../src/load/report/number-text.ts'

type Case = readonly [write: (value: number) => string, value: number, text: string]

const cases: Case[] = [
  [countText, 0, '0'],
  [countText, 7, '7'],
  [countText, 999, '999'],
  [countText, 1000, '1,000'],
  [countText, 1_234_567, '1,234,567'],
  [countText, 49_948.63, '49,949'],
  [countText, 99.96, '100'],
  [countText, 11.42, '11.4'],
  [countText, 0.5, '0.50'],
  [countText, -1234, '-1,234'],
  [countText, Number.NaN, '–'],
  [countText, Number.POSITIVE_INFINITY, '–'],
  [microsText, 0, '0 µs'],
  [microsText, 0.003, '3.00 ns'],
  [microsText, 0.4, '0.40 µs'],
  [microsText, 4.1234, '4.12 µs'],
  [microsText, 9.996, '10 µs'],
  [microsText, 92.4, '92 µs'],
  [microsText, 999.4, '999 µs'],
  [microsText, 999.6, '1.00 ms'], // never `1000 µs`
  [microsText, 1840, '1.84 ms'],
  [microsText, 12_345, '12.3 ms'],
  [microsText, 999_600, '1.00 s'],
  [microsText, 2_000_000, '2.00 s'],
  [microsText, 240e6, '240 s'],
  [microsText, 3_600e6, '3,600 s'],
  [microsText, -92, '-92 µs'],
  [microsText, Number.NaN, '–'],
  [spanText, 2_000_000, '2 s'],
  [spanText, 1500, '1.5 ms'],
  [spanText, 30e6, '30 s'],
  [spanText, 100e3, '100 ms'],
  [spanText, 200, '200 µs'],
  [spanText, 3_600e6, '3,600 s'],
  [spanText, Number.NaN, '–'],
  [costText, 12.44, '12.4 µs'],
  [costText, 4.126, '4.13 µs'],
  [costText, 120, '120 µs'],
  [shareText, 0, '0 %'],
  [shareText, 1, '100 %'],
  [shareText, 0.5, '50 %'],
  [shareText, 0.3704, '37 %'],
  [shareText, 0.3714, '37.1 %'],
  [shareText, 0.001027, '0.103 %'], // above a bound of 0.1 %, and it shows
  [shareText, 0.0123, '1.23 %'],
  [shareText, 0.0000934, '0.00934 %'],
  [shareText, 1e-9, '< 0.0001 %'],
  [shareText, 0.9998, '99.98 %'],
  [shareText, 0.9999999, '> 99.99 %'], // not all
  [shareText, Number.NaN, '–'],
  [ratioText, 1, '1.00×'],
  [ratioText, 0.421, '0.42×'],
  [ratioText, 0.00123, '0.0012×'],
  [ratioText, 8044, '8,044×'],
  [ratioText, Number.NaN, '–'],
  [octetsText, 999, '999 B'],
  [octetsText, 78_000_000, '78.0 MB'],
  [octetsText, 999_600, '1.00 MB'],
]

test('numbers, one by one', () => {
  for (const [write, value, text] of cases) assert.equal(write(value), text, `${write.name}(${value})`)
})

test('a time says what it was: within half a percent from 100 ns on, and with two digits at least', () => {
  const factors: Record<string, number> = { ns: 1e-3, µs: 1, ms: 1e3, s: 1e6 }
  fc.assert(
    fc.property(fc.double({ min: -1, max: 8.3, noNaN: true }), (power) => {
      const micros = 10 ** power
      const [number, unit] = microsText(micros).split(' ')
      const read = Number(number.replaceAll(',', '')) * factors[unit]
      // Two digits of 10 to 99 µs, three of others.
      assert.ok(
        Math.abs(read / micros - 1) <= (micros < 101 ? 0.051 : 0.0051),
        `${micros} is written as ${number} ${unit}`,
      )
    }),
  )
})
