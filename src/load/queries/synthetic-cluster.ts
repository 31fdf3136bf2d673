// A cluster of a size, for measurements: a pure function of that size, so that servers and load tester agree on its names. It
// is written down as manifests for Peregrine and as a zone file for its peers, both streamed: a million names never stand in
// memory as objects. Not here: the names to ask for (synthetic-names.ts).
//
// One eighth of the Services is headless with hostnames and both families (StatefulSets), one eighth is a dual-stack
// ClusterIP, the rest a ClusterIP of IPv4; endpoints without a hostname are named by their dashed address.

import { closeSync, mkdirSync, openSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { LoadInputError } from '../input-error.ts'

/** The zone everything is in, without the trailing dot. */
export const ZONE = 'cluster.local'

/** How large a cluster is. Names = services + endpoints. */
export interface ClusterSize {
  /** What tables call it. */
  readonly label: string
  /** 1..SERVICES_MAX. */
  readonly services: number
  /** 0..ENDPOINTS_MAX, dealt evenly: the first ones of the Services have one more if they do not go into it. */
  readonly endpoints: number
  /** 1..services. Services are dealt over so many namespaces in turn. */
  readonly namespaces: number
}

/** Their cluster IPs are in 10.96.0.0/11. */
export const SERVICES_MAX = 1_000_000
/** Their addresses are in 10.128.0.0/9. */
export const ENDPOINTS_MAX = 8_000_000
/** The first of so many Services is headless. */
export const HEADLESS_EVERY = 8
const SERVICES_PER_NAMESPACE = 100
/** What the control plane puts into one EndpointSlice. */
const SLICE_ENDPOINTS_MAX = 100

/** The sizes the goals speak of. */
export const SIZES: readonly ClusterSize[] = [
  { label: '1k', services: 91, endpoints: 910, namespaces: 7 },
  { label: '1.1M', services: 100_000, endpoints: 1_000_000, namespaces: 1_000 },
]

/**
 * A cluster with a namespace for each hundred Services.
 *
 * @throws LoadInputError for numbers out of range
 */
export function clusterOfSize(services: number, endpoints: number): ClusterSize {
  checkNumber('Services', services, 1, SERVICES_MAX)
  checkNumber('endpoints', endpoints, 0, ENDPOINTS_MAX)
  const namespaces = Math.ceil(services / SERVICES_PER_NAMESPACE)
  return { label: `${services} Services, ${endpoints} endpoints`, services, endpoints, namespaces }
}

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

function checkNumber(what: string, value: number, min: number, max: number): void {
  if (Number.isInteger(value) && value >= min && value <= max) return
  throw new LoadInputError(`a cluster of ${value} ${what}: ${min} to ${max} can be made up`)
}

/** How many names a cluster of this size has: Services and endpoint names. */
export function nameCount(size: ClusterSize): number {
  return size.services + size.endpoints
}

/** The namespace of that index, 0..size.namespaces-1. */
export function namespaceName(index: number): string {
  return `${WORDS[index % WORDS.length]}-team-${index}`
}

/** The name of the Service of that index, 0..size.services-1. It is in the namespace of the index modulo size.namespaces. */
export function serviceName(index: number): string {
  return `${WORDS[(index * 5) % WORDS.length]}-${ROLES[(index * 3) % ROLES.length]}-${index}`
}

/** Whether the Service of that index is headless, its endpoints having hostnames and both families. */
export function isHeadless(index: number): boolean {
  return index % HEADLESS_EVERY === 0
}

/** Addresses of the Service of that index: one of each family at most, none of a headless one. */
export function clusterIpsOf(index: number): string[] {
  if (isHeadless(index)) return []
  const address = ipv4(0x0a60_0010 + index)
  return index % 4 === 0 ? [address, ipv6('fd00:10:96', index + 16)] : [address]
}

/** Endpoints are numbered Service after Service: the first one of that Service, which for size.services is size.endpoints. */
export function firstEndpoint(size: ClusterSize, index: number): number {
  const each = Math.floor(size.endpoints / size.services)
  return index * each + Math.min(index, size.endpoints % size.services)
}

/** The Service that has the endpoint of that number, 0..size.endpoints-1. */
export function serviceOfEndpoint(size: ClusterSize, number: number): number {
  const each = Math.floor(size.endpoints / size.services)
  const larger = size.endpoints % size.services
  const inLarger = larger * (each + 1)
  return number < inLarger ? Math.floor(number / (each + 1)) : larger + Math.floor((number - inLarger) / each)
}

/** The endpoint of that number, which belongs to the Service of that index. */
export function endpointModel(size: ClusterSize, index: number, number: number): EndpointModel {
  const address = ipv4(0x0a80_0100 + number)
  const hostname = isHeadless(index) ? `${serviceName(index)}-${number - firstEndpoint(size, index)}` : ''
  return {
    label: hostname || address.replaceAll('.', '-'),
    hostname,
    ipv4: address,
    ipv6: isHeadless(index) ? ipv6('fd00:10:128', number + 256) : '',
  }
}

/** The Service of that index, 0..size.services-1. */
export function serviceModel(size: ClusterSize, index: number): ServiceModel {
  const endpoints: EndpointModel[] = []
  const end = firstEndpoint(size, index + 1)
  for (let n = firstEndpoint(size, index); n < end; n++) endpoints.push(endpointModel(size, index, n))
  return {
    name: serviceName(index),
    namespace: namespaceName(index % size.namespaces),
    clusterIps: clusterIpsOf(index),
    endpoints,
  }
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

/** The Service and its EndpointSlices, of each family its endpoints have. */
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
  for (const addressType of ['IPv4', 'IPv6'] as const) {
    for (let first = 0; first < endpoints.length; first += SLICE_ENDPOINTS_MAX) {
      const part = endpoints.slice(first, first + SLICE_ENDPOINTS_MAX)
      const suffix = first === 0 ? '' : `-${first / SLICE_ENDPOINTS_MAX}`
      const slice = sliceObject(service, `${name}-${addressType.toLowerCase()}${suffix}`, addressType, part)
      if (slice !== null) objects.push(slice)
    }
  }
  return objects
}

/** Null if no endpoint has an address of that family. */
function sliceObject(
  service: ServiceModel,
  name: string,
  addressType: 'IPv4' | 'IPv6',
  endpoints: readonly EndpointModel[],
): object | null {
  const entries = []
  for (const endpoint of endpoints) {
    const address = addressType === 'IPv4' ? endpoint.ipv4 : endpoint.ipv6
    if (address === '') continue
    entries.push({ addresses: [address], conditions: { ready: true }, hostname: endpoint.hostname || undefined })
  }
  if (entries.length === 0) return null
  const labels = { 'kubernetes.io/service-name': service.name }
  return {
    ...named('discovery.k8s.io/v1', 'EndpointSlice', name, service.namespace, labels),
    addressType,
    ports: [{ name: 'http', protocol: 'TCP', port: ENDPOINT_PORT }],
    endpoints: entries,
  }
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
