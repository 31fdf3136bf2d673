// parseRecord() and recordText(): tables of every type, round trips of generated RDATA and text, and what must be refused.
// PEREGRINE_SEED: the seed.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { ResourceRecord } from '../../src/dns/message.ts'
import { parseRecord, RecordTextError, rdataText, recordText } from '../../src/dns/record-text.ts'
import { addressText, ipv4Value, ipv6Octets } from '../../src/dns/record-text-address.ts'
import { FIELDS, periodSeconds } from '../../src/dns/record-text-fields.ts'
import { TYPES, typeName } from '../../src/dns/record-types.ts'

const SEED = Number(process.env.PEREGRINE_SEED ?? Date.now() % 2 ** 31)
console.log(`# seed ${SEED}`)
const DEFAULTS = { origin: 'example.org.', ttl: 60, class: 1 }

function parse(text: string): ResourceRecord {
  return parseRecord(text, DEFAULTS)
}

function hex(octets: Uint8Array): string {
  return Buffer.from(octets).toString('hex')
}

const heads: [string, string][] = [
  ['a A 1.2.3.4', 'a.example.org. 60 IN A 1.2.3.4'],
  ['a. 30 A 1.2.3.4', 'a. 30 IN A 1.2.3.4'],
  ['a. in 30 a 1.2.3.4', 'a. 30 IN A 1.2.3.4'],
  ['a. 30 CH A 1.2.3.4', 'a. 30 CH A 1.2.3.4'],
  ['a. CLASS17 TYPE1 1.2.3.4', 'a. 60 CLASS17 A 1.2.3.4'],
  ['a. 1h30m5 A 1.2.3.4', 'a. 5405 IN A 1.2.3.4'],
  ['a. 4294967295 A 1.2.3.4', 'a. 4294967295 IN A 1.2.3.4'],
  ['@ A 1.2.3.4', 'example.org. 60 IN A 1.2.3.4'],
  ['. NS @', '. 60 IN NS example.org.'],
  ['*.A.b A 1.2.3.4', '*.A.b.example.org. 60 IN A 1.2.3.4'], // letter case is kept
  ['in in in a 1.2.3.4', ''],
  ['in in a 1.2.3.4', 'in.example.org. 60 IN A 1.2.3.4'],
  ['  a. A 1.2.3.4 ; why', 'a. 60 IN A 1.2.3.4'],
  ['a. ( \n A ; why\n 1.2.3.4 )', 'a. 60 IN A 1.2.3.4'],
  ['a\\.b A 1.2.3.4', 'a\\.b.example.org. 60 IN A 1.2.3.4'],
  ['a\\.b\\. A 1.2.3.4', 'a\\.b\\..example.org. 60 IN A 1.2.3.4'],
  ['\\097\\(\\032\\;. A 1.2.3.4', 'a\\(\\032\\;. 60 IN A 1.2.3.4'],
  ['\\$a. A 1.2.3.4', '\\$a. 60 IN A 1.2.3.4'],
  ['"a b." A 1.2.3.4', 'a\\032b. 60 IN A 1.2.3.4'],
  ['ä. A 1.2.3.4', '\\195\\164. 60 IN A 1.2.3.4'],
]
test('owner, TTL and class', () => {
  for (const [text, expected] of heads) {
    if (expected === '') assert.throws(() => parse(text), RecordTextError, text)
    else assert.equal(recordText(parse(text)), expected, text)
  }
  assert.equal(parseRecord('a A 1.2.3.4', { ...DEFAULTS, origin: '.' }).owner, 'a.')
  assert.equal(parseRecord('a A 1.2.3.4', { ...DEFAULTS, origin: 'x\\.y' }).owner, 'a.x\\.y.')
})

