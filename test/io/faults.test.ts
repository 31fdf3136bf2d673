import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { after, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { EMPTY } from '../../src/io/slab.ts'
import { compilerMissing, compileShim } from './compiled.ts'

const skip = compilerMissing()
const client = fileURLToPath(new URL('./fault-client.ts', import.meta.url))
let shim: ReturnType<typeof compileShim>

before(() => {
  if (skip === false) shim = compileShim()
})
after(() => shim?.dispose())

function run(action: string, faults: string): Record<string, unknown> {
  const env = { ...process.env, LD_PRELOAD: shim.path, PEREGRINE_FAULTS: faults }
  return JSON.parse(execFileSync(process.execPath, [client, action], { env, encoding: 'utf8', timeout: 20_000 }))
}

const times = (count: number, fault: string) => Array(count).fill(fault).join(',')

// Eight queries, IDs 0 to 7; the one with ID 3 is to get no answer.
const sending: [faults: string, failures: number, heard: number[], why: string][] = [
  ['', 0, [0, 1, 2, 4, 5, 6, 7], 'no fault: two runs around the silent slot'],
  ['sendmmsg=EINTR', 0, [0, 1, 2, 4, 5, 6, 7], 'tried again'],
  ['sendmmsg=EAGAIN', 0, [0, 1, 2, 4, 5, 6, 7], 'tried again'],
  ['sendmmsg=ENOBUFS', 0, [0, 1, 2, 4, 5, 6, 7], 'tried again'],
  ['sendmmsg=ECONNREFUSED', 0, [0, 1, 2, 4, 5, 6, 7], 'an earlier answer earned it: tried again'],
  ['sendmmsg=EMSGSIZE', 1, [1, 2, 4, 5, 6, 7], 'this message will never fit'],
  ['sendmmsg=EPERM', 1, [1, 2, 4, 5, 6, 7], 'a firewall says no to this one'],
  ['sendmmsg=EINVAL', 1, [1, 2, 4, 5, 6, 7], 'a peer with port 0, say'],
  ['sendmmsg=EAGAIN,sendmmsg=EAGAIN', 1, [1, 2, 4, 5, 6, 7], 'twice is enough'],
  ['sendmmsg=short,sendmmsg=EMSGSIZE', 1, [0, 2, 4, 5, 6, 7], 'the second message fails'],
  ['sendmmsg=short,sendmmsg=short,sendmmsg=short', 0, [0, 1, 2, 4, 5, 6, 7], 'one at a time'],
  ['sendmmsg=zero', 1, [1, 2, 4, 5, 6, 7], 'no progress is a failure, not a loop'],
  ['sendmmsg=toomany', 1, [1, 2, 4, 5, 6, 7], 'a count that cannot be is not believed'],
  [times(60, 'sendmmsg=EAGAIN'), 7, [], 'a full send buffer for good: everything given up, nothing spins'],
]

for (const [faults, failures, heard, why] of sending) {
  test(`sending with ${faults.slice(0, 60) || 'no fault'}: ${why}`, { skip }, () => {
    assert.deepEqual(run('send', faults), { failures, heard, phase: EMPTY })
  })
}

const everyone = [0, 1, 2, 4, 5, 6, 7]
const whole = Array(8).fill(20)
const receiving: [faults: string, expected: object, why: string][] = [
  ['', { counts: [8, -11, -11, -11], lengths: whole, cut: -1, heard: everyone }, 'no fault'],
  ['recvmmsg=EINTR', { counts: [-4, 8, -11, -11], lengths: whole, cut: -1, heard: everyone }, 'nothing is touched'],
  ['recvmmsg=ENOMEM', { counts: [-12, 8, -11, -11], lengths: whole, cut: -1, heard: everyone }, 'nothing is touched'],
  ['recvmmsg=toomany', { counts: [-71, 8, -11, -11], lengths: whole, cut: -1, heard: everyone }, 'not believed'],
  ['recvmmsg=zero', { counts: [0, 8, -11, -11], lengths: whole, cut: -1, heard: everyone }, 'no batch'],
  ['recvmmsg=short', { counts: [1, 7, -11, -11], lengths: whole, cut: -1, heard: everyone }, 'one, then the rest'],
  ['recvmmsg=trunc', { counts: [8, -11, -11, -11], lengths: whole, cut: 0, heard: everyone }, 'flagged as cut'],
  [
    'recvmmsg=toolong',
    { counts: [8, -11, -11, -11], lengths: [0, ...whole.slice(1)], cut: -1, heard: everyone.slice(1) },
    'longer than the buffer: that slot is not answered',
  ],
  [
    'recvmmsg=longname',
    { counts: [8, -11, -11, -11], lengths: [0, ...whole.slice(1)], cut: -1, heard: everyone.slice(1) },
    'an address longer than its room: that slot is not answered',
  ],
  [
    'recvmmsg=longcontrol',
    { counts: [8, -11, -11, -11], lengths: whole, cut: -1, heard: everyone },
    'control messages longer than their room: sent without any',
  ],
]

for (const [faults, expected, why] of receiving) {
  test(`receiving with ${faults || 'no fault'}: ${why}`, { skip }, () => {
    assert.deepEqual(run('receive', faults), expected)
  })
}

test('waiting: interruptions and impossible counts are errors, then it works again', { skip }, () => {
  assert.deepEqual(run('wait', 'poll=EINTR,poll=toomany'), { results: [-4, -71, 0] })
})
