// The cluster's objects kept in step with the index: what changed is worked out per Service and published at once.
// Not here: where objects come from (manifests), what names they make (schema.ts), wire form (record-writer.ts).

import type { ResourceRecord } from '../dns/message.ts'
import { labelsOfText } from '../dns/name.ts'
import { RegionFullError } from '../index/allocator.ts'
import type { IndexWriter } from '../index/writer.ts'
import { ClientNamespaces } from './client-namespaces.ts'
import {
  ClusterState,
  nameOf,
  namespaceOf,
  type PackedSlices,
  type Published,
  sameSlices,
  unpackSlices,
} from './cluster-state.ts'
import { sameLabels } from './difference.ts'
import { emptyOwner } from './endpoint-names.ts'
import { type ExternalOptions, ExternalZones } from './external-zones.ts'
import { NameServers, OWN_NAME } from './name-servers.ts'
import type { ClusterObjects } from './objects.ts'
import { type Packed, unpackImport, unpackService } from './packed.ts'
import { PodNames } from './pod-names.ts'
import { RecordWriter, type WritableZone } from './record-writer.ts'
import type { OwnerRecords, ReverseClaim } from './records.ts'
import {
  importRecords,
  namespaceRecords,
  openshiftAlias,
  type SchemaOptions,
  serviceRecordsAndClaims,
  zoneRecords,
} from './schema.ts'
import { transferRecords } from './transfer-records.ts'
import { writeClaims, writeDifference } from './zone-changes.ts'

export interface ClusterIndexOptions {
  /** Forward zones in order of configuration, without final dot; the first is the primary zone. */
  readonly zones: readonly string[]
  /** Those of `zones` whose Service tree is made of ServiceImports. */
  readonly multiclusterZones: readonly string[]
  readonly reverseZones: readonly string[]
  /** Seconds, 0..3600. */
  readonly ttl: number
  /** Only these namespaces exist; null: all. */
  readonly namespaces: readonly string[] | null
  readonly schema: SchemaOptions
  /** The server's own addresses that are not loopback. */
  readonly listenAddresses: readonly string[]
  /** Zones of k8s_external, which come after all others; absent or null: none. */
  readonly external?: ExternalOptions | null
  /** With verified Pods: the namespace of each Pod's address can be looked up (client-namespaces.ts). Absent: not. */
  readonly clients?: boolean
}

/** What one flush did. */
export interface Flush {
  /** Version published, 0 if nothing changed. */
  readonly version: number
  /** Services, imports, namespaces and pods looked at again. */
  readonly touched: number
}

const SOA_TTL_MAX = 300 // seconds
const LOAD_CHUNK = 64 // objects between two looks for names without reason to exist

/** What the schema makes of a Service and its slices. */
interface Made {
  readonly object: Packed | undefined
  readonly slices: PackedSlices
  readonly records: readonly OwnerRecords[]
  readonly claims: readonly ReverseClaim[]
}

const NOTHING_MADE: Made = { object: undefined, slices: new Map(), records: [], claims: [] }
const ALIASED: ReadonlySet<string> = new Set(['default/openshift', 'default/kubernetes']) // have a second name
const REFUSALS_MAX = 8 // of one flush: without room, trying everything would take long
const RECENT_MAX = 2 // Services: what is kept for longer grows old in the heap

export class ClusterIndex {
  /** The objects; what is changed in them the next flush() brings into the index. */
  readonly state: ClusterState
  readonly #writer: IndexWriter
  readonly #options: ClusterIndexOptions
  readonly #records: RecordWriter
  readonly #zones: WritableZone[]
  readonly #serviceZones: WritableZone[]
  readonly #importZones: WritableZone[]
  readonly #reverseZones: WritableZone[]
  readonly #external: ExternalZones | null

  /** Changed Services that there was no room for, those refused longest ago first. */
  readonly #refused = new Set<string>()
  readonly #recent = new Map<string, Made>()
  readonly #podNames: PodNames | null
  readonly #clients: ClientNamespaces | null
  #alias: OwnerRecords[] = []
  readonly #nameServers: NameServers
  /** What is written of them, as text. */
  #writtenNameServers = ''
  /** Never goes back, whatever the clock does. */
  #serial: number

