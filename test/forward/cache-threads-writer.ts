// The writer's thread of the cache's stress test: puts and drops as fast as it can, until it is ended in the middle of it.

import { parentPort, workerData } from 'node:worker_threads'
import { CacheWriter } from '../../src/forward/cache-writer.ts'
import { CLASS_IN, ContentWriter, formLength, generator, questionOf } from './cache-content.ts'
import { PUTS, QUESTION_COUNT, REFUSED, STOP, type StressData, VERSION } from './cache-threads-data.ts'

const { region, control, seed } = workerData as StressData
const words = new Int32Array(control)
const random = generator(seed)
const writer = new CacheWriter(region)
const content = new ContentWriter(writer)
const questions = Array.from({ length: QUESTION_COUNT }, (_, number) => questionOf(number))

parentPort!.postMessage('writing')
for (;;) {
  for (let i = 1 + random(200); i > 0; i--) {
    const question = questions[random(QUESTION_COUNT)]
    const kind = random(2)
    if (random(8) === 0) writer.drop(question.key, question.type, CLASS_IN, question.bits, kind)
    const version = 1 + (Atomics.add(words, VERSION, 1) % 1_000_000)
    const isPut = content.put(question, kind, version, formLength(question.number, version))
    Atomics.add(words, isPut ? PUTS : REFUSED, 1)
    // Some reader holds, and has no core just now.
    if (!isPut) Atomics.wait(words, STOP, 0, 0.2)
  }
  writer.flush()
}
