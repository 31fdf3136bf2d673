import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import { Worker } from 'node:worker_threads'
import fc from 'fast-check'
import {
  createLogRing,
  LOG_DENIAL,
  LOG_ERROR,
  LOG_SUCCESS,
  LogEntry,
  LogRingError,
  LogRingReader,
  LogRingWriter,
  logClass,
  type ReadLogEntry,
} from '../../src/workers/log-ring.ts'

const HEADER_LENGTH = 12

interface Seen {
  readonly fields: Record<string, unknown>
}

/** Entry -> plain fields, octets beyond their length left out. */
function seen(entry: ReadLogEntry): Seen {
  const { client, local, question, ...fields } = entry
  return {
    fields: {
      ...fields,
      client: [...client.subarray(0, entry.clientLength)],
      local: [...local.subarray(0, entry.localLength)],
      question: [...question.subarray(0, entry.questionLength)],
    },
  }
}

const u16 = fc.nat(0xffff)
const anyQuery = fc.record({
  fields: fc.record({
    group: u16,
    rules: u16,
    stream: fc.nat(1),
    replied: fc.nat(1),
    dnssecOk: fc.nat(1),
    bufsize: u16,
    size: u16,
    rcode: fc.nat(4095),
    replySize: u16,
    questionLength: fc.constantFrom(0, 5, 17, 58, 59, 60, 61, 62, 63, 64, 259),
    seconds: fc.double({ min: 0, max: 10, noNaN: true }),
    clientLength: fc.constantFrom(4, 16),
    clientPort: u16,
    localLength: fc.constantFrom(0, 4, 16),
  }),
  packet: fc.uint8Array({ minLength: HEADER_LENGTH + 259, maxLength: HEADER_LENGTH + 259 }),
  start: fc.nat(3),
  addresses: fc.uint8Array({ minLength: 40, maxLength: 40 }),
})
type AnyQuery = typeof anyQuery extends fc.Arbitrary<infer T> ? T : never
const anyEntry = fc.oneof(
  { weight: 5, arbitrary: anyQuery.map((query) => ({ query })) },
  {
    weight: 2,
    arbitrary: fc.tuple(fc.nat(255), fc.string({ unit: 'grapheme', maxLength: 1500 })).map((text) => ({ text })),
  },
)
const anyStep = fc.oneof(
  { weight: 7, arbitrary: anyEntry },
  { weight: 2, arbitrary: fc.nat(12).map((drain) => ({ drain })) },
)
// A reader that keeps up, or one that does not read at all: then the ring is full after some 30 entries.
const anySteps = fc.oneof(
  { weight: 3, arbitrary: fc.array(anyStep, { minLength: 1, maxLength: 150, size: 'max' }) },
  { weight: 1, arbitrary: fc.array(anyEntry, { minLength: 100, maxLength: 150, size: 'max' }) },
)

function push(writer: LogRingWriter, { fields, packet, start, addresses }: AnyQuery): boolean {
  const moved = new Uint8Array(start + packet.length)
  moved.set(packet, start)
  return writer.push(Object.assign(new LogEntry(), fields), addresses, 1, addresses, 20, moved, start)
}

function expectedOf({ fields, packet, addresses }: AnyQuery): Seen {
  const word = (at: number): number => packet[at] * 256 + packet[at + 1]
  return {
    fields: {
      ...fields,
      id: word(0),
      flags: word(2),
      answerCount: fields.replied === 1 ? word(6) : 0,
      client: [...addresses.subarray(1, 1 + fields.clientLength)],
      local: [...addresses.subarray(20, 20 + fields.localLength)],
      question: [...packet.subarray(HEADER_LENGTH, HEADER_LENGTH + fields.questionLength)],
    },
  }
}

test('a ring gives back what went in, in order, or says that it was full', () => {
  let full = 0
  let wrapped = 0
  fc.assert(
    fc.property(anySteps, (steps) => {
      const memory = createLogRing(4096)
      let writer = new LogRingWriter(memory)
      const reader = new LogRingReader(memory)
      const queue: unknown[] = []
      let dropped = 0
      let total = 0
      const drain = (max?: number): void => {
        const found: unknown[] = []
        const count = reader.drain(
          { query: (entry) => found.push(seen(entry)), text: (kind, text) => found.push([kind, text]) },
          max,
        )
        assert.equal(count, found.length)
        assert.deepEqual(found, queue.splice(0, found.length))
        if (max === undefined) assert.equal(queue.length, 0)
      }
      for (const step of steps) {
        if ('drain' in step) {
          drain(step.drain)
          // A successor goes on where its predecessor was.
          writer = new LogRingWriter(memory)
          continue
        }
        const fits = 'query' in step ? push(writer, step.query) : writer.pushText(...(step.text as [number, string]))
        if (fits) queue.push('query' in step ? expectedOf(step.query) : step.text)
        else dropped++
        total++
      }
      assert.equal(reader.dropped, dropped)
      drain()
      if (dropped > 0) full++
      if (total - dropped > 60) wrapped++
    }),
    { numRuns: Number(process.env.PEREGRINE_FUZZ_ROUNDS ?? 200) },
  )
  assert.ok(full > 0 && wrapped > 0, `${full} rings were full, ${wrapped} went round`)
})

