// Scales and axes of a plot in the browser: where ticks stand, what they say, what is in range.

import { costText, countText, microsText, shareText, spanText } from '../number-text.ts'
import type { Colour, Mark, Scale, Unit } from '../plot.ts'
import type { DrawnAxis, DrawnScale } from '../plot-library.ts'

export const FONT = '12px system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif'
// Ticks of a logarithmic scale at 1, 2 and 5 of each power of ten; with more than so many, at 1 only.
const LOG_TICKS_MAX = 8
// Pixels that a label below the plot needs, room included.
const LABEL_WIDTH = 66
// Shares above this one are spread by their logarithm.
const SPREAD_UNIT = 0.0002
const SPREAD_TICKS = [0, 0.001, 0.01, 0.1, 1]

/** What a colour is now: light, dark and paper differ. */
export function colourNow(name: Colour | 'text' | 'grid' | 'surface'): string {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim()
}

/** A value in full, as in a legend. */
export function valueText(unit: Unit, value: number): string {
  switch (unit) {
    case 'micros':
      return microsText(value)
    case 'cost':
      return costText(value)
    case 'share':
      return shareText(value)
    case 'tail':
      return tailText(value)
    case 'count':
    case 'seconds':
      return countText(value)
  }
}

/** The options of one scale of uPlot. `marks` are those across it. */
export function scaleOptions(scale: Scale, marks: readonly Mark[], padding: number): DrawnScale {
  const marked = marks.map(({ at }) => at)
  return {
    time: false,
    ...distribution(scale),
    range: (_plot, dataMin, dataMax) => {
      const least = Math.min(...marked, dataMin ?? Number.POSITIVE_INFINITY)
      const most = Math.max(...marked, dataMax ?? Number.NEGATIVE_INFINITY)
      if (least > most) return scale.kind === 'log' ? [1, 10] : [0, 1]
      if (padding === 0) return least === most ? around(least, scale) : [least, most]
      return paddedRange(scale, least, most, padding)
    },
  }
}

/** The options of an axis: side 2 is below, 3 is left. */
export function axisOptions(scale: Scale, name: string, side: 2 | 3): DrawnAxis {
  const text =
    scale.unit === 'micros' || scale.unit === 'cost' ? spanText : (value: number) => valueText(scale.unit, value)
  const common: DrawnAxis = {
    scale: name,
    side,
    stroke: colourNow('text'),
    font: FONT,
    labelFont: FONT,
    grid: { stroke: colourNow('grid'), width: 1 },
    ticks: { stroke: colourNow('grid'), width: 1, size: 5 },
    values: (plot, ticks) => {
      // What would run into its neighbour is left out; the line stays.
      const every = side === 2 ? Math.ceil((ticks.length * LABEL_WIDTH) / plot.width) : 1
      return ticks.map((tick, index) => (index % every === 0 ? text(tick) : ''))
    },
    ...ticksOptions(scale),
  }
  // Of trials, rounds and seconds there are no halves.
  if (side === 2) return { ...common, label: scale.label, labelSize: 22, size: 34, space: 70, ...wholes(scale) }
  return { ...common, size: (_plot, texts) => 16 + 7 * Math.max(4, ...(texts ?? []).map((each) => each.length)) }
}

function wholes({ unit, kind }: Scale): DrawnAxis {
  if (kind === 'log' || (unit !== 'count' && unit !== 'seconds')) return {}
  return {
    incrs: [1, 2, 5]
      .flatMap((digit) => [0, 1, 2, 3, 4, 5, 6].map((power) => digit * 10 ** power))
      .sort((a, b) => a - b),
  }
}

function logTicks(min: number, max: number, unit: Unit): number[] {
  const ticks: number[] = []
  const least = Math.floor(Math.log10(min))
  const most = Math.ceil(Math.log10(max))
  const digits = unit === 'tail' || most - least > LOG_TICKS_MAX / 3 + 1 ? [1] : [1, 2, 5]
  for (let power = least; power <= most; power++) {
    for (const digit of digits) {
      const tick = power < 0 ? digit / 10 ** -power : digit * 10 ** power
      if (tick >= min * 0.999 && tick <= max * 1.001) ticks.push(tick)
    }
  }
  return ticks
}

/** 1, 10, 100, 1000 as 0 %, 90 %, 99 %, 99.9 %. */
function tailText(tail: number): string {
  const places = Math.max(0, Math.ceil(Math.log10(tail) - 1e-9) - 1)
  return `${Number((100 - 100 / tail).toFixed(places))} %`
}

function paddedRange({ kind }: Scale, least: number, most: number, padding: number): [number, number] {
  const room = (most - least) * padding || Math.abs(most) * padding || 1
  switch (kind) {
    case 'log':
      return [niceBelow(least * 0.9), niceAbove(most * 1.1)]
    case 'spread':
      return [0, most * 1.6 + SPREAD_UNIT]
    case 'zero':
      return [0, most * (1 + padding) || 1]
    case 'even':
      // What cannot be less than nothing is not drawn so.
      return [least >= 0 && least <= room * 4 ? 0 : least - room, most + room]
  }
}

function distribution({ kind }: Scale): DrawnScale {
  if (kind === 'log') return { distr: 3 }
  if (kind !== 'spread') return { distr: 1 }
  return {
    distr: 100,
    fwd: (value) => Math.log10(value + SPREAD_UNIT),
    bwd: (value) => 10 ** value - SPREAD_UNIT,
  }
}

function ticksOptions({ kind, unit }: Scale): DrawnAxis {
  if (kind === 'log') {
    return { splits: (_plot, _axis, min, max) => logTicks(min, max, unit), filter: (_plot, ticks) => ticks }
  }
  if (kind !== 'spread') return {}
  return {
    splits: (_plot, _axis, _min, max) => SPREAD_TICKS.filter((tick) => tick <= max),
    filter: (_plot, ticks) => ticks,
  }
}

function around(value: number, { kind }: Scale): [number, number] {
  return kind === 'log' ? [value / 2, value * 2] : [value - 1, value + 1]
}

function niceBelow(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value))
  const digit = value / power
  return power * (digit >= 5 ? 5 : digit >= 2 ? 2 : 1)
}

function niceAbove(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value))
  const digit = value / power
  return power * (digit <= 1 ? 1 : digit <= 2 ? 2 : digit <= 5 ? 5 : 10)
}
