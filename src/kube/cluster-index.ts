// The cluster's objects kept in step with the index: what changed is worked out per Service and published at once.
// Not here: where objects come from (manifests), what names they make (schema.ts), wire form (record-writer.ts).

import { labelsOfText } from '../dns/name.ts'
import { RegionFullError } from '../index/allocator.ts'
import type { IndexWriter } from '../index/writer.ts'
import { canonicalAddress } from './address.ts'
import { endpointLabel } from './endpoint-label.ts'
import { emptyOwner } from './endpoint-names.ts'
import type { ClusterObjects, EndpointSlice, Pod, Service, ServiceImport } from './objects.ts'
import { type NameServer, RecordWriter, type WritableZone } from './record-writer.ts'
import type { OwnerRecords, ReverseClaim } from './records.ts'
import {
  importRecords,
  namespaceRecords,
  openshiftAlias,
  type SchemaOptions,
  serviceClaims,
  serviceRecords,
  zoneRecords,
} from './schema.ts'

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
}

/** What one flush did. */
export interface Flush {
  /** Version published, 0 if nothing changed. */
  readonly version: number
  /** Services, imports, namespaces and pods looked at again. */
  readonly touched: number
}

/** A Service, or an import, as the index has it. */
interface Published<T> {
  readonly object: T | undefined
  readonly slices: readonly EndpointSlice[]
  readonly exposed: boolean
}

const NO_SLICES: readonly EndpointSlice[] = []
const LOAD_CHUNK = 100 // objects to a publication while nobody is answered yet: bounds what a transaction remembers

export class ClusterIndex {
  readonly #writer: IndexWriter
  readonly #options: ClusterIndexOptions
  readonly #records: RecordWriter
  readonly #zones: WritableZone[]
  readonly #serviceZones: WritableZone[]
  readonly #importZones: WritableZone[]
  readonly #reverseZones: WritableZone[]
  readonly #allowed: ReadonlySet<string> | null

  #namespaces: ReadonlySet<string> = new Set()
  #services: ReadonlyMap<string, Service> = new Map()
  #imports: ReadonlyMap<string, ServiceImport> = new Map()
  #slices: ReadonlyMap<string, EndpointSlice> = new Map()
  #pods: ReadonlyMap<string, Pod> = new Map()
  #slicesOf = new Map<string, EndpointSlice[]>()
  #importSlicesOf = new Map<string, EndpointSlice[]>()

  // What changed since the last flush, with what the index has of it.
  readonly #dirtyServices = new Map<string, Published<Service>>()
  readonly #dirtyImports = new Map<string, Published<ServiceImport>>()
  readonly #dirtyNamespaces = new Map<string, boolean>()
  readonly #dirtyPods = new Map<string, readonly string[]>()

  #podOwners = new Map<string, number>()
  #alias: OwnerRecords[] = []
  readonly #nameServerServices = new Set<string>()
  #nameServers = ''
  readonly #listenAddresses: ReadonlySet<string>
  #serial = 0

