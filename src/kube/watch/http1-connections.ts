// HTTP/1.1 to the API server, where it or a proxy has nothing newer: a connection for each request that runs, kept for the
// next. Not here: when to look for another way (dialer.ts).

import { Agent, type ClientRequest, type IncomingMessage, request as requestHttp } from 'node:http'
import { request as requestHttps, Agent as SecureAgent } from 'node:https'
import type { Access } from './connection.ts'
import { ConnectionError, connectionError } from './connection-error.ts'
import { Body, type Reply, type Way, type WayRequest } from './way.ts'

/** A connection, through the proxy if there is one, is there by then. */
const CONNECT_LIMIT_MS = 5000
/** Nothing pings here: a watch that is silent for so long is begun anew, for all that we know it is dead. */
const WATCH_SILENCE_MS = 8000
/** kube-apiserver lets a list wait in line for a quarter of a minute. */
const HEADERS_LIMIT_MS = 30_000
const KEEP_ALIVE = { enable: true, initialDelay: 3000, interval: 1000, count: 4 }

export class Http1Connections implements Way {
  readonly access: Access
  readonly protocol = 'HTTP/1.1'
  isProven = false
  heardAt = performance.now()
  onEnd = (): void => {}
  readonly #over = Promise.withResolvers<void>()
  readonly #agent: Agent
  readonly #running = new Set<ClientRequest>()
  #hasEnded = false

  constructor(access: Access) {
    this.access = access
    this.#agent = access.agent ?? agentOf(access)
    // client-node's agents do not keep connections otherwise.
    Object.assign(this.#agent, { keepAlive: true })
  }

  get over(): Promise<void> {
    return this.#over.promise
  }

  get isUsable(): boolean {
    return !this.#hasEnded
  }

  request(asked: WayRequest): Promise<Reply> {
    return new Promise((resolve, reject) => {
      if (!this.isUsable) return reject(new ConnectionError('closed', { unseen: true }))
      const { signal, isWatch } = asked
      const request = this.#start(asked)
      const onAbort = (): void => {
        reject(signal?.reason)
        request.destroy()
      }
      const timer = setTimeout(() => request.destroy(new Error('no connection in time')), CONNECT_LIMIT_MS)
      let headersTimer: NodeJS.Timeout | undefined
      const limitMs = isWatch ? WATCH_SILENCE_MS : HEADERS_LIMIT_MS
      request.once('socket', (socket) => {
        clearTimeout(timer)
        socket.setKeepAlive(KEEP_ALIVE)
        headersTimer = setTimeout(() => request.destroy(new Error(`no answer within ${limitMs / 1000} s`)), limitMs)
      })
      signal?.addEventListener('abort', onAbort, { once: true })
      request.once('close', () => {
        clearTimeout(timer)
        clearTimeout(headersTimer)
        signal?.removeEventListener('abort', onAbort)
        this.#running.delete(request)
        this.#tidy()
        reject(connectionError(this.access, new Error('the server closed the connection')))
      })
      request.on('error', (error) => {
        // A connection that was kept, and closed by the server at this moment, says nothing of the server.
        const unseen = request.reusedSocket && 'code' in error && error.code === 'ECONNRESET'
        reject(unseen ? new ConnectionError(error.message, { unseen }) : connectionError(this.access, error))
        if (!unseen && !signal?.aborted) this.#end()
      })
      request.once('response', (response) => {
        clearTimeout(headersTimer)
        signal?.removeEventListener('abort', onAbort)
        resolve(this.#replyOf(request, response, asked))
      })
      request.end()
    })
  }

  retire(): void {
    this.#end()
  }

  destroy(): void {
    this.#end()
    for (const request of this.#running) request.destroy(new Error('closed'))
    this.#agent.destroy()
  }

  #start({ path, headers }: WayRequest): ClientRequest {
    const { server } = this.access
    const start = server.protocol === 'https:' ? requestHttps : requestHttp
    const request = start(server, { path, headers, agent: this.#agent })
    this.#running.add(request)
    return request
  }

  #replyOf(request: ClientRequest, response: IncomingMessage, { signal, silenceMs, isWatch }: WayRequest): Reply {
    this.heardAt = performance.now()
    response.on('data', () => {
      this.heardAt = performance.now()
    })
    let responseError: Error | undefined
    response.on('error', (error) => {
      responseError = error
    })
    const ofWatch = silenceMs > 0 ? Math.min(silenceMs, WATCH_SILENCE_MS) : WATCH_SILENCE_MS
    const body = new Body(response, {
      signal,
      silenceMs: isWatch ? ofWatch : silenceMs,
      fault: () =>
        response.complete
          ? undefined
          : new ConnectionError(`${this.access.server.origin}: the answer was cut`, { cause: responseError }),
      cancel: () => request.destroy(),
    })
    return { status: response.statusCode ?? 0, headers: response.headers, body }
  }

  #tidy(): void {
    if (!this.#hasEnded || this.#running.size > 0) return
    this.#agent.destroy()
    this.#over.resolve()
  }

  #end(): void {
    if (this.#hasEnded) return
    this.#hasEnded = true
    this.#tidy()
    this.onEnd()
  }
}

function agentOf({ server, tls }: Access): Agent {
  return server.protocol === 'https:' ? new SecureAgent({ ...tls, keepAlive: true }) : new Agent({ keepAlive: true })
}
