// Reloads under load, a few; a thousand by hand (reload-load.ts).

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SUPPORTED } from '../../src/io/layouts.ts'
import { reloadUnderLoad } from './reload-load.ts'

const skip = SUPPORTED ? false : 'its load is made by system calls of Linux'

/** Less than half: what is asked for is that reloads lose nothing, whatever else the machine does meanwhile. */
const SHARE = 0.2

test('reloads under load lose nothing and change no answer', {
  skip,
  timeout: 120_000,
}, async (context) => {
  const report = await reloadUnderLoad({ rounds: 10, share: SHARE })
  context.diagnostic(JSON.stringify(report))
  const { blast, load, counted } = report
  assert.deepEqual({ lost: blast.lost, wrong: blast.wrong, stray: blast.stray }, { lost: 0, wrong: 0, stray: 0 })
  assert.deepEqual({ lost: load.lost, wrong: load.wrong, examples: load.examples }, { lost: 0, wrong: 0, examples: [] })
  assert.ok(blast.answered > 1000, 'there was a load')
  assert.equal(counted[0], counted[1], 'every query was counted, whatever was loaded while it came')
})
