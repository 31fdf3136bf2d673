// What options, TTLs, zones and further kinds of objects change in the names of a cluster, asked of a running server.

import { CLUSTER_IP, HEADLESS, MULTICLUSTER, OPTIONS, PODS, REVERSE, ZONAL } from './cluster-dns-fixtures.ts'
import { manifestsOf } from './fixtures.ts'
import { testSuite } from './tables.ts'

testSuite({
  objects: manifestsOf(PODS),
  flags: ['--pods', 'disabled'],
  tables: [
    {
      title: 'pods disabled',
      rows: [
        ['10-131-0-8.web^', 'A', 'NXDOMAIN'],
        ['web^', 'A', 'NXDOMAIN'],
        ['pod.cluster.local.', 'A', 'NODATA'],
      ],
    },
  ],
})

testSuite({
  objects: manifestsOf(PODS),
  flags: ['--pods', 'insecure'],
  tables: [
    {
      title: 'pods insecure',
      rows: [
        ['10-131-0-8.web^', 'A', 'NOERROR', ['A 10.131.0.8']],
        ['10-131-0-8.web^', 'AAAA HTTPS TXT', 'NODATA'],
        ['10-131-0-8.web^', 'SRV', 'NODATA'], // nothing is below or beside the address of a Pod
        ['10-131-0-9.spare^', 'A', 'NOERROR', ['A 10.131.0.9']],
        ['fd00-10-131--8.web^', 'AAAA', 'NOERROR', ['AAAA fd00:10:131::8']],
        ['fd00-10-131-0-0-0-0-8.web^', 'AAAA', 'NOERROR', ['AAAA fd00:10:131::8']],
        ['nginx.web^', 'A', 'NXDOMAIN'],
        ['10-131-0-300.web^', 'A', 'NXDOMAIN'],
        ['1-2-3.web^', 'A', 'NXDOMAIN'],
        ['web^', 'A', 'NODATA'],
        ['x.10-131-0-8.web^', 'A', 'NXDOMAIN'], // nothing is below or beside the address of a Pod
        ['x.y.z.10-131-0-8.web^', 'A', 'NXDOMAIN'],
        ['pod.cluster.local.', 'A TXT', 'NODATA'],
        ['10-131-0-8.nosuch^', 'A', 'NXDOMAIN'],
      ],
    },
  ],
})

testSuite({
  objects: manifestsOf(PODS),
  flags: ['--pods', 'verified'],
  tables: [
    {
      title: 'pods verified',
      rows: [
        ['10-131-0-8.web^', 'A', 'NOERROR', ['A 10.131.0.8']],
        ['10-131-0-8.web^', 'AAAA', 'NODATA'],
        ['10-131-0-9.web^', 'A', 'NXDOMAIN'],
        ['10-131-0-8.spare^', 'A', 'NXDOMAIN'],
        ['fd00-10-131--8.web^', 'AAAA', 'NOERROR', ['AAAA fd00:10:131::8']],
        ['fd00-10-131-0-0-0-0-8.web^', 'AAAA', 'NOERROR', ['AAAA fd00:10:131::8']], // another spelling of the same address
      ],
    },
  ],
})

// TTLs.
testSuite({
  objects: manifestsOf(CLUSTER_IP),
  ttl: 600,
  flags: ['--ttl', '600'],
  tables: [
    {
      title: 'ttl 600',
      rows: [
        [
          'cluster.local.',
          'SOA',
          'NOERROR',
          ['300 SOA ns.dns.cluster.local. hostmaster.cluster.local. SERIAL 7200 1800 86400 600'],
        ],
        ['cart.shop~', 'A', 'NOERROR', ['600 A 172.30.4.10']],
        ['missing.shop~', 'A', 'NXDOMAIN'], // the TTL of the SOA is at most 300, its MINIMUM is not
        ['dns-version.cluster.local.', 'TXT', 'NOERROR', ['28800 TXT "1.1.0"']],
      ],
    },
  ],
})

testSuite({
  objects: manifestsOf(CLUSTER_IP),
  ttl: 0,
  flags: ['--ttl', '0'],
  tables: [
    {
      title: 'ttl 0',
      rows: [
        ['cart.shop~', 'A', 'NOERROR', ['0 A 172.30.4.10']],
        ['missing.shop~', 'A', 'NXDOMAIN'],
      ],
    },
  ],
})

