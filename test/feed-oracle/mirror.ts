// What the feed has made of the cluster's history: of each resource, every state that the API server ever had is known here, in
// order, and what the feed knows must always be one of them, never an earlier one than before.

import type { ClusterState, Kind } from '../../src/kube/cluster-state.ts'
import type { Packed } from '../../src/kube/packed.ts'
import type { Resource } from '../../src/kube/watch/messages.ts'
import type { Known } from './cluster-model.ts'

export const KINDS: Readonly<Record<Resource, Kind | 'namespaces'>> = {
  namespaces: 'namespaces',
  services: 'services',
  endpointslices: 'slices',
  pods: 'pods',
  serviceimports: 'imports',
}

/** One resource. Keys are `namespace/name`. */
class Course {
  readonly kind: Kind | 'namespaces'
  readonly #state: ClusterState
  /** Changes that the feed has not been seen to know of. */
  #ahead: { readonly key: string; readonly known: Known }[] = []
  readonly #then = new Map<string, Known>()
  readonly #now = new Map<string, Known>()
  /** Everything that an object ever was: what a Pod that is ending may go on to be. */
  readonly #ever = new Map<string, Set<Packed>>()
  readonly #differing = new Set<string>()

  constructor(kind: Kind | 'namespaces', state: ClusterState) {
    this.kind = kind
    this.#state = state
  }

  changed(key: string, known: Known): void {
    this.#ahead.push({ key, known })
    this.#now.set(key, known)
    if (known === null) return
    if (!this.#ever.has(key)) this.#ever.set(key, new Set(['']))
    this.#ever.get(key)!.add(known)
  }

  /** The feed has something new to say about an object. */
  touched(key: string): void {
    if (this.#matches(key, this.#then)) this.#differing.delete(key)
    else this.#differing.add(key)
  }

  /** Goes on to the next state that is the feed's. @returns '' or what it cannot be */
  catchUp(): string {
    let taken = 0
    while (this.#differing.size > 0 && taken < this.#ahead.length) {
      const { key, known } = this.#ahead[taken++]
      this.#then.set(key, known)
      this.touched(key)
    }
    this.#ahead.splice(0, taken)
    const [key] = this.#differing
    if (key === undefined) return ''
    return `${this.kind} ${key} is ${JSON.stringify(this.#known(key))}: no state after the last one seen had that`
  }

  /** Whether the feed knows what the newest state is; it may still be about to hear how that came to be. */
  isCaughtUp(): boolean {
    for (const key of this.#now.keys()) if (!this.#matches(key, this.#now)) return false
    return true
  }

  /** Of the first object that the feed knows otherwise than it is. */
  lag(): string {
    for (const [key, known] of this.#now) {
      if (!this.#matches(key, this.#now))
        return `${this.kind} ${key} is ${JSON.stringify(this.#known(key))}, not ${JSON.stringify(known)}`
    }
    return ''
  }

  /** Objects of the state that is the feed's. */
  *objects(): Iterable<[key: string, packed: Packed]> {
    for (const [key, known] of this.#then) {
      const packed = known ?? this.#known(key)
      if (packed !== '') yield [key, packed]
    }
  }

  #matches(key: string, states: ReadonlyMap<string, Known>): boolean {
    const allowed = states.get(key) ?? (states.has(key) ? null : '')
    const known = this.#known(key)
    return allowed === null ? known === '' || this.#ever.get(key)!.has(known) : known === allowed
  }

  #known(key: string): Packed {
    const slash = key.indexOf('/')
    const [namespace, name] = [key.slice(0, slash), key.slice(slash + 1)]
    if (this.kind === 'namespaces') return this.#state.hasNamespace(name) ? '+' : ''
    return this.#state.get(this.kind, namespace, name) ?? ''
  }
}

export class Mirror {
  readonly #courses: ReadonlyMap<Kind | 'namespaces', Course>

  constructor(state: ClusterState) {
    const kinds = Object.values(KINDS)
    this.#courses = new Map(kinds.map((kind) => [kind, new Course(kind, state)]))
    state.onChange = (kind, namespace, name) => {
      this.#courses.get(kind)!.touched(kind === 'namespaces' ? `/${namespace}` : `${namespace}/${name}`)
    }
  }

  /** The API server has a new state. */
  changed(resource: Resource, namespace: string, name: string, known: Known): void {
    this.#courses.get(KINDS[resource])!.changed(`${namespace}/${name}`, known)
  }

  /** Whether what the feed knows of each resource is a state of the API server's. @returns '' or why not */
  contradiction(): string {
    for (const course of this.#courses.values()) {
      const contradiction = course.catchUp()
      if (contradiction !== '') return contradiction
    }
    return ''
  }

  isCaughtUp(): boolean {
    return [...this.#courses.values()].every((course) => course.isCaughtUp())
  }

  lag(): string {
    return [...this.#courses.values()].map((course) => course.lag()).join('; ')
  }

  /** Puts the objects that the feed knows, by what the API server said, into a state of their own. */
  copyTo(state: ClusterState): void {
    for (const course of this.#courses.values()) {
      for (const [key, packed] of course.objects()) {
        const slash = key.indexOf('/')
        const [namespace, name] = [key.slice(0, slash), key.slice(slash + 1)]
        if (course.kind === 'namespaces') state.setNamespace(name, true)
        else state.set(course.kind, namespace, name, packed)
      }
    }
  }
}
