// The stream worker: TCP, on Node's event loop, as one endless Piscina task.

import type { ListenOptions } from 'node:net'
import { parentPort, threadId } from 'node:worker_threads'
import { parseAddress } from '../io/addresses.ts'
import { type MessageOrigin, STREAM_LIMITS, type StreamLimits, StreamServer } from '../io/streams.ts'
import type { AnswerSource } from './answer.ts'
import { LATER, type MessagePeers } from './answerer.ts'
import { CallSink } from './call-sink.ts'
import {
  ANSWERED_COUNTER,
  CONNECTIONS_COUNTER,
  ControlBlock,
  RECEIVED_COUNTER,
  REFUSED_COUNTER,
  SILENT_COUNTER,
  STOPPED,
  TIMEOUTS_COUNTER,
  WAITING,
} from './control.ts'
import { collectGarbage, LET_GO, letGo } from './garbage.ts'
import { GuardedAnswerer } from './guard.ts'
import type { Assigned, Later } from './pool.ts'
import { RunningTransfer } from './transfer.ts'

/** What the stream worker is handed. */
export interface StreamTask {
  readonly worker: number
  readonly control: SharedArrayBuffer
  readonly answererModule: string
  readonly limits?: StreamLimits
}

/** What it is to do now. */
export interface StreamAssignment {
  readonly source: AnswerSource
  readonly listeners: readonly StreamListener[]
}

/** Something to listen on. */
export interface StreamListener {
  /** Never used for another address. */
  readonly id: number
  /** Index in AnswerSource.listeners. */
  readonly listener: number
  /** 1 or 0. */
  readonly ipv6: number
  /** In network order. */
  readonly address: Uint8Array
  readonly port: number
  /** A listening descriptor, which is the worker's from now on, or an address to listen on itself; null: it has been given. */
  readonly listen: (ListenOptions & { readonly fd?: number }) | null
}

/** Loads what the task will need, before there is a socket to serve. */
export async function prepare(answererModule: string): Promise<void> {
  await import(answererModule)
}

/** Serves until told to stop; then answers what has arrived, closes everything and returns. */
export default async function serveStreams(task: StreamTask & Assigned<StreamAssignment>): Promise<void> {
  const { port, assignment } = task
  const control = new ControlBlock(task.control, task.worker)
  control.threadId = threadId
  collectGarbage()
  const worker = new StreamWorker(task, control)
  await worker.begin(assignment)
  control.generation = assignment.generation
  control.state = WAITING
  let changing = Promise.resolve()
  port.on('message', (next: Later<StreamAssignment>) => {
    changing = changing.then(async () => {
      if (next === LET_GO) return letGo()
      await worker.change(next)
      control.generation = next.generation
    })
  })
  await control.stopped()
  await changing
  await worker.stop()
  port.close()
  control.state = STOPPED
}

class StreamWorker {
  readonly #task: StreamTask
  readonly #control: ControlBlock
  readonly #server: StreamServer
  #answerer!: GuardedAnswerer
  /** By id; those that are not listened on any more stay for the connections that are left. */
  readonly #listeners = new Map<number, StreamListener>()
  readonly #transfers = new Set<RunningTransfer>()
  #origin: MessageOrigin | undefined
  #sink: CallSink | null = null
  readonly #peers = { readPeers: (into: MessagePeers) => this.#readPeers(into) }

  constructor(task: StreamTask, control: ControlBlock) {
    this.#task = task
    this.#control = control
    const events = {
      accepted: () => control.add(CONNECTIONS_COUNTER, 1),
      refused: () => control.add(REFUSED_COUNTER, 1),
      timedOut: () => control.add(TIMEOUTS_COUNTER, 1),
      message: (answered: boolean) => {
        control.add(RECEIVED_COUNTER, 1)
        control.add(answered ? ANSWERED_COUNTER : SILENT_COUNTER, 1)
      },
    }
    this.#server = new StreamServer((...message) => this.#answer(...message), events, task.limits ?? STREAM_LIMITS)
  }

  async begin(assignment: StreamAssignment): Promise<void> {
    const { answererModule, worker } = this.#task
    this.#answerer = await GuardedAnswerer.load(answererModule, assignment.source, worker, this.#control, this.#peers)
    this.#useSink(assignment.source)
    await this.#listen(assignment)
  }

  async change(assignment: StreamAssignment): Promise<void> {
    // What is served no more is answered as before, and first: the new configuration knows nothing of it.
    const wanted = new Set(assignment.listeners.map(({ id }) => id))
    const gone = this.#server.listening.filter((id) => !wanted.has(id))
    await Promise.all(gone.map((id) => this.#server.unlisten(id)))
    await this.#answerer.change(this.#task.answererModule, assignment.source)
    this.#useSink(assignment.source)
    // Their counters and log are those of the source before, which the main thread reads for the last time soon.
    this.#accountTransfers()
    await this.#listen(assignment)
  }

  async stop(): Promise<void> {
    await this.#server.stop()
    this.#sink?.close()
    this.#accountTransfers()
  }

  /** Once there is a resolver thread, there is one for good. */
  #useSink({ waiting }: AnswerSource): void {
    if (waiting === undefined) return
    this.#sink ??= new CallSink(waiting.channel, this.#task.worker, true, this.#peers)
    this.#answerer.setMisses(this.#sink)
  }

  async #listen({ listeners, source }: StreamAssignment): Promise<void> {
    const wanted = new Set(listeners.map(({ id }) => id))
    for (const [id, before] of this.#listeners) {
      // A connection that is still being sent something may have asked more: some listener has to answer.
      if (!wanted.has(id))
        this.#listeners.set(id, { ...before, listener: Math.min(before.listener, source.listeners.length - 1) })
    }
    for (const listener of listeners) {
      this.#listeners.set(listener.id, listener)
      if (listener.listen === null || this.#server.listening.includes(listener.id)) continue
      await this.#server.listen(listener.listen, listener.id)
    }
  }

  #answer(
    packet: Uint8Array,
    start: number,
    length: number,
    capacity: number,
    origin: MessageOrigin,
  ): number | Promise<Uint8Array | null> | AsyncIterable<Uint8Array> {
    this.#origin = origin
    const { listener, ipv6 } = this.#listeners.get(origin.id)!
    const sink = this.#sink
    if (sink !== null) sink.ipv6 = ipv6
    const answer = this.#answerer.answer(packet, start, length, capacity, true, listener, ipv6)
    if (answer !== LATER) return answer
    return sink?.take() ?? this.#transfer(new RunningTransfer(this.#answerer.takeTransfer()!))
  }

  async *#transfer(transfer: RunningTransfer): AsyncGenerator<Uint8Array, void, void> {
    this.#transfers.add(transfer)
    try {
      yield* transfer.messages((call, ports) => parentPort!.postMessage(call, ports))
    } finally {
      this.#transfers.delete(transfer)
    }
  }

  #accountTransfers(): void {
    for (const transfer of this.#transfers) transfer.account()
  }

  #readPeers(into: MessagePeers): void {
    if (this.#origin === undefined) return
    const { id, socket } = this.#origin
    const { address, port } = this.#listeners.get(id)!
    const client = parseAddress(socket.remoteAddress ?? '')?.octets ?? NO_ADDRESS
    const local = parseAddress(socket.localAddress ?? '')?.octets ?? address
    into.client.set(client)
    into.clientLength = client.length
    into.clientPort = socket.remotePort ?? 0
    into.local.set(local)
    into.localLength = local.length
    into.localPort = port
  }
}

const NO_ADDRESS = new Uint8Array(4)
