// All records of a zone, for a zone transfer, in the order that CoreDNS sends them (cluster DNS reference §1.12). They come from the
// objects, not from the index: a transfer leaves out much of what is answered, and has weights of its own.
// Not here: who may have a transfer, and messages.

import type { ResourceRecord } from '../dns/message.ts'
import { labelsOfText, NAME_LENGTH_MAX, textOfWire, wireOfLabels } from '../dns/name.ts'
import { canonicalAddress, parseAddress } from './address.ts'
import { type ClusterState, type PackedSlices, unpackSlices } from './cluster-state.ts'
import type { LabelOf } from './endpoint-label.ts'
import { distinctAddresses, portLabels } from './endpoint-names.ts'
import type { EndpointSlice, Port, ServiceKind } from './objects.ts'
import { hasExternalAddresses, type Packed, unpackImport, unpackService } from './packed.ts'
import type { NameServer } from './record-writer.ts'
import type { Labels } from './records.ts'
import { labelsOfSlices, type SchemaOptions } from './schema.ts'

/** What a zone's names are made of. */
export type TransferContent = 'services' | 'imports' | 'external'

export interface TransferOptions {
  /** Labels of the zone, lower case. */
  readonly zone: Labels
  readonly content: TransferContent
  /** Seconds. */
  readonly ttl: number
  readonly serial: number
  /** The name server's own name, below the zone: MNAME of the SOA. */
  readonly primary: Labels
  /** Of the SOA. */
  readonly soaTtl: number
  /** Labels of RNAME, below the zone. */
  readonly mailbox: Labels
  /** NS records, targets below the zone. */
  readonly nameServers: readonly NameServer[]
  /** Whether namespaces are out of reach: nothing of theirs is sent. */
  readonly isHidden: (namespace: string) => boolean
  /** `external`: Services without external addresses are known by their endpoints. */
  readonly headless: boolean
  readonly schema: SchemaOptions
}

/** One object, as it was when the transfer began. */
interface Source {
  readonly namespace: string
  readonly name: string
  readonly packed: Packed
  readonly slices: PackedSlices
}

/** What of a Service or an import is sent. */
interface Served {
  readonly kind: ServiceKind
  readonly addresses: readonly string[]
  /** Absolute names beside the addresses, or in place of them. */
  readonly hosts: readonly string[]
  readonly ports: readonly Port[]
}

const CLASS_IN = 1
const TYPE_A = 1
const TYPE_NS = 2
const TYPE_CNAME = 5
const TYPE_SOA = 6
const TYPE_AAAA = 28
const TYPE_SRV = 33
const [REFRESH, RETRY, EXPIRE] = [7200, 1800, 86400]
const WEIGHT = 100
const NO_SLICES: PackedSlices = new Map()
const NONE: readonly never[] = []

/**
 * The records of a zone from SOA to SOA. They are those of the moment of this call, however long it takes to read them: packed
 * objects do not change, so that remembering them costs a few words each.
 */
export function transferRecords(state: ClusterState, options: TransferOptions): Generator<ResourceRecord, void, void> {
  return recordsOf(sourcesOf(state, options), options)
}

/** Exposed objects, sorted by name. */
function sourcesOf(state: ClusterState, { content, schema, isHidden }: TransferOptions): Source[] {
  const sources: Source[] = []
  const ofImports = content === 'imports'
  for (const [namespace, name, packed] of state.objects(ofImports ? 'imports' : 'services')) {
    if (!state.isExposed(namespace) || isHidden(namespace)) continue
    const key = `${namespace}/${name}`
    // Only headless ones are known by their endpoints.
    const needsSlices = packed[0] === 'H' && !schema.noEndpoints
    const slices = !needsSlices ? NO_SLICES : ofImports ? state.slicesOfImport(key) : state.slicesOf(key)
    sources.push({ namespace, name, packed, slices })
  }
  return sources.sort((a, b) => compare(a.name, b.name) || compare(a.namespace, b.namespace))
}

