// The end of a block's stages: names that an upstream is asked for. What the block's cache has is answered in place, in the batch it was asked in; the
// rest waits for the resolver thread. Hot: nothing is allocated. Behavior: Corefile reference 5.6 and 5.7; RFC 2308, RFC 8767 for stale data.
// Not here: asking, and filling the cache (resolution.ts).

import type { CacheConfig, ForwardConfig } from '../config/configuration.ts'
import { labelsOfText } from '../dns/name.ts'
import { HEADER_LENGTH, Query } from '../dns/question.ts'
import type { Response } from '../dns/response.ts'
import { type ZoneTable, zonesOnly } from '../dns/zone-table.ts'
import { KeyReader } from '../plugins/key-reader.ts'
import { AUTHORITATIVE, PASS, type Stage, WAIT } from '../plugins/stage.ts'
import { CacheReader } from './cache-reader.ts'
import { CHECKING_DISABLED, DNSSEC_OK, RECURSION_NOT_DESIRED } from './cache-region.ts'
import { monotonicMs } from './clock.ts'
import { appendReady } from './ready-form.ts'

/** What the stage is made from; plain data, so that it can be handed to a worker. */
export interface ForwardSource {
  readonly forwards: readonly ForwardConfig[]
  readonly cache: CacheSource | null
}

/** A block's cache. */
export interface CacheSource {
  /** The same for the same memory, which a reload may keep. */
  readonly id: number
  readonly region: SharedArrayBuffer
  readonly config: CacheConfig
}

// What the last answer() found in the cache; but for the first they are numbers of events (workers/cache-events.ts).
/** There is no cache, or none for such names. */
export const NOT_LOOKED = -1
export const FOUND_SUCCESS = 0
export const FOUND_DENIAL = 1
export const FOUND_NOTHING = 2

// An entry that could not be refreshed is not asked for at full speed.
const REFRESH_AGAIN_MS = 1000

const QNAME = HEADER_LENGTH
/** Bits of the header that are the server's own to say: RA, and AD for whoever understands it. */
const FLAG_RA = 0x80
const FLAG_AD = 0x20

/** Key of a question in a cache: bits besides name, type and class. */
export function cacheBits(query: Query, packet: Uint8Array, start: number): number {
  const isRecursive = (packet[start + 2] & 0x01) !== 0
  const checks = (packet[start + 3] & 0x10) === 0
  return (query.dnssecOk ? DNSSEC_OK : 0) | (checks ? 0 : CHECKING_DISABLED) | (isRecursive ? 0 : RECURSION_NOT_DESIRED)
}

/** QCLASS. */
export function classOf({ questionEnd }: Query, packet: Uint8Array, start: number): number {
  return (packet[start + questionEnd - 2] << 8) | packet[start + questionEnd - 1]
}

/** Which of the forms' flags go out: AD only to whoever asked with AD or DO (RFC 6840 §5.7). */
export function shownFlags(flags: number, query: Query, packet: Uint8Array, start: number): number {
  const understands = query.dnssecOk || (packet[start + 3] & FLAG_AD) !== 0
  return flags & (understands ? FLAG_RA | FLAG_AD : FLAG_RA)
}

/** A block's `forward` directives and its cache, for one reader. */
export class ForwardStage implements Stage {
  readonly plugin = 'forward'
  readonly source: ForwardSource
  /** NOT_LOOKED and so on. */
  found = NOT_LOOKED
  /** What was found has run out. */
  isStale = false
  /** After a hit: an entry is to be refreshed, by whoever sees this. */
  wantsRefresh = false
  readonly cache: CacheReader | null
  readonly #config: CacheConfig | null
  readonly #from: ZoneTable
  readonly #except: readonly (ZoneTable | null)[]
  readonly #takesAll: boolean
  readonly #cacheZones: ZoneTable | null
  readonly #keys = new KeyReader()
  readonly #key = new Query()
  #nowMs = 0

  constructor(source: ForwardSource, reader: number) {
    this.source = source
    const { forwards, cache } = source
    this.cache = cache === null ? null : new CacheReader(cache.region, reader)
    this.#config = cache?.config ?? null
    this.#from = zonesOnly(forwards.map(({ from }) => labelsOf(from)))
    this.#except = forwards.map(({ except }) => (except.length === 0 ? null : zonesOnly(except.map(labelsOf))))
    this.#takesAll = forwards.some(({ from, except }) => from === '.' && except.length === 0)
    const zones = cache?.config.zones ?? []
    this.#cacheZones = zones.includes('.') ? null : zonesOnly(zones.map(labelsOf))
  }

