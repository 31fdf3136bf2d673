// A writer that goes on in another region where an old one stopped: the same names, the same memory taken and free, whatever
// comes next. And one that loads: changes in place, without logs, must leave what ordinary transactions leave.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { NO_ZONE } from '../../src/dns/key.ts'
import { PART_WORDS_LOG2, RegionFullError } from '../../src/index/allocator.ts'
import { createRegion, FIRST_FREE, rootIsComplete, rootSerial, rootVersion } from '../../src/index/layout.ts'
import { holdNewest, holdNothing } from '../../src/index/reader.ts'
import { IndexWriter } from '../../src/index/writer.ts'
import { findCollisions } from './collisions.ts'
import { type Content, existing, type Place, resolve, textOf, write } from './oracle.ts'
import { checkMemory, contentOf, countersOf, publishedRoot, revive } from './region-walk.ts'

const SEED = Number(process.env.TEST_SEED ?? 20260728)
const RUNS = Number(process.env.TEST_RUNS ?? 150)
const ZONES = 2
const REGION_OCTETS = 1 << 19
const READER = 1

const collisions = findCollisions(0)
const topLabels = [
  ...collisions.full.slice(0, 2).flat(),
  ...collisions.shared.flatMap(({ labels }) => labels),
  'a',
  'b',
]
const anyTop = fc.constantFrom(...topLabels)
const anyLow = fc.constantFrom('a', 'b', '_tcp', 'x'.repeat(63))
const anyPlace: fc.Arbitrary<Place> = fc.record({
  zone: fc.nat({ max: ZONES - 1 }),
  labels: fc.oneof(
    { weight: 1, arbitrary: fc.constant([]) },
    { weight: 8, arbitrary: anyTop.map((top) => [top]) },
    { weight: 4, arbitrary: fc.tuple(anyLow, anyTop) },
    { weight: 4, arbitrary: fc.tuple(anyLow, anyLow, anyTop) },
  ),
})
const anyTarget = fc.oneof(
  { weight: 4, arbitrary: anyPlace },
  { weight: 1, arbitrary: fc.constant({ zone: NO_ZONE, labels: ['api', 'example'] }) },
)
const anyOctet = fc.integer({ min: 1, max: 255 })
const anyContents: fc.Arbitrary<Content[]> = fc
  .tuple(
    fc.array(anyOctet, { minLength: 1, maxLength: 60 }),
    fc.array(anyTarget, { minLength: 1, maxLength: 4 }),
    fc.array(anyOctet, { maxLength: 5 }),
    fc.subarray([0, 1, 2, 3, 4], { minLength: 1 }),
  )
  .map(([values, targets, additional, which]) => {
    const all: Content[] = [
      { kind: 'addresses', ipv6: false, values },
      { kind: 'addresses', ipv6: true, values },
      { kind: 'raw', texts: ['v=1', 'x'.repeat(values.length)] },
      { kind: 'srv', targets, ports: targets.map((_, i) => 80 + i), additional },
      { kind: 'claims', targets, answered: 1 },
    ]
    return which.map((i) => all[i])
  })

type Change =
  | { readonly kind: 'set'; readonly place: Place; readonly contents: readonly Content[] }
  | { readonly kind: 'clear' | 'mention'; readonly place: Place }
type Step = Change | { readonly kind: 'publish' | 'abort' | 'hold' | 'release' | 'restart' }

const anyChange: fc.Arbitrary<Change> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('set' as const), place: anyPlace, contents: anyContents }) },
  { weight: 5, arbitrary: fc.record({ kind: fc.constantFrom('clear', 'mention'), place: anyPlace }) },
)
const anyStep: fc.Arbitrary<Step> = fc.oneof(
  { weight: 20, arbitrary: anyChange },
  { weight: 4, arbitrary: fc.constant<Step>({ kind: 'publish' }) },
  { weight: 3, arbitrary: fc.constantFrom<Step>({ kind: 'abort' }, { kind: 'hold' }, { kind: 'release' }) },
  { weight: 2, arbitrary: fc.constant<Step>({ kind: 'restart' }) },
)

interface Life {
  readonly writer: IndexWriter
  readonly apexes: readonly number[]
}

function newLife(octets = REGION_OCTETS): Life {
  const writer = new IndexWriter(createRegion(octets), { readerCount: 2, poison: true })
  const apexes = Array.from({ length: ZONES }, () => writer.addZone())
  writer.publish(1)
  return { writer, apexes }
}

