// The tuples (address, port, target) of a name, and what they look like as records: the definition that A, AAAA and SRV of
// every Service follow. Not here: which tuples a name has (schema.ts, okd-schema.ts).

import { canonicalAddress } from './address.ts'
import type { LabelOf } from './endpoint-label.ts'
import type { Endpoint, EndpointSlice, Port } from './objects.ts'
import type { Labels, OwnerRecords, SrvRecord } from './records.ts'

/** The part of a slice that a name is made of. */
export type SliceView = Pick<EndpointSlice, 'ports' | 'endpoints'>

/** One endpoint name: its tuples are all those of the endpoints with its label. */
export interface EndpointName {
  readonly owner: Labels
  /** Distinct, canonical. */
  addresses: string[]
  /** Distinct by port; `target` is `owner`. They list the addresses that come with a port. */
  readonly srv: SrvRecord[]
  /** Tuples before duplicates are dropped. */
  tupleCount: number
  /** The first endpoint that has the name. */
  readonly endpoint: Endpoint
}

const NONE: readonly never[] = []
const LOOKED_THROUGH_MAX = 16

/** A name that exists and holds nothing by itself. */
export function emptyOwner(owner: Labels): OwnerRecords {
  return { owner, addresses: NONE, srv: NONE, srvWeight: 0, cname: '', txt: NONE, wildcard: '', addressBelow: false }
}

/**
 * A name with addresses and SRV records.
 *
 * @param tupleCount of the name, duplicates included: the weight is a hundredth part for each, and at least 1
 */
export function addressOwner(
  owner: Labels,
  addresses: readonly string[],
  srv: readonly SrvRecord[],
  tupleCount: number,
): OwnerRecords {
  const srvWeight = srv.length === 0 ? 0 : Math.max(1, Math.floor(100 / tupleCount))
  return { owner, addresses, srv, srvWeight, cname: '', txt: NONE, wildcard: '', addressBelow: false }
}

/** What a name of a Service with cluster IPs holds: one tuple for each port and address, the target being the Service. */
export function clusterRecords(
  owner: Labels,
  target: Labels,
  addresses: readonly string[],
  ports: readonly Port[],
): OwnerRecords {
  const srv: SrvRecord[] = []
  for (const { port } of ports) {
    if (!srv.some((record) => record.port === port)) srv.push({ port, target, addresses })
  }
  return addressOwner(owner, addresses, srv, ports.length * addresses.length)
}

/** Addresses in the one spelling, each once; text that is no address is left out. */
export function distinctAddresses(texts: readonly string[]): readonly string[] {
  const addresses: string[] = []
  for (const text of texts) {
    const address = canonicalAddress(text)
    if (address !== '' && !addresses.includes(address)) addresses.push(address)
  }
  return addresses
}

/** Port label and protocol label of a named port, with their underscores. */
export function portLabels(port: Port): [string, string] {
  return [`_${port.name.toLowerCase()}`, protocolLabel(port)]
}

/** `_tcp`, `_udp` or `_sctp`. */
export function protocolLabel(port: Port): string {
  return port.protocol === 'TCP' ? '_tcp' : `_${port.protocol.toLowerCase()}`
}

/** Named ports, one for each (name, protocol), of all lists together; equal ones are listed once. */
export function namedPorts(lists: readonly { readonly ports: readonly Port[] }[]): Port[] {
  const named: Port[] = []
  for (const { ports } of lists) {
    for (const port of ports) {
      if (port.name !== '' && !named.some((other) => samePortName(other, port))) named.push(port)
    }
  }
  return named
}

/** Whether two ports have the same `_P._T` name. */
export function samePortName(a: Port, b: Port): boolean {
  return a.protocol === b.protocol && a.name.toLowerCase() === b.name.toLowerCase()
}

/** The endpoint names of a Service, or of a part of its slices, in order of first appearance. */
export class EndpointNames {
  readonly names: EndpointName[] = []
  /** Tuples of all names together. */
  tupleCount = 0
  readonly #labelOf: LabelOf
  readonly #parts: { readonly parent: Labels; readonly views: readonly SliceView[] }[] = []
  #addresses: readonly string[] | null = null
  #srv: readonly SrvRecord[] | null = null

  constructor(labelOf: LabelOf) {
    this.#labelOf = labelOf
  }

  /**
   * Adds the names of `views`, directly below `parent`, before anything is asked. Names of two calls are not merged: give
   * each parent once. An endpoint whose address does not parse adds nothing.
   *
   * @returns this
   */
  add(views: readonly SliceView[], parent: Labels): this {
    const filled = views.filter((view) => view.endpoints.length > 0)
    this.#parts.push({ parent, views: filled })
    const byLabel = new NamesByLabel(this.names)
    // A slice without ports gives addresses but no SRV record. Such slices come last, so that a name knows by then whether
    // the addresses its SRV records list and its own are still the same array.
    for (const view of filled) if (view.ports.length > 0) this.#addView(view, parent, byLabel)
    for (const view of filled) if (view.ports.length === 0) this.#addView(view, parent, byLabel)
    return this
  }

  /** Whether there is no tuple at all: a name made of them must not exist. */
  get isEmpty(): boolean {
    return this.tupleCount === 0
  }

