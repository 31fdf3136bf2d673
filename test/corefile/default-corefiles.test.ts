// Every Corefile that distributions install, and those of users: each is served, with free ports and paths below the working
// directory, forwards to another server (upstreams.ts), and does what its table says. As they are, without any replacement: unchanged.test.ts.

import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { CorefileServer, freePort, WAIT_MS } from './corefile-server.ts'
import { type Ask, type Fixture, KEPT, portsOf, relativePath, textOf, withPorts, withRelativePaths } from './fixture.ts'
import { differences, wrongAnswers } from './fixture-checks.ts'
import { DISTRIBUTIONS } from './fixtures.ts'
import { CUSTOMIZATIONS } from './fixtures-customized.ts'
import { Upstreams } from './upstreams.ts'

const FIXTURES = [...DISTRIBUTIONS, ...CUSTOMIZATIONS]
let upstreams: Upstreams

before(async () => {
  upstreams = await Upstreams.start(FIXTURES.flatMap((each) => [textOf(each), ...Object.values(each.files ?? {})]))
})
after(() => upstreams?.stop())

for (const fixture of FIXTURES) {
  const { file, title = '', address } = fixture
  const skip = address === undefined ? false : `needs ${address}: unchanged.test.ts has it`
  test(`${file} ${title}`.trim(), { skip, timeout: 2 * WAIT_MS }, async () => {
    const ports = new Map<number, number>()
    for (const port of portsOf(fixture)) ports.set(port, await freePort())
    const server = await start(fixture, ports)
    try {
      const found = await differences(server, fixture, (port) => ports.get(port)!)
      assert.equal(found.length, 0, `\n${found.join('\n')}`)
      assert.equal(await server.stop('SIGQUIT'), 0)
    } finally {
      server.kill()
    }
  })
}

test('kubeadm whose upstream goes away', { timeout: 2 * WAIT_MS }, async () => {
  const fixture = DISTRIBUTIONS.find(({ file }) => file === 'kubeadm')!
  const [port, health, ready, metrics] = await Promise.all([freePort(), freePort(), freePort(), freePort()])
  const ports = new Map([53, 8080, 8181, 9153].map((each, i) => [each, [port, health, ready, metrics][i]]))
  const own = await Upstreams.start([textOf(fixture)])
  const server = await start(fixture, ports, own)
  try {
    const cluster: Ask = ['cart.shop.svc.cluster.local. A', ['30 A 10.101.37.152']]
    assert.deepEqual(await wrongAnswers(server, [['www.example.net. A', ['30 A 192.0.2.99'], KEPT], cluster]), [])
    await own.stop()
    const kept: Ask = ['www.example.net. A', ['30 A 192.0.2.99'], { forwarded: 'hit' }]
    assert.deepEqual(await wrongAnswers(server, [kept, ['other.example.net. A', 'SERVFAIL'], cluster]), [])
    await server.line(/^\[ERROR\] plugin\/errors: 2 other\.example\.net\. A: (read|write|dial) (udp|tcp) \S+: \S/)
    assert.equal(await server.stop('SIGQUIT'), 0)
  } finally {
    server.kill()
    await own.stop()
  }
})

async function start(
  fixture: Fixture,
  ports: ReadonlyMap<number, number>,
  others: Upstreams = upstreams,
): Promise<CorefileServer> {
  const replaced = (text: string): string => withRelativePaths(withPorts(others.replaced(text), ports))
  const files: Record<string, string> = {}
  for (const [path, text] of Object.entries(fixture.files ?? {})) {
    files[relativePath(path)] = /\.(override|server)$/.test(path) ? replaced(text) : text
  }
  return await CorefileServer.start({
    text: replaced(textOf(fixture)),
    files,
    port: ports.get(fixture.port ?? 53)!,
    name: fixture.name ?? 'coredns',
    env: others.env,
  })
}
