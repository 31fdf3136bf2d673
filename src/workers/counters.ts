// What the metrics of queries are counted in: shared memory, a block for each worker. Each block has one writer and cache lines of its own,
// so plain stores do. Not here: names and text of the metrics (src/admin).
//
// A counter is two 32-bit words far apart: `low`, whose bits 0..30 count, and `high`, how often bit 31 of low has changed. So an addition is one
// on integers and `high` is hardly ever touched: 9 ns a query and its reply, where 64-bit floats took 19. Bit 31 of low equals bit 0 of high,
// but for the moment between the two stores: a reader that finds them different adds the missing one.
//
//     worker's block:  low words | high words | 64-bit floats: for each group the sum of its durations in seconds
//
// First come the slots of batches: buckets, sum. A group is what has labels of its own: server, zone and view. Its slots:
//
//     requests            proto * family * type
//     request lengths     proto * (buckets, sum)
//     response lengths    proto * (buckets, sum)
//     DO                  1
//     durations           buckets
//     responses           plugin * RCODE
//     events              as planned
//
// Buckets are not cumulative here, and behind the last bound there is one more for what is above.

import { bucketOf, type CounterValues, Gathered, TIME_BOUNDS } from '../counting/values.ts'
import { rcodeName } from '../dns/rcodes.ts'
import { TYPES } from '../dns/record-types.ts'

/** What is counted apart from the rest. */
export interface CounterGroup {
  /** Labels. */
  readonly server: string
  readonly zone: string
  readonly view: string
  /** Who may write a reply; '' (nobody) comes first. */
  readonly plugins: readonly string[]
  /** What else may happen; names without `coredns_`. */
  readonly events: readonly CounterEvent[]
}

/** One counter of a plugin. */
export interface CounterEvent {
  readonly name: string
  /** Besides server, zone and view. */
  readonly labels: Readonly<Record<string, string>>
}

/** Where everything is. Plain data: workers get it as it is. */
export interface CounterPlan {
  readonly groups: readonly CounterGroup[]
  /** First slot of each group, counted from the start of a worker's block. */
  readonly groupSlot: readonly number[]
  /** First slot of each group's events, counted likewise. */
  readonly eventSlot: readonly number[]
  /** Slots of all groups, and of the batches in front of them. */
  readonly slots: number
  /** Octets from one worker's block to the next one's. */
  readonly workerOctets: number
}

/** Upper bounds of the buckets of message lengths, in octets. */
export const SIZE_BOUNDS: readonly number[] = [
  0, 100, 200, 300, 400, 511, 1023, 2047, 4095, 8291, 16000, 32000, 48000, 64000,
]

/** Upper bounds of the buckets of how many messages came at once. */
export const BATCH_BOUNDS: readonly number[] = [1, 2, 4, 8, 16, 32, 48, 64]

const TYPE_LABELS = [
  ...(['A', 'AAAA', 'ANY', 'AXFR', 'CNAME', 'DNSKEY', 'DS', 'HTTPS', 'IXFR', 'MX', 'NS', 'NSEC', 'NSEC3'] as const),
  ...(['PTR', 'RRSIG', 'SOA', 'SRV', 'SVCB', 'TXT'] as const),
  'other' as const,
]
const TYPE_COUNT = TYPE_LABELS.length
const OTHER_TYPE = TYPE_COUNT - 1
const PROTO_LABELS = ['udp', 'tcp']
const FAMILY_LABELS = ['1', '2']
// Up to BADCOOKIE; the last is for all above.
const RCODE_LABELS = [...Array.from({ length: 24 }, (_, rcode) => rcodeName(rcode)), 'other']
const RCODE_COUNT = RCODE_LABELS.length
const OTHER_RCODE = RCODE_COUNT - 1

// Slots of batches.
const BATCH_SUM = BATCH_BOUNDS.length + 1
const BATCH_SLOTS = BATCH_SUM + 1

// Slots of a group.
const REQUESTS = 0
const REQUEST_LENGTHS = REQUESTS + PROTO_LABELS.length * FAMILY_LABELS.length * TYPE_COUNT
const LENGTH_SUM = SIZE_BOUNDS.length + 1
const LENGTH_SLOTS = LENGTH_SUM + 1
const RESPONSE_LENGTHS = REQUEST_LENGTHS + PROTO_LABELS.length * LENGTH_SLOTS
const DNSSEC_OK = RESPONSE_LENGTHS + PROTO_LABELS.length * LENGTH_SLOTS
const DURATIONS = DNSSEC_OK + 1
const DURATION_BUCKETS = TIME_BOUNDS.length + 1
const RESPONSES = DURATIONS + DURATION_BUCKETS

