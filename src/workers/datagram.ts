// The portable query worker: datagrams through node:dgram, for platforms without the system calls of the batched one.
//
// Same answerer, same octets, a fraction of the speed. Its sockets are its own, so its death loses what they held.

import { createSocket, type RemoteInfo, type Socket } from 'node:dgram'
import { threadId } from 'node:worker_threads'
import { parseAddress } from '../io/addresses.ts'
import type { AnswerSource } from './answer.ts'
import { LATER, type MessagePeers, type PeerReader } from './answerer.ts'
import { CallSink } from './call-sink.ts'
import {
  ANSWERED_COUNTER,
  ControlBlock,
  RECEIVED_COUNTER,
  SEND_ERRORS_COUNTER,
  SILENT_COUNTER,
  STOPPED,
  WAITING,
} from './control.ts'
import { LET_GO, letGo } from './garbage.ts'
import { GuardedAnswerer } from './guard.ts'
import type { Assigned, Later } from './pool.ts'

/** What a portable query worker is handed. */
export interface DatagramTask {
  readonly worker: number
  readonly control: SharedArrayBuffer
  readonly answererModule: string
}

/** What it is to do now. */
export interface DatagramAssignment {
  readonly source: AnswerSource
  readonly listen: readonly DatagramAddress[]
}

/** Where to listen. */
export interface DatagramAddress {
  readonly address: string
  readonly family: 4 | 6
  readonly port: number
  /** Whether other sockets, of other workers or another process, share the port. */
  readonly shared: boolean
  readonly receiveBufferBytes: number
  /** Never used for another address. */
  readonly id: number
  /** Index in AnswerSource.listeners. */
  readonly listener: number
}

/** As in a slab: the octets a datagram may have, and an answer. */
const PACKET_CAPACITY = 4096
const QUIET_MS = 20

/** Opens and binds a datagram socket. @throws the system's error, with its code; nothing stays open */
export async function openDatagramSocket(where: Omit<DatagramAddress, 'id' | 'listener'>): Promise<Socket> {
  const socket = createSocket({
    type: where.family === 4 ? 'udp4' : 'udp6',
    ipv6Only: where.family === 6,
    reusePort: where.shared,
  })
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once('error', reject)
      socket.bind(where.port, where.address, () => {
        socket.off('error', reject)
        resolve()
      })
    })
  } catch (error) {
    socket.close()
    throw error
  }
  try {
    socket.setRecvBufferSize(where.receiveBufferBytes)
  } catch {
    // Over the system's limit: what it has by default must do.
  }
  return socket
}

/** Loads what the task will need, before there is a socket to serve. */
export async function prepare(answererModule: string): Promise<void> {
  await import(answererModule)
}

/** Serves until told to stop; then answers what has arrived and returns. */
export default async function serveDatagrams(task: DatagramTask & Assigned<DatagramAssignment>): Promise<void> {
  const control = new ControlBlock(task.control, task.worker)
  control.threadId = threadId
  const server = await DatagramServer.open(task, control)
  control.generation = task.assignment.generation
  control.state = WAITING
  const changes = new Sequence()
  task.port.on('message', (assignment: Later<DatagramAssignment>) => {
    changes.add(async () => {
      if (assignment === LET_GO) return letGo()
      await server.change(assignment)
      control.generation = assignment.generation
    })
  })
  await control.stopped()
  await changes.done
  await new Promise((resolve) => setTimeout(resolve, QUIET_MS))
  await server.close()
  task.port.close()
  control.state = STOPPED
}

/** One after another. */
class Sequence {
  done: Promise<void> = Promise.resolve()
  add(work: () => Promise<void>): void {
    this.done = this.done.then(work)
  }
}

class DatagramServer {
  readonly #module: string
  readonly #control: ControlBlock
  readonly #answerer: GuardedAnswerer
  readonly #worker: number
  readonly #peers: PeerReader
  #sink: CallSink | null = null
  readonly #sockets = new Map<number, Socket>()
  /** Not listened on any more, but answers leave by them. */
  readonly #leaving = new Set<Socket>()
  /** By id: what is served there, and its own address. */
  #listen = new Map<number, DatagramAddress>()
  #peer: RemoteInfo | undefined
  #where: DatagramAddress | undefined

  static async open(task: DatagramTask & Assigned<DatagramAssignment>, control: ControlBlock): Promise<DatagramServer> {
    const { answererModule, assignment, worker } = task
    const asked = { readPeers: (into: MessagePeers) => server.readPeers(into) }
    const answerer = await GuardedAnswerer.load(answererModule, assignment.source, worker, control, asked)
    const server = new DatagramServer(answererModule, control, answerer, worker, asked)
    server.#useSink(assignment.source)
    await server.#listenOn(assignment)
    return server
  }

