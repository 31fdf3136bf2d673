// Names inside RDATA: where they stand, which may be compressed, and how to change them. RFC 3597 §4.
// Not here: the text of RDATA (record-text.ts).

import type { ResourceRecord } from './message.ts'
import { expandName, MessageError, type NameCompressor, wireOfName } from './message-names.ts'
import { NAME_LENGTH_MAX, textOfWire } from './name.ts'
import { TYPES } from './record-types.ts'

/** RDATA with names: octets, character strings, names, and then the rest. */
export interface RdataLayout {
  /** Octets before everything else. */
  readonly octets: number
  /** Character strings (RFC 1035 §3.3) before the names. */
  readonly strings: number
  readonly names: number
  /** Octets behind the names; -1 = any number. */
  readonly rest: number
  /** May a sender compress the names? Only where RFC 1035 defined the type. */
  readonly compressed: boolean
  /** Is it a type whose names mapNames() changes? */
  readonly mapped: boolean
}

const NAME: RdataLayout = { octets: 0, strings: 0, names: 1, rest: 0, compressed: true, mapped: false }
const MAPPED: RdataLayout = { ...NAME, mapped: true }
const { NS, MD, MF, CNAME, SOA, MB, MG, MR, PTR, MINFO, MX, RP, AFSDB, RT, SIG, PX, NXT, SRV, NAPTR, KX, DNAME } = TYPES

/** All types in which a receiver looks for pointers (RFC 3597 §4; DNAME and KX besides, as senders do it). */
export const RDATA_LAYOUTS: ReadonlyMap<number, RdataLayout> = new Map([
  [NS, MAPPED],
  [MD, NAME],
  [MF, NAME],
  [CNAME, MAPPED],
  [SOA, { ...MAPPED, names: 2, rest: 20 }],
  [MB, NAME],
  [MG, NAME],
  [MR, NAME],
  [PTR, MAPPED],
  [MINFO, { ...NAME, names: 2 }],
  [MX, { ...MAPPED, octets: 2 }],
  [RP, { ...NAME, names: 2, compressed: false }],
  [AFSDB, { ...NAME, octets: 2, compressed: false }],
  [RT, { ...NAME, octets: 2, compressed: false }],
  [SIG, { ...NAME, octets: 18, rest: -1, compressed: false }],
  [PX, { ...NAME, octets: 2, names: 2, compressed: false }],
  [NXT, { ...NAME, rest: -1, compressed: false }],
  [SRV, { ...MAPPED, octets: 6, compressed: false }],
  [NAPTR, { ...MAPPED, octets: 4, strings: 3, compressed: false }],
  [KX, { ...NAME, octets: 2, compressed: false }],
  [DNAME, { ...MAPPED, compressed: false }],
] as [number, RdataLayout][])

const scratch = new Uint8Array(NAME_LENGTH_MAX)

/**
 * RDATA packet[at, at + length) with its names uncompressed, in memory of its own. Empty RDATA is let through for every type (RFC 2136 §2.4).
 * @param start  of the message
 * @throws MessageError if names are astray, or the rest has not the length that the type asks for
 */
export function expandRdata(packet: Uint8Array, start: number, at: number, length: number, type: number): Uint8Array {
  const layout = RDATA_LAYOUTS.get(type)
  const end = at + length
  if (layout === undefined || length === 0) return packet.slice(at, end)
  let next = namesOffset(layout, packet, at, end)
  if (next < 0) throw new MessageError('RDATA breaks off')
  const parts = [packet.subarray(at, next)]
  for (let i = 0; i < layout.names; i++) {
    next = expandName(packet, start, next, end, scratch)
    parts.push(scratch.slice(0, wireLengthAt(scratch, 0)))
  }
  if (layout.rest >= 0 && end - next !== layout.rest) throw new MessageError('RDATA has another length than it says')
  parts.push(packet.subarray(next, end))
  return joined(parts)
}