function change({ writer, apexes }: Life, step: Change): void {
  if (step.kind === 'set') write(writer, apexes, step.place, step.contents)
  else if (step.kind === 'mention') resolve(writer, apexes, step.place)
  else {
    const name = existing(writer, apexes, step.place)
    if (name !== 0) writer.clearBlock(name)
  }
}

/** The same names with the same content, counted alike, and no memory lost. */
function assertSameNames(a: Life, b: Life): void {
  assert.deepEqual(contentOf(a.writer.region), contentOf(b.writer.region))
  assert.equal(a.writer.stats.names, b.writer.stats.names)
  checkMemory(a.writer)
  checkMemory(b.writer)
}

/** And the same targets that are no names: one of these may exist more than once. */
function assertTwins(a: Life, b: Life): void {
  assertSameNames(a, b)
  assert.deepEqual(countersOf(a.writer.region), countersOf(b.writer.region))
  const [{ liveBytes, limboBytes }, other] = [a.writer.stats, b.writer.stats]
  if (limboBytes + other.limboBytes === 0) assert.equal(liveBytes, other.liveBytes)
}

/** Steps, one after another; a life goes on beside the one that was made out of it until the next restart. */
class Lives {
  readonly reached = { pinned: 0, restarts: 0, smaller: 0, free: 0 }
  #old: Life | null = null
  #life = newLife()
  #serial = 1

