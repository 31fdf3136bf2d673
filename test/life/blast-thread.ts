// The thread of Blast (blast.ts): sends queries at the rate that shared memory says, as many to a system call as are due, and compares every
// answer with the octets that it must have. It never sleeps: its core is its own.

import { isMainThread, workerData } from 'node:worker_threads'
import * as layouts from '../../src/io/layouts.ts'
import * as libc from '../../src/io/libc.ts'
import { openClient } from '../../src/io/sockets.ts'

/** A query and its answer, with id 0. */
export interface Exchange {
  readonly query: Uint8Array
  readonly answer: Uint8Array
  /** Where the serial of its SOA is, four octets; -1 if it has none. A new index has a new serial. */
  readonly serialOffset: number
}

/** What the thread is told. */
export interface BlastTask {
  readonly port: number
  readonly exchanges: readonly Exchange[]
  readonly sockets: number
  /** Queries of one socket that may be under way; at most 65536. */
  readonly slots: number
  /** A Float64Array, by the words below. */
  readonly shared: SharedArrayBuffer
}

/** Words of the shared memory. RATE is queries a second (Infinity: as fast as they are answered), -1: end. All others are counters. */
export const RATE = 0
export const SENT = 1
export const ANSWERED = 2
export const LOST = 3
export const WRONG = 4
/** Answers to what was lost, or to nothing. */
export const STRAY = 5
export const UNDER_WAY = 6
/** The longest time that an answer took, milliseconds, since it was set to 0. */
export const SLOWEST_MS = 7
export const WORDS = 8

const BATCH = 32
const LOST_AFTER_MS = 3000
const SLOT_CAPACITY = 2048
const SKIPPED_MAX = 256
const SOCKET_BUFFER = 8 * 2 ** 20
// While it goes as fast as it can, so many are under way on each socket.
const CLOSED_LOOP = 32

class Receiver {
  readonly headers: number
  readonly octets: Uint8Array
  readonly words: Uint32Array

  constructor() {
    const vectors = BATCH * layouts.HEADER_SIZE
    const packets = vectors + BATCH * layouts.VECTOR_SIZE
    const length = packets + BATCH * SLOT_CAPACITY
    this.headers = libc.mapMemory(length)
    const view = libc.viewMemory(this.headers, length)
    this.words = new Uint32Array(view)
    this.octets = new Uint8Array(view, packets)
    for (let slot = 0; slot < BATCH; slot++) {
      const vector = vectors + slot * layouts.VECTOR_SIZE
      layouts.writeVector(this.words, vector / 4, this.headers + packets + slot * SLOT_CAPACITY, SLOT_CAPACITY)
      layouts.writeHeader(this.words, (slot * layouts.HEADER_SIZE) / 4, 0, 0, this.headers + vector, 0, 0)
    }
  }

  length(slot: number): number {
    return layouts.messageLength(this.words, (slot * layouts.HEADER_SIZE) / 4)
  }
}

/** The queries of all sockets: slot i has id i, in network order. */
function writeQueries({ exchanges, slots }: BlastTask): number {
  const stride = Math.max(...exchanges.map(({ query }) => query.length))
  const vectors = slots * layouts.HEADER_SIZE
  const packets = vectors + slots * layouts.VECTOR_SIZE
  const length = packets + slots * stride
  const memory = libc.mapMemory(length)
  const view = libc.viewMemory(memory, length)
  const words = new Uint32Array(view, 0, packets / 4)
  const octets = new Uint8Array(view, packets)
  for (let slot = 0; slot < slots; slot++) {
    const { query } = exchanges[slot % exchanges.length]
    octets.set(query, slot * stride)
    octets[slot * stride] = slot >>> 8
    octets[slot * stride + 1] = slot & 255
    const vector = vectors + slot * layouts.VECTOR_SIZE
    layouts.writeVector(words, vector / 4, memory + packets + slot * stride, query.length)
    layouts.writeHeader(words, (slot * layouts.HEADER_SIZE) / 4, 0, 0, memory + vector, 0, 0)
  }
  return memory
}

class Client {
  readonly socket: number
  /** When the query of a slot was sent; 0: nothing is under way. */
  readonly sentAt: Float64Array
  next = 0
  underWay = 0

  constructor(port: number, slots: number) {
    this.socket = openClient('127.0.0.1', port, SOCKET_BUFFER, false)
    this.sentAt = new Float64Array(slots)
  }
}

