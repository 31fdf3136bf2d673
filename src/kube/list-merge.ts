// Lists of a live cluster brought together with what is known: a list that replaces it, and an audit, which runs beside a watch and
// finds what that has silently dropped. Not here: where lists come from (watch/), and what names objects make (cluster-index.ts).

import { type ClusterState, type Kind, nameOf, namespaceOf } from './cluster-state.ts'
import { KEEP, packedSliceService } from './packed.ts'
import type { Items, Resource } from './watch/messages.ts'

const KINDS: Readonly<Record<Exclude<Resource, 'namespaces'>, Kind>> = {
  services: 'services',
  endpointslices: 'slices',
  pods: 'pods',
  serviceimports: 'imports',
}

/** Calls `visit` with each item of a flat list. */
export function eachItem(items: Items, visit: (namespace: string, name: string, packed: string) => void): void {
  for (let i = 0; i + 2 < items.length; i += 3) visit(items[i], items[i + 1], items[i + 2])
}

/** One kind of objects in the store, namespaces being one of them. */
export class ResourceStore {
  readonly resource: Resource
  readonly #state: ClusterState

  constructor(resource: Resource, state: ClusterState) {
    this.resource = resource
    this.#state = state
  }

  /** Objects that are known. */
  get count(): number {
    return this.resource === 'namespaces'
      ? [...this.#state.namespaces()].length
      : this.#state.count(KINDS[this.resource])
  }

  /** The packed form, '' if there is no such object. */
  get(namespace: string, name: string): string {
    if (this.resource === 'namespaces') return this.#state.hasNamespace(name) ? '+' : ''
    return this.#state.get(KINDS[this.resource], namespace, name) ?? ''
  }

  /** @returns whether that is news; of a namespace false */
  set(namespace: string, name: string, packed: string): boolean {
    if (packed === KEEP) return false
    if (this.resource !== 'namespaces') return this.#state.set(KINDS[this.resource], namespace, name, packed)
    this.#state.setNamespace(name, packed !== '')
    return false
  }

  /** Namespace and name of every object. */
  *keys(): Iterable<[namespace: string, name: string]> {
    if (this.resource === 'namespaces') for (const name of this.#state.namespaces()) yield ['', name]
    else for (const [namespace, name] of this.#state.objects(KINDS[this.resource])) yield [namespace, name]
  }

  /** Services that can be written now that these objects are known: a Service and its slices come in any order. */
  servicesOf(items: Items): string[] {
    const keys: string[] = []
    eachItem(items, (namespace, name, packed) => {
      if (packed === '' || packed === KEEP) return
      if (this.resource === 'services') {
        const key = `${namespace}/${name}`
        if (this.#state.slicesOf(key).size > 0) keys.push(key)
      } else if (this.resource === 'endpointslices') {
        const key = `${namespace}/${packedSliceService(packed)}`
        if (this.#state.hasService(key)) keys.push(key)
      }
    })
    return keys
  }
}

/** What a list has named: whatever else is known is gone. */
class Named {
  readonly #store: ResourceStore
  readonly #keys = new Set<string>()
  /** Of those, how many were known. */
  #known = 0

  constructor(store: ResourceStore) {
    this.#store = store
  }

  /** @param known  the object's packed form in the store, '' if it is not there */
  add(key: string, known: string): void {
    if (this.#keys.size < this.#keys.add(key).size && known !== '') this.#known++
  }

  /** What is known and was not named. */
  gone(): [namespace: string, name: string][] {
    // Mostly nothing is: as many were found as there are.
    if (this.#known === this.#store.count) return []
    return Array.from(this.#store.keys()).filter(([namespace, name]) => !this.#keys.has(`${namespace}/${name}`))
  }
}

/** A list that is going to replace what is known, all at once: until it is complete, nothing is changed. */
export class Replacement {
  readonly #store: ResourceStore
  readonly #named: Named
  readonly #differences: string[] = []

  constructor(store: ResourceStore) {
    this.#store = store
    this.#named = new Named(store)
  }

  add(items: Items): void {
    eachItem(items, (namespace, name, packed) => {
      const known = this.#store.get(namespace, name)
      this.#named.add(`${namespace}/${name}`, known)
      if (packed !== KEEP && known !== packed) this.#differences.push(namespace, name, packed)
    })
  }

  apply(): void {
    for (const [namespace, name] of this.#named.gone()) this.#store.set(namespace, name, '')
    eachItem(this.#differences, (namespace, name, packed) => this.#store.set(namespace, name, packed))
  }
}

/**
 * Compares a list with what is known while a watch goes on changing it. The list shows one moment after the audit began, so an object
 * that no event has touched since, and that is different all the same, is one whose event was lost.
 */
export class Audit {
  readonly #store: ResourceStore
  readonly #named: Named
  readonly #touched = new Set<string>()
  readonly #differences = new Map<string, string>()

  constructor(store: ResourceStore) {
    this.#store = store
    this.#named = new Named(store)
  }

  /** The watch had something to say about this object. */
  touch(namespace: string, name: string): void {
    this.#touched.add(`${namespace}/${name}`)
  }

  add(items: Items): void {
    eachItem(items, (namespace, name, packed) => {
      const key = `${namespace}/${name}`
      const known = this.#store.get(namespace, name)
      this.#named.add(key, known)
      if (packed !== KEEP && known !== packed) this.#differences.set(key, packed)
    })
  }

  /** To be called when the list is complete and events on their way have had time to arrive. @returns the keys that were healed */
  heal(): string[] {
    for (const [namespace, name] of this.#named.gone()) this.#differences.set(`${namespace}/${name}`, '')
    const healed: string[] = []
    for (const [key, packed] of this.#differences) {
      const [namespace, name] = [namespaceOf(key), nameOf(key)]
      if (this.#touched.has(key) || this.#store.get(namespace, name) === packed) continue
      this.#store.set(namespace, name, packed)
      healed.push(namespace === '' ? name : key)
    }
    return healed
  }
}
