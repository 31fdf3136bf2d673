// Every Corefile of the folder loads without any change, and means what the reference says, also where no answer shows it.

import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { corefileReader } from '../../src/cli/corefile.ts'
import type { Configuration } from '../../src/config/configuration.ts'
import { effectiveText } from '../../src/config/effective.ts'
import { COREFILES } from './fixture.ts'
import { DISTRIBUTIONS } from './fixtures.ts'
import { CUSTOMIZATIONS } from './fixtures-customized.ts'

const FILES = readdirSync(COREFILES).map((name) => name.replace(/\.Corefile$/, ''))
const KUBEADM = 'errors health ready kubernetes prometheus forward cache loop reload loadbalance'
const OPENSHIFT = 'bufsize errors log health ready kubernetes prometheus forward cache reload'

/** File -> keys and plugins of each block, in any order; after them settings, as paths into the plugins of the first block, or with `#2 ` before them of the one after the second. */
const MEANINGS: Readonly<
  Record<string, readonly [blocks: readonly string[], settings?: Readonly<Record<string, unknown>>]>
> = {
  kubeadm: [
    [`. ${KUBEADM}`],
    {
      'health.lameduckMs': 5000,
      'health.address.port': 8080,
      'ready.address.port': 8181,
      'prometheus.address': { host: '', port: 9153 },
      'kubernetes.zones': ['cluster.local.', 'in-addr.arpa.', 'ip6.arpa.'],
      'kubernetes.pods': 'insecure',
      'kubernetes.ttl': 30,
      'kubernetes.fallthrough': ['in-addr.arpa.', 'ip6.arpa.'],
      'kubernetes.startupTimeoutMs': 5000,
      'forward.0.from': '.',
      'forward.0.to': ['/etc/resolv.conf'],
      'forward.0.maxConcurrent': 1000,
      'forward.0.policy': 'random',
      'cache.success': { capacity: 9984, ttl: 30, minTtl: 5 },
      'cache.denial': { capacity: 9984, ttl: 30, minTtl: 5 },
      'cache.disableSuccess': ['cluster.local.'],
      'cache.disableDenial': ['cluster.local.'],
      reload: { intervalMs: 30_000, jitterMs: 15_000 },
      'loadbalance.policy': 'round_robin',
    },
  ],
  'kubeadm-older': [[`. ${KUBEADM}`], { 'cache.disableSuccess': [], 'cache.disableDenial': [] }],
  addon: [[`. ${KUBEADM}`], { 'cache.success.ttl': 30 }],
  eks: [[`. ${KUBEADM}`], { 'health.lameduckMs': 5000 }],
  helm: [[`. ${KUBEADM}`], { 'health.lameduckMs': 10_000 }],
  'deployment-script': [
    [`. ${KUBEADM}`, 'corp.example. errors cache loop forward', 'lab.example. errors cache loop forward'],
    {
      // A /12 is sixteen zones of an octet, a /16 is one.
      'kubernetes.zones': [
        'cluster.local.',
        ...Array.from({ length: 16 }, (_, i) => `${96 + i}.10.in-addr.arpa.`),
        '244.10.in-addr.arpa.',
      ],
      'kubernetes.fallthrough': ['.'],
      'kubernetes.ttl': 5,
    },
  ],
  kops: [[`. ${KUBEADM}`]],
  'kops-gossip': [
    [`. ${KUBEADM} hosts`],
    {
      'hosts.path': '/rootfs/etc/hosts',
      'hosts.zones': ['prod.k8s.local.'],
      'hosts.ttl': 30,
      'hosts.fallthrough': ['.'],
    },
  ],
  'kops-ipv6': [[`. ${KUBEADM} dns64`], { dns64: { prefix: '64:ff9b::/96', translateAll: false, allowIpv4: false } }],
  k3s: [
    [`. ${KUBEADM} hosts`],
    { 'hosts.ttl': 60, 'hosts.reloadMs': 15_000, 'health.lameduckMs': 0, 'forward.0.maxConcurrent': 0 },
  ],
  minikube: [
    [`. ${KUBEADM} hosts log`],
    { 'hosts.inline': [{ address: '192.168.49.1', names: ['host.minikube.internal.'] }], 'log.0.names': ['.'] },
  ],
  aks: [[`. ${KUBEADM}`], { 'health.lameduckMs': 0 }],
  digitalocean: [[`. ${KUBEADM}`]],
  scaleway: [[`. ${KUBEADM}`]],
  kubespray: [[`. ${KUBEADM}`], { 'forward.0.preferUdp': true, 'errors.consolidate': [] }],
  'kubespray-extras': [
    [`. ${KUBEADM} hosts k8s_external rewrite`],
    { 'k8s_external.zones': ['apps.example.org.'], 'k8s_external.apex': 'dns', 'k8s_external.ttl': 5 },
  ],
  openshift: [
    [
      'corp.example. prometheus forward errors log bufsize cache',
      'secure.example.+private.example. prometheus forward errors log bufsize cache',
      `. ${OPENSHIFT} ocp_dnsnameresolver`,
      'hostname.bind. chaos',
    ],
    {
      'prometheus.address': { host: '127.0.0.1', port: 9153 },
      'cache.success': { capacity: 9984, ttl: 900, minTtl: 5 },
      'cache.denial': { capacity: 9984, ttl: 30, minTtl: 5 },
      'forward.0.policy': 'random',
      'log.0.classes': ['error'],
      bufsize: 1232,
    },
  ],
  microshift: [
    [`. ${OPENSHIFT} hosts`, 'hostname.bind. chaos'],
    { 'forward.0.policy': 'sequential', 'health.lameduckMs': 20_000, 'kubernetes.ttl': 5, 'cache.denial.ttl': 30 },
  ],
  'openshift-node': [
    ['. errors bufsize health forward cache reload template hosts'],
    { bufsize: 512, 'health.address.port': 18080, 'forward.0.policy': 'sequential', 'template.length': 6 },
  ],
  nodelocaldns: [
    [
      'cluster.local. errors cache reload loop bind forward prometheus health',
      ...['in-addr.arpa.', 'ip6.arpa.', '.'].map((zone) => `${zone} errors cache reload loop bind forward prometheus`),
    ],
    {
      'bind.addresses': ['169.254.20.10', '10.96.0.10'],
      'cache.success': { capacity: 9984, ttl: 30, minTtl: 5 },
      'cache.denial': { capacity: 9984, ttl: 5, minTtl: 5 },
      'forward.0.forceTcp': true,
      'health.address': { host: '169.254.20.10', port: 8080 },
      'prometheus.address.port': 9253,
    },
  ],
  'aks-localdns': [
    [
      'health.localdns.example. bind whoami',
      '. log errors bind forward ready cache loop nsid prometheus template',
      ...['cluster.local.', 'cluster.local.'].map((z) => `${z} log errors bind forward cache loop nsid prometheus`),
      '. log errors bind forward cache loop nsid prometheus template',
    ],
    { 'bind.addresses': ['169.254.10.10', '169.254.10.11'] },
  ],
  'user-01-stub-domain': [
    [`. ${KUBEADM}`, 'corp.example. errors cache forward'],
    { 'forward.0.from': 'lab.example.', 'forward.1.from': '.' },
  ],
  'user-02-upstreams': [
    [`. ${KUBEADM}`],
    { 'forward.0.upstreams.1.host': '2001:db8::53', 'forward.0.upstreams.1.port': 5353 },
  ],
  'user-03-hosts': [[`. ${KUBEADM} hosts`, 'legacy.example. errors hosts forward'], { 'hosts.fallthrough': ['.'] }],
  'user-04-rewrite': [[`. ${KUBEADM} rewrite`], { 'rewrite.length': 3 }],
  'user-05-log': [[`. ${KUBEADM} log`], { 'log.0.classes': ['denial', 'error'] }],
  'user-06-cache': [
    [`. ${KUBEADM}`],
    {
      'cache.success': { capacity: 20_000, ttl: 3600, minTtl: 10 },
      'cache.denial': { capacity: 9984, ttl: 60, minTtl: 5 },
      'cache.prefetch': { amount: 10, durationMs: 60_000, percentage: 20 },
      'cache.servfailMs': 1000,
    },
  ],
  'user-07-template': [[`. ${KUBEADM} template`, 'tenants.example. errors template forward'], { 'template.length': 2 }],
  'user-08-autopath': [[`. ${KUBEADM} autopath`], { 'kubernetes.pods': 'verified' }],
  'user-09-tls-upstreams': [
    [`. ${KUBEADM}`],
    {
      'forward.0.tlsServername': 'dns.example.net',
      'forward.0.upstreams.0': { transport: 'tls', host: '192.0.2.9', port: 853, serverName: '' },
      'forward.0.healthCheck.intervalMs': 5000,
    },
  ],
  'user-10-file': [[`. ${KUBEADM} acl file k8s_external`], { 'file.0.zones': ['office.example.'] }],
  'user-11-patience': [
    [`. ${KUBEADM.replace(' loadbalance', '')}`],
    { 'health.lameduckMs': 20_000, reload: { intervalMs: 5000, jitterMs: 2000 } },
  ],
}

