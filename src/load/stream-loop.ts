// The load over streams: TCP, TLS and HTTPS, and UDP where there is no other way, on the event loop of a worker thread. It keeps
// the times as exactly as an event loop can: while something is due or awaited it goes round without sleeping, and each round takes
// what has come before it sends.
//
// A query that no answer can come for any more (its connection has ended, its request failed) is lost when its time is over, as one
// that the server says nothing to. While no connection takes queries, because there is none or the server does not read what was
// sent, they wait: the latency from the intended time of sending shows it, but it is the server's doing and counts as no lateness of
// ours. What has waited as long as the timeout counts as sent and lost: whoever asks sees no difference. Of a closed loop nothing
// waits, it only has less under way.

import { Answers } from './answers.ts'
import { Flights, NO_FLIGHT } from './flights.ts'
import { BATCH, BEFORE_END_MS, EXPIRY_EVERY_MS, type LoopParts, placesFor, shareOf } from './loop.ts'
import type { Pace } from './schedule.ts'
import { ConnectionError, type Opener } from './streams/connection.ts'
import { ConnectionSlots, type SlotListener } from './streams/connection-slots.ts'
import { datagramOpener } from './streams/datagrams.ts'
import { httpsOpener } from './streams/https.ts'
import { Orphans } from './streams/orphans.ts'
import { QueryOctets } from './streams/query-octets.ts'
import { tcpOpener } from './streams/tcp.ts'
import { tlsOpener } from './streams/tls.ts'
import { CONTROL_STOP, type RunTimes } from './worker-run.ts'

/** Places for queries under way, of all connections of a worker, if they need no more. */
const PLACES = 2 ** 20
/** What is due sooner is waited for without sleeping: timers are that inexact. */
const SPIN_MS = 2
/** The longest sleep: somebody may want the run to end. */
const SLEEP_MAX_MS = 20
/** With answers awaited, if it is to sleep at all (RunSpec.sleeps): one that comes ends it. */
const SLEEP_AWAITED_MS = 1
/** Sleep when there is nothing to send to, or all that is left is to count what was lost. */
const NAP_MS = 4
const clock = (): number => performance.now()

/** One run of one worker. */
export class StreamLoop implements SlotListener {
  /** Milliseconds with nothing to do, of the time that counted. */
  idleMs = 0
  /** No single call takes them. */
  readonly receives = 0
  /** What is not read, the other side keeps. */
  readonly receiveDrops = 0
  readonly #parts: LoopParts
  readonly #slots: ConnectionSlots
  readonly #flights: Flights
  readonly #orphans: Orphans
  readonly #answers: Answers
  /** Of the queries that are about to be sent; a pair may make it one more. */
  readonly #batchQueries = new Uint32Array(BATCH + 1)
  readonly #batchIntended = new Float64Array(BATCH + 1)
  /** Queries under way in a closed loop; of an open one 0. */
  readonly #outstanding: number
  /** What of it each connection has: of those that are open, even shares. */
  readonly #limits: Int32Array
  /** Queries until the table has been sent as often as it is to be. */
  readonly #queriesMax: number
  #times: RunTimes = { startMs: 0, fromMs: 0, toMs: 0 }
  #nextSlot = 0
  /** What is to be sent later is not. */
  #untilMs = 0
  /** Sent so far, by the pace. */
  #made = 0
  /** When no connection took what was due, the last time. */
  #blockedMs = Number.NEGATIVE_INFINITY
  #isSending = false
  #endMs = 0
  #expiryMs = 0
  #hasBegun = false
  /** Of the round before: its end, and what had been received. */
  #roundMs = 0
  #roundReceived = 0
  #isFullSaid = false
  #sleep: NodeJS.Timeout | null = null
  #isClosed = false
  #ended = Promise.withResolvers<number>()

  /** Connects. @throws ConnectionError if no connection can be made */
  static async open(parts: LoopParts): Promise<StreamLoop> {
    const loop = new StreamLoop(parts)
    try {
      await loop.#slots.openAll()
    } catch (error) {
      loop.close()
      const { label } = parts.spec.target
      const { code, message } = ConnectionError.from(error as Error)
      throw new ConnectionError(code, `server ${label}: ${message}`)
    }
    return loop
  }

