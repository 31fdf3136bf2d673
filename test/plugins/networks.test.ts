// Networks against the obvious comparison of bits, and what is none.

import assert from 'node:assert/strict'
import { BlockList } from 'node:net'
import { test } from 'node:test'
import fc from 'fast-check'
import { addressOctets, compileNetworks, NetworkError, parseNetwork } from '../../src/plugins/networks.ts'
import { isInZone, longestZone } from '../../src/plugins/zone-match.ts'

test('addresses as octets', () => {
  const cases: [text: string, hex: string | null][] = [
    ['10.0.255.1', '0a00ff01'],
    ['::', '0'.repeat(32)],
    ['::1', `${'0'.repeat(31)}1`],
    ['2001:db8::a:b', '20010db80000000000000000000a000b'],
    ['2001:DB8:1:2:3:4:5:6', '20010db8000100020003000400050006'],
    ['1::', `0001${'0'.repeat(28)}`],
    ['::ffff:1.2.3.4', '00000000000000000000ffff01020304'],
    ['64:ff9b::192.0.2.33', '0064ff9b0000000000000000c0000221'],
    ['1:2:3:4:5:6:1.2.3.4', '00010002000300040005000601020304'],
    ['[::1]', `${'0'.repeat(31)}1`],
    ['fe80::1%eth0', 'fe800000000000000000000000000001'],
    ['10.0.0', null],
    ['10.0.0.256', null],
    ['', null],
    ['1:2', null],
    ['::g', null],
    ['x', null],
  ]
  for (const [text, hex] of cases) {
    const octets = addressOctets(text)
    assert.equal(octets === null ? null : Buffer.from(octets).toString('hex'), hex, text)
  }
})

test('networks: bits behind the prefix are cleared, a lone address is a network', () => {
  const cases: [text: string, octets: string, length: number][] = [
    ['10.1.2.3/8', '0a000000', 8],
    ['10.1.2.3/0', '00000000', 0],
    ['10.1.2.3/9', '0a000000', 9],
    ['10.255.2.3/9', '0a800000', 9],
    ['10.1.2.3', '0a010203', 32],
    ['2001:db8::ffff/33', '20010db8000000000000000000000000', 33],
    ['::ffff:10.1.2.3/104', '0a000000', 8], // mapped: the IPv4 network
    ['::ffff:10.1.2.3', '0a010203', 32],
    ['::ffff:0:0/96', '00000000', 0],
    ['::ffff:0:0/95', '00000000000000000000fffe00000000', 95], // not all of it is mapped
    ['::/0', '0'.repeat(32), 0],
  ]
  for (const [text, hex, length] of cases) {
    const network = parseNetwork(text)
    assert.deepEqual([Buffer.from(network.octets).toString('hex'), network.length], [hex, length], text)
  }
})

test('what is no network', () => {
  const wrong = [
    '',
    '/',
    '10.0.0.0/33',
    '::/129',
    '10.0.0.0/',
    '10.0.0.0/-1',
    '10.0.0.0/08',
    '10.0.0/8',
    '10.0.0.0/8/8',
  ]
  for (const text of [...wrong, '[::1]', 'example.', '10.0.0.0/0x8', '10.0.0.0/8 ', '10.0.0.0/1.5']) {
    assert.throws(() => compileNetworks([text]), NetworkError, text)
  }
})

test('the first of several in the order given, the innermost or not', () => {
  const networks = compileNetworks(['10.1.0.0/16', '10.0.0.0/8', '10.1.2.0/24', '192.168.0.0/16', '10.1.0.0/16', '::1'])
  const cases: [address: string, index: number][] = [
    ['10.1.2.3', 0],
    ['10.1.255.255', 0],
    ['10.2.0.0', 1],
    ['10.0.255.255', 1],
    ['9.255.255.255', -1],
    ['11.0.0.0', -1],
    ['192.168.3.4', 3],
    ['::1', 5],
    ['::2', -1],
    ['::ffff:10.1.2.3', 0],
    ['::10.1.2.3', -1], // not the mapped form
  ]
  for (const [address, index] of cases) {
    assert.equal(networks.indexOf(addressOctets(address)!), index, address)
    assert.equal(networks.has(addressOctets(address)!), index >= 0, address)
  }
})

