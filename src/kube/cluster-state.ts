// The cluster's objects, and what has changed since the index was last brought up to date with them. Objects are kept packed
// (packed.ts), namespace by namespace: a million endpoints take 20 MB, and a namespace that comes or goes costs no more than
// its own Services. Not here: what names objects make, and writing those (cluster-index.ts).

import type { ClusterObjects, EndpointSlice, Pod, Service, ServiceImport } from './objects.ts'
import {
  KEEP,
  type Packed,
  packedSliceImport,
  packedSliceService,
  packImport,
  packPod,
  packService,
  packSlice,
  unpackImport,
  unpackPod,
  unpackService,
  unpackSlice,
} from './packed.ts'

/** Kinds of objects that live in namespaces. */
export type Kind = 'services' | 'imports' | 'slices' | 'pods'

/** Slices of one Service or import, by name, in order of their names. */
export type PackedSlices = ReadonlyMap<string, Packed>

/** An object as the index has it: as it was when the last flush ended. */
export interface Published {
  /** undefined: it was not there. */
  readonly object: Packed | undefined
  /** Those of a Service or an import; of a Pod none. */
  readonly slices: PackedSlices
  /** Its namespace was served. */
  readonly exposed: boolean
}

/** One change: '' stands for an object that is gone, '+' for a namespace that is there. */
export type OnChange = (kind: Kind | 'namespaces', namespace: string, name: string, packed: Packed) => void

const NO_SLICES: PackedSlices = new Map()

/** What is in one namespace. Maps by name; `slicesOf` by the name of the Service: the names of its slices, in order. */
class NamespaceObjects {
  exists = false
  readonly services = new Map<string, Packed>()
  readonly imports = new Map<string, Packed>()
  readonly slices = new Map<string, Packed>()
  readonly pods = new Map<string, Packed>()
  readonly slicesOf = new Map<string, string | readonly string[]>()
  readonly importSlicesOf = new Map<string, string | readonly string[]>()

  get isEmpty(): boolean {
    return !this.exists && this.services.size + this.imports.size + this.slices.size + this.pods.size === 0
  }
}

const NOTHING = new NamespaceObjects()

/** Keys are `namespace/name`. Objects may come in any order: slices before their Service, all before their namespace. */
export class ClusterState {
  /** Is told of every change. */
  onChange: OnChange | null = null
  readonly #allowed: ReadonlySet<string> | null
  readonly #namespaces = new Map<string, NamespaceObjects>()
  readonly #counts = { services: 0, imports: 0, slices: 0, pods: 0 }
  // What changed, as the index has it. Maps that are emptied are made anew: what an old Map once held keeps garbage alive.
  #changedServices = new Map<string, Published>()
  #changedImports = new Map<string, Published>()
  #changedNamespaces = new Map<string, boolean>()
  #changedPods = new Map<string, Published>()

  /** `namespaces`: only these are exposed; null: all. */
  constructor(namespaces: readonly string[] | null) {
    this.#allowed = namespaces === null ? null : new Set(namespaces)
  }

  /** Objects of a kind, exposed or not. */
  count(kind: Kind): number {
    return this.#counts[kind]
  }

