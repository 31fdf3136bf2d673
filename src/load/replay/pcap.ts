// The records of a pcap file: one header, then packets with a header each, in the byte order of the machine that wrote them.
// draft-ietf-opsawg-pcap §4 (file header), §5 (packet record).

import { type Clock, Packet } from './packet.ts'
import { CaptureDamage, type PacketTaker, RECORD_LENGTH_MAX, type RecordFormat } from './record-format.ts'

//      0                               4
//     +-------------------------------+---------------+---------------+
//  +0 |             magic             | major version | minor version |  magic: byte order, and the unit of fractions
//     +-------------------------------+---------------+---------------+
//  +8 |           reserved            |           reserved            |  once the time zone and the accuracy
//     +-------------------------------+-------------------------------+
// +16 |          snap length          | FCS bits      |   link type   |  the upper half says whether frames end with an FCS
//     +-------------------------------+-------------------------------+
const MAGIC_MICROS = 0xa1b2c3d4
const MAGIC_NANOS = 0xa1b23c4d
const VERSION = 4
const LINK = 20
const FILE_HEADER_LENGTH = 24

//     +-------------------------------+-------------------------------+
//  +0 |            seconds            |           fraction            |  since 1970, unsigned; micro- or nanoseconds
//     +-------------------------------+-------------------------------+
//  +8 |        captured length        |        original length        |
//     +-------------------------------+-------------------------------+
const SECONDS = 0
const FRACTION = 4
const CAPTURED_LENGTH = 8
const ORIGINAL_LENGTH = 12
const PACKET_HEADER_LENGTH = 16

const NANOS_PER_SECOND = 1_000_000_000n
const micros: Clock = (seconds, fraction) => BigInt(seconds) * NANOS_PER_SECOND + BigInt(fraction) * 1000n
const nanos: Clock = (seconds, fraction) => BigInt(seconds) * NANOS_PER_SECOND + BigInt(fraction)

export class PcapRecords implements RecordFormat {
  readonly name = 'pcap'
  #isLittleEndian = false
  #hasHeader = false
  #linkType = 0
  #clock = micros
  readonly #packet = new Packet()

  /** Whether the four octets at `at` begin such a file. */
  static begins(view: DataView, at: number): boolean {
    return [true, false].some((isLittleEndian) => {
      const magic = view.getUint32(at, isLittleEndian)
      return magic === MAGIC_MICROS || magic === MAGIC_NANOS
    })
  }

  read(view: DataView, at: number, end: number, take: PacketTaker): number {
    return this.#hasHeader ? this.#readPacket(view, at, end, take) : this.#readFileHeader(view, at, end)
  }

  #readFileHeader(view: DataView, at: number, end: number): number {
    if (end - at < FILE_HEADER_LENGTH) return 0
    const first = view.getUint32(at, true)
    this.#isLittleEndian = first === MAGIC_MICROS || first === MAGIC_NANOS
    this.#clock = view.getUint32(at, this.#isLittleEndian) === MAGIC_NANOS ? nanos : micros
    const major = view.getUint16(at + VERSION, this.#isLittleEndian)
    const minor = view.getUint16(at + VERSION + 2, this.#isLittleEndian)
    if (major !== 2 || minor !== 4) throw new CaptureDamage(`version ${major}.${minor} of pcap, not 2.4`)
    this.#linkType = view.getUint32(at + LINK, this.#isLittleEndian) & 0xffff
    this.#hasHeader = true
    return FILE_HEADER_LENGTH
  }

  #readPacket(view: DataView, at: number, end: number, take: PacketTaker): number {
    if (end - at < PACKET_HEADER_LENGTH) return 0
    const captured = view.getUint32(at + CAPTURED_LENGTH, this.#isLittleEndian)
    const length = PACKET_HEADER_LENGTH + captured
    if (length > RECORD_LENGTH_MAX) throw new CaptureDamage(`a packet of ${captured} octets`)
    if (end - at < length) return 0
    const packet = this.#packet
    packet.view = view
    packet.start = at + PACKET_HEADER_LENGTH
    packet.end = at + length
    packet.isCut = view.getUint32(at + ORIGINAL_LENGTH, this.#isLittleEndian) > captured
    packet.linkType = this.#linkType
    packet.clock = this.#clock
    packet.high = view.getUint32(at + SECONDS, this.#isLittleEndian)
    packet.low = view.getUint32(at + FRACTION, this.#isLittleEndian)
    take(packet)
    return length
  }
}
