// What becomes of an API object: its packed form, KEEP, or nothing; and what the server is asked to leave out.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DamageLog } from '../../../src/kube/watch/damage-log.ts'
import type { Resource } from '../../../src/kube/watch/messages.ts'
import { Packer } from '../../../src/kube/watch/packer.ts'
import { RESOURCES, type Selection } from '../../../src/kube/watch/resources.ts'
import { recordedBody } from './scripted-api.ts'

const PLAIN: Selection = { labelSelector: '', namespaceSelector: '', podNames: false, zones: false }
const ALL: Selection = { ...PLAIN, podNames: true, zones: true }
const CREATED = '2026-11-22T08:36:13Z'
const CREATED_36 = (Date.parse(CREATED) / 1000).toString(36)

type Object = Record<string, unknown>

const metadata = (extra: Object = {}): Object => ({
  metadata: { namespace: 'shop', name: 'web', uid: '1', creationTimestamp: CREATED, ...extra },
})
const service = (spec: Object, extra: Object = {}): Object => ({ ...metadata(), spec, ...extra })
const slice = (extra: Object, labels: Object = { 'kubernetes.io/service-name': 'web' }): Object => ({
  ...metadata({ labels }),
  addressType: 'IPv4',
  ports: [{ name: 'http', port: 8080 }],
  ...extra,
})
const pod = (status: Object, extra: Object = {}): Object => ({ ...metadata(extra), spec: {}, status })
const endpoint = { addresses: ['10.1.0.1'], targetRef: { kind: 'Pod', name: 'web-0' }, zone: 'eu-1a' }
const odd = { addresses: ['10.1.0.1'], hostname: 'h', targetRef: { name: 'a/b,c\nd' }, zone: 'x/y' }

interface Case {
  readonly why: string
  readonly resource: Resource
  readonly object: unknown
  /** null: there is no item. */
  readonly packed: string | null
  readonly selection?: Selection
  readonly damaged?: RegExp
}

const cases: Case[] = [
  { why: 'a namespace', resource: 'namespaces', object: { metadata: { name: 'web' } }, packed: '+' },
  {
    why: 'a namespace that is ending still exists',
    resource: 'namespaces',
    object: { ...metadata({ deletionTimestamp: CREATED }), status: { phase: 'Terminating' } },
    packed: '+',
  },
  {
    why: 'cluster IPs and ports',
    resource: 'services',
    object: service({
      type: 'LoadBalancer',
      clusterIP: '10.0.0.7',
      clusterIPs: ['10.0.0.7', 'fd00::7'],
      ports: [
        { name: 'http', protocol: 'TCP', port: 80 },
        { name: '', protocol: 'UDP', port: 53 },
      ],
      externalIPs: ['192.0.2.1'],
    }),
    packed: `C\n10.0.0.7,fd00::7\n\n80/T/http,53/U\n192.0.2.1\n${CREATED_36}`,
  },
  { why: 'headless', resource: 'services', object: service({ clusterIP: 'None' }), packed: `H\n\n\n\n\n${CREATED_36}` },
  {
    why: 'an alias',
    resource: 'services',
    object: service({ type: 'ExternalName', externalName: 'db.example.' }),
    packed: `E\n\ndb.example\n\n\n${CREATED_36}`,
  },
  {
    why: 'no address yet',
    resource: 'services',
    object: service({ clusterIP: '' }),
    packed: `P\n\n\n\n\n${CREATED_36}`,
  },
  {
    why: 'an address that is none',
    resource: 'services',
    object: service({ clusterIP: '10.0.0' }),
    packed: '=',
    damaged: /^services shop\/web: spec\.clusterIP must be an IP address.*; left as it was known$/,
  },
  {
    why: 'an object that is none',
    resource: 'services',
    object: ['web'],
    packed: null,
    damaged: /^services \(no name\): object must be a mapping; left out$/,
  },
  {
    why: 'a name that is none',
    resource: 'services',
    object: { metadata: { namespace: 'shop', name: 'a\nb' } },
    packed: null,
    damaged: /^services shop\/a\?b: metadata\.name .*; left out$/,
  },
  {
    why: 'a slice; names of Pods and zones only if they are wanted',
    resource: 'endpointslices',
    object: slice({ endpoints: [endpoint] }),
    packed: `web\n\n\n8080/T/http\n${CREATED_36}\n10.1.0.1`,
  },
  {
    why: 'with names of Pods and zones',
    resource: 'endpointslices',
    object: slice({ endpoints: [endpoint] }),
    selection: ALL,
    packed: `web\n\n\n8080/T/http\n${CREATED_36}\n10.1.0.1//web-0/eu-1a`,
  },
  {
    why: 'with names of Pods',
    resource: 'endpointslices',
    object: slice({ endpoints: [endpoint] }),
    selection: { ...PLAIN, podNames: true },
    packed: `web\n\n\n8080/T/http\n${CREATED_36}\n10.1.0.1//web-0/`,
  },
  {
    why: 'with zones',
    resource: 'endpointslices',
    object: slice({ endpoints: [endpoint] }),
    selection: { ...PLAIN, zones: true },
    packed: `web\n\n\n8080/T/http\n${CREATED_36}\n10.1.0.1///eu-1a`,
  },
  {
    why: 'names that cannot be packed cannot be names',
    resource: 'endpointslices',
    object: slice({ endpoints: [odd] }),
    selection: ALL,
    packed: `web\n\n\n8080/T/http\n${CREATED_36}\n10.1.0.1/h//`,
  },
  {
    why: 'endpoints that are not ready',
    resource: 'endpointslices',
    object: slice({ endpoints: [{ addresses: ['10.1.0.1'], conditions: { ready: false } }], ports: null }),
    packed: `web\n\n\n\n${CREATED_36}\n`,
  },
  {
    why: 'a slice of a cluster set',
    resource: 'endpointslices',
    object: slice(
      { endpoints: null },
      { 'multicluster.kubernetes.io/service-name': 'web', 'multicluster.kubernetes.io/source-cluster': 'east' },
    ),
    packed: `\nweb\neast\n8080/T/http\n${CREATED_36}\n`,
  },
  {
    why: 'a slice of names',
    resource: 'endpointslices',
    object: slice({ addressType: 'FQDN', endpoints: [{ addresses: ['a.example'] }] }),
    packed: '',
  },
  { why: 'a slice of no Service', resource: 'endpointslices', object: slice({}, {}), packed: '' },
  {
    why: 'a label that would break the packed form',
    resource: 'endpointslices',
    object: slice({}, { 'kubernetes.io/service-name': 'web\nb' }),
    packed: '=',
    damaged: /metadata\.labels/,
  },
  {
    why: 'a Pod with addresses',
    resource: 'pods',
    object: pod({ phase: 'Running', podIP: '10.1.0.1', podIPs: [{ ip: '10.1.0.1' }, { ip: 'fd00::1' }] }),
    packed: '10.1.0.1,fd00::1',
  },
  { why: 'a Pod without one', resource: 'pods', object: pod({ phase: 'Pending' }), packed: '' },
  { why: 'a Pod that has ended', resource: 'pods', object: pod({ phase: 'Failed', podIP: '10.1.0.1' }), packed: '' },
  {
    why: 'a Pod that is ending',
    resource: 'pods',
    object: pod({ podIP: '10.1.0.9' }, { deletionTimestamp: CREATED }),
    packed: '=',
  },
  {
    why: 'an import',
    resource: 'serviceimports',
    object: {
      ...metadata(),
      spec: { type: 'ClusterSetIP', ips: ['10.9.0.1'], ports: [{ port: 80, protocol: 'TCP' }] },
    },
    packed: 'C\n10.9.0.1\n80/T',
  },
]

