// A thread that asks while the index changes under it, as query workers do: a batch is all names of one Service, and what the
// answers say must agree. Stops at the first batch that does not, and says so.

import { parentPort, workerData } from 'node:worker_threads'
import { type AnswerSource, createAnswerer } from '../../src/workers/answer.ts'
import { encodeQuery, readResponse } from '../server/wire.ts'
import { type Ask, contradiction, type Subject } from './consistency.ts'

export interface ReaderOptions {
  readonly source: AnswerSource
  readonly subjects: readonly Subject[]
  readonly seed: number
  /** Milliseconds between two batches. */
  readonly pauseMs: number
  /** Word 0: set to end. */
  readonly stop: Int32Array
}

export interface ReaderResult {
  readonly batches: number
  readonly queries: number
  /** Services by what they were when they were asked for. */
  readonly kinds: Readonly<Record<string, number>>
  /** '' if no batch saw a mixture. */
  readonly contradiction: string
}

const CAPACITY = 65_535

const { source, subjects, seed, pauseMs, stop } = workerData as ReaderOptions
const answerer = createAnswerer(source, 0)
const packet = new Uint8Array(CAPACITY)
const kinds: Record<string, number> = {}
let random = seed | 1
let batches = 0
let queries = 0
let found = ''

const ask: Ask = (name, type) => {
  queries++
  const message = encodeQuery({ name, type })
  packet.set(message)
  const length = answerer.answer(packet, 0, message.length, CAPACITY, true)
  return readResponse(packet.slice(0, length))
}

while (Atomics.load(stop, 0) === 0 && found === '') {
  // xorshift32
  random ^= random << 13
  random ^= random >>> 17
  random ^= random << 5
  answerer.beginBatch()
  found = contradiction(
    ask,
    subjects[(random >>> 0) % subjects.length],
    (kind) => (kinds[kind] = (kinds[kind] ?? 0) + 1),
  )
  answerer.endBatch()
  batches++
  Atomics.wait(stop, 0, 0, pauseMs)
}
const result: ReaderResult = { batches, queries, kinds, contradiction: found }
parentPort!.postMessage(result)
