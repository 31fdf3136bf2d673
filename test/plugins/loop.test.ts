import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createLoop, type LoopPass } from '../../src/plugins/loop.ts'
import { replyOf } from '../../src/plugins/plugin.ts'
import { replyTo, requestOf } from './chain.ts'

const NAME = '123.456.example.org.'

test('its own name is reported, whatever is asked is passed on', () => {
  const cases: [text: string, isReported: boolean][] = [
    [`${NAME} HINFO`, true],
    [`${NAME} A`, false],
    ['123.457.example.org. HINFO', false],
    ['456.example.org. HINFO', false],
    [`0.${NAME} HINFO`, false],
  ]
  for (const [text, isReported] of cases) {
    const passes: LoopPass[] = []
    const plugin = createLoop(NAME, (pass) => passes.push(pass))
    const client = { family: 4 as const, address: '127.0.0.1', port: 4711 }
    assert.equal(replyTo(plugin, requestOf(text, { client }), () => replyOf('behind', 3)).rcode, 3)
    assert.deepEqual(passes, isReported ? [{ loop: NAME, client, server: 'dns://:53' }] : [], text)
  }
})

test('what goes round for ever is not reported for ever', () => {
  let reports = 0
  const plugin = createLoop(NAME, () => reports++)
  for (let k = 0; k < 1000; k++) replyTo(plugin, requestOf(`${NAME} HINFO`), () => replyOf('behind'))
  assert.equal(reports, 200)
})
