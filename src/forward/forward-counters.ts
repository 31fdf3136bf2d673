// What forwarding counts, for metrics: shared memory with one writer, the resolver thread, which a successor goes on with. Not here: what the
// cache and the queries of clients count (src/workers/counters.ts), and text.
//
// All are 64-bit floats: a double counts exactly to 2^53, one aligned store is never seen half done, and an exchange with an upstream costs
// thousands of times more than the addition.
//
//     process:   all upstreams down | rejected
//     upstream:  failed probes | connections: proto * (made, reused) | for each RCODE: buckets of durations, their sum in seconds
//
// Buckets are not cumulative; behind the last bound there is one more for what is above.

import { type CounterValues, Gathered, TIME_BOUNDS } from '../counting/values.ts'
import { rcodeName } from '../dns/rcodes.ts'

/** Where everything is. Plain data: workers get it as it is. */
export interface ForwardPlan {
  /** Label `to` of each upstream: 'IP:port', '[IPv6]:port'. */
  readonly tos: readonly string[]
}

/** How an upstream is talked to. */
export type UpstreamProto = 'udp' | 'tcp' | 'tcp-tls'

const PROTOS: readonly UpstreamProto[] = ['udp', 'tcp', 'tcp-tls']
const PROXY_NAME = 'forward'
// Up to BADCOOKIE; the last is for all above.
const RCODE_LABELS = [...Array.from({ length: 24 }, (_, rcode) => rcodeName(rcode)), 'other']
const OTHER_RCODE = RCODE_LABELS.length - 1

const ALL_DOWN = 0
const REJECTED = 1
const PROCESS_SLOTS = 2

// Slots of an upstream.
const FAILED_PROBES = 0
const CONNECTIONS = 1
const REUSED = 1
const CONNECTION_SLOTS = 2
const DURATIONS = CONNECTIONS + PROTOS.length * CONNECTION_SLOTS
const DURATION_SUM = TIME_BOUNDS.length + 1
const DURATION_SLOTS = DURATION_SUM + 1
const UPSTREAM_SLOTS = DURATIONS + RCODE_LABELS.length * DURATION_SLOTS

/** Finds a place for what is counted of each upstream. @param tos  labels of all upstreams, those of several `forward` once */
export function planForward(tos: readonly string[]): ForwardPlan {
  return { tos: [...new Set(tos)] }
}

/** Memory for the counters of `plan`, zeroed: 3.7 KB an upstream. */
export function createForwardCounters({ tos }: ForwardPlan): SharedArrayBuffer {
  return new SharedArrayBuffer((PROCESS_SLOTS + tos.length * UPSTREAM_SLOTS) * 8)
}

/** The writer. Nothing is allocated; an upstream that the plan does not have is not counted. */
export class ForwardCounters {
  private values!: Float64Array
  private readonly bounds = Float64Array.from(TIME_BOUNDS)
  private first!: ReadonlyMap<string, number>

  /** @param memory  of createForwardCounters() with this plan; what is in it is added to */
  constructor(plan: ForwardPlan, memory: SharedArrayBuffer) {
    this.countInto(plan, memory)
  }

  /** Counts there from now on. */
  countInto({ tos }: ForwardPlan, memory: SharedArrayBuffer): void {
    this.values = new Float64Array(memory)
    this.first = new Map(tos.map((to, index) => [to, PROCESS_SLOTS + index * UPSTREAM_SLOTS]))
  }

  /** An upstream has answered. @param rcode  with its extension by OPT   @param seconds  from the query that it answered */
  answered(to: string, rcode: number, seconds: number): void {
    const first = this.first.get(to)
    if (first === undefined) return
    const { values, bounds } = this
    const durations = first + DURATIONS + Math.min(rcode, OTHER_RCODE) * DURATION_SLOTS
    let bucket = 0
    while (bucket < bounds.length && seconds > bounds[bucket]) bucket++
    values[durations + bucket]++
    values[durations + DURATION_SUM] += seconds
  }

  /** A health check has failed. */
  probeFailed(to: string): void {
    const first = this.first.get(to)
    if (first !== undefined) this.values[first + FAILED_PROBES]++
  }

  /** A query goes to an upstream over a connection (for UDP: a socket) that is there already, or over a new one. */
  connection(to: string, proto: UpstreamProto, reused: boolean): void {
    const first = this.first.get(to)
    if (first === undefined) return
    this.values[first + CONNECTIONS + PROTOS.indexOf(proto) * CONNECTION_SLOTS + (reused ? REUSED : 0)]++
  }

  /** A query found all upstreams down. */
  allDown(): void {
    this.values[ALL_DOWN]++
  }

  /** A query was refused: there are `max_concurrent` under way. */
  rejected(): void {
    this.values[REJECTED]++
  }
}

/**
 * What has been counted so far; any thread, while the writer goes on. Names without `coredns_`, as section 11.2 of the Corefile reference has
 * them: those of `proxy`, and under their former names those of `forward`.
 */
export function readForwardCounters({ tos }: ForwardPlan, memory: SharedArrayBuffer): CounterValues {
  const values = new Float64Array(memory)
  const gathered = new Gathered()
  gathered.addCounter('forward_healthcheck_broken_total', {}, values[ALL_DOWN])
  gathered.addCounter('forward_max_concurrent_rejects_total', {}, values[REJECTED])
  tos.forEach((to, index) => {
    const first = PROCESS_SLOTS + index * UPSTREAM_SLOTS
    readUpstream(gathered, to, values.subarray(first, first + UPSTREAM_SLOTS))
  })
  return gathered
}

function readUpstream(into: Gathered, to: string, values: Float64Array): void {
  const proxy = { proxy_name: PROXY_NAME, to }
  into.addCounter('proxy_healthcheck_failures_total', proxy, values[FAILED_PROBES])
  into.addCounter('forward_healthcheck_failures_total', { to }, values[FAILED_PROBES])
  PROTOS.forEach((proto, index) => {
    const made = values[CONNECTIONS + index * CONNECTION_SLOTS]
    const reused = values[CONNECTIONS + index * CONNECTION_SLOTS + REUSED]
    into.addCounter('proxy_conn_cache_misses_total', { ...proxy, proto }, made)
    into.addCounter('proxy_conn_cache_hits_total', { ...proxy, proto }, reused)
    into.addCounter('forward_conn_cache_misses_total', { to, proto }, made)
    into.addCounter('forward_conn_cache_hits_total', { to, proto }, reused)
  })
  let answers = 0
  RCODE_LABELS.forEach((rcode, index) => {
    const start = DURATIONS + index * DURATION_SLOTS
    const counts = Array.from(values.subarray(start, start + DURATION_SUM))
    const sum = values[start + DURATION_SUM]
    const count = counts.reduce((total, each) => total + each, 0)
    into.addHistogram('proxy_request_duration_seconds', { ...proxy, rcode }, counts, sum)
    into.addHistogram('forward_request_duration_seconds', { to, rcode }, counts, sum)
    into.addCounter('forward_responses_total', { to, rcode }, count)
    answers += count
  })
  into.addCounter('forward_requests_total', { to }, answers)
}
