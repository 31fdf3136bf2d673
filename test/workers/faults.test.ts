import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { connect } from 'node:net'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { SUPPORTED } from '../../src/io/layouts.ts'
import { compilerMissing, compileShim } from '../io/compiled.ts'
import { runTraffic, ServerProcess } from './server-process.ts'
import { ECHO, EXIT, HANG, THROW } from './stand-in-answerer.ts'

const FAULTS = [
  ...[
    'EINTR',
    'EAGAIN',
    'ENOMEM',
    'ECONNREFUSED',
    'short',
    'zero',
    'toomany',
    'toolong',
    'longname',
    'longcontrol',
  ].map((f) => `recvmmsg=${f}`),
  ...['EINTR', 'EAGAIN', 'ENOBUFS', 'EMSGSIZE', 'EPERM', 'ECONNREFUSED', 'short', 'zero', 'toomany'].map(
    (f) => `sendmmsg=${f}`,
  ),
  ...['EINTR', 'toomany'].map((f) => `poll=${f}`),
].join(',')

test('under every fault in turn the loop goes on, and each loss is accounted for', {
  skip: compilerMissing(),
}, async () => {
  const shim = compileShim()
  try {
    const env = { LD_PRELOAD: shim.path, PEREGRINE_FAULTS: FAULTS, PEREGRINE_FAULT_EVERY: '3' }
    const server = await ServerProcess.start({ workers: 2 }, env)
    const result = await runTraffic({ port: server.port, rate: 4000, queries: 20_000, sockets: 16 })
    const { stats, exitCode } = await server.stop()
    const total = (name: 'received' | 'answered' | 'silent' | 'sendErrors' | 'receiveErrors' | 'crashes') =>
      stats.query.reduce((sum, worker) => sum + worker[name], 0)
    assert.equal(exitCode, 0)
    assert.equal(total('crashes'), 0)
    assert.equal(result.strange, 0)
    assert.equal(total('received'), result.sent)
    assert.ok(total('sendErrors') > 50 && total('silent') > 50 && total('receiveErrors') > 50, 'faults did happen')
    assert.equal(result.lost, total('sendErrors') + total('silent'))
  } finally {
    shim.dispose()
  }
})

function frame(id: number, kind: number): Buffer {
  const octets = Buffer.alloc(22)
  octets.writeUInt16BE(20)
  octets.writeUInt16BE(id, 2)
  octets[14] = kind
  return octets
}

// Sends frames on a connection of its own and returns [id, rcode] of the answers until the server closes.
async function converse(port: number, frames: Buffer[]): Promise<[id: number, rcode: number][]> {
  const client = connect({ port, host: '127.0.0.1' })
  const chunks: Buffer[] = []
  client.on('data', (chunk: Buffer) => chunks.push(chunk))
  client.on('error', () => {})
  client.end(Buffer.concat(frames))
  await once(client, 'close')
  const octets = Buffer.concat(chunks)
  return Array.from({ length: octets.length / 22 }, (_, index) => [
    octets.readUInt16BE(index * 22 + 2),
    octets[index * 22 + 5] & 15,
  ])
}

for (const transport of SUPPORTED ? (['io', 'dgram'] as const) : (['dgram'] as const)) {
  test(`${transport}: over TCP, a query that makes answering throw costs that query`, async () => {
    const server = await ServerProcess.start({ transport })
    try {
      const answers = await converse(server.port, [frame(1, ECHO), frame(2, THROW), frame(3, ECHO)])
      assert.deepEqual(answers, [
        [1, 0],
        [2, 2],
        [3, 0],
      ])
      await sleep(50)
      assert.match(server.logged.join('\n'), /answering failed: Error: told to throw/)
    } finally {
      await server.stop()
    }
  })

  for (const [what, kind] of [
    ['dies', EXIT],
    ['hangs', HANG],
  ] as const) {
    test(`${transport}: the stream worker ${what}: its listener is served again`, async () => {
      const server = await ServerProcess.start({ transport })
      try {
        assert.deepEqual(await converse(server.port, [frame(1, kind)]), [])
        // The batched transport's listener never goes away; the portable one's does, for as long as a start takes.
        if (transport === 'dgram') await sleep(500)
        assert.deepEqual(await converse(server.port, [frame(2, ECHO)]), [[2, 0]])
        assert.equal((await server.usage()).stats.stream.crashes, 1)
      } finally {
        await server.stop()
      }
    })
  }
}

test('lives and deaths of workers leave no descriptor behind', { skip: !SUPPORTED }, async () => {
  const server = await ServerProcess.start({ transport: 'io', workers: 1 })
  const descriptors = () => readdirSync(`/proc/${server.child.pid}/fd`).length
  try {
    const rounds = async (count: number) => {
      for (let round = 0; round < count; round++) await converse(server.port, [frame(round, EXIT)])
      await runTraffic({
        port: server.port,
        rate: 1000,
        queries: 500,
        sockets: 2,
        specialEvery: 500 / count,
        special: [EXIT],
      })
      assert.deepEqual(await converse(server.port, [frame(7, ECHO)]), [[7, 0]])
    }
    await rounds(2)
    const before = descriptors()
    await rounds(10)
    assert.ok(descriptors() <= before + 2, `${descriptors()} descriptors, ${before} before`)
  } finally {
    await server.stop()
  }
})
