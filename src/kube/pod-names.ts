// The names of Pods in the index, with `pods verified`. Pods on the host's network share one: it is there as long as one of them is.

import { canonicalAddress } from './address.ts'
import type { ClientNamespaces } from './client-namespaces.ts'
import { type ClusterState, nameOf, namespaceOf } from './cluster-state.ts'
import { emptyOwner } from './endpoint-names.ts'
import { type Packed, unpackPod } from './packed.ts'
import type { RecordWriter, WritableZone } from './record-writer.ts'

/** Pods of each `label.namespace` that a change concerns. */
export type PodCounts = ReadonlyMap<string, number>

export class PodNames {
  readonly #state: ClusterState
  readonly #records: RecordWriter
  readonly #zones: readonly WritableZone[]
  readonly #clients: ClientNamespaces | null
  /** Pods of each `label.namespace` that has any, as published. */
  readonly #counts = new Map<string, number>()

  /** @param clients  told of every address that comes or goes */
  constructor(
    state: ClusterState,
    records: RecordWriter,
    zones: readonly WritableZone[],
    clients: ClientNamespaces | null,
  ) {
    this.#clients = clients
    this.#state = state
    this.#records = records
    this.#zones = zones
  }

  /** The index has all Pods of the state already. */
  restore(): void {
    for (const [namespace, , pod] of this.#state.objects('pods')) {
      if (this.#state.isExposed(namespace)) this.#count(this.#counts, namespace, pod, 1)
    }
    if (this.#clients === null) return
    for (const key of this.#counts.keys()) {
      const [label, namespace] = partsOf(key)
      this.#clients.restore(addressOfLabel(label), namespace)
    }
  }

  /** Writes the names of changed Pods. @returns what settle() is to be told when that is published. @throws RegionFullError */
  write(): PodCounts {
    const state = this.#state
    this.#clients?.begin()
    const counts = new Map<string, number>()
    for (const [key, { object, exposed }] of state.changedPods) {
      const namespace = namespaceOf(key)
      if (exposed) this.#count(counts, namespace, object, -1)
      if (state.isExposed(namespace)) this.#count(counts, namespace, state.get('pods', namespace, nameOf(key)), 1)
    }
    for (const [key, pods] of counts) {
      if (this.#counts.has(key) === pods > 0) continue
      const [label, namespace] = partsOf(key)
      const owner = [label, namespace, 'pod']
      const address = addressOfLabel(label)
      this.#clients?.write(address, namespace, pods > 0)
      for (const zone of this.#zones) {
        if (pods > 0) this.#records.set(zone, { ...emptyOwner(owner), addresses: [address] })
        else this.#records.clear(zone, owner)
      }
    }
    return counts
  }

  settle(counts: PodCounts): void {
    this.#clients?.settle()
    for (const [owner, pods] of counts) {
      if (pods > 0) this.#counts.set(owner, pods)
      else this.#counts.delete(owner)
    }
  }

  #count(counts: Map<string, number>, namespace: string, pod: Packed | undefined, change: number): void {
    if (pod === undefined) return
    for (const address of unpackPod(namespace, '', pod).addresses) {
      const owner = `${dashedPodAddress(address)}.${namespace}`
      counts.set(owner, (counts.get(owner) ?? this.#counts.get(owner) ?? 0) + change)
    }
  }
}

/** Label and namespace of `label.namespace`. */
function partsOf(key: string): [label: string, namespace: string] {
  const dot = key.indexOf('.')
  return [key.slice(0, dot), key.slice(dot + 1)]
}

function dashedPodAddress(address: string): string {
  return canonicalAddress(address).replaceAll(/[.:]/g, '-')
}

function addressOfLabel(label: string): string {
  const dashes = label.match(/-/g)?.length ?? 0
  return label.replaceAll('-', dashes === 3 && !label.includes('--') ? '.' : ':')
}