  /** Names of the namespaces that exist. */
  *namespaces(): Iterable<string> {
    for (const [name, { exists }] of this.#namespaces) if (exists) yield name
  }

  /** All objects of a kind: namespace, name, packed form. */
  *objects(kind: Kind): Iterable<[namespace: string, name: string, packed: Packed]> {
    for (const [namespace, objects] of this.#namespaces) {
      for (const [name, packed] of objects[kind]) yield [namespace, name, packed]
    }
  }

  /** An object, packed. */
  get(kind: Kind, namespace: string, name: string): Packed | undefined {
    return this.#in(namespace)[kind].get(name)
  }

  service(key: string): Service | undefined {
    return this.#unpacked('services', key, unpackService)
  }
  import(key: string): ServiceImport | undefined {
    return this.#unpacked('imports', key, unpackImport)
  }
  pod(key: string): Pod | undefined {
    return this.#unpacked('pods', key, unpackPod)
  }
  hasService(key: string): boolean {
    return this.#in(namespaceOf(key)).services.has(nameOf(key))
  }
  /** Slices of a Service, whether or not that exists. */
  slicesOf(key: string): PackedSlices {
    const objects = this.#in(namespaceOf(key))
    return packedSlices(objects, objects.slicesOf.get(nameOf(key)))
  }
  slicesOfImport(key: string): PackedSlices {
    const objects = this.#in(namespaceOf(key))
    return packedSlices(objects, objects.importSlicesOf.get(nameOf(key)))
  }
  hasNamespace(namespace: string): boolean {
    return this.#in(namespace).exists
  }
  /** Whether names of the namespace exist at all. */
  isExposed(namespace: string): boolean {
    return this.#in(namespace).exists && (this.#allowed === null || this.#allowed.has(namespace))
  }

  get changedServices(): ReadonlyMap<string, Published> {
    return this.#changedServices
  }
  get changedImports(): ReadonlyMap<string, Published> {
    return this.#changedImports
  }
  /** With each: whether the index has it. */
  get changedNamespaces(): ReadonlyMap<string, boolean> {
    return this.#changedNamespaces
  }
  get changedPods(): ReadonlyMap<string, Published> {
    return this.#changedPods
  }
  get changeCount(): number {
    const { size } = this.#changedServices
    return size + this.#changedImports.size + this.#changedNamespaces.size + this.#changedPods.size
  }

  /** The index has these Services as they are now. */
  settleServices(keys: Iterable<string>): void {
    for (const key of keys) this.#changedServices.delete(key)
    if (this.#changedServices.size === 0) this.#changedServices = new Map()
  }

  /** The index has all namespaces as they are now. */
  settleNamespaces(): void {
    if (this.#changedNamespaces.size > 0) this.#changedNamespaces = new Map()
  }

  /** The index has everything as it is now. */
  settle(): void {
    if (this.#changedServices.size > 0) this.#changedServices = new Map()
    if (this.#changedImports.size > 0) this.#changedImports = new Map()
    this.settleNamespaces()
    if (this.#changedPods.size > 0) this.#changedPods = new Map()
  }

  /** Takes `objects` for the whole state of the cluster; what differs from the last state has changed. */
  replace(objects: ClusterObjects): void {
    for (const namespace of [...this.namespaces()]) {
      if (!objects.namespaces.has(namespace)) this.setNamespace(namespace, false)
    }
    for (const namespace of objects.namespaces) this.setNamespace(namespace, true)
    this.#replaceKind('services', objects.services, packService)
    this.#replaceKind('imports', objects.imports, packImport)
    this.#replaceKind('slices', objects.slices, packSlice)
    this.#replaceKind('pods', objects.pods, packPod)
  }

  #replaceKind<T>(kind: Kind, after: ReadonlyMap<string, T>, pack: (object: T) => Packed): void {
    const gone: [string, string][] = []
    for (const [namespace, name] of this.objects(kind)) {
      if (!after.has(`${namespace}/${name}`)) gone.push([namespace, name])
    }
    for (const [namespace, name] of gone) this.set(kind, namespace, name, '')
    for (const [key, object] of after) this.set(kind, namespaceOf(key), nameOf(key), pack(object))
  }

  /** One namespace is there, or not any more. */
  setNamespace(namespace: string, exists: boolean): void {
    const objects = this.#in(namespace)
    if (objects.exists === exists) return
    if (!this.#changedNamespaces.has(namespace)) this.#changedNamespaces.set(namespace, this.isExposed(namespace))
    for (const name of objects.services.keys()) this.#touchService(`${namespace}/${name}`)
    for (const name of objects.imports.keys()) this.#touchImport(`${namespace}/${name}`)
    for (const name of objects.pods.keys()) this.#touchPod(`${namespace}/${name}`)
    this.#make(namespace).exists = exists
    this.#drop(namespace)
    this.onChange?.('namespaces', namespace, '', exists ? '+' : '')
  }

  /** One object, or namespace, as the index has it already: nothing counts as changed. */
  restore(kind: Kind | 'namespaces', namespace: string, name: string, packed: Packed): void {
    if (kind === 'namespaces') this.#make(namespace).exists = packed !== ''
    else if (kind === 'slices') this.#putSlice(namespace, name, packed)
    else this.#put(kind, namespace, name, packed)
    this.#drop(namespace)
  }

  /**
   * One object is as it is now.
   * @param packed  '': it is gone; KEEP: it is what it was
   * @returns whether that is news
   */
  set(kind: Kind, namespace: string, name: string, packed: Packed): boolean {
    const old = this.get(kind, namespace, name)
    if (packed === KEEP || (old ?? '') === packed) return false
    if (kind === 'slices') this.#setSlice(namespace, name, packed)
    else {
      const key = `${namespace}/${name}`
      if (kind === 'services') this.#touchService(key)
      else if (kind === 'imports') this.#touchImport(key)
      else this.#touchPod(key)
      this.#put(kind, namespace, name, packed)
    }
    this.#drop(namespace)
    this.onChange?.(kind, namespace, name, packed)
    return true
  }

  #setSlice(namespace: string, name: string, packed: Packed): void {
    const old = this.get('slices', namespace, name) ?? ''
    for (const each of [old, packed]) {
      if (each === '') continue
      const [service, imported] = [packedSliceService(each), packedSliceImport(each)]
      if (service !== '') this.#touchService(`${namespace}/${service}`)
      if (imported !== '') this.#touchImport(`${namespace}/${imported}`)
    }
    this.#putSlice(namespace, name, packed)
  }

  #putSlice(namespace: string, name: string, packed: Packed): void {
    const old = this.get('slices', namespace, name) ?? ''
    this.#put('slices', namespace, name, packed)
    const objects = this.#make(namespace)
    const [from, to] = [old, packed].map((each) => (each === '' ? '' : packedSliceService(each)))
    moveSlice(objects.slicesOf, name, from, to)
    const [fromImport, toImport] = [old, packed].map((each) => (each === '' ? '' : packedSliceImport(each)))
    moveSlice(objects.importSlicesOf, name, fromImport, toImport)
  }

  #put(kind: Kind, namespace: string, name: string, packed: Packed): void {
    const map = this.#make(namespace)[kind]
    const before = map.size
    if (packed === '') map.delete(name)
    else map.set(name, packed)
    this.#counts[kind] += map.size - before
  }

  #touchService(key: string): void {
    if (this.#changedServices.has(key)) return
    this.#changedServices.set(key, this.#published('services', key, this.slicesOf(key)))
  }

  #touchImport(key: string): void {
    if (this.#changedImports.has(key)) return
    this.#changedImports.set(key, this.#published('imports', key, this.slicesOfImport(key)))
  }

  #touchPod(key: string): void {
    if (this.#changedPods.has(key)) return
    this.#changedPods.set(key, this.#published('pods', key, NO_SLICES))
  }

  #published(kind: Kind, key: string, slices: PackedSlices): Published {
    const namespace = namespaceOf(key)
    return { object: this.get(kind, namespace, nameOf(key)), slices, exposed: this.isExposed(namespace) }
  }

  #unpacked<T>(kind: Kind, key: string, unpack: (namespace: string, name: string, packed: Packed) => T): T | undefined {
    const packed = this.get(kind, namespaceOf(key), nameOf(key))
    return packed === undefined ? undefined : unpack(namespaceOf(key), nameOf(key), packed)
  }

  #in(namespace: string): NamespaceObjects {
    return this.#namespaces.get(namespace) ?? NOTHING
  }

