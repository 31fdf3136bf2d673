// The region of static zones and its one writer: a publication for each zone that changes.

import { RegionFullError } from '../index/allocator.ts'
import { createRegion, type Region } from '../index/layout.ts'
import { type IndexStats, IndexWriter } from '../index/writer.ts'
import { type ZoneNode, ZoneWriter } from './zone-writer.ts'

export interface ZoneStoreOptions {
  /** Octets that the region may grow to: address space, not memory. */
  readonly capacity: number
  /** Readers 0..readerCount-1 may hold versions. */
  readonly readerCount: number
  /** Overwrite freed memory (tests). */
  readonly poison?: boolean
}

export class ZoneStore {
  readonly region: Region
  readonly #writer: IndexWriter
  /** Written since loading began. */
  readonly #loaded: ZoneWriter[] = []
  #zoneCount = 0
  #serial = 0

  /** A store that is loading: what is written until finishLoading() is published then. */
  constructor({ capacity, readerCount, poison }: ZoneStoreOptions) {
    this.region = createRegion(capacity)
    this.#writer = new IndexWriter(this.region, { readerCount, poison })
    this.#writer.beginLoading()
  }

  /**
   * A new zone, empty; the next replace() publishes it. Zones are never taken away: there are numbers for 65,534.
   * @throws RegionFullError: the store is full, the zone is of no use
   */
  addZone(): ZoneWriter {
    try {
      return new ZoneWriter(this.#writer, this.#zoneCount++)
    } catch (error) {
      if (!this.#writer.isLoading) this.#writer.abort()
      throw error
    }
  }

  /** Gives `zone` new content. @throws RegionFullError: the old content is served on, unless the store is loading */
  replace(zone: ZoneWriter, nodes: Iterable<ZoneNode>): void {
    if (this.#writer.isLoading) {
      zone.replace(nodes)
      this.#loaded.push(zone)
      return
    }
    try {
      zone.replace(nodes)
      this.#writer.publish(++this.#serial)
      zone.settle(true)
    } catch (error) {
      zone.settle(false)
      this.#writer.abort()
      throw error
    }
  }

  /** Publishes what was written since the store was made. @throws RegionFullError */
  finishLoading(): void {
    this.#writer.publish(++this.#serial)
    for (const zone of this.#loaded) zone.settle(true)
    this.#loaded.length = 0
  }

  get stats(): IndexStats {
    return this.#writer.stats
  }

  /** Gives back memory that every reader has left; to be called now and then. */
  reclaim(): void {
    this.#writer.reclaim()
  }
}

/** Whether an error says that the store is full. */
export function isFull(error: unknown): error is RegionFullError {
  return error instanceof RegionFullError
}
