// Snippets and `import`: what is found, in which order, what is refused, and the fingerprint over all of it.

import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, test } from 'node:test'
import { readCorefile, tryCorefile } from '../../../src/config/corefile/read.ts'

const root = mkdtempSync(join(tmpdir(), 'corefile-'))
after(() => rmSync(root, { recursive: true }))
let folders = 0

/** A folder of its own with these files; '' as content makes a folder. */
function folderWith(files: Record<string, string>): string {
  const folder = join(root, String(++folders))
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true })
    writeFileSync(join(folder, name), content)
  }
  return folder
}

function namesIn(folder: string, env = {}): string[] {
  const { blocks } = readCorefile(join(folder, 'Corefile'), env)
  return blocks.map(({ keys, directives }) =>
    [keys.map(({ text }) => text).join('+'), ...directives.map(({ name }) => name.text)].join(' '),
  )
}

function errorIn(folder: string, text?: string): string {
  const { error } = tryCorefile(join(folder, 'Corefile'), {}, text)
  assert.ok(error !== null)
  return error.message.replaceAll(`${folder}/`, '')
}

test('imports stand for what they name', () => {
  const cases: [why: string, files: Record<string, string>, blocks: string[]][] = [
    [
      'inside of a block',
      { Corefile: '. {\nerrors\nimport x\nlog\n}', x: 'health\nready' },
      ['. errors health ready log'],
    ],
    ['at top level', { Corefile: '. {\n}\nimport x', x: 'a {\nlog\n}\nb {\n}' }, ['.', 'a log', 'b']],
    ['among keys', { Corefile: 'a,\nimport x', x: 'b c {\nlog\n}' }, ['a+b+c log']],
    ['keys alone', { Corefile: 'import x\nlog', x: 'b c' }, ['b+c log']],
    ['not in the midst of keys', { Corefile: 'a import x\nlog', x: 'b' }, ['a+import+x log']],
    [
      'a pattern in lexical order',
      { Corefile: '. {\nimport c/*.o\n}', 'c/b.o': 'log', 'c/a.o': 'errors', 'c/c.x': 'y' },
      ['. errors log'],
    ],
    ['one character', { Corefile: '. {\nimport ?.o\n}', 'a.o': 'log', 'ab.o': 'errors' }, ['. log']],
    ['both wildcards', { Corefile: '. {\nimport a?/*\n}', 'ab/x': 'log', 'ac/y': 'any', 'a/z': 'z' }, ['. log any']],
    ['dots are no wildcards', { Corefile: '. {\nimport *.o\n}', 'a.o': 'log', 'a-o': 'x' }, ['. log']],
    [
      'relative to who imports',
      { Corefile: '. {\nimport d/x\n}', 'd/x': 'import y', 'd/y': 'log', y: 'wrong' },
      ['. log'],
    ],
    ['an empty file', { Corefile: '. {\nimport x\nlog\n}', x: '# nothing' }, ['. log']],
    ['the same file twice', { Corefile: 'a {\nimport x\n}\nb {\nimport x\n}', x: 'log' }, ['a log', 'b log']],
    ['an open brace', { Corefile: 'import x\nlog\n}', x: 'a {\nerrors' }, ['a errors log']],
    [
      'a snippet',
      { Corefile: '(s) {\nerrors\nlog\n}\na {\nimport s\n}\nb {\nany\nimport s\n}' },
      ['a errors log', 'b any errors log'],
    ],
    ['a snippet beats a file', { Corefile: '(x) {\nlog\n}\n. {\nimport x\n}', x: 'wrong' }, ['. log']],
    ['a snippet in a snippet', { Corefile: '(s) {\nlog\n}\n(t) {\nimport s\nany\n}\n. {\nimport t\n}' }, ['. log any']],
    ['a snippet on one line', { Corefile: '(s) { log }\n. {\nimport s\n}' }, ['. log']],
    ['a snippet of blocks', { Corefile: '(s) {\na {\nlog\n}\n}\nimport s' }, ['a log']],
    ['a snippet of another file', { Corefile: 'import x\n. {\nimport s\n}', x: '(s) {\nlog\n}' }, ['. log']],
    [
      'a file of a snippet',
      { Corefile: 'import d/x\n. {\nimport s\n}', 'd/x': '(s) {\nimport y\n}', 'd/y': 'log' },
      ['. log'],
    ],
    ['a variable', { Corefile: '. {\nimport {$X}\n}', x: 'log' }, ['. log']],
    ['quoted it is none', { Corefile: '. {\n"import" x\n}', x: 'log' }, ['. import']],
  ]
  for (const [why, files, expected] of cases) assert.deepEqual(namesIn(folderWith(files), { X: 'x' }), expected, why)
})

test('an import inside of braces', () => {
  const folder = folderWith({ Corefile: '. {\nhosts {\nimport x\nfallthrough\n}\n}', x: '10.0.0.1 a\n10.0.0.2 b\n' })
  const [{ directives }] = readCorefile(join(folder, 'Corefile'), {}).blocks
  assert.deepEqual(
    directives[0].properties.map(({ name, args }) => [name.text, name.line, args.length]),
    [
      ['10.0.0.1', 1, 1],
      ['10.0.0.2', 2, 1],
      ['fallthrough', 4, 0],
    ],
  )
  assert.equal(directives[0].properties[0].name.file, join(folder, 'x'))
})

