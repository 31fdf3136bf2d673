// Reading manifests: a real dump against the plainest possible way to read it, the shapes files come in, and errors.

import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { load } from 'js-yaml'
import { formatProblem, type Loaded, loadManifests } from '../../src/kube/manifests.ts'
import type { Port } from '../../src/kube/objects.ts'

const FIXTURE = new URL('../fixtures/cluster-dump.yaml', import.meta.url).pathname

/** Writes files into a folder of their own and loads it. */
async function loadFiles(t: TestContext, files: Readonly<Record<string, string>>): Promise<Loaded> {
  const folder = mkdtempSync(join(tmpdir(), 'peregrine-manifests-'))
  t.after(() => rmSync(folder, { recursive: true }))
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(join(folder, name, '..'), { recursive: true })
    writeFileSync(join(folder, name), text)
  }
  return loadManifests([folder])
}

// biome-ignore lint/suspicious/noExplicitAny: the input as it is
type Any = any

function portsOf(ports: Any): Port[] {
  return (ports ?? []).map(({ name = '', protocol, port }: Any) => ({ name, protocol, port }))
}

function expectedService({ metadata, spec, status }: Any): object {
  const headless = spec.clusterIP === 'None'
  const kind = spec.type === 'ExternalName' ? 'ExternalName' : headless ? 'Headless' : 'ClusterIP'
  const ingress = (status.loadBalancer.ingress ?? []).map(({ ip, hostname }: Any) => ip ?? hostname)
  return {
    namespace: metadata.namespace,
    name: metadata.name,
    kind,
    clusterIPs: kind === 'ClusterIP' ? spec.clusterIPs : [],
    externalName: spec.externalName ?? '',
    ports: portsOf(spec.ports),
    externalAddresses: [...(spec.externalIPs ?? []), ...ingress],
    createdAt: Date.parse(metadata.creationTimestamp) / 1000,
  }
}

function expectedSlice({ metadata, ports, endpoints }: Any): object {
  return {
    namespace: metadata.namespace,
    name: metadata.name,
    serviceName: metadata.labels['kubernetes.io/service-name'],
    importName: '',
    cluster: '',
    ports: portsOf(ports),
    endpoints: (endpoints ?? [])
      .filter(({ conditions }: Any) => conditions?.ready !== false)
      .flatMap(({ addresses, hostname = '', targetRef, zone = '' }: Any) =>
        addresses.map((address: string) => ({ address, hostname, podName: targetRef?.name ?? '', zone })),
      ),
    createdAt: Date.parse(metadata.creationTimestamp) / 1000,
  }
}

function byKind(items: readonly Any[], kind: string, trim: (item: Any) => Any): Map<string, Any> {
  const own = items.filter((item) => item.kind === kind)
  return new Map(own.map((item) => [`${item.metadata.namespace}/${item.metadata.name}`, trim(item)]))
}

test('a dump of a real cluster, as YAML and as JSON', async (t) => {
  const dump = load(readFileSync(FIXTURE, 'utf8')) as Any
  const slices = dump.items.filter(({ addressType, metadata }: Any) => {
    return addressType !== 'FQDN' && metadata.labels?.['kubernetes.io/service-name'] !== undefined
  })
  const expected = {
    namespaces: new Set(
      dump.items.filter(({ kind }: Any) => kind === 'Namespace').map(({ metadata }: Any) => metadata.name),
    ),
    services: byKind(dump.items, 'Service', expectedService),
    slices: byKind(slices, 'EndpointSlice', expectedSlice),
    pods: byKind(dump.items, 'Pod', ({ metadata: { namespace, name }, status }) => {
      return { namespace, name, addresses: status.podIPs.map(({ ip }: Any) => ip) }
    }),
    imports: new Map(),
  }
  assert.equal(expected.services.size, 23)
  assert.equal(
    [...expected.slices.values()].reduce((sum, { endpoints }) => sum + endpoints.length, 0),
    281,
  )

  const loaded = await loadManifests([FIXTURE])
  assert.deepEqual(loaded.problems, [])
  assert.deepEqual(loaded.warnings, [])
  assert.deepEqual(loaded.objects, expected)

  // Of the two, one is in a list that says its kind first, one in a file that is called something else.
  const typed = { kind: 'List', apiVersion: 'v1', items: dump.items }
  assert.deepEqual((await loadFiles(t, { 'a.json': JSON.stringify(typed, null, 4) })).objects, expected)
  assert.deepEqual((await loadFiles(t, { 'a.yaml': JSON.stringify(dump) })).objects, expected)
})

