// The process as the one who runs it sees it: exit codes, signals, one line for what went wrong, and an upgrade during
// which nothing is lost.

import assert from 'node:assert/strict'
import { execFile, execFileSync } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { readlinkSync } from 'node:fs'
import { createServer } from 'node:net'
import { platform } from 'node:os'
import { after, before, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { CLUSTER_IP } from './cluster-dns-fixtures.ts'
import { TcpClient, UdpClient } from './exchange.ts'
import { ManifestFolder, manifestsOf } from './fixtures.ts'
import { hasProgram, missing, namespaceCommand } from './namespace.ts'
import { childEnvironment, freePort, PEREGRINE, ServerProcess, startServer } from './server-process.ts'
import { encodeQuery } from './wire.ts'

const STOP_MS = 1_000
const FAIL_MS = 10_000
const NAME = 'cart.shop.svc.cluster.local'
const linux = platform() === 'linux'

const folder = new ManifestFolder()
let manifests: string[]
before(() => {
  manifests = [folder.write(manifestsOf(CLUSTER_IP))]
})
after(() => folder.remove())

/** Runs the launcher until it ends by itself. */
async function runToEnd(args: readonly string[], prefix: readonly string[] = []) {
  const [command, ...rest] = [...prefix, PEREGRINE, ...args]
  return await new Promise<{ code: number | string | null; stdout: string; stderr: string }>((resolve) => {
    execFile(command!, rest, { timeout: FAIL_MS, env: childEnvironment() }, (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : (error.code ?? error.signal ?? null), stdout, stderr }),
    )
  })
}

/** One line on standard error, nothing like a stack trace, and the exit code. */
function assertOneLine(result: { code: unknown; stderr: string }, code: number, pattern: RegExp): void {
  assert.equal(result.code, code, result.stderr)
  assert.match(result.stderr, pattern)
  assert.equal(result.stderr.trim().split('\n').length, 1, `one line:\n${result.stderr}`)
}

test('the process that was started is Node itself, and the only one', { skip: !linux && 'reads /proc' }, async () => {
  const server = await startServer({ manifests })
  assert.match(readlinkSync(`/proc/${server.child.pid}/exe`), /\/node$/)
  const children = execFileSync('sh', ['-c', `cat /proc/${server.child.pid}/task/*/children`])
    .toString()
    .trim()
  assert.equal(children, '')
  await server.stop()
})

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  for (const transport of linux ? ['io', 'dgram'] : ['dgram']) {
    test(`${signal}: exit 0 within a second, also with connections open (${transport})`, async () => {
      const server = await startServer({ manifests, flags: ['--transport', transport], workers: 2 })
      const idle = new TcpClient(server.endpoint)
      assert(await idle.exchange(encodeQuery({ name: NAME, type: 'A' })))
      const half = new TcpClient(server.endpoint)
      half.write(Buffer.of(0, 40, 1))
      await sleep(50)
      const start = performance.now()
      server.child.kill(signal)
      assert.deepEqual(await server.exit(), { code: 0, signal: null }, server.output)
      assert(performance.now() - start < STOP_MS, `took ${(performance.now() - start).toFixed(0)} ms`)
      idle.close()
      half.close()
    })
  }
}

test('what has arrived before SIGTERM is answered', { skip: !linux && 'stops a process with SIGSTOP' }, async () => {
  const server = await startServer({ manifests })
  // Many sockets, so that none of them overflows with responses.
  const clients = Array.from({ length: 40 }, () => new UdpClient(server.endpoint))
  await clients[0]!.exchange(encodeQuery({ name: NAME, type: 'A', id: 0 }))
  server.child.kill('SIGSTOP') // so that the queries wait in the socket when the signal comes
  const responses = clients.flatMap((client) =>
    Array.from({ length: 100 }, (_, id) => client.exchange(encodeQuery({ name: NAME, type: 'A', id: id + 1 }))),
  )
  await sleep(200)
  server.child.kill('SIGTERM')
  server.child.kill('SIGCONT')
  const answered = (await Promise.all(responses)).filter((response) => response !== undefined)
  assert.equal(answered.length, 4_000)
  assert.deepEqual(await server.exit(), { code: 0, signal: null })
  for (const client of clients) client.close()
})

test('a second signal: exit at once with code 2', async () => {
  const server = await startServer({ manifests })
  const open = new TcpClient(server.endpoint)
  await open.exchange(encodeQuery({ name: NAME, type: 'A' }))
  // Two different signals, since two of a kind that are both pending become one.
  server.child.kill('SIGTERM')
  server.child.kill('SIGINT')
  assert.deepEqual(await server.exit(), { code: 2, signal: null }, server.output)
  open.close()
})

