// What is filled in where manifests leave it to the control plane, and that it depends on nothing but the manifests.

import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import fc from 'fast-check'
import { AddressRange, RangeFullError } from '../../src/kube/address-range.ts'
import { formatProblem, type Loaded, loadManifests, type ManifestOptions } from '../../src/kube/manifests.ts'

async function loadText(t: TestContext, text: string, options?: ManifestOptions): Promise<Loaded> {
  return loadAll(t, [text], options)
}

async function loadAll(t: TestContext, texts: readonly string[], options?: ManifestOptions): Promise<Loaded> {
  const folder = mkdtempSync(join(tmpdir(), 'peregrine-control-plane-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  for (const [i, text] of texts.entries()) writeFileSync(join(folder, `${String(i).padStart(3, '0')}.yaml`), text)
  const loaded = await loadManifests([folder], options)
  rmSync(folder, { recursive: true })
  return loaded
}

function documents(...objects: object[]): string {
  return objects.map((object) => JSON.stringify(object)).join('\n---\n')
}

const service = (name: string, spec: object, metadata: object = {}) => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name, namespace: 'shop', ...metadata },
  spec,
})

const pod = (name: string, address: string, spec: object = {}, status: object = {}, metadata: object = {}) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace: 'shop', labels: { app: 'web' }, ...metadata },
  spec,
  status: { podIP: address, ...status },
})

const slice = (name: string, serviceName: string, address: string, labels: object = {}) => ({
  apiVersion: 'discovery.k8s.io/v1',
  kind: 'EndpointSlice',
  metadata: { name, namespace: 'shop', labels: { 'kubernetes.io/service-name': serviceName, ...labels } },
  addressType: 'IPv4',
  ports: [{ port: 1 }],
  endpoints: [{ addresses: [address] }],
})

const endpoints = (name: string, subsets: object[], metadata: object = {}) => ({
  apiVersion: 'v1',
  kind: 'Endpoints',
  metadata: { name, namespace: 'shop', ...metadata },
  subsets,
})

const WEB = { selector: { app: 'web' }, ports: [{ name: 'http', port: 80, targetPort: 8080 }] }

/** The slices of a Service, a line each: ports, then endpoints as address=hostname@pod. */
function slicesOf(loaded: Loaded, name: string): string[] {
  return [...loaded.objects.slices.values()]
    .filter(({ serviceName }) => serviceName === name)
    .map(({ ports, endpoints }) => {
      const shownPorts = ports.map(({ name, protocol, port }) => `${name}/${protocol}/${port}`).join(',')
      const shown = endpoints.map(({ address, hostname, podName }) => `${address}=${hostname}@${podName}`)
      return `${shownPorts} ${shown.join(' ')}`.trim()
    })
}

const clusterIPs: readonly [what: string, spec: object, metadata: object, kind: string, addresses: RegExp][] = [
  ['none stated: one is given', {}, {}, 'ClusterIP', /^10\.(9[6-9]|10\d|11[01])\.\d+\.\d+$/],
  ['stated: kept', { clusterIP: '10.0.0.7' }, {}, 'ClusterIP', /^10\.0\.0\.7$/],
  [
    'several stated: they count, not the single one',
    { clusterIP: '10.0.0.7', clusterIPs: ['10.0.0.8', 'fd00::8'] },
    {},
    'ClusterIP',
    /^10\.0\.0\.8 fd00::8$/,
  ],
  ['stated empty: not there yet', { clusterIP: '' }, {}, 'Pending', /^$/],
  ['null is absent', { clusterIP: null }, {}, 'ClusterIP', /^10\./],
  ['headless', { clusterIP: 'None' }, {}, 'Headless', /^$/],
  ['headless, dual stack', { clusterIP: 'None', ipFamilyPolicy: 'RequireDualStack' }, {}, 'Headless', /^$/],
  ['IPv6 only', { ipFamilies: ['IPv6'] }, {}, 'ClusterIP', /^fd00:10:96::[0-9a-f:]+$/],
  ['dual stack', { ipFamilyPolicy: 'PreferDualStack' }, {}, 'ClusterIP', /^10\.\S+ fd00:10:96::\S+$/],
  [
    'dual stack, IPv6 first',
    { ipFamilyPolicy: 'RequireDualStack', ipFamilies: ['IPv6', 'IPv4'] },
    {},
    'ClusterIP',
    /^fd00:10:96::\S+ 10\.\S+$/,
  ],
  [
    'dual stack, one stated by hand',
    { ipFamilyPolicy: 'RequireDualStack', clusterIP: 'fd00::5' },
    {},
    'ClusterIP',
    /^fd00::5 10\.\S+$/,
  ],
  [
    'dual stack preferred in a cluster that has not',
    { ipFamilyPolicy: 'PreferDualStack', clusterIP: '10.0.0.9' },
    { uid: 'u' },
    'ClusterIP',
    /^10\.0\.0\.9$/,
  ],
  ['NodePort', { type: 'NodePort' }, {}, 'ClusterIP', /^10\./],
  [
    'ExternalName, whatever its cluster IP',
    { type: 'ExternalName', externalName: 'a.example.', clusterIP: 'None' },
    {},
    'ExternalName',
    /^$/,
  ],
]

