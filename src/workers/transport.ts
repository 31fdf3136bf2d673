// What the server asks of a transport: the batched one of Linux (batched.ts) or the portable one (portable.ts).

import type { SlabPlace } from '../io/slab.ts'
import type { LoopPass } from '../plugins/loop.ts'
import type { AnswerSource } from './answer.ts'
import type { TransferCall } from './transfer.ts'

/** One address to serve, over UDP and TCP. */
export interface Bind {
  /** IPv4 or IPv6 address as people write it; 0.0.0.0 and :: are every address of the machine. */
  readonly address: string
  /** 1..65535; 0 = any free port, the same for all addresses. */
  readonly port: number
  /** Index in AnswerSource.listeners: what is served there. */
  readonly listener: number
}

/** How to serve. */
export interface ServeOptions {
  readonly binds: readonly Bind[]
  /** Query workers, 1..62. */
  readonly workers: number
  /** `io` = system calls in batches (Linux, koffi), `dgram` = portable, `auto` = the former where it works. */
  readonly transport: 'auto' | 'io' | 'dgram'
  /** Octets of the receive buffer of each datagram socket. */
  readonly receiveBufferBytes: number
  /** Handed to `prepareAnswerer` in every worker. */
  readonly answerSource: AnswerSource
  /** Takes one line at a time. */
  readonly log: (line: string) => void
  /** A client is to get a zone: the messages go through the port (transfer.ts). */
  readonly onTransfer?: (call: TransferCall) => void
  /** A query that the server sent to itself has passed (plugins/loop.ts). */
  readonly onLoopPass?: (pass: LoopPass) => void
  /** URL of the module with `prepareAnswerer`; the server's own unless told otherwise. */
  readonly answererModule?: string
}

/** An address that is served, over UDP and TCP. */
export interface Listener {
  readonly address: string
  readonly port: number
  /** Index in AnswerSource.listeners. */
  readonly listener: number
  /** Octets granted to each receive buffer; 0 = unknown. Linux counts double what it was asked for. */
  readonly receiveBufferBytes: number
}

/** Eventfds, by their descriptors. */
export interface EventCalls {
  open(): number
  wake(event: number): void
  close(event: number): void
}

/** Of the resolver thread: it outlives that. */
export interface ResolverPlace {
  /** What answers are sent from. */
  readonly outbox: SlabPlace
  /** What upstreams' datagrams are received into. */
  readonly inbox: SlabPlace
  /** Descriptors that it has open (io/reactor.ts). */
  readonly open: SharedArrayBuffer
}

/** A task for a pool: see `PoolWorker`. */
export interface TransportTask {
  readonly task: object
  readonly assign: (isFresh: boolean) => object
  readonly wake?: () => void
}

/** Sockets, and the tasks that serve them. */
export interface Transport {
  readonly name: 'io' | 'dgram'
  readonly listeners: readonly Listener[]
  /** One task for each query worker; fewer than asked for where the platform cannot share a port. */
  readonly queryTasks: readonly TransportTask[]
  readonly streamTask: TransportTask
  /** What a thread needs to send from the sockets of others and to have its own watched, null where that cannot be. The same each time. */
  resolverPlace(): ResolverPlace | null
  /** Datagrams the kernel dropped because a worker's receive buffers were full. */
  receiveQueueDrops(worker: number): number
  /**
   * Opens what of `binds` is not open yet: assign() gives the new set from now on, with `source`.
   * @returns closes what is not served any more: to be called when all workers have what assign() gave
   * @throws ListenError; everything is then as before
   */
  change(binds: readonly Bind[], source: AnswerSource): Promise<() => void>
  /** Before the workers are told to stop: new clients are to go elsewhere. */
  quiesce(): void
  /** After the workers have stopped. */
  close(): void
}

/** A way to serve, not begun yet. */
export interface TransportKind {
  /** null: there are none, and no thread can send from the sockets of another. */
  readonly events: EventCalls | null
  /** File URL of the module that query workers run; it exports `prepare` besides the task. */
  readonly queryModule: string
  /** Binds. `answererModule` is settled, `control` has a block for each worker, the stream worker's last. */
  open(options: ServeOptions & { readonly answererModule: string }, control: SharedArrayBuffer): Promise<Transport>
}
