// Keys: folding by words against folding by octets, the key of a name read at any place, and how good the hash is.
// PEREGRINE_SEED: the seed.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { foldWord, KEY_WORDS, keyHash, keyMeta, lastWordMask } from '../../src/dns/key.ts'
import { FOLD, wireOfLabels } from '../../src/dns/name.ts'
import { Query, readKey, readName, sealKey } from '../../src/dns/question.ts'
import { anyName, encodeName, labels } from './messages.ts'

const SEED = Number(process.env.PEREGRINE_SEED ?? Date.now() % 0x7fffffff)

/** RFC 4343 §3, said with a condition. */
function foldOctet(octet: number): number {
  return octet >= 65 && octet <= 90 ? octet + 32 : octet
}

const wordView = new Int32Array(1)
const octetView = new Uint8Array(wordView.buffer)

function foldOctets(word: number): number {
  wordView[0] = word
  for (let i = 0; i < 4; i++) octetView[i] = foldOctet(octetView[i])
  return wordView[0]
}

test('folding a word folds each of its octets, whatever stands beside them', () => {
  for (let octet = 0; octet < 256; octet++) assert.equal(FOLD[octet], foldOctet(octet))
  // All pairs of octets, in each place of the word: a carry could only come from the octet next to it.
  for (let pair = 0; pair < 65536; pair++) {
    for (const word of [pair, pair << 8, pair << 16, (pair << 24) | (pair >>> 8)]) {
      if (foldWord(word) !== foldOctets(word)) assert.fail(`word ${(word >>> 0).toString(16)}`)
    }
  }
  const property = fc.property(fc.integer(), (word) => assert.equal(foldWord(word), foldOctets(word)))
  fc.assert(property, { numRuns: 20_000, seed: SEED })
})

test('the mask of a last word keeps the first octets in memory order', () => {
  for (let length = 1; length <= 8; length++) {
    wordView[0] = lastWordMask(length)
    const kept = ((length - 1) % 4) + 1
    assert.deepEqual(
      [...octetView],
      [0, 1, 2, 3].map((i) => (i < kept ? 255 : 0)),
    )
  }
})

test(`the key of a name is its folded octets, wherever the name stands (seed ${SEED})`, () => {
  const property = fc.property(
    anyName,
    fc.nat(),
    fc.nat({ max: 20 }),
    fc.nat({ max: 255 }),
    (name, cut, word, filling) => {
      const wire = encodeName({ labels: name, pointer: -1 })
      const memory = new Int32Array(KEY_WORDS + 24)
      const octets = new Uint8Array(memory.buffer).fill(filling)
      octets.set(wire, word * 4)
      const query = new Query()
      // Rubbish of an earlier, longer name must not show.
      query.key.fill(0xee)
      assert.equal(readName(query, octets, word * 4, octets.length), word * 4 + wire.length)
      const length = query.labelStart[cut % (name.length + 1)]
      readKey(query, memory, word, 7, length)

      assert.equal(query.meta, keyMeta(7, length))
      assert.deepEqual([...query.key.subarray(0, length)], [...wire.subarray(0, length)].map(foldOctet))
      const padded = (length + 3) & ~3
      assert.ok(
        query.key.subarray(length, padded).every((octet) => octet === 0),
        'zeros behind the key',
      )
      assert.equal(query.hash, keyHash(query.keyWords, 0, query.meta))
      const sealed = new Query()
      sealed.key.fill(0xee)
      for (let i = 0; i < length; i++) sealed.key[i] = foldOctet(wire[i])
      sealKey(sealed, 7, length)
      assert.deepEqual([sealed.hash, sealed.meta], [query.hash, query.meta])
      assert.deepEqual([...sealed.key.subarray(0, padded)], [...query.key.subarray(0, padded)])
    },
  )
  fc.assert(property, { numRuns: 2000, seed: SEED })
})

test('a million names of a cluster: collisions as rare as chance has them, and every bit of use', () => {
  const hashes = new Uint32Array(1_000_000)
  const query = new Query()
  let count = 0
  const add = (name: string): void => {
    const wire = wireOfLabels(labels(name).map((label) => Buffer.from(label).toString('latin1')))
    query.key.set(wire)
    sealKey(query, 0, wire.length - 1)
    hashes[count++] = query.hash
  }
  for (let service = 0; count < hashes.length; service++) {
    const parent = `svc-${service}.ns-${service % 100}.svc`
    add(parent)
    add(`_http._tcp.${parent}`)
    for (let i = 0; i < 8 && count < hashes.length; i++) {
      const address = 0x0b000000 + service * 8 + i
      add(`${address >>> 24}-${(address >>> 16) & 255}-${(address >>> 8) & 255}-${address & 255}.${parent}`)
    }
  }
  const bits = Array.from({ length: 32 }, (_, bit) => hashes.reduce((sum, hash) => sum + ((hash >>> bit) & 1), 0))
  for (const [bit, ones] of bits.entries()) {
    // Five standard deviations of a fair coin: 500 each.
    assert.ok(Math.abs(ones - 500_000) < 2500, `bit ${bit} is set ${ones} times`)
  }
  hashes.sort()
  let collisions = 0
  for (let i = 1; i < hashes.length; i++) if (hashes[i] === hashes[i - 1]) collisions++
  // n^2 / 2^33 pairs are expected to be equal: 116.4, give or take 11.
  assert.ok(collisions > 60 && collisions < 175, `${collisions} collisions`)

  const slots = new Uint32Array(32)
  for (const hash of hashes) slots[hash & 31]++
  for (const count of slots) assert.ok(Math.abs(count - 31_250) < 900, `a slot of the first level holds ${count}`)
})
