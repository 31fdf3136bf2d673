// Captures written for tests, by other means than those that read them: Buffers put one behind another, headers as the RFCs draw them.

import { QUERY_LENGTH_MIN } from '../../../src/load/query-table.ts'

/** A packet as a file holds it. */
export interface CapturedPacket {
  /** Nanoseconds since 1970; null = none (a simple packet block). */
  readonly timeNs: bigint | null
  readonly octets: Buffer
  /** More than octets.length if it was cut. */
  readonly originalLength?: number
}

/** Integers in the byte order of a file. */
export function integers(isLittle: boolean): Record<'u16' | 'u32', (...values: number[]) => Buffer> {
  const written = (length: number, value: number): Buffer => {
    const buffer = Buffer.alloc(length)
    if (isLittle) buffer.writeUIntLE(value, 0, length)
    else buffer.writeUIntBE(value, 0, length)
    return buffer
  }
  return {
    u16: (...values) => Buffer.concat(values.map((value) => written(2, value))),
    u32: (...values) => Buffer.concat(values.map((value) => written(4, value))),
  }
}

const { u16, u32 } = integers(false)

/** When packets were seen for which any time will do, in nanoseconds since 1970. */
export const TIME = 1_700_000_000_000_000_000n

/** A message as dig would ask. */
export function dnsQuery(qname: string, qtype = 1, flags = 0x0100, questions = 1, id = 0x1234): Buffer {
  const labels = qname.split('.').filter((label) => label !== '')
  const name = labels.map((label) => Buffer.concat([Buffer.of(label.length), Buffer.from(label, 'latin1')]))
  return Buffer.concat([u16(id, flags, questions, 0, 0, 0), ...name, Buffer.of(0), u16(qtype, 1)])
}

/** A query padded to so many octets. */
export function dnsQueryOf(length: number): Buffer {
  return Buffer.concat([dnsQuery('.'), Buffer.alloc(length - QUERY_LENGTH_MIN)])
}

export function udp(payload: Buffer, { from = 40_000, to = 53, length = 8 + payload.length } = {}): Buffer {
  return Buffer.concat([u16(from, to, length, 0), payload])
}

export function ipv4(payload: Buffer, { protocol = 17, options = 0, fragment = 0x4000, length = -1 } = {}): Buffer {
  const headerLength = 20 + options * 4
  return Buffer.concat([
    Buffer.of(0x40 | (headerLength / 4), 0),
    u16(length < 0 ? headerLength + payload.length : length, 1, fragment),
    Buffer.of(64, protocol, 0, 0),
    Buffer.from([127, 0, 0, 1, 127, 0, 0, 2]),
    Buffer.alloc(options * 4, 1),
    payload,
  ])
}

export function ipv6(payload: Buffer, { next = 17, length = payload.length } = {}): Buffer {
  return Buffer.concat([u32(0x60000000), u16(length), Buffer.of(next, 64), Buffer.alloc(32, 0xfd), payload])
}

/** A packet of raw IP that is a query. */
export function queryPacket(qname = 'web.shop.svc.cluster.local.'): Buffer {
  return ipv4(udp(dnsQuery(qname)))
}

/** An extension header of 8 * (1 + more) octets. */
export function extension(next: number, payload: Buffer, more = 0): Buffer {
  return Buffer.concat([Buffer.of(next, more), Buffer.alloc(6 + 8 * more), payload])
}

/** Its second octet is to be ignored, RFC 8200 §4.5. */
export function fragment6(next: number, payload: Buffer, offsetAndMore: number): Buffer {
  return Buffer.concat([Buffer.of(next, 0xff), u16(offsetAndMore), u32(7), payload])
}

/** Of 4 * (2 + field) octets, RFC 4302. */
export function authentication(next: number, payload: Buffer, field = 4): Buffer {
  return Buffer.concat([Buffer.of(next, field), Buffer.alloc(4 * (2 + field) - 2), payload])
}

const ETHERTYPES = { 4: 0x0800, 6: 0x86dd }
const MACS = Buffer.from('020000000001020000000002', 'hex')

export function ethernet(payload: Buffer, etherType: number, tags: readonly number[] = []): Buffer {
  return Buffer.concat([MACS, ...tags.map((tag) => u16(tag, 0x2005)), u16(etherType), payload])
}

