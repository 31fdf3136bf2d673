// An upstream that says what a test wants, over UDP, TCP and TLS at one port of a loopback address. Messages are made by dns-packet, which shares nothing
// with the server, or octet by octet.

import { createSocket, type Socket as DatagramSocket, type RemoteInfo } from 'node:dgram'
import { createServer, type Server, type Socket } from 'node:net'
import { createServer as createTlsServer, type TlsOptions } from 'node:tls'
import { type Answer, AUTHENTIC_DATA, encode, RECURSION_AVAILABLE } from 'dns-packet'

/** A query as it came, and ways to answer it. */
export interface Asked {
  readonly proto: 'udp' | 'tcp' | 'tls'
  /** Of the other end. */
  readonly address: string
  readonly port: number
  readonly message: Buffer
  readonly id: number
  /** Presentation format without final dot, letter case as it came. */
  readonly name: string
  readonly type: number
  readonly hasOpt: boolean
  /** Which connection it came over, counted from 0; -1 for UDP. */
  readonly connection: number
  /** Sends a message as it is. */
  send(message: Uint8Array): void
  /** UDP: from another port. */
  sendFromElsewhere(message: Uint8Array): void
  /** TCP: octets as they are, without a length. */
  write(octets: Uint8Array): void
  /** TCP: ends the connection in good order. */
  end(): void
  /** TCP: RST. */
  reset(): void
}

export type Behavior = (asked: Asked) => void

/** What an answer has; the question is that of the query. */
export interface Answering {
  readonly id?: number
  readonly rcode?: number
  readonly name?: string
  readonly type?: string
  readonly truncated?: boolean
  readonly answers?: readonly Answer[]
  readonly authorities?: readonly Answer[]
  readonly additionals?: readonly Answer[]
}

const TYPES: Readonly<Record<number, string>> = { 1: 'A', 2: 'NS', 5: 'CNAME', 28: 'AAAA' }
const TC = 0x200

/** A record of an address. */
export function a(name: string, data: string, ttl = 60): Answer {
  return { type: 'A', name, data, ttl }
}

/** A reply, by default 192.0.2.1 for the name asked. */
export function replyTo(asked: Asked, answering: Answering = {}): Buffer {
  const { rcode = 0, truncated = false } = answering
  return encode({
    type: 'response',
    id: answering.id ?? asked.id,
    flags: RECURSION_AVAILABLE | AUTHENTIC_DATA | (truncated ? TC : 0) | rcode,
    questions: [{ name: answering.name ?? asked.name, type: (answering.type ?? TYPES[asked.type] ?? 'A') as 'A' }],
    answers: [...(answering.answers ?? (rcode === 0 && !truncated ? [a(asked.name, '192.0.2.1')] : []))],
    authorities: [...(answering.authorities ?? [])],
    additionals: [...(answering.additionals ?? [])],
  })
}

/** Answers right. */
export const honest: Behavior = (asked) => asked.send(replyTo(asked))
/** Never answers. */
export const silent: Behavior = () => {}

export class LyingUpstream {
  /** What it does with a query. */
  behavior: Behavior
  /** All queries, in their order. */
  readonly asked: Asked[] = []
  readonly port: number
  /** Connections accepted so far, and those whose TLS session was resumed. */
  connectionCount = 0
  resumedCount = 0
  readonly #host: string
  readonly #datagrams: DatagramSocket
  readonly #server: Server
  readonly #connections = new Set<Socket>()
  readonly #elsewhere: DatagramSocket