test('cluster IPs', async (t) => {
  for (const [what, spec, metadata, kind, addresses] of clusterIPs) {
    const loaded = await loadText(t, documents(service('a', spec, metadata)))
    assert.deepEqual(loaded.problems, [], what)
    const found = loaded.objects.services.get('shop/a')!
    assert.equal(found.kind, kind, what)
    assert.match(found.clusterIPs.join(' '), addresses, what)
    if (kind === 'ExternalName') assert.equal(found.externalName, 'a.example')
    assert.equal(loaded.warnings.length, kind === 'Pending' ? 1 : 0)
  }
})

test('addresses do not collide with each other or with what is stated, and a full range is an error', async (t) => {
  const given = new AddressRange('10.96.0.0/12').give('shop/a')
  const taken = documents(service('b', { clusterIP: given }), service('a', {}))
  const found = (await loadText(t, taken)).objects.services.get('shop/a')!.clusterIPs[0]!
  assert.notEqual(found, given)

  const many = documents(...Array.from({ length: 255 }, (_, i) => service(`s${i}`, {})))
  const small = { serviceRangeV4: '10.9.0.0/23' }
  const full = await loadText(t, many, small)
  assert.deepEqual(full.problems, [])
  const all = [...full.objects.services.values()].map(({ clusterIPs: [address] }) => address!)
  assert.equal(new Set(all).size, 255)
  for (const address of all) assert.match(address, /^10\.9\.1\.\d+$/)
  assert.ok(!all.includes('10.9.1.255'))

  const over = await loadText(
    t,
    `${many}\n---\n${documents(service('one-more', {}), service('own', { clusterIP: '10.1.2.3' }))}`,
    small,
  )
  assert.match(
    over.problems.map(formatProblem).join(),
    /the range 10\.9\.0\.0\/23 is full: 255 addresses; choose a wider one/,
  )
  assert.deepEqual(over.objects.services.get('shop/own')!.clusterIPs, ['10.1.2.3'])
})

test('ranges: every spelling of an address is one address', () => {
  for (const spelling of ['fd00::100', 'FD00:0:0:0:0:0:0:100', 'fd00::0.0.1.0']) {
    const range = new AddressRange('fd00::/119')
    range.take(spelling)
    for (let i = 0; i < 254; i++) assert.notEqual(range.give(`name ${i}`), 'fd00::100')
    assert.throws(() => range.give('one more'), RangeFullError)
  }
  for (const wrong of ['10.0.0.0', '10.0.0.0/33', '10.0.0.0/24', 'x/8', '10.0.0.0/8/8', '::/120']) {
    assert.throws(() => new AddressRange(wrong), RangeError, wrong)
  }
})

const READY = { conditions: [{ type: 'Ready', status: 'True' }] }
const UNREADY = { conditions: [{ type: 'Ready', status: 'False' }] }
const NAMED = {
  containers: [
    {
      ports: [
        { name: 'web', containerPort: 9000 },
        { name: 'web', containerPort: 9001, protocol: 'UDP' },
      ],
    },
  ],
}

