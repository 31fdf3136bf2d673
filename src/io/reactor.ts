// Connected datagram sockets of one thread, watched together: opened here, polled when their answers are waited for, received in batches.
// For a thread that has Node's event loop besides: turn() blocks for as long as it is told, and the thread sees to it that the loop gets its turns.

import {
  EAGAIN,
  EINTR,
  EMFILE,
  ENOBUFS,
  isReady,
  NAME_SIZE,
  namePort,
  readNameAddress,
  WATCH_SIZE,
  writeWatch,
} from './layouts.ts'
import {
  clearEvent,
  closeDescriptor,
  mapMemory,
  SystemError,
  sendDatagram,
  socketName,
  viewMemory,
  waitForInput,
} from './libc.ts'
import { Slab, type SlabPlace } from './slab.ts'
import { connectDatagrams } from './sockets.ts'

/** Sockets that are open at a time. */
export const REACTOR_SOCKETS_MAX = 1000

const LENGTH_OFFSET = 0
const COUNTER_OFFSET = 8
const NAME_OFFSET = 64
const MESSAGE_OFFSET = 128
const MESSAGE_MAX = 4096
const WATCHES_OFFSET = MESSAGE_OFFSET + MESSAGE_MAX
const SCRATCH_LENGTH = WATCHES_OFFSET + (REACTOR_SOCKETS_MAX + 1) * WATCH_SIZE
/** Full batches taken from one socket before others have their turn. */
const ROUNDS_MAX = 4
const NO_DESCRIPTOR = -1

/** Told what happens to a socket, during turn(). */
export interface SocketEvents {
  /** A datagram, good during the call; `isCut`: it was longer than `length`. */
  received(bytes: Uint8Array, at: number, length: number, isCut: boolean): void
  /** The other side refused, or there is no way to it. */
  failed(error: Error): void
}

/** A socket that is open. */
export class ReactorSocket {
  /** Its answers are waited for. */
  isAwaited = false
  readonly events: SocketEvents
  readonly #reactor: Reactor
  #descriptor: number

  constructor(reactor: Reactor, descriptor: number, events: SocketEvents) {
    this.#reactor = reactor
    this.#descriptor = descriptor
    this.events = events
  }

  /** -1 when it is closed. */
  get descriptor(): number {
    return this.#descriptor
  }

  /** @returns null; or what is wrong. What the system has no room for is lost, as on the way */
  send(message: Uint8Array): Error | null {
    return this.#reactor.send(this.#descriptor, message)
  }

