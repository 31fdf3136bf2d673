// The static data of all blocks (hosts, file, auto): read, written to one index region of its own, looked at again from time to time.
// On the main thread. Workers answer from it by plugins/hosts.ts and plugins/file.ts.

import type { Configuration } from '../config/configuration.ts'
import type { Region } from '../index/layout.ts'
import type { HostsSource } from '../plugins/hosts.ts'
import { HostsZone } from './hosts-zone.ts'
import type { StaticContext, StaticLog, StaticPart } from './static-part.ts'
import { ZoneStore } from './zone-store.ts'

/** Figures for metrics. */
export interface StaticStats {
  /** By hosts file: pairs of a name and an address, those of the Corefile included. */
  readonly hostsEntries: ReadonlyMap<string, number>
  /** When a hosts file was last read, seconds since 1970; 0: never. */
  readonly hostsReloadSeconds: number
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
    for (const [block, { plugins }] of configuration.blocks.entries()) {
      if (plugins.hosts === undefined) continue
      const hosts = new HostsZone(block, plugins.hosts, context)
      this.#hosts.set(block, hosts)
      this.#parts.push(hosts)
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

  get stats(): StaticStats {
    const hostsEntries = new Map<string, number>()
    let hostsReloadSeconds = 0
    for (const { path, entryCount, readSeconds } of this.#hosts.values()) {
      hostsEntries.set(path, (hostsEntries.get(path) ?? 0) + entryCount)
      hostsReloadSeconds = Math.max(hostsReloadSeconds, readSeconds)
    }
    return { hostsEntries, hostsReloadSeconds }
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

  #repeat(part: StaticPart): void {
    this.#timers.push(setInterval(() => void this.#refresh(part), part.reloadMs).unref())
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
