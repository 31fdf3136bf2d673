// Queries put together octet by octet, and generators of them: the whole of what a client may send, and some more.
// Not here: reading them (oracle.ts), mutating them (question.test.ts).

import fc from 'fast-check'

export const TYPE_OPT = 41
const TYPE_TSIG = 250

/** A name as it is written: labels, and how it ends. */
export interface WireName {
  readonly labels: readonly Uint8Array[]
  /** Offset that a pointer at its end leads to; -1: the name ends with the root octet. */
  readonly pointer: number
}

export interface WireRecord {
  readonly owner: WireName
  readonly type: number
  readonly class: number
  /** 0..2^32-1. */
  readonly ttl: number
  readonly rdata: Uint8Array
}

export interface WireQuery {
  readonly id: number
  /** All 16 bits. */
  readonly flags: number
  readonly qname: readonly Uint8Array[]
  readonly qtype: number
  readonly qclass: number
  /** Answer, authority, additional. */
  readonly sections: readonly (readonly WireRecord[])[]
  /** Octets behind the last record. */
  readonly garbage: Uint8Array
}

export const ROOT: WireName = { labels: [], pointer: -1 }

/** Labels of a name in text without escapes. */
export function labels(text: string): Uint8Array[] {
  return text === '' ? [] : text.split('.').map((label) => Buffer.from(label, 'latin1'))
}

/** Big-endian 16-bit words. */
export function words(...values: number[]): Uint8Array {
  return Uint8Array.from(values.flatMap((value) => [(value >>> 8) & 0xff, value & 0xff]))
}

export function encodeName({ labels, pointer }: WireName): Uint8Array {
  const end = pointer < 0 ? Uint8Array.of(0) : words(0xc000 | pointer)
  return Buffer.concat([...labels.flatMap((label) => [Uint8Array.of(label.length), label]), end])
}

export function encodeRecord(record: WireRecord): Uint8Array {
  const fixed = words(record.type, record.class, record.ttl >>> 16, record.ttl, record.rdata.length)
  return Buffer.concat([encodeName(record.owner), fixed, record.rdata])
}

export function encodeQuery(query: WireQuery): Uint8Array {
  const counts = query.sections.map((section) => section.length)
  return Buffer.concat([
    words(query.id, query.flags, 1, ...counts),
    encodeName({ labels: query.qname, pointer: -1 }),
    words(query.qtype, query.qclass),
    ...query.sections.flat().map(encodeRecord),
    query.garbage,
  ])
}

/** An OPT record (RFC 6891 §6.1). */
export function optRecord(udpSize: number, version: number, flags: number, rdata: Uint8Array): WireRecord {
  return { owner: ROOT, type: TYPE_OPT, class: udpSize, ttl: ((version << 16) | flags) >>> 0, rdata }
}

/** Octets of a label; mostly letters of both cases, so that folding has work. */
function anyLabel(minLength: number, maxLength: number): fc.Arbitrary<Uint8Array> {
  const octet = fc.oneof(
    { weight: 4, arbitrary: fc.constantFrom(...Buffer.from('abcxyzABCXYZ019-_@[`{')) },
    { weight: 1, arbitrary: fc.integer({ min: 0, max: 255 }) },
  )
  return fc.array(octet, { minLength, maxLength }).map((octets) => Uint8Array.from(octets))
}

/** Names of 1 to 255 octets on the wire: short ones, 127 labels, four long labels, exactly 255 octets. */
export const anyName: fc.Arbitrary<Uint8Array[]> = fc
  .oneof(
    { weight: 8, arbitrary: fc.array(anyLabel(1, 12), { maxLength: 8 }) },
    { weight: 1, arbitrary: fc.array(anyLabel(1, 2), { minLength: 60, maxLength: 127 }) },
    { weight: 1, arbitrary: fc.array(anyLabel(50, 63), { minLength: 3, maxLength: 4 }) },
    {
      weight: 1,
      arbitrary: fc
        .tuple(anyLabel(63, 63), anyLabel(63, 63), anyLabel(63, 63), anyLabel(61, 61))
        .map((four) => [...four]),
    },
  )
  .filter((name) => name.reduce((sum, label) => sum + label.length + 1, 1) <= 255)

