// Runs against servers that others made: Unbound over TCP, TLS and HTTPS; and our own over TCP.

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { LoadSession } from '../../../src/load/session.ts'
import { CLUSTER_IP } from '../../server/cluster-dns-fixtures.ts'
import { ManifestFolder, manifestsOf } from '../../server/fixtures.ts'
import { hasProgram } from '../../server/namespace.ts'
import { freePort, startServer } from '../../server/server-process.ts'
import { tableOf } from '../engine/tables.ts'
import { assertCounts, CERTIFICATE, streamSpec, streamTarget } from './runs.ts'

const SERVICE = 'cart.shop.svc.cluster.local'
const TABLE = tableOf([SERVICE, `nothing.${SERVICE}`])
const PASSES = 150
const SENT = PASSES * TABLE.count
const LISTEN_MS = 10_000
const SCHEDULES = [
  { kind: 'open', rate: 2000 },
  { kind: 'closed', outstanding: 20 },
] as const

let session: LoadSession
before(async () => {
  session = await LoadSession.start(TABLE, { workers: 1, cores: [] })
})
after(() => session.close())

/** Waits until somebody listens. @throws AssertionError after LISTEN_MS */
async function listening(port: number): Promise<void> {
  for (const endMs = performance.now() + LISTEN_MS; ; await sleep(20)) {
    const socket = connect(port, '127.0.0.1')
    try {
      await once(socket, 'connect')
      return
    } catch (error) {
      assert.ok(performance.now() < endMs, `nobody listens: ${error}`)
    } finally {
      socket.destroy()
    }
  }
}

test('Peregrine over TCP', async () => {
  const folder = new ManifestFolder()
  const server = await startServer({ manifests: [folder.write(manifestsOf(CLUSTER_IP))] })
  try {
    for (const schedule of SCHEDULES) {
      const target = streamTarget('tcp', server.endpoint.port)
      const result = await session.run(streamSpec(target, { schedule, passes: PASSES }))
      assertCounts(result, { sent: SENT, answered: SENT })
      assert.deepEqual(result.rcodes.slice(0, 4), [PASSES, 0, 0, PASSES])
    }
  } finally {
    await server.stop()
    folder.remove()
  }
})

const skip = hasProgram('unbound') ? false : 'SKIPPED: needs unbound: apt-get install unbound'
test('Unbound over TCP, TLS and HTTPS', { skip }, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'load-unbound-'))
  const ports = { tcp: await freePort(), tls: await freePort(), https: await freePort() }
  const configuration = [
    'server:',
    `directory: "${folder}"`,
    'chroot: ""',
    'username: ""',
    `pidfile: "${join(folder, 'pid')}"`,
    'use-syslog: no',
    'do-daemonize: no',
    'num-threads: 1',
    ...Object.values(ports).map((port) => `interface: 127.0.0.1@${port}`),
    `tls-port: ${ports.tls}`,
    `https-port: ${ports.https}`,
    `tls-service-key: "${CERTIFICATE.keyFile}"`,
    `tls-service-pem: "${CERTIFICATE.certFile}"`,
    `local-zone: "${SERVICE}." static`,
    `local-data: "${SERVICE}. 5 IN A 10.96.0.10"`,
    'remote-control:',
    'control-enable: no',
    '',
  ]
  writeFileSync(join(folder, 'unbound.conf'), configuration.join('\n'))
  const child = spawn('unbound', ['-d', '-c', join(folder, 'unbound.conf')], { stdio: 'ignore' })
  try {
    for (const transport of ['tcp', 'tls', 'https'] as const) {
      await listening(ports[transport])
      for (const schedule of SCHEDULES) {
        const target = streamTarget(transport, ports[transport])
        const result = await session.run(streamSpec(target, { schedule, passes: PASSES }))
        assertCounts(result, { sent: SENT, answered: SENT })
        assert.equal(result.connections, 2)
        assert.deepEqual(result.rcodes.slice(0, 4), [PASSES, 0, 0, PASSES], transport)
      }
    }
  } finally {
    child.kill('SIGKILL')
    await once(child, 'exit')
    rmSync(folder, { recursive: true, force: true })
  }
})
