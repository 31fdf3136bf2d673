// What a process says and does when it starts by a Corefile: lines of standard output, where the Corefile comes from, pid file, ports in use.

import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { existsSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { afterEach, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { type CorefileOptions, CorefileServer, freePort } from '../corefile/corefile-server.ts'
import { httpPorts, USUAL_QUESTIONS, usualBlock } from './corefiles.ts'

const servers: CorefileServer[] = []
const closing: (() => void)[] = []
afterEach(() => {
  for (const server of servers.splice(0)) if (server.isRunning) server.kill()
  for (const close of closing.splice(0)) close()
})

async function launch(options: CorefileOptions): Promise<CorefileServer> {
  const server = await CorefileServer.launch(options)
  servers.push(server)
  return server
}

async function start(options: CorefileOptions): Promise<CorefileServer> {
  return await (await launch(options)).serving()
}

/** Asks until it is answered: for servers that say nothing. */
async function answered(server: CorefileServer, { query, check } = USUAL_QUESTIONS[0]): Promise<void> {
  for (let tries = 0; tries < 200; tries++) {
    if (!server.isRunning) break
    const response = await server.ask(query, { timeoutMs: 100 }).catch(() => undefined)
    if (response !== undefined) return assert.equal(check(response), '')
    await sleep(50)
  }
  assert.fail(`it does not answer; output:\n${server.output}`)
}

const WHOAMI = '. {\n  whoami\n}\n'

test('the lines of a start', async () => {
  const [port, other] = [await freePort(), await freePort()]
  const text = `.:${port} {
  whoami
  reload
}
a.example:${port} 10.0.0.0/8 {
  whoami
}
b.example:${other} {
  bind 127.0.0.1 ::1
  whoami
}
`
  const server = await start({ text, manifests: [], port })
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))
  assert.deepEqual(server.stdout.slice(0, 8), [
    `.:${port}`,
    `a.example.:${port}`,
    `10.in-addr.arpa.:${port}`,
    `b.example.:${other} on 127.0.0.1`,
    `b.example.:${other} on ::1`,
    // As `sha512sum Corefile` prints it.
    `[INFO] plugin/reload: Running configuration SHA512 = ${createHash('sha512').update(text).digest('hex')}`,
    `peregrine ${version}`,
    `${process.platform}/${process.arch}, node ${process.version}`,
  ])
  assert.deepEqual(server.stderr, [])
})

test('-quiet leaves out listeners and version, and nothing else', async () => {
  const text = usualBlock(await httpPorts(), 'reload')
  const server = await launch({ text, flags: ['-quiet'] })
  await server.line(/^\[INFO\] plugin\/reload: Running configuration SHA512 = [0-9a-f]{128}$/)
  await server.line(/^\[INFO\] plugin\/kubernetes: /)
  assert.ok(!server.stdout.some((line) => !line.startsWith('[')), server.output)
  await answered(server)
})

test('a port in the file beats -dns.port; -p is the same flag, and the last one counts', async () => {
  const [port, other, ignored] = [await freePort(), await freePort(), await freePort()]
  const text = `a.example:${port} {\n  whoami\n}\nb.example {\n  whoami\n}\n`
  const server = await start({ text, manifests: [], port: ignored, flags: ['-p', String(other)] })
  assert.equal((await server.ask({ name: 'x.a.example', type: 'A' }, { port })).rcode, 'NOERROR')
  assert.equal((await server.ask({ name: 'x.b.example', type: 'A' }, { port: other })).rcode, 'NOERROR')
  assert.equal((await server.ask({ name: 'x.a.example', type: 'A' }, { port: other })).rcode, 'REFUSED')
  assert.deepEqual(server.stdout.slice(0, 2), [`a.example.:${port}`, `b.example.:${other}`])
})

test('without -conf it serves by the Corefile of the working directory', async () => {
  const server = await start({ text: 'here.example {\n  whoami\n}\n', conf: [], manifests: [] })
  assert.equal(server.stdout[0], `here.example.:${server.port}`)
})

for (const name of ['coredns', 'node-cache']) {
  test(`${name} without a Corefile tells everybody who asks, and logs it`, async () => {
    const server = await launch({ text: '', conf: [], manifests: [], name, input: '' })
    rmSync(server.path)
    await server.serving()
    assert.equal(server.stdout[0], `.:${server.port}`)
    const { rcode, additional } = await server.ask({ name: 'any.thing', type: 'A' })
    assert.deepEqual([rcode, additional[0].data], ['NOERROR', '127.0.0.1'])
    await server.line(/^\[INFO\] 127\.0\.0\.1:\d+ - \d+ "A IN any\.thing\. udp 27 false 512" NOERROR qr,aa,rd /)
    assert.match(server.stdout[2], new RegExp(`, started as ${name}$`))
  })
}

