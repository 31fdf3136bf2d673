// A worker's slab: the memory it receives into, answers in, and sends from.
//
// One anonymous mapping, made by the main thread, so that it outlives the worker: a replacement finds the batch
// its predecessor died over and finishes it. The same mmsghdr array receives and sends: an answer leaves from the buffer,
// to the peer and with the control message that its query came with. Knows no DNS: it moves datagrams.
//
//     +0      state words (see below), 64 octets
//     +64     room for an eventfd's counter, 8 octets, and padding
//     +128    pollfd[WATCHES]
//     ...     mmsghdr[slots]  iovec[slots]  sockaddr[slots]  control message[slots]
//     ...     packet[slots], PACKET_STRIDE apart
//
// State words. Phase says what the others mean; a worker writes them before it does what they say.
//     PHASE   EMPTY: every slot is ready to receive | RECEIVED: being answered | SENDING: all answered
//     SOCKET  descriptor the batch came from
//     COUNT   datagrams in it, 1..slots
//     NEXT    slot being answered; those before it are answered (their iov_len is the answer's, 0 = nothing to send);
//             the number of slots = none is answered yet
//     SENT    slots before this one are sent or given up (SENDING)
//     TRIES   how often a worker has died over slot NEXT

import {
  CONTROL_SIZE,
  controlLength,
  HEADER_SIZE,
  MSG_CTRUNC,
  MSG_TRUNC,
  messageFlags,
  messageLength,
  NAME_SIZE,
  nameLength,
  namePort,
  readControlAddress,
  readNameAddress,
  replyControl,
  setControlLength,
  setNameLength,
  setVectorLength,
  VECTOR_SIZE,
  vectorLength,
  WATCH_SIZE,
  writeHeader,
  writeVector,
} from './layouts.ts'
import { MESSAGES_MAX, mapMemory, receiveMessages, unmapMemory, viewMemory } from './libc.ts'

const PHASE = 0
const SOCKET = 1
const COUNT = 2
const NEXT = 3
const SENT = 4
const TRIES = 5
const COUNTER_OFFSET = 64
const WATCHES_OFFSET = 128
const WATCHES = 64
/** Sockets that the owner of a slab can watch, beside an eventfd. */
export const SOCKETS_MAX: number = WATCHES - 2

/** Phases of a slab, see above. */
export const EMPTY = 0
export const RECEIVED = 1
export const SENDING = 2

/** Octets a datagram may have, and an answer. A longer query is received cut short and flagged. */
export const PACKET_CAPACITY = 4096
// Not a power of two: slots 4096 apart would share the same few sets of an 8-way first-level cache.
const PACKET_STRIDE = PACKET_CAPACITY + 192
/** Datagrams in a batch unless told otherwise. */
export const SLOTS_DEFAULT = 64

/** Where a slab is: plain numbers, to be handed to the worker that uses it. */
export interface SlabPlace {
  readonly address: number
  /** 1..MESSAGES_MAX */
  readonly slots: number
}

function headersOffset(): number {
  return WATCHES_OFFSET + WATCHES * WATCH_SIZE
}

function packetsOffset(slots: number): number {
  const end = headersOffset() + slots * (HEADER_SIZE + VECTOR_SIZE + NAME_SIZE + CONTROL_SIZE)
  return Math.ceil(end / 64) * 64
}

function slabLength(slots: number): number {
  return packetsOffset(slots) + slots * PACKET_STRIDE
}

/**
 * Maps a slab and writes the structures the kernel reads: pages are touched only as slots are used.
 *
 * @param slots  1..MESSAGES_MAX
 * @throws SystemError when memory is out; RangeError for an impossible number of slots
 */
export function mapSlab(slots: number = SLOTS_DEFAULT): SlabPlace {
  if (!(Number.isInteger(slots) && slots >= 1 && slots <= MESSAGES_MAX)) {
    throw new RangeError(`slots of a slab: 1 to ${MESSAGES_MAX}, not ${slots}`)
  }
  const address = mapMemory(slabLength(slots))
  const words = new Uint32Array(viewMemory(address, packetsOffset(slots)))
  const vectors = headersOffset() + slots * HEADER_SIZE
  const names = vectors + slots * VECTOR_SIZE
  const controls = names + slots * NAME_SIZE
  for (let slot = 0; slot < slots; slot++) {
    const vector = vectors + slot * VECTOR_SIZE
    const name = address + names + slot * NAME_SIZE
    const control = address + controls + slot * CONTROL_SIZE
    const header = (headersOffset() + slot * HEADER_SIZE) / 4
    writeHeader(words, header, name, NAME_SIZE, address + vector, control, CONTROL_SIZE)
    writeVector(words, vector / 4, address + packetsOffset(slots) + slot * PACKET_STRIDE, PACKET_CAPACITY)
  }
  return { address, slots }
}

