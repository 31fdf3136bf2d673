// Messages as a test wants them: queries octet by octet, responses as zone-file text.
// Independent of src/dns on purpose, so that one misreading of RFC 1035 does not hide another.

import assert from 'node:assert/strict'
import { decode } from 'dns-packet'

const TYPE_NUMBERS: Record<string, number> = {
  NONE: 0,
  A: 1,
  NS: 2,
  CNAME: 5,
  SOA: 6,
  PTR: 12,
  HINFO: 13,
  MX: 15,
  TXT: 16,
  AAAA: 28,
  SRV: 33,
  NAPTR: 35,
  OPT: 41,
  DS: 43,
  RRSIG: 46,
  NSEC: 47,
  DNSKEY: 48,
  SVCB: 64,
  HTTPS: 65,
  IXFR: 251,
  AXFR: 252,
  ANY: 255,
  CAA: 257,
}
const TYPE_NAMES = new Map(Object.entries(TYPE_NUMBERS).map(([name, number]) => [number, name]))
const RCODES = ['NOERROR', 'FORMERR', 'SERVFAIL', 'NXDOMAIN', 'NOTIMP', 'REFUSED']
const CLASS_IN = 1

/** Bits of the second header word (RFC 1035 §4.1.1, RFC 4035 §3.2). */
export const FLAG = { QR: 0x8000, AA: 0x0400, TC: 0x0200, RD: 0x0100, RA: 0x0080, Z: 0x0040, AD: 0x0020, CD: 0x0010 }

/** What a query's OPT record says (RFC 6891 §6.1.2); every field may be left out. */
export interface Edns {
  size?: number
  version?: number
  /** The DO bit. */
  dnssecOk?: boolean
  /** Options, already encoded. */
  options?: Uint8Array
}

/** A query; what is left out is a plain recursion-desired query of class IN without EDNS. */
export interface Query {
  /** Labels separated by dots, a trailing dot is allowed; or the labels themselves, which may then hold any octet. */
  name: string | readonly (string | Uint8Array)[]
  /** Mnemonic, `TYPE65280` or a number. */
  type: string | number
  id?: number
  /** The second header word: opcode and flags. Default RD. */
  flags?: number
  class?: number
  edns?: Edns
}

/** One record of a response. */
export interface WireRecord {
  /** As spelled on the wire, compression undone, with the trailing dot. */
  owner: string
  type: string
  class: number
  ttl: number
  /** RDATA in zone-file text, names as spelled. */
  data: string
  /** Octets the record takes on the wire, compression included. */
  length: number
}

/** A response, taken apart. */
export interface Response {
  octets: Uint8Array
  id: number
  opcode: number
  rcode: string
  /** The second header word. */
  flags: number
  question: { name: string; type: string; class: number } | undefined
  answer: WireRecord[]
  authority: WireRecord[]
  /** Without the OPT record. */
  additional: WireRecord[]
  /** The OPT record, if there was one. */
  opt: { size: number; extendedRcode: number; version: number; flags: number; dataLength: number } | undefined
}

/** The number of a type given as mnemonic, as `TYPE65280` (RFC 3597 §5) or as a number. */
export function typeNumber(type: string | number): number {
  if (typeof type === 'number') return type
  const number = type.startsWith('TYPE') ? Number(type.slice(4)) : TYPE_NUMBERS[type]
  assert(number !== undefined && number >= 0 && number <= 0xffff, `unknown type ${type}`)
  return number
}

/** A name in wire form, uncompressed (RFC 1035 §3.1). Labels are taken as they come: nothing is checked but the length octet. */
export function encodeName(name: Query['name']): Uint8Array {
  const labels = typeof name === 'string' ? name.split('.').filter((label) => label !== '') : name
  const parts = labels.map((label) => Buffer.from(typeof label === 'string' ? Buffer.from(label, 'latin1') : label))
  return Buffer.concat([...parts.flatMap((part) => [Buffer.of(part.length), part]), Buffer.of(0)])
}

/** Big-endian 16-bit words. */
export function words(...values: number[]): Uint8Array {
  return Buffer.from(values.flatMap((value) => [value >>> 8, value & 255]))
}

