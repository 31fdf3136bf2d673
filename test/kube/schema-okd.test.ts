// OKD 3.11's names beside Kubernetes' own: the vectors as far as they are about records, and the conflicts between rules.
//
// A row is QNAME | QTYPEs | result | answer | additional; `~` is `.svc.cluster.local.`; priorities are Kubernetes'.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { okdHash } from '../../src/kube/endpoint-label.ts'
import { type SchemaOptions, serviceRecords } from '../../src/kube/schema.ts'
import { fixture, lines, OKD, query, rows, slicesOf, zoneOwners } from './schema-fixture.ts'

const SHOP = `
namespaces: [default, shop, svc]
services:
  default/kubernetes: {clusterIPs: [172.30.0.1], ports: [https:443/TCP, dns:53/UDP, dns-tcp:53/TCP]}
  shop/cart:        {clusterIPs: [172.30.14.7], ports: [web:80/TCP, metrics:9102/TCP, gossip:7946/UDP]}
  shop/queue:       {clusterIPs: None, ports: [amqp:5672/TCP, mgmt:15672/TCP]}
  shop/queue-peers: {clusterIPs: None, ports: [peer:25672/TCP]}
  shop/mailer:      {type: ExternalName, externalName: smtp.partner.test, ports: [smtp:587/TCP]}
  shop/literal:     {type: ExternalName, externalName: 192.0.2.77, ports: [smtp:587/TCP]}
  shop/pending:     {pending: true, ports: [web:80/TCP]}
  shop/idle:        {clusterIPs: None, ports: [web:80/TCP]}
  shop/lone:        {clusterIPs: [172.30.14.8], ports: [web:80/TCP]}
  shop/bare:        {clusterIPs: None, ports: [web:80/TCP]}
  shop/com:         {clusterIPs: [172.30.14.60], ports: [web:80/TCP]}
  shop/six:         {clusterIPs: ["fd02::1c"], ports: [web:80/TCP]}
  svc/svc:          {clusterIPs: [172.30.14.50], ports: [web:80/TCP]}
slices:
  default/kubernetes: {for: kubernetes, ports: [https:8443/TCP], endpoints: [{a: [192.0.2.10, 192.0.2.11]}]}
  shop/cart:    {for: cart, ports: [web:8080/TCP, metrics:9102/TCP, gossip:7946/UDP], endpoints: [{a: [10.128.2.15, 10.128.3.21]}, {a: [10.128.4.8], ready: false}]}
  shop/queue:   {for: queue, ports: [amqp:5672/TCP, mgmt:15672/TCP], endpoints: [{a: [10.128.2.30], hostname: queue-0}, {a: [10.128.3.31], hostname: queue-1}, {a: [10.128.5.32]}]}
  shop/peers:   {for: queue-peers, ports: [peer:25672/TCP], endpoints: [{a: [10.128.2.30], hostname: queue-0}]}
  shop/idle:    {for: idle, ports: [], endpoints: []}
  shop/orphan:  {for: orphan, ports: [web:80/TCP], endpoints: [{a: [10.128.9.9]}]}
`

function check(yaml: string, table: string, options: Partial<SchemaOptions> = {}): void {
  const owners = zoneOwners(fixture(yaml), { ...OKD, ...options })
  for (const { name, types, expected } of rows(table)) {
    for (const type of types) assert.equal(query(owners, name, type), expected, `${name} ${type}`)
  }
}

test('the hash of an address', () => {
  assert.equal(okdHash('10.128.2.15'), '3407445') // leading zero dropped
  assert.equal(okdHash('10.128.3.21'), 'bef7eeab')
  assert.equal(okdHash('172.30.14.7'), '4b825aca')
  assert.equal(okdHash('fd02::1c'), '3c21351d')
  assert.equal(okdHash('10.128.5.32'), '63c2b365')
})

