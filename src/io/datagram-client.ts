// The client's side of datagrams in batches, over connected sockets (openClient() in src/io/sockets.ts): messages in slots that are
// sent with one call, and slots that answers are taken into. For one thread. Knows nothing of what is in a message.

import {
  CONTROL_SIZE,
  HEADER_SIZE,
  isReady,
  MSG_TRUNC,
  messageFlags,
  messageLength,
  RECEIVE_CONTROL_SIZE,
  receivedSegment,
  receivedStamp,
  setControlLength,
  setVectorLength,
  VECTOR_SIZE,
  WATCH_SIZE,
  writeHeader,
  writeSegments,
  writeVector,
  writeWatch,
} from './layouts.ts'
import { mapMemory, receiveMessages, sendMessages, unmapMemory, viewMemory, waitForInput } from './libc.ts'
import type { StampClock } from './stamp-clock.ts'

/** Messages that are written here and sent together. */
export class Outbound {
  /** The slots as words: a message begins at `wordOffset`. */
  readonly words: Uint32Array
  readonly bytes: Uint8Array
  /** 1..MESSAGES_MAX */
  readonly slots: number
  readonly #memory: number
  readonly #length: number
  readonly #vectors: number
  readonly #packets: number
  readonly #stride: number
  // One header more: the message that the kernel cuts.
  readonly #segmented: number
  readonly #control: number