test('the shapes that files come in', async (t) => {
  const service = (name: string) => `kind: Service, apiVersion: v1, metadata: {name: ${name}}, spec: {clusterIP: None}`
  const block = (name: string) =>
    `apiVersion: v1\nkind: Service\nmetadata:\n  name: ${name}\nspec:\n  clusterIP: None\n`
  const json = (name: string) => JSON.stringify({ kind: 'Service', metadata: { name }, spec: { clusterIP: 'None' } })
  const files: Record<string, string> = {
    'one.yaml': block('one'),
    'windows.yaml': block('windows').replaceAll('\n', '\r\n'),
    'bom.yaml': `\uFEFF${block('bom')}`,
    'no-newline.yaml': block('no-newline').trimEnd(),
    'directive.yaml': `%YAML 1.2\n---\n${block('directive')}...\n`,
    'many.yaml': `# a comment\n---\n# another\n---\n${block('m1')}---\n---  # empty\n${block('m2')}--- \n{${service('m3')}}\n`,
    'flow.yaml': `{${service('flow')}}`,
    'list.yml': `apiVersion: v1\nkind: List\nitems:\n  # first\n  - {${service('l1')}}\n  -\n    ${block('l2').replaceAll('\n', '\n    ')}\n`,
    'deep-list.yaml': `kind: List\nitems:\n  - ${block('d1').replaceAll('\n', '\n    ').trimEnd()}\n  - ${block('d2').replaceAll('\n', '\n    ')}\n`,
    'flow-list.yaml': `kind: List\nitems: [{${service('f1')}}, {${service('f2')}}]\n`,
    'typed.yaml': `apiVersion: v1\nkind: ServiceList\nitems:\n- metadata:\n    name: t1\n  spec:\n    clusterIP: None\n`,
    'typed-late.yaml': `apiVersion: v1\nitems:\n- metadata:\n    name: t2\n  spec:\n    clusterIP: None\nkind: ServiceList\n---\n${block('t3')}`,
    'untyped.yaml': `apiVersion: v1\nitems:\n- ${block('u1').replaceAll('\n', '\n  ').trimEnd()}\n`,
    'anchors.yaml': `kind: List\nitems:\n- &base\n  ${block('a1').replaceAll('\n', '\n  ').trimEnd()}\n- <<: *base\n  metadata:\n    name: a2\n`,
    'twice.json': `${json('j1')}\n${json('j2')}`,
    'array.json': `[${json('j3')}, ${json('j4')}]`,
    'typed.json': `{"kind":"ServiceList","apiVersion":"v1","metadata":{},"items":[{"metadata":{"name":"j5"},"spec":{"clusterIP":"None"}}]}`,
    'empty.yaml': '',
    'empty.json': '{"kind":"List","items":[]}',
    'nothing.yaml': '# nothing\n---\n',
    'below/deep/here.yaml': block('deep'),
    'notes.txt': 'not: {a manifest',
    '.hidden.yaml': 'not: {a manifest',
  }
  const loaded = await loadFiles(t, files)
  assert.deepEqual(loaded.problems.map(formatProblem), [])
  const names = [...loaded.objects.services.keys()].map((key) => key.replace('default/', '')).sort()
  const expected =
    'a1 a2 bom d1 d2 deep directive f1 f2 flow j1 j2 j3 j4 j5 l1 l2 m1 m2 m3 no-newline one t1 t2 t3 u1 windows'
  assert.equal(names.join(' '), expected)
  assert.deepEqual([...loaded.objects.namespaces], ['default'])
})

test('kinds: what is skipped is counted, and a Service of another group is no Service', async (t) => {
  const loaded = await loadFiles(t, {
    'a.yaml': ['v1 ConfigMap', 'v1 Secret', 'v1 ConfigMap', 'serving.knative.dev/v1 Service', 'apps/v1 ReplicaSet']
      .map((line) => line.split(' '))
      .map(([apiVersion, kind]) => `apiVersion: ${apiVersion}\nkind: ${kind}\nmetadata: {name: x}\n`)
      .join('---\n'),
  })
  assert.deepEqual(loaded.problems, [])
  assert.deepEqual(loaded.warnings, [
    'skipped 5 objects that make no names: 2 ConfigMap, 1 ReplicaSet, 1 Secret, 1 Service',
  ])
  assert.deepEqual(Object.fromEntries(loaded.skippedKinds), { ConfigMap: 2, Secret: 1, Service: 1, ReplicaSet: 1 })
  assert.equal(loaded.objects.services.size, 0)
})

