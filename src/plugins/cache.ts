// Plugin cache, as part of a chain: replies that come from elsewhere than upstreams get one TTL within the cache's bounds, as they would get by
// going through it. What upstreams said has its TTLs already (forward/resolution.ts). Cold. Corefile reference 5.7.

import type { CacheConfig } from '../config/configuration.ts'
import type { Plugin, Reply, Request, Serve, Walk } from './plugin.ts'
import { longestZone } from './zone-match.ts'

const TYPE_OPT = 41
const NOERROR = 0
const NXDOMAIN = 3

/** @see Corefile reference 5.7 */
export function createCache(config: CacheConfig): Plugin {
  return {
    name: 'cache',
    *serve(request: Request, next: Serve): Walk {
      const { name } = request.question
      const outcome = yield* next(request)
      if (outcome.kind !== 'reply' || outcome.plugin === 'cache' || outcome.plugin === 'forward') return outcome
      const isDenial = outcome.rcode === NXDOMAIN || outcome.answer.length === 0
      const disabled = isDenial ? config.disableDenial : config.disableSuccess
      const isCapped = longestZone(name, config.zones) !== null && longestZone(name, disabled) === null
      if (isCapped) cap(outcome, isDenial ? config.denial : config.success)
      return outcome
    },
  }
}

function cap(reply: Reply, { ttl: most, minTtl }: CacheConfig['success']): void {
  if (reply.rcode !== NOERROR && reply.rcode !== NXDOMAIN) return
  const records = [...reply.answer, ...reply.authority, ...reply.additional].filter(({ type }) => type !== TYPE_OPT)
  const least = Math.min(...records.map(({ ttl }) => ttl))
  for (const record of records) record.ttl = Math.min(Math.max(least, minTtl), most)
}
