// The way over HTTPS: RFC 8484 over HTTP/2, a POST for each query, whose message has ID 0. Requests take the place of IDs.
//
// What is no answer (a status other than 200, another type of content, a request that was reset) is an error by name; its query is lost when its
// time is over, as if nothing had come. A request that takes too long is cancelled, as clients do: else it would hold its place among
// those that the server allows at a time for good. So there are no answers that come too late.

import { type ClientHttp2Session, type ClientHttp2Stream, connect, constants } from 'node:http2'
import type { TLSSocket } from 'node:tls'
import { addressAndPort } from '../../io/addresses.ts'
import type { Target } from '../run.ts'
import { type Connection, ConnectionError, type ConnectionOwner, type Opener } from './connection.ts'
import type { QueryOctets } from './query-octets.ts'
import { TlsClient, tlsError } from './tls.ts'

/** Its name in the handshake (ALPN): RFC 9113 §3.2. */
export const HTTP_2 = 'h2'
const HTTPS_PORT = 443
/** What messages are in HTTP: RFC 8484 §6. */
export const MESSAGE_TYPE = 'application/dns-message'
const MESSAGE_MAX = 65_535
const IDS = 65_536
/** Requests under way, where the server allows more. */
const ROOM_MAX = 4096
const CLOSED_EARLY = 'connection closed with queries under way'

export function httpsOpener(target: Target, octets: QueryOctets): Opener {
  const client = new TlsClient(target, HTTP_2)
  const requests = requestsTo(target)
  return (owner) => new HttpsConnection(client.connect(), requests, octets, owner)
}

/** Where requests go, and what all of them say. */
export interface Requests {
  /** Host, and port unless it is the default. */
  readonly authority: string
  /** Names and values in turn. The value of the last one is missing: it is the length of the message. */
  readonly headers: readonly string[]
}

/** The requests to a server. */
export function requestsTo({ serverName, address, port, path }: Target): Requests {
  // RFC 9110 §4.2.2: the default port is left out; an IPv6 address has brackets in any case.
  const authority = addressAndPort(serverName || address, port).replace(port === HTTPS_PORT ? /:443$/ : /^$/, '')
  const headers = [':method', 'POST', ':path', path, ':scheme', 'https', ':authority', authority]
  headers.push('accept', MESSAGE_TYPE, 'content-type', MESSAGE_TYPE, 'content-length')
  return { authority, headers }
}

/** A request under way. */
class Exchange {
  readonly id: number
  readonly sentMs: number
  readonly stream: ClientHttp2Stream
  /** Why it is no answer; '' = nothing is wrong with it so far, null = nothing has come. */
  refusal: string | null = null
  /** What has come of the message. */
  message: Buffer | null = null

  constructor(id: number, sentMs: number, stream: ClientHttp2Stream) {
    this.id = id
    this.sentMs = sentMs
    this.stream = stream
  }
}

class HttpsConnection implements Connection {
  readonly #socket: TLSSocket
  readonly #session: ClientHttp2Session
  readonly #headers: readonly string[]
  readonly #octets: QueryOctets
  readonly #owner: ConnectionOwner
  /** In the order of sending. */
  readonly #exchanges = new Set<Exchange>()
  /** Requests that the server allows at a time. */
  #allowed = 0
  #isOpen = false
  #isEnded = false
  /** With an error, which has been said. */
  #hasFailed = false
  #isGivenUp = false

