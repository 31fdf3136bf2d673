// Messages over TCP: two octets of length, then the message (RFC 1035 §4.2.2), many to a connection (RFC 7766).
//
// Knows no DNS: a handler turns a message into an answer in place. Everything is bounded: connections in all and per
// client, what may arrive unanswered, what may wait to be sent, and the time for each. A connection whose answers
// are not taken is not read from either, so a slow client holds up nobody but itself.

import { createServer, type ListenOptions, type Server, type Socket } from 'node:net'

/**
 * Answers `packet[start, start + length)` in place; `capacity` octets may be written.
 * @returns length; 0 = no answer; or a promise of the answer, which is sent when it is there, others that come later possibly before it
 *   (RFC 7766 §6.2.1.1), null = none; or the messages of an answer that is still to be made. The client is then not read until all of
 *   them are sent, or it has gone away: the iteration is ended. If it throws, the connection is reset
 */
export type MessageHandler = (
  packet: Uint8Array,
  start: number,
  length: number,
  capacity: number,
  origin: MessageOrigin,
) => number | Promise<Uint8Array | null> | AsyncIterable<Uint8Array>

/** Where a message came from. */
export interface MessageOrigin {
  /** What listen() was given. */
  readonly id: number
  readonly socket: Socket
}

/** Bounds of a stream server. */
export interface StreamLimits {
  /** Connections in all. When they are used up, the one that has been idle longest makes room for a new one. */
  readonly connections: number
  /** Connections of one client address. */
  readonly connectionsPerClient: number
  /** Time for the first message to arrive whole. */
  readonly firstMessageMs: number
  /** Time without a whole message after that. Octets of an unfinished message do not count as a sign of life. */
  readonly idleMs: number
  /** Time for answers handed to the system to be taken. */
  readonly writeMs: number
  /** Time for an answer of several messages, in all. Each of them has `idleMs` to be made. */
  readonly laterMs: number
  /** Octets of unfinished messages and of untaken answers, each summed over all connections. */
  readonly bufferedOctets: number
}

/** The bounds unless told otherwise. */
export const STREAM_LIMITS: StreamLimits = {
  connections: 1000,
  connectionsPerClient: 200,
  firstMessageMs: 3000,
  idleMs: 10_000,
  writeMs: 5000,
  laterMs: 600_000,
  bufferedOctets: 16 * 2 ** 20,
}

/** Called as things happen, to be counted. */
export interface StreamEvents {
  accepted(): void
  refused(): void
  timedOut(): void
  message(answered: boolean): void
}

const PREFIX = 2
// A DNS header; less is no message, and gets no answer.
const MESSAGE_MIN = 12
const MESSAGE_MAX = 65535
// Answers are gathered up to here before they are handed to the system, then there is room for one more of any length.
const GATHER_OCTETS = 16 * 1024
const SWEEP_MS = 250
// Messages of one connection answered before others get their turn.
const TURN_MESSAGES = 256
// Answers promised to one connection: it is not read from while there are so many.
const PROMISED_MAX = 256
const QUIET_MS = 20
const CLOSE_MAX_MS = 300
const NOTHING = Buffer.alloc(0)

interface Connection extends MessageOrigin {
  readonly client: string
  /** Octets that arrived and are not answered yet; at most what one read brought, and one unfinished message. */
  input: Buffer
  /** An unfinished message, prefix included, and how much of it is there. */
  partial: Buffer | undefined
  partialLength: number
  /** Answers handed to the system and not taken, octets. */
  untaken: number
  ended: boolean
  scheduled: boolean
  /** An answer of several messages is being sent. */
  isSending: boolean
  /** Answers that have been promised. */
  promised: number
  /** When the connection is closed unless something happens, on performance.now()'s clock. */
  deadlineMs: number
}

