// State files: what is read is what was saved, and goes on as the old one would have; or it is refused, with the reason, for any
// octet that is not what was written.

import assert from 'node:assert/strict'
import {
  appendFileSync,
  closeSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { crc32 } from 'node:zlib'
import fc from 'fast-check'
import { PART_WORDS_LOG2 } from '../../src/index/allocator.ts'
import { createRegion, FIRST_FREE, type Region } from '../../src/index/layout.ts'
import { holdNewest, holdNothing } from '../../src/index/reader.ts'
import type { ClusterIndexOptions } from '../../src/kube/cluster-index.ts'
import { packService } from '../../src/kube/packed.ts'
import {
  fingerprintOf,
  HEADER_BYTES,
  readStateFile,
  StateFileError,
  type StateHeader,
  setAside,
} from '../../src/kube/state-file.ts'
import { checkMemory, contentOf, publishedRoot } from '../index/region-walk.ts'
import { anyChange, apply, type Change, changesOf, openIndex, SCHEMAS, type TestIndex } from './cluster-changes.ts'
import { FINGERPRINT, goOn, reopen, save, temporaryFolder } from './saved-index.ts'

const SEED = Number(process.env.TEST_SEED ?? 20260731)
const RUNS = Number(process.env.TEST_RUNS ?? 60)
const REGION_OCTETS = 2 ** 18
const READER = 1
const PART_BYTES = 4 << PART_WORDS_LOG2

type Step =
  | { readonly does: 'change'; readonly changes: readonly Change[] }
  | { readonly does: 'flush' | 'hold' | 'release' }
  | { readonly does: 'restart'; readonly size: 'same' | 'larger' | 'smaller' }

const anyStep: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({ does: fc.constant('change' as const), changes: fc.array(anyChange, { maxLength: 8 }) }),
  },
  { weight: 5, arbitrary: fc.constantFrom<Step>({ does: 'flush' }, { does: 'hold' }, { does: 'release' }) },
  {
    weight: 3,
    arbitrary: fc.record({
      does: fc.constant('restart' as const),
      size: fc.constantFrom('same', 'larger', 'smaller'),
    }),
  },
)

/** A life after the other; the last but one goes on beside the last. */
class Lives {
  readonly #path: string
  readonly #options: ClusterIndexOptions
  readonly #reached: Record<string, number>
  #old: TestIndex | null = null
  #life: TestIndex

  constructor(path: string, options: ClusterIndexOptions, reached: Record<string, number>) {
    this.#path = path
    this.#options = options
    this.#reached = reached
    this.#life = openIndex(options, REGION_OCTETS)
  }

