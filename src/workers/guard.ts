// Answering for workers that have an event loop: one query that makes us throw costs that query, not the connections.
//
// (A query worker has no such guard: its loop holds nothing that a successor would not find in the slab.)

import { parentPort } from 'node:worker_threads'
import type { Answerer, AnswerSource, createAnswerer } from './answer.ts'
import { BUSY, type ControlBlock, WAITING } from './control.ts'
import type { FailureMessage } from './pool.ts'

/** An answerer that reports exceptions to the main thread, answers SERVFAIL, and goes on with a fresh one. */
export class GuardedAnswerer {
  readonly #create: typeof createAnswerer
  readonly #source: AnswerSource
  readonly #reader: number
  readonly #control: ControlBlock
  #answerer: Answerer

  /** @param module  URL of a module with `createAnswerer` */
  static async load(
    module: string,
    source: AnswerSource,
    reader: number,
    control: ControlBlock,
  ): Promise<GuardedAnswerer> {
    const loaded: { createAnswerer: typeof createAnswerer } = await import(module)
    return new GuardedAnswerer(loaded.createAnswerer, source, reader, control)
  }

  constructor(create: typeof createAnswerer, source: AnswerSource, reader: number, control: ControlBlock) {
    this.#create = create
    this.#source = source
    this.#reader = reader
    this.#control = control
    this.#answerer = create(source, reader)
  }

  /** As `Answerer.answer`, each message from the version that is newest at that moment. */
  answer(packet: Uint8Array, start: number, length: number, capacity: number, stream: boolean): number {
    this.#enter()
    try {
      this.#answerer.beginBatch()
      return this.#answerer.answer(packet, start, length, capacity, stream)
    } catch (error) {
      return this.#recover(error, packet, start, length)
    } finally {
      this.#leave()
    }
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
    this.#answerer = this.#create(this.#source, this.#reader)
    try {
      this.#answerer.beginBatch()
      return this.#answerer.servfail(packet, start, length)
    } catch {
      return 0
    }
  }
}
