// Run with --expose-gc: batches through a slab while the collector is forced to move everything that can move.
//
// argv[2]: batches. Prints one line of JSON, or throws at the first octet that is not where it should be.

import { sendBatch } from '../../src/io/batch.ts'
import { writeName } from '../../src/io/layouts.ts'
import { mapMemory, sendDatagram, viewMemory } from '../../src/io/libc.ts'
import { mapSlab, Slab } from '../../src/io/slab.ts'
import { bindAddress } from '../../src/io/sockets.ts'

const NAME_OFFSET = 128
const LENGTH = 64
const YOUNG_EVERY = 100
const FULL_EVERY = 5000

const collect = (globalThis as unknown as { gc: (options?: { type: 'minor' | 'major' }) => void }).gc
const batches = Number(process.argv[2])
const server = bindAddress('127.0.0.1', 0, 1, 2 ** 20)
const client = bindAddress('127.0.0.1', 0, 1, 2 ** 20)
const slab = new Slab(mapSlab(4))
const inbox = new Slab(mapSlab(4))
const page = mapMemory(4096)
const bytes = new Uint8Array(viewMemory(page, 4096))
const words = new Uint32Array(bytes.buffer)
const nameLength = writeName(bytes, NAME_OFFSET, Uint8Array.of(127, 0, 0, 1), server.port, 0)
let keep: object[] = []

function exchange(batch: number): number {
  const size = 1 + (batch & 1)
  for (let query = 0; query < size; query++) {
    words[0] = batch * 2 + query
    words[LENGTH / 4 - 1] = ~words[0]
    sendDatagram(client.datagramSockets[0], page, LENGTH, page + NAME_OFFSET, nameLength)
  }
  if (slab.receive(server.datagramSockets[0]) !== size) throw new Error(`batch ${batch}: not all queries arrived`)
  for (let slot = 0; slot < size; slot++) slab.respond(slot, slab.queryLength(slot))
  slab.startSending()
  if (sendBatch(slab) !== 0) throw new Error(`batch ${batch}: an answer was not sent`)
  if (inbox.receive(client.datagramSockets[0]) !== size) throw new Error(`batch ${batch}: not all answers arrived`)
  for (let slot = 0; slot < size; slot++) {
    const at = inbox.packetOffset(slot) / 4
    const expected = (batch * 2 + slot) >>> 0
    if (inbox.words[at] !== expected || inbox.words[at + LENGTH / 4 - 1] !== ~expected >>> 0) {
      throw new Error(`batch ${batch}, slot ${slot}: octets changed`)
    }
  }
  inbox.reset()
  return size
}

function churn(batch: number): void {
  // Objects of some age, so that a collection has something to move and to free.
  keep.push({ batch, buffer: new Uint8Array(256) })
  if (keep.length > 1000) keep = keep.slice(500)
  if (batch % FULL_EVERY === 0) collect()
  else if (batch % YOUNG_EVERY === 0) collect({ type: 'minor' })
}

let exchanged = 0
let settled = 0
for (let batch = 0; batch < batches; batch++) {
  exchanged += exchange(batch)
  if (batch % 10 === 0) churn(batch)
  if (batch === Math.floor(batches / 4)) settled = process.memoryUsage.rss()
}
console.log(JSON.stringify({ exchanged, grownBytes: process.memoryUsage.rss() - settled }))
process.exit(0)
