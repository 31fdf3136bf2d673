// Starts and ends the threads that ask: the steady load (load-thread.ts) and the probes of changes (probe-thread.ts).

import { setTimeout as sleep } from 'node:timers/promises'
import { MessageChannel, Worker } from 'node:worker_threads'
import type { ChangeReport } from '../../test/apiserver/main.ts'
import type { LoadData, LoadResult } from './load-thread.ts'
import { changedName, type Expected } from './names.ts'
import type { Probe, ProbeData, Probed } from './probe-thread.ts'

/** Loading a thread, and the first answers of a server to somebody new, are no part of what is measured. */
const WARM_MS = 300

/** A load that runs. */
export class SteadyLoad {
  readonly #control = new Int32Array(new SharedArrayBuffer(4))
  readonly #result: Promise<LoadResult>

  private constructor(data: Omit<LoadData, 'control'>) {
    const workerData: LoadData = { ...data, control: this.#control }
    this.#result = resultOf(new Worker(new URL('./load-thread.ts', import.meta.url), { workerData }))
  }

  /** Resolves when answers count. */
  static async start(port: number, names: readonly Expected[], perSecond: number): Promise<SteadyLoad> {
    const load = new SteadyLoad({ port, names, perSecond })
    await sleep(WARM_MS)
    Atomics.store(load.#control, 0, 1)
    return load
  }

  /** Ends it. */
  stop(): Promise<LoadResult> {
    Atomics.store(this.#control, 0, 2)
    return this.#result
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

function resultOf<Result>(worker: Worker): Promise<Result> {
  return new Promise((resolve, reject) => {
    worker.once('message', resolve)
    worker.once('error', reject)
    worker.once('exit', (code) => reject(new Error(`a thread ended with ${code}`)))
  })
}
