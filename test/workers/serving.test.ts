import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { connect } from 'node:net'
import { networkInterfaces } from 'node:os'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { SUPPORTED } from '../../src/io/layouts.ts'
import { runTraffic, ServerProcess } from './server-process.ts'
import { ECHO, LONG, SILENT } from './stand-in-answerer.ts'

// Everything here holds for both transports, octet for octet, unless it says otherwise.
const transports = SUPPORTED ? (['io', 'dgram'] as const) : (['dgram'] as const)
const hasIpv6 = Object.values(networkInterfaces()).some((list) => list?.some(({ address }) => address === '::1'))

function message(id: number, kind = ECHO, length = 20): Buffer {
  const octets = Buffer.alloc(length)
  octets.writeUInt16BE(id)
  if (length > 12) octets[12] = kind
  return octets
}

// Asks from a fresh socket; answers and the address they came from, until `waitMs` pass without one.
async function ask(
  queries: Buffer[],
  port: number,
  address = '127.0.0.1',
  waitMs = 300,
): Promise<{ answers: Buffer[]; from: string[] }> {
  const socket = createSocket({ type: address.includes(':') ? 'udp6' : 'udp4', recvBufferSize: 2 ** 21 })
  const answers: Buffer[] = []
  const from: string[] = []
  socket.on('message', (answer, peer) => {
    answers.push(answer)
    from.push(peer.address)
  })
  for (const query of queries) socket.send(query, port, address)
  for (let waited = 0; waited < waitMs && answers.length < queries.length; waited += 10) await sleep(10)
  socket.close()
  return { answers, from }
}

// One exchange over TCP: the stream worker serves whenever the others do.
async function askStream(query: Buffer, port: number, host: string): Promise<Buffer> {
  const socket = connect({ port, host })
  const prefix = Buffer.alloc(2)
  prefix.writeUInt16BE(query.length)
  socket.end(Buffer.concat([prefix, query]))
  const chunks: Buffer[] = []
  for await (const chunk of socket) chunks.push(chunk)
  return Buffer.concat(chunks)
}

for (const transport of transports) {
  test(`${transport}: answers over UDP and TCP, on each address, and stops at once`, async () => {
    const addresses = hasIpv6 ? ['127.0.0.1', '::1'] : ['127.0.0.1']
    const server = await ServerProcess.start({ transport, addresses })
    try {
      assert.ok(server.startMs < 1000, `ready after ${server.startMs} ms`)
      assert.deepEqual(
        server.listeners.map(({ address, port }) => [address, port]),
        addresses.map((address) => [address, server.port]),
      )
      for (const address of addresses) {
        const { answers } = await ask([message(7)], server.port, address)
        assert.equal(answers.length, 1)
        assert.equal(answers[0].length, 20)
        assert.deepEqual([...answers[0].subarray(0, 13)], [0, 7, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])
        const stream = await askStream(message(8), server.port, address)
        assert.equal(stream.readUInt16BE(0), 20)
        assert.deepEqual([...stream.subarray(2, 6)], [0, 8, 0x80, 0])
        assert.equal(stream[15], 0x82, 'answered by the stream worker, reader 2')
      }
    } finally {
      const { exitCode, stopMs } = await server.stop()
      assert.equal(exitCode, 0)
      assert.ok(stopMs < 900, `stopped after ${stopMs} ms`)
    }
  })

  test(`${transport}: datagrams of every sort`, async () => {
    const server = await ServerProcess.start({ transport, workers: 1 })
    const huge = message(5, ECHO, 4097)
    const longest = message(6, ECHO, 4096)
    const grown = message(9, LONG)
    grown.writeUInt16BE(4096, 14)
    try {
      const cases: [why: string, query: Buffer, length: number, rcode: number][] = [
        ['a header and nothing else', message(1, ECHO, 12), 12, 0],
        ['no octets at all', Buffer.alloc(0), 0, 0],
        ['a runt', message(2, ECHO, 11), 0, 0],
        ['no answer wanted', message(3, SILENT), 0, 0],
        ['as long as a slot', longest, 4096, 0],
        ['longer than a slot', huge, 12, 1],
        ['the longest datagram there is', message(4, ECHO, 65507), 12, 1],
        ['an answer as long as a slot', grown, 4096, 0],
        ['and the same buffers still work', message(10), 20, 0],
      ]
      for (const [why, query, length, rcode] of cases) {
        const { answers } = await ask([query], server.port, '127.0.0.1', length === 0 ? 60 : 1000)
        assert.equal(answers.length, length === 0 ? 0 : 1, why)
        if (length === 0) continue
        assert.equal(answers[0].length, length, why)
        assert.equal(answers[0][3] & 15, rcode, why)
        assert.equal(answers[0].readUInt16BE(0), query.readUInt16BE(0), why)
      }
    } finally {
      await server.stop()
    }
  })

  test(`${transport}: a burst larger than a batch is answered whole`, async () => {
    const server = await ServerProcess.start({ transport, workers: 1 })
    try {
      const queries = Array.from({ length: 300 }, (_, id) => message(id))
      const { answers } = await ask(queries, server.port, '127.0.0.1', 2000)
      assert.deepEqual(
        answers.map((answer) => answer.readUInt16BE(0)).sort((a, b) => a - b),
        queries.map((_, id) => id),
      )
    } finally {
      await server.stop()
    }
  })

  test(`${transport}: what cannot be listened on is one clear line`, async () => {
    const blocker = createSocket('udp4')
    blocker.bind(0, '127.0.0.1')
    await once(blocker, 'listening')
    const taken = blocker.address().port
    const cases: [address: string, port: number, code: string, line: RegExp][] = [
      [
        '127.0.0.1',
        taken,
        'EADDRINUSE',
        /^cannot listen on 127\.0\.0\.1:\d+: the address is in use by another program/,
      ],
      ['192.0.2.1', 5753, 'EADDRNOTAVAIL', /^cannot listen on 192\.0\.2\.1:5753: this machine has no such address/],
      ['localhost', 5753, 'EINVAL', /^cannot listen on localhost:5753: not an IP address/],
      ['2001:db8::1', 5753, 'EADDRNOTAVAIL', /^cannot listen on \[2001:db8::1\]:5753: this machine has no/],
    ]
    try {
      for (const [address, port, code, line] of cases) {
        await assert.rejects(ServerProcess.start({ transport, addresses: [address], port }), { code, message: line })
      }
    } finally {
      blocker.close()
    }
  })

  test(`${transport}: idle, it uses no CPU to speak of`, async () => {
    const server = await ServerProcess.start({ transport })
    try {
      await sleep(1000)
      const before = await server.usage()
      await sleep(3000)
      const after = await server.usage()
      const share = (after.cpuMicroseconds - before.cpuMicroseconds) / 3e6
      console.log(`idle: ${(share * 100).toFixed(2)} % of a core, RSS ${(after.rss / 1e6).toFixed(0)} MB`)
      assert.ok(share < 0.01, `${share * 100} % of a core`)
    } finally {
      await server.stop()
    }
  })
}

