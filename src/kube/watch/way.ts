// One way to the API server, whatever HTTP it speaks: an HTTP/2 session (http2-session.ts) or the HTTP/1.1 connections of an
// agent (http1-connections.ts). And the body of an answer, which both hand on alike: as it arrives, and only as fast as it is read.

import type { IncomingHttpHeaders } from 'node:http'
import type { Readable } from 'node:stream'
import type { Access } from './connection.ts'
import { ConnectionError } from './connection-error.ts'

/** Octets that are kept for a reader before the server has to wait. */
const KEPT_OCTETS_MAX = 1 << 20

/** An answer whose headers have arrived. */
export interface Reply {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: Body
}

export interface WayRequest {
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  /** It may be silent for long, and rightly so. */
  readonly isWatch: boolean
  readonly signal: AbortSignal | undefined
  /** 0: never. */
  readonly silenceMs: number
}

export interface Way {
  readonly access: Access
  /** `HTTP/2` or `HTTP/1.1`. */
  readonly protocol: string
  /** When anything was heard of the server last, on the clock of performance.now(). */
  readonly heardAt: number
  /** Whether it takes new requests. */
  readonly isUsable: boolean
  /** Whether an answer has come this way. */
  isProven: boolean
  /** Resolves when nothing runs on it, and nothing will. */
  readonly over: Promise<void>
  /** Is called once when it takes no more requests: it broke, or the server wishes so. */
  onEnd: () => void
  /** Throws ConnectionError, or the signal's reason. */
  request(request: WayRequest): Promise<Reply>
  /** No new requests; those that run go on. */
  retire(): void
  /** Ends all. */
  destroy(): void
}

export interface BodyOptions {
  readonly signal: AbortSignal | undefined
  readonly silenceMs: number
  /** Called when the stream has closed: what was wrong with its end, undefined if it was whole. */
  fault(): Error | undefined
  /** Ends the request on the server too. */
  cancel(): void
}

/**
 * Octets as they arrive; ends with the answer. Throws ConnectionError when that is cut short, after the octets that did arrive, and the
 * signal's reason at once. Read it once; leaving the loop cancels the request.
 */
export class Body implements AsyncIterable<Buffer> {
  readonly #stream: Readable
  readonly #options: BodyOptions
  readonly #closed = Promise.withResolvers<void>()
  #chunks: Buffer[] = []
  #octets = 0
  #isOver = false
  #failure: unknown
  #heardAt = performance.now()
  #timer: NodeJS.Timeout | undefined
  #wake: (() => void) | undefined

  constructor(stream: Readable, options: BodyOptions) {
    this.#stream = stream
    this.#options = options
    stream.on('data', (chunk: Buffer) => this.#take(chunk))
    stream.once('close', () => this.#close())
    options.signal?.addEventListener('abort', this.#onAbort, { once: true })
    if (options.signal?.aborted) this.#onAbort()
    if (options.silenceMs > 0) this.#listenFor(options.silenceMs)
  }

  /** Resolves when the request is over, whole or not, read or not. */
  get closed(): Promise<void> {
    return this.#closed.promise
  }

  cancel(): void {
    if (!this.#isOver) this.#options.cancel()
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Buffer, void, void> {
    try {
      for (;;) {
        const chunks = this.#chunks
        this.#chunks = []
        this.#octets = 0
        for (const chunk of chunks) {
          if (this.#options.signal?.aborted) break
          yield chunk
        }
        if (this.#chunks.length > 0) continue
        if (this.#failure !== undefined) throw this.#failure
        if (this.#isOver) return
        await this.#more()
      }
    } finally {
      this.cancel()
    }
  }

  #more(): Promise<void> {
    if (this.#stream.isPaused()) {
      this.#heardAt = performance.now()
      this.#stream.resume()
    }
    return new Promise((resolve) => {
      this.#wake = resolve
    })
  }

  #take(chunk: Buffer): void {
    this.#heardAt = performance.now()
    this.#chunks.push(chunk)
    this.#octets += chunk.length
    if (this.#octets >= KEPT_OCTETS_MAX) this.#stream.pause()
    this.#wake?.()
  }

  #close(): void {
    clearTimeout(this.#timer)
    this.#options.signal?.removeEventListener('abort', this.#onAbort)
    this.#isOver = true
    this.#failure ??= this.#options.fault()
    this.#wake?.()
    this.#closed.resolve()
  }

  readonly #onAbort = (): void => {
    this.#fail(this.#options.signal?.reason)
    this.#chunks = []
  }

  #fail(failure: unknown): void {
    this.#failure ??= failure
    this.cancel()
    this.#wake?.()
  }

  /** Octets that came while this thread was busy are read before silence is believed; a reader that is slow is no silence. */
  #listenFor(ms: number): void {
    this.#timer = setTimeout(() => {
      setImmediate(() => {
        if (this.#isOver) return
        const { silenceMs } = this.#options
        const since = this.#stream.isPaused() ? 0 : performance.now() - this.#heardAt
        if (since >= silenceMs) this.#fail(new ConnectionError(`nothing was heard for ${silenceMs / 1000} s`))
        else this.#listenFor(silenceMs - since)
      })
    }, ms)
  }
}
