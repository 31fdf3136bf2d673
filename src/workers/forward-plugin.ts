// Plugin forward at the end of a chain: what the block's cache has, else what it yields for. Cold; the same in place is forward/forward-stage.ts.

import { decodeMessage } from '../dns/message.ts'
import { MALFORMED, Query, readQuery } from '../dns/question.ts'
import { beginResponse, endResponse, Response } from '../dns/response.ts'
import { type ForwardStage, NOT_LOOKED } from '../forward/forward-stage.ts'
import { type Plugin, type Request, replyOf, type Serve, type Walk } from '../plugins/plugin.ts'
import { AUTHORITATIVE, PASS, WAIT } from '../plugins/stage.ts'
import { CACHE_PREFETCH, CACHE_SERVED_STALE, cacheEvents } from './cache-events.ts'
import { writeRequest } from './request-message.ts'

const SERVFAIL = 2
const SCRATCH_LENGTH = 65_535
const EDNS_SIZE = 4096

/** Has an entry of a block's cache refreshed: that of the query at packet[0..]. */
export type Refresh = (block: number, query: Query, packet: Uint8Array) => void

const scratch = new Uint8Array(SCRATCH_LENGTH)
const query = new Query()
const response = new Response()

/** A block's `forward` directives in a chain. */
export class ForwardPlugin implements Plugin {
  readonly name = 'forward'
  readonly #stage: ForwardStage
  readonly #block: number
  readonly #refresh: Refresh

  constructor(stage: ForwardStage, block: number, refresh: Refresh) {
    this.#stage = stage
    this.#block = block
    this.#refresh = refresh
  }

  *serve(request: Request, next: Serve): Walk {
    const stage = this.#stage
    const block = this.#block
    const length = writeRequest(request, scratch)
    if (readQuery(query, scratch, 0, length) === MALFORMED)
      return { kind: 'failure', rcode: SERVFAIL, error: 'the name cannot be asked for', plugin: this.name }
    if (!stage.takes(query, scratch, 0)) return yield* next(request)
    // A question that has to be seen again is never answered from memory.
    if (request.isAlone) return yield { block, request, isAlone: true }
    beginResponse(response, query, 0, SCRATCH_LENGTH)
    const result = stage.answer(query, scratch, 0, response)
    if (result === PASS) return yield* next(request)
    const { cache } = stage.source
    if (stage.found !== NOT_LOOKED && cache !== null) {
      const events = cacheEvents(cache.config)
      const { name, labels } = events[stage.found]
      request.count(name, labels)
      if (stage.isStale) request.count(events[CACHE_SERVED_STALE].name, events[CACHE_SERVED_STALE].labels)
    }
    if (result === WAIT) return yield { block, request, isAlone: false }
    if (stage.wantsRefresh) {
      this.#refresh(block, query, scratch)
      if (!stage.isStale && cache !== null) {
        const { name, labels } = cacheEvents(cache.config)[CACHE_PREFETCH]
        request.count(name, labels)
      }
    }
    const authoritative = (result & AUTHORITATIVE) !== 0
    const octets = endResponse(response, query, scratch, result & 0x0f, authoritative, EDNS_SIZE)
    const { rcode, truncated, recursionAvailable, authenticData, ...sections } = decodeMessage(scratch, 0, octets)
    const { answer, authority, additional } = sections
    const flags = { authoritative, truncated, recursionAvailable, authenticData }
    return { ...replyOf('cache', rcode), ...flags, answer, authority, additional }
  }
}
