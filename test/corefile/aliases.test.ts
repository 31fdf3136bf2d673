// Aliases that lead from one block's names to another's: ExternalName Services, CNAMEs and DNAMEs of zone files, templates. All blocks have a
// plugin on whole messages, so that the target is asked of the server itself.

import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { CorefileServer, WAIT_MS } from './corefile-server.ts'
import type { Ask } from './fixture.ts'
import { wrongAnswers } from './fixture-checks.ts'

function alias(name: string, target: string): string {
  return `
  - {apiVersion: v1, kind: Service, metadata: {name: ${name}, namespace: edge}, spec: {type: ExternalName, externalName: ${target}}}`
}

const MANIFESTS = `
apiVersion: v1
kind: List
items:
  - {apiVersion: v1, kind: Namespace, metadata: {name: edge}}
  - apiVersion: v1
    kind: Service
    metadata: {name: web, namespace: edge}
    spec: {clusterIP: 172.30.4.1, clusterIPs: [172.30.4.1], ports: [{name: https, port: 443}]}\
${alias('partner', 'Api.Partner.test')}\
${alias('hop', 'partner.edge.svc.cluster.local')}\
${alias('zone', 'www.zone.test')}\
${alias('gone', 'gone.zone.test')}\
${alias('round', 'round.zone.test')}\
${alias('nobody', 'www.nobody.test')}\
${alias('dropped', 'www.dropped.test')}\
${alias('made', 'x.made.test')}
`

const ZONE = `$ORIGIN zone.test.
$TTL 60
@ SOA ns hostmaster 1 60 60 60 60
@ NS ns
ns A 192.0.2.1
www CNAME api.partner.test.
web CNAME web.edge.svc.cluster.local.
none CNAME missing.edge.svc.cluster.local.
away CNAME www.nobody.test.
round CNAME round.edge.svc.cluster.local.
old DNAME edge.svc.cluster.local.
`

const COREFILE = `
cluster.local {
    metadata
    kubernetes
}
partner.test {
    hosts {
        192.0.2.7 api.partner.test
        2001:db8::7 api.partner.test
    }
}
zone.test {
    metadata
    file zone.db
}
dropped.test {
    acl {
        drop
    }
    whoami
}
made.test {
    template IN A {
        answer "{{ .Name }} 30 CNAME web.edge.svc.cluster.local."
    }
}
`

const HOST = 'api.partner.test. 3600'

const ASKS: readonly Ask[] = [
  ['partner.edge.svc.cluster.local. A', ['5 CNAME api.partner.test.', `${HOST} A 192.0.2.7`]],
  ['PARTNER.edge.svc.cluster.local. AAAA', ['5 CNAME api.partner.test.', `${HOST} AAAA 2001:db8::7`]],
  ['partner.edge.svc.cluster.local. CNAME', ['5 CNAME api.partner.test.']],
  [
    'hop.edge.svc.cluster.local. A',
    [
      '5 CNAME partner.edge.svc.cluster.local.',
      'partner.edge.svc.cluster.local. 5 CNAME api.partner.test.',
      `${HOST} A 192.0.2.7`,
    ],
  ],
  [
    'zone.edge.svc.cluster.local. A',
    ['5 CNAME www.zone.test.', 'www.zone.test. 60 CNAME api.partner.test.', `${HOST} A 192.0.2.7`],
  ],
  ['gone.edge.svc.cluster.local. A', ['5 CNAME gone.zone.test.']], // NXDOMAIN there
  ['nobody.edge.svc.cluster.local. A', ['5 CNAME www.nobody.test.']],
  ['dropped.edge.svc.cluster.local. A', 'NODATA cluster.local.'],
  [
    'made.edge.svc.cluster.local. A',
    [
      '5 CNAME x.made.test.',
      'x.made.test. 30 CNAME web.edge.svc.cluster.local.',
      'web.edge.svc.cluster.local. 5 A 172.30.4.1',
    ],
  ],
  ['web.zone.test. A', ['60 CNAME web.edge.svc.cluster.local.', 'web.edge.svc.cluster.local. 5 A 172.30.4.1']],
  ['away.zone.test. A', ['60 CNAME www.nobody.test.']],
]

const folder = mkdtempSync(join(tmpdir(), 'peregrine-aliases-'))
let server: CorefileServer

before(
  async () => {
    const path = join(folder, 'cluster.yaml')
    writeFileSync(path, MANIFESTS)
    server = await CorefileServer.start({ text: COREFILE, manifests: [path], files: { 'zone.db': ZONE } })
  },
  { timeout: WAIT_MS },
)

after(async () => {
  await server?.kill()
  rmSync(folder, { recursive: true })
})

test('aliases lead to what another block says', async () => {
  assert.deepEqual(await wrongAnswers(server, ASKS), [])
})

test('a target that does not exist: NXDOMAIN behind an alias of a file, with the SOA of the target', async () => {
  const { rcode, answer, authority } = await server.ask({ name: 'none.zone.test', type: 'A' })
  assert.deepEqual([rcode, answer.map(({ data }) => data)], ['NXDOMAIN', ['missing.edge.svc.cluster.local.']])
  assert.deepEqual(
    authority.map(({ owner, type }) => `${owner} ${type}`),
    ['cluster.local. SOA'],
  )
})

test('a name made by DNAME', async () => {
  const { rcode, answer } = await server.ask({ name: 'web.old.zone.test', type: 'A' })
  assert.deepEqual(
    [rcode, answer[0].owner, ...answer.slice(1).map(({ type, data }) => `${type} ${data}`)],
    ['NOERROR', 'old.zone.test.', 'CNAME web.edge.svc.cluster.local.', 'A 172.30.4.1'],
  )
})

test('aliases that lead to each other: one record, and the server goes on', async () => {
  for (const [name, target] of [
    ['round.zone.test', 'round.edge.svc.cluster.local.'],
    ['round.edge.svc.cluster.local', 'round.zone.test.'],
  ]) {
    const { rcode, answer } = await server.ask({ name, type: 'A' })
    assert.deepEqual([rcode, answer.map(({ data }) => data)], ['NOERROR', [target]])
  }
  assert.deepEqual(await wrongAnswers(server, ASKS.slice(0, 1)), [])
})
