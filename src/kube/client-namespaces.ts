// Which namespace a client's address belongs to, in the index, for `autopath @kubernetes`: below an apex of its own each address of a Pod refers to
// the name of its namespace's Pods. 45 octets a Pod (IPv6: 70), and nothing on the heap: what the index says is not kept a second time.
// An address that Pods of several namespaces share is the host's, and belongs to none.

import { clientLabel } from '../index/client-name.ts'
import { parseAddress } from './address.ts'
import type { RecordWriter, WritableZone } from './record-writer.ts'

export class ClientNamespaces {
  /** Not a zone that anybody asks for: its names are found by clientLabel() alone. */
  readonly apex: number
  readonly #records: RecordWriter
  readonly #zone: WritableZone
  readonly #octets = new Uint8Array(16)
  /** Label -> namespaces, of addresses that have several, as published. */
  readonly #shared = new Map<string, ReadonlySet<string>>()
  /** What the transaction makes of that; null: one namespace or none. */
  readonly #changed = new Map<string, ReadonlySet<string> | null>()

  /** @param zone  with the names of verified Pods, which are written at the same time   @param apex  made for this by IndexWriter.addZone(), or restored */
  constructor(records: RecordWriter, zone: WritableZone, apex: number) {
    this.#records = records
    this.#zone = zone
    this.apex = apex
  }

  /** To be called before the first change of a transaction: what a transaction before has not published is forgotten. */
  begin(): void {
    this.#changed.clear()
  }

  /** The first Pod of a namespace has come to an address, or the last one has gone. @throws RegionFullError */
  write(address: string, namespace: string, isThere: boolean): void {
    const label = this.#label(address)
    if (label === '') return
    const before = this.#namespacesAt(label)
    const after = new Set(before)
    if (isThere) after.add(namespace)
    else after.delete(namespace)
    const [one] = after
    if (after.size === 1) this.#records.setReference(this.apex, label, this.#zone, [one, 'pod'])
    else if (before.size === 1) this.#records.clearReference(this.apex, label)
    if (after.size > 1 || before.size > 1) this.#changed.set(label, after.size > 1 ? after : null)
  }

  /** What has been written is published. */
  settle(): void {
    for (const [label, namespaces] of this.#changed) {
      if (namespaces === null) this.#shared.delete(label)
      else this.#shared.set(label, namespaces)
    }
    this.#changed.clear()
  }

  /** After the index was restored: to be told of each namespace at each address once. */
  restore(address: string, namespace: string): void {
    const label = this.#label(address)
    if (label === '' || this.#records.reference(this.apex, label) !== '') return
    this.#shared.set(label, new Set(this.#shared.get(label)).add(namespace))
  }

  #label(address: string): string {
    const length = parseAddress(address, this.#octets)
    return length === 0 ? '' : clientLabel(this.#octets, length)
  }

  #namespacesAt(label: string): ReadonlySet<string> {
    const changed = this.#changed.get(label)
    const shared = changed === undefined ? this.#shared.get(label) : changed
    if (shared !== undefined && shared !== null) return shared
    const one = this.#records.reference(this.apex, label)
    return new Set(one === '' ? [] : [one])
  }
}
