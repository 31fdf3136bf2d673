// Copying RRsets of the index behind the question of a response. Hot: nothing is allocated.
// Whole records only; the first one that does not fit ends the section and sets `truncated` (RFC 2181 §9).

import { NO_ZONE } from '../dns/key.ts'
import type { Response } from '../dns/response.ts'
import type { ZoneTable } from '../dns/zone-table.ts'
import {
  CLAIMS,
  FLAT,
  NAMES,
  nameLength,
  nameOctets,
  nameZone,
  nextRrset,
  RAW,
  type Region,
  rrsetCount,
  rrsetData,
  rrsetEncoding,
  rrsetType,
  SRV,
} from './layout.ts'

const TYPE_A = 1
const TYPE_AAAA = 28
const CLASS_IN = 1
const POINTER_MAX = 0x3fff
const CLAIM_WORDS = 3
// What is stored is in the order of the wire already: it is copied as the machine has it.
const LITTLE_ENDIAN = new Uint8Array(Uint32Array.of(1).buffer)[0] === 1
const TARGETS_MAX = 4096 // more records with a name than 64 KiB can hold

/** Where in the message the target of each record written last begins: what its additional addresses point to. */
const targetOffset = new Int32Array(TARGETS_MAX)

/** Offset in the message of the target that appendRrset() wrote for its first record: where a CNAME's chain goes on. */
export function firstTargetOffset(): number {
  return targetOffset[0]
}

/** A rotation is a part of a whole turn: 0..2^ROTATION_BITS-1. */
export const ROTATION_BITS = 15

/**
 * Appends `rrset` to the answer section, its addresses turned round by `rotation`, and then the addresses of its targets to
 * the additional section.
 *
 * @param rotation  which address comes first, as a part of all there are, in units of 2^-ROTATION_BITS
 * @param owner  offset in the message of the name that owns the records, below 2^14
 * @param ttl    for records that are not stored with one (SRV, CNAME, NS, PTR)
 */
export function appendRrset(
  response: Response,
  packet: Uint8Array,
  region: Region,
  zones: ZoneTable,
  rrset: number,
  rotation: number,
  owner: number,
  ttl: number,
): void {
  const encoding = rrsetEncoding(region.words, rrset)
  if (encoding === FLAT) appendFlat(response, packet, region, rrset, rotation, owner)
  else if (encoding === RAW) appendRaw(response, packet, region, rrset, owner)
  else appendTargets(response, packet, region, zones, rrset, encoding, owner, ttl)
}

function appendFlat(
  response: Response,
  packet: Uint8Array,
  region: Region,
  rrset: number,
  rotation: number,
  owner: number,
): void {
  const { words } = region
  const view = response.view(packet)
  const count = rrsetCount(words, rrset)
  const type = rrsetType(words, rrset)
  const stride = type === TYPE_A ? 16 : 28
  const head = ((0xc000 | owner) << 16) | type
  const first = rrsetData(rrset)
  let at = response.at
  let index = (rotation * count) >>> ROTATION_BITS
  let written = 0
  for (; written < count && at + stride <= response.limit; written++) {
    const from = first + index * (stride >> 2)
    view.setInt32(at, head)
    for (let word = 1; word < stride >> 2; word++) view.setInt32(at + (word << 2), words[from + word], LITTLE_ENDIAN)
    at += stride
    if (++index === count) index = 0
  }
  response.at = at
  response.answerCount += written
  if (written < count) response.truncated = true
}

function appendRaw(response: Response, packet: Uint8Array, region: Region, rrset: number, owner: number): void {
  const { words, octets } = region
  let word = rrsetData(rrset)
  for (let record = rrsetCount(words, rrset); record > 0; record--) {
    const length = words[word]
    const from = (word + 1) << 2
    if (response.at + length > response.limit) {
      response.truncated = true
      return
    }
    const { at } = response
    packet[at] = 0xc0 | (owner >> 8)
    packet[at + 1] = owner
    for (let i = 2; i < length; i++) packet[at + i] = octets[from + i]
    response.at = at + length
    response.answerCount++
    word += 1 + ((length + 3) >> 2)
  }
}

/** SRV, CNAME, NS, PTR: a fixed part, and a target written out in full (RFC 2782 and RFC 3597 §4 forbid more for SRV). */
function appendTargets(
  response: Response,
  packet: Uint8Array,
  region: Region,
  zones: ZoneTable,
  rrset: number,
  encoding: number,
  owner: number,
  ttl: number,
): void {
  const { words } = region
  const count = rrsetCount(words, rrset)
  const type = rrsetType(words, rrset)
  const stride = encoding === SRV ? 2 : encoding === CLAIMS ? CLAIM_WORDS : 1
  const fixed = encoding === SRV ? 6 : 0
  let word = rrsetData(rrset) + (encoding === CLAIMS ? 1 : 0)
  for (let record = 0; record < count; record++, word += stride) {
    const { at } = response
    const rdata = at + 12
    const behind =
      rdata + fixed > response.limit ? 0 : writeNameAt(response, packet, region, zones, rdata + fixed, words[word])
    if (behind === 0) {
      response.truncated = true
      return
    }
    writeHead(response.view(packet), at, owner, type, ttl, behind - rdata)
    if (encoding === SRV) {
      const portAndWeight = words[word + 1]
      packet[rdata] = 0
      packet[rdata + 1] = 0
      packet[rdata + 2] = portAndWeight >>> 24
      packet[rdata + 3] = portAndWeight >>> 16
      packet[rdata + 4] = portAndWeight >>> 8
      packet[rdata + 5] = portAndWeight
    }
    targetOffset[record] = rdata + fixed - response.start
    response.at = behind
    response.answerCount++
  }
  if (encoding === SRV || encoding === NAMES)
    appendAdditional(response, packet, region, zones, rrset, word, stride, ttl)
}

