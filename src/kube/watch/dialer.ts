// Finds a way to the API server and keeps it: one attempt at a time, soon after one another, however many requests wait.
// Not here: what is asked (api-client.ts).

import { randomInt } from 'node:crypto'
import { connect as connectTcp, type Socket } from 'node:net'
import { connect as connectTls, type TLSSocket } from 'node:tls'
import type { Access, Connection } from './connection.ts'
import { ConnectionError, connectionError } from './connection-error.ts'
import { Http1Connections } from './http1-connections.ts'
import { Http2Session } from './http2-session.ts'
import { delay } from './request-limit.ts'
import type { Way } from './way.ts'

/** From the start of an attempt to that of the next, doubling while they fail. Nobody is there to be spared, and all wait for us. */
const PAUSE_FIRST_MS = 50
const PAUSE_LAST_MS = 500
const CONNECT_LIMIT_MS = 3000
const HANDSHAKE_LIMIT_MS = 3000

export class Dialer {
  readonly #connection: Connection
  readonly #log: (line: string) => void
  readonly #ways = new Set<Way>()
  readonly #closing = new AbortController()
  #way: Way | undefined
  #dialing: Promise<void> | undefined
  /** Attempts in a row that led nowhere. */
  #failures = 0
  #attemptedAt = Number.NEGATIVE_INFINITY
  /** Of the server that was dialed last. */
  #host = ''
  #isLost = true

  constructor(connection: Connection, log: (line: string) => void) {
    this.#connection = connection
    this.#log = log
  }

  /** The way there, opened if need be, and the credentials of this moment. Throws ConnectionError, or the signal's reason. */
  async way(signal: AbortSignal | undefined): Promise<{ way: Way; access: Access }> {
    for (;;) {
      this.#closing.signal.throwIfAborted()
      // What is wrong with it, the attempt will say, and not more often than that.
      const access = await abortable(
        this.#connection.access().catch(() => undefined),
        signal,
      )
      const way = this.#way
      if (access !== undefined && way?.isUsable && isSame(way.access, access)) return { way, access }
      this.#dialing ??= this.#dial().finally(() => {
        this.#dialing = undefined
      })
      await abortable(this.#dialing, signal)
    }
  }

  /** An answer came this way. */
  reached(way: Way): void {
    way.isProven = true
    this.#failures = 0
    if (!this.#isLost) return
    this.#isLost = false
    const { server, source, tls } = way.access
    const trust =
      server.protocol === 'https:' && tls.rejectUnauthorized === false ? ', whose certificate is not verified' : ''
    this.#log(`connected to ${server.origin} over ${way.protocol}${trust}, with ${source}`)
  }

  /** When anything was heard of the server last, on the clock of performance.now(); -Infinity: never. */
  heardAt(): number {
    return Math.max(Number.NEGATIVE_INFINITY, ...[...this.#ways].map((way) => way.heardAt))
  }

  /** Host and port of the server that was dialed last; '' before that. */
  get host(): string {
    return this.#host
  }

  close(): void {
    this.#closing.abort(new ConnectionError('closed'))
    for (const way of this.#ways) way.destroy()
  }

  async #dial(): Promise<void> {
    const pauseMs = Math.min(PAUSE_LAST_MS, PAUSE_FIRST_MS * 2 ** Math.max(0, this.#failures - 1))
    const dueAt = this.#attemptedAt + (pauseMs * (750 + randomInt(501))) / 1000
    await delay(Math.max(0, dueAt - performance.now()), this.#closing.signal)
    this.#attemptedAt = performance.now()
    let access: Access | undefined
    try {
      access = await this.#connection.access()
      this.#host = access.server.host
      this.#keep(await openWay(access, this.#closing.signal))
    } catch (cause) {
      this.#failed(access)
      throw access === undefined ? cause : connectionError(access, cause)
    }
  }

  #keep(way: Way): void {
    if (this.#closing.signal.aborted) {
      way.destroy()
      return
    }
    const before = this.#way
    this.#way = way
    before?.retire()
    this.#ways.add(way)
    void way.over.then(() => this.#ways.delete(way))
    way.onEnd = () => {
      if (!way.isProven && way === this.#way) this.#failed(way.access)
    }
  }

  #failed(access: Access | undefined): void {
    this.#isLost = true
    this.#failures++
    if (access !== undefined) this.#connection.renew(access, 'unreached')
  }
}

/** HTTP/2 where both sides can, else HTTP/1.1; through a proxy always the latter. */
async function openWay(access: Access, signal: AbortSignal): Promise<Way> {
  if (access.agent !== undefined) return new Http1Connections(access)
  const socket = await connect(access, signal)
  if ('alpnProtocol' in socket && socket.alpnProtocol === 'h2') return await Http2Session.open(access, socket)
  // It has shown that the server is there and whom it trusts; connections for requests are the agent's.
  socket.destroy()
  return new Http1Connections(access)
}

function connect({ server, tls }: Access, signal: AbortSignal): Promise<TLSSocket | Socket> {
  const isSecure = server.protocol === 'https:'
  const host = server.hostname.replace(/^\[|\]$/g, '')
  const port = Number(server.port || (isSecure ? 443 : 80))
  return new Promise((resolve, reject) => {
    const socket = isSecure
      ? connectTls({ host, port, ALPNProtocols: ['h2', 'http/1.1'], ...tls })
      : connectTcp({ host, port })
    const limit = (what: string, ms: number): NodeJS.Timeout =>
      setTimeout(() => socket.destroy(new Error(`${what} within ${ms / 1000} s`)), ms)
    const timer = limit('no connection', CONNECT_LIMIT_MS)
    let handshakeTimer: NodeJS.Timeout | undefined
    const onAbort = (): void => {
      socket.destroy(signal.reason)
    }
    const settle = (): void => {
      clearTimeout(timer)
      clearTimeout(handshakeTimer)
      signal.removeEventListener('abort', onAbort)
    }
    signal.addEventListener('abort', onAbort, { once: true })
    // The listeners stay: whatever happens to the socket later has a listener.
    socket.on('error', reject)
    socket.once('close', () => reject(new Error('the server closed the connection')))
    socket.once('close', settle)
    socket.once('connect', () => {
      clearTimeout(timer)
      handshakeTimer = limit('no TLS', HANDSHAKE_LIMIT_MS)
    })
    socket.once(isSecure ? 'secureConnect' : 'connect', () => {
      settle()
      resolve(socket)
    })
  })
}

function isSame(one: Access, other: Access): boolean {
  return one.tls === other.tls && one.agent === other.agent && one.server.href === other.server.href
}

/** What `promise` says, or the signal's reason if that comes first: others wait for `promise` too, and it goes on. */
function abortable<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason)
    if (signal.aborted) onAbort()
    signal.addEventListener('abort', onAbort, { once: true })
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort))
  })
}
