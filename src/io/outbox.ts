// Answers that leave later, from sockets that other threads receive on: gathered by socket, sent in batches. Knows no DNS.

import { sendBatch } from './batch.ts'
import { EMPTY, PACKET_CAPACITY, Slab, type SlabPlace } from './slab.ts'

/** One thread's outbox. */
export class Outbox {
  /** Memory that packets are written to. */
  readonly bytes: Uint8Array
  readonly #slab: Slab
  #socket = -1
  #count = 0
  /** Answers that the system would not take. */
  failures = 0
  sent = 0

  /** @param place  of mapSlab(); what a predecessor has left in it is dropped */
  constructor(place: SlabPlace) {
    this.#slab = new Slab(place)
    this.bytes = this.#slab.bytes
    if (this.#slab.phase !== EMPTY) this.#slab.reset()
  }

  /** Octets that a packet may have. */
  get capacity(): number {
    return PACKET_CAPACITY
  }

  /** Room for a packet that is to leave from `socket`, at this offset in `bytes`; it stays there until post(). */
  place(socket: number): number {
    if (this.#count > 0 && (socket !== this.#socket || this.#count === this.#slab.slots)) this.flush()
    this.#socket = socket
    return this.#slab.packetOffset(this.#count)
  }

  /** Posts the packet of `length` octets at the last place(), to the address that is raw in `from`. */
  post(
    length: number,
    from: Uint8Array,
    nameAt: number,
    nameLength: number,
    controlAt: number,
    controlLength: number,
  ): void {
    const slab = this.#slab
    const slot = this.#count++
    slab.setLength(slot, length)
    slab.setEnvelope(slot, from, nameAt, nameLength, controlAt, controlLength)
  }

  /** Sends what is gathered: before waiting for anything. */
  flush(): void {
    const count = this.#count
    if (count === 0) return
    this.#count = 0
    this.#slab.startSendingFrom(this.#socket, count)
    const failed = sendBatch(this.#slab)
    this.failures += failed
    this.sent += count - failed
  }
}
