// Small servers for the client's tests: HTTPS with and without HTTP/2, plain HTTP, proxies, a relay that falls silent, and
// kubeconfigs that lead there. What an API server says is the test's business.

import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { createServer as createHttp, type IncomingMessage, type ServerResponse } from 'node:http'
import { createSecureServer, type Http2ServerRequest, type Http2ServerResponse, type Http2Session } from 'node:http2'
import { createServer as createHttps } from 'node:https'
import { type AddressInfo, connect, createServer as createTcp, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import {
  ApiClient,
  type ApiResponse,
  type RequestLimits,
  type RequestOptions,
} from '../../../src/kube/watch/api-client.ts'
import { Connection } from '../../../src/kube/watch/connection.ts'

const TLS = join(import.meta.dirname, '../../fixtures/tls')

export const NO_LIMITS: RequestLimits = { qps: 0, burst: 0, maxInflight: 0 }
export const LIST: RequestOptions = { verb: 'list', group: '', resource: 'services' }
export const WATCH: RequestOptions = { verb: 'watch', group: '', resource: 'services' }

export type Handler = (
  request: Http2ServerRequest | IncomingMessage,
  response: (Http2ServerResponse | ServerResponse) & { write(chunk: string | Buffer): boolean },
) => void

export interface SmallServer {
  readonly url: string
  readonly port: number
  /** Connections so far. */
  connections(): number
  /** Ends all connections, and takes no more. */
  stop(): Promise<void>
}

export function fixturePath(name: string): string {
  return join(TLS, name)
}

export function fixture(name: string): Buffer {
  return readFileSync(fixturePath(name))
}

export function base64(name: string): string {
  return fixture(name).toString('base64')
}

export type Protocol = 'h2' | 'http/1.1' | 'http'

/** @param certificate  of the fixtures: `server` or `other-server` */
export async function serve(
  t: TestContext,
  protocol: Protocol,
  handler: Handler,
  { certificate = 'server', port = 0, onSession = (_: Http2Session): void => {} } = {},
): Promise<SmallServer> {
  const options = {
    key: fixture(`${certificate}-key.pem`),
    cert: fixture(`${certificate}.pem`),
    ca: fixture('ca.pem'),
    requestCert: true,
    rejectUnauthorized: false,
  }
  const make = { h2: createSecureServer, 'http/1.1': createHttps, http: createHttp }[protocol] as typeof createHttps
  const server = make(options, handler as never)
  server.on('session', onSession)
  // Without a listener Node ends the process when a client leaves in the middle.
  for (const event of ['sessionError', 'tlsClientError']) server.on(event, () => {})
  const listening = await listen(t, server, port)
  return { ...listening, url: `${protocol === 'http' ? 'http' : 'https'}://127.0.0.1:${listening.port}` }
}

/** Carries octets to a port, until it is told to carry no more. */
export async function relay(t: TestContext, target: number): Promise<SmallServer & { freeze(): void }> {
  let isFrozen = false
  const server = createTcp((client) => {
    const upstream = connect(target, '127.0.0.1')
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ]) {
      from.on('error', () => to.destroy())
      from.on('data', (chunk) => {
        if (!isFrozen) to.write(chunk)
      })
      from.on('close', () => {
        if (!isFrozen) to.destroy()
      })
      t.after(() => from.destroy())
    }
  })
  const listening = await listen(t, server, 0)
  return { ...listening, url: `https://127.0.0.1:${listening.port}`, freeze: () => (isFrozen = true) }
}

/** An HTTP proxy: CONNECT and nothing else. `asked` gets host and port of each. */
export async function connectProxy(t: TestContext, asked: string[]): Promise<SmallServer> {
  const server = createHttp().on('connect', (request: IncomingMessage, socket: Socket) => {
    asked.push(request.url ?? '')
    const [host, port] = (request.url ?? '').split(':')
    join2(socket, connect(Number(port), host), 'HTTP/1.1 200 OK\r\n\r\n')
  })
  const listening = await listen(t, server, 0)
  return { ...listening, url: `http://127.0.0.1:${listening.port}` }
}