function* recordsOf(sources: readonly Source[], options: TransferOptions): Generator<ResourceRecord, void, void> {
  const writer = new TransferWriter(options)
  const soa = writer.soa()
  yield soa
  const { nameServers } = options
  for (const { target } of nameServers) writer.name([], TYPE_NS, target)
  for (const { target, addresses } of nameServers) for (const address of addresses) writer.address(target, address)
  yield* writer.taken()
  for (const source of sources) {
    sendSource(writer, source, options)
    yield* writer.taken()
  }
  yield soa
}

function sendSource(writer: TransferWriter, source: Source, options: TransferOptions): void {
  const parent = [source.name.toLowerCase(), source.namespace.toLowerCase()]
  if (options.content !== 'external') parent.push('svc')
  const served = servedOf(source, options)
  if (served.kind === 'ClusterIP') sendAddresses(writer, parent, served)
  else if (served.kind === 'ExternalName') sendExternalName(writer, parent, served)
  else if (served.kind === 'Headless')
    sendEndpoints(writer, parent, unpackSlices(source.namespace, source.slices), options)
}

/** What a zone of that content sees of an object. */
function servedOf({ namespace, name, packed }: Source, { content, headless }: TransferOptions): Served {
  if (content === 'imports') {
    const { kind, clusterIPs, ports } = unpackImport(namespace, name, packed)
    // Without ports an import has no names.
    const addresses = ports.length === 0 ? NONE : clusterIPs
    return { kind, addresses: distinctAddresses(addresses), hosts: NONE, ports }
  }
  const { kind, clusterIPs, externalName, externalAddresses, ports } = unpackService(namespace, name, packed)
  if (content === 'services') {
    const hosts = kind === 'ExternalName' ? [externalName] : NONE
    return { kind, addresses: distinctAddresses(clusterIPs), hosts, ports }
  }
  if (kind === 'Pending' || !hasExternalAddresses(packed)) {
    return { kind: headless && kind === 'Headless' ? kind : 'Pending', addresses: NONE, hosts: NONE, ports }
  }
  const hosts = externalAddresses.filter((text) => canonicalAddress(text) === '')
  return { kind: 'ClusterIP', addresses: distinctAddresses(externalAddresses), hosts, ports }
}

/** `S` and `_P._T.S` of a Service with addresses. A CNAME stands alone: in a zone that is sent, no SRV is beside it. */
function sendAddresses(writer: TransferWriter, parent: Labels, { addresses, hosts, ports }: Served): void {
  const foreign = hosts.map((host) => labelsOfText(host))
  for (const address of addresses) writer.address(parent, address)
  const isAlias = addresses.length === 0 && foreign.length > 0
  if (isAlias) writer.absolute(parent, TYPE_CNAME, foreign[0])
  for (const port of ports) {
    for (const owner of port.name === '' ? [parent] : [parent, [...portLabels(port), ...parent]]) {
      if (isAlias && owner === parent) continue
      if (addresses.length > 0) writer.srv(owner, WEIGHT, port.port, parent)
      for (const target of foreign) writer.foreignSrv(owner, WEIGHT, port.port, target)
    }
  }
}

function sendExternalName(writer: TransferWriter, parent: Labels, { hosts: [target] }: Served): void {
  if (target !== '' && canonicalAddress(target) === '') writer.absolute(parent, TYPE_CNAME, labelsOfText(target))
}

/** `S`, `E.S` and `_P._T.S` of a headless Service; of an import `E.C.S`, which needs slices that name their cluster. */
function sendEndpoints(
  writer: TransferWriter,
  parent: Labels,
  slices: readonly EndpointSlice[],
  { content, schema }: TransferOptions,
): void {
  const labelOf = labelsOfSlices(slices, content === 'external' ? { ...schema, okd: null } : schema)
  for (const slice of slices) {
    const { cluster } = slice
    if (content !== 'imports') sendSlice(writer, parent, parent, slice, labelOf)
    else if (cluster !== '' && cluster[0] !== '_') {
      sendSlice(writer, parent, [cluster.toLowerCase(), ...parent], slice, labelOf)
    }
  }
}

