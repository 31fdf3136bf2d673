// A server of one client, that answers what came together with one call, as segments: the kernel puts them into one message again
// for a client that takes several datagrams as one. Some answers are to another question.

import { parentPort, workerData } from 'node:worker_threads'
import { Inbound, Outbound, Watches } from '../../../src/io/datagram-client.ts'
import {
  HEADER_SIZE,
  messageLength,
  NAME_SIZE,
  VECTOR_SIZE,
  writeHeader,
  writeVector,
} from '../../../src/io/layouts.ts'
import {
  connectSocket,
  mapMemory,
  receiveMessages,
  sendMessages,
  unmapMemory,
  viewMemory,
} from '../../../src/io/libc.ts'
import { bindAddress, closeBound } from '../../../src/io/sockets.ts'

/** workerData */
export interface SegmentsSetting {
  /** Queries have so many octets. */
  readonly length: number
  /** Word 0: 1 ends the thread. Word 1: answers with another name. Word 2: answers that left with others. */
  readonly words: Int32Array<SharedArrayBuffer>
}

const BATCH = 32
const CAPACITY = 64
const EVERY = 5
const LOOK_MS = 20
const SOCKADDR_IN_SIZE = 16
const QR = 0x80
const NAME_AT = 13
const NAME_OFFSET = HEADER_SIZE + VECTOR_SIZE
const PACKET_OFFSET = NAME_OFFSET + NAME_SIZE

/** Takes the first query, connects to whoever sent it, and answers. */
function meet(socket: number): void {
  const length = PACKET_OFFSET + CAPACITY
  const memory = mapMemory(length)
  const view = viewMemory(memory, length)
  const words = new Uint32Array(view)
  writeVector(words, HEADER_SIZE / 4, memory + PACKET_OFFSET, CAPACITY)
  writeHeader(words, 0, memory + NAME_OFFSET, NAME_SIZE, memory + HEADER_SIZE, 0, 0)
  if (receiveMessages(socket, memory, 1) === 1) {
    connectSocket(socket, memory + NAME_OFFSET, SOCKADDR_IN_SIZE)
    new Uint8Array(view)[PACKET_OFFSET + 2] |= QR
    writeVector(words, HEADER_SIZE / 4, memory + PACKET_OFFSET, messageLength(words, 0))
    sendMessages(socket, memory, 1)
  }
  unmapMemory(memory, length)
}

function serve({ length, words }: SegmentsSetting): void {
  const bound = bindAddress('127.0.0.1', 0, 1, 1 << 20)
  const [socket] = bound.datagramSockets
  const watches = new Watches([socket])
  const inbound = new Inbound(BATCH, CAPACITY, false)
  const outbound = new Outbound(BATCH, CAPACITY)
  parentPort?.postMessage(bound.port)
  const hasSome = (): boolean => {
    while (watches.look(LOOK_MS) === 0) if (Atomics.load(words, 0) !== 0) return false
    return true
  }
  if (hasSome()) meet(socket)
  let answered = 0
  while (hasSome()) {
    const count = Math.max(0, inbound.receive(socket))
    for (let slot = 0; slot < count; slot++) {
      const from = inbound.offset(slot)
      const to = outbound.wordOffset(slot) * 4
      outbound.bytes.set(inbound.bytes.subarray(from, from + length), to)
      outbound.bytes[to + 2] |= QR
      outbound.setLength(slot, length)
      if (++answered % EVERY !== 0) continue
      outbound.bytes[to + NAME_AT] ^= 1
      words[1]++
    }
    if (count > 1) words[2] += count
    outbound.sendSegments(socket, count, length)
  }
  watches.free()
  inbound.free()
  outbound.free()
  closeBound(bound)
}

if (parentPort !== null) serve(workerData as SegmentsSetting)
