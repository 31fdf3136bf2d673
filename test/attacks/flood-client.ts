// The clients of a flood, in a process of their own: one loop asks random subdomains as fast as they are answered, and beside them, at a fixed rate and
// with a stopwatch, names of the cluster and popular names. Never sleeps: a client that must be woken measures that.

import * as layouts from '../../src/io/layouts.ts'
import * as libc from '../../src/io/libc.ts'
import { encodeQuery } from '../server/wire.ts'

/** One run. */
export interface ClientRun {
  readonly port: number
  readonly seconds: number
  /** Random subdomains on their way at any time, 0 for none; 1..60,000. */
  readonly outstanding: number
  /** Random subdomains a second at most, whether answered or not; 0 = no limit. */
  readonly rate: number
  /** Of each kind of name, a second. */
  readonly probeRate: number
  readonly floodZone: string
  readonly cluster: readonly string[]
  readonly popular: readonly string[]
}

/** Names of one kind, asked at a fixed rate. Times are in milliseconds. */
export interface Probed {
  readonly sent: number
  /** With NOERROR and a record. */
  readonly answered: number
  /** Otherwise. */
  readonly wrong: number
  readonly p50: number
  readonly p99: number
  readonly most: number
}

export interface ClientResult {
  readonly sent: number
  /** Answers to random subdomains by RCODE, 0..15. */
  readonly rcodes: readonly number[]
  /** Not answered within LOST_MS. */
  readonly lost: number
  readonly seconds: number
  /** Share of the time in which the client itself stood still: nothing can be said of the server then. */
  readonly stalledShare: number
  readonly cluster: Probed
  readonly popular: Probed
}

const BATCH = 32
const CAPACITY = 1280
const SOCKET_BUFFER = 4 * 1024 * 1024
/** The server has 5 s. */
const LOST_MS = 7000
const STALL_MS = 1
const LABEL = 12
const IDS = 65_536
const now = (): number => performance.now()

/** Messages in memory behind their mmsghdr. */
class Batch {
  readonly octets: Uint8Array
  readonly #words: Uint32Array
  readonly #memory: number
  readonly #packets: number

