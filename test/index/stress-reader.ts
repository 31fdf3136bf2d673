// A reader thread of the stress test: holds a version, looks at every pair of names, lets go. Anything that is not as the
// writer wrote it in one transaction is reported, and ends it.

import { parentPort, workerData } from 'node:worker_threads'
import { attachRegion, entryBlock, rootTrie, rootVersion } from '../../src/index/layout.ts'
import { find, findAll } from '../../src/index/lookup.ts'
import { holdNewest, holdNothing } from '../../src/index/reader.ts'
import { describe, queryFor, read } from './oracle.ts'
import { contentsAt, namesOf, PAIRS, STOP, type StressData, versionsWord } from './stress-content.ts'

const { buffer, control, reader } = workerData as StressData
const region = attachRegion(buffer)
const flags = new Int32Array(control)
const pairs = Array.from({ length: PAIRS }, (_, pair) => namesOf(pair).map(queryFor))

/** What both names of a pair hold, and that it is of one version; '' if they do not exist. */
function checkPair(root: number, pair: number): void {
  const version = rootVersion(region.words, root)
  const [left, right] = pairs[pair].map(({ hash, meta, keyWords }, i) => {
    const entry = find(region.words, rootTrie(region.words, root), hash, meta, keyWords)
    const batched = pairs[pair][i]
    if (batched.entry !== entry) throw new Error(`find() and findAll() differ at pair ${pair} of version ${version}`)
    return entry === 0 ? '' : read(region, entryBlock(region.words, entry))
  })
  if (left === '' && right === '') return
  const change = Number(/^16 (\d+);/.exec(left)?.[1] ?? 0)
  const [expectedLeft, expectedRight] = contentsAt(pair, change).map(describe)
  if (left !== expectedLeft || right !== expectedRight) {
    throw new Error(`pair ${pair} of version ${version}: '${left}' and '${right}'`)
  }
}

const BATCH = 8 // pairs

let holds = 0
let last = 0
try {
  while (Atomics.load(flags, STOP) === 0) {
    const root = holdNewest(region, reader)
    const version = rootVersion(region.words, root)
    if (version < last) throw new Error(`version ${version} after ${last}`)
    if (version > last) Atomics.add(flags, versionsWord(reader), 1)
    last = version
    // Short and long holds, and two rounds in each: what was read once must still be there.
    const batches = 1 << (holds % 4)
    for (let i = 0; i < 2 * batches; i++) {
      const from = ((holds + (i % batches)) * BATCH) % PAIRS
      const batch = pairs.slice(from, from + BATCH).flat()
      findAll(region.words, rootTrie(region.words, root), batch, batch.length)
      for (let pair = from; pair < from + BATCH; pair++) checkPair(root, pair)
    }
    if (rootVersion(region.words, root) !== version) throw new Error('the root changed under a reader')
    holds++
    // Every second time the next version is held without letting go of this one.
    if (holds % 2 === 0) holdNothing(region, reader)
  }
  holdNothing(region, reader)
  parentPort!.postMessage({ holds, error: null })
} catch (error) {
  holdNothing(region, reader)
  parentPort!.postMessage({ holds, error: String((error as Error).message) })
}
