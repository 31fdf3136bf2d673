// The vectors of the Kubernetes schema, as far as they are about which records a name has: sections, TTLs, the apex and
// upstream answers are tested where they are made.
//
// A row is QNAME | QTYPEs | result | answer | additional; `~` is `.svc.cluster.local.`, `^` is `.pod.cluster.local.`

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { SchemaOptions } from '../../src/kube/schema.ts'
import { allClaims, fixture, importOwners, PLAIN, query, reverseQuery, rows, zoneOwners } from './schema-fixture.ts'

function check(yaml: string, table: string, options: Partial<SchemaOptions> = {}): void {
  const owners = zoneOwners(fixture(yaml), { ...PLAIN, ...options })
  for (const { name, types, expected } of rows(table)) {
    for (const type of types) assert.equal(query(owners, name, type), expected, `${name} ${type}`)
  }
}

function checkReverse(yaml: string, table: string, options: Partial<SchemaOptions> = {}): void {
  const claims = allClaims(fixture(yaml), { ...PLAIN, ...options })
  for (const { name, expected } of rows(table)) {
    assert.equal(reverseQuery(claims, name), expected, name)
  }
}

const CLUSTER_IP = `
namespaces: [shop]
services:
  shop/cart:  {clusterIPs: [172.30.4.10], ports: [web:80/TCP, ops:9090/TCP]}
  shop/res:   {clusterIPs: [172.30.4.11], ports: [q:53/UDP, q-tcp:53/TCP]}
  shop/wiki:  {clusterIPs: ["fd00:172:30::20"], ports: [http:80/TCP]}
  shop/dual:  {clusterIPs: [172.30.4.12, "fd00:172:30::12"], ports: [api:8443/TCP]}
  shop/plain: {type: NodePort, clusterIPs: [172.30.4.13], ports: ["-:7000/TCP"]}
  shop/sig:   {type: LoadBalancer, clusterIPs: [172.30.4.14], ports: [diam:3868/SCTP]}
slices:
  shop/cart-x: {for: cart, ports: [web:8080/TCP, ops:9090/TCP], endpoints: [{a: [10.129.1.5], hostname: blue}, {a: [10.129.1.6]}]}
`

test('ClusterIP Services', () =>
  check(
    CLUSTER_IP,
    `
  cart.shop~ | A | NOERROR | A 172.30.4.10
  cart.shop~ | AAAA | NODATA
  cart.shop~ | SRV | NOERROR | SRV 0 50 80 cart.shop~; SRV 0 50 9090 cart.shop~ | A 172.30.4.10
  _web._tcp.cart.shop~ | SRV | NOERROR | SRV 0 100 80 cart.shop~ | cart.shop~ A 172.30.4.10
  _ops._tcp.cart.shop~ | SRV | NOERROR | SRV 0 100 9090 cart.shop~ | cart.shop~ A 172.30.4.10
  _WEB._Tcp.cart.shop~ | SRV | NOERROR | SRV 0 100 80 cart.shop~ | cart.shop~ A 172.30.4.10
  _web._udp.cart.shop~ | SRV | NXDOMAIN
  _nope._tcp.cart.shop~ | SRV, A | NXDOMAIN
  _web._tcp.cart.shop~ | A | NOERROR | A 172.30.4.10
  web.tcp.cart.shop~ | SRV | NXDOMAIN
  _._tcp.cart.shop~ | SRV | NXDOMAIN
  _tcp.cart.shop~ | SRV | NODATA
  _udp.cart.shop~ | SRV | NXDOMAIN
  res.shop~ | SRV | NOERROR | SRV 0 50 53 res.shop~ | A 172.30.4.11
  _q._udp.res.shop~ | SRV | NOERROR | SRV 0 100 53 res.shop~ | res.shop~ A 172.30.4.11
  _q-tcp._tcp.res.shop~ | SRV | NOERROR | SRV 0 100 53 res.shop~ | res.shop~ A 172.30.4.11
  _q._tcp.res.shop~ | SRV | NXDOMAIN
  wiki.shop~ | AAAA | NOERROR | AAAA fd00:172:30::20
  wiki.shop~ | A | NODATA
  dual.shop~ | A | NOERROR | A 172.30.4.12
  dual.shop~ | AAAA | NOERROR | AAAA fd00:172:30::12
  plain.shop~ | A | NOERROR | A 172.30.4.13
  plain.shop~ | SRV | NOERROR | SRV 0 100 7000 plain.shop~ | A 172.30.4.13
  _7000._tcp.plain.shop~ | SRV | NXDOMAIN
  _diam._sctp.sig.shop~ | SRV | NOERROR | SRV 0 100 3868 sig.shop~ | sig.shop~ A 172.30.4.14
  blue.cart.shop~ | A | NOERROR | A 10.129.1.5
  blue.cart.shop~ | AAAA | NODATA
  blue.cart.shop~ | SRV | NOERROR | SRV 0 50 8080 blue.cart.shop~; SRV 0 50 9090 blue.cart.shop~ | A 10.129.1.5
  10-129-1-6.cart.shop~ | A | NOERROR | A 10.129.1.6
  10-129-1-5.cart.shop~ | A | NXDOMAIN
  green.cart.shop~ | A | NXDOMAIN
  _web._tcp.blue.cart.shop~ | SRV | NXDOMAIN
  cart.shop~ | MX, HTTPS, SVCB, ANY, CNAME, SOA, NS, PTR | NODATA
  missing.shop~ | A, HTTPS, ANY, MX, CNAME | NXDOMAIN
  *.shop~ | A | NXDOMAIN
  any.shop~ | A | NXDOMAIN
  *.*~ | A | NXDOMAIN
  a.b.c.cart.shop~ | A | NXDOMAIN
`,
  ))

