// The load over UDP: one thread that sends and receives in batches over many connected sockets, and never sleeps unless it is told to.
// Whoever sleeps costs the server a wake-up for each answer and himself the exact time, and both would be measured.
//
// Every socket is a flow of its own to the kernel and to the server (RFC 768 knows no other). In an open loop each round sends what is
// due, or may be, on the next socket, up to a batch: few system calls, and yet many flows under way.

import { Inbound, Outbound, Watches } from '../io/datagram-client.ts'
import { EAGAIN, ECONNREFUSED, EINTR, ENOBUFS } from '../io/layouts.ts'
import { closeDescriptor, SystemError } from '../io/libc.ts'
import { openClient, receiveQueueDrops } from '../io/sockets.ts'
import { StampClock } from '../io/stamp-clock.ts'
import { Answers } from './answers.ts'
import { Flights } from './flights.ts'
import { BATCH, BEFORE_END_MS, EXPIRY_EVERY_MS, type LoopParts, placesFor, shareOf } from './loop.ts'
import { QUERY_LENGTH_MAX } from './query-table.ts'
import type { RunSpec } from './run.ts'
import type { Pace } from './schedule.ts'
import { CONTROL_STOP, type RunTimes } from './worker-run.ts'

/** Queries that leave with one call in a closed loop, unless it has too few sockets for what is to be under way: few, so that many flows are. */
const CLOSED_BATCH = 8
const ANSWER_CAPACITY = 4096
/** With UDP_GRO a message is several datagrams. */
const COALESCED_SLOTS = 16
const COALESCED_CAPACITY = 65_536
const SOCKET_BUFFER = 4 * 1024 * 1024
/** Sockets of one worker: as many as one poll(2) takes. */
export const SOCKETS_MAX = 1000
/** So many sockets in a row without an answer: the others are asked about with one call, */
const MISSES_MAX = 3
/** and not again before this many times as long as that took has passed. */
const ASK_PAUSE = 8
/** The shortest time that poll(2) knows. */
const SLEEP_MS = 1
/** More queries a second than one worker sends: what closed loops and replays may come to. */
const RATE_UNKNOWN = 1_000_000
const clock = (): number => performance.now()

/** One run of one worker. */
export class UdpLoop {
  /** Calls that took messages. */
  receives = 0
  /** Milliseconds with nothing to do, of the time that counted. */
  idleMs = 0
  readonly #parts: LoopParts
  readonly #sockets: Int32Array
  readonly #flights: Flights
  readonly #answers: Answers
  readonly #outbound: Outbound
  readonly #inbound: Inbound
  readonly #watches: Watches
  /** null if the moment counts when a worker looked. */
  readonly #stamps: StampClock | null
  /** Sockets that answers are awaited on, as last gathered. */
  readonly #awaited: Int32Array
  /** Of the queries that are prepared to be sent. */
  readonly #batchQueries = new Uint32Array(BATCH)
  readonly #batchIntended = new Float64Array(BATCH)
  /** Queries under way in a closed loop; of an open one 0. */
  readonly #outstanding: number
  /** Queries that leave with one call, at most: an open loop has so many only when it is behind. A pair may make it one more. */
  readonly #batch: number
  /** Queries until the table has been sent as often as it is to be. */
  readonly #limit: number
  #nextSocket = 0
  /** When the system may be asked again. */
  #askAgainMs = 0
  #startMs = 0
  /** What is to be sent later is not. */
  #untilMs = 0
  /** Sent so far, by the pace. */
  #made = 0

