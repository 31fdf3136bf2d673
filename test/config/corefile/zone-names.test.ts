// Zones as a Corefile writes them: names, prefixes, keys.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { parseKey, zoneName, zonesOfArgument } from '../../../src/config/zone-names.ts'
import { NameError } from '../../../src/dns/name.ts'

test('names are absolute, in lower case, written in one way', () => {
  const cases: [text: string, name: string][] = [
    ['.', '.'],
    ['Example.ORG', 'example.org.'],
    ['example.org.', 'example.org.'],
    ['a\\.b.example', 'a\\.b.example.'],
    ['a\\046b.example', 'a\\.b.example.'],
    ['\\065.example', 'a.example.'], // an escaped A folds as well
    ['é.example', '\\195\\169.example.'], // UTF-8
    ['0/25.2.0.192.in-addr.arpa', '0/25.2.0.192.in-addr.arpa.'], // RFC 2317, no prefix
    [`${'a'.repeat(63)}.`, `${'a'.repeat(63)}.`],
  ]
  for (const [text, name] of cases) {
    assert.equal(zoneName(text), name, text)
    assert.equal(zoneName(name), name, text)
    assert.deepEqual(zonesOfArgument(text), [name])
  }
  for (const text of ['', '..', 'a..b', '.a', 'a'.repeat(64), 'a.'.repeat(128), '\\', '\\256', 'é'.repeat(32)]) {
    assert.throws(() => zoneName(text), NameError, text)
  }
})

test('prefixes mean reverse zones', () => {
  const cases: [prefix: string, zones: string[]][] = [
    ['10.0.0.0/8', ['10.in-addr.arpa.']],
    ['10.1.2.3/8', ['10.in-addr.arpa.']], // what is beyond the prefix does not count
    ['172.16.0.0/16', ['16.172.in-addr.arpa.']],
    ['192.0.2.0/24', ['2.0.192.in-addr.arpa.']],
    ['192.0.2.7/32', ['7.2.0.192.in-addr.arpa.']],
    ['192.0.2.7/31', ['6.2.0.192.in-addr.arpa.', '7.2.0.192.in-addr.arpa.']],
    ['10.96.0.0/15', ['96.10.in-addr.arpa.', '97.10.in-addr.arpa.']],
    ['0.0.0.0/0', ['in-addr.arpa.']],
    ['::/0', ['ip6.arpa.']],
    ['2001:db8::/32', ['8.b.d.0.1.0.0.2.ip6.arpa.']],
    ['2001:DB8::/31', ['8.b.d.0.1.0.0.2.ip6.arpa.', '9.b.d.0.1.0.0.2.ip6.arpa.']],
    ['fd00::/8', ['d.f.ip6.arpa.']],
    ['::1/128', [`1.${'0.'.repeat(31)}ip6.arpa.`]],
    ['1::/4', ['0.ip6.arpa.']],
    ['::ffff:192.0.2.0/120', [`2.0.0.0.0.c.f.f.f.f.${'0.'.repeat(20)}ip6.arpa.`]],
    // No prefixes:
    ['10.0.0.0/33', ['10.0.0.0/33.']],
    ['010.0.0.0/8', ['010.0.0.0/8.']],
    ['fe80::1%lo/64', ['fe80::1%lo/64.']],
  ]
  for (const [prefix, zones] of cases) assert.deepEqual(zonesOfArgument(prefix), zones, prefix)
  const counts: [prefix: string, count: number, first: string, last: string][] = [
    ['10.0.0.0/17', 128, '0.0.10.in-addr.arpa.', '127.0.10.in-addr.arpa.'],
    ['10.0.128.0/17', 128, '128.0.10.in-addr.arpa.', '255.0.10.in-addr.arpa.'],
    ['192.0.2.0/25', 128, '0.2.0.192.in-addr.arpa.', '127.2.0.192.in-addr.arpa.'],
    ['192.0.2.77/27', 32, '64.2.0.192.in-addr.arpa.', '95.2.0.192.in-addr.arpa.'],
    ['10.0.0.0/9', 128, '0.10.in-addr.arpa.', '127.10.in-addr.arpa.'],
    ['128.0.0.0/1', 128, '128.in-addr.arpa.', '255.in-addr.arpa.'],
    ['2001:db8::/33', 8, '0.8.b.d.0.1.0.0.2.ip6.arpa.', '7.8.b.d.0.1.0.0.2.ip6.arpa.'],
  ]
  for (const [prefix, count, first, last] of counts) {
    const zones = zonesOfArgument(prefix)
    assert.deepEqual([zones.length, zones[0], zones.at(-1)], [count, first, last], prefix)
  }
})