const HEADLESS = `
namespaces: [db]
services:
  db/pg:   {clusterIPs: None}
  db/mix:  {clusterIPs: None}
  db/rdy:  {clusterIPs: None}
  db/skew: {clusterIPs: None}
  db/two:  {clusterIPs: None}
slices:
  db/pg-4:   {for: pg, addressType: IPv4, ports: [sql:5432/TCP], endpoints: [{a: [10.129.0.11], hostname: pg-0, pod: pg-5c9f-aaaaa}, {a: [10.129.0.12], hostname: pg-1}, {a: [10.129.0.13], pod: pg-5c9f-ccccc}]}
  db/pg-6:   {for: pg, addressType: IPv6, ports: [sql:5432/TCP], endpoints: [{a: ["fd00:10:129::11"], hostname: pg-0}, {a: ["fd00:10:129::13"], pod: pg-5c9f-ccccc}]}
  db/mix-1:  {for: mix, ports: [sql:5432/TCP, http:8008/TCP], endpoints: [{a: [10.129.0.21], hostname: m-0}, {a: [10.129.0.22], hostname: m-1}]}
  db/rdy-1:  {for: rdy, ports: [sql:5432/TCP], endpoints: [{a: [10.129.0.31], ready: true}, {a: [10.129.0.32], ready: false}, {a: [10.129.0.33]}, {a: [10.129.0.34], ready: false, serving: true, terminating: true}, {a: [10.129.0.35], ready: true, terminating: true}]}
  db/skew-1: {for: skew, ports: [sql:5432/TCP], endpoints: [{a: [10.129.0.41]}, {a: [10.129.0.42]}]}
  db/skew-2: {for: skew, ports: [sql:5432/TCP], endpoints: [{a: [10.129.0.42]}, {a: [10.129.0.43]}]}
  db/two-1:  {for: two, ports: [sql:5432/TCP], endpoints: [{a: [10.129.0.51, 10.129.0.52], hostname: twin}]}
`

