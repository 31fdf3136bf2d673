// How long a dump of a large cluster takes to load, and what it leaves in memory. Writes a dump as kubectl prints it
// (and the same as JSON) into the temporary folder, and loads each in a process of its own.
// Run: node bench/manifests.ts [services] [endpoints]

import { spawnSync } from 'node:child_process'
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, statSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { formatProblem, loadManifests } from '../src/kube/manifests.ts'

const SERVICES_PER_NAMESPACE = 100
const TIME = '2026-11-22T08:36:13Z'

if (process.argv[2] === '--load') await measure(process.argv[3]!)
else compare(Number(process.argv[2] ?? 10_000), Number(process.argv[3] ?? 100_000))

function compare(serviceCount: number, endpointCount: number): void {
  const folder = mkdtempSync(join(tmpdir(), 'peregrine-manifests-'))
  try {
    const files = [join(folder, 'dump.yaml'), join(folder, 'dump.json')]
    writeYaml(files[0]!, serviceCount, endpointCount)
    writeJson(files[1]!, serviceCount, endpointCount)
    for (const file of files) {
      console.log(`${file}: ${(statSync(file).size / 1e6).toFixed(1)} MB`)
      for (let run = 0; run < 3; run++) {
        const { stdout, stderr } = spawnSync(process.execPath, ['--expose-gc', import.meta.filename, '--load', file])
        process.stdout.write(`  ${stdout}${stderr}`)
      }
    }
  } finally {
    if (!process.env.KEEP) rmSync(folder, { recursive: true })
  }
}

async function measure(file: string): Promise<void> {
  const before = process.memoryUsage.rss()
  const cpuBefore = process.cpuUsage()
  const startMs = performance.now()
  const loaded = await loadManifests([file])
  const elapsedMs = performance.now() - startMs
  const cpu = process.cpuUsage(cpuBefore)
  for (const problem of loaded.problems.slice(0, 5)) console.error(formatProblem(problem))
  const { services, slices, pods } = loaded.objects
  const after = process.memoryUsage.rss()
  globalThis.gc?.()
  globalThis.gc?.()
  const { rss, heapUsed } = process.memoryUsage()
  const peak = Number(/VmHWM:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'latin1'))?.[1] ?? 0) * 1024
  const megabytes = (octets: number) => `${(octets / 1e6).toFixed(0)} MB`
  console.log(
    `${services.size} services, ${slices.size} slices, ${pods.size} pods: ${elapsedMs.toFixed(0)} ms,`,
    `${((cpu.user + cpu.system) / 1000).toFixed(0)} ms CPU; RSS before ${megabytes(before)}, peak ${megabytes(peak)},`,
    `after ${megabytes(after)}, collected ${megabytes(rss)} (heap ${megabytes(heapUsed)})`,
  )
}

/** Every object of the dump, in the order of kubectl: the same for both formats. */
function* objectsOf(serviceCount: number, endpointCount: number): Iterable<object> {
  const namespaceCount = Math.ceil(serviceCount / SERVICES_PER_NAMESPACE)
  for (let i = 0; i < namespaceCount; i++) yield namespaceObject(i)
  for (let i = 0; i < serviceCount; i++) yield serviceObject(i)
  const each = Math.max(1, Math.round(endpointCount / serviceCount))
  for (let i = 0; i < serviceCount; i++) yield sliceObject(i, each)
}

function metadataOf(name: string, namespace: string, number: number, labels: object): object {
  const uid = `b7c42e3d-f179-4c39-af48-${number.toString(16).padStart(12, '0')}`
  return {
    creationTimestamp: TIME,
    labels,
    name,
    ...(namespace && { namespace }),
    resourceVersion: String(number),
    uid,
  }
}

function namespaceObject(number: number): object {
  const name = `team-${number}`
  return {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: metadataOf(name, '', number, { 'kubernetes.io/metadata.name': name }),
    spec: { finalizers: ['kubernetes'] },
    status: { phase: 'Active' },
  }
}

