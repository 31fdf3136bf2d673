// Whole messages as objects, for plugins that need to see and change them. Cold: the hot path works in place (question.ts, response.ts).
// RFC 1035 §4.1, RFC 6891.

import { expandName, MessageError, NameCompressor, wireOfName } from './message-names.ts'
import { expandRdata, writeRdata } from './message-rdata.ts'
import { NAME_LENGTH_MAX, NameError, textOfWire } from './name.ts'
import { TYPES } from './record-types.ts'

export { MessageError } from './message-names.ts'
export { mapNames, rdataNames } from './message-rdata.ts'

/** One record. */
export interface ResourceRecord {
  /** Presentation format with a final dot, letter case as it came. */
  owner: string
  type: number
  class: number
  /** Seconds. */
  ttl: number
  /** As on the wire, names in it uncompressed. */
  rdata: Uint8Array
}

/** An option of EDNS (RFC 6891 §6.1.2). */
export interface EdnsOption {
  readonly code: number
  readonly data: Uint8Array
}

/** What an OPT record says, but for the RCODE. */
export interface MessageEdns {
  version: number
  /** Octets that the sender takes in a datagram, as it says (0..65535). */
  udpSize: number
  dnssecOk: boolean
  options: EdnsOption[]
}

/** The question as it came. */
export interface MessageQuestion {
  /** Presentation format with a final dot, letter case as it came. */
  name: string
  type: number
  class: number
}

/** A query or a response. */
export interface Message {
  id: number
  opcode: number
  response: boolean
  authoritative: boolean
  truncated: boolean
  recursionDesired: boolean
  recursionAvailable: boolean
  authenticData: boolean
  checkingDisabled: boolean
  /** 0..4095: with the upper bits out of OPT. */
  rcode: number
  /** null = QDCOUNT 0. */
  question: MessageQuestion | null
  answer: ResourceRecord[]
  authority: ResourceRecord[]
  /** Without OPT. */
  additional: ResourceRecord[]
  /** null = no OPT. */
  edns: MessageEdns | null
}

const HEADER_LENGTH = 12
const RECORD_FIXED_LENGTH = 10
const OPT_LENGTH = 11
const OPTION_HEADER_LENGTH = 4
const MESSAGE_LENGTH_MAX = 65535
const RCODE_HEADER_MAX = 15
const SERVFAIL = 2
const QR = 0x8000
const AA = 0x0400
const TC = 0x0200
const RD = 0x0100
const RA = 0x0080
const AD = 0x0020
const CD = 0x0010
const DNSSEC_OK = 0x8000

/**
 * Reads the message packet[start, start + length). Nothing in the result refers to the packet's memory; octets behind the last record are ignored.
 *
 * Names in RDATA come uncompressed for the types of message-rdata.ts; other RDATA is not looked at.
 * @throws MessageError if anything breaks off or points astray, for several questions, for a second OPT and for one that is malformed
 */
export function decodeMessage(packet: Uint8Array, start: number, length: number): Message {
  return new Decoder(packet, start, length).message()
}

/**
 * Writes `message` at target[start].
 *
 * Names are compressed with regard to case, but for an owner that is the question's name: it points there, and so takes the question's spelling.
 * What does not fit is left out from the first record on that does not, and TC is set; the question and OPT always stay.
 * An RCODE over 15 without OPT is SERVFAIL, as it cannot be said.
 * @param limit   most octets that the message may have, counted from `start`
 * @param maxUdp  the same, of a datagram: the lesser counts
 * @returns octets of the message, 12..65535
 * @throws MessageError for what is no name, and if question and OPT alone are over the limit
 */
export function encodeMessage(
  message: Message,
  target: Uint8Array,
  start: number,
  limit: number,
  maxUdp = MESSAGE_LENGTH_MAX,
): number {
  const length = Math.min(limit, maxUdp, MESSAGE_LENGTH_MAX, target.length - start)
  try {
    return new Encoder(target, start, start + length).write(message)
  } catch (error) {
    if (error instanceof NameError) throw new MessageError(error.message)
    throw error
  }
}

/** Of `qr aa tc rd ra ad cd` those that are set, as dig prints them. */
export function flagNames(message: Message): string[] {
  const flags: [name: string, isSet: boolean][] = [
    ['qr', message.response],
    ['aa', message.authoritative],
    ['tc', message.truncated],
    ['rd', message.recursionDesired],
    ['ra', message.recursionAvailable],
    ['ad', message.authenticData],
    ['cd', message.checkingDisabled],
  ]
  return flags.filter(([, isSet]) => isSet).map(([name]) => name)
}

