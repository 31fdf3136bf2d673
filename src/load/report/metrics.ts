// What servers are compared by, and what they are called in tables: A, B, C.

import { percentileMicros } from '../histogram.ts'
import type { Compared, ComparisonOutcome, JudgedRun, Quartiles } from '../outcome.ts'
import { cpuPerQueryNs, lossOf, qpsOf, type RunResult } from '../run.ts'
import { costText, countText, microsText, shareText } from './number-text.ts'
import type { Unit } from './plot.ts'

/** One of them. null where a server has no such figure, or nothing to compare it with. */
export interface Metric {
  readonly id: string
  readonly title: string
  readonly unit: Unit
  readonly text: (value: number) => string
  readonly of: (server: Compared) => Quartiles | null
  readonly ratio: (server: Compared) => Quartiles | null
  /** NaN where the run has none. */
  readonly ofRun: (result: RunResult) => number
}

/** What servers are compared by. */
export const METRICS: readonly Metric[] = [
  {
    id: 'qps',
    title: 'Answered a second',
    unit: 'count',
    text: countText,
    of: (server) => server.qps,
    ratio: ({ ratios }) => ratios?.qps ?? null,
    ofRun: qpsOf,
  },
  {
    id: 'p50',
    title: 'Latency p50',
    unit: 'micros',
    text: microsText,
    of: (server) => server.p50Micros,
    ratio: ({ ratios }) => ratios?.p50 ?? null,
    ofRun: ({ latency }) => percentileMicros(latency, 50),
  },
  {
    id: 'p99',
    title: 'Latency p99',
    unit: 'micros',
    text: microsText,
    of: (server) => server.p99Micros,
    ratio: ({ ratios }) => ratios?.p99 ?? null,
    ofRun: ({ latency }) => percentileMicros(latency, 99),
  },
  {
    id: 'loss',
    title: 'Lost',
    unit: 'share',
    text: shareText,
    of: (server) => server.loss,
    ratio: () => null,
    ofRun: lossOf,
  },
  {
    id: 'cpu',
    title: 'CPU a query',
    unit: 'cost',
    text: costText,
    of: (server) => server.cpuMicros,
    ratio: ({ ratios }) => ratios?.cpu ?? null,
    ofRun: (result) => cpuPerQueryNs(result) / 1000,
  },
]

/** A for the first server, and so on. */
export function letterOf(index: number): string {
  return index < 26 ? String.fromCharCode(65 + index) : String(index + 1)
}

/** The runs of a server that say something; all of them if none does. */
export function validRuns({ rounds }: ComparisonOutcome, index: number): JudgedRun[] {
  const runs = rounds.map((round) => round[index])
  const valid = runs.filter(({ validity }) => validity.isValid)
  return valid.length > 0 ? valid : runs
}
