// How connections are made: whom TLS trusts, what is said when there is no server, and what happens when it goes and comes back.

import assert from 'node:assert/strict'
import { createServer as createHttpsServer } from 'node:https'
import { createServer, type Server } from 'node:net'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { RunResult, Target, Transport } from '../../../src/load/run.ts'
import { LoadSession, RunError } from '../../../src/load/session.ts'
import { CLUSTER_IP } from '../../server/cluster-dns-fixtures.ts'
import { ManifestFolder, manifestsOf } from '../../server/fixtures.ts'
import { freePort, startServer } from '../../server/server-process.ts'
import { tableOf } from '../engine/tables.ts'
import { type Certificate, makeCertificate } from './certificate.ts'
import { answer, FramedServer } from './framed-server.ts'
import { HttpsServer, answer as respond } from './https-server.ts'
import { assertAllCounted, assertCounts, CERTIFICATE, streamSpec, streamTarget, until } from './runs.ts'
import { session } from './session.ts'

/** Asserts that a run cannot be made, and that the one after it can. */
async function refuses(target: Target, code: string, message: RegExp): Promise<void> {
  await assert.rejects(session.run(streamSpec(target)), (error: unknown) => {
    assert.ok(error instanceof RunError)
    assert.match(error.message, message)
    assert.ok(error.message.startsWith(`server ${target.label}: `), error.message)
    assert.equal(error.code, code)
    return true
  })
  const server = await FramedServer.open(answer)
  try {
    assertCounts(await session.run(streamSpec(streamTarget('tcp', server.port))), {})
  } finally {
    server.close()
  }
}

async function listening<Kind extends Server>(server: Kind): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return (server.address() as { port: number }).port
}

for (const transport of ['tcp', 'tls', 'https'] as const) {
  test(`${transport}: nobody listens`, async () => {
    await refuses(streamTarget(transport, await freePort()), 'ECONNREFUSED', /connect ECONNREFUSED 127\.0\.0\.1:\d+$/)
  })
}

const OTHERS = makeCertificate('others', 'DNS:dns.example')

async function secureServer(transport: Transport, certificate: Certificate): Promise<FramedServer | HttpsServer> {
  return transport === 'tls'
    ? await FramedServer.open(answer, certificate)
    : await HttpsServer.open(respond, certificate)
}

for (const transport of ['tls', 'https'] as const) {
  test(`${transport}: certificates are checked`, async () => {
    const server = await secureServer(transport, OTHERS)
    try {
      const target = streamTarget(transport, server.port)
      await refuses(target, 'DEPTH_ZERO_SELF_SIGNED_CERT', /its certificate is not accepted: self-signed certificate/)
      assertCounts(await session.run(streamSpec({ ...target, verifiesCertificate: false })), {})
    } finally {
      server.close()
    }
  })

  test(`${transport}: names are checked, and asked for`, async () => {
    const server = await secureServer(transport, CERTIFICATE)
    try {
      const target = streamTarget(transport, server.port)
      const altname = 'ERR_TLS_CERT_ALTNAME_INVALID'
      await refuses({ ...target, serverName: 'other.example' }, altname, /not accepted: .*other\.example/)
      // Without a name it is the address that the certificate has to be for.
      await refuses({ ...target, serverName: '' }, altname, /not accepted: .*127\.0\.0\.1/)
      const asked = server.handshakes.length
      assertCounts(await session.run(streamSpec(target)), {})
      const protocol = transport === 'tls' ? 'dot' : 'h2'
      assert.deepEqual(server.handshakes.slice(asked), [
        [protocol, 'dns.example'],
        [protocol, 'dns.example'],
      ])
    } finally {
      server.close()
    }
  })

  test(`${transport}: a server that does not speak TLS`, async () => {
    const server = createServer((socket) => {
      socket.on('error', () => {})
      socket.end('this is not TLS at all\r\n')
    })
    const port = await listening(server)
    await refuses(streamTarget(transport, port), 'ERR_SSL_WRONG_VERSION_NUMBER', /wrong version number/)
    server.close()
  })

  test(`${transport}: a server that hangs up`, async () => {
    const server = createServer((socket) => {
      socket.on('error', () => {})
      socket.once('data', () => socket.destroy())
    })
    const port = await listening(server)
    await refuses(streamTarget(transport, port), 'ECONNRESET', /\S/)
    server.close()
  })
}