  /** Opens the sockets. @throws SystemError */
  constructor(parts: LoopParts) {
    this.#parts = parts
    const { spec, cursor, worker, workers } = parts
    this.#limit = spec.passes > 0 ? spec.passes * cursor.perPass : Number.POSITIVE_INFINITY
    const { schedule } = spec
    const outstanding = schedule.kind === 'closed' ? shareOf(schedule.outstanding, worker, workers) : 0
    const sockets = shareOf(spec.sockets, worker, workers)
    // A socket without any query under way would only be looked at in vain.
    const count = Math.min(
      SOCKETS_MAX,
      Math.max(1, schedule.kind === 'closed' ? Math.min(sockets, outstanding) : sockets),
    )
    this.#outstanding = outstanding
    this.#batch =
      outstanding === 0 ? BATCH - 1 : Math.min(BATCH - 1, Math.max(CLOSED_BATCH, Math.ceil(outstanding / count)))
    this.#flights = new Flights(count, placesFor(spec, count * workers, RATE_UNKNOWN))
    this.#answers = new Answers(parts, this.#flights)
    this.#sockets = openAll(spec, count)
    this.#outbound = new Outbound(BATCH, QUERY_LENGTH_MAX)
    this.#inbound = spec.gso
      ? new Inbound(COALESCED_SLOTS, COALESCED_CAPACITY, true)
      : new Inbound(BATCH, ANSWER_CAPACITY, spec.isStamped === true)
    this.#stamps = spec.isStamped === true ? new StampClock() : null
    this.#watches = new Watches(this.#sockets)
    this.#awaited = new Int32Array(count)
  }

  /** Messages taken. */
  get received(): number {
    return this.#answers.received
  }

