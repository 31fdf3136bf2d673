// How a query worker with a slab hands queries over to the resolver thread: into the slots of its table. Hot: nothing is allocated.

import { copyQuery, type Query } from '../dns/question.ts'
import { monotonicMs } from '../forward/clock.ts'
import { MISS_MESSAGE_MAX, MissWriter, ring } from '../forward/miss-table.ts'
import type { Slab } from '../io/slab.ts'
import { wake } from '../io/sockets.ts'
import { MessagePeers, type MissSink, type PeerReader, type WaitingPlace } from './answerer.ts'

export class SlotSink implements MissSink {
  /** The socket that the batch came from. */
  descriptor = -1
  ipv6 = 0
  readonly #slab: Slab
  readonly #table: MissWriter
  readonly #bell: Int32Array
  readonly #wake: () => void
  readonly #reader: PeerReader
  readonly #peers = new MessagePeers()
  readonly #copy = new Uint8Array(MISS_MESSAGE_MAX)

  /** @param peers  knows those of the slot that is being answered */
  constructor(slab: Slab, { tables, bell, event }: WaitingPlace, worker: number, peers: PeerReader) {
    this.#slab = slab
    this.#table = new MissWriter(tables[worker])
    this.#bell = new Int32Array(bell)
    this.#wake = () => wake(event)
    this.#reader = peers
  }

  push(
    kind: number,
    listener: number,
    route: number,
    generation: number,
    query: Query | null,
    packet: Uint8Array,
    start: number,
    length: number,
  ): boolean {
    const table = this.#table
    if ((query === null && length > MISS_MESSAGE_MAX) || !table.take()) return false
    const slab = this.#slab
    const slot = slab.next
    // Makes the control message one for an answer.
    slab.respond(slot, 0)
    const envelope = slab.readEnvelope(slot, table.octets, table.nameAt, table.controlAt)
    table.setEnvelope(this.descriptor, envelope & 0xffff, envelope >>> 16, this.ipv6)
    const peers = this.#peers
    this.#reader.readPeers(peers)
    const { client, clientLength, clientPort, local, localLength, localPort } = peers
    table.setPeers(client, clientLength, clientPort, local, localLength, localPort)
    const beganMs = monotonicMs()
    if (query === null) table.push(kind, listener, route, generation, beganMs, packet, start, length, length)
    else {
      const copied = copyQuery(query, packet, start, this.#copy, 0)
      table.push(kind, listener, route, generation, beganMs, this.#copy, 0, copied, length)
    }
    ring(this.#bell, this.#wake)
    return true
  }
}
