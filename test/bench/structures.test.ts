// The structures that bench/index.ts compares know the same names: each against a Map, with the same names set and set
// again in the same order, and asked for names that are there, nearly there, and not there.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Champ } from '../../bench/structures/champ.ts'
import { HashTable } from '../../bench/structures/hash-table.ts'
import { QpTrie } from '../../bench/structures/qp-trie.ts'
import { keyOfLabels, type Structure, valueOfBlock } from '../../bench/structures/structure.ts'
import { Query } from '../../src/dns/question.ts'
import { createRegion, type Region } from '../../src/index/layout.ts'

const REGION_OCTETS = 2 ** 18
const NAMES_MAX = 64

const makers: [string, (region: Region) => Structure][] = [
  ['CHAMP', (region) => new Champ(region)],
  ['qp-trie', (region) => new QpTrie(region)],
  ['hash table', (region) => new HashTable(region, NAMES_MAX)],
]

// Few characters, of every kind that a qp-trie treats differently, so that names share beginnings and ends.
const label = fc.string({
  unit: fc.constantFrom('a', 'b', 'z', '-', '_', '*', '0', '\u0000', '\u00e9', '\u00ea', '{'),
  minLength: 1,
  maxLength: 4,
})
const name = fc.array(label, { minLength: 1, maxLength: 4 })
// Some come again: their block is another one then.
const names = fc.array(fc.tuple(name, fc.nat(3)), { maxLength: NAMES_MAX }).map((drawn) =>
  drawn.map(([own], i) => {
    const [earlier, comesAgain] = drawn[Math.floor(i / 2)]
    return comesAgain === 0 ? earlier : own
  }),
)

function find(structure: Structure, labels: readonly string[]): number {
  const query = new Query()
  keyOfLabels(query, labels)
  const length = query.meta & 0xffff
  query.nameLength = length + 1
  const one = structure.find(query, query.keyWords.slice(), 0, length)
  if (structure.findAll !== undefined) {
    const found = new Int32Array(1)
    structure.findAll([query], query.keyWords.slice(), 0, 1, found)
    assert.equal(found[0], one)
  }
  return one
}

for (const [title, make] of makers) {
  test(`${title} knows what it was told, and nothing else`, () => {
    const reached = { hits: 0, misses: 0, replaced: 0 }
    fc.assert(
      fc.property(names, names, (set, asked) => {
        const region = createRegion(REGION_OCTETS)
        const structure = make(region)
        const oracle = new Map<string, number>()
        for (const [i, labels] of set.entries()) {
          const key = labels.join('.')
          if (oracle.has(key)) reached.replaced++
          // A name of the CHAMP comes with the names above it; the oracle does not know those, so they are set as well.
          for (let above = labels.length - 1; above >= 0; above--) {
            const parent = labels.slice(above)
            if (above > 0 && oracle.has(parent.join('.'))) continue
            if (oracle.size === NAMES_MAX && !oracle.has(parent.join('.'))) continue
            structure.set(parent, i)
            oracle.set(parent.join('.'), i)
          }
          if (i % 3 === 0) structure.publish()
        }
        structure.publish()
        for (const labels of [...set, ...asked]) {
          const block = find(structure, labels)
          const expected = oracle.get(labels.join('.'))
          assert.equal(block === 0 ? undefined : valueOfBlock(region, block), expected, labels.join('.'))
          if (expected === undefined) reached.misses++
          else reached.hits++
        }
      }),
      { numRuns: 300 },
    )
    for (const [outcome, count] of Object.entries(reached)) assert.ok(count > 0, `${outcome} were reached`)
  })
}
