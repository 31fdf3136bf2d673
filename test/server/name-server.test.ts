// The server's own name: NS at the apex, `ns.dns`, and the addresses they lead to, which must not be loopback addresses.
// Runs in a network namespace where the address exists.

import { CLUSTER_IP, NAME_SERVER, NAME_SERVER_HEADLESS } from './cluster-dns-fixtures.ts'
import { manifestsOf } from './fixtures.ts'
import { insideNamespace } from './namespace.ts'
import { type Row, testSuite } from './tables.ts'

const ADDRESS = '10.130.0.2'
const SOA = (zone: string, minimum: number) => `SOA ns.dns.${zone} hostmaster.${zone} SERIAL 7200 1800 86400 ${minimum}`

const NODES = ['node-a.dns.kube-system~', 'node-b.dns.kube-system~']

const OUTSIDE: Row[] = [
  ['cluster.local.', 'SOA', 'NOERROR', [SOA('cluster.local.', 5)]],
  ['cluster.local.', 'NS', 'NOERROR', ['NS ns.dns.cluster.local.'], ['ns.dns.cluster.local. A 10.130.0.2']],
  ['cluster.local.', 'A MX HTTPS ANY TXT', 'NODATA'],
  ['CLUSTER.local.', 'NS', 'NOERROR', ['NS ns.dns.CLUSTER.local.'], ['ns.dns.CLUSTER.local. A 10.130.0.2']],
  ['ns.dns.cluster.local.', 'A', 'NOERROR', ['A 10.130.0.2']],
  ['NS.DNS.Cluster.Local.', 'A', 'NOERROR', ['A 10.130.0.2']],
  ['ns.dns.cluster.local.', 'MX TXT AAAA', 'NODATA'],
  ['x.ns.dns.cluster.local.', 'A', 'NXDOMAIN'],
  ['dns.cluster.local.', 'A TXT', 'NODATA'], // a name exists below it
  ['dns-version.cluster.local.', 'TXT', 'NOERROR', ['28800 TXT "1.1.0"']],
  ['dns-version.cluster.local.', 'A', 'NODATA'],
  ['x.dns-version.cluster.local.', 'TXT', 'NXDOMAIN'],
]

const INSIDE: Row[] = [
  ['cluster.local.', 'NS', 'NOERROR', ['NS dns-default.openshift-dns~'], ['dns-default.openshift-dns~ A 172.30.0.10']],
  ['cluster.local.', 'SOA', 'NOERROR', [SOA('cluster.local.', 5)]],
  ['ns.dns.cluster.local.', 'A', 'NOERROR', ['A 172.30.0.10']],
  // The target is in the primary zone, where it resolves.
  ['in-addr.arpa.', 'NS', 'NOERROR', ['NS dns-default.openshift-dns~'], ['dns-default.openshift-dns~ A 172.30.0.10']],
  ['in-addr.arpa.', 'SOA', 'NOERROR', [SOA('in-addr.arpa.', 5)]],
]

const HEADLESS: Row[] = [
  // One NS for each endpoint's name.
  [
    'cluster.local.',
    'NS',
    'NOERROR',
    NODES.map((name) => `NS ${name}`),
    NODES.map((name, index) => `${name} A 10.130.0.${index + 2}`),
  ],
  ['ns.dns.cluster.local.', 'A', 'NOERROR', ['A 10.130.0.2', 'A 10.130.0.3']],
]

const WILDCARD: Row[] = [
  // Every address of every interface but those of the loopback device.
  ['cluster.local.', 'NS', 'NOERROR', ['NS ns.dns.cluster.local.'], ['ns.dns.cluster.local. A 10.130.0.2']],
  ['ns.dns.cluster.local.', 'A', 'NOERROR', ['A 10.130.0.2']],
]

const TTL_600: Row[] = [
  ['cluster.local.', 'SOA', 'NOERROR', [`300 ${SOA('cluster.local.', 600)}`]],
  ['cluster.local.', 'NS', 'NOERROR', ['600 NS ns.dns.cluster.local.'], ['ns.dns.cluster.local. 600 A 10.130.0.2']],
  ['cart.shop~', 'A', 'NOERROR', ['600 A 172.30.4.10']],
  ['missing.shop~', 'A', 'NXDOMAIN'],
  ['dns-version.cluster.local.', 'TXT', 'NOERROR', ['28800 TXT "1.1.0"']],
]

if (insideNamespace(import.meta.filename, { addresses: [`${ADDRESS}/24`] })) {
  const listen = { address: ADDRESS, flags: ['--listen', ADDRESS] }
  testSuite({ ...listen, objects: [], tables: [{ title: 'name server outside of the cluster', rows: OUTSIDE }] })
  testSuite({
    ...listen,
    objects: manifestsOf(NAME_SERVER),
    tables: [{ title: 'name server in the cluster: the Service in front of it', rows: INSIDE }],
  })
  testSuite({
    ...listen,
    objects: manifestsOf(NAME_SERVER_HEADLESS),
    tables: [{ title: 'name server behind a headless Service', rows: HEADLESS }],
  })
  testSuite({
    address: ADDRESS,
    flags: ['--listen', '0.0.0.0'],
    objects: [],
    tables: [{ title: 'name server on a wildcard address', rows: WILDCARD }],
  })
  testSuite({
    address: ADDRESS,
    flags: ['--listen', ADDRESS, '--ttl', '600'],
    ttl: 600,
    objects: manifestsOf(CLUSTER_IP),
    tables: [{ title: 'name server with ttl 600', rows: TTL_600 }],
  })
}
