// Query files: dnsperf's form, kubernetes/perf-tests' lists and ConfigMaps, and everything that is wrong with a line.

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import fc from 'fast-check'
import { readNameList } from '../../../src/load/queries/outside-names.ts'
import { describeQueryFile, type QueryFileOptions, readQueryFile } from '../../../src/load/queries/query-file.ts'
import { queriesOf, textOf } from './real-answers.ts'

const FOLDER = mkdtempSync(join(tmpdir(), 'peregrine-queries-'))
after(() => rmSync(FOLDER, { recursive: true }))

const PLAIN: QueryFileOptions = { edns: null, caseBy: null, search: null }
const SEARCH: QueryFileOptions = { ...PLAIN, search: ['shop.svc.z', 'z'] }

function fileOf(content: string | Uint8Array, name = 'queries.txt'): string {
  const path = join(FOLDER, name)
  writeFileSync(path, content)
  return path
}

function read(content: string | Uint8Array, options = PLAIN): string[] {
  return textOf(readQueryFile(fileOf(content), options).table)
}

test('one name and type a line', () => {
  const cases: [content: string, queries: string[]][] = [
    ['web.shop.svc.cluster.local A\n', ['web.shop.svc.cluster.local A']],
    ['a A\na AAAA\na A', ['a A', 'a AAAA', 'a A']], // in their order, as often as they stand there, the last without newline
    ['a A\r\nb SRV\r\n', ['a A', 'b SRV']],
    ['\uFEFFa A\n', ['a A']],
    ['\n  \n;comment A\n# comment A\na\t \tA\n', ['a A']],
    ['  a A ; why\nb aaaa # why\n', ['a A', 'b AAAA']],
    ['. NS\nx. TYPE65\n', [' NS', 'x HTTPS']],
    [
      '_http._tcp.web.shop.svc.z SRV\n1.0.96.10.in-addr.arpa PTR',
      ['_http._tcp.web.shop.svc.z SRV', '1.0.96.10.in-addr.arpa PTR'],
    ],
    ['a\\.b.c A\n', ['a\\.b.c A']],
  ]
  for (const [content, queries] of cases) {
    assert.deepEqual(read(content), queries, JSON.stringify(content))
  }
})

test('a malformed line is told with file and line', () => {
  const cases: [content: string, line: number, message: string][] = [
    ['a A\n\n; x\nb\n', 4, "no record type behind 'b': NAME TYPE is expected"],
    ['a A\nb BOGUS\n', 2, "no record type is called 'BOGUS'"],
    ['a A\nb IN A\n', 2, "no record type is called 'IN'"],
    ['a A IN\n', 1, "'IN' behind the type: NAME TYPE is expected"],
    ['a A;\n', 1, "no record type is called 'A;'"],
    ['a..b A\n', 1, "name 'a..b' has an empty label"],
    [`${'x'.repeat(64)} A\n`, 1, `name '${'x'.repeat(64)}' has a label of over 63 octets`],
    ['add x 3600 A 10.1.2.3\nsend\n', 1, "no record type is called 'x'"], // dnsperf -u
    ['\0\x01\x02garbage', 1, "no record type behind 'garbage': NAME TYPE is expected"],
    [`${'y'.repeat(1000)} A\n`, 1, `name '${'y'.repeat(194)}…`], // a message of bounded length
  ]
  for (const [content, line, message] of cases) {
    const path = fileOf(content)
    assert.throws(() => readQueryFile(path, PLAIN), { code: 'BAD_LOAD_INPUT', message: `${path}:${line}: ${message}` })
  }
})

test('a file that is none, or says nothing, is told', () => {
  const missing = join(FOLDER, 'none')
  const cases: [path: string, message: string][] = [
    [missing, `${missing}: no such file`],
    [FOLDER, `${FOLDER}: is a folder, not a file`],
    [fileOf('', 'empty'), `${join(FOLDER, 'empty')}: no queries`],
    [fileOf('; nothing\n\n', 'comments'), `${join(FOLDER, 'comments')}: no queries`],
  ]
  for (const [path, message] of cases) {
    assert.throws(() => readQueryFile(path, PLAIN), { code: 'BAD_LOAD_INPUT', message }, path)
  }
  if (process.getuid?.() === 0) return
  const locked = fileOf('a A', 'locked')
  chmodSync(locked, 0)
  assert.throws(() => readQueryFile(locked, PLAIN), { code: 'BAD_LOAD_INPUT', message: `${locked}: may not be read` })
})

