// Queries on the wire: a table of octets, and a decoder that knows nothing of the encoder.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { decodeMessage } from '../../../src/dns/message.ts'
import { NAME_LENGTH_MAX, NameError, textOfWire } from '../../../src/dns/name.ts'
import { seededRandom } from '../../../src/load/queries/draw.ts'
import { encodeQuery, QueryEncoder, randomiseCase } from '../../../src/load/queries/wire-query.ts'

const BIG = { udpSize: 1232, dnssecOk: false }
const DO = { udpSize: 4096, dnssecOk: true }

test('a query is these octets', () => {
  const header = '000001000001000000000000'
  const withOpt = '000001000001000000000001'
  const cases: [name: string, type: string, edns: typeof BIG | null, hex: string][] = [
    ['a.bc', 'A', null, `${header}0161026263000001 0001`],
    ['a.bc.', 'aaaa', null, `${header}016102626300001c0001`], // the final dot, and case of mnemonics, mean nothing
    ['.', 'NS', null, `${header}0000020001`],
    ['', 'NS', null, `${header}0000020001`],
    ['A.b', 'TYPE65535', null, `${header}0141016200ffff0001`], // the case of letters is kept
    ['a\\.b.c', 'A', null, `${header}03612e6201630000010001`], // RFC 1035 §5.1
    ['\\000.\\255', 'A', null, `${header}010001ff0000010001`],
    ['é', 'A', null, `${header}01e90000010001`], // a character is an octet
    ['a', 'A', BIG, `${withOpt}01610000010001 00 0029 04d0 00000000 0000`], // RFC 6891 §6.1.2
    ['a', 'A', DO, `${withOpt}01610000010001 00 0029 1000 00008000 0000`], // RFC 3225 §3
  ]
  for (const [name, type, edns, hex] of cases) {
    assert.equal(Buffer.from(encodeQuery(name, type, edns)).toString('hex'), hex.replaceAll(' ', ''), `${name} ${type}`)
  }
})

test('what cannot be asked is told', () => {
  const long = 'x'.repeat(64)
  const cases: [name: string, type: string, edns: typeof BIG | null, message: RegExp][] = [
    ['a..b', 'A', null, /'a\.\.b' has an empty label/],
    ['.a', 'A', null, /empty label/],
    ['a..', 'A', null, /empty label/],
    [long, 'A', null, /label of over 63 octets/],
    [`${long}.a`, 'A', null, /label of over 63 octets/],
    ['x.'.repeat(128), 'A', null, /over 255 octets/],
    ['a\\', 'A', null, /ends in a backslash/],
    ['a\\300', 'A', null, /over 255/],
    ['a\u0142', 'A', null, /no octet/],
    ['a', 'WHAT', null, /^no record type is called 'WHAT'$/],
    ['a', 'TYPE65536', null, /no record type/],
    ['a', 'A', { udpSize: 511, dnssecOk: false }, /UDP size of 511: 512 to 65535/],
    ['a', 'A', { udpSize: 65536, dnssecOk: false }, /UDP size/],
    ['a', 'A', { udpSize: Number.NaN, dnssecOk: false }, /UDP size/],
  ]
  for (const [name, type, edns, message] of cases) {
    assert.throws(() => encodeQuery(name, type, edns), { code: 'BAD_LOAD_INPUT', message }, `${name} ${type}`)
  }
  assert.throws(() => new QueryEncoder(null).encode('a..b', 1), NameError)
})

test('the longest name has 255 octets on the wire', () => {
  const name = `${`${'x'.repeat(49)}.`.repeat(5)}yyy`
  assert.equal(name.length, 253)
  assert.equal(encodeQuery(name, 'A').length, 12 + 255 + 4)
  assert.equal(encodeQuery(`${name}.`, 'A').length, 12 + 255 + 4)
  for (const longer of [`${name}y`, `${name}y.`, `${name}yy`]) {
    assert.throws(() => encodeQuery(longer, 'A'), { code: 'BAD_LOAD_INPUT', message: /over 255 octets/ })
  }
})

test('any name comes out as it went in, with one encoder for all', () => {
  const anyLabel = fc.uint8Array({ minLength: 1, maxLength: 63 })
  const anyPlain = fc.stringMatching(/^[a-zA-Z0-9_-]{1,63}$/).map((text) => Uint8Array.from(Buffer.from(text)))
  const anyLabels = fc.array(fc.oneof(anyLabel, anyPlain), { maxLength: 8 })
  const encoder = new QueryEncoder(BIG)
  fc.assert(
    fc.property(anyLabels, fc.integer({ min: 0, max: 65535 }), fc.boolean(), (labels, type, hasDot) => {
      const wire = Uint8Array.from([...labels.flatMap((label) => [label.length, ...label]), 0])
      const text = textOfWire(wire)
      const given = hasDot || text === '.' ? text : text.slice(0, -1)
      if (wire.length > NAME_LENGTH_MAX) {
        assert.throws(() => encoder.encode(given, type), NameError)
        return
      }
      const message = encoder.encode(given, type)
      const { question, recursionDesired, edns } = decodeMessage(message, 0, message.length)
      assert.deepEqual(question, { name: text, type, class: 1 })
      assert.ok(recursionDesired)
      assert.equal(edns?.udpSize, BIG.udpSize)
      assert.equal(message.length, 12 + wire.length + 4 + 11)
    }),
  )
})

test('case by lot changes letters, in case alone', () => {
  const random = seededRandom(7)
  const seen = new Set<string>()
  for (let round = 0; round < 40; round++) {
    const plain = encodeQuery('Web-1.@[`{.zz\\193', 'A', DO)
    const message = plain.slice()
    randomiseCase(message, random)
    assert.equal(message.length, plain.length)
    message.forEach((octet, at) => {
      const isLetter = at > 11 && at < 30 && /[a-z]/i.test(String.fromCharCode(plain[at]))
      assert.equal(isLetter ? octet | 0x20 : octet, isLetter ? plain[at] | 0x20 : plain[at], `octet ${at}`)
      if (isLetter) seen.add(`${at} ${octet}`)
    })
    seen.add(`both ${message[14]} ${message[15]}`)
  }
  assert.equal(seen.size, 10 + 4, 'both cases of each of the five letters come up, and two of them in all ways')
})