class Decoder {
  readonly #packet: Uint8Array
  readonly #start: number
  readonly #end: number
  #at: number
  readonly #wire = new Uint8Array(NAME_LENGTH_MAX)

  constructor(packet: Uint8Array, start: number, length: number) {
    this.#packet = packet
    this.#start = start
    this.#end = Math.min(start + length, packet.length)
    this.#at = start
  }

  message(): Message {
    if (this.#end - this.#start < HEADER_LENGTH) throw new MessageError('a message has 12 octets at least')
    const id = this.#uint16()
    const bits = this.#uint16()
    const questionCount = this.#uint16()
    const counts = [this.#uint16(), this.#uint16(), this.#uint16()]
    if (questionCount > 1) throw new MessageError(`${questionCount} questions`)
    const question = questionCount === 0 ? null : this.#question()
    const [answer, authority, all] = counts.map((count) => this.#section(count))
    const additional = all.filter(({ type }) => type !== TYPES.OPT)
    if (all.length - additional.length > 1) throw new MessageError('several OPT records')
    const opt = all.find(({ type }) => type === TYPES.OPT) ?? null
    const extension = opt === null ? 0 : (opt.ttl >>> 24) << 4
    return {
      id,
      opcode: (bits >> 11) & 15,
      response: (bits & QR) !== 0,
      authoritative: (bits & AA) !== 0,
      truncated: (bits & TC) !== 0,
      recursionDesired: (bits & RD) !== 0,
      recursionAvailable: (bits & RA) !== 0,
      authenticData: (bits & AD) !== 0,
      checkingDisabled: (bits & CD) !== 0,
      rcode: extension | (bits & 15),
      question,
      answer,
      authority,
      additional,
      edns: opt === null ? null : ednsOf(opt),
    }
  }

  #question(): MessageQuestion {
    const name = this.#name()
    return { name, type: this.#uint16(), class: this.#uint16() }
  }

  /** A section of 65,535 records that are not there ends with the first of them: each takes 11 octets at least. */
  #section(count: number): ResourceRecord[] {
    const records: ResourceRecord[] = []
    for (let i = 0; i < count; i++) records.push(this.#record())
    return records
  }

  #record(): ResourceRecord {
    const owner = this.#name()
    const type = this.#uint16()
    const recordClass = this.#uint16()
    const ttl = this.#uint16() * 65536 + this.#uint16()
    const length = this.#uint16()
    const at = this.#at
    this.#need(length)
    this.#at += length
    return { owner, type, class: recordClass, ttl, rdata: expandRdata(this.#packet, this.#start, at, length, type) }
  }

  #name(): string {
    this.#at = expandName(this.#packet, this.#start, this.#at, this.#end, this.#wire)
    return textOfWire(this.#wire)
  }

  #uint16(): number {
    this.#need(2)
    this.#at += 2
    return this.#packet[this.#at - 2] * 256 + this.#packet[this.#at - 1]
  }

  #need(length: number): void {
    if (this.#at + length > this.#end) throw new MessageError(`message breaks off at octet ${this.#end - this.#start}`)
  }
}

function ednsOf(opt: ResourceRecord): MessageEdns {
  if (opt.owner !== '.') throw new MessageError('OPT whose owner is not the root')
  const { rdata } = opt
  const options: EdnsOption[] = []
  for (let at = 0; at < rdata.length; ) {
    if (at + OPTION_HEADER_LENGTH > rdata.length) throw new MessageError('an option breaks off')
    const code = rdata[at] * 256 + rdata[at + 1]
    const end = at + OPTION_HEADER_LENGTH + rdata[at + 2] * 256 + rdata[at + 3]
    if (end > rdata.length) throw new MessageError('an option breaks off')
    options.push({ code, data: rdata.slice(at + OPTION_HEADER_LENGTH, end) })
    at = end
  }
  return { version: (opt.ttl >>> 16) & 255, udpSize: opt.class, dnssecOk: (opt.ttl & DNSSEC_OK) !== 0, options }
}

class Encoder {
  readonly #target: Uint8Array
  readonly #start: number
  readonly #end: number
  readonly #names: NameCompressor
  #at: number
  /** Name of the question in lower case, and behind it; '' if there is none that could be pointed at. */
  #question = ''
  /** Owner before, and its wire form: RRsets come one record after the other. */
  #owner = '.'
  #ownerWire: Uint8Array = new Uint8Array(1)

  constructor(target: Uint8Array, start: number, end: number) {
    this.#target = target
    this.#start = start
    this.#end = end
    this.#names = new NameCompressor(target, start)
    this.#at = start + HEADER_LENGTH
  }

  write(message: Message): number {
    const { question, edns } = message
    const optLength = edns === null ? 0 : ednsLength(edns)
    const questionWire = question === null ? null : wireOfName(question.name)
    const least = HEADER_LENGTH + optLength + (questionWire === null ? 0 : questionWire.length + 4)
    if (this.#start + least > this.#end) throw new MessageError(`question and OPT take ${least} octets`)
    if (question !== null && questionWire !== null) this.#writeQuestion(question, questionWire)

    const end = this.#end - optLength
    const counts = [0, 0, 0]
    let whole = true
    for (const [section, records] of [message.answer, message.authority, message.additional].entries()) {
      for (let i = 0; i < records.length && whole; i++) {
        whole = this.#writeRecord(records[i], end)
        if (whole) counts[section]++
      }
    }
    if (edns !== null) {
      this.#writeOpt(edns, message.rcode)
      counts[2]++
    }
    this.#writeHeader(message, !whole, counts)
    return this.#at - this.#start
  }

  #writeQuestion(question: MessageQuestion, wire: Uint8Array): void {
    this.#at = this.#names.write(wire, 0, this.#at, this.#end)
    this.#uint16(question.type)
    this.#uint16(question.class)
    if (wire.length > 2) this.#question = question.name.toLowerCase()
  }

  /** @returns false if there is no room: no record may follow */
  #writeRecord(record: ResourceRecord, end: number): boolean {
    let next = this.#writeOwner(record.owner, end)
    if (next >= 0 && next + RECORD_FIXED_LENGTH <= end) {
      const fixed = next
      next = writeRdata(record, this.#names, this.#target, fixed + RECORD_FIXED_LENGTH, end)
      if (next >= 0) {
        this.#at = fixed
        this.#uint16(record.type)
        this.#uint16(record.class)
        this.#uint16(record.ttl >>> 16)
        this.#uint16(record.ttl)
        this.#uint16(next - fixed - RECORD_FIXED_LENGTH)
        this.#at = next
        return true
      }
    }
    return false
  }

  #writeOwner(owner: string, end: number): number {
    const at = this.#at
    if (owner.length === this.#question.length && owner.toLowerCase() === this.#question) {
      if (at + 2 > end) return -1
      this.#target[at] = 0xc0
      this.#target[at + 1] = HEADER_LENGTH
      return at + 2
    }
    if (owner !== this.#owner) {
      this.#ownerWire = wireOfName(owner)
      this.#owner = owner
    }
    return this.#names.write(this.#ownerWire, 0, at, end)
  }

  #writeOpt(edns: MessageEdns, rcode: number): void {
    this.#target[this.#at++] = 0
    this.#uint16(TYPES.OPT)
    this.#uint16(edns.udpSize)
    this.#target[this.#at++] = rcode >> 4
    this.#target[this.#at++] = edns.version
    this.#uint16(edns.dnssecOk ? DNSSEC_OK : 0)
    this.#uint16(ednsLength(edns) - OPT_LENGTH)
    for (const { code, data } of edns.options) {
      this.#uint16(code)
      this.#uint16(data.length)
      this.#target.set(data, this.#at)
      this.#at += data.length
    }
  }

  #writeHeader(message: Message, cut: boolean, counts: readonly number[]): void {
    const end = this.#at
    const rcode = message.edns === null && message.rcode > RCODE_HEADER_MAX ? SERVFAIL : message.rcode & 15
    const flags: [boolean, number][] = [
      [message.response, QR],
      [message.authoritative, AA],
      [message.truncated || cut, TC],
      [message.recursionDesired, RD],
      [message.recursionAvailable, RA],
      [message.authenticData, AD],
      [message.checkingDisabled, CD],
    ]
    this.#at = this.#start
    this.#uint16(message.id)
    this.#uint16(flags.reduce((bits, [set, bit]) => (set ? bits | bit : bits), ((message.opcode & 15) << 11) | rcode))
    this.#uint16(message.question === null ? 0 : 1)
    for (const count of counts) this.#uint16(count)
    this.#at = end
  }

  #uint16(value: number): void {
    this.#target[this.#at++] = value >>> 8
    this.#target[this.#at++] = value
  }
}

function ednsLength({ options }: MessageEdns): number {
  return options.reduce((sum, { data }) => sum + OPTION_HEADER_LENGTH + data.length, OPT_LENGTH)
}
