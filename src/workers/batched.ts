// The batched transport, as the main thread sees it: it owns every descriptor and every slab, and lends them to workers.

import { closeDescriptor, duplicate, openEvent } from '../io/libc.ts'
import { isDispensable, ListenError } from '../io/listening.ts'
import { mapSlab, type SlabPlace, unmapSlab } from '../io/slab.ts'
import { type BoundAddress, bindAddress, closeBound, quiesceSocket, receiveQueueDrops, wake } from '../io/sockets.ts'
import type { QueryTask } from './query.ts'
import type { StreamTask } from './stream.ts'
import type { Listener, TransportKind, TransportTask } from './transport.ts'

interface Station {
  readonly slab: SlabPlace
  readonly event: number
  readonly sockets: readonly number[]
}

// Binds the addresses and makes a slab and an eventfd for each worker. Throws ListenError, SystemError.
const open: TransportKind['open'] = async (options, control) => {
  const bound = bindAll(options.addresses, options.port, options.workers, options.receiveBufferBytes, options.log)
  const stations = Array.from({ length: options.workers }, (_, worker) =>
    openStation(bound.map(({ datagramSockets }) => datagramSockets[worker])),
  )
  const { answererModule, answerSource: source } = options
  const queryTasks = stations.map((station, worker): TransportTask => {
    const task: QueryTask = { worker, control, ...station, answererModule, source }
    return { task, wake: () => wake(station.event) }
  })
  const streamTask: Omit<StreamTask, 'listen'> = { worker: options.workers, control, answererModule, source }
  const dropsOf = (worker: number) =>
    bound.reduce((sum, { datagramSockets }) => sum + receiveQueueDrops(datagramSockets[worker]), 0)
  // A closed descriptor may be anyone's: the last count is taken before.
  let dropsAtClose: number[] | undefined
  return {
    name: 'io',
    listeners: bound.map(
      ({ address, port, receiveBufferBytes }): Listener => ({ address: address.text, port, receiveBufferBytes }),
    ),
    queryTasks,
    streamTask: {
      task: streamTask,
      // Node closes what it listens on when a thread ends: each life of the worker gets descriptors of its own.
      fresh: () => ({ listen: bound.map(({ listener }) => ({ fd: duplicate(listener) })) }),
    },
    receiveQueueDrops: (worker) => dropsAtClose?.[worker] ?? dropsOf(worker),
    quiesce() {
      for (const { datagramSockets, address } of bound) {
        for (const socket of datagramSockets) quiesceSocket(socket, address)
      }
    },
    close() {
      dropsAtClose = stations.map((_, worker) => dropsOf(worker))
      bound.forEach(closeBound)
      stations.forEach(closeStation)
    },
  }
}

/** Linux's batched system calls. */
export const batched: TransportKind = { queryModule: new URL('./query.ts', import.meta.url).href, open }

function bindAll(
  addresses: readonly string[],
  port: number,
  workers: number,
  receiveBufferBytes: number,
  log: (line: string) => void,
): BoundAddress[] {
  const bound: BoundAddress[] = []
  try {
    for (const address of addresses) {
      try {
        bound.push(bindAddress(address, bound[0]?.port ?? port, workers, receiveBufferBytes))
      } catch (error) {
        if (!(error instanceof ListenError && isDispensable(address, error.code, addresses))) throw error
        log(`${error.message}; going on without it`)
      }
    }
    return bound
  } catch (error) {
    bound.forEach(closeBound)
    throw error
  }
}

function openStation(sockets: readonly number[]): Station {
  return { slab: mapSlab(), event: openEvent(), sockets }
}

function closeStation(station: Station): void {
  closeDescriptor(station.event)
  unmapSlab(station.slab)
}
