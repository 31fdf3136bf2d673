// Plugin file: answers of zones out of files, case by case. RFC 1034 §4.3.2, RFC 4592, RFC 6672, RFC 2308.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fileStage, recordsOf } from '../zones/static-stage.ts'
import { ask, askText } from './stage-answer.ts'

const ZONE = `
@           3600 SOA  ns1 hostmaster 7 3600 600 86400 60
@           NS    ns1
@           NS    ns.elsewhere.test.
@           MX    10 mail
@           TXT   "apex"
ns1         A     10.0.0.1
ns1         AAAA  fd00::1
mail        A     10.0.0.2
www         A     10.0.0.3
www         A     10.0.0.4
WWW         TXT   "case"
a.b.c       A     10.0.0.5
alias       60 CNAME www
alias2      60 CNAME alias
broken      CNAME nothing
empty       CNAME b.c
nodata      CNAME www6
www6        AAAA  fd00::6
away        CNAME www.elsewhere.test.
down        CNAME x.sub
loop1       CNAME loop2
loop2       CNAME loop1
self        CNAME self
_sip._tcp   SRV   0 0 5060 mail
_sip._tcp   SRV   0 1 5061 mail
_sip._tcp   SRV   0 1 5061 other.elsewhere.test.
*.wild      A     10.0.1.1
*.wild      MX    10 mail
host.wild   A     10.0.1.2
x.y.wild    TXT   "below"
*.walias    CNAME www
*           TXT   "everything"
sub         NS    ns.sub
sub         NS    ns1
sub         NS    ns.elsewhere.test.
sub         DS    12345 8 2 00
sub         TXT   "hidden"
ns.sub      A     10.0.2.1
deep.e.sub  A     10.0.2.2
other       NS    ns.elsewhere.test.
old         DNAME new
old         TXT   "its own"
hidden.old  A     10.0.3.1
a.new       A     10.0.3.2
far         DNAME elsewhere.test.
long        DNAME ${'x'.repeat(60)}.${'y'.repeat(60)}.${'z'.repeat(60)}
spiral      DNAME x.spiral
10.0.0.1    A     10.0.4.1
`
const SOA = 'ns1.example.org. hostmaster.example.org. 7 3600 600 86400 60'
const stage = fileStage([{ origin: 'example.org.', records: recordsOf('example.org.', ZONE) }])
const soa = (apex = 'example.org.') => `~ ${apex} 60 IN SOA ${SOA}`
const REFERRAL = [
  '~ sub.example.org. 300 IN NS ns.sub.example.org.',
  '~ sub.example.org. 300 IN NS ns1.example.org.',
  '~ sub.example.org. 300 IN NS ns.elsewhere.test.',
  '+ ns.sub.example.org. 300 IN A 10.0.2.1',
  '+ ns1.example.org. 300 IN A 10.0.0.1',
  '+ ns1.example.org. 300 IN AAAA fd00::1',
]
const WWW = ['www.example.org. 300 IN A 10.0.0.3', 'www.example.org. 300 IN A 10.0.0.4']
const wildcard = (name: string, type: string, data: string) => `${name}.example.org. 300 IN ${type} ${data}`
const mail = '+ mail.example.org. 300 IN A 10.0.0.2'