// Namespaces and zones.
testSuite({
  objects: [...manifestsOf(CLUSTER_IP), ...manifestsOf(HEADLESS)],
  flags: ['--namespaces', 'db'],
  tables: [
    {
      title: 'namespaces db',
      rows: [
        ['pg.db~', 'A', 'NOERROR', ['A 10.129.0.11', 'A 10.129.0.12', 'A 10.129.0.13']],
        ['db~', 'A', 'NODATA'],
        ['shop~', 'A', 'NXDOMAIN'],
        ['cart.shop~', 'A', 'NXDOMAIN'],
        ['_web._tcp.cart.shop~', 'SRV', 'NXDOMAIN'],
        ['blue.cart.shop~', 'A', 'NXDOMAIN'],
        ['shop^', 'A', 'NXDOMAIN'],
        ['10-129-1-5.shop^', 'A', 'NXDOMAIN'],
        ['10.4.30.172.in-addr.arpa.', 'PTR', 'NXDOMAIN in-addr.arpa.'], // in PTR too
      ],
    },
  ],
})

testSuite({
  objects: manifestsOf(CLUSTER_IP),
  flags: ['--zone', 'cluster.local', '--zone', 'prod.example'],
  tables: [
    {
      title: 'two zones',
      rows: [
        ['cart.shop.svc.prod.example.', 'A', 'NOERROR', ['A 172.30.4.10']],
        ['cart.shop.svc.prod.example.', 'AAAA', 'NODATA prod.example.'],
        [
          '_web._tcp.cart.shop.svc.prod.example.',
          'SRV',
          'NOERROR',
          ['SRV 0 100 80 cart.shop.svc.prod.example.'],
          ['cart.shop.svc.prod.example. A 172.30.4.10'],
        ],
        ['cart.shop~', 'A', 'NOERROR', ['A 172.30.4.10']],
        [
          'prod.example.',
          'SOA',
          'NOERROR',
          ['SOA ns.dns.prod.example. hostmaster.prod.example. SERIAL 7200 1800 86400 5'],
        ],
        ['gone.shop.svc.prod.example.', 'A', 'NXDOMAIN prod.example.'],
        ['dns-version.prod.example.', 'TXT', 'NOERROR', ['28800 TXT "1.1.0"']],
        ['10.4.30.172.in-addr.arpa.', 'PTR', 'NOERROR', ['PTR cart.shop~']], // the first forward zone is the primary one
      ],
    },
  ],
})

testSuite({
  objects: manifestsOf(REVERSE),
  tables: [
    {
      title: 'reverse',
      rows: [
        ['10.4.30.172.in-addr.arpa.', 'PTR', 'NOERROR', ['PTR cart.shop~']],
        ['12.4.30.172.in-addr.arpa.', 'PTR', 'NOERROR', ['PTR dual.shop~']],
        [
          '2.1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.3.0.0.2.7.1.0.0.0.d.f.ip6.arpa.',
          'PTR',
          'NOERROR',
          ['PTR dual.shop~'],
        ],
        ['5.1.129.10.in-addr.arpa.', 'PTR', 'NOERROR', ['PTR blue.cart.shop~']],
        ['6.1.129.10.in-addr.arpa.', 'PTR', 'NOERROR', ['PTR 10-129-1-6.cart.shop~']],
        ['11.0.129.10.in-addr.arpa.', 'PTR', 'NOERROR', ['PTR pg-0.pg.db~']],
        ['12.0.129.10.in-addr.arpa.', 'PTR', 'NXDOMAIN in-addr.arpa.'],
        [
          '1.1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.9.2.1.0.0.1.0.0.0.0.d.f.ip6.arpa.',
          'PTR',
          'NOERROR',
          ['PTR pg-0.pg.db~'],
        ],
        ['10.4.30.172.IN-ADDR.ARPA.', 'PTR', 'NOERROR', ['PTR cart.shop~']],
        ['99.99.99.10.in-addr.arpa.', 'PTR', 'NXDOMAIN in-addr.arpa.'],
        ['300.4.30.172.in-addr.arpa.', 'PTR', 'NXDOMAIN in-addr.arpa.'],
        ['1.10.4.30.172.in-addr.arpa.', 'PTR', 'NXDOMAIN in-addr.arpa.'],
        ['10.4.30.172.in-addr.arpa.', 'A', 'NODATA in-addr.arpa.'], // the name exists, or names below it do
        ['4.30.172.in-addr.arpa.', 'PTR', 'NODATA in-addr.arpa.'], // the name exists, or names below it do
        [
          'in-addr.arpa.',
          'SOA',
          'NOERROR',
          ['SOA ns.dns.in-addr.arpa. hostmaster.in-addr.arpa. SERIAL 7200 1800 86400 5'],
        ],
        ['in-addr.arpa.', 'PTR', 'NODATA in-addr.arpa.'],
        ['cart.shop~', 'PTR', 'NODATA'],
        ['010.4.30.172.in-addr.arpa.', 'PTR', 'NXDOMAIN in-addr.arpa.'], // no leading zeros
        ['cart.shop.svc.in-addr.arpa.', 'A', 'NXDOMAIN in-addr.arpa.'],
        [
          '2.1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.3.0.0.2.7.1.0.0.0.D.F.IP6.ARPA.', // digits in either case
          'PTR',
          'NOERROR',
          ['PTR dual.shop~'],
        ],
        ['d.f.ip6.arpa.', 'PTR', 'NODATA ip6.arpa.'], // names below it exist
        ['e.f.ip6.arpa.', 'PTR', 'NXDOMAIN ip6.arpa.'],
      ],
    },
  ],
})

