// The stand-in (stand-in.c) as a process: compiled, started on a core of its own, asked what delays it made.

import { execFileSync } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { join } from 'node:path'
import { type PinnedProcess, startPinned, stop } from '../serve/process.ts'

/** How it answers: `delay` and `serve` in microseconds, `freeze` in milliseconds of each second. */
export interface Manner {
  readonly mode: 'delay' | 'freeze' | 'serve'
  readonly number: number
}

/** What it measured itself, from when the kernel had a query to when its answer was sent. Times are nanoseconds. */
export interface Known {
  readonly count: number
  /** Queries that there was no room for. */
  readonly drops: number
  /** From the first query to the last. */
  readonly span: number
  readonly p0: number
  readonly p50: number
  readonly p90: number
  readonly p95: number
  readonly p99: number
  readonly 'p99.9': number
  readonly p100: number
}

const ADDRESS = '127.0.0.1'
const TRIES = 50
const TRY_MS = 100
/** Sorting what it measured takes a while. */
const TELL_MS = 10_000

/** Compiles it. @returns the program's path */
export function compileStandIn(folder: string): string {
  const program = join(folder, 'stand-in')
  execFileSync('cc', ['-O2', '-o', program, join(import.meta.dirname, 'stand-in.c')])
  return program
}

/** A stand-in that runs. */
export class StandIn {
  readonly process: PinnedProcess
  readonly port: number

  private constructor(process: PinnedProcess, port: number) {
    this.process = process
    this.port = port
  }

  /** @throws Error if it does not answer */
  static async start(program: string, core: number, port: number, { mode, number }: Manner): Promise<StandIn> {
    const command = [program, String(port), mode, String(number)]
    const standIn = new StandIn(startPinned(core, command, `${program}-${mode}-${number}.log`), port)
    for (let tries = 0; tries < TRIES; tries++) {
      if ((await standIn.#ask('RSET', TRY_MS)) !== '') return standIn
    }
    await standIn.stop()
    throw new Error(`the stand-in does not answer (${mode} ${number})`)
  }

  /** From now on it measures anew. Not waited for: it may be frozen. */
  forget(): void {
    void this.#ask('RSET', TELL_MS)
  }

  /** @throws Error if it does not answer */
  async tell(): Promise<Known> {
    const text = await this.#ask('STAT', TELL_MS)
    if (text === '') throw new Error('the stand-in does not tell what it measured')
    return JSON.parse(text)
  }

  stop(): Promise<void> {
    return stop(this.process)
  }

  /** @returns its answer, '' without one in time */
  async #ask(order: string, limitMs: number): Promise<string> {
    const socket = createSocket('udp4')
    try {
      socket.send(order, this.port, ADDRESS)
      const [answer] = await once(socket, 'message', { signal: AbortSignal.timeout(limitMs) })
      return String(answer)
    } catch {
      // Nobody there yet, or no answer in time.
      return ''
    } finally {
      socket.close()
    }
  }
}
