// Runs that cannot be made: whoever asked for one is told, and the process ends.

import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { SUPPORTED } from '../../../src/io/layouts.ts'
import { LoadSession } from '../../../src/load/session.ts'
import { loopbackSpec, loopbackTarget } from './specs.ts'
import { numberedNames, tableOf } from './tables.ts'
import { withServer } from './udp-server.ts'

const skip = SUPPORTED ? false : 'not a platform of the batched transport'
const PROGRAM = new URL('./failing-run.ts', import.meta.url).pathname
/** Far less than the run would take. */
const PATIENCE_MS = 30_000

const cases: [way: string, expected: RegExp][] = [
  ['prepare', /"code":"EINVAL"/], // the address of the server is none
  ['run', /"name":"Error".*"message":"Cannot read properties of undefined/],
  ['core', /"code":"EINVAL".*sched_setaffinity/],
  ['closed', /a worker thread ended/],
  ['while it runs', /a worker thread ended/],
]

for (const [way, expected] of cases) {
  test(`a run that fails: ${way}`, { skip }, async () => {
    const { stdout } = await promisify(execFile)(process.execPath, [PROGRAM, way], { timeout: PATIENCE_MS })
    assert.match(stdout, expected)
  })
}

test('a run that fails gives its sockets back', { skip }, async () => {
  // Without its lengths a table fails when the first query is written: all sockets are open then.
  const broken = { ...tableOf(numberedNames(20)), lengths: undefined as never }
  const session = await LoadSession.start(broken, { workers: 2, cores: [] })
  try {
    const opened = (): number => readdirSync('/proc/self/fd').length
    const before = opened()
    for (let i = 0; i < 3; i++) {
      await assert.rejects(session.run(loopbackSpec({ kind: 'open', rate: 1000 }, { sockets: 50 })), /undefined/)
      assert.ok(opened() < before + 50, `${opened()} descriptors, ${before} before`)
    }
  } finally {
    await session.close()
  }
})

test('a run that cannot be prepared leaves nothing behind, and the next one is made', { skip }, async () => {
  const session = await LoadSession.start(tableOf(numberedNames(20)), { workers: 2, cores: [] })
  try {
    const spec = loopbackSpec({ kind: 'closed', outstanding: 4 }, { passes: 1, durationMs: PATIENCE_MS })
    for (let i = 0; i < 3; i++) {
      await assert.rejects(session.run({ ...spec, target: loopbackTarget(53, 'nobody') }), /EINVAL/)
    }
    await withServer('plain', async ({ port }) => {
      const { answered } = await session.run({ ...spec, target: loopbackTarget(port) })
      assert.equal(answered, 20)
    })
  } finally {
    await session.close()
  }
})
