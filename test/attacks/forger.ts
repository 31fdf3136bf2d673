// The thread that forges answers: it has the upstream's own address and port, and does not look at what is asked there but to be told so (`last`). All
// answers are to one question and say the same wrong address; ports and ids are by lot. Messages stand in memory behind their mmsghdr, and only ports
// and ids are written for each: half a million a second.

import { readFileSync } from 'node:fs'
import { parentPort, workerData } from 'node:worker_threads'
import * as layouts from '../../src/io/layouts.ts'
import * as libc from '../../src/io/libc.ts'
import { encodeName, words } from '../server/wire.ts'

/** What the thread is given. */
export interface ForgerData {
  readonly name: string
  /** The wrong address. */
  readonly address: readonly [number, number, number, number]
  /** Of the upstream, on 127.0.0.1; 0 for any. */
  readonly port: number
  readonly control: SharedArrayBuffer
}

/** What forging is told to do. */
export interface Forging {
  /** Answers in all. */
  readonly count: number
  /** Those that are open to the upstream, as the kernel lists them: not what somebody elsewhere can know. Otherwise any that the kernel gives. */
  readonly knowsPorts: boolean
  /** The last query is answered with all that it had: id, port, letter case. */
  readonly knowsAll: boolean
}

/** What came of it. */
export interface Forged {
  readonly sent: number
  readonly seconds: number
  /** Ports that answers were sent to because they were open. */
  readonly openPorts: number
}

/** Words of `control`: forging ends when the first is not 0; the second counts queries that came. */
export const STOP = 0
export const ASKED = 1
export const CONTROL_WORDS = 2

const BATCH = 256
/** To a port that is known to be open, before the list is read again: more than it takes. */
const EACH_PORT = 64
const PACKET_CAPACITY = 512
const RECEIVE_CAPACITY = 1024
const FLAGS = 0x8580

/** The range that the kernel takes ports of clients from. */
export function localPortRange(): [first: number, last: number] {
  const [first, last] = readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'latin1').trim().split(/\s+/).map(Number)
  return [first, last]
}

/** Ports of sockets that are connected to 127.0.0.1:port. */
function openPorts(port: number): number[] {
  const remote = `0100007F:${port.toString(16).toUpperCase().padStart(4, '0')}`
  const lines = readFileSync('/proc/net/udp', 'latin1').split('\n').slice(1)
  const fields = lines.map((line) => line.trim().split(/\s+/))
  return fields.filter((each) => each[2] === remote).map((each) => Number.parseInt(each[1].split(':')[1], 16))
}

function serve({ name, address, port, control }: ForgerData): void {
  const forger = new Forger(name, address, port, new Int32Array(control))
  parentPort!.on('message', (forging: Forging) => parentPort!.postMessage(forger.forge(forging)))
  // Whoever asks while nothing is forged is heard too.
  setInterval(() => forger.hear(), 5).unref()
  parentPort!.postMessage({ port: forger.port })
}

class Forger {
  readonly port: number
  readonly #control: Int32Array
  readonly #socket: number
  readonly #words: Uint32Array
  readonly #octets: Uint8Array
  readonly #memory: number
  readonly #names: number
  readonly #packets: number
  readonly #received: number
  /** A forged answer. */
  readonly #message: Uint8Array
  /** The last query, as far as its question goes. */
  readonly #last: Uint8Array
  #lastPort = 0
  readonly #random = new Uint32Array(2 * BATCH)
  readonly #range = localPortRange()

