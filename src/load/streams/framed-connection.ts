// Messages over TCP or TLS: each with its length before it, many under way, answers in any order (RFC 7766 §6.2.1.1, §7; RFC 7858 §3.3).

import type { Socket } from 'node:net'
import { type Connection, ConnectionError, type ConnectionOwner } from './connection.ts'
import { FrameReader } from './frame-reader.ts'
import type { QueryOctets } from './query-octets.ts'

/** As many as there are IDs. */
const ROOM_MAX = 65_536

export class FramedConnection implements Connection {
  readonly #socket: Socket
  readonly #octets: QueryOctets
  readonly #owner: ConnectionOwner
  #isOpen = false
  #isBlocked = false
  #isEnded = false
  #isGivenUp = false

  /**
   * @param openEvent  of the socket, when messages may be sent
   * @param errorOf    what an error of the socket means
   */
  constructor(
    socket: Socket,
    openEvent: 'connect' | 'secureConnect',
    octets: QueryOctets,
    owner: ConnectionOwner,
    errorOf: (error: Error) => ConnectionError = ConnectionError.from,
  ) {
    this.#socket = socket
    this.#octets = octets
    this.#owner = owner
    const reader = new FrameReader((bytes, at, length) => {
      if (!this.#isEnded) owner.message(length < 2 ? 0 : (bytes[at] << 8) | bytes[at + 1], bytes, at, length)
    })
    socket.once(openEvent, () => {
      if (this.#isEnded) return
      this.#isOpen = true
      owner.opened()
    })
    socket.on('data', (piece: Buffer) => reader.read(piece))
    socket.on('drain', () => {
      this.#isBlocked = false
    })
    socket.on('error', (error) => this.#end(errorOf(error)))
    socket.on('end', () => this.#end(null))
    socket.on('close', () => {
      this.#end(null)
      if (!this.#isGivenUp) owner.closed()
    })
  }

  get room(): number {
    return this.#isOpen && !this.#isBlocked && !this.#isEnded ? ROOM_MAX : 0
  }

  send(queries: Uint32Array, count: number, firstId: number): void {
    if (!this.#socket.write(this.#octets.frames(queries, count, firstId))) this.#isBlocked = true
  }

  /** An answer that comes too late costs the connection nothing. */
  giveUp(): void {}

  close(): void {
    this.#isGivenUp = true
    this.#isEnded = true
    this.#socket.destroy()
  }

  #end(error: ConnectionError | null): void {
    if (this.#isEnded) return
    this.#isEnded = true
    this.#socket.destroy()
    this.#owner.ended(error, true)
  }
}
