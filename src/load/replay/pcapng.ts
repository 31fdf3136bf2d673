// The blocks of a pcapng file. A file is one section or several, each in a byte order of its own; a section describes its
// interfaces and then gives their packets. Blocks that hold neither are passed over.
// draft-ietf-opsawg-pcapng §3 (blocks, options), §4 (the kinds of blocks), appendix A (the obsolete packet block).

import { type Clock, Packet } from './packet.ts'
import { CaptureDamage, type PacketTaker, RECORD_LENGTH_MAX, type RecordFormat } from './record-format.ts'

// Every block, §3.1; the length counts all of it, stands at both ends, and is a multiple of 4:
//     +-------------------------------+-------------------------------+
//  +0 |             type              |            length             |
//     +-------------------------------+---------------+---------------+
//  +8 |  body …                       |            length             |
//     +-------------------------------+-------------------------------+
const LENGTH = 4
const BODY = 8
const TRAILER_LENGTH = 4
const BLOCK_LENGTH_MIN = BODY + TRAILER_LENGTH

// Kinds of blocks, and the least octets of each.
const SECTION = 0x0a0d0d0a // reads the same in both byte orders
const INTERFACE = 1
const OBSOLETE_PACKET = 2
const SIMPLE_PACKET = 3
const ENHANCED_PACKET = 6
const LENGTH_MIN: Readonly<Record<number, number>> = {
  [SECTION]: 28,
  [INTERFACE]: 20,
  [OBSOLETE_PACKET]: 32,
  [SIMPLE_PACKET]: 16,
  [ENHANCED_PACKET]: 32,
}

// Section header, §4.1.
const BYTE_ORDER = 8
const BYTE_ORDER_MAGIC = 0x1a2b3c4d
const MAJOR_VERSION = 12

// Interface description, §4.2.
const LINK_TYPE = 8
const SNAP_LENGTH = 12
const INTERFACE_OPTIONS = 16
const INTERFACES_MAX = 65_536

// Options, §3.5: code and length of two octets each, the value, padding to a multiple of 4.
const OPTION_HEADER_LENGTH = 4
const END_OF_OPTIONS = 0
const TIME_RESOLUTION = 9
const TIME_OFFSET = 14

// Enhanced packet, §4.3. The obsolete one, appendix A, has 16 bits for the interface and 16 for a count of drops instead.
const PACKET_INTERFACE = 8
const TIME_HIGH = 12
const TIME_LOW = 16
const CAPTURED_LENGTH = 20
const ORIGINAL_LENGTH = 24
const PACKET_DATA = 28

// Simple packet, §4.4: of the first interface, without a time.
const SIMPLE_ORIGINAL_LENGTH = 8
const SIMPLE_DATA = 12

const NANOS_PER_SECOND = 1_000_000_000n

interface CaptureInterface {
  readonly linkType: number
  /** 0 = none. */
  readonly snapLength: number
  readonly clock: Clock
}

export class PcapngRecords implements RecordFormat {
  readonly name = 'pcapng'
  #isLittleEndian = false
  #interfaces: CaptureInterface[] = []
  readonly #packet = new Packet()

  /** Whether the four octets at `at` begin such a file. */
  static begins(view: DataView, at: number): boolean {
    return view.getUint32(at) === SECTION
  }