  /** @param capacity  octets of a slot, a multiple of 4 */
  constructor(slots: number, capacity: number) {
    this.slots = slots
    this.#stride = capacity
    const vectorsOffset = (slots + 1) * HEADER_SIZE
    const controlOffset = vectorsOffset + slots * VECTOR_SIZE
    const packetsOffset = controlOffset + CONTROL_SIZE
    this.#length = packetsOffset + slots * capacity
    const memory = mapMemory(this.#length)
    const view = viewMemory(memory, this.#length)
    this.words = new Uint32Array(view)
    this.bytes = new Uint8Array(view)
    this.#memory = memory
    this.#vectors = vectorsOffset / 4
    this.#packets = packetsOffset / 4
    this.#segmented = slots * HEADER_SIZE
    this.#control = controlOffset / 4
    for (let slot = 0; slot < slots; slot++) {
      const vector = vectorsOffset + slot * VECTOR_SIZE
      writeVector(this.words, vector / 4, memory + packetsOffset + slot * capacity, capacity)
      writeHeader(this.words, (slot * HEADER_SIZE) / 4, 0, 0, memory + vector, 0, 0)
    }
    const control = memory + controlOffset
    writeHeader(this.words, this.#segmented / 4, 0, 0, memory + vectorsOffset, control, CONTROL_SIZE)
  }

  /** First word of a slot in `words`. */
  wordOffset(slot: number): number {
    return this.#packets + (slot * this.#stride) / 4
  }

  setLength(slot: number, length: number): void {
    setVectorLength(this.words, this.#vectors + slot * (VECTOR_SIZE / 4), length)
  }

  /** Sends the first `count` slots. @returns how many were sent, or a negative errno */
  send(socket: number, count: number): number {
    return sendMessages(socket, this.#memory, Math.min(count, this.slots))
  }

  /** Sends the first `count` slots, all of `length` octets, as one message that the kernel cuts. @returns all or a negative errno */
  sendSegments(socket: number, count: number, length: number): number {
    writeSegments(this.words, this.#segmented / 4, this.#control, Math.min(count, this.slots), length)
    const sent = sendMessages(socket, this.#memory + this.#segmented, 1)
    return sent === 1 ? count : sent
  }

  /** Gives the memory back. */
  free(): void {
    unmapMemory(this.#memory, this.#length)
  }
}

/** Slots that messages are taken into. */
export class Inbound {
  readonly words: Uint32Array
  readonly bytes: Uint8Array
  readonly slots: number
  readonly #memory: number
  readonly #length: number
  readonly #packets: number
  readonly #controls: number
  readonly #stride: number
  readonly #hasControls: boolean
  /** Slots that the last messages were in: the kernel has written over what room their headers name. */
  #used = 0

  /** @param hasControls  the sockets coalesce or stamp, and somebody wants to know */
  constructor(slots: number, capacity: number, hasControls: boolean) {
    this.slots = slots
    this.#stride = capacity
    this.#hasControls = hasControls
    const vectorsOffset = slots * HEADER_SIZE
    const controlsOffset = vectorsOffset + slots * VECTOR_SIZE
    const packetsOffset = controlsOffset + slots * RECEIVE_CONTROL_SIZE
    this.#length = packetsOffset + slots * capacity
    const memory = mapMemory(this.#length)
    const view = viewMemory(memory, this.#length)
    this.words = new Uint32Array(view)
    this.bytes = new Uint8Array(view)
    this.#memory = memory
    this.#packets = packetsOffset
    this.#controls = controlsOffset
    const room = hasControls ? RECEIVE_CONTROL_SIZE : 0
    for (let slot = 0; slot < slots; slot++) {
      const vector = vectorsOffset + slot * VECTOR_SIZE
      const control = hasControls ? memory + controlsOffset + slot * RECEIVE_CONTROL_SIZE : 0
      writeVector(this.words, vector / 4, memory + packetsOffset + slot * capacity, capacity)
      writeHeader(this.words, (slot * HEADER_SIZE) / 4, 0, 0, memory + vector, control, room)
    }
  }

  /** Takes what is there, without waiting. @returns messages in the first slots, or a negative errno (-EAGAIN: none) */
  receive(socket: number): number {
    for (let slot = 0; slot < this.#used; slot++) {
      setControlLength(this.words, (slot * HEADER_SIZE) / 4, RECEIVE_CONTROL_SIZE)
    }
    const count = receiveMessages(socket, this.#memory, this.slots)
    this.#used = this.#hasControls ? Math.max(0, count) : 0
    return count
  }

  /** Offset of a message in `bytes`, a multiple of 4. */
  offset(slot: number): number {
    return this.#packets + slot * this.#stride
  }

  /** Octets of a message: never more than a slot has. */
  length(slot: number): number {
    return Math.min(messageLength(this.words, (slot * HEADER_SIZE) / 4), this.#stride)
  }

  /** Whether a message was longer than its slot. */
  isCut(slot: number): boolean {
    return (messageFlags(this.words, (slot * HEADER_SIZE) / 4) & MSG_TRUNC) !== 0
  }

  /** Octets of each datagram in this message but the last; 0 if it is a single one. */
  segmentLength(slot: number): number {
    if (!this.#hasControls) return 0
    return receivedSegment(this.words, (slot * HEADER_SIZE) / 4, this.#control(slot))
  }

  /** When the kernel had a message (its first datagram), in performance.now()'s milliseconds; Infinity if it has not said. */
  stampMs(slot: number, clock: StampClock): number {
    if (!this.#hasControls) return Number.POSITIVE_INFINITY
    const stamp = receivedStamp(this.words, (slot * HEADER_SIZE) / 4, this.#control(slot))
    return stamp < 0 ? Number.POSITIVE_INFINITY : clock.msOf(this.words, stamp)
  }

  free(): void {
    unmapMemory(this.#memory, this.#length)
  }

  /** Word index of the control messages of a slot. */
  #control(slot: number): number {
    return (this.#controls + slot * RECEIVE_CONTROL_SIZE) / 4
  }
}

/** Sockets that are asked together whether something is there. */
export class Watches {
  readonly #words: Uint32Array
  readonly #memory: number
  readonly #length: number
  readonly #count: number

  /** @param sockets  1..1024 */
  constructor(sockets: ArrayLike<number>) {
    this.#count = sockets.length
    this.#length = sockets.length * WATCH_SIZE
    this.#memory = mapMemory(this.#length)
    this.#words = new Uint32Array(viewMemory(this.#memory, this.#length))
    for (let i = 0; i < sockets.length; i++) writeWatch(this.#words, 0, i, sockets[i])
  }

  /** Puts another socket into a place. */
  watch(index: number, socket: number): void {
    if (index < this.#count) writeWatch(this.#words, 0, index, socket)
  }

  /** Asks the system about the first `count` places (1 or more), waiting so long at most. @returns how many have something */
  look(timeoutMs: number, count = this.#count): number {
    return Math.max(0, waitForInput(this.#memory, Math.min(count, this.#count), timeoutMs))
  }

  /** Whether the one at that place had something when look() was called last. */
  isReady(index: number): boolean {
    return isReady(this.#words, 0, index)
  }

  free(): void {
    unmapMemory(this.#memory, this.#length)
  }
}
