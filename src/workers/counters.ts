// What the metrics of queries are counted in: shared memory, a block of 64-bit floats for each worker, whole numbers but for the sums of
// seconds. Each block has one writer and cache lines of its own, so plain stores do. Not here: names and text of the metrics (src/admin).
//
// A group is what has labels of its own: server, zone and view. Its slots:
//
//     requests            proto * family * type
//     request lengths     proto * (buckets, sum)
//     response lengths    proto * (buckets, sum)
//     DO                  1
//     durations           buckets, sum
//     responses           plugin * RCODE
//     events              as planned
//
// Buckets are not cumulative here, and behind the last bound there is one more for what is above.

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
  /** Slots from one worker's block to the next one's. */
  readonly workerSlots: number
}

/** One counter with labels. */
export interface CounterSample {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

/** One histogram with labels. */
export interface HistogramSample {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  /** Not cumulative; one more than there are bounds. */
  readonly counts: readonly number[]
  readonly sum: number
}

/** Counted values by their labels; the keys are sampleKey(). What never happened is not in them. Names are without `coredns_`. */
export interface CounterValues {
  readonly counters: ReadonlyMap<string, CounterSample>
  readonly histograms: ReadonlyMap<string, HistogramSample>
}

/** Upper bounds of the buckets of durations, in seconds. */
export const TIME_BOUNDS: readonly number[] = Array.from({ length: 16 }, (_, k) => 0.00025 * 2 ** k)
/** Upper bounds of the buckets of message lengths, in octets. */
export const SIZE_BOUNDS: readonly number[] = [
  0, 100, 200, 300, 400, 511, 1023, 2047, 4095, 8291, 16000, 32000, 48000, 64000,
]

const TYPES: Readonly<Record<string, number>> = {
  A: 1,
  NS: 2,
  CNAME: 5,
  SOA: 6,
  PTR: 12,
  MX: 15,
  TXT: 16,
  AAAA: 28,
  SRV: 33,
  DS: 43,
  RRSIG: 46,
  NSEC: 47,
  DNSKEY: 48,
  NSEC3: 50,
  SVCB: 64,
  HTTPS: 65,
  IXFR: 251,
  AXFR: 252,
  ANY: 255,
}
const TYPE_LABELS = [...Object.keys(TYPES), 'other']
const TYPE_COUNT = TYPE_LABELS.length
const OTHER_TYPE = TYPE_COUNT - 1
const PROTO_LABELS = ['udp', 'tcp']
const FAMILY_LABELS = ['1', '2']
// RFC 6895 §2.3; the last is for those without a name.
const RCODE_LABELS = [
  ...['NOERROR', 'FORMERR', 'SERVFAIL', 'NXDOMAIN', 'NOTIMP', 'REFUSED', 'YXDOMAIN', 'YXRRSET', 'NXRRSET', 'NOTAUTH'],
  ...['NOTZONE', 'DSOTYPENI', 'RCODE12', 'RCODE13', 'RCODE14', 'RCODE15', 'BADVERS', 'BADKEY', 'BADTIME', 'BADMODE'],
  ...['BADNAME', 'BADALG', 'BADTRUNC', 'BADCOOKIE', 'other'],
]
const RCODE_COUNT = RCODE_LABELS.length
const OTHER_RCODE = RCODE_COUNT - 1

// Slots of a group.
const REQUESTS = 0
const REQUEST_LENGTHS = REQUESTS + PROTO_LABELS.length * FAMILY_LABELS.length * TYPE_COUNT
const LENGTH_SUM = SIZE_BOUNDS.length + 1
const LENGTH_SLOTS = LENGTH_SUM + 1
const RESPONSE_LENGTHS = REQUEST_LENGTHS + PROTO_LABELS.length * LENGTH_SLOTS
const DNSSEC_OK = RESPONSE_LENGTHS + PROTO_LABELS.length * LENGTH_SLOTS
const DURATIONS = DNSSEC_OK + 1
const DURATION_SUM = TIME_BOUNDS.length + 1
const RESPONSES = DURATIONS + DURATION_SUM + 1

const SLOT_OCTETS = 8
/** Two cache lines: neighboring ones are fetched together. */
const APART_SLOTS = 128 / SLOT_OCTETS

/** Finds a place for everything that `groups` count. */
export function planCounters(groups: readonly CounterGroup[]): CounterPlan {
  const groupSlot: number[] = []
  const eventSlot: number[] = []
  let slots = 0
  for (const { plugins, events } of groups) {
    groupSlot.push(slots)
    slots += RESPONSES + plugins.length * RCODE_COUNT
    eventSlot.push(slots)
    slots = roundUp(slots + events.length, APART_SLOTS)
  }
  // Memory may begin anywhere within a cache line, hence one gap more.
  return { groups, groupSlot, eventSlot, workerSlots: slots + APART_SLOTS }
}

/** Memory for `workers` blocks, zeroed. */
export function createCounters(plan: CounterPlan, workers: number): SharedArrayBuffer {
  return new SharedArrayBuffer(workers * plan.workerSlots * SLOT_OCTETS)
}

/** One worker's counters. Hot: integers in, a few additions, nothing allocated. Indexes must be those of the plan. */
export class QueryCounters {
  private readonly slots: Float64Array
  private readonly groupSlot: Int32Array
  private readonly eventSlot: Int32Array
  private readonly typeSlot = new Uint8Array(256).fill(OTHER_TYPE)
  private readonly timeBounds = Float64Array.from(TIME_BOUNDS)
  private readonly sizeBounds = Int32Array.from(SIZE_BOUNDS)

