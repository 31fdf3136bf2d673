// The server as a process, asked over UDP without a pause, while the API server's process is killed and comes back: not one
// query goes unanswered, and nothing that exists is ever denied.

import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { Cluster } from '../apiserver/cluster.ts'
import { Store } from '../apiserver/store.ts'
import { freePort, ServerProcess, startServer } from '../server/server-process.ts'
import { ApiProcess } from './api-process.ts'

const SERVICES = 1000
const ARGS = ['--services', String(SERVICES), '--endpoints', '3']
const AWAY_MS = 1500
const WAIT_MS = 20_000

/** The same in every run: see cluster.ts. */
const cluster = new Cluster(new Store(), { services: SERVICES, endpointsPerService: 3 })
const nameOf = (n: number): string => `${cluster.nameOf(n)}.${cluster.namespaceOf(n)}.svc.cluster.local`

async function serve(t: TestContext, api: ApiProcess): Promise<ServerProcess> {
  const server = await startServer({ manifests: [], flags: ['--kubeconfig', api.kubeconfig, '--state-dir', 'off'] })
  t.after(() => server.child.kill('SIGKILL'))
  return server
}

/** Asks for one Service after the other until `ended`; those with odd numbers may go. */
async function askOn(server: ServerProcess, ended: AbortSignal): Promise<{ asked: number; wrong: string[] }> {
  const wrong: string[] = []
  let asked = 0
  for (let n = 0; !ended.aborted; n = (n + 2) % SERVICES) {
    const { rcode, answer } = await server.query({ name: nameOf(n), type: 'A' })
    asked++
    if (rcode !== 'NOERROR' || answer.length === 0) wrong.push(`${nameOf(n)}: ${rcode}`)
    if (asked % 50 === 0) await sleep(1)
  }
  return { asked, wrong }
}

async function isGone(server: ServerProcess, n: number): Promise<void> {
  for (const limit = performance.now() + WAIT_MS; ; await sleep(5)) {
    if ((await server.query({ name: nameOf(n), type: 'A' })).rcode === 'NXDOMAIN') return
    assert.ok(performance.now() < limit, `${nameOf(n)} goes; it printed:\n${server.output}`)
  }
}

test('the API server is killed, and another one takes its place', async (t) => {
  const api = await ApiProcess.start(t, ARGS)
  const server = await serve(t, api)
  const ended = new AbortController()
  const asking = askOn(server, ended.signal)
  await sleep(1100)
  await api.kill()
  await sleep(AWAY_MS)
  const next = await ApiProcess.start(t, [...ARGS, '--port', String(api.port)])
  const startedAt = performance.now()
  await next.obey({ do: 'remove', service: 1 })
  await isGone(server, 1)
  t.diagnostic(`a change is served ${(performance.now() - startedAt).toFixed(0)} ms after the server's return`)

  // And once more: this one forgets what it has said.
  await next.obey({ do: 'stop', forget: true })
  await next.obey({ do: 'remove', service: 3 })
  await next.obey({ do: 'compact' })
  await next.obey({ do: 'start' })
  await isGone(server, 3)
  ended.abort()
  const { asked, wrong } = await asking
  t.diagnostic(`${asked} queries`)
  assert.ok(asked > 1000)
  assert.deepEqual(wrong, [])
  await server.stop()
})

test('the server is stopped while the API server is frozen, and while it is away', async (t) => {
  const api = await ApiProcess.start(t, ARGS)
  const [first, second] = [await serve(t, api), await serve(t, api)]
  api.freeze()
  await sleep(500)
  await first.stop()
  api.thaw()
  await api.kill()
  await sleep(500)
  assert.equal((await second.query({ name: nameOf(0), type: 'A' })).rcode, 'NOERROR')
  await second.stop()
})

test('the API server is frozen at the start: SERVFAIL, then all that there is', async (t) => {
  const api = await ApiProcess.start(t, ARGS)
  api.freeze()
  const flags = ['--kubeconfig', api.kubeconfig, '--state-dir', 'off', '--startup_timeout', '300ms']
  const server = new ServerProcess({ manifests: [], flags, port: await freePort() })
  t.after(() => server.child.kill('SIGKILL'))
  await server.printed(/not everything is known after 300 ms: .*services is still being listed/, WAIT_MS)
  await server.printed(/^listening/m, WAIT_MS)
  for (const name of [nameOf(0), 'none.ns-0000.svc.cluster.local']) {
    assert.equal((await server.query({ name, type: 'A' })).rcode, 'SERVFAIL', name)
  }
  api.thaw()
  await server.ready()
  assert.equal((await server.query({ name: nameOf(0), type: 'A' })).rcode, 'NOERROR')
  assert.equal((await server.query({ name: 'none.ns-0000.svc.cluster.local', type: 'A' })).rcode, 'NXDOMAIN')
  await server.stop()
})
