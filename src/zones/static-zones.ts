// The static data of all blocks (hosts, file, auto): read, written to one index region of its own, looked at again from time to time.
// On the main thread. Workers answer from it by plugins/hosts.ts and plugins/file.ts.

import type { Configuration } from '../config/configuration.ts'
import type { ResourceRecord } from '../dns/message.ts'
import type { Region } from '../index/layout.ts'
import type { IndexStats } from '../index/writer.ts'
import type { FileSource } from '../plugins/file.ts'
import type { HostsSource } from '../plugins/hosts.ts'
import { AutoZones } from './auto-zones.ts'
import { FileZones } from './file-zones.ts'
import { HostsZone } from './hosts-zone.ts'
import type { StaticContext, StaticLog, StaticPart } from './static-part.ts'
import { ZoneStore } from './zone-store.ts'

/** Figures for metrics. */
export interface StaticStats {
  /** By hosts file: pairs of a name and an address, those of the Corefile included. */
  readonly hostsEntries: ReadonlyMap<string, number>
  /** When a hosts file was last read, seconds since 1970; 0: never. */
  readonly hostsReloadSeconds: number
  /** null: there is no static data. */
  readonly index: IndexStats | null
}

/** A zone out of a file. */
export interface StaticZone {
  /** Index in Configuration.blocks. */
  readonly block: number
  readonly plugin: 'file' | 'auto'
  /** Absolute, lower case. */
  readonly zone: string
  /** Of its SOA. */
  readonly serial: number
}

export interface StaticOptions {
  /** Octets of address space for the index; by default it follows from what is read. */
  readonly capacity?: number
  /** Overwrite freed memory (tests). */
  readonly poison?: boolean
}

const CAPACITY_MIN = 64 * 2 ** 20
const CAPACITY_MAX = 2 ** 30
/** Octets of index for each octet of a file, at most: names, tries, records, and old and new side by side, twice over. */
const GROWTH = 64
const RECLAIM_MS = 1000
const TIMER_MS_MAX = 2 ** 31 - 1 // a longer one would end at once

export class StaticZones {
  /** A zone has new content: for NOTIFY. */
  onZoneChanged: (zone: string, serial: number) => void = () => {}
  /** There are other zones than before (auto): workers need what fileSources() says now. */
  onSourcesChanged: () => void = () => {}
  readonly #readerCount: number
  readonly #log: StaticLog
  readonly #options: StaticOptions
  readonly #parts: StaticPart[] = []
  readonly #hosts = new Map<number, HostsZone>()
  readonly #files: (FileZones | AutoZones)[] = []
  readonly #timers: NodeJS.Timeout[] = []
  #store: ZoneStore | null = null

  constructor(configuration: Configuration, readerCount: number, log: StaticLog, options: StaticOptions = {}) {
    this.#readerCount = readerCount
    this.#log = log
    this.#options = options
    const context: StaticContext = {
      log,
      zoneChanged: (zone, serial) => this.onZoneChanged(zone, serial),
      sourcesChanged: () => this.onSourcesChanged(),
    }
    for (const [index, { plugins, file, line }] of configuration.blocks.entries()) {
      if (plugins.hosts !== undefined) {
        const hosts = new HostsZone(index, plugins.hosts, context)
        this.#hosts.set(index, hosts)
        this.#parts.push(hosts)
      }
      for (const config of plugins.file ?? []) this.#addFiles(new FileZones({ index, file, line }, config, context))
      for (const config of plugins.auto ?? []) this.#addFiles(new AutoZones(index, config, context))
    }
  }

