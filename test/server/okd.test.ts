// The names of OKD 3.11 next to those of the Kubernetes schema: where both define a name, Kubernetes wins; SRV records have
// the Kubernetes form (priority 0; in the svc subtree Service names and dashed addresses as targets) where either would do.

import { type OkdFixture, okdManifestsOf } from './fixtures.ts'
import { type Row, testSuite } from './tables.ts'

const SHOP: OkdFixture = {
  services: [
    {
      ns: 'default',
      name: 'kubernetes',
      clusterIP: '172.30.0.1',
      ports: ['https/TCP/443', 'dns/UDP/53', 'dns-tcp/TCP/53'],
    },
    {
      ns: 'shop',
      name: 'cart',
      clusterIP: '172.30.14.7',
      ports: ['web/TCP/80', 'metrics/TCP/9102', 'gossip/UDP/7946'],
    },
    { ns: 'shop', name: 'queue', clusterIP: 'None', ports: ['amqp/TCP/5672', 'mgmt/TCP/15672'] },
    { ns: 'shop', name: 'queue-peers', clusterIP: 'None', ports: ['peer/TCP/25672'] },
    { ns: 'shop', name: 'mailer', type: 'ExternalName', externalName: 'smtp.partner.test', ports: ['smtp/TCP/587'] },
    { ns: 'shop', name: 'alias', type: 'ExternalName', externalName: 'cart.shop.svc.cluster.local' },
    { ns: 'shop', name: 'ghost', type: 'ExternalName', externalName: 'gone.shop.svc.cluster.local' },
    { ns: 'shop', name: 'dead', type: 'ExternalName', externalName: 'nx.partner.test' },
    { ns: 'shop', name: 'pending', clusterIP: '', ports: ['web/TCP/80'] },
    { ns: 'shop', name: 'idle', clusterIP: 'None', ports: ['web/TCP/80'] },
    { ns: 'shop', name: 'bare', clusterIP: 'None', ports: ['web/TCP/80'] },
    { ns: 'shop', name: 'com', clusterIP: '172.30.14.60', ports: ['web/TCP/80'] },
    { ns: 'shop', name: 'six', clusterIP: 'fd02::1c', ports: ['web/TCP/80'] },
    { ns: 'svc', name: 'svc', clusterIP: '172.30.14.50', ports: ['web/TCP/80'] },
  ],
  endpoints: [
    { ns: 'default', name: 'kubernetes', age: 99, ready: ['192.0.2.10', '192.0.2.11'], ports: ['https/TCP/8443'] },
    {
      ns: 'shop',
      name: 'cart',
      age: 50,
      ready: ['10.128.2.15', '10.128.3.21'],
      notReady: ['10.128.4.8'],
      ports: ['web/TCP/8080', 'metrics/TCP/9102', 'gossip/UDP/7946'],
    },
    {
      ns: 'shop',
      name: 'queue',
      age: 10,
      ready: ['10.128.2.30=queue-0', '10.128.3.31=queue-1', '10.128.5.32'],
      ports: ['amqp/TCP/5672', 'mgmt/TCP/15672'],
    },
    { ns: 'shop', name: 'queue-peers', age: 20, ready: ['10.128.2.30=queue-0'], ports: ['peer/TCP/25672'] },
    { ns: 'shop', name: 'idle', age: 5, ready: [] },
    // No Service of this name; and the Service `bare` has no Endpoints.
    { ns: 'shop', name: 'orphan', age: 5, ready: ['10.128.9.9'], ports: ['web/TCP/80'] },
  ],
}

const CART_SRV = ['SRV 0 33 80 cart.shop~', 'SRV 0 33 9102 cart.shop~', 'SRV 0 33 7946 cart.shop~']
const QUEUE_TARGETS = [
  'queue-0.queue.shop~ A 10.128.2.30',
  'queue-1.queue.shop~ A 10.128.3.31',
  '10-128-5-32.queue.shop~ A 10.128.5.32',
]

