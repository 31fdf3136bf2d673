// What blocks forward to, as workers get it, and the memory of their caches, which a reload keeps where nothing about it has changed.

import type { BlockConfig, CacheConfig, Configuration } from '../config/configuration.ts'
import { createCache } from '../forward/cache-region.ts'
import type { CacheSource, ForwardSource } from '../forward/forward-stage.ts'

/** Octets for an entry, of which a cache has as many as both its capacities say. */
const ENTRY_OCTETS = 512
const CACHE_OCTETS_MIN = 4 << 20
const CACHE_OCTETS_MAX = 256 << 20
/** Capacities below are taken as this. */
const CAPACITY_MIN = 1024

let lastId = 0

/** By block. */
export type ForwardSources = readonly (ForwardSource | null)[]

/**
 * What the blocks of a configuration forward to.
 * @param readers  threads that look into caches   @param before  of the configuration before, and what it made of it
 */
export function forwardSourcesOf(
  { blocks }: Configuration,
  readers: number,
  before: { readonly configuration: Configuration; readonly forwarding: ForwardSources } | null,
): ForwardSources {
  const kept = new Map<string, CacheSource[]>()
  before?.forwarding.forEach((source, index) => {
    if (!source?.cache) return
    const key = keyOf(before.configuration.blocks[index])
    kept.set(key, [...(kept.get(key) ?? []), source.cache])
  })
  return blocks.map((block) => {
    const { forward: forwards, cache: config } = block.plugins
    if (forwards === undefined) return null
    if (config === undefined) return { forwards, cache: null }
    const old = kept.get(keyOf(block))?.shift()
    return { forwards, cache: old ?? { id: ++lastId, region: regionOf(config, readers), config } }
  })
}

/** Entries are of use to blocks that are the same in all that decides on them. */
function keyOf({ zones, plugins: { forward, cache } }: BlockConfig): string {
  return JSON.stringify([zones, forward, cache])
}

function regionOf({ success, denial, serveStale }: CacheConfig, readers: number): SharedArrayBuffer {
  const entries = Math.max(success.capacity, CAPACITY_MIN) + Math.max(denial.capacity, CAPACITY_MIN)
  const octets = Math.min(Math.max(entries * ENTRY_OCTETS, CACHE_OCTETS_MIN), CACHE_OCTETS_MAX)
  const size = { success: success.capacity, denial: denial.capacity, octets, staleMs: serveStale?.durationMs ?? 0 }
  return createCache(size, readers)
}
