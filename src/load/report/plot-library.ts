// uPlot, which draws the plots of the page: its text, to be put into a page. The only file that names it.

import { readFileSync } from 'node:fs'
import type UPlot from 'uplot'

/** What it is called in the browser: a global. */
export type PlotLibrary = typeof UPlot
export type Drawn = UPlot
export type DrawnOptions = UPlot.Options
export type DrawnAxis = UPlot.Axis
export type DrawnScale = UPlot.Scale
export type DrawnSeries = UPlot.Series

/** The library as a script that makes the global `uPlot`, and its style sheet. */
export function plotLibrary(): { script: string; style: string } {
  const read = (name: string): string => readFileSync(new URL(import.meta.resolve(`uplot/dist/${name}`)), 'utf8').trim()
  return { script: read('uPlot.iife.min.js'), style: read('uPlot.min.css') }
}