function sendSlice(
  writer: TransferWriter,
  parent: Labels,
  above: Labels,
  { endpoints, ports }: EndpointSlice,
  labelOf: LabelOf,
): void {
  const weight = Math.max(1, Math.floor(100 / endpoints.length))
  for (const endpoint of endpoints) {
    const owner = [labelOf(endpoint), ...above]
    if (!writer.address(parent, endpoint.address)) continue
    writer.address(owner, endpoint.address)
    for (const port of ports) {
      if (port.name !== '') writer.srv([...portLabels(port), ...parent], weight, port.port, owner)
    }
  }
}

/** Collects the records of one object, each once: an RRset holds no record twice (RFC 2181 §5). */
class TransferWriter {
  readonly #options: TransferOptions
  readonly #octets = new Uint8Array(16)
  #records: ResourceRecord[] = []
  #known = new Set<string>()

  constructor(options: TransferOptions) {
    this.#options = options
  }

  soa(): ResourceRecord {
    const { zone, primary, mailbox, ttl, soaTtl, serial } = this.#options
    const names = Buffer.concat([this.#wire(primary), this.#wire(mailbox)])
    const rdata = new Uint8Array(names.length + 20)
    rdata.set(names)
    const view = new DataView(rdata.buffer, names.length)
    for (const [i, value] of [serial, REFRESH, RETRY, EXPIRE, ttl].entries()) view.setUint32(4 * i, value)
    return { owner: textOfWire(wireOfLabels(zone)), type: TYPE_SOA, class: CLASS_IN, ttl: soaTtl, rdata }
  }

  /** What was collected since the last time. */
  taken(): readonly ResourceRecord[] {
    const records = this.#records
    this.#records = []
    this.#known = new Set()
    return records
  }

  /** @returns false if `text` is no address */
  address(owner: Labels, text: string): boolean {
    const length = parseAddress(text, this.#octets)
    if (length === 0) return false
    this.#push(owner, length === 4 ? TYPE_A : TYPE_AAAA, this.#octets.slice(0, length))
    return true
  }

  /** A record whose RDATA is a name in the zone. */
  name(owner: Labels, type: number, target: Labels): void {
    this.#push(owner, type, this.#wire(target))
  }

  /** A record whose RDATA is a name anywhere. */
  absolute(owner: Labels, type: number, target: Labels): void {
    this.#push(owner, type, wireOfLabels(target))
  }

  srv(owner: Labels, weight: number, port: number, target: Labels): void {
    this.#push(owner, TYPE_SRV, srvData(weight, port, this.#wire(target)))
  }

  foreignSrv(owner: Labels, weight: number, port: number, target: Labels): void {
    this.#push(owner, TYPE_SRV, srvData(weight, port, wireOfLabels(target)))
  }

  #push(owner: Labels, type: number, rdata: Uint8Array): void {
    const wire = this.#wire(owner)
    // Below a very long zone a name may be too long: it cannot be asked for either.
    if (wire.length > NAME_LENGTH_MAX) return
    const record = { owner: textOfWire(wire), type, class: CLASS_IN, ttl: this.#options.ttl, rdata }
    const key = `${record.owner} ${type} ${Buffer.from(rdata.buffer, rdata.byteOffset, rdata.length).toString('latin1')}`
    if (this.#known.size === this.#known.add(key).size) return
    this.#records.push(record)
  }

  #wire(labels: Labels): Uint8Array {
    return wireOfLabels([...labels, ...this.#options.zone])
  }
}

/** RFC 2782; priority 0. */
function srvData(weight: number, port: number, target: Uint8Array): Uint8Array {
  const rdata = new Uint8Array(6 + target.length)
  const view = new DataView(rdata.buffer)
  view.setUint16(2, weight)
  view.setUint16(4, port)
  rdata.set(target, 6)
  return rdata
}

/** As the index has it: by code units, whatever the locale. */
function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
