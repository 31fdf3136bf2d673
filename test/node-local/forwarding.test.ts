// The Corefile of NodeLocal DNSCache from its template to answers, in a network namespace: pods ask the node's addresses, the node asks the
// cluster's servers over TCP and all others as it should, once, and answers from its cache.

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, beforeEach, test } from 'node:test'
import { insideNamespace } from '../server/namespace.ts'
import { filterLacking, NodeCache, Pod, searchPath } from './node.ts'
import { UpstreamServer } from './upstream-server.ts'

const LINK_LOCAL = '169.254.20.10'
const CLUSTER_DNS = '10.96.0.10'
const CLUSTER_SERVER = '10.97.0.53'
const NODE_SERVER = '192.0.2.53'
const OTHER_SERVER = '192.0.2.54'
const MODES = [
  { mode: 'iptables', addresses: [LINK_LOCAL, CLUSTER_DNS] },
  { mode: 'IPVS', addresses: [LINK_LOCAL] },
]
/** As deploy/ has it, without its indentation: what an installer applies. */
const MANIFEST = readFileSync(join(import.meta.dirname, '../../deploy/node-local/node-local-dns.yaml'), 'utf8')

/** The template of the manifest as the installer leaves it. */
function template(addresses: readonly string[]): string {
  const indented = /^ {2}Corefile: \|\n((?: {4}.*\n|\n)+)/m.exec(MANIFEST)![1]
  return indented
    .replace(/^ {4}/gm, '')
    .replaceAll('__PILLAR__DNS__DOMAIN__', 'cluster.local')
    .replaceAll('__PILLAR__LOCAL__DNS__', LINK_LOCAL)
    .replaceAll(
      ' __PILLAR__DNS__SERVER__',
      addresses
        .slice(1)
        .map((address) => ` ${address}`)
        .join(''),
    )
}

const options = {
  addresses: [`${CLUSTER_SERVER}/32`, `${NODE_SERVER}/32`, `${OTHER_SERVER}/32`],
  resolvConf: `nameserver ${NODE_SERVER}\n`,
  programs: { iptables: 'iptables', nsenter: 'util-linux' },
}
if (insideNamespace(import.meta.filename, options)) {
  const skip = filterLacking(options.programs)
  const env = { PATH: '', KUBE_DNS_UPSTREAM_SERVICE_HOST: CLUSTER_SERVER }
  let pod: Pod
  let servers: UpstreamServer[] = []
  let cluster: UpstreamServer
  let outside: UpstreamServer
  let other: UpstreamServer

  before(async () => {
    if (skip !== false) return
    env.PATH = searchPath((text) => process.stdout.write(`﹣ ${text}\n`))
    pod = new Pod('pod0', '10.244.1.2')
    cluster = await UpstreamServer.open(CLUSTER_SERVER, 'cluster')
    outside = await UpstreamServer.open(NODE_SERVER, 'outside')
    other = await UpstreamServer.open(OTHER_SERVER, 'other')
    servers = [cluster, outside, other]
  })
  after(() => {
    for (const server of servers) server.close()
  })
  beforeEach(() => {
    for (const { asked } of servers) asked.length = 0
  })

  async function start(
    addresses: readonly string[],
    text: string,
    files: Record<string, string> = {},
  ): Promise<NodeCache> {
    const flags = ['-localip', addresses.join(','), '-upstreamsvc', 'kube-dns-upstream', '-kubednscm', 'kube-dns']
    return await NodeCache.start({ flags, template: text, files, address: LINK_LOCAL, env })
  }

  for (const { mode, addresses } of MODES) {
    test(`${mode} mode: the cluster is asked over TCP, all others over UDP; each once`, { skip }, async () => {
      const cache = await start(addresses, template(addresses))
      const says = async (name: string, expected: string): Promise<void> => {
        for (const address of addresses) {
          assert.equal(await pod.ask(address, name), `"${expected}"`, `${name} at ${address}`)
          assert.equal(await pod.ask(address, name, true), `"${expected}"`, `${name} at ${address} over TCP`)
        }
      }
      await says('web.shop.svc.cluster.local', 'cluster over tcp')
      await says('7.0.96.10.in-addr.arpa', 'cluster over tcp')
      await says('www.example.com', 'outside over udp')
      assert.deepEqual(cluster.asked, ['tcp web.shop.svc.cluster.local', 'tcp 7.0.96.10.in-addr.arpa'])
      assert.deepEqual(outside.asked, ['udp www.example.com'])
      // From the node itself, as programs on the host network ask.
      const { answer } = await cache.server.ask({ name: 'www.example.com', type: 'TXT' })
      assert.equal(answer[0].data, '"outside over udp"')
      const metrics = (await cache.server.get('/metrics', 9253, {}, '127.0.0.1')).body
      const hits = [...metrics.matchAll(/^coredns_cache_hits_total\{.*type="success".*\} (\d+)$/gm)]
      assert.equal(
        hits.reduce((sum, [, count]) => sum + Number(count), 0),
        3 * (2 * addresses.length - 1) + 1,
      )
      assert.equal(await cache.stop(), 0)
    })
  }

  test('prefer_udp: over TCP asked, over UDP forwarded; without it as it was asked', { skip }, async () => {
    const addresses = [LINK_LOCAL]
    const preferring = template(addresses).replace(
      'forward . __PILLAR__UPSTREAM__SERVERS__',
      'forward . __PILLAR__UPSTREAM__SERVERS__ {\n        prefer_udp\n    }',
    )
    const cache = await start(addresses, preferring)
    assert.equal(await pod.ask(LINK_LOCAL, 'a.example.com', true), '"outside over udp"')
    assert.equal(await cache.stop(), 0)
    const plain = await start(addresses, template(addresses))
    assert.equal(await pod.ask(LINK_LOCAL, 'b.example.com', true), '"outside over tcp"')
    assert.equal(await plain.stop(), 0)
  })

  test("kube-dns' ConfigMap: its servers in place of the node's, not forced to TCP; a stub domain to its own", {
    skip,
  }, async () => {
    const addresses = [LINK_LOCAL, CLUSTER_DNS]
    const forced = template(addresses).replace(
      'forward . __PILLAR__UPSTREAM__SERVERS__',
      'forward . __PILLAR__UPSTREAM__SERVERS__ {\n        force_tcp\n    }',
    )
    const files = {
      'kube-dns/upstreamNameservers': JSON.stringify([NODE_SERVER]),
      'kube-dns/stubDomains': JSON.stringify({ 'corp.example': [OTHER_SERVER] }),
    }
    const cache = await start(addresses, forced, files)
    assert.equal(await pod.ask(CLUSTER_DNS, 'www.example.com'), '"outside over udp"')
    assert.equal(await pod.ask(CLUSTER_DNS, 'git.corp.example'), '"other over udp"')
    assert.equal(await pod.ask(LINK_LOCAL, 'web.shop.svc.cluster.local'), '"cluster over tcp"')
    assert.deepEqual(other.asked, ['udp git.corp.example'])
    assert.equal(await cache.stop(), 0)
  })
}
