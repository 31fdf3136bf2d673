// The Corefiles that distributions install, each with what it must do. `examples/` is the cluster.

import { type Ask, type Fixture, KEPT, NOT_KEPT } from './fixture.ts'

const ALL = { health: 8080, ready: 8181, metrics: 9153 }
const OVERRIDE = /^\[WARNING\] \S+: No files matching import glob pattern: \S*custom\/\*\.override$/
const SERVER = /^\[WARNING\] \S+: No files matching import glob pattern: \S*custom\/\*\.server$/

/**
 * What every block with `kubernetes` answers, `fallthrough` for reverse zones alone.
 * @param most  TTL of the cache
 */
export function clusterAsks(ttl: number, most = 30): Ask[] {
  const target = 'web.shop.svc.cluster.local.'
  return [
    ['cart.shop.svc.cluster.local. A', [`${ttl} A 10.101.37.152`]],
    ['CART.Shop.svc.cluster.LOCAL. A', [`${ttl} A 10.101.37.152`]],
    ['cart.shop.svc.cluster.local. AAAA', 'NODATA'],
    [`${target} AAAA`, [`${ttl} AAAA fd00:10:96::7:6cfc`]],
    [`_https._tcp.${target} SRV`, [`${ttl} SRV 0 50 443 ${target}`]],
    ['postgres-0.postgres.data.svc.cluster.local. A', [`${ttl} A 10.245.32.134`]],
    ['10-1-2-3.shop.pod.cluster.local. A', [`${ttl} A 10.1.2.3`]],
    ['gone.shop.svc.cluster.local. A', 'NXDOMAIN cluster.local.'],
    ['cluster.local. SOA', [`${ttl} SOA *`]],
    ['152.37.101.10.in-addr.arpa. PTR', [`${ttl} PTR cart.shop.svc.cluster.local.`]],
    ...forwardedAsks(most),
  ]
}

/** What every block with `forward . /etc/resolv.conf` and a cache answers; upstreams.ts has TTLs of 300. */
export function forwardedAsks(most: number): Ask[] {
  const ttl = Math.min(most, 300)
  return [
    ['www.example.net. A', [`${ttl} A 192.0.2.99`], KEPT],
    ['www.example.net. AAAA', 'NODATA .', KEPT],
    ['alias.example.net. A', [`${ttl} CNAME www.example.net.`, `www.example.net. ${ttl} A 192.0.2.99`], KEPT],
    ['gone.example.net. A', 'NXDOMAIN .', KEPT],
    ['4.3.2.1.in-addr.arpa. PTR', [`${ttl} PTR host.example.net.`], KEPT],
  ]
}

/** The shape that most installations share. */
function common(file: string, more: Partial<Fixture> = {}): Fixture {
  return { file, http: ALL, counts: ['.'], ...more, asks: [...clusterAsks(30), ...(more.asks ?? [])] }
}

const NODE_HOSTS = '172.18.0.3 k3d-agent-0\n172.18.0.2 k3d-server-0 k3d-server-0.lan\n'

/** k3s: no TTL of its own. */
function k3s(more: Partial<Fixture> = {}): Fixture {
  return {
    file: 'k3s',
    http: ALL,
    files: { '/etc/coredns/NodeHosts': NODE_HOSTS },
    counts: ['.'],
    ...more,
    asks: [
      ...clusterAsks(5),
      ['k3d-agent-0. A', ['30 A 172.18.0.3']], // `ttl 60`, and `cache 30`
      ['k3d-server-0.lan. A', ['30 A 172.18.0.2']],
      ['k3d-server-0. AAAA', 'NOERROR'], // no SOA to say NODATA with
      ['3.0.18.172.in-addr.arpa. PTR', ['30 PTR k3d-agent-0.']],
      ['k3d-agent-1. A', 'NXDOMAIN .', KEPT], // passed on
      ...(more.asks ?? []),
    ],
  }
}

const CORP_SERVER = `corp.example:53 {
    errors
    hosts {
        192.0.2.70 git.corp.example
        fallthrough
    }
    forward . 192.0.2.53
}
`

const OPENSHIFT_ASKS: readonly Ask[] = [
  ...clusterAsks(5, 900),
  ['hostname.bind. TXT CH', ['0 TXT "@HOST"']],
  ['version.bind. TXT CH', ['5 TXT "upstream"'], KEPT], // its TTL is 0
]

