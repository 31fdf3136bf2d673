// Transfers from a running server, as clients see them (Corefile reference 6.7, cluster DNS reference 1.12, 3.8, vectors 5.12).

import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { decodeMessage } from '../../src/dns/message.ts'
import { CorefileServer, freePort } from '../corefile/corefile-server.ts'
import { encodeQuery, FLAG, readResponse } from '../server/wire.ts'
import { type Endpoint, ixfrQuery, TransferClient, takeZone } from './axfr.ts'

const ZONE = `$TTL 300
@ SOA ns host 7 3600 600 86400 60
  NS ns
ns A 192.0.2.1
WWW A 192.0.2.2
    TXT "hello"
*.wild CNAME www
sub NS ns.sub
ns.sub A 192.0.2.3
`
const RECORDS = [
  'example.org. 300 IN SOA ns.example.org. host.example.org. 7 3600 600 86400 60',
  'example.org. 300 IN NS ns.example.org.',
  'ns.example.org. 300 IN A 192.0.2.1',
  'www.example.org. 300 IN A 192.0.2.2',
  'www.example.org. 300 IN TXT "hello"',
  '*.wild.example.org. 300 IN CNAME www.example.org.',
  'sub.example.org. 300 IN NS ns.sub.example.org.',
  'ns.sub.example.org. 300 IN A 192.0.2.3',
]

// The vector of 5.12.
const MANIFEST = `
apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: v1
kind: Namespace
metadata: {name: edge}
---
apiVersion: v1
kind: Service
metadata: {name: cart, namespace: shop}
spec:
  clusterIP: 172.30.4.10
  clusterIPs: [172.30.4.10]
  externalIPs: [203.0.113.50]
  ports:
  - {name: web, port: 80, protocol: TCP}
  - {port: 9, protocol: TCP}
---
apiVersion: v1
kind: Service
metadata: {name: partner, namespace: edge}
spec: {type: ExternalName, externalName: api.partner.example}
---
apiVersion: v1
kind: Service
metadata: {name: lit, namespace: edge}
spec: {type: ExternalName, externalName: 192.0.2.1}
`

let server: CorefileServer
let endpoint: Endpoint
let metricsPort: number
/** Secondaries of all addresses, and what they were told: `ADDRESS ZONE`. */
const secondary = createSocket('udp4')
const told = new Set<string>()

before(async () => {
  metricsPort = await freePort()
  secondary.unref().bind(0, '0.0.0.0')
  await once(secondary, 'listening')
  const { port: notified } = secondary.address()
  secondary.on('message', (octets, from) => {
    const { opcode, question } = decodeMessage(octets, 0, octets.length)
    told.add(`${opcode} ${question?.name}`)
    octets[2] |= 0x80
    secondary.send(octets, from.port, from.address)
  })
  server = await CorefileServer.launch({
    text: `
cluster.local in-addr.arpa out.example {
  log
  errors
  prometheus 127.0.0.1:${metricsPort}
  kubernetes cluster.local in-addr.arpa
  k8s_external out.example
  transfer {
    to * 127.0.0.1:${notified}
  }
}
example.org {
  errors
  prometheus 127.0.0.1:${metricsPort}
  file db.example.org
  auto {
    directory zones
    reload 1s
  }
  transfer {
    to 127.0.0.1:${notified} 127.0.0.5
  }
  transfer auto.example.org {
    to 127.0.0.2:${notified}
  }
}
example.net {
  file db.example.org
}
acl.example {
  acl {
    block type AXFR net 127.0.0.1
  }
  file db.example.org
  transfer {
    to *
  }
}
view.example {
  view near {
    expr client_ip() == '127.0.0.1'
  }
  file db.near
  transfer {
    to *
  }
}
view.example {
  file db.example.org
}
chain.example {
  header {
    response set ra
  }
  file db.example.org
}
`,
    files: {
      'db.example.org': ZONE,
      'db.near': ZONE.replaceAll('192.0.2.', '198.51.100.'),
      'zones/db.auto.example.org': ZONE,
      'manifest.yaml': MANIFEST,
    },
    manifests: [],
    flags: ['--manifests', 'manifest.yaml'],
  })
  await server.serving()
  endpoint = { port: server.port }
})
after(() => server?.kill())

test('a zone of the cluster, as the reference lists it', async () => {
  const { records } = await takeZone(endpoint, 'cluster.local')
  const own = records.filter((text) => text.startsWith('ns.dns.'))
  for (const text of own) assert.match(text, /^ns\.dns\.cluster\.local\. 5 IN (?:A|AAAA) /)
  const serial = / hostmaster\.cluster\.local\. (\d+) /.exec(records[0])?.[1]
  const soa = `cluster.local. 5 IN SOA ns.dns.cluster.local. hostmaster.cluster.local. ${serial} 7200 1800 86400 5`
  assert.deepEqual(
    records.filter((text) => !own.includes(text)),
    [
      soa,
      'cluster.local. 5 IN NS ns.dns.cluster.local.',
      'cart.shop.svc.cluster.local. 5 IN A 172.30.4.10',
      'cart.shop.svc.cluster.local. 5 IN SRV 0 100 80 cart.shop.svc.cluster.local.',
      '_web._tcp.cart.shop.svc.cluster.local. 5 IN SRV 0 100 80 cart.shop.svc.cluster.local.',
      'cart.shop.svc.cluster.local. 5 IN SRV 0 100 9 cart.shop.svc.cluster.local.',
      'partner.edge.svc.cluster.local. 5 IN CNAME api.partner.example.',
      soa,
    ],
  )
})

