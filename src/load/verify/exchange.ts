// One message out, one message back, over UDP and over TCP: how servers are asked outside of the measured load. Any number of
// queries may be under way; each has a random ID of its own, and what comes back must repeat its question.

import { randomInt } from 'node:crypto'
import { createSocket, type Socket as UdpSocket } from 'node:dgram'
import { connect, isIPv6, type Socket as TcpSocket } from 'node:net'
import { FrameReader, framed } from '../streams/frame-reader.ts'
import { endOfQuestion, repeatsQuestion } from './question-key.ts'

/** Where a server listens. */
export interface ServerAddress {
  readonly address: string
  readonly port: number
}

/** Sends queries to one server over one transport. */
export interface Exchange {
  /** Why something went wrong the last time, by errno name; '' if nothing did. */
  readonly failure: string
  /** Sends a query with an ID of its own. @returns the response; null if none came in time, or none will */
  ask(query: Uint8Array, timeoutMs: number): Promise<Uint8Array | null>
  /** Nothing more will come. */
  close(): void
}

const IDS = 65_536
const FLAGS_OFFSET = 2
const QR = 0x80

/** Queries under way, by ID. */
class PendingQueries {
  readonly #pending = new Map<
    number,
    { readonly query: Uint8Array; readonly settle: (response: Uint8Array | null) => void }
  >()

  /** @returns the query as it is to be sent, and what comes of it */
  add(query: Uint8Array, timeoutMs: number): { message: Uint8Array; response: Promise<Uint8Array | null> } {
    let id = randomInt(IDS)
    while (this.#pending.has(id)) id = (id + 1) % IDS
    const message = new Uint8Array(query)
    message[0] = id >>> 8
    message[1] = id
    const { promise, resolve } = Promise.withResolvers<Uint8Array | null>()
    const timer = setTimeout(() => this.#settle(id, null), timeoutMs)
    const settle = (response: Uint8Array | null): void => {
      clearTimeout(timer)
      resolve(response)
    }
    this.#pending.set(id, { query: message, settle })
    return { message, response: promise }
  }

  /** Takes a response, unless nobody waits for it. A server that cannot read a question may leave it out. */
  arrive(response: Uint8Array): void {
    if (response.length <= FLAGS_OFFSET || (response[FLAGS_OFFSET] & QR) === 0) return
    const id = response[0] * 256 + response[1]
    const query = this.#pending.get(id)?.query
    if (query === undefined) return
    const hasNoQuestion = response[4] === 0 && response[5] === 0
    if (hasNoQuestion || repeatsQuestion(response, query, endOfQuestion(query)))
      this.#settle(id, new Uint8Array(response))
  }

  /** None of them will be answered. */
  abandon(): void {
    for (const id of [...this.#pending.keys()]) this.#settle(id, null)
  }

  #settle(id: number, response: Uint8Array | null): void {
    const pending = this.#pending.get(id)
    this.#pending.delete(id)
    pending?.settle(response)
  }
}

/** Datagrams, from one connected socket: only the server's own come back, and its ICMP errors too. */
export class UdpExchange implements Exchange {
  failure = ''
  readonly #server: ServerAddress
  readonly #pending = new PendingQueries()
  #socket: Promise<UdpSocket> | null = null
  #isClosed = false

  constructor(server: ServerAddress) {
    this.#server = server
  }

  async ask(query: Uint8Array, timeoutMs: number): Promise<Uint8Array | null> {
    const { message, response } = this.#pending.add(query, timeoutMs)
    this.#socket ??= this.#open()
    const socket = await this.#socket.catch(() => null)
    if (socket !== null && !this.#isClosed) {
      socket.send(message, (error) => {
        if (error !== null) this.#fail(error)
      })
    }
    return await response
  }

  close(): void {
    this.#isClosed = true
    this.#pending.abandon()
    this.#socket?.then((socket) => socket.close()).catch(() => {})
    this.#socket = null
  }

  #open(): Promise<UdpSocket> {
    const { address, port } = this.#server
    const { promise, resolve, reject } = Promise.withResolvers<UdpSocket>()
    const socket = createSocket(isIPv6(address) ? 'udp6' : 'udp4')
    socket.on('message', (message) => this.#pending.arrive(message))
    socket.on('error', (error) => {
      this.#fail(error)
      reject(error)
    })
    promise.catch(() => {
      socket.close()
      this.#socket = null
    })
    socket.connect(port, address, () => resolve(socket))
    return promise
  }

  /** The server's host has nobody there, or there is no way to it. Another try may do better. */
  #fail(error: NodeJS.ErrnoException): void {
    this.failure = error.code ?? error.message
    this.#pending.abandon()
  }
}

/** Messages in one connection (RFC 7766 §6.2.1.1), opened when it is needed. */
export class TcpExchange implements Exchange {
  failure = ''
  readonly #server: ServerAddress
  readonly #pending = new PendingQueries()
  #socket: TcpSocket | null = null

  constructor(server: ServerAddress) {
    this.#server = server
  }

  async ask(query: Uint8Array, timeoutMs: number): Promise<Uint8Array | null> {
    const { message, response } = this.#pending.add(query, timeoutMs)
    this.#connection().write(framed(message))
    return await response
  }

  close(): void {
    this.#pending.abandon()
    this.#socket?.destroy()
    this.#socket = null
  }

  #connection(): TcpSocket {
    if (this.#socket !== null) return this.#socket
    const { address, port } = this.#server
    const socket = connect({ host: address, port, noDelay: true })
    this.#socket = socket
    const reader = new FrameReader((bytes, at, length) => this.#pending.arrive(bytes.subarray(at, at + length)))
    socket.on('data', (octets: Buffer) => reader.read(octets))
    socket.on('error', (error: NodeJS.ErrnoException) => (this.failure = error.code ?? error.message))
    socket.on('close', () => {
      if (this.#socket !== socket) return
      this.#socket = null
      this.#pending.abandon()
    })
    return socket
  }
}