test('wrong flags: exit code 2', async () => {
  for (const args of [
    ['serve', '--no-such-flag'],
    ['serve', '-dns.port', 'fifty-three'],
    ['serve', '-dns.port', '70000'],
    ['serve', '--workers'],
    ['serve', '--pods', 'maybe'],
    ['serve', '--transport', 'pigeon'],
    ['serve', '--ttl', '3601'],
    ['serve', '--bufsize', '100'],
    ['no-such-command'],
  ]) {
    const result = await runToEnd(args)
    assert.equal(result.code, 2, `${args.join(' ')}: ${JSON.stringify(result)}`)
    assert.doesNotMatch(result.stderr, /^\s+at /m, 'no stack trace')
  }
})

test('no manifests at the path: exit code 1', async () => {
  const result = await runToEnd([
    'serve',
    '--manifests',
    `${folder.path}/none.yaml`,
    '-dns.port',
    String(await freePort()),
  ])
  assert.equal(result.code, 1)
  assert.match(result.stdout + result.stderr, /none\.yaml/)
})

test('address in use, UDP', async () => {
  const port = await freePort()
  const socket = createSocket('udp4')
  socket.bind(port, '127.0.0.1')
  await once(socket, 'listening')
  try {
    const result = await runToEnd(['serve', '--manifests', manifests[0]!, '-dns.port', String(port)])
    assertOneLine(result, 1, new RegExp(`127\\.0\\.0\\.1.*${port}.*(in use|EADDRINUSE)`, 'i'))
  } finally {
    socket.close()
  }
})

test('address in use, TCP', async () => {
  const port = await freePort()
  const listener = createServer().listen(port, '127.0.0.1')
  await once(listener, 'listening')
  try {
    const result = await runToEnd(['serve', '--manifests', manifests[0]!, '-dns.port', String(port)])
    assertOneLine(result, 1, new RegExp(`127\\.0\\.0\\.1.*${port}.*(in use|EADDRINUSE)`, 'i'))
  } finally {
    listener.close()
  }
})

test('no such address', async () => {
  const port = String(await freePort())
  const result = await runToEnd(['serve', '--manifests', manifests[0]!, '-dns.port', port, '--listen', '192.0.2.1'])
  assertOneLine(result, 1, new RegExp(`192\\.0\\.2\\.1.*${port}`))
})

test('no permission for port 53', { skip: noPermissionSkip() }, async () => {
  // A namespace of its own, where the first unprivileged port is 1024 whatever the host says, and a user without rights.
  const drop = ['setpriv', '--reuid', '65534', '--regid', '65534', '--clear-groups', '--']
  const up = ['sh', '-c', 'ip link set lo up; exec "$@"', 'sh']
  const result = await runToEnd(
    ['serve', '--manifests', manifests[0]!, '-dns.port', '53'],
    [...namespaceCommand(), ...up, ...drop],
  )
  assertOneLine(result, 1, /:?53\b.*(permi|EACCES)/i)
})

test('an upgrade: the second process serves beside the first, the first stops, nothing is lost', {
  skip: !linux && 'needs SO_REUSEPORT as Linux has it',
  timeout: 60_000,
}, async (context) => {
  const port = await freePort()
  const old = await startServer({ manifests, port, workers: 2 })
  // Each client is another flow to the kernel, which spreads flows over the sockets of both processes. They ask at a steady
  // rate, whether or not they are answered, so that queries are waiting in every socket at any time.
  const clients = Array.from({ length: 32 }, () => new UdpClient(old.endpoint))
  const asked: Promise<Uint8Array | undefined>[] = []
  let id = 0
  const load = setInterval(() => {
    id = (id % 60_000) + 1
    for (const client of clients) asked.push(client.exchange(encodeQuery({ name: NAME, type: 'A', id }), 2_000))
  }, 2)
  await sleep(300)
  const successor = await new ServerProcess({ manifests, port, workers: 2 }).ready()
  await sleep(300)
  old.child.kill('SIGSTOP') // let some gather
  await sleep(100)
  old.child.kill('SIGTERM')
  old.child.kill('SIGCONT')
  assert.deepEqual(await old.exit(), { code: 0, signal: null }, old.output)
  await sleep(300)
  clearInterval(load)
  const lost = (await Promise.all(asked)).filter((octets) => octets === undefined).length
  for (const client of clients) client.close()
  context.diagnostic(`${asked.length} queries, ${lost} lost`)
  assert.equal(lost, 0, `of ${asked.length} queries`)
  const response = await successor.query({ name: NAME, type: 'A' }, true)
  assert.equal(response.answer.length, 1)
  await successor.stop()
})

function noPermissionSkip(): string | false {
  const reason = missing({ setpriv: 'util-linux' })
  if (reason !== false) return reason
  if (process.getuid?.() !== 0 || !hasProgram('setpriv')) return 'needs root, to give up its rights'
  const drop = ['--reuid', '65534', '--regid', '65534', '--clear-groups', '--']
  try {
    for (const path of [PEREGRINE, process.execPath]) execFileSync('setpriv', [...drop, 'test', '-x', path])
    return false
  } catch {
    return 'another user cannot read this checkout'
  }
}
