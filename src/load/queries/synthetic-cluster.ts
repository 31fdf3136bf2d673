// The cluster that is served in a measurement: a pure function of its size, written down twice. As manifests for
// Peregrine and as a zone file for its peers, both streamed, so that a million names never stand in memory as objects.
// One eighth of the Services is headless with hostnames and both families (StatefulSets), one eighth is a dual-stack
// ClusterIP, the rest a ClusterIP of IPv4; endpoints without a hostname are named by their dashed address.

import { closeSync, mkdirSync, openSync, writeSync } from 'node:fs'
import { join } from 'node:path'

/** The zone everything is in, without the trailing dot. */
export const ZONE = 'cluster.local'

/** How large a cluster is. Names = services * (1 + endpointsPerService). */
export interface ClusterSize {
  /** What the tables call it. */
  readonly label: string
  /** 1..100,000. */
  readonly services: number
  /** 1..100: what one EndpointSlice holds. */
  readonly endpointsPerService: number
  /** Services are dealt over so many namespaces in turn. */
  readonly namespaces: number
}

/** The sizes the goals speak of. */
export const SIZES: readonly ClusterSize[] = [
  { label: '1k', services: 91, endpointsPerService: 10, namespaces: 7 },
  { label: '1.1M', services: 100_000, endpointsPerService: 10, namespaces: 1_000 },
]

/** One Service as both files describe it. */
export interface ServiceModel {
  readonly name: string
  readonly namespace: string
  /** Empty for a headless one. */
  readonly clusterIps: readonly string[]
  readonly endpoints: readonly EndpointModel[]
}

/** One endpoint: its label below the Service and its addresses, at most one of each family. */
export interface EndpointModel {
  readonly label: string
  /** '' = named by its dashed address. */
  readonly hostname: string
  readonly ipv4: string
  /** '' = none. */
  readonly ipv6: string
}

/** The port every Service has: named http, TCP; the endpoints listen on 8080. */
const SERVICE_PORT = 80
const ENDPOINT_PORT = 8080

const WORDS = 'cart checkout billing search profile media ledger mailer stock quote audit gateway session feed'.split(
  ' ',
)
const ROLES = 'api worker db cache web proxy sync'.split(' ')

/** How many names a cluster of this size has: Services and endpoint names. */
export function nameCount(size: ClusterSize): number {
  return size.services * (1 + size.endpointsPerService)
}

/** The namespace of that index, 0..size.namespaces-1. */
export function namespaceName(index: number): string {
  return `${WORDS[index % WORDS.length]}-team-${index}`
}

/** The Service of that index, 0..size.services-1. */
export function serviceModel(size: ClusterSize, index: number): ServiceModel {
  const name = `${WORDS[(index * 5) % WORDS.length]}-${ROLES[(index * 3) % ROLES.length]}-${index}`
  const headless = index % 8 === 0
  const dual = index % 4 === 0
  const clusterIps = headless ? [] : [ipv4(0x0a60_0010 + index)]
  if (dual && !headless) clusterIps.push(ipv6('fd00:10:96', index + 16))
  const endpoints: EndpointModel[] = []
  for (let e = 0; e < size.endpointsPerService; e++) {
    const number = index * size.endpointsPerService + e
    const address = ipv4(0x0a80_0100 + number)
    const hostname = headless ? `${name}-${e}` : ''
    endpoints.push({
      label: hostname || address.replaceAll('.', '-'),
      hostname,
      ipv4: address,
      ipv6: headless ? ipv6('fd00:10:128', number + 256) : '',
    })
  }
  return { name, namespace: namespaceName(index % size.namespaces), clusterIps, endpoints }
}

/**
 * Writes the cluster as a folder of JSON Lists of a few thousand objects each.
 *
 * @returns the folder
 */
export function writeManifests(size: ClusterSize, folder: string): string {
  mkdirSync(folder, { recursive: true })
  const perFile = 5_000
  let namespaceLines: object[] = []
  for (let n = 0; n < size.namespaces; n++) namespaceLines.push(named('v1', 'Namespace', namespaceName(n)))
  for (let first = 0, file = 0; first < size.services; first += perFile, file++) {
    const out = lineWriter(join(folder, `cluster-${String(file).padStart(3, '0')}.json`))
    out.write('{"apiVersion":"v1","kind":"List","items":[')
    let separator = ''
    const item = (object: object) => {
      out.write(separator + JSON.stringify(object))
      separator = ','
    }
    for (const object of namespaceLines) item(object)
    namespaceLines = []
    for (let i = first; i < Math.min(first + perFile, size.services); i++) {
      for (const object of serviceObjects(serviceModel(size, i))) item(object)
    }
    out.write(']}')
    out.close()
  }
  return folder
}

/**
 * Writes the same names as the zone file of `cluster.local`: A, AAAA and SRV of Services and endpoints, SRV of the port.
 *
 * @returns the path
 */
