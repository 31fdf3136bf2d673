// A query as it goes upstream: a header, the question and an OPT record of our own. RFC 1035 §4.1, RFC 6891 §6.1.1: of the client's OPT nothing
// goes on but DO. AD is always set: the answer may then say whether it is authentic (RFC 6840 §5.7).

import { randomOctet } from './random-octets.ts'

/** What is to be found out. */
export interface UpstreamQuery {
  /** QNAME in wire form as it is to be asked, QTYPE, QCLASS. */
  readonly question: Uint8Array
  readonly recursionDesired: boolean
  readonly checkingDisabled: boolean
  readonly dnssecOk: boolean
  /** The client came over TCP. */
  readonly stream: boolean
  /** QTYPE. */
  readonly type: number
}

/** Octets of the length that goes before a message over TCP (RFC 1035 §4.2.2). */
export const FRAME_LENGTH = 2
export const HEADER_LENGTH = 12
/** Octets of an answer that is asked for by UDP: what no path breaks into pieces (DNS flag day 2020). */
const UDP_SIZE = 1232
const OPT_LENGTH = 11
const TYPE_OPT = 41
const RECURSION_DESIRED = 0x01
const AUTHENTIC_DATA = 0x20
const CHECKING_DISABLED = 0x10
const DNSSEC_OK = 0x80

/**
 * The message, with its length in front of it as TCP wants; the id is 0 yet.
 * @param hasOpt  false for an upstream that does not know OPT; DO cannot be said then
 * @param randomCase  each letter of QNAME in a case by lot
 */
export function frameQuery(query: UpstreamQuery, hasOpt: boolean, randomCase: boolean): Buffer {
  const { question } = query
  const length = HEADER_LENGTH + question.length + (hasOpt ? OPT_LENGTH : 0)
  const frame = Buffer.allocUnsafe(FRAME_LENGTH + length)
  frame.fill(0)
  frame[0] = length >> 8
  frame[1] = length
  frame[4] = query.recursionDesired ? RECURSION_DESIRED : 0
  frame[5] = AUTHENTIC_DATA | (query.checkingDisabled ? CHECKING_DISABLED : 0)
  frame[7] = 1
  frame.set(question, FRAME_LENGTH + HEADER_LENGTH)
  if (randomCase) randomizeCase(frame, FRAME_LENGTH + HEADER_LENGTH)
  if (hasOpt) {
    frame[13] = 1
    const opt = frame.length - OPT_LENGTH
    frame[opt + 2] = TYPE_OPT
    frame[opt + 3] = UDP_SIZE >> 8
    frame[opt + 4] = UDP_SIZE & 255
    frame[opt + 7] = query.dnssecOk ? DNSSEC_OK : 0
  }
  return frame
}

/** Gives the letters of the name at octets[at] a case by lot (draft-vixie-dnsext-dns0x20). */
function randomizeCase(octets: Uint8Array, at: number): void {
  let lots = 0
  let left = 0
  for (let length = octets[at]; length > 0; length = octets[at]) {
    for (const end = ++at + length; at < end; at++) {
      const folded = octets[at] | 0x20
      if (folded < 0x61 || folded > 0x7a) continue
      if (left === 0) {
        lots = randomOctet()
        left = 8
      }
      octets[at] = folded ^ ((lots & 1) << 5)
      lots >>= 1
      left--
    }
  }
}