/** A 12-octet header (RFC 1035 §4.1.1). */
export function encodeHeader(id: number, flags: number, counts: readonly [number, number, number, number]): Uint8Array {
  return words(id, flags, ...counts)
}

/** An OPT record (RFC 6891 §6.1.2). */
export function encodeOpt({
  size = 1232,
  version = 0,
  dnssecOk = false,
  options = new Uint8Array(),
}: Edns): Uint8Array {
  return Buffer.concat([Buffer.of(0), words(41, size, version, dnssecOk ? 0x8000 : 0, options.length), options])
}

/** The octets of a query. */
export function encodeQuery(query: Query): Uint8Array {
  const { name, type, id = 0x1234, flags = FLAG.RD, edns } = query
  return Buffer.concat([
    encodeHeader(id, flags, [1, 0, 0, edns === undefined ? 0 : 1]),
    encodeName(name),
    words(typeNumber(type), query.class ?? CLASS_IN),
    edns === undefined ? new Uint8Array() : encodeOpt(edns),
  ])
}

/**
 * Takes a response apart and checks what every response must satisfy: it parses to its last octet, QR is set, Z is
 * clear, at most one OPT, and dns-packet reads the same number of records.
 * @throws AssertionError or RangeError for octets that are no such message
 */
export function readResponse(octets: Uint8Array): Response {
  const message = Buffer.from(octets.buffer, octets.byteOffset, octets.length)
  assert(message.length >= 12, `a response of ${message.length} octets`)
  const flags = message.readUInt16BE(2)
  assert(flags & FLAG.QR, 'QR is set in a response')
  assert(!(flags & FLAG.Z), 'Z is clear in a response')
  const counts = [4, 6, 8, 10].map((offset) => message.readUInt16BE(offset))
  assert(counts[0]! <= 1, 'at most one question')

  let offset = 12
  let question: Response['question']
  if (counts[0] === 1) {
    const [name, end] = readName(message, offset)
    question = { name, type: typeName(message.readUInt16BE(end)), class: message.readUInt16BE(end + 2) }
    offset = end + 4
  }
  const sections = counts.slice(1).map((count) =>
    Array.from({ length: count }, () => {
      const record = readRecord(message, offset)
      offset += record.length
      return record
    }),
  )
  assert.equal(offset, message.length, 'a response ends with its last record')

  const decoded = decode(message)
  assert.deepEqual(
    [decoded.answers?.length, decoded.authorities?.length, decoded.additionals?.length],
    counts.slice(1),
    'dns-packet reads the same records',
  )
  const [answer, authority, extra] = sections as [WireRecord[], WireRecord[], WireRecord[]]
  const opts = extra.filter((record) => record.type === 'OPT')
  assert(opts.length <= 1, 'at most one OPT record')
  const opt = opts[0]
  return {
    octets,
    id: message.readUInt16BE(0),
    opcode: (flags >>> 11) & 15,
    rcode: RCODES[flags & 15] ?? `RCODE${flags & 15}`,
    flags,
    question,
    answer,
    authority,
    additional: extra.filter((record) => record !== opt),
    opt: opt && {
      size: opt.class,
      extendedRcode: opt.ttl >>> 24,
      version: (opt.ttl >>> 16) & 255,
      flags: opt.ttl & 0xffff,
      dataLength: opt.length - 11,
    },
  }
}

/** One record in zone-file text. */
export function recordText(record: WireRecord): string {
  return `${record.owner} ${record.ttl} IN ${record.type} ${record.data}`
}

function typeName(number: number): string {
  return TYPE_NAMES.get(number) ?? `TYPE${number}`
}

