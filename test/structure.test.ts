// The source as a whole: which folder may import which, who may name what, how files are called and how long they are.
// Rules: design, "Folders"; style, "Tree and files".

import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'

const ROOT = fileURLToPath(new URL('../src', import.meta.url))
const LINES_MAX = 500
const C_CONSTANT =
  /\bconst (?:(?:AF|SOL|SO|SOCK|MSG|EPOLL|IP|IPV6|IPPROTO)_\w+|E(?:AGAIN|INTR|NOBUFS|MSGSIZE|CONN\w+)) = /

/** Folder -> the other folders it may import. `dns` <- `index` <- `plugins` <- `workers`; `kube` and `zones` feed `index`; `io` knows nobody. */
const ALLOWED: Record<string, readonly string[]> = {
  dns: [],
  counting: [],
  index: ['dns'],
  io: [],
  kube: ['dns', 'index'],
  config: ['dns', 'kube'],
  plugins: ['config', 'dns', 'index'],
  zones: ['config', 'dns', 'index', 'plugins'],
  forward: ['config', 'counting', 'dns', 'index', 'io', 'plugins'],
  workers: ['config', 'counting', 'dns', 'forward', 'index', 'io', 'plugins'],
  admin: ['config', 'counting', 'dns', 'forward', 'kube', 'workers'],
  server: ['admin', 'config', 'counting', 'dns', 'forward', 'index', 'io', 'kube', 'plugins', 'workers', 'zones'],
  'node-local': ['admin', 'config', 'dns'],
  load: ['config', 'dns', 'io', 'kube'],
  cli: [
    'admin',
    'config',
    'counting',
    'dns',
    'index',
    'io',
    'kube',
    'load',
    'node-local',
    'plugins',
    'server',
    'workers',
    'zones',
  ],
  main: ['cli'],
}

/** Package -> the one file that may name it. */
const PACKAGES: Record<string, string> = {
  '@kubernetes/client-node': 'kube/watch/connection.ts',
  'hdr-histogram-js': 'load/histogram.ts',
  koffi: 'io/libc.ts',
  jsep: 'plugins/expression.ts',
  'prom-client': 'admin/metrics.ts',
  re2js: 'config/regexp.ts',
  piscina: 'workers/pool.ts',
  uplot: 'load/report/plot-library.ts',
  yaml: 'kube/yaml-items.ts',
  'js-yaml': 'kube/yaml-items.ts',
}

interface SourceFile {
  /** From src/ on. */
  readonly path: string
  /** Its folder, or for a file of src/ itself its name without `.ts`. */
  readonly folder: string
  readonly text: string
  /** Without comments; strings stay. */
  readonly code: string
}

interface Import {
  readonly from: string
  readonly specifier: string
  readonly isType: boolean
}

const files: SourceFile[] = readdirSync(ROOT, { recursive: true, encoding: 'utf8' })
  .filter((path) => path.endsWith('.ts'))
  .sort()
  .map((path) => {
    const text = readFileSync(join(ROOT, path), 'utf8')
    return {
      path,
      folder: path.includes('/') ? path.split('/')[0] : path.replace(/\.ts$/, ''),
      text,
      code: codeOf(text),
    }
  })

