// parseZoneText() and readZoneFile(): directives, inherited owners and TTLs, includes, errors with file and line; round trips of generated zones
// whose text is laid out at random.
// PEREGRINE_SEED: the seed.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { parseRecord, recordText } from '../../src/dns/record-text.ts'
import { parseZoneText, readZoneFile, type ZoneFile, ZoneFileError } from '../../src/dns/zone-file.ts'

const SEED = Number(process.env.PEREGRINE_SEED ?? Date.now() % 2 ** 31)
console.log(`# seed ${SEED}`)
const SOA = '@ 60 IN SOA ns mail 1 2 3 4 5\n'
const SOA_TEXT = 'example.org. 60 IN SOA ns.example.org. mail.example.org. 1 2 3 4 5'

function parse(text: string, files: Record<string, string> = {}, origin = 'example.org'): ZoneFile {
  return readZoneFile('/zones/db', origin, (path) => {
    if (path === '/zones/db') return text
    if (Object.hasOwn(files, path)) return files[path]
    throw new Error(`no such file: ${path}`)
  })
}

function texts(text: string, files: Record<string, string> = {}): string[] {
  return parse(text, files).records.map(recordText)
}

/** Lines behind the SOA. */
function after(text: string, files: Record<string, string> = {}): string[] {
  const [soa, ...rest] = texts(SOA + text, files)
  assert.equal(soa, SOA_TEXT)
  return rest
}

test('a zone as RFC 1035 §5.3 has it', () => {
  const text = `
@   IN  SOA     VENERA      Action\\.domains (
                                 20     ; SERIAL
                                 7200   ; REFRESH
                                 600    ; RETRY
                                 3600000; EXPIRE
                                 60)    ; MINIMUM

        NS      A.ISI.EDU.
        NS      VENERA
        MX      10      VENERA
        MX      20      VAXA

A       A       26.3.0.103

VENERA  A       10.1.0.52
        A       128.9.0.32

$INCLUDE <SUBSYS>ISI-MAILBOXES.TXT`
  const zone = parse(text, { '/zones/<SUBSYS>ISI-MAILBOXES.TXT': 'MOE     MB      A.ISI.EDU.\n' }, 'ISI.EDU')
  assert.deepEqual(zone.records.map(recordText), [
    'ISI.EDU. 60 IN SOA VENERA.ISI.EDU. Action\\.domains.ISI.EDU. 20 7200 600 3600000 60',
    'ISI.EDU. 60 IN NS A.ISI.EDU.',
    'ISI.EDU. 60 IN NS VENERA.ISI.EDU.',
    'ISI.EDU. 60 IN MX 10 VENERA.ISI.EDU.',
    'ISI.EDU. 60 IN MX 20 VAXA.ISI.EDU.',
    'A.ISI.EDU. 60 IN A 26.3.0.103',
    'VENERA.ISI.EDU. 60 IN A 10.1.0.52',
    'VENERA.ISI.EDU. 60 IN A 128.9.0.32',
    'MOE.ISI.EDU. 60 IN MB A.ISI.EDU.',
  ])
  assert.equal(zone.soa, zone.records[0])
})