test('https: a server of HTTP/1.1', async () => {
  const plain = createHttpsServer({ cert: CERTIFICATE.cert, key: CERTIFICATE.key, ALPNCallback: () => undefined })
  const port = await listening(plain)
  const alert = 'ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL'
  await refuses(streamTarget('https', port), alert, /alert no application protocol/)
  plain.close()
  // One that does not take part in the choice of a protocol (RFC 7301) at all.
  const deaf = await FramedServer.open(() => {}, CERTIFICATE, null)
  await refuses(streamTarget('https', deaf.port), 'NO_HTTP2', /does not speak HTTP\/2/)
  deaf.close()
})

test('where some connections can be made, the others are tried again at a bounded rate', async () => {
  const server = await FramedServer.open(answer)
  server.connectionsMax = 1
  const beganMs = performance.now()
  const schedule = { kind: 'open', rate: 200 } as const
  const target = streamTarget('tcp', server.port)
  const result = await session.run(
    streamSpec(target, { sockets: 4, schedule, passes: 0, durationMs: 1000, timeoutMs: 300 }),
  )
  const seconds = (performance.now() - beganMs) / 1000
  server.close()
  assertAllCounted(result)
  assert.ok(result.answered > 150, `${result.answered} answered`)
  // Of three places in the first second: 0, 10, 110, 310 and 710 ms, and one more for what is late.
  const tries = server.peers.length
  assert.ok(tries <= 1 + 3 * (6 + 2 * seconds), `${tries} tries in ${seconds} s`)
})

test('a server is killed in the middle, and comes back', async () => {
  const folder = new ManifestFolder()
  const manifests = [folder.write(manifestsOf(CLUSTER_IP))]
  const table = tableOf(['cart.shop.svc.cluster.local', 'nothing.shop.svc.cluster.local'])
  const own = await LoadSession.start(table, { workers: 1, cores: [] })
  const abort = new AbortController()
  let server = await startServer({ manifests })
  const { port } = server.endpoint
  let answers = 0
  let run: Promise<RunResult> | undefined
  try {
    const schedule = { kind: 'open', rate: 200 } as const
    const spec = streamSpec(streamTarget('tcp', port), { schedule, passes: 0, timeoutMs: 300, sampleEvery: 1 })
    const samples = (batch: readonly unknown[]): void => {
      answers += batch.length
    }
    run = own.run(spec, { samples }, [], abort.signal)
    run.catch(() => {})
    await until('it answers', () => answers > 0)
    server.child.kill('SIGKILL')
    await server.exit()
    const goneMs = performance.now()
    await sleep(600)
    const answersBefore = answers
    server = await startServer({ manifests, port })
    const goneSeconds = (performance.now() - goneMs) / 1000
    await until('it answers again', () => answers > answersBefore)
    abort.abort()
    const result = await run
    assertAllCounted(result)
    assert.ok(result.unsent < 20, `${result.unsent} unsent`)
    assert.deepEqual(
      [...result.rcodes.entries()].filter(([, times]) => times > 0).map(([rcode]) => rcode),
      [0, 3],
    )
    const refused = result.errors.ECONNREFUSED
    assert.ok(refused >= 2 && refused <= 2 * (5 + goneSeconds), `${refused} refused in ${goneSeconds} s`)
    assert.ok(result.errors['query that no connection took in time'] > 50)
    assert.ok(result.lost > 50)
    // Two that were there, two for them, and those that were gone again before they were of use.
    assert.ok(result.connections >= 4)
  } finally {
    abort.abort()
    await run?.catch(() => {})
    await own.close()
    server.child.kill('SIGKILL')
    await server.exit()
    folder.remove()
  }
})