test('names without a type are looked up as a Pod would, if that is wanted', () => {
  assert.deepEqual(read('web\n', SEARCH), [
    'web.shop.svc.z A',
    '+ web.shop.svc.z AAAA',
    'web.z A',
    '+ web.z AAAA',
    'web A',
    '+ web AAAA',
  ])
  const cases: [content: string, queries: string[]][] = [
    ['web.\n', ['web A', '+ web AAAA']], // a final dot: no search path
    ['a.b.c.d.e.f\n', ['a.b.c.d.e.f A', '+ a.b.c.d.e.f AAAA']], // five dots: ndots:5
    ['a.b.c.d.e\n', ['a.b.c.d.e.shop.svc.z A', '+ a.b.c.d.e.shop.svc.z AAAA']],
    ['8.8.4.4\n', ['4.4.8.8.in-addr.arpa PTR']],
    ['2001:db8::1\n', [`1.${'0.'.repeat(23)}8.b.d.0.1.0.0.2.ip6.arpa PTR`]],
    ['x A\nweb.\n', ['x A', 'web A', '+ web AAAA']],
  ]
  for (const [content, queries] of cases)
    assert.deepEqual(read(content, SEARCH).slice(0, queries.length), queries, content)
  assert.deepEqual(read('web\n', { ...PLAIN, search: [] }), ['web A', '+ web AAAA'])
  assert.throws(() => read('web\n', { ...PLAIN, search: ['x..y'] }), {
    code: 'BAD_LOAD_INPUT',
    message: /:1: .*empty label/,
  })
})

test('ConfigMaps hold files', () => {
  const walked = ['web.default.svc.cluster.local A', '+ web.default.svc.cluster.local AAAA', 'web.svc.cluster.local A']
  const cases: [content: string, first: string[], count: number][] = [
    ['apiVersion: v1\nkind: ConfigMap\ndata:\n  all: |\n    web\n    10.0.0.1\n', walked, 9],
    ['# a comment\n\n---\nkind: ConfigMap\napiVersion: v1\ndata: {x: "web"}\n', walked, 8],
    ['---\nkind: Service\n---\nkind: ConfigMap\ndata:\n  a: b A\n  c: |\n    ; none\n    d SRV\n', ['b A', 'd SRV'], 2],
    [
      '{"kind":"List","items":[{"kind":"ConfigMap","data":{"a":"b A"}},{"kind":"ConfigMap","data":{"a":"c A"}}]}',
      ['b A', 'c A'],
      2,
    ],
  ]
  for (const [content, first, count] of cases) {
    const queries = read(content)
    assert.deepEqual(queries.slice(0, first.length), first, content)
    assert.equal(queries.length, count, content)
  }
  const broken: [content: string, message: RegExp][] = [
    [
      'kind: ConfigMap\ndata:\n  q: |\n    a A\n    b BOGUS\n',
      /^\S+queries\.txt, q:2: no record type is called 'BOGUS'$/,
    ],
    ['kind: [', /^\S+queries\.txt: \S/],
    ['kind: Secret\ndata: {a: b A}\n', /: a manifest without a ConfigMap that has data$/],
    ['kind: Service\nmetadata: {}\n', /: a manifest without a ConfigMap that has data$/],
    ['kind: ConfigMap\ndata: {a: ""}\n', /: no queries$/],
    ['{', /queries\.txt: \S/],
  ]
  for (const [content, message] of broken)
    assert.throws(() => read(content), { code: 'BAD_LOAD_INPUT', message }, content)
})