/** Serves listeners until `stop`. One per thread: the handler is called in turn, never twice at a time. */
export class StreamServer {
  readonly #handle: MessageHandler
  readonly #limits: StreamLimits
  readonly #events: StreamEvents
  readonly #servers = new Map<number, Server>()
  /** In order of the last sign of life, the longest idle first. */
  readonly #connections = new Set<Connection>()
  readonly #perClient = new Map<string, number>()
  readonly #output = Buffer.allocUnsafeSlow(GATHER_OCTETS + PREFIX + MESSAGE_MAX)
  #sweeper: NodeJS.Timeout | undefined
  #unfinished = 0
  #untaken = 0

  constructor(handle: MessageHandler, events: StreamEvents, limits: StreamLimits = STREAM_LIMITS) {
    this.#handle = handle
    this.#events = events
    this.#limits = limits
  }

  /** Connections open now. */
  get connections(): number {
    return this.#connections.size
  }

  /**
   * Starts to accept on an address or a listening descriptor.
   * @param id  that the handler gets with each message   @throws the system's error, with its code
   */
  async listen(where: ListenOptions, id = 0): Promise<void> {
    const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => this.#accept(socket, id))
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(where, () => {
        server.off('error', reject)
        // Out of descriptors, say: the next connection is another chance.
        server.on('error', () => {})
        resolve()
      })
    })
    this.#servers.set(id, server)
  }

  /** Ids that are listened on. */
  get listening(): readonly number[] {
    return [...this.#servers.keys()]
  }

  /** Accepts what waits, then no more there; answers what has arrived and ends its connections. */
  async unlisten(id: number): Promise<void> {
    const server = this.#servers.get(id)
    if (server === undefined) return
    this.#servers.delete(id)
    await pause(QUIET_MS)
    server.close()
    await pause(QUIET_MS)
    for (const connection of this.#connections) if (connection.id === id) this.#finish(connection)
  }

  /** Accepts what waits, answers what has arrived, closes everything: 0.4 s at most. */
  async stop(): Promise<void> {
    await pause(QUIET_MS)
    for (const server of this.#servers.values()) server.close()
    await pause(QUIET_MS)
    for (const connection of this.#connections) this.#finish(connection)
    const deadline = performance.now() + CLOSE_MAX_MS
    while (this.#connections.size > 0 && performance.now() < deadline) await pause(QUIET_MS / 4)
    for (const connection of this.#connections) {
      connection.socket.destroy()
      this.#forget(connection)
    }
    clearInterval(this.#sweeper)
  }

  #accept(socket: Socket, id: number): void {
    const client = socket.remoteAddress ?? ''
    const ofClient = this.#perClient.get(client) ?? 0
    if (ofClient >= this.#limits.connectionsPerClient || !this.#makeRoom()) {
      this.#events.refused()
      socket.on('error', () => {})
      socket.destroy()
      return
    }
    this.#events.accepted()
    const connection: Connection = {
      id,
      socket,
      client,
      input: NOTHING,
      partial: undefined,
      partialLength: 0,
      untaken: 0,
      ended: false,
      scheduled: false,
      isSending: false,
      promised: 0,
      deadlineMs: performance.now() + this.#limits.firstMessageMs,
    }
    this.#connections.add(connection)
    this.#perClient.set(client, ofClient + 1)
    this.#sweeper ??= setInterval(() => this.#sweep(), SWEEP_MS)
    socket.on('data', (chunk: Buffer) => {
      // Reading stops while input is left over, but a read may be under way.
      connection.input = connection.input.length === 0 ? chunk : Buffer.concat([connection.input, chunk])
      this.#advance(connection)
    })
    socket.on('end', () => {
      connection.ended = true
      this.#advance(connection)
    })
    // A reset or the like; 'close' follows and does the accounts.
    socket.on('error', () => {})
    socket.on('close', () => this.#forget(connection))
  }

  #makeRoom(): boolean {
    if (this.#connections.size < this.#limits.connections) return true
    for (const connection of this.#connections) {
      if (connection.untaken > 0 || connection.isSending || connection.promised > 0 || connection.input.length > 0)
        continue
      connection.socket.destroy()
      this.#forget(connection)
      return true
    }
    return false
  }

  #forget(connection: Connection): void {
    if (!this.#connections.delete(connection)) return
    const left = (this.#perClient.get(connection.client) ?? 1) - 1
    if (left === 0) this.#perClient.delete(connection.client)
    else this.#perClient.set(connection.client, left)
    this.#unfinished -= connection.partial?.length ?? 0
    this.#untaken -= connection.untaken
    connection.partial = undefined
    connection.untaken = 0
    connection.input = NOTHING
    if (this.#connections.size === 0) {
      clearInterval(this.#sweeper)
      this.#sweeper = undefined
    }
  }

  // Answers what is whole, keeps what is not, as far as the bounds allow.
  #advance(connection: Connection): void {
    const { socket } = connection
    if (connection.untaken > 0 || connection.scheduled || connection.isSending || socket.destroyed) return
    if (connection.promised >= PROMISED_MAX) {
      socket.pause()
      return
    }
    if (socket.writableEnded) {
      // Nothing can be said any more; read on to see the other side close.
      connection.input = NOTHING
      return
    }
    const messages = this.#answerWhole(connection)
    if (socket.destroyed) return
    if (messages > 0) this.#touch(connection)
    if (connection.untaken > 0 || connection.isSending) {
      socket.pause()
    } else if (messages === TURN_MESSAGES) {
      connection.scheduled = true
      socket.pause()
      setImmediate(() => {
        connection.scheduled = false
        this.#advance(connection)
      })
    } else {
      if (connection.ended && connection.promised === 0) socket.end()
      socket.resume()
    }
  }

  // A message begun and not finished when the client ended its side will never be whole.
  #finish(connection: Connection): void {
    connection.ended = true
    this.#advance(connection)
  }

  // Returns the messages taken, TURN_MESSAGES at most. Stops early when answers are not taken.
  #answerWhole(connection: Connection): number {
    const output = this.#output
    let gathered = 0
    let messages = 0
    let later: AsyncIterable<Uint8Array> | undefined
    while (messages < TURN_MESSAGES && connection.promised < PROMISED_MAX) {
      const frame = this.#nextFrame(connection)
      if (frame === undefined) break
      messages++
      const length = frame.length - PREFIX
      let answer: ReturnType<MessageHandler> = 0
      if (length >= MESSAGE_MIN) {
        frame.copy(output, gathered + PREFIX, PREFIX)
        answer = this.#handle(output, gathered + PREFIX, length, MESSAGE_MAX, connection)
        this.#events.message(answer !== 0)
      }
      if (answer instanceof Promise) {
        connection.promised++
        void answer.then((message) => this.#keepPromise(connection, message))
        continue
      }
      if (typeof answer === 'object') {
        later = answer
        break
      }
      if (answer <= 0 || answer > MESSAGE_MAX) continue
      output.writeUInt16BE(answer, gathered)
      gathered += PREFIX + answer
      if (gathered < GATHER_OCTETS) continue
      this.#send(connection, gathered)
      gathered = 0
      if (connection.untaken > 0) break
    }
    if (gathered > 0) this.#send(connection, gathered)
    if (later !== undefined) void this.#sendAll(connection, later)
    return messages
  }

  // Takes one whole frame from the input. Undefined when there is none: the rest is then kept as unfinished.
  #nextFrame(connection: Connection): Buffer | undefined {
    if (connection.partial !== undefined) return this.#completeFrame(connection)
    const { input } = connection
    if (input.length === 0) return undefined
    const length = input.length >= PREFIX ? PREFIX + input.readUInt16BE(0) : undefined
    if (length !== undefined && length <= input.length) {
      connection.input = input.subarray(length)
      return input.subarray(0, length)
    }
    // Room for the whole frame, once, however small the pieces it comes in: work stays linear.
    this.#setPartial(connection, Buffer.allocUnsafe(length ?? PREFIX))
    return this.#completeFrame(connection)
  }

  #completeFrame(connection: Connection): Buffer | undefined {
    const { partial, input } = connection
    if (partial === undefined) return undefined
    const taken = input.copy(partial, connection.partialLength)
    connection.partialLength += taken
    connection.input = taken === input.length ? NOTHING : input.subarray(taken)
    if (connection.partialLength < partial.length) return undefined
    const length = PREFIX + partial.readUInt16BE(0)
    if (length === partial.length) {
      this.#setPartial(connection, undefined)
      return partial
    }
    // So far only the prefix was sure to come.
    const whole = Buffer.allocUnsafe(length)
    partial.copy(whole)
    this.#setPartial(connection, whole)
    connection.partialLength = PREFIX
    return this.#completeFrame(connection)
  }

  // Over the bound, the connection is closed and has no partial message any more.
  #setPartial(connection: Connection, partial: Buffer | undefined): void {
    this.#unfinished += (partial?.length ?? 0) - (connection.partial?.length ?? 0)
    connection.partial = partial
    connection.partialLength = 0
    if (this.#unfinished > this.#limits.bufferedOctets) this.#refuse(connection)
  }

  #send(connection: Connection, length: number): void {
    // The gathered answers are copied: what the system does not take at once, it takes later from there.
    const copy = Buffer.allocUnsafe(length)
    this.#output.copy(copy, 0, 0, length)
    this.#write(connection, copy)
  }

  // Sends one message after the other, each when the one before it was taken.
  async #sendAll(connection: Connection, messages: AsyncIterable<Uint8Array>): Promise<void> {
    const { socket } = connection
    const endMs = performance.now() + this.#limits.laterMs
    connection.isSending = true
    try {
      for await (const message of messages) {
        if (socket.destroyed) break
        const octets = Buffer.allocUnsafe(PREFIX + message.length)
        octets.writeUInt16BE(message.length)
        octets.set(message, PREFIX)
        await new Promise<void>((resolve) => this.#write(connection, octets, resolve))
        this.#touch(connection)
        if (performance.now() < endMs) continue
        this.#events.timedOut()
        socket.resetAndDestroy()
      }
    } catch {
      // Half an answer must not look like a whole one.
      socket.resetAndDestroy()
    }
    connection.isSending = false
    this.#advance(connection)
  }

  #keepPromise(connection: Connection, message: Uint8Array | null): void {
    connection.promised--
    if (connection.socket.destroyed || !this.#connections.has(connection)) return
    if (message !== null) {
      const octets = Buffer.allocUnsafe(PREFIX + message.length)
      octets.writeUInt16BE(message.length)
      octets.set(message, PREFIX)
      this.#write(connection, octets)
    }
    this.#touch(connection)
    this.#advance(connection)
  }

  #write(connection: Connection, octets: Buffer, taken?: () => void): void {
    const { socket } = connection
    socket.write(octets, () => {
      const isLate = connection.untaken > 0 && this.#connections.has(connection)
      if (isLate) this.#setUntaken(connection)
      if (isLate && connection.untaken === 0) {
        this.#touch(connection)
        this.#advance(connection)
      }
      taken?.()
    })
    this.#setUntaken(connection)
    if (connection.untaken > 0) connection.deadlineMs = performance.now() + this.#limits.writeMs
    if (this.#untaken > this.#limits.bufferedOctets) this.#refuse(connection)
  }

  #setUntaken(connection: Connection): void {
    const octets = connection.socket.writableLength
    this.#untaken += octets - connection.untaken
    connection.untaken = octets
  }

  #refuse(connection: Connection): void {
    this.#events.refused()
    connection.socket.destroy()
    this.#forget(connection)
  }

  #touch(connection: Connection): void {
    if (!this.#connections.delete(connection)) return
    this.#connections.add(connection)
    if (connection.untaken === 0) connection.deadlineMs = performance.now() + this.#limits.idleMs
  }

  #sweep(): void {
    const nowMs = performance.now()
    for (const connection of this.#connections) {
      if (connection.deadlineMs > nowMs) continue
      this.#events.timedOut()
      // Idle: a plain end. Answers that nobody takes: a reset, or the system would keep them for minutes.
      if (connection.untaken > 0) connection.socket.resetAndDestroy()
      else connection.socket.destroy()
    }
  }
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds))
}
