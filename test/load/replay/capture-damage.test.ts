// Captures cut short, changed and made up: never worse than less queries, and an error in one line.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { LoadInputError } from '../../../src/load/input-error.ts'
import { queryMessage } from '../../../src/load/query-table.ts'
import { stripToQuery } from '../../../src/load/replay/headers.ts'
import { RecordStream } from '../../../src/load/replay/record-stream.ts'
import { ReplayQueries } from '../../../src/load/replay/replay-queries.ts'
import { messagesOf, readOf } from './capture-files.ts'
import {
  authentication,
  dnsQuery,
  ethernet,
  extension,
  ipv4,
  ipv6,
  LINKS,
  PcapngWriter,
  pcap,
  queryPacket,
  TIME,
  udp,
} from './capture-writer.ts'

/** Small captures with something of everything. */
const CAPTURES: readonly [name: string, octets: Buffer][] = [
  ['pcap', pcap(['a.', 'bb.', 'ccc.'].map((qname, i) => ({ timeNs: TIME + BigInt(i), octets: queryPacket(qname) })))],
  ['pcapng', mixed()],
]

function mixed(): Buffer {
  const writer = new PcapngWriter().section(true)
  writer.interface(101, [
    [2, Buffer.from('eth0')],
    [9, Buffer.of(9)],
    [14, writer.wide(5n)],
  ])
  writer.interface(1).enhanced(0, 1n, queryPacket('a.')).block(99, Buffer.alloc(20))
  writer.enhanced(
    1,
    2n,
    ethernet(ipv6(extension(51, authentication(17, udp(dnsQuery('bb.')))), { next: 0 }), 0x86dd, [0x8100]),
  )
  writer.section(false).interface(113).interface(276).interface(0)
  for (const { type, wrap } of LINKS) {
    const index = [113, 276, 0].indexOf(type)
    if (index >= 0) writer.obsolete(index, 3n, wrap(queryPacket(`${index}.`), 4))
  }
  return writer
    .simple(LINKS[5].wrap(queryPacket('d.'), 4))
    .block(4, Buffer.alloc(8))
    .octets()
}

/** What a stream of records comes to, of octets in pieces of some length. */
function readInPieces(
  octets: Buffer,
  pieceLength: number,
): { messages: string[]; damage: string; format: string | null } {
  const queries = new ReplayQueries()
  const records = new RecordStream((packet) => {
    if (stripToQuery(packet) === 'query') queries.add(packet)
    return true
  })
  for (let at = 0; at < octets.length; at += pieceLength) {
    // A copy, overwritten after use: nothing may hold on to a piece.
    const piece = Uint8Array.from(octets.subarray(at, at + pieceLength))
    const wantsMore = records.push(piece)
    piece.fill(0xdd)
    if (!wantsMore) break
  }
  records.end()
  const table = queries.count === 0 ? null : queries.build()
  const messages = Array.from({ length: queries.count }, (_, i) =>
    table === null ? '' : Buffer.from(queryMessage(table, i)).toString('hex'),
  )
  return { messages, damage: records.damage, format: records.format }
}

for (const [name, octets] of CAPTURES) {
  test(`${name}: each beginning of it gives what is whole, or is refused`, async () => {
    const whole = await readOf(octets)
    assert.deepEqual(
      whole.remarks.filter((remark) => remark.startsWith('Only')),
      [],
    )
    const messages = new Set(messagesOf(whole))
    let counts = 0
    for (let length = 0; length < octets.length; length++) {
      try {
        const capture = await readOf(octets.subarray(0, length))
        assert.ok(capture.table.count >= counts && capture.table.count <= whole.table.count)
        assert.ok(messagesOf(capture).every((message) => messages.has(message)))
        counts = capture.table.count
        assert.ok(capture.remarks.length <= 3)
      } catch (error) {
        assert.ok(error instanceof LoadInputError, String(error))
        assert.equal(counts, 0)
      }
    }
    assert.equal(counts, whole.table.count - (name === 'pcap' ? 1 : 0))
  })

  test(`${name}: where it is cut into pieces makes no difference`, () => {
    const expected = readInPieces(octets, octets.length)
    assert.ok(expected.messages.length >= 3)
    assert.equal(expected.damage, '')
    for (let length = 1; length < octets.length; length++) assert.deepEqual(readInPieces(octets, length), expected)
  })

  test(`${name}: octets changed at random never do worse than less queries`, () => {
    const anyChange = fc.tuple(
      fc.nat(octets.length - 1),
      fc.oneof(fc.integer({ min: 0, max: 255 }), fc.constantFrom(0, 255)),
    )
    fc.assert(
      fc.property(
        fc.array(anyChange, { minLength: 1, maxLength: 8 }),
        fc.integer({ min: 1, max: 200 }),
        (changes, length) => {
          const changed = Buffer.from(octets)
          for (const [at, octet] of changes) changed[at] = octet
          const { messages, damage, format } = readInPieces(changed, length)
          assert.ok(messages.length <= 100)
          assert.equal(typeof damage, 'string')
          assert.ok(format === null || format === 'pcap' || format === 'pcapng')
          // The memory beyond what has come must not matter.
          assert.deepEqual(readInPieces(changed, changed.length).messages, messages)
        },
      ),
      { numRuns: 2_000 },
    )
  })
}

