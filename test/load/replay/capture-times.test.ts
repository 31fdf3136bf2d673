// Times of packets: from their units in the file to milliseconds in the table.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { queryMessage } from '../../../src/load/query-table.ts'
import { messagesOf, readOf, timesOf } from './capture-files.ts'
import {
  type CapturedPacket,
  dnsQuery,
  ipv4,
  ipv6,
  LINKS,
  PcapngWriter,
  pcap,
  queryPacket,
  udp,
} from './capture-writer.ts'

const SECOND = 1_000_000_000n
const TIME = 1_700_000_000n * SECOND + 123_456_789n
const OCTETS = queryPacket('a.example.')

/** Nanoseconds after TIME, in the order of the file -> milliseconds in the table, of microseconds and of nanoseconds. */
const ORDERS: readonly [nanos: bigint[], micros: number[], exact: number[]][] = [
  [[0n], [0], [0]],
  [
    [0n, 1n, 999n, 1_000n],
    [0, 0, 0.001, 0.001],
    [0, 0.000001, 0.000999, 0.001],
  ],
  [
    [0n, SECOND, 2n * SECOND],
    [0, 1000, 2000],
    [0, 1000, 2000],
  ],
  [
    [5_000n, 0n, 9_000n, 7_000n],
    [0, 0.005, 0.007, 0.009],
    [0, 0.005, 0.007, 0.009],
  ], // put in order
  [
    [0n, 86_400n * 365n * SECOND],
    [0, 31_536_000_000],
    [0, 31_536_000_000],
  ],
]

for (const [offsets, micros, exact] of ORDERS) {
  const packets = offsets.map((offset) => ({ timeNs: TIME + offset, octets: OCTETS }))
  for (const isLittle of [true, false]) {
    test(`times of pcap, ${offsets.join(' ')} ns, ${isLittle ? 'little' : 'big'}-endian`, async () => {
      assert.deepEqual(timesOf(await readOf(pcap(packets, { isLittle }))), micros)
      assert.deepEqual(timesOf(await readOf(pcap(packets, { isLittle, isNanos: true }))), exact)
    })
  }
}

test('seconds of pcap are unsigned', async () => {
  const packets = [0x7fffffffn, 0x80000000n, 0xffffffffn].map((seconds) => ({
    timeNs: seconds * SECOND,
    octets: OCTETS,
  }))
  assert.deepEqual(timesOf(await readOf(pcap(packets))), [0, 1000, 2_147_483_648_000])
})

/** if_tsresol, null without; the units of two packets; milliseconds between them. */
const RESOLUTIONS: readonly [resolution: number | null, first: bigint, second: bigint, ms: number][] = [
  [null, 1_000_000n, 1_000_001n, 0.001],
  [6, 1_000_000n, 1_000_001n, 0.001],
  [0, 7n, 8n, 1000],
  [3, 1_700_000_000_000n, 1_700_000_000_250n, 250],
  [9, TIME, TIME + 1n, 0.000001],
  [9, 0x1_ffff_ffffn, 0x2_0000_0000n, 0.000001], // carried from the lower word to the upper one
  [12, 1_700_000_000_000_000_000_0n, 1_700_000_000_000_000_500_0n, 0.000005],
  [0x80, 7n, 8n, 1000],
  [0x8a, 1024n, 1025n, 0.976562],
  [0xa0, 0n, 1n << 31n, 500], // the fraction of NTP
  [127, 0n, 1n << 60n, 0],
  [0xff, 0n, 1n << 60n, 0],
]

for (const [resolution, first, second, ms] of RESOLUTIONS) {
  test(`times of pcapng with if_tsresol ${resolution}`, async () => {
    for (const isLittle of [true, false]) {
      const options = resolution === null ? [] : [[9, Buffer.of(resolution)] as const]
      const writer = new PcapngWriter().section(isLittle).interface(101, options)
      assert.deepEqual(timesOf(await readOf(writer.enhanced(0, first, OCTETS).enhanced(0, second, OCTETS).octets())), [
        0,
        ms,
      ])
    }
  })
}

test('if_tsoffset adds seconds, also less than none; each interface has its own clock', async () => {
  for (const isLittle of [true, false]) {
    const writer = new PcapngWriter().section(isLittle)
    const late = writer.wide(1_700_000_000n)
    const early = writer.wide(-10n)
    writer.interface(101, [
      [0, Buffer.alloc(0)],
      [14, late], // behind the end of the options
    ])
    writer.interface(101, [[14, late]])
    writer.interface(101, [
      [14, early],
      [9, Buffer.of(9)],
    ])
    writer.enhanced(0, 1_700_000_000_000_000n, OCTETS) // +0 s
    writer.enhanced(1, 1_500_000n, OCTETS) // +1.5 s
    writer.obsolete(2, 1_700_000_012n * SECOND, OCTETS) // +2 s
    const capture = await readOf(writer.octets())
    assert.deepEqual(timesOf(capture), [0, 1500, 2000])
    assert.deepEqual(capture.remarks, [])
  }
})