test('namespaces: a file that has some has all', async (t) => {
  const service = (namespace: string) => `kind: Service\nmetadata: {name: z, namespace: ${namespace}}\n`
  const namespace = 'kind: Namespace\nmetadata: {name: shop}\n'
  const without = await loadFiles(t, { 'a.yaml': `${service('hidden')}---\n${service('shop')}` })
  assert.deepEqual([...without.objects.namespaces], ['hidden', 'shop'])
  assert.deepEqual(without.warnings, [])

  const some = await loadFiles(t, { 'a.yaml': `${service('hidden')}---\n${namespace}`, 'b.yaml': service('shop') })
  assert.deepEqual([...some.objects.namespaces], ['shop'])
  assert.deepEqual(some.warnings, ['no Namespace object, so nothing in them is served: hidden'])
  assert.ok(some.objects.services.has('hidden/z'))

  const implied = await loadFiles(t, { 'a.yaml': `${namespace}---\nkind: Service\nmetadata: {name: z}\n` })
  assert.deepEqual([...implied.objects.namespaces], ['shop', 'default'])
  assert.deepEqual(implied.warnings, [])
})

const SLICE =
  'kind: EndpointSlice, metadata: {name: s, namespace: n, labels: {kubernetes.io/service-name: s}}, addressType: IPv4'

