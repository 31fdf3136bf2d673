// The run before the first: against a mirror, as the others will be, and not for long.

import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { test } from 'node:test'
import { SUPPORTED } from '../../../src/io/layouts.ts'
import { rehearse } from '../../../src/load/rehearsal.ts'
import type { RunResult, RunSpec, Schedule } from '../../../src/load/run.ts'
import { LoadSession } from '../../../src/load/session.ts'
import { loopbackSpec } from './specs.ts'
import { numberedNames, tableOf } from './tables.ts'

const skip = SUPPORTED ? false : 'not a platform of the batched transport'

const schedules: [what: string, schedule: Schedule, rehearsed: Schedule][] = [
  ['an open loop', { kind: 'open', rate: 7 }, { kind: 'open', rate: 30_000 }],
  ['a ramp', { kind: 'ramp', from: 1, to: 2 }, { kind: 'open', rate: 30_000 }],
  ['a replay', { kind: 'replay', speed: 1 }, { kind: 'open', rate: 30_000 }],
  ['a closed loop of a few', { kind: 'closed', outstanding: 3 }, { kind: 'closed', outstanding: 3 }],
  ['a closed loop of many', { kind: 'closed', outstanding: 5000 }, { kind: 'closed', outstanding: 64 }],
]

for (const [what, schedule, rehearsed] of schedules) {
  test(`${what} is rehearsed, and answered`, { skip }, async () => {
    const session = await LoadSession.start(tableOf(numberedNames(50)), { workers: 1, cores: [] })
    const results: RunResult[] = []
    const run = async (spec: RunSpec): Promise<RunResult> => {
      const result = await session.run(spec)
      results.push(result)
      return result
    }
    try {
      const spec = { ...loopbackSpec(schedule), durationMs: 3000, passes: 1, sampleEvery: 1 }
      await rehearse({ run }, { ...spec, isStamped: true })
      assert.equal(results.length, 1)
      const [result] = results
      assert.deepEqual(result.spec.schedule, rehearsed)
      assert.equal(result.spec.isStamped, true)
      assert.notEqual(result.spec.target.port, spec.target.port)
      assert.ok(result.answered > 100, `${result.answered} were answered`)
      assert.ok(result.seconds < 0.5)
      assert.deepEqual([result.mismatched, result.malformed, result.unsampled], [0, 0, 0])
    } finally {
      await session.close()
    }
  })
}

test('it takes a tenth of what is to count, and not more than a second and a bit', async () => {
  const lengths = new Map([
    [100, 0],
    [499, 0],
    [500, 50],
    [5000, 500],
    [60_000, 1200],
    [3_600_000, 1200],
  ])
  for (const [durationMs, expected] of lengths) {
    let lengthMs = 0
    const run = (spec: RunSpec): Promise<RunResult> => {
      lengthMs += spec.warmupMs + spec.durationMs
      return Promise.resolve({} as RunResult)
    }
    await rehearse({ run }, { ...loopbackSpec({ kind: 'open', rate: 1 }), durationMs })
    assert.ok(Math.abs(lengthMs - expected) < 1e-6, `${lengthMs} of ${durationMs}`)
  }
})

test('what goes wrong is told, and the mirror is gone', async () => {
  let port = 0
  const run = ({ target }: RunSpec): Promise<RunResult> => {
    port = target.port
    return Promise.reject(new Error('no socket'))
  }
  const spec = { ...loopbackSpec({ kind: 'open', rate: 1 }), durationMs: 10_000 }
  await assert.rejects(rehearse({ run }, spec), /no socket/)
  // Else the port was taken.
  const other = createSocket('udp4')
  other.bind(port, '127.0.0.1')
  await once(other, 'listening')
  other.close()
})