test('headless Services and endpoints', () =>
  check(
    HEADLESS,
    `
  pg.db~ | A | NOERROR | A 10.129.0.11; A 10.129.0.12; A 10.129.0.13
  pg.db~ | AAAA | NOERROR | AAAA fd00:10:129::11; AAAA fd00:10:129::13
  pg.db~ | SRV | NOERROR | SRV 0 20 5432 10-129-0-13.pg.db~; SRV 0 20 5432 fd00-10-129--13.pg.db~; SRV 0 20 5432 pg-0.pg.db~; SRV 0 20 5432 pg-1.pg.db~ | 10-129-0-13.pg.db~ A 10.129.0.13; fd00-10-129--13.pg.db~ AAAA fd00:10:129::13; pg-0.pg.db~ A 10.129.0.11; pg-0.pg.db~ AAAA fd00:10:129::11; pg-1.pg.db~ A 10.129.0.12
  _sql._tcp.pg.db~ | SRV | NOERROR | SRV 0 20 5432 10-129-0-13.pg.db~; SRV 0 20 5432 fd00-10-129--13.pg.db~; SRV 0 20 5432 pg-0.pg.db~; SRV 0 20 5432 pg-1.pg.db~ | 10-129-0-13.pg.db~ A 10.129.0.13; fd00-10-129--13.pg.db~ AAAA fd00:10:129::13; pg-0.pg.db~ A 10.129.0.11; pg-0.pg.db~ AAAA fd00:10:129::11; pg-1.pg.db~ A 10.129.0.12
  pg-0.pg.db~ | A | NOERROR | A 10.129.0.11
  pg-0.pg.db~ | AAAA | NOERROR | AAAA fd00:10:129::11
  pg-0.pg.db~ | SRV | NOERROR | SRV 0 50 5432 pg-0.pg.db~ | A 10.129.0.11; AAAA fd00:10:129::11
  10-129-0-13.pg.db~ | A | NOERROR | A 10.129.0.13
  fd00-10-129--13.pg.db~ | AAAA | NOERROR | AAAA fd00:10:129::13
  fd00-10-129--13.pg.db~ | A | NODATA
  10-129-0-11.pg.db~ | A | NXDOMAIN
  pg-9.pg.db~ | A | NXDOMAIN
  pg.db~ | CNAME, HTTPS | NODATA
  _none._tcp.pg.db~ | SRV | NXDOMAIN
  mix.db~ | SRV | NOERROR | SRV 0 25 5432 m-0.mix.db~; SRV 0 25 5432 m-1.mix.db~; SRV 0 25 8008 m-0.mix.db~; SRV 0 25 8008 m-1.mix.db~ | m-0.mix.db~ A 10.129.0.21; m-1.mix.db~ A 10.129.0.22
  _http._tcp.mix.db~ | SRV | NOERROR | SRV 0 50 8008 m-0.mix.db~; SRV 0 50 8008 m-1.mix.db~ | m-0.mix.db~ A 10.129.0.21; m-1.mix.db~ A 10.129.0.22
  rdy.db~ | A | NOERROR | A 10.129.0.31; A 10.129.0.33; A 10.129.0.35
  10-129-0-32.rdy.db~ | A | NXDOMAIN
  10-129-0-34.rdy.db~ | A | NXDOMAIN
  skew.db~ | A | NOERROR | A 10.129.0.41; A 10.129.0.42; A 10.129.0.43
  _sql._tcp.skew.db~ | SRV | NOERROR | SRV 0 25 5432 10-129-0-41.skew.db~; SRV 0 25 5432 10-129-0-42.skew.db~; SRV 0 25 5432 10-129-0-43.skew.db~ | 10-129-0-41.skew.db~ A 10.129.0.41; 10-129-0-42.skew.db~ A 10.129.0.42; 10-129-0-43.skew.db~ A 10.129.0.43
  two.db~ | A | NOERROR | A 10.129.0.51; A 10.129.0.52
  twin.two.db~ | A | NOERROR | A 10.129.0.51; A 10.129.0.52
`,
  ))