  /** Named ports, one for each (name, protocol). */
  namedPorts(): Port[] {
    return namedPorts(this.#parts.flatMap(({ views }) => views))
  }

  /** The topology zones of the endpoints, lower case, each once. */
  zones(): Set<string> {
    const zones = new Set<string>()
    for (const { views } of this.#parts) {
      for (const { endpoints } of views) {
        for (const { zone } of endpoints) if (zone !== '') zones.add(zone.toLowerCase())
      }
    }
    return zones
  }

  /** What a name with all these tuples holds, the targets being the endpoint names. */
  records(owner: Labels): OwnerRecords {
    return addressOwner(owner, this.addresses(), this.srv(), this.tupleCount)
  }

  /** What a name with the tuples of some ports holds; null if there is no such tuple. */
  recordsOfPorts(owner: Labels, keep: (port: Port) => boolean): OwnerRecords | null {
    const ports = this.#commonPorts()
    if (ports === null) {
      const ofPorts = this.#ofPorts(keep)
      return ofPorts.isEmpty ? null : ofPorts.records(owner)
    }
    // Nearly every Service: each endpoint has the same ports, so that addresses and records can be shared.
    const kept = ports.filter(keep)
    if (kept.length === 0 || this.isEmpty) return null
    const srv =
      kept.length === ports.length ? this.srv() : this.srv().filter(({ port }) => kept.some((p) => p.port === port))
    return addressOwner(owner, this.addresses(), srv, (this.tupleCount / ports.length) * kept.length)
  }

  /** The names of those endpoints alone that `keep` chooses, in the same places. */
  ofEndpoints(keep: (endpoint: Endpoint) => boolean): EndpointNames {
    return this.#derive(({ ports, endpoints }) => ({ ports, endpoints: endpoints.filter(keep) }))
  }

  /** The distinct addresses of all names. */
  addresses(): readonly string[] {
    if (this.names.length === 1) return this.names[0].addresses
    this.#addresses ??= distinctOf(this.names)
    return this.#addresses
  }

  /** The SRV records of all names: distinct by (target, port), since each name's are distinct by port. */
  srv(): readonly SrvRecord[] {
    if (this.names.length === 1) return this.names[0].srv
    if (this.#srv === null) {
      const srv: SrvRecord[] = []
      for (const name of this.names) for (const record of name.srv) srv.push(record)
      this.#srv = srv
    }
    return this.#srv
  }

  #ofPorts(keep: (port: Port) => boolean): EndpointNames {
    return this.#derive(({ ports, endpoints }) => {
      const kept = ports.filter(keep)
      return kept.length > 0 ? { ports: kept, endpoints } : { ports, endpoints: [] }
    })
  }

  #derive(change: (view: SliceView) => SliceView): EndpointNames {
    const derived = new EndpointNames(this.#labelOf)
    for (const { parent, views } of this.#parts) derived.add(views.map(change), parent)
    return derived
  }

  /** The ports of every slice, if all have the same; else null. */
  #commonPorts(): readonly Port[] | null {
    let common: readonly Port[] | null = null
    for (const { views } of this.#parts) {
      for (const { ports } of views) {
        common ??= ports
        if (!samePorts(common, ports)) return null
      }
    }
    return common
  }

  #addView(view: SliceView, parent: Labels, byLabel: NamesByLabel): void {
    const ports = view.ports
    const tuplesEach = Math.max(1, ports.length)
    for (const endpoint of view.endpoints) {
      const address = canonicalAddress(endpoint.address)
      if (address === '') continue
      const label = this.#labelOf(endpoint)
      let name = byLabel.get(label)
      if (name === undefined) {
        name = { owner: [label, ...parent], addresses: [address], srv: [], tupleCount: 0, endpoint }
        this.names.push(name)
      } else {
        addAddress(name, address, ports.length === 0)
      }
      for (const port of ports) addSrv(name, port.port)
      name.tupleCount += tuplesEach
      this.tupleCount += tuplesEach
    }
  }
}

/**
 * Finds names by label among those that are put into a list from now on. Most Services have few: looking through them makes
 * nothing, while V8 keeps every key of a Map in its table of strings, in old space, until the next full collection.
 */
class NamesByLabel {
  readonly #names: readonly EndpointName[]
  readonly #first: number
  readonly #map = new Map<string, EndpointName>()
  /** Names from #first to here are in #map. */
  #mapped: number

  constructor(names: readonly EndpointName[]) {
    this.#names = names
    this.#first = names.length
    this.#mapped = names.length
  }

  get(label: string): EndpointName | undefined {
    const names = this.#names
    if (names.length - this.#first <= LOOKED_THROUGH_MAX) {
      for (let i = this.#first; i < names.length; i++) if (names[i].owner[0] === label) return names[i]
      return undefined
    }
    for (; this.#mapped < names.length; this.#mapped++) this.#map.set(names[this.#mapped].owner[0], names[this.#mapped])
    return this.#map.get(label)
  }
}

function addAddress(name: EndpointName, address: string, portless: boolean): void {
  if (name.addresses.includes(address)) return
  // From here on the name has an address that no SRV record leads to.
  if (portless && name.srv.length > 0 && name.srv[0].addresses === name.addresses) name.addresses = [...name.addresses]
  name.addresses.push(address)
}

function addSrv(name: EndpointName, port: number): void {
  for (const record of name.srv) if (record.port === port) return
  name.srv.push({ port, target: name.owner, addresses: name.addresses })
}

function distinctOf(names: readonly EndpointName[]): readonly string[] {
  const distinct = new Set<string>()
  for (const name of names) for (const address of name.addresses) distinct.add(address)
  return [...distinct]
}

function samePorts(a: readonly Port[], b: readonly Port[]): boolean {
  if (a === b) return true
  return a.length === b.length && a.every((port, i) => port.port === b[i].port && samePortName(port, b[i]))
}
