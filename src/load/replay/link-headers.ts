// The headers of links, as far as they tell IP from other protocols. The list of link types, and each one's layout:
// https://www.tcpdump.org/linktypes.html

import type { Packet } from './packet.ts'
import type { SkipReason } from './skipped.ts'

// LINKTYPE_… of that list.
const NULL = 0
const ETHERNET = 1
const RAW = 101
const LOOP = 108
export const LINUX_SLL = 113
const IPV4 = 228
const IPV6 = 229
export const LINUX_SLL2 = 276

/** Where the protocol is, and where the header ends, of links that name the protocol by an EtherType. */
const ETHER_TYPED: Readonly<Record<number, { readonly typeOffset: number; readonly length: number }>> = {
  [ETHERNET]: { typeOffset: 12, length: 14 },
  [LINUX_SLL]: { typeOffset: 14, length: 16 },
  [LINUX_SLL2]: { typeOffset: 0, length: 20 },
}

const ETHERTYPE_IPV4 = 0x0800
const ETHERTYPE_IPV6 = 0x86dd
/** 802.1Q, 802.1ad, and what stood for the latter before: each followed by two octets of tag and another EtherType. */
const ETHERTYPE_TAGS: readonly number[] = [0x8100, 0x88a8, 0x9100]
const TAG_LENGTH = 4
const TAGS_MAX = 4

/** BSD's address family, of four octets in the byte order of some machine. */
const FAMILY_LENGTH = 4
const FAMILY_IPV4 = 2
/** NetBSD and OpenBSD, FreeBSD, Darwin. */
const FAMILIES_IPV6: readonly number[] = [24, 28, 30]

/**
 * Takes off the header of the link.
 * @returns 'ip' if packet.start is then where IP begins, of either version; otherwise why the packet is not read further
 */
export function stripLink(packet: Packet): 'ip' | SkipReason {
  switch (packet.linkType) {
    case RAW:
    case IPV4:
    case IPV6:
      return 'ip'
    case NULL:
    case LOOP:
      return stripFamily(packet)
    default:
      return stripEtherTyped(packet)
  }
}

function stripFamily(packet: Packet): 'ip' | SkipReason {
  if (packet.length < FAMILY_LENGTH) return packet.isCut ? 'cut' : 'malformed'
  const family = packet.view.getUint32(packet.start)
  // NULL is in the byte order of the machine that captured, which need not be that of the file; LOOP is big-endian.
  const known = family <= 0xffff ? family : packet.view.getUint32(packet.start, true)
  if (known !== FAMILY_IPV4 && !FAMILIES_IPV6.includes(known)) return 'otherProtocols'
  packet.start += FAMILY_LENGTH
  return 'ip'
}

function stripEtherTyped(packet: Packet): 'ip' | SkipReason {
  const header = ETHER_TYPED[packet.linkType]
  if (header === undefined) return 'otherLinks'
  if (packet.length < header.length) return packet.isCut ? 'cut' : 'malformed'
  let etherType = packet.view.getUint16(packet.start + header.typeOffset)
  packet.start += header.length
  for (let tags = 0; tags < TAGS_MAX && ETHERTYPE_TAGS.includes(etherType); tags++) {
    if (packet.length < TAG_LENGTH) return packet.isCut ? 'cut' : 'malformed'
    etherType = packet.view.getUint16(packet.start + 2)
    packet.start += TAG_LENGTH
  }
  return etherType === ETHERTYPE_IPV4 || etherType === ETHERTYPE_IPV6 ? 'ip' : 'otherProtocols'
}
