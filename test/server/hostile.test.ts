// Messages no client should send: valid queries cut short at every octet, mutated, with compression loops, garbage, frames up
// to 64 KiB. Each must meet the right RCODE or silence; the server must neither die nor grow.
//
// PEREGRINE_HOSTILE_PACKETS: how many mutated packets over UDP (default 100,000). PEREGRINE_SEED: the seed.

import assert from 'node:assert/strict'
import { platform } from 'node:os'
import { after, before, describe, test } from 'node:test'
import { CLUSTER_IP } from './cluster-dns-fixtures.ts'
import { TcpClient, UdpClient } from './exchange.ts'
import { ManifestFolder, manifestsOf } from './fixtures.ts'
import { type ServerProcess, startServer } from './server-process.ts'
import { type Verdict, verdictsOf } from './verdict.ts'
import { encodeHeader, encodeName, encodeOpt, encodeQuery, FLAG, readResponse, words } from './wire.ts'

const ZONES = ['cluster.local', 'in-addr.arpa', 'ip6.arpa']
const PACKETS = Number(process.env.PEREGRINE_HOSTILE_PACKETS ?? 100_000)
const SEED = Number(process.env.PEREGRINE_SEED ?? 20_260_101)
const BATCH = 64
const SENTINEL_ID = 0xffff
const GROWTH_MAX = 24 * 1024 * 1024

const CART = 'cart.shop.svc.cluster.local'
const QUERIES: Uint8Array[] = [
  encodeQuery({ name: CART, type: 'A' }),
  encodeQuery({ name: CART, type: 'AAAA', edns: { size: 4096, dnssecOk: true } }),
  encodeQuery({
    name: '_web._tcp.cart.shop.svc.cluster.local',
    type: 'SRV',
    edns: { options: words(10, 8, 1, 2, 3, 4) },
  }),
  encodeQuery({ name: 'MISSING.shop.svc.CLUSTER.local', type: 'A', flags: FLAG.RD | FLAG.AD | FLAG.CD }),
  encodeQuery({ name: '10.4.30.172.in-addr.arpa', type: 'PTR' }),
  encodeQuery({ name: 'cluster.local', type: 'SOA', edns: {} }),
  encodeQuery({ name: '10-131-0-8.shop.pod.cluster.local', type: 'A' }),
  encodeQuery({ name: 'www.example.org', type: 'HTTPS', edns: {} }),
  Buffer.concat([
    encodeHeader(1, 0, [1, 1, 1, 2]),
    encodeName(CART),
    words(1, 1),
    ...[1, 2, 3].map(smallRecord),
    encodeOpt({}),
  ]),
]

/** Names that must not be followed for ever, or beyond the message. */
const LOOPS: Uint8Array[] = [
  loop(words(0xc00c)), // to itself
  loop(words(0xc00e, 0xc00c)), // to each other
  loop(Buffer.concat([Buffer.from('\x03abc'), words(0xc00c)])), // a label, and again from the start
  loop(words(0xc0ff)), // beyond the end
  loop(words(0xffff)),
  loop(Buffer.of(0xc0)), // half of a pointer
  loop(
    Buffer.from([...Array(130).keys()].flatMap((index) => [0xc0 | ((14 + 2 * index) >>> 8), (14 + 2 * index) & 255])),
  ),
  // The same as owners of records: to the type before it, to itself, to the next one, and a chain that comes back.
  ...[0xc012, 0xc013, 0xc015, 0xc01f].map((pointer) => ownerLoop(words(pointer))),
  ownerLoop(Buffer.concat([Buffer.from('\x01a'), words(0xc013)])),
]