/** Read, checked, and nothing more. */
const WITHOUT_EFFECT = /: (forward|cache|ocp_dnsnameresolver)\b/

test('every file is served by a test', () => {
  const served = new Set([...DISTRIBUTIONS, ...CUSTOMIZATIONS].map(({ file }) => file))
  assert.deepEqual([...served].sort(), [...FILES].sort())
  assert.deepEqual(Object.keys(MEANINGS).sort(), [...FILES].sort())
})

const hasUpstream = existsSync('/etc/resolv.conf') && /^nameserver/m.test(readFileSync('/etc/resolv.conf', 'utf8'))
const skip = hasUpstream ? false : 'needs a nameserver in /etc/resolv.conf'

for (const file of FILES) {
  test(file, { skip }, () => {
    const { configuration, error } = corefileReader(`${COREFILES}/${file}.Corefile`, 53)()
    assert(configuration !== null, error?.message ?? 'it does not load')
    const [blocks, settings = {}] = MEANINGS[file]
    assert.deepEqual(shapeOf(configuration), blocks.map(sorted))
    for (const [path, value] of Object.entries(settings)) {
      const [, block = '0', inside] = /^(?:#(\d+) )?(.*)$/.exec(path)!
      assert.deepEqual(at(configuration.blocks[Number(block)].plugins, inside), value, path)
    }
    const strange = configuration.withoutEffect.filter((line) => !WITHOUT_EFFECT.test(line))
    assert.deepEqual(strange, [])
    assert.match(effectiveText(configuration), /^Corefile: /)
  })
}

function shapeOf({ blocks }: Configuration): string[] {
  return blocks.map(({ zones, plugins }) => sorted(`${zones.join('+')} ${Object.keys(plugins).join(' ')}`))
}

/** Keys as they are, plugins in order of the alphabet. */
function sorted(block: string): string {
  const [keys, ...plugins] = block.split(' ')
  return [keys, ...plugins.sort()].join(' ')
}

/** `cache.success.ttl` of an object. */
function at(object: unknown, path: string): unknown {
  return path.split('.').reduce((part, name) => (part as Record<string, unknown>)?.[name], object)
}
