// Where the last good state is kept, by flag, by environment and by what can be written to.

import assert from 'node:assert/strict'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { resolveStateDir, type StateDir } from '../../src/config/state-dir.ts'

let root: string
before(() => {
  root = mkdtempSync(join(tmpdir(), 'peregrine-state-'))
  mkdirSync(join(root, 'system'))
  writeFileSync(join(root, 'file'), '', { mode: 0o755 })
})
after(() => rmSync(root, { recursive: true }))

test('where state is kept', () => {
  // ROOT stands for a folder of the test; /dev/null/x can never be made.
  const cases: [why: string, asked: string, system: string, env: NodeJS.ProcessEnv, expected: string][] = [
    ['off is off', 'off', 'ROOT/system', { XDG_STATE_HOME: 'ROOT/xdg0' }, ''],
    ['asked for, and made', 'ROOT/a/b', 'ROOT/system', {}, 'ROOT/a/b'],
    ['the system folder first', '', 'ROOT/system', { XDG_STATE_HOME: 'ROOT/xdg0', HOME: 'ROOT/home0' }, 'ROOT/system'],
    ['the system folder is not made', '', 'ROOT/none', { XDG_STATE_HOME: 'ROOT/xdg' }, 'ROOT/xdg/peregrine'],
    ['a file is no folder', '', 'ROOT/file', { XDG_STATE_HOME: 'ROOT/xdg' }, 'ROOT/xdg/peregrine'],
    ['XDG_STATE_HOME unset', '', 'ROOT/none', { HOME: 'ROOT/home' }, 'ROOT/home/.local/state/peregrine'],
    ['XDG_STATE_HOME empty', '', 'ROOT/none', { XDG_STATE_HOME: '', HOME: 'ROOT/h' }, 'ROOT/h/.local/state/peregrine'],
    [
      'a relative one does not count',
      '',
      'ROOT/none',
      { XDG_STATE_HOME: 'x', HOME: 'ROOT/home' },
      'ROOT/home/.local/state/peregrine',
    ],
    ['nowhere', '', 'ROOT/none', { XDG_STATE_HOME: '/dev/null/x', HOME: 'ROOT/home' }, ''],
    ['no home', '', 'ROOT/none', { HOME: '' }, ''],
  ]
  for (const [why, asked, system, env, expected] of cases) {
    const at = (text = '') => text.replace('ROOT', root)
    const placed = Object.fromEntries(Object.entries(env).map(([name, value]) => [name, at(value)]))
    const found = resolveStateDir(at(asked), placed, at(system))
    assert.deepEqual(found, { path: at(expected), problem: '' } satisfies StateDir, why)
    if (expected !== '') assert.ok(statSync(found.path).isDirectory(), why)
  }
  for (const untouched of ['xdg0', 'home0', 'none']) assert.equal(existsSync(join(root, untouched)), false, untouched)
})

test('what is made is the user’s own', () => {
  const { path } = resolveStateDir(join(root, 'own'), {}, join(root, 'none'))
  assert.equal(statSync(path).mode & 0o777, 0o700)
})

test('a folder that was asked for and cannot be used: off, and said', () => {
  for (const [asked, problem] of [
    ['/dev/null/x', /^no state is kept: ENOTDIR: .*\/dev\/null\/x/],
    [join(root, 'file'), /^no state is kept: EEXIST: .*file/],
  ] as const) {
    const found = resolveStateDir(asked, {}, join(root, 'system'))
    assert.equal(found.path, '', asked)
    assert.match(found.problem, problem)
  }
})

test('a folder that may not be written to', { skip: process.getuid?.() === 0 && 'root may' }, () => {
  const locked = join(root, 'locked')
  mkdirSync(locked)
  chmodSync(locked, 0o500)
  assert.equal(resolveStateDir('', { XDG_STATE_HOME: locked }, locked).path, '')
  assert.match(resolveStateDir(locked, {}, locked).problem, /EACCES/)
})
