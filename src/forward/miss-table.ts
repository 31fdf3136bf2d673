// Queries that wait for an upstream: how a query worker hands them to the resolver thread. Shared memory, a table for each worker: slots, a ring in
// which the worker says which of them wait, and a ring in which they come back. Nobody waits for anybody. Hot on the worker's side.
// What waits stays in its slot until it is answered, so that nothing is lost with a resolver that dies.
//
// Header, words
//   +0 head of the waiting ring, slots ever handed over   worker     +16 its tail, slots ever taken   resolver
//   +32 head of the ring that comes back                  resolver   +48 its tail                     worker
// then both rings (a word a slot), the states of all slots (a word each), then the slots: what was never used is never touched.
//
// States   OWNED: the worker's   WAITING: in the ring   TAKEN: the resolver's   RETURNED: in the ring that comes back
// Slot
//   +1 times that a resolver died over it   +2 kind   +3 listener   +4 route   +5 generation of the source they are numbers of
//   +6 descriptor of the socket to answer on   +7 octets of the message | octets of the socket address << 16   +8 octets of the control message
//   +9 octets of the query as it came
//   +10 when it came, on the clock of all threads, 64-bit float
//   +12 socket address (32 octets), control message (40), client (16), local (16)
//   +38 octets of client | octets of local << 8 | IPv6 << 16   +39 port of client | port of local << 16
//   +40 the message: header and question, and what else there is room for

import { CONTROL_SIZE, NAME_SIZE } from '../io/layouts.ts'

/** What is to be done with a query that waits. */
export const MISS_QUESTION = 0
/** It needs plugins on whole messages: all of the message must be there. */
export const MISS_CHAIN = 1
/** Nobody waits: an entry of the cache is to be refreshed. */
export const MISS_REFRESH = 2

/** Slots of a worker's table: queries that may wait at a time. */
export const MISS_SLOTS = 4096

const HEAD = 0
const TAIL = 16
const FREE_HEAD = 32
const FREE_TAIL = 48
const RINGS = 64
/** Words a slot in front of the slots: two rings and the states. */
const SLOT_TABLES = 3

const OWNED = 0
const WAITING = 1
const TAKEN = 2
const RETURNED = 3

const DEATHS = 1
const KIND = 2
const LISTENER = 3
const ROUTE = 4
const GENERATION = 5
const DESCRIPTOR = 6
const LENGTHS = 7
const CONTROL_LENGTH = 8
const SIZE = 9
const BEGAN = 10
const NAME = 12
const CONTROL = NAME + NAME_SIZE / 4
const CLIENT = CONTROL + CONTROL_SIZE / 4
const LOCAL = CLIENT + 4
const PEERS = 38
const PORTS = 39
const MESSAGE = 40
const SLOT_WORDS = 256

/** Octets of a message that a slot has room for. */
export const MISS_MESSAGE_MAX: number = (SLOT_WORDS - MESSAGE) * 4

/** The bell that a resolver sleeps by: memory for one, shared by all tables. */
export function createBell(): SharedArrayBuffer {
  return new SharedArrayBuffer(64)
}

// What its one word says of the resolver.
const AWAKE = 0
const ASLEEP = 1
/** It watches its sockets, and an eventfd. */
const WATCHING = 2

/** Wakes the resolver, if it sleeps. A load, most of the time. @param wake  raises the eventfd */
export function ring(bell: Int32Array, wake: () => void): void {
  const state = Atomics.load(bell, 0)
  if (state === AWAKE || Atomics.compareExchange(bell, 0, state, AWAKE) !== state) return
  if (state === ASLEEP) Atomics.notify(bell, 0)
  else wake()
}

/** Settles when somebody rings. @param isIdle  looked at once more after everybody can see that we sleep: false, and it settles at once */
export async function asleep(bell: Int32Array<SharedArrayBuffer>, isIdle: () => boolean): Promise<void> {
  Atomics.store(bell, 0, ASLEEP)
  if (isIdle()) await Atomics.waitAsync(bell, 0, ASLEEP).value
  else Atomics.store(bell, 0, AWAKE)
}

/** As asleep(), but in `watch`, which the eventfd ends; called with false if there is something to do. */
export function watching(bell: Int32Array, isIdle: () => boolean, watch: (mayWait: boolean) => void): void {
  Atomics.store(bell, 0, WATCHING)
  watch(isIdle())
  Atomics.store(bell, 0, AWAKE)
}

/** Memory for a table; zeroed: every slot is the worker's. */
export function createMissTable(slots = MISS_SLOTS): SharedArrayBuffer {
  return new SharedArrayBuffer((RINGS + SLOT_TABLES * slots + slots * SLOT_WORDS) * 4)
}

