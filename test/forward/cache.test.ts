import assert from 'node:assert/strict'
import { test } from 'node:test'
import { keyHashStep } from '../../src/dns/key.ts'
import { CacheReader } from '../../src/forward/cache-reader.ts'
import {
  attachCache,
  CacheLayoutError,
  type CacheRegion,
  createCache,
  readCacheFigures,
  SEGMENT_WORDS,
  segmentsTouched,
} from '../../src/forward/cache-region.ts'
import { CacheWriter } from '../../src/forward/cache-writer.ts'
import { DENIAL, SUCCESS } from '../../src/forward/ready-answer.ts'
import {
  CLASS_IN,
  ContentWriter,
  findVersions,
  formLength,
  generator,
  keyOf,
  questionOf,
  TYPE_A,
  versionAt,
} from './cache-content.ts'

const MEBIBYTE = 2 ** 20
const SHORT = 8

/** A cache with one reader that holds, and a writer. */
function cacheOf(octets = MEBIBYTE, success = 0, denial = 0) {
  const region = createCache({ success, denial, octets }, 2)
  const writer = new CacheWriter(region)
  const reader = new CacheReader(region, 0)
  return { region, writer, reader, content: new ContentWriter(writer) }
}

function form(...words: number[]) {
  return { words: Int32Array.from(words), wordCount: words.length }
}

test('what is put is found, word by word', () => {
  const { writer, reader } = cacheOf()
  const key = keyOf('www.example.com')
  const now = 12_345_678_901.25
  assert.equal(reader.find(key, TYPE_A, CLASS_IN, 0), false)
  assert.equal(writer.put(key, TYPE_A, CLASS_IN, 0, SUCCESS, false, 30, now + 30_000, now, form(1, 2, 3)), true)
  reader.hold()
  assert.equal(reader.find(keyOf('WWW.Example.COM'), TYPE_A, CLASS_IN, 0), true)
  const { success } = reader
  assert.equal(reader.denial, 0)
  const at = reader.form(success)
  assert.deepEqual([...reader.words.subarray(at, at + 3)], [1, 2, 3])
  assert.deepEqual([...reader.octets.subarray(at * 4, at * 4 + 12)], [...new Uint8Array(Int32Array.of(1, 2, 3).buffer)])
  assert.equal(reader.ttl(success), 30)
  assert.equal(reader.storedMs(success), now)
  assert.equal(reader.expiresMs(success), now + 30_000)
  assert.equal(reader.isFailure(success), false)
  reader.release()
})

test('an entry is found for its own question alone', () => {
  const { writer, reader } = cacheOf()
  const name = 'www.example.com'
  writer.put(keyOf(name), TYPE_A, CLASS_IN, 1, SUCCESS, false, 30, 2, 1, form(1))
  const others: [name: string, type: number, qclass: number, bits: number][] = [
    ['www.example.con', TYPE_A, CLASS_IN, 1],
    ['ww.example.com', TYPE_A, CLASS_IN, 1],
    ['a.www.example.com', TYPE_A, CLASS_IN, 1],
    ['example.com', TYPE_A, CLASS_IN, 1],
    [name, 28, CLASS_IN, 1],
    [name, 0x8001, CLASS_IN, 1],
    [name, TYPE_A, 3, 1],
    [name, TYPE_A, 0x8001, 1],
    [name, TYPE_A, CLASS_IN, 0],
    [name, TYPE_A, CLASS_IN, 3],
    [name, TYPE_A, CLASS_IN, 5],
  ]
  for (const [other, type, qclass, bits] of others) {
    assert.equal(reader.find(keyOf(other), type, qclass, bits), false, `${other} ${type} ${qclass} ${bits}`)
  }
  assert.equal(reader.find(keyOf(name), TYPE_A, CLASS_IN, 1), true)
})

