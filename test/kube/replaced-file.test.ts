// A file put in place of another: whole, or not at all; and what others have left beside it.

import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { replaceFile, temporaryName } from '../../src/kube/replaced-file.ts'

test('what is written replaces what was there, and old leftovers go', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'peregrine-replaced-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  const path = join(folder, 'state')
  const twoHoursAgo = Date.now() / 1000 - 7200
  for (const name of ['state.other-7.tmp', 'state.other-8.tmp', 'other.other-7.tmp', 'state.refused']) {
    writeFileSync(join(folder, name), name)
    if (name !== 'state.other-8.tmp') utimesSync(join(folder, name), twoHoursAgo, twoHoursAgo)
  }
  writeFileSync(temporaryName(path), 'of a process of the same number that was killed: longer than what comes')
  await replaceFile(path, async (file) => {
    await file.write('first')
    assert.ok(!readdirSync(folder).includes('state'))
  })
  assert.equal(readFileSync(path, 'utf8'), 'first')
  assert.deepEqual(readdirSync(folder).sort(), ['other.other-7.tmp', 'state', 'state.other-8.tmp', 'state.refused'])

  await assert.rejects(
    replaceFile(path, async (file) => {
      await file.write('second')
      throw new Error('in the middle')
    }),
    /in the middle/,
  )
  assert.equal(readFileSync(path, 'utf8'), 'first')
  assert.ok(!readdirSync(folder).includes(temporaryName('state')))
})