test('simple packets have the time of the query before, and the first ones that of the first query with one', async () => {
  const query = (qname: string): Buffer => ipv4(udp(dnsQuery(qname)))
  const writer = new PcapngWriter().section(true).interface(101)
  writer.simple(query('a.')).simple(query('b.'))
  writer.enhanced(0, 1_000_000n, query('c.')).simple(query('d.'))
  writer.enhanced(0, 999_000n, query('e.')).simple(query('f.'))
  const capture = await readOf(writer.octets())
  assert.deepEqual(
    messagesOf(capture),
    ['e.', 'f.', 'a.', 'b.', 'c.', 'd.'].map((qname) => dnsQuery(qname).toString('hex')),
  )
  assert.deepEqual(timesOf(capture), [0, 0, 1, 1, 1, 1])
  assert.deepEqual(capture.remarks, [
    'Put in order: 1 query behind later ones.',
    'Without a time, sent with the query before: 4 queries.',
  ])
})

test('a capture without any time has none', async () => {
  const capture = await readOf(new PcapngWriter().section(true).interface(101).simple(OCTETS).simple(OCTETS).octets())
  assert.equal(timesOf(capture), null)
  assert.equal(capture.seconds, 0)
  assert.deepEqual(capture.remarks, ['The capture has no times: it cannot be replayed, only sent at a rate.'])
})

const anyQname = fc
  .array(fc.string({ unit: fc.constantFrom(...'abcXYZ019-_'), minLength: 1, maxLength: 63 }), { maxLength: 3 })
  .map((labels) => `${labels.join('.')}.`)

/** What is put into a file: a query, or something else. Times are few, so that some are the same. */
const anyPacket = fc.record({
  qname: anyQname,
  qtype: fc.constantFrom(1, 28, 33, 12, 65),
  isV6: fc.boolean(),
  kind: fc.constantFrom('query', 'query', 'query', 'answer', 'port', 'tcp'),
  offset: fc.oneof(fc.bigInt(0n, 5n), fc.bigInt(0n, 3_600n * SECOND)),
})
/** Each with an ID of its own: with the same one they would be copies (copies.test.ts). */
const anyPackets = fc
  .array(anyPacket, { minLength: 1, maxLength: 30 })
  .map((packets) => packets.map((packet, id) => ({ ...packet, id })))
type AnyPacket = (typeof anyPackets extends fc.Arbitrary<infer Kind> ? Kind : never)[number]

function ipOf({ qname, qtype, isV6, kind, id }: AnyPacket): Buffer {
  const message = dnsQuery(qname, qtype, kind === 'answer' ? 0x8180 : 0x0100, 1, id)
  const payload = kind === 'tcp' ? Buffer.alloc(20) : udp(message, { to: kind === 'port' ? 54 : 53 })
  if (isV6) return ipv6(payload, { next: kind === 'tcp' ? 6 : 17 })
  return ipv4(payload, { protocol: kind === 'tcp' ? 6 : 17 })
}

/** The obvious way: all queries, sorted by time, from the first one on. */
function expectedOf(packets: readonly AnyPacket[], unit: bigint): [message: string, ms: number][] {
  const queries = packets
    .filter(({ kind }) => kind === 'query')
    .map(({ qname, qtype, offset, id }) => ({
      message: dnsQuery(qname, qtype, 0x0100, 1, id).toString('hex'),
      time: (TIME + offset) / unit,
    }))
    .sort((a, b) => Number(a.time - b.time))
  return queries.map(({ message, time }) => [message, Number((time - queries[0].time) * unit) / 1e6])
}

const anyFile = fc.record({
  packets: anyPackets,
  link: fc.constantFrom(...LINKS.filter(({ type }) => type !== 228 && type !== 229)),
  isLittle: fc.boolean(),
  isNanos: fc.boolean(),
  format: fc.constantFrom('pcap', 'pcapng'),
  /** Where pcapng begins another section. */
  sectionEvery: fc.integer({ min: 1, max: 30 }),
})
type AnyFile = typeof anyFile extends fc.Arbitrary<infer Kind> ? Kind : never

function fileOf({ packets, link, isLittle, isNanos, format, sectionEvery }: AnyFile): Buffer {
  const captured: CapturedPacket[] = packets.map((packet) => ({
    timeNs: TIME + packet.offset,
    octets: link.wrap(ipOf(packet), packet.isV6 ? 6 : 4),
  }))
  if (format === 'pcap') return pcap(captured, { isLittle, isNanos, linkType: link.type })
  const writer = new PcapngWriter()
  captured.forEach(({ timeNs, octets }, i) => {
    if (i % sectionEvery === 0) {
      writer.section(isLittle === (i % 2 === 0)).interface(link.type, isNanos ? [[9, Buffer.of(9)]] : [])
    }
    writer[i % 3 === 0 ? 'obsolete' : 'enhanced'](0, (timeNs ?? 0n) / (isNanos ? 1n : 1000n), octets)
  })
  return writer.octets()
}

test('what is written is read: the same queries, in order of time', async () => {
  await fc.assert(
    fc.asyncProperty(anyFile, async (file) => {
      const expected = expectedOf(file.packets, file.isNanos ? 1n : 1000n)
      const octets = fileOf(file)
      if (expected.length === 0) return void (await assert.rejects(readOf(octets), { code: 'BAD_LOAD_INPUT' }))
      const capture = await readOf(octets)
      const { table } = capture
      assert.equal(capture.packets, file.packets.length)
      assert.ok([...table.flags].every((flag) => flag === 0))
      assert.equal(table.flags.length, table.count)
      const found = Array.from({ length: table.count }, (_, i) => [
        Buffer.from(queryMessage(table, i)).toString('hex'),
        table.times?.[i],
      ])
      assert.deepEqual(found, expected)
    }),
    { numRuns: 300 },
  )
})
