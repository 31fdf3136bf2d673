// A running `peregrine serve` as a child process, and clients for it. One server a fixture, shared by its rows.

import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer, type Socket } from 'node:net'
import { resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Endpoint, TcpClient, UdpClient } from './exchange.ts'
import { encodeQuery, type Query, type Response, readResponse } from './wire.ts'

/** The launcher of this checkout. */
export const PEREGRINE: string = resolve(import.meta.dirname, '../../bin/peregrine')

const READY_MS = 20_000
const EXIT_MS = 5_000
// Below those that the kernel gives to clients, and by lot: test files run at the same time, and ports can be shared.
const PORTS = [10_240, 32_000] as const
const PORT_TRIES = 1000

const children = new Set<ChildProcess>()
process.once('exit', () => {
  for (const child of children) child.kill('SIGKILL')
})

/** What a server is started with. */
export interface ServerOptions {
  /** Files or folders for `--manifests`. */
  manifests: readonly string[]
  /** Further flags. */
  flags?: readonly string[]
  /** Default: a free one. */
  port?: number
  /** Where it is asked. Default 127.0.0.1; pass `--listen` in `flags` to make it listen elsewhere. */
  address?: string
  workers?: number
  /** cgroup.procs of the control group that it is to run in. */
  group?: string
  /** Variables of its environment, beside those of this process. */
  env?: Record<string, string>
}

/** A running server. It does not keep the test run from ending, and is killed with it at the latest. */
export class ServerProcess {
  readonly child: ChildProcess
  readonly endpoint: Endpoint
  /** Everything it has printed. */
  output = ''
  readonly #closed: Promise<{ code: number | null; signal: NodeJS.Signals | null }>
  #udp: UdpClient | undefined
  #tcp: TcpClient | undefined
  #nextId = 1

  /** Starts the process and does not wait for it; see {@link startServer}. */
  constructor(options: ServerOptions & { port: number }) {
    const { manifests, flags = [], port, workers = 1, address = '127.0.0.1' } = options
    this.endpoint = { address, port }
    const paths = manifests.flatMap((path) => ['--manifests', path])
    const args = ['serve', ...paths, '-dns.port', String(port), '--workers', String(workers), ...flags]
    const join = ['-c', 'echo $$ > "$0" && exec "$@"', options.group ?? '', PEREGRINE, ...args]
    const [command, words] = options.group === undefined ? [PEREGRINE, args] : ['sh', join]
    this.child = spawn(command, words, { stdio: ['ignore', 'pipe', 'pipe'], env: childEnvironment(options.env) })
    this.child.stdout!.on('data', (text) => (this.output += text))
    this.child.stderr!.on('data', (text) => (this.output += text))
    this.child.on('error', (error) => (this.output += `${error.message}\n`))
    this.#closed = once(this.child, 'close').then(([code, signal]) => ({ code, signal }))
    this.#closed.catch(() => {})
    this.child.unref()
    for (const pipe of [this.child.stdout, this.child.stderr]) (pipe as Socket).unref()
    children.add(this.child)
    this.child.once('exit', () => children.delete(this.child))
  }

  /** Waits until it says `ready`. @throws Error with its output if it exits or takes more than 20 s */
  async ready(): Promise<this> {
    const deadline = performance.now() + READY_MS
    while (performance.now() < deadline && this.child.exitCode === null && this.child.signalCode === null) {
      if (/^ready$/m.test(this.output)) return this
      await sleep(5)
    }
    this.child.kill('SIGKILL')
    throw new Error(`the server did not become ready:\n${this.output}`)
  }

  /** Sends a query over UDP, or over TCP with `tcp`. @throws AssertionError if no response comes or it is malformed */
  async query(query: Query, tcp = false): Promise<Response> {
    const id = this.#nextId
    const octets = await this.exchange(encodeQuery({ id, ...query }), tcp)
    assert(octets !== undefined, `no response to ${JSON.stringify(query)} over ${tcp ? 'TCP' : 'UDP'}`)
    return readResponse(octets)
  }

  /** Sends any octets as one message. @returns the response, undefined after `timeoutMs` */
  async exchange(message: Uint8Array, tcp = false, timeoutMs = 2_000): Promise<Uint8Array | undefined> {
    this.#nextId = (this.#nextId % 0xfff0) + 1
    if (!tcp) this.#udp ??= new UdpClient(this.endpoint)
    else if (!this.#tcp?.open) this.#tcp = new TcpClient(this.endpoint)
    return await (tcp ? this.#tcp! : this.#udp!).exchange(message, timeoutMs)
  }

  /** Resident memory in octets (Linux; 0 elsewhere). */
  residentOctets(): number {
    try {
      const status = readFileSync(`/proc/${this.child.pid}/status`, 'latin1')
      return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1] ?? 0) * 1024
    } catch {
      return 0
    }
  }

  /** Waits for text in its output. @throws Error with the output after `timeoutMs` */
  async printed(pattern: RegExp, timeoutMs = 2_000): Promise<void> {
    for (const deadline = performance.now() + timeoutMs; performance.now() < deadline; await sleep(5)) {
      if (pattern.test(this.output)) return
    }
    throw new Error(`the server never printed ${pattern}:\n${this.output}`)
  }

  /** Closes the clients only. */
  disconnect(): void {
    this.#udp?.close()
    this.#tcp?.close()
    this.#udp = this.#tcp = undefined
  }

  /** SIGTERM; expects exit code 0. @throws AssertionError otherwise; a server that stays is killed */
  async stop(): Promise<void> {
    this.disconnect()
    this.child.kill('SIGTERM')
    assert.deepEqual(await this.exit(), { code: 0, signal: null }, `exit after SIGTERM; it printed:\n${this.output}`)
  }

  /** Waits until the process is gone; after 5 s it is killed. */
  async exit(): Promise<{ code: number | null; signal: NodeJS.Signals | null }> {
    const killer = setTimeout(() => this.child.kill('SIGKILL'), EXIT_MS)
    const { code, signal } = await this.#closed
    clearTimeout(killer)
    return { code, signal }
  }
}

/** Starts a server and waits until it is ready. */
export async function startServer(options: ServerOptions): Promise<ServerProcess> {
  return await new ServerProcess({ ...options, port: options.port ?? (await freePort()) }).ready()
}

/** The environment of this process without what Node's test runner hands to its children. */
export function childEnvironment(extra: Record<string, string> = {}): NodeJS.ProcessEnv {
  const { NODE_TEST_CONTEXT: _context, NODE_OPTIONS: _options, ...rest } = process.env
  return { ...rest, ...extra }
}

/** A port that is free on 127.0.0.1 for UDP and TCP. */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < PORT_TRIES; tries++) {
    const port = randomInt(...PORTS)
    if ((await bindsTcp(port)) && (await bindsUdp(port))) return port
  }
  throw new Error('no port is free')
}

async function bindsTcp(port: number): Promise<boolean> {
  const server = createServer()
  return await new Promise((done) => {
    server.once('error', () => done(false))
    server.listen(port, '127.0.0.1', () => server.close(() => done(true)))
  })
}

async function bindsUdp(port: number): Promise<boolean> {
  const socket = createSocket('udp4')
  return await new Promise((done) => {
    socket.once('error', () => done(false))
    socket.bind(port, '127.0.0.1', () => socket.close(() => done(true)))
  })
}
