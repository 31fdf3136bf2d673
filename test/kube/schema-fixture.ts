// Shortened objects, as the reference writes them, to trimmed ones; and a slow, obvious look-up over OwnerRecords that says
// what a query would get, as text. For tests of the schema only: the real look-up is the index's.

import { load } from 'js-yaml'
import { addressFamily, canonicalAddress, reverseName } from '../../src/kube/address.ts'
import type { EndpointSlice, Port, Service, ServiceImport } from '../../src/kube/objects.ts'
import type { OwnerRecords, ReverseClaim, SrvRecord } from '../../src/kube/records.ts'
import {
  importRecords,
  namespaceRecords,
  openshiftAlias,
  podRecords,
  type SchemaOptions,
  serviceClaims,
  serviceRecords,
  zoneRecords,
} from '../../src/kube/schema.ts'

export interface Fixture {
  namespaces: string[]
  services: Service[]
  slices: EndpointSlice[]
  imports: ServiceImport[]
  pods: { namespace: string; name: string; addresses: string[] }[]
}

export const PLAIN: SchemaOptions = {
  pods: 'disabled',
  endpointPodNames: false,
  ignoreEmptyService: false,
  noEndpoints: false,
  zonal: false,
  okd: null,
}

export const OKD: SchemaOptions = { ...PLAIN, okd: { wildcard: true, shortNames: false, openshiftAlias: true } }

// biome-ignore lint/suspicious/noExplicitAny: what a parser of YAML returns
type Parsed = any

/** `web:80/TCP`; `-:80/TCP` has no name. */
function port(text: string): Port {
  const [, name, number, protocol] = /^(.*):(\d+)\/(\w+)$/.exec(text)!
  return { name: name === '-' ? '' : name, port: Number(number), protocol: protocol as Port['protocol'] }
}

function entries(object: Parsed): [namespace: string, name: string, value: Parsed][] {
  return Object.entries(object ?? {}).map(([key, value]) => [...(key.split('/') as [string, string]), value])
}

/** Reads a fixture in the shorthand of cluster-dns.md §5. */
export function fixture(yaml: string): Fixture {
  const source = load(yaml) as Parsed
  const services = entries(source.services).map(([namespace, name, value]): Service => {
    const headless = value.clusterIPs === 'None'
    const kind = value.type === 'ExternalName' ? 'ExternalName' : headless ? 'Headless' : 'ClusterIP'
    return {
      namespace,
      name,
      kind: value.pending ? 'Pending' : kind,
      clusterIPs: headless ? [] : (value.clusterIPs ?? []),
      externalName: value.externalName ?? '',
      ports: (value.ports ?? []).map(port),
      externalAddresses: value.external ?? [],
      createdAt: value.createdAt ?? 0,
    }
  })
  const slices = entries(source.slices).map(
    ([namespace, name, value]): EndpointSlice => ({
      namespace,
      name,
      serviceName: value.for ?? '',
      importName: value.import ?? '',
      cluster: value.cluster ?? '',
      ports: (value.ports ?? []).map(port),
      endpoints: value.endpoints
        .filter((endpoint: Parsed) => endpoint.ready !== false)
        .flatMap((endpoint: Parsed) =>
          endpoint.a.map((address: string) => ({
            address,
            hostname: endpoint.hostname ?? '',
            podName: endpoint.pod ?? '',
            zone: endpoint.zone ?? '',
          })),
        ),
      createdAt: 0,
    }),
  )
  const imports = entries(source.imports).map(
    ([namespace, name, value]): ServiceImport => ({
      namespace,
      name,
      kind: value.type === 'Headless' ? 'Headless' : 'ClusterIP',
      clusterIPs: value.ips ?? [],
      ports: (value.ports ?? []).map(port),
    }),
  )
  const pods = entries(source.pods).map(([namespace, name, value]) => ({ namespace, name, addresses: [value.ip] }))
  return { namespaces: source.namespaces ?? [], services, slices, imports, pods }
}