  private constructor(parts: LoopParts) {
    this.#parts = parts
    const { spec, cursor, worker, workers } = parts
    const { schedule } = spec
    const isClosed = schedule.kind === 'closed'
    this.#outstanding = isClosed ? shareOf(schedule.outstanding, worker, workers) : 0
    const share = shareOf(spec.sockets, worker, workers)
    const count = Math.max(1, isClosed ? Math.min(share, this.#outstanding) : share)
    this.#limits = new Int32Array(count)
    const places = Math.max(placesFor(spec, count * workers, 0), Math.floor(PLACES / count))
    this.#flights = new Flights(count, places)
    this.#orphans = new Orphans(count)
    this.#answers = new Answers(parts, this.#flights)
    this.#queriesMax = spec.passes > 0 ? spec.passes * cursor.perPass : Number.POSITIVE_INFINITY
    this.#slots = new ConnectionSlots(count, openerOf(parts), this)
  }

  /** Messages taken. */
  get received(): number {
    return this.#answers.received
  }

  /** @returns when sending ended: sooner than `toMs` if somebody wanted so, or if the table was sent as often as it was to be */
  run(times: RunTimes): Promise<number> {
    this.#times = times
    this.#untilMs = times.toMs - BEFORE_END_MS
    this.#isSending = true
    this.#round()
    return this.#ended.promise
  }

  close(): void {
    this.#isClosed = true
    this.#slots.close()
  }

  /** Queries that the pace had until that time, and that never were sent. */
  unsentBy(endMs: number): number {
    const { pace } = this.#parts
    return pace === null ? 0 : Math.max(0, this.#dueBy(pace, endMs) - this.#made)
  }

  opened(): void {
    this.#parts.tally.connected()
    this.#share()
  }

  refused(what: string): void {
    this.#parts.tally.failed(what)
  }

  ended(slot: number, error: ConnectionError | null, isSilent: boolean): void {
    const { tally } = this.#parts
    this.#share()
    const flights = this.#flights
    if (error !== null) tally.failed(error.code)
    else if (isSilent && flights.pending[slot] > 0) tally.failed('connection closed with queries under way')
    if (!isSilent) return
    for (;;) {
      const place = flights.overdue(slot, Number.POSITIVE_INFINITY)
      if (place === NO_FLIGHT) return
      this.#orphans.add(slot, flights.intendedAt(place), flights.sentAt(place))
      flights.settle(slot, place)
    }
  }

  message(slot: number, id: number, bytes: Uint8Array, at: number, length: number): void {
    const { tally } = this.#parts
    const now = clock()
    if (now >= tally.endsMs) tally.turn(now)
    if (this.#sleep !== null) this.#wake()
    this.#answers.take(slot, id, bytes, at, length, now)
  }

  /** Once through everything that there is to do; then again, as soon as there may be something. */
  readonly #round = (): void => {
    this.#sleep = null
    if (this.#isClosed) return
    try {
      const now = clock()
      if (now >= this.#times.startMs) this.#work(now)
      if (!this.#isSending && this.#underWay === 0) this.#ended.resolve(this.#endMs)
      else this.#wait()
    } catch (error) {
      this.#ended.reject(error)
    }
  }

  #work(now: number): void {
    const { tally, pace, samples } = this.#parts
    const { fromMs, toMs } = this.#times
    if (this.#isSending && this.#roundReceived === this.received && now >= fromMs && now < toMs) {
      this.idleMs += now - Math.max(fromMs, this.#roundMs)
    }
    if (now >= tally.endsMs) tally.turn(now)
    if (!this.#hasBegun && now >= fromMs) this.#begin()
    if (this.#isSending && this.#isOver(now)) this.#stopSending(now)
    if (this.#isSending) {
      if (pace !== null) this.#sendDue(pace, now)
      else if (!samples.isFull) this.#refill()
    }
    if (now >= this.#expiryMs) {
      this.#expire(now)
      samples.turn(now)
      this.#slots.turn(now)
      this.#expiryMs = now + EXPIRY_EVERY_MS
    }
    this.#roundReceived = this.received
    this.#roundMs = clock()
  }

  /** Connections that are there when it begins to count, count. */
  #begin(): void {
    this.#hasBegun = true
    if (this.#parts.spec.warmupMs === 0) return
    for (let slot = 0; slot < this.#slots.count; slot++) if (this.#slots.isOpen(slot)) this.#parts.tally.connected()
  }

  #isOver(now: number): boolean {
    const { pace, control, cursor, spec } = this.#parts
    const { toMs } = this.#times
    if (cursor.taken >= this.#queriesMax || Atomics.load(control, CONTROL_STOP) !== 0) return true
    if (now < toMs || pace === null) return now >= toMs
    if (this.#made >= this.#dueBy(pace, now)) return true
    // What is due in the last moment may still leave, and what had to wait for a connection.
    return now >= toMs + spec.lateMs && this.#intendedMs(pace) > this.#blockedMs
  }

  #stopSending(now: number): void {
    this.#isSending = false
    this.#endMs = Math.min(now, this.#times.toMs)
    const { pace } = this.#parts
    if (pace !== null) this.#loseWaiting(pace, this.#dueBy(pace, this.#endMs), Number.POSITIVE_INFINITY)
  }

  /** Sends what is due by now, as far as connections take it. */
  #sendDue(pace: Pace, now: number): void {
    const due = this.#dueBy(pace, now)
    if (this.#made >= due) return
    this.#loseWaiting(pace, due, now - this.#parts.spec.timeoutMs)
    const { count } = this.#slots
    for (let tried = 0; tried < count; tried++) {
      if (this.#made >= due) return
      const slot = this.#nextSlot
      this.#nextSlot = slot + 1 < count ? slot + 1 : 0
      this.#made += this.#send(slot, due - this.#made, pace)
    }
    for (let slot = 0; slot < count; slot++) if (this.#room(slot) > 0) return
    if (this.#made < due) this.#blockedMs = clock()
  }

  /** Of a closed loop: sends what there is room for. */
  #refill(): void {
    const { cursor } = this.#parts
    const { pending } = this.#flights
    const { count } = this.#slots
    const first = this.#nextSlot
    this.#nextSlot = first + 1 < count ? first + 1 : 0
    for (let i = 0; i < count; i++) {
      const slot = (first + i) % count
      const wanted = Math.min(this.#limits[slot] - pending[slot], this.#outstanding - this.#underWay)
      if (wanted <= 0) continue
      if (this.#slots.room(slot) < wanted) this.#sayFull(slot)
      this.#send(slot, Math.min(wanted, this.#queriesMax - cursor.taken), null)
    }
  }

  /** Shares out what a closed loop has under way. */
  #share(): void {
    const { count } = this.#slots
    let open = 0
    for (let slot = 0; slot < count; slot++) if (this.#slots.isOpen(slot)) open++
    let rank = 0
    for (let slot = 0; slot < count; slot++) {
      this.#limits[slot] = this.#slots.isOpen(slot) ? shareOf(this.#outstanding, rank++, open) : 0
    }
  }

  /** A closed loop has less under way than it was to have. */
  #sayFull(slot: number): void {
    if (this.#isFullSaid || !this.#hasBegun || !this.#slots.isOpen(slot)) return
    this.#isFullSaid = true
    this.#parts.tally.failed('connection that takes less at a time than was to be outstanding')
  }

  /** Queries that may be sent over a connection now, and one more. */
  #room(slot: number): number {
    return Math.min(this.#slots.room(slot), this.#flights.room(slot) - 1)
  }

  /** Sends up to so many queries, and one more if a pair would be torn. @returns how many were sent */
  #send(slot: number, wanted: number, pace: Pace | null): number {
    const room = this.#room(slot)
    if (room <= 0 || wanted <= 0) return 0
    const { tally, table } = this.#parts
    const flights = this.#flights
    const now = clock()
    const count = this.#pick(Math.min(wanted, room, BATCH), pace, now)
    this.#slots.send(slot, this.#batchQueries, count, flights.idOf(slot, 0), now)
    for (let i = 0; i < count; i++) {
      const query = this.#batchQueries[i]
      const intended = this.#batchIntended[i]
      flights.launch(slot, query, intended, now)
      tally.sent(this.#mayLeaveMs(intended), now, table.lengths[query])
    }
    tally.call(this.#mayLeaveMs(this.#batchIntended[0]), now, count)
    return count
  }

  /** Takes queries for a batch, from the cursor on. @returns how many */
  #pick(wanted: number, pace: Pace | null, now: number): number {
    const { cursor } = this.#parts
    let count = 0
    while (count < wanted || (count === wanted && cursor.isFollower && cursor.taken < this.#queriesMax)) {
      const isPaired = cursor.isFollower && count > 0
      this.#batchQueries[count] = cursor.query
      const intended = pace === null ? now : this.#times.startMs + pace.timeOf(this.#made + count)
      // A pair is asked at once.
      this.#batchIntended[count] = isPaired ? this.#batchIntended[count - 1] : intended
      cursor.advance()
      count++
    }
    return count
  }

  /** When a query could be sent that was to be sent at that time: not before a connection took it. Whether it counts stays as it is. */
  #mayLeaveMs(intendedMs: number): number {
    return intendedMs < this.#times.fromMs ? intendedMs : Math.max(intendedMs, this.#blockedMs)
  }

  /** Gives up queries that wait for a connection, of those until number `due`, and were to be sent before that time. */
  #loseWaiting(pace: Pace, due: number, beforeMs: number): void {
    const { tally, spec, cursor } = this.#parts
    for (; this.#made < due; this.#made++) {
      const intended = this.#intendedMs(pace)
      if (intended >= beforeMs || intended > this.#blockedMs) return
      tally.sent(intended, intended, 0)
      tally.lost(intended, intended, spec.timeoutMs)
      tally.failed('query that no connection took in time')
      cursor.advance()
    }
  }

  /** Gives up what has had no answer for too long. */
  #expire(now: number): void {
    const { tally, spec } = this.#parts
    const beforeMs = now - spec.timeoutMs
    const lose = (intendedMs: number, sentMs: number): void => tally.lost(intendedMs, sentMs, spec.timeoutMs)
    for (let slot = 0; slot < this.#slots.count; slot++) {
      this.#answers.expire(slot, beforeMs)
      this.#orphans.takeBefore(slot, beforeMs, lose)
    }
    this.#slots.giveUp(beforeMs)
  }

  /** Comes back at once while answers are awaited or something is due; else sleeps a little. */
  #wait(): void {
    const isAwaited = this.#flights.underWay > 0
    const sleepMs = isAwaited ? SLEEP_AWAITED_MS : this.#nothingUntilMs - clock() - SPIN_MS / 2
    if ((isAwaited && this.#parts.spec.sleeps !== true) || sleepMs < SPIN_MS / 2) setImmediate(this.#round)
    else this.#sleep = setTimeout(this.#round, Math.min(SLEEP_MAX_MS, sleepMs))
  }

  #wake(): void {
    clearTimeout(this.#sleep ?? undefined)
    this.#sleep = null
    setImmediate(this.#round)
  }

  /** Until when there is nothing to send; unless something is awaited, a sleep does no harm until then. */
  get #nothingUntilMs(): number {
    const { pace } = this.#parts
    const { startMs } = this.#times
    if (this.#roundMs < startMs) return startMs
    if (this.#isSending && pace !== null && this.#blockedMs < this.#roundMs - SPIN_MS) return this.#intendedMs(pace)
    return this.#roundMs + NAP_MS
  }

  get #underWay(): number {
    return this.#flights.underWay + this.#orphans.total
  }

  /** Queries that are to be sent by that time, if there are so many. */
  #dueBy(pace: Pace, ms: number): number {
    return Math.min(pace.dueBy(Math.min(ms, this.#untilMs) - this.#times.startMs), this.#queriesMax)
  }

  /** When the next query is to be sent. */
  #intendedMs(pace: Pace): number {
    return this.#times.startMs + pace.timeOf(this.#made)
  }
}

function openerOf({ spec: { target }, table }: LoopParts): Opener {
  const octets = new QueryOctets(table)
  switch (target.transport) {
    case 'tcp':
      return tcpOpener(target, octets)
    case 'tls':
      return tlsOpener(target, octets)
    case 'https':
      return httpsOpener(target, octets)
    case 'udp':
      return datagramOpener(target, octets)
  }
}
