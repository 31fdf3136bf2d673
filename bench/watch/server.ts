// The server under test as a child process: when it was ready, when it first answered, what it uses, what it says.

import { type ChildProcess, spawn } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { encodeQuery } from '../../src/load/queries/wire-query.ts'
import { isRight } from './answer.ts'
import type { Expected } from './names.ts'

const children = new Set<ChildProcess>()
process.once('exit', () => {
  for (const child of children) child.kill('SIGKILL')
})

const LOOP_DELAY = resolve(import.meta.dirname, 'loop-delay.ts')
const STOP_MS = 30_000
const CHECK_MS = 2

export interface ServerOptions {
  readonly launcher: string
  readonly kubeconfig: string
  readonly port: number
  readonly workers: number
  /** 'off' for none. */
  readonly stateDir: string
  readonly streamingLists: boolean
  /** Whether `longestDelay` is to work. It costs a few milliseconds at the start. */
  readonly watchesLoop: boolean
  /** Folder for CPU profiles, '' for none. */
  readonly profiles: string
}

/** Milliseconds. */
export interface Delays {
  readonly delayMs: number
  /** The longest collection of garbage. */
  readonly collectionMs: number
}

export class ServerProcess {
  readonly child: ChildProcess
  readonly port: number
  readonly startedMs = performance.now()
  readonly #lines: { readonly line: string; readonly atMs: number }[] = []
  #rest = ''
  /** Called with each line as it comes. */
  onLine: (line: string) => void = () => {}

  constructor(options: ServerOptions) {
    this.port = options.port
    const args = ['serve', '--kubeconfig', options.kubeconfig, '--listen', '127.0.0.1']
    args.push('-dns.port', String(options.port), '--workers', String(options.workers), '--state-dir', options.stateDir)
    args.push('--streaming-lists', options.streamingLists ? 'on' : 'off', '--audit-interval', '0')
    const env = { ...process.env, NODE_OPTIONS: nodeOptions(options) }
    this.child = spawn(options.launcher, args, { stdio: ['ignore', 'pipe', 'pipe'], env })
    children.add(this.child)
    this.child.once('exit', () => children.delete(this.child))
    for (const stream of [this.child.stdout!, this.child.stderr!]) {
      stream.setEncoding('utf8').on('data', (text: string) => this.#hear(text))
    }
  }

  get pid(): number {
    return this.child.pid!
  }

  get isAlive(): boolean {
    return this.child.exitCode === null && this.child.signalCode === null
  }

  /** Milliseconds from the start until it said `ready`. @throws Error with what it said if it does not */
  ready(limitMs: number): Promise<number> {
    return this.said(/^ready$/, limitMs)
  }

  /** Milliseconds from the start until it said such a line. @throws Error with what it said if it does not */
  async said(pattern: RegExp, limitMs: number, fromLine = 0): Promise<number> {
    const end = performance.now() + limitMs
    while (performance.now() < end && this.isAlive) {
      const found = this.#lines.slice(fromLine).find(({ line }) => pattern.test(line))
      if (found !== undefined) return found.atMs - this.startedMs
      await sleep(CHECK_MS)
    }
    throw new Error(`the server has not said ${pattern} within ${limitMs} ms:\n${this.text}`)
  }

  /** Lines so far. */
  get lineCount(): number {
    return this.#lines.length
  }

  get text(): string {
    return this.#lines.map(({ line }) => line).join('\n')
  }

  /**
   * Asks from now on every few milliseconds until the answer is right.
   *
   * @returns milliseconds from the start until it was
   */
  firstAnswer(expected: Expected, limitMs: number): Promise<number> {
    const query = encodeQuery(expected.qname, 'A')
    const socket = createSocket('udp4')
    return new Promise((resolve, reject) => {
      const finish = (settle: () => void) => {
        clearInterval(asking)
        clearTimeout(limit)
        socket.close()
        settle()
      }
      const asking = setInterval(() => socket.send(query, this.port, '127.0.0.1'), CHECK_MS)
      const limit = setTimeout(() => finish(() => reject(new Error(`no right answer:\n${this.text}`))), limitMs)
      socket.on('error', () => {})
      socket.on('message', (message) => {
        const atMs = performance.now()
        if (isRight(message, message.length, expected)) finish(() => resolve(atMs - this.startedMs))
      })
    })
  }

  /** What has kept the writer from its event loop at the longest, since this was last asked. */
  async longestDelay(): Promise<Delays> {
    const from = this.lineCount
    this.child.kill('SIGUSR2')
    await this.said(/^loop-delay /, STOP_MS, from)
    const said = this.#lines.slice(from).find(({ line }) => line.startsWith('loop-delay '))
    const [, delayMs, collectionMs] = said!.line.split(' ').map(Number)
    return { delayMs, collectionMs }
  }

  /** SIGTERM; SIGKILL if that takes too long. */
  async stop(): Promise<void> {
    if (!this.isAlive) return
    const ended = once(this.child, 'exit')
    this.child.kill('SIGTERM')
    const timer = setTimeout(() => this.child.kill('SIGKILL'), STOP_MS)
    await ended
    clearTimeout(timer)
  }

  #hear(text: string): void {
    const atMs = performance.now()
    const lines = (this.#rest + text).split('\n')
    this.#rest = lines.pop()!
    for (const line of lines) {
      this.#lines.push({ line, atMs })
      this.onLine(line)
    }
  }
}

/** A port of 127.0.0.1 that is free now. */
export async function freePort(): Promise<number> {
  const socket = createSocket('udp4').bind(0, '127.0.0.1')
  await once(socket, 'listening')
  const { port } = socket.address()
  socket.close()
  return port
}

function nodeOptions({ watchesLoop, profiles }: ServerOptions): string {
  const words: string[] = []
  if (watchesLoop) words.push(`--import=${LOOP_DELAY}`)
  if (profiles !== '') words.push('--cpu-prof', `--cpu-prof-dir=${resolve(profiles)}`)
  return words.join(' ')
}
