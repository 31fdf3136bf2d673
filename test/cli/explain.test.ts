// `peregrine explain`: the answer is the engine's, the reasons are the objects'; the two must never disagree.

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { resolve } from 'node:path'
import { before, suite, test } from 'node:test'
import { Explainer, type Report } from '../../src/cli/explain.ts'
import { formatReport, originText } from '../../src/cli/explain-text.ts'
import { configFromFlags } from '../../src/cli/flag-config.ts'
import { FlagError, Flags } from '../../src/cli/flags.ts'
import { reverseName } from '../../src/kube/address.ts'
import { loadManifests } from '../../src/kube/manifests.ts'
import type { ClusterObjects } from '../../src/kube/objects.ts'
import { importRecords, podRecords, serviceClaims, serviceRecords } from '../../src/kube/schema.ts'
import { editDistance, nearest } from '../../src/kube/suggestions.ts'
import { type Fixture, fixture } from '../kube/schema-fixture.ts'

const DUMP = resolve(import.meta.dirname, '../fixtures/cluster-dump.yaml')
const PEREGRINE = resolve(import.meta.dirname, '../../bin/peregrine')

const SMALL = fixture(`
namespaces: [default, shop, db, web]
services:
  default/kubernetes: {clusterIPs: [172.30.0.1], ports: [https:443/TCP]}
  shop/cart:    {clusterIPs: [172.30.4.10, "fd00:172:30::10"], ports: [web:80/TCP, "-:9/TCP"]}
  shop/shop:    {clusterIPs: [172.30.4.11], ports: [web:80/TCP]}
  shop/idle:    {clusterIPs: [172.30.4.12], ports: [web:80/TCP]}
  shop/pending: {pending: true}
  shop/partner: {type: ExternalName, externalName: api.partner.example, ports: [https:443/TCP]}
  shop/literal: {type: ExternalName, externalName: 192.0.2.77}
  db/pg:        {clusterIPs: None}
  db/empty:     {clusterIPs: None}
imports:
  shop/far:  {type: ClusterSetIP, ips: [172.31.0.10], ports: [web:80/TCP]}
  shop/wide: {type: Headless}
slices:
  shop/cart-x: {for: cart, ports: [web:8080/TCP], endpoints: [{a: [10.129.1.5], hostname: blue}, {a: [10.129.1.6], pod: cart-abcde}]}
  db/pg-4: {for: pg, ports: [sql:5432/TCP], endpoints: [{a: [10.129.0.11], hostname: pg-0, zone: eu-1a}, {a: [10.129.0.12]}]}
  db/pg-6: {for: pg, ports: [sql:5432/TCP, mon:9187/TCP], endpoints: [{a: ["fd00:10:129::11"], hostname: pg-0}]}
  db/orphan-x: {for: orphan, ports: [sql:5432/TCP], endpoints: [{a: [10.129.9.9]}]}
  shop/i1: {import: wide, cluster: east, ports: [sql:5432/TCP], endpoints: [{a: [10.40.0.1], hostname: pg-0}]}
pods:
  web/a: {ip: 10.131.0.8}
  web/b: {ip: "fd00:10:131::8"}
`)

function objectsOf({ namespaces, services, slices, pods, imports }: Fixture): ClusterObjects {
  const keyed = <T extends { namespace: string; name: string }>(list: T[]): Map<string, T> =>
    new Map(list.map((object) => [`${object.namespace}/${object.name}`, object]))
  return {
    namespaces: new Set(namespaces),
    services: keyed(services),
    slices: keyed(slices),
    pods: keyed(pods),
    imports: keyed(imports),
  }
}

function explainer(objects: ClusterObjects, ...flags: string[]): Explainer {
  return new Explainer(configFromFlags(Flags.parse(['--index-mb', '16', ...flags])), objects)
}

/** What was found, in short: RCODE, node, and origins or what is around. */
function told(report: Report): unknown[] {
  const { rcode, why, answer } = report
  const origins = answer.flatMap((record) => record.origins.map((origin) => `${record.type} ${originText(origin)}`))
  return [rcode, why.node, ...(why.node === 'missing' ? why.around : origins)]
}

/** QUESTION, then what is told about it. */
type Row = [question: string, ...told: string[]]

function checkRows(asked: Explainer, rows: Row[]): void {
  for (const [question, ...expected] of rows) {
    const [name, type = ''] = question.split(' ')
    assert.deepEqual(told(asked.explain(name, type)), expected, question)
  }
}