test('endpoints named after their Pods', () =>
  check(
    HEADLESS,
    `
  pg-5c9f-ccccc.pg.db~ | A | NOERROR | A 10.129.0.13
  pg-5c9f-ccccc.pg.db~ | AAAA | NOERROR | AAAA fd00:10:129::13
  10-129-0-13.pg.db~ | A | NXDOMAIN
  pg-0.pg.db~ | A | NOERROR | A 10.129.0.11
  _sql._tcp.pg.db~ | SRV | NOERROR | SRV 0 20 5432 pg-0.pg.db~; SRV 0 20 5432 pg-1.pg.db~; SRV 0 20 5432 pg-5c9f-ccccc.pg.db~ | pg-0.pg.db~ A 10.129.0.11; pg-0.pg.db~ AAAA fd00:10:129::11; pg-1.pg.db~ A 10.129.0.12; pg-5c9f-ccccc.pg.db~ A 10.129.0.13; pg-5c9f-ccccc.pg.db~ AAAA fd00:10:129::13
`,
    { endpointPodNames: true },
  ))

const EXTERNAL = `
namespaces: [edge]
services:
  edge/partner:  {type: ExternalName, externalName: api.partner.example, ports: [https:443/TCP]}
  edge/literal:  {type: ExternalName, externalName: 192.0.2.77}
  edge/literal6: {type: ExternalName, externalName: "2001:db8::77"}
`

test('ExternalName', () =>
  check(
    EXTERNAL,
    `
  partner.edge~ | A | NOERROR | CNAME api.partner.example.
  partner.edge~ | AAAA | NOERROR | CNAME api.partner.example.
  partner.edge~ | CNAME | NOERROR | CNAME api.partner.example.
  partner.edge~ | SRV, TXT, HTTPS, MX | NODATA
  _https._tcp.partner.edge~ | SRV, A | NXDOMAIN
  ep.partner.edge~ | A | NXDOMAIN
  literal.edge~ | A, CNAME | NXDOMAIN
  literal6.edge~ | AAAA | NXDOMAIN
`,
  ))

const PODS = `
namespaces: [web, spare]
pods:
  web/a: {ip: 10.131.0.8}
  web/b: {ip: "fd00:10:131::8"}
`

test('pods disabled', () =>
  check(
    PODS,
    `
  10-131-0-8.web^ | A | NXDOMAIN
  web^ | A | NXDOMAIN
`,
    { pods: 'disabled' },
  ))

test('pods insecure', () =>
  check(
    PODS,
    `
  10-131-0-8.web^ | A | NOERROR | A 10.131.0.8
  10-131-0-8.web^ | AAAA, HTTPS, TXT | NODATA
  10-131-0-8.web^ | SRV | NODATA
  10-131-0-9.spare^ | A | NOERROR | A 10.131.0.9
  fd00-10-131--8.web^ | AAAA | NOERROR | AAAA fd00:10:131::8
  fd00-10-131-0-0-0-0-8.web^ | AAAA | NOERROR | AAAA fd00:10:131::8
  nginx.web^ | A | NXDOMAIN
  10-131-0-300.web^ | A | NXDOMAIN
  1-2-3.web^ | A | NXDOMAIN
  web^ | A | NODATA
  x.10-131-0-8.web^ | A | NXDOMAIN
  x.y.z.10-131-0-8.web^ | A | NXDOMAIN
`,
    { pods: 'insecure' },
  ))

test('pods verified', () =>
  check(
    PODS,
    `
  10-131-0-8.web^ | A | NOERROR | A 10.131.0.8
  10-131-0-8.web^ | AAAA | NODATA
  10-131-0-9.web^ | A | NXDOMAIN
  10-131-0-8.spare^ | A | NXDOMAIN
  fd00-10-131--8.web^ | AAAA | NOERROR | AAAA fd00:10:131::8
  fd00-10-131-0-0-0-0-8.web^ | AAAA | NOERROR | AAAA fd00:10:131::8
`,
    { pods: 'verified' },
  ))

test('the version of the schema', () =>
  check(
    '{}',
    `
  dns-version.cluster.local. | TXT | NOERROR | TXT "1.1.0"
  dns-version.cluster.local. | A | NODATA
  x.dns-version.cluster.local. | TXT | NXDOMAIN
`,
  ))