// Type, RDATA as written, RDATA printed ('=': the same), octets (from the RFC of the type, where it shows any).
const rdatas: [string, string, string, string][] = [
  ['A', '10.0.0.255', '=', '0a0000ff'],
  ['NS', 'ns', 'ns.example.org.', '026e73076578616d706c65036f726700'],
  ['CNAME', '.', '=', '00'],
  ['SOA', 'a. b. 1 2h 3 4 1d', 'a. b. 1 7200 3 4 86400', '0161000162000000000100001c20000000030000000400015180'],
  ['PTR', 'a.', '=', '016100'],
  ['HINFO', 'x "y z"', '"x" "y z"', '01780379207a'],
  ['MX', '10 a.', '=', '000a016100'],
  ['TXT', 'a "b c" "" "d\\"\\092\\010"', '"a" "b c" "" "d\\"\\\\\\010"', '0161 03622063 00 0464225c0a'],
  ['RP', 'a. b.', '=', '016100016200'],
  ['AFSDB', '1 a.', '=', '0001016100'],
  ['AAAA', '2001:DB8:0:0:1:0:0:1', '2001:db8::1:0:0:1', '20010db8000000000001000000000001'],
  ['SRV', '1 2 65535 a.', '=', '00010002ffff016100'],
  [
    'NAPTR',
    '100 10 "u" "E2U+sip" "!^.*$!sip:x@y!" .',
    '=',
    '0064 000a 0175 074532552b736970 0e215e2e2a24217369703a7840792100'.replace('7921 00', '792100'),
  ],
  ['DNAME', 'a.', '=', '016100'],
  ['CERT', 'PKIX 1 RSASHA256 AQID', '1 1 8 AQID', '0001000108010203'],
  [
    'DS',
    '60485 5 1 2bb183af 5f22588179a53b0a 98631fad1a292118',
    '60485 5 1 2BB183AF5F22588179A53B0A98631FAD1A292118',
    'ec4505012bb183af5f22588179a53b0a98631fad1a292118',
  ],
  ['SSHFP', '4 2 0AFF', '=', '04020aff'],
  [
    'RRSIG',
    'A 5 3 86400 20030322173103 20030220173103 2642 example.com. AQID',
    '=',
    '0001050300015180 3e7c9dd7 3e5510d7 0a52 076578616d706c6503636f6d00 010203',
  ],
  [
    'NSEC',
    'host.example.com. A MX RRSIG NSEC TYPE1234',
    '=',
    '04686f7374076578616d706c6503636f6d00 0006400100000003 041b 0000000000000000000000000000000000000000000000000000 20',
  ],
  // Malformed: two windows in the wrong order, one that ends in an empty octet.
  ['NSEC', '\\# 7 00010140000140', '=', '00 010140 000140'],
  ['NSEC', '\\# 5 0000024000', '=', '00 00024000'],
  ['DNSKEY', '256 3 RSASHA1 AQPS', '256 3 5 AQPS', '0100030501 03d2'],
  [
    'NSEC3',
    '1 1 12 aabbccdd 2t7b4g4vsa5smi47k61mv5bv1a22bojr MX DNSKEY',
    '1 1 12 AABBCCDD 2T7B4G4VSA5SMI47K61MV5BV1A22BOJR MX DNSKEY',
    '0101000c04aabbccdd14174eb2409fe28bcb4887a1836f957f0a8425e27b 000700010000000080',
  ],
  ['NSEC3PARAM', '1 0 12 -', '=', '0100000c00'],
  ['TLSA', '3 1 1 0AFF', '=', '0301010aff'],
  ['SMIMEA', '3 1 1 0AFF', '=', '0301010aff'],
  ['SPF', '"v=spf1 -all"', '=', '0b763d73706631202d616c6c'],
  ['CDS', '0 0 0 00', '=', '0000000000'],
  ['CDNSKEY', '0 3 0 AA==', '=', '0000030000'],
  ['OPENPGPKEY', 'AQ ID', 'AQID', '010203'],
  ['CSYNC', '66 3 A NS AAAA', '=', '000000420003000460000008'],
  ['ZONEMD', '2018031500 1 1 FEBE', '=', '7848b78c0101febe'],
  ['CAA', '0 issue "letsencrypt.org"', '=', '000569737375656c657473656e63727970742e6f7267'],
  ['URI', '10 1 "ftp://a/"', '=', '000a00016674703a2f2f612f'],
  ['DLV', '1 5 1 AB', '=', '00010501ab'],
  // RFC 1876 §4, the first of its examples.
  [
    'LOC',
    '42 21 54 N 71 06 18 W -24m 30m',
    '42 21 54.000 N 71 6 18.000 W -24.00m 30.00m 10000.00m 10.00m',
    '00331613 89172dd0 70be15f0 00988d20',
  ],
  [
    'LOC',
    '42 N 71 W 0',
    '42 0 0.000 N 71 0 0.000 W 0.00m 1.00m 10000.00m 10.00m',
    '00121613 89032100 70c3da80 00989680',
  ],
  // RFC 9460, Appendix D.
  ['HTTPS', '0 foo.example.com.', '=', '000003666f6f076578616d706c6503636f6d00'],
  ['SVCB', '1 .', '=', '000100'],
  [
    'SVCB',
    '16 foo.example.com. port=53',
    '16 foo.example.com. port="53"',
    '001003666f6f076578616d706c6503636f6d00000300020035',
  ],
  [
    'SVCB',
    '1 foo.example.com. key667=hello',
    '1 foo.example.com. key667="hello"',
    '000103666f6f076578616d706c6503636f6d00029b000568656c6c6f',
  ],
  [
    'SVCB',
    '1 foo.example.com. key667="hello\\210qoo"',
    '=',
    '000103666f6f076578616d706c6503636f6d00029b000968656c6c6fd2716f6f',
  ],
  [
    'SVCB',
    '1 foo.example.com. ( ipv6hint="2001:db8::1,2001:db8::53:1" )',
    '1 foo.example.com. ipv6hint="2001:db8::1,2001:db8::53:1"',
    '000103666f6f076578616d706c6503636f6d000006002020010db800000000000000000000000120010db8000000000000000000530001',
  ],
  [
    'SVCB',
    '16 foo.example.org. ( alpn=h2,h3-19 mandatory=ipv4hint,alpn ipv4hint=192.0.2.1 )',
    '16 foo.example.org. mandatory="alpn,ipv4hint" alpn="h2,h3-19" ipv4hint="192.0.2.1"',
    '001003666f6f076578616d706c65036f7267000000000400010004000100090268320568332d31390004 0004c0000201'.replace(
      ' ',
      '',
    ),
  ],
  [
    'SVCB',
    '16 foo.example.org. alpn="f\\\\\\\\oo\\\\,bar,h2"',
    '=',
    '001003666f6f076578616d706c65036f726700000100 0c08665c6f6f2c626172026832',
  ],
  [
    'SVCB',
    '16 foo.example.org. alpn=f\\\\\\092oo\\092,bar,h2',
    '16 foo.example.org. alpn="f\\\\\\\\oo\\\\,bar,h2"',
    '001003666f6f076578616d706c65036f7267000001000c08665c6f6f2c626172026832',
  ],
  [
    'HTTPS',
    '1 . no-default-alpn alpn=h2 ech=AQID dohpath=/q{?dns}',
    '1 . alpn="h2" no-default-alpn ech="AQID" dohpath="/q{?dns}"',
    '000100 00010003026832 00020000 00050003010203 000700082f717b3f646e737d',
  ],
  ['TYPE731', '\\# 6 abcd ef 012345', '\\# 6 ABCDEF012345', 'abcdef012345'],
  ['A', '\\# 4 0A000001', '10.0.0.1', '0a000001'],
  ['NULL', '\\# 0', '=', ''],
]
test('RDATA of every type', () => {
  for (const [type, written, printed, octets] of rdatas) {
    const record = parse(`a. ${type} ${written}`)
    assert.equal(hex(record.rdata), octets.replaceAll(' ', ''), `${type} ${written}`)
    const expected = printed === '=' ? written : printed
    assert.equal(rdataText(record.type, record.rdata), expected)
    assert.deepEqual(parse(recordText(record)), record)
  }
  const asked =
    'A NS CNAME SOA PTR HINFO MX TXT RP AFSDB AAAA LOC SRV NAPTR DNAME DS SSHFP RRSIG NSEC DNSKEY NSEC3 NSEC3PARAM TLSA SPF CDS CDNSKEY OPENPGPKEY SVCB HTTPS CAA URI'
  for (const type of asked.split(' '))
    assert.ok(
      rdatas.some(([each]) => each === type),
      type,
    )
})

