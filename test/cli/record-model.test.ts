// Peregrine's record model as a truth: what it says, what it says nothing about, how it follows a cluster; and that the real
// server agrees with it about every name.

import assert from 'node:assert/strict'
import { after, suite, test } from 'node:test'
import { configFromFlags } from '../../src/cli/flag-config.ts'
import { Flags } from '../../src/cli/flags.ts'
import { RecordModel, type RecordModelOptions } from '../../src/cli/record-model.ts'
import { reverseName } from '../../src/kube/address.ts'
import { loadManifests } from '../../src/kube/manifests.ts'
import type { ClusterObjects } from '../../src/kube/objects.ts'
import type { Verification } from '../../src/load/outcome.ts'
import { QueryTableBuilder, queryMessage } from '../../src/load/query-table.ts'
import type { Sample } from '../../src/load/session.ts'
import { answerLines } from '../../src/load/verify/answer-text.ts'
import { compareAnswers } from '../../src/load/verify/difference.ts'
import { Verifier } from '../../src/load/verify/verifier.ts'
import { UdpClient } from '../server/exchange.ts'
import { type Fixture, ManifestFolder, manifestsOf } from '../server/fixtures.ts'
import { type ServerProcess, startServer } from '../server/server-process.ts'
import { encodeQuery, type Query } from '../server/wire.ts'

const EXAMPLES = new URL('../../examples', import.meta.url).pathname
const TYPES = ['A', 'AAAA', 'SRV', 'TXT', 'CNAME', 'PTR', 'SOA', 'NS', 'ANY', 'HTTPS']
const SHOP: Fixture = {
  namespaces: ['shop'],
  services: {
    'shop/web': { clusterIPs: ['10.0.0.7', 'fd00::7'], ports: ['http:80/TCP'] },
    'shop/many': { clusterIPs: 'None' },
    'shop/out': { type: 'ExternalName', externalName: 'api.example.com' },
    'shop/alias': { type: 'ExternalName', externalName: 'web.shop.svc.cluster.local' },
  },
  slices: {
    'shop/web-1': { for: 'web', ports: ['http:8080/TCP'], endpoints: [{ a: ['10.1.0.1'], hostname: 'blue' }] },
    'shop/many-1': {
      for: 'many',
      ports: ['http:8080/TCP'],
      endpoints: Array.from({ length: 100 }, (_, i) => ({ a: [`10.2.0.${i}`] })),
    },
  },
}
const folder = new ManifestFolder()
const shopPath = folder.write(manifestsOf(SHOP))
const servers: ServerProcess[] = []

after(async () => {
  folder.remove()
  for (const server of servers) await server.stop()
})

async function modelOf(paths: readonly string[], options: Partial<RecordModelOptions> = {}): Promise<RecordModel> {
  const { objects, problems } = await loadManifests(paths)
  assert.deepEqual(problems, [])
  return new RecordModel(config(), objects, { name: 'manifests', ...options })
}

function config(): ReturnType<typeof configFromFlags> {
  return configFromFlags(Flags.parse(['--index-mb', '16']))
}

function query(name: string, type: string, more: Partial<Query> = {}): Uint8Array {
  return new Uint8Array(encodeQuery({ name, type, id: 0, ...more }))
}

