// The stand-in API server (test/apiserver/main.ts) as a child process: commands to it, one at a time, and what it says.

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { resolve } from 'node:path'
import { createInterface } from 'node:readline'
import type { ChangeReport, Command } from '../../test/apiserver/main.ts'

const PROGRAM = resolve(import.meta.dirname, '../../test/apiserver/main.ts')
const CLOCK_TRIES = 5

/** A command that was done. */
export interface Done {
  readonly atMs: number
  /** CPU time of the stand-in so far. */
  readonly cpuMs: number
  /** resourceVersion of the last change. */
  readonly version: number
  /** `list services` -> how many there were. */
  readonly requests: Readonly<Record<string, number>>
}

/** Milliseconds since 1970, as the stand-in tells them. */
export function wallMs(): number {
  return performance.timeOrigin + performance.now()
}

export class ApiServerProcess {
  readonly #child: ChildProcess
  readonly #waiting: { readonly what: string; readonly resolve: (done: Done) => void }[] = []
  /** Called with each change as it is reported. */
  onChange: (report: ChangeReport) => void = () => {}
  url = ''
  port = 0
  kubeconfig = ''
  /** Of the stand-in's clock against ours: to be taken from its times. */
  #clockOffsetMs = 0

  private constructor(args: readonly string[]) {
    // Profiles are of the server.
    const { NODE_OPTIONS: _, ...env } = process.env
    this.#child = spawn(process.execPath, [PROGRAM, ...args], { stdio: ['pipe', 'pipe', 'inherit'], env })
  }

  /** Generates a cluster and listens. */
  static async start(services: number, endpointsPerService: number): Promise<ApiServerProcess> {
    const args = ['--services', String(services), '--endpoints', String(endpointsPerService)]
    const server = new ApiServerProcess(args)
    await server.#listening()
    await server.#setClock()
    return server
  }

  /** Does one thing; `changes` go on while others are done. */
  send(command: Command): Promise<Done> {
    return new Promise((resolve) => {
      this.#waiting.push({ what: command.do, resolve })
      this.#child.stdin!.write(`${JSON.stringify(command)}\n`)
    })
  }

  async close(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    const ended = once(this.#child, 'exit')
    this.#child.stdin!.end()
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), 3000)
    await ended
    clearTimeout(timer)
  }

  async #listening(): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#child.once('exit', (code) => reject(new Error(`the API server ended with ${code}`)))
      createInterface({ input: this.#child.stdout! }).on('line', (line) => {
        const event = JSON.parse(line)
        if (event.event === 'listening') {
          Object.assign(this, { url: event.url, port: event.port, kubeconfig: event.kubeconfig })
          resolve()
        } else if (event.event === 'change') this.onChange({ ...event, atMs: event.atMs - this.#clockOffsetMs })
        else if (event.event === 'done') this.#done({ ...event, atMs: event.atMs - this.#clockOffsetMs })
      })
    })
  }

  #done(done: Done & { readonly do: string }): void {
    const at = this.#waiting.findIndex(({ what }) => what === done.do)
    if (at >= 0) this.#waiting.splice(at, 1)[0].resolve(done)
  }

  /** Two processes' wall clocks drift apart when the system's is set: the quickest answer of a few says by how much. */
  async #setClock(): Promise<void> {
    let bestMs = Number.POSITIVE_INFINITY
    let offsetMs = 0
    for (let i = 0; i < CLOCK_TRIES; i++) {
      const sentMs = wallMs()
      const { atMs } = await this.send({ do: 'stats' })
      const tookMs = wallMs() - sentMs
      if (tookMs >= bestMs) continue
      bestMs = tookMs
      offsetMs = atMs - sentMs - tookMs / 2
    }
    this.#clockOffsetMs = offsetMs
  }
}