const EVERY_SETTING: Row[] = [
  // 1, 2, 3, 6
  ['cart.shop~', 'A', 'NOERROR', ['A 172.30.14.7']],
  ['CaRt.Shop.SVC.Cluster.LOCAL.', 'A', 'NOERROR', ['A 172.30.14.7']],
  ['cart.shop~', 'AAAA TXT MX CNAME', 'NODATA'],
  ['*.shop~', 'A', 'NXDOMAIN'],
  // 7, 8, 9: a Service has every port at its name, a protocol those that have a name; an unknown port is never a wildcard
  ['cart.shop~', 'SRV', 'NOERROR', CART_SRV, ['A 172.30.14.7']],
  ['_nope._tcp.cart.shop~', 'SRV A', 'NXDOMAIN'],
  [
    '_tcp.cart.shop~',
    'SRV',
    'NOERROR',
    ['SRV 0 50 80 cart.shop~', 'SRV 0 50 9102 cart.shop~'],
    ['cart.shop~ A 172.30.14.7'],
  ],
  ['_x._web._tcp.cart.shop~', 'SRV', 'NXDOMAIN'], // labels that all begin with an underscore are no wildcard
  ['cart.shop~', 'ANY', 'NODATA'], // 11: the minimal answer (RFC 8482 §4)
  // 12 to 18: headless
  ['queue.shop~', 'A', 'NOERROR', ['A 10.128.2.30', 'A 10.128.3.31', 'A 10.128.5.32']],
  [
    'queue.shop~',
    'SRV',
    'NOERROR',
    ['queue-0', 'queue-1', '10-128-5-32'].flatMap((label) => [
      `SRV 0 16 5672 ${label}.queue.shop~`,
      `SRV 0 16 15672 ${label}.queue.shop~`,
    ]),
    QUEUE_TARGETS,
  ],
  ['queue-1.queue.shop~', 'A', 'NOERROR', ['A 10.128.3.31']],
  ['x.y.queue-1.queue.shop~', 'A', 'NXDOMAIN'],
  ['nobody.queue.shop~', 'A', 'NXDOMAIN'],
  [
    '_amqp._tcp.queue.shop~',
    'SRV',
    'NOERROR',
    ['queue-0', 'queue-1', '10-128-5-32'].map((label) => `SRV 0 33 5672 ${label}.queue.shop~`),
    QUEUE_TARGETS,
  ],
  ['_amqp._udp.queue.shop~', 'SRV', 'NXDOMAIN'],
  // 19 to 24: the endpoints subtree, which passes by the cluster IP
  ['kubernetes.default.endpoints.cluster.local.', 'A', 'NOERROR', ['A 192.0.2.10', 'A 192.0.2.11']],
  ['queue.shop.endpoints.cluster.local.', 'A', 'NOERROR', ['A 10.128.2.30', 'A 10.128.3.31', 'A 10.128.5.32']],
  ['queue-0.queue.shop.endpoints.cluster.local.', 'A', 'NOERROR', ['A 10.128.2.30']],
  [
    '_web._tcp.cart.shop.endpoints.cluster.local.',
    'SRV',
    'NOERROR',
    [
      'SRV 0 50 8080 3407445.cart.shop.endpoints.cluster.local.',
      'SRV 0 50 8080 bef7eeab.cart.shop.endpoints.cluster.local.',
    ],
    [
      '3407445.cart.shop.endpoints.cluster.local. A 10.128.2.15',
      'bef7eeab.cart.shop.endpoints.cluster.local. A 10.128.3.21',
    ],
  ],
  ['_nope._tcp.cart.shop.endpoints.cluster.local.', 'SRV', 'NXDOMAIN'],
  ['orphan.shop.endpoints.cluster.local.', 'A', 'NXDOMAIN'],
  // The same data within reach of the search list.
  ['_endpoints.cart.shop~', 'A', 'NOERROR', ['A 10.128.2.15', 'A 10.128.3.21']],
  // 25 to 27, 31: ExternalName; nothing here asks an upstream, so that 26 and 32 are the CNAME alone
  ['mailer.shop~', 'CNAME', 'NOERROR', ['CNAME smtp.partner.test.']],
  ['mailer.shop~', 'A', 'NOERROR', ['CNAME smtp.partner.test.']],
  ['mailer.shop.endpoints.cluster.local.', 'A', 'NXDOMAIN'],
  ['dead.shop~', 'A', 'NOERROR', ['CNAME nx.partner.test.']],
  ['ghost.shop~', 'CNAME', 'NOERROR', ['CNAME gone.shop~']],
  // 28 to 30: chains inside the zone end as their last name does
  ['alias.shop~', 'A', 'NOERROR', ['CNAME cart.shop~', 'cart.shop~ A 172.30.14.7']],
  ['alias.shop~', 'AAAA', 'NODATA', ['CNAME cart.shop~']],
  ['ghost.shop~', 'A', 'NXDOMAIN', ['CNAME gone.shop~']],
  // 33 to 36: no address yet, no ready endpoint, no Endpoints, IPv6
  ['pending.shop~', 'A', 'NXDOMAIN'],
  ['idle.shop~', 'A', 'NXDOMAIN'],
  ['bare.shop~', 'A', 'NXDOMAIN'],
  ['six.shop~', 'AAAA', 'NOERROR', ['AAAA fd02::1c']],
  ['six.shop~', 'A', 'NODATA'],
  // 37 to 39: Pods by address
  ['10-128-2-15.shop^', 'A', 'NOERROR', ['A 10.128.2.15']],
  ['10-128-2-15.shop^', 'AAAA', 'NODATA'],
  ['10-128-2-15.nosuch^', 'A', 'NXDOMAIN'],
  ['10-128-2.shop^', 'A', 'NXDOMAIN'],
  ['x.10-128-2-15.shop^', 'A', 'NXDOMAIN'],
  // 40 to 42, 44: the apex and names with names below them
  [
    'cluster.local.',
    'SOA',
    'NOERROR',
    ['SOA ns.dns.cluster.local. hostmaster.cluster.local. SERIAL 7200 1800 86400 30'],
  ],
  ['cluster.local.', 'A', 'NODATA'],
  ['svc.cluster.local.', 'A', 'NODATA'],
  ['shop~', 'A', 'NODATA'],
  ['endpoints.cluster.local.', 'A', 'NODATA'],
  ['shop.endpoints.cluster.local.', 'A', 'NODATA'],
  ['nosuch.endpoints.cluster.local.', 'A', 'NXDOMAIN'],
  ['nosuch.shop~', 'A NS', 'NXDOMAIN'],
  ['dns-version.cluster.local.', 'TXT', 'NOERROR', ['28800 TXT "1.1.0"']],
  ['svc.svc.svc.cluster.local.', 'A', 'NOERROR', ['A 172.30.14.50']], // 46
  // 48, 49: of two endpoints with a hostname the one of the older object
  ['7.14.30.172.in-addr.arpa.', 'PTR', 'NOERROR', ['PTR cart.shop~']],
  ['30.2.128.10.in-addr.arpa.', 'PTR', 'NOERROR', ['PTR queue-0.queue-peers.shop~']],
  // 50, 51: nothing is forwarded
  ['single.', 'A', 'REFUSED'],
  ['www.example.com.', 'A', 'REFUSED'],
  // Every id of an endpoint, and of the cluster IP, finds it; an endpoint with a hostname has no other.
  ['3407445.cart.shop~', 'A', 'NOERROR', ['A 10.128.2.15']],
  ['10-128-2-15.cart.shop~', 'A', 'NOERROR', ['A 10.128.2.15']],
  ['bef7eeab.cart.shop.endpoints.cluster.local.', 'A', 'NOERROR', ['A 10.128.3.21']],
  ['4b825aca.cart.shop~', 'A', 'NOERROR', ['A 172.30.14.7']],
  ['63c2b365.queue.shop~', 'A', 'NOERROR', ['A 10.128.5.32']],
  ['10-128-2-30.queue.shop~', 'A', 'NXDOMAIN'],
]