  /** Whether its answers are waited for. */
  await(isAwaited: boolean): void {
    if (isAwaited === this.isAwaited) return
    this.isAwaited = isAwaited
    this.#reactor.awaited += isAwaited ? 1 : -1
    if (isAwaited && this.#reactor.awaited === 1) this.#reactor.onAwaited()
  }

  /** Its own address and port, as octets and a number. */
  name(): { readonly octets: Uint8Array; readonly port: number } {
    return this.#reactor.nameOf(this.#descriptor)
  }

  close(): void {
    if (this.#descriptor === NO_DESCRIPTOR) return
    this.await(false)
    this.#reactor.close(this, this.#descriptor)
    this.#descriptor = NO_DESCRIPTOR
  }
}

export class Reactor {
  /** Sockets whose answers are waited for. */
  awaited = 0
  /** Called when answers begin to be waited for: from now on turn() is needed. */
  onAwaited: () => void = () => {}
  readonly #slab: Slab
  readonly #event: number
  /** Descriptors that are open, for a successor: a thread that dies closes none. */
  readonly #open: Int32Array
  readonly #address: number
  readonly #bytes: Uint8Array
  readonly #words: Uint32Array
  readonly #sockets: ReactorSocket[] = []
  /** As the kernel was told last. */
  #watched: readonly ReactorSocket[] = []
  #isChanged = true

  /**
   * @param slab   of mapSlab(), received into
   * @param event  eventfd that ends a turn
   * @param open   shared memory of 4 * REACTOR_SOCKETS_MAX octets: what a predecessor has left open is closed
   */
  constructor(slab: SlabPlace, event: number, open: SharedArrayBuffer) {
    this.#slab = new Slab(slab)
    this.#slab.reset()
    this.#event = event
    this.#open = new Int32Array(open)
    for (const descriptor of this.#open) if (descriptor > 0) closeDescriptor(descriptor)
    this.#open.fill(0)
    this.#address = mapMemory(SCRATCH_LENGTH)
    const memory = viewMemory(this.#address, SCRATCH_LENGTH)
    this.#bytes = new Uint8Array(memory)
    this.#words = new Uint32Array(memory)
  }

  get isFull(): boolean {
    return this.#sockets.length >= REACTOR_SOCKETS_MAX
  }

  /**
   * Opens a socket to one peer; the system chooses the port.
   * @param from  our own address, '' = the system's choice   @throws SystemError
   */
  connect(host: string, port: number, from: string, events: SocketEvents): ReactorSocket {
    if (this.isFull) throw new SystemError('connect', EMFILE)
    const descriptor = connectDatagrams(host, port, from)
    const socket = new ReactorSocket(this, descriptor, events)
    this.#open[this.#open.indexOf(0)] = descriptor
    this.#sockets.push(socket)
    this.#isChanged = true
    return socket
  }

  /** For ReactorSocket. */
  send(descriptor: number, message: Uint8Array): Error | null {
    const length = Math.min(message.length, MESSAGE_MAX)
    const bytes = this.#bytes
    for (let i = 0; i < length; i++) bytes[MESSAGE_OFFSET + i] = message[i]
    const sent = sendDatagram(descriptor, this.#address + MESSAGE_OFFSET, length, 0, 0)
    return sent >= 0 || mayPass(-sent) ? null : new SystemError('send', -sent)
  }

  /** For ReactorSocket. */
  nameOf(descriptor: number): { readonly octets: Uint8Array; readonly port: number } {
    this.#words[LENGTH_OFFSET / 4] = NAME_SIZE
    socketName(descriptor, this.#address + NAME_OFFSET, this.#address + LENGTH_OFFSET)
    const octets = new Uint8Array(16)
    const length = readNameAddress(this.#bytes, NAME_OFFSET, octets)
    return { octets: octets.subarray(0, length), port: namePort(this.#bytes, NAME_OFFSET) }
  }

  /** For ReactorSocket. */
  close(socket: ReactorSocket, descriptor: number): void {
    closeDescriptor(descriptor)
    this.#open[this.#open.indexOf(descriptor)] = 0
    this.#sockets.splice(this.#sockets.indexOf(socket), 1)
    this.#isChanged = true
  }

  /** Waits for something to arrive, at most `timeoutMs`, and tells whom it concerns. */
  turn(timeoutMs: number): void {
    this.#watch()
    const watched = this.#watched
    const ready = waitForInput(this.#address + WATCHES_OFFSET, watched.length + 1, timeoutMs)
    if (ready <= 0) return
    for (let index = 0; index < watched.length; index++) {
      if (isReady(this.#words, WATCHES_OFFSET / 4, index)) this.#receive(watched[index])
    }
    if (isReady(this.#words, WATCHES_OFFSET / 4, watched.length)) {
      clearEvent(this.#event, this.#address + COUNTER_OFFSET)
    }
  }

  #watch(): void {
    if (!this.#isChanged) return
    this.#isChanged = false
    this.#watched = [...this.#sockets]
    const words = this.#words
    this.#watched.forEach(({ descriptor }, index) => {
      writeWatch(words, WATCHES_OFFSET / 4, index, descriptor)
    })
    writeWatch(words, WATCHES_OFFSET / 4, this.#watched.length, this.#event)
  }

  #receive(socket: ReactorSocket): void {
    const slab = this.#slab
    for (let round = 0; round < ROUNDS_MAX; round++) {
      // Somebody who was told of another one may have closed it.
      if (socket.descriptor === NO_DESCRIPTOR) return
      const count = slab.receive(socket.descriptor)
      if (count <= 0) {
        if (count < 0 && !mayPass(-count)) socket.events.failed(new SystemError('recvmmsg', -count))
        return
      }
      for (let slot = 0; slot < count && socket.descriptor !== NO_DESCRIPTOR; slot++) {
        socket.events.received(slab.bytes, slab.packetOffset(slot), slab.queryLength(slot), slab.isCut(slot))
      }
      slab.reset()
      if (count < slab.slots) return
    }
  }
}

function mayPass(errno: number): boolean {
  return errno === EAGAIN || errno === EINTR || errno === ENOBUFS
}