/** Two cache lines: neighboring ones are fetched together. */
const APART_OCTETS = 128
const APART_SLOTS = APART_OCTETS / 4
/** Messages shorter than this find their bucket in a table. */
const TABLE_LENGTH = 512

/** Finds a place for everything that `groups` count. */
export function planCounters(groups: readonly CounterGroup[]): CounterPlan {
  const groupSlot: number[] = []
  const eventSlot: number[] = []
  let slots = roundUp(BATCH_SLOTS, APART_SLOTS)
  for (const { plugins, events } of groups) {
    groupSlot.push(slots)
    slots += RESPONSES + plugins.length * RCODE_COUNT
    eventSlot.push(slots)
    slots = roundUp(slots + events.length, APART_SLOTS)
  }
  // Memory may begin anywhere within a cache line, hence one gap more.
  const workerOctets = 2 * slots * 4 + roundUp(groups.length * 8, APART_OCTETS) + APART_OCTETS
  return { groups, groupSlot, eventSlot, slots, workerOctets }
}

/** Memory for `workers` blocks, zeroed. */
export function createCounters(plan: CounterPlan, workers: number): SharedArrayBuffer {
  return new SharedArrayBuffer(workers * plan.workerOctets)
}

/** One worker's counters. Hot: integers in, a few additions, nothing allocated. Indexes must be those of the plan. */
export class QueryCounters {
  private readonly low: Int32Array
  private readonly high: Int32Array
  private readonly seconds: Float64Array
  private readonly groupSlot: Int32Array
  private readonly eventSlot: Int32Array
  private readonly typeSlot = new Uint8Array(256).fill(OTHER_TYPE)
  private readonly lengthSlot = Uint8Array.from({ length: TABLE_LENGTH }, (_, length) => bucketOf(SIZE_BOUNDS, length))
  private readonly timeBounds = Float64Array.from(TIME_BOUNDS)

  /**
   * @param memory  of createCounters() with this plan
   * @param worker  0-based
   */
  constructor(plan: CounterPlan, memory: SharedArrayBuffer, worker: number) {
    const block = blockOf(plan, memory, worker)
    this.low = block.low
    this.high = block.high
    this.seconds = block.seconds
    this.groupSlot = Int32Array.from(plan.groupSlot)
    this.eventSlot = Int32Array.from(plan.eventSlot)
    TYPE_LABELS.forEach((label, index) => {
      if (label !== 'other') this.typeSlot[TYPES[label]] = index
    })
  }

  /**
   * Counts a query.
   * @param stream    1 over TCP, else 0
   * @param ipv6      1 or 0
   * @param type      QTYPE
   * @param length    octets of the message
   * @param dnssecOk  1 or 0
   */
  query(group: number, stream: number, ipv6: number, type: number, length: number, dnssecOk: number): void {
    const base = this.groupSlot[group]
    const typeSlot = type < 256 ? this.typeSlot[type] : OTHER_TYPE
    this.add(base + REQUESTS + (stream * 2 + ipv6) * TYPE_COUNT + typeSlot, 1)
    if (dnssecOk !== 0) this.add(base + DNSSEC_OK, 1)
    this.addLength(base + REQUEST_LENGTHS + stream * LENGTH_SLOTS, length)
  }

  /**
   * Counts a reply.
   * @param rcode   with its extension by OPT
   * @param plugin  index into the group's plugins: who wrote it
   * @param length  octets of the message
   */
  reply(group: number, stream: number, rcode: number, plugin: number, length: number): void {
    const base = this.groupSlot[group]
    this.add(base + RESPONSES + plugin * RCODE_COUNT + Math.min(rcode, OTHER_RCODE), 1)
    this.addLength(base + RESPONSE_LENGTHS + stream * LENGTH_SLOTS, length)
  }

  /**
   * Counts how long `queries` queries took, `seconds` each: those of a batch took about as long, and a clock for each would cost more
   * than it says.
   */
  duration(group: number, seconds: number, queries: number): void {
    const { timeBounds } = this
    let bucket = 0
    while (bucket < timeBounds.length && seconds > timeBounds[bucket]) bucket++
    this.add(this.groupSlot[group] + DURATIONS + bucket, queries)
    this.seconds[group] += seconds * queries
  }