testSuite({
  objects: manifestsOf(OPTIONS),
  tables: [
    {
      title: 'no option',
      rows: [
        ['idle.shop~', 'A', 'NOERROR', ['A 172.30.4.60']],
        ['hl.shop~', 'A', 'NOERROR', ['A 10.129.1.6']],
      ],
    },
  ],
})

testSuite({
  objects: manifestsOf(OPTIONS),
  flags: ['--ignore', 'empty_service'],
  tables: [
    {
      title: 'ignore empty_service',
      rows: [
        ['idle.shop~', 'A SRV', 'NXDOMAIN'],
        ['cart.shop~', 'A', 'NOERROR', ['A 172.30.4.10']],
        ['60.4.30.172.in-addr.arpa.', 'PTR', 'NOERROR', ['PTR idle.shop~']],
        ['hl.shop~', 'A', 'NOERROR', ['A 10.129.1.6']],
        ['_web._tcp.idle.shop~', 'SRV', 'NXDOMAIN'],
      ],
    },
  ],
})

testSuite({
  objects: manifestsOf(OPTIONS),
  flags: ['--noendpoints'],
  tables: [
    {
      title: 'noendpoints',
      rows: [
        ['cart.shop~', 'A', 'NOERROR', ['A 172.30.4.10']],
        ['hl.shop~', 'A', 'NXDOMAIN'],
        ['blue.cart.shop~', 'A', 'NXDOMAIN'],
        ['5.1.129.10.in-addr.arpa.', 'PTR', 'NXDOMAIN in-addr.arpa.'],
      ],
    },
  ],
})

testSuite({
  objects: manifestsOf(MULTICLUSTER),
  flags: ['--zone', 'cluster.local', '--zone', 'clusterset.local', '--multicluster', 'clusterset.local'],
  tables: [
    {
      title: 'multicluster',
      rows: [
        ['cart.shop!', 'A', 'NOERROR', ['A 172.31.0.10']],
        ['_web._tcp.cart.shop!', 'SRV', 'NOERROR', ['SRV 0 100 80 cart.shop!'], ['cart.shop! A 172.31.0.10']],
        ['pg.shop!', 'A', 'NOERROR', ['A 10.40.0.1', 'A 10.50.0.1', 'A 10.50.0.2']],
        ['pg-0.east.pg.shop!', 'A', 'NOERROR', ['A 10.40.0.1']],
        ['pg-0.west.pg.shop!', 'A', 'NOERROR', ['A 10.50.0.1']],
        ['pg-0.north.pg.shop!', 'A', 'NXDOMAIN clusterset.local.'],
        ['pg-0.pg.shop!', 'A', 'NXDOMAIN clusterset.local.'],
        ['east.pg.shop!', 'A', 'NODATA clusterset.local.'], // an empty non-terminal
        ['a.b.c.pg.shop!', 'A', 'NXDOMAIN clusterset.local.'],
        ['cart.shop~', 'A', 'NXDOMAIN'],
      ],
    },
  ],
})

testSuite({
  objects: manifestsOf(ZONAL),
  flags: ['--zonal'],
  tables: [
    {
      title: 'zonal names',
      rows: [
        ['eu-1a.pin._zone.kv.db~', 'A', 'NOERROR', ['A 10.129.7.1']],
        ['eu-1a.pin._zone.kv.db~', 'AAAA', 'NODATA'],
        [
          'eu-1a.pin._zone.kv.db~',
          'SRV',
          'NOERROR',
          ['SRV 0 100 6379 10-129-7-1.kv.db~'],
          ['10-129-7-1.kv.db~ A 10.129.7.1'],
        ],
        ['eu-1b.pin._zone.kv.db~', 'A', 'NOERROR', ['A 10.129.7.2']],
        ['dc.one.pin._zone.kv.db~', 'A', 'NOERROR', ['A 10.129.7.4']],
        ['eu-1a.prefer._zone.kv.db~', 'A', 'NOERROR', ['A 10.129.7.1']],
        ['eu-9.prefer._zone.kv.db~', 'A', 'NOERROR', ['A 10.129.7.1', 'A 10.129.7.2', 'A 10.129.7.3', 'A 10.129.7.4']],
        ['eu-1a.nearby._zone.kv.db~', 'A', 'NXDOMAIN'],
        ['eu-1a.pin._zone.vip.db~', 'A', 'NXDOMAIN'],
      ],
    },
  ],
})