function serviceObject(number: number): object {
  const clusterIP = `10.${96 + (number >> 16)}.${(number >> 8) & 255}.${number & 255}`
  const ports = [{ name: 'http', port: 80, protocol: 'TCP', targetPort: 8080 }]
  if (number % 4 === 0) ports.push({ name: 'metrics', port: 9102, protocol: 'TCP', targetPort: 9102 })
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: metadataOf(`service-${number}`, namespaceOf(number), number, { app: `service-${number}` }),
    spec: {
      clusterIP,
      clusterIPs: [clusterIP],
      internalTrafficPolicy: 'Cluster',
      ipFamilies: ['IPv4'],
      ipFamilyPolicy: 'SingleStack',
      ports,
      selector: { app: `service-${number}` },
      sessionAffinity: 'None',
      type: 'ClusterIP',
    },
    status: { loadBalancer: {} },
  }
}

function sliceObject(number: number, endpointCount: number): object {
  const name = `service-${number}`
  const labels = {
    app: name,
    'endpointslice.kubernetes.io/managed-by': 'endpointslice-controller.k8s.io',
    'kubernetes.io/service-name': name,
  }
  const ports = [{ name: 'http', port: 8080, protocol: 'TCP' }]
  if (number % 4 === 0) ports.push({ name: 'metrics', port: 9102, protocol: 'TCP' })
  return {
    addressType: 'IPv4',
    apiVersion: 'discovery.k8s.io/v1',
    endpoints: Array.from({ length: endpointCount }, (_, i) => endpointOf(number, number * endpointCount + i)),
    kind: 'EndpointSlice',
    metadata: metadataOf(`${name}-${(number * 7919).toString(36)}`, namespaceOf(number), number, labels),
    ports,
  }
}

function endpointOf(service: number, number: number): object {
  return {
    addresses: [`10.${128 + (number >> 16)}.${(number >> 8) & 255}.${number & 255}`],
    conditions: { ready: true, serving: true, terminating: false },
    nodeName: `node-${number % 500}`,
    targetRef: {
      kind: 'Pod',
      name: `service-${service}-7c9d8f6b5-${number.toString(36)}`,
      namespace: namespaceOf(service),
      uid: `1d235a47-accc-4dd0-ab05-${number.toString(16).padStart(12, '0')}`,
    },
    zone: `zone-${'abc'[number % 3]}`,
  }
}

function namespaceOf(number: number): string {
  return `team-${Math.floor(number / SERVICES_PER_NAMESPACE)}`
}

function writeYaml(path: string, serviceCount: number, endpointCount: number): void {
  const file = openSync(path, 'w')
  writeSync(file, 'apiVersion: v1\nitems:\n')
  for (const object of objectsOf(serviceCount, endpointCount)) writeSync(file, `- ${yamlOf(object, 1).trimStart()}`)
  writeSync(file, 'kind: List\nmetadata:\n  resourceVersion: ""\n')
  closeSync(file)
}

/** Block style as kubectl has it: lists as deep as their key. */
function yamlOf(mapping: object, depth: number): string {
  const margin = '  '.repeat(depth)
  let text = ''
  for (const [key, value] of Object.entries(mapping)) {
    if (Array.isArray(value)) {
      text += `${margin}${key}:\n`
      for (const entry of value) {
        text += `${margin}- ${typeof entry === 'object' ? yamlOf(entry, depth + 1).trimStart() : `${scalarOf(entry)}\n`}`
      }
    } else if (typeof value !== 'object') text += `${margin}${key}: ${scalarOf(value)}\n`
    else if (Object.keys(value).length === 0) text += `${margin}${key}: {}\n`
    else text += `${margin}${key}:\n${yamlOf(value, depth + 1)}`
  }
  return text
}

function scalarOf(value: unknown): string {
  return typeof value === 'string' && /^\d+$|^\d{4}-.*Z$/.test(value) ? `"${value}"` : String(value)
}

function writeJson(path: string, serviceCount: number, endpointCount: number): void {
  const file = openSync(path, 'w')
  let separator = '{\n    "apiVersion": "v1",\n    "items": [\n'
  for (const object of objectsOf(serviceCount, endpointCount)) {
    writeSync(file, separator + JSON.stringify(object, null, 4).replace(/^/gm, '        '))
    separator = ',\n'
  }
  writeSync(file, '\n    ],\n    "kind": "List",\n    "metadata": {\n        "resourceVersion": ""\n    }\n}\n')
  closeSync(file)
}
