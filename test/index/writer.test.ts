// The writer against a Map: whatever is written, in whatever order and however transactions end, readers see the same.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { NO_ZONE } from '../../src/dns/key.ts'
import { createRegion, entryBlock, FIRST_FREE, rootNameCount, rootSerial, rootTrie } from '../../src/index/layout.ts'
import { FIND_ALL_MAX, find, findAll } from '../../src/index/lookup.ts'
import { holdNewest, holdNothing } from '../../src/index/reader.ts'
import { IndexWriter } from '../../src/index/writer.ts'
import { findCollisions } from './collisions.ts'
import { type Content, existing, Oracle, type Place, queryFor, read, resolve, textOf, write } from './oracle.ts'
import { walkTrie } from './trie-walk.ts'

const SEED = Number(process.env.TEST_SEED ?? 20260727)
const RUNS = Number(process.env.TEST_RUNS ?? 150)
const ZONES = 3
const REGION_OCTETS = 1 << 20

const collisions = findCollisions(0)
// The same label in each zone: colliding in zone 0, ordinary ones in the others.
const topLabels = [
  ...collisions.full.slice(0, 3).flat(),
  ...collisions.shared.flatMap(({ labels }) => labels),
  'a',
  'b',
  'svc',
]
const anyTop = fc.constantFrom(...topLabels)
const anyLow = fc.constantFrom('a', 'b', '_tcp', 'x'.repeat(63))
const anyPlace: fc.Arbitrary<Place> = fc.record({
  zone: fc.nat({ max: ZONES - 1 }),
  labels: fc.oneof(
    { weight: 3, arbitrary: fc.constant([]) },
    { weight: 20, arbitrary: anyTop.map((top) => [top]) },
    { weight: 4, arbitrary: fc.tuple(anyLow, anyTop) },
    { weight: 4, arbitrary: fc.tuple(anyLow, anyLow, anyTop) },
  ),
})
/** Mostly zone 0, whose names collide. */
const anyCrowded = fc.oneof({ weight: 2, arbitrary: anyTop.map((top) => ({ zone: 0, labels: [top] })) }, anyPlace)
const anyTarget = fc.oneof(
  { weight: 3, arbitrary: anyCrowded },
  {
    weight: 1,
    arbitrary: fc.constantFrom('api.example', 'a').map((text) => ({ zone: NO_ZONE, labels: text.split('.') })),
  },
)
const anyOctet = fc.integer({ min: 1, max: 255 })
const anyTargets = fc.array(anyTarget, { minLength: 1, maxLength: 4 })
const anyContents: fc.Arbitrary<Content[]> = fc
  .tuple(
    fc.constantFrom(1, 4, 8),
    fc.array(anyOctet, { minLength: 1, maxLength: 40 }),
    fc.array(anyOctet, { minLength: 1, maxLength: 3 }),
    fc.array(fc.constantFrom('', 'v=1', 'text of a record'), { minLength: 1, maxLength: 3 }),
    anyTargets,
    fc.array(anyOctet, { maxLength: 5 }),
    fc.subarray([0, 1, 2, 3, 4, 5, 6], { minLength: 1 }),
  )
  .map(([flags, addresses, addresses6, texts, targets, additional, which]) => {
    const all: Content[] = [
      { kind: 'flags', flags },
      { kind: 'addresses', ipv6: false, values: addresses },
      { kind: 'addresses', ipv6: true, values: addresses6 },
      { kind: 'raw', texts },
      { kind: 'srv', targets, ports: targets.map((_, i) => 80 + i), additional },
      { kind: 'names', targets },
      { kind: 'claims', targets, answered: 1 },
    ]
    return which.map((i) => all[i])
  })

type Step =
  | { readonly kind: 'set'; readonly place: Place; readonly contents: readonly Content[] }
  | { readonly kind: 'clear' | 'mention'; readonly place: Place }
  | { readonly kind: 'publish' | 'abort' | 'hold' | 'release' }

const anyStep: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 10,
    arbitrary: fc.record({ kind: fc.constant('set' as const), place: anyCrowded, contents: anyContents }),
  },
  {
    weight: 8,
    arbitrary: fc.record({ kind: fc.constantFrom('clear' as const, 'mention' as const), place: anyCrowded }),
  },
  { weight: 3, arbitrary: fc.constant({ kind: 'publish' as const }) },
  { weight: 3, arbitrary: fc.constantFrom<Step>({ kind: 'abort' }, { kind: 'hold' }, { kind: 'release' }) },
)
const anySteps = fc.array(anyStep, { minLength: 1, maxLength: 120, size: 'max' })

/** What the generator has reached. */
const reached = { lists: 0, listsOfThree: 0, depth: 0, collapses: 0, listCollapses: 0, held: 0, aborted: 0, reused: 0 }

/** Places right below each apex, and one that never exists, at the apex and below each. */
const commonPlaces: readonly Place[] = [0, 1, 2].flatMap((zone) =>
  [[], ['never'], ...topLabels.flatMap((top) => [[top], ['never', top]])].map((labels) => ({ zone, labels })),
)