test('no match warns, and goes on', () => {
  const folder = folderWith({ Corefile: '. {\nlog\nimport custom/*.override\n}\nimport /none/*.server\n' })
  const { blocks, warnings } = readCorefile(join(folder, 'Corefile'), {})
  assert.equal(blocks.length, 1)
  assert.deepEqual(
    warnings.map((line) => line.replace(`${folder}/`, '')),
    [
      'Corefile:3: No files matching import glob pattern: custom/*.override',
      'Corefile:5: No files matching import glob pattern: /none/*.server',
    ],
  )
})

test('what cannot be imported', () => {
  const cases: [text: string, message: RegExp][] = [
    ['.\nimport none', /^Corefile:2 - Error during parsing: cannot import 'none': no such file$/],
    ['.\nimport d', /^Corefile:2 - .*'d': it is a directory$/],
    ['.\nimport ?', /^Corefile:2 - .*'d': it is a directory$/],
    ['.\nimport d/pipe', /it is no regular file$/],
    ['.\nimport dangling*', /'dangling': no such file$/],
    ['.\nimport *x*', /only one '\*' is allowed$/],
    ['.\nimport x??', /only one '\?' is allowed$/],
    ['.\nimport [a]', /'\[' and '\]' are not allowed$/],
    ['(s) {\nimport s\n}\n.\nimport s', /^Corefile:2 - .*: snippet s imports itself$/],
    ['(s) {\nimport s\nlog\n}\n.\nimport s', /^Corefile:2 - .*: snippet s imports itself$/],
    ['(s) {\nimport t\n}\n(t) {\nimport s\n}\n.\nimport t', /^Corefile:2 - .*: snippet t imports itself$/],
    ['.\nimport self', /^self:1 - .*: file self imports itself$/],
    ['.\nimport s\n(s) {\nlog\n}', /^Corefile:2 - .*'s': no such file$/], // defined before use
    ['.\nimport x', /^x:2 - .*Unexpected '}'/], // the file to blame is named
  ]
  const folder = folderWith({ self: 'import self', 'd/x': '', x: 'log\n}' })
  execFileSync('mkfifo', [join(folder, 'd/pipe')])
  symlinkSync('nowhere', join(folder, 'dangling'))
  for (const [text, message] of cases) assert.match(errorIn(folder, text), message, text)
  assert.match(errorIn(folder), /^loading Corefile 'Corefile': no such file$/)
  assert.match(errorIn(folder, `.\nimport big`), /no such file/)
  writeFileSync(join(folder, 'big'), Buffer.alloc(16 * 1024 * 1024 + 1, ' '))
  assert.match(errorIn(folder, `.\nimport big`), /over 16777216 octets$/)
})

test('imports have bounds', () => {
  const doubling = Array.from({ length: 20 }, (_, i) => `(s${i + 1}) {\nimport s${i}\nimport s${i}\n}`).join('\n')
  assert.match(errorIn(root, `(s0) {\nlog\n}\n${doubling}\n.\nimport s20`), /over 10000 imports of snippets$/)
  const wide = `(s0) {\n${'log\n'.repeat(250)}}\n(s1) {\n${'import s0\n'.repeat(5000)}}\n.\nimport s1`
  assert.match(errorIn(root, wide), /over 1000000 words, imports included$/)
})

test('the fingerprint is over all files', () => {
  const read = (files: Record<string, string>) => {
    const folder = folderWith(files)
    return tryCorefile(join(folder, 'Corefile'), {})
  }
  const text = '.\nlog'
  const alone = read({ Corefile: text })
  assert.equal(alone.fingerprint, createHash('sha512').update(text).digest('hex'))
  assert.equal(alone.syntax?.fingerprint, alone.fingerprint)

  const folder = folderWith({ Corefile: '.\nimport *.o', 'a.o': 'log\n', 'b.o': 'errors\n' })
  const fingerprint = () => tryCorefile(join(folder, 'Corefile'), {})
  const seen = [fingerprint().fingerprint]
  const changes: (() => void)[] = [
    () => writeFileSync(join(folder, 'a.o'), 'log\nerrors\n'),
    () => writeFileSync(join(folder, 'b.o'), ''), // the line has moved, all files together read the same
    () => writeFileSync(join(folder, 'c.o'), ''),
    () => writeFileSync(join(folder, 'c.o'), '{'),
    () => writeFileSync(join(folder, 'c.o'), '}'), // broken, and otherwise so
  ]
  for (const change of changes) {
    change()
    seen.push(fingerprint().fingerprint)
  }
  assert.equal(new Set(seen).size, seen.length)
  assert.equal(fingerprint().fingerprint, seen.at(-1))
  assert.equal(fingerprint().syntax, null)
  writeFileSync(join(folder, 'c.o'), '')
  assert.deepEqual(
    fingerprint().syntax?.files.map((path) => path.slice(folder.length + 1)),
    ['Corefile', 'a.o', 'b.o', 'c.o'],
  )
})