/** Gives the slab back. No thread may hold a `Slab` over it any more. */
export function unmapSlab(place: SlabPlace): void {
  unmapMemory(place.address, slabLength(place.slots))
}

/** A slab as its one worker sees it. Methods are for the hot path: integers in, integers out, nothing allocated. */
export class Slab {
  /** Everything; packets are at `packetOffset`. */
  readonly bytes: Uint8Array
  /** Datagrams in a full batch. */
  readonly slots: number
  // Of each slot's mmsghdr. The string at the end keeps V8 from storing bare doubles: reading one of those to pass it
  // to a call allocates a number each time (27 octets a batch without this, and a collection every 36,000 batches).
  readonly #headerAddresses: readonly (number | string)[]
  /** Of at most `watches` pollfd structures, for the kernel; `watchesWord` is their index in `words`. */
  readonly watchesAddress: number
  readonly watchesWord: number = WATCHES_OFFSET / 4
  readonly watches: number = WATCHES
  /** Of 8 octets for the counter of an eventfd. */
  readonly counterAddress: number
  readonly words: Uint32Array
  readonly #headers: number
  readonly #vectors: number
  readonly #controls: number
  /** In octets. */
  readonly #names: number
  readonly #packets: number

  constructor(place: SlabPlace) {
    const { address, slots } = place
    const memory = viewMemory(address, slabLength(slots))
    this.bytes = new Uint8Array(memory)
    this.words = new Uint32Array(memory)
    this.slots = slots
    const headers = Array.from({ length: slots }, (_, slot) => address + headersOffset() + slot * HEADER_SIZE)
    this.#headerAddresses = [...headers, 'end']
    this.watchesAddress = address + WATCHES_OFFSET
    this.counterAddress = address + COUNTER_OFFSET
    this.#headers = headersOffset() / 4
    this.#vectors = this.#headers + (slots * HEADER_SIZE) / 4
    this.#controls = this.#vectors + (slots * (VECTOR_SIZE + NAME_SIZE)) / 4
    this.#packets = packetsOffset(slots)
    this.#names = headersOffset() + slots * (HEADER_SIZE + VECTOR_SIZE)
  }

  /** EMPTY, RECEIVED or SENDING. */
  get phase(): number {
    return this.words[PHASE]
  }

  /** Descriptor the batch came from. */
  get socket(): number {
    return this.words[SOCKET]
  }

  /** Datagrams in the batch, never more than there are slots. */
  get count(): number {
    return Math.min(this.words[COUNT], this.slots)
  }

  /** The slot being answered: slots before it are answered. `slots` = not begun. */
  get next(): number {
    return this.words[NEXT]
  }

  /** The first slot not sent yet. */
  get sent(): number {
    return this.words[SENT]
  }

  /**
   * Receives a batch into an EMPTY slab.
   *
   * @returns datagrams (the slab is then RECEIVED), 0 or a negative errno (it stays EMPTY)
   */
  receive(socket: number): number {
    const count = receiveMessages(socket, this.headerAddress(0), this.slots)
    if (count <= 0) return count
    const words = this.words
    words[SOCKET] = socket
    words[COUNT] = count
    words[NEXT] = this.slots
    words[TRIES] = 0
    words[PHASE] = RECEIVED
    return count
  }

  /** Address of a slot's mmsghdr, for the kernel; the next slot's follows. */
  headerAddress(slot: number): number {
    return this.#headerAddresses[slot] as number
  }

  /** Offset in `bytes` of a slot's packet; PACKET_CAPACITY octets are its own. */
  packetOffset(slot: number): number {
    return this.#packets + slot * PACKET_STRIDE
  }

  /** Octets of the datagram in a slot; 0 when the kernel claims what cannot be (such a slot is not answered). */
  queryLength(slot: number): number {
    const header = this.#headers + slot * (HEADER_SIZE / 4)
    const length = messageLength(this.words, header)
    return length <= PACKET_CAPACITY && nameLength(this.words, header) <= NAME_SIZE ? length : 0
  }