test('namespaces and empty non-terminals', () =>
  check(
    CLUSTER_IP,
    `
  svc.cluster.local. | A | NODATA
  svc.cluster.local. | TXT | NODATA
  shop~ | A, SRV, SOA | NODATA
  ghost~ | A | NXDOMAIN
  ghost~ | SOA | NXDOMAIN
  cart.ghost~ | A | NXDOMAIN
  foo.cluster.local. | NS, A | NXDOMAIN
  bar.foo.cluster.local. | SRV | NXDOMAIN
  svc.svc.cluster.local. | A | NXDOMAIN
`,
  ))

const REVERSE = `
namespaces: [shop, db, lab]
services:
  shop/cart: {clusterIPs: [172.30.4.10], ports: [web:80/TCP]}
  shop/dual: {clusterIPs: [172.30.4.12, "fd00:172:30::12"], ports: [api:8443/TCP]}
  db/pg:     {clusterIPs: None}
slices:
  shop/cart-x: {for: cart, ports: [web:8080/TCP], endpoints: [{a: [10.129.1.5], hostname: blue}, {a: [10.129.1.6]}]}
  db/pg-4:     {for: pg, ports: [sql:5432/TCP], endpoints: [{a: [10.129.0.11], hostname: pg-0}, {a: [10.129.0.12], ready: false}]}
  db/pg-6:     {for: pg, ports: [sql:5432/TCP], endpoints: [{a: ["fd00:10:129::11"], hostname: pg-0}]}
`

test('reverse', () =>
  checkReverse(
    REVERSE,
    `
  10.4.30.172.in-addr.arpa | PTR | NOERROR | PTR cart.shop~
  12.4.30.172.in-addr.arpa | PTR | NOERROR | PTR dual.shop~
  2.1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.3.0.0.2.7.1.0.0.0.d.f.ip6.arpa | PTR | NOERROR | PTR dual.shop~
  5.1.129.10.in-addr.arpa | PTR | NOERROR | PTR blue.cart.shop~
  6.1.129.10.in-addr.arpa | PTR | NOERROR | PTR 10-129-1-6.cart.shop~
  11.0.129.10.in-addr.arpa | PTR | NOERROR | PTR pg-0.pg.db~
  12.0.129.10.in-addr.arpa | PTR | NXDOMAIN
  1.1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.9.2.1.0.0.1.0.0.0.0.d.f.ip6.arpa | PTR | NOERROR | PTR pg-0.pg.db~
  10.4.30.172.IN-ADDR.ARPA. | PTR | NOERROR | PTR cart.shop~
  99.99.99.10.in-addr.arpa | PTR | NXDOMAIN
  300.4.30.172.in-addr.arpa. | PTR | NXDOMAIN
  1.10.4.30.172.in-addr.arpa. | PTR | NXDOMAIN
  4.30.172.in-addr.arpa. | PTR | NODATA
  in-addr.arpa. | PTR | NODATA
`,
  ))

const OPTIONS = `
namespaces: [shop, edge]
services:
  shop/cart:  {clusterIPs: [172.30.4.10], ports: [web:80/TCP]}
  shop/idle:  {clusterIPs: [172.30.4.60], ports: [web:80/TCP]}
  shop/hl:    {clusterIPs: None}
slices:
  shop/cart-x: {for: cart, ports: [web:8080/TCP], endpoints: [{a: [10.129.1.5], hostname: blue}]}
  shop/idle-x: {for: idle, ports: [web:8080/TCP], endpoints: [{a: [10.129.1.7], ready: false}]}
  shop/hl-x:   {for: hl, ports: [web:8080/TCP], endpoints: [{a: [10.129.1.6]}]}
`

test('no option', () =>
  check(
    OPTIONS,
    `
  idle.shop~ | A | NOERROR | A 172.30.4.60
  hl.shop~ | A | NOERROR | A 10.129.1.6
`,
  ))

test('ignore empty_service', () => {
  check(
    OPTIONS,
    `
  idle.shop~ | A, SRV | NXDOMAIN
  cart.shop~ | A | NOERROR | A 172.30.4.10
`,
    { ignoreEmptyService: true },
  )
  checkReverse(
    OPTIONS,
    `
  60.4.30.172.in-addr.arpa | PTR | NOERROR | PTR idle.shop~
`,
    { ignoreEmptyService: true },
  )
})

