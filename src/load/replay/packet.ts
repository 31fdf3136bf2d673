// One packet of a capture, while its headers are read from the outside to the inside. Knows no file format and no protocol.

/** Says when a packet was seen, of the two words of its time: nanoseconds since 1970, which may be any integer. */
export type Clock = (high: number, low: number) => bigint

/** One object is used again and again: what it says holds until the next packet is read. */
export class Packet {
  /** Memory that the packet lies in, among others; valid as long as the packet. Numbers of protocols are big-endian, which is its default. */
  view: DataView = new DataView(new ArrayBuffer(0))
  /** First octet that no header has taken yet, counted from the start of `view`. */
  start = 0
  /** First octet behind what is captured, and behind what the headers read so far say. */
  end = 0
  /** Whether there were more octets than were captured, as far as the headers read so far say. */
  isCut = false
  /** Of tcpdump.org's list. */
  linkType = 0
  /** null: the packet has no time. */
  clock: Clock | null = null
  high = 0
  low = 0

  /** Octets that no header has taken yet. */
  get length(): number {
    return this.end - this.start
  }

  /**
   * Takes the length that a header gives for what begins at `start`.
   * What is behind it is padding; what is missing must have been cut off.
   * @returns whether that can be
   */
  limit(length: number): boolean {
    if (length > this.length) return this.isCut
    this.end = this.start + length
    this.isCut = false
    return true
  }
}
