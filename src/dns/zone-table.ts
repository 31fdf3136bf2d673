// The zones this server answers, and the longest one that a name lies in. Hot: find() allocates nothing.

import { foldWord } from './key.ts'
import { FOLD, wireOfLabels } from './name.ts'
import type { Query } from './question.ts'

/** One served zone. Plain data. */
export interface ZoneConfig {
  /** Labels of the apex, leftmost first: ['cluster', 'local']. [] is the root. */
  readonly labels: readonly string[]
  /** TTL of its records in seconds, 0..3600; MINIMUM of its SOA. */
  readonly ttl: number
  /** NS.pod names answer for addresses below them. */
  readonly pods: boolean
  /** Sources of synthesis may exist (OKD wildcards, zonal names). */
  readonly wildcards: boolean
  /** A chain of CNAMEs that ends inside the zone without a record keeps its CNAMEs (OKD). */
  readonly keepsBrokenChains: boolean
  /** Labels of the zones in which a missing name is another plugin's business; [[]] is every name. */
  readonly fallthrough?: readonly (readonly string[])[]
  /** What its names say of the cluster, for plugin metadata. */
  readonly metadata?: { readonly reverse: boolean; readonly multicluster: boolean; readonly zonal: boolean }
  /** Of a zone of k8s_external: the label above its name server. */
  readonly external?: string
}

const NONE = -1

/** An immutable set of zones. A zone is referred to by its index in the list it was made from. */
export class ZoneTable {
  private readonly configs: readonly ZoneConfig[]
  private readonly names: Uint8Array[]
  /** The same in words, the last of which overlaps the one before it; empty for names under 4 octets. */
  private readonly nameWords: Int32Array[]
  private readonly hasSynthesis: boolean[]
  private readonly fallthrough: (ZoneTable | null)[]
  /** First zone whose name takes so many octets, or NONE; the others follow in `sameLength`. */
  private readonly byLength = new Int16Array(256).fill(NONE)
  private readonly sameLength: Int16Array
  private home: Uint8Array | undefined
  private homeView = new DataView(new ArrayBuffer(0)) as DataView

  /** @param isFound  which of them find() looks for; the others are there to be written */
  constructor(configs: readonly ZoneConfig[], isFound: (config: ZoneConfig) => boolean = () => true) {
    this.configs = configs
    this.names = configs.map((zone) => wireOfLabels(zone.labels))
    this.nameWords = this.names.map(wordsOfName)
    this.hasSynthesis = configs.map((zone) => zone.pods || zone.wildcards)
    this.fallthrough = configs.map(({ fallthrough = [] }) => (fallthrough.length === 0 ? null : zonesOnly(fallthrough)))
    this.sameLength = new Int16Array(configs.length).fill(NONE)
    for (let zone = 0; zone < configs.length; zone++) {
      if (!isFound(configs[zone])) continue
      const { length } = this.names[zone]
      this.sameLength[zone] = this.byLength[length]
      this.byLength[length] = zone
    }
  }

  /** Names the memory that most names will be in: they are compared four octets at a time. Allocates. */
  setHome(packet: Uint8Array): void {
    this.home = packet
    this.homeView = new DataView(packet.buffer, packet.byteOffset, packet.byteLength)
  }

  /**
   * The longest zone that the name read into `name` equals or lies below (whole labels, any case), or -1.
   * @param packet  where the name was read, beginning at `start`
   */
  find(name: Query, packet: Uint8Array, start: number): number {
    const { labelStart, labelCount, nameLength } = name
    for (let label = 0; label <= labelCount; label++) {
      const offset = labelStart[label]
      let zone = this.byLength[nameLength - offset]
      for (; zone !== NONE; zone = this.sameLength[zone]) {
        if (this.isZoneAt(zone, packet, start + offset)) return zone
      }
    }
    return NONE
  }

  /** Does the name of `zone` stand at packet[start..], in any case? */
  isZoneAt(zone: number, packet: Uint8Array, start: number): boolean {
    const words = this.nameWords[zone]
    const name = this.names[zone]
    if (packet !== this.home || words.length === 0) return equals(name, packet, start)
    const view = this.homeView
    const last = words.length - 1
    // From the end: what differs between names that are not in a zone of theirs is mostly the top-level domain.
    if (foldWord(view.getInt32(start + name.length - 4)) !== words[last]) return false
    for (let i = 0; i < last; i++) if (foldWord(view.getInt32(start + (i << 2))) !== words[i]) return false
    return true
  }

  /** Wire form of a zone's name, folded, root octet included. */
  wire(zone: number): Uint8Array {
    return this.names[zone]
  }
  /** Writes the same at packet[at..], of which `view` is a view. The caller has made sure that it fits. */
  write(zone: number, packet: Uint8Array, view: DataView, at: number): void {
    const name = this.names[zone]
    const words = this.nameWords[zone]
    const last = words.length - 1
    if (last < 0) {
      for (let i = 0; i < name.length; i++) packet[at + i] = name[i]
      return
    }
    for (let i = 0; i < last; i++) view.setInt32(at + (i << 2), words[i])
    view.setInt32(at + name.length - 4, words[last])
  }
  nameLength(zone: number): number {
    return this.names[zone].length
  }
  labelCount(zone: number): number {
    return this.configs[zone].labels.length
  }
  ttl(zone: number): number {
    return this.configs[zone].ttl
  }
  /** May a name that is not in the index exist all the same? */
  synthesizes(zone: number): boolean {
    return this.hasSynthesis[zone]
  }
  hasPods(zone: number): boolean {
    return this.configs[zone].pods
  }
  hasWildcards(zone: number): boolean {
    return this.configs[zone].wildcards
  }
  keepsBrokenChains(zone: number): boolean {
    return this.configs[zone].keepsBrokenChains
  }
  /** Is the name, should it be missing from `zone`, to be looked for elsewhere? Arguments as for find(). */
  fallsThrough(zone: number, name: Query, packet: Uint8Array, start: number): boolean {
    const zones = this.fallthrough[zone]
    return zones !== null && zones.find(name, packet, start) !== NONE
  }
}

/** A table of which only find() matters. */
export function zonesOnly(zones: readonly (readonly string[])[]): ZoneTable {
  return new ZoneTable(
    zones.map((labels) => ({ labels, ttl: 0, pods: false, wildcards: false, keepsBrokenChains: false })),
  )
}

function wordsOfName(name: Uint8Array): Int32Array {
  const view = new DataView(name.buffer)
  const count = name.length < 4 ? 0 : (name.length + 3) >> 2
  return Int32Array.from({ length: count }, (_, i) => view.getInt32(Math.min(i << 2, name.length - 4)))
}

function equals(zone: Uint8Array, packet: Uint8Array, start: number): boolean {
  for (let i = 0; i < zone.length; i++) if (zone[i] !== FOLD[packet[start + i]]) return false
  return true
}