  async run(step: Step): Promise<void> {
    this.#reached[step.does] = (this.#reached[step.does] ?? 0) + 1
    if ('changes' in step) {
      for (const { index } of this.#both) for (const change of step.changes) apply(index.state, change)
    } else if ('size' in step) await this.restart(step.size)
    else if (step.does === 'flush') this.flush()
    else if (step.does === 'hold') holdNewest(this.#life.writer.region, READER)
    else holdNothing(this.#life.writer.region, READER)
  }

  get #both(): TestIndex[] {
    return this.#old === null ? [this.#life] : [this.#old, this.#life]
  }

  flush(): void {
    for (const { index } of this.#both) index.flush(2000)
    if (this.#old !== null) this.assertTwins(this.#old, this.#life)
  }

  async restart(size: 'same' | 'larger' | 'smaller'): Promise<void> {
    this.flush()
    const { writer } = this.#life
    await save(this.#path, this.#life)
    const usedOctets = readHeader(this.#path).regionBytes
    const octets = { same: writer.region.octets.length, larger: 2 * REGION_OCTETS, smaller: REGION_OCTETS / 2 }[size]
    assert.ok(usedOctets <= octets, 'large enough for these clusters')
    const limbo = writer.stats.limboBytes
    if (limbo > 0) this.#reached.pinned = (this.#reached.pinned ?? 0) + 1
    this.#old = this.#life
    this.#life = reopen(this.#path, this.#options, octets)
    assert.equal(this.#life.writer.stats.limboBytes, 0, 'readers of the old life hold nothing in the new one')
    this.assertTwins(this.#old, this.#life)
  }

  assertTwins(a: TestIndex, b: TestIndex): void {
    assert.deepEqual(contentOf(a.writer.region), contentOf(b.writer.region))
    assert.deepEqual(changesOf(a.index.state), changesOf(b.index.state))
    for (const { writer } of [a, b]) checkMemory(writer)
  }

  /** What has come of it all is what a cluster of that state makes at once; and all of it can be taken away. */
  finish(): void {
    holdNothing(this.#life.writer.region, READER)
    this.flush()
    const { index, writer } = this.#life
    const fresh = openIndex(this.#options, REGION_OCTETS)
    for (const change of changesOf(index.state)) apply(fresh.index.state, change)
    fresh.index.flush(2000)
    assert.deepEqual(contentOf(writer.region), contentOf(fresh.writer.region))
    for (const change of changesOf(index.state)) apply(index.state, { ...change, packed: '' })
    index.flush(2000)
    const empty = openIndex(this.#options, REGION_OCTETS).writer
    assert.deepEqual(contentOf(writer.region), contentOf(empty.region))
    assert.equal(writer.stats.liveBytes, empty.stats.liveBytes, 'nothing is left behind')
    checkMemory(writer)
  }
}

for (const [i, options] of SCHEMAS.entries()) {
  test(`an index that is opened again goes on as the old one would, schema ${i} (seed ${SEED})`, async (t) => {
    const path = join(temporaryFolder(t), 'state')
    const reached: Record<string, number> = {}
    const property = fc.asyncProperty(
      fc.array(anyStep, { minLength: 5, maxLength: 40, size: 'max' }),
      async (steps) => {
        const lives = new Lives(path, options, reached)
        for (const step of steps) await lives.run(step)
        lives.finish()
      },
    )
    await fc.assert(property, { seed: SEED, numRuns: RUNS })
    t.diagnostic(JSON.stringify(reached))
    for (const what of ['restart', 'pinned', 'flush']) assert.ok(reached[what] > 0, what)
  })
}

const GROWN = packService({
  namespace: '',
  name: '',
  kind: 'ClusterIP',
  clusterIPs: ['10.96.0.9'],
  externalName: '',
  ports: [{ name: 'http', protocol: 'TCP', port: 80 }],
  externalAddresses: [],
  createdAt: 0,
})

/** A small index with something of everything. */
async function saveSmall(path: string, octets = REGION_OCTETS): Promise<TestIndex> {
  const small = openIndex(SCHEMAS[1], octets)
  const changes = fc.sample(anyChange, { seed: SEED, numRuns: 40 })
  for (const change of changes) apply(small.index.state, change)
  small.index.state.setNamespace('shop', true)
  small.index.flush(1000)
  // While it is saved more comes into use than was when that began: the file has parts of all kinds.
  const grow = (): void => {
    if (small.index.state.onChange === null) setImmediate(grow)
    else {
      const enoughBytes = small.writer.stats.reservedBytes + PART_BYTES
      for (let i = 0; small.writer.stats.reservedBytes < enoughBytes; i++) {
        small.index.state.set('services', 'shop', `grown-${i}`, GROWN)
        small.index.flush(1000)
      }
    }
  }
  grow()
  await save(path, small)
  return small
}

function readHeader(path: string): StateHeader {
  return JSON.parse(readFileSync(path, 'latin1').split('\n')[0])
}

/** Writes another header into the file, with a checksum that is right. */
function writeHeader(path: string, change: object): void {
  const line = JSON.stringify({ ...readHeader(path), ...change })
  const octets = Buffer.from(`${line}\n${crc32(line)}\n`.padEnd(HEADER_BYTES))
  const file = openSync(path, 'r+')
  writeSync(file, octets, 0, octets.length, 0)
  closeSync(file)
}

function assertRefused(path: string, reason: RegExp, region = createRegion(REGION_OCTETS), print = FINGERPRINT): void {
  assert.throws(
    () => readStateFile(path, print, region),
    (error) => {
      assert.ok(error instanceof StateFileError, String(error))
      assert.equal(error.code, 'STATE_FILE')
      assert.match(error.message, reason)
      return true
    },
  )
}

/** Reads without going on with it. @returns its content, word by word */
function wordsOf(path: string, region: Region): Buffer {
  const restored = readStateFile(path, FINGERPRINT, region)!
  const objects = JSON.stringify([...restored.readObjects()])
  restored.close()
  const { next } = restored.writer.allocator
  return Buffer.concat([Buffer.from(region.octets.subarray(0, next * 4)), Buffer.from(objects)])
}

test('every octet of a file counts, but for the blanks behind its header', async (t) => {
  const path = join(temporaryFolder(t), 'state')
  await saveSmall(path)
  const octets = readFileSync(path)
  const { regionBytes, partsBytes, moreOffset, objects, tables } = readHeader(path)
  assert.ok(regionBytes > partsBytes && moreOffset > objects.offset && tables.length > 0, 'parts of all kinds')
  assert.equal(tables.offset + tables.length, octets.length)
  const headerLength = octets.indexOf('\n', octets.indexOf('\n') + 1) + 1
  const region = createRegion(REGION_OCTETS)
  const whole = wordsOf(path, region)
  const reasons = new Map<string, number>()
  const file = openSync(path, 'r+')
  for (let at = 0; at < octets.length; at++) {
    const flipped = octets[at] ^ (1 << ((at + SEED) % 8))
    writeSync(file, Buffer.of(flipped), 0, 1, at)
    let reason = ''
    try {
      assert.ok(wordsOf(path, region).equals(whole), `octet ${at}: another index is served`)
    } catch (error) {
      assert.ok(error instanceof StateFileError, `octet ${at}: ${error}`)
      reason = error.message.replaceAll(/\d+/g, 'N')
    }
    // The line feed in front of the blanks may become one.
    const isBlank = at >= headerLength && at < HEADER_BYTES
    if (at !== headerLength - 1) assert.equal(reason === '', isBlank, `octet ${at}: ${reason}`)
    reasons.set(reason, (reasons.get(reason) ?? 0) + 1)
    writeSync(file, octets, at, 1, at)
  }
  closeSync(file)
  assert.ok(wordsOf(path, region).equals(whole))
  t.diagnostic(JSON.stringify([...reasons]))
  for (const part of ['header', 'tables', 'objects', 'index']) {
    assert.ok(
      [...reasons.keys()].some((reason) => reason.includes(part)),
      `damage in its ${part} is called so`,
    )
  }
})

test('a file that breaks off anywhere is refused; octets behind it are not looked at', async (t) => {
  const path = join(temporaryFolder(t), 'state')
  await saveSmall(path)
  const octets = readFileSync(path)
  const region = createRegion(REGION_OCTETS)
  const whole = wordsOf(path, region)
  const lengths = new Set([1, HEADER_BYTES - 1, HEADER_BYTES, HEADER_BYTES + 1, octets.length - 1])
  for (let length = 0; length < octets.length; length += 61) lengths.add(length)
  for (const length of lengths) {
    writeFileSync(path, octets.subarray(0, length))
    assertRefused(path, length < 20 ? /no state file/ : /breaks off/, region)
  }
  writeFileSync(path, octets)
  appendFileSync(path, 'more')
  assert.ok(wordsOf(path, region).equals(whole))
})

test('what is refused, and why', async (t) => {
  const folder = temporaryFolder(t)
  const path = join(folder, 'state')
  const nothing = (): void => {}
  const cases: [string, (path: string) => void, RegExp, string?][] = [
    // what                   made by                                               reason
    ['an empty file', (file) => writeFileSync(file, ''), /^is no state file/],
    ['a text', (file) => writeFileSync(file, 'apiVersion: v1\n'), /^is no state file/],
    ['a long text', (file) => writeFileSync(file, 'kind: Service\n'.repeat(5000)), /^is no state file/],
    ['another JSON', (file) => writeFileSync(file, `{"kind":"List"}\n1\n`.padEnd(9999)), /^is no state file/],
    ['null', (file) => writeFileSync(file, 'null\n0\n'.padEnd(9999)), /^is no state file/],
    ['zeros', (file) => writeFileSync(file, Buffer.alloc(99_999)), /^is no state file/],
    [
      'a later format',
      (file) => writeHeader(file, { peregrineState: 99 }),
      /^is of another version \(format 99, layout/,
    ],
    ['another layout', (file) => writeHeader(file, { layout: 77 }), /^is of another version \(format \d+, layout 77\)/],
    ['other options', nothing, /^is of another cluster, or made with other options/, fingerprintOf('others')],
    ['a larger index', (file) => writeHeader(file, { regionBytes: 2 * REGION_OCTETS }), /^holds more than --index-mb/],
    ['no sense', (file) => writeHeader(file, { tables: null }), /^cannot be read/],
    ['a folder', (file) => mkdirSync(file), /^cannot be read: EISDIR/],
    ['a file for a folder', (file) => file, /^cannot be read: ENOTDIR/],
  ]
  for (const [i, [what, make, reason, fingerprint]] of cases.entries()) {
    await t.test(what, async () => {
      const file = what === 'a file for a folder' ? join(`${path}0`, 'state') : `${path}${i}`
      if (['a later format', 'another layout', 'other options', 'a larger index', 'no sense'].includes(what)) {
        await saveSmall(file)
      }
      make(file)
      assertRefused(file, reason, undefined, fingerprint)
    })
  }
  assert.equal(
    readStateFile(join(folder, 'none'), FINGERPRINT, createRegion(REGION_OCTETS)),
    null,
    'nothing is no error',
  )
})

test('a region that is large enough, to the last part, and one that is not', async (t) => {
  const path = join(temporaryFolder(t), 'state')
  const small = await saveSmall(path)
  const { regionBytes } = readHeader(path)
  const expected = contentOf(small.writer.region)
  const { writer } = reopen(path, SCHEMAS[1], regionBytes + 8192)
  assert.deepEqual(contentOf(writer.region), expected)
  const exact = createRegion(regionBytes)
  readStateFile(path, FINGERPRINT, exact)!.close()
  assert.deepEqual(contentOf(exact), expected)
  assertRefused(path, /^holds more than --index-mb allows/, createRegion(regionBytes - 4))
  // As it is where the limit is no multiple of a part.
  const odd = join(temporaryFolder(t), 'state')
  const words = Math.ceil(small.writer.stats.reservedBytes / 4) + 901
  const tight = openIndex(SCHEMAS[1], words * 4)
  for (const change of changesOf(small.index.state)) apply(tight.index.state, change)
  tight.index.flush(1000)
  await save(odd, tight)
  assert.deepEqual(contentOf(reopen(odd, SCHEMAS[1], words * 4).writer.region), contentOf(tight.writer.region))
})

test('what is read is of the new life: its own header, no readers, not complete', async (t) => {
  const path = join(temporaryFolder(t), 'state')
  const small = openIndex(SCHEMAS[0], REGION_OCTETS)
  for (let reader = 0; reader < 2; reader++) holdNewest(small.writer.region, reader)
  const before = Date.now()
  await save(path, small)
  const region = createRegion(2 * REGION_OCTETS)
  const restored = readStateFile(path, FINGERPRINT, region)!
  assert.ok(restored.savedAtMs >= before && restored.savedAtMs <= Date.now())
  assert.deepEqual(
    [...region.words.subarray(0, FIRST_FREE)],
    [
      ...createRegion(2 * REGION_OCTETS).words.subarray(0, 2),
      restored.writer.root,
      ...createRegion(2 * REGION_OCTETS).words.subarray(3, FIRST_FREE),
    ],
  )
  const test = goOn(region, restored, SCHEMAS[0])
  assert.ok(publishedRoot(test.writer.region) > 0)
  test.index.state.setNamespace('shop', true)
  test.index.flush(3000)
  assert.equal(test.writer.stats.limboBytes, 0)
})

test('objects whatever their names, in as many pieces as they take', async (t) => {
  const path = join(temporaryFolder(t), 'state')
  const { writer, index } = openIndex(SCHEMAS[0], REGION_OCTETS)
  const strange = ['\n', '"', '\\', '\u2028', 'ü', '𝔘', '', ' ', ',', '[', '\0', 'x'.repeat(300_000)]
  for (const name of strange) index.state.restore('pods', `n${name}`, name, `10.0.0.1,${name}`)
  for (let i = 0; i < 30_000; i++) index.state.restore('pods', `m${i % 3}`, `${'ü'.repeat(i % 50)}${i}`, `${i}`)
  await save(path, { writer, index })
  const restored = reopen(path, SCHEMAS[0], REGION_OCTETS)
  assert.deepEqual(changesOf(restored.index.state), changesOf(index.state))
  assert.ok(readHeader(path).objects.length > 2 ** 21, 'read in several pieces')
})

test('a file that is refused is set aside', async (t) => {
  const folder = temporaryFolder(t)
  const path = join(folder, 'state')
  for (const text of ['first', 'second']) {
    writeFileSync(path, text)
    assert.equal(setAside(path), `${path}.refused`)
    assert.deepEqual(readdirSync(folder), ['state.refused'])
    assert.equal(readFileSync(`${path}.refused`, 'utf8'), text, 'the last one is kept')
  }
  assert.equal(setAside(path), '', 'nothing to move')
})

test('the fingerprint is of all options', () => {
  const prints = [{ ttl: 5 }, { ttl: 6 }, [SCHEMAS[0], ''], [SCHEMAS[1], ''], [SCHEMAS[0], 'a=b']].map(fingerprintOf)
  assert.equal(new Set(prints).size, prints.length)
  assert.equal(fingerprintOf({ ttl: 5 }), prints[0])
})