class Blaster {
  readonly #task: BlastTask
  readonly #values: Float64Array
  readonly #queries: number
  readonly #clients: readonly Client[]
  readonly #receiver = new Receiver()

  constructor(task: BlastTask) {
    this.#task = task
    this.#values = new Float64Array(task.shared)
    this.#queries = writeQueries(task)
    this.#clients = Array.from({ length: task.sockets }, () => new Client(task.port, task.slots))
  }

  run(): void {
    const values = this.#values
    const clients = this.#clients
    let rate = values[RATE]
    let began = performance.now()
    let sentBefore = values[SENT]
    for (let turn = 0; values[RATE] !== -1; turn++) {
      const client = clients[turn % clients.length]
      const now = performance.now()
      if (values[RATE] !== rate) {
        rate = values[RATE]
        began = now
        sentBefore = values[SENT]
      }
      const due =
        rate === Infinity ? CLOSED_LOOP - client.underWay : ((now - began) / 1000) * rate - (values[SENT] - sentBefore)
      if (due >= 1) this.#send(client, Math.min(BATCH, Math.floor(due)), now)
      if (client.underWay > 0) this.#receive(client, now)
    }
    for (const client of clients) libc.closeDescriptor(client.socket)
  }

  #send(client: Client, due: number, now: number): void {
    const { slots } = this.#task
    const { sentAt } = client
    // What takes long does not hold up the others.
    for (let skipped = 0; skipped < SKIPPED_MAX && !this.#isFree(client, client.next, now); skipped++) {
      client.next = (client.next + 1) % slots
    }
    const { next } = client
    const most = Math.min(due, slots - next)
    let free = 0
    while (free < most && this.#isFree(client, next + free, now)) free++
    if (free === 0) return
    const sent = libc.sendMessages(client.socket, this.#queries + next * layouts.HEADER_SIZE, free)
    if (sent <= 0) return
    sentAt.fill(now, next, next + sent)
    client.next = (next + sent) % slots
    client.underWay += sent
    this.#values[SENT] += sent
    this.#values[UNDER_WAY] += sent
  }

  #isFree(client: Client, slot: number, now: number): boolean {
    return client.sentAt[slot] === 0 || this.#isLost(client, slot, now)
  }

  #isLost(client: Client, slot: number, now: number): boolean {
    if (now - client.sentAt[slot] < LOST_AFTER_MS) return false
    this.#settle(client, slot)
    this.#values[LOST]++
    return true
  }

  #settle(client: Client, slot: number): void {
    client.sentAt[slot] = 0
    client.underWay--
    this.#values[UNDER_WAY]--
  }

  #receive(client: Client, now: number): void {
    const receiver = this.#receiver
    const { octets } = receiver
    const values = this.#values
    const count = libc.receiveMessages(client.socket, receiver.headers, BATCH)
    if (count <= 0) this.#giveUp(client, now)
    for (let i = 0; i < count; i++) {
      const start = i * SLOT_CAPACITY
      const slot = (octets[start] << 8) | octets[start + 1]
      const sentAt = slot < client.sentAt.length ? client.sentAt[slot] : 0
      if (sentAt === 0) {
        values[STRAY]++
        continue
      }
      if (now - sentAt > values[SLOWEST_MS]) values[SLOWEST_MS] = now - sentAt
      this.#settle(client, slot)
      values[ANSWERED]++
      if (!this.#isRight(slot, start, receiver.length(i))) values[WRONG]++
    }
  }

  #isRight(slot: number, start: number, length: number): boolean {
    const { octets } = this.#receiver
    const { exchanges } = this.#task
    const { answer, serialOffset } = exchanges[slot % exchanges.length]
    if (length !== answer.length) return false
    for (let i = 2; i < length; i++) {
      if (octets[start + i] !== answer[i] && (serialOffset < 0 || i < serialOffset || i >= serialOffset + 4))
        return false
    }
    return true
  }

  // Now and then, while nothing comes: what has been under way for too long is lost.
  #giveUp(client: Client, now: number): void {
    if (this.#values[RATE] !== 0) return
    for (let slot = 0; slot < client.sentAt.length; slot++)
      if (client.sentAt[slot] !== 0) this.#isLost(client, slot, now)
  }
}

if (!isMainThread) new Blaster(workerData as BlastTask).run()
