// The way to an upstream over HTTPS: one HTTP/2 connection, a request for each query, whose id is 0 so that answers could be cached on the way.
// RFC 8484. The path is always /dns-query (Corefile reference 5.6). Not here: HTTP/1.1, which no such upstream needs.

import type { ClientHttp2Session, ClientHttp2Stream } from 'node:http2'
import { addressAndPort } from '../io/addresses.ts'
import { monotonicMs } from './clock.ts'
import { type DueTimes, Timed } from './due-times.ts'
import type { Carrier, Exchange } from './exchange.ts'
import { errorText } from './network-errors.ts'
import { openTls, type TlsParameters } from './stream-connection.ts'
import { http2Module } from './tls-module.ts'
import type { PoolLimits } from './udp-pool.ts'
import type { Peer } from './udp-socket.ts'
import { HEADER_LENGTH } from './upstream-query.ts'

const PATH = '/dns-query'
const MESSAGE_TYPE = 'application/dns-message'
const MESSAGE_MAX = 65535
/** Under way at a time; what the other end allows is often a hundred, the rest waits in line. */
const WAITING_MAX = 4096

export class HttpsPool extends Timed implements Carrier {
  readonly #peer: Peer
  readonly #tls: TlsParameters
  readonly #limits: PoolLimits
  readonly #method: 'POST' | 'GET'
  readonly #times: DueTimes
  readonly #to: string
  readonly #waiting = new Map<Exchange, ClientHttp2Stream>()
  #session: ClientHttp2Session | null = null
  /** All that are not closed yet. */
  readonly #sessions = new Set<ClientHttp2Session>()
  #isConnected = false
  #openedMs = 0
  #usedMs = 0
  #heardMs = 0
  /** Why the last connection ended. */
  #error = 'EOF'

  constructor(peer: Peer, tls: TlsParameters, method: 'POST' | 'GET', limits: PoolLimits, times: DueTimes) {
    super()
    this.#peer = peer
    this.#tls = tls
    this.#method = method
    this.#limits = limits
    this.#times = times
    this.#to = addressAndPort(peer.host, peer.port)
  }

  get ends(): string {
    return `tcp ->${this.#to}`
  }