test('noendpoints', () => {
  check(
    OPTIONS,
    `
  cart.shop~ | A | NOERROR | A 172.30.4.10
  hl.shop~ | A | NXDOMAIN
  blue.cart.shop~ | A | NXDOMAIN
`,
    { noEndpoints: true },
  )
  checkReverse(
    OPTIONS,
    `
  5.1.129.10.in-addr.arpa | PTR | NXDOMAIN
`,
    { noEndpoints: true },
  )
})

const MULTICLUSTER = `
namespaces: [shop]
imports:
  shop/cart: {type: ClusterSetIP, ips: [172.31.0.10], ports: [web:80/TCP]}
  shop/pg:   {type: Headless}
slices:   # import: the multicluster service-name label; cluster: the source-cluster label
  shop/i1: {import: pg, cluster: east, ports: [sql:5432/TCP], endpoints: [{a: [10.40.0.1], hostname: pg-0}]}
  shop/i2: {import: pg, cluster: west, ports: [sql:5432/TCP], endpoints: [{a: [10.50.0.1], hostname: pg-0}, {a: [10.50.0.2]}]}
`

test('multicluster', () => {
  const owners = importOwners(fixture(MULTICLUSTER), PLAIN)
  const table = `
  cart.shop.svc.clusterset.local. | A | NOERROR | A 172.31.0.10
  _web._tcp.cart.shop.svc.clusterset.local. | SRV | NOERROR | SRV 0 100 80 cart.shop.svc.clusterset.local. | cart.shop.svc.clusterset.local. A 172.31.0.10
  pg.shop.svc.clusterset.local. | A | NOERROR | A 10.40.0.1; A 10.50.0.1; A 10.50.0.2
  pg-0.east.pg.shop.svc.clusterset.local. | A | NOERROR | A 10.40.0.1
  pg-0.west.pg.shop.svc.clusterset.local. | A | NOERROR | A 10.50.0.1
  pg-0.north.pg.shop.svc.clusterset.local. | A | NXDOMAIN
  pg-0.pg.shop.svc.clusterset.local. | A | NXDOMAIN
  east.pg.shop.svc.clusterset.local. | A | NODATA
  a.b.c.pg.shop.svc.clusterset.local. | A | NXDOMAIN
`
  for (const { name, types, expected } of rows(table, 'clusterset.local')) {
    for (const type of types) assert.equal(query(owners, name, type, 'clusterset.local'), expected, name)
  }
})

const ZONAL = `
namespaces: [db]
services:
  db/kv:  {clusterIPs: None}
  db/vip: {clusterIPs: [172.30.8.8], ports: [x:1/TCP]}
slices:
  db/kv-1: {for: kv, ports: [kv:6379/TCP], endpoints: [{a: [10.129.7.1], zone: eu-1a}, {a: [10.129.7.2], zone: eu-1B}, {a: [10.129.7.3]}, {a: [10.129.7.4], zone: dc.one}]}
`

test('zonal names', () =>
  check(
    ZONAL,
    `
  eu-1a.pin._zone.kv.db~ | A | NOERROR | A 10.129.7.1
  eu-1a.pin._zone.kv.db~ | AAAA | NODATA
  eu-1a.pin._zone.kv.db~ | SRV | NOERROR | SRV 0 100 6379 10-129-7-1.kv.db~ | 10-129-7-1.kv.db~ A 10.129.7.1
  eu-1b.pin._zone.kv.db~ | A | NOERROR | A 10.129.7.2
  dc.one.pin._zone.kv.db~ | A | NOERROR | A 10.129.7.4
  eu-1a.prefer._zone.kv.db~ | A | NOERROR | A 10.129.7.1
  eu-9.prefer._zone.kv.db~ | A | NOERROR | A 10.129.7.1; A 10.129.7.2; A 10.129.7.3; A 10.129.7.4
  eu-1a.nearby._zone.kv.db~ | A | NXDOMAIN
  eu-1a.pin._zone.vip.db~ | A | NXDOMAIN
`,
    { zonal: true },
  ))