test('vectors: ClusterIP, headless, ExternalName', () => {
  check(
    SHOP,
    `
  cart.shop~ | A | NOERROR | A 172.30.14.7
  CaRt.Shop.SVC.Cluster.LOCAL. | A | NOERROR | A 172.30.14.7
  cart.shop~ | AAAA, TXT, MX, CNAME | NODATA
  a.b.c.cart.shop~ | A | NOERROR | A 172.30.14.7
  *.cart.shop~ | A | NOERROR | A 172.30.14.7
  *.shop~ | A | NXDOMAIN
  cart.shop~ | SRV | NOERROR | SRV 0 33 80 cart.shop~; SRV 0 33 9102 cart.shop~; SRV 0 33 7946 cart.shop~ | cart.shop~ A 172.30.14.7
  _nope._tcp.cart.shop~ | SRV, A | NXDOMAIN
  _tcp.cart.shop~ | SRV | NOERROR | SRV 0 50 80 cart.shop~; SRV 0 50 9102 cart.shop~ | cart.shop~ A 172.30.14.7
  _tcp.cart.shop~ | A | NOERROR | A 172.30.14.7
  _udp.cart.shop~ | SRV | NOERROR | SRV 0 100 7946 cart.shop~ | cart.shop~ A 172.30.14.7
  _sctp.cart.shop~ | SRV | NXDOMAIN
  foo._web._tcp.cart.shop~ | SRV | NOERROR | SRV 0 33 80 cart.shop~; SRV 0 33 9102 cart.shop~; SRV 0 33 7946 cart.shop~ | cart.shop~ A 172.30.14.7
  _foo._web._tcp.cart.shop~ | SRV, A | NXDOMAIN
  queue.shop~ | A | NOERROR | A 10.128.2.30; A 10.128.3.31; A 10.128.5.32
  _amqp._tcp.queue.shop~ | SRV | NOERROR | SRV 0 33 5672 queue-0.queue.shop~; SRV 0 33 5672 queue-1.queue.shop~; SRV 0 33 5672 10-128-5-32.queue.shop~ | queue-0.queue.shop~ A 10.128.2.30; queue-1.queue.shop~ A 10.128.3.31; 10-128-5-32.queue.shop~ A 10.128.5.32
  _amqp._udp.queue.shop~ | SRV | NXDOMAIN
  queue-1.queue.shop~ | A | NOERROR | A 10.128.3.31
  10-128-5-32.queue.shop~ | A | NOERROR | A 10.128.5.32
  63c2b365.queue.shop~ | A | NOERROR | A 10.128.5.32
  x.y.queue-1.queue.shop~ | A | NXDOMAIN
  nobody.queue.shop~ | A | NXDOMAIN
  mailer.shop~ | CNAME, A | NOERROR | CNAME smtp.partner.test.
  a.b.mailer.shop~ | A | NOERROR | CNAME smtp.partner.test.
  _smtp._tcp.mailer.shop~ | SRV | NOERROR | SRV 0 100 587 smtp.partner.test.
  _tcp.mailer.shop~ | SRV | NOERROR | SRV 0 100 587 smtp.partner.test.
  _nope._tcp.mailer.shop~ | SRV | NXDOMAIN
  literal.shop~ | A, CNAME | NXDOMAIN
  _smtp._tcp.literal.shop~ | SRV | NXDOMAIN
  pending.shop~ | A | NXDOMAIN
  idle.shop~ | A | NXDOMAIN
  bare.shop~ | A | NXDOMAIN
  six.shop~ | AAAA | NOERROR | AAAA fd02::1c
  six.shop~ | A | NODATA
  3c21351d.six.shop~ | AAAA | NOERROR | AAAA fd02::1c
  shop~ | A | NODATA
  svc.cluster.local. | A | NODATA
  nosuch.shop~ | A, NS | NXDOMAIN
  cart.shop.cluster.local. | A | NXDOMAIN
  svc.svc~ | A | NOERROR | A 172.30.14.50
  www.example.com.shop~ | A | NOERROR | A 172.30.14.60
  dns-version.cluster.local. | TXT | NOERROR | TXT "1.1.0"
`,
  )
})

test('vectors: the endpoints subtree and _endpoints', () => {
  check(
    SHOP,
    `
  kubernetes.default.endpoints.cluster.local. | A | NOERROR | A 192.0.2.10; A 192.0.2.11
  queue.shop.endpoints.cluster.local. | A | NOERROR | A 10.128.2.30; A 10.128.3.31; A 10.128.5.32
  queue-0.queue.shop.endpoints.cluster.local. | A | NOERROR | A 10.128.2.30
  _web._tcp.cart.shop.endpoints.cluster.local. | SRV | NOERROR | SRV 0 50 8080 3407445.cart.shop.endpoints.cluster.local.; SRV 0 50 8080 bef7eeab.cart.shop.endpoints.cluster.local. | 3407445.cart.shop.endpoints.cluster.local. A 10.128.2.15; bef7eeab.cart.shop.endpoints.cluster.local. A 10.128.3.21
  _udp.cart.shop.endpoints.cluster.local. | A | NOERROR | A 10.128.2.15; A 10.128.3.21
  3407445.cart.shop.endpoints.cluster.local. | A | NOERROR | A 10.128.2.15
  10-128-2-15.cart.shop.endpoints.cluster.local. | A | NOERROR | A 10.128.2.15
  4b825aca.cart.shop.endpoints.cluster.local. | A | NXDOMAIN
  foo.cart.shop.endpoints.cluster.local. | A | NXDOMAIN
  _nope._tcp.cart.shop.endpoints.cluster.local. | SRV | NXDOMAIN
  orphan.shop.endpoints.cluster.local. | A | NXDOMAIN
  mailer.shop.endpoints.cluster.local. | A | NXDOMAIN
  lone.shop.endpoints.cluster.local. | A | NXDOMAIN
  shop.endpoints.cluster.local. | A | NODATA
  endpoints.cluster.local. | A | NODATA
  _endpoints.cart.shop~ | A | NOERROR | A 10.128.2.15; A 10.128.3.21
  x.y._endpoints.cart.shop~ | A | NOERROR | A 10.128.2.15; A 10.128.3.21
  _a._b._endpoints.cart.shop~ | A | NOERROR | A 10.128.2.15; A 10.128.3.21
  _endpoints.queue.shop~ | A | NOERROR | A 10.128.2.30; A 10.128.3.31; A 10.128.5.32
  _endpoints.lone.shop~ | A | NXDOMAIN
  _endpoints.mailer.shop~ | A | NXDOMAIN
`,
  )
})

