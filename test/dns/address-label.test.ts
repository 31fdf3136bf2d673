// Address labels in octets against addresses in text (src/kube/address.ts), which were written apart.
// PEREGRINE_SEED: the seed.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { canonicalKey, readAddressLabel } from '../../src/dns/address-label.ts'
import { textOfWire } from '../../src/dns/name.ts'
import { Query, readKey, readName } from '../../src/dns/question.ts'
import { canonicalAddress, parseAddress } from '../../src/kube/address.ts'
import { encodeName, labels } from './messages.ts'

const SEED = Number(process.env.PEREGRINE_SEED ?? Date.now() % 0x7fffffff)

/** The rule of cluster-dns §1.7, on text. */
function addressOfLabel(label: string): string {
  const isFour = label.split('-').length === 4 && !label.includes('--')
  const text = label.replaceAll('-', isFour ? '.' : ':')
  // Dots are only ever put in for dashes.
  return label.includes('.') || !(isFour || text.includes(':')) ? '' : text
}

const address = new Uint8Array(16)

/** Reads `label`, which stands in the middle of other octets; '' if it is no address. */
function read(label: string): string {
  for (const around of [0x2d, 0x31, 0x00]) {
    const octets = new Uint8Array(label.length + 20).fill(around)
    octets.set(Buffer.from(label, 'latin1'), 10)
    const length = readAddressLabel(octets, 10, 10 + label.length, address)
    const text = length === 0 ? '' : Buffer.from(address.subarray(0, length)).toString('hex')
    const expected = new Uint8Array(16)
    const expectedLength = parseAddress(addressOfLabel(label), expected)
    assert.equal(
      text,
      Buffer.from(expected.subarray(0, expectedLength)).toString('hex'),
      `label ${JSON.stringify(label)}`,
    )
  }
  return canonicalAddress(addressOfLabel(label))
}

const cases: [label: string, address: string][] = [
  ['10-131-0-8', '10.131.0.8'],
  ['0-0-0-0', '0.0.0.0'],
  ['255-255-255-255', '255.255.255.255'],
  ['10-131-0-300', ''],
  ['10-131-0-256', ''],
  ['010-131-0-8', ''], // a leading zero
  ['1000-1-1-1', ''],
  ['1-2-3', ''],
  ['1-2-3-4-5', ''], // five groups: no IPv6 address without two dashes
  ['1-2-3-', ''],
  ['-1-2-3', ''],
  ['a-b-c-d', ''], // three dashes: IPv4 or nothing
  ['1--2-3', '1::2:3'], // three dashes, but two together
  ['fd00-10-131--8', 'fd00:10:131::8'],
  ['fd00-10-131-0-0-0-0-8', 'fd00:10:131::8'],
  ['fd00-0010-0131-0000-0000-0000-0000-0008', 'fd00:10:131::8'],
  ['--', '::'],
  ['--1', '::1'],
  ['1--', '1::'],
  ['---', ''],
  ['1---2', ''],
  ['1--2--3', ''],
  ['-1--2', ''],
  ['1--2-', ''],
  ['1-2-3-4-5-6-7--', '1:2:3:4:5:6:7:0'],
  ['1-2-3-4-5-6-7-8--', ''],
  ['--1-2-3-4-5-6-7', '0:1:2:3:4:5:6:7'],
  ['--1-2-3-4-5-6-7-8', ''],
  ['1-2-3-4--5-6-7-8', ''], // two dashes stand for one group at least
  ['1-2-3-4-5-6-7-8-9', ''],
  ['1-2-3-4-5-6-7-12345', ''],
  ['1-2-3-4-5-6-7-g', ''],
  ['--ffff-1.2.3.4', ''], // a label with dots inside
  ['nginx', ''],
  ['-', ''],
  ['1', ''],
]

test('table', () => {
  for (const [label, expected] of cases) assert.equal(read(label), expected, label)
})