  /**
   * Publishes the zones, still empty; or, with the `apexes` of an index that was restored, goes on with that: the objects that it
   * was made of must then be restored in `state`, and settled() called, before anything else.
   * @throws RegionFullError, NameError for a zone that is no name
   */
  constructor(writer: IndexWriter, options: ClusterIndexOptions, apexes: readonly number[] = []) {
    this.#writer = writer
    this.#options = options
    this.#serial = writer.serial
    this.#records = new RecordWriter(writer, {
      singlePointer: options.schema.okd !== null,
      canonicalPods: options.schema.pods === 'verified',
    })
    this.state = new ClusterState(options.namespaces)
    this.#nameServers = new NameServers(this.state, options.listenAddresses, options.schema)
    const zones = [...options.zones, ...options.reverseZones].map((text, i): WritableZone => {
      const labels = labelsOfText(text).map((label) => label.toLowerCase())
      return { labels, apex: apexes[i] ?? writer.addZone(), ttl: options.ttl }
    })
    this.#zones = zones.slice(0, options.zones.length)
    this.#reverseZones = zones.slice(options.zones.length)
    const multicluster = new Set(options.multiclusterZones)
    this.#serviceZones = this.#zones.filter((_, i) => !multicluster.has(options.zones[i]))
    this.#importZones = this.#zones.filter((_, i) => multicluster.has(options.zones[i]))
    const isVerified = options.schema.pods === 'verified'
    const external = options.external ?? null
    this.#external =
      external === null ? null : new ExternalZones(writer, external, options.schema, apexes.slice(zones.length))
    // Behind all zones: that is where readers look for it.
    this.#clients =
      isVerified && options.clients === true
        ? new ClientNamespaces(this.#records, this.#zones[0], apexes[this.zones.length] ?? writer.addZone())
        : null
    this.#podNames = isVerified ? new PodNames(this.state, this.#records, this.#zones, this.#clients) : null
    if (apexes.length > 0) return
    for (const zone of this.#zones) {
      for (const owner of zoneRecords(options.schema)) this.#records.set(zone, owner)
    }
    this.#writeNameServers()
    this.#publish(Date.now())
  }

  /** The objects that a restored index was made of are all in `state`. Publishes what depends on this server's own addresses. */
  settled(): void {
    this.#podNames?.restore()
    const { okd } = this.#options.schema
    if (okd?.openshiftAlias) this.#alias = this.#aliasRecords()
    this.#nameServers.lookAtAll()
    this.#writeNameServers()
    this.#publish(Date.now())
  }

  /** Zones in the order of their numbers: forward ones as they were given, reverse ones, those of k8s_external. */
  get zones(): readonly WritableZone[] {
    return [...this.#zones, ...this.#reverseZones, ...(this.#external?.zones ?? [])]
  }

  /** All that was made by addZone(), in that order. */
  get apexes(): readonly number[] {
    const apexes = this.zones.map(({ apex }) => apex)
    return this.#clients === null ? apexes : [...apexes, this.#clients.apex]
  }

  /**
   * All records of a zone as they are now, from SOA to SOA; null for what is no zone here, or one of addresses: those are not
   * transferred. Whether all there is is known yet, `complete` says.
   * @param zone  its name, final dot optional
   */
  transfer(zone: string): Generator<ResourceRecord, void, void> | null {
    const labels = labelsOfText(zone.toLowerCase())
    const { schema, ttl } = this.#options
    const isIt = (each: WritableZone): boolean => sameLabels(each.labels, labels)
    // The zones of k8s_external come first, as the plugin does.
    const outside = this.#external?.zones.find(isIt)
    const inside = this.#zones.find(isIt)
    const own = { schema, serial: this.#serial }
    if (outside !== undefined) {
      const options = this.#external?.transferOf(outside, this.state, this.#nameServers) ?? null
      if (options !== null) return transferRecords(this.state, { ...options, ...own })
    }
    if (inside === undefined) return null
    return transferRecords(this.state, {
      ...own,
      zone: labels,
      content: this.#importZones.includes(inside) ? 'imports' : 'services',
      ttl,
      soaTtl: Math.min(ttl, SOA_TTL_MAX),
      primary: OWN_NAME,
      mailbox: ['hostmaster'],
      nameServers: this.#nameServers.targets(),
      isHidden: () => false,
      headless: true,
    })
  }

  /** Takes `objects` for the whole state of the cluster. */
  replace(objects: ClusterObjects): void {
    this.state.replace(objects)
  }

  /** Whether a name that the index lacks does not exist: false until the objects are known to be all there are. */
  get complete(): boolean {
    return this.#writer.complete
  }
  /** Takes effect with the next flush(). */
  set complete(complete: boolean) {
    this.#writer.complete = complete
  }

  /**
   * Brings the index up to date with everything that changed, in one publication.
   * @param nowMs    time of the change, becomes the serial
   * @param loading  much has changed, or load() has been called: cheaper, but an index without room is of no use afterwards
   * @throws RegionFullError: there is no room for all of it. What is published is the last version, and each Service that
   *   there was room for by itself. The rest counts as changed still, and is tried again with the next flush
   */
  flush(nowMs: number, loading = false): Flush {
    const touched = this.state.changeCount
    if (loading) {
      this.#writer.beginLoading()
      return { version: this.#writeAll(nowMs), touched }
    }
    if (touched === 0) return { version: this.#publish(nowMs), touched }
    try {
      return { version: this.#tryAll(nowMs), touched }
    } catch (error) {
      if (!(error instanceof RegionFullError) || !this.#writeWhatFits(nowMs)) throw error
      // Together they took more room than one after another.
      return { version: this.#tryAll(nowMs), touched }
    }
  }

  /**
   * Writes some of what has changed ahead of flush(), which then needs `loading`: changed namespaces, and of `keys` the Services that
   * have changed. Nothing is published. @throws RegionFullError: the index is of no use then
   */
  load(keys: Iterable<string>): void {
    const { state } = this
    this.#writer.beginLoading()
    for (const [namespace, wasExposed] of state.changedNamespaces) this.#writeNamespace(namespace, wasExposed)
    state.settleNamespaces()
    const written: string[] = []
    for (const key of keys) {
      const published = state.changedServices.get(key)
      if (published === undefined || ALIASED.has(key)) continue
      this.#writeService(key, published)
      written.push(key)
    }
    state.settleServices(written)
    this.#sweepLoading()
  }

  #sweepLoading(): void {
    this.#writer.sweepLoading()
    this.#forgetNames()
  }

  #tryAll(nowMs: number): number {
    try {
      const version = this.#writeAll(nowMs)
      this.#refused.clear()
      return version
    } catch (error) {
      this.#abort()
      throw error
    }
  }

  #writeAll(nowMs: number): number {
    const { state } = this
    for (const [namespace, wasExposed] of state.changedNamespaces) this.#writeNamespace(namespace, wasExposed)
    const alias = this.#freshAlias()
    // A Service default/openshift that comes or goes has the name of an alias: that goes before it, and comes after it.
    const kept = this.#alias.filter((old) => alias.some(({ owner }) => sameLabels(owner, old.owner)))
    this.#writeAlias(this.#alias, kept)
    let written = 0
    for (const [key, published] of state.changedServices) {
      this.#writeService(key, published)
      if (this.#writer.isLoading && ++written % LOAD_CHUNK === 0) this.#sweepLoading()
    }
    this.#writeAlias(kept, alias)
    for (const [key, published] of state.changedImports) this.#writeImport(key, published)
    const podCounts = this.#podNames?.write()
    this.#writeNameServers()
    const version = this.#publish(nowMs)
    if (podCounts !== undefined) this.#podNames?.settle(podCounts)
    this.#alias = alias
    state.settle()
    return version
  }

  /**
   * One Service at a time: what makes room first, then those not tried before, then those refused longest ago.
   * @returns whether there was room for all
   */
  #writeWhatFits(nowMs: number): boolean {
    const { state } = this
    const isChanged = (key: string): boolean => state.changedServices.has(key) && !ALIASED.has(key)
    const [gone, there] = [false, true].map((exists) =>
      [...state.changedServices.keys()].filter(
        (key) => isChanged(key) && state.hasService(key) === exists && !this.#refused.has(key),
      ),
    )
    let refusals = 0
    for (const key of [...gone, ...there, ...[...this.#refused].filter(isChanged)]) {
      try {
        this.#writeService(key, state.changedServices.get(key)!)
        this.#publish(nowMs)
        state.settleServices([key])
        this.#refused.delete(key)
      } catch (error) {
        this.#abort()
        if (!(error instanceof RegionFullError)) throw error
        this.#refused.delete(key)
        this.#refused.add(key)
        if (++refusals === REFUSALS_MAX) break
      }
    }
    return refusals === 0
  }

  #abort(): void {
    this.#writer.abort()
    this.#external?.abort()
    this.#forgetNames()
    this.#writtenNameServers = ''
  }

  #publish(nowMs: number): number {
    const serial = Math.max(this.#serial, Math.floor(nowMs / 1000))
    const version = this.#writer.publish(serial)
    if (version !== 0) this.#serial = serial
    this.#forgetNames()
    return version
  }

  #forgetNames(): void {
    this.#records.forgetNames()
    this.#external?.forgetNames()
  }

  #writeNamespace(namespace: string, wasExposed: boolean): void {
    const isExposed = this.state.isExposed(namespace)
    if (isExposed === wasExposed) return
    this.#external?.writeNamespace(namespace, isExposed)
    for (const zone of this.#zones) {
      for (const records of namespaceRecords(namespace, this.#options.schema)) {
        if (isExposed) this.#records.set(zone, records)
        else this.#records.clear(zone, records.owner)
      }
    }
  }

  #writeService(key: string, published: Published): void {
    const { state } = this
    const fresh = state.get('services', namespaceOf(key), nameOf(key))
    const slices = state.slicesOf(key)
    const { object } = published
    const old =
      object !== undefined && published.exposed ? this.#recordsOf(key, object, published.slices, false) : NOTHING_MADE
    const isShown = fresh !== undefined && state.isExposed(namespaceOf(key))
    const made = isShown ? this.#recordsOf(key, fresh, slices, object !== undefined) : NOTHING_MADE
    for (const zone of this.#serviceZones) writeDifference(this.#records, zone, old.records, made.records)
    writeClaims(this.#records, this.#reverseZones, this.#zones[0], old.claims, made.claims)
    this.#nameServers.look(key, isShown)
    const shown = isShown ? fresh : undefined
    this.#external?.writeService(key, published.exposed ? object : undefined, published.slices, shown, slices)
  }

  /**
   * What the schema makes of a Service. With `remember`, it is kept for a while: where there was a change, the next often comes
   * soon. What is only loaded is not, or all of it would grow old in the heap.
   */
  #recordsOf(key: string, object: Packed, slices: PackedSlices, remember: boolean): Made {
    const recent = this.#recent.get(key)
    if (recent !== undefined && recent.object === object && sameSlices(recent.slices, slices)) return recent
    const namespace = namespaceOf(key)
    const service = unpackService(namespace, nameOf(key), object)
    const made = {
      object,
      slices,
      ...serviceRecordsAndClaims(service, unpackSlices(namespace, slices), this.#options.schema),
    }
    if (!remember) return made
    this.#recent.delete(key)
    this.#recent.set(key, made)
    if (this.#recent.size > RECENT_MAX) this.#recent.delete(this.#recent.keys().next().value!)
    return made
  }

  #writeImport(key: string, published: Published): void {
    const { schema } = this.#options
    const namespace = namespaceOf(key)
    const recordsOf = (object: Packed | undefined, slices: PackedSlices, exposed: boolean): readonly OwnerRecords[] =>
      object === undefined || !exposed
        ? []
        : importRecords(unpackImport(namespace, nameOf(key), object), unpackSlices(namespace, slices), schema)
    const old = recordsOf(published.object, published.slices, published.exposed)
    const fresh = this.state.get('imports', namespace, nameOf(key))
    const made = recordsOf(fresh, this.state.slicesOfImport(key), this.state.isExposed(namespace))
    for (const zone of this.#importZones) writeDifference(this.#records, zone, old, made)
  }

  #freshAlias(): OwnerRecords[] {
    const { okd } = this.#options.schema
    return okd?.openshiftAlias && this.#dirtyAlias() ? this.#aliasRecords() : this.#alias
  }

  #writeAlias(before: readonly OwnerRecords[], after: readonly OwnerRecords[]): void {
    for (const zone of this.#serviceZones) writeDifference(this.#records, zone, before, after)
  }

  #aliasRecords(): OwnerRecords[] {
    const key = this.state.hasService('default/openshift') ? 'default/openshift' : 'default/kubernetes'
    const service = this.state.isExposed('default') ? this.state.service(key) : undefined
    if (service === undefined) return []
    return openshiftAlias(service, unpackSlices('default', this.state.slicesOf(key)), this.#options.schema)
  }

  #dirtyAlias(): boolean {
    for (const key of ALIASED) if (this.state.changedServices.has(key)) return true
    return false
  }

  /** NS of every apex and ns.dns of every zone. */
  #writeNameServers(): void {
    this.#external?.writeNameServer(this.state, this.#nameServers)
    const servers = this.#nameServers.targets()
    const summary = JSON.stringify(servers)
    if (summary === this.#writtenNameServers) return
    const [primary] = this.#zones
    const own = { ...emptyOwner(OWN_NAME), addresses: [...new Set(servers.flatMap(({ addresses }) => addresses))] }
    for (const zone of [...this.#zones, ...this.#reverseZones]) {
      this.#records.set(zone, own)
      const forward = this.#zones.includes(zone)
      this.#records.setNameServers(zone, forward ? zone : primary, servers)
    }
    this.#writtenNameServers = summary
  }
}
