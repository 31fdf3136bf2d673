// The cluster's objects, and what has changed since the index was last brought up to date with them.
// Not here: what names they make, and writing those (cluster-index.ts).

import type { ClusterObjects, EndpointSlice, Pod, Service, ServiceImport } from './objects.ts'

/** An object as the index has it: as it was when the last flush ended. */
export interface Published<T> {
  /** undefined: it was not there. */
  readonly object: T | undefined
  /** Those of a Service or an import; of a Pod none. */
  readonly slices: readonly EndpointSlice[]
  /** Its namespace was served. */
  readonly exposed: boolean
}

const NO_SLICES: readonly EndpointSlice[] = []

/** Keys of all maps but those of namespaces are `namespace/name`. */
export class ClusterState {
  readonly #allowed: ReadonlySet<string> | null
  readonly #namespaces = new Set<string>()
  readonly #services = new Map<string, Service>()
  readonly #imports = new Map<string, ServiceImport>()
  readonly #slices = new Map<string, EndpointSlice>()
  readonly #pods = new Map<string, Pod>()
  // The lists are never changed: what has been published refers to them.
  readonly #slicesOf = new Map<string, readonly EndpointSlice[]>()
  readonly #importSlicesOf = new Map<string, readonly EndpointSlice[]>()
  // What changed, as the index has it.
  readonly #changedServices = new Map<string, Published<Service>>()
  readonly #changedImports = new Map<string, Published<ServiceImport>>()
  readonly #changedNamespaces = new Map<string, boolean>()
  readonly #changedPods = new Map<string, Published<Pod>>()

  /** `namespaces`: only these are exposed; null: all. */
  constructor(namespaces: readonly string[] | null) {
    this.#allowed = namespaces === null ? null : new Set(namespaces)
  }

  get services(): ReadonlyMap<string, Service> {
    return this.#services
  }
  get imports(): ReadonlyMap<string, ServiceImport> {
    return this.#imports
  }
  get pods(): ReadonlyMap<string, Pod> {
    return this.#pods
  }
  /** Slices of a Service, whether or not that exists. */
  slicesOf(key: string): readonly EndpointSlice[] {
    return this.#slicesOf.get(key) ?? NO_SLICES
  }
  slicesOfImport(key: string): readonly EndpointSlice[] {
    return this.#importSlicesOf.get(key) ?? NO_SLICES
  }
  /** Whether names of the namespace exist at all. */
  isExposed(namespace: string): boolean {
    return this.#namespaces.has(namespace) && (this.#allowed === null || this.#allowed.has(namespace))
  }

  get changedServices(): ReadonlyMap<string, Published<Service>> {
    return this.#changedServices
  }
  get changedImports(): ReadonlyMap<string, Published<ServiceImport>> {
    return this.#changedImports
  }
  /** With each: whether the index has it. */
  get changedNamespaces(): ReadonlyMap<string, boolean> {
    return this.#changedNamespaces
  }
  get changedPods(): ReadonlyMap<string, Published<Pod>> {
    return this.#changedPods
  }
  get changeCount(): number {
    const { size } = this.#changedServices
    return size + this.#changedImports.size + this.#changedNamespaces.size + this.#changedPods.size
  }

  /** The index has these Services as they are now. */
  settleServices(keys: Iterable<string>): void {
    for (const key of keys) this.#changedServices.delete(key)
  }

  /** The index has everything as it is now. */
  settle(): void {
    this.#changedServices.clear()
    this.#changedImports.clear()
    this.#changedNamespaces.clear()
    this.#changedPods.clear()
  }