/** What both sides know. */
class MissTable {
  readonly words: Int32Array
  readonly octets: Uint8Array
  readonly began: Float64Array
  readonly slots: number
  protected readonly mask: number

  /** @param memory  of createMissTable() */
  constructor(memory: SharedArrayBuffer) {
    this.words = new Int32Array(memory)
    this.octets = new Uint8Array(memory)
    this.began = new Float64Array(memory)
    this.slots = (this.words.length - RINGS) / (SLOT_TABLES + SLOT_WORDS)
    this.mask = this.slots - 1
  }

  /** First word of a slot. */
  protected at(slot: number): number {
    return RINGS + SLOT_TABLES * this.slots + slot * SLOT_WORDS
  }

  /** Word of a slot's state. */
  protected stateAt(slot: number): number {
    return RINGS + 2 * this.slots + slot
  }
}

/** The worker's side. A successor takes over where its predecessor ended. */
export class MissWriter extends MissTable {
  /** Slots at hand, the one given back last on top: few are touched while few wait. */
  readonly #free: Int32Array
  #freeCount = 0
  #slot = -1

  constructor(memory: SharedArrayBuffer) {
    super(memory)
    this.#free = new Int32Array(this.slots)
    for (let slot = this.slots - 1; slot >= 0; slot--) {
      if (Atomics.load(this.words, this.stateAt(slot)) === OWNED) this.#free[this.#freeCount++] = slot
    }
  }

