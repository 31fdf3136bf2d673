// A client for the tests of the stand-in: plain requests over HTTP/2 or HTTP/1.1, and bodies as they come. Not the client that
// is tested elsewhere: nothing here knows what a list is.

import { once } from 'node:events'
import { type IncomingHttpHeaders, request as requestHttp } from 'node:http'
import { type ClientHttp2Session, connect } from 'node:http2'
import { Agent, request as requestHttps } from 'node:https'
import type { Readable } from 'node:stream'
import type { TestContext } from 'node:test'
import { DEFAULT_TOKEN } from './access.ts'
import type { GivenObject } from './object.ts'
import { type ApiServer, type ApiServerOptions, fixture, startApiServer } from './server.ts'
import type { Store } from './store.ts'

export const PROTOCOLS = ['h2', 'http/1.1'] as const
export type Protocol = (typeof PROTOCOLS)[number]

/** Bounds every wait in a test. */
export const WAIT_MS = 15_000

export interface Asked {
  readonly method?: string
  /** '' for none. */
  readonly token?: string
  readonly headers?: Readonly<Record<string, string>>
}

export interface Exchange {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
}

/** A body that has not ended. */
export class OpenBody {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly #body: Readable
  #text = ''
  #waiting: (() => void) | null = null
  /** How it ended: '' while it has not, `end` for a clean one, else the code of the error. */
  ended = ''

  constructor(status: number, headers: IncomingHttpHeaders, body: Readable) {
    this.status = status
    this.headers = headers
    this.#body = body
    body.setEncoding('utf8')
    body.on('data', (text: string) => {
      this.#text += text
      this.#waiting?.()
    })
    body.on('error', (error: NodeJS.ErrnoException) => this.#end(error.code ?? error.message))
    body.on('close', () => this.#end(isWhole(body) ? 'end' : 'cut'))
  }

  /** The next line without its line feed; null if the body ends or `waitMs` pass before. */
  async line(waitMs = WAIT_MS): Promise<string | null> {
    const limit = performance.now() + waitMs
    while (!this.#text.includes('\n')) {
      if (this.ended !== '' || performance.now() >= limit) return null
      await this.#change(limit - performance.now())
    }
    const end = this.#text.indexOf('\n')
    const line = this.#text.slice(0, end)
    this.#text = this.#text.slice(end + 1)
    return line
  }

  /** The next lines, parsed: as many as there are, at most `count`. */
  async events(count: number, waitMs = WAIT_MS): Promise<WatchEvent[]> {
    const events: WatchEvent[] = []
    for (let i = 0; i < count; i++) {
      const line = await this.line(waitMs)
      if (line === null) break
      events.push(JSON.parse(line))
    }
    return events
  }

  /** Waits for the end. */
  async end(waitMs = WAIT_MS): Promise<string> {
    const limit = performance.now() + waitMs
    while (this.ended === '' && performance.now() < limit) await this.#change(limit - performance.now())
    return this.ended
  }

  cancel(): void {
    this.#body.destroy()
  }

  #end(how: string): void {
    if (this.ended === '') this.ended = how
    this.#waiting?.()
  }

  #change(waitMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, waitMs)
      this.#waiting = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }
}

export interface WatchEvent {
  readonly type: string
  // biome-ignore lint/suspicious/noExplicitAny: any object of the API
  readonly object: any
}

export class TestClient {
  readonly #url: URL
  readonly #protocol: Protocol
  readonly #tls: Readonly<Record<string, string>>
  readonly #agent: Agent
  #session: ClientHttp2Session | null = null

  /** @param tls  more options of the connection: a client certificate */
  constructor(url: string, protocol: Protocol, tls: Readonly<Record<string, string>> = {}) {
    this.#url = new URL(url)
    this.#protocol = protocol
    this.#tls = { ca: fixture('ca.pem'), ...tls }
    this.#agent = new Agent({ keepAlive: true, ...this.#tls })
  }

