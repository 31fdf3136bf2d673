// The batched transport, as the main thread sees it: it owns every descriptor and every slab, and lends them to workers.

import { closeDescriptor, duplicate, openEvent } from '../io/libc.ts'
import { isDispensable, ListenError } from '../io/listening.ts'
import { REACTOR_SOCKETS_MAX } from '../io/reactor.ts'
import { mapSlab, type SlabPlace, SOCKETS_MAX, unmapSlab } from '../io/slab.ts'
import { type BoundAddress, bindAddress, closeBound, quiesceSocket, receiveQueueDrops, wake } from '../io/sockets.ts'
import type { AnswerSource } from './answer.ts'
import type { QueryAssignment, QueryTask } from './query.ts'
import type { StreamAssignment, StreamListener, StreamTask } from './stream.ts'
import type {
  Bind,
  Listener,
  ResolverPlace,
  ServeOptions,
  Transport,
  TransportKind,
  TransportTask,
} from './transport.ts'

interface Station {
  readonly slab: SlabPlace
  readonly event: number
}

/** An address that is open. */
interface Open extends BoundAddress {
  /** Never used twice. */
  readonly id: number
  readonly bind: Bind
}

// Binds the addresses and makes a slab and an eventfd for each worker. Throws ListenError, SystemError.
const open: TransportKind['open'] = async (options, control) => new BatchedTransport(options, control)

/** Linux's batched system calls. */
export const batched: TransportKind = {
  events: { open: openEvent, wake, close: closeDescriptor },
  queryModule: new URL('./query.ts', import.meta.url).href,
  open,
}

/** A query may wait so long for an upstream: the socket that it came by is closed after that. */
const ANSWERED_LATER_MS = 6000

/** More addresses and ports than a worker can watch. */
export class TooManyListenersError extends Error {
  readonly code = 'TOO_MANY_LISTENERS'

  constructor(count: number) {
    super(`${count} addresses and ports to serve (IPv4 and IPv6 apart): at most ${SOCKETS_MAX}`)
  }
}

class BatchedTransport implements Transport {
  readonly name = 'io'
  readonly queryTasks: readonly TransportTask[]
  readonly streamTask: TransportTask
  readonly #options: ServeOptions
  readonly #stations: readonly Station[]
  #open: readonly Open[]
  #source: AnswerSource
  #lastId = 0
  /** Listeners that the stream worker has in this life of it. */
  #streaming = new Set<number>()
  // A closed descriptor may be anyone's: the last count is taken before.
  readonly #dropsBefore: number[]
  #isClosed = false
  #resolver: ResolverPlace | null = null

  constructor(options: Parameters<TransportKind['open']>[0], control: SharedArrayBuffer) {
    this.#options = options
    this.#source = options.answerSource
    this.#dropsBefore = Array.from({ length: options.workers }, () => 0)
    this.#open = this.#bindAll(options.binds, [])
    const { answererModule } = options
    this.#stations = this.#dropsBefore.map(() => ({ slab: mapSlab(), event: openEvent() }))
    this.queryTasks = this.#stations.map((station, worker): TransportTask => {
      const task: QueryTask = { worker, control, ...station, answererModule }
      return { task, assign: () => this.#assignQueries(worker), wake: () => wake(station.event) }
    })
    const streamTask: StreamTask = { worker: options.workers, control, answererModule }
    this.streamTask = { task: streamTask, assign: (isFresh) => this.#assignStreams(isFresh) }
  }