/** Slices of one Service. */
export function slicesOf({ slices }: Fixture, service: { namespace: string; name: string }): EndpointSlice[] {
  return slices.filter((slice) => slice.namespace === service.namespace && slice.serviceName === service.name)
}

/** All owners of a zone. */
export function zoneOwners(objects: Fixture, options: SchemaOptions): OwnerRecords[] {
  const known = objects.services.filter(({ namespace }) => objects.namespaces.includes(namespace))
  const kubernetes = known.find(({ namespace, name }) => namespace === 'default' && name === 'kubernetes')
  return [
    ...zoneRecords(options),
    ...objects.namespaces.flatMap((namespace) => namespaceRecords(namespace, options)),
    ...known.flatMap((service) => serviceRecords(service, slicesOf(objects, service), options)),
    ...objects.pods.flatMap((pod) => podRecords(pod, options)),
    ...(kubernetes ? openshiftAlias(kubernetes, slicesOf(objects, kubernetes), options) : []),
  ]
}

/** All owners of a multicluster zone. */
export function importOwners(objects: Fixture, options: SchemaOptions): OwnerRecords[] {
  return [
    ...zoneRecords(options),
    ...objects.namespaces.flatMap((namespace) => namespaceRecords(namespace, options)),
    ...objects.imports.flatMap((imported) =>
      importRecords(
        imported,
        objects.slices.filter((s) => s.namespace === imported.namespace && s.importName === imported.name),
        options,
      ),
    ),
  ]
}

/** All claims of a cluster. */
export function allClaims(objects: Fixture, options: SchemaOptions): ReverseClaim[] {
  return objects.services
    .filter(({ namespace }) => objects.namespaces.includes(namespace))
    .flatMap((service) => serviceClaims(service, slicesOf(objects, service), options))
}

/** One owner as zone-file lines, without TTL and class: what tables compare. */
export function lines(records: OwnerRecords, zone = 'cluster.local'): string[] {
  const owner = records.owner.join('.')
  const found = [...rdata(records, '', zone), ...additional(records.srv, zone).map((text) => `+ ${text}`)]
  if (found.length === 0) found.push(records.addressBelow ? 'below' : 'ENT')
  return found.map((text) => `${owner}${records.wildcard && `(${records.wildcard})`} ${text}`)
}

/**
 * What a query gets: `NXDOMAIN`, `NODATA`, or the RDATA of the answer, sorted, and after ` + ` the additional section.
 *
 * @param name labels left of the zone, with dots
 */
export function query(owners: readonly OwnerRecords[], name: string, type: string, zone = 'cluster.local'): string {
  const labels = name.toLowerCase().split('.')
  const found = owners.filter(({ owner, wildcard }) => wildcard === '' && owner.join('.') === labels.join('.'))
  if (found.length > 0) return answers(found, type, zone)
  if (owners.some(({ owner }) => endsWith(owner, labels))) return 'NODATA'
  const wildcard = owners
    .filter((records) => covers(records, labels))
    .sort((a, b) => b.owner.length - a.owner.length)[0]
  if (wildcard !== undefined) return answers([wildcard], type, zone)
  const parent = owners.find(({ owner, addressBelow }) => addressBelow && owner.join('.') === labels.slice(1).join('.'))
  return parent === undefined ? 'NXDOMAIN' : podAnswer(labels[0], type)
}

function answers(found: readonly OwnerRecords[], type: string, zone: string): string {
  const answer = found.flatMap((records) => rdata(records, type, zone))
  if (answer.length === 0) return 'NODATA'
  const more = type === 'SRV' ? additional(found[0].srv, zone) : []
  return [answer.sort().join('; '), ...(more.length > 0 ? [more.sort().join('; ')] : [])].join(' + ')
}

function endsWith(owner: readonly string[], labels: readonly string[]): boolean {
  return owner.length > labels.length && owner.slice(-labels.length).join('.') === labels.join('.')
}

