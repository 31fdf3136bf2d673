// The zones of k8s_external in the index: names of what can be reached from outside, beside the zones of the cluster itself.
// Not here: which names those are (external-schema.ts).

import { labelsOfText } from '../dns/name.ts'
import type { IndexWriter } from '../index/writer.ts'
import { type ClusterState, namespaceOf, type PackedSlices, unpackSlices } from './cluster-state.ts'
import { distinctAddresses, emptyOwner } from './endpoint-names.ts'
import {
  type ExternalSchema,
  externalClaims,
  externalNameServer,
  externalNamespaceRecords,
  externalRecords,
  isHidden,
} from './external-schema.ts'
import type { NameServers } from './name-servers.ts'
import { hasExternalAddresses, type Packed, unpackService } from './packed.ts'
import { type NameServer, RecordWriter, type WritableZone } from './record-writer.ts'
import type { OwnerRecords, ReverseClaim } from './records.ts'
import type { SchemaOptions } from './schema.ts'
import type { TransferOptions } from './transfer-records.ts'
import { writeClaims, writeDifference } from './zone-changes.ts'

/** The configuration of k8s_external. */
export interface ExternalOptions {
  /** Forward and reverse ones, in order of configuration, without final dot. */
  readonly zones: readonly string[]
  /** The subtree of the name server: `dns`. */
  readonly apex: string
  /** Seconds, 0..3600. */
  readonly ttl: number
  readonly headless: boolean
}

/** What a Service is outside of the cluster. */
interface Outside {
  readonly records: readonly OwnerRecords[]
  readonly claims: readonly ReverseClaim[]
}

const NOTHING: Outside = { records: [], claims: [] }
const REVERSE_TREES: readonly string[] = ['in-addr.arpa', 'ip6.arpa']

/** Whether a zone is one of addresses. */
export function isReverseZone(zone: string): boolean {
  const text = zone.toLowerCase()
  return REVERSE_TREES.some((tree) => text === tree || text.endsWith(`.${tree}`))
}

export class ExternalZones {
  /** In the order of the options. */
  readonly zones: readonly WritableZone[]
  readonly #schema: ExternalSchema
  readonly #noEndpoints: boolean
  readonly #records: RecordWriter
  readonly #forward: readonly WritableZone[]
  readonly #reverse: readonly WritableZone[]
  /** Addresses of the name server that are written, as text. */
  #written = ''

  /** @param apexes  of `options.zones` in an index that was restored; none: they are made. @throws RegionFullError, NameError */
  constructor(writer: IndexWriter, options: ExternalOptions, schema: SchemaOptions, apexes: readonly number[]) {
    const { apex, ttl, headless } = options
    this.#schema = { apex: labelsOfText(apex.toLowerCase()), headless, labels: schema }
    this.#noEndpoints = schema.noEndpoints
    this.#records = new RecordWriter(writer, { singlePointer: false, canonicalPods: false })
    this.zones = options.zones.map((text, i) => {
      const labels = labelsOfText(text).map((label) => label.toLowerCase())
      return { labels, apex: apexes[i] ?? writer.addZone(), ttl }
    })
    this.#forward = this.zones.filter((_, i) => !isReverseZone(options.zones[i]))
    this.#reverse = this.zones.filter((_, i) => isReverseZone(options.zones[i]))
  }

  /** One namespace is exposed, or not any more. @throws RegionFullError */
  writeNamespace(namespace: string, isExposed: boolean): void {
    for (const records of externalNamespaceRecords(namespace, this.#schema)) {
      for (const zone of this.#forward) {
        if (isExposed) this.#records.set(zone, records)
        else this.#records.clear(zone, records.owner)
      }
    }
  }

  /** One Service as it was and as it is; undefined: not there, or not exposed. @throws RegionFullError */
  writeService(
    key: string,
    before: Packed | undefined,
    slicesBefore: PackedSlices,
    after: Packed | undefined,
    slicesAfter: PackedSlices,
  ): void {
    const old = this.#outside(key, before, slicesBefore)
    const fresh = this.#outside(key, after, slicesAfter)
    if (old === NOTHING && fresh === NOTHING) return
    for (const zone of this.#forward) writeDifference(this.#records, zone, old.records, fresh.records)
    // A PTR leads to the first zone.
    const [first] = this.#forward
    if (first !== undefined) writeClaims(this.#records, this.#reverse, first, old.claims, fresh.claims)
  }

  /**
   * NS of every apex, and the name server's own name: with the external addresses of its Services, or those that it listens on.
   * @throws RegionFullError
   */
  writeNameServer(state: ClusterState, nameServers: NameServers): void {
    const server = this.#nameServer(state, nameServers)
    const summary = `at ${server.addresses.join()}`
    if (summary === this.#written) return
    for (const zone of this.zones) {
      this.#records.set(zone, { ...emptyOwner(server.target), addresses: server.addresses })
      // In a reverse zone nobody would look for addresses.
      const home = this.#reverse.includes(zone) ? (this.#forward[0] ?? zone) : zone
      this.#records.setNameServers(zone, home, [server])
    }
    this.#written = summary
  }

  /** What a transfer of a zone is like; null: it is none of these, or one of addresses. */
  transferOf(
    zone: WritableZone,
    state: ClusterState,
    nameServers: NameServers,
  ): Omit<TransferOptions, 'serial' | 'schema'> | null {
    if (!this.#forward.includes(zone)) return null
    const server = this.#nameServer(state, nameServers)
    return {
      zone: zone.labels,
      content: 'external',
      ttl: zone.ttl,
      soaTtl: zone.ttl,
      primary: server.target,
      mailbox: ['hostmaster', ...this.#schema.apex],
      nameServers: [server],
      isHidden: (namespace) => isHidden(namespace, this.#schema),
      headless: this.#schema.headless,
    }
  }

  #nameServer(state: ClusterState, { services, listenAddresses }: NameServers): NameServer {
    const external = services.flatMap((key) => state.service(key)?.externalAddresses ?? [])
    const addresses = services.length === 0 ? listenAddresses : distinctAddresses(external)
    return { target: externalNameServer(this.#schema), addresses }
  }

  /** A transaction has ended: names may be gone. */
  forgetNames(): void {
    this.#records.forgetNames()
  }

  /** A transaction was taken back. */
  abort(): void {
    this.#written = ''
    this.forgetNames()
  }

  /** A Service that nobody can reach from outside costs one look at its packed form. */
  #outside(key: string, object: Packed | undefined, slices: PackedSlices): Outside {
    if (object === undefined) return NOTHING
    const isReachable = hasExternalAddresses(object)
    if (!isReachable && (!this.#schema.headless || this.#noEndpoints || slices.size === 0)) return NOTHING
    const namespace = namespaceOf(key)
    const service = unpackService(namespace, key.slice(namespace.length + 1), object)
    const endpoints = isReachable ? [] : unpackSlices(namespace, slices)
    return {
      records: externalRecords(service, endpoints, this.#schema),
      claims: externalClaims(service, this.#schema),
    }
  }
}