test('the counters of a ring may wrap', () => {
  const memory = createLogRing(4096)
  // Head and tail shortly before 2^31, as after many octets.
  const control = new Int32Array(memory, 0, 64)
  control[0] = 0x7fff_ff00
  control[16] = 0x7fff_ff00
  const writer = new LogRingWriter(memory)
  const reader = new LogRingReader(memory)
  for (let i = 0; i < 50; i++) {
    assert.ok(writer.pushText(1, `line ${i}`))
    const lines: string[] = []
    reader.drain({ query: () => assert.fail('no query'), text: (_kind, text) => lines.push(text) })
    assert.deepEqual(lines, [`line ${i}`])
  }
  assert.ok(control[0] < 0)
})

test('text longer than a quarter of the ring is dropped', () => {
  const memory = createLogRing(4096)
  const writer = new LogRingWriter(memory)
  assert.equal(writer.pushText(0, 'x'.repeat(1024)), false)
  assert.equal(writer.pushText(0, 'x'.repeat(1000)), true)
  assert.equal(new LogRingReader(memory).dropped, 1)
})

test('an entry whose visit throws is not met again', () => {
  const memory = createLogRing(4096)
  const writer = new LogRingWriter(memory)
  writer.pushText(0, 'one')
  writer.pushText(0, 'two')
  const reader = new LogRingReader(memory)
  const refuse = (): never => {
    throw new Error('no')
  }
  assert.throws(() => reader.drain({ query: refuse, text: refuse }), /no/)
  const lines: string[] = []
  reader.drain({ query: refuse, text: (_kind, text) => lines.push(text) })
  assert.deepEqual(lines, ['two'])
})

test('a damaged ring is given up, and goes on empty', () => {
  for (const length of [0, 4, 2048]) {
    const memory = createLogRing(4096)
    const writer = new LogRingWriter(memory)
    writer.pushText(0, 'one')
    writer.pushText(0, 'two')
    const cells = new Int32Array(memory, 256)
    cells[0] = (cells[0] & ~0xff_ffff) | length
    const reader = new LogRingReader(memory)
    const lines: string[] = []
    const visitor = { query: () => assert.fail('no query'), text: (_kind: number, text: string) => lines.push(text) }
    assert.throws(() => reader.drain(visitor), LogRingError)
    assert.equal(reader.drain(visitor), 0)
    writer.pushText(0, 'three')
    reader.drain(visitor)
    assert.deepEqual(lines, ['three'])
  }
})

test('a reader that sleeps is woken', { timeout: 10_000 }, async () => {
  const memory = createLogRing(4096)
  const writer = new LogRingWriter(memory)
  const reader = new LogRingReader(memory)
  let isAwake = false
  const filled = reader.filled().then(() => {
    isAwake = true
  })
  await new Promise((resolve) => setTimeout(resolve, 20))
  assert.equal(isAwake, false)
  writer.pushText(0, 'up')
  const alive = setInterval(() => {}, 100)
  await filled
  await reader.filled() // not empty: at once
  reader.drain({ query() {}, text() {} })
  const again = reader.filled()
  reader.wake()
  await again
  clearInterval(alive)
})

test('two threads: nothing is torn, nothing is lost without being counted', { timeout: 30_000 }, async () => {
  const memory = createLogRing(1 << 14)
  const count = Number(process.env.PEREGRINE_FUZZ_ROUNDS ?? 50_000)
  const worker = new Worker(new URL('./log-ring-writer.ts', import.meta.url), { workerData: { memory, count } })
  const done = once(worker, 'message')
  const reader = new LogRingReader(memory)
  let read = 0
  let last = -1
  let isDone = false
  done.then(() => {
    isDone = true
  })
  const visitor = {
    query(entry: ReadLogEntry): void {
      const i = entry.seconds
      assert.ok(i > last)
      last = i
      assert.equal(entry.size, i & 0xffff)
      assert.equal(entry.questionLength, 5 + (i % 250))
      for (let at = 0; at < entry.questionLength; at++) assert.equal(entry.question[at], i & 0xff)
      assert.equal(entry.client[3], i & 0xff)
      read++
    },
    text: () => assert.fail('no text was written'),
  }
  for (;;) {
    const isLast = isDone
    if (reader.drain(visitor) === 0 && isLast) break
    await new Promise((resolve) => setImmediate(resolve))
  }
  const [pushed] = await done
  assert.equal(read, pushed)
  assert.equal(read + reader.dropped, count)
  assert.ok(read > 0)
})

test('classes', () => {
  const cases: [rcode: number, answers: number, expected: number][] = [
    [0, 1, LOG_SUCCESS],
    [0, 0, LOG_DENIAL],
    [3, 0, LOG_DENIAL],
    [3, 1, LOG_DENIAL],
    [2, 0, LOG_ERROR],
    [5, 0, LOG_ERROR],
  ]
  for (const [rcode, answers, expected] of cases) assert.equal(logClass(rcode, answers), expected)
})