// biome-ignore format: a table
const cases: [name: string, type: string, answer: string[]][] = [
  // What is there.
  ['www.example.org', 'A', ['NOERROR AA', ...WWW]],
  ['wWw.eXample.org', 'TXT', ['NOERROR AA', 'wWw.eXample.org. 300 IN TXT "case"']],
  ['example.org', 'SOA', ['NOERROR AA', `example.org. 3600 IN SOA ${SOA}`]],
  ['example.org', 'TXT', ['NOERROR AA', 'example.org. 300 IN TXT "apex"']],
  ['a.b.c.example.org', 'A', ['NOERROR AA', 'a.b.c.example.org. 300 IN A 10.0.0.5']],
  ['10.0.0.1.example.org', 'A', ['NOERROR AA', '10.0.0.1.example.org. 300 IN A 10.0.4.1']],
  // Addresses of targets, once each.
  ['example.org', 'NS', ['NOERROR AA', 'example.org. 300 IN NS ns1.example.org.', 'example.org. 300 IN NS ns.elsewhere.test.', '+ ns1.example.org. 300 IN A 10.0.0.1', '+ ns1.example.org. 300 IN AAAA fd00::1']],
  ['_sip._tcp.example.org', 'SRV', ['NOERROR AA', ...['0 0 5060 mail.example.org.', '0 1 5061 mail.example.org.', '0 1 5061 other.elsewhere.test.'].map((data) => wildcard('_sip._tcp', 'SRV', data)), mail]],
  // NODATA; empty non-terminals exist, so that the apex' wildcard does not reach them (RFC 4592 §2.2.2).
  ['www.example.org', 'AAAA', ['NOERROR AA', soa()]],
  ['wWw.eXample.org', 'MX', ['NOERROR AA', '~ eXample.org. 60 IN SOA '.concat(SOA)]],
  ['b.c.example.org', 'A', ['NOERROR AA', soa()]],
  ['c.example.org', 'TXT', ['NOERROR AA', soa()]],
  ['_tcp.example.org', 'TXT', ['NOERROR AA', soa()]],
  // NXDOMAIN: below what exists, no wildcard.
  ['x.b.c.example.org', 'A', ['NXDOMAIN AA', soa()]],
  ['x.www.example.org', 'A', ['NXDOMAIN AA', soa()]],
  // Wildcards: below the closest encloser only.
  ['gone.example.org', 'TXT', ['NOERROR AA', 'gone.example.org. 300 IN TXT "everything"']],
  ['gone.example.org', 'A', ['NOERROR AA', soa()]],
  ['far.gone.example.org', 'TXT', ['NOERROR AA', 'far.gone.example.org. 300 IN TXT "everything"']],
  ['X.wild.example.org', 'A', ['NOERROR AA', 'X.wild.example.org. 300 IN A 10.0.1.1']],
  ['x.x.wild.example.org', 'A', ['NOERROR AA', 'x.x.wild.example.org. 300 IN A 10.0.1.1']],
  ['x.wild.example.org', 'MX', ['NOERROR AA', wildcard('x.wild', 'MX', '\\# 20 000a046d61696c076578616d706c65036f726700'), mail]],
  ['x.wild.example.org', 'TXT', ['NOERROR AA', soa()]],
  ['*.wild.example.org', 'A', ['NOERROR AA', '*.wild.example.org. 300 IN A 10.0.1.1']],
  ['host.wild.example.org', 'MX', ['NOERROR AA', soa()]],
  ['x.host.wild.example.org', 'A', ['NXDOMAIN AA', soa()]],
  ['y.wild.example.org', 'A', ['NOERROR AA', soa()]],
  ['z.y.wild.example.org', 'A', ['NXDOMAIN AA', soa()]],
  ['wild.example.org', 'A', ['NOERROR AA', soa()]],
  ['x.walias.example.org', 'A', ['NOERROR AA', 'x.walias.example.org. 300 IN CNAME www.example.org.', ...WWW]],
  // CNAME.
  ['alias.example.org', 'A', ['NOERROR AA', 'alias.example.org. 60 IN CNAME www.example.org.', ...WWW]],
  ['alias.example.org', 'CNAME', ['NOERROR AA', 'alias.example.org. 60 IN CNAME www.example.org.']],
  ['alias2.example.org', 'A', ['NOERROR AA', 'alias2.example.org. 60 IN CNAME alias.example.org.', 'alias.example.org. 60 IN CNAME www.example.org.', ...WWW]],
  ['alias.example.org', 'MX', ['NOERROR AA', 'alias.example.org. 60 IN CNAME www.example.org.', soa()]],
  ['nodata.example.org', 'A', ['NOERROR AA', 'nodata.example.org. 300 IN CNAME www6.example.org.', soa()]],
  ['empty.example.org', 'A', ['NOERROR AA', 'empty.example.org. 300 IN CNAME b.c.example.org.', soa()]],
  ['broken.example.org', 'A', ['NOERROR AA', 'broken.example.org. 300 IN CNAME nothing.example.org.', soa()]],
  ['away.example.org', 'A', ['NOERROR AA', 'away.example.org. 300 IN CNAME www.elsewhere.test.']],
  ['loop1.example.org', 'A', ['NOERROR AA', 'loop1.example.org. 300 IN CNAME loop2.example.org.', 'loop2.example.org. 300 IN CNAME loop1.example.org.']],
  ['SELF.example.org', 'A', ['NOERROR AA', 'SELF.example.org. 300 IN CNAME self.example.org.']],
  ['down.example.org', 'A', ['NOERROR AA', 'down.example.org. 300 IN CNAME x.sub.example.org.', ...REFERRAL]],
  // Referrals: without AA. The parent's side of the cut is DS alone.
  ['x.sub.example.org', 'A', ['NOERROR', ...REFERRAL]],
  ['sub.example.org', 'A', ['NOERROR', ...REFERRAL]],
  ['sub.example.org', 'TXT', ['NOERROR', ...REFERRAL]],
  ['sub.example.org', 'NS', ['NOERROR', ...REFERRAL]],
  ['ns.sub.example.org', 'A', ['NOERROR', ...REFERRAL]],
  ['e.sub.example.org', 'A', ['NOERROR', ...REFERRAL]],
  ['x.deep.e.sub.example.org', 'A', ['NOERROR', ...REFERRAL]],
  ['x.sub.example.org', 'DS', ['NOERROR', ...REFERRAL]],
  ['sub.example.org', 'DS', ['NOERROR AA', 'sub.example.org. 300 IN DS \\# 5 3039080200']],
  ['other.example.org', 'DS', ['NOERROR AA', soa()]],
  ['x.other.example.org', 'A', ['NOERROR', '~ other.example.org. 300 IN NS ns.elsewhere.test.']],
  // DNAME: what is below, not the name itself.
  ['a.old.example.org', 'A', ['NOERROR AA', 'old.example.org. 300 IN TYPE39 \\# 17 036e6577076578616d706c65036f726700', 'a.old.example.org. 300 IN CNAME a.new.example.org.', 'a.new.example.org. 300 IN A 10.0.3.2']],
  ['hidden.old.example.org', 'A', ['NXDOMAIN AA', 'old.example.org. 300 IN TYPE39 \\# 17 036e6577076578616d706c65036f726700', 'hidden.old.example.org. 300 IN CNAME hidden.new.example.org.', soa()]],
  ['a.old.example.org', 'CNAME', ['NOERROR AA', 'old.example.org. 300 IN TYPE39 \\# 17 036e6577076578616d706c65036f726700', 'a.old.example.org. 300 IN CNAME a.new.example.org.']],
  ['old.example.org', 'TXT', ['NOERROR AA', 'old.example.org. 300 IN TXT "its own"']],
  ['old.example.org', 'A', ['NOERROR AA', soa()]],
  ['x.far.example.org', 'A', ['NOERROR AA', 'far.example.org. 300 IN TYPE39 \\# 16 09656c73657768657265047465737400', 'x.far.example.org. 300 IN CNAME x.elsewhere.test.']],
  // Not here.
  ['example.com', 'A', ['PASS']],
  ['org', 'A', ['PASS']],
  ['', 'A', ['PASS']],
  ['xexample.org', 'A', ['PASS']],
  ['example.org', 'AXFR', ['REFUSED']],
]