  private constructor(host: string, port: number, datagrams: DatagramSocket, server: Server, behavior: Behavior) {
    this.#host = host
    this.port = port
    this.behavior = behavior
    this.#datagrams = datagrams
    this.#server = server
    this.#elsewhere = createSocket('udp4')
    datagrams.on('message', (message, from) => this.#datagram(message, from))
    server.on('connection', (socket: Socket) => {
      this.#connections.add(socket)
      socket.on('close', () => this.#connections.delete(socket))
      socket.on('error', () => {})
    })
  }

  /** @param tls  speaks TLS alone over TCP, with this certificate */
  static async open(
    behavior: Behavior = honest,
    { host = '127.0.0.1', port = 0, tls }: { host?: string; port?: number; tls?: TlsOptions } = {},
  ): Promise<LyingUpstream> {
    for (let attempt = 1; ; attempt++) {
      const server = tls === undefined ? createServer() : createTlsServer(tls)
      await new Promise<void>((resolve, reject) => server.once('error', reject).listen(port, host, resolve))
      const { port: found } = server.address() as { port: number }
      const datagrams = createSocket(host.includes(':') ? 'udp6' : 'udp4')
      try {
        await new Promise<void>((resolve, reject) => datagrams.once('error', reject).bind(found, host, resolve))
      } catch (error) {
        server.close()
        if (attempt < 20 && port === 0) continue
        throw error
      }
      const upstream = new LyingUpstream(host, found, datagrams, server, behavior)
      server.on(tls === undefined ? 'connection' : 'secureConnection', (socket: Socket) =>
        upstream.#accepted(socket, tls === undefined ? 'tcp' : 'tls'),
      )
      server.on('tlsClientError', () => {})
      return upstream
    }
  }

  /** 'IP:port'. */
  get to(): string {
    return `${this.#host}:${this.port}`
  }

  /** Sends a datagram that nobody asked for, from the upstream's own address and port: as a forger does who can write any source. */
  sendTo(address: string, port: number, message: Uint8Array): void {
    this.#datagrams.send(message, port, address)
  }

  get openConnections(): number {
    return this.#connections.size
  }

  /** From now on it keeps no test process from ending. */
  unref(): this {
    for (const handle of [this.#datagrams, this.#elsewhere, this.#server]) handle.unref()
    this.#server.on('connection', (socket: Socket) => socket.unref())
    return this
  }

  /** Ends all connections, from this side. */
  dropConnections(): void {
    for (const socket of this.#connections) socket.destroy()
  }

  async close(): Promise<void> {
    this.dropConnections()
    this.#elsewhere.close()
    await Promise.all([
      new Promise<void>((resolve) => this.#datagrams.close(() => resolve())),
      new Promise<void>((resolve) => this.#server.close(() => resolve())),
    ])
  }

  #datagram(message: Buffer, { address, port }: RemoteInfo): void {
    this.#take(message, 'udp', address, port, -1, {
      send: (octets) => this.#datagrams.send(octets, port, address),
      sendFromElsewhere: (octets) => this.#elsewhere.send(octets, port, address),
      write: () => {},
      end: () => {},
      reset: () => {},
    })
  }

  #accepted(socket: Socket, proto: 'tcp' | 'tls'): void {
    const connection = this.connectionCount++
    if ('isSessionReused' in socket && (socket.isSessionReused as () => boolean)()) this.resumedCount++
    this.#connections.add(socket)
    socket.on('error', () => {})
    socket.on('close', () => this.#connections.delete(socket))
    const port = socket.remotePort ?? 0
    let read = Buffer.alloc(0)
    socket.on('data', (chunk: Buffer) => {
      read = Buffer.concat([read, chunk])
      while (read.length >= 2 && read.length >= 2 + read.readUInt16BE(0)) {
        const end = 2 + read.readUInt16BE(0)
        this.#take(read.subarray(2, end), proto, socket.remoteAddress ?? '', port, connection, {
          send: (octets) => socket.write(framed(octets)),
          sendFromElsewhere: () => {},
          write: (octets) => socket.write(octets),
          end: () => socket.end(),
          reset: () => (proto === 'tls' ? socket.destroy() : socket.resetAndDestroy()),
        })
        read = read.subarray(end)
      }
    })
  }

  #take(
    message: Buffer,
    proto: Asked['proto'],
    address: string,
    port: number,
    connection: number,
    ways: Pick<Asked, 'send' | 'sendFromElsewhere' | 'write' | 'end' | 'reset'>,
  ): void {
    // Whoever got an answer that was sent at random may have said something to it.
    if (message.length < 17 || message[2] >= 0x80) return
    const labels: string[] = []
    let at = 12
    for (; message[at] > 0; at += message[at] + 1) labels.push(message.toString('latin1', at + 1, at + 1 + message[at]))
    const asked: Asked = {
      proto,
      address,
      port,
      message: Buffer.from(message),
      id: message.readUInt16BE(0),
      name: labels.join('.'),
      type: message.readUInt16BE(at + 1),
      hasOpt: message[11] === 1,
      connection,
      ...ways,
    }
    this.asked.push(asked)
    this.behavior(asked)
  }
}

/** A message with its length in front. */
export function framed(message: Uint8Array): Buffer {
  const length = Buffer.alloc(2)
  length.writeUInt16BE(message.length)
  return Buffer.concat([length, message])
}
