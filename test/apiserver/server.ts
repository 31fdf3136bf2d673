// The stand-in API server: an HTTPS server on loopback that lists and watches what a Store holds, over HTTP/2 and HTTP/1.1, and
// that fails in all the ways that a test asks for. What a real kube-apiserver does differently is a bug here.
// https://kubernetes.io/docs/reference/using-api/api-concepts/

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { createSecureServer, type ServerHttp2Session } from 'node:http2'
import { createServer as createHttpsServer } from 'node:https'
import type { AddressInfo, Server, Socket } from 'node:net'
import type { Server as TlsServer } from 'node:tls'
import { fileURLToPath } from 'node:url'
import { Access, type Verb } from './access.ts'
import { answerList, awaitVersion, type Target } from './list.ts'
import { readOptions, type StreamingLists } from './options.ts'
import { type AnyRequest, type AnyResponse, Outgoing, type WireFaults } from './outgoing.ts'
import { reset } from './reset.ts'
import { RESOURCES, type Resource, type ResourceName, typePrefix } from './resources.ts'
import {
  internalError,
  METHOD_NOT_ALLOWED,
  NO_SUCH_RESOURCE,
  notFound,
  PAGE_NOT_FOUND,
  type Refusal,
  RefusedError,
} from './status.ts'
import { Store } from './store.ts'
import { Watch, type WatchPace } from './watch.ts'

const FIXTURES = fileURLToPath(new URL('../fixtures/tls/', import.meta.url))

/** Text of a certificate or a key of test/fixtures/tls. */
export function fixture(name: string): string {
  return readFileSync(`${FIXTURES}${name}`, 'utf8')
}

export interface Certificate {
  readonly cert: string
  readonly key: string
}

export interface ApiServerOptions {
  /** What is served; an empty store by default. */
  readonly store?: Store
  /** 0 (the default): any that is free. */
  readonly port?: number
  /** `http` is without TLS, and then HTTP/1.1; `h2` and `http/1.1` offer only that one. */
  readonly protocol?: 'both' | 'h2' | 'http/1.1' | 'http'
  /** The shipped one for localhost by default. */
  readonly certificate?: Certificate
  readonly streamingLists?: StreamingLists
  /** Whether there are ServiceImports. */
  readonly multicluster?: boolean
  /** Milliseconds from one bookmark to the next (60,000). */
  readonly bookmarkMs?: number
  /** Seconds that a watch lasts which does not say (1800). */
  readonly defaultTimeoutSeconds?: number
  /** Milliseconds until a list of a version that is not there yet is refused (3000). */
  readonly futureWaitMs?: number
  /** Octets of events that a client may leave unread until its watch is ended (64 MiB). */
  readonly watchUnreadMax?: number
}

/** How connections end: with a FIN, or with an RST. */
export type Cut = 'fin' | 'rst'

/** A request that was answered or refused. */
export interface SeenRequest {
  readonly verb: Verb | 'other'
  /** Plural name, '' if it is for none. */
  readonly resource: string
  /** Path and query. */
  readonly path: string
  readonly httpVersion: string
  /** '' if it was refused before that was known. */
  readonly user: string
  readonly atMs: number
}

interface Route extends Target {
  readonly name: string
}

interface QueuedRefusal {
  readonly refusal: Refusal
  readonly verb: Verb | ''
  readonly resource: ResourceName | ''
}

const SEEN_MAX = 10_000
const WATCH_UNREAD_MAX = 64 * 2 ** 20
const VERSION = {
  major: '1',
  minor: '26',
  gitVersion: 'v1.26.5',
  gitCommit: '$Format:%H$',
  gitTreeState: '',
  buildDate: '1970-01-01T00:00:00Z',
  goVersion: 'go1.19.8',
  compiler: 'gc',
  platform: 'linux/amd64',
}

/** Starts a server on loopback. */
export async function startApiServer(options: ApiServerOptions = {}): Promise<ApiServer> {
  const server = new ApiServer(options)
  await server.start()
  return server
}

