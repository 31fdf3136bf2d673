// Options of the feed, end to end: what is asked of the API server, and what a name says before and after the cluster changes
// (cluster-dns.md §3.1).

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { ApiServerOptions, SeenRequest } from '../apiserver/server.ts'
import {
  type Answers,
  assertAnswers,
  becomes,
  LiveCluster,
  type LiveObject,
  namespace,
  pod,
  SHOP,
  service,
  slice,
} from './live-cluster.ts'
import type { ServerProcess } from './server-process.ts'

interface Stage {
  readonly what: string
  /** Objects that are put; of those that go, the resource and the key. */
  readonly put?: readonly LiveObject[]
  readonly remove?: readonly (readonly [resource: LiveObject[0], key: string])[]
  /** What is answered soon after. */
  readonly soon: Answers
}

interface Case {
  readonly flags: readonly string[]
  readonly objects: readonly LiveObject[]
  readonly api?: ApiServerOptions
  readonly start: Answers
  readonly stages?: readonly Stage[]
  /** Looks at what the API server saw. */
  readonly seen?: (requests: readonly SeenRequest[], server: ServerProcess) => void
}

const A = { app: 'web' }
const TEAM = { team: 'a' }

const cases: Record<string, Case> = {
  'namespaces: only these, and only while they exist': {
    flags: ['--namespaces', 'shop', '--namespaces', 'lab'],
    objects: [...SHOP, namespace('db'), service('db/pg', ['10.96.5.1']), service('lab/x', ['10.96.5.2'])],
    start: {
      'cart.shop~': 'A 10.96.0.10',
      'pg.db~': 'NXDOMAIN',
      'db~': 'NXDOMAIN',
      '10.96.5.1! PTR': 'NXDOMAIN',
      'lab~': 'NXDOMAIN',
      'x.lab~': 'NXDOMAIN',
      '10.96.5.2! PTR': 'NXDOMAIN',
    },
    stages: [
      {
        what: 'a listed one comes',
        put: [namespace('lab')],
        soon: { 'x.lab~': 'A 10.96.5.2', 'lab~': 'NODATA', '10.96.5.2! PTR': 'PTR x.lab~', 'pg.db~': 'NXDOMAIN' },
      },
      {
        what: 'it goes, what is in it is still there',
        remove: [['namespaces', 'lab']],
        soon: { 'x.lab~': 'NXDOMAIN', 'lab~': 'NXDOMAIN', '10.96.5.2! PTR': 'NXDOMAIN', 'cart.shop~': 'A 10.96.0.10' },
      },
      {
        what: 'another comes',
        put: [namespace('new'), service('new/y', ['10.96.5.3'])],
        soon: { 'y.new~': 'NXDOMAIN' },
      },
    ],
    // Watches are cluster-wide all the same.
    seen: (requests) => assert.ok(requests.every(({ path }) => !/\/namespaces\/\w/.test(path))),
  },

  'namespace_labels: a namespace gains and loses the label': {
    flags: ['--namespace_labels', 'team in (a, b),!hidden'],
    objects: [...SHOP.slice(1), namespace('shop', TEAM), namespace('db'), service('db/pg', ['10.96.5.1'])],
    start: {
      'cart.shop~': 'A 10.96.0.10',
      'shop~': 'NODATA',
      'pg.db~': 'NXDOMAIN',
      'db~': 'NXDOMAIN',
      '10.96.5.1! PTR': 'NXDOMAIN',
    },
    stages: [
      {
        what: 'one gains it',
        put: [namespace('db', { team: 'b' })],
        soon: { 'pg.db~': 'A 10.96.5.1', 'db~': 'NODATA', '10.96.5.1! PTR': 'PTR pg.db~' },
      },
      {
        what: 'one loses it',
        put: [namespace('shop', { team: 'c' })],
        soon: { 'cart.shop~': 'NXDOMAIN', 'shop~': 'NXDOMAIN', '10.1.0.11! PTR': 'NXDOMAIN', 'pg.db~': 'A 10.96.5.1' },
      },
      {
        what: 'a label that excludes',
        put: [namespace('db', { team: 'b', hidden: '' })],
        soon: { 'pg.db~': 'NXDOMAIN' },
      },
      {
        what: 'both again',
        put: [namespace('db', TEAM), namespace('shop', TEAM)],
        soon: { 'pg.db~': 'A 10.96.5.1', 'cart.shop~': 'A 10.96.0.10' },
      },
    ],
    seen: (requests) => {
      for (const { resource, path } of requests) {
        const selector = new URL(path, 'http://x').searchParams.get('labelSelector')
        assert.equal(selector, resource === 'namespaces' ? '!hidden,team in (a,b)' : null, path)
      }
    },
  },

  'labels: Services, slices and Pods gain and lose them': {
    flags: ['--labels', 'app=web', '--pods', 'verified'],
    objects: [
      namespace('shop'),
      service('shop/cart', ['10.96.0.10'], A),
      service('shop/pg', [], A),
      slice('shop/pg-1', 'pg', ['10.1.0.11'], { labels: A }),
      slice('shop/pg-2', 'pg', ['10.1.0.12']),
      service('shop/other', ['10.96.0.11']),
      pod('shop/a', ['10.3.0.1'], {}, A),
      pod('shop/b', ['10.3.0.2']),
    ],
    start: {
      'cart.shop~': 'A 10.96.0.10',
      'pg.shop~': 'A 10.1.0.11',
      '10.1.0.12! PTR': 'NXDOMAIN',
      'other.shop~': 'NXDOMAIN',
      'shop~': 'NODATA',
      '10-3-0-1.shop^': 'A 10.3.0.1',
      '10-3-0-2.shop^': 'NXDOMAIN',
    },
    stages: [
      {
        what: 'gained',
        put: [
          service('shop/other', ['10.96.0.11'], A),
          slice('shop/pg-2', 'pg', ['10.1.0.12'], { labels: A }),
          pod('shop/b', ['10.3.0.2'], {}, A),
        ],
        soon: { 'other.shop~': 'A 10.96.0.11', 'pg.shop~': 'A 10.1.0.11 A 10.1.0.12', '10-3-0-2.shop^': 'A 10.3.0.2' },
      },
      {
        what: 'lost',
        put: [
          service('shop/cart', ['10.96.0.10'], { app: 'other' }),
          slice('shop/pg-1', 'pg', ['10.1.0.11']),
          pod('shop/a', ['10.3.0.1']),
        ],
        soon: {
          'cart.shop~': 'NXDOMAIN',
          '10.96.0.10! PTR': 'NXDOMAIN',
          'pg.shop~': 'A 10.1.0.12',
          '10-3-0-1.shop^': 'NXDOMAIN',
        },
      },
    ],
    seen: (requests) => {
      for (const { resource, path } of requests) {
        const selector = new URL(path, 'http://x').searchParams.get('labelSelector')
        assert.equal(selector, resource === 'namespaces' ? null : 'app=web', path)
      }
    },
  },

  'pods disabled: none are asked for': {
    flags: ['--pods', 'disabled'],
    objects: [...SHOP, pod('shop/a', ['10.3.0.1'])],
    start: { '10-3-0-1.shop^': 'NXDOMAIN', 'shop^': 'NXDOMAIN', 'pod.cluster.local': 'NODATA' },
    seen: neverAsked('pods'),
  },

  'pods insecure: none are asked for': {
    flags: ['--pods', 'insecure'],
    objects: [...SHOP],
    start: { '10-9-9-9.shop^': 'A 10.9.9.9', 'shop^': 'NODATA', '10-9-9-9.gone^': 'NXDOMAIN' },
    stages: [{ what: 'a namespace comes', put: [namespace('gone')], soon: { '10-9-9-9.gone^': 'A 10.9.9.9' } }],
    seen: neverAsked('pods'),
  },

  'pods verified: they come, end, and go': {
    flags: ['--pods', 'verified'],
    objects: [
      ...SHOP,
      pod('shop/a', ['10.3.0.1', 'fd00:3::1']),
      pod('shop/waiting', []),
      pod('shop/host-1', ['192.168.1.1']),
      pod('shop/host-2', ['192.168.1.1']),
      pod('gone/a', ['10.3.0.9']),
      pod('shop/ending', ['10.3.0.8'], { deletionTimestamp: '2026-11-22T10:00:00Z' }),
    ],
    start: {
      '10-3-0-1.shop^': 'A 10.3.0.1',
      '10-3-0-1.shop^ AAAA': 'NODATA',
      'fd00-3--1.shop^ AAAA': 'AAAA fd00:3::1',
      'fd00-3-0-0-0-0-0-1.shop^ AAAA': 'AAAA fd00:3::1',
      '192-168-1-1.shop^': 'A 192.168.1.1',
      '10-3-0-2.shop^': 'NXDOMAIN',
      '10-3-0-9.gone^': 'NXDOMAIN',
      // It was ending before we knew it.
      '10-3-0-8.shop^': 'NXDOMAIN',
    },
    stages: [
      {
        what: 'an address is given',
        put: [pod('shop/waiting', ['10.3.0.2'])],
        soon: { '10-3-0-2.shop^': 'A 10.3.0.2' },
      },
      {
        what: 'an end has begun: the name stays, even if the address is taken',
        put: [
          pod('shop/a', ['10.3.0.1', 'fd00:3::1'], { deletionTimestamp: '2026-11-22T10:00:00Z' }),
          pod('shop/waiting', [], { deletionTimestamp: '2026-11-22T10:00:00Z' }),
          pod('shop/mark', ['10.3.0.3']),
        ],
        soon: { '10-3-0-3.shop^': 'A 10.3.0.3', '10-3-0-1.shop^': 'A 10.3.0.1', '10-3-0-2.shop^': 'A 10.3.0.2' },
      },
      {
        what: 'they are gone',
        remove: [
          ['pods', 'shop/a'],
          ['pods', 'shop/waiting'],
        ],
        soon: { '10-3-0-1.shop^': 'NXDOMAIN', 'fd00-3--1.shop^ AAAA': 'NXDOMAIN', '10-3-0-2.shop^': 'NXDOMAIN' },
      },
      {
        what: 'one of two at one address goes, then the other',
        remove: [['pods', 'shop/host-1']],
        put: [pod('shop/mark', ['10.3.0.4'])],
        soon: { '10-3-0-4.shop^': 'A 10.3.0.4', '192-168-1-1.shop^': 'A 192.168.1.1', '10-3-0-3.shop^': 'NXDOMAIN' },
      },
      { what: 'the other', remove: [['pods', 'shop/host-2']], soon: { '192-168-1-1.shop^': 'NXDOMAIN' } },
      {
        what: 'one has run to its end',
        put: [['pods', { ...pod('shop/mark', ['10.3.0.4'])[1], status: { phase: 'Succeeded', podIP: '10.3.0.4' } }]],
        soon: { '10-3-0-4.shop^': 'NXDOMAIN' },
      },
      { what: 'a namespace comes after its Pods', put: [namespace('gone')], soon: { '10-3-0-9.gone^': 'A 10.3.0.9' } },
    ],
    seen: (requests) => {
      const pods = requests.filter(({ resource }) => resource === 'pods')
      assert.ok(pods.length > 0)
      for (const { path } of pods) {
        const selector = new URL(path, 'http://x').searchParams.get('fieldSelector')
        assert.equal(selector, 'status.phase!=Succeeded,status.phase!=Failed,status.phase!=Unknown')
      }
    },
  },

  'endpoint_pod_names: names of Pods, as far as they are labels': {
    flags: ['--endpoint_pod_names'],
    objects: [
      namespace('shop'),
      service('shop/pg', []),
      slice('shop/pg-1', 'pg', ['10.1.0.1', '10.1.0.2 named', '10.1.0.3', '10.1.0.4', '10.1.0.5'], {
        pods: ['pg-x1', 'pg-x2', 'a.dotted.name', 'p'.repeat(63), 'p'.repeat(64)],
      }),
    ],
    start: {
      'pg-x1.pg.shop~': 'A 10.1.0.1',
      '10-1-0-1.pg.shop~': 'NXDOMAIN',
      'named.pg.shop~': 'A 10.1.0.2',
      'pg-x2.pg.shop~': 'NXDOMAIN',
      '10-1-0-3.pg.shop~': 'A 10.1.0.3',
      [`${'p'.repeat(63)}.pg.shop~`]: 'A 10.1.0.4',
      '10-1-0-5.pg.shop~': 'A 10.1.0.5',
      '10.1.0.1! PTR': 'PTR pg-x1.pg.shop~',
    },
    stages: [
      {
        what: 'another Pod has the address',
        put: [slice('shop/pg-1', 'pg', ['10.1.0.1'], { pods: ['pg-z'] })],
        soon: { 'pg-z.pg.shop~': 'A 10.1.0.1', 'pg-x1.pg.shop~': 'NXDOMAIN', '10.1.0.1! PTR': 'PTR pg-z.pg.shop~' },
      },
    ],
  },

  'without endpoint_pod_names the Pod does not matter': {
    flags: [],
    objects: [namespace('shop'), service('shop/pg', []), slice('shop/pg-1', 'pg', ['10.1.0.1'], { pods: ['pg-x1'] })],
    start: { '10-1-0-1.pg.shop~': 'A 10.1.0.1', 'pg-x1.pg.shop~': 'NXDOMAIN' },
  },

  'ignore empty_service: the last endpoint goes and comes': {
    flags: ['--ignore', 'empty_service'],
    objects: [...SHOP, service('shop/idle', ['10.96.0.60']), slice('shop/idle-1', 'idle', ['10.1.0.60 -'])],
    start: {
      'cart.shop~': 'A 10.96.0.10',
      'idle.shop~': 'NXDOMAIN',
      '_http._tcp.idle.shop~ SRV': 'NXDOMAIN',
      '10.96.0.60! PTR': 'PTR idle.shop~',
    },
    stages: [
      {
        what: 'one is ready, another not any more',
        put: [slice('shop/idle-1', 'idle', ['10.1.0.60']), slice('shop/cart-1', 'cart', ['10.1.0.1 -'])],
        soon: { 'idle.shop~': 'A 10.96.0.60', 'cart.shop~': 'NXDOMAIN', '10.96.0.10! PTR': 'PTR cart.shop~' },
      },
      {
        what: 'a slice goes, another comes',
        remove: [['endpointslices', 'shop/idle-1']],
        put: [slice('shop/cart-2', 'cart', ['10.1.0.2'])],
        soon: { 'idle.shop~': 'NXDOMAIN', 'cart.shop~': 'A 10.96.0.10', '10-1-0-2.cart.shop~': 'A 10.1.0.2' },
      },
      {
        what: 'headless Services are what they are without it',
        remove: [['endpointslices', 'shop/pg-1']],
        soon: { 'pg.shop~': 'NXDOMAIN', 'pg-0.pg.shop~': 'NXDOMAIN' },
      },
    ],
  },

  'without ignore a Service without endpoints is answered': {
    flags: [],
    objects: [...SHOP, service('shop/idle', ['10.96.0.60'])],
    start: { 'idle.shop~': 'A 10.96.0.60' },
    stages: [
      {
        what: 'the last goes',
        remove: [['endpointslices', 'shop/cart-1']],
        soon: { '10-1-0-1.cart.shop~': 'NXDOMAIN', 'cart.shop~': 'A 10.96.0.10' },
      },
    ],
  },

  'noendpoints: slices are not asked for': {
    flags: ['--noendpoints'],
    objects: [...SHOP],
    start: {
      'cart.shop~': 'A 10.96.0.10',
      'pg.shop~': 'NXDOMAIN',
      'pg-0.pg.shop~': 'NXDOMAIN',
      '10-1-0-1.cart.shop~': 'NXDOMAIN',
      '10.1.0.11! PTR': 'NXDOMAIN',
    },
    stages: [
      { what: 'a Service comes', put: [service('shop/new', ['10.96.0.61'])], soon: { 'new.shop~': 'A 10.96.0.61' } },
    ],
    seen: neverAsked('endpointslices'),
  },

  'zonal: zones of endpoints change': {
    flags: ['--zonal'],
    objects: [namespace('shop'), service('shop/pg', []), zoned(['10.1.0.1 eu-1', '10.1.0.2 eu-2'])],
    start: {
      'eu-1.pin._zone.pg.shop~': 'A 10.1.0.1',
      'eu-3.pin._zone.pg.shop~': 'NODATA',
      'eu-3.prefer._zone.pg.shop~': 'A 10.1.0.1 A 10.1.0.2',
    },
    stages: [
      {
        what: 'one moves',
        put: [zoned(['10.1.0.1 eu-3', '10.1.0.2 eu-2'])],
        soon: {
          'eu-1.pin._zone.pg.shop~': 'NODATA',
          'eu-3.pin._zone.pg.shop~': 'A 10.1.0.1',
          'eu-3.prefer._zone.pg.shop~': 'A 10.1.0.1',
        },
      },
    ],
  },

  'multicluster: ServiceImports come and go': {
    flags: ['--multicluster', 'clusterset.local'],
    api: { multicluster: true },
    objects: [...SHOP, imported('shop/cart', ['10.97.0.1'])],
    start: {
      'cart.shop.svc.clusterset.local': 'A 10.97.0.1',
      'cart.shop~': 'A 10.96.0.10',
      'pg.shop.svc.clusterset.local': 'NXDOMAIN',
    },
    stages: [
      {
        what: 'a headless one',
        put: [imported('shop/pg', []), ofCluster('shop/pg-east', 'pg', 'east', ['10.40.0.1 pg-0'])],
        soon: {
          'pg.shop.svc.clusterset.local': 'A 10.40.0.1',
          'pg-0.east.pg.shop.svc.clusterset.local': 'A 10.40.0.1',
        },
      },
      {
        what: 'one goes',
        remove: [['serviceimports', 'shop/cart']],
        soon: { 'cart.shop.svc.clusterset.local': 'NXDOMAIN', 'cart.shop~': 'A 10.96.0.10' },
      },
    ],
  },

  'page-size, without streaming lists': {
    flags: ['--page-size', '7', '--streaming-lists', 'off'],
    api: { streamingLists: 'on' },
    objects: [...SHOP, ...Array.from({ length: 20 }, (_, i) => service(`shop/s-${i}`, [`10.96.8.${i}`]))],
    start: { 's-19.shop~': 'A 10.96.8.19' },
    seen: (requests) => {
      const lists = requests.filter(({ verb, resource }) => verb === 'list' && resource === 'services')
      assert.equal(lists.length, 4, '22 Services by 7')
      for (const { path } of lists) assert.match(path, /[?&]limit=7(&|$)/)
      assert.ok(requests.every(({ path }) => !path.includes('sendInitialEvents')))
    },
  },

  'streaming lists, where the server has them': {
    flags: ['--streaming-lists', 'on'],
    api: { streamingLists: 'on' },
    objects: [...SHOP],
    start: { 'cart.shop~': 'A 10.96.0.10' },
    seen: (requests) => {
      assert.deepEqual([...new Set(requests.map(({ verb }) => verb))], ['watch'])
      assert.equal(requests.filter(({ path }) => path.includes('sendInitialEvents=true')).length, 3)
    },
  },

  'streaming lists are asked for in vain': {
    flags: ['--page-size', '2'],
    api: { streamingLists: 'off' },
    objects: [...SHOP, namespace('a'), namespace('b')],
    start: { 'cart.shop~': 'A 10.96.0.10', 'b~': 'NODATA' },
    seen: (requests, server) => {
      assert.equal(requests.filter(({ path }) => path.includes('sendInitialEvents=true')).length, 3)
      assert.match(server.output, /services will be listed page by page: the API server has no streaming lists/)
      assert.equal(requests.filter(({ verb, resource }) => verb === 'list' && resource === 'namespaces').length, 2)
    },
  },
}