const sliceCases: readonly [what: string, objects: object[], slices: string[]][] = [
  ['a Pod that is selected', [service('s', WEB), pod('p', '10.1.0.1')], ['http/TCP/8080 10.1.0.1=@p']],
  ['other labels', [service('s', WEB), pod('p', '10.1.0.1', {}, {}, { labels: { app: 'x' } })], []],
  ['another namespace', [service('s', WEB), pod('p', '10.1.0.1', {}, {}, { namespace: 'other' })], []],
  [
    'all labels of the selector',
    [service('s', { ...WEB, selector: { app: 'web', tier: 'a' } }), pod('p', '10.1.0.1')],
    [],
  ],
  [
    'the Ready condition',
    [service('s', WEB), pod('p', '10.1.0.1', {}, READY), pod('q', '10.1.0.2', {}, UNREADY)],
    ['http/TCP/8080 10.1.0.1=@p'],
  ],
  [
    'not ready, published',
    [service('s', { ...WEB, publishNotReadyAddresses: true }), pod('p', '10.1.0.1', {}, UNREADY)],
    ['http/TCP/8080 10.1.0.1=@p'],
  ],
  [
    'being deleted',
    [service('s', WEB), pod('p', '10.1.0.1', {}, READY, { deletionTimestamp: '2026-11-22T08:36:13Z' })],
    [],
  ],
  ['ended', [service('s', WEB), pod('p', '10.1.0.1', {}, { phase: 'Succeeded' })], []],
  [
    'hostname below the Service',
    [service('s', WEB), pod('p', '10.1.0.1', { hostname: 'h', subdomain: 's' })],
    ['http/TCP/8080 10.1.0.1=h@p'],
  ],
  [
    'hostname below another',
    [service('s', WEB), pod('p', '10.1.0.1', { hostname: 'h', subdomain: 'x' })],
    ['http/TCP/8080 10.1.0.1=@p'],
  ],
  ['no targetPort', [service('s', { ...WEB, ports: [{ port: 80 }] }), pod('p', '10.1.0.1')], ['/TCP/80 10.1.0.1=@p']],
  ['no ports', [service('s', { ...WEB, clusterIP: 'None', ports: [] }), pod('p', '10.1.0.1')], ['10.1.0.1=@p']],
  [
    'a named target port',
    [service('s', { ...WEB, ports: [{ port: 80, targetPort: 'web' }] }), pod('p', '10.1.0.1', NAMED)],
    ['/TCP/9000 10.1.0.1=@p'],
  ],
  [
    'a named target port, UDP',
    [service('s', { ...WEB, ports: [{ port: 80, protocol: 'UDP', targetPort: 'web' }] }), pod('p', '10.1.0.1', NAMED)],
    ['/UDP/9001 10.1.0.1=@p'],
  ],
  [
    'Pods that differ in it',
    [
      service('s', { ...WEB, ports: [{ port: 80, targetPort: 'web' }] }),
      pod('p', '10.1.0.1', NAMED),
      pod('q', '10.1.0.2'),
    ],
    ['/TCP/9000 10.1.0.1=@p', '10.1.0.2=@q'],
  ],
  [
    'one family',
    [service('s', WEB), pod('p', '10.1.0.1', {}, { podIPs: [{ ip: '10.1.0.1' }, { ip: 'fd00::1' }] })],
    ['http/TCP/8080 10.1.0.1=@p'],
  ],
  [
    'both families',
    [
      service('s', { ...WEB, ipFamilyPolicy: 'RequireDualStack' }),
      pod('p', '10.1.0.1', {}, { podIPs: [{ ip: '10.1.0.1' }, { ip: 'fd00::1' }] }),
    ],
    ['http/TCP/8080 10.1.0.1=@p', 'http/TCP/8080 fd00::1=@p'],
  ],
  [
    'slices in the file win',
    [service('s', WEB), pod('p', '10.1.0.1'), slice('x', 's', '10.9.9.9')],
    ['/TCP/1 10.9.9.9=@'],
  ],
  [
    'Endpoints of a Service without selector',
    [
      service('s', {}),
      endpoints('s', [
        {
          addresses: [{ ip: '10.2.0.1', hostname: 'h', targetRef: { name: 'p' } }],
          notReadyAddresses: [{ ip: '10.2.0.2' }],
          ports: [{ name: 'a', port: 5 }],
        },
      ]),
    ],
    ['a/TCP/5 10.2.0.1=h@p'],
  ],
  [
    'Endpoints: a slice a family',
    [service('s', {}), endpoints('s', [{ addresses: [{ ip: '10.2.0.1' }, { ip: 'fd00::2' }] }])],
    ['10.2.0.1=@', 'fd00::2=@'],
  ],
  [
    'Endpoints: a slice a set of ports, no address twice',
    [
      service('s', {}),
      endpoints('s', [
        { addresses: [{ ip: '10.2.0.1' }], ports: [{ port: 5 }] },
        { addresses: [{ ip: '10.2.0.1' }, { ip: '10.2.0.2' }], ports: [{ port: 5 }] },
        { addresses: [{ ip: '10.2.0.1' }], ports: [{ port: 6 }] },
      ]),
    ],
    ['/TCP/5 10.2.0.1=@ 10.2.0.2=@', '/TCP/6 10.2.0.1=@'],
  ],
  [
    'Endpoints marked not to be mirrored',
    [
      service('s', {}),
      endpoints('s', [{ addresses: [{ ip: '10.2.0.1' }] }], {
        labels: { 'endpointslice.kubernetes.io/skip-mirror': 'true' },
      }),
    ],
    [],
  ],
  ['Endpoints without Service', [endpoints('s', [{ addresses: [{ ip: '10.2.0.1' }] }])], []],
  [
    'Endpoints of a Service with selector, and Pods',
    [service('s', WEB), pod('p', '10.1.0.1'), endpoints('s', [{ addresses: [{ ip: '10.2.0.1' }] }])],
    ['http/TCP/8080 10.1.0.1=@p'],
  ],
  [
    'Endpoints of a Service with selector, and slices',
    [service('s', WEB), slice('x', 's', '10.9.9.9'), endpoints('s', [{ addresses: [{ ip: '10.2.0.1' }] }])],
    ['/TCP/1 10.9.9.9=@'],
  ],
  [
    'Endpoints of a Service with selector, and nothing else',
    [service('s', WEB), endpoints('s', [{ addresses: [{ ip: '10.2.0.1' }] }])],
    ['10.2.0.1=@'],
  ],
  [
    'Endpoints that have been mirrored',
    [
      service('s', {}),
      slice('x', 's', '10.2.0.1', {
        'endpointslice.kubernetes.io/managed-by': 'endpointslicemirroring-controller.k8s.io',
      }),
      endpoints('s', [{ addresses: [{ ip: '10.2.0.1' }] }]),
    ],
    ['/TCP/1 10.2.0.1=@'],
  ],
  [
    'Endpoints beside slices of somebody else',
    [service('s', {}), slice('x', 's', '10.2.0.2'), endpoints('s', [{ addresses: [{ ip: '10.2.0.1' }] }])],
    ['/TCP/1 10.2.0.2=@', '10.2.0.1=@'],
  ],
]