test('answers of one zone', () => {
  for (const [name, type, answer] of cases) {
    for (const start of [0, 3]) assert.deepEqual(askText(stage, name, type, { start }), answer, `${name} ${type}`)
  }
})

test('DNAMEs that lead nowhere', () => {
  const label = 'l'.repeat(63)
  const [rcode, dname, ...rest] = askText(stage, `${label}.${label}.long.example.org`, 'A')
  assert.deepEqual([rcode, rest], ['RCODE6 AA', []], 'YXDOMAIN: a name too long (RFC 6672 §2.2)')
  assert.match(dname, /^long\.example\.org\. 300 IN TYPE39 /)
  const spiral = ask(stage, 'y.spiral.example.org', 'A')
  assert.ok(typeof spiral !== 'string' && spiral.rcode === 'NOERROR')
  assert.equal(spiral.answer.length, 24, 'twelve renamings, and no more')
})

test('types ANY and RRSIG', () => {
  assert.deepEqual(askText(stage, 'ns1.example.org', 'ANY'), [
    'NOERROR AA',
    'ns1.example.org. 300 IN A 10.0.0.1',
    'ns1.example.org. 300 IN AAAA fd00::1',
  ])
  assert.deepEqual(askText(stage, 'alias.example.org', 'ANY'), [
    'NOERROR AA',
    'alias.example.org. 60 IN CNAME www.example.org.',
  ])
  assert.deepEqual(askText(stage, 'ns1.example.org', 'RRSIG'), ['NOERROR AA', soa()])
})

/** An RRSIG over `type` by the root, whose signature is `mark`. */
const rrsig = (type: number, mark: string) =>
  `RRSIG \\# 20 ${type.toString(16).padStart(4, '0')}08020000012c00000000000000000001${'00'}${mark}`