  read(view: DataView, at: number, end: number, take: PacketTaker): number {
    if (end - at < BLOCK_LENGTH_MIN) return 0
    const type = view.getUint32(at, this.#isLittleEndian)
    // The length of a section header is in the byte order that it announces.
    if (type === SECTION) this.#isLittleEndian = isLittleEndian(view, at)
    const length = view.getUint32(at + LENGTH, this.#isLittleEndian)
    const lengthMin = LENGTH_MIN[type]
    if (length < (lengthMin ?? BLOCK_LENGTH_MIN) || length % 4 !== 0) {
      throw new CaptureDamage(`a block of ${length} octets`)
    }
    if (lengthMin === undefined) return length
    if (length > RECORD_LENGTH_MAX) throw new CaptureDamage(`a block of ${length} octets`)
    if (end - at < length) return 0
    const repeated = view.getUint32(at + length - TRAILER_LENGTH, this.#isLittleEndian)
    if (repeated !== length) throw new CaptureDamage(`a block of ${length} octets that ends as one of ${repeated}`)
    this.#readBlock(type, view, at, length, take)
    return length
  }

  #readBlock(type: number, view: DataView, at: number, length: number, take: PacketTaker): void {
    if (type === SECTION) this.#startSection(view, at)
    else if (type === INTERFACE) this.#describe(view, at, length)
    else if (type === SIMPLE_PACKET) this.#readSimplePacket(view, at, length, take)
    else {
      const isEnhanced = type === ENHANCED_PACKET
      const index = isEnhanced
        ? view.getUint32(at + PACKET_INTERFACE, this.#isLittleEndian)
        : view.getUint16(at + PACKET_INTERFACE, this.#isLittleEndian)
      this.#readPacket(index, view, at, length, take)
    }
  }

  #startSection(view: DataView, at: number): void {
    const major = view.getUint16(at + MAJOR_VERSION, this.#isLittleEndian)
    if (major !== 1) throw new CaptureDamage(`version ${major} of pcapng, not 1`)
    this.#interfaces = []
  }

  #describe(view: DataView, at: number, length: number): void {
    if (this.#interfaces.length === INTERFACES_MAX) throw new CaptureDamage(`more than ${INTERFACES_MAX} interfaces`)
    this.#interfaces.push({
      linkType: view.getUint16(at + LINK_TYPE, this.#isLittleEndian),
      snapLength: view.getUint32(at + SNAP_LENGTH, this.#isLittleEndian),
      clock: this.#clockOf(view, at + INTERFACE_OPTIONS, at + length - TRAILER_LENGTH),
    })
  }

  /** The unit of times is 10^-6 s unless the options say otherwise; they may add seconds to all of them. */
  #clockOf(view: DataView, at: number, end: number): Clock {
    let unitsPerSecond = 1_000_000n
    let offset = 0n
    while (end - at >= OPTION_HEADER_LENGTH) {
      const code = view.getUint16(at, this.#isLittleEndian)
      const length = view.getUint16(at + 2, this.#isLittleEndian)
      at += OPTION_HEADER_LENGTH
      if (code === END_OF_OPTIONS) break
      if (length > end - at) throw new CaptureDamage(`an option of ${length} octets`)
      if (code === TIME_RESOLUTION && length === 1) unitsPerSecond = unitsPerSecondOf(view.getUint8(at))
      if (code === TIME_OFFSET && length === 8) offset = view.getBigInt64(at, this.#isLittleEndian) * NANOS_PER_SECOND
      at += length + (-length & 3)
    }
    return (high, low) => (((BigInt(high) << 32n) | BigInt(low)) * NANOS_PER_SECOND) / unitsPerSecond + offset
  }

  #readPacket(index: number, view: DataView, at: number, length: number, take: PacketTaker): void {
    const from = this.#interfaceAt(index)
    const captured = view.getUint32(at + CAPTURED_LENGTH, this.#isLittleEndian)
    const original = view.getUint32(at + ORIGINAL_LENGTH, this.#isLittleEndian)
    this.#locate(view, at + PACKET_DATA, captured, original, at + length - TRAILER_LENGTH)
    this.#packet.linkType = from.linkType
    this.#packet.clock = from.clock
    this.#packet.high = view.getUint32(at + TIME_HIGH, this.#isLittleEndian)
    this.#packet.low = view.getUint32(at + TIME_LOW, this.#isLittleEndian)
    take(this.#packet)
  }

  #readSimplePacket(view: DataView, at: number, length: number, take: PacketTaker): void {
    const { linkType, snapLength } = this.#interfaceAt(0)
    const original = view.getUint32(at + SIMPLE_ORIGINAL_LENGTH, this.#isLittleEndian)
    const captured = snapLength === 0 ? original : Math.min(original, snapLength)
    this.#locate(view, at + SIMPLE_DATA, captured, original, at + length - TRAILER_LENGTH)
    this.#packet.linkType = linkType
    this.#packet.clock = null
    take(this.#packet)
  }

  #locate(view: DataView, start: number, captured: number, original: number, end: number): void {
    if (captured > end - start) throw new CaptureDamage(`a packet of ${captured} octets in ${end - start}`)
    this.#packet.view = view
    this.#packet.start = start
    this.#packet.end = start + captured
    this.#packet.isCut = original > captured
  }

  #interfaceAt(index: number): CaptureInterface {
    if (index >= this.#interfaces.length)
      throw new CaptureDamage(`a packet of interface ${index}, which is not described`)
    return this.#interfaces[index]
  }
}

function isLittleEndian(view: DataView, at: number): boolean {
  if (view.getUint32(at + BYTE_ORDER, true) === BYTE_ORDER_MAGIC) return true
  if (view.getUint32(at + BYTE_ORDER) === BYTE_ORDER_MAGIC) return false
  throw new CaptureDamage('a section of no byte order')
}

/** A negative power of 2 if the highest bit is set, otherwise of 10: §4.2, if_tsresol. */
function unitsPerSecondOf(resolution: number): bigint {
  return resolution >= 128 ? 1n << BigInt(resolution - 128) : 10n ** BigInt(resolution)
}