test('slices', async (t) => {
  for (const [what, objects, slices] of sliceCases) {
    const loaded = await loadText(t, documents(...objects))
    assert.deepEqual(loaded.problems, [], what)
    assert.deepEqual(slicesOf(loaded, 's'), slices, what)
  }
})

test('slices that make no names are left out; times are kept', async (t) => {
  const fqdn = { ...slice('f', 's', 'a.example'), addressType: 'FQDN' }
  const stray = { ...slice('g', 's', '10.0.0.1'), metadata: { name: 'g', namespace: 'shop' } }
  const imported = slice('i', '', '10.0.0.1', {
    'multicluster.kubernetes.io/service-name': 'm',
    'multicluster.kubernetes.io/source-cluster': 'east',
  })
  const time = { creationTimestamp: '2026-11-22T08:36:13Z' }
  const mirrored = endpoints('old', [{ addresses: [{ ip: '10.2.0.1' }] }], time)
  const serviceImport = {
    apiVersion: 'multicluster.x-k8s.io/v1alpha1',
    kind: 'ServiceImport',
    metadata: { name: 'm', namespace: 'shop' },
    spec: { type: 'ClusterSetIP', ips: ['10.42.0.1'], ports: [{ port: 80, protocol: 'TCP' }] },
  }
  const loaded = await loadText(t, documents(fqdn, stray, imported, service('old', {}), mirrored, serviceImport))
  assert.deepEqual(loaded.problems, [])
  assert.deepEqual([...loaded.objects.slices.keys()], ['shop/i', 'shop/old-mirror-0'])
  const found = loaded.objects.slices.get('shop/i')!
  assert.deepEqual([found.serviceName, found.importName, found.cluster], ['', 'm', 'east'])
  assert.equal(loaded.objects.slices.get('shop/old-mirror-0')!.createdAt, 1795336573)
  assert.deepEqual(loaded.objects.imports.get('shop/m')?.clusterIPs, ['10.42.0.1'])
})