export class ApiServer {
  readonly store: Store
  readonly access = new Access()
  /** `list services` -> how many. */
  readonly requests = new Map<string, number>()
  /** The last requests. */
  readonly seen: SeenRequest[] = []
  readonly #options: ApiServerOptions
  readonly #watches = new Set<Watch>()
  readonly #sockets = new Set<Socket>()
  /** By the port of the client. */
  readonly #secured = new Map<number, Socket>()
  readonly #sessions = new Set<ServerHttp2Session>()
  readonly #refusals: QueuedRefusal[] = []
  readonly #faults: WireFaults
  readonly #pace: WatchPace
  #server: Server | null = null
  #certificate: Certificate
  #port: number
  /** Connections that were ever made. */
  connectionCount = 0

  constructor(options: ApiServerOptions) {
    this.#options = options
    this.store = options.store ?? new Store()
    this.#port = options.port ?? 0
    this.#certificate = options.certificate ?? { cert: fixture('server.pem'), key: fixture('server-key.pem') }
    this.#pace = {
      bookmarkMs: options.bookmarkMs ?? 60_000,
      defaultTimeoutSeconds: options.defaultTimeoutSeconds ?? 1800,
    }
    this.#faults = { octetsLeft: Infinity, cutting: false, cut: () => this.cut(), trickleOctets: Infinity, tickMs: 1 }
  }

  get port(): number {
    return this.#port
  }

  get url(): string {
    return `${this.#options.protocol === 'http' ? 'http' : 'https'}://127.0.0.1:${this.#port}`
  }

  /** Watches that are open. */
  get watchCount(): number {
    return this.#watches.size
  }

  /** Connections that are open. */
  get socketCount(): number {
    return this.#sockets.size
  }

  /** How many requests of a kind there were. */
  count(verb: Verb, resource: ResourceName): number {
    return this.requests.get(`${verb} ${resource}`) ?? 0
  }

  /** Listens, on the port of the last time. */
  async start(): Promise<void> {
    assert(this.#server === null, 'the server is stopped')
    const server = this.#create()
    this.#server = server
    server.on('connection', (socket: Socket) => {
      this.connectionCount++
      this.#sockets.add(socket)
      socket.setNoDelay()
      const { remotePort = 0 } = socket
      socket.on('close', () => {
        this.#sockets.delete(socket)
        this.#secured.delete(remotePort)
      })
      socket.on('error', () => {})
    })
    server.on('secureConnection', (secure: Socket) => this.#secured.set(secure.remotePort ?? 0, secure))
    server.on('session', (session: ServerHttp2Session) => {
      this.#sessions.add(session)
      session.on('close', () => this.#sessions.delete(session))
      session.on('error', () => {})
    })
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(this.#port, '127.0.0.1', resolve)
    })
    this.#port = (server.address() as AddressInfo).port
  }

  /** Stops listening and ends all connections. `forget`: as a process that ends, so that old watches cannot be resumed. */
  async stop({ how = 'rst', forget = false }: { readonly how?: Cut; readonly forget?: boolean } = {}): Promise<void> {
    const server = this.#server
    if (server === null) return
    this.#server = null
    const closed = new Promise((resolve) => server.close(resolve))
    this.cut(how)
    await closed
    if (forget) this.store.forget()
  }

  /** The same as `stop`, to say that it is for good. */
  close(): Promise<void> {
    return this.stop()
  }

  /** Ends all connections; new ones are taken. */
  cut(how: Cut = 'rst'): void {
    for (const watch of this.#watches) watch.close()
    this.#watches.clear()
    for (const socket of this.#sockets) {
      const upper = this.#options.protocol === 'http' ? socket : this.#secured.get(socket.remotePort ?? 0)
      if (how === 'rst' && upper !== undefined) reset(socket, upper)
      else socket.destroy()
    }
  }

  /** Ends all connections after that many more octets of bodies. */
  cutAfter(octets: number, how: Cut = 'rst'): void {
    this.#faults.cut = () => this.cut(how)
    this.#faults.octetsLeft = octets
  }

  /** Bodies come by so many octets a tick; Infinity: at once again. */
  trickle(octets: number, tickMs = 1): void {
    this.#faults.trickleOctets = octets
    this.#faults.tickMs = tickMs
  }

  /** Asks clients of HTTP/2 to go, as a server does that is about to stop; what is under way goes on. */
  goaway(): void {
    for (const session of this.#sessions) session.goaway()
  }

  /** Clean ends of all watches (of a resource). */
  endWatches(resource: ResourceName | '' = ''): void {
    for (const watch of this.#watchesOf(resource)) watch.end()
  }

  /** A line in all watches of a resource: damaged JSON, unknown types, an ERROR. */
  injectLine(resource: ResourceName, line: string): void {
    for (const watch of this.#watchesOf(resource)) watch.inject(line)
  }

  /** The next requests (with that verb, for that resource) are refused. */
  refuseNext(count: number, refusal: Refusal, verb: Verb | '' = '', resource: ResourceName | '' = ''): void {
    for (let i = 0; i < count; i++) this.#refusals.push({ refusal, verb, resource })
  }

  /** For connections from now on. */
  setCertificate(certificate: Certificate): void {
    this.#certificate = certificate
    if (this.#options.protocol !== 'http') (this.#server as TlsServer | null)?.setSecureContext(this.#tlsOptions())
  }

  #watchesOf(resource: ResourceName | ''): Watch[] {
    return [...this.#watches].filter(({ target }) => resource === '' || target.resource.name === resource)
  }

  #tlsOptions() {
    return { ...this.#certificate, ca: fixture('ca.pem'), requestCert: true, rejectUnauthorized: false }
  }

  #create(): Server {
    const { protocol = 'both' } = this.#options
    const answer = (request: AnyRequest, response: AnyResponse) => this.#answer(request, response)
    const idle = { keepAliveTimeout: 90_000 }
    if (protocol === 'http') return createServer(idle, answer)
    if (protocol === 'http/1.1') return createHttpsServer({ ...this.#tlsOptions(), ...idle }, answer)
    const settings = { maxConcurrentStreams: 250 }
    const limits = { maxSessionMemory: 1000, peerMaxConcurrentStreams: 250 }
    const allowHTTP1 = protocol === 'both'
    const server = createSecureServer({ ...this.#tlsOptions(), ...idle, allowHTTP1, settings, ...limits })
    server.on('request', (request, response) => answer(request, response as unknown as AnyResponse))
    return server as unknown as Server
  }

  #answer(request: AnyRequest, response: AnyResponse): void {
    const out = new Outgoing(request, response, this.#faults, this.#options.watchUnreadMax ?? WATCH_UNREAD_MAX)
    this.#route(request, response, out).catch((error: unknown) => {
      if (error instanceof RefusedError) out.refuse(error.refusal)
      else {
        out.refuse(internalError(String(error)))
        throw error
      }
    })
  }

  async #route(request: AnyRequest, response: AnyResponse, out: Outgoing): Promise<void> {
    const path = request.url ?? '/'
    const url = new URL(path, 'http://server')
    const route = this.#routeOf(url.pathname)
    const verb = route === null ? 'other' : route.name !== '' ? 'get' : isWatch(url) ? 'watch' : 'list'
    const resource = route?.resource.name ?? ''
    const seen = { verb, resource, path, httpVersion: request.httpVersion, user: '', atMs: Date.now() } as const
    this.#note(seen)
    const refusal = this.#takeRefusal(verb, resource)
    if (refusal !== null) throw new RefusedError(refusal)
    const user = this.access.userOf(request)
    this.seen[this.seen.length - 1] = { ...seen, user }
    if (route === null) return this.#answerOther(url.pathname, out)
    if (request.method !== 'GET') throw new RefusedError(METHOD_NOT_ALLOWED)
    this.access.check(user, verb as Verb, route.resource, route.namespace, route.name)
    if (route.name !== '') return this.#answerGet(route, out)
    const checked = readOptions(route.resource, url.searchParams, this.#options.streamingLists ?? 'unknown')
    if (checked.version !== null && (!checked.watch || checked.sendInitialEvents === true)) {
      await awaitVersion(this.store, route, checked.version, this.#options.futureWaitMs ?? 3000)
    }
    if (!checked.watch) return answerList(this.store, route, checked, out)
    const watch = new Watch(this.store, route, checked, out)
    this.#watches.add(watch)
    response.on('close', () => {
      watch.close()
      this.#watches.delete(watch)
    })
    await watch.begin(this.#pace)
  }

  #note(seen: SeenRequest): void {
    const key = `${seen.verb} ${seen.resource}`
    this.requests.set(key, (this.requests.get(key) ?? 0) + 1)
    this.seen.push(seen)
    if (this.seen.length > SEEN_MAX) this.seen.splice(0, SEEN_MAX / 10)
  }

  #takeRefusal(verb: string, resource: string): Refusal | null {
    const at = this.#refusals.findIndex(
      (each) => (each.verb === '' || each.verb === verb) && (each.resource === '' || each.resource === resource),
    )
    return at < 0 ? null : this.#refusals.splice(at, 1)[0].refusal
  }

  #answerOther(path: string, out: Outgoing): void {
    if (path === '/version') sendText(out, JSON.stringify(VERSION, null, 2), 'application/json')
    else if (/^\/(livez|readyz|healthz)$/.test(path)) sendText(out, 'ok', 'text/plain; charset=utf-8')
    else if (isKnownGroup(path, this.#options.multicluster ?? false)) throw new RefusedError(NO_SUCH_RESOURCE)
    else throw new RefusedError(PAGE_NOT_FOUND)
  }

  #answerGet({ resource, namespace, name }: Route, out: Outgoing): void {
    const stored = this.store.get(resource.name, resource.namespaced ? `${namespace}/${name}` : name)
    if (stored === null) throw new RefusedError(notFound(resource, name))
    const octets = Buffer.allocUnsafe(stored.length)
    stored.write(octets, 0)
    sendText(out, `{${typePrefix(resource)}${octets.toString()}\n`, 'application/json')
  }

  /** Null: a path that names no resource. */
  #routeOf(path: string): Route | null {
    const parts = path.split('/').slice(1)
    const prefix = parts[0] === 'api' ? parts.slice(1, 2) : parts[0] === 'apis' ? parts.slice(1, 3) : []
    const rest = parts.slice(parts[0] === 'api' ? 2 : 3)
    const apiVersion = prefix.join('/')
    const namespaced = rest[0] === 'namespaces' && rest.length > 2
    const [plural, name = ''] = namespaced ? rest.slice(2) : rest
    const resource: Resource | undefined = RESOURCES[plural as ResourceName]
    if (resource === undefined || resource.apiVersion !== apiVersion) return null
    if (resource.custom && this.#options.multicluster !== true) return null
    if (namespaced !== resource.namespaced && (namespaced || name !== '')) return null
    return { resource, namespace: namespaced ? rest[1] : '', name }
  }
}

/** Known before the query is found to be wrong. */
function isWatch({ searchParams }: URL): boolean {
  const value = searchParams.get('watch')
  return value !== null && value !== '0' && value.toLowerCase() !== 'false'
}

function isKnownGroup(path: string, multicluster: boolean): boolean {
  const known = Object.values(RESOURCES).filter(({ custom }) => multicluster || !custom)
  return known.some(({ group, apiVersion }) => path.startsWith(`/${group === '' ? 'api' : 'apis'}/${apiVersion}/`))
}

function sendText(out: Outgoing, text: string, contentType: string): void {
  const octets = Buffer.from(text)
  out.beginBody(octets.length, contentType)
  void out.write(octets).then(() => out.end())
}