  constructor() {
    const vectors = BATCH * layouts.HEADER_SIZE
    this.#packets = vectors + BATCH * layouts.VECTOR_SIZE
    const length = this.#packets + BATCH * CAPACITY
    this.#memory = libc.mapMemory(length)
    this.octets = new Uint8Array(libc.viewMemory(this.#memory, length))
    this.#words = new Uint32Array(this.octets.buffer, 0, this.#packets / 4)
    for (let slot = 0; slot < BATCH; slot++) {
      const vector = vectors + slot * layouts.VECTOR_SIZE
      layouts.writeVector(this.#words, vector / 4, this.#memory + this.at(slot), CAPACITY)
      const header = (slot * layouts.HEADER_SIZE) / 4
      layouts.writeHeader(this.#words, header, 0, 0, this.#memory + vector, 0, 0)
    }
  }

  /** Where in `octets` a message begins. */
  at(slot: number): number {
    return this.#packets + slot * CAPACITY
  }

  put(slot: number, message: Uint8Array): void {
    this.octets.set(message, this.at(slot))
    const vector = BATCH * layouts.HEADER_SIZE + slot * layouts.VECTOR_SIZE
    layouts.setVectorLength(this.#words, vector / 4, message.length)
  }

  id(slot: number): number {
    const at = this.at(slot)
    return (this.octets[at] << 8) | this.octets[at + 1]
  }

  setId(slot: number, id: number): void {
    const at = this.at(slot)
    this.octets[at] = id >> 8
    this.octets[at + 1] = id
  }

  send(socket: number, count: number): number {
    return Math.max(0, libc.sendMessages(socket, this.#memory, count))
  }

  receive(socket: number): number {
    return Math.max(0, libc.receiveMessages(socket, this.#memory, BATCH))
  }
}

function connect(port: number): number {
  const memory = libc.mapMemory(64)
  const view = libc.viewMemory(memory, 64)
  const socket = libc.openSocket(layouts.AF_INET, layouts.SOCK_DGRAM)
  new Uint32Array(view)[0] = SOCKET_BUFFER
  libc.setOption(socket, layouts.SOL_SOCKET, layouts.SO_RCVBUF, memory, 4)
  const length = layouts.writeName(new Uint8Array(view), 0, new Uint8Array([127, 0, 0, 1]), port, 0)
  const verdict = libc.connectSocket(socket, memory, length)
  if (verdict < 0) throw new libc.SystemError('connect', -verdict)
  return socket
}

const received = new Batch()

/** Names asked one by one, at a fixed rate. */
class Probe {
  readonly #socket: number
  readonly #batch = new Batch()
  readonly #messages: readonly Uint8Array[]
  readonly #gapMs: number
  readonly #sentAt = new Float64Array(IDS)
  readonly #tookMs: number[] = []
  #nextMs: number
  #sent = 0
  #wrong = 0
  #untimed = 0

  constructor(port: number, names: readonly string[], rate: number, startMs: number) {
    this.#socket = connect(port)
    this.#messages = names.map((name) => encodeQuery({ name, type: 'A' }))
    this.#gapMs = 1000 / rate
    this.#nextMs = startMs
  }

  /** @param stalledMs  when this process last stood still: what was on its way then says nothing of the server */
  turn(nowMs: number, stalledMs: number): void {
    if (nowMs >= this.#nextMs) {
      const id = this.#sent % IDS
      this.#batch.put(0, this.#messages[this.#sent++ % this.#messages.length])
      this.#batch.setId(0, id)
      this.#sentAt[id] = nowMs
      this.#batch.send(this.#socket, 1)
      // What is late is not made up for in a burst.
      this.#nextMs = Math.max(this.#nextMs + this.#gapMs, nowMs)
    }
    this.take(stalledMs)
  }

  take(stalledMs: number): void {
    const count = received.receive(this.#socket)
    if (count === 0) return
    const nowMs = now()
    for (let slot = 0; slot < count; slot++) {
      const at = received.at(slot)
      const isRight = (received.octets[at + 3] & 15) === 0 && received.octets[at + 7] > 0
      const sentMs = this.#sentAt[received.id(slot)]
      if (!isRight) this.#wrong++
      else if (sentMs <= stalledMs) this.#untimed++
      else this.#tookMs.push(nowMs - sentMs)
    }
  }

  result(): Probed {
    libc.closeDescriptor(this.#socket)
    const sorted = Float64Array.from(this.#tookMs).sort()
    const part = (share: number): number => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? -1
    return {
      sent: this.#sent,
      answered: sorted.length + this.#untimed,
      wrong: this.#wrong,
      p50: part(0.5),
      p99: part(0.99),
      most: part(1),
    }
  }
}

/** Random subdomains: as many on their way as there may be. */
class Flood {
  sent = 0
  lost = 0
  readonly rcodes: number[] = new Array(16).fill(0)
  readonly #socket: number
  readonly #batch = new Batch()
  readonly #outstanding: number
  readonly #rate: number
  readonly #startMs: number
  /** When each id was sent; 0: it is free. */
  readonly #sentAt = new Float64Array(IDS)
  readonly #random = new Uint8Array(BATCH * LABEL)
  #pending = 0
  #id = 0

  constructor({ port, outstanding, rate, floodZone }: ClientRun, startMs: number) {
    this.#socket = connect(port)
    this.#outstanding = outstanding
    this.#rate = rate
    this.#startMs = startMs
    const message = encodeQuery({ name: `${'x'.repeat(LABEL)}.${floodZone}`, type: 'A' })
    for (let slot = 0; slot < BATCH; slot++) this.#batch.put(slot, message)
  }

  turn(nowMs: number): void {
    this.take()
    const allowed = this.#rate === 0 ? BATCH : Math.floor((this.#rate * (nowMs - this.#startMs)) / 1000) - this.sent
    const room = this.#outstanding - this.#pending
    const count = Math.min(BATCH, room, allowed)
    if (count <= 0) {
      if (room <= 0) this.#sweep(nowMs)
      return
    }
    crypto.getRandomValues(this.#random)
    let ready = 0
    for (let tries = 0; ready < count && tries < 4 * BATCH; tries++) {
      const id = this.#nextId(nowMs)
      if (id < 0) continue
      const at = this.#batch.at(ready) + 13
      for (let i = 0; i < LABEL; i++) this.#batch.octets[at + i] = 97 + (this.#random[ready * LABEL + i] % 26)
      this.#batch.setId(ready++, id)
      this.#sentAt[id] = nowMs
      this.#pending++
    }
    this.sent += this.#batch.send(this.#socket, ready)
  }

  take(): void {
    const count = received.receive(this.#socket)
    for (let slot = 0; slot < count; slot++) {
      const id = received.id(slot)
      if (this.#sentAt[id] === 0) continue
      this.#sentAt[id] = 0
      this.#pending--
      this.rcodes[received.octets[received.at(slot) + 3] & 15]++
    }
  }

  close(): void {
    libc.closeDescriptor(this.#socket)
  }

  /** @returns -1 if this one is on its way still */
  #nextId(nowMs: number): number {
    this.#id = (this.#id + 1) % IDS
    this.#giveUp(this.#id, nowMs)
    return this.#sentAt[this.#id] === 0 ? this.#id : -1
  }

  #sweep(nowMs: number): void {
    for (let i = 0; i < BATCH; i++) this.#nextId(nowMs)
  }

  #giveUp(id: number, nowMs: number): void {
    if (this.#sentAt[id] === 0 || nowMs - this.#sentAt[id] < LOST_MS) return
    this.#sentAt[id] = 0
    this.#pending--
    this.lost++
  }
}

function measure(run: ClientRun): ClientResult {
  const startMs = now()
  const endMs = startMs + run.seconds * 1000
  const probes = [run.cluster, run.popular].map((names) => new Probe(run.port, names, run.probeRate, startMs))
  const flood = run.outstanding === 0 ? null : new Flood(run, startMs)
  let lastMs = startMs
  let stalledMs = 0
  let lastStallMs = 0
  for (let nowMs = startMs; nowMs < endMs; nowMs = now()) {
    if (nowMs - lastMs > STALL_MS) {
      stalledMs += nowMs - lastMs
      lastStallMs = nowMs
    }
    lastMs = nowMs
    flood?.turn(nowMs)
    for (const probe of probes) probe.turn(nowMs, lastStallMs)
  }
  // Probes that are on their way.
  for (const overMs = now() + 200; now() < overMs; ) for (const probe of probes) probe.take(lastStallMs)
  flood?.close()
  const [cluster, popular] = probes.map((probe) => probe.result())
  const { sent = 0, rcodes = [], lost = 0 } = flood ?? {}
  return { sent, rcodes, lost, seconds: run.seconds, stalledShare: stalledMs / (run.seconds * 1000), cluster, popular }
}

process.on('message', (run: ClientRun) => process.send?.(measure(run)))
process.on('disconnect', () => process.exit(0))