test('types and classes with the highest bit set', () => {
  const { writer, reader } = cacheOf()
  const key = keyOf('a')
  assert.ok(writer.put(key, 0xffff, 0xffff, 7, DENIAL, true, 5, 2, 1, form(9)))
  assert.ok(writer.put(key, 0xffff, 0xffff, 7, DENIAL, false, 5, 2, 1, form(10)))
  assert.equal(reader.find(key, 0xffff, 0xffff, 7), true)
  assert.equal(reader.words[reader.form(reader.denial)], 10)
  assert.equal(reader.isFailure(reader.denial), false)
  assert.deepEqual(readCacheFigures(reader.words.buffer as SharedArrayBuffer).entries, { success: 0, denial: 1 })
})

test('a hash that others have too does not make their questions one', () => {
  const { writer, reader } = cacheOf()
  const first = keyOf('first.example')
  const second = keyOf('other.example')
  second.hash = first.hash
  writer.put(first, TYPE_A, CLASS_IN, 0, SUCCESS, false, 30, 2, 1, form(1))
  assert.equal(reader.find(second, TYPE_A, CLASS_IN, 0), false)
  writer.put(second, TYPE_A, CLASS_IN, 0, SUCCESS, false, 30, 2, 1, form(2))
  assert.ok(reader.find(first, TYPE_A, CLASS_IN, 0))
  assert.equal(reader.words[reader.form(reader.success)], 1)
})

test('a question whose hash is made to be that of another is still another', () => {
  const { writer, reader } = cacheOf()
  const key = keyOf('first.example')
  writer.put(key, TYPE_A, CLASS_IN, 0, SUCCESS, false, 30, 2, 1, form(1))
  const forged = keyOf('first.example')
  assert.equal(reader.find(forged, TYPE_A, CLASS_IN, 0), true)
  // Bits are mixed in by exclusive or.
  forged.hash = key.hash ^ 2
  assert.equal(reader.find(forged, TYPE_A, CLASS_IN, 2), false)
  // So is what a step of the hash makes of a word.
  const scrambled = (word: number): number => keyHashStep(0, word)
  const rotated = (word: number): number => {
    const times5 = Math.imul((word - 0xe6546b64) | 0, 0xcccccccd) // a fifth, modulo 2^32
    return (times5 >>> 13) | (times5 << 19)
  }
  const difference = (a: number, b: number): number => rotated(scrambled(a)) ^ rotated(scrambled(b))
  const first = TYPE_A | (CLASS_IN << 16)
  const other = 28 | (CLASS_IN << 16)
  forged.hash = key.hash ^ difference(first, other)
  assert.equal(keyHashStep(forged.hash, other), keyHashStep(key.hash, first), 'the forgery is good')
  assert.equal(reader.find(forged, 28, CLASS_IN, 0), false)
  // A longer name, of the same words.
  forged.hash = key.hash
  forged.meta = key.meta + 1
  assert.equal(reader.find(forged, TYPE_A, CLASS_IN, 0), false)
})

test('names made to have one hash drive out each other, and make nothing slow', () => {
  const { region, writer, reader } = cacheOf()
  const keys = Array.from({ length: 200 }, (_, i) => {
    const key = keyOf(`n${i}.example`)
    key.hash = 7
    return key
  })
  for (const [i, key] of keys.entries()) {
    assert.ok(writer.put(key, TYPE_A, CLASS_IN, 0, i % 2 === 0 ? SUCCESS : DENIAL, false, 30, 2, 1, form(i)))
  }
  const found = keys.filter((key) => reader.find(key, TYPE_A, CLASS_IN, 0))
  assert.deepEqual(found, keys.slice(-found.length), 'the newest are there')
  assert.ok(found.length >= 8 && found.length <= 32, `${found.length}`)
  const { entries, evictions } = readCacheFigures(region)
  assert.equal(entries.success + entries.denial, found.length)
  assert.equal(evictions.success + evictions.denial, 200 - found.length)
})