  /** Takes `objects` for the whole state of the cluster; what differs from the last state has changed. */
  replace(objects: ClusterObjects): void {
    const changed = new Set(objects.namespaces).symmetricDifference(this.#namespaces)
    if (changed.size > 0) this.#changeNamespaces(changed)
    eachDifference(this.#services, objects.services, (key, _, fresh) => this.#changeService(key, fresh))
    eachDifference(this.#imports, objects.imports, (key, _, fresh) => this.#changeImport(key, fresh))
    const services = new Set<string>()
    const imports = new Set<string>()
    eachDifference(this.#slices, objects.slices, (key, old, fresh) => {
      for (const slice of [old, fresh]) {
        if (slice === undefined) continue
        if (slice.serviceName !== '') services.add(serviceKey(slice))
        if (slice.importName !== '') imports.add(importKey(slice))
      }
      put(this.#slices, key, fresh)
    })
    for (const key of services) this.#touchService(key)
    for (const key of imports) this.#touchImport(key)
    // In the order of the new state, whatever came before it.
    regroup(this.#slicesOf, services, objects.slices, ({ serviceName }) => serviceName)
    regroup(this.#importSlicesOf, imports, objects.slices, ({ importName }) => importName)
    eachDifference(this.#pods, objects.pods, (key, _, fresh) => this.#changePod(key, fresh))
  }

  /** One namespace is there, or not any more. Takes time in proportion to all Services. */
  setNamespace(name: string, exists: boolean): void {
    if (this.#namespaces.has(name) !== exists) this.#changeNamespaces(new Set([name]))
  }

  /** One Service is as it is now; undefined: gone. `key`: `namespace/name`, as for all of these. */
  setService(key: string, service: Service | undefined): void {
    if (!sameValue(this.#services.get(key), service)) this.#changeService(key, service)
  }

  setImport(key: string, imported: ServiceImport | undefined): void {
    if (!sameValue(this.#imports.get(key), imported)) this.#changeImport(key, imported)
  }

  setSlice(key: string, slice: EndpointSlice | undefined): void {
    const old = this.#slices.get(key)
    if (sameValue(old, slice)) return
    const oldService = old === undefined || old.serviceName === '' ? '' : serviceKey(old)
    const service = slice === undefined || slice.serviceName === '' ? '' : serviceKey(slice)
    const oldImport = old === undefined || old.importName === '' ? '' : importKey(old)
    const imported = slice === undefined || slice.importName === '' ? '' : importKey(slice)
    for (const touched of new Set([oldService, service])) if (touched !== '') this.#touchService(touched)
    for (const touched of new Set([oldImport, imported])) if (touched !== '') this.#touchImport(touched)
    put(this.#slices, key, slice)
    moveSlice(this.#slicesOf, oldService, old, service, slice)
    moveSlice(this.#importSlicesOf, oldImport, old, imported, slice)
  }

  setPod(key: string, pod: Pod | undefined): void {
    if (!sameValue(this.#pods.get(key), pod)) this.#changePod(key, pod)
  }

  /** Turns those of `changed` that exist into ones that do not, and the other way round. */
  #changeNamespaces(changed: ReadonlySet<string>): void {
    for (const name of changed) {
      if (!this.#changedNamespaces.has(name)) this.#changedNamespaces.set(name, this.isExposed(name))
    }
    for (const [key, service] of this.#services) if (changed.has(service.namespace)) this.#touchService(key)
    for (const [key, imported] of this.#imports) if (changed.has(imported.namespace)) this.#touchImport(key)
    for (const [key, pod] of this.#pods) if (changed.has(pod.namespace)) this.#touchPod(key)
    for (const name of changed) if (!this.#namespaces.delete(name)) this.#namespaces.add(name)
  }

  #changeService(key: string, fresh: Service | undefined): void {
    this.#touchService(key)
    put(this.#services, key, fresh)
  }

  #changeImport(key: string, fresh: ServiceImport | undefined): void {
    this.#touchImport(key)
    put(this.#imports, key, fresh)
  }

  #changePod(key: string, fresh: Pod | undefined): void {
    this.#touchPod(key)
    put(this.#pods, key, fresh)
  }

  #touchService(key: string): void {
    if (this.#changedServices.has(key)) return
    const exposed = this.isExposed(namespaceOf(key))
    this.#changedServices.set(key, { object: this.#services.get(key), slices: this.slicesOf(key), exposed })
  }

  #touchImport(key: string): void {
    if (this.#changedImports.has(key)) return
    const exposed = this.isExposed(namespaceOf(key))
    this.#changedImports.set(key, { object: this.#imports.get(key), slices: this.slicesOfImport(key), exposed })
  }

  #touchPod(key: string): void {
    if (this.#changedPods.has(key)) return
    const exposed = this.isExposed(namespaceOf(key))
    this.#changedPods.set(key, { object: this.#pods.get(key), slices: NO_SLICES, exposed })
  }
}

/** `namespace` of `namespace/name`. */
export function namespaceOf(key: string): string {
  return key.slice(0, key.indexOf('/'))
}

function serviceKey(slice: EndpointSlice): string {
  return `${slice.namespace}/${slice.serviceName}`
}

function importKey(slice: EndpointSlice): string {
  return `${slice.namespace}/${slice.importName}`
}

function put<T>(map: Map<string, T>, key: string, value: T | undefined): void {
  if (value === undefined) map.delete(key)
  else map.set(key, value)
}

type SliceLists = Map<string, readonly EndpointSlice[]>

/** Makes the lists of `keys` anew out of all slices. `ownerOf`: name of the Service or import, '' for none. */
function regroup(
  lists: SliceLists,
  keys: ReadonlySet<string>,
  slices: ReadonlyMap<string, EndpointSlice>,
  ownerOf: (slice: EndpointSlice) => string,
): void {
  if (keys.size === 0) return
  const fresh = new Map<string, EndpointSlice[]>()
  for (const slice of slices.values()) {
    const owner = ownerOf(slice)
    if (owner === '') continue
    const key = `${slice.namespace}/${owner}`
    if (!keys.has(key)) continue
    const list = fresh.get(key)
    if (list === undefined) fresh.set(key, [slice])
    else list.push(slice)
  }
  for (const key of keys) put(lists, key, fresh.get(key))
}

/** Takes `old` out of the list of `oldOwner` and puts `slice` into that of `owner`: in the same place if it is the same. */
function moveSlice(
  lists: SliceLists,
  oldOwner: string,
  old: EndpointSlice | undefined,
  owner: string,
  slice: EndpointSlice | undefined,
): void {
  if (oldOwner === owner && old !== undefined && slice !== undefined) {
    if (owner !== '')
      put(
        lists,
        owner,
        lists.get(owner)?.map((each) => (each === old ? slice : each)),
      )
    return
  }
  if (oldOwner !== '') {
    const left = lists.get(oldOwner)?.filter((each) => each !== old)
    put(lists, oldOwner, left?.length === 0 ? undefined : left)
  }
  if (owner !== '' && slice !== undefined) lists.set(owner, [...(lists.get(owner) ?? NO_SLICES), slice])
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

/** Deep equality of plain data. */
export function sameValue(a: unknown, b: unknown): boolean {
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