const workload = (kind: string, name: string, spec: object, template: object = {}) => ({
  apiVersion: 'apps/v1',
  kind,
  metadata: { name, namespace: 'shop' },
  spec: {
    selector: { matchLabels: { app: name } },
    template: { metadata: { labels: { app: name } }, spec: template },
    ...spec,
  },
})

test('workloads: Pods with stable names and addresses, behind their Services', async (t) => {
  const set = workload('StatefulSet', 'db', { replicas: 3, serviceName: 'db', ordinals: { start: 1 } })
  const db = service('db', {
    clusterIP: 'None',
    selector: { app: 'db' },
    ports: [{ port: 5432 }],
    ipFamilyPolicy: 'RequireDualStack',
  })
  const one = service('db-1', { selector: { 'statefulset.kubernetes.io/pod-name': 'db-1' }, ports: [{ port: 5432 }] })
  const stateful = await loadText(t, documents(set, db, one))
  assert.deepEqual([...stateful.objects.pods.keys()], ['shop/db-1', 'shop/db-2', 'shop/db-3'])
  const [v4, v6] = slicesOf(stateful, 'db')
  assert.match(v4!, /^\/TCP\/5432 10\.24[4-7]\.\S+=db-1@db-1 10\.24[4-7]\.\S+=db-2@db-2 10\.24[4-7]\.\S+=db-3@db-3$/)
  assert.match(v6!, /^\/TCP\/5432 fd00:10:244::\S+=db-1@db-1 \S+=db-2@db-2 \S+=db-3@db-3$/)
  assert.match(slicesOf(stateful, 'db-1').join(), /^\/TCP\/5432 \S+=@db-1$/)

  const web = workload('Deployment', 'web', { replicas: 250 }, NAMED)
  const front = service('web', { selector: { app: 'web' }, ports: [{ port: 80, targetPort: 'web' }] })
  const deployed = await loadText(t, documents(web, front))
  const slices = [...deployed.objects.slices.values()]
  assert.deepEqual(
    slices.map(({ endpoints }) => endpoints.length),
    [100, 100, 50],
  )
  const addresses = slices.flatMap(({ endpoints }) => endpoints.map(({ address }) => address))
  assert.equal(new Set(addresses).size, 250)
  for (const { ports } of slices) assert.deepEqual(ports, [{ name: '', protocol: 'TCP', port: 9000 }])
  for (const name of deployed.objects.pods.keys()) assert.match(name, /^shop\/web-[a-z0-9]{6}-[a-z0-9]{5}$/)

  const counts: readonly [object, number][] = [
    [workload('Deployment', 'w', {}), 1],
    [workload('Deployment', 'w', { replicas: 0 }), 0],
    [workload('DaemonSet', 'w', { replicas: 5 }), 1],
    [workload('StatefulSet', 'w', { replicas: 2 }), 2],
  ]
  for (const [object, count] of counts) assert.equal((await loadText(t, documents(object))).objects.pods.size, count)

  const own = pod('web-1', '10.1.0.1')
  const stated = await loadText(t, documents(web, front, own))
  assert.deepEqual([...stated.objects.pods.keys()], ['shop/web-1'], 'Pods in the files are all there are')

  const bare = { ...pod('bare', ''), status: undefined }
  const written = await loadText(t, documents(bare, front))
  assert.match(slicesOf(written, 'web').join(), /^10\.24[4-7]\.\S+=@bare$/)
  const waiting = { ...bare, metadata: { ...bare.metadata, uid: 'u' }, status: { phase: 'Pending' } }
  assert.equal(
    (await loadText(t, documents(waiting))).objects.pods.size,
    0,
    'a Pod of a cluster that has no address yet',
  )
})

