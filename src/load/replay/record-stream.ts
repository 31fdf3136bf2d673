// Octets as they come from a file, cut into the records of its format. Memory is taken for one record and one piece of the
// file, whatever the size of the file.

import type { Packet } from './packet.ts'
import { PcapRecords } from './pcap.ts'
import { PcapngRecords } from './pcapng.ts'
import { CaptureDamage, type PacketTaker, type RecordFormat } from './record-format.ts'
import { inThousands } from './skipped.ts'

const CAPACITY_START = 1 << 17
/** Octets that tell the formats apart. */
const MAGIC_LENGTH = 4

/** Reads records out of pieces of any length. */
export class RecordStream {
  #view = new DataView(new ArrayBuffer(CAPACITY_START))
  #octets = new Uint8Array(this.#view.buffer)
  /** The octets that are not read yet: from..to. */
  #from = 0
  #to = 0
  /** Where `#from` is in the file. */
  #position = 0
  /** Octets still to come that nobody wants. */
  #toSkip = 0
  #format: RecordFormat | null = null
  #isOver = false
  #damage = ''
  readonly #take: PacketTaker

  /** @param take  is given each packet, and says whether it wants more */
  constructor(take: (packet: Packet) => boolean) {
    this.#take = (packet) => {
      this.#isOver = !take(packet)
    }
  }

  /** null before it is known, and of a file that is no capture. */
  get format(): 'pcap' | 'pcapng' | null {
    return this.#format?.name ?? null
  }

  /** What ended it before its time, part of a sentence; '' unless something did. Complete after end(). */
  get damage(): string {
    return this.#damage
  }

  /**
   * Takes the next octets of the file, and copies those that it needs longer.
   * @returns whether more are wanted: not after damage, nor when the taker has enough
   */
  push(piece: Uint8Array): boolean {
    const skipped = Math.min(this.#toSkip, piece.length)
    this.#toSkip -= skipped
    this.#position += skipped
    if (this.#isOver || skipped === piece.length) return !this.#isOver
    this.#append(piece.subarray(skipped))
    try {
      this.#readRecords()
    } catch (error) {
      if (!(error instanceof CaptureDamage)) throw error
      this.#isOver = true
      this.#damage = `the capture is damaged at octet ${inThousands(this.#position)} (${error.message})`
    }
    return !this.#isOver
  }

  /** There are no more octets. */
  end(): void {
    if (this.#isOver || (this.#toSkip === 0 && this.#from === this.#to)) return
    const position = this.#position + this.#to - this.#from
    this.#damage = `the capture ends in the middle of a record, at octet ${inThousands(position)}`
  }

  #readRecords(): void {
    if (this.#format === null) {
      if (this.#to - this.#from < MAGIC_LENGTH) return
      this.#format = formatOf(this.#view, this.#from)
      this.#isOver = this.#format === null
    }
    while (!this.#isOver && this.#format !== null) {
      const length = this.#format.read(this.#view, this.#from, this.#to, this.#take)
      if (length === 0) return
      this.#toSkip = Math.max(0, length - (this.#to - this.#from))
      this.#from += length - this.#toSkip
      this.#position += length - this.#toSkip
    }
  }

  #append(piece: Uint8Array): void {
    const kept = this.#to - this.#from
    if (this.#to + piece.length > this.#octets.length) {
      const target = kept + piece.length > this.#octets.length ? this.#larger(kept + piece.length) : this.#octets
      target.set(this.#octets.subarray(this.#from, this.#to))
      this.#octets = target
      this.#view = new DataView(target.buffer)
      this.#from = 0
      this.#to = kept
    }
    this.#octets.set(piece, this.#to)
    this.#to += piece.length
  }

  #larger(needed: number): Uint8Array<ArrayBuffer> {
    return new Uint8Array(Math.max(needed, this.#octets.length * 2))
  }
}

/** By the first four octets, which PcapRecords and PcapngRecords read again. */
function formatOf(view: DataView, at: number): RecordFormat | null {
  if (PcapRecords.begins(view, at)) return new PcapRecords()
  return PcapngRecords.begins(view, at) ? new PcapngRecords() : null
}
