// The HTTP servers of `health`, `ready` and `prometheus`. What listens on one address is one server with several paths; over a reload servers
// are kept and their paths changed, so no probe is refused because of one. Not here: what the paths say.

import { lookup } from 'node:dns/promises'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import type { HttpAddress } from '../config/configuration.ts'
import type { WebConfig } from './web-config.ts'

/** Answers a request for one path, whatever its method. */
export type Handler = (request: IncomingMessage, response: ServerResponse) => void | Promise<void>

/** Path ('/health') -> who answers it. */
export type Routes = ReadonlyMap<string, Handler>

/** One server. */
export interface Endpoint {
  readonly address: HttpAddress
  /** The port it has: another one than in the address if that says 0. */
  readonly port: number
  /** From the next request on. */
  setRoutes(routes: Routes): void
  /** Refuses new connections at once; settles when those that are open have ended, after CLOSE_MS at most. */
  close(): Promise<void>
}

/** What is to be there. */
export interface WantedRoute {
  readonly address: HttpAddress
  readonly path: string
  readonly handler: Handler
  /** With TLS; all paths of one address have to agree. */
  readonly secure?: WebConfig | null
}

/** An address that cannot be listened on. */
export class EndpointError extends Error {
  override readonly name = 'EndpointError'
  readonly code = 'ENDPOINT'
}

/** Limit of reading a request, writing a reply, and of an idle connection. */
const LIMIT_MS = 5000
const CHECK_MS = 1000
const CONNECTIONS_MAX = 256
const CLOSE_MS = 5000

/**
 * Listens with SO_REUSEPORT.
 * @throws EndpointError
 */
export async function openEndpoint(
  address: HttpAddress,
  routes: Routes,
  secure: WebConfig | null = null,
): Promise<Endpoint> {
  let current = routes
  const server = createHttpServer(secure, (request, response) => {
    void respond(current, request, response)
  })
  server.requestTimeout = LIMIT_MS
  server.headersTimeout = LIMIT_MS
  server.keepAliveTimeout = LIMIT_MS
  server.timeout = LIMIT_MS
  server.maxConnections = CONNECTIONS_MAX
  await listen(server, address)
  // A connection that breaks is nobody's concern.
  server.on('error', () => {})
  server.on('clientError', (_error, socket) => socket.destroy())
  return {
    address,
    port: (server.address() as AddressInfo).port,
    setRoutes(next) {
      current = next
    },
    close: () => close(server),
  }
}

/** All endpoints of the process. */
export class Endpoints {
  readonly #open = new Map<string, { readonly endpoint: Endpoint; routes: Routes; readonly secure: WebConfig | null }>()

  /**
   * Makes it so that exactly `wanted` is there: opens what is missing first, then changes paths, then closes what nobody wants any more. Of two
   * routes with the same address and path the first counts.
   *
   * @throws EndpointError if an address cannot be had: all is as before then
   */
  async apply(wanted: readonly WantedRoute[]): Promise<void> {
    const groups = new Map<string, WantedRoute[]>()
    for (const route of wanted) groups.set(keyOf(route), [...(groups.get(keyOf(route)) ?? []), route])
    const opened: string[] = []
    const closing: Promise<void>[] = []
    try {
      for (const [key, [{ address, secure = null }]] of groups) {
        if (this.#open.has(key)) continue
        this.#open.set(key, { endpoint: await openEndpoint(address, new Map(), secure), routes: new Map(), secure })
        opened.push(key)
      }
    } catch (error) {
      for (const key of opened) await this.#close(key)
      throw error
    }
    for (const [key, open] of this.#open) {
      const group = groups.get(key)
      if (group === undefined) closing.push(this.#close(key))
      else this.#route(open, group)
    }
    await Promise.all(closing)
  }

  /** Takes a path away everywhere; an endpoint without paths closes, so that a probe is refused. */
  async remove(path: string): Promise<void> {
    const closing: Promise<void>[] = []
    for (const [key, open] of this.#open) {
      if (!open.routes.has(path)) continue
      const routes = new Map([...open.routes].filter(([each]) => each !== path))
      if (routes.size === 0) closing.push(this.#close(key))
      else {
        open.routes = routes
        open.endpoint.setRoutes(routes)
      }
    }
    await Promise.all(closing)
  }

  /** Closes all. */
  async close(): Promise<void> {
    await Promise.all([...this.#open.keys()].map((key) => this.#close(key)))
  }

  /** The port that an address has got; undefined if it is not open. */
  portOf(address: HttpAddress): number | undefined {
    for (const { endpoint } of this.#open.values()) {
      if (endpoint.address.host === address.host && endpoint.address.port === address.port) return endpoint.port
    }
    return undefined
  }

  #route(open: { readonly endpoint: Endpoint; routes: Routes }, group: readonly WantedRoute[]): void {
    const routes = new Map<string, Handler>()
    for (const { path, handler } of group) if (!routes.has(path)) routes.set(path, handler)
    open.routes = routes
    open.endpoint.setRoutes(routes)
  }

  async #close(key: string): Promise<void> {
    const open = this.#open.get(key)
    this.#open.delete(key)
    await open?.endpoint.close()
  }
}

/** Sends a whole reply. */
export function send(
  response: ServerResponse,
  status: number,
  body: string | Uint8Array,
  contentType = 'text/plain; charset=utf-8',
): void {
  const octets = typeof body === 'string' ? Buffer.from(body) : body
  response.writeHead(status, { 'Content-Type': contentType, 'Content-Length': octets.byteLength })
  response.end(octets)
}

async function respond(routes: Routes, request: IncomingMessage, response: ServerResponse): Promise<void> {
  request.resume() // a body means nothing here
  const [path] = (request.url ?? '').split('?', 1)
  try {
    const handler = routes.get(path)
    if (handler === undefined) send(response, 404, '404 page not found')
    else await handler(request, response)
  } catch (error) {
    if (response.headersSent) response.destroy()
    else send(response, 500, error instanceof Error ? error.message : String(error))
  }
}

function keyOf({ address, secure }: WantedRoute): string {
  return JSON.stringify([address.host, address.port, secure?.path ?? ''])
}

function createHttpServer(
  secure: WebConfig | null,
  listener: (request: IncomingMessage, response: ServerResponse) => void,
): Server {
  const options = { connectionsCheckingInterval: CHECK_MS }
  return secure === null ? createServer(options, listener) : createSecureServer({ ...options, ...secure.tls }, listener)
}

async function listen(server: Server, { host, port }: HttpAddress): Promise<void> {
  const text = `${host.includes(':') ? `[${host}]` : host}:${port}`
  try {
    // A name is IPv4 if it can be: `localhost` is 127.0.0.1, as probes and scrapers expect it.
    const bound = host === '' ? undefined : (await lookup(host, { order: 'ipv4first' })).address
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen({ port, host: bound, reusePort: process.platform === 'linux' }, () => {
        server.off('error', reject)
        resolve()
      })
    })
  } catch (error) {
    throw new EndpointError(`listen tcp ${text}: ${(error as Error).message}`, { cause: error })
  }
}

async function close(server: Server): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()))
  const limit = setTimeout(() => server.closeAllConnections(), CLOSE_MS)
  await closed
  clearTimeout(limit)
}