  /**
   * Reads all files, publishes what they say, and begins to look at them again.
   * @throws CorefileError for a file that cannot be served, RegionFullError for more than can be held
   */
  async load(): Promise<void> {
    if (this.#parts.length === 0) return
    for (const part of this.#parts) await part.read()
    const octets = this.#parts.reduce((sum, part) => sum + part.octets, 0)
    const capacity = this.#options.capacity ?? Math.min(CAPACITY_MIN + GROWTH * octets, CAPACITY_MAX)
    const store = new ZoneStore({ capacity, readerCount: this.#readerCount, poison: this.#options.poison })
    for (const part of this.#parts) part.attach(store)
    store.finishLoading()
    this.#store = store
    for (const part of this.#parts) if (part.reloadMs > 0) this.#repeat(part)
    const reclaiming = setInterval(() => store.reclaim(), RECLAIM_MS)
    this.#timers.push(reclaiming.unref())
  }

  /** Where the data is; null: no block has any, or load() is still to come. */
  get region(): Region | null {
    return this.#store?.region ?? null
  }

  /** After load(): what the block's `hosts` is answered from; null: it has none. */
  hostsSource(block: number): HostsSource | null {
    return this.#hosts.get(block)?.source() ?? null
  }

  /** After load(): what the block's `file` and its `auto` are answered from, in this order, as far as it has them. */
  fileSources(block: number): FileSource[] {
    const parts = this.#files.filter((part) => part.block === block)
    return (['file', 'auto'] as const).flatMap((plugin) => {
      const zones = parts.filter((part) => part.plugin === plugin).flatMap((part) => part.zones())
      if (!parts.some((part) => part.plugin === plugin)) return []
      // Of a zone that stands there twice the last one counts.
      const byName = new Map(zones.map((zone) => [zone.labels.join('.'), zone]))
      return [{ plugin, region: this.#store!.region.buffer, zones: [...byName.values()] }]
    })
  }

  /** Zones of `file` and `auto` that are served now. */
  get zones(): readonly StaticZone[] {
    return this.#files.flatMap(({ block, plugin, contents }) =>
      contents.filter(({ isLoaded }) => isLoaded).map(({ zone, serial }) => ({ block, plugin, zone, serial })),
    )
  }

  /**
   * The records of a zone of `file` or `auto` from SOA to SOA, as they are at the moment of the call; none if it is not served.
   * @param zone   absolute, lower case
   * @param block  for a zone that several blocks have
   */
  axfrRecords(zone: string, block = -1): Iterable<ResourceRecord> {
    const parts = this.#files.filter((part) => block < 0 || part.block === block)
    const content = parts.flatMap(({ contents }) => contents).findLast((each) => each.zone === zone && each.isLoaded)
    return content?.records() ?? []
  }

  get stats(): StaticStats {
    const hostsEntries = new Map<string, number>()
    let hostsReloadSeconds = 0
    for (const { path, entryCount, readSeconds } of this.#hosts.values()) {
      hostsEntries.set(path, (hostsEntries.get(path) ?? 0) + entryCount)
      hostsReloadSeconds = Math.max(hostsReloadSeconds, readSeconds)
    }
    return { hostsEntries, hostsReloadSeconds, index: this.#store?.stats ?? null }
  }

  /** Looks at everything now, without waiting for its time. */
  async refresh(): Promise<void> {
    for (const part of this.#parts) if (part.reloadMs > 0) await this.#refresh(part)
  }

  /** Looks at nothing any more. The region stays as it is. */
  close(): void {
    for (const timer of this.#timers) clearInterval(timer)
    this.#timers.length = 0
  }

  #addFiles(part: FileZones | AutoZones): void {
    this.#files.push(part)
    this.#parts.push(part)
  }

  #repeat(part: StaticPart): void {
    this.#timers.push(setInterval(() => void this.#refresh(part), Math.min(part.reloadMs, TIMER_MS_MAX)).unref())
  }

  /** One refresh of a part at a time: whoever asks meanwhile waits for it. */
  readonly #running = new Map<StaticPart, Promise<void>>()

  #refresh(part: StaticPart): Promise<void> {
    const running = this.#running.get(part)
    if (running !== undefined) return running
    const refresh = part
      .refresh()
      .catch((error: Error) => this.#log('error', `plugin/${part.plugin}: ${error.message}`))
      .finally(() => this.#running.delete(part))
    this.#running.set(part, refresh)
    return refresh
  }
}
