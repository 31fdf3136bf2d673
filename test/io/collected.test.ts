import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { SUPPORTED } from '../../src/io/layouts.ts'

const BATCHES = 1_000_000
const GROWTH_MAX_BYTES = 16 * 2 ** 20
const program = fileURLToPath(new URL('./collected.ts', import.meta.url))

test('a million batches under forced garbage collection arrive whole', { skip: !SUPPORTED }, () => {
  const output = execFileSync(process.execPath, ['--expose-gc', program, String(BATCHES)], {
    encoding: 'utf8',
    timeout: 120_000,
  })
  const result = JSON.parse(output)
  assert.equal(result.exchanged, BATCHES * 1.5)
  assert.ok(result.grownBytes < GROWTH_MAX_BYTES, `memory grew by ${result.grownBytes} octets`)
})
