// The stand-in as a process: what it prints, its commands, and that a kubeconfig and a service account lead to it.

import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { KubeconfigFolder } from './kubeconfig.ts'
import type { ChangeReport, Command } from './main.ts'
import { fixture } from './server.ts'
import { TestClient } from './test-client.ts'

const TIMEOUT = { timeout: 60_000 }

test('a process with commands', TIMEOUT, async (t) => {
  const flags = ['--services', '50', '--endpoints', '3', '--headless', '0.5']
  const child = spawn(process.execPath, [fileURLToPath(new URL('main.ts', import.meta.url)), ...flags], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  t.after(() => child.kill())
  const exited = new Promise((resolve) => child.on('exit', resolve))
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const next = async () => JSON.parse((await lines.next()).value!)
  const say = (command: Command) => child.stdin.write(`${JSON.stringify(command)}\n`)
  const hello = await next()
  assert.equal(hello.event, 'listening')
  const config = JSON.parse(readFileSync(hello.kubeconfig, 'utf8'))
  assert.equal(config.clusters[0].cluster.server, hello.url)
  const client = new TestClient(hello.url, 'h2')
  t.after(() => client.close())
  const token = config.users[0].user.token as string
  const { metadata } = await client.json('/apis/discovery.k8s.io/v1/endpointslices', { token })
  const path = `/apis/discovery.k8s.io/v1/endpointslices?watch=1&resourceVersion=${metadata.resourceVersion}`
  const watch = await client.open(path, { token })
  say({ do: 'changes', rate: 200, seconds: 0.1, headless: true })
  const reports: ChangeReport[] = []
  for (let i = 0; i < 20; i++) reports.push(await next())
  assert.equal((await next()).do, 'changes')
  const events = await watch.events(20)
  for (const [i, { hostname, address, version, atMs }] of reports.entries()) {
    const { object } = events[i]
    assert.equal(object.metadata.resourceVersion, String(version))
    const endpoint = object.endpoints.find((each: { hostname: string }) => each.hostname === hostname)
    assert.deepEqual(endpoint.addresses, [address])
    assert.ok(i === 0 || atMs > reports[i - 1].atMs)
  }
  assert.ok(reports[19].atMs - reports[0].atMs >= 90, 'at the pace that was asked for')
  say({ do: 'stop', forget: true })
  assert.equal((await next()).do, 'stop')
  assert.notEqual(await watch.end(), 'end')
  say({ do: 'start' })
  say({ do: 'remove', service: 7 })
  await next()
  assert.equal((await next()).do, 'remove')
  const { items } = await client.json('/api/v1/services', { token })
  assert.equal(items.length, 50, 'and the one of the API server')
  say({ do: 'quit' })
  assert.equal(await exited, 0)
  assert.ok(!existsSync(hello.kubeconfig))
})

test('kubeconfigs name what is there', (t) => {
  const folder = new KubeconfigFolder()
  t.after(() => folder.remove())
  const server = 'https://127.0.0.1:1'
  const path = folder.write([
    { name: 'a', server, credentials: { type: 'token-file', token: 'first' }, authority: 'file' },
    {
      name: 'b',
      server,
      credentials: { type: 'exec', token: 'printed' },
      authority: 'insecure',
      proxyUrl: 'http://p:1',
    },
    { name: 'c', server, credentials: { type: 'certificate', inline: false }, namespace: 'shop' },
    { name: 'd', server, credentials: { type: 'certificate', inline: true }, authority: 'other' },
  ])
  const { clusters, users, contexts, ...rest } = JSON.parse(readFileSync(path, 'utf8'))
  assert.equal(rest['current-context'], 'a')
  assert.deepEqual(contexts[2].context, { cluster: 'c-cluster', user: 'c-user', namespace: 'shop' })
  assert.equal(readFileSync(clusters[0].cluster['certificate-authority'], 'utf8'), fixture('ca.pem'))
  assert.equal(readFileSync(users[0].user.tokenFile, 'utf8'), 'first')
  assert.equal(users[0].user.tokenFile, folder.tokenFile('a'))
  assert.deepEqual(clusters[1].cluster, { server, 'proxy-url': 'http://p:1', 'insecure-skip-tls-verify': true })
  const { command, apiVersion } = users[1].user.exec
  const printed = JSON.parse(execFileSync(command, { encoding: 'utf8' }))
  assert.deepEqual([printed.apiVersion, printed.status.token], [apiVersion, 'printed'])
  assert.equal(readFileSync(join(folder.path, 'b-exec.calls'), 'utf8'), 'call\n')
  assert.equal(readFileSync(users[2].user['client-key'], 'utf8'), fixture('client-key.pem'))
  assert.equal(Buffer.from(users[3].user['client-certificate-data'], 'base64').toString(), fixture('client.pem'))
  assert.equal(
    Buffer.from(clusters[3].cluster['certificate-authority-data'], 'base64').toString(),
    fixture('other-ca.pem'),
  )
})

test('a service account as a kubelet mounts it, and rotates it', (t) => {
  const folder = new KubeconfigFolder()
  t.after(() => folder.remove())
  const mounted = folder.writeServiceAccount({ token: 'one' })
  const read = (name: string) => readFileSync(join(mounted, name), 'utf8')
  assert.deepEqual([read('token'), read('namespace'), read('ca.crt')], ['one', 'kube-system', fixture('ca.pem')])
  assert.equal(folder.writeServiceAccount({ token: 'two' }), mounted)
  assert.equal(read('token'), 'two')
})