test('where records come from', () => {
  const ready = 'EndpointSlice db/pg-4, endpoints[].addresses'
  checkRows(explainer(objectsOf(SMALL)), [
    ['cart.shop.svc.cluster.local', 'NOERROR', 'exact', 'A Service shop/cart, spec.clusterIPs[0]'],
    ['cart.shop AAAA', 'NOERROR', 'exact', 'AAAA Service shop/cart, spec.clusterIPs[1]'],
    ['shop.shop', 'NOERROR', 'exact', 'A Service shop/shop, spec.clusterIPs[0]'],
    [
      ...(['_web._tcp.cart.shop SRV', 'NOERROR', 'exact'] as const),
      ...['SRV Service shop/cart, spec.ports[0]', 'SRV Service shop/cart, metadata.name'],
    ],
    [
      ...(['blue.cart.shop', 'NOERROR', 'exact'] as const),
      'A EndpointSlice shop/cart-x, endpoints[].addresses (10.129.1.5, hostname blue)',
    ],
    [
      ...(['pg-0.pg.db SRV', 'NOERROR', 'exact'] as const),
      ...['SRV EndpointSlice db/pg-4, ports[0]', `SRV ${ready} (10.129.0.11, hostname pg-0, zone eu-1a)`],
      ...[
        'SRV EndpointSlice db/pg-6, ports[0]',
        'SRV EndpointSlice db/pg-6, endpoints[].addresses (fd00:10:129::11, hostname pg-0)',
      ],
      ...[
        'SRV EndpointSlice db/pg-6, ports[1]',
        'SRV EndpointSlice db/pg-6, endpoints[].addresses (fd00:10:129::11, hostname pg-0)',
      ],
    ],
    ['partner.shop', 'NOERROR', 'exact', 'CNAME Service shop/partner, spec.externalName'],
    ['10-1-2-3.web.pod', 'NOERROR', 'address', 'A Namespace web, metadata.name'],
    ['172.30.4.10', 'NOERROR', 'exact', 'PTR Service shop/cart, spec.clusterIPs[0]'],
    ['fd00:172:30::10', 'NOERROR', 'exact', 'PTR Service shop/cart, spec.clusterIPs[1]'],
    ['10.129.0.12', 'NOERROR', 'exact', `PTR ${ready} (10.129.0.12)`],
    ['dns-version TXT', 'NOERROR', 'exact'],
    ['cluster.local SOA', 'NOERROR', 'apex'],
    ['_tcp.cart.shop', 'NOERROR', 'empty non-terminal'],
    ['30.172.in-addr.arpa', 'NOERROR', 'empty non-terminal'],
    ['shop.svc', 'NOERROR', 'exact'],
    ['www.example.com.', 'REFUSED', 'outside'],
  ])
})

test('where other records come from', () => {
  checkRows(explainer(objectsOf(SMALL), '--pods', 'verified', '--zonal', '--multicluster', 'set.local'), [
    ['10-131-0-8.web.pod', 'NOERROR', 'exact', 'A Pod web/a, status.podIPs[0]'],
    ['fd00-10-131-0-0-0-0-8.web.pod AAAA', 'NOERROR', 'exact', 'AAAA Pod web/b, status.podIPs[0]'],
    [
      ...(['eu-1a.pin._zone.pg.db', 'NOERROR', 'exact'] as const),
      'A EndpointSlice db/pg-4, endpoints[].addresses (10.129.0.11, hostname pg-0, zone eu-1a)',
    ],
    ['eu-9.pin._zone.pg.db', 'NOERROR', 'wildcard'],
    ['far.shop.svc.set.local', 'NOERROR', 'exact', 'A ServiceImport shop/far, spec.ips[0]'],
    [
      ...(['pg-0.east.wide.shop.svc.set.local', 'NOERROR', 'exact'] as const),
      'A EndpointSlice shop/i1, endpoints[].addresses (10.40.0.1, hostname pg-0)',
    ],
    [
      'pg-1.east.wide.shop.svc.set.local',
      'NXDOMAIN',
      'missing',
      'ServiceImport shop/wide exists',
      'its endpoints: pg-0.east; did you mean pg-0.east?',
    ],
  ])
})