  setHome(packet: Uint8Array): void {
    this.#from.setHome(packet)
    for (const except of this.#except) except?.setHome(packet)
    this.#cacheZones?.setHome(packet)
    this.#keys.setHome(packet)
  }

  /** Entries of a cache change without a version: responses made of them are not kept. */
  beginBatch(): number {
    if (this.cache !== null) {
      this.cache.hold()
      this.#nowMs = monotonicMs()
    }
    return 1
  }

  endBatch(): void {
    this.cache?.release()
  }

  answer(query: Query, packet: Uint8Array, start: number, response: Response): number {
    this.found = NOT_LOOKED
    this.isStale = false
    this.wantsRefresh = false
    if (!this.takes(query, packet, start)) return PASS
    const { cache } = this
    if (cache === null || !this.isCached(query, packet, start)) return WAIT
    const ref = this.#find(cache, query, packet, start) ? this.#choose(cache) : 0
    if (ref === 0) {
      this.found = FOUND_NOTHING
      return WAIT
    }
    const result = appendReady(response, packet, cache.words, cache.octets, cache.form(ref), this.ttl(cache, ref))
    response.flags = shownFlags(result, query, packet, start)
    return (result & 0x0f) | AUTHORITATIVE
  }

  /** The entry that is an answer to a query in a zone of the cache, 0 for none. */
  look(cache: CacheReader, query: Query, packet: Uint8Array, start: number): number {
    this.isStale = false
    return this.#find(cache, query, packet, start) ? this.#choose(cache) : 0
  }

  /** The entry that has run out, and is better than a failure; 0 for none. To be sent with the TTL of `serve_stale`. */
  lookStale(cache: CacheReader, query: Query, packet: Uint8Array, start: number): number {
    if (this.#config!.serveStale === null || !this.#find(cache, query, packet, start)) return 0
    const { success, denial } = cache
    if (denial !== 0 && !cache.isFailure(denial) && this.#mayBeStale(cache, denial)) return denial
    return success !== 0 && this.#mayBeStale(cache, success) ? success : 0
  }

  #find(cache: CacheReader, query: Query, packet: Uint8Array, start: number): boolean {
    this.readKey(this.#key, query, packet, start)
    return cache.find(this.#key, query.type, classOf(query, packet, start), cacheBits(query, packet, start))
  }

  /** The key of a name in a cache. */
  readKey(key: Query, query: Query, packet: Uint8Array, start: number): void {
    this.#keys.read(key, packet, start + QNAME, 0, query.nameLength - 1)
  }

  /** Is some `forward` meant for this name? */
  takes(query: Query, packet: Uint8Array, start: number): boolean {
    return this.#takesAll || this.forwardOf(query, packet, start, 0) >= 0
  }

  /** The first `forward` from number `first` on that is meant for this name, -1 for none. */
  forwardOf(query: Query, packet: Uint8Array, start: number, first: number): number {
    const { forwards } = this.source
    for (let forward = first; forward < forwards.length; forward++) {
      if (!this.#isBelow(forward, query, packet, start)) continue
      const except = this.#except[forward]
      if (except === null || except.find(query, packet, start + QNAME) < 0) return forward
      // FROM itself is never excepted.
      if (query.labelCount === this.#from.labelCount(forward)) return forward
    }
    return -1
  }

  /** Does the block's cache keep such names at all? */
  isCached(query: Query, packet: Uint8Array, start: number): boolean {
    return (
      this.#config !== null && (this.#cacheZones === null || this.#cacheZones.find(query, packet, start + QNAME) >= 0)
    )
  }

  #isBelow(forward: number, query: Query, packet: Uint8Array, start: number): boolean {
    const labels = this.#from.labelCount(forward)
    if (labels === 0) return true
    if (labels > query.labelCount) return false
    return this.#from.isZoneAt(forward, packet, start + QNAME + query.labelStart[query.labelCount - labels])
  }

  /** The entry that answers, 0 for none: a denial first, but a failure never hides what is valid. */
  #choose(cache: CacheReader): number {
    const { success, denial } = cache
    const nowMs = this.#nowMs
    const hasSuccess = success !== 0 && nowMs < cache.expiresMs(success)
    if (denial !== 0 && nowMs < cache.expiresMs(denial)) {
      if (cache.isFailure(denial)) {
        if (hasSuccess) return this.#hit(cache, success, FOUND_SUCCESS)
      } else if (this.#config!.preferPositive && success !== 0 && (hasSuccess || this.#mayBeStale(cache, success))) {
        return hasSuccess ? this.#hit(cache, success, FOUND_SUCCESS) : this.#stale(cache, success, FOUND_SUCCESS)
      }
      return this.#hit(cache, denial, FOUND_DENIAL)
    }
    if (hasSuccess) return this.#hit(cache, success, FOUND_SUCCESS)
    if (denial !== 0 && !cache.isFailure(denial) && this.#mayBeStale(cache, denial))
      return this.#stale(cache, denial, FOUND_DENIAL)
    if (success !== 0 && this.#mayBeStale(cache, success)) return this.#stale(cache, success, FOUND_SUCCESS)
    return 0
  }

  #hit(cache: CacheReader, ref: number, found: number): number {
    this.found = found
    cache.hit(ref, this.#nowMs)
    const { amount, durationMs, percentage } = this.#config!.prefetch
    if (amount > 0 && cache.streak(ref, this.#nowMs, durationMs) >= amount) {
      const leftMs = cache.expiresMs(ref) - this.#nowMs
      if (leftMs * 100 < percentage * 1000 * cache.ttl(ref))
        this.wantsRefresh = cache.claimRefresh(ref, this.#nowMs, REFRESH_AGAIN_MS)
    }
    return ref
  }

  #mayBeStale(cache: CacheReader, ref: number): boolean {
    const { serveStale } = this.#config!
    return serveStale !== null && this.#nowMs < cache.expiresMs(ref) + serveStale.durationMs
  }

  /** With `verify` the resolver asks first. */
  #stale(cache: CacheReader, ref: number, found: number): number {
    const { mode, recheckMs } = this.#config!.serveStale!
    if (mode === 'verify') return 0
    this.found = found
    this.isStale = true
    cache.hit(ref, this.#nowMs)
    this.wantsRefresh = cache.claimRefresh(ref, this.#nowMs, Math.max(recheckMs, REFRESH_AGAIN_MS))
    return ref
  }

  /** Of all records of an answer from an entry that look() or answer() has just found. */
  ttl(cache: CacheReader, ref: number): number {
    const config = this.#config!
    if (this.isStale) return config.serveStale!.ttl
    const ttl = cache.ttl(ref)
    return config.keepTtl ? ttl : Math.max(0, ttl - Math.trunc((this.#nowMs - cache.storedMs(ref)) / 1000))
  }
}

/** Labels of an absolute name, lower case. */
function labelsOf(name: string): string[] {
  return labelsOfText(name).map((label) => label.toLowerCase())
}