test('a zone of k8s_external', async () => {
  const { records } = await takeZone(endpoint, 'out.example')
  assert.match(records[0], /^out\.example\. 5 IN SOA ns1\.dns\.out\.example\. hostmaster\.dns\.out\.example\. /)
  assert.ok(records.includes('cart.shop.out.example. 5 IN A 203.0.113.50'), records.join('\n'))
})

test('zones of file and auto, from SOA to SOA', async () => {
  assert.deepEqual((await takeZone(endpoint, 'example.org')).records, [...RECORDS, RECORDS[0]])
  const auto = await takeZone({ ...endpoint, from: '127.0.0.2' }, 'auto.example.org')
  assert.deepEqual(
    auto.records,
    [...RECORDS, RECORDS[0]].map((text) => text.replaceAll('example.org', 'auto.example.org')),
  )
})

test('header, question and OPT', async () => {
  const { messages } = await takeZone(endpoint, 'eXample.ORG', {
    id: 7,
    flags: FLAG.RD | FLAG.CD,
    edns: { dnssecOk: true },
  })
  const [{ id, flags, question, opt, authority, additional }] = messages
  assert.deepEqual([id, flags], [7, FLAG.QR | FLAG.AA | FLAG.RD | FLAG.CD])
  assert.deepEqual(question, { name: 'eXample.ORG.', type: 'AXFR', class: 1 })
  assert.deepEqual(opt, { size: 1232, extendedRcode: 0, version: 0, flags: 0x8000, dataLength: 0 })
  assert.deepEqual([authority, additional], [[], []])
  assert.equal((await takeZone(endpoint, 'example.org')).messages[0].opt, undefined)
})

test('who gets nothing', async () => {
  const cases: [why: string, from: string, name: string, rcode: string][] = [
    ['a stranger', '127.0.0.3', 'example.org', 'REFUSED'],
    ['a peer of another zone', '127.0.0.2', 'example.org', 'REFUSED'],
    ['a peer of the zone above', '127.0.0.1', 'auto.example.org', 'REFUSED'],
    ['a peer', '127.0.0.5', 'example.org', 'NOERROR'],
    ['no transfer configured', '127.0.0.1', 'example.net', 'REFUSED'],
    ['no transfer configured, with plugins on whole messages', '127.0.0.1', 'chain.example', 'REFUSED'],
    ['no server', '127.0.0.1', 'example.com', 'REFUSED'],
    ['the root', '127.0.0.1', '.', 'REFUSED'],
    ['a name below a zone', '127.0.0.1', 'shop.svc.cluster.local', 'REFUSED'],
    ['a name below a zone, that there is not', '127.0.0.1', 'www.example.org', 'REFUSED'],
    ['a delegation', '127.0.0.1', 'sub.example.org', 'REFUSED'],
    ['a reverse zone', '127.0.0.1', 'in-addr.arpa', 'REFUSED'],
    ['a view', '127.0.0.1', 'view.example', 'NOERROR'],
    ['another view', '127.0.0.5', 'view.example', 'REFUSED'],
    ['acl', '127.0.0.1', 'acl.example', 'REFUSED'],
    ['acl, another', '127.0.0.5', 'acl.example', 'NOERROR'],
  ]
  for (const [why, from, name, rcode] of cases) {
    const taken = await takeZone({ ...endpoint, from }, name)
    assert.equal(taken.rcode, rcode, `${why}: ${name} from ${from}`)
    if (rcode === 'NOERROR') continue
    const [{ flags, question, answer, authority }] = taken.messages
    assert.deepEqual([flags & FLAG.AA, question?.type, answer, authority], [0, 'AXFR', [], []], why)
  }
  assert.match((await takeZone(endpoint, 'view.example')).records.join('\n'), /198\.51\.100\.1/)
})

test('over UDP: REFUSED', async () => {
  for (const name of ['example.org', 'cluster.local', 'example.net']) {
    const { rcode, flags, answer } = await server.ask({ name, type: 'AXFR' })
    assert.deepEqual([rcode, flags & FLAG.AA, answer], ['REFUSED', 0, []], name)
  }
  assert.equal(readResponse((await server.exchange(ixfrQuery('example.org', 7)))!).rcode, 'REFUSED')
})

test('IXFR', async () => {
  assert.deepEqual((await takeZone(endpoint, 'example.org', {}, 7)).records, [RECORDS[0]])
  assert.equal((await takeZone(endpoint, 'example.org', {}, 6)).records.length, RECORDS.length + 1)
  const [{ question }] = (await takeZone(endpoint, 'example.org', {}, 8)).messages
  assert.equal(question?.type, 'IXFR')
  const cluster = await takeZone(endpoint, 'cluster.local', {}, 1)
  const serial = Number(/ hostmaster\.cluster\.local\. (\d+) /.exec(cluster.records[0])?.[1])
  assert.ok(cluster.records.length > 5)
  assert.equal((await takeZone(endpoint, 'cluster.local', {}, serial)).records.length, 1)
})

