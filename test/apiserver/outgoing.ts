// One response, over HTTP/2 or HTTP/1.1: headers as an API server sends them, and the octets of the body, where the faults of
// the wire are made: cuts after a number of octets, and trickling.

import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Http2ServerRequest } from 'node:http2'
import { setTimeout as delay } from 'node:timers/promises'
import { createGzip, constants as zlib } from 'node:zlib'
import type { Refusal } from './status.ts'

export type AnyRequest = IncomingMessage | Http2ServerRequest
/** That of HTTP/2 has the same methods. */
export type AnyResponse = ServerResponse

/** What is to go wrong with the bodies of all responses, from now on. */
export interface WireFaults {
  /** Octets of bodies until `cut` is called; Infinity: never. */
  octetsLeft: number
  /** They are on their way, and nothing more. */
  cutting: boolean
  cut: () => void
  /** Octets a tick of `tickMs`; Infinity: as fast as they go. */
  trickleOctets: number
  tickMs: number
}

const FLOW_SCHEMA = 'x-kubernetes-pf-flowschema-uid'
const PRIORITY_LEVEL = 'x-kubernetes-pf-prioritylevel-uid'
const EXEMPT = {
  [FLOW_SCHEMA]: 'a194c38b-eabc-41c6-94bf-95bc553023a3',
  [PRIORITY_LEVEL]: '810c4ca5-2596-49f4-b12f-7f2315f920ef',
}
const CATCH_ALL = {
  [FLOW_SCHEMA]: '21dd5d77-87b2-440a-8e6b-7acf5d79214f',
  [PRIORITY_LEVEL]: 'ed011219-3fc4-4241-a417-50b622c17b12',
}
/** The last octets before a cut have so long to be taken. */
const CUT_MS = 100
const GZIP_FROM_OCTETS = 128 * 1024
/** A server written in Go counts the octets of a body that fits its first buffer. */
const COUNTED_OCTETS_MAX = 2048
const COUNTED_OCTETS_MAX_H2 = 4096

export class Outgoing {
  readonly #response: AnyResponse
  readonly #faults: WireFaults
  readonly #isH2: boolean
  readonly #gzip: boolean
  readonly #unreadMax: number
  /** Octets of events that the client has not taken. */
  #pushed = 0
  #compressor: ReturnType<typeof createGzip> | null = null
  #trickled: Promise<void> = Promise.resolve()
  /** Pieces that still trickle: what comes later waits for them. */
  #trickling = 0
  closed = false

