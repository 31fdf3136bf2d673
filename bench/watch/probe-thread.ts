// When a change is in the answers: names that are going to change are asked again and again, side by side, until the new address is
// there. A thread of its own, for it must not wait for anything else; it sleeps between two rounds.

import { type MessagePort, parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads'
import type { Expected } from './names.ts'
import { Client, Outbound } from './udp.ts'
import { encodeQuestion, isRight } from './wire.ts'

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
  readonly message: Outbound
  readonly id: number
}

const ROUND_MS = 0.1
const IDLE_MS = 5
const ANSWER_MS = 2
const wallMs = () => performance.timeOrigin + performance.now()

class Prober {
  readonly #data: ProbeData
  readonly #client: Client
  readonly #pending = new Map<number, Pending>()
  #nextId = 0

  constructor(data: ProbeData) {
    this.#data = data
    this.#client = new Client(data.port)
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
    this.#client.close()
  }

  #takeNames(): void {
    for (;;) {
      const received = receiveMessageOnPort(this.#data.names)
      if (received === undefined) return
      const probe = received.message as Probe
      const id = this.#nextId
      this.#nextId = (id + 1) & 0xffff
      const message = new Outbound([encodeQuestion(probe.expected.qname, id)])
      this.#pending.set(id, { probe, message, id })
    }
  }

  /** Asks for all that are under way, and takes the answers. */
  #round(): void {
    let asked = 0
    for (const { message } of this.#pending.values()) asked += Math.max(0, message.send(this.#client.socket, 0, 1))
    const endMs = performance.now() + ANSWER_MS
    while (asked > 0 && performance.now() < endMs) {
      this.#client.wait(1)
      const received = this.#client.receive()
      const nowMs = wallMs()
      for (let slot = 0; slot < received; slot++) this.#take(this.#client.message(slot), nowMs)
      asked -= received
    }
    this.#giveUp()
  }

  #take(message: Uint8Array, nowMs: number): void {
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

  #settle({ id, message, probe }: Pending, answeredMs: number): void {
    this.#pending.delete(id)
    message.free()
    const probed: Probed = { changedMs: probe.changedMs, answeredMs }
    parentPort!.postMessage(probed)
  }
}

new Prober(workerData as ProbeData).run()
