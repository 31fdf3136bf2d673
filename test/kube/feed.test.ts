// Files that change under a running server: what is served then, and how soon.

import assert from 'node:assert/strict'
import { appendFileSync, mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { watchManifests } from '../../src/kube/feed.ts'
import { formatProblem, type Loaded } from '../../src/kube/manifests.ts'

const LIMIT_MS = 100
/** The machine that runs this may be busy; what is asserted is the median of several saves. */
const PATIENCE_MS = 5000

class Watched {
  readonly folder: string
  readonly path: string
  readonly states: Loaded[] = []
  readonly #wake: (() => void)[] = []

  constructor(t: TestContext, path?: (folder: string) => string) {
    this.folder = mkdtempSync(join(tmpdir(), 'peregrine-feed-'))
    this.path = path === undefined ? this.folder : path(this.folder)
    t.after(() => rmSync(this.folder, { recursive: true }))
  }

  start(t: TestContext): void {
    const feed = watchManifests([this.path], {}, (loaded) => {
      this.states.push(loaded)
      for (const wake of this.#wake.splice(0)) wake()
    })
    t.after(() => feed.close())
  }

  write(name: string, text: string): void {
    writeFileSync(join(this.folder, name), text)
  }

  get last(): Loaded {
    return this.states.at(-1)!
  }

  /** Waits until the last state satisfies `condition`; returns after how many ms. */
  async until(what: string, condition: (loaded: Loaded) => boolean): Promise<number> {
    const startMs = performance.now()
    while (this.states.length === 0 || !condition(this.last)) {
      const leftMs = PATIENCE_MS - (performance.now() - startMs)
      assert.ok(leftMs > 0, `not seen: ${what}`)
      await Promise.race([new Promise<void>((wake) => this.#wake.push(wake)), sleep(leftMs, null, { ref: false })])
    }
    return performance.now() - startMs
  }
}

function service(name: string, port: number | string = 80): string {
  return `apiVersion: v1\nkind: Service\nmetadata: {name: ${name}, namespace: shop}\nspec: {ports: [{port: ${port}}]}\n`
}

const portOf = (loaded: Loaded, name: string) => loaded.objects.services.get(`shop/${name}`)?.ports[0]?.port

test('a saved change is delivered within 100 ms; what has not changed is the same object', async (t) => {
  const watched = new Watched(t)
  watched.write('a.yaml', service('a'))
  watched.write('b.yaml', service('b'))
  watched.start(t)
  await watched.until('first state', (loaded) => loaded.objects.services.size === 2)
  const b = watched.last.objects.services.get('shop/b')
  const delays: number[] = []
  for (let port = 1; port <= 9; port++) {
    await sleep(30)
    watched.write('a.yaml', service('a', port))
    delays.push(await watched.until(`port ${port}`, (loaded) => portOf(loaded, 'a') === port))
  }
  delays.sort((x, y) => x - y)
  assert.ok(delays[4]! < LIMIT_MS, `median ${delays[4]} ms`)
  assert.equal(watched.last.objects.services.get('shop/b'), b)
})

test('a broken file leaves what it last said in force, and says so, until it is fixed', async (t) => {
  const watched = new Watched(t)
  watched.write('a.yaml', `${service('a')}---\n${service('b')}`)
  watched.start(t)
  await watched.until('first state', (loaded) => loaded.objects.services.size === 2)

  watched.write('a.yaml', `${service('a', 81)}---\nkind: [Service\n`)
  await watched.until('the syntax error', (loaded) => loaded.problems.length === 1)
  assert.equal(portOf(watched.last, 'a'), 80)
  assert.equal(portOf(watched.last, 'b'), 80)
  assert.match(formatProblem(watched.last.problems[0]!), /a\.yaml, document 2: line 7.*last good state is served$/)

  watched.write('a.yaml', `${service('a', 82)}---\n${service('b', 99999)}`)
  await watched.until('the bad field', (loaded) => portOf(loaded, 'a') === 82)
  assert.equal(portOf(watched.last, 'b'), 80, 'only the object that is broken stays as it was')
  assert.match(formatProblem(watched.last.problems[0]!), /Service shop\/b: spec\.ports\[0\]\.port must be .*last good/)

  watched.write('a.yaml', `${service('a', 83)}---\n${service('b', 83)}`)
  await watched.until('the fix', (loaded) => portOf(loaded, 'b') === 83)
  assert.deepEqual(watched.last.problems, [])
})

test('files that are new, renamed into place, moved, deleted, in new folders', async (t) => {
  const watched = new Watched(t)
  watched.write('a.yaml', service('a'))
  watched.start(t)
  await watched.until('first state', (loaded) => loaded.objects.services.size === 1)

  watched.write('b.yml', service('b'))
  watched.write('ignored.txt', 'no manifest')
  watched.write('.hidden.yaml', service('hidden'))
  await watched.until('a new file', (loaded) => loaded.objects.services.has('shop/b'))

  watched.write('.a.yaml.tmp', service('a', 81))
  renameSync(join(watched.folder, '.a.yaml.tmp'), join(watched.folder, 'a.yaml'))
  await watched.until('an atomic save', (loaded) => portOf(loaded, 'a') === 81)

  mkdirSync(join(watched.folder, 'deep/er'), { recursive: true })
  watched.write('deep/er/c.json', JSON.stringify({ kind: 'Service', metadata: { name: 'c', namespace: 'shop' } }))
  await watched.until('a file in a new folder', (loaded) => loaded.objects.services.has('shop/c'))

  rmSync(join(watched.folder, 'deep'), { recursive: true })
  mkdirSync(join(watched.folder, 'deep'))
  watched.write('deep/d.yaml', service('d'))
  await watched.until('a folder made anew', (loaded) => loaded.objects.services.has('shop/d'))
  await sleep(100)
  appendFileSync(join(watched.folder, 'deep/d.yaml'), `---\n${service('e')}`)
  await watched.until('a change in it', (loaded) => loaded.objects.services.has('shop/e'))

  rmSync(join(watched.folder, 'b.yml'))
  await watched.until('a deleted file', (loaded) => !loaded.objects.services.has('shop/b'))
  assert.deepEqual([...watched.last.objects.services.keys()].sort(), ['shop/a', 'shop/d', 'shop/e'])
  assert.deepEqual(watched.last.problems, [])
})

test('a file that was asked for by name: replaced, gone, back; emptied for a moment', async (t) => {
  const watched = new Watched(t, (folder) => join(folder, 'only.yaml'))
  watched.write('only.yaml', service('a'))
  watched.start(t)
  await watched.until('first state', (loaded) => loaded.objects.services.size === 1)

  rmSync(watched.path)
  await watched.until('its absence', (loaded) => loaded.problems.length === 1)
  assert.equal(portOf(watched.last, 'a'), 80)
  assert.match(watched.last.problems[0]!.message, /ENOENT.*last good state is served$/)

  watched.write('only.yaml', service('a', 81))
  await watched.until('its return', (loaded) => portOf(loaded, 'a') === 81 && loaded.problems.length === 0)

  const count = watched.states.length
  watched.write('only.yaml', '')
  await sleep(30)
  watched.write('only.yaml', service('a', 82))
  await watched.until('the second half of a save', (loaded) => portOf(loaded, 'a') === 82)
  for (const state of watched.states.slice(count)) assert.equal(state.objects.services.size, 1, 'never without it')

  watched.write('only.yaml', '')
  await watched.until('a file that stays empty', (loaded) => loaded.objects.services.size === 0)
})

test('a mounted ConfigMap, whose folder is swapped by a link', async (t) => {
  const watched = new Watched(t, (folder) => join(folder, 'mount'))
  mkdirSync(join(watched.path, '..1'), { recursive: true })
  mkdirSync(join(watched.path, '..2'))
  watched.write('mount/..1/a.yaml', service('a', 1))
  watched.write('mount/..2/a.yaml', service('a', 2))
  symlinkSync('..1', join(watched.path, '..data'))
  symlinkSync('..data/a.yaml', join(watched.path, 'a.yaml'))
  watched.start(t)
  await watched.until('first state', (loaded) => portOf(loaded, 'a') === 1)
  symlinkSync('..2', join(watched.path, '..new'))
  renameSync(join(watched.path, '..new'), join(watched.path, '..data'))
  await watched.until('the swap', (loaded) => portOf(loaded, 'a') === 2)
})

test('a path that is not there yet is a problem, and then it is not', async (t) => {
  const watched = new Watched(t, (folder) => join(folder, 'x/y/late.yaml'))
  watched.start(t)
  await watched.until('the problem', (loaded) => loaded.problems.length === 1)
  assert.doesNotMatch(watched.last.problems[0]!.message, /last good/)
  mkdirSync(join(watched.folder, 'x/y'), { recursive: true })
  watched.write('x/y/late.yaml', service('a'))
  await watched.until('the file', (loaded) => loaded.objects.services.size === 1 && loaded.problems.length === 0)
})