suite('what it says', () => {
  const nothing: [name: string, type: string, why: string, Partial<Query>?][] = [
    ['www.example.com.', 'A', 'no zone of its own'],
    ['local.', 'SOA', 'above its zone'],
    ['.', 'NS', 'far above'],
    ['xcluster.local.', 'A', 'ends in the same octets'],
    ['cluster.local.', 'NS', 'has the addresses of whoever serves it'],
    ['ns.dns.cluster.local.', 'A', 'so has its name'],
    ['NS.DNS.CLUSTER.LOCAL.', 'AAAA', 'in any letters'],
    ['ns.dns.in-addr.arpa.', 'A', 'in reverse zones as well'],
    ['web.shop.svc.cluster.local.', 'AXFR', 'a transfer'],
    ['web.shop.svc.cluster.local.', 'A', 'another class', { class: 3 }],
    ['web.shop.svc.cluster.local.', 'A', 'NOTIFY', { flags: 0x2000 }],
    ['web.shop.svc.cluster.local.', 'A', 'a response', { flags: 0x8000 }],
    ['9.9.9.10.in-addr.arpa.', 'PTR', 'servers fall through for an address that is not theirs'],
    ['7.0.0.10.in-addr.arpa.', 'A', 'and for other types'],
  ]
  for (const [name, type, why, more] of nothing) {
    test(`nothing about ${name} ${type}: ${why}`, async () => {
      assert.equal((await modelOf([shopPath])).answer(query(name, type, more)), null)
    })
  }

  const something: [name: string, type: string, status: string, last: string][] = [
    ['web.shop.svc.cluster.local.', 'A', 'NOERROR', 'web.shop.svc.cluster.local. 5 IN A 10.0.0.7'],
    ['Gone.shop.svc.cluster.local.', 'A', 'NXDOMAIN', 'cluster.local. 5 IN SOA'],
    ['web.shop.svc.cluster.local.', 'TXT', 'NOERROR', 'cluster.local. 5 IN SOA'],
    ['7.0.0.10.in-addr.arpa.', 'PTR', 'NOERROR', '7.0.0.10.in-addr.arpa. 5 IN PTR web.shop.svc.cluster.local.'],
    ['in-addr.arpa.', 'SOA', 'NOERROR', 'in-addr.arpa. 5 IN SOA'],
    ['out.shop.svc.cluster.local.', 'A', 'NOERROR', 'out.shop.svc.cluster.local. 5 IN CNAME api.example.com.'],
    ['dns.cluster.local.', 'A', 'NOERROR', 'cluster.local. 5 IN SOA'],
  ]
  for (const [name, type, status, last] of something) {
    test(`${name} ${type}: ${last}`, async () => {
      const lines = answerLines((await modelOf([shopPath])).answer(query(name, type)) ?? new Uint8Array(0))
      assert.equal(lines[0], `;; status: ${status}, flags: qr aa rd`)
      assert.ok(lines.at(-1)?.startsWith(last), lines.join('\n'))
    })
  }

  test('a query that breaks off, at any octet', async () => {
    const model = await modelOf([shopPath])
    const whole = query('web.shop.svc.cluster.local.', 'A')
    for (let length = 0; length < whole.length; length++) assert.equal(model.answer(whole.subarray(0, length)), null)
    assert.notEqual(model.answer(whole), null)
  })

  test('all of an answer, whatever room there is for a datagram', async () => {
    const lines = answerLines((await modelOf([shopPath])).answer(query('many.shop.svc.cluster.local.', 'A'))!)
    assert.equal(lines[0], ';; status: NOERROR, flags: qr aa rd')
    assert.equal(lines.at(-1), ';; and 53 more lines')
  })

  test('what is not there in reverse zones, if servers do not fall through', async () => {
    const model = await modelOf([shopPath], { fallthrough: [] })
    const lines = answerLines(model.answer(query('9.9.9.10.in-addr.arpa.', 'PTR'))!)
    assert.equal(lines[0], ';; status: NXDOMAIN, flags: qr aa rd')
  })

  test('a chain that leaves its zones may go on elsewhere', async () => {
    const model = await modelOf([shopPath])
    const expected = model.answer(query('out.shop.svc.cluster.local.', 'A'))!
    const record = (owner: number[], type: number, rdata: number[]): number[] => [
      ...owner,
      ...[0, type, 0, 1, 0, 0, 1, 44, 0, rdata.length],
      ...rdata,
    ]
    // The target begins behind the question, the owner and ten octets more.
    const target = query('out.shop.svc.cluster.local.', 'A').length + 12
    const got = Uint8Array.of(...expected, ...record([0xc0, target], 1, [192, 0, 2, 1]))
    got[7] = 2
    assert.equal(answerLines(got).at(-1), 'api.example.com. 300 IN A 192.0.2.1')
    assert.equal(compareAnswers(got, expected, model.rules), null)
    assert.notEqual(compareAnswers(got, expected), null)
  })
})

suite('a cluster that changes', () => {
  const moved: Fixture = { ...SHOP, services: { 'shop/web': { clusterIPs: ['10.0.0.8'], ports: ['http:80/TCP'] } } }
  const movedPath = folder.write(manifestsOf(moved), 'moved.json')

  test('is read again when somebody needs to know, once for all who do', async () => {
    const { objects } = await loadManifests([movedPath])
    let readings = 0
    const reread = async (): Promise<ClusterObjects> => {
      readings++
      return objects
    }
    const model = await modelOf([shopPath], { reread })
    const web = query('web.shop.svc.cluster.local.', 'A')
    const last = (): number | undefined => model.answer(web)?.at(-1)
    assert.equal(await model.refresh?.(web, 0), false)
    assert.deepEqual([readings, last()], [0, 7])
    const nowMs = performance.now()
    const changed = await Promise.all([model.refresh?.(web, nowMs), model.refresh?.(web, nowMs - 1)])
    assert.deepEqual([changed, readings, last()], [[true, true], 1, 8])
    assert.equal(await model.refresh?.(web, nowMs), false)
    assert.equal(readings, 1)
  })

  test('stays as it was when it cannot be read', async () => {
    const lines: string[] = []
    const reread = (): Promise<ClusterObjects> => Promise.reject(new Error('no way to it'))
    const model = await modelOf([shopPath], { reread, complain: (line) => void lines.push(line) })
    const web = query('web.shop.svc.cluster.local.', 'A')
    await model.refresh?.(web, performance.now())
    assert.equal(model.answer(web)?.at(-1), 7)
    assert.deepEqual(lines, ['the cluster could not be read again: no way to it'])
  })

  test('manifests never change', async () => {
    assert.equal((await modelOf([shopPath])).refresh, undefined)
  })
})

