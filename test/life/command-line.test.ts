// The command line as CoreDNS has it: what it takes, what it refuses, what it prints and how it ends. Nothing here serves.

import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { run } from './run.ts'

const NOTHING = /^$/
const VERSION = /^peregrine \d+\.\d+\.\d+\n\w+\/\w+, node v\d+\.\d+\.\d+\n$/
const USAGE = /usage: peregrine [\s\S]*--conf FILE[\s\S]*--pidfile FILE/

let folder: string
before(() => {
  folder = mkdtempSync(join(tmpdir(), 'peregrine-life-'))
  mkdirSync(join(folder, 'directory'))
  const files: Record<string, string> = {
    good: '.:0 {\n  whoami\n}\n',
    unknown: '.:53 {\n  errors\n  nonsense on\n}\n',
    known: '.:53 {\n  route53 example.org.:Z1Z2Z3Z4DZ5Z6Z7\n}\n',
    open: '.:53 {\n  errors\n',
    closed: '.:53 {\n  errors\n}\n}\n',
    'two-braces': '.:53 {\n  {\n}\n',
    lame: '.:53 {\n  health { lameduck 5s }\n}\n',
    count: '.:53 {\n\n  whoami\n  bufsize 512 1232\n}\n',
    property: '.:53 {\n  kubernetes {\n    resync 5s\n  }\n}\n',
    plugin: '.:53 {\n  bufsize 99\n}\n',
    twice: 'a.example:53 {\n}\na.example:53 {\n}\n',
    included: '.:53 {\n  import missing.conf\n}\n',
  }
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text)
})
after(() => rmSync(folder, { recursive: true, force: true }))

// Arguments, exit code, standard output, standard error.
const CASES: [args: string[], code: number, stdout: RegExp, stderr: RegExp][] = [
  [['-version'], 0, VERSION, NOTHING],
  [['--version'], 0, VERSION, NOTHING],
  [['-version=true'], 0, VERSION, NOTHING],
  [['-conf', 'missing', '-version'], 0, VERSION, NOTHING], // asked for the version, it reads nothing
  [['-plugins'], 0, /^acl\nany\n[\s\S]*\nwhoami\n$/, NOTHING],
  [['--plugins'], 0, /^(kubernetes|forward|cache)$/m, NOTHING],
  [['-h'], 0, USAGE, NOTHING],
  [['-help'], 0, USAGE, NOTHING],
  [['--help'], 0, USAGE, NOTHING],

  [['-nonsense'], 2, NOTHING, /^peregrine: unknown flag -nonsense\n[\s\S]*usage: peregrine /],
  [['--nonsense=1'], 2, NOTHING, /^peregrine: unknown flag --nonsense\n/],
  [['-conf'], 2, NOTHING, /^peregrine: flag --conf needs a value\n/],
  [['-conf='], 2, NOTHING, /^peregrine: flag --conf needs a value\n/],
  [['-dns.port', 'domain'], 2, NOTHING, /flag --dns\.port .*'domain'/],
  [['-p=65536'], 2, NOTHING, /flag --p .*'65536'/],
  [['-quiet=perhaps'], 2, NOTHING, /flag --quiet .*'perhaps'/],

  [['-conf', 'good', 'and', 'more'], 1, NOTHING, /^peregrine: extra command line arguments: \[and more\]\n$/],
  // A switch takes no value behind a blank, and the first word ends the flags.
  [['-conf', 'good', '-quiet', 'true'], 1, NOTHING, /extra command line arguments: \[true\]/],
  [['-conf', 'good', 'and', '-nonsense'], 1, NOTHING, /extra command line arguments: \[and -nonsense\]/],

  [['-conf', 'missing'], 1, NOTHING, /^peregrine: .*'missing'.*no such file/],
  [['-conf', 'directory'], 1, NOTHING, /^peregrine: .*'directory'.*directory/],
  [['-conf=unknown'], 1, NOTHING, /^peregrine: unknown:3 - Error during parsing: Unknown directive 'nonsense'/],
  [['--conf', 'known'], 1, NOTHING, /known:2.*no action found for directive 'route53' with server type 'dns'/],
  [['-conf', 'open'], 1, NOTHING, /open:\d+ - Error during parsing: Unexpected EOF/],
  [['-conf', 'closed'], 1, NOTHING, /closed:4 - .*Unexpected '}' because no matching opening brace/],
  [['-conf', 'two-braces'], 1, NOTHING, /two-braces:2 - .*Unexpected token '\{', expecting argument/],
  [['-conf', 'lame'], 1, NOTHING, /lame:2 - .*Wrong argument count or unexpected line ending after/],
  [['-conf', 'count'], 1, NOTHING, /count:4 - .*Wrong argument count or unexpected line ending after '1232'/],
  [['-conf', 'property'], 1, NOTHING, /property:3 - .*unknown property 'resync'/],
  [['-conf', 'plugin'], 1, NOTHING, /plugin:2 - .*plugin\/bufsize: /],
  [['-conf', 'twice'], 1, NOTHING, /cannot serve dns:\/\/a\.example\.:53 - it is already defined/],
  [['-conf', 'included'], 1, NOTHING, /included:2 - .*missing\.conf/],
]

for (const [args, code, stdout, stderr] of CASES) {
  test(`${args.join(' ')} ends with ${code}`, async () => {
    const ended = await run(args, { cwd: folder })
    assert.match(ended.stderr, stderr)
    assert.match(ended.stdout, stdout)
    assert.equal(ended.code, code)
    // What is wrong with a Corefile is told without where in the program it was found.
    assert.doesNotMatch(ended.stderr, /\n\s+at /)
  })
}

test('plugins are listed by their letters, each once', async () => {
  const { stdout } = await run(['-plugins'], { cwd: folder })
  const names = stdout.trimEnd().split('\n')
  assert.deepEqual(names, [...new Set(names)].sort())
})

test('a Corefile from standard input is named in errors', async () => {
  const { code, stderr } = await run(['-conf', 'stdin'], { cwd: folder, input: '.:53 {\n  nonsense\n}\n' })
  assert.match(stderr, /stdin:2 - Error during parsing: Unknown directive 'nonsense'/)
  assert.equal(code, 1)
})

// The names of the images that it stands in for. What they are given are flags, without a command.
for (const name of ['coredns', 'node-cache']) {
  test(`started as ${name}`, async () => {
    const version = await run(['-version'], { cwd: folder, name })
    assert.match(version.stdout, new RegExp(`^peregrine .*\\n.*, started as ${name}\\n$`))
    const broken = await run(['-conf', 'unknown'], { cwd: folder, name })
    assert.match(broken.stderr, /unknown:3 - Error during parsing: Unknown directive 'nonsense'/)
    assert.equal(broken.code, 1)
    // A word is a command for `peregrine` alone.
    const words = await run(['explain', 'web.shop'], { cwd: folder, name })
    assert.match(words.stderr, /extra command line arguments: \[explain web\.shop\]/)
    assert.equal(words.code, 1)
  })
}
