// RRsets of a zone out of a file into any section of a response. Hot: nothing is allocated.

import type { Response } from '../dns/response.ts'
import type { ZoneTable } from '../dns/zone-table.ts'
import { appendRrset } from '../index/append.ts'
import { blockSize, nextRrset, type Region, rrsetType } from '../index/layout.ts'

export const ANSWER = 0
export const AUTHORITY = 1
export const ADDITIONAL = 2

const TYPE_RRSIG = 46
const NO_ROTATION = 0

export class FileRecords {
  private readonly region: Region
  private readonly zones: ZoneTable

  constructor(region: Region, zones: ZoneTable) {
    this.region = region
    this.zones = zones
  }

  /** Appends `rrset` to `section`, its owner the name at offset `owner` (0..2^14-1) of the message; 0 for none. */
  append(response: Response, packet: Uint8Array, rrset: number, owner: number, section: number): void {
    if (rrset === 0 || response.truncated) return
    const before = response.answerCount
    appendRrset(response, packet, this.region, this.zones, rrset, NO_ROTATION, owner, 0)
    if (section === ANSWER) return
    const added = response.answerCount - before
    response.answerCount = before
    if (section === AUTHORITY) response.authorityCount += added
    else response.additionalCount += added
  }

  /** Appends the signatures of `rrset`: in a block they are right behind what they sign (zones/zone-nodes.ts). */
  appendSignatures(
    response: Response,
    packet: Uint8Array,
    block: number,
    rrset: number,
    owner: number,
    section: number,
  ): void {
    const { words } = this.region
    const next = nextRrset(words, rrset)
    if (next === block + blockSize(words, block) || rrsetType(words, next) !== TYPE_RRSIG) return
    this.append(response, packet, next, owner, section)
  }

  /** Both; nothing for no RRset. */
  appendSigned(
    response: Response,
    packet: Uint8Array,
    block: number,
    rrset: number,
    owner: number,
    section: number,
  ): void {
    if (rrset === 0) return
    this.append(response, packet, rrset, owner, section)
    this.appendSignatures(response, packet, block, rrset, owner, section)
  }
}
