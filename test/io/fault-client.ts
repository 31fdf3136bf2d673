// Run under the fault shim: moves one batch through a slab, and prints what became of it.
//
// argv[2]: `send` or `receive` or `wait`. Prints one line of JSON.

import { sendBatch } from '../../src/io/batch.ts'
import { writeName, writeWatch } from '../../src/io/layouts.ts'
import { mapMemory, openEvent, sendDatagram, viewMemory, waitForInput } from '../../src/io/libc.ts'
import { mapSlab, Slab } from '../../src/io/slab.ts'
import { bindAddress } from '../../src/io/sockets.ts'

const QUERIES = 8
const LENGTH = 20
const NAME_OFFSET = 128
const server = bindAddress('127.0.0.1', 0, 1, 2 ** 20)
const client = bindAddress('127.0.0.1', 0, 1, 2 ** 20)
const slab = new Slab(mapSlab(16))
const page = mapMemory(4096)
const memory = new Uint8Array(viewMemory(page, 4096))
const nameLength = writeName(memory, NAME_OFFSET, Uint8Array.of(127, 0, 0, 1), server.port, 0)

function ask(): void {
  for (let id = 0; id < QUERIES; id++) {
    memory[0] = id
    sendDatagram(client.datagramSockets[0], page, LENGTH, page + NAME_OFFSET, nameLength)
  }
}

// Answers what is in the slab, but for the query with ID 3.
function answer(): void {
  for (let slot = 0; slot < slab.count; slot++) {
    slab.enter(slot)
    const length = slab.queryLength(slot)
    slab.respond(slot, slab.bytes[slab.packetOffset(slot)] === 3 ? 0 : length)
  }
  slab.startSending()
}

function heard(): number[] {
  const ids: number[] = []
  const inbox = new Slab(mapSlab(16))
  while (inbox.receive(client.datagramSockets[0]) > 0) {
    for (let slot = 0; slot < inbox.count; slot++) ids.push(inbox.bytes[inbox.packetOffset(slot)])
    inbox.reset()
  }
  return ids
}

function send(): object {
  ask()
  slab.receive(server.datagramSockets[0])
  answer()
  const failures = sendBatch(slab)
  return { failures, heard: heard(), phase: slab.phase }
}

function receive(): object {
  ask()
  const counts: number[] = []
  const lengths: number[] = []
  const cut: boolean[] = []
  for (let call = 0; call < 4; call++) {
    const count = slab.receive(server.datagramSockets[0])
    counts.push(count)
    if (count <= 0) continue
    for (let slot = 0; slot < count; slot++) {
      lengths.push(slab.queryLength(slot))
      cut.push(slab.isCut(slot))
    }
    answer()
    sendBatch(slab)
  }
  return { counts, lengths, cut: cut.indexOf(true), heard: heard() }
}

function wait(): object {
  writeWatch(slab.words, slab.watchesWord, 0, openEvent())
  return { results: [0, 1, 2].map(() => waitForInput(slab.watchesAddress, 1, 1)) }
}

const actions: Record<string, () => object> = { send, receive, wait }
console.log(JSON.stringify(actions[process.argv[2]]()))
process.exit(0)