const anyGroup = fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 0xffff }), fc.integer({ min: 0, max: 15 }))
const anyIPv4 = fc
  .array(fc.integer({ min: 0, max: 255 }), { minLength: 4, maxLength: 4 })
  .map((parts) => parts.join('-'))
/** Eight groups, some with leading zeros, and perhaps one run of zero groups left out. */
const anyIPv6 = fc
  .tuple(
    fc.array(fc.tuple(anyGroup, fc.integer({ min: 1, max: 4 })), { minLength: 8, maxLength: 8 }),
    fc.nat({ max: 8 }),
    fc.nat({ max: 8 }),
  )
  .map(([groups, from, length]) => {
    const texts = groups.map(([value, width]) => value.toString(16).padStart(width, '0'))
    const run = groups.slice(from, from + length)
    if (run.length === 0 || run.some(([value]) => value !== 0)) return texts.join('-')
    return `${texts.slice(0, from).join('-')}--${texts.slice(from + run.length).join('-')}`
  })
const anyLabel = fc
  .array(fc.constantFrom(...'-----0012345789af', '255', '--'), { minLength: 1, maxLength: 30 })
  .map((parts) => parts.join(''))

test(`labels of generated addresses, and nearly addresses (seed ${SEED})`, () => {
  let found = 0
  const property = fc.property(fc.oneof(anyIPv4, anyIPv6, anyLabel), (label) => {
    if (read(label) !== '') found++
  })
  fc.assert(property, { numRuns: 20_000, seed: SEED })
  assert.ok(found > 5000 && found < 18_000, `${found} of 20,000 were addresses`)
})

test(`every short text of digits and dashes (seed ${SEED})`, () => {
  const alphabet = ['-', '0', '1', 'f']
  for (let n = 1; n < 4 ** 7; n++) {
    let label = ''
    for (let rest = n; rest > 0; rest >>= 2) label += alphabet[rest & 3]
    read(label)
  }
})

test(`the canonical key is the name with the canonical spelling in front (seed ${SEED})`, () => {
  const lengths = new Set<number>()
  const property = fc.property(fc.oneof(anyIPv4, anyIPv6), fc.constantFrom('web.pod', 'a.pod', ''), (label, parent) => {
    const name = readText(parent === '' ? label : `${label}.${parent}`)
    const length = readAddressLabel(name.key, 1, name.labelStart[1], address)
    const canonical = canonicalAddress(addressOfLabel(label)).replaceAll(/[.:]/g, '-')
    const expected = readText(parent === '' ? canonical : `${canonical}.${parent}`)
    const actual = new Query()
    actual.key.fill(0xee)
    canonicalKey(address, length, name, actual)
    const octets = actual.meta & 0xffff
    assert.equal(textOfWire(Buffer.concat([actual.key.subarray(0, octets), Buffer.of(0)])), textOf(expected))
    assert.deepEqual([actual.hash, actual.meta], [expected.hash, expected.meta])
    lengths.add(octets - label.length)
  })
  fc.assert(property, { numRuns: 5000, seed: SEED })
  // A spelling may also be shorter than the canonical one: two dashes for one group of zeros.
  const name = readText('1--2-3-4-5-6-7.web.pod')
  const actual = new Query()
  canonicalKey(address, readAddressLabel(name.key, 1, name.labelStart[1], address), name, actual)
  assert.equal(textOf(actual), '1-0-2-3-4-5-6-7.web.pod.')
})

/** The key of a name in zone 3 that ends right behind it. */
function readText(text: string): Query {
  const words = new Int32Array(80)
  const octets = new Uint8Array(words.buffer)
  octets.set(encodeName({ labels: labels(text), pointer: -1 }))
  const query = new Query()
  readName(query, octets, 0, octets.length)
  readKey(query, words, 0, 3, query.nameLength - 1)
  return query
}

function textOf(query: Query): string {
  return textOfWire(Buffer.concat([query.key.subarray(0, query.meta & 0xffff), Buffer.of(0)]))
}
