// Addresses: one spelling for each, nothing that is not one, and the reverse tree.

import assert from 'node:assert/strict'
import { isIP } from 'node:net'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  addressOfReverseName,
  canonicalAddress,
  expandedAddress,
  formatAddress,
  parseAddress,
  reverseName,
} from '../../src/kube/address.ts'

const spellings: [text: string, canonical: string][] = [
  ['10.0.0.7', '10.0.0.7'],
  ['0.0.0.0', '0.0.0.0'],
  ['255.255.255.255', '255.255.255.255'],
  ['::', '::'],
  ['::1', '::1'],
  ['1::', '1::'],
  ['FD00:0:0::0A', 'fd00::a'],
  ['fd00:0:1:0:0:1:0:0', 'fd00:0:1::1:0:0'], // the first of two runs of equal length
  ['1:0:0:2:0:0:0:3', '1:0:0:2::3'], // the longest run
  ['1:2:3:4:5:6:0:8', '1:2:3:4:5:6:0:8'], // one group is no run
  ['1:2:3:4:5:6:7::', '1:2:3:4:5:6:7:0'],
  ['::2:3:4:5:6:7:8', '0:2:3:4:5:6:7:8'],
  ['::ffff:192.0.2.1', '::ffff:c000:201'],
  ['1:2:3:4:5:6:192.0.2.1', '1:2:3:4:5:6:c000:201'],
]

test('every spelling has one canonical form', () => {
  for (const [text, canonical] of spellings) assert.equal(canonicalAddress(text), canonical, text)
})

test('what is no address', () => {
  const texts = [
    '',
    '1.2.3',
    '1.2.3.4.5',
    '1.2.3.256',
    '01.2.3.4',
    '1.2.3.4 ',
    '1..2.3',
    '.1.2.3',
    '1.2.3.',
    '1.2.3.x',
    '-1.2.3.4',
  ]
  const six = [
    ':',
    ':1',
    '1:',
    ':::',
    '1::2::3',
    '1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:8:9',
    '1:2:3:4:5:6:7:8::',
    '12345::',
    'g::',
  ]
  const mixed = ['::1.2.3', '1:2:3:4:5:6:7:1.2.3.4', '1.2.3.4::', '::1%eth0', 'fd00::/8', '::1.2.3.4:5', 'api.example']
  for (const text of [...texts, ...six, ...mixed]) {
    assert.equal(canonicalAddress(text), '', text)
    assert.equal(parseAddress(text, new Uint8Array(16)), 0, text)
  }
})

const anyOctets = fc.oneof(
  fc.uint8Array({ minLength: 4, maxLength: 4 }),
  fc.uint8Array({ minLength: 16, maxLength: 16 }),
  // Zero groups, so that there is something to compress.
  fc
    .array(fc.constantFrom(0, 0, 0, 1, 0xfd), { minLength: 16, maxLength: 16 })
    .map((octets) => Uint8Array.from(octets)),
)

test('octets, text and reverse name say the same', () => {
  fc.assert(
    fc.property(anyOctets, (octets) => {
      const text = formatAddress(octets, octets.length)
      assert.equal(isIP(text), octets.length === 4 ? 4 : 6)
      const back = new Uint8Array(octets.length)
      assert.equal(parseAddress(text, back), octets.length)
      assert.deepEqual(back, octets)
      assert.equal(canonicalAddress(text), text)
      assert.equal(addressOfReverseName(reverseName(text)), text)
      if (octets.length === 16) {
        assert.equal(canonicalAddress(expandedAddress(text, true)), text)
        assert.equal(canonicalAddress(expandedAddress(text, false).toUpperCase()), text)
      }
    }),
  )
})

test('text near an address is one exactly when Node says so', () => {
  const piece = fc.constantFrom('0', '1', 'a', 'F', '255', '256', '00', '.', '.', ':', ':', '::', 'g', '%', '12345')
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 17 }), (pieces) => {
      const text = pieces.join('')
      assert.equal(canonicalAddress(text) !== '', !text.includes('%') && isIP(text) !== 0, text)
    }),
    { numRuns: 5000 },
  )
})

test('reverse names', () => {
  assert.deepEqual(reverseName('172.30.4.10').join('.'), '10.4.30.172.in-addr.arpa')
  const six = '2.1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.3.0.0.2.7.1.0.0.0.d.f.ip6.arpa'
  assert.equal(reverseName('fd00:172:30::12').join('.'), six)
  assert.equal(addressOfReverseName(six.toUpperCase().split('.')), 'fd00:172:30::12')
  assert.deepEqual(reverseName('nothing'), [])
  for (const name of [
    '300.4.30.172.in-addr.arpa',
    '1.10.4.30.172.in-addr.arpa',
    '4.30.172.in-addr.arpa',
    '010.4.30.172.in-addr.arpa',
  ]) {
    assert.equal(addressOfReverseName(name.split('.')), '', name)
  }
  assert.equal(addressOfReverseName(six.replace('2.1', '21').split('.')), '')
})
