// Several datagrams to a system call, both ways: what is sent as segments, and what comes back as one message, is counted as the
// single queries and answers that it is.

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import { Worker } from 'node:worker_threads'
import { SUPPORTED } from '../../../src/io/layouts.ts'
import { LoadSession, type Sample } from '../../../src/load/session.ts'
import type { SegmentsSetting } from './segments-thread.ts'
import { loopbackSpec, loopbackTarget } from './specs.ts'
import { tableOf } from './tables.ts'
import { withServer } from './udp-server.ts'

const skip = SUPPORTED ? false : 'not a platform of the batched transport'
const COUNT = 2000
const LONG_MS = 60_000
/** All of one length. */
const names = Array.from({ length: COUNT }, (_, i) => `n${String(i).padStart(5, '0')}.test`)
const table = tableOf(names)
const [length] = table.lengths

async function withSegments(use: (port: number, words: Int32Array) => Promise<void>): Promise<void> {
  const words = new Int32Array(new SharedArrayBuffer(12))
  const workerData: SegmentsSetting = { length, words }
  const worker = new Worker(new URL('./segments-thread.ts', import.meta.url), { workerData })
  const exit = once(worker, 'exit')
  try {
    const [port] = await once(worker, 'message')
    await use(port as number, words)
  } finally {
    Atomics.store(words, 0, 1)
    await exit
  }
}

test('answers that come as one message are told apart, wherever they begin', { skip }, async () => {
  assert.notEqual(length % 4, 0, 'the second of two begins between words')
  const session = await LoadSession.start(table, { workers: 1, cores: [] })
  try {
    for (const gso of [true, false]) {
      await withSegments(async (port, words) => {
        const seen: number[] = []
        const samples = (batch: readonly Sample[]): void => {
          for (const { index, response } of batch) {
            assert.equal(response.length, length)
            assert.equal(`${Buffer.from(response.subarray(13, 19))}.test`, names[index])
            seen.push(index)
          }
        }
        const more = { sockets: 1, gso, passes: 1, durationMs: LONG_MS, timeoutMs: 500, sampleEvery: 1 }
        const spec = loopbackSpec({ kind: 'closed', outstanding: 500 }, { ...more, target: loopbackTarget(port) })
        const result = await session.run(spec, { samples })
        const [, wrong, together] = words
        assert.ok(together > COUNT / 2, 'most left with others')
        assert.ok(wrong > COUNT / 6)
        const { sent, answered, lost, mismatched, malformed, unexpected, octetsReceived } = result
        assert.deepEqual(
          { sent, answered, lost, mismatched, malformed, unexpected, octetsReceived },
          {
            sent: COUNT,
            answered: COUNT - wrong,
            lost: wrong,
            mismatched: wrong,
            malformed: 0,
            unexpected: 0,
            octetsReceived: (COUNT - wrong) * length,
          },
        )
        assert.equal(new Set(seen).size, answered)
      })
    }
  } finally {
    await session.close()
  }
})

test('queries sent as segments are single queries to the server', { skip }, async () => {
  const session = await LoadSession.start(table, { workers: 2, cores: [] })
  try {
    await withServer('plain', async ({ port, record }) => {
      const more = { gso: true, passes: 1, durationMs: LONG_MS, target: loopbackTarget(port) }
      const result = await session.run(loopbackSpec({ kind: 'closed', outstanding: 300 }, more))
      const { queries, labels } = await record()
      assert.deepEqual([queries, new Set(labels).size], [COUNT, COUNT])
      assert.deepEqual([result.sent, result.answered, result.lost], [COUNT, COUNT, 0])
    })
  } finally {
    await session.close()
  }
})