class Rig {
  readonly region = createRegion(REGION_OCTETS)
  readonly writer = new IndexWriter(this.region, { readerCount: 2, poison: true })
  readonly apexes: number[] = []
  #making = new Oracle()
  #published = new Oracle()
  #version = 0
  #held: { root: number; oracle: Oracle } | null = null
  #nodes: ReadonlySet<string> = new Set()
  /** All places that are looked up after each step: whatever was named, and what is above. */
  readonly #places = new Map<string, Place>()
  readonly #startBytes: number

  constructor() {
    for (const place of commonPlaces) this.name(place)
    for (let zone = 0; zone < ZONES; zone++) this.apexes.push(this.writer.addZone())
    this.publish()
    this.#startBytes = this.writer.stats.liveBytes
  }

  name({ zone, labels }: Place): void {
    for (let i = 0; i <= labels.length; i++) {
      const place = { zone, labels: labels.slice(i) }
      if (zone !== NO_ZONE) this.#places.set(textOf(place), place)
    }
  }

  run(step: Step): void {
    const { writer, apexes } = this
    if (step.kind === 'set') {
      write(writer, apexes, step.place, step.contents)
      this.#making.set(step.place, step.contents)
      for (const content of step.contents) for (const at of 'targets' in content ? content.targets : []) this.name(at)
      this.name(step.place)
    } else if (step.kind === 'mention') {
      resolve(writer, apexes, step.place)
      this.name(step.place)
    } else if (step.kind === 'clear') {
      const name = existing(writer, apexes, step.place)
      if (name !== 0) writer.clearBlock(name)
      this.#making.clear(step.place)
    } else if (step.kind === 'publish') this.publish()
    else if (step.kind === 'abort') this.abort()
    else if (step.kind === 'hold') this.hold()
    else this.release()
  }

