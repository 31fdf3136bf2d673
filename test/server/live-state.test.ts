// The last good state on disk, seen from outside: when it is written, what a server makes of it without an API server, and what it
// does with files that are damaged or another's (cluster-dns.md §3.2).

import assert from 'node:assert/strict'
import {
  copyFileSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { temporaryName } from '../../src/kube/replaced-file.ts'
import {
  answer,
  assertAnswers,
  becomes,
  LiveCluster,
  namespace,
  SHOP,
  service,
  slice,
  until,
  WAIT_MS,
} from './live-cluster.ts'
import type { ServerProcess } from './server-process.ts'

const KNOWN = {
  'cart.shop~': 'A 10.96.0.10',
  'pg.shop~': 'A 10.1.0.11 A 10.1.0.12',
  'pg-0.pg.shop~ AAAA': 'NODATA',
  '10.1.0.11! PTR': 'PTR pg-0.pg.shop~',
  'shop~': 'NODATA',
}
const KEPT = { keepsState: true }

async function withCluster(run: (cluster: LiveCluster) => Promise<void>): Promise<void> {
  const cluster = await LiveCluster.start()
  try {
    cluster.put(...SHOP)
    await run(cluster)
  } finally {
    await cluster.close()
  }
}

/** Follows the cluster for a moment, so that there is a state file. */
async function makeState(cluster: LiveCluster, flags: readonly string[] = []): Promise<void> {
  await (await cluster.serve(flags, KEPT)).stop()
  assert.ok(statSync(cluster.stateFile).size > 0)
}

/** Starts from the file alone. */
async function startOffline(cluster: LiveCluster, flags: readonly string[] = []): Promise<ServerProcess> {
  await cluster.api.stop()
  const server = await cluster.launch(['--startup_timeout', '1h', ...flags], KEPT)
  await server.printed(/^serving the state of \S+, \d+ s old, until the API server confirms it$/m, WAIT_MS)
  return server
}

test('written soon after everything is known, for its user only', () =>
  withCluster(async (cluster) => {
    const server = await cluster.serve([], KEPT)
    await until(() => cluster.stateFiles().includes('state.peregrine'), 'a state file is written')
    assert.equal(statSync(cluster.stateFile).mode & 0o777, 0o600)
    const first = readFileSync(cluster.stateFile)
    cluster.put(service('shop/late', ['10.96.0.11']))
    await becomes(server, { 'late.shop~': 'A 10.96.0.11' })
    await until(() => !readFileSync(cluster.stateFile).equals(first), 'what changes is written too')
    server.disconnect()
    server.child.kill('SIGKILL')
    await server.exit()
    const again = await startOffline(cluster)
    await assertAnswers(again, { ...KNOWN, 'late.shop~': 'A 10.96.0.11' })
    assert.deepEqual(cluster.stateFiles(), ['state.peregrine'])
    await again.stop()
  }))

test('written when the server is stopped, with the last change', () =>
  withCluster(async (cluster) => {
    const server = await cluster.serve([], KEPT)
    for (let last = 20; last < 24; last++) {
      cluster.put(service('shop/cart', [`10.96.0.${last}`]), slice('shop/pg-1', 'pg', [`10.1.0.${last} pg-0`]))
      await becomes(server, { 'cart.shop~': `A 10.96.0.${last}`, 'pg.shop~': `A 10.1.0.${last}` })
    }
    await server.stop()
    const again = await startOffline(cluster)
    await assertAnswers(again, { 'cart.shop~': 'A 10.96.0.23', 'pg.shop~': 'A 10.1.0.23', 'pg-1.pg.shop~': 'SERVFAIL' })
    await again.stop()
    const third = await startOffline(cluster)
    await assertAnswers(third, { 'cart.shop~': 'A 10.96.0.23' })
    await third.stop()
  }))

test('without an API server: known names at once, of all others nobody can say', () =>
  withCluster(async (cluster) => {
    await makeState(cluster)
    const server = await startOffline(cluster)
    await assertAnswers(server, {
      ...KNOWN,
      'missing.shop~': 'SERVFAIL',
      'ghost~': 'SERVFAIL',
      '10.9.9.9! PTR': 'SERVFAIL',
    })
    await sleep(200)
    assert.doesNotMatch(server.output, /^ready$/m)
    await server.stop()
    const impatient = await startOffline(cluster, ['--startup_timeout', '100ms'])
    await impatient.printed(/^listening: /m, WAIT_MS)
    await assertAnswers(impatient, { ...KNOWN, 'missing.shop~': 'SERVFAIL' })
    assert.doesNotMatch(impatient.output, /not everything is known/)
    await impatient.stop()
  }))

test('a cluster that has changed meanwhile replaces the state in one publication', () =>
  withCluster(async (cluster) => {
    for (let i = 0; i < 30; i++) cluster.put(service(`shop/old-${i}`, [`10.96.1.${i + 1}`]))
    await makeState(cluster)
    const server = await startOffline(cluster)
    await assertAnswers(server, { 'old-0.shop~': 'A 10.96.1.1', 'new-0.shop~': 'SERVFAIL' })
    for (let i = 0; i < 30; i++) {
      cluster.api.store.remove('services', `shop/old-${i}`)
      cluster.put(service(`shop/new-${i}`, [`10.96.1.${i + 1}`]))
    }
    cluster.api.store.remove('endpointslices', 'shop/pg-1')
    cluster.put(slice('shop/pg-2', 'pg', ['10.1.0.99']))
    await cluster.api.start()
    // Asked in turn: once a new name is there, no old one is; as long as an old one is, no new one was.
    while (!/^ready$/m.test(server.output)) {
      const fresh = await answer(server, `new-${Math.floor(performance.now()) % 30}.shop~`)
      const old = await answer(server, `old-${Math.floor(performance.now()) % 30}.shop~`)
      if (fresh.startsWith('A ')) assert.ok(!old.startsWith('A '), 'old and new in one version')
      assert.notEqual(fresh === 'NXDOMAIN' && !old.startsWith('A '), true, 'neither old nor new')
    }
    await assertAnswers(server, {
      'cart.shop~': 'A 10.96.0.10',
      'new-7.shop~': 'A 10.96.1.8',
      'old-7.shop~': 'NXDOMAIN',
      'pg.shop~': 'A 10.1.0.99',
      'pg-0.pg.shop~': 'NXDOMAIN',
      '10.96.1.8! PTR': 'PTR new-7.shop~',
      '10.1.0.11! PTR': 'NXDOMAIN',
    })
    cluster.put(service('shop/later', ['10.96.2.1']))
    await becomes(server, { 'later.shop~': 'A 10.96.2.1' })
    await server.stop()
  }))

test('an API server that confirms what is served: ready, and nothing else changes', () =>
  withCluster(async (cluster) => {
    await makeState(cluster)
    const server = await startOffline(cluster)
    await cluster.api.start()
    await server.printed(/^ready$/m, WAIT_MS)
    await assertAnswers(server, { ...KNOWN, 'missing.shop~': 'NXDOMAIN' })
    await server.stop()
  }))

const damages: Record<string, (file: string) => void> = {
  'an octet of the index': (file) => flip(file, 5000),
  'an octet of its header': (file) => flip(file, 20),
  'its last octet': (file) => flip(file, statSync(file).size - 1),
  'half of it is missing': (file) => truncateSync(file, Math.floor(statSync(file).size / 2)),
  'it is empty': (file) => truncateSync(file, 0),
  'it is something else': (file) => writeFileSync(file, 'apiVersion: v1\nkind: Service\n'.repeat(1000)),
}

function flip(file: string, offset: number): void {
  const octets = readFileSync(file)
  octets[offset] ^= 1
  writeFileSync(file, octets)
}

test('a damaged file is set aside', (t) =>
  withCluster(async (cluster) => {
    await makeState(cluster)
    const good = readFileSync(cluster.stateFile)
    for (const [name, damage] of Object.entries(damages)) {
      await t.test(name, async () => {
        onlyFile(cluster, good)
        damage(cluster.stateFile)
        const damaged = readFileSync(cluster.stateFile)
        const server = await cluster.serve([], KEPT)
        assert.match(
          server.output,
          /^warning: \S+state\.peregrine .*: it is not used, and kept as \S+state\.peregrine\.refused$/m,
        )
        assert.doesNotMatch(server.output, /serving the state of/)
        await assertAnswers(server, { ...KNOWN, 'missing.shop~': 'NXDOMAIN' })
        assert.ok(readFileSync(`${cluster.stateFile}.refused`).equals(damaged))
        await server.stop()
        assert.equal(statSync(cluster.stateFile).size, good.length, 'a good one is in its place')
      })
    }
    await t.test('the next one is good', async () => {
      const again = await startOffline(cluster)
      await assertAnswers(again, KNOWN)
      await again.stop()
    })
  }))

/** As if a server had left that file, and nothing else. */
function onlyFile(cluster: LiveCluster, content: Uint8Array): void {
  for (const name of cluster.stateFiles()) rmSync(join(cluster.stateDir, name))
  writeFileSync(cluster.stateFile, content, { mode: 0o600 })
}

const others: Record<string, { flags?: readonly string[]; kubeconfig?: (cluster: LiveCluster) => string }> = {
  'another TTL': { flags: ['--ttl', '30'] },
  'other namespaces': { flags: ['--namespaces', 'shop'] },
  'other labels': { flags: ['--labels', 'a=b'] },
  'other labels of namespaces': { flags: ['--namespace_labels', 'a=b'] },
  'another zone': { flags: ['--zone', 'lab.local'] },
  'other Pod names': { flags: ['--pods', 'verified'] },
  'no endpoints': { flags: ['--noendpoints'] },
  'another kubeconfig': { kubeconfig: ({ folder, api }) => folder.write({ name: 'other', server: api.url }, 'other') },
}

test('a file made with other options is set aside', (t) =>
  withCluster(async (cluster) => {
    await makeState(cluster)
    const good = readFileSync(cluster.stateFile)
    for (const [name, { flags = [], kubeconfig }] of Object.entries(others)) {
      await t.test(name, async () => {
        onlyFile(cluster, good)
        const server = await cluster.serve(flags, { ...KEPT, ...(kubeconfig && { kubeconfig: kubeconfig(cluster) }) })
        assert.match(
          server.output,
          /^warning: \S+ is of another cluster, or made with other options: it is not used, and kept as /m,
        )
        await server.stop()
      })
    }
  }))

test('options that no name depends on leave the file as good as it is', () =>
  withCluster(async (cluster) => {
    await makeState(cluster)
    const server = await startOffline(cluster, [
      '--page-size',
      '7',
      '--apiserver_qps',
      '9',
      '--audit-interval',
      '1h',
      '--bufsize',
      '512',
    ])
    await assertAnswers(server, KNOWN)
    await server.stop()
  }))

test('a folder that cannot be used is said, and done without', () =>
  withCluster(async (cluster) => {
    const file = cluster.folder.file('a-file', '')
    for (const [folder, says] of [
      [join(file, 'below'), /^warning: no state is kept: ENOTDIR.*a-file/m],
      [file, /^warning: no state is kept: (EEXIST|.*is no folder)/m],
      ['/sys/nothing', /^warning: no state is kept: E\w+.*\/sys\/nothing/m],
    ] as const) {
      const server = await cluster.serve(['--state-dir', folder])
      assert.match(server.output, says)
      await assertAnswers(server, KNOWN)
      await server.stop()
    }
  }))

test('a file that cannot be read, or not be moved', () =>
  withCluster(async (cluster) => {
    mkdirSync(cluster.stateFile)
    const server = await cluster.serve([], KEPT)
    assert.match(server.output, /^warning: \S+state\.peregrine cannot be read: EISDIR.*kept as \S+refused$/m)
    await until(
      () => statSync(cluster.stateFile, { throwIfNoEntry: false })?.isFile() ?? false,
      'there is a state file then',
    )
    await server.stop()
  }))

test('a full disk is said, serving goes on, and the next save finds room', () =>
  withCluster(async (cluster) => {
    const server = await cluster.launch([], KEPT)
    // Whatever is written there fails; it is not there any more when that has been noticed.
    symlinkSync('/dev/full', temporaryName(cluster.stateFile, server.child.pid))
    await server.ready()
    await server.printed(/^warning: state\.peregrine cannot be saved: ENOSPC/m, WAIT_MS)
    assert.deepEqual(cluster.stateFiles(), [])
    await assertAnswers(server, KNOWN)
    await server.stop()
    assert.deepEqual(cluster.stateFiles(), ['state.peregrine'])
    const again = await startOffline(cluster)
    await assertAnswers(again, KNOWN)
    await again.stop()
  }))

test('killed in the middle of a save: the last good file is there, or the new one, whole', async (t) => {
  const cluster = await LiveCluster.start()
  try {
    cluster.put(...SHOP, namespace('big'))
    for (let i = 0; i < 3000; i++) {
      const name = `big/service-${i}`
      const addresses = Array.from({ length: 8 }, (_, j) => `10.${100 + (i >> 8)}.${i & 255}.${j + 1}`)
      cluster.put(service(name, [`10.97.${i >> 8}.${i & 255}`]), slice(`${name}-1`, `service-${i}`, addresses))
    }
    await makeState(cluster)
    let inTheMiddle = 0
    /** Of the Service that changes with every round. */
    let saved = 'SERVFAIL'
    for (let round = 0; round < 6; round++) {
      const before = readFileSync(cluster.stateFile)
      cluster.put(service('shop/round', [`10.96.7.${round + 1}`]))
      const server = await cluster.launch([], KEPT)
      const isSaving = () => cluster.stateFiles().some((name) => name.endsWith('.tmp'))
      const deadline = performance.now() + WAIT_MS
      while (!isSaving() && performance.now() < deadline) await sleep(1)
      await sleep(round * 3)
      server.child.kill('SIGKILL')
      await server.exit()
      const left = readFileSync(cluster.stateFile)
      if (left.equals(before)) inTheMiddle++
      await cluster.api.stop()
      const again = await cluster.launch(['--startup_timeout', '1h'], KEPT)
      await again.printed(/^serving the state of /m, WAIT_MS)
      if (!left.equals(before)) saved = `A 10.96.7.${round + 1}`
      await assertAnswers(again, {
        ...KNOWN,
        'round.shop~': saved,
        'service-2999.big~': 'A 10.97.11.183',
        '10.111.183.8! PTR': 'PTR 10-111-183-8.service-2999.big~',
      })
      again.disconnect()
      again.child.kill('SIGKILL')
      await again.exit()
      await cluster.api.start()
    }
    t.diagnostic(`${inTheMiddle} of 6 times the old file was still there`)
    assert.ok(inTheMiddle > 0, 'a save was interrupted')
  } finally {
    await cluster.close()
  }
})

test('two servers with one folder', () =>
  withCluster(async (cluster) => {
    const copy = join(cluster.stateDir, 'copy')
    const servers = [await cluster.serve([], KEPT), await cluster.serve([], KEPT)]
    for (let last = 1; last < 6; last++) {
      cluster.put(service('shop/cart', [`10.96.3.${last}`]))
      for (const server of servers) await becomes(server, { 'cart.shop~': `A 10.96.3.${last}` })
      await sleep(20)
    }
    await until(() => cluster.stateFiles().includes('state.peregrine'), 'a state file is written')
    copyFileSync(cluster.stateFile, copy)
    await Promise.all(servers.map((server) => server.stop()))
    assert.deepEqual(cluster.stateFiles(), ['copy', 'state.peregrine'])
    const again = await startOffline(cluster)
    await assertAnswers(again, { ...KNOWN, 'cart.shop~': 'A 10.96.3.5' })
    // And a third beside it, with the file that was there while both were running.
    await again.stop()
    copyFileSync(copy, cluster.stateFile)
    const other = await startOffline(cluster)
    assert.match(await answer(other, 'cart.shop~'), /^A 10\.96\.(3\.\d|0\.10)$/)
    await other.stop()
  }))

test('--state-dir off keeps nothing', () =>
  withCluster(async (cluster) => {
    await (await cluster.serve()).stop()
    assert.deepEqual(cluster.stateFiles(), [])
  }))