test('both kinds are found in one walk, and replaced each for itself', () => {
  const { region, writer, reader } = cacheOf()
  const key = keyOf('a.example')
  const put = (kind: number, word: number): void => {
    assert.ok(writer.put(key, TYPE_A, CLASS_IN, 0, kind, kind === DENIAL, 30, 2, 1, form(word)))
  }
  const found = (): number[] => {
    reader.find(key, TYPE_A, CLASS_IN, 0)
    return [reader.success, reader.denial].map((ref) => (ref === 0 ? 0 : reader.words[reader.form(ref)]))
  }
  put(SUCCESS, 1)
  assert.deepEqual(found(), [1, 0])
  put(DENIAL, 2)
  assert.deepEqual(found(), [1, 2])
  assert.equal(reader.isFailure(reader.denial), true)
  put(SUCCESS, 3)
  assert.deepEqual(found(), [3, 2])
  put(DENIAL, 4)
  assert.deepEqual(found(), [3, 4])
  assert.deepEqual(readCacheFigures(region).entries, { success: 1, denial: 1 })
  writer.drop(key, TYPE_A, CLASS_IN, 0, SUCCESS)
  writer.drop(key, TYPE_A, CLASS_IN, 0, SUCCESS)
  assert.deepEqual(found(), [0, 4])
  writer.drop(key, TYPE_A, CLASS_IN, 0, DENIAL)
  assert.deepEqual(found(), [0, 0])
  assert.deepEqual(readCacheFigures(region), {
    entries: { success: 0, denial: 0 },
    evictions: { success: 0, denial: 0 },
    octets: 0,
  })
})

test('what a reader has found stays as it is until it releases, whatever is put', () => {
  const { reader, content, writer } = cacheOf()
  const questions = Array.from({ length: 400 }, (_, number) => questionOf(number))
  for (const question of questions) content.put(question, SUCCESS, 1, 40)
  reader.hold()
  const refs = questions.map(({ key, type, bits }) => {
    assert.ok(reader.find(key, type, CLASS_IN, bits))
    return reader.success
  })
  let refused = 0
  for (let version = 2; version < 40; version++) {
    for (const question of questions) if (!content.put(question, SUCCESS, version, 40)) refused++
    writer.flush()
  }
  for (const [number, ref] of refs.entries()) assert.equal(versionAt(reader, ref, number, SUCCESS), 1)
  assert.ok(refused > 0, 'there was no room at last')
  const seen = questions.map((question) => findVersions(reader, question)[0])
  assert.ok(
    seen.every((version) => version > 1),
    'what was put before that is found',
  )
  reader.release()
  writer.flush()
  for (const question of questions) assert.ok(content.put(question, SUCCESS, 50, 40))
  for (const question of questions) assert.deepEqual(findVersions(reader, question), [50, 0])
})

test('a reader that never releases stops reuse, and its successor or its mourner starts it again', () => {
  const { region, content, writer } = cacheOf()
  const stuck = new CacheReader(region, 1)
  stuck.hold()
  let version = 0
  while (content.put(questionOf(version % 300), SUCCESS, ++version, 100)) assert.ok(version < 10_000)
  for (let i = 0; i < 100; i++) {
    writer.flush()
    assert.equal(content.put(questionOf(i), SUCCESS, ++version, 100), false)
  }
  assert.equal(readCacheFigures(region).evictions.success, 0, 'nothing is dropped in vain')
  new CacheReader(region, 1).release()
  for (let i = 0; i < 3000; i++) assert.ok(content.put(questionOf(i % 300), SUCCESS, ++version, 100))
})

test('a reader that holds again lets go of what it held', () => {
  const { content, reader } = cacheOf()
  for (let version = 1; version < 20_000; version++) {
    if (version % 64 === 0) reader.hold()
    assert.ok(content.put(questionOf(version % 100), SUCCESS, version, 50), `version ${version}`)
  }
})