test('a network ends where the one around it goes on', () => {
  const networks = compileNetworks(['10.1.2.3', '10.1.2.0/24', '10.0.0.0/8', '10.1.2.255', '10.0.0.0'])
  const cases: [address: string, index: number][] = [
    ['10.1.2.2', 1],
    ['10.1.2.3', 0],
    ['10.1.2.4', 1],
    ['10.1.2.0', 1],
    ['10.1.1.255', 2],
    ['10.1.2.255', 1],
    ['10.1.3.0', 2],
    ['10.0.0.0', 2],
    ['10.255.255.255', 2],
    ['9.255.255.255', -1],
    ['11.0.0.0', -1],
  ]
  for (const [address, index] of cases) assert.equal(networks.indexOf(addressOctets(address)!), index, address)
})

test('the ends of both address spaces', () => {
  const all = compileNetworks(['0.0.0.0/0', '255.255.255.255', '0.0.0.0', '::/0', 'ffff::/16', '::/128'])
  for (const address of ['0.0.0.0', '255.255.255.255', '1.2.3.4']) assert.equal(all.indexOf(addressOctets(address)!), 0)
  const last = 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff'
  for (const address of ['::', last, '1::']) assert.equal(all.indexOf(addressOctets(address)!), 3)
  const ends = compileNetworks(['255.255.255.255', '0.0.0.0/0', last, '::/0'])
  assert.equal(ends.indexOf(addressOctets('255.255.255.255')!), 0)
  assert.equal(ends.indexOf(addressOctets('255.255.255.254')!), 1)
  assert.equal(ends.indexOf(addressOctets(last)!), 2)
  assert.equal(ends.indexOf(addressOctets('ffff::')!), 3)
  assert.equal(compileNetworks([]).indexOf(addressOctets('1.2.3.4')!), -1)
})

// Few different octets, so that networks meet, begin and end together.
const anyOctet = fc.constantFrom(0, 0, 0, 1, 128, 255, 255)
const anyIpv4 = fc.array(anyOctet, { minLength: 4, maxLength: 4 }).map((octets) => octets.join('.'))
const anyIpv6 = fc
  .array(fc.tuple(anyOctet, anyOctet), { minLength: 8, maxLength: 8 })
  .map((groups) => groups.map(([a, b]) => ((a << 8) | b).toString(16)).join(':'))
  .filter((address) => !address.startsWith('0:0:0:0:0:ffff:'))
const anyCidr = fc.oneof(
  fc.tuple(anyIpv4, fc.constantFrom(0, 1, 8, 9, 16, 24, 31, 32, 32)).map((parts) => parts.join('/')),
  fc.tuple(anyIpv6, fc.constantFrom(0, 1, 15, 16, 64, 112, 127, 128, 128)).map((parts) => parts.join('/')),
)

test('agrees with a comparison one by one', () => {
  let inside = 0
  fc.assert(
    fc.property(
      fc.array(anyCidr, { maxLength: 12 }),
      fc.oneof(anyIpv4, anyIpv6, fc.nat(11), fc.nat(11)),
      (cidrs, which) => {
        // Half of the addresses are bounds of networks, or nearly.
        const address = typeof which === 'string' ? which : (cidrs[which]?.split('/')[0] ?? '0.0.0.1')
        const family = address.includes(':') ? 'ipv6' : 'ipv4'
        const expected = cidrs.findIndex((cidr) => {
          if (cidr.includes(':') !== address.includes(':')) return false
          const list = new BlockList()
          const [network, length] = cidr.split('/')
          list.addSubnet(network, Number(length), family)
          return list.check(address, family)
        })
        if (expected >= 0) inside++
        assert.equal(compileNetworks(cidrs).indexOf(addressOctets(address)!), expected)
      },
    ),
    { numRuns: 3000 },
  )
  assert.ok(inside > 300, 'the generator hits networks')
})

test('names in zones', () => {
  const cases: [name: string, zone: string, isIn: boolean][] = [
    ['a.example.', 'example.', true],
    ['example.', 'example.', true],
    ['xexample.', 'example.', false],
    ['a.exampla.', 'example.', false],
    ['example.', 'a.example.', false],
    ['a.', '.', true],
    ['.', '.', true],
    ['.', 'example.', false],
    ['a\\.example.', 'example.', false], // one label
    ['a\\\\.example.', 'example.', true], // the label a\
    ['a\\\\\\.example.', 'example.', false],
  ]
  for (const [name, zone, isIn] of cases) assert.equal(isInZone(name, zone), isIn, `${name} in ${zone}`)
  assert.equal(longestZone('a.b.example.', ['.', 'example.', 'b.example.', 'c.example.']), 'b.example.')
  assert.equal(longestZone('a.example.', ['b.', 'c.']), null)
})
