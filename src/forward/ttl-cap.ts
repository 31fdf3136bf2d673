// What `cache` does to answers that never wait in it, those out of an index: all records of a reply have one TTL, the smallest of them, within the
// cache's bounds. Hot: nothing is allocated. Corefile reference 5.7.

import type { CacheConfig } from '../config/configuration.ts'
import { labelsOfText } from '../dns/name.ts'
import { HEADER_LENGTH, type Query } from '../dns/question.ts'
import { NOERROR, NXDOMAIN, type Response } from '../dns/response.ts'
import { type ZoneTable, zonesOnly } from '../dns/zone-table.ts'

const QNAME = HEADER_LENGTH
const TTL_BEHIND_NAME = 4
const RECORD_FIXED = 10
const POINTER = 0xc0

/** The TTL of a reply whose smallest is `ttl`. Seconds. */
export function capTtl(ttl: number, { ttl: most, minTtl: least }: CacheConfig['success']): number {
  return Math.min(Math.max(ttl, least), most)
}

/** The bounds of one block's cache. */
export class TtlCap {
  readonly #config: CacheConfig
  readonly #zones: ZoneTable | null
  readonly #disabledSuccess: ZoneTable | null
  readonly #disabledDenial: ZoneTable | null

  constructor(config: CacheConfig) {
    this.#config = config
    this.#zones = config.zones.includes('.') ? null : tableOf(config.zones)
    this.#disabledSuccess = config.disableSuccess.length === 0 ? null : tableOf(config.disableSuccess)
    this.#disabledDenial = config.disableDenial.length === 0 ? null : tableOf(config.disableDenial)
  }

  /** Would replies whose records all have this TTL stay as they are? */
  keeps(ttl: number): boolean {
    const { success, denial } = this.#config
    return capTtl(ttl, success) === ttl && capTtl(ttl, denial) === ttl
  }

  setHome(packet: Uint8Array): void {
    this.#zones?.setHome(packet)
    this.#disabledSuccess?.setHome(packet)
    this.#disabledDenial?.setHome(packet)
  }

  /** Is an answer to this question bounded, positive (`isDenial` false) or negative? */
  applies(query: Query, packet: Uint8Array, start: number, isDenial: boolean): boolean {
    const zones = this.#zones
    if (zones !== null && zones.find(query, packet, start + QNAME) < 0) return false
    const disabled = isDenial ? this.#disabledDenial : this.#disabledSuccess
    return disabled === null || disabled.find(query, packet, start + QNAME) < 0
  }

  /** Bounds the records of a response that is not ended yet. */
  apply(query: Query, packet: Uint8Array, start: number, response: Response, rcode: number): void {
    const isDenial = rcode === NXDOMAIN || response.answerCount === 0
    const count = response.answerCount + response.authorityCount + response.additionalCount
    if ((rcode !== NOERROR && rcode !== NXDOMAIN) || count === 0) return
    if (!this.applies(query, packet, start, isDenial)) return
    const view = response.view(packet)
    const first = start + query.questionEnd
    let least = 0x7fffffff
    for (let at = first; at < response.at; at = nextRecord(view, at)) {
      least = Math.min(least, view.getInt32(behindName(view, at) + TTL_BEHIND_NAME))
    }
    const ttl = capTtl(least, isDenial ? this.#config.denial : this.#config.success)
    for (let at = first; at < response.at; at = nextRecord(view, at)) {
      view.setInt32(behindName(view, at) + TTL_BEHIND_NAME, ttl)
    }
  }
}

/** Of records that this server wrote: nothing about them needs to be checked. */
function behindName(view: DataView, at: number): number {
  for (;;) {
    const length = view.getUint8(at)
    if (length >= POINTER) return at + 2
    if (length === 0) return at + 1
    at += length + 1
  }
}

function nextRecord(view: DataView, at: number): number {
  const fixed = behindName(view, at)
  return fixed + RECORD_FIXED + view.getUint16(fixed + RECORD_FIXED - 2)
}

function tableOf(zones: readonly string[]): ZoneTable {
  return zonesOnly(zones.map((zone) => labelsOfText(zone).map((label) => label.toLowerCase())))
}