test('-conf stdin reads a pipe; an empty one is whoami and log for everything', async () => {
  const server = await start({
    text: '',
    conf: ['-conf', 'stdin'],
    manifests: [],
    input: 'in.example {\n  whoami\n}\n',
  })
  assert.equal(server.stdout[0], `in.example.:${server.port}`)
  const empty = await start({ text: '', conf: ['-conf', 'stdin'], manifests: [], input: '' })
  assert.equal(empty.stdout[0], `.:${empty.port}`)
})

test('the pid file is there while it serves, whatever ends it', async () => {
  for (const signal of ['SIGTERM', 'SIGQUIT'] as const) {
    const server = await launch({ text: WHOAMI, manifests: [], flags: ['-pidfile', 'pid'] })
    const path = join(server.folder, 'pid')
    await server.serving()
    assert.equal(readFileSync(path, 'utf8'), `${server.child.pid}\n`)
    // Its folder goes with it: another link to the same place tells.
    const watched = new Promise((resolve) => server.child.once('exit', () => resolve(existsSync(path))))
    server.signal(signal)
    assert.equal(await watched, false, signal)
    assert.equal((await server.exit()).code, 0)
  }
})

test('without a place for its pid file it serves all the same', async () => {
  const server = await start({ text: WHOAMI, manifests: [], flags: ['-pidfile', 'no/such/folder/pid'] })
  assert.ok(
    server.stdout.some((line) => /^\[WARNING\] No pid file: ENOENT/.test(line)),
    server.output,
  )
  assert.equal(await server.stop(), 0)
})

test('a warning at the start, where it says so in the file', async () => {
  const server = await start({ text: '. {\n  whoami\n  import custom/*.override\n}\n', manifests: [] })
  assert.match(server.stdout[0], /^\[WARNING\] .*No files matching import glob pattern: custom\/\*\.override$/)
})

// ---- ports in use ----

async function occupyTcp(port: number): Promise<void> {
  const server = createServer().listen(port, '127.0.0.1')
  await once(server, 'listening')
  closing.push(() => server.close())
}

async function occupyUdp(port: number): Promise<void> {
  const socket = createSocket('udp4').bind(port, '127.0.0.1')
  await once(socket, 'listening')
  closing.push(() => socket.close())
}

for (const [what, occupy] of [
  ['TCP', occupyTcp],
  ['UDP', occupyUdp],
] as const) {
  test(`a port that somebody else has for ${what}: exit 1, and where`, async () => {
    const port = await freePort()
    await occupy(port)
    const server = await launch({ text: '. {\n  bind 127.0.0.1\n  whoami\n}\n', port, manifests: [] })
    assert.equal((await server.exit()).code, 1)
    assert.match(server.output, new RegExp(`127\\.0\\.0\\.1.*${port}.*in use`))
    assert.doesNotMatch(server.output, /\n\s+at /)
  })
}

for (const endpoint of ['health', 'ready', 'metrics'] as const) {
  test(`the port of ${endpoint} is in use: exit 1, and where`, async () => {
    const http = await httpPorts()
    await occupyTcp(http[endpoint])
    const server = await launch({ text: usualBlock(http) })
    assert.equal((await server.exit()).code, 1)
    assert.match(
      server.stderr.join('\n'),
      new RegExp(`^peregrine: listen tcp 127\\.0\\.0\\.1:${http[endpoint]}: .*EADDRINUSE`),
    )
    assert.ok(!server.stdout.some((line) => line.startsWith('.:')), 'it does not say that it serves')
  })
}

test('two processes of ours share all ports', async () => {
  const http = await httpPorts()
  const first = await start({ text: usualBlock(http) })
  const second = await start({ text: usualBlock(http), port: first.port })
  assert.equal(await first.stop(), 0)
  await answered(second)
  assert.equal((await second.get('/health', http.health)).body, 'OK')
  assert.equal(await second.stop(), 0)
})

test('more addresses and ports than can be watched: exit 1; as many as can be are served', async () => {
  const MOST = 62
  const ports: number[] = []
  while (ports.length <= MOST) {
    const port = await freePort()
    if (!ports.includes(port)) ports.push(port)
  }
  const block = (port: number): string => `a.example:${port} {\n  bind 127.0.0.1\n  whoami\n}\n`
  const many = await launch({ text: ports.map(block).join(''), manifests: [] })
  assert.equal((await many.exit()).code, 1)
  assert.match(many.stderr.join('\n'), /^peregrine: 63 addresses and ports to serve .*: at most 62$/)
  const server = await start({ text: ports.slice(1).map(block).join(''), manifests: [], workers: 2 })
  for (const port of [ports[1], ports.at(-1)!]) {
    for (const tcp of [false, true]) {
      assert.equal((await server.ask({ name: 'x.a.example', type: 'A' }, { port, tcp })).rcode, 'NOERROR')
    }
  }
  // A reload to too many is refused.
  const from = server.mark
  server.write(ports.map(block).join(''))
  server.signal('SIGUSR1')
  await server.line(/^\[ERROR\] Restart failed: 63 addresses and ports/, from)
  assert.equal((await server.ask({ name: 'x.a.example', type: 'A' }, { port: ports[1] })).rcode, 'NOERROR')
})
