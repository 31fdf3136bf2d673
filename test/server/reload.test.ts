// Manifests that change while the server runs: a saved change is served at once, a broken file leaves the last good state.

import assert from 'node:assert/strict'
import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { platform } from 'node:os'
import { join } from 'node:path'
import { after, before, beforeEach, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Fixture, ManifestFolder, manifestsOf } from './fixtures.ts'
import { type ServerProcess, startServer } from './server-process.ts'

const POLL_MS = 5
/** The aim is 100 ms; a busy machine gets more before the test fails, and the measured time is printed. */
const SERVED_MS = 1_000
const NAME = 'cart.shop.svc.cluster.local'

/** The cluster with one address for the Service. */
function shop(address: string): Fixture {
  return { namespaces: ['shop'], services: { 'shop/cart': { clusterIPs: [address], ports: ['web:80/TCP'] } } }
}

describe('reload', { skip: platform() === 'linux' ? false : 'watches files as Linux has them' }, () => {
  const folder = new ManifestFolder()
  const file = () => folder.write(manifestsOf(shop('172.30.4.1')))
  let server: ServerProcess
  before(async () => {
    file()
    server = await startServer({ manifests: [folder.path] })
  })
  beforeEach(async () => {
    file()
    await served('172.30.4.1')
  })
  after(async () => {
    await server.stop()
    folder.remove()
  })

  /** Asks until the name has the address (or none, with ''); the milliseconds it took. */
  async function served(address: string, name = NAME): Promise<number> {
    const start = performance.now()
    let found = 'nothing'
    while (performance.now() < start + SERVED_MS) {
      found = (await server.query({ name, type: 'A' })).answer.map(({ data }) => data).join(' ')
      if (found === address) return performance.now() - start
      await sleep(POLL_MS)
    }
    return assert.fail(`${name} is ${found}, not ${address}, after ${SERVED_MS} ms; it printed:\n${server.output}`)
  }

  test('a file saved in place', async (context) => {
    const times: number[] = []
    for (let last = 2; last < 12; last++) {
      folder.write(manifestsOf(shop(`172.30.4.${last}`)))
      times.push(await served(`172.30.4.${last}`))
    }
    times.sort((a, b) => a - b)
    context.diagnostic(`served after ${times[0]!.toFixed(0)} to ${times.at(-1)!.toFixed(0)} ms`)
  })

  test('a file replaced by another, as editors and ConfigMaps do', async (context) => {
    const other = folder.write(manifestsOf(shop('172.30.4.50')), '.cluster.json.swp')
    renameSync(other, join(folder.path, 'cluster.json'))
    context.diagnostic(`served after ${(await served('172.30.4.50')).toFixed(0)} ms`)
    folder.write(manifestsOf(shop('172.30.4.51'))) // and the new file is watched too
    await served('172.30.4.51')
  })

  test('a file added to the folder, and removed', async () => {
    const services = { 'shop/extra': { clusterIPs: ['172.30.4.60'], ports: ['web:80/TCP'] } }
    const path = folder.write(manifestsOf({ services }), 'extra.json')
    await served('172.30.4.60', 'extra.shop.svc.cluster.local')
    rmSync(path)
    await served('', 'extra.shop.svc.cluster.local')
    assert.equal((await server.query({ name: 'extra.shop.svc.cluster.local', type: 'A' })).rcode, 'NXDOMAIN')
  })

  test('a broken file leaves the last good state, says so, and is served when mended', async () => {
    const from = server.output.length
    folder.writeText('{ "kind": "List", "items": [ ', 'cluster.json')
    const deadline = performance.now() + 2_000
    while (!/cluster\.json/.test(server.output.slice(from)) && performance.now() < deadline) await sleep(POLL_MS)
    assert.match(server.output.slice(from), /cluster\.json/, 'a line names the file')
    for (let asked = 0; asked < 20; asked++) {
      const response = await server.query({ name: NAME, type: 'A' })
      assert.deepEqual([response.rcode, response.answer[0]?.data], ['NOERROR', '172.30.4.1'])
      await sleep(POLL_MS)
    }
    folder.write(manifestsOf(shop('172.30.4.70')))
    await served('172.30.4.70')
  })

  test('a bad object is named, the others are served', async () => {
    const from = server.output.length
    const bad = {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { namespace: 'shop', name: 'bad' },
      spec: { clusterIP: '999.1.1.1', clusterIPs: ['999.1.1.1'] },
    }
    folder.write([...manifestsOf(shop('172.30.4.80')), bad])
    await served('172.30.4.80')
    await sleep(100)
    assert.match(server.output.slice(from), /shop\/bad/)
    assert.equal((await server.query({ name: 'bad.shop.svc.cluster.local', type: 'A' })).rcode, 'NXDOMAIN')
  })

  test('many files at once: each query sees one state', async () => {
    // Two Services of one file change together; a query batch never sees half of a file.
    const both = (address: string): Fixture => ({
      namespaces: ['shop'],
      services: {
        'shop/cart': { clusterIPs: [address], ports: ['web:80/TCP'] },
        'shop/link': { type: 'ExternalName', externalName: 'cart.shop.svc.cluster.local' },
      },
    })
    for (let last = 90; last < 100; last++) {
      folder.write(manifestsOf(both(`172.30.4.${last}`)))
      await served(`172.30.4.${last}`)
      const { answer } = await server.query({ name: 'link.shop.svc.cluster.local', type: 'A' })
      assert.deepEqual(
        answer.map(({ data }) => data),
        ['cart.shop.svc.cluster.local.', `172.30.4.${last}`],
      )
    }
  })

  test('a folder inside of the folder', async () => {
    mkdirSync(join(folder.path, 'more'))
    const services = { 'shop/deep': { clusterIPs: ['172.30.4.61'], ports: ['web:80/TCP'] } }
    writeFileSync(
      join(folder.path, 'more', 'deep.json'),
      JSON.stringify({ kind: 'List', apiVersion: 'v1', items: manifestsOf({ services }) }),
    )
    await served('172.30.4.61', 'deep.shop.svc.cluster.local')
    rmSync(join(folder.path, 'more'), { recursive: true })
    await served('', 'deep.shop.svc.cluster.local')
  })
})
