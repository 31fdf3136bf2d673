// Serving, assembled: a transport, its workers, and how to stop them.

import { SUPPORTED } from '../io/layouts.ts'
import type { LoopPass } from '../plugins/loop.ts'
import type { AnswerSource } from './answer.ts'
import { ControlBlock, type Counters, createControl } from './control.ts'
import { WorkerPool } from './pool.ts'
import { Resolving } from './resolving.ts'
import type { TransferCall } from './transfer.ts'
import type { Bind, Listener, ServeOptions, Transport, TransportKind, TransportTask } from './transport.ts'

export type { Bind, Listener, ServeOptions } from './transport.ts'

/** What waits for upstreams is answered within 5 s. */
const WAITING_STOP_MS = 6000

const STREAM_MODULE = new URL('./stream.ts', import.meta.url).href

/** What one worker has done since the start, its predecessors included. */
export interface WorkerStats extends Counters {
  /** Times it was replaced. */
  readonly crashes: number
  /** Datagrams the kernel dropped because its receive buffers were full. */
  readonly receiveQueueDrops: number
}

/** A running server. */
export interface Serving {
  readonly transport: 'io' | 'dgram'
  readonly listeners: readonly Listener[]
  /**
   * Serves `binds` out of `source` from now on: what stays keeps its sockets, so that no query is lost. Settles when every worker has
   * changed over, and nobody uses the source before any more. One at a time. @throws ListenError; everything is then as before
   */
  change(binds: readonly Bind[], source: AnswerSource): Promise<void>
  /** Memory that only earlier sources had is given back, one thread after another. */
  letGo(): Promise<void>
  /** Answers what has arrived, then closes everything: well under a second. Once is enough. */
  stop(): Promise<void>
  /** Counters, read now. */
  stats(): {
    readonly query: readonly WorkerStats[]
    readonly stream: WorkerStats
    readonly resolver: { readonly crashes: number }
    /** Exceptions while answering that cost one query each, and no worker. */
    readonly failures: number
  }
}

/**
 * Binds, starts the workers, and returns once all of them serve.
 *
 * Reader indexes given to answerers: query worker i has i, the stream worker has `options.workers`, the resolver worker one more.
 *
 * @param meanwhile  work of the main thread that must be done before queries come, while the threads are starting
 * @throws ListenError for an address that cannot be had; what a worker threw if it cannot start; what `meanwhile` threw. Nothing
 *   stays open
 */
export async function startServing(options: ServeOptions, meanwhile?: () => void): Promise<Serving> {
  const answererModule = options.answererModule ?? new URL('./answer.ts', import.meta.url).href
  const control = createControl(options.workers + 2)
  const kind = await chooseTransport(options)
  const take = (message: object): void => {
    if ('transfer' in message) transfer(message as TransferCall, options.onTransfer)
    else if ('loop' in message) options.onLoopPass?.(message as LoopPass)
    else if ('forwardLog' in message) options.log((message as ForwardLog).forwardLog)
  }
  const query = new WorkerPool(kind.queryModule, options.workers, options.log, take)
  const stream = new WorkerPool(STREAM_MODULE, 1, options.log, take)
  const pools = [query, stream]
  let transport: Transport | undefined
  const resolving = new Resolving({
    workers: options.workers,
    events: kind.events,
    control,
    log: options.log,
    take,
    place: () => transport!.resolverPlace(),
  })
  const answerSource = resolving.stamp(options.answerSource)
  try {
    // Threads first, sockets second: beside an older process that serves the same address, the kernel sends us our
    // share from the moment we bind.
    const warmed = Promise.all([...pools.map((pool) => pool.warm(answererModule)), resolving.warm(answerSource)])
    // A thread needs a moment before it asks for work: what blocks this one does not hold the others up.
    await new Promise((resolve) => setImmediate(resolve))
    try {
      meanwhile?.()
    } finally {
      await warmed
    }
    transport = await kind.open({ ...options, answererModule, answerSource }, control)
    query.start(transport.queryTasks.map((task, worker) => poolWorker(`query worker ${worker}`, task, control, worker)))
    stream.start([poolWorker('stream worker', transport.streamTask, control, options.workers)])
    await Promise.all([...pools.map((pool) => pool.ready()), resolving.change(answerSource)])
  } catch (error) {
    await stopAll(transport, query, stream, resolving)
    throw error
  }
  return running(options, transport, query, stream, resolving, control)
}

function running(
  options: ServeOptions,
  transport: Transport,
  query: WorkerPool,
  stream: WorkerPool,
  resolving: Resolving,
  control: SharedArrayBuffer,
): Serving {
  const blocks = Array.from({ length: options.workers + 1 }, (_, worker) => new ControlBlock(control, worker))
  const stats = (worker: number, crashes: number): WorkerStats => ({
    ...blocks[worker].counters(),
    crashes,
    receiveQueueDrops: worker < options.workers ? transport.receiveQueueDrops(worker) : 0,
  })
  let stopped: Promise<void> | undefined
  return {
    transport: transport.name,
    get listeners() {
      return transport.listeners
    },
    change: async (binds, source) => {
      const stamped = resolving.stamp(source)
      const closeOld = await transport.change(binds, stamped)
      // First who is asked, then those who ask.
      await resolving.change(stamped)
      await Promise.all([query.reassign(), stream.reassign()])
      resolving.retire()
      closeOld()
    },
    letGo: async () => {
      await query.letGo()
      await stream.letGo()
      await resolving.letGo()
    },
    stop: () => {
      stopped ??= stopAll(transport, query, stream, resolving)
      return stopped
    },
    stats: () => ({
      query: transport.queryTasks.map((_, worker) => stats(worker, query.crashes(worker))),
      stream: stats(options.workers, stream.crashes(0)),
      resolver: { crashes: resolving.crashes },
      failures: query.failures + stream.failures + resolving.failures,
    }),
  }
}

/** A line about upstreams, from the resolver thread. */
interface ForwardLog {
  readonly forwardLog: string
}

/** Whoever has no zones to give ends it at once: the client's connection is reset. */
function transfer(call: TransferCall, onTransfer: ServeOptions['onTransfer']): void {
  if (onTransfer === undefined) call.port.close()
  else onTransfer(call)
}

function poolWorker(label: string, task: TransportTask, control: SharedArrayBuffer, worker: number) {
  return { label, ...task, control: new ControlBlock(control, worker) }
}

async function stopAll(
  transport: Transport | undefined,
  query: WorkerPool,
  stream: WorkerPool,
  resolving: Resolving,
): Promise<void> {
  transport?.quiesce()
  if (resolving.isRunning) {
    // What came over UDP waits with the resolver, or with its worker where only that can send; over TCP, the connection waits too.
    await query.stop(transport?.name === 'dgram' ? WAITING_STOP_MS : undefined)
    await resolving.stop()
    await stream.stop()
  } else {
    await Promise.all([query.stop(), stream.stop()])
  }
  transport?.close()
}

// The batched transport is loaded only where it is used: the portable one must work without koffi.
async function chooseTransport(options: ServeOptions): Promise<TransportKind> {
  if (options.transport !== 'dgram') {
    try {
      if (!SUPPORTED) throw new Error(`not made for ${process.platform} on ${process.arch}`)
      return (await import('./batched.ts')).batched
    } catch (error) {
      if (options.transport === 'io') throw error
      options.log(
        `batched system calls are not to be had (${(error as Error).message}): serving through node:dgram, slower`,
      )
    }
  }
  return (await import('./portable.ts')).portable
}
