// What a plot of the page is, as data: made by plots.ts, drawn in the browser by page/.

/** How numbers of a scale are written. `tail` is 1 / (1 - p) for the share p of the values: 10 is p90, 100 is p99. */
export type Unit = 'micros' | 'cost' | 'count' | 'share' | 'tail' | 'seconds'

/** `even` shows what there is, `zero` begins at 0; `spread` is a logarithm that has a place for 0, for shares. */
export type ScaleKind = 'even' | 'zero' | 'log' | 'spread'

/** One of two scales. */
export interface Scale {
  readonly label: string
  readonly unit: Unit
  readonly kind: ScaleKind
}

/** Name of a custom property of page.css, without `--`. */
export type Colour =
  | 'series-1'
  | 'series-2'
  | 'series-3'
  | 'series-4'
  | 'series-5'
  | 'series-6'
  | 'good'
  | 'bad'
  | 'soft'

/** One value for each of LinePlot.at; null where there is none. */
export interface Line {
  readonly label: string
  readonly colour: Colour
  readonly shape: 'line' | 'dashes' | 'thin' | 'bars' | 'circles' | 'crosses'
  readonly values: readonly (number | null)[]
}

/** A value that is marked by a line across the plot. */
export interface Mark {
  readonly axis: 'x' | 'y'
  readonly at: number
  readonly label: string
}

export interface LinePlot {
  readonly kind: 'lines'
  readonly id: string
  readonly x: Scale
  readonly y: Scale
  /** Ascending. */
  readonly at: readonly number[]
  readonly lines: readonly Line[]
  readonly marks: readonly Mark[]
}

/** A server's median, its quartiles, and what they are of. */
export interface Whisker {
  readonly label: string
  readonly colour: Colour
  readonly low: number
  readonly median: number
  readonly high: number
  readonly values: readonly number[]
}

export interface WhiskerPlot {
  readonly kind: 'whiskers'
  readonly id: string
  readonly x: Scale
  readonly rows: readonly Whisker[]
}

export type Plot = LinePlot | WhiskerPlot
