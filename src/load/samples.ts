// Answers that are picked to be checked: gathered in a worker, posted in batches, unpacked by the session.
//
// A batch is records one behind another: index of the query (32 bits, little-endian), octets (16 bits), the message.

import type { Sample } from './session.ts'
import { BATCHES_MAX, CONTROL_BATCHES } from './worker-run.ts'

const HEADER_LENGTH = 6
const BATCH_LENGTH = 64 * 1024
/** A batch that is not full is posted after so long. */
const POST_AFTER_MS = 50

/** A worker's side. */
export class SampleBatches {
  /** Answers that were to be handed out and were not. */
  dropped = 0
  readonly #every: number
  readonly #waits: boolean
  readonly #control: Int32Array<SharedArrayBuffer>
  readonly #word: number
  readonly #post: (batch: Uint8Array<ArrayBuffer>, length: number) => void
  #seen = 0
  #batch = new Uint8Array(BATCH_LENGTH)
  #length = 0
  #beganMs = 0

  /**
   * @param every  of how many answers one is picked; 0 = none
   * @param waits  nothing is sent while isFull: all that still comes, which is what is under way, is kept
   */
  constructor(
    every: number,
    waits: boolean,
    control: Int32Array<SharedArrayBuffer>,
    worker: number,
    post: (batch: Uint8Array<ArrayBuffer>, length: number) => void,
  ) {
    this.#every = every
    this.#waits = waits
    this.#control = control
    this.#word = CONTROL_BATCHES + worker
    this.#post = post
  }

  /** Whether whoever checks is behind. */
  get isFull(): boolean {
    return this.#every > 0 && Atomics.load(this.#control, this.#word) >= BATCHES_MAX
  }

  /** Picks an answer, if it is its turn. */
  add(query: number, bytes: Uint8Array, at: number, length: number, nowMs: number): void {
    if (this.#every === 0 || ++this.#seen % this.#every !== 0) return
    if (this.isFull && !this.#waits) {
      this.dropped++
      return
    }
    if (this.#length + HEADER_LENGTH + length > this.#batch.length) this.flush()
    if (HEADER_LENGTH + length > this.#batch.length) {
      this.dropped++
      return
    }
    if (this.#length === 0) this.#beganMs = nowMs
    const batch = this.#batch
    let to = this.#length
    batch[to++] = query
    batch[to++] = query >>> 8
    batch[to++] = query >>> 16
    batch[to++] = query >>> 24
    batch[to++] = length
    batch[to++] = length >>> 8
    for (let i = 0; i < length; i++) batch[to++] = bytes[at + i]
    this.#length = to
  }

  /** Posts what has waited long enough. */
  turn(nowMs: number): void {
    if (this.#length > 0 && nowMs - this.#beganMs > POST_AFTER_MS) this.flush()
  }

  flush(): void {
    if (this.#length === 0) return
    Atomics.add(this.#control, this.#word, 1)
    this.#post(this.#batch, this.#length)
    this.#batch = new Uint8Array(BATCH_LENGTH)
    this.#length = 0
  }
}

/** The session's side: views into the batch. */
export function unpackSamples(batch: Uint8Array, length: number): Sample[] {
  const view = new DataView(batch.buffer, batch.byteOffset)
  const samples: Sample[] = []
  for (let at = 0; at + HEADER_LENGTH <= length; ) {
    const octets = view.getUint16(at + 4, true)
    const from = at + HEADER_LENGTH
    samples.push({ index: view.getUint32(at, true), response: batch.subarray(from, from + octets) })
    at = from + octets
  }
  return samples
}
