// The names of the Kubernetes schema (version 1.1.0), and what every cluster has come to rely on around it, asked of a
// running server with the built-in configuration.

import { CHAINS, CLUSTER_IP, EXTERNAL, HEADLESS, LABELS } from './cluster-dns-fixtures.ts'
import { manifestsOf } from './fixtures.ts'
import { testSuite } from './tables.ts'

testSuite({
  objects: manifestsOf(CLUSTER_IP),
  tables: [
    {
      title: 'ClusterIP Services',
      rows: [
        ['cart.shop~', 'A', 'NOERROR', ['A 172.30.4.10']],
        ['cart.shop~', 'AAAA', 'NODATA'],
        ['cart.shop~', 'SRV', 'NOERROR', ['SRV 0 50 80 cart.shop~', 'SRV 0 50 9090 cart.shop~'], ['A 172.30.4.10']],
        ['_web._tcp.cart.shop~', 'SRV', 'NOERROR', ['SRV 0 100 80 cart.shop~'], ['cart.shop~ A 172.30.4.10']],
        ['_ops._tcp.cart.shop~', 'SRV', 'NOERROR', ['SRV 0 100 9090 cart.shop~'], ['cart.shop~ A 172.30.4.10']],
        ['_WEB._Tcp.cart.shop~', 'SRV', 'NOERROR', ['SRV 0 100 80 cart.shop~'], ['cart.shop~ A 172.30.4.10']],
        ['_web._udp.cart.shop~', 'SRV', 'NXDOMAIN'],
        ['_nope._tcp.cart.shop~', 'SRV A', 'NXDOMAIN'],
        ['_web._tcp.cart.shop~', 'A', 'NOERROR', ['A 172.30.4.10']],
        ['web.tcp.cart.shop~', 'SRV', 'NXDOMAIN'], // underscores are part of the name
        ['_._tcp.cart.shop~', 'SRV', 'NXDOMAIN'], // underscores are part of the name
        ['_tcp.cart.shop~', 'SRV', 'NODATA'], // an empty non-terminal
        ['_udp.cart.shop~', 'SRV', 'NXDOMAIN'],
        ['res.shop~', 'SRV', 'NOERROR', ['SRV 0 50 53 res.shop~'], ['A 172.30.4.11']],
        ['_q._udp.res.shop~', 'SRV', 'NOERROR', ['SRV 0 100 53 res.shop~'], ['res.shop~ A 172.30.4.11']],
        ['_q-tcp._tcp.res.shop~', 'SRV', 'NOERROR', ['SRV 0 100 53 res.shop~'], ['res.shop~ A 172.30.4.11']],
        ['_q._tcp.res.shop~', 'SRV', 'NXDOMAIN'],
        ['wiki.shop~', 'AAAA', 'NOERROR', ['AAAA fd00:172:30::20']],
        ['wiki.shop~', 'A', 'NODATA'],
        ['dual.shop~', 'A', 'NOERROR', ['A 172.30.4.12']],
        ['dual.shop~', 'AAAA', 'NOERROR', ['AAAA fd00:172:30::12']],
        ['plain.shop~', 'A', 'NOERROR', ['A 172.30.4.13']],
        ['plain.shop~', 'SRV', 'NOERROR', ['SRV 0 100 7000 plain.shop~'], ['A 172.30.4.13']],
        ['_7000._tcp.plain.shop~', 'SRV', 'NXDOMAIN'],
        ['_diam._sctp.sig.shop~', 'SRV', 'NOERROR', ['SRV 0 100 3868 sig.shop~'], ['sig.shop~ A 172.30.4.14']],
        ['blue.cart.shop~', 'A', 'NOERROR', ['A 10.129.1.5']],
        ['blue.cart.shop~', 'AAAA', 'NODATA'],
        [
          'blue.cart.shop~',
          'SRV',
          'NOERROR',
          ['SRV 0 50 8080 blue.cart.shop~', 'SRV 0 50 9090 blue.cart.shop~'],
          ['A 10.129.1.5'],
        ],
        ['10-129-1-6.cart.shop~', 'A', 'NOERROR', ['A 10.129.1.6']],
        ['10-129-1-5.cart.shop~', 'A', 'NXDOMAIN'],
        ['green.cart.shop~', 'A', 'NXDOMAIN'],
        ['_web._tcp.blue.cart.shop~', 'SRV', 'NXDOMAIN'],
        ['cart.shop~', 'MX HTTPS SVCB ANY CNAME SOA NS PTR', 'NODATA'],
        ['missing.shop~', 'A HTTPS ANY MX CNAME', 'NXDOMAIN'],
        ['*.shop~', 'A', 'NXDOMAIN'],
        ['any.shop~', 'A', 'NXDOMAIN'],
        ['*.*~', 'A', 'NXDOMAIN'],
        ['a.b.c.cart.shop~', 'A', 'NXDOMAIN'],
      ],
    },
    {
      title: 'namespaces and empty non-terminals',
      rows: [
        ['svc.cluster.local.', 'A', 'NODATA'],
        ['svc.cluster.local.', 'TXT', 'NODATA'], // not NXDOMAIN: names exist below (RFC 8020)
        ['shop~', 'A SRV SOA', 'NODATA'],
        ['ghost~', 'A', 'NXDOMAIN'],
        ['ghost~', 'SOA', 'NXDOMAIN'], // SOA is no exception
        ['cart.ghost~', 'A', 'NXDOMAIN'],
        ['foo.cluster.local.', 'NS A', 'NXDOMAIN'],
        ['bar.foo.cluster.local.', 'SRV', 'NXDOMAIN'],
        ['svc.svc.cluster.local.', 'A', 'NXDOMAIN'],
      ],
    },
    {
      title: 'spelling of QNAME is kept',
      rows: [
        ['CaRt.sHoP.SvC.ClUsTeR.LoCaL.', 'A', 'NOERROR', ['A 172.30.4.10']],
        ['GONE.shop.svc.CLUSTER.local.', 'A', 'NXDOMAIN'],
      ],
    },
    {
      title: 'name server without an address to name',
      rows: [
        // It listens on loopback addresses only, which are of no use to a client elsewhere.
        ['cluster.local.', 'NS', 'NODATA'],
        ['ns.dns.cluster.local.', 'A AAAA', 'NODATA'],
      ],
    },
    {
      title: 'names in no zone are refused',
      rows: [
        ['example.org.', 'A', 'REFUSED'],
        ['.', 'A NS', 'REFUSED'],
        ['local.', 'SOA', 'REFUSED'], // the parent of a zone is in no zone
        ['cart.shop.svc.cluster.local.example.org.', 'A', 'REFUSED'],
        ['cart.shop.svc.xcluster.local.', 'A', 'REFUSED'],
      ],
    },
    {
      title: 'apex and version',
      rows: [
        [
          'cluster.local.',
          'SOA',
          'NOERROR',
          ['SOA ns.dns.cluster.local. hostmaster.cluster.local. SERIAL 7200 1800 86400 5'],
        ],
        ['cluster.local.', 'A AAAA MX HTTPS ANY TXT PTR CNAME SRV', 'NODATA'],
        ['dns.cluster.local.', 'A TXT', 'NODATA'], // names exist below
        ['dns-version.cluster.local.', 'TXT', 'NOERROR', ['28800 TXT "1.1.0"']],
        ['dns-version.cluster.local.', 'A ANY', 'NODATA'],
        ['x.dns-version.cluster.local.', 'TXT', 'NXDOMAIN'],
        ['dns-version.in-addr.arpa.', 'TXT', 'NXDOMAIN in-addr.arpa.'], // forward zones only
        ['svc.in-addr.arpa.', 'A', 'NXDOMAIN in-addr.arpa.'],
        ['pod.ip6.arpa.', 'A', 'NXDOMAIN ip6.arpa.'],
      ],
    },
    {
      title: 'types nobody has',
      rows: [
        ['cart.shop~', 'NONE NAPTR CAA HINFO DS DNSKEY RRSIG NSEC TXT TYPE65280', 'NODATA'],
        ['missing.shop~', 'NONE NAPTR CAA HINFO DS DNSKEY RRSIG NSEC TXT TYPE65280 SOA NS SRV PTR AAAA', 'NXDOMAIN'],
        ['cluster.local.', 'NONE NAPTR CAA HINFO DS DNSKEY RRSIG NSEC TYPE65280', 'NODATA'],
      ],
    },
  ],
})

