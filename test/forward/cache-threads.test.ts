// Real threads: a writer that puts and evicts as fast as it can in a cache that is far too small, readers that check every word they see,
// and one that is ended again and again while it holds. The writer is ended in mid-write, too, and replaced. TEST_STRESS_SECONDS makes it longer.

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import { CacheReader } from '../../src/forward/cache-reader.ts'
import { createCache, readCacheFigures } from '../../src/forward/cache-region.ts'
import { CONTROL_OCTETS, HITS, PUTS, REFUSED, STOP, type StressData } from './cache-threads-data.ts'

const SECONDS = Number(process.env.TEST_STRESS_SECONDS ?? 3)
const SEED = Number(process.env.TEST_SEED ?? 20260201)
const READERS = 2
const SUCCESSIONS_MIN = 3
const HITS_MIN = 10_000
const EVICTIONS_MIN = 500
const PATIENCE_MS = 40_000

interface Report {
  readonly batches: number
  readonly error: string | null
}

test('no torn entry, none of another question, whoever dies', { timeout: (SECONDS + 60) * 1000 }, async (t) => {
  t.diagnostic(`seed ${SEED}, ${SECONDS} s`)
  const region = createCache({ success: 0, denial: 0, octets: 0 }, READERS + 1)
  const control = new SharedArrayBuffer(CONTROL_OCTETS)
  const words = new Int32Array(control)
  let threads = 0
  const start = (file: string, number: number): Worker => {
    const workerData: StressData = { region, control, seed: SEED + 7919 * ++threads, number }
    return new Worker(new URL(file, import.meta.url), { workerData })
  }
  const report = async (reader: Worker): Promise<Report> => ((await once(reader, 'message')) as [Report])[0]

  const readers = Array.from({ length: READERS }, (_, number) => start('./cache-threads-reader.ts', number))
  const reports = readers.map(report)
  const errors: string[] = []
  for (const pending of reports) {
    void pending.then(({ error }) => {
      if (error !== null) errors.push(error)
    })
  }
  const beganMs = performance.now()
  const isEnough = (): boolean => {
    const hits = Array.from({ length: READERS }, (_, number) => Atomics.load(words, HITS + number))
    const { evictions } = readCacheFigures(region)
    const isFull = Math.min(evictions.success, evictions.denial) > EVICTIONS_MIN
    return isFull && successions >= SUCCESSIONS_MIN && hits.every((count) => count > HITS_MIN)
  }
  let successions = 0
  while (errors.length === 0) {
    const writer = start('./cache-threads-writer.ts', 0)
    const mortal = start('./cache-threads-reader.ts', READERS)
    mortal.once('message', ({ error }: Report) => {
      if (error !== null) errors.push(error)
    })
    await once(writer, 'message')
    await setTimeout(300 + ((successions * 37) % 100))
    await Promise.all([writer.terminate(), mortal.terminate()])
    new CacheReader(region, READERS).release()
    successions++
    const elapsedMs = performance.now() - beganMs
    if (elapsedMs > PATIENCE_MS || (elapsedMs > SECONDS * 1000 && isEnough())) break
  }
  Atomics.store(words, STOP, 1)
  const results = await Promise.all(reports)
  const { entries, evictions } = readCacheFigures(region)
  t.diagnostic(
    `${successions} writers, ${words[PUTS]} puts, ${words[REFUSED]} refused, ` +
      `${JSON.stringify(entries)} entries at the end, ${JSON.stringify(evictions)} evictions; ` +
      results.map(({ batches }, i) => `${words[HITS + i]} hits in ${batches} batches`).join('; '),
  )
  assert.deepEqual(errors, [])
  assert.ok(isEnough(), 'readers found much, from several writers, in a full cache')
})