/** Each link that is read: LINKTYPE number, and how IP of a version is put in it. */
export const LINKS: readonly { name: string; type: number; wrap(ip: Buffer, version: 4 | 6): Buffer }[] = [
  { name: 'Ethernet', type: 1, wrap: (ip, version) => ethernet(ip, ETHERTYPES[version]) },
  { name: 'Ethernet, 802.1Q', type: 1, wrap: (ip, version) => ethernet(ip, ETHERTYPES[version], [0x8100]) },
  { name: 'Ethernet, 802.1ad', type: 1, wrap: (ip, version) => ethernet(ip, ETHERTYPES[version], [0x88a8, 0x8100]) },
  { name: 'Ethernet, old QinQ', type: 1, wrap: (ip, version) => ethernet(ip, ETHERTYPES[version], [0x9100, 0x8100]) },
  {
    name: 'Ethernet, padded',
    type: 1,
    wrap: (ip, version) => Buffer.concat([ethernet(ip, ETHERTYPES[version]), Buffer.alloc(10, 0xee)]),
  },
  { name: 'SLL', type: 113, wrap: (ip, version) => Buffer.concat([sllHead, u16(ETHERTYPES[version]), ip]) },
  {
    name: 'SLL, 802.1Q',
    type: 113,
    wrap: (ip, version) => Buffer.concat([sllHead, u16(0x8100, 5, ETHERTYPES[version]), ip]),
  },
  { name: 'SLL2', type: 276, wrap: (ip, version) => Buffer.concat([u16(ETHERTYPES[version], 0), sll2Tail, ip]) },
  { name: 'raw IP', type: 101, wrap: (ip) => ip },
  { name: 'raw IP, by version', type: 228, wrap: (ip) => ip },
  { name: 'raw IP, by version', type: 229, wrap: (ip) => ip },
  ...[24, 28, 30].flatMap((family6) => [
    { name: `NULL of a little-endian machine, ${family6}`, type: 0, wrap: wrapFamily(true, family6) },
    { name: `NULL of a big-endian machine, ${family6}`, type: 0, wrap: wrapFamily(false, family6) },
    { name: `LOOP, ${family6}`, type: 108, wrap: wrapFamily(false, family6) },
  ]),
]

const sllHead = Buffer.concat([u16(0, 1, 6), Buffer.alloc(8)])
const sll2Tail = Buffer.concat([u32(1), u16(1), Buffer.of(0, 6), Buffer.alloc(8)])

function wrapFamily(isLittle: boolean, family6: number): (ip: Buffer, version: 4 | 6) => Buffer {
  return (ip, version) => Buffer.concat([integers(isLittle).u32(version === 4 ? 2 : family6), ip])
}

export interface PcapOptions {
  readonly isLittle?: boolean
  readonly isNanos?: boolean
  readonly linkType?: number
  readonly version?: readonly [number, number]
}

/** draft-ietf-opsawg-pcap. */
export function pcap(packets: readonly CapturedPacket[], options: PcapOptions = {}): Buffer {
  const { isLittle = true, isNanos = false, linkType = 101, version = [2, 4] } = options
  const { u16, u32 } = integers(isLittle)
  const unit = isNanos ? 1n : 1000n
  const records = packets.map(({ timeNs, octets, originalLength = octets.length }) => {
    const time = timeNs ?? 0n
    const fraction = (time % 1_000_000_000n) / unit
    return Buffer.concat([u32(Number(time / 1_000_000_000n), Number(fraction), octets.length, originalLength), octets])
  })
  const header = [u32(isNanos ? 0xa1b23c4d : 0xa1b2c3d4), u16(...version), u32(0, 0, 262_144, linkType)]
  return Buffer.concat([...header, ...records])
}

/** Blocks of pcapng in one byte order. */
export class PcapngWriter {
  readonly #blocks: Buffer[] = []
  #isLittle = true

  section(isLittle: boolean, major = 1): this {
    this.#isLittle = isLittle
    const { u16, u32 } = integers(isLittle)
    return this.block(0x0a0d0d0a, Buffer.concat([u32(0x1a2b3c4d), u16(major, 0), Buffer.alloc(8, 0xff)]))
  }

  /** @param options  code and value of each */
  interface(linkType: number, options: readonly (readonly [number, Buffer])[] = [], snapLength = 0): this {
    const { u16, u32 } = integers(this.#isLittle)
    const written = options.map(([code, value]) =>
      Buffer.concat([u16(code, value.length), value, padding(value.length)]),
    )
    return this.block(1, Buffer.concat([u16(linkType, 0), u32(snapLength), ...written]))
  }

  /** An option of 8 octets in the section's byte order. */
  wide(value: bigint): Buffer {
    const buffer = Buffer.alloc(8)
    if (this.#isLittle) buffer.writeBigInt64LE(value)
    else buffer.writeBigInt64BE(value)
    return buffer
  }

  /**
   * @param units    of the interface
   * @param options  as written
   */
  enhanced(
    index: number,
    units: bigint,
    octets: Buffer,
    originalLength = octets.length,
    options = Buffer.alloc(0),
  ): this {
    const { u32 } = integers(this.#isLittle)
    return this.block(6, Buffer.concat([u32(index), this.#packet(units, octets, originalLength), options]))
  }

  obsolete(index: number, units: bigint, octets: Buffer, originalLength = octets.length): this {
    const { u16 } = integers(this.#isLittle)
    return this.block(2, Buffer.concat([u16(index, 0xffff), this.#packet(units, octets, originalLength)]))
  }

  simple(octets: Buffer, originalLength = octets.length): this {
    const { u32 } = integers(this.#isLittle)
    return this.block(3, Buffer.concat([u32(originalLength), octets, padding(octets.length)]))
  }

  block(type: number, body: Buffer): this {
    const { u32 } = integers(this.#isLittle)
    const length = u32(12 + body.length)
    this.#blocks.push(Buffer.concat([u32(type), length, body, length]))
    return this
  }

  octets(): Buffer {
    return Buffer.concat(this.#blocks)
  }

  #packet(units: bigint, octets: Buffer, originalLength: number): Buffer {
    const { u32 } = integers(this.#isLittle)
    const time = u32(Number(units >> 32n), Number(units & 0xffffffffn))
    return Buffer.concat([time, u32(octets.length, originalLength), octets, padding(octets.length)])
  }
}

function padding(length: number): Buffer {
  return Buffer.alloc((4 - (length % 4)) % 4)
}
