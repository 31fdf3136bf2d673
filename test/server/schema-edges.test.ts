// What the schema says about objects that are seldom seen: no ports, shared addresses and hostnames, unknown namespaces, zones
// inside of zones. Asked of a running server.

import { CLUSTER_IP, EDGES } from './cluster-dns-fixtures.ts'
import { type Manifest, manifestsOf } from './fixtures.ts'
import { testSuite } from './tables.ts'

/** A slice of names instead of addresses, which is not served. */
const FQDN_SLICE: Manifest = {
  apiVersion: 'discovery.k8s.io/v1',
  kind: 'EndpointSlice',
  metadata: { namespace: 'db', name: 'plain-fqdn', labels: { 'kubernetes.io/service-name': 'plain' } },
  addressType: 'FQDN',
  ports: [{ name: 'sql', port: 5432, protocol: 'TCP' }],
  endpoints: [{ addresses: ['db.example.org'] }],
}

testSuite({
  objects: [...manifestsOf(EDGES), FQDN_SLICE],
  tables: [
    {
      title: 'ports',
      rows: [
        ['bare.shop~', 'A', 'NOERROR', ['A 172.30.6.1']],
        ['bare.shop~', 'SRV', 'NODATA'], // an entry without a port has no SRV record
        ['_tcp.bare.shop~', 'SRV', 'NXDOMAIN'],
        ['plain.db~', 'A', 'NOERROR', ['A 10.60.0.1']],
        ['plain.db~', 'SRV', 'NODATA'],
        ['10-60-0-1.plain.db~', 'A', 'NOERROR', ['A 10.60.0.1']],
        ['10-60-0-1.plain.db~', 'SRV', 'NODATA'],
        // One record for each distinct target and port, the weight counts all three entries.
        ['mixed.shop~', 'SRV', 'NOERROR', ['SRV 0 33 80 mixed.shop~', 'SRV 0 33 81 mixed.shop~'], ['A 172.30.6.3']],
        ['_ops._udp.mixed.shop~', 'SRV', 'NOERROR', ['SRV 0 100 81 mixed.shop~'], ['mixed.shop~ A 172.30.6.3']],
        ['_tcp.mixed.shop~', 'A SRV', 'NODATA'],
        ['_udp.mixed.shop~', 'A SRV', 'NODATA'],
        ['_sctp.mixed.shop~', 'A SRV', 'NXDOMAIN'],
        ['_sql._tcp.twice.db~', 'A', 'NOERROR', ['A 10.60.1.1']],
        ['_tcp.other.db~', 'SRV', 'NXDOMAIN'], // its only port has no name
        ['x._sql._tcp.twice.db~', 'SRV', 'NXDOMAIN'],
        ['_x._sql._tcp.twice.db~', 'SRV', 'NXDOMAIN'],
      ],
    },
    {
      title: 'endpoints',
      rows: [
        ['one.shared.db~', 'A', 'NOERROR', ['A 10.60.3.1', 'A 10.60.3.2']],
        [
          'shared.db~',
          'SRV',
          'NOERROR',
          ['SRV 0 50 5432 one.shared.db~'],
          ['one.shared.db~ A 10.60.3.1', 'one.shared.db~ A 10.60.3.2'],
        ],
        [
          '10-60-2-0.vast.db~',
          'SRV',
          'NOERROR',
          ['SRV 0 50 1 10-60-2-0.vast.db~', 'SRV 0 50 2 10-60-2-0.vast.db~'],
          ['A 10.60.2.0'],
        ],
        ['10-60-2-1.vast.db~', 'A', 'NXDOMAIN'], // not ready
        ['10-60-4-1.plain.db~', 'A', 'NXDOMAIN'],
        ['gone.db~', 'A', 'NXDOMAIN'], // a slice is no Service
        ['10-60-4-2.gone.db~', 'A', 'NXDOMAIN'],
        ['empty~', 'A', 'NODATA'],
        ['empty^', 'A', 'NODATA'],
      ],
    },
    {
      title: 'a namespace that is not known has nothing, PTR included',
      rows: [
        ['ghost~', 'A', 'NXDOMAIN'],
        ['cart.ghost~', 'A', 'NXDOMAIN'],
        ['pg.ghost~', 'A', 'NXDOMAIN'],
        ['ghost^', 'A', 'NXDOMAIN'],
        ['9.6.30.172.in-addr.arpa.', 'PTR', 'NXDOMAIN in-addr.arpa.'],
        ['1.5.60.10.in-addr.arpa.', 'PTR', 'NXDOMAIN in-addr.arpa.'],
      ],
    },
    {
      title: 'addresses of several endpoints',
      rows: [
        // One PTR for each name; a cluster IP has its own only.
        ['1.1.60.10.in-addr.arpa.', 'PTR', 'NOERROR', ['PTR pg.twice.db~', 'PTR 10-60-1-1.other.db~']],
        ['2.6.30.172.in-addr.arpa.', 'PTR', 'NOERROR', ['PTR own.shop~']],
        ['172-30-6-2.other.db~', 'A', 'NOERROR', ['A 172.30.6.2']],
        ['1.4.60.10.in-addr.arpa.', 'PTR', 'NXDOMAIN in-addr.arpa.'],
        ['2.4.60.10.in-addr.arpa.', 'PTR', 'NXDOMAIN in-addr.arpa.'],
        ['60.10.in-addr.arpa.', 'A PTR SOA', 'NODATA in-addr.arpa.'],
        ['61.10.in-addr.arpa.', 'PTR', 'NXDOMAIN in-addr.arpa.'],
      ],
    },
  ],
})

testSuite({
  objects: manifestsOf(CLUSTER_IP),
  flags: ['--zone', 'cluster.local', '--zone', 'east.cluster.local'],
  tables: [
    {
      title: 'a zone inside of another: the longest match decides',
      rows: [
        ['cart.shop~', 'A', 'NOERROR', ['A 172.30.4.10']],
        ['cart.shop.svc.east.cluster.local.', 'A', 'NOERROR', ['A 172.30.4.10']],
        ['gone.shop.svc.east.cluster.local.', 'A', 'NXDOMAIN east.cluster.local.'],
        ['east.cluster.local.', 'A', 'NODATA east.cluster.local.'],
        ['svc.east.cluster.local.', 'A', 'NODATA east.cluster.local.'],
        ['gone.shop~', 'A', 'NXDOMAIN'],
        ['west.cluster.local.', 'A', 'NXDOMAIN'],
        ['10.4.30.172.in-addr.arpa.', 'PTR', 'NOERROR', ['PTR cart.shop~']],
      ],
    },
  ],
})

testSuite({
  objects: manifestsOf(CLUSTER_IP),
  flags: ['--zone', 'x'],
  tables: [
    {
      title: 'a zone of one label',
      rows: [
        ['cart.shop.svc.x.', 'A', 'NOERROR', ['A 172.30.4.10']],
        ['x.', 'A', 'NODATA x.'],
        ['gone.x.', 'A', 'NXDOMAIN x.'],
        ['cart.shop~', 'A', 'REFUSED'],
      ],
    },
  ],
})
