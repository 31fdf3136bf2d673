// The script of the page: draws every plot of the data into its place, and again when width, colours or paper change.
// It and what it imports are put into the page as one script (page-script.ts).

import type { Plot } from '../plot.ts'
import type { Drawn } from '../plot-library.ts'
import { drawLines } from './line-plot.ts'
import { drawWhiskers } from './whisker-plot.ts'

interface Place {
  readonly plot: Plot
  readonly element: HTMLElement
  drawn: Drawn | null
}

const plots: readonly Plot[] = JSON.parse(document.getElementById('plots')?.textContent ?? '[]')
const places: Place[] = plots.flatMap((plot) => {
  const element = document.getElementById(`plot-${plot.id}`)
  return element === null ? [] : [{ plot, element, drawn: null }]
})

function draw(place: Place): void {
  const { plot, element } = place
  const width = element.clientWidth
  place.drawn?.destroy()
  place.drawn =
    plot.kind === 'lines'
      ? drawLines(plot, element, width, width < 480 ? 240 : 300)
      : drawWhiskers(plot, element, width)
  const canvas = element.querySelector('canvas')
  canvas?.setAttribute('role', 'img')
  canvas?.setAttribute('aria-label', element.dataset.label ?? '')
}

function drawAll(): void {
  for (const place of places) draw(place)
}

drawAll()
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', drawAll)
// Paper has its own colours and width, and both hold by now.
matchMedia('print').addEventListener('change', drawAll)
const observer = new ResizeObserver((entries) => {
  for (const { target } of entries) {
    const place = places.find(({ element }) => element === target)
    if (place?.drawn && place.drawn.width !== target.clientWidth) draw(place)
  }
})
for (const { element } of places) observer.observe(element)
