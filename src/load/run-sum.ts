// Adds up what the workers count: seconds as they come, and the result of a run at its end.

import { createHistogram, type Histogram } from './histogram.ts'
import { addCells, LATENCY_CELLS, SparseCells } from './latency-counts.ts'
import { type Counts, RCODES, type RunResult, type RunSpec, type Second } from './run.ts'
import { offeredRate } from './schedule.ts'
import { COUNTERS, type WorkerSecond } from './tally.ts'
import type { WorkerEnd } from './worker-run.ts'

/** What is known only at the end. */
export interface RunEnd {
  readonly startedAt: string
  readonly ends: readonly WorkerEnd[]
  readonly serverCpuNs: number | null
  readonly udpErrors: Readonly<Record<string, number>>
  readonly interrupted: boolean
}

type CounterName = (typeof COUNTERS)[number]

/** Counts that are still growing. */
class CountSum {
  readonly #counters = new Float64Array(COUNTERS.length)
  readonly #rcodes = new Float64Array(RCODES)
  readonly #errors: Record<string, number> = {}

  add({ counters, rcodes, errors }: WorkerSecond): void {
    for (let i = 0; i < COUNTERS.length; i++) this.#counters[i] += counters[i]
    for (let i = 0; i < RCODES; i++) this.#rcodes[i] += rcodes[i]
    for (const [what, times] of Object.entries(errors)) this.#errors[what] = (this.#errors[what] ?? 0) + times
  }

  get counts(): Counts {
    const named = Object.fromEntries(COUNTERS.map((name, i) => [name, this.#counters[i]])) as Record<
      CounterName,
      number
    >
    return { ...named, rcodes: [...this.#rcodes], errors: { ...this.#errors } }
  }
}

/** A second that not all workers have told yet. */
interface OpenSecond {
  readonly sum: CountSum
  /** Cells. */
  readonly latency: Uint32Array
  workers: number
  seconds: number
}

/** The sum of one run. */
export class RunSum {
  readonly #spec: RunSpec
  readonly #workers: number
  readonly #onSecond: (second: Second) => void
  readonly #open = new Map<number, OpenSecond>()
  readonly #series: Second[] = []
  readonly #total = new CountSum()
  readonly #latency = createHistogram()
  readonly #rawLatency = createHistogram()
  readonly #lateness = createHistogram()

  constructor(spec: RunSpec, workers: number, onSecond: (second: Second) => void) {
    this.#spec = spec
    this.#workers = workers
    this.#onSecond = onSecond
  }

  /** Takes a second of one worker. */
  add(part: WorkerSecond): void {
    const { index } = part
    const open = this.#open.get(index) ?? {
      sum: new CountSum(),
      latency: new Uint32Array(LATENCY_CELLS),
      workers: 0,
      seconds: 0,
    }
    this.#open.set(index, open)
    open.sum.add(part)
    open.workers++
    open.seconds = Math.max(open.seconds, part.seconds)
    for (let cell = 0; cell < LATENCY_CELLS; cell++) open.latency[cell] += part.latency[cell]
    if (index >= 0) {
      this.#total.add(part)
      addCells(part.latency, this.#latency)
      addCells(part.rawLatency, this.#rawLatency)
      addCells(part.lateness, this.#lateness)
    }
    if (open.workers === this.#workers) this.#close(index, open)
  }

  result({ startedAt, ends, serverCpuNs, udpErrors, interrupted }: RunEnd): RunResult {
    // Workers that ended early, because they were told to, have told fewer seconds than others.
    for (const [index, open] of [...this.#open].sort(([a], [b]) => a - b)) this.#close(index, open)
    const receives = sumOf(ends, ({ receives }) => receives)
    return {
      ...this.#total.counts,
      spec: this.#spec,
      startedAt,
      seconds: Math.max(0, ...ends.map(({ seconds }) => seconds)),
      unsent: sumOf(ends, ({ unsent }) => unsent),
      unsampled: sumOf(ends, ({ unsampled }) => unsampled),
      latency: this.#latency,
      rawLatency: this.#rawLatency,
      lateness: this.#lateness,
      series: this.#series,
      own: {
        cpuShares: ends.map(({ cpuShare }) => cpuShare),
        idleShares: ends.map(({ idleShare }) => idleShare),
        receiveDrops: sumOf(ends, ({ receiveDrops }) => receiveDrops),
        udpErrors,
        receiveBatch: receives === 0 ? 0 : sumOf(ends, ({ received }) => received) / receives,
      },
      serverCpuNs,
      interrupted,
    }
  }

  #close(index: number, { sum, latency, seconds }: OpenSecond): void {
    this.#open.delete(index)
    const { schedule, warmupMs, durationMs } = this.#spec
    const counts = sum.counts
    const fromMs = warmupMs + index * 1000
    const cells = new SparseCells(latency)
    const offered = offeredRate(schedule, warmupMs, durationMs, fromMs, fromMs + seconds * 1000)
    const second: Second = {
      ...counts,
      index,
      seconds,
      offered: Number.isNaN(offered) ? (seconds > 0 ? counts.sent / seconds : 0) : offered,
      // Runs may take hours: what is kept is what was counted, not a histogram with room for everything.
      get latency(): Histogram {
        return cells.histogram
      },
    }
    if (index >= 0) this.#series.push(second)
    this.#onSecond(second)
  }
}

function sumOf(ends: readonly WorkerEnd[], value: (end: WorkerEnd) => number): number {
  return ends.reduce((sum, end) => sum + value(end), 0)
}