test('what is around a missing name', () => {
  checkRows(explainer(objectsOf(SMALL)), [
    ['cartt.shop', 'NXDOMAIN', 'missing', 'namespace shop exists; no Service cartt; did you mean cart?'],
    [
      'cart.shpo',
      'NXDOMAIN',
      'missing',
      'no namespace shpo; did you mean shop?',
      'Service cart exists in namespace shop',
    ],
    ['cart.db', 'NXDOMAIN', 'missing', 'namespace db exists; no Service cart', 'Service cart exists in namespace shop'],
    [
      ...(['orphan.db', 'NXDOMAIN', 'missing', 'namespace db exists; no Service orphan'] as const),
      'EndpointSlice db/orphan-x: for a Service orphan that does not exist',
    ],
    [
      'pg-0.db',
      'NXDOMAIN',
      'missing',
      'namespace db exists; no Service pg-0',
      'an endpoint of that name: pg-0.pg.db.svc',
    ],
    ['pending.shop', 'NXDOMAIN', 'missing', 'Service shop/pending has no cluster IP yet'],
    [
      ...(['literal.shop', 'NXDOMAIN', 'missing'] as const),
      'Service shop/literal has the address 192.0.2.77 for an external name, which makes no record',
    ],
    [
      ...(['empty.db', 'NXDOMAIN', 'missing'] as const),
      'Service db/empty is headless and has no ready endpoint: 0 EndpointSlices with 0 ready addresses',
    ],
    [
      ...(['_wep._tcp.cart.shop SRV', 'NXDOMAIN', 'missing', 'Service shop/cart exists'] as const),
      'its ports: _web._tcp; did you mean _web._tcp?',
    ],
    ['web.tcp.cart.shop SRV', 'NXDOMAIN', 'missing', 'Service shop/cart exists', 'did you mean _web._tcp?'],
    [
      ...(['10-129-1-5.cart.shop', 'NXDOMAIN', 'missing', 'Service shop/cart exists'] as const),
      '10.129.1.5 is the endpoint blue, and has no other name',
    ],
    [
      ...(['blu.cart.shop', 'NXDOMAIN', 'missing', 'Service shop/cart exists'] as const),
      'its endpoints: blue, 10-129-1-6; did you mean blue?',
    ],
    ['x.idle.shop', 'NXDOMAIN', 'missing', 'Service shop/idle exists', 'it has no ready endpoint'],
    [
      ...(['x.partner.shop', 'NXDOMAIN', 'missing', 'Service shop/partner exists'] as const),
      'an ExternalName Service has no names below it',
    ],
    [
      ...(['cart.shop.cluster.local', 'NXDOMAIN', 'missing'] as const),
      'shop is a namespace: Services are below shop.svc; did you mean cart.shop.svc?',
      'short names are off (--okd-short-names)',
    ],
    [
      'cart.shop.scv.cluster.local',
      'NXDOMAIN',
      'missing',
      'a zone has svc, pod, dns-version below it; did you mean svc?',
    ],
    [
      'pg.db.endpoints',
      'NXDOMAIN',
      'missing',
      'the endpoints subtree is one of the names of OKD, which are off (--okd)',
    ],
    [
      ...(['a.web.pod', 'NXDOMAIN', 'missing'] as const),
      'namespace web exists; a spells no address, and Pods are named by theirs; Pod web/a is 10-131-0-8.web.pod',
    ],
    ['10.9.9.9', 'NXDOMAIN', 'missing', 'no cluster IP and no ready endpoint is 10.9.9.9'],
    ['10.131.0.8', 'NXDOMAIN', 'missing', '10.131.0.8 is in Pod web/a, status.podIPs[0]: a Pod alone has no PTR'],
    [
      ...(['10.129.9.9', 'NXDOMAIN', 'missing'] as const),
      '10.129.9.9 is in EndpointSlice db/orphan-x, endpoints[].addresses: its Service does not exist',
    ],
  ])
})

test('what options have to do with a missing name', () => {
  const objects = objectsOf(SMALL)
  const cases: [flags: string[], question: string, around: string][] = [
    [['--pods', 'disabled'], '10-1-2-3.web.pod', 'Pods have no names (--pods disabled)'],
    [
      ['--pods', 'verified'],
      '10-1-2-3.web.pod',
      'namespace web exists; none of its Pods has 10.1.2.3 (--pods verified)',
    ],
    [
      ['--pods', 'verified'],
      '10-131-0-8.shop.pod',
      'namespace shop exists; none of its Pods has 10.131.0.8 (--pods verified); web/a has it',
    ],
    [
      ['--namespaces', 'db'],
      'cart.shop',
      'namespace shop exists, but is not one of those that are served (--namespaces)',
    ],
    [
      ['--noendpoints'],
      'pg.db',
      'Service db/pg is headless and has no ready endpoint: endpoints are not looked at (--noendpoints)',
    ],
    [
      ['--ignore', 'empty_service'],
      'idle.shop',
      'Service shop/idle has no ready endpoint, and those have no names (--ignore empty_service): 0 EndpointSlices with 0 ready addresses',
    ],
    [[], 'pg.db.endpoints.cluster.local', 'the endpoints subtree is one of the names of OKD, which are off (--okd)'],
    [[], '_endpoints.pg.db', '_endpoints is one of the names of OKD, which are off (--okd)'],
  ]
  for (const [flags, question, around] of cases) {
    const report = explainer(objects, ...flags).explain(question, '')
    assert.equal(report.rcode, 'NXDOMAIN', question)
    assert.equal(report.why.around.at(-1), around, question)
  }
})

