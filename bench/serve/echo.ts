// The floor that Peregrine is measured against: a query worker's system calls through the same gate, with the same slots,
// and an answer that costs nothing: the QR bit flipped. Usage: node echo.ts PORT

import * as layouts from '../../src/io/layouts.ts'
import * as libc from '../../src/io/libc.ts'

const SLOTS = 64
const SLOT_CAPACITY = 4096
const RECEIVE_BUFFER = 4 * 1024 * 1024
const WAIT_MS = 1000

const headersOffset = 0
const vectorsOffset = headersOffset + SLOTS * layouts.HEADER_SIZE
const namesOffset = vectorsOffset + SLOTS * layouts.VECTOR_SIZE
const eventOffset = namesOffset + SLOTS * layouts.NAME_SIZE
const packetsOffset = eventOffset + 64
const slabLength = packetsOffset + SLOTS * SLOT_CAPACITY

const slab = libc.mapMemory(slabLength)
const memory = libc.viewMemory(slab, slabLength)
const words = new Uint32Array(memory)
const bytes = new Uint8Array(memory)

for (let slot = 0; slot < SLOTS; slot++) {
  const vector = vectorsOffset + slot * layouts.VECTOR_SIZE
  const name = slab + namesOffset + slot * layouts.NAME_SIZE
  layouts.writeVector(words, vector / 4, slab + packetsOffset + slot * SLOT_CAPACITY, SLOT_CAPACITY)
  layouts.writeHeader(words, headerOf(slot), name, layouts.NAME_SIZE, slab + vector, 0, 0)
}

const socket = openEcho(Number(process.argv[2]))
layouts.writeWatch(words, eventOffset / 4, 0, socket)
run()

function headerOf(slot: number): number {
  return (headersOffset + slot * layouts.HEADER_SIZE) / 4
}

function vectorOf(slot: number): number {
  return (vectorsOffset + slot * layouts.VECTOR_SIZE) / 4
}

function openEcho(port: number): number {
  const opened = libc.openSocket(layouts.AF_INET, layouts.SOCK_DGRAM)
  words[eventOffset / 4] = RECEIVE_BUFFER
  libc.setOption(opened, layouts.SOL_SOCKET, layouts.SO_RCVBUF, slab + eventOffset, 4)
  const length = layouts.writeName(bytes, namesOffset, new Uint8Array([127, 0, 0, 1]), port, 0)
  libc.bindSocket(opened, slab + namesOffset, length)
  return opened
}

/** Never returns: the process ends by a signal. */
function run(): void {
  let received = 0
  for (;;) {
    // After a full batch there is more, as likely as not: only then it is tried without asking.
    if (received < SLOTS) libc.waitForInput(slab + eventOffset, 1, WAIT_MS)
    received = libc.receiveMessages(socket, slab + headersOffset, SLOTS)
    for (let slot = 0; slot < received; slot++) {
      const packet = packetsOffset + slot * SLOT_CAPACITY
      bytes[packet + 2] ^= 0x80
      layouts.setVectorLength(words, vectorOf(slot), layouts.messageLength(words, headerOf(slot)))
    }
    for (let sent = 0; sent < received; ) {
      const more = libc.sendMessages(socket, slab + headersOffset + sent * layouts.HEADER_SIZE, received - sent)
      // One that cannot be sent is given up.
      sent += more > 0 ? more : 1
    }
    for (let slot = 0; slot < received; slot++) {
      layouts.setVectorLength(words, vectorOf(slot), SLOT_CAPACITY)
      layouts.setNameLength(words, headerOf(slot), layouts.NAME_SIZE)
    }
  }
}
