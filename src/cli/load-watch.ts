// Stands between whoever makes runs (a search, a comparison) and the engine, and tells what happens to those who watch: the live
// view, lines of JSON, metrics, and the verifiers.

import { type LineWriter, secondLine } from '../load/live/json-lines.ts'
import type { Live, Phase } from '../load/live/live.ts'
import { scheduleText, targetText } from '../load/report/facts.ts'
import type { RunResult, RunSpec, Second } from '../load/run.ts'
import type { RunEvents, Runner } from '../load/session.ts'
import type { LoadMetrics } from './load-metrics.ts'
import type { Verifiers } from './load-verify.ts'

/** Who watches. */
export interface Watchers {
  readonly live: Live
  /** null = nobody wants them. */
  readonly lines: LineWriter | null
  readonly metrics: LoadMetrics | null
  readonly verifiers: Verifiers | null
}

/** What is known of the runs as a whole. */
export interface Course {
  /** Queries in the table. */
  readonly queryCount: number
  /** Runs in all; null if nobody knows. */
  readonly runs: number | null
  /** Which run it is, for people: from 1 on; '' if it is the only one. */
  step(run: number, spec: RunSpec): string
}

/** A length that says "until the queries are through". */
export const UNTIL_DONE_MS = 86_400_000

export class WatchedRunner implements Runner {
  readonly #runner: Runner
  readonly #watchers: Watchers
  readonly #course: Course
  #runs = 0
  #doneMs = 0

  constructor(runner: Runner, watchers: Watchers, course: Course) {
    this.#runner = runner
    this.#watchers = watchers
    this.#course = course
  }

  async run(spec: RunSpec, events: RunEvents = {}, pids?: readonly number[], signal?: AbortSignal): Promise<RunResult> {
    const { live, verifiers } = this.#watchers
    const run = ++this.#runs
    const phase = this.#phase(spec, run)
    live.begin(phase)
    const watched: RunEvents = {
      second: (second) => {
        this.#second(second, spec, run)
        events.second?.(second)
      },
      samples: (samples) => verifiers?.take(spec.target, samples),
    }
    const result = await this.#runner.run(spec, watched, pids, signal)
    this.#doneMs += phase.lengthMs ?? 0
    verifiers?.finished(spec.target, result)
    return result
  }

  #second(second: Second, { target }: RunSpec, run: number): void {
    const { live, lines, metrics } = this.#watchers
    live.second(second)
    lines?.write(secondLine(second, target.label, run, new Date()))
    metrics?.add(second, target.label)
  }

  #phase(spec: RunSpec, run: number): Phase {
    const { target, schedule, warmupMs, durationMs, passes } = spec
    const { queryCount, runs, step } = this.#course
    const isUntilDone = durationMs === UNTIL_DONE_MS
    const lengthMs = isUntilDone ? null : warmupMs + durationMs
    return {
      title: `${targetText(target)}: ${scheduleText(schedule)}`,
      step: step(run, spec),
      warmupMs,
      lengthMs,
      queries: isUntilDone ? passes * queryCount : null,
      beforeMs: this.#doneMs,
      afterMs: runs === null ? null : (runs - run) * (lengthMs ?? 0),
    }
  }
}
