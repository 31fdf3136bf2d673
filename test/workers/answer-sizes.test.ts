// What does not fit (cluster-dns reference §4.4): whole records from the front, TC if any is left out, OPT always; and what
// is written beyond the reach of compression pointers.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FLAG, type Response, recordText } from '../server/wire.ts'
import { full, TestEngine } from './answer-engine.ts'

const COUNTS = [1, 2, 28, 29, 30, 31, 75, 76, 100, 255, 256, 300, 450, 500, 1000, 5000]
const SIZES = [512, 1232, 4096]
const STREAM_MAX = 65_535
// Hostnames of many lengths, so that records have too.
const hostname = (i: number): string => `h${i}-${'x'.repeat(i % 50)}`

function slices(count: number, name: string, hasHostnames: boolean): string {
  const endpoints = (start: number): string =>
    Array.from({ length: Math.min(1000, count - start) }, (_, k) => {
      const i = start + k
      const address = i % 3 === 2 ? `"fd00::${(i + 1).toString(16)}"` : `10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`
      return `{a: [${address}]${hasHostnames ? `, hostname: ${hostname(i)}` : ''}}`
    }).join(', ')
  return Array.from(
    { length: Math.ceil(count / 1000) },
    (_, i) => `  db/${name}-${i}: {for: ${name}, ports: [sql:5432/TCP], endpoints: [${endpoints(i * 1000)}]}`,
  ).join('\n')
}

const CLUSTER = `
namespaces: [db]
services:
${COUNTS.map((count) => `  db/s${count}: {clusterIPs: None}\n  db/n${count}: {clusterIPs: None}`).join('\n')}
  db/pg: {clusterIPs: None}
slices:
${COUNTS.map((count) => `${slices(count, `s${count}`, false)}\n${slices(count, `n${count}`, true)}`).join('\n')}
  db/pg-1: {for: pg, endpoints: [${Array.from({ length: 100 }, (_, i) => `{a: [10.1.0.${i}]}`).join(', ')}]}
`
const engines = new Map(SIZES.map((bufsize) => [bufsize, new TestEngine(CLUSTER, { bufsize })]))

/** Octets of a name that is written out. */
function wireLength(name: string): number {
  return name.length + 2
}

/** Octets that each record of the whole answer would take where it would stand, for a message that has no end. */
function expectedLengths(count: number, name: string, type: string): { answer: number[]; additional: number[] } {
  const indexes = Array.from({ length: count }, (_, i) => i)
  const isFour = (i: number): boolean => i % 3 !== 2
  if (type === 'A') return { answer: indexes.filter(isFour).map(() => 16), additional: [] }
  if (type === 'AAAA') return { answer: indexes.filter((i) => !isFour(i)).map(() => 28), additional: [] }
  const target = (i: number): number => wireLength(`${hostname(i)}.${full(`${name}.db~`)}`)
  let at = 12 + wireLength(full(`${name}.db~`)) + 4
  const targetOffsets: number[] = []
  const answer = indexes.map((i) => {
    targetOffsets.push(at + 18)
    at += 18 + target(i)
    return 18 + target(i)
  })
  // A pointer has 14 bits: further on the owner is written out.
  const additional = indexes.map((i) => (targetOffsets[i] < 0x4000 ? 2 : target(i)) + 10 + (isFour(i) ? 4 : 16))
  return { answer, additional }
}

function check(response: Response, limit: number, count: number, name: string, type: string): void {
  const { answer, additional } = expectedLengths(count, name, type)
  let room = limit - 12 - wireLength(full(`${name}.db~`)) - 4 - (response.opt === undefined ? 0 : 11)
  let fits = 0
  const all = [...answer, ...additional]
  while (fits < all.length && all[fits] <= room) room -= all[fits++]
  const text = `${name} ${type} ${limit}`
  const actual = [...response.answer, ...response.additional]
  assert.equal(response.answer.length, Math.min(fits, answer.length), `${text}: answers`)
  assert.equal(response.additional.length, Math.max(0, fits - answer.length), `${text}: additional records`)
  assert.deepEqual(
    actual.map((record) => record.length),
    all.slice(0, fits),
    text,
  )
  assert.equal((response.flags & FLAG.TC) !== 0, fits < all.length, `${text}: TC`)
  assert.ok(response.octets.length <= limit, text)
  assert.equal(response.rcode, 'NOERROR')
  assert.equal(new Set(actual.map(recordText)).size, actual.length, 'no record twice')
}

for (const type of ['A', 'AAAA', 'SRV']) {
  test(`${type}: over UDP and on a stream`, () => {
    for (const count of COUNTS) {
      const name = type === 'SRV' ? `n${count}` : `s${count}`
      if (type === 'AAAA' && count < 3) continue
      const qname = full(`${name}.db~`)
      for (const [bufsize, engine] of engines) {
        check(engine.ask({ name: qname, type }), 512, count, name, type)
        for (const size of [0, 512, 513, 700, 1231, 1232, 1233, 4096, 65535]) {
          const limit = Math.min(bufsize, Math.max(512, size))
          check(engine.ask({ name: qname, type, edns: { size } }), limit, count, name, type)
        }
      }
      const engine = engines.get(1232)!
      check(engine.ask({ name: qname, type }, true), STREAM_MAX, count, name, type)
      check(engine.ask({ name: qname, type, edns: { size: 512 } }, true), STREAM_MAX, count, name, type)
    }
  })
}

test('every limit from 512 to 4096', () => {
  const engine = engines.get(4096)!
  // 30 targets: the answers fit from some limit on, their addresses from a higher one. 76: not even the answers.
  for (const count of [30, 76]) {
    for (let size = 512; size <= 4096; size++) {
      const name = `n${count}`
      check(engine.ask({ name: full(`${name}.db~`), type: 'SRV', edns: { size } }), size, count, name, 'SRV')
    }
  }
})

test('29 of 100 addresses at 512 octets for pg.db~, all of them on a stream', () => {
  const engine = engines.get(1232)!
  const response = engine.ask({ name: full('pg.db~'), type: 'A' })
  assert.equal(response.answer.length, 29)
  assert.ok((response.flags & FLAG.TC) !== 0)
  const whole = engine.ask({ name: full('pg.db~'), type: 'A' }, true)
  assert.equal(whole.answer.length, 100)
  assert.ok((whole.flags & FLAG.TC) === 0)
})

test('SRV on a stream: each target has its address, also beyond offset 16383', () => {
  const response = engines.get(1232)!.ask({ name: full('n300.db~'), type: 'SRV' }, true)
  assert.ok(response.octets.length > 2 * 16_384)
  assert.equal(response.answer.length, 300)
  const addresses = new Map(response.additional.map((record) => [record.owner, record.data]))
  response.answer.forEach((record, i) => {
    const target = record.data.split(' ')[3]
    assert.equal(target, `${hostname(i)}.${full('n300.db~')}.`)
    assert.equal(addresses.get(target), i % 3 === 2 ? `fd00::${(i + 1).toString(16)}` : `10.0.${i >> 8}.${i & 255}`)
  })
})