/** A name that may be compressed, and where it ends; only pointers to earlier octets are followed, so that it ends. */
function readName(message: Buffer, start: number): [name: string, end: number] {
  let name = ''
  let end = -1
  let bound = start
  for (let offset = start; ; ) {
    const octet = message.readUInt8(offset)
    if (octet === 0) return [name === '' ? '.' : name, end < 0 ? offset + 1 : end]
    if (octet >= 0xc0) {
      const target = message.readUInt16BE(offset) & 0x3fff
      assert(target >= 12 && target < bound, `pointer at ${offset} leads to ${target}`)
      if (end < 0) end = offset + 2
      bound = target
      offset = target
    } else {
      assert(octet < 0x40, `label type ${octet >>> 6} at ${offset}`)
      name += `${labelText(message.subarray(offset + 1, offset + 1 + octet))}.`
      assert(name.length < 1100, 'a name ends')
      offset += 1 + octet
    }
  }
}

/** A label in zone-file text: dots, backslashes and octets outside of printable ASCII are escaped (RFC 1035 §5.1). */
function labelText(label: Buffer): string {
  return [...label]
    .map((octet) => {
      if (octet <= 0x20 || octet >= 0x7f) return `\\${String(octet).padStart(3, '0')}`
      const character = String.fromCharCode(octet)
      return character === '.' || character === '\\' ? `\\${character}` : character
    })
    .join('')
}

function readRecord(message: Buffer, start: number): WireRecord {
  const [owner, offset] = readName(message, start)
  const type = typeName(message.readUInt16BE(offset))
  const dataStart = offset + 10
  const dataEnd = dataStart + message.readUInt16BE(offset + 8)
  assert(dataEnd <= message.length, 'RDATA ends inside of the message')
  return {
    owner,
    type,
    class: message.readUInt16BE(offset + 2),
    ttl: message.readUInt32BE(offset + 4),
    data: readData(message, type, dataStart, dataEnd),
    length: dataEnd - start,
  }
}

function readData(message: Buffer, type: string, start: number, end: number): string {
  const word = (offset: number) => message.readUInt16BE(offset)
  const nameAt = (offset: number, last = true): [string, number] => {
    const found = readName(message, offset)
    if (last) assert.equal(found[1], end, `${type} RDATA ends with its name`)
    return found
  }
  switch (type) {
    case 'A':
      assert.equal(end - start, 4)
      return message.subarray(start, end).join('.')
    case 'AAAA':
      assert.equal(end - start, 16)
      return ipv6Text(Array.from({ length: 8 }, (_, index) => word(start + 2 * index)))
    case 'NS':
    case 'CNAME':
    case 'PTR':
      return nameAt(start)[0]
    case 'SRV':
      assert(message.readUInt8(start + 6) < 0xc0, 'the target of SRV is not compressed (RFC 2782)')
      return `${word(start)} ${word(start + 2)} ${word(start + 4)} ${nameAt(start + 6)[0]}`
    case 'SOA': {
      const [mname, rnameOffset] = nameAt(start, false)
      const [rname, numbersOffset] = nameAt(rnameOffset, false)
      assert.equal(end - numbersOffset, 20, 'SOA has five numbers')
      const numbers = [0, 4, 8, 12, 16].map((offset) => message.readUInt32BE(numbersOffset + offset))
      return `${mname} ${rname} ${numbers.join(' ')}`
    }
    case 'TXT': {
      const strings: string[] = []
      for (let offset = start; offset < end; offset += 1 + message.readUInt8(offset)) {
        strings.push(`"${message.toString('latin1', offset + 1, offset + 1 + message.readUInt8(offset))}"`)
      }
      return strings.join(' ')
    }
    default:
      return `\\# ${end - start} ${message.toString('hex', start, end)}`
  }
}

/** RFC 5952: lower case, the longest run of two or more zero groups as `::`. */
function ipv6Text(groups: number[]): string {
  const text = groups.map((group) => group.toString(16)).join(':')
  const runs = text.match(/(?<![0-9a-f])0(:0(?![0-9a-f]))+/g) ?? []
  const longest = runs.reduce((best, run) => (run.length > best.length ? run : best), '')
  if (longest === '') return text
  const at = text.search(new RegExp(`(?<![0-9a-f])${longest}(?![0-9a-f])`))
  return `${text.slice(0, at).replace(/:$/, '')}::${text.slice(at + longest.length).replace(/^:/, '')}`
}
