// A running `peregrine -conf FILE` as a child process: started with the text of a Corefile, asked over UDP, TCP and HTTP, read line
// by line, ended by a signal. It does not keep the test run from ending, and is killed with it at the latest.

import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, realpathSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { type IncomingHttpHeaders, request } from 'node:http'
import { createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { TcpClient, UdpClient } from '../server/exchange.ts'
import { childEnvironment, PEREGRINE } from '../server/server-process.ts'
import { encodeQuery, type Query, type Response, readResponse } from '../server/wire.ts'

/** The application of `examples/`, as `--manifests` takes it. */
export const EXAMPLES: string = resolve(import.meta.dirname, '../../examples')

/** Nothing that is waited for takes so long, on a machine that is busy with other things. */
export const WAIT_MS = 40_000
const POLL_MS = 5
// The last line of a start, left out by -quiet.
const SERVES = /^\w+\/\w+, node /
// Below those that the kernel gives to clients, so that none of them takes a port between its choice and its use.
const PORTS = [10_240, 32_000] as const

const children = new Set<ChildProcess>()
const folders = new Set<string>()
process.once('exit', () => {
  for (const child of children) child.kill('SIGKILL')
  for (const folder of folders) rmSync(folder, { recursive: true, force: true })
})

export interface CorefileOptions {
  /** Of the Corefile; it becomes `Corefile` in a folder of its own, which is also the working directory. */
  text: string
  /** More files of that folder, by relative path. */
  files?: Readonly<Record<string, string>>
  /** For `--manifests`. Default: {@link EXAMPLES}; `[]`: a live cluster. */
  manifests?: readonly string[]
  /** `-dns.port`, and where it is asked. Default: a free one. */
  port?: number
  /** Where it is asked. Default 127.0.0.1 */
  address?: string
  /** Further flags. */
  flags?: readonly string[]
  /** Replaces `-conf FILE`. */
  conf?: readonly string[]
  /** What it reads from standard input; without it that is empty. */
  input?: string
  /** Name it is started by. Default `peregrine` */
  name?: string
  /** A command in front of it, that becomes it: `setpriv …`. */
  before?: readonly string[]
  /** Default 1 */
  workers?: number
  /** Variables of its environment, beside those of this process. */
  env?: Record<string, string>
}

/** How one question is sent. */
export interface AskOptions {
  tcp?: boolean
  /** Default: that of the server. */
  address?: string
  port?: number
  timeoutMs?: number
}

export interface HttpAnswer {
  status: number
  headers: IncomingHttpHeaders
  body: string
}

/** Lines of one stream as they come; the last one without its end counts too. */
class Lines {
  text = ''

  get all(): string[] {
    return this.text.split('\n').slice(0, this.text.endsWith('\n') || this.text === '' ? -1 : undefined)
  }
}

export class CorefileServer {
  readonly child: ChildProcess
  /** Holds the Corefile. */
  readonly folder: string
  /** The Corefile. */
  readonly path: string
  readonly port: number
  readonly address: string
  readonly #stdout = new Lines()
  readonly #stderr = new Lines()
  readonly #closed: Promise<{ code: number | null; signal: NodeJS.Signals | null }>
  readonly #clients = new Map<string, UdpClient | TcpClient>()
  #nextId = randomInt(0xfff0)

  /** Starts one and waits until it serves (not with `-quiet`). @throws Error with its output if it does not */
  static async start(options: CorefileOptions): Promise<CorefileServer> {
    return await (await CorefileServer.launch(options)).serving()
  }

  /** Starts one and waits for nothing. */
  static async launch(options: CorefileOptions): Promise<CorefileServer> {
    return new CorefileServer({ ...options, port: options.port ?? (await freePort()) })
  }

  constructor(options: CorefileOptions & { port: number }) {
    const { text, files = {}, manifests = [EXAMPLES], flags = [], port, address = '127.0.0.1' } = options
    this.folder = realpathSync(mkdtempSync(join(tmpdir(), 'peregrine-corefile-')))
    folders.add(this.folder)
    this.path = join(this.folder, 'Corefile')
    this.port = port
    this.address = address
    this.write(text)
    for (const [path, content] of Object.entries(files)) this.write(content, path)
    const conf = options.conf ?? ['-conf', this.path]
    const paths = manifests.flatMap((path) => ['--manifests', resolve(path)])
    const common = ['-dns.port', String(port), '--workers', String(options.workers ?? 1), '--state-dir', 'off']
    const args = [...(options.before ?? []), this.#command(options.name), ...conf, ...common, ...paths, ...flags]
    this.child = spawn(args[0], args.slice(1), {
      cwd: this.folder,
      stdio: ['pipe', 'pipe', 'pipe'],
      env: childEnvironment(options.env),
    })
    this.#closed = once(this.child, 'close').then(([code, signal]) => ({ code, signal }))
    this.#attach(options.input ?? '')
  }

  /** Lines of standard output. */
  get stdout(): string[] {
    return this.#stdout.all
  }
  /** Lines of standard error. */
  get stderr(): string[] {
    return this.#stderr.all
  }
  /** Everything it has printed, for messages. */
  get output(): string {
    return this.#stdout.text + this.#stderr.text
  }
  get isRunning(): boolean {
    return this.child.exitCode === null && this.child.signalCode === null
  }

  /** Waits until it answers queries (not with `-quiet`). @throws Error with its output if it ends before, or takes {@link WAIT_MS} */
  async serving(): Promise<this> {
    try {
      await this.line(SERVES)
      return this
    } catch (error) {
      this.kill()
      throw error
    }
  }

  /**
   * Waits for a line of standard output or error.
   * @param from how many of the lines of either stream to pass over: those that have been there before
   * @throws Error with the output if it does not come, or the process ends without it
   */
  async line(pattern: RegExp, from: { stdout?: number; stderr?: number } = {}, timeoutMs = WAIT_MS): Promise<string> {
    for (const deadline = performance.now() + timeoutMs; ; await sleep(POLL_MS)) {
      const isOver = !this.isRunning && this.child.stdout!.closed && this.child.stderr!.closed
      const lines = [...this.stdout.slice(from.stdout ?? 0), ...this.stderr.slice(from.stderr ?? 0)]
      const found = lines.find((line) => pattern.test(line))
      if (found !== undefined) return found
      if (isOver) throw new Error(`the server ended (${this.child.exitCode}) without ${pattern}:\n${this.output}`)
      if (performance.now() > deadline) throw new Error(`the server never printed ${pattern}:\n${this.output}`)
    }
  }

  /** How many lines there are: what {@link line} passes over to see only new ones. */
  get mark(): { stdout: number; stderr: number } {
    return { stdout: this.stdout.length, stderr: this.stderr.length }
  }

  /** Asks, over UDP unless `tcp`. @throws AssertionError if no response comes or it is malformed */
  async ask(query: Query, options: AskOptions = {}): Promise<Response> {
    this.#nextId = (this.#nextId + 1) % 0x10000
    const octets = await this.exchange(encodeQuery({ id: this.#nextId, ...query }), options)
    assert(octets !== undefined, `no response to ${JSON.stringify({ query, options })}; output:\n${this.output}`)
    return readResponse(octets)
  }

  /** Sends any octets as one message. @returns the response, undefined after `timeoutMs` (10 s) */
  async exchange(message: Uint8Array, options: AskOptions = {}): Promise<Uint8Array | undefined> {
    const { tcp = false, address = this.address, port = this.port, timeoutMs = 10_000 } = options
    const key = `${tcp} ${address} ${port}`
    let client = this.#clients.get(key)
    if (client === undefined) {
      client = tcp ? new TcpClient({ address, port }) : new UdpClient({ address, port })
      this.#clients.set(key, client)
    }
    return await client.exchange(message, timeoutMs)
  }

  /** Asks an HTTP endpoint. @throws Error with a `code` if the connection is refused, or after 10 s */
  async get(path: string, port: number, headers: Record<string, string> = {}, host?: string): Promise<HttpAnswer> {
    return await httpGet({ path, port, headers, host: host ?? this.address })
  }

  /** Replaces the Corefile, or a file beside it, in one step: a new file of that name. */
  write(text: string, path = 'Corefile'): void {
    const target = join(this.folder, path)
    mkdirSync(dirname(target), { recursive: true })
    writeFileSync(`${target}.new`, text)
    renameSync(`${target}.new`, target)
  }

  signal(signal: NodeJS.Signals): void {
    this.child.kill(signal)
  }

  /** Ends it. @returns the exit code, null if a signal ended it */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    this.child.kill(signal)
    return (await this.exit()).code
  }

  /** Waits until it is gone; after {@link WAIT_MS} it is killed. */
  async exit(): Promise<{ code: number | null; signal: NodeJS.Signals | null }> {
    const killer = setTimeout(() => this.child.kill('SIGKILL'), WAIT_MS)
    const end = await this.#closed
    clearTimeout(killer)
    this.#remove()
    return end
  }

  /** Ends it at once and waits for nothing. */
  kill(): void {
    this.child.kill('SIGKILL')
    this.#remove()
  }

  #command(name: string | undefined): string {
    if (name === undefined) return PEREGRINE
    const link = join(this.folder, name)
    symlinkSync(PEREGRINE, link)
    return link
  }

  #attach(input: string): void {
    const { stdin, stdout, stderr } = this.child
    this.#closed.catch(() => {})
    stdin!.on('error', () => {})
    stdin!.end(input)
    stdout!.setEncoding('utf8').on('data', (text) => (this.#stdout.text += text))
    stderr!.setEncoding('utf8').on('data', (text) => (this.#stderr.text += text))
    this.child.on('error', (error) => (this.#stderr.text += `${error.message}\n`))
    this.child.unref()
    for (const pipe of [stdin, stdout, stderr]) (pipe as Socket).unref()
    children.add(this.child)
    this.child.once('exit', () => children.delete(this.child))
  }

  #remove(): void {
    for (const client of this.#clients.values()) client.close()
    this.#clients.clear()
    rmSync(this.folder, { recursive: true, force: true })
    folders.delete(this.folder)
  }
}

/** One request. Every request has a connection of its own. */
export async function httpGet(options: {
  path: string
  port: number
  headers?: Record<string, string>
  host?: string
  method?: string
}): Promise<HttpAnswer> {
  return await new Promise((done, failed) => {
    const sent = request({ host: '127.0.0.1', agent: false, timeout: 10_000, ...options }, (response) => {
      const parts: Buffer[] = []
      response.on('data', (part) => parts.push(part))
      response.on('error', failed)
      response.on('end', () =>
        done({ status: response.statusCode!, headers: response.headers, body: Buffer.concat(parts).toString() }),
      )
    })
    sent.on('timeout', () => sent.destroy(new Error(`no answer from ${options.path} on port ${options.port}`)))
    sent.on('error', failed)
    sent.end()
  })
}

/** A port that is free for UDP and TCP, on all addresses. */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < 1_000; tries++) {
    const port = randomInt(...PORTS)
    if ((await bindsTcp(port)) && (await bindsUdp(port))) return port
  }
  throw new Error('no port is free')
}

async function bindsTcp(port: number): Promise<boolean> {
  const server = createServer()
  return await new Promise((done) => {
    server.once('error', () => done(false))
    server.listen(port, () => server.close(() => done(true)))
  })
}

async function bindsUdp(port: number): Promise<boolean> {
  const socket = createSocket('udp4')
  return await new Promise((done) => {
    socket.once('error', () => done(false))
    socket.bind(port, () => socket.close(() => done(true)))
  })
}