test('endpoint ids of a ClusterIP Service come before its wildcard', () => {
  check(
    SHOP,
    `
  3407445.cart.shop~ | A | NOERROR | A 10.128.2.15
  10-128-2-15.cart.shop~ | A | NOERROR | A 10.128.2.15
  4b825aca.cart.shop~ | A | NOERROR | A 172.30.14.7
  4b825aca.cart.shop~ | SRV | NOERROR | SRV 0 33 80 cart.shop~; SRV 0 33 9102 cart.shop~; SRV 0 33 7946 cart.shop~ | cart.shop~ A 172.30.14.7
  x.3407445.cart.shop~ | A | NOERROR | A 172.30.14.7
`,
  )
})

test('wildcards off', () => {
  const okd = { ...OKD.okd!, wildcard: false }
  check(
    SHOP,
    `
  a.b.c.cart.shop~ | A | NXDOMAIN
  www.example.com.shop~ | A | NXDOMAIN
  ep.mailer.shop~ | A | NXDOMAIN
  x._endpoints.cart.shop~ | A | NOERROR | A 10.128.2.15; A 10.128.3.21
`,
    { okd },
  )
})

test('the alias of the API', () => {
  const table = `
  openshift.default~ | A | NOERROR | A 172.30.0.1
  openshift.default~ | SRV | NOERROR | SRV 0 33 443 kubernetes.default~; SRV 0 33 53 kubernetes.default~ | kubernetes.default~ A 172.30.0.1
  local.dns.cluster.local. | A | NOERROR | A 172.30.0.1
  x.openshift.default~ | A | NXDOMAIN
  openshift.default.endpoints.cluster.local. | A | NXDOMAIN
`
  check(SHOP, table)
  const off = '  openshift.default~ | A | NXDOMAIN\n  local.dns.cluster.local. | A | NXDOMAIN'
  check(SHOP, off, { okd: { ...OKD.okd!, openshiftAlias: false } })
})

const NAMESAKES = `
namespaces: [shop, svc, endpoints, dns, dns-version]
services:
  shop/cart:      {clusterIPs: [172.30.14.7], ports: [web:80/TCP]}
  svc/svc:        {clusterIPs: [172.30.14.50], ports: [web:80/TCP]}
  endpoints/x:    {clusterIPs: [172.30.14.51], ports: [web:80/TCP]}
  dns/ns:         {clusterIPs: [172.30.14.52], ports: [web:80/TCP]}
  dns/local:      {clusterIPs: [172.30.14.53], ports: [web:80/TCP]}
  dns/cache:      {clusterIPs: [172.30.14.54], ports: [web:80/TCP]}
slices:
  shop/cart:    {for: cart, ports: [web:8080/TCP], endpoints: [{a: [10.128.2.15], hostname: blue}]}
`

test('short names, and namespaces called like a tree', () => {
  const okd = { wildcard: true, shortNames: true, openshiftAlias: true }
  check(
    NAMESAKES,
    `
  cart.shop.cluster.local. | A | NOERROR | A 172.30.14.7
  cart.shop.cluster.local. | SRV | NOERROR | SRV 0 100 80 cart.shop~ | cart.shop~ A 172.30.14.7
  _web._tcp.cart.shop.cluster.local. | SRV | NOERROR | SRV 0 100 80 cart.shop~ | cart.shop~ A 172.30.14.7
  blue.cart.shop.cluster.local. | A | NOERROR | A 10.128.2.15
  a.b.cart.shop.cluster.local. | A | NOERROR | A 172.30.14.7
  shop.cluster.local. | A | NODATA
  svc.svc~ | A | NOERROR | A 172.30.14.50
  svc.svc.cluster.local. | A | NODATA
  x.endpoints.cluster.local. | A | NXDOMAIN
  x.endpoints~ | A | NOERROR | A 172.30.14.51
  ns.dns.cluster.local. | A | NXDOMAIN
  ns.dns~ | A | NOERROR | A 172.30.14.52
  local.dns.cluster.local. | A | NXDOMAIN
  cache.dns.cluster.local. | A | NOERROR | A 172.30.14.54
  dns-version.cluster.local. | TXT | NOERROR | TXT "1.1.0"
`,
    { okd },
  )
})

