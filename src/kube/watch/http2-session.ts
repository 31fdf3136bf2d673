// An HTTP/2 session with the API server: all requests side by side on one connection, which is asked for a sign of life when it
// is silent. Not here: when to open another (dialer.ts).

import { type ClientHttp2Session, type ClientHttp2Stream, connect, constants } from 'node:http2'
import type { TLSSocket } from 'node:tls'
import type { Access } from './connection.ts'
import { ConnectionError, connectionError } from './connection-error.ts'
import { Body, type Reply, type Way, type WayRequest } from './way.ts'

/** Octets that the server may send ahead of us: a list must not wait for the way there and back. */
const STREAM_WINDOW = 4 << 20
const SESSION_WINDOW = 16 << 20
/** Silence after which the server is pinged, and how long it may take to say anything at all then. */
const PING_AFTER_MS = 3000
const ANSWER_WITHIN_MS = 4000
const CHECK_INTERVAL_MS = 400
const FIRST_WORD_LIMIT_MS = 3000

const { NGHTTP2_CANCEL, NGHTTP2_NO_ERROR, NGHTTP2_REFUSED_STREAM } = constants

export class Http2Session implements Way {
  readonly access: Access
  readonly protocol = 'HTTP/2'
  isProven = false
  heardAt = performance.now()
  readonly over: Promise<void>
  onEnd = (): void => {}
  readonly #socket: TLSSocket
  readonly #session: ClientHttp2Session
  readonly #timer: NodeJS.Timeout
  #hasEnded = false
  #isRetired = false
  /** Streams from here on were not looked at, says the server. */
  #lastStream = Number.POSITIVE_INFINITY
  #reason: unknown
  #octets = 0
  /** 0: nothing was asked since something was heard. */
  #pingedAt = 0

  private constructor(access: Access, socket: TLSSocket) {
    this.access = access
    this.#socket = socket
    const settings = { enablePush: false, initialWindowSize: STREAM_WINDOW }
    const session = connect(access.server.origin, { createConnection: () => socket, settings })
    this.#session = session
    session.on('error', (error) => this.#end(error))
    session.on('close', () => this.#end(undefined))
    session.on('goaway', (code, lastStream) => {
      if (code === NGHTTP2_NO_ERROR) this.#lastStream = lastStream
      this.#end(new Error(`the server closed the connection (GOAWAY ${code})`))
    })
    session.once('connect', () => session.setLocalWindowSize(SESSION_WINDOW))
    this.#timer = setInterval(() => setImmediate(() => this.#check()), CHECK_INTERVAL_MS)
    this.#timer.unref()
    this.over = new Promise((resolve) => {
      session.once('close', () => {
        clearInterval(this.#timer)
        resolve()
      })
    })
  }

  /** Resolves when the server has said its first word. Throws ConnectionError. */
  static open(access: Access, socket: TLSSocket): Promise<Http2Session> {
    const way = new Http2Session(access, socket)
    return new Promise((resolve, reject) => {
      const fail = (): void => reject(way.#error())
      const timer = setTimeout(() => way.#die('the server does not speak HTTP/2'), FIRST_WORD_LIMIT_MS)
      way.#session.once('close', fail)
      way.#session.once('remoteSettings', () => {
        clearTimeout(timer)
        way.#session.off('close', fail)
        resolve(way)
      })
      way.#session.once('close', () => clearTimeout(timer))
    })
  }

  get isUsable(): boolean {
    return !this.#hasEnded && !this.#isRetired
  }

  request({ path, headers, signal, silenceMs }: WayRequest): Promise<Reply> {
    return new Promise((resolve, reject) => {
      if (!this.isUsable) return reject(new ConnectionError(this.#error().message, { unseen: true }))
      let stream: ClientHttp2Stream
      try {
        stream = this.#session.request({ ':path': path, ...headers }, { endStream: true })
      } catch (cause) {
        return reject(connectionError(this.access, cause))
      }
      let streamError: Error | undefined
      stream.on('error', (error) => {
        streamError = error
      })
      const cancel = (): void => stream.close(NGHTTP2_CANCEL)
      const onAbort = (): void => {
        reject(signal?.reason)
        cancel()
      }
      const onClose = (): void => reject(this.#faultOf(stream, streamError))
      signal?.addEventListener('abort', onAbort, { once: true })
      stream.once('close', () => signal?.removeEventListener('abort', onAbort))
      stream.once('close', onClose)
      stream.once('response', (head) => {
        stream.off('close', onClose)
        signal?.removeEventListener('abort', onAbort)
        let hasEnd = false
        stream.once('end', () => {
          // A session that breaks ends its streams as if they were whole.
          hasEnd = !stream.destroyed
        })
        const fault = (): Error | undefined =>
          hasEnd && stream.rstCode === NGHTTP2_NO_ERROR ? undefined : this.#faultOf(stream, streamError)
        const body = new Body(stream, { signal, silenceMs, fault, cancel })
        resolve({ status: Number(head[':status']), headers: head, body })
      })
    })
  }

  retire(): void {
    this.#isRetired = true
    if (!this.#session.destroyed) this.#session.close()
  }

  destroy(): void {
    this.#die('closed')
  }

  #die(reason: string): void {
    this.#end(new Error(reason))
    this.#session.destroy()
    this.#socket.destroy()
  }

  /** The first reason is the true one. */
  #end(reason: unknown): void {
    this.#reason ??= reason
    if (this.#hasEnded) return
    this.#hasEnded = true
    this.onEnd()
  }

  #error(): ConnectionError {
    return connectionError(this.access, this.#reason ?? new Error('the server closed the connection'))
  }

  #faultOf(stream: ClientHttp2Stream, error: Error | undefined): ConnectionError {
    const unseen = stream.rstCode === NGHTTP2_REFUSED_STREAM || (stream.id ?? 0) > this.#lastStream
    if (!unseen && (this.#session.destroyed || this.#hasEnded)) return this.#error()
    const reason = error?.message ?? `the answer was cut (stream reset ${stream.rstCode})`
    return new ConnectionError(`${this.access.server.origin}: ${reason}`, { cause: error, unseen })
  }

  /** Runs after what waits in the socket was read: a thread that was busy has heard nothing either. */
  #check(): void {
    if (this.#session.destroyed) return
    const now = performance.now()
    const octets = this.#socket.bytesRead
    if (octets !== this.#octets) {
      this.#octets = octets
      this.heardAt = now
      this.#pingedAt = 0
    } else if (this.#pingedAt === 0) {
      if (now - this.heardAt < PING_AFTER_MS) return
      this.#pingedAt = now
      this.#session.ping(() => {})
    } else if (now - this.#pingedAt >= ANSWER_WITHIN_MS) {
      this.#die(`the server is silent: no answer to a ping within ${ANSWER_WITHIN_MS / 1000} s`)
    }
  }
}
