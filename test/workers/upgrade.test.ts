import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { SUPPORTED } from '../../src/io/layouts.ts'
import { runTraffic, ServerProcess } from './server-process.ts'

const skip = !SUPPORTED && 'SKIPPED: needs the batched transport'
const HANDOVERS = Number(process.env.PEREGRINE_HANDOVERS ?? 5)
const RATE = 10_000

for (const address of ['127.0.0.1', '0.0.0.0']) {
  test(`${HANDOVERS} handovers from process to process on ${address} lose nothing`, { skip }, async () => {
    let serving = await ServerProcess.start({ addresses: [address] })
    const { port } = serving
    const seconds = HANDOVERS + 1
    const traffic = runTraffic({ port, rate: RATE, queries: RATE * seconds, sockets: 32 })
    const stopMs: number[] = []
    await sleep(500)
    for (let handover = 0; handover < HANDOVERS; handover++) {
      const successor = await ServerProcess.start({ addresses: [address], port })
      await sleep(100)
      const { stopMs: took, exitCode, stats } = await serving.stop()
      assert.equal(exitCode, 0)
      for (const { received, answered } of stats.query) assert.equal(received, answered)
      stopMs.push(Math.round(took))
      serving = successor
      await sleep(400)
    }
    const result = await traffic
    await serving.stop()
    console.log(JSON.stringify({ ...result, workers: undefined, stopMs }))
    assert.equal(result.lost, 0)
    assert.equal(result.strange, 0)
    assert.ok(Math.max(...stopMs) < 900)
  })
}