test('OKD names', () => {
  const asked = explainer(objectsOf(SMALL), '--okd', '--okd-short-names', 'on', '--okd-openshift-alias', 'on')
  const rules: [question: string, node: string, rule: string][] = [
    ['x.y.cart.shop', 'wildcard', 'OKD wildcard: any name below a ClusterIP Service is that Service'],
    ['_endpoints.cart.shop', 'exact', 'OKD _endpoints: the ready endpoints, whatever the Service is'],
    ['x._endpoints.cart.shop', 'wildcard', 'OKD _endpoints: the ready endpoints, whatever the Service is'],
    ['_tcp.cart.shop', 'exact', 'OKD: all named ports of protocol _tcp'],
    ['cart.shop.endpoints.cluster.local', 'exact', 'OKD endpoints subtree; headless Service: its ready endpoints'],
    ['cart.shop.cluster.local', 'exact', 'OKD short name; ClusterIP Service: its cluster IPs'],
    ['openshift.default', 'exact', 'OKD alias of kubernetes.default.svc'],
    ['local.dns', 'exact', 'OKD alias of kubernetes.default.svc'],
  ]
  for (const [question, node, rule] of rules) {
    const { why, answer, rcode } = asked.explain(question, '')
    assert.deepEqual([rcode, why.node, why.rule], ['NOERROR', node, rule], question)
    assert.ok(answer.length > 0 && answer.every(({ origins }) => origins.length > 0), question)
  }
})

test('short names and addresses are completed', () => {
  const asked = explainer(objectsOf(SMALL))
  const cases: [given: string, name: string, completed: string][] = [
    ['cart.shop', 'cart.shop.svc.cluster.local.', 'NAME.svc.ZONE'],
    ['cart.shop.svc', 'cart.shop.svc.cluster.local.', 'NAME.ZONE'],
    ['Cart.shop.svc.Cluster.local', 'Cart.shop.svc.Cluster.local.', ''],
    ['cart.shop.', 'cart.shop.', ''],
    ['nothing', 'nothing.svc.cluster.local.', 'NAME.svc.ZONE'],
    ['172.30.4.10', '10.4.30.172.in-addr.arpa.', 'the reverse name of 172.30.4.10'],
  ]
  for (const [given, name, completed] of cases) {
    const report = asked.explain(given, '')
    assert.deepEqual([report.question.name, report.completed], [name, completed], given)
  }
  assert.equal(asked.explain('172.30.4.10', '').question.type, 'PTR')
  assert.throws(() => asked.explain('cart.shop', 'NOPE'), FlagError)
  assert.throws(() => asked.explain('a..b', ''), FlagError)
})

test('types of a name without the type asked for', () => {
  const text = formatReport(explainer(objectsOf(SMALL)).explain('cart.shop', 'MX'))
  assert.match(text, /^; types {4}no MX; the name has A, AAAA, SRV$/m)
})

suite('engine and objects agree', () => {
  const flagSets = [
    [],
    ['--okd', '--okd-short-names', 'on', '--okd-openshift-alias', 'on'],
    ['--pods', 'verified', '--zonal', '--endpoint_pod_names'],
    ['--noendpoints', '--pods', 'disabled'],
    ['--zone', 'a.example,cluster.local', '--multicluster', 'set.local'],
  ]
  let dump: ClusterObjects
  before(async () => {
    dump = (await loadManifests([DUMP])).objects
  })
  for (const flags of flagSets) {
    test(flags.join(' ') || 'no flags', () => {
      for (const objects of [objectsOf(SMALL), dump]) agree(objects, flags)
    })
  }
})

