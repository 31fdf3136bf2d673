// A thread that fills a table with numbered queries until all numbers are used or it is ended; and how such a query is written and read.

import { isMainThread, workerData } from 'node:worker_threads'
import { MISS_QUESTION, type MissReader, MissWriter, ring } from '../../src/forward/miss-table.ts'

export interface WriterTask {
  readonly memory: SharedArrayBuffer
  readonly bell: SharedArrayBuffer
  /** A word: the number that comes next, over all lives. */
  readonly progress: SharedArrayBuffer
  readonly total: number
}

const LENGTH = 64
const message = new Uint8Array(LENGTH)
const view = new DataView(message.buffer)
const peer = new Uint8Array(16)

/** Hands over a query that proves itself. @returns false if there is no room */
export function pushTicket(writer: MissWriter, ticket: number): boolean {
  if (!writer.take()) return false
  for (let at = 0; at < LENGTH; at += 4) view.setUint32(at, ticket ^ at)
  writer.setEnvelope(ticket, 16, 0, 0)
  writer.setPeers(peer, 4, 1, peer, 4, 2)
  writer.push(MISS_QUESTION, 0, ticket & 0xffff, ticket, ticket, message, 0, LENGTH, LENGTH)
  return true
}

/** @returns its number @throws Error if it is not all of one and the same query */
export function readTicket(reader: MissReader, slot: number): number {
  const ticket = reader.descriptor(slot)
  const { octets } = reader
  const at = reader.messageAt(slot)
  const found = new DataView(octets.buffer, at, LENGTH)
  const isWhole = Array.from({ length: LENGTH / 4 }, (_, i) => found.getUint32(4 * i)).every(
    (word, i) => word === (ticket ^ (4 * i)) >>> 0,
  )
  const agrees =
    reader.generation(slot) === ticket && reader.beganMs(slot) === ticket && reader.messageLength(slot) === LENGTH
  if (!isWhole || !agrees) throw new Error(`slot ${slot} is not that of ${ticket}`)
  return ticket
}

function write({ memory, bell, progress, total }: WriterTask): void {
  const writer = new MissWriter(memory)
  const next = new Int32Array(progress)
  const bellWords = new Int32Array(bell)
  while (Atomics.load(next, 0) < total) {
    const ticket = Atomics.add(next, 0, 1)
    while (!pushTicket(writer, ticket)) ring(bellWords, () => {})
    ring(bellWords, () => {})
  }
}

if (!isMainThread && workerData?.progress !== undefined) write(workerData as WriterTask)