const anyTail = fc.oneof(fc.uint8Array({ maxLength: 12 }), fc.uint8Array({ maxLength: 80 }))

const anyMagic = fc.constantFrom(
  'd4c3b2a1',
  'a1b2c3d4',
  '4d3cb2a1',
  'a1b23c4d',
  '0a0d0d0a1c0000004d3c2b1a',
  '0a0d0d0a0000001c1a2b3c4d',
)

test('random octets behind a magic are refused, or read', () => {
  fc.assert(
    fc.property(anyMagic, fc.uint8Array({ maxLength: 300 }), fc.integer({ min: 1, max: 50 }), (magic, tail, length) => {
      const octets = Buffer.concat([Buffer.from(magic, 'hex'), tail])
      assert.deepEqual(readInPieces(octets, length), readInPieces(octets, octets.length))
    }),
    { numRuns: 2_000 },
  )
})

test('random files are refused in one line that names them', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.uint8Array({ maxLength: 100 }),
      fc.constantFrom('', '1f8b', '1f8b0800000000000003', '28b52ffd'),
      async (tail, magic) => {
        await assert.rejects(readOf(Buffer.concat([Buffer.from(magic, 'hex'), tail])), (error) => {
          assert.ok(error instanceof LoadInputError, String(error))
          assert.match(error.message, /^\/.*\.pcap: [^\n]+$/)
          return true
        })
      },
    ),
    { numRuns: 200 },
  )
})

/** What a packet comes to, and which octets of it are the message, with some octets behind it in the memory. */
function kindOf(
  octets: Buffer,
  linkType: number,
  missing: number,
  behind: number,
): [kind: string, start: number, end: number] {
  let found: [string, number, number] = ['none', 0, 0]
  const records = new RecordStream((packet) => {
    const { start, end } = packet
    found = [stripToQuery(packet), packet.start - start, packet.end - start]
    assert.ok(start <= packet.start && packet.start <= packet.end && packet.end <= end)
    return false
  })
  const capture = pcap([{ timeNs: TIME, octets, originalLength: octets.length + missing }], { linkType })
  records.push(Buffer.concat([capture, Buffer.alloc(64, behind)]))
  return found
}

test('random packets of each link are counted by some reason, and nothing behind them matters', () => {
  const anyLink = fc.constantFrom(...LINKS.map(({ type }) => type), 105)
  const ip4 = ['45000000', '4f000000'].map((start) => `${start}00000000401100007f0000017f000001`)
  const ip6 = ['00', '2c', '33', '3c'].map((next) => `600000000000${next}40${'fd'.repeat(32)}`)
  const starts = ['', '45000028', '60000000', ...ip4, ...ip6, `${ip4[0]}9c400035`, `${ip4[0]}9c4000350004`]
  const kinds = new Set<string>()
  fc.assert(
    fc.property(anyLink, fc.constantFrom(...starts), anyTail, fc.nat(3), (linkType, start, tail, missing) => {
      const octets = Buffer.concat([Buffer.from(start, 'hex'), tail])
      const [first, ...others] = [0, 1, 17, 255].map((behind) => kindOf(octets, linkType, missing, behind))
      for (const other of others) assert.deepEqual(other, first)
      kinds.add(first[0])
    }),
    { numRuns: 4_000 },
  )
  for (const kind of ['cut', 'malformed', 'otherProtocols', 'otherLinks', 'otherPorts'])
    assert.ok(kinds.has(kind), kind)
})

test('a large capture takes no more memory than a small one', () => {
  const packets = Array.from({ length: 700 }, () => ({
    timeNs: TIME,
    octets: ipv4(Buffer.alloc(1_400), { protocol: 6 }),
  }))
  const header = pcap([])
  const piece = pcap(packets).subarray(header.length)
  let count = 0
  const records = new RecordStream((packet) => {
    if (stripToQuery(packet) === 'tcp') count++
    return true
  })
  records.push(header)
  records.push(piece)
  const before = process.memoryUsage().arrayBuffers
  for (let i = 1; i < 200; i++) {
    records.push(piece.subarray(0, i))
    records.push(piece.subarray(i))
  }
  records.end()
  assert.equal(count, 200 * packets.length)
  assert.equal(records.damage, '')
  assert.ok(process.memoryUsage().arrayBuffers - before < 8e6)
})
