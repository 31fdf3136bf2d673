// The reader protocol, proved on a model: no order of steps lets a reader see memory that was used again, and whatever is
// retired comes back. The same search finds out every protocol that is wrong, so it can find out this one.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Mistake, ReaderModel } from './reader-model.ts'

const STATES_MAX = 3_000_000

const sound: [readers: number, versions: number][] = [
  [1, 9],
  [2, 7],
  [3, 5],
]
for (const [readers, versions] of sound) {
  test(`${readers} readers, ${versions} versions: every order of steps`, (t) => {
    const { states, counterexample, reuses } = new ReaderModel(readers, versions, 'none').search(STATES_MAX)
    t.diagnostic(`${states} states`)
    assert.deepEqual(counterexample, null)
    assert.ok(reuses > 0, 'memory is used again')
  })
}

const wrong: Mistake[] = [
  'not pinned',
  'scanned before publication',
  'version announced before the load',
  'released before the last read',
  'passed one version early',
]
for (const mistake of wrong) {
  test(`found to be wrong: ${mistake}`, (t) => {
    const { counterexample } = new ReaderModel(2, 3, mistake).search(STATES_MAX)
    assert.ok(counterexample !== null)
    t.diagnostic(counterexample.join('; '))
  })
}
