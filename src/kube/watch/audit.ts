// Audits: now and then each resource is listed again beside its watch, so that the main thread can tell what the watch kept from
// us. Slowly, one resource at a time: events come first.

import { setTimeout as sleep } from 'node:timers/promises'
import { type Draw, jittered } from './backoff.ts'
import type { Reflector } from './reflector.ts'

const JITTER = 0.1

/** Times and sizes of audits. */
export interface AuditPace {
  /** From the first complete list to the first audit, and from one audit to the next. */
  readonly intervalMs: number
  /** Between two pages. */
  readonly pauseMs: number
  /** Objects to a page: an event waits as long as it takes to read one. */
  readonly pageSize: number
  readonly draw: Draw
}

/** Audits the resources in turn until `signal` is aborted. One whose watch fails meanwhile has to wait for the next time. */
export async function runAudits(reflectors: readonly Reflector[], pace: AuditPace, signal: AbortSignal): Promise<void> {
  const stopped = new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
  await Promise.race([stopped, ...reflectors.map(({ synced }) => synced)])
  while (!signal.aborted) {
    await sleep(jittered(pace.intervalMs, JITTER, pace.draw), undefined, { signal }).catch(() => undefined)
    for (const reflector of reflectors) {
      const { steady } = reflector
      if (signal.aborted || steady === null) continue
      try {
        await reflector.audit(pace.pageSize, pace.pauseMs, AbortSignal.any([signal, steady]))
      } catch (error) {
        // The reflector meets whatever it is, and says so. Errors without a code are faults of ours.
        if ((error as { code?: unknown }).code === undefined) throw error
      }
    }
  }
}