  constructor(name: string, address: readonly number[], port: number, control: Int32Array) {
    this.#control = control
    const question = Buffer.concat([encodeName(name), words(1, 1)])
    const record = Buffer.concat([words(0xc00c, 1, 1, 0, 3600, 4), Uint8Array.from(address)])
    this.#message = Buffer.concat([words(0, FLAGS, 1, 1, 0, 0), question, record])
    this.#last = new Uint8Array(12 + question.length)
    const headers = (BATCH + 1) * layouts.HEADER_SIZE
    const vectors = (BATCH + 1) * layouts.VECTOR_SIZE
    this.#names = headers + vectors
    this.#packets = this.#names + (BATCH + 1) * layouts.NAME_SIZE
    this.#received = this.#packets + BATCH * PACKET_CAPACITY
    const length = this.#received + RECEIVE_CAPACITY
    this.#memory = libc.mapMemory(length)
    const view = libc.viewMemory(this.#memory, length)
    this.#words = new Uint32Array(view, 0, this.#packets >> 2)
    this.#octets = new Uint8Array(view)
    for (let slot = 0; slot <= BATCH; slot++) {
      const vector = headers + slot * layouts.VECTOR_SIZE
      const at = slot === BATCH ? this.#received : this.#packets + slot * PACKET_CAPACITY
      const vectorLength = slot === BATCH ? RECEIVE_CAPACITY : this.#message.length
      const nameAt = this.#names + slot * layouts.NAME_SIZE
      const nameLength = layouts.writeName(this.#octets, nameAt, new Uint8Array([127, 0, 0, 1]), 0, 0)
      layouts.writeVector(this.#words, vector / 4, this.#memory + at, vectorLength)
      const header = (slot * layouts.HEADER_SIZE) / 4
      layouts.writeHeader(this.#words, header, this.#memory + nameAt, nameLength, this.#memory + vector, 0, 0)
      if (slot < BATCH) this.#octets.set(this.#message, at)
    }
    this.#socket = libc.openSocket(layouts.AF_INET, layouts.SOCK_DGRAM)
    this.port = this.#bind(port)
  }

  /** Counts what was asked, and remembers the last of it. Forgeries come here too: this port is one of those that are drawn. */
  hear(): void {
    const octets = this.#octets
    while (libc.receiveMessages(this.#socket, this.#memory + BATCH * layouts.HEADER_SIZE, 1) === 1) {
      const at = this.#received
      if ((octets[at + 2] & 0x80) !== 0) continue
      Atomics.add(this.#control, ASKED, 1)
      this.#last.set(octets.subarray(at, at + this.#last.length))
      this.#lastPort = layouts.namePort(octets, this.#names + BATCH * layouts.NAME_SIZE)
    }
  }

  forge({ count, knowsPorts, knowsAll }: Forging): Forged {
    const began = performance.now()
    const seen = new Set<number>()
    let sent = 0
    this.hear()
    if (knowsAll) {
      this.#copyLast()
      sent = this.#send(1)
    }
    while (!knowsAll && sent < count && Atomics.load(this.#control, STOP) === 0) {
      crypto.getRandomValues(this.#random)
      if (knowsPorts) sent += this.#toOpenPorts(seen)
      else sent += this.#anywhere(Math.min(BATCH, count - sent))
      this.hear()
    }
    return { sent, seconds: (performance.now() - began) / 1000, openPorts: seen.size }
  }

  #anywhere(count: number): number {
    const [first, last] = this.#range
    const random = this.#random
    for (let slot = 0; slot < count; slot++) {
      this.#aim(slot, first + (random[2 * slot] % (last - first + 1)), random[2 * slot + 1] & 0xffff)
    }
    return this.#send(count)
  }

  #toOpenPorts(seen: Set<number>): number {
    let sent = 0
    for (const port of openPorts(this.port)) {
      seen.add(port)
      // One after the other, so that none is said twice.
      const id = this.#random[sent % BATCH]
      for (let slot = 0; slot < EACH_PORT; slot++) this.#aim(slot, port, (id + slot) & 0xffff)
      sent += this.#send(EACH_PORT)
    }
    return sent
  }

  #aim(slot: number, port: number, id: number): void {
    const octets = this.#octets
    const name = this.#names + slot * layouts.NAME_SIZE
    const packet = this.#packets + slot * PACKET_CAPACITY
    octets[name + 2] = port >> 8
    octets[name + 3] = port
    octets[packet] = id >> 8
    octets[packet + 1] = id
  }

  /** Id, port and QNAME of the last query that came. */
  #copyLast(): void {
    this.#aim(0, this.#lastPort, (this.#last[0] << 8) | this.#last[1])
    this.#octets.set(this.#last.subarray(12), this.#packets + 12)
  }

  #send(count: number): number {
    for (let at = 0; at < count; ) {
      const more = libc.sendMessages(this.#socket, this.#memory + at * layouts.HEADER_SIZE, count - at)
      // One that cannot be sent is given up.
      at += more > 0 ? more : 1
    }
    return count
  }

  #bind(port: number): number {
    const name = this.#names
    const length = layouts.writeName(this.#octets, name, new Uint8Array([127, 0, 0, 1]), port, 0)
    libc.bindSocket(this.#socket, this.#memory + name, length)
    this.#words[this.#packets / 4 - 1] = layouts.NAME_SIZE
    libc.socketName(this.#socket, this.#memory + name, this.#memory + this.#packets - 4)
    return layouts.namePort(this.#octets, name)
  }
}

if (parentPort !== null && workerData !== null) serve(workerData as ForgerData)