  constructor(module: string, control: ControlBlock, answerer: GuardedAnswerer, worker: number, peers: PeerReader) {
    this.#worker = worker
    this.#peers = peers
    this.#module = module
    this.#control = control
    this.#answerer = answerer
  }

  async change(assignment: DatagramAssignment): Promise<void> {
    await this.#answerer.change(this.#module, assignment.source)
    this.#useSink(assignment.source)
    await this.#listenOn(assignment)
  }

  #useSink({ waiting }: AnswerSource): void {
    if (waiting === undefined) return
    this.#sink ??= new CallSink(waiting.channel, this.#worker, false, this.#peers)
    this.#answerer.setMisses(this.#sink)
  }

  /** Answers what waits for the resolver thread, then closes. */
  async close(): Promise<void> {
    await this.#sink?.settled()
    this.#sink?.close()
    await Promise.all([...this.#sockets.values()].map(closed))
  }

  readPeers(into: MessagePeers): void {
    if (this.#peer === undefined || this.#where === undefined) return
    const client = parseAddress(this.#peer.address)!.octets
    const local = parseAddress(this.#where.address)!.octets
    into.client.set(client)
    into.clientLength = client.length
    into.clientPort = this.#peer.port
    into.local.set(local)
    into.localLength = local.length
    into.localPort = this.#where.port
  }

  async #listenOn({ listen }: DatagramAssignment): Promise<void> {
    this.#listen = new Map(listen.map((where) => [where.id, where]))
    for (const [id, socket] of this.#sockets) {
      if (this.#listen.has(id)) continue
      this.#sockets.delete(id)
      await this.#leave(socket)
    }
    for (const where of listen) {
      const { id } = where
      if (this.#sockets.has(id)) continue
      const socket = await openDatagramSocket(where)
      this.#sockets.set(id, socket)
      socket.on('error', () => this.#control.add(SEND_ERRORS_COUNTER, 1))
      socket.on('message', (query, peer) => this.#answerOne(socket, id, query, peer))
    }
  }

  /** Closes a socket, when what came by it has been answered; nobody waits for that. */
  async #leave(socket: Socket): Promise<void> {
    const sink = this.#sink
    if (sink === null || sink.count === 0) {
      await closed(socket)
      return
    }
    this.#leaving.add(socket)
    void sink.settled().then(() => {
      this.#leaving.delete(socket)
      socket.close()
    })
  }

  #answerOne(socket: Socket, id: number, query: Buffer, peer: RemoteInfo): void {
    const control = this.#control
    const where = this.#listen.get(id)
    if (where === undefined) return
    control.add(RECEIVED_COUNTER, 1)
    this.#peer = peer
    this.#where = where
    // A buffer of its own: sending is not done when `send` returns.
    const packet = Buffer.allocUnsafe(PACKET_CAPACITY)
    query.copy(packet)
    if (this.#sink !== null) this.#sink.ipv6 = where.family === 6 ? 1 : 0
    const length =
      query.length > PACKET_CAPACITY
        ? this.#answerer.malformed(packet, 0, PACKET_CAPACITY)
        : this.#answerer.answer(
            packet,
            0,
            query.length,
            PACKET_CAPACITY,
            false,
            where.listener,
            where.family === 6 ? 1 : 0,
          )
    if (length === LATER) {
      void this.#sink?.take()?.then((answer) => {
        if (answer === null) control.add(SILENT_COUNTER, 1)
        else this.#send(socket, answer, answer.length, peer)
      })
      return
    }
    if (length <= 0 || length > PACKET_CAPACITY || peer.port === 0) {
      control.add(SILENT_COUNTER, 1)
      return
    }
    this.#send(socket, packet, length, peer)
  }

  #send(socket: Socket, packet: Uint8Array, length: number, peer: RemoteInfo): void {
    // While the answer was waited for, the socket may have been closed.
    if (!this.#leaving.has(socket) && ![...this.#sockets.values()].includes(socket)) {
      this.#control.add(SEND_ERRORS_COUNTER, 1)
      return
    }
    socket.send(packet, 0, length, peer.port, peer.address, (error) => {
      this.#control.add(error ? SEND_ERRORS_COUNTER : ANSWERED_COUNTER, 1)
    })
  }
}

function closed(socket: Socket): Promise<void> {
  return new Promise((resolve) => socket.close(() => resolve()))
}
