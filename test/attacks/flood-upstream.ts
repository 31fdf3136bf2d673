// The upstreams of a flood, in a thread: one that answers every name with an address at once and counts, and one for the flooded zone that is dead (never
// answers) or slow (NXDOMAIN after a while).

import { createSocket, type RemoteInfo, type Socket } from 'node:dgram'
import { parentPort, workerData } from 'node:worker_threads'

/** What the thread is given. */
export interface UpstreamData {
  /** Milliseconds until an answer of the slow one; negative: never. */
  readonly delayMs: number
  /** Words: queries to the honest one, queries to the other one. */
  readonly counts: SharedArrayBuffer
}

const HONEST = 0
const FLOODED = 1
const BUFFER = 8 * 1024 * 1024
const TICK_MS = 5
const ADDRESS = [0xc0, 12, 0, 1, 0, 1, 0, 1, 0x51, 0x80, 0, 4, 192, 0, 2, 1]
const SOA = [0xc0, 12, 0, 6, 0, 1, 0, 0, 0, 60, 0, 22, 0, 0, ...new Array(20).fill(1)]

const { delayMs, counts } = workerData as UpstreamData
const words = new Int32Array(counts)
/** Answers by when they are due, oldest first. */
const due: { atMs: number; reply: Buffer; to: RemoteInfo }[] = []

function replyTo(query: Buffer, rcode: number, record: readonly number[]): Buffer {
  let end = 12
  while (query[end] > 0) end += query[end] + 1
  end += 5
  const reply = Buffer.concat([query.subarray(0, end), Uint8Array.from(record)])
  const isAnswer = rcode === 0
  reply.writeUInt16BE(0x8180 | rcode, 2)
  for (const [at, count] of [
    [6, isAnswer ? 1 : 0],
    [8, isAnswer ? 0 : 1],
    [10, 0],
  ])
    reply.writeUInt16BE(count, at)
  return reply
}

function open(take: (query: Buffer, from: RemoteInfo, socket: Socket) => void): Promise<number> {
  const socket = createSocket({ type: 'udp4', recvBufferSize: BUFFER })
  socket.on('message', (query, from) => take(query, from, socket))
  return new Promise((resolve) => socket.bind(0, '127.0.0.1', () => resolve(socket.address().port)))
}

const honest = await open((query, from, socket) => {
  Atomics.add(words, HONEST, 1)
  socket.send(replyTo(query, 0, ADDRESS), from.port, from.address)
})
let slow: Socket
const flooded = await open((query, from, socket) => {
  Atomics.add(words, FLOODED, 1)
  slow = socket
  if (delayMs >= 0) due.push({ atMs: performance.now() + delayMs, reply: replyTo(query, 3, SOA), to: from })
})
if (delayMs >= 0) {
  setInterval(() => {
    const nowMs = performance.now()
    let count = 0
    for (; count < due.length && due[count].atMs <= nowMs; count++) {
      const { reply, to } = due[count]
      slow.send(reply, to.port, to.address)
    }
    due.splice(0, count)
  }, TICK_MS)
}
parentPort!.postMessage({ honest, flooded })
