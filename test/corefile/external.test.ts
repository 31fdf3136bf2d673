// k8s_external, served: the vectors of the cluster DNS reference (5.11), over UDP and TCP. Which names there are is in test/kube/external.test.ts.

import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { CorefileServer, WAIT_MS } from './corefile-server.ts'
import type { Ask } from './fixture.ts'
import { wrongAnswers } from './fixture-checks.ts'

const MANIFESTS = `
apiVersion: v1
kind: List
items:
  - {apiVersion: v1, kind: Namespace, metadata: {name: shop}}
  - {apiVersion: v1, kind: Namespace, metadata: {name: db}}
  - apiVersion: v1
    kind: Service
    metadata: {name: front, namespace: shop}
    spec: {type: LoadBalancer, clusterIP: 172.30.4.50, clusterIPs: [172.30.4.50], externalIPs: [203.0.113.50], ports: [{name: https, port: 443}]}
  - apiVersion: v1
    kind: Service
    metadata: {name: lb, namespace: shop}
    spec: {type: LoadBalancer, clusterIP: 172.30.4.51, clusterIPs: [172.30.4.51], ports: [{name: https, port: 443}]}
    status: {loadBalancer: {ingress: [{hostname: lb.cloud.example}]}}
  - apiVersion: v1
    kind: Service
    metadata: {name: inner, namespace: shop}
    spec: {clusterIP: 172.30.4.53, clusterIPs: [172.30.4.53], ports: [{name: https, port: 443}]}
  - apiVersion: v1
    kind: Service
    metadata: {name: pg, namespace: db}
    spec: {clusterIP: None, clusterIPs: [None], ports: [{name: sql, port: 5432}]}
  - apiVersion: discovery.k8s.io/v1
    kind: EndpointSlice
    addressType: IPv4
    metadata: {name: pg-1, namespace: db, labels: {kubernetes.io/service-name: pg}}
    ports: [{name: sql, port: 5432, protocol: TCP}]
    endpoints:
      - {addresses: [10.129.0.11], hostname: pg-0, conditions: {ready: true}}
      - {addresses: [10.129.0.12], hostname: pg-1, conditions: {ready: true}}
`

const COREFILE = `. {
    bind 127.0.0.1
    k8s_external out.example in-addr.arpa {
        headless
    }
    kubernetes cluster.local
}
`

const ASKS: readonly Ask[] = [
  ['out.example. SOA', ['5 SOA *']],
  ['out.example. NS', ['5 NS ns1.dns.out.example.']],
  ['out.example. A', 'NODATA out.example.'],
  ['dns.out.example. A', 'NODATA out.example.'],
  ['front.shop.out.example. A', ['5 A 203.0.113.50']],
  ['front.shop.out.example. AAAA', 'NODATA out.example.'],
  ['front.shop.out.example. SRV', ['5 SRV 0 100 443 front.shop.out.example.']],
  ['front.shop.out.example. TXT', 'NODATA out.example.'],
  ['_https._tcp.front.shop.out.example. SRV', ['5 SRV 0 100 443 front.shop.out.example.']],
  ['lb.shop.out.example. A', ['5 CNAME lb.cloud.example.']],
  ['lb.shop.out.example. SRV', ['5 SRV 0 100 443 lb.cloud.example.']],
  ['lb.shop.out.example. CNAME', 'NODATA out.example.'],
  ['inner.shop.out.example. A', 'NXDOMAIN out.example.'],
  ['gone.shop.out.example. A', 'NXDOMAIN out.example.'],
  ['shop.out.example. A', 'NODATA out.example.'],
  ['ghost.out.example. A', 'NXDOMAIN out.example.'],
  ['pg.db.out.example. A', ['5 A 10.129.0.11', '5 A 10.129.0.12']],
  ['ep.front.shop.out.example. A', 'NXDOMAIN out.example.'],
  ['50.113.0.203.in-addr.arpa. PTR', ['5 PTR front.shop.out.example.']],
  ['51.113.0.203.in-addr.arpa. PTR', 'NXDOMAIN in-addr.arpa.'],
  // Beside it, the cluster's own names.
  ['front.shop.svc.cluster.local. A', ['5 A 172.30.4.50']],
]

const folder = mkdtempSync(join(tmpdir(), 'peregrine-external-'))
let server: CorefileServer

before(
  async () => {
    const path = join(folder, 'cluster.yaml')
    writeFileSync(path, MANIFESTS)
    server = await CorefileServer.start({ text: COREFILE, manifests: [path] })
  },
  { timeout: WAIT_MS },
)

after(async () => {
  await server?.kill()
  rmSync(folder, { recursive: true })
})

test('names of what can be reached from outside', async () => {
  assert.deepEqual(await wrongAnswers(server, ASKS), [])
})

test('its SOA names the name server of its apex, and not the cluster', async () => {
  const { answer } = await server.ask({ name: 'out.example', type: 'SOA' })
  assert.match(answer[0].data, /^ns1\.dns\.out\.example\. hostmaster\.dns\.out\.example\. \d+ 7200 1800 86400 5$/)
})