const PG_SRV = [
  'SRV 0 20 5432 10-129-0-13.pg.db~',
  'SRV 0 20 5432 fd00-10-129--13.pg.db~',
  'SRV 0 20 5432 pg-0.pg.db~',
  'SRV 0 20 5432 pg-1.pg.db~',
]
const PG_ADDRESSES = [
  '10-129-0-13.pg.db~ A 10.129.0.13',
  'fd00-10-129--13.pg.db~ AAAA fd00:10:129::13',
  'pg-0.pg.db~ A 10.129.0.11',
  'pg-0.pg.db~ AAAA fd00:10:129::11',
  'pg-1.pg.db~ A 10.129.0.12',
]

testSuite({
  objects: manifestsOf(HEADLESS),
  tables: [
    {
      title: 'headless Services and endpoints',
      rows: [
        ['pg.db~', 'A', 'NOERROR', ['A 10.129.0.11', 'A 10.129.0.12', 'A 10.129.0.13']],
        ['pg.db~', 'AAAA', 'NOERROR', ['AAAA fd00:10:129::11', 'AAAA fd00:10:129::13']],
        ['pg.db~', 'SRV', 'NOERROR', PG_SRV, PG_ADDRESSES],
        ['_sql._tcp.pg.db~', 'SRV', 'NOERROR', PG_SRV, PG_ADDRESSES],
        ['pg-0.pg.db~', 'A', 'NOERROR', ['A 10.129.0.11']],
        ['pg-0.pg.db~', 'AAAA', 'NOERROR', ['AAAA fd00:10:129::11']],
        ['pg-0.pg.db~', 'SRV', 'NOERROR', ['SRV 0 50 5432 pg-0.pg.db~'], ['A 10.129.0.11', 'AAAA fd00:10:129::11']],
        ['10-129-0-13.pg.db~', 'A', 'NOERROR', ['A 10.129.0.13']],
        ['fd00-10-129--13.pg.db~', 'AAAA', 'NOERROR', ['AAAA fd00:10:129::13']],
        ['fd00-10-129--13.pg.db~', 'A', 'NODATA'],
        ['10-129-0-11.pg.db~', 'A', 'NXDOMAIN'],
        ['pg-9.pg.db~', 'A', 'NXDOMAIN'],
        ['pg.db~', 'CNAME HTTPS', 'NODATA'],
        ['_none._tcp.pg.db~', 'SRV', 'NXDOMAIN'],
        [
          'mix.db~',
          'SRV',
          'NOERROR',
          [
            'SRV 0 25 5432 m-0.mix.db~',
            'SRV 0 25 5432 m-1.mix.db~',
            'SRV 0 25 8008 m-0.mix.db~',
            'SRV 0 25 8008 m-1.mix.db~',
          ],
          ['m-0.mix.db~ A 10.129.0.21', 'm-1.mix.db~ A 10.129.0.22'],
        ],
        [
          '_http._tcp.mix.db~',
          'SRV',
          'NOERROR',
          ['SRV 0 50 8008 m-0.mix.db~', 'SRV 0 50 8008 m-1.mix.db~'],
          ['m-0.mix.db~ A 10.129.0.21', 'm-1.mix.db~ A 10.129.0.22'],
        ],
        ['rdy.db~', 'A', 'NOERROR', ['A 10.129.0.31', 'A 10.129.0.33', 'A 10.129.0.35']],
        ['10-129-0-32.rdy.db~', 'A', 'NXDOMAIN'],
        ['10-129-0-34.rdy.db~', 'A', 'NXDOMAIN'],
        ['skew.db~', 'A', 'NOERROR', ['A 10.129.0.41', 'A 10.129.0.42', 'A 10.129.0.43']],
        [
          '_sql._tcp.skew.db~',
          'SRV',
          'NOERROR',
          [
            'SRV 0 25 5432 10-129-0-41.skew.db~',
            'SRV 0 25 5432 10-129-0-42.skew.db~',
            'SRV 0 25 5432 10-129-0-43.skew.db~',
          ],
          [
            '10-129-0-41.skew.db~ A 10.129.0.41',
            '10-129-0-42.skew.db~ A 10.129.0.42',
            '10-129-0-43.skew.db~ A 10.129.0.43',
          ],
        ],
        ['two.db~', 'A', 'NOERROR', ['A 10.129.0.51', 'A 10.129.0.52']],
        ['twin.two.db~', 'A', 'NOERROR', ['A 10.129.0.51', 'A 10.129.0.52']],
      ],
    },
  ],
})

