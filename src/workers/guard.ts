// Answering for workers that have an event loop: one query that makes us throw costs that query, not the connections.
//
// (A query worker has no such guard: its loop holds nothing that a successor would not find in the slab.)

import { parentPort } from 'node:worker_threads'
import type { Answerer, AnswererFactory, AnswerSource, prepareAnswerer } from './answer.ts'
import type { MissSink, PeerReader, PendingTransfer } from './answerer.ts'
import { BUSY, type ControlBlock, WAITING } from './control.ts'
import type { FailureMessage } from './pool.ts'

/** An answerer that reports exceptions to the main thread, answers SERVFAIL, and goes on with a fresh one. */
export class GuardedAnswerer {
  readonly #reader: number
  readonly #control: ControlBlock
  readonly #peers: PeerReader
  #create: AnswererFactory
  #answerer: Answerer
  #misses: MissSink | null = null

  /**
   * @param module  URL of a module with `prepareAnswerer`
   * @param peers   is asked for the peers of the message being answered
   */
  static async load(
    module: string,
    source: AnswerSource,
    reader: number,
    control: ControlBlock,
    peers: PeerReader,
  ): Promise<GuardedAnswerer> {
    return new GuardedAnswerer(await load(module, source), reader, control, peers)
  }

  constructor(create: AnswererFactory, reader: number, control: ControlBlock, peers: PeerReader) {
    this.#create = create
    this.#reader = reader
    this.#control = control
    this.#peers = peers
    this.#answerer = this.#fresh()
  }

  /** Answers from another source from now on. */
  async change(module: string, source: AnswerSource): Promise<void> {
    this.#create = await load(module, source)
    this.#answerer = this.#fresh()
  }

  /** As `Answerer.answer`, each message from the version that is newest at that moment. */
  answer(
    packet: Uint8Array,
    start: number,
    length: number,
    capacity: number,
    stream: boolean,
    listener: number,
    ipv6: number,
  ): number {
    this.#enter()
    try {
      this.#answerer.beginBatch(listener, ipv6)
      const responseLength = this.#answerer.answer(packet, start, length, capacity, stream)
      this.#answerer.sent()
      return responseLength
    } catch (error) {
      return this.#recover(error, packet, start, length)
    } finally {
      this.#leave()
    }
  }

  /** As `Answerer.setMisses`. */
  setMisses(sink: MissSink): void {
    this.#misses = sink
    this.#answerer.setMisses(sink)
  }

  /** As `Answerer.takeTransfer`. */
  takeTransfer(): PendingTransfer | null {
    return this.#answerer.takeTransfer()
  }

  /** As `Answerer.malformed`. */
  malformed(packet: Uint8Array, start: number, length: number): number {
    this.#enter()
    try {
      this.#answerer.beginBatch()
      return this.#answerer.malformed(packet, start, length)
    } catch (error) {
      return this.#recover(error, packet, start, length)
    } finally {
      this.#leave()
    }
  }

  #enter(): void {
    this.#control.state = BUSY
    this.#control.beat()
  }

  #leave(): void {
    this.#answerer.endBatch()
    this.#control.state = WAITING
  }

  #recover(error: unknown, packet: Uint8Array, start: number, length: number): number {
    const failure = error instanceof Error ? (error.stack ?? error.message) : String(error)
    const message: FailureMessage = { failure: failure.split('\n').slice(0, 2).join(' ') }
    parentPort?.postMessage(message)
    this.#answerer = this.#fresh()
    try {
      this.#answerer.beginBatch()
      return this.#answerer.servfail(packet, start, length)
    } catch {
      return 0
    }
  }

  #fresh(): Answerer {
    const answerer = this.#create(this.#reader)
    answerer.setPeers(this.#peers)
    if (this.#misses !== null) answerer.setMisses(this.#misses)
    return answerer
  }
}

async function load(module: string, source: AnswerSource): Promise<AnswererFactory> {
  const loaded: { prepareAnswerer: typeof prepareAnswerer } = await import(module)
  return await loaded.prepareAnswerer(source)
}