  /** Answers that the kernel had no room for. */
  get receiveDrops(): number {
    let drops = 0
    for (const socket of this.#sockets) drops += receiveQueueDrops(socket)
    return drops
  }

  /** @returns when sending ended: sooner than `toMs` if somebody wanted so, or if the table was sent as often as it was to be */
  run({ startMs, fromMs, toMs }: RunTimes): number {
    this.#startMs = startMs
    this.#untilMs = toMs - BEFORE_END_MS
    const { spec, tally, samples, control, cursor, pace } = this.#parts
    // What is due in the last moment may still leave: an open loop has a little longer to send it, and a closed one nothing to make up for.
    const lastMs = pace === null ? toMs : toMs + spec.lateMs
    let endMs = toMs
    let isSending = true
    let expiryMs = 0
    let previous = clock()
    while (previous < startMs) previous = clock()
    for (;;) {
      const now = clock()
      if (now >= tally.endsMs) tally.turn(now)
      if (isSending && (now >= lastMs || cursor.taken >= this.#limit || Atomics.load(control, CONTROL_STOP) !== 0)) {
        isSending = false
        endMs = Math.min(now, toMs)
      }
      if (!isSending && this.#flights.underWay === 0) return endMs
      const done = this.#pulse(now, isSending)
      if (now >= expiryMs) {
        for (let socket = 0; socket < this.#sockets.length; socket++) this.#answers.expire(socket, now - spec.timeoutMs)
        samples.turn(now)
        this.#stamps?.sync()
        expiryMs = now + EXPIRY_EVERY_MS
      }
      if (done === 0 && spec.sleeps === true) this.#look(0, Math.max(1, this.#findAwaited()), SLEEP_MS)
      if (done === 0 && now >= fromMs && now < toMs && isSending) this.idleMs += now - previous
      previous = now
    }
  }

  close(): void {
    for (const socket of this.#sockets) closeDescriptor(socket)
    this.#outbound.free()
    this.#inbound.free()
    this.#watches.free()
    this.#stamps?.free()
  }

  /** One round: takes what is there, sends what may be. @returns messages moved */
  #pulse(now: number, isSending: boolean): number {
    const { pace } = this.#parts
    const refills = pace === null && isSending && !this.#parts.samples.isFull
    let moved = this.#sweep(refills)
    if (refills) moved += this.#refill()
    if (pace !== null && isSending) moved += this.#sendDue(pace, now)
    return moved
  }

  /** Visits the sockets. @param refills  sends right behind the answers what a closed loop has room for */
  #sweep(refills: boolean): number {
    const awaited = this.#findAwaited()
    let moved = 0
    let misses = 0
    let i = 0
    // Those that were sent on first are mostly answered first: as long as that holds, nobody need be asked.
    for (; i < awaited && misses < MISSES_MAX; i++) {
      const taken = this.#visit(this.#awaited[i], refills)
      misses = taken === 0 ? misses + 1 : 0
      moved += taken
    }
    if (i === awaited) return moved
    const askedMs = clock()
    if (askedMs < this.#askAgainMs) return moved
    this.#look(i, awaited, 0)
    const answeredMs = clock()
    this.#askAgainMs = answeredMs + ASK_PAUSE * (answeredMs - askedMs)
    for (let rest = 0; i < awaited; i++, rest++) {
      if (this.#watches.isReady(rest)) moved += this.#visit(this.#awaited[i], refills)
    }
    return moved
  }

  /** Takes what a socket has. @returns messages moved */
  #visit(socket: number, refills: boolean): number {
    const taken = this.#take(socket)
    return taken > 0 && refills ? taken + this.#refill() : taken
  }

  /** Gathers the sockets that answers are awaited on, the one that was last sent on longest ago first. @returns how many */
  #findAwaited(): number {
    const { pending } = this.#flights
    const next = this.#nextSocket
    let awaited = 0
    for (let socket = next; socket < pending.length; socket++)
      if (pending[socket] > 0) this.#awaited[awaited++] = socket
    for (let socket = 0; socket < next; socket++) if (pending[socket] > 0) this.#awaited[awaited++] = socket
    return awaited
  }

  /** Asks the system which of those gathered, `from` to `end`, have something, waiting so long at most. */
  #look(from: number, end: number, timeoutMs: number): void {
    for (let i = from; i < end; i++) this.#watches.watch(i - from, this.#sockets[this.#awaited[i]])
    this.#watches.look(timeoutMs, end - from)
  }

  #take(socket: number): number {
    const inbound = this.#inbound
    const count = inbound.receive(this.#sockets[socket])
    if (count <= 0) {
      if (count !== -EAGAIN && count !== -EINTR) this.#failed(-count)
      return 0
    }
    const now = clock()
    const { gso } = this.#parts.spec
    this.receives++
    for (let slot = 0; slot < count; slot++) {
      const at = inbound.offset(slot)
      const length = inbound.length(slot)
      const segment = gso ? inbound.segmentLength(slot) : 0
      const stamp = this.#stamps === null ? now : inbound.stampMs(slot, this.#stamps)
      // No answer comes later than it is taken.
      const came = Math.min(stamp, now)
      if (segment === 0) this.#answer(socket, at, length, came)
      else
        for (let from = 0; from < length; from += segment)
          this.#answer(socket, at + from, Math.min(segment, length - from), came)
    }
    return count
  }

  #answer(socket: number, at: number, length: number, now: number): void {
    const { bytes, words } = this.#inbound
    const id = (bytes[at] << 8) | bytes[at + 1]
    this.#answers.take(socket, id, bytes, at, length, now, (at & 3) === 0 ? words : null)
  }

  /** Sends what is due by now, as far as one call takes it. */
  #sendDue(pace: Pace, now: number): number {
    const due = pace.dueBy(Math.min(now, this.#untilMs) - this.#startMs) - this.#made
    if (due <= 0) return 0
    const sent = this.#sendNext(Math.min(due, this.#batch), pace, now)
    this.#made += sent
    return sent
  }

  /** Sends what a closed loop has room for. */
  #refill(): number {
    let moved = 0
    for (;;) {
      const room = this.#outstanding - this.#flights.underWay
      if (room <= 0) return moved
      const sent = this.#sendNext(Math.min(room, this.#batch), null, clock())
      if (sent === 0) return moved
      moved += sent
    }
  }

  /** Sends so many queries on the next socket that has places for them. */
  #sendNext(wanted: number, pace: Pace | null, now: number): number {
    const count = this.#sockets.length
    for (let tried = 0; tried < count; tried++) {
      const socket = this.#nextSocket
      this.#nextSocket = socket + 1 < count ? socket + 1 : 0
      // A pair may make it one more.
      if (this.#flights.room(socket) > wanted) return this.#send(socket, wanted, pace, now)
    }
    return 0
  }

  /** Sends so many queries, and one more if a pair would be torn. @returns how many were sent */
  #send(socket: number, wanted: number, pace: Pace | null, now: number): number {
    const { spec } = this.#parts
    const count = this.#prepare(socket, wanted, pace, now)
    if (count === 0) return 0
    const descriptor = this.#sockets[socket]
    const result = spec.gso
      ? this.#outbound.sendSegments(descriptor, count, this.#parts.table.lengths[this.#batchQueries[0]])
      : this.#outbound.send(descriptor, count)
    const sent = Math.max(0, result)
    if (sent < count) this.#parts.cursor.retreat(count - sent)
    if (result < 0 && result !== -EAGAIN && result !== -EINTR && result !== -ENOBUFS) this.#failed(-result)
    if (sent > 0) this.#launch(socket, sent, now)
    return sent
  }

