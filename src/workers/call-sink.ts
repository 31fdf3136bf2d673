// How a worker with an event loop hands queries over to the resolver thread, and gets their answers: through a channel that both have open. Cold
// next to slot-sink.ts. What is under way stays here until it is answered: a new resolver is asked again.

import { COPY_LENGTH_MAX, copyQuery, type Query } from '../dns/question.ts'
import { monotonicMs } from '../forward/clock.ts'
import { MISS_REFRESH } from '../forward/miss-table.ts'
import { MessagePeers, type MissSink, type PeerReader } from './answerer.ts'
import type { ChannelMessage, ResolverSought, WaitingCall } from './waiting.ts'

/** Queries of one worker that may wait at a time. */
const UNDER_WAY_MAX = 8192
/** The resolver answers within 5 s; if it does not, it will not. */
const GIVEN_UP_MS = 6500
const SWEEP_MS = 500
const SETTLED_POLL_MS = 20
/** More than can be asked in a millisecond. */
const ASKS_PER_MS = 1024

interface UnderWay {
  call: WaitingCall
  readonly resolve: (message: Uint8Array | null) => void
}

export class CallSink implements MissSink {
  ipv6 = 0
  readonly #worker: number
  readonly #stream: boolean
  readonly #reader: PeerReader
  readonly #channel: BroadcastChannel
  /** In the order of their coming. */
  readonly #underWay = new Map<number, UnderWay>()
  readonly #copy = new Uint8Array(COPY_LENGTH_MAX)
  /** A worker that comes after another one goes on with greater numbers: answers to that one are nobody's. */
  #last = Math.trunc(monotonicMs() * ASKS_PER_MS)
  /** Who is asked; 0: nobody is known yet. */
  #resolver = 0
  #promise: Promise<Uint8Array | null> | null = null
  #sweeper: NodeJS.Timeout | undefined

  /** @param stream  whether the worker's clients come over TCP   @param peers  knows those of the message that is being answered */
  constructor(channel: string, worker: number, stream: boolean, peers: PeerReader) {
    this.#worker = worker
    this.#stream = stream
    this.#reader = peers
    this.#channel = new BroadcastChannel(channel)
    this.#channel.onmessage = ({ data }) => this.#hear(data)
    ;(this.#channel as unknown as { unref(): void }).unref()
    this.#channel.postMessage({ sought: true } satisfies ResolverSought)
  }

  /** Queries that wait. */
  get count(): number {
    return this.#underWay.size
  }

  push(
    kind: number,
    listener: number,
    route: number,
    generation: number,
    query: Query | null,
    packet: Uint8Array,
    start: number,
    length: number,
  ): boolean {
    if (this.#underWay.size >= UNDER_WAY_MAX) return false
    const copied = query === null ? length : copyQuery(query, packet, start, this.#copy, 0)
    const message = query === null ? packet.slice(start, start + length) : this.#copy.slice(0, copied)
    const peers = new MessagePeers()
    this.#reader.readPeers(peers)
    const ask = ++this.#last
    const call: WaitingCall = {
      ask,
      to: this.#resolver,
      from: this.#worker,
      kind,
      listener,
      route,
      generation,
      stream: this.#stream,
      ipv6: this.ipv6,
      beganMs: monotonicMs(),
      size: length,
      peers: { ...peers } as MessagePeers,
      // A Buffer's slice() would be of the same memory.
      message: Uint8Array.from(message),
      deaths: 0,
    }
    if (kind !== MISS_REFRESH) {
      this.#promise = new Promise((resolve) => this.#underWay.set(ask, { call, resolve }))
      this.#sweeper ??= setInterval(() => this.#sweep(), SWEEP_MS).unref()
    }
    // Whoever comes hears of it then.
    if (this.#resolver !== 0) this.#channel.postMessage(call)
    return true
  }

  /** The answer to the last query that was pushed, null if none is to be sent. */
  take(): Promise<Uint8Array | null> | null {
    const promise = this.#promise
    this.#promise = null
    return promise
  }

  /** Settles when all that waits now has its answer, or will have none. */
  async settled(): Promise<void> {
    const last = this.#last
    for (;;) {
      const [oldest] = this.#underWay.keys()
      if (oldest === undefined || oldest > last) return
      await new Promise((resolve) => setTimeout(resolve, SETTLED_POLL_MS))
    }
  }

  /** What waits gets nothing any more. */
  close(): void {
    clearInterval(this.#sweeper)
    for (const { resolve } of this.#underWay.values()) resolve(null)
    this.#underWay.clear()
    this.#channel.close()
  }

  #hear(message: ChannelMessage): void {
    if ('answer' in message) {
      if (message.to !== this.#worker) return
      const { answer, message: octets } = message
      this.#underWay.get(answer)?.resolve(octets.length === 0 ? null : octets)
      this.#underWay.delete(answer)
    } else if ('resolver' in message && message.resolver !== this.#resolver) {
      this.#resolver = message.resolver
      for (const each of this.#underWay.values()) {
        const { to, deaths } = each.call
        each.call = { ...each.call, to: message.resolver, deaths: to === 0 ? deaths : deaths + 1 }
        this.#channel.postMessage(each.call)
      }
    }
  }

  #sweep(): void {
    const nowMs = monotonicMs()
    for (const [ask, { call, resolve }] of this.#underWay) {
      if (nowMs - call.beganMs < GIVEN_UP_MS) break
      this.#underWay.delete(ask)
      resolve(null)
    }
    if (this.#underWay.size > 0) return
    clearInterval(this.#sweeper)
    this.#sweeper = undefined
  }
}