const batchedOnly = !SUPPORTED && 'SKIPPED: needs the batched transport'

test('a wildcard bind answers from the address that was asked', { skip: batchedOnly }, async () => {
  const addresses = hasIpv6 ? ['0.0.0.0', '::'] : ['0.0.0.0']
  const server = await ServerProcess.start({ transport: 'io', addresses })
  try {
    for (const address of ['127.0.0.1', '127.0.0.2', '127.0.0.3', '127.1.2.3', ...(hasIpv6 ? ['::1'] : [])]) {
      const { answers, from } = await ask([message(1), message(2), message(3)], server.port, address)
      assert.equal(answers.length, 3, address)
      assert.deepEqual(from, [address, address, address])
    }
  } finally {
    await server.stop()
  }
})

test('stopping answers everything that has arrived', { skip: batchedOnly }, async () => {
  const server = await ServerProcess.start({ transport: 'io', workers: 1 })
  // The queries arrive while the process is held; it is told to stop before it gets to see any of them.
  server.child.kill('SIGSTOP')
  const traffic = runTraffic({ port: server.port, rate: 40_000, queries: 8000, sockets: 8 })
  await sleep(800)
  const stopped = server.stop()
  server.child.kill('SIGCONT')
  const { stats, exitCode } = await stopped
  const { sent, lost } = await traffic
  assert.deepEqual(
    { sent, lost, exitCode, received: stats.query[0].received },
    { sent: 8000, lost: 0, exitCode: 0, received: 8000 },
  )
})

test('datagrams that the kernel drops for want of room are counted', { skip: batchedOnly }, async () => {
  const server = await ServerProcess.start({ transport: 'io', workers: 1, receiveBufferBytes: 65_536 })
  server.child.kill('SIGSTOP')
  const traffic = runTraffic({ port: server.port, rate: 40_000, queries: 4000, sockets: 8 })
  await sleep(800)
  server.child.kill('SIGCONT')
  const { lost } = await traffic
  const { stats } = await server.stop()
  assert.ok(lost > 1000)
  assert.equal(stats.query[0].receiveQueueDrops + stats.query[0].received, 4000)
  assert.equal(stats.query[0].receiveQueueDrops, lost)
})

test('a machine without ::1 is served on 127.0.0.1 alone, and says so', { skip: batchedOnly }, async (t) => {
  const { spawnSync } = await import('node:child_process')
  const { fileURLToPath } = await import('node:url')
  // A network namespace of its own whose loopback has no IPv6.
  const program = fileURLToPath(new URL('./serve-process.ts', import.meta.url))
  const script = `ip link set lo up && echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6 &&
    timeout -s TERM 2 "${process.execPath}" "${program}" '{"addresses":["127.0.0.1","::1"],"port":5754}'`
  const { stdout, status, stderr } = spawnSync('unshare', ['-n', 'sh', '-c', script], { encoding: 'utf8' })
  if (!stdout?.includes('{')) return t.skip(`SKIPPED: no network namespace to be had (${status}: ${stderr})`)
  const lines = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
  assert.match(lines[0].log, /^cannot listen on \[::1\]:5754: .*going on without it$/)
  assert.deepEqual(lines[1].ready.listeners.length, 1)
})

test('importing and using the portable transport loads no koffi', async () => {
  const { execFileSync } = await import('node:child_process')
  const script = `
    import { registerHooks } from 'node:module'
    registerHooks({ resolve(name, context, next) {
      if (name === 'koffi') throw new Error('koffi asked for')
      return next(name, context)
    } })
    const { startServing } = await import(${JSON.stringify(new URL('../../src/workers/server.ts', import.meta.url).href)})
    const options = { binds: [{ address: '127.0.0.1', port: 0, listener: 0 }], workers: 1, receiveBufferBytes: 65536, answerSource: { blocks: [] },
      log: (line) => console.log(line), answererModule: ${JSON.stringify(new URL('./stand-in-answerer.ts', import.meta.url).href)} }
    for (const transport of ['dgram', 'auto']) {
      const serving = await startServing({ ...options, transport })
      console.log(serving.transport)
      await serving.stop()
    }
  `
  const output = execFileSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' })
  const lines = output.trim().split('\n')
  assert.equal(lines[0], 'dgram')
  assert.match(lines[1], /^batched system calls are not to be had \(.*koffi asked for.*\): serving through node:dgram/)
  assert.equal(lines[2], 'dgram')
})