  /** Counts messages that came at once. */
  batch(messages: number): void {
    this.add(bucketOf(BATCH_BOUNDS, messages), 1)
    this.add(BATCH_SUM, messages)
  }

  /** Counts an event, by its index in the group's events. */
  event(group: number, event: number): void {
    this.add(this.eventSlot[group] + event, 1)
  }

  private addLength(first: number, length: number): void {
    const bucket = length < TABLE_LENGTH ? this.lengthSlot[length] : bucketOf(SIZE_BOUNDS, length)
    this.add(first + bucket, 1)
    this.add(first + LENGTH_SUM, length)
  }

  private add(slot: number, amount: number): void {
    const before = this.low[slot]
    const after = (before + amount) | 0
    this.low[slot] = after
    if ((before ^ after) < 0) this.high[slot] += 1
  }
}

/** What all workers have counted so far; cold. */
export function readCounters(plan: CounterPlan, memory: SharedArrayBuffer): CounterValues {
  const sums = new Float64Array(plan.slots)
  const seconds = new Float64Array(plan.groups.length)
  for (let worker = 0; (worker + 1) * plan.workerOctets <= memory.byteLength; worker++) {
    const block = blockOf(plan, memory, worker)
    for (let slot = 0; slot < sums.length; slot++) sums[slot] += read(block, slot)
    for (let group = 0; group < seconds.length; group++) seconds[group] += block.seconds[group]
  }
  const gathered = new Gathered()
  gathered.addHistogram('batch_messages', {}, Array.from(sums.subarray(0, BATCH_SUM)), sums[BATCH_SUM])
  plan.groups.forEach((group, index) => {
    readGroup(gathered, group, sums, plan.groupSlot[index], plan.eventSlot[index], seconds[index])
  })
  return gathered
}

interface Block {
  readonly low: Int32Array
  readonly high: Int32Array
  readonly seconds: Float64Array
}

function blockOf(plan: CounterPlan, memory: SharedArrayBuffer, worker: number): Block {
  const start = worker * plan.workerOctets
  const highStart = start + plan.slots * 4
  return {
    low: new Int32Array(memory, start, plan.slots),
    high: new Int32Array(memory, highStart, plan.slots),
    seconds: new Float64Array(memory, highStart + plan.slots * 4, plan.groups.length),
  }
}

/** One counter, while its worker goes on counting. */
function read({ low, high }: Block, slot: number): number {
  for (;;) {
    const flips = Atomics.load(high, slot)
    const word = Atomics.load(low, slot)
    if (Atomics.load(high, slot) !== flips) continue
    const missing = (flips & 1) === word >>> 31 ? 0 : 1
    return (flips + missing) * 2 ** 31 + (word & 0x7fff_ffff)
  }
}

function readGroup(
  into: Gathered,
  group: CounterGroup,
  sums: Float64Array,
  base: number,
  eventSlot: number,
  seconds: number,
): void {
  const { server, zone, view, plugins, events } = group
  const labels = { server, zone, view }
  let slot = base + REQUESTS
  for (const proto of PROTO_LABELS) {
    for (const family of FAMILY_LABELS) {
      for (const type of TYPE_LABELS) {
        into.addCounter('dns_requests_total', { ...labels, proto, family, type }, sums[slot++])
      }
    }
  }
  const addLengths = (name: string, first: number): void => {
    PROTO_LABELS.forEach((proto, index) => {
      const start = first + index * LENGTH_SLOTS
      const counts = Array.from(sums.subarray(start, start + LENGTH_SUM))
      into.addHistogram(name, { ...labels, proto }, counts, sums[start + LENGTH_SUM])
    })
  }
  addLengths('dns_request_size_bytes', base + REQUEST_LENGTHS)
  addLengths('dns_response_size_bytes', base + RESPONSE_LENGTHS)
  into.addCounter('dns_do_requests_total', labels, sums[base + DNSSEC_OK])
  slot = base + DURATIONS
  const durations = Array.from(sums.subarray(slot, slot + DURATION_BUCKETS))
  into.addHistogram('dns_request_duration_seconds', labels, durations, seconds)
  slot = base + RESPONSES
  for (const plugin of plugins) {
    for (const rcode of RCODE_LABELS) into.addCounter('dns_responses_total', { ...labels, rcode, plugin }, sums[slot++])
  }
  events.forEach((event, index) => {
    into.addCounter(event.name, { ...labels, ...event.labels }, sums[eventSlot + index])
  })
}

function roundUp(value: number, step: number): number {
  return Math.ceil(value / step) * step
}