  #make(namespace: string): NamespaceObjects {
    const objects = this.#namespaces.get(namespace) ?? new NamespaceObjects()
    this.#namespaces.set(namespace, objects)
    return objects
  }

  #drop(namespace: string): void {
    if (this.#in(namespace).isEmpty) this.#namespaces.delete(namespace)
  }
}

/** All objects as they are, not packed. */
export function unpackAll(state: ClusterState): ClusterObjects {
  const all = <T>(kind: Kind, unpack: (namespace: string, name: string, packed: Packed) => T): Map<string, T> =>
    new Map(
      Array.from(state.objects(kind), ([namespace, name, packed]) => [
        `${namespace}/${name}`,
        unpack(namespace, name, packed),
      ]),
    )
  return {
    namespaces: new Set(state.namespaces()),
    services: all('services', unpackService),
    slices: all('slices', unpackSlice),
    pods: all('pods', unpackPod),
    imports: all('imports', unpackImport),
  }
}

/** `namespace` of `namespace/name`. */
export function namespaceOf(key: string): string {
  return key.slice(0, key.indexOf('/'))
}

/** `name` of `namespace/name`. */
export function nameOf(key: string): string {
  return key.slice(key.indexOf('/') + 1)
}

/** The same objects under the same names. */
export function sameSlices(a: PackedSlices, b: PackedSlices): boolean {
  if (a.size !== b.size) return false
  for (const [name, packed] of a) if (b.get(name) !== packed) return false
  return true
}

export function unpackSlices(namespace: string, slices: PackedSlices): EndpointSlice[] {
  return Array.from(slices, ([name, packed]) => unpackSlice(namespace, name, packed))
}

function packedSlices({ slices }: NamespaceObjects, names: string | readonly string[] | undefined): PackedSlices {
  if (names === undefined) return NO_SLICES
  const list = typeof names === 'string' ? [names] : names
  return new Map(list.map((name) => [name, slices.get(name)!]))
}

/** Takes slice `name` out of the list of `from` and into that of `to`; '' is nobody. */
function moveSlice(lists: Map<string, string | readonly string[]>, name: string, from: string, to: string): void {
  if (from === to) return
  if (from !== '') {
    const left = [lists.get(from)!].flat().filter((each) => each !== name)
    if (left.length === 0) lists.delete(from)
    else lists.set(from, left.length === 1 ? left[0] : left)
  }
  if (to === '') return
  const others = lists.get(to)
  lists.set(to, others === undefined ? name : [others, name].flat().sort())
}