/**
 * Writes RDATA at target[at], names compressed where that is allowed. RDATA that is not what its type says is copied as it is.
 * @returns the first octet behind it, or -1 if it does not fit before `end`
 */
export function writeRdata(
  record: ResourceRecord,
  names: NameCompressor,
  target: Uint8Array,
  at: number,
  end: number,
): number {
  const { rdata } = record
  const layout = RDATA_LAYOUTS.get(record.type)
  const offsets = layout?.compressed === true ? nameOffsets(layout, rdata) : null
  if (offsets === null) return writeOctets(rdata, 0, rdata.length, target, at, end)
  at = writeOctets(rdata, 0, offsets[0], target, at, end)
  for (let i = 0; i + 1 < offsets.length && at >= 0; i++) at = names.write(rdata, offsets[i], at, end)
  return at < 0 ? -1 : writeOctets(rdata, offsets[offsets.length - 1], rdata.length, target, at, end)
}

/** Names in the RDATA of CNAME, DNAME, SOA, SRV, MX, NAPTR, NS and PTR, in presentation format, in order; else, or if it is malformed, none. */
export function rdataNames(record: ResourceRecord): string[] {
  const layout = RDATA_LAYOUTS.get(record.type)
  const offsets = layout?.mapped === true ? nameOffsets(layout, record.rdata) : null
  return offsets === null ? [] : offsets.slice(0, -1).map((offset) => textOfWire(record.rdata, offset))
}

/**
 * The record with every name that rdataNames() finds changed.
 * @param change  gets and returns a name in presentation format, with a final dot
 * @returns a new record, or `record` itself if nothing changed
 * @throws NameError if `change` returns what is no name
 */
export function mapNames(record: ResourceRecord, change: (name: string) => string): ResourceRecord {
  const layout = RDATA_LAYOUTS.get(record.type)
  const offsets = layout?.mapped === true ? nameOffsets(layout, record.rdata) : null
  if (offsets === null) return record
  const { rdata } = record
  let changed = false
  const names = offsets.slice(0, -1).map((offset) => {
    const before = textOfWire(rdata, offset)
    const after = change(before)
    if (after !== before) changed = true
    return wireOfName(after)
  })
  if (!changed) return record
  const rest = rdata.subarray(offsets[offsets.length - 1])
  return { ...record, rdata: joined([rdata.subarray(0, offsets[0]), ...names, rest]) }
}

/** Where the uncompressed names of well-formed RDATA begin, and where the last one ends; null if it is malformed. */
function nameOffsets(layout: RdataLayout, rdata: Uint8Array): number[] | null {
  let at = namesOffset(layout, rdata, 0, rdata.length)
  if (at < 0) return null
  const offsets = [at]
  for (let i = 0; i < layout.names; i++) {
    const length = wireLengthAt(rdata, at)
    if (length < 0) return null
    at += length
    offsets.push(at)
  }
  return layout.rest < 0 || rdata.length - at === layout.rest ? offsets : null
}

/** First octet of the names, or -1 if what is before them does not end before `end`. */
function namesOffset(layout: RdataLayout, octets: Uint8Array, at: number, end: number): number {
  at += layout.octets
  for (let i = 0; i < layout.strings && at < end; i++) at += octets[at] + 1
  return at < end ? at : -1
}

/** Octets of the uncompressed name at octets[at], root octet included; -1 if there is none. */
function wireLengthAt(octets: Uint8Array, at: number): number {
  for (let length = 0; at + length < octets.length && length < NAME_LENGTH_MAX; ) {
    const label = octets[at + length]
    if (label === 0) return length + 1
    if (label > 63) return -1
    length += label + 1
  }
  return -1
}

function writeOctets(
  source: Uint8Array,
  from: number,
  to: number,
  target: Uint8Array,
  at: number,
  end: number,
): number {
  if (at + to - from > end) return -1
  for (let i = from; i < to; i++) target[at++] = source[i]
  return at
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}