  get listeners(): readonly Listener[] {
    return this.#open.map(({ address, port, bind, receiveBufferBytes }) => ({
      address: address.text,
      port,
      listener: bind.listener,
      receiveBufferBytes,
    }))
  }

  resolverPlace(): ResolverPlace {
    this.#resolver ??= {
      outbox: mapSlab(),
      inbox: mapSlab(),
      open: new SharedArrayBuffer(REACTOR_SOCKETS_MAX * 4),
    }
    return this.#resolver
  }

  receiveQueueDrops(worker: number): number {
    const now = this.#isClosed ? [] : this.#open
    return now.reduce(
      (sum, { datagramSockets }) => sum + receiveQueueDrops(datagramSockets[worker]),
      this.#dropsBefore[worker],
    )
  }

  async change(binds: readonly Bind[], source: AnswerSource): Promise<() => void> {
    const before = this.#open
    const after = this.#bindAll(binds, before)
    const kept = new Set(after.map(({ id }) => id))
    const gone = before.filter(({ id }) => !kept.has(id))
    this.#open = after
    this.#source = source
    // What is not served any more takes nothing new; what is queued is answered by the workers before they let go.
    gone.forEach(quiesce)
    return () => {
      for (const { listener } of gone) closeDescriptor(listener)
      const close = (): void => {
        for (const each of gone) this.#closeDatagramSockets(each)
      }
      // Answers that are waited for leave by these sockets; nothing new comes to them.
      if (gone.length > 0 && source.waiting !== undefined) setTimeout(close, ANSWERED_LATER_MS).unref()
      else close()
    }
  }

  quiesce(): void {
    this.#open.forEach(quiesce)
  }

  close(): void {
    this.#isClosed = true
    for (const each of this.#open) {
      closeDescriptor(each.listener)
      this.#closeDatagramSockets(each)
    }
    this.#stations.forEach(closeStation)
    if (this.#resolver === null) return
    unmapSlab(this.#resolver.outbox)
    unmapSlab(this.#resolver.inbox)
  }

  #closeDatagramSockets({ datagramSockets }: Open): void {
    datagramSockets.forEach((socket, worker) => {
      this.#dropsBefore[worker] += receiveQueueDrops(socket)
      closeDescriptor(socket)
    })
  }

  #assignQueries(worker: number): QueryAssignment {
    const sockets = this.#open.map(({ datagramSockets, bind, address, port }) => ({
      descriptor: datagramSockets[worker],
      listener: bind.listener,
      ipv6: address.family === 6 ? 1 : 0,
      address: address.octets,
      port,
    }))
    return { source: this.#source, sockets }
  }

  // Node closes what it listens on when a thread ends: each life of the worker gets descriptors of its own.
  #assignStreams(isFresh: boolean): StreamAssignment {
    if (isFresh) this.#streaming = new Set()
    const listeners = this.#open.map(({ id, bind, listener, address, port }): StreamListener => {
      const listen = this.#streaming.has(id) ? null : { fd: duplicate(listener) }
      this.#streaming.add(id)
      return { id, listener: bind.listener, ipv6: address.family === 6 ? 1 : 0, address: address.octets, port, listen }
    })
    return { source: this.#source, listeners }
  }

  /** Everything in `binds`, what of it is in `known` as it is. */
  #bindAll(binds: readonly Bind[], known: readonly Open[]): Open[] {
    const { workers, receiveBufferBytes, log } = this.#options
    if (binds.length > SOCKETS_MAX) throw new TooManyListenersError(binds.length)
    const addresses = binds.map(({ address }) => address)
    const opened: Open[] = []
    const all: Open[] = []
    let chosen = 0
    try {
      for (const bind of binds) {
        const { address, port } = bind
        const old = known.find((each) => each.bind.address === address && each.bind.port === port)
        if (old !== undefined) {
          all.push({ ...old, bind })
          continue
        }
        try {
          const bound = bindAddress(address, port === 0 ? chosen : port, workers, receiveBufferBytes)
          if (port === 0) chosen = bound.port
          const open = { ...bound, id: ++this.#lastId, bind }
          opened.push(open)
          all.push(open)
        } catch (error) {
          if (!(error instanceof ListenError && isDispensable(address, error.code, addresses))) throw error
          log(`${error.message}; going on without it`)
        }
      }
      return all
    } catch (error) {
      opened.forEach(closeBound)
      throw error
    }
  }
}

function quiesce({ datagramSockets, address }: Open): void {
  for (const socket of datagramSockets) quiesceSocket(socket, address)
}

function closeStation(station: Station): void {
  closeDescriptor(station.event)
  unmapSlab(station.slab)
}