function appendAdditional(
  response: Response,
  packet: Uint8Array,
  region: Region,
  zones: ZoneTable,
  rrset: number,
  additional: number,
  stride: number,
  ttl: number,
): void {
  const { words } = region
  if (words[additional] < 0) {
    appendOwnAddresses(response, packet, region, zones, rrset, additional + words[additional], ttl)
    return
  }
  let word = additional + 1
  for (let left = words[additional]; left > 0; left--) {
    const record = words[word] & 0x7fffffff
    const length = words[word] < 0 ? 16 : 4
    const target = words[rrsetData(rrset) + record * stride]
    const from = (word + 1) << 2
    if (!appendOwned(response, packet, region, zones, target, targetOffset[record], from, length, ttl)) return
    word += 1 + (length >> 2)
  }
}

/** Additional addresses that are those of the RRsets from `first` up to `rrset`: they belong to its first target. */
function appendOwnAddresses(
  response: Response,
  packet: Uint8Array,
  region: Region,
  zones: ZoneTable,
  rrset: number,
  first: number,
  ttl: number,
): void {
  const { words } = region
  const target = words[rrsetData(rrset)]
  const owner = targetOffset[0]
  for (let own = first; own < rrset; own = nextRrset(words, own)) {
    const length = rrsetType(words, own) === TYPE_A ? 4 : 16
    const stride = (12 + length) >> 2
    const end = rrsetData(own) + rrsetCount(words, own) * stride
    for (let record = rrsetData(own); record < end; record += stride) {
      if (!appendOwned(response, packet, region, zones, target, owner, (record + 3) << 2, length, ttl)) return
    }
  }
}

/**
 * Appends the address in `octets[from, from + length)` of the region to the additional section.
 *
 * @param target  its owner   @param owner  where in the message that name stands already
 * @returns false if there is no room
 */
function appendOwned(
  response: Response,
  packet: Uint8Array,
  region: Region,
  zones: ZoneTable,
  target: number,
  owner: number,
  from: number,
  length: number,
  ttl: number,
): boolean {
  let { at } = response
  if (owner > POINTER_MAX) {
    // Too far into a large TCP message for a pointer: the name again.
    const behind = at + 2 > response.limit ? 0 : writeNameAt(response, packet, region, zones, at, target)
    if (behind === 0 || behind + 10 + length > response.limit) {
      response.truncated = true
      return false
    }
    at = behind - 2
  } else if (at + 12 + length > response.limit) {
    response.truncated = true
    return false
  }
  const high = packet[at]
  const low = packet[at + 1]
  writeHead(response.view(packet), at, owner, length === 16 ? TYPE_AAAA : TYPE_A, ttl, length)
  if (owner > POINTER_MAX) {
    packet[at] = high
    packet[at + 1] = low
  }
  const { octets } = region
  for (let i = 0; i < length; i++) packet[at + 12 + i] = octets[from + i]
  response.at = at + 12 + length
  response.additionalCount++
  return true
}

/** Fixed part of a record whose owner is a pointer. */
function writeHead(view: DataView, at: number, owner: number, type: number, ttl: number, rdataLength: number): void {
  view.setInt32(at, ((0xc000 | owner) << 16) | type)
  view.setInt16(at + 4, CLASS_IN)
  view.setInt32(at + 6, ttl)
  view.setInt16(at + 10, rdataLength)
}

/** Appends one address record made on the spot: pods by address, additional data of no RRset. */
export function appendAddress(
  response: Response,
  packet: Uint8Array,
  octets: Uint8Array,
  length: number,
  owner: number,
  ttl: number,
): void {
  const { at } = response
  if (at + 12 + length > response.limit) {
    response.truncated = true
    return
  }
  writeHead(response.view(packet), at, owner, length === 16 ? TYPE_AAAA : TYPE_A, ttl, length)
  for (let i = 0; i < length; i++) packet[at + 12 + i] = octets[i]
  response.at = at + 12 + length
  response.answerCount++
}

/** Writes a name of the index, uncompressed, at packet[at]; returns the octet behind, or 0 if it does not fit. */
function writeNameAt(
  response: Response,
  packet: Uint8Array,
  region: Region,
  zones: ZoneTable,
  at: number,
  name: number,
): number {
  const { words, octets } = region
  const from = nameOctets(name)
  const length = nameLength(words, name)
  const zone = nameZone(words, name)
  if (at + length > response.limit) return 0
  const view = response.view(packet)
  const wordsEnd = length & ~3
  for (let i = 0; i < wordsEnd; i += 4) view.setInt32(at + i, words[(from + i) >> 2], LITTLE_ENDIAN)
  for (let i = wordsEnd; i < length; i++) packet[at + i] = octets[from + i]
  if (zone === NO_ZONE) return at + length
  const behind = at + length + zones.nameLength(zone)
  if (behind > response.limit) return 0
  zones.write(zone, packet, view, at + length)
  return behind
}
