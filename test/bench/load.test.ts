// The load tester's own measurement: its options, its verdicts, and the stand-in whose delays are known.

import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { PARTS, readOptions } from '../../bench/load/options.ts'
import { type Finding, loadFigures, verdict } from '../../bench/load/report.ts'
import { compileStandIn, type Manner, StandIn } from '../../bench/load/stand-in.ts'
import { findProgram } from '../../bench/serve/process.ts'

const QUERIES = 20
const skip = findProgram('cc') && findProgram('taskset') ? false : 'no C compiler, or no taskset'

function finding(values: readonly number[], least: number, most: number): Finding {
  return { part: 'rate', what: 'sent', unit: '%', better: 'lower', values, goal: { least, most }, note: '' }
}

test('the median decides, and both ends are within', () => {
  const cases: [finding: Finding, expected: ReturnType<typeof verdict>][] = [
    [finding([0.5], -0.5, 0.5), 'met'],
    [finding([-0.5], -0.5, 0.5), 'met'],
    [finding([-0.6], -0.5, 0.5), 'NOT MET'],
    [finding([0.1, 9, 0.2], -0.5, 0.5), 'met'],
    [finding([9, 0.1, 9], -0.5, 0.5), 'NOT MET'],
    [finding([1000], 1000, Number.POSITIVE_INFINITY), 'met'],
    [finding([Number.NaN], -0.5, 0.5), 'NOT MET'],
    [{ ...finding([9], 0, 1), goal: null }, ''],
  ]
  for (const [each, expected] of cases) assert.equal(verdict(each), expected, String(each.values))
  assert.deepEqual(loadFigures([finding([1, 2], 0, 1)]), [
    { name: 'rate: sent', unit: '%', better: 'lower', values: [1, 2] },
  ])
})

test('options are read, or say what they may be', () => {
  assert.equal(readOptions(['--help']), undefined)
  const defaults = readOptions([])
  assert.deepEqual([defaults?.parts, defaults?.rounds, defaults?.seconds, defaults?.sockets], [PARTS, 3, 10, 128])
  const quick = readOptions(['--quick', '--parts', 'rate,latency', '--rounds', '2', '--json'])
  assert.deepEqual([quick?.parts, quick?.rounds, quick?.seconds], [['latency', 'rate'], 2, 2])
  assert.deepEqual([quick?.isRecorded, quick?.jsonPath], [true, ''])
  for (const wrong of [['--parts', 'all'], ['--rounds', '0'], ['--sockets', '9999'], ['--what']]) {
    assert.throws(() => readOptions(wrong))
  }
})

/** Sends queries and waits for their answers. @returns what the stand-in measured, and how long all of it took, in milliseconds */
async function ask(program: string, manner: Manner): Promise<{ known: Record<string, number>; tookMs: number }> {
  const probe = createSocket('udp4').bind(0, '127.0.0.1')
  await once(probe, 'listening')
  const { port } = probe.address() as AddressInfo
  await new Promise<void>((resolve) => probe.close(() => resolve()))
  const standIn = await StandIn.start(program, 0, port, manner)
  const client = createSocket('udp4')
  try {
    const ids = new Set<number>()
    const all = new Promise<void>((resolve) => {
      client.on('message', (answer) => {
        assert.equal(answer[2], 0x81, 'QR, and RD as it was')
        ids.add(answer[0])
        if (ids.size === QUERIES) resolve()
      })
    })
    const begunMs = performance.now()
    for (let id = 0; id < QUERIES; id++) {
      client.send(Uint8Array.of(id, 0, 0x01, 0, 0, 1, 0, 0, 0, 0, 0, 0), port, '127.0.0.1')
    }
    await all
    return { known: { ...(await standIn.tell()) }, tookMs: performance.now() - begunMs }
  } finally {
    client.close()
    await standIn.stop()
  }
}

test('the stand-in makes the delays that it is told to, and tells them', { skip }, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'peregrine-stand-in-'))
  try {
    const program = compileStandIn(folder)
    const delay = await ask(program, { mode: 'delay', number: 10_000 })
    assert.deepEqual([delay.known.count, delay.known.drops], [QUERIES, 0])
    assert.ok(delay.known.p0 >= 10e6, `${delay.known.p0} ns`)
    assert.ok(delay.known.p50 <= delay.known.p100)
    // One at a time: the last waits for all before it.
    const serve = await ask(program, { mode: 'serve', number: 1000 })
    assert.equal(serve.known.count, QUERIES)
    assert.ok(serve.known.p0 >= 1e6 && serve.tookMs >= QUERIES * 0.99, `${serve.tookMs} ms`)
    // What came while it was frozen is answered then.
    const freeze = await ask(program, { mode: 'freeze', number: 900 })
    assert.deepEqual([freeze.known.count, freeze.known.drops], [QUERIES, 0])
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})
