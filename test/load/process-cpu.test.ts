// Processor time of process trees, against processes whose work is known.

import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { after, test } from 'node:test'
import { LoadInputError } from '../../src/load/input-error.ts'
import { cpuTimeNs, processTree, serverCpuTimeNs, serverProcesses } from '../../src/load/process-cpu.ts'

const BUSY_NS = 200e6
const BUSY = `while (process.cpuUsage().user * 1000 < ${BUSY_NS}) for (let i = 0; i < 1e6; i++); process.stdout.write('x')`
/** It is in the background of a shell, which waits for its own input to end. */
const CHILD_BUSY = `"$0" -e "$1; process.stdin.resume()" <&0 & wait`

const children: ChildProcess[] = []
after(() => {
  for (const child of children) child.kill('SIGKILL')
})

/** Starts a program and waits until it has worked. */
async function worked(...[program, ...words]: string[]): Promise<ChildProcess> {
  const child = spawn(program, words, { stdio: ['pipe', 'pipe', 'inherit'] })
  children.push(child)
  await once(child.stdout!, 'data')
  return child
}

test('the work of a child is the work of its parent', async () => {
  const shell = await worked('sh', '-c', CHILD_BUSY, process.execPath, BUSY)
  const pid = shell.pid!
  const tree = processTree(pid)
  assert.equal(tree.length, 2)
  assert.deepEqual(serverProcesses([pid]), tree)
  assert.deepEqual(serverProcesses([pid, tree[1]]), tree, 'a child that is named too is no second one')
  const all = serverCpuTimeNs([pid]) ?? 0
  assert.ok(all >= BUSY_NS * 0.9, `${all} ns, not ${BUSY_NS}`)
  assert.ok(cpuTimeNs([pid]) < BUSY_NS / 2, 'the shell alone has done nothing')
  assert.ok((serverCpuTimeNs([pid, tree[1]]) ?? 0) < all * 1.5, 'nor is its time counted twice')
  shell.stdin!.end()
})

test('who has ended has no processor time', async () => {
  const child = await worked(process.execPath, '-e', `process.stdout.write('x'); process.stdin.resume()`)
  const pid = child.pid!
  assert.notEqual(serverCpuTimeNs([process.pid, pid]), null)
  child.kill('SIGKILL')
  await once(child, 'close')
  assert.equal(serverCpuTimeNs([process.pid, pid]), null)
  assert.equal(serverCpuTimeNs([]), null)
  assert.throws(
    () => serverProcesses([process.pid, pid]),
    (error) => error instanceof LoadInputError && error.message === `--pid ${pid}: there is no such process`,
  )
})
