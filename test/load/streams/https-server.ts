// A server over HTTP/2 and TLS that does with each request what a test says.

import {
  createSecureServer,
  type Http2SecureServer,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
  type Settings,
} from 'node:http2'
import type { TLSSocket } from 'node:tls'
import type { Certificate } from './certificate.ts'
import { answerTo } from './framed-server.ts'

export interface Request {
  readonly headers: IncomingHttpHeaders
  readonly message: Buffer
  /** Code that the client reset it with; undefined = it did not. */
  reset: number | undefined
}

/** @param n  of the request, the first is 0 */
export type Behaviour = (stream: ServerHttp2Stream, message: Buffer, n: number, server: HttpsServer) => void

export class HttpsServer {
  port = 0
  readonly requests: Request[] = []
  readonly sessions = new Set<ServerHttp2Session>()
  sessionCount = 0
  /** Requests under way now, and the most at one time. */
  underWay = 0
  underWayMax = 0
  /** Of the connections: protocol and name that the client asked for. */
  readonly handshakes: (readonly [protocol: string | false | null, name: string | false | null])[] = []
  readonly #server: Http2SecureServer

  private constructor(behave: Behaviour, { cert, key }: Certificate, settings: Settings) {
    this.#server = createSecureServer({ cert, key, settings })
    this.#server.on('sessionError', () => {})
    this.#server.on('session', (session) => {
      this.sessionCount++
      this.sessions.add(session)
      const { alpnProtocol, servername } = session.socket as TLSSocket & { servername: string | false | null }
      this.handshakes.push([alpnProtocol, servername])
      session.on('close', () => this.sessions.delete(session))
    })
    this.#server.on('stream', (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => {
      const pieces: Buffer[] = []
      this.underWay++
      this.underWayMax = Math.max(this.underWayMax, this.underWay)
      let request: Request | null = null
      stream.on('error', () => {})
      stream.on('close', () => {
        this.underWay--
        if (request !== null && stream.aborted) request.reset = stream.rstCode
      })
      stream.on('data', (piece: Buffer) => pieces.push(piece))
      stream.on('end', () => {
        if (stream.destroyed) return
        request = { headers, message: Buffer.concat(pieces), reset: undefined }
        this.requests.push(request)
        behave(stream, request.message, this.requests.length - 1, this)
      })
    })
  }

  static async open(behave: Behaviour, certificate: Certificate, settings: Settings = {}): Promise<HttpsServer> {
    const server = new HttpsServer(behave, certificate, settings)
    await new Promise<void>((resolve) => server.#server.listen(0, '127.0.0.1', resolve))
    server.port = (server.#server.address() as { port: number }).port
    return server
  }

  close(): void {
    this.#server.close()
    for (const session of this.sessions) session.destroy()
  }
}

/** Answers a request. */
export function respond(stream: ServerHttp2Stream, body: Buffer, type = 'application/dns-message', status = 200): void {
  if (stream.destroyed) return
  stream.respond({ ':status': status, 'content-type': type })
  stream.end(body)
}

export const answer: Behaviour = (stream, message) => respond(stream, answerTo(message))
