// What the main thread and its workers tell each other without a message: one block of shared memory a worker.
//
//     +0    state     STARTING | WAITING | BUSY | STOPPED   worker (main sets STARTING when it starts a successor)
//     +4    heartbeat  changes whenever the worker gets on with its work; wraps        worker
//     +8    stop       0 | 1: finish what has arrived and end                          main
//     +12   thread id  of the worker_threads thread that runs the task, 0 = none yet   worker
//     +64   counters, 64-bit floats (whole numbers, exact up to 2^53)                  worker
//
// Each block has cache lines of its own, and each word one writer at a time, so plain stores do; only waking needs Atomics.

const BLOCK_OCTETS = 256
const STATE = 0
const HEARTBEAT = 1
const STOP = 2
const THREAD_ID = 3
const GENERATION = 4
const COUNTERS_OFFSET = 64

/** States of a worker. Only a BUSY one is expected to show a new heartbeat. */
export const STARTING = 0
export const WAITING = 1
export const BUSY = 2
export const STOPPED = 3

/** Names of the counters, in the order of their memory. */
export const COUNTER_NAMES = [
  'received', // datagrams or stream messages taken in
  'answered', // answers handed to the system
  'silent', // taken in, and by the rules not answered
  'sendErrors', // answers the system would not take
  'receiveErrors', // receive calls that failed, but for lack of data
  'batches', // receive calls that brought something
  'connections', // stream connections accepted
  'refused', // stream connections closed at once, over a limit
  'timeouts', // stream connections closed for taking too long
  'resumed', // queries a dead worker left behind, finished by its successor
] as const

/** Name of a counter. */
export type CounterName = (typeof COUNTER_NAMES)[number]

/** The counters of one worker. */
export type Counters = Record<CounterName, number>

/** Memory for `workers` blocks, zeroed: everyone STARTING. */
export function createControl(workers: number): SharedArrayBuffer {
  return new SharedArrayBuffer(workers * BLOCK_OCTETS)
}

/** One worker's block, from either side. */
export class ControlBlock {
  readonly #words: Int32Array<SharedArrayBuffer>
  readonly #counters: Float64Array

  /** @param index  of the worker, 0-based; its block must lie inside `memory` */
  constructor(memory: SharedArrayBuffer, index: number) {
    this.#words = new Int32Array(memory, index * BLOCK_OCTETS, COUNTERS_OFFSET / 4)
    this.#counters = new Float64Array(memory, index * BLOCK_OCTETS + COUNTERS_OFFSET, COUNTER_NAMES.length)
  }

  /** The worker's state. */
  get state(): number {
    return Atomics.load(this.#words, STATE)
  }

  set state(state: number) {
    this.#words[STATE] = state
  }

  get heartbeat(): number {
    return Atomics.load(this.#words, HEARTBEAT)
  }

  /** Shows that the worker is getting on. */
  beat(): void {
    this.#words[HEARTBEAT] += 1
  }

  /** Thread that runs the worker's task; 0 = none yet. */
  get threadId(): number {
    return Atomics.load(this.#words, THREAD_ID)
  }

  set threadId(threadId: number) {
    Atomics.store(this.#words, THREAD_ID, threadId)
  }

  /** The assignment (pool.ts) that the worker goes by, by its number. */
  get generation(): number {
    return Atomics.load(this.#words, GENERATION)
  }

  set generation(generation: number) {
    Atomics.store(this.#words, GENERATION, generation)
    Atomics.notify(this.#words, GENERATION)
  }

  /** Settles when the worker goes by another assignment than `generation`. */
  async generationAfter(generation: number): Promise<void> {
    const waiting = Atomics.waitAsync(this.#words, GENERATION, generation)
    await waiting.value
  }

  /** Whether the worker was told to finish. */
  get stopping(): boolean {
    return Atomics.load(this.#words, STOP) !== 0
  }

  /** Tells the worker to finish; one that waits must be woken besides. */
  stop(): void {
    Atomics.store(this.#words, STOP, 1)
    Atomics.notify(this.#words, STOP)
  }

  /** Settles when the worker is told to finish, for workers with an event loop. It does not keep the loop alive. */
  async stopped(): Promise<void> {
    const waiting = Atomics.waitAsync(this.#words, STOP, 0)
    await waiting.value
  }

  /** Blocks the thread (workers only) for at most `milliseconds`, less if told to stop. */
  pause(milliseconds: number): void {
    Atomics.wait(this.#words, STOP, 0, milliseconds)
  }

  /** Adds to a counter, by its index in COUNTER_NAMES. */
  add(counter: number, amount: number): void {
    this.#counters[counter] += amount
  }

  /** The counters now. */
  counters(): Counters {
    return Object.fromEntries(COUNTER_NAMES.map((name, index) => [name, this.#counters[index]])) as Counters
  }
}

/** Indexes of the counters, for `add`. */
export const RECEIVED_COUNTER = COUNTER_NAMES.indexOf('received')
export const ANSWERED_COUNTER = COUNTER_NAMES.indexOf('answered')
export const SILENT_COUNTER = COUNTER_NAMES.indexOf('silent')
export const SEND_ERRORS_COUNTER = COUNTER_NAMES.indexOf('sendErrors')
export const RECEIVE_ERRORS_COUNTER = COUNTER_NAMES.indexOf('receiveErrors')
export const BATCHES_COUNTER = COUNTER_NAMES.indexOf('batches')
export const CONNECTIONS_COUNTER = COUNTER_NAMES.indexOf('connections')
export const REFUSED_COUNTER = COUNTER_NAMES.indexOf('refused')
export const TIMEOUTS_COUNTER = COUNTER_NAMES.indexOf('timeouts')
export const RESUMED_COUNTER = COUNTER_NAMES.indexOf('resumed')
