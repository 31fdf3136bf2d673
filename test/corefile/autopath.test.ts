// autopath, served: the vectors of the cluster DNS reference (5.13), and names that are not the cluster's, from a Pod, a host, and nobody's address.
// The addresses of the loopback are the clients.

import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { encodeQuery, readResponse, recordText } from '../server/wire.ts'
import { CorefileServer, WAIT_MS } from './corefile-server.ts'

const POD = '127.0.0.8'
const HOST = '127.0.0.9'
const OTHER = '127.0.0.10'

function pod(namespace: string, name: string, address: string): string {
  return `
  - {apiVersion: v1, kind: Pod, metadata: {name: ${name}, namespace: ${namespace}}, spec: {containers: []}, status: {phase: Running, podIP: ${address}, podIPs: [{ip: ${address}}]}}`
}

const MANIFESTS = `
apiVersion: v1
kind: List
items:
  - {apiVersion: v1, kind: Namespace, metadata: {name: web}}
  - {apiVersion: v1, kind: Namespace, metadata: {name: shop}}
  - apiVersion: v1
    kind: Service
    metadata: {name: cart, namespace: shop}
    spec: {clusterIP: 172.30.4.10, clusterIPs: [172.30.4.10], ports: [{name: web, port: 80}]}
  - {apiVersion: v1, kind: Service, metadata: {name: out, namespace: shop}, spec: {type: ExternalName, externalName: www.example.net}}\
${pod('web', 'front', POD)}\
${pod('web', 'agent', HOST)}\
${pod('shop', 'agent', HOST)}
`

const COREFILE = `
. {
    bind 127.0.0.1
    errors
    prometheus 127.0.0.1:{$METRICS}
    autopath @kubernetes
    hosts {
        198.51.100.1 www.example.net
        fallthrough
    }
    template IN ANY nxdomain.example {
        rcode NXDOMAIN
    }
    template IN A made.example {
        answer "{{ .Name }} 40 A 198.51.100.2"
    }
    kubernetes cluster.local {
        pods verified
    }
    loadbalance
}
corp.example {
    bind 127.0.0.1
    autopath search.conf
    hosts {
        198.51.100.3 git.two.corp.example
        fallthrough
    }
    template IN ANY . {
        match ^none\\. one\\.corp
        rcode NXDOMAIN
        fallthrough
    }
}
`

const folder = mkdtempSync(join(tmpdir(), 'peregrine-autopath-'))
let server: CorefileServer
let metricsPort = 0

before(
  async () => {
    const path = join(folder, 'cluster.yaml')
    writeFileSync(path, MANIFESTS)
    metricsPort = 20_000 + (process.pid % 10_000)
    server = await CorefileServer.start({
      text: COREFILE,
      manifests: [path],
      files: { 'search.conf': 'search one.corp.example two.corp.example\n' },
      env: { METRICS: String(metricsPort) },
    })
  },
  { timeout: WAIT_MS },
)

after(async () => {
  await server?.kill()
  rmSync(folder, { recursive: true })
})

/** Asks from an address of the loopback. @returns RCODE, then the answer, records in lines */
async function askFrom(client: string, name: string, type = 'A'): Promise<string[]> {
  const socket = createSocket('udp4')
  try {
    socket.bind(0, client)
    await once(socket, 'listening')
    const message = encodeQuery({ name, type })
    const answered = once(socket, 'message', { signal: AbortSignal.timeout(WAIT_MS) })
    socket.send(message, server.port, '127.0.0.1')
    const [octets] = await answered
    const { rcode, answer, question } = readResponse(octets)
    assert.equal(question?.name, `${name}.`, 'the question is the one asked')
    return [rcode, ...answer.map(recordText)]
  } finally {
    socket.close()
  }
}

const CART = ['cart.shop.svc.cluster.local. 5 IN A 172.30.4.10']

test('the vectors of the reference', async () => {
  for (const name of [
    'cart.shop.web.svc.cluster.local',
    'cart.shop.svc.web.svc.cluster.local',
    'Cart.Shop.web.svc.cluster.local',
  ]) {
    const [rcode, alias, ...records] = await askFrom(POD, name)
    assert.equal(rcode, 'NOERROR')
    assert.equal(alias.toLowerCase(), `${name.toLowerCase()}. 5 in cname cart.shop.svc.cluster.local.`)
    assert.deepEqual(records, CART)
  }
  assert.deepEqual(await askFrom(POD, 'cart.shop.svc.cluster.local'), ['NOERROR', ...CART])
  assert.deepEqual(await askFrom(POD, 'none.nxdomain.example.web.svc.cluster.local'), ['NXDOMAIN'])
  assert.deepEqual(await askFrom(OTHER, 'cart.shop.web.svc.cluster.local'), ['NXDOMAIN'], 'no Pod')
})

test('names outside of the cluster, in one question in place of five', async () => {
  assert.deepEqual(await askFrom(POD, 'www.example.net.web.svc.cluster.local'), [
    'NOERROR',
    'www.example.net.web.svc.cluster.local. 3600 IN CNAME www.example.net.',
    'www.example.net. 3600 IN A 198.51.100.1',
  ])
  assert.deepEqual(await askFrom(POD, 'x.made.example.web.svc.cluster.local'), [
    'NOERROR',
    'x.made.example.web.svc.cluster.local. 40 IN CNAME x.made.example.',
    'x.made.example. 40 IN A 198.51.100.2',
  ])
  assert.deepEqual(await askFrom(POD, 'www.example.net.web.svc.cluster.local', 'AAAA'), ['NOERROR'])
})

test('an alias of the cluster found by the search leads on', async () => {
  assert.deepEqual(await askFrom(POD, 'out.shop.web.svc.cluster.local'), [
    'NOERROR',
    'out.shop.web.svc.cluster.local. 5 IN CNAME out.shop.svc.cluster.local.',
    'out.shop.svc.cluster.local. 5 IN CNAME www.example.net.',
    'www.example.net. 3600 IN A 198.51.100.1',
  ])
})

test('a host that Pods of several namespaces share is nobody', async () => {
  for (const namespace of ['web', 'shop']) {
    assert.deepEqual(await askFrom(HOST, `www.example.net.${namespace}.svc.cluster.local`), ['NXDOMAIN'])
  }
})

test('the search list of a file, whoever asks', async () => {
  assert.deepEqual(await askFrom(OTHER, 'git.one.corp.example'), [
    'NOERROR',
    'git.one.corp.example. 3600 IN CNAME git.two.corp.example.',
    'git.two.corp.example. 3600 IN A 198.51.100.3',
  ])
  assert.deepEqual(await askFrom(OTHER, 'none.one.corp.example'), ['NXDOMAIN'])
})

test('it is counted', async () => {
  const { body } = await server.get('/metrics', metricsPort)
  const [, count] = /^coredns_autopath_success_total\{server="dns:\/\/127\.0\.0\.1:\d+"\} (\d+)$/m.exec(body) ?? []
  assert.ok(
    Number(count) >= 6,
    body
      .split('\n')
      .filter((line) => line.includes('autopath'))
      .join('\n'),
  )
})