  /** Publishes the zones, still empty. @throws RegionFullError, NameError for a zone that is no name */
  constructor(writer: IndexWriter, options: ClusterIndexOptions) {
    this.#writer = writer
    this.#options = options
    this.#records = new RecordWriter(writer, {
      singlePointer: options.schema.okd !== null,
      canonicalPods: options.schema.pods === 'verified',
    })
    this.#listenAddresses = new Set(options.listenAddresses.map(canonicalAddress))
    this.#allowed = options.namespaces === null ? null : new Set(options.namespaces)
    const open = (text: string): WritableZone => {
      const labels = labelsOfText(text).map((label) => label.toLowerCase())
      return { labels, apex: writer.addZone(), ttl: options.ttl }
    }
    this.#zones = options.zones.map(open)
    this.#reverseZones = options.reverseZones.map(open)
    const multicluster = new Set(options.multiclusterZones)
    this.#serviceZones = this.#zones.filter((_, i) => !multicluster.has(options.zones[i]))
    this.#importZones = this.#zones.filter((_, i) => multicluster.has(options.zones[i]))
    for (const zone of this.#zones) {
      for (const owner of zoneRecords(options.schema)) this.#records.set(zone, owner)
    }
    this.#writeNameServers()
    this.#publish(Date.now())
  }

  /** Zones in the order in which they were given, forward ones first. */
  get zones(): readonly WritableZone[] {
    return [...this.#zones, ...this.#reverseZones]
  }

  /** Takes `objects` for the whole state of the cluster; what differs from the last state is looked at by flush(). */
  replace(objects: ClusterObjects): void {
    this.#touchChangedNamespaces(objects.namespaces)
    const before = { services: this.#services, imports: this.#imports, slices: this.#slices, pods: this.#pods }
    eachDifference(before.services, objects.services, (key) => this.#touchService(key))
    eachDifference(before.imports, objects.imports, (key) => this.#touchImport(key))
    const slicesOf = new Map<string, EndpointSlice[]>()
    const importSlicesOf = new Map<string, EndpointSlice[]>()
    for (const slice of objects.slices.values()) {
      if (slice.serviceName !== '') pushTo(slicesOf, `${slice.namespace}/${slice.serviceName}`, slice)
      if (slice.importName !== '') pushTo(importSlicesOf, `${slice.namespace}/${slice.importName}`, slice)
    }
    eachDifference(before.slices, objects.slices, (_, old, fresh) => {
      for (const slice of [old, fresh]) {
        if (slice === undefined) continue
        if (slice.serviceName !== '') this.#touchService(`${slice.namespace}/${slice.serviceName}`)
        if (slice.importName !== '') this.#touchImport(`${slice.namespace}/${slice.importName}`)
      }
    })
    if (this.#options.schema.pods === 'verified') {
      eachDifference(before.pods, objects.pods, (key, old) => this.#touchPod(key, old))
    }
    this.#namespaces = objects.namespaces
    this.#services = objects.services
    this.#imports = objects.imports
    this.#slices = objects.slices
    this.#pods = objects.pods
    this.#slicesOf = slicesOf
    this.#importSlicesOf = importSlicesOf
  }

  /**
   * Brings the index up to date with everything that changed, in one publication.
   * @param nowMs    time of the change, becomes the serial
   * @param loading  nobody is answered yet: publish in pieces, which takes less memory
   * @throws RegionFullError: the last version keeps serving, and the change is tried again with the next flush
   */
  flush(nowMs: number, loading = false): Flush {
    const touched =
      this.#dirtyServices.size + this.#dirtyImports.size + this.#dirtyNamespaces.size + this.#dirtyPods.size
    if (touched === 0) return { version: 0, touched }
    try {
      for (const [namespace, wasExposed] of this.#dirtyNamespaces) this.#writeNamespace(namespace, wasExposed)
      const alias = this.#writeAlias()
      let written: string[] = []
      for (const [key, published] of this.#dirtyServices) {
        this.#writeService(key, published)
        if (!loading || written.push(key) < LOAD_CHUNK) continue
        this.#publish(nowMs)
        for (const done of written) this.#dirtyServices.delete(done)
        written = []
      }
      for (const [key, published] of this.#dirtyImports) this.#writeImport(key, published)
      const podOwners = this.#writePods()
      this.#writeNameServers()
      const version = this.#publish(nowMs)
      this.#podOwners = podOwners
      this.#alias = alias
      this.#dirtyServices.clear()
      this.#dirtyImports.clear()
      this.#dirtyNamespaces.clear()
      this.#dirtyPods.clear()
      return { version, touched }
    } catch (error) {
      if (error instanceof RegionFullError) {
        this.#writer.abort()
        this.#records.forgetNames()
        this.#nameServers = ''
      }
      throw error
    }
  }

  #publish(nowMs: number): number {
    const serial = Math.max(this.#serial, Math.floor(nowMs / 1000))
    const version = this.#writer.publish(serial)
    if (version !== 0) this.#serial = serial
    this.#records.forgetNames()
    return version
  }

  #isExposed(namespace: string): boolean {
    return this.#namespaces.has(namespace) && (this.#allowed === null || this.#allowed.has(namespace))
  }

  #touchChangedNamespaces(namespaces: ReadonlySet<string>): void {
    const changed = new Set<string>()
    for (const name of namespaces) if (!this.#namespaces.has(name)) changed.add(name)
    for (const name of this.#namespaces) if (!namespaces.has(name)) changed.add(name)
    if (changed.size === 0) return
    for (const name of changed) {
      if (!this.#dirtyNamespaces.has(name)) this.#dirtyNamespaces.set(name, this.#isExposed(name))
    }
    for (const [key, service] of this.#services) if (changed.has(service.namespace)) this.#touchService(key)
    for (const [key, imported] of this.#imports) if (changed.has(imported.namespace)) this.#touchImport(key)
    for (const [key, pod] of this.#pods) if (changed.has(pod.namespace)) this.#touchPod(key, pod)
  }

  #touchService(key: string): void {
    if (this.#dirtyServices.has(key)) return
    const object = this.#services.get(key)
    const slices = this.#slicesOf.get(key) ?? NO_SLICES
    this.#dirtyServices.set(key, { object, slices, exposed: this.#isExposed(namespaceOf(key)) })
  }

  #touchImport(key: string): void {
    if (this.#dirtyImports.has(key)) return
    const object = this.#imports.get(key)
    const slices = this.#importSlicesOf.get(key) ?? NO_SLICES
    this.#dirtyImports.set(key, { object, slices, exposed: this.#isExposed(namespaceOf(key)) })
  }

  #touchPod(key: string, published: Pod | undefined): void {
    if (!this.#dirtyPods.has(key)) this.#dirtyPods.set(key, published === undefined ? [] : this.#podLabels(published))
  }

  #writeNamespace(namespace: string, wasExposed: boolean): void {
    const isExposed = this.#isExposed(namespace)
    if (isExposed === wasExposed) return
    for (const zone of this.#zones) {
      for (const records of namespaceRecords(namespace, this.#options.schema)) {
        if (isExposed) this.#records.set(zone, records)
        else this.#records.clear(zone, records.owner)
      }
    }
  }

  #writeService(key: string, published: Published<Service>): void {
    const { schema } = this.#options
    const fresh = this.#services.get(key)
    const slices = this.#slicesOf.get(key) ?? NO_SLICES
    const isExposed = this.#isExposed(namespaceOf(key))
    const { object } = published
    const wasShown = object !== undefined && published.exposed
    const isShown = fresh !== undefined && isExposed
    const oldRecords = wasShown ? serviceRecords(object, published.slices, schema) : []
    const newRecords = isShown ? serviceRecords(fresh, slices, schema) : []
    for (const zone of this.#serviceZones) this.#writeDifference(zone, oldRecords, newRecords)
    if (this.#reverseZones.length > 0) {
      const oldClaims = wasShown ? serviceClaims(object, published.slices, schema) : []
      const newClaims = isShown ? serviceClaims(fresh, slices, schema) : []
      this.#writeClaims(oldClaims, newClaims)
    }
    if (isShown && this.#isNameServer(slices)) this.#nameServerServices.add(key)
    else this.#nameServerServices.delete(key)
  }

  #writeImport(key: string, published: Published<ServiceImport>): void {
    const { schema } = this.#options
    const fresh = this.#imports.get(key)
    const slices = this.#importSlicesOf.get(key) ?? NO_SLICES
    const { object } = published
    const oldRecords = object !== undefined && published.exposed ? importRecords(object, published.slices, schema) : []
    const isShown = fresh !== undefined && this.#isExposed(namespaceOf(key))
    const newRecords = isShown ? importRecords(fresh, slices, schema) : []
    for (const zone of this.#importZones) this.#writeDifference(zone, oldRecords, newRecords)
  }

  #writeDifference(zone: WritableZone, before: readonly OwnerRecords[], after: readonly OwnerRecords[]): void {
    if (before.length === 0) {
      for (const records of after) this.#records.set(zone, records)
      return
    }
    const gone = new Map(before.map((records) => [records.owner.join('.'), records]))
    for (const records of after) {
      const owner = records.owner.join('.')
      const old = gone.get(owner)
      gone.delete(owner)
      if (old === undefined || !sameRecords(old, records)) this.#records.set(zone, records)
    }
    for (const { owner } of gone.values()) this.#records.clear(zone, owner)
  }

  #writeClaims(before: readonly ReverseClaim[], after: readonly ReverseClaim[]): void {
    const [primary] = this.#zones
    if (before.length === 0) {
      for (const claim of after) this.#records.addClaim(this.#reverseZones, primary, claim)
      return
    }
    const gone = new Map(before.map((claim) => [claimKey(claim), claim]))
    const added: ReverseClaim[] = []
    for (const claim of after) if (!gone.delete(claimKey(claim))) added.push(claim)
    // Old ones first: a claim whose rank or age changed has the same target as the one it replaces.
    for (const claim of gone.values()) this.#records.removeClaim(this.#reverseZones, primary, claim)
    for (const claim of added) this.#records.addClaim(this.#reverseZones, primary, claim)
  }

  #podLabels(pod: Pod): string[] {
    if (!this.#isExposed(pod.namespace)) return []
    return pod.addresses.map((address) => `${dashedPodAddress(address)}.${pod.namespace}`)
  }

  #writePods(): Map<string, number> {
    if (this.#dirtyPods.size === 0) return this.#podOwners
    // Pods on the host's network share its address: the owner is there while any of them is.
    const changes = new Map<string, number>()
    for (const [key, before] of this.#dirtyPods) {
      const pod = this.#pods.get(key)
      for (const owner of before) changes.set(owner, (changes.get(owner) ?? 0) - 1)
      if (pod === undefined) continue
      for (const owner of this.#podLabels(pod)) changes.set(owner, (changes.get(owner) ?? 0) + 1)
    }
    const owners = new Map(this.#podOwners)
    for (const [key, change] of changes) {
      const count = (owners.get(key) ?? 0) + change
      const had = owners.has(key)
      if (count > 0) owners.set(key, count)
      else owners.delete(key)
      if (had === count > 0) continue
      const dot = key.indexOf('.')
      const owner = [key.slice(0, dot), key.slice(dot + 1), 'pod']
      const address = addressOfLabel(owner[0])
      for (const zone of this.#zones) {
        if (count > 0) this.#records.set(zone, { ...emptyOwner(owner), addresses: [address] })
        else this.#records.clear(zone, owner)
      }
    }
    return owners
  }

  #writeAlias(): OwnerRecords[] {
    const { schema } = this.#options
    if (schema.okd === null || !schema.okd.openshiftAlias || !this.#dirtyAlias()) return this.#alias
    const key = this.#services.has('default/openshift') ? 'default/openshift' : 'default/kubernetes'
    const service = this.#isExposed('default') ? this.#services.get(key) : undefined
    const slices = this.#slicesOf.get(key) ?? NO_SLICES
    const alias = service === undefined ? [] : openshiftAlias(service, slices, schema)
    for (const zone of this.#serviceZones) {
      // A Service default/openshift writes that name itself.
      const before = this.#services.has('default/openshift')
        ? this.#alias.filter(({ owner }) => owner[0] !== 'openshift')
        : this.#alias
      this.#writeDifference(zone, before, alias)
    }
    return alias
  }

  #dirtyAlias(): boolean {
    return this.#dirtyServices.has('default/openshift') || this.#dirtyServices.has('default/kubernetes')
  }

  #isNameServer(slices: readonly EndpointSlice[]): boolean {
    if (this.#listenAddresses.size === 0) return false
    return slices.some((slice) =>
      slice.endpoints.some(({ address }) => this.#listenAddresses.has(canonicalAddress(address))),
    )
  }

  /** NS of every apex and ns.dns of every zone (cluster DNS reference: the Services whose endpoints this server is). */
  #writeNameServers(): void {
    const servers = [...this.#nameServerServices].sort().flatMap((key) => this.#serversOf(key))
    const listen = [...this.#listenAddresses]
    if (servers.length === 0 && listen.length > 0) servers.push({ target: ['ns', 'dns'], addresses: listen })
    const summary = JSON.stringify(servers)
    if (summary === this.#nameServers) return
    const [primary] = this.#zones
    const own = { ...emptyOwner(['ns', 'dns']), addresses: [...new Set(servers.flatMap(({ addresses }) => addresses))] }
    for (const zone of [...this.#zones, ...this.#reverseZones]) {
      this.#records.set(zone, own)
      const forward = this.#zones.includes(zone)
      this.#records.setNameServers(zone, forward ? zone : primary, servers)
    }
    this.#nameServers = summary
  }

  #serversOf(key: string): NameServer[] {
    const service = this.#services.get(key)
    if (service === undefined) return []
    const owner = [service.name, service.namespace, 'svc']
    if (service.kind === 'ClusterIP') return [{ target: owner, addresses: service.clusterIPs }]
    if (service.kind !== 'Headless') return []
    const addresses = new Map<string, Set<string>>()
    for (const slice of this.#slicesOf.get(key) ?? NO_SLICES) {
      for (const endpoint of slice.endpoints) {
        const address = canonicalAddress(endpoint.address)
        const label = endpointLabel(endpoint, this.#options.schema)
        addresses.set(label, (addresses.get(label) ?? new Set()).add(address))
      }
    }
    return [...addresses].sort().map(([label, set]) => ({ target: [label, ...owner], addresses: [...set] }))
  }
}

function namespaceOf(key: string): string {
  return key.slice(0, key.indexOf('/'))
}

function pushTo(map: Map<string, EndpointSlice[]>, key: string, slice: EndpointSlice): void {
  const list = map.get(key)
  if (list === undefined) map.set(key, [slice])
  else list.push(slice)
}

function dashedPodAddress(address: string): string {
  return canonicalAddress(address).replaceAll(/[.:]/g, '-')
}

function addressOfLabel(label: string): string {
  const dashes = label.match(/-/g)?.length ?? 0
  return label.replaceAll('-', dashes === 3 && !label.includes('--') ? '.' : ':')
}

function claimKey(claim: ReverseClaim): string {
  return `${claim.address} ${claim.rank} ${claim.createdAt} ${claim.target.join('.')}`
}

/** Calls `visit` with every key whose value was added, taken away or changed. */
function eachDifference<T>(
  before: ReadonlyMap<string, T>,
  after: ReadonlyMap<string, T>,
  visit: (key: string, before: T | undefined, after: T | undefined) => void,
): void {
  for (const [key, fresh] of after) {
    const old = before.get(key)
    if (old === undefined || (old !== fresh && !sameValue(old, fresh))) visit(key, old, fresh)
  }
  for (const [key, old] of before) if (!after.has(key)) visit(key, old, undefined)
}

function sameRecords(a: OwnerRecords, b: OwnerRecords): boolean {
  return (
    a.srvWeight === b.srvWeight &&
    a.cname === b.cname &&
    a.wildcard === b.wildcard &&
    a.addressBelow === b.addressBelow &&
    sameValue(a.addresses, b.addresses) &&
    sameValue(a.srv, b.srv) &&
    sameValue(a.txt, b.txt)
  )
}

/** Deep equality of plain data. */
function sameValue(a: unknown, b: unknown): boolean {
  if (a === b) return true
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false
  if (Array.isArray(a)) {
    return Array.isArray(b) && a.length === b.length && a.every((value, i) => sameValue(value, b[i]))
  }
  const keys = Object.keys(a)
  const record = b as Record<string, unknown>
  if (keys.length !== Object.keys(b).length) return false
  return keys.every((key) => sameValue((a as Record<string, unknown>)[key], record[key]))
}
