// A row for each server: a dot at the median, a bar from quartile to quartile, a faint dot for each run. In the browser.

import type { Whisker, WhiskerPlot } from '../plot.ts'
import type { Drawn, DrawnOptions, PlotLibrary } from '../plot-library.ts'
import { haloText, scaledFont } from './line-plot.ts'
import { axisOptions, colourNow, scaleOptions, valueText } from './scales.ts'

declare const uPlot: PlotLibrary

const ROW_HEIGHT = 46
const AXIS_HEIGHT = 40

/** Draws it into an element that has a width already. */
export function drawWhiskers(plot: WhiskerPlot, element: HTMLElement, width: number): Drawn {
  const { rows, x } = plot
  const values = rows.flatMap((row) => [row.low, row.high, ...row.values]).filter(Number.isFinite)
  const options: DrawnOptions = {
    width,
    height: rows.length * ROW_HEIGHT + AXIS_HEIGHT,
    padding: [4, 20, 0, 20],
    scales: { x: scaleOptions(x, [], 0.12), y: { range: [0, rows.length], dir: -1 } },
    axes: [{ ...axisOptions({ ...x, label: '' }, 'x', 2), label: undefined }, { show: false }],
    series: [{}, { scale: 'y', points: { show: false }, paths: () => null }],
    cursor: { show: false },
    legend: { show: false },
    hooks: { draw: [(drawn) => drawRows(drawn, plot)] },
  }
  const ends = [Math.min(...values), Math.max(...values)]
  return new uPlot(options, [ends, [null, null]], element)
}

function drawRows(drawn: Drawn, { rows, x }: WhiskerPlot): void {
  const { ctx } = drawn
  ctx.save()
  ctx.font = scaledFont()
  for (const [index, row] of rows.entries())
    drawRow(drawn, row, drawn.valToPos(index, 'y', true), (value) => valueText(x.unit, value))
  ctx.restore()
}

function drawRow(drawn: Drawn, row: Whisker, top: number, text: (value: number) => string): void {
  const { ctx, bbox } = drawn
  const ratio = devicePixelRatio
  const middle = top + 31 * ratio
  const position = (value: number): number => drawn.valToPos(value, 'x', true)
  const [low, median, high] = [position(row.low), position(row.median), position(row.high)]
  ctx.fillStyle = ctx.strokeStyle = colourNow(row.colour)
  ctx.globalAlpha = 0.35
  for (const value of row.values) if (Number.isFinite(value)) dot(ctx, position(value), middle, 3.5 * ratio)
  ctx.globalAlpha = 1
  ctx.lineWidth = 2 * ratio
  ctx.beginPath()
  ctx.moveTo(low, middle)
  ctx.lineTo(high, middle)
  for (const end of [low, high]) {
    ctx.moveTo(end, middle - 6 * ratio)
    ctx.lineTo(end, middle + 6 * ratio)
  }
  ctx.stroke()
  dot(ctx, median, middle, 5 * ratio)
  const label = `${row.label}: ${text(row.median)}`
  haloText(ctx, fitting(ctx, label, bbox.width), bbox.left, top + 15 * ratio)
}

function dot(ctx: CanvasRenderingContext2D, x: number, y: number, radius: number): void {
  ctx.beginPath()
  ctx.arc(x, y, radius, 0, 2 * Math.PI)
  ctx.fill()
}

// The value is at the end, so letters go from the middle.
function fitting(ctx: CanvasRenderingContext2D, text: string, width: number): string {
  let left = text
  for (let cut = 1; ctx.measureText(left).width > width && cut < text.length; cut++) {
    const kept = Math.max(2, (text.length - cut) >> 1)
    left = `${text.slice(0, kept)}…${text.slice(-kept)}`
  }
  return left
}