  /** Writes queries into the slots, from the cursor on. @returns how many */
  #prepare(socket: number, wanted: number, pace: Pace | null, now: number): number {
    const { cursor, table, spec } = this.#parts
    const length = table.lengths[cursor.query]
    let count = 0
    while (count < BATCH && cursor.taken < this.#limit) {
      const isFollower = cursor.isFollower
      if (count >= wanted && !(isFollower && count > 0)) break
      const query = cursor.query
      // The kernel cuts at equal lengths only.
      if (spec.gso && table.lengths[query] !== length) break
      this.#write(count, query, this.#flights.idOf(socket, count))
      this.#batchQueries[count] = query
      const intended = pace === null ? now : this.#startMs + pace.timeOf(this.#made + count)
      // A pair is asked at once.
      this.#batchIntended[count] = isFollower && count > 0 ? this.#batchIntended[count - 1] : intended
      cursor.advance()
      count++
    }
    return count
  }

  #write(slot: number, query: number, id: number): void {
    const { table } = this.#parts
    const { words } = this.#outbound
    const length = table.lengths[query]
    const from = table.offsets[query]
    const to = this.#outbound.wordOffset(slot)
    const end = (length + 3) >>> 2
    // The upper half of the first word stays: flags. Octets of a word are in the order of the memory: little-endian.
    words[to] = (table.words[from] & 0xffff_0000) | ((id & 0xff) << 8) | (id >>> 8)
    for (let word = 1; word < end; word++) words[to + word] = table.words[from + word]
    this.#outbound.setLength(slot, length)
  }

  #launch(socket: number, sent: number, now: number): void {
    const { tally, table } = this.#parts
    const flights = this.#flights
    for (let i = 0; i < sent; i++) {
      const query = this.#batchQueries[i]
      const intended = this.#batchIntended[i]
      flights.launch(socket, query, intended, now)
      tally.sent(intended, now, table.lengths[query])
    }
    tally.call(this.#batchIntended[0], now, sent)
  }

  /** Queries that the pace had until that time, and that never were sent. */
  unsentBy(endMs: number): number {
    const { pace } = this.#parts
    if (pace === null) return 0
    const due = pace.dueBy(Math.min(endMs, this.#untilMs) - this.#startMs)
    return Math.max(0, Math.min(due, this.#limit) - this.#made)
  }

  #failed(errno: number): void {
    this.#parts.tally.failed(errno === ECONNREFUSED ? 'ECONNREFUSED' : new SystemError('', errno).code)
  }
}

function openAll(spec: RunSpec, count: number): Int32Array {
  const opened: number[] = []
  try {
    while (opened.length < count)
      opened.push(openClient(spec.target.address, spec.target.port, SOCKET_BUFFER, spec.gso, spec.isStamped))
    return Int32Array.from(opened)
  } catch (error) {
    opened.forEach(closeDescriptor)
    throw error
  }
}
