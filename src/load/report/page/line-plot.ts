// Lines, bars and points over one scale, in the browser.

import type { Line, LinePlot, Mark } from '../plot.ts'
import type { Drawn, DrawnOptions, DrawnSeries, PlotLibrary } from '../plot-library.ts'
import { axisOptions, colourNow, FONT, scaleOptions, valueText } from './scales.ts'

declare const uPlot: PlotLibrary

// With more points than this a line says enough without dots.
const DOTS_MAX = 40
// In place of a line in the legend.
const SIGNS: Partial<Record<Line['shape'], string>> = { circles: '● ', crosses: '✕ ', bars: '■ ' }

/** Draws it into an element that has a width already. */
export function drawLines(plot: LinePlot, element: HTMLElement, width: number, height: number): Drawn {
  const isScatter = plot.lines.some(({ shape }) => shape === 'crosses')
  const options: DrawnOptions = {
    width,
    height,
    padding: [plot.marks.some(({ axis }) => axis === 'x') ? 22 : 14, 30, 0, 0],
    scales: {
      x: scaleOptions(plot.x, across(plot, 'x'), isScatter ? 0.06 : 0),
      y: scaleOptions(plot.y, across(plot, 'y'), 0.1),
    },
    axes: [axisOptions(plot.x, 'x', 2), axisOptions(plot.y, 'y', 3)],
    series: [
      { label: plot.x.label, value: (_plot, value) => (value === null ? '' : valueText(plot.x.unit, value)) },
      ...plot.lines.map((line) => seriesOptions(line, plot)),
    ],
    legend: { markers: { dash: (_plot, index) => (plot.lines[index - 1]?.shape === 'dashes' ? 'dashed' : 'solid') } },
    cursor: { y: false, drag: { x: !isScatter, y: false } },
    hooks: { draw: [(drawn) => drawMarks(drawn, plot.marks)] },
  }
  return new uPlot(options, [[...plot.at], ...plot.lines.map(({ values }) => [...values])], element)
}

function across({ marks }: LinePlot, axis: Mark['axis']): Mark[] {
  return marks.filter((mark) => mark.axis === axis)
}

function seriesOptions({ label, colour, shape, values }: Line, { y }: LinePlot): DrawnSeries {
  const stroke = colourNow(colour)
  const common: DrawnSeries = {
    label: `${SIGNS[shape] ?? ''}${label}`,
    class: `shape-${shape}`,
    stroke,
    scale: 'y',
    value: (_plot, value) => (value === null ? '' : valueText(y.unit, value)),
  }
  const dots = { show: values.length <= DOTS_MAX, size: 6, fill: stroke, stroke }
  switch (shape) {
    case 'line':
      return { ...common, width: 2, points: dots }
    case 'dashes':
      return { ...common, width: 1.5, dash: [6, 4], points: { show: false } }
    case 'thin':
      return { ...common, width: 1, points: { show: false } }
    case 'bars':
      return {
        ...common,
        width: 0,
        stroke: 'transparent',
        fill: stroke,
        paths: uPlot.paths.bars?.({ size: [0.7, 24, 2] }),
        points: { show: false },
      }
    case 'circles':
      return { ...common, paths: () => null, points: { show: true, size: 10, fill: stroke, stroke, space: 0 } }
    case 'crosses':
      return { ...common, paths: () => null, points: { show: drawCrosses } }
  }
}

// Takes the place of uPlot's own points.
function drawCrosses(drawn: Drawn, index: number): false {
  const { ctx } = drawn
  const arm = 5 * devicePixelRatio
  ctx.save()
  ctx.strokeStyle = colourNow('bad')
  ctx.lineWidth = 2.5 * devicePixelRatio
  ctx.beginPath()
  for (const [point, value] of drawn.data[index].entries()) {
    if (value === null || value === undefined) continue
    const x = drawn.valToPos(drawn.data[0][point], 'x', true)
    const y = drawn.valToPos(value, 'y', true)
    ctx.moveTo(x - arm, y - arm)
    ctx.lineTo(x + arm, y + arm)
    ctx.moveTo(x - arm, y + arm)
    ctx.lineTo(x + arm, y - arm)
  }
  ctx.stroke()
  ctx.restore()
  return false
}

function drawMarks(drawn: Drawn, marks: readonly Mark[]): void {
  const { ctx, bbox } = drawn
  ctx.save()
  ctx.font = scaledFont()
  for (const { axis, at, label } of marks) {
    const position = drawn.valToPos(at, axis, true)
    const isDown = axis === 'x'
    const [from, length] = isDown ? [bbox.left, bbox.width] : [bbox.top, bbox.height]
    if (position < from - 1 || position > from + length + 1) continue
    ctx.strokeStyle = colourNow('text')
    ctx.lineWidth = devicePixelRatio
    ctx.setLineDash([5 * devicePixelRatio, 3 * devicePixelRatio])
    ctx.beginPath()
    ctx.moveTo(isDown ? position : bbox.left, isDown ? bbox.top : position)
    ctx.lineTo(isDown ? position : bbox.left + bbox.width, isDown ? bbox.top + bbox.height : position)
    ctx.stroke()
    writeMark(drawn, label, position, isDown)
  }
  ctx.restore()
}

// Above the plot, or on its line: there on the side where there is room, over whatever is there.
function writeMark({ ctx, bbox }: Drawn, label: string, position: number, isDown: boolean): void {
  const gap = 5 * devicePixelRatio
  const width = ctx.measureText(label).width
  const x = isDown ? Math.min(position, bbox.left + bbox.width - width) : bbox.left + gap
  const isAbove = position - 16 * devicePixelRatio > bbox.top
  const y = isDown ? bbox.top - gap : position + (isAbove ? -gap : 14 * devicePixelRatio)
  haloText(ctx, label, x, y)
}

/** Text that is readable over lines. */
export function haloText(ctx: CanvasRenderingContext2D, text: string, x: number, y: number): void {
  ctx.setLineDash([])
  ctx.textAlign = 'left'
  ctx.textBaseline = 'alphabetic'
  ctx.lineJoin = 'round'
  ctx.lineWidth = 4 * devicePixelRatio
  ctx.strokeStyle = colourNow('surface')
  ctx.strokeText(text, x, y)
  ctx.fillStyle = colourNow('text')
  ctx.fillText(text, x, y)
}

/** FONT in pixels of the canvas. */
export function scaledFont(): string {
  return FONT.replace('12px', `${12 * devicePixelRatio}px`)
}