  /**
   * @param memory  of createCounters() with this plan
   * @param worker  0-based
   */
  constructor(plan: CounterPlan, memory: SharedArrayBuffer, worker: number) {
    this.slots = new Float64Array(memory, worker * plan.workerSlots * SLOT_OCTETS, plan.workerSlots)
    this.groupSlot = Int32Array.from(plan.groupSlot)
    this.eventSlot = Int32Array.from(plan.eventSlot)
    Object.values(TYPES).forEach((type, index) => {
      this.typeSlot[type] = index
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
    const { slots } = this
    const base = this.groupSlot[group]
    const typeSlot = type < 256 ? this.typeSlot[type] : OTHER_TYPE
    slots[base + REQUESTS + (stream * 2 + ipv6) * TYPE_COUNT + typeSlot] += 1
    slots[base + DNSSEC_OK] += dnssecOk
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
    const rcodeSlot = Math.min(rcode, OTHER_RCODE)
    this.slots[base + RESPONSES + plugin * RCODE_COUNT + rcodeSlot] += 1
    this.addLength(base + RESPONSE_LENGTHS + stream * LENGTH_SLOTS, length)
  }

  /**
   * Counts how long `queries` queries took, `seconds` each: those of a batch took about as long, and a clock for each would cost more
   * than it says.
   */
  duration(group: number, seconds: number, queries: number): void {
    const { slots, timeBounds } = this
    const first = this.groupSlot[group] + DURATIONS
    let bucket = 0
    while (bucket < timeBounds.length && seconds > timeBounds[bucket]) bucket++
    slots[first + bucket] += queries
    slots[first + DURATION_SUM] += seconds * queries
  }

  /** Counts an event, by its index in the group's events. */
  event(group: number, event: number): void {
    this.slots[this.eventSlot[group] + event] += 1
  }

  private addLength(first: number, length: number): void {
    const { slots, sizeBounds } = this
    let bucket = 0
    while (bucket < sizeBounds.length && length > sizeBounds[bucket]) bucket++
    slots[first + bucket] += 1
    slots[first + LENGTH_SUM] += length
  }
}

/** What all workers have counted so far; cold. */
export function readCounters(plan: CounterPlan, memory: SharedArrayBuffer): CounterValues {
  const sums = new Float64Array(plan.workerSlots)
  const all = new Float64Array(memory)
  for (let i = 0; i < all.length; i++) sums[i % plan.workerSlots] += all[i]
  const gathered = new Gathered()
  plan.groups.forEach((group, index) => {
    readGroup(gathered, group, sums, plan.groupSlot[index], plan.eventSlot[index])
  })
  return gathered
}

/** The key of a sample: the same for the same name and labels, in whatever order the labels stand. */
export function sampleKey(name: string, labels: Readonly<Record<string, string>>): string {
  return JSON.stringify([name, ...Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1))])
}

/** Keeps what was counted under earlier plans, so that nothing goes back when the configuration is loaded again. */
export class CounterHistory {
  readonly #past = new Gathered()

  /** Adds the last values of a plan that nobody counts with any more. */
  retire(values: CounterValues): void {
    this.#past.addAll(values)
  }

  /** What was counted ever: the past, and `current`. */
  total(...current: readonly CounterValues[]): CounterValues {
    const total = new Gathered()
    total.addAll(this.#past)
    for (const values of current) total.addAll(values)
    return total
  }
}

class Gathered implements CounterValues {
  readonly counters = new Map<string, CounterSample>()
  readonly histograms = new Map<string, HistogramSample>()

  addAll({ counters, histograms }: CounterValues): void {
    for (const { name, labels, value } of counters.values()) this.addCounter(name, labels, value)
    for (const { name, labels, counts, sum } of histograms.values()) this.addHistogram(name, labels, counts, sum)
  }

  addCounter(name: string, labels: Readonly<Record<string, string>>, value: number): void {
    if (value === 0) return
    const key = sampleKey(name, labels)
    const before = this.counters.get(key)
    this.counters.set(key, { name, labels, value: value + (before?.value ?? 0) })
  }

  addHistogram(name: string, labels: Readonly<Record<string, string>>, counts: readonly number[], sum: number): void {
    if (counts.every((count) => count === 0)) return
    const key = sampleKey(name, labels)
    const before = this.histograms.get(key)
    this.histograms.set(key, {
      name,
      labels,
      counts: counts.map((count, index) => count + (before?.counts[index] ?? 0)),
      sum: sum + (before?.sum ?? 0),
    })
  }
}

function readGroup(into: Gathered, group: CounterGroup, sums: Float64Array, base: number, eventSlot: number): void {
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
      addBuckets(into, name, { ...labels, proto }, sums, first + index * LENGTH_SLOTS, LENGTH_SUM)
    })
  }
  addLengths('dns_request_size_bytes', base + REQUEST_LENGTHS)
  addLengths('dns_response_size_bytes', base + RESPONSE_LENGTHS)
  into.addCounter('dns_do_requests_total', labels, sums[base + DNSSEC_OK])
  addBuckets(into, 'dns_request_duration_seconds', labels, sums, base + DURATIONS, DURATION_SUM)
  slot = base + RESPONSES
  for (const plugin of plugins) {
    for (const rcode of RCODE_LABELS) into.addCounter('dns_responses_total', { ...labels, rcode, plugin }, sums[slot++])
  }
  events.forEach((event, index) => {
    into.addCounter(event.name, { ...labels, ...event.labels }, sums[eventSlot + index])
  })
}

function addBuckets(
  into: Gathered,
  name: string,
  labels: Readonly<Record<string, string>>,
  sums: Float64Array,
  first: number,
  count: number,
): void {
  into.addHistogram(name, labels, Array.from(sums.subarray(first, first + count)), sums[first + count])
}

function roundUp(value: number, step: number): number {
  return Math.ceil(value / step) * step
}
