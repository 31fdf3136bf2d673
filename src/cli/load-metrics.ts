// The metrics of a load while it runs: what was counted since the command started, warm-ups included, by server. In the text that
// Prometheus scrapes; the machinery is that of the server's own metrics.

import { type Endpoint, openEndpoint } from '../admin/endpoints.ts'
import type { Family } from '../admin/metric-families.ts'
import { samplesHandler } from '../admin/metrics.ts'
import type { HttpAddress } from '../config/configuration.ts'
import type { CounterSample, HistogramSample } from '../counting/values.ts'
import { rcodeName } from '../dns/rcodes.ts'
import { bucketCounts } from '../load/histogram.ts'
import { RCODES, type Second } from '../load/run.ts'

/** Upper bounds of latencies, in seconds. */
const BOUNDS: readonly number[] = [
  ...[0.00005, 0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05],
  ...[0.1, 0.2, 0.5, 1, 2, 5, 10],
]
const BOUNDS_NS = BOUNDS.map((bound) => bound * 1e9)

const FAMILIES: readonly Family[] = [
  counter('sent_total', 'Queries sent.', ['server']),
  counter('answered_total', 'Queries answered in time.', ['server']),
  counter('lost_total', 'Queries without an answer in time.', ['server']),
  counter('responses_total', 'Answers.', ['server', 'rcode']),
  {
    name: 'peregrine_load_latency_seconds',
    kind: 'histogram',
    help: 'From the intended time of sending to the answer; of lost queries to when they were given up.',
    labels: ['server'],
    bounds: BOUNDS,
  },
]

function counter(name: string, help: string, labels: readonly string[]): Family {
  return { name: `peregrine_load_${name}`, kind: 'counter', help, labels, bounds: [] }
}

/** What was counted of one server. */
class ServerCounts {
  sent = 0
  answered = 0
  lost = 0
  readonly rcodes = new Array<number>(RCODES).fill(0)
  readonly buckets = new Array<number>(BOUNDS.length + 1).fill(0)
  sumSeconds = 0

  add(second: Second): void {
    this.sent += second.sent
    this.answered += second.answered
    this.lost += second.lost
    for (let rcode = 0; rcode < RCODES; rcode++) this.rcodes[rcode] += second.rcodes[rcode]
    const counts = bucketCounts(second.latency, BOUNDS_NS)
    for (let bucket = 0; bucket < counts.length; bucket++) this.buckets[bucket] += counts[bucket]
    if (second.latency.totalCount > 0) this.sumSeconds += (second.latency.mean * second.latency.totalCount) / 1e9
  }

  *samples(server: string): Iterable<CounterSample | HistogramSample> {
    const labels = { server }
    yield { name: 'peregrine_load_sent_total', labels, value: this.sent }
    yield { name: 'peregrine_load_answered_total', labels, value: this.answered }
    yield { name: 'peregrine_load_lost_total', labels, value: this.lost }
    for (const [rcode, value] of this.rcodes.entries()) {
      if (value > 0)
        yield { name: 'peregrine_load_responses_total', labels: { server, rcode: rcodeName(rcode) }, value }
    }
    yield { name: 'peregrine_load_latency_seconds', labels, counts: this.buckets, sum: this.sumSeconds }
  }
}

/** Counts, and tells whoever scrapes. */
export class LoadMetrics {
  readonly #servers: ReadonlyMap<string, ServerCounts>
  #endpoint: Endpoint | null = null

  /** @param servers  labels of all servers: each is there from the start, at 0 */
  constructor(servers: readonly string[]) {
    this.#servers = new Map(servers.map((label) => [label, new ServerCounts()]))
  }

  add(second: Second, server: string): void {
    this.#servers.get(server)?.add(second)
  }

  *samples(): Iterable<CounterSample | HistogramSample> {
    for (const [label, counts] of this.#servers) yield* counts.samples(label)
  }

  /** Serves `/metrics`. @returns the port @throws EndpointError if the address cannot be had */
  async listen(address: HttpAddress): Promise<number> {
    const handler = samplesHandler(FAMILIES, () => this.samples())
    this.#endpoint = await openEndpoint(address, new Map([['/metrics', handler]]))
    return this.#endpoint.port
  }

  async close(): Promise<void> {
    await this.#endpoint?.close()
  }
}
