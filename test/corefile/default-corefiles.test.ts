// Every Corefile that distributions install, and those of users: each is served, with free ports and paths below the working
// directory, and does what its table says. As they are, without any replacement: unchanged.test.ts.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CorefileServer, freePort, WAIT_MS } from './corefile-server.ts'
import { type Fixture, portsOf, RESOLV_CONF, relativePath, textOf, withPorts, withRelativePaths } from './fixture.ts'
import { differences } from './fixture-checks.ts'
import { DISTRIBUTIONS } from './fixtures.ts'
import { CUSTOMIZATIONS } from './fixtures-customized.ts'

for (const fixture of [...DISTRIBUTIONS, ...CUSTOMIZATIONS]) {
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

async function start(fixture: Fixture, ports: ReadonlyMap<number, number>): Promise<CorefileServer> {
  const replaced = (text: string): string => withRelativePaths(withPorts(text, ports))
  const files: Record<string, string> = { [relativePath('/etc/resolv.conf')]: RESOLV_CONF }
  for (const [path, text] of Object.entries(fixture.files ?? {})) {
    files[relativePath(path)] = /\.(override|server)$/.test(path) ? replaced(text) : text
  }
  return await CorefileServer.start({
    text: replaced(textOf(fixture)),
    files,
    port: ports.get(fixture.port ?? 53)!,
    name: fixture.name ?? 'coredns',
  })
}