const cases: [string, string, string[], Record<string, string>?][] = [
  [
    'TTL of the record before',
    'a 7 A 1.2.3.4\nb A 1.2.3.4',
    ['a.example.org. 7 IN A 1.2.3.4', 'b.example.org. 7 IN A 1.2.3.4'],
  ],
  [
    '$TTL goes before that',
    '$TTL 1h\na 7 A 1.2.3.4\nb A 1.2.3.4',
    ['a.example.org. 7 IN A 1.2.3.4', 'b.example.org. 3600 IN A 1.2.3.4'],
  ],
  [
    '$TTL from here on',
    '$TTL 1\na A 1.2.3.4\n$ttl 2\nb A 1.2.3.4',
    ['a.example.org. 1 IN A 1.2.3.4', 'b.example.org. 2 IN A 1.2.3.4'],
  ],
  [
    '$ORIGIN, absolute and relative',
    '$ORIGIN sub\na NS b\n$ORIGIN x.example.org.\na NS @',
    ['a.sub.example.org. 60 IN NS b.sub.example.org.', 'a.x.example.org. 60 IN NS x.example.org.'],
  ],
  [
    'blank owners, over comments and empty lines',
    'a A 1.1.1.1\n\n ; nothing\n\t A 2.2.2.2 ; b\n; c\n A 3.3.3.3',
    ['a.example.org. 60 IN A 1.1.1.1', 'a.example.org. 60 IN A 2.2.2.2', 'a.example.org. 60 IN A 3.3.3.3'],
  ],
  [
    'an owner stays through $ORIGIN',
    'a A 1.1.1.1\n$ORIGIN b\n A 2.2.2.2',
    ['a.example.org. 60 IN A 1.1.1.1', 'a.example.org. 60 IN A 2.2.2.2'],
  ],
  ['CRLF', 'a A 1.1.1.1\r\n  A 2.2.2.2\r\n', ['a.example.org. 60 IN A 1.1.1.1', 'a.example.org. 60 IN A 2.2.2.2']],
  [
    'a line of blanks takes no owner',
    'a A 1.1.1.1\n   \nb A 2.2.2.2',
    ['a.example.org. 60 IN A 1.1.1.1', 'b.example.org. 60 IN A 2.2.2.2'],
  ],
  [
    'parentheses',
    'a ( A\n1.1.1.1 )\nb TXT ( "x;(" ; )\n y )',
    ['a.example.org. 60 IN A 1.1.1.1', 'b.example.org. 60 IN TXT "x;(" "y"'],
  ],
  ['parentheses around everything', '( a A\n 1.1.1.1 )', ['a.example.org. 60 IN A 1.1.1.1']],
  [
    '$INCLUDE keeps origin and owner',
    'a A 1.1.1.1\n$INCLUDE sub/x b\n A 3.3.3.3\nd A 4.4.4.4',
    [
      'a.example.org. 60 IN A 1.1.1.1',
      'c.b.example.org. 60 IN A 2.2.2.2',
      'y.b.example.org. 60 IN A 5.5.5.5',
      'a.example.org. 60 IN A 3.3.3.3',
      'd.example.org. 60 IN A 4.4.4.4',
    ],
    { '/zones/sub/x': 'c A 2.2.2.2\n$INCLUDE y', '/zones/sub/y': 'y A 5.5.5.5\n$ORIGIN z' },
  ],
  [
    '$GENERATE',
    '$GENERATE 1-3 a$ A 10.0.0.$',
    ['a1.example.org. 60 IN A 10.0.0.1', 'a2.example.org. 60 IN A 10.0.0.2', 'a3.example.org. 60 IN A 10.0.0.3'],
  ],
  [
    '$GENERATE with a step, TTL, class, modifiers',
    `$GENERATE 8-16/8 \${-8,3}.\${0,2,x}.\${0,0,X} 5 IN CNAME \${1,4,o}.\\$$$.\${0,3,n}.\${16,0,N}`,
    [
      '000.08.8.example.org. 5 IN CNAME 0011.$$.8.0.8.1.example.org.',
      '008.10.10.example.org. 5 IN CNAME 0021.$$.0.1.0.2.example.org.',
    ],
  ],
  ['$GENERATE in quotes', '$GENERATE 0-0 a TXT "n $" \\$', ['a.example.org. 60 IN TXT "n 0" "$"']],
  [
    'the SOA once more at the end, as in a transfer',
    'a A 1.1.1.1\n@ SOA ns mail 1 2 3 4 5',
    ['a.example.org. 60 IN A 1.1.1.1'],
  ],
  ['an owner that begins with a dollar sign', '\\$ORIGIN A 1.1.1.1', ['\\$ORIGIN.example.org. 60 IN A 1.1.1.1']],
  ['letters in any case', 'X.EXAMPLE.ORG. A 1.1.1.1', ['X.EXAMPLE.ORG. 60 IN A 1.1.1.1']],
]
for (const [what, text, expected, files] of cases) test(what, () => assert.deepEqual(after(text, files), expected))

test('TTL without any: the last number of the SOA', () => {
  const records = texts('@ SOA ns mail 1 2 3 4 5m\na A 1.1.1.1\nb 9 A 1.1.1.1\nc A 1.1.1.1')
  assert.deepEqual(
    records.map((each) => each.split(' ')[1]),
    ['300', '300', '9', '9'],
  )
  assert.equal(texts(`a A 1.1.1.1\n${SOA}`)[0], 'a.example.org. 3600 IN A 1.1.1.1')
})

test('a class other than IN, once for all', () => {
  assert.deepEqual(texts('@ 60 CH SOA . . 1 2 3 4 5\na TXT x'), [
    'example.org. 60 CH SOA . . 1 2 3 4 5',
    'a.example.org. 60 CH TXT "x"',
  ])
})

test('records outside of the zone are left out, and told', () => {
  const zone = parse(
    `${SOA}a.example.com. A 1.1.1.1\nxexample.org. A 1.1.1.1\norg. A 1.1.1.1\nx\\.example.org. A 1.1.1.1\n. NS a\ny.example.org. A 1.1.1.1`,
  )
  assert.deepEqual(
    zone.records.slice(1).map(({ owner }) => owner),
    ['y.example.org.'],
  )
  assert.deepEqual(
    zone.ignored,
    ['a.example.com.', 'xexample.org.', 'org.', 'x\\.example.org.', '.'].map(
      (owner, i) => `/zones/db:${i + 2}: ${owner} is not in example.org.`,
    ),
  )
  assert.equal(parse('@ SOA a b 1 2 3 4 5\nx.y. A 1.1.1.1', {}, '.').records.length, 2)
})

