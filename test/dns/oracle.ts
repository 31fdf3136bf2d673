// What readQuery() must say, the slow and obvious way: sections cut out of the message one by one, errors thrown.
// cluster-dns reference §4.1 gives the order of decisions, RFC 1035 §4.1 and RFC 6891 §6.1 the forms.

import {
  DROP,
  MALFORMED,
  OTHER_CLASS,
  OTHER_EDNS,
  OTHER_OPCODE,
  QUERY,
  type Query,
  type Verdict,
} from '../../src/dns/question.ts'

/** All that a reader of the question may know. */
export interface Reading {
  verdict: Verdict
  /** Labels of QNAME, each as hexadecimal octets, as they came. */
  labels?: string[]
  type?: number
  questionEnd?: number
  hasOpt?: boolean
  udpSize?: number
  dnssecOk?: boolean
}

interface Record {
  section: number
  ownerOctets: string
  type: number
  class: number
  ttl: Buffer
  rdata: Buffer
}

class Malformed extends Error {}

/** @param message the octets of one message, nothing around them */
export function expectedReading(message: Uint8Array): Reading {
  const octets = Buffer.from(message)
  if (octets.length < 12) return { verdict: DROP }
  if (octets[2] >= 128) return { verdict: DROP }
  if (((octets[2] >> 3) & 15) !== 0) return { verdict: OTHER_OPCODE }
  const [questions, ...counts] = [4, 6, 8, 10].map((at) => octets.readUInt16BE(at))
  if (questions !== 1 || counts[0] > 1 || counts[1] > 1 || counts[2] > 2) return { verdict: MALFORMED }
  try {
    return decode(octets, counts)
  } catch (error) {
    if (error instanceof Malformed) return { verdict: MALFORMED }
    throw error
  }
}

function decode(octets: Buffer, counts: number[]): Reading {
  const qname = nameAt(octets, 12, false)
  const question = cut(octets, qname.end, 4)
  const records: Record[] = []
  let at = qname.end + 4
  counts.forEach((count, section) => {
    for (let i = 0; i < count; i++) {
      const { end } = nameAt(octets, at, true)
      const fixed = cut(octets, end, 10)
      const rdata = cut(octets, end + 10, fixed.readUInt16BE(8))
      const [type, recordClass] = [fixed.readUInt16BE(0), fixed.readUInt16BE(2)]
      const ownerOctets = octets.toString('hex', at, end)
      records.push({ section, ownerOctets, type, class: recordClass, ttl: fixed.subarray(4, 8), rdata })
      at = end + 10 + rdata.length
    }
  })
  const opts = records.filter(({ type }) => type === 41)
  if (opts.length > 1) throw new Malformed('two OPT')
  const [opt] = opts
  if (opt !== undefined && (opt.section !== 2 || opt.ownerOctets !== '00')) throw new Malformed('OPT out of place')
  for (let rest = opt?.rdata ?? Buffer.alloc(0); rest.length > 0; ) {
    const length = cut(rest, 0, 4).readUInt16BE(2)
    cut(rest, 4, length)
    rest = rest.subarray(4 + length)
  }
  const verdict =
    question.readUInt16BE(2) !== 1 ? OTHER_CLASS : opt !== undefined && opt.ttl[1] > 0 ? OTHER_EDNS : QUERY
  return {
    verdict,
    labels: qname.labels,
    type: question.readUInt16BE(0),
    questionEnd: qname.end + 4,
    hasOpt: opt !== undefined,
    udpSize: Math.max(512, opt?.class ?? 0),
    dnssecOk: opt !== undefined && opt.ttl[2] >= 128,
  }
}

function cut(octets: Buffer, at: number, length: number): Buffer {
  if (at + length > octets.length) throw new Malformed('past the end')
  return octets.subarray(at, at + length)
}

/** A name; `end` is behind it, or behind its first pointer. Each pointer leads before the piece that holds it. */
function nameAt(octets: Buffer, start: number, mayPoint: boolean): { labels: string[]; end: number } {
  const length = cut(octets, start, 1)[0]
  const labels: string[] = []
  let at = start
  for (let next = length; next !== 0; next = cut(octets, at, 1)[0]) {
    if (next >= 0xc0 && mayPoint) {
      const target = cut(octets, at, 2).readUInt16BE(0) & 0x3fff
      if (target >= start || target < 12) throw new Malformed('pointer ahead, or into the header')
      const rest = nameAt(octets, target, true)
      return { labels: checked([...labels, ...rest.labels]), end: at + 2 }
    }
    if (next >= 64) throw new Malformed('label type')
    labels.push(cut(octets, at + 1, next).toString('hex'))
    at += 1 + next
  }
  return { labels: checked(labels), end: at + 1 }
}

function checked(labels: string[]): string[] {
  const length = labels.reduce((sum, label) => sum + 1 + label.length / 2, 1)
  if (length > 255) throw new Malformed('name too long')
  return labels
}

/** The same out of what readQuery() left in `query`; `packet` at `start` is the message. */
export function actualReading(query: Query, verdict: Verdict, packet: Uint8Array, start: number): Reading {
  if (verdict !== QUERY && verdict !== OTHER_CLASS && verdict !== OTHER_EDNS) return { verdict }
  const labels: string[] = []
  for (let i = 0; i < query.labelCount; i++) {
    const from = start + 12 + query.labelStart[i]
    labels.push(Buffer.from(packet.subarray(from + 1, from + 1 + packet[from])).toString('hex'))
  }
  const { type, questionEnd, hasOpt, udpSize, dnssecOk } = query
  return { verdict, labels, type, questionEnd, hasOpt, udpSize, dnssecOk }
}