describe('hostile messages', () => {
  for (const transport of platform() === 'linux' ? ['io', 'dgram'] : ['dgram']) {
    describe(transport, () => {
      const folder = new ManifestFolder()
      let server: ServerProcess
      before(async () => {
        const manifests = [folder.write(manifestsOf(CLUSTER_IP))]
        server = await startServer({ manifests, flags: ['--transport', transport] })
      })
      after(async () => {
        await server.stop()
        folder.remove()
      })

      test('every prefix of valid queries, and compression loops, over UDP', async () => {
        const prefixes = QUERIES.flatMap((query) => [...query.keys()].map((length) => query.subarray(0, length)))
        await checkUdp(server, [...prefixes, ...QUERIES, ...LOOPS])
        await checkAlive(server)
      })

      test('the same over TCP', async () => {
        const prefixes = QUERIES.flatMap((query) => [...query.keys()].map((length) => query.subarray(0, length)))
        await checkTcp(server, [...prefixes, ...QUERIES, ...LOOPS])
        await checkAlive(server)
      })

      const count = transport === 'io' ? PACKETS : Math.ceil(PACKETS / 10)
      test(`${count} mutated packets over UDP, seed ${SEED}`, { timeout: 600_000 }, async (context) => {
        const random = generator(SEED)
        const met = new Map<Verdict, number>()
        const batches = function* () {
          for (let sent = 0; sent < count; sent += BATCH) yield Array.from({ length: BATCH }, () => mutate(random))
        }
        await checkUdpBatches(server, first(batches(), 200), met) // buffers and code are warm after these
        const before = server.residentOctets()
        await checkUdpBatches(server, batches(), met)
        await checkAlive(server)
        const grown = server.residentOctets() - before
        context.diagnostic(
          `${[...met].map(([verdict, times]) => `${verdict} ${times}`).join(', ')}; grown by ${grown >>> 10} KiB`,
        )
        for (const verdict of ['dropped', 'FORMERR', 'NOTIMP', 'REFUSED', 'answered'] as const) {
          assert((met.get(verdict) ?? 0) > 0, `the generator never reached ${verdict}`)
        }
        assert(grown < GROWTH_MAX, `resident memory grew by ${grown >>> 20} MiB`)
      })

      test('garbage of up to 4,200 octets over UDP', async () => {
        const random = generator(SEED + 1)
        await checkUdp(
          server,
          Array.from({ length: 600 }, () => garbage(random, random(4_200))),
        )
        await checkAlive(server)
      })

      test('TCP frames up to 64 KiB', async () => {
        const random = generator(SEED + 2)
        const sizes = [0, 1, 11, 12, 13, 511, 512, 4_096, 4_097, 16_383, 16_384, 65_534, 65_535]
        const padded = sizes.filter((size) => size > 512).map((size) => paddedQuery(size))
        await checkTcp(server, [...sizes.map((size) => garbage(random, size)), ...padded])
        await checkAlive(server)
      })

      test('TCP connections that stop in the middle of a frame', async () => {
        const clients = [...QUERIES.keys()].map(() => new TcpClient(server.endpoint))
        for (const [index, client] of clients.entries()) {
          const framed = Buffer.concat([words(QUERIES[index]!.length), QUERIES[index]!])
          client.write(framed.subarray(0, 1 + index * 3))
        }
        await checkAlive(server) // others are served meanwhile
        for (const client of clients) client.close()
        await checkAlive(server)
      })
    })
  }
})

async function checkAlive(server: ServerProcess): Promise<void> {
  for (const tcp of [false, true]) {
    const response = await server.query({ name: CART, type: 'A' }, tcp)
    assert.deepEqual([response.rcode, response.answer.map(({ data }) => data)], ['NOERROR', ['172.30.4.10']])
  }
}

async function checkUdp(server: ServerProcess, messages: readonly Uint8Array[]): Promise<void> {
  const batches = function* () {
    // Small enough for the receive buffer of a socket even where each message is large.
    const size = Math.min(BATCH, Math.floor(65_536 / Math.max(512, ...messages.map(({ length }) => length))))
    for (let index = 0; index < messages.length; index += size) yield messages.slice(index, index + size)
  }
  await checkUdpBatches(server, batches())
}

/**
 * Sends each batch and a valid query behind it; the responses that are there when that one is answered are all there will
 * be, since a socket's messages are answered in their order. Ids are replaced by the index in the batch.
 */
async function checkUdpBatches(
  server: ServerProcess,
  batches: Iterable<readonly Uint8Array[]>,
  met: Map<Verdict, number> = new Map(),
): Promise<void> {
  const failures: string[] = []
  const client = new UdpClient(server.endpoint)
  for (const batch of batches) {
    const numbered = batch.map(withId)
    const responses = numbered.map((message) => (message.length < 2 ? undefined : client.exchange(message, 5_000)))
    for (const message of numbered) if (message.length < 2) client.send(message)
    const sentinel = await client.exchange(withId(QUERIES[0]!, SENTINEL_ID), 5_000)
    assert(sentinel, `the server is silent; it printed:\n${server.output}`)
    client.waiters.end()
    const found = await Promise.all(responses)
    for (const [index, message] of numbered.entries()) judge(message, found[index], false, met, failures)
    assert(failures.length < 10, `\n${failures.join('\n')}`)
  }
  client.close()
  assert.equal(client.waiters.strays, 0, 'responses to nothing')
  assert.equal(failures.length, 0, `\n${failures.join('\n')}`)
}

/** Over TCP answers may come in any order, and the server may close after rubbish: one connection a message. */
async function checkTcp(server: ServerProcess, messages: readonly Uint8Array[]): Promise<void> {
  const failures: string[] = []
  for (let index = 0; index < messages.length; index += BATCH) {
    await Promise.all(
      messages.slice(index, index + BATCH).map(async (raw, rank) => {
        const client = new TcpClient(server.endpoint)
        const message = withId(raw, rank)
        const silent = verdictsOf(message, ZONES, true).includes('dropped')
        const response = message.length < 2 ? undefined : await client.exchange(message, silent ? 200 : 5_000)
        if (message.length < 2) client.send(message)
        client.close()
        judge(message, response, true, new Map(), failures)
      }),
    )
  }
  assert.equal(failures.length, 0, `\n${failures.slice(0, 10).join('\n')}`)
}