  get timeout(): string {
    return `${this.#isConnected ? 'read' : 'dial'} ${this.#isConnected ? this.ends : `tcp ${this.#to}`}: i/o timeout`
  }

  /** The query has id 0, as it was made. @returns whether the connection was there already */
  ask(exchange: Exchange, nowMs: number): boolean {
    const isThere = this.#session !== null && !this.#isOver(nowMs)
    const session = isThere && this.#session !== null ? this.#session : this.#open(nowMs)
    this.#usedMs = nowMs
    exchange.carrier = this
    const stream = this.#request(session, exchange)
    this.#waiting.set(exchange, stream)
    this.#receive(exchange, stream)
    if (this.#waiting.size > WAITING_MAX) stream.destroy(new Error('too many queries under way'))
    exchange.sent()
    return isThere
  }

  /** A probe: over the same connection, a new one if that has failed. */
  askAlone(exchange: Exchange, nowMs: number): void {
    this.ask(exchange, nowMs)
  }

  /** TCP sends again by itself. */
  resend(): void {}

  suspect(askedMs: number): void {
    if (this.#heardMs < askedMs) this.#retire()
  }

  drop(exchange: Exchange): void {
    const stream = this.#waiting.get(exchange)
    this.#waiting.delete(exchange)
    exchange.carrier = null
    stream?.close(http2Module().constants.NGHTTP2_CANCEL)
  }

  close(): void {
    this.#times.clear(this)
    for (const session of this.#sessions) session.destroy()
  }

  /** Closes the connection when it is unused or old. */
  override due(nowMs: number): void {
    if (this.#session === null) return
    if (this.#isOver(nowMs)) this.#retire()
    else this.#times.set(this, this.#endMs())
  }

  #endMs(): number {
    const { expireMs, maxAgeMs } = this.#limits
    const oldMs = maxAgeMs > 0 ? this.#openedMs + maxAgeMs : Number.POSITIVE_INFINITY
    return Math.min(this.#usedMs + expireMs, oldMs)
  }

  #isOver(nowMs: number): boolean {
    return nowMs >= this.#endMs() && (this.#waiting.size === 0 || this.#limits.maxAgeMs > 0)
  }

  /** The session ends when its requests have. */
  #retire(): void {
    const session = this.#session
    this.#session = null
    if (this.#isConnected) session?.close()
    else session?.destroy()
  }

  #open(nowMs: number): ClientHttp2Session {
    this.#retire()
    const session = http2Module().connect(`https://${addressAndPort(this.#tls.serverName, this.#peer.port)}`, {
      createConnection: () => openTls(this.#peer, this.#tls, ['h2']),
    })
    this.#session = session
    this.#sessions.add(session)
    this.#isConnected = false
    this.#error = 'EOF'
    this.#openedMs = nowMs
    this.#usedMs = nowMs
    const forget = (): void => {
      if (this.#session === session) this.#session = null
    }
    session.on('connect', () => {
      this.#isConnected = true
    })
    session.on('error', (error) => {
      if (this.#session === session) this.#error = errorText(error)
      forget()
    })
    session.on('goaway', forget)
    session.on('close', () => {
      forget()
      this.#sessions.delete(session)
    })
    this.#times.set(this, this.#endMs())
    return session
  }

  #request(session: ClientHttp2Session, { message }: Exchange): ClientHttp2Stream {
    if (this.#method === 'GET') {
      const stream = session.request({ ':path': `${PATH}?dns=${message.toString('base64url')}`, accept: MESSAGE_TYPE })
      return stream.end()
    }
    const headers = { 'content-type': MESSAGE_TYPE, 'content-length': message.length, accept: MESSAGE_TYPE }
    const stream = session.request({ ':method': 'POST', ':path': PATH, ...headers })
    return stream.end(message)
  }

  #receive(exchange: Exchange, stream: ClientHttp2Stream): void {
    const chunks: Buffer[] = []
    let length = 0
    let refusal = ''
    stream.on('response', (headers) => {
      const { ':status': status, 'content-type': type } = headers
      if (status !== 200) refusal = `status ${status}`
      else if (type !== MESSAGE_TYPE) refusal = `content of type ${type}`
    })
    stream.on('data', (chunk: Buffer) => {
      length += chunk.length
      if (length > MESSAGE_MAX) stream.destroy(new Error('a message of more than 65535 octets'))
      else chunks.push(chunk)
    })
    stream.on('end', () => {
      if (!this.#forget(exchange)) return
      const message = Buffer.concat(chunks)
      this.#heardMs = monotonicMs()
      if (refusal === '' && !isReply(message)) refusal = 'malformed reply'
      if (refusal !== '') exchange.failed('network', `read ${this.ends}: ${refusal}`)
      else if (!exchange.received(message, 0, message.length, this)) exchange.failed('network', this.timeout)
    })
    let error = ''
    stream.on('error', (cause) => {
      error = errorText(cause)
    })
    // Behind all errors: the connection's own, if it has failed, says more than the request's.
    stream.on('close', () => this.#failed(exchange, error))
  }

  #failed(exchange: Exchange, error: string): void {
    if (!this.#forget(exchange)) return
    const isWhole = this.#session !== null && error !== ''
    const what = this.#isConnected ? `read ${this.ends}` : `dial tcp ${this.#to}`
    exchange.failed('network', `${what}: ${isWhole ? error : this.#error}`)
  }

  #forget(exchange: Exchange): boolean {
    if (!this.#waiting.delete(exchange)) return false
    exchange.carrier = null
    return true
  }
}

function isReply(message: Buffer): boolean {
  return message.length >= HEADER_LENGTH && message.readUInt16BE(0) === 0 && (message[2] & 0x80) !== 0
}