/** Every name that the objects make, names beside them, and what search paths make of them. */
function namesOf({ namespaces, services, slices }: ClusterObjects): string[] {
  const zone = 'cluster.local.'
  const names = [
    zone,
    `svc.${zone}`,
    `pod.${zone}`,
    `dns-version.${zone}`,
    `ns.dns.${zone}`,
    `x.${zone}`,
    'example.com.',
  ]
  for (const namespace of namespaces) names.push(`${namespace}.svc.${zone}`, `10-9-8-7.${namespace}.pod.${zone}`)
  const addresses: string[] = []
  for (const { namespace, name, ports, clusterIPs } of services.values()) {
    const service = `${name}.${namespace}.svc.${zone}`
    addresses.push(...clusterIPs)
    names.push(service, `x.${service}`, `${service}${zone}`, `${service}svc.${zone}`, service.toUpperCase())
    for (const port of ports) names.push(`_${port.name}._${port.protocol}.${service}`, `_${port.protocol}.${service}`)
  }
  for (const { namespace, serviceName, endpoints } of slices.values()) {
    for (const { address, hostname } of endpoints) {
      addresses.push(address)
      const label = hostname === '' ? address.replace(/[.:]/g, '-') : hostname
      names.push(`${label}.${serviceName}.${namespace}.svc.${zone}`)
    }
  }
  const reverse = addresses.map((address) => `${reverseName(address).join('.')}.`)
  return [...names, ...reverse, '1.2.3.4.in-addr.arpa.', 'in-addr.arpa.']
}

suite('the real server', () => {
  /** Asks a server everything over UDP and checks what it says. */
  async function verified(
    server: ServerProcess,
    paths: string[],
    model: RecordModel,
    strict: boolean,
  ): Promise<Verification> {
    const { objects } = await loadManifests(paths)
    const builder = new QueryTableBuilder()
    for (const name of namesOf(objects)) {
      for (const type of TYPES) builder.add(query(name, type, type === 'SRV' ? { edns: { size: 4096 } } : {}))
    }
    const table = builder.build()
    const { address, port } = server.endpoint
    const client = new UdpClient(server.endpoint)
    const verifier = new Verifier(
      table,
      { label: 'test', address, port, transport: 'udp', serverName: '', path: '', verifiesCertificate: true },
      model,
      { strict, recheckAfterMs: 10, rechecksPerSecond: 2000 },
    )
    for (let i = 0; i < table.count; i += 100) {
      const asked = Array.from({ length: Math.min(100, table.count - i) }, async (_, n): Promise<Sample> => {
        const message = queryMessage(table, i + n).slice()
        message.set([n, 1])
        const response = await client.exchange(message)
        assert.ok(response !== undefined, `no answer to query ${i + n}`)
        return { index: i + n, response }
      })
      await verifier.take(await Promise.all(asked))
    }
    client.close()
    return await verifier.settle()
  }

  for (const [name, paths] of [
    ['the examples', [EXAMPLES]],
    ['long answers and chains', [shopPath]],
  ] as const) {
    test(`is right about ${name}, strictly too`, async () => {
      const server = await startServer({ manifests: paths })
      servers.push(server)
      for (const strict of [false, true]) {
        const verification = await verified(server, [...paths], await modelOf(paths), strict)
        const { checked, outside, answers, ...counts } = verification
        assert.deepEqual(answers, [])
        assert.deepEqual(counts, { wrong: 0, unchecked: 0, passing: 0 })
        assert.ok(checked > 200 && outside > 20, `${checked} checked, ${outside} outside`)
      }
    })
  }

  test('is found out when it serves something else', async () => {
    const other: Fixture = {
      ...SHOP,
      services: { ...SHOP.services, 'shop/web': { clusterIPs: ['10.0.0.9'], ports: [] } },
    }
    const otherPath = folder.write(manifestsOf(other), 'other.json')
    const server = await startServer({ manifests: [otherPath] })
    servers.push(server)
    const { wrong, answers } = await verified(server, [shopPath], await modelOf([shopPath]), false)
    assert.equal(
      wrong,
      answers.reduce((sum, { times }) => sum + times, 0),
    )
    const found = answers.map(({ question, difference }) => `${question}: ${difference}`)
    const web = 'web.shop.svc.cluster.local. A'
    assert.ok(found.includes(`${web}: missing: ${web} 10.0.0.7; unexpected: ${web} 10.0.0.9`), found.join('\n'))
    assert.ok(found.includes('_http._TCP.web.shop.svc.cluster.local. SRV: NXDOMAIN, not NOERROR'), found.join('\n'))
    assert.ok(!found.some((line) => line.startsWith('many.')), 'the others are right')
  })
})
