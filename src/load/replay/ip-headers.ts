// The headers of IPv4 (RFC 791 §3.1) and IPv6 with its extension headers (RFC 8200 §4).

import type { Packet } from './packet.ts'
import type { SkipReason } from './skipped.ts'

const TCP = 6
const UDP = 17

const IPV4_LENGTH = 2
const IPV4_FRAGMENT = 6
const IPV4_PROTOCOL = 9
const IPV4_HEADER_LENGTH_MIN = 20
/** "More fragments", and the fragment's offset. */
const IPV4_FRAGMENTED = 0x3fff

const IPV6_LENGTH = 4
const IPV6_NEXT = 6
const IPV6_HEADER_LENGTH = 40
/** The fragment's offset, and "more fragments". */
const IPV6_FRAGMENTED = 0xfff9

const FRAGMENT = 44
const AUTHENTICATION = 51
/** Hop-by-hop options, routing, destination options, mobility, host identity, shim6: RFC 6564 §2 and IANA's list. */
const EXTENSIONS: readonly number[] = [0, 43, 60, 135, 139, 140]
const EXTENSION_LENGTH_MIN = 8
/** Headers that are walked; there is no use for more. */
const EXTENSIONS_MAX = 8

/**
 * Takes off the header of IP, of the version that it says.
 * A length of 0 stands for all there is: that is how segments are captured which the hardware cuts up later.
 * @returns 'udp' if packet.start..packet.end are then a datagram of UDP; otherwise why not
 */
export function stripIp(packet: Packet): 'udp' | SkipReason {
  if (packet.length < 1) return packet.isCut ? 'cut' : 'malformed'
  const version = packet.view.getUint8(packet.start) >>> 4
  if (version === 4) return stripIpv4(packet)
  return version === 6 ? stripIpv6(packet) : 'malformed'
}

function stripIpv4(packet: Packet): 'udp' | SkipReason {
  const { view, start } = packet
  if (packet.length < IPV4_HEADER_LENGTH_MIN) return packet.isCut ? 'cut' : 'malformed'
  const headerLength = (view.getUint8(start) & 0x0f) * 4
  const length = view.getUint16(start + IPV4_LENGTH)
  if (headerLength < IPV4_HEADER_LENGTH_MIN || (length !== 0 && !packet.limit(length))) return 'malformed'
  const protocol = view.getUint8(start + IPV4_PROTOCOL)
  if (protocol !== UDP) return protocol === TCP ? 'tcp' : 'otherProtocols'
  if ((view.getUint16(start + IPV4_FRAGMENT) & IPV4_FRAGMENTED) !== 0) return 'fragments'
  if (packet.length < headerLength) return packet.isCut ? 'cut' : 'malformed'
  packet.start += headerLength
  return 'udp'
}

function stripIpv6(packet: Packet): 'udp' | SkipReason {
  const { view } = packet
  if (packet.length < IPV6_HEADER_LENGTH) return packet.isCut ? 'cut' : 'malformed'
  const length = view.getUint16(packet.start + IPV6_LENGTH)
  let next = view.getUint8(packet.start + IPV6_NEXT)
  packet.start += IPV6_HEADER_LENGTH
  if (length !== 0 && !packet.limit(length)) return 'malformed'
  for (let walked = 0; next !== UDP; walked++) {
    if (next === TCP) return 'tcp'
    if (!EXTENSIONS.includes(next) && next !== FRAGMENT && next !== AUTHENTICATION) return 'otherProtocols'
    if (walked === EXTENSIONS_MAX) return 'malformed'
    if (packet.length < EXTENSION_LENGTH_MIN) return packet.isCut ? 'cut' : 'malformed'
    // An atomic fragment, RFC 6946, is a whole datagram.
    if (next === FRAGMENT && (view.getUint16(packet.start + 2) & IPV6_FRAGMENTED) !== 0) return 'fragments'
    const extensionLength = extensionLengthOf(next, view.getUint8(packet.start + 1))
    next = view.getUint8(packet.start)
    if (packet.length < extensionLength) return packet.isCut ? 'cut' : 'malformed'
    packet.start += extensionLength
  }
  return 'udp'
}

/** Octets of an extension header, of what its second octet says; RFC 4302 §2.2 counts otherwise than the rest. */
function extensionLengthOf(type: number, field: number): number {
  if (type === FRAGMENT) return EXTENSION_LENGTH_MIN
  return type === AUTHENTICATION ? (field + 2) * 4 : (field + 1) * 8
}
