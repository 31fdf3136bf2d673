// The resolver of glibc with the resolv.conf of a Pod, in a network namespace: names of the cluster and names from elsewhere, A and AAAA asked from one
// socket, with and without autopath.

import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { promisify } from 'node:util'
import { CorefileServer } from '../corefile/corefile-server.ts'
import { insideNamespace } from '../server/namespace.ts'
import { addressOf, Upstream } from './upstream.ts'

const SERVER = '10.96.0.10'
/** Of a Pod in the namespace `web`. */
const POD = '10.244.7.7'
const UPSTREAM = '10.130.0.53'
const SEARCH = ['web.svc.cluster.local', 'svc.cluster.local', 'cluster.local', 'corp.example']

const PODS = `apiVersion: v1
kind: Namespace
metadata: { name: web }
---
apiVersion: v1
kind: Service
metadata: { namespace: web, name: front }
spec: { clusterIP: 10.96.4.20, clusterIPs: [10.96.4.20, 'fd00:96::20'], ports: [{ name: http, port: 80 }] }
---
apiVersion: v1
kind: Service
metadata: { namespace: web, name: outside }
spec: { type: ExternalName, externalName: www.far.example }
---
apiVersion: v1
kind: Pod
metadata: { namespace: web, name: client }
spec: { containers: [{ name: main, image: registry.example/client }] }
status: { phase: Running, podIP: ${POD}, podIPs: [{ ip: ${POD} }], conditions: [{ type: Ready, status: 'True' }] }
`

const run = promisify(execFile)

function corefile(autopath: boolean): string {
  return `. {
    errors
    bind ${SERVER}
    ${autopath ? 'autopath @kubernetes' : ''}
    kubernetes cluster.local in-addr.arpa ip6.arpa {
        pods ${autopath ? 'verified' : 'insecure'}
        fallthrough in-addr.arpa ip6.arpa
        ttl 30
    }
    forward . ${UPSTREAM}
    cache 30
}
`
}

function resolvConf(options: string): string {
  return `nameserver ${SERVER}\nsearch ${SEARCH.join(' ')}\noptions ndots:5 timeout:5 attempts:1${options}\n`
}

/** Addresses that a Pod's program gets for a name, sorted. */
async function ahosts(database: string, name: string): Promise<string[]> {
  const { stdout } = await run('getent', [database, name], { timeout: 20_000 }).catch(
    (error: { stdout?: string; code?: number }) => {
      if (error.code === 2) return { stdout: '' }
      throw error
    },
  )
  const addresses = stdout.split('\n').flatMap((line) => line.split(/\s+/)[0] || [])
  return [...new Set(addresses)].toSorted()
}

const addresses = [`${POD}/24`, `${SERVER}/24`, `${UPSTREAM}/24`]
if (
  insideNamespace(import.meta.filename, { addresses, resolvConf: resolvConf(''), programs: { getent: 'libc-bin' } })
) {
  let upstream: Upstream
  let folder: string

  before(async () => {
    // What is asked comes from the Pod's address.
    await run('ip', ['route', 'add', `${SERVER}/32`, 'dev', 'lo', 'src', POD]).catch(() => {})
    await run('ip', ['route', 'replace', 'table', 'local', 'local', SERVER, 'dev', 'lo', 'src', POD])
    upstream = await Upstream.open(UPSTREAM, 53)
    upstream.empty = ['.corp.example']
    folder = mkdtempSync(join(tmpdir(), 'peregrine-glibc-'))
    writeFileSync(join(folder, 'objects.yaml'), PODS)
  })
  after(async () => {
    await upstream.kill()
    rmSync(folder, { recursive: true })
  })

  for (const autopath of [false, true]) {
    test(`getent ahosts ${autopath ? 'with' : 'without'} autopath`, async () => {
      const options = { text: corefile(autopath), manifests: [folder], port: 53, address: SERVER, workers: 2 }
      const server = await CorefileServer.start(options)
      try {
        for (const [transport, option] of [
          ['UDP', ''],
          ['one after the other', ' single-request'],
          ['TCP', ' use-vc'],
        ]) {
          writeFileSync('/etc/resolv.conf', resolvConf(option))
          const round = `${autopath} ${transport.replaceAll(' ', '-')}`.replace(' ', '-').toLowerCase()
          assert.deepEqual(await ahosts('ahosts', 'front'), ['10.96.4.20', 'fd00:96::20'], transport)
          assert.deepEqual(await ahosts('ahostsv4', 'front.web'), ['10.96.4.20'], transport)
          assert.deepEqual(await ahosts('ahostsv6', 'front.web.svc.cluster.local'), ['fd00:96::20'], transport)
          assert.deepEqual(await ahosts('ahosts', 'nx-nothing.web.svc.cluster.local.'), [], transport)
          for (const again of ['miss', 'hit']) {
            const name = `www.${round}.far.example`
            const found = await ahosts('ahosts', name)
            assert.deepEqual(found, [addressOf(name)], `${transport}, ${again}`)
            assert.deepEqual(await ahosts('ahosts', `${name}.`), [addressOf(name)], `${transport}, ${again}, absolute`)
            assert.deepEqual(await ahosts('ahosts', `nx-${name}.`), [], `${transport}, ${again}, NXDOMAIN`)
          }
          assert.deepEqual(await ahosts('ahosts', 'outside'), [addressOf('www.far.example')], transport)
        }
        assert.equal(await server.stop(), 0)
      } finally {
        if (server.isRunning) server.kill()
      }
    })
  }

  test('with autopath one question is enough for a name from elsewhere', async () => {
    writeFileSync('/etc/resolv.conf', resolvConf(''))
    const questions = async (autopath: boolean): Promise<number> => {
      // The log says what was asked.
      const text = corefile(autopath).replace('errors', 'errors\n    log')
      const server = await CorefileServer.start({ text, manifests: [folder], port: 53, address: SERVER })
      const name = `www.once-${autopath}.far.example`
      await ahosts('ahostsv4', name)
      assert.equal(await server.stop(), 0)
      return server.stdout.filter((line) => line.includes('"A IN www.once')).length
    }
    const without = await questions(false)
    const withIt = await questions(true)
    assert.ok(without >= 4, `${without} questions without autopath`)
    assert.equal(withIt, 1)
  })
}