/** Takes out comments, line by line enough for this source: no string in it holds `//` but behind a colon. */
function codeOf(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/(^|[^:'"`\\])\/\/.*$/gm, '$1')
}

function importsOf({ path, code }: SourceFile): Import[] {
  const statements = code.matchAll(/\b(?:import|export)\s+(type\s+)?(?:[\w*{][^'"]*?\sfrom\s+)?['"]([^'"]+)['"]/g)
  const calls = code.matchAll(/\b(?:import|require|URL)\(\s*()['"]([^'"]+)['"]/g)
  const isFile = ([, , specifier]: RegExpMatchArray): boolean =>
    !specifier.endsWith('.json') && !specifier.includes('$')
  return [...statements, ...calls].filter(isFile).map(([, type, specifier]) => ({
    from: path,
    specifier,
    isType: type !== undefined && type !== '',
  }))
}

const imports = files.flatMap(importsOf)

/** Fails with the line that `pattern` is found in; the whole source would be no message. */
function lacks({ path, code }: SourceFile, pattern: RegExp, rule: string): void {
  const found = pattern.exec(code)
  if (found === null) return
  const line = code.slice(code.lastIndexOf('\n', found.index) + 1).split('\n', 1)[0]
  assert.fail(`${path} ${rule}: ${line.trim()}`)
}

/** The file of src/ that an import means; undefined for packages and `node:`. */
function target({ from, specifier }: Import): string | undefined {
  return specifier.startsWith('.') ? relative(ROOT, join(ROOT, dirname(from), specifier)) : undefined
}

function folderOf(path: string): string {
  return files.find((file) => file.path === path)?.folder ?? path
}

test('the imports are found', () => {
  assert.ok(files.length > 50)
  const known: [from: string, specifier: string][] = [
    ['main.ts', './cli/serve.ts'],
    ['workers/answer.ts', '../dns/question.ts'],
    ['io/libc.ts', 'koffi'],
    ['workers/batched.ts', './query.ts'],
  ]
  for (const [from, specifier] of known) {
    assert.ok(
      imports.some((each) => each.from === from && each.specifier === specifier),
      `${from} imports ${specifier}`,
    )
  }
  for (const each of imports) {
    const path = target(each)
    if (path !== undefined)
      assert.ok(
        files.some((file) => file.path === path),
        `${each.from} imports ${each.specifier}, which is no file`,
      )
  }
})

test('imports point one way', () => {
  const wrong = imports.filter((each) => {
    const path = target(each)
    if (path === undefined) return false
    const [from, to] = [folderOf(each.from), folderOf(path)]
    return from !== to && !ALLOWED[from]?.includes(to)
  })
  assert.deepEqual(
    wrong.map(({ from, specifier }) => `${from} -> ${specifier}`),
    [],
  )
})

test('kube never meets workers, and configuration takes no more than types from kube', () => {
  const folders = new Map(files.map(({ path, folder }) => [path, folder]))
  const reached = (start: string): Set<string> => {
    const seen = new Set([start])
    for (const path of seen) {
      for (const each of imports.filter(({ from, isType }) => from === path && !isType)) {
        const next = target(each)
        if (next !== undefined) seen.add(next)
      }
    }
    return seen
  }
  const meetings: string[] = []
  for (const { path, folder } of files) {
    const other = folder === 'kube' ? 'workers' : folder === 'workers' || folder === 'config' ? 'kube' : ''
    for (const next of reached(path)) if (folders.get(next) === other) meetings.push(`${path} reaches ${next}`)
  }
  assert.deepEqual(meetings, [])
})

test('imports make no circle', () => {
  const runtime = imports.filter(({ isType }) => !isType)
  const circles: string[] = []
  const visit = (path: string, way: readonly string[]): void => {
    if (way.includes(path)) {
      circles.push([...way.slice(way.indexOf(path)), path].join(' -> '))
      return
    }
    if (done.has(path)) return
    for (const each of runtime.filter(({ from }) => from === path)) {
      const next = target(each)
      if (next !== undefined) visit(next, [...way, path])
    }
    done.add(path)
  }
  const done = new Set<string>()
  for (const { path } of files) visit(path, [])
  assert.deepEqual(circles, [])
})

test('each package is named in one file, and only packages that are dependencies', () => {
  const named = imports
    .filter(({ specifier }) => !specifier.startsWith('.') && !specifier.startsWith('node:'))
    .map(({ from, specifier }) => ({ from, specifier: /^(?:@[^/]+\/)?[^/]+/.exec(specifier)?.[0] ?? '' }))
  for (const { from, specifier } of named) assert.equal(from, PACKAGES[specifier], `${specifier} is named in ${from}`)
  const { dependencies } = JSON.parse(readFileSync(join(ROOT, '../package.json'), 'utf8'))
  for (const { specifier } of named) assert.ok(Object.hasOwn(dependencies, specifier), `${specifier} is a dependency`)
  // Not even in passing: other spellings of an import would not be found above.
  for (const file of files) {
    if (file.path !== PACKAGES.koffi) lacks(file, /\bkoffi\.|['"`]koffi['"`]/, 'names koffi')
  }
})

test('io knows no DNS and no cluster', () => {
  const words = /\b(?:dns|rcode|qname|qtype|rrset|nxdomain|kubernetes|endpointslice)\b/i
  for (const file of files) if (file.folder === 'io') lacks(file, words, 'speaks of DNS')
})

test('offsets of C structures stand in io/layouts.ts alone, offsets of the index in index/layout.ts alone', () => {
  for (const file of files) {
    const { path, folder } = file
    if (path === 'io/layouts.ts' || path === 'index/layout.ts') continue
    // Sizes and constants have a name there; what looks into a structure is an accessor of it.
    if (folder === 'io' || folder === 'workers') {
      lacks(file, /\b(?:words|bytes)\[\w+(?:\.\w+)? \+ \d/, 'adds an offset')
      // Arguments and errors of the calls themselves may stand beside them.
      if (path !== 'io/libc.ts') lacks(file, C_CONSTANT, 'has a constant of C')
    }
    if (folder === 'io' && path !== 'io/libc.ts') lacks(file, /\.func\(|\.struct\(|\.view\(/, 'goes past io/libc.ts')
    // The trie moves entries as a whole, and puts them where layout.ts says.
    if (!['index', 'workers', 'kube'].includes(folder) || path === 'index/trie.ts') continue
    lacks(file, /\bwords\[(?:node|name|root|entry|block|rrset)(?: \+ \d+)?\]/, 'reads a field past index/layout.ts')
  }
})

test('files are nouns of one idea: none called util, common or helpers, none over 500 lines', () => {
  const named = files.filter(({ path }) =>
    /(?:^|[/-])(?:utils?|commons?|helpers?|misc|shared|lib)(?:[-./]|$)/.test(path),
  )
  assert.deepEqual(
    named.map(({ path }) => path),
    [],
  )
  const long = files.filter(({ text }) => text.split('\n').length > LINES_MAX)
  assert.deepEqual(
    long.map(({ path, text }) => `${path}: ${text.split('\n').length} lines`),
    [],
  )
  for (const { path, text } of files) assert.match(text, /^(?:#!.*\n)?\/\/ \S/, `${path} opens with what it is`)
})

test('what is random is so by node:crypto: no Math.random', () => {
  for (const file of files) lacks(file, /\bMath\.random\b/, 'draws lots')
})

test('types can be stripped: no enum, no namespace, no parameter property', () => {
  for (const file of files) {
    lacks(file, /\benum\s+\w+\s*\{/, 'has an enum')
    lacks(file, /^\s*(?:export\s+)?(?:declare\s+)?(?:namespace|module)\s+\w+\s*\{/m, 'has a namespace')
    lacks(
      file,
      /constructor\((?:[^){]|\{[^}]*\})*?\b(?:private|public|protected|readonly)\s+\w+\s*[:?]/,
      'has a parameter property',
    )
  }
})

test('what runs for each packet makes no strings, closures or promises', () => {
  // Files that hold nothing but the hot path; for the others there is the test that nothing is left to collect.
  const hot = ['dns/question', 'dns/key', 'dns/address-label', 'index/append', 'index/lookup', 'index/reader']
  for (const name of hot) {
    const file = files.find(({ path }) => path === `${name}.ts`)
    assert.ok(file !== undefined, `${name}.ts is gone`)
    lacks(
      file,
      /\b(?:async|await|try|throw)\b|`|\.\.\.|=>|console\.|Date\.now|performance\./,
      'does what the hot path must not',
    )
  }
})
