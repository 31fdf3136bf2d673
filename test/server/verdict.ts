// What a server must do with a message, from its octets alone: the rules for accepting a query, written down once more,
// slowly and plainly, so that a server can be held against them (RFC 1035 §4.1, RFC 6891 §6.1, RFC 9619).

/** `answered`: NOERROR, NXDOMAIN, or whatever else a handler says, with the question repeated. */
export type Verdict = 'dropped' | 'FORMERR' | 'NOTIMP' | 'REFUSED' | 'BADVERS' | 'answered'

const HEADER = 12
const NAME_MAX = 255
const UDP_MAX = 4096
const OPT = 41
const CLASS_IN = 1
const AXFR = 252
const IXFR = 251

/** Where a name ended, or that it does not parse; `pointers` = it holds a pointer that is not plainly wrong. */
interface NameEnd {
  end: number
  pointers: boolean
  /** Labels in lower case, as latin1. */
  labels: string[]
}

/**
 * The verdicts that are right for a message: usually one. Two where the rules leave a choice: a QNAME with a compression
 * pointer that leads to earlier octets, and EDNS options that do not end where their record does.
 *
 * @param zones origins without the trailing dot, in lower case
 * @param tcp without the size limit of UDP
 */
export function verdictsOf(message: Uint8Array, zones: readonly string[], tcp = false): Verdict[] {
  const octets = Buffer.from(message)
  if (octets.length < HEADER) return ['dropped']
  const flags = octets.readUInt16BE(2)
  if (flags & 0x8000) return ['dropped']
  if (!tcp && octets.length > UDP_MAX) return ['FORMERR']
  if ((flags >>> 11) & 15) return ['NOTIMP']
  const [questions, answers, authorities, additionals] = [4, 6, 8, 10].map((offset) => octets.readUInt16BE(offset))
  if (questions !== 1 || answers! > 1 || authorities! > 1 || additionals! > 2) return ['FORMERR']

  const qname = readName(octets, HEADER)
  if (qname === undefined || qname.end + 4 > octets.length) return ['FORMERR']
  const qtype = octets.readUInt16BE(qname.end)
  const qclass = octets.readUInt16BE(qname.end + 2)
  const choice = new Set<Verdict>()
  if (qname.pointers) choice.add('FORMERR')

  let version = -1
  let offset = qname.end + 4
  for (let count = answers! + authorities! + additionals!; count > 0; count--) {
    const owner = readName(octets, offset)
    if (owner === undefined || owner.end + 10 > octets.length) return ['FORMERR']
    if (owner.pointers) choice.add('FORMERR')
    const type = octets.readUInt16BE(owner.end)
    const end = owner.end + 10 + octets.readUInt16BE(owner.end + 8)
    if (end > octets.length) return ['FORMERR']
    if (type === OPT) {
      // Only the additional section may hold one; whether an OPT elsewhere counts is left open.
      if (count > additionals!) choice.add('FORMERR')
      else if (version >= 0 || owner.labels.length > 0) return ['FORMERR']
      else version = octets.readUInt8(owner.end + 5)
      if (!optionsEnd(octets, owner.end + 10, end)) choice.add('FORMERR')
    }
    offset = end
  }

  if (qclass !== CLASS_IN) choice.add('REFUSED')
  else if (version > 0) choice.add('BADVERS')
  else if (qtype === AXFR || qtype === IXFR || !inZone(qname.labels, zones)) choice.add('REFUSED')
  else choice.add('answered')
  return [...choice]
}

/** A name, its pointers followed as long as each leads to earlier octets; undefined if it does not parse. */
function readName(octets: Buffer, start: number): NameEnd | undefined {
  const labels: string[] = []
  let end = -1
  let length = 1
  for (let offset = start, bound = start; ; ) {
    if (offset >= octets.length) return undefined
    const octet = octets[offset]!
    if (octet === 0) return { end: end < 0 ? offset + 1 : end, pointers: end >= 0, labels }
    if (octet >= 0xc0) {
      if (offset + 2 > octets.length) return undefined
      if (end < 0) end = offset + 2
      offset = octets.readUInt16BE(offset) & 0x3fff
      if (offset >= bound) return undefined // forward, or to itself
      bound = offset
    } else {
      if (octet >= 0x40 || offset + 1 + octet > octets.length) return undefined
      length += 1 + octet
      if (length > NAME_MAX) return undefined
      labels.push(octets.toString('latin1', offset + 1, offset + 1 + octet).replace(/[A-Z]/g, (c) => c.toLowerCase()))
      offset += 1 + octet
    }
  }
}

function optionsEnd(octets: Buffer, start: number, end: number): boolean {
  let offset = start
  while (offset + 4 <= end) offset += 4 + octets.readUInt16BE(offset + 2)
  return offset === end
}

function inZone(labels: readonly string[], zones: readonly string[]): boolean {
  return zones.some((zone) => {
    const suffix = zone.split('.')
    return suffix.every((label, index) => labels[labels.length - suffix.length + index] === label)
  })
}
