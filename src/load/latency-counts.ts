// Times as workers count them: at 3 ns each, where the library's own recording takes 60. Cells grow with the values as
// HdrHistogram's do (a power of two, each in 256 parts), and are turned into its histogram once a second, elsewhere.

import { createHistogram, type Histogram, LATENCY_MAX_NS } from './histogram.ts'

/** Nanoseconds in a unit: the smallest times that are told apart. */
const UNIT_NS = 4
const UNITS_PER_MS = 1e6 / UNIT_NS
// A power of two of units has 2^PART_BITS cells: at most 1/256 apart.
const PART_BITS = 8
const PARTS = 1 << PART_BITS
const UNITS_MAX = LATENCY_MAX_NS / UNIT_NS - 1
const TWO_TO_31 = 2 ** 31
// Values of 31 bits and more are looked at without their lowest eight.
const SHIFT = 8

/** Cells of LatencyCounts.cells. */
export const LATENCY_CELLS = cellOf(UNITS_MAX) + 1

/** One worker's counts. */
export class LatencyCounts {
  /** By cell; below 2^32 each. */
  readonly cells = new Uint32Array(LATENCY_CELLS)

  /** Counts one time; less than nothing is nothing, too much is the most. */
  add(ms: number): void {
    this.cells[cellOf(units(ms))]++
  }

  /** Counts the same time so often. */
  addMany(ms: number, times: number): void {
    this.cells[cellOf(units(ms))] += times
  }

  reset(): void {
    this.cells.fill(0)
  }
}

/** Adds counts to a histogram: each cell by the middle of its times. @returns that histogram */
export function addCells(cells: Uint32Array, histogram: Histogram = createHistogram()): Histogram {
  for (let cell = 0; cell < cells.length; cell++) {
    if (cells[cell] > 0) histogram.recordValueWithCount(nanosecondsOf(cell), cells[cell])
  }
  return histogram
}

/** Counts that are kept: only of cells that have any. */
export class SparseCells {
  readonly #cells: Uint32Array
  readonly #counts: Uint32Array

  constructor(cells: Uint32Array) {
    const used = cells.reduce((used, count) => (count > 0 ? used + 1 : used), 0)
    this.#cells = new Uint32Array(used)
    this.#counts = new Uint32Array(used)
    let next = 0
    for (let cell = 0; cell < cells.length; cell++) {
      if (cells[cell] === 0) continue
      this.#cells[next] = cell
      this.#counts[next++] = cells[cell]
    }
  }

  /** A new one each time. */
  get histogram(): Histogram {
    const histogram = createHistogram()
    this.#cells.forEach((cell, i) => {
      histogram.recordValueWithCount(nanosecondsOf(cell), this.#counts[i])
    })
    return histogram
  }
}

function units(ms: number): number {
  // Written so that NaN counts as 0.
  const value = ms > 0 ? Math.floor(ms * UNITS_PER_MS) : 0
  return Math.min(value, UNITS_MAX)
}

function cellOf(value: number): number {
  if (value >= TWO_TO_31) return cellOfWord(Math.floor(value / PARTS)) + (SHIFT << PART_BITS)
  return cellOfWord(value)
}

// Cell of a value below 2^31: the first 2 * PARTS have one each.
function cellOfWord(value: number): number {
  const exponent = 31 - PART_BITS - Math.clz32(value | PARTS)
  return (exponent << PART_BITS) + (value >>> exponent)
}

/** The middle of a cell's times. */
function nanosecondsOf(cell: number): number {
  const exponent = Math.max(0, (cell >>> PART_BITS) - 1)
  const first = (cell - (exponent << PART_BITS)) * 2 ** exponent
  return Math.round((first + 2 ** exponent / 2) * UNIT_NS)
}
