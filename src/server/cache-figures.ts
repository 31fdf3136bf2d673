// What caches say of themselves, for metrics: how many entries, and how many made room for others. Hits and misses are counted where queries
// are answered (src/workers/cache-events.ts).

import type { Configuration } from '../config/configuration.ts'
import { type CounterSample, type CounterValues, Gathered } from '../counting/values.ts'
import { type CacheFigures, readCacheFigures } from '../forward/cache-region.ts'
import { cacheZones } from '../workers/cache-events.ts'
import { serverLabel } from './answer-source.ts'
import type { ForwardSources } from './forwarding.ts'

const KINDS = ['success', 'denial'] as const

/** A block's cache under one `server`. */
interface Labels {
  readonly server: string
  readonly zones: string
  readonly view: string
}

/** By block; null: it has no cache, or one that is in `kept` too. */
export function cacheFigures(forwarding: ForwardSources, kept: ForwardSources = []): (CacheFigures | null)[] {
  const ids = new Set(kept.flatMap((source) => source?.cache?.id ?? []))
  return forwarding.map((source) => {
    const cache = source?.cache
    return cache && !ids.has(cache.id) ? readCacheFigures(cache.region) : null
  })
}

/**
 * Entries now. A block on several listeners has one cache, which is shown for each of them.
 * @param figures  by block; null: it has none
 */
export function cacheEntries(
  configuration: Configuration,
  figures: readonly (CacheFigures | null)[],
): readonly CounterSample[] {
  return figures.flatMap((each, block) => {
    if (each === null) return []
    return labelsOf(configuration, block).flatMap((labels) =>
      KINDS.map((type) => ({ name: 'cache_entries', labels: { ...labels, type }, value: each.entries[type] })),
    )
  })
}

/** Evictions since the caches were made: for CounterHistory, when a cache goes. @param figures  as above */
export function cacheEvictions(configuration: Configuration, figures: readonly (CacheFigures | null)[]): CounterValues {
  const values = new Gathered()
  for (const [block, each] of figures.entries()) {
    if (each === null) continue
    for (const labels of labelsOf(configuration, block)) {
      for (const type of KINDS) values.addCounter('cache_evictions_total', { ...labels, type }, each.evictions[type])
    }
  }
  return values
}

/** Of a block with `cache` and `prometheus`: none otherwise. */
function labelsOf({ listeners, blocks }: Configuration, block: number): Labels[] {
  const { cache, view, prometheus } = blocks[block].plugins
  if (cache === undefined || prometheus === undefined) return []
  const zones = cacheZones(cache)
  return listeners
    .filter((listener) => listener.zones.some((each) => each.block === block))
    .map((listener) => ({ server: serverLabel(listener), zones, view: view?.name ?? '' }))
}
