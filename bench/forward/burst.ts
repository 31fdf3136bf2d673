// Many clients that ask one and the same question at once: a socket each, all queries sent before any answer is read.

import { Inbound, Outbound } from '../../src/io/datagram-client.ts'
import { closeDescriptor } from '../../src/io/libc.ts'
import { openClient } from '../../src/io/sockets.ts'
import { encodeQuery } from '../../src/load/queries/wire-query.ts'
import type { Query } from '../serve/queries.ts'

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
/** Of a socket, which has one query and one answer. */
const BUFFER_BYTES = 65_536
const HEADER_OCTETS = 12
const PAUSE_MS = 2

/** Asks `query` once from each of `clients` sockets (1..10,000) and waits for answers, `limitMs` at most. */
export async function burst(port: number, query: Query, clients: number, limitMs: number): Promise<BurstResult> {
  const packet = encodeQuery(query.qname, query.qtype)
  const outbound = new Outbound(1, PACKET_CAPACITY)
  const inbound = new Inbound(1, PACKET_CAPACITY, false)
  const waiting = new Map<number, number>()
  try {
    for (let id = 0; id < clients; id++) waiting.set(openClient('127.0.0.1', port, BUFFER_BYTES, false), id)
    const sentAt = outbound.wordOffset(0) * 4
    outbound.bytes.set(packet, sentAt)
    outbound.setLength(0, packet.length)
    const begun = performance.now()
    for (const [socket, id] of waiting) {
      outbound.bytes[sentAt] = id >> 8
      outbound.bytes[sentAt + 1] = id & 255
      outbound.send(socket, 1)
    }
    const sendMs = performance.now() - begun
    const rcodes = new Array<number>(16).fill(0)
    let answered = 0
    while (waiting.size > 0 && performance.now() - begun < limitMs) {
      for (const [socket, id] of waiting) {
        if (inbound.receive(socket) !== 1) continue
        const answer = inbound.bytes.subarray(inbound.offset(0), inbound.offset(0) + inbound.length(0))
        if (!answers(answer, packet, id)) continue
        rcodes[answer[3] & 15]++
        answered++
        waiting.delete(socket)
        closeDescriptor(socket)
      }
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS))
    }
    return { answered, rcodes, sendMs, totalMs: performance.now() - begun }
  } finally {
    for (const socket of waiting.keys()) closeDescriptor(socket)
    outbound.free()
    inbound.free()
  }
}

/** Whether the message is the answer to this id and, octet by octet, to the question of the query. */
function answers(answer: Uint8Array, query: Uint8Array, id: number): boolean {
  if (answer[0] !== id >> 8 || answer[1] !== (id & 255)) return false
  if ((answer[2] & 0x80) === 0) return false
  for (let at = HEADER_OCTETS; at < query.length; at++) if (answer[at] !== query[at]) return false
  return true
}