const NODE_DNS_ASKS: readonly Ask[] = [
  ['console.apps.ocp.example.org. A', ['30 A 192.0.2.12']], // `60 in`, and `cache 30`
  ['a.b.Apps.ocp.example.org. A', ['30 A 192.0.2.12']],
  ['console.apps.ocp.example.org. AAAA', 'NOERROR'],
  ['console.apps.ocp.example.org. TXT', 'NXDOMAIN .', KEPT], // no template takes it: passed on
  ['api.ocp.example.org. A', ['30 A 192.0.2.11']],
  ['api.ocp.example.org. AAAA', 'NOERROR'],
  ['api-int.ocp.example.org. A', ['30 A 192.0.2.11', '30 A 192.0.2.13']],
  ['api-int.ocp.example.org. AAAA', ['30 AAAA 2001:db8::11']],
  ['worker-0.ocp.example.org. A', ['30 A 192.0.2.31']],
  ['worker-0.ocp.example.org. AAAA', ['30 AAAA 2001:db8::31']],
  ['master-0. A', ['30 A 192.0.2.21']],
  ['master-0. AAAA', 'NOERROR'],
  ['21.2.0.192.in-addr.arpa. PTR', ['30 PTR master-0.', '30 PTR master-0.ocp.example.org.']],
  ['worker-9.ocp.example.org. A', 'NXDOMAIN .', KEPT],
  ['which.example.net. TXT', ['30 TXT "192.0.2.53"'], KEPT], // `policy sequential`
  ['cart.shop.svc.cluster.local. A', ['5 A 10.101.37.152'], KEPT],
  ...forwardedAsks(30),
]

const LOCAL = '169.254.20.10'
const AKS_NODE = '169.254.10.10'
const AKS_PODS = '169.254.10.11'

/** Only where these addresses can be had. */
const BOUND: readonly Fixture[] = [
  {
    file: 'nodelocaldns',
    path: '/etc/Corefile',
    name: 'node-cache',
    address: LOCAL,
    http: { health: 8080, metrics: 9253, host: LOCAL },
    listeners: ['cluster.local.', 'in-addr.arpa.', 'ip6.arpa.', '.'].flatMap((zone) => [
      `${zone}:53 on ${LOCAL}`,
      `${zone}:53 on 10.96.0.10`,
    ]),
    asks: [
      ['cart.shop.svc.cluster.local. A', ['5 A 10.101.37.152'], KEPT],
      ['152.37.101.10.in-addr.arpa. PTR', ['5 PTR cart.shop.svc.cluster.local.'], KEPT],
      ['which.svc.cluster.local. TXT', ['30 TXT "10.97.0.53"'], KEPT],
      ['which.in-addr.arpa. TXT', ['30 TXT "10.97.0.53"'], KEPT],
      ['which.ip6.arpa. TXT', ['30 TXT "10.97.0.53"'], KEPT],
      ['which.example.net. TXT', ['30 TXT "198.51.100.53"'], KEPT],
      // Of resolv.conf; the cache is that of the other address.
      ['zero.example.net. A', ['5 A 192.0.2.100'], { ...KEPT, at: '10.96.0.10' }],
      ...forwardedAsks(30).filter(([question]) => !question.includes('.arpa.')),
      ['4.3.2.1.in-addr.arpa. PTR', ['30 PTR host.example.net.'], KEPT],
    ],
    counts: ['cluster.local.', 'in-addr.arpa.', '.'],
  },
  {
    file: 'aks-localdns',
    address: AKS_NODE,
    http: { ready: 8181, metrics: 9253, host: AKS_NODE },
    listeners: [
      `health.localdns.example.:53 on ${AKS_NODE}`,
      `health.localdns.example.:53 on ${AKS_PODS}`,
      `.:53 on ${AKS_NODE}`,
      `.:53 on ${AKS_PODS}`,
      `cluster.local.:53 on ${AKS_NODE}`,
      `cluster.local.:53 on ${AKS_PODS}`,
    ],
    asks: [AKS_NODE, AKS_PODS].flatMap((at): Ask[] => [
      ['health.localdns.example. A', 'NOERROR', { at }],
      ['vm.zone.cloudapp.internal.example. A', 'NXDOMAIN without SOA', { at }],
      ['vm.zone.cloudapp.internal.example. TXT', 'NXDOMAIN without SOA', { at }],
      ['vm.cloudapp.internal.example. A', 'NXDOMAIN .', { at, ...KEPT }], // does not match: passed on
      ['any.fabric.internal.example. AAAA', 'NXDOMAIN without SOA', { at, nsid: 'localdns' }],
      ['cart.shop.svc.cluster.local. A', ['5 A 10.101.37.152'], { at, ...KEPT }],
      ['which.svc.cluster.local. TXT', ['300 TXT "10.96.0.10"'], { at, ...KEPT }],
      ['which.example.net. TXT', ['300 TXT "192.0.2.16"'], { at, ...KEPT }],
      ...forwardedAsks(3600).map(([question, result]): Ask => [question, result, { at, ...KEPT }]),
    ]),
    logs: [
      /^\[INFO\] 169\.254\.10\.10:\d+ - \d+ "A IN www\.example\.net\. udp 33 false 512" NOERROR qr,rd,ra 49 \d\.\d+s$/,
      /"TXT IN vm\.zone\.cloudapp\.internal\.example\. tcp 51 false 65535" NXDOMAIN qr,aa,rd 51 \d\.\d+s$/,
    ],
    counts: ['.', 'cluster.local.'],
  },
]

