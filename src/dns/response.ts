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

const TYPE_SOA = 6
const TYPE_OPT = 41
const CLASS_IN = 1
const REFRESH = 7200
const RETRY = 1800
const EXPIRE = 86400
const SOA_TTL_MAX = 300

/** REFRESH, RETRY and EXPIRE. */
const TIMERS = [REFRESH, RETRY, EXPIRE] as const

const NO_PACKET: Uint8Array = new Uint8Array(0)

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
  /** Bits of the header besides AA: RA (0x80) and AD (0x20). */
  flags = 0
  private packet = NO_PACKET
  private packetView: DataView = new DataView(NO_PACKET.buffer)

  /**
   * `packet` for writing four octets at a time wherever they begin, which is one instruction each.
   * Allocates when `packet` is not the one of the last call.
   */
  view(packet: Uint8Array): DataView {
    if (packet !== this.packet) {
      this.packet = packet
      this.packetView = new DataView(packet.buffer, packet.byteOffset, packet.byteLength)
    }
    return this.packetView
  }
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
  response.flags = 0
}

/**
 * Writes header and OPT and ends the message. RD and CD stay as in the query, AD and RA are as in `response.flags`, Z is clear.
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
  const view = response.view(packet)
  const asked = view.getUint16(start + 2) & 0x0110
  const flags = asked | 0x8000 | (authoritative ? 0x0400 : 0) | response.flags | (rcode & 0x0f)
  view.setInt16(start + 2, response.truncated ? flags | 0x0200 : flags)
  let additionalCount = response.additionalCount
  if (query.hasOpt) {
    writeOpt(view, response.at, rcode >> 4, query.dnssecOk, udpSizeMax)
    response.at += OPT_LENGTH
    additionalCount++
  }
  view.setInt16(start + 6, response.answerCount)
  view.setInt32(start + 8, (response.authorityCount << 16) | additionalCount)
  return response.at - start
}

/** Takes the authority and additional sections back, behind an answer that this server wrote. */
export function keepAnswerOnly(response: Response, query: Query, packet: Uint8Array): void {
  const view = response.view(packet)
  let at = response.start + query.questionEnd
  for (let record = response.answerCount; record > 0; record--) {
    while (view.getUint8(at) !== 0 && view.getUint8(at) < 0xc0) at += view.getUint8(at) + 1
    at += view.getUint8(at) === 0 ? 1 : 2
    at += 10 + view.getUint16(at + 8)
  }
  response.at = at
  response.authorityCount = 0
  response.additionalCount = 0
}

/** Turns the message at `start` into a bare header with `rcode`. The opcode stays with NOTIMP only. Returns its length. */
export function bareHeader(packet: Uint8Array, start: number, rcode: number): number {
  packet[start + 2] = 0x80 | (packet[start + 2] & (rcode === NOTIMP ? 0x79 : 0x01))
  packet[start + 3] = (packet[start + 3] & 0x10) | rcode
  for (let i = start + 4; i < start + HEADER_LENGTH; i++) packet[i] = 0
  return HEADER_LENGTH
}

function writeOpt(view: DataView, at: number, extendedRcode: number, dnssecOk: boolean, udpSize: number): void {
  view.setInt32(at, (TYPE_OPT << 8) | (udpSize >> 8)) // owner: the root
  view.setInt32(at + 4, (udpSize << 24) | (extendedRcode << 16) | (dnssecOk ? 0x80 : 0))
  view.setInt16(at + 8, 0)
  view.setInt8(at + 10, 0)
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
  const { at } = response
  if (at + SOA_LENGTH > response.limit) {
    response.truncated = true
    return false
  }
  const view = response.view(packet)
  const pointer = 0xc000 | zoneOffset
  view.setInt32(at, (pointer << 16) | TYPE_SOA)
  view.setInt16(at + 4, CLASS_IN)
  view.setInt32(at + 6, Math.min(ttl, SOA_TTL_MAX))
  view.setInt16(at + 10, SOA_LENGTH - 12)
  view.setInt32(at + 12, 0x026e7303) // 2 n s 3
  view.setInt32(at + 16, 0x646e7300 | (pointer >> 8)) // d n s, pointer
  view.setInt32(at + 20, (pointer << 24) | 0x0a686f) // 10 h o
  view.setInt32(at + 24, 0x73746d61) // s t m a
  view.setInt32(at + 28, 0x73746572) // s t e r
  view.setInt16(at + 32, pointer)
  view.setInt32(at + 34, serial)
  view.setInt32(at + 38, REFRESH)
  view.setInt32(at + 42, RETRY)
  view.setInt32(at + 46, EXPIRE)
  view.setInt32(at + 50, ttl)
  response.at = at + SOA_LENGTH
  return true
}

/**
 * As appendSoa(), for a zone whose name server and mailbox have other names.
 *
 * @param primary  labels of MNAME left of the zone, as on the wire, without the root; `mailbox` likewise of RNAME
 */
export function appendNamedSoa(
  response: Response,
  packet: Uint8Array,
  zoneOffset: number,
  ttl: number,
  serial: number,
  primary: Uint8Array,
  mailbox: Uint8Array,
): boolean {
  const { at } = response
  const rdataLength = primary.length + mailbox.length + 4 + 20
  if (at + 12 + rdataLength > response.limit) {
    response.truncated = true
    return false
  }
  const view = response.view(packet)
  const pointer = 0xc000 | zoneOffset
  view.setInt32(at, (pointer << 16) | TYPE_SOA)
  view.setInt16(at + 4, CLASS_IN)
  view.setInt32(at + 6, ttl)
  view.setInt16(at + 10, rdataLength)
  let to = at + 12
  for (let i = 0; i < primary.length; i++) packet[to++] = primary[i]
  view.setInt16(to, pointer)
  to += 2
  for (let i = 0; i < mailbox.length; i++) packet[to++] = mailbox[i]
  view.setInt16(to, pointer)
  view.setInt32(to + 2, serial)
  for (let i = 0; i < TIMERS.length; i++) view.setInt32(to + 6 + 4 * i, TIMERS[i])
  view.setInt32(to + 18, ttl)
  response.at = to + 22
  return true
}
