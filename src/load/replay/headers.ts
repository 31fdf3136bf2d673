// From a packet of a capture to the DNS query in it: takes off the link header, then IP, then UDP, and looks at the message.
// Each step says what comes next, or why the packet is no query. Nothing is trusted: every length is compared with what is there.

import { HEADER_LENGTH, Query, readName } from '../../dns/question.ts'
import { QUERY_LENGTH_MAX } from '../query-table.ts'
import { stripIp } from './ip-headers.ts'
import { stripLink } from './link-headers.ts'
import type { Packet } from './packet.ts'
import type { SkipReason } from './skipped.ts'

const DNS_PORT = 53
const UDP_LENGTH = 4
const UDP_HEADER_LENGTH = 8
const FLAGS = 2
const QUESTION_COUNT = 4
const QR = 0x80
const OPCODE = 0x78
/** QTYPE and QCLASS. */
const QUESTION_END_LENGTH = 4

const scratch = new Query()

/**
 * Finds out what a packet is.
 * @returns 'query': it is a DNS query to port 53 over UDP with one question, of a length that a table takes, and
 *   packet.start..packet.end are the octets of the message; otherwise why not
 * @see RFC 768 for UDP, RFC 1035 §4.1 for the message
 */
export function stripToQuery(packet: Packet): 'query' | SkipReason {
  const link = stripLink(packet)
  if (link !== 'ip') return link
  const ip = stripIp(packet)
  if (ip !== 'udp') return ip
  const udp = stripUdp(packet)
  return udp === 'dns' ? judgeMessage(packet) : udp
}

function stripUdp(packet: Packet): 'dns' | SkipReason {
  const { view, start } = packet
  if (packet.length < UDP_HEADER_LENGTH) return packet.isCut ? 'cut' : 'malformed'
  if (view.getUint16(start + 2) !== DNS_PORT) return view.getUint16(start) === DNS_PORT ? 'answers' : 'otherPorts'
  const length = view.getUint16(start + UDP_LENGTH)
  if (length < UDP_HEADER_LENGTH || !packet.limit(length)) return 'malformed'
  packet.start += UDP_HEADER_LENGTH
  return 'dns'
}

function judgeMessage(packet: Packet): 'query' | SkipReason {
  const { view, start, length } = packet
  if (length < HEADER_LENGTH) return packet.isCut ? 'cut' : 'malformed'
  const flags = view.getUint8(start + FLAGS)
  if ((flags & QR) !== 0) return 'answers'
  if ((flags & OPCODE) !== 0) return 'otherOpcodes'
  if (packet.isCut) return 'cut'
  if (length > QUERY_LENGTH_MAX) return 'tooLong'
  if (view.getUint16(start + QUESTION_COUNT) !== 1) return 'malformed'
  const message = new Uint8Array(view.buffer, start, length)
  const nameEnd = readName(scratch, message, HEADER_LENGTH, length)
  return nameEnd > 0 && nameEnd + QUESTION_END_LENGTH <= length ? 'query' : 'malformed'
}
