// The portable query worker: datagrams through node:dgram, for platforms without the system calls of the batched one.
//
// Same answerer, same octets, a fraction of the speed. Its sockets are its own, so its death loses what they held.

import { createSocket, type RemoteInfo, type Socket } from 'node:dgram'
import { threadId } from 'node:worker_threads'
import type { AnswerSource } from './answer.ts'
import {
  ANSWERED_COUNTER,
  ControlBlock,
  RECEIVED_COUNTER,
  SEND_ERRORS_COUNTER,
  SILENT_COUNTER,
  STOPPED,
  WAITING,
} from './control.ts'
import { GuardedAnswerer } from './guard.ts'

/** What a portable query worker is handed. */
export interface DatagramTask {
  readonly worker: number
  readonly control: SharedArrayBuffer
  readonly listen: readonly DatagramAddress[]
  readonly answererModule: string
  readonly source: AnswerSource
}

/** Where to listen. */
export interface DatagramAddress {
  readonly address: string
  readonly family: 4 | 6
  readonly port: number
  /** Whether other sockets, of other workers or another process, share the port. */
  readonly shared: boolean
  readonly receiveBufferBytes: number
}

/** As in a slab: the octets a datagram may have, and an answer. */
const PACKET_CAPACITY = 4096
const QUIET_MS = 20

/** Opens and binds a datagram socket. @throws the system's error, with its code; nothing stays open */
export async function openDatagramSocket(where: DatagramAddress): Promise<Socket> {
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
export default async function serveDatagrams(task: DatagramTask): Promise<void> {
  const control = new ControlBlock(task.control, task.worker)
  control.threadId = threadId
  const answerer = await GuardedAnswerer.load(task.answererModule, task.source, task.worker, control)
  const sockets = await Promise.all(task.listen.map(openDatagramSocket))
  for (const socket of sockets) {
    socket.on('error', () => control.add(SEND_ERRORS_COUNTER, 1))
    socket.on('message', (query, peer) => answerOne(socket, query, peer, answerer, control))
  }
  control.state = WAITING
  await control.stopped()
  await new Promise((resolve) => setTimeout(resolve, QUIET_MS))
  await Promise.all(sockets.map((socket) => new Promise<void>((resolve) => socket.close(resolve))))
  control.state = STOPPED
}

function answerOne(
  socket: Socket,
  query: Buffer,
  peer: RemoteInfo,
  answerer: GuardedAnswerer,
  control: ControlBlock,
): void {
  control.add(RECEIVED_COUNTER, 1)
  // A buffer of its own: sending is not done when `send` returns.
  const packet = Buffer.allocUnsafe(PACKET_CAPACITY)
  query.copy(packet)
  const length =
    query.length > PACKET_CAPACITY
      ? answerer.malformed(packet, 0, PACKET_CAPACITY)
      : answerer.answer(packet, 0, query.length, PACKET_CAPACITY, false)
  if (length <= 0 || length > PACKET_CAPACITY || peer.port === 0) {
    control.add(SILENT_COUNTER, 1)
    return
  }
  socket.send(packet, 0, length, peer.port, peer.address, (error) => {
    control.add(error ? SEND_ERRORS_COUNTER : ANSWERED_COUNTER, 1)
  })
}