const mistakes: readonly [text: string, line: string][] = [
  // one document, or several, of which the last is served                        what is said of it
  [
    '{kind: Service, metadata: {name: Web, namespace: n}}',
    'Service n/Web: metadata.name must be a DNS label of 1 to 63 octets (a-z, 0-9, -), not "Web"',
  ],
  [
    `{kind: Service, metadata: {name: ${'a'.repeat(64)}}}`,
    `Service default/${'a'.repeat(64)}: metadata.name must be a DNS label of 1 to 63 octets (a-z, 0-9, -), not "${'a'.repeat(64)}"`,
  ],
  ['{kind: Service, metadata: {name: 7}}', 'Service default/7: metadata.name must be a string, not 7 (quote it)'],
  ['{kind: Service, metadata: {}}', 'Service: metadata.name is missing'],
  ['{kind: Service, metadata: [a]}', 'Service: metadata must be a mapping'],
  ['{kind: Service}', 'Service: metadata.name is missing'],
  [
    '{kind: Service, metadata: {name: a, namespace: n.m}}',
    'Service n.m/a: metadata.namespace must be a DNS label of 1 to 63 octets (a-z, 0-9, -), not "n.m"',
  ],
  [
    '{kind: Service, metadata: {name: a}, spec: {ports: [{port: 80}, {port: 0}]}}',
    'Service default/a: spec.ports[1].port must be a whole number from 1 to 65535, not 0',
  ],
  [
    '{kind: Service, metadata: {name: a}, spec: {ports: [{port: "80"}]}}',
    'Service default/a: spec.ports[0].port must be a whole number from 1 to 65535, not "80"',
  ],
  [
    '{kind: Service, metadata: {name: a}, spec: {ports: [{name: x}]}}',
    'Service default/a: spec.ports[0].port is missing',
  ],
  ['{kind: Service, metadata: {name: a}, spec: {ports: {port: 80}}}', 'Service default/a: spec.ports must be a list'],
  [
    '{kind: Service, metadata: {name: a}, spec: {ports: [{port: 80, protocol: tcp}]}}',
    'Service default/a: spec.ports[0].protocol must be TCP, UDP or SCTP, not "tcp"',
  ],
  [
    '{kind: Service, metadata: {name: a}, spec: {ports: [{port: 80, name: _x}]}}',
    'Service default/a: spec.ports[0].name must be a DNS label of 1 to 63 octets (a-z, 0-9, -), not "_x"',
  ],
  [
    '{kind: Service, metadata: {name: a}, spec: {clusterIP: 10.0.0.256}}',
    'Service default/a: spec.clusterIP must be an IP address, not "10.0.0.256"',
  ],
  [
    '{kind: Service, metadata: {name: a}, spec: {clusterIPs: [10.0.0.1, "fe80::1%eth0"]}}',
    'Service default/a: spec.clusterIPs[1] must be an IP address, not "fe80::1%eth0"',
  ],
  [
    '{kind: Service, metadata: {name: a}, spec: {type: Loadbalancer}}',
    'Service default/a: spec.type must be ClusterIP, NodePort, LoadBalancer or ExternalName, not "Loadbalancer"',
  ],
  [
    '{kind: Service, metadata: {name: a}, spec: {type: ExternalName}}',
    'Service default/a: spec.externalName is missing',
  ],
  [
    '{kind: Service, metadata: {name: a}, spec: {type: ExternalName, externalName: a..b}}',
    'Service default/a: spec.externalName must be a DNS name of 1 to 253 octets or an IP address, not "a..b"',
  ],
  [
    `{kind: Service, metadata: {name: a}, spec: {type: ExternalName, externalName: ${'a.'.repeat(127)}a}}`,
    'Service default/a',
  ],
  [
    '{kind: Service, metadata: {name: a}, spec: {ipFamilies: [ipv4]}}',
    'Service default/a: spec.ipFamilies[0] must be IPv4 or IPv6, not "ipv4"',
  ],
  [
    `{${SLICE}, endpoints: [{addresses: [10.0.0.1]}, {addresses: [10.0.0.2, 10.0.0]}]}`,
    'EndpointSlice n/s: endpoints[1].addresses[1] must be an IPv4 address, not "10.0.0"',
  ],
  [
    `{${SLICE}, endpoints: [{addresses: ["fd00::1"]}]}`,
    'EndpointSlice n/s: endpoints[0].addresses[0] must be an IPv4 address, not "fd00::1"',
  ],
  [
    `{${SLICE}, endpoints: [{addresses: [10.0.0.1], hostname: a.b}]}`,
    'EndpointSlice n/s: endpoints[0].hostname must be a DNS label of 1 to 63 octets (a-z, 0-9, -), not "a.b"',
  ],
  [
    `{${SLICE}, ports: [{port: 65536}]}`,
    'EndpointSlice n/s: ports[0].port must be a whole number from 1 to 65535, not 65536',
  ],
  [
    '{kind: Endpoints, metadata: {name: a}, subsets: [{addresses: [{ip: x}]}]}',
    'Endpoints default/a: subsets[0].addresses[0].ip must be an IP address, not "x"',
  ],
  [
    '{kind: Pod, metadata: {name: a}, status: {podIP: x}}',
    'Pod default/a: status.podIP must be an IP address, not "x"',
  ],
  [
    '{kind: Deployment, metadata: {name: a}, spec: {replicas: 1000000}}',
    'Deployment default/a: spec.replicas must be a whole number from 0 to 10000, not 1000000',
  ],
  [
    '{kind: ServiceImport, apiVersion: multicluster.x-k8s.io/v1alpha1, metadata: {name: a}, spec: {type: X}}',
    'ServiceImport default/a: spec.type must be ClusterSetIP or Headless, not "X"',
  ],
  ['{metadata: {name: a}}', 'kind is missing'],
  ['- a\n- b', 'must be a mapping, as every Kubernetes object is'],
  ['just text', 'must be a mapping, as every Kubernetes object is'],
  ['kind: Service\nmetadata: {name: a\n', 'line 4, column 1'],
  ['kind: Service\n metadata: {}\n', 'line 2, column 10'],
  ['kind: Service\nkind: Service\n', 'line 2, column 1: duplicated mapping key'],
  ['kind: Service\nmetadata:\n  name: *who\n', 'line 3'],
  [
    'kind: List\nitems:\n- kind: Service\n  metadata:\n    name: ok\n- kind: [\n- kind: Service\n  metadata:\n    name: ok2\n',
    'item 2: line',
  ],
]

test('mistakes: file, document, object and field; the other objects are served', async (t) => {
  for (const [text, line] of mistakes) {
    const before = 'kind: Service\nmetadata: {name: before}\n'
    const loaded = await loadFiles(t, {
      'm.yaml': `${text}\n---\n${before}---\n${text.trim()}\n---\n${before.replace('before', 'behind')}`,
    })
    const said = loaded.problems.map(formatProblem).filter((problem) => !problem.includes('twice'))
    assert.equal(said.length, 2, `${text}: ${said}`)
    assert.ok(said[0]!.includes(`m.yaml, document 1: ${line}`), `${said[0]}\ninstead of\n${line}`)
    assert.match(said[1]!, /m\.yaml, document 3: /)
    const services = [...loaded.objects.services.keys()].filter((key) => !key.startsWith('default/ok'))
    assert.deepEqual(services, ['default/before', 'default/behind'], text)
  }
})

