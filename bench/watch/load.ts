// The threads that ask: a steady load, by the load tester's engine, and the probes of changes (probe-thread.ts).

import { setTimeout as sleep } from 'node:timers/promises'
import { MessageChannel, Worker } from 'node:worker_threads'
import type { Histogram } from '../../src/load/histogram.ts'
import type { RunResult } from '../../src/load/run.ts'
import { LoadSession, type Sample } from '../../src/load/session.ts'
import type { ChangeReport } from '../../test/apiserver/main.ts'
import { localRun } from '../local-run.ts'
import { tableOf } from '../serve/queries.ts'
import { isRight } from './answer.ts'
import { changedName, type Expected } from './names.ts'
import type { Probe, ProbeData, Probed } from './probe-thread.ts'

/** What a steady load came to. */
export interface LoadResult {
  readonly sent: number
  readonly lost: number
  readonly wrong: number
  /** What was wrong first, '' if nothing was. */
  readonly example: string
  /** From when each query was sent. */
  readonly latency: Histogram
}

/** Loading a thread, and the first answers of a server to somebody new, are no part of what is measured. */
const WARM_MS = 300

const SOCKETS = 16
/** It is ended by word. */
const LONGEST_MS = 3_600_000
/** The thread shares its core, and sleeps. */
const LATE_MS = 10

/** A load that runs: an open loop, so that a server that stops is not spared the queries that come meanwhile. */
export class SteadyLoad {
  readonly #session: LoadSession
  readonly #names: readonly Expected[]
  readonly #end = new AbortController()
  readonly #result: Promise<RunResult>
  #wrong = 0
  #example = ''

  private constructor(session: LoadSession, port: number, names: readonly Expected[], perSecond: number) {
    this.#session = session
    this.#names = names
    const events = { samples: (samples: readonly Sample[]) => this.#check(samples) }
    const spec = localRun(port, {
      schedule: { kind: 'open', rate: perSecond },
      sockets: SOCKETS,
      warmupMs: WARM_MS,
      durationMs: LONGEST_MS,
      lateMs: LATE_MS,
      sleeps: true,
      sampleEvery: 1,
    })
    this.#result = session.run(spec, events, [], this.#end.signal)
    this.#result.catch(() => {})
  }

  /** Resolves when answers count. */
  static async start(port: number, names: readonly Expected[], perSecond: number): Promise<SteadyLoad> {
    const questions = names.map(({ qname }) => ({ qname, qtype: 'A' as const }))
    const session = await LoadSession.start(tableOf(questions), { workers: 1, cores: [] })
    const load = new SteadyLoad(session, port, names, perSecond)
    await sleep(WARM_MS)
    return load
  }

  /** Ends it. */
  async stop(): Promise<LoadResult> {
    this.#end.abort()
    const { sent, lost, rawLatency, own } = await this.#result
    await this.#session.close()
    // What found no room at our own sockets is our loss.
    return {
      sent,
      lost: Math.max(0, lost - own.receiveDrops),
      wrong: this.#wrong,
      example: this.#example,
      latency: rawLatency,
    }
  }

  #check(samples: readonly Sample[]): void {
    for (const { index, response } of samples) {
      const expected = this.#names[index]
      if (isRight(response, response.length, expected)) continue
      this.#wrong++
      this.#example ||= `${expected.qname}: ${Buffer.from(response).toString('hex')}`
    }
  }
}

/** Probes of changes. */
export class Probes {
  readonly #control = new Int32Array(new SharedArrayBuffer(8))
  readonly #channel = new MessageChannel()
  readonly #worker: Worker
  readonly #answered: Probed[] = []
  readonly #ended: Promise<unknown>
  #wake = () => {}
  #followed = 0

  /** @param limitMs  a change that is not in the answers after this time never will be */
  constructor(port: number, limitMs: number) {
    const names = this.#channel.port2
    const workerData: ProbeData = { port, names, control: this.#control, limitMs }
    this.#worker = new Worker(new URL('./probe-thread.ts', import.meta.url), { workerData, transferList: [names] })
    this.#worker.on('message', (probed: Probed) => {
      this.#answered.push(probed)
      this.#wake()
    })
    this.#ended = new Promise((resolve, reject) => {
      this.#worker.once('error', reject)
      this.#worker.once('exit', resolve)
    })
  }

  follow(report: ChangeReport): void {
    const probe: Probe = { expected: changedName(report), changedMs: report.atMs }
    this.#followed++
    this.#channel.port1.postMessage(probe)
    Atomics.add(this.#control, 0, 1)
    Atomics.notify(this.#control, 0)
  }

  /** Resolves when all that were followed so far are answered, or given up. */
  async settled(): Promise<readonly Probed[]> {
    while (this.#answered.length < this.#followed) await new Promise<void>((resolve) => (this.#wake = resolve))
    return this.#answered
  }

  async close(): Promise<void> {
    Atomics.store(this.#control, 1, 1)
    Atomics.notify(this.#control, 0)
    await this.#ended
    this.#channel.port1.close()
  }
}
