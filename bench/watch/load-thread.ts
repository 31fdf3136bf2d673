// A steady stream of queries, and how long each answer takes: an open loop, so that a server that stops is not spared the queries that
// come meanwhile. What this thread itself was late for, when others had the core, is not sent. Nothing else happens in this thread.

import { parentPort, workerData } from 'node:worker_threads'
import type { Expected } from './names.ts'
import { Client, Outbound } from './udp.ts'
import { encodeQuestion, isRight } from './wire.ts'

export interface LoadData {
  readonly port: number
  /** At most 65,536: the place in the list is the message's ID. */
  readonly names: readonly Expected[]
  readonly perSecond: number
  /** One word: 0 while warming up, 1 from when answers count, 2 to end. */
  readonly control: Int32Array<SharedArrayBuffer>
}

export interface LoadResult {
  readonly sent: number
  readonly lost: number
  readonly wrong: number
  /** What was wrong first, '' if nothing was. */
  readonly example: string
  /** Milliseconds, of each answer. */
  readonly latenciesMs: Float64Array<ArrayBuffer>
}

const TICK_MS = 1
const BURST_MAX = 64
const LOST_AFTER_MS = 1000

class Load {
  readonly #data: LoadData
  readonly #client: Client
  readonly #messages: Outbound
  readonly #sentAtMs: Float64Array
  readonly #latenciesMs: number[] = []
  #next = 0
  #underWay = 0
  #sent = 0
  #lost = 0
  #wrong = 0
  #example = ''

  constructor(data: LoadData) {
    this.#data = data
    this.#client = new Client(data.port)
    this.#messages = new Outbound(data.names.map(({ qname }, id) => encodeQuestion(qname, id)))
    this.#sentAtMs = new Float64Array(data.names.length)
  }

  run(): LoadResult {
    const { perSecond, control } = this.#data
    const startMs = performance.now()
    let counts = false
    for (let made = 0; Atomics.load(control, 0) < 2; ) {
      if (!counts && Atomics.load(control, 0) === 1) {
        counts = true
        this.#latenciesMs.length = 0
      }
      const due = Math.floor(((performance.now() - startMs) / 1000) * perSecond)
      made = Math.max(made, due - BURST_MAX)
      if (due > made) made += this.#send(due - made)
      this.#listen(performance.now() + TICK_MS)
    }
    const end = performance.now() + LOST_AFTER_MS
    while (this.#underWay > 0 && performance.now() < end) this.#listen(performance.now() + TICK_MS)
    const dropped = this.#client.dropped
    this.#client.close()
    const latenciesMs = Float64Array.from(this.#latenciesMs)
    return {
      sent: this.#sent,
      lost: Math.max(0, this.#lost + this.#underWay - dropped),
      wrong: this.#wrong,
      example: this.#example,
      latenciesMs,
    }
  }

  #send(wanted: number): number {
    const count = Math.min(wanted, this.#messages.count - this.#next)
    for (let id = this.#next; id < this.#next + count; id++) if (this.#sentAtMs[id] !== 0) this.#giveUp(id)
    const nowMs = performance.now()
    const sent = Math.max(0, this.#messages.send(this.#client.socket, this.#next, count))
    this.#sentAtMs.fill(nowMs, this.#next, this.#next + sent)
    this.#next = (this.#next + sent) % this.#messages.count
    this.#underWay += sent
    this.#sent += sent
    return sent
  }

  #giveUp(id: number): void {
    this.#sentAtMs[id] = 0
    this.#underWay--
    this.#lost++
  }

  #listen(untilMs: number): void {
    for (;;) {
      const leftMs = untilMs - performance.now()
      if (leftMs <= 0) return
      this.#client.wait(Math.ceil(leftMs))
      const received = this.#client.receive()
      const nowMs = performance.now()
      for (let slot = 0; slot < received; slot++) this.#take(this.#client.message(slot), nowMs)
    }
  }

  #take(message: Uint8Array, nowMs: number): void {
    const id = message[0] * 256 + message[1]
    const sentMs = this.#sentAtMs[id] ?? 0
    // Given up already.
    if (sentMs === 0) return
    this.#sentAtMs[id] = 0
    this.#underWay--
    this.#latenciesMs.push(nowMs - sentMs)
    const expected = this.#data.names[id]
    if (isRight(message, message.length, expected)) return
    this.#wrong++
    if (this.#example === '') this.#example = `${expected.qname}: ${Buffer.from(message).toString('hex')}`
  }
}

const result = new Load(workerData as LoadData).run()
parentPort!.postMessage(result, [result.latenciesMs.buffer])