/** A SOCKS5 proxy without passwords (RFC 1928), for IPv4 addresses. */
export async function socksProxy(t: TestContext, asked: string[]): Promise<SmallServer> {
  const server = createTcp((socket) => {
    socket.once('data', () => {
      socket.write(Buffer.from([5, 0]))
      socket.once('data', (request: Buffer) => {
        const host = [...request.subarray(4, 8)].join('.')
        const port = request.readUInt16BE(8)
        asked.push(`${host}:${port}`)
        join2(socket, connect(port, host), Buffer.from([5, 0, 0, 1, 0, 0, 0, 0, 0, 0]))
      })
    })
    socket.on('error', () => socket.destroy())
  })
  const listening = await listen(t, server, 0)
  return { ...listening, url: `socks5://127.0.0.1:${listening.port}` }
}

function join2(socket: Socket, upstream: Socket, greeting: string | Buffer): void {
  socket.on('error', () => upstream.destroy())
  upstream.on('error', () => socket.destroy())
  upstream.once('connect', () => {
    socket.write(greeting)
    socket.pipe(upstream).pipe(socket)
  })
}

async function listen(t: TestContext, server: Server, port: number): Promise<Omit<SmallServer, 'url'>> {
  const sockets = new Set<Socket>()
  let count = 0
  server.on('connection', (socket: Socket) => {
    count++
    sockets.add(socket)
    socket.on('error', () => {})
    socket.once('close', () => sockets.delete(socket))
  })
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  const stop = async (): Promise<void> => {
    for (const socket of sockets) socket.destroy()
    if (server.listening) await new Promise((resolve) => server.close(resolve))
  }
  t.after(stop)
  return { port: (server.address() as AddressInfo).port, connections: () => count, stop }
}

/** A folder that is gone after the test. */
export function folder(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'peregrine-client-'))
  t.after(() => rmSync(path, { recursive: true, force: true }))
  return path
}

/** Puts a file in place of another at once. */
export function put(path: string, text: string, mode = 0o600): string {
  writeFileSync(`${path}.new`, text, { mode })
  renameSync(`${path}.new`, path)
  return path
}

/** A kubeconfig of one context, as JSON, which is YAML too. The cluster trusts the authority of the fixtures. */
export function kubeconfig(server: string, user: object = { token: 'secret' }, cluster: object = {}): string {
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'here',
    clusters: [{ name: 'c', cluster: { server, 'certificate-authority': fixturePath('ca.pem'), ...cluster } }],
    users: [{ name: 'u', user }],
    contexts: [{ name: 'here', context: { cluster: 'c', user: 'u' } }],
  })
}

/** A client by the kubeconfig in `text`. */
export async function clientBy(
  t: TestContext,
  text: string,
  limits: RequestLimits = NO_LIMITS,
  log: (line: string) => void = () => {},
): Promise<{ client: ApiClient; file: string }> {
  const file = put(join(folder(t), 'config'), text)
  const client = new ApiClient(await Connection.open({ kubeconfig: file, context: '' }), limits, log)
  t.after(() => client.close())
  return { client, file }
}

export async function textOf(body: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of body) chunks.push(chunk)
  return Buffer.concat(chunks).toString()
}

/** What `promise` fails with. */
export async function failureOf(promise: Promise<unknown>): Promise<Error & { code?: string }> {
  try {
    await promise
  } catch (error) {
    assert.ok(error instanceof Error, String(error))
    return error
  }
  assert.fail('it did not fail')
}

/** Resolves as soon as `holds`, and fails after `limitMs`. */
export async function until(holds: () => boolean, what: string, limitMs = 5000): Promise<void> {
  const end = performance.now() + limitMs
  while (!holds()) {
    assert.ok(performance.now() < end, `${what}, within ${limitMs} ms`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

/** The HTTP/2 session that a request came over. */
export function sessionOf(request: unknown): Http2Session {
  return (request as Http2ServerRequest).stream.session!
}

/** The first octets of a body, and how it goes on. */
export async function firstChunk(response: ApiResponse): Promise<{ first: string; rest: AsyncIterator<Buffer> }> {
  const rest = response.body[Symbol.asyncIterator]()
  const { value } = await rest.next()
  return { first: String(value), rest }
}
