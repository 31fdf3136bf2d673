// Writing a response where the query stood: header, OPT, SOA. The question stays as it came. Hot: nothing is allocated.
// RFC 1035 §4.1.1, RFC 6891 §6.1, RFC 2308 §2 for SOA in negative answers.

import { HEADER_LENGTH, type Query } from './question.ts'

export const NOERROR = 0
export const FORMERR = 1
export const SERVFAIL = 2
export const NXDOMAIN = 3
export const NOTIMP = 4
export const REFUSED = 5
/** Extended RCODE 16 (RFC 6891 §9): 0 in the header, 1 in OPT. */
export const BADVERS = 16

/** Octets of an OPT record without options. */
export const OPT_LENGTH = 11
/** Octets that an SOA of a zone takes, with its names compressed. */
export const SOA_LENGTH = 54

const REFRESH = 7200
const RETRY = 1800
const EXPIRE = 86400
const SOA_TTL_MAX = 300

/** A response in the making. One object is used again and again. Offsets count from the start of `packet`. */
export class Response {
  /** First octet of the message. */
  start = 0
  /** First free octet. */
  at = 0
  /** Records end here at the latest; OPT has its place behind. */
  limit = 0
  answerCount = 0
  authorityCount = 0
  additionalCount = 0
  /** Some record did not fit. */
  truncated = false
}

/** Starts a response behind the question. `size`: octets that the whole message may have. */
export function beginResponse(response: Response, query: Query, start: number, size: number): void {
  response.start = start
  response.at = start + query.questionEnd
  response.limit = start + size - (query.hasOpt ? OPT_LENGTH : 0)
  response.answerCount = 0
  response.authorityCount = 0
  response.additionalCount = 0
  response.truncated = false
}

/**
 * Writes header and OPT and ends the message. RD and CD stay as in the query, AD, Z and RA are clear.
 * @param udpSizeMax  this server's own limit, for OPT
 * @returns the length of the message
 */
export function endResponse(
  response: Response,
  query: Query,
  packet: Uint8Array,
  rcode: number,
  authoritative: boolean,
  udpSizeMax: number,
): number {
  const { start } = response
  packet[start + 2] = 0x80 | (packet[start + 2] & 0x01) | (authoritative ? 0x04 : 0) | (response.truncated ? 0x02 : 0)
  packet[start + 3] = (packet[start + 3] & 0x10) | (rcode & 0x0f)
  packet[start + 6] = response.answerCount >> 8
  packet[start + 7] = response.answerCount
  packet[start + 8] = 0
  packet[start + 9] = response.authorityCount
  let additionalCount = response.additionalCount
  if (query.hasOpt) {
    writeOpt(packet, response.at, rcode >> 4, query.dnssecOk, udpSizeMax)
    response.at += OPT_LENGTH
    additionalCount++
  }
  packet[start + 10] = additionalCount >> 8
  packet[start + 11] = additionalCount
  return response.at - start
}

/** Turns the message at `start` into a bare header with `rcode`. The opcode stays with NOTIMP only. Returns its length. */
export function bareHeader(packet: Uint8Array, start: number, rcode: number): number {
  packet[start + 2] = 0x80 | (packet[start + 2] & (rcode === NOTIMP ? 0x79 : 0x01))
  packet[start + 3] = (packet[start + 3] & 0x10) | rcode
  for (let i = start + 4; i < start + HEADER_LENGTH; i++) packet[i] = 0
  return HEADER_LENGTH
}

function writeOpt(packet: Uint8Array, at: number, extendedRcode: number, dnssecOk: boolean, udpSize: number): void {
  packet[at] = 0
  packet[at + 1] = 0
  packet[at + 2] = 41
  packet[at + 3] = udpSize >> 8
  packet[at + 4] = udpSize
  packet[at + 5] = extendedRcode
  packet[at + 6] = 0
  packet[at + 7] = dnssecOk ? 0x80 : 0
  packet[at + 8] = 0
  packet[at + 9] = 0
  packet[at + 10] = 0
}

/**
 * Appends the SOA of the zone that begins at octet `zoneOffset` of the message; all its names are pointers to there.
 * MNAME ns.dns.ZONE, RNAME hostmaster.ZONE; TTL min(ttl, 300), MINIMUM ttl.
 * @returns false if it does not fit: nothing is written then and `truncated` set
 */
export function appendSoa(
  response: Response,
  packet: Uint8Array,
  zoneOffset: number,
  ttl: number,
  serial: number,
): boolean {
  let { at } = response
  if (at + SOA_LENGTH > response.limit) {
    response.truncated = true
    return false
  }
  const pointerHigh = 0xc0 | (zoneOffset >> 8)
  packet[at] = pointerHigh
  packet[at + 1] = zoneOffset
  packet[at + 2] = 0
  packet[at + 3] = 6
  packet[at + 4] = 0
  packet[at + 5] = 1
  at = writeUint32(packet, at + 6, Math.min(ttl, SOA_TTL_MAX))
  packet[at] = 0
  packet[at + 1] = 42
  packet[at + 2] = 2
  packet[at + 3] = 0x6e // ns
  packet[at + 4] = 0x73
  packet[at + 5] = 3
  packet[at + 6] = 0x64 // dns
  packet[at + 7] = 0x6e
  packet[at + 8] = 0x73
  packet[at + 9] = pointerHigh
  packet[at + 10] = zoneOffset
  at += 11
  for (let i = 0; i < HOSTMASTER.length; i++) packet[at + i] = HOSTMASTER[i]
  packet[at + 11] = pointerHigh
  packet[at + 12] = zoneOffset
  at = writeUint32(packet, at + 13, serial)
  at = writeUint32(packet, at, REFRESH)
  at = writeUint32(packet, at, RETRY)
  at = writeUint32(packet, at, EXPIRE)
  response.at = writeUint32(packet, at, ttl)
  return true
}

const HOSTMASTER = Uint8Array.from([10, ...Buffer.from('hostmaster')])

/** Big-endian; returns the octet behind. */
export function writeUint32(packet: Uint8Array, at: number, value: number): number {
  packet[at] = value >>> 24
  packet[at + 1] = value >>> 16
  packet[at + 2] = value >>> 8
  packet[at + 3] = value
  return at + 4
}
