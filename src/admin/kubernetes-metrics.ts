// Metrics of the `kubernetes` plugin, from what its feeds report.

import type { CounterSample, HistogramSample } from '../counting/values.ts'
import type { RequestTotals } from '../kube/watch/request-totals.ts'
import { Histogram } from './histogram.ts'
import { PROGRAMMING_BOUNDS } from './metric-families.ts'

/** All requests to API servers are GETs. */
const METHOD = 'GET'

/** Samples of requests to API servers. @param totals  of all feeds, with buckets as REST_BOUNDS has them */
export function* restSamples(totals: Iterable<RequestTotals>): Iterable<CounterSample | HistogramSample> {
  for (const { host, codes, durations, waits } of totals) {
    for (const [code, value] of Object.entries(codes)) {
      yield { name: 'kubernetes_rest_client_requests_total', labels: { code, method: METHOD, host }, value }
    }
    const labels = { verb: METHOD, host }
    yield {
      name: 'kubernetes_rest_client_request_duration_seconds',
      labels,
      counts: durations.counts,
      sum: durations.sum,
    }
    yield { name: 'kubernetes_rest_client_rate_limiter_duration_seconds', labels, counts: waits.counts, sum: waits.sum }
  }
}

/** How long changes took to be served; kept over reloads. */
export class ProgrammingTimes {
  readonly #byKind = new Map<string, Histogram>()

  /** @param serviceKind  `cluster_ip`, `headless_with_selector`, `headless_without_selector` */
  observe(serviceKind: string, seconds: number): void {
    let histogram = this.#byKind.get(serviceKind)
    if (histogram === undefined) {
      histogram = new Histogram(PROGRAMMING_BOUNDS)
      this.#byKind.set(serviceKind, histogram)
    }
    histogram.observe(seconds)
  }

  samples(): HistogramSample[] {
    return [...this.#byKind].map(([kind, histogram]) =>
      histogram.sample('kubernetes_dns_programming_duration_seconds', { service_kind: kind }),
    )
  }
}
