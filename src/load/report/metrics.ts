// What servers are compared by, and what they are called in tables: A, B, C.

import type { Compared, Quartiles } from '../outcome.ts'
import { costText, countText, microsText, shareText } from './number-text.ts'

/** One of them. null where a server has no such figure, or nothing to compare it with. */
export interface Metric {
  readonly title: string
  readonly text: (value: number) => string
  readonly of: (server: Compared) => Quartiles | null
  readonly ratio: (server: Compared) => Quartiles | null
  /** Name of the plot. */
  readonly id: string
}

/** What servers are compared by. */
export const METRICS: readonly Metric[] = [
  {
    title: 'Answered a second',
    text: countText,
    of: (server) => server.qps,
    ratio: ({ ratios }) => ratios?.qps ?? null,
    id: 'qps',
  },
  {
    title: 'Latency p50',
    text: microsText,
    of: (server) => server.p50Micros,
    ratio: ({ ratios }) => ratios?.p50 ?? null,
    id: 'p50',
  },
  {
    title: 'Latency p99',
    text: microsText,
    of: (server) => server.p99Micros,
    ratio: ({ ratios }) => ratios?.p99 ?? null,
    id: 'p99',
  },
  { title: 'Lost', text: shareText, of: (server) => server.loss, ratio: () => null, id: 'loss' },
  {
    title: 'CPU a query',
    text: costText,
    of: (server) => server.cpuMicros,
    ratio: ({ ratios }) => ratios?.cpu ?? null,
    id: 'cpu',
  },
]

/** A for the first server, and so on. */
export function letterOf(index: number): string {
  return index < 26 ? String.fromCharCode(65 + index) : String(index + 1)
}
