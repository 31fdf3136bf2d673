// A thread that is kept on one core: the others of the process stay where they are.

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { Worker } from 'node:worker_threads'
import { keepOnCore } from '../../../src/io/affinity.ts'
import { SUPPORTED } from '../../../src/io/layouts.ts'
import type { SystemError } from '../../../src/io/libc.ts'

const skip = SUPPORTED ? false : 'not a platform of the batched transport'

/** Cores of the calling thread, as proc_pid_status(5) lists them. */
function allowed(): string {
  return /^Cpus_allowed_list:\s+(\S+)$/m.exec(readFileSync('/proc/thread-self/status', 'latin1'))?.[1] ?? ''
}

test('a thread is kept on one core, and no other thread', { skip }, async () => {
  const before = allowed()
  const core = Number(/\d+$/.exec(before)?.[0])
  const code = `
    const { parentPort, workerData } = require('node:worker_threads')
    const { readFileSync } = require('node:fs')
    import(workerData.affinity).then(({ keepOnCore }) => {
      keepOnCore(workerData.core)
      parentPort.postMessage(readFileSync('/proc/thread-self/status', 'latin1'))
    })`
  const affinity = new URL('../../../src/io/affinity.ts', import.meta.url).href
  const worker = new Worker(code, { eval: true, workerData: { affinity, core } })
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  worker.once('message', resolve)
  worker.once('error', reject)
  assert.match(await promise, new RegExp(`^Cpus_allowed_list:\\s+${core}$`, 'm'))
  assert.equal(allowed(), before)
})

test('a core that is not there is an error', { skip }, () => {
  const before = allowed()
  for (const core of [1000, 1023, 1024, 5000]) {
    assert.throws(
      () => keepOnCore(core),
      ({ code }: SystemError) => code === 'EINVAL',
    )
  }
  assert.equal(allowed(), before)
})