  publish(): void {
    const version = this.writer.publish(1000 + this.#version)
    if (version === 0) return
    assert.ok(version > this.#version, 'versions rise')
    this.#version = version
    this.#published = this.#making.copy()
    this.check()
  }

  abort(): void {
    this.writer.abort()
    this.#making = this.#published.copy()
    reached.aborted++
    this.check()
  }

  hold(): void {
    this.#held = { root: holdNewest(this.region, 1), oracle: this.#published }
  }

  release(): void {
    holdNothing(this.region, 1)
    this.#held = null
    this.writer.reclaim()
  }

  /** The published version, and the one that reader 1 holds, against the oracle. */
  check(): void {
    const { words } = this.region
    const root = holdNewest(this.region, 0)
    const walk = walkTrie(words, rootTrie(words, root))
    assert.equal(rootSerial(words, root), 1000 + this.#version - 1)
    const count = this.checkNames(root, this.#published)
    assert.equal(walk.entries.size, count)
    assert.equal(rootNameCount(words, root), count)
    assert.equal(this.writer.stats.names, count)
    if (this.#held !== null) {
      reached.held++
      this.checkNames(this.#held.root, this.#held.oracle)
    }
    this.note(walk.nodes, walk.lists)
    holdNothing(this.region, 0)
  }

  /** @returns how many of the places exist */
  checkNames(root: number, oracle: Oracle): number {
    const { words } = this.region
    const trie = rootTrie(words, root)
    const places = [...this.#places.values()]
    const queries = places.map(queryFor)
    let count = 0
    places.forEach((place, i) => {
      const { hash, meta, keyWords } = queries[i]
      const entry = find(words, trie, hash, meta, keyWords)
      const found = entry === 0 ? undefined : read(this.region, entryBlock(words, entry))
      assert.equal(found, oracle.at(place), textOf(place))
      queries[i].entry = entry
      if (entry !== 0) count++
    })
    this.checkFindAll(trie, queries)
    return count
  }

  checkFindAll(trie: number, queries: ReturnType<typeof queryFor>[]): void {
    for (let from = 0, size = 1; from < queries.length; from += size, size = Math.min(FIND_ALL_MAX, size * 3)) {
      const batch = queries.slice(from, from + size)
      const expected = batch.map(({ entry }) => entry)
      // One that lies in no zone is passed over, wherever it stands.
      const skipped = from % batch.length
      const { zone } = batch[skipped]
      batch[skipped].zone = -1
      expected[skipped] = 0
      findAll(this.region.words, trie, batch, batch.length)
      assert.deepEqual(
        batch.map(({ entry }) => entry),
        expected,
      )
      batch[skipped].zone = zone
    }
  }

  note(nodes: ReadonlySet<string>, lists: readonly number[]): void {
    const depthOf = (way: string): number => way.split('/').length - 1
    reached.lists += lists.length
    reached.listsOfThree += lists.filter((count) => count > 2).length
    for (const way of nodes) reached.depth = Math.max(reached.depth, depthOf(way))
    for (const way of this.#nodes) {
      if (nodes.has(way)) continue
      reached.collapses++
      if (depthOf(way) === 7) reached.listCollapses++
    }
    this.#nodes = nodes
  }

  /** Takes everything away and expects the memory of an index without names. */
  finish(): void {
    this.publish()
    for (const place of this.#places.values()) this.run({ kind: 'clear', place })
    this.publish()
    this.release()
    assert.equal(this.writer.stats.limboBytes, 0)
    assert.equal(this.writer.stats.liveBytes, this.#startBytes, 'nothing is left behind')
    assert.equal(this.writer.stats.names, ZONES)
  }
}

test('readers see what a Map would hold', (t) => {
  const options = { seed: SEED, numRuns: RUNS }
  t.diagnostic(`seed ${SEED}`)
  fc.assert(
    fc.property(anySteps, (steps) => {
      const rig = new Rig()
      for (const step of steps) rig.run(step)
      rig.finish()
      // Once more: what was given back is enough for the same again, readers that hold versions included.
      const { reservedBytes } = rig.writer.stats
      for (const step of steps) rig.run(step)
      rig.finish()
      const growth = rig.writer.stats.reservedBytes - reservedBytes
      if (growth === 0 && reservedBytes > FIRST_FREE * 4 + 4096) reached.reused++
      assert.ok(growth <= reservedBytes / 4, `the second time takes ${growth} octets more`)
    }),
    options,
  )
  t.diagnostic(JSON.stringify(reached))
  // What the generator never makes, this test never tests.
  assert.ok(reached.listsOfThree > 0 && reached.lists > 0, 'lists of names with one hash')
  assert.equal(reached.depth, 7, 'nodes of every level')
  assert.ok(reached.collapses > 0 && reached.listCollapses > 0, 'children become entries again')
  assert.ok(reached.held > 0 && reached.aborted > 0 && reached.reused > 0)
})

test('an abort right after a transaction began, and before anything was ever published', () => {
  const writer = new IndexWriter(createRegion(REGION_OCTETS), { readerCount: 1, poison: true })
  writer.addZone()
  writer.abort()
  assert.equal(writer.publish(1), 0, 'nothing to publish')
  assert.equal(holdNewest(writer.region, 0), 0)
  assert.equal(writer.stats.liveBytes, 0)
})

test('a transaction of any number of changes leaves the memory of its result', () => {
  const writer = new IndexWriter(createRegion(REGION_OCTETS), { readerCount: 1, poison: true })
  const apex = writer.addZone()
  const place = { zone: 0, labels: ['a', 'b'] }
  write(writer, [apex], place, [{ kind: 'addresses', ipv6: false, values: [1] }])
  writer.publish(1)
  const { liveBytes } = writer.stats
  for (let i = 0; i < 1000; i++) {
    write(writer, [apex], place, [{ kind: 'srv', targets: [place], ports: [1], additional: [2] }])
    writer.clearBlock(existing(writer, [apex], place))
    write(writer, [apex], place, [{ kind: 'addresses', ipv6: false, values: [2] }])
  }
  writer.publish(2)
  assert.equal(writer.stats.liveBytes, liveBytes)
  assert.equal(writer.stats.names, 3)
})

test('a name that is only a target any more, and is made anew, is another', () => {
  const writer = new IndexWriter(createRegion(REGION_OCTETS), { readerCount: 1, poison: true })
  const apexes = [writer.addZone()]
  const [parent, child, other] = [['p'], ['c', 'p'], ['o']].map((labels) => ({ zone: 0, labels }))
  const address: Content[] = [{ kind: 'addresses', ipv6: false, values: [1] }]
  const clear = (place: Place): void => writer.clearBlock(existing(writer, apexes, place))
  write(writer, apexes, child, address)
  write(writer, apexes, other, [{ kind: 'names', targets: [parent] }])
  writer.publish(1)
  clear(child)
  writer.publish(2)
  assert.equal(writer.stats.names, 2, 'the apex and `o`')
  write(writer, apexes, child, address)
  writer.publish(3)
  assert.equal(writer.stats.names, 4)
  clear(child)
  writer.publish(4)
  assert.equal(writer.stats.names, 2)
})

test('the apex, which needs no look-up, after an abort and twice in a transaction', () => {
  const writer = new IndexWriter(createRegion(REGION_OCTETS), { readerCount: 1, poison: true })
  const apexes = [writer.addZone()]
  const apex = { zone: 0, labels: [] }
  const set = (count: number): void =>
    write(writer, apexes, apex, [{ kind: 'addresses', ipv6: false, values: Array<number>(count).fill(7) }])
  const { liveBytes } = writer.publish(1) === 1 ? writer.stats : assert.fail()
  for (let round = 0; round < 5; round++) {
    set(1)
    writer.abort()
    set(2)
    set(3)
    writer.publish(2)
    set(4)
    writer.abort()
    writer.clearBlock(apexes[0])
    writer.publish(3)
    assert.equal(writer.stats.liveBytes, liveBytes)
  }
})