test('capacities are by kind, and 1,024 at least', () => {
  const { region, content, reader } = cacheOf(MEBIBYTE, 3, 1500)
  for (let number = 0; number < 3000; number++) {
    assert.ok(content.put(questionOf(number), SUCCESS, number + 1, SHORT))
    assert.ok(content.put(questionOf(number), DENIAL, number + 1, SHORT))
  }
  const { entries, evictions } = readCacheFigures(region)
  assert.deepEqual(entries, { success: 1024, denial: 1500 })
  assert.deepEqual(evictions, { success: 3000 - 1024, denial: 1500 })
  const found = [0, 0]
  for (let number = 0; number < 3000; number++) {
    for (const [kind, version] of findVersions(reader, questionOf(number)).entries()) if (version !== 0) found[kind]++
  }
  assert.deepEqual(found, [1024, 1500])
})

test('octets are a limit as well: what is put is there, what is evicted is not half there', () => {
  const { region, content, reader } = cacheOf(MEBIBYTE)
  for (let number = 0; number < 900; number++) assert.ok(content.put(questionOf(number), SUCCESS, number + 1, 2000))
  const { entries, evictions, octets } = readCacheFigures(region)
  assert.equal(entries.success + evictions.success, 900)
  assert.ok(entries.success > 20, 'it is well used')
  assert.ok(octets <= MEBIBYTE && octets >= entries.success * 8000)
  assert.deepEqual(findVersions(reader, questionOf(899)), [900, 0])
  let found = 0
  for (let number = 0; number < 900; number++) if (findVersions(reader, questionOf(number))[0] !== 0) found++
  assert.equal(found, entries.success)
})

test('memory of which nothing is left is used again, but not twice', () => {
  const { content, reader, writer } = cacheOf()
  const { key, type, bits } = questionOf(0)
  for (let round = 1; round < 20; round++) {
    content.put(questionOf(0), SUCCESS, round, 100)
    writer.drop(key, type, CLASS_IN, bits, SUCCESS)
    writer.flush()
    for (let number = 1; number < 500; number++) assert.ok(content.put(questionOf(number), SUCCESS, round, 150))
    for (let number = 1; number < 500; number++) assert.deepEqual(findVersions(reader, questionOf(number)), [round, 0])
    for (let number = 1; number < 500; number++) {
      const { key, type, bits } = questionOf(number)
      writer.drop(key, type, CLASS_IN, bits, SUCCESS)
    }
  }
})

test('the longest form goes in, a longer one does not', () => {
  const { content, reader, writer } = cacheOf()
  const words = new Int32Array(SEGMENT_WORDS)
  assert.equal(
    writer.put(keyOf('a'), TYPE_A, CLASS_IN, 0, SUCCESS, false, 1, 1, 1, { words, wordCount: SEGMENT_WORDS }),
    false,
  )
  assert.equal(reader.find(keyOf('a'), TYPE_A, CLASS_IN, 0), false)
  for (let number = 0; number < 100; number++) {
    assert.ok(content.put(questionOf(number), SUCCESS, number + 1, 22_400))
    assert.deepEqual(findVersions(reader, questionOf(number)), [number + 1, 0])
  }
})

test('ten to the sixth operations: no memory is lost, and no more of it is touched than is needed', () => {
  const { region, content, reader, writer } = cacheOf(16 * MEBIBYTE)
  const attached: CacheRegion = attachCache(region)
  const questions = Array.from({ length: 1000 }, (_, number) => questionOf(number))
  const random = generator(20260201)
  let refused = 0
  for (let i = 0; i < 1_000_000; i++) {
    const question = questions[random(1000)]
    if (i % 10 === 9) writer.drop(question.key, question.type, CLASS_IN, question.bits, SUCCESS)
    else if (!content.put(question, SUCCESS, i % 2 ** 20, 12 + (i % 90))) refused++
    if (i % 128 === 0) {
      writer.flush()
      reader.hold()
    }
  }
  assert.equal(refused, 0)
  const { entries, octets } = readCacheFigures(region)
  assert.ok(entries.success > 800 && octets < MEBIBYTE, `${entries.success} entries, ${octets} octets`)
  const touched = segmentsTouched(attached.words) * SEGMENT_WORDS * 4
  assert.ok(touched <= MEBIBYTE, `${touched} octets touched for ${octets}`)
  for (const { key, type, bits } of questions) writer.drop(key, type, CLASS_IN, bits, SUCCESS)
  assert.equal(readCacheFigures(region).octets, 0)
})

