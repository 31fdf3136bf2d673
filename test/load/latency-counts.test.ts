import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { createHistogram, LATENCY_MAX_NS, mergeHistograms, percentileMicros } from '../../src/load/histogram.ts'
import { addCells, LATENCY_CELLS, LatencyCounts, SparseCells } from '../../src/load/latency-counts.ts'

const MICROSECOND = 1e-3
const PERCENTS = [0, 1, 25, 50, 75, 90, 99, 99.9, 100]

/** Milliseconds, small and large alike. */
const anyMs = fc.double({ min: Math.log(MICROSECOND), max: Math.log(LATENCY_MAX_NS / 1e6), noNaN: true }).map(Math.exp)

test('percentiles are within 1 % of those of the values themselves, from 1 µs on', () => {
  fc.assert(
    fc.property(fc.array(anyMs, { minLength: 1, maxLength: 300 }), (times) => {
      const counts = new LatencyCounts()
      for (const ms of times) counts.add(ms)
      const histogram = addCells(counts.cells)
      assert.equal(histogram.totalCount, times.length)
      const sorted = Float64Array.from(times).sort()
      for (const percent of PERCENTS) {
        const exact = sorted[Math.max(0, Math.ceil((sorted.length * percent) / 100) - 1)] * 1000
        const found = percentileMicros(histogram, percent)
        assert.ok(Math.abs(found - exact) <= exact * 0.01, `p${percent}: ${found} µs, not ${exact} µs`)
      }
    }),
  )
})

test('each cell keeps its place through the library', () => {
  const counts = new LatencyCounts()
  for (let cell = 0; cell < LATENCY_CELLS; cell += 97) {
    counts.reset()
    counts.cells[cell] = 3
    const again = new LatencyCounts()
    const histogram = addCells(counts.cells)
    again.addMany(histogram.maxValue / 1e6, 3)
    const found = again.cells.findIndex((count) => count > 0)
    assert.ok(Math.abs(found - cell) <= 1, `cell ${cell} comes back as ${found}`)
  }
})

test('what is no time, or too long, is counted all the same', () => {
  const counts = new LatencyCounts()
  for (const ms of [-1, 0, Number.NaN]) counts.add(ms)
  assert.equal(counts.cells[0], 3)
  for (const ms of [LATENCY_MAX_NS, 1e12, Number.POSITIVE_INFINITY]) counts.add(ms)
  assert.equal(counts.cells[LATENCY_CELLS - 1], 3)
  assert.equal(addCells(counts.cells).totalCount, 6)
})

test('merged histograms have all that their parts have', () => {
  const parts = [1, 2, 4].map((ms) => {
    const histogram = createHistogram()
    histogram.recordValueWithCount(ms * 1e6, 10)
    return histogram
  })
  const merged = mergeHistograms([...parts, createHistogram()])
  assert.equal(merged.totalCount, 30)
  assert.ok(Math.abs(percentileMicros(merged, 50) - 2000) < 4)
  assert.equal(mergeHistograms([]).totalCount, 0)
  assert.equal(percentileMicros(mergeHistograms([]), 99), 0)
})

test('kept counts are the same counts', () => {
  fc.assert(
    fc.property(fc.array(anyMs, { maxLength: 100 }), (times) => {
      const counts = new LatencyCounts()
      for (const ms of times) counts.addMany(ms, 3)
      const kept = new SparseCells(counts.cells).histogram
      const all = addCells(counts.cells)
      assert.equal(kept.totalCount, times.length * 3)
      for (const percent of PERCENTS) assert.equal(percentileMicros(kept, percent), percentileMicros(all, percent))
    }),
  )
})