function covers({ owner, wildcard }: OwnerRecords, labels: readonly string[]): boolean {
  if (wildcard === '' || !endsWith(labels, owner.slice(1))) return false
  const left = labels.slice(0, labels.length - owner.length + 1)
  return wildcard === 'any' || (left.some((label) => !label.startsWith('_')) && left.at(-1) !== '_endpoints')
}

function podAnswer(label: string, type: string): string {
  const four = label.split('-').length === 4 && !label.includes('--')
  const address = canonicalAddress(label.replaceAll('-', four ? '.' : ':'))
  if (address === '') return 'NXDOMAIN'
  const own = addressFamily(address) === 4 ? 'A' : 'AAAA'
  return type === own ? `${own} ${address}` : 'NODATA'
}

function rdata(records: OwnerRecords, type: string, zone: string): string[] {
  if (records.cname !== '') return ['', 'A', 'AAAA', 'CNAME'].includes(type) ? [`CNAME ${records.cname}.`] : []
  const all = [
    ...records.addresses.map(addressText),
    ...records.srv.map((srv) => `SRV 0 ${records.srvWeight} ${srv.port} ${targetText(srv, zone)}`),
    ...records.txt.map((text) => `TXT "${text}"`),
  ]
  return type === '' ? all : all.filter((text) => text.startsWith(`${type} `))
}

function additional(srv: readonly SrvRecord[], zone: string): string[] {
  const all = srv.flatMap((record) => record.addresses.map((a) => `${targetText(record, zone)} ${addressText(a)}`))
  return [...new Set(all)].sort()
}

function addressText(address: string): string {
  return `${addressFamily(address) === 4 ? 'A' : 'AAAA'} ${address}`
}

function targetText({ target }: SrvRecord, zone: string): string {
  const name = typeof target === 'string' ? `${target}.` : `${target.join('.')}.${zone}.`
  return shorten(name)
}

/** `~` and `^` as in the tables. */
function shorten(name: string): string {
  return name.replace(/\.svc\.cluster\.local\.$/, '~').replace(/\.pod\.cluster\.local\.$/, '^')
}

/** PTR by Kubernetes' rule: a cluster IP alone, else every endpoint's name. */
export function reverseQuery(claims: readonly ReverseClaim[], name: string): string {
  const labels = name.toLowerCase().replace(/\.$/, '')
  const names = claims.map((claim) => ({ ...claim, name: reverseName(claim.address).join('.') }))
  const own = names.filter((claim) => claim.name === labels)
  if (own.length === 0) return names.some((claim) => claim.name.endsWith(`.${labels}`)) ? 'NODATA' : 'NXDOMAIN'
  const best = own.some(({ rank }) => rank === 3) ? own.filter(({ rank }) => rank === 3) : own
  return [...new Set(best.map(({ target }) => `PTR ${shorten(`${target.join('.')}.cluster.local.`)}`))]
    .sort()
    .join('; ')
}

/** A row of a table: `name | types | result | answer | additional`, as the reference has them. */
export interface Row {
  name: string
  types: string[]
  expected: string
}

/** Reads rows. Names come out without `zone` and without a last dot; where no answer is given, the result is expected. */
export function rows(table: string, zone = 'cluster.local'): Row[] {
  return table
    .trim()
    .split('\n')
    .map((line) => {
      const [name, types, result, answer = '—', more = '—'] = line.split('|').map((cell) => cell.trim())
      const full = name.replace(/~$/, '.svc.cluster.local').replace(/\^$/, '.pod.cluster.local').replace(/\.$/, '')
      const sorted = (text: string): string => text.split('; ').sort().join('; ')
      // Where the owner of an additional record is left out, it is QNAME.
      const addition = more.replace(/(^|; )(A{1,4} )/g, `$1${name.toLowerCase()} $2`)
      const expected = answer === '—' ? result : sorted(answer) + (more === '—' ? '' : ` + ${sorted(addition)}`)
      return {
        name: full.toLowerCase().endsWith(`.${zone}`) ? full.slice(0, -zone.length - 1) : full,
        types: types.split(', '),
        expected,
      }
    })
}
