// When two records are the same: owner, class, type and RDATA, names without regard to letter case (RFC 4343, RFC 4034 §6.2).
// TTLs are no part of it (RFC 2181 §5.2), nor is the serial of an SOA: replicas of a cluster's DNS each count their own.

import type { ResourceRecord } from '../../dns/message.ts'
import { RDATA_LAYOUTS, type RdataLayout } from '../../dns/message-rdata.ts'
import { FOLD, LABEL_LENGTH_MAX } from '../../dns/name.ts'
import { TYPES } from '../../dns/record-types.ts'

type NamePlaces = Pick<RdataLayout, 'octets' | 'strings' | 'names'>

/** Types whose names a decoder does not look at, because nobody may compress them: RFC 9460 §2.2, RFC 4034 §3.1, §4.1. */
const UNCOMPRESSED: ReadonlyMap<number, NamePlaces> = new Map([
  [TYPES.SVCB, { octets: 2, strings: 0, names: 1 }],
  [TYPES.HTTPS, { octets: 2, strings: 0, names: 1 }],
  [TYPES.RRSIG, { octets: 18, strings: 0, names: 1 }],
  [TYPES.NSEC, { octets: 0, strings: 0, names: 1 }],
])
/** SERIAL, REFRESH, RETRY, EXPIRE, MINIMUM (RFC 1035 §3.3.13). */
const SOA_NUMBERS_LENGTH = 20
const SERIAL_LENGTH = 4

/** A text that two records have in common exactly if they are the same. Its first word is the owner in lower case. */
export function recordIdentity(record: ResourceRecord): string {
  const { type, rdata } = record
  return `${record.owner.toLowerCase()} ${record.class} ${type} ${latin1(comparable(type, rdata))}`
}

function comparable(type: number, rdata: Uint8Array): Uint8Array {
  const places = RDATA_LAYOUTS.get(type) ?? UNCOMPRESSED.get(type)
  if (places === undefined) return rdata
  // Not slice(): a Buffer's is no copy.
  const octets = new Uint8Array(rdata)
  foldNames(octets, places)
  if (type === TYPES.SOA && octets.length >= SOA_NUMBERS_LENGTH) {
    const serial = octets.length - SOA_NUMBERS_LENGTH
    octets.fill(0, serial, serial + SERIAL_LENGTH)
  }
  return octets
}

/** In place. What breaks off, or is no name, is left as it is. */
function foldNames(octets: Uint8Array, { octets: before, strings, names }: NamePlaces): void {
  let at = before
  for (let i = 0; i < strings && at < octets.length; i++) at += octets[at] + 1
  for (let i = 0; i < names; i++) {
    let label = octets[at++]
    while (label > 0 && label <= LABEL_LENGTH_MAX && at < octets.length) {
      const end = Math.min(at + label, octets.length)
      for (; at < end; at++) octets[at] = FOLD[octets[at]]
      label = octets[at++]
    }
  }
}

function latin1(octets: Uint8Array): string {
  return Buffer.from(octets.buffer, octets.byteOffset, octets.length).toString('latin1')
}