export const DISTRIBUTIONS: readonly Fixture[] = [
  common('kubeadm'),
  common('kubeadm-older'),
  common('addon'),
  common('eks'),
  common('helm'),
  {
    file: 'deployment-script',
    http: ALL,
    listeners: ['.:53', 'corp.example.:53', 'lab.example.:53'],
    asks: [
      // Without zones, `fallthrough` passes on the cluster's own missing names too.
      ...clusterAsks(5).filter(([, result]) => result !== 'NXDOMAIN cluster.local.'),
      ['gone.shop.svc.cluster.local. A', 'NXDOMAIN .', KEPT],
      ['cart.shop.svc.cluster.local. TXT', 'NODATA'],
      ['1.0.96.10.in-addr.arpa. PTR', 'NXDOMAIN .', KEPT],
      ['host.corp.example. A', ['30 A 192.0.2.101'], KEPT],
      ['which.corp.example. TXT', ['30 TXT "192.0.2.53"'], KEPT],
      ['host.lab.example. A', ['30 A 192.0.2.102'], KEPT],
      ['which.example.net. TXT', ['30 TXT "198.51.100.53"'], KEPT],
    ],
    counts: ['.'],
  },
  common('kops'),
  common('kops-gossip', {
    files: { '/rootfs/etc/hosts': '127.0.0.1 localhost\n10.4.1.7 api.internal.prod.k8s.local api.prod.k8s.local\n' },
    asks: [
      ['api.prod.k8s.local. A', ['30 A 10.4.1.7']],
      ['7.1.4.10.in-addr.arpa. PTR', ['30 PTR api.internal.prod.k8s.local.', '30 PTR api.prod.k8s.local.']],
      ['localhost. A', 'NXDOMAIN .', KEPT], // not in its zones
      ['gone.prod.k8s.local. A', 'NXDOMAIN .', KEPT],
    ],
  }),
  common('kops-ipv6', {
    asks: [
      ['cart.shop.svc.cluster.local. AAAA', ['30 AAAA 64:ff9b::a65:2598'], { at: '::1' }],
      ['web.shop.svc.cluster.local. AAAA', ['30 AAAA fd00:10:96::7:6cfc'], { at: '::1' }],
      ['gone.shop.svc.cluster.local. AAAA', 'NXDOMAIN', { at: '::1' }],
      ['www.example.net. AAAA', ['30 AAAA 64:ff9b::c000:263'], { at: '::1', forwarded: 'hit' }], // of the A record
    ],
  }),
  k3s({ says: [OVERRIDE, SERVER] }),
  k3s({
    title: 'customized',
    files: {
      '/etc/coredns/NodeHosts': NODE_HOSTS,
      '/etc/coredns/custom/log.override': 'log\n',
      '/etc/coredns/custom/corp.server': CORP_SERVER,
    },
    listeners: ['.:53', 'corp.example.:53'],
    asks: [
      ['git.corp.example. A', ['3600 A 192.0.2.70']],
      ['host.corp.example. A', ['300 A 192.0.2.101'], NOT_KEPT],
      ['which.corp.example. TXT', ['300 TXT "192.0.2.53"'], NOT_KEPT],
      ['gone.corp.example. A', 'NXDOMAIN .', NOT_KEPT],
    ],
    logs: [/^\[INFO\] 127\.0\.0\.1:\d+ - \d+ "A IN k3d-agent-0\. udp 29 false 512" NOERROR qr,aa,rd \d+ \d\.\d+s$/],
    hides: /git\.corp\.example|No files matching/, // that block has no `log`
  }),
  common('minikube', {
    asks: [
      ['host.minikube.internal. A', ['30 A 192.168.49.1']],
      ['host.minikube.internal. AAAA', 'NOERROR'],
      ['1.49.168.192.in-addr.arpa. PTR', ['30 PTR host.minikube.internal.']],
    ],
    logs: [
      /^\[INFO\] 127\.0\.0\.1:\d+ - \d+ "A IN cart\.shop\.svc\.cluster\.local\. udp 45 false 512" NOERROR qr,aa,rd \d+ \d\.\d+s$/,
      /^\[INFO\] 127\.0\.0\.1:\d+ - \d+ "A IN gone\.shop\.svc\.cluster\.local\. tcp 45 false 65535" NXDOMAIN qr,aa,rd \d+ \d\.\d+s$/,
    ],
  }),
  common('aks', { says: [OVERRIDE, SERVER] }),
  common('aks', {
    title: 'customized',
    files: {
      '/etc/coredns/custom/names.override': `rewrite stop {
    name regex (.*)\\.mine\\.example {1}.shop.svc.cluster.local
    answer name (.*)\\.shop\\.svc\\.cluster\\.local {1}.mine.example
}
`,
      '/etc/coredns/custom/corp.server': CORP_SERVER,
    },
    listeners: ['.:53', 'corp.example.:53'],
    asks: [
      ['cart.mine.example. A', ['30 A 10.101.37.152']],
      ['git.corp.example. A', ['3600 A 192.0.2.70']],
    ],
  }),
  common('digitalocean', { says: [OVERRIDE, SERVER] }),
  common('scaleway', { says: [OVERRIDE, SERVER] }),
  { file: 'kubespray', http: ALL, asks: clusterAsks(5), counts: ['.'] },
  {
    file: 'kubespray-extras',
    http: ALL,
    asks: [
      ...clusterAsks(5),
      ['registry.example.org. A', ['5 A 10.102.4.20']],
      ['build.example.org. A', ['30 A 192.0.2.80']],
      ['ingress.edge.apps.example.org. A', ['5 A 198.51.100.7']],
      ['_https._tcp.ingress.edge.apps.example.org. SRV', ['5 SRV 0 100 443 ingress.edge.apps.example.org.']],
      ['apps.example.org. NS', ['5 NS ns1.dns.apps.example.org.']],
      ['cart.shop.apps.example.org. A', 'NXDOMAIN apps.example.org.'],
    ],
    counts: ['.'],
  },
  {
    file: 'openshift',
    port: 5353,
    http: ALL,
    listeners: ['corp.example.:5353', 'secure.example.:5353', 'private.example.:5353', '.:5353', 'hostname.bind.:5353'],
    asks: [
      ...OPENSHIFT_ASKS,
      ['host.corp.example. A', ['300 A 192.0.2.101'], KEPT],
      ['which.corp.example. TXT', ['300 TXT "192.0.2.53"'], KEPT],
      ['refused.corp.example. A', 'REFUSED', NOT_KEPT],
      ['host.secure.example. A', ['300 A 192.0.2.103'], KEPT], // over TLS
      ['host.private.example. A', ['300 A 192.0.2.104'], KEPT],
      ['refused.example.net. A', 'REFUSED', NOT_KEPT],
    ],
    logs: [
      /^\[INFO\] 127\.0\.0\.1:\d+ - \d+ "A IN refused\.corp\.example\. udp 38 false 512" REFUSED qr,rd 38 \d\.\d+s$/,
      /^\[INFO\] .* "A IN refused\.example\.net\. udp 37 false 512" REFUSED /,
    ],
    says: [/^\[INFO\] without effect: \S+: ocp_dnsnameresolver: the status of DNSNameResolver objects is not written$/],
    hides: /IN (cart\.shop|gone\.|www\.|host\.)/,
    counts: ['corp.example.', 'secure.example.', 'private.example.', '.'],
  },
  {
    file: 'microshift',
    port: 5353,
    http: ALL,
    files: { '/etc/microshift/hosts': '192.0.2.40 edge edge.example.org\n' },
    listeners: ['.:5353', 'hostname.bind.:5353'],
    asks: [
      ...OPENSHIFT_ASKS,
      ['edge.example.org. A', ['900 A 192.0.2.40']],
      ['gone.example.org. A', 'NXDOMAIN .', KEPT],
    ],
    counts: ['.'],
  },
  { file: 'openshift-node', http: { health: 18080 }, asks: NODE_DNS_ASKS },
  ...BOUND,
]