test('one owner, several rules', () => {
  // 10-0-0-2 is a hostname and another endpoint's address; 4b825aca is a hostname and the hash of the cluster IP.
  const twice = `
namespaces: [a]
services:
  a/hl:  {clusterIPs: None}
  a/vip: {clusterIPs: [172.30.14.7], ports: [web:80/TCP]}
  a/pod: {clusterIPs: None}
slices:
  a/hl:  {for: hl, ports: [web:80/TCP], endpoints: [{a: [10.0.0.1], hostname: 10-0-0-2}, {a: [10.0.0.2]}]}
  a/vip: {for: vip, ports: [web:80/TCP], endpoints: [{a: [10.0.0.3], hostname: 4b825aca}]}
  a/pod: {for: pod, ports: [web:80/TCP], endpoints: [{a: [10.0.0.4], hostname: ${okdHash('10.0.0.5')}}, {a: [10.0.0.5]}]}
`
  const hash = okdHash('10.0.0.2')
  check(
    twice,
    `
  10-0-0-2.hl.a~ | A | NOERROR | A 10.0.0.1
  ${hash}.hl.a~ | A | NOERROR | A 10.0.0.2
  hl.a~ | SRV | NOERROR | SRV 0 50 80 10-0-0-2.hl.a~; SRV 0 50 80 ${hash}.hl.a~ | 10-0-0-2.hl.a~ A 10.0.0.1; ${hash}.hl.a~ A 10.0.0.2
  4b825aca.vip.a~ | A | NOERROR | A 10.0.0.3
  ${okdHash('10.0.0.5')}.pod.a~ | A | NOERROR | A 10.0.0.4
  ${okdHash('10.0.0.5')}.pod.a.endpoints.cluster.local. | A | NOERROR | A 10.0.0.4
  _web._tcp.pod.a.endpoints.cluster.local. | A | NOERROR | A 10.0.0.4; A 10.0.0.5
  _endpoints.pod.a.endpoints.cluster.local. | SRV | NOERROR | SRV 0 50 80 ${okdHash('10.0.0.5')}.pod.a.endpoints.cluster.local.; SRV 0 50 80 10-0-0-5.pod.a.endpoints.cluster.local. | ${okdHash('10.0.0.5')}.pod.a.endpoints.cluster.local. A 10.0.0.4; 10-0-0-5.pod.a.endpoints.cluster.local. A 10.0.0.5
`,
  )
  for (const options of [OKD, { ...OKD, okd: { ...OKD.okd!, shortNames: true } }]) {
    const objects = fixture(twice)
    const owners = objects.services.flatMap((s) => serviceRecords(s, slicesOf(objects, s), options))
    assert.equal(new Set(owners.map(({ owner }) => owner.join('.'))).size, owners.length, 'each owner once')
  }
})

test('all owners of a small Service', () => {
  const objects = fixture(`
services: {a/s: {clusterIPs: [172.30.14.7], ports: [web:80/TCP]}}
slices:   {a/s: {for: s, ports: [web:8080/TCP], endpoints: [{a: [10.128.2.15]}]}}
`)
  const owners = serviceRecords(objects.services[0], objects.slices, OKD)
  assert.deepEqual(
    owners.map((records) => lines(records)[0]),
    [
      's.a.svc A 172.30.14.7',
      '_web._tcp.s.a.svc A 172.30.14.7',
      '10-128-2-15.s.a.svc A 10.128.2.15',
      '_endpoints.s.a.svc A 10.128.2.15',
      '*._endpoints.s.a.svc(any) A 10.128.2.15',
      '_tcp.s.a.svc A 172.30.14.7',
      '3407445.s.a.svc A 10.128.2.15',
      '4b825aca.s.a.svc A 172.30.14.7',
      '*.s.a.svc(service) A 172.30.14.7',
      's.a.endpoints A 10.128.2.15',
      '_endpoints.s.a.endpoints A 10.128.2.15',
      '*._endpoints.s.a.endpoints(any) A 10.128.2.15',
      '_web._tcp.s.a.endpoints A 10.128.2.15',
      '_tcp.s.a.endpoints A 10.128.2.15',
      '10-128-2-15.s.a.endpoints A 10.128.2.15',
      '3407445.s.a.endpoints A 10.128.2.15',
    ],
  )
})