function judge(
  message: Uint8Array,
  response: Uint8Array | undefined,
  tcp: boolean,
  met: Map<Verdict, number>,
  failures: string[],
): void {
  const verdicts = verdictsOf(message, ZONES, tcp)
  let found = ''
  try {
    found = response === undefined ? 'dropped' : reactionOf(message, response)
  } catch (error) {
    found = (error as Error).message
  }
  if (verdicts.includes(found as Verdict)) met.set(found as Verdict, (met.get(found as Verdict) ?? 0) + 1)
  else failures.push(`${Buffer.from(message).toString('hex')}: ${found}, should be ${verdicts.join(' or ')}`)
}

/** What a response amounts to. */
function reactionOf(message: Uint8Array, octets: Uint8Array): string {
  const response = readResponse(octets)
  if (response.rcode === 'FORMERR' || response.rcode === 'NOTIMP') {
    assert.equal(octets.length, 12, `${response.rcode} of ${octets.length} octets`)
    return response.rcode
  }
  assert(response.question, `${response.rcode} without question`)
  const question = Buffer.from(octets).subarray(12, 12 + 5)
  assert(question.equals(Buffer.from(message).subarray(12, 12 + 5)), 'the question is repeated')
  if (response.opt?.extendedRcode === 1) return 'BADVERS'
  if (response.rcode === 'REFUSED') return 'REFUSED'
  assert(['NOERROR', 'NXDOMAIN'].includes(response.rcode), response.rcode)
  return 'answered'
}

/** A valid query with one or two changes: octets, bits, lengths, pieces of another, cuts and additions. */
function mutate(random: (below: number) => number): Uint8Array {
  let octets = Buffer.from(QUERIES[random(QUERIES.length)]!)
  for (let changes = 1 + random(2); changes > 0 && octets.length > 0; changes--) {
    const at = random(octets.length)
    switch (random(8)) {
      case 0:
        octets[at] = random(256)
        break
      case 1:
        octets[at]! ^= 1 << random(8)
        break
      case 2:
        octets[at] = [0, 1, 0x3f, 0x40, 0x80, 0xc0, 0xff][random(7)]!
        break
      case 3:
        octets = octets.subarray(0, at)
        break
      case 4:
        octets = Buffer.concat([octets.subarray(0, at), garbage(random, random(24)), octets.subarray(at)])
        break
      case 5:
        octets = Buffer.concat([octets.subarray(0, at), octets.subarray(Math.min(octets.length, at + 1 + random(8)))])
        break
      case 6: {
        const other = QUERIES[random(QUERIES.length)]!
        octets = Buffer.concat([octets.subarray(0, at), other.subarray(random(other.length))])
        break
      }
      default:
        // The counts and the flags, which few changes elsewhere reach.
        if (octets.length >= 12) octets[2 + random(10)] = random(4)
    }
  }
  return octets
}

function garbage(random: (below: number) => number, length: number): Buffer {
  return Buffer.from(Array.from({ length }, () => random(256)))
}

/** A valid query that an EDNS option fills up to `size` octets. */
function paddedQuery(size: number): Uint8Array {
  const room = size - encodeQuery({ name: CART, type: 'A', edns: {} }).length - 4
  return encodeQuery({
    name: CART,
    type: 'A',
    edns: { options: Buffer.concat([words(65_001, room), Buffer.alloc(room)]) },
  })
}

function smallRecord(number: number): Uint8Array {
  return Buffer.concat([encodeName(`r${number}`), words(1, 1, 0, 5, 4, 0x0a00, number)])
}

function loop(name: Uint8Array): Uint8Array {
  return Buffer.concat([encodeHeader(1, FLAG.RD, [1, 0, 0, 0]), name, words(1, 1)])
}

/** A question for `x.`, which ends at octet 19, and a record behind it. */
function ownerLoop(owner: Uint8Array): Uint8Array {
  return Buffer.concat([encodeHeader(1, 0, [1, 0, 0, 1]), encodeName('x'), words(1, 1), owner, words(1, 1, 0, 0, 0)])
}

function withId(octets: Uint8Array, id: number): Uint8Array {
  const copy = Buffer.from(octets)
  if (copy.length >= 2) copy.writeUInt16BE(id, 0)
  return copy
}

function* first<Item>(items: Iterable<Item>, count: number): Generator<Item> {
  let taken = 0
  for (const item of items) {
    if (taken++ >= count) return
    yield item
  }
}

/** mulberry32: whole numbers below a bound, the same for the same seed. */
function generator(seed: number): (below: number) => number {
  let state = seed >>> 0
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * below)
  }
}
