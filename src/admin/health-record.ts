// What `health` finds, and what it asks of the end: the parts of it that a process without endpoints has too.

import type { HistogramSample } from '../counting/values.ts'
import { Histogram, SLIM_TIME_BOUNDS } from './histogram.ts'
import { durationText, type Logger } from './logger.ts'

const PLUGIN = 'health'

/** What the process found when it asked itself; kept over reloads. */
export class HealthRecord {
  readonly #durations = new Histogram(SLIM_TIME_BOUNDS)
  failures = 0

  observe(seconds: number): void {
    this.#durations.observe(seconds)
  }

  durations(): HistogramSample {
    return this.#durations.sample('health_request_duration_seconds')
  }
}

/** Waits while DNS is answered as ever, and says so. `ended` cuts it short. */
export async function lameduck(milliseconds: number, logger: Logger, ended?: AbortSignal): Promise<void> {
  if (milliseconds <= 0 || ended?.aborted) return
  logger.info(PLUGIN, `Going into lameduck mode for ${durationText(milliseconds)}`)
  await new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, milliseconds)
    ended?.addEventListener('abort', () => {
      clearTimeout(timer)
      resolve()
    })
  })
}
