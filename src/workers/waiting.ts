// A query that waits in the resolver thread, and its way back: in a slot of a worker's table, with the answer sent on that worker's socket; or with a
// worker that has an event loop, which sends the answer itself.

import type { MissReader } from '../forward/miss-table.ts'
import type { Outbox } from '../io/outbox.ts'
import type { MessagePeers, PeerReader } from './answerer.ts'

/** Where a query stands, to be answered in place. */
export interface Opened {
  readonly packet: Uint8Array
  readonly start: number
  readonly length: number
  readonly capacity: number
}

/** What is the same for all of them. */
export interface Waiting extends PeerReader {
  /** Has what is being asked for it forget it; null: nothing is. */
  leave: (() => void) | null
  readonly kind: number
  readonly listener: number
  /** -1: none. */
  readonly route: number
  /** Came over TCP. */
  readonly stream: boolean
  /** 1 or 0. */
  readonly ipv6: number
  /** On the clock of all threads. */
  readonly beganMs: number
  /** Octets of the query as it came. */
  readonly size: number
  /** It has been answered, and may be another query by now. */
  readonly isClosed: boolean
  /** Puts the query where its answer is to be written. Until close(), nothing else is opened. */
  open(): Opened
  /** Sends what stands there; 0 octets: nothing. @returns false if that has been done already */
  close(length: number): boolean
}

/** Answers to what waited in slots, on their way out. A slot is given back when its answer has left: until then a successor finds it. */
export class Posted {
  readonly outbox: Outbox
  /** What waits in slots, in the order in which it was taken. */
  readonly waiting = new Set<SlotWaiting>()
  readonly #tables: MissReader[] = []
  readonly #slots: number[] = []

  constructor(outbox: Outbox) {
    this.outbox = outbox
  }

  add(table: MissReader, slot: number): void {
    this.#tables.push(table)
    this.#slots.push(slot)
  }

  /** Sends what is gathered. */
  flush(): void {
    this.outbox.flush()
    for (let i = 0; i < this.#slots.length; i++) this.#tables[i].giveBack(this.#slots[i])
    this.#tables.length = 0
    this.#slots.length = 0
  }
}

/** One in a slot. */
export class SlotWaiting implements Waiting {
  leave: (() => void) | null = null
  readonly kind: number
  readonly listener: number
  readonly route: number
  readonly stream = false
  readonly ipv6: number
  readonly beganMs: number
  readonly size: number
  readonly generation: number
  readonly table: MissReader
  readonly #slot: number
  readonly #posted: Posted
  isClosed = false

  constructor(table: MissReader, slot: number, posted: Posted) {
    this.table = table
    this.#slot = slot
    this.#posted = posted
    posted.waiting.add(this)
    this.generation = table.generation(slot)
    this.kind = table.kind(slot)
    this.listener = table.listener(slot)
    this.route = table.route(slot)
    this.ipv6 = table.ipv6(slot)
    this.beganMs = table.beganMs(slot)
    this.size = table.size(slot)
  }

  open(): Opened {
    const { table } = this
    const slot = this.#slot
    const { outbox } = this.#posted
    const { bytes, capacity } = outbox
    const start = outbox.place(table.descriptor(slot))
    const length = table.messageLength(slot)
    const from = table.messageAt(slot)
    const { octets } = table
    for (let i = 0; i < length; i++) bytes[start + i] = octets[from + i]
    return { packet: bytes, start, length, capacity }
  }

  close(length: number): boolean {
    if (this.isClosed) return false
    this.isClosed = true
    this.#posted.waiting.delete(this)
    const { table } = this
    const slot = this.#slot
    if (length === 0) {
      table.giveBack(slot)
      return true
    }
    const names = table.nameLength(slot)
    const controls = table.controlLength(slot)
    this.#posted.outbox.post(length, table.octets, table.nameAt(slot), names, table.controlAt(slot), controls)
    this.#posted.add(table, slot)
    return true
  }

  readPeers(into: MessagePeers): void {
    const { table } = this
    const slot = this.#slot
    const { octets } = table
    const clientAt = table.clientAt(slot)
    const localAt = table.localAt(slot)
    into.clientLength = table.clientLength(slot)
    into.clientPort = table.clientPort(slot)
    into.localLength = table.localLength(slot)
    into.localPort = table.localPort(slot)
    for (let i = 0; i < into.clientLength; i++) into.client[i] = octets[clientAt + i]
    for (let i = 0; i < into.localLength; i++) into.local[i] = octets[localAt + i]
  }
}

/** What a worker with an event loop posts into the channel: plain data. */
export interface WaitingCall {
  /** Of the asking worker, never used twice, by its successors neither. */
  readonly ask: number
  /** The resolver that is asked; 0: the worker knows of none yet. */
  readonly to: number
  /** The asking worker, by its reader number. */
  readonly from: number
  readonly kind: number
  readonly listener: number
  readonly route: number
  readonly generation: number
  readonly stream: boolean
  readonly ipv6: number
  readonly beganMs: number
  readonly size: number
  readonly peers: MessagePeers
  readonly message: Uint8Array
  /** Resolvers that died over it. */
  readonly deaths: number
}

/** What the resolver posts back. */
export interface WaitingAnswer {
  readonly answer: number
  readonly to: number
  /** Empty: nothing is to be sent. */
  readonly message: Uint8Array
}

/** A resolver says that it is there: what an earlier one was asked is to be asked again. */
export interface ResolverHello {
  /** Never used twice. */
  readonly resolver: number
}

/** A worker wants to know who is there. */
export interface ResolverSought {
  readonly sought: true
}

/** All that goes through the channel. */
export type ChannelMessage = WaitingCall | WaitingAnswer | ResolverHello | ResolverSought

const STREAM_CAPACITY = 65_535
const DATAGRAM_CAPACITY = 4096
const scratch = new Uint8Array(STREAM_CAPACITY + 1)

/** One that came through the channel. */
export class CallWaiting implements Waiting {
  leave: (() => void) | null = null
  readonly kind: number
  readonly listener: number
  readonly route: number
  readonly stream: boolean
  readonly ipv6: number
  readonly beganMs: number
  readonly size: number
  readonly #call: WaitingCall
  readonly #answer: (answer: WaitingAnswer) => void
  isClosed = false

  constructor(call: WaitingCall, answer: (answer: WaitingAnswer) => void) {
    this.#call = call
    this.#answer = answer
    const { kind, listener, route, stream, ipv6, beganMs, size } = call
    this.kind = kind
    this.listener = listener
    this.route = route
    this.stream = stream
    this.ipv6 = ipv6
    this.beganMs = beganMs
    this.size = size
  }

  open(): Opened {
    const { message } = this.#call
    scratch.set(message)
    const capacity = this.stream ? STREAM_CAPACITY : DATAGRAM_CAPACITY
    return { packet: scratch, start: 0, length: message.length, capacity }
  }

  close(length: number): boolean {
    if (this.isClosed) return false
    this.isClosed = true
    const { ask, from } = this.#call
    this.#answer({ answer: ask, to: from, message: scratch.slice(0, length) })
    return true
  }

  readPeers(into: MessagePeers): void {
    into.set(this.#call.peers)
  }
}