const refused = [
  '',
  ' ; nothing',
  'a',
  'a A',
  'a 60',
  'a 60 IN',
  'a 60 60 A 1.2.3.4',
  'a 99999999999 A 1.2.3.4',
  'a 1x A 1.2.3.4',
  'a FOO 1.2.3.4',
  'a A 1.2.3',
  'a A 1.2.3.4.5',
  'a A 1.2.3.256',
  'a A 01.2.3.4',
  'a A 1.2.3.4 5',
  'a A 1..3.4',
  'a A \\1.2.3.4',
  'a AAAA 1.2.3.4',
  'a AAAA ::g',
  'a AAAA fe80::1%eth0',
  'a MX a.',
  'a MX 65536 a.',
  'a MX -1 a.',
  'a MX 1',
  'a SRV 1 2 a.',
  'a SOA a. b. 1 2 3 4',
  'a SOA a. b. 1 2 3 4 5 6',
  `a TXT "${'x'.repeat(256)}"`,
  'a TXT',
  'a TXT "open',
  'a TXT "x\ny"',
  'a TXT \\256',
  'a TXT x\\',
  'a..b A 1.2.3.4',
  '.a A 1.2.3.4',
  `${'x'.repeat(64)} A 1.2.3.4`,
  `${'x.'.repeat(123)}y A 1.2.3.4`,
  `${'x.'.repeat(200)} A 1.2.3.4`,
  `a CNAME ${'x.'.repeat(128)}`,
  `a CNAME ${'\\120.'.repeat(128)}`,
  'a CNAME a..b',
  'a\\256 A 1.2.3.4',
  'a ( A 1.2.3.4',
  'a ) A 1.2.3.4',
  'a A 1.2.3.4\nb A 1.2.3.4',
  'a DS 1 5 1',
  'a DS 1 5 1 abc',
  'a DS 1 5 1 xy',
  'a DNSKEY 1 3 5 AQI',
  'a DNSKEY 1 3 NOSUCH AQID',
  'a NSEC b. NOSUCH',
  'a NSEC3 1 0 1 - !',
  'a NSEC3 1 0 1 - a',
  'a RRSIG A 5 3 1 x 1 1 a. AQID',
  'a CAA 0 is-sue x',
  'a CAA 256 issue x',
  'a CAA 0 issue',
  'a SVCB 1 . alpn',
  'a SVCB 1 . alpn=,',
  'a SVCB 1 . alpn=h2,',
  'a SVCB 1 . port=65536',
  'a SVCB 1 . port=1 port=2',
  'a SVCB 1 . nosuch=1',
  'a SVCB 1 . key65536=a',
  'a SVCB 1 . key01=a',
  'a SVCB 1 . ipv4hint=::1',
  'a SVCB 1 . no-default-alpn=x',
  'a SVCB 1 . mandatory=alpn,alpn',
  'a SVCB 1 . alpn="h2',
  'a LOC 91 N 0 E 0',
  'a LOC 1 60 N 0 E 0',
  'a LOC 1 0 N',
  'a LOC 1 1 1 1 N 0 E 0',
  'a TYPE731 1',
  'a TYPE731 \\# 1',
  'a TYPE731 \\# 1 0102',
  'a TYPE731 \\# x',
  'a A "\\#" 4 01020304',
  'a OPT \\# 0',
  'a ANY \\# 0',
  'a AXFR \\# 0',
  'a TYPE65536 \\# 0',
]
for (const text of refused)
  test(`refused: ${text.slice(0, 60)}`, () => assert.throws(() => parse(text), RecordTextError))