test('IXFR without an SOA', async () => {
  const client = new TransferClient(endpoint)
  client.send(ixfrQuery('example.org', 7, 0))
  assert.equal((await client.take(true)).rcode, 'SERVFAIL')
  // Two are no query that is read at all.
  client.send(ixfrQuery('example.org', 7, 2))
  assert.equal((await client.take(true)).rcode, 'FORMERR')
  client.close()
  await server.line(/\[ERROR\] plugin\/errors: 2 example\.org\. IXFR: .*one SOA/)
})

test('several questions on one connection, transfers among them', async () => {
  const client = new TransferClient(endpoint)
  client.send(encodeQuery({ name: 'www.example.org', type: 'A', id: 1 }))
  client.send(encodeQuery({ name: 'example.org', type: 'AXFR', id: 2 }))
  client.send(encodeQuery({ name: 'cluster.local', type: 'AXFR', id: 3 }))
  client.send(encodeQuery({ name: 'example.net', type: 'AXFR', id: 4 }))
  client.send(encodeQuery({ name: 'www.example.org', type: 'A', id: 5 }))
  const ids: number[] = []
  for (let i = 0; i < 5; i++) ids.push(readResponse((await client.next())!).id)
  client.close()
  assert.deepEqual(ids, [1, 2, 3, 4, 5])
})

test('a transfer counts as one query, and has one line in the log', async () => {
  const families = [
    ['dns_requests_total', 'type="AXFR"', 'proto="tcp"'],
    ['dns_responses_total', 'rcode="NOERROR"', 'plugin="transfer"'],
    ['dns_response_size_bytes_count', 'proto="tcp"'],
    ['dns_request_duration_seconds_count'],
  ]
  const read = async (): Promise<number[]> => {
    const { body } = await server.get('/metrics', metricsPort)
    return families.map(([name, ...labels]) => {
      const own = [...labels, 'zone="cluster.local."']
      const isOne = (line: string): boolean =>
        line.startsWith(`coredns_${name}{`) && own.every((label) => line.includes(label))
      return Number(body.split('\n').find(isOne)?.split(' ').at(-1) ?? 0)
    })
  }
  const before = await read()
  const mark = server.mark
  const { messages } = await takeZone({ ...endpoint, from: '127.0.0.9' }, 'cluster.local')
  const line = await server.line(/127\.0\.0\.9:\d+ /, mark)
  const size = messages.reduce((sum, { octets }) => sum + octets.length, 0)
  assert.match(
    line,
    new RegExp(`"AXFR IN cluster\\.local\\. tcp 31 false 65535" NOERROR qr,aa,rd ${size} \\d+\\.\\d+s$`),
  )
  const after = await read()
  assert.deepEqual(
    after.map((value, i) => value - before[i]),
    [1, 1, 1, 1],
  )
  await server.line(
    /^\[INFO\] plugin\/transfer: AXFR of zone cluster\.local\. with serial \d+ to 127\.0\.0\.9: \d+ records$/,
  )
})

test('a zone that comes into the directory, and one that goes', async () => {
  const path = 'zones/db.new.auto.example.org'
  server.write(ZONE, path)
  const from = { ...endpoint, from: '127.0.0.2' }
  const until = async (rcode: string): Promise<void> => {
    for (let tries = 0; (await takeZone(from, 'new.auto.example.org')).rcode !== rcode; tries++) {
      assert.ok(tries < 200, `never ${rcode}`)
      await sleep(100)
    }
  }
  await until('NOERROR')
  await toldOf('4 new.auto.example.org.')
  rmSync(join(server.folder, path))
  await until('REFUSED')
})

test('secondaries are told at the start, but not of the zones of a cluster', async () => {
  for (const zone of ['example.org.', 'auto.example.org.']) await toldOf(`4 ${zone}`)
  told.clear()
  server.write(ZONE.replace('host 7', 'host 8'), 'zones/db.auto.example.org')
  await toldOf('4 auto.example.org.')
  assert.deepEqual([...told], ['4 auto.example.org.'])
})

async function toldOf(what: string): Promise<void> {
  for (let tries = 0; tries < 400 && !told.has(what); tries++) await sleep(50)
  assert.ok(told.has(what), `${what} is not among ${[...told]}`)
}

test('kdig takes a zone', async (t) => {
  const args = ['@127.0.0.1', '-p', String(server.port), '+noall', '+answer', 'example.org', 'AXFR']
  try {
    const { stdout } = await promisify(execFile)('kdig', args, { timeout: 20_000 })
    const lines = stdout.split('\n').filter((line) => /^\S+\s+\d+\s+IN/.test(line))
    assert.equal(lines.length, RECORDS.length + 1, stdout)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    t.skip('kdig is not installed (knot-dnsutils)')
  }
})
