// Replies of upstreams, generated: well-formed ones, compressed in all the ways that are allowed and some that are odd, and mutations of them.

import fc from 'fast-check'
import { wireOfName } from '../../src/dns/message-names.ts'
import { RDATA_LAYOUTS } from '../../src/dns/message-rdata.ts'
import { TYPES } from '../../src/dns/record-types.ts'

const { A, NS, CNAME, SOA, PTR, MX, TXT, AAAA, SRV, NAPTR, DNAME, RRSIG, NSEC, OPT, HTTPS, RP, SIG, NXT, ANY } = TYPES

/** Where a pointer may lead: some earlier place where the same name stands. */
export class ReplyWriter {
  octets: number[] = []
  /** Name in lower case -> places where it begins. */
  readonly #places = new Map<string, number[]>()
  /** Numbers 0..99 in their order decide where to compress; an even one takes the first place, a pointer to a pointer may come of it. */
  readonly #lots: readonly number[]
  #lot = 0

  constructor(lots: readonly number[]) {
    this.#lots = lots
  }

  uint16(...values: number[]): void {
    for (const value of values) this.octets.push((value >>> 8) & 0xff, value & 0xff)
  }

  /** @param compress  percent of the chances to point back that are taken; 0: none */
  name(name: string, compress: number): void {
    const wire = wireOfName(name)
    for (let at = 0; wire[at] !== 0; at += wire[at] + 1) {
      const rest = Buffer.from(wire.subarray(at)).toString('latin1').toLowerCase()
      const places = this.#places.get(rest) ?? []
      const lot = this.#lots[this.#lot++ % this.#lots.length]
      if (places.length > 0 && lot < compress) {
        this.#place(rest, this.octets.length)
        this.uint16(0xc000 | places[lot % places.length])
        return
      }
      this.#place(rest, this.octets.length)
      this.octets.push(...wire.subarray(at, at + wire[at] + 1))
    }
    this.octets.push(0)
  }

  #place(rest: string, at: number): void {
    if (at <= 0x3fff) this.#places.set(rest, [...(this.#places.get(rest) ?? []), at])
  }

  record(record: ReplyRecord, compress: number): void {
    this.name(record.owner, compress)
    this.uint16(record.type, record.class, Math.floor(record.ttl / 65536), record.ttl % 65536, 0)
    const first = this.octets.length
    for (const part of record.rdata) {
      if (typeof part === 'string') this.name(part, RDATA_LAYOUTS.has(record.type) ? compress : 0)
      else this.octets.push(...part)
    }
    const length = this.octets.length - first
    this.octets[first - 2] = length >> 8
    this.octets[first - 1] = length & 0xff
  }
}

export interface ReplyRecord {
  readonly owner: string
  readonly type: number
  readonly class: number
  /** 0..2^32-1 */
  readonly ttl: number
  /** Strings are names. */
  readonly rdata: readonly (string | readonly number[])[]
}

export interface Reply {
  readonly flags: number
  readonly question: { readonly name: string; readonly type: number; readonly class: number }
  readonly sections: readonly (readonly ReplyRecord[])[]
  readonly garbage: readonly number[]
  /** Percent. */
  readonly compress: number
  readonly lots: readonly number[]
}

export function encodeReply(reply: Reply): Uint8Array {
  const writer = new ReplyWriter(reply.lots)
  writer.uint16(0x1234, reply.flags, 1, ...reply.sections.map(({ length }) => length))
  writer.name(reply.question.name, 0)
  writer.uint16(reply.question.type, reply.question.class)
  for (const record of reply.sections.flat()) writer.record(record, reply.compress)
  writer.octets.push(...reply.garbage)
  return Uint8Array.from(writer.octets)
}

export const NAMES = [
  '.',
  'com.',
  'example.com.',
  'www.example.com.',
  'WWW.Example.com.',
  'cdn.example.net.',
  'x.cdn.example.net.',
  'a.b.c.d.e.f.example.com.',
  '_sip._tcp.example.com.',
  `${'l'.repeat(63)}.${'m'.repeat(63)}.${'n'.repeat(63)}.${'o'.repeat(61)}.`,
  `${'o'.repeat(61)}.`,
  '\\000\\255\\.x.org.',
]
const anyName = fc.constantFrom(...NAMES)
const octets = (length: number): fc.Arbitrary<number[]> =>
  fc.array(fc.integer({ min: 0, max: 255 }), { minLength: length, maxLength: length })
const anyOctets = fc.array(fc.integer({ min: 0, max: 255 }), { maxLength: 20 })
const anyTtl = fc.oneof(
  { weight: 4, arbitrary: fc.integer({ min: 0, max: 4000 }) },
  { weight: 1, arbitrary: fc.constantFrom(0, 0x7fffffff, 0x80000000, 0xffffffff) },
)

/** RDATA of an RRSIG by `signer`; `expires` in seconds from now. */
export function rrsigRdata(covered: number, expires: number, signer: string): (string | number[])[] {
  const seconds = (Math.floor(Date.now() / 1000) + expires) >>> 0
  const time = [seconds >>> 24, (seconds >>> 16) & 255, (seconds >>> 8) & 255, seconds & 255]
  return [[covered >> 8, covered & 255, 13, 2, 0, 0, 0, 60, ...time, 0, 0, 0, 0, 7, 7], signer, [1, 2, 3, 4, 5]]
}

