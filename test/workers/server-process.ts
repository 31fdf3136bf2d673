// Starting and talking to `serve-process.ts` and `traffic.ts` from a test.

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { Listener, ServeOptions, WorkerStats } from '../../src/workers/server.ts'

/** What serve-process.ts may be asked for. */
type AskedOptions = Partial<ServeOptions> & { readonly addresses?: readonly string[]; readonly port?: number }

import type { TrafficOptions, TrafficResult } from './traffic.ts'

const serveProgram = fileURLToPath(new URL('./serve-process.ts', import.meta.url))
const trafficProgram = fileURLToPath(new URL('./traffic.ts', import.meta.url))

/** Counters of all workers. */
export interface Stats {
  query: WorkerStats[]
  stream: WorkerStats
}

/** What `serve-process.ts` says of itself. */
export interface Usage {
  cpuMicroseconds: number
  rss: number
  stats: Stats
}

interface Line {
  ready?: { transport: string; listeners: Listener[]; startMs: number }
  failed?: { name: string; code: string; message: string }
  log?: string
  stats?: Stats
  stopMs?: number
  usage?: Usage
}

/** A server in a process of its own. Stop it, or it outlives the test. */
export class ServerProcess {
  readonly child: ChildProcess
  readonly logged: string[] = []
  readonly #waiting: { accept: (line: Line) => boolean; resolve: (line: Line) => void; reject: (e: Error) => void }[] =
    []
  port = 0
  listeners: Listener[] = []
  startMs = 0

  private constructor(options: AskedOptions, env: NodeJS.ProcessEnv) {
    this.child = spawn(process.execPath, [serveProgram, JSON.stringify(options)], {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { ...process.env, ...env },
    })
    createInterface({ input: this.child.stdout! }).on('line', (text) => {
      const line: Line = JSON.parse(text)
      if (line.log !== undefined) this.logged.push(line.log)
      const index = this.#waiting.findIndex(({ accept }) => accept(line))
      if (index >= 0) this.#waiting.splice(index, 1)[0].resolve(line)
    })
    this.child.once('exit', (code) => {
      for (const { reject } of this.#waiting) reject(new Error(`the server ended with ${code}`))
    })
  }

  /** Starts one and waits until it serves. @throws Error with `code` and the message of what it could not do */
  static async start(options: AskedOptions = {}, env: NodeJS.ProcessEnv = {}): Promise<ServerProcess> {
    const server = new ServerProcess(options, env)
    const line = await server.#next(({ ready, failed }) => ready !== undefined || failed !== undefined)
    if (line.failed) throw Object.assign(new Error(line.failed.message), { code: line.failed.code })
    server.listeners = line.ready!.listeners
    server.port = server.listeners[0].port
    server.startMs = line.ready!.startMs
    return server
  }

  /** Stops it as a supervisor would. */
  async stop(): Promise<{ stats: Stats; stopMs: number; exitCode: number | null }> {
    const exited = once(this.child, 'exit')
    const line = this.#next(({ stats }) => stats !== undefined)
    this.child.kill('SIGTERM')
    const { stats, stopMs } = await line
    const [exitCode] = await exited
    return { stats: stats!, stopMs: stopMs!, exitCode }
  }

  /** CPU, memory and counters so far. */
  async usage(): Promise<Usage> {
    const line = this.#next(({ usage }) => usage !== undefined)
    this.child.kill('SIGUSR2')
    return (await line).usage!
  }

  #next(accept: (line: Line) => boolean): Promise<Line> {
    return new Promise((resolve, reject) => this.#waiting.push({ accept, resolve, reject }))
  }
}

/** Runs paced traffic against a port to its end. */
export async function runTraffic(options: TrafficOptions): Promise<TrafficResult> {
  const child = spawn(process.execPath, [trafficProgram, JSON.stringify(options)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let output = ''
  child.stdout.on('data', (chunk) => {
    output += chunk
  })
  await once(child, 'close')
  return JSON.parse(output)
}
