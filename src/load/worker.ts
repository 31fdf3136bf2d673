// A thread of the load: prepares and makes runs as it is told by the session, one at a time.

import { isMainThread, type MessagePort, parentPort, workerData } from 'node:worker_threads'
import type { Loop, LoopParts } from './loop.ts'
import { isBatched, type RunSpec } from './run.ts'
import { SampleBatches } from './samples.ts'
import { paceOf } from './schedule.ts'
import { TableCursor } from './table-cursor.ts'
import { Tally, type WorkerSecond } from './tally.ts'
import {
  monotonicMs,
  type RunTimes,
  type WorkerEnd,
  type WorkerNews,
  type WorkerOrder,
  type WorkerSetting,
} from './worker-run.ts'

class LoadWorker {
  readonly #setting: WorkerSetting
  #prepared: { readonly loop: Loop; readonly parts: LoopParts } | null = null
  #obeyed: Promise<void> = Promise.resolve()

  constructor(setting: WorkerSetting) {
    this.#setting = setting
  }

  /** Does what it is told when it has done what it was told before. */
  take(order: WorkerOrder): void {
    this.#obeyed = this.#obeyed.then(() => this.#obey(order))
  }

  async #obey(order: WorkerOrder): Promise<void> {
    try {
      if (order.kind === 'prepare') await this.#prepare(order.spec)
      else if (order.kind === 'go') await this.#go(order.startMs)
      else this.#leave()
    } catch (error) {
      this.#drop()
      const { message, code } = error as Error & { code?: unknown }
      post({ kind: 'failed', message, code: typeof code === 'string' ? code : '' })
    }
  }

  async #prepare(spec: RunSpec): Promise<void> {
    const { table, worker, workers, control } = this.#setting
    const { schedule, warmupMs, durationMs } = spec
    const parts: LoopParts = {
      spec,
      table,
      cursor: new TableCursor(table, schedule.kind === 'replay', worker, workers, spec.gso),
      pace: paceOf(schedule, warmupMs, durationMs, worker, workers, table.times),
      tally: new Tally(spec.lateMs, postSecond),
      samples: new SampleBatches(spec.sampleEvery, schedule.kind === 'closed', control, worker, (batch, length) =>
        post({ kind: 'samples', batch, length }, [batch.buffer]),
      ),
      control,
      worker,
      workers,
    }
    this.#prepared = { loop: await loopOf(parts), parts }
    post({ kind: 'prepared' })
  }

  async #go(startAtMs: number): Promise<void> {
    if (this.#prepared === null) throw new Error('nothing is prepared')
    const { loop, parts } = this.#prepared
    const { spec, tally, samples } = parts
    const startMs = startAtMs - monotonicMs() + performance.now()
    const fromMs = startMs + spec.warmupMs
    const times: RunTimes = { startMs, fromMs, toMs: fromMs + spec.durationMs }
    tally.begin(times)
    const cpuBefore = process.threadCpuUsage()
    const beganMs = performance.now()
    const endMs = await loop.run(times)
    const finishedMs = performance.now()
    const cpu = process.threadCpuUsage(cpuBefore)
    samples.flush()
    tally.finish(finishedMs)
    const countedMs = Math.max(0, endMs - fromMs)
    const end: WorkerEnd = {
      seconds: countedMs / 1000,
      unsent: loop.unsentBy(endMs),
      unsampled: samples.dropped,
      cpuShare: (cpu.user + cpu.system) / 1000 / (finishedMs - beganMs),
      idleShare: countedMs > 0 ? Math.min(1, loop.idleMs / countedMs) : 0,
      receiveDrops: loop.receiveDrops,
      received: loop.received,
      receives: loop.receives,
    }
    this.#drop()
    post({ kind: 'ended', end })
  }

  #leave(): void {
    this.#drop()
    post({ kind: 'left' })
  }

  #drop(): void {
    this.#prepared?.loop.close()
    this.#prepared = null
  }
}

async function loopOf(parts: LoopParts): Promise<Loop> {
  if (isBatched(parts.spec)) {
    const { UdpLoop } = await import('./udp-loop.ts')
    return new UdpLoop(parts)
  }
  const { StreamLoop } = await import('./stream-loop.ts')
  return await StreamLoop.open(parts)
}

function post(news: WorkerNews, transfer: ArrayBuffer[] = []): void {
  parentPort?.postMessage(news, transfer)
}

function postSecond(second: WorkerSecond): void {
  const { counters, rcodes, latency, rawLatency, lateness } = second
  const arrays = [counters, rcodes, latency, rawLatency, lateness]
  post(
    { kind: 'second', second },
    arrays.map(({ buffer }) => buffer),
  )
}

if (!isMainThread && parentPort !== null && isSetting(workerData)) void begin(workerData, parentPort)

// System calls are loaded when they are needed: the portable way does without.
async function begin(setting: WorkerSetting, port: MessagePort): Promise<void> {
  if (setting.core >= 0) (await import('../io/affinity.ts')).keepOnCore(setting.core)
  const worker = new LoadWorker(setting)
  port.on('message', (order: WorkerOrder) => worker.take(order))
  post({ kind: 'ready' })
}

function isSetting(data: unknown): data is WorkerSetting {
  return typeof data === 'object' && data !== null && 'table' in data && 'control' in data
}
