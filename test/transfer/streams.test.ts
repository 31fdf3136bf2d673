// Answers of several messages over TCP (io/streams.ts): in order, as fast as the client takes them, and ended with it.

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { afterEach, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { STREAM_LIMITS, type StreamLimits, StreamServer } from '../../src/io/streams.ts'
import { freePort } from '../corefile/corefile-server.ts'

/** A message here: an id of two octets, a kind, and octets that are not looked at. Of LATER ones `script` makes the answers. */
const PLAIN = 0
const LATER = 1
const LENGTH = 12
const BIG = 60_000

const counts = { timedOut: 0, refused: 0, messages: 0 }
let script: (id: number) => AsyncIterable<Uint8Array>
let server: StreamServer
let port: number
const clients: Socket[] = []

async function start(limits: Partial<StreamLimits> = {}): Promise<void> {
  Object.assign(counts, { timedOut: 0, refused: 0, messages: 0 })
  port = await freePort()
  server = new StreamServer(
    (packet, at, length) => (packet[at + 2] === LATER ? script((packet[at] << 8) | packet[at + 1]) : length),
    {
      accepted: () => {},
      refused: () => counts.refused++,
      timedOut: () => counts.timedOut++,
      message: () => counts.messages++,
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

function frame(id: number, kind: number): Buffer {
  const octets = Buffer.alloc(2 + LENGTH)
  octets.writeUInt16BE(LENGTH)
  octets.writeUInt16BE(id, 2)
  octets[4] = kind
  return octets
}

function message(id: number, length = LENGTH): Uint8Array {
  const octets = Buffer.alloc(length)
  octets.writeUInt16BE(id)
  return octets
}

/** What has been received until the server ends the connection, as ids; nothing may be left over. */
async function idsToEnd(client: Socket): Promise<number[]> {
  const octets = await octetsToEnd(client)
  const ids: number[] = []
  for (let at = 0; at < octets.length; ) {
    const length = octets.readUInt16BE(at)
    assert.ok(at + 2 + length <= octets.length, 'a whole frame')
    ids.push(octets.readUInt16BE(at + 2))
    at += 2 + length
  }
  return ids
}

async function octetsToEnd(client: Socket): Promise<Buffer> {
  const chunks: Buffer[] = []
  client.on('data', (chunk: Buffer) => chunks.push(chunk)).resume()
  await closed(client)
  return Buffer.concat(chunks)
}

/** Settles when the connection is over, in peace or not. */
async function closed(client: Socket): Promise<void> {
  if (!client.closed) await new Promise((resolve) => client.once('close', resolve))
}

async function until(condition: () => boolean): Promise<void> {
  for (let tries = 0; tries < 2000 && !condition(); tries++) await sleep(5)
  assert.ok(condition())
}

test('answers come in the order of the questions, whatever takes longer', async () => {
  await start()
  script = async function* (id) {
    for (let i = 0; i < 3; i++) {
      await sleep(10)
      yield message(1000 * id + i)
    }
  }
  const client = await open()
  client.end(
    Buffer.concat([
      frame(1, PLAIN),
      frame(2, LATER),
      frame(3, PLAIN),
      frame(4, LATER),
      frame(5, LATER),
      frame(6, PLAIN),
    ]),
  )
  assert.deepEqual(await idsToEnd(client), [1, 2000, 2001, 2002, 3, 4000, 4001, 4002, 5000, 5001, 5002, 6])
  assert.equal(counts.messages, 6)
})

test('questions that come one by one meanwhile wait', async () => {
  await start()
  let release = (): void => {}
  const released = new Promise<void>((resolve) => {
    release = resolve
  })
  script = async function* () {
    await released
    yield message(100)
  }
  const client = await open()
  client.setNoDelay(true)
  client.write(frame(1, LATER))
  await until(() => counts.messages === 1)
  for (let id = 2; id < 6; id++) {
    client.write(frame(id, PLAIN))
    await sleep(10)
  }
  assert.equal(counts.messages, 1, 'the connection is not read')
  release()
  client.end()
  assert.deepEqual(await idsToEnd(client), [100, 2, 3, 4, 5])
})

test('others are answered meanwhile', async () => {
  await start()
  script = async function* () {
    await sleep(60_000, undefined, { ref: false })
    yield message(1)
  }
  const waiting = await open()
  waiting.write(frame(1, LATER))
  const other = await open()
  other.end(frame(7, PLAIN))
  assert.deepEqual(await idsToEnd(other), [7])
})

test('no message at all is an answer too', async () => {
  await start()
  script = async function* () {}
  const client = await open()
  client.end(Buffer.concat([frame(1, LATER), frame(2, PLAIN)]))
  assert.deepEqual(await idsToEnd(client), [2])
})

test('messages are made as the client takes them; one that takes none is reset', async () => {
  await start({ writeMs: 700 })
  let made = 0
  let isEnded = false
  script = async function* () {
    try {
      for (;;) {
        made++
        yield message(1, BIG)
      }
    } finally {
      isEnded = true
    }
  }
  const client = await open()
  client.pause()
  client.write(frame(1, LATER))
  await until(() => made > 2)
  await sleep(300)
  const before = made
  assert.ok(before < 200, `${before} messages were made for nobody`)
  await until(() => isEnded)
  assert.equal(counts.timedOut, 1)
  await until(() => server.connections === 0)
})

test('who reads slowly gets all', async () => {
  await start()
  script = async function* () {
    for (let i = 0; i < 200; i++) yield message(i, BIG)
  }
  const client = await open()
  client.pause()
  client.end(frame(1, LATER))
  await sleep(300)
  assert.deepEqual(
    await idsToEnd(client),
    Array.from({ length: 200 }, (_, i) => i),
  )
})

test('a client that goes away ends the answer', async () => {
  await start()
  let ended = 0
  script = async function* () {
    try {
      for (;;) yield message(1, BIG)
    } finally {
      ended++
    }
  }
  for (const leave of [(client: Socket) => client.destroy(), (client: Socket) => client.resetAndDestroy()]) {
    const before = ended
    const client = await open()
    client.write(frame(1, LATER))
    await once(client, 'data')
    leave(client)
    await until(() => ended === before + 1)
  }
  await until(() => server.connections === 0)
})

test('an answer that cannot be finished does not look finished', async () => {
  await start()
  script = async function* () {
    yield message(1)
    throw new Error('told to fail')
  }
  const client = await open()
  const [error] = await Promise.all([
    once(client, 'error').catch((thrown) => [thrown]),
    client.write(frame(1, LATER)),
    client.resume(),
  ])
  assert.equal(error[0].code, 'ECONNRESET')
})

test('an answer has its time, in all', async () => {
  await start({ laterMs: 300, idleMs: 10_000 })
  let isEnded = false
  script = async function* () {
    try {
      for (;;) {
        await sleep(20)
        yield message(1)
      }
    } finally {
      isEnded = true
    }
  }
  const client = await open()
  client.resume()
  client.write(frame(1, LATER))
  await closed(client)
  await until(() => isEnded)
  assert.equal(counts.timedOut, 1)
})

test('each message has its time to be made', async () => {
  await start({ idleMs: 300 })
  script = async function* () {
    yield message(1)
    await sleep(60_000, undefined, { ref: false })
  }
  const client = await open()
  client.resume()
  client.write(frame(1, LATER))
  await closed(client)
  assert.equal(counts.timedOut, 1)
})

test('a connection with an answer under way makes no room for others', async () => {
  await start({ connections: 1 })
  let release = (): void => {}
  const released = new Promise<void>((resolve) => {
    release = resolve
  })
  script = async function* () {
    await released
    yield message(9)
  }
  const client = await open()
  client.write(frame(1, LATER))
  await until(() => counts.messages === 1)
  const other = await open()
  await closed(other.resume())
  assert.equal(counts.refused, 1)
  release()
  client.end()
  assert.deepEqual(await idsToEnd(client), [9])
})
