// The loop of a query worker: wait, receive a batch, answer it in place, send it.
//
// Runs as one endless Piscina task. There is no `try` in it: an exception ends the task, the main thread logs the cause
// and starts a successor at once on the same sockets and the same slab, which finishes the batch (see `resume`).

import { receiveMessageOnPort, threadId } from 'node:worker_threads'
import { sendBatch } from '../io/batch.ts'
import { EAGAIN, ECONNREFUSED, EINTR, isReady, writeWatch } from '../io/layouts.ts'
import { clearEvent, WAIT_MAX_MS, waitForInput } from '../io/libc.ts'
import { EMPTY, PACKET_CAPACITY, RECEIVED, Slab, type SlabPlace } from '../io/slab.ts'
import type { Answerer, AnswererFactory, AnswerSource, prepareAnswerer } from './answer.ts'
import { LATER, type MessagePeers } from './answerer.ts'
import {
  ANSWERED_COUNTER,
  BATCHES_COUNTER,
  BUSY,
  ControlBlock,
  RECEIVE_ERRORS_COUNTER,
  RECEIVED_COUNTER,
  RESUMED_COUNTER,
  SEND_ERRORS_COUNTER,
  SILENT_COUNTER,
  STOPPED,
  WAITING,
} from './control.ts'
import { collectGarbage, LET_GO, letGo } from './garbage.ts'
import type { Assigned, Later } from './pool.ts'
import { SlotSink } from './slot-sink.ts'

/** What a query worker is handed: numbers and shared memory, all owned by the main thread. */
export interface QueryTask {
  readonly worker: number
  readonly control: SharedArrayBuffer
  readonly slab: SlabPlace
  /** eventfd that wakes the worker. */
  readonly event: number
  /** URL of a module that exports `prepareAnswerer`. */
  readonly answererModule: string
}

/** What it is to do now. */
export interface QueryAssignment {
  readonly source: AnswerSource
  /** At most SOCKETS_MAX. */
  readonly sockets: readonly QuerySocket[]
}

/** A datagram socket of the worker's. */
export interface QuerySocket {
  readonly descriptor: number
  /** Index in AnswerSource.listeners. */
  readonly listener: number
  /** 1 or 0. */
  readonly ipv6: number
  /** That it is bound to, in network order. */
  readonly address: Uint8Array
  readonly port: number
}

// Full batches taken from one socket before the others and the eventfd get their turn.
const ROUNDS_MAX = 16
// From so many messages on it pays to look their names up side by side: the misses of the caches overlap.
const PREPARE_MIN = 4
// A receive call that fails for no reason we know is not repeated at full speed.
const ERROR_PAUSE_MS = 10
// Stopping: a socket is drained when nothing has come for so long, and given up after so long.
const QUIET_MS = 20
const DRAIN_MAX_MS = 400

/** Loads what the task will need, before there is a socket to serve. */
export async function prepare(answererModule: string): Promise<void> {
  await import(answererModule)
}

/** Serves until told to stop; then drains its sockets and returns. Throws whatever answering throws. */
export default async function serveQueries(task: QueryTask & Assigned<QueryAssignment>): Promise<void> {
  const module: { prepareAnswerer: typeof prepareAnswerer } = await import(task.answererModule)
  const { assignment, port } = task
  const control = new ControlBlock(task.control, task.worker)
  control.threadId = threadId
  const create = await module.prepareAnswerer(assignment.source)
  collectGarbage()
  control.state = BUSY
  const loop = new QueryLoop(task, control)
  loop.assign(assignment, create)
  control.generation = assignment.generation
  loop.resume()
  while (!control.stopping) {
    loop.turn(WAIT_MAX_MS)
    if (!loop.woken) continue
    loop.woken = false
    // A thread that never returns to its event loop asks for its messages.
    for (let next = receiveMessageOnPort(port); next !== undefined; next = receiveMessageOnPort(port)) {
      const { message }: { message: Later<QueryAssignment> } = next
      if (message === LET_GO) {
        letGo()
        continue
      }
      control.state = WAITING
      const create = await module.prepareAnswerer(message.source)
      control.state = BUSY
      loop.leave(message)
      loop.assign(message, create)
      control.generation = message.generation
    }
  }
  loop.drain()
  port.close()
  control.state = STOPPED
}

