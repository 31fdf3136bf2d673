// One message out, one message back, over UDP and over TCP. Knows nothing of what is in them but the id.

import { createSocket, type Socket as UdpSocket } from 'node:dgram'
import { connect, isIPv6, type Socket as TcpSocket } from 'node:net'

/** Where a server listens. */
export interface Endpoint {
  address: string
  port: number
}

/** A client that waits for the response with the id of its request (the first two octets). */
export interface Client {
  /** @returns the response, or undefined if none came within `timeoutMs` (default 2,000) */
  exchange(message: Uint8Array, timeoutMs?: number): Promise<Uint8Array | undefined>
  close(): void
}

/** Requests that wait for a response, by id. A response nobody waits for is counted in `strays`. */
class Waiters {
  strays = 0
  readonly #resolves = new Map<number, (response: Uint8Array | undefined) => void>()

  wait(id: number, timeoutMs: number): Promise<Uint8Array | undefined> {
    if (this.#resolves.has(id)) throw new Error(`id ${id} is in use`)
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.#settle(id, undefined), timeoutMs)
      this.#resolves.set(id, (response) => {
        clearTimeout(timer)
        resolve(response)
      })
    })
  }

  arrive(response: Uint8Array): void {
    const id = response.length < 2 ? -1 : (response[0]! << 8) | response[1]!
    if (!this.#settle(id, response)) this.strays++
  }

  /** Nothing more will come. */
  end(): void {
    for (const id of [...this.#resolves.keys()]) this.#settle(id, undefined)
  }

  #settle(id: number, response: Uint8Array | undefined): boolean {
    const resolve = this.#resolves.get(id)
    this.#resolves.delete(id)
    resolve?.(response)
    return resolve !== undefined
  }
}

/** A client on one UDP socket. */
export class UdpClient implements Client {
  readonly waiters: Waiters = new Waiters()
  readonly #socket: UdpSocket
  readonly #server: Endpoint

  constructor(server: Endpoint) {
    this.#server = server
    this.#socket = createSocket(isIPv6(server.address) ? 'udp6' : 'udp4')
    this.#socket.unref() // a forgotten client does not keep the test run from ending
    this.#socket.on('message', (message, from) => {
      // A response comes from where the query went (RFC 2181 §4.1); resolvers drop any other.
      if (from.address === server.address && from.port === server.port) this.waiters.arrive(message)
      else this.waiters.strays++
    })
    this.#socket.on('error', () => this.waiters.end())
  }

  exchange(message: Uint8Array, timeoutMs = 2_000): Promise<Uint8Array | undefined> {
    const response = this.waiters.wait(idOf(message), timeoutMs)
    this.send(message)
    return response
  }

  send(message: Uint8Array): void {
    this.#socket.send(message, this.#server.port, this.#server.address)
  }

  close(): void {
    this.waiters.end()
    this.#socket.close()
  }
}

/** A client on one TCP connection (RFC 7766), opened when first used and again when the server has closed it. */
export class TcpClient implements Client {
  readonly waiters: Waiters = new Waiters()
  readonly #server: Endpoint
  #socket: TcpSocket | undefined
  #received: Buffer = Buffer.alloc(0)

  constructor(server: Endpoint) {
    this.#server = server
  }

  exchange(message: Uint8Array, timeoutMs = 2_000): Promise<Uint8Array | undefined> {
    const response = this.waiters.wait(idOf(message), timeoutMs)
    this.send(message)
    return response
  }

  /** Sends the message in a frame of its own, length and message in one write. */
  send(message: Uint8Array): void {
    this.write(frame(message))
  }

  /** Sends octets as they are. */
  write(octets: Uint8Array): void {
    this.#connection().write(octets)
  }

  /** True until the server has closed the connection, or the client. */
  get open(): boolean {
    return this.#socket !== undefined
  }

  close(): void {
    this.waiters.end()
    this.#socket?.destroy()
    this.#socket = undefined
  }

  #connection(): TcpSocket {
    if (this.#socket) return this.#socket
    const socket = connect({ host: this.#server.address, port: this.#server.port, noDelay: true })
    socket.unref()
    this.#socket = socket
    this.#received = Buffer.alloc(0)
    socket.on('data', (octets: Buffer) => this.#receive(octets))
    socket.on('error', () => {})
    socket.on('close', () => {
      if (this.#socket !== socket) return
      this.#socket = undefined
      this.waiters.end()
    })
    return socket
  }

  #receive(octets: Buffer): void {
    let rest = Buffer.concat([this.#received, octets])
    while (rest.length >= 2 && rest.length >= 2 + rest.readUInt16BE(0)) {
      const end = 2 + rest.readUInt16BE(0)
      this.waiters.arrive(rest.subarray(2, end))
      rest = rest.subarray(end)
    }
    this.#received = rest
  }
}

/** A message behind its two-octet length (RFC 1035 §4.2.2). */
export function frame(message: Uint8Array): Uint8Array {
  return Buffer.concat([Buffer.of(message.length >>> 8, message.length & 255), message])
}

function idOf(message: Uint8Array): number {
  return (message[0]! << 8) | message[1]!
}
