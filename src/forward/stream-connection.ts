// A TCP or TLS connection to an upstream, with many queries under way at a time: answers come in any order (RFC 7766 §6.2.1.1). It frames, matches ids,
// and ends as a whole. Not here: which connection is taken, and when one is opened (stream-pool.ts).

import { connect as connectTcp, isIP, type Socket } from 'node:net'
import type { PeerCertificate, SecureContext, TLSSocket } from 'node:tls'
import { addressAndPort } from '../io/addresses.ts'
import { monotonicMs } from './clock.ts'
import { type DueTimes, Timed } from './due-times.ts'
import type { Carrier, Exchange, FailureReason } from './exchange.ts'
import { errorText } from './network-errors.ts'
import { random16 } from './random-octets.ts'
import { tlsModule } from './tls-module.ts'
import type { Peer } from './udp-socket.ts'
import { FRAME_LENGTH, HEADER_LENGTH } from './upstream-query.ts'

/** Under way at a time; far below the number of ids, so that a free one is found at once. */
const WAITING_MAX = 4096
/** Answers to nobody, then something is wrong with the other end. Those whose query has been given up do not count. */
const STRANGERS_MAX = 32

/** How an upstream is spoken to over TLS. */
export interface TlsParameters {
  readonly context: SecureContext
  /** The name that its certificate is to have: a domain name or an IP address. */
  readonly serverName: string
  /** Of the last connection, for the next one (RFC 8446 §2.2). */
  session: Buffer | undefined
}

/** What a connection tells its pool. */
export interface ConnectionOwner {
  /** @param ms  how long it took */
  connected(connection: StreamConnection, ms: number): void
  /** Nothing waits on it any more. */
  idle(connection: StreamConnection): void
  /** All is over. */
  closed(connection: StreamConnection): void
  /** It takes no more. */
  ended(connection: StreamConnection): void
}

export class StreamConnection extends Timed implements Carrier {
  usedMs: number
  readonly openedMs: number
  readonly #peer: Peer
  readonly #owner: ConnectionOwner
  readonly #times: DueTimes
  readonly #socket: Socket | TLSSocket
  readonly #waiting = new Map<number, Exchange>()
  /** Given up, and not answered yet: their ids are not used again here, and their answers are no strangers. */
  readonly #abandoned = new Set<number>()
  #unsent: Exchange[] | null = []
  #isCorked = false
  #hasAnswered = false
  #heardMs = 0
  #strangers = 0
  #isRetired = false
  #isClosed = false
  /** A message that came in part, with its length before it. */
  #part: Buffer | null = null
  #partLength = 0

