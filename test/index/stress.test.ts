// Real threads: one writer that changes, takes away and brings back names as fast as it can in a region that is hardly large
// enough, and readers that check all they see. Freed memory is poisoned. TEST_STRESS_SECONDS makes it longer.

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import { setImmediate, setTimeout } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import { RegionFullError } from '../../src/index/allocator.ts'
import { createRegion } from '../../src/index/layout.ts'
import { IndexWriter } from '../../src/index/writer.ts'
import { existing, write } from './oracle.ts'
import { CONTROL_OCTETS, contentsAt, namesOf, PAIRS, STOP, type StressData, versionsWord } from './stress-content.ts'

const SECONDS = Number(process.env.TEST_STRESS_SECONDS ?? 3)
const SEED = Number(process.env.TEST_SEED ?? 20260727)
const READERS = 3
const REGION_OCTETS = 192 * 1024
const VERSIONS_SEEN_MIN = 20
const PATIENCE_SECONDS = 30
const CHANGES_MAX = 50_000_000

interface Report {
  readonly holds: number
  readonly error: string | null
}

/** Numbers that the seed alone decides (xorshift32), 0..bound-1. */
function generator(seed: number): (bound: number) => number {
  let state = seed | 1
  return (bound) => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) % bound
  }
}

test('no reader sees reused memory, or half of a transaction', { timeout: (SECONDS + 60) * 1000 }, async (t) => {
  t.diagnostic(`seed ${SEED}, ${SECONDS} s`)
  const random = generator(SEED)
  const region = createRegion(REGION_OCTETS)
  const writer = new IndexWriter(region, { readerCount: READERS, poison: true })
  const apexes = [writer.addZone(), writer.addZone()]
  writer.publish(1)
  const startBytes = writer.stats.liveBytes

  const control = new SharedArrayBuffer(CONTROL_OCTETS)
  const words = new Int32Array(control)
  const stop = (): void => {
    Atomics.store(words, STOP, 1)
  }
  const isEnough = (): boolean =>
    full > 0 && workers.every((_, reader) => Atomics.load(words, versionsWord(reader)) > VERSIONS_SEEN_MIN)
  const workers = Array.from({ length: READERS }, (_, reader) => {
    const workerData: StressData = { buffer: region.buffer, control, reader }
    return new Worker(new URL('./stress-reader.ts', import.meta.url), { workerData })
  })
  const failed: string[] = []
  const reports = workers.map(async (worker): Promise<Report> => {
    const [report] = (await once(worker, 'message')) as [Report]
    if (report.error !== null) {
      failed.push(report.error)
      stop()
    }
    return report
  })

  let changes = 0
  let full = 0
  const clear = (pair: number): void => {
    for (const place of namesOf(pair)) {
      const name = existing(writer, apexes, place)
      if (name !== 0) writer.clearBlock(name)
    }
  }
  /** False if the region is full: nothing is changed then. */
  const changeSome = (): boolean => {
    changes++
    try {
      for (let left = 1 + random(4); left > 0; left--) {
        const pair = random(PAIRS)
        if (random(4) === 0) clear(pair)
        else {
          const contents = contentsAt(pair, changes)
          for (const [i, place] of namesOf(pair).entries()) write(writer, apexes, place, contents[i])
        }
      }
      writer.publish(changes)
      return true
    } catch (error) {
      if (!(error instanceof RegionFullError)) throw error
      full++
      writer.abort()
      writer.reclaim()
      return false
    }
  }
  const endMs = performance.now() + SECONDS * 1000
  // On a machine with other work a reader may come late.
  const isOver = (): boolean =>
    performance.now() > endMs && (isEnough() || performance.now() > endMs + PATIENCE_SECONDS * 1000)
  while (!isOver() && changes < CHANGES_MAX && failed.length === 0) {
    let room = true
    for (let i = 0; i < 200 && room; i++) room = changeSome()
    await (room ? setImmediate() : setTimeout(1))
  }
  stop()
  const results = await Promise.all(reports)
  assert.deepEqual(failed, [])

  t.diagnostic(
    `${writer.stats.version} versions of ${changes} changes, ${full} times full; ` +
      `${results.reduce((total, { holds }) => total + holds, 0)} holds`,
  )
  assert.ok(isEnough(), 'the region is tight, and every reader has seen many versions')

  for (let pair = 0; pair < PAIRS; pair++) {
    clear(pair)
    writer.publish(changes)
  }
  writer.reclaim()
  assert.equal(writer.stats.limboBytes, 0)
  assert.equal(writer.stats.liveBytes, startBytes, 'nothing is left behind')
})