const anyOptions: fc.Arbitrary<Uint8Array> = fc
  .array(fc.tuple(fc.integer({ min: 0, max: 65535 }), fc.uint8Array({ maxLength: 20 })), { maxLength: 3 })
  .map((options) => Buffer.concat(options.flatMap(([code, data]) => [words(code, data.length), data])))

const anyOpt: fc.Arbitrary<WireRecord> = fc
  .record({
    udpSize: fc.integer({ min: 0, max: 65535 }),
    version: fc.oneof(
      { weight: 5, arbitrary: fc.constant(0) },
      { weight: 1, arbitrary: fc.integer({ min: 1, max: 255 }) },
    ),
    flags: fc.constantFrom(0, 0x8000, 0x7fff, 0xffff),
    rdata: fc.oneof({ weight: 6, arbitrary: anyOptions }, { weight: 1, arbitrary: fc.uint8Array({ maxLength: 9 }) }),
    owner: fc.oneof(
      { weight: 9, arbitrary: fc.constant(ROOT) },
      { weight: 1, arbitrary: fc.constant({ labels: labels('x'), pointer: -1 }) },
    ),
  })
  .map(({ udpSize, version, flags, rdata, owner }) => ({ ...optRecord(udpSize, version, flags, rdata), owner }))

const anyRecord: fc.Arbitrary<WireRecord> = fc.record({
  owner: fc.record({
    labels: fc.array(anyLabel(1, 5), { maxLength: 3 }),
    // Into the question mostly (12 is QNAME), or anywhere.
    pointer: fc.oneof(
      fc.constant(-1),
      fc.constant(12),
      fc.integer({ min: 0, max: 60 }),
      fc.integer({ min: 0, max: 0x3fff }),
    ),
  }),
  type: fc.oneof(fc.constantFrom(1, 28, 6, TYPE_TSIG), fc.integer({ min: 0, max: 65535 })),
  class: fc.integer({ min: 0, max: 65535 }),
  ttl: fc.integer({ min: 0, max: 0xffffffff }),
  rdata: fc.uint8Array({ maxLength: 40 }),
})

/** Mostly one record; the counts that are refused also occur. */
function anySection(record: fc.Arbitrary<WireRecord>, usual: number): fc.Arbitrary<readonly WireRecord[]> {
  return fc.oneof(
    { weight: 6, arbitrary: fc.constant([]) },
    { weight: 3, arbitrary: fc.array(record, { minLength: 1, maxLength: usual }) },
    { weight: 1, arbitrary: fc.array(record, { minLength: usual, maxLength: usual + 1 }) },
  )
}

const anyAdditional = fc.oneof(
  { weight: 3, arbitrary: fc.constant([]) },
  { weight: 4, arbitrary: anyOpt.map((opt) => [opt]) },
  { weight: 2, arbitrary: fc.tuple(anyOpt, anyRecord).map(([opt, tsig]) => [opt, tsig]) },
  { weight: 2, arbitrary: fc.tuple(anyRecord, anyOpt).map(([other, opt]) => [other, opt]) },
  { weight: 1, arbitrary: fc.array(fc.oneof(anyOpt, anyRecord), { minLength: 1, maxLength: 3 }) },
)

/** Flags of a query: usually just RD; else other opcodes, QR, and the bits that mean nothing in a query. */
const anyFlags = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom(0x0100, 0, 0x0110, 0x07bf) },
  { weight: 1, arbitrary: fc.integer({ min: 0, max: 65535 }) },
)

export const anyQuery: fc.Arbitrary<WireQuery> = fc.record({
  id: fc.integer({ min: 0, max: 65535 }),
  flags: anyFlags,
  qname: anyName,
  qtype: fc.oneof(fc.constantFrom(1, 28, 33, 255), fc.integer({ min: 0, max: 65535 })),
  qclass: fc.oneof(
    { weight: 9, arbitrary: fc.constant(1) },
    { weight: 1, arbitrary: fc.integer({ min: 0, max: 65535 }) },
  ),
  sections: fc.tuple(anySection(anyRecord, 1), anySection(anyRecord, 1), anyAdditional),
  garbage: fc.oneof(
    { weight: 4, arbitrary: fc.constant(new Uint8Array()) },
    { weight: 1, arbitrary: fc.uint8Array({ maxLength: 30 }) },
  ),
})