const SIGNED = `
@        3600 SOA  ns hostmaster 7 3600 600 86400 60
@        3600 ${rrsig(6, 'a1')}
@        NS    ns
@        ${rrsig(2, 'a2')}
@        NSEC  ns A
@        ${rrsig(47, 'a3')}
ns       A     10.0.0.1
ns       60 ${rrsig(1, 'b1')}
ns       60 ${rrsig(1, 'b2')}
ns       NSEC  sub A
ns       ${rrsig(47, 'b3')}
alias    CNAME ns
alias    ${rrsig(5, 'c1')}
sub      NS    ns
sub      DS    1 8 2 00
sub      ${rrsig(43, 'd1')}
insecure NS    ns
insecure NSEC  x NS
insecure ${rrsig(47, 'e1')}
`

test('signatures, for those who ask for them', () => {
  const signed = fileStage([{ origin: 's.test.', records: recordsOf('s.test.', SIGNED) }])
  const sig = (owner: string, ttl: number, type: number, mark: string) => `${owner} ${ttl} IN ${rrsig(type, mark)}`
  const types = (name: string, type: string, dnssecOk: boolean) =>
    askText(signed, name, type, { edns: { dnssecOk } }).map((line) => line.replace(/ (SOA|NSEC) .*/, ' $1'))
  const denial = ['~ s.test. 60 IN SOA', `~ ${sig('s.test.', 60, 6, 'a1')}`]
  // biome-ignore format: a table
  const cases: [name: string, type: string, plain: string[], withDo: string[]][] = [
    ['ns.s.test', 'A', ['NOERROR AA', 'ns.s.test. 300 IN A 10.0.0.1'],
      ['NOERROR AA', 'ns.s.test. 300 IN A 10.0.0.1', sig('ns.s.test.', 60, 1, 'b1'), sig('ns.s.test.', 60, 1, 'b2')]],
    ['ns.s.test', 'RRSIG', ['NOERROR AA', sig('ns.s.test.', 60, 1, 'b1'), sig('ns.s.test.', 60, 1, 'b2'), sig('ns.s.test.', 300, 47, 'b3')],
      ['NOERROR AA', sig('ns.s.test.', 60, 1, 'b1'), sig('ns.s.test.', 60, 1, 'b2'), sig('ns.s.test.', 300, 47, 'b3')]],
    ['s.test', 'NS', ['NOERROR AA', 's.test. 300 IN NS ns.s.test.', '+ ns.s.test. 300 IN A 10.0.0.1'],
      ['NOERROR AA', 's.test. 300 IN NS ns.s.test.', sig('s.test.', 300, 2, 'a2'), '+ ns.s.test. 300 IN A 10.0.0.1', `+ ${sig('ns.s.test.', 60, 1, 'b1')}`, `+ ${sig('ns.s.test.', 60, 1, 'b2')}`]],
    ['alias.s.test', 'A', ['NOERROR AA', 'alias.s.test. 300 IN CNAME ns.s.test.', 'ns.s.test. 300 IN A 10.0.0.1'],
      ['NOERROR AA', 'alias.s.test. 300 IN CNAME ns.s.test.', sig('alias.s.test.', 300, 5, 'c1'), 'ns.s.test. 300 IN A 10.0.0.1', sig('ns.s.test.', 60, 1, 'b1'), sig('ns.s.test.', 60, 1, 'b2')]],
    ['ns.s.test', 'MX', ['NOERROR AA', '~ s.test. 60 IN SOA'],
      ['NOERROR AA', ...denial, '~ ns.s.test. 300 IN NSEC', `~ ${sig('ns.s.test.', 300, 47, 'b3')}`]],
    ['gone.s.test', 'A', ['NXDOMAIN AA', '~ s.test. 60 IN SOA'], ['NXDOMAIN AA', ...denial]],
    ['x.insecure.s.test', 'TXT', ['NOERROR', '~ insecure.s.test. 300 IN NS ns.s.test.', '+ ns.s.test. 300 IN A 10.0.0.1'],
      ['NOERROR', '~ insecure.s.test. 300 IN NS ns.s.test.', '~ insecure.s.test. 300 IN NSEC', `~ ${sig('insecure.s.test.', 300, 47, 'e1')}`,
       '+ ns.s.test. 300 IN A 10.0.0.1', `+ ${sig('ns.s.test.', 60, 1, 'b1')}`, `+ ${sig('ns.s.test.', 60, 1, 'b2')}`]],
    ['x.sub.s.test', 'TXT', ['NOERROR', '~ sub.s.test. 300 IN NS ns.s.test.', '+ ns.s.test. 300 IN A 10.0.0.1'],
      ['NOERROR', '~ sub.s.test. 300 IN NS ns.s.test.', '~ sub.s.test. 300 IN DS \\# 5 0001080200', `~ ${sig('sub.s.test.', 300, 43, 'd1')}`,
       '+ ns.s.test. 300 IN A 10.0.0.1', `+ ${sig('ns.s.test.', 60, 1, 'b1')}`, `+ ${sig('ns.s.test.', 60, 1, 'b2')}`]],
  ]
  for (const [name, type, plain, withDo] of cases) {
    assert.deepEqual(types(name, type, false), plain, `${name} ${type}`)
    assert.deepEqual(types(name, type, true), withDo, `${name} ${type} with DO`)
  }
})

