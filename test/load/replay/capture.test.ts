// Captures as they should be, and what is in them: links, packets and why they are skipped, blocks, the words for people.

import assert from 'node:assert/strict'
import { tmpdir } from 'node:os'
import { test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { LoadInputError } from '../../../src/load/input-error.ts'
import { QUERY_LENGTH_MAX, QUERY_LENGTH_MIN } from '../../../src/load/query-table.ts'
import { readCapture, type SkipReason } from '../../../src/load/replay/capture.ts'
import { messagesOf, newPath, readOf, skippedOf, timesOf, written } from './capture-files.ts'
import {
  authentication,
  dnsQuery,
  dnsQueryOf,
  ethernet,
  extension,
  fragment6,
  ipv4,
  ipv6,
  LINKS,
  PcapngWriter,
  pcap,
  queryPacket,
  TIME,
  udp,
} from './capture-writer.ts'

const QUERY = dnsQuery('web.shop.svc.cluster.local.')
const SECOND = 1_000_000_000n

for (const isLittle of [true, false]) {
  const order = isLittle ? 'little-endian' : 'big-endian'
  for (const { name, type, wrap } of LINKS) {
    test(`${name}: IPv4 and IPv6, pcap and pcapng, ${order}`, async () => {
      const versions = type === 228 ? [4 as const] : type === 229 ? [6 as const] : [4 as const, 6 as const]
      const frames = versions.map((version) => wrap((version === 4 ? ipv4 : ipv6)(udp(QUERY)), version))
      const packets = frames.map((octets, i) => ({ timeNs: TIME + BigInt(i) * SECOND, octets }))
      const writer = new PcapngWriter().section(isLittle).interface(type)
      for (const { timeNs, octets } of packets) writer.enhanced(0, timeNs / 1000n, octets)
      for (const octets of [pcap(packets, { isLittle, linkType: type }), writer.octets()]) {
        const capture = await readOf(octets)
        assert.deepEqual(
          messagesOf(capture),
          versions.map(() => QUERY.toString('hex')),
        )
        assert.deepEqual(skippedOf(capture), {})
        assert.deepEqual(capture.remarks, [])
      }
    })
  }
}

/** Raw IP, and what becomes of it. */
const PACKETS: readonly [name: string, octets: Buffer, kind: 'query' | SkipReason, originalLength?: number][] = [
  ['a query', queryPacket(), 'query'],
  ['of the root', ipv4(udp(dnsQuery('.'))), 'query'],
  ['in upper case, type ANY', ipv4(udp(dnsQuery('WEB.example.', 255))), 'query'],
  ['from port 53 to port 53', ipv4(udp(QUERY, { from: 53 })), 'query'],
  ['IPv4 with options', ipv4(udp(QUERY), { options: 10 }), 'query'],
  ['IPv4 that may be fragmented', ipv4(udp(QUERY), { fragment: 0 }), 'query'],
  ['IPv4 of length 0, as segments are captured', ipv4(udp(QUERY), { length: 0 }), 'query'],
  ['padded behind UDP', ipv4(Buffer.concat([udp(QUERY), Buffer.alloc(6)])), 'query'],
  ['as short as can be', ipv4(udp(dnsQueryOf(QUERY_LENGTH_MIN))), 'query'],
  ['as long as can be', ipv4(udp(dnsQueryOf(QUERY_LENGTH_MAX))), 'query'],
  ['cut, but only of padding', queryPacket(), 'query', 100],
  ['IPv6', ipv6(udp(QUERY)), 'query'],
  ['IPv6, hop-by-hop options', ipv6(extension(17, udp(QUERY)), { next: 0 }), 'query'],
  ['IPv6, two extensions', ipv6(extension(60, extension(17, udp(QUERY), 2), 1), { next: 43 }), 'query'],
  ['IPv6, authentication header', ipv6(authentication(17, udp(QUERY)), { next: 51 }), 'query'],
  ['IPv6, atomic fragment', ipv6(fragment6(17, udp(QUERY), 0), { next: 44 }), 'query'],
  ['IPv6, eight extensions', ipv6(extensions(8), { next: 60 }), 'query'],
  ['IPv6, nine extensions', ipv6(extensions(9), { next: 60 }), 'malformed'],

  ['TCP', ipv4(Buffer.alloc(20), { protocol: 6 }), 'tcp'],
  ['TCP over IPv6', ipv6(extension(6, Buffer.alloc(20)), { next: 60 }), 'tcp'],
  ['TCP, cut behind IP', ipv4(Buffer.alloc(0), { protocol: 6, length: 1500 }), 'tcp', 1500],
  ['an answer', ipv4(udp(dnsQuery('.', 1, 0x8180), { from: 53, to: 40_000 })), 'answers'],
  ['an answer to port 53', ipv4(udp(dnsQuery('.', 1, 0x8180))), 'answers'],
  ['mDNS', ipv4(udp(QUERY, { from: 5353, to: 5353 })), 'otherPorts'],
  ['UPDATE', ipv4(udp(dnsQuery('.', 6, 0x2800))), 'otherOpcodes'],
  ['NOTIFY', ipv4(udp(dnsQuery('.', 6, 0x2000))), 'otherOpcodes'],
  ['the first fragment', ipv4(udp(QUERY), { fragment: 0x2000 }), 'fragments'],
  ['a later fragment', ipv4(udp(QUERY), { fragment: 0x0010 }), 'fragments'],
  ['the first fragment of IPv6', ipv6(fragment6(17, udp(QUERY), 1), { next: 44 }), 'fragments'],
  ['a later fragment of IPv6', ipv6(fragment6(17, udp(QUERY), 8), { next: 44 }), 'fragments'],
  ['cut in the message', ipv4(udp(QUERY)).subarray(0, 50), 'cut', 28 + QUERY.length],
  ['cut in the header of the message', ipv4(udp(QUERY)).subarray(0, 30), 'cut', 28 + QUERY.length],
  ['cut in UDP', ipv4(udp(QUERY)).subarray(0, 24), 'cut', 28 + QUERY.length],
  ['cut in IPv4', ipv4(udp(QUERY)).subarray(0, 10), 'cut', 28 + QUERY.length],
  ['cut in the options of IPv4', ipv4(udp(QUERY), { options: 5 }).subarray(0, 30), 'cut', 48 + QUERY.length],
  ['cut in IPv6', ipv6(udp(QUERY)).subarray(0, 39), 'cut', 48 + QUERY.length],
  ['cut in an extension', ipv6(extension(17, udp(QUERY), 3), { next: 0 }).subarray(0, 60), 'cut', 80 + QUERY.length],
  ['cut before an extension', ipv6(extension(17, udp(QUERY)), { next: 0 }).subarray(0, 44), 'cut', 56 + QUERY.length],
  ['cut to nothing', Buffer.alloc(0), 'cut', 28 + QUERY.length],
  ['a long one', ipv4(udp(dnsQueryOf(QUERY_LENGTH_MAX + 1))), 'tooLong'],
  ['no octets', Buffer.alloc(0), 'malformed'],
  ['IP version 5', Buffer.from(queryPacket()).fill(0x55, 0, 1), 'malformed'],
  ['IPv4 shorter than it says', queryPacket().subarray(0, 50), 'malformed'],
  ['IPv4 header of 16 octets', Buffer.from(queryPacket()).fill(0x44, 0, 1), 'malformed'],
  ['IPv4 length less than its header', ipv4(udp(QUERY), { length: 19 }), 'malformed'],
  ['IPv4 options behind the end', ipv4(Buffer.alloc(0), { options: 10, length: 60 }).subarray(0, 20), 'malformed'],
  ['IPv6 shorter than it says', ipv6(udp(QUERY), { length: 500 }), 'malformed'],
  [
    'UDP longer than IPv4',
    Buffer.concat([ipv4(udp(QUERY, { length: 14 + QUERY.length })), Buffer.alloc(6)]),
    'malformed',
  ],
  [
    'UDP longer than IPv6',
    Buffer.concat([ipv6(udp(QUERY, { length: 14 + QUERY.length })), Buffer.alloc(6)]),
    'malformed',
  ],
  ['UDP shorter than it says', ipv4(udp(QUERY, { length: 100 })), 'malformed'],
  ['UDP length 7', ipv4(udp(QUERY, { length: 7 })), 'malformed'],
  ['UDP without a message', ipv4(udp(Buffer.alloc(0))), 'malformed'],
  ['a message of 16 octets', ipv4(udp(dnsQuery('.').subarray(0, 16))), 'malformed'],
  ['no question', ipv4(udp(dnsQuery('a.', 1, 0x0100, 0))), 'malformed'],
  ['two questions', ipv4(udp(dnsQuery('a.', 1, 0x0100, 2))), 'malformed'],
  ['a name without end', ipv4(udp(dnsQuery('aaaaaaaaa.').subarray(0, 20))), 'malformed'],
  ['a question without QCLASS', ipv4(udp(dnsQuery('aaaa.').subarray(0, -2))), 'malformed'],
  ['a name that points at itself', ipv4(udp(Buffer.from(dnsQuery('aa.')).fill('c00c', 12, 14, 'hex'))), 'malformed'],
  ['ICMP', ipv4(Buffer.alloc(8), { protocol: 1 }), 'otherProtocols'],
  ['ICMPv6', ipv6(Buffer.alloc(8), { next: 58 }), 'otherProtocols'],
  ['IPv6, no next header', ipv6(Buffer.alloc(0), { next: 59 }), 'otherProtocols'],
]

function extensions(count: number): Buffer {
  return count === 0 ? udp(QUERY) : extension(count === 1 ? 17 : 60, extensions(count - 1))
}

for (const [name, octets, kind, originalLength] of PACKETS) {
  test(`${name}: ${kind}`, async () => {
    const packets = [
      { timeNs: TIME, octets: queryPacket('first.') },
      { timeNs: TIME, octets, originalLength },
    ]
    const capture = await readOf(pcap(packets))
    assert.equal(capture.packets, 2)
    assert.deepEqual(skippedOf(capture), kind === 'query' ? {} : { [kind]: 1 })
    assert.equal(capture.table.count, kind === 'query' ? 2 : 1)
  })
}

test('every reason to skip a packet is met', () => {
  const met = new Set(PACKETS.map(([, , kind]) => kind))
  const links: SkipReason[] = ['otherLinks'] // below
  const all: SkipReason[] = [
    ...links,
    ...(['tcp', 'answers', 'otherPorts', 'otherOpcodes', 'fragments'] as const),
    ...(['cut', 'tooLong', 'malformed', 'otherProtocols'] as const),
  ]
  for (const reason of all) assert.ok(met.has(reason) || links.includes(reason), reason)
})

const FRAMES: readonly [name: string, link: number, octets: Buffer, kind: SkipReason, originalLength?: number][] = [
  ['ARP', 1, ethernet(Buffer.alloc(28), 0x0806), 'otherProtocols'],
  ['an 802.3 length', 1, ethernet(Buffer.alloc(40), 40), 'otherProtocols'],
  ['a tagged ARP', 1, ethernet(Buffer.alloc(28), 0x0806, [0x8100]), 'otherProtocols'],
  ['five tags', 1, ethernet(queryPacket(), 0x0800, [0x8100, 0x8100, 0x8100, 0x8100, 0x8100]), 'otherProtocols'],
  ['Ethernet of 13 octets', 1, Buffer.alloc(13), 'malformed'],
  ['a tag that ends early', 1, ethernet(Buffer.alloc(2), 0x8100), 'malformed'],
  ['a tag that is cut', 1, ethernet(Buffer.alloc(2), 0x8100), 'cut', 80],
  ['cut in the link', 1, Buffer.alloc(10), 'cut', 80],
  ['cut behind the link', 1, ethernet(Buffer.alloc(0), 0x0800), 'cut', 80],
  ['SLL of 15 octets', 113, Buffer.alloc(15), 'malformed'],
  ['SLL2 of 19 octets', 276, Buffer.alloc(19), 'malformed'],
  ['AppleTalk by BSD', 0, Buffer.from([16, 0, 0, 0, 1, 2]), 'otherProtocols'],
  ['a family of 3 octets', 0, Buffer.from([16, 0, 0]), 'malformed'],
  ['IEEE 802.11', 105, queryPacket(), 'otherLinks'],
]

for (const [name, link, octets, kind, originalLength = octets.length] of FRAMES) {
  test(`${name}: ${kind}`, async () => {
    const writer = new PcapngWriter().section(true).interface(101).interface(link)
    writer.enhanced(0, 1n, queryPacket()).enhanced(1, 2n, octets, originalLength)
    const capture = await readOf(writer.octets())
    assert.deepEqual(skippedOf(capture), { [kind]: 1 })
    assert.equal(capture.table.count, 1)
  })
}

test('the FCS bits of a pcap header are no part of the link type', async () => {
  const capture = await readOf(
    pcap([{ timeNs: TIME, octets: ethernet(queryPacket(), 0x0800) }], { linkType: 0x24000001 }),
  )
  assert.equal(capture.table.count, 1)
})

test('blocks of other kinds are passed over, however long; options too', async () => {
  const comment = Buffer.concat([Buffer.from([1, 0, 5, 0]), Buffer.from('hello\0\0\0'), Buffer.alloc(4)])
  const writer = new PcapngWriter()
    .section(true)
    .block(0x0bad, Buffer.alloc(20_000_000, 0x0a))
    .interface(113, [
      [2, Buffer.from('any')],
      [1, Buffer.from('a comment')],
      [0, Buffer.alloc(0)],
    ])
    .interface(101)
    .block(4, Buffer.alloc(100))
    .enhanced(1, 5_000_000n, queryPacket(), undefined, comment)
    .block(5, Buffer.alloc(0))
    .enhanced(1, 5_000_500n, queryPacket())
    .block(0x80000bad, Buffer.alloc(300_000))
  const capture = await readOf(writer.octets())
  assert.deepEqual(timesOf(capture), [0, 0.5])
  assert.deepEqual(capture.remarks, [])
  assert.equal(capture.packets, 2)
})

test('a simple packet is as long as the snap length of the first interface lets it be', async () => {
  const octets = queryPacket()
  const writer = new PcapngWriter().section(false).interface(101, [], octets.length).interface(1)
  writer.simple(octets).simple(octets, 1000)
  const long = ipv4(udp(dnsQueryOf(500)))
  writer.simple(long.subarray(0, octets.length), long.length)
  const capture = await readOf(writer.octets())
  assert.equal(capture.table.count, 2)
  assert.deepEqual(skippedOf(capture), { cut: 1 })
})

test('sections have byte orders and interfaces of their own', async () => {
  const writer = new PcapngWriter()
  writer.section(true).interface(1).interface(101).enhanced(1, 1_000_000n, queryPacket('a.'))
  writer
    .section(false)
    .interface(101)
    .enhanced(0, 2_000_000n, queryPacket('b.'))
    .obsolete(0, 3_000_000n, queryPacket('c.'))
  writer.section(true).interface(113).interface(228).obsolete(1, 4_000_000n, queryPacket('d.'))
  const capture = await readOf(writer.octets())
  assert.deepEqual(
    messagesOf(capture),
    ['a.', 'b.', 'c.', 'd.'].map((qname) => dnsQuery(qname).toString('hex')),
  )
  assert.deepEqual(timesOf(capture), [0, 1000, 2000, 3000])
  assert.deepEqual(capture.remarks, [])
})

test('the words for people', async () => {
  const { octets } = { octets: queryPacket() }
  const others = PACKETS.filter(([, , kind]) => kind === 'answers' || kind === 'tcp' || kind === 'fragments')
  const path = written(
    pcap([
      { timeNs: TIME, octets },
      ...others.map(([, octets, , originalLength]) => ({ timeNs: TIME, octets, originalLength })),
      { timeNs: TIME + 1_234_500_000n, octets },
    ]),
  )
  const capture = await readCapture(path)
  assert.equal(
    capture.description,
    `2 queries over 1.234 s from ${path} (pcap, 11 packets: 3 TCP, 2 answers, 4 fragments)`,
  )
  assert.equal(capture.seconds, 1.2345)
})

/** A file, and the line that it is refused with, without the path. */
const REFUSED: readonly [name: string, octets: Buffer, message: string][] = [
  ['an empty file', Buffer.alloc(0), 'the file is empty'],
  ['a text', Buffer.from('example.com A\n'), 'neither pcap nor pcapng, plain or compressed by gzip or zstd'],
  ['three octets', Buffer.from('d4c3b2', 'hex'), 'neither pcap nor pcapng, plain or compressed by gzip or zstd'],
  ['gzip of a text', gzipSync('example.com A\n'), 'neither pcap nor pcapng, plain or compressed by gzip or zstd'],
  [
    'gzip that is cut off in its header',
    gzipSync(pcap([])).subarray(0, 6),
    'neither pcap nor pcapng, plain or compressed by gzip or zstd: the gzip data are cut off',
  ],
  ['pcap without packets', pcap([]), 'no DNS queries to port 53 over UDP among 0 packets'],
  [
    'pcap cut off in its header',
    pcap([]).subarray(0, 20),
    'no DNS queries to port 53 over UDP among 0 packets; the capture ends in the middle of a record, at octet 20',
  ],
  [
    'pcap of another version',
    pcap([], { version: [2, 3] }),
    'no DNS queries to port 53 over UDP among 0 packets; the capture is damaged at octet 0 (version 2.3 of pcap, not 2.4)',
  ],
  [
    'pcapng of another version',
    new PcapngWriter().section(true, 2).octets(),
    'no DNS queries to port 53 over UDP among 0 packets; the capture is damaged at octet 0 (version 2 of pcapng, not 1)',
  ],
  [
    'a section of no byte order',
    Buffer.from('0a0d0d0a0000001c0000000000010000ffffffffffffffff0000001c', 'hex'),
    'no DNS queries to port 53 over UDP among 0 packets; the capture is damaged at octet 0 (a section of no byte order)',
  ],
  [
    'what is no query',
    pcap(
      [
        ...Array(1_200).fill(PACKETS.find(([name]) => name === 'TCP')),
        PACKETS.find(([name]) => name === 'an answer'),
      ].map(([, octets]) => ({ timeNs: TIME, octets })),
    ),
    'no DNS queries to port 53 over UDP among 1,201 packets (1,200 TCP, 1 answer)',
  ],
  [
    'other links',
    new PcapngWriter()
      .section(true)
      .interface(127)
      .interface(105)
      .enhanced(0, 1n, QUERY)
      .enhanced(1, 1n, QUERY)
      .octets(),
    'no DNS queries to port 53 over UDP among 2 packets (2 of link types that are not read); not read: link type 127, 105',
  ],
]

for (const [name, octets, message] of REFUSED) {
  test(`${name} is refused in one line`, async () => {
    const path = written(octets)
    await assert.rejects(readCapture(path), new LoadInputError(`${path}: ${message}`))
  })
}

test('no such file, a folder, a file in a file', async () => {
  const path = newPath()
  await assert.rejects(readCapture(path), new LoadInputError(`${path}: no such file`))
  await assert.rejects(readCapture(tmpdir()), new LoadInputError(`${tmpdir()}: is a directory`))
  const inside = `${written(QUERY)}/a.pcap`
  await assert.rejects(readCapture(inside), new LoadInputError(`${inside}: cannot be read (ENOTDIR)`))
})

/** Damage behind one query, and what is said of it. */
const DAMAGED: readonly [name: string, octets: Buffer, remark: RegExp][] = [
  [
    'a packet of 4 GB',
    Buffer.concat([pcap([{ timeNs: TIME, octets: queryPacket() }]), Buffer.alloc(16, 0xff)]),
    /a packet of 4294967295 octets/,
  ],
  [
    'a block of 13 octets',
    afterQuery(Buffer.from([4, 0, 0, 0, 13, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])),
    /a block of 13 octets/,
  ],
  ['a block of no octets', afterQuery(Buffer.alloc(12)), /a block of 0 octets/],
  [
    'an interface of 16 octets',
    afterQuery(Buffer.from([1, 0, 0, 0, 16, 0, 0, 0, 0, 0, 0, 0, 16, 0, 0, 0])),
    /a block of 16 octets/,
  ],
  [
    'lengths that differ',
    afterQuery(Buffer.from([3, 0, 0, 0, 16, 0, 0, 0, 0, 0, 0, 0, 20, 0, 0, 0])),
    /a block of 16 octets that ends as one of 20/,
  ],
  [
    'a simple packet that is longer than its block',
    afterQuery(block((writer) => writer.simple(QUERY, 500))),
    /a packet of 500 octets in /,
  ],
  [
    'an interface that is not described',
    afterQuery(block((writer) => writer.enhanced(1, 1n, QUERY))),
    /a packet of interface 1, which is not described/,
  ],
  [
    'an option behind the end',
    afterQuery(Buffer.from([1, 0, 0, 0, 24, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 9, 0, 1, 1, 24, 0, 0, 0])),
    /an option of 257 octets/,
  ],
  [
    'a block of 32 MiB to be read',
    afterQuery(Buffer.from([6, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0])),
    /a block of 33554432 octets/,
  ],
]

function block(write: (writer: PcapngWriter) => PcapngWriter): Buffer {
  return write(new PcapngWriter()).octets()
}

function afterQuery(octets: Buffer): Buffer {
  return Buffer.concat([
    new PcapngWriter().section(true).interface(101).enhanced(0, 1n, queryPacket()).octets(),
    octets,
  ])
}

test('where the damage is, counts what was passed over', async () => {
  const octets = afterQuery(block((writer) => writer.block(99, Buffer.alloc(1_000_000)).simple(QUERY, 500)))
  const at = octets.length - block((writer) => writer.simple(QUERY)).length
  const { remarks } = await readOf(octets)
  assert.ok(
    remarks[0].startsWith(`Only the beginning is used: the capture is damaged at octet ${at.toLocaleString('en')} (`),
  )
})

for (const [name, octets, remark] of DAMAGED) {
  test(`${name}: what comes before is used`, async () => {
    const capture = await readOf(octets)
    assert.equal(capture.table.count, 1)
    assert.equal(capture.remarks.length, 1)
    assert.match(capture.remarks[0], /^Only the beginning is used: the capture is damaged at octet [\d,]+ \(/)
    assert.match(capture.remarks[0], remark)
  })
}