  /** Whether the datagram was longer than its slot. */
  isCut(slot: number): boolean {
    return (messageFlags(this.words, this.#headers + slot * (HEADER_SIZE / 4)) & MSG_TRUNC) !== 0
  }

  /** Notes that `slot` is being answered: if the worker dies now, this was the query. */
  enter(slot: number): void {
    this.words[NEXT] = slot
  }

  /** Notes one more death over slot `next`. @returns how many that makes */
  blame(): number {
    this.words[TRIES] += 1
    return this.words[TRIES]
  }

  /** Leaves the slot that was blamed: the next one starts without a record. */
  absolve(): void {
    this.words[TRIES] = 0
  }

  /**
   * Puts the answer of a slot in place.
   *
   * @param length  octets of it; 0 sends nothing, and so does a length no slot can hold
   */
  respond(slot: number, length: number): void {
    const words = this.words
    setVectorLength(
      words,
      this.#vectors + slot * (VECTOR_SIZE / 4),
      length > 0 && length <= PACKET_CAPACITY ? length : 0,
    )
    const header = this.#headers + slot * (HEADER_SIZE / 4)
    const control = controlLength(words, header)
    if (control === 0) return
    const intact = (messageFlags(words, header) & MSG_CTRUNC) === 0
    const reply = intact ? replyControl(words, this.#controls + slot * (CONTROL_SIZE / 4), control) : 0
    setControlLength(words, header, reply)
  }

  /** Sets the length of what stands in a slot of a batch that startSendingFrom() will send. */
  setLength(slot: number, length: number): void {
    setVectorLength(this.words, this.#vectors + slot * (VECTOR_SIZE / 4), Math.min(length, PACKET_CAPACITY))
  }

  /** Octets of the answer in a slot; 0 = nothing to send. */
  responseLength(slot: number): number {
    return vectorLength(this.words, this.#vectors + slot * (VECTOR_SIZE / 4))
  }

  /** Copies the address that a slot's datagram came from. @returns its octets, 4 or 16 */
  readClient(slot: number, into: Uint8Array): number {
    return readNameAddress(this.bytes, this.#names + slot * NAME_SIZE, into)
  }

  clientPort(slot: number): number {
    return namePort(this.bytes, this.#names + slot * NAME_SIZE)
  }

  /** Copies the address that a slot's datagram was sent to, which a socket bound to all addresses is told. @returns its octets, 0 if it is not known */
  readLocal(slot: number, into: Uint8Array): number {
    const header = this.#headers + slot * (HEADER_SIZE / 4)
    if (controlLength(this.words, header) === 0) return 0
    return readControlAddress(this.bytes, this.words, this.#controls + slot * (CONTROL_SIZE / 4), into)
  }

  /**
   * Copies the address that a slot's answer is to go to, and the control message that it is to have, which respond() has made:
   * NAME_SIZE and CONTROL_SIZE octets at most. @returns octets of the address | octets of the control message << 16
   */
  readEnvelope(slot: number, into: Uint8Array, nameAt: number, controlAt: number): number {
    const { words, bytes } = this
    const header = this.#headers + slot * (HEADER_SIZE / 4)
    const nameOctets = Math.min(nameLength(words, header), NAME_SIZE)
    const controlOctets = Math.min(controlLength(words, header), CONTROL_SIZE)
    const nameFrom = this.#names + slot * NAME_SIZE
    const controlFrom = (this.#controls + slot * (CONTROL_SIZE / 4)) * 4
    for (let i = 0; i < nameOctets; i++) into[nameAt + i] = bytes[nameFrom + i]
    for (let i = 0; i < controlOctets; i++) into[controlAt + i] = bytes[controlFrom + i]
    return nameOctets | (controlOctets << 16)
  }

  /** The way back: addresses the answer of a slot. */
  setEnvelope(
    slot: number,
    from: Uint8Array,
    nameAt: number,
    nameOctets: number,
    controlAt: number,
    controlOctets: number,
  ): void {
    const { words, bytes } = this
    const header = this.#headers + slot * (HEADER_SIZE / 4)
    const nameTo = this.#names + slot * NAME_SIZE
    const controlTo = (this.#controls + slot * (CONTROL_SIZE / 4)) * 4
    const names = Math.min(nameOctets, NAME_SIZE)
    const controls = Math.min(controlOctets, CONTROL_SIZE)
    for (let i = 0; i < names; i++) bytes[nameTo + i] = from[nameAt + i]
    for (let i = 0; i < controls; i++) bytes[controlTo + i] = from[controlAt + i]
    setNameLength(words, header, names)
    setControlLength(words, header, controls)
  }

  /** Begins a batch that nobody has asked for here: `count` answers, each with its envelope and length, to be sent from `socket`. */
  startSendingFrom(socket: number, count: number): void {
    const { words } = this
    words[SOCKET] = socket
    words[COUNT] = count
    words[NEXT] = this.slots
    this.startSending()
  }

  /** All are answered: from here on a successor would send. */
  startSending(): void {
    this.words[SENT] = 0
    this.words[PHASE] = SENDING
  }

  /** Notes that slots before `slot` are done with. */
  progress(slot: number): void {
    this.words[SENT] = slot
  }

  /** Makes the slots of this batch, and only those, ready to receive. */
  reset(): void {
    const words = this.words
    const count = this.count
    for (let slot = 0; slot < count; slot++) {
      const header = this.#headers + slot * (HEADER_SIZE / 4)
      setNameLength(words, header, NAME_SIZE)
      setControlLength(words, header, CONTROL_SIZE)
      setVectorLength(words, this.#vectors + slot * (VECTOR_SIZE / 4), PACKET_CAPACITY)
    }
    words[PHASE] = EMPTY
  }
}