test('EDNS and the case of letters are added, and nothing else changes', () => {
  const content = 'Web.Shop A\nx.y SRV\n'
  const file = readQueryFile(fileOf(content), {
    ...PLAIN,
    edns: { udpSize: 1232, dnssecOk: true },
    caseBy: () => 0.999_999_999_9,
  })
  const [first] = queriesOf(file.table)
  assert.deepEqual(textOf(file.table), ['web.shop A', 'x.y SRV'])
  assert.equal(Buffer.from(first.message.subarray(-11)).toString('hex'), '00002904d0000080000000')
  assert.equal(Buffer.from(first.message.subarray(12, 22)).toString('latin1'), '\x03WEB\x04SHOP\x00')
})

test('what is in a file is told', () => {
  const described = (content: string, options = PLAIN): string =>
    describeQueryFile(readQueryFile(fileOf(content), options))
  assert.equal(described('a A\nb AAAA\nc A\nd A\n'), '4 queries (75.0 % A, 25.0 % AAAA)')
  assert.equal(described('a.\nb.\n', SEARCH), '4 queries (50.0 % A, 50.0 % AAAA), made of 2 names by a search path')
})

test('standard input is read', () => {
  const script = `
    import { readQueryFile } from ${JSON.stringify(join(import.meta.dirname, '../../../src/load/queries/query-file.ts'))}
    try { console.log(readQueryFile('-', { edns: null, caseBy: null, search: null }).table.count) } catch (error) { console.log(error.message) }`
  const run = (input: string): string =>
    spawnSync(process.execPath, ['--input-type=module', '-e', script], { input, encoding: 'utf8' }).stdout.trim()
  assert.equal(run('a A\nb A\n'), '2')
  assert.equal(run('a A\nb\n'), "(standard input):2: no record type behind 'b': NAME TYPE is expected")
})

test('lines are what splitting the text gives', () => {
  const anyLine = fc.oneof(
    fc.constantFrom('', ' ', ';x A', '# a A', '\t'),
    fc
      .tuple(
        fc.stringMatching(/^[a-z0-9.]{1,12}$/),
        fc.constantFrom('A', 'aaaa', 'PTR', 'NOPE', ''),
        fc.constantFrom(' ', '\t', '  '),
      )
      .map(([name, type, blank]) => `${name}${blank}${type}`),
  )
  fc.assert(
    fc.property(
      fc.array(anyLine, { maxLength: 12 }),
      fc.constantFrom('\n', '\r\n'),
      fc.boolean(),
      (lines, newline, ends) => {
        const content = lines.join(newline) + (ends ? newline : '')
        const said = lines
          .map((line, index) => [line.trim(), index + 1] as const)
          .filter(([line]) => /^[^;#]/.test(line))
        const wrong = said.find(([line]) => !/^(?:\.|[^. ]+(?:\.[^. ]+)*\.?)\s+(?:A|aaaa|PTR)$/.test(line))
        if (wrong !== undefined) {
          assert.throws(() => read(content), {
            code: 'BAD_LOAD_INPUT',
            message: new RegExp(`queries\\.txt:${wrong[1]}: `),
          })
        } else if (said.length === 0) {
          assert.throws(() => read(content), { message: /: no queries$/ })
        } else {
          const expected = said
            .map(([line]) => line.split(/\s+/))
            .map(([name, type]) => `${name.replace(/\.$/, '')} ${type.toUpperCase()}`)
          assert.deepEqual(read(content), expected)
        }
      },
    ),
  )
})

test('lists of names outside of the cluster', () => {
  assert.deepEqual(readNameList(fileOf('www.example.com\n\n; x\n api.example.org. # y\n')), [
    'www.example.com',
    'api.example.org',
  ])
  const cases: [content: string, message: RegExp][] = [
    ['', /queries\.txt: no names$/],
    ['a\nb A\n', /queries\.txt:2: one name is expected, not 'A' behind it$/],
    ['a\n\nb..c\n', /queries\.txt:3: name 'b\.\.c' has an empty label$/],
    ['.\n', /queries\.txt:1: the root is no name to look up$/],
  ]
  for (const [content, message] of cases) {
    assert.throws(() => readNameList(fileOf(content)), { code: 'BAD_LOAD_INPUT', message }, content)
  }
})