  /** Takes a slot to be filled by what follows. @returns false if all are waiting */
  take(): boolean {
    this.#collect()
    if (this.#freeCount === 0) return false
    this.#slot = this.#free[--this.#freeCount]
    return true
  }

  /** Where in `octets` the socket address and the control message of the answer go: NAME_SIZE and CONTROL_SIZE octets. */
  get nameAt(): number {
    return (this.at(this.#slot) + NAME) * 4
  }
  get controlAt(): number {
    return (this.at(this.#slot) + CONTROL) * 4
  }

  /** Whom to answer, and how. */
  setEnvelope(descriptor: number, nameLength: number, controlLength: number, ipv6: number): void {
    const { words } = this
    const at = this.at(this.#slot)
    words[at + DESCRIPTOR] = descriptor
    words[at + LENGTHS] = nameLength << 16
    words[at + CONTROL_LENGTH] = controlLength
    words[at + PEERS] = ipv6 << 16
  }

  /** Addresses as setEnvelope()'s, for whoever counts and logs. */
  setPeers(
    client: Uint8Array,
    clientLength: number,
    clientPort: number,
    local: Uint8Array,
    localLength: number,
    localPort: number,
  ): void {
    const { words, octets } = this
    const at = this.at(this.#slot)
    const clientAt = (at + CLIENT) * 4
    const localAt = (at + LOCAL) * 4
    for (let i = 0; i < clientLength; i++) octets[clientAt + i] = client[i]
    for (let i = 0; i < localLength; i++) octets[localAt + i] = local[i]
    words[at + PEERS] |= clientLength | (localLength << 8)
    words[at + PORTS] = clientPort | (localPort << 16)
  }

  /** Hands the slot over. `length`: octets at packet[start..], MISS_MESSAGE_MAX at most; `size`: what came had so many. */
  push(
    kind: number,
    listener: number,
    route: number,
    generation: number,
    beganMs: number,
    packet: Uint8Array,
    start: number,
    length: number,
    size: number,
  ): void {
    const { words, octets } = this
    const slot = this.#slot
    const at = this.at(slot)
    words[at + DEATHS] = 0
    words[at + KIND] = kind
    words[at + LISTENER] = listener
    words[at + ROUTE] = route
    words[at + GENERATION] = generation
    words[at + LENGTHS] |= length
    words[at + SIZE] = size
    this.began[(at + BEGAN) >> 1] = beganMs
    const to = (at + MESSAGE) * 4
    for (let i = 0; i < length; i++) octets[to + i] = packet[start + i]
    const head = words[HEAD]
    words[RINGS + (head & this.mask)] = slot
    words[this.stateAt(slot)] = WAITING
    Atomics.store(words, HEAD, (head + 1) | 0)
  }

  #collect(): void {
    const { words, mask } = this
    const head = Atomics.load(words, FREE_HEAD)
    let tail = words[FREE_TAIL]
    if (tail === head) return
    for (; tail !== head; tail = (tail + 1) | 0) {
      const slot = words[RINGS + this.slots + (tail & mask)] & mask
      // A predecessor that died right here may have had it already.
      const state = this.stateAt(slot)
      if (words[state] !== RETURNED) continue
      words[state] = OWNED
      this.#free[this.#freeCount++] = slot
    }
    Atomics.store(words, FREE_TAIL, tail)
  }
}

/** The resolver's side. A successor finds what its predecessor had taken and not answered. */
export class MissReader extends MissTable {
  /** Slots that are the resolver's. */
  taken = 0

  /** Anything in the ring? */
  get isEmpty(): boolean {
    return Atomics.load(this.words, HEAD) === Atomics.load(this.words, TAIL)
  }

  /** Takes the next slot that waits. @returns -1 if there is none */
  take(): number {
    const { words, mask } = this
    for (;;) {
      const tail = words[TAIL]
      if (tail === Atomics.load(words, HEAD)) return -1
      const slot = words[RINGS + (tail & mask)] & mask
      const state = this.stateAt(slot)
      const isWaiting = words[state] === WAITING
      // First: a successor finds it by its state.
      if (isWaiting) words[state] = TAKEN
      Atomics.store(words, TAIL, (tail + 1) | 0)
      if (!isWaiting) continue
      this.taken++
      return slot
    }
  }

  /** Slots that a predecessor had taken, counting its death against each. Before anything else. */
  takeLeft(): number[] {
    const { words, mask } = this
    const left: number[] = []
    // It died over this one and did not move on: an entry too many would be written over one that waits when the ring is full.
    const tail = words[TAIL]
    const last = words[RINGS + (tail & mask)] & mask
    if (tail !== Atomics.load(words, HEAD) && words[this.stateAt(last)] === TAKEN)
      Atomics.store(words, TAIL, (tail + 1) | 0)
    for (let slot = 0; slot < this.slots; slot++) {
      if (words[this.stateAt(slot)] !== TAKEN) continue
      words[this.at(slot) + DEATHS]++
      this.taken++
      left.push(slot)
    }
    return left
  }

  /** Gives a slot back: whoever waited in it is answered, or will not be. */
  giveBack(slot: number): void {
    const { words, mask } = this
    this.taken--
    words[this.stateAt(slot)] = RETURNED
    const head = words[FREE_HEAD]
    words[RINGS + this.slots + (head & mask)] = slot
    Atomics.store(words, FREE_HEAD, (head + 1) | 0)
  }

  deaths(slot: number): number {
    return this.words[this.at(slot) + DEATHS]
  }
  kind(slot: number): number {
    return this.words[this.at(slot) + KIND]
  }
  listener(slot: number): number {
    return this.words[this.at(slot) + LISTENER]
  }
  route(slot: number): number {
    return this.words[this.at(slot) + ROUTE]
  }
  generation(slot: number): number {
    return this.words[this.at(slot) + GENERATION]
  }
  descriptor(slot: number): number {
    return this.words[this.at(slot) + DESCRIPTOR]
  }
  size(slot: number): number {
    return this.words[this.at(slot) + SIZE]
  }
  beganMs(slot: number): number {
    return this.began[(this.at(slot) + BEGAN) >> 1]
  }
  ipv6(slot: number): number {
    return (this.words[this.at(slot) + PEERS] >> 16) & 1
  }
  /** Of the message, which begins at octets[messageAt()]. */
  messageLength(slot: number): number {
    return Math.min(this.words[this.at(slot) + LENGTHS] & 0xffff, MISS_MESSAGE_MAX)
  }
  messageAt(slot: number): number {
    return (this.at(slot) + MESSAGE) * 4
  }
  nameAt(slot: number): number {
    return (this.at(slot) + NAME) * 4
  }
  nameLength(slot: number): number {
    return Math.min(this.words[this.at(slot) + LENGTHS] >>> 16, NAME_SIZE)
  }
  controlAt(slot: number): number {
    return (this.at(slot) + CONTROL) * 4
  }
  controlLength(slot: number): number {
    return Math.min(this.words[this.at(slot) + CONTROL_LENGTH] >>> 0, CONTROL_SIZE)
  }
  clientAt(slot: number): number {
    return (this.at(slot) + CLIENT) * 4
  }
  clientLength(slot: number): number {
    return this.words[this.at(slot) + PEERS] & 0xff
  }
  clientPort(slot: number): number {
    return this.words[this.at(slot) + PORTS] & 0xffff
  }
  localAt(slot: number): number {
    return (this.at(slot) + LOCAL) * 4
  }
  localLength(slot: number): number {
    return (this.words[this.at(slot) + PEERS] >> 8) & 0xff
  }
  localPort(slot: number): number {
    return this.words[this.at(slot) + PORTS] >>> 16
  }
}