test('several zones: the longest counts, chains go on in another, DS is the parent’s', () => {
  const parent = `
@     SOA   ns h 1 1 1 1 30
www   CNAME a.child
ds    NS    ns.elsewhere.test.
child NS    ns.elsewhere.test.
child DS    1 8 2 00`
  const child = `
@     SOA   ns h 2 1 1 1 40
a     A     10.0.0.1
up    CNAME gone.p.test.`
  const both = fileStage([
    { origin: 'child.p.test.', records: recordsOf('child.p.test.', child) },
    { origin: 'p.test.', records: recordsOf('p.test.', parent) },
    { origin: 'late.test.', records: null },
    {
      origin: 'lower.late.test.',
      records: recordsOf('lower.late.test.', '@ SOA ns h 1 1 1 1 1\nup CNAME x.late.test.'),
    },
    {
      origin: 'through.test.',
      records: recordsOf('through.test.', '@ SOA ns h 1 1 1 1 1\na A 10.0.0.2\nc CNAME d'),
      fallthrough: ['.'],
    },
    { origin: 'part.test.', records: recordsOf('part.test.', '@ SOA ns h 1 1 1 1 1'), fallthrough: ['x.part.test.'] },
  ])
  const soaOf = (zone: string, minimum: number) => `~ ${zone} ${minimum} IN SOA`
  // biome-ignore format: a table
  const cases: [name: string, type: string, answer: string[]][] = [
    ['www.p.test', 'A', ['NOERROR AA', 'www.p.test. 300 IN CNAME a.child.p.test.', 'a.child.p.test. 300 IN A 10.0.0.1']],
    ['up.child.p.test', 'A', ['NXDOMAIN AA', 'up.child.p.test. 300 IN CNAME gone.p.test.', soaOf('p.test.', 30)]],
    ['b.child.p.test', 'A', ['NXDOMAIN AA', soaOf('child.p.test.', 40)]],
    ['child.p.test', 'DS', ['NOERROR AA', 'child.p.test. 300 IN DS \\# 5 0001080200']],
    ['p.test', 'DS', ['NOERROR AA', soaOf('p.test.', 30)]],
    // Not there yet: SERVFAIL, also at the end of a chain.
    ['late.test', 'SOA', ['FAIL']],
    ['x.late.test', 'A', ['FAIL']],
    ['up.lower.late.test', 'A', ['FAIL']],
    // Passed on: NXDOMAIN, but no NODATA and no end of a chain.
    ['gone.through.test', 'A', ['PASS']],
    ['a.through.test', 'MX', ['NOERROR AA', soaOf('through.test.', 1)]],
    ['c.through.test', 'A', ['NXDOMAIN AA', 'c.through.test. 300 IN CNAME d.through.test.', soaOf('through.test.', 1)]],
    ['y.x.part.test', 'A', ['PASS']],
    ['y.part.test', 'A', ['NXDOMAIN AA', soaOf('part.test.', 1)]],
  ]
  for (const [name, type, answer] of cases) {
    const lines = askText(both, name, type).map((line) => line.replace(/ SOA .*/, ' SOA'))
    assert.deepEqual(lines, answer, `${name} ${type}`)
  }
  const gone = fileStage([{ origin: 'gone.test.', records: null }], 'auto')
  assert.deepEqual(askText(gone, 'x.gone.test', 'A'), ['PASS'])
})

test('every size: whole records from the front, TC if one is missing', () => {
  for (const [name, type, answer] of cases) {
    const full = ask(stage, name, type)
    if (typeof full === 'string') continue
    for (let size = 40 + name.length; size <= full.octets.length; size++) {
      const lines = askText(stage, name, type, { size })
      if (size === full.octets.length) assert.deepEqual(lines, answer)
      else assert.match(lines[0], / TC$/, `${name} ${type} in ${size}`)
      assert.deepEqual(lines.slice(1), answer.slice(1, lines.length), `${name} ${type} in ${size}`)
    }
  }
})