  run(step: Step, random: number): void {
    const both = this.#old === null ? [this.#life] : [this.#old, this.#life]
    if ('place' in step) for (const life of both) change(life, step)
    else if (step.kind === 'restart') this.restart(random)
    else if (step.kind === 'publish') this.publish()
    else if (step.kind === 'abort') for (const { writer } of both) writer.abort()
    else if (step.kind === 'hold') holdNewest(this.#life.writer.region, READER)
    else holdNothing(this.#life.writer.region, READER)
  }

  publish(): void {
    this.#serial++
    this.#life.writer.publish(this.#serial)
    if (this.#old === null) return
    this.#old.writer.publish(this.#serial)
    assertTwins(this.#old, this.#life)
  }

  /** The old life keeps what its reader holds; the new one knows no reader. */
  restart(random: number): void {
    this.publish()
    const { writer, apexes } = this.#life
    const { reservedBytes, limboBytes } = writer.stats
    const octets = [REGION_OCTETS, 2 * REGION_OCTETS, Math.max(reservedBytes + 4096, REGION_OCTETS >> 2)][random % 3]
    const revived = revive(writer, octets)
    if (octets < writer.region.octets.length) this.reached.smaller++
    if (limboBytes > 0) this.reached.pinned++
    if (revived.save().allocator.freeHead.some((ref) => ref !== 0)) this.reached.free++
    this.reached.restarts++
    assert.equal(revived.stats.limboBytes, 0, 'readers of the old life hold nothing in the new one')
    assert.equal(revived.stats.version, writer.stats.version)
    assert.equal(rootSerial(revived.region.words, publishedRoot(revived.region)), this.#serialOf(writer))
    this.#old = this.#life
    this.#life = { writer: revived, apexes }
    assertTwins(this.#old, this.#life)
  }

  #serialOf({ region }: IndexWriter): number {
    return rootSerial(region.words, publishedRoot(region))
  }

  /** Takes everything away: what was ever taken comes back. */
  finish(): void {
    this.publish()
    holdNothing(this.#life.writer.region, READER)
    const { writer, apexes } = this.#life
    writer.reclaim()
    for (const text of Object.keys(contentOf(writer.region))) {
      const [zone, ...labels] = text.split('.').reverse()
      const name = existing(writer, apexes, { zone: Number(zone), labels: labels.reverse() })
      if (name !== 0) writer.clearBlock(name)
    }
    writer.publish(this.#serial + 1)
    assert.equal(writer.stats.limboBytes, 0)
    assert.equal(writer.stats.names, ZONES)
    assert.equal(writer.stats.liveBytes, newLife().writer.stats.liveBytes, 'nothing is left behind')
  }
}

test('a restored writer goes on as the old one would', (t) => {
  t.diagnostic(`seed ${SEED}`)
  const reached = { pinned: 0, restarts: 0, smaller: 0, free: 0 }
  fc.assert(
    fc.property(
      fc.array(fc.tuple(anyStep, fc.nat({ max: 2 })), { minLength: 20, maxLength: 150, size: 'max' }),
      (steps) => {
        const lives = new Lives()
        for (const [step, random] of steps) lives.run(step, random)
        lives.finish()
        for (const key of Object.keys(reached) as (keyof typeof reached)[]) reached[key] += lives.reached[key]
      },
    ),
    { seed: SEED, numRuns: RUNS },
  )
  t.diagnostic(JSON.stringify(reached))
  assert.ok(Math.min(...Object.values(reached)) > 0, 'the generator reaches every outcome')
})

test('a reader of the new life holds what it reads', () => {
  const old = newLife()
  const place = { zone: 0, labels: ['a'] }
  change(old, { kind: 'set', place, contents: [{ kind: 'addresses', ipv6: false, values: [1] }] })
  old.writer.publish(2)
  const writer = revive(old.writer, REGION_OCTETS)
  const root = holdNewest(writer.region, READER)
  assert.equal(rootVersion(writer.region.words, root), 2)
  const before = contentOf(writer.region)
  write(writer, old.apexes, place, [{ kind: 'addresses', ipv6: false, values: [2] }])
  assert.equal(writer.publish(3), 3, 'versions go on')
  assert.ok(writer.stats.limboBytes > 0)
  assert.notDeepEqual(contentOf(writer.region), before)
  assert.equal(rootVersion(writer.region.words, root), 2, 'still readable')
  holdNothing(writer.region, READER)
  writer.reclaim()
  assert.equal(writer.stats.limboBytes, 0)
})

test('what is saved is a copy, and what is restored is all of it', () => {
  const old = newLife()
  const places = Array.from({ length: 50 }, (_, i): Place => ({ zone: 0, labels: [`n${i}`] }))
  const contents: Content[] = [{ kind: 'addresses', ipv6: false, values: [1, 2, 3] }]
  for (const place of places) change(old, { kind: 'set', place, contents })
  old.writer.publish(2)
  holdNewest(old.writer.region, READER)
  for (const place of places.slice(10)) change(old, { kind: 'clear', place })
  old.writer.publish(3)
  const pinned = old.writer.save()
  assert.ok(pinned.retired.length > 0)
  const revived = revive(old.writer, REGION_OCTETS)
  write(revived, old.apexes, places[0], [])
  revived.publish(4)
  assert.equal(revived.stats.limboBytes, 0, 'the reader that the old life waits for is not there')

  const before = structuredClone(pinned)
  holdNothing(old.writer.region, READER)
  old.writer.reclaim()
  assert.deepEqual(pinned, before, 'what happens later is not in it')
  const { allocator } = old.writer.save()
  assert.ok(allocator.freedWords > 0)
  assert.deepEqual(revive(old.writer, REGION_OCTETS).save().allocator, allocator)
})

test('zones that come after a restart are numbered on', () => {
  const old = newLife()
  const writer = revive(old.writer, REGION_OCTETS)
  for (const life of [old, { ...old, writer }]) {
    const apexes = [...old.apexes, life.writer.addZone()]
    const place = { zone: ZONES, labels: ['late'] }
    write(life.writer, apexes, place, [{ kind: 'addresses', ipv6: false, values: [7] }])
    life.writer.publish(5)
  }
  assert.deepEqual(contentOf(writer.region), contentOf(old.writer.region))
  assert.ok(`late.${ZONES}` in contentOf(writer.region))
})

test('a region that the content just fits in is full, and says so', () => {
  const old = newLife()
  for (let i = 0; i < 200; i++) {
    const place = { zone: 0, labels: [`n${i}`] }
    change(old, { kind: 'set', place, contents: [{ kind: 'addresses', ipv6: false, values: [1, 2, 3] }] })
  }
  old.writer.publish(2)
  const writer = revive(old.writer, old.writer.save().allocator.next * 4)
  assert.deepEqual(contentOf(writer.region), contentOf(old.writer.region))
  const fill = (): void => {
    for (let i = 0; ; i++) {
      const values = Array<number>(500).fill(1)
      write(writer, old.apexes, { zone: 0, labels: [`m${i}`] }, [{ kind: 'addresses', ipv6: false, values }])
    }
  }
  assert.throws(fill, RegionFullError)
  writer.abort()
  assert.deepEqual(contentOf(writer.region), contentOf(old.writer.region))
  checkMemory(writer)
})

test('what is saved is what is published: nothing half done', () => {
  const life = newLife()
  life.writer.addZone()
  assert.equal(life.writer.isIdle, false)
  assert.throws(() => life.writer.save(), /nothing is half done/)
  assert.throws(() => life.writer.beginLoading(), /nothing is half done/)
  assert.throws(() => life.writer.sweepLoading(), /loading/)
  life.writer.abort()
  assert.equal(life.writer.isIdle, true)
  life.writer.beginLoading()
  life.writer.beginLoading()
  assert.throws(() => life.writer.save(), /nothing is half done/)
  assert.equal(life.writer.isLoading, true)
  assert.throws(() => life.writer.abort(), /cannot be aborted/)
  assert.equal(life.writer.publish(2), 2)
  assert.equal(life.writer.isLoading, false)
  checkMemory(life.writer)
})

test('what is loaded is what ordinary transactions make, and leaves the same memory', (t) => {
  t.diagnostic(`seed ${SEED}`)
  const reached = { swept: 0, dropped: 0 }
  const anyPiece = fc.record({ changes: fc.array(anyChange, { maxLength: 25 }), sweeps: fc.boolean() })
  fc.assert(
    fc.property(
      fc.array(anyChange, { maxLength: 30 }),
      fc.array(anyPiece, { minLength: 1, maxLength: 6 }),
      fc.array(anyChange, { maxLength: 30 }),
      (before, pieces, after) => {
        const [plain, loaded] = [newLife(), newLife()]
        for (const life of [plain, loaded]) {
          for (const step of before) change(life, step)
          life.writer.publish(2)
        }
        const published = contentOf(loaded.writer.region)
        const made = new Set(Object.keys(published))
        loaded.writer.beginLoading()
        for (const { changes, sweeps } of pieces) {
          for (const step of changes) {
            change(plain, step)
            plain.writer.publish(3)
            change(loaded, step)
            if (step.kind !== 'clear') made.add(textOf(step.place))
          }
          if (sweeps) loaded.writer.sweepLoading()
          reached.swept += Number(sweeps)
          assert.deepEqual(contentOf(loaded.writer.region), published, 'nobody sees what is being loaded')
        }
        plain.writer.publish(3)
        loaded.writer.publish(3)
        assertSameNames(plain, loaded)
        if (Object.keys(contentOf(loaded.writer.region)).length < made.size) reached.dropped++
        // An ordinary transaction again, and its abort.
        for (const life of [plain, loaded]) {
          for (const step of after) change(life, step)
          life.writer.abort()
          for (const step of after) change(life, step)
          life.writer.publish(4)
        }
        assertSameNames(plain, loaded)
      },
    ),
    { seed: SEED, numRuns: RUNS },
  )
  t.diagnostic(JSON.stringify(reached))
  assert.ok(Math.min(...Object.values(reached)) > 0)
})

test('while loading, names without reason to exist can be dropped before the end', () => {
  const life = newLife()
  const { writer, apexes } = life
  const [kept, dropped] = [
    ['kept', 'a'],
    ['x', 'dropped'],
  ].map((labels): Place => ({ zone: 0, labels }))
  const contents: Content[] = [{ kind: 'addresses', ipv6: false, values: [1] }]
  writer.beginLoading()
  write(writer, apexes, kept, contents)
  write(writer, apexes, dropped, contents)
  writer.clearBlock(existing(writer, apexes, dropped))
  assert.notEqual(existing(writer, apexes, dropped), 0)
  writer.sweepLoading()
  for (const labels of [['x', 'dropped'], ['dropped']]) assert.equal(existing(writer, apexes, { zone: 0, labels }), 0)
  assert.notEqual(existing(writer, apexes, kept), 0)
  write(writer, apexes, dropped, contents)
  writer.sweepLoading()
  assert.equal(writer.stats.names, ZONES, 'nobody sees it')
  writer.publish(2)
  assert.equal(writer.stats.names, ZONES + 4)
  checkMemory(writer)
})

test('whether a version is complete goes with it, and is news by itself', () => {
  const life = newLife()
  const isComplete = ({ region }: IndexWriter): boolean => rootIsComplete(region.words, publishedRoot(region))
  const { writer } = life
  assert.equal(isComplete(writer), true)
  assert.equal(writer.publish(2), 0)
  writer.complete = false
  assert.equal(isComplete(writer), true, 'not before it is published')
  assert.equal(writer.publish(2), 2)
  assert.equal(isComplete(writer), false)
  assert.equal(writer.publish(2), 0, 'once')
  const revived = revive(writer, REGION_OCTETS)
  assert.equal(isComplete(revived), false)
  assert.equal(revived.publish(3), 3, 'a new writer takes its index for complete')
  assert.equal(isComplete(revived), true)
  writer.complete = true
  writer.complete = false
  assert.equal(writer.publish(4), 0, 'there and back')
  writer.complete = true
  write(writer, life.apexes, { zone: 0, labels: ['a'] }, [{ kind: 'raw', texts: ['x'] }])
  writer.abort()
  assert.equal(isComplete(writer), false)
  assert.equal(writer.publish(5), 3, 'an abort leaves it to the next version')
  assert.equal(isComplete(writer), true)
  checkMemory(writer)
  assert.ok(writer.stats.reservedBytes >= FIRST_FREE * 4)
})

test('every part of the region in which something changes is flagged', (t) => {
  t.diagnostic(`seed ${SEED}`)
  const many = 2000
  const life = newLife(1 << 21)
  const { writer, apexes } = life
  const { words } = writer.region
  // Names of all lengths, so that some lie across every kind of border.
  const placeOf = (i: number): Place => ({ zone: 0, labels: [`n${i}${'x'.repeat(i % 23)}`, `p${i % 7}`] })
  const contents = (value: number): Content[] => [
    { kind: 'addresses', ipv6: false, values: Array<number>(1 + (value % 40)).fill(value) },
    { kind: 'srv', targets: [placeOf(value * 7), placeOf(value)], ports: [1, 2], additional: [] },
  ]
  for (let i = 0; i < many; i++) write(writer, apexes, placeOf(i), contents(i % 255))
  writer.publish(2)
  const anyRound = fc.record({
    clearsFlags: fc.boolean(),
    set: fc.array(fc.nat({ max: 2 * many }), { maxLength: 30 }),
    clear: fc.array(fc.nat({ max: 2 * many }), { maxLength: 30 }),
    value: anyOctet,
    end: fc.constantFrom('publish', 'publish', 'abort', 'load', 'load on', 'hold', 'release'),
  })
  const reached = { parts: 0, whileLoading: 0 }
  let seen = words.slice()
  const property = fc.property(fc.array(anyRound, { minLength: 5, maxLength: 20 }), (rounds) => {
    for (const { clearsFlags, set, clear, value, end } of rounds) {
      // Between two transactions, or in the middle of one that loads.
      if (clearsFlags) {
        writer.changedParts.fill(0)
        seen = words.slice()
        reached.whileLoading += Number(writer.isLoading)
      }
      if (end === 'load' && writer.isIdle) writer.beginLoading()
      for (const i of set) write(writer, apexes, placeOf(i), contents(value))
      for (const i of clear) change(life, { kind: 'clear', place: placeOf(i) })
      if (writer.isLoading && end.startsWith('load')) continue
      if (end === 'abort' && !writer.isLoading) writer.abort()
      else writer.publish(3)
      if (end === 'hold') holdNewest(writer.region, READER)
      else if (end === 'release') holdNothing(writer.region, READER)
      reached.parts += assertFlagged(writer, seen)
    }
    writer.publish(3)
  })
  // Runs go on where the last one stopped: to make a failing one smaller would make another one.
  fc.assert(property, { seed: SEED, numRuns: RUNS, endOnFailure: true })
  t.diagnostic(JSON.stringify(reached))
  assert.ok(Math.min(...Object.values(reached)) > 0)
})

/** Whatever is not as in `seen` is in parts that are flagged; the words of the header are the life's own. @returns how many are */
function assertFlagged({ region: { words }, changedParts }: IndexWriter, seen: Int32Array): number {
  let parts = 0
  for (let i = FIRST_FREE; i < words.length; i++) {
    if (words[i] === seen[i]) continue
    assert.equal(changedParts[i >> PART_WORDS_LOG2], 1, `word ${i}`)
    parts++
    i |= (1 << PART_WORDS_LOG2) - 1
  }
  return parts
}
