// A server over TCP or TLS that does with each message what a test says. Its reading and writing of frames is its own.

import { createServer, type Server, type Socket } from 'node:net'
import { createServer as createTlsServer, type TLSSocket } from 'node:tls'
import type { Certificate } from './certificate.ts'

/** One connection, as a test sees it. */
export class Peer {
  /** 0 = the first of the server. */
  readonly index: number
  readonly socket: Socket
  /** Messages that came over it. */
  readonly messages: Buffer[] = []
  /** What TLS runs over; without it the socket itself. */
  readonly #transport: Socket

  constructor(index: number, socket: Socket, transport: Socket) {
    this.index = index
    this.socket = socket
    this.#transport = transport
  }

  send(...messages: readonly Buffer[]): void {
    if (!this.socket.destroyed) this.socket.write(framed(messages))
  }

  /** Ends the connection with RST. */
  reset(): void {
    this.#transport.resetAndDestroy()
  }
}

export type Behaviour = (peer: Peer, message: Buffer, server: FramedServer) => void

export class FramedServer {
  port = 0
  /** One more is reset. */
  connectionsMax = Number.POSITIVE_INFINITY
  /** All that ever were, by index. */
  readonly peers: Peer[] = []
  /** All messages, in the order of arrival. */
  readonly messages: Buffer[] = []
  readonly #server: Server
  /** TCP connections by the client's port. */
  readonly #transports = new Map<number, Socket>()

  private constructor(behave: Behaviour, certificate: Certificate | null, protocols: string[] | null) {
    const accept = (socket: Socket): void => this.#accept(socket, behave)
    const choice = protocols === null ? {} : { ALPNProtocols: protocols }
    this.#server =
      certificate === null
        ? createServer({ noDelay: true }, accept)
        : createTlsServer({ cert: certificate.cert, key: certificate.key, ...choice }, accept)
    this.#server.on('tlsClientError', () => {})
    this.#server.prependListener('connection', (socket: Socket) => {
      socket.on('error', () => {})
      this.#transports.set(socket.remotePort ?? 0, socket)
    })
  }

  /** Listens on a free port of 127.0.0.1. @param protocols  that it chooses from (ALPN); null = it does not choose */
  static async open(
    behave: Behaviour,
    certificate: Certificate | null = null,
    protocols: string[] | null = ['dot'],
  ): Promise<FramedServer> {
    const server = new FramedServer(behave, certificate, protocols)
    await new Promise<void>((resolve) => server.#server.listen(0, '127.0.0.1', resolve))
    server.port = (server.#server.address() as { port: number }).port
    return server
  }

  /** Connections that are not closed. */
  get openCount(): number {
    return this.peers.filter(({ socket }) => !socket.destroyed).length
  }

  /** Of the TLS connections: protocol and name that the client asked for. */
  get handshakes(): (readonly [protocol: string | false | null, name: string | false | null])[] {
    return this.peers.map(({ socket }) => {
      const { alpnProtocol, servername } = socket as TLSSocket & { servername: string | false | null }
      return [alpnProtocol, servername] as const
    })
  }

  /** Takes no connections any more. */
  refuse(): void {
    this.#server.close()
  }

  close(): void {
    this.#server.close()
    for (const { socket } of this.peers) socket.destroy()
  }

  #accept(socket: Socket, behave: Behaviour): void {
    const peer = new Peer(this.peers.length, socket, this.#transports.get(socket.remotePort ?? 0) ?? socket)
    this.peers.push(peer)
    if (this.openCount > this.connectionsMax) peer.reset()
    let unread = Buffer.alloc(0)
    socket.on('error', () => {})
    socket.on('data', (piece: Buffer) => {
      unread = Buffer.concat([unread, piece])
      while (unread.length >= 2 && unread.length >= 2 + unread.readUInt16BE(0)) {
        const message = unread.subarray(2, 2 + unread.readUInt16BE(0))
        unread = unread.subarray(2 + message.length)
        peer.messages.push(message)
        this.messages.push(message)
        behave(peer, message, this)
      }
    })
  }
}

/** Messages as they go into the stream. */
export function framed(messages: readonly Buffer[]): Buffer {
  return Buffer.concat(messages.flatMap((message) => [Buffer.from([message.length >> 8, message.length]), message]))
}

/** A response to a query: its octets, with QR set. */
export function answerTo(query: Buffer, rcode = 0): Buffer {
  const answer = Buffer.from(query)
  answer[2] |= 0x80
  answer[3] = rcode
  return answer
}

/** A response to another question: the first letter of the name is another. */
export function answerToOther(query: Buffer): Buffer {
  const answer = answerTo(query)
  answer[13] = 'x'.charCodeAt(0)
  return answer
}

export const answer: Behaviour = (peer, message) => peer.send(answerTo(message))