  /** @param dialMs  then the attempt to connect is over */
  constructor(
    peer: Peer,
    tls: TlsParameters | null,
    times: DueTimes,
    owner: ConnectionOwner,
    nowMs: number,
    dialMs: number,
  ) {
    super()
    this.#peer = peer
    this.#owner = owner
    this.#times = times
    this.openedMs = nowMs
    this.usedMs = nowMs
    const socket = tls === null ? connectTcp(tcpOptions(peer)) : openTls(peer, tls)
    this.#socket = socket
    socket.setNoDelay(true)
    socket.on('error', (error) => this.#broken(error))
    socket.on('end', () => this.fail(this.#reason(), `read ${this.ends}: EOF`))
    socket.on('close', () => this.fail(this.#reason(), `read ${this.ends}: EOF`))
    socket.on('data', (chunk: Buffer) => this.#read(chunk))
    socket.on(tls === null ? 'connect' : 'secureConnect', () => this.#connected())
    times.set(this, nowMs + dialMs)
  }

  get isUsable(): boolean {
    return !this.#isRetired && !this.#isClosed && this.#waiting.size + this.#abandoned.size < WAITING_MAX
  }

  get isConnected(): boolean {
    return this.#unsent === null
  }

  get waitingCount(): number {
    return this.#waiting.size
  }

  get ends(): string {
    const { localAddress, localPort } = this.#socket
    const own = addressAndPort(localAddress ?? (this.#peer.family === 4 ? '0.0.0.0' : '::'), localPort ?? 0)
    return `tcp ${own}->${this.#to}`
  }

  get timeout(): string {
    return this.#unsent === null ? `read ${this.ends}: i/o timeout` : `dial tcp ${this.#to}: i/o timeout`
  }

  /** Asks; once it is connected if it is not yet. */
  ask(exchange: Exchange, nowMs: number): void {
    let id = random16()
    while (this.#waiting.has(id) || this.#abandoned.has(id)) id = random16()
    exchange.id = id
    exchange.carrier = this
    this.#waiting.set(id, exchange)
    this.usedMs = nowMs
    if (this.#unsent === null) this.#send(exchange)
    else this.#unsent.push(exchange)
  }

  /** TCP sends again by itself. */
  resend(): void {}

  /** TCP sends again by itself: where an answer does not come, a new connection may be better. */
  suspect(askedMs: number): void {
    if (this.#heardMs < askedMs) this.retire()
  }

  drop(exchange: Exchange): void {
    this.#waiting.delete(exchange.id)
    exchange.carrier = null
    if (this.#unsent === null) this.#abandoned.add(exchange.id)
    this.#afterAnswer()
  }

  /** Takes no more; closes when what waits has ended. */
  retire(): void {
    if (this.#isRetired) return
    this.#isRetired = true
    this.#owner.ended(this)
    if (this.#waiting.size === 0) this.#close()
  }

  /** Ends all that waits. */
  fail(reason: FailureReason, error: string): void {
    if (this.#isClosed) return
    const waiting = [...this.#waiting.values()]
    this.#waiting.clear()
    for (const exchange of waiting) exchange.carrier = null
    this.retire()
    this.#close()
    for (const exchange of waiting) exchange.failed(reason, error)
  }

  /** The time to connect is over. (Its pool says when it has been unused for long enough.) */
  override due(): void {
    if (this.#unsent !== null) this.fail('network', this.timeout)
  }

  get #to(): string {
    return addressAndPort(this.#peer.host, this.#peer.port)
  }

  #connected(): void {
    if (this.#isClosed) return
    this.#times.clear(this)
    const unsent = this.#unsent ?? []
    this.#unsent = null
    for (const exchange of unsent) if (exchange.carrier === this) this.#send(exchange)
    this.#owner.connected(this, monotonicMs() - this.openedMs)
    this.#afterAnswer()
  }

  /** All that is asked in one turn goes out together. */
  #send(exchange: Exchange): void {
    if (!this.#isCorked) {
      this.#isCorked = true
      this.#socket.cork()
      process.nextTick(() => {
        this.#isCorked = false
        this.#socket.uncork()
      })
    }
    this.#socket.write(exchange.frame)
    exchange.sent()
  }

  /** Takes messages out of what has come, in place where they are whole. */
  #read(chunk: Buffer): void {
    let at = 0
    while (at < chunk.length && !this.#isClosed) {
      if (this.#part !== null || chunk.length - at < FRAME_LENGTH) {
        at += this.#gather(chunk, at)
        continue
      }
      const length = (chunk[at] << 8) | chunk[at + 1]
      if (at + FRAME_LENGTH + length > chunk.length) {
        at += this.#gather(chunk, at)
        continue
      }
      this.#message(chunk, at + FRAME_LENGTH, length)
      at += FRAME_LENGTH + length
    }
  }

  /** Adds to the message that has come in part, and takes it if it is whole. @returns octets used */
  #gather(chunk: Buffer, at: number): number {
    let part = this.#part
    if (part === null) {
      part = Buffer.allocUnsafe(FRAME_LENGTH)
      this.#partLength = 0
    }
    const used = Math.min(part.length - this.#partLength, chunk.length - at)
    chunk.copy(part, this.#partLength, at, at + used)
    this.#partLength += used
    this.#part = part
    if (this.#partLength < part.length) return used
    const length = (part[0] << 8) | part[1]
    if (part.length === FRAME_LENGTH && length > 0) {
      this.#part = Buffer.allocUnsafe(FRAME_LENGTH + length)
      part.copy(this.#part)
      return used
    }
    this.#part = null
    this.#message(part, FRAME_LENGTH, length)
    return used
  }

  #message(octets: Buffer, at: number, length: number): void {
    const id = length < HEADER_LENGTH || (octets[at + 2] & 0x80) === 0 ? -1 : (octets[at] << 8) | octets[at + 1]
    const exchange = this.#waiting.get(id)
    if (exchange === undefined) {
      if (!this.#abandoned.delete(id) && ++this.#strangers > STRANGERS_MAX) {
        this.fail('network', `read ${this.ends}: too many answers to nobody`)
      }
      return
    }
    this.#hasAnswered = true
    this.#heardMs = monotonicMs()
    this.#waiting.delete(id)
    exchange.carrier = null
    if (!exchange.received(octets, at, length, this)) {
      this.#waiting.set(id, exchange)
      exchange.carrier = this
      return
    }
    this.#afterAnswer()
  }

  #afterAnswer(): void {
    if (this.#waiting.size > 0 || this.#isClosed) return
    if (this.#isRetired) this.#close()
    else this.#owner.idle(this)
  }

  #reason(): FailureReason {
    return this.#hasAnswered && this.#part === null ? 'stale' : 'network'
  }

  #broken(error: Error): void {
    if (this.#unsent !== null) this.fail('network', `dial tcp ${this.#to}: ${connectText(error)}`)
    else this.fail(this.#reason(), `read ${this.ends}: read: ${errorText(error)}`)
  }

  #close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#part = null
    this.#times.clear(this)
    this.#socket.destroy()
    this.#owner.closed(this)
  }
}

function connectText(error: Error): string {
  const stage = (error as NodeJS.ErrnoException).syscall === 'connect' ? 'connect' : 'tls'
  return `${stage}: ${errorText(error)}`
}

function tcpOptions({ host, port, family, sourceAddress }: Peer) {
  return { host, port, family, ...(sourceAddress === '' ? {} : { localAddress: sourceAddress }) }
}

/** A TLS connection whose other end proves to be the upstream. @param protocols  to choose from (ALPN) */
export function openTls(peer: Peer, tls: TlsParameters, protocols: string[] = []): TLSSocket {
  const { context, serverName, session } = tls
  const socket = tlsModule().connect({
    ...tcpOptions(peer),
    secureContext: context,
    // A name goes into the handshake, an address may not (RFC 6066 §3).
    servername: isIP(serverName) === 0 ? serverName : '',
    checkServerIdentity: (_host: string, certificate: PeerCertificate) =>
      tlsModule().checkServerIdentity(serverName, certificate),
    ...(protocols.length === 0 ? {} : { ALPNProtocols: protocols }),
    ...(session === undefined ? {} : { session }),
  })
  socket.setNoDelay(true)
  socket.on('session', (ticket: Buffer) => {
    tls.session = ticket
  })
  return socket
}