test('Pods that nobody asks for', async (t) => {
  const dump = [service('s', WEB), slice('x', 's', '10.9.9.9'), pod('p', '10.1.0.1')]
  const keys = async (objects: object[]) => [
    ...(await loadText(t, documents(...objects), { pods: false })).objects.pods.keys(),
  ]
  assert.deepEqual(await keys(dump), [])
  assert.deepEqual(await keys([...dump].reverse()), [])
  assert.deepEqual(await keys([...dump, service('t', WEB)]), ['shop/p'], 'a Service behind the Pods')
  assert.deepEqual(await keys([service('t', WEB), ...dump]), ['shop/p'])
  assert.deepEqual(await keys([pod('p', '10.1.0.1'), service('s', WEB)]), ['shop/p'])
  assert.deepEqual([...(await loadText(t, documents(...dump))).objects.pods.keys()], ['shop/p'])
})

test('the order of objects and files means nothing', async (t) => {
  const objects = [
    ...Array.from({ length: 40 }, (_, i) =>
      service(`s${i}`, { selector: { app: `w${i % 7}` }, ports: [{ port: 80 + i }] }),
    ),
    ...Array.from({ length: 7 }, (_, i) =>
      workload(i % 2 ? 'Deployment' : 'StatefulSet', `w${i}`, { replicas: 1 + i * 20 }),
    ),
    service('stated', { clusterIP: '10.100.0.1' }),
    service('outside', {}),
    endpoints('outside', [{ addresses: [{ ip: '192.0.2.1' }] }]),
  ]
  const sorted = (loaded: Loaded) => {
    assert.deepEqual(loaded.problems, [])
    const { namespaces, services, slices, pods } = loaded.objects
    return [namespaces, ...[services, slices, pods].map((map) => [...map].sort(([a], [b]) => (a < b ? -1 : 1)))]
  }
  // Narrow ranges, so that names do collide.
  const options = { serviceRangeV4: '10.96.0.0/23', podRangeV4: '10.244.0.0/22', podRangeV6: 'fd00:10:244::/118' }
  const expected = sorted(await loadText(t, documents(...objects), options))
  const shuffled = fc.shuffledSubarray(objects, { minLength: objects.length })
  await fc.assert(
    fc.asyncProperty(shuffled, fc.integer({ min: 1, max: 5 }), async (order, count) => {
      const texts = Array.from({ length: count }, (_, i) => documents(...order.filter((_, at) => at % count === i)))
      assert.deepEqual(sorted(await loadAll(t, texts, options)), expected)
    }),
    { numRuns: 20 },
  )
})

test('addresses stay as they are from release to release', async (t) => {
  const loaded = await loadText(
    t,
    documents(service('cart', { ipFamilyPolicy: 'PreferDualStack' }), workload('StatefulSet', 'db', {})),
  )
  assert.deepEqual(loaded.objects.services.get('shop/cart')!.clusterIPs, ['10.101.37.152', 'fd00:10:96::5:2598'])
  assert.deepEqual(loaded.objects.pods.get('shop/db-0')!.addresses, ['10.247.17.45', 'fd00:10:244::9:9fd5'])
})

test('the example application: complete, and with the addresses that its comments name', async () => {
  const loaded = await loadManifests([join(import.meta.dirname, '../../examples')])
  assert.deepEqual(loaded.problems, [])
  assert.deepEqual(loaded.warnings, [])
  const { namespaces, services, slices } = loaded.objects
  assert.deepEqual([...namespaces].sort(), ['data', 'edge', 'kube-system', 'shop'])
  const kinds = [...services.values()].map(({ kind, clusterIPs }) => `${kind} ${clusterIPs.length}`)
  assert.deepEqual([...new Set(kinds)].sort(), ['ClusterIP 1', 'ClusterIP 2', 'ExternalName 0', 'Headless 0'])
  assert.deepEqual(services.get('shop/cart')!.clusterIPs, ['10.101.37.152'])
  const pods = [...slices.values()]
    .filter(({ serviceName }) => serviceName === 'cart')
    .flatMap(({ endpoints }) => endpoints)
  assert.deepEqual(pods.map(({ address }) => address).sort(), ['10.244.17.208', '10.245.13.103', '10.247.183.135'])
})
