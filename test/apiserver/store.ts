// What the cluster holds: objects by resource, one resourceVersion that counts every change, and the last changes of each
// resource for watches that resume. Knows nothing of HTTP; answers at once, and nothing in it waits.

import assert from 'node:assert/strict'
import { type GivenObject, keyOf, parseStored, type StoredObject, storedFrom, storedFromText } from './object.ts'
import { RESOURCE_NAMES, RESOURCES, type ResourceName } from './resources.ts'

export type ChangeType = 'ADDED' | 'MODIFIED' | 'DELETED'

export interface Change {
  readonly type: ChangeType
  readonly version: number
  /** As it is now; of a deletion as it was, with the version of the deletion. */
  readonly object: StoredObject
  /** As it was; null for one that is new. */
  readonly previous: StoredObject | null
  /** How many times watches are told: 1 but for faults. */
  readonly tellings: number
}

export type Listener = (change: Change) => void

/** In the order of their keys; nobody changes it. */
export type Items = readonly StoredObject[]

const CHANGES_KEPT = 20_000
const CHANGES_DROPPED_AT_ONCE = 1000
const SNAPSHOTS_KEPT = 8

/** Where `key` is in the list, or would be. */
export function positionOf(items: Items, key: string): number {
  let from = 0
  let to = items.length
  while (from < to) {
    const middle = (from + to) >>> 1
    if (items[middle].key < key) from = middle + 1
    else to = middle
  }
  return from
}

interface Snapshot {
  readonly version: number
  readonly items: Items
}

function keep(snapshots: Snapshot[], snapshot: Snapshot): void {
  snapshots.push(snapshot)
  if (snapshots.length > SNAPSHOTS_KEPT) snapshots.shift()
}

/** The objects of one resource and their last changes. */
class Collection {
  items: StoredObject[] = []
  /** Somebody else reads `items`: it is copied before the next change. */
  shared = false
  changes: Change[] = []
  /** All changes after this version are in `changes`. */
  since = 0
  /** Version of the last change. */
  version = 0
  readonly snapshots: Snapshot[] = []
  readonly listeners = new Set<Listener>()
  dropNext = 0
  repeatNext = 0

  set(key: string, object: StoredObject | null): StoredObject | null {
    if (this.shared) this.items = this.items.slice()
    this.shared = false
    return setIn(this.items, key, object)
  }
}

/** Puts, replaces or (null) takes out; returns what was there. */
function setIn(items: StoredObject[], key: string, object: StoredObject | null): StoredObject | null {
  const at = positionOf(items, key)
  const previous = items[at]?.key === key ? items[at] : null
  if (object !== null && previous !== null) items[at] = object
  else if (object !== null) items.splice(at, 0, object)
  else if (previous !== null) items.splice(at, 1)
  return previous
}

export class Store {
  readonly #collections: Readonly<Record<ResourceName, Collection>>
  readonly #changesKept: number
  #version: number
  #compacted = 0

  /** `version`: the resourceVersion before the first change; `changesKept`: changes that are kept, for each resource. */
  constructor(options: { readonly version?: number; readonly changesKept?: number } = {}) {
    this.#version = options.version ?? 1
    this.#changesKept = options.changesKept ?? CHANGES_KEPT
    const entries = RESOURCE_NAMES.map((name) => [name, new Collection()])
    this.#collections = Object.fromEntries(entries)
    this.forget()
    for (const name of RESOURCE_NAMES) this.#collections[name].version = this.#version
  }

  /** The resourceVersion of the last change. */
  get version(): number {
    return this.#version
  }

  /** The resourceVersion of the resource's last change. */
  versionOf(resource: ResourceName): number {
    return this.#collections[resource].version
  }

  /** All objects as they are now. */
  items(resource: ResourceName): Items {
    const collection = this.#collections[resource]
    collection.shared = true
    return collection.items
  }