testSuite({
  objects: manifestsOf(HEADLESS),
  flags: ['--endpoint_pod_names'],
  tables: [
    {
      title: 'endpoint labels from Pod names',
      rows: [
        ['pg-5c9f-ccccc.pg.db~', 'A', 'NOERROR', ['A 10.129.0.13']],
        ['pg-5c9f-ccccc.pg.db~', 'AAAA', 'NOERROR', ['AAAA fd00:10:129::13']],
        ['10-129-0-13.pg.db~', 'A', 'NXDOMAIN'],
        ['pg-0.pg.db~', 'A', 'NOERROR', ['A 10.129.0.11']],
        [
          '_sql._tcp.pg.db~',
          'SRV',
          'NOERROR',
          ['SRV 0 20 5432 pg-0.pg.db~', 'SRV 0 20 5432 pg-1.pg.db~', 'SRV 0 20 5432 pg-5c9f-ccccc.pg.db~'],
          [
            'pg-0.pg.db~ A 10.129.0.11',
            'pg-0.pg.db~ AAAA fd00:10:129::11',
            'pg-1.pg.db~ A 10.129.0.12',
            'pg-5c9f-ccccc.pg.db~ A 10.129.0.13',
            'pg-5c9f-ccccc.pg.db~ AAAA fd00:10:129::13',
          ],
        ],
      ],
    },
  ],
})

