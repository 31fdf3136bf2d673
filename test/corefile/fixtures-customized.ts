// The common Corefile as users change it, by how often they do, each with what it must do. `examples/` is the cluster.

import { type Fixture, KEPT, NOT_KEPT } from './fixture.ts'
import { clusterAsks } from './fixtures.ts'

const ALL = { health: 8080, ready: 8181, metrics: 9153 }

const OFFICE_ZONE = `$ORIGIN office.example.
$TTL 1h
@        IN SOA   ns hostmaster 7 1h 15m 1w 5m
         IN NS    ns
ns       IN A     192.0.2.2
printer  300 IN A 192.0.2.3
lpr      IN CNAME printer
*.lab    IN A     192.0.2.4
lab2     IN NS    ns.lab2
ns.lab2  IN A     192.0.2.5
`

function customized(file: string, more: Partial<Fixture>): Fixture {
  return { file, http: ALL, counts: ['.'], ...more, asks: [...clusterAsks(30), ...(more.asks ?? [])] }
}

export const CUSTOMIZATIONS: readonly Fixture[] = [
  customized('user-01-stub-domain', {
    listeners: ['.:53', 'corp.example.:53'],
    asks: [
      ['host.corp.example. A', ['30 A 192.0.2.101'], KEPT],
      ['which.corp.example. TXT', ['30 TXT "192.0.2.53"'], KEPT],
      ['host.lab.example. A', ['30 A 192.0.2.102'], KEPT],
      ['which.lab.example. TXT', ['30 TXT "192.0.2.54"'], KEPT],
      ['which.xlab.example. TXT', ['30 TXT "198.51.100.53"'], KEPT],
    ],
  }),
  customized('user-02-upstreams', {}),
  customized('user-03-hosts', {
    listeners: ['.:53', 'legacy.example.:53'],
    asks: [
      ['legacy.example.org. A', ['30 A 192.0.2.80', '30 A 192.0.2.81']],
      ['LEGACY.example.org. AAAA', ['30 AAAA 2001:db8::80']],
      ['legacy.example.org. MX', 'NOERROR'],
      ['legacy. A', ['30 A 192.0.2.80']],
      ['legacy. AAAA', 'NOERROR'],
      ['80.2.0.192.in-addr.arpa. PTR', ['30 PTR legacy.', '30 PTR legacy.example.org.']],
      ['gone.example.org. A', 'NXDOMAIN .', KEPT], // passed on
      ['a.legacy.example. A', ['3600 A 192.0.2.90']],
      ['b.legacy.example. A', 'SERVFAIL'], // not passed on
      ['legacy.example. A', 'SERVFAIL'],
    ],
  }),
  customized('user-04-rewrite', {
    asks: [
      ['basket.example.org. A', ['30 A 10.101.37.152']],
      ['Basket.Example.org. AAAA', 'NODATA cluster.local.'],
      ['cart.shop.svc.old.local. A', ['30 A 10.101.37.152']],
      ['gone.shop.svc.old.local. A', 'NXDOMAIN cluster.local.'],
      ['cart.mine.example. A', ['30 A 10.101.37.152']],
      ['web.mine.example. AAAA', ['30 AAAA fd00:10:96::7:6cfc']],
      ['gone.mine.example. A', 'NXDOMAIN cluster.local.'],
      ['mine.example. A', 'NXDOMAIN .', KEPT],
    ],
  }),
  customized('user-05-log', {
    logs: [
      /"A IN gone\.shop\.svc\.cluster\.local\. udp 45 false 512" NXDOMAIN qr,aa,rd \d+ \d\.\d+s$/,
      /"AAAA IN cart\.shop\.svc\.cluster\.local\. tcp 45 false 65535" NOERROR qr,aa,rd \d+ \d\.\d+s$/, // NODATA is a denial
      /"A IN gone\.example\.net\. udp 34 false 512" NXDOMAIN qr,rd,ra \d+ \d\.\d+s$/,
      /"A IN gone\.example\.net\. tcp 34 false 65535" NXDOMAIN qr,aa,rd,ra \d+ \d\.\d+s$/, // out of the cache
      /"A IN refused\.example\.net\. udp 37 false 512" REFUSED qr,rd 37 \d\.\d+s$/,
    ],
    asks: [['refused.example.net. A', 'REFUSED', NOT_KEPT]],
    hides: /"A IN (cart\.shop|www)|PTR IN 152\./,
  }),
  {
    ...customized('user-06-cache', {}),
    asks: [
      ...clusterAsks(30, 3600),
      ['zero.example.net. A', ['10 A 192.0.2.100'], KEPT], // `success 20000 3600 10`
    ],
  },
  {
    ...customized('user-07-template', { listeners: ['.:53', 'tenants.example.:53'] }),
    asks: [
      ['cart.shop.svc.cluster.local. A', ['30 A 10.101.37.152']],
      ['cart.shop.svc.cluster.local. AAAA', 'NOERROR'],
      ['web.shop.svc.cluster.local. AAAA', 'NOERROR'], // has one, and nobody gets it
      ['www.example.net. AAAA', 'NOERROR'],
      ['www.example.net. A', ['30 A 192.0.2.99'], KEPT],
      ['cart.shop.svc.cluster.local.corp. A', 'NXDOMAIN svc.cluster.local.corp.'],
      ['cart.shop.svc.cluster.local.corp. AAAA', 'NXDOMAIN svc.cluster.local.corp.'],
      ['blue-7.tenants.example. A', ['300 A 10.1.1.7', '300 A 10.9.9.7']],
      ['Green-8.tenants.example. A', ['300 A 10.1.2.8', '300 A 10.9.9.8']],
      ['green.tenants.example. A', 'SERVFAIL'], // no match, not passed on
      ['blue-7.tenants.example. TXT', 'NXDOMAIN .', NOT_KEPT], // no template of that type: passed on
      ['which.tenants.example. TXT', ['300 TXT "192.0.2.53"'], NOT_KEPT],
    ],
  },
  {
    ...customized('user-08-autopath', {}),
    asks: [
      ...clusterAsks(30).filter(([question]) => !question.includes('.pod.')),
      ['10-245-32-134.data.pod.cluster.local. A', ['30 A 10.245.32.134']],
      ['10-1-2-3.shop.pod.cluster.local. A', 'NXDOMAIN cluster.local.'], // no such Pod
    ],
  },
  customized('user-09-tls-upstreams', {}),
  customized('user-10-file', {
    files: { '/etc/coredns/office.db': OFFICE_ZONE },
    asks: [
      ['printer.office.example. A', ['30 A 192.0.2.3']],
      ['lpr.office.example. A', ['30 CNAME printer.office.example.', 'printer.office.example. 30 A 192.0.2.3']],
      ['any.lab.office.example. A', ['30 A 192.0.2.4']],
      ['lab.office.example. A', 'NODATA office.example.'], // an empty non-terminal
      ['gone.office.example. A', 'NXDOMAIN office.example.'],
      ['office.example. NS', ['30 NS ns.office.example.']],
      ['host.lab2.office.example. A', 'REFERRAL lab2.office.example.'],
      ['printer.office.example. A', 'REFUSED', { at: '::1' }], // blocked
      ['cart.shop.svc.cluster.local. A', ['30 A 10.101.37.152'], { at: '::1' }],
      ['ingress.edge.lb.example. A', ['5 A 198.51.100.7']],
      ['cart.shop.lb.example. A', 'NXDOMAIN lb.example.'],
    ],
  }),
  customized('user-11-patience', {}),
]
