// Lines and events out of octets, however they are cut.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { MalformedEventError, WatchError } from '../../../src/kube/watch/failures.ts'
import { LineSplitter } from '../../../src/kube/watch/line-splitter.ts'
import { type EventBatch, endsInitialEvents, eventBatches, versionOf } from '../../../src/kube/watch/watch.ts'
import { eventLine, recordedBody, service } from './scripted-api.ts'

async function* bodyOf(chunks: readonly (string | Buffer)[]): AsyncGenerator<Buffer, void, void> {
  for (const chunk of chunks) yield Buffer.from(chunk)
}

async function batchesOf(chunks: readonly (string | Buffer)[]): Promise<EventBatch[]> {
  const batches: EventBatch[] = []
  for await (const batch of eventBatches(bodyOf(chunks))) batches.push(batch)
  return batches
}

test('lines do not depend on where the octets are cut', () => {
  const octets = fc
    .uint8Array({ maxLength: 40 })
    .map((bytes) => Buffer.from(bytes.map((byte) => (byte < 80 ? 10 : byte))))
  fc.assert(
    fc.property(fc.array(octets, { maxLength: 12 }), (chunks) => {
      const splitter = new LineSplitter(1000)
      const lines = chunks.flatMap((chunk) => splitter.linesOf(chunk)).map((line) => line.toString('latin1'))
      assert.deepEqual(lines, Buffer.concat(chunks).toString('latin1').split('\n').slice(0, -1))
    }),
    { numRuns: 1000 },
  )
})

test('a line that is too long is refused before it is whole', () => {
  const splitter = new LineSplitter(10)
  assert.deepEqual(splitter.linesOf(Buffer.from('1234567890\n12345')).map(String), ['1234567890'])
  assert.throws(() => splitter.linesOf(Buffer.from('678901')), RangeError)
})

test('an object of 10 MB in small chunks is one event', async () => {
  const line = Buffer.from(eventLine('ADDED', { ...service('large', 7), data: 'x'.repeat(10 << 20) }))
  const chunks: Buffer[] = []
  for (let from = 0; from < line.length; from += 16_384) chunks.push(line.subarray(from, from + 16_384))
  const events = (await batchesOf(chunks)).flatMap(({ events }) => events)
  assert.equal(events.length, 1)
  assert.equal(versionOf(events[0]!, ''), '7')
})

test('text beyond ASCII may be cut anywhere', async () => {
  const line = Buffer.from(eventLine('ADDED', { metadata: { name: 'Straße-日本-🦅' } }))
  for (let cut = 1; cut < line.length; cut++) {
    const [batch] = (await batchesOf([line.subarray(0, cut), line.subarray(cut)])).filter(
      ({ events }) => events.length > 0,
    )
    assert.deepEqual(batch!.events[0]!.object.metadata, { name: 'Straße-日本-🦅' })
  }
})

test('recorded watches', async () => {
  const cases: [name: string, types: string[], versions: string[]][] = [
    ['06-watch-services', ['ADDED', 'MODIFIED', 'MODIFIED', 'DELETED'], ['286', '287', '288', '292']],
    ['07-watch-slices-timeout', ['ADDED', 'MODIFIED', 'DELETED', 'BOOKMARK'], ['289', '290', '291', '291']],
  ]
  for (const [name, types, versions] of cases) {
    const [batch, ...more] = await batchesOf([recordedBody(name)])
    assert.deepEqual(more, [])
    assert.equal(batch!.error, null)
    assert.deepEqual(
      batch!.events.map(({ type }) => type),
      types,
    )
    assert.deepEqual(
      batch!.events.map((event) => versionOf(event, '')),
      versions,
    )
    assert.ok(!batch!.events.some(endsInitialEvents))
  }
  const [batch] = await batchesOf([recordedBody('08-watch-too-old')])
  assert.deepEqual(batch!.events, [])
  assert.ok(batch!.error instanceof WatchError)
  assert.equal(batch!.error.expired, true)
  assert.equal(batch!.error.message, 'too old resource version: 1 (385)')
})

const good = eventLine('ADDED', service('web', 7))

const bad: [why: string, line: string][] = [
  ['no JSON', '{"type":"ADDED","object":{"kind"'],
  ['nothing', 'null'],
  ['a list', '[]'],
  ['no object', '{"type":"ADDED"}'],
  ['an object that is none', '{"type":"ADDED","object":"web"}'],
  ['an unknown type', '{"type":"RENAMED","object":{}}'],
  ['no type', '{"object":{}}'],
  ['two documents', `${good.trim()}${good.trim()}`],
]

for (const [why, line] of bad) {
  test(`no event: ${why}; those before it count, those after it come again`, async () => {
    const [batch, ...more] = await batchesOf([`${good}${line}\n${good}`, good])
    assert.deepEqual(more, [])
    assert.equal(batch!.events.length, 1)
    assert.ok(batch!.error instanceof MalformedEventError)
  })
}

test('empty lines, and a last line that lacks its end', async () => {
  const batches = await batchesOf([`\n${good}\n`, good.slice(0, -1)])
  assert.equal(batches.flatMap(({ events }) => events).length, 1)
  assert.ok(batches.every(({ error }) => error === null))
})

test('an ERROR says what it can', () => {
  const full = { code: 429, reason: 'TooManyRequests', message: 'later', details: { retryAfterSeconds: 3 } }
  const cases: [object: Record<string, unknown>, expected: Partial<WatchError>][] = [
    [full, { status: 429, reason: 'TooManyRequests', message: 'later', retryAfterMs: 3000, expired: false }],
    [{ code: 410 }, { status: 410, retryAfterMs: 0, expired: true }],
    [{ reason: 'Gone' }, { status: 0, expired: true }],
    [{ reason: 'Expired', details: null }, { expired: true }],
    [{}, { status: 0, reason: '', retryAfterMs: 0, expired: false }],
  ]
  for (const [object, expected] of cases) {
    const error = new WatchError(object)
    for (const [field, value] of Object.entries(expected)) assert.equal(error[field as keyof WatchError], value, field)
    assert.notEqual(error.message, '')
  }
})

test('the arrival is that of the chunk that completes an event', async () => {
  const before = performance.timeOrigin + performance.now()
  const [first, second] = await batchesOf([good.slice(0, 9), good.slice(9)])
  const after = performance.timeOrigin + performance.now()
  assert.equal(first!.events.length, 0)
  assert.ok(before <= first!.arrivedMs && first!.arrivedMs <= second!.arrivedMs && second!.arrivedMs <= after)
})