function neverAsked(resource: string): (requests: readonly SeenRequest[]) => void {
  return (requests) => {
    assert.ok(requests.length > 0)
    assert.deepEqual(
      requests.filter((each) => each.resource === resource || each.path.includes(resource)),
      [],
    )
  }
}

function zoned(endpoints: readonly string[]): LiveObject {
  const [resource, object] = slice('shop/pg-1', 'pg', [])
  const all = endpoints.map((text) => ({ addresses: [text.split(' ')[0]], conditions: {}, zone: text.split(' ')[1] }))
  return [resource, { ...object, endpoints: all }]
}

function imported(key: string, ips: readonly string[]): LiveObject {
  const [, { metadata }] = service(key, ips)
  const type = ips.length === 0 ? 'Headless' : 'ClusterSetIP'
  return ['serviceimports', { metadata, spec: { type, ips, ports: [{ name: 'http', port: 80, protocol: 'TCP' }] } }]
}

function ofCluster(key: string, name: string, cluster: string, endpoints: readonly string[]): LiveObject {
  const [resource, object] = slice(key, '', endpoints)
  const labels = {
    'multicluster.kubernetes.io/service-name': name,
    'multicluster.kubernetes.io/source-cluster': cluster,
  }
  return [resource, { ...object, metadata: { ...object.metadata, labels } }]
}

describe('names', () => {
  for (const [title, { flags, objects, api = {}, start, stages = [], seen }] of Object.entries(cases)) {
    test(title, async (t) => {
      const cluster = await LiveCluster.start(api)
      t.after(() => cluster.close())
      cluster.put(...objects)
      const server = await cluster.serve(flags)
      await assertAnswers(server, start)
      for (const { what, put = [], remove = [], soon } of stages) {
        for (const [resource, key] of remove) cluster.api.store.remove(resource, key)
        cluster.put(...put)
        await becomes(server, soon, what)
      }
      seen?.(cluster.api.seen, server)
      await server.stop()
    })
  }
})
