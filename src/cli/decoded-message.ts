// A response as people read it: sections, names and RDATA in presentation format. Cold: for commands that print answers.
// Not here: the in-place parser of the query path (src/dns/question.ts).

import { textOfWire } from '../dns/name.ts'
import { formatAddress } from '../kube/address.ts'

/** One record. */
export interface DecodedRecord {
  /** Absolute, with final dot, spelled as on the wire. */
  readonly owner: string
  /** Seconds. */
  readonly ttl: number
  /** Mnemonic, or `TYPE4711` (RFC 3597 §5). */
  readonly type: string
  /** RDATA in presentation format. */
  readonly data: string
  /** Of A and AAAA, else ''. */
  readonly address: string
  /** Name in the RDATA of CNAME, NS, PTR and SRV, else ''. With final dot. */
  readonly target: string
  /** Of SRV, else 0. */
  readonly port: number
}

/** A response without its OPT record. */
export interface DecodedMessage {
  readonly rcode: string
  /** Of `qr aa tc rd ra ad cd` those that are set. */
  readonly flags: readonly string[]
  readonly answer: readonly DecodedRecord[]
  readonly authority: readonly DecodedRecord[]
  readonly additional: readonly DecodedRecord[]
}

/** A message that breaks off or points astray. */
export class MessageError extends Error {
  readonly code = 'BAD_MESSAGE'
}

const TYPES: Readonly<Record<string, number>> = {
  A: 1,
  NS: 2,
  CNAME: 5,
  SOA: 6,
  PTR: 12,
  MX: 15,
  TXT: 16,
  AAAA: 28,
  SRV: 33,
  NAPTR: 35,
  OPT: 41,
  DS: 43,
  DNSKEY: 48,
  SVCB: 64,
  HTTPS: 65,
  ANY: 255,
  CAA: 257,
}
const TYPE_NAMES: ReadonlyMap<number, string> = new Map(Object.entries(TYPES).map(([name, number]) => [number, name]))
const RCODES = ['NOERROR', 'FORMERR', 'SERVFAIL', 'NXDOMAIN', 'NOTIMP', 'REFUSED']
const FLAGS = [
  ['qr', 0x8000],
  ['aa', 0x0400],
  ['tc', 0x0200],
  ['rd', 0x0100],
  ['ra', 0x0080],
  ['ad', 0x0020],
  ['cd', 0x0010],
] as const
const CLASS_IN = 1
const POINTERS_MAX = 128

/** Number of a type given by mnemonic or as `TYPE123`, in any case; -1 if there is no such type. */
export function typeNumber(text: string): number {
  const upper = text.toUpperCase()
  if (Object.hasOwn(TYPES, upper)) return TYPES[upper]
  const number = /^TYPE(\d{1,5})$/.exec(upper)
  return number !== null && Number(number[1]) <= 65535 ? Number(number[1]) : -1
}

/** A query of class IN, recursion desired, no EDNS. `labels` as `labelsOfText` has them; their case is kept. */
export function encodeQuery(labels: readonly string[], type: number): Uint8Array {
  const header = Uint8Array.of(0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0)
  const name = labels.flatMap((label) => [Buffer.of(label.length), Buffer.from(label, 'latin1')])
  return new Uint8Array(Buffer.concat([header, ...name, Buffer.of(0, type >> 8, type & 255, 0, CLASS_IN)]))
}

/** @throws MessageError */
export function decodeMessage(message: Uint8Array): DecodedMessage {
  const reader = new Reader(message)
  reader.skip(2)
  const bits = reader.uint16()
  const [questionCount, answerCount, authorityCount, additionalCount] = [0, 0, 0, 0].map(() => reader.uint16())
  for (let i = 0; i < questionCount; i++) {
    reader.name()
    reader.skip(4)
  }
  const section = (count: number): DecodedRecord[] => Array.from({ length: count }, () => reader.record())
  const answer = section(answerCount)
  const authority = section(authorityCount)
  const additional = section(additionalCount).filter(({ type }) => type !== 'OPT')
  const flags = FLAGS.filter(([, bit]) => (bits & bit) !== 0).map(([name]) => name)
  return { rcode: RCODES[bits & 15] ?? `RCODE${bits & 15}`, flags, answer, authority, additional }
}

class Reader {
  readonly #octets: Uint8Array
  #at = 0

  constructor(octets: Uint8Array) {
    this.#octets = octets
  }

  skip(length: number): void {
    this.#at += length
    if (this.#at > this.#octets.length) throw new MessageError(`message breaks off at octet ${this.#octets.length}`)
  }

  uint8(): number {
    this.skip(1)
    return this.#octets[this.#at - 1]
  }

  uint16(): number {
    return this.uint8() * 256 + this.uint8()
  }

  uint32(): number {
    return this.uint16() * 65536 + this.uint16()
  }

  /** A name, compressed or not (RFC 1035 §4.1.4), with final dot. */
  name(): string {
    const wire: number[] = []
    let resume = -1
    for (let pointerCount = 0; ; ) {
      const length = this.uint8()
      if (length >= 0xc0) {
        const target = (length & 0x3f) * 256 + this.uint8()
        if (++pointerCount > POINTERS_MAX) throw new MessageError('compression pointers go in circles')
        if (resume < 0) resume = this.#at
        this.#at = target
        continue
      }
      if (length > 63) throw new MessageError(`label of type ${length >> 6}`)
      wire.push(length)
      if (length === 0) break
      for (let i = 0; i < length; i++) wire.push(this.uint8())
    }
    if (resume >= 0) this.#at = resume
    return textOfWire(Uint8Array.from(wire))
  }

  record(): DecodedRecord {
    const owner = this.name()
    const typeCode = this.uint16()
    const type = TYPE_NAMES.get(typeCode) ?? `TYPE${typeCode}`
    this.skip(2)
    const ttl = this.uint32()
    const length = this.uint16()
    const end = this.#at + length
    const rdata = this.#rdata(type, length)
    if (this.#at !== end) throw new MessageError(`RDATA of ${owner} ${type} has another length than it says`)
    return { owner, ttl, type, address: '', target: '', port: 0, ...rdata }
  }

  #rdata(type: string, length: number): Pick<DecodedRecord, 'data'> & Partial<DecodedRecord> {
    if ((type === 'A' && length === 4) || (type === 'AAAA' && length === 16)) {
      const address = formatAddress(this.#take(length), length)
      return { data: address, address }
    }
    if (type === 'CNAME' || type === 'NS' || type === 'PTR') {
      const target = this.name()
      return { data: target, target }
    }
    if (type === 'SRV') {
      const [priority, weight, port] = [this.uint16(), this.uint16(), this.uint16()]
      const target = this.name()
      return { data: `${priority} ${weight} ${port} ${target}`, target, port }
    }
    if (type === 'SOA') {
      const names = [this.name(), this.name()]
      return { data: [...names, ...[0, 0, 0, 0, 0].map(() => this.uint32())].join(' ') }
    }
    if (type === 'TXT') return { data: this.#strings(length) }
    return { data: `\\# ${length} ${Buffer.from(this.#take(length)).toString('hex')}`.trimEnd() }
  }

  #strings(length: number): string {
    const strings: string[] = []
    for (const end = this.#at + length; this.#at < end; ) {
      const text = Buffer.from(this.#take(this.uint8())).toString('latin1')
      strings.push(`"${text.replaceAll(/["\\]/g, '\\$&')}"`)
    }
    return strings.join(' ')
  }

  #take(length: number): Uint8Array {
    this.skip(length)
    return this.#octets.subarray(this.#at - length, this.#at)
  }
}