testSuite({
  objects: manifestsOf(LABELS),
  tables: [
    {
      title: 'endpoint labels',
      rows: [
        ['10-20-30-40.lab.db~', 'A', 'NOERROR', ['A 10.20.30.40']],
        ['leaf.lab.db~', 'A', 'NOERROR', ['A 10.20.30.41']],
        ['fd00-a-b-c-d-e-f-1.lab.db~', 'AAAA', 'NOERROR', ['AAAA fd00:a:b:c:d:e:f:1']],
        ['fd00-a--0.lab.db~', 'AAAA', 'NOERROR', ['AAAA fd00:a::']], // a label does not end in a hyphen
        ['leaf-x7k2p.lab.db~', 'A', 'NXDOMAIN'], // only with endpoint_pod_names
      ],
    },
  ],
})

testSuite({
  objects: manifestsOf(LABELS),
  flags: ['--endpoint_pod_names'],
  tables: [
    {
      title: 'endpoint labels with endpoint_pod_names',
      rows: [
        ['10-20-30-40.lab.db~', 'A', 'NOERROR', ['A 10.20.30.40']],
        ['leaf.lab.db~', 'A', 'NOERROR', ['A 10.20.30.41']],
        ['leaf-x7k2p.lab.db~', 'A', 'NOERROR', ['A 10.20.30.42']],
        ['10-20-30-43.lab.db~', 'A', 'NOERROR', ['A 10.20.30.43']], // a dotted Pod name is no label
        ['dotted.pod.name.lab.db~', 'A', 'NXDOMAIN'],
        ['10-20-30-44.lab.db~', 'A', 'NOERROR', ['A 10.20.30.44']], // nor is one of 64 octets
        [`${'p'.repeat(63)}.lab.db~`, 'A', 'NOERROR', ['A 10.20.30.45']],
      ],
    },
  ],
})

testSuite({
  objects: manifestsOf(EXTERNAL),
  tables: [
    {
      title: 'ExternalName',
      rows: [
        ['partner.edge~', 'A', 'NOERROR', ['CNAME api.partner.example.']],
        ['partner.edge~', 'AAAA', 'NOERROR', ['CNAME api.partner.example.']],
        ['partner.edge~', 'CNAME', 'NOERROR', ['CNAME api.partner.example.']],
        ['partner.edge~', 'SRV TXT HTTPS MX', 'NODATA'],
        ['_https._tcp.partner.edge~', 'SRV A', 'NXDOMAIN'],
        ['ep.partner.edge~', 'A', 'NXDOMAIN'],
        ['literal.edge~', 'A CNAME', 'NXDOMAIN'],
        ['literal6.edge~', 'AAAA', 'NXDOMAIN'],
      ],
    },
  ],
})

/** From link-11 to the address. */
const LINKS = Array.from({ length: 11 }, (_, index) => {
  const target = index === 10 ? 'far' : `link-${10 - index}`
  return `${index === 0 ? '' : `link-${11 - index}.shop~ `}CNAME ${target}.shop~`
})

testSuite({
  objects: manifestsOf(CHAINS),
  tables: [
    {
      title: 'ExternalName inside the zone',
      rows: [
        ['alias.shop~', 'A', 'NOERROR', ['CNAME cart.shop~', 'cart.shop~ A 172.30.4.10']],
        [
          'second.shop~',
          'A',
          'NOERROR',
          ['CNAME alias.shop~', 'alias.shop~ CNAME cart.shop~', 'cart.shop~ A 172.30.4.10'],
        ],
        ['alias.shop~', 'AAAA', 'NODATA'], // a chain that ends without the type has no CNAME either
        ['ghost.shop~', 'A', 'NODATA'],
        ['ghost.shop~', 'CNAME', 'NOERROR', ['CNAME gone.shop~']],
        ['self.shop~', 'A', 'NODATA'],
        ['self.shop~', 'CNAME', 'NOERROR', ['CNAME self.shop~']],
        ['ping.shop~', 'A', 'NODATA'], // a loop
        ['link-11.shop~', 'A', 'NOERROR', [...LINKS, 'far.shop~ A 172.30.4.30']],
        ['link-12.shop~', 'A', 'NODATA'], // more links than are followed
        ['alias.shop~', 'SRV TXT', 'NODATA'],
      ],
    },
  ],
})
// What needs an upstream, external names, transfers, autopath and stanzas have tests of their own, with Corefiles: test/corefile/, test/transfer/,
// test/config/.