  /** All objects as they are now, kept for `itemsAt` while no more than a few later ones are. */
  snapshot(resource: ResourceName): Items {
    const { snapshots } = this.#collections[resource]
    const items = this.items(resource)
    if (snapshots.at(-1)?.version === this.#version) return items
    keep(snapshots, { version: this.#version, items })
    return items
  }

  /** All objects as they were at a version; null if that is compacted. */
  itemsAt(resource: ResourceName, version: number): Items | null {
    const collection = this.#collections[resource]
    assert(version <= this.#version, 'the version has been')
    if (version < this.#compacted) return null
    if (version >= collection.version) return this.items(resource)
    const known = collection.snapshots.find((snapshot) => snapshot.version === version)
    if (known !== undefined) return known.items
    if (version < collection.since) return null
    const items = collection.items.slice()
    for (let i = collection.changes.length - 1; i >= 0 && collection.changes[i].version > version; i--) {
      setIn(items, collection.changes[i].object.key, collection.changes[i].previous)
    }
    keep(collection.snapshots, { version, items })
    return items
  }

  /** The changes after a version, in order; null if they are no longer known. */
  changesSince(resource: ResourceName, version: number): readonly Change[] | null {
    const { changes, since } = this.#collections[resource]
    if (version < since) return null
    let from = changes.length
    while (from > 0 && changes[from - 1].version > version) from--
    return changes.slice(from)
  }

  /** The oldest version that `changesSince` knows. */
  oldest(resource: ResourceName): number {
    return this.#collections[resource].since
  }

  /** Calls `listener` with each change, at once; the result ends that. */
  listen(resource: ResourceName, listener: Listener): () => void {
    const { listeners } = this.#collections[resource]
    listeners.add(listener)
    return () => listeners.delete(listener)
  }

  get(resource: ResourceName, key: string): StoredObject | null {
    const { items } = this.#collections[resource]
    const at = positionOf(items, key)
    return items[at]?.key === key ? items[at] : null
  }

  /** The object as JSON says it; null if there is none. */
  read(resource: ResourceName, key: string): GivenObject | null {
    const stored = this.get(resource, key)
    return stored === null ? null : parseStored(RESOURCES[resource], stored)
  }

  /** @returns its resourceVersion, as of all changes */
  create(resource: ResourceName, given: GivenObject): number {
    const stored = storedFrom(RESOURCES[resource], given, null)
    assert(this.get(resource, stored.key) === null, `${resource} ${stored.key} does not exist`)
    return this.put(resource, stored)
  }

  /** In place of the object of that name, which keeps its uid and time of creation. */
  update(resource: ResourceName, given: GivenObject): number {
    const previous = this.read(resource, keyOf(RESOURCES[resource], given.metadata))
    assert(previous !== null, `${resource} ${given.metadata.name} exists`)
    return this.put(resource, storedFrom(RESOURCES[resource], given, previous))
  }

  /** Creates or updates. */
  apply(resource: ResourceName, given: GivenObject): number {
    const previous = this.read(resource, keyOf(RESOURCES[resource], given.metadata))
    return this.put(resource, storedFrom(RESOURCES[resource], given, previous))
  }

  remove(resource: ResourceName, key: string): number {
    const collection = this.#collections[resource]
    const previous = collection.set(key, null)
    assert(previous !== null, `${resource} ${key} exists`)
    this.#version++
    this.#tell(collection, 'DELETED', previous.at(this.#version), previous)
    return this.#version
  }

  /** Creates or replaces, as it is. */
  put(resource: ResourceName, object: StoredObject): number {
    const collection = this.#collections[resource]
    this.#version++
    const stored = object.at(this.#version)
    const previous = collection.set(stored.key, stored)
    this.#tell(collection, previous === null ? 'ADDED' : 'MODIFIED', stored, previous)
    return this.#version
  }

  /** Puts an object whose JSON, from behind the opening brace, is as damaged as a test wants it. */
  putText(resource: ResourceName, key: string, text: string): number {
    return this.put(resource, storedFromText(key, text))
  }

  /** Many objects at once, into a resource that is empty; no watch is told, none can resume from before. */
  load(resource: ResourceName, objects: Iterable<StoredObject>): void {
    const collection = this.#collections[resource]
    assert(collection.items.length === 0, `${resource} is empty`)
    const items: StoredObject[] = []
    for (const object of objects) items.push(object.at(++this.#version))
    items.sort((a, b) => (a.key < b.key ? -1 : 1))
    collection.items = items
    collection.shared = false
    collection.version = this.#version
    this.forget()
  }

  /** Lists of versions before this one cannot be continued, watches not be resumed. */
  compact(version = this.#version): void {
    this.#compacted = Math.max(this.#compacted, version)
    for (const collection of Object.values(this.#collections)) {
      collection.snapshots.splice(0, collection.snapshots.length, ...collection.snapshots.filter(this.#isKnown))
      this.#forgetBefore(collection, version)
    }
  }

  /** As an API server that starts: no watch can resume from before now. Lists can still be continued. */
  forget(): void {
    for (const name of RESOURCE_NAMES) {
      this.snapshot(name)
      this.#forgetBefore(this.#collections[name], this.#version)
    }
  }

  /** A fault: of the next changes no watch is told, not even one that resumes. */
  dropNext(resource: ResourceName, count: number): void {
    this.#collections[resource].dropNext += count
  }

  /** A fault: of the next changes watches are told twice. */
  repeatNext(resource: ResourceName, count: number): void {
    this.#collections[resource].repeatNext += count
  }

  readonly #isKnown = ({ version }: { readonly version: number }) => version >= this.#compacted

  #forgetBefore(collection: Collection, version: number): void {
    collection.since = Math.max(collection.since, version)
    collection.changes = collection.changes.filter((change) => change.version > version)
  }

  #tell(collection: Collection, type: ChangeType, object: StoredObject, previous: StoredObject | null): void {
    const change = { type, version: this.#version, object, previous, tellings: tellings(collection) }
    collection.version = this.#version
    collection.changes.push(change)
    if (collection.changes.length > this.#changesKept + CHANGES_DROPPED_AT_ONCE) {
      this.#forgetBefore(collection, collection.changes[CHANGES_DROPPED_AT_ONCE - 1].version)
    }
    for (const listener of collection.listeners) listener(change)
  }
}

function tellings(collection: Collection): number {
  if (collection.dropNext > 0) {
    collection.dropNext--
    return 0
  }
  if (collection.repeatNext === 0) return 1
  collection.repeatNext--
  return 2
}