class QueryLoop {
  readonly #slab: Slab
  readonly #control: ControlBlock
  readonly #event: number
  readonly #worker: number
  #answerer!: Answerer
  #sockets: readonly QuerySocket[] = []
  /** The socket that the batch came from. */
  #socket: QuerySocket | undefined
  /** Takes what has to wait; null: nothing does. */
  #sink: SlotSink | null = null
  /** Somebody raised the eventfd. */
  woken = false

  constructor(task: QueryTask, control: ControlBlock) {
    this.#slab = new Slab(task.slab)
    this.#control = control
    this.#event = task.event
    this.#worker = task.worker
  }

  /** Answers what is queued on sockets that `next` has no more. */
  leave(next: QueryAssignment): void {
    const kept = new Set(next.sockets.map(({ descriptor }) => descriptor))
    for (const socket of this.#sockets) if (!kept.has(socket.descriptor)) this.#serve(socket)
    this.#answerer.endBatch()
  }

  /** Goes by `assignment` from now on. */
  assign({ sockets, source }: QueryAssignment, create: AnswererFactory): void {
    const slab = this.#slab
    const peers = { readPeers: (into: MessagePeers) => this.#readPeers(into) }
    this.#answerer = create(this.#worker)
    this.#answerer.setHome(slab.bytes)
    this.#answerer.setPeers(peers)
    const { waiting } = source
    this.#sink = waiting === undefined ? null : new SlotSink(slab, waiting, this.#worker, peers)
    if (this.#sink !== null) this.#answerer.setMisses(this.#sink)
    this.#sockets = sockets
    const watched = [...sockets.map(({ descriptor }) => descriptor), this.#event]
    watched.forEach((descriptor, index) => {
      writeWatch(slab.words, slab.watchesWord, index, descriptor)
    })
  }

  #readPeers(into: MessagePeers): void {
    const slab = this.#slab
    const slot = slab.next
    const socket = this.#socket!
    into.clientLength = slab.readClient(slot, into.client)
    into.clientPort = slab.clientPort(slot)
    into.localLength = slab.readLocal(slot, into.local)
    if (into.localLength === 0) {
      into.local.set(socket.address)
      into.localLength = socket.address.length
    }
    into.localPort = socket.port
  }

  /** Waits for datagrams and serves the sockets that have some. @returns 0 when the time passed and nothing came */
  turn(timeoutMs: number): number {
    const slab = this.#slab
    const control = this.#control
    this.#answerer.endBatch()
    control.state = WAITING
    const ready = waitForInput(slab.watchesAddress, this.#sockets.length + 1, timeoutMs)
    control.state = BUSY
    control.beat()
    if (ready < 0) {
      if (ready !== -EINTR) this.#fail()
      return 1
    }
    if (ready === 0) return 0
    const sockets = this.#sockets
    for (let index = 0; index < sockets.length; index++) {
      if (isReady(slab.words, slab.watchesWord, index)) this.#serve(sockets[index])
    }
    if (isReady(slab.words, slab.watchesWord, sockets.length)) {
      clearEvent(this.#event, slab.counterAddress)
      this.woken = true
    }
    return ready
  }

  // A batch that does not fill the slots has emptied the socket: no further call is needed to learn that.
  #serve(socket: QuerySocket): void {
    const slab = this.#slab
    const { descriptor, listener, ipv6 } = socket
    this.#use(socket)
    for (let round = 0; round < ROUNDS_MAX; round++) {
      const count = slab.receive(descriptor)
      if (count <= 0) {
        // Refused: an ICMP error some answer earned; it is consumed by being reported.
        if (count !== -EAGAIN && count !== -EINTR && count !== -ECONNREFUSED) this.#fail()
        return
      }
      this.#control.beat()
      this.#control.add(BATCHES_COUNTER, 1)
      this.#control.add(RECEIVED_COUNTER, count)
      this.#answerer.beginBatch(listener, ipv6, count)
      if (count >= PREPARE_MIN) this.#prepare()
      this.#answer(0)
      if (count < slab.slots) return
    }
  }

  #use(socket: QuerySocket): void {
    this.#socket = socket
    if (this.#sink === null) return
    this.#sink.descriptor = socket.descriptor
    this.#sink.ipv6 = socket.ipv6
  }

  #answer(first: number): void {
    const slab = this.#slab
    const answerer = this.#answerer
    const bytes = slab.bytes
    const count = slab.count
    let silent = 0
    let later = 0
    for (let slot = first; slot < count; slot++) {
      slab.enter(slot)
      const start = slab.packetOffset(slot)
      const length = slab.queryLength(slot)
      const response = slab.isCut(slot)
        ? answerer.malformed(bytes, start, length)
        : answerer.answer(bytes, start, length, PACKET_CAPACITY, false)
      slab.respond(slot, response)
      if (response === 0) silent++
      else if (response === LATER) later++
    }
    this.#control.add(SILENT_COUNTER, silent)
    slab.startSending()
    this.#send(count - first - silent - later)
    answerer.sent()
  }

  // A death in here is no single query's fault (the slab names none): the successor answers the batch one by one.
  #prepare(): void {
    const slab = this.#slab
    const answerer = this.#answerer
    const count = slab.count
    for (let slot = 0; slot < count; slot++) {
      if (!slab.isCut(slot)) answerer.prepare(slab.bytes, slab.packetOffset(slot), slab.queryLength(slot))
    }
    answerer.findPrepared()
  }

  #send(answers: number): void {
    const failures = sendBatch(this.#slab)
    this.#control.add(ANSWERED_COUNTER, answers - failures)
    if (failures > 0) this.#control.add(SEND_ERRORS_COUNTER, failures)
  }

  #fail(): void {
    this.#control.add(RECEIVE_ERRORS_COUNTER, 1)
    this.#control.pause(ERROR_PAUSE_MS)
  }

  /**
   * Finishes the batch a predecessor died over. What it had answered is sent; the query it was at gets SERVFAIL (and,
   * should even that kill a worker, nothing); the rest is answered.
   */
  resume(): void {
    const slab = this.#slab
    if (slab.phase === EMPTY) return
    const socket = this.#sockets.find(({ descriptor }) => descriptor === slab.socket)
    if (socket === undefined) {
      // Not served any more: the descriptor may be anything by now.
      slab.reset()
      return
    }
    this.#control.add(RESUMED_COUNTER, slab.count)
    if (slab.phase !== RECEIVED) {
      this.#send(slab.count - slab.sent)
      return
    }
    this.#use(socket)
    this.#answerer.beginBatch(socket.listener, socket.ipv6)
    const culprit = slab.next
    if (culprit >= slab.count) {
      this.#answer(0)
      return
    }
    const start = slab.packetOffset(culprit)
    const length = slab.queryLength(culprit)
    slab.respond(culprit, slab.blame() === 1 ? this.#answerer.servfail(slab.bytes, start, length) : 0)
    slab.absolve()
    this.#control.add(ANSWERED_COUNTER, culprit + 1)
    this.#answer(culprit + 1)
  }

  /** Answers what is queued until nothing more comes. */
  drain(): void {
    const deadline = performance.now() + DRAIN_MAX_MS
    for (const socket of this.#sockets) this.#serve(socket)
    while (performance.now() < deadline && this.turn(QUIET_MS) > 0);
    this.#answerer.endBatch()
  }
}
