// A reader's thread of the cache's stress test: holds, looks at some questions, looks at all it has found once more, lets go. Anything
// that is not as one put() made it is reported, and ends it.

import { parentPort, workerData } from 'node:worker_threads'
import { CacheReader } from '../../src/forward/cache-reader.ts'
import { DENIAL, SUCCESS } from '../../src/forward/ready-answer.ts'
import { findVersions, generator, questionOf, versionAt } from './cache-content.ts'
import { HITS, QUESTION_COUNT, STOP, type StressData } from './cache-threads-data.ts'

const { region, control, seed, number: readerNumber } = workerData as StressData
const words = new Int32Array(control)
const random = generator(seed)
const reader = new CacheReader(region, readerNumber)
const questions = Array.from({ length: QUESTION_COUNT }, (_, number) => questionOf(number))
const BATCH_MAX = 64

interface Found {
  readonly ref: number
  readonly number: number
  readonly kind: number
  readonly version: number
}

let error: string | null = null
let batches = 0
try {
  while (Atomics.load(words, STOP) === 0) {
    reader.hold()
    const found: Found[] = []
    const count = 1 + random(BATCH_MAX)
    for (let i = 0; i < count; i++) {
      const number = random(QUESTION_COUNT)
      const versions = findVersions(reader, questions[number])
      const refs = [reader.success, reader.denial]
      for (const kind of [SUCCESS, DENIAL]) {
        const ref = refs[kind]
        if (ref === 0) continue
        found.push({ ref, number, kind, version: versions[kind] })
        reader.hit(ref)
        reader.streak(ref, versions[kind] + 5, 60_000)
        reader.claimRefresh(ref, versions[kind] + 5, 10)
      }
    }
    for (const { ref, number, kind, version } of found) {
      if (versionAt(reader, ref, number, kind) !== version) throw new Error(`question ${number} changed while held`)
    }
    Atomics.add(words, HITS + readerNumber, found.length)
    // Every second time it holds again without letting go.
    if (batches++ % 2 === 0) reader.release()
  }
} catch (thrown) {
  error = (thrown as Error).message
}
reader.release()
parentPort!.postMessage({ batches, error })
