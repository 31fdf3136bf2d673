// How long it takes from a change of a Service's endpoints until it is served, for coredns_kubernetes_dns_programming_duration_seconds.

import type { ClusterState } from './cluster-state.ts'
import { type Packed, packedSliceService } from './packed.ts'

/** What a Service is, to that metric. A slice says nothing of the selector: those that say when they changed have one. */
export type ProgrammedKind = 'cluster_ip' | 'headless_with_selector'

/** Takes what is served from now on, and how many seconds that took. */
export type OnProgrammed = (kind: ProgrammedKind, seconds: number) => void

/** Changes that wait to be served; more are not measured. */
const WAITING_MAX = 10_000

interface Waiting {
  readonly namespace: string
  readonly service: string
  readonly triggeredMs: number
}

export class ProgrammingLatency {
  readonly #state: ClusterState
  readonly #onProgrammed: OnProgrammed
  #waiting: Waiting[] = []

  constructor(state: ClusterState, onProgrammed: OnProgrammed) {
    this.#state = state
    this.#onProgrammed = onProgrammed
  }

  /**
   * A slice has changed. One that is gone says nothing: its time is that of an earlier change.
   * @param triggeredMs  since 1970; 0: nobody knows
   */
  changed(namespace: string, slice: Packed, triggeredMs: number): void {
    if (triggeredMs === 0 || slice === '' || this.#waiting.length === WAITING_MAX) return
    this.#waiting.push({ namespace, service: packedSliceService(slice), triggeredMs })
  }

  /** Everything that has changed is served. */
  served(nowMs: number): void {
    if (this.#waiting.length === 0) return
    const waiting = this.#waiting
    this.#waiting = []
    for (const { namespace, service, triggeredMs } of waiting) {
      const kind = this.#kindOf(namespace, service)
      // Two clocks: what seems to come from the future took no time.
      if (kind !== null) this.#onProgrammed(kind, Math.max(0, nowMs - triggeredMs) / 1000)
    }
  }

  #kindOf(namespace: string, name: string): ProgrammedKind | null {
    const service = this.#state.isExposed(namespace) ? this.#state.get('services', namespace, name) : undefined
    if (service?.[0] === 'C') return 'cluster_ip'
    return service?.[0] === 'H' ? 'headless_with_selector' : null
  }
}
