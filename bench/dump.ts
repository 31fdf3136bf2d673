// Dumps of large clusters as kubectl prints them, for benchmarks and for the test of what they cost in memory.

import { closeSync, openSync, writeSync } from 'node:fs'

const SERVICES_PER_NAMESPACE = 100
const TIME = '2026-11-22T08:36:13Z'

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

/** Writes a dump as `kubectl get ns,svc,endpointslices -A -o yaml` prints it; endpoints are spread evenly. */
export function writeYaml(path: string, serviceCount: number, endpointCount: number): void {
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

/** The same with `-o json`. */
export function writeJson(path: string, serviceCount: number, endpointCount: number): void {
  const file = openSync(path, 'w')
  let separator = '{\n    "apiVersion": "v1",\n    "items": [\n'
  for (const object of objectsOf(serviceCount, endpointCount)) {
    writeSync(file, separator + JSON.stringify(object, null, 4).replace(/^/gm, '        '))
    separator = ',\n'
  }
  writeSync(file, '\n    ],\n    "kind": "List",\n    "metadata": {\n        "resourceVersion": ""\n    }\n}\n')
  closeSync(file)
}
