// A capture of all interfaces has a query several times, and is replayed as it was asked.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { readOf, skippedOf, timesOf } from './capture-files.ts'
import { dnsQuery, ethernet, ipv4, LINKS, pcap, TIME, udp } from './capture-writer.ts'

const MS = 1_000_000n
const SLL = linkOf('SLL')
const SLL2 = linkOf('SLL2')
const ETHERNET = { type: 1, wrap: (ip: Buffer): Buffer => ethernet(ip, 0x0800) }

interface Link {
  readonly type: number
  wrap(ip: Buffer, version: 4 | 6): Buffer
}

function linkOf(name: string): Link {
  const link = LINKS.find((each) => each.name === name)
  assert.ok(link)
  return link
}

/** A query with that ID. */
function query(id: number, qname = 'web.shop.svc.cluster.local.'): Buffer {
  return dnsQuery(qname, 1, 0x0100, 1, id)
}

type Seen = readonly [atMs: number, message: Buffer, fromPort?: number]

/** When queries are replayed, and how many are left out as copies. */
async function replayed(link: Link, seen: readonly Seen[]): Promise<[timesMs: number[], copies: number]> {
  const packets = seen.map(([atMs, message, from = 40_000]) => ({
    timeNs: TIME + BigInt(Math.round(atMs * 1000)) * (MS / 1000n),
    octets: link.wrap(ipv4(udp(message, { from })), 4),
  }))
  const capture = await readOf(pcap(packets, { linkType: link.type }))
  return [timesOf(capture) ?? [], skippedOf(capture).copies ?? 0]
}

const cases: [what: string, link: Link, seen: Seen[], timesMs: number[], copies: number][] = [
  [
    'one way through a node',
    SLL2,
    [
      [0, query(1)],
      [0.02, query(1)],
      [0.05, query(1)],
    ],
    [0],
    2,
  ],
  [
    'the same with the older header',
    SLL,
    [
      [0, query(1)],
      [0.02, query(1)],
    ],
    [0],
    1,
  ],
  [
    'a translated port',
    SLL2,
    [
      [0, query(1)],
      [0.03, query(1), 61_000],
    ],
    [0],
    1,
  ],
  [
    'another ID',
    SLL2,
    [
      [0, query(1)],
      [0.03, query(2)],
    ],
    [0, 0.03],
    0,
  ],
  [
    'another name',
    SLL2,
    [
      [0, query(1)],
      [0.03, query(1, 'db.shop.svc.cluster.local.')],
    ],
    [0, 0.03],
    0,
  ],
  [
    'asked again',
    SLL2,
    [
      [0, query(1)],
      [0.03, query(1)],
      [2500, query(1)],
      [2500.03, query(1)],
    ],
    [0, 2500],
    2,
  ],
  [
    'as long as a copy may take, and longer',
    SLL2,
    [
      [0, query(1)],
      [10, query(1)],
      [10.001, query(1)],
    ],
    [0, 10.001],
    1,
  ],
  [
    'out of order',
    SLL2,
    [
      [5, query(1)],
      [4.9, query(1)],
    ],
    [0],
    1,
  ],
  [
    'others between, over several windows',
    SLL2,
    [
      [0, query(1)],
      [9, query(2)],
      [9.5, query(1)],
      [12, query(2)],
    ],
    [0, 9],
    2,
  ],
  [
    'one interface: whoever asks twice, asks twice',
    ETHERNET,
    [
      [0, query(1)],
      [0.02, query(1)],
    ],
    [0, 0.02],
    0,
  ],
]

for (const [what, link, seen, timesMs, copies] of cases) {
  test(what, async () => {
    const [times, left] = await replayed(link, seen)
    assert.deepEqual([times.map((ms) => Math.round(ms * 1000) / 1000), left], [timesMs, copies])
  })
}

test('any queries of a busy node, each seen one to four times: each is replayed once', () =>
  fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(fc.double({ min: 0, max: 60, noNaN: true }), fc.integer({ min: 1, max: 4 })), {
        minLength: 1,
        maxLength: 80,
      }),
      async (asked) => {
        const seen = asked.flatMap(([atMs, interfaces], id) =>
          Array.from({ length: interfaces }, (_, i): Seen => [atMs + i * 0.5, query(id)]),
        )
        const [times, copies] = await replayed(
          SLL2,
          seen.sort(([a], [b]) => a - b),
        )
        assert.equal(times.length, asked.length)
        assert.equal(copies, seen.length - asked.length)
      },
    ),
    { numRuns: 50 },
  ))
