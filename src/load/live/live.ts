// What is seen of a load while it goes on: whoever shows it is told what begins, each second, and when it is over.

import { percentileMicros } from '../histogram.ts'
import type { Second } from '../run.ts'

/** One run among those that a command makes. Times are milliseconds. */
export interface Phase {
  /** Who is asked, and how: `127.0.0.1:5353 over UDP: 1,000 queries a second (open loop)`. */
  readonly title: string
  /** Which of many runs it is: `round 2 of 5`; '' if it is the only one. */
  readonly step: string
  /** The warm-up within it. */
  readonly warmupMs: number
  /** Warm-up and what counts; null = until `queries` are sent. */
  readonly lengthMs: number | null
  /** Queries to be sent in all; null = as many as there is time for. */
  readonly queries: number | null
  /** The runs before it; and those after it, null if nobody knows. */
  readonly beforeMs: number
  readonly afterMs: number | null
}

/** Shows it. */
export interface Live {
  /** A run begins. */
  begin(phase: Phase): void
  /** A second of it is over. */
  second(second: Second): void
  /** What is to be kept in sight: the last trial of a search. */
  note(text: string): void
  /** A line that stays. */
  say(line: string): void
  /** It is over. The screen is as it was before, but for lines that stay. */
  close(): void
}

/** What a second comes to. */
export interface SecondFigures {
  readonly isWarmup: boolean
  /** Answered a second. */
  readonly qps: number
  readonly offered: number
  readonly p50Micros: number
  readonly p99Micros: number
}

/** What was counted in the current run, warm-up apart. */
export class Sums {
  sent = 0
  lost = 0
  /** Warm-up included. */
  sentEver = 0

  add(second: Second): void {
    this.sentEver += second.sent
    if (second.index < 0) return
    this.sent += second.sent
    this.lost += second.lost
  }
}

/** The figures of a second. */
export function figuresOf(second: Second): SecondFigures {
  return {
    isWarmup: second.index < 0,
    qps: second.seconds > 0 ? second.answered / second.seconds : Number.NaN,
    offered: second.offered,
    p50Micros: percentileMicros(second.latency, 50),
    p99Micros: percentileMicros(second.latency, 99),
  }
}

/** Shows nothing but lines that stay. @param write  takes a line with its end */
export function silentLive(write: (line: string) => void): Live {
  const nothing = (): void => {}
  return { begin: nothing, second: nothing, note: nothing, say: (line) => write(`${line}\n`), close: nothing }
}
