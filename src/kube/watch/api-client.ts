// Requests to the API server: who asks, how often and how many at a time, and what a refusal means. Not here: connections
// (dialer.ts), and what to do after a failure (the reflector).

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ApiError, type Asked } from './api-error.ts'
import type { Access, Connection } from './connection.ts'
import { ConnectionError } from './connection-error.ts'
import { Dialer } from './dialer.ts'
import { Places, TokenBucket } from './request-limit.ts'
import { NO_ANSWER, RequestMeter } from './request-totals.ts'
import type { Body, Reply } from './way.ts'

export { ApiError } from './api-error.ts'
export { ConnectionError } from './connection-error.ts'

/** Octets of a refusal that are read, and how long that may take. */
const REFUSAL_LENGTH_MAX = 64 << 10
const REFUSAL_SILENCE_MS = 2000
/** A server that is going down may leave a request unseen; more often in a row is no accident. */
const UNSEEN_MAX = 3

export interface ApiResponse {
  /** 200..299: all others are thrown as ApiError. */
  readonly status: number
  /**
   * Octets as they arrive; ends with the body; throws ConnectionError when it is cut short, and the signal's reason. Read it
   * once, to the end or not: leaving the loop cancels the request. A slow reader slows the server down.
   */
  readonly body: AsyncIterable<Buffer>
}

export interface RequestOptions extends Asked {
  /** Ends the request, and its body, with the signal's reason. */
  readonly signal?: AbortSignal
  /** Milliseconds without an octet of the body after which it throws ConnectionError; 0: never. A watch over HTTP/1.1: at most 8 s. */
  readonly silenceMs?: number
}

export interface RequestLimits {
  /** Requests a second, 0: any number; and how many beyond that may come at once. */
  readonly qps: number
  readonly burst: number
  /** Requests at a time, those whose body is not yet over included; 0: any number. */
  readonly maxInflight: number
}

/** Asks one API server, over one connection where it can. */
export class ApiClient {
  readonly #connection: Connection
  readonly #dialer: Dialer
  readonly #rate: TokenBucket
  readonly #places: Places
  readonly #closing = new AbortController()
  readonly #meter: RequestMeter
  readonly #userAgent = `peregrine/${version()}`

  /**
   * @param log  is told when the server is reached for the first time, and again after it was not
   * @param meter  counts what is asked
   */
  constructor(
    connection: Connection,
    { qps, burst, maxInflight }: RequestLimits,
    log: (line: string) => void,
    meter = new RequestMeter(),
  ) {
    this.#meter = meter
    this.#connection = connection
    this.#dialer = new Dialer(connection, log)
    this.#rate = new TokenBucket(qps, burst)
    this.#places = new Places(maxInflight)
  }

  /**
   * Waits for its turn, asks, and returns when the headers of a 2xx are there. Throws ApiError, ConnectionError (ask again at once: the
   * client knows how long to wait), or the signal's reason.
   *
   * @param path  with the query: /api/v1/services?limit=500
   */
  async request(path: string, options: RequestOptions): Promise<ApiResponse> {
    await this.#places.take(options.signal)
    try {
      const { status, body } = await this.#ask(path, options)
      void body.closed.then(() => this.#places.leave())
      return { status, body }
    } catch (error) {
      this.#places.leave()
      throw error
    }
  }

  /** When the server last gave a sign of life, on the clock of performance.now(); -Infinity: never. */
  heardAt(): number {
    return this.#dialer.heardAt()
  }

  /** Ends all requests, those that wait too, with a ConnectionError. */
  close(): void {
    this.#closing.abort(new ConnectionError('closed'))
    this.#dialer.close()
  }

  async #ask(path: string, options: RequestOptions): Promise<Reply> {
    let isKnown = true
    for (let unseen = 0; ; ) {
      const queuedAt = performance.now()
      await this.#rate.take(options.signal, this.#closing.signal)
      const waitMs = performance.now() - queuedAt
      const askedAt = performance.now()
      const count = (code: string): void => {
        const { host } = this.#dialer
        if (host !== '') this.#meter.add(host, code, waitMs / 1000, (performance.now() - askedAt) / 1000)
      }
      const { way, access } = await this.#dialer.way(options.signal).catch((error: unknown) => {
        if (error instanceof ConnectionError && !this.#closing.signal.aborted) count(NO_ANSWER)
        throw error
      })
      options.signal?.throwIfAborted()
      let reply: Reply
      try {
        reply = await way.request({
          path: access.server.pathname.replace(/\/$/, '') + path,
          headers: { ...access.headers, accept: 'application/json', 'user-agent': this.#userAgent },
          isWatch: options.verb === 'watch',
          signal: options.signal,
          silenceMs: options.silenceMs ?? 0,
        })
        count(String(reply.status))
      } catch (error) {
        if (error instanceof ConnectionError && !this.#closing.signal.aborted) count(NO_ANSWER)
        if (!(error instanceof ConnectionError && error.unseen) || ++unseen > UNSEEN_MAX) throw error
        continue
      }
      this.#dialer.reached(way)
      if (reply.status >= 200 && reply.status < 300) return reply
      const refusal = await refusalOf(reply, path, options, access)
      if (reply.status !== 401) throw refusal
      this.#connection.renew(access, 'refused')
      if (!isKnown) throw refusal
      isKnown = false
    }
  }
}

async function refusalOf(reply: Reply, path: string, asked: RequestOptions, { source }: Access): Promise<ApiError> {
  const { status, headers } = reply
  const body = await textOf(reply.body)
  asked.signal?.throwIfAborted()
  return new ApiError({ status, headers, body, asked, path: path.split('?', 1)[0], source })
}

/** As much of a refusal as comes: what is cut short, or too long, or comes too slowly, refuses no less. */
async function textOf(body: Body): Promise<string> {
  const chunks: Buffer[] = []
  let length = 0
  const timer = setTimeout(() => body.cancel(), REFUSAL_SILENCE_MS)
  try {
    for await (const chunk of body) {
      chunks.push(chunk)
      length += chunk.length
      if (length >= REFUSAL_LENGTH_MAX) break
    }
  } catch {
    // What has come so far will do.
  }
  clearTimeout(timer)
  return Buffer.concat(chunks).toString('utf8', 0, REFUSAL_LENGTH_MAX)
}

function version(): string {
  return JSON.parse(readFileSync(join(import.meta.dirname, '../../../package.json'), 'utf8')).version
}
