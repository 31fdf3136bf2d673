// Saving while everything changes: what is in the file is what was there when saving ended, word for word, or there is no new
// file. Sizes are such that each step of the saver lets others have their turn several times.

import assert from 'node:assert/strict'
import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { createRegion, FIRST_FREE } from '../../src/index/layout.ts'
import type { Endpoint } from '../../src/kube/objects.ts'
import { packService, packSlice } from '../../src/kube/packed.ts'
import { temporaryName } from '../../src/kube/replaced-file.ts'
import { readStateFile } from '../../src/kube/state-file.ts'
import { BusyError, saveState } from '../../src/kube/state-saver.ts'
import { checkMemory, contentOf } from '../index/region-walk.ts'
import { changesOf, openIndex, SCHEMAS, type TestIndex } from './cluster-changes.ts'
import { FINGERPRINT, goOn, objectsIn, reopen, type Snapshot, save, temporaryFolder } from './saved-index.ts'

const SEED = Number(process.env.TEST_SEED ?? 20260730)
const REGION_OCTETS = 2 ** 25
const SERVICES = 1200
const [PLAIN_CLUSTER] = SCHEMAS

/** xorshift: the same numbers for the same seed. */
function randomNumbers(seed: number): (below: number) => number {
  let state = seed | 1
  return (below) => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) % below
  }
}

function put({ index }: TestIndex, namespace: string, name: string, value: number, endpoints: number): void {
  const common = { namespace, name, ports: [{ name: 'http', protocol: 'TCP' as const, port: 80 }], createdAt: value }
  const list = Array.from(
    { length: endpoints },
    (_, i): Endpoint => ({
      address: `10.${value & 255}.${(i >> 8) & 255}.${i & 255}`,
      hostname: i % 3 === 0 ? `h${i}` : '',
      podName: '',
      zone: '',
    }),
  )
  const kind = value % 2 === 0 ? 'Headless' : 'ClusterIP'
  const clusterIPs = kind === 'ClusterIP' ? [`10.96.${value & 255}.${name.length}`] : []
  index.state.set(
    'services',
    namespace,
    name,
    packService({ ...common, kind, clusterIPs, externalName: '', externalAddresses: [] }),
  )
  const slice = { ...common, serviceName: name, importName: '', cluster: '', endpoints: list }
  index.state.set('slices', namespace, `${name}-1`, packSlice(slice))
}

function drop({ index }: TestIndex, namespace: string, name: string): void {
  index.state.set('services', namespace, name, '')
  index.state.set('slices', namespace, `${name}-1`, '')
}

/** Of some MiB: the saver's first pass over the region takes several steps, and over the objects too. */
function openLarge(): TestIndex {
  const test = openIndex(PLAIN_CLUSTER, REGION_OCTETS)
  for (let i = 0; i < 10; i++) test.index.state.setNamespace(`n${i}`, true)
  for (let i = 0; i < SERVICES; i++) put(test, `n${i % 10}`, `s${i}`, i, 12)
  test.index.flush(1000, true)
  return test
}

type Traffic = (test: TestIndex, random: (below: number) => number, tick: number) => void

const few: Traffic = (test, random) => {
  for (let i = 0; i < 5; i++) put(test, `n${random(10)}`, `s${random(SERVICES)}`, random(1000), random(30))
}
const deletions: Traffic = (test, random) => {
  for (let i = 0; i < 20; i++) {
    const namespace = `n${random(10)}`
    for (const [, name] of [...test.index.state.objects('services')].slice(0, 2)) drop(test, namespace, name)
    drop(test, namespace, `s${random(SERVICES)}`)
  }
}
const namespaces: Traffic = (test, random, tick) => {
  test.index.state.setNamespace(`n${random(10)}`, random(2) === 0)
  // One that is gone with all that is in it, and comes again under the same name.
  if (tick % 2 === 0) put(test, 'new', 'web', random(1000), random(3))
  else drop(test, 'new', 'web')
  test.index.state.setNamespace('new', tick % 2 === 0)
}
const growth: Traffic = (test, _, tick) => {
  for (let i = 0; i < 40; i++) put(test, 'n1', `grown-${tick}-${i}`, i, 20)
}
const shrinking: Traffic = (test, random) => {
  const all = [...test.index.state.objects('services')]
  for (const [namespace, name] of all.slice(0, 30 + random(30))) drop(test, namespace, name)
}
const mixture: Traffic = (test, random, tick) =>
  [few, deletions, namespaces, growth, few][random(5)](test, random, tick)

/** Calls `act` whenever the event loop comes round, from the moment on that saving begins. */
class Meanwhile {
  ticks = 0
  #stopped = false
  readonly #state: TestIndex['index']['state']