/** Asks for every name there is, and names next to each. */
function agree(objects: ClusterObjects, flags: string[]): void {
  const config = configFromFlags(Flags.parse(['--index-mb', '64', ...flags]))
  const asked = new Explainer(config, objects)
  const seen = { NOERROR: 0, NXDOMAIN: 0, records: 0 }
  for (const name of namesNear(objects, config.cluster)) {
    for (const type of ['A', 'SRV', 'PTR']) {
      const { rcode, why, answer, additional } = asked.explain(`${name}.`, type)
      assert.equal(why.node === 'missing', rcode === 'NXDOMAIN', `${name} ${type}: ${rcode}, ${JSON.stringify(why)}`)
      seen[rcode as 'NOERROR' | 'NXDOMAIN']++
      for (const record of [...answer, ...additional]) {
        if (record.type === 'TXT') continue
        seen.records++
        assert.ok(record.origins.length > 0, `${name} ${type}: ${record.owner} ${record.type} ${record.data}`)
      }
    }
  }
  for (const [outcome, count] of Object.entries(seen)) assert.ok(count > 20, `${outcome}: ${count}`)
}

function namesNear(objects: ClusterObjects, config: ReturnType<typeof configFromFlags>['cluster']): Set<string> {
  const { schema, zones, multiclusterZones } = config
  const names = new Set<string>()
  const services = [...objects.services.values()]
  const slices = [...objects.slices.values()]
  for (const zone of zones) {
    const owners = multiclusterZones.includes(zone)
      ? [...objects.imports.values()].flatMap((i) =>
          importRecords(
            i,
            slices.filter((s) => s.importName === i.name),
            schema,
          ),
        )
      : services.flatMap((service) => serviceRecords(service, slicesOf(objects, service), schema))
    owners.push(...[...objects.pods.values()].flatMap((pod) => podRecords(pod, schema)))
    for (const { owner } of owners) {
      for (let i = 0; i < owner.length; i++) names.add([...owner.slice(i), zone].join('.'))
      for (const label of ['x', '_x', '10-1-2-3']) {
        names.add([label, ...owner, zone].join('.'))
        names.add([label, ...owner.slice(1), zone].join('.'))
      }
    }
  }
  for (const claim of services.flatMap((service) => serviceClaims(service, slicesOf(objects, service), schema))) {
    const labels = reverseName(claim.address)
    names
      .add(labels.join('.'))
      .add(labels.slice(1).join('.'))
      .add(['77', ...labels.slice(1)].join('.'))
  }
  // A thousand names say as much as all of the 237 endpoints'.
  return new Set([...names].filter((_, i) => names.size < 1000 || i % Math.ceil(names.size / 1000) === 0))
}

function slicesOf(objects: ClusterObjects, service: { namespace: string; name: string }) {
  return [...objects.slices.values()].filter((s) => s.namespace === service.namespace && s.serviceName === service.name)
}

test('did you mean', () => {
  const distances: [string, string, number][] = [
    ['cart', 'cart', 0],
    ['cart', 'carts', 1],
    ['cart', 'crat', 1], // neighbours swapped
    ['', 'abc', 3],
    ['kitten', 'sitting', 3],
  ]
  for (const [a, b, distance] of distances) {
    assert.equal(editDistance(a, b), distance, `${a} ${b}`)
    assert.equal(editDistance(b, a), distance, `${b} ${a}`)
  }
  assert.deepEqual(nearest('cart', ['cart', 'card', 'carts', 'chart', 'tarts', 'cartoon', 'orders']), [
    'card',
    'carts',
    'chart',
  ])
  assert.deepEqual(nearest('pos', ['postgres', 'redis']), ['postgres'])
  assert.deepEqual(nearest('zzz', ['postgres', 'redis']), [])
})

test('the command', () => {
  const run = (...args: string[]) =>
    spawnSync(PEREGRINE, ['explain', ...args, '--manifests', DUMP], { encoding: 'utf8' })
  const text = run('cartt.storefront')
  assert.equal(text.status, 0, text.stderr)
  assert.match(text.stdout, /status: NXDOMAIN/)
  assert.match(text.stdout, /namespace storefront exists; no Service cartt; did you mean cart\?/)
  const json = JSON.parse(run('_kafka._tcp.kafka.data', 'srv', '--json').stdout) as Report
  assert.equal(json.rcode, 'NOERROR')
  assert.equal(json.answer.length, 5)
  assert.deepEqual(
    json.answer[0].origins.map(({ object, field }) => `${object} ${field}`),
    ['data/kafka-h0aaa ports[0]', 'data/kafka-h0aaa endpoints[].addresses'],
  )
  assert.equal(run().status, 2)
  assert.equal(run('cart.storefront', 'NOPE').status, 2)
})
