// The thread of no-garbage.test.ts: answers queries in batches as a query worker does, and says how often V8 collected.

import { constants, PerformanceObserver, performance } from 'node:perf_hooks'
import { setTimeout } from 'node:timers/promises'
import { parentPort, workerData } from 'node:worker_threads'
import { type AnswerSource, createAnswerer } from '../../src/workers/answer.ts'

/** What the thread is handed. */
export interface Task {
  readonly source: AnswerSource
  /** Queries of one kind, all of them answered again and again. */
  readonly queries: readonly Uint8Array[]
  readonly warmUpCount: number
  readonly count: number
  /** Look names up side by side, as a worker does from 4 datagrams on. */
  readonly readsAhead: boolean
  /** Allocate an object a query: shows that the test can fail. */
  readonly wasteful: boolean
}

/** What it reports. */
export interface Outcome {
  readonly answered: number
  readonly silent: number
  readonly truncated: number
  /** RCODE -> responses. */
  readonly rcodes: readonly number[]
  /** Young-generation collections while it warmed up, and after that. */
  readonly warmUpCollections: number
  readonly collections: number
  readonly otherCollections: number
}

const BATCH = 64
const SLOT_STRIDE = 4096 + 192
const CAPACITY = 4096

const { source, queries, warmUpCount, count, readsAhead, wasteful } = workerData as Task
const slab = new Uint8Array(BATCH * SLOT_STRIDE)
const lengths = new Int32Array(BATCH)
const rcodes = new Int32Array(16)
const tallies = new Int32Array(3)
const answerer = createAnswerer(source, 0)
answerer.setHome(slab)
const waste: { kept: unknown } = { kept: null }

/** Copies, not `set`: neither a view nor a call out of JavaScript for each query. */
function receive(slot: number, query: Uint8Array): void {
  const start = slot * SLOT_STRIDE
  for (let i = 0; i < query.length; i++) slab[start + i] = query[i]
  lengths[slot] = query.length
}

function answerAll(queryCount: number): void {
  let next = 0
  for (let done = 0; done < queryCount; done += BATCH) {
    for (let slot = 0; slot < BATCH; slot++) {
      receive(slot, queries[next])
      if (++next === queries.length) next = 0
    }
    answerer.beginBatch()
    if (readsAhead) {
      for (let slot = 0; slot < BATCH; slot++) answerer.prepare(slab, slot * SLOT_STRIDE, lengths[slot])
      answerer.findPrepared()
    }
    for (let slot = 0; slot < BATCH; slot++) {
      const start = slot * SLOT_STRIDE
      const length = answerer.answer(slab, start, lengths[slot], CAPACITY, false)
      if (length === 0) {
        tallies[1]++
        continue
      }
      tallies[0]++
      rcodes[slab[start + 3] & 15]++
      if ((slab[start + 2] & 0x02) !== 0) tallies[2]++
      if (wasteful) waste.kept = { length }
    }
    answerer.endBatch()
  }
}

const events: { kind: number; at: number }[] = []
const observer = new PerformanceObserver((list) => {
  for (const entry of list.getEntries() as (PerformanceEntry & { detail: { kind: number } })[]) {
    events.push({ kind: entry.detail.kind, at: entry.startTime })
  }
})
observer.observe({ entryTypes: ['gc'] })
// Twice, with a pause: code optimized in the background is taken over between calls as well as within.
answerAll(warmUpCount)
await setTimeout(50)
answerAll(warmUpCount)
await setTimeout(50)
rcodes.fill(0)
tallies.fill(0)
const begin = performance.now()
answerAll(count)
const end = performance.now()
// Collections are reported with the next turn of the event loop.
await setTimeout(100)
observer.disconnect()

const during = events.filter(({ at }) => at >= begin && at <= end)
const isYoung = ({ kind }: { kind: number }): boolean => kind === constants.NODE_PERFORMANCE_GC_MINOR
const outcome: Outcome = {
  answered: tallies[0],
  silent: tallies[1],
  truncated: tallies[2],
  rcodes: [...rcodes],
  warmUpCollections: events.filter((event) => event.at < begin && isYoung(event)).length,
  collections: during.filter(isYoung).length,
  otherCollections: during.filter((event) => !isYoung(event)).length,
}
parentPort!.postMessage(outcome)
