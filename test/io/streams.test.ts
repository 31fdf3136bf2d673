import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { afterEach, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { STREAM_LIMITS, type StreamLimits, StreamServer } from '../../src/io/streams.ts'

// The handler flips QR. Octet 12 of a message: 1 = no answer, 2 = answer with 60,000 octets.
const SILENT = 1
const LONG = 2
const LONG_OCTETS = 60_000

const counts = { accepted: 0, refused: 0, timedOut: 0, answered: 0, silent: 0 }
let server: StreamServer
let port = 5760
const clients: Socket[] = []

async function start(limits: Partial<StreamLimits> = {}): Promise<void> {
  port++
  Object.assign(counts, { accepted: 0, refused: 0, timedOut: 0, answered: 0, silent: 0 })
  server = new StreamServer(
    (packet, at, length, capacity) => {
      assert.ok(capacity >= 65535)
      packet[at + 2] |= 0x80
      if (length > 12 && packet[at + 12] === SILENT) return 0
      if (length > 12 && packet[at + 12] === LONG) return packet.fill(7, at + 13, at + LONG_OCTETS) && LONG_OCTETS
      return length
    },
    {
      accepted: () => counts.accepted++,
      refused: () => counts.refused++,
      timedOut: () => counts.timedOut++,
      message: (answered) => (answered ? counts.answered++ : counts.silent++),
    },
    { ...STREAM_LIMITS, ...limits },
  )
  await server.listen({ host: '127.0.0.1', port })
}

afterEach(async () => {
  for (const client of clients.splice(0)) client.destroy()
  await server.stop()
  assert.equal(server.connections, 0, 'no connection is left')
})

async function open(): Promise<Socket> {
  const client = connect({ port, host: '127.0.0.1' })
  client.on('error', () => {})
  clients.push(client)
  await once(client, 'connect')
  return client
}

function frame(id: number, kind = 0, length = 20): Buffer {
  const octets = Buffer.alloc(2 + length)
  octets.writeUInt16BE(length)
  if (length >= 2) octets.writeUInt16BE(id, 2)
  if (length > 12) octets[14] = kind
  return octets
}

/** IDs of the answers in what a client received; QR must be set and nothing may be left over. */
function idsOf(octets: Buffer): number[] {
  const ids: number[] = []
  let at = 0
  while (at < octets.length) {
    const length = octets.readUInt16BE(at)
    assert.ok(at + 2 + length <= octets.length, 'a whole frame')
    assert.ok(octets[at + 4] & 0x80)
    ids.push(octets.readUInt16BE(at + 2))
    at += 2 + length
  }
  return ids
}

/** Everything until the server closes its side. */
// A reset is as good as an end: octets that the server has not read make it one.
function closed(client: Socket): Promise<void> {
  return new Promise((resolve) => client.once('close', () => resolve()))
}

async function readToEnd(client: Socket): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of client) chunks.push(chunk)
  return Buffer.concat(chunks)
}

async function readOctets(client: Socket, octets: number): Promise<Buffer> {
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of client) {
    chunks.push(chunk)
    length += chunk.length
    if (length >= octets) break
  }
  return Buffer.concat(chunks)
}