const refused: [string, string, Record<string, string>?][] = [
  ["/zones/db:2: '1.2.3' is no IPv4 address", `${SOA}a A 1.2.3`],
  ["/zones/db:4: 'FOO' is no type", `${SOA}\n\na FOO x`],
  ["/zones/db:3: '1.2.3' is no IPv4 address", `${SOA}; (\na ( A\n 1.2.3 )`], // the line that the entry begins on
  ["/zones/db:3: a '(' without its ')'", `${SOA}a ( A 1.2.3.4\n`],
  ["/zones/db:2: a ')' without its '('", `${SOA}a ) A 1.2.3.4`],
  ['/zones/db:2: a quote without its other', `${SOA}a TXT "x\ny"`],
  ['/zones/db: no SOA record of example.org.', 'a A 1.2.3.4'],
  ['/zones/db: no SOA record of example.org.', ''],
  ['/zones/db:1: SOA of a.example.org. in example.org.', 'a SOA . . 1 2 3 4 5'],
  ['/zones/db:2: a second SOA', `${SOA}@ SOA ns mail 2 2 3 4 5`],
  ['/zones/db:2: class CH in a zone of class IN', `${SOA}a CH TXT x`],
  ['/zones/db:1: no owner, and no record before', ' A 1.2.3.4'],
  ['/zones/db:2: $TTL SECONDS', `${SOA}$TTL x`],
  ['/zones/db:2: $ORIGIN NAME', `${SOA}$ORIGIN`],
  ["/zones/db:2: name 'a..b' has an empty label", `${SOA}$ORIGIN a..b`],
  ["/zones/db:2: '$FOO' is no directive; a name that begins so is written \\$FOO", `${SOA}$FOO a`],
  ['/zones/db:2: $INCLUDE x: no such file: /zones/x', `${SOA}$INCLUDE x`],
  ['/zones/x:2: type is missing', `${SOA}$INCLUDE x`, { '/zones/x': '\na' }],
  ['/zones/db:2: $INCLUDE over 7 deep', '\n$INCLUDE db'],
  ['/zones/x:1: $INCLUDE over 7 deep', `${SOA}$INCLUDE x`, { '/zones/x': '$INCLUDE x\n$INCLUDE x' }],
  ['/zones/db:1002: over 1000 times $INCLUDE', SOA + '$INCLUDE x\n'.repeat(1001), { '/zones/x': '' }],
  ["/zones/db:2: '1-x' is no range START-STOP[/STEP]", `${SOA}$GENERATE 1-x a A 1.2.3.4`],
  ["/zones/db:2: '3-1' is an empty range", `${SOA}$GENERATE 3-1 a A 1.2.3.4`],
  ["/zones/db:2: '1-3/0' is an empty range", `${SOA}$GENERATE 1-3/0 a A 1.2.3.4`],
  ["/zones/db:2: '0-65536' makes over 65536 records", `${SOA}$GENERATE 0-65536 a A 1.2.3.4`],
  [`/zones/db:2: '\${q}' is not \${OFFSET[,WIDTH[,BASE]]}`, `${SOA}$GENERATE 1-1 \${q} A 1.2.3.4`],
  [`/zones/db:2: '\${-2,0,x}' of 1 is below 0`, `${SOA}$GENERATE 1-1 \${-2,0,x} A 1.2.3.4`],
  ['/zones/db:2: $GENERATE START-STOP[/STEP] OWNER [TTL] [CLASS] TYPE RDATA', `${SOA}$GENERATE 1-1 a A`],
]
for (const [message, text, files] of refused) {
  test(`refused: ${message}`, () =>
    assert.throws(
      () => parse(text, files),
      (error) => {
        assert.ok(error instanceof ZoneFileError, String(error))
        assert.equal(error.message, message)
        return true
      },
    ))
}

test('an origin that is no name, and a file that is not there', () => {
  assert.throws(() => parse(SOA, {}, 'a..b'), ZoneFileError)
  const missing = Object.assign(new Error('not there'), { code: 'ENOENT' })
  assert.throws(
    () =>
      readZoneFile('x', 'a', () => {
        throw missing
      }),
    (error) => error === missing,
  )
})

