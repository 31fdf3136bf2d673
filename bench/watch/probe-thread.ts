// When a change is in the answers: names that are going to change are asked again and again, side by side, until the new address is
// there. A thread of its own, for it must not wait for anything else; it sleeps between two rounds.

import { type MessagePort, parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads'
import { Inbound, Outbound, Watches } from '../../src/io/datagram-client.ts'
import { closeDescriptor } from '../../src/io/libc.ts'
import { openClient } from '../../src/io/sockets.ts'
import { encodeQuery } from '../../src/load/queries/wire-query.ts'
import { isRight } from './answer.ts'
import type { Expected } from './names.ts'

export interface ProbeData {
  readonly port: number
  /** Where names come from. */
  readonly names: MessagePort
  /** Word 0: raised and notified with each name; word 1: the thread ends when it is not 0. */
  readonly control: Int32Array<SharedArrayBuffer>
  /** A name is given up after this time. */
  readonly limitMs: number
}

/** A name that changes. */
export interface Probe {
  readonly expected: Expected
  /** Wall clock: when the change was made. */
  readonly changedMs: number
}

/** What the thread says of each. */
export interface Probed {
  /** Wall clock. */
  readonly changedMs: number
  /** Wall clock: of the first answer with the change; Infinity if none came. */
  readonly answeredMs: number
}

interface Pending {
  readonly probe: Probe
  readonly query: Uint8Array
  readonly id: number
}

const ROUND_MS = 0.1
const IDLE_MS = 5
const ANSWER_MS = 2
const QUERY_CAPACITY = 512
const RECEIVE_SLOTS = 64
const ANSWER_CAPACITY = 2048
const SOCKET_BUFFER = 4 * 1024 * 1024
const wallMs = () => performance.timeOrigin + performance.now()

class Prober {
  readonly #data: ProbeData
  readonly #socket: number
  readonly #watches: Watches
  readonly #outbound = new Outbound(1, QUERY_CAPACITY)
  readonly #inbound = new Inbound(RECEIVE_SLOTS, ANSWER_CAPACITY, false)
  readonly #pending = new Map<number, Pending>()
  #nextId = 0

  constructor(data: ProbeData) {
    this.#data = data
    this.#socket = openClient('127.0.0.1', data.port, SOCKET_BUFFER, false)
    this.#watches = new Watches([this.#socket])
  }

  run(): void {
    const { control } = this.#data
    for (;;) {
      const seen = Atomics.load(control, 0)
      if (Atomics.load(control, 1) !== 0) break
      this.#takeNames()
      if (this.#pending.size > 0) this.#round()
      Atomics.wait(control, 0, seen, this.#pending.size > 0 ? ROUND_MS : IDLE_MS)
    }
    closeDescriptor(this.#socket)
  }

  #takeNames(): void {
    for (;;) {
      const received = receiveMessageOnPort(this.#data.names)
      if (received === undefined) return
      const probe = received.message as Probe
      const id = this.#nextId
      this.#nextId = (id + 1) & 0xffff
      const query = encodeQuery(probe.expected.qname, 'A')
      query[0] = id >>> 8
      query[1] = id & 0xff
      this.#pending.set(id, { probe, query, id })
    }
  }

  /** Asks for all that are under way, and takes the answers. */
  #round(): void {
    let asked = 0
    for (const { query } of this.#pending.values()) asked += this.#send(query)
    const endMs = performance.now() + ANSWER_MS
    while (asked > 0 && performance.now() < endMs) {
      this.#watches.look(1)
      const received = Math.max(0, this.#inbound.receive(this.#socket))
      const nowMs = wallMs()
      for (let slot = 0; slot < received; slot++) this.#take(slot, nowMs)
      asked -= received
    }
    this.#giveUp()
  }

  /** @returns how many were sent: 1, or 0 if there was no room */
  #send(query: Uint8Array): number {
    this.#outbound.bytes.set(query, this.#outbound.wordOffset(0) * 4)
    this.#outbound.setLength(0, query.length)
    return Math.max(0, this.#outbound.send(this.#socket, 1))
  }

  #take(slot: number, nowMs: number): void {
    const offset = this.#inbound.offset(slot)
    const message = this.#inbound.bytes.subarray(offset, offset + this.#inbound.length(slot))
    const pending = this.#pending.get(message[0] * 256 + message[1])
    if (pending === undefined || !isRight(message, message.length, pending.probe.expected)) return
    this.#settle(pending, nowMs)
  }

  #giveUp(): void {
    const nowMs = wallMs()
    for (const pending of this.#pending.values()) {
      if (nowMs - pending.probe.changedMs > this.#data.limitMs) this.#settle(pending, Number.POSITIVE_INFINITY)
    }
  }

  #settle({ id, probe }: Pending, answeredMs: number): void {
    this.#pending.delete(id)
    const probed: Probed = { changedMs: probe.changedMs, answeredMs }
    parentPort!.postMessage(probed)
  }
}

new Prober(workerData as ProbeData).run()
