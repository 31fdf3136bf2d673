// The connections of one worker: so many places, each with a connection in it as far as the server lets it. Where one has
// ended another is opened: at once if the last one was of use, and after a pause, longer each time, if it was not, so that nobody
// knocks at a dead port all the time.

import { type Connection, ConnectionError, type Opener } from './connection.ts'

/** A connection that takes longer to be made is given up. */
const CONNECT_MS = 5000
/** Of one worker at a time: more would only wait in the server's queue, where there may be no room for them. */
const OPENING_MAX = 64
/** From one opening to the next of the same place. */
const REOPEN_MS = 10
const PAUSE_MIN_MS = 100
const PAUSE_MAX_MS = 1000

/** Who hears what comes over the connections. */
export interface SlotListener {
  opened(slot: number): void
  message(slot: number, id: number, bytes: Uint8Array, at: number, length: number): void
  refused(what: string): void
  /** @see ConnectionOwner.ended. It is called for connections that could not be made, too. */
  ended(slot: number, error: ConnectionError | null, isSilent: boolean): void
}

/** All places, 0 to count - 1. */
export class ConnectionSlots {
  readonly count: number
  readonly #slots: readonly Slot[]

  constructor(count: number, opener: Opener, listener: SlotListener) {
    this.count = count
    this.#slots = Array.from({ length: count }, (_, slot) => new Slot(slot, opener, listener))
  }

  /**
   * Opens one for each place, until one cannot be opened; those that are left are opened by turn().
   *
   * @throws ConnectionError if there is none at all
   */
  async openAll(): Promise<void> {
    const slots = this.#slots.values()
    let firstError: ConnectionError | null = null
    const openNext = async (): Promise<void> => {
      for (const slot of slots) {
        const error = await slot.open(performance.now())
        firstError ??= error
        if (firstError !== null) return
      }
    }
    await Promise.all(Array.from({ length: Math.min(OPENING_MAX, this.count) }, openNext))
    if (firstError !== null && !this.#slots.some(({ isOpen }) => isOpen)) throw firstError
  }

  /** Whether there is a connection at a place. */
  isOpen(slot: number): boolean {
    return this.#slots[slot].isOpen
  }

  /** Queries that the connection at a place takes now. */
  room(slot: number): number {
    const { connection } = this.#slots[slot]
    return connection === null ? 0 : connection.room
  }

  /** @see Connection.send */
  send(slot: number, queries: Uint32Array, count: number, firstId: number, nowMs: number): void {
    this.#slots[slot].connection?.send(queries, count, firstId, nowMs)
  }

  /** Opens connections that are missing, when it is time. */
  turn(nowMs: number): void {
    let opening = 0
    for (const slot of this.#slots) if (slot.isOpening) opening++
    for (const slot of this.#slots) {
      if (opening >= OPENING_MAX) return
      if (!slot.isDue(nowMs)) continue
      void slot.open(nowMs)
      opening++
    }
  }

  /** Nobody waits any more for what was sent before that time. */
  giveUp(beforeMs: number): void {
    for (const slot of this.#slots) slot.giveUp(beforeMs)
  }

  /** Ends all of them; the listener hears no more. */
  close(): void {
    for (const slot of this.#slots) slot.close()
  }
}

class Slot {
  /** The one that queries go to, or that is being opened. */
  connection: Connection | null = null
  isOpen = false
  readonly #index: number
  readonly #opener: Opener
  readonly #listener: SlotListener
  /** With those that take no more queries, and may still have answers. */
  readonly #all = new Set<Connection>()
  #openedMs = Number.NEGATIVE_INFINITY
  #nextMs = 0
  #pauseMs = 0
  #settled: ((error: ConnectionError | null) => void) | null = null
  #limit: NodeJS.Timeout | undefined

  constructor(index: number, opener: Opener, listener: SlotListener) {
    this.#index = index
    this.#opener = opener
    this.#listener = listener
  }

  get isOpening(): boolean {
    return this.connection !== null && !this.isOpen
  }

  isDue(nowMs: number): boolean {
    return this.connection === null && nowMs >= this.#nextMs
  }

  /** @returns null when it is open, the error when it cannot be opened */
  open(nowMs: number): Promise<ConnectionError | null> {
    this.#openedMs = nowMs
    const { promise, resolve } = Promise.withResolvers<ConnectionError | null>()
    this.#settled = resolve
    const connection = this.#opener({
      opened: () => this.#opened(),
      message: (id, bytes, at, length) => this.#message(id, bytes, at, length),
      refused: (what) => this.#listener.refused(what),
      ended: (error, isSilent) => this.#ended(connection, error, isSilent),
      closed: () => this.#all.delete(connection),
    })
    this.connection = connection
    this.#all.add(connection)
    this.#limit = setTimeout(() => {
      connection.close()
      this.#all.delete(connection)
      this.#ended(connection, new ConnectionError('ETIMEDOUT', `no connection within ${CONNECT_MS / 1000} s`), true)
    }, CONNECT_MS)
    return promise
  }

  giveUp(beforeMs: number): void {
    for (const connection of this.#all) connection.giveUp(beforeMs)
  }

  close(): void {
    clearTimeout(this.#limit)
    for (const connection of this.#all) connection.close()
    this.#all.clear()
    this.connection = null
    this.isOpen = false
    this.#settled?.(null)
  }

  #opened(): void {
    clearTimeout(this.#limit)
    this.isOpen = true
    this.#listener.opened(this.#index)
    this.#settle(null)
  }

  #message(id: number, bytes: Uint8Array, at: number, length: number): void {
    this.#pauseMs = 0
    this.#listener.message(this.#index, id, bytes, at, length)
  }

  #ended(connection: Connection, error: ConnectionError | null, isSilent: boolean): void {
    if (connection !== this.connection) return
    clearTimeout(this.#limit)
    const nowMs = performance.now()
    this.connection = null
    this.isOpen = false
    this.#nextMs = Math.max(nowMs + this.#pauseMs, this.#openedMs + REOPEN_MS)
    this.#pauseMs = Math.min(PAUSE_MAX_MS, Math.max(PAUSE_MIN_MS, this.#pauseMs * 2))
    const failure = error ?? (this.#settled === null ? null : new ConnectionError('ECONNRESET', 'closed by the server'))
    this.#listener.ended(this.#index, failure, isSilent)
    this.#settle(failure)
  }

  #settle(error: ConnectionError | null): void {
    this.#settled?.(error)
    this.#settled = null
  }
}
