// Paced traffic from several sockets, and an account of every query. Needs the batched transport's system calls.
//
// argv[2]: TrafficOptions as JSON. Prints a TrafficResult. Nothing is asked twice: what is not answered is lost.

import { fileURLToPath } from 'node:url'
import { parseAddress } from '../../src/io/addresses.ts'
import { writeName } from '../../src/io/layouts.ts'
import { mapMemory, sendDatagram, viewMemory } from '../../src/io/libc.ts'
import { mapSlab, Slab } from '../../src/io/slab.ts'
import { bindAddress } from '../../src/io/sockets.ts'
import { ECHO } from './stand-in-answerer.ts'

/** What to send. */
export interface TrafficOptions {
  address?: string
  port: number
  /** Queries a second. */
  rate: number
  queries: number
  /** Client sockets: the kernel spreads them over the workers. */
  sockets: number
  /** Every n-th query is the next of `special`, 0 = none; from the first socket only if `specialFirst`. */
  specialEvery?: number
  special?: number[]
  specialFirst?: boolean
}

/** What came back. */
export interface TrafficResult {
  sent: number
  answered: number
  lost: number
  servfail: number
  /** Answers to something never asked, or asked and answered before. */
  strange: number
  /** Worker that answered, by client socket; -1 = several. */
  workers: number[]
  /** Longest wait for an answer, by worker. */
  worstMs: Record<number, number>
}

const LENGTH = 24
const NAME_OFFSET = 128
const TAIL_MS = 2000

function run(options: TrafficOptions): TrafficResult {
  const { queries, rate, sockets: socketCount, special = [], specialEvery = 0 } = options
  const target = parseAddress(options.address ?? '127.0.0.1')!
  const own = target.family === 4 ? '127.0.0.1' : '::1'
  const sockets = Array.from({ length: socketCount }, () => bindAddress(own, 0, 1, 4 * 2 ** 20).datagramSockets[0])
  const inbox = new Slab(mapSlab(64))
  const page = mapMemory(4096)
  const bytes = new Uint8Array(viewMemory(page, 4096))
  const view = new DataView(bytes.buffer)
  const nameLength = writeName(bytes, NAME_OFFSET, target.octets, options.port, 0)
  const sentAt = new Float64Array(queries)
  const result: TrafficResult = {
    sent: 0,
    answered: 0,
    lost: 0,
    servfail: 0,
    strange: 0,
    workers: Array(socketCount).fill(-2),
    worstMs: {},
  }

  function ask(id: number): void {
    const isSpecial = specialEvery > 0 && id % specialEvery === specialEvery - 1
    const socket = isSpecial && options.specialFirst ? 0 : id % socketCount
    bytes.fill(0, 0, LENGTH)
    view.setUint16(0, id & 0xffff)
    bytes[12] = isSpecial ? special[Math.floor(id / specialEvery) % special.length] : ECHO
    view.setUint32(16, id)
    sentAt[id] = performance.now()
    sendDatagram(sockets[socket], page, LENGTH, page + NAME_OFFSET, nameLength)
    result.sent++
  }

  function hear(index: number): void {
    while (inbox.receive(sockets[index]) > 0) {
      const nowMs = performance.now()
      for (let slot = 0; slot < inbox.count; slot++) {
        const at = inbox.packetOffset(slot)
        const id = new DataView(inbox.bytes.buffer, at).getUint32(16)
        const worker = inbox.bytes[at + 13]
        // An answer is as long as its query, has QR, and comes once.
        if (!(sentAt[id] > 0) || inbox.queryLength(slot) !== LENGTH || (inbox.bytes[at + 2] & 0x80) === 0) {
          result.strange++
          continue
        }
        result.answered++
        if ((inbox.bytes[at + 3] & 15) === 2) {
          result.servfail++
        } else {
          if (result.workers[index] === -2) result.workers[index] = worker
          else if (result.workers[index] !== worker) result.workers[index] = -1
          result.worstMs[worker] = Math.max(result.worstMs[worker] ?? 0, nowMs - sentAt[id])
        }
        sentAt[id] = -1
      }
      inbox.reset()
    }
  }

  const clock = new Int32Array(new SharedArrayBuffer(4))
  const startMs = performance.now()
  let heardMs = startMs
  for (let id = 0; id < queries || (result.answered < queries && performance.now() - heardMs < TAIL_MS); ) {
    const due = Math.min(queries, Math.floor(((performance.now() - startMs) * rate) / 1000))
    for (; id < due; id++) ask(id)
    const before = result.answered
    for (let index = 0; index < socketCount; index++) hear(index)
    if (result.answered !== before || id < queries) heardMs = performance.now()
    Atomics.wait(clock, 0, 0, 1)
  }
  result.lost = queries - result.answered
  return result
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  console.log(JSON.stringify(run(JSON.parse(process.argv[2]))))
  process.exit(0)
}
