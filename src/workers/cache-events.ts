// What a block's cache counts, as events of its counter groups: they are the first events of every group of a block with `cache`, so that
// whoever answers counts by a constant. Not here: what the cache itself knows (entries, evictions), and requests, which are hits and misses.

import type { CacheConfig } from '../config/configuration.ts'
import type { CounterEvent } from './counters.ts'

/** Answers out of the cache, by what they say; those out of entries that had run out are among them. */
export const CACHE_HIT_SUCCESS = 0
export const CACHE_HIT_DENIAL = 1
/** Queries that the cache had no answer for. */
export const CACHE_MISS = 2
/** Entries that were renewed before they ran out. */
export const CACHE_PREFETCH = 3
/** Replies to another question. */
export const CACHE_DROP = 4
/** Answers out of entries that had run out. */
export const CACHE_SERVED_STALE = 5

/** The events of a cache, in the order of the constants above. */
export function cacheEvents(cache: CacheConfig): CounterEvent[] {
  const zones = cacheZones(cache)
  return [
    { name: 'cache_hits_total', labels: { type: 'success', zones } },
    { name: 'cache_hits_total', labels: { type: 'denial', zones } },
    { name: 'cache_misses_total', labels: { zones } },
    { name: 'cache_prefetch_total', labels: { zones } },
    { name: 'cache_drops_total', labels: { zones } },
    { name: 'cache_served_stale_total', labels: { zones } },
  ]
}

/** Label `zones`: '.', 'example.org.,example.net.'. */
export function cacheZones({ zones }: CacheConfig): string {
  return zones.join(',')
}