// Octets that survive a collection, buffers included.
function held(): number {
  setFlagsFromString('--expose-gc')
  ;(runInNewContext('gc') as () => void)()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

const sequence = (count: number) => Array.from({ length: count }, (_, id) => id)

const exchanges: [why: string, pieces: Buffer[], ids: number[]][] = [
  ['one query', [frame(1)], [1]],
  ['many in one write', [Buffer.concat(sequence(1000).map((id) => frame(id)))], sequence(1000)],
  ['an octet at a time', [...frame(1), ...frame(2)].map((octet) => Buffer.of(octet)), [1, 2]],
  [
    'a frame over two writes, behind a whole one',
    [Buffer.concat([frame(1), frame(2).subarray(0, 9)]), frame(2).subarray(9)],
    [1, 2],
  ],
  ['the prefix over two writes', [frame(1).subarray(0, 1), frame(1).subarray(1)], [1]],
  ['a header and nothing else', [frame(1, 0, 12)], [1]],
  ['frames that hold no message', [frame(1, 0, 0), frame(2, 0, 1), frame(3, 0, 11), frame(4)], [4]],
  ['a query without answer among others', [frame(1), frame(2, SILENT), frame(3)], [1, 3]],
  ['a frame of 64 KiB', [frame(1, 0, 65535), frame(2)], [1, 2]],
  ['a frame of 64 KiB in pieces', [frame(1, 0, 65535).subarray(0, 30_000), frame(1, 0, 65535).subarray(30_000)], [1]],
  ['long answers', [frame(1, LONG), frame(2, LONG), frame(3, LONG)], [1, 2, 3]],
  ['an unfinished frame at the end', [frame(1), frame(2).subarray(0, 10)], [1]],
  ['half a prefix at the end', [frame(1), Buffer.of(0)], [1]],
  ['nothing at all', [], []],
]

for (const [why, pieces, ids] of exchanges) {
  test(`then half-closed: ${why}`, async () => {
    await start()
    const client = await open()
    client.setNoDelay(true)
    for (const piece of pieces) {
      client.write(piece)
      if (pieces.length > 1) await new Promise(setImmediate)
    }
    const startMs = performance.now()
    client.end()
    assert.deepEqual(idsOf(await readToEnd(client)), ids)
    assert.ok(performance.now() - startMs < 1000, 'closed by us, not by a time limit')
  })
}

test('length and message arrive in one segment', async () => {
  await start()
  const client = await open()
  client.write(frame(1))
  const [first] = await once(client, 'data')
  assert.equal(first.length, 22)
})

test('a connection that never asks is closed, one that did has longer', async () => {
  await start({ firstMessageMs: 300, idleMs: 1200 })
  const mute = await open()
  const asked = await open()
  asked.write(frame(1))
  mute.resume()
  asked.resume()
  const startMs = performance.now()
  await closed(mute)
  assert.ok(performance.now() - startMs < 900)
  assert.equal(asked.destroyed, false)
  await once(asked, 'end')
  assert.ok(performance.now() - startMs > 1000)
  assert.equal(counts.timedOut, 2)
})

test('octets of a message that never ends are no sign of life', async () => {
  await start({ firstMessageMs: 300, idleMs: 300 })
  const client = await open()
  client.resume()
  const octets = frame(1, 0, 5000)
  let at = 0
  const trickle = setInterval(() => client.write(octets.subarray(at, ++at)), 20)
  await closed(client)
  clearInterval(trickle)
  assert.equal(counts.timedOut, 1)
  assert.equal(counts.answered, 0)
})

test('who does not read its answers is not read from, holds up no one, and is closed in time', async () => {
  await start({ writeMs: 600 })
  const slow = await open()
  slow.pause()
  const asks = Buffer.concat(sequence(2000).map((id) => frame(id, LONG)))
  slow.write(asks)
  await sleep(200)
  const taken = counts.answered
  assert.ok(taken < 150, `answers are made only as they are taken, not ${taken}`)
  const quick = await open()
  const startMs = performance.now()
  quick.end(frame(7))
  assert.deepEqual(idsOf(await readToEnd(quick)), [7])
  assert.ok(performance.now() - startMs < 200)
  await sleep(1200)
  assert.equal(counts.timedOut, 1)
  assert.equal(server.connections, 0)
})

test('who reads late gets everything', async () => {
  await start()
  const client = await open()
  client.pause()
  client.end(Buffer.concat(sequence(200).map((id) => frame(id, LONG))))
  await sleep(300)
  assert.ok(counts.answered < 200)
  assert.deepEqual(idsOf(await readToEnd(client)), sequence(200))
})

test('connections of one client are bounded, and given back', async () => {
  await start({ connectionsPerClient: 3 })
  const held = [await open(), await open(), await open()]
  const over = await open()
  over.resume()
  await closed(over)
  assert.equal(counts.refused, 1)
  held[0].end()
  held[0].resume()
  await once(held[0], 'close')
  const again = await open()
  again.end(frame(1))
  assert.deepEqual(idsOf(await readToEnd(again)), [1])
})

test('when all connections are used up the longest idle one makes room', async () => {
  await start({ connections: 3 })
  const [first, second, third] = [await open(), await open(), await open()]
  for (const client of [first, second, third]) client.resume()
  for (const client of [second, third, first, second]) {
    client.write(frame(1))
    await sleep(20)
  }
  const fourth = await open()
  await sleep(50)
  assert.deepEqual([first.destroyed, second.destroyed, third.destroyed], [false, false, true])
  fourth.end(frame(3))
  assert.deepEqual(idsOf(await readToEnd(fourth)), [3])
})

test('unfinished messages are bounded over all connections', async () => {
  await start({ bufferedOctets: 200_000 })
  const all = await Promise.all(sequence(5).map(() => open()))
  for (const client of all) {
    client.resume()
    client.write(frame(1, 0, 65535).subarray(0, 100))
    await sleep(20)
  }
  await sleep(50)
  assert.equal(counts.refused, 2)
  assert.equal(server.connections, 3)
  const other = await open()
  other.end(frame(9))
  assert.deepEqual(idsOf(await readToEnd(other)), [9])
})

test('a reset in the middle leaves nothing behind', async () => {
  await start()
  for (let round = 0; round < 20; round++) {
    const client = await open()
    client.write(Buffer.concat([frame(1, LONG), frame(2, LONG), frame(3).subarray(0, 5)]))
    await sleep(2)
    client.resetAndDestroy()
  }
  await sleep(100)
  assert.equal(server.connections, 0)
  assert.equal(counts.accepted, 20)
})

test('stopping answers what has arrived, then closes', async () => {
  await start()
  const client = await open()
  const idle = await open()
  idle.resume()
  client.write(Buffer.concat(sequence(100).map((id) => frame(id))))
  const stopped = server.stop()
  assert.deepEqual(idsOf(await readToEnd(client)), sequence(100))
  client.end()
  idle.end()
  const startMs = performance.now()
  await stopped
  assert.ok(performance.now() - startMs < 450)
  await assert.rejects(open().then((late) => once(late, 'data')))
})

test('ten thousand connections one after another leak nothing', async () => {
  await start()
  const exchange = async (id: number) => {
    const client = connect({ port, host: '127.0.0.1' })
    client.end(frame(id & 0xffff))
    assert.deepEqual(idsOf(await readToEnd(client)), [id & 0xffff])
  }
  // A leak grows with every connection, and a thousand octets each would be 3 MB a part; a buffer of a pool, or code that
  // gets compiled, grows once.
  const heldAfter: number[] = []
  for (const part of [4000, 3000, 3000]) {
    for (let id = 0; id < part; id += 20) await Promise.all(sequence(20).map((offset) => exchange(id + offset)))
    for (let wait = 0; wait < 100 && server.connections > 0; wait++) await sleep(20)
    heldAfter.push(held())
  }
  assert.equal(server.connections, 0)
  assert.equal(counts.accepted, 10_000)
  const grown = Math.min(heldAfter[1] - heldAfter[0], heldAfter[2] - heldAfter[1])
  assert.ok(grown < 2 ** 20, `${grown} octets more are held after each 3,000`)
})

test('a client that reads a pipeline as it comes sees it in order', async () => {
  await start()
  const client = await open()
  const count = 50_000
  client.write(Buffer.concat(sequence(count).map((id) => frame(id))))
  assert.deepEqual(idsOf(await readOctets(client, count * 22)), sequence(count))
})