test('periods', () => {
  const cases: [string, number][] = [
    ['0', 0],
    ['3600', 3600],
    ['1w2d3h4m5s', 788645],
    ['1H', 3600],
    ['1h1h', 7200],
    ['4294967295', 4294967295],
  ]
  for (const [text, seconds] of cases) assert.equal(periodSeconds(text), seconds, text)
  for (const text of ['', 'h', '1x', '1 h', '4294967296', '9999999999w', '-1', '1.5h'])
    assert.equal(periodSeconds(text), -1, text)
})

test('addresses: text and octets', () => {
  const cases: [string, string][] = [
    ['::', '::'],
    ['::1', '::1'],
    ['1::', '1::'],
    ['1:0:0:2:0:0:0:3', '1:0:0:2::3'],
    ['1:0:2:3:4:5:6:7', '1:0:2:3:4:5:6:7'],
    ['::ffff:1.2.3.4', '::ffff:102:304'],
    ['1:2:3:4:5:6:1.2.3.4', '1:2:3:4:5:6:102:304'],
    ['::2:3:4:5:6:7:8', '0:2:3:4:5:6:7:8'],
    ['0:0:1::', '0:0:1::'],
    ['2001:DB8::A', '2001:db8::a'],
  ]
  for (const [text, expected] of cases) assert.equal(addressText(ipv6Octets(text)!), expected, text)
  fc.assert(
    fc.property(
      fc
        .uint8Array({ minLength: 16, maxLength: 16 })
        .map((octets) => octets.map((octet, i) => (i & 6 ? 0 : octet & 3))),
      (octets) => assert.deepEqual(ipv6Octets(addressText(octets)), octets),
    ),
    { seed: SEED },
  )
  fc.assert(
    fc.property(fc.nat(2 ** 31), (value) =>
      assert.equal(ipv4Value(addressText(Uint8Array.of(value >>> 24, value >>> 16, value >>> 8, value))), value),
    ),
    { seed: SEED },
  )
})

