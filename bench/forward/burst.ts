// Many clients that ask one and the same question at once: a socket each, all queries sent before any answer is read.

import * as layouts from '../../src/io/layouts.ts'
import * as libc from '../../src/io/libc.ts'
import { encodeTable, type Query } from '../serve/queries.ts'

/** What the clients saw. */
export interface BurstResult {
  /** Clients with an answer to what they asked. */
  readonly answered: number
  /** Their answers by RCODE, 0..15. */
  readonly rcodes: readonly number[]
  /** From the first query sent to the last. */
  readonly sendMs: number
  /** From the first query sent to the last answer. */
  readonly totalMs: number
}

const PACKET_CAPACITY = 2048
const HEADER_OCTETS = 12
const queryOffset = layouts.HEADER_SIZE + layouts.VECTOR_SIZE + layouts.NAME_SIZE
const answerOffset = queryOffset + PACKET_CAPACITY
const PAUSE_MS = 2

/** Asks `query` once from each of `clients` sockets (1..10,000) and waits for answers, `limitMs` at most. */
export async function burst(port: number, query: Query, clients: number, limitMs: number): Promise<BurstResult> {
  const length = answerOffset + PACKET_CAPACITY
  const memory = libc.mapMemory(length)
  const bytes = new Uint8Array(libc.viewMemory(memory, length))
  const words = new Uint32Array(bytes.buffer)
  const nameLength = layouts.writeName(bytes, queryOffset - layouts.NAME_SIZE, new Uint8Array([127, 0, 0, 1]), port, 0)
  const waiting = new Map<number, number>()
  try {
    for (let id = 0; id < clients; id++) {
      const socket = libc.openSocket(layouts.AF_INET, layouts.SOCK_DGRAM)
      waiting.set(socket, id)
      const verdict = libc.connectSocket(socket, memory + queryOffset - layouts.NAME_SIZE, nameLength)
      if (verdict < 0) throw new libc.SystemError('connect', -verdict)
    }
    const packet = encodeTable([query]).subarray(2)
    bytes.set(packet, queryOffset)
    const begun = performance.now()
    aim(words, memory, queryOffset, packet.length)
    for (const [socket, id] of waiting) {
      bytes[queryOffset] = id >> 8
      bytes[queryOffset + 1] = id & 255
      libc.sendMessages(socket, memory, 1)
    }
    const sendMs = performance.now() - begun
    aim(words, memory, answerOffset, PACKET_CAPACITY)
    const rcodes = new Array<number>(16).fill(0)
    let answered = 0
    while (waiting.size > 0 && performance.now() - begun < limitMs) {
      for (const [socket, id] of waiting) {
        if (libc.receiveMessages(socket, memory, 1) !== 1) continue
        if (!answers(bytes, packet, id)) continue
        rcodes[bytes[answerOffset + 3] & 15]++
        answered++
        waiting.delete(socket)
        libc.closeDescriptor(socket)
      }
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS))
    }
    return { answered, rcodes, sendMs, totalMs: performance.now() - begun }
  } finally {
    for (const socket of waiting.keys()) libc.closeDescriptor(socket)
    libc.unmapMemory(memory, length)
  }
}

/** Points the one mmsghdr at a packet. */
function aim(words: Uint32Array, memory: number, packetOffset: number, length: number): void {
  layouts.writeVector(words, layouts.HEADER_SIZE / 4, memory + packetOffset, length)
  layouts.writeHeader(words, 0, 0, 0, memory + layouts.HEADER_SIZE, 0, 0)
}

/** Whether the packet received is the answer to this id and, octet by octet, to the question of the query. */
function answers(bytes: Uint8Array, query: Uint8Array, id: number): boolean {
  if (bytes[answerOffset] !== id >> 8 || bytes[answerOffset + 1] !== (id & 255)) return false
  if ((bytes[answerOffset + 2] & 0x80) === 0) return false
  for (let at = HEADER_OCTETS; at < query.length; at++) if (bytes[answerOffset + at] !== query[at]) return false
  return true
}