  /** The whole response. */
  async get(path: string, asked: Asked = {}): Promise<Exchange> {
    const [status, headers, stream] = await this.#send(path, asked)
    const chunks: Buffer[] = []
    const closed = new Promise((resolve) => stream.on('close', resolve))
    for await (const chunk of stream) chunks.push(chunk)
    await closed
    if (!isWhole(stream)) throw new Error('the body was cut')
    return { status, headers, body: Buffer.concat(chunks) }
  }

  /** The whole response, which is JSON. */
  // biome-ignore lint/suspicious/noExplicitAny: any object of the API
  async json(path: string, asked: Asked = {}): Promise<any> {
    const { body } = await this.get(path, asked)
    return JSON.parse(body.toString())
  }

  async open(path: string, asked: Asked = {}): Promise<OpenBody> {
    return new OpenBody(...(await this.#send(path, asked)))
  }

  /** Ends its connections; the next request makes another. */
  close(): void {
    this.#session?.destroy()
    this.#agent.destroy()
  }

  async #send(path: string, { method = 'GET', token = DEFAULT_TOKEN, headers = {} }: Asked) {
    const all = token === '' ? headers : { authorization: `Bearer ${token}`, ...headers }
    if (this.#protocol === 'h2') return this.#sendH2(path, { ':method': method, ...all })
    const send = this.#url.protocol === 'http:' ? requestHttp : requestHttps
    const agent = this.#url.protocol === 'http:' ? undefined : this.#agent
    const request = send(new URL(path, this.#url), { agent, method, headers: all })
    // Reported by the response or by `once`; it may come after either.
    request.on('error', () => {})
    request.end()
    const [response] = await once(request, 'response')
    return [response.statusCode as number, response.headers as IncomingHttpHeaders, response as Readable] as const
  }

  async #sendH2(path: string, headers: Readonly<Record<string, string>>) {
    if (this.#session === null || this.#session.destroyed || this.#session.closed) {
      this.#session = connect(this.#url.origin, this.#tls)
      this.#session.on('error', () => {})
    }
    const stream = this.#session.request({ ':path': path, ...headers })
    stream.on('error', () => {})
    stream.end()
    const closed = once(stream, 'close').then(() => Promise.reject(new Error('closed without a response')))
    closed.catch(() => {})
    const [received] = await Promise.race([once(stream, 'response'), closed])
    return [received[':status'] as number, received as IncomingHttpHeaders, stream as Readable] as const
  }
}

/** Whether a body that is closed came to its end: a cut session of HTTP/2 ends its streams as if it had. */
function isWhole(body: Readable): boolean {
  const { readableEnded, aborted, rstCode } = body as Readable & {
    readonly aborted?: boolean
    readonly rstCode?: number
  }
  return (
    readableEnded && aborted !== true && (rstCode ?? 0) === 0 && (body as { complete?: boolean }).complete !== false
  )
}

/** A server and a client of it, which end with the test. */
export async function serverAndClient(
  t: TestContext,
  protocol: Protocol,
  options: ApiServerOptions = {},
): Promise<{ server: ApiServer; store: Store; client: TestClient }> {
  const server = await startApiServer({ futureWaitMs: 20, ...options })
  const client = new TestClient(server.url, protocol)
  t.after(async () => {
    client.close()
    await server.close()
  })
  return { server, store: server.store, client }
}

/** A Service `namespace/name`. */
export function service(key: string, labels: Record<string, string> = {}, port = 80): GivenObject {
  const [namespace, name] = key.split('/')
  return { metadata: { name, namespace, labels }, spec: { ports: [{ name: 'http', protocol: 'TCP', port }] } }
}

/** `namespace/name` of the items of a list. */
export function keysOf(list: { readonly items: readonly GivenObject[] }): string[] {
  return list.items.map(({ metadata }) =>
    metadata.namespace ? `${metadata.namespace}/${metadata.name}` : metadata.name,
  )
}

/** `ADDED shop/web`, or `BOOKMARK`. */
export function brief({ type, object }: WatchEvent): string {
  return object.metadata?.name === undefined ? type : `${type} ${object.metadata.namespace}/${object.metadata.name}`
}