/** Names that a wildcard below each Service with one address answers. */
const WILDCARD_ON: Row[] = [
  ['a.b.c.cart.shop~', 'A', 'NOERROR', ['A 172.30.14.7']], // 4
  ['*.cart.shop~', 'A', 'NOERROR', ['A 172.30.14.7']], // 5
  ['foo._web._tcp.cart.shop~', 'SRV', 'NOERROR', CART_SRV, ['cart.shop~ A 172.30.14.7']], // 10
  ['www.example.com.shop~', 'A', 'NOERROR', ['A 172.30.14.60']], // 47: captured by the Service `com`
  ['a.cart.shop~', 'AAAA', 'NODATA'],
  ['x.alias.shop~', 'CNAME', 'NOERROR', ['CNAME cart.shop~']],
]

const WILDCARD_OFF: Row[] = [
  ['a.b.c.cart.shop~', 'A', 'NXDOMAIN'],
  ['*.cart.shop~', 'A', 'NXDOMAIN'],
  ['foo._web._tcp.cart.shop~', 'SRV', 'NXDOMAIN'],
  ['www.example.com.shop~', 'A', 'NXDOMAIN'],
]

const SHORT_NAMES_AND_ALIAS_OFF: Row[] = [
  ['cart.shop.cluster.local.', 'A', 'NXDOMAIN'], // 43
  ['shop.cluster.local.', 'A', 'NXDOMAIN'],
  ['local.dns.cluster.local.', 'A', 'NXDOMAIN'], // 45
  ['openshift.default~', 'A', 'NXDOMAIN'],
]