type Parts = (string | number[])[]
const rdataOf: readonly (readonly [number, fc.Arbitrary<Parts>])[] = [
  [A, octets(4).map((each): Parts => [each])],
  [AAAA, octets(16).map((each): Parts => [each])],
  [CNAME, anyName.map((name): Parts => [name])],
  [NS, anyName.map((name): Parts => [name])],
  [PTR, anyName.map((name): Parts => [name])],
  [DNAME, anyName.map((name): Parts => [name])],
  [SOA, fc.tuple(anyName, anyName, octets(20)).map((parts): Parts => [...parts])],
  [MX, fc.tuple(octets(2), anyName).map((parts): Parts => [...parts])],
  [SRV, fc.tuple(octets(6), anyName).map((parts): Parts => [...parts])],
  [RP, fc.tuple(anyName, anyName).map((parts): Parts => [...parts])],
  [NAPTR, anyName.map((name): Parts => [[0, 1, 0, 2, 1, 83, 0, 3, 65, 66, 67], name])],
  [SIG, fc.tuple(octets(18), anyName, anyOctets).map((parts): Parts => [...parts])],
  [NXT, fc.tuple(anyName, anyOctets).map((parts): Parts => [...parts])],
  [NSEC, fc.tuple(anyName, anyOctets).map((parts): Parts => [...parts])],
  [HTTPS, fc.tuple(octets(2), anyName, anyOctets).map((parts): Parts => [...parts])],
  [
    RRSIG,
    fc.tuple(fc.constantFrom(A, DNAME), fc.constantFrom(-9, 1000, 9999), anyName).map((each) => rrsigRdata(...each)),
  ],
  [TXT, anyOctets.map((each): Parts => [each])],
  [65280, anyOctets.map((each): Parts => [each])],
]

const anyRdata = fc.oneof(
  { weight: 5, arbitrary: fc.constantFrom(A, CNAME, NS, SOA) },
  { weight: 4, arbitrary: fc.constantFrom(...rdataOf.map(([type]) => type)) },
)

const anyRecord: fc.Arbitrary<ReplyRecord> = anyRdata.chain((type) =>
  fc.record({
    owner: anyName,
    type: fc.constant(type),
    class: fc.oneof({ weight: 9, arbitrary: fc.constant(1) }, { weight: 1, arbitrary: fc.constantFrom(3, 255) }),
    ttl: anyTtl,
    rdata: rdataOf.find(([each]) => each === type)?.[1] ?? fc.constant([]),
  }),
)

const anyOpt: fc.Arbitrary<ReplyRecord> = fc
  .record({
    extended: fc.oneof(
      { weight: 5, arbitrary: fc.constant(0) },
      { weight: 1, arbitrary: fc.integer({ min: 1, max: 255 }) },
    ),
    owner: fc.oneof({ weight: 20, arbitrary: fc.constant('.') }, { weight: 1, arbitrary: anyName }),
    rdata: fc.constantFrom<number[]>([], [], [0, 3, 0, 1, 65], [0, 3, 0, 0, 0, 12, 0, 2, 0, 0], [0, 3, 0, 9], [1]),
  })
  .map(({ extended, owner, rdata }) => ({
    owner,
    type: OPT,
    class: 1232,
    ttl: extended * 2 ** 24 + 0x8000,
    rdata: [rdata],
  }))

const usualFlags = fc.tuple(
  fc.constantFrom(0, 0x0400, 0x0030),
  fc.constantFrom(0, 0, 0, 0, 3, 3, 2, 4, 5, 15),
  fc.boolean(),
)

/** Mostly well-formed. */
export const anyReply: fc.Arbitrary<Reply> = fc.record({
  flags: fc.oneof(
    {
      weight: 15,
      arbitrary: usualFlags.map(([bits, rcode, tc]) => 0x8180 | bits | rcode | (tc && rcode === 3 ? 0x200 : 0)),
    },
    { weight: 1, arbitrary: fc.integer({ min: 0, max: 65535 }) },
  ),
  question: fc.record({
    name: anyName,
    type: fc.oneof(
      { weight: 4, arbitrary: fc.constantFrom(A, NS, CNAME) },
      { weight: 1, arbitrary: fc.constantFrom(ANY, RRSIG, TXT, 251, 252) },
    ),
    class: fc.constant(1),
  }),
  sections: fc.tuple(
    fc.oneof(
      { weight: 1, arbitrary: fc.constant([]) },
      { weight: 2, arbitrary: fc.array(anyRecord, { maxLength: 6 }) },
    ),
    fc.array(anyRecord, { maxLength: 3 }),
    fc
      .tuple(fc.array(anyRecord, { maxLength: 2 }), fc.array(anyOpt, { maxLength: 2 }), fc.boolean())
      .map(([records, opts, both]) => [...opts.slice(0, both ? 2 : 1), ...records]),
  ),
  garbage: fc.oneof({ weight: 5, arbitrary: fc.constant([]) }, { weight: 1, arbitrary: anyOctets }),
  compress: fc.constantFrom(0, 50, 95, 100),
  lots: fc.array(fc.integer({ min: 0, max: 99 }), { minLength: 8, maxLength: 8 }),
})