  /** unreadMax: octets of events that a client may leave unread until its watch is ended. */
  constructor(request: AnyRequest, response: AnyResponse, faults: WireFaults, unreadMax: number) {
    this.#unreadMax = unreadMax
    this.#response = response
    this.#faults = faults
    this.#isH2 = request.httpVersionMajor === 2
    this.#gzip = acceptsGzip(request)
    // Node.js would say how long it keeps the connection, an API server does not.
    if (!this.#isH2) response.removeHeader('connection')
    response.on('close', () => {
      this.closed = true
      this.#compressor?.destroy()
    })
    response.on('error', () => {})
    // Each write that waits listens.
    response.setMaxListeners(0)
  }

  /** A whole response that is no list. */
  refuse({ status, headers, body }: Refusal): void {
    const flow = status === 401 || status === 429 ? {} : status === 403 ? CATCH_ALL : EXEMPT
    this.#head(status, { 'cache-control': 'no-cache, private', ...headers, ...flow }, Buffer.byteLength(body))
    void this.write(Buffer.from(body)).then(() => this.end())
  }

  /** Headers of a body whose length is known; large ones are compressed if the client asks for that. */
  beginBody(octets: number, contentType = 'application/json'): void {
    const gzip = this.#gzip && octets > GZIP_FROM_OCTETS
    const encoding: Record<string, string> = gzip ? { 'content-encoding': 'gzip', vary: 'Accept-Encoding' } : {}
    const headers = { 'cache-control': 'no-cache, private', 'content-type': contentType, ...encoding, ...EXEMPT }
    const countedMax = this.#isH2 ? COUNTED_OCTETS_MAX_H2 : COUNTED_OCTETS_MAX
    this.#head(200, headers, octets <= countedMax ? octets : -1)
    if (!gzip) return
    const compressor = createGzip({ level: zlib.Z_BEST_SPEED })
    compressor.on('data', (chunk: Buffer) => {
      compressor.pause()
      void this.#send(chunk).then(() => compressor.resume())
    })
    compressor.on('end', () => this.#response.end())
    compressor.on('error', () => {})
    this.#compressor = compressor
  }

  /** Headers of a watch: they go at once. */
  beginStream(): void {
    this.#head(200, { 'cache-control': 'no-cache, private', 'content-type': 'application/json', ...EXEMPT }, -1)
    this.#response.flushHeaders()
  }

  /** Resolves when the octets are gone or nobody wants them any more: then `octets` may be written over. */
  write(octets: Buffer): Promise<void> {
    const compressor = this.#compressor
    if (compressor === null) return this.#send(octets)
    return new Promise((resolve) => {
      if (this.closed) resolve()
      else {
        compressor.once('close', resolve)
        compressor.write(octets, () => {
          compressor.off('close', resolve)
          resolve()
        })
      }
    })
  }

  /** The event goes behind all before it; a client that does not read is cut off, as an API server does. */
  push(octets: Buffer): void {
    if (this.closed) return
    this.#pushed += octets.length
    if (this.#pushed > this.#unreadMax) this.#response.end()
    else void this.#send(octets).then(() => (this.#pushed -= octets.length))
  }

  end(): void {
    if (this.closed) return
    if (this.#compressor === null) this.#trickled.then(() => this.#response.end())
    else this.#compressor.end()
  }

  #head(status: number, headers: Readonly<Record<string, string>>, octets: number): void {
    if (this.closed) return
    this.#response.writeHead(status, octets < 0 ? headers : { ...headers, 'content-length': String(octets) })
  }

  #send(octets: Buffer): Promise<void> {
    const { trickleOctets, octetsLeft, cutting } = this.#faults
    if (cutting) return Promise.resolve()
    if (trickleOctets !== Infinity || this.#trickling > 0) {
      this.#trickling++
      this.#trickled = this.#trickled.then(() => this.#trickle(octets))
      return this.#trickled
    }
    if (octets.length < octetsLeft) {
      this.#faults.octetsLeft -= octets.length
      return this.#sendAll(octets)
    }
    // What comes while these are on their way must not overtake what they leave out.
    this.#faults.cutting = true
    this.#faults.octetsLeft = Infinity
    const sent = octetsLeft === 0 ? Promise.resolve() : this.#sendAll(octets.subarray(0, octetsLeft))
    return Promise.race([sent, delay(CUT_MS)]).then(() => {
      this.#faults.cutting = false
      this.#faults.cut()
    })
  }

  async #trickle(octets: Buffer): Promise<void> {
    for (let at = 0; at < octets.length && !this.closed; ) {
      const piece = octets.subarray(at, at + this.#faults.trickleOctets)
      await this.#sendAll(piece)
      await delay(this.#faults.tickMs)
      at += piece.length
    }
    this.#trickling--
  }

  #sendAll(octets: Buffer): Promise<void> {
    return new Promise((resolve) => {
      if (this.closed) return resolve()
      this.#response.once('close', resolve)
      this.#response.write(octets, () => {
        this.#response.off('close', resolve)
        resolve()
      })
    })
  }
}

function acceptsGzip(request: AnyRequest): boolean {
  const accepted = String(request.headers['accept-encoding'] ?? '')
  return accepted.split(',').some((token) => token.split(';')[0].trim() === 'gzip')
}