test('a successor begins empty, counts go on, and readers keep what they hold', () => {
  const { region, content, reader } = cacheOf()
  for (let number = 0; number < 2000; number++)
    content.put(questionOf(number), SUCCESS, 1, formLength(number, 1) % 1000)
  const { evictions } = readCacheFigures(region)
  assert.ok(evictions.success > 0)
  reader.hold()
  const held = questionOf(1999)
  reader.find(held.key, held.type, CLASS_IN, held.bits)
  const ref = reader.success
  const successor = new ContentWriter(new CacheWriter(region))
  assert.deepEqual(readCacheFigures(region), { entries: { success: 0, denial: 0 }, evictions, octets: 0 })
  assert.deepEqual(findVersions(reader, held), [0, 0])
  let puts = 0
  while (puts < 100_000 && successor.put(questionOf(puts % 500), SUCCESS, 2, 40)) puts++
  assert.equal(versionAt(reader, ref, held.number, SUCCESS), 1)
  assert.ok(puts < 100_000, 'what is held is not reused')
  reader.release()
  for (let i = 0; i < 5000; i++) assert.ok(successor.put(questionOf(i % 500), SUCCESS, 3, 40))
})

test('hits in a row: gaps, and a refresh between', () => {
  const { writer, reader } = cacheOf()
  const key = keyOf('a.example')
  const put = (nowMs: number): void => {
    assert.ok(writer.put(key, TYPE_A, CLASS_IN, 0, SUCCESS, false, 30, nowMs + 30_000, nowMs, form(1)))
  }
  const streak = (nowMs: number): number => {
    reader.find(key, TYPE_A, CLASS_IN, 0)
    return reader.streak(reader.success, nowMs, 60_000)
  }
  const start = 5_000_000_000_000
  put(start)
  assert.equal(streak(start), 1)
  assert.equal(streak(start), 2)
  assert.equal(streak(start + 10), 3)
  assert.equal(streak(start + 59_000), 4)
  put(start + 60_000)
  assert.equal(streak(start + 118_000), 5, 'the refresh has not ended it')
  assert.equal(streak(start + 117_999), 6, 'another thread may be late')
  put(start + 150_000)
  assert.equal(streak(start + 179_000), 1, 'a gap of more than a minute, over a refresh')
  assert.equal(streak(start + 179_000 + 60_000), 2)
  assert.equal(streak(start + 179_000 + 120_100), 1)
  for (let i = 0; i < 70_000; i++) streak(start + 300_000 + i)
  assert.equal(streak(start + 370_000), 65_535)
})

test('a refresh is claimed by one, and again after a while', () => {
  const { region, writer, reader } = cacheOf()
  const other = new CacheReader(region, 1)
  const key = keyOf('a.example')
  const start = 7_000_000
  const put = (nowMs: number): void => {
    writer.put(key, TYPE_A, CLASS_IN, 0, SUCCESS, false, 30, nowMs + 30_000, nowMs, form(1))
    reader.find(key, TYPE_A, CLASS_IN, 0)
  }
  put(start)
  assert.equal(reader.claimRefresh(reader.success, start, 1000), true)
  assert.equal(other.claimRefresh(reader.success, start, 1000), false)
  assert.equal(other.claimRefresh(reader.success, start - 5, 1000), false)
  assert.equal(reader.claimRefresh(reader.success, start + 999, 1000), false)
  assert.equal(other.claimRefresh(reader.success, start + 1001, 1000), true)
  assert.equal(reader.claimRefresh(reader.success, start + 1001, 1000), false)
  put(start + 1500)
  assert.equal(reader.claimRefresh(reader.success, start + 1501, 1000), true, 'of the new entry')
})

test('what is no cache is refused', () => {
  assert.throws(() => new CacheReader(new SharedArrayBuffer(4096), 0), CacheLayoutError)
  assert.throws(() => new CacheWriter(new SharedArrayBuffer(4096)), CacheLayoutError)
})
