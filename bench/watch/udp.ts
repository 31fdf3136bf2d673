// A UDP client by system calls, for threads that have no event loop: messages that stand ready to be sent, a place for what comes
// back, and waiting for it.

import * as layouts from '../../src/io/layouts.ts'
import * as libc from '../../src/io/libc.ts'

const RECEIVE_SLOTS = 64
const SLOT_CAPACITY = 2048
const SCRATCH_SIZE = 64
const SOCKET_BUFFER = 4 * 1024 * 1024

/** Messages in memory that never moves, each behind its mmsghdr: any run of them is sent with one call. */
export class Outbound {
  readonly count: number
  readonly #headers: number
  readonly #length: number

  constructor(messages: readonly Uint8Array[]) {
    this.count = messages.length
    const vectorsOffset = this.count * layouts.HEADER_SIZE
    let at = vectorsOffset + this.count * layouts.VECTOR_SIZE
    const length = messages.reduce((sum, message) => sum + message.length, at)
    const memory = libc.mapMemory(length)
    const bytes = new Uint8Array(libc.viewMemory(memory, length))
    const words = new Uint32Array(bytes.buffer, 0, at / 4)
    messages.forEach((message, i) => {
      bytes.set(message, at)
      const vector = vectorsOffset + i * layouts.VECTOR_SIZE
      layouts.writeVector(words, vector / 4, memory + at, message.length)
      layouts.writeHeader(words, (i * layouts.HEADER_SIZE) / 4, 0, 0, memory + vector, 0, 0)
      at += message.length
    })
    this.#headers = memory
    this.#length = length
  }

  /** Gives the memory back; nothing can be sent any more. */
  free(): void {
    libc.unmapMemory(this.#headers, this.#length)
  }

  /** @returns how many were sent, a negative errno if none was */
  send(socket: number, first: number, count: number): number {
    return libc.sendMessages(socket, this.#headers + first * layouts.HEADER_SIZE, count)
  }
}

/** A socket that is connected to a port of 127.0.0.1, and the last messages that came in on it. */
export class Client {
  readonly socket: number
  readonly #words: Uint32Array
  readonly #bytes: Uint8Array
  readonly #headers: number
  readonly #watch: number
  readonly #scratch: number

  constructor(port: number) {
    const vectorsOffset = RECEIVE_SLOTS * layouts.HEADER_SIZE
    const watchOffset = vectorsOffset + RECEIVE_SLOTS * layouts.VECTOR_SIZE
    const scratchOffset = watchOffset + layouts.WATCH_SIZE
    const packetsOffset = scratchOffset + SCRATCH_SIZE
    const length = packetsOffset + RECEIVE_SLOTS * SLOT_CAPACITY
    const memory = libc.mapMemory(length)
    const view = libc.viewMemory(memory, length)
    this.#words = new Uint32Array(view)
    this.#bytes = new Uint8Array(view, packetsOffset)
    for (let slot = 0; slot < RECEIVE_SLOTS; slot++) {
      const vector = vectorsOffset + slot * layouts.VECTOR_SIZE
      layouts.writeVector(this.#words, vector / 4, memory + packetsOffset + slot * SLOT_CAPACITY, SLOT_CAPACITY)
      layouts.writeHeader(this.#words, (slot * layouts.HEADER_SIZE) / 4, 0, 0, memory + vector, 0, 0)
    }
    this.#headers = memory
    this.#watch = memory + watchOffset
    this.#scratch = memory + scratchOffset
    this.socket = this.#connect(new Uint8Array(view, scratchOffset, SCRATCH_SIZE), port)
    layouts.writeWatch(this.#words, watchOffset / 4, 0, this.socket)
  }

  /** Waits until something is there, or the time (whole milliseconds) is over. */
  wait(timeoutMs: number): void {
    libc.waitForInput(this.#watch, 1, timeoutMs)
  }

  /** Takes what is there. @returns messages, 0 if there is none */
  receive(): number {
    return Math.max(0, libc.receiveMessages(this.socket, this.#headers, RECEIVE_SLOTS))
  }

  /** A message taken last; it stays until the next `receive`. */
  message(slot: number): Uint8Array {
    const length = layouts.messageLength(this.#words, (slot * layouts.HEADER_SIZE) / 4)
    return this.#bytes.subarray(slot * SLOT_CAPACITY, slot * SLOT_CAPACITY + Math.min(length, SLOT_CAPACITY))
  }

  /** Messages that came in and found no room: their loss is ours. */
  get dropped(): number {
    const words = new DataView(libc.viewMemory(this.#scratch, SCRATCH_SIZE))
    words.setUint32(0, layouts.MEMINFO_WORDS * 4, true)
    libc.getOption(this.socket, layouts.SOL_SOCKET, layouts.SO_MEMINFO, this.#scratch + 8, this.#scratch)
    return words.getUint32(8 + layouts.MEMINFO_DROPS * 4, true)
  }

  close(): void {
    libc.closeDescriptor(this.socket)
  }

  #connect(scratch: Uint8Array, port: number): number {
    const socket = libc.openSocket(layouts.AF_INET, layouts.SOCK_DGRAM)
    new DataView(scratch.buffer, scratch.byteOffset).setUint32(0, SOCKET_BUFFER, true)
    // More than the system's limit, where we may.
    const forced = libc.setOption(socket, layouts.SOL_SOCKET, layouts.SO_RCVBUFFORCE, this.#scratch, 4)
    if (forced < 0) libc.setOption(socket, layouts.SOL_SOCKET, layouts.SO_RCVBUF, this.#scratch, 4)
    const length = layouts.writeName(scratch, 0, new Uint8Array([127, 0, 0, 1]), port, 0)
    const verdict = libc.connectSocket(socket, this.#scratch, length)
    if (verdict < 0) throw new libc.SystemError('connect', -verdict)
    return socket
  }
}
