// The fast reader against the general library: equal on everything it takes, and it takes what kubectl prints.

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import fc from 'fast-check'
import { CORE_SCHEMA, load } from 'js-yaml'
import { BlockReader, NOT_BLOCK_STYLE } from '../../src/kube/yaml-block.ts'
import { parseYaml } from '../../src/kube/yaml-items.ts'
import { kubectlYaml } from './kubectl-yaml.ts'

const TIME = '2026-11-22T08:36:13Z'
const FIXTURE = new URL('../fixtures/cluster-dump.yaml', import.meta.url)

function readBlock(text: string): unknown {
  const octets = Buffer.from(text)
  return new BlockReader().read(octets, 0, octets.length, 0)
}

function readLibrary(text: string): unknown {
  try {
    return load(text, { schema: CORE_SCHEMA })
  } catch {
    return NOT_BLOCK_STYLE
  }
}

test('every item of a real dump is read, and as the library reads it', () => {
  const items = readFileSync(FIXTURE, 'utf8')
    .replace(/\nkind: List\n.*$/s, '\n')
    .split(/^- /m)
    .slice(1)
  assert.equal(items.length, 57)
  const octets = Buffer.from(items.join(''))
  const reader = new BlockReader()
  let start = 0
  for (const item of items) {
    const value = reader.read(octets, start, start + item.length, 2)
    assert.deepEqual(value, load(`  ${item}`, { schema: CORE_SCHEMA }))
    start += item.length
  }
})

test('whatever kubectl might print is read, and as the library reads it', () => {
  const word = fc.stringMatching(/^[a-zA-Z0-9_./:#'" \\{}[\],&*!|>%@`~<=?+-]{0,20}$/)
  const odd = fc.constantFrom(
    'true',
    'null',
    '~',
    'No',
    '1e3',
    '0x1f',
    '0o7',
    '.5',
    '1.2.3',
    '-',
    '---',
    '.',
    TIME,
    '<<',
  )
  const lines = fc.array(word, { minLength: 2, maxLength: 5 }).map((texts) => texts.join('\n'))
  const text = fc.oneof(
    { arbitrary: fc.stringMatching(/^[a-z][a-z0-9-]{0,60}$/), weight: 20 },
    { arbitrary: fc.oneof(fc.ipV4(), fc.ipV6()), weight: 5 },
    word,
    odd,
    lines,
  )
  const scalar = fc.oneof(text, fc.integer({ min: 0, max: 70_000 }), fc.boolean(), fc.constant(null))
  const key = fc.oneof(
    { arbitrary: fc.stringMatching(/^[a-zA-Z][a-zA-Z0-9_./-]{0,20}$/), weight: 30 },
    fc.constantFrom('true', '12', '.', 'f:x', 'constructor'),
  )
  const { object } = fc.letrec<{ value: unknown; entry: unknown; object: Record<string, unknown> }>((tie) => ({
    object: fc.dictionary(key, tie('value'), { minKeys: 1, maxKeys: 5, noNullPrototype: true }),
    entry: fc.oneof(
      { maxDepth: 4 },
      { arbitrary: scalar, weight: 9 },
      { arbitrary: tie('object'), weight: 9 },
      tie('value'),
    ),
    value: fc.oneof({ maxDepth: 4 }, scalar, fc.array(tie('entry'), { maxLength: 4 }), tie('object')),
  }))
  let taken = 0
  let runs = 0
  fc.assert(
    fc.property(object, (value) => {
      const yaml = kubectlYaml(value)
      assert.deepEqual(readLibrary(yaml), value, 'the writer is right')
      const read = readBlock(yaml)
      runs++
      if (read === NOT_BLOCK_STYLE) return
      taken++
      assert.deepEqual(read, value)
    }),
    { numRuns: 3000 },
  )
  assert.ok(taken > runs / 5, `only ${taken} of ${runs} in the subset`)
})

test('text that has been damaged is read as the library reads it, or not at all', () => {
  const items = readFileSync(FIXTURE, 'utf8').split(/^- /m).slice(1)
  const pieces = fc.constantFrom(
    '',
    ' ',
    '  ',
    '\n',
    ':',
    ': ',
    '- ',
    '"',
    "'",
    '#',
    ' #',
    '|',
    '{}',
    'a',
    '0',
    '\t',
    '\\',
    '&x ',
    'é',
    '\n\n',
  )
  let taken = 0
  fc.assert(
    fc.property(fc.constantFrom(...items), fc.nat(), fc.nat({ max: 3 }), pieces, (item, position, removed, piece) => {
      const text = item.slice(0, 1500).replaceAll(/^ {2}/gm, '')
      const at = position % text.length
      const damaged = text.slice(0, at) + piece + text.slice(at + removed)
      const read = readBlock(damaged)
      if (read === NOT_BLOCK_STYLE) return
      taken++
      assert.deepEqual(read, readLibrary(damaged))
    }),
    { numRuns: 20_000 },
  )
  assert.ok(taken > 1000, 'the damage is not always fatal')
})

test('what is outside the subset, and what only looks as if it were', () => {
  const outside = [
    'a: *x\n',
    'a: &x b\n',
    'a: [b]\n',
    'a: b # c\n',
    '# c\na: b\n',
    'a: b\n  c\n',
    'a:\tb\n',
    'a: b: c\n',
    'a: é\n',
  ]
  outside.push(
    '<<: {}\n',
    '__proto__: x\n',
    'a: 1\na: 2\n',
    'a: 0x10\n',
    'a: 1.5\n',
    'a: >\n  b\n',
    'a: "b\n',
    'a\n',
    '',
    'a: b\n- c\n',
  )
  for (const text of outside) assert.equal(readBlock(text), NOT_BLOCK_STYLE, JSON.stringify(text))
  assert.deepEqual(readBlock('a: 10.0.0.1\nb: a#b\nc: ""\nd:\n- e: 1\n  f:\n- g\nh:\n'), {
    a: '10.0.0.1',
    b: 'a#b',
    c: '',
    d: [{ e: 1, f: null }, 'g'],
    h: null,
  })
})

test('nothing that is kept refers to the text it was read from', () => {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  const text = (i: number) => `name: ${'x'.repeat(30)}${i}\nother: [a]\nmore: ${'y'.repeat(4 << 20)}\n`
  const kept: unknown[] = []
  collect()
  const before = process.memoryUsage().heapUsed
  for (let i = 0; i < 8; i++) kept.push((parseYaml(text(i)) as { name: string }).name)
  collect()
  assert.ok(process.memoryUsage().heapUsed - before < 4 << 20)
  assert.equal(kept.length, 8)
})
