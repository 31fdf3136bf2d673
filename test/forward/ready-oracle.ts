// A slow, plain reading of replies, for comparison with src/forward/ready-answer.ts: strings, objects, exceptions. Names are folded.

import { RDATA_LAYOUTS } from '../../src/dns/message-rdata.ts'
import { textOfWire, wireOfLabels } from '../../src/dns/name.ts'
import { TYPES } from '../../src/dns/record-types.ts'

const { A, AAAA, NS, CNAME, SOA, DNAME, RRSIG, NSEC, SVCB, HTTPS, OPT, ANY, AXFR, IXFR } = TYPES

export interface PlainRecord {
  readonly owner: string
  readonly type: number
  readonly class: number
  readonly ttl: number
  /** Names in it folded, in full. */
  readonly rdata: string
  /** Names in it. */
  readonly names: readonly string[]
  readonly rrsig: { readonly covered: number; readonly expiration: number } | null
}

export interface PlainReply {
  readonly flags: number
  readonly rcode: number
  readonly question: { readonly name: string; readonly type: number; readonly class: number }
  readonly answer: readonly PlainRecord[]
  readonly authority: readonly PlainRecord[]
  /** Without OPT. */
  readonly additional: readonly PlainRecord[]
}

class Malformed extends Error {}

function must(condition: boolean, what: string): void {
  if (!condition) throw new Malformed(what)
}

/** @returns null if the message is not well-formed */
export function plainReply(message: Uint8Array): PlainReply | null {
  try {
    return new Reading(message).reply()
  } catch (error) {
    if (error instanceof Malformed) return null
    throw error
  }
}

class Reading {
  readonly message: Uint8Array
  at = 0

  constructor(message: Uint8Array) {
    this.message = message
  }

  uint16(): number {
    must(this.at + 2 <= this.message.length, 'breaks off')
    this.at += 2
    return this.message[this.at - 2] * 256 + this.message[this.at - 1]
  }

  /** Labels, folded. `end`: of the part before the first pointer. */
  name(end: number): string {
    const labels: string[] = []
    let at = this.at
    let piece = at
    let jumped = false
    for (;;) {
      must(at < end, 'name breaks off')
      const octet = this.message[at]
      if (octet === 0) {
        if (!jumped) this.at = at + 1
        break
      }
      if (octet < 64) {
        must(at + octet < this.message.length, 'label breaks off')
        labels.push(String.fromCharCode(...this.message.subarray(at + 1, at + 1 + octet)))
        at += octet + 1
      } else {
        must(octet >= 192 && at + 2 <= end, 'label type')
        const target = (octet - 192) * 256 + this.message[at + 1]
        must(target >= 12 && target < piece, 'pointer')
        if (!jumped) this.at = at + 2
        jumped = true
        at = target
        piece = target
        end = this.message.length
      }
    }
    must(labels.reduce((sum, label) => sum + label.length + 1, 1) <= 255, 'name too long')
    return textOfWire(wireOfLabels(labels))
  }

  reply(): PlainReply {
    const { message } = this
    must(message.length >= 12 && message.length <= 65535, 'length')
    this.at = 2
    const flags = this.uint16()
    must((flags & 0xf800) === 0x8000, 'reply to a query')
    must(this.uint16() === 1, 'one question')
    const counts = [this.uint16(), this.uint16(), this.uint16()]
    const question = { name: this.name(message.length), type: this.uint16(), class: this.uint16() }
    const [answer, authority, all] = counts.map((count) => {
      const records: PlainRecord[] = []
      for (let i = 0; i < count; i++) records.push(this.record())
      return records
    })
    const opts = all.filter(({ type }) => type === OPT)
    must(opts.length <= 1 && ![...answer, ...authority].some(({ type }) => type === OPT), 'OPT')
    must(
      opts.every(({ owner }) => owner === '.'),
      'owner of OPT',
    )
    const extended = opts.length === 0 ? 0 : Math.floor(opts[0].ttl / 2 ** 24)
    const additional = all.filter(({ type }) => type !== OPT)
    return { flags, rcode: extended * 16 + (flags & 15), question, answer, authority, additional }
  }

  record(): PlainRecord {
    const owner = this.name(this.message.length)
    const type = this.uint16()
    const recordClass = this.uint16()
    const ttl = this.uint16() * 65536 + this.uint16()
    const length = this.uint16()
    const first = this.at
    const end = first + length
    must(end <= this.message.length, 'RDATA breaks off')
    const rdata = this.message.subarray(first, end)
    const { text, names } = this.rdata(type, recordClass, end)
    this.at = end
    const view = new DataView(rdata.buffer, rdata.byteOffset, rdata.length)
    const rrsig = type === RRSIG ? { covered: view.getUint16(0), expiration: view.getUint32(8) } : null
    return { owner, type, class: recordClass, ttl, rdata: text, names, rrsig }
  }