const anyOctet = fc.oneof(fc.nat(255), fc.constantFrom(0, 1, 2, 4, 0x22, 0x28, 0x2c, 0x2e, 0x3b, 0x40, 0x5c, 0x61))
const anyRdata = fc.array(anyOctet, { maxLength: 40 }).map((octets) => Uint8Array.from(octets))

test('whatever the RDATA: its text is read back octet for octet', () => {
  const own = new Set<number>()
  const types = [...FIELDS.keys(), TYPES.NULL, 4711]
  // Well-formed RDATA of each type besides, changed a little: random octets seldom are.
  const seeds = rdatas.map(([type, written]) => parse(`a. ${type} ${written}`))
  const anyCase = fc.oneof(
    fc.tuple(fc.constantFrom(...types), anyRdata),
    fc.tuple(fc.constantFrom(...seeds), fc.nat(), anyOctet, fc.nat(3)).map(([{ type, rdata }, at, octet, kind]) => {
      if (kind === 0) return [type, rdata] as [number, Uint8Array]
      if (kind === 1) return [type, rdata.subarray(0, at % (rdata.length + 1))] as [number, Uint8Array]
      return [type, rdata.map((each, i) => (i === at % rdata.length ? octet : each))] as [number, Uint8Array]
    }),
  )
  fc.assert(
    fc.property(anyCase, ([type, rdata]) => {
      const record = { owner: 'a.', type, class: 1, ttl: 0, rdata: Uint8Array.from(rdata) }
      const text = recordText(record)
      if (!text.includes('\\#')) own.add(type)
      const again = parse(text)
      assert.deepEqual({ ...again, rdata: Uint8Array.from(again.rdata) }, record, text)
    }),
    { seed: SEED, numRuns: 5000 },
  )
  for (const type of FIELDS.keys()) {
    if (seeds.some((each) => each.type === type))
      assert.ok(own.has(type), `${typeName(type)} was printed in its own form`)
  }
})

test('whatever the owner: it is read back', () =>
  fc.assert(
    fc.property(fc.array(fc.array(anyOctet, { minLength: 1, maxLength: 5 }), { maxLength: 5 }), (labels) => {
      const owner =
        labels.map((label) => `${label.map((octet) => `\\${String(octet).padStart(3, '0')}`).join('')}.`).join('') ||
        '.'
      const record = parse(`${owner} TXT x`)
      assert.deepEqual(parse(recordText(record)), record)
    }),
    { seed: SEED, numRuns: 1000 },
  ))

test('whatever the text: a record or a RecordTextError', () => {
  let read = 0
  const words = [
    'a',
    'a.',
    '@',
    'IN',
    '60',
    '1h',
    'A',
    'TXT',
    'SVCB',
    'LOC',
    'NSEC',
    'MX',
    'CAA',
    '1.2.3.4',
    '\\# 1 01',
    '"',
    '(',
    ')',
    ';',
    '\\',
    '\n',
    ' ',
    'alpn=h2',
    '=',
    '"x"',
    'ä',
    '\\065',
    '.',
    '1',
    'N',
    'E',
  ]
  fc.assert(
    fc.property(
      fc.array(fc.oneof(fc.constantFrom(...words), fc.string({ maxLength: 3, unit: 'binary' })), { maxLength: 12 }),
      fc.boolean(),
      (parts, spaced) => {
        try {
          const record = parse(parts.join(spaced ? ' ' : ''))
          read++
          assert.deepEqual(parse(recordText(record)), record)
        } catch (error) {
          if (!(error instanceof RecordTextError)) throw error
        }
      },
    ),
    { seed: SEED, numRuns: 5000 },
  )
  assert.ok(read > 0)
})