  constructor(socket: TLSSocket, { authority, headers }: Requests, octets: QueryOctets, owner: ConnectionOwner) {
    this.#socket = socket
    this.#headers = headers
    this.#octets = octets
    this.#owner = owner
    const session = connect(`https://${authority}`, {
      createConnection: () => socket,
      settings: { enablePush: false },
    })
    this.#session = session
    session.on('connect', () => {
      if (socket.alpnProtocol === HTTP_2) return
      session.destroy(new ConnectionError('NO_HTTP2', 'the server does not speak HTTP/2'))
    })
    // The first frame that a server sends (RFC 9113 §3.4).
    session.on('remoteSettings', ({ maxConcurrentStreams = ROOM_MAX }) => {
      this.#allowed = Math.min(maxConcurrentStreams, ROOM_MAX)
      if (this.#isOpen || this.#isEnded) return
      this.#isOpen = true
      owner.opened()
    })
    // Without an error, what is under way goes on (RFC 9113 §6.8).
    session.on('goaway', (code) => this.#end(code === constants.NGHTTP2_NO_ERROR ? null : goawayError(code)))
    session.on('error', (error) => this.#end(tlsError(error, socket)))
    session.on('close', () => {
      if (this.#isGivenUp) return
      if (this.#exchanges.size > 0 && !this.#hasFailed) owner.refused(CLOSED_EARLY)
      this.#exchanges.clear()
      this.#end(null)
      owner.closed()
    })
  }

  get room(): number {
    return this.#isEnded ? 0 : Math.max(0, this.#allowed - this.#exchanges.size)
  }

  send(queries: Uint32Array, count: number, firstId: number, nowMs: number): void {
    for (let i = 0; i < count; i++) this.#request(this.#octets.message(queries[i]), (firstId + i) % IDS, nowMs)
  }

  giveUp(beforeMs: number): void {
    for (const exchange of this.#exchanges) {
      if (exchange.sentMs >= beforeMs) break
      this.#exchanges.delete(exchange)
      exchange.stream.close(constants.NGHTTP2_CANCEL)
    }
    this.#hangUp()
  }

  close(): void {
    this.#isGivenUp = true
    this.#isEnded = true
    this.#exchanges.clear()
    this.#session.destroy()
    // A session that has ended in order would wait for the server to close.
    this.#socket.destroy()
  }

  #request(message: Buffer, id: number, nowMs: number): void {
    const stream = this.#session.request([...this.#headers, String(message.length)])
    const exchange = new Exchange(id, nowMs, stream)
    this.#exchanges.add(exchange)
    stream.on('response', (headers) => {
      exchange.refusal = refusalOf(headers[':status'], headers['content-type'])
    })
    stream.on('data', (piece: Buffer) => {
      exchange.message = exchange.message === null ? piece : Buffer.concat([exchange.message, piece])
      if (exchange.message.length <= MESSAGE_MAX) return
      exchange.refusal = 'answer of more than 65535 octets'
      stream.close(constants.NGHTTP2_CANCEL)
    })
    stream.on('end', () => {
      if (!stream.aborted && stream.rstCode === constants.NGHTTP2_NO_ERROR) this.#answered(exchange)
    })
    stream.on('error', () => {})
    stream.on('close', () => this.#failed(exchange))
    stream.end(message)
  }

  #answered(exchange: Exchange): void {
    if (!this.#exchanges.delete(exchange)) return
    const { refusal, message, id } = exchange
    if (refusal !== '') this.#owner.refused(refusal ?? 'answer without a status')
    else if (message === null) this.#owner.refused('answer without a message')
    else if (message.length >= 2 && message.readUInt16BE(0) !== 0) this.#owner.refused('answer with an ID other than 0')
    else this.#owner.message(id, message, 0, message.length)
    this.#hangUp()
  }

  /** It was closed without being answered. If the whole connection is gone, that is said once. */
  #failed(exchange: Exchange): void {
    if (this.#session.destroyed || !this.#exchanges.delete(exchange)) return
    const { refusal, stream } = exchange
    this.#owner.refused(refusal || `request reset: ${errorName(stream.rstCode)}`)
    this.#hangUp()
  }

  #end(error: ConnectionError | null): void {
    if (this.#isEnded) return
    this.#isEnded = true
    this.#hasFailed = error !== null
    this.#owner.ended(error, false)
    this.#hangUp()
  }

  /** Closes a connection that takes no queries any more, when all answers are there. */
  #hangUp(): void {
    if (this.#isEnded && this.#exchanges.size === 0) setImmediate(() => this.#socket.destroy())
  }
}

function refusalOf(status: number | undefined, type: string | undefined): string {
  if (status !== 200) return `HTTP status ${status}`
  const [name] = (type ?? '').split(';', 1)
  return name.trim().toLowerCase() === MESSAGE_TYPE ? '' : `content of type ${name || 'none'}`
}

function goawayError(code: number): ConnectionError {
  const name = errorName(code)
  return new ConnectionError(`GOAWAY ${name}`, `the server ended the connection: ${name}`)
}

/** `REFUSED_STREAM`; the number where there is no name. */
function errorName(code: number | undefined): string {
  return ERROR_NAMES[code ?? -1] ?? String(code)
}

/** RFC 9113 §7. */
const ERROR_NAMES: readonly string[] = [
  'NO_ERROR',
  'PROTOCOL_ERROR',
  'INTERNAL_ERROR',
  'FLOW_CONTROL_ERROR',
  'SETTINGS_TIMEOUT',
  'STREAM_CLOSED',
  'FRAME_SIZE_ERROR',
  'REFUSED_STREAM',
  'CANCEL',
  'COMPRESSION_ERROR',
  'CONNECT_ERROR',
  'ENHANCE_YOUR_CALM',
  'INADEQUATE_SECURITY',
  'HTTP_1_1_REQUIRED',
]