  rdata(type: number, recordClass: number, end: number): { text: string; names: string[] } {
    const first = this.at
    const whole = Buffer.from(this.message.subarray(first, end)).toString('hex')
    if (recordClass === 1 && type === A) must(end - first === 4, 'A')
    if (recordClass === 1 && type === AAAA) must(end - first === 16, 'AAAA')
    if (type === OPT) {
      while (this.at < end) {
        this.at += 2
        must(this.at + 2 <= end, 'option breaks off')
        const length = this.uint16()
        this.at += length
        must(this.at <= end, 'option breaks off')
      }
    }
    const plain = new Map<number, number>([
      [RRSIG, 18],
      [NSEC, 0],
      [SVCB, 2],
      [HTTPS, 2],
    ]).get(type)
    if (plain !== undefined) {
      this.at += plain
      const start = this.at
      this.name(end)
      // Uncompressed: a pointer would have made it shorter, or longer than what it stands for.
      for (let at = start; ; at += this.message[at] + 1) {
        must(this.message[at] < 64, 'pointer where there must be none')
        if (this.message[at] === 0) break
      }
      must(this.at <= end, 'name breaks off')
      return { text: whole, names: [] }
    }
    const layout = RDATA_LAYOUTS.get(type)
    if (layout === undefined) return { text: whole, names: [] }
    this.at += layout.octets
    for (let i = 0; i < layout.strings && this.at < end; i++) this.at += this.message[this.at] + 1
    must(this.at < end, 'RDATA breaks off')
    const before = Buffer.from(this.message.subarray(first, this.at)).toString('hex')
    const names = Array.from({ length: layout.names }, () => this.name(end))
    must(layout.rest < 0 ? this.at <= end : end - this.at === layout.rest, 'length of RDATA')
    return {
      text: `${before} ${names.join(' ')} ${Buffer.from(this.message.subarray(this.at, end)).toString('hex')}`,
      names,
    }
  }
}

/** Names of the kinds, by number. */
export const KINDS = ['SUCCESS', 'DENIAL', 'FAILURE', 'UNCACHEABLE'] as const

/** What a ready answer should say. */
export interface Judgement {
  /** Of the answer section, what was asked for. */
  readonly answer: readonly PlainRecord[]
  readonly kind: (typeof KINDS)[number]
  readonly ttl: number
}

/** corefile.md 5.7, and which records belong to an answer. `type`: QTYPE. */
export function judge(reply: PlainReply, type: number): Judgement {
  const chain: string[] = []
  let loops = false
  for (let name: string | undefined = reply.question.name; name !== undefined; ) {
    if (chain.includes(name)) {
      loops = true
      break
    }
    chain.push(name)
    const owner: string = name
    name = reply.answer.find((record) => record.type === CNAME && record.owner === owner)?.names[0]
  }
  const above = (owner: string): boolean =>
    chain.some((name) => name !== owner && (owner === '.' || `.${name}`.endsWith(`.${owner}`)))
  const isDname = (record: PlainRecord): boolean => record.type === DNAME || record.rrsig?.covered === DNAME
  const answer = reply.answer.filter(
    (record) => chain.includes(record.owner) || (isDname(record) && above(record.owner)),
  )
  const ttlOf = (records: readonly PlainRecord[]): number =>
    Math.min(...records.map(({ ttl }) => (ttl > 0x7fffffff ? 0 : ttl)))
  const all = [...answer, ...reply.authority, ...reply.additional]
  const soa = reply.authority.find((record) => record.type === SOA)
  const kind = ((): Judgement['kind'] => {
    if ((reply.flags & 0x200) !== 0 || type === AXFR || type === IXFR) return 'UNCACHEABLE'
    if (reply.rcode === 2 || reply.rcode === 4) return 'FAILURE'
    const now = Date.now() / 1000
    const signatures = [...reply.answer, ...all].flatMap(({ rrsig }) => (rrsig === null ? [] : [rrsig.expiration]))
    // Serial numbers: half of them are in the past.
    if (loops || signatures.some((seconds) => (seconds - Math.floor(now)) << 0 < 0)) return 'UNCACHEABLE'
    if (reply.rcode === 3) return soa !== undefined && reply.answer.length === 0 ? 'DENIAL' : 'UNCACHEABLE'
    if (reply.rcode !== 0) return 'UNCACHEABLE'
    if (answer.some((record) => chain.includes(record.owner) && (record.type === type || type === ANY)))
      return 'SUCCESS'
    if (soa !== undefined) return 'DENIAL'
    if (reply.answer.length > 0) return 'UNCACHEABLE'
    if (reply.authority.some((record) => record.type === NS)) return 'SUCCESS'
    return all.length === 0 ? 'DENIAL' : 'UNCACHEABLE'
  })()
  const ttl = all.length === 0 ? 5 : kind === 'DENIAL' && soa !== undefined ? ttlOf([...answer, soa]) : ttlOf(all)
  return { answer, kind, ttl }
}