test('mistakes in JSON', async (t) => {
  const ok = (name: string) => JSON.stringify({ kind: 'Service', metadata: { name } })
  const broken = await loadFiles(t, {
    'item.json': `{"items": [\n${ok('a')},\n{"kind": "Service",}, ${ok('b')}]}`,
    'end.json': `${ok('c')}\n{"kind": "Serv`,
    'text.json': 'kind: Service',
  })
  assert.deepEqual([...broken.objects.services.keys()], ['default/c', 'default/a', 'default/b'])
  const said = broken.problems.map((problem) => formatProblem(problem).replace(/^.*\//, ''))
  assert.equal(said.length, 3)
  assert.match(said[0]!, /^end\.json, document 2: line 2: the value that begins here does not end$/)
  assert.match(said[1]!, /^item\.json, document 1: item 2: line 3: .*JSON/)
  assert.match(said[2]!, /^text\.json, document 1: line 1: an object must begin here$/)
})

test('paths that are not there; objects that are there twice', async (t) => {
  const missing = await loadManifests(['/nonexistent/a.yaml'])
  assert.match(missing.problems.map(formatProblem).join(), /^\/nonexistent\/a\.yaml: ENOENT/)
  const service = (port: number) => `kind: Service\nmetadata: {name: a}\nspec: {ports: [{port: ${port}}]}\n`
  const twice = await loadFiles(t, { 'a.yaml': `${service(1)}---\n${service(2)}`, 'b.yaml': service(3) })
  assert.equal(twice.objects.services.get('default/a')?.ports[0]?.port, 3)
  assert.match(twice.problems[0]!.message, /in this file twice; the later one counts/)
  assert.match(twice.problems[1]!.message, /is in .*a\.yaml as well; the one in this file counts/)
})

test('items and documents that do not fit the window', async (t) => {
  const slice = (name: string, count: number) => {
    const addresses = Array.from({ length: count }, (_, i) => `  - 10.${i >> 16}.${(i >> 8) & 255}.${i & 255}\n`).join(
      '',
    )
    return `addressType: IPv4\nendpoints:\n- addresses:\n${addresses}kind: EndpointSlice\nmetadata:\n  name: ${name}\n  labels:\n    kubernetes.io/service-name: s\n`
  }
  const item = (name: string, count: number) => `- ${slice(name, count).replaceAll('\n', '\n  ').trimEnd()}\n`
  // Sizes on both sides of the window, and many, so that boundaries fall everywhere.
  const sizes = [20_000, 3, 70_000, ...Array.from({ length: 400 }, (_, i) => i * 3), 30_000]
  const list = `apiVersion: v1\nitems:\n${sizes.map((size, i) => item(`l${i}`, size)).join('')}kind: List\n`
  const documents = sizes
    .slice(0, 150)
    .map((size, i) => slice(`d${i}`, size))
    .join('---\n')
  const loaded = await loadFiles(t, {
    'list.yaml': list,
    'documents.yaml': documents,
    'both.yaml': `${list.replaceAll(': l', ': b')}---\n${slice('last', 5)}`,
  })
  assert.deepEqual(loaded.problems, [])
  assert.deepEqual(
    sizes.map((_, i) => loaded.objects.slices.get(`default/l${i}`)?.endpoints.length),
    sizes,
  )
  assert.deepEqual(
    sizes.map((_, i) => loaded.objects.slices.get(`default/b${i}`)?.endpoints.length),
    sizes,
  )
  assert.deepEqual(
    sizes.slice(0, 150).map((_, i) => loaded.objects.slices.get(`default/d${i}`)?.endpoints.length),
    sizes.slice(0, 150),
  )
  assert.equal(loaded.objects.slices.get('default/last')?.endpoints.length, 5)
})

test('a boundary between items on the edge of the window', async (t) => {
  const head = 'items:\n- kind: Service\n  metadata:\n    name: a\n    annotations:\n      pad: '
  for (let shift = -1; shift < 4; shift++) {
    const pad = 'x'.repeat((1 << 20) - shift - head.length)
    const loaded = await loadFiles(t, { 'a.yaml': `${head}${pad}\n- kind: Service\n  metadata:\n    name: b\n` })
    assert.deepEqual(loaded.problems, [])
    assert.deepEqual([...loaded.objects.services.keys()], ['default/a', 'default/b'], `shift ${shift}`)
  }
})

test('JSON: quotes and brackets inside of strings', async (t) => {
  const items = ['"', '\\', '\\"', '"}', ']}"', '{[', '\\\\"}'].map((text, i) => {
    return { kind: 'Service', metadata: { name: `s${i}`, annotations: { [text]: text } } }
  })
  const loaded = await loadFiles(t, { 'a.json': JSON.stringify({ 'a"]}': '"]}', items }) })
  assert.deepEqual(loaded.problems, [])
  assert.equal(loaded.objects.services.size, items.length)
})
