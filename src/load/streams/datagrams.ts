// UDP where the batched loop (udp-loop.ts) cannot be had: node:dgram, a datagram a call. Slower, and the kernel's drops are not seen. Each
// connection is a connected socket; it is never ended by the other side, and a port that is closed is an error of a query.

import { createSocket, type Socket } from 'node:dgram'
import type { Target } from '../run.ts'
import { type Connection, ConnectionError, type ConnectionOwner, type Opener } from './connection.ts'
import type { QueryOctets } from './query-octets.ts'

/** Datagrams that may wait in a socket to be sent. */
const QUEUE_MAX = 1024
const RECEIVE_BUFFER = 4 * 1024 * 1024
const ID_LENGTH = 2
const IDS = 65_536

export function datagramOpener(target: Target, octets: QueryOctets): Opener {
  return (owner) => new DatagramConnection(target, octets, owner)
}

class DatagramConnection implements Connection {
  readonly #socket: Socket
  readonly #octets: QueryOctets
  readonly #owner: ConnectionOwner
  #isOpen = false
  #isClosed = false

  constructor({ address, port }: Target, octets: QueryOctets, owner: ConnectionOwner) {
    this.#octets = octets
    this.#owner = owner
    this.#socket = createSocket({ type: address.includes(':') ? 'udp6' : 'udp4', recvBufferSize: RECEIVE_BUFFER })
    this.#socket.on('error', (error) => this.#fail(error))
    this.#socket.on('message', (message) => {
      if (this.#isClosed) return
      const id = message.length < ID_LENGTH ? 0 : (message[0] << 8) | message[1]
      owner.message(id, message, 0, message.length)
    })
    this.#socket.once('connect', () => {
      this.#isOpen = true
      if (!this.#isClosed) owner.opened()
    })
    this.#socket.connect(port, address)
  }

  get room(): number {
    return this.#isOpen && !this.#isClosed ? QUEUE_MAX - this.#socket.getSendQueueCount() : 0
  }

  send(queries: Uint32Array, count: number, firstId: number): void {
    for (let i = 0; i < count; i++) {
      this.#socket.send(this.#octets.message(queries[i], (firstId + i) % IDS), (error) => {
        if (error !== null) this.#fail(error)
      })
    }
  }

  /** An answer that comes too late costs nothing. */
  giveUp(): void {}

  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#socket.close()
  }

  #fail(error: Error): void {
    if (this.#isClosed) return
    const failure = ConnectionError.from(error)
    if (this.#isOpen) {
      this.#owner.refused(failure.code)
      return
    }
    this.#isClosed = true
    this.#socket.close(() => this.#owner.closed())
    this.#owner.ended(failure, true)
  }
}