for (const { why, resource, object, packed, selection = PLAIN, damaged } of cases) {
  test(`${resource}: ${why}`, () => {
    const lines: string[] = []
    const packer = new Packer(resource, selection, (line) => lines.push(line))
    const namespace = resource === 'namespaces' ? '' : 'shop'
    const [listed, changed, gone]: string[][] = [[], [], []]
    packer.appendListed(listed, object)
    packer.appendChanged(changed, object, false)
    assert.deepEqual(changed, packed === null ? [] : [namespace, 'web', packed])
    assert.deepEqual(listed, packed === '' ? [] : changed, 'a list does not name what does not exist')
    assert.equal(lines.length, damaged === undefined ? 0 : 2, lines.join())
    for (const line of lines) assert.match(line, damaged!)
    packer.appendChanged(gone, object, true)
    assert.deepEqual(gone, packed === null ? [] : [namespace, 'web', ''])
  })
}

test('what a real API server lists', () => {
  const recordings: [name: string, resource: Resource, items: number][] = [
    ['02-list-page1', 'services', 5],
    ['03-list-page2', 'services', 5],
    ['18-pods-field-selector', 'pods', 1],
  ]
  for (const [name, resource, count] of recordings) {
    const packer = new Packer(resource, PLAIN, (line) => assert.fail(line))
    const items: string[] = []
    for (const object of JSON.parse(recordedBody(name).toString()).items) packer.appendListed(items, object)
    assert.equal(items.length, 3 * count)
    assert.ok(!items.includes(''), name)
  }
})

test('selectors', () => {
  const selection = { ...PLAIN, labelSelector: 'app=web', namespaceSelector: 'team in (a, b)' }
  const asked: [resource: Resource, selectors: Record<string, string>, all: Record<string, string>][] = [
    ['namespaces', { labelSelector: 'team in (a, b)' }, {}],
    ['services', { labelSelector: 'app=web' }, {}],
    ['endpointslices', { labelSelector: 'app=web' }, {}],
    [
      'pods',
      {
        labelSelector: 'app=web',
        fieldSelector: 'status.phase!=Succeeded,status.phase!=Failed,status.phase!=Unknown',
      },
      { fieldSelector: 'status.phase!=Succeeded,status.phase!=Failed,status.phase!=Unknown' },
    ],
    ['serviceimports', {}, {}],
  ]
  for (const [resource, some, all] of asked) {
    assert.deepEqual(RESOURCES[resource].selectors(selection), some)
    assert.deepEqual(RESOURCES[resource].selectors(PLAIN), all)
  }
})

test('no more than ten damaged objects a minute are named, the others counted', () => {
  const lines: string[] = []
  let now = 0
  const log = new DamageLog(
    (line) => lines.push(line),
    () => now,
  )
  for (let i = 1; i <= 15; i++) log.add(`damaged ${i}`)
  assert.equal(lines.length, 11)
  assert.equal(lines[9], 'damaged 10')
  assert.match(lines[10]!, /counted/)
  now = 60_000
  log.add('damaged 16')
  assert.deepEqual(lines.slice(11), ['5 more damaged objects were not named', 'damaged 16'])
  now = 300_000
  log.add('damaged 17')
  assert.deepEqual(lines.slice(13), ['damaged 17'])
})