const SHORT_NAMES_AND_ALIAS_ON: Row[] = [
  ['cart.shop.cluster.local.', 'A', 'NOERROR', ['A 172.30.14.7']],
  ['shop.cluster.local.', 'A', 'NODATA'], // an existing namespace
  ['nosuch.cluster.local.', 'A', 'NXDOMAIN'],
  ['svc.svc.cluster.local.', 'A', 'NODATA'], // the namespace `svc` in the svc subtree, which is final: no short form
  ['local.dns.cluster.local.', 'A', 'NOERROR', ['A 172.30.0.1']],
  ['openshift.default~', 'A', 'NOERROR', ['A 172.30.0.1']],
]

const objects = okdManifestsOf(SHOP)
testSuite({
  objects,
  flags: ['--okd', '--ttl', '30'],
  ttl: 30,
  tables: [
    { title: 'OKD names', rows: EVERY_SETTING },
    { title: 'OKD: wildcards below a Service', rows: WILDCARD_ON },
    { title: 'OKD: short names and aliases are off by default', rows: SHORT_NAMES_AND_ALIAS_OFF },
  ],
})
testSuite({
  objects,
  flags: [
    ...['--okd', '--ttl', '30', '--okd-wildcard', 'off'],
    ...['--okd-short-names', 'on', '--okd-openshift-alias', 'on'],
  ],
  ttl: 30,
  tables: [
    { title: 'OKD names with wildcards off, short names and aliases on', rows: EVERY_SETTING },
    { title: 'OKD: no wildcards', rows: WILDCARD_OFF },
    { title: 'OKD: short names and aliases', rows: SHORT_NAMES_AND_ALIAS_ON },
  ],
})
testSuite({
  objects,
  flags: ['--ttl', '30'],
  ttl: 30,
  tables: [
    {
      title: 'without --okd none of its names exist',
      rows: [
        ...WILDCARD_OFF,
        ...SHORT_NAMES_AND_ALIAS_OFF,
        ['endpoints.cluster.local.', 'A', 'NXDOMAIN'],
        ['cart.shop.endpoints.cluster.local.', 'A', 'NXDOMAIN'],
        ['_endpoints.cart.shop~', 'A', 'NXDOMAIN'],
        ['_tcp.cart.shop~', 'SRV', 'NODATA'],
        ['4b825aca.cart.shop~', 'A', 'NXDOMAIN'],
        ['3407445.cart.shop~', 'A', 'NXDOMAIN'],
        ['10-128-2-15.cart.shop~', 'A', 'NOERROR', ['A 10.128.2.15']],
        ['alias.shop~', 'AAAA', 'NODATA'],
      ],
    },
  ],
})
// Rows 26 and 32 need an upstream: test/corefile/cluster-upstream.test.ts.