export function writeZone(size: ClusterSize, path: string): string {
  const out = lineWriter(path)
  out.write(`$ORIGIN ${ZONE}.\n$TTL 5`)
  out.write('@ IN SOA ns.dns hostmaster 1 7200 1800 86400 5')
  out.write('@ IN NS ns.dns')
  out.write('ns.dns IN A 127.0.0.1')
  out.write('dns-version 28800 IN TXT "1.1.0"')
  for (let i = 0; i < size.services; i++) writeServiceRecords(out.write, serviceModel(size, i))
  out.close()
  return path
}

function writeServiceRecords(write: (line: string) => void, service: ServiceModel): void {
  const owner = `${service.name}.${service.namespace}.svc`
  const headless = service.clusterIps.length === 0
  for (const address of service.clusterIps) write(addressRecord(owner, address))
  // The weight a Service of that many tuples has in the schema.
  const tuples = headless ? service.endpoints.length * 2 : service.clusterIps.length
  const weight = Math.max(1, Math.floor(100 / tuples))
  if (!headless) {
    write(`${owner} IN SRV 0 ${weight} ${SERVICE_PORT} ${owner}`)
    write(`_http._tcp.${owner} IN SRV 0 ${weight} ${SERVICE_PORT} ${owner}`)
  }
  for (const endpoint of service.endpoints) {
    const target = `${endpoint.label}.${owner}`
    for (const address of [endpoint.ipv4, endpoint.ipv6]) {
      if (address === '') continue
      write(addressRecord(target, address))
      if (headless) write(addressRecord(owner, address))
    }
    write(`${target} IN SRV 0 ${endpoint.ipv6 ? 50 : 100} ${ENDPOINT_PORT} ${target}`)
    if (headless) write(`${owner} IN SRV 0 ${weight} ${ENDPOINT_PORT} ${target}`)
    if (headless) write(`_http._tcp.${owner} IN SRV 0 ${weight} ${ENDPOINT_PORT} ${target}`)
  }
}

function addressRecord(owner: string, address: string): string {
  return `${owner} IN ${address.includes(':') ? 'AAAA' : 'A'} ${address}`
}

function named(apiVersion: string, kind: string, name: string, namespace?: string, labels?: object): object {
  return { apiVersion, kind, metadata: { name, namespace, labels } }
}

/** The Service and its EndpointSlices, one for each family its endpoints have. */
function serviceObjects(service: ServiceModel): object[] {
  const { name, namespace, clusterIps, endpoints } = service
  const families = clusterIps.length === 1 ? ['IPv4'] : ['IPv4', 'IPv6']
  const spec = {
    type: 'ClusterIP',
    clusterIP: clusterIps[0] ?? 'None',
    clusterIPs: clusterIps.length ? clusterIps : ['None'],
    ipFamilies: families,
    ports: [{ name: 'http', protocol: 'TCP', port: SERVICE_PORT, targetPort: ENDPOINT_PORT }],
  }
  const objects: object[] = [{ ...named('v1', 'Service', name, namespace), spec }]
  for (const addressType of ['IPv4', 'IPv6']) {
    const entries = []
    for (const endpoint of endpoints) {
      const address = addressType === 'IPv4' ? endpoint.ipv4 : endpoint.ipv6
      if (address === '') continue
      entries.push({ addresses: [address], conditions: { ready: true }, hostname: endpoint.hostname || undefined })
    }
    if (entries.length === 0) continue
    const sliceName = `${name}-${addressType.toLowerCase()}`
    objects.push({
      ...named('discovery.k8s.io/v1', 'EndpointSlice', sliceName, namespace, { 'kubernetes.io/service-name': name }),
      addressType,
      ports: [{ name: 'http', protocol: 'TCP', port: ENDPOINT_PORT }],
      endpoints: entries,
    })
  }
  return objects
}

function ipv4(value: number): string {
  return `${value >>> 24}.${(value >>> 16) & 255}.${(value >>> 8) & 255}.${value & 255}`
}

/** `prefix::high:low`, in the canonical form of RFC 5952. `value` 16..2^32-1. */
function ipv6(prefix: string, value: number): string {
  const high = value >>> 16
  return high === 0
    ? `${prefix}::${value.toString(16)}`
    : `${prefix}::${high.toString(16)}:${(value & 0xffff).toString(16)}`
}

/** Lines gathered to a megabyte a write. */
function lineWriter(path: string): { write: (line: string) => void; close: () => void } {
  const file = openSync(path, 'w')
  let lines: string[] = []
  let gathered = 0
  const flush = () => {
    lines.push('')
    writeSync(file, lines.join('\n'))
    lines = []
    gathered = 0
  }
  const write = (line: string) => {
    lines.push(line)
    gathered += line.length + 1
    if (gathered > 1_000_000) flush()
  }
  const close = () => {
    flush()
    closeSync(file)
  }
  return { write, close }
}
