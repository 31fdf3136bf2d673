// What the formats of captures have in common: a file is a row of records, each with its length in front, some of them packets.

import type { Packet } from './packet.ts'

/** Octets of the longest record that is read, 16 MiB: longer ones are no packets but damage. tcpdump takes packets of up to 256 KiB. */
export const RECORD_LENGTH_MAX = 1 << 24

/** A record that cannot be. The message is a noun with what is wrong with it. */
export class CaptureDamage extends Error {
  readonly code = 'CAPTURE_DAMAGE'
}

/** Is given a packet, which is valid until it returns. */
export type PacketTaker = (packet: Packet) => void

export interface RecordFormat {
  readonly name: 'pcap' | 'pcapng'
  /**
   * Reads the record at `at`; hands it to `take` if it is a packet.
   *
   * @param end  first octet behind those that have come so far
   * @returns its length in octets, more than are there if the rest of it may be passed over; 0 if more octets must come first
   * @throws CaptureDamage if it cannot be a record
   */
  read(view: DataView, at: number, end: number, take: PacketTaker): number
}