  constructor(t: TestContext, { index: { state } }: TestIndex, act: (tick: number) => void) {
    this.#state = state
    t.after(() => {
      this.#stopped = true
    })
    const turn = (): void => {
      if (this.#stopped) return
      if (state.onChange !== null) act(this.ticks++)
      setImmediate(turn)
    }
    turn()
  }

  stop(): void {
    this.#stopped = true
    assert.equal(this.#state.onChange, null, 'nobody is told any more')
  }
}

function assertIsIn(path: string, snapshot: Snapshot): void {
  const region = createRegion(REGION_OCTETS)
  const restored = readStateFile(path, FINGERPRINT, region)!
  const { content, saved, objects } = snapshot
  const { root, allocator } = saved
  const actual = region.words.subarray(FIRST_FREE, allocator.next)
  // Whether the version is complete is the one thing that a restart changes.
  content[root + 4 - FIRST_FREE] = region.words[root + 4]
  const wrong = content.findIndex((word, i) => word !== actual[i])
  assert.equal(wrong, -1, `word ${wrong + FIRST_FREE}`)
  assert.deepEqual(restored.writer, saved)
  const { index, writer } = goOn(region, restored, PLAIN_CLUSTER)
  assert.deepEqual(changesOf(index.state), objects)
  checkMemory(writer)
}

const cases: [string, Traffic][] = [
  ['few changes', few],
  ['deletions', deletions],
  ['namespaces that come and go', namespaces],
  ['growth', growth],
  ['shrinking', shrinking],
  ['a mixture', mixture],
  ['another mixture', mixture],
]
for (const [i, [name, traffic]] of cases.entries()) {
  test(`what is saved is what was there in the end: ${name} (seed ${SEED + i})`, async (t) => {
    const path = join(temporaryFolder(t), 'state')
    const large = openLarge()
    const random = randomNumbers(SEED + i)
    const usedBytes = large.writer.stats.reservedBytes
    const meanwhile = new Meanwhile(t, large, (tick) => {
      traffic(large, random, tick)
      large.index.flush(2000 + tick)
    })
    const snapshot = await save(path, large, i % 2 === 0)
    meanwhile.stop()
    t.diagnostic(`${meanwhile.ticks} times, ${usedBytes} octets, then ${large.writer.stats.reservedBytes}`)
    assert.ok(meanwhile.ticks > 4, 'others have had their turn')
    if (traffic === growth) assert.ok(large.writer.stats.reservedBytes > usedBytes + 4096, 'beyond what was in use')
    assertIsIn(path, snapshot)
    // Once more, over what is there now.
    assertIsIn(path, await save(path, large))
    assert.deepEqual(readdirSync(join(path, '..')), ['state'])
  })
}

test('saved in the middle of loading: what was loaded is in it', async (t) => {
  const path = join(temporaryFolder(t), 'state')
  const large = openLarge()
  const random = randomNumbers(SEED)
  // What is loaded finds room where the saver has been already.
  for (let i = 0; i < SERVICES; i += 2) drop(large, `n${i % 10}`, `s${i}`)
  large.index.flush(2000)
  const meanwhile = new Meanwhile(t, large, (tick) => {
    if (tick > 5) return
    for (let i = 0; i < 100; i++) put(large, `n${random(10)}`, `s${random(2 * SERVICES)}`, random(1000), random(30))
    large.index.load(Array.from(large.index.state.changedServices.keys()).filter((_, i) => i % 6 !== tick))
    if (tick === 5) large.index.flush(3000, true)
  })
  const snapshot = await save(path, large)
  meanwhile.stop()
  assert.ok(meanwhile.ticks > 5)
  assertIsIn(path, snapshot)
})

for (const patient of [true, false]) {
  test(`what has changed and is not in the index yet is waited for, ${patient ? 'patiently' : 'impatiently'}`, async (t) => {
    const path = join(temporaryFolder(t), 'state')
    const large = openLarge()
    put(large, 'n1', 's1', 77, 3)
    let asked = 0
    // Nothing else is left to be done when it comes.
    const snapshot = await save(path, large, patient, () => {
      if (asked++ === 0) setTimeout(() => large.index.flush(3000), 10)
    })
    assert.ok(asked > 1)
    assert.equal(large.index.state.changeCount, 0)
    assertIsIn(path, snapshot)
  })
}

/** An old state, and its octets. */
async function withOld(path: string): Promise<Buffer> {
  await save(path, openIndex(PLAIN_CLUSTER, 2 ** 18))
  return readFileSync(path)
}

const busy: [string, (test: TestIndex) => void, (test: TestIndex) => void][] = [
  // what never ends                what does                                    and what ends it
  ['a change that is not published', (test) => put(test, 'n1', 's1', 77, 1), ({ index }) => index.flush(9000)],
  ['loading', ({ index }) => index.load([]), ({ index }) => index.flush(9000, true)],
]
for (const [name, begin, end] of busy) {
  for (const patient of [true, false]) {
    test(`${name} that never ends: ${patient ? 'a patient' : 'an impatient'} saver gives up and leaves what was there`, async (t) => {
      const folder = temporaryFolder(t)
      const path = join(folder, 'state')
      const before = await withOld(path)
      const large = openLarge()
      begin(large)
      await assert.rejects(save(path, large, patient), (error) => {
        assert.ok(error instanceof BusyError)
        assert.equal(error.code, 'STATE_BUSY')
        return true
      })
      assert.deepEqual(readdirSync(folder), ['state'])
      assert.deepEqual(readFileSync(path), before)
      assert.equal(large.index.state.onChange, null)
      end(large)
      assertIsIn(path, await save(path, large, patient))
    })
  }
}

test('more changes than can be written at once: a patient saver gives up, an impatient one writes them all', async (t) => {
  const folder = temporaryFolder(t)
  const path = join(folder, 'state')
  const before = await withOld(path)
  const large = openLarge()
  for (let i = 0; i < 3 * SERVICES; i++) put(large, `n${i % 10}`, `t${i}`, i, 12)
  large.index.flush(2000, true)
  assert.ok(large.writer.stats.reservedBytes > 2 ** 23 + 2 ** 20)
  const changeAll = (tick: number): void => {
    large.writer.changedParts.fill(1) // as if all of it were new
    put(large, 'n1', 's1', 1, 1 + (tick % 7))
  }
  const meanwhile = new Meanwhile(t, large, (tick) => {
    changeAll(tick)
    large.index.flush(4000)
  })
  await assert.rejects(save(path, large, true), BusyError)
  assert.deepEqual(readFileSync(path), before)
  assert.deepEqual(readdirSync(folder), ['state'])
  assertIsIn(path, await save(path, large, false))
  meanwhile.stop()
  // When there is an end to it, a patient one gets there too.
  let asked = 0
  const once = (): void => {
    if (asked++ > 0) return
    changeAll(0)
    setImmediate(() => large.index.flush(5000))
  }
  assertIsIn(path, await save(path, large, true, once))
})

test('one save at a time', async (t) => {
  const path = join(temporaryFolder(t), 'state')
  const large = openLarge()
  const first = save(path, large)
  await assert.rejects(saveState(path, FINGERPRINT, large, true), /one save at a time/)
  assertIsIn(path, await first)
  assertIsIn(path, await save(path, large))
})

const failures: [string, (folder: string, path: string) => void, string][] = [
  // what                       how                                                            error
  ['a folder that is not there', () => {}, 'ENOENT'],
  ['a file in place of the folder', (folder) => writeFileSync(join(folder, 'sub'), ''), 'ENOTDIR'],
  ['a folder in place of the file', (_, path) => mkdirSync(join(path, 'in'), { recursive: true }), 'EISDIR'],
  ['a full disk', (_, path) => full(path), 'ENOSPC'],
]

/** What is written beside `path` goes to a device without room. */
function full(path: string): void {
  mkdirSync(join(path, '..'), { recursive: true })
  symlinkSync('/dev/full', temporaryName(path))
}

for (const [name, prepare, code] of failures) {
  test(`${name}: says so, and leaves what was there`, async (t) => {
    const folder = temporaryFolder(t)
    const path = join(folder, 'sub', 'state')
    prepare(folder, path)
    const before = readdirSync(folder, { recursive: true }).filter((name) => !String(name).endsWith('.tmp'))
    const large = openIndex(PLAIN_CLUSTER, 2 ** 18)
    await assert.rejects(save(path, large), (error) => {
      assert.equal((error as NodeJS.ErrnoException).code, code)
      return true
    })
    assert.deepEqual(readdirSync(folder, { recursive: true }), before, 'nothing is left behind')
    assert.equal(large.index.state.onChange, null)
  })
}

test('a disk that is full leaves the old state, and the next save finds room', async (t) => {
  const path = join(temporaryFolder(t), 'state')
  const before = await withOld(path)
  const large = openLarge()
  full(path)
  await assert.rejects(save(path, large), { code: 'ENOSPC' })
  assert.deepEqual(readFileSync(path), before)
  assertIsIn(path, await save(path, large))
})

test('a state that is opened again is saved again', async (t) => {
  const path = join(temporaryFolder(t), 'state')
  let life = openLarge()
  for (let round = 0; round < 3; round++) {
    const random = randomNumbers(SEED + round)
    for (let tick = 0; tick < 5; tick++) {
      mixture(life, random, tick)
      life.index.flush(5000)
    }
    assertIsIn(path, await save(path, life))
    const content = contentOf(life.writer.region)
    life = reopen(path, PLAIN_CLUSTER, REGION_OCTETS)
    assert.deepEqual(contentOf(life.writer.region), content)
  }
})

test('the objects come in lines, and later ones count', async (t) => {
  const path = join(temporaryFolder(t), 'state')
  const large = openLarge()
  const meanwhile = new Meanwhile(t, large, (tick) => {
    if (tick > 5) return
    drop(large, 'n1', 's1')
    large.index.flush(3000)
    put(large, 'n1', 's1', tick, 1)
    large.index.flush(3000)
  })
  await save(path, large)
  meanwhile.stop()
  const restored = readStateFile(path, FINGERPRINT, createRegion(REGION_OCTETS))!
  const named = [...objectsIn(restored)].filter(({ kind, name }) => kind === 'services' && name === 's1')
  restored.close()
  assert.ok(named.length > 2, 'as often as it changed')
  assert.equal(named.at(-1)?.packed, large.index.state.get('services', 'n1', 's1'))
})
