// Clients that people have: dig, kdig and the resolver of glibc, with the resolv.conf of a Pod, against a server on port 53
// of a network namespace. What the Kubernetes conformance suite asks of cluster DNS, as far as one machine can ask it.

import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { after, before, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { type Fixture, type Manifest, ManifestFolder, manifestsOf } from './fixtures.ts'
import { insideNamespace } from './namespace.ts'
import { type ServerProcess, startServer } from './server-process.ts'

const ADDRESS = '10.130.0.2'
const SEARCH = 'web.svc.cluster.local svc.cluster.local cluster.local'
const RELOAD_MS = 2_000

const CLUSTER: Fixture = {
  namespaces: ['default', 'web', 'shop'],
  services: {
    'default/kubernetes': { clusterIPs: ['172.30.0.1'], ports: ['https:443/TCP'] },
    'web/front': { clusterIPs: ['172.30.4.20', 'fd00:172:30::20'], ports: ['http:80/TCP'] },
    'web/2048': { clusterIPs: ['172.30.4.21'], ports: ['http:80/TCP'] },
    'web/alias': { type: 'ExternalName', externalName: 'cart.shop.svc.cluster.local' },
    'shop/cart': { clusterIPs: ['172.30.4.10'], ports: ['http:80/TCP'] },
  },
}

/** A Pod that sets `hostname` and `subdomain`, and the headless Service of that name: the control plane makes the slices. */
const POD_WITH_HOSTNAME: Manifest[] = [
  {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { namespace: 'web', name: 'peers' },
    spec: { clusterIP: 'None', clusterIPs: ['None'], selector: { app: 'peer' }, ports: [{ name: 'http', port: 80 }] },
  },
  {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { namespace: 'web', name: 'peer-a', labels: { app: 'peer' } },
    spec: { hostname: 'first', subdomain: 'peers', containers: [{ name: 'main', image: 'registry.example/peer' }] },
    status: {
      phase: 'Running',
      podIP: '10.131.0.20',
      podIPs: [{ ip: '10.131.0.20' }],
      conditions: [{ type: 'Ready', status: 'True' }],
    },
  },
]

/** Short and full names, as a Pod of the namespace `web` may write them, and the address of each. */
const NAMES: [name: string, address: string][] = [
  ['kubernetes.default.svc.cluster.local', '172.30.0.1'],
  ['kubernetes.default.svc.cluster.local.', '172.30.0.1'],
  ['kubernetes.default.svc', '172.30.0.1'],
  ['kubernetes.default', '172.30.0.1'],
  ['KUBERNETES.Default', '172.30.0.1'],
  ['front', '172.30.4.20'],
  ['front.web', '172.30.4.20'],
  ['front.web.svc', '172.30.4.20'],
  ['cart.shop', '172.30.4.10'],
  ['2048', '172.30.4.21'], // a Service whose name begins with a digit; here it has no other character
  ['2048.web', '172.30.4.21'],
  ['alias', '172.30.4.10'],
  ['peers', '10.131.0.20'],
  ['first.peers', '10.131.0.20'],
  ['first.peers.web.svc.cluster.local', '10.131.0.20'],
  ['10-131-0-20.web.pod', '10.131.0.20'],
]

/** Search lists that have made clients stumble. */
const SEARCH_LISTS: [title: string, text: string][] = [
  ['the usual one', SEARCH],
  ['with the root', `${SEARCH} .`],
  ['with underscores', `${SEARCH} _under_score.example a_b.example`],
  ['of more than 256 characters', `${SEARCH} ${'long-search-domain-number-'.repeat(2)}x.example `.repeat(4)],
]

const run = promisify(execFile)
const folder = new ManifestFolder()
let server: ServerProcess

const programs = { dig: 'bind9-dnsutils', kdig: 'knot-dnsutils', getent: 'libc-bin' }
const resolvConf = resolvConfText(SEARCH)
if (insideNamespace(import.meta.filename, { addresses: [`${ADDRESS}/24`, 'fd00:130::2/64'], resolvConf, programs })) {
  before(async () => {
    const manifests = [folder.write([...manifestsOf(CLUSTER), ...POD_WITH_HOSTNAME])]
    server = await startServer({ manifests, address: ADDRESS, port: 53, flags: ['--listen', ADDRESS] })
  })
  after(async () => {
    await server.stop()
    folder.remove()
  })

  for (const transport of ['UDP', 'TCP']) {
    for (const [title, search] of SEARCH_LISTS) {
      test(`getent ahosts, search list ${title}, ${transport}`, async () => {
        writeFileSync('/etc/resolv.conf', resolvConfText(search, transport === 'TCP' ? ' use-vc' : ''))
        for (const [name, address] of NAMES) {
          if (name === '2048') continue // getaddrinfo reads it as an IPv4 address
          assert.match(await lines('getent', ['ahosts', name]), new RegExp(`^${address}\\s`, 'm'), name)
        }
        assert.match(await lines('getent', ['ahostsv6', 'front']), /^fd00:172:30::20\s/m)
        assert.match(await lines('getent', ['hosts', '172.30.4.10']), /cart\.shop\.svc\.cluster\.local/)
        assert.match(await lines('getent', ['hosts', 'fd00:172:30::20']), /front\.web\.svc\.cluster\.local/)
        for (const name of ['nothing', 'nothing.shop', 'cart', 'cart.shop.web']) {
          assert.equal(await lines('getent', ['ahosts', `${name}.svc.cluster.local.`]), '', name)
        }
      })
    }

    const tcp = transport === 'TCP' ? ['+tcp'] : []
    test(`dig with the search list, ${transport}`, async () => {
      writeFileSync('/etc/resolv.conf', resolvConfText(SEARCH))
      for (const [name, address] of NAMES) {
        assert.match(await lines('dig', ['+search', '+short', ...tcp, name]), new RegExp(`^${address}$`, 'm'), name)
      }
      for (const name of ['_http._tcp.front', '_http._tcp.front.web.svc.cluster.local']) {
        const srv = await lines('dig', ['+search', '+short', ...tcp, name, 'SRV'])
        assert.equal(srv, '0 50 80 front.web.svc.cluster.local.', name)
      }
      assert.equal(await lines('dig', ['+short', ...tcp, '-x', '172.30.4.20']), 'front.web.svc.cluster.local.')
      assert.equal(await lines('dig', ['+short', ...tcp, '-x', 'fd00:172:30::20']), 'front.web.svc.cluster.local.')
      const missing = await lines('dig', [...tcp, 'nothing.web.svc.cluster.local'])
      assert.match(missing, /status: NXDOMAIN/)
      assert.match(missing, /flags: qr aa rd;/)
      assert.doesNotMatch(missing, /WARNING: (?!recursion|\.local is reserved)|Malformed/i)
    })

    test(`kdig, ${transport}`, async () => {
      for (const [name, address] of NAMES) {
        const full = fullName(name)
        assert.match(await lines('kdig', ['+short', ...tcp, full, 'A']), new RegExp(`^${address}$`, 'm'), full)
      }
      const answer = await lines('kdig', [...tcp, '+edns', '_http._tcp.first.peers.web.svc.cluster.local', 'SRV'])
      assert.match(answer, /status: NXDOMAIN/) // no SRV below an endpoint
      const srv = await lines('kdig', [...tcp, '+edns', '_http._tcp.peers.web.svc.cluster.local', 'SRV'])
      assert.match(srv, /SRV\s+0 100 80 first\.peers\.web\.svc\.cluster\.local\./)
      assert.match(srv, /^first\.peers\.web\.svc\.cluster\.local\.\s+5\s+IN\s+A\s+10\.131\.0\.20$/m)
      assert.doesNotMatch(srv, /;; (ERROR|WARNING)/)
    })
  }

  test('an ExternalName that is edited, and then becomes a ClusterIP Service', async () => {
    const name = 'moved.web.svc.cluster.local'
    const serve = (service: NonNullable<Fixture['services']>[string]) =>
      folder.write(manifestsOf({ ...CLUSTER, services: { ...CLUSTER.services, 'web/moved': service } }))
    serve({ type: 'ExternalName', externalName: 'foo.example.com' })
    await eventually('CNAME of foo', ['+short', name, 'CNAME'], 'foo.example.com.')
    serve({ type: 'ExternalName', externalName: 'bar.example.com' })
    await eventually('CNAME of bar', ['+short', name, 'CNAME'], 'bar.example.com.')
    serve({ clusterIPs: ['172.30.4.77'], ports: ['http:80/TCP'] })
    await eventually('an address', ['+short', name, 'A'], '172.30.4.77')
    assert.equal(await lines('dig', ['+short', name, 'CNAME']), '')
  })
}

/** What the kubelet writes for a Pod, with the search list and further options. */
function resolvConfText(search: string, options = ''): string {
  return `nameserver ${ADDRESS}\nsearch ${search}\noptions ndots:5 timeout:2 attempts:1${options}\n`
}

/** The name the search list leads to. */
function fullName(name: string): string {
  if (name.endsWith('.cluster.local') || name.endsWith('.')) return name
  if (/\.(svc|pod)$/.test(name)) return `${name}.cluster.local`
  const inWeb = ['front', '2048', 'alias', 'peers', 'first.peers'].includes(name)
  return inWeb ? `${name}.web.svc.cluster.local` : `${name}.svc.cluster.local`
}

/** What a program prints; also when it finds nothing and says so with its exit code. */
async function lines(program: string, args: string[]): Promise<string> {
  const { stdout } = await run(program, args, { timeout: 20_000 }).catch(
    (error: { stdout?: string; code?: number }) => {
      if (program === 'getent' && error.code === 2) return { stdout: '' }
      throw error
    },
  )
  return stdout.trim()
}

/** Asks until the answer is there: a saved file is read within a moment. */
async function eventually(title: string, args: string[], expected: string): Promise<void> {
  let found = ''
  for (const deadline = performance.now() + RELOAD_MS; performance.now() < deadline; await sleep(20)) {
    found = await lines('dig', args)
    if (found === expected) return
  }
  assert.equal(found, expected, title)
}