const anyLabel = fc.oneof(
  fc.constantFrom('a', 'b', '*', 'www', '_tcp', 'x\\.y', '\\$', '\\;', '\\007'),
  fc.string({ unit: fc.constantFrom('a', 'B', '-', '0'), minLength: 1, maxLength: 6 }),
)
const anyRecordText = fc
  .tuple(
    fc.array(anyLabel, { maxLength: 3 }),
    fc.nat(9999),
    fc.constantFrom(
      'A 1.2.3.4',
      'AAAA ::1',
      'TXT "a;b" "(" "\\"" ""',
      'MX 10 x.example.org.',
      'CNAME www.example.com.',
      'SRV 1 2 3 y.',
      'CAA 0 issue "x"',
      'TYPE999 \\# 2 0102',
      'NSEC a. A TYPE999',
      'HTTPS 1 . alpn="h2,h3"',
    ),
  )
  .map(([labels, ttl, rest]) => `${[...labels, 'example.org.'].join('.')} ${ttl} IN ${rest}`)
const GAPS = [' ', '\t', '  ', ' ( ', ' )\n', ' ; x "(\n ', '\r\n ']

/** The same records with other white space, comments, lines, and owners left out. */
function laidOut(lines: readonly string[], choices: Iterator<number>): string {
  const choose = (count: number) => choices.next().value % count
  let text = ''
  let before = ''
  for (const line of lines) {
    const tokens = line.match(/(?:"(?:\\.|[^"\\])*"|\\.|[^\s"\\])+/g) ?? ['']
    const owner: string = tokens[0]
    if (owner === before && choose(2) === 0) text += [' ', '\t', '  '][choose(3)]
    else if (choose(2) === 0 && owner !== 'example.org.') text += `${owner.slice(0, -'.example.org.'.length)} `
    else text += owner === 'example.org.' && choose(2) === 0 ? '@ ' : `${owner} `
    before = owner
    let open = false
    tokens.slice(1).forEach((token) => {
      const gap = GAPS[choose(GAPS.length)]
      if (gap === ' ( ' ? open : gap.includes('\n') && !open) text += ' '
      else {
        if (gap === ' ( ') open = true
        if (gap === ' )\n') {
          text += ' ) '
          open = false
        } else text += gap
      }
      text += token
    })
    text += `${open ? ' \n )' : ''}${['\n', ' ; end\n', '\r\n', '\n\n  \n'][choose(4)]}`
  }
  return text
}

test('any layout: the same records', () => {
  let blank = 0
  fc.assert(
    fc.property(fc.array(anyRecordText, { maxLength: 12 }), fc.infiniteStream(fc.nat(999)), (lines, choices) => {
      const all = [SOA_TEXT, ...lines.flatMap((line) => (line.length % 3 === 0 ? [line, line] : [line]))]
      const expected = all.map((line) => parseRecord(line, { origin: '.', ttl: 0, class: 1 }))
      const text = laidOut(all, choices)
      if (/\n[ \t]+\d/.test(text)) blank++
      assert.deepEqual(parse(text).records, expected, text)
    }),
    { seed: SEED, numRuns: 400 },
  )
  assert.ok(blank > 0, 'some owners were left out')
})

test('whatever the text: a zone or a ZoneFileError', () => {
  const words = [
    '$ORIGIN',
    '$TTL',
    '$INCLUDE',
    '$GENERATE',
    '1-2',
    'x',
    'a',
    '@',
    '60',
    'IN',
    'A',
    '1.2.3.4',
    'TXT',
    '"',
    '(',
    ')',
    ';',
    '\n',
    '\n',
    ' ',
    '\\',
    `\${0,1}`,
    'ä',
  ]
  let read = 0
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...words), { maxLength: 20 }), fc.boolean(), (parts, spaced) => {
      try {
        parse(SOA + parts.join(spaced ? ' ' : ''), { '/zones/x': 'a A 1.2.3.4\n$INCLUDE x' })
        read++
      } catch (error) {
        if (!(error instanceof ZoneFileError)) throw error
      }
    }),
    { seed: SEED, numRuns: 3000 },
  )
  assert.ok(read > 0)
})

test('a hundred thousand records', () => {
  const lines = Array.from({ length: 100_000 }, (_, i) => `h${i} A 10.${i >> 16}.${(i >> 8) & 255}.${i & 255}\n`)
  const { records } = parse(SOA + lines.join(''))
  assert.equal(records.length, 100_001)
  assert.equal(recordText(records[100_000]), 'h99999.example.org. 60 IN A 10.1.134.159')
})

test('text that is given with its own includes', () => {
  const zone = parseZoneText(`${SOA}$INCLUDE y`, {
    origin: 'example.org.',
    file: 'inline',
    include: (path, from) => ({ file: `${from}/${path}`, text: '\ufeffa A 1.2.3.4' }),
  })
  assert.equal(zone.records.length, 2)
})