/** Reverse name of an address; the obvious way. */
function reverse(octets: readonly number[]): string {
  return `${octets.toReversed().join('.')}.in-addr.arpa.`
}

test('exactly the addresses of a prefix lie in its zones', () => {
  const octets = fc.tuple(fc.nat(255), fc.nat(255), fc.nat(255), fc.nat(255))
  fc.assert(
    fc.property(octets, octets, fc.integer({ min: 0, max: 32 }), fc.boolean(), (prefix, other, length, isNear) => {
      const bits = (address: readonly number[]) => address.map((octet) => octet.toString(2).padStart(8, '0')).join('')
      const near = bits(prefix).slice(0, length) + bits(other).slice(length)
      const address = isNear
        ? Array.from({ length: 4 }, (_, i) => Number.parseInt(near.slice(i * 8, i * 8 + 8), 2))
        : other
      const isInside = bits(address).startsWith(bits(prefix).slice(0, length))
      const zones = zonesOfArgument(`${prefix.join('.')}/${length}`)
      const name = `.${reverse(address)}`
      assert.equal(
        zones.some((zone) => name.endsWith(`.${zone}`)),
        isInside,
      )
    }),
  )
})

test('keys', () => {
  const cases: [key: string, scheme: string, zones: string[], port: number][] = [
    ['.', 'dns', ['.'], 1053],
    ['.:53', 'dns', ['.'], 53],
    ['.:0', 'dns', ['.'], 0],
    ['Example.org', 'dns', ['example.org.'], 1053],
    ['dns://example.org', 'dns', ['example.org.'], 1053],
    ['DNS://example.org:5353', 'dns', ['example.org.'], 5353],
    ['tls://.', 'tls', ['.'], 853],
    ['tls://.:8853', 'tls', ['.'], 8853],
    ['https://.', 'https', ['.'], 443],
    ['quic://.', 'quic', ['.'], 853],
    ['grpc://.', 'grpc', ['.'], 443],
    ['https3://.', 'https3', ['.'], 443],
    ['10.0.0.0/8', 'dns', ['10.in-addr.arpa.'], 1053],
    ['10.0.0.0/8:5353', 'dns', ['10.in-addr.arpa.'], 5353],
    ['2001:db8::/32', 'dns', ['8.b.d.0.1.0.0.2.ip6.arpa.'], 1053],
    ['2001:db8::/32:5353', 'dns', ['8.b.d.0.1.0.0.2.ip6.arpa.'], 5353],
    ['hostname.bind:5353', 'dns', ['hostname.bind.'], 5353],
  ]
  for (const [key, scheme, zones, port] of cases) {
    assert.deepEqual(parseKey(key, 1053), { scheme, zones, port, warning: '' }, key)
  }
  for (const [key, zone] of [
    ['10.0.0.1', '10.0.0.1.'],
    ['10.0.0.1:53', '10.0.0.1.'],
    ['10.0.0.0/33', '10.0.0.0/33.'],
    ['a.example,b.example', 'a.example,b.example.'],
  ]) {
    const { zones, warning } = parseKey(key, 53)
    assert.deepEqual(zones, [zone])
    assert.match(warning, /taken as/, key)
  }
  const wrong = [
    '',
    ':53',
    'a:',
    'a:65536',
    'a:dns',
    '.:53{',
    'a..b',
    'http://a',
    'ftp://a',
    '://a',
    '::1',
    'a:b:53',
    'dns://',
    'tls://:853',
  ]
  for (const key of [...wrong, `${'a.'.repeat(128)}:53`]) assert.throws(() => parseKey(key, 53), NameError, key)
})
